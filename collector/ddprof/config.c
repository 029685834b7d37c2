// SPDX-License-Identifier: Apache-2.0
/* See config.h: the rules between options. config_table.c has the table, config_text.c says it. */
#include "ddprof/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options_changes.h"
#include "metrics/control.h"

#define FROM(c, member) ddp_options_from(&(c)->options, offsetof(struct ddprof_config, member))

static int refuse(struct ddp_error *err, const char *text)
{
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -EINVAL;
}

/* From the environment it is a warning, when it is not served */
static int check_listen(const struct ddprof_config *c, struct ddp_error *err)
{
	struct ddp_error why = { "" };

	if (!c->metrics_listen || FROM(c, metrics_listen) == DDP_FROM_ENVIRONMENT ||
	    !ddp_control_check_listen(c->metrics_listen, c->metrics_remote, &why))
		return 0;
	snprintf(err->text, sizeof(err->text), "--metrics_listen %.60s: %.150s",
		 c->metrics_listen, why.text);
	return -EINVAL;
}

/* Each text is right by itself; they may still say the same twice */
static int check_all_events(const struct ddprof_config *c, struct ddp_error *err)
{
	struct ddp_event_specs specs;
	struct ddp_error why = { "" };

	if (!ddprof_config_events(c, &specs, &why))
		return 0;
	snprintf(err->text, sizeof(err->text), "--event: %.230s", why.text);
	return -EINVAL;
}

static int check(const struct ddprof_config *c, struct ddp_error *err)
{
	int modes = !!c->pids.nr + c->global + !!c->command, r;

	if (!modes)
		return refuse(err, "nothing to profile: give a command, -p PID or -g, see --help");
	if (modes > 1)
		return refuse(err, "a command, -p and -g exclude each other");
	if (c->descendants && !c->pids.nr)
		return refuse(err,
			      "--descendants goes with -p only: a command's are always profiled");
	if (c->wait && !c->command && FROM(c, wait) == DDP_FROM_COMMAND_LINE)
		return refuse(err, "--wait goes with a command only");
	if (c->switch_user && !c->command && FROM(c, switch_user) == DDP_FROM_COMMAND_LINE)
		return refuse(err, "--switch_user goes with a command only");
	if (c->services && FROM(c, service) == DDP_FROM_COMMAND_LINE)
		return refuse(err, "--service and --services exclude each other");
	if (c->agentless && !c->api_key && FROM(c, agentless) != DDP_FROM_ENVIRONMENT)
		return refuse(err, "--agentless needs a key: --api_key file:PATH, or DD_API_KEY");
	r = check_listen(c, err);
	r = r ?: check_all_events(c, err);
	return r ? r : ddprof_targets_check(c, err);
}

/* An IPv6 address has colons of its own */
static void make_url(struct ddprof_config *c)
{
	bool bare = strchr(c->host, ':') && c->host[0] != '[';

	snprintf(c->made_url, sizeof(c->made_url), "http://%s%s%s:%" PRIu32, bare ? "[" : "",
		 c->host, bare ? "]" : "", c->port);
	c->url = c->made_url;
}

/* The environment's URL is the agent's: only who writes --agentless himself means the intake */
static void choose_intake(struct ddprof_config *c)
{
	if (!c->api_key) {
		ddp_log_warn("DD_PROFILING_AGENTLESS without DD_API_KEY: uploading to the agent");
		c->agentless = false;
		return;
	}
	if (c->url && FROM(c, url) != DDP_FROM_ENVIRONMENT)
		return;
	snprintf(c->made_url, sizeof(c->made_url), "https://intake.profile.%s", c->site);
	c->url = c->made_url;
}

static enum ddp_option_from stronger(enum ddp_option_from a, enum ddp_option_from b)
{
	return a > b ? a : b;
}

/* The strongest source that names another way out than the agent */
static enum ddp_option_from other_ways(const struct ddprof_config *c)
{
	enum ddp_option_from strongest = DDP_FROM_DEFAULT;

	if (c->nr_targets)
		strongest = DDP_FROM_FILE;
	if (c->output)
		strongest = stronger(strongest, FROM(c, output));
	if (c->directory)
		strongest = stronger(strongest, FROM(c, directory));
	return strongest;
}

/*
 * Host and port of a stronger source than the URL's win over it. A source that is weaker than the
 * one with --output, --directory or a [target] tells where uploads go and how long profiles are,
 * not whether there are any.
 */
static void choose_ways_out(struct ddprof_config *c)
{
	enum ddp_option_from url = FROM(c, url),
			     address = stronger(FROM(c, host), FROM(c, port));
	enum ddp_option_from other = other_ways(c);
	bool upload = stronger(url, address) >= other ||
		      (c->agentless && FROM(c, agentless) >= other);

	c->numbered = c->output && FROM(c, period_s) >= FROM(c, output);
	if (!upload)
		c->url = NULL;
	if (upload && c->agentless)
		choose_intake(c);
	if (upload && !c->agentless && (!c->url || address > url))
		make_url(c);
	if (!upload && !c->directory && !c->nr_targets && !c->numbered)
		c->period_s = 0; /* one file, one profile */
}

static void complete_cpu_time(const struct ddprof_config *c, struct ddp_link_event *e,
			      bool rate_given)
{
	if (c->sampler == DDPROF_CHOICE_PERF)
		e->sampler = DDPROF_SAMPLER_PERF;
	if (!rate_given)
		e->frequency_hz = c->frequency_hz;
}

int ddprof_config_events(const struct ddprof_config *c, struct ddp_event_specs *ret,
			 struct ddp_error *err)
{
	int r = 0;

	ret->nr = 0;
	for (uint32_t i = 0; !r && i < c->events.nr; i++)
		r = ddp_events_parse(c->events.text[i], ret, err);
	if (!r && (c->preset || !ret->nr))
		r = ddp_events_preset(c->preset ? c->preset : "default", ret, err);
	for (uint32_t i = 0; i < ret->nr; i++)
		if (ddp_event_is_cpu_time(&ret->spec[i]))
			complete_cpu_time(c, &ret->spec[i].link, ret->spec[i].rate_given);
	return r;
}

/* A file that the environment names may be wrong as a whole: not half of it is taken then */
static bool is_usable(const char *path, struct ddp_error *err)
{
	struct ddprof_config *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	if (!r) {
		ddp_options_begin(&c->options, ddprof_options, c);
		r = ddp_options_file(&c->options, path, ddprof_sections, err);
		ddp_options_free(&c->options);
	}
	free(c);
	return !r;
}

static int read_file(struct ddprof_config *c, struct ddp_error *err)
{
	if (!c->config)
		return 0;
	if (c->command && FROM(c, config) == DDP_FROM_ENVIRONMENT && !is_usable(c->config, err)) {
		ddp_log_warn("DD_PROFILING_NATIVE_CONFIG: %s; ignoring the file", err->text);
		return 0;
	}
	return ddp_options_file(&c->options, c->config, ddprof_sections, err);
}

/* A service manager's folder for it, the first of a list; NULL: there is none, or no memory */
static const char *managers_folder(struct ddprof_config *c, const char *variable, const char *name)
{
	const char *list = getenv(variable);
	char path[4096];
	int n;

	if (!list || list[0] != '/')
		return NULL;
	n = snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(list, ":"), list, name);
	return n < (int)sizeof(path) ? ddp_options_keep(&c->options, path, (size_t)n) : NULL;
}

/* A service that nobody told otherwise keeps things where its manager made room for them */
static void use_managers_folders(struct ddprof_config *c)
{
	if (!c->global || !c->config)
		return;
	if (!c->unwind_cache)
		c->unwind_cache = managers_folder(c, "CACHE_DIRECTORY", "unwind");
	if (!c->spool)
		c->spool = managers_folder(c, "STATE_DIRECTORY", "spool");
}

/* What the environment says may be right by parts and wrong together: it stops no command */
static void forgive_events(struct ddprof_config *c)
{
	struct ddp_event_specs specs;
	struct ddp_error why = { "" };

	if (!c->command || FROM(c, events) != DDP_FROM_ENVIRONMENT ||
	    FROM(c, preset) > DDP_FROM_ENVIRONMENT || !ddprof_config_events(c, &specs, &why))
		return;
	ddp_log_warn("DD_PROFILING_NATIVE_EVENTS: %s; sampling CPU time", why.text);
	c->events.nr = 0;
	c->preset = NULL;
}

int ddprof_config_read(int argc, char *const *argv, struct ddprof_config *ret,
		       struct ddp_error *err)
{
	struct ddprof_config *c = ret;
	int rest, r;

	*c = (struct ddprof_config){ .argc = argc, .argv = argv };
	ddp_options_begin(&c->options, ddprof_options, c);
	r = ddp_options_arguments(&c->options, argc, argv, &rest, err);
	if (!r)
		ddp_options_environment(&c->options);
	if (!r)
		c->command = rest < argc ? argv + rest : NULL;
	r = r ?: read_file(c, err);
	if (!r)
		forgive_events(c);
	if (!r && !ddprof_config_only_tells(c))
		r = check(c, err);
	if (r) {
		ddp_options_free(&c->options);
		return r;
	}
	use_managers_folders(ret);
	choose_ways_out(ret);
	return 0;
}

static void say_change(void *ctx, const char *name, unsigned int apply)
{
	(void)ctx;
	if (apply & DDPROF_APPLY_RESTART)
		ddp_log_warn("%s: a change takes effect when ddprof is started again", name);
	else
		ddp_log_info("%s has changed", name);
}

int ddprof_config_read_again(const struct ddprof_config *c, struct ddprof_config *ret,
			     unsigned int *ret_apply, struct ddp_error *err)
{
	int r = ddprof_config_read(c->argc, c->argv, ret, err);

	if (!r)
		*ret_apply = ddp_options_changes(&c->options, &ret->options, ddprof_sections,
						 say_change, NULL);
	/* the same path may be another control group by now */
	if (!r && (ret->cgroups.nr || ret->exclude_cgroups.nr))
		*ret_apply |= DDPROF_APPLY_SESSION;
	return r;
}

void ddprof_config_free(struct ddprof_config *c)
{
	ddp_options_free(&c->options);
}
