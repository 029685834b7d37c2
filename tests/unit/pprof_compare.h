/* SPDX-License-Identifier: Apache-2.0 */
/* Are two loaded profiles the same in everything that a reader can see? For tests and fuzzers. */
#ifndef TESTS_PPROF_COMPARE_H
#define TESTS_PPROF_COMPARE_H

#include "ddprof/pprof.h"

/* NULL, or what differs. Static. */
const char *profile_difference(const struct ddp_pprof *a, const struct ddp_pprof *b);

#endif /* TESTS_PPROF_COMPARE_H */
