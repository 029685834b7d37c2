/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An independent reader of RECORDS, written from uapi/ddprof.h alone: it holds the kernel to
 * every promise the contract makes and adds up what arrived. The first broken promise is kept as
 * text. Used by the guest's test programs as nl->records.
 */
#ifndef GUEST_STREAM_H
#define GUEST_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_CPUS = 8, STREAM_DRAIN = STREAM_CPUS, STREAM_ALL, STREAM_IDS = 1 << 20, STREAM_FILES = 65536 };
enum { STREAM_KINDS = 16 };	/* that a test tells stacks apart by */

/* What is known of a stack id in one CPU's stream. */
enum stream_id {
	ID_UNKNOWN,
	ID_KNOWN,
	ID_REPLACED,	/* may still be named until FOLD_END */
	ID_RETIRED,	/* must not be named again */
	ID_ONCE,	/* exactly one HIT to come */
	ID_OLD = 0x80,	/* a flag: its STACK came before the RESYNC that is awaited */
};

/* A STACK; what it points to is good for the call. */
struct stream_stack {
	bool drain;			/* in the drain thread's stream: it was deferred */
	uint8_t flags, user_end;	/* enum ddprof_stack_flag, enum ddprof_walk_end */
	uint8_t state;			/* enum ddprof_task_state */
	uint32_t tgid, tid, event;
	uint64_t nr_kernel, nr_user;
	const uint64_t *kernel, *user;	/* leaf first */
};

struct stream_cpu {
	uint8_t *ids;		/* STREAM_IDS of enum stream_id */
	uint8_t *kinds;		/* by id: what kind_of said */
	uint64_t last_id;	/* the highest that was given */
	uint64_t hits;		/* samples, counts added up */
	uint64_t unknown;	/* HITs on ids that no STACK gave */
	bool resynced;		/* the awaited RESYNC is done: no HIT may name an old id */
	uint64_t lost_ring, lost_nested, lost_tasks, skipped;	/* the newest totals */
};

struct stream {
	struct stream_cpu cpu[STREAM_ALL];	/* the drain thread's stream is the last */
	uint8_t *seen;		/* by cpu and tid: SEEN came */
	uint8_t *files;		/* by file id: FILE came */
	uint64_t next_seq, gaps, messages, bytes;
	uint64_t stacks, seen_records, aspaces, maps, nr_files, forks, execs, exits;
	uint64_t kernel_stacks, user_stacks;	/* STACKs with such frames */
	uint64_t last_file;	/* newest file id that can be opened, 0: none */
	uint32_t expect_maps;	/* MAPs that must follow at once */
	uint64_t expect_aspace;
	uint32_t resync_marks;	/* messages with the flag */
	bool ended;
	char broken[160];	/* the first broken promise, "" : none */
	/* the test's, set after stream_init(); may be NULL. kind_of: below STREAM_KINDS */
	uint8_t (*kind_of)(void *ctx, const struct stream_stack *stack);
	void (*file)(void *ctx, uint64_t id, const char *path);
	void *ctx;
	uint64_t kinds[2][STREAM_KINDS];	/* samples by kind: not deferred, deferred */
	uint64_t values[STREAM_KINDS];		/* sums of the values that HITs had */
	uint64_t records[STREAM_KINDS];		/* HITs */
};

/* Aborts the program when there is no memory. */
void stream_init(struct stream *s);
void stream_deinit(struct stream *s);
/* One RECORDS message: nl->records with ctx = the stream. */
void stream_records(void *ctx, const uint8_t *attrs, size_t len);

/* Call before sending RESYNC: from a stream's flagged message on, its old ids are forbidden. */
void stream_await_resync(struct stream *s);

uint64_t stream_hits(const struct stream *s);
uint64_t stream_unknown(const struct stream *s);
/* Samples that the messages own up to have lost, all CPUs. */
uint64_t stream_lost(const struct stream *s);

#endif /* GUEST_STREAM_H */
