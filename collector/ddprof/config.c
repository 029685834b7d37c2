// SPDX-License-Identifier: Apache-2.0
/* See config.h. */
#include "ddprof/config.h"

#include <ddprof/compress.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"

static const char *const samplers[] = {
	[DDPROF_CHOICE_HRTIMER] = "hrtimer", [DDPROF_CHOICE_PERF] = "perf", NULL,
};

static const char *const log_levels[] = { "error", "warn", "notice", "info", "debug", NULL };

#define AT(member) .offset = offsetof(struct ddprof_config, member)
#define GIVEN(member) offsetof(struct ddprof_config, member)

const struct ddp_option ddprof_options[] = {
	{ "pid", NULL, 'p', DDP_OPTION_PIDS, AT(pids), .argument = "PID",
	  .help = "profile this process, repeatable or PID,PID; ends with\nthe last of them" },
	{ "global", NULL, 'g', DDP_OPTION_FLAG, AT(global),
	  .help = "profile the whole machine until SIGINT or SIGTERM" },
	{ "descendants", NULL, 0, DDP_OPTION_FLAG, AT(descendants),
	  .help = "with -p: their children, now and later, as well" },
	{ "service", NULL, 'S', DDP_OPTION_TEXT, AT(service), "DD_SERVICE", .argument = "NAME",
	  .help = "tag service, default myservice" },
	{ "environment", NULL, 'E', DDP_OPTION_TEXT, AT(environment), "DD_ENV", .argument = "NAME",
	  .help = "tag env" },
	{ "service_version", NULL, 'V', DDP_OPTION_TEXT, AT(version), "DD_VERSION",
	  .argument = "TEXT", .help = "tag version" },
	{ "tags", NULL, 'T', DDP_OPTION_TEXT, AT(tags), "DD_TAGS", .argument = "K:V,...",
	  .help = "further tags" },
	{ "url", NULL, 'U', DDP_OPTION_URL, AT(url), "DD_TRACE_AGENT_URL", .argument = "URL",
	  .given = GIVEN(url_given),
	  .help = "upload to the agent there, default http://localhost:8126" },
	{ "host", NULL, 'H', DDP_OPTION_TEXT, AT(host), "DD_AGENT_HOST", .argument = "NAME",
	  .max = DDPROF_MAX_HOST, .given = GIVEN(address_given),
	  .help = "instead of -U: the agent's host, default localhost" },
	{ "port", NULL, 'P', DDP_OPTION_NUMBER, AT(port), "DD_TRACE_AGENT_PORT",
	  .min = 1, .max = 65535, .argument = "PORT", .given = GIVEN(address_given),
	  .help = "instead of -U: the agent's port, default 8126" },
	{ "output", NULL, 0, DDP_OPTION_TEXT, AT(output), .argument = "FILE",
	  .help = "write FILE; .pprof and .gz are gzip, .lz4, .zst, .pb plain.\n"
		  "Uploads as well only when -U, -H or -P is there, too.\n"
		  "One profile over the whole run; with -u FILE.1.pprof,\n"
		  "FILE.2.pprof, ...; with an upload and no -u, and where one\n"
		  "grows too large, FILE.pprof, FILE.2.pprof, ..." },
	{ "frequency", NULL, 'F', DDP_OPTION_NUMBER, AT(frequency_hz), .min = 1, .max = 10000,
	  .argument = "HZ", .help = "samples a second and CPU, default 99" },
	{ "upload_period", NULL, 'u', DDP_OPTION_NUMBER, AT(period_s), "DD_PROFILING_UPLOAD_PERIOD",
	  .min = 1, .max = 86400, .argument = "SECONDS",
	  .given = GIVEN(period_given),
	  .help = "length of one profile, default 59" },
	{ "timestamps", "timeline", 0, DDP_OPTION_FLAG, AT(timestamps),
	  "DD_PROFILING_TIMELINE_ENABLE", .help = "keep the time of every sample" },
	{ "sampler", NULL, 0, DDP_OPTION_CHOICE, AT(sampler), .choices = samplers,
	  .argument = "NAME", .help = "hrtimer (default) or perf: which interrupt samples" },
	{ "depth", NULL, 0, DDP_OPTION_NUMBER, AT(depth), .min = 1, .max = DDPROF_MAX_DEPTH,
	  .argument = "FRAMES", .help = "deepest stack, default 256" },
	{ "budget", NULL, 0, DDP_OPTION_NUMBER, AT(budget_permille), .min = 1, .max = 1000,
	  .argument = "PERMILLE", .help = "most CPU time sampling may take, default 10 (1 %)" },
	{ "unwind_tables", NULL, 0, DDP_OPTION_NUMBER, AT(unwind_tables_kib),
	  "DD_PROFILING_UNWIND_TABLES", .min = 0, .max = DDPROF_MAX_TABLES_KIB, .argument = "KIB",
	  .help = "kernel memory for unwind tables, default 65536; 0: stacks by\n"
		  "frame pointers only" },
	{ "unwind_cache", NULL, 0, DDP_OPTION_TEXT, AT(unwind_cache), "DD_PROFILING_UNWIND_CACHE",
	  .argument = "DIR",
	  .help = "keep unwind tables in DIR for the next start" },
	{ "wait", NULL, 0, DDP_OPTION_FLAG, AT(wait),
	  .help = "stay the command's parent and return its exit status when\n"
		  "the profile is out; the command has a PID of its own then" },
	{ "enable", NULL, 0, DDP_OPTION_FLAG, AT(enabled), "DD_PROFILING_ENABLED",
	  .help = "profile, which is the default; 0 in the environment: only\n"
		  "run the command" },
	{ "log_level", NULL, 'l', DDP_OPTION_CHOICE, AT(log_level), .choices = log_levels,
	  .argument = "LEVEL", .help = "error, warn, notice (default), info, debug" },
	{ "version", NULL, 'v', DDP_OPTION_FLAG, AT(show_version), .help = "show the version" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

void ddprof_config_help(FILE *to)
{
	fputs("Profiles programs through the kernel module ddprof_kmod.\n"
	      "\n"
	      "  ddprof [options] command [args]   profile a command and its children\n"
	      "  ddprof [options] -p PID           profile running processes\n"
	      "  ddprof [options] -g               profile the whole machine\n"
	      "\n"
	      "The command keeps this process's PID, terminal and exit status and never waits for\n"
	      "the profiler: profiling ends with the command, and the last profile is written\n"
	      "and uploaded just after it. --output appears under its name when it is complete;\n"
	      "--wait waits for it. A profiler that cannot start is one warning, and the command\n"
	      "runs without. Where stderr is a pipe, the profiler is silent after the command's\n"
	      "end, so that nobody waits for it. As PID 1 of a container, whose end is the end of\n"
	      "all, --wait is needed: without it the last profile is lost.\n"
	      "SIGINT, SIGTERM and SIGHUP end -p and -g; what was sampled until then goes out.\n"
	      "\n",
	      to);
	ddp_options_help(ddprof_options, to);
	fputs("\nOptions win over environment variables (in brackets); one of those that cannot\n"
	      "be understood is a warning. Exit status: the command's; else 0, 1 when profiling\n"
	      "failed or a profile did not get out, 2 for wrong usage.\n",
	      to);
}

static int refuse(struct ddp_error *err, const char *text)
{
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -EINVAL;
}

static int check(const struct ddprof_config *c, struct ddp_error *err)
{
	enum ddp_compression compression;
	int modes = !!c->pids.nr + c->global + !!c->command;

	if (!modes)
		return refuse(err, "nothing to profile: give a command, -p PID or -g, see --help");
	if (modes > 1)
		return refuse(err, "a command, -p and -g exclude each other");
	if (c->descendants && !c->pids.nr)
		return refuse(err,
			      "--descendants goes with -p only: a command's are always profiled");
	if (c->wait && !c->command)
		return refuse(err, "--wait goes with a command only");
	if (c->output && ddp_compression_from_path(c->output, &compression))
		return refuse(err,
			      "--output: the file's name has to end in .pprof, .gz, .lz4, .zst "
			      "or .pb");
	return 0;
}

/* An IPv6 address has colons of its own */
static void make_url(struct ddprof_config *c)
{
	const char *host = c->host ? c->host : "localhost";
	bool bare = strchr(host, ':') && host[0] != '[';

	snprintf(c->made_url, sizeof(c->made_url), "http://%s%s%s:%" PRIu32, bare ? "[" : "", host,
		 bare ? "]" : "", c->port);
	c->url = c->made_url;
}

/* The environment tells where uploads go; beside --output the command line tells whether */
static void choose_ways_out(struct ddprof_config *c)
{
	bool upload = !c->output || c->url_given || c->address_given;

	if (!upload)
		c->url = NULL;
	else if (!c->url || (c->address_given && !c->url_given))
		make_url(c);
	if (!upload && !c->period_given)
		c->period_s = 0; /* one file, one profile */
}

int ddprof_config_read(int argc, char *const *argv, struct ddprof_config *ret,
		       struct ddp_error *err)
{
	struct ddprof_config c = {
		.service = "myservice",
		.port = 8126,
		.enabled = true,
		.frequency_hz = 99,
		.period_s = 59,
		.depth = 256,
		.budget_permille = 10,
		.unwind_tables_kib = 65536,
		.sampler = DDPROF_CHOICE_HRTIMER,
		.log_level = DDP_LOG_NOTICE,
	};
	int rest, r = ddp_options_parse(ddprof_options, argc, argv, &c, &rest, err);

	if (r)
		return r;
	c.command = rest < argc ? argv + rest : NULL;
	if (!c.show_help && !c.show_version)
		r = check(&c, err);
	if (r)
		return r;
	*ret = c;
	choose_ways_out(ret);
	return 0;
}
