// SPDX-License-Identifier: Apache-2.0
/* The ring, one context at a time, against a plain queue. test_interleave.c has the races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "kmod/core/ring.h"

enum { SIZE = 4096, MAX_LEN = SIZE / 2 - DDP_RING_HEADER };

static u8 *ring_setup(struct ddp_ring *r)
{
	u8 *data = calloc(1, SIZE);

	assert_non_null(data);
	ddp_ring_init(r, data, SIZE);
	return data;
}

static void lengths_are_checked(void **state)
{
	static const struct {
		const char *name;
		u32 len;
		int err;
	} rows[] = {
		{ "empty", 0, -ENOSPC },
		{ "one byte", 1, 0 },
		{ "the longest", MAX_LEN, 0 },
		{ "one more", MAX_LEN + 1, -ENOSPC },
		{ "the whole ring", SIZE, -ENOSPC },
		{ "absurd", ~0U, -ENOSPC },
	};
	static const u8 payload[MAX_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_ring r;
		u8 *data = ring_setup(&r);
		struct ddp_ring_slot slot;

		if (ddp_ring_reserve(&r, rows[i].len, &slot) != rows[i].err)
			fail_msg("%s", rows[i].name);
		if (!rows[i].err)
			ddp_ring_discard(&r, &slot);
		free(data);
	}
	/* the longest fits into an empty ring at every position */
	for (i = 0; i < SIZE / 8; i++) {
		struct ddp_ring r;
		u8 *data = ring_setup(&r);
		u32 len;

		r.head = r.tail = i * 8;
		assert_int_equal(ddp_ring_write(&r, payload, MAX_LEN), 0);
		assert_non_null(ddp_ring_peek(&r, ddp_ring_head(&r), &len));
		assert_int_equal(len, MAX_LEN);
		free(data);
	}
}

static void uncommitted_entries_hold_the_consumer(void **state)
{
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	struct ddp_ring_slot outer, nested;
	const u8 *got;
	u32 len;

	(void)state;
	assert_int_equal(ddp_ring_reserve(&r, 3, &outer), 0);
	assert_int_equal(ddp_ring_reserve(&r, 9, &nested), 0);
	memcpy(nested.payload, "nested!!!", 9);
	ddp_ring_commit(&r, &nested);
	assert_null(ddp_ring_peek(&r, ddp_ring_head(&r), &len));
	ddp_ring_pop(&r);	/* nothing was peeked: does nothing */
	assert_int_equal(ddp_ring_tail(&r), 0);

	memcpy(outer.payload, "out", 3);
	ddp_ring_commit(&r, &outer);
	got = ddp_ring_peek(&r, ddp_ring_head(&r), &len);
	assert_int_equal(len, 3);
	assert_memory_equal(got, "out", 3);
	ddp_ring_pop(&r);
	got = ddp_ring_peek(&r, ddp_ring_head(&r), &len);
	assert_int_equal(len, 9);
	assert_memory_equal(got, "nested!!!", 9);
	ddp_ring_pop(&r);
	assert_int_equal(ddp_ring_tail(&r), ddp_ring_head(&r));
	free(data);
}

static void peek_stops_at_its_limit(void **state)
{
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	u64 limit;
	u32 len;

	(void)state;
	assert_int_equal(ddp_ring_write(&r, "a", 1), 0);
	limit = ddp_ring_head(&r);
	assert_int_equal(ddp_ring_write(&r, "b", 1), 0);
	assert_non_null(ddp_ring_peek(&r, limit, &len));
	ddp_ring_pop(&r);
	assert_null(ddp_ring_peek(&r, limit, &len));
	assert_non_null(ddp_ring_peek(&r, ddp_ring_head(&r), &len));
	free(data);
}

static void discarded_entries_are_stepped_over(void **state)
{
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	struct ddp_ring_slot slot;
	u32 len;

	(void)state;
	assert_int_equal(ddp_ring_reserve(&r, 100, &slot), 0);
	ddp_ring_discard(&r, &slot);
	assert_int_equal(ddp_ring_write(&r, "kept", 4), 0);
	assert_memory_equal(ddp_ring_peek(&r, ddp_ring_head(&r), &len), "kept", 4);
	assert_int_equal(len, 4);
	free(data);
}

static void full_ring_refuses_and_recovers(void **state)
{
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	u8 payload[24] = { 0 };
	u32 len, n = 0;

	(void)state;
	while (!ddp_ring_write(&r, payload, sizeof(payload)))
		n++;
	assert_int_equal(n, SIZE / 32);
	assert_int_equal(r.high, SIZE);
	assert_non_null(ddp_ring_peek(&r, ddp_ring_head(&r), &len));
	assert_int_equal(ddp_ring_write(&r, payload, sizeof(payload)), -ENOSPC);
	ddp_ring_pop(&r);
	assert_int_equal(ddp_ring_write(&r, payload, sizeof(payload)), 0);
	for (n = 0; ddp_ring_peek(&r, ddp_ring_head(&r), &len); n++)
		ddp_ring_pop(&r);
	assert_int_equal(n, SIZE / 32);
	for (n = 0; n < SIZE; n++)
		assert_int_equal(data[n], 0);
	free(data);
}

/* Positions are 64 bits of which the ring uses the low ones: nothing happens where 32 bits end. */
static void positions_pass_32_bits(void **state)
{
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	u32 i, len;

	(void)state;
	r.head = r.tail = 0xfffffff0;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(ddp_ring_write(&r, &i, sizeof(i)), 0);
		assert_memory_equal(ddp_ring_peek(&r, ddp_ring_head(&r), &len), &i, sizeof(i));
		ddp_ring_pop(&r);
	}
	assert_true(r.tail > 0xffffffff);
	free(data);
}

static u32 rnd;

static u32 random_u32(void)
{
	rnd = rnd * 1664525 + 1013904223;
	return rnd >> 8;
}

/* Random writes and reads: everything comes out once, in order, whole; high is the true maximum. */
static void behaves_like_a_queue(void **state)
{
	enum { ROUNDS = 200000 };
	struct ddp_ring r;
	u8 *data = ring_setup(&r);
	u32 round, next_in = 0, next_out = 0, refused = 0, i, len;
	static u32 lens[ROUNDS];
	u64 high = 0;

	(void)state;
	rnd = 1;
	for (round = 0; round < ROUNDS; round++) {
		u32 filling = round / 1000 % 2;
		u8 payload[MAX_LEN];
		const u8 *got;

		if (random_u32() % 8 < 3 + 2 * filling) {
			u32 want = 1 + random_u32() % (random_u32() % 50 ? 100 : MAX_LEN);

			memset(payload, next_in & 0xff, want);
			if (ddp_ring_write(&r, payload, want))
				refused++;
			else
				lens[next_in++] = want;
			if (r.head - r.tail > high)
				high = r.head - r.tail;
			continue;
		}
		got = ddp_ring_peek(&r, ddp_ring_head(&r), &len);
		assert_int_equal(!!got, next_out < next_in);
		if (!got)
			continue;
		assert_int_equal(len, lens[next_out]);
		for (i = 0; i < len; i++)
			assert_int_equal(got[i], next_out & 0xff);
		ddp_ring_pop(&r);
		next_out++;
	}
	assert_true(refused > 0);
	assert_true(next_out > ROUNDS / 4);
	assert_int_equal(r.high, high);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_are_checked),
		cmocka_unit_test(uncommitted_entries_hold_the_consumer),
		cmocka_unit_test(peek_stops_at_its_limit),
		cmocka_unit_test(discarded_entries_are_stepped_over),
		cmocka_unit_test(full_ring_refuses_and_recovers),
		cmocka_unit_test(positions_pass_32_bits),
		cmocka_unit_test(behaves_like_a_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
