// SPDX-License-Identifier: GPL-2.0
/* See counters.h. */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "counters.h"
#include "sampler.h"

static void ddp_counter_release(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	if (ce->made_for)
		event->ops->release(ce);
	ce->made_for = 0;
}

/* One event on one CPU: as its CPU is now. */
static int ddp_counter_follow(struct ddp_cpu_event *ce, const struct ddp_event *event)
{
	/* pairs with ddp_session_cpu_mark(): of an online CPU ups is that of this life or newer */
	bool online = smp_load_acquire(&ce->cpu->online);
	u32 ups = READ_ONCE(ce->cpu->ups);
	int ret;

	if (!online || ce->made_for != ups)
		ddp_counter_release(ce, event);
	if (!online || ce->made_for)
		return 0;
	ret = event->ops->make(ce, event);
	if (ret == -ENODEV) /* gone this moment; that has queued the work once more */
		return 0;
	if (!ret)
		ce->made_for = ups;
	return ret;
}

/* All that can be, and the first error. */
static int ddp_counters_follow(struct ddp_session *s)
{
	const struct ddp_event *event;
	u32 cpu, i;
	int err = 0, ret;

	lockdep_assert_held(&s->counters.lock);
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		/* pairs with ddp_session_cpu_up(): a CPU that is seen is whole */
		struct ddp_cpu *c = smp_load_acquire(&s->cpus[cpu]);

		for (i = 0; c && i < s->config.nr_events; i++) {
			event = &s->config.events[i];
			if (!event->ops || !event->ops->make)
				continue;
			s->counters.any = true;
			ret = ddp_counter_follow(&c->events[i], event);
			if (ret && !err)
				pr_notice("CPU %u is not sampled by event %u: errno %d\n", cpu, i,
					  -ret);
			err = err ?: ret;
		}
	}
	return err;
}

static void ddp_counters_work(struct work_struct *work)
{
	struct ddp_session *s = container_of(work, struct ddp_session, counters.work);

	mutex_lock(&s->counters.lock);
	ddp_counters_follow(s);
	mutex_unlock(&s->counters.lock);
}

void ddp_counters_init(struct ddp_counters *counters)
{
	mutex_init(&counters->lock);
	INIT_WORK(&counters->work, ddp_counters_work);
}

int ddp_counters_start(struct ddp_session *s)
{
	int ret;

	mutex_lock(&s->counters.lock);
	ret = ddp_counters_follow(s);
	mutex_unlock(&s->counters.lock);
	return ret;
}

void ddp_counters_changed(struct ddp_session *s)
{
	u32 i;

	for (i = 0; i < s->config.nr_events; i++)
		if (s->config.events[i].ops && s->config.events[i].ops->make)
			queue_work(ddp_unbound_wq, &s->counters.work);
}

void ddp_counters_stop(struct ddp_session *s)
{
	u32 cpu, i;

	cancel_work_sync(&s->counters.work);
	if (!s->counters.any)
		return;
	mutex_lock(&s->counters.lock);
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		for (i = 0; s->cpus[cpu] && i < s->config.nr_events; i++)
			ddp_counter_release(&s->cpus[cpu]->events[i], &s->config.events[i]);
	mutex_unlock(&s->counters.lock);
	/*
	 * An event may be released while its handler is interrupted, in task context, by the very
	 * IPI that releases it: preemption is off there until it is through.
	 */
	synchronize_rcu();
	s->counters.any = false;
}
