/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables for the module: a worker thread that makes them, or takes them from the cache, and
 * uploads them, the files of most mappings first. Nobody waits for it: a file is named to it in
 * microseconds, however large it is.
 *
 *	ddp_tables_create(&config, &t);		begins with what running processes map
 *	ddp_tables_wait_ahead(t, 2000);
 *	... START ...
 *	ddp_tables_start(t);			uploads from here on
 *	if (ddp_tables_met(t, id, users))	for each mapping of a file
 *		ddp_tables_want(t, id, fd, users, path);
 *	ddp_tables_destroy(t);
 *
 * A file that is no program, or says nothing of its frames, gets a table without rows, as the
 * module waits for it; one that cannot be read just now is tried again, rarer each time. The module
 * forgets tables when memory is short; the thread looks every few seconds which of them walks ended
 * for lack of and has them wanted again (ddp_tables_fd(), ddp_tables_missing()).
 *
 * One thread calls all of this; the worker calls the ops. Used by pipeline.
 */
#ifndef DDP_UNWIND_TABLES_H
#define DDP_UNWIND_TABLES_H

#include "unwind/ehframe.h"
#include "link/link.h"
#include "unwind/prebuild.h"
#include "unwind/table_cache.h"
#include "unwind/table_queue.h"

enum {
	/* from one look at the module's list to the next; after a refusal when that has rested */
	DDP_TABLES_LIST_MS = 10000,
};

/** What the worker does outside. All as the functions of link.h and cfi_file.h are described. */
struct ddp_tables_ops {
	int (*upload)(void *ctx, uint64_t file_id, int fd, const void *image, size_t bytes,
		      uint64_t *ret_id, struct ddp_error *err);
	int (*list)(void *ctx, ddp_link_table_fn fn, void *fn_ctx, struct ddp_error *err);
	int (*build)(int fd, void **ret_image, size_t *ret_bytes,
		     struct ddp_cfi_counts *ret_counts);
	int64_t (*now_ms)(void);	/* monotonic */
};

struct ddp_tables_config {
	const struct ddp_tables_ops *ops;
	void *ctx;
	struct ddp_table_cache *cache;	/* borrowed, for the worker alone; NULL: none */
	const void *vdso;		/* our own, borrowed; NULL: none */
	size_t vdso_bytes;
	/* whose files are built ahead, copied; its enough is not asked; NULL: nobody's */
	const struct ddp_prebuild_scope *ahead;
	size_t max_made_bytes;		/* of tables that are made ahead and kept until START */
	/* of all made ahead: the rest of the module's memory is left to files that samples meet */
	uint64_t max_ahead_bytes;
	size_t max_fds;			/* that files may be held by, waiting or done ahead; each */
};

struct ddp_tables;

/** Starts the thread. @return 0, -ENOMEM, -EAGAIN */
int ddp_tables_create(const struct ddp_tables_config *config, struct ddp_tables **ret);

/** Until tables are built ahead, as far as they are before START. @return whether they are */
bool ddp_tables_wait_ahead(struct ddp_tables *t, uint32_t timeout_ms);

/** The session runs: the module takes tables. */
void ddp_tables_start(struct ddp_tables *t);

/**
 * A file has @users mappings now. @return whether ddp_tables_want() should follow: it has no table
 * and none is on its way
 */
bool ddp_tables_met(struct ddp_tables *t, uint64_t file_id, uint32_t users);

/**
 * Asks for a file's table.
 * @param fd    of the file, duplicated; -1: nobody can open it now: it rests, as after a refusal
 * @param path  for logs, copied
 * @return 0, -ENOMEM, -EMFILE, -ENFILE: not asked
 */
int ddp_tables_want(struct ddp_tables *t, uint64_t file_id, int fd, uint32_t users,
		    const char *path);

/** For poll(): readable when ddp_tables_missing() has something to tell. */
int ddp_tables_fd(const struct ddp_tables *t);

/**
 * Files that walks ended in for lack of a table, which should be wanted, those that are still
 * mapped. @return how many are in @ret
 */
size_t ddp_tables_missing(struct ddp_tables *t, uint64_t ret[DDP_TABLES_MAX_MISSING]);

/** To be called now and then: warns, once a file, that the worker is held up by it. */
void ddp_tables_check(struct ddp_tables *t);

struct ddp_tables_counts {
	uint64_t built, from_cache;	/* tables made; taken from the cache */
	uint64_t no_cfi;		/* of these, without rows: not ELF, or nothing in it */
	uint64_t failed;		/* files that could not be read, tables not taken */
	uint64_t uploaded;		/* tables, with those without rows */
	uint64_t refused;		/* uploads for which the module had no room */
	uint64_t dropped;		/* wanted when too many were */
	uint64_t stuck;			/* files that took more than 10 s to read */
	uint64_t rows, image_bytes;	/* of uploaded tables */
	uint64_t build_ns;
	struct ddp_cfi_counts cfi;	/* of built tables, added up */
};

void ddp_tables_count(struct ddp_tables *t, struct ddp_tables_counts *ret);

/**
 * Waits for the table that is being made. NULL is allowed.
 * @return false: a file system does not answer, and the thread goes on with all that it was given,
 *	which has to stay: the program should end
 */
bool ddp_tables_destroy(struct ddp_tables *t);

#endif /* DDP_UNWIND_TABLES_H */
