// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl status`: what a running collector does, and how well. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "ddprofctl/ask.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/print.h"

struct options {
	const char *control_socket;
	bool json, show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	CTL_CONTROL_SOCKET(struct options),
	{ "json", NULL, 'j', DDP_OPTION_FLAG, AT(json), .help = "all that it says, as JSON" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

/* A metric of a collector or target by name; 0: it has no such one */
static double metric(json_t *j, const char *name)
{
	return json_number_value(json_object_get(json_object_get(j, "metrics"), name));
}

static const char *text_of(json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name)) ?: "";
}

static void print_head(json_t *j)
{
	char line[600];

	snprintf(line, sizeof(line), "ddprof %s, process %" JSON_INTEGER_FORMAT ": %s; service %s",
		 text_of(j, "version"), json_integer_value(json_object_get(j, "pid")),
		 text_of(j, "profiles"), text_of(j, "service"));
	print_text(line);
}

/* "2 d 3 h", "3 h 4 min", "5 min 6 s", "7 s" */
static const char *format_time(double seconds, char ret[32])
{
	uint64_t s = (uint64_t)seconds;

	if (s >= 86400)
		snprintf(ret, 32, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(ret, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(ret, 32, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(ret, 32, "%" PRIu64 " s", s);
	return ret;
}

static double seconds_since(double unix_s)
{
	double passed = (double)time(NULL) - unix_s;

	return passed > 0 ? passed : 0;
}

static double sum_of_dropped(json_t *target)
{
	json_t *value, *metrics = json_object_get(target, "metrics");
	static const char name[] = "ddprof_target_dropped_total{";
	const char *key;
	double sum = 0;

	json_object_foreach(metrics, key, value)
		if (!strncmp(key, name, sizeof(name) - 1))
			sum += json_number_value(value);
	return sum;
}

static void print_session(json_t *j)
{
	json_int_t period_s = json_integer_value(json_object_get(j, "period_s"));
	char up[32];

	printf("%-10s for %s on %.0f CPUs; %.0f s into an interval", "session",
	       format_time(metric(j, "ddprof_uptime_seconds"), up), metric(j, "ddprof_cpus"),
	       metric(j, "ddprof_interval_seconds"));
	if (period_s)
		printf(" of %" JSON_INTEGER_FORMAT " s\n", period_s);
	else
		puts(" that ends with the session");
}

static void print_costs(json_t *j)
{
	double up_s = metric(j, "ddprof_process_uptime_seconds"); /* its CPU time is as old */
	char rss[32];

	printf("%-10s %.3f %% of the CPUs in the sampling interrupt; the collector %.2f %% of one "
	       "CPU, %s\n", "overhead", 100 * metric(j, "ddprof_overhead_ratio"),
	       up_s > 0 ? 100 * metric(j, "ddprof_cpu_seconds_total") / up_s : 0,
	       format_value((int64_t)metric(j, "ddprof_resident_memory_bytes"), "bytes", rss));
}

static void print_unwinding(json_t *j)
{
	char used[32], limit[32];

	printf("%-10s %.2f %% of user stacks whole; %.0f tables in %s of %s\n", "unwinding",
	       100 * metric(j, "ddprof_complete_walks_ratio"), metric(j, "ddprof_unwind_tables"),
	       format_value((int64_t)metric(j, "ddprof_unwind_table_bytes"), "bytes", used),
	       format_value((int64_t)metric(j, "ddprof_unwind_table_limit_bytes"), "bytes", limit));
}

static void print_target(json_t *target)
{
	const char *name = text_of(target, "name"), *error = text_of(target, "last_error");
	char line[1024], last[48] = "never", queued[32], age[32];
	double last_s = metric(target, "ddprof_target_last_sent_seconds");
	bool up = metric(target, "ddprof_target_up") > 0;

	if (last_s > 0)
		snprintf(last, sizeof(last), "%s ago", format_time(seconds_since(last_s), age));
	snprintf(line, sizeof(line), "%-10s %s: %s; %.0f sent, the last %s; %.0f dropped; %.0f "
		 "waiting (%s), %.0f on disk", "target", name, up ? "takes profiles" : "DOWN",
		 metric(target, "ddprof_target_sent_total"), last, sum_of_dropped(target),
		 metric(target, "ddprof_target_queued"),
		 format_value((int64_t)metric(target, "ddprof_target_queued_bytes"), "bytes",
			      queued),
		 metric(target, "ddprof_target_spooled"));
	print_text(line);
	if (error[0]) {
		last_s = json_number_value(json_object_get(target, "last_error_unix_s"));
		snprintf(line, sizeof(line), "%-10s last error, %s ago: %s", "",
			 format_time(seconds_since(last_s), age), error);
		print_text(line);
	}
}

/* The first ones: there may be many */
static void print_services(json_t *services)
{
	size_t nr = json_array_size(services), n;
	char line[1024];

	if (!nr)
		return;
	n = (size_t)snprintf(line, sizeof(line), "%-10s %zu:", "services", nr);
	for (size_t i = 0; i < nr && n < 800; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s %.100s", i ? "," : "",
				      text_of(json_array_get(services, i), "name"));
	if (n >= 800)
		snprintf(line + n, sizeof(line) - n, ", ...");
	print_text(line);
}

/* "sCPU, hCPU (left out: No such file or directory)" */
static void print_events(json_t *events)
{
	size_t n, nr = json_array_size(events);
	char line[1024];

	if (!nr)
		return;
	n = (size_t)snprintf(line, sizeof(line), "%-10s", "events");
	for (size_t i = 0; i < nr && n < 800; i++) {
		json_t *e = json_array_get(events, i);
		const char *missing = text_of(e, "missing");
		bool sampled = json_is_true(json_object_get(e, "sampled"));

		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s %.130s", i ? "," : "",
				      text_of(e, "name"));
		if (missing[0])
			n += (size_t)snprintf(line + n, sizeof(line) - n, " (%s: %.60s)",
					      sampled ? "the CPU clock instead" : "left out",
					      missing);
	}
	print_text(line);
}

static void print_status(json_t *j)
{
	json_t *targets = json_object_get(j, "targets"), *trouble = json_object_get(j, "trouble");
	char line[200];

	print_head(j);
	snprintf(line, sizeof(line), "%-10s %s", "health",
		 json_is_string(trouble) ? json_string_value(trouble) : "ok");
	print_text(line);
	print_session(j);
	print_events(json_object_get(j, "events"));
	printf("%-10s %.0f, %.0f lost, %.0f skipped for the CPU budget\n", "samples",
	       metric(j, "ddprof_samples_total"), metric(j, "ddprof_samples_lost_total"),
	       metric(j, "ddprof_skipped_samples_total"));
	print_costs(j);
	print_unwinding(j);
	printf("%-10s %.0f made, %.0f failed\n", "profiles", metric(j, "ddprof_profiles_total"),
	       metric(j, "ddprof_profile_failures_total"));
	print_services(json_object_get(j, "services"));
	for (size_t i = 0; i < json_array_size(targets); i++)
		print_target(json_array_get(targets, i));
}

static int show(const struct options *o)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer answer = { 0 };
	CLEANUP(drop_json) json_t *j = NULL;
	struct ddp_error err = { "" };
	json_error_t why = { .text = "" };
	int r = ctl_ask(o->control_socket, "/status", &answer, &err);

	if (r) {
		ddp_log_error("%s", err.text[0] ? err.text : strerror(-r));
		return CTL_FAILED;
	}
	j = json_loadb((const char *)answer.bytes, answer.len, 0, &why);
	if (!json_is_object(j)) {
		ddp_log_error("the collector's answer is no status: %s", why.text);
		return CTL_FAILED;
	}
	if (o->json)
		json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	else
		print_status(j);
	if (o->json)
		putchar('\n');
	return json_is_string(json_object_get(j, "trouble")) ? CTL_FAILED : CTL_OK;
}

const struct ddp_manual_command ctl_status_manual = {
	.name = "status",
	.summary = "what the running collector does, and how well",
	.synopsis = "[options]",
	.text =
		"What the running collector does: session, samples, overhead, unwinding,\n"
		"profiles, services of the last interval, targets and what they last had to\n"
		"complain of. Exit status 0 when it is well; 1 when it is not, or there is\n"
		"none.\n",
	.table = option_table,
};

int ctl_status(int argc, char **argv)
{
	struct options o = { NULL };
	int status;

	if (!ctl_begin(&ctl_status_manual, argc, argv, &o, &o.show_help, &status))
		return status;
	return show(&o);
}
