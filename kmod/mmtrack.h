/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address spaces. At the first sample in an unknown one the interrupt gives it a number, pins it
 * and queues it; the drain thread lists its executable mappings once (ASPACE, MAP, FILE records)
 * and lets go of the pin within milliseconds. So a process that is gone a moment later still has
 * names.
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
struct ddp_files;
struct ddp_mmtrack;

struct ddp_mmtrack *ddp_mmtrack_create(struct ddp_files *files);
/* No sampler runs any more. Lets go of every pin. */
void ddp_mmtrack_destroy(struct ddp_mmtrack *t);

/*
 * The number of current->mm, which is not NULL; 0 when the table is full. @layout: a value that
 * changes when its executable mappings do. Interrupt or NMI context.
 */
u64 ddp_mmtrack_current(struct ddp_cpu *c, u64 *layout);

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
