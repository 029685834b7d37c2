// SPDX-License-Identifier: Apache-2.0
/* The sample hash: what has to differ differs, and every input bit reaches the whole result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/core/hash.h"

static const struct ddp_hash_key keyed = { { 0x0123456789abcdef, 2, 0xfedcba9876543210, 99 } };

static struct ddp_hash hash_of(const struct ddp_hash_key *key, const u64 *words, u32 n)
{
	struct ddp_hash h;

	ddp_hash_init(&h, key);
	ddp_hash_words(&h, key, words, n);
	return h;
}

static bool same(struct ddp_hash x, struct ddp_hash y)
{
	return x.a == y.a && x.b == y.b;
}

static void different_inputs_differ(void **state)
{
	static const struct {
		const char *name;
		u64 x[3], y[3];
		u32 nx, ny;
	} rows[] = {
		{ "order", { 1, 2 }, { 2, 1 }, 2, 2 },
		{ "a trailing zero", { 1 }, { 1, 0 }, 1, 2 },
		{ "only zeros", { 0 }, { 0, 0 }, 1, 2 },
		{ "nothing and zero", { 0 }, { 0 }, 0, 1 },
		{ "the top bit", { 1ULL << 63 }, { 0 }, 1, 1 },
		{ "equal sums", { 1, 5, 3 }, { 2, 4, 3 }, 3, 3 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (same(hash_of(&keyed, rows[i].x, rows[i].nx),
			 hash_of(&keyed, rows[i].y, rows[i].ny)))
			fail_msg("%s", rows[i].name);
}

static void key_matters(void **state)
{
	u64 words[] = { 1, 2, 3 };
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct ddp_hash_key other = keyed;

		other.k[i] ^= 1ULL << 40;
		assert_false(same(hash_of(&keyed, words, 3), hash_of(&other, words, 3)));
	}
}

/* Each flipped input bit flips about half of the 128: 64 +- 40 is many standard deviations. */
static void check_spread(u32 n)
{
	u64 words[8] = { 3, 1, 4, 1, 5, 9, 2, 6 };
	struct ddp_hash before = hash_of(&keyed, words, n);
	u32 bit;

	for (bit = 0; bit < n * 64; bit++) {
		struct ddp_hash after;
		int flipped;

		words[bit / 64] ^= 1ULL << bit % 64;
		after = hash_of(&keyed, words, n);
		words[bit / 64] ^= 1ULL << bit % 64;
		flipped = __builtin_popcountll(before.a ^ after.a) +
			  __builtin_popcountll(before.b ^ after.b);
		assert_in_range(flipped, 24, 104);
	}
}

static void each_bit_spreads(void **state)
{
	(void)state;
	check_spread(8);
	check_spread(7);
}

/* The cache takes its slot from the low bits of lane a: similar stacks must not crowd there. */
static void low_bits_are_even(void **state)
{
	enum { SLOTS = 256, STACKS = 256 * 64 };
	u32 used[SLOTS] = { 0 }, i;

	(void)state;
	for (i = 0; i < STACKS; i++) {
		u64 words[3] = { 42, 0x400000 + 16 * i, 0x7f0000001000 };

		used[hash_of(&keyed, words, 3).a % SLOTS]++;
	}
	for (i = 0; i < SLOTS; i++)
		assert_in_range(used[i], 16, 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_inputs_differ),
		cmocka_unit_test(key_matters),
		cmocka_unit_test(each_bit_spreads),
		cmocka_unit_test(low_bits_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
