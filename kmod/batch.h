/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records on their way into RECORDS messages: one stream's bytes are gathered up to one message,
 * then sent to the owner. A full receive buffer is waited for, so nothing that entered a batch is
 * lost while the owner lives. Drain thread only.
 */
#ifndef DDP_BATCH_H
#define DDP_BATCH_H

#include <linux/types.h>

struct ddp_cpu;
struct ddp_session;

struct ddp_batch {
	struct ddp_session *session;
	u8 *data;
	u32 len, size;		/* bytes */
	struct ddp_cpu *cpu;	/* whose stream; NULL: the drain thread's */
	u64 seq;		/* messages sent in this session */
	bool resync;		/* the drain thread's stream: the next message says so */
	bool end;		/* the next message is the session's last */
	u32 waited_ms;		/* for the owner to read */
	bool dead;		/* the owner is gone: everything is thrown away */
};

int ddp_batch_init(struct ddp_batch *b, struct ddp_session *session);
void ddp_batch_deinit(struct ddp_batch *b);

/* The stream of what follows; sends what another stream has gathered. */
void ddp_batch_select(struct ddp_batch *b, struct ddp_cpu *cpu);
/*
 * Room for one record of at most @len bytes, sending first if need be; fill it, then advance by its
 * size.
 */
u8 *ddp_batch_room(struct ddp_batch *b, u32 len);
void ddp_batch_advance(struct ddp_batch *b, u32 len);
/* Send what there is; with @always also when there is nothing. */
void ddp_batch_send(struct ddp_batch *b, bool always);

#endif /* DDP_BATCH_H */
