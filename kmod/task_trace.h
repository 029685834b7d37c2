/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fork, exec, exit and renaming of tasks: TASK records, and the scope and the filters following
 * them. Tracepoints that are on only while a session is. Called by session.c and main.c.
 */
#ifndef DDP_TASK_TRACE_H
#define DDP_TASK_TRACE_H

struct ddp_session;

/* Find the tracepoints of this kernel, once: -ENOENT when one is missing. */
int ddp_task_trace_init(void);

int ddp_task_trace_start(struct ddp_session *session);
/* When it returns no callback runs. */
void ddp_task_trace_stop(struct ddp_session *session);

#endif /* DDP_TASK_TRACE_H */
