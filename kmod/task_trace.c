// SPDX-License-Identifier: GPL-2.0
/*
 * The life of tasks as the collector needs it; see task_trace.h. The tracepoints are not exported,
 * so they are looked up by name; their headers still check each callback's type at compile time.
 */
#include <linux/binfmts.h>
#include <linux/irqflags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
#include <trace/events/task.h>

#include "capture.h"
#include "compat.h"
#include "session.h"
#include "task_trace.h"

static void ddp_task_write(struct ddp_session *s, u8 kind, const struct task_struct *p,
			   const char *comm, u32 parent)
{
	char name[TASK_COMM_LEN];
	struct ddp_task task = {
		.kind = kind,
		.tgid = p->tgid,
		.tid = p->pid,
		.parent = parent,
		.time_ns = ddp_session_time_ns(s),
		.comm = name,
		.leader_comm = "",
	};
	u8 record[DDP_RECORD_TASK_MAX];
	unsigned long flags;
	struct ddp_cpu *c;
	u32 len;

	strscpy_pad(name, comm, sizeof(name)); /* exec renames with the whole file name */
	len = ddp_record_task(record, sizeof(record), &task);
	local_irq_save(flags);
	/* pairs with ddp_session_cpu_up(): a CPU that is seen is whole */
	c = smp_load_acquire(&s->cpus[smp_processor_id()]);
	if (c && ddp_ring_write(&c->ring, record, len))
		c->level[DDP_LEVEL_IRQ].stats.lost_tasks++;
	else if (c)
		ddp_capture_filled(c);
	local_irq_restore(flags);
}

static void ddp_task_forked(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct ddp_session *s = data;

	ddp_scope_forked(&s->scope, parent->tgid, child->tgid);
	if (s->config.filter)
		ddp_filter_forked(s->config.filter, child);
	if (ddp_scope_has(&s->scope, child->tgid))
		ddp_task_write(s, DDPROF_TASK_FORK, child, child->comm, parent->tgid);
}

static void ddp_task_execed(void *data, struct task_struct *p, pid_t old_pid,
			    struct linux_binprm *bprm)
{
	struct ddp_session *s = data;

	if (ddp_scope_has(&s->scope, p->tgid))
		ddp_task_write(s, DDPROF_TASK_EXEC, p, p->comm, 0);
}

static void ddp_task_exited(DDP_EXIT_ARGS)
{
	struct ddp_session *s = data;

	if (ddp_scope_has(&s->scope, p->tgid))
		ddp_task_write(s, DDPROF_TASK_EXIT, p, p->comm, 0);
	/* the last thread: do_exit() has counted itself out before this tracepoint */
	if (!atomic_read(&p->signal->live))
		ddp_scope_exited(&s->scope, p->tgid);
}

static void ddp_task_renamed(void *data, struct task_struct *p, const char *comm)
{
	struct ddp_session *s = data;

	if (s->config.filter)
		ddp_filter_renamed(s->config.filter, p, comm);
	if (ddp_scope_has(&s->scope, p->tgid))
		ddp_task_write(s, DDPROF_TASK_COMM, p, comm, 0);
}

static struct ddp_probe {
	const char *name;
	void *callback;
	struct tracepoint *tp;
} ddp_probes[] = {
	{ "sched_process_fork", ddp_task_forked },
	{ "sched_process_exec", ddp_task_execed },
	{ "sched_process_exit", ddp_task_exited },
	{ "task_rename", ddp_task_renamed },
};

static void ddp_probe_match(struct tracepoint *tp, void *unused)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ddp_probes); i++)
		if (!strcmp(tp->name, ddp_probes[i].name))
			ddp_probes[i].tp = tp;
}

int ddp_task_trace_init(void)
{
	size_t i;

	/* tracepoint_probe_register takes void *: have the compiler compare the types */
	check_trace_callback_type_sched_process_fork(ddp_task_forked);
	check_trace_callback_type_sched_process_exec(ddp_task_execed);
	check_trace_callback_type_sched_process_exit(ddp_task_exited);
	check_trace_callback_type_task_rename(ddp_task_renamed);

	for_each_kernel_tracepoint(ddp_probe_match, NULL);
	for (i = 0; i < ARRAY_SIZE(ddp_probes); i++) {
		if (!ddp_probes[i].tp) {
			pr_err("this kernel has no tracepoint %s (CONFIG_TRACEPOINTS, CONFIG_FTRACE)\n",
			       ddp_probes[i].name);
			return -ENOENT;
		}
	}
	return 0;
}

static void ddp_probes_unregister(struct ddp_session *session, size_t n)
{
	while (n--)
		tracepoint_probe_unregister(ddp_probes[n].tp, ddp_probes[n].callback, session);
	tracepoint_synchronize_unregister();
}

int ddp_task_trace_start(struct ddp_session *session)
{
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(ddp_probes); i++) {
		ret = tracepoint_probe_register(ddp_probes[i].tp, ddp_probes[i].callback, session);
		if (ret) {
			ddp_probes_unregister(session, i);
			return ret;
		}
	}
	session->tracing = true;
	return 0;
}

void ddp_task_trace_stop(struct ddp_session *session)
{
	if (!session->tracing)
		return;
	session->tracing = false;
	ddp_probes_unregister(session, ARRAY_SIZE(ddp_probes));
}
