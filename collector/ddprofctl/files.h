/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that report, convert, merge and diff read and write: the form by name or by option,
 * "-" for stdin and stdout, and what goes wrong said on stderr.
 */
#ifndef DDPROFCTL_FILES_H
#define DDPROFCTL_FILES_H

#include <ddprof/pprof.h>

#include "base/options.h"
#include "lib/cleanup.h"
#include "report/format.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

/** Says what went wrong with @what: @err's text if it has one (NULL: none). @return @r */
int ctl_say(const char *what, int r, struct ddp_error *err);

/**
 * Options and files in any order.
 * @param files	  receives the arguments that are no options, @max at most
 * @return 0; -EINVAL, said: a wrong option, or more files
 */
int ctl_arguments(const struct ddp_option *options, int argc, char **argv, void *values,
		  const char **files, size_t max, size_t *ret_nr);

/**
 * Reads a profile.
 * @param format  what it is, AUTO: to be found out; receives COLLAPSED where it is text
 * @param type	what the numbers of collapsed stacks are; NULL: samples
 * @param ret	on success belongs to the caller: ddp_pprof_destroy()
 * @return 0, or a negative errno, said
 */
int ctl_load(const char *path, uint32_t *format, const struct ddp_value_type *type,
	     struct ddp_pprof **ret);

/**
 * On stderr, where @n profiles have no value in common: which each has, and how collapsed stacks
 * get others.
 */
void ctl_say_values(const char *const *files, const struct ddp_pprof *const *profiles, size_t n);

/**
 * The form to write @path in.
 * @return 0; -EINVAL, said: neither name nor @wanted tell
 */
int ctl_output_format(const char *path, uint32_t wanted, enum ddp_format *ret);

/** Writes what a file shall hold. @return 0; a negative errno, and @err says more or is "" */
typedef int (*ctl_produce_fn)(void *ctx, ddp_write_fn write, void *write_ctx,
			      struct ddp_error *err);

/**
 * Writes a file, which appears under its name when it is complete; for its owner only, as profiles
 * are. A link stays one: the file that it leads to is replaced. What is no regular file is written
 * to as it is.
 * @return 0, or a negative errno, said
 */
int ctl_save(const char *path, ctl_produce_fn produce, void *ctx);

/** ctl_save() of a profile in one of the forms. */
int ctl_save_profile(const char *path, const struct ddp_pprof *p, enum ddp_format format,
		     const struct ddp_format_options *options);

/**
 * The value type that a user means: ddp_format_find_value() of the profile from @path.
 * @return 0; -EINVAL, said
 */
int ctl_find_value(const struct ddp_pprof *p, const char *path, const char *wanted, size_t *ret);

/**
 * That one of the profiles' samples has the label; NULL: none is wanted.
 * @return 0; -EINVAL, said
 */
int ctl_check_label(const char *path, const struct ddp_pprof *const *profiles, size_t nr,
		    const char *label);

/** That "-" is not read twice. @return 0; -EINVAL, said */
int ctl_check_stdin(const char *const *files, size_t nr);

/** The file's name without its folders, for titles: part of @path; "stdin" for "-". */
const char *ctl_title(const char *path);

#endif /* DDPROFCTL_FILES_H */
