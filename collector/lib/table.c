// SPDX-License-Identifier: Apache-2.0
/*
 * Growing and filling the index of table.h. At most three quarters of the slots are used, so that
 * a probe stays short and always ends.
 */
#include <errno.h>
#include <string.h>

#include "table.h"

enum { FIRST_SLOTS = 64 };

static void insert(struct table_slot *slots, uint32_t mask, struct table_slot s)
{
	uint32_t i = s.hash & mask;

	while (slots[i].position1)
		i = (i + 1) & mask;
	slots[i] = s;
}

int ddp__table_reserve(struct table *t, struct ddp__budget *b)
{
	uint32_t nr = t->nr_slots ? t->nr_slots * 2 : FIRST_SLOTS;
	struct table_slot *slots;
	uint32_t i;
	int r;

	if (t->used < t->nr_slots / 4 * 3)
		return 0;
	if (t->nr_slots > UINT32_MAX / 2)
		return -E2BIG;
	r = ddp__budget_take(b, (nr - t->nr_slots) * sizeof(*slots));
	if (r)
		return r;
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

void ddp__table_clear(struct table *t)
{
	if (t->nr_slots)
		memset(t->slots, 0, t->nr_slots * sizeof(*t->slots));
	t->used = 0;
}
