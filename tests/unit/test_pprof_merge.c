// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles added up and taken from each other: what counts as the same, what becomes of the things
 * that there are once, what does not fit together; and, over random profiles, that no value is
 * lost or invented.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <time.h>
#include <cmocka.h>

#include "ddprof/pprof.h"
#include "pprof_text.h"

enum { MAX_INPUTS = 3 };

struct row {
	const char *what;
	const char *in[MAX_INPUTS];
	const char *out;	/* or, when it does not begin with a known word, the error's text */
};

static const struct row merges[] = {
	{ "one profile is itself",
	  { "type cpu ns\ntime 5\nduration 7\nperiod 3\nperiod-type cpu ns\ncomment c\n"
	    "default cpu\ndoc d\ndrop x\nkeep y\nmap bin 1000 2000 0 beef\n"
	    "1 leaf:3;main@bin+10 thread=#5ns,host=a\n" },
	  "type cpu ns\ntime 5\nduration 7\nperiod 3\nperiod-type cpu ns\ncomment c\n"
	  "default cpu\ndoc d\ndrop x\nkeep y\nmap bin 1000 2000 0 beef\n"
	  "1 leaf:3;main@bin+10 thread=#5ns,host=a\n" },
	{ "the same samples add up, others stay apart",
	  { "type cpu ns\n1 a;main\n2 b;main\n", "type cpu ns\n10 b;main\n20 c;main\n" },
	  "type cpu ns\n1 a;main\n12 b;main\n20 c;main\n" },
	{ "equal samples of one profile add up",
	  { "type cpu ns\n1 a\n2 a\n4 a\n" }, "type cpu ns\n7 a\n" },
	{ "a stack is not one of its parts",
	  { "type cpu ns\n1 a;b\n1 b\n1 a\n1 b;a\n1 -\n" },
	  "type cpu ns\n1 a;b\n1 b\n1 a\n1 b;a\n1 -\n" },
	{ "sums stay at the limits",
	  { "type a n\ntype b n\n9223372036854775807,-9223372036854775807 f\n",
	    "type a n\ntype b n\n1,-2 f\n" },
	  "type a n\ntype b n\n9223372036854775807,-9223372036854775808 f\n" },
	{ "labels make a difference, their order does not",
	  { "type n n\n1 f a=x,b=#1\n2 f b=#1,a=x\n4 f a=x\n8 f a=#1,b=x\n16 f a=x,b=#1s\n" },
	  "type n n\n3 f a=x,b=#1\n4 f a=x\n8 f a=#1,b=x\n16 f a=x,b=#1s\n" },
	{ "a label twice is not a label once",
	  { "type n n\n1 f a=x,a=x\n1 f a=x\n1 f a=x,a=y\n" },
	  "type n n\n1 f a=x,a=x\n1 f a=x\n1 f a=x,a=y\n" },
	{ "lines and inlined functions make a difference",
	  { "type n n\n1 f:1\n1 f:2\n1 g:1<f:1\n1 f:1<g:1\n", "type n n\n1 g:1<f:1\n" },
	  "type n n\n1 f:1\n1 f:2\n2 g:1<f:1\n1 f:1<g:1\n" },
	{ "the same build-id elsewhere is the same mapping, at the first one's address",
	  { "type n n\nmap bin 1000 2000 0 id\n1 f@bin+10\n",
	    "type n n\nmap moved 7000 7ff1 0 id\n1 f@moved+10\n2 f@moved+20\n" },
	  "type n n\nmap bin 1000 2000 0 id\n2 f@bin+10\n2 f@bin+20\n" },
	{ "without a build-id, the same file name; another offset or size is another one",
	  { "type n n\nmap bin 1000 2000 0\n1 f@bin+10\n",
	    "type n n\nmap bin 7000 8000 0\n1 f@bin+10\n",
	    "type n n\nmap bin 7000 9000 0\n1 f@bin+10\n" },
	  "type n n\nmap bin 1000 2000 0\nmap bin 7000 9000 0\n2 f@bin+10\n1 f@bin+10\n" },
	{ "a mapping that nobody names goes, unless it is the very first",
	  { "type n n\nmap main 1000 2000 0\nmap gone 7000 8000 0\n1 f\n",
	    "type n n\nmap gone2 7000 8000 0\n1 f\n" },
	  "type n n\nmap main 1000 2000 0\n2 f\n" },
	{ "an address without a mapping stays",
	  { "type n n\n1 f@10\n", "type n n\n1 f@10\n1 f@11\n" },
	  "type n n\n2 f@10\n1 f@11\n" },
	{ "samples of only zeros go, and what they name",
	  { "type n n\nmap m 0 1 0\nmap gone 10 11 0\n0 f@gone+0\n1 g\n" },
	  "type n n\nmap m 0 1 0\n1 g\n" },
	{ "samples that come to zero go, and what they name",
	  { "type n n\nmap m 0 1 0\nmap gone 10 11 0\n5 f@gone+0\n1 g\n",
	    "type n n\nmap gone 10 11 0\n-5 f@gone+0\n" },
	  "type n n\nmap m 0 1 0\n1 g\n" },
	{ "value types in another order",
	  { "type cpu ns\ntype n n\n1,2 f\n", "type n n\ntype cpu ns\n20,10 f\n" },
	  "type cpu ns\ntype n n\n11,22 f\n" },
	{ "only the value types that all have",
	  { "type a n\ntype b n\ntype c n\n1,2,3 f\n", "type c n\ntype a n\n30,10 f\n",
	    "type x n\ntype c n\n7,300 f\n" },
	  "type c n\n333 f\n" },
	{ "a sample whose only values are not kept goes",
	  { "type a n\ntype b n\n1,0 f\n0,1 g\n", "type b n\n1 g\n" }, "type b n\n2 g\n" },
	{ "the second of two equal value types is the second",
	  { "type a n\ntype a n\n1,2 f\n", "type b n\ntype a n\ntype a n\n9,10,20 f\n" },
	  "type a n\ntype a n\n11,22 f\n" },
	{ "the earliest time, all durations, the longest period",
	  { "type n n\ntime 20\nduration 3\nperiod 5\nperiod-type a b\n1 f\n",
	    "type n n\ntime 10\nduration 4\nperiod 7\nperiod-type a b\n1 f\n",
	    "type n n\n1 f\n" },
	  "type n n\ntime 10\nduration 7\nperiod 7\nperiod-type a b\n3 f\n" },
	{ "a duration stays at the limits",
	  { "type n n\nduration 9223372036854775807\n1 f\n", "type n n\nduration 1\n1 f\n" },
	  "type n n\nduration 9223372036854775807\n2 f\n" },
	{ "a duration below 0 as well",
	  { "type n n\nduration -9223372036854775808\n1 f\n", "type n n\nduration -1\n1 f\n" },
	  "type n n\nduration -9223372036854775808\n2 f\n" },
	{ "comments once each, texts of the first that has one, expressions of the first",
	  { "type n n\ncomment x\ncomment y\ndrop d\n1 f\n",
	    "type n n\ncomment y\ncomment z\ndefault n\ndoc u\ndrop e\nkeep k\n1 f\n",
	    "type n n\ndefault n\ndoc v\n1 f\n" },
	  "type n n\ncomment x\ncomment y\ncomment z\ndefault n\ndoc u\ndrop d\n3 f\n" },
	{ "a default that is not kept is none",
	  { "type a n\ntype b n\ndefault b\n1,1 f\n", "type a n\n1 f\n" }, "type a n\n2 f\n" },
	{ "no samples at all", { "type n n\n", "type n n\n" }, "type n n\n" },
	{ "nothing in common",
	  { "type a n\n1 f\n", "type a n\ntype b n\n1,2 f\n", "type b n\n1 f\n" },
	  "three.pprof has no value type that the others have as well" },
	{ "the same name in another unit is something else",
	  { "type a n\n1 f\n", "type a ms\n1 f\n" },
	  "two.pprof has no value type that the others have as well" },
	{ "no value types", { "time 1\n", "type a ms\n1 f\n" }, "one.pprof has no value types" },
	{ "another period",
	  { "type n n\n1 f\n", "type n n\nperiod-type a b\n1 f\n",
	    "type n n\nperiod-type a c\n1 f\n" },
	  "three.pprof has another period type than the others" },
};

static const struct row differences[] = {
	{ "the base's values are taken off",
	  { "type n n\n1 a\n2 b\n4 c\n", "type n n\n10 b\n4 c\n7 d\n" },
	  "type n n\n8 b\n7 d\n-1 a\n" },
	{ "time and the like are the other's",
	  { "type n n\ntime 1\nduration 2\nperiod 9\nperiod-type a b\ncomment x\n1 f\n",
	    "type n n\ntime 5\nduration 3\nperiod 7\nperiod-type a b\ncomment y\n2 f\n" },
	  "type n n\ntime 5\nduration 3\nperiod 7\nperiod-type a b\ncomment y\n1 f\n" },
	{ "the smallest number has no opposite, and becomes the largest",
	  { "type n n\n-9223372036854775808 f\n", "type n n\n1 g\n" },
	  "type n n\n1 g\n9223372036854775807 f\n" },
	{ "nothing in common", { "type a n\n1 f\n", "type b n\n1 f\n" },
	  "the base has no value type that the others have as well" },
};

static const struct row apart[] = {
	{ "both sides are there",
	  { "type n n\n1 a\n2 b x=y\n4 c\n", "type n n\n10 b x=y\n4 c\n" },
	  "type n n\n10 b x=y\n4 c\n-1 a pprof::base=true\n"
	  "-2 b x=y,pprof::base=true\n-4 c pprof::base=true\n" },
	{ "marks of earlier differences say nothing about this one",
	  { "type n n\n1 a pprof::base=old\n", "type n n\n3 a pprof::base=true\n" },
	  "type n n\n3 a\n-1 a pprof::base=true\n" },
};

/* Checks what came out, which the call is not to have touched when it is an error. */
static void check_result(const struct row *row, int r, struct ddp_pprof *p,
			 const struct ddp_error *err)
{
	char *text;

	if (strncmp(row->out, "type", 4)) {
		assert_int_equal(r, -EINVAL);
		assert_null(p);
		assert_string_equal(err->text, row->out);
		return;
	}
	if (r)
		fail_msg("says: %s", err->text);
	text = profile_to_text(p);
	assert_string_equal(text, row->out);
	free(text);
	ddp_pprof_destroy(p);
}

static size_t read_inputs(const struct row *row, struct ddp_pprof **ret)
{
	size_t n;

	print_message("  %s\n", row->what);
	for (n = 0; n < MAX_INPUTS && row->in[n]; n++)
		ret[n] = profile_from_text(row->in[n]);
	return n;
}

static void free_inputs(struct ddp_pprof **in, size_t n)
{
	while (n--)
		free_profile(in[n]);
}

static void merging(void **state)
{
	static const char *const names[] = { "one.pprof", "two.pprof", "three.pprof" };
	struct ddp_pprof *in[MAX_INPUTS], *out;
	struct ddp_error err;
	size_t i, n;
	int r;

	(void)state;
	for (i = 0; i < sizeof(merges) / sizeof(*merges); i++) {
		n = read_inputs(&merges[i], in);
		out = NULL;
		r = ddp_pprof_merge((const struct ddp_pprof *const *)in, names, n, &out, &err);
		free_inputs(in, n);
		check_result(&merges[i], r, out, &err);
	}
	assert_int_equal(ddp_pprof_merge(NULL, NULL, 0, &out, &err), -EINVAL);
	assert_string_equal(err.text, "no profiles to merge");
}

static void check_differences(const struct row *rows, size_t nr, bool keep_apart)
{
	struct ddp_pprof *in[MAX_INPUTS], *out;
	struct ddp_error err;
	size_t i, n;
	int r;

	for (i = 0; i < nr; i++) {
		n = read_inputs(&rows[i], in);
		out = NULL;
		r = ddp_pprof_diff(in[0], in[1], keep_apart, &out, &err);
		free_inputs(in, n);
		check_result(&rows[i], r, out, &err);
	}
}

static void differing(void **state)
{
	(void)state;
	check_differences(differences, sizeof(differences) / sizeof(*differences), false);
	check_differences(apart, sizeof(apart) / sizeof(*apart), true);
}

static void without_names_profiles_are_numbered(void **state)
{
	struct ddp_pprof *in[] = { profile_from_text("type a n\n"), profile_from_text("type b n\n") };
	struct ddp_pprof *out = NULL;
	struct ddp_error err;

	(void)state;
	assert_int_equal(ddp_pprof_merge((const struct ddp_pprof *const *)in, NULL, 2, &out, &err),
			 -EINVAL);
	assert_string_equal(err.text, "profile 2 has no value type that the others have as well");
	free_inputs(in, 2);
}

/* All that a frame is made of; what is not set is as in a plain one. */
struct frame {
	struct ddp_pprof_function function;
	struct ddp_pprof_mapping mapping;
	struct ddp_pprof_location location;
	struct ddp_pprof_line line;
};

static void complete_frame(struct frame *f, size_t index)
{
	f->function.id = f->function.id ?: index + 1;
	f->function.name = f->function.name ?: "f";
	f->function.system_name = f->function.system_name ?: "";
	f->function.filename = f->function.filename ?: "";
	f->mapping.id = f->mapping.id ?: index + 1;
	f->mapping.limit = f->mapping.limit ?: 4096;
	f->mapping.filename = f->mapping.filename ?: "m";
	f->mapping.build_id = f->mapping.build_id ?: "";
	f->location.id = f->location.id ?: index + 1;
	f->location.index = index;
}

/* How many samples become of one in each frame */
static size_t merged_samples(struct frame frames[2])
{
	struct ddp_pprof *p = profile_from_text("type n n\n1 a\n1 a\n"), *out;
	struct ddp_pprof_sample samples[] = { p->samples[0], p->samples[1] };
	struct ddp_pprof_location locations[2];
	const struct ddp_pprof_location *stacks[2];
	size_t i, nr;

	for (i = 0; i < 2; i++) {
		complete_frame(&frames[i], i);
		frames[i].line.function = &frames[i].function;
		locations[i] = frames[i].location;
		locations[i].mapping = &frames[i].mapping;
		locations[i].lines = &frames[i].line;
		locations[i].nr_lines = 1;
		stacks[i] = &locations[i];
		samples[i].locations = &stacks[i];
	}
	p->samples = samples;
	p->locations = locations;
	p->nr_locations = 2;
	assert_int_equal(ddp_pprof_merge((const struct ddp_pprof *const *)&p, NULL, 1, &out, NULL),
			 0);
	nr = out->nr_samples;
	ddp_pprof_destroy(out);
	free_profile(p);
	return nr;
}

/* What text cannot say */
static void members_tell_frames_apart(void **state)
{
	static const struct {
		const char *what;
		struct frame frame;
		size_t samples;
	} rows[] = {
		{ "nothing", { .line.line = 0 }, 1 },
		{ "ids", { .function.id = 7, .location.id = 8, .mapping.id = 9 }, 1 },
		{ "the function's name", { .function.name = "x" }, 2 },
		{ "its system name", { .function.system_name = "x" }, 2 },
		{ "its file", { .function.filename = "x" }, 2 },
		{ "its first line", { .function.start_line = 1 }, 2 },
		{ "the line", { .line.line = 1 }, 2 },
		{ "the column", { .line.column = 1 }, 2 },
		{ "the address", { .location.address = 1 }, 2 },
		{ "whether it is folded", { .location.is_folded = true }, 2 },
		{ "the mapping's offset", { .mapping.file_offset = 1 }, 2 },
		{ "its file", { .mapping.filename = "x" }, 2 },
		{ "its build-id", { .mapping.build_id = "x" }, 2 },
		{ "its size by pages", { .mapping.limit = 4097 }, 2 },
		{ "its size within a page", { .mapping.limit = 4095 }, 1 },
		{ "its flags", { .mapping.has_functions = true }, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct frame frames[2] = { [1] = rows[i].frame };

		print_message("  %s\n", rows[i].what);
		assert_int_equal(merged_samples(frames), rows[i].samples);
	}
}

/* A string of a MiB that 100,000 labels have as their key: 100 GB, if it were read for each. */
static void long_names_cost_once(void **state)
{
	enum { LABELS = 100000, NAME_BYTES = 1 << 20, MAX_CPU_S = 20 };
	struct ddp_pprof *p = profile_from_text("type n n\n1 a\n"), *out;
	struct ddp_pprof_label *labels = calloc(LABELS, sizeof(*labels));
	struct ddp_pprof_sample sample = p->samples[0];
	char *name = malloc(NAME_BYTES);
	struct ddp_buffer b = { 0 };
	clock_t start = clock();
	size_t i;

	(void)state;
	memset(name, 'x', NAME_BYTES);
	name[NAME_BYTES - 1] = '\0';
	for (i = 0; i < LABELS; i++)
		labels[i] = (struct ddp_pprof_label){ .key = name, .num = (int64_t)i,
						      .num_unit = name };
	sample.labels = labels;
	sample.nr_labels = LABELS;
	p->samples = &sample;
	assert_int_equal(ddp_pprof_merge((const struct ddp_pprof *const[]){ p, p }, NULL, 2, &out,
					 NULL), 0);
	assert_int_equal(out->nr_samples, 1);
	assert_int_equal(out->samples[0].nr_labels, LABELS);
	assert_int_equal(ddp_pprof_write(out, ddp_buffer_write, &b), 0);
	assert_true((clock() - start) / CLOCKS_PER_SEC < MAX_CPU_S);
	ddp_buffer_free(&b);
	ddp_pprof_destroy(out);
	free(labels);
	free(name);
	free_profile(p);
}

/* Random profiles: few names, so that much is the same */

static uint32_t seed = 1;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void random_sample(FILE *f)
{
	uint32_t frames = random_below(4), labels = random_below(3), i;

	fprintf(f, "%d,%d ", (int)random_below(9) - 2, (int)random_below(3));
	for (i = 0; i < frames; i++)
		fprintf(f, "%sf%u:%u@m%u+%u", i ? ";" : "", random_below(2), random_below(2),
			random_below(2), random_below(2));
	fputs(frames ? " " : "- ", f);
	for (i = 0; i < labels; i++)
		fprintf(f, "%sk%u=v%u", i ? "," : "", i, random_below(2));
	fputc('\n', f);
}

static struct ddp_pprof *random_profile(void)
{
	uint32_t nr = random_below(20), base = random_below(2) * 0x10000;
	struct ddp_pprof *p;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	fprintf(f, "type cpu ns\ntype n n\nmap m0 %x %x 0\nmap m1 %x %x 0\n", base + 0x1000,
		base + 0x2000, base + 0x3000, base + 0x5000);
	while (nr--)
		random_sample(f);
	fclose(f);
	p = profile_from_text(text);
	free(text);
	return p;
}

/* Sum of all values whose leaf has this name (NULL: no frames) */
static int64_t total(const struct ddp_pprof *p, size_t value, const char *leaf)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < p->nr_samples; i++) {
		const struct ddp_pprof_sample *s = &p->samples[i];
		const char *name = s->nr_locations ?
			s->locations[0]->lines[0].function->name : NULL;

		if (leaf && name ? !strcmp(leaf, name) : leaf == name)
			sum += s->values[value];
	}
	return sum;
}

static void check_totals(const struct ddp_pprof *a, const struct ddp_pprof *b, int sign,
			 const struct ddp_pprof *sum)
{
	static const char *const leaves[] = { NULL, "f0", "f1" };
	size_t value, i;

	for (value = 0; value < 2; value++)
		for (i = 0; i < 3; i++)
			assert_int_equal(total(a, value, leaves[i]) +
					 sign * total(b, value, leaves[i]),
					 total(sum, value, leaves[i]));
}

static struct ddp_pprof *write_and_load(const struct ddp_pprof *p)
{
	struct ddp_buffer b = { 0 };
	struct ddp_pprof *f = NULL;
	struct ddp_error err;

	assert_int_equal(ddp_pprof_write(p, ddp_buffer_write, &b), 0);
	if (ddp_pprof_load(b.bytes, b.len, NULL, &f, &err))
		fail_msg("%s", err.text);
	ddp_buffer_free(&b);
	return f;
}

static void no_value_is_lost(void **state)
{
	enum { ROUNDS = 3000 };
	struct ddp_pprof *a, *b, *sum, *again, *nothing;
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		a = random_profile();
		b = random_profile();
		assert_int_equal(ddp_pprof_merge((const struct ddp_pprof *const[]){ a, b }, NULL,
						 2, &sum, NULL), 0);
		check_totals(a, b, 1, sum);
		again = write_and_load(sum);
		assert_same_profile(sum, again);
		ddp_pprof_destroy(again);
		assert_int_equal(ddp_pprof_merge((const struct ddp_pprof *const *)&sum, NULL, 1,
						 &again, NULL), 0);
		assert_same_profile(sum, again);
		assert_int_equal(ddp_pprof_diff(sum, again, false, &nothing, NULL), 0);
		assert_int_equal(nothing->nr_samples, 0);
		assert_int_equal(nothing->nr_functions, 0);
		ddp_pprof_destroy(nothing);
		ddp_pprof_destroy(again);
		ddp_pprof_destroy(sum);
		assert_int_equal(ddp_pprof_diff(b, a, i % 2, &sum, NULL), 0);
		check_totals(a, b, -1, sum);
		ddp_pprof_destroy(sum);
		free_profile(a);
		free_profile(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merging),
		cmocka_unit_test(differing),
		cmocka_unit_test(without_names_profiles_are_numbered),
		cmocka_unit_test(members_tell_frames_apart),
		cmocka_unit_test(long_names_cost_once),
		cmocka_unit_test(no_value_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
