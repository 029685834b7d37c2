/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions the compiler put into which: what DWARF says of an address in a file, innermost
 * first, with source files and lines. Through libdw. Files are not trusted: debug information
 * beyond DDP_MAX_DEBUG_BYTES, or that refers to other files, is left alone, walks through it
 * neither recurse nor go on for ever, and lines are read of so many units as memory can be spared
 * for. Used by build.
 */
#ifndef DDP_SYMBOLS_INLINED_H
#define DDP_SYMBOLS_INLINED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

enum {
	DDP_MAX_DEBUG_BYTES = 256 << 20, /* of a file's .debug_ sections, uncompressed */
	DDP_MAX_INLINED = 64,		/* functions at one address */
};

struct ddp_inlined;

/** One of the functions at an address. Texts live as long as the struct ddp_inlined. */
struct ddp_inlined_function {
	const char *name;	/* as linked, or as written; never NULL */
	const char *file;	/* source file; NULL: not known */
	uint32_t start_line;	/* 0: not known */
	uint32_t line;		/* of the instruction, or of the call of the one before it; 0 */
};

/**
 * @param fd        borrowed for the call; its debug information is the file's, or that which is
 *		    installed for its @build_id
 * @param build_id  hex; "" or NULL: none
 * @return 0
 *	-ENOENT	 there is no debug information
 *	-EFBIG	 more than DDP_MAX_DEBUG_BYTES
 *	-ENOEXEC not an ELF file, or debug information that cannot be used
 *	-ENOMEM, or what reading answered
 */
int ddp_inlined_open(int fd, const char *build_id, struct ddp_inlined **ret);

/** NULL is allowed. */
void ddp_inlined_close(struct ddp_inlined *d);
DEFINE_CLEANUP(struct ddp_inlined *, ddp_inlined_close)

/**
 * The functions at @file_offset, innermost first; the last is the one that is not inlined.
 * @return how many of @ret are filled in; 0: nothing is known of it
 */
size_t ddp_inlined_at(struct ddp_inlined *d, uint64_t file_offset,
		      struct ddp_inlined_function ret[DDP_MAX_INLINED]);

/** Memory that its debug sections may take. */
uint64_t ddp_inlined_bytes(const struct ddp_inlined *d);

#endif /* DDP_SYMBOLS_INLINED_H */
