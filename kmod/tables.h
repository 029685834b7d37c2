/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unwind tables of a session's files: made room for, filled, checked and published by the
 * collector's commands (netlink_table.c), looked up by walks in interrupts, evicted when memory
 * runs short. One entry a file that an address space maps, or that has a table.
 *
 * A walk finds a file's rows through its range (mmtrack.c) inside an RCU read-side section. A table
 * is unpublished first and freed a grace period later; an entry is freed only when no range and no
 * table is left. Locks: tables->lock guards everything here but what walks read; it nests inside an
 * mmap lock, so nothing under it touches user memory.
 */
#ifndef DDP_TABLES_H
#define DDP_TABLES_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "core/unwind_user.h"

struct ddp_session;
struct ddp_table;
struct ddp_tables;
struct file;

struct ddp_table_file {
	struct ddp_unwind_file unwind;	/* what walks see */
	atomic64_t ended;		/* samples whose walk ended here, not at the root */
	u64 id;				/* of the FILE record, or DDPROF_FILE_VDSO */
	u32 refs;			/* ranges, and whoever holds it for a moment */
	struct ddp_table *table;	/* published, or NULL */
	struct ddp_table *upload;	/* begun and not committed, or NULL */
	char name[48];
};

/* What became of all of them, for GET_INFO. */
struct ddp_tables_info {
	u64 tables, bytes, max_bytes, evicted, refused;
};

/* One file, for TABLE_LIST. */
struct ddp_table_info {
	u64 file_id, ended;
	u32 bytes, rows, idle_s;	/* bytes 0: no table */
	char name[48];
};

struct ddp_tables *ddp_tables_create(struct ddp_session *s, u64 max_bytes);
/* No walk runs any more and no range is left. */
void ddp_tables_destroy(struct ddp_tables *t);

/*
 * The entry of a file, made if there is none; NULL without memory. @file is what it is called
 * after; NULL: the vdso. Process context, an mmap lock may be held. The caller has a reference.
 */
struct ddp_table_file *ddp_tables_get(struct ddp_tables *t, u64 id, const struct file *file);
void ddp_tables_put(struct ddp_tables *t, struct ddp_table_file *f);

/* A number that changes when a table is published. */
u32 ddp_tables_news(const struct ddp_tables *t);

/* What walks stamp files with: seconds, any context. */
u32 ddp_tables_stamp(void);

/*
 * The commands, one at a time (ddp_session_lock held). @file: the table is made before anybody met
 * the file, so begin makes an entry for it but evicts no other; NULL: the number has to be known.
 * Errors as uapi/ddprof.h says; commit's *@fault says what is wrong with the image.
 */
int ddp_tables_begin(struct ddp_tables *t, u64 id, const struct file *file, u32 bytes);
int ddp_tables_fill(struct ddp_tables *t, u64 id, u32 offset, const void *data, u32 bytes);
int ddp_tables_commit(struct ddp_tables *t, u64 id, const char **fault);
int ddp_tables_drop(struct ddp_tables *t, u64 id);
/* What begin did is undone; a published table stays. */
void ddp_tables_cancel(struct ddp_tables *t, u64 id);

/* The first entry from number *@id on, which it then is; false: there is none. */
bool ddp_tables_next(struct ddp_tables *t, u64 *id, struct ddp_table_info *ret);
void ddp_tables_info(struct ddp_tables *t, struct ddp_tables_info *ret);

#endif /* DDP_TABLES_H */
