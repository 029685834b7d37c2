/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables on disk, so that a collector that starts again need not make them again. One file a
 * table in a folder that nobody else can write to, named after the build-id of the program it is
 * for and after which file on this machine that is: a file that is replaced or changed has another
 * name. What is read is checked as the module would check it; what is damaged is removed and
 * made again. The folder is kept below a size: the longest unused go. Used by tables, whose worker
 * thread is the only one that has it.
 *
 * A build-id is only what a file says about itself: hence device, inode, size and times. Programs
 * that others than root and this process's user could write to have no key at all.
 */
#ifndef DDP_UNWIND_TABLE_CACHE_H
#define DDP_UNWIND_TABLE_CACHE_H

#include <ddprof/io.h>
#include <stdint.h>

#include "symbols/elf.h"

struct ddp_table_cache;

/** Names one program. */
struct ddp_table_key {
	char name[2 * DDP_MAX_BUILD_ID + 32];	/* a file's name in the folder */
};

/**
 * @param path       the folder; made if it is not there
 * @param max_bytes  on disk, more or less
 * @return 0; -EPERM: it is not ours alone; what opening it answered; -ENOMEM. See @err
 */
int ddp_table_cache_open(const char *path, uint64_t max_bytes, struct ddp_table_cache **ret,
			 struct ddp_error *err);

/** NULL is allowed. */
void ddp_table_cache_close(struct ddp_table_cache *c);
DEFINE_CLEANUP(struct ddp_table_cache *, ddp_table_cache_close)

/**
 * @param fd  of the program, borrowed
 * @return 0; -ENOENT: it has no build-id, or others may write to it. Any change of
 *	the file is another key
 */
int ddp_table_cache_key(int fd, struct ddp_table_key *ret);

/**
 * @param ret_image  owned by the caller, free(); checked
 * @return 0; -ENOENT: not there, or not any more; -ENOMEM
 */
int ddp_table_cache_get(struct ddp_table_cache *c, const struct ddp_table_key *key,
			void **ret_image, size_t *ret_bytes);

/** Keeps a copy, unless it is larger than a quarter of all. @return 0; -EFBIG, or what failed */
int ddp_table_cache_put(struct ddp_table_cache *c, const struct ddp_table_key *key,
			const void *image, size_t bytes);

#endif /* DDP_UNWIND_TABLE_CACHE_H */
