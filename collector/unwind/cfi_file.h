/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwind table of an ELF file: finds its call frame information, by section or by
 * PT_GNU_EH_FRAME when sections are gone, unpacks compressed debug sections, and has ehframe make
 * the table. The file may be hostile: sizes are limited, the bytes are never trusted to stay (they
 * are read, not mapped). Used by tables and benchmarks.
 */
#ifndef DDP_UNWIND_CFI_FILE_H
#define DDP_UNWIND_CFI_FILE_H

#include "unwind/ehframe.h"

/**
 * @param fd  borrowed; an ELF program or library of this machine's word size
 * @return 0, as ddp_cfi_table(); -ENOEXEC: not such a file; -EFBIG: a section over the limits;
 *	-ESTALE: it was cut short meanwhile; or what reading it answered
 */
int ddp_cfi_file_table(int fd, void **ret_image, size_t *ret_bytes,
		       struct ddp_cfi_counts *ret_counts);

/** The same of an image in memory as the kernel maps it, the vdso. Borrowed for the call. */
int ddp_cfi_memory_table(const void *elf, size_t bytes, void **ret_image, size_t *ret_bytes,
			 struct ddp_cfi_counts *ret_counts);

#endif /* DDP_UNWIND_CFI_FILE_H */
