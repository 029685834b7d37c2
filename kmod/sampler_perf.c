// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling by an in-kernel perf counter a CPU: any type and config that perf knows, in NMI context
 * where the PMU raises NMIs. An event that this machine does not have (a virtual machine without
 * PMU) is replaced by the CPU clock, and the collector is told the errno.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
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

	ddp_capture(ce->cpu, regs, ce->index, data->period);
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
	return perf_event_create_kernel_counter(&attr, cpu, NULL, handler, context);
}

static bool ddp_perf_is_cpu_clock(const struct ddp_event *event)
{
	return event->type == PERF_TYPE_SOFTWARE &&
	       (event->config == PERF_COUNT_SW_CPU_CLOCK ||
		event->config == PERF_COUNT_SW_TASK_CLOCK);
}

static bool ddp_perf_is_hardware(const struct ddp_event *event)
{
	return event->type == PERF_TYPE_HARDWARE || event->type == PERF_TYPE_HW_CACHE ||
	       event->type == PERF_TYPE_RAW;
}

/* Tries an event on one CPU; the counter is gone again when it returns. */
static int ddp_perf_try(const struct ddp_event *event)
{
	struct perf_event *perf;

	perf = ddp_perf_create(event, raw_smp_processor_id(), NULL, NULL);
	if (IS_ERR(perf))
		return PTR_ERR(perf);
	perf_event_release_kernel(perf);
	return 0;
}

static void ddp_perf_use_cpu_clock(struct ddp_event *event)
{
	u32 hz = event->frequency_hz ? event->frequency_hz : DDP_FALLBACK_HZ;

	event->type = PERF_TYPE_SOFTWARE;
	event->config = PERF_COUNT_SW_CPU_CLOCK;
	event->period = div_u64(NSEC_PER_SEC, hz);
	event->unit = DDPROF_UNIT_NANOSECONDS;
}

static int ddp_perf_resolve(struct ddp_event *event, struct netlink_ext_ack *extack)
{
	int ret;

	if (ddp_perf_is_cpu_clock(event)) {
		if (!event->period)
			event->period = div_u64(NSEC_PER_SEC, event->frequency_hz);
		event->unit = DDPROF_UNIT_NANOSECONDS;
		return 0;
	}
	/*
	 * Making a software event or a tracepoint patches code under the CPU hotplug lock, which
	 * the hotplug callbacks that make our counters already hold.
	 */
	if (!ddp_perf_is_hardware(event)) {
		NL_SET_ERR_MSG(extack, "only hardware events and the cpu clock can be sampled");
		return -EOPNOTSUPP;
	}
	event->unit = DDPROF_UNIT_EVENTS;
	ret = ddp_perf_try(event);
	if (ret) {
		ddp_perf_use_cpu_clock(event);
		event->fallback = -ret;
	}
	return 0;
}

static int ddp_perf_start(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	struct perf_event *perf = ddp_perf_create(event, ce->cpu->cpu, ddp_perf_overflow, ce);

	if (IS_ERR(perf))
		return PTR_ERR(perf);
	ce->perf = perf;
	return 0;
}

static void ddp_perf_stop(struct ddp_cpu_event *ce)
{
	perf_event_release_kernel(ce->perf);
	ce->perf = NULL;
}

const struct ddp_sampler_ops ddp_sampler_perf = {
	.resolve = ddp_perf_resolve,
	.start = ddp_perf_start,
	.stop = ddp_perf_stop,
};
