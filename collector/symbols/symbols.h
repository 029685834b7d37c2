/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of frames that lie in no file of a process: the kernel's and its modules' functions, and
 * the vdso. Also the build-ids of these. Asked by build when a profile is made.
 */
#ifndef DDP_SYMBOLS_SYMBOLS_H
#define DDP_SYMBOLS_SYMBOLS_H

#include <stdbool.h>

#include "symbols/elf.h"
#include "symbols/kallsyms.h"

#define DDP_KERNEL_MAPPING "[kernel.kallsyms]"	/* what perf and pprof call the kernel itself */

enum { DDP_MODULE_BUILD_IDS = 64 };

struct ddp_module_build_id {
	const struct ddp_kallsyms_module *module;	/* of kernel's; NULL: none */
	char build_id[2 * DDP_MAX_BUILD_ID + 1];
};

struct ddp_symbols {			/* all zero: nothing read yet */
	struct ddp_kallsyms *kernel;	/* owned; NULL: not readable */
	uint64_t modules_digest;	/* of /proc/modules when kernel was read */
	struct ddp_elf *vdso;		/* owned; NULL: none */
	uint64_t vdso_bytes;		/* length of our own mapping of it */
	bool vdso_tried;
	char build_id[2 * DDP_MAX_BUILD_ID + 1];	/* the kernel's; "": not known */
	struct ddp_module_build_id module_build_ids[DDP_MODULE_BUILD_IDS];
};

/** Of a text like /proc/modules: another one when a module came, went or moved. */
uint64_t ddp_modules_digest(FILE *modules);

/** Before each profile: reads kernel symbols again if modules came or went. */
void ddp_symbols_refresh(struct ddp_symbols *s);

void ddp_symbols_free(struct ddp_symbols *s);

/** A kernel frame, as far as it is known. */
struct ddp_kernel_frame {
	const char *function;	/* NULL: not known */
	char mapping[DDP_KALLSYMS_MODULE + 2];	/* DDP_KERNEL_MAPPING or "[module]" */
	uint64_t start, limit;	/* of the mapping; 0: not known */
	char build_id[2 * DDP_MAX_BUILD_ID + 1]; /* "" when there is none */
};

void ddp_symbols_kernel(struct ddp_symbols *s, uint64_t address,
			struct ddp_kernel_frame *ret);

/**
 * The vdso, given where an address lies in somebody's mapping of it.
 * @param mapping_bytes  that mapping's length: another one than ours (32-bit programs) has no names
 */
const struct ddp_elf *ddp_symbols_vdso(struct ddp_symbols *s, uint64_t mapping_bytes);

/** Our own mapping of the vdso, an ELF image that stays. @return its length; 0: there is none */
size_t ddp_own_vdso(const void **ret);

#endif /* DDP_SYMBOLS_SYMBOLS_H */
