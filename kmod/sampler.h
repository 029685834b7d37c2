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
	 * Fill in period, unit and fallback of @event, or say why this machine cannot. May sleep.
	 */
	int (*resolve)(struct ddp_event *event, struct netlink_ext_ack *extack);
	/* On the CPU itself (hotplug callback), may sleep: arm. */
	int (*start)(struct ddp_cpu_event *ce, const struct ddp_event *event);
	/* On the CPU itself: disarm; when it returns no interrupt of it runs. */
	void (*stop)(struct ddp_cpu_event *ce);
};

extern const struct ddp_sampler_ops ddp_sampler_hrtimer, ddp_sampler_perf;

#endif /* DDP_SAMPLER_H */
