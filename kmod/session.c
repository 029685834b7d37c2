// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a session; see session.h. Called by netlink.c with ddp_session_lock held, and by CPU
 * hotplug.
 *
 * The order of taking down, which is the reverse of setting up:
 *   1 disarm:  hotplug instance removed (on each CPU its timers and the interrupts of blocks that
 *              ended stop and are waited for; what its counters report from then on is dropped),
 *              the work that follows CPUs cancelled, counters released and their handlers waited
 *              for, tracepoints off and waited for together (the off-CPU one raises nothing any
 *              more), each CPU's irq_work waited for. Now nothing produces.
 *   2 drain:   thread ended (after a last flush, when it was STOP that ended the session)
 *   3 free:    CPUs, deferred samples, address spaces (pins and holds dropped, ranges through a
 *              grace period), unwind tables, files (holds dropped), blocked threads, scope,
 *              filter, owner
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/sock.h>

#include "defer.h"
#include "drain.h"
#include "files.h"
#include "mmtrack.h"
#include "offcpu.h"
#include "sampler.h"
#include "session.h"
#include "tables.h"
#include "task_trace.h"

/* Guards ddp_session and its state; see session.h for who takes it. */
DEFINE_MUTEX(ddp_session_lock);
static struct ddp_session *ddp_session;
static u32 ddp_owner_port;	/* of ddp_session; 0, the kernel's own port: none */
static enum cpuhp_state ddp_hotplug_state;

struct ddp_session *ddp_session_current(void)
{
	lockdep_assert_held(&ddp_session_lock);
	return ddp_session;
}

bool ddp_session_may_own(u32 port)
{
	return port == READ_ONCE(ddp_owner_port);
}

u64 ddp_session_time_ns(const struct ddp_session *s)
{
	return ktime_get_mono_fast_ns() - s->start_ns;
}

static void ddp_session_cpu_stop(struct ddp_session *s, struct ddp_cpu *c)
{
	u32 i = s->config.nr_events;

	WRITE_ONCE(c->online, false);
	while (i--) {
		if (!c->events[i].started)
			continue;
		s->config.events[i].ops->stop(&c->events[i]);
		c->events[i].started = false;
	}
}

static int ddp_session_cpu_start(struct ddp_session *s, struct ddp_cpu *c)
{
	u32 i;
	int ret;

	WRITE_ONCE(c->ups, c->ups + 1);
	/* pairs with ddp_counter_follow() */
	smp_store_release(&c->online, true);
	for (i = 0; i < s->config.nr_events; i++) {
		const struct ddp_event *event = &s->config.events[i];

		if (!event->ops || !event->ops->start)
			continue;
		ret = event->ops->start(&c->events[i], event);
		if (ret) {
			ddp_session_cpu_stop(s, c);
			return ret;
		}
		c->events[i].started = true;
	}
	return 0;
}

/* On the CPU that came, in its hotplug thread. A profiler must not keep a CPU from coming. */
static int ddp_session_cpu_up(unsigned int cpu, struct hlist_node *node)
{
	struct ddp_session *s = hlist_entry_safe(node, struct ddp_session, hotplug);
	struct ddp_cpu *c = s->cpus[cpu];
	int ret = -ENOMEM;

	if (!c) {
		c = ddp_cpu_create(s, cpu);
		smp_store_release(&s->cpus[cpu], c); /* the drain thread and tracepoints look */
	}
	if (c)
		ret = ddp_session_cpu_start(s, c);
	ddp_counters_changed(s);
	return s->starting ? ret : 0;
}

static int ddp_session_cpu_down(unsigned int cpu, struct hlist_node *node)
{
	struct ddp_session *s = hlist_entry_safe(node, struct ddp_session, hotplug);

	if (s->cpus[cpu])
		ddp_session_cpu_stop(s, s->cpus[cpu]);
	ddp_counters_changed(s);
	return 0;
}

static void ddp_session_disarm(struct ddp_session *s)
{
	u32 cpu;

	if (!hlist_unhashed(&s->hotplug)) {
		cpuhp_state_remove_instance(ddp_hotplug_state, &s->hotplug);
		INIT_HLIST_NODE(&s->hotplug);
	}
	ddp_counters_stop(s);
	if (s->offcpu)
		ddp_offcpu_trace_stop(s);
	ddp_task_trace_stop(s);
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (s->cpus[cpu])
			irq_work_sync(&s->cpus[cpu]->wake);
}

/* Copes with a session at any stage of being made. */
static void ddp_session_free(struct ddp_session *s)
{
	u32 cpu;

	ddp_session_disarm(s);
	if (s->drain)
		ddp_drain_destroy(s->drain);
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (s->cpus[cpu])
			ddp_cpu_destroy(s->cpus[cpu]);
	if (s->defer)
		ddp_defer_destroy(s->defer);
	if (s->mmtrack)
		ddp_mmtrack_destroy(s->mmtrack);
	if (s->tables)
		ddp_tables_destroy(s->tables);
	if (s->files)
		ddp_files_destroy(s->files);
	if (s->offcpu)
		ddp_offcpu_destroy(s->offcpu);
	ddp_scope_deinit(&s->scope);
	ddp_filter_destroy(s->config.filter);
	put_pid(s->owner);
	sock_put(s->owner_sock);
	kfree(s->cpus);
	kfree(s);
	module_put(THIS_MODULE);
}

static struct ddp_session *ddp_session_alloc(const struct ddp_config *config, struct sock *owner,
					     u32 port)
{
	struct ddp_session *s;

	/* rmmod is refused while a session runs; the owner ends it first */
	if (!try_module_get(THIS_MODULE))
		return NULL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		goto put;
	s->cpus = kcalloc(nr_cpu_ids, sizeof(*s->cpus), GFP_KERNEL);
	if (!s->cpus)
		goto free;
	s->config = *config;
	s->owner_port = port;
	s->owner_sock = owner;
	sock_hold(owner);
	s->owner = get_pid(task_tgid(current));
	INIT_HLIST_NODE(&s->hotplug);
	ddp_counters_init(&s->counters);
	get_random_bytes(&s->hash_key, sizeof(s->hash_key));
	return s;
free:
	kfree(s);
put:
	module_put(THIS_MODULE);
	return NULL;
}

static const struct ddp_sampler_ops *ddp_session_sampler(u32 sampler)
{
	switch (sampler) {
	case DDPROF_SAMPLER_PERF:
		return &ddp_sampler_perf;
	case DDPROF_SAMPLER_OFFCPU:
		return &ddp_sampler_offcpu;
	default:
		return &ddp_sampler_hrtimer;
	}
}

static bool ddp_event_is_cpu_time(const struct ddp_event *event)
{
	return event->sampler == DDPROF_SAMPLER_HRTIMER || ddp_event_is_cpu_clock(event);
}

static bool ddp_config_has_cpu_time(const struct ddp_config *config)
{
	u32 i;

	for (i = 0; i < config->nr_events; i++)
		if (ddp_event_is_cpu_time(&config->events[i]))
			return true;
	return false;
}

/* What @event is to be for, and @errno why it cannot: as its START_EVENT wants it. */
static int ddp_session_missing(struct ddp_session *s, struct ddp_event *event, u32 errno,
			       const char *what, struct netlink_ext_ack *extack)
{
	event->fallback = errno;
	if (event->on_missing == DDPROF_MISSING_REPLACE && !ddp_config_has_cpu_time(&s->config)) {
		event->sampler = DDPROF_SAMPLER_PERF;
		event->ops = &ddp_sampler_perf;
		ddp_event_use_cpu_clock(event);
		return 0;
	}
	event->ops = NULL;
	event->sampler = DDPROF_SAMPLER_NONE;
	if (extack)
		extack->_msg = what; /* for when it is the only one as well */
	return event->on_missing == DDPROF_MISSING_FAIL ? -EOPNOTSUPP : 0;
}

static int ddp_session_resolve(struct ddp_session *s, struct netlink_ext_ack *extack)
{
	const char *missing = "";
	u32 i, left = 0;
	int ret;

	for (i = 0; i < s->config.nr_events; i++) {
		struct ddp_event *event = &s->config.events[i];

		event->ops = ddp_session_sampler(event->sampler);
		ret = event->ops->resolve(event, &missing, extack);
		if (ret > 0)
			ret = ddp_session_missing(s, event, ret, missing, extack);
		if (ret)
			return ret;
		left += event->ops ? 1 : 0;
	}
	if (left && extack)
		extack->_msg = NULL;
	return left ? 0 : -EOPNOTSUPP;
}

/* What decides who is sampled. */
static int ddp_session_make_choice(struct ddp_session *s)
{
	int ret = ddp_scope_init(&s->scope, s->config.scope);
	u32 i;

	if (!ret && s->config.filter)
		ret = ddp_filter_alloc(s->config.filter);
	for (i = 0; !ret && i < s->config.nr_events; i++) {
		if (s->config.events[i].sampler != DDPROF_SAMPLER_OFFCPU)
			continue;
		s->offcpu = ddp_offcpu_create(i, s->config.events[i].min_ns);
		ret = s->offcpu ? 0 : -ENOMEM;
	}
	return ret;
}

static int ddp_session_make_parts(struct ddp_session *s)
{
	int ret = ddp_session_make_choice(s);

	if (ret)
		return ret;
	s->files = ddp_files_create();
	if (!s->files)
		return -ENOMEM;
	if (s->config.tables_bytes) {
		s->tables = ddp_tables_create(s, s->config.tables_bytes);
		s->defer = ddp_defer_create(s);
		if (!s->tables || !s->defer)
			return -ENOMEM;
	}
	s->mmtrack = ddp_mmtrack_create(s);
	if (!s->mmtrack)
		return -ENOMEM;
	s->drain = ddp_drain_create(s);
	return s->drain ? 0 : -ENOMEM;
}

/* Tracepoints before scope and filter: from then on forks, exits and renames keep them right. */
static int ddp_session_choose(struct ddp_session *s, struct netlink_ext_ack *extack)
{
	int ret = ddp_task_trace_start(s);

	if (ret) {
		NL_SET_ERR_MSG(extack, "cannot attach to the scheduler's tracepoints");
		return ret;
	}
	ret = ddp_scope_fill(&s->scope, s->config.tgids, s->config.nr_tgids, extack);
	if (!ret && s->config.filter)
		ret = ddp_filter_fill(s->config.filter, extack);
	return ret;
}

/* Samplers last. */
static int ddp_session_arm(struct ddp_session *s, struct netlink_ext_ack *extack)
{
	int ret;

	s->start_realtime_ns = ktime_get_real_ns();
	s->start_ns = ktime_get_mono_fast_ns();
	ret = ddp_session_choose(s, extack);
	if (!ret && s->offcpu) {
		ret = ddp_offcpu_trace_start(s);
		if (ret)
			NL_SET_ERR_MSG(extack, "cannot attach to the tracepoint sched_switch");
	}
	if (ret)
		return ret;
	s->starting = true;
	ret = cpuhp_state_add_instance(ddp_hotplug_state, &s->hotplug);
	s->starting = false;
	if (ret)
		INIT_HLIST_NODE(&s->hotplug);
	else
		ret = ddp_counters_start(s);
	if (ret)
		NL_SET_ERR_MSG(extack, "a CPU could not start sampling");
	return ret;
}

int ddp_session_start(struct ddp_config *config, struct sock *owner, u32 port,
		      struct netlink_ext_ack *extack, struct ddp_session **ret)
{
	struct ddp_session *s = ddp_session_alloc(config, owner, port);
	int err = -ENOMEM;

	if (!s)
		goto put_pids;
	err = ddp_session_resolve(s, extack);
	if (!err)
		err = ddp_session_make_parts(s);
	if (!err)
		err = ddp_session_arm(s, extack);
	if (err) {
		ddp_session_free(s);
	} else {
		s->config.nr_tgids = 0; /* the scope has them now */
		WRITE_ONCE(ddp_owner_port, port);
		ddp_session = s;
		*ret = s;
	}
	config->filter = NULL; /* the session's, or gone with it */
put_pids:
	while (config->nr_tgids)
		put_pid(config->tgids[--config->nr_tgids]);
	return err;
}

int ddp_session_deliver(struct ddp_session *s)
{
	return ddp_drain_run(s->drain);
}

void ddp_session_stop(struct ddp_session *s)
{
	ddp_session_disarm(s);
	s->state = DDP_STOPPED;
	ddp_drain_finish(s->drain);
}

void ddp_session_end(struct ddp_session *s)
{
	ddp_session = NULL;
	WRITE_ONCE(ddp_owner_port, 0);
	ddp_drain_mute(s->drain); /* its port may be somebody else's already */
	ddp_session_free(s);
}

int ddp_session_init(void)
{
	int state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "ddprof:online",
					    ddp_session_cpu_up, ddp_session_cpu_down);

	if (state < 0)
		return state;
	ddp_hotplug_state = state;
	return 0;
}

void ddp_session_exit(void)
{
	cpuhp_remove_multi_state(ddp_hotplug_state);
}
