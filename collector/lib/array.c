// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of what may become large, as alloc.h promises it to vectors, tables and buffers: pages
 * from the system where it is large, malloc's where it is not.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc.h"

/* New pages cost time that a profile of a thousand strings would feel. */
enum {
	LARGE_BLOCK_BYTES = 32 * 1024,
	LARGE_ARRAY_BYTES = 64 * 1024,	/* has left smaller holes on its way */
};

#ifdef __SANITIZE_ADDRESS__
#define ALL_BY_MALLOC true	/* only its memory has bounds that are watched */
#elif defined(__has_feature)
#define ALL_BY_MALLOC __has_feature(address_sanitizer)
#else
#define ALL_BY_MALLOC false
#endif

static bool has_pages(size_t n, size_t large)
{
	return n >= large && !ALL_BY_MALLOC;
}

static void *mapped(void *p)
{
	return p == MAP_FAILED ? NULL : p;
}

static void *map(size_t n)
{
	return mapped(mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void release(void *p, size_t n, size_t large)
{
	if (p && has_pages(n, large))
		munmap(p, n);
	else
		ddp__free(p);
}

void *ddp__block_alloc(size_t n)
{
	return has_pages(n, LARGE_BLOCK_BYTES) ? map(n) : ddp__alloc(n);
}

void ddp__block_free(void *p, size_t n)
{
	release(p, n, LARGE_BLOCK_BYTES);
}

static void *move_to_pages(void *p, size_t old, size_t n)
{
	void *to = map(n);

	if (to && old)
		memcpy(to, p, old);
	if (to)
		ddp__free(p);
	return to;
}

void *ddp__array_grow(void *p, size_t old, size_t n)
{
	if (has_pages(old, LARGE_ARRAY_BYTES))
		return mapped(mremap(p, old, n, MREMAP_MAYMOVE));
	if (has_pages(n, LARGE_ARRAY_BYTES))
		return move_to_pages(p, old, n);
	return ddp__realloc(p, n);
}

void ddp__array_free(void *p, size_t n)
{
	release(p, n, LARGE_ARRAY_BYTES);
}
