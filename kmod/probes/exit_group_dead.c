// SPDX-License-Identifier: GPL-2.0
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
static void exited(void *data, struct task_struct *p, bool group_dead)
{
}

void probe(void);
void probe(void)
{
	check_trace_callback_type_sched_process_exit(exited);
}
