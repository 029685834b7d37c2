/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the sender asks of the system: clocks, random numbers and changes to files. A test puts
 * its own in the place of any, so that half an hour of outage takes no time and a disk is full, or
 * gone, after any byte. Used by sender, spool and their tests.
 */
#ifndef DDPROF_LIB_SENDER_SYSTEM_H
#define DDPROF_LIB_SENDER_SYSTEM_H

#include <stdint.h>
#include <sys/types.h>

#include "alloc.h"
#include "ddprof/io.h"

struct ddp__system {
	int64_t (*monotonic_ns)(void *ctx);
	int64_t (*unix_ns)(void *ctx);
	uint64_t (*random)(void *ctx);
	/* the five ways in which files change: 0 or what is asked for, or a negative errno */
	int (*create)(void *ctx, int folder, const char *name);		/* new, of mode 0600 */
	ssize_t (*write)(void *ctx, int fd, const void *bytes, size_t n);
	int (*sync)(void *ctx, int fd);					/* a folder's, too */
	int (*rename)(void *ctx, int folder, const char *from, const char *to);
	int (*remove)(void *ctx, int folder, const char *name);
	void *ctx;
};

/* The real ones. */
DDP_INTERNAL extern const struct ddp__system ddp__system_real;

/*
 * Opens a folder that is ours alone, made if it is not there and its parent is. The descriptor, or
 * -EPERM, or what the system says, with @err.
 */
DDP_INTERNAL int ddp__folder_open(const char *path, struct ddp_error *err);

/* What a file is called until it is complete: its name and this. */
#define FOLDER_PART ".part"
enum { FOLDER_NAME_MAX = 200 };

/*
 * Makes a file that is there as a whole or not at all, whatever happens, and once this returned 0
 * survives a power cut. Replaces one of the same name. 0 or a negative errno, with the folder as it
 * was before, but for what could not be removed.
 */
DDP_INTERNAL int ddp__folder_put(const struct ddp__system *sys, int folder, const char *name,
				 const void *bytes, size_t n);

/* Calls @fn for every entry until it answers other than 0, which is handed on. */
DDP_INTERNAL int ddp__folder_list(int folder, int (*fn)(void *ctx, const char *name), void *ctx);

/* What a file of @bytes takes on most disks. */
static inline uint64_t folder_block_bytes(uint64_t bytes)
{
	return (bytes + 4095) / 4096 * 4096;
}

#endif /* DDPROF_LIB_SENDER_SYSTEM_H */
