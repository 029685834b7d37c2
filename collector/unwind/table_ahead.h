/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files whose unwind tables are made ahead: what prebuild found, opened one after the other,
 * and the tables that were made of them and wait for START. Also which files are through, so that
 * one that was met in the meantime is not done twice. Used by the worker of tables.
 */
#ifndef DDP_UNWIND_TABLE_AHEAD_H
#define DDP_UNWIND_TABLE_AHEAD_H

#include "unwind/prebuild.h"
#include "base/table.h"
#include "unwind/table_make.h"

struct ddp_table_ahead {		/* all zero: nothing */
	struct ddp_prebuild found;
	size_t next_found;
	struct ddp_ahead_made {
		int fd;			/* owned */
		struct ddp_made made;
	} *made;			/* owned, in order */
	size_t nr_made, cap_made, next_made;
	size_t made_bytes;
	struct ddp_table through;	/* hash of device and inode -> nothing */
};

/**
 * The next file found that is not through, opened.
 * @param ret_name  for logs; lives until _free()
 * @return a descriptor, the caller's; -1: there are no more
 */
int ddp_table_ahead_open(struct ddp_table_ahead *a, const char *proc, const char **ret_name);

/** Keeps a table. Takes both in any case; without memory it is gone. */
void ddp_table_ahead_keep(struct ddp_table_ahead *a, int fd, struct ddp_made *made);

/** The next table kept, the caller's again. @return its descriptor; -1: there are no more */
int ddp_table_ahead_take(struct ddp_table_ahead *a, struct ddp_made *ret);

/** The module has this file's table. */
void ddp_table_ahead_did(struct ddp_table_ahead *a, int fd);
bool ddp_table_ahead_is_through(const struct ddp_table_ahead *a, int fd);

void ddp_table_ahead_free(struct ddp_table_ahead *a);

#endif /* DDP_UNWIND_TABLE_AHEAD_H */
