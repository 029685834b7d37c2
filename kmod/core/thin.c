// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * See thin.h. Stratified sampling in proportion to size: a step is a stratum, its sample a
 * uniformly random point. Another step begins with the next stratum, so that none is told as more
 * or less than it was.
 */
#include "thin.h"

#define WINDOW_NS	1000000000ULL
#define MAX_STEP_NS	(1ULL << 50)	/* 13 days, with room for a thousand of them in a sum */
#define MAX_COUNT	0x7fffffffU	/* what one record's count may be */

/* Marsaglia's xorshift64: any good spread will do here, nothing depends on its being secret */
static u32 next_random(struct ddp_thin *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (u32)(t->random >> 32);
}

void ddp_thin_init(struct ddp_thin *t, u32 per_s, u64 seed)
{
	memset(t, 0, sizeof(*t));
	t->per_s = per_s ? per_s : 1;
	t->random = seed ? seed : 1;
}

/* The step with which a second like the last one gives as many samples as are wanted */
static u64 step_of(const struct ddp_thin *t)
{
	u64 step_ns = t->window_seen > t->per_s ? t->window_sum_ns / t->per_s : 0;

	return step_ns < MAX_STEP_NS ? step_ns : MAX_STEP_NS;
}

static void roll_window(struct ddp_thin *t, u64 now_ns)
{
	if (t->window_end_ns && now_ns < t->window_end_ns &&
	    t->window_end_ns - now_ns <= WINDOW_NS)
		return;
	/* a second without any, or a clock that went back: nothing is known of the last one */
	if (now_ns < t->window_end_ns || now_ns - t->window_end_ns >= WINDOW_NS)
		t->window_seen = 0;
	t->step_ns = step_of(t);
	t->taken = 0;
	t->window_end_ns = now_ns + WINDOW_NS;
	t->window_sum_ns = 0;
	t->window_seen = 0;
}

/* As many as were wanted, before the second is over: fewer from here on */
static void count_taken(struct ddp_thin *t)
{
	u64 step_ns = t->window_sum_ns / t->per_s;

	if (++t->taken < t->per_s)
		return;
	t->taken = 0;
	if (step_ns < t->step_ns * 4)
		step_ns = t->step_ns * 4;
	t->step_ns = step_ns < MAX_STEP_NS ? step_ns : MAX_STEP_NS;
}

/* A single long one is a sample anyway: it should not make the step coarse for all others */
static void add_to_window(struct ddp_thin *t, u64 value_ns)
{
	u64 most_ns = t->step_ns * 4 > WINDOW_NS ? t->step_ns * 4 : WINDOW_NS;

	t->window_seen++;
	t->window_sum_ns += value_ns < most_ns ? value_ns : most_ns;
}

static u64 random_below(struct ddp_thin *t, u64 limit)
{
	u64 random = next_random(t);

	/* random * limit / 2^32, whose product has 96 bits */
	return random * (limit >> 32) + (random * (u32)limit >> 32);
}

/* Lays @by_ns, shorter than the step, behind what was there: what its samples stand for */
static u64 pass(struct ddp_thin *t, u64 by_ns)
{
	u64 left_ns = t->stratum_ns - t->at_ns, told_ns = 0;

	if (by_ns >= left_ns) {
		if (t->pick_ns >= t->at_ns)
			told_ns += t->stratum_ns;
		by_ns -= left_ns;
		t->stratum_ns = t->step_ns;
		t->at_ns = 0;
		t->pick_ns = random_below(t, t->stratum_ns);
	}
	if (t->pick_ns >= t->at_ns && t->pick_ns - t->at_ns < by_ns)
		told_ns += t->stratum_ns;
	t->at_ns += by_ns;
	return told_ns;
}

/* How often @own_ns goes into @value_ns, the rest rounded at random: so the mean is right */
static u32 times(struct ddp_thin *t, u64 value_ns, u64 own_ns)
{
	u64 count;

	if (!own_ns)
		return 1;
	count = value_ns / own_ns + (random_below(t, own_ns) < value_ns % own_ns);
	return count < MAX_COUNT ? (u32)count : MAX_COUNT;
}

u32 ddp_thin_admit(struct ddp_thin *t, u64 *value_ns, u64 now_ns)
{
	u64 own_ns = *value_ns, told_ns;

	roll_window(t, now_ns);
	add_to_window(t, own_ns);
	if (own_ns >= t->step_ns) {
		count_taken(t);
		return 1;
	}
	told_ns = pass(t, own_ns);
	if (!told_ns)
		return 0;
	count_taken(t);
	*value_ns = told_ns;
	return times(t, told_ns, own_ns);
}
