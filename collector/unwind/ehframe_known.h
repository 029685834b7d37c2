/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that is known by its bytes: what a signal handler returns to, and where a new thread begins,
 * in programs whose CFI does not say so: C libraries in assembly without any, and Go. Used by
 * ehframe and ehframe_gaps.
 */
#ifndef DDP_UNWIND_EHFRAME_KNOWN_H
#define DDP_UNWIND_EHFRAME_KNOWN_H

#include "unwind/ehframe.h"

struct cfi_known {
	uint64_t offset, nr;	/* in the file */
	uint8_t kind;		/* DDPROF_UNWIND_SIGNAL or DDPROF_UNWIND_STOP */
	bool borrowed;		/* the first byte is not its own, nor is it padding */
};

enum cfi_known_what {
	CFI_KNOWN_C,	/* signal handlers and threads, by their system calls */
	CFI_KNOWN_GO,	/* runtime.mcall, which leaves a goroutine's stack and never returns */
};

/* bytes of a file that are searched: it may have to come from a disk */
enum { CFI_MAX_SEARCHED = 16 << 20 };

/**
 * Tells @found of each such piece in [@start, @end), file offsets of one segment, where there is
 * code; in order and not overlapping. A signal's piece begins one byte early where there is one: a
 * handler's return address is looked up as the byte before it.
 * @param searched bytes so far; counted on here, and nothing is done at CFI_MAX_SEARCHED
 * @return 0, or what @found answered, which ends the search
 */
int cfi_known_search(const struct ddp_cfi_input *in, enum cfi_known_what what, uint64_t start,
		     uint64_t end, uint64_t *searched,
		     int (*found)(void *ctx, const struct cfi_known *known), void *ctx);

#endif /* DDP_UNWIND_EHFRAME_KNOWN_H */
