/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ddprof: unwind tables, the image that TABLE_BEGIN, TABLE_DATA and TABLE_COMMIT upload. One image
 * describes one file's code: for every address how to step from a frame to its caller. It is made
 * by the collector from .eh_frame or .debug_frame, and checked by the module before anybody uses
 * it. docs/unwinding.md tells how one is made and walked.
 *
 * IMAGE, all numbers in the machine's byte order, no padding between the parts:
 *
 *   struct ddprof_unwind_header
 *   struct ddprof_unwind_rule   rules[nr_rules]
 *   __u32                       pages[nr_pages + 1]
 *   __u32                       rows[nr_rows]
 *
 * Keys are file offsets, so that one image serves every mapping of the file. A row is
 *
 *   (offset & 0xffff) << 16 | index of its rule
 *
 * and holds from its offset up to the next row's. Rows are in the order of their offsets, no two
 * with the same. A page is 1 << page_shift bytes of the file; the rows whose offset lies in page
 * first_page + i are rows[pages[i]] up to, not including, rows[pages[i + 1]]. So pages[0] is 0,
 * pages[nr_pages] is nr_rows, and pages never decreases. A page is at most 64 KiB: the 16 bits of a
 * row tell offsets inside it apart.
 *
 * Look-up of an offset: the last row that is not behind it in its page; if its page has none
 * such, the row before pages[i]. Before the first row, and in pages outside the directory, there is
 * no rule; the last row of an image has a rule of kind NONE, which ends what the image covers.
 *
 * A STEP with a rule, on registers pc, sp, bp, bx (x86-64: rip, rsp, rbp, rbx) and base, the
 * register that the rule names by its DWARF number:
 *
 *   NONE     the file says nothing about this code
 *   STOP     the outermost frame: there is no caller
 *   REG      cfa = base + offset
 *   DEREF    cfa = [base + offset] + add
 *   PLT      cfa = base + offset + ((pc & 15) >= add ? 8 : 0)
 *   SIGNAL   a signal's frame: sp = [sp + 160], bp = [sp + 120], bx = [sp + 128],
 *            pc = [sp + 168], and pc is an interrupted instruction
 *   UNKNOWN  the file describes this code in a way that rules cannot
 *
 * REG, DEREF and PLT go on: bp by the member bp and bx by the member bx (below), pc = [cfa - 8],
 * sp = cfa. In any frame but the innermost, and in that one after a system call, the look-up is for
 * pc - 1: pc is where a call returns to, which may already be the next function.
 *
 * Sources: DWARF 5, section 6.4; System V ABI, AMD64 supplement, sections 3.4 and 3.7; struct
 * rt_sigframe, arch/x86/include/asm/sigframe.h.
 */
#ifndef _UAPI_DDPROF_UNWIND_H
#define _UAPI_DDPROF_UNWIND_H

#include <linux/types.h>

#define DDPROF_UNWIND_MAGIC	0x31555744	/* "DWU1"; another layout gets another number */

enum {
	DDPROF_UNWIND_MAX_RULES		= 65535,
	DDPROF_UNWIND_MAX_ROWS		= 1 << 24,
	DDPROF_UNWIND_MAX_PAGES		= 1 << 22,
	DDPROF_UNWIND_MIN_PAGE_SHIFT	= 8,
	DDPROF_UNWIND_MAX_PAGE_SHIFT	= 16,
};

struct ddprof_unwind_header {
	__u32 magic;		/* DDPROF_UNWIND_MAGIC */
	__u32 nr_rules;		/* 1..DDPROF_UNWIND_MAX_RULES; 0 in an image without rows */
	__u32 first_page;	/* page of the first row */
	__u32 nr_pages;		/* 1..DDPROF_UNWIND_MAX_PAGES; 0 in an image without rows */
	__u32 nr_rows;		/* 0: the file has no unwind information at all */
	__u32 page_shift;	/* DDPROF_UNWIND_MIN_PAGE_SHIFT..DDPROF_UNWIND_MAX_PAGE_SHIFT */
};

enum ddprof_unwind_kind {
	DDPROF_UNWIND_NONE,
	DDPROF_UNWIND_STOP,
	DDPROF_UNWIND_REG,
	DDPROF_UNWIND_DEREF,
	DDPROF_UNWIND_PLT,
	DDPROF_UNWIND_SIGNAL,
	DDPROF_UNWIND_UNKNOWN,
	__DDPROF_UNWIND_KIND_MAX,
};

/* Where the caller's bp is */
enum ddprof_unwind_bp {
	DDPROF_UNWIND_BP_SAME,		/* still in the register */
	DDPROF_UNWIND_BP_CFA,		/* [cfa + bp_offset] */
	DDPROF_UNWIND_BP_BP,		/* [bp + bp_offset] */
	DDPROF_UNWIND_BP_LOST,		/* cannot be told */
	__DDPROF_UNWIND_BP_MAX,
};

/* Member bx: cannot be told */
#define DDPROF_UNWIND_BX_LOST	(-128)

/* Members that a kind does not use are 0. */
struct ddprof_unwind_rule {
	__u8 kind;		/* enum ddprof_unwind_kind */
	/* DWARF number, 0..15: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8 r8 .. 15 r15 */
	__u8 base;
	__u8 bp;		/* enum ddprof_unwind_bp */
	/* Where the caller's bx is: 0 in the register, -127..-1 [cfa + 8 * bx], or BX_LOST */
	__s8 bx;
	__s32 offset;		/* bytes */
	__s16 add;		/* bytes; PLT: 0..15 */
	__s16 bp_offset;	/* bytes */
};

#endif /* _UAPI_DDPROF_UNWIND_H */
