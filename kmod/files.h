/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapped files: one number and one FILE record each, and for a bounded time and number a hold on
 * the very file, so that FILE_OPEN can hand it to the collector even when it was deleted or lives
 * in a container. A held path keeps its mount busy: that is why holds are short.
 */
#ifndef DDP_FILES_H
#define DDP_FILES_H

#include <linux/types.h>

struct ddp_batch;
struct ddp_files;
struct file;
struct path;

struct ddp_files *ddp_files_create(void);
void ddp_files_destroy(struct ddp_files *files);

/*
 * Drain thread, mmap lock of the mapping held: the number of @file; 0 when there are too many.
 * A file seen for the first time waits for ddp_files_announce().
 */
u64 ddp_files_id(struct ddp_files *files, struct file *file);
/*
 * Any thread, no locks held: the number of a file that was not met yet, perhaps; 0 when there are
 * too many. Neither holds it nor announces it: that is done when it is met.
 */
u64 ddp_files_id_ahead(struct ddp_files *files, struct file *file);
/* Drain thread, no locks held: FILE records of the new ones. */
void ddp_files_announce(struct ddp_files *files, struct ddp_batch *batch);
/* Drain thread: let go of what was held for DDPROF_FILE_HOLD_S. */
void ddp_files_expire(struct ddp_files *files);
/* Drain thread, for a resync: announce every file again when it is next met. */
void ddp_files_forget(struct ddp_files *files);

/* Process context: the held path, referenced; -ENOENT when it is unknown or no longer held. */
int ddp_files_path(struct ddp_files *files, u64 id, struct path *ret);

#endif /* DDP_FILES_H */
