/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of link share: a link's sockets, one request and its answer, and the reading of
 * attributes. Included by link*.c only.
 */
#ifndef DDP_LINK_LINK_INTERNAL_H
#define DDP_LINK_LINK_INTERNAL_H

#include <linux/netlink.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "link/link.h"

enum {
	/* the module's messages are 16 KiB, a dump's 32 KiB at most */
	DDP_LINK_RECEIVE_BYTES = 64 * 1024,
};

/* A batch that came before START's answer, without which it cannot be understood */
struct ddp_link_held;

struct ddp_link {
	struct nl_sock *requests;
	struct nl_sock *records;	/* NULL before START */
	int family;
	ddp_link_batch_fn on_batch;
	void *ctx;
	bool holding;			/* START is not answered: batches wait in held */
	struct ddp_link_held *held, **held_end;	/* owned, in order */
	/* one a socket: a batch may make its receiver ask for a file */
	struct ddp_link_buffer {
		unsigned char bytes[DDP_LINK_RECEIVE_BYTES];
	} __attribute__((aligned(NLMSG_ALIGNTO))) records_buffer, requests_buffer;
};

/* What a request is waiting for */
struct ddp_link_exchange {
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

/* Writes the text, unless @err is NULL. @return @r */
int ddp_link_failed(struct ddp_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Opens the socket that owns a session, once. */
int ddp_link_open_records(struct ddp_link *l, struct ddp_error *err);

/* To the receiver, or only freed */
int ddp_link_release(struct ddp_link *l, bool tell);

/* Room for @bytes of attributes. NULL: no memory; ddp_link_ask() then says so. */
struct nl_msg *ddp_link_request(struct ddp_link *l, uint8_t cmd, int flags, size_t bytes);

/* Sends @m, which may be NULL for lack of memory and is freed, and waits for all of the answer */
int ddp_link_ask(struct ddp_link *l, struct nl_sock *sock, struct nl_msg *m,
		 struct ddp_link_exchange *x);

/* Attributes: present with the right length, or -EBADMSG */
int ddp_link_u32(struct nlattr *a, uint32_t *ret);
int ddp_link_u64(struct nlattr *a, uint64_t *ret);
int ddp_link_text(struct nlattr *a, char *ret, size_t size);

/* The newest wins; attributes past the known ones are from a newer module. 0, -EBADMSG */
int ddp_link_parse(struct nlattr **tb, int max, struct nlattr *attrs, int len);

#endif /* DDP_LINK_LINK_INTERNAL_H */
