/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding up values of profiles: at INT64's limits they stay. For the builder, merging, and all of
 * collector/report.
 */
#ifndef DDPROF_LIB_SUMS_H
#define DDPROF_LIB_SUMS_H

#include <stdint.h>

static inline int64_t sum_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static inline int64_t sum_subtract(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return b < 0 ? INT64_MAX : INT64_MIN;
	return difference;
}

/* Without its sign */
static inline int64_t sum_size(int64_t v)
{
	return v < 0 ? sum_subtract(0, v) : v;
}

#endif /* DDPROF_LIB_SUMS_H */
