/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ways to run `ddprof` have in common: a config's output and session, the signals that end
 * it, and the end. In run.c; used there and by attached.
 */
#ifndef DDPROF_SESSION_H
#define DDPROF_SESSION_H

#include <signal.h>

#include "core/output.h"
#include "core/pipeline.h"
#include "ddprof/config.h"

enum { DDPROF_EXIT_FAILED = 1 };

/** All borrowed, and as in ddp_pipeline_config. */
struct ddprof_session {
	const struct ddp_pids *pids;
	uint32_t scope;			/* enum ddprof_scope */
	struct ddp_output *output;
	struct ddp_pipeline *replaces;
};

static inline void ddprof_output_finish(struct ddp_output *o)
{
	ddp_output_finish(o);
}
DEFINE_CLEANUP(struct ddp_output *, ddprof_output_finish)

/** @replaces: as of ddp_output_config; NULL: none. @return as ddp_output_create() */
int ddprof_create_output(const struct ddprof_config *c, struct ddp_output *replaces,
			 struct ddp_output **ret, struct ddp_error *err);

/**
 * Whether what @c asks for is there now, as far as it is known before START: events and control
 * groups. @return 0; a negative errno, see @err
 */
int ddprof_check_session(const struct ddprof_config *c, struct ddp_error *err);

/** @return as ddp_pipeline_create() */
int ddprof_create_pipeline(const struct ddprof_config *c, const struct ddprof_session *s,
			   struct ddp_pipeline **ret, struct ddp_error *err);

/** @return a descriptor, or a negative errno */
int ddprof_pidfd_open(uint32_t pid);

/** A broken pipe or socket is an error like others from now on. */
void ddprof_ignore_broken_pipes(void);

/**
 * Signals that end it become readable instead of deadly. On failure all is as before.
 * @return a signalfd, which does not wait; or a negative errno
 */
int ddprof_open_signals(bool have_command, sigset_t *ret_old);

/**
 * The last profile, and what waits to be sent. Takes the output.
 * @return the exit status: whether that got out, or is in a spool; not what was lost before
 */
int ddprof_finish(struct ddp_pipeline *p, struct ddp_output **output);

#endif /* DDPROF_SESSION_H */
