/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of threads in one stream of records, by tid. Bounded without being told who is gone:
 * two generations of at most DDP_NAMES_MAX threads; when the young one is full the old one goes,
 * and a thread that is asked for moves back among the young. Used by decode.
 */
#ifndef DDP_CORE_NAMES_H
#define DDP_CORE_NAMES_H

#include "link/decode.h"
#include "base/table.h"

enum { DDP_NAMES_MAX = 16384 };	/* threads a generation: 0.9 MB a busy stream at most */

struct ddp_names_set {
	struct ddp_names *names;	/* owned */
	size_t nr, capacity;
	struct ddp_table by_tid;	/* tid + 1 -> index into names */
};

struct ddp_names_cache {
	struct ddp_names_set young, old;	/* all zero: empty */
};

/** @return 0; -ENOMEM: what was known of the thread is unchanged */
int ddp_names_set(struct ddp_names_cache *c, uint32_t tid, const struct ddp_names *names);

/** All "" for a thread that is not known. */
void ddp_names_get(struct ddp_names_cache *c, uint32_t tid, struct ddp_names *ret);

void ddp_names_free(struct ddp_names_cache *c);

#endif /* DDP_CORE_NAMES_H */
