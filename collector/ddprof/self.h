/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the profiler asks of the kernel for itself, and never for the command: where and how
 * willingly it runs. Used by run, and by config, which checks the texts.
 */
#ifndef DDPROF_SELF_H
#define DDPROF_SELF_H

#include <sched.h>

#include "ddprof/config.h"

/** A mask of CPUs, 0xa4, or a list, 2,5,7-9. @return 0; -EINVAL: not that, @err has what is */
int ddprof_cpu_set(const char *text, cpu_set_t *ret, struct ddp_error *err);

/** --nice and --cpu_affinity, of this process; what the kernel refuses is a warning. */
void ddprof_self_settle(const struct ddprof_config *c);

#endif /* DDPROF_SELF_H */
