// SPDX-License-Identifier: Apache-2.0
/* collector/ddprof/targets: what options and [target NAME] sections make for the sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ddprof/config.h"

/* Written into a file that --config reads. NULL fields of what comes out: not there */
static char comm[32];

static const struct {
	const char *what, *args[4], *file;
	struct {
		const char *name, *url, *api_key, *directory;
	} targets[3];
} rows[] = {
	{ "an agent", { "-U", "http://a" }, "", { { "agent", "http://a", NULL, NULL } } },
	{ "a folder's URL", { "-U", "file:///var/p" }, "", { { "agent", NULL, NULL, "/var/p" } } },
	{ "the intake", { "--agentless", "--api_key", "file:/proc/self/comm" }, "",
	  { { "agent", "https://intake.profile.datadoghq.com", comm, NULL } } },
	{ "a folder beside an agent", { "--directory", "d", "-U", "http://a" }, "",
	  { { "agent", "http://a", NULL, NULL }, { "directory", NULL, NULL, "d" } } },
	{ "sections", { NULL },
	  "[target one]\nurl = https://b\napi_key = k\n[target two]\nurl = file:///c\n",
	  { { "one", "https://b", "k", NULL }, { "two", NULL, NULL, "/c" } } },
	{ "what a section's values need", { NULL },
	  "[target one]\nurl = b:1\napi_key = file:/proc/self/comm\n",
	  { { "one", "http://b:1", comm, NULL } } },
};

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_row(size_t i, const char *path)
{
	CLEANUP(ddprof_config_free) struct ddprof_config c = { .global = false };
	CLEANUP(free) struct ddprof_targets *t = malloc(sizeof(*t));
	char *argv[8] = { (char *)(uintptr_t) "ddprof", (char *)(uintptr_t) "-g",
			  (char *)(uintptr_t) "--config", (char *)(uintptr_t)path };
	struct ddp_error err = { "" };
	size_t nr = 0;
	int argc = 4;

	for (size_t a = 0; a < 4 && rows[i].args[a]; a++)
		argv[argc++] = (char *)(uintptr_t)rows[i].args[a];
	if (ddprof_config_read(argc, argv, &c, &err) || ddprof_targets_make(&c, t, &err))
		fail_msg("%s: %s", rows[i].what, err.text);
	while (nr < 3 && rows[i].targets[nr].name)
		nr++;
	if (t->nr != nr)
		fail_msg("%s: %zu targets", rows[i].what, t->nr);
	for (size_t k = 0; k < nr; k++) {
		const struct ddp_exporter_config *e = t->at[k].exporter;

		if (!same(t->at[k].name, rows[i].targets[k].name) ||
		    !same(e ? e->url : NULL, rows[i].targets[k].url) ||
		    !same(e ? e->api_key : NULL, rows[i].targets[k].api_key) ||
		    !same(t->at[k].directory, rows[i].targets[k].directory))
			fail_msg("%s: %s", rows[i].what, t->at[k].name);
	}
}

/* A secret in a file that everybody has: this program's name, or valgrind's */
static void read_comm(void)
{
	FILE *f = fopen("/proc/self/comm", "re");

	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof(comm), f));
	comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
}

static void options_become_targets(void **state)
{
	char path[] = "/tmp/ddprof-test-targets-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	read_comm();
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].file, strlen(rows[i].file), 0),
				 strlen(rows[i].file));
		check_row(i, path);
	}
	close(fd);
	unlink(path);
}

/* Whatever was in that memory before: a reload's is used memory */
static void services_have_containers_of_their_own(void **state)
{
	CLEANUP(ddprof_config_free) struct ddprof_config c = { .global = false };
	CLEANUP(free) struct ddprof_targets *t = malloc(sizeof(*t));
	char *argv[] = { (char *)(uintptr_t) "ddprof", (char *)(uintptr_t) "-g",
			 (char *)(uintptr_t) "--services", NULL };
	struct ddp_error err = { "" };

	(void)state;
	assert_non_null(t);
	memset(t, 'x', sizeof(*t));
	assert_int_equal(ddprof_config_read(3, argv, &c, &err), 0);
	assert_int_equal(ddprof_targets_make(&c, t, &err), 0);
	assert_int_equal(t->nr, 1);
	assert_null(t->exporters[0].container_id);
	assert_null(t->exporters[0].entity_id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_become_targets),
		cmocka_unit_test(services_have_containers_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
