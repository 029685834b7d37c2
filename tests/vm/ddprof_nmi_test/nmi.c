// SPDX-License-Identifier: GPL-2.0
/*
 * Real NMIs into the sampling path, for tests on machines without a PMU. Writing a number to the
 * parameter "storm" has every CPU send that many NMIs to its neighbour, and each NMI takes a
 * sample of the running session as the perf sampler would. The write returns when all have
 * arrived; reading the parameter tells what became of them.
 *
 * ddp_session_lock is held throughout, so the session cannot end under an NMI; whoever sends STOP
 * meanwhile waits. The handler is registered for that time only. Used by
 * tests/vm/guest/nmi_check.c.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#include "capture.h"
#include "session.h"

enum {
	DDP_STORM_CPUS = 8,
	DDP_STORM_MAX = 1000000,
	DDP_PAUSE_US = 64,	/* longest pause between two NMIs */
	DDP_ARRIVE_US = 100000,	/* an NMI that takes longer was lost */
};

/* What one CPU saw; written by its NMI handler. */
struct ddp_storm_cpu {
	u64 attempts;	/* NMIs that went into the sampling path */
	u64 nested;	/* of these, inside a sample of the timer interrupt */
	u64 sent, missing;
	struct completion done;
};

static struct ddp_session *ddp_storm_session;
static struct ddp_storm_cpu ddp_storm[DDP_STORM_CPUS];
static u32 ddp_storm_number;
static char ddp_storm_result[512];

static int ddp_storm_nmi(unsigned int type, struct pt_regs *regs)
{
	unsigned int cpu = smp_processor_id();
	struct ddp_session *s = READ_ONCE(ddp_storm_session);
	struct ddp_cpu *c = s && cpu < DDP_STORM_CPUS ? s->cpus[cpu] : NULL;

	if (!c)
		return NMI_DONE;
	ddp_storm[cpu].nested += c->level[DDP_LEVEL_IRQ].busy;
	ddp_capture(c, regs, 0, 0);
	WRITE_ONCE(ddp_storm[cpu].attempts, ddp_storm[cpu].attempts + 1);
	return NMI_HANDLED;
}

/* One NMI; back when it was taken. */
static bool ddp_storm_send(unsigned int target)
{
	u64 before = READ_ONCE(ddp_storm[target].attempts);
	u32 waited_us;

	apic->send_IPI(target, NMI_VECTOR);
	for (waited_us = 0; waited_us < DDP_ARRIVE_US; waited_us++) {
		if (READ_ONCE(ddp_storm[target].attempts) != before)
			return true;
		udelay(1);
	}
	return false;
}

/* The neighbour's NMIs, each at another distance from its timer's interrupts. */
static int ddp_storm_thread(void *data)
{
	unsigned int target = (unsigned long)data;

	/* one that is late, because a hypervisor has the target's CPU, merges with the next */
	while (READ_ONCE(ddp_storm[target].attempts) < ddp_storm_number &&
	       ddp_storm[target].sent < 4 * ddp_storm_number) {
		ddp_storm[target].sent++;
		if (!ddp_storm_send(target))
			ddp_storm[target].missing++;
		udelay(get_random_u32() % DDP_PAUSE_US);
		cond_resched();
	}
	complete(&ddp_storm[target].done);
	return 0;
}

static int ddp_storm_begin(unsigned int from, unsigned int target)
{
	struct task_struct *thread;

	memset(&ddp_storm[target], 0, sizeof(ddp_storm[target]));
	init_completion(&ddp_storm[target].done);
	thread = kthread_create_on_cpu(ddp_storm_thread, (void *)(unsigned long)target, from,
				       "ddprof_storm/%u");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	wake_up_process(thread);
	return 0;
}

/* What the NMI level counted must be what the handler saw: the test adds up. */
static void ddp_storm_report(struct ddp_session *s)
{
	struct ddp_stats sum = {};
	u64 attempts = 0, nested = 0, missing = 0;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		const struct ddp_stats *t = &s->cpus[cpu]->level[DDP_LEVEL_NMI].stats;

		attempts += ddp_storm[cpu].attempts;
		nested += ddp_storm[cpu].nested;
		missing += ddp_storm[cpu].missing;
		sum.samples += t->samples;
		sum.idle += t->idle;
		sum.out_of_scope += t->out_of_scope;
		sum.no_regs += t->no_regs;
		sum.lost_nested += t->lost_nested;
		sum.lost_ring += t->lost_ring;
	}
	scnprintf(ddp_storm_result, sizeof(ddp_storm_result),
		  "attempts=%llu nested=%llu missing=%llu samples=%llu idle=%llu "
		  "out_of_scope=%llu no_regs=%llu lost_nested=%llu lost_ring=%llu\n",
		  attempts, nested, missing, sum.samples, sum.idle, sum.out_of_scope, sum.no_regs,
		  sum.lost_nested, sum.lost_ring);
}

/* Lock and CPUs held. */
static int ddp_storm_run(struct ddp_session *s)
{
	unsigned int cpu, target;
	int ret = 0, err;

	WRITE_ONCE(ddp_storm_session, s);
	ret = register_nmi_handler(NMI_LOCAL, ddp_storm_nmi, 0, "ddprof_nmi_test");
	if (ret)
		return ret;
	for_each_online_cpu(cpu) {
		target = cpumask_next_wrap(cpu, cpu_online_mask, cpu, false);
		if (target >= nr_cpu_ids)
			target = cpumask_first(cpu_online_mask);
		err = ddp_storm_begin(cpu, target);
		if (err) {
			complete(&ddp_storm[target].done);
			ret = err;
		}
	}
	for_each_online_cpu(cpu)
		wait_for_completion(&ddp_storm[cpu].done);
	unregister_nmi_handler(NMI_LOCAL, "ddprof_nmi_test");
	WRITE_ONCE(ddp_storm_session, NULL);
	ddp_storm_report(s);
	return ret;
}

static int ddp_storm_set(const char *value, const struct kernel_param *param)
{
	struct ddp_session *s;
	int ret = kstrtou32(value, 0, &ddp_storm_number);

	if (ret)
		return ret;
	if (ddp_storm_number > DDP_STORM_MAX)
		return -ERANGE;
	mutex_lock(&ddp_session_lock);
	cpus_read_lock();
	s = ddp_session_current();
	if (!s || s->state != DDP_RUNNING || num_online_cpus() < 2 ||
	    cpumask_last(cpu_online_mask) >= DDP_STORM_CPUS)
		ret = -ENODEV;
	else
		ret = ddp_storm_run(s);
	cpus_read_unlock();
	mutex_unlock(&ddp_session_lock);
	return ret;
}

static int ddp_storm_get(char *buffer, const struct kernel_param *param)
{
	return scnprintf(buffer, PAGE_SIZE, "%s", ddp_storm_result);
}

static const struct kernel_param_ops ddp_storm_ops = {
	.set = ddp_storm_set,
	.get = ddp_storm_get,
};
module_param_cb(storm, &ddp_storm_ops, NULL, 0600);
MODULE_PARM_DESC(storm, "NMIs that each CPU sends to its neighbour while a session runs");
