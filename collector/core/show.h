/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples as text in the log, for who wants to see what a profile is made of. Called by output.
 */
#ifndef DDP_CORE_SHOW_H
#define DDP_CORE_SHOW_H

#include <ddprof/profile.h>

/**
 * Logs, for every sample and value that is not 0, one line at any log level:
 * "sample[type=cpu-samples;pid=12;tid=13] main;work;leaf 5".
 * @return 0, or as ddp_pprof_encode() and ddp_pprof_load()
 */
int ddp_show_samples(const struct ddp_profile *p, int64_t end_unix_ns);

#endif /* DDP_CORE_SHOW_H */
