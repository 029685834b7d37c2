/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's unwind tables: opens what tables needs (a link of its own, the cache), and tells it
 * which files processes map. Used by pipeline, on its thread.
 */
#ifndef DDP_UNWIND_UNWINDING_H
#define DDP_UNWIND_UNWINDING_H

#include "core/process.h"
#include "unwind/tables.h"

struct ddp_unwinding_config {
	const char *cache;	/* folder for tables; NULL: none */
	/* longest wait, before START, for tables of files that are mapped already; 0: none */
	uint32_t ahead_ms;
	const struct ddp_link_start *start;	/* borrowed for the call: scope and memory limit */
};

struct ddp_unwinding {			/* all zero: without tables */
	struct ddp_tables *tables;	/* owned, as all of this; NULL: none */
	struct ddp_link *link;
	struct ddp_table_cache *cache;
	const struct ddp_process *process;	/* borrowed */
};

/**
 * Makes tables ahead, unless START's limit leaves no room for any. What goes wrong is logged and
 * only costs tables.
 */
void ddp_unwinding_open(struct ddp_unwinding *u, const struct ddp_unwinding_config *config,
			const struct ddp_process *process);

/** The session runs. */
void ddp_unwinding_start(struct ddp_unwinding *u);

/** A mapping of @file_id was told; 0: of no file. */
void ddp_unwinding_map(struct ddp_unwinding *u, uint64_t file_id);

/** For poll(): readable when there is something for ddp_unwinding_work(); -1: never. */
int ddp_unwinding_fd(const struct ddp_unwinding *u);
void ddp_unwinding_work(struct ddp_unwinding *u);

/** To be called now and then: says when a file holds the others up. */
void ddp_unwinding_check(struct ddp_unwinding *u);

/** All zero without tables. */
void ddp_unwinding_count(struct ddp_unwinding *u, struct ddp_tables_counts *ret);

void ddp_unwinding_close(struct ddp_unwinding *u);

#endif /* DDP_UNWIND_UNWINDING_H */
