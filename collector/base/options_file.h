/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file into an option table: "key = value", the key any long name of a row. A line
 * that begins with a blank continues the value above it (a blank takes the line's end's place);
 * comments are lines of their own that begin with # or ;. What is not understood is an error that
 * names the file and the line. Behind the keys there may be sections, "[kind title]", each with a
 * table and a struct of its own. Used by the commands.
 */
#ifndef DDP_BASE_OPTIONS_FILE_H
#define DDP_BASE_OPTIONS_FILE_H

#include "base/options.h"

enum {
	DDP_MAX_CONFIG_BYTES = 1 << 20,
	DDP_MAX_SECTIONS = 64,		/* of a file */
};

/** A kind of section. */
struct ddp_option_section {
	const char *name;		/* "target" for "[target eu]" */
	const char *argument;		/* "NAME": a title stands behind; NULL: there is none */
	const char *help;		/* lines separated by \n */
	const struct ddp_option *table;
	/**
	 * A section begins. @title is good for as long as the values; "" without argument.
	 * @return the struct its keys go into, which need not be zero; NULL: refused, see @err
	 */
	void *(*open)(void *values, const char *title, struct ddp_error *err);
	/** The n-th of the sections that are there. @return NULL: past the last */
	void *(*at)(void *values, size_t n, const char **ret_title);
	unsigned int apply;		/* see options_changes.h */
};

/**
 * @param sections  the last one's name is NULL; NULL: none are accepted
 * @return 0
 *	-EINVAL	 the file says something wrong
 *	-EFBIG	 it has more than DDP_MAX_CONFIG_BYTES
 *	-ENOMEM, or what opening and reading it answers; see @err in any case
 */
int ddp_options_file(struct ddp_options *o, const char *path,
		     const struct ddp_option_section *sections, struct ddp_error *err);

/**
 * The same from memory, which is borrowed for the call.
 * @param text  @len bytes and a NUL
 * @param name  what it is called in errors
 */
int ddp_options_text(struct ddp_options *o, const char *name, const char *text, size_t len,
		     const struct ddp_option_section *sections, struct ddp_error *err);

#endif /* DDP_BASE_OPTIONS_FILE_H */
