/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of the tasks in scope are left out: by process, thread, process name and cgroup. Asked in
 * the sampling path, so every answer there is a bit test or, for cgroups, a comparison of
 * ancestors: names are matched when a process is made or renamed, into one bit a process, and
 * thread ids become bits at START. Bitmaps over every pid there can be (512 KiB each), only for
 * what was asked. Made by netlink.c, owned by the session, kept by task_trace.c.
 */
#ifndef DDP_FILTER_H
#define DDP_FILTER_H

#include <linux/bitops.h>
#include <linux/sched.h>
#include <uapi/ddprof.h>

#include "core/pattern.h"

struct cgroup;
struct netlink_ext_ack;
struct pid;

enum { DDP_PATTERN_MAX = 64 }; /* bytes, terminator included */

/* The kinds of each sort; the first of two lets in, the second keeps out. */
enum { DDP_FILTER_IN, DDP_FILTER_OUT, DDP_FILTER_WAYS };

struct ddp_filter_pids {
	struct pid *pid[DDPROF_MAX_FILTERS];	/* held */
	u32 nr;
	unsigned long *bits;	/* PID_MAX_LIMIT; NULL: not needed */
};

struct ddp_filter_names {
	char pattern[DDPROF_MAX_FILTERS][DDP_PATTERN_MAX];
	u32 nr;
};

struct ddp_filter_cgroups {
	struct cgroup *cgroup[DDPROF_MAX_FILTERS];	/* held */
	u32 nr;
};

struct ddp_filter {
	struct ddp_filter_pids tids[DDP_FILTER_WAYS];
	/* bits: of the processes that are left out, by number or by name */
	struct ddp_filter_pids not_tgids;
	struct ddp_filter_names names[DDP_FILTER_WAYS];
	struct ddp_filter_cgroups cgroups[DDP_FILTER_WAYS];
};

/* An empty one, or NULL. */
struct ddp_filter *ddp_filter_create(void);
/* NULL is allowed. */
void ddp_filter_destroy(struct ddp_filter *f);

/* -E2BIG: there are DDPROF_MAX_FILTERS of them already; -ESRCH: no such process or thread. */
int ddp_filter_add_pid(struct ddp_filter_pids *p, u32 number);
int ddp_filter_add_name(struct ddp_filter_names *n, const char *pattern);
/* -E2BIG; -EBADF: no cgroup v2 directory */
int ddp_filter_add_cgroup(struct ddp_filter_cgroups *g, u32 fd);

/* The memory that the sampling path looks at. */
int ddp_filter_alloc(struct ddp_filter *f);
/*
 * Judge everything that runs now. The fork and rename tracepoints must already be on. -ESRCH when a
 * thread that was to be let in has ended.
 */
int ddp_filter_fill(struct ddp_filter *f, struct netlink_ext_ack *extack);

bool ddp_filter_passes_cgroups(const struct ddp_filter *f, struct task_struct *p);

/* Whether @p, current or one that is just leaving its CPU, is let through. Any context. */
static inline bool ddp_filter_passes(const struct ddp_filter *f, struct task_struct *p)
{
	const struct ddp_filter_pids *in = &f->tids[DDP_FILTER_IN], *out = &f->tids[DDP_FILTER_OUT];

	if (f->not_tgids.bits && test_bit(p->tgid, f->not_tgids.bits))
		return false;
	if (in->bits && !test_bit(p->pid, in->bits))
		return false;
	if (out->bits && test_bit(p->pid, out->bits))
		return false;
	return (!f->cgroups[DDP_FILTER_IN].nr && !f->cgroups[DDP_FILTER_OUT].nr) ||
	       ddp_filter_passes_cgroups(f, p);
}

/* From the tracepoints; @name is terminated. */
void ddp_filter_forked(struct ddp_filter *f, struct task_struct *child);
void ddp_filter_renamed(struct ddp_filter *f, struct task_struct *p, const char *name);

#endif /* DDP_FILTER_H */
