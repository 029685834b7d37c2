/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Walking a user stack from its registers: the frame-pointer walk. Memory is the target's and
 * hostile: it is read through a window (below) that the caller fills, every step must go up the
 * stack, and the walk ends after at most the asked number of frames whatever it reads. Pure but for
 * the window's read callback. Called by kmod/capture.
 */
#ifndef DDP_CORE_UNWIND_USER_H
#define DDP_CORE_UNWIND_USER_H

#include "port.h"

/* bytes fetched at once; measured by tests/bench, see docs */
enum { DDP_WINDOW_BYTES = 256 };

/*
 * A small cache of target memory, one per CPU and context level. read() copies @len bytes (never
 * across a page) from user address @addr and returns 0, or negative when any of them cannot be read
 * without waiting.
 */
struct ddp_window {
	int (*read)(void *ctx, void *to, u64 addr, u32 len);
	void *ctx;
	u64 addr;	/* of bytes[0] */
	u32 len;	/* valid bytes; 0: empty */
	u8 bytes[DDP_WINDOW_BYTES] __aligned(16);
};

struct ddp_user_regs {
	u64 ip, sp, bp;
	u64 limit;	/* first address past user space (TASK_SIZE of the task) */
	bool compat;	/* 32-bit task: frames are two 4-byte words */
};

static inline void ddp_window_reset(struct ddp_window *w)
{
	w->len = 0;
}

/* Copy @len (1..16) bytes at @addr out of the window, filling it as needed. 0 or -EFAULT. */
int ddp_window_get(struct ddp_window *w, u64 addr, void *to, u32 len);

/*
 * Write at most @max addresses to @frames, leaf (regs->ip) first, and return how many. *@end says
 * why it stopped: ROOT (frame pointer 0 read from the stack, or return address 0), TRUNCATED
 * (@max), UNREADABLE, BAD_FRAME (the next frame is not above the last, misaligned or outside user
 * space; or regs->bp is no frame pointer, 0 included).
 */
u32 ddp_unwind_user_fp(struct ddp_window *w, const struct ddp_user_regs *regs,
		       u64 *frames, u32 max, u8 *end);

#endif /* DDP_CORE_UNWIND_USER_H */
