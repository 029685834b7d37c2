/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One target of a sender: its queue, its spool, and when what is tried again. Everything but the
 * thread: a step does what is to be done now and says when it wants to be called next, so that a
 * test with a clock of its own walks through hours of outage. Used by sender.
 */
#ifndef DDPROF_LIB_SENDER_TARGET_H
#define DDPROF_LIB_SENDER_TARGET_H

#include "ddprof/sender.h"
#include "sender_batch.h"
#include "sender_system.h"

struct ddp__target;

/* Whom it tells what happens. */
struct ddp__listener {
	ddp_sender_event_fn on_event;	/* NULL: nobody */
	void *ctx;
};

/* As ddp_sender_create() of one target. @sys is borrowed for its life. */
DDP_INTERNAL int ddp__target_create(const struct ddp__system *sys,
				    const struct ddp_sender_target *config,
				    const struct ddp__listener *listener,
				    struct ddp__target **ret, struct ddp_error *err);
/* NULL is allowed. */
DDP_INTERNAL void ddp__target_destroy(struct ddp__target *t);

/* Any thread: one more batch, of which it takes a reference. */
DDP_INTERNAL void ddp__target_add(struct ddp__target *t, struct ddp__batch *b);

enum { TARGET_ENDED = -1 };

/*
 * The target's thread: stores what is new, and tries to send one batch if it is time. The monotonic
 * time of the next call, INT64_MAX when only something new can be a reason, or TARGET_ENDED.
 */
DDP_INTERNAL int64_t ddp__target_step(struct ddp__target *t);
/* The target's thread: until @until_ns, or something is new. */
DDP_INTERNAL void ddp__target_wait(struct ddp__target *t, int64_t until_ns);

/* Any thread: tries what waits once more, then ends. */
DDP_INTERNAL void ddp__target_end(struct ddp__target *t);
/* Any thread, behind ddp__target_end(): a send that runs is given up. */
DDP_INTERNAL void ddp__target_cancel(struct ddp__target *t);

/* Any thread: ends without another attempt, for ddp__target_take_over(). */
DDP_INTERNAL void ddp__target_hand_over(struct ddp__target *t);
/*
 * Before @t's first step and behind the last one of @old, which has the same name: what waits, the
 * spool if both have the same folder, and the counts.
 */
DDP_INTERNAL void ddp__target_take_over(struct ddp__target *t, struct ddp__target *old);

/* Any thread. The name is the target's. */
DDP_INTERNAL const char *ddp__target_name(const struct ddp__target *t);
DDP_INTERNAL void ddp__target_count(struct ddp__target *t, struct ddp_sender_stats *ret);

#endif /* DDPROF_LIB_SENDER_TARGET_H */
