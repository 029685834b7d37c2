/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame instructions: from an FDE's program to the unwind rule of each of its addresses. Only
 * what rules speak of is followed: the CFA, rbx, rbp, rsp and the return address. Pure; no
 * instruction sequence loops or grows anything. Used by ehframe, and by ehframe_entry for a CIE's
 * own instructions, which run once and whose outcome every FDE begins with.
 */
#ifndef DDP_UNWIND_EHFRAME_PROGRAM_H
#define DDP_UNWIND_EHFRAME_PROGRAM_H

#include <stdbool.h>

#include "base/cursor.h"
#include "unwind/ehframe.h"
#include "unwind/ehframe_expr.h"
#include "unwind/ehframe_pointer.h"

/* What became of the caller's register */
enum cfi_how {
	CFI_UNSPECIFIED,
	CFI_SAME,	/* same_value */
	CFI_UNDEFINED,	/* undefined: the caller's value is gone */
	CFI_AT,		/* in memory at value */
	CFI_IS,		/* it is value */
};

struct cfi_place {
	uint8_t how;	/* enum cfi_how */
	struct cfi_value value;
};

enum { CFI_BX, CFI_BP, CFI_SP, CFI_RA, CFI_NR_PLACES };
enum { CFI_REG_BX = 3, CFI_REG_BP = 6, CFI_REG_SP = 7 };	/* DWARF numbers */

struct cfi_state {
	struct cfi_value cfa;
	struct cfi_place place[CFI_NR_PLACES];
};

struct cfi_cie {
	const struct ddp_cfi_section *section;	/* borrowed */
	uint64_t at;		/* its position there */
	struct cfi_bases bases;	/* of pointers in its FDEs; function is not set */
	uint64_t code_align;	/* bytes */
	int64_t data_align;	/* bytes */
	struct cfi_state initial;
	bool usable;		/* else damaged, and only section and at are set */
	bool sized;		/* augmentation z: FDEs have data of their own */
	bool signal;		/* augmentation S */
	uint8_t encoding;	/* of addresses in FDEs */
	uint8_t ra;		/* column of the return address */
};

enum { CFI_MAX_REMEMBERED = 16 };	/* compilers need 1, assembly 2 */

struct cfi_program {
	struct cursor code;
	const struct cfi_cie *cie;
	uint64_t address;	/* of the FDE's first byte */
	uint64_t nr;		/* bytes of code; 0: a CIE's own instructions */
	uint64_t from, to;	/* the state below holds here; counted from address */
	int fault;		/* enum ddp_cfi_reason that made the program end; negative: none */
	struct cfi_state state;
	unsigned int depth;
	struct cfi_state remembered[CFI_MAX_REMEMBERED];
};

void cfi_program_init(struct cfi_program *p, const struct cfi_cie *cie, struct cursor code,
		      uint64_t address, uint64_t nr);

/** On to the next piece of code, [from, to), with one state. The last one ends at nr. */
void cfi_program_step(struct cfi_program *p);

/**
 * The rule of the piece.
 * @return why it is UNKNOWN, enum ddp_cfi_reason; negative when it is not
 */
int cfi_program_rule(const struct cfi_program *p, struct ddprof_unwind_rule *ret);

#endif /* DDP_UNWIND_EHFRAME_PROGRAM_H */
