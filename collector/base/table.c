// SPDX-License-Identifier: Apache-2.0
/*
 * See table.h. Linear probing; a removal moves later members of the run back over the hole, so that
 * a search always ends at the first free slot.
 */
#include "base/table.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_CAPACITY = 16 };

static size_t home(const struct ddp_table *t, uint64_t key)
{
	unsigned __int128 p = (unsigned __int128)(key ^ t->seed) * 0x9e3779b97f4a7c15ULL;

	return ((uint64_t)(p >> 64) ^ (uint64_t)p) & (t->capacity - 1);
}

/* The slot of @key, or the free one where it would go */
static struct ddp_slot *slot_of(const struct ddp_table *t, uint64_t key)
{
	size_t i = home(t, key);

	while (t->slots[i].key && t->slots[i].key != key)
		i = (i + 1) & (t->capacity - 1);
	return &t->slots[i];
}

uint64_t *ddp_table_find(const struct ddp_table *t, uint64_t key)
{
	struct ddp_slot *s;

	if (!t->nr || !key)
		return NULL;
	s = slot_of(t, key);
	return s->key ? &s->value : NULL;
}

static int grow(struct ddp_table *t)
{
	struct ddp_table bigger = *t;

	bigger.capacity = t->capacity ? t->capacity * 2 : FIRST_CAPACITY;
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	/* without entropy (early boot) the table works unseeded */
	if (!t->seed && getrandom(&bigger.seed, sizeof(bigger.seed), GRND_NONBLOCK) < 0)
		bigger.seed = 1;
	ddp_table_for_each(t, s)
		*slot_of(&bigger, s->key) = *s;
	free(t->slots);
	*t = bigger;
	return 0;
}

int ddp_table_set(struct ddp_table *t, uint64_t key, uint64_t value)
{
	struct ddp_slot *s;
	int r;

	if ((t->nr + 1) * 4 > t->capacity * 3) {
		r = grow(t);
		if (r)
			return r;
	}
	s = slot_of(t, key);
	t->nr += !s->key;
	*s = (struct ddp_slot){ key, value };
	return 0;
}

bool ddp_table_remove(struct ddp_table *t, uint64_t key, uint64_t *ret)
{
	uint64_t *value = ddp_table_find(t, key);
	size_t mask = t->capacity - 1, hole, i;

	if (!value)
		return false;
	if (ret)
		*ret = *value;
	hole = (size_t)(slot_of(t, key) - t->slots);
	for (i = (hole + 1) & mask; t->slots[i].key; i = (i + 1) & mask) {
		/* a slot may move back only if its home is not between hole and itself */
		if (((i - home(t, t->slots[i].key)) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole].key = 0;
	t->nr--;
	return true;
}

void ddp_table_prune(struct ddp_table *t, bool (*gone)(void *ctx, void *value), void *ctx)
{
	CLEANUP(free) uint64_t *keys = calloc(t->nr + 1, sizeof(*keys));
	size_t nr = 0;

	if (!keys)
		return;
	ddp_table_for_each(t, slot)
		if (gone(ctx, ddp_table_pointer(slot->value)))
			keys[nr++] = slot->key;
	while (nr)
		ddp_table_remove(t, keys[--nr], NULL);
}

void ddp_table_clear(struct ddp_table *t)
{
	if (t->slots)
		memset(t->slots, 0, t->capacity * sizeof(*t->slots));
	t->nr = 0;
}

void ddp_table_free(struct ddp_table *t)
{
	free(t->slots);
	*t = (struct ddp_table){ 0 };
}
