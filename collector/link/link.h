/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with the kernel module over generic netlink: requests and their answers as
 * structs, and RECORDS messages as batches. Two sockets: one, opened by START, owns the session and
 * receives RECORDS; the other asks, so that an answer never waits behind records. A link belongs to
 * one thread at a time; another thread of the process opens one of its own to ask and to upload
 * tables, and never starts it.
 *
 *	ddp_link_open(&l, &err);
 *	ddp_link_start(l, &start, &started, &err);
 *	while (poll(ddp_link_fd(l)))
 *		ddp_link_receive(l, &err);	calls on_batch
 *	ddp_link_stop(l, &err);			then receive until a batch with end
 *	ddp_link_close(l);
 *
 * Closing ends the session in the kernel. What the kernel answers is checked like any other input.
 * An error's text is the kernel's own (extended ack) where it gave one. Source: uapi/ddprof.h.
 */
#ifndef DDP_LINK_LINK_H
#define DDP_LINK_LINK_H

#include <ddprof/io.h>

#include "link/decode.h"
#include "lib/cleanup.h"

struct ddp_link;

/**
 * One RECORDS message, borrowed for the call. A negative answer is what the receiving function
 * returns.
 */
typedef int (*ddp_link_batch_fn)(void *ctx, const struct ddp_batch *b);

/**
 * @return 0
 *	-ENOENT  no such family: the module is not loaded, or not to be seen from this network
 *	         namespace
 *	another negative errno of the sockets, see @err
 */
int ddp_link_open(struct ddp_link **ret, struct ddp_error *err);

/** NULL is allowed. */
void ddp_link_close(struct ddp_link *l);
DEFINE_CLEANUP(struct ddp_link *, ddp_link_close)

/** Who gets the batches; before ddp_link_start(). */
void ddp_link_on_batch(struct ddp_link *l, ddp_link_batch_fn fn, void *ctx);

struct ddp_link_info {
	char module_version[64];
	char kernel_unwinder[32];
	uint32_t max_events, max_depth;
	uint32_t owner_tgid;	/* of the session; 0: there is none, and all below is 0 */
	uint64_t tables;	/* unwind tables in use */
	uint64_t tables_bytes, tables_max_bytes;
	uint64_t tables_evicted, tables_refused;
	uint64_t cpu_bytes;	/* memory of one CPU's ring, cache and scratch */
	uint64_t defer_bytes;	/* memory for deferred samples, of all CPUs */
};

int ddp_link_get_info(struct ddp_link *l, struct ddp_link_info *ret, struct ddp_error *err);

struct ddp_link_event {
	uint32_t sampler;	/* enum ddprof_sampler */
	uint32_t type;		/* PERF: perf_event_attr.type */
	uint64_t config;	/* PERF: perf_event_attr.config */
	uint32_t frequency_hz;	/* exactly one of these two is not 0 */
	uint64_t period;
	uint32_t on_missing;	/* PERF: enum ddprof_missing; 0: the module's default */
	uint64_t min_ns;	/* OFFCPU: 0: the module's default */
};

/** Tasks in scope whose samples are left out: "FILTERS" in uapi/ddprof.h. All borrowed. */
struct ddp_link_filter {
	const uint32_t *exclude_tgids, *tids, *exclude_tids;
	const char *const *names, *const *exclude_names;	/* patterns */
	const int *cgroup_fds, *exclude_cgroup_fds;	/* open directories of a cgroup v2 */
	uint32_t nr_exclude_tgids, nr_tids, nr_exclude_tids;
	uint32_t nr_names, nr_exclude_names, nr_cgroup_fds, nr_exclude_cgroup_fds;
};

/** Members that are 0 take the module's default. */
struct ddp_link_start {
	const struct ddp_link_event *events;
	uint32_t nr_events;
	uint32_t scope;		/* enum ddprof_scope */
	const uint32_t *tgids;
	uint32_t nr_tgids;
	struct ddp_link_filter filter;
	uint32_t flags;		/* enum ddprof_flag */
	uint32_t depth, budget_permille, ring_kib, cache_stacks, flush_ms;
	const uint32_t *tables_kib;	/* NULL: the module's default; 0 there is a value */
};

struct ddp_link_started_event {
	uint32_t sampler;	/* the one in use; DDPROF_SAMPLER_NONE: the event is left out */
	uint64_t period;	/* a sample's value; 0: every hit says */
	uint32_t unit;		/* enum ddprof_unit */
	/* errno why it is the CPU clock instead, or left out; 0: it is what was asked for */
	uint32_t fallback;
};

struct ddp_link_started {
	uint64_t monotonic_ns, realtime_ns;
	uint32_t nr_events;	/* as many as START had */
	struct ddp_link_started_event events[DDPROF_MAX_EVENTS];
};

/**
 * Starts the session. Batches that arrived before the answer are told after *ret is filled, before
 * it returns.
 * @return 0, -EBADMSG: the answer is not one, or what the kernel says: see "ERRORS" in
 *        uapi/ddprof.h
 */
int ddp_link_start(struct ddp_link *l, const struct ddp_link_start *s,
		   struct ddp_link_started *ret, struct ddp_error *err);

/** No sample is taken any more when it returns; the batch with end is still to come. */
int ddp_link_stop(struct ddp_link *l, struct ddp_error *err);

int ddp_link_resync(struct ddp_link *l, struct ddp_error *err);

/** @param ret  a descriptor of the file, the caller's to close */
int ddp_link_file_open(struct ddp_link *l, uint64_t file_id, int *ret, struct ddp_error *err);

/** GET_STATS by name: the unit and meaning of each stand in uapi/ddprof.h. */
struct ddp_link_stats {
	uint32_t cpu, online;
	uint64_t elapsed_ns, samples, folded, new_stacks, idle, out_of_scope, no_regs, skipped;
	uint64_t lost_ring, lost_nested, lost_tasks, no_aspace, missed, nmi;
	uint64_t kernel_end[__DDPROF_END_MAX], user_end[__DDPROF_END_MAX];
	uint64_t handler_ns, handler_max_ns, ring_bytes, ring_high_bytes, messages, bytes;
	uint64_t deferred, defer_full, guessed;
	uint64_t blocks, blocks_short, blocks_thinned, blocks_lost;
};

typedef int (*ddp_link_stats_fn)(void *ctx, const struct ddp_link_stats *s);

/** Calls @fn for each CPU; not at all without a session. */
int ddp_link_get_stats(struct ddp_link *l, ddp_link_stats_fn fn, void *ctx, struct ddp_error *err);

/** Adds @s to @sum; the longest and highest of the two; the CPU count in sum->cpu. */
void ddp_link_stats_add(struct ddp_link_stats *sum, const struct ddp_link_stats *s);

/**
 * Uploads a file's unwind table: walks use it when this returns 0. What was begun and failed is
 * dropped, with the file's earlier table.
 * @param file_id  of a FILE record or DDPROF_FILE_VDSO; 0: the file that @fd is
 * @param fd       with file_id 0: a descriptor of the file, borrowed; else not used
 * @param bytes    at most UINT32_MAX
 * @param ret_id   the file's number; may be NULL
 * @return 0
 *	-ENOSPC  the module's tables take all that they may and are in use
 *	-EBUSY	 too many uploads at once
 *	-ENOENT	 no session, or the module does not know the file
 *	-EINVAL	 the module does not take the image; see "ERRORS" in uapi/ddprof.h for more
 */
int ddp_link_table_upload(struct ddp_link *l, uint64_t file_id, int fd, const void *image,
			  size_t bytes, uint64_t *ret_id, struct ddp_error *err);

/** One file with or without an unwind table. */
struct ddp_link_table {
	uint64_t file_id;
	uint32_t bytes;		/* memory of the table; 0: there is none */
	uint32_t rows;
	uint32_t idle_s;	/* since a walk used it */
	uint64_t ended;		/* samples whose walk ended in it without reaching the root */
	char name[256];		/* without folders; any bytes, cut */
};

/** @return 0, or what ends the list */
typedef int (*ddp_link_table_fn)(void *ctx, const struct ddp_link_table *t);

/** Calls @fn for each file; not at all without a session. */
int ddp_link_table_list(struct ddp_link *l, ddp_link_table_fn fn, void *ctx, struct ddp_error *err);

/** After START, for poll(): readable when ddp_link_receive() has something to do. */
int ddp_link_fd(const struct ddp_link *l);

/**
 * Takes what has arrived, without waiting, and a few MiB of it at most: ddp_link_fd() stays
 * readable when there is more. @return 0; -EBADMSG; an errno of the socket or of on_batch
 */
int ddp_link_receive(struct ddp_link *l, struct ddp_error *err);

#endif /* DDP_LINK_LINK_H */
