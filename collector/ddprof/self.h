/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process asks of the kernel for itself: the profiler where and how willingly it runs, never
 * for the command; what becomes the command, as whom. Used by run, and by config for checks.
 */
#ifndef DDPROF_SELF_H
#define DDPROF_SELF_H

#include <sched.h>

#include "ddprof/config.h"

/** A mask of CPUs in hex, 0xa4 or a4, or list:2,5,7-9. @return 0; -EINVAL: @err has what is */
int ddprof_cpu_set(const char *text, cpu_set_t *ret, struct ddp_error *err);

/** --nice and --cpu_affinity, of this process; what the kernel refuses is a warning. */
void ddprof_self_settle(const struct ddprof_config *c);

/**
 * --switch_user, of the process that becomes the command: user, group and further groups, for good.
 * @return 0; a negative errno: the process must not go on, see @err
 */
int ddprof_self_become(const char *user, struct ddp_error *err);

#endif /* DDPROF_SELF_H */
