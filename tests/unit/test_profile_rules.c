// SPDX-License-Identifier: Apache-2.0
/*
 * What is joined to samples and done to their values when they are encoded: endpoints and
 * upscaling rules. A row is a program of calls, a line each, and the samples that come out:
 *
 *	add 1,2 k=v,n=#7 @5		values, labels ("-" for none), timestamp
 *	endpoint 10 /shop		of a local root span id, a u64
 *	count /shop 3			of an endpoint
 *	scale 0,1 x2.7 k=v		offsets, what to do, label; without label: by value
 *	scale 1 poisson:1,2,10		sum, count, distance
 *	scale 1 constant:1,5,10		sum, count (a constant), distance
 *	reset
 *
 * A line that ends in "! NAME" is refused with that error, and must change nothing. The label
 * keys lrsi and endpoint stand for "local root span id" and "trace endpoint".
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profile_encoded.h"

enum { MAX_VALUES = 100 };

static int error_number(const char *name)
{
	static const struct {
		const char *name;
		int r;
	} errors[] = {
		{ "EINVAL", -EINVAL }, { "EEXIST", -EEXIST }, { "ESTALE", -ESTALE },
	};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].r;
	fail_msg("no error %s", name);
	return 0;
}

static uint32_t numbers(char *text, int64_t *ret)
{
	uint32_t n = 0;
	char *save, *w;

	for (w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
		ret[n++] = strtoll(w, NULL, 0);
	return n;
}

static struct ddp_label parse_label(struct ddp_profile *p, char *text)
{
	char *value = strchr(text, '=');
	struct ddp_label l = { 0 };

	*value++ = '\0';
	l.key = !strcmp(text, "lrsi") ? DDP_STRING_LOCAL_ROOT_SPAN_ID :
		!strcmp(text, "endpoint") ? DDP_STRING_TRACE_ENDPOINT : string_id(p, text);
	if (*value == '#')
		l.num = strtoll(value + 1, NULL, 10);
	else
		l.str = string_id(p, value);
	return l;
}

static int run_add(struct ddp_profile *p, char **words)
{
	struct ddp_label labels[8];
	int64_t values[MAX_VALUES];
	struct ddp_sample s = { .values = values, .labels = labels };
	char *save, *w;

	s.nr_values = numbers(words[0], values);
	for (w = strtok_r(words[1], ",", &save); w && strcmp(w, "-");
	     w = strtok_r(NULL, ",", &save))
		labels[s.nr_labels++] = parse_label(p, w);
	if (words[2])
		s.timestamp_ns = strtoll(words[2] + 1, NULL, 10);
	return ddp_profile_add(p, &s);
}

static int run_scale(struct ddp_profile *p, char **words)
{
	uint32_t offsets[MAX_VALUES], i;
	int64_t n[MAX_VALUES];
	struct ddp_upscaling_rule rule = { .offsets = offsets };
	struct ddp_label l;

	rule.nr_offsets = strcmp(words[0], "-") ? numbers(words[0], n) : 0;
	for (i = 0; i < rule.nr_offsets; i++)
		offsets[i] = n[i];
	if (words[2]) {
		l = parse_label(p, words[2]);
		rule.label_key = l.key;
		rule.label_str = l.str;
	}
	if (*words[1] == 'x') {
		rule.kind = DDP_UPSCALE_PROPORTIONAL;
		rule.scale = strtod(words[1] + 1, NULL);
	} else if (numbers(strchr(words[1], ':') + 1, n) == 3) {
		rule.kind = *words[1] == 'p' ? DDP_UPSCALE_POISSON : DDP_UPSCALE_POISSON_COUNT;
		rule.sum = n[0];
		rule.count_at = rule.count = n[1];
		rule.distance = n[2];
	}
	return ddp_profile_upscale(p, &rule);
}

static int run_words(struct ddp_profile *p, char **words)
{
	if (!strcmp(words[0], "add"))
		return run_add(p, words + 1);
	if (!strcmp(words[0], "scale"))
		return run_scale(p, words + 1);
	if (!strcmp(words[0], "endpoint"))
		return ddp_profile_endpoint(p, strtoull(words[1], NULL, 0),
					    string_id(p, words[2] ? words[2] : ""));
	if (!strcmp(words[0], "count"))
		return ddp_profile_endpoint_count(p, string_id(p, words[1]),
						  strtoll(words[2], NULL, 0));
	if (!strcmp(words[0], "reset"))
		return ddp_profile_reset(p, 1000, NULL);
	fail_msg("no command %s", words[0]);
	return 0;
}

/* @line without what it should answer */
static int run_once(struct ddp_profile *p, const char *line)
{
	char copy[1024], *words[6] = { NULL }, *save, *w;
	int n = 0;

	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "!"), line);
	for (w = strtok_r(copy, " ", &save); w && n < 5; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	return run_words(p, words);
}

/* What is refused is tried twice: the first time interned its strings. */
static void run_line(struct ddp_profile *p, const char *line)
{
	const char *bang = strchr(line, '!');
	int expected = bang ? error_number(bang + 2) : 0, r = run_once(p, line);
	struct ddp_buffer before;

	if (r != expected)
		fail_msg("'%s' answered %d", line, r);
	if (!expected)
		return;
	before = encoded(p);
	assert_int_equal(run_once(p, line), expected);
	assert_unchanged(p, &before);
	ddp_buffer_free(&before);
}

static void run_program(struct ddp_profile *p, const char *program)
{
	char *copy = strdup(program), *save, *line;

	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		run_line(p, line);
	free(copy);
}

static struct ddp_profile *make(size_t nr_value_types, bool omit)
{
	struct ddp_value_type types[MAX_VALUES] = { { NULL, NULL } };
	struct ddp_profile_config c = {
		.value_types = types, .nr_value_types = nr_value_types, .start_unix_ns = 1000,
		.omit_local_root_span_id = omit,
	};
	char names[MAX_VALUES][24];
	struct ddp_profile *p;
	size_t i;

	for (i = 0; i < nr_value_types; i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		types[i].type = names[i];
	}
	assert_int_equal(ddp_profile_create(&c, &p), 0);
	return p;
}

struct row {
	const char *what;
	size_t nr_value_types;
	const char *program, *samples;
};

/* @omit: leave the local root span id out */
static void check_rows(const struct row *rows, size_t n, bool omit)
{
	struct ddp_profile *p;
	size_t i;

	for (i = 0; i < n; i++) {
		print_message("  %s\n", rows[i].what);
		p = make(rows[i].nr_value_types, omit);
		run_program(p, rows[i].program);
		assert_samples(p, rows[i].samples);
		ddp_profile_destroy(p);
	}
}

static void endpoints_are_joined(void **state)
{
	static const struct row rows[] = {
		{ "behind the sample's labels", 1,
		  "add 1 lrsi=#10,other=test\nendpoint 10 /shop\n",
		  "1 - local root span id=#10,other=test,trace endpoint=/shop\n" },
		{ "known before the sample", 1, "endpoint 10 /shop\nadd 1 lrsi=#10\n",
		  "1 - local root span id=#10,trace endpoint=/shop\n" },
		{ "a negative number is a large one", 1,
		  "add 1 lrsi=#-1\nendpoint 18446744073709551615 /max\n",
		  "1 - local root span id=#-1,trace endpoint=/max\n" },
		{ "the last one wins", 1, "endpoint 3 /a\nendpoint 3 /b\nadd 1 lrsi=#3\n",
		  "1 - local root span id=#3,trace endpoint=/b\n" },
		{ "other spans have none", 1, "endpoint 3 /a\nadd 1 lrsi=#4\nadd 1 n=#3\n",
		  "1 - local root span id=#4\n1 - n=#3\n" },
		{ "before the timestamp", 1, "endpoint 3 /a\nadd 1 k=v,lrsi=#3 @7\n",
		  "1 - k=v,local root span id=#3,trace endpoint=/a,end_timestamp_ns=#7\n" },
		{ "a sample's own endpoint stays", 1,
		  "endpoint 3 /a\nadd 1 lrsi=#3,endpoint=/mine\n",
		  "1 - local root span id=#3,trace endpoint=/mine\n" },
		{ "no span id, no endpoint", 1, "endpoint 0 /a ! EINVAL\nendpoint 1 ! EINVAL\n",
		  "" },
		{ "gone with a reset", 1, "endpoint 3 /a\nreset\nadd 1 lrsi=#3\n",
		  "1 - local root span id=#3\n" },
	};
	static const struct row omitting[] = {
		{ "without the span id when it is left out", 1,
		  "endpoint 3 /a\nadd 1 k=v,lrsi=#3\nadd 2 lrsi=#4\n",
		  "1 - k=v,trace endpoint=/a\n2 -\n" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(*rows), false);
	check_rows(omitting, sizeof(omitting) / sizeof(*omitting), true);
}

static void values_are_scaled(void **state)
{
	static const struct row rows[] = {
		{ "by a factor, rounded", 1, "add 1 -\nscale 0 x2.7\n", "3 -\n" },
		{ "rules may come first", 1, "scale 0 x2.7\nadd 1 -\n", "3 -\n" },
		{ "half goes away from zero", 2, "add 5,-5 -\nscale 0,1 x0.5\n", "3,-3 -\n" },
		{ "to the limits and no further", 2,
		  "add 9223372036854775807,-9223372036854775807 -\nscale 0,1 x2\n",
		  "9223372036854775807,-9223372036854775808 -\n" },
		{ "a factor of one changes no large number", 1,
		  "add 9223372036854775807 -\nscale 0 x1\n", "9223372036854775807 -\n" },
		{ "what is added up is scaled, not what is added", 1,
		  "scale 0 x0.5\nadd 1 -\nadd 1 -\nadd 1 -\n", "2 -\n" },
		{ "with timestamps, each alone", 1, "scale 0 x3\nadd 1 - @5\nadd 2 - @6\n",
		  "3 - end_timestamp_ns=#5\n6 - end_timestamp_ns=#6\n" },
		{ "Poisson", 3, "add 1,16,29 -\nscale 1 poisson:1,2,10\n", "1,298,29 -\n" },
		{ "Poisson scales all offsets by what was there before", 3,
		  "add 1,16,29 -\nscale 2,1,0 poisson:1,2,10\n", "19,298,540 -\n" },
		{ "Poisson with a sum of zero", 3, "add 7,0,29 -\nscale 0 poisson:1,2,10\n",
		  "7,0,29 -\n" },
		{ "Poisson with a count of zero", 3, "add 7,5,0 -\nscale 0 poisson:1,2,10\n",
		  "7,5,0 -\n" },
		{ "Poisson with a constant count", 2, "add 1,16 -\nscale 1 constant:1,29,10\n",
		  "1,298 -\n" },
		{ "a constant count and a sum of zero", 2,
		  "add 7,0 -\nscale 0 constant:1,29,10\n", "7,0 -\n" },
		{ "so far apart that nothing is known: the limit", 2,
		  "add 1,1 -\nscale 0 constant:1,9223372036854775807,9223372036854775807\n",
		  "9223372036854775807,1 -\n" },
		{ "no number becomes zero", 2,
		  "add 0,1 -\nscale 0 constant:1,9223372036854775807,9223372036854775807\n",
		  "0,1 -\n" },
		{ "by label, only those that have it", 1,
		  "scale 0 x5 k=v\nadd 1 k=v\nadd 2 k=w\nadd 3 other=v\nadd 4 n=#1,k=v\n",
		  "5 - k=v\n2 - k=w\n3 - other=v\n20 - n=#1,k=v\n" },
		{ "a number is not the string", 1, "scale 0 x5 k=1\nadd 1 k=#1\n", "1 - k=#1\n" },
		{ "by an endpoint that is joined", 1,
		  "scale 0 x5 endpoint=/a\nendpoint 3 /a\nadd 1 lrsi=#3\nadd 1 lrsi=#4\n",
		  "5 - local root span id=#3,trace endpoint=/a\n1 - local root span id=#4\n" },
		{ "by an endpoint that comes after rule and samples", 1,
		  "scale 0 x5 endpoint=/a\nadd 1 lrsi=#3\nadd 2 lrsi=#3 @7\nendpoint 3 /a\n",
		  "5 - local root span id=#3,trace endpoint=/a\n"
		  "10 - local root span id=#3,trace endpoint=/a,end_timestamp_ns=#7\n" },
		{ "by the last endpoint of a span, not the first", 1,
		  "scale 0 x5 endpoint=/a\nendpoint 3 /a\nadd 1 lrsi=#3\nendpoint 3 /b\n",
		  "1 - local root span id=#3,trace endpoint=/b\n" },
		{ "by a sample's own endpoint, not the one of its span", 1,
		  "scale 0 x5 endpoint=/a\nscale 0 x7 endpoint=/b\nendpoint 3 /a\n"
		  "add 1 lrsi=#3,endpoint=/b\n",
		  "7 - local root span id=#3,trace endpoint=/b\n" },
		{ "by a joined endpoint after the labels", 1,
		  "scale 0 x0.5 endpoint=/a\nscale 0 x3 k=v\nendpoint 3 /a\nadd 1 lrsi=#3,k=v\n",
		  "2 - local root span id=#3,k=v,trace endpoint=/a\n" },
		{ "in the order of the sample's labels", 1,
		  "scale 0 x0.5 b=v\nscale 0 x3 a=v\nadd 1 a=v,b=v\nadd 3 b=v,a=v,c=v\n",
		  "2 - a=v,b=v\n6 - b=v,a=v,c=v\n" },
		{ "by value and by label on different values", 3,
		  "add 1,10000,42 k=v\nscale 0 x2\nscale 2 x5 k=v\n", "2,10000,210 - k=v\n" },
		{ "a later rule sees what an earlier one made", 3,
		  "add 1,16,29 k=v\nscale 1 x2 k=v\nscale 0 poisson:1,2,10\n",
		  "10,32,29 - k=v\n" },
		{ "a reset forgets the rules", 1, "scale 0 x2\nreset\nadd 1 -\nscale 0 x3\n",
		  "3 -\n" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(*rows), false);
}

static void bad_rules_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "by value over by value", 3, "scale 0,2 x2\nscale 2,1 x2 ! EEXIST\n", "" },
		{ "by value beside by value", 3, "scale 0,2 x2\nscale 1 x2\nadd 1,1,1 -\n",
		  "2,2,2 -\n" },
		{ "by value over by label", 2, "scale 1 x2 k=v\nscale 0,1 x2 ! EEXIST\n", "" },
		{ "by label over by value", 2, "scale 0 x2\nscale 0 x2 k=v ! EEXIST\n", "" },
		{ "the same label, an offset of the first rule", 3,
		  "scale 0 x2 k=v\nscale 1 x2 k=v\nscale 0,2 x2 k=v ! EEXIST\n", "" },
		{ "the same label, an offset of the second rule", 3,
		  "scale 0 x2 k=v\nscale 1 x2 k=v\nscale 2,1 x2 k=v ! EEXIST\n", "" },
		{ "other labels may have the offset", 1,
		  "scale 0 x2 k=v\nscale 0 x3 k=w\nscale 0 x5 l=v\nadd 1 k=v\nadd 1 k=w\n",
		  "2 - k=v\n3 - k=w\n" },
		{ "an offset out of range", 2, "scale 2 x2 ! EINVAL\n", "" },
		{ "an offset twice", 2, "scale 1,1 x2 ! EINVAL\n", "" },
		{ "no offset", 2, "scale - x2 ! EINVAL\n", "" },
		{ "a sum out of range", 2, "scale 0 poisson:2,1,10 ! EINVAL\n", "" },
		{ "a count out of range", 2, "scale 0 poisson:1,2,10 ! EINVAL\n", "" },
		{ "a distance of zero", 2, "scale 0 poisson:0,1,0 ! EINVAL\n", "" },
		{ "a constant's sum out of range", 2, "scale 0 constant:2,1,10 ! EINVAL\n", "" },
		{ "a constant count of zero", 2, "scale 0 constant:1,0,10 ! EINVAL\n", "" },
		{ "a constant's distance of zero", 2, "scale 0 constant:1,1,0 ! EINVAL\n", "" },
		{ "a factor of zero", 1, "scale 0 x0 ! EINVAL\n", "" },
		{ "a negative factor", 1, "scale 0 x-1 ! EINVAL\n", "" },
		{ "an infinite factor", 1, "scale 0 xinf ! EINVAL\n", "" },
		{ "a factor that is no number", 1, "scale 0 xnan ! EINVAL\n", "" },
		{ "no such kind", 1, "scale 0 y:1 ! EINVAL\n", "" },
		{ "a label without a string", 1, "scale 0 x2 k=#1 ! EINVAL\n", "" },
		{ "after a reset the offsets are free", 1,
		  "scale 0 x2\nscale 0 x2 ! EEXIST\nreset\nscale 0 x3 k=v\nadd 1 k=v\n",
		  "3 - k=v\n" },
	};

	static const struct row omitting[] = {
		{ "by an endpoint of a span id that is left out", 1,
		  "scale 0 x5 endpoint=/a\nendpoint 3 /a\nadd 1 lrsi=#3\nadd 1 lrsi=#3 @7\n",
		  "5 - trace endpoint=/a\n5 - trace endpoint=/a,end_timestamp_ns=#7\n" },
	};

	(void)state;
	check_rows(rows, sizeof(rows) / sizeof(*rows), false);
	check_rows(omitting, sizeof(omitting) / sizeof(*omitting), true);
}

/* More than a machine word has bits */
static void there_may_be_many_value_types(void **state)
{
	struct ddp_profile *p = make(MAX_VALUES, false);
	int64_t values[MAX_VALUES];
	struct ddp_pprof *f;
	int i;

	(void)state;
	for (i = 0; i < MAX_VALUES; i++)
		values[i] = i;
	run_program(p, "scale 0,31,32,33,63,64,65,99 x10\nscale 64 x2 k=v ! EEXIST\n"
		    "scale 66,64 x2 ! EEXIST\nscale 34,66 x100 k=v\nscale 66 x2 ! EEXIST\n");
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
		.values = values, .nr_values = MAX_VALUES }), 0);
	f = reloaded(p);
	for (i = 0; i < MAX_VALUES; i++)
		assert_int_equal(f->samples[0].values[i],
				 i == 31 || i == 32 || i == 33 || i == 63 || i == 64 || i == 65 ||
				 i == 99 ? i * 10 : i);
	ddp_pprof_destroy(f);
	ddp_profile_destroy(p);
}

static void ids_are_checked(void **state)
{
	struct ddp_profile *p = make(1, false);
	struct ddp_upscaling_rule rule = {
		.kind = DDP_UPSCALE_PROPORTIONAL, .scale = 2, .nr_offsets = 1,
		.offsets = (uint32_t[]){ 0 },
	};
	uint32_t id = string_id(p, "x");

	(void)state;
	assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	assert_int_equal(ddp_profile_endpoint(p, 1, id), -ESTALE);
	assert_int_equal(ddp_profile_endpoint_count(p, id, 1), -ESTALE);
	rule.label_key = id;
	rule.label_str = DDP_STRING_TRACE_ENDPOINT;
	assert_int_equal(ddp_profile_upscale(p, &rule), -ESTALE);
	rule.label_key = DDP_STRING_TRACE_ENDPOINT;
	rule.label_str = id;
	assert_int_equal(ddp_profile_upscale(p, &rule), -ESTALE);
	ddp_profile_destroy(p);
}

static void endpoints_are_counted(void **state)
{
	static const struct {
		const char *what, *program, *counts;
	} rows[] = {
		{ "none", "", "" },
		{ "added up", "count a 1\ncount a 1\ncount b 1\n", "a:2 b:1 " },
		{ "in the order of the first count", "count z 1\ncount a 1\ncount z 1\n",
		  "z:2 a:1 " },
		{ "to the limits", "count a 9223372036854775807\ncount a 1\n"
		  "count b -9223372036854775807\ncount b -2\n",
		  "a:9223372036854775807 b:-9223372036854775808 " },
		{ "forgotten with a reset", "count a 1\nreset\ncount b 1\n", "b:1 " },
	};
	struct ddp_endpoint_count c;
	struct ddp_profile *p;
	char text[256];
	size_t i, k, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		p = make(1, false);
		run_program(p, rows[i].program);
		text[0] = '\0';
		for (k = 0, n = 0; !ddp_profile_endpoint_count_at(p, k, &c); k++) {
			assert_int_equal(strlen(c.endpoint), c.len);
			n += snprintf(text + n, sizeof(text) - n, "%s:%" PRId64 " ", c.endpoint,
				      c.count);
		}
		assert_string_equal(text, rows[i].counts);
		assert_int_equal(ddp_profile_endpoint_count_at(p, k, &c), -ENOENT);
		ddp_profile_destroy(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_joined),
		cmocka_unit_test(values_are_scaled),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(there_may_be_many_value_types),
		cmocka_unit_test(ids_are_checked),
		cmocka_unit_test(endpoints_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
