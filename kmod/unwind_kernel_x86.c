// SPDX-License-Identifier: GPL-2.0
/*
 * x86-64: the kernel's own unwinder (ORC or frame pointers, as it was configured), from the
 * interrupted registers to the system call or interrupt entry. See unwind_kernel.h.
 */
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/ptrace.h>
#include <asm/unwind.h>

#include "unwind_kernel.h"
#include <uapi/ddprof.h>

const char *ddp_unwind_kernel_name(void)
{
	if (IS_ENABLED(CONFIG_UNWINDER_ORC))
		return "orc";
	return IS_ENABLED(CONFIG_UNWINDER_FRAME_POINTER) ? "frame_pointer" : "guess";
}

u32 ddp_unwind_kernel(struct pt_regs *regs, u64 *frames, u32 max, u8 *end)
{
	struct unwind_state state;
	unsigned long addr;
	u32 n = 0;

	for (unwind_start(&state, current, regs, NULL); !unwind_done(&state);
	     unwind_next_frame(&state)) {
		if (n == max) {
			*end = DDPROF_END_TRUNCATED;
			return n;
		}
		addr = unwind_get_return_address(&state);
		if (!addr)
			break;
		frames[n++] = addr;
	}
	if (!n) /* code that the unwinder does not know still has its own address */
		frames[n++] = regs->ip;
	*end = unwind_error(&state) ? DDPROF_END_BAD_FRAME : DDPROF_END_ROOT;
	return n;
}

bool ddp_user_regs(struct pt_regs *regs, struct ddp_user_regs *ret)
{
	if (!user_mode(regs)) {
		if (!current->mm || (current->flags & PF_KTHREAD))
			return false;
		regs = task_pt_regs(current);
		if (!user_mode(regs)) /* a worker that never was in user space */
			return false;
	}
	ret->ip = regs->ip;
	ret->sp = regs->sp;
	ret->bp = regs->bp;
	ret->limit = TASK_SIZE_MAX;
	ret->compat = !any_64bit_mode(regs);
	return true;
}
