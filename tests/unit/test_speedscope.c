// SPDX-License-Identifier: Apache-2.0
/*
 * collector/report/speedscope: the exact JSON of small profiles; what the format cannot say; names
 * that try to leave their string.
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

#include "report/speedscope.h"
#include "report_profile.h"

static const struct ddp_value_type types[] = { { "samples", "count" }, { "time", "nanoseconds" } };

static char *to_json(const struct ddp_pprof *p, const char *name, size_t value, const char *label)
{
	struct ddp_buffer b = { 0 };

	assert_int_equal(ddp_speedscope_write(p, name, value, label, ddp_buffer_write, &b, NULL),
			 0);
	assert_int_equal(ddp_buffer_write(&b, "", 1), 0);
	return (char *)b.bytes;
}

/* From the first '[' of @start on: what is the same in all files is said once */
static const char *part(const char *json, const char *start)
{
	const char *found = strstr(json, start);

	if (!found)
		fail_msg("no %s in %s", start, json);
	return found;
}

static void a_file_is_as_its_schema_says(void **state)
{
	static const struct report_sample samples[] = {
		{ STACK(FN("main", "m.c", 3), FN("work", "w.c", 9)), { 2, 20 } },
		{ STACK(FN("main", "m.c", 3)), { 1, 10 } },
	};
	struct ddp_pprof *p = report_profile(types, 2, samples, 2);
	char *json = to_json(p, "a \"name\"", 1, NULL);

	(void)state;
	assert_string_equal(json,
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		"\"exporter\":\"ddprofctl " DDPROF_VERSION "\",\"name\":\"a \\u0022name\\u0022\","
		"\"activeProfileIndex\":1,\n"
		"\"shared\":{\"frames\":[\n"
		"{\"name\":\"work\",\"file\":\"w.c\",\"line\":9},\n"
		"{\"name\":\"main\",\"file\":\"m.c\",\"line\":3}]},\n"
		"\"profiles\":[\n"
		"{\"type\":\"sampled\",\"name\":\"samples\",\"unit\":\"none\",\"startValue\":0,"
		"\"samples\":[\n[1,0],\n[1]],\n\"weights\":[2,1],\"endValue\":3},\n"
		"{\"type\":\"sampled\",\"name\":\"time\",\"unit\":\"nanoseconds\",\"startValue\":0,"
		"\"samples\":[\n[1,0],\n[1]],\n\"weights\":[20,10],\"endValue\":30}]}\n");
	free(json);
	ddp_pprof_destroy(p);
}

/* The frames' names, the stacks and the weights of the first value */
static const struct {
	const char *what;
	struct report_sample samples[4];
	const char *label;
	const char *frames, *stacks, *weights;
} rows[] = {
	{ "nothing", { { .values = { 0 } } }, NULL, "[]", "[]", "[],\"endValue\":0" },
	{ "inlined functions, outermost first",
	  { { STACK(FN("main"), FN("inner", .inlined = true)), { 1 } } }, NULL,
	  "[\n{\"name\":\"inner\"},\n{\"name\":\"main\"}]", "[\n[1,0]]", "[1],\"endValue\":1" },
	{ "no function", { { STACK({ .mapping = "/bin/x", .address = 16 }), { 1 } } }, NULL,
	  "[\n{\"name\":\"/bin/x+0x10\"}]", "[\n[0]]", "[1],\"endValue\":1" },
	{ "no stack", { { .values = { 2 } } }, NULL,
	  "[\n{\"name\":\"[no stack]\"}]", "[\n[0]]", "[2],\"endValue\":2" },
	{ "zeros are left out", { { STACK(FN("a")), { 0, 5 } }, { STACK(FN("b")), { 3 } } }, NULL,
	  "[\n{\"name\":\"a\"},\n{\"name\":\"b\"}]", "[\n[1]]", "[3],\"endValue\":3" },
	{ "by time where all samples tell it",
	  { { STACK(FN("late")), { 1 }, .timestamp_ns = 9 },
	    { STACK(FN("early")), { 2 }, .timestamp_ns = 3 },
	    { STACK(FN("late")), { 3 }, .timestamp_ns = 5 } }, NULL,
	  "[\n{\"name\":\"late\"},\n{\"name\":\"early\"}]", "[\n[1],\n[0],\n[0]]",
	  "[2,3,1],\"endValue\":6" },
	{ "by a label", { { STACK(FN("a")), { 1 }, "who", "me" } }, "who",
	  "[\n{\"name\":\"a\"},\n{\"name\":\"me\"}]", "[\n[1,0]]", "[1],\"endValue\":1" },
	{ "a sum past the largest number",
	  { { STACK(FN("a")), { INT64_MAX } }, { STACK(FN("b")), { 1 } } }, NULL,
	  "[\n{\"name\":\"a\"},\n{\"name\":\"b\"}]", "[\n[0],\n[1]]",
	  "[9223372036854775807,1],\"endValue\":9223372036854775807" },
};

static void check_part(const char *what, const char *json, const char *start, const char *expected)
{
	const char *got = part(json, start) + strlen(start);

	if (strncmp(got, expected, strlen(expected)))
		fail_msg("%s: %s has %s", what, start, got);
}

static void stacks_are_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_pprof *p = report_profile(types, 2, rows[i].samples, 4);
		char *json = to_json(p, "x", 0, rows[i].label);

		check_part(rows[i].what, json, "\"frames\":", rows[i].frames);
		check_part(rows[i].what, json, "\"samples\":[", rows[i].stacks + 1);
		check_part(rows[i].what, json, "\"weights\":", rows[i].weights);
		free(json);
		ddp_pprof_destroy(p);
	}
}

static void units_are_those_of_the_schema(void **state)
{
	static const struct {
		const char *unit, *expected;
	} units[] = {
		{ "nanoseconds", "nanoseconds" }, { "microseconds", "microseconds" },
		{ "milliseconds", "milliseconds" }, { "seconds", "seconds" },
		{ "bytes", "bytes" }, { "count", "none" }, { "\"", "none" }, { "", "none" },
	};
	static const struct report_sample sample = { STACK(FN("a")), { 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const struct ddp_value_type type = { "t", units[i].unit };
		struct ddp_pprof *p = report_profile(&type, 1, &sample, 1);
		char *json = to_json(p, "x", 0, NULL), expected[64];

		snprintf(expected, sizeof(expected), "\"unit\":\"%s\"", units[i].expected);
		part(json, expected);
		free(json);
		ddp_pprof_destroy(p);
	}
}

static void a_difference_is_refused(void **state)
{
	struct ddp_pprof *p = report_collapsed("a 1\nb -1\n");
	struct ddp_buffer b = { 0 };
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_speedscope_write(p, "x", 0, NULL, ddp_buffer_write, &b, &err),
			 -ERANGE);
	part(err.text, "sample 2 has a negative value");
	assert_int_equal(b.len, 0);
	ddp_pprof_destroy(p);
}

static void names_stay_in_their_strings(void **state)
{
	struct ddp_pprof *p = report_collapsed("\"\\}],\x01\x7f\xff</b>\xe2\x98\x83 1\n");
	char *json = to_json(p, "x", 0, NULL);

	(void)state;
	part(json, "{\"name\":\"\\u0022\\u005c}],\\u0001\\u007f\xef\xbf\xbd\\u003c/b\\u003e"
	     "\xe2\x98\x83\"}");
	free(json);
	ddp_pprof_destroy(p);
}

/* Whichever write it is */
static void errors_of_the_output_are_answered(void **state)
{
	struct ddp_buffer text = { 0 };
	struct ddp_pprof *p;
	char line[64];

	(void)state;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(ddp_buffer_write(&text, line, (size_t)snprintf(line,
				 sizeof(line), "main;f%d 1\n", i)), 0);
	assert_int_equal(ddp_buffer_write(&text, "", 1), 0);
	p = report_collapsed((char *)text.bytes);
	for (int i = 0;; i++) {
		int left = i, r = ddp_speedscope_write(p, "x", 0, NULL, report_refuse, &left, NULL);

		if (!r) {
			assert_true(i > 4);
			break;
		}
		assert_int_equal(r, -ENOSPC);
	}
	ddp_buffer_free(&text);
	ddp_pprof_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_as_its_schema_says),
		cmocka_unit_test(stacks_are_written),
		cmocka_unit_test(units_are_those_of_the_schema),
		cmocka_unit_test(a_difference_is_refused),
		cmocka_unit_test(names_stay_in_their_strings),
		cmocka_unit_test(errors_of_the_output_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
