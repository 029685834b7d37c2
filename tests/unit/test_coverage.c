// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/coverage and comments: which files walks ended in, how many reached their root,
 * and that a profile says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ddprof/pprof.h>

#include "core/comments.h"
#include "unwind/coverage.h"

DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)

enum {
	NR_FILES = 8,
	FILE_BYTES = 0x1000,
	FIRST = 0x100000,	/* where file 1 is mapped; one after the other */
	VDSO = 0x900000,
};

struct world {
	struct ddp_samples samples;
	struct ddp_process process;
};

static void tell_map(struct world *w, uint64_t aspace, uint64_t start, uint64_t file,
		     const char *name, uint32_t left)
{
	struct ddp_map m = { .aspace = aspace, .start = start, .length = FILE_BYTES,
			     .file_id = file, .name = name, .name_len = (u32)strlen(name) };

	assert_int_equal(ddp_process_map(&w->process, &m, left), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	ddp_process_init(&w->process, NULL, NULL);
	for (uint64_t id = 1; id <= NR_FILES; id++) {
		char path[16];
		struct ddp_file f = { .file_id = id, .path = path };

		f.path_len = (u32)snprintf(path, sizeof(path), "/lib/%u", (unsigned int)id);
		assert_int_equal(ddp_process_file(&w->process, &f), 0);
	}
	for (uint64_t aspace = 1; aspace <= 2; aspace++) {
		struct ddp_aspace a = { .aspace = aspace, .layout = 1, .tgid = 7,
					.nr_maps = NR_FILES + 1 };

		assert_int_equal(ddp_process_aspace(&w->process, &a), 0);
		for (uint32_t i = 0; i < NR_FILES; i++)
			tell_map(w, aspace, FIRST + i * FILE_BYTES, i + 1, "", NR_FILES - i);
		tell_map(w, aspace, VDSO, 0, "[vdso]", 0);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ddp_samples_free(&w->samples);
	ddp_process_free(&w->process);
	free(w);
	return 0;
}

/* A walk that ended as @end says in the frame @address, after another one */
static void hit(struct world *w, uint64_t aspace, uint64_t address, uint8_t end, uint8_t flags,
		uint64_t count, bool timed)
{
	const u64 frames[] = { FIRST, address };
	struct ddp_stack s = { .aspace = aspace, .tgid = 7, .tid = 7, .nr_user = 2,
			       .frames = frames, .user_end = end, .flags = flags };
	uint64_t time_ns = 5;
	struct ddp_trace *t;

	assert_int_equal(ddp_samples_trace(&w->samples, &s, &(struct ddp_names){ "p", "t" }, &t),
			 0);
	assert_int_equal(ddp_samples_hit(&w->samples, t, count, 0, timed ? &time_ns : NULL), 0);
	ddp_samples_put(&w->samples, t);
}

static uint64_t in_file(uint32_t nr)
{
	return FIRST + (nr - 1) * FILE_BYTES + 0x10;
}

static void files_that_walks_ended_in(void **state)
{
	struct world *w = *state;
	struct ddp_coverage c;

	assert_int_equal(ddp_coverage_find(&w->samples, NULL, &w->process, &c), 0);
	assert_int_equal(c.nr, 0);
	hit(w, 1, in_file(1), DDPROF_END_ROOT, 0, 1000, false);
	hit(w, 1, in_file(2), DDPROF_END_NO_TABLE, 0, 3, false);
	hit(w, 2, in_file(2), DDPROF_END_BAD_FRAME, 0, 4, true); /* the same file, elsewhere */
	hit(w, 1, in_file(3), DDPROF_END_NO_RULE, 0, 2, true);
	/* a return address at a file's end is still that file's */
	hit(w, 1, FIRST + 3 * FILE_BYTES, DDPROF_END_UNREADABLE, 0, 3, false);
	hit(w, 1, VDSO + 1, DDPROF_END_TRUNCATED, 0, 4, false);
	hit(w, 2, VDSO + 9, DDPROF_END_TRUNCATED, 0, 4, false);
	hit(w, 1, 0x10, DDPROF_END_BAD_FRAME, 0, 50, false); /* in no mapping */
	hit(w, 3, in_file(4), DDPROF_END_BAD_FRAME, 0, 10, false); /* of nobody we know */
	assert_int_equal(ddp_coverage_find(&w->samples, NULL, &w->process, &c), 0);
	assert_int_equal(c.nr, 4);
	assert_string_equal(c.files[0].name, "[unknown mapping]");
	assert_int_equal(c.files[0].count, 60);
	assert_string_equal(c.files[1].name, "[vdso]");
	assert_int_equal(c.files[1].count, 8);
	assert_string_equal(c.files[2].name, "/lib/2");
	assert_int_equal(c.files[2].count, 7);
	assert_string_equal(c.files[3].name, "/lib/3");
	assert_int_equal(c.files[3].count, 5);
}

static void only_the_first_few_are_told(void **state)
{
	struct world *w = *state;
	struct ddp_coverage c;

	for (uint32_t i = 1; i <= NR_FILES; i++)
		hit(w, 1, in_file(i), DDPROF_END_NO_TABLE, 0, (i * 5) % 9, false);
	assert_int_equal(ddp_coverage_find(&w->samples, NULL, &w->process, &c), 0);
	assert_int_equal(c.nr, DDP_COVERAGE_FILES);
	for (size_t i = 0; i < c.nr; i++)
		assert_int_equal(c.files[i].count, 8 - i);
}

static void percent_of_what_has_an_end(void **state)
{
	static const struct {
		uint64_t ends[__DDPROF_END_MAX];
		double percent;
	} rows[] = {
		{ { 0 }, 0 },
		{ { [DDPROF_END_NONE] = 5 }, 0 },
		{ { [DDPROF_END_NONE] = 5, [DDPROF_END_ROOT] = 3 }, 100 },
		{ { [DDPROF_END_ROOT] = 3, [DDPROF_END_NO_RULE] = 1 }, 75 },
		{ { [DDPROF_END_TRUNCATED] = 3 }, 0 },
		{ { [DDPROF_END_ROOT] = UINT64_MAX, [DDPROF_END_BAD_FRAME] = UINT64_MAX }, 50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_float_equal(ddp_coverage_percent(rows[i].ends), rows[i].percent, 1e-4);
}

/* Comments */

static struct ddp_pprof *profile_with(const struct ddp_comments *c)
{
	static const struct ddp_value_type type = { DDP_CPU_SAMPLES };
	struct ddp_profile_config config = { .value_types = &type, .nr_value_types = 1 };
	CLEANUP(ddp_profile_destroy) struct ddp_profile *p = NULL;
	struct ddp_buffer bytes = { 0 };
	struct ddp_pprof *read = NULL;
	struct ddp_error err;

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	assert_int_equal(ddp_comments_add(c, p), 0);
	assert_int_equal(ddp_pprof_encode(p, 1, ddp_buffer_write, &bytes), 0);
	if (ddp_pprof_load(bytes.bytes, bytes.len, NULL, &read, &err))
		fail_msg("%s", err.text);
	ddp_buffer_free(&bytes);
	return read;
}

static const char *comment_with(const struct ddp_pprof *p, const char *text)
{
	for (size_t i = 0; i < p->nr_comments; i++)
		if (strstr(p->comments[i], text))
			return p->comments[i];
	return NULL;
}

static void a_profile_says_how_walks_ended(void **state)
{
	struct world *w = *state;
	struct ddp_link_info module = { .module_version = "1.2", .kernel_unwinder = "orc" };
	struct ddp_marks then = { 0 }, now = {
		.info = { .tables = 4, .tables_bytes = 500, .tables_max_bytes = 600,
			  .tables_evicted = 2, .tables_refused = 1 },
		.tables = { .uploaded = 6, .rows = 70, .built = 3, .from_cache = 2, .no_cfi = 1,
			    .dropped = 8, .stuck = 1,
			    .cfi = { .code_bytes = 1000, .unknown_bytes = 9 } },
	};
	static char name[] = "shop", version[] = "7";
	struct ddp_service service = { .name = name, .version = version };
	struct ddp_event_specs events = { .nr = 0 };
	struct ddp_link_started started = { .nr_events = 0 };
	struct ddp_comments c = {
		.module = &module, .samples = &w->samples, .process = &w->process,
		.then = &then, .now = &now, .events = &events, .started = &started,
		.service = &service,
	};
	struct ddp_pprof *p;

	hit(w, 1, in_file(1), DDPROF_END_ROOT, 0, 6, false);
	hit(w, 1, in_file(2), DDPROF_END_NO_RULE, 0, 1, false);
	hit(w, 1, in_file(2), DDPROF_END_NO_TABLE, DDPROF_STACK_GUESSED, 1, true);
	p = profile_with(&c);
	assert_non_null(comment_with(p, "ddprof_kmod 1.2, kernel unwinder orc"));
	assert_string_equal(comment_with(p, "service: "), "service: shop, version: 7");
	assert_string_equal(comment_with(p, "user walks: root"),
			    "user walks: root=6 truncated=0 unreadable=0 bad_frame=0 no_table=1 "
			    "no_rule=1 none=0 guessed=1 root_percent=75.00");
	assert_string_equal(comment_with(p, "ended early"),
			    "user walks ended early: 2 in /lib/2");
	assert_non_null(comment_with(p, "kernel walks: root=0 "));
	assert_string_equal(comment_with(p, "tables:"),
			    "tables: files=4 bytes=500 max_bytes=600 evicted=2 refused=1 "
			    "uploaded=6 rows=70 built=3 cached=2 without_rows=1 failed=0 "
			    "dropped=8 stuck=1 code_bytes=1000 unknown_bytes=9 build_ms=0");
	ddp_pprof_destroy(p);

	/* of the next interval nothing is left over */
	ddp_samples_clear(&w->samples);
	p = profile_with(&c);
	assert_non_null(comment_with(p, " guessed=0 root_percent=0.00"));
	assert_null(comment_with(p, "ended early"));
	ddp_pprof_destroy(p);
	now = then; /* without tables there is nothing to say about them */
	p = profile_with(&c);
	assert_null(comment_with(p, "tables:"));
	ddp_pprof_destroy(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(files_that_walks_ended_in),
		TEST(only_the_first_few_are_told),
		TEST(percent_of_what_has_an_end),
		TEST(a_profile_says_how_walks_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
