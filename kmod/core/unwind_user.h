/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Walking a user stack from its registers: by unwind rows where the code's file has them, else by
 * frame pointers. Memory is the target's and hostile: it is read through a window (below) that the
 * caller fills, every step but a signal's must go up the stack, and the walk ends after at most the
 * asked number of frames whatever it reads. One step is one look-up and, mostly, one read of 8
 * bytes, the return address; registers that callees saved are read when a frame needs them. A step
 * reads at most four words. A read that fails ends the walk or marks a register as lost, and the
 * latter happens at most once a step; one for a return address may be tried twice. Pure but for the
 * window's read callback. Called by kmod/capture in interrupts and by kmod/defer in the drain
 * thread; by benchmarks and fuzzers on the host.
 */
#ifndef DDP_CORE_UNWIND_USER_H
#define DDP_CORE_UNWIND_USER_H

#include "port.h"
#include "unwind_rows.h"

enum {
	DDP_WINDOW_BYTES = 256,	/* fetched at once; measured by tests/bench, see docs */
	DDP_MEMO_RULES = 256,	/* remembered, a power of two: 6 KiB */
	DDP_MEMO_OFFSET_BITS = 36, /* of a key: 64 GiB of a file; what lies behind is searched */
};

/*
 * The rules that walks met last, by where they are: real stacks repeat, and most of a step is the
 * search for its rule. Copies, under a key that no other table has, so that a table may go. One per
 * CPU and context level; all zero at first.
 */
struct ddp_memo_rule {
	u64 key;	/* the rows' serial and, below it, the offset in the file; 0: empty */
	struct ddprof_unwind_rule rule;
	u8 plain;	/* what the rule asks of a step, for the walk's own use */
};

struct ddp_memo {
	struct ddp_memo_rule at[DDP_MEMO_RULES];
};

/*
 * A small cache of target memory, one per CPU and context level. read() copies @len bytes (never
 * across a page) from user address @addr and returns 0, or negative when any of them cannot be read
 * without waiting.
 */
struct ddp_window {
	int (*read)(void *ctx, void *to, u64 addr, u32 len);
	void *ctx;
	struct ddp_memo *memo;	/* NULL: every rule is searched for */
	u64 addr;	/* of bytes[0] */
	u32 len;	/* valid bytes; 0: empty */
	u8 bytes[DDP_WINDOW_BYTES] __aligned(16);
};

static inline void ddp_window_reset(struct ddp_window *w)
{
	w->len = 0;
}

/* The word at @addr, of any alignment; fills the window as needed. 0 or -EFAULT. */
int ddp_window_word(struct ddp_window *w, u64 addr, u64 *ret);

struct ddp_user_regs {
	u64 ip, sp, bp;
	/* first address past user space (TASK_SIZE of the task), where a page begins */
	u64 limit;
	bool compat;	/* 32-bit task: frame pointers only, frames are two 4-byte words */
	bool exact;	/* ip is an interrupted instruction; else where a system call returns to */
	/* Any register as it was interrupted, by DWARF number 0..15; NULL: only these are known */
	u64 (*get)(const void *ctx, u32 number);
	const void *ctx;
};

/*
 * What the walk knows of one mapped file. Shared by all CPUs; rows is swapped under the walkers
 * (ddp_store_release), and what it pointed to before is freed only when no walk can use it any
 * more.
 */
struct ddp_unwind_file {
	const struct ddp_rows *rows;	/* NULL: none, not yet */
	u32 used;			/* stamp of the last walk that used the rows */
	u32 awaited_until;		/* stamp: rows that are missing may come until then */
};

/* Executable memory of an address space. */
struct ddp_unwind_range {
	u64 start, end;			/* addresses */
	u64 file_offset;		/* of start */
	struct ddp_unwind_file *file;	/* NULL: no file is behind it: frame pointers */
};

/* All of an address space, sorted by start, not overlapping. Does not change once published. */
struct ddp_unwind_ranges {
	u32 nr;
	struct ddp_unwind_range range[];
};

struct ddp_walk {
	u8 end;			/* enum ddprof_walk_end */
	/* a frame in a file without rows was walked by frame pointers: what follows may be wrong */
	bool guessed;
	/*
	 * worth doing again when tables and mappings are up to date: a file whose rows are awaited,
	 * or an address that no range has and no guess led to
	 */
	bool retry;
	bool unmapped;		/* the latter of these */
	/* where a walk ended that did not end at the root; NULL: in no file */
	struct ddp_unwind_file *ended_in;
};

/*
 * Write at most @max addresses to @frames, leaf (regs->ip) first, and return how many. Below a
 * signal's frame the interrupted instruction is given as its address + 1, so that address - 1 names
 * every frame but the first.
 *   @ranges  NULL: not known yet
 *   @stamp   stored in `used` of every file whose rows were used; any clock
 * ROOT: a STOP rule; return address 0; or frame pointer 0 in a caller that is walked by frame
 * pointers. BAD_FRAME: the next frame is not above the last, misaligned, outside user space or,
 * when ranges are known, not in executable memory; that address is not written. NO_TABLE: BAD_FRAME
 * in, or a few frames after, a file without rows. NO_RULE: in code whose rule is UNKNOWN or counts
 * from a register that is not known there; or in code that its file's rows do not describe, and
 * neither frame pointers helped nor, in the innermost frame, what a call left at sp.
 */
u32 ddp_unwind_user(struct ddp_window *w, const struct ddp_user_regs *regs,
		    const struct ddp_unwind_ranges *ranges, u32 stamp,
		    u64 *frames, u32 max, struct ddp_walk *ret);

#endif /* DDP_CORE_UNWIND_USER_H */
