/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a profile lies in memory, for the builder and the encoder. Everything interned is an
 * element of a flat array, in the order of its first appearance, found through a table beside it.
 * Inside, an element is named by its position ("index"); position 0 of mappings, functions and
 * locations is "none", so that an index is at the same time the id in the encoded profile.
 * Stacks and labels keep the ids they were given as: what equals one of them is known to be good,
 * and a known sample is found without looking at each of its ids. Elements have no padding,
 * because they are hashed and compared as bytes.
 */
#ifndef DDPROF_LIB_PROFILE_INTERNAL_H
#define DDPROF_LIB_PROFILE_INTERNAL_H

#include "alloc.h"
#include "ddprof/profile.h"
#include "hash.h"
#include "table.h"

enum {
	MAX_VALUE_TYPES = 1024,		/* far above any runtime's */
	MAX_LINES = 1024,		/* functions inlined into one address */
	MAX_LABELS = 1024,		/* of one sample */
	MAX_LOCATIONS = 65536,		/* of one sample; readers take no more */
	MAX_STRING_BYTES = INT32_MAX,	/* of one string: pprof's fields end at 2 GiB */
	MAX_ELEMENTS = 1 << 28,		/* of a kind; half of its ids, see enum id_kind */
};

/* The upper three bits of an id. An id is its kind's base and an index, see profile_parts.h. */
enum id_kind {
	ID_STRING, ID_MAPPING, ID_FUNCTION, ID_LOCATION, ID_STACK, ID_LABEL_SET,
	NR_ID_KINDS,
	ID_KIND_SHIFT = 29,
};

enum mapping_flag {
	MAPPING_HAS_FUNCTIONS		= 1 << 0,
	MAPPING_HAS_FILENAMES		= 1 << 1,
	MAPPING_HAS_LINE_NUMBERS	= 1 << 2,
	MAPPING_HAS_INLINE_FRAMES	= 1 << 3,
};

struct mapping {
	uint64_t start, limit, file_offset;
	uint32_t filename, build_id;	/* string indexes */
	uint32_t flags;			/* enum mapping_flag */
	uint32_t zero;
};

struct function {
	uint32_t name, system_name, filename;	/* string indexes */
	uint32_t zero;
	int64_t start_line;
};

struct line {
	int64_t line;
	uint32_t function;	/* index */
	uint32_t zero;
};

/* Nearly all have one line with a small number: that lies in the location itself. */
struct location {
	uint64_t address;
	uint32_t mapping;	/* index */
	uint16_t nr_lines;
	uint8_t is_folded;
	uint8_t is_short;	/* the only line is here */
	uint32_t at;		/* the only line's function, an index; else of profile.lines */
	uint32_t line;		/* the only line's number */
};

/* Part of an array: a string's bytes, a label set's labels. */
struct span {
	uint32_t first, nr;
};

/*
 * Stacks with the same callers share them: a stack is cut into chunks, counted from the root, and
 * the few frames left over at its leaf. Equal chunks on top of equal chunks are one.
 */
enum { CHUNK_IDS = 7 };

struct chunk {
	uint32_t parent1;		/* position + 1 of the chunk towards the root; 0: none */
	uint32_t ids[CHUNK_IDS];	/* location ids, leaf first */
};

struct stack {
	uint32_t nr;			/* locations in all */
	uint32_t chunk1;		/* position + 1 of the chunk the leaf was called from */
	uint32_t leaf[CHUNK_IDS - 1];	/* location ids: the first nr % CHUNK_IDS of the stack */
};

struct label {
	int64_t num;
	uint32_t key, str, num_unit;	/* string ids */
	uint32_t zero;
};

struct sample {
	uint32_t stack, label_set;	/* positions of profile.stacks, .label_sets */
};

struct value_type {
	uint32_t type, unit;	/* string indexes */
};

struct endpoint {
	uint64_t local_root_span_id;
	uint32_t endpoint;	/* string index */
	uint32_t zero;
};

struct endpoint_count {
	int64_t count;
	uint32_t endpoint;	/* string index */
	uint32_t zero;
};

/* See profile_upscale.c */
struct rule {
	enum ddp_upscaling kind;
	uint32_t label_key, label_str;	/* string indexes; 0: by value */
	uint32_t next1;			/* position + 1 of the next rule of this label; 0: last */
	uint32_t first, nr;		/* of profile.rule_offsets */
	uint32_t sum, count_at;
	uint64_t count, distance;
	double scale;
};

struct offset_set {
	uint64_t bits[MAX_VALUE_TYPES / 64];
};

/* Timestamped samples, see profile_timed.c */
struct timed_block {
	struct timed_block *next;
	uint32_t used, size;
	unsigned char bytes[];
};

struct timed {
	struct timed_block *first, *last; /* @last is written to; those behind it are spare */
	uint64_t nr;
	int64_t last_ns;
};

/* A shared string that this generation has used, and keeps a reference to */
struct shared_string {
	uint64_t handle;
	uint32_t string;	/* index */
	uint32_t zero;
};

/* All that is said of a text frame, with hashes for the texts. See profile_text.c */
struct text_hash {
	uint64_t low, high;	/* of no text: 0 */
};

/* Of a stack that was added by text: what tells it from all others */
struct text_check {
	uint32_t hash, more[2];
};

struct frame_key {
	struct text_hash function, system_name, file;
	int64_t line, start_line;
	uint64_t address;	/* this and the mapping: 0 where the frame is inlined */
	uint32_t mapping;	/* index */
	uint32_t inlined;
};

/* Where text mappings were found last, by their pointers; what is there now is compared */
enum { NR_MEMO = 16 };

struct mapping_memo {
	const struct ddp_text_mapping *mapping;
	uint32_t index;
};

struct ddp_profile {
	struct ddp__budget budget;
	struct hash_key hash_key;
	bool is_snapshot;
	bool has_period_type;
	bool omit_local_root_span_id;
	int64_t start_unix_ns;
	int64_t period;
	struct value_type period_type;
	struct ddp_strings *shared;	/* NULL: none */

	uint32_t base[NR_ID_KINDS];	/* of this generation's ids, less their index */

	DDP_VEC(struct value_type) value_types;
	DDP_VEC(struct span) strings;
	DDP_VEC(char) string_bytes;
	uint32_t fixed_strings;	/* the first ones, which a reset keeps */
	DDP_VEC(struct mapping) mappings;
	DDP_VEC(struct function) functions;
	DDP_VEC(struct location) locations;
	DDP_VEC(struct line) lines;
	DDP_VEC(struct stack) stacks;
	DDP_VEC(struct chunk) chunks;
	DDP_VEC(struct span) label_sets;
	DDP_VEC(struct label) labels;
	DDP_VEC(uint32_t) comments;	/* string indexes */
	DDP_VEC(struct shared_string) shared_strings;

	DDP_VEC(struct endpoint) endpoints;
	DDP_VEC(struct endpoint_count) endpoint_counts;
	DDP_VEC(struct rule) rules;
	DDP_VEC(uint32_t) rule_offsets;
	struct offset_set scaled_by_value, scaled_by_label;

	/* sample i has values[i * value_types.nr ...] */
	DDP_VEC(struct sample) samples;
	DDP_VEC(int64_t) values;
	struct timed timed;

	struct table string_table, mapping_table, function_table, location_table;
	struct table stack_table, chunk_table, label_set_table, sample_table;
	struct table text_table;	/* text stacks -> stacks, see profile_text.c */
	DDP_VEC(struct text_check) text_checks;	/* by stack */
	struct mapping_memo mapping_memo[NR_MEMO];
	struct table shared_table;	/* handles -> shared_strings */
	struct table endpoint_table, endpoint_count_table;
	struct table rule_table;	/* first rule of each label */

	/* the sample being added */
	DDP_VEC(struct label) scratch_labels;
	DDP_VEC(uint32_t) scratch_ids;	/* of locations */
	DDP_VEC(struct frame_key) scratch_keys;
};

#endif /* DDPROF_LIB_PROFILE_INTERNAL_H */
