/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that no FDE describes: padding between functions, which needs no rows, and the few pieces
 * whose rules are known all the same: procedure linkage tables, .init and .fini, the program's
 * entry, and what ehframe_known finds. Used by ehframe.
 */
#ifndef DDP_UNWIND_EHFRAME_GAPS_H
#define DDP_UNWIND_EHFRAME_GAPS_H

#include "unwind/ehframe.h"
#include "unwind/ehframe_rows.h"

enum cfi_piece_kind { CFI_PIECE_ENTRY, CFI_PIECE_PLT, CFI_PIECE_INIT };

/* A stub or the entry, as a piece of the file */
struct cfi_piece {
	uint64_t offset, nr;
	uint8_t kind;	/* enum cfi_piece_kind */
};

struct cfi_gaps {
	const struct ddp_cfi_input *in;
	struct cfi_rows *rows;
	struct cfi_piece *pieces;	/* owned; by offset */
	size_t nr, next;		/* next: the first that may lie ahead */
	uint64_t searched;		/* bytes of code */
};

/** @return 0 or -ENOMEM; deinit in both cases. @in and @rows are borrowed. */
int cfi_gaps_init(struct cfi_gaps *g, const struct ddp_cfi_input *in, struct cfi_rows *rows);
void cfi_gaps_deinit(struct cfi_gaps *g);
DEFINE_CLEANUP_IN_PLACE(struct cfi_gaps, cfi_gaps_deinit)

/**
 * Rows for [@start, @end), file offsets between two FDEs or behind the last. Gaps come in order.
 * @return 0; -EFBIG, -ENOMEM
 */
int cfi_gaps_fill(struct cfi_gaps *g, uint64_t start, uint64_t end);

#endif /* DDP_UNWIND_EHFRAME_GAPS_H */
