/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's call frame information, .eh_frame and .debug_frame, as an unwind table
 * (uapi/ddprof_unwind.h). Pure: bytes in, image out; no input crashes it, loops it or makes it
 * allocate more than its limits. What a rule cannot say becomes an UNKNOWN row, counted by reason.
 * Used by tables, which has the file, and by benchmarks and fuzzers.
 *
 * Sources: DWARF 5, sections 6.4 and 7.24; LSB 5, "Exception Frames" (.eh_frame, augmentation and
 * pointer encodings); System V ABI, AMD64 supplement, section 3.6.
 */
#ifndef DDP_UNWIND_EHFRAME_H
#define DDP_UNWIND_EHFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmod/core/unwind_rows.h"

/** A section's bytes, borrowed, and its virtual address as linked. */
struct ddp_cfi_section {
	const uint8_t *bytes;
	size_t nr;
	uint64_t address;
	bool open_ended;	/* nr is only a limit: an entry of length 0 is the end */
};

/** Executable bytes of the file: addresses become file offsets by these. */
struct ddp_cfi_segment {
	uint64_t address, offset, nr;	/* virtual address, file offset, bytes */
};

/** A section whose code may be without CFI, and has a form that is known. */
struct ddp_cfi_stub {
	uint64_t address, nr;		/* virtual, bytes */
	enum {
		DDP_CFI_STUB_PLT,	/* a procedure linkage table */
		DDP_CFI_STUB_INIT,	/* .init or .fini */
	} kind;
};

/** Everything that a table is made of. Sections that are not there are empty. */
struct ddp_cfi_input {
	struct ddp_cfi_section eh_frame, debug_frame;
	const struct ddp_cfi_segment *segments;	/* by address */
	size_t nr_segments;
	const struct ddp_cfi_stub *stubs;
	size_t nr_stubs;
	uint64_t entry;			/* e_entry; 0: none */
	uint64_t code_start, code_end;	/* file offsets; segments have code here, else only data */
	uint64_t text, data;		/* bases of DW_EH_PE_textrel and datarel */
	/* it has a C library beside it that makes system calls: no small function of it does */
	bool needs_libraries;
	/*
	 * Copies @nr bytes of a segment at a file offset. 0, anything else: not to be had; NULL:
	 * none are. They tell padding from code that nobody describes, and what such code is.
	 */
	int (*read)(void *ctx, uint64_t offset, void *to, size_t nr);
	void *ctx;
};

/** Why code has an UNKNOWN row; also why a whole entry was left out (last three). */
enum ddp_cfi_reason {
	DDP_CFI_EXPRESSION,	/* no CFA, or an expression of no known form */
	DDP_CFI_REGISTER,	/* return address or stack pointer in another register */
	DDP_CFI_RETURN,		/* return address not at cfa - 8 */
	DDP_CFI_RANGE,		/* a number does not fit its member of the rule */
	DDP_CFI_OPCODE,		/* an instruction nobody specified, or one cut short */
	DDP_CFI_RULES,		/* more different rules than DDPROF_UNWIND_MAX_RULES */
	DDP_CFI_STATES,		/* remember_state nested too deeply, or restore_state without */
	DDP_CFI_CIE,		/* an entry's CIE is missing, damaged or of an unknown version */
	DDP_CFI_ENTRY,		/* an FDE is damaged, or what follows cannot be told apart */
	DDP_CFI_OUTSIDE,	/* an FDE for address 0 (thrown away by the linker) or no segment */
	DDP_CFI_NR_REASONS,
};

/** A reason in words, for logs and benchmarks. */
const char *ddp_cfi_reason_text(enum ddp_cfi_reason reason);

struct ddp_cfi_counts {
	uint64_t entries;		/* FDEs read */
	uint64_t rows;			/* in the image, NONE and STOP among them */
	uint64_t unknown_rows;
	uint64_t code_bytes;		/* described by FDEs */
	uint64_t unknown_bytes;		/* of these, by UNKNOWN rows */
	uint64_t bp_lost_rows;		/* good but for rbp */
	uint64_t by_reason[DDP_CFI_NR_REASONS];	/* rows or entries */
};

/**
 * Makes a table. .eh_frame_hdr plays no part: it is an index of what is read anyway. Code that
 * .eh_frame describes is not looked up in .debug_frame. Where both are silent, rows are made for
 * what is known without: PLTs, .init and .fini, the program's entry, and what its bytes tell.
 * Damaged entries are left out and counted; where entries overlap, the one that
 * begins first keeps its addresses up to where the next begins.
 * @param ret_image  owned by the caller, free(); a file without CFI gives an image without rows
 * @param ret_counts filled in any case; may be NULL
 * @return 0; -EFBIG: more than an image holds, or than any program has; -ENOMEM
 */
int ddp_cfi_table(const struct ddp_cfi_input *in, void **ret_image, size_t *ret_bytes,
		  struct ddp_cfi_counts *ret_counts);

#endif /* DDP_UNWIND_EHFRAME_H */
