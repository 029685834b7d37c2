/* SPDX-License-Identifier: Apache-2.0 */
/* The ways `ddprof` runs: beside what it profiles, or in front of a command. Used by main. */
#ifndef DDPROF_RUN_H
#define DDPROF_RUN_H

#include "ddprof/config.h"

/** -p and -g: profiles until the processes end or a signal comes. @return the exit status */
int ddprof_run_attached(const struct ddprof_config *c);

/**
 * Becomes the command, with a detached profiler beside it. Returns only when that cannot be: the
 * exit status
 */
int ddprof_run_command(const struct ddprof_config *c);

/** --wait: the command is a child. @return its exit status, 128 + signal when it was killed */
int ddprof_run_wait(const struct ddprof_config *c);

/** Becomes the command, with nothing beside it. Returns only when that cannot be: exit status */
int ddprof_run_unprofiled(const struct ddprof_config *c);

#endif /* DDPROF_RUN_H */
