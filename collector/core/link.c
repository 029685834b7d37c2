// SPDX-License-Identifier: Apache-2.0
/*
 * See link.h. libnl builds messages and parses attributes; receiving is a plain recv() loop here,
 * because a RECORDS message may stand between a request and its answer and because an error's text
 * comes in attributes after the error itself.
 */
#include "core/link.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "core/log.h"

enum {
	/* the module's messages are 16 KiB, a dump's 32 KiB at most */
	RECEIVE_BYTES = 64 * 1024,
	SOCKET_BUFFER_BYTES = 8 << 20,	/* seconds of records of a large machine */
	/* the kernel answers in microseconds; longer means it never will */
	ANSWER_TIMEOUT_MS = 5000,
	/* then the caller looks at its signals and clocks again, however fast records come */
	DATAGRAMS_A_CALL = 256,
};

/* A batch that came before START's answer, without which it cannot be understood */
struct held {
	struct held *next;
	struct ddp_batch batch;
	unsigned char data[];
};

struct ddp_link {
	struct nl_sock *records, *requests;
	int family;
	ddp_link_batch_fn on_batch;
	void *ctx;
	bool holding;			/* START is not answered: batches wait in held */
	struct held *held, **held_end;	/* owned, in order */
	/* one a socket: a batch may make its receiver ask for a file */
	struct receive_buffer {
		unsigned char bytes[RECEIVE_BYTES];
	} __attribute__((aligned(NLMSG_ALIGNTO))) records_buffer, requests_buffer;
};

/* What a request is waiting for */
struct exchange {
	const char *what;	/* "START", for error texts */
	uint32_t seq;
	bool dump;
	/* may be NULL; the answer's payload */
	int (*on_answer)(struct nlattr *attrs, int len, void *ctx);
	void *ctx;
	bool answered, done;
	int failed;		/* what on_answer said first; 0: nothing wrong */
	struct ddp_error *err;
};

static int failed(struct ddp_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int failed(struct ddp_error *err, int r, const char *format, ...)
{
	va_list args;

	if (!err)
		return r;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return r;
}

/* libnl's own error numbers, as far as they can happen here */
static int errno_of(int nl)
{
	switch (-nl) {
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	default:
		return -EIO;
	}
}

/* Attributes: present with the right length, or -EBADMSG */

static int read_u32(struct nlattr *a, uint32_t *ret)
{
	if (!a || nla_len(a) != (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u32(a);
	return 0;
}

static int read_u64(struct nlattr *a, uint64_t *ret)
{
	if (!a || nla_len(a) != (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u64(a);
	return 0;
}

static int read_text(struct nlattr *a, char *ret, size_t size)
{
	size_t n;

	if (!a)
		return -EBADMSG;
	n = strnlen(nla_data(a), (size_t)nla_len(a));
	if (n >= size)
		return -EBADMSG;
	memcpy(ret, nla_data(a), n);
	ret[n] = '\0';
	return 0;
}

/* The newest wins; attributes past the known ones are from a newer module */
static int parse(struct nlattr **tb, int max, struct nlattr *attrs, int len)
{
	return nla_parse(tb, max, attrs, len, NULL) < 0 ? -EBADMSG : 0;
}

/* Receiving */

static int read_total(struct nlattr *a, uint64_t *ret)
{
	return a ? read_u64(a, ret) : 0;
}

/* A stream that can lose nothing, the drain thread's, has no totals */
static int read_totals(struct nlattr **tb, struct ddp_batch *b)
{
	int r = read_total(tb[DDPROF_A_RECORDS_LOST_RING], &b->lost_ring);

	r = r ?: read_total(tb[DDPROF_A_RECORDS_LOST_NESTED], &b->lost_nested);
	r = r ?: read_total(tb[DDPROF_A_RECORDS_LOST_TASKS], &b->lost_tasks);
	r = r ?: read_total(tb[DDPROF_A_RECORDS_SKIPPED], &b->skipped);
	return r;
}

static int deliver(struct ddp_link *l, const struct ddp_batch *b)
{
	return l->on_batch ? l->on_batch(l->ctx, b) : 0;
}

static int hold(struct ddp_link *l, const struct ddp_batch *b)
{
	struct held *h = malloc(sizeof(*h) + b->data_bytes);

	if (!h)
		return -ENOMEM;
	h->next = NULL;
	h->batch = *b;
	h->batch.data = h->data;
	if (b->data_bytes)
		memcpy(h->data, b->data, b->data_bytes);
	*l->held_end = h;
	l->held_end = &h->next;
	return 0;
}

/* To the receiver, or only freed */
static int release(struct ddp_link *l, bool tell)
{
	int r = 0;

	l->holding = false;
	while (l->held) {
		struct held *h = l->held;

		l->held = h->next;
		if (tell && !r)
			r = deliver(l, &h->batch);
		free(h);
	}
	l->held_end = &l->held;
	return r;
}

static int on_records(struct ddp_link *l, struct nlattr *attrs, int len)
{
	struct nlattr *tb[DDPROF_A_RECORDS_MAX + 1];
	struct ddp_batch b = { 0 };
	int r = parse(tb, DDPROF_A_RECORDS_MAX, attrs, len);

	r = r ?: read_u32(tb[DDPROF_A_RECORDS_CPU], &b.cpu);
	r = r ?: read_u64(tb[DDPROF_A_RECORDS_SEQ], &b.seq);
	r = r ?: read_totals(tb, &b);
	if (r)
		return r;
	b.resync = tb[DDPROF_A_RECORDS_RESYNC];
	b.end = tb[DDPROF_A_RECORDS_END];
	if (tb[DDPROF_A_RECORDS_DATA]) {
		b.data = nla_data(tb[DDPROF_A_RECORDS_DATA]);
		b.data_bytes = (size_t)nla_len(tb[DDPROF_A_RECORDS_DATA]);
	}
	return l->holding ? hold(l, &b) : deliver(l, &b);
}

/* The extended ack's message, which stands after the error and, unless capped, our own request */
static const char *ack_text(struct nlmsghdr *h, char *ret, size_t size)
{
	struct nlmsgerr *e = nlmsg_data(h);
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];
	int skip = sizeof(*e), left;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
		if (e->msg.nlmsg_len < sizeof(e->msg) || e->msg.nlmsg_len > h->nlmsg_len)
			return NULL;
		skip += (int)NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	}
	left = nlmsg_datalen(h) - skip;
	if (left <= 0 || parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)e + skip), left))
		return NULL;
	return read_text(tb[NLMSGERR_ATTR_MSG], ret, size) ? NULL : ret;
}

/* An ack or an error, or the end of a dump: all begin with an int */
static int on_verdict(struct nlmsghdr *h, struct exchange *x)
{
	char text[200];
	const char *said;
	int verdict;

	if (nlmsg_datalen(h) < (int)sizeof(verdict))
		return failed(x->err, -EBADMSG, "%s: the kernel's answer is cut short", x->what);
	memcpy(&verdict, nlmsg_data(h), sizeof(verdict));
	x->done = true;
	if (!verdict)
		return 0;
	if (verdict > 0 || verdict < -4095)
		return failed(x->err, -EBADMSG, "%s: the kernel's answer is no error number",
			      x->what);
	said = h->nlmsg_type == NLMSG_ERROR &&
	       nlmsg_datalen(h) >= (int)sizeof(struct nlmsgerr) ?
	       ack_text(h, text, sizeof(text)) : NULL;
	if (said)
		return failed(x->err, verdict, "%s: %s (%s)", x->what, said, strerror(-verdict));
	return failed(x->err, verdict, "%s: %s", x->what, strerror(-verdict));
}

static int on_answer(struct exchange *x, struct nlattr *attrs, int len)
{
	int r = 0;

	if (x->on_answer && !x->failed)
		r = x->on_answer(attrs, len, x->ctx);
	if (r == -EBADMSG)
		failed(x->err, r, "%s: the module's answer lacks something or is malformed: "
		       "do module and collector have the same version?", x->what);
	x->answered = true;
	/* the rest of a dump has to be taken nevertheless: the next one would find it under way */
	if (r)
		x->failed = r;
	return 0;
}

/* FILE_OPEN had timed out: the descriptor is ours all the same, and nobody waits for it */
static void close_late(struct nlattr *attrs, int len)
{
	struct nlattr *tb[DDPROF_A_FILE_MAX + 1];
	uint32_t fd;

	if (!parse(tb, DDPROF_A_FILE_MAX, attrs, len) && !read_u32(tb[DDPROF_A_FILE_FD], &fd) &&
	    fd <= INT32_MAX)
		close_fd((int)fd);
}

static int on_message(struct ddp_link *l, struct nlmsghdr *h, struct exchange *x)
{
	struct genlmsghdr *g;

	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
		return x && h->nlmsg_seq == x->seq ? on_verdict(h, x) : 0;
	if (h->nlmsg_type != l->family || !genlmsg_valid_hdr(h, 0))
		return 0;
	g = genlmsg_hdr(h);
	if (g->cmd == DDPROF_CMD_RECORDS)
		return on_records(l, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0));
	if (x && h->nlmsg_seq == x->seq)
		return on_answer(x, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0));
	if (g->cmd == DDPROF_CMD_FILE_OPEN)
		close_late(genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0));
	return 0;
}

/* One datagram, @x (may be NULL) told what concerns it. 0, or -EAGAIN when there is none */
static int receive_one(struct ddp_link *l, int fd, struct exchange *x)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	struct receive_buffer *b = fd == nl_socket_get_fd(l->records) ? &l->records_buffer :
									&l->requests_buffer;
	struct nlmsghdr *h = (struct nlmsghdr *)b->bytes;
	ssize_t got = recvfrom(fd, b->bytes, sizeof(b->bytes), MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &from_len);
	int left, r = 0;

	if (got < 0)
		return errno == EINTR ? 0 : -errno;
	if (from_len < sizeof(from) || from.nl_pid)
		return 0; /* anybody may send to this port; only the kernel is meant */
	if ((size_t)got > sizeof(b->bytes))
		return -EMSGSIZE;
	for (left = (int)got; !r && nlmsg_ok(h, left); h = nlmsg_next(h, &left))
		r = on_message(l, h, x);
	return r;
}

int ddp_link_receive(struct ddp_link *l, struct ddp_error *err)
{
	int r = 0;

	for (int i = 0; !r && i < DATAGRAMS_A_CALL; i++)
		r = receive_one(l, nl_socket_get_fd(l->records), NULL);
	if (!r || r == -EAGAIN)
		return 0;
	if (r == -EBADMSG && err && !err->text[0])
		failed(err, r, "a RECORDS message lacks something or is malformed");
	else if (err && !err->text[0])
		failed(err, r, "receiving records: %s", strerror(-r));
	return r;
}

/* Requests */

static int wait_answer(struct ddp_link *l, struct nl_sock *sock, struct exchange *x)
{
	struct pollfd p = { .fd = nl_socket_get_fd(sock), .events = POLLIN };
	int r = 0;

	while (!r && !x->done) {
		int n = poll(&p, 1, ANSWER_TIMEOUT_MS);

		if (!n)
			return failed(x->err, -ETIMEDOUT, "%s: no answer from the kernel", x->what);
		if (n < 0 && errno != EINTR)
			return failed(x->err, -errno, "%s: poll: %s", x->what, strerror(errno));
		r = receive_one(l, p.fd, x);
		if (r == -EAGAIN)
			r = 0;
	}
	if (!r && x->on_answer && !x->answered && !x->dump)
		return failed(x->err, -EBADMSG, "%s: the module answered nothing", x->what);
	return r ? r : x->failed;
}

static struct nl_msg *request(struct ddp_link *l, uint8_t cmd, int flags)
{
	struct nl_msg *m = nlmsg_alloc();

	if (m && genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, l->family, 0,
			     NLM_F_REQUEST | NLM_F_ACK | flags, cmd, DDPROF_GENL_VERSION))
		return m;
	nlmsg_free(m);
	return NULL;
}

/* Sends @m, which may be NULL for lack of memory and is freed, and waits for all of the answer */
static int ask(struct ddp_link *l, struct nl_sock *sock, struct nl_msg *m, struct exchange *x)
{
	int r;

	if (!m)
		return failed(x->err, -ENOMEM, "%s: out of memory", x->what);
	nl_complete_msg(sock, m);
	x->seq = nlmsg_hdr(m)->nlmsg_seq;
	r = nl_send(sock, m);
	nlmsg_free(m);
	if (r < 0)
		return failed(x->err, errno_of(r), "%s: cannot send: %s", x->what, nl_geterror(r));
	return wait_answer(l, sock, x);
}

static int read_info(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_INFO_MAX + 1];
	struct ddp_link_info *i = ctx;
	int r = parse(tb, DDPROF_A_INFO_MAX, attrs, len);

	r = r ?: read_text(tb[DDPROF_A_INFO_MODULE_VERSION], i->module_version,
			   sizeof(i->module_version));
	r = r ?: read_text(tb[DDPROF_A_INFO_KERNEL_UNWINDER], i->kernel_unwinder,
			   sizeof(i->kernel_unwinder));
	r = r ?: read_u32(tb[DDPROF_A_INFO_MAX_EVENTS], &i->max_events);
	r = r ?: read_u32(tb[DDPROF_A_INFO_MAX_DEPTH], &i->max_depth);
	if (!r && tb[DDPROF_A_INFO_OWNER_TGID])
		r = read_u32(tb[DDPROF_A_INFO_OWNER_TGID], &i->owner_tgid);
	return r;
}

int ddp_link_get_info(struct ddp_link *l, struct ddp_link_info *ret, struct ddp_error *err)
{
	struct ddp_link_info info = { 0 };
	struct exchange x = {
		.what = "GET_INFO", .on_answer = read_info, .ctx = &info, .err = err
	};
	int r = ask(l, l->requests, request(l, DDPROF_CMD_GET_INFO, 0), &x);

	if (!r)
		*ret = info;
	return r;
}

static int read_started_event(struct nlattr *a, struct ddp_link_started_event *e)
{
	struct nlattr *tb[DDPROF_A_STARTED_EVENT_MAX + 1];
	int r = parse(tb, DDPROF_A_STARTED_EVENT_MAX, nla_data(a), nla_len(a));

	r = r ?: read_u32(tb[DDPROF_A_STARTED_EVENT_SAMPLER], &e->sampler);
	r = r ?: read_u64(tb[DDPROF_A_STARTED_EVENT_PERIOD], &e->period);
	r = r ?: read_u32(tb[DDPROF_A_STARTED_EVENT_UNIT], &e->unit);
	if (!r && tb[DDPROF_A_STARTED_EVENT_FALLBACK])
		r = read_u32(tb[DDPROF_A_STARTED_EVENT_FALLBACK], &e->fallback);
	if (!r && e->unit != DDPROF_UNIT_NANOSECONDS && e->unit != DDPROF_UNIT_EVENTS)
		return -EBADMSG;
	return r;
}

static int read_started(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_STARTED_MAX + 1], *a;
	struct ddp_link_started *s = ctx;
	int left, r = parse(tb, DDPROF_A_STARTED_MAX, attrs, len);

	r = r ?: read_u64(tb[DDPROF_A_STARTED_MONOTONIC_NS], &s->monotonic_ns);
	r = r ?: read_u64(tb[DDPROF_A_STARTED_REALTIME_NS], &s->realtime_ns);
	s->nr_events = 0;
	nla_for_each_attr(a, attrs, len, left) {
		if (r || nla_type(a) != DDPROF_A_STARTED_EVENT)
			continue;
		if (s->nr_events == DDPROF_MAX_EVENTS)
			return -EBADMSG;
		r = read_started_event(a, &s->events[s->nr_events++]);
	}
	return r;
}

static int put_event(struct nl_msg *m, const struct ddp_link_event *e)
{
	struct nlattr *nest = nla_nest_start(m, DDPROF_A_START_EVENT);
	int r = nest ? nla_put_u32(m, DDPROF_A_EVENT_SAMPLER, e->sampler) : -NLE_NOMEM;

	if (!r && e->sampler == DDPROF_SAMPLER_PERF) {
		r = nla_put_u32(m, DDPROF_A_EVENT_TYPE, e->type);
		r = r ?: nla_put_u64(m, DDPROF_A_EVENT_CONFIG, e->config);
	}
	if (!r && e->frequency_hz)
		r = nla_put_u32(m, DDPROF_A_EVENT_FREQUENCY_HZ, e->frequency_hz);
	if (!r && e->period)
		r = nla_put_u64(m, DDPROF_A_EVENT_PERIOD, e->period);
	return r ? r : nla_nest_end(m, nest);
}

static int put_optional(struct nl_msg *m, int attr, uint32_t value)
{
	return value ? nla_put_u32(m, attr, value) : 0;
}

static int put_start(struct nl_msg *m, const struct ddp_link_start *s)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < s->nr_events; i++)
		r = put_event(m, &s->events[i]);
	for (uint32_t i = 0; !r && i < s->nr_tgids; i++)
		r = nla_put_u32(m, DDPROF_A_START_TGID, s->tgids[i]);
	r = r ?: put_optional(m, DDPROF_A_START_SCOPE, s->scope);
	r = r ?: put_optional(m, DDPROF_A_START_FLAGS, s->flags);
	r = r ?: put_optional(m, DDPROF_A_START_DEPTH, s->depth);
	r = r ?: put_optional(m, DDPROF_A_START_BUDGET_PERMILLE, s->budget_permille);
	r = r ?: put_optional(m, DDPROF_A_START_RING_KIB, s->ring_kib);
	r = r ?: put_optional(m, DDPROF_A_START_CACHE_STACKS, s->cache_stacks);
	r = r ?: put_optional(m, DDPROF_A_START_FLUSH_MS, s->flush_ms);
	return r;
}

int ddp_link_start(struct ddp_link *l, const struct ddp_link_start *s,
		   struct ddp_link_started *ret, struct ddp_error *err)
{
	struct ddp_link_started started = { 0 };
	struct exchange x = {
		.what = "START", .on_answer = read_started, .ctx = &started, .err = err
	};
	struct nl_msg *m = request(l, DDPROF_CMD_START, 0);
	int r;

	if (m && put_start(m, s)) {
		nlmsg_free(m);
		return failed(err, -E2BIG, "START: more than fits into a message");
	}
	l->holding = true;
	r = ask(l, l->records, m, &x);
	if (!r && started.nr_events != s->nr_events)
		r = failed(err, -EBADMSG,
			   "START: the module answered for %" PRIu32 " events of %" PRIu32,
			   started.nr_events, s->nr_events);
	if (!r)
		*ret = started;
	return release(l, !r) ?: r;
}

int ddp_link_stop(struct ddp_link *l, struct ddp_error *err)
{
	struct exchange x = { .what = "STOP", .err = err };

	return ask(l, l->records, request(l, DDPROF_CMD_STOP, 0), &x);
}

int ddp_link_resync(struct ddp_link *l, struct ddp_error *err)
{
	struct exchange x = { .what = "RESYNC", .err = err };

	return ask(l, l->records, request(l, DDPROF_CMD_RESYNC, 0), &x);
}

struct opened {
	uint64_t file_id;	/* that was asked for */
	int fd;			/* -1: none yet */
};

static int read_opened(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_FILE_MAX + 1];
	struct opened *o = ctx;
	uint64_t id;
	uint32_t fd;
	int r = parse(tb, DDPROF_A_FILE_MAX, attrs, len);

	r = r ?: read_u64(tb[DDPROF_A_FILE_ID], &id);
	r = r ?: read_u32(tb[DDPROF_A_FILE_FD], &fd);
	if (r)
		return r;
	if (id != o->file_id || fd > INT32_MAX || o->fd >= 0)
		return -EBADMSG;
	o->fd = (int)fd;
	return 0;
}

int ddp_link_file_open(struct ddp_link *l, uint64_t file_id, int *ret, struct ddp_error *err)
{
	struct opened o = { .file_id = file_id, .fd = -1 };
	struct exchange x = {
		.what = "FILE_OPEN", .on_answer = read_opened, .ctx = &o, .err = err
	};
	struct nl_msg *m = request(l, DDPROF_CMD_FILE_OPEN, 0);
	int r;

	if (m && nla_put_u64(m, DDPROF_A_FILE_ID, file_id)) {
		nlmsg_free(m);
		m = NULL;
	}
	r = ask(l, l->requests, m, &x);
	if (r) {
		close_fd(o.fd);
		return r;
	}
	*ret = o.fd;
	return 0;
}

/* Which attribute fills which member of struct ddp_link_stats */
#define U64(attr, member) { DDPROF_A_STATS_##attr, offsetof(struct ddp_link_stats, member) }
static const struct {
	int attr;
	size_t offset;
} stats_members[] = {
	U64(ELAPSED_NS, elapsed_ns), U64(SAMPLES, samples), U64(FOLDED, folded),
	U64(NEW_STACKS, new_stacks), U64(IDLE, idle), U64(OUT_OF_SCOPE, out_of_scope),
	U64(NO_REGS, no_regs), U64(SKIPPED, skipped), U64(LOST_RING, lost_ring),
	U64(LOST_NESTED, lost_nested), U64(LOST_TASKS, lost_tasks), U64(NO_ASPACE, no_aspace),
	U64(MISSED, missed), U64(NMI, nmi), U64(HANDLER_NS, handler_ns),
	U64(HANDLER_MAX_NS, handler_max_ns),
	U64(RING_BYTES, ring_bytes), U64(RING_HIGH_BYTES, ring_high_bytes), U64(MESSAGES, messages),
	U64(BYTES, bytes),
};
#undef U64
enum { NR_STATS_MEMBERS = sizeof(stats_members) / sizeof(stats_members[0]) };

static uint64_t *stats_member(struct ddp_link_stats *s, size_t i)
{
	return (uint64_t *)((char *)s + stats_members[i].offset);
}

/* A newer module may count more ways for a walk to end; those are past what we can name */
static int read_ends(struct nlattr *a, uint64_t ends[__DDPROF_END_MAX])
{
	size_t bytes = sizeof(uint64_t) * __DDPROF_END_MAX;

	if (!a || (size_t)nla_len(a) < bytes)
		return -EBADMSG;
	memcpy(ends, nla_data(a), bytes);
	return 0;
}

struct stats_reader {
	ddp_link_stats_fn fn;
	void *ctx;
};

static int read_stats(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_STATS_MAX + 1];
	struct stats_reader *reader = ctx;
	struct ddp_link_stats s = { 0 };
	int r = parse(tb, DDPROF_A_STATS_MAX, attrs, len);

	r = r ?: read_u32(tb[DDPROF_A_STATS_CPU], &s.cpu);
	r = r ?: read_u32(tb[DDPROF_A_STATS_ONLINE], &s.online);
	for (size_t i = 0; !r && i < NR_STATS_MEMBERS; i++)
		r = read_u64(tb[stats_members[i].attr], stats_member(&s, i));
	r = r ?: read_ends(tb[DDPROF_A_STATS_KERNEL_END], s.kernel_end);
	r = r ?: read_ends(tb[DDPROF_A_STATS_USER_END], s.user_end);
	return r ? r : reader->fn(reader->ctx, &s);
}

int ddp_link_get_stats(struct ddp_link *l, ddp_link_stats_fn fn, void *ctx, struct ddp_error *err)
{
	struct stats_reader reader = { fn, ctx };
	struct exchange x = {
		.what = "GET_STATS",
		.dump = true,
		.on_answer = read_stats,
		.ctx = &reader,
		.err = err,
	};

	return ask(l, l->requests, request(l, DDPROF_CMD_GET_STATS, NLM_F_DUMP), &x);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void ddp_link_stats_add(struct ddp_link_stats *sum, const struct ddp_link_stats *s)
{
	struct ddp_link_stats one = *s, before = *sum;

	sum->cpu++;
	sum->online += s->online;
	for (size_t i = 0; i < NR_STATS_MEMBERS; i++)
		*stats_member(sum, i) += *stats_member(&one, i);
	for (size_t i = 0; i < __DDPROF_END_MAX; i++) {
		sum->kernel_end[i] += s->kernel_end[i];
		sum->user_end[i] += s->user_end[i];
	}
	sum->handler_max_ns = larger(before.handler_max_ns, s->handler_max_ns);
	sum->ring_high_bytes = larger(before.ring_high_bytes, s->ring_high_bytes);
}

int ddp_link_fd(const struct ddp_link *l)
{
	return nl_socket_get_fd(l->records);
}

void ddp_link_on_batch(struct ddp_link *l, ddp_link_batch_fn fn, void *ctx)
{
	l->on_batch = fn;
	l->ctx = ctx;
}

/* Opening */

static int set_option(int fd, int option, const char *name)
{
	int one = 1;

	if (!setsockopt(fd, SOL_NETLINK, option, &one, sizeof(one)))
		return 0;
	ddp_log_debug("netlink option %s: %s", name, strerror(errno));
	return -errno;
}

static int open_socket(struct nl_sock **ret, struct ddp_error *err)
{
	struct nl_sock *s = nl_socket_alloc();
	int r;

	if (!s)
		return failed(err, -ENOMEM, "out of memory");
	r = nl_connect(s, NETLINK_GENERIC);
	if (r < 0) {
		nl_socket_free(s);
		return failed(err, errno_of(r), "cannot open a netlink socket: %s", nl_geterror(r));
	}
	/* without these errors are only numbers */
	set_option(nl_socket_get_fd(s), NETLINK_EXT_ACK, "EXT_ACK");
	set_option(nl_socket_get_fd(s), NETLINK_CAP_ACK, "CAP_ACK");
	*ret = s;
	return 0;
}

static void enlarge(int fd)
{
	int bytes = SOCKET_BUFFER_BYTES;

	set_option(fd, NETLINK_NO_ENOBUFS, "NO_ENOBUFS");
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
		ddp_log_warn("cannot enlarge the receive buffer: %s", strerror(errno));
}

static int resolve(struct ddp_link *l, struct ddp_error *err)
{
	int r = genl_ctrl_resolve(l->requests, DDPROF_GENL_NAME);

	if (r >= 0) {
		l->family = r;
		return 0;
	}
	r = errno_of(r);
	if (r == -ENOENT && !access("/sys/module/ddprof_kmod", F_OK))
		return failed(err, r, "the kernel module is loaded, but not in reach: run ddprof "
			      "in the host's network namespace");
	if (r == -ENOENT)
		return failed(err, r, "the kernel module is not loaded: modprobe ddprof_kmod");
	return failed(err, r, "cannot look up the netlink family " DDPROF_GENL_NAME ": %s",
		      strerror(-r));
}

int ddp_link_open(struct ddp_link **ret, struct ddp_error *err)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return failed(err, -ENOMEM, "out of memory");
	l->held_end = &l->held;
	r = open_socket(&l->records, err);
	r = r ?: open_socket(&l->requests, err);
	if (r)
		return r;
	enlarge(nl_socket_get_fd(l->records));
	r = resolve(l, err);
	if (r)
		return r;
	*ret = TAKE(l);
	return 0;
}

void ddp_link_close(struct ddp_link *l)
{
	if (!l)
		return;
	nl_socket_free(l->records);
	nl_socket_free(l->requests);
	release(l, false);
	free(l);
}
