/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile builder: samples go in, equal ones are added up, and what remains is one interval's
 * profile, to be written by pprof.h.
 *
 *	static const struct ddp_value_type types[] = {
 *		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME },
 *	};
 *	struct ddp_profile_config config = {
 *		.value_types = types, .nr_value_types = 2,
 *		.period_type = { DDP_CPU_TIME }, .period = 10101010,
 *		.start_unix_ns = now,
 *	};
 *	struct ddp_profile *p;
 *	uint32_t name, fn, loc;
 *
 *	r = ddp_profile_create(&config, &p);
 *	r = ddp_profile_string(p, "main", 4, &name);
 *	r = ddp_profile_function(p, &(struct ddp_function){ .name = name }, &fn);
 *	r = ddp_profile_location(p, &(struct ddp_location){ .address = 0x401000, .nr_lines = 1,
 *				 .lines = &(struct ddp_line){ .function = fn } }, &loc);
 *	r = ddp_profile_add(p, &(struct ddp_sample){ .locations = &loc, .nr_locations = 1,
 *			    .values = (int64_t[]){ 1, 10101010 }, .nr_values = 2 });
 *	r = ddp_pprof_encode(p, later, ddp_buffer_write, &out);
 *	ddp_profile_destroy(p);
 *
 * Ids are 32-bit names for what was interned: giving the same thing twice gives the same id. They
 * are good for this profile until its next reset and refused (-ESTALE) after it. 0 is always
 * allowed and means the empty string, no mapping, no function; as a location it is refused.
 * Everything handed in is copied.
 *
 * Every function leaves the profile as it was when it fails. Errors, besides those named at a
 * function:
 *	-ENOMEM	no memory
 *	-ENOSPC	config.max_bytes would be exceeded: encode and reset, then go on
 *	-E2BIG	more than 2^31 of one kind of thing, or 4 GiB of strings
 *	-ESTALE	an id that this profile did not give out since its last reset
 *	-EROFS	the profile is a snapshot (see ddp_profile_reset)
 *
 * Threads: one profile is one thread's at a time; different profiles are independent. A snapshot
 * may be read by several threads.
 */
#ifndef DDPROF_PROFILE_H
#define DDPROF_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What one number of a sample is. Strings are NUL-terminated UTF-8. */
struct ddp_value_type {
	const char *type;	/* "cpu-time"; NULL counts as "" */
	const char *unit;	/* "nanoseconds", "count", "bytes"; NULL counts as "" */
};

/* Well-known pairs, for use as initializers: struct ddp_value_type t = { DDP_CPU_TIME }; */
#define DDP_CPU_SAMPLES		"cpu-samples", "count"
#define DDP_CPU_TIME		"cpu-time", "nanoseconds"
#define DDP_WALL_SAMPLES	"wall-samples", "count"
#define DDP_WALL_TIME		"wall-time", "nanoseconds"
#define DDP_ALLOC_SAMPLES	"alloc-samples", "count"
#define DDP_ALLOC_SPACE		"alloc-space", "bytes"
#define DDP_INUSE_OBJECTS	"inuse-objects", "count"
#define DDP_INUSE_SPACE		"inuse-space", "bytes"
#define DDP_EXCEPTION_SAMPLES	"exception-samples", "count"
#define DDP_TRACEPOINT_EVENTS	"tracepoint", "events"

/** What a profile is made of for its whole life; copied by ddp_profile_create(). */
struct ddp_profile_config {
	const struct ddp_value_type *value_types;
	size_t nr_value_types;		/* 1 .. 1024 */
	struct ddp_value_type period_type; /* what one sample stands for; type NULL: no period */
	int64_t period;			/* in period_type's unit; 0: not known */
	int64_t start_unix_ns;		/* the interval's start, ns since 1970 UTC */
	size_t max_bytes;		/* memory the profile may use; 0: no limit */
};

struct ddp_profile;

/**
 * @return 0; -EINVAL: nr_value_types out of range. *ret belongs to the caller:
 * ddp_profile_destroy().
 */
int ddp_profile_create(const struct ddp_profile_config *config, struct ddp_profile **ret);

/** Frees a profile or snapshot. NULL is allowed. */
void ddp_profile_destroy(struct ddp_profile *p);

/* String ids that are the same in every profile and stay good across resets */
enum {
	DDP_STRING_EMPTY = 0,
	DDP_STRING_LOCAL_ROOT_SPAN_ID = 1,	/* "local root span id" */
	DDP_STRING_TRACE_ENDPOINT = 2,		/* "trace endpoint" */
	DDP_STRING_END_TIMESTAMP_NS = 3,	/* "end_timestamp_ns" */
};

/** Any bytes; what is not UTF-8 is repaired when encoded. @s may be NULL when @len is 0. */
int ddp_profile_string(struct ddp_profile *p, const char *s, size_t len, uint32_t *ret_id);

/** A mapped file. All members are optional; all zero is no mapping and gives id 0. */
struct ddp_mapping {
	uint64_t start, limit;		/* addresses [start, limit) */
	uint64_t file_offset;		/* bytes, of start in the file */
	uint32_t filename;		/* string id */
	uint32_t build_id;		/* string id, lower-case hex */
	bool has_functions;		/* names are resolved; tools need not look for symbols */
	bool has_filenames, has_line_numbers, has_inline_frames;
};

int ddp_profile_mapping(struct ddp_profile *p, const struct ddp_mapping *m, uint32_t *ret_id);

struct ddp_function {
	uint32_t name;			/* string id, as shown */
	uint32_t system_name;		/* string id, as in the file (mangled); 0: none */
	uint32_t filename;		/* string id of the source file; 0: not known */
	int64_t start_line;		/* 0: not known */
};

int ddp_profile_function(struct ddp_profile *p, const struct ddp_function *f, uint32_t *ret_id);

struct ddp_line {
	uint32_t function;		/* function id */
	int64_t line;			/* 0: not known */
};

/** One frame. Several lines when functions are inlined there: innermost first. */
struct ddp_location {
	uint32_t mapping;		/* mapping id; 0: none */
	uint64_t address;		/* in the mapping's address space; 0: not known */
	const struct ddp_line *lines;	/* borrowed for the call */
	uint32_t nr_lines;		/* 0 .. 1024 */
	bool is_folded;			/* several locations share this one's symbol */
};

/** @return 0; -EINVAL: too many lines */
int ddp_profile_location(struct ddp_profile *p, const struct ddp_location *l, uint32_t *ret_id);

/** A string (str != 0) or a number (str == 0), not both. */
struct ddp_label {
	uint32_t key;			/* string id, not empty */
	uint32_t str;			/* string id */
	int64_t num;
	uint32_t num_unit;		/* string id of num's unit, "bytes"; 0: none */
};

struct ddp_sample {
	const uint32_t *locations;	/* location ids, leaf first */
	uint32_t nr_locations;
	const int64_t *values;		/* one a value type, in the profile's order */
	uint32_t nr_values;
	const struct ddp_label *labels;	/* in any order; at most one a key */
	uint32_t nr_labels;		/* 0 .. 1024 */
	int64_t timestamp_ns;		/* in the label end_timestamp_ns; 0: none */
};

/**
 * Adds a sample. Samples without a timestamp, with the same locations and the same set of labels,
 * are one: their values are added, staying at INT64_MAX or INT64_MIN rather than wrapping. A
 * sample with a timestamp always stays apart.
 *
 * @return 0
 *	-EINVAL	nr_values is not the number of value types; too many labels; a label with
 *		an empty key, or with both a string and a number; "local root span id" as a
 *		string or zero
 *	-EEXIST	two labels with the same key
 *	-EPERM	the label key "end_timestamp_ns" is reserved
 */
int ddp_profile_add(struct ddp_profile *p, const struct ddp_sample *s);

/** A line of text about the whole profile; kept in order, not merged. */
int ddp_profile_comment(struct ddp_profile *p, const char *text);

/**
 * Ends the interval and starts the next one at @start_unix_ns. Value types and period stay;
 * samples, comments and everything interned go, and with them all ids but the DDP_STRING_* ones.
 *
 * @param ret_old  receives what there was as an unchanging snapshot, which can be encoded (by
 *		   another thread, while this profile fills again) and belongs to the caller:
 *		   ddp_profile_destroy(). NULL: dropped, and its memory is used again
 */
int ddp_profile_reset(struct ddp_profile *p, int64_t start_unix_ns, struct ddp_profile **ret_old);

/** How much there is. */
struct ddp_profile_counts {
	size_t samples;			/* that the encoded profile will have */
	size_t timestamped;		/* of these, with a timestamp */
	size_t strings, mappings, functions, locations;
	size_t bytes;			/* memory in use for all of it */
};

void ddp_profile_count(const struct ddp_profile *p, struct ddp_profile_counts *ret);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_PROFILE_H */
