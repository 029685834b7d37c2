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
 *
 *	r = ddp_profile_create(&config, &p);
 *
 * By strings, when frames come as text:
 *
 *	struct ddp_text_frame frames[] = {
 *		{ .function = DDP_TEXT("work"), .file = DDP_TEXT("work.c"), .line = 7 },
 *		{ .function = DDP_TEXT("main"), .file = DDP_TEXT("main.c"), .line = 3 },
 *	};
 *
 *	r = ddp_profile_add_text(p, &(struct ddp_text_sample){ .frames = frames, .nr_frames = 2,
 *				 .values = (int64_t[]){ 1, 10101010 }, .nr_values = 2 });
 *
 * By ids, when the caller can remember what it has named before; several times as fast:
 *
 *	uint32_t name, fn, loc;
 *
 *	r = ddp_profile_string(p, "main", 4, &name);
 *	r = ddp_profile_function(p, &(struct ddp_function){ .name = name }, &fn);
 *	r = ddp_profile_location(p, &(struct ddp_location){ .address = 0x401000, .nr_lines = 1,
 *				 .lines = &(struct ddp_line){ .function = fn } }, &loc);
 *	r = ddp_profile_add(p, &(struct ddp_sample){ .locations = &loc, .nr_locations = 1,
 *			    .values = (int64_t[]){ 1, 10101010 }, .nr_values = 2 });
 *
 * And at the end of the interval:
 *
 *	struct ddp_profile *old;
 *
 *	r = ddp_profile_reset(p, now, &old);
 *	r = ddp_pprof_encode(old, now, ddp_buffer_write, &out);
 *	ddp_profile_destroy(old);
 *
 * C++ has no such initializers before C++20, and no compound literals. There value-initialize and
 * assign what is needed; what is left out is zero and means "none":
 *
 *	ddp_text_sample s = {};
 *	s.frames = frames;
 *	s.nr_frames = 2;
 *
 * Ids. What was interned has a 32-bit id: giving the same thing twice gives the same id. All kinds
 * share one space: an id of one kind is never one of another, and is refused there. Ids are good
 * for this profile until its next reset and refused (-ESTALE) after it, until 2^28 newer ones of
 * their kind were given out. 0 is always allowed and means the empty string, no mapping, no
 * function; as a location it is refused. Everything handed in is copied. A pointer may be NULL
 * where its count is 0; what a count above its limit belongs to is refused without being read.
 *
 * Every function leaves the profile as it was when it fails. Errors, besides those named at a
 * function:
 *	-ENOMEM	no memory
 *	-ENOSPC	config.max_bytes would be exceeded: encode and reset, then go on
 *	-E2BIG	a string of 2 GiB or more; more than 2^28 of one kind of thing, or 4 GiB of strings
 *	-ESTALE	an id that this profile did not give out since its last reset, or of another kind
 *	-EROFS	the profile is a snapshot (see ddp_profile_reset)
 *
 * Threads: one profile is one thread's at a time, unless the caller locks; different profiles are
 * independent. A snapshot may be handed to another thread, and be read by several at once. Nothing
 * here may be called by a signal handler: it could have interrupted malloc().
 */
#ifndef DDPROF_PROFILE_H
#define DDPROF_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strings.h"

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
	struct ddp_strings *strings;	/* for ddp_profile_shared_string(); the profile takes a */
					/* reference of its own. NULL: none */
	bool omit_local_root_span_id;	/* leave that label out of what is encoded; the */
					/* endpoint it leads to stays */
};

struct ddp_profile;

/**
 * @return 0; -EINVAL: nr_value_types out of range. *ret belongs to the caller:
 * ddp_profile_destroy().
 */
int ddp_profile_create(const struct ddp_profile_config *config, struct ddp_profile **ret);

/** Frees a profile or snapshot. NULL is allowed. */
void ddp_profile_destroy(struct ddp_profile *p);

/* By ids: naming the parts */

/* String ids that are the same in every profile and stay good across resets */
enum {
	DDP_STRING_EMPTY = 0,
	DDP_STRING_LOCAL_ROOT_SPAN_ID = 1,	/* "local root span id" */
	DDP_STRING_TRACE_ENDPOINT = 2,		/* "trace endpoint" */
	DDP_STRING_END_TIMESTAMP_NS = 3,	/* "end_timestamp_ns" */
};

/** Any bytes; what is not UTF-8 is repaired when encoded. @s may be NULL when @len is 0. */
int ddp_profile_string(struct ddp_profile *p, const char *s, size_t len, uint32_t *ret_id);

/**
 * A string of config.strings by its handle. The first time after a reset it is copied, later ones
 * are a table lookup without a lock. The profile keeps a reference to the string until its reset.
 * @return 0; -EINVAL: the profile has no shared strings; -ESTALE: not a handle, or released
 */
int ddp_profile_shared_string(struct ddp_profile *p, uint64_t handle, uint32_t *ret_id);

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

/**
 * A whole stack, for samples that come from there again and again.
 * @param locations  ids, leaf first
 * @param nr	     0 .. 65536
 * @return 0; -EINVAL: too many locations
 */
int ddp_profile_stack(struct ddp_profile *p, const uint32_t *locations, uint32_t nr,
		      uint32_t *ret_id);

/** A string (str != 0) or a number (str == 0), not both. */
struct ddp_label {
	uint32_t key;			/* string id, not empty */
	uint32_t str;			/* string id */
	int64_t num;
	uint32_t num_unit;		/* string id of num's unit, "bytes"; 0: none */
};

/**
 * A whole set of labels. Their order does not matter: what comes out has the order in which the
 * set came first.
 *
 * @param nr  0 .. 1024
 * @return 0
 *	-EINVAL	too many labels; a label with an empty key, or with both a string and a number;
 *		"local root span id" as a string or zero
 *	-EEXIST	two labels with the same key
 *	-EPERM	the label key "end_timestamp_ns" is reserved
 */
int ddp_profile_label_set(struct ddp_profile *p, const struct ddp_label *labels, uint32_t nr,
			  uint32_t *ret_id);

/* Adding samples */

struct ddp_sample {
	const uint32_t *locations;	/* location ids, leaf first */
	uint32_t nr_locations;		/* 0 .. 65536 */
	uint32_t stack;			/* stack id instead of locations; 0: see there */
	const int64_t *values;		/* one a value type, in the profile's order */
	uint32_t nr_values;
	const struct ddp_label *labels;	/* as for ddp_profile_label_set() */
	uint32_t nr_labels;		/* 0 .. 1024 */
	uint32_t label_set;		/* label set id instead of labels; 0: see there */
	int64_t timestamp_ns;		/* in the label end_timestamp_ns: ns since 1970 UTC, like */
					/* start_unix_ns, negative before it; 0: none */
};

/**
 * Adds a sample. Samples without a timestamp, with the same locations and the same set of labels,
 * are one: their values are added, staying at INT64_MAX or INT64_MIN rather than wrapping. A
 * sample with a timestamp always stays apart, and takes about a dozen bytes.
 *
 * @return 0; -EINVAL: nr_values is not the number of value types, too many locations, or there are
 * both a stack and locations, or both a label set and labels; what ddp_profile_label_set() answers
 */
int ddp_profile_add(struct ddp_profile *p, const struct ddp_sample *s);

/**
 * Adds @nr samples in order, up to the first that fails.
 *
 * @param ret_added  how many went in, whatever the return value: samples[*ret_added] is the one
 *		     that failed, and nothing of it or of those behind it was added
 * @return 0, or what ddp_profile_add() answered for that one
 */
int ddp_profile_add_many(struct ddp_profile *p, const struct ddp_sample *samples, size_t nr,
			 size_t *ret_added);

/* By strings */

/** Borrowed text: any bytes, as for ddp_profile_string(). All zero: none. */
struct ddp_text {
	const char *bytes;
	size_t len;
};

/* An initializer from a literal: .file = DDP_TEXT("main.c") */
#define DDP_TEXT(literal) { literal, sizeof(literal) - 1 }

/* Keys that mean something, as initializers: { .key = DDP_TEXT_LOCAL_ROOT_SPAN_ID, .num = 7 } */
#define DDP_TEXT_LOCAL_ROOT_SPAN_ID	DDP_TEXT("local root span id")
#define DDP_TEXT_TRACE_ENDPOINT		DDP_TEXT("trace endpoint")

/** A NUL-terminated string, borrowed, without its NUL. NULL: none. */
struct ddp_text ddp_text_from(const char *s);

/** As struct ddp_mapping. */
struct ddp_text_mapping {
	uint64_t start, limit, file_offset;
	struct ddp_text filename, build_id;
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

/**
 * One function on the stack; all members are optional. A function that was inlined comes before
 * the one it was inlined into and has @inlined set: together they are one location, whose mapping
 * and address are those of the last of them. A frame without function, system_name, file and line
 * is a location without lines.
 */
struct ddp_text_frame {
	struct ddp_text function;	/* as shown */
	struct ddp_text system_name;	/* as in the file (mangled) */
	struct ddp_text file;		/* source file */
	int64_t line, start_line;	/* of the frame; of the function. 0: not known */
	const struct ddp_text_mapping *mapping;	/* NULL: none. Frames that share one are faster */
	uint64_t address;
	bool inlined;			/* into the next frame */
};

/** A string (str.len != 0) or a number, not both. */
struct ddp_text_label {
	struct ddp_text key;		/* not empty */
	struct ddp_text str;
	int64_t num;
	struct ddp_text num_unit;
};

struct ddp_text_sample {
	const struct ddp_text_frame *frames;	/* leaf first */
	uint32_t nr_frames;		/* of 65536 locations at most */
	const int64_t *values;		/* one a value type, in the profile's order */
	uint32_t nr_values;
	const struct ddp_text_label *labels;	/* in any order; at most one a key */
	uint32_t nr_labels;		/* 0 .. 1024 */
	int64_t timestamp_ns;		/* ns since 1970 UTC, negative before it; 0: none */
};

/**
 * Adds a sample as ddp_profile_add() does; both ways in may be mixed. What it is made of is
 * interned, and nothing of it stays when the call fails.
 *
 * @return 0; as ddp_profile_add() and ddp_profile_label_set(); -EINVAL: the last frame is inlined,
 * or more than 1024 are inlined into each other
 */
int ddp_profile_add_text(struct ddp_profile *p, const struct ddp_text_sample *s);

/** As ddp_profile_add_many(). */
int ddp_profile_add_text_many(struct ddp_profile *p, const struct ddp_text_sample *samples,
			      size_t nr, size_t *ret_added);

/* What is known of the whole interval */

/** A line of text about the whole profile; kept in order, not merged. */
int ddp_profile_comment(struct ddp_profile *p, const char *text);

/**
 * Samples with the label "local root span id" of this number (the label's i64 is read as a u64),
 * added before or after, get the label "trace endpoint" with this string when they are encoded.
 * The last endpoint of a span wins. A sample with a label "trace endpoint" of its own keeps that.
 *
 * @param endpoint  string id
 * @return 0; -EINVAL: the span id is 0 or the endpoint empty
 */
int ddp_profile_endpoint(struct ddp_profile *p, uint64_t local_root_span_id, uint32_t endpoint);

/**
 * How often an endpoint was called, for the upload's event.json. Adds up, staying at the limits.
 * @param endpoint  string id
 */
int ddp_profile_endpoint_count(struct ddp_profile *p, uint32_t endpoint, int64_t n);

struct ddp_endpoint_count {
	const char *endpoint;	/* @len bytes and a NUL; the profile's, good until it changes: */
				/* copy it before handing parts of it to the same profile */
	size_t len;
	int64_t count;
};

/**
 * The @i-th endpoint that was counted, in the order of their first count.
 * @return 0; -ENOENT: there are no more than @i
 */
int ddp_profile_endpoint_count_at(const struct ddp_profile *p, size_t i,
				  struct ddp_endpoint_count *ret);

/*
 * Upscaling: from what was sampled to an estimate of what happened. Rules are applied when the
 * profile is encoded, to what was added before and after them: for each sample, those by label in
 * the order of its labels (an endpoint that is joined comes last), then those by value; each sees
 * what the ones before it made. A value is multiplied by the scale and rounded to the nearest
 * integer, half away from zero; it stays at the limits of i64, and what is no number becomes 0.
 */
enum ddp_upscaling {
	/*
	 * Samples were taken once every @distance of the sum on average (allocations, once every
	 * 512 KiB): avg = v[sum] / v[count], scale = 1 / (1 - exp(-avg / distance)). When one of
	 * the two is 0 the scale is 1.
	 */
	DDP_UPSCALE_POISSON = 1,
	/* The same with the constant @count where the count is not among the values */
	DDP_UPSCALE_POISSON_COUNT,
	DDP_UPSCALE_PROPORTIONAL,	/* by @scale */
};

struct ddp_upscaling_rule {
	enum ddp_upscaling kind;
	const uint32_t *offsets;	/* values it scales: indexes of value types, each once */
	uint32_t nr_offsets;		/* >= 1 */
	/*
	 * By label: only samples with this label, key = string (string ids; the key may be
	 * DDP_STRING_TRACE_ENDPOINT, then joined endpoints count). Both 0: by value, all samples.
	 */
	uint32_t label_key, label_str;
	uint32_t sum, count_at;		/* Poisson: indexes of value types */
	uint64_t count;			/* DDP_UPSCALE_POISSON_COUNT: > 0 */
	uint64_t distance;		/* Poisson: > 0, in the unit of the sum */
	double scale;			/* DDP_UPSCALE_PROPORTIONAL: finite, > 0 */
};

/**
 * @return 0
 *	-EINVAL	an unknown kind; no offset, one out of range or twice; sum or count_at out of
 *		range; distance, count or scale not as above; only one of label_key and label_str
 *	-EEXIST	an offset that another rule of the same label scales, or another by value; or
 *		one that is scaled both by value and by label
 */
int ddp_profile_upscale(struct ddp_profile *p, const struct ddp_upscaling_rule *rule);

/* The end of an interval */

/**
 * Ends the interval and starts the next one at @start_unix_ns. The configuration stays; samples,
 * comments, endpoints and their counts, upscaling rules and everything interned go, and with them
 * all ids but the DDP_STRING_* ones.
 *
 * @param ret_old  receives what there was as an unchanging snapshot, which can be encoded (by
 *		   another thread, while this profile fills again) and belongs to the caller:
 *		   ddp_profile_destroy(). It takes less memory than before: what only adding
 *		   needs is freed. NULL: dropped, and its memory is used again (under a
 *		   ceiling when it is a quarter of it at most, else it is freed); needs none
 */
int ddp_profile_reset(struct ddp_profile *p, int64_t start_unix_ns, struct ddp_profile **ret_old);

/** How much there is. */
struct ddp_profile_counts {
	size_t samples;			/* that the encoded profile will have */
	size_t timestamped;		/* of these, with a timestamp */
	size_t strings, mappings, functions, locations;
	size_t stacks, label_sets;	/* different ones */
	size_t endpoints;		/* spans with an endpoint */
	size_t endpoint_counts;		/* different endpoints that were counted */
	size_t upscaling_rules;
	size_t bytes;			/* memory in use for all of it */
};

void ddp_profile_count(const struct ddp_profile *p, struct ddp_profile_counts *ret);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_PROFILE_H */
