/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file's unwind table: from the cache, or made from the file and then put there. Used by the
 * worker of tables.
 */
#ifndef DDP_CORE_TABLE_MAKE_H
#define DDP_CORE_TABLE_MAKE_H

#include <stdbool.h>

#include "core/ehframe.h"
#include "core/table_cache.h"

/** As ddp_cfi_file_table() */
typedef int (*ddp_table_build_fn)(int fd, void **ret_image, size_t *ret_bytes,
				  struct ddp_cfi_counts *ret_counts);

struct ddp_made {
	void *image;			/* owned, free() */
	size_t bytes;
	uint32_t rows;
	bool cached;			/* nothing was built: ns and cfi are 0 */
	int unreadable;			/* why the file could not be read, negative; 0: it could */
	uint64_t ns;			/* that building took */
	struct ddp_cfi_counts cfi;
};

/**
 * A file that has no table, or cannot be read, gets one without rows.
 * @param fd     borrowed; -1: a file that nobody can open
 * @param cache  NULL: none
 * @return 0; -ENOMEM
 */
int ddp_table_make(ddp_table_build_fn build, struct ddp_table_cache *cache, int fd,
		   struct ddp_made *ret);

/** The same of an image in memory, the vdso. Never from the cache. */
int ddp_table_make_memory(const void *elf, size_t bytes, struct ddp_made *ret);

void ddp_made_free(struct ddp_made *m);
DEFINE_CLEANUP_IN_PLACE(struct ddp_made, ddp_made_free)

#endif /* DDP_CORE_TABLE_MAKE_H */
