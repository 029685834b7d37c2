// SPDX-License-Identifier: Apache-2.0
/*
 * See link.h. libnl builds messages and parses attributes; receiving is a plain recv() loop here,
 * because a RECORDS message may stand between a request and its answer and because an error's text
 * comes in attributes after the error itself.
 */
#include "link/link_internal.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

enum {
	REQUEST_BYTES = 4096,		/* all of a request but what is said to be long */
	SOCKET_BUFFER_BYTES = 8 << 20,	/* seconds of records of a large machine */
	/* the kernel answers in microseconds; longer means it never will */
	ANSWER_TIMEOUT_MS = 5000,
	/* then the caller looks at its signals and clocks again, however fast records come */
	DATAGRAMS_A_CALL = 256,
};

struct ddp_link_held {
	struct ddp_link_held *next;
	struct ddp_batch batch;
	unsigned char data[];
};

int ddp_link_failed(struct ddp_error *err, int r, const char *format, ...)
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

/* Attributes */

int ddp_link_u32(struct nlattr *a, uint32_t *ret)
{
	if (!a || nla_len(a) != (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u32(a);
	return 0;
}

int ddp_link_u64(struct nlattr *a, uint64_t *ret)
{
	if (!a || nla_len(a) != (int)sizeof(*ret))
		return -EBADMSG;
	*ret = nla_get_u64(a);
	return 0;
}

int ddp_link_text(struct nlattr *a, char *ret, size_t size)
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

int ddp_link_parse(struct nlattr **tb, int max, struct nlattr *attrs, int len)
{
	return nla_parse(tb, max, attrs, len, NULL) < 0 ? -EBADMSG : 0;
}

/* Receiving */

static int read_total(struct nlattr *a, uint64_t *ret)
{
	return a ? ddp_link_u64(a, ret) : 0;
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
	struct ddp_link_held *h = malloc(sizeof(*h) + b->data_bytes);

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

int ddp_link_release(struct ddp_link *l, bool tell)
{
	int r = 0;

	l->holding = false;
	while (l->held) {
		struct ddp_link_held *h = l->held;

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
	int r = ddp_link_parse(tb, DDPROF_A_RECORDS_MAX, attrs, len);

	r = r ?: ddp_link_u32(tb[DDPROF_A_RECORDS_CPU], &b.cpu);
	r = r ?: ddp_link_u64(tb[DDPROF_A_RECORDS_SEQ], &b.seq);
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
	if (left <= 0 ||
	    ddp_link_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)e + skip), left))
		return NULL;
	return ddp_link_text(tb[NLMSGERR_ATTR_MSG], ret, size) ? NULL : ret;
}

/* An ack or an error, or the end of a dump: all begin with an int */
static int on_verdict(struct nlmsghdr *h, struct ddp_link_exchange *x)
{
	char text[200];
	const char *said;
	int verdict;

	if (nlmsg_datalen(h) < (int)sizeof(verdict))
		return ddp_link_failed(x->err, -EBADMSG, "%s: the kernel's answer is cut short",
				       x->what);
	memcpy(&verdict, nlmsg_data(h), sizeof(verdict));
	x->done = true;
	if (!verdict)
		return 0;
	if (verdict > 0 || verdict < -4095)
		return ddp_link_failed(x->err, -EBADMSG,
				       "%s: the kernel's answer is no error number", x->what);
	said = h->nlmsg_type == NLMSG_ERROR &&
	       nlmsg_datalen(h) >= (int)sizeof(struct nlmsgerr) ?
	       ack_text(h, text, sizeof(text)) : NULL;
	if (said)
		return ddp_link_failed(x->err, verdict, "%s: %s (%s)", x->what, said,
				       strerror(-verdict));
	return ddp_link_failed(x->err, verdict, "%s: %s", x->what, strerror(-verdict));
}

static int on_answer(struct ddp_link_exchange *x, struct nlattr *attrs, int len)
{
	int r = 0;

	if (x->on_answer && !x->failed)
		r = x->on_answer(attrs, len, x->ctx);
	if (r == -EBADMSG)
		ddp_link_failed(x->err, r,
				"%s: the module's answer lacks something or is malformed: do "
				"module and collector have the same version?", x->what);
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

	if (!ddp_link_parse(tb, DDPROF_A_FILE_MAX, attrs, len) &&
	    !ddp_link_u32(tb[DDPROF_A_FILE_FD], &fd) && fd <= INT32_MAX)
		close_fd((int)fd);
}

static int on_message(struct ddp_link *l, struct nlmsghdr *h, struct ddp_link_exchange *x)
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
static int receive_one(struct ddp_link *l, int fd, struct ddp_link_exchange *x)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	struct ddp_link_buffer *b = fd == nl_socket_get_fd(l->requests) ? &l->requests_buffer :
									 &l->records_buffer;
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
		ddp_link_failed(err, r, "a RECORDS message lacks something or is malformed");
	else if (err && !err->text[0])
		ddp_link_failed(err, r, "receiving records: %s", strerror(-r));
	return r;
}

/* Requests */

static int wait_answer(struct ddp_link *l, struct nl_sock *sock, struct ddp_link_exchange *x)
{
	struct pollfd p = { .fd = nl_socket_get_fd(sock), .events = POLLIN };
	int r = 0;

	while (!r && !x->done) {
		int n = poll(&p, 1, ANSWER_TIMEOUT_MS);

		if (!n)
			return ddp_link_failed(x->err, -ETIMEDOUT, "%s: no answer from the kernel",
					       x->what);
		if (n < 0 && errno != EINTR)
			return ddp_link_failed(x->err, -errno, "%s: poll: %s", x->what,
					       strerror(errno));
		r = receive_one(l, p.fd, x);
		if (r == -EAGAIN)
			r = 0;
	}
	if (!r && x->on_answer && !x->answered && !x->dump)
		return ddp_link_failed(x->err, -EBADMSG, "%s: the module answered nothing",
				       x->what);
	return r ? r : x->failed;
}

struct nl_msg *ddp_link_request(struct ddp_link *l, uint8_t cmd, int flags, size_t bytes)
{
	struct nl_msg *m = nlmsg_alloc_size(REQUEST_BYTES + bytes);

	if (m && genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, l->family, 0,
			     NLM_F_REQUEST | NLM_F_ACK | flags, cmd, DDPROF_GENL_VERSION))
		return m;
	nlmsg_free(m);
	return NULL;
}

int ddp_link_ask(struct ddp_link *l, struct nl_sock *sock, struct nl_msg *m,
		 struct ddp_link_exchange *x)
{
	int r;

	if (!m)
		return ddp_link_failed(x->err, -ENOMEM, "%s: out of memory", x->what);
	nl_complete_msg(sock, m);
	x->seq = nlmsg_hdr(m)->nlmsg_seq;
	r = nl_send(sock, m);
	nlmsg_free(m);
	if (r < 0)
		return ddp_link_failed(x->err, errno_of(r), "%s: cannot send: %s", x->what,
				       nl_geterror(r));
	return wait_answer(l, sock, x);
}

int ddp_link_fd(const struct ddp_link *l)
{
	return l->records ? nl_socket_get_fd(l->records) : -1;
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
		return ddp_link_failed(err, -ENOMEM, "out of memory");
	r = nl_connect(s, NETLINK_GENERIC);
	if (r < 0) {
		nl_socket_free(s);
		return ddp_link_failed(err, errno_of(r), "cannot open a netlink socket: %s",
				       nl_geterror(r));
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
		return ddp_link_failed(err, r, "the kernel module is loaded, but not in reach: run "
				       "ddprof in the host's network namespace");
	if (r == -ENOENT)
		return ddp_link_failed(err, r,
				       "the kernel module is not loaded: modprobe ddprof_kmod");
	return ddp_link_failed(err, r, "cannot look up the netlink family " DDPROF_GENL_NAME ": %s",
			       strerror(-r));
}

int ddp_link_open_records(struct ddp_link *l, struct ddp_error *err)
{
	int r = l->records ? 0 : open_socket(&l->records, err);

	if (!r)
		enlarge(nl_socket_get_fd(l->records));
	return r;
}

int ddp_link_open(struct ddp_link **ret, struct ddp_error *err)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return ddp_link_failed(err, -ENOMEM, "out of memory");
	l->held_end = &l->held;
	r = open_socket(&l->requests, err);
	r = r ?: resolve(l, err);
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
	ddp_link_release(l, false);
	free(l);
}
