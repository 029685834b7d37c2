/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user of `ddprof` asked for: one struct, one table of options that fills it, and the
 * rules between options. Used by main and run.
 */
#ifndef DDPROF_CONFIG_H
#define DDPROF_CONFIG_H

#include "core/events.h"
#include "link/link.h"
#include "base/options_text.h"
#include "ddprof/targets.h"

enum {
	DDPROF_MAX_HOST = 253,		/* characters of a DNS name */
	DDPROF_MAX_TABLES_KIB = 1048576, /* START_TABLES_KIB's */
	DDPROF_MAX_SERVICES = 4096,
	DDPROF_MAX_MB = 1 << 20,	/* of a queue, a spool or a folder */
	DDPROF_MAX_HOURS = 24 * 366 * 10,
	DDPROF_NICE_AS_IT_IS = -1,	/* as ddprof has it: -1 is a niceness that nobody needs */
};

/** What a value that is different when the configuration is read again asks for. */
enum ddprof_apply {
	DDPROF_APPLY_SESSION = 1,	/* a new session */
	DDPROF_APPLY_OUTPUT = 2,	/* new ways out */
	DDPROF_APPLY_NOW = 4,		/* nothing more than to say it where it is used */
	DDPROF_APPLY_RESTART = 8,	/* another process: it cannot be done while it runs */
};

/** Texts belong to argv, the environment or options. Not to be copied: url may point into it. */
struct ddprof_config {
	struct ddp_options options;	/* where each value came from */
	struct ddp_pids pids;
	bool global, descendants, wait;
	/* who of these is left out, see filter.h */
	struct ddp_pids exclude_pids, tids, exclude_tids;
	struct ddp_texts process_names, exclude_process_names, cgroups, exclude_cgroups;
	const char *service, *environment, *version, *tags, *output;
	bool services;		/* one profile a service, see docs/service.md */
	struct ddp_texts service_rules;
	uint32_t max_services;
	const char *host_proc;	/* where the machine's procfs is; NULL: where it usually is */
	const char *url;	/* where uploads go; NULL: nowhere */
	const char *host;	/* part of url when there is none; NULL: localhost */
	uint32_t port;
	struct ddp_texts events;	/* texts of events, see core/events.h */
	const char *preset;		/* NULL: default, when there are no events */
	uint32_t frequency_hz, period_s, depth, budget_permille, sampler, log_level;
	uint32_t unwind_tables_kib;	/* 0: none */
	const char *unwind_cache;	/* folder; NULL: none */
	const char *directory;	/* a file a profile there; NULL: none */
	uint32_t directory_mb, directory_hours;	/* 0 hours: no limit */
	const char *spool;	/* folder; NULL: none */
	uint32_t spool_mb, queue_mb;	/* of each target */
	struct ddprof_target targets[DDPROF_MAX_TARGETS];	/* further ones */
	uint32_t nr_targets;
	bool numbered;		/* --output's first file has a number */
	const char *config;	/* file; NULL: none */
	const char *write_config;
	const char *log_mode;	/* see ddp_log_open() */
	const char *cpu_affinity;	/* the profiler's, see self.h; NULL: as it is */
	bool agentless;		/* url is the intake's, and api_key is there */
	const char *api_key, *site;
	const char *runtime_id;	/* NULL: made up */
	const char *debug_pprof_prefix;	/* NULL: no such files */
	bool show_samples, disable_symbolization, inlined_functions;
	int32_t maximum_pids;	/* processes whose frames are told apart; -1: any number */
	const char *switch_user;	/* the command's; NULL: as it is */
	int32_t nice;		/* the profiler's; DDPROF_NICE_AS_IT_IS */
	uint32_t print;		/* enum ddprof_print */
	/* see metrics/monitor.h; NULL: not said */
	const char *control_socket, *metrics_listen, *internal_stats;
	bool metrics_remote;
	bool enabled;		/* false: only run the command */
	bool timestamps;
	bool show_help, show_version, show_config;
	char *const *command;	/* argv of the command; NULL: none */
	/* as they were given, to be read again */
	int argc;
	char *const *argv;
	/* url points here when it is made from host and port, or from site */
	char made_url[DDPROF_MAX_HOST + 32];
};

/** As --control_socket: there is none. */
#define DDPROF_NO_SOCKET "none"

/** The positions in --sampler's choices. */
enum { DDPROF_CHOICE_HRTIMER, DDPROF_CHOICE_PERF };

/** The positions in --print's choices. */
enum ddprof_print {
	DDPROF_PRINT_NOTHING,
	DDPROF_PRINT_MAN,
	DDPROF_PRINT_BASH,
	DDPROF_PRINT_ZSH,
	DDPROF_PRINT_CONFIG,
};

extern const struct ddp_option ddprof_options[];
extern const struct ddp_option_section ddprof_sections[];

/**
 * Defaults, configuration file, environment, command line and the rules between them.
 * @return 0: ddprof_config_free() it; another answer: as ddp_options_arguments() and
 *	ddp_options_file(), nothing to free, see @err
 */
int ddprof_config_read(int argc, char *const *argv, struct ddprof_config *ret,
		       struct ddp_error *err);
void ddprof_config_free(struct ddprof_config *c);
DEFINE_CLEANUP_IN_PLACE(struct ddprof_config, ddprof_config_free)

/**
 * The same command line and environment, and the configuration file as it is now.
 * @param ret_apply  enum ddprof_apply: what the differences ask for, together; those that have to
 *		     wait for a restart are logged
 * @return as ddprof_config_read()
 */
int ddprof_config_read_again(const struct ddprof_config *c, struct ddprof_config *ret,
			     unsigned int *ret_apply, struct ddp_error *err);

/**
 * What is sampled: --event, --preset and what --frequency and --sampler say of CPU time.
 * Tracepoints are not looked up yet.
 * @return 0; -EINVAL, see @err
 */
int ddprof_config_events(const struct ddprof_config *c, struct ddp_event_specs *ret,
			 struct ddp_error *err);

/** Whether it asks only to be told something, which ddprof_config_tell() does. */
bool ddprof_config_only_tells(const struct ddprof_config *c);

/** Help, version, manual page and the like on stdout; --show_config on stderr; --write_config. */
int ddprof_config_tell(const struct ddprof_config *c, struct ddp_error *err);

#endif /* DDPROF_CONFIG_H */
