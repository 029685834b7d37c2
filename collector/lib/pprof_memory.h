/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory behind a struct ddp_pprof: all arrays and strings that its pointers lead to, under one
 * budget, freed together. Used by what makes one: the reader and the merge.
 */
#ifndef DDPROF_LIB_PPROF_MEMORY_H
#define DDPROF_LIB_PPROF_MEMORY_H

#include <protobuf-c/protobuf-c.h>

#include "alloc.h"
#include "cleanup.h"
#include "ddprof/pprof.h"
#include "error.h"

struct pprof_memory {
	struct ddp_pprof view;		/* first: the public pointer is this one */
	struct ddp__budget budget;
	int error;			/* why the last allocation failed: -ENOMEM, -ENOSPC */
	ProtobufCAllocator allocator;	/* takes from the budget */
	ProtobufCMessage *message;	/* that the view leads into as well; NULL: none */
	void *blocks;			/* the view's arrays, linked by their first word */
};

/* With an empty view. @max_bytes 0: no limit. NULL: out of memory. */
DDP_INTERNAL struct pprof_memory *ddp__pprof_memory_create(size_t max_bytes);

/* NULL is allowed. */
DDP_INTERNAL void ddp__pprof_memory_free(struct pprof_memory *m);

DEFINE_CLEANUP(struct pprof_memory *, ddp__pprof_memory_free)

/* A zeroed array that lives as long as the view; NULL: m->error says why. */
DDP_INTERNAL void *ddp__pprof_array(struct pprof_memory *m, size_t nr, size_t elem);

#define PPROF_ARRAY(m, nr, type) ((type *)ddp__pprof_array((m), (nr), sizeof(type)))

/* A copy that lives as long as the view; @text may be NULL for "". NULL: as above. */
DDP_INTERNAL const char *ddp__pprof_text(struct pprof_memory *m, const char *text);

/* Puts m->error in words: -ENOMEM or -EFBIG. */
DDP_INTERNAL int ddp__pprof_memory_error(const struct pprof_memory *m, struct ddp_error *err);

#endif /* DDPROF_LIB_PPROF_MEMORY_H */
