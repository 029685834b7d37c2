// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling by an in-kernel perf counter a CPU: hardware events, raw ones and those of the caches,
 * in NMI context where the PMU raises NMIs; software events and tracepoints, where they happen: in
 * any context, under any lock, the scheduler's included; and the CPU clock. Counters are made and
 * released by counters.c.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/perf_event.h>
#include <linux/time64.h>

#include "capture.h"
#include "sampler.h"

enum { DDP_FALLBACK_HZ = 99 }; /* when a count of hardware events was asked for */

static void ddp_perf_overflow(struct perf_event *event, struct perf_sample_data *data,
			      struct pt_regs *regs)
{
	struct ddp_cpu_event *ce = event->overflow_handler_context;
	unsigned long flags;

	/* software events and tracepoints may come with interrupts on; what follows shares */
	local_irq_save(flags);
	if (READ_ONCE(ce->cpu->online)) /* or the counter is waiting to be released */
		ddp_capture(ce->cpu, regs, ce->index, data->period);
	local_irq_restore(flags);
}

bool ddp_event_is_cpu_clock(const struct ddp_event *event)
{
	return event->sampler == DDPROF_SAMPLER_PERF && event->type == PERF_TYPE_SOFTWARE &&
	       (event->config == PERF_COUNT_SW_CPU_CLOCK ||
		event->config == PERF_COUNT_SW_TASK_CLOCK);
}

static struct perf_event *ddp_perf_create(const struct ddp_event *event, u32 cpu,
					  perf_overflow_handler_t handler, void *context)
{
	struct perf_event_attr attr = {
		.type = event->type,
		.config = event->config,
		.size = sizeof(attr),
	};

	if (event->period) {
		attr.sample_period = event->period;
	} else {
		attr.freq = 1;
		attr.sample_freq = event->frequency_hz;
	}
	/* Some tracepoints count nanoseconds: one call for all of them rather than one for each. */
	if (event->period == 1)
		attr.sample_type = PERF_SAMPLE_PERIOD;
	return perf_event_create_kernel_counter(&attr, cpu, NULL, handler, context);
}

/* Tries an event on one CPU; the counter is gone again when it returns. */
static int ddp_perf_try(const struct ddp_event *event)
{
	struct perf_event *perf;

	perf = ddp_perf_create(event, cpumask_first(cpu_online_mask), NULL, NULL);
	if (IS_ERR(perf))
		return PTR_ERR(perf);
	perf_event_release_kernel(perf);
	return 0;
}

void ddp_event_use_cpu_clock(struct ddp_event *event)
{
	u32 hz = event->frequency_hz ? event->frequency_hz : DDP_FALLBACK_HZ;

	event->type = PERF_TYPE_SOFTWARE;
	event->config = PERF_COUNT_SW_CPU_CLOCK;
	event->period = div_u64(NSEC_PER_SEC, hz);
	event->unit = DDPROF_UNIT_NANOSECONDS;
}

static const char *ddp_perf_missing(const struct ddp_event *event)
{
	switch (event->type) {
	case PERF_TYPE_SOFTWARE:
		return "this kernel does not have this software event";
	case PERF_TYPE_TRACEPOINT:
		return "no tracepoint of this id can be sampled; see events/ in tracefs";
	default:
		return "this machine, or its hypervisor, does not count this hardware event";
	}
}

static int ddp_perf_resolve(struct ddp_event *event, const char **missing,
			    struct netlink_ext_ack *extack)
{
	int ret;

	if (ddp_event_is_cpu_clock(event)) {
		if (!event->period)
			event->period = div_u64(NSEC_PER_SEC, event->frequency_hz);
		event->unit = DDPROF_UNIT_NANOSECONDS;
		return 0;
	}
	if (event->type > PERF_TYPE_RAW) {
		NL_SET_ERR_MSG(extack,
			       "an EVENT_TYPE is hardware, software, tracepoint, hw cache or raw");
		return -EOPNOTSUPP;
	}
	event->unit = DDPROF_UNIT_EVENTS;
	ret = ddp_perf_try(event);
	*missing = ddp_perf_missing(event);
	return ret == -ENOMEM ? ret : -ret;
}

static int ddp_perf_make(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	struct perf_event *perf = ddp_perf_create(event, ce->cpu->cpu, ddp_perf_overflow, ce);

	if (IS_ERR(perf))
		return PTR_ERR(perf);
	ce->perf = perf;
	return 0;
}

static void ddp_perf_release(struct ddp_cpu_event *ce)
{
	perf_event_release_kernel(ce->perf);
	ce->perf = NULL;
}

const struct ddp_sampler_ops ddp_sampler_perf = {
	.resolve = ddp_perf_resolve,
	.make = ddp_perf_make,
	.release = ddp_perf_release,
};
