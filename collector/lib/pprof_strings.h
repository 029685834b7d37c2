/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings by content: the same text has the same number, counted from 0, which is "". For writing
 * and merging what was loaded. The text stays where it is, and must, unchanged: a pointer that was
 * seen before is known without looking at the text, for a hostile file can name a string of many
 * megabytes in each of a million functions.
 */
#ifndef DDPROF_LIB_PPROF_STRINGS_H
#define DDPROF_LIB_PPROF_STRINGS_H

#include "hash.h"
#include "table.h"

struct pprof_string {
	const char *text;
	uint32_t len;
};

/* A pointer that was seen, and what number its text has */
struct pprof_seen {
	const char *text;
	uint32_t number;
};

struct pprof_strings {
	struct ddp__budget *budget;
	struct hash_key hash_key;	/* what is written does not depend on it */
	DDP_VEC(struct pprof_string) all;
	struct table table;
	DDP_VEC(struct pprof_seen) seen;
	struct table seen_table;
};

/* With "" in it; 0 or -ENOMEM. Free it also after an error. */
DDP_INTERNAL int ddp__pprof_strings_init(struct pprof_strings *s, struct ddp__budget *budget);
DDP_INTERNAL void ddp__pprof_strings_free(struct pprof_strings *s);

/* The number of @text, which is added when it is new: 0, -ENOMEM, -EFBIG. */
DDP_INTERNAL int ddp__pprof_string(struct pprof_strings *s, const char *text, uint32_t *ret);

#endif /* DDPROF_LIB_PPROF_STRINGS_H */
