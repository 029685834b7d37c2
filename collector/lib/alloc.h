/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where libddprof asks for memory, and the vectors made of it. A test that defines
 * ddp__alloc() and ddp__realloc() itself takes the place of alloc.c at link time and can so fail
 * any allocation. A budget counts what one object uses and refuses more than its ceiling.
 */
#ifndef DDPROF_LIB_ALLOC_H
#define DDPROF_LIB_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Shared by the library's files, shown to nobody else. */
#define DDP_INTERNAL __attribute__((visibility("hidden")))

/* Zeroed; NULL when there is none. ddp__free() takes both kinds, and NULL. */
DDP_INTERNAL void *ddp__alloc(size_t n);
DDP_INTERNAL void *ddp__realloc(void *p, size_t n);
DDP_INTERNAL void ddp__free(void *p);

/*
 * Memory of what may become large (array.c); its owner remembers how many bytes it has. Where these
 * are many they are pages that nothing else is in: they grow without being copied, and leave no
 * hole in malloc()'s memory, which would stay with the process. A block keeps its size and begins
 * as zeros; what an array grows by has no value yet. NULL: there is none, and @p is as it was.
 */
DDP_INTERNAL void *ddp__block_alloc(size_t n);
DDP_INTERNAL void ddp__block_free(void *p, size_t n);
DDP_INTERNAL void *ddp__array_grow(void *p, size_t old, size_t n);
DDP_INTERNAL void ddp__array_free(void *p, size_t n);

/* What CLEANUP(ddp__free) calls: @p points to the pointer. */
static inline void ddp__free_cleanup(void *p)
{
	ddp__free(*(void **)p);
}

struct ddp__budget {
	size_t bytes;		/* in use */
	size_t max_bytes;	/* 0: no limit */
};

/* How many bytes are left; SIZE_MAX: no limit. */
DDP_INTERNAL size_t ddp__budget_room(const struct ddp__budget *b);
/* Account for @n bytes more: 0 or -ENOSPC. */
DDP_INTERNAL int ddp__budget_take(struct ddp__budget *b, size_t n);
DDP_INTERNAL void ddp__budget_give(struct ddp__budget *b, size_t n);

/*
 * Make room for @need elements of @elem bytes in an array of *capacity. What it grows by beyond
 * the need is never more than half of what the budget has left, so that others can grow, too.
 * 0, or -ENOMEM, -ENOSPC, -E2BIG (2^32 elements) with everything as it was.
 */
DDP_INTERNAL int ddp__grow(struct ddp__budget *b, void **array, size_t elem, uint32_t *capacity,
			   uint64_t need);

#define DDP_VEC(type)			\
	struct {			\
		type *at;		\
		uint32_t nr, capacity;	\
	}

/* Room for @extra more elements; as ddp__grow(). */
#define VEC_RESERVE(budget, v, extra)						\
	({									\
		void *array_ = (v)->at;						\
		int grow_ = ddp__grow((budget), &array_, sizeof(*(v)->at),	\
				      &(v)->capacity, (uint64_t)(v)->nr + (extra)); \
		(v)->at = array_;						\
		grow_;								\
	})

#define VEC_FREE(v) ddp__array_free((v)->at, (v)->capacity * sizeof(*(v)->at))

/* Empty, without memory, which the budget gets back */
#define VEC_DROP(budget, v)							\
	do {									\
		ddp__budget_give((budget), (v)->capacity * sizeof(*(v)->at));	\
		VEC_FREE(v);							\
		(v)->at = NULL;							\
		(v)->nr = (v)->capacity = 0;					\
	} while (0)

#endif /* DDPROF_LIB_ALLOC_H */
