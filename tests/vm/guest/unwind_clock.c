// SPDX-License-Identifier: Apache-2.0
/*
 * Time spent in the vdso, which is called from code without frame pointers. usage: unwind_clock MS.
 * Profiled by test_unwind.sh.
 */
#include <stdlib.h>

#include "burn.h"

enum { CALLS = 1000, LEVELS = 10 };

static volatile uint64_t sink;

/* a coarse clock never needs the kernel */
static __attribute__((noinline)) void read_clocks(uint64_t ms)
{
	uint64_t until = burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000;

	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		for (int i = 0; i < CALLS; i++)
			sink += burn_cpu_ns(CLOCK_MONOTONIC_COARSE);
}

static __attribute__((noinline)) void descend(int depth, uint64_t ms)
{
	if (depth)
		descend(depth - 1, ms);
	else
		read_clocks(ms);
	sink++;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	descend(LEVELS, strtoull(argv[1], NULL, 10));
	return 0;
}
