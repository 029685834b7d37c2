// SPDX-License-Identifier: Apache-2.0
/*
 * Shared strings: an array of slots, each with a string in memory of its own so that it can be
 * freed alone, and a table over them. A handle is a slot's number and how often the slot was
 * filled, so that a handle from before does not name what is there now. One lock for all of it;
 * the storage's own references are counted without.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "ddprof/strings.h"
#include "hash.h"
#include "strings_take.h"
#include "table.h"

enum {
	MAX_STRINGS = TABLE_MAX,
	MAX_STRING_BYTES = INT32_MAX,	/* as profile.h takes them */
};

struct slot {
	char *bytes;		/* NULL: the slot is free */
	uint32_t len, hash;
	uint32_t references;
	uint32_t filled;	/* times; the upper half of the handle */
	uint32_t next_free1;	/* slot + 1 */
	uint32_t zero;
};

struct ddp_strings {
	pthread_mutex_t lock;
	size_t references;	/* atomic */
	struct hash_key hash_key;
	struct ddp__budget budget;
	DDP_VEC(struct slot) slots;
	uint32_t first_free1;
	struct table table;
};

int ddp_strings_create(size_t max_bytes, struct ddp_strings **ret)
{
	struct ddp_strings *s = ddp__alloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->references = 1;
	s->budget = (struct ddp__budget){ .bytes = sizeof(*s), .max_bytes = max_bytes };
	hash_key_init(&s->hash_key);
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

struct ddp_strings *ddp_strings_ref(struct ddp_strings *s)
{
	__atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
	return s;
}

void ddp_strings_unref(struct ddp_strings *s)
{
	uint32_t i;

	if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL))
		return;
	for (i = 0; i < s->slots.nr; i++)
		ddp__free(s->slots.at[i].bytes);
	VEC_FREE(&s->slots);
	ddp__table_free(&s->table);
	pthread_mutex_destroy(&s->lock);
	ddp__free(s);
}

/* The lock is held below */

struct key {
	const struct ddp_strings *s;
	const char *bytes;
	size_t len;
};

static bool slot_equal(const void *ctx, uint32_t position)
{
	const struct key *k = ctx;
	const struct slot *slot = &k->s->slots.at[position];

	return slot->len == k->len && !memcmp(slot->bytes, k->bytes, k->len);
}

static uint32_t slot_hash(const void *ctx, uint32_t position)
{
	const struct ddp_strings *s = ctx;

	return s->slots.at[position].hash;
}

static uint64_t handle_of(const struct ddp_strings *s, uint32_t position)
{
	return (uint64_t)s->slots.at[position].filled << 32 | position;
}

/* NULL: not a handle, or released */
static struct slot *slot_of(const struct ddp_strings *s, uint64_t handle)
{
	uint32_t position = (uint32_t)handle;
	struct slot *slot;

	if (position >= s->slots.nr)
		return NULL;
	slot = &s->slots.at[position];
	return slot->bytes && slot->filled == handle >> 32 ? slot : NULL;
}

/* Room for one more string of @len bytes, and its memory */
static int reserve(struct ddp_strings *s, size_t len, char **ret)
{
	int r;

	if (!s->first_free1 && s->slots.nr >= MAX_STRINGS)
		return -E2BIG;
	if (!s->first_free1) {
		r = VEC_RESERVE(&s->budget, &s->slots, 1);
		if (r)
			return r;
	}
	if ((r = ddp__table_reserve(&s->table, &s->budget, slot_hash, s)) ||
	    (r = ddp__budget_take(&s->budget, len + 1)))
		return r;
	*ret = ddp__alloc(len + 1);
	if (*ret)
		return 0;
	ddp__budget_give(&s->budget, len + 1);
	return -ENOMEM;
}

static uint32_t take_slot(struct ddp_strings *s)
{
	uint32_t position = s->first_free1 - 1;

	if (s->first_free1) {
		s->first_free1 = s->slots.at[position].next_free1;
		return position;
	}
	s->slots.at[s->slots.nr] = (struct slot){ 0 };
	return s->slots.nr++;
}

static int put(struct ddp_strings *s, const struct key *k, uint32_t hash, uint64_t *ret_handle)
{
	uint32_t position;
	char *bytes;
	int r = reserve(s, k->len, &bytes);

	if (r)
		return r;
	memcpy(bytes, k->bytes, k->len);
	position = take_slot(s);
	s->slots.at[position] = (struct slot){
		.bytes = bytes, .len = k->len, .hash = hash, .references = 1,
		.filled = s->slots.at[position].filled + 1,
	};
	ddp__table_insert(&s->table, hash, position);
	*ret_handle = handle_of(s, position);
	return 0;
}

static int intern(struct ddp_strings *s, const struct key *k, uint64_t *ret_handle)
{
	uint32_t hash = hash64(&s->hash_key, k->bytes, k->len);
	int64_t found = table_find(&s->table, hash, slot_equal, k);

	if (found == TABLE_NONE)
		return put(s, k, hash, ret_handle);
	if (s->slots.at[found].references == UINT32_MAX)
		return -E2BIG;
	s->slots.at[found].references++;
	*ret_handle = handle_of(s, found);
	return 0;
}

/* A slot that was filled 2^32 times is not used again: its handles would come back. */
static void drop(struct ddp_strings *s, struct slot *slot)
{
	uint32_t position = slot - s->slots.at;

	ddp__table_remove(&s->table, position, slot_hash, s);
	ddp__budget_give(&s->budget, (size_t)slot->len + 1);
	ddp__free(slot->bytes);
	slot->bytes = NULL;
	if (slot->filled == UINT32_MAX)
		return;
	slot->next_free1 = s->first_free1;
	s->first_free1 = position + 1;
}

/* The lock is taken here */

int ddp_strings_intern(struct ddp_strings *s, const char *bytes, size_t len, uint64_t *ret_handle)
{
	struct key k = { s, len ? bytes : "", len };
	int r;

	if (len > MAX_STRING_BYTES)
		return -E2BIG;
	pthread_mutex_lock(&s->lock);
	r = intern(s, &k, ret_handle);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int ddp_strings_release(struct ddp_strings *s, uint64_t handle)
{
	struct slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = slot_of(s, handle);
	if (slot && !--slot->references)
		drop(s, slot);
	pthread_mutex_unlock(&s->lock);
	return slot ? 0 : -ESTALE;
}

static int get(struct ddp_strings *s, uint64_t handle, bool take, const char **ret_bytes,
	       size_t *ret_len)
{
	struct slot *slot;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	slot = slot_of(s, handle);
	if (!slot) {
		r = -ESTALE;
	} else if (take && slot->references == UINT32_MAX) {
		r = -E2BIG;
	} else {
		slot->references += take;
		*ret_bytes = slot->bytes;
		*ret_len = slot->len;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

int ddp_strings_get(struct ddp_strings *s, uint64_t handle, const char **ret_bytes,
		    size_t *ret_len)
{
	return get(s, handle, false, ret_bytes, ret_len);
}

int ddp__strings_take(struct ddp_strings *s, uint64_t handle, const char **ret_bytes,
		      size_t *ret_len)
{
	return get(s, handle, true, ret_bytes, ret_len);
}

void ddp_strings_count(struct ddp_strings *s, struct ddp_strings_counts *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = (struct ddp_strings_counts){ .strings = s->table.used, .bytes = s->budget.bytes };
	pthread_mutex_unlock(&s->lock);
}
