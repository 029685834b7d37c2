// SPDX-License-Identifier: GPL-2.0
/*
 * The off-CPU sampler; see offcpu.h. Per CPU there is one block at most between the tracepoint and
 * its interrupt; both run with interrupts off on that CPU, so plain accesses do.
 */
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "capture.h"
#include "compat.h"
#include "core/blocked.h"
#include "filter.h"
#include "offcpu.h"
#include "sampler.h"
#include "unwind_kernel.h"

struct ddp_offcpu {
	struct ddp_blocked blocked;	/* all threads in scope, all CPUs */
	u32 event;			/* index in the session's */
	u64 min_ns;
	bool tracing;			/* the tracepoint is registered */
};

static struct tracepoint *ddp_sched_switch;

/* The kernel's names for states overlap: a parked thread is one that cannot be interrupted, too. */
static u32 ddp_offcpu_state(unsigned int state)
{
	static const struct {
		unsigned int mask;
		u32 means;
	} states[] = {
		{ TASK_PARKED, DDPROF_STATE_PARKED },
		{ __TASK_STOPPED, DDPROF_STATE_STOPPED },
		{ __TASK_TRACED, DDPROF_STATE_TRACED },
		{ TASK_NOLOAD, DDPROF_STATE_IDLE },
		{ TASK_INTERRUPTIBLE, DDPROF_STATE_INTERRUPTIBLE },
		{ TASK_UNINTERRUPTIBLE | TASK_RTLOCK_WAIT, DDPROF_STATE_UNINTERRUPTIBLE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (state & states[i].mask)
			return states[i].means;
	return DDPROF_STATE_OTHER;
}

static void ddp_offcpu_left(struct ddp_session *s, struct ddp_cpu *c, struct task_struct *p,
			    unsigned int state, u64 now_ns)
{
	if ((state & TASK_DEAD) || !ddp_session_watches(s, p))
		return;
	if (!ddp_blocked_put(&s->offcpu->blocked, p->pid, ddp_offcpu_state(state), now_ns))
		c->level[DDP_LEVEL_IRQ].stats.blocks_lost++;
}

/* The block of @p that ended is to be a sample: have the interrupt come. */
static void ddp_offcpu_raise(struct ddp_cpu_event *ce, const struct ddp_block *block)
{
	if (ce->block.tid) /* no interrupt since the last one */
		ce->cpu->level[DDP_LEVEL_IRQ].stats.blocks_lost++;
	ce->block = *block;
	irq_work_queue(&ce->woken);
}

static void ddp_offcpu_came(struct ddp_session *s, struct ddp_cpu *c, struct task_struct *p,
			    u64 now_ns)
{
	struct ddp_cpu_event *ce = &c->events[s->offcpu->event];
	struct ddp_stats *stats = &c->level[DDP_LEVEL_IRQ].stats;
	struct ddp_block block = { .tid = p->pid };
	u64 since_ns;

	if (!ddp_blocked_take(&s->offcpu->blocked, p->pid, &block.state, &since_ns) ||
	    !READ_ONCE(ce->armed))
		return;
	stats->blocks++;
	/* clocks of two CPUs may differ by a little */
	block.value_ns = now_ns > since_ns ? now_ns - since_ns : 0;
	if (block.value_ns < s->offcpu->min_ns) {
		stats->blocks_short++;
		return;
	}
	block.count = ddp_thin_admit(&ce->thin, &block.value_ns, now_ns);
	if (block.count)
		ddp_offcpu_raise(ce, &block);
	else
		stats->blocks_thinned++;
}

/*
 * @p runs where nothing is sampled yet. It must not stay in the table: it may come to a CPU that is
 * without having been blocked, or end here, and another thread be given its number.
 */
static void ddp_offcpu_forget(struct ddp_session *s, struct task_struct *p)
{
	u64 since_ns;
	u32 state;

	if (p->pid)
		ddp_blocked_take(&s->offcpu->blocked, p->pid, &state, &since_ns);
}

/* Interrupts are off, @prev is still current, a run queue is locked. */
static void ddp_offcpu_switched(DDP_SWITCH_ARGS)
{
	struct ddp_session *s = data;
	unsigned int state = DDP_SWITCH_STATE;
	/* pairs with ddp_session_cpu_up(): a CPU that is seen is whole */
	struct ddp_cpu *c = smp_load_acquire(&s->cpus[smp_processor_id()]);
	u64 now_ns;

	if (!c) {
		ddp_offcpu_forget(s, next);
		return;
	}
	now_ns = ktime_get_mono_fast_ns();
	/* the first CPU's idle task is not marked as one before it first idles: go by the number */
	if (!preempt && state != TASK_RUNNING && prev->pid)
		ddp_offcpu_left(s, c, prev, state, now_ns);
	if (next->pid)
		ddp_offcpu_came(s, c, next, now_ns);
}

/* The interrupt after the switch. */
static void ddp_offcpu_fire(struct irq_work *work)
{
	struct ddp_cpu_event *ce = container_of(work, struct ddp_cpu_event, woken);
	struct ddp_block block = ce->block;

	ce->block.tid = 0;
	/* where there is no such interrupt the next tick does this, which may be late */
	if (block.tid == current->pid)
		ddp_capture_block(ce->cpu, ddp_interrupted_regs(), ce->index, &block);
	else
		ce->cpu->level[DDP_LEVEL_IRQ].stats.blocks_lost++;
}

/* -- the sampler -- */

static int ddp_offcpu_resolve(struct ddp_event *event, const char **missing,
			      struct netlink_ext_ack *extack)
{
	*missing = "off-CPU time needs a kernel with sched_switch and with ORC or frame pointers";
	if (!ddp_sched_switch || IS_ENABLED(CONFIG_UNWINDER_GUESS))
		return EOPNOTSUPP;
	event->period = 0; /* every sample says its own */
	event->unit = DDPROF_UNIT_NANOSECONDS;
	return 0;
}

static int ddp_offcpu_start(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	ddp_thin_init(&ce->thin, event->frequency_hz, get_random_u64());
	ce->block.tid = 0;
	ddp_init_irq_work(&ce->woken, ddp_offcpu_fire);
	barrier(); /* the tracepoint is on and may be next on this CPU */
	WRITE_ONCE(ce->armed, true);
	return 0;
}

/* We run on that CPU, so none of its switches is under way. */
static void ddp_offcpu_stop(struct ddp_cpu_event *ce)
{
	WRITE_ONCE(ce->armed, false);
	irq_work_sync(&ce->woken);
}

const struct ddp_sampler_ops ddp_sampler_offcpu = {
	.resolve = ddp_offcpu_resolve,
	.start = ddp_offcpu_start,
	.stop = ddp_offcpu_stop,
};

/* -- the session's part -- */

static void ddp_offcpu_match(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sched_switch"))
		ddp_sched_switch = tp;
}

void ddp_offcpu_init(void)
{
	check_trace_callback_type_sched_switch(ddp_offcpu_switched);
	for_each_kernel_tracepoint(ddp_offcpu_match, NULL);
}

struct ddp_offcpu *ddp_offcpu_create(u32 event, u64 min_ns)
{
	struct ddp_offcpu *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return NULL;
	o->event = event;
	o->min_ns = min_ns;
	o->blocked.nr = DDPROF_MAX_BLOCKED;
	/* whoever asked is told of ENOMEM; the kernel log need not be */
	o->blocked.slots = kvcalloc(o->blocked.nr, sizeof(*o->blocked.slots),
				    GFP_KERNEL | __GFP_NOWARN);
	if (!o->blocked.slots) {
		kfree(o);
		return NULL;
	}
	return o;
}

void ddp_offcpu_destroy(struct ddp_offcpu *o)
{
	kvfree(o->blocked.slots);
	kfree(o);
}

int ddp_offcpu_trace_start(struct ddp_session *session)
{
	int ret = tracepoint_probe_register(ddp_sched_switch, ddp_offcpu_switched, session);

	session->offcpu->tracing = !ret;
	return ret;
}

void ddp_offcpu_trace_stop(struct ddp_session *session)
{
	if (!session->offcpu->tracing)
		return;
	session->offcpu->tracing = false;
	tracepoint_probe_unregister(ddp_sched_switch, ddp_offcpu_switched, session);
}
