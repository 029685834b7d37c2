// SPDX-License-Identifier: Apache-2.0
/*
 * collector/report/top: which functions and processes take most, there and back through JSON, and
 * JSON that is none of ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/top.h"
#include "report_profile.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

static const struct ddp_value_type types[] = {
	{ "cpu-samples", "count" }, { "cpu-time", "nanoseconds" },
};

/* "name flat cumulative" a line, then "pid: value" a line */
static void print_top(const struct ddp_top *t, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < t->nr_functions; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s %lld %lld\n",
					 t->functions[i].name, (long long)t->functions[i].flat,
					 (long long)t->functions[i].cumulative);
	for (size_t i = 0; i < t->nr_processes; i++)
		used += (size_t)snprintf(ret + used, size - used, "%lld %s: %lld\n",
					 (long long)t->processes[i].pid, t->processes[i].name,
					 (long long)t->processes[i].value);
}

#define PID(n) "process_id", NULL, n

static const struct {
	const char *what;
	struct report_sample samples[4];
	const char *value;
	size_t rows;
	const char *text;
	int64_t total;
	uint64_t functions, processes;
	bool by_cumulative;
} tops[] = {
	{ "nothing", { { .values = { 0 } } }, NULL, 9, "", 0, 0, 0, false },
	{ "CPU time unless another is asked for",
	  { { STACK(FN("main"), FN("work")), { 1, 10 }, PID(7) } }, NULL, 9,
	  "work 10 10\nmain 0 10\n7 : 10\n", 10, 2, 1, false },
	{ "another value", { { STACK(FN("main"), FN("work")), { 1, 10 }, PID(7) } },
	  "cpu-samples", 9, "work 1 1\nmain 0 1\n7 : 1\n", 1, 2, 1, false },
	{ "the largest first, processes by number where they are equal",
	  { { STACK(FN("a")), { 1, 10 }, PID(9) }, { STACK(FN("b")), { 1, 30 }, PID(8) },
	    { STACK(FN("c")), { 1, 10 }, PID(7) } }, NULL, 9,
	  "b 30 30\na 10 10\nc 10 10\n8 : 30\n7 : 10\n9 : 10\n", 50, 3, 3, false },
	{ "as many rows as are asked for",
	  { { STACK(FN("a")), { 1, 10 }, PID(9) }, { STACK(FN("b")), { 1, 30 }, PID(8) } }, NULL,
	  1, "b 30 30\n8 : 30\n", 40, 2, 2, false },
	{ "by cumulative value", { { STACK(FN("main"), FN("work")), { 1, 10 } } }, NULL, 1,
	  "work 10 10\n", 10, 2, 0, true },
	{ "by cumulative value, where that is another",
	  { { STACK(FN("main"), FN("a")), { 1, 10 } }, { STACK(FN("main"), FN("b")), { 1, 20 } } },
	  NULL, 1, "main 0 30\n", 30, 3, 0, true },
	{ "no rows", { { STACK(FN("a")), { 1, 10 }, PID(9) } }, NULL, 0, "", 10, 1, 1, false },
	{ "what has no process", { { STACK(FN("a")), { 1, 10 } } }, NULL, 9, "a 10 10\n", 10, 1,
	  0, false },
	{ "process 0 is one", { { STACK(FN("a")), { 1, 10 }, PID(0) } }, NULL, 9,
	  "a 10 10\n0 : 10\n", 10, 1, 1, false },
	{ "a process that is no number",
	  { { STACK(FN("a")), { 1, 10 }, "process_id", "seven" } }, NULL, 9,
	  "a 10 10\n", 10, 1, 0, false },
	{ "a process below 0", { { STACK(FN("a")), { 1, 10 }, PID(-1) } }, NULL, 9,
	  "a 10 10\n", 10, 1, 0, false },
};

static void compare(const char *what, const struct ddp_top *t, const char *text)
{
	char got[1024];

	print_top(t, got, sizeof(got));
	if (strcmp(got, text))
		fail_msg("%s: got\n%sexpected\n%s", what, got, text);
}

static void rows_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p =
			report_profile(types, 2, tops[i].samples, 4);
		CLEANUP(ddp_top_free) struct ddp_top made = {
			.interval_s = 12.5, .samples = 9, .lost_samples = 1, .cpus = 2,
			.overhead_ratio = 0.001,
		};
		CLEANUP(ddp_top_free) struct ddp_top read = { .nr_functions = 0 };
		CLEANUP(ddp_buffer_free) struct ddp_buffer json = { 0 };
		struct ddp_error err = { "" };

		assert_int_equal(ddp_top_make(p, &(struct ddp_top_query){
				 .value = tops[i].value, .rows = tops[i].rows,
				 .by_cumulative = tops[i].by_cumulative }, &made), 0);
		compare(tops[i].what, &made, tops[i].text);
		assert_int_equal(made.total, tops[i].total);
		assert_int_equal(made.all_functions, tops[i].functions);
		assert_int_equal(made.all_processes, tops[i].processes);
		assert_int_equal(ddp_top_write(&made, ddp_buffer_write, &json), 0);
		if (ddp_top_read(json.bytes, json.len, &read, &err))
			fail_msg("%s: %s", tops[i].what, err.text);
		compare(tops[i].what, &read, tops[i].text);
		assert_string_equal(read.type, tops[i].value ?: "cpu-time");
		assert_string_equal(read.unit, tops[i].value ? "count" : "nanoseconds");
		assert_true(read.total == made.total && read.interval_s == 12.5 &&
			    read.samples == 9 && read.lost_samples == 1 && read.cpus == 2 &&
			    read.overhead_ratio == 0.001 &&
			    read.all_functions == made.all_functions &&
			    read.all_processes == made.all_processes);
	}
}

static int make(const struct ddp_pprof *p, const char *value, struct ddp_top *ret)
{
	return ddp_top_make(p, &(struct ddp_top_query){ .value = value, .rows = 9 }, ret);
}

static void values(void **state)
{
	static const struct ddp_value_type other[] = { { "alloc", "bytes" }, { "wall", "ns" } };
	static const struct report_sample samples[2] = { { STACK(FN("a")), { 1, 10 } } };
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = report_profile(other, 2, samples, 2);
	CLEANUP(ddp_top_free) struct ddp_top t = { .nr_functions = 0 };

	(void)state;
	assert_int_equal(make(p, "cpu-time", &t), -ENOENT);
	assert_int_equal(make(p, "", &t), -ENOENT);
	assert_int_equal(make(p, NULL, &t), 0);
	assert_string_equal(t.type, "wall");
}

/* A name is cut between characters: half of one would be no JSON */
static void long_names(void **state)
{
	static char name[3 * DDP_TOP_MAX_NAME];
	struct report_sample samples[2] = { { STACK(FN(name)), { 1, 10 }, PID(1) } };
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	CLEANUP(ddp_top_free) struct ddp_top t = { .nr_functions = 0 };
	CLEANUP(ddp_top_free) struct ddp_top read = { .nr_functions = 0 };
	CLEANUP(ddp_buffer_free) struct ddp_buffer json = { 0 };

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "\xe2\x82\xac", 3);
	p = report_profile(types, 2, samples, 2);
	assert_int_equal(make(p, NULL, &t), 0);
	assert_int_equal(strlen(t.functions[0].name), DDP_TOP_MAX_NAME - DDP_TOP_MAX_NAME % 3);
	assert_int_equal(ddp_top_write(&t, ddp_buffer_write, &json), 0);
	assert_int_equal(ddp_top_read(json.bytes, json.len, &read, NULL), 0);
	assert_string_equal(read.functions[0].name, t.functions[0].name);
}

#define HEAD "\"type\":\"t\",\"unit\":\"u\",\"total\":1,\"interval_s\":1.5,\"samples\":1," \
	     "\"lost_samples\":0,\"cpus\":1,\"overhead_ratio\":0.1,\"all_functions\":1,"	\
	     "\"all_processes\":1,"

static void not_ours(void **state)
{
	static const struct {
		const char *what, *text;
		int r;
	} rows[] = {
		{ "as it should be", "{" HEAD "\"functions\":[],\"processes\":[]}", 0 },
		{ "more than we know", "{\"new\":1," HEAD "\"functions\":[],\"processes\":[]}", 0 },
		{ "numbers without a point",
		  "{\"type\":\"t\",\"unit\":\"u\",\"total\":1,\"interval_s\":1,\"samples\":1,"
		  "\"lost_samples\":0,\"cpus\":1,\"overhead_ratio\":0,\"all_functions\":1,"
		  "\"all_processes\":1,\"functions\":[],\"processes\":[]}", 0 },
		{ "nothing", "", -EBADMSG },
		{ "no JSON", "<html>", -EBADMSG },
		{ "cut", "{" HEAD "\"functions\":[],\"proc", -EBADMSG },
		{ "a list", "[1]", -EBADMSG },
		{ "a member is missing", "{" HEAD "\"functions\":[]}", -EBADMSG },
		{ "a member of another kind",
		  "{" HEAD "\"functions\":7,\"processes\":[],\"type\":7}", -EBADMSG },
		{ "a function without a name",
		  "{" HEAD "\"functions\":[{\"flat\":1,\"cumulative\":1}],\"processes\":[]}",
		  -EBADMSG },
		{ "a process that is no object", "{" HEAD "\"functions\":[],\"processes\":[7]}",
		  -EBADMSG },
		{ "a name with NUL in it",
		  "{" HEAD "\"functions\":[{\"name\":\"a\\u0000b\",\"flat\":1,\"cumulative\":1}],"
		  "\"processes\":[]}", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(ddp_top_free) struct ddp_top t = { .nr_functions = 0 };
		struct ddp_error err = { "" };
		int r = ddp_top_read(rows[i].text, strlen(rows[i].text), &t, &err);

		if (r != rows[i].r || !r != !err.text[0])
			fail_msg("%s: %d %s", rows[i].what, r, err.text);
	}
}

static void too_many_rows(void **state)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer json = { 0 };
	CLEANUP(ddp_top_free) struct ddp_top t = { .nr_functions = 0 };
	static const char head[] = "{" HEAD "\"processes\":[],\"functions\":[0", end[] = "]}";

	(void)state;
	assert_int_equal(ddp_buffer_write(&json, head, strlen(head)), 0);
	for (size_t i = 0; i < DDP_TOP_MAX_ROWS; i++)
		assert_int_equal(ddp_buffer_write(&json, ",0", 2), 0);
	assert_int_equal(ddp_buffer_write(&json, end, strlen(end)), 0);
	assert_int_equal(ddp_top_read(json.bytes, json.len, &t, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_and_back), cmocka_unit_test(values),
		cmocka_unit_test(long_names), cmocka_unit_test(not_ours),
		cmocka_unit_test(too_many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
