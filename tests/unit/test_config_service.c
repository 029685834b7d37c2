// SPDX-License-Identifier: Apache-2.0
/*
 * ddprof's configuration as a service has it: where things are kept when the manager made room for
 * them, and what reading the file again asks for.
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
#include <unistd.h>

#include "base/log.h"
#include "ddprof/config.h"
#include "ddprof/session.h"

enum { MAX_ARGS = 6 };

static char path[] = "/tmp/ddprof-service-XXXXXX";

static void write_file(const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static int read_args(const char *const *args, struct ddprof_config *c, struct ddp_error *err)
{
	static char *argv[MAX_ARGS + 2] = { (char *)(uintptr_t) "ddprof" };
	int n = 0;

	for (; n < MAX_ARGS && args[n]; n++)
		argv[n + 1] = strcmp(args[n], "FILE") ? (char *)(uintptr_t)args[n] : path;
	argv[n + 1] = NULL;
	return ddprof_config_read(n + 1, argv, c, err);
}

static void expect_text(const char *is, const char *expected)
{
	if (expected)
		assert_string_equal(is, expected);
	else
		assert_null(is);
}

static void managers_folders(void **state)
{
	static const struct {
		const char *what, *state_folder, *cache_folder, *file;
		const char *args[MAX_ARGS];
		const char *spool, *unwind_cache;
	} rows[] = {
		{ "no manager", NULL, NULL, "", { "-g", "--config", "FILE" }, NULL, NULL },
		{ "a service", "/var/lib/ddprof", "/var/cache/ddprof", "",
		  { "-g", "--config", "FILE" }, "/var/lib/ddprof/spool",
		  "/var/cache/ddprof/unwind" },
		{ "the first of several", "/a:/b", "/c:/d", "", { "-g", "--config", "FILE" },
		  "/a/spool", "/c/unwind" },
		{ "no absolute path", "a", "", "", { "-g", "--config", "FILE" }, NULL, NULL },
		{ "the file wins", "/a", "/c", "spool = /x\nunwind_cache = /y\n",
		  { "-g", "--config", "FILE" }, "/x", "/y" },
		{ "somebody else's service", "/a", "/c", "", { "--config", "FILE", "true" }, NULL,
		  NULL },
		{ "without a file", "/a", "/c", "", { "-g" }, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		struct ddprof_config c;

		print_message("%s\n", rows[i].what);
		unsetenv("STATE_DIRECTORY");
		unsetenv("CACHE_DIRECTORY");
		if (rows[i].state_folder)
			setenv("STATE_DIRECTORY", rows[i].state_folder, 1);
		if (rows[i].cache_folder)
			setenv("CACHE_DIRECTORY", rows[i].cache_folder, 1);
		write_file(rows[i].file);
		assert_int_equal(read_args(rows[i].args, &c, &err), 0);
		expect_text(c.spool, rows[i].spool);
		expect_text(c.unwind_cache, rows[i].unwind_cache);
		ddprof_config_free(&c);
	}
	unsetenv("STATE_DIRECTORY");
	unsetenv("CACHE_DIRECTORY");
}

static void what_a_change_asks_for(void **state)
{
	static const struct {
		const char *file;
		unsigned int apply;
	} rows[] = {
		{ "", 0 },
		{ "log_level = debug\n", DDPROF_APPLY_NOW },
		{ "upload_period = 10\n", DDPROF_APPLY_NOW },
		{ "tags = a:b\n", DDPROF_APPLY_OUTPUT },
		{ "environment = prod\n", DDPROF_APPLY_OUTPUT },
		{ "url = http://b:1\n", DDPROF_APPLY_OUTPUT },
		{ "spool = /x\n", DDPROF_APPLY_OUTPUT },
		{ "[target a]\nurl = http://b:1\n", DDPROF_APPLY_OUTPUT },
		{ "frequency = 49\n", DDPROF_APPLY_SESSION },
		{ "event = sCS\n", DDPROF_APPLY_SESSION },
		{ "budget = 5\n", DDPROF_APPLY_SESSION },
		{ "services = 1\n", DDPROF_APPLY_SESSION },
		{ "max_services = 7\n", DDPROF_APPLY_SESSION },
		{ "control_socket = /x\n", DDPROF_APPLY_NOW },
		{ "nice = 5\n", DDPROF_APPLY_RESTART },
		{ "log_mode = /x\n", DDPROF_APPLY_RESTART },
		{ "depth = 5\n", 0 }, /* the command line wins */
		{ "frequency = 49\ntags = a:b\n", DDPROF_APPLY_SESSION | DDPROF_APPLY_OUTPUT },
	};
	static const char *const args[MAX_ARGS] = { "-g", "--config", "FILE", "--depth", "9" };
	struct ddprof_config c, again;
	struct ddp_error err = { "" };

	(void)state;
	ddp_log_setup("test", DDP_LOG_ERROR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int apply;

		print_message("%s\n", rows[i].file);
		write_file("");
		assert_int_equal(read_args(args, &c, &err), 0);
		write_file(rows[i].file);
		assert_int_equal(ddprof_config_read_again(&c, &again, &apply, &err), 0);
		assert_int_equal(apply, rows[i].apply);
		ddprof_config_free(&again);
		ddprof_config_free(&c);
	}
}

static void control_groups_are_looked_up_again(void **state)
{
	static const char *const args[MAX_ARGS] = { "-g", "--config", "FILE" };
	struct ddprof_config c, again;
	struct ddp_error err = { "" };
	unsigned int apply;

	(void)state;
	write_file("cgroup = /system.slice\n");
	assert_int_equal(read_args(args, &c, &err), 0);
	assert_int_equal(ddprof_config_read_again(&c, &again, &apply, &err), 0);
	assert_int_equal(apply, DDPROF_APPLY_SESSION);
	ddprof_config_free(&again);
	ddprof_config_free(&c);
}

static void a_bad_file_is_refused(void **state)
{
	static const char *const args[MAX_ARGS] = { "-g", "--config", "FILE" };
	struct ddprof_config c, again;
	struct ddp_error err = { "" };
	unsigned int apply;

	(void)state;
	write_file("frequency = 49\n");
	assert_int_equal(read_args(args, &c, &err), 0);
	write_file("frequenzy = 99\n");
	assert_int_equal(ddprof_config_read_again(&c, &again, &apply, &err), -EINVAL);
	assert_non_null(strstr(err.text, "frequenzy"));
	unlink(path);
	assert_int_equal(ddprof_config_read_again(&c, &again, &apply, &err), -ENOENT);
	assert_int_equal(c.frequency_hz, 49);
	ddprof_config_free(&c);
}

/* Each line is accepted; whether there is such a thing is seen where a session is to begin */
static void what_a_session_needs_is_looked_for(void **state)
{
	static const struct {
		const char *what, *file, *error;
	} rows[] = {
		{ "CPU time", "event = sCPU\n", NULL },
		{ "no such control group", "cgroup = /not/there\n", "--cgroup /not/there: " },
		{ "none to leave out", "exclude_cgroup = /not/there\n", "--exclude_cgroup /not/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const char *const args[MAX_ARGS] = { "-g", "--config", "FILE" };
		struct ddp_error err = { "" };
		struct ddprof_config c;

		write_file(rows[i].file);
		assert_int_equal(read_args(args, &c, &err), 0);
		if (!ddprof_check_session(&c, &err) != !rows[i].error ||
		    (rows[i].error && !strstr(err.text, rows[i].error)))
			fail_msg("%s: %s", rows[i].what, err.text);
		ddprof_config_free(&c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(managers_folders),
		cmocka_unit_test(what_a_change_asks_for),
		cmocka_unit_test(control_groups_are_looked_up_again),
		cmocka_unit_test(a_bad_file_is_refused),
		cmocka_unit_test(what_a_session_needs_is_looked_for),
	};
	int fd = mkstemp(path), r;

	if (fd < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
