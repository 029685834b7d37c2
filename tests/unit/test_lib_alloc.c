// SPDX-License-Identifier: Apache-2.0
/*
 * The library when memory runs out: everything it does is done again and again, each time with one
 * allocation further on failing. It has to say -ENOMEM, leak nothing (LeakSanitizer looks), and
 * leave a profile that encodes to what it held before. This file's allocator takes the place of
 * lib/alloc.c.
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

#include "ddprof/compress.h"
#include "ddprof/exporter.h"
#include "ddprof/pprof.h"
#include "lib/alloc.h"

static long left_until_failure = -1;	/* -1: never */

static bool fails(void)
{
	return left_until_failure >= 0 && left_until_failure-- == 0;
}

void *ddp__alloc(size_t n)
{
	return fails() ? NULL : calloc(1, n ? n : 1);
}

void *ddp__realloc(void *p, size_t n)
{
	return fails() ? NULL : realloc(p, n ? n : 1);
}

void ddp__free(void *p)
{
	free(p);
}

enum { NR_SAMPLES = 40 };

/* Adds sample number @i, which shares some of what it is made of with others. 0 or an error. */
static int add_one(struct ddp_profile *p, uint32_t i)
{
	struct ddp_label label = { 0 };
	uint32_t name, mapping, fn, loc[2];
	char text[32];
	int r;

	snprintf(text, sizeof(text), "function %u", i / 2);
	if ((r = ddp_profile_string(p, text, strlen(text), &name)) ||
	    (r = ddp_profile_string(p, "thread id", 9, &label.key)) ||
	    (r = ddp_profile_mapping(p, &(struct ddp_mapping){ .start = i / 4 + 1 }, &mapping)) ||
	    (r = ddp_profile_function(p, &(struct ddp_function){ .name = name }, &fn)) ||
	    (r = ddp_profile_location(p, &(struct ddp_location){ .mapping = mapping,
				      .lines = &(struct ddp_line){ fn, 1 }, .nr_lines = 1 },
				      &loc[0])) ||
	    (r = ddp_profile_location(p, &(struct ddp_location){ .address = i }, &loc[1])) ||
	    (r = ddp_profile_comment(p, text)))
		return r;
	label.num = i % 3;
	return ddp_profile_add(p, &(struct ddp_sample){
		.locations = loc, .nr_locations = 2, .values = (int64_t[]){ 1 }, .nr_values = 1,
		.labels = &label, .nr_labels = 1, .timestamp_ns = i % 5 ? 0 : i + 1 });
}

static size_t sample_count(const struct ddp_profile *p)
{
	struct ddp_profile_counts counts;

	ddp_profile_count(p, &counts);
	return counts.samples;
}

static int create(struct ddp_profile **ret)
{
	static const struct ddp_value_type type = { DDP_CPU_TIME };
	struct ddp_profile_config c = { .value_types = &type, .nr_value_types = 1,
					.period_type = { DDP_CPU_TIME }, .start_unix_ns = 1 };

	return ddp_profile_create(&c, ret);
}

static struct ddp_buffer encode(const struct ddp_profile *p)
{
	struct ddp_buffer b = { 0 };

	left_until_failure = -1;
	assert_int_equal(ddp_pprof_encode(p, 2, ddp_buffer_write, &b), 0);
	return b;
}

/* Builds, fills and resets a profile while allocation number @nth fails; gives the snapshot. */
static int build_with_one_failure(long nth, struct ddp_profile **ret, bool *failed)
{
	struct ddp_profile *p, *old;
	size_t before;
	uint32_t i;
	int r;

	left_until_failure = nth;
	r = create(&p);
	if (r)
		return r;
	for (i = 0; i < NR_SAMPLES; i++) {
		before = sample_count(p);
		r = add_one(p, i);
		if (!r)
			continue;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(sample_count(p), before);
		*failed = true;
		ddp_profile_destroy(p);
		return r;
	}
	r = ddp_profile_reset(p, 5, &old);
	if (r) {
		*failed = true;
		assert_int_equal(sample_count(p), NR_SAMPLES);
		ddp_profile_destroy(p);
		return r;
	}
	ddp_profile_destroy(p);
	*ret = old;
	return 0;
}

static void building_survives_each_failure(void **state)
{
	struct ddp_profile *p = NULL;
	bool failed = false;
	long nth;
	int r;

	(void)state;
	for (nth = 0; ; nth++) {
		r = build_with_one_failure(nth, &p, &failed);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(failed);
	assert_true(nth > 30);
	print_message("  %ld allocations failed in turn\n", nth);
	left_until_failure = -1;
	assert_int_equal(sample_count(p), NR_SAMPLES);
	ddp_profile_destroy(p);
}

/* A failed add, tried again, gives the same profile as one that never failed. */
static void a_failed_add_changes_nothing(void **state)
{
	struct ddp_profile *never, *often;
	struct ddp_buffer a, b;
	uint32_t i;
	long nth;
	int r;

	(void)state;
	left_until_failure = -1;
	assert_int_equal(create(&never), 0);
	assert_int_equal(create(&often), 0);
	for (i = 0; i < NR_SAMPLES; i++) {
		uint32_t loc;
		struct ddp_sample s = { .locations = &loc, .nr_locations = 1, .nr_values = 1,
					.values = (int64_t[]){ i }, .timestamp_ns = i % 4 };

		assert_int_equal(ddp_profile_location(never, &(struct ddp_location){
				 .address = i }, &loc), 0);
		assert_int_equal(ddp_profile_add(never, &s), 0);
		assert_int_equal(ddp_profile_location(often, &(struct ddp_location){
				 .address = i }, &loc), 0);
		for (nth = 0, r = -ENOMEM; r; nth++) {
			a = encode(often);
			left_until_failure = nth;
			r = ddp_profile_add(often, &s);
			b = encode(often);
			if (r)
				assert_true(a.len == b.len && !memcmp(a.bytes, b.bytes, a.len));
			ddp_buffer_free(&a);
			ddp_buffer_free(&b);
		}
	}
	a = encode(never);
	b = encode(often);
	assert_true(a.len == b.len && !memcmp(a.bytes, b.bytes, a.len));
	ddp_buffer_free(&a);
	ddp_buffer_free(&b);
	ddp_profile_destroy(never);
	ddp_profile_destroy(often);
}

static int write_and_load(enum ddp_compression c, const struct ddp_profile *p)
{
	struct ddp_buffer packed = { 0 };
	struct ddp_compressor *z = NULL;
	struct ddp_pprof *f = NULL;
	struct ddp_error err;
	int r;

	r = ddp_compressor_create(c, 0, ddp_buffer_write, &packed, &z);
	if (!r)
		r = ddp_pprof_encode(p, 2, ddp_compressor_write, z);
	if (!r)
		r = ddp_compressor_finish(z);
	if (!r)
		r = ddp_pprof_load(packed.bytes, packed.len, NULL, &f, &err);
	if (!r)
		assert_int_equal(f->nr_samples, NR_SAMPLES);
	ddp_pprof_destroy(f);
	ddp_compressor_destroy(z);
	ddp_buffer_free(&packed);
	return r;
}

static void writing_and_loading_survive_each_failure(void **state)
{
	struct ddp_profile *p;
	uint32_t i;
	long nth;
	int c, r;

	(void)state;
	left_until_failure = -1;
	assert_int_equal(create(&p), 0);
	for (i = 0; i < NR_SAMPLES; i++)
		assert_int_equal(add_one(p, i), 0);
	for (c = DDP_PLAIN; c <= DDP_ZSTD; c++) {
		for (nth = 0, r = -ENOMEM; r; nth++) {
			left_until_failure = nth;
			r = write_and_load(c, p);
			assert_true(!r || r == -ENOMEM);
		}
		assert_true(nth > 100);
	}
	left_until_failure = -1;
	ddp_profile_destroy(p);
}

/* Nobody listens on port 1: memory errors and connection errors are told apart. */
static int try_upload(void)
{
	struct ddp_exporter_config c = { .url = "http://127.0.0.1:1", .api_key = "k" };
	struct ddp_buffer tags = { 0 };
	struct ddp_export_form form = { .tags = &tags, .profile = "x", .profile_bytes = 1 };
	struct ddp_exporter *e = NULL;
	struct ddp_error err;
	int r;

	r = ddp_exporter_create(&c, &e, &err);
	if (!r)
		r = ddp_tags_add(&tags, "service", "s");
	if (!r)
		r = ddp_tags_parse(&tags, "a:b,c:d", &err);
	if (!r)
		r = ddp_exporter_send(e, &form, NULL);
	ddp_exporter_destroy(e);
	ddp_buffer_free(&tags);
	return r;
}

static void the_exporter_survives_each_failure(void **state)
{
	long nth;
	int r = -ENOMEM;

	(void)state;
	for (nth = 0; r == -ENOMEM; nth++) {
		left_until_failure = nth;
		r = try_upload();
	}
	left_until_failure = -1;
	assert_int_equal(r, DDP_EXPORT_RETRY);
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(building_survives_each_failure),
		cmocka_unit_test(a_failed_add_changes_nothing),
		cmocka_unit_test(writing_and_loading_survive_each_failure),
		cmocka_unit_test(the_exporter_survives_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
