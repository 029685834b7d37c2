/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one CPU owns during a session: its ring, stack cache, budget, scratch memory and counters.
 * Made when the CPU is first seen online, kept until the session is freed. kmalloc memory of the
 * CPU's own node: NMIs touch all of it. Written by the samplers and tracepoints on that CPU,
 * drained by the drain thread; see docs/concurrency.md.
 */
#ifndef DDP_CPU_H
#define DDP_CPU_H

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/perf_event.h>
#include <uapi/ddprof.h>

#include "core/budget.h"
#include "core/record.h"
#include "core/ring.h"
#include "core/stack_cache.h"
#include "core/thin.h"
#include "core/unwind_user.h"

struct ddp_session;
struct ddp_cpu;

/*
 * Contexts that nest on one CPU. Task context writes with interrupts off, so it shares the first.
 */
enum ddp_level {
	DDP_LEVEL_IRQ,
	DDP_LEVEL_NMI,
	DDP_NR_LEVELS,
};

/*
 * Totals since START. One set a level, so that no update is ever interrupted by another of the same
 * set.
 */
struct ddp_stats {
	u64 samples, folded, new_stacks;
	u64 idle, out_of_scope, no_regs, no_aspace;
	u64 lost_ring, lost_nested, lost_tasks;
	u64 deferred, defer_full, guessed;
	u64 blocks, blocks_short, blocks_thinned, blocks_lost;
	u64 kernel_end[__DDPROF_END_MAX], user_end[__DDPROF_END_MAX];
	u64 handler_ns, handler_max_ns;
};

/* Everything a walk needs to write to. */
struct ddp_scratch {
	bool busy;		/* a sample of this level is being taken */
	struct ddp_window window;
	struct ddp_memo memo;
	bool user_loaded;	/* current's memory was read in this sample */
	u64 *frames;		/* session depth */
	u8 *records;		/* records_size bytes: HIT, STACK, HIT */
	u32 records_size;
	struct ddp_stats stats;
};

/* Time that a thread was blocked, on its way to a sample. */
struct ddp_block {
	u32 tid;		/* 0: none */
	u32 state;		/* enum ddprof_task_state */
	u32 count;		/* blocks like this that it stands for */
	u64 value_ns;		/* of them together */
};

/* One event of the session on one CPU. */
struct ddp_cpu_event {
	struct ddp_cpu *cpu;
	u32 index;		/* in session->events */
	struct hrtimer timer;	/* sampler hrtimer */
	/* sampler perf, guarded by counters->lock: */
	struct perf_event *perf; /* NULL: none */
	u32 made_for;		/* cpu->ups when it was made; 0: there is none */
	u64 skipped;		/* samples for the budget, to be in the next one's weight */
	u64 owed;		/* value of the skipped, where it varies, to be in the next one's */
	struct ddp_pass pass;
	u64 missed;		/* timer periods that passed without an interrupt */
	bool started;

	/* sampler offcpu, with interrupts off on this CPU */
	bool armed;		/* from its start to its stop */
	struct ddp_thin thin;
	struct ddp_block block;	/* that ended, until its interrupt comes */
	struct irq_work woken;
};

enum { DDP_THREADS_SEEN = 256 };

struct ddp_cpu {
	struct ddp_session *session;
	u32 cpu;
	bool online;		/* being sampled */
	bool woken;		/* the drain thread knows that the ring is filling */
	u32 ups;		/* how often it came online, from 1 */

	struct ddp_ring ring;
	struct ddp_stack_cache cache;
	struct ddp_budget budget;
	struct ddp_scratch level[DDP_NR_LEVELS];
	u64 threads_seen[DDP_THREADS_SEEN]; /* digests of names the collector knows, by tid */
	struct ddp_cpu_event events[DDPROF_MAX_EVENTS];
	struct irq_work wake;	/* this CPU has something to drain now */

	/* drain thread only */
	struct ddp_stats deferred_stats; /* of samples that the drain thread walked */
	bool resync;		/* the next message says so */
	u64 messages, bytes;
	u64 lost_told;		/* sum of the loss counters in its last message */
};

/* Memory of one CPU in this session. */
u64 ddp_cpu_bytes(const struct ddp_session *session);

/* May sleep. The CPU's memory, or NULL. */
struct ddp_cpu *ddp_cpu_create(struct ddp_session *session, u32 cpu);
/* Nothing may run on it any more; waits for its irq_work. */
void ddp_cpu_destroy(struct ddp_cpu *c);

/*
 * All levels and the deferred samples added up. Racy reads of growing counters: each is true at
 * some moment.
 */
void ddp_cpu_stats(const struct ddp_cpu *c, struct ddp_stats *ret);
/* Timer periods that passed without an interrupt, of all events. */
u64 ddp_cpu_missed(const struct ddp_cpu *c);
/* All that this CPU could not deliver, as one growing number. */
u64 ddp_cpu_lost(const struct ddp_cpu *c, const struct ddp_stats *stats);
/* Drain thread: has more been lost or skipped than its last message said? */
bool ddp_cpu_lost_more(const struct ddp_cpu *c);

#endif /* DDP_CPU_H */
