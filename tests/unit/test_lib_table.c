// SPDX-License-Identifier: Apache-2.0
/*
 * lib/table.h against a plain list: what was put in is found, until it is taken out, whatever else
 * has the same hash, or the same bits of it, and however often the table grew in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "lib/table.h"

enum { NR_ELEMENTS = 3000 };

struct elements {
	uint32_t hashes[NR_ELEMENTS];
	uint32_t looked_for;
	uint32_t compared;	/* how often, by find() */
};

static uint32_t hash_of(const void *ctx, uint32_t position)
{
	return ((const struct elements *)ctx)->hashes[position];
}

static bool equal(const void *ctx, uint32_t position)
{
	((struct elements *)(uintptr_t)ctx)->compared++;
	return ((const struct elements *)ctx)->looked_for == position;
}

static int64_t find(const struct table *t, struct elements *e, uint32_t position)
{
	e->looked_for = position;
	return table_find(t, e->hashes[position], equal, e);
}

static void insert(struct table *t, struct ddp__budget *b, struct elements *e, uint32_t position)
{
	assert_int_equal(ddp__table_reserve(t, b, hash_of, e), 0);
	ddp__table_insert(t, e->hashes[position], position);
}

static void finds_what_is_in_it(void **state)
{
	static const struct {
		const char *what;
		uint32_t mask, shift;	/* of the hashes' random bits */
	} rows[] = {
		{ "hashes without a pattern", UINT32_MAX, 0 },
		{ "32 hashes in all", 31, 0 },
		{ "hashes that differ where a slot has none of their bits", 255, 16 },
		{ "hashes that differ in their upper bits only", 255, 24 },
	};
	static struct elements e;
	bool in[NR_ELEMENTS] = { false };
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp__budget budget = { .bytes = 0 };
		struct table t = { .slots = NULL };
		uint32_t position, used = 0;

		print_message("  %s\n", rows[i].what);
		srandom(1);
		for (k = 0; k < NR_ELEMENTS; k++)
			e.hashes[k] = ((random() << 1 ^ random()) & rows[i].mask)
				      << rows[i].shift;
		memset(in, 0, sizeof(in));
		for (k = 0; k < 4 * NR_ELEMENTS; k++) {
			position = random() % (k / 4 + 1);
			assert_int_equal(find(&t, &e, position),
					 in[position] ? (int64_t)position : TABLE_NONE);
			if (in[position])
				ddp__table_remove(&t, position, hash_of, &e);
			else
				insert(&t, &budget, &e, position);
			in[position] = !in[position];
			used += in[position] ? 1 : -1;
			assert_int_equal(t.used, used);
		}
		for (k = 0; k < NR_ELEMENTS; k++)
			assert_int_equal(find(&t, &e, k), in[k] ? (int64_t)k : TABLE_NONE);
		assert_int_equal(budget.bytes, t.nr_slots * sizeof(*t.slots));
		ddp__table_drop(&t, &budget);
		assert_int_equal(budget.bytes, 0);
		assert_int_equal(find(&t, &e, 0), TABLE_NONE);
	}
}

/* The bits in a slot: of what stands in the way seven in eight need not be looked at. */
static void compares_few_others(void **state)
{
	static struct elements e;
	struct ddp__budget budget = { .bytes = 0 };
	struct table t = { .slots = NULL };
	uint32_t i;

	(void)state;
	srandom(2);
	for (i = 0; i < NR_ELEMENTS; i++) {
		e.hashes[i] = (uint32_t)random() << 1;
		insert(&t, &budget, &e, i);
	}
	for (i = 0; i < NR_ELEMENTS; i++)
		assert_int_equal(find(&t, &e, i), i);
	print_message("  %.2f comparisons to find one\n", (double)e.compared / NR_ELEMENTS);
	assert_in_range(e.compared, NR_ELEMENTS, NR_ELEMENTS * 13 / 10);
	ddp__table_drop(&t, &budget);
}

static void refuses_what_has_no_room(void **state)
{
	static struct elements e;
	struct ddp__budget budget = { .max_bytes = 64 * sizeof(uint32_t) };
	struct table t = { .slots = NULL };
	uint32_t i;

	(void)state;
	assert_int_equal(ddp__table_reserve_many(&t, &budget, (uint32_t)TABLE_MAX + 1, hash_of, &e),
			 -E2BIG);
	for (i = 0; i < 64 / 8 * 7; i++)
		insert(&t, &budget, &e, i);
	assert_int_equal(ddp__table_reserve(&t, &budget, hash_of, &e), -ENOSPC);
	assert_int_equal(t.nr_slots, 64);
	for (i = 0; i < 64 / 8 * 7; i++)
		assert_int_equal(find(&t, &e, i), i);
	ddp__table_drop(&t, &budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_in_it),
		cmocka_unit_test(compares_few_others),
		cmocka_unit_test(refuses_what_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
