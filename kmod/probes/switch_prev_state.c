// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/sched.h>
#include <trace/events/sched.h>
void probe(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
	   unsigned int prev_state);
void probe(void *data, bool preempt, struct task_struct *prev, struct task_struct *next,
	   unsigned int prev_state)
{
	check_trace_callback_type_sched_switch(probe);
}
