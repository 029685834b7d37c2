/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DWARF expressions as call frame information uses them, read as formulas over the registers of a
 * frame rather than evaluated. The few forms that unwind rules can say come out as a value; all
 * others as CFI_VALUE_OTHER. Pure, linear in the expression's bytes. Used by ehframe_program.
 */
#ifndef DDP_UNWIND_EHFRAME_EXPR_H
#define DDP_UNWIND_EHFRAME_EXPR_H

#include "base/cursor.h"

enum cfi_form {
	CFI_VALUE_OTHER,	/* of no known form */
	CFI_VALUE_CONST,	/* offset */
	CFI_VALUE_CFA,		/* the frame's CFA + offset */
	CFI_VALUE_REG,		/* reg + offset */
	CFI_VALUE_DEREF,	/* [reg + offset] + add */
	CFI_VALUE_PLT,		/* reg + offset + ((pc & 15) >= add ? 8 : 0) */
	/* parts of the last one */
	CFI_VALUE_PC,		/* pc */
	CFI_VALUE_PC15,		/* pc & 15 */
	CFI_VALUE_PC15_GE,	/* (pc & 15) >= add */
	CFI_VALUE_PC15_GE_8,	/* the same, times 8 */
};

/** A form with its numbers; those that it does not name are 0. */
struct cfi_value {
	uint8_t form;		/* enum cfi_form */
	uint8_t reg;		/* DWARF number, 0..15 */
	int64_t offset, add;	/* bytes */
};

enum { CFI_PC_COLUMN = 16 };	/* DWARF number of the return address and of rip */

/**
 * What @expression leaves on top of the stack.
 * @param first  what is on the stack when it begins; form CFI_VALUE_OTHER: nothing
 */
struct cfi_value cfi_expression(struct cursor expression, struct cfi_value first);

#endif /* DDP_UNWIND_EHFRAME_EXPR_H */
