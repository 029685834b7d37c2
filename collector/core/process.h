/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the module said about address spaces, files and processes: which file lies at an address,
 * and a process's name where a stack came without. Knows nothing that the module did not tell.
 * Filled by pipeline from decode; asked when a profile is built.
 *
 * A new layout replaces the old one, but ranges of the old that nothing new covers stay until the
 * profile that may need them is built: a library that was just unloaded still has its names. For
 * the same reason an address space that ended is forgotten only then. Files are told once and stay
 * as long as there is room.
 */
#ifndef DDP_CORE_PROCESS_H
#define DDP_CORE_PROCESS_H

#include <stdbool.h>

#include "core/decode.h"
#include "core/elf.h"
#include "core/table.h"

enum {
	DDP_MAX_HELD_FDS = 1024,	/* files kept open for their symbols; see ddp_process_init() */
	DDP_MAX_SYMBOL_BYTES = 256 << 20, /* read for one profile; then others go for the next */
	DDP_MAX_OBJECTS = 1 << 18,	/* files; from half of it on unmapped ones are forgotten */
	/* kept of one address space's layouts before its last; a module lists half as many */
	DDP_MAX_STALE_RANGES = 8192,
	DDP_MAX_PROCESSES = 1 << 16,	/* names of processes */
};

/** One mapped file. */
struct ddp_object {
	uint64_t file_id;
	uint64_t inode, size, mtime_ns;
	uint32_t dev_major, dev_minor;
	uint8_t flags;		/* enum ddprof_file_flag */
	int fd;			/* owned; the exact file, or -1 */
	struct ddp_elf *elf;	/* owned; NULL: not read, or not an ELF file (see elf_tried) */
	bool elf_tried;
	bool fresh;		/* told since the last profile: its mappings may be on their way */
	uint32_t refs;		/* mappings that mean it */
	uint64_t used;		/* the profile that last asked for a name in it, for eviction */
	char path[];		/* NUL-terminated, as the module gave it */
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
	struct ddp_range *ranges;	/* owned, sorted by start, not overlapping */
	uint32_t nr_ranges;
	struct ddp_range *coming;	/* owned; a list that is not complete yet, as it came */
	uint32_t nr_coming;
	size_t cap_coming;
	struct ddp_table locations;	/* the builder's, for one profile: frame -> location id */
};

/** What frames stay without names for. Totals. */
struct ddp_process_counts {
	uint64_t partial_lists;		/* address spaces with more mappings than were told */
	uint64_t forgotten_ranges;	/* for DDP_MAX_STALE_RANGES */
	uint64_t refused_files;		/* for DDP_MAX_OBJECTS */
};

struct ddp_process {			/* all zero: empty, see ddp_process_init() */
	struct ddp_table aspaces;	/* id -> struct ddp_aspace_state *, owned */
	struct ddp_table objects;	/* file id -> struct ddp_object *, owned */
	struct ddp_table names;		/* tgid + 1 -> struct process_name *, owned */
	size_t bytes;			/* of all this without symbols, roughly */
	struct ddp_process_counts counts;
	size_t nr_fds, max_fds;		/* held by objects, and how many may be */
	size_t symbol_bytes;		/* of objects' ELF contents */
	bool crowded;			/* nobody can do without one before the next profile */
	int (*open_file)(void *ctx, uint64_t file_id, int *ret);
	void *ctx;
};

/**
 * Raises RLIMIT_NOFILE for the process, as far as it may, to twice DDP_MAX_HELD_FDS; files never
 * take more than half of what there is, so that the rest of the program can go on opening things.
 * @param open_file  FILE_OPEN, or NULL: files are opened by their path; called with @ctx
 */
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

/** The file's ELF contents, read at the first call; NULL when there are none. Borrowed until the
 *  next call or ddp_process_trim(). */
struct ddp_elf *ddp_object_elf(struct ddp_process *p, struct ddp_object *o, uint64_t profile_nr);

/**
 * A profile is done: forgets what only it could need, and symbols over the memory limit, the
 * longest unused first.
 * @return whether it forgot files, too, because there are many, that the module believes to be
 *	known: after RESYNC it tells them again
 */
bool ddp_process_trim(struct ddp_process *p, size_t max_symbol_bytes);

#endif /* DDP_CORE_PROCESS_H */
