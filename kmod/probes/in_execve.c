// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>
int probe(struct task_struct *task);
int probe(struct task_struct *task)
{
	return task->in_execve;
}
