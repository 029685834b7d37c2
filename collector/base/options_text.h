/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of options, all from their table: help, manual page, completion for bash and zsh, a
 * sample of the configuration file, and the values in effect. Used by the commands.
 */
#ifndef DDP_BASE_OPTIONS_TEXT_H
#define DDP_BASE_OPTIONS_TEXT_H

#include <stdio.h>

#include "base/options_file.h"

/** A part of a manual page; paragraphs have an empty line between them, "  " begins an example. */
struct ddp_manual_part {
	const char *heading;		/* "EXIT STATUS"; NULL at the end */
	const char *text;
};

/** A command of a program that has several. */
struct ddp_manual_command {
	const char *name, *summary;	/* "diff", "what changed ..." */
	const char *synopsis;		/* what stands behind its name: "[options] BASE OTHER" */
	const char *text;		/* about it, as a part's */
	const struct ddp_option *table;
};

/** A program, for those who read about it. */
struct ddp_manual {
	const char *program;		/* "ddprof" */
	const char *version;
	const char *summary;		/* "profiles programs ..." */
	/* a line a way to call it, without the program's name; of commands their names and these */
	const char *synopsis;
	const struct ddp_manual_command *const *commands;	/* up to NULL; NULL: none */
	const char *config;		/* path of the sample file; NULL: there is none */
	const struct ddp_option *table;
	const struct ddp_option_section *sections;	/* NULL: none */
	const struct ddp_manual_part *before, *after;	/* the options */
};

/** Options, one or more lines each, under the headings of their groups. */
void ddp_options_help(const struct ddp_option *table, FILE *to);

/** A command's --help: how it is called, what it does and its options. */
void ddp_options_command_help(const char *program, const struct ddp_manual_command *c, FILE *to);

/** A manual page of section 8, in man's macros. */
void ddp_options_man(const struct ddp_manual *m, FILE *to);

/* Completion: of the program's options and the words of a command, or of commands and theirs */
void ddp_options_bash(const struct ddp_manual *m, FILE *to);
void ddp_options_zsh(const struct ddp_manual *m, FILE *to);

/** A configuration file in which every key is explained and commented out. */
void ddp_options_sample(const struct ddp_manual *m, FILE *to);

/**
 * The values in effect as a configuration file that gives them again. Secrets are left out, and
 * said to be.
 */
void ddp_options_write(const struct ddp_options *o, const struct ddp_option_section *sections,
		       FILE *to);

/** The values in effect and where each came from, for a person; secrets as "***". */
void ddp_options_show(const struct ddp_options *o, const struct ddp_option_section *sections,
		      FILE *to);

#endif /* DDP_BASE_OPTIONS_TEXT_H */
