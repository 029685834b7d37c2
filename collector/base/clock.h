/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's clocks as numbers, for whoever waits, measures or has a deadline. Any clock that
 * clock_gettime() knows is always there, so there is no error.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of that clock. */
static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Since some moment in the past, without jumps: to be compared with each other. */
static inline int64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

#endif /* BASE_CLOCK_H */
