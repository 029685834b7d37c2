// SPDX-License-Identifier: Apache-2.0
/* See targets.h. */
#include "ddprof/targets.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ddprof/config.h"

#define MIB (1ULL << 20)

static const char agent_name[] = "agent", directory_name[] = "directory";

#define AT(member) .offset = offsetof(struct ddprof_target, member)

const struct ddp_option ddprof_target_options[] = {
	{ "url", NULL, 0, DDP_OPTION_URL, AT(url), .argument = "URL",
	  .help = "upload to the agent there" },
	{ "api_key", NULL, 0, DDP_OPTION_TEXT, AT(api_key), .argument = "KEY",
	  .flags = DDP_OPTION_SECRET, .help = "with it url is the intake's; or file:PATH" },
	{ "directory", NULL, 0, DDP_OPTION_TEXT, AT(directory), .argument = "DIR",
	  .help = "or: a file a profile into DIR, as --directory does" },
	{ "directory_mb", NULL, 0, DDP_OPTION_NUMBER, AT(directory_mb), .argument = "MIB",
	  .min = 1, .max = DDPROF_MAX_MB, .initial = "1024", .help = "as --directory_mb" },
	{ "directory_hours", NULL, 0, DDP_OPTION_NUMBER, AT(directory_hours), .argument = "HOURS",
	  .min = 0, .max = DDPROF_MAX_HOURS, .initial = "0", .help = "as --directory_hours" },
	{ 0 },
};

/* Sections */

static int check_name(const struct ddprof_config *c, const char *name, struct ddp_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";

	if (strlen(name) > DDPROF_MAX_TARGET_NAME || name[strspn(name, allowed)]) {
		snprintf(err->text, sizeof(err->text), "a target's name is of up to %d letters, "
			 "digits, - and _", DDPROF_MAX_TARGET_NAME);
		return -EINVAL;
	}
	if (!strcmp(name, agent_name) || !strcmp(name, directory_name)) {
		snprintf(err->text, sizeof(err->text), "that is what --%s is called",
			 strcmp(name, agent_name) ? "directory" : "url");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < c->nr_targets; i++)
		if (!strcmp(name, c->targets[i].name)) {
			snprintf(err->text, sizeof(err->text), "there is one of this name");
			return -EINVAL;
		}
	return 0;
}

void *ddprof_target_open(void *values, const char *title, struct ddp_error *err)
{
	struct ddprof_config *c = values;

	if (check_name(c, title, err))
		return NULL;
	if (c->nr_targets == DDPROF_MAX_TARGETS) {
		snprintf(err->text, sizeof(err->text), "more than %d targets", DDPROF_MAX_TARGETS);
		return NULL;
	}
	c->targets[c->nr_targets] = (struct ddprof_target){ .name = title };
	return &c->targets[c->nr_targets++];
}

void *ddprof_target_at(void *values, size_t n, const char **ret_title)
{
	struct ddprof_config *c = values;

	if (n >= c->nr_targets)
		return NULL;
	*ret_title = c->targets[n].name;
	return &c->targets[n];
}

int ddprof_targets_check(const struct ddprof_config *c, struct ddp_error *err)
{
	for (uint32_t i = 0; i < c->nr_targets; i++) {
		if (!c->targets[i].url != !c->targets[i].directory)
			continue;
		snprintf(err->text, sizeof(err->text), "[target %s]: give one of url and directory",
			 c->targets[i].name);
		return -EINVAL;
	}
	return 0;
}

/* For the sender */

static struct ddp_sender_target *add(const struct ddprof_config *c, struct ddprof_targets *t,
				     const char *name)
{
	struct ddp_sender_target *target = &t->at[t->nr++];

	*target = (struct ddp_sender_target){
		.name = name, .queue_bytes = c->queue_mb * MIB, .spool_bytes = c->spool_mb * MIB,
	};
	return target;
}

static void add_directory(const struct ddprof_config *c, struct ddprof_targets *t,
			  const struct ddprof_target *d)
{
	struct ddp_sender_target *target = add(c, t, d->name);

	target->directory = d->directory;
	target->directory_bytes = d->directory_mb * MIB;
	target->directory_age_s = d->directory_hours * 3600;
}

/* @api_key: NULL: it is an agent */
static void add_receiver(const struct ddprof_config *c, struct ddprof_targets *t, const char *name,
			 const char *url, const char *api_key)
{
	struct ddp_exporter_config *exporter = &t->exporters[t->nr];
	char *spool = t->spools[t->nr];
	struct ddp_sender_target *target = add(c, t, name);

	*exporter = (struct ddp_exporter_config){
		.url = url, .api_key = api_key, .origin = "ddprof", .origin_version = DDPROF_VERSION,
		.external_env = getenv("DD_EXTERNAL_ENV"),
	};
	target->exporter = exporter;
	if (!c->spool)
		return;
	snprintf(spool, sizeof(t->spools[0]), "%s/%s", c->spool, name);
	target->spool = spool;
}

static int make_spool_folder(const struct ddprof_config *c, struct ddp_error *err)
{
	int r;

	if (!c->spool || !mkdir(c->spool, 0700) || errno == EEXIST)
		return 0;
	r = -errno;
	snprintf(err->text, sizeof(err->text), "--spool %.150s: cannot make the folder: %s",
		 c->spool, strerror(-r));
	return r;
}

int ddprof_targets_make(const struct ddprof_config *c, struct ddprof_targets *ret,
			struct ddp_error *err)
{
	ret->nr = 0;
	if (c->url)
		add_receiver(c, ret, agent_name, c->url, c->agentless ? c->api_key : NULL);
	if (c->directory)
		add_directory(c, ret, &(struct ddprof_target){
			.name = directory_name, .directory = c->directory,
			.directory_mb = c->directory_mb, .directory_hours = c->directory_hours });
	for (uint32_t i = 0; i < c->nr_targets; i++) {
		const struct ddprof_target *t = &c->targets[i];

		if (t->url)
			add_receiver(c, ret, t->name, t->url, t->api_key);
		else
			add_directory(c, ret, t);
	}
	return make_spool_folder(c, err);
}
