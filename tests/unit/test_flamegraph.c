// SPDX-License-Identifier: Apache-2.0
/*
 * collector/report/flamegraph: the data in the page, exactly, for one profile, for two and for one
 * of differences; that nothing in a profile can end the data's element. What the page makes of it
 * is looked at in a browser, by tests/browser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/flamegraph.h"
#include "report_profile.h"

static const struct ddp_value_type types[] = { { "samples", "count" }, { "time", "nanoseconds" } };
static const char element[] = "<script id=\"data\" type=\"application/json\">\n";

/* The page's data; @page is cut where it ends */
static char *data_of(struct ddp_buffer *page)
{
	char *start, *end;

	assert_int_equal(ddp_buffer_write(page, "", 1), 0);
	start = strstr((char *)page->bytes, element);
	assert_non_null(start);
	start += sizeof(element) - 1;
	end = strstr(start, "</script>");
	assert_non_null(end);
	/* after it comes the page's own script, and no other */
	assert_ptr_equal(strstr(end + 1, "<script>"), end + strlen("</script>\n"));
	*end = '\0';
	return start;
}

static char *graph(const struct ddp_pprof *p, size_t value, const char *label,
		   struct ddp_buffer *page)
{
	assert_int_equal(ddp_flamegraph_write(p, "title", value, label, ddp_buffer_write, page), 0);
	return data_of(page);
}

static void the_data_is_as_the_header_says(void **state)
{
	static const struct report_sample samples[] = {
		{ STACK(FN("main", "m.c", 3, "/bin/x"), FN("work", "w.c", 9, "/bin/x")),
		  { 2, 20 } },
		{ STACK(FN("main", "m.c", 5, "/bin/x"), FN("big", "", 0, "/lib/y")), { 1, 70 } },
		{ STACK(FN("main", "m.c", 3, "/bin/x")), { 1, 10 } },
	};
	struct ddp_pprof *p = report_profile(types, 2, samples, 3);
	struct ddp_buffer page = { 0 };

	(void)state;
	assert_string_equal(graph(p, 1, NULL, &page),
		"{\"title\":\"title\",\"diff\":false,\"value\":1,\n"
		"\"types\":[[\"samples\",\"count\"],[\"time\",\"nanoseconds\"]],\n"
		"\"info\":[\"2023-11-14 22:13:20 UTC, 2.50 s, 3 distinct samples\"],\n"
		"\"strings\":[\"\",\n\"work\",\n\"w.c\",\n\"/bin/x\",\n\"main\",\n\"m.c\",\n"
		"\"big\",\n\"/lib/y\"],\n"
		/* work, main with two lines, big */
		"\"frames\":[1,2,3,9,9,4,5,3,3,5,6,0,7,0,0],\n"
		/* the root, main, and below it the heavier big before work */
		"\"frame\":[-1,1,2,0],\n"
		"\"depth\":[0,1,2,2],\n"
		"\"self\":[[0,1,1,2],\n[0,10,70,20]]}\n");
	ddp_buffer_free(&page);
	ddp_pprof_destroy(p);
}

/* What follows "depth" and, for names, the list of strings */
static const struct {
	const char *what;
	struct report_sample samples[4];
	const char *label;
	const char *strings, *nodes;
} rows[] = {
	{ "nothing", { { .values = { 0 } } }, NULL, "[\"\"]", "[0],\n\"self\":[[0]]}" },
	{ "no stack", { { .values = { 3 } } }, NULL, "[\"\",\n\"[no stack]\"]",
	  "[0,1],\n\"self\":[[0,3]]}" },
	{ "inlined functions", { { STACK(FN("main"), FN("inner", .inlined = true)), { 3 } } }, NULL,
	  "[\"\",\n\"inner\",\n\"main\"]", "[0,1,2],\n\"self\":[[0,0,3]]}" },
	{ "no function", { { STACK({ .mapping = "/bin/x", .address = 16 }), { 3 } } }, NULL,
	  "[\"\",\n\"/bin/x+0x10\",\n\"/bin/x\"]", "[0,1],\n\"self\":[[0,3]]}" },
	{ "recursion", { { STACK(FN("f"), FN("f"), FN("f")), { 3 } } }, NULL,
	  "[\"\",\n\"f\"]", "[0,1,2,3],\n\"self\":[[0,0,0,3]]}" },
	{ "one frame below several", { { STACK(FN("a"), FN("x")), { 1 } },
	    { STACK(FN("b"), FN("x")), { 2 } } }, NULL,
	  "[\"\",\n\"x\",\n\"a\",\n\"b\"]", "[0,1,2,1,2],\n\"self\":[[0,0,2,0,1]]}" },
	{ "equal weights by name", { { STACK(FN("b")), { 1 } }, { STACK(FN("a")), { 1 } } }, NULL,
	  "[\"\",\n\"b\",\n\"a\"]", "[0,1,1],\n\"self\":[[0,1,1]]}" },
	{ "by a label", { { STACK(FN("f")), { 1 }, "who", "me" } }, "who",
	  "[\"\",\n\"f\",\n\"me\"]", "[0,1,2],\n\"self\":[[0,0,1]]}" },
	{ "sums stay at the limit",
	  { { STACK(FN("f", "f.c", 1)), { INT64_MAX } }, { STACK(FN("f", "f.c", 2)), { 1 } } },
	  NULL, "[\"\",\n\"f\",\n\"f.c\"]", "[0,1],\n\"self\":[[0,9223372036854775807]]}" },
	{ "differences: what went on one side, what came on the other",
	  { { STACK(FN("f")), { -3 } }, { STACK(FN("g")), { 2 } } }, NULL,
	  "[\"\",\n\"f\",\n\"g\"]", "[0,1,1],\n\"self\":[[0,3,0],\n[0,0,2]]}" },
	{ "the smallest number, as a difference",
	  { { STACK(FN("f")), { INT64_MIN } } }, NULL, "[\"\",\n\"f\"]",
	  "[0,1],\n\"self\":[[0,9223372036854775807],\n[0,0]]}" },
	{ "hostile names", { { STACK(FN("</script><b>\"\\&\n")), { 1 } } }, NULL,
	  "[\"\",\n\"\\u003c/script\\u003e\\u003cb\\u003e\\u0022\\u005c\\u0026\\u000a\"]",
	  "[0,1],\n\"self\":[[0,1]]}" },
};

static void check_part(const char *what, const char *json, const char *start, const char *expected)
{
	const char *got = strstr(json, start);

	if (!got || strncmp(got + strlen(start), expected, strlen(expected)))
		fail_msg("%s: %s, expected %s", what, got ? got : json, expected);
}

static void profiles_become_nodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_pprof *p = report_profile(types, 1, rows[i].samples, 4);
		struct ddp_buffer page = { 0 };
		const char *data = graph(p, 0, rows[i].label, &page);

		check_part(rows[i].what, data, "\"strings\":", rows[i].strings);
		check_part(rows[i].what, data, "\"depth\":", rows[i].nodes);
		ddp_buffer_free(&page);
		ddp_pprof_destroy(p);
	}
}

/* Two profiles */

static const struct {
	const char *what, *base, *other;
	const char *nodes;
} diffs[] = {
	{ "the same", "a;b 1\n", "a;b 1\n", "[0,1,2],\n\"self\":[[0,0,1],\n[0,0,1]]}" },
	{ "gone and new, the larger first", "a 1\n", "b 2\n",
	  "[0,1,1],\n\"self\":[[0,0,1],\n[0,2,0]]}" },
	{ "nothing before", "", "a 2\n", "[0,1],\n\"self\":[[0,0],\n[0,2]]}" },
	{ "nothing after", "a 2\n", "", "[0,1],\n\"self\":[[0,2],\n[0,0]]}" },
	{ "negative before is positive after", "a -2\n", "a 1\n",
	  "[0,1],\n\"self\":[[0,0],\n[0,3]]}" },
	{ "negative after is positive before", "a 2\n", "a -1\n",
	  "[0,1],\n\"self\":[[0,3],\n[0,0]]}" },
};

static void two_profiles_stay_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(diffs) / sizeof(diffs[0]); i++) {
		struct ddp_pprof *base = report_collapsed(diffs[i].base);
		struct ddp_pprof *other = report_collapsed(diffs[i].other);
		struct ddp_buffer page = { 0 };
		const char *data;

		assert_int_equal(ddp_flamegraph_diff(base, other, "t", 0, NULL, ddp_buffer_write,
						     &page, NULL), 0);
		data = data_of(&page);
		check_part(diffs[i].what, data, "\"diff\":", "true");
		check_part(diffs[i].what, data, "\"info\":[\"", "before: ");
		check_part(diffs[i].what, data, "\"depth\":", diffs[i].nodes);
		ddp_buffer_free(&page);
		ddp_pprof_destroy(base);
		ddp_pprof_destroy(other);
	}
}

/* Time and duration, of which 0 is not known */
static void what_is_not_known_is_not_said(void **state)
{
	static const struct {
		const char *what, *info;
		int64_t time_unix_ns, duration_ns;
	} infos[] = {
		{ "neither", "\"1 distinct samples\"", 0, 0 },
		{ "a duration", "\"0.50 s, 1 distinct samples\"", 0, 500000000 },
		{ "a time", "\"1970-01-01 00:00:01 UTC, 1 distinct samples\"", 1000000000, 0 },
	};
	struct ddp_pprof *p = report_collapsed("a 1\n");

	(void)state;
	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		struct ddp_buffer page = { 0 };

		p->time_unix_ns = infos[i].time_unix_ns;
		p->duration_ns = infos[i].duration_ns;
		check_part(infos[i].what, graph(p, 0, NULL, &page), "\"info\":[", infos[i].info);
		ddp_buffer_free(&page);
	}
	ddp_pprof_destroy(p);
}

static void value_types_are_matched_by_name_and_unit(void **state)
{
	static const struct ddp_value_type swapped[] = {
		{ "time", "nanoseconds" }, { "samples", "count" },
	}, others[] = { { "time", "seconds" }, { "samples", "count" } }, none = { "x", "count" };
	static const struct report_sample sample = { STACK(FN("f")), { 7, 1 } };
	struct ddp_pprof *base = report_profile(types, 2, &sample, 1);
	struct ddp_pprof *other = report_profile(swapped, 2, &sample, 1);
	struct ddp_pprof *partly = report_profile(others, 2, &sample, 1);
	struct ddp_pprof *strange = report_profile(&none, 1, &sample, 1);
	struct ddp_buffer page = { 0 };
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_flamegraph_diff(base, other, "t", 1, NULL, ddp_buffer_write, &page,
					     &err), 0);
	check_part("order of the second", data_of(&page), "\"value\":", "1,\n\"types\":"
		   "[[\"time\",\"nanoseconds\"],[\"samples\",\"count\"]]");
	check_part("values of the same type", (char *)page.bytes, "\"self\":",
		   "[[0,1],\n[0,7],\n[0,7],\n[0,1]]");
	ddp_buffer_free(&page);
	assert_int_equal(ddp_flamegraph_diff(base, partly, "t", 1, NULL, ddp_buffer_write, &page,
					     &err), 0);
	check_part("only one in common", data_of(&page), "\"value\":",
		   "0,\n\"types\":[[\"samples\",\"count\"]]");
	ddp_buffer_free(&page);
	assert_int_equal(ddp_flamegraph_diff(base, strange, "t", 0, NULL, ddp_buffer_write, &page,
					     &err), -EINVAL);
	assert_string_equal(err.text, "the two profiles have no value type in common");
	ddp_pprof_destroy(base);
	ddp_pprof_destroy(other);
	ddp_pprof_destroy(partly);
	ddp_pprof_destroy(strange);
}

/* The page around it */

static void the_page_allows_itself_nothing_from_outside(void **state)
{
	static const char *const needed[] = {
		"<!doctype html>\n", "default-src 'none'; script-src 'sha256-",
		"style-src 'sha256-", "; worker-src blob:; ",
		"base-uri 'none'; form-action 'none'\">",
	}, *const unwanted[] = { "http://", "https://", "unsafe-", "eval(", "innerHTML", "@DATA@" };
	struct ddp_pprof *p = report_collapsed("a 1\n");
	struct ddp_buffer page = { 0 };

	(void)state;
	assert_int_equal(ddp_flamegraph_write(p, "t", 0, NULL, ddp_buffer_write, &page), 0);
	assert_int_equal(ddp_buffer_write(&page, "", 1), 0);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_non_null(strstr((char *)page.bytes, needed[i]));
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
		if (strstr((char *)page.bytes, unwanted[i]))
			fail_msg("the page has %s", unwanted[i]);
	assert_string_equal((char *)page.bytes + page.len - 1 - strlen("</html>\n"), "</html>\n");
	ddp_buffer_free(&page);
	ddp_pprof_destroy(p);
}

static void errors_of_the_output_are_answered(void **state)
{
	struct ddp_pprof *p = report_collapsed("a;b 1\nc 2\n");
	int writes = 0;

	(void)state;
	for (;; writes++) {
		int left = writes, r = ddp_flamegraph_write(p, "t", 0, NULL, report_refuse, &left);

		if (!r)
			break;
		assert_int_equal(r, -ENOSPC);
	}
	assert_true(writes > 1);
	ddp_pprof_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_is_as_the_header_says),
		cmocka_unit_test(profiles_become_nodes),
		cmocka_unit_test(two_profiles_stay_apart),
		cmocka_unit_test(what_is_not_known_is_not_said),
		cmocka_unit_test(value_types_are_matched_by_name_and_unit),
		cmocka_unit_test(the_page_allows_itself_nothing_from_outside),
		cmocka_unit_test(errors_of_the_output_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
