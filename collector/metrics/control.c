// SPDX-License-Identifier: Apache-2.0
/*
 * See control.h. One libmicrohttpd daemon for each socket, which calls serve() in a thread of its
 * own, one request after the other.
 */
#include "metrics/control.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "metrics/listen.h"
#include "metrics/live.h"

enum {
	CONNECTION_BYTES = 16 << 10,	/* for a request's head and an answer's */
};

DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)

struct ddp_control {
	struct ddp_board *board;	/* borrowed */
	struct ddp_status_about about;	/* its texts owned */
	unsigned int answer_ms;
	struct MHD_Daemon *unix_daemon, *tcp_daemon;	/* NULL: none */
	struct ddp_unix_name name;
	uint16_t port;
};

/* One request, and its answer as it is made */
struct request {
	struct ddp_control *control;
	struct MHD_Connection *connection;
	struct ddp_buffer body;
	const char *type;
};

/* Answers */

static unsigned int say(struct request *q, unsigned int status, const char *text)
{
	ddp_buffer_free(&q->body);
	q->type = "text/plain; charset=utf-8";
	return ddp_buffer_write(&q->body, text, strlen(text)) ||
	       ddp_buffer_write(&q->body, "\n", 1) ? MHD_HTTP_INTERNAL_SERVER_ERROR : status;
}

static unsigned int say_failed(struct request *q, int r)
{
	ddp_buffer_free(&q->body);
	if (r == -ETIMEDOUT || r == -ESHUTDOWN)
		return say(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			   r == -ETIMEDOUT ? "the profiler is busy, try again" :
					     "the profiler is ending");
	return say(q, MHD_HTTP_INTERNAL_SERVER_ERROR, strerror(-r));
}

static int ask(const struct request *q, bool profile, struct ddp_answer *ret)
{
	return ddp_board_ask(q->control->board, profile, q->control->answer_ms, ret);
}

static unsigned int get_metrics(struct request *q)
{
	struct ddp_answer a;
	int r = ask(q, false, &a);

	q->type = "text/plain; version=0.0.4; charset=utf-8";
	r = r ?: ddp_metrics_prometheus(&a.metrics, ddp_buffer_write, &q->body);
	return r ? say_failed(q, r) : MHD_HTTP_OK;
}

/* A profiler that makes a large profile answers nobody for some seconds, and is well */
static const char *find_trouble(const struct request *q, int r, const struct ddp_answer *a,
				char ret[128])
{
	uint64_t waiting_ms = ddp_board_waiting_ms(q->control->board);

	if (!r)
		return ddp_metrics_trouble(&a->metrics, ret);
	if (r == -ETIMEDOUT && waiting_ms < DDP_CONTROL_STUCK_MS)
		return NULL;
	if (r == -ETIMEDOUT)
		snprintf(ret, 128, "the profiler has not answered for %u s",
			 (unsigned int)(waiting_ms / 1000));
	else
		snprintf(ret, 128, "the profiler is ending");
	return ret;
}

static unsigned int get_health(struct request *q)
{
	struct ddp_answer a;
	int r = ddp_board_ask(q->control->board, false, DDP_CONTROL_HEALTH_MS, &a);
	char why[128];
	const char *trouble = find_trouble(q, r, &a, why);

	return trouble ? say(q, MHD_HTTP_SERVICE_UNAVAILABLE, trouble) : say(q, MHD_HTTP_OK, "ok");
}

static unsigned int get_status(struct request *q)
{
	struct ddp_answer a;
	int r = ask(q, false, &a);
	char why[128];

	if (!r)
		r = ddp_status_write(&a.metrics, &q->control->about,
				     ddp_metrics_trouble(&a.metrics, why), ddp_buffer_write,
				     &q->body);
	return r ? say_failed(q, r) : MHD_HTTP_OK;
}

/* /top */

static const char *argument(const struct request *q, const char *name)
{
	return MHD_lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* @return NULL, or what is wrong */
static const char *read_query(const struct request *q, struct ddp_top_query *ret)
{
	const char *rows = argument(q, "rows"), *sort = argument(q, "sort");
	char *end;

	*ret = (struct ddp_top_query){ .rows = DDP_TOP_ROWS, .value = argument(q, "value") };
	if (rows) {
		ret->rows = strtoul(rows, &end, 10);
		if (rows[0] < '0' || rows[0] > '9' || *end || ret->rows > DDP_TOP_MAX_ROWS)
			return "rows: expected a number up to 10000";
	}
	ret->by_cumulative = sort && !strcmp(sort, "cumulative");
	if (sort && !ret->by_cumulative && strcmp(sort, "flat"))
		return "sort: expected flat or cumulative";
	return NULL;
}

static int write_top(struct request *q, const struct ddp_answer *a,
		     const struct ddp_top_query *query)
{
	CLEANUP(ddp_top_free) struct ddp_top top = { .nr_functions = 0 };
	int r = ddp_live_top(a->profile, &a->metrics, query, &top);

	return r ? r : ddp_top_write(&top, ddp_buffer_write, &q->body);
}

static unsigned int get_top(struct request *q)
{
	CLEANUP(ddp_profile_destroy) struct ddp_profile *profile = NULL;
	struct ddp_answer a = { .profile = NULL };
	struct ddp_top_query query;
	const char *wrong = read_query(q, &query);
	int r;

	if (wrong)
		return say(q, MHD_HTTP_BAD_REQUEST, wrong);
	r = ask(q, true, &a);
	if (r)
		return say_failed(q, r);
	profile = a.profile;
	r = profile ? write_top(q, &a, &query) : a.error;
	if (r == -ENOENT)
		return say(q, MHD_HTTP_BAD_REQUEST, "value: the profile has no such value type");
	return r ? say_failed(q, r) : MHD_HTTP_OK;
}

/* Requests */

static const struct {
	const char *path, *type;
	bool names;	/* tells what runs here: on the unix socket only */
	unsigned int (*get)(struct request *q);	/* @return the HTTP status */
} routes[] = {
	{ "/metrics", NULL, false, get_metrics },
	{ "/health", NULL, false, get_health },
	{ "/status", "application/json", true, get_status },
	{ "/top", "application/json", true, get_top },
};

static unsigned int route(struct request *q, const char *path, const char *method, bool local)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path) || (routes[i].names && !local))
			continue;
		if (strcmp(method, "GET") && strcmp(method, "HEAD"))
			return say(q, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only");
		q->type = routes[i].type;
		return routes[i].get(q);
	}
	return say(q, MHD_HTTP_NOT_FOUND,
		   local ? "there are /metrics, /health, /status and /top" :
			   "there are /metrics and /health");
}

static enum MHD_Result answer(struct request *q, unsigned int status)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		q->body.len, q->body.bytes, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, q->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	r = MHD_queue_response(q->connection, status, response);
	MHD_destroy_response(response);
	return r;
}

/* Called when a request's head is there, and again when its body is, which nothing here has */
static enum MHD_Result serve(struct ddp_control *c, struct MHD_Connection *connection,
			     const char *path, const char *method, size_t *body_bytes,
			     void **state, bool local)
{
	struct request q = { .control = c, .connection = connection };
	enum MHD_Result r;

	if (!*state) {
		*state = c;
		return MHD_YES;
	}
	if (*body_bytes) {
		*body_bytes = 0;
		return MHD_YES;
	}
	r = answer(&q, route(&q, path, method, local));
	ddp_buffer_free(&q.body);
	return r;
}

static enum MHD_Result serve_local(void *control, struct MHD_Connection *connection,
				   const char *path, const char *method, const char *version,
				   const char *body, size_t *body_bytes, void **state)
{
	(void)version;
	(void)body;
	return serve(control, connection, path, method, body_bytes, state, true);
}

static enum MHD_Result serve_remote(void *control, struct MHD_Connection *connection,
				    const char *path, const char *method, const char *version,
				    const char *body, size_t *body_bytes, void **state)
{
	(void)version;
	(void)body;
	return serve(control, connection, path, method, body_bytes, state, false);
}

/* Daemons */

static struct MHD_Daemon *start(struct ddp_control *c, int fd, MHD_AccessHandlerCallback handler)
{
	struct MHD_Daemon *d;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the profiler's thread's */
	d = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, handler, c,
			     MHD_OPTION_LISTEN_SOCKET, fd,
			     MHD_OPTION_CONNECTION_LIMIT, (unsigned int)DDP_CONTROL_MAX_CONNECTIONS,
			     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)DDP_CONTROL_TIMEOUT_S,
			     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
			     MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return d;
}

int ddp_control_serve_unix(struct ddp_control *c, const char *path, struct ddp_error *err)
{
	int fd, r = ddp_listen_unix(path, &c->name, &fd, err);

	if (r)
		return r;
	c->unix_daemon = start(c, fd, serve_local);
	if (c->unix_daemon)
		return 0;
	ddp_unlisten_unix(&c->name);
	snprintf(err->text, sizeof(err->text), "control socket %.100s: cannot serve", path);
	return -EIO;
}

int ddp_control_check_listen(const char *address, bool remote, struct ddp_error *err)
{
	union ddp_address a;
	int r = ddp_address_parse(address, &a, err);

	if (r || remote || ddp_address_is_loopback(&a))
		return r;
	snprintf(err->text, sizeof(err->text), "expected an address that other machines cannot "
		 "reach, or --metrics_remote");
	return -EINVAL;
}

int ddp_control_serve_tcp(struct ddp_control *c, const char *address, bool remote,
			  struct ddp_error *err)
{
	union ddp_address a;
	socklen_t n = sizeof(a);
	int fd, r = ddp_control_check_listen(address, remote, err);

	r = r ?: ddp_address_parse(address, &a, err);
	r = r ?: ddp_listen_tcp(&a, &fd, err);
	if (r)
		return r;
	if (!getsockname(fd, &a.sa, &n))
		c->port = ntohs(a.sa.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	c->tcp_daemon = start(c, fd, serve_remote);
	if (c->tcp_daemon)
		return 0;
	snprintf(err->text, sizeof(err->text), "cannot serve");
	return -EIO;
}

uint16_t ddp_control_port(const struct ddp_control *c)
{
	return c->port;
}

/* Life */

int ddp_control_create(struct ddp_board *board, const struct ddp_status_about *about,
		       unsigned int answer_ms, struct ddp_control **ret)
{
	CLEANUP(ddp_control_destroy) struct ddp_control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->board = board;
	c->answer_ms = answer_ms ? answer_ms : DDP_CONTROL_ANSWER_MS;
	c->about.profiles = strdup(about->profiles ?: "");
	c->about.service = strdup(about->service ?: "");
	if (!c->about.profiles || !c->about.service)
		return -ENOMEM;
	*ret = TAKE(c);
	return 0;
}

void ddp_control_destroy(struct ddp_control *c)
{
	if (!c)
		return;
	ddp_unlisten_unix(&c->name);
	if (c->unix_daemon)
		MHD_stop_daemon(c->unix_daemon);
	if (c->tcp_daemon)
		MHD_stop_daemon(c->tcp_daemon);
	free((char *)c->about.profiles);
	free((char *)c->about.service);
	free(c);
}
