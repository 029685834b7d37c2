// SPDX-License-Identifier: Apache-2.0
/*
 * Random bytes to every command: pure noise, and good messages with some bits, lengths or
 * attributes changed. usage: nl_fuzz SEED MESSAGES. Most of them are sent while a session runs,
 * which must not notice; the rest while there is none, so that a changed START that happens to be
 * good begins one. Whatever happened, a normal session must work afterwards. Run in the guest by
 * test_netlink.sh.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"
#include "table.h"
#include "tap.h"

enum {
	NO_PROCESS = 4194303,
	IDLE_SHARE = 20,	/* one message in so many goes out while no session runs */
};

static uint64_t random_state;

/* xorshift64*: the seed alone says what is sent. */
static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 2685821657736338717ULL >> 16) % below;
}

/* -- messages -- */

static void noise(struct nl_message *m, size_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		m->bytes[at + i] = rnd(256);
	m->len = at + len;
}

static void random_attrs(struct nl_message *m)
{
	uint8_t data[64];
	size_t i, n = rnd(8), len;

	while (n--) {
		len = rnd(sizeof(data));
		for (i = 0; i < len; i++)
			data[i] = rnd(4) ? 0 : rnd(256);
		nl_put(m, rnd(4) ? rnd(DDPROF_A_START_MAX + 2) : rnd(65536), data,
		       rnd(3) ? (size_t)4 << rnd(2) : len);
	}
}

static void good_start(struct nl_message *m)
{
	size_t nest = nl_nest(m, DDPROF_A_START_EVENT | NLA_F_NESTED);

	nl_put_u32(m, DDPROF_A_EVENT_SAMPLER, 1 + rnd(2));
	nl_put_u32(m, DDPROF_A_EVENT_FREQUENCY_HZ, 1 + rnd(100));
	nl_nest_end(m, nest);
	nl_put_u32(m, DDPROF_A_START_SCOPE, 2 + rnd(2));
	nl_put_u32(m, DDPROF_A_START_TGID, rnd(2) ? NO_PROCESS : 1);
	nl_put_u32(m, DDPROF_A_START_DEPTH, 1 + rnd(DDPROF_MAX_DEPTH));
	nl_put_u32(m, DDPROF_A_START_RING_KIB, 64 + rnd(64));
	nl_put_u32(m, DDPROF_A_START_FLAGS, rnd(8));
}

/* A TABLE_* command about a file that may be there; now and then an image that may be right. */
static void good_table(struct nl_message *m, uint8_t *cmd)
{
	struct table_image image = rnd(2) ? table_image_empty() :
					    table_image_synthetic(1 + rnd(50), 1 + rnd(1000));

	*cmd = DDPROF_CMD_TABLE_BEGIN + rnd(DDPROF_CMD_TABLE_DROP - DDPROF_CMD_TABLE_BEGIN + 1);
	if (*cmd == DDPROF_CMD_TABLE_BEGIN && rnd(2))
		nl_put_u32(m, DDPROF_A_TABLE_FILE_FD, rnd(20));
	else
		nl_put_u64(m, DDPROF_A_TABLE_FILE_ID, rnd(30));
	if (*cmd == DDPROF_CMD_TABLE_BEGIN)
		nl_put_u32(m, DDPROF_A_TABLE_BYTES, rnd(4) ? image.nr : rnd(1 << 20));
	if (*cmd == DDPROF_CMD_TABLE_DATA) {
		nl_put_u32(m, DDPROF_A_TABLE_OFFSET, rnd(4) ? 0 : rnd(1 << 20));
		nl_put(m, DDPROF_A_TABLE_DATA, image.bytes, image.nr);
	}
	free(image.bytes);
}

/* Change a few bytes behind the netlink header, or cut the message short. */
static void damage(struct nl_message *m)
{
	size_t n = rnd(4), body = m->len - NLMSG_HDRLEN;

	while (n--)
		m->bytes[NLMSG_HDRLEN + rnd(body)] ^= 1 << rnd(8);
	if (!rnd(4))
		m->len -= rnd(body);
}

/* One message; its nlmsghdr is right but now and then in length, so that it gets past the core. */
static void fuzz(struct nl *nl, struct nl_message *m)
{
	static const uint16_t flags[] = { 0, 0, 0, NLM_F_DUMP, NLM_F_ECHO, NLM_F_ROOT };
	struct nlmsghdr *h = (struct nlmsghdr *)m->bytes;

	nl_begin(nl, m, 1 + rnd(DDPROF_CMD_MAX + 1), flags[rnd(6)]);
	switch (rnd(5)) {
	case 0:
		noise(m, NLMSG_HDRLEN, rnd(rnd(10) ? 200 : 5000));
		break;
	case 1:
		random_attrs(m);
		break;
	case 2:
		((struct genlmsghdr *)(h + 1))->cmd = DDPROF_CMD_START;
		good_start(m);
		damage(m);
		break;
	case 3:
		good_table(m, &((struct genlmsghdr *)(h + 1))->cmd);
		if (rnd(2))
			damage(m);
		break;
	default:
		nl_put_u64(m, DDPROF_A_FILE_ID, rnd(100));
		damage(m);
	}
	h->nlmsg_len = rnd(50) ? m->len : rnd(2 * m->len);
}

/* Sends; takes whatever answers come. True when a START was good. */
static bool fuzz_once(struct nl *nl, uint64_t answers[2])
{
	static struct nl_message m;
	static uint8_t answer[NL_MESSAGE_MAX] __attribute__((aligned(8)));
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsghdr *h;
	const struct genlmsghdr *g;
	bool started = false;
	ssize_t n;

	fuzz(nl, &m);
	if (sendto(nl->fd, m.bytes, m.len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return false;
	while ((n = recv(nl->fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
		for (h = (struct nlmsghdr *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			g = NLMSG_DATA(h);
			answers[h->nlmsg_type == NLMSG_ERROR && *(int *)NLMSG_DATA(h)]++;
			started |= h->nlmsg_type == nl->family && g->cmd == DDPROF_CMD_START;
		}
	}
	return started;
}

/* A good START on this socket: close it, which ends the session, and go on with a new one. */
static void reopen(struct nl *nl)
{
	nl_close(nl);
	if (nl_open(nl))
		tap_bail("no new socket");
}

static void fuzz_many(struct nl *nl, long n, uint64_t answers[2], uint64_t *started)
{
	while (n--) {
		if (!fuzz_once(nl, answers))
			continue;
		++*started;
		reopen(nl);
	}
}

/* -- the session beside it -- */

static void run(double seconds)
{
	volatile uint64_t work = 0;
	long i = seconds * 30000000;

	while (i--)
		work += i;
	(void)work;
}

/* The session has lost nothing that it has sampled. */
static void finish(struct nl *nl, struct stream *s, const char *name)
{
	struct nl_stats stats;

	session_finish(nl, s, &stats);
	session_accounts(name, s, &stats, SESSION_MAY_LOSE);
	session_leave(nl, s);
}

int main(int argc, char **argv)
{
	uint64_t answers[2] = {}, started = 0, idle_started = 0;
	static struct stream stream;
	const struct nl_start how = { .hz = 199 };
	struct nl fuzzer = {}, nl;
	long n;

	if (argc != 3)
		tap_bail("usage: nl_fuzz SEED MESSAGES");
	random_state = strtoull(argv[1], NULL, 0) | 1;
	n = atol(argv[2]);
	printf("# seed %s, %ld messages\n", argv[1], n);
	if (nl_open(&fuzzer) || !fuzzer.family)
		tap_bail("no family");
	session_begin(&nl, &stream, NULL, &how);
	fuzz_many(&fuzzer, n - n / IDLE_SHARE, answers, &started);
	finish(&nl, &stream, "random messages: the session beside them lost nothing");
	tap(!started, "random messages: none took the session over", "%llu did",
	    (unsigned long long)started);
	fuzz_many(&fuzzer, n / IDLE_SHARE, answers, &idle_started);
	printf("# answers: %llu good, %llu errors; %llu sessions begun by chance\n",
	       (unsigned long long)answers[0], (unsigned long long)answers[1],
	       (unsigned long long)idle_started);
	tap(answers[1] > (uint64_t)n / 2, "random messages: refused with an error",
	    "only %llu errors came", (unsigned long long)answers[1]);
	nl_close(&fuzzer);
	session_begin(&nl, &stream, NULL, &how);
	run(0.5);
	finish(&nl, &stream, "random messages: afterwards a session works");
	return tap_failures != 0;
}
