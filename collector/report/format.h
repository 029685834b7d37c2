/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All forms that a profile can be read from or written in, by name. Called by ddprofctl.
 */
#ifndef DDP_REPORT_FORMAT_H
#define DDP_REPORT_FORMAT_H

#include <ddprof/pprof.h>
#include <stdbool.h>

enum ddp_format {
	DDP_FORMAT_AUTO,	/* by the file's name; for pprof to be read, by its first bytes */
	DDP_FORMAT_GZIP,	/* pprof, with one compression or another */
	DDP_FORMAT_LZ4,
	DDP_FORMAT_ZSTD,
	DDP_FORMAT_PLAIN,
	DDP_FORMAT_COLLAPSED,	/* see collapsed.h */
	DDP_FORMAT_SPEEDSCOPE,	/* see speedscope.h; only written */
	DDP_FORMAT_HTML,	/* see flamegraph.h; only written */
};

/** "auto", "gzip", ... by number; NULL at the end. Static. */
extern const char *const ddp_format_names[];

/**
 * By the end of a file's name: .pprof and .gz gzip, .lz4, .zst, .pb plain; .collapsed, .folded and
 * .txt collapsed stacks; .json speedscope; .html and .htm.
 * @return 0; -EINVAL: none of these
 */
int ddp_format_from_path(const char *path, enum ddp_format *ret);

/**
 * Whether only pprof can look so: packed, or with a NUL byte, which every pprof file has (its first
 * string is empty) and no text.
 */
bool ddp_format_is_pprof(const void *bytes, size_t n);

/**
 * @param format  what it is; DDP_FORMAT_AUTO: pprof
 * @param type	  what the numbers of collapsed stacks are
 * @param ret	  belongs to the caller: ddp_pprof_destroy()
 * @param err	  says what is wrong, or ""
 * @return 0; -EOPNOTSUPP: a format that is only written; else as ddp_pprof_load() and
 *	ddp_collapsed_read()
 */
int ddp_format_read(const void *bytes, size_t n, enum ddp_format format,
		    const struct ddp_value_type *type, struct ddp_pprof **ret,
		    struct ddp_error *err);

struct ddp_format_options {
	const char *title;	/* of HTML and speedscope */
	size_t value;		/* index of the value type: the one collapsed, or shown first */
	const char *label;	/* its value is each stack's outermost frame; NULL: none. Not in
				 * pprof, which has labels */
};

/**
 * @param format  not DDP_FORMAT_AUTO
 * @param err	  says what is wrong, or ""
 * @return 0 or the format's errors; what @write answered
 */
int ddp_format_write(const struct ddp_pprof *p, enum ddp_format format,
		     const struct ddp_format_options *options, ddp_write_fn write, void *ctx,
		     struct ddp_error *err);

/**
 * The value type that a user means: by its name, its name and unit ("cpu-time/nanoseconds") or by
 * position from 0.
 * @param wanted  NULL: the profile's default, or the last, as pprof's tools do
 * @return 0; -EINVAL: none of them, @err (may be NULL) lists what there is
 */
int ddp_format_find_value(const struct ddp_pprof *p, const char *wanted, size_t *ret,
			  struct ddp_error *err);

/** The value types as text, "cpu-samples/count, cpu-time/nanoseconds", as many as have room. */
void ddp_format_list_values(const struct ddp_pprof *p, char *ret, size_t size);

/**
 * Whether one of the samples has the label; true of no samples.
 * @return 0; -EINVAL: none has, @err lists the labels that there are
 */
int ddp_format_find_label(const struct ddp_pprof *const *profiles, size_t nr, const char *label,
			  struct ddp_error *err);

#endif /* DDP_REPORT_FORMAT_H */
