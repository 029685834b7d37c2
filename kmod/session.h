/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A profiling session: who owns it, what was asked, and all that lives as long as it does. There is
 * at most one. It is created by START, ends with STOP, the owner's socket or an error, and is taken
 * down in one order, written down at ddp_session_disarm() and ddp_session_free().
 *
 * Locks: ddp_session_lock (mutex) guards which session is current and its state; it is taken by
 * netlink commands and the socket notifier, never by the drain thread, a hotplug callback or a
 * sampler.
 */
#ifndef DDP_SESSION_H
#define DDP_SESSION_H

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <uapi/ddprof.h>

#include "core/hash.h"
#include "counters.h"
#include "cpu.h"
#include "filter.h"
#include "scope.h"

struct ddp_sampler_ops;
struct ddp_mmtrack;
struct ddp_files;
struct ddp_tables;
struct ddp_defer;
struct ddp_drain;
struct ddp_offcpu;
struct ddp_tasks;

/* An event as asked (START_EVENT), and what became of it (STARTED_EVENT). */
struct ddp_event {
	u32 sampler;		/* enum ddprof_sampler */
	u32 type;		/* perf_event_attr.type */
	u64 config;		/* perf_event_attr.config */
	u32 frequency_hz;	/* 0: by period */
	u64 period;		/* in unit; 0: by frequency and varying */
	u32 on_missing;		/* enum ddprof_missing */
	u64 min_ns;		/* sampler offcpu: the shortest block that is told */

	/* NULL: this machine does not have it, and it is left out */
	const struct ddp_sampler_ops *ops;
	u32 unit;		/* enum ddprof_unit */
	u32 fallback;		/* errno why the cpu clock took its place or nothing did, or 0 */
};

struct ddp_config {
	struct ddp_event events[DDPROF_MAX_EVENTS];
	u32 nr_events;
	u32 scope;		/* enum ddprof_scope */
	struct pid *tgids[DDPROF_MAX_TGIDS]; /* held by whoever fills the config */
	u32 nr_tgids;
	struct ddp_filter *filter;	/* NULL: nobody is left out; owned like the pids */
	u32 flags;		/* enum ddprof_flag */
	u32 depth;		/* frames */
	u32 budget_permille;
	u32 ring_bytes;		/* power of two */
	u32 cache_stacks;	/* power of two */
	u32 flush_ms;
	u64 tables_bytes;	/* for unwind tables; 0: none */
};

enum ddp_state {
	DDP_RUNNING,
	DDP_STOPPED,		/* disarmed; the drain thread sends what is left */
};

struct ddp_session {
	struct ddp_config config;
	enum ddp_state state;		/* under ddp_session_lock */
	u32 owner_port;			/* netlink port in the initial network namespace */
	struct sock *owner_sock;	/* held; a port number can be taken over, a socket cannot */
	struct pid *owner;		/* tgid of the process that sent START; held */
	u64 start_ns, start_realtime_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME at the same moment */
	struct ddp_hash_key hash_key;

	struct hlist_node hotplug;	/* instance of the CPU hotplug state */
	/* a CPU that cannot be sampled fails START, later ones do not */
	bool starting;
	struct ddp_cpu **cpus;		/* nr_cpu_ids; NULL: not seen online yet */
	struct ddp_counters counters;

	struct ddp_scope scope;
	struct ddp_mmtrack *mmtrack;
	struct ddp_files *files;
	/* both NULL: frame pointers only */
	struct ddp_tables *tables;
	struct ddp_defer *defer;
	struct ddp_drain *drain;
	struct ddp_offcpu *offcpu;	/* NULL: no event of that sampler */
	bool tracing;			/* tracepoints are registered */
};

extern struct mutex ddp_session_lock;
/* The session, or NULL; ddp_session_lock held. */
struct ddp_session *ddp_session_current(void);

/*
 * Begin a session owned by the socket @owner, bound to @port. Takes the pids and the filter in
 * @config over, whatever the result. On success the samplers run, and ddp_session_deliver() lets
 * the drain thread begin to send. Lock held.
 */
int ddp_session_start(struct ddp_config *config, struct sock *owner, u32 port,
		      struct netlink_ext_ack *extack, struct ddp_session **ret);
int ddp_session_deliver(struct ddp_session *s);
/* Disarm everything; what was sampled is sent, then RECORDS_END. Lock held. */
void ddp_session_stop(struct ddp_session *s);
/*
 * Whether a session might belong to this port; without the lock, for every socket that is closed.
 */
bool ddp_session_may_own(u32 port);
/* Disarm and free, sending nothing more. Lock held. */
void ddp_session_end(struct ddp_session *s);

int ddp_session_init(void);
void ddp_session_exit(void);

/* Whether samples of @p, current or one just leaving its CPU, are wanted; any context. */
static inline bool ddp_session_watches(const struct ddp_session *s, struct task_struct *p)
{
	return ddp_scope_has(&s->scope, p->tgid) &&
	       (!s->config.filter || ddp_filter_passes(s->config.filter, p));
}

/* Nanoseconds since START; any context. */
u64 ddp_session_time_ns(const struct ddp_session *s);

#endif /* DDP_SESSION_H */
