/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from 64-bit keys to 64-bit values: ids, addresses and pids to whatever their owner
 * keeps. Open addressing, 16 bytes a slot, at most 3/4 full, no tombstones. Keys come from programs
 * that are profiled, so the hash is seeded per table. All zero is an empty table.
 */
#ifndef DDP_BASE_TABLE_H
#define DDP_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

struct ddp_slot {
	uint64_t key;		/* 0: free */
	uint64_t value;
};

struct ddp_table {
	struct ddp_slot *slots;	/* owned; NULL while empty */
	size_t nr;		/* keys in it */
	size_t capacity;	/* power of two, or 0 */
	uint64_t seed;
};

/** The value of @key, to read or change until the next insertion or removal; NULL: not there. */
uint64_t *ddp_table_find(const struct ddp_table *t, uint64_t key);

/** Sets @key, which is not 0, to @value. @return 0; -ENOMEM, table unchanged */
int ddp_table_set(struct ddp_table *t, uint64_t key, uint64_t value);

/** @return whether it was there; @ret (may be NULL) receives its value */
bool ddp_table_remove(struct ddp_table *t, uint64_t key, uint64_t *ret);

/**
 * Removes the keys for whose value @gone answers true, which has then freed it. Without memory for
 * it nothing is asked and nothing removed.
 */
void ddp_table_prune(struct ddp_table *t, bool (*gone)(void *ctx, void *value), void *ctx);

/** Forgets all keys; keeps the memory. */
void ddp_table_clear(struct ddp_table *t);

/** Frees the memory; the table is empty again. */
void ddp_table_free(struct ddp_table *t);
DEFINE_CLEANUP_IN_PLACE(struct ddp_table, ddp_table_free)

/* for (struct ddp_slot *s = ...): in no particular order; the table must not change meanwhile */
#define ddp_table_for_each(t, s)						\
	for (struct ddp_slot *s = (t)->slots; s && s < (t)->slots + (t)->capacity; s++) \
		if (s->key)

/** A pointer kept as a value, and back. */
static inline uint64_t ddp_table_value(void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline void *ddp_table_pointer(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

#endif /* DDP_BASE_TABLE_H */
