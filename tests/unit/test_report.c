// SPDX-License-Identifier: Apache-2.0
/*
 * collector/report's other parts: what each function took (functions), which form a file has and
 * which value is meant (format), and every form there and back through the same door.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <ddprof/compress.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/functions.h"
#include "report_profile.h"

static const struct ddp_value_type types[] = { { "samples", "count" }, { "time", "nanoseconds" } };

/* Functions */

/* "name flat cumulative" of the first side, in order; of both sides for a comparison */
static void print_functions(const struct ddp_functions *f, unsigned int sides, char *ret,
			    size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < f->nr; i++) {
		const struct ddp_function_sums *e = &f->entries[i];

		used += (size_t)snprintf(ret + used, size - used, "%s", e->name);
		for (unsigned int s = 0; s < sides; s++)
			used += (size_t)snprintf(ret + used, size - used, " %lld %lld",
						 (long long)e->flat[s],
						 (long long)e->cumulative[s]);
		used += (size_t)snprintf(ret + used, size - used, "\n");
	}
}

static const struct {
	const char *what;
	struct report_sample samples[4];
	enum ddp_functions_order order;
	const char *text;
	int64_t sum, total;
} sums[] = {
	{ "nothing", { { .values = { 0 } } }, DDP_BY_FLAT, "", 0, 0 },
	{ "flat is the leaf's, cumulative everybody's",
	  { { STACK(FN("main"), FN("work")), { 3 } }, { STACK(FN("main")), { 1 } } }, DDP_BY_FLAT,
	  "work 3 3\nmain 1 4\n", 4, 4 },
	{ "by cumulative value",
	  { { STACK(FN("main"), FN("work")), { 3 } }, { STACK(FN("main")), { 1 } } },
	  DDP_BY_CUMULATIVE, "main 1 4\nwork 3 3\n", 4, 4 },
	{ "equal values by name", { { STACK(FN("b")), { 1 } }, { STACK(FN("a")), { 1 } } },
	  DDP_BY_FLAT, "a 1 1\nb 1 1\n", 2, 2 },
	{ "recursion counts once", { { STACK(FN("f"), FN("g"), FN("f")), { 2 } } }, DDP_BY_FLAT,
	  "f 2 2\ng 0 2\n", 2, 2 },
	{ "recursion at other lines counts once", { { STACK(FN("f", "x", 1), FN("f", "x", 2)),
	    { 2 } } }, DDP_BY_FLAT, "f 2 2\n", 2, 2 },
	{ "of inlined functions the innermost is the leaf",
	  { { STACK(FN("main"), FN("inner", .inlined = true)), { 2 } } }, DDP_BY_FLAT,
	  "inner 2 2\nmain 0 2\n", 2, 2 },
	{ "no function: mapping and address",
	  { { STACK({ .mapping = "/bin/x", .address = 16 }, { .address = 32 }), { 1 } } },
	  DDP_BY_FLAT, "[unknown]+0x20 1 1\n/bin/x+0x10 0 1\n", 1, 1 },
	{ "samples without a stack are in the sum", { { .values = { 5 } } }, DDP_BY_FLAT, "",
	  5, 5 },
	{ "differences by their size, in percent of all change",
	  { { STACK(FN("less")), { -5 } }, { STACK(FN("more")), { 2 } } }, DDP_BY_FLAT,
	  "less -5 -5\nmore 2 2\n", -3, 7 },
	{ "a difference that says its base, in percent of that",
	  { { STACK(FN("f")), { -5 }, DDP_PPROF_BASE_LABEL, "true" }, { STACK(FN("f")), { 7 } } },
	  DDP_BY_FLAT, "f 2 2\n", 2, 5 },
	{ "a label that only looks like a base's",
	  { { STACK(FN("f")), { -5 }, DDP_PPROF_BASE_LABEL, "no" }, { STACK(FN("f")), { 7 } } },
	  DDP_BY_FLAT, "f 2 2\n", 2, 12 },
	{ "functions of nothing", { { STACK(FN("main"), FN("gone")), { 0, 1 } },
	    { STACK(FN("main")), { 1 } } }, DDP_BY_FLAT, "main 1 1\n", 1, 1 },
	{ "sums stay at the limits",
	  { { STACK(FN("f", "f.c", 1)), { INT64_MAX } }, { STACK(FN("f", "f.c", 2)), { 9 } } },
	  DDP_BY_FLAT, "f 9223372036854775807 9223372036854775807\n", INT64_MAX, INT64_MAX },
	{ "the smallest number", { { STACK(FN("f")), { INT64_MIN } } }, DDP_BY_FLAT,
	  "f -9223372036854775808 -9223372036854775808\n", INT64_MIN, INT64_MAX },
};

static void functions_are_summed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		struct ddp_pprof *p = report_profile(types, 2, sums[i].samples, 4);
		struct ddp_functions f = { 0 };
		char text[256];

		assert_int_equal(ddp_functions_add(&f, p, 0, 0), 0);
		ddp_functions_sort(&f, sums[i].order);
		print_functions(&f, 1, text, sizeof(text));
		if (strcmp(text, sums[i].text) || f.sum[0] != sums[i].sum ||
		    f.total[0] != sums[i].total)
			fail_msg("%s: got %s, sum %lld, total %lld", sums[i].what, text,
				 (long long)f.sum[0], (long long)f.total[0]);
		ddp_functions_free(&f);
		ddp_pprof_destroy(p);
	}
}

static const struct {
	const char *what, *base, *other;
	enum ddp_functions_order order;
	const char *text;
} changes[] = {
	{ "by the size of the flat change", "a 5\nb 9\nc 1\n", "a 6\nb 2\nc 4\n",
	  DDP_BY_FLAT_CHANGE, "b 9 9 2 2\nc 1 1 4 4\na 5 5 6 6\n" },
	{ "by the cumulative change", "main;a 1\n", "main;a 1\nmain;b 2\nmain 1\n",
	  DDP_BY_CUMULATIVE_CHANGE, "main 0 1 1 4\nb 0 0 2 2\na 1 1 1 1\n" },
	{ "functions of one side only", "gone 3\n", "new 3\n", DDP_BY_FLAT_CHANGE,
	  "gone 3 3 0 0\nnew 0 0 3 3\n" },
	{ "a change past the largest number", "a -9223372036854775808\nb 1\n",
	  "a 9223372036854775807\nb 3\n", DDP_BY_FLAT_CHANGE,
	  "a -9223372036854775808 -9223372036854775808 9223372036854775807 9223372036854775807\n"
	  "b 1 1 3 3\n" },
};

static void two_sides_are_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct ddp_pprof *base = report_collapsed(changes[i].base);
		struct ddp_pprof *other = report_collapsed(changes[i].other);
		struct ddp_functions f = { 0 };
		char text[512];

		assert_int_equal(ddp_functions_add(&f, base, 0, 0), 0);
		assert_int_equal(ddp_functions_add(&f, other, 0, 1), 0);
		ddp_functions_sort(&f, changes[i].order);
		print_functions(&f, DDP_SIDES, text, sizeof(text));
		if (strcmp(text, changes[i].text))
			fail_msg("%s: got\n%s", changes[i].what, text);
		ddp_functions_free(&f);
		ddp_pprof_destroy(base);
		ddp_pprof_destroy(other);
	}
}

/* A megabyte of text could say so */
static void stacks_deeper_than_any_are_refused(void **state)
{
	enum { LINES = 1024, DEPTH = 1025 };
	static const struct ddp_pprof_line lines[LINES];
	const struct ddp_pprof_location location = { .id = 1, .lines = lines, .nr_lines = LINES };
	const struct ddp_pprof_location *stack[DEPTH];
	struct ddp_pprof_sample sample = { .locations = stack, .values = (int64_t[]){ 1 } };
	const struct ddp_pprof p = {
		.sample_types = types, .nr_sample_types = 1, .samples = &sample, .nr_samples = 1,
		.locations = &location, .nr_locations = 1, .default_sample_type = "",
	};
	const struct ddp_format_options o = { .title = "t" };
	struct ddp_error err;

	(void)state;
	for (size_t i = 0; i < DEPTH; i++)
		stack[i] = &location;
	for (int f = DDP_FORMAT_COLLAPSED; f <= DDP_FORMAT_HTML; f++) {
		struct ddp_buffer b = { 0 };

		sample.nr_locations = DEPTH - 1;
		assert_int_equal(ddp_format_write(&p, f, &o, ddp_buffer_write, &b, &err), 0);
		sample.nr_locations = DEPTH;
		assert_int_equal(ddp_format_write(&p, f, &o, ddp_buffer_write, &b, &err), -EFBIG);
		ddp_buffer_free(&b);
	}
}

/* Forms */

static void a_name_tells_the_form(void **state)
{
	static const struct {
		const char *path;
		int r;
		enum ddp_format format;
	} names[] = {
		{ "cpu.pprof", 0, DDP_FORMAT_GZIP }, { "/a/cpu.pb.gz", 0, DDP_FORMAT_GZIP },
		{ "cpu.pprof.lz4", 0, DDP_FORMAT_LZ4 }, { "cpu.pprof.zst", 0, DDP_FORMAT_ZSTD },
		{ "cpu.pb", 0, DDP_FORMAT_PLAIN }, { "a.collapsed", 0, DDP_FORMAT_COLLAPSED },
		{ "a.folded", 0, DDP_FORMAT_COLLAPSED }, { "a.txt", 0, DDP_FORMAT_COLLAPSED },
		{ "a.speedscope.json", 0, DDP_FORMAT_SPEEDSCOPE }, { "a.html", 0, DDP_FORMAT_HTML },
		{ "a.htm", 0, DDP_FORMAT_HTML }, { "-", -EINVAL, 0 }, { "", -EINVAL, 0 },
		{ "pprof", -EINVAL, 0 }, { "a.html.bak", -EINVAL, 0 }, { "a.svg", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		enum ddp_format format = DDP_FORMAT_AUTO;

		if (ddp_format_from_path(names[i].path, &format) != names[i].r ||
		    format != names[i].format)
			fail_msg("%s: answers %d", names[i].path, format);
	}
	for (int i = 0; i <= DDP_FORMAT_HTML; i++)
		assert_non_null(ddp_format_names[i]);
	assert_null(ddp_format_names[DDP_FORMAT_HTML + 1]);
}

static void a_value_is_found_by_name_or_position(void **state)
{
	static const struct {
		const char *what, *wanted, *usual;
		int r;
		size_t value;
	} wishes[] = {
		{ "none: the last", NULL, "", 0, 1 },
		{ "none: the profile's default", NULL, "samples", 0, 0 },
		{ "none: a default that is not there", NULL, "x", 0, 1 },
		{ "by name", "samples", "", 0, 0 }, { "by position", "0", "time", 0, 0 },
		{ "by name and unit", "time/nanoseconds", "", 0, 1 },
		{ "another unit", "time/seconds", "", -EINVAL, 9 },
		{ "no unit", "time/", "", -EINVAL, 9 }, { "half a name", "tim", "", -EINVAL, 9 },
		{ "no such name", "cpu", "", -EINVAL, 9 },
		{ "no such position", "2", "", -EINVAL, 9 },
		{ "a negative position", "-1", "", -EINVAL, 9 }, { "nothing", "", "", -EINVAL, 9 },
		{ "half a position", "1x", "", -EINVAL, 9 }, { "a space", " 1", "", -EINVAL, 9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		const struct ddp_pprof p = {
			.sample_types = types, .nr_sample_types = 2,
			.default_sample_type = wishes[i].usual,
		};
		struct ddp_error err = { "" };
		size_t value = 9;

		if (ddp_format_find_value(&p, wishes[i].wanted, &value, &err) != wishes[i].r ||
		    value != wishes[i].value)
			fail_msg("%s: answers %zu, %s", wishes[i].what, value, err.text);
		if (wishes[i].r)
			assert_non_null(strstr(err.text, ", only samples/count, time/nanoseconds"));
	}
}

/* They may have one name, or none */
static void values_are_told_apart_by_unit(void **state)
{
	static const struct ddp_value_type twins[] = {
		{ "time", "nanoseconds" }, { "time", "milliseconds" }, { "", "" }, { "x", "" },
	};
	const struct ddp_pprof p = {
		.sample_types = twins, .nr_sample_types = 4, .default_sample_type = "",
	};
	static const struct {
		const char *wanted;
		size_t value;
	} wishes[] = {
		{ "time", 0 }, { "time/nanoseconds", 0 }, { "time/milliseconds", 1 }, { "/", 2 },
		{ "x/", 3 }, { NULL, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct ddp_error err = { "" };
		size_t value = 9;

		ddp_format_find_value(&p, wishes[i].wanted, &value, &err);
		if (value != wishes[i].value)
			fail_msg("%s: answers %zu, %s", wishes[i].wanted, value, err.text);
	}
}

static void a_profile_without_values_has_none_to_find(void **state)
{
	const struct ddp_pprof p = { .default_sample_type = "" };
	struct ddp_error err = { "" };
	size_t value;

	(void)state;
	assert_int_equal(ddp_format_find_value(&p, NULL, &value, &err), -EINVAL);
	assert_string_equal(err.text, "the profile has no value types");
}

/* Each form that can be read, with what it starts with */
static void what_was_written_is_read(void **state)
{
	static const struct {
		enum ddp_format format;
		int compression;	/* -1: no pprof */
	} forms[] = {
		{ DDP_FORMAT_GZIP, DDP_GZIP }, { DDP_FORMAT_LZ4, DDP_LZ4 },
		{ DDP_FORMAT_ZSTD, DDP_ZSTD }, { DDP_FORMAT_PLAIN, DDP_PLAIN },
		{ DDP_FORMAT_COLLAPSED, -1 },
	};
	struct ddp_pprof *p = report_collapsed("a;b 1\nc 2\n"), *again;
	const struct ddp_format_options o = { .title = "t" };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		enum ddp_format as = forms[i].compression < 0 ? forms[i].format : DDP_FORMAT_AUTO;
		struct ddp_buffer b = { 0 };
		struct ddp_error err;

		assert_int_equal(ddp_format_write(p, forms[i].format, &o, ddp_buffer_write, &b,
						  &err), 0);
		if (forms[i].compression >= 0)
			assert_int_equal(ddp_compression_detect(b.bytes, b.len),
					 forms[i].compression);
		assert_int_equal(ddp_format_read(b.bytes, b.len, as, types, &again, &err), 0);
		assert_int_equal(again->nr_samples, 2);
		assert_int_equal(again->samples[0].values[0] + again->samples[1].values[0], 3);
		ddp_pprof_destroy(again);
		ddp_buffer_free(&b);
	}
	ddp_pprof_destroy(p);
}

/* However it is called */
static void only_pprof_can_look_so(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
		bool r;
	} rows[] = {
		{ "nothing", "", 0, false },
		{ "a stack", "main;read 17\n", 13, false },
		{ "gzip", "\x1f\x8b\x08", 3, true },
		{ "LZ4", "\x04\x22\x4d\x18", 4, true },
		{ "zstd", "\x28\xb5\x2f\xfd", 4, true },
		{ "an empty string table", "\x32\x00", 2, true },
		{ "a page", "<!DOCTYPE html>", 15, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ddp_format_is_pprof(rows[i].bytes, rows[i].n) != rows[i].r)
			fail_msg("%s", rows[i].name);
}

/* Of two profiles: what is said when the label is in neither; NULL: it is in one */
static void a_label_is_found_in_any_sample(void **state)
{
	static const struct report_sample first[] = {
		{ STACK(FN("a")), .values = { 1 }, .key = "process_name", .str = "sh" },
		{ STACK(FN("b")), .values = { 1 }, .key = "thread id", .num = 7 },
		{ STACK(FN("c")), .values = { 1 }, .key = "process_name", .str = "cat" },
	}, second[] = {
		{ STACK(FN("a")), .values = { 1 }, .key = "shard", .num = 0 },
	};
	static const struct {
		const char *label, *error;
	} rows[] = {
		{ "process_name", NULL }, { "thread id", NULL }, { "shard", NULL },
		{ "process", "no sample has a label process, only process_name, thread id, shard" },
		{ "", "no sample has a label , only process_name, thread id, shard" },
	};
	struct ddp_pprof *p = report_profile(types, 1, first, 3);
	struct ddp_pprof *q = report_profile(types, 1, second, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		int r = ddp_format_find_label((const struct ddp_pprof *const[]){ p, q }, 2,
					      rows[i].label, &err);

		if (r != (rows[i].error ? -EINVAL : 0) || strcmp(err.text, rows[i].error ?: ""))
			fail_msg("%s: %d, '%s'", rows[i].label, r, err.text);
	}
	ddp_pprof_destroy(p);
	ddp_pprof_destroy(q);
}

static void of_no_samples_no_label_is_missed(void **state)
{
	struct ddp_pprof *empty = report_collapsed(""), *bare = report_collapsed("a 1\n");
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_format_find_label((const struct ddp_pprof *const *)&empty, 1, "x",
					       &err), 0);
	assert_int_equal(ddp_format_find_label((const struct ddp_pprof *const *)&bare, 1, "x",
					       &err), -EINVAL);
	assert_string_equal(err.text, "no sample has a label x, nor any other");
	ddp_pprof_destroy(empty);
	ddp_pprof_destroy(bare);
}

static void pages_and_speedscope_are_only_written(void **state)
{
	static const enum ddp_format forms[] = { DDP_FORMAT_HTML, DDP_FORMAT_SPEEDSCOPE };
	struct ddp_pprof *p = report_collapsed("a 1\n"), *again;
	const struct ddp_format_options o = { .title = "t" };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct ddp_buffer b = { 0 };
		struct ddp_error err;

		assert_int_equal(ddp_format_write(p, forms[i], &o, ddp_buffer_write, &b, &err), 0);
		assert_int_equal(ddp_format_read(b.bytes, b.len, forms[i], types, &again, &err),
				 -EOPNOTSUPP);
		assert_non_null(strstr(err.text, "can only be written"));
		ddp_buffer_free(&b);
	}
	ddp_pprof_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_summed),
		cmocka_unit_test(two_sides_are_compared),
		cmocka_unit_test(stacks_deeper_than_any_are_refused),
		cmocka_unit_test(a_name_tells_the_form),
		cmocka_unit_test(a_value_is_found_by_name_or_position),
		cmocka_unit_test(values_are_told_apart_by_unit),
		cmocka_unit_test(a_profile_without_values_has_none_to_find),
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(only_pprof_can_look_so),
		cmocka_unit_test(a_label_is_found_in_any_sample),
		cmocka_unit_test(of_no_samples_no_label_is_missed),
		cmocka_unit_test(pages_and_speedscope_are_only_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
