// SPDX-License-Identifier: Apache-2.0
/* See nl.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nl.h"

enum { NL_TIMEOUT_MS = 60000 }; /* an answer that takes this long will not come */

static int nl_connect(struct nl *nl)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(addr);
	int on = 1, bytes = 8 << 20;

	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0)
		return -errno;
	if (bind(nl->fd, (struct sockaddr *)&addr, len) ||
	    getsockname(nl->fd, (struct sockaddr *)&addr, &len) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    setsockopt(nl->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)))
		return -errno;
	/* without the capability the default has to do */
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	nl->port = addr.nl_pid;
	return 0;
}

static int nl_resolve(struct nl *nl)
{
	static _Thread_local struct nl_message m;
	static _Thread_local struct nl_answer a;
	int ret;

	nl->family = GENL_ID_CTRL;
	nl_begin(nl, &m, CTRL_CMD_GETFAMILY, 0);
	nl_put(&m, CTRL_ATTR_FAMILY_NAME, DDPROF_GENL_NAME, sizeof(DDPROF_GENL_NAME));
	ret = nl_call(nl, &m, &a);
	nl->family = ret ? 0 : nl_attr_num(a.attrs, a.len, CTRL_ATTR_FAMILY_ID, 0);
	return ret == -ENOENT ? 0 : ret;
}

int nl_open(struct nl *nl)
{
	void (*records)(void *ctx, const uint8_t *attrs, size_t len) = nl->records;
	void *ctx = nl->ctx;
	int ret;

	*nl = (struct nl){ .seq = 1, .records = records, .ctx = ctx };
	ret = nl_connect(nl);
	return ret ? ret : nl_resolve(nl);
}

void nl_close(struct nl *nl)
{
	close(nl->fd);
	nl->fd = -1;
}

/* -- building -- */

static void nl_grow(struct nl_message *m, size_t len)
{
	size_t room = NLMSG_ALIGN(len);

	memset(m->bytes + m->len, 0, room);
	m->len += room;
	((struct nlmsghdr *)m->bytes)->nlmsg_len = m->len;
}

void nl_begin(struct nl *nl, struct nl_message *m, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;
	struct genlmsghdr *g = (struct genlmsghdr *)(h + 1);

	m->len = 0;
	nl_grow(m, sizeof(*h) + sizeof(*g));
	h->nlmsg_type = nl->family;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++nl->seq;
	h->nlmsg_pid = nl->port;
	g->cmd = cmd;
	g->version = DDPROF_GENL_VERSION;
}

void nl_put(struct nl_message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *)(m->bytes + m->len);

	nl_grow(m, sizeof(*a) + len);
	a->nla_type = type;
	a->nla_len = sizeof(*a) + len;
	if (len)
		memcpy(a + 1, data, len);
}

void nl_put_u32(struct nl_message *m, uint16_t type, uint32_t value)
{
	nl_put(m, type, &value, sizeof(value));
}

void nl_put_u64(struct nl_message *m, uint16_t type, uint64_t value)
{
	nl_put(m, type, &value, sizeof(value));
}

size_t nl_nest(struct nl_message *m, uint16_t type)
{
	size_t at = m->len;

	nl_put(m, type, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_message *m, size_t nest)
{
	((struct nlattr *)(m->bytes + nest))->nla_len = m->len - nest;
}

/* -- answers -- */

const void *nl_attr(const uint8_t *attrs, size_t len, uint16_t type, size_t *ret_len)
{
	struct nlattr a;
	size_t step;

	while (len >= sizeof(a)) {
		memcpy(&a, attrs, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			*ret_len = a.nla_len - sizeof(a);
			return attrs + sizeof(a);
		}
		step = NLA_ALIGN(a.nla_len);
		if (step > len)
			return NULL;
		attrs += step;
		len -= step;
	}
	return NULL;
}

uint64_t nl_attr_num(const uint8_t *attrs, size_t len, uint16_t type, uint64_t none)
{
	uint64_t value = 0;
	size_t n;
	const void *p = nl_attr(attrs, len, type, &n);

	if (!p || n > sizeof(value) || !n)
		return none;
	memcpy(&value, p, n);
	return value;
}

static void nl_note_text(struct nl *nl, const struct nlmsghdr *h)
{
	/* a dump's end carries its error alone, an acknowledgement the request's header too */
	size_t skip = NLMSG_HDRLEN + (h->nlmsg_type == NLMSG_DONE ? sizeof(int) :
								     sizeof(struct nlmsgerr));
	const char *text;
	size_t n;

	nl->text[0] = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || h->nlmsg_len < skip)
		return;
	text = nl_attr((const uint8_t *)h + skip, h->nlmsg_len - skip, NLMSGERR_ATTR_MSG, &n);
	if (text)
		snprintf(nl->text, sizeof(nl->text), "%.*s", (int)n, text);
}

struct nl_wait {
	uint32_t seq;
	struct nl_answer *answer;	/* may be NULL */
	void (*each)(void *ctx, const struct nl_answer *a); /* may be NULL */
	void *ctx;
	bool done;
	int error;
};

static void nl_take_answer(const struct nlmsghdr *h, struct nl_wait *w)
{
	static _Thread_local struct nl_answer scratch;
	struct nl_answer *a = w->answer ? w->answer : &scratch;

	if (h->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
		return;
	a->cmd = ((const struct genlmsghdr *)NLMSG_DATA(h))->cmd;
	a->len = h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	memcpy(a->attrs, (const uint8_t *)h + NLMSG_HDRLEN + GENL_HDRLEN, a->len);
	if (w->each)
		w->each(w->ctx, a);
}

static void nl_take(struct nl *nl, const struct nlmsghdr *h, struct nl_wait *w)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);

	if (h->nlmsg_type >= NLMSG_MIN_TYPE && h->nlmsg_seq == 0 &&
	    h->nlmsg_len >= NLMSG_HDRLEN + GENL_HDRLEN && g->cmd == DDPROF_CMD_RECORDS) {
		if (nl->records)
			nl->records(nl->ctx, (const uint8_t *)(g + 1),
				    h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN);
		return;
	}
	if (h->nlmsg_seq != w->seq)
		return;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		w->done = true;
		memcpy(&w->error, NLMSG_DATA(h), sizeof(w->error));
		nl_note_text(nl, h);
	} else {
		nl_take_answer(h, w);
	}
}

/* One recv: the number of messages in it, or -errno. */
static int nl_take_some(struct nl *nl, int timeout_ms, struct nl_wait *w)
{
	static _Thread_local uint8_t bytes[4 * NL_MESSAGE_MAX] __attribute__((aligned(8)));
	struct pollfd p = { .fd = nl->fd, .events = POLLIN };
	const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;
	ssize_t len;
	int n = 0;

	if (poll(&p, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	len = recv(nl->fd, bytes, sizeof(bytes), 0);
	if (len < 0)
		return -errno;
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len), n++)
		nl_take(nl, h, w);
	return n;
}

static int nl_wait(struct nl *nl, struct nl_wait *w)
{
	int n;

	nl->text[0] = 0;
	if (w->answer)
		w->answer->cmd = 0;
	while (!w->done) {
		n = nl_take_some(nl, NL_TIMEOUT_MS, w);
		if (n < 0)
			return n;
	}
	return w->error;
}

int nl_await(struct nl *nl, uint32_t seq, struct nl_answer *answer)
{
	struct nl_wait w = { .seq = seq, .answer = answer };

	return nl_wait(nl, &w);
}

static int nl_send(struct nl *nl, const struct nl_message *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	if (nl->by_write)
		n = write(nl->fd, m->bytes, m->len);
	else
		n = sendto(nl->fd, m->bytes, m->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	if (n < 0)
		return -errno;
	return 0;
}

int nl_call(struct nl *nl, struct nl_message *m, struct nl_answer *answer)
{
	int ret = nl_send(nl, m);

	return ret ? ret : nl_await(nl, ((struct nlmsghdr *)m->bytes)->nlmsg_seq, answer);
}

int nl_dump(struct nl *nl, struct nl_message *m, void (*each)(void *ctx, const struct nl_answer *a),
	    void *ctx)
{
	struct nl_wait w = {
		.seq = ((struct nlmsghdr *)m->bytes)->nlmsg_seq, .each = each, .ctx = ctx,
	};
	int ret = nl_send(nl, m);

	return ret ? ret : nl_wait(nl, &w);
}

int nl_receive(struct nl *nl, int timeout_ms)
{
	struct nl_wait w = { .seq = nl->seq + 1 };
	int n = nl_take_some(nl, timeout_ms, &w);

	return n == -ETIMEDOUT ? 0 : n;
}

/* -- commands -- */

static void nl_put_event(struct nl_message *m, const struct nl_event *e)
{
	size_t event = nl_nest(m, DDPROF_A_START_EVENT | NLA_F_NESTED);

	nl_put_u32(m, DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_PERF);
	nl_put_u32(m, DDPROF_A_EVENT_TYPE, e->type);
	nl_put_u64(m, DDPROF_A_EVENT_CONFIG, e->config);
	if (e->period)
		nl_put_u64(m, DDPROF_A_EVENT_PERIOD, e->period);
	else
		nl_put_u32(m, DDPROF_A_EVENT_FREQUENCY_HZ, e->hz);
	if (e->missing)
		nl_put_u32(m, DDPROF_A_EVENT_ON_MISSING, e->missing);
	nl_nest_end(m, event);
}

static int nl_start_once(struct nl *nl, const struct nl_start *how, struct nl_answer *answer)
{
	static _Thread_local struct nl_message m;
	size_t event;
	int i;

	nl_begin(nl, &m, DDPROF_CMD_START, 0);
	event = nl_nest(&m, DDPROF_A_START_EVENT | NLA_F_NESTED);
	nl_put_u32(&m, DDPROF_A_EVENT_SAMPLER,
		   how->sampler ? how->sampler : DDPROF_SAMPLER_HRTIMER);
	nl_put_u32(&m, DDPROF_A_EVENT_FREQUENCY_HZ, how->hz ? how->hz : 99);
	if (how->min_ns)
		nl_put_u64(&m, DDPROF_A_EVENT_MIN_NS, *how->min_ns);
	nl_nest_end(&m, event);
	for (i = 0; i < how->nr_events; i++)
		nl_put_event(&m, &how->events[i]);
	if (how->flags)
		nl_put_u32(&m, DDPROF_A_START_FLAGS, how->flags);
	if (how->tgid) {
		nl_put_u32(&m, DDPROF_A_START_SCOPE,
			   how->trees ? DDPROF_SCOPE_TREES : DDPROF_SCOPE_TGIDS);
		nl_put_u32(&m, DDPROF_A_START_TGID, how->tgid);
	}
	if (how->ring_kib)
		nl_put_u32(&m, DDPROF_A_START_RING_KIB, how->ring_kib);
	if (how->tables_kib || how->no_tables)
		nl_put_u32(&m, DDPROF_A_START_TABLES_KIB, how->tables_kib);
	nl_put_u32(&m, DDPROF_A_START_BUDGET_PERMILLE, how->budget ? how->budget : 1000);
	nl_put_u32(&m, DDPROF_A_START_FLUSH_MS, how->flush_ms ? how->flush_ms : 100);
	if (how->more)
		how->more(how->ctx, &m);
	return nl_call(nl, &m, answer);
}

int nl_start(struct nl *nl, const struct nl_start *how, struct nl_answer *answer)
{
	int ret, tries;

	for (tries = 0; tries < 100; tries++) {
		ret = nl_start_once(nl, how, answer);
		if (ret != -EBUSY)
			break;
		usleep(10000);
	}
	return ret;
}

int nl_simple(struct nl *nl, uint8_t cmd, struct nl_answer *answer)
{
	static _Thread_local struct nl_message m;

	nl_begin(nl, &m, cmd, 0);
	return nl_call(nl, &m, answer);
}

static void nl_add_stats(void *ctx, const struct nl_answer *a)
{
	struct nl_stats *s = ctx;
	uint64_t cpu = nl_attr_num(a->attrs, a->len, DDPROF_A_STATS_CPU, 0);
	int i;

	s->cpus++;
	for (i = 1; i <= DDPROF_A_STATS_MAX; i++)
		s->n[i] += nl_attr_num(a->attrs, a->len, i, 0);
	if (cpu >= 64)
		return;
	s->cpu_samples[cpu] = nl_attr_num(a->attrs, a->len, DDPROF_A_STATS_SAMPLES, 0);
	s->cpu_online[cpu] = nl_attr_num(a->attrs, a->len, DDPROF_A_STATS_ONLINE, 0);
}

int nl_stats(struct nl *nl, struct nl_stats *ret)
{
	static _Thread_local struct nl_message m;

	memset(ret, 0, sizeof(*ret));
	nl_begin(nl, &m, DDPROF_CMD_GET_STATS, NLM_F_DUMP);
	return nl_dump(nl, &m, nl_add_stats, ret);
}
