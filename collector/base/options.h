/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options from one table: a row is an option's names, where its value goes, what is accepted, its
 * default, its environment variable and what is said of it. The table makes everything else: this
 * file parses command lines and environments, options_file.h configuration files, options_text.h
 * writes help, manual page, completions, a sample file and the values in effect. Used by the
 * commands.
 *
 * Whatever the order in which sources are read: the command line wins over the environment, the
 * environment over files, and these over defaults. A value that is not accepted is an error, but in
 * the environment, which is often somebody else's and meant for many programs, a warning.
 */
#ifndef DDP_BASE_OPTIONS_H
#define DDP_BASE_OPTIONS_H

#include <ddprof/io.h>
#include <stdbool.h>

enum ddp_option_kind {
	/* bool. --NAME, --no-NAME, --NAME=1; 1/0, true/false, yes/no, on/off */
	DDP_OPTION_FLAG,
	DDP_OPTION_NUMBER,	/* uint32_t, min .. max */
	DDP_OPTION_SIGNED,	/* int32_t, the same */
	DDP_OPTION_TEXT,	/* const char *, borrowed from where it came from; not empty */
	/*
	 * the same; http://, https://, unix:/// or file:/// and something behind. HOST:PORT
	 * gets http:// before it, a path from / on unix://
	 */
	DDP_OPTION_URL,
	DDP_OPTION_CHOICE,	/* uint32_t, the position in choices */
	DDP_OPTION_PIDS,	/* struct ddp_pids; a list with commas, repeatable */
	DDP_OPTION_TEXTS,	/* struct ddp_texts; repeatable */
};

enum ddp_option_flag {
	/*
	 * A text that no log and no file may show. "file:PATH" stands for the first line of PATH;
	 * in clear on the command line it is a warning, as everybody can see that
	 */
	DDP_OPTION_SECRET = 1,
	DDP_OPTION_ONCE = 2,	/* of one run: not in files, not among the values in effect */
	/* FLAG: "true" or another of its words behind it is its value: --enable false */
	DDP_OPTION_WORD = 4,
};

enum {
	DDP_MAX_PIDS = 256,
	DDP_MAX_TEXTS = 64,
	DDP_MAX_OPTIONS = 128,	/* rows of a table */
	DDP_MAX_SECRET = 4096,	/* characters */
};

struct ddp_pids {
	uint32_t pid[DDP_MAX_PIDS];
	uint32_t nr;
};

struct ddp_texts {
	const char *text[DDP_MAX_TEXTS];	/* as those of DDP_OPTION_TEXT */
	uint32_t nr;
};

struct ddp_option {
	const char *name;		/* "upload_period"; '-' and '_' are the same in it */
	const char *alias;		/* other long names, with blanks between; NULL: none */
	char letter;			/* 0: none */
	enum ddp_option_kind kind;
	size_t offset;			/* of the value in the caller's struct */
	const char *env;		/* NULL: none */
	int64_t min, max;		/* numbers; max of a text in characters, 0: any */
	const char *const *choices;	/* CHOICE; "no|off": two words for one; NULL ends it */
	const char *argument;		/* "HZ"; NULL for FLAG */
	const char *initial;		/* the default, as it would be given; NULL: none, zero */
	const char *group;		/* heading in the help; rows of one stand together */
	const char *help;		/* lines separated by \n */
	unsigned int flags;		/* enum ddp_option_flag */
	/* numbers and texts: refuses with -EINVAL and "expected ..." in @err; NULL: all is good */
	int (*check)(const char *value, struct ddp_error *err);
	unsigned int apply;		/* see options_changes.h */
};

/** Where a value came from, the weakest first. */
enum ddp_option_from {
	DDP_FROM_DEFAULT,
	DDP_FROM_FILE,
	DDP_FROM_ENVIRONMENT,
	DDP_FROM_COMMAND_LINE,
};

struct ddp_option_memory;

/** One reading of a table. Values stay good until ddp_options_free(). */
struct ddp_options {
	const struct ddp_option *table;		/* the last row's name is NULL */
	void *values;				/* the caller's struct */
	uint8_t from[DDP_MAX_OPTIONS];		/* enum ddp_option_from, a row each */
	struct ddp_option_memory *memory;	/* owned; of values from files */
};

/** Fills in the defaults. Nothing to free before this; @table and @values are borrowed. */
void ddp_options_begin(struct ddp_options *o, const struct ddp_option *table, void *values);
void ddp_options_free(struct ddp_options *o);

/** What the environment says; what it says wrong is a warning. */
void ddp_options_environment(struct ddp_options *o);

/**
 * @param ret_rest  index of the first argument that is no option; those after it are not looked at
 * @return 0; -EINVAL: @err names the option, the value and what is accepted; -ENOMEM
 */
int ddp_options_arguments(struct ddp_options *o, int argc, char *const *argv, int *ret_rest,
			  struct ddp_error *err);

/** Where the value at @offset of the values came from. */
enum ddp_option_from ddp_options_from(const struct ddp_options *o, size_t offset);

/**
 * For commands without defaults and files: environment, then command line, over what is in @values.
 * @return as ddp_options_arguments()
 */
int ddp_options_parse(const struct ddp_option *table, int argc, char *const *argv, void *values,
		      int *ret_rest, struct ddp_error *err);

/* For options_file.c and options_text.c */

/** @param len  of @text; '-' and '_' are the same. @return NULL: there is none */
const struct ddp_option *ddp_option_find(const struct ddp_option *table, const char *text,
					 size_t len);

/** ", did you mean X?" when @text resembles a name of the table, else "". */
void ddp_option_suggest(const struct ddp_option *table, const char *text, size_t len,
			const char *before, char *ret, size_t size);

/**
 * One value from @level, unless a stronger one is there; it is checked in any case.
 * @param where  "DD_ENV", "--frequency", "ddprof.conf:12: frequency"
 * @param value  borrowed until ddp_options_free(); NULL: FLAG without a value
 */
int ddp_options_set(struct ddp_options *o, const struct ddp_option *row,
		    enum ddp_option_from level, const char *where, const char *value,
		    struct ddp_error *err);

/** A copy of @n characters that lives as long as @o. NULL: no memory */
char *ddp_options_keep(struct ddp_options *o, const char *text, size_t n);

/** What @from keeps for its values lives as long as @to from now on. */
void ddp_options_hand_on(struct ddp_options *from, struct ddp_options *to);

#endif /* DDP_BASE_OPTIONS_H */
