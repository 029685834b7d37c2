/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One interrupt becomes one sample: who runs, its kernel and user stack, folded into the stack
 * cache or written to the ring. Called by the samplers in interrupt or NMI context of the CPU in
 * question.
 */
#ifndef DDP_CAPTURE_H
#define DDP_CAPTURE_H

#include "cpu.h"

struct ddp_walk;
struct pt_regs;

/*
 * Take a sample of what @regs interrupted. @value: what it stands for in the event's unit, where
 * that varies or the period is 1, so that one sample may be many events; ignored where the event
 * has another period. Interrupts are off; any lock may be held. Never sleeps, allocates, prints or
 * waits.
 */
void ddp_capture(struct ddp_cpu *c, struct pt_regs *regs, u32 event, u64 value);

/*
 * Take a sample of current, which runs again after being blocked and was interrupted at @regs;
 * NULL: they could not be found.
 */
void ddp_capture_block(struct ddp_cpu *c, struct pt_regs *regs, u32 event,
		       const struct ddp_block *block);

/* Count how a user walk ended, in @stats and in the file it ended in. */
void ddp_capture_count_walk(struct ddp_stats *stats, const struct ddp_walk *walk);

/* Tell the drain thread that this CPU has something for it. Any context of this CPU. */
void ddp_capture_wake(struct ddp_cpu *c);
/*
 * Something was written to this CPU's ring: tell the drain thread when it is filling. Once, until
 * the drain thread looks: telling it may be an event that is sampled.
 */
void ddp_capture_filled(struct ddp_cpu *c);

#endif /* DDP_CAPTURE_H */
