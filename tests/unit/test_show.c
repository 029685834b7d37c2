// SPDX-License-Identifier: Apache-2.0
/* collector/core/show: what a profile's samples look like in the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/show.h"

static uint32_t intern(struct ddp_profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(ddp_profile_string(p, s, strlen(s), &id), 0);
	return id;
}

/* One of a name, or without one at @address */
static uint32_t location(struct ddp_profile *p, const char *name, uint64_t address)
{
	struct ddp_line line = { 0 };
	struct ddp_location l = { .address = address, .lines = &line, .nr_lines = !!name };
	struct ddp_function f = { .name = name ? intern(p, name) : 0 };
	uint32_t id;

	if (name)
		assert_int_equal(ddp_profile_function(p, &f, &line.function), 0);
	assert_int_equal(ddp_profile_location(p, &l, &id), 0);
	return id;
}

static void add(struct ddp_profile *p, uint32_t pid, const int64_t values[2],
		const uint32_t *locations, size_t nr)
{
	struct ddp_label labels[] = {
		{ .key = intern(p, "process_id"), .num = pid },
		{ .key = intern(p, "thread id"), .num = pid + 1 },
	};
	struct ddp_sample s = { .values = values, .nr_values = 2 };

	assert_int_equal(ddp_profile_label_set(p, labels, 2, &s.label_set), 0);
	assert_int_equal(ddp_profile_stack(p, locations, (uint32_t)nr, &s.stack), 0);
	assert_int_equal(ddp_profile_add(p, &s), 0);
}

static struct ddp_profile *profile(void)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	struct ddp_profile_config config = { .value_types = types, .nr_value_types = 2 };
	struct ddp_profile *p;
	uint32_t stack[3];

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	stack[0] = location(p, "leaf(int)", 1);
	stack[1] = location(p, NULL, 0x401000);
	stack[2] = location(p, "main", 3);
	add(p, 7, (int64_t[]){ 2, 30 }, stack, 3);
	add(p, 9, (int64_t[]){ 0, 5 }, stack + 2, 1);
	return p;
}

/* What @p says of itself when messages go to a file */
static void shown(const struct ddp_profile *p, char *ret, size_t size)
{
	char path[] = "/tmp/ddprof-test-show-XXXXXX";
	struct ddp_error err;
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	ddp_log_setup("prog", DDP_LOG_ERROR);
	assert_int_equal(ddp_log_open(path, &err), 0);
	assert_int_equal(ddp_show_samples(p, 1), 0);
	assert_int_equal(ddp_log_open("stderr", &err), 0);
	n = read(fd, ret, size - 1);
	assert_true(n >= 0);
	ret[n] = '\0';
	close(fd);
	unlink(path);
}

static void a_line_a_value(void **state)
{
	struct ddp_profile *p = profile();
	char text[1024];

	(void)state;
	shown(p, text, sizeof(text));
	assert_string_equal(text,
			    "prog: sample[type=cpu-samples;pid=7;tid=8] main;0x401000;leaf(int) 2\n"
			    "prog: sample[type=cpu-time;pid=7;tid=8] main;0x401000;leaf(int) 30\n"
			    "prog: sample[type=cpu-time;pid=9;tid=10] main 5\n");
	ddp_profile_destroy(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
