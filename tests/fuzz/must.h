/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be true in a fuzz target: where it is not, the input is a finding. */
#ifndef DDPROF_TESTS_FUZZ_MUST_H
#define DDPROF_TESTS_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif /* DDPROF_TESTS_FUZZ_MUST_H */
