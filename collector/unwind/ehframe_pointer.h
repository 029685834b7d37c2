/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded pointers of .eh_frame and .eh_frame_hdr. Source: LSB 5, "DWARF Extensions", "DWARF
 * Exception Header Encoding". Used by ehframe_entry and ehframe_program.
 */
#ifndef DDP_UNWIND_EHFRAME_POINTER_H
#define DDP_UNWIND_EHFRAME_POINTER_H

#include "base/cursor.h"

enum {
	CFI_PE_ABSPTR = 0x00, CFI_PE_ULEB128, CFI_PE_UDATA2, CFI_PE_UDATA4, CFI_PE_UDATA8,
	CFI_PE_SIGNED = 0x08, CFI_PE_SLEB128, CFI_PE_SDATA2, CFI_PE_SDATA4, CFI_PE_SDATA8,
	CFI_PE_FORMAT = 0x0f,	/* the bits of those */

	CFI_PE_PCREL = 0x10, CFI_PE_TEXTREL = 0x20, CFI_PE_DATAREL = 0x30, CFI_PE_FUNCREL = 0x40,
	CFI_PE_ALIGNED = 0x50,
	CFI_PE_BASE = 0x70,	/* the bits of those */

	CFI_PE_INDIRECT = 0x80,
	CFI_PE_OMIT = 0xff,
};

/* What encodings count from: addresses of the section, the text, the data, the function */
struct cfi_bases {
	uint64_t section, text, data, function;
};

/**
 * Reads one. The cursor's start is the section's. 0 stays 0 whatever it counts from, as it stands
 * for "none". An indirect pointer is read, not followed: @ret is where the address would be.
 * @return 0 or -EBADMSG
 */
int cfi_pointer(struct cursor *c, uint8_t encoding, const struct cfi_bases *bases, uint64_t *ret);

#endif /* DDP_UNWIND_EHFRAME_POINTER_H */
