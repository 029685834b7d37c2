// SPDX-License-Identifier: Apache-2.0
/*
 * Thinning of durations: while there are few each is told as it is; of many about as many as are
 * wanted, with every kind's total, count and mean as they were, whatever the rhythm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kmod/core/thin.h"

#define S_NS	1000000000ULL
enum { MAX_KINDS = 4 };

/* A kind of block: so many a second of so many nanoseconds */
struct kind {
	uint32_t per_s;
	uint64_t ns;
};

struct told {
	uint64_t count, value_ns, samples;
};

/* @seconds of all kinds, spread evenly over each second; what was told of each */
static void run(struct ddp_thin *t, const struct kind *kinds, int seconds, struct told *told)
{
	uint64_t done[MAX_KINDS] = { 0 };

	for (uint64_t now = 0; now < (uint64_t)seconds * S_NS; now += 10000) {
		for (int k = 0; k < MAX_KINDS && kinds[k].per_s; k++) {
			while (done[k] * S_NS < now * kinds[k].per_s) {
				uint64_t value = kinds[k].ns;
				uint32_t count = ddp_thin_admit(t, &value, 5 * S_NS + now);

				done[k]++;
				told[k].count += count;
				told[k].value_ns += count ? value : 0;
				told[k].samples += count > 0;
			}
		}
	}
}

static const struct {
	const char *name;
	uint32_t per_s;		/* that are wanted */
	struct kind kinds[MAX_KINDS];
	double percent;		/* how far off a kind's total may be */
} rows[] = {
	{ "fewer than are wanted: exact", 200, { { 50, 1000000 }, { 100, 30000 } }, 0 },
	{ "just as many as are wanted: exact", 200, { { 200, 12345 } }, 0 },
	{ "many of one kind", 200, { { 20000, 40000 } }, 1 },
	{ "short ones and long ones", 200, { { 20000, 20000 }, { 10, 50000000 } }, 4 },
	{ "two that take turns", 100, { { 5000, 100000 }, { 5000, 100000 } }, 4 },
	{ "two that take turns, one longer", 100, { { 3000, 100000 }, { 3000, 300000 } }, 4 },
	{ "a thousand threads that sleep a second each", 100, { { 1000, S_NS } }, 3 },
	{ "minutes, more often than wanted", 10, { { 100, 100 * S_NS } }, 10 },
	{ "one a second wanted", 1, { { 1000, 1000000 } }, 20 },
	{ "three kinds", 1000, { { 30000, 11000 }, { 3000, 130000 }, { 300, 900000 } }, 3 },
};

static void kinds_keep_their_share(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told[MAX_KINDS] = { { 0 } };
		uint64_t samples = 0, seconds = 60;
		struct ddp_thin t;

		ddp_thin_init(&t, rows[i].per_s, 20240229 + i);
		run(&t, rows[i].kinds, (int)seconds, told);
		for (int k = 0; k < MAX_KINDS && rows[i].kinds[k].per_s; k++) {
			double count = (double)rows[i].kinds[k].per_s * (double)seconds;
			double ns = count * (double)rows[i].kinds[k].ns;
			double off = 100 * fabs((double)told[k].value_ns / ns - 1);
			double count_off = 100 * fabs((double)told[k].count / count - 1);

			samples += told[k].samples;
			/* the last ones of the last second are not there yet */
			if (off > rows[i].percent + 0.2 || count_off > rows[i].percent + 1)
				fail_msg("%s: kind %d: time off by %.2f %%, count by %.2f %%",
					 rows[i].name, k, off, count_off);
		}
		/* the first second is when the step is found */
		if (samples > (seconds + 6) * rows[i].per_s)
			fail_msg("%s: %llu samples in %llu s", rows[i].name,
				 (unsigned long long)samples, (unsigned long long)seconds);
	}
}

/* A long one is a sample of its own, and tells what it is, however many short ones there are */
static void long_ones_stand_for_themselves(void **state)
{
	struct ddp_thin t;
	uint64_t value, longest = 0;

	(void)state;
	ddp_thin_init(&t, 100, 1);
	for (uint64_t i = 0; i < 200000; i++) {
		value = i % 1000 ? 20000 : 500000000;
		if (ddp_thin_admit(&t, &value, S_NS + i * 50000) && value > longest)
			longest = value;
		if (!(i % 1000))
			assert_int_equal(value, 500000000);
	}
	assert_int_equal(longest, 500000000);
}

/* When the load is over, what comes is told as it is from the next second on */
static void the_step_goes_with_the_load(void **state)
{
	struct ddp_thin t;
	uint64_t value, now = S_NS;
	uint32_t count;

	(void)state;
	ddp_thin_init(&t, 10, 9);
	for (int i = 0; i < 100000; i++, now += 100000) {
		value = 50000;
		ddp_thin_admit(&t, &value, now);
	}
	assert_true(t.step_ns > 50000);
	for (int i = 0; i < 5; i++) {
		now += 3 * S_NS;
		value = 7;
		count = ddp_thin_admit(&t, &value, now);
		assert_int_equal(count, 1);
		assert_int_equal(value, 7);
	}
}

/* Values and clocks that nobody should see: no division by zero, no count that is too large */
static void extremes(void **state)
{
	static const uint64_t values[] = { 0, 1, 999, S_NS, 1ULL << 32, 1ULL << 40, 1ULL << 61 };
	static const uint64_t nows[] = { 0, 1, S_NS, 5, 1ULL << 63, UINT64_MAX, 3 };

	(void)state;
	for (uint32_t per_s = 0; per_s < 3; per_s++) {
		struct ddp_thin t;

		ddp_thin_init(&t, per_s, 0);
		for (uint32_t i = 0; i < 100000; i++) {
			uint64_t value = values[(i * 7 + i / 50) % 7], own = value;
			uint32_t count = ddp_thin_admit(&t, &value, nows[i / 100 % 7]);

			assert_true(count <= INT32_MAX);
			assert_true(!count || value >= own);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_keep_their_share),
		cmocka_unit_test(long_ones_stand_for_themselves),
		cmocka_unit_test(the_step_goes_with_the_load),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
