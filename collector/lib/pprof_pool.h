/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where profiles meet when they are merged: everything that a struct ddp_pprof consists of, each
 * thing once, found by its content. Equal things of different files get the same number, so that
 * what refers to them is equal as well; so have lists of numbers: stacks, the labels of a sample,
 * the lines of a location.
 *
 *	pool_init; pool_add() each profile; pool_view() makes the merged one; pool_deinit
 *
 * What is put in must stay until the view was made.
 */
#ifndef DDPROF_LIB_PPROF_POOL_H
#define DDPROF_LIB_PPROF_POOL_H

#include "pprof_memory.h"
#include "pprof_strings.h"

/* The things. No padding among the members that tell them apart: these are compared as bytes. */

struct pool_mapping {
	uint64_t size;		/* bytes, rounded up to pages */
	uint64_t file_offset;
	uint32_t name;		/* string: the build-id, else the file name */
	uint32_t zero;
	const struct ddp_pprof_mapping *first;	/* how the first of the same ones looked */
};

struct pool_function {
	int64_t start_line;
	uint32_t name, system_name, filename;	/* strings */
	uint32_t zero;
};

struct pool_line {
	int64_t line, column;
	uint32_t function;	/* 0: none */
	uint32_t zero;
};

struct pool_location {
	uint64_t offset;	/* from the mapping's start; the address where there is no mapping */
	uint32_t mapping;	/* 0: none */
	uint32_t lines;		/* list */
	uint64_t is_folded;
};

struct pool_label {
	int64_t num;
	uint32_t key, str, num_unit;	/* strings; str 0: a number */
	uint32_t zero;
};

/* Numbers in a row. List 0 is empty, list 1 the first of pool.lists. */
struct pool_list {
	uint32_t first, nr;	/* of pool.numbers */
};

struct pool_sample {
	uint32_t stack, labels;	/* lists */
};

/* Things of @bytes each, told apart by their first @key_bytes; number 1 is the first, 0 is none. */
struct pool_set {
	size_t bytes, key_bytes;
	DDP_VEC(unsigned char) all;
	uint32_t nr;
	struct table table;
};

/* Thing number @n >= 1 of a set */
#define POOL_AT(set, type, n) ((const type *)(const void *)(set)->all.at + ((n) - 1))

struct pool {
	struct ddp__budget budget;	/* without a limit: never more than what is put in */
	struct pprof_strings strings;
	struct pool_set mappings, functions, lines, locations, labels, samples, comments;
	DDP_VEC(struct pool_list) lists;
	DDP_VEC(uint32_t) numbers;
	struct table list_table;
	size_t nr_values;		/* of a sample */
	DDP_VEC(int64_t) values;	/* sample n has [(n - 1) * nr_values ...] */
	DDP_VEC(uint32_t) scratch;	/* what is to be a list */
};

/* How one profile goes in */
struct pool_source {
	const struct ddp_pprof *p;
	const size_t *columns;		/* pool->nr_values positions in its samples' values */
	bool negate;			/* count it as missing */
	const char *mark;		/* label key that its samples are to lose; NULL: none */
	bool marked;			/* and to get again, with "true" */
};

/* 0, or -ENOMEM; deinit also after an error. The caller sets nr_values before it adds. */
DDP_INTERNAL int ddp__pool_init(struct pool *pool);
DDP_INTERNAL void ddp__pool_deinit(struct pool *pool);

/* Adds all samples, and what they refer to: 0, -ENOMEM, -EFBIG (2^29 of something). */
DDP_INTERNAL int ddp__pool_add(struct pool *pool, const struct pool_source *source);

/* Adds a comment, if it is not there: errors as above. */
DDP_INTERNAL int ddp__pool_comment(struct pool *pool, const char *text);

/* A label, and a list of any numbers, by themselves: 0, -ENOMEM, -E2BIG. */
DDP_INTERNAL int ddp__pool_label(struct pool *pool, const struct ddp_pprof_label *l,
				 uint32_t *ret);
DDP_INTERNAL int ddp__pool_list(struct pool *pool, const uint32_t *numbers, uint32_t nr,
				uint32_t *ret);

/* Has a sample come to have only zeros? */
DDP_INTERNAL bool ddp__pool_has_zeros(const struct pool *pool);

/*
 * Samples, locations, functions, mappings and comments as the view of @m; all else of the view is
 * left alone. 0, or -ENOMEM.
 */
DDP_INTERNAL int ddp__pool_view(const struct pool *pool, struct pprof_memory *m);

#endif /* DDPROF_LIB_PPROF_POOL_H */
