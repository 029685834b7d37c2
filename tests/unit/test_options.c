// SPDX-License-Identifier: Apache-2.0
/*
 * The options of `ddprof`: what each accepts, who wins, what an error says; and the names of output
 * files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/output.h"
#include "ddprof/config.h"
#include "ddprof/self.h"

enum { MAX_ARGS = 8 };

static int count(const char *const *args)
{
	int n = 0;

	while (n < MAX_ARGS && args[n])
		n++;
	return n;
}

static int read_args(const char *const *args, struct ddprof_config *c, struct ddp_error *err)
{
	char *argv[MAX_ARGS + 2] = { (char *)(uintptr_t) "ddprof" };
	int n = count(args);

	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	return ddprof_config_read(n + 1, argv, c, err);
}

static void refused(void **state)
{
	static const struct {
		const char *args[MAX_ARGS];
		const char *error;	/* part of it */
	} rows[] = {
		{ { NULL }, "nothing to profile" },
		{ { "-F", "0", "-g" }, "-F 0: expected a number from 1 to 10000" },
		{ { "--frequency=10001", "-g" }, "--frequency 10001: expected a number" },
		{ { "-F", "99x", "-g" }, "-F 99x: expected a number" },
		{ { "-F", "-1", "-g" }, "-F -1: expected a number" },
		{ { "-F", "99999999999999999999", "-g" }, "expected a number" },
		{ { "-F" }, "-F: expected HZ behind it" },
		{ { "--service" }, "--service: expected NAME behind it" },
		{ { "--service=", "-g" }, "--service: expected NAME, not nothing" },
		{ { "--nonsense", "-g" }, "--nonsense: no such option" },
		{ { "-y" }, "-y: no such option" },
		{ { "--global=maybe" }, "--global maybe: expected 1 or 0" },
		{ { "-gx" }, "-g: takes no value, but got x" },
		{ { "--no-global=1" }, "--no-global: takes no value, but got 1" },
		{ { "--no-service", "-g" }, "--no-service: no such option" },
		{ { "--frequncy", "9", "-g" },
		  "--frequncy: no such option, did you mean --frequency?" },
		{ { "--service-versoin=1" },
		  "--service-versoin: no such option, did you mean --service_version?" },
		{ { "--nice", "20", "-g" }, "--nice 20: expected a number from -20 to 19" },
		{ { "--nice", "-", "-g" }, "--nice -: expected a number from -20 to 19" },
		{ { "--cpu_affinity", "0xg", "-g" }, "--cpu_affinity 0xg: expected CPUs below" },
		{ { "--cpu_affinity", "0x0", "-g" }, "--cpu_affinity 0x0: expected CPUs below" },
		{ { "--cpu_affinity", "3-1", "-g" }, "--cpu_affinity 3-1: expected CPUs below" },
		{ { "--cpu_affinity", "list:1024", "-g" }, "--cpu_affinity list:1024: expected" },
		{ { "--cpu_affinity", "list:3-1", "-g" }, "--cpu_affinity list:3-1: expected" },
		{ { "--cpu_affinity", "list:", "-g" }, "--cpu_affinity list:: expected" },
		{ { "--agentless", "-g" }, "--agentless needs a key: --api_key file:PATH, or" },
		{ { "--agentless=maybe", "-g" }, "--agentless maybe: expected 1 or 0" },
		{ { "--api_key", "file:/nonexistent", "-g" },
		  "--api_key file:/nonexistent: No such file or directory" },
		{ { "--site", "https://x", "-g" }, "--site https://x: expected a domain" },
		{ { "--runtime_id", "1234", "-g" }, "--runtime_id 1234: expected a UUID" },
		{ { "--switch_user", "nobody", "-g" }, "--switch_user goes with a command only" },
		{ { "--maximum_pids=0", "-g" }, "--maximum_pids 0: expected -1 (all) or a number" },
		{ { "--maximum_pids=-2", "-g" }, "--maximum_pids -2: expected a number from -1" },
		{ { "--print", "html" }, "--print html: expected one of nothing, man, bash, " },
		{ { "-p", "0" }, "-p 0: expected process ids" },
		{ { "-p", "12,", "-g" }, "-p 12,: expected process ids" },
		{ { "-p", "abc" }, "-p abc: expected process ids" },
		{ { "-p", "1", "-g" }, "exclude each other" },
		{ { "-g", "true" }, "exclude each other" },
		{ { "--descendants", "-g" }, "--descendants goes with -p" },
		{ { "--output", "x.txt", "-g" }, "--output x.txt: expected a name that ends in" },
		{ { "--wait", "-g" }, "--wait goes with a command" },
		{ { "-P", "65536", "-g" }, "-P 65536: expected a number from 1 to 65535" },
		{ { "-U", "foo", "-g" }, "-U foo: expected a URL that begins with http://, "
		  "https://, unix:/// or file:///, as in http://localhost:8126, or HOST:PORT" },
		{ { "--url=agent:0", "-g" }, "--url agent:0: expected a URL" },
		{ { "--url=agent:65536", "-g" }, "--url agent:65536: expected a URL" },
		{ { "--url=a b:1", "-g" }, "--url a b:1: expected a URL" },
		{ { "--url=[::1]x", "-g" }, "--url [::1]x: expected a URL" },
		{ { "--url=/", "-g" }, "--url /: expected a URL" },
		{ { "-U", "http://", "-g" }, "-U http://: expected a URL" },
		{ { "-U", "ftp://a", "-g" }, "-U ftp://a: expected a URL" },
		{ { "-U", "unix://run/apm", "-g" }, "-U unix://run/apm: expected a URL" },
		{ { "-U", "file://", "-g" }, "-U file://: expected a URL" },
		{ { "-U", "file://dir", "-g" }, "-U file://dir: expected a URL" },
		{ { "-U", "ftp://me:secret@host", "-g" },
		  "-U: no user name or password in the URL" },
		{ { "-U", "me:secret@host:8126", "-g" },
		  "-U: no user name or password in the URL" },
		{ { "-U", "http://me:sec/ret@host", "-g" },
		  "-U: no user name or password in the URL" },
		{ { "-U", "", "-g" }, "-U: expected URL, not nothing" },
		{ { "-e", "sPFF", "-g" }, "-e sPFF: event text at character 1: sPFF: no such "
		  "event, do you mean sPF" },
		{ { "-e", "", "-g" }, "-e: expected EVENTS, not nothing" },
		{ { "-e", "sPF", "-e", "sCS;sPF", "-g" }, "--event: event text at character 5: "
		  "sPF is there already" },
		{ { "--preset", "x", "-g" }, "--preset x: preset x: there is none of that name" },
		{ { "--sampler", "x", "-g" }, "--sampler x: expected one of hrtimer, perf" },
		{ { "-l", "loud", "-g" },
		  "-l loud: expected one of error, warn, notice, info, debug" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		struct ddprof_config c;

		if (read_args(rows[i].args, &c, &err) != -EINVAL ||
		    !strstr(err.text, rows[i].error))
			fail_msg("%s: '%s' instead of '%s'", rows[i].args[0] ? rows[i].args[0] : "",
				 err.text, rows[i].error);
	}
}

static void a_file_that_is_not_there(void **state)
{
	struct ddp_error err = { "" };
	struct ddprof_config c;

	(void)state;
	assert_int_equal(read_args((const char *[MAX_ARGS]){ "--config=/nonexistent", "-g" }, &c,
				   &err), -ENOENT);
	assert_string_equal(err.text, "cannot read /nonexistent: No such file or directory");
}

static void accept(const char *const *args, struct ddprof_config *c)
{
	struct ddp_error err = { "" };

	if (read_args(args, c, &err))
		fail_msg("%s", err.text);
}

static void defaults(void **state)
{
	struct ddprof_config c;

	(void)state;
	accept((const char *[MAX_ARGS]){ "-g" }, &c);
	assert_true(c.global);
	assert_int_equal(c.frequency_hz, 99);
	assert_int_equal(c.period_s, 59);
	assert_string_equal(c.service, "myservice");
	assert_string_equal(c.url, "http://localhost:8126");
	assert_null(c.output);
	assert_null(c.command);
}

static void the_command_begins_at_the_first_word(void **state)
{
	struct ddprof_config c;

	(void)state;
	accept((const char *[MAX_ARGS]){ "-F", "50", "ls", "-F", "1" }, &c);
	assert_int_equal(c.frequency_hz, 50);
	assert_string_equal(c.command[0], "ls");
	assert_string_equal(c.command[1], "-F");
	accept((const char *[MAX_ARGS]){ "--", "-g" }, &c);
	assert_false(c.global);
	assert_string_equal(c.command[0], "-g");
}

static void spellings(void **state)
{
	struct ddprof_config c;

	(void)state;
	accept((const char *[MAX_ARGS]){ "-F50", "--upload-period=3", "--timeline", "-p1,22", "-p",
					 "333" },
	       &c);
	assert_int_equal(c.frequency_hz, 50);
	assert_int_equal(c.period_s, 3);
	assert_true(c.timestamps);
	assert_int_equal(c.pids.nr, 3);
	assert_int_equal(c.pids.pid[1], 22);
	assert_int_equal(c.pids.pid[2], 333);
	accept((const char *[MAX_ARGS]){ "--sampler", "perf", "-l", "debug", "-g" }, &c);
	assert_int_equal(c.sampler, DDPROF_CHOICE_PERF);
	assert_int_equal(c.log_level, DDP_LOG_DEBUG);
}

static void too_many_processes(void **state)
{
	char list[4 * (DDP_MAX_PIDS + 1) + 1] = "";
	struct ddp_error err = { "" };
	struct ddprof_config c;

	(void)state;
	for (int i = 0; i <= DDP_MAX_PIDS; i++)
		sprintf(list + strlen(list), "%s9", i ? "," : "");
	assert_int_equal(read_args((const char *[MAX_ARGS]){ "-p", list }, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 256"));
}

static void output_decides_periods_and_uploads(void **state)
{
	struct ddprof_config c;

	(void)state;
	accept((const char *[MAX_ARGS]){ "--output", "x.pprof", "-g" }, &c);
	assert_null(c.url);
	assert_int_equal(c.period_s, 0);
	accept((const char *[MAX_ARGS]){ "--output", "x.pprof", "-u", "5", "-g" }, &c);
	assert_int_equal(c.period_s, 5);
	assert_true(c.numbered);
	accept((const char *[MAX_ARGS]){ "--output", "x.pprof", "-U", "http://a", "-g" }, &c);
	assert_string_equal(c.url, "http://a");
	assert_int_equal(c.period_s, 59);
	/* the environment tells where and how long, not whether */
	setenv("DD_TRACE_AGENT_URL", "http://b", 1);
	setenv("DD_AGENT_HOST", "c", 1);
	setenv("DD_PROFILING_UPLOAD_PERIOD", "7", 1);
	accept((const char *[MAX_ARGS]){ "--output", "x.pprof", "-g" }, &c);
	assert_null(c.url);
	assert_int_equal(c.period_s, 0);
	assert_false(c.numbered);
	accept((const char *[MAX_ARGS]){ "--output", "x.pprof", "-P", "1", "-g" }, &c);
	assert_string_equal(c.url, "http://c:1");
	assert_int_equal(c.period_s, 7);
	assert_false(c.numbered);
	unsetenv("DD_TRACE_AGENT_URL");
	unsetenv("DD_AGENT_HOST");
	unsetenv("DD_PROFILING_UPLOAD_PERIOD");
}

/* Command line before environment, a URL before host and port */
static void where_the_agent_is(void **state)
{
	static const struct {
		const char *args[MAX_ARGS], *env_url, *env_host, *env_port, *url;
	} rows[] = {
		{ { "-g" }, "", "", "", "http://localhost:8126" },
		{ { "-g" }, "", "node", "", "http://node:8126" },
		{ { "-g" }, "", "", "99", "http://localhost:99" },
		{ { "-g" }, "", "node", "99", "http://node:99" },
		{ { "-g" }, "http://u", "node", "99", "http://u" },
		{ { "-g", "-H", "h" }, "http://u", "node", "99", "http://h:99" },
		{ { "-g", "-U", "http://v", "-H", "h" }, "http://u", "", "", "http://v" },
		{ { "-g", "-H::1" }, "", "", "", "http://[::1]:8126" },
		{ { "-g", "-H[::1]", "-P1" }, "", "", "", "http://[::1]:1" },
		{ { "-g" }, "", "node", "0", "http://node:8126" },
		{ { "-g" }, "agent", "node", "", "http://node:8126" },
		{ { "-g" }, "agent:81", "node", "", "http://agent:81" },
		{ { "-g", "-U", "[::1]:81" }, "http://u", "", "", "http://[::1]:81" },
		{ { "-g", "-U", "/run/apm.sock" }, "http://u", "", "", "unix:///run/apm.sock" },
		{ { "-g", "-U", "unix:///run/apm" }, "http://u", "", "", "unix:///run/apm" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddprof_config c;

		setenv("DD_TRACE_AGENT_URL", rows[i].env_url, 1);
		setenv("DD_AGENT_HOST", rows[i].env_host, 1);
		setenv("DD_TRACE_AGENT_PORT", rows[i].env_port, 1);
		accept(rows[i].args, &c);
		assert_string_equal(c.url, rows[i].url);
		ddprof_config_free(&c);
	}
	unsetenv("DD_TRACE_AGENT_URL");
	unsetenv("DD_AGENT_HOST");
	unsetenv("DD_TRACE_AGENT_PORT");
}

/* Events by name, their rates, and what samples CPU time */
static void what_is_sampled(void **state)
{
	enum { TIMER = DDPROF_SAMPLER_HRTIMER, PERF = DDPROF_SAMPLER_PERF };
	static const struct {
		const char *what, *args[MAX_ARGS], *env_events, *env_preset;
		const char *events[4];
		uint32_t sampler, frequency_hz;		/* of the first */
	} rows[] = {
		{ "nothing said", { "-g" }, "", "", { "sCPU" }, TIMER, 99 },
		{ "a frequency", { "-g", "-F", "50" }, "", "", { "sCPU" }, TIMER, 50 },
		{ "another sampler", { "-g", "--sampler", "perf" }, "", "", { "sCPU" }, PERF, 99 },
		{ "CPU time without a rate takes the frequency", { "-g", "-e", "sCPU", "-F5" }, "",
		  "", { "sCPU" }, TIMER, 5 },
		{ "with a rate it does not", { "-g", "-esCPU freq=7", "-F5" }, "", "", { "sCPU" },
		  TIMER, 7 },
		{ "events instead of CPU time", { "-g", "-e", "sMig;sPF" }, "", "",
		  { "sMig", "sPF" }, PERF, 99 },
		{ "given twice they add up", { "-g", "-e", "sMig", "-e", "sPF" }, "", "",
		  { "sMig", "sPF" }, PERF, 99 },
		{ "a preset beside them", { "-g", "-e", "sMig", "--preset", "default" }, "", "",
		  { "sMig", "sCPU" }, PERF, 99 },
		{ "a preset that is there already", { "-g", "-esCPU", "--preset=cpu_only" }, "",
		  "", { "sCPU" }, TIMER, 99 },
		{ "from the environment", { "-g" }, "sMig;sCPU", "", { "sMig", "sCPU" }, PERF,
		  99 },
		{ "a preset from there, too", { "-g" }, "sMig", "cpu_only", { "sMig", "sCPU" },
		  PERF, 99 },
		{ "the command line wins", { "-g", "-e", "sCPU" }, "sMig", "", { "sCPU" }, TIMER,
		  99 },
		{ "what is wrong in the environment is left out", { "-g" }, "sNone", "alloc_only",
		  { "sCPU" }, TIMER, 99 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_event_specs specs;
		struct ddprof_config c;
		struct ddp_error err;
		uint32_t n = 0;

		setenv("DD_PROFILING_NATIVE_EVENTS", rows[i].env_events, 1);
		setenv("DD_PROFILING_NATIVE_PRESET", rows[i].env_preset, 1);
		accept(rows[i].args, &c);
		assert_int_equal(ddprof_config_events(&c, &specs, &err), 0);
		for (; rows[i].events[n]; n++)
			if (n >= specs.nr || strcmp(specs.spec[n].name, rows[i].events[n]))
				fail_msg("%s: event %u", rows[i].what, n);
		if (specs.nr != n || specs.spec[0].link.sampler != rows[i].sampler ||
		    specs.spec[0].link.frequency_hz != rows[i].frequency_hz)
			fail_msg("%s: %u events, %u Hz", rows[i].what, specs.nr,
				 specs.spec[0].link.frequency_hz);
	}
	unsetenv("DD_PROFILING_NATIVE_EVENTS");
	unsetenv("DD_PROFILING_NATIVE_PRESET");
}

/* Without an agent: the key is used, and never for an agent */
static void where_the_intake_is(void **state)
{
	static const struct {
		const char *what, *args[MAX_ARGS], *env_agentless, *env_key, *env_url, *url;
		bool agentless;
	} rows[] = {
		{ "a key alone is no reason", { "-g" }, "", "k", "", "http://localhost:8126",
		  false },
		{ "the default site", { "-g", "--agentless" }, "", "k", "",
		  "https://intake.profile.datadoghq.com", true },
		{ "a site", { "-g", "--agentless", "--site=datadoghq.eu" }, "", "k", "",
		  "https://intake.profile.datadoghq.eu", true },
		{ "the environment's URL is the agent's", { "-g", "--agentless" }, "", "k",
		  "http://u", "https://intake.profile.datadoghq.com", true },
		{ "a URL beside it", { "-g", "--agentless", "-U", "https://v" }, "", "k", "",
		  "https://v", true },
		{ "all from the environment", { "-g" }, "1", "k", "http://u",
		  "https://intake.profile.datadoghq.com", true },
		{ "the environment forgot the key", { "-g" }, "1", "", "http://u", "http://u",
		  false },
		{ "switched off by the next word", { "-g", "--agentless", "false" }, "1", "k", "",
		  "http://localhost:8126", false },
		{ "beside --output", { "-g", "--output", "x.pprof", "--agentless" }, "", "k", "",
		  "https://intake.profile.datadoghq.com", true },
		{ "not beside --output", { "-g", "--output", "x.pprof" }, "1", "k", "", NULL,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddprof_config c;

		setenv("DD_PROFILING_AGENTLESS", rows[i].env_agentless, 1);
		setenv("DD_API_KEY", rows[i].env_key, 1);
		setenv("DD_TRACE_AGENT_URL", rows[i].env_url, 1);
		accept(rows[i].args, &c);
		if (!c.url != !rows[i].url || (c.url && strcmp(c.url, rows[i].url)) ||
		    c.agentless != rows[i].agentless)
			fail_msg("%s: %s", rows[i].what, c.url);
	}
	unsetenv("DD_PROFILING_AGENTLESS");
	unsetenv("DD_API_KEY");
	unsetenv("DD_TRACE_AGENT_URL");
}

static void switched_off(void **state)
{
	struct ddprof_config c;

	(void)state;
	accept((const char *[MAX_ARGS]){ "-g" }, &c);
	assert_true(c.enabled);
	setenv("DD_PROFILING_ENABLED", "false", 1);
	accept((const char *[MAX_ARGS]){ "ls" }, &c);
	assert_false(c.enabled);
	accept((const char *[MAX_ARGS]){ "--enable", "ls" }, &c);
	assert_true(c.enabled);
	setenv("DD_PROFILING_ENABLED", "auto", 1);
	accept((const char *[MAX_ARGS]){ "ls" }, &c);
	assert_true(c.enabled);
	unsetenv("DD_PROFILING_ENABLED");
	accept((const char *[MAX_ARGS]){ "--no-enable", "ls" }, &c);
	assert_false(c.enabled);
	accept((const char *[MAX_ARGS]){ "--enable", "false", "ls" }, &c);
	assert_false(c.enabled);
	assert_string_equal(c.command[0], "ls");
	accept((const char *[MAX_ARGS]){ "--enable=0", "--", "true" }, &c);
	assert_false(c.enabled);
	assert_string_equal(c.command[0], "true");
}

static void the_environment_fills_in(void **state)
{
	static char long_name[300];
	struct ddprof_config c;

	(void)state;
	setenv("DD_SERVICE", "from_env", 1);
	setenv("DD_PROFILING_UPLOAD_PERIOD", "7", 1);
	setenv("DD_PROFILING_TIMELINE_ENABLE", "TRUE", 1);
	setenv("DD_ENV", "", 1);
	accept((const char *[MAX_ARGS]){ "-g", "-u", "9" }, &c);
	assert_string_equal(c.service, "from_env");
	assert_int_equal(c.period_s, 9);
	assert_true(c.timestamps);
	assert_null(c.environment);
	/* what cannot be understood stops nothing */
	memset(long_name, 'x', sizeof(long_name) - 1);
	setenv("DD_PROFILING_UPLOAD_PERIOD", "0", 1);
	setenv("DD_PROFILING_TIMELINE_ENABLE", "enabled", 1);
	setenv("DD_AGENT_HOST", long_name, 1);
	accept((const char *[MAX_ARGS]){ "ls" }, &c);
	assert_int_equal(c.period_s, 59);
	assert_false(c.timestamps);
	assert_string_equal(c.url, "http://localhost:8126");
	accept((const char *[MAX_ARGS]){ "-u", "3", "--timestamps", "ls" }, &c);
	assert_int_equal(c.period_s, 3);
	assert_true(c.timestamps);
	unsetenv("DD_AGENT_HOST");
	unsetenv("DD_SERVICE");
	unsetenv("DD_PROFILING_UPLOAD_PERIOD");
	unsetenv("DD_PROFILING_TIMELINE_ENABLE");
	unsetenv("DD_ENV");
}

/* What `ddprof ARGUMENT VALUE` prints on stdout */
static void told(const char *argument, const char *value, char *ret, size_t size)
{
	struct ddp_error err = { "" };
	struct ddprof_config c;
	FILE *was = stdout;

	accept((const char *[MAX_ARGS]){ argument, value }, &c);
	assert_true(ddprof_config_only_tells(&c));
	stdout = fmemopen(ret, size, "w");
	assert_non_null(stdout);
	assert_int_equal(ddprof_config_tell(&c, &err), 0);
	fclose(stdout);
	stdout = was;
	ddprof_config_free(&c);
}

/* @text without backslashes, which the manual page has before each '-' */
static void plain(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\\')
			*to++ = *text;
	*to = '\0';
}

static void every_option_is_in_every_text(void **state)
{
	static const struct {
		const char *argument, *value, *before;	/* before: what stands before its name */
		bool env, once;		/* it has the variables; what is for one run only */
	} rows[] = {
		{ "--help", NULL, "--", true, true },
		{ "--print", "man", "--", true, true },
		{ "--print", "bash", "--", false, true },
		{ "--print", "zsh", "--", false, true },
		{ "--print", "config", "\n#", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char text[65536];
		char name[64];

		memset(text, 0, sizeof(text));
		told(rows[i].argument, rows[i].value, text, sizeof(text) - 1);
		plain(text);
		for (const struct ddp_option *o = ddprof_options; o->name; o++) {
			bool wanted = rows[i].once || !(o->flags & DDP_OPTION_ONCE);

			snprintf(name, sizeof(name), "%s%s", rows[i].before, o->name);
			if (!strstr(text, name) == wanted)
				fail_msg("%s %s: %s", rows[i].argument, rows[i].value, name);
			if (wanted && rows[i].env && o->env && !strstr(text, o->env))
				fail_msg("%s %s: %s", rows[i].argument, rows[i].value, o->env);
		}
	}
}

static bool named(const struct ddp_option *o, const char *name)
{
	const struct ddp_option *found = ddp_option_find(ddprof_options, name, strlen(name));

	return found && found != o;
}

static void sets_of_cpus(void **state)
{
	static const struct {
		const char *text;
		size_t cpus[5], nr;
	} rows[] = {
		{ "0xa4", { 2, 5, 7 }, 3 },
		{ "a4", { 2, 5, 7 }, 3 },
		{ "0XA4", { 2, 5, 7 }, 3 },
		{ "3", { 0, 1 }, 2 },	/* a mask, as ddprof takes it */
		{ "1,00000001", { 0, 32 }, 2 },
		{ "list:3", { 3 }, 1 },
		{ "list:2,5,7-9", { 2, 5, 7, 8, 9 }, 5 },
		{ "list:1023", { 1023 }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		cpu_set_t set;
		size_t found = 0;

		if (ddprof_cpu_set(rows[i].text, &set, &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		for (size_t k = 0; k < rows[i].nr; k++)
			found += !!CPU_ISSET(rows[i].cpus[k], &set);
		if (found != rows[i].nr || (size_t)CPU_COUNT(&set) != rows[i].nr)
			fail_msg("%s", rows[i].text);
	}
}

/* What users of ddprof type and set today, each spelling, with its default */
static void what_users_of_ddprof_know(void **state)
{
	static const struct {
		const char *spelling;	/* as it is written, historic or with dashes */
		char letter;
		const char *env, *initial;
	} rows[] = {
		{ "service", 'S', "DD_SERVICE", "myservice" },
		{ "environment", 'E', "DD_ENV", NULL },
		{ "service_version", 'V', "DD_VERSION", NULL },
		{ "service-version", 'V', "DD_VERSION", NULL },
		{ "url", 'U', "DD_TRACE_AGENT_URL", NULL },
		{ "host", 'H', "DD_AGENT_HOST", "localhost" },
		{ "port", 'P', "DD_TRACE_AGENT_PORT", "8126" },
		{ "tags", 'T', "DD_TAGS", NULL },
		{ "event", 'e', "DD_PROFILING_NATIVE_EVENTS", NULL },
		{ "preset", 0, "DD_PROFILING_NATIVE_PRESET", NULL },
		{ "pid", 'p', NULL, NULL },
		{ "global", 'g', NULL, NULL },
		{ "inlined_functions", 'I', "DD_PROFILING_INLINED_FUNCTIONS", NULL },
		{ "inlined-functions", 'I', "DD_PROFILING_INLINED_FUNCTIONS", NULL },
		{ "timeline", 0, "DD_PROFILING_TIMELINE_ENABLE", NULL },
		{ "upload_period", 'u', "DD_PROFILING_UPLOAD_PERIOD", "59" },
		{ "upload-period", 'u', "DD_PROFILING_UPLOAD_PERIOD", "59" },
		{ "switch_user", 0, "DD_PROFILING_SWITCH_USER", NULL },
		{ "switch-user", 0, "DD_PROFILING_SWITCH_USER", NULL },
		{ "nice", 0, "DD_PROFILING_NICE", "-1" },
		{ "config", 0, "DD_PROFILING_NATIVE_CONFIG", NULL },
		{ "log_level", 'l', "DD_PROFILING_NATIVE_LOG_LEVEL", "notice" },
		{ "log-level", 'l', "DD_PROFILING_NATIVE_LOG_LEVEL", "notice" },
		{ "log_mode", 'o', "DD_PROFILING_NATIVE_LOG_MODE", "stderr" },
		{ "log-mode", 'o', "DD_PROFILING_NATIVE_LOG_MODE", "stderr" },
		{ "show_config", 0, "DD_PROFILING_SHOW_CONFIG", NULL },
		{ "show-config", 0, "DD_PROFILING_SHOW_CONFIG", NULL },
		{ "capture_config", 0, NULL, NULL },
		{ "capture-config", 0, NULL, NULL },
		{ "show_samples", 0, "DD_PROFILING_SHOW_SAMPLES", NULL },
		{ "show-samples", 0, "DD_PROFILING_SHOW_SAMPLES", NULL },
		{ "internal_stats", 'b', "DD_PROFILING_INTERNAL_STATS", NULL },
		{ "internal-stats", 'b', "DD_PROFILING_INTERNAL_STATS", NULL },
		{ "enable", 0, "DD_PROFILING_ENABLED", "1" },
		{ "api_key", 0, "DD_API_KEY", NULL },
		{ "api-key", 0, "DD_API_KEY", NULL },
		{ "agentless", 0, "DD_PROFILING_AGENTLESS", NULL },
		{ "runtime_id", 0, "DD_PROFILING_RUNTIME_ID", NULL },
		{ "cpu_affinity", 0, "DD_PROFILING_CPU_AFFINITY", NULL },
		{ "cpu-affinity", 0, "DD_PROFILING_CPU_AFFINITY", NULL },
		{ "debug_pprof_prefix", 0, "DD_PROFILING_PPROF_PREFIX", NULL },
		{ "debug-pprof-prefix", 0, "DD_PROFILING_PPROF_PREFIX", NULL },
		{ "maximum_pids", 0, "DD_PROFILING_MAXIMUM_PIDS", "-1" },
		{ "maximum-pids", 0, "DD_PROFILING_MAXIMUM_PIDS", "-1" },
		{ "disable_symbolization", 0, "DD_PROFILING_DISABLE_SYMBOLIZATION", NULL },
		{ "disable-symbolization", 0, "DD_PROFILING_DISABLE_SYMBOLIZATION", NULL },
		{ "version", 'v', NULL, NULL },
		{ "help", 'h', NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_option *o = ddp_option_find(ddprof_options, rows[i].spelling,
							     strlen(rows[i].spelling));

		if (!o || o->letter != rows[i].letter || !o->env != !rows[i].env ||
		    (o->env && strcmp(o->env, rows[i].env)) || !o->initial != !rows[i].initial ||
		    (o->initial && strcmp(o->initial, rows[i].initial)))
			fail_msg("%s", rows[i].spelling);
	}
}

static void the_table_is_sound(void **state)
{
	struct ddprof_config c;
	size_t nr = 0;

	(void)state;
	accept((const char *[MAX_ARGS]){ "-g" }, &c);
	for (const struct ddp_option *o = ddprof_options; o->name; o++, nr++) {
		if (named(o, o->name) || (o->alias && !strchr(o->alias, ' ') && named(o, o->alias)))
			fail_msg("%s: two options have this name", o->name);
		if (!o->group || !o->help || !o->argument != (o->kind == DDP_OPTION_FLAG))
			fail_msg("%s: group, help or argument", o->name);
		for (const struct ddp_option *p = o + 1; p->name; p++)
			assert_true(!o->letter || o->letter != p->letter);
	}
	assert_in_range(nr, 1, DDP_MAX_OPTIONS);
}

static void names_of_files(void **state)
{
	static const struct {
		const char *path;
		unsigned int nr;
		bool numbered;
		const char *name;
	} rows[] = {
		{ "a.pprof", 1, false, "a.pprof" },
		{ "a.pprof", 2, false, "a.2.pprof" },
		{ "a.pprof", 1, true, "a.1.pprof" },
		{ "/x.y/a.pprof.lz4", 12, true, "/x.y/a.12.pprof.lz4" },
		{ "a.pb", 3, true, "a.3.pb" },
		{ ".pprof", 2, false, ".pprof.2" },
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ddp_output_path(rows[i].path, rows[i].nr, rows[i].numbered, name,
						 sizeof(name)), 0);
		assert_string_equal(name, rows[i].name);
	}
	assert_int_equal(ddp_output_path("a.pprof", 2, false, name, 8), -ENAMETOOLONG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused), cmocka_unit_test(a_file_that_is_not_there),
		cmocka_unit_test(defaults),
		cmocka_unit_test(the_command_begins_at_the_first_word), cmocka_unit_test(spellings),
		cmocka_unit_test(too_many_processes),
		cmocka_unit_test(output_decides_periods_and_uploads),
		cmocka_unit_test(where_the_agent_is), cmocka_unit_test(what_is_sampled),
		cmocka_unit_test(where_the_intake_is),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(the_environment_fills_in),
		cmocka_unit_test(every_option_is_in_every_text),
		cmocka_unit_test(sets_of_cpus), cmocka_unit_test(what_users_of_ddprof_know),
		cmocka_unit_test(the_table_is_sound), cmocka_unit_test(names_of_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
