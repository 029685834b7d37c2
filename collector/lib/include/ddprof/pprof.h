/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof's profile.proto: writing a profile of profile.h; and reading any pprof file, adding up,
 * comparing and writing what was read.
 *
 *	struct ddp_compressor *gz = NULL;
 *
 *	r = ddp_compressor_create(DDP_GZIP, 0, write_to_file, &fd, &gz);
 *	if (!r)
 *		r = ddp_pprof_encode(profile, end_unix_ns, ddp_compressor_write, gz);
 *	if (!r)
 *		r = ddp_compressor_finish(gz);
 *	ddp_compressor_destroy(gz);
 *
 *	struct ddp_pprof *f;
 *	struct ddp_error err;
 *
 *	if (ddp_pprof_load(bytes, n, NULL, &f, &err)) {
 *		fprintf(stderr, "cpu.pprof: %s\n", err.text);
 *		return;
 *	}
 *	for (size_t i = 0; i < f->nr_samples; i++)
 *		... f->samples[i].locations[0]->lines[0].function->name ...
 *
 * And with another file, g; each stream has a compressor of its own:
 *
 *	struct ddp_pprof *sum = NULL;
 *	struct ddp_compressor *sum_gz = NULL;
 *
 *	r = ddp_pprof_merge((const struct ddp_pprof *[]){ f, g }, NULL, 2, &sum, &err);
 *	if (!r)
 *		r = ddp_compressor_create(DDP_GZIP, 0, write_to_file, &sum_fd, &sum_gz);
 *	if (!r)
 *		r = ddp_pprof_write(sum, ddp_compressor_write, sum_gz);
 *	if (!r)
 *		r = ddp_compressor_finish(sum_gz);
 *	ddp_compressor_destroy(sum_gz);
 *	ddp_pprof_destroy(sum);
 *	ddp_pprof_destroy(f);
 *
 * Threads: what was read or merged does not change; any number may read it at once, until one
 * destroys it.
 *
 * Source: github.com/google/pprof, proto/profile.proto.
 */
#ifndef DDPROF_PPROF_H
#define DDPROF_PPROF_H

#include <stdbool.h>

#include "compress.h"
#include "io.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Streams @p field by field; memory use does not depend on its size. The same calls on a profile
 * give the same bytes. Order: samples (first those without a timestamp), sample types, mappings,
 * locations, functions, strings, time, duration, period type, period, comments. A sample's labels
 * are its own in the order they were first given in, "trace endpoint" when one is known, and
 * "end_timestamp_ns". The profile is not changed (nor may @write change it), and a failed call may
 * be repeated.
 *
 * @param end_unix_ns  the interval's end; before its start counts as a duration of 0
 * @return 0; what @write answered; -EFBIG: 2 GiB or more; -ENOMEM
 */
int ddp_pprof_encode(const struct ddp_profile *p, int64_t end_unix_ns,
		     ddp_write_fn write, void *ctx);

enum { DDP_PPROF_PART_BYTES = 10 << 20 };	/* default for a part: 10 MiB, as uploads take it */

/** How ddp_pprof_encode_parts() writes. All zero: plain parts of up to 10 MiB. */
struct ddp_pprof_parts {
	enum ddp_compression compression;
	int level;		/* as for ddp_compressor_create(); 0: the default. zstd's level 1 */
				/* takes memory as the profile's size asks for, 1.3 MiB at most */
	size_t max_bytes;	/* of one part, compressed; 0: DDP_PPROF_PART_BYTES */
};

/** One complete profile. */
struct ddp_pprof_part {
	size_t number, nr;	/* this is part 0 .. nr - 1 of nr */
	const void *bytes;	/* compressed; borrowed for the call */
	size_t n;
	size_t first_sample, nr_samples; /* which of the whole profile's, in encoding order */
};

/** @return 0 to go on, or a negative errno, which is handed to the caller */
typedef int (*ddp_pprof_part_fn)(void *ctx, const struct ddp_pprof_part *part);

/**
 * Encodes and compresses @p, and where the result would be larger than a receiver takes, cuts it
 * into several complete profiles: each with the same types, times and comments, a share of the
 * samples, and only what these refer to. A profile that fits is one part, with the bytes of
 * ddp_pprof_encode(). The same calls on a profile give the same parts. All parts are made, in
 * memory, before the first is handed to @part: when they cannot be made, none is.
 *
 * @param err  may be NULL; names the sample that is too large
 * @return 0; what @part answered; -EINVAL: no such compression or level; -EFBIG: a sample does not
 * fit even alone; -ENOMEM
 */
int ddp_pprof_encode_parts(const struct ddp_profile *p, int64_t end_unix_ns,
			   const struct ddp_pprof_parts *parts, ddp_pprof_part_fn part, void *ctx,
			   struct ddp_error *err);

/* What no profiler writes more of; a small file could keep its reader busy for hours with it */
enum {
	DDP_PPROF_MAX_LINES = 1024,	/* of a location, as profile.h has it */
	DDP_PPROF_MAX_FRAMES = 65536,	/* locations of a sample */
	DDP_PPROF_MAX_VALUE_TYPES = 1024, /* as profile.h has it */
};

/** What a file may cost. 0 in a member takes the default. */
struct ddp_pprof_limits {
	size_t max_decompressed_bytes;	/* default 256 MiB */
	size_t max_memory_bytes;	/* for everything that is built from it; default 2 GiB */
};

/*
 * A profile as read. All pointers lead into memory of the struct ddp_pprof they came from and
 * live as long. Nothing here is NULL unless the line says so; strings are NUL-terminated UTF-8 and
 * "" where the file has none. What was not UTF-8 in the file, or was NUL, is U+FFFD.
 */
struct ddp_pprof_mapping {
	uint64_t id, start, limit, file_offset;
	const char *filename, *build_id;
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct ddp_pprof_function {
	uint64_t id;
	const char *name, *system_name, *filename;
	int64_t start_line;
};

struct ddp_pprof_line {
	const struct ddp_pprof_function *function;	/* NULL: not named */
	int64_t line, column;	/* 0: not known */
};

struct ddp_pprof_location {
	uint64_t id, address;
	const struct ddp_pprof_mapping *mapping;	/* NULL: none */
	const struct ddp_pprof_line *lines;		/* innermost first */
	size_t nr_lines;
	bool is_folded;
	/* position in ddp_pprof.locations, for tables beside it */
	size_t index;
};

struct ddp_pprof_label {
	const char *key;
	const char *str;	/* not empty; NULL: a number */
	int64_t num;		/* 0 for a string */
	const char *num_unit;	/* "" when there is none, and for a string */
};

struct ddp_pprof_sample {
	const struct ddp_pprof_location *const *locations;	/* leaf first */
	size_t nr_locations;
	const int64_t *values;	/* ddp_pprof.nr_sample_types of them */
	const struct ddp_pprof_label *labels;
	size_t nr_labels;
};

struct ddp_pprof {
	const struct ddp_value_type *sample_types;
	size_t nr_sample_types;
	const struct ddp_pprof_sample *samples;
	size_t nr_samples;
	const struct ddp_pprof_mapping *mappings;
	size_t nr_mappings;
	const struct ddp_pprof_location *locations;
	size_t nr_locations;
	const struct ddp_pprof_function *functions;
	size_t nr_functions;
	const char *const *comments;
	size_t nr_comments;
	struct ddp_value_type period_type;
	int64_t period;
	int64_t time_unix_ns, duration_ns;
	const char *default_sample_type; /* a type's name; "" or no type's: tools show the last */
	const char *drop_frames, *keep_frames;	/* regular expressions */
	const char *doc_url;
};

/**
 * Reads a pprof file: plain, gzip, LZ4 frame or zstd, told apart by its first bytes. Every id and
 * index in the result is checked. Fields that pprof does not have are skipped; the text formats
 * from before pprof are not read.
 *
 * @param bytes   the file; may be freed afterwards
 * @param limits  NULL: the defaults
 * @param ret     on success belongs to the caller: ddp_pprof_destroy()
 * @param err     may be NULL; on failure says what was wrong and, where it is known, at which byte
 * @return 0
 *	-EBADMSG  not a pprof file, damaged or cut short
 *	-EFBIG	  a limit was reached (a decompression bomb, or too much for this machine)
 *	-ENOMEM
 */
int ddp_pprof_load(const void *bytes, size_t n, const struct ddp_pprof_limits *limits,
		   struct ddp_pprof **ret, struct ddp_error *err);

/** NULL is allowed. */
void ddp_pprof_destroy(struct ddp_pprof *pprof);

/**
 * Writes @p as pprof's bytes, in the order of ddp_pprof_encode(); the same @p gives the same bytes,
 * and loading them gives the same profile. @p may also be put together by the caller, as above:
 * for instance a copy of a loaded struct with fewer samples. Ids are written as they are.
 *
 * @return 0; what @write answered; -EFBIG: 2 GiB or more; -ENOMEM
 */
int ddp_pprof_write(const struct ddp_pprof *p, ddp_write_fn write, void *ctx);

/**
 * Adds profiles up, as `go tool pprof a b c` does:
 *
 * - Value types are those that all profiles have, by type and unit, in the order of the first.
 * - Samples with the same stack and the same set of labels become one, whose values are added up
 *   and stay at INT64_MAX or INT64_MIN rather than wrap; those with only zeros are left out.
 *   Locations, functions and mappings are the same when their contents are, whatever their ids; a
 *   mapping by its size, file offset and build-id (else file name), so that the same file at
 *   another address is one mapping and its addresses are moved to where the first one has it. What
 *   no sample names is left out, except the very first mapping, the main program.
 * - The time is the earliest, the duration the sum, the period the largest, the period type the
 *   first that is known; comments are kept once each; regular expressions are the first profile's;
 *   the default sample type and the document's URL are the first there is.
 *
 * @param profiles  @n of them, n > 0; not needed afterwards
 * @param names	    what errors call them, for instance file names; NULL: "profile 1" and so on
 * @param ret	    on success belongs to the caller: ddp_pprof_destroy()
 * @param err	    may be NULL; on failure names the profile that does not fit
 * @return 0
 *	-EINVAL	a profile has no value type in common with those before it, or its period is
 *		something else
 *	-EFBIG	2^29 or more of something
 *	-ENOMEM
 */
int ddp_pprof_merge(const struct ddp_pprof *const *profiles, const char *const *names, size_t n,
		    struct ddp_pprof **ret, struct ddp_error *err);

/* The label that ddp_pprof_diff() gives the base's samples, with the value "true" */
#define DDP_PPROF_BASE_LABEL "pprof::base"

/**
 * What @other has more than @base: their samples merged as by ddp_pprof_merge(), with the base's
 * values negated. Time, duration and period are those of @other.
 *
 * @param keep_apart  false: samples of both sides that are the same become one difference, and
 *		      disappear when there is none. true: they stay apart, those of the base (and
 *		      no others) with DDP_PPROF_BASE_LABEL, so that a reader still sees how much
 *		      each side had; that is what `go tool pprof -diff_base` makes, and it reads
 *		      it as such
 * @return as ddp_pprof_merge()
 */
int ddp_pprof_diff(const struct ddp_pprof *base, const struct ddp_pprof *other, bool keep_apart,
		   struct ddp_pprof **ret, struct ddp_error *err);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_PPROF_H */
