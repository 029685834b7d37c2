/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads environments of processes in threads of its own. The kernel takes a process's mmap lock for
 * it, which a file system that does not answer (a dead NFS, the process's own FUSE) can hold for as
 * long as it likes: who reads records must not wait for that. A question that finds no thread free
 * gets another one, up to a limit, so that none waits behind one that is stuck. Used by services.
 *
 *	ddp_reader_ask(r, q)		takes q; never waits
 *	q = ddp_reader_answer(r, 0)	now and then: what was read meanwhile
 *
 * One thread asks and takes the answers, which come in any order.
 */
#ifndef DDP_SERVICE_READER_H
#define DDP_SERVICE_READER_H

#include "service/proc.h"

enum {
	/* that read at a time, of the whole process: also those that are stuck since before this
	 * reader was made */
	DDP_READER_MAX_THREADS = 4,
	DDP_READER_MAX_QUEUED = 256,	/* each holds a descriptor */
	DDP_READER_STUCK_MS = 500,	/* who reads longer than that is stuck */
};

struct ddp_reader;

struct ddp_reader_request {
	int folder;			/* the process's in /proc; owned */
	uint64_t id;			/* the caller's */
	uint32_t tgid;			/* the caller's */
	struct ddp_proc_facts facts;	/* the answer is what there is of the environment in it */
	struct ddp_reader_request *next; /* the reader's */
};

/** NULL is allowed. */
void ddp_reader_request_free(struct ddp_reader_request *q);
DEFINE_CLEANUP(struct ddp_reader_request *, ddp_reader_request_free)

/** Its first thread begins with the first question. @return 0, -ENOMEM */
int ddp_reader_create(struct ddp_reader **ret);

/** What is asked is not read any more; who is stuck is not waited for. NULL is allowed. */
void ddp_reader_destroy(struct ddp_reader *r);

/**
 * Takes @q, but for an error.
 * @return 0; -EBUSY: as many wait as may, or all threads are stuck; -EAGAIN, -ENOMEM: there is no
 *	thread and none can be made
 */
int ddp_reader_ask(struct ddp_reader *r, struct ddp_reader_request *q);

enum {
	DDP_READER_READY,	/* ddp_reader_ask() takes a question */
	DDP_READER_FULL,	/* it will in a moment */
	DDP_READER_STUCK,	/* all of its threads are stuck */
};

int ddp_reader_state(struct ddp_reader *r);

/**
 * The next answer, the caller's: waits for it until @until_ms, of CLOCK_MONOTONIC; 0: not at all.
 * @return NULL: there is none
 */
struct ddp_reader_request *ddp_reader_answer(struct ddp_reader *r, int64_t until_ms);

/** A process that a thread has got stuck with, each told once. @return 0: none */
uint32_t ddp_reader_next_stuck(struct ddp_reader *r);

#endif /* DDP_SERVICE_READER_H */
