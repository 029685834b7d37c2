/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where profiles go, as options and the configuration file's [target NAME] sections say it, made
 * into what the library's sender takes. Used by config, which owns what is read, and run.
 */
#ifndef DDPROF_TARGETS_H
#define DDPROF_TARGETS_H

#include <ddprof/sender.h>

#include "base/options_file.h"
#include "service/cgroup.h"

struct ddprof_config;

enum {
	/* in sections; the agent and --directory are two more */
	DDPROF_MAX_TARGETS = DDP_SENDER_MAX_TARGETS - 2,
	DDPROF_MAX_TARGET_NAME = 32,
	DDPROF_MAX_HEADER_NAME = 64,
	DDPROF_MAX_SPOOL = 3800,	/* characters of --spool: a target's name comes behind it */
};

/** What a section says; texts are the options'. */
struct ddprof_target {
	const char *name;
	const char *url;		/* one of these two */
	const char *directory;
	uint32_t format;		/* enum ddp_export_format */
	const char *api_key;		/* NULL: url is an agent's, or no Datadog's at all */
	const char *tenant, *user, *password, *bearer_token;
	const char *header;		/* "NAME: VALUE" */
	const char *ca_file, *client_cert, *client_key;
	uint32_t timeout_s;
	uint32_t directory_mb, directory_hours;
};

extern const struct ddp_option ddprof_target_options[];

/** As of struct ddp_option_section. @values: struct ddprof_config */
void *ddprof_target_open(void *values, const char *title, struct ddp_error *err);
void *ddprof_target_at(void *values, size_t n, const char **ret_title);

/** Whether each section says one place, and how to send there. @return 0; -EINVAL, see @err */
int ddprof_targets_check(const struct ddprof_config *c, struct ddp_error *err);

/** A target's header as the library takes it. Not to be copied. */
struct ddprof_target_header {
	char name[DDPROF_MAX_HEADER_NAME + 1];
	struct ddp_export_pair pair;
};

/** Targets and all that they point to. Not to be copied. */
struct ddprof_targets {
	struct ddp_sender_target at[DDP_SENDER_MAX_TARGETS];
	size_t nr;
	struct ddp_exporter_config exporters[DDP_SENDER_MAX_TARGETS];
	struct ddprof_target_header headers[DDP_SENDER_MAX_TARGETS];
	char container_id[DDP_MAX_CONTAINER_ID + 1];	/* ours; "": none */
	char entity_id[DDP_MAX_CONTAINER_ID + 4];	/* the same, "ci-..." */
	char spools[DDP_SENDER_MAX_TARGETS][DDPROF_MAX_SPOOL + DDPROF_MAX_TARGET_NAME + 2];
};

/**
 * Makes --spool's folder, in which each receiver gets one. Texts stay the config's.
 * @return 0; what making it answers, see @err
 */
int ddprof_targets_make(const struct ddprof_config *c, struct ddprof_targets *ret,
			struct ddp_error *err);

#endif /* DDPROF_TARGETS_H */
