/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's allocator for tests of what happens without memory: one of its allocations can be
 * made to fail. Takes the place of lib/alloc.c in a program one file of which includes this.
 */
#ifndef UNIT_FAILING_ALLOC_H
#define UNIT_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>

#include "lib/alloc.h"

static long left_until_failure = -1;	/* allocations; -1: never */

static bool fails(void)
{
	return left_until_failure >= 0 && left_until_failure-- == 0;
}

void *ddp__alloc(size_t n)
{
	return fails() ? NULL : calloc(1, n ? n : 1);
}

void *ddp__realloc(void *p, size_t n)
{
	return fails() ? NULL : realloc(p, n ? n : 1);
}

void ddp__free(void *p)
{
	free(p);
}

#endif /* UNIT_FAILING_ALLOC_H */
