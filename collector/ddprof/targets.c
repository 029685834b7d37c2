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
#include "lib/cleanup.h"

#define MIB (1ULL << 20)

static const char agent_name[] = "agent", directory_name[] = "directory";

#define AT(member) .offset = offsetof(struct ddprof_target, member)

/* By enum ddp_export_format, as ddp_export_format_name() says them */
static const char *const formats[] = {
	[DDP_EXPORT_DATADOG] = "datadog", [DDP_EXPORT_DATADOG_LEGACY] = "datadog-legacy",
	[DDP_EXPORT_PYROSCOPE] = "pyroscope", [DDP_EXPORT_OTLP] = "otlp", NULL,
};

DEFINE_CLEANUP(struct ddp_exporter *, ddp_exporter_destroy)

const struct ddp_option ddprof_target_options[] = {
	{ "url", NULL, 0, DDP_OPTION_URL, AT(url), .argument = "URL",
	  .help = "upload to the receiver there; file:///DIR is as directory" },
	{ "format", NULL, 0, DDP_OPTION_CHOICE, AT(format), .choices = formats,
	  .argument = "FORMAT", .initial = "datadog",
	  .help = "what it takes: Datadog's form or the older one of Go's profiler, Grafana\n"
		  "Pyroscope's /ingest, OpenTelemetry's profiles over OTLP/HTTP" },
	{ "api_key", NULL, 0, DDP_OPTION_TEXT, AT(api_key), .argument = "KEY",
	  .flags = DDP_OPTION_SECRET,
	  .help = "Datadog's; with it url is the intake's; or file:PATH" },
	{ "tenant", NULL, 0, DDP_OPTION_TEXT, AT(tenant), .argument = "NAME",
	  .help = "header X-Scope-OrgID: whose profiles they are to Pyroscope" },
	{ "user", NULL, 0, DDP_OPTION_TEXT, AT(user), .argument = "NAME",
	  .help = "with password: basic authentication" },
	{ "password", NULL, 0, DDP_OPTION_TEXT, AT(password), .argument = "PASSWORD",
	  .flags = DDP_OPTION_SECRET, .help = "or file:PATH" },
	{ "bearer_token", NULL, 0, DDP_OPTION_TEXT, AT(bearer_token), .argument = "TOKEN",
	  .flags = DDP_OPTION_SECRET, .help = "in place of user and password; or file:PATH" },
	{ "header", NULL, 0, DDP_OPTION_TEXT, AT(header), .argument = "NAME: VALUE",
	  .flags = DDP_OPTION_SECRET, .help = "one more header, such as a key; or file:PATH" },
	{ "ca_file", NULL, 0, DDP_OPTION_TEXT, AT(ca_file), .argument = "FILE",
	  .help = "certificates (PEM) to trust in place of the system's" },
	{ "client_cert", NULL, 0, DDP_OPTION_TEXT, AT(client_cert), .argument = "FILE",
	  .help = "the certificate (PEM) to show to the receiver" },
	{ "client_key", NULL, 0, DDP_OPTION_TEXT, AT(client_key), .argument = "FILE",
	  .help = "its key (PEM), where that is not in the same file" },
	{ "timeout", NULL, 0, DDP_OPTION_NUMBER, AT(timeout_s), .argument = "S",
	  .min = 1, .max = 3600, .initial = "10", .help = "of one upload, in seconds" },
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

/* For the exporter */

static int take_header(const char *text, struct ddprof_target_header *h,
		       struct ddp_exporter_config *ret, struct ddp_error *err)
{
	size_t n = strcspn(text, ":");

	if (!text[n] || n > DDPROF_MAX_HEADER_NAME) {
		snprintf(err->text, sizeof(err->text), "header: expected NAME: VALUE");
		return -EINVAL;
	}
	memcpy(h->name, text, n);
	h->name[n] = '\0';
	text += n + 1;
	h->pair = (struct ddp_export_pair){ h->name, text + strspn(text, " \t") };
	ret->headers = &h->pair;
	ret->nr_headers = 1;
	return 0;
}

static int make_exporter(const struct ddprof_target *t, struct ddprof_target_header *header,
			 struct ddp_exporter_config *ret, struct ddp_error *err)
{
	*ret = (struct ddp_exporter_config){
		.format = t->format, .url = t->url, .api_key = t->api_key, .origin = "ddprof",
		.origin_version = DDPROF_VERSION, .external_env = getenv("DD_EXTERNAL_ENV"),
		.tenant = t->tenant, .user = t->user, .password = t->password,
		.bearer_token = t->bearer_token, .ca_file = t->ca_file,
		.client_cert = t->client_cert, .client_key = t->client_key,
		.timeout_ms = t->timeout_s * 1000,
	};
	return t->header ? take_header(t->header, header, ret, err) : 0;
}

/* The folder that a URL names; NULL: it is a receiver's */
static const char *folder_of(const char *url)
{
	static const char scheme[] = "file://";

	return strncmp(url, scheme, sizeof(scheme) - 1) ? NULL : url + sizeof(scheme) - 1;
}

static int check_target(const struct ddprof_target *t, struct ddp_error *err)
{
	CLEANUP(ddp_exporter_destroy) struct ddp_exporter *e = NULL;
	struct ddprof_target_header header;
	struct ddp_exporter_config config;
	int r;

	if (!t->url == !t->directory) {
		snprintf(err->text, sizeof(err->text), "give one of url and directory");
		return -EINVAL;
	}
	if (!t->url || folder_of(t->url))
		return 0;
	r = make_exporter(t, &header, &config, err);
	return r ? r : ddp_exporter_create(&config, &e, err);
}

int ddprof_targets_check(const struct ddprof_config *c, struct ddp_error *err)
{
	struct ddp_error why = { "" };
	int r;

	for (uint32_t i = 0; i < c->nr_targets; i++) {
		r = check_target(&c->targets[i], &why);
		if (!r)
			continue;
		snprintf(err->text, sizeof(err->text), "[target %s]: %.200s", c->targets[i].name,
			 why.text);
		return r;
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

static int add_receiver(const struct ddprof_config *c, struct ddprof_targets *t,
			const struct ddprof_target *receiver, struct ddp_error *err)
{
	size_t i = t->nr;
	struct ddp_sender_target *target = add(c, t, receiver->name);

	target->exporter = &t->exporters[i];
	if (c->spool) {
		snprintf(t->spools[i], sizeof(t->spools[i]), "%s/%s", c->spool, receiver->name);
		target->spool = t->spools[i];
	}
	if (make_exporter(receiver, &t->headers[i], &t->exporters[i], err))
		return -EINVAL;
	if (t->container_id[0] && receiver->format <= DDP_EXPORT_DATADOG_LEGACY) {
		t->exporters[i].container_id = t->container_id;
		t->exporters[i].entity_id = t->entity_id;
	}
	return 0;
}

/* By it an agent knows the container that the uploads come from */
static void find_container(struct ddprof_targets *t)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/cgroup", "re");
	struct ddp_cgroup group;
	char text[16384];

	if (!f)
		return;
	ddp_cgroup_parse(text, fread(text, 1, sizeof(text), f), &group);
	if (!group.container_id[0])
		return;
	memcpy(t->container_id, group.container_id, sizeof(t->container_id));
	snprintf(t->entity_id, sizeof(t->entity_id), "ci-%s", group.container_id);
}

static int add_url(const struct ddprof_config *c, struct ddprof_targets *t,
		   const struct ddprof_target *what, struct ddp_error *err)
{
	struct ddprof_target folder = *what;

	folder.directory = folder_of(what->url);
	if (!folder.directory)
		return add_receiver(c, t, what, err);
	add_directory(c, t, &folder);
	return 0;
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
	const struct ddprof_target agent = {
		.name = agent_name, .url = c->url, .api_key = c->agentless ? c->api_key : NULL,
		.directory_mb = c->directory_mb, .directory_hours = c->directory_hours,
	}, directory = {
		.name = directory_name, .directory = c->directory,
		.directory_mb = c->directory_mb, .directory_hours = c->directory_hours,
	};
	int r = 0;

	ret->nr = 0;
	ret->container_id[0] = ret->entity_id[0] = '\0';
	if (!c->services) /* those have their own */
		find_container(ret);
	if (c->url)
		r = add_url(c, ret, &agent, err);
	if (c->directory)
		add_directory(c, ret, &directory);
	for (uint32_t i = 0; !r && i < c->nr_targets; i++) {
		if (c->targets[i].url)
			r = add_url(c, ret, &c->targets[i], err);
		else
			add_directory(c, ret, &c->targets[i]);
	}
	return r ? r : make_spool_folder(c, err);
}
