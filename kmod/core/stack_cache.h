/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The per-CPU stack cache: which stacks the collector already knows by id, and how often each was
 * hit since the counts were last taken. Direct-mapped, preallocated. Used by kmod/capture in
 * interrupt and NMI context of its CPU, and by the drain thread from any CPU.
 *
 * One 64-bit word a slot is the whole synchronisation: id << 32 | busy << 31 | count. It changes by
 * cmpxchg only, and an id is never used twice (until a resync), so a cmpxchg that succeeds proves
 * that the slot was not given to another stack since the word was read. The 128-bit key beside it
 * is written only by the holder of the busy bit. Contexts:
 *   producer, outer (interrupt) and nested (NMI on the same CPU, runs to its end inside the outer
 *   one) drain (other CPU, truly concurrent)
 * See docs/concurrency.md for the protocol and tests/unit/test_interleave.c for its check.
 */
#ifndef DDP_CORE_STACK_CACHE_H
#define DDP_CORE_STACK_CACHE_H

#include "port.h"
#include "hash.h"

enum {
	DDP_CACHE_ID_MAX = 0x7fffffff,	/* past this the owner resyncs */
	DDP_CACHE_COUNT_MAX = 0x7fffffff,
};

struct ddp_stack_cache {
	u64 *words;		/* nr_slots; the caller's, zero at the start */
	struct ddp_hash *keys;	/* nr_slots; the caller's */
	u32 nr_slots;		/* power of two */
	u32 next_id;		/* producers, local cmpxchg; starts at 1 */
};

void ddp_cache_init(struct ddp_stack_cache *c, u64 *words, struct ddp_hash *keys, u32 nr_slots);

/* What a look-up found. */
enum ddp_cache_result {
	DDP_CACHE_HIT,		/* known; counted if asked */
	DDP_CACHE_CLAIMED,	/* not known; the slot is the caller's until publish or restore */
	DDP_CACHE_BYPASS,	/* not known and the slot is busy: write it uncached (STACK_ONCE) */
};

struct ddp_cache_ref {
	u32 slot;
	u32 id;			/* HIT: its id */
	u32 old_id;		/* CLAIMED: the id that was here, 0: none */
	u32 old_count;		/* CLAIMED: its count not yet taken */
};

/*
 * Find @key. On a hit add @count (1 .. DDP_CACHE_COUNT_MAX) to its pending count; a count that
 * would overflow, or a slot lost to a nested producer meanwhile, is a BYPASS. On a miss claim the
 * slot.
 */
enum ddp_cache_result ddp_cache_count(struct ddp_stack_cache *c, const struct ddp_hash *key,
				      u32 count, struct ddp_cache_ref *ret);
/*
 * The same without counting, for samples that are written one by one: a HIT gives the id. The
 * caller reserves its HIT record first and asks ddp_cache_still() after; true means no STACK that
 * replaces the id can precede that reservation.
 */
enum ddp_cache_result ddp_cache_find(struct ddp_stack_cache *c, const struct ddp_hash *key,
				     struct ddp_cache_ref *ret);
bool ddp_cache_still(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref);

/* A new id, or 0 when they are used up (DDP_CACHE_ID_MAX) and the cache needs a resync. */
u32 ddp_cache_new_id(struct ddp_stack_cache *c);

/*
 * After CLAIMED: the STACK record of @id (and HIT of old_count, if any) is committed; open the
 * slot.
 */
void ddp_cache_publish(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref,
		       const struct ddp_hash *key, u32 id, u32 count);
/* After CLAIMED: nothing was written; put old id and count back. */
void ddp_cache_restore(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref);

/*
 * Drain: a quick look whether there may be something to take; most slots of most flushes have
 * nothing.
 */
static inline bool ddp_cache_pending(struct ddp_stack_cache *c, u32 slot)
{
	return ddp_load(&c->words[slot]) & DDP_CACHE_COUNT_MAX;
}

/* Drain: take the pending count of one slot; 0 when there is none or the slot is busy. */
u32 ddp_cache_take(struct ddp_stack_cache *c, u32 slot, u32 *id);

/*
 * Drain, for a resync: empty one slot and take its count. False when the slot is busy: try again.
 */
bool ddp_cache_forget(struct ddp_stack_cache *c, u32 slot, u32 *id, u32 *count);
/*
 * Drain, once every slot was forgotten: if ids are used up (new_id gives 0) they begin at 1 again.
 */
void ddp_cache_reset_ids(struct ddp_stack_cache *c);

#endif /* DDP_CORE_STACK_CACHE_H */
