/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work whose amount is known: loops of so many iterations; and the CPU time they took. Included by
 * the programs that VM suites profile.
 */
#ifndef GUEST_BURN_H
#define GUEST_BURN_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/*
 * gcc gives a leaf function a frame only when asked; without one its caller is missing from the
 * stack
 */
#define KEEP_FRAME() __asm__ volatile("" : : "r"(__builtin_frame_address(0)))

/* Each is a function of its own: equal bodies would be merged into one. */
#define BURNER(name, salt)						\
	void name(uint64_t iterations);					\
	void __attribute__((noinline)) name(uint64_t iterations)	\
	{								\
		volatile uint64_t sum = (salt);				\
									\
		KEEP_FRAME();						\
		while (iterations--)					\
			sum += iterations ^ (salt);			\
		(void)sum;						\
	}

static inline uint64_t burn_cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* For the suite: what was used. */
static inline void burn_report(const char *path, uint64_t cpu_ns)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return;
	fprintf(f, "%llu\n", (unsigned long long)cpu_ns);
	fclose(f);
}

#endif /* GUEST_BURN_H */
