/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The CPU budget: sampling on one CPU takes at most a given share of its time. A token bucket of
 * nanoseconds: it fills at permille/1000 of the clock up to one burst, each sample pays what its
 * handler took, and while it is empty samples are skipped. The next one of the same event that is
 * taken stands for those skipped before it. Pure arithmetic, one CPU's contexts only, exact also
 * when an NMI interrupts it at any point. Called by kmod/capture.
 */
#ifndef DDP_CORE_BUDGET_H
#define DDP_CORE_BUDGET_H

#include "port.h"

enum { DDP_BUDGET_BURST_NS = 5 * 1000 * 1000 }; /* lets a first sample after silence be slow */

struct ddp_budget {
	u32 permille;		/* 1..1000; 1000 never skips */
	u64 last_ns;		/* when the bucket was last filled, 0: never */
	s64 tokens_ns;		/* may go below zero */
	u64 skipped_total;	/* of all events */
};

void ddp_budget_init(struct ddp_budget *b, u32 permille);
/*
 * 0: skip this sample (counted in @skipped, which belongs to its event). Else take it with this
 * weight, >= 1: itself and those of its event skipped before it.
 */
u32 ddp_budget_admit(struct ddp_budget *b, u64 *skipped, u64 now_ns);
/* The same as @n times 0: they are skipped without being asked for. */
void ddp_budget_skip(struct ddp_budget *b, u64 *skipped, u32 n);
/* A sample that was taken with this weight got lost: the next one stands for those it stood for. */
void ddp_budget_give_back(u64 *skipped, u32 weight);
/*
 * Of events whose values differ, what was skipped is owed in value as well: more of it; all of it,
 * for the sample that is taken.
 */
void ddp_budget_owe(u64 *owed, u64 value);
u64 ddp_budget_take_owed(u64 *owed);
/* What the handler took. */
void ddp_budget_pay(struct ddp_budget *b, u64 spent_ns);

/*
 * An event that comes a million times a second costs more than its share by being skipped alone,
 * if that takes a look at the clock. While the budget refuses one after the other, ever more of
 * them, up to DDP_PASS_MAX, are skipped without asking; but not beyond the tick in which it
 * refused: of an event that comes seldom, or seldom again, none is skipped that the budget has room
 * for. All zero in the beginning.
 */
enum { DDP_PASS_MAX = 1024 };

struct ddp_pass {
	u32 left;		/* to skip before the next is asked for */
	u32 stride;		/* how many the last refusal was worth */
	u32 tick;		/* of the last refusal */
};

/* Whether to skip this one without asking. @tick: of any clock that costs nothing to look at. */
bool ddp_pass_take(struct ddp_pass *p, u32 tick);
/* What the budget answered to one that was asked for. */
void ddp_pass_learn(struct ddp_pass *p, bool admitted, u32 tick);

#endif /* DDP_CORE_BUDGET_H */
