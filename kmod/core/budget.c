// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The CPU budget's token bucket. Over any stretch of time the payments are at most the burst, the
 * budgeted share of that time, and the one sample that emptied the bucket; every skipped sample is
 * in a later weight. Safe against an NMI at any point, which then does its own whole update.
 */
#include "budget.h"

enum {
	/*
	 * The deepest debt. A handler is bounded by the depth of a stack, far below this: one that
	 * took longer was not busy but stood still (a paused virtual machine), and the silence that
	 * follows ends in one sample that stands for all of it. At 1 % that is half a second.
	 */
	MAX_DEBT_NS = DDP_BUDGET_BURST_NS,
	MAX_WEIGHT = 0x7fffffff,	/* what one stack-cache count can hold */
};

/* Time that fills the deepest debt at 1 permille; caps what the multiplication below sees. */
#define MAX_ELAPSED_NS	((u64)(MAX_DEBT_NS + DDP_BUDGET_BURST_NS) * 1000)

void ddp_budget_init(struct ddp_budget *b, u32 permille)
{
	memset(b, 0, sizeof(*b));
	b->permille = permille ? permille : 1;	/* a divisor below */
	b->tokens_ns = DDP_BUDGET_BURST_NS;
}

static s64 clamp_tokens(s64 tokens_ns)
{
	if (tokens_ns > DDP_BUDGET_BURST_NS)
		return DDP_BUDGET_BURST_NS;
	return tokens_ns < -MAX_DEBT_NS ? -MAX_DEBT_NS : tokens_ns;
}

/* The cmpxchg loops fail only when a nested NMI has made its own whole update. */
static void add_tokens(struct ddp_budget *b, s64 ns)
{
	s64 old, seen = ddp_load(&b->tokens_ns);

	do {
		old = seen;
		seen = ddp_cmpxchg_local(&b->tokens_ns, old, clamp_tokens(old + ns));
	} while (seen != old);
}

static void fill(struct ddp_budget *b, u64 now_ns)
{
	u64 last = ddp_load(&b->last_ns), elapsed, share, kept;

	if (last == now_ns)
		return;
	if (!last || now_ns < last) {
		/* the first time, or the clock went back: count from here */
		ddp_cmpxchg_local(&b->last_ns, last, now_ns);
		return;
	}
	elapsed = now_ns - last;
	if (elapsed > MAX_ELAPSED_NS)
		elapsed = MAX_ELAPSED_NS;
	share = elapsed * b->permille;
	/* keep the time behind a token's fraction, or short intervals would add up to nothing */
	kept = share % 1000 / b->permille;
	if (ddp_cmpxchg_local(&b->last_ns, last, now_ns - kept) == last)
		add_tokens(b, share / 1000);
}

static void add_skips(u64 *counter, u64 n)
{
	u64 old, seen = ddp_load(counter);

	do {
		old = seen;
		seen = ddp_cmpxchg_local(counter, old, old + n);
	} while (seen != old);
}

/* All that were skipped, as far as one weight can hold them. */
static u32 take_skipped(u64 *skipped)
{
	u64 old, weight, seen = ddp_load(skipped);

	do {
		old = seen;
		weight = old < MAX_WEIGHT ? old + 1 : MAX_WEIGHT;
		seen = ddp_cmpxchg_local(skipped, old, old - (weight - 1));
	} while (seen != old);
	return weight;
}

u32 ddp_budget_admit(struct ddp_budget *b, u64 *skipped, u64 now_ns)
{
	if (b->permille >= 1000)
		return take_skipped(skipped); /* given back, of a sample that got lost */
	fill(b, now_ns);
	if (ddp_load(&b->tokens_ns) > 0)
		return take_skipped(skipped);
	ddp_budget_skip(b, skipped, 1);
	return 0;
}

void ddp_budget_skip(struct ddp_budget *b, u64 *skipped, u32 n)
{
	add_skips(skipped, n);
	add_skips(&b->skipped_total, n);
}

/* One look at left: an NMI after it may have taken the last, and below zero there are milliards. */
bool ddp_pass_take(struct ddp_pass *p, u32 tick)
{
	u32 left = ddp_load(&p->left);

	if (!left || ddp_load(&p->tick) != tick)
		return false;
	ddp_store(&p->left, left - 1);
	return true;
}

void ddp_pass_learn(struct ddp_pass *p, bool admitted, u32 tick)
{
	u32 stride = ddp_load(&p->stride);

	if (admitted) {
		ddp_store(&p->stride, stride / 2);
		return;
	}
	stride = stride ? 2 * stride : 1;
	if (stride > DDP_PASS_MAX)
		stride = DDP_PASS_MAX;
	ddp_store(&p->stride, stride);
	ddp_store(&p->left, stride);
	ddp_store(&p->tick, tick);
}

void ddp_budget_owe(u64 *owed, u64 value)
{
	add_skips(owed, value);
}

u64 ddp_budget_take_owed(u64 *owed)
{
	u64 old, seen = ddp_load(owed);

	do {
		old = seen;
		seen = ddp_cmpxchg_local(owed, old, 0);
	} while (seen != old);
	return old;
}

void ddp_budget_give_back(u64 *skipped, u32 weight)
{
	if (weight > 1)
		add_skips(skipped, weight - 1);
}

void ddp_budget_pay(struct ddp_budget *b, u64 spent_ns)
{
	if (spent_ns > MAX_DEBT_NS + (u64)DDP_BUDGET_BURST_NS)
		spent_ns = MAX_DEBT_NS + (u64)DDP_BUDGET_BURST_NS;
	add_tokens(b, -(s64)spent_ns);
}
