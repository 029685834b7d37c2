// SPDX-License-Identifier: Apache-2.0
/*
 * The builder through its public face: what is added up and what stays apart, what is refused
 * (and that the profile is then the same, byte for byte), ids and generations, and random
 * sequences against a model too simple to be wrong. Results are looked at by encoding and loading
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "ddprof/pprof.h"

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

static struct ddp_buffer encode(const struct ddp_profile *p)
{
	struct ddp_buffer b = { 0 };

	assert_int_equal(ddp_pprof_encode(p, 2000, ddp_buffer_write, &b), 0);
	return b;
}

static struct ddp_pprof *reload(const struct ddp_profile *p)
{
	struct ddp_buffer b = encode(p);
	struct ddp_pprof *f;
	struct ddp_error err = { "" };

	if (ddp_pprof_load(b.bytes, b.len, NULL, &f, &err))
		fail_msg("%s", err.text);
	ddp_buffer_free(&b);
	return f;
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
	f = reload(w.p);
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
	f = reload(w.p);
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
		f = reload(w.p);
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
	f = reload(w.p);
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
	before = encode(w.p);
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
		after = encode(w.p);
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
	struct ddp_buffer before, after;
	struct ddp_profile *old;
	struct ddp_pprof *f;
	struct world w, stale;
	uint32_t id;

	(void)state;
	world_make(&w, 1);
	assert_int_equal(ddp_profile_comment(w.p, "first"), 0);
	assert_int_equal(add(&w, (int64_t[]){ 4 }, 1, NULL, 0, 0), 0);
	before = encode(w.p);
	stale = w;
	assert_int_equal(ddp_profile_reset(w.p, 5000, &old), 0);

	/* old ids are refused, by every call that takes one, also when as many new ones exist */
	world_ids(&w);
	assert_int_equal(add(&stale, (int64_t[]){ 1 }, 1, NULL, 0, 0), -ESTALE);
	assert_int_equal(ddp_profile_function(w.p, &(struct ddp_function){ .name = stale.text },
					      &id), -ESTALE);
	assert_int_equal(add(&w, (int64_t[]){ 6 }, 1, NULL, 0, 0), 0);
	f = reload(w.p);
	assert_int_equal(f->nr_samples, 1);
	assert_int_equal(f->samples[0].values[0], 6);
	assert_int_equal(f->nr_comments, 0);
	assert_int_equal(f->time_unix_ns, 5000);
	assert_int_equal(f->duration_ns, 0);
	assert_string_equal(f->sample_types[0].type, "a");
	ddp_pprof_destroy(f);

	/* the snapshot is what it was and stays so */
	after = encode(old);
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
	first = encode(w.p);
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
	again = encode(w.p);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, again.len);
	ddp_buffer_free(&first);
	ddp_buffer_free(&again);
	ddp_profile_destroy(w.p);
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
		before = encode(p);
		snprintf(name, sizeof(name), "function number %u", i);
		r = ddp_profile_string(p, name, strlen(name), &id);
		after = encode(p);
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

/* The model: a list of distinct samples, searched from front to back. */
struct model_sample {
	uint32_t nr_locations, locations[3];	/* numbers of the world's */
	int64_t label[NR_KEYS];			/* 0: none */
	uint32_t first_key;			/* which comes first, then the others in a circle */
	int64_t timestamp, value;
};

enum { MODEL_MAX = 400, SEQUENCES = 300, ADDS = 400 };

struct model {
	struct model_sample s[MODEL_MAX];
	size_t nr;
};

static uint32_t random_below(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525 + 1013904223;
	return (*x >> 8) % n;
}

static void random_sample(uint32_t *x, struct model_sample *s)
{
	uint32_t i;

	memset(s, 0, sizeof(*s));
	s->nr_locations = random_below(x, 4);
	for (i = 0; i < s->nr_locations; i++)
		s->locations[i] = random_below(x, NR_LOCATIONS);
	for (i = 0; i < NR_KEYS; i++)
		s->label[i] = random_below(x, 3);
	s->first_key = random_below(x, NR_KEYS);
	s->timestamp = random_below(x, 8) ? 0 : 1 + random_below(x, 3);
	s->value = random_below(x, 9) ? random_below(x, 100) : INT64_MAX / 2;
}

static void model_add(struct model *m, const struct model_sample *s)
{
	size_t i;

	for (i = 0; i < m->nr && !s->timestamp; i++) {
		struct model_sample *o = &m->s[i];

		if (o->timestamp || o->nr_locations != s->nr_locations ||
		    memcmp(o->locations, s->locations, sizeof(s->locations)) ||
		    memcmp(o->label, s->label, sizeof(s->label)))
			continue;
		o->value = o->value > INT64_MAX - s->value ? INT64_MAX : o->value + s->value;
		return;
	}
	m->s[m->nr] = *s;
	for (i = 0; i < m->nr; i++)
		if (!memcmp(m->s[i].label, s->label, sizeof(s->label)))
			m->s[m->nr].first_key = m->s[i].first_key;
	m->nr++;
}

static void world_add(struct world *w, const struct model_sample *s)
{
	struct ddp_label labels[NR_KEYS];
	uint32_t locations[3], n = 0, i, k;

	for (i = 0; i < s->nr_locations; i++)
		locations[i] = w->location[s->locations[i]];
	for (i = 0; i < NR_KEYS; i++) {
		k = (s->first_key + i) % NR_KEYS;
		if (s->label[k])
			labels[n++] = (struct ddp_label){ .key = w->key[k], .num = s->label[k] };
	}
	assert_int_equal(ddp_profile_add(w->p, &(struct ddp_sample){
		.locations = locations, .nr_locations = s->nr_locations, .values = &s->value,
		.nr_values = 1, .labels = labels, .nr_labels = n,
		.timestamp_ns = s->timestamp }), 0);
}

static void check_sample(const struct ddp_pprof_sample *f, const struct model_sample *m)
{
	uint32_t i, k, n = 0;

	assert_int_equal(f->nr_locations, m->nr_locations);
	for (i = 0; i < m->nr_locations; i++)
		assert_int_equal(f->locations[i]->address, 0x1000 + m->locations[i]);
	for (i = 0; i < NR_KEYS; i++) {
		k = (m->first_key + i) % NR_KEYS;
		if (!m->label[k])
			continue;
		assert_int_equal(f->labels[n].key[1], '0' + k);
		assert_true(f->labels[n++].num == m->label[k]);
	}
	if (m->timestamp)
		assert_true(f->labels[n++].num == m->timestamp);
	assert_int_equal(f->nr_labels, n);
	assert_true(f->values[0] == m->value);
}

/* The encoder's order: without timestamps first, each kind as it first came. */
static void check_model(const struct model *m, const struct ddp_profile *p)
{
	struct ddp_pprof *f = reload(p);
	size_t i, at = 0;
	int timed;

	assert_int_equal(f->nr_samples, m->nr);
	for (timed = 0; timed < 2; timed++)
		for (i = 0; i < m->nr; i++)
			if (!m->s[i].timestamp == !timed)
				check_sample(&f->samples[at++], &m->s[i]);
	ddp_pprof_destroy(f);
}

static void random_sequences_agree_with_the_model(void **state)
{
	static struct model m;
	struct model_sample s;
	struct world w;
	uint32_t x = 42, i, k, adds;

	(void)state;
	world_make(&w, 1);
	for (i = 0; i < SEQUENCES; i++) {
		m.nr = 0;
		adds = random_below(&x, ADDS);
		for (k = 0; k < adds; k++) {
			random_sample(&x, &s);
			model_add(&m, &s);
			world_add(&w, &s);
		}
		check_model(&m, w.p);
		if (random_below(&x, 2)) {
			assert_int_equal(ddp_profile_reset(w.p, 1000, NULL), 0);
		} else {
			struct ddp_profile *old;

			assert_int_equal(ddp_profile_reset(w.p, 1000, &old), 0);
			check_model(&m, old);
			ddp_profile_destroy(old);
		}
		world_ids(&w);
	}
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
		cmocka_unit_test(references_are_checked),
		cmocka_unit_test(a_reset_starts_over_and_keeps_a_snapshot),
		cmocka_unit_test(a_reset_without_a_snapshot_uses_its_memory_again),
		cmocka_unit_test(the_memory_ceiling_holds),
		cmocka_unit_test(random_sequences_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
