/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the files that the module numbers: which of them wait for an unwind table, those
 * of most mappings first, which have one, which were refused and when to try again, and which walks
 * miss. No thread, no lock, no clock of its own; used by tables under its lock.
 */
#ifndef DDP_UNWIND_TABLE_QUEUE_H
#define DDP_UNWIND_TABLE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "base/table.h"

enum {
	DDP_TABLES_MAX_QUEUE = 1024,	/* files, each with a descriptor; then the least used go */
	DDP_TABLES_MAX_MISSING = 256,	/* told between two looks at the module's list */
	/* a file that the module had no room for rests for so long, doubling up to the last */
	DDP_TABLES_REFUSED_FIRST_MS = 2000,
	DDP_TABLES_REFUSED_LAST_MS = 256000,
};

/** One file. */
struct ddp_wanted {
	uint64_t id;
	enum {
		DDP_WANTED_IDLE,	/* no table */
		DDP_WANTED_QUEUED,	/* or being made */
		DDP_WANTED_DONE,	/* the module has its table, or had at the last look */
		DDP_WANTED_HOPELESS,	/* the module does not take it */
	} state;
	int fd;			/* owned while QUEUED; -1: none */
	char *path;		/* owned while QUEUED */
	uint32_t users;		/* mappings */
	uint32_t refusals;	/* and failures to read it, without a success between */
	int64_t not_before_ms;	/* after a refusal */
	uint64_t ended;		/* samples whose walk ended in it, as the module last said */
	uint64_t look;		/* the last one that found it in the module's list */
};

struct ddp_table_queue {		/* see ddp_table_queue_init() */
	struct ddp_table files;		/* id -> struct ddp_wanted *, owned */
	struct ddp_wanted *queue[DDP_TABLES_MAX_QUEUE];	/* as they came */
	size_t nr, max;			/* in queue */
	uint64_t missing[DDP_TABLES_MAX_MISSING];
	size_t nr_missing;
	uint64_t look;
	uint64_t dropped;		/* total: they found no place in the queue */
};

/** @param max_fds  by which files that wait may be held; DDP_TABLES_MAX_QUEUE at most */
void ddp_table_queue_init(struct ddp_table_queue *q, size_t max_fds);

/** NULL: not known. Stays until a look that does not find it, or the queue's end. */
struct ddp_wanted *ddp_table_queue_find(const struct ddp_table_queue *q, uint64_t id);

/** The same, IDLE when it is new. NULL: no memory, or id 0. */
struct ddp_wanted *ddp_table_queue_get(struct ddp_table_queue *q, uint64_t id);

/** Whether a file could be wanted now; one that waits already learns of its @users. */
bool ddp_table_queue_met(struct ddp_table_queue *q, uint64_t id, uint32_t users, int64_t now_ms);

/** @w, IDLE, waits; takes @fd and @path in any case. When all places are taken one is dropped. */
void ddp_table_queue_push(struct ddp_table_queue *q, struct ddp_wanted *w, int fd, char *path,
			  uint32_t users);

/**
 * The one of most users, of these the newest: its process's samples wait in the module for seconds
 * at most, while the older ones' may be over, as those of a program that executed this one. QUEUED
 * until it is settled. NULL: none waits.
 */
struct ddp_wanted *ddp_table_queue_pop(struct ddp_table_queue *q);

/** Whether @r, an upload's error, may pass: there was no room. -EAGAIN: there was no table. */
bool ddp_table_is_refusal(int r);

/** What became of one that was popped, or is IDLE: @r is 0 or negative. Closes its descriptor. */
void ddp_table_queue_settle(struct ddp_table_queue *q, struct ddp_wanted *w, int r, int64_t now_ms);

/**
 * A look at the module's list: begin, each file in it, and, when it was read to its end, end, which
 * forgets the others. To missing it adds those without a table that walks ended in since the last
 * look and that may be tried now; who takes them from there empties it.
 */
void ddp_table_queue_look(struct ddp_table_queue *q);
void ddp_table_queue_listed(struct ddp_table_queue *q, const struct ddp_link_table *said,
			    int64_t now_ms);
void ddp_table_queue_looked(struct ddp_table_queue *q);

void ddp_table_queue_free(struct ddp_table_queue *q);

#endif /* DDP_UNWIND_TABLE_QUEUE_H */
