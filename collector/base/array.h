/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing an array: one function, so that nobody computes capacities by hand.
 *
 *	more = array_reserve(a->items, &a->cap, a->nr + 1, sizeof(*a->items));
 *	if (!more)
 *		return -ENOMEM;
 *	a->items = more;
 */
#ifndef DDP_BASE_ARRAY_H
#define DDP_BASE_ARRAY_H

#include <stdlib.h>

/**
 * Room for @need elements: @array or what takes its place; NULL without memory, @array then
 * unchanged.
 */
static inline void *array_reserve(void *array, size_t *cap, size_t need, size_t element)
{
	size_t n = *cap ? *cap : 16;
	void *more;

	if (need <= *cap)
		return array;
	while (n < need)
		n *= 2;
	more = reallocarray(array, n, element);
	if (more)
		*cap = n;
	return more;
}

#endif /* DDP_BASE_ARRAY_H */
