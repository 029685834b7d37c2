/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Perf counters follow CPUs. Making or releasing a software event or a tracepoint patches code
 * under the CPU hotplug lock, which whoever brings a CPU up or down holds until our callback
 * returns: no callback may do it. So counters are made by START, for CPUs that come later by a work
 * item, and released by that or at the session's end. A callback only says that a CPU came
 * (ddp_cpu.ups, .online) and queues the work; until it has run, the CPU is not sampled by
 * these events. What a counter that is not released yet still reports is dropped by .online.
 *
 * Locks: counters->lock is taken by START, the work and the session's end, in process context, and
 * comes before the CPU hotplug lock. No callback and no sampler takes it.
 */
#ifndef DDP_COUNTERS_H
#define DDP_COUNTERS_H

#include <linux/mutex.h>
#include <linux/workqueue.h>

struct ddp_session;

struct ddp_counters {
	struct mutex lock;		/* guards perf and made_for of all struct ddp_cpu_event */
	struct work_struct work;
	bool any;			/* counters were made */
};

void ddp_counters_init(struct ddp_counters *counters);
/* Process context, callbacks already registered: make what the online CPUs need, or say why not. */
int ddp_counters_start(struct ddp_session *s);
/* A CPU came or went. Hotplug callback. */
void ddp_counters_changed(struct ddp_session *s);
/*
 * Callbacks are unregistered: release all. When it returns no counter's handler runs, and none
 * will.
 */
void ddp_counters_stop(struct ddp_session *s);

#endif /* DDP_COUNTERS_H */
