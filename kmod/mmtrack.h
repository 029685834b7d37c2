/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces. At the first sample in an unknown one the interrupt gives it a number, pins it
 * and queues it; the drain thread lists its executable mappings once (ASPACE, MAP, FILE records)
 * and lets go of the pin within milliseconds. So a process that is gone a moment later still has
 * names. The same list, sorted and with each file's unwind table, is kept for walks: an immutable
 * array, published under RCU, replaced when the mappings change.
 *
 * Identity: a tracked mm_struct is kept from being freed (mm_count), so its address cannot be
 * reused while we know it, and a number is never used twice in a session. When its last user is
 * gone the drain thread says so (DDPROF_ASPACE_GONE) and forgets it.
 */
#ifndef DDP_MMTRACK_H
#define DDP_MMTRACK_H

#include <linux/types.h>

#include "compat.h"

struct ddp_batch;
struct ddp_cpu;
struct ddp_mm_slot;
struct ddp_mmtrack;
struct ddp_session;
struct ddp_unwind_ranges;

/* The session's files and, if it has them, tables are there. */
struct ddp_mmtrack *ddp_mmtrack_create(struct ddp_session *s);
/* No sampler runs any more. Lets go of every pin. */
void ddp_mmtrack_destroy(struct ddp_mmtrack *t);

/* What a sample knows of its address space. */
struct ddp_mm_ref {
	struct ddp_mm_slot *slot;	/* NULL: the table is full */
	u64 aspace;			/* its number; 0: the table is full */
	u64 layout;			/* changes when its executable mappings do */
	/* for walks; NULL: not listed yet, or the session has no tables */
	const struct ddp_unwind_ranges *ranges;
};

/*
 * Of current->mm, which is not NULL. Interrupt or NMI context, in an RCU read-side section, which
 * is how long ret->ranges lasts.
 */
void ddp_mmtrack_current(struct ddp_cpu *c, struct ddp_mm_ref *ret);
/*
 * The same context: an address that should be code is in no range. Have the mappings listed again,
 * unless that was done a moment ago, or lately to no avail. Whether a list is on its way.
 */
bool ddp_mmtrack_miss(struct ddp_cpu *c, const struct ddp_mm_ref *ref);

/*
 * Interrupt or NMI context: whether one more sample of this address space may be put aside; if so,
 * the drain thread says when it was written. A pool for all must not be filled by one.
 */
bool ddp_mmtrack_defer(const struct ddp_mm_ref *ref);
void ddp_mmtrack_undefer(const struct ddp_mm_ref *ref);
/* Drain thread, for a sample that is put aside: its address space will be buried next. */
bool ddp_mmtrack_is_dead(const struct ddp_mm_ref *ref);

/* Memory of the lists for walks. */
u64 ddp_mmtrack_ranges_bytes(const struct ddp_mmtrack *t);

/*
 * Drain thread: the ranges of an address space that a sample referred to, NULL when there are none
 * (any more), valid until the thread's next call here; *@made_ns is when they were read, session
 * time.
 */
const struct ddp_unwind_ranges *ddp_mmtrack_ranges(const struct ddp_mm_ref *ref, u64 *made_ns);

/*
 * Drain thread. List what is queued; true when some could not be had yet (try again in a
 * millisecond).
 */
bool ddp_mmtrack_walk(struct ddp_mmtrack *t, struct ddp_batch *batch);
/*
 * Address spaces without users leave in two steps: mark them, then, after everything sampled so far
 * was sent, say they are gone.
 */
void ddp_mmtrack_mark_dead(struct ddp_mmtrack *t);
void ddp_mmtrack_bury(struct ddp_mmtrack *t, struct ddp_batch *batch);
/*
 * Drain thread: let go of what is queued without listing it, because nobody reads. The next sample
 * in each asks anew.
 */
void ddp_mmtrack_unpin(struct ddp_mmtrack *t);
/* Drain thread, for a resync: list every address space again at its next sample. */
void ddp_mmtrack_forget(struct ddp_mmtrack *t);

#endif /* DDP_MMTRACK_H */
