// SPDX-License-Identifier: Apache-2.0
/*
 * collector/report/collapsed: text from profiles, profiles from text, names that come back whatever
 * is in them, and text that is none.
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

#include "report/calltree.h"
#include "report/collapsed.h"
#include "report_profile.h"

static const struct ddp_value_type types[] = { { "samples", "count" }, { "time", "nanoseconds" } };

static char *collapse(const struct ddp_pprof *p, size_t value, const char *label)
{
	struct ddp_buffer b = { 0 };

	assert_int_equal(ddp_collapsed_write(p, value, label, ddp_buffer_write, &b), 0);
	assert_int_equal(ddp_buffer_write(&b, "", 1), 0);
	return (char *)b.bytes;
}

static void check_text(const char *what, const struct ddp_pprof *p, size_t value,
		       const char *label, const char *expected)
{
	char *text = collapse(p, value, label);

	if (strcmp(text, expected))
		fail_msg("%s: got\n%snot\n%s", what, text, expected);
	free(text);
}

/* Writing */

static const struct {
	const char *what;
	struct report_sample samples[4];
	size_t value;
	const char *label;
	const char *text;
} written[] = {
	{ "nothing", { { .values = { 0 } } }, 0, NULL, "" },
	{ "outermost first", { { STACK(FN("main"), FN("work")), { 3 } } }, 0, NULL,
	  "main;work 3\n" },
	{ "a caller's own value, and order by name",
	  { { STACK(FN("main"), FN("work")), { 3 } }, { STACK(FN("main")), { 2 } },
	    { STACK(FN("main"), FN("idle")), { 1 } } }, 0, NULL,
	  "main 2\nmain;idle 1\nmain;work 3\n" },
	{ "the value that was asked for, without zeros",
	  { { STACK(FN("a")), { 1, 20 } }, { STACK(FN("b")), { 1 } } }, 1, NULL, "a 20\n" },
	{ "values that add up to 0",
	  { { STACK(FN("a", "x.c")), { 5 } }, { STACK(FN("a", "y.c")), { -5 } } }, 0, NULL, "" },
	{ "a difference", { { STACK(FN("a")), { -7 } }, { STACK(FN("b")), { 7 } } }, 0, NULL,
	  "a -7\nb 7\n" },
	{ "sums stay at the limit",
	  { { STACK(FN("a", "x.c")), { INT64_MAX } }, { STACK(FN("a", "y.c")), { 1 } } }, 0, NULL,
	  "a 9223372036854775807\n" },
	{ "the same name in other files and mappings is one frame",
	  { { STACK(FN("a", "x.c", 1, "/bin/x")), { 1 } }, { STACK(FN("a", "y.c", 2)), { 2 } } },
	  0, NULL, "a 3\n" },
	{ "inlined functions each have a place",
	  { { STACK(FN("main"), FN("inner", .inlined = true), FN("innermost", .inlined = true)),
	      { 1 } } }, 0, NULL, "main;inner;innermost 1\n" },
	{ "no function: mapping and address",
	  { { STACK(FN("main"), { .mapping = "/bin/x", .address = 0x1f }), { 1 } } }, 0, NULL,
	  "main;/bin/x+0x1f 1\n" },
	{ "neither function nor mapping", { { STACK({ .address = 0xabc }), { 1 } } }, 0, NULL,
	  "[unknown]+0xabc 1\n" },
	{ "no stack at all", { { .values = { 4 } } }, 0, NULL, "[no stack] 4\n" },
	{ "names with what separates",
	  { { STACK(FN("a;b"), FN("c\nd\re"), FN("f g")), { 1 } } }, 0, NULL,
	  "a\\x3bb;c\\x0ad\\x0de;f g 1\n" },
	{ "backslashes, and one that would be misread",
	  { { STACK(FN("A\\B"), FN("\\x41\\"), FN("\\x3b")), { 1 } } }, 0, NULL,
	  "A\\B;\\x41\\;\\x5cx3b 1\n" },
	{ "by a label",
	  { { STACK(FN("main")), { 1 }, "who", "me" },
	    { STACK(FN("main")), { 2 }, "who", .num = 7 },
	    { STACK(FN("main")), { 4 }, "other", "x" } }, 0, "who",
	  "[none];main 4\nme;main 1\nwho 7;main 2\n" },
};

static void stacks_are_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		struct ddp_pprof *p = report_profile(types, 2, written[i].samples, 4);

		check_text(written[i].what, p, written[i].value, written[i].label, written[i].text);
		ddp_pprof_destroy(p);
	}
}

/* The builder repairs names, other people's files may not */
static void names_that_are_no_utf8_are_repaired(void **state)
{
	const struct ddp_pprof_function f = {
		.id = 1, .name = "a\xff;\xe2\x98", .system_name = "", .filename = "",
	};
	const struct ddp_pprof_line line = { .function = &f };
	const struct ddp_pprof_location location = { .id = 1, .lines = &line, .nr_lines = 1 };
	const struct ddp_pprof_location *stack = &location;
	const struct ddp_pprof_sample sample = {
		.locations = &stack, .nr_locations = 1, .values = (int64_t[]){ 1 },
	};
	const struct ddp_pprof p = {
		.sample_types = types, .nr_sample_types = 1, .samples = &sample, .nr_samples = 1,
		.locations = &location, .nr_locations = 1, .functions = &f, .nr_functions = 1,
	};

	(void)state;
	check_text("no UTF-8", &p, 0, NULL, "a\xef\xbf\xbd\\x3b\xef\xbf\xbd 1\n");
}

/* Reading */

static const struct {
	const char *what, *text, *again;
} read_rows[] = {
	{ "nothing", "", "" },
	{ "one line without a newline", "main;work 3", "main;work 3\n" },
	{ "equal stacks add up", "a;b 1\nc 1\na;b 2\n", "a;b 3\nc 1\n" },
	{ "empty lines and CR LF", "\r\n\na 1\r\n\r\nb 2\r\n\n", "a 1\nb 2\n" },
	{ "spaces belong to names", "operator new (x); b 3\n", "operator new (x); b 3\n" },
	{ "a trailing space belongs to the name", "a  3\n", "a  3\n" },
	{ "frames without a name", ";a;; 3\n", "[unknown];a;[unknown];[unknown] 3\n" },
	{ "no frame", " 3\n", "[unknown] 3\n" },
	{ "zero counts for nothing", "a 0\n", "" },
	{ "the largest and the smallest", "a 9223372036854775807\nb -9223372036854775808\n",
	  "a 9223372036854775807\nb -9223372036854775808\n" },
	{ "sums stay at the limit", "a 9223372036854775807\na 1\n", "a 9223372036854775807\n" },
	{ "escapes", "a\\x3bb;c\\x0ad\\x0d;\\x5cx3b;\\x41;\\ 1\n",
	  "a\\x3bb;c\\x0ad\\x0d;\\x5cx3b;\\x41;\\ 1\n" },
	{ "no UTF-8", "a\xff 1\n", "a\xef\xbf\xbd 1\n" },
};

static void text_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(read_rows) / sizeof(read_rows[0]); i++) {
		struct ddp_pprof *p = report_collapsed(read_rows[i].text);

		assert_int_equal(p->nr_sample_types, 1);
		assert_string_equal(p->sample_types[0].type, "samples");
		check_text(read_rows[i].what, p, 0, NULL, read_rows[i].again);
		ddp_pprof_destroy(p);
	}
}

static const struct {
	const char *what, *text, *error;
} refused[] = {
	{ "no number", "a 1\nb\n", "line 2: does not end" },
	{ "no number behind the space", "a;b \n", "line 1: does not end" },
	{ "a fraction", "\n\na 1.5\n", "line 3: does not end" },
	{ "a sign alone", "a -\n", "line 1: does not end" },
	{ "a plus", "a +1\n", "line 1: does not end" },
	{ "one too large", "a 9223372036854775808\n", "line 1: does not end" },
	{ "one too small", "a -9223372036854775809\n", "line 1: does not end" },
	{ "far too large", "a 99999999999999999999999999\n", "line 1: does not end" },
	{ "a number in another base", "a 0x10\n", "line 1: does not end" },
	{ "a gzip file", "\x1f\x8b\x08\x01\x02\n", "line 1: does not end" },
};

static void check_refused(const char *what, const char *text, size_t n, int expected,
			  const char *error)
{
	struct ddp_pprof *p = NULL;
	struct ddp_error err = { "" };
	int r = ddp_collapsed_read(text, n, types, &p, &err);

	if (r != expected || p || strncmp(err.text, error, strlen(error)))
		fail_msg("%s: answers %d, \"%s\"", what, r, err.text);
}

static void what_is_no_text_is_refused_by_line(void **state)
{
	static const char nul[] = "a 1\nb\0c 2\n";

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check_refused(refused[i].what, refused[i].text, strlen(refused[i].text), -EBADMSG,
			      refused[i].error);
	check_refused("a NUL byte", nul, sizeof(nul) - 1, -EBADMSG, "line 2: has a NUL");
}

/* "a 1", then a line of @n bytes made of @unit */
static char *long_text(const char *unit, size_t n, size_t *ret)
{
	char *text = malloc(n + 16);
	size_t len = (size_t)sprintf(text, "a 1\n");

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[len++] = unit[i % strlen(unit)];
	*ret = len + (size_t)sprintf(text + len, " 1\n");
	return text;
}

static void limits_are_kept(void **state)
{
	size_t n;
	char *text = long_text("x", DDP_COLLAPSED_MAX_LINE - 2, &n);
	struct ddp_pprof *p;

	(void)state;
	assert_int_equal(ddp_collapsed_read(text, n, types, &p, NULL), 0);
	ddp_pprof_destroy(p);
	free(text);

	text = long_text("x", DDP_COLLAPSED_MAX_LINE - 1, &n);
	check_refused("a line too long", text, n, -EFBIG, "line 2: longer than 4194304 bytes");
	free(text);

	text = long_text("x;", 2 * DDP_PPROF_MAX_FRAMES - 1, &n);
	assert_int_equal(ddp_collapsed_read(text, n, types, &p, NULL), 0);
	ddp_pprof_destroy(p);
	free(text);

	text = long_text("x;", 2 * DDP_PPROF_MAX_FRAMES, &n);
	check_refused("a stack too deep", text, n, -EFBIG, "line 2: more than 65536 frames");
	free(text);
}

/* Any name */

static void random_name(unsigned int *seed, char ret[12])
{
	static const char letters[] = ";\n\r\\\\x35abcd0 \t\"\x7f";
	size_t n = 1 + rand_r(seed) % 10;

	for (size_t i = 0; i < n; i++)
		ret[i] = letters[(size_t)rand_r(seed) % (sizeof(letters) - 1)];
	ret[n] = '\0';
}

static void any_name_comes_back(void **state)
{
	unsigned int seed = 20261121;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		char names[3][12];
		struct report_sample s = { .values = { 1 } };
		struct ddp_pprof *p, *q;
		char *text;

		for (int k = 0; k < 3; k++) {
			random_name(&seed, names[k]);
			s.stack[k].function = names[k];
		}
		p = report_profile(types, 1, &s, 1);
		text = collapse(p, 0, NULL);
		q = report_collapsed(text);
		assert_int_equal(q->nr_samples, 1);
		assert_int_equal(q->samples[0].nr_locations, 3);
		for (int k = 0; k < 3; k++)
			assert_string_equal(q->samples[0].locations[2 - k]->lines[0].function->name,
					    names[k]);
		free(text);
		ddp_pprof_destroy(p);
		ddp_pprof_destroy(q);
	}
}

/* Writing that fails */

static int write_some(void *left, const void *bytes, size_t n)
{
	(void)bytes;
	if (*(size_t *)left < n)
		return -ENOSPC;
	*(size_t *)left -= n;
	return 0;
}

static void errors_of_the_output_are_answered(void **state)
{
	struct ddp_pprof *p = report_collapsed("a;b 1\nc 2\n");
	size_t left = 0;

	(void)state;
	assert_int_equal(ddp_collapsed_write(p, 0, NULL, write_some, &left), -ENOSPC);
	left = 10;
	assert_int_equal(ddp_collapsed_write(p, 0, NULL, write_some, &left), 0);
	assert_int_equal(left, 0);
	ddp_pprof_destroy(p);
}

static int drop(void *total, const void *bytes, size_t n)
{
	(void)bytes;
	*(uint64_t *)total += n;
	return 0;
}

/* 64 KB of text that would become 256 GB: a deep stack of one long name */
static void small_files_do_not_fill_disks(void **state)
{
	struct ddp_pprof_function f = { .id = 1, .system_name = "", .filename = "" };
	const struct ddp_pprof_line line = { .function = &f };
	const struct ddp_pprof_location location = { .id = 1, .lines = &line, .nr_lines = 1 };
	const struct ddp_pprof_location **stack = calloc(65536, sizeof(*stack));
	char *name = calloc(1, 4 << 20);
	struct ddp_pprof_sample sample = {
		.locations = stack, .nr_locations = 65536, .values = (int64_t[]){ 1 },
	};
	const struct ddp_pprof p = {
		.sample_types = types, .nr_sample_types = 1, .samples = &sample, .nr_samples = 1,
		.locations = &location, .nr_locations = 1, .functions = &f, .nr_functions = 1,
	};
	uint64_t total = 0;

	(void)state;
	assert_non_null(stack);
	assert_non_null(name);
	memset(name, 'x', (4 << 20) - 1);
	f.name = name;
	for (int i = 0; i < 65536; i++)
		stack[i] = &location;
	assert_int_equal(ddp_collapsed_write(&p, 0, NULL, drop, &total), -EFBIG);
	assert_true(total <= (uint64_t)2 << 30);
	free(stack);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_are_written),
		cmocka_unit_test(names_that_are_no_utf8_are_repaired),
		cmocka_unit_test(text_is_read),
		cmocka_unit_test(what_is_no_text_is_refused_by_line),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(any_name_comes_back),
		cmocka_unit_test(errors_of_the_output_are_answered),
		cmocka_unit_test(small_files_do_not_fill_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
