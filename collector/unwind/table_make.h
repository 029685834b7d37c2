/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file's unwind table: from the cache, or made from the file and then put there. Used by the
 * worker of tables.
 */
#ifndef DDP_UNWIND_TABLE_MAKE_H
#define DDP_UNWIND_TABLE_MAKE_H

#include <stdbool.h>
#include <time.h>

#include "unwind/ehframe.h"
#include "unwind/table_cache.h"

/** As ddp_cfi_file_table() */
typedef int (*ddp_table_build_fn)(int fd, void **ret_image, size_t *ret_bytes,
				  struct ddp_cfi_counts *ret_counts);

struct ddp_made {
	void *image;			/* owned, free() */
	size_t bytes;
	uint32_t rows;
	bool cached;			/* nothing was built: ns and cfi are 0 */
	int unfit;			/* why a program has no rows, negative; 0: it may have */
	/* the file's when it was read */
	int64_t size;
	struct timespec modified, changed;
	uint64_t ns;			/* that building took */
	struct ddp_cfi_counts cfi;
};

/**
 * A file that is no program, has no CFI or is beyond the limits gets a table without rows.
 * @param fd     borrowed
 * @param cache  NULL: none
 * @return 0; -ENOMEM; -ESTALE: it was written to meanwhile; what reading it answered. All of these
 *	may pass
 */
int ddp_table_make(ddp_table_build_fn build, struct ddp_table_cache *cache, int fd,
		   struct ddp_made *ret);

/** The same of an image in memory, the vdso. Never from the cache. */
int ddp_table_make_memory(const void *elf, size_t bytes, struct ddp_made *ret);

/** Whether a file is still what its table was made of. */
bool ddp_made_is_current(const struct ddp_made *m, int fd);

void ddp_made_free(struct ddp_made *m);
DEFINE_CLEANUP_IN_PLACE(struct ddp_made, ddp_made_free)

#endif /* DDP_UNWIND_TABLE_MAKE_H */
