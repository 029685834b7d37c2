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

static void insert(struct table_slot *slots, uint32_t mask, struct table_slot s)
{
	uint32_t i = s.hash & mask;

	while (slots[i].position1)
		i = (i + 1) & mask;
	slots[i] = s;
}

/* Slots for @elements, @room being the bytes that there are; 0: too many */
static uint32_t slots_for(const struct table *t, uint64_t elements, size_t room)
{
	uint64_t nr = t->nr_slots ? t->nr_slots : FIRST_SLOTS;

	while (nr / 4 * 3 < elements)
		nr *= nr < FEW_SLOTS && 3 * nr * sizeof(*t->slots) < room / 2 ? 4 : 2;
	return nr > UINT32_MAX ? 0 : nr;
}

int ddp__table_reserve_many(struct table *t, struct ddp__budget *b, uint32_t extra)
{
	uint64_t elements = (uint64_t)t->used + extra;
	uint32_t nr = slots_for(t, elements, ddp__budget_room(b)), i;
	struct table_slot *slots;
	int r;

	if (!nr)
		return -E2BIG;
	if (nr == t->nr_slots)
		return 0;
	r = ddp__budget_take(b, (nr - t->nr_slots) * sizeof(*slots));
	if (r)
		return has_place(t, elements) ? 0 : r;
	slots = ddp__alloc(nr * sizeof(*slots));
	if (!slots) {
		ddp__budget_give(b, (nr - t->nr_slots) * sizeof(*slots));
		return -ENOMEM;
	}
	for (i = 0; i < t->nr_slots; i++)
		if (t->slots[i].position1)
			insert(slots, nr - 1, t->slots[i]);
	ddp__free(t->slots);
	t->slots = slots;
	t->nr_slots = nr;
	return 0;
}

void ddp__table_insert(struct table *t, uint32_t hash, uint32_t position)
{
	insert(t->slots, t->nr_slots - 1, (struct table_slot){ hash, position + 1 });
	t->used++;
}

/* What stands behind the free slot and could stand in it moves there: no probe ends early. */
void ddp__table_remove(struct table *t, uint32_t hash, uint32_t position)
{
	uint32_t mask = t->nr_slots - 1, hole = hash & mask, i;

	while (t->slots[hole].position1 != position + 1)
		hole = (hole + 1) & mask;
	for (i = (hole + 1) & mask; t->slots[i].position1; i = (i + 1) & mask) {
		if (((i - t->slots[i].hash) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = (struct table_slot){ 0 };
	t->used--;
}

void ddp__table_clear(struct table *t)
{
	if (t->nr_slots)
		memset(t->slots, 0, t->nr_slots * sizeof(*t->slots));
	t->used = 0;
}
