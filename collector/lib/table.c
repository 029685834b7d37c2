// SPDX-License-Identifier: Apache-2.0
/*
 * Growing, filling and emptying the index of table.h. At most three quarters of the slots are
 * used, so that a probe stays short; where the budget has no room for more slots, seven eighths,
 * so that it always ends.
 */
#include <errno.h>
#include <string.h>

#include "table.h"

enum {
	FIRST_SLOTS = 64,
	FEW_SLOTS = 4096,	/* below, tables grow fourfold: moving costs more than memory */
};

/* Without growing */
static bool has_place(const struct table *t, uint64_t elements)
{
	return elements <= (uint64_t)t->nr_slots / 8 * 7;
}

static void insert(uint32_t *slots, uint32_t mask, uint32_t hash, uint32_t position)
{
	uint32_t i = hash & mask;

	while (slots[i])
		i = (i + 1) & mask;
	slots[i] = (hash & TABLE_TAG) | (position + 1);
}

/* Slots for @elements, @room being the bytes that there are */
static uint32_t slots_for(const struct table *t, uint64_t elements, size_t room)
{
	uint64_t nr = t->nr_slots ? t->nr_slots : FIRST_SLOTS;

	while (nr / 4 * 3 < elements)
		nr *= nr < FEW_SLOTS && 3 * nr * sizeof(*t->slots) < room / 2 ? 4 : 2;
	return nr;
}

static void insert_all(const struct table *t, uint32_t *slots, uint32_t mask,
		       table_hash_fn hash_of, const void *ctx)
{
	uint32_t i, position;

	for (i = 0; i < t->nr_slots; i++) {
		position = table_position(t->slots[i]);
		if (t->slots[i])
			insert(slots, mask, hash_of(ctx, position), position);
	}
}

int ddp__table_reserve_many(struct table *t, struct ddp__budget *b, uint32_t extra,
			    table_hash_fn hash_of, const void *ctx)
{
	uint64_t elements = (uint64_t)t->used + extra;
	uint32_t *slots, nr;
	int r;

	if (elements > TABLE_MAX)
		return -E2BIG;
	nr = slots_for(t, elements, ddp__budget_room(b));
	if (nr == t->nr_slots)
		return 0;
	r = ddp__budget_take(b, (nr - t->nr_slots) * sizeof(*slots));
	if (r)
		return has_place(t, elements) ? 0 : r;
	slots = ddp__block_alloc(nr * sizeof(*slots));
	if (!slots) {
		ddp__budget_give(b, (nr - t->nr_slots) * sizeof(*slots));
		return -ENOMEM;
	}
	insert_all(t, slots, nr - 1, hash_of, ctx);
	ddp__table_free(t);
	t->slots = slots;
	t->nr_slots = nr;
	return 0;
}

void ddp__table_insert(struct table *t, uint32_t hash, uint32_t position)
{
	insert(t->slots, t->nr_slots - 1, hash, position);
	t->used++;
}

/* What stands behind the free slot and could stand in it moves there: no probe ends early. */
void ddp__table_remove(struct table *t, uint32_t position, table_hash_fn hash_of, const void *ctx)
{
	uint32_t mask = t->nr_slots - 1, hole = hash_of(ctx, position) & mask, i, home;

	while (table_position(t->slots[hole]) != position)
		hole = (hole + 1) & mask;
	for (i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		home = hash_of(ctx, table_position(t->slots[i]));
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = 0;
	t->used--;
}

void ddp__table_free(struct table *t)
{
	ddp__block_free(t->slots, t->nr_slots * sizeof(*t->slots));
}

void ddp__table_drop(struct table *t, struct ddp__budget *b)
{
	ddp__budget_give(b, t->nr_slots * sizeof(*t->slots));
	ddp__table_free(t);
	*t = (struct table){ 0 };
}

void ddp__table_clear(struct table *t)
{
	if (t->nr_slots)
		memset(t->slots, 0, t->nr_slots * sizeof(*t->slots));
	t->used = 0;
}
