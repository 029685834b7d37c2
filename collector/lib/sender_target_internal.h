/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a target share. The lock covers the queue and the counters and is never held
 * over a send, a disk or the listener; everything else is the target's thread's. A batch is in one
 * of three places: the queue, this thread's hands, or the spool; with a spool that works the queue
 * is only the way there.
 *
 *	sender_target.c		steps: what is done when
 *	sender_target_queue.c	the queue, what is counted and told of each batch
 *	sender_target_spool.c	into the spool, and when it does not take anything
 *	sender_target_send.c	to the receiver, and what its answer means
 *	sender_target_create.c	the beginning, the end, and one taking over from another
 */
#ifndef DDPROF_LIB_SENDER_TARGET_INTERNAL_H
#define DDPROF_LIB_SENDER_TARGET_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "sender_directory.h"
#include "sender_target.h"
#include "spool.h"

#define NS_PER_MS 1000000LL

/* How bytes get out: one of the three kinds of target */
struct transport {
	int (*send)(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret);
	void (*cancel)(void *ctx);	/* NULL: it never takes long */
	void *ctx;
	struct ddp_exporter *exporter;	/* owned; NULL: another kind */
	struct ddp__directory *directory;	/* owned; NULL: another kind */
};

struct ddp__target {
	const struct ddp__system *sys;
	struct ddp__listener listener;
	char *name;
	uint64_t queue_bytes_max, retry_first_ms, retry_last_ms;
	uint32_t queue_max;
	struct transport transport;
	char *spool_path;		/* NULL: none */
	uint64_t spool_bytes;
	struct ddp__spool *spool;	/* NULL: none, or somebody else has it; the thread's */

	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	struct ddp__batch **queue;	/* owned; oldest first; room for one more than queue_max */
	uint32_t nr;
	uint64_t queue_bytes;		/* of those in the queue */
	bool news, ending, handing_over;
	struct ddp_sender_stats stats;
	uint64_t told[DDP_SENDER_DROPPED];	/* events of each kind that stats do not count */
	int64_t send_at_ns;		/* written by the thread */

	/* the thread's own */
	int64_t store_at_ns;
	int64_t created_ns;
	uint32_t failed;		/* attempts in a row */
	uint32_t failed_at_end;		/* attempts at all, since it is to end */
	bool last_try, gave_up;
};

/* In this thread's hands counts as in the queue */
enum place { IN_QUEUE, IN_SPOOL };

static inline int64_t target_now_ns(const struct ddp__target *t)
{
	return t->sys->monotonic_ns(t->sys->ctx);
}

/* Never with the lock held. The name is put in, and id and size of @b, if it is not NULL. */
DDP_INTERNAL void ddp__target_tell(struct ddp__target *t, struct ddp_sender_event e,
				   const struct ddp__batch *b);
/* Of DOWN, UP, SPOOL_DOWN, SPOOL_UP. */
DDP_INTERNAL void ddp__target_tell_state(struct ddp__target *t, enum ddp_sender_event_kind kind,
					 const char *message);
DDP_INTERNAL void ddp__target_note_error(struct ddp__target *t, const char *message);

/* One batch of @bytes less in @from, one more in @total: what that is now. */
DDP_INTERNAL uint64_t ddp__target_count_out(struct ddp__target *t, enum place from, size_t bytes,
					    uint64_t *total);
/* One batch from the queue to the spool: how many that were. */
DDP_INTERNAL uint64_t ddp__target_count_stored(struct ddp__target *t, size_t bytes);
DDP_INTERNAL void ddp__target_count_files(struct ddp__target *t);

/* The oldest, counted as in the queue until it is somewhere else; NULL: there is none. */
DDP_INTERNAL struct ddp__batch *ddp__target_pop(struct ddp__target *t);
/* Back to the front, unless newer ones took its place meanwhile. Takes the reference. */
DDP_INTERNAL void ddp__target_put_back(struct ddp__target *t, struct ddp__batch *b);
DDP_INTERNAL uint32_t ddp__target_nr_queued(struct ddp__target *t);

/* Gives up a batch of this thread's hands, or the spool's oldest; @b NULL: its id is not known. */
DDP_INTERNAL void ddp__target_drop(struct ddp__target *t, enum place from,
				   const struct ddp__batch *b, enum ddp_sender_drop reason,
				   const char *message);

DDP_INTERNAL int ddp__target_open_spool(struct ddp__target *t, struct ddp_error *err);
/* What has come since into the spool, where there is one and it takes it. */
DDP_INTERNAL void ddp__target_store_news(struct ddp__target *t);

/* Whether there is a batch to be sent, and one attempt with the oldest. */
DDP_INTERNAL bool ddp__target_has_work(struct ddp__target *t);
DDP_INTERNAL void ddp__target_send_oldest(struct ddp__target *t);

#endif /* DDPROF_LIB_SENDER_TARGET_INTERNAL_H */
