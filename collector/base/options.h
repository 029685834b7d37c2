/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from one table: a row is an option's names, where its value goes, what is accepted,
 * its environment variable and its line in --help. The command line wins over the environment, the
 * environment over what the caller put into the struct before. A value on the command line that is
 * not accepted is an error, one in the environment a warning. Used by the commands.
 */
#ifndef DDP_BASE_OPTIONS_H
#define DDP_BASE_OPTIONS_H

#include <ddprof/io.h>
#include <stdbool.h>
#include <stdio.h>

enum ddp_option_kind {
	/* bool; no argument; in the environment 1/0, true/false, yes/no, on/off */
	DDP_OPTION_FLAG,
	DDP_OPTION_NUMBER,	/* uint32_t, min .. max */
	DDP_OPTION_TEXT,	/* const char *, borrowed from argv or the environment; not empty */
	DDP_OPTION_URL,		/* the same; http://, https:// or unix:/// and something behind */
	DDP_OPTION_CHOICE,	/* uint32_t, the position in choices */
	DDP_OPTION_PIDS,	/* struct ddp_pids; a list with commas, repeatable */
};

enum { DDP_MAX_PIDS = 256 };

struct ddp_pids {
	uint32_t pid[DDP_MAX_PIDS];
	uint32_t nr;
};

struct ddp_option {
	const char *name;		/* "upload_period"; '-' and '_' are the same in it */
	const char *alias;		/* another long name, not in --help; NULL: none */
	char letter;			/* 0: none */
	enum ddp_option_kind kind;
	bool negate;			/* FLAG: sets false */
	size_t offset;			/* of the value in the caller's struct */
	const char *env;		/* NULL: none */
	uint32_t min, max;		/* NUMBER; max of TEXT in characters, 0: any */
	const char *const *choices;	/* CHOICE; NULL at the end */
	const char *argument;		/* "HZ"; NULL for FLAG */
	const char *help;		/* lines separated by \n */
	/* offset of a bool that tells that the command line has it; 0: not told */
	size_t given;
};

/**
 * @param options   the last row's name is NULL
 * @param values    the caller's struct
 * @param ret_rest  index of the first argument that is no option; those after it are not looked at
 * @return 0; -EINVAL: @err names the option, the value and what is accepted
 */
int ddp_options_parse(const struct ddp_option *options, int argc, char *const *argv, void *values,
		      int *ret_rest, struct ddp_error *err);

/** The table as text, one or more lines an option. */
void ddp_options_help(const struct ddp_option *options, FILE *to);

#endif /* DDP_BASE_OPTIONS_H */
