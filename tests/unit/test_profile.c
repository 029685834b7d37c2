// SPDX-License-Identifier: Apache-2.0
/*
 * The builder through its public face: what is added up and what stays apart, what is refused
 * (and that the profile is then the same, byte for byte), ids and generations, stacks and label
 * sets, memory. Results are looked at by encoding and loading again. By strings:
 * test_profile_text.c; random sequences of everything: test_profile_model.c.
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

#include "lib/profile_internal.h"
#include "profile_encoded.h"

enum { NR_LOCATIONS = 4, NR_KEYS = 3 };

/* A profile with some ids to play with. */
struct world {
	struct ddp_profile *p;
	uint32_t location[NR_LOCATIONS];
	uint32_t key[NR_KEYS];	/* "k0", "k1", ... */
	uint32_t text;		/* "text" */
};

static void world_ids(struct world *w)
{
	char name[8];
	uint32_t i;

	for (i = 0; i < NR_LOCATIONS; i++)
		assert_int_equal(ddp_profile_location(w->p, &(struct ddp_location){
				 .address = 0x1000 + i }, &w->location[i]), 0);
	for (i = 0; i < NR_KEYS; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		assert_int_equal(ddp_profile_string(w->p, name, 2, &w->key[i]), 0);
	}
	assert_int_equal(ddp_profile_string(w->p, "text", 4, &w->text), 0);
}

static void world_make(struct world *w, size_t nr_value_types)
{
	static const struct ddp_value_type types[] = {
		{ "a", "count" }, { "b", "count" }, { "c", "bytes" },
	};
	struct ddp_profile_config c = { .value_types = types, .nr_value_types = nr_value_types,
					.start_unix_ns = 1000 };

	assert_int_equal(ddp_profile_create(&c, &w->p), 0);
	world_ids(w);
}

/* Adds a sample of @nr values at location 0 (and 1), with labels. */
static int add(struct world *w, const int64_t *values, uint32_t nr, const struct ddp_label *labels,
	       uint32_t nr_labels, int64_t timestamp)
{
	return ddp_profile_add(w->p, &(struct ddp_sample){
		.locations = w->location, .nr_locations = 2, .values = values, .nr_values = nr,
		.labels = labels, .nr_labels = nr_labels, .timestamp_ns = timestamp });
}

static void equal_samples_add_up(void **state)
{
	struct world w;
	struct ddp_pprof *f;

	(void)state;
	world_make(&w, 3);
	assert_int_equal(add(&w, (int64_t[]){ 1, 2, 3 }, 3, NULL, 0, 0), 0);
	assert_int_equal(add(&w, (int64_t[]){ 4, 5, 6 }, 3, NULL, 0, 0), 0);
	f = reloaded(w.p);
	assert_int_equal(f->nr_samples, 1);
	assert_memory_equal(f->samples[0].values, ((int64_t[]){ 5, 7, 9 }), 24);
	assert_int_equal(f->samples[0].nr_locations, 2);
	assert_int_equal(f->samples[0].locations[0]->address, 0x1000);
	assert_int_equal(f->samples[0].locations[1]->address, 0x1001);
	ddp_pprof_destroy(f);
	ddp_profile_destroy(w.p);
}

static void timestamps_keep_samples_apart(void **state)
{
	struct world w;
	struct ddp_pprof *f;
	struct ddp_profile_counts counts;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, NULL, 0, 1), 0);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, NULL, 0, 1), 0);
	assert_int_equal(add(&w, (int64_t[]){ 5 }, 1, NULL, 0, 0), 0);
	ddp_profile_count(w.p, &counts);
	assert_int_equal(counts.samples, 3);
	assert_int_equal(counts.timestamped, 2);
	f = reloaded(w.p);
	assert_int_equal(f->nr_samples, 3);
	assert_int_equal(f->samples[0].nr_labels, 0);
	assert_int_equal(f->samples[0].values[0], 5);
	assert_int_equal(f->samples[2].nr_labels, 1);
	assert_string_equal(f->samples[2].labels[0].key, "end_timestamp_ns");
	assert_null(f->samples[2].labels[0].str);
	assert_int_equal(f->samples[2].labels[0].num, 1);
	ddp_pprof_destroy(f);
	ddp_profile_destroy(w.p);
}

static void sums_stop_at_the_limits(void **state)
{
	static const struct {
		const char *what;
		int64_t a, b, sum;
	} rows[] = {
		{ "past the maximum", INT64_MAX - 1, 2, INT64_MAX },
		{ "twice the maximum", INT64_MAX, INT64_MAX, INT64_MAX },
		{ "past the minimum", INT64_MIN + 1, -2, INT64_MIN },
		{ "across zero", INT64_MIN, INT64_MAX, -1 },
	};
	struct ddp_pprof *f;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		world_make(&w, 1);
		assert_int_equal(add(&w, &rows[i].a, 1, NULL, 0, 0), 0);
		assert_int_equal(add(&w, &rows[i].b, 1, NULL, 0, 0), 0);
		f = reloaded(w.p);
		assert_true(f->samples[0].values[0] == rows[i].sum);
		ddp_pprof_destroy(f);
		ddp_profile_destroy(w.p);
	}
}

static void label_order_does_not_matter(void **state)
{
	struct ddp_pprof *f;
	struct world w;

	(void)state;
	world_make(&w, 1);
	struct ddp_label l[] = { { .key = w.key[1], .str = w.text },
				 { .key = w.key[0], .num = -7, .num_unit = w.text },
				 { .key = DDP_STRING_LOCAL_ROOT_SPAN_ID, .num = 10 } };
	struct ddp_label turned[] = { l[2], l[1], l[0] };

	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, l, 3, 0), 0);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, turned, 3, 0), 0);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, l, 2, 0), 0);
	f = reloaded(w.p);
	assert_int_equal(f->nr_samples, 2);
	assert_int_equal(f->samples[0].values[0], 2);
	assert_int_equal(f->samples[0].nr_labels, 3);
	/* as they came first */
	assert_string_equal(f->samples[0].labels[0].key, "k1");
	assert_string_equal(f->samples[0].labels[0].str, "text");
	assert_string_equal(f->samples[0].labels[1].key, "k0");
	assert_int_equal(f->samples[0].labels[1].num, -7);
	assert_string_equal(f->samples[0].labels[1].num_unit, "text");
	assert_string_equal(f->samples[0].labels[2].key, "local root span id");
	assert_int_equal(f->samples[0].labels[2].num, 10);
	ddp_pprof_destroy(f);
	ddp_profile_destroy(w.p);
}

/* What a row breaks. Ids are put in when it runs: K0, K1, TEXT stand for the world's. */
enum { K0 = 1000, K1, TEXT, STALE };

static uint32_t real_id(const struct world *w, uint32_t id)
{
	switch (id) {
	case K0: return w->key[0];
	case K1: return w->key[1];
	case TEXT: return w->text;
	case STALE: return 0x7ffffff0;
	}
	return id;
}

static void bad_samples_change_nothing(void **state)
{
	static const struct {
		const char *what;
		uint32_t nr_values, nr_labels;
		struct ddp_label labels[2];
		bool bad_location;
		int r;
	} rows[] = {
		{ "too few values", 1, 0, { }, false, -EINVAL },
		{ "too many values", 3, 0, { }, false, -EINVAL },
		{ "the same key twice", 2, 2,
		  { { K0, TEXT, 0, 0 }, { K0, 0, 1, 0 } }, false, -EEXIST },
		{ "a span id as a string", 2, 1,
		  { { DDP_STRING_LOCAL_ROOT_SPAN_ID, TEXT, 0, 0 } }, false, -EINVAL },
		{ "a span id of zero", 2, 1,
		  { { DDP_STRING_LOCAL_ROOT_SPAN_ID, 0, 0, 0 } }, false, -EINVAL },
		{ "the reserved key", 2, 1,
		  { { DDP_STRING_END_TIMESTAMP_NS, 0, 5, 0 } }, false, -EPERM },
		{ "a string and a number", 2, 1, { { K0, TEXT, 5, 0 } }, false, -EINVAL },
		{ "a string and a unit", 2, 1, { { K0, TEXT, 0, TEXT } }, false, -EINVAL },
		{ "an empty key", 2, 1, { { 0, TEXT, 0, 0 } }, false, -EINVAL },
		{ "a key that is no id", 2, 1, { { STALE, TEXT, 0, 0 } }, false, -ESTALE },
		{ "a value that is no id", 2, 1, { { K0, STALE, 0, 0 } }, false, -ESTALE },
		{ "a unit that is no id", 2, 1, { { K0, 0, 1, STALE } }, false, -ESTALE },
		{ "a location that is none", 2, 0, { }, true, -ESTALE },
	};
	struct ddp_buffer before, after;
	struct ddp_label labels[2];
	struct world w;
	size_t i, k;

	(void)state;
	world_make(&w, 2);
	assert_int_equal(add(&w, (int64_t[]){ 1, 2 }, 2, NULL, 0, 0), 0);
	before = encoded(w.p);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		for (k = 0; k < 2; k++) {
			labels[k] = rows[i].labels[k];
			labels[k].key = real_id(&w, labels[k].key);
			labels[k].str = real_id(&w, labels[k].str);
			labels[k].num_unit = real_id(&w, labels[k].num_unit);
		}
		uint32_t second = w.location[1];

		w.location[1] = rows[i].bad_location ? 0 : second;
		assert_int_equal(add(&w, (int64_t[]){ 1, 2, 3 }, rows[i].nr_values, labels,
				     rows[i].nr_labels, 0), rows[i].r);
		w.location[1] = second;
		after = encoded(w.p);
		assert_int_equal(after.len, before.len);
		assert_memory_equal(after.bytes, before.bytes, before.len);
		ddp_buffer_free(&after);
	}
	ddp_buffer_free(&before);
	ddp_profile_destroy(w.p);
}

static void the_same_thing_has_one_id(void **state)
{
	struct ddp_profile_counts counts;
	uint32_t a, b, s, f, m, i, first[3] = { 0 };
	struct world w;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(ddp_profile_string(w.p, "text", 4, &a), 0);
	assert_int_equal(a, w.text);
	assert_int_equal(ddp_profile_string(w.p, "tex", 3, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(ddp_profile_string(w.p, NULL, 0, &s), 0);
	assert_int_equal(s, DDP_STRING_EMPTY);
	assert_int_equal(ddp_profile_string(w.p, "end_timestamp_ns", 16, &s), 0);
	assert_int_equal(s, DDP_STRING_END_TIMESTAMP_NS);

	assert_int_equal(ddp_profile_mapping(w.p, &(struct ddp_mapping){ 0 }, &m), 0);
	assert_int_equal(m, 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(ddp_profile_mapping(w.p, &(struct ddp_mapping){
				 .start = 1, .limit = 2, .filename = w.text }, &m), 0);
		assert_int_equal(ddp_profile_function(w.p, &(struct ddp_function){
				 .name = w.text, .start_line = 3 }, &f), 0);
		assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){
				 .mapping = m, .address = 9, .nr_lines = 2, .lines =
				 (struct ddp_line[]){ { f, 1 }, { f, 2 } } }, &s), 0);
		if (i)
			assert_memory_equal(first, ((uint32_t[]){ m, f, s }), sizeof(first));
		first[0] = m;
		first[1] = f;
		first[2] = s;
	}
	/* one line less is another location */
	assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){
			 .mapping = m, .address = 9, .nr_lines = 1,
			 .lines = &(struct ddp_line){ f, 1 } }, &s), 0);
	assert_int_not_equal(s, first[2]);
	ddp_profile_count(w.p, &counts);
	assert_int_equal(counts.mappings, 1);
	assert_int_equal(counts.functions, 1);
	assert_int_equal(counts.locations, NR_LOCATIONS + 2);
	assert_int_equal(counts.samples, 0);
	assert_true(counts.bytes > 0);
	ddp_profile_destroy(w.p);
}

/* Small ones of single lines are kept in another form than all others. */
static void line_numbers_of_any_size(void **state)
{
	static const int64_t numbers[] = {
		0, 1, 2, UINT32_MAX, 1LL + UINT32_MAX, 2LL + UINT32_MAX, INT64_MAX, -1, INT64_MIN,
		INT64_MIN + 1,
	};
	enum { NR = sizeof(numbers) / sizeof(*numbers), LINES = 3 };
	uint32_t ids[NR * LINES], again, i, n;
	struct ddp_line lines[LINES] = { { 0 } };
	struct ddp_location l = { .address = 9, .lines = lines };
	const struct ddp_pprof_location *got;
	struct ddp_pprof *f;
	struct world w;

	(void)state;
	world_make(&w, 1);
	for (i = 0; i < 2 * NR * LINES; i++) {
		l.nr_lines = 1 + i % LINES;
		lines[l.nr_lines - 1].line = numbers[i / LINES % NR];
		assert_int_equal(ddp_profile_location(w.p, &l, &again), 0);
		for (n = 0; i < NR * LINES && n < i; n++)
			assert_int_not_equal(again, ids[n]);
		if (i >= NR * LINES)
			assert_int_equal(again, ids[i - NR * LINES]);
		else
			ids[i] = again;
		lines[l.nr_lines - 1].line = 0;
	}
	assert_int_equal(ddp_profile_add(w.p, &(struct ddp_sample){
		.locations = ids, .nr_locations = NR * LINES, .values = &(int64_t){ 1 },
		.nr_values = 1 }), 0);
	f = reloaded(w.p);
	for (i = 0; i < NR * LINES; i++) {
		got = f->samples[0].locations[i];
		assert_int_equal(got->nr_lines, 1 + i % LINES);
		assert_int_equal(got->lines[i % LINES].line, numbers[i / LINES]);
	}
	ddp_pprof_destroy(f);
	ddp_profile_destroy(w.p);
}

static void references_are_checked(void **state)
{
	struct world w;
	uint32_t id = 77;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(ddp_profile_mapping(w.p, &(struct ddp_mapping){ .filename = 99 }, &id),
			 -ESTALE);
	assert_int_equal(ddp_profile_function(w.p, &(struct ddp_function){ .name = 99 }, &id),
			 -ESTALE);
	assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){ .mapping = 5 }, &id),
			 -ESTALE);
	assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){ .nr_lines = 1,
			 .lines = &(struct ddp_line){ .function = 5 } }, &id), -ESTALE);
	assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){ .nr_lines = 1025 },
					      &id), -EINVAL);
	assert_int_equal(id, 77);
	assert_int_equal(ddp_profile_create(&(struct ddp_profile_config){ 0 }, &w.p), -EINVAL);
	ddp_profile_destroy(w.p);
}

static void a_reset_starts_over_and_keeps_a_snapshot(void **state)
{
	struct ddp_profile_counts counts;
	struct ddp_buffer before, after;
	struct ddp_profile *old;
	struct ddp_pprof *f;
	struct world w, stale;
	size_t bytes;
	uint32_t id;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(ddp_profile_comment(w.p, "first"), 0);
	assert_int_equal(add(&w, (int64_t[]){ 4 }, 1, NULL, 0, 0), 0);
	before = encoded(w.p);
	ddp_profile_count(w.p, &counts);
	bytes = counts.bytes;
	stale = w;
	assert_int_equal(ddp_profile_reset(w.p, 5000, &old), 0);

	/* old ids are refused, by every call that takes one, also when as many new ones exist */
	world_ids(&w);
	assert_int_equal(add(&stale, (int64_t[]){ 1 }, 1, NULL, 0, 0), -ESTALE);
	assert_int_equal(ddp_profile_function(w.p, &(struct ddp_function){ .name = stale.text },
					      &id), -ESTALE);
	assert_int_equal(add(&w, (int64_t[]){ 6 }, 1, NULL, 0, 0), 0);
	f = reloaded(w.p);
	assert_int_equal(f->nr_samples, 1);
	assert_int_equal(f->samples[0].values[0], 6);
	assert_int_equal(f->nr_comments, 0);
	assert_int_equal(f->time_unix_ns, 5000);
	assert_int_equal(f->duration_ns, 0);
	assert_string_equal(f->sample_types[0].type, "a");
	ddp_pprof_destroy(f);

	/* the snapshot is what it was and stays so, without what only adding needs */
	ddp_profile_count(old, &counts);
	assert_int_equal(counts.samples, 1);
	assert_true(counts.bytes < bytes);
	after = encoded(old);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.bytes, after.bytes, after.len);
	stale.p = old;
	assert_int_equal(add(&stale, (int64_t[]){ 1 }, 1, NULL, 0, 0), -EROFS);
	assert_int_equal(ddp_profile_string(old, "x", 1, &id), -EROFS);
	assert_int_equal(ddp_profile_comment(old, "x"), -EROFS);
	assert_int_equal(ddp_profile_reset(old, 0, NULL), -EROFS);
	ddp_buffer_free(&before);
	ddp_buffer_free(&after);
	ddp_profile_destroy(old);
	ddp_profile_destroy(w.p);
}

static void a_reset_without_a_snapshot_uses_its_memory_again(void **state)
{
	struct ddp_buffer first, again;
	struct ddp_profile_counts counts;
	size_t bytes = 0;
	struct world w, stale;
	int i;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(add(&w, (int64_t[]){ 4 }, 1, NULL, 0, 0), 0);
	first = encoded(w.p);
	for (i = 0; i < 1000; i++) {
		stale = w;
		assert_int_equal(ddp_profile_reset(w.p, 1000, NULL), 0);
		world_ids(&w);
		assert_int_equal(add(&stale, (int64_t[]){ 4 }, 1, NULL, 0, 0), -ESTALE);
		assert_int_equal(add(&w, (int64_t[]){ 4 }, 1, NULL, 0, 0), 0);
		ddp_profile_count(w.p, &counts);
		assert_true(!bytes || bytes == counts.bytes);
		bytes = counts.bytes;
	}
	again = encoded(w.p);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, again.len);
	ddp_buffer_free(&first);
	ddp_buffer_free(&again);
	ddp_profile_destroy(w.p);
}

/* All of it but the start: empty, a profile has the bytes of one that was made like it. */
static void a_reset_keeps_the_configuration(void **state)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_TIME }, { NULL, "count" } };
	struct ddp_profile_config c = {
		.value_types = types, .nr_value_types = 2, .period_type = { "", "unit" },
		.period = -7, .start_unix_ns = 1000, .omit_local_root_span_id = true,
		.max_bytes = 100000,
	};
	struct ddp_label span = { .key = DDP_STRING_LOCAL_ROOT_SPAN_ID, .num = 3 };
	struct ddp_profile *p, *old;
	struct ddp_buffer bytes;
	uint64_t handle;
	uint32_t id, i;

	(void)state;
	assert_int_equal(ddp_strings_create(0, &c.strings), 0);
	assert_int_equal(ddp_strings_intern(c.strings, "shared", 6, &handle), 0);
	assert_int_equal(ddp_profile_create(&c, &p), 0);
	bytes = encoded(p);
	for (i = 0; i < 5; i++) {
		assert_unchanged(p, &bytes);
		assert_int_equal(ddp_profile_shared_string(p, handle, &id), 0);
		assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){
			.values = (int64_t[]){ 1, 2 }, .nr_values = 2, .labels = &span,
			.nr_labels = 1 }), 0);
		assert_samples(p, "1,2 -\n");
		while (i % 3 == 2 && !ddp_profile_comment(p, "up to the ceiling"))
			;
		assert_int_equal(ddp_profile_reset(p, 1000, i % 2 ? &old : NULL), 0);
		if (i % 2)
			ddp_profile_destroy(old);
	}
	ddp_buffer_free(&bytes);
	ddp_profile_destroy(p);
	ddp_strings_unref(c.strings);
}

static void the_memory_ceiling_holds(void **state)
{
	static const struct ddp_value_type type = { DDP_CPU_TIME };
	struct ddp_profile_config c = { .value_types = &type, .nr_value_types = 1,
					.max_bytes = 100000 };
	struct ddp_profile_counts counts;
	struct ddp_buffer before, after;
	struct ddp_profile *p;
	char name[32];
	uint32_t id, i;
	int r = 0;

	(void)state;
	assert_int_equal(ddp_profile_create(&c, &p), 0);
	for (i = 0; !r; i++) {
		before = encoded(p);
		snprintf(name, sizeof(name), "function number %u", i);
		r = ddp_profile_string(p, name, strlen(name), &id);
		after = encoded(p);
		if (r) {
			assert_int_equal(before.len, after.len);
			assert_memory_equal(before.bytes, after.bytes, after.len);
		}
		ddp_buffer_free(&before);
		ddp_buffer_free(&after);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(i > 100);
	ddp_profile_count(p, &counts);
	assert_true(counts.bytes <= c.max_bytes && counts.bytes > c.max_bytes / 2);
	/* what is known is still found, and after a reset there is room again */
	assert_int_equal(ddp_profile_string(p, "function number 1", 17, &id), 0);
	assert_int_equal(ddp_profile_reset(p, 0, NULL), 0);
	assert_int_equal(ddp_profile_string(p, name, strlen(name), &id), 0);
	ddp_profile_destroy(p);
}

/* An id of one kind is refused wherever another kind is meant, though it is as small a number. */
static void ids_of_one_kind_are_no_other(void **state)
{
	enum { STRING, MAPPING, FUNCTION, LOCATION, STACK, LABEL_SET, NR };
	uint32_t ids[NR], ret, i;
	struct world w;

	(void)state;
	world_make(&w, 1);
	ids[STRING] = w.text;
	ids[LOCATION] = w.location[0];
	assert_int_equal(ddp_profile_mapping(w.p, &(struct ddp_mapping){ .start = 1 },
					     &ids[MAPPING]), 0);
	assert_int_equal(ddp_profile_function(w.p, &(struct ddp_function){ .name = w.text },
					      &ids[FUNCTION]), 0);
	assert_int_equal(ddp_profile_stack(w.p, w.location, 2, &ids[STACK]), 0);
	assert_int_equal(ddp_profile_label_set(w.p, &(struct ddp_label){ .key = w.text }, 1,
					       &ids[LABEL_SET]), 0);
	for (i = 0; i < NR; i++) {
		int64_t value = 1;
		struct ddp_sample s = { .values = &value, .nr_values = 1 };

		assert_int_equal(ddp_profile_mapping(w.p, &(struct ddp_mapping){
			.filename = ids[i] }, &ret), i == STRING ? 0 : -ESTALE);
		assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){
			.mapping = ids[i] }, &ret), i == MAPPING ? 0 : -ESTALE);
		assert_int_equal(ddp_profile_location(w.p, &(struct ddp_location){
			.nr_lines = 1, .lines = &(struct ddp_line){ ids[i], 1 } }, &ret),
			i == FUNCTION ? 0 : -ESTALE);
		assert_int_equal(ddp_profile_stack(w.p, &ids[i], 1, &ret),
				 i == LOCATION ? 0 : -ESTALE);
		s.stack = ids[i];
		assert_int_equal(ddp_profile_add(w.p, &s), i == STACK ? 0 : -ESTALE);
		s.stack = 0;
		s.label_set = ids[i];
		assert_int_equal(ddp_profile_add(w.p, &s), i == LABEL_SET ? 0 : -ESTALE);
	}
	ddp_profile_destroy(w.p);
}

static void stacks_and_label_sets_have_ids(void **state)
{
	struct ddp_label labels[2], turned[2];
	int64_t value = 1;
	struct ddp_sample s = { .values = &value, .nr_values = 1 };
	uint32_t stack[3], set[3];
	struct world w;

	(void)state;
	world_make(&w, 1);
	labels[0] = turned[1] = (struct ddp_label){ .key = w.key[1], .str = w.text };
	labels[1] = turned[0] = (struct ddp_label){ .key = w.key[0], .num = 3 };
	assert_int_equal(ddp_profile_stack(w.p, w.location, 3, &stack[0]), 0);
	assert_int_equal(ddp_profile_stack(w.p, w.location, 3, &stack[1]), 0);
	assert_int_equal(ddp_profile_stack(w.p, NULL, 0, &stack[2]), 0);
	assert_int_equal(stack[0], stack[1]);
	assert_int_not_equal(stack[0], stack[2]);
	assert_int_equal(ddp_profile_label_set(w.p, labels, 2, &set[0]), 0);
	assert_int_equal(ddp_profile_label_set(w.p, turned, 2, &set[1]), 0);
	assert_int_equal(ddp_profile_label_set(w.p, NULL, 0, &set[2]), 0);
	assert_int_equal(set[0], set[1]);
	assert_int_not_equal(set[0], set[2]);

	/* what they name is the same sample as what they stand for */
	s.stack = stack[0];
	s.label_set = set[0];
	assert_int_equal(ddp_profile_add(w.p, &s), 0);
	s.stack = 0;
	s.locations = w.location;
	s.nr_locations = 3;
	assert_int_equal(ddp_profile_add(w.p, &s), 0);
	s.label_set = 0;
	s.labels = turned;
	s.nr_labels = 2;
	assert_int_equal(ddp_profile_add(w.p, &s), 0);
	assert_samples(w.p, "3 @1000;@1001;@1002 k1=text,k0=#3\n");

	/* not both */
	s.stack = stack[0];
	assert_int_equal(ddp_profile_add(w.p, &s), -EINVAL);
	s.stack = 0;
	s.label_set = set[0];
	assert_int_equal(ddp_profile_add(w.p, &s), -EINVAL);

	assert_int_equal(ddp_profile_reset(w.p, 0, NULL), 0);
	world_ids(&w);
	s = (struct ddp_sample){ .values = &value, .nr_values = 1, .stack = stack[0] };
	assert_int_equal(ddp_profile_add(w.p, &s), -ESTALE);
	s = (struct ddp_sample){ .values = &value, .nr_values = 1, .label_set = set[0] };
	assert_int_equal(ddp_profile_add(w.p, &s), -ESTALE);
	ddp_profile_destroy(w.p);
}

static void a_bad_label_set_is_refused(void **state)
{
	struct ddp_label *labels = calloc(1025, sizeof(*labels));
	struct ddp_profile_counts counts;
	struct world w;
	uint32_t id, i;
	char key[16];

	(void)state;
	world_make(&w, 1);
	for (i = 0; i < 1025; i++) {
		snprintf(key, sizeof(key), "key %u", i);
		labels[i] = (struct ddp_label){ .key = string_id(w.p, key), .num = i };
	}
	assert_int_equal(ddp_profile_label_set(w.p, labels, 1025, &id), -EINVAL);
	assert_int_equal(ddp_profile_label_set(w.p, labels, 1024, &id), 0);
	labels[1023].key = labels[0].key;
	assert_int_equal(ddp_profile_label_set(w.p, labels, 1024, &id), -EEXIST);
	/* a set that has one label twice is not the known set of two */
	assert_int_equal(ddp_profile_label_set(w.p, labels, 2, &id), 0);
	labels[1] = labels[0];
	assert_int_equal(ddp_profile_label_set(w.p, labels, 2, &id), -EEXIST);
	ddp_profile_count(w.p, &counts);
	assert_int_equal(counts.label_sets, 2);
	free(labels);
	ddp_profile_destroy(w.p);
}

static void many_at_once_stop_at_the_first_bad_one(void **state)
{
	struct ddp_sample s[4];
	int64_t value = 1;
	size_t added, i;
	struct world w;

	(void)state;
	world_make(&w, 1);
	for (i = 0; i < 4; i++)
		s[i] = (struct ddp_sample){ .locations = w.location, .nr_locations = 1,
					    .values = &value, .nr_values = 1 };
	s[2].nr_values = 2;
	assert_int_equal(ddp_profile_add_many(w.p, s, 4, &added), -EINVAL);
	assert_int_equal(added, 2);
	assert_samples(w.p, "2 @1000\n");
	s[2].nr_values = 1;
	assert_int_equal(ddp_profile_add_many(w.p, s, 4, &added), 0);
	assert_int_equal(added, 4);
	assert_samples(w.p, "6 @1000\n");
	ddp_profile_destroy(w.p);
}

/* Every depth and every place where two stacks can differ, across all ways to cut them */
static void stacks_of_any_depth_are_told_apart(void **state)
{
	enum { DEPTH = 40 };
	uint32_t ids[DEPTH], id[DEPTH + 1][DEPTH + 1], depth, at, again;
	struct ddp_profile_counts counts;
	struct world w;

	(void)state;
	world_make(&w, 1);
	for (at = 0; at < DEPTH; at++)
		ids[at] = w.location[0];
	for (again = 0; again < 2; again++) {
		for (depth = 0; depth <= DEPTH; depth++) {
			for (at = 0; at <= depth; at++) {
				uint32_t now;

				if (at < depth)
					ids[at] = w.location[1];
				assert_int_equal(ddp_profile_stack(w.p, ids, depth, &now), 0);
				if (at < depth)
					ids[at] = w.location[0];
				if (again)
					assert_int_equal(now, id[depth][at]);
				id[depth][at] = now;
			}
		}
	}
	ddp_profile_count(w.p, &counts);
	assert_int_equal(counts.stacks, (DEPTH + 1) * (DEPTH + 2) / 2);
	ddp_profile_destroy(w.p);
}

/* The table grows five times meanwhile, and is told each stack's hash from its pieces. */
static void deep_stacks_are_found_again(void **state)
{
	enum { DEPTH = 700 };
	uint32_t ids[DEPTH], id[DEPTH], now, depth;
	struct world w;

	(void)state;
	world_make(&w, 1);
	for (depth = 0; depth < DEPTH; depth++) {
		ids[depth] = w.location[depth % 3];
		assert_int_equal(ddp_profile_stack(w.p, ids, depth + 1, &id[depth]), 0);
	}
	for (depth = 0; depth < DEPTH; depth++) {
		assert_int_equal(ddp_profile_stack(w.p, ids, depth + 1, &now), 0);
		assert_int_equal(now, id[depth]);
	}
	ddp_profile_destroy(w.p);
}

/* As if what is at @from had the hash of what is at @to: lookups of @to find @from first. */
static void collide(struct table *t, uint32_t from, uint32_t to)
{
	uint32_t i;

	for (i = 0; i < t->nr_slots; i++)
		if (table_position(t->slots[i]) == to)
			t->slots[i] = (t->slots[i] & TABLE_TAG) | (from + 1);
}

/* Stacks and label sets that differ in one place, wherever that is, and have the same hash */
static void equal_hashes_are_not_equality(void **state)
{
	enum { DEPTH = 24 };
	uint32_t ids[DEPTH], a, b, at;
	struct ddp_label labels[3] = { { 0 } };
	struct world w;

	(void)state;
	for (at = 0; at < DEPTH; at++) {
		world_make(&w, 1);
		for (b = 0; b < DEPTH; b++)
			ids[b] = w.location[0];
		assert_int_equal(ddp_profile_stack(w.p, ids, DEPTH, &a), 0);
		ids[at] = w.location[1];
		assert_int_equal(ddp_profile_stack(w.p, ids, DEPTH, &b), 0);
		collide(&w.p->stack_table, 0, 1);
		assert_int_equal(ddp_profile_stack(w.p, ids, DEPTH, &b), 0);
		assert_int_not_equal(a, b);
		ddp_profile_destroy(w.p);
	}
	for (at = 0; at < 3; at++) {
		world_make(&w, 1);
		for (b = 0; b < 3; b++)
			labels[b] = (struct ddp_label){ .key = w.key[b], .num = 1 };
		assert_int_equal(ddp_profile_label_set(w.p, labels, 3, &a), 0);
		labels[at].num = 2;
		assert_int_equal(ddp_profile_label_set(w.p, labels, 3, &b), 0);
		collide(&w.p->label_set_table, 0, 1);
		assert_int_equal(ddp_profile_label_set(w.p, labels, 3, &b), 0);
		assert_int_not_equal(a, b);
		ddp_profile_destroy(w.p);
	}
}

static void a_stack_may_be_this_deep(void **state)
{
	enum { MOST = 65536 };
	uint32_t *ids = calloc(MOST + 1, sizeof(*ids)), id, i;
	int64_t value = 1;
	struct ddp_pprof *f;
	struct world w;

	(void)state;
	world_make(&w, 1);
	for (i = 0; i <= MOST; i++)
		ids[i] = w.location[i % 3];
	assert_int_equal(ddp_profile_stack(w.p, ids, MOST + 1, &id), -EINVAL);
	assert_int_equal(ddp_profile_add(w.p, &(struct ddp_sample){
		.locations = ids, .nr_locations = MOST + 1, .values = &value, .nr_values = 1 }),
		-EINVAL);
	assert_int_equal(ddp_profile_add(w.p, &(struct ddp_sample){
		.locations = ids, .nr_locations = MOST, .values = &value, .nr_values = 1 }), 0);
	f = reloaded(w.p);
	assert_int_equal(f->samples[0].nr_locations, MOST);
	for (i = 0; i < MOST; i++)
		assert_int_equal(f->samples[0].locations[i]->address, 0x1000 + i % 3);
	ddp_pprof_destroy(f);
	free(ids);
	ddp_profile_destroy(w.p);
}

/* Several blocks of them, in time and out of it */
static void timestamped_samples_are_compact(void **state)
{
	enum { NR = 60000 };
	static const int64_t base = 1700000000000000000LL;
	struct ddp_profile_counts before, after;
	struct ddp_pprof *f;
	int64_t value, at;
	struct world w;
	int i;

	(void)state;
	world_make(&w, 1);
	ddp_profile_count(w.p, &before);
	for (i = 0; i < NR; i++) {
		value = i % 100;
		at = i % 1000 ? base + i * 10101010LL : i ? -i : INT64_MIN;
		assert_int_equal(add(&w, &value, 1, NULL, 0, at), 0);
	}
	ddp_profile_count(w.p, &after);
	assert_int_equal(after.timestamped, NR);
	assert_true(after.bytes - before.bytes < NR * 12);
	f = reloaded(w.p);
	assert_int_equal(f->nr_samples, NR);
	for (i = 0; i < NR; i++) {
		at = i % 1000 ? base + i * 10101010LL : i ? -i : INT64_MIN;
		assert_int_equal(f->samples[i].values[0], i % 100);
		assert_true(f->samples[i].labels[0].num == at);
	}
	ddp_pprof_destroy(f);
	ddp_profile_destroy(w.p);
}

/* A profile with many samples of all kinds */
static struct ddp_profile *busy_profile(struct world *w)
{
	uint32_t i;

	world_make(w, 1);
	for (i = 0; i < 3000; i++) {
		char name[16];
		struct ddp_label label = { .key = w->key[i % NR_KEYS] };

		snprintf(name, sizeof(name), "name %u", i % 50);
		label.str = string_id(w->p, name);
		assert_int_equal(add(w, (int64_t[]){ i }, 1, &label, 1, i % 3 ? 0 : i + 1), 0);
	}
	return w->p;
}

/* Each profile hashes with a seed of its own. */
static void the_same_calls_give_the_same_bytes(void **state)
{
	struct ddp_profile *a, *b;
	struct ddp_buffer bytes;
	struct world w;

	(void)state;
	a = busy_profile(&w);
	b = busy_profile(&w);
	bytes = encoded(a);
	assert_unchanged(b, &bytes);
	ddp_buffer_free(&bytes);
	ddp_profile_destroy(a);
	ddp_profile_destroy(b);
}

struct failing_write {
	size_t calls, fail_at;
};

static int fail_write(void *ctx, const void *bytes, size_t n)
{
	struct failing_write *f = ctx;

	(void)bytes;
	(void)n;
	return f->calls++ == f->fail_at ? -EPIPE : 0;
}

static void encoding_that_fails_loses_nothing(void **state)
{
	struct failing_write f = { 0, 0 };
	struct ddp_buffer before;
	struct world w;
	int r;

	(void)state;
	before = encoded(busy_profile(&w));
	do {
		f.calls = 0;
		r = ddp_pprof_encode(w.p, 2000, fail_write, &f);
		assert_true(!r || (r == -EPIPE && f.calls == f.fail_at + 1));
		f.fail_at++;
	} while (r);
	assert_true(f.fail_at > 2);
	assert_unchanged(w.p, &before);
	ddp_buffer_free(&before);
	ddp_profile_destroy(w.p);
}

static void *encode_often(void *snapshot)
{
	struct ddp_buffer first = encoded(snapshot);
	int i;

	for (i = 0; i < 50; i++)
		assert_unchanged(snapshot, &first);
	ddp_buffer_free(&first);
	return NULL;
}

/* Several threads read a snapshot while its profile fills and is reset again. */
static void snapshots_are_read_by_other_threads(void **state)
{
	struct ddp_profile *old, *p;
	pthread_t threads[3];
	struct world w;
	int i;

	(void)state;
	p = busy_profile(&w);
	assert_int_equal(ddp_profile_reset(p, 5000, &old), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, encode_often, old), 0);
	for (i = 0; i < 100; i++) {
		world_ids(&w);
		assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, NULL, 0, i), 0);
		assert_int_equal(ddp_profile_reset(p, 5000, NULL), 0);
	}
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ddp_profile_destroy(old);
	ddp_profile_destroy(p);
}

/* Ids start over when half of a kind's range was given out; those of just before are refused. */
static void ids_start_over_at_the_end_of_their_range(void **state)
{
	struct world w, stale;
	uint32_t kind;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(ddp_profile_reset(w.p, 0, NULL), 0);
	for (kind = 0; kind < NR_ID_KINDS; kind++)
		w.p->base[kind] = (kind << ID_KIND_SHIFT) + MAX_ELEMENTS;
	world_ids(&w);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, NULL, 0, 0), 0);
	stale = w;
	assert_int_equal(ddp_profile_reset(w.p, 0, NULL), 0);
	assert_int_equal(w.p->base[ID_STRING], ID_STRING << ID_KIND_SHIFT);
	assert_int_equal(w.p->base[ID_LOCATION], ID_LOCATION << ID_KIND_SHIFT);
	world_ids(&w);
	assert_int_not_equal(w.location[0], stale.location[0]);
	assert_int_equal(add(&stale, (int64_t[]){ 1 }, 1, NULL, 0, 0), -ESTALE);
	assert_int_equal(add(&w, (int64_t[]){ 1 }, 1, NULL, 0, 0), 0);
	assert_samples(w.p, "1 @1000;@1001\n");
	ddp_profile_destroy(w.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_samples_add_up),
		cmocka_unit_test(timestamps_keep_samples_apart),
		cmocka_unit_test(sums_stop_at_the_limits),
		cmocka_unit_test(label_order_does_not_matter),
		cmocka_unit_test(bad_samples_change_nothing),
		cmocka_unit_test(the_same_thing_has_one_id),
		cmocka_unit_test(line_numbers_of_any_size),
		cmocka_unit_test(references_are_checked),
		cmocka_unit_test(a_reset_starts_over_and_keeps_a_snapshot),
		cmocka_unit_test(a_reset_without_a_snapshot_uses_its_memory_again),
		cmocka_unit_test(a_reset_keeps_the_configuration),
		cmocka_unit_test(the_memory_ceiling_holds),
		cmocka_unit_test(ids_of_one_kind_are_no_other),
		cmocka_unit_test(stacks_and_label_sets_have_ids),
		cmocka_unit_test(a_bad_label_set_is_refused),
		cmocka_unit_test(many_at_once_stop_at_the_first_bad_one),
		cmocka_unit_test(stacks_of_any_depth_are_told_apart),
		cmocka_unit_test(deep_stacks_are_found_again),
		cmocka_unit_test(equal_hashes_are_not_equality),
		cmocka_unit_test(a_stack_may_be_this_deep),
		cmocka_unit_test(timestamped_samples_are_compact),
		cmocka_unit_test(the_same_calls_give_the_same_bytes),
		cmocka_unit_test(encoding_that_fails_loses_nothing),
		cmocka_unit_test(snapshots_are_read_by_other_threads),
		cmocka_unit_test(ids_start_over_at_the_end_of_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
