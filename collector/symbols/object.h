/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mapped files that the module told about: the exact file, held open as long as there are
 * descriptors for it, and its symbols, read when they are first asked for. A file is told once and
 * stays as long as there is room. Part of process; asked by build.
 */
#ifndef DDP_SYMBOLS_OBJECT_H
#define DDP_SYMBOLS_OBJECT_H

#include <stdbool.h>

#include "link/decode.h"
#include "symbols/elf.h"
#include "base/table.h"

enum {
	DDP_MAX_HELD_FDS = 1024,	/* files kept open for symbols; see ddp_objects_init() */
	DDP_MAX_SYMBOL_BYTES = 256 << 20, /* read for one profile; then others go for the next */
	DDP_MAX_OBJECTS = 1 << 18,	/* files; from half of it on unmapped ones are forgotten */
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
	/* the builder's, for one profile */
	struct ddp_table locations;	/* frame -> location id */
	struct ddp_object *next_used;
	char path[];		/* NUL-terminated, as the module gave it */
};

struct ddp_objects {			/* see ddp_objects_init() */
	struct ddp_table by_id;		/* file id -> struct ddp_object *, owned */
	size_t bytes;			/* of these without symbols, roughly */
	size_t nr_fds, max_fds;		/* held, and how many may be */
	size_t symbol_bytes;		/* of their ELF contents */
	uint64_t dropped;		/* total: of these, so that their names are no more */
	bool crowded;			/* nobody can do without one before the next profile */
	int (*open_file)(void *ctx, uint64_t file_id, int *ret);
	void *ctx;
};

/**
 * Raises RLIMIT_NOFILE for the process, as far as it may, to twice DDP_MAX_HELD_FDS; files never
 * take more than half of what there is, so that the rest of the program can go on opening things.
 * @param open_file  FILE_OPEN, or NULL: files are opened by their path; called with @ctx
 */
void ddp_objects_init(struct ddp_objects *f,
		      int (*open_file)(void *ctx, uint64_t file_id, int *ret), void *ctx);
void ddp_objects_free(struct ddp_objects *f);

enum {
	DDP_OBJECTS_ADDED = 0,		/* or known already: it is said again after a resync */
	DDP_OBJECTS_FULL = 1,		/* its mappings stay without a name */
};

/** @return DDP_OBJECTS_*, -ENOMEM */
int ddp_objects_add(struct ddp_objects *f, const struct ddp_file *said);

/** NULL: not told, or forgotten. */
struct ddp_object *ddp_objects_find(const struct ddp_objects *f, uint64_t file_id);

/**
 * Opens it by its path, if that is still the same file.
 * @return a descriptor, the caller's; -ENOENT: deleted, or no file to open; -ESTALE: another one by
 *	now; what opening it answered
 */
int ddp_object_open(const struct ddp_object *o);

/**
 * Opens it anew: by the module, which has the very file, deleted or not, as long as it is mapped
 * and held; else by its path.
 * @return as ddp_object_open()
 */
int ddp_objects_open(const struct ddp_objects *f, const struct ddp_object *o);

/** The file's ELF contents, read at the first call; NULL when there are none. Borrowed until the
 *  next call or ddp_objects_trim(). */
struct ddp_elf *ddp_object_elf(struct ddp_objects *f, struct ddp_object *o, uint64_t profile_nr);

/**
 * A profile is done: closes what nobody maps any more, drops symbols over the memory limit, the
 * longest unused first, and of many files forgets those that nobody maps.
 * @return whether it forgot any: the module believes that they are known
 */
bool ddp_objects_trim(struct ddp_objects *f, size_t max_symbol_bytes);

#endif /* DDP_SYMBOLS_OBJECT_H */
