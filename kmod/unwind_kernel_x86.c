// SPDX-License-Identifier: GPL-2.0
/*
 * x86-64: the kernel's own unwinder (ORC or frame pointers, as it was configured), from the
 * interrupted registers to the system call or interrupt entry. See unwind_kernel.h.
 */
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/cpufeature.h>
#include <asm/irq_regs.h>
#include <asm/ptrace.h>
#include <asm/unwind.h>

#include "compat.h"
#include "unwind_kernel.h"
#include <uapi/ddprof.h>

const char *ddp_unwind_kernel_name(void)
{
	if (IS_ENABLED(CONFIG_UNWINDER_ORC))
		return "orc";
	return IS_ENABLED(CONFIG_UNWINDER_FRAME_POINTER) ? "frame_pointer" : "guess";
}

/* The unwinder stands at the registers that entry code saved, or was lost on the way there. */
static u8 ddp_unwind_end(struct unwind_state *state)
{
	struct pt_regs *regs = unwind_get_entry_regs(state, NULL);

	if (unwind_error(state))
		return DDPROF_END_BAD_FRAME;
	return unwind_done(state) || (regs && user_mode(regs)) ? DDPROF_END_ROOT :
								 DDPROF_END_BAD_FRAME;
}

/*
 * Registers of an interrupt or exception have that bit; what kernel code made up for a tracepoint
 * or a software event is no more than where it is, ip and sp of the function that reports.
 */
static bool ddp_regs_made(const struct pt_regs *regs)
{
	return !(regs->flags & X86_EFLAGS_FIXED);
}

u32 ddp_unwind_kernel(struct pt_regs *regs, u64 *frames, u32 max, u8 *end)
{
	bool made = ddp_regs_made(regs);
	struct unwind_state state;
	unsigned long addr;
	u32 n = 0;

	/* given registers, the unwinder begins with their caller; else here, and passes us over */
	if (!made)
		frames[n++] = regs->ip;
	unwind_start(&state, current, made ? NULL : regs, made ? (void *)regs->sp : NULL);
	*end = DDPROF_END_NONE;
	for (; !unwind_done(&state); unwind_next_frame(&state)) {
		if (n == max) {
			*end = DDPROF_END_TRUNCATED;
			break;
		}
		addr = unwind_get_return_address(&state);
		if (!addr)
			break;
		frames[n++] = addr;
	}
	if (*end == DDPROF_END_NONE)
		*end = ddp_unwind_end(&state);
	if (!n)
		frames[n++] = regs->ip;
	if (made)
		frames[0]--; /* a return address, like all others: back into the call */
	return n;
}

struct pt_regs *ddp_interrupted_regs(void)
{
	enum { FRAMES_MAX = 64 }; /* between an interrupt's entry and its handler: a dozen */
	struct pt_regs *regs = get_irq_regs();
	struct unwind_state state;
	bool partial;
	int i;

	/* not every interrupt notes them there */
	unwind_start(&state, current, NULL, NULL);
	for (i = 0; !regs && i < FRAMES_MAX && !unwind_done(&state); i++) {
		regs = unwind_get_entry_regs(&state, &partial);
		if (regs && partial)
			regs = NULL;
		unwind_next_frame(&state);
	}
	return regs;
}

/* By DWARF number: System V ABI, AMD64 supplement, figure 3.36 */
static u64 ddp_user_reg(const void *ctx, u32 number)
{
	static const u8 at[16] = {
		offsetof(struct pt_regs, ax), offsetof(struct pt_regs, dx),
		offsetof(struct pt_regs, cx), offsetof(struct pt_regs, bx),
		offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
		offsetof(struct pt_regs, bp), offsetof(struct pt_regs, sp),
		offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
		offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
		offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
		offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
	};

	return *(const unsigned long *)(ctx + at[number % ARRAY_SIZE(at)]);
}

/*
 * Whether ip is where a system call returns to. On its way out orig_ax is still the call's number
 * when ip is already that of a signal handler, of a new program or of the call itself, to be made
 * again; but rcx is what SYSCALL left in it, its return address.
 */
static bool ddp_in_syscall(const struct pt_regs *regs)
{
	if ((long)regs->orig_ax == -1)
		return false;
#ifdef X86_FEATURE_FRED
	if (boot_cpu_has(X86_FEATURE_FRED)) /* leaves rcx alone */
		return true;
#endif
	return regs->cx == regs->ip;
}

bool ddp_user_regs(struct pt_regs *regs, struct ddp_user_regs *ret)
{
	if (!user_mode(regs)) {
		if (!current->mm || (current->flags & PF_KTHREAD) || ddp_in_exec(current))
			return false;
		regs = task_pt_regs(current);
		/*
		 * a worker of io_uring or vhost never was in user space: its registers are made up
		 */
		if (!user_mode(regs) || (!regs->ip && !regs->sp))
			return false;
	}
	ret->exact = !ddp_in_syscall(regs);
	ret->ip = regs->ip;
	ret->sp = regs->sp;
	ret->bp = regs->bp;
	ret->limit = TASK_SIZE_MAX;
	ret->compat = !any_64bit_mode(regs);
	ret->get = ddp_user_reg;
	ret->ctx = regs;
	return true;
}
