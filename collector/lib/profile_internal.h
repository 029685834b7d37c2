/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a profile lies in memory, for the builder and the encoder. Everything interned is an
 * element of a flat array, in the order of its first appearance, found through a table beside it.
 * Inside, an element is named by its position ("index"); position 0 of mappings, functions and
 * locations is "none", so that an index is at the same time the id in the encoded profile.
 * Elements have no padding, because they are hashed and compared as bytes.
 */
#ifndef DDPROF_LIB_PROFILE_INTERNAL_H
#define DDPROF_LIB_PROFILE_INTERNAL_H

#include "alloc.h"
#include "ddprof/profile.h"
#include "table.h"

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

struct location {
	uint64_t address;
	uint32_t mapping;	/* index */
	uint32_t first_line;	/* of profile.lines */
	uint32_t nr_lines;
	uint32_t is_folded;
};

struct label {
	int64_t num;
	uint32_t key, str, num_unit;	/* string indexes */
	uint32_t zero;
};

/* Part of an array: a string's bytes, a stack's location indexes, a label set's labels. */
struct span {
	uint32_t first, nr;
};

struct sample {
	uint32_t stack, label_set;	/* positions of profile.stacks, .label_sets */
};

struct value_type {
	uint32_t type, unit;	/* string indexes */
};

struct ddp_profile {
	struct ddp__budget budget;
	uint64_t hash_seed;	/* random: programs choose what is hashed here */
	bool is_snapshot;
	int64_t start_unix_ns;

	DDP_VEC(struct value_type) value_types;
	bool has_period_type;
	struct value_type period_type;
	int64_t period;

	DDP_VEC(struct span) strings;
	DDP_VEC(char) string_bytes;
	uint32_t fixed_strings;	/* the first ones, which a reset keeps */
	DDP_VEC(struct mapping) mappings;
	DDP_VEC(struct function) functions;
	DDP_VEC(struct location) locations;
	DDP_VEC(struct line) lines;
	DDP_VEC(struct span) stacks;
	DDP_VEC(uint32_t) stack_locations;
	DDP_VEC(struct span) label_sets;
	DDP_VEC(struct label) labels;
	DDP_VEC(uint32_t) comments;	/* string indexes */

	/* sample i has values[i * value_types.nr ...] */
	DDP_VEC(struct sample) samples;
	DDP_VEC(int64_t) values;
	DDP_VEC(struct sample) timed_samples;
	DDP_VEC(int64_t) timestamps_ns;
	DDP_VEC(int64_t) timed_values;

	struct table string_table, mapping_table, function_table, location_table;
	struct table stack_table, label_set_table, sample_table;

	/* first id of this generation, less the first index it can have; see id_of() */
	uint32_t string_base, mapping_base, function_base, location_base;

	/* the sample being added, as indexes */
	DDP_VEC(uint32_t) scratch_stack;
	DDP_VEC(struct label) scratch_labels;
};

#endif /* DDPROF_LIB_PROFILE_INTERNAL_H */
