/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel frames from interrupted registers, and where the user registers are. One implementation an
 * architecture; called by capture.c in interrupt or NMI context.
 */
#ifndef DDP_UNWIND_KERNEL_H
#define DDP_UNWIND_KERNEL_H

#include <linux/types.h>

#include "core/unwind_user.h"

struct pt_regs;

/* What walks kernel stacks here: "orc", "frame_pointer", "guess". */
const char *ddp_unwind_kernel_name(void);

/*
 * At most @max (>= 1) frames of current, interrupted at @regs in the kernel: how many, and why it
 * ended there.
 */
u32 ddp_unwind_kernel(struct pt_regs *regs, u64 *frames, u32 max, u8 *end);

/*
 * In an interrupt whose handler was not given them: the registers that it interrupted. NULL: the
 * stack does not tell.
 */
struct pt_regs *ddp_interrupted_regs(void);

/*
 * The user registers of current; false when it has none (a kernel thread, in the middle of exec).
 * What ret->get reads are the registers where the kernel saved them.
 */
bool ddp_user_regs(struct pt_regs *regs, struct ddp_user_regs *ret);

#endif /* DDP_UNWIND_KERNEL_H */
