/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index over somebody else's array: open addressing, linear probing, 4 bytes a slot holding the
 * element's position and three bits of its hash, which save most comparisons with others. The
 * elements stay where they are; the caller compares them, and tells their hashes again when a
 * table grows. Used by the profile builder for everything that it interns.
 */
#ifndef DDPROF_LIB_TABLE_H
#define DDPROF_LIB_TABLE_H

#include <stdbool.h>

#include "alloc.h"

enum { TABLE_NONE = -1 };

enum {
	TABLE_TAG = 7u << 29,		/* of a slot: these bits of the hash; below: position + 1 */
	TABLE_MAX = ~TABLE_TAG - 1,	/* the highest position */
};

struct table {
	uint32_t *slots;	/* 0: free */
	uint32_t nr_slots;	/* power of two, or 0 */
	uint32_t used;
};

/* Is element @position of ctx's array the one that is looked for? And what is its hash? */
typedef bool (*table_equal_fn)(const void *ctx, uint32_t position);
typedef uint32_t (*table_hash_fn)(const void *ctx, uint32_t position);

static inline uint32_t table_position(uint32_t slot)
{
	return (slot & ~TABLE_TAG) - 1;
}

/* The element's position, or TABLE_NONE. Inline, so that @equal is too. */
static inline int64_t table_find(const struct table *t, uint32_t hash, table_equal_fn equal,
				 const void *ctx)
{
	uint32_t mask = t->nr_slots - 1;
	uint32_t i, slot;

	if (!t->nr_slots)
		return TABLE_NONE;
	for (i = hash & mask; (slot = t->slots[i]); i = (i + 1) & mask)
		if (!((slot ^ hash) & TABLE_TAG) && equal(ctx, table_position(slot)))
			return table_position(slot);
	return TABLE_NONE;
}

/* Its slot is asked for soon: the time until then hides the memory's. */
static inline void table_prefetch(const struct table *t, uint32_t hash)
{
	if (t->nr_slots)
		__builtin_prefetch(&t->slots[hash & (t->nr_slots - 1)]);
}

/*
 * Room for @extra more, or one: 0, -ENOMEM, -ENOSPC, -E2BIG; nothing changed on error. @hash_of and
 * @ctx tell of each element what it was put in with.
 */
DDP_INTERNAL int ddp__table_reserve_many(struct table *t, struct ddp__budget *b, uint32_t extra,
					 table_hash_fn hash_of, const void *ctx);

static inline int ddp__table_reserve(struct table *t, struct ddp__budget *b, table_hash_fn hash_of,
				     const void *ctx)
{
	return ddp__table_reserve_many(t, b, 1, hash_of, ctx);
}

/* Adds an element that is not in it, of TABLE_MAX at most; there is room. */
DDP_INTERNAL void ddp__table_insert(struct table *t, uint32_t hash, uint32_t position);

/* Takes out an element that is in it, and in @ctx's array. */
DDP_INTERNAL void ddp__table_remove(struct table *t, uint32_t position, table_hash_fn hash_of,
				    const void *ctx);

/* At its owner's end: nothing of it may be used any more. */
DDP_INTERNAL void ddp__table_free(struct table *t);

/* Forgets all elements and gives the memory back. */
DDP_INTERNAL void ddp__table_drop(struct table *t, struct ddp__budget *b);

/* Forgets all elements, keeps the memory. */
DDP_INTERNAL void ddp__table_clear(struct table *t);

#endif /* DDPROF_LIB_TABLE_H */
