/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof's messages one at a time, for programs that keep profiles in a form of their own and only
 * need the bytes. A record is what protobuf calls a field: a tag, the length where there is one,
 * and the value. Nothing is allocated.
 *
 *	struct ddp_record_function f = { .id = 1, .name = 5, .filename = 6 };
 *	struct ddp_record r = { .field = DDP_PROFILE_FUNCTION, .kind = DDP_RECORD_FUNCTION,
 *				.function = &f };
 *	unsigned char bytes[64];
 *	size_t n;
 *
 *	err = ddp_record_put(&r, bytes, sizeof(bytes), &n);	2a 06 08 01 10 05 20 06
 *	err = ddp_record_write(&r, write_to_file, &fd);		the same, through a callback
 *
 * A file is such records in a row, in any order; ddp_pprof_encode() writes samples, sample types,
 * mappings, locations, functions, strings, then the rest. What names a string does so by its
 * position among the file's strings, the first of which must be "". Ids are the caller's and not
 * 0, which means none; nothing here checks that they fit together, but ddp_pprof_load() does.
 *
 * Inside a message, what is zero is left out, except what readers count on: the ids of a mapping,
 * location and function, and a sample's locations and values, which are written even when empty.
 * The same record gives the same bytes.
 *
 * Threads: no state, any number at once.
 *
 * Sources: protobuf's encoding guide (tag = field << 3 | wire type; varints in groups of 7 bits,
 * lowest first; a negative number is 64 bits and so ten bytes; packed fields); field numbers and
 * meanings, pprof's profile.proto.
 */
#ifndef DDPROF_RECORD_H
#define DDPROF_RECORD_H

#include <stdbool.h>

#include "io.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Field numbers of the outermost message, and what kind of record each takes */
enum ddp_profile_field {
	DDP_PROFILE_SAMPLE_TYPE		= 1,	/* a value type, one a value of the samples */
	DDP_PROFILE_SAMPLE		= 2,
	DDP_PROFILE_MAPPING		= 3,
	DDP_PROFILE_LOCATION		= 4,
	DDP_PROFILE_FUNCTION		= 5,
	DDP_PROFILE_STRING_TABLE	= 6,	/* a string */
	DDP_PROFILE_DROP_FRAMES		= 7,	/* a number: string index of a regular expression */
	DDP_PROFILE_KEEP_FRAMES		= 8,	/* a number: string index of a regular expression */
	DDP_PROFILE_TIME_NANOS		= 9,	/* a number: start, ns since 1970 UTC */
	DDP_PROFILE_DURATION_NANOS	= 10,	/* a number */
	DDP_PROFILE_PERIOD_TYPE		= 11,	/* a value type */
	DDP_PROFILE_PERIOD		= 12,	/* a number */
	DDP_PROFILE_COMMENT		= 13,	/* packed: string indexes */
	DDP_PROFILE_DEFAULT_SAMPLE_TYPE	= 14,	/* a number: string index */
	DDP_PROFILE_DOC_URL		= 15,	/* a number: string index */
};

/* The messages. Members that are int64_t and not said to be numbers are string indexes. */
struct ddp_record_value_type {
	int64_t type, unit;
};

struct ddp_record_label {
	int64_t key;
	int64_t str;		/* 0: the label is a number */
	int64_t num;		/* the number */
	int64_t num_unit;
};

struct ddp_record_line {
	uint64_t function_id;	/* 0: none */
	int64_t line;		/* number; 0: not known */
	int64_t column;		/* number; 0: not known */
};

struct ddp_record_location {
	uint64_t id;
	uint64_t mapping_id;	/* 0: none */
	uint64_t address;
	const struct ddp_record_line *lines;	/* innermost first */
	size_t nr_lines;
	bool is_folded;
};

struct ddp_record_mapping {
	uint64_t id;
	uint64_t memory_start, memory_limit;	/* addresses [start, limit) */
	uint64_t file_offset;			/* bytes, of memory_start in the file */
	int64_t filename, build_id;
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct ddp_record_function {
	uint64_t id;
	int64_t name, system_name, filename;
	int64_t start_line;	/* number; 0: not known */
};

struct ddp_record_sample {
	const uint64_t *location_ids;	/* leaf first */
	size_t nr_locations;
	const int64_t *values;		/* numbers, one a sample type */
	size_t nr_values;
	const struct ddp_record_label *labels;
	size_t nr_labels;
};

enum ddp_record_kind {
	DDP_RECORD_NUMBER,	/* any integer, id, string index or bool (0, 1), as a varint */
	DDP_RECORD_STRING,	/* bytes; those that are not UTF-8 are written as U+FFFD */
	DDP_RECORD_PACKED,	/* several numbers */
	DDP_RECORD_VALUE_TYPE,
	DDP_RECORD_LABEL,
	DDP_RECORD_LINE,
	DDP_RECORD_LOCATION,
	DDP_RECORD_MAPPING,
	DDP_RECORD_FUNCTION,
	DDP_RECORD_SAMPLE,
};

/** What is to be written. Pointers are borrowed for the call. */
struct ddp_record {
	uint32_t field;		/* 1 .. 2^29 - 1; 0: the value alone, without tag and length */
	enum ddp_record_kind kind;
	bool leave_out_zero;	/* nothing for 0, "", no numbers, a message with all members zero */
	__extension__ union {	/* C11's; C++ and compilers for C99 have it, too */
		uint64_t number;	/* a negative one cast: (uint64_t)-1 */
		struct {
			const char *bytes;
			size_t n;
		} string;
		struct {
			const uint64_t *numbers;	/* int64_t may be cast */
			size_t nr;
		} packed;
		const struct ddp_record_value_type *value_type;
		const struct ddp_record_label *label;
		const struct ddp_record_line *line;
		const struct ddp_record_location *location;
		const struct ddp_record_mapping *mapping;
		const struct ddp_record_function *function;
		const struct ddp_record_sample *sample;
	};
};

/**
 * How many bytes the record has; 0 when it is left out.
 * @return 0
 *	-EINVAL	no such kind or field
 *	-EFBIG	2 GiB or more, which protobuf does not allow for a whole file either
 */
int ddp_record_size(const struct ddp_record *r, size_t *ret);

/**
 * Puts the record into memory.
 * @param ret_n  how many of the @capacity bytes were written
 * @return 0; as ddp_record_size(); -ENOBUFS: too small for it, nothing is written
 */
int ddp_record_put(const struct ddp_record *r, void *to, size_t capacity, size_t *ret_n);

/**
 * Hands the record to @write, in pieces when it is large.
 * @return 0; as ddp_record_size(), then nothing is written; or what @write answered
 */
int ddp_record_write(const struct ddp_record *r, ddp_write_fn write, void *ctx);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_RECORD_H */
