// SPDX-License-Identifier: Apache-2.0
/*
 * The builder at its limits, as a host sees it that must never crash: every memory ceiling, from
 * none at all to enough, with all of it used before something is refused; counts far beyond what is
 * allowed; nothing where nothing is allowed; snapshots, whatever becomes of their profile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <pthread.h>
#include <cmocka.h>

#include "lib/alloc.h"
#include "profile_encoded.h"

static const int64_t one = 1;

static int make(size_t max_bytes, struct ddp_profile **ret)
{
	static const struct ddp_value_type type = { DDP_CPU_TIME };

	return ddp_profile_create(&(struct ddp_profile_config){
		.value_types = &type, .nr_value_types = 1, .max_bytes = max_bytes }, ret);
}

/* Ceilings */

/* What a growing profile is made of; @i is new each time. 0 or an error */
typedef int (*step_fn)(struct ddp_profile *p, uint32_t i);

static int add_string(struct ddp_profile *p, uint32_t i)
{
	char name[128];
	uint32_t id;

	return ddp_profile_string(p, name, snprintf(name, sizeof(name), "%0100u", i), &id);
}

static int add_location(struct ddp_profile *p, uint32_t i)
{
	struct ddp_line lines[8] = { { .line = i } };
	uint32_t id;

	return ddp_profile_location(p, &(struct ddp_location){
		.address = i, .lines = lines, .nr_lines = 8 }, &id);
}

static int add_stack(struct ddp_profile *p, uint32_t i)
{
	uint32_t ids[9], id, k;
	int r = ddp_profile_location(p, &(struct ddp_location){ .address = 1 }, &ids[8]);

	for (k = 0; !r && k < 8; k++)
		r = ddp_profile_location(p, &(struct ddp_location){
			.address = 2 + (i >> 2 * k & 3) }, &ids[k]);
	return r ? r : ddp_profile_stack(p, ids, 9, &id);
}

static int add_labels(struct ddp_profile *p, uint32_t i)
{
	struct ddp_label labels[4] = { { .key = 2, .num = i } };
	uint32_t id, k;
	int r = 0;

	for (k = 1; !r && k < 4; k++) {
		char name[2] = { 'a' + k };

		labels[k].num = 1;
		r = ddp_profile_string(p, name, 1, &labels[k].key);
	}
	return r ? r : ddp_profile_label_set(p, labels, 4, &id);
}

static int add_timed(struct ddp_profile *p, uint32_t i)
{
	return ddp_profile_add(p, &(struct ddp_sample){
		.values = &one, .nr_values = 1, .timestamp_ns = 1 + i });
}

static int add_sample(struct ddp_profile *p, uint32_t i)
{
	struct ddp_label label = { .key = 2, .num = i };

	return ddp_profile_add(p, &(struct ddp_sample){
		.values = &one, .nr_values = 1, .labels = &label, .nr_labels = 1 });
}

static int add_text(struct ddp_profile *p, uint32_t i)
{
	struct ddp_text_frame frames[3] = {
		{ .function = DDP_TEXT("leaf"), .line = i % 7 },
		{ .address = i, .file = DDP_TEXT("file.c") }, { .function = DDP_TEXT("main") },
	};
	struct ddp_text_label label = { .key = DDP_TEXT("thread id"), .num = i % 5 };

	return ddp_profile_add_text(p, &(struct ddp_text_sample){
		.frames = frames, .nr_frames = 3, .values = &one, .nr_values = 1,
		.labels = &label, .nr_labels = 1 });
}

static int add_endpoint(struct ddp_profile *p, uint32_t i)
{
	return ddp_profile_endpoint(p, i + 1, DDP_STRING_TRACE_ENDPOINT);
}

static int add_comment(struct ddp_profile *p, uint32_t i)
{
	(void)i;
	return ddp_profile_comment(p, "a comment");
}

static const struct {
	const char *what;
	step_fn step;
} steps[] = {
	{ "strings", add_string },
	{ "locations and lines", add_location },
	{ "stacks", add_stack },
	{ "label sets", add_labels },
	{ "timestamped samples", add_timed },
	{ "samples", add_sample },
	{ "text samples", add_text },
	{ "endpoints", add_endpoint },
	{ "comments", add_comment },
};

enum { NR_STEPS = sizeof(steps) / sizeof(*steps) };

/* How many times @step goes in before it is refused */
static uint32_t steps_that_fit(struct ddp_profile *p, step_fn step)
{
	uint32_t n;
	int r = 0;

	for (n = 0; !r; n++)
		r = step(p, n);
	assert_int_equal(r, -ENOSPC);
	return n - 1;
}

/* What is there when the first thing is refused leaves little of the ceiling unused. */
static void nearly_all_of_a_ceiling_is_used(void **state)
{
	static const size_t ceilings[] = { 20000, 50000, 77777, 100000, 150000, 400000, 1000000 };
	struct ddp_profile_counts counts;
	struct ddp_profile *p;
	uint32_t i, k;

	(void)state;
	for (i = 0; i < NR_STEPS; i++) {
		for (k = 0; k < sizeof(ceilings) / sizeof(*ceilings); k++) {
			print_message("  %s, %zu bytes\n", steps[i].what, ceilings[k]);
			assert_int_equal(make(ceilings[k], &p), 0);
			steps_that_fit(p, steps[i].step);
			ddp_profile_count(p, &counts);
			assert_true(counts.bytes <= ceilings[k]);
			assert_true(counts.bytes >= ceilings[k] / 100 * 88);
			ddp_profile_destroy(p);
		}
	}
}

/* What one kind of thing took before a reset is there for all others after it. */
static void a_reset_gives_the_ceiling_back(void **state)
{
	uint32_t before, after, fresh;
	struct ddp_profile *p;

	(void)state;
	for (before = 0; before < NR_STEPS; before++) {
		for (after = 0; after < NR_STEPS; after++) {
			print_message("  %s after %s\n", steps[after].what, steps[before].what);
			assert_int_equal(make(60000, &p), 0);
			fresh = steps_that_fit(p, steps[after].step);
			ddp_profile_destroy(p);
			assert_int_equal(make(60000, &p), 0);
			steps_that_fit(p, steps[before].step);
			assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
			assert_true(steps_that_fit(p, steps[after].step) >= fresh / 10 * 9);
			ddp_profile_destroy(p);
		}
	}
}

static void assert_same_counts(const struct ddp_profile *p, struct ddp_profile_counts before)
{
	struct ddp_profile_counts after;

	ddp_profile_count(p, &after);
	before.bytes = after.bytes;
	assert_memory_equal(&before, &after, sizeof(after));
}

/* Refused steps change nothing, and other steps may still go in after them. */
static void fill(struct ddp_profile *p, size_t max_bytes)
{
	struct ddp_profile_counts counts;
	struct ddp_buffer before;
	uint32_t i;
	int r;

	for (i = 0; i < 12 * NR_STEPS; i++) {
		before = encoded(p);
		ddp_profile_count(p, &counts);
		r = steps[i % NR_STEPS].step(p, i);
		if (r) {
			assert_int_equal(r, -ENOSPC);
			/* what a step names on its way to what is refused stays */
			if (steps[i % NR_STEPS].step != add_stack &&
			    steps[i % NR_STEPS].step != add_labels) {
				assert_same_counts(p, counts);
				assert_unchanged(p, &before);
			}
		}
		ddp_profile_count(p, &counts);
		assert_true(!max_bytes || counts.bytes <= max_bytes);
		ddp_buffer_free(&before);
	}
}

/* @return whether a profile could be made at all */
static bool fill_and_reset(size_t max_bytes)
{
	struct ddp_profile *p = NULL, *old = NULL;
	struct ddp_buffer before;
	int r = make(max_bytes, &p);

	if (r) {
		assert_int_equal(r, -ENOSPC);
		assert_null(p);
		return false;
	}
	fill(p, max_bytes);
	before = encoded(p);
	assert_int_equal(ddp_profile_reset(p, 0, &old), 0);
	assert_unchanged(old, &before);
	fill(p, max_bytes);
	assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	fill(p, max_bytes);
	ddp_buffer_free(&before);
	ddp_profile_destroy(old);
	ddp_profile_destroy(p);
	return true;
}

static void every_ceiling_is_kept(void **state)
{
	bool made = false, now;
	size_t max;

	(void)state;
	for (max = 1; max < 40000; max += max < 8000 ? 61 : 331) {
		now = fill_and_reset(max);
		assert_true(now || !made);
		made = now;
	}
	assert_true(made);
	assert_true(fill_and_reset(0));
}

/* The two that all of it is made of */

static void arrays_grow_by_what_fits(void **state)
{
	static const struct {
		const char *what;
		size_t max_bytes;
	} rows[] = {
		{ "room for less than the first elements", 3 * 8 },
		{ "room for a quarter less one", 5119 * 8 },
		{ "room for one more", 4097 * 8 },
		{ "room for most of an element", 4097 * 8 + 7 },
		{ "no room", 0 },
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp__budget budget = { .max_bytes = rows[i].max_bytes + 1, .bytes = 1 };
		DDP_VEC(uint64_t) v = { 0 };

		print_message("  %s\n", rows[i].what);
		while (!VEC_RESERVE(&budget, &v, 1))
			v.at[v.nr++] = 1;
		assert_int_equal(v.nr, rows[i].max_bytes / 8);
		assert_int_equal(budget.bytes, 1 + v.nr * 8);
		VEC_FREE(&v);
	}
}

/* Misuse */

/* One of everything, and counts that are far more: none of it may be looked at. */
static const uint32_t id0;
static const struct ddp_label label0;
static const struct ddp_line line0;
static const struct ddp_text_frame frame0;
static const struct ddp_text_label text_label0;
static const char byte0;

static int add_ids(struct ddp_profile *p, struct ddp_sample s)
{
	s.values = &one;
	s.nr_values = s.nr_values ? s.nr_values : 1;
	return ddp_profile_add(p, &s);
}

static int add_texts(struct ddp_profile *p, struct ddp_text_sample s)
{
	s.values = &one;
	s.nr_values = s.nr_values ? s.nr_values : 1;
	return ddp_profile_add_text(p, &s);
}

static int add_frame(struct ddp_profile *p, struct ddp_text_frame frame)
{
	return add_texts(p, (struct ddp_text_sample){ .frames = &frame, .nr_frames = 1 });
}

static int upscale(struct ddp_profile *p, uint32_t nr_offsets)
{
	return ddp_profile_upscale(p, &(struct ddp_upscaling_rule){
		.kind = DDP_UPSCALE_PROPORTIONAL, .scale = 2, .offsets = &id0,
		.nr_offsets = nr_offsets });
}

static void counts_beyond_the_limits_are_not_followed(void **state)
{
	const uint32_t many = UINT32_MAX;
	const struct ddp_text text = { &byte0, SIZE_MAX };
	struct ddp_profile *p;
	struct ddp_buffer before;
	uint32_t id;

	(void)state;
	assert_int_equal(make(0, &p), 0);
	before = encoded(p);
	assert_int_equal(ddp_profile_string(p, &byte0, SIZE_MAX, &id), -E2BIG);
	assert_int_equal(ddp_profile_string(p, &byte0, (size_t)INT32_MAX + 1, &id), -E2BIG);
	assert_int_equal(ddp_profile_stack(p, &id0, many, &id), -EINVAL);
	assert_int_equal(ddp_profile_label_set(p, &label0, many, &id), -EINVAL);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){
		.lines = &line0, .nr_lines = many }, &id), -EINVAL);
	assert_int_equal(upscale(p, many), -EINVAL);
	assert_int_equal(add_ids(p, (struct ddp_sample){
		.locations = &id0, .nr_locations = many }), -EINVAL);
	assert_int_equal(add_ids(p, (struct ddp_sample){
		.labels = &label0, .nr_labels = many }), -EINVAL);
	assert_int_equal(add_ids(p, (struct ddp_sample){ .nr_values = many }), -EINVAL);
	assert_int_equal(add_texts(p, (struct ddp_text_sample){
		.frames = &frame0, .nr_frames = many }), -EINVAL);
	assert_int_equal(add_texts(p, (struct ddp_text_sample){
		.labels = &text_label0, .nr_labels = many }), -EINVAL);
	assert_int_equal(add_texts(p, (struct ddp_text_sample){ .nr_values = many }), -EINVAL);
	assert_int_equal(add_frame(p, (struct ddp_text_frame){ .function = text }), -E2BIG);
	assert_int_equal(add_frame(p, (struct ddp_text_frame){ .system_name = text }), -E2BIG);
	assert_int_equal(add_frame(p, (struct ddp_text_frame){ .file = text }), -E2BIG);
	assert_int_equal(add_frame(p, (struct ddp_text_frame){
		.mapping = &(struct ddp_text_mapping){ .build_id = text } }), -E2BIG);
	assert_int_equal(add_texts(p, (struct ddp_text_sample){
		.labels = &(struct ddp_text_label){ .key = text }, .nr_labels = 1 }), -E2BIG);
	assert_unchanged(p, &before);
	ddp_buffer_free(&before);
	ddp_profile_destroy(p);
}

/* A count of 0 goes with NULL and with any other pointer. */
static void nothing_may_be_null(void **state)
{
	struct ddp_profile *p, *old;
	uint32_t id[3];
	size_t added = 7;

	(void)state;
	ddp_profile_destroy(NULL);
	assert_int_equal(make(0, &p), 0);
	assert_int_equal(ddp_profile_string(p, NULL, 0, &id[0]), 0);
	assert_int_equal(ddp_profile_string(p, &byte0 + 1, 0, &id[1]), 0);
	assert_int_equal(id[0], DDP_STRING_EMPTY);
	assert_int_equal(id[1], DDP_STRING_EMPTY);
	assert_int_equal(ddp_profile_stack(p, NULL, 0, &id[0]), 0);
	assert_int_equal(ddp_profile_stack(p, &id0 + 1, 0, &id[1]), 0);
	assert_int_equal(id[0], id[1]);
	assert_int_equal(ddp_profile_label_set(p, NULL, 0, &id[0]), 0);
	assert_int_equal(ddp_profile_label_set(p, &label0 + 1, 0, &id[1]), 0);
	assert_int_equal(id[0], id[1]);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){ .address = 0 }, &id[2]),
			 0);
	assert_int_equal(upscale(p, 0), -EINVAL);
	assert_int_equal(add_ids(p, (struct ddp_sample){ .timestamp_ns = 0 }), 0);
	assert_int_equal(add_ids(p, (struct ddp_sample){ .locations = &id[2], .nr_locations = 1 }),
			 0);
	assert_int_equal(add_texts(p, (struct ddp_text_sample){ .timestamp_ns = 0 }), 0);
	assert_int_equal(add_frame(p, (struct ddp_text_frame){ .address = 0 }), 0);
	assert_int_equal(ddp_profile_add_many(p, NULL, 0, &added), 0);
	assert_int_equal(added, 0);
	assert_int_equal(ddp_profile_comment(p, NULL), 0);
	assert_samples(p, "2 -\n2 \n");
	assert_int_equal(ddp_profile_reset(p, 0, &old), 0);
	ddp_profile_destroy(old);
	ddp_profile_destroy(p);
}

/* Snapshots */

static void *encode_often(void *snapshot)
{
	struct ddp_buffer first = encoded(snapshot);
	int i;

	for (i = 0; i < 20; i++)
		assert_unchanged(snapshot, &first);
	ddp_buffer_free(&first);
	return NULL;
}

/* A profile with some of everything, its strings shared, and no reference to these but its own */
static struct ddp_profile *full_profile(void)
{
	static const struct ddp_value_type type = { DDP_CPU_TIME };
	struct ddp_profile_config config = { .value_types = &type, .nr_value_types = 1 };
	struct ddp_profile *p;
	uint64_t handle;
	uint32_t id;

	assert_int_equal(ddp_strings_create(0, &config.strings), 0);
	assert_int_equal(ddp_profile_create(&config, &p), 0);
	assert_int_equal(ddp_strings_intern(config.strings, "/shop", 5, &handle), 0);
	assert_int_equal(ddp_profile_shared_string(p, handle, &id), 0);
	assert_int_equal(ddp_strings_release(config.strings, handle), 0);
	ddp_strings_unref(config.strings);
	assert_int_equal(ddp_profile_endpoint(p, 10, id), 0);
	assert_int_equal(add_ids(p, (struct ddp_sample){
		.labels = &(struct ddp_label){ .key = DDP_STRING_LOCAL_ROOT_SPAN_ID, .num = 10 },
		.nr_labels = 1 }), 0);
	assert_int_equal(upscale(p, 1), 0);
	fill(p, 0);
	return p;
}

/* Handed to other threads, it is read while its profile is filled, reset and destroyed. */
static void snapshots_outlive_their_profile(void **state)
{
	struct ddp_profile *p = full_profile(), *old, *next;
	struct ddp_buffer before = encoded(p);
	struct ddp_endpoint_count count;
	pthread_t threads[3];
	int i;

	(void)state;
	assert_int_equal(ddp_profile_reset(p, 5000, &old), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, encode_often, old), 0);
	fill(p, 0);
	assert_int_equal(ddp_profile_reset(p, 5000, &next), 0);
	ddp_profile_destroy(next);
	ddp_profile_destroy(p);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_unchanged(old, &before);
	assert_int_equal(ddp_profile_endpoint_count_at(old, 0, &count), -ENOENT);
	ddp_buffer_free(&before);
	ddp_profile_destroy(old);
}

/* Everything that would change a snapshot is refused. */
static void snapshots_do_not_change(void **state)
{
	struct ddp_profile *p = full_profile(), *old, *none = NULL;
	struct ddp_buffer before = encoded(p);
	uint32_t id, i;
	size_t added;

	(void)state;
	assert_int_equal(ddp_profile_reset(p, 5000, &old), 0);
	for (i = 0; i < NR_STEPS; i++)
		assert_int_equal(steps[i].step(old, 1000), -EROFS);
	assert_int_equal(ddp_profile_shared_string(old, 1, &id), -EROFS);
	assert_int_equal(ddp_profile_mapping(old, &(struct ddp_mapping){ 0 }, &id), -EROFS);
	assert_int_equal(ddp_profile_function(old, &(struct ddp_function){ 0 }, &id), -EROFS);
	assert_int_equal(ddp_profile_stack(old, NULL, 0, &id), -EROFS);
	assert_int_equal(ddp_profile_label_set(old, NULL, 0, &id), -EROFS);
	assert_int_equal(ddp_profile_add_many(old, &(struct ddp_sample){ 0 }, 1, &added), -EROFS);
	assert_int_equal(ddp_profile_endpoint_count(old, 2, 1), -EROFS);
	assert_int_equal(upscale(old, 1), -EROFS);
	assert_int_equal(ddp_profile_reset(old, 0, NULL), -EROFS);
	assert_int_equal(ddp_profile_reset(old, 0, &none), -EROFS);
	assert_null(none);
	assert_unchanged(old, &before);
	ddp_buffer_free(&before);
	ddp_profile_destroy(old);
	ddp_profile_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_grow_by_what_fits),
		cmocka_unit_test(nearly_all_of_a_ceiling_is_used),
		cmocka_unit_test(a_reset_gives_the_ceiling_back),
		cmocka_unit_test(every_ceiling_is_kept),
		cmocka_unit_test(counts_beyond_the_limits_are_not_followed),
		cmocka_unit_test(nothing_may_be_null),
		cmocka_unit_test(snapshots_outlive_their_profile),
		cmocka_unit_test(snapshots_do_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
