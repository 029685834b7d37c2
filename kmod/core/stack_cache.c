// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The per-CPU stack cache. It promises that each counted sample is in exactly one place: in its
 * slot's word, taken by the drain, or handed to the producer that claimed the slot. Why it holds:
 * docs/concurrency.md.
 */
#include "stack_cache.h"

#define WORD_BUSY	(1ULL << 31)
#define WORD_COUNT	(WORD_BUSY - 1)

/* A try fails for a drain that takes the count and for a nested producer; more is very bad luck. */
enum { MAX_TRIES = 4 };

static u64 word_make(u32 id, u32 count)
{
	return (u64)id << 32 | count;
}

static u32 word_id(u64 word)
{
	return word >> 32;
}

static u32 word_count(u64 word)
{
	return word & WORD_COUNT;
}

void ddp_cache_init(struct ddp_stack_cache *c, u64 *words, struct ddp_hash *keys, u32 nr_slots)
{
	c->words = words;
	c->keys = keys;
	c->nr_slots = nr_slots;
	c->next_id = 1;
}

/*
 * A nested producer may rewrite the key between the two loads. Then the word's id has changed too,
 * and the caller's cmpxchg or ddp_cache_still() finds out: the answer counts only if those succeed.
 */
static bool key_matches(struct ddp_hash *slot_key, const struct ddp_hash *key)
{
	return ddp_load(&slot_key->a) == key->a && ddp_load(&slot_key->b) == key->b;
}

static bool try_claim(struct ddp_stack_cache *c, u64 word, struct ddp_cache_ref *ret)
{
	u64 busy = word_make(word_id(word), 0) | WORD_BUSY;

	if (ddp_cmpxchg(&c->words[ret->slot], word, busy) != word)
		return false;
	ret->old_id = word_id(word);
	ret->old_count = word_count(word);
	return true;
}

/* @count 0: find only, the word stays as it is */
static enum ddp_cache_result look_up(struct ddp_stack_cache *c, const struct ddp_hash *key,
				     u32 count, struct ddp_cache_ref *ret)
{
	u64 *at;
	int i;

	memset(ret, 0, sizeof(*ret));
	ret->slot = key->a & (c->nr_slots - 1);
	at = &c->words[ret->slot];

	for (i = 0; i < MAX_TRIES; i++) {
		/* acquire: the key of this id was written before the word */
		u64 word = ddp_load_acquire(at);

		if (word & WORD_BUSY)
			return DDP_CACHE_BYPASS;
		if (!word_id(word) || !key_matches(&c->keys[ret->slot], key)) {
			if (try_claim(c, word, ret))
				return DDP_CACHE_CLAIMED;
			continue;
		}
		if (count > DDP_CACHE_COUNT_MAX - word_count(word))
			return DDP_CACHE_BYPASS;
		if (!count || ddp_cmpxchg(at, word, word + count) == word) {
			ret->id = word_id(word);
			return DDP_CACHE_HIT;
		}
	}
	return DDP_CACHE_BYPASS;
}

enum ddp_cache_result ddp_cache_count(struct ddp_stack_cache *c, const struct ddp_hash *key,
				      u32 count, struct ddp_cache_ref *ret)
{
	return look_up(c, key, count, ret);
}

enum ddp_cache_result ddp_cache_find(struct ddp_stack_cache *c, const struct ddp_hash *key,
				     struct ddp_cache_ref *ret)
{
	return look_up(c, key, 0, ret);
}

bool ddp_cache_still(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref)
{
	u64 word = ddp_load_acquire(&c->words[ref->slot]);

	return word_id(word) == ref->id && !(word & WORD_BUSY);
}

u32 ddp_cache_new_id(struct ddp_stack_cache *c)
{
	u32 id, seen = ddp_load(&c->next_id);

	do {
		id = seen;
		if (id > DDP_CACHE_ID_MAX)
			return 0;
		seen = ddp_cmpxchg_local(&c->next_id, id, id + 1);
	} while (seen != id);
	return id;
}

/* While the slot is busy nobody else writes its word or its key, so these two need no cmpxchg. */
void ddp_cache_publish(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref,
		       const struct ddp_hash *key, u32 id, u32 count)
{
	struct ddp_hash *slot_key = &c->keys[ref->slot];

	ddp_store(&slot_key->a, key->a);
	ddp_store(&slot_key->b, key->b);
	ddp_store_release(&c->words[ref->slot], word_make(id, count));
}

void ddp_cache_restore(struct ddp_stack_cache *c, const struct ddp_cache_ref *ref)
{
	ddp_store_release(&c->words[ref->slot], word_make(ref->old_id, ref->old_count));
}

u32 ddp_cache_take(struct ddp_stack_cache *c, u32 slot, u32 *id)
{
	u64 *at = &c->words[slot];
	int i;

	for (i = 0; i < MAX_TRIES; i++) {
		u64 word = ddp_load(at);

		if (word & WORD_BUSY || !word_count(word))
			return 0;
		if (ddp_cmpxchg(at, word, word & ~WORD_COUNT) == word) {
			*id = word_id(word);
			return word_count(word);
		}
	}
	/* hit faster than we can take: the next flush will */
	return 0;
}

bool ddp_cache_forget(struct ddp_stack_cache *c, u32 slot, u32 *id, u32 *count)
{
	u64 *at = &c->words[slot];
	u64 word = ddp_load(at);

	if (word & WORD_BUSY || ddp_cmpxchg(at, word, 0) != word)
		return false;
	*id = word_id(word);
	*count = word_count(word);
	return true;
}

/* Producers leave next_id alone once it is past the end, so it is ours to write then. */
void ddp_cache_reset_ids(struct ddp_stack_cache *c)
{
	if (ddp_load(&c->next_id) > DDP_CACHE_ID_MAX)
		ddp_store(&c->next_id, 1);
}
