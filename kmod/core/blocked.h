/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which threads are blocked, since when and how: a table of fixed size, by thread id. A thread is
 * put in where it leaves its CPU and taken out where it runs again, maybe on another CPU; the
 * scheduler orders these two. Different threads meet only over empty slots, which are claimed by
 * one cmpxchg. No lock, no allocation, 8 slots (two cache lines) looked at. Called by kmod/offcpu.
 */
#ifndef DDP_CORE_BLOCKED_H
#define DDP_CORE_BLOCKED_H

#include "port.h"

struct ddp_blocked_slot {
	u32 tid;		/* 0: empty */
	u32 state;		/* enum ddprof_task_state */
	u64 since_ns;
};

struct ddp_blocked {
	struct ddp_blocked_slot *slots;	/* the caller's, all zero at first */
	u32 nr;				/* a power of two, >= 16 */
};

/* False: no room near its place. @tid: not 0. */
bool ddp_blocked_put(struct ddp_blocked *b, u32 tid, u32 state, u64 now_ns);
/* False: it is not in. */
bool ddp_blocked_take(struct ddp_blocked *b, u32 tid, u32 *ret_state, u64 *ret_since_ns);

#endif /* DDP_CORE_BLOCKED_H */
