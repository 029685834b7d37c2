// SPDX-License-Identifier: Apache-2.0
/*
 * See config.h: the table of options, from which everything that reads, lists or explains them is
 * made, with the checks of single values.
 */
#include "ddprof/config.h"

#include <ddprof/compress.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/filter.h"
#include "ddprof/self.h"
#include "metrics/control.h"
#include "metrics/listen.h"
#include "metrics/statsd.h"
#include "service/rules.h"
#include "service/services.h"

static const char *const samplers[] = {
	[DDPROF_CHOICE_HRTIMER] = "hrtimer", [DDPROF_CHOICE_PERF] = "perf", NULL,
};

static const char *const log_levels[] = {
	"error", "warn|warning", "notice", "info|informational", "debug", NULL,
};

static const char *const prints[] = {
	[DDPROF_PRINT_NOTHING] = "nothing", [DDPROF_PRINT_MAN] = "man",
	[DDPROF_PRINT_BASH] = "bash", [DDPROF_PRINT_ZSH] = "zsh",
	[DDPROF_PRINT_CONFIG] = "config", NULL,
};

static int expected(struct ddp_error *err, const char *what)
{
	snprintf(err->text, sizeof(err->text), "expected %s", what);
	return -EINVAL;
}

static int check_not_none(const char *value, struct ddp_error *err)
{
	return strtol(value, NULL, 10) ? 0 : expected(err, "-1 (all) or a number from 1 on");
}

static int check_cpu_set(const char *value, struct ddp_error *err)
{
	cpu_set_t set;

	return ddprof_cpu_set(value, &set, err);
}

static int check_service_rule(const char *value, struct ddp_error *err)
{
	CLEANUP(ddp_service_rules_free) struct ddp_service_rules *rules = NULL;

	return ddp_service_rules_add(&rules, value, err);
}

static int check_output(const char *value, struct ddp_error *err)
{
	enum ddp_compression compression;

	if (!ddp_compression_from_path(value, &compression))
		return 0;
	return expected(err, "a name that ends in .pprof, .gz, .lz4, .zst or .pb");
}

static int check_address(const char *value, struct ddp_error *err)
{
	union ddp_address a;

	return ddp_address_parse(value, &a, err);
}

static int check_socket(const char *value, struct ddp_error *err)
{
	if (!strcmp(value, DDPROF_NO_SOCKET) || value[0] == '/')
		return 0;
	return expected(err, "a path from / on, or none");
}

static int check_site(const char *value, struct ddp_error *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	return value[strspn(value, letters)] ? expected(err, "a domain, as in datadoghq.eu") : 0;
}

static int check_uuid(const char *value, struct ddp_error *err)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool good = strlen(value) == sizeof(form) - 1;

	for (size_t i = 0; good && form[i]; i++)
		good = form[i] == '-' ? value[i] == '-' : isxdigit((unsigned char)value[i]);
	return good ? 0 : expected(err, "a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

/* The word that asks for the list of events */
static bool is_help(const char *value)
{
	return !strcmp(value, "help");
}

static int check_events(const char *value, struct ddp_error *err)
{
	struct ddp_event_specs specs = { .nr = 0 };

	return is_help(value) ? 0 : ddp_events_parse(value, &specs, err);
}

static int check_preset(const char *value, struct ddp_error *err)
{
	struct ddp_event_specs specs = { .nr = 0 };

	return ddp_events_preset(value, &specs, err);
}

#define AT(member)	.offset = offsetof(struct ddprof_config, member)
#define WHAT		.group = "What to profile", .apply = DDPROF_APPLY_RESTART
#define FILTERS		.group = "Filters: whom of these to leave out", \
			.apply = DDPROF_APPLY_SESSION
#define TAGS		.group = "Tags", .apply = DDPROF_APPLY_OUTPUT
#define SERVICES	.group = "Services", .apply = DDPROF_APPLY_SESSION
#define EXPORT		.group = "Where profiles go", .apply = DDPROF_APPLY_OUTPUT
#define PERIOD		.group = "Where profiles go", .apply = DDPROF_APPLY_NOW
#define SAMPLING	.group = "Sampling", .apply = DDPROF_APPLY_SESSION
#define PROFILER	.group = "The profiler itself", .apply = DDPROF_APPLY_RESTART
#define LOGGING		.group = "The profiler itself", .apply = DDPROF_APPLY_NOW
#define WATCHING	.group = "Looking on", .apply = DDPROF_APPLY_NOW
#define INFORMATION	.group = "Information"
#define ONCE		.flags = DDP_OPTION_ONCE

const struct ddp_option ddprof_options[] = {
	{ "pid", NULL, 'p', DDP_OPTION_PIDS, AT(pids), .argument = "PID", WHAT, ONCE,
	  .help = "profile this process, repeatable or PID,PID; ends with\nthe last of them" },
	{ "global", NULL, 'g', DDP_OPTION_FLAG, AT(global), WHAT, ONCE,
	  .help = "profile the whole machine until SIGINT or SIGTERM" },
	{ "descendants", NULL, 0, DDP_OPTION_FLAG, AT(descendants), WHAT, ONCE,
	  .help = "with -p: their children, now and later, as well" },
	{ "wait", NULL, 0, DDP_OPTION_FLAG, AT(wait), WHAT,
	  .help = "stay the command's parent and return its exit status when\n"
		  "the profile is out; the command has a PID of its own then" },
	{ "enable", NULL, 0, DDP_OPTION_FLAG, AT(enabled), "DD_PROFILING_ENABLED", .initial = "1",
	  .flags = DDP_OPTION_WORD, WHAT,
	  .help = "profile; --no-enable, or 0 in the environment: only run the\ncommand" },

	{ "exclude_pid", NULL, 0, DDP_OPTION_PIDS, AT(exclude_pids), .argument = "PID", FILTERS,
	  ONCE, .help = "not this process, repeatable or PID,PID" },
	{ "tid", NULL, 0, DDP_OPTION_PIDS, AT(tids), .argument = "TID", FILTERS, ONCE,
	  .help = "only this thread, repeatable or TID,TID" },
	{ "exclude_tid", NULL, 0, DDP_OPTION_PIDS, AT(exclude_tids), .argument = "TID", FILTERS,
	  ONCE, .help = "not this thread" },
	{ "process_name", NULL, 0, DDP_OPTION_TEXTS, AT(process_names), .argument = "NAME",
	  .check = ddprof_filter_check_name, FILTERS,
	  .help = "only processes of this name, repeatable; * stands for any\n"
		  "characters, ? for one. Names are as /proc/PID/comm has them,\n"
		  "15 characters at most" },
	{ "exclude_process_name", NULL, 0, DDP_OPTION_TEXTS, AT(exclude_process_names),
	  .argument = "NAME", .check = ddprof_filter_check_name, FILTERS,
	  .help = "no processes of this name" },
	{ "cgroup", NULL, 0, DDP_OPTION_TEXTS, AT(cgroups), .argument = "PATH",
	  .check = ddprof_filter_check_cgroup, FILTERS,
	  .help = "only what is in this cgroup (v2) or below it, repeatable; as\n"
		  "in /proc/PID/cgroup: /system.slice/cron.service" },
	{ "exclude_cgroup", NULL, 0, DDP_OPTION_TEXTS, AT(exclude_cgroups), .argument = "PATH",
	  .check = ddprof_filter_check_cgroup, FILTERS,
	  .help = "nothing that is in this cgroup or below it" },

	{ "service", NULL, 'S', DDP_OPTION_TEXT, AT(service), "DD_SERVICE", .argument = "NAME",
	  .initial = "myservice", TAGS, .help = "tag service" },
	{ "environment", NULL, 'E', DDP_OPTION_TEXT, AT(environment), "DD_ENV", .argument = "NAME",
	  TAGS, .help = "tag env" },
	{ "service_version", NULL, 'V', DDP_OPTION_TEXT, AT(version), "DD_VERSION",
	  .argument = "TEXT", TAGS, .help = "tag version" },
	{ "tags", NULL, 'T', DDP_OPTION_TEXT, AT(tags), "DD_TAGS", .argument = "K:V,...", TAGS,
	  .help = "further tags" },
	{ "runtime_id", NULL, 0, DDP_OPTION_TEXT, AT(runtime_id), "DD_PROFILING_RUNTIME_ID",
	  .argument = "UUID", .check = check_uuid, TAGS,
	  .help = "tag runtime-id, which is made up for each run without this" },

	{ "services", NULL, 0, DDP_OPTION_FLAG, AT(services), "DD_PROFILING_NATIVE_SERVICES",
	  SERVICES,
	  .help = "a profile for each service instead of one for all, with the\n"
		  "tags service, env, version and container_id of its processes:\n"
		  "by their DD_SERVICE or OTEL_SERVICE_NAME, systemd unit,\n"
		  "container or name" },
	{ "service_rule", NULL, 0, DDP_OPTION_TEXTS, AT(service_rules), .argument = "RULE",
	  .check = check_service_rule, SERVICES,
	  .help = "with --services: \"exclude process:cron\",\n"
		  "\"rename unit:web-*.service = web\" or \"include ...\", by\n"
		  "service:, process:, unit:, container: and pod:. Repeatable;\n"
		  "the first that fits counts" },
	{ "max_services", NULL, 0, DDP_OPTION_NUMBER, AT(max_services), .min = 1,
	  .max = DDPROF_MAX_SERVICES, .argument = "N", .initial = "64", SERVICES,
	  .help = "with --services: those with most samples; the rest are one,\n"
		  "\"" DDP_SERVICE_OTHER "\"" },
	{ "host_proc", NULL, 0, DDP_OPTION_TEXT, AT(host_proc), "HOST_PROC", .argument = "DIR",
	  SERVICES,
	  .help = "where the machine's procfs is, if /proc is a container's\n"
		  "own; /host/proc is tried without this" },

	{ "url", NULL, 'U', DDP_OPTION_URL, AT(url), "DD_TRACE_AGENT_URL", .argument = "URL",
	  EXPORT, .help = "upload to the agent there: http://, https://, unix:/// or\n"
			  "HOST:PORT; without it to --host and --port.\n"
			  "file:///DIR is as --directory /DIR" },
	{ "host", NULL, 'H', DDP_OPTION_TEXT, AT(host), "DD_AGENT_HOST", .argument = "NAME",
	  .max = DDPROF_MAX_HOST, .initial = "localhost", EXPORT,
	  .help = "instead of -U: the agent's host" },
	{ "port", NULL, 'P', DDP_OPTION_NUMBER, AT(port), "DD_TRACE_AGENT_PORT",
	  .min = 1, .max = 65535, .argument = "PORT", .initial = "8126", EXPORT,
	  .help = "instead of -U: the agent's port" },
	{ "agentless", NULL, 0, DDP_OPTION_FLAG, AT(agentless), "DD_PROFILING_AGENTLESS",
	  .flags = DDP_OPTION_WORD, EXPORT,
	  .help = "upload to Datadog's intake, past any agent: to --site, or to\n"
		  "--url where the command line or the file has it" },
	{ "site", NULL, 0, DDP_OPTION_TEXT, AT(site), "DD_SITE", .argument = "DOMAIN",
	  .max = DDPROF_MAX_HOST, .initial = "datadoghq.com", .check = check_site, EXPORT,
	  .help = "with --agentless: whose intake" },
	{ "api_key", NULL, 0, DDP_OPTION_TEXT, AT(api_key), "DD_API_KEY", .argument = "KEY",
	  .flags = DDP_OPTION_SECRET, EXPORT, .help = "with --agentless: the key, or file:PATH" },
	{ "output", NULL, 0, DDP_OPTION_TEXT, AT(output), .argument = "FILE", EXPORT,
	  .check = check_output,
	  .help = "write FILE; .pprof and .gz are gzip, .lz4, .zst, .pb plain.\n"
		  "Uploads as well only when -U, -H or -P stands beside it.\n"
		  "One profile over the whole run; with -u FILE.1.pprof,\n"
		  "FILE.2.pprof, ...; with an upload and no -u, and where one\n"
		  "grows too large, FILE.pprof, FILE.2.pprof, ..." },
	{ "debug_pprof_prefix", NULL, 0, DDP_OPTION_TEXT, AT(debug_pprof_prefix),
	  "DD_PROFILING_PPROF_PREFIX", .argument = "PREFIX", EXPORT,
	  .help = "write every profile to PREFIX with time and .pprof.zst behind\n"
		  "it as well, as in PREFIX20240131T235900Z.pprof.zst" },
	{ "directory", NULL, 0, DDP_OPTION_TEXT, AT(directory), "DD_PROFILING_DIRECTORY",
	  .argument = "DIR", EXPORT,
	  .help = "each profile as a file in DIR, START-SERVICE-ID.pprof.lz4,\n"
		  "START in UTC; uploads as with --output" },
	{ "directory_mb", NULL, 0, DDP_OPTION_NUMBER, AT(directory_mb), .min = 1,
	  .max = DDPROF_MAX_MB, .argument = "MIB", .initial = "1024", EXPORT,
	  .help = "the oldest files of --directory go before there are more" },
	{ "directory_hours", NULL, 0, DDP_OPTION_NUMBER, AT(directory_hours), .min = 0,
	  .max = DDPROF_MAX_HOURS, .argument = "HOURS", .initial = "0", EXPORT,
	  .help = "files older than this go, too; 0: none for its age" },
	{ "spool", NULL, 0, DDP_OPTION_TEXT, AT(spool), "DD_PROFILING_SPOOL",
	  .max = DDPROF_MAX_SPOOL, .argument = "DIR", EXPORT,
	  .help = "keep profiles in DIR until they are uploaded, through\n"
		  "outages, restarts and crashes; with -g and --config under\n"
		  "systemd: spool in the unit's StateDirectory" },
	{ "spool_mb", NULL, 0, DDP_OPTION_NUMBER, AT(spool_mb), .min = 16, .max = DDPROF_MAX_MB,
	  .argument = "MIB", .initial = "256", EXPORT,
	  .help = "of --spool for each receiver; then the oldest go" },
	{ "queue_mb", NULL, 0, DDP_OPTION_NUMBER, AT(queue_mb), .min = 16, .max = 4096,
	  .argument = "MIB", .initial = "32", EXPORT,
	  .help = "of memory for what a receiver has not taken; then the\n"
		  "oldest go" },
	{ "upload_period", NULL, 'u', DDP_OPTION_NUMBER, AT(period_s), "DD_PROFILING_UPLOAD_PERIOD",
	  .min = 1, .max = 86400, .argument = "SECONDS", .initial = "59", PERIOD,
	  .help = "length of one profile" },

	{ "event", "events", 'e', DDP_OPTION_TEXTS, AT(events), "DD_PROFILING_NATIVE_EVENTS",
	  .argument = "EVENTS", .check = check_events, SAMPLING,
	  .help = "what is sampled, as in 'sCPU;sPF period=100' or\n"
		  "sched:sched_switch, instead of CPU time; repeatable.\n"
		  "-e help lists events and their keys" },
	{ "preset", NULL, 0, DDP_OPTION_TEXT, AT(preset), "DD_PROFILING_NATIVE_PRESET",
	  .argument = "NAME", .check = check_preset, SAMPLING,
	  .help = "default or cpu_only: CPU time, beside what -e names" },
	{ "frequency", NULL, 'F', DDP_OPTION_NUMBER, AT(frequency_hz), .min = 1, .max = 10000,
	  .argument = "HZ", .initial = "99", SAMPLING, .help = "samples a second and CPU" },
	{ "timeline", "timestamps", 0, DDP_OPTION_FLAG, AT(timestamps),
	  "DD_PROFILING_TIMELINE_ENABLE", SAMPLING,
	  .help = "keep the time of every sample, for which each takes some\n"
		  "bytes; without it equal ones are counted" },
	{ "sampler", NULL, 0, DDP_OPTION_CHOICE, AT(sampler), .choices = samplers,
	  .argument = "NAME", .initial = "hrtimer", SAMPLING,
	  .help = "hrtimer or perf: which interrupt samples" },
	{ "depth", NULL, 0, DDP_OPTION_NUMBER, AT(depth), .min = 1, .max = DDPROF_MAX_DEPTH,
	  .argument = "FRAMES", .initial = "256", SAMPLING, .help = "deepest stack" },
	{ "budget", NULL, 0, DDP_OPTION_NUMBER, AT(budget_permille), .min = 1, .max = 1000,
	  .argument = "PERMILLE", .initial = "10", SAMPLING,
	  .help = "most CPU time sampling may take" },
	{ "unwind_tables", NULL, 0, DDP_OPTION_NUMBER, AT(unwind_tables_kib),
	  "DD_PROFILING_UNWIND_TABLES", .min = 0, .max = DDPROF_MAX_TABLES_KIB, .argument = "KIB",
	  .initial = "65536", SAMPLING,
	  .help = "kernel memory for unwind tables; 0: stacks by frame\npointers only" },
	{ "unwind_cache", NULL, 0, DDP_OPTION_TEXT, AT(unwind_cache), "DD_PROFILING_UNWIND_CACHE",
	  .argument = "DIR", SAMPLING,
	  .help = "keep unwind tables in DIR for the next start; with -g and\n"
		  "--config under systemd: unwind in the unit's CacheDirectory" },

	{ "maximum_pids", NULL, 0, DDP_OPTION_SIGNED, AT(maximum_pids),
	  "DD_PROFILING_MAXIMUM_PIDS", .min = -1, .max = INT32_MAX, .argument = "N",
	  .initial = "-1", .check = check_not_none, SAMPLING,
	  .help = "processes at a time whose user frames are kept; those of\n"
		  "others are [maximum pids]; -1: all" },
	{ "inlined_functions", NULL, 'I', DDP_OPTION_FLAG, AT(inlined_functions),
	  "DD_PROFILING_INLINED_FUNCTIONS", .flags = DDP_OPTION_WORD, SAMPLING,
	  .help = "show functions that the compiler put into others, with files\n"
		  "and lines, where there is debug information; takes memory and time" },
	{ "disable_symbolization", NULL, 0, DDP_OPTION_FLAG, AT(disable_symbolization),
	  "DD_PROFILING_DISABLE_SYMBOLIZATION", SAMPLING,
	  .help = "no names of functions: addresses, mappings and build-ids only" },

	{ "config", NULL, 0, DDP_OPTION_TEXT, AT(config), "DD_PROFILING_NATIVE_CONFIG",
	  .argument = "FILE", PROFILER, ONCE, .help = "read options from FILE, too" },
	{ "switch_user", NULL, 0, DDP_OPTION_TEXT, AT(switch_user), "DD_PROFILING_SWITCH_USER",
	  .argument = "USER", PROFILER,
	  .help = "run the command as this user; the profiler stays who it is" },
	{ "nice", NULL, 0, DDP_OPTION_SIGNED, AT(nice), "DD_PROFILING_NICE", .min = -20, .max = 19,
	  .argument = "NICENESS", .initial = "-1", PROFILER,
	  .help = "the profiler's, not the command's; -1: as it is" },
	{ "cpu_affinity", NULL, 0, DDP_OPTION_TEXT, AT(cpu_affinity), "DD_PROFILING_CPU_AFFINITY",
	  .argument = "CPUS", .check = check_cpu_set, PROFILER,
	  .help = "CPUs that the profiler, not the command, may run on: a mask\n"
		  "in hex (0xa4) or list:2,5,7-9" },
	{ "log_level", NULL, 'l', DDP_OPTION_CHOICE, AT(log_level), "DD_PROFILING_NATIVE_LOG_LEVEL",
	  .choices = log_levels, .argument = "LEVEL", .initial = "notice", LOGGING,
	  .help = "error, warn, notice, info, debug" },
	{ "log_mode", NULL, 'o', DDP_OPTION_TEXT, AT(log_mode), "DD_PROFILING_NATIVE_LOG_MODE",
	  .argument = "MODE", .initial = "stderr", PROFILER,
	  .help = "stdout, stderr, syslog, disabled, or a file, which is\nappended to" },

	{ "control_socket", NULL, 0, DDP_OPTION_TEXT, AT(control_socket),
	  "DD_PROFILING_CONTROL_SOCKET", .argument = "PATH", .check = check_socket, WATCHING,
	  .help = "where `ddprofctl top` and `status` ask; default\n"
		  "/run/ddprof/control.sock where that can be made; none: nowhere" },
	{ "metrics_listen", NULL, 0, DDP_OPTION_TEXT, AT(metrics_listen),
	  "DD_PROFILING_METRICS_LISTEN", .argument = "HOST:PORT", .check = check_address, WATCHING,
	  .help = "serve /metrics for Prometheus and /health there, too, by HTTP" },
	{ "metrics_remote", NULL, 0, DDP_OPTION_FLAG, AT(metrics_remote), WATCHING,
	  .help = "--metrics_listen may be an address that other machines reach" },
	{ "internal_stats", "statsd", 'b', DDP_OPTION_TEXT, AT(internal_stats),
	  "DD_PROFILING_INTERNAL_STATS", .argument = "ADDRESS", .check = ddp_statsd_check, WATCHING,
	  .help = "send metrics by statsd's protocol to unix:///PATH or\nudp://HOST:PORT" },

	{ "show_config", NULL, 0, DDP_OPTION_FLAG, AT(show_config), "DD_PROFILING_SHOW_CONFIG",
	  INFORMATION, ONCE,
	  .help = "show on stderr what is in effect and where it came from,\n"
		  "then go on if there is something to profile" },
	{ "write_config", "capture_config", 0, DDP_OPTION_TEXT, AT(write_config),
	  .argument = "FILE", INFORMATION, ONCE,
	  .help = "write what is in effect to FILE, for --config, then go on;\n"
		  "secrets are left out; a file of one's own is replaced" },
	{ "show_samples", NULL, 0, DDP_OPTION_FLAG, AT(show_samples), "DD_PROFILING_SHOW_SAMPLES",
	  INFORMATION,
	  .help = "log every profile's samples, a line each, at any log level" },
	{ "print", NULL, 0, DDP_OPTION_CHOICE, AT(print), .choices = prints, .argument = "WHAT",
	  INFORMATION, ONCE,
	  .help = "man (the manual page), bash, zsh (completion) or config\n"
		  "(a sample configuration file) on stdout" },
	{ "version", NULL, 'v', DDP_OPTION_FLAG, AT(show_version), INFORMATION, ONCE,
	  .help = "show the version" },
	{ "help", "help_extended", 'h', DDP_OPTION_FLAG, AT(show_help), INFORMATION, ONCE,
	  .help = "show this" },
	{ 0 },
};

const struct ddp_option_section ddprof_sections[] = {
	{ "target", "NAME", "a further place where profiles go; as many as there are",
	  ddprof_target_options, ddprof_target_open, ddprof_target_at, DDPROF_APPLY_OUTPUT },
	{ 0 },
};
