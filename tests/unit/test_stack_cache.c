// SPDX-License-Identifier: Apache-2.0
/* The stack cache, one context at a time. test_interleave.c has the races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/core/stack_cache.h"

enum { SLOTS = 4 };

static struct ddp_stack_cache cache;
static u64 words[SLOTS];
static struct ddp_hash keys[SLOTS];

/* a, b and high share slot 1; each differs from a in one place only */
static const struct ddp_hash a = { 1, 7 }, b = { 1, 8 }, high = { 1 | 1ULL << 63, 7 };
static const struct ddp_hash other = { 2, 7 };

static int setup(void **state)
{
	(void)state;
	memset(words, 0, sizeof(words));
	ddp_cache_init(&cache, words, keys, SLOTS);
	return 0;
}

static u32 add(const struct ddp_hash *key, u32 count)
{
	struct ddp_cache_ref ref;
	u32 id;

	assert_int_equal(ddp_cache_count(&cache, key, count, &ref), DDP_CACHE_CLAIMED);
	id = ddp_cache_new_id(&cache);
	ddp_cache_publish(&cache, &ref, key, id, count);
	return id;
}

static void hits_count_up(void **state)
{
	struct ddp_cache_ref ref;
	u32 id = add(&a, 3), taken = 0;

	(void)state;
	assert_int_equal(ddp_cache_count(&cache, &a, 4, &ref), DDP_CACHE_HIT);
	assert_int_equal(ref.id, id);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), 7);
	assert_int_equal(taken, id);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), 0);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_HIT);
	assert_int_equal(ref.id, id);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), 1);
}

static void the_whole_key_is_compared(void **state)
{
	const struct ddp_hash *keys_of_slot[] = { &b, &high };
	struct ddp_cache_ref ref;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		u32 id = add(&a, 5);

		assert_int_equal(ddp_cache_find(&cache, keys_of_slot[i], &ref), DDP_CACHE_CLAIMED);
		assert_int_equal(ref.old_id, id);
		assert_int_equal(ref.old_count, 5);
		ddp_cache_publish(&cache, &ref, keys_of_slot[i], ddp_cache_new_id(&cache), 1);
		assert_int_equal(ddp_cache_find(&cache, keys_of_slot[i], &ref), DDP_CACHE_HIT);
	}
}

static void a_claimed_slot_is_nobody_elses(void **state)
{
	struct ddp_cache_ref claim, ref;
	u32 id = add(&a, 5), taken;

	(void)state;
	assert_int_equal(ddp_cache_count(&cache, &b, 1, &claim), DDP_CACHE_CLAIMED);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_BYPASS);
	assert_int_equal(ddp_cache_count(&cache, &b, 1, &ref), DDP_CACHE_BYPASS);
	assert_int_equal(ddp_cache_find(&cache, &a, &ref), DDP_CACHE_BYPASS);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), 0);
	assert_int_equal(ddp_cache_count(&cache, &other, 1, &ref), DDP_CACHE_CLAIMED);
	ddp_cache_restore(&cache, &ref);

	ddp_cache_restore(&cache, &claim);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_HIT);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), 6);
	assert_int_equal(taken, id);
}

static void a_restored_empty_slot_is_empty(void **state)
{
	struct ddp_cache_ref ref;

	(void)state;
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_CLAIMED);
	assert_int_equal(ref.old_id, 0);
	assert_int_equal(ref.old_count, 0);
	ddp_cache_restore(&cache, &ref);
	assert_int_equal(words[1], 0);
}

static void counts_do_not_overflow(void **state)
{
	struct ddp_cache_ref ref;
	u32 id = add(&a, DDP_CACHE_COUNT_MAX - 1), taken;

	(void)state;
	assert_int_equal(ddp_cache_count(&cache, &a, 2, &ref), DDP_CACHE_BYPASS);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_HIT);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_BYPASS);
	assert_int_equal(ddp_cache_take(&cache, 1, &taken), DDP_CACHE_COUNT_MAX);
	assert_int_equal(taken, id);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_HIT);
}

static void still_notices_a_new_owner(void **state)
{
	struct ddp_cache_ref found, ref;
	u32 id;

	(void)state;
	add(&a, 1);
	assert_int_equal(ddp_cache_find(&cache, &a, &found), DDP_CACHE_HIT);
	assert_true(ddp_cache_still(&cache, &found));
	assert_int_equal(ddp_cache_take(&cache, 1, &id), 1);
	assert_true(ddp_cache_still(&cache, &found));
	assert_int_equal(ddp_cache_find(&cache, &b, &ref), DDP_CACHE_CLAIMED);
	assert_false(ddp_cache_still(&cache, &found));
	ddp_cache_publish(&cache, &ref, &b, ddp_cache_new_id(&cache), 0);
	assert_false(ddp_cache_still(&cache, &found));
}

static void ids_end(void **state)
{
	(void)state;
	assert_int_equal(ddp_cache_new_id(&cache), 1);
	cache.next_id = DDP_CACHE_ID_MAX;
	assert_int_equal(ddp_cache_new_id(&cache), DDP_CACHE_ID_MAX);
	assert_int_equal(ddp_cache_new_id(&cache), 0);
	assert_int_equal(ddp_cache_new_id(&cache), 0);
	ddp_cache_reset_ids(&cache);
	assert_int_equal(ddp_cache_new_id(&cache), 1);
	ddp_cache_reset_ids(&cache);	/* not used up: left alone */
	assert_int_equal(ddp_cache_new_id(&cache), 2);
}

static void forget_empties_a_slot(void **state)
{
	struct ddp_cache_ref ref;
	u32 id = add(&a, 9), got = 0, count = 0;

	(void)state;
	assert_true(ddp_cache_forget(&cache, 1, &got, &count));
	assert_int_equal(got, id);
	assert_int_equal(count, 9);
	assert_int_equal(ddp_cache_count(&cache, &a, 1, &ref), DDP_CACHE_CLAIMED);
	assert_int_equal(ref.old_id, 0);
	assert_false(ddp_cache_forget(&cache, 1, &got, &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(hits_count_up, setup),
		cmocka_unit_test_setup(the_whole_key_is_compared, setup),
		cmocka_unit_test_setup(a_claimed_slot_is_nobody_elses, setup),
		cmocka_unit_test_setup(a_restored_empty_slot_is_empty, setup),
		cmocka_unit_test_setup(counts_do_not_overflow, setup),
		cmocka_unit_test_setup(still_notices_a_new_owner, setup),
		cmocka_unit_test_setup(ids_end, setup),
		cmocka_unit_test_setup(forget_empties_a_slot, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
