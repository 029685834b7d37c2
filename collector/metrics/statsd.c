// SPDX-License-Identifier: Apache-2.0
/* See statsd.h. */
#include "metrics/statsd.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Text */

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static bool is_sent(const struct ddp_metric *row, uint64_t passed_ns)
{
	return row->statsd_type != DDP_STATSD_NONE &&
	       (row->statsd_type != DDP_STATSD_MILLI || passed_ns);
}

static void format_value(const struct ddp_metrics *now, const struct ddp_metrics *before,
			 uint64_t passed_ns, const struct ddp_metric *row,
			 char ret[DDP_METRIC_TEXT])
{
	uint64_t growth = grown(ddp_metric_value(now, row), ddp_metric_value(before, row));

	if (row->statsd_type == DDP_STATSD_GAUGE)
		ddp_metric_format(now, row, ret);
	else if (row->statsd_type == DDP_STATSD_MILLI)
		snprintf(ret, DDP_METRIC_TEXT, "%.0f", 1000.0 * (double)growth / (double)passed_ns);
	else
		snprintf(ret, DDP_METRIC_TEXT, "%" PRIu64, growth);
}

/* Lines until they fill a datagram */
struct datagram {
	char text[DDP_STATSD_BYTES];
	size_t n;
	ddp_statsd_send_fn send;
	void *ctx;
};

static int flush(struct datagram *d)
{
	size_t n = d->n;

	d->n = 0;
	return n ? d->send(d->ctx, d->text, n) : 0;
}

static int add(struct datagram *d, const char *line, size_t n)
{
	int r = d->n + n > sizeof(d->text) ? flush(d) : 0;

	if (r)
		return r;
	memcpy(d->text + d->n, line, n);
	d->n += n;
	return 0;
}

int ddp_statsd_format(const struct ddp_metrics *now, const struct ddp_metrics *before,
		      uint64_t passed_ns, const char *tags, ddp_statsd_send_fn send, void *ctx)
{
	struct datagram d = { .send = send, .ctx = ctx };
	char line[DDP_STATSD_BYTES], value[DDP_METRIC_TEXT];
	int r = 0;

	for (const struct ddp_metric *row = ddp_metrics_table; !r && row->name; row++) {
		int n;

		if (!is_sent(row, passed_ns))
			continue;
		format_value(now, before, passed_ns, row, value);
		n = snprintf(line, sizeof(line), DDP_STATSD_PREFIX "%s:%s|%s%s%s\n", row->statsd,
			     value, row->statsd_type == DDP_STATSD_COUNT ? "c" : "g",
			     tags && tags[0] ? "|#" : "", tags ? tags : "");
		r = n < 0 || (size_t)n >= sizeof(line) ? -EMSGSIZE : add(&d, line, (size_t)n);
	}
	return r ? r : flush(&d);
}

/* Address */

struct target {
	bool is_unix;
	char host[256];		/* or the path */
	char port[8];
};

static int refuse(struct ddp_error *err, const char *why)
{
	if (err)
		snprintf(err->text, sizeof(err->text), "%s", why);
	return -EINVAL;
}

static const char *skip(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) ? NULL : text + n;
}

static int parse_unix(const char *path, struct target *ret, struct ddp_error *err)
{
	ret->is_unix = true;
	if (path[0] != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return refuse(err, "expected a path from / on, of 107 characters at most");
	snprintf(ret->host, sizeof(ret->host), "%s", path);
	return 0;
}

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n && n < 6 && !text[n] && atoi(text) > 0 && atoi(text) <= UINT16_MAX;
}

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT" */
static int parse_udp(const char *text, struct target *ret, struct ddp_error *err)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
	const char *rest = !end ? "" : text[0] == '[' ? end + 1 : end;
	size_t n;

	if (text[0] == '[' && !end)
		return refuse(err, "expected a ] after the address");
	text += text[0] == '[';
	n = end ? (size_t)(end - text) : strlen(text);
	if (!n || n >= sizeof(ret->host))
		return refuse(err, "expected unix:///PATH or udp://HOST:PORT");
	if (rest[0] && (rest[0] != ':' || !is_port(rest + 1)))
		return refuse(err, "expected a port from 1 to 65535");
	memcpy(ret->host, text, n);
	ret->host[n] = '\0';
	snprintf(ret->port, sizeof(ret->port), "%s", rest[0] ? rest + 1 : "8125");
	return 0;
}

static int parse(const char *address, struct target *ret, struct ddp_error *err)
{
	const char *path = skip(address, "unix://") ?: skip(address, "unixgram://");
	const char *udp = skip(address, "udp://");

	*ret = (struct target){ 0 };
	if (path || address[0] == '/')
		return parse_unix(path ?: address, ret, err);
	if (!udp && strstr(address, "://"))
		return refuse(err, "expected unix:///PATH or udp://HOST:PORT");
	return parse_udp(udp ?: address, ret, err);
}

int ddp_statsd_check(const char *address, struct ddp_error *err)
{
	struct target t;

	return parse(address, &t, err);
}

/* Sending */

struct ddp_statsd {
	struct sockaddr_storage to;
	socklen_t to_bytes;
	int fd;
	char *tags;			/* owned */
	struct ddp_metrics before;	/* as they were last sent */
};

static void fill_unix(struct ddp_statsd *s, const struct target *t)
{
	struct sockaddr_un *to = (struct sockaddr_un *)&s->to;

	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, t->host, strlen(t->host));
	s->to_bytes = sizeof(*to);
}

static int look_up(struct ddp_statsd *s, const struct target *t, struct ddp_error *err)
{
	struct addrinfo how = { .ai_socktype = SOCK_DGRAM }, *found;
	int r = getaddrinfo(t->host, t->port, &how, &found);

	if (r)
		return refuse(err, gai_strerror(r));
	memcpy(&s->to, found->ai_addr, found->ai_addrlen);
	s->to_bytes = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int ddp_statsd_create(const char *address, const char *tags, struct ddp_statsd **ret,
		      struct ddp_error *err)
{
	CLEANUP(ddp_statsd_destroy) struct ddp_statsd *s = calloc(1, sizeof(*s));
	struct target t;
	int r = parse(address, &t, err);

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	if (r)
		return r;
	if (t.is_unix)
		fill_unix(s, &t);
	else
		r = look_up(s, &t, err);
	if (r)
		return r;
	s->tags = strdup(tags ?: "");
	if (!s->tags)
		return -ENOMEM;
	s->fd = socket(s->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	*ret = TAKE(s);
	return 0;
}

static int send_datagram(void *ctx, const char *text, size_t n)
{
	const struct ddp_statsd *s = ctx;

	if (sendto(s->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&s->to,
		   s->to_bytes) < 0)
		return -errno;
	return 0;
}

void ddp_statsd_begin(struct ddp_statsd *s, const struct ddp_metrics *now)
{
	s->before = *now;
}

int ddp_statsd_send(struct ddp_statsd *s, const struct ddp_metrics *now)
{
	uint64_t passed_ns = grown(now->pipeline.uptime_ns, s->before.pipeline.uptime_ns);
	int r = ddp_statsd_format(now, &s->before, passed_ns, s->tags, send_datagram, s);

	if (!r)
		s->before = *now;
	return r;
}

void ddp_statsd_destroy(struct ddp_statsd *s)
{
	if (!s)
		return;
	close_fd(s->fd);
	free(s->tags);
	free(s);
}
