/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deferred samples. The first sample of a process comes before anybody knows its mappings, and the
 * first in a file before its unwind table is there; short-lived processes have no other samples.
 * Such a sample is put aside in the interrupt: identity, registers, kernel frames and the top of
 * the user stack. The drain thread, which lists mappings within milliseconds, walks the copy when
 * what was missing has come, or when its time is up, and forgets it. The copy never leaves the
 * kernel.
 *
 * A fixed pool, claimed lock-free in interrupt and NMI context, given back by the drain thread.
 */
#ifndef DDP_DEFER_H
#define DDP_DEFER_H

#include <linux/types.h>

#include "core/record.h"
#include "core/unwind_user.h"

struct ddp_batch;
struct ddp_cpu;
struct ddp_defer;
struct ddp_mm_ref;
struct ddp_session;

/* The two names of a thread, copied once so that all records of a sample agree. */
struct ddp_names {
	char comm[DDP_COMM_MAX];
	char leader[DDP_COMM_MAX];
};

/*
 * A sample as the interrupt knows it. stack.frames holds the kernel half; the user half is to be
 * walked.
 */
struct ddp_defer_sample {
	const struct ddp_stack *stack;
	const struct ddp_names *names;
	const struct ddp_user_regs *regs;
	const struct ddp_mm_ref *mm;
	u32 weight;
	u64 value;
	bool has_value;
	u64 now_ns;
};

struct ddp_defer *ddp_defer_create(struct ddp_session *s);
/* No sampler runs any more. What is still there is lost; see ddp_defer_flush(). */
void ddp_defer_destroy(struct ddp_defer *d);

/*
 * Interrupt or NMI context of @c's CPU: put @s aside, reading the user stack by @w's function.
 * False when the pool is empty, or its address space has its share of it already.
 */
bool ddp_defer_put(struct ddp_cpu *c, const struct ddp_defer_sample *s, struct ddp_window *w);

/* Drain thread: write those that need not wait any longer; with @all all of them. */
void ddp_defer_flush(struct ddp_defer *d, struct ddp_batch *batch, bool all);
/* Drain thread: whether any is waiting. */
bool ddp_defer_waiting(const struct ddp_defer *d);

/* Memory of the pool. */
u64 ddp_defer_bytes(const struct ddp_defer *d);

#endif /* DDP_DEFER_H */
