/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof's profile.proto: writing a profile of profile.h, and reading any pprof file.
 *
 *	struct ddp_compressor *gz;
 *
 *	r = ddp_compressor_create(DDP_GZIP, 0, write_to_file, &fd, &gz);
 *	r = ddp_pprof_encode(profile, end_unix_ns, ddp_compressor_write, gz);
 *	r = ddp_compressor_finish(gz);
 *
 *	struct ddp_pprof *f;
 *	struct ddp_error err;
 *
 *	if (ddp_pprof_load(bytes, n, NULL, &f, &err))
 *		fprintf(stderr, "cpu.pprof: %s\n", err.text);
 *	for (size_t i = 0; i < f->nr_samples; i++)
 *		... f->samples[i].locations[0]->lines[0].function->name ...
 *	ddp_pprof_destroy(f);
 *
 * Source: github.com/google/pprof, proto/profile.proto.
 */
#ifndef DDPROF_PPROF_H
#define DDPROF_PPROF_H

#include <stdbool.h>

#include "io.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Streams @p field by field; memory use does not depend on its size. The same calls on a profile
 * give the same bytes. Order: samples, sample types, mappings, locations, functions, strings,
 * time, duration, period type, period, comments. The profile is not changed, and a failed call
 * may be repeated.
 *
 * @param end_unix_ns  the interval's end; before its start counts as a duration of 0
 * @return 0; what @write answered; -EFBIG: 2 GiB or more; -ENOMEM
 */
int ddp_pprof_encode(const struct ddp_profile *p, int64_t end_unix_ns,
		     ddp_write_fn write, void *ctx);

/* What no profiler writes more of; a small file could keep its reader busy for hours with it */
enum {
	DDP_PPROF_MAX_LINES = 1024,	/* of a location, as profile.h has it */
	DDP_PPROF_MAX_FRAMES = 65536,	/* locations of a sample */
};

/** What a file may cost. 0 in a member takes the default. */
struct ddp_pprof_limits {
	size_t max_decompressed_bytes;	/* default 256 MiB */
	size_t max_memory_bytes;	/* for everything that is built from it; default 2 GiB */
};

/*
 * A profile as read. All pointers lead into memory of the struct ddp_pprof they came from and
 * live as long. Nothing here is NULL unless the line says so; strings are NUL-terminated and ""
 * where the file has none, and are as they were in the file: any bytes but NUL.
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
	int64_t line;
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
	const char *str;	/* NULL: a number */
	int64_t num;
	const char *num_unit;	/* "" when there is none */
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
	const char *default_sample_type;
	const char *drop_frames, *keep_frames;	/* regular expressions */
};

/**
 * Reads a pprof file: plain, gzip, LZ4 frame or zstd, told apart by its first bytes. Every id and
 * index in the result is checked.
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

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_PPROF_H */
