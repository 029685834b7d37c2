// SPDX-License-Identifier: Apache-2.0
/* See config.h. */
#include "ddprof/config.h"

#include <ddprof/compress.h>
#include <errno.h>
#include <stddef.h>

#include "core/log.h"

static const char *const samplers[] = {
	[DDPROF_CHOICE_HRTIMER] = "hrtimer", [DDPROF_CHOICE_PERF] = "perf", NULL,
};

static const char *const log_levels[] = { "error", "warn", "notice", "info", "debug", NULL };

#define AT(member) .offset = offsetof(struct ddprof_config, member)

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
	{ "url", NULL, 'U', DDP_OPTION_TEXT, AT(url), "DD_TRACE_AGENT_URL", .argument = "URL",
	  .help = "upload to the agent there; without --output the default is\n"
		  "http://localhost:8126" },
	{ "output", NULL, 0, DDP_OPTION_TEXT, AT(output), .argument = "FILE",
	  .help = "write FILE; .pprof and .gz are gzip, .lz4, .zst, .pb plain.\n"
		  "Without -u one profile over the whole run; with -u\n"
		  "FILE.1.pprof, FILE.2.pprof, ..." },
	{ "frequency", NULL, 'F', DDP_OPTION_NUMBER, AT(frequency_hz), .min = 1, .max = 10000,
	  .argument = "HZ", .help = "samples a second and CPU, default 99" },
	{ "upload_period", NULL, 'u', DDP_OPTION_NUMBER, AT(period_s), "DD_PROFILING_UPLOAD_PERIOD",
	  .min = 1, .max = 86400, .argument = "SECONDS",
	  .given = offsetof(struct ddprof_config, period_given),
	  .help = "length of one profile, default 59" },
	{ "timestamps", "timeline", 0, DDP_OPTION_FLAG, AT(timestamps),
	  "DD_PROFILING_TIMELINE_ENABLE", .help = "keep the time of every sample" },
	{ "sampler", NULL, 0, DDP_OPTION_CHOICE, AT(sampler), .choices = samplers,
	  .argument = "NAME", .help = "hrtimer (default) or perf: which interrupt samples" },
	{ "depth", NULL, 0, DDP_OPTION_NUMBER, AT(depth), .min = 1, .max = DDPROF_MAX_DEPTH,
	  .argument = "FRAMES", .help = "deepest stack, default 256" },
	{ "budget", NULL, 0, DDP_OPTION_NUMBER, AT(budget_permille), .min = 1, .max = 1000,
	  .argument = "PERMILLE", .help = "most CPU time sampling may take, default 10 (1 %)" },
	{ "wait", NULL, 0, DDP_OPTION_FLAG, AT(wait),
	  .help = "stay the command's parent and return its exit status when\n"
		  "the profile is out; the command has a PID of its own then" },
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
	      "runs without.\n"
	      "SIGINT and SIGTERM end -p and -g; what was sampled until then goes out.\n"
	      "\n",
	      to);
	ddp_options_help(ddprof_options, to);
	fputs("\nOptions win over environment variables (in brackets). Exit status: the\n"
	      "command's; else 0, 1 when profiling failed or a profile did not get out,\n"
	      "2 for wrong usage.\n",
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

int ddprof_config_read(int argc, char *const *argv, struct ddprof_config *ret,
		       struct ddp_error *err)
{
	struct ddprof_config c = {
		.service = "myservice",
		.frequency_hz = 99,
		.period_s = 59,
		.depth = 256,
		.budget_permille = 10,
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
	if (!c.output && !c.url)
		c.url = "http://localhost:8126";
	if (c.output && !c.period_given && !c.url)
		c.period_s = 0; /* one file, one profile */
	*ret = c;
	return 0;
}
