// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling by a high resolution timer a CPU: works on every machine, in every virtual machine. It
 * measures CPU time, and cannot see code that runs with interrupts off: that is charged to where
 * they come on again.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/random.h>
#include <linux/time64.h>
#include <asm/irq_regs.h>

#include "capture.h"
#include "compat.h"
#include "sampler.h"

/* HARD: in the interrupt itself on PREEMPT_RT too; PINNED: on this CPU. */
#define DDP_TIMER_MODE HRTIMER_MODE_REL_PINNED_HARD

static u64 ddp_timer_period_ns(const struct ddp_cpu_event *ce)
{
	return ce->cpu->session->config.events[ce->index].period;
}

static enum hrtimer_restart ddp_timer_fire(struct hrtimer *timer)
{
	struct ddp_cpu_event *ce = container_of(timer, struct ddp_cpu_event, timer);

	ddp_capture(ce->cpu, get_irq_regs(), ce->index, 0);
	/* more than one: interrupts were off, or a hypervisor gave the CPU to somebody else */
	ce->missed += hrtimer_forward_now(timer, ns_to_ktime(ddp_timer_period_ns(ce))) - 1;
	return HRTIMER_RESTART;
}

static int ddp_timer_resolve(struct ddp_event *event, const char **missing,
			     struct netlink_ext_ack *extack)
{
	if (!event->period)
		event->period = div_u64(NSEC_PER_SEC, event->frequency_hz);
	event->unit = DDPROF_UNIT_NANOSECONDS;
	return 0;
}

static int ddp_timer_start(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	u64 phase_ns;

	/* CPUs that all sample at the same moment would queue for the same locks and cache lines */
	div64_u64_rem(get_random_u64(), event->period, &phase_ns);
	ddp_hrtimer_setup(&ce->timer, ddp_timer_fire, CLOCK_MONOTONIC, DDP_TIMER_MODE);
	hrtimer_start(&ce->timer, ns_to_ktime(phase_ns + 1), DDP_TIMER_MODE);
	return 0;
}

static void ddp_timer_stop(struct ddp_cpu_event *ce)
{
	hrtimer_cancel(&ce->timer);
}

const struct ddp_sampler_ops ddp_sampler_hrtimer = {
	.resolve = ddp_timer_resolve,
	.start = ddp_timer_start,
	.stop = ddp_timer_stop,
};
