/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The CPU budget: sampling on one CPU takes at most a given share of its time. A token bucket of
 * nanoseconds: it fills at permille/1000 of the clock up to one burst, each sample pays what its handler took,
 * and while it is empty samples are skipped. The next one that is taken stands for those skipped before it.
 * Pure arithmetic; one CPU's contexts only, nested at will: an NMI inside an interrupt's update
 * loses no payment and no skipped sample. Called by kmod/capture.
 */
#ifndef DDP_CORE_BUDGET_H
#define DDP_CORE_BUDGET_H

#include "port.h"

enum { DDP_BUDGET_BURST_NS = 5 * 1000 * 1000 }; /* lets a first sample after silence be slow */

struct ddp_budget {
	u32 permille;		/* 1..1000; 1000 never skips */
	u64 last_ns;		/* when the bucket was last filled, 0: never */
	s64 tokens_ns;		/* may go below zero */
	u64 skipped;		/* since the last sample that was taken */
	u64 skipped_total;
};

void ddp_budget_init(struct ddp_budget *b, u32 permille);
/* 0: skip this sample (counted). Else take it with this weight, >= 1: itself and those skipped before it. */
u32 ddp_budget_admit(struct ddp_budget *b, u64 now_ns);
/* What the handler took. */
void ddp_budget_pay(struct ddp_budget *b, u64 spent_ns);

#endif /* DDP_CORE_BUDGET_H */
