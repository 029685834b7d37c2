/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index over somebody else's array: open addressing, linear probing, 8 bytes a slot holding the
 * element's hash and its position. The elements stay where they are; the caller compares them.
 * Used by the profile builder for everything that it interns.
 */
#ifndef DDPROF_LIB_TABLE_H
#define DDPROF_LIB_TABLE_H

#include <stdbool.h>

#include "alloc.h"

enum { TABLE_NONE = -1 };

struct table_slot {
	uint32_t hash;
	uint32_t position1;	/* position + 1; 0: free */
};

struct table {
	struct table_slot *slots;
	uint32_t nr_slots;	/* power of two, or 0 */
	uint32_t used;
};

/* Is element @position of ctx's array the one that is looked for? */
typedef bool (*table_equal_fn)(const void *ctx, uint32_t position);

/* The element's position, or TABLE_NONE. Inline, so that @equal is too. */
static inline int64_t table_find(const struct table *t, uint32_t hash, table_equal_fn equal,
				 const void *ctx)
{
	uint32_t mask = t->nr_slots - 1;
	uint32_t i;

	if (!t->nr_slots)
		return TABLE_NONE;
	for (i = hash & mask; t->slots[i].position1; i = (i + 1) & mask)
		if (t->slots[i].hash == hash && equal(ctx, t->slots[i].position1 - 1))
			return t->slots[i].position1 - 1;
	return TABLE_NONE;
}

/* Its slot is asked for soon: the time until then hides the memory's. */
static inline void table_prefetch(const struct table *t, uint32_t hash)
{
	if (t->nr_slots)
		__builtin_prefetch(&t->slots[hash & (t->nr_slots - 1)]);
}

/* Room for @extra more, or one: 0, -ENOMEM, -ENOSPC, -E2BIG; nothing changed on error. */
DDP_INTERNAL int ddp__table_reserve_many(struct table *t, struct ddp__budget *b, uint32_t extra);

static inline int ddp__table_reserve(struct table *t, struct ddp__budget *b)
{
	return ddp__table_reserve_many(t, b, 1);
}

/* Adds an element that is not in it; there is room. */
DDP_INTERNAL void ddp__table_insert(struct table *t, uint32_t hash, uint32_t position);

/* Takes out an element that is in it. */
DDP_INTERNAL void ddp__table_remove(struct table *t, uint32_t hash, uint32_t position);

/* Forgets all elements, keeps the memory. */
DDP_INTERNAL void ddp__table_clear(struct table *t);

#endif /* DDPROF_LIB_TABLE_H */
