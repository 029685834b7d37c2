// SPDX-License-Identifier: GPL-2.0
/*
 * The set of processes in a session's scope; see scope.h. Filled by session.c, kept by
 * task_trace.c.
 */
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/threads.h>
#include <linux/slab.h>

#include "scope.h"

enum {
	DDP_ANCESTORS_MAX = 1024,	/* generations looked at for one process */
	DDP_FILL_ROUNDS = 16,		/* passes over all processes until none is added */
};

int ddp_scope_init(struct ddp_scope *scope, u32 mode)
{
	scope->mode = mode;
	if (mode == DDPROF_SCOPE_MACHINE)
		return 0;
	/* whoever asked is told of ENOMEM; the kernel log need not be */
	scope->pids = kvcalloc(BITS_TO_LONGS(PID_MAX_LIMIT), sizeof(*scope->pids),
			       GFP_KERNEL | __GFP_NOWARN);
	return scope->pids ? 0 : -ENOMEM;
}

void ddp_scope_deinit(struct ddp_scope *scope)
{
	kvfree(scope->pids);
	scope->pids = NULL;
}

/* An id whose process exits after this sees its bit cleared by the exit tracepoint. */
static bool ddp_scope_add(struct ddp_scope *scope, struct pid *pid)
{
	struct task_struct *leader;
	bool alive;

	set_bit(pid_nr(pid), scope->pids);
	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	alive = leader && atomic_read(&leader->signal->live) > 0;
	rcu_read_unlock();
	if (!alive)
		clear_bit(pid_nr(pid), scope->pids);
	return alive;
}

static bool ddp_scope_descends(const struct ddp_scope *scope, struct task_struct *p)
{
	int i;

	for (i = 0; i < DDP_ANCESTORS_MAX && p->tgid > 1; i++) {
		p = rcu_dereference(p->real_parent);
		if (test_bit(p->tgid, scope->pids))
			return true;
	}
	return false;
}

/*
 * One pass over all processes; a fork that a pass misses has its parent added, so the next one sees
 * it.
 */
static bool ddp_scope_add_descendants(struct ddp_scope *scope)
{
	struct task_struct *p;
	bool added = false;

	rcu_read_lock();
	for_each_process(p) {
		if (test_bit(p->tgid, scope->pids) || !ddp_scope_descends(scope, p))
			continue;
		set_bit(p->tgid, scope->pids);
		if (atomic_read(&p->signal->live) > 0)
			added = true;
		else
			clear_bit(p->tgid, scope->pids);
	}
	rcu_read_unlock();
	return added;
}

int ddp_scope_fill(struct ddp_scope *scope, struct pid *const *tgids, u32 n,
		   struct netlink_ext_ack *extack)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (!ddp_scope_add(scope, tgids[i])) {
			NL_SET_ERR_MSG(extack, "a process of the scope has ended");
			return -ESRCH;
		}
	}
	if (scope->mode == DDPROF_SCOPE_TREES)
		for (i = 0; i < DDP_FILL_ROUNDS && ddp_scope_add_descendants(scope); i++)
			;
	return 0;
}

void ddp_scope_forked(struct ddp_scope *scope, u32 parent_tgid, u32 child_tgid)
{
	if (scope->mode == DDPROF_SCOPE_TREES && test_bit(parent_tgid, scope->pids))
		set_bit(child_tgid, scope->pids);
}

void ddp_scope_exited(struct ddp_scope *scope, u32 tgid)
{
	if (scope->mode != DDPROF_SCOPE_MACHINE)
		clear_bit(tgid, scope->pids);
}
