/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Thinning: of a stream of durations, about as many samples a second as are wanted, so that each
 * kind of duration keeps its share. While there are fewer, each is a sample of its own. With more,
 * there is a step: what is at least as long is still a sample of its own; of the shorter ones, laid
 * end to end, each whole step has one sample at a random place, and whoever lies there stands for
 * the step. So a duration is taken with the probability duration / step and counts as one step: the
 * expected total of every kind is exact, long ones never vanish into others, and no rhythm of the
 * stream can hide from the samples. The step follows the last second.
 *
 * Integers only, no context; one CPU's interrupt-off contexts only. Called by kmod/offcpu.
 */
#ifndef DDP_CORE_THIN_H
#define DDP_CORE_THIN_H

#include "port.h"

struct ddp_thin {
	u32 per_s;		/* samples a second that are wanted, >= 1 */
	u64 step_ns;		/* 0: everything is taken */
	u64 window_end_ns;	/* of the second that is being counted; 0: none yet */
	u64 window_sum_ns;	/* durations seen in it, single long ones cut */
	u32 window_seen;
	u32 taken;		/* since the step last changed */
	/* the step that the short ones are in, how far they have come, where its sample is */
	u64 stratum_ns, at_ns, pick_ns;
	u64 random;		/* xorshift state, never 0 */
};

/* @seed: any number, another for each CPU. */
void ddp_thin_init(struct ddp_thin *t, u32 per_s, u64 seed);

/*
 * How many durations like this one it is to stand for, 0: it is no sample. *@value_ns, its
 * duration, becomes what they take together.
 */
u32 ddp_thin_admit(struct ddp_thin *t, u64 *value_ns, u64 now_ns);

#endif /* DDP_CORE_THIN_H */
