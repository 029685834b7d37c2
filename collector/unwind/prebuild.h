/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files' unwind tables will be needed: the files that running processes map to execute, those
 * of most processes first. Reads /proc and opens nothing else until asked. What it reads was
 * written by the kernel, but names in it are anybody's. Used by tables before a session starts.
 *
 * Source of the line format: proc_pid_maps(5), proc_pid_stat(5).
 */
#ifndef DDP_UNWIND_PREBUILD_H
#define DDP_UNWIND_PREBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

enum {
	DDP_PREBUILD_MAX_FILES = 4096,	/* further ones are left out */
	DDP_PREBUILD_MAX_PATH = 512,	/* bytes; a file with a longer one is opened by its range */
};

/** One line of /proc/PID/maps. */
struct ddp_maps_line {
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	bool executable;
	const char *path;	/* in the line; may be empty; as the kernel escapes it */
	size_t path_len;
};

enum { DDP_MAPS_OK = 0, DDP_MAPS_MALFORMED = 1 };

/** @param line  need not be terminated; without newline */
int ddp_maps_parse_line(const char *line, size_t len, struct ddp_maps_line *ret);

/** The parent in a /proc/PID/stat; 0: malformed, or none. */
uint32_t ddp_stat_parse_parent(const char *text, size_t len);

/** One file that somebody maps to execute. */
struct ddp_prebuild_file {
	uint64_t inode, start, end;	/* start, end: of one mapping of it in pid */
	uint32_t dev_major, dev_minor;
	uint32_t pid, last_pid;		/* the first and the last that was seen to map it */
	uint32_t users;			/* processes */
	char *path;			/* owned; in pid's root; NULL: not to be opened by it */
};

struct ddp_prebuild {			/* all zero: empty */
	struct ddp_prebuild_file *files;	/* owned; most users first */
	size_t nr, cap;
};

struct ddp_prebuild_scope {
	const char *proc;		/* where it is mounted: "/proc" */
	const uint32_t *pids;		/* only these processes; borrowed */
	size_t nr_pids;			/* 0: all */
	bool descendants;		/* of pids as well */
	/* asked before each process; true ends the scan with what there is; may be NULL */
	bool (*enough)(void *ctx);
	void *ctx;
};

/** Processes that end meanwhile are left out. @return 0; what opening proc answered; -ENOMEM */
int ddp_prebuild_scan(const struct ddp_prebuild_scope *scope, struct ddp_prebuild *ret);

/**
 * The very file, if its process still maps it or has the same one at its path.
 * @return a descriptor, the caller's; -ESTALE: it is another one now; what opening it answered
 */
int ddp_prebuild_open(const char *proc, const struct ddp_prebuild_file *f);

void ddp_prebuild_free(struct ddp_prebuild *p);
DEFINE_CLEANUP_IN_PLACE(struct ddp_prebuild, ddp_prebuild_free)

#endif /* DDP_UNWIND_PREBUILD_H */
