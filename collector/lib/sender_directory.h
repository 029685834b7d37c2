/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target that is a folder: each batch becomes a file that is there as a whole or not at all, and
 * the oldest go before there are too many. A batch that comes a second time, after its answer got
 * lost, takes its own first file's place. One thread's. Used by sender.
 */
#ifndef DDPROF_LIB_SENDER_DIRECTORY_H
#define DDPROF_LIB_SENDER_DIRECTORY_H

#include "ddprof/exporter.h"
#include "sender_system.h"

struct ddp__directory;

/* @max_age_s 0: no limit. 0, or as ddp__folder_open(), with @err. @sys is borrowed for its life. */
DDP_INTERNAL int ddp__directory_open(const struct ddp__system *sys, const char *path,
				     uint64_t max_bytes, uint32_t max_age_s,
				     struct ddp__directory **ret, struct ddp_error *err);
/* The files stay. NULL is allowed. */
DDP_INTERNAL void ddp__directory_close(struct ddp__directory *d);

/* As ddp_exporter_send(). */
DDP_INTERNAL int ddp__directory_put(struct ddp__directory *d, const struct ddp_export_form *form,
				    struct ddp_export_result *ret);

struct ddp__directory_counts {
	uint64_t files, bytes;		/* there now; in blocks of 4 KiB */
	uint64_t removed;		/* for the limits, since it was opened */
};

DDP_INTERNAL void ddp__directory_count(const struct ddp__directory *d,
				       struct ddp__directory_counts *ret);

#endif /* DDPROF_LIB_SENDER_DIRECTORY_H */
