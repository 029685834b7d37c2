// SPDX-License-Identifier: GPL-2.0
/*
 * Filters; see filter.h. A process's bit is written by whoever makes it (fork), by whoever renames
 * it, and once at START. The pids that were given stay held, so that a process is known by its
 * struct pid, not by a number that another may have after it.
 */
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/threads.h>

#include "filter.h"

struct ddp_filter *ddp_filter_create(void)
{
	return kvzalloc(sizeof(struct ddp_filter), GFP_KERNEL);
}

static void ddp_filter_pids_free(struct ddp_filter_pids *p)
{
	while (p->nr)
		put_pid(p->pid[--p->nr]);
	kvfree(p->bits);
}

static void ddp_filter_cgroups_free(struct ddp_filter_cgroups *g)
{
#ifdef CONFIG_CGROUPS
	while (g->nr)
		cgroup_put(g->cgroup[--g->nr]);
#endif
}

void ddp_filter_destroy(struct ddp_filter *f)
{
	int way;

	if (!f)
		return;
	for (way = 0; way < DDP_FILTER_WAYS; way++) {
		ddp_filter_cgroups_free(&f->cgroups[way]);
		ddp_filter_pids_free(&f->tids[way]);
	}
	ddp_filter_pids_free(&f->not_tgids);
	kvfree(f);
}

/* -- what was asked -- */

int ddp_filter_add_pid(struct ddp_filter_pids *p, u32 number)
{
	struct pid *pid;

	if (p->nr == DDPROF_MAX_FILTERS)
		return -E2BIG;
	pid = find_get_pid(number); /* in the sender's PID namespace */
	if (!pid)
		return -ESRCH;
	p->pid[p->nr++] = pid;
	return 0;
}

int ddp_filter_add_name(struct ddp_filter_names *n, const char *pattern)
{
	if (n->nr == DDPROF_MAX_FILTERS)
		return -E2BIG;
	strscpy(n->pattern[n->nr++], pattern, DDP_PATTERN_MAX);
	return 0;
}

int ddp_filter_add_cgroup(struct ddp_filter_cgroups *g, u32 fd)
{
#ifdef CONFIG_CGROUPS
	struct cgroup *cgroup;

	if (g->nr == DDPROF_MAX_FILTERS)
		return -E2BIG;
	cgroup = cgroup_get_from_fd(fd);
	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup) == -ENOMEM ? -ENOMEM : -EBADF;
	g->cgroup[g->nr++] = cgroup;
	return 0;
#else
	return -EBADF; /* no descriptor can be one */
#endif
}

static int ddp_filter_alloc_bits(struct ddp_filter_pids *p, bool needed)
{
	if (!needed)
		return 0;
	p->bits = kvcalloc(BITS_TO_LONGS(PID_MAX_LIMIT), sizeof(*p->bits),
			   GFP_KERNEL | __GFP_NOWARN);
	return p->bits ? 0 : -ENOMEM;
}

int ddp_filter_alloc(struct ddp_filter *f)
{
	bool names = f->names[DDP_FILTER_IN].nr || f->names[DDP_FILTER_OUT].nr;
	int way, ret = ddp_filter_alloc_bits(&f->not_tgids, names || f->not_tgids.nr);

	for (way = 0; !ret && way < DDP_FILTER_WAYS; way++)
		ret = ddp_filter_alloc_bits(&f->tids[way], f->tids[way].nr);
	return ret;
}

/* -- processes -- */

static bool ddp_filter_names_match(const struct ddp_filter_names *n, const char *name)
{
	u32 i;

	for (i = 0; i < n->nr; i++)
		if (ddp_pattern_matches(n->pattern[i], name))
			return true;
	return false;
}

/* RCU or the tracepoint keeps @p's pids. */
static bool ddp_filter_denies(const struct ddp_filter *f, struct task_struct *p, const char *name)
{
	u32 i;

	for (i = 0; i < f->not_tgids.nr; i++)
		if (f->not_tgids.pid[i] == task_tgid(p))
			return true;
	return (f->names[DDP_FILTER_IN].nr &&
		!ddp_filter_names_match(&f->names[DDP_FILTER_IN], name)) ||
	       ddp_filter_names_match(&f->names[DDP_FILTER_OUT], name);
}

static void ddp_filter_judge(struct ddp_filter *f, struct task_struct *p, const char *comm)
{
	char name[TASK_COMM_LEN];

	strscpy(name, comm, sizeof(name)); /* exec renames with the whole file name */
	if (ddp_filter_denies(f, p, name))
		set_bit(p->tgid, f->not_tgids.bits);
	else
		clear_bit(p->tgid, f->not_tgids.bits);
}

void ddp_filter_renamed(struct ddp_filter *f, struct task_struct *p, const char *name)
{
	if (f->not_tgids.bits && thread_group_leader(p))
		ddp_filter_judge(f, p, name);
}

/* A number may have been another thread's before. */
void ddp_filter_forked(struct ddp_filter *f, struct task_struct *child)
{
	int way;

	for (way = 0; way < DDP_FILTER_WAYS; way++)
		if (f->tids[way].bits)
			clear_bit(child->pid, f->tids[way].bits);
	ddp_filter_renamed(f, child, child->comm);
}

static void ddp_filter_judge_all(struct ddp_filter *f)
{
	struct task_struct *p;

	rcu_read_lock();
	ddp_filter_judge(f, &init_task, init_task.comm);
	for_each_process(p)
		ddp_filter_judge(f, p, p->comm);
	rcu_read_unlock();
}

/* -- threads -- */

static int ddp_filter_fill_tids(struct ddp_filter_pids *tids)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < tids->nr; i++) {
		set_bit(pid_nr(tids->pid[i]), tids->bits);
		rcu_read_lock();
		if (!pid_task(tids->pid[i], PIDTYPE_PID)) {
			clear_bit(pid_nr(tids->pid[i]), tids->bits);
			ret = -ESRCH;
		}
		rcu_read_unlock();
	}
	return ret;
}

int ddp_filter_fill(struct ddp_filter *f, struct netlink_ext_ack *extack)
{
	if (f->not_tgids.bits) {
		ddp_filter_judge_all(f);
		/* a name that changed between the tracepoint and our look has settled by now */
		ddp_filter_judge_all(f);
	}
	ddp_filter_fill_tids(&f->tids[DDP_FILTER_OUT]); /* one that ended needs no filter */
	if (ddp_filter_fill_tids(&f->tids[DDP_FILTER_IN])) {
		NL_SET_ERR_MSG(extack, "a thread of the filter has ended");
		return -ESRCH;
	}
	return 0;
}

/* -- cgroups -- */

#ifdef CONFIG_CGROUPS
static bool ddp_filter_cgroups_match(const struct ddp_filter_cgroups *g, struct cgroup *cgroup)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		if (cgroup_is_descendant(cgroup, g->cgroup[i]))
			return true;
	return false;
}
#endif

bool ddp_filter_passes_cgroups(const struct ddp_filter *f, struct task_struct *p)
{
	bool passes = true;
#ifdef CONFIG_CGROUPS
	struct cgroup *cgroup;

	rcu_read_lock();
	cgroup = task_dfl_cgroup(p);
	passes = (!f->cgroups[DDP_FILTER_IN].nr ||
		  ddp_filter_cgroups_match(&f->cgroups[DDP_FILTER_IN], cgroup)) &&
		 !ddp_filter_cgroups_match(&f->cgroups[DDP_FILTER_OUT], cgroup);
	rcu_read_unlock();
#endif
	return passes;
}
