/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Off-CPU time: how long threads were blocked, from the sched_switch tracepoint. Where a thread
 * that blocks leaves its CPU, moment and state go into a table; where it runs again the difference
 * is known, and if it is to be a sample an irq_work of that CPU is raised. That interrupt comes as
 * soon as the switch is over, with the thread current and its stacks in place: it is captured like
 * any other sample. The tracepoint runs under the run queue's lock: it takes none, wakes nobody,
 * reads the clock once and looks at two cache lines a thread. Called by session.c;
 * ddp_sampler_offcpu is in sampler.h.
 */
#ifndef DDP_OFFCPU_H
#define DDP_OFFCPU_H

#include <linux/types.h>

struct ddp_offcpu;
struct ddp_session;

/* Find the tracepoint of this kernel, once. */
void ddp_offcpu_init(void);

/* For event @event of the session; NULL: no memory. */
struct ddp_offcpu *ddp_offcpu_create(u32 event, u64 min_ns);
void ddp_offcpu_destroy(struct ddp_offcpu *o);

/* From here on threads that leave their CPU are remembered. */
int ddp_offcpu_trace_start(struct ddp_session *session);
/*
 * The sampler is stopped on every CPU. A callback may still run until the task tracepoints, which
 * were on before, have stopped and were waited for.
 */
void ddp_offcpu_trace_stop(struct ddp_session *session);

#endif /* DDP_OFFCPU_H */
