// SPDX-License-Identifier: Apache-2.0
/*
 * Samples by strings: what they become, that they are the same as those by ids, what is refused,
 * and that a sample that is refused leaves nothing of its strings behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profile_encoded.h"

static struct ddp_profile *make_limited(size_t max_bytes)
{
	static const struct ddp_value_type type = { DDP_CPU_SAMPLES };
	struct ddp_profile_config c = { .value_types = &type, .nr_value_types = 1,
					.start_unix_ns = 1000, .max_bytes = max_bytes };
	struct ddp_profile *p;

	assert_int_equal(ddp_profile_create(&c, &p), 0);
	return p;
}

static struct ddp_profile *make(void)
{
	return make_limited(0);
}

static const struct ddp_text_mapping exe = {
	.start = 0x1000, .limit = 0x9000, .filename = DDP_TEXT("exe"), .build_id = DDP_TEXT("beef"),
	.has_functions = true,
};

enum { MAX_FRAMES = 4, MAX_SAMPLES = 4 };

/* Samples of value 1 */
struct text {
	struct ddp_text_frame frames[MAX_FRAMES];
	uint32_t nr_frames;
	struct ddp_text_label labels[2];
	uint32_t nr_labels;
	int64_t timestamp_ns;
};

#define NR(type, ...) (sizeof((type[]){ __VA_ARGS__ }) / sizeof(type))
#define FRAMES(...) .frames = { __VA_ARGS__ }, .nr_frames = NR(struct ddp_text_frame, __VA_ARGS__)
#define LABELS(...) .labels = { __VA_ARGS__ }, .nr_labels = NR(struct ddp_text_label, __VA_ARGS__)
#define LABEL(k, v) { .key = DDP_TEXT(k), .str = DDP_TEXT(v) }
#define FUNCTION(name) { .function = DDP_TEXT(name) }

static const int64_t one = 1;

static struct ddp_text_sample sample_of(const struct text *t)
{
	return (struct ddp_text_sample){
		.frames = t->frames, .nr_frames = t->nr_frames, .labels = t->labels,
		.nr_labels = t->nr_labels, .timestamp_ns = t->timestamp_ns,
		.values = &one, .nr_values = 1,
	};
}

static int add(struct ddp_profile *p, const struct text *t)
{
	struct ddp_text_sample s = sample_of(t);

	return ddp_profile_add_text(p, &s);
}

static void strings_become_samples(void **state)
{
	static const struct {
		const char *what;
		struct text t[MAX_SAMPLES];
		size_t nr;
		const char *samples;
	} rows[] = {
		{ "nothing at all", { { .nr_frames = 0 } }, 1, "1 -\n" },
		{ "functions and lines, leaf first",
		  { { FRAMES({ .function = DDP_TEXT("leaf"), .line = 3 }, FUNCTION("main")) } },
		  1, "1 leaf:3;main\n" },
		{ "an address in a mapping",
		  { { FRAMES({ .function = DDP_TEXT("f"), .mapping = &exe, .address = 0x1010 }) } },
		  1, "1 f@exe+10\n" },
		{ "an address alone", { { FRAMES({ .address = 0x77 }) } }, 1, "1 @77\n" },
		{ "inlined functions",
		  { { FRAMES({ .function = DDP_TEXT("in"), .line = 1, .inlined = true,
			       .address = 0x5, .mapping = &exe },
			     { .function = DDP_TEXT("mid"), .inlined = true },
			     { .function = DDP_TEXT("out"), .line = 2, .mapping = &exe,
			       .address = 0x1020 },
			     FUNCTION("main")) } },
		  1, "1 in:1<mid<out:2@exe+20;main\n" },
		{ "the same twice adds up",
		  { { FRAMES(FUNCTION("f")), LABELS(LABEL("k", "v")) },
		    { FRAMES(FUNCTION("f")), LABELS(LABEL("k", "v")) } }, 2, "2 f k=v\n" },
		{ "labels in another order add up",
		  { { LABELS(LABEL("a", "v"), { .key = DDP_TEXT("b"), .num = 2,
						.num_unit = DDP_TEXT("ms") }) },
		    { LABELS({ .key = DDP_TEXT("b"), .num = 2, .num_unit = DDP_TEXT("ms") },
			     LABEL("a", "v")) } }, 2, "2 - a=v,b=#2ms\n" },
		{ "with timestamps they stay apart",
		  { { FRAMES(FUNCTION("f")), .timestamp_ns = 9 },
		    { FRAMES(FUNCTION("f")), .timestamp_ns = 9 } },
		  2, "1 f end_timestamp_ns=#9\n1 f end_timestamp_ns=#9\n" },
		{ "another line is another frame",
		  { { FRAMES({ .function = DDP_TEXT("f"), .line = 1 }) },
		    { FRAMES({ .function = DDP_TEXT("f"), .line = 2 }) } }, 2, "1 f:1\n1 f:2\n" },
		{ "inlined is not called",
		  { { FRAMES({ .function = DDP_TEXT("f"), .inlined = true }, FUNCTION("g")) },
		    { FRAMES(FUNCTION("f"), FUNCTION("g")) } }, 2, "1 f<g\n1 f;g\n" },
		{ "text that moves from one member to another",
		  { { FRAMES({ .function = DDP_TEXT("ab"), .file = DDP_TEXT("c") }) },
		    { FRAMES({ .function = DDP_TEXT("a"), .file = DDP_TEXT("bc") }) } },
		  2, "1 ab\n1 a\n" },
		{ "a known frame on another stack",
		  { { FRAMES(FUNCTION("f"), FUNCTION("g")) },
		    { FRAMES(FUNCTION("g"), FUNCTION("f")) } }, 2, "1 f;g\n1 g;f\n" },
		{ "a span id is read as it is",
		  { { LABELS({ .key = DDP_TEXT("local root span id"), .num = -1 }) } },
		  1, "1 - local root span id=#-1\n" },
	};
	struct ddp_profile *p;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		p = make();
		for (k = 0; k < rows[i].nr; k++)
			assert_int_equal(add(p, &rows[i].t[k]), 0);
		assert_samples(p, rows[i].samples);
		ddp_profile_destroy(p);
	}
}

static void every_member_is_kept(void **state)
{
	static const struct text t = {
		FRAMES({ .function = DDP_TEXT("name"), .system_name = DDP_TEXT("_Zname"),
			 .file = DDP_TEXT("a.c"), .line = 7, .start_line = 5, .mapping = &exe,
			 .address = 0x2000 })
	};
	struct ddp_profile *p = make();
	const struct ddp_pprof_location *l;
	struct ddp_pprof *f;

	(void)state;
	assert_int_equal(add(p, &t), 0);
	f = reloaded(p);
	l = f->samples[0].locations[0];
	assert_string_equal(l->lines[0].function->name, "name");
	assert_string_equal(l->lines[0].function->system_name, "_Zname");
	assert_string_equal(l->lines[0].function->filename, "a.c");
	assert_int_equal(l->lines[0].function->start_line, 5);
	assert_int_equal(l->lines[0].line, 7);
	assert_int_equal(l->address, 0x2000);
	assert_int_equal(l->mapping->start, 0x1000);
	assert_int_equal(l->mapping->limit, 0x9000);
	assert_string_equal(l->mapping->filename, "exe");
	assert_string_equal(l->mapping->build_id, "beef");
	assert_true(l->mapping->has_functions);
	assert_false(l->mapping->has_filenames);
	ddp_pprof_destroy(f);
	ddp_profile_destroy(p);
}

/* Each member of a frame makes it another one: no two of these are added up. */
static void every_member_counts(void **state)
{
	static const struct ddp_text_mapping lib = { .start = 0x1000, .filename = DDP_TEXT("lib") };
	static const struct ddp_text_frame frames[] = {
		{ .line = 1 },
		{ .start_line = 1 },
		{ .address = 1 },
		{ .mapping = &exe },
		{ .mapping = &lib },
		{ .function = DDP_TEXT("x") },
		{ .system_name = DDP_TEXT("x") },
		{ .file = DDP_TEXT("x") },
		{ .function = DDP_TEXT("x"), .system_name = DDP_TEXT("x") },
		{ .function = DDP_TEXT("x"), .file = DDP_TEXT("x") },
	};
	const size_t n = sizeof(frames) / sizeof(*frames);
	struct ddp_profile_counts counts;
	struct ddp_profile *p = make();
	size_t i, round;

	(void)state;
	for (round = 0; round < 2; round++)
		for (i = 0; i < n; i++)
			assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
				.frames = &frames[i], .nr_frames = 1, .values = &one,
				.nr_values = 1 }), 0);
	ddp_profile_count(p, &counts);
	assert_int_equal(counts.samples, n);
	assert_int_equal(counts.locations, n);
	ddp_profile_destroy(p);
}

/* The caller's memory may be used again, at once, for other text. */
static void text_is_copied(void **state)
{
	struct ddp_profile *p = make();
	char name[16], file[16];
	struct ddp_text_mapping m = { .filename = { file, 2 } };
	struct ddp_text_frame f = { .function = { name, 2 }, .file = { file, 2 }, .mapping = &m };
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "n%d", i / 3);
		snprintf(file, sizeof(file), "f%d", i % 3);
		assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
			.frames = &f, .nr_frames = 1, .values = &one, .nr_values = 1 }), 0);
	}
	assert_samples(p, "1 n0@f0+0\n1 n0@f1+0\n1 n0@f2+0\n1 n1@f0+0\n1 n1@f1+0\n1 n1@f2+0\n");
	ddp_profile_destroy(p);
}

static void both_ways_in_meet(void **state)
{
	static const struct text t = {
		FRAMES({ .function = DDP_TEXT("leaf"), .file = DDP_TEXT("a.c"), .line = 3,
			 .mapping = &exe, .address = 0x1010 }),
		LABELS(LABEL("k", "v")),
	};
	struct ddp_profile *p = make();
	uint32_t mapping, function, location;
	struct ddp_label label;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(ddp_profile_mapping(p, &(struct ddp_mapping){
			.start = 0x1000, .limit = 0x9000, .filename = string_id(p, "exe"),
			.build_id = string_id(p, "beef"), .has_functions = true }, &mapping), 0);
		assert_int_equal(ddp_profile_function(p, &(struct ddp_function){
			.name = string_id(p, "leaf"), .filename = string_id(p, "a.c") },
			&function), 0);
		assert_int_equal(ddp_profile_location(p, &(struct ddp_location){
			.mapping = mapping, .address = 0x1010, .nr_lines = 1,
			.lines = &(struct ddp_line){ function, 3 } }, &location), 0);
		label = (struct ddp_label){ .key = string_id(p, "k"), .str = string_id(p, "v") };
		assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
			.locations = &location, .nr_locations = 1, .values = &one, .nr_values = 1,
			.labels = &label, .nr_labels = 1 }), 0);
		assert_int_equal(add(p, &t), 0);
		assert_samples(p, i ? "4 leaf:3@exe+10 k=v\n" : "2 leaf:3@exe+10 k=v\n");
	}
	ddp_profile_destroy(p);
}

/* Rows with frames, labels or values that are refused; around them is what would be new. */
static void bad_samples_leave_nothing_behind(void **state)
{
	static const struct {
		const char *what;
		struct text t;
		uint32_t nr_values;
		int r;
	} rows[] = {
		{ "too few values", { .nr_frames = 1 }, 0, -EINVAL },
		{ "too many values", { .nr_frames = 1 }, 2, -EINVAL },
		{ "the same key twice",
		  { .nr_frames = 1, LABELS(LABEL("new", "v"), LABEL("new", "w")) }, 1, -EEXIST },
		{ "a span id as a string",
		  { .nr_frames = 1, LABELS(LABEL("local root span id", "new")) }, 1, -EINVAL },
		{ "a span id of zero",
		  { .nr_frames = 1, LABELS({ .key = DDP_TEXT("local root span id") }) },
		  1, -EINVAL },
		{ "the reserved key",
		  { .nr_frames = 1, LABELS({ .key = DDP_TEXT("end_timestamp_ns"), .num = 1 }) },
		  1, -EPERM },
		{ "a string and a number",
		  { .nr_frames = 1, LABELS({ .key = DDP_TEXT("new"), .str = DDP_TEXT("v"),
					     .num = 1 }) }, 1, -EINVAL },
		{ "an empty key",
		  { .nr_frames = 1, LABELS({ .str = DDP_TEXT("v") }) }, 1, -EINVAL },
		{ "the last frame is inlined",
		  { FRAMES(FUNCTION("new"), { .function = DDP_TEXT("also"), .inlined = true }) },
		  1, -EINVAL },
	};
	static const struct text good = {
		FRAMES({ .function = DDP_TEXT("good"), .mapping = &exe, .address = 0x1000 })
	};
	static const struct ddp_text_mapping other = { .filename = DDP_TEXT("new mapping") };
	struct ddp_profile_counts before, after;
	struct ddp_profile *p = make();
	struct ddp_text_sample s;
	struct ddp_buffer bytes;
	struct text t;
	size_t i;

	(void)state;
	assert_int_equal(add(p, &good), 0);
	bytes = encoded(p);
	ddp_profile_count(p, &before);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		t = rows[i].t;
		t.frames[0].mapping = &other;
		t.frames[0].file = (struct ddp_text)DDP_TEXT("new file");
		s = sample_of(&t);
		s.values = (int64_t[]){ 1, 2 };
		s.nr_values = rows[i].nr_values;
		assert_int_equal(ddp_profile_add_text(p, &s), rows[i].r);
		assert_unchanged(p, &bytes);
		ddp_profile_count(p, &after);
		assert_int_equal(after.strings, before.strings);
		assert_int_equal(after.locations, before.locations);
		assert_int_equal(after.stacks, before.stacks);
	}
	/* and none of it is found by mistake: the same frames are good when the rest is */
	t.nr_frames = 1;
	assert_int_equal(add(p, &t), 0);
	assert_int_equal(add(p, &good), 0);
	assert_samples(p, "2 good@exe+0\n1 new@new mapping+0\n");
	ddp_buffer_free(&bytes);
	ddp_profile_destroy(p);
}

/*
 * Two names that differ in two of their 64-bit words, and have one hash by XXH3 for 7 of 1,000
 * seeds, whatever these are: both words go to one accumulator, one is greater by as much as the
 * other is less, and their upper halves differ as the parts of the key that they meet often do.
 */
static void names_made_to_collide_are_two(void **state)
{
	enum { WORDS = 150, A = 0, B = 96, KEYS = 1000 };
	uint64_t name[2][WORDS];
	struct ddp_text_frame frame[2] = { { .line = 1 }, { .line = 1 } };
	struct ddp_profile_counts counts;
	struct ddp_profile *p;
	int i;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[0][A] = 0x6161616100000000;
	name[0][B] = (0x61616161ull ^ 0x81290940) << 32 | 1;
	name[1][A] = name[0][A] + 1;
	name[1][B] = name[0][B] - 1;
	for (i = 0; i < 2; i++)
		frame[i].function = (struct ddp_text){ (const char *)name[i], sizeof(name[i]) };
	for (i = 0; i < KEYS; i++) {
		p = make();
		assert_int_equal(ddp_profile_add_text_many(p, (struct ddp_text_sample[]){
			{ .frames = &frame[0], .nr_frames = 1, .values = &one, .nr_values = 1 },
			{ .frames = &frame[1], .nr_frames = 1, .values = &one, .nr_values = 1 } },
			2, &(size_t){ 0 }), 0);
		ddp_profile_count(p, &counts);
		assert_int_equal(counts.stacks, 2);
		ddp_profile_destroy(p);
	}
}

static void more_inlined_functions_than_allowed(void **state)
{
	struct ddp_text_frame *frames = calloc(1026, sizeof(*frames));
	struct ddp_text_sample s = { .frames = frames, .values = &one, .nr_values = 1 };
	struct ddp_profile *p = make();
	uint32_t i;

	(void)state;
	for (i = 0; i < 1024; i++)
		frames[i].inlined = true;
	s.nr_frames = 1025;
	assert_int_equal(ddp_profile_add_text(p, &s), -EINVAL);
	frames[1023].inlined = false;
	assert_int_equal(ddp_profile_add_text(p, &s), 0);
	free(frames);
	ddp_profile_destroy(p);
}

static void many_at_once(void **state)
{
	static const struct text good = { FRAMES(FUNCTION("f")) },
				 bad = { LABELS({ .num = 1 }) };
	struct ddp_text_sample s[] = { sample_of(&good), sample_of(&good), sample_of(&bad),
				       sample_of(&good) };
	struct ddp_profile *p = make();
	size_t added = 77;

	(void)state;
	assert_int_equal(ddp_profile_add_text_many(p, s, 4, &added), -EINVAL);
	assert_int_equal(added, 2);
	assert_samples(p, "2 f\n");
	assert_int_equal(ddp_profile_add_text_many(p, s + 3, 1, &added), 0);
	assert_int_equal(added, 1);
	assert_int_equal(ddp_profile_add_text_many(p, s, 0, &added), 0);
	assert_int_equal(added, 0);
	assert_samples(p, "3 f\n");
	ddp_profile_destroy(p);
}

/* At the memory ceiling samples are refused whole; what is known still goes in. */
static void the_ceiling_leaves_whole_samples(void **state)
{
	struct ddp_profile *p = make_limited(60000);
	struct ddp_text_frame frames[2] = { { .file = DDP_TEXT("file.c") }, { .line = 1 } };
	struct ddp_text_sample s = { .frames = frames, .nr_frames = 2, .values = &one,
				     .nr_values = 1 };
	struct ddp_profile_counts counts;
	struct ddp_buffer bytes;
	char name[64];
	int i, r = 0;

	(void)state;
	for (i = 0; !r; i++) {
		frames[0].function = (struct ddp_text){
			name, snprintf(name, sizeof(name), "a function with number %d", i) };
		bytes = encoded(p);
		r = ddp_profile_add_text(p, &s);
		if (r)
			assert_unchanged(p, &bytes);
		ddp_buffer_free(&bytes);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(i > 50);
	ddp_profile_count(p, &counts);
	assert_true(counts.bytes <= 60000);
	assert_int_equal(counts.samples, i - 1);
	assert_int_equal(ddp_profile_add_text(p, &s), -ENOSPC);
	frames[0].function.len = snprintf(name, sizeof(name), "a function with number 0");
	assert_int_equal(ddp_profile_add_text(p, &s), 0);
	assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	assert_int_equal(ddp_profile_add_text(p, &s), 0);
	ddp_profile_destroy(p);
}

static void snapshots_are_refused(void **state)
{
	static const struct text good = { FRAMES(FUNCTION("f")) };
	struct ddp_profile *p = make(), *old;
	struct ddp_text_sample s = sample_of(&good);
	size_t added;

	(void)state;
	assert_int_equal(add(p, &good), 0);
	assert_int_equal(ddp_profile_reset(p, 0, &old), 0);
	assert_int_equal(add(old, &good), -EROFS);
	assert_int_equal(ddp_profile_add_text_many(old, &s, 1, &added), -EROFS);
	assert_int_equal(added, 0);
	assert_int_equal(add(p, &good), 0);
	assert_samples(old, "1 f\n");
	assert_samples(p, "1 f\n");
	ddp_profile_destroy(old);
	ddp_profile_destroy(p);
}

static void pointers_become_text(void **state)
{
	static const struct {
		const char *what, *s;
		size_t len;
	} rows[] = {
		{ "none", NULL, 0 },
		{ "nothing", "", 0 },
		{ "some", "main", 4 },
		{ "not ASCII", "caf\xc3\xa9", 5 },
	};
	struct ddp_text t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		t = ddp_text_from(rows[i].s);
		assert_ptr_equal(t.bytes, rows[i].s);
		assert_int_equal(t.len, rows[i].len);
	}
}

/* The known keys by text are those by id. */
static void known_keys_are_the_same_both_ways(void **state)
{
	struct ddp_text_label by_text[] = {
		{ .key = DDP_TEXT_LOCAL_ROOT_SPAN_ID, .num = 7 },
		{ .key = DDP_TEXT_TRACE_ENDPOINT, .str = DDP_TEXT("/shop") },
	};
	struct ddp_label by_id[] = {
		{ .key = DDP_STRING_LOCAL_ROOT_SPAN_ID, .num = 7 },
		{ .key = DDP_STRING_TRACE_ENDPOINT },
	};
	struct ddp_profile *p = make();
	struct ddp_profile_counts n;

	(void)state;
	assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){ .values = &one,
			 .nr_values = 1, .labels = by_text, .nr_labels = 2 }), 0);
	assert_int_equal(ddp_profile_string(p, "/shop", 5, &by_id[1].str), 0);
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){ .values = &one, .nr_values = 1,
			 .labels = by_id, .nr_labels = 2 }), 0);
	ddp_profile_count(p, &n);
	assert_int_equal(n.samples, 1);
	ddp_profile_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_become_samples),
		cmocka_unit_test(every_member_is_kept),
		cmocka_unit_test(every_member_counts),
		cmocka_unit_test(text_is_copied),
		cmocka_unit_test(both_ways_in_meet),
		cmocka_unit_test(bad_samples_leave_nothing_behind),
		cmocka_unit_test(names_made_to_collide_are_two),
		cmocka_unit_test(more_inlined_functions_than_allowed),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(the_ceiling_leaves_whole_samples),
		cmocka_unit_test(snapshots_are_refused),
		cmocka_unit_test(pointers_become_text),
		cmocka_unit_test(known_keys_are_the_same_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
