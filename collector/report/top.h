/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions and processes that take most of a profile, for a table that is shown again and
 * again, and the same as JSON, in which the collector gives it to `ddprofctl top`. Pure. Used by
 * the collector's control socket and by ddprofctl.
 */
#ifndef DDP_REPORT_TOP_H
#define DDP_REPORT_TOP_H

#include <ddprof/io.h>
#include <ddprof/pprof.h>
#include <stdbool.h>

#include "lib/cleanup.h"

enum {
	DDP_TOP_ROWS = 200,		/* that the collector gives unless asked for others */
	DDP_TOP_MAX_ROWS = 10000,	/* of a kind; a reader takes no more */
	DDP_TOP_MAX_NAME = 1024,	/* bytes of a name that are kept */
};

struct ddp_top_function {
	char *name;			/* owned */
	int64_t flat, cumulative;	/* itself; with all it called */
};

struct ddp_top_process {
	char *name;			/* owned; "" when it is not known */
	int64_t pid;
	int64_t value;
};

/** All zero is empty. */
struct ddp_top {
	char type[64], unit[32];	/* of the value: "cpu-time", "nanoseconds" */
	int64_t total;			/* of all samples */
	struct ddp_top_function *functions;	/* owned; as asked for, the most first */
	struct ddp_top_process *processes;	/* owned; most first */
	size_t nr_functions, nr_processes;	/* in these */
	uint64_t all_functions, all_processes;	/* that there are */
	/* of the session, by who has it: */
	double interval_s;		/* that the profile is over */
	uint64_t samples, lost_samples;
	uint32_t cpus;
	double overhead_ratio;
};

void ddp_top_free(struct ddp_top *top);
DEFINE_CLEANUP_IN_PLACE(struct ddp_top, ddp_top_free)

/** Which rows. */
struct ddp_top_query {
	const char *value;	/* a value type by name; NULL: cpu-time, else the last one */
	bool by_cumulative;	/* the functions of most with all they called; else by themselves */
	size_t rows;		/* of each kind at most */
};

/**
 * The rows of @p; the members of the session stay as they are.
 * @return 0; -ENOENT: the profile has no such value; -ENOMEM
 */
int ddp_top_make(const struct ddp_pprof *p, const struct ddp_top_query *query,
		 struct ddp_top *ret);

/** @return 0; -ENOMEM; what @write answered */
int ddp_top_write(const struct ddp_top *top, ddp_write_fn write, void *ctx);

/**
 * What ddp_top_write() wrote; checked as any input.
 * @return 0; -EBADMSG, @err says where; -ENOMEM
 */
int ddp_top_read(const void *text, size_t n, struct ddp_top *ret, struct ddp_error *err);

#endif /* DDP_REPORT_TOP_H */
