/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What makes a CPU look at itself now and then. A sampler implements these operations and calls
 * ddp_capture() from its interrupt; session.c calls the operations.
 */
#ifndef DDP_SAMPLER_H
#define DDP_SAMPLER_H

#include "cpu.h"
#include "session.h"

struct ddp_sampler_ops {
	/*
	 * Fill in period and unit of @event. May sleep. 0; a negative errno: START is refused,
	 * @extack says why; a positive one: this machine does not have it, *missing says what.
	 */
	int (*resolve)(struct ddp_event *event, const char **missing,
		       struct netlink_ext_ack *extack);

	/* Either these: on the CPU itself (hotplug callback), may sleep: arm. */
	int (*start)(struct ddp_cpu_event *ce, const struct ddp_event *event);
	/* On the CPU itself: disarm; when it returns no interrupt of it runs. */
	void (*stop)(struct ddp_cpu_event *ce);

	/*
	 * Or these, where arming needs the CPU hotplug lock: anywhere in process context, see
	 * counters.h. make: -ENODEV when the CPU is not online (any more).
	 */
	int (*make)(struct ddp_cpu_event *ce, const struct ddp_event *event);
	void (*release)(struct ddp_cpu_event *ce);
};

/* Whether it is perf's CPU clock; making it one, at the event's frequency if it has one. */
bool ddp_event_is_cpu_clock(const struct ddp_event *event);
void ddp_event_use_cpu_clock(struct ddp_event *event);

extern const struct ddp_sampler_ops ddp_sampler_hrtimer, ddp_sampler_perf, ddp_sampler_offcpu;

#endif /* DDP_SAMPLER_H */
