/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of .eh_frame and .debug_frame: CIEs, which say what many functions have in common,
 * and FDEs, one a function, as arrays. Nothing here looks into an FDE's instructions. Used by
 * ehframe.
 */
#ifndef DDP_UNWIND_EHFRAME_ENTRY_H
#define DDP_UNWIND_EHFRAME_ENTRY_H

#include <stdbool.h>

#include "base/cursor.h"
#include "unwind/ehframe.h"
#include "unwind/ehframe_program.h"
#include "lib/cleanup.h"

/*
 * What real files stay far below: the largest programs have a million functions, and a CIE for each
 * object file where nobody merged them.
 */
enum {
	CFI_MAX_CIES = 1 << 17,
	CFI_MAX_FDES = 1 << 21,
	CFI_MAX_SECTION = 256 << 20,	/* bytes */
};

struct cfi_fde {
	uint64_t offset;	/* in the file */
	uint64_t address;	/* virtual */
	uint32_t nr;		/* bytes of code, > 0, all in one segment */
	uint32_t cie;		/* index, or one of the below */
	uint32_t program;	/* position of its instructions in the CIE's section */
	uint32_t program_bytes;
};

/* No FDE of the file's: code whose rule is the kind alone, without a program */
enum { CFI_NO_CIE_STOP = CFI_MAX_CIES, CFI_NO_CIE_SIGNAL };

struct cfi_entries {
	struct cfi_cie *cies;	/* owned; in the order of sections and positions */
	size_t nr_cies, cap_cies;
	struct cfi_fde *fdes;	/* owned */
	size_t nr_fdes, cap_fdes;
};

/**
 * Adds a section's entries. Damaged ones, and those for addresses in no segment, are left out and
 * counted in @counts.
 * @param s	   borrowed, outlives @e
 * @param is_debug .debug_frame
 * @return 0, -EFBIG, -ENOMEM
 */
int cfi_entries_add(struct cfi_entries *e, const struct ddp_cfi_section *s, bool is_debug,
		    const struct ddp_cfi_input *in, struct ddp_cfi_counts *counts);

/** Adds code that is not in a section. 0, -EFBIG, -ENOMEM */
int cfi_entries_add_fde(struct cfi_entries *e, const struct cfi_fde *fde);

/**
 * Puts FDEs from @first on in the order of their file offsets; those with the same keep theirs.
 * @return 0 or -ENOMEM
 */
int cfi_entries_sort(struct cfi_entries *e, size_t first);

void cfi_entries_deinit(struct cfi_entries *e);
DEFINE_CLEANUP_IN_PLACE(struct cfi_entries, cfi_entries_deinit)

/**
 * The file offset of an address, and how many bytes from there are in the same segment.
 * @return false when it is in none
 */
bool cfi_to_offset(const struct ddp_cfi_input *in, uint64_t address, uint64_t *ret,
		   uint64_t *ret_left);

#endif /* DDP_UNWIND_EHFRAME_ENTRY_H */
