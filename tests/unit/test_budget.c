// SPDX-License-Identifier: Apache-2.0
/* The CPU budget over simulated hours: the share holds, and every skipped sample is in a weight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/core/budget.h"

struct run {
	u64 taken, skipped, weights, spent_ns, elapsed_ns;
};

static u32 rnd;

static u64 skipped;	/* of the one event that these tests have */

static u32 random_u32(void)
{
	rnd = rnd * 1664525 + 1013904223;
	return rnd >> 8;
}

/* @n samples @period_ns apart, each costing up to twice @cost_ns */
static struct run simulate(struct ddp_budget *b, u32 n, u64 period_ns, u32 cost_ns)
{
	struct run r = { 0 };
	u64 now = 1000000000, start = now;
	u32 i;

	for (i = 0; i < n; i++) {
		u32 weight = ddp_budget_admit(b, &skipped, now);
		u32 cost = cost_ns ? random_u32() % (2 * cost_ns) : 0;

		r.weights += weight;
		if (weight) {
			r.taken++;
			r.spent_ns += cost;
			ddp_budget_pay(b, cost);
		} else {
			r.skipped++;
		}
		now += period_ns;
	}
	r.elapsed_ns = now - start;
	return r;
}

static void share_holds(void **state)
{
	static const struct {
		const char *name;
		u32 permille, cost_ns;
		u64 period_ns;
		bool skips;
	} rows[] = {
		{ "cheap samples", 10, 2000, 10000000, false },
		{ "just over", 10, 120000, 10000000, true },
		{ "ten times over", 10, 1000000, 10000000, true },
		{ "the smallest share, often", 1, 2000, 100000, true },
		{ "intervals below a token", 1, 200, 700, true },
		{ "half the CPU", 500, 90000, 100000, true },
		{ "all but nothing", 999, 200000, 100000, true },
		{ "slow samples, rarely", 10, 3000000, 1000000000, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_budget b;
		struct run r;
		u64 allowed;

		rnd = 7;
		skipped = 0;
		ddp_budget_init(&b, rows[i].permille);
		r = simulate(&b, 200000, rows[i].period_ns, rows[i].cost_ns);
		allowed = r.elapsed_ns / 1000 * rows[i].permille + DDP_BUDGET_BURST_NS +
			  2 * rows[i].cost_ns;
		if (r.spent_ns > allowed)
			fail_msg("%s: spent %llu of %llu ns", rows[i].name,
				 (unsigned long long)r.spent_ns, (unsigned long long)allowed);
		/* and what the budget grants is used, to a tenth */
		if (rows[i].skips && r.spent_ns < allowed / 10 * 9)
			fail_msg("%s: only %llu of %llu ns", rows[i].name,
				 (unsigned long long)r.spent_ns, (unsigned long long)allowed);
		if (!!r.skipped != rows[i].skips)
			fail_msg("%s: skipped %llu", rows[i].name, (unsigned long long)r.skipped);
		assert_int_equal(r.weights + skipped, r.taken + r.skipped);
		assert_int_equal(b.skipped_total, r.skipped);
	}
}

static void the_whole_cpu_never_skips(void **state)
{
	struct ddp_budget b;

	(void)state;
	skipped = 0;
	ddp_budget_init(&b, 1000);
	assert_int_equal(simulate(&b, 10000, 1000, 1000000).taken, 10000);
}

static void odd_clocks_are_harmless(void **state)
{
	static const struct {
		const char *name;
		u64 then, now;
		u32 weight;	/* of an empty bucket's next sample */
	} rows[] = {
		{ "stands still", 1000, 1000, 0 },
		{ "goes back a little", 1000, 999, 0 },
		{ "goes back to 0", 1ULL << 62, 0, 0 },
		{ "one period", 1000, 10001000, 0 },
		{ "half a minute", 1000, 30000000000, 2 },
		{ "ten years", 1000, 315360000000000000, 2 },
		{ "to the end", 1, ~0ULL, 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_budget b;

		skipped = 0;
		ddp_budget_init(&b, 10);
		assert_int_equal(ddp_budget_admit(&b, &skipped, rows[i].then), 1);
		ddp_budget_pay(&b, 50000000);
		assert_int_equal(ddp_budget_admit(&b, &skipped, rows[i].then), 0);
		if (ddp_budget_admit(&b, &skipped, rows[i].now) != rows[i].weight)
			fail_msg("%s", rows[i].name);
		assert_true(b.tokens_ns <= DDP_BUDGET_BURST_NS);
	}
}

/* After the clock went back it counts on from there. */
static void a_turned_back_clock_goes_on(void **state)
{
	struct ddp_budget b;

	(void)state;
	skipped = 0;
	ddp_budget_init(&b, 10);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 1ULL << 62), 1);
	ddp_budget_pay(&b, 6000000);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 5), 0);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 1000000000), 2);
}

/* A handler that stood still for an hour costs half a second of silence at one percent. */
static void debt_is_bounded(void **state)
{
	struct ddp_budget b;

	(void)state;
	skipped = 0;
	ddp_budget_init(&b, 10);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 1000), 1);
	ddp_budget_pay(&b, 3600000000000);
	ddp_budget_pay(&b, ~0ULL);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 450000000), 0);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 510000000), 2);
}

/* Each event's skips are its own, and a lost sample's weight is carried on. */
static void events_are_weighed_apart(void **state)
{
	u64 clock = 0, cache_misses = 0;
	struct ddp_budget b;

	(void)state;
	ddp_budget_init(&b, 10);
	ddp_budget_pay(&b, DDP_BUDGET_BURST_NS);
	assert_int_equal(ddp_budget_admit(&b, &clock, 1), 0);
	assert_int_equal(ddp_budget_admit(&b, &clock, 2), 0);
	assert_int_equal(ddp_budget_admit(&b, &cache_misses, 1000000000), 1);
	assert_int_equal(ddp_budget_admit(&b, &clock, 1000000001), 3);
	ddp_budget_give_back(&clock, 3);
	assert_int_equal(ddp_budget_admit(&b, &clock, 1000000002), 3);
	ddp_budget_give_back(&clock, 1);
	assert_int_equal(clock, 0);
	assert_int_equal(b.skipped_total, 2);
}

/* Skipped without being asked for is the same in the end. */
static void skips_are_weighed(void **state)
{
	struct ddp_budget b;
	u64 mine = 0;

	(void)state;
	ddp_budget_init(&b, 10);
	ddp_budget_pay(&b, DDP_BUDGET_BURST_NS);
	assert_int_equal(ddp_budget_admit(&b, &mine, 1), 0);
	ddp_budget_skip(&b, &mine, 7);
	assert_int_equal(b.skipped_total, 8);
	assert_int_equal(ddp_budget_admit(&b, &mine, 1000000000), 9);
}

/*
 * A flood of events, each a look at the clock of so many ns when it is asked for and a sample of 2 us
 * when it is admitted: the share holds, nothing is uncounted.
 */
static void floods_cost_their_share(void **state)
{
	enum { LOOK_NS = 70, SAMPLE_NS = 2000, PASS_NS = 3, SECONDS = 4, TICK_NS = 4000000 };
	static const struct {
		const char *name;
		u64 every_ns;
		u32 most_asked;		/* of a thousand */
	} rows[] = {
		{ "a thousand a second", 1000000, 1000 },
		{ "a hundred thousand", 10000, 1000 },
		{ "a million", 1000, 100 },
		{ "five millions", 200, 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		u64 now = 1, mine = 0, events = 0, asked = 0, taken = 0, weights = 0, spent = 0;
		struct ddp_pass pass = { 0 };
		struct ddp_budget b;

		ddp_budget_init(&b, 10);
		for (; now < SECONDS * 1000000000ULL; now += rows[i].every_ns, events++) {
			u32 weight, cost = PASS_NS;

			if (ddp_pass_take(&pass, now / TICK_NS)) {
				ddp_budget_skip(&b, &mine, 1);
				spent += cost;
				continue;
			}
			weight = ddp_budget_admit(&b, &mine, now);
			ddp_pass_learn(&pass, weight, now / TICK_NS);
			cost = weight ? SAMPLE_NS : LOOK_NS;
			ddp_budget_pay(&b, cost);
			asked++;
			taken += !!weight;
			weights += weight;
			spent += cost;
		}
		if (weights + mine != events)
			fail_msg("%s: %" PRIu64 " of %" PRIu64, rows[i].name, weights + mine,
				 events);
		if (asked * 1000 > events * rows[i].most_asked || taken < SECONDS * 100)
			fail_msg("%s: %" PRIu64 " asked, %" PRIu64 " taken", rows[i].name, asked,
				 taken);
		/* 1 %, the first burst, and 3 ns for each that is passed over */
		if (spent > SECONDS * 10000000 + 5000000 + PASS_NS * events)
			fail_msg("%s: %" PRIu64 " ns", rows[i].name, spent);
	}
}

/* After a flood nothing that comes seldom is skipped unasked, however much was in the flood. */
static void floods_end(void **state)
{
	struct ddp_pass pass = { 0 };
	u32 i, tick = 0xffffffff;

	(void)state;
	for (i = 0; i < 20; i++)
		ddp_pass_learn(&pass, false, tick);
	for (i = 0; i < 3; i++)
		assert_true(ddp_pass_take(&pass, tick));
	assert_false(ddp_pass_take(&pass, tick + 1));
	/* another event was admitted in its place, again and again: each tick it is asked for */
	for (i = 0; i < 100; i++) {
		assert_false(ddp_pass_take(&pass, ++tick));
		ddp_pass_learn(&pass, false, tick);
	}
	for (i = 0; ddp_pass_take(&pass, tick); i++)
		;
	assert_int_equal(i, DDP_PASS_MAX);
}

/* What differs in value is owed as much as was skipped, not so often what the next one is. */
static void values_are_owed(void **state)
{
	u64 owed = 0;

	(void)state;
	ddp_budget_owe(&owed, 1);
	ddp_budget_owe(&owed, 1000000);
	assert_int_equal(ddp_budget_take_owed(&owed), 1000001);
	assert_int_equal(ddp_budget_take_owed(&owed), 0);
}

/* Without a budget too: a sample for many events that got lost is in the next one. */
static void lost_ones_are_weighed_without_a_budget(void **state)
{
	struct ddp_budget b;
	u64 mine = 0;

	(void)state;
	ddp_budget_init(&b, 1000);
	assert_int_equal(ddp_budget_admit(&b, &mine, 1), 1);
	ddp_budget_give_back(&mine, 100);
	assert_int_equal(ddp_budget_admit(&b, &mine, 2), 100);
	assert_int_equal(ddp_budget_admit(&b, &mine, 3), 1);
}

/* A weight has to fit a stack-cache count; the rest waits for the next. */
static void huge_weights_are_split(void **state)
{
	struct ddp_budget b;

	(void)state;
	skipped = 0x100000000;
	ddp_budget_init(&b, 10);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 1), 0x7fffffff);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 2), 0x7fffffff);
	assert_int_equal(ddp_budget_admit(&b, &skipped, 3), 0x100000003 - 2 * 0x7fffffffULL);
	assert_int_equal(skipped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_holds),
		cmocka_unit_test(the_whole_cpu_never_skips),
		cmocka_unit_test(odd_clocks_are_harmless),
		cmocka_unit_test(a_turned_back_clock_goes_on),
		cmocka_unit_test(debt_is_bounded),
		cmocka_unit_test(events_are_weighed_apart),
		cmocka_unit_test(skips_are_weighed),
		cmocka_unit_test(floods_cost_their_share),
		cmocka_unit_test(floods_end),
		cmocka_unit_test(values_are_owed),
		cmocka_unit_test(lost_ones_are_weighed_without_a_budget),
		cmocka_unit_test(huge_weights_are_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
