// SPDX-License-Identifier: Apache-2.0
/*
 * The library when memory runs out: everything it does is done again and again, each time with one
 * allocation further on failing. It has to say -ENOMEM, leak nothing (LeakSanitizer looks), and
 * leave a profile that encodes to what it held before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

#include "ddprof/compress.h"
#include "ddprof/exporter.h"
#include "ddprof/pprof.h"
#include "failing_alloc.h"
#include "lib/sender_target.h"

enum { NR_SAMPLES = 40 };

static int add_by_ids(struct ddp_profile *p, uint32_t i, const char *text)
{
	struct ddp_label label = { .num = i % 3 };
	uint32_t name, mapping, fn, loc[2], stack, set;
	int r;

	if ((r = ddp_profile_string(p, text, strlen(text), &name)) ||
	    (r = ddp_profile_string(p, "thread id", 9, &label.key)) ||
	    (r = ddp_profile_mapping(p, &(struct ddp_mapping){ .start = i / 4 + 1 }, &mapping)) ||
	    (r = ddp_profile_function(p, &(struct ddp_function){ .name = name }, &fn)) ||
	    (r = ddp_profile_location(p, &(struct ddp_location){ .mapping = mapping,
				      .lines = &(struct ddp_line){ fn, 1 }, .nr_lines = 1 },
				      &loc[0])) ||
	    (r = ddp_profile_location(p, &(struct ddp_location){ .address = i }, &loc[1])) ||
	    (r = ddp_profile_stack(p, loc, 1 + i % 2, &stack)) ||
	    (r = ddp_profile_label_set(p, &label, 1, &set)) ||
	    (r = ddp_profile_comment(p, text)))
		return r;
	return ddp_profile_add(p, &(struct ddp_sample){
		.stack = stack, .label_set = set, .values = (int64_t[]){ 1 }, .nr_values = 1,
		.timestamp_ns = i % 5 ? 0 : i + 1 });
}

/* Deep enough to share callers */
static int add_by_text(struct ddp_profile *p, uint32_t i, const char *text)
{
	static const struct ddp_text_mapping exe = { .start = 1, .filename = DDP_TEXT("exe") };
	struct ddp_text_frame frames[20] = { { .line = 0 } };
	struct ddp_text_label label = { .key = DDP_TEXT("thread"), .str = { text, strlen(text) } };
	uint32_t n;

	for (n = 0; n < 20; n++)
		frames[n] = (struct ddp_text_frame){
			.function = { text, strlen(text) - n % 3 }, .line = n, .mapping = &exe,
			.file = DDP_TEXT("file.c"), .inlined = n % 4 == 1 && n < 15 };
	return ddp_profile_add_text(p, &(struct ddp_text_sample){
		.frames = frames + i % 4, .nr_frames = 16, .values = (int64_t[]){ 1 },
		.nr_values = 1, .labels = &label, .nr_labels = 1,
		.timestamp_ns = i % 7 ? 0 : i + 1 });
}

static int add_facts(struct ddp_profile *p, uint32_t i, const char *text)
{
	uint32_t offset = 0, key, endpoint;
	int r;

	if ((r = ddp_profile_string(p, text, strlen(text), &endpoint)) ||
	    (r = ddp_profile_string(p, "thread", 6, &key)) ||
	    (r = ddp_profile_endpoint(p, i + 1, endpoint)) ||
	    (r = ddp_profile_endpoint_count(p, endpoint, 1)))
		return r;
	r = ddp_profile_upscale(p, &(struct ddp_upscaling_rule){
		.kind = DDP_UPSCALE_PROPORTIONAL, .scale = 2, .offsets = &offset, .nr_offsets = 1,
		.label_key = key, .label_str = endpoint });
	return r == -EEXIST ? 0 : r;
}

static int add_shared(struct ddp_profile *p, struct ddp_strings *strings, const char *text)
{
	uint64_t handle;
	uint32_t id;
	int r = ddp_strings_intern(strings, text, strlen(text), &handle);

	if (r)
		return r;
	r = ddp_profile_shared_string(p, handle, &id);
	assert_int_equal(ddp_strings_release(strings, handle), 0);
	return r;
}

/* Adds sample number @i, which shares some of what it is made of with others. 0 or an error. */
static int add_one(struct ddp_profile *p, struct ddp_strings *strings, uint32_t i)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "function %u", i / 2);
	if ((r = add_shared(p, strings, text)) || (r = add_facts(p, i, text)))
		return r;
	return i % 2 ? add_by_ids(p, i, text) : add_by_text(p, i, text);
}

static size_t sample_count(const struct ddp_profile *p)
{
	struct ddp_profile_counts counts;

	ddp_profile_count(p, &counts);
	return counts.samples;
}

/* With @strings, which the profile takes over */
static int create(struct ddp_strings *strings, struct ddp_profile **ret)
{
	static const struct ddp_value_type type = { DDP_CPU_TIME };
	struct ddp_profile_config c = { .value_types = &type, .nr_value_types = 1,
					.period_type = { DDP_CPU_TIME }, .start_unix_ns = 1,
					.strings = strings };
	int r = ddp_profile_create(&c, ret);

	ddp_strings_unref(strings);
	return r;
}

static struct ddp_buffer encode(const struct ddp_profile *p)
{
	struct ddp_buffer b = { 0 };

	left_until_failure = -1;
	assert_int_equal(ddp_pprof_encode(p, 2, ddp_buffer_write, &b), 0);
	return b;
}

/*
 * Fills and resets a profile while allocation number @nth fails; gives the snapshot. What failed
 * is tried again, without the failure: so the result is always the same.
 */
static bool build_with_one_failure(long nth, struct ddp_profile **ret)
{
	struct ddp_strings *strings;
	struct ddp_profile *p;
	struct ddp_buffer before, after;
	bool failed = false;
	uint32_t i;
	int r;

	left_until_failure = -1;
	assert_int_equal(ddp_strings_create(0, &strings), 0);
	assert_int_equal(create(ddp_strings_ref(strings), &p), 0);
	left_until_failure = nth;
	for (i = 0; i < NR_SAMPLES; i++) {
		r = add_one(p, strings, i);
		if (!r)
			continue;
		assert_int_equal(r, -ENOMEM);
		assert_true(!failed);
		failed = true;
		assert_int_equal(add_one(p, strings, i), 0);
	}
	r = ddp_profile_reset(p, 5, ret);
	if (r) {
		assert_int_equal(r, -ENOMEM);
		failed = true;
		before = encode(p);
		assert_int_equal(ddp_profile_reset(p, 5, ret), 0);
		after = encode(*ret);
		assert_true(before.len == after.len &&
			    !memcmp(before.bytes, after.bytes, after.len));
		ddp_buffer_free(&before);
		ddp_buffer_free(&after);
	}
	ddp_profile_destroy(p);
	ddp_strings_unref(strings);
	return failed;
}

/* Samples are the same; comments may be there once more, of what was tried again. */
static void building_survives_each_failure(void **state)
{
	struct ddp_profile *p = NULL;
	bool failed = true;
	long nth;

	(void)state;
	for (nth = 0; failed; nth++) {
		failed = build_with_one_failure(nth, &p);
		left_until_failure = -1;
		assert_int_equal(sample_count(p), NR_SAMPLES);
		ddp_profile_destroy(p);
	}
	assert_true(nth > 100);
	print_message("  %ld allocations failed in turn\n", nth);
}

static void creating_survives_each_failure(void **state)
{
	struct ddp_strings *strings;
	struct ddp_profile *p;
	long nth;
	int r = -ENOMEM;

	(void)state;
	for (nth = 0; r; nth++) {
		left_until_failure = nth;
		r = ddp_strings_create(0, &strings);
		if (!r)
			r = create(strings, &p);
		assert_true(!r || r == -ENOMEM);
	}
	left_until_failure = -1;
	assert_true(nth > 5);
	ddp_profile_destroy(p);
}

static int add_location(struct ddp_profile *p, uint32_t i, const char *text)
{
	uint32_t loc;
	int r = ddp_profile_location(p, &(struct ddp_location){ .address = i }, &loc);

	(void)text;
	return r ? r : ddp_profile_add(p, &(struct ddp_sample){
		.locations = &loc, .nr_locations = 1, .nr_values = 1,
		.values = (int64_t[]){ i }, .timestamp_ns = i % 4 });
}

/* Adds sample @i while one allocation after the other fails; nothing may change until it is in. */
static void add_at_last(struct ddp_profile *p, uint32_t i,
			int (*add)(struct ddp_profile *p, uint32_t i, const char *text))
{
	size_t strings_before, samples_before = sample_count(p);
	struct ddp_profile_counts counts;
	char text[32];
	int r = -ENOMEM;
	long nth;

	snprintf(text, sizeof(text), "function %u", i);
	ddp_profile_count(p, &counts);
	strings_before = counts.strings;
	for (nth = 0; r; nth++) {
		left_until_failure = nth;
		r = add(p, i, text);
		left_until_failure = -1;
		ddp_profile_count(p, &counts);
		if (r)
			assert_int_equal(counts.strings, strings_before);
		assert_int_equal(counts.samples, samples_before + !r);
	}
}

/* What failed and was tried again is the same profile as one that never failed. */
static void a_failed_add_changes_nothing(void **state)
{
	static int (*const adds[])(struct ddp_profile *p, uint32_t i, const char *text) = {
		add_location, add_by_text,
	};
	struct ddp_profile *never, *often;
	struct ddp_buffer a, b;
	char text[32];
	uint32_t i;

	(void)state;
	left_until_failure = -1;
	assert_int_equal(create(NULL, &never), 0);
	assert_int_equal(create(NULL, &often), 0);
	for (i = 0; i < NR_SAMPLES; i++) {
		snprintf(text, sizeof(text), "function %u", i);
		assert_int_equal(adds[i % 2](never, i, text), 0);
		add_at_last(often, i, adds[i % 2]);
	}
	a = encode(never);
	b = encode(often);
	assert_true(a.len == b.len && !memcmp(a.bytes, b.bytes, a.len));
	ddp_buffer_free(&a);
	ddp_buffer_free(&b);
	ddp_profile_destroy(never);
	ddp_profile_destroy(often);
}

static struct ddp_profile *filled(void)
{
	struct ddp_strings *strings;
	struct ddp_profile *p;
	uint32_t i;

	left_until_failure = -1;
	assert_int_equal(ddp_strings_create(0, &strings), 0);
	assert_int_equal(create(ddp_strings_ref(strings), &p), 0);
	for (i = 0; i < NR_SAMPLES; i++)
		assert_int_equal(add_one(p, strings, i), 0);
	ddp_strings_unref(strings);
	return p;
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
	struct ddp_profile *p = filled();
	long nth;
	int c, r;

	(void)state;
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

static int count_part(void *ctx, const struct ddp_pprof_part *part)
{
	(void)part;
	++*(size_t *)ctx;
	return 0;
}

/* Parts are handed out when all of them are made, or not at all. */
static void cutting_survives_each_failure(void **state)
{
	struct ddp_pprof_parts how = { .compression = DDP_PLAIN, .max_bytes = 2000 };
	struct ddp_profile *p = filled();
	struct ddp_error err;
	size_t nr = 0;
	long nth;
	int r = -ENOMEM;

	(void)state;
	for (nth = 0; r; nth++) {
		assert_int_equal(nr, 0);
		left_until_failure = nth;
		r = ddp_pprof_encode_parts(p, 2, &how, count_part, &nr, &err);
		assert_true(!r || r == -ENOMEM);
	}
	left_until_failure = -1;
	assert_true(nr > 2);
	assert_true(nth > 10);
	ddp_profile_destroy(p);
}

/* Nobody listens on port 1: memory errors and connection errors are told apart. */
static int try_upload(struct ddp_exporter_config c, const struct ddp_buffer *profile)
{
	struct ddp_buffer tags = { 0 };
	struct ddp_export_form form = { .tags = &tags, .profile = profile->bytes,
					.profile_bytes = profile->len,
					.id = "7d444840-9dc0-11d1-b245-5ffdce74fad2" };
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
	static const struct ddp_export_pair header = { "X-Key", "secret" };
	static const struct {
		const char *what;
		struct ddp_exporter_config config;
	} rows[] = {
		{ "Datadog's intake", { .api_key = "secret" } },
		{ "Datadog's older form", { .format = DDP_EXPORT_DATADOG_LEGACY } },
		{ "Pyroscope", { .format = DDP_EXPORT_PYROSCOPE, .user = "u", .password = "secret" } },
		{ "OTLP", { .format = DDP_EXPORT_OTLP, .headers = &header, .nr_headers = 1,
			    .bearer_token = "secret", .ca_file = "/dev/null" } },
	};
	struct ddp_profile *p = filled();
	struct ddp_buffer plain = { 0 };
	size_t i;
	long nth;
	int r;

	(void)state;
	assert_int_equal(ddp_pprof_encode(p, 2, ddp_buffer_write, &plain), 0);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_exporter_config config = rows[i].config;

		print_message("  %s\n", rows[i].what);
		config.url = "http://127.0.0.1:1";
		for (nth = 0, r = -ENOMEM; r == -ENOMEM; nth++) {
			left_until_failure = nth;
			r = try_upload(config, &plain);
		}
		left_until_failure = -1;
		assert_int_equal(r, DDP_EXPORT_RETRY);
		assert_true(nth > 5);
	}
	ddp_buffer_free(&plain);
	ddp_profile_destroy(p);
}

static int take_it(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret)
{
	(void)form, (void)ret;
	++*(unsigned int *)ctx;
	return DDP_EXPORT_OK;
}

/* One batch through queue and spool, in steps of no thread; @ret: how often it arrived */
static int try_target(const char *spool, unsigned int *ret)
{
	static const struct ddp_endpoint_count count = { "GET /", 5, 1 };
	static const struct ddp_export_pair pair = { "k", "v" };
	struct ddp_sender_target config = { .name = "t", .send = take_it, .ctx = ret,
					    .spool = spool, .queue_batches = 4 };
	struct ddp_export_form form = {
		.profile = "p", .profile_bytes = 1, .endpoint_counts = &count,
		.nr_endpoint_counts = 1, .info = &pair, .nr_info = 1 };
	struct ddp__listener nobody = { NULL, NULL };
	struct ddp__batch *b = NULL;
	struct ddp__target *t = NULL;
	struct ddp_error err;
	int i, r;

	*ret = 0;
	r = ddp__target_create(&ddp__system_real, &config, &nobody, &t, &err);
	if (!r)
		r = ddp__batch_create(&form, "id", &b);
	if (!r) {
		ddp__target_add(t, b);
		ddp__target_step(t);
		left_until_failure = -1;
		ddp__target_end(t);	/* tries what failed once more, without a pause */
		for (i = 0; i < 3 && ddp__target_step(t) != TARGET_ENDED; i++)
			;
	}
	ddp__batch_unref(b);
	ddp__target_destroy(t);
	return r;
}

/* A failed creation says so; a batch that was added arrives */
static void a_target_survives_each_failure(void **state)
{
	char folder[] = "/tmp/test_lib_alloc.XXXXXX", lock[64];
	unsigned int nr_arrived;
	long nth;
	int r, good;

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (nth = 0, good = 0; good < 10; nth++) {
		left_until_failure = nth;
		r = try_target(folder, &nr_arrived);
		assert_true(!r || r == -ENOMEM);
		assert_int_equal(nr_arrived, !r);
		good += !r;
	}
	left_until_failure = -1;
	assert_true(nth > 15);
	snprintf(lock, sizeof(lock), "%s/lock", folder);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing else is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(building_survives_each_failure),
		cmocka_unit_test(a_failed_add_changes_nothing),
		cmocka_unit_test(creating_survives_each_failure),
		cmocka_unit_test(cutting_survives_each_failure),
		cmocka_unit_test(writing_and_loading_survive_each_failure),
		cmocka_unit_test(the_exporter_survives_each_failure),
		cmocka_unit_test(a_target_survives_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
