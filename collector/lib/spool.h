/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches on disk, oldest first: a folder with one small file a batch, named by a number that only
 * grows, and a lock. A file is there as a whole or not at all, and is believed when its checksum is
 * right. Who uses it decides what goes for what; here nothing is dropped. One thread's. Used by
 * sender_target.
 */
#ifndef DDPROF_LIB_SPOOL_H
#define DDPROF_LIB_SPOOL_H

#include <stdbool.h>

#include "sender_batch.h"
#include "sender_system.h"

struct ddp__spool;

/*
 * Takes the lock, removes what was left unfinished, and finds what is there. 0; -EBUSY: somebody
 * else has it; what ddp__folder_open() answers; -ENOMEM; see @err. @sys is borrowed for its life.
 */
DDP_INTERNAL int ddp__spool_open(const struct ddp__system *sys, const char *path,
				 uint64_t max_bytes, struct ddp__spool **ret,
				 struct ddp_error *err);
/* The files stay. NULL is allowed. */
DDP_INTERNAL void ddp__spool_close(struct ddp__spool *s);

DDP_INTERNAL uint64_t ddp__spool_nr(const struct ddp__spool *s);
DDP_INTERNAL uint64_t ddp__spool_bytes(const struct ddp__spool *s);	/* blocks of 4 KiB */

DDP_INTERNAL void ddp__spool_set_limit(struct ddp__spool *s, uint64_t max_bytes);

/* Whether @b fits into an empty one, and beside what is there. */
DDP_INTERNAL bool ddp__spool_could_hold(const struct ddp__spool *s, const struct ddp__batch *b);
DDP_INTERNAL bool ddp__spool_has_room(const struct ddp__spool *s, const struct ddp__batch *b);

/* Durable when it returned 0; else a negative errno, and the spool is as before. */
DDP_INTERNAL int ddp__spool_put(struct ddp__spool *s, const struct ddp__batch *b);

/*
 * Reads the oldest, of which there must be one. 0: the caller's reference, whose checksum is still
 * to be looked at; -EBADMSG: it cannot be read, ever, @err says why; another error: not now
 */
DDP_INTERNAL int ddp__spool_oldest(struct ddp__spool *s, struct ddp__batch **ret,
				   struct ddp_error *err);

/* Forgets the oldest, of which there must be one, and removes its file. */
DDP_INTERNAL void ddp__spool_remove_oldest(struct ddp__spool *s);

#endif /* DDPROF_LIB_SPOOL_H */
