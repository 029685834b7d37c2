/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for senders: a clock that stands still until it is moved, random numbers that repeat, a
 * disk that fills up or goes away in the middle of a write, and a receiver that answers as it was
 * told to and drops what it has already. It keeps the books: of every batch that was added, whether
 * it arrived, was dropped and for what, or lies in the spool.
 *
 *	struct world *w = world_create();
 *	struct ddp__target *t = world_target(w, &(struct ddp_sender_target){ .name = "t" });
 *
 *	world_add(w, t, 1000);
 *	w->answer = DDP_EXPORT_RETRY;
 *	world_run(w, t, 60);
 *	assert_int_equal(world_count(w, WORLD_ARRIVED), 0);
 *
 * For tests only: it ends the program when it cannot go on.
 */
#ifndef DDPROF_TESTS_SENDER_WORLD_H
#define DDPROF_TESTS_SENDER_WORLD_H

#include <stdbool.h>

#include "lib/sender_target.h"

enum { WORLD_MAX_BATCHES = 4096, WORLD_MAX_FILES = 256 };

struct world_batch {
	char id[BATCH_ID_BYTES];
	uint32_t nr_stored, nr_arrived, nr_dropped;
	enum ddp_sender_drop reason;	/* of the last drop */
};

struct world {
	struct ddp__system sys;
	int64_t now_ns;			/* monotonic */
	uint64_t seed;
	char folder[64];		/* its own, removed at the end */

	/* the disk; -1: no limit */
	int64_t changes_left;		/* changes and bytes until it is gone: as if killed there */
	int64_t room_bytes;		/* until it is full */
	struct world_file {		/* what a power cut would take back */
		char name[64];
		int fd;
		bool data_synced, renamed, name_synced;
	} files[WORLD_MAX_FILES];
	uint32_t nr_files;

	/* the receiver */
	int answer;			/* DDP_EXPORT_*, or a negative errno */
	uint32_t retry_after_ms;
	struct ddp__target *during_send;	/* NULL, or one that gets a batch meanwhile */
	bool dies_when_sent;		/* takes it, and then the world is as if killed */
	uint64_t nr_sends, nr_duplicates;
	int64_t last_send_ns;
	int64_t out_from_ns, out_until_ns;	/* answers RETRY in between */

	struct world_batch batches[WORLD_MAX_BATCHES];
	uint32_t nr;
	uint64_t events[DDP_SENDER_DROPPED + 1];
	char said[512];			/* the last message */
	uint32_t order[WORLD_MAX_BATCHES], nr_order;	/* batches as they arrived */
};

struct world *world_create(void);
void world_destroy(struct world *w);

/* A path in the world's folder; good until the next call. */
const char *world_path(struct world *w, const char *name);

/* The power is off and on again: in folder @name is only what was synced. */
void world_cut_power(struct world *w, const char *name);

/* A target whose receiver is the world's, unless @config says another way. */
struct ddp__target *world_target(struct world *w, struct ddp_sender_target *config);
/* The same, or the error. */
int world_try_target(struct world *w, struct ddp_sender_target *config, struct ddp__target **ret,
		     struct ddp_error *err);

/* A batch with @bytes of profile, and its number. */
uint32_t world_add(struct world *w, struct ddp__target *t, size_t bytes);
struct ddp__batch *world_batch(struct world *w, size_t bytes);

/* Steps and moves the clock until @seconds are over. */
void world_run(struct world *w, struct ddp__target *t, uint32_t seconds);
/* Steps until there is nothing to do at this moment. When it wants to be called again. */
int64_t world_settle(struct ddp__target *t, const struct world *w);

/* How many batches: */
enum world_fate {
	WORLD_ARRIVED,		/* at least once */
	WORLD_DROPPED,
	WORLD_BOTH,		/* arrived and was dropped */
	WORLD_NEITHER,
};
uint32_t world_count(const struct world *w, enum world_fate fate);

#endif /* DDPROF_TESTS_SENDER_WORLD_H */
