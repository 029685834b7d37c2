// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles that are too large for their receiver: every part is complete and small enough, and all
 * of them together hold the same samples, in the same order, as the whole.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/pprof_encode.h"
#include "pprof_text.h"
#include "profile_encoded.h"

enum { NR_SAMPLES = 3000, NR_FUNCTIONS = 500 };

static uint32_t random_below(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525 + 1013904223;
	return (*x >> 8) % n;
}

static void add_random(struct ddp_profile *p, uint32_t *x, bool timed)
{
	static const struct ddp_text_mapping mappings[2] = {
		{ .start = 0x1000, .limit = 0x9000, .filename = DDP_TEXT("exe"),
		  .build_id = DDP_TEXT("beef") },
		{ .start = 0x10000, .limit = 0x90000, .filename = DDP_TEXT("lib") },
	};
	struct ddp_text_frame frames[20] = { { .line = 0 } };
	struct ddp_text_label labels[2] = {
		{ .key = DDP_TEXT("thread name") },
		{ .key = DDP_TEXT("local root span id"), .num = 1 + random_below(x, 3) },
	};
	uint32_t i, f, nr = random_below(x, 20);
	char names[20][64], thread[32];

	for (i = 0; i < nr; i++) {
		f = random_below(x, NR_FUNCTIONS);
		frames[i].function = (struct ddp_text){ names[i], snprintf(names[i],
			sizeof(names[i]), "function %u named %u", f, f * 2654435761u) };
		frames[i].line = f;
		frames[i].mapping = f % 3 ? &mappings[f % 2] : NULL;
		frames[i].inlined = !(f % 5) && i + 1 < nr;
	}
	labels[0].str = (struct ddp_text){ thread, snprintf(thread, sizeof(thread), "thread %u",
						random_below(x, 100)) };
	assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
		.frames = frames, .nr_frames = nr, .labels = labels, .nr_labels = 2,
		.values = (int64_t[]){ 1 + random_below(x, 100), 7 }, .nr_values = 2,
		.timestamp_ns = timed ? 1000000 + random_below(x, 1000) : 0 }), 0);
}

/* With an endpoint, a rule and a comment */
static struct ddp_profile *make(uint32_t nr, uint32_t nr_timed)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	struct ddp_profile_config c = { .value_types = types, .nr_value_types = 2,
					.period_type = { DDP_CPU_TIME }, .period = 5,
					.start_unix_ns = 1000 };
	struct ddp_profile *p;
	uint32_t i, x = 7;

	assert_int_equal(ddp_profile_create(&c, &p), 0);
	for (i = 0; i < nr; i++)
		add_random(p, &x, false);
	for (i = 0; i < nr_timed; i++)
		add_random(p, &x, true);
	assert_int_equal(ddp_profile_comment(p, "a comment"), 0);
	assert_int_equal(ddp_profile_endpoint(p, 2, string_id(p, "/shop")), 0);
	assert_int_equal(ddp_profile_upscale(p, &(struct ddp_upscaling_rule){
		.kind = DDP_UPSCALE_PROPORTIONAL, .scale = 3, .nr_offsets = 1,
		.offsets = (uint32_t[]){ 1 } }), 0);
	return p;
}

/* What came out */
struct parts {
	size_t nr, next_sample, max_bytes;
	struct ddp_buffer all;		/* bytes of all parts */
	struct ddp_buffer samples;	/* text of all their samples */
};

/* Every location and mapping is a sample's. */
static void check_tables(const struct ddp_pprof *f)
{
	bool *used = calloc(f->nr_locations + 1, sizeof(*used));
	size_t i, k, nr_mapped = 0;

	for (i = 0; i < f->nr_samples; i++)
		for (k = 0; k < f->samples[i].nr_locations; k++)
			used[f->samples[i].locations[k]->index] = true;
	for (i = 0; i < f->nr_locations; i++) {
		assert_true(used[i]);
		nr_mapped += f->locations[i].mapping != NULL;
	}
	assert_true(nr_mapped || !f->nr_mappings);
	assert_true(f->nr_functions <= NR_FUNCTIONS);
	free(used);
}

static void check_head(const struct ddp_pprof *f)
{
	assert_int_equal(f->nr_sample_types, 2);
	assert_string_equal(f->sample_types[0].type, "cpu-samples");
	assert_int_equal(f->time_unix_ns, 1000);
	assert_int_equal(f->duration_ns, 1000);
	assert_int_equal(f->period, 5);
	assert_string_equal(f->period_type.type, "cpu-time");
	assert_int_equal(f->nr_comments, 1);
	assert_string_equal(f->comments[0], "a comment");
}

static int take_part(void *ctx, const struct ddp_pprof_part *part)
{
	struct parts *parts = ctx;
	struct ddp_error err;
	struct ddp_pprof *f;
	char *text;

	assert_int_equal(part->number, parts->nr++);
	assert_int_equal(part->first_sample, parts->next_sample);
	assert_true(part->n <= parts->max_bytes);
	parts->next_sample += part->nr_samples;
	if (ddp_pprof_load(part->bytes, part->n, NULL, &f, &err))
		fail_msg("part %zu: %s", part->number, err.text);
	assert_int_equal(f->nr_samples, part->nr_samples);
	check_head(f);
	check_tables(f);
	text = samples_text(f);
	assert_int_equal(ddp_buffer_write(&parts->samples, text, strlen(text)), 0);
	assert_int_equal(ddp_buffer_write(&parts->all, part->bytes, part->n), 0);
	free(text);
	ddp_pprof_destroy(f);
	return 0;
}

static void free_parts(struct parts *parts)
{
	ddp_buffer_free(&parts->all);
	ddp_buffer_free(&parts->samples);
}

static struct parts encode_parts(const struct ddp_profile *p, struct ddp_pprof_parts how)
{
	struct parts parts = { .max_bytes = how.max_bytes };
	struct ddp_error err;

	if (ddp_pprof_encode_parts(p, 2000, &how, take_part, &parts, &err))
		fail_msg("%s", err.text);
	return parts;
}

static void parts_are_the_whole(void **state)
{
	static const struct {
		const char *what;
		uint32_t nr, nr_timed;
		enum ddp_compression compression;
		size_t max_bytes, min_parts, max_parts;
		int level;
	} rows[] = {
		{ "plain", 500, 500, DDP_PLAIN, 20000, 6, 30, 0 },
		{ "gzip", 500, 500, DDP_GZIP, 12000, 3, 20, 0 },
		{ "LZ4", NR_SAMPLES, NR_SAMPLES, DDP_LZ4, 30000, 5, 40, 0 },
		{ "zstd", 500, 500, DDP_ZSTD, 12000, 3, 20, 0 },
		{ "zstd's fastest", 500, 500, DDP_ZSTD, 12000, 3, 20, 1 },
		{ "only timestamped samples", 0, 500, DDP_PLAIN, 20000, 2, 15, 0 },
		{ "only samples without timestamps", 500, 0, DDP_PLAIN, 20000, 2, 15, 0 },
		{ "hardly one sample a part", 20, 20, DDP_PLAIN, 2500, 10, 40, 0 },
		{ "all in one", 500, 500, DDP_GZIP, 1000000, 1, 1, 0 },
		{ "no samples", 0, 0, DDP_GZIP, 1000, 1, 1, 0 },
	};
	struct parts parts, again;
	struct ddp_pprof_parts how;
	struct ddp_profile *p;
	struct ddp_pprof *f;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		how = (struct ddp_pprof_parts){ .compression = rows[i].compression,
						.level = rows[i].level,
						.max_bytes = rows[i].max_bytes };
		p = make(rows[i].nr, rows[i].nr_timed);
		parts = encode_parts(p, how);
		print_message("  %s: %zu parts\n", rows[i].what, parts.nr);
		assert_in_range(parts.nr, rows[i].min_parts, rows[i].max_parts);
		f = reloaded(p);
		text = samples_text(f);
		assert_int_equal(parts.next_sample, f->nr_samples);
		assert_int_equal(parts.samples.len, strlen(text));
		if (parts.samples.len)
			assert_memory_equal(parts.samples.bytes, text, parts.samples.len);
		again = encode_parts(p, how);
		assert_same_bytes(&parts.all, &again.all);
		free(text);
		ddp_pprof_destroy(f);
		free_parts(&parts);
		free_parts(&again);
		ddp_profile_destroy(p);
	}
}

static int keep_bytes(void *ctx, const struct ddp_pprof_part *part)
{
	return ddp_buffer_write(ctx, part->bytes, part->n);
}

/* What zstd is to keep at hand is in its frame's second byte behind the magic number. */
static uint32_t window_log(const struct ddp_profile *p, struct ddp_pprof_parts how)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer b = { 0 };

	how.compression = DDP_ZSTD;
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, keep_bytes, &b, NULL), 0);
	assert_true(b.len > 6);
	return 10 + (b.bytes[5] >> 3);
}

/* Level 1 keeps less where less is to come; other levels keep what is zstd's default. */
static void the_fastest_level_fits_the_profile(void **state)
{
	static const struct {
		const char *what;
		uint32_t nr_timed;
		int level;
		uint32_t window_log;
	} rows[] = {
		{ "nothing", 0, 1, 17 },
		{ "150 KiB", 2000, 1, 17 },
		{ "1.5 MiB", 20000, 1, 18 },
		{ "4.3 MiB", 70000, 1, 19 },
		{ "150 KiB, the default level", 2000, 0, 21 },
		{ "150 KiB, level 2", 2000, 2, 20 },
	};
	struct ddp_profile *p;
	struct share all;
	uint64_t about;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		CLEANUP(ddp_buffer_free) struct ddp_buffer plain = { 0 };

		p = make(0, rows[i].nr_timed);
		plain = encoded(p);
		all = ddp__share_of_all(p);
		about = ddp__encoded_bytes_about(p, &all);
		print_message("  %s: %zu bytes, held to be %" PRIu64 "\n", rows[i].what, plain.len,
			      about);
		assert_in_range(about, plain.len / 2, plain.len * 2);
		assert_int_equal(window_log(p, (struct ddp_pprof_parts){ .level = rows[i].level }),
				 rows[i].window_log);
		ddp_profile_destroy(p);
	}
}

static void what_fits_is_not_changed(void **state)
{
	struct ddp_profile *p = make(100, 100);
	struct parts parts = encode_parts(p, (struct ddp_pprof_parts){ .max_bytes = 1 << 20 });
	struct ddp_buffer whole = encoded(p);

	(void)state;
	assert_same_bytes(&parts.all, &whole);
	ddp_buffer_free(&whole);
	free_parts(&parts);
	ddp_profile_destroy(p);
}

/* Sample 3 of 5 has a name of 5,000 bytes that do not compress to less than 2,000. */
static void a_sample_that_fits_nowhere_is_named(void **state)
{
	struct ddp_pprof_parts how = { .compression = DDP_GZIP, .max_bytes = 2000 };
	struct ddp_text_frame frame = { .line = 1 };
	struct ddp_profile *p = make(0, 0);
	struct parts parts = { .max_bytes = 0 };
	struct ddp_buffer before;
	struct ddp_error err;
	char noise[5000];
	uint32_t i, x = 1;

	(void)state;
	for (i = 0; i < sizeof(noise); i++)
		noise[i] = '!' + random_below(&x, 90);
	for (i = 0; i < 5; i++) {
		frame.function = (struct ddp_text){ noise + i, i == 2 ? 4000 : 3 };
		assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
			.frames = &frame, .nr_frames = 1, .values = (int64_t[]){ 1, 1 },
			.nr_values = 2 }), 0);
	}
	before = encoded(p);
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, take_part, &parts, &err), -EFBIG);
	assert_string_equal(err.text, "sample 3 of 5 takes more than 2000 bytes even alone");
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, take_part, &parts, NULL), -EFBIG);
	assert_int_equal(parts.nr, 0);
	assert_unchanged(p, &before);
	parts.max_bytes = how.max_bytes = 8000;
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, take_part, &parts, &err), 0);
	assert_int_equal(parts.next_sample, 5);
	ddp_buffer_free(&before);
	free_parts(&parts);
	ddp_profile_destroy(p);
}

static int fail_at_second(void *ctx, const struct ddp_pprof_part *part)
{
	++*(int *)ctx;
	return part->number == 1 ? -EPIPE : 0;
}

static void errors_are_handed_on(void **state)
{
	struct ddp_pprof_parts how = { .max_bytes = 20000 };
	struct ddp_profile *p = make(300, 300), *empty = make(0, 0);
	struct ddp_error err;
	int calls = 0;

	(void)state;
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, fail_at_second, &calls, &err),
			 -EPIPE);
	assert_int_equal(calls, 2);
	assert_string_equal(err.text, "");
	how.level = 77;
	how.compression = DDP_GZIP;
	assert_int_equal(ddp_pprof_encode_parts(p, 2000, &how, fail_at_second, &calls, &err),
			 -EINVAL);
	how = (struct ddp_pprof_parts){ .max_bytes = 10 };
	assert_int_equal(ddp_pprof_encode_parts(empty, 2000, &how, fail_at_second, &calls, &err),
			 -EFBIG);
	assert_string_equal(err.text, "the profile takes more than 10 bytes without samples");
	assert_int_equal(calls, 2);
	ddp_profile_destroy(empty);
	ddp_profile_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_the_whole),
		cmocka_unit_test(the_fastest_level_fits_the_profile),
		cmocka_unit_test(what_fits_is_not_changed),
		cmocka_unit_test(a_sample_that_fits_nowhere_is_named),
		cmocka_unit_test(errors_are_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
