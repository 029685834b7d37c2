/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user of `ddprof` asked for: one struct, one table of options that fills it, and the
 * rules between options. Used by main and run.
 */
#ifndef DDPROF_CONFIG_H
#define DDPROF_CONFIG_H

#include "link/link.h"
#include "base/options.h"

enum {
	DDPROF_MAX_HOST = 253,		/* characters of a DNS name */
	DDPROF_MAX_TABLES_KIB = 1048576, /* START_TABLES_KIB's */
};

/** Not to be copied: url may point into it. */
struct ddprof_config {
	struct ddp_pids pids;
	bool global, descendants, wait;
	const char *service, *environment, *version, *tags, *output;
	const char *url;	/* where uploads go; NULL: nowhere */
	const char *host;	/* part of url when there is none; NULL: localhost */
	uint32_t port;
	uint32_t frequency_hz, period_s, depth, budget_permille, sampler, log_level;
	uint32_t unwind_tables_kib;	/* 0: none */
	const char *unwind_cache;	/* folder; NULL: none */
	/* on the command line, not in the environment */
	bool period_given, url_given, address_given;
	bool enabled;		/* false: only run the command */
	bool timestamps;
	bool show_help, show_version;
	char *const *command;	/* argv of the command; NULL: none */
	char made_url[DDPROF_MAX_HOST + 32]; /* url points here when it is from host and port */
};

/** The positions in --sampler's choices. */
enum { DDPROF_CHOICE_HRTIMER, DDPROF_CHOICE_PERF };

extern const struct ddp_option ddprof_options[];

/** Defaults, environment, command line and the rules between them. @return 0; -EINVAL, see @err */
int ddprof_config_read(int argc, char *const *argv, struct ddprof_config *ret,
		       struct ddp_error *err);

void ddprof_config_help(FILE *to);

#endif /* DDPROF_CONFIG_H */
