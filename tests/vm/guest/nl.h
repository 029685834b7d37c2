/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw netlink client for the guest's test programs: no library, so that it can say anything,
 * also what is wrong. Requests are built byte by byte, answers come with errno and extended-ack
 * text. RECORDS that arrive while an answer is awaited are handed to the callback. Threads may work
 * at once, each with a socket of its own.
 */
#ifndef GUEST_NL_H
#define GUEST_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "uapi/ddprof.h"

enum { NL_MESSAGE_MAX = 65536 };

/* A generic netlink message as received: attributes only. */
struct nl_answer {
	uint8_t cmd;
	size_t len;			/* bytes of attributes */
	uint8_t attrs[NL_MESSAGE_MAX];
};

struct nl {
	int fd;
	uint32_t port;			/* our address */
	uint32_t seq;
	uint16_t family;		/* 0: not there */
	bool by_write;			/* send without an address */
	char text[256];			/* extended-ack message of the last answer, or "" */
	/* a RECORDS message; attributes are borrowed. NULL: thrown away */
	void (*records)(void *ctx, const uint8_t *attrs, size_t len);
	void *ctx;
};

struct nl_message {
	size_t len;
	uint8_t bytes[NL_MESSAGE_MAX] __attribute__((aligned(8)));
};

/* Open a socket and look the family up (nl->family 0 when there is none). 0 or -errno. */
int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

/* Begin a request of the family. */
void nl_begin(struct nl *nl, struct nl_message *m, uint8_t cmd, uint16_t flags);
void nl_put(struct nl_message *m, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_message *m, uint16_t type, uint32_t value);
void nl_put_u64(struct nl_message *m, uint16_t type, uint64_t value);
/* Begin a nest with that type (flag included by the caller); give the result to nl_nest_end. */
size_t nl_nest(struct nl_message *m, uint16_t type);
void nl_nest_end(struct nl_message *m, size_t nest);

/*
 * Send and wait for the acknowledgement: 0 or -errno of it. @answer may be NULL; cmd 0: none
 * came.
 */
int nl_call(struct nl *nl, struct nl_message *m, struct nl_answer *answer);
/* The same without sending: more bytes than one message, or several, were sent by hand. */
int nl_await(struct nl *nl, uint32_t seq, struct nl_answer *answer);
/* A dump: @each gets every message. 0 or -errno. */
int nl_dump(struct nl *nl, struct nl_message *m, void (*each)(void *ctx, const struct nl_answer *a),
	    void *ctx);
/*
 * Take what is there now, waiting up to @timeout_ms for something. Number of messages, or -errno.
 */
int nl_receive(struct nl *nl, int timeout_ms);

/* The attribute @type in @len bytes of attributes, or NULL; *ret_len its payload's size. */
const void *nl_attr(const uint8_t *attrs, size_t len, uint16_t type, size_t *ret_len);
/* Its value, or @none when it is not there or of another size. */
uint64_t nl_attr_num(const uint8_t *attrs, size_t len, uint16_t type, uint64_t none);

/* -- the commands -- */

/* One of a perf counter's. */
struct nl_event {
	uint32_t type;		/* perf_event_attr's */
	uint64_t config;
	uint64_t period;	/* 0: by hz */
	uint32_t hz;
	uint32_t missing;	/* enum ddprof_missing; 0: not said */
};

struct nl_start {
	uint32_t hz;		/* 0: 99 */
	uint32_t sampler;	/* 0: hrtimer */
	uint32_t flags;		/* 0: KERNEL | USER */
	uint32_t budget;	/* permille, 0: 1000, so that nothing is skipped */
	uint32_t flush_ms;	/* 0: 100 */
	uint32_t ring_kib;	/* 0: default */
	uint32_t tgid;		/* 0: whole machine */
	bool trees;		/* its descendants too */
	uint32_t tables_kib;	/* 0: default */
	bool no_tables;		/* TABLES_KIB 0 */
	const struct nl_event *events;	/* beside that of hz and sampler */
	int nr_events;
	const uint64_t *min_ns;	/* EVENT_MIN_NS; NULL: default */
	/* attributes that follow; may be NULL */
	void (*more)(void *ctx, struct nl_message *m);
	void *ctx;
};

/*
 * -errno, or 0 with the answer in @answer (may be NULL). A session whose socket was closed a moment ago
 * may still be ending: EBUSY is an answer only when it stays for a second.
 */
int nl_start(struct nl *nl, const struct nl_start *how, struct nl_answer *answer);
/* A command without attributes: STOP, RESYNC, GET_INFO. */
int nl_simple(struct nl *nl, uint8_t cmd, struct nl_answer *answer);

/* GET_STATS, all CPUs added up. */
struct nl_stats {
	uint32_t cpus;
	uint64_t n[DDPROF_A_STATS_MAX + 1];	/* by attribute; binary ones stay 0 */
	uint64_t cpu_samples[64];		/* SAMPLES of each CPU */
	uint32_t cpu_online[64];
};
int nl_stats(struct nl *nl, struct nl_stats *ret);

#endif /* GUEST_NL_H */
