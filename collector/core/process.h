/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the module said about address spaces, files and processes: which file lies at an address,
 * and a process's name where a stack came without. Knows nothing that the module did not tell.
 * Filled by pipeline from decode; asked when a profile is built. With max_followed, a process that
 * is met when so many are there stays one too many for its life.
 *
 * A new layout replaces the old one, but ranges of the old that nothing new covers stay until the
 * profile that may need them is built: a library that was just unloaded still has its names. For
 * the same reason an address space that ended is forgotten only then.
 */
#ifndef DDP_CORE_PROCESS_H
#define DDP_CORE_PROCESS_H

#include <stdbool.h>

#include "link/decode.h"
#include "symbols/object.h"
#include "base/table.h"

enum {
	/* kept of one address space's layouts before its last; a module lists half as many */
	DDP_MAX_STALE_RANGES = 8192,
	DDP_MAX_PROCESSES = 1 << 16,	/* names of processes */
};

/** One executable mapping of an address space. */
struct ddp_range {
	uint64_t start, length, file_offset;	/* bytes */
	struct ddp_object *object;		/* NULL: no file, see name */
	bool stale;				/* not in the newest layout */
	char name[24];				/* "[vdso]", "//anon"; "" with an object */
};

struct ddp_aspace_state {
	uint64_t id, layout;
	uint32_t tgid;
	bool gone;
	bool unfollowed;	/* one too many: nothing is known of its mappings */
	struct ddp_range *ranges;	/* owned, sorted by start, not overlapping */
	uint32_t nr_ranges;
	struct ddp_range *coming;	/* owned; a list that is not complete yet, as it came */
	uint32_t nr_coming;
	size_t cap_coming;
	/* the builder's, for one profile */
	struct ddp_table locations;	/* frame -> location id */
	struct ddp_aspace_state *next_used;
};

/** What frames stay without names for. Totals. */
struct ddp_process_counts {
	uint64_t partial_lists;		/* address spaces with more mappings than were told */
	uint64_t forgotten_ranges;	/* for DDP_MAX_STALE_RANGES */
	uint64_t refused_files;		/* for DDP_MAX_OBJECTS */
};

struct ddp_process {			/* all zero: empty, see ddp_process_init() */
	struct ddp_table aspaces;	/* id -> struct ddp_aspace_state *, owned */
	struct ddp_table names;		/* tgid + 1 -> struct process_name *, owned */
	size_t bytes;			/* of these, roughly */
	uint32_t max_followed;		/* processes at a time whose mappings are kept; 0: any */
	uint32_t followed;		/* address spaces that are, and are not gone */
	struct ddp_process_counts counts;
	struct ddp_objects objects;	/* the mapped files */
};

/** @param open_file, ctx  see ddp_objects_init() */
void ddp_process_init(struct ddp_process *p,
		      int (*open_file)(void *ctx, uint64_t file_id, int *ret), void *ctx);
void ddp_process_free(struct ddp_process *p);

/* What decode tells; 0 or -ENOMEM */
int ddp_process_aspace(struct ddp_process *p, const struct ddp_aspace *a);
int ddp_process_map(struct ddp_process *p, const struct ddp_map *m, uint32_t left);
int ddp_process_file(struct ddp_process *p, const struct ddp_file *f);
int ddp_process_task(struct ddp_process *p, const struct ddp_task *t);

/** NULL: the module has not told about it. */
struct ddp_aspace_state *ddp_process_find(const struct ddp_process *p, uint64_t aspace);

/** NULL: nothing executable there. */
struct ddp_range *ddp_process_range(const struct ddp_aspace_state *a, uint64_t address);

/** "" when it is not known. */
const char *ddp_process_name(const struct ddp_process *p, uint32_t tgid);

/**
 * A profile is done: forgets what only it could need, and symbols over the memory limit, the
 * longest unused first.
 * @return whether it forgot files, too, because there are many, that the module believes to be
 *	known: after RESYNC it tells them again
 */
bool ddp_process_trim(struct ddp_process *p, size_t max_symbol_bytes);

#endif /* DDP_CORE_PROCESS_H */
