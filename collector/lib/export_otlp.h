/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile on its way to OTLP. The pool (pprof_pool.h) has each thing once and numbers it from 1,
 * with 0 for none: as the dictionary's tables do, which are therefore its sets, one to one. Shared
 * by export_otlp.c, which makes the request, and export_otlp_tables.c, which makes the dictionary.
 */
#ifndef DDPROF_LIB_EXPORT_OTLP_H
#define DDPROF_LIB_EXPORT_OTLP_H

#include "cleanup.h"
#include "otlp.pb-c.h"
#include "pprof_pool.h"

/* An entry of the attribute table */
struct otlp_attribute {
	uint32_t key, str, unit;	/* strings; str 0: a number */
	int64_t num;
};

/* An observation; those that differ in time only become one sample of OTLP */
struct otlp_sample {
	uint32_t stack;			/* position in the stack table */
	uint32_t attributes;		/* list of positions in the attribute table */
	uint64_t timestamp_unix_ns;	/* 0: none */
	uint32_t number;		/* of the pool's sample, from 1 */
};

struct otlp_block;

struct otlp {
	struct pool pool;
	struct otlp_block *blocks;	/* what messages consist of */
	uint32_t *stack_of;		/* by a list's number, its position in the stack table */
	uint32_t *attribute_of;		/* by a label's number, as above; 0: not there yet */
	DDP_VEC(uint32_t) stacks;	/* the stack table from 1 on, as lists of locations */
	DDP_VEC(struct otlp_attribute) attributes;	/* the attribute table from 1 on */
	uint32_t *mapping_names;	/* by number - 1, strings */
	uint32_t *mapping_attributes;	/* by number - 1, lists */
	struct otlp_sample *samples;	/* sorted; pool.samples.nr of them */
};

/* The same thing's name there; @name itself where it has none of its own; NULL: it is not sent. */
DDP_INTERNAL const char *ddp__otlp_name(const char *name, size_t n);

/*
 * Fills all of it from @p, whose strings must stay. Later only strings come in addition.
 * 0, -ENOMEM, -EFBIG. Free it also after an error.
 */
DDP_INTERNAL int ddp__otlp_init(struct otlp *o, const struct ddp_pprof *p);
DDP_INTERNAL void ddp__otlp_deinit(struct otlp *o);

DEFINE_CLEANUP_IN_PLACE(struct otlp, ddp__otlp_deinit)

/* Zeroed memory that lives as long as @o; NULL: there is none. */
DDP_INTERNAL void *ddp__otlp_array(struct otlp *o, size_t nr, size_t bytes);

/* @nr empty messages and pointers to them; NULL: out of memory. */
DDP_INTERNAL void *ddp__otlp_messages(struct otlp *o, size_t nr,
				      const ProtobufCMessageDescriptor *type);

/* A list of the pool as a packed field: *ret has *nr of them. */
DDP_INTERNAL void ddp__otlp_list(struct otlp *o, uint32_t list, size_t *nr, int32_t **ret);

/* The tables, when no string comes any more; 0 or -ENOMEM. */
DDP_INTERNAL int ddp__otlp_dictionary(struct otlp *o, Ddp__Otlp__Dictionary *d);

#endif /* DDPROF_LIB_EXPORT_OTLP_H */
