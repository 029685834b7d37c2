/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which processes a session looks at: all of them, a list, or trees that grow as they fork. A set
 * of process ids as a bitmap over every pid there can be (512 KiB), so that the sampling path asks
 * with one bit test and following a fork is one bit set: no lock, no capacity, no probing. Ids are
 * the initial PID namespace's. A bit is cleared when its process exits, before the id can be given
 * again.
 */
#ifndef DDP_SCOPE_H
#define DDP_SCOPE_H

#include <linux/bitops.h>
#include <linux/types.h>
#include <uapi/ddprof.h>

struct pid;
struct netlink_ext_ack;

struct ddp_scope {
	u32 mode;		/* enum ddprof_scope */
	unsigned long *pids;	/* PID_MAX_LIMIT bits; NULL for MACHINE */
};

int ddp_scope_init(struct ddp_scope *scope, u32 mode);
void ddp_scope_deinit(struct ddp_scope *scope);
/*
 * Put the processes in. The exit and fork tracepoints must already be on, so that nothing slips
 * between. -ESRCH when one of them has ended.
 */
int ddp_scope_fill(struct ddp_scope *scope, struct pid *const *tgids, u32 n,
		   struct netlink_ext_ack *extack);

/* Any context. */
static inline bool ddp_scope_has(const struct ddp_scope *scope, u32 tgid)
{
	return scope->mode == DDPROF_SCOPE_MACHINE || test_bit(tgid, scope->pids);
}

/* From the tracepoints. */
void ddp_scope_forked(struct ddp_scope *scope, u32 parent_tgid, u32 child_tgid);
void ddp_scope_exited(struct ddp_scope *scope, u32 tgid);

#endif /* DDP_SCOPE_H */
