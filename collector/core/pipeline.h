/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One profiling session from START to the last profile: records come in through link and decode,
 * are kept by samples and process, and every interval becomes a profile that goes to an output. The
 * commands create it, run it until something ends, and finish it.
 */
#ifndef DDP_CORE_PIPELINE_H
#define DDP_CORE_PIPELINE_H

#include "link/link.h"
#include "core/output.h"

struct ddp_pipeline_config {
	struct ddp_link_start start;	/* borrowed while ddp_pipeline_create() runs */
	struct ddp_output *output;	/* borrowed for the pipeline's life */
	/* length of an interval; 0: one profile over the whole session */
	uint32_t period_s;
	size_t max_sample_bytes;	/* ends an interval early; 0: 64 MiB */
	const char *table_cache;	/* folder for unwind tables, borrowed; NULL: none */
	/* longest wait for the tables of running programs before START; 0: none are made before */
	uint32_t ahead_ms;
};

struct ddp_pipeline;

/**
 * Opens the link, makes unwind tables and starts the session; waits a second for the end of another
 * session. @return 0, or as ddp_link_open(), ddp_link_start()
 */
int ddp_pipeline_create(const struct ddp_pipeline_config *config, struct ddp_pipeline **ret,
			struct ddp_error *err);

enum {
	DDP_PIPELINE_STOPPED = 0,	/* stop_fd became readable */
	DDP_PIPELINE_EXITED = 1,	/* every watched process has ended */
	DDP_PIPELINE_ENDED = 2,		/* the module ended the session */
};

/**
 * Profiles until there is a reason to stop.
 * @param stop_fd  a signalfd, say; -1: none
 * @param pidfds   processes whose end, of all of them, ends it; borrowed
 * @return DDP_PIPELINE_*, or a negative errno of the link, logged
 */
int ddp_pipeline_run(struct ddp_pipeline *p, int stop_fd, const int *pidfds, size_t nr_pidfds);

/**
 * Stops sampling, takes what is still on its way and makes the last profile. @return 0, or what
 * could not be done
 */
int ddp_pipeline_finish(struct ddp_pipeline *p);

/** NULL is allowed. */
void ddp_pipeline_destroy(struct ddp_pipeline *p);
DEFINE_CLEANUP(struct ddp_pipeline *, ddp_pipeline_destroy)

#endif /* DDP_CORE_PIPELINE_H */
