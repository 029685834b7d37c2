// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/build: samples to a profile, checked by reading the encoded profile back. Each row
 * is one stack and the names its frames have to get; the file that is mapped is this program
 * itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ddprof/pprof.h>

#include "core/build.h"

enum {
	EXE_START = 0x400000,	/* where we say that this program is mapped, from its offset 0 */
	EXE_BYTES = 0x8000000,
	NO_FILE_START = 0x20000000,
	ANON_START = 0x30000000,
};

struct world {
	struct ddp_samples samples;
	struct ddp_process process;
	struct ddp_symbols symbols;
	struct ddp_event_specs events;
	struct ddp_link_started started;
	struct ddp_services *services;	/* NULL: none */
	struct ddp_pprof *read;
	bool without_names, inlined;
};

static int open_self(void *ctx, uint64_t file_id, int *ret)
{
	(void)ctx;
	*ret = file_id == 1 ? open("/proc/self/exe", O_RDONLY | O_CLOEXEC) : -1;
	return *ret < 0 ? -ENOENT : 0;
}

static void tell_map(struct world *w, uint64_t start, uint64_t length, uint64_t file,
		     const char *name, uint32_t left)
{
	struct ddp_map m = { .aspace = 1, .start = start, .length = length, .file_id = file,
			     .name = name, .name_len = (u32)strlen(name) };

	assert_int_equal(ddp_process_map(&w->process, &m, left), 0);
}

static void tell_file(struct world *w, uint64_t id, const char *path, uint8_t flags)
{
	struct ddp_file f = {
		.file_id = id, .flags = flags, .path = path, .path_len = (u32)strlen(path)
	};

	assert_int_equal(ddp_process_file(&w->process, &f), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct ddp_error err;

	assert_non_null(w);
	w->started = (struct ddp_link_started){
		.realtime_ns = 1000000, .nr_events = 1,
		.events = { { .sampler = DDPROF_SAMPLER_HRTIMER, .period = 10,
			      .unit = DDPROF_UNIT_NANOSECONDS } },
	};
	assert_int_equal(ddp_events_parse("sCPU", &w->events, &err), 0);
	ddp_process_init(&w->process, open_self, NULL);
	tell_file(w, 1, "/opt/test_build (deleted)", DDPROF_FILE_OPENABLE | DDPROF_FILE_DELETED);
	tell_file(w, 2, "/opt/lib/gone.so", 0);
	assert_int_equal(ddp_process_aspace(&w->process, &(struct ddp_aspace){ .aspace = 1,
			 .layout = 1, .tgid = 7, .nr_maps = 3 }), 0);
	tell_map(w, EXE_START, EXE_BYTES, 1, "", 2);
	tell_map(w, NO_FILE_START, 0x1000, 2, "", 1);
	tell_map(w, ANON_START, 0x1000, 0, "//anon", 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ddp_pprof_destroy(w->read);
	ddp_samples_free(&w->samples);
	ddp_process_free(&w->process);
	ddp_symbols_free(&w->symbols);
	free(w);
	return 0;
}

/* The address of one of our functions in the made-up mapping: found by its name, as offsets are */
static uint64_t address_of(struct world *w, const char *function)
{
	const uint64_t *o = ddp_table_find(&w->process.objects.by_id, 1);
	struct ddp_elf *e = ddp_object_elf(&w->process.objects, ddp_table_pointer(*o), 1);

	assert_non_null(e);
	for (uint64_t offset = 0; offset < EXE_BYTES; offset += 4) {
		const char *name = ddp_elf_symbol(e, offset);

		if (!name || strcmp(name, function))
			continue;
		while ((name = ddp_elf_symbol(e, offset - 1)) && !strcmp(name, function))
			offset--; /* functions need not begin at a multiple of 4 */
		return EXE_START + offset;
	}
	fail_msg("%s is not in this program", function);
	return 0;
}

static int first_base(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	*(uint64_t *)ctx = info->dlpi_addr;
	return 1;
}

/* The address that a symbol table has for it */
static uint64_t linked_at(const void *function)
{
	uint64_t base = 0;

	assert_int_equal(dl_iterate_phdr(first_base, &base), 1);
	return (uint64_t)(uintptr_t)function - base;
}

static void hit(struct world *w, const struct ddp_stack *s, const struct ddp_names *names,
		uint64_t count, const uint64_t *time_ns)
{
	struct ddp_trace *t;

	assert_int_equal(ddp_samples_trace(&w->samples, s, names, &t), 0);
	assert_int_equal(ddp_samples_hit(&w->samples, t, count, count * 10, time_ns), 0);
	ddp_samples_put(&w->samples, t);
}

static const struct ddp_pprof *build(struct world *w)
{
	CLEANUP(ddp_profile_destroy) struct ddp_profile *p = NULL;
	struct ddp_build b = {
		.samples = &w->samples, .process = &w->process, .symbols = &w->symbols,
		.events = &w->events, .started = &w->started, .start_unix_ns = 5, .profile_nr = 1,
		.without_names = w->without_names, .inlined = w->inlined,
		.services = w->services,
	};
	struct ddp_buffer bytes = { 0 };
	struct ddp_error err;

	assert_int_equal(ddp_build_profile(&b, &p), 0);
	assert_int_equal(ddp_pprof_encode(p, 100, ddp_buffer_write, &bytes), 0);
	ddp_pprof_destroy(TAKE(w->read));
	if (ddp_pprof_load(bytes.bytes, bytes.len, NULL, &w->read, &err))
		fail_msg("%s", err.text);
	ddp_buffer_free(&bytes);
	return w->read;
}

static const char *frame_name(const struct ddp_pprof_sample *s, size_t i)
{
	assert_true(i < s->nr_locations);
	assert_int_equal(s->locations[i]->nr_lines, 1);
	return s->locations[i]->lines[0].function->name;
}

static void frames_have_names(void **state)
{
	struct world *w = *state;
	uint64_t function = address_of(w, "ddp_build_profile");
	static const struct {
		const char *what, *leaf, *root;
		/* of the one user frame; 0: the function's */
		uint64_t address;
		uint8_t kernel_end, user_end;
		size_t nr;
		uint64_t said;	/* its address in the profile; 0: where the function was linked */
	} rows[] = {
		{ "an interrupted function", "ddp_build_profile", "ddp_build_profile", 0, 0,
		  DDPROF_END_ROOT, 1, 0 },
		{ "a file that is not there", "gone.so+0x123", "gone.so+0x123",
		  NO_FILE_START + 0x123, 0, DDPROF_END_ROOT, 1, 0x123 },
		{ "memory without a file", "//anon+0x8", "//anon+0x8", ANON_START + 8, 0,
		  DDPROF_END_ROOT, 1, ANON_START + 8 },
		{ "no mapping", "[unknown mapping]", "[unknown mapping]", 0x7f0000000000, 0,
		  DDPROF_END_ROOT, 1, 0x7f0000000000 },
		{ "cut by depth", "ddp_build_profile", "[truncated]", 0, 0, DDPROF_END_TRUNCATED,
		  2, 0 },
		{ "kernel half cut", "ddp_build_profile", "[truncated]", 0, DDPROF_END_TRUNCATED,
		  DDPROF_END_ROOT, 2, 0 },
		{ "unreadable", "ddp_build_profile", "[incomplete]", 0, 0, DDPROF_END_UNREADABLE,
		  2, 0 },
		{ "no table", "ddp_build_profile", "[incomplete]", 0, 0, DDPROF_END_NO_TABLE,
		  2, 0 },
		{ "no rule", "ddp_build_profile", "[incomplete]", 0, 0, DDPROF_END_NO_RULE, 2, 0 },
		{ "a broken walk", "ddp_build_profile", "[incomplete]", 0, 0, DDPROF_END_BAD_FRAME,
		  2, 0 },
		{ "kernel half broken, user half whole", "ddp_build_profile", "ddp_build_profile",
		  0, DDPROF_END_BAD_FRAME, DDPROF_END_ROOT, 1, 0 },
		{ "kernel half broken, no user half", "ddp_build_profile", "[incomplete]", 0,
		  DDPROF_END_BAD_FRAME, DDPROF_END_NONE, 2, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		u64 frame = rows[i].address ? rows[i].address : function;
		uint64_t said = rows[i].said ? rows[i].said : linked_at(ddp_build_profile);
		struct ddp_stack s = { .aspace = 1,
				       .tgid = 7,
				       .tid = 8,
				       .nr_user = 1,
				       .frames = &frame,
				       .kernel_end = rows[i].kernel_end,
				       .user_end = rows[i].user_end,
				       .flags = DDPROF_STACK_USER_EXACT };
		const struct ddp_pprof *p;

		hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
		p = build(w);
		assert_int_equal(p->nr_samples, 1);
		if (p->samples[0].nr_locations != rows[i].nr ||
		    strcmp(frame_name(&p->samples[0], 0), rows[i].leaf) ||
		    strcmp(frame_name(&p->samples[0], rows[i].nr - 1), rows[i].root))
			fail_msg("%s: leaf %s of %zu frames", rows[i].what,
				 frame_name(&p->samples[0], 0), p->samples[0].nr_locations);
		assert_int_equal(p->samples[0].locations[0]->address, said);
		ddp_samples_clear(&w->samples);
	}
}

/* What a C++ compiler would call stamp(int) */
int stamp(int i) __asm__("_Z5stampi");

__attribute__((noinline)) int stamp(int i)
{
	return i * 3;
}

static void names_are_readable(void **state)
{
	struct world *w = *state;
	u64 frame = address_of(w, "_Z5stampi");
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT, .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof *p;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	p = build(w);
	assert_string_equal(frame_name(&p->samples[0], 0), "stamp(int)");
	assert_string_equal(p->samples[0].locations[0]->lines[0].function->system_name,
			    "_Z5stampi");
}

/*
 * A call that is a function's last instruction returns to the next function: address - 1 is meant
 */
static void return_addresses_are_looked_up_before(void **state)
{
	struct world *w = *state;
	uint64_t function = address_of(w, "ddp_build_profile");
	const u64 frames[] = { function, function };
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 2, .frames = frames,
			       .user_end = DDPROF_END_ROOT,
			       .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof *p;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	p = build(w);
	assert_string_equal(frame_name(&p->samples[0], 0), "ddp_build_profile");
	assert_string_not_equal(frame_name(&p->samples[0], 1), "ddp_build_profile");
	assert_int_equal(p->samples[0].locations[1]->address, linked_at(ddp_build_profile));
}

/* In a system call the first user frame is where the call returns to */
static void a_user_frame_is_exact_only_when_said(void **state)
{
	struct world *w = *state;
	const u64 frame = address_of(w, "ddp_build_profile");
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT };
	const struct ddp_pprof *p;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	p = build(w);
	assert_string_not_equal(frame_name(&p->samples[0], 0), "ddp_build_profile");
}

static void kernel_frames_come_first(void **state)
{
	struct world *w = *state;
	const u64 frames[] = { 0xffffffffffff0000, 0xffffffffffff0010, NO_FILE_START + 1 };
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_kernel = 2, .nr_user = 1,
			       .frames = frames, .user_end = DDPROF_END_ROOT,
			       .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof *p;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	p = build(w);
	assert_int_equal(p->samples[0].nr_locations, 3);
	assert_string_equal(p->samples[0].locations[0]->mapping->filename, DDP_KERNEL_MAPPING);
	assert_string_equal(frame_name(&p->samples[0], 0),
			    DDP_KERNEL_MAPPING "+0xffffffffffff0000");
	assert_string_equal(p->samples[0].locations[2]->mapping->filename, "/opt/lib/gone.so");
}

static void mappings_are_segments_with_build_ids(void **state)
{
	struct world *w = *state;
	const u64 frame = address_of(w, "ddp_build_profile");
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT,
			       .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof_location *l;
	const struct ddp_pprof_mapping *m;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	l = build(w)->samples[0].locations[0];
	m = l->mapping;
	assert_string_equal(m->filename, "/opt/test_build");
	assert_int_equal(strlen(m->build_id), 40);
	assert_true(l->address >= m->start && l->address < m->limit);
	assert_int_equal(l->address - m->start + m->file_offset, frame - EXE_START);
	assert_true(m->has_functions);
}

/* Other address spaces, other addresses, other pieces of it: the same places in the same file */
static void a_file_is_the_same_wherever_it_is_mapped(void **state)
{
	struct world *w = *state;
	const uint64_t function = address_of(w, "ddp_build_profile") - EXE_START,
		       piece = function & ~UINT64_C(0xfff);
	const struct {
		uint64_t start, length, file_offset, file, frame;
	} rows[] = {
		{ 0x55550000000, EXE_BYTES, 0, 1, 0x55550000000 + function },
		{ 0x7f000000000, 0x2000, piece, 1, 0x7f000000000 + function - piece },
		{ 0x55560000000, 0x1000, 0x3000, 2, 0x55560000123 },
		{ 0x7f100000000, 0x8000, 0x1000, 2, 0x7f100002123 },
	};
	enum { NR = sizeof(rows) / sizeof(rows[0]) };
	const struct ddp_pprof *p;

	for (uint32_t i = 0; i < NR; i++) {
		struct ddp_stack s = { .aspace = 2 + i, .tgid = 7 + i, .tid = 7 + i, .nr_user = 1,
				       .frames = &rows[i].frame, .user_end = DDPROF_END_ROOT,
				       .flags = DDPROF_STACK_USER_EXACT };
		struct ddp_map m = { .aspace = 2 + i, .start = rows[i].start,
				     .length = rows[i].length, .file_offset = rows[i].file_offset,
				     .file_id = rows[i].file, .name = "" };

		assert_int_equal(ddp_process_aspace(&w->process, &(struct ddp_aspace){
				 .aspace = 2 + i, .layout = 1, .tgid = 7 + i, .nr_maps = 1 }), 0);
		assert_int_equal(ddp_process_map(&w->process, &m, 0), 0);
		hit(w, &s, &(struct ddp_names){ "p", "t" }, 1 + (i >= 2), NULL);
	}
	p = build(w);
	assert_int_equal(p->nr_samples, NR);
	assert_int_equal(p->nr_locations, 2);
	assert_int_equal(p->nr_mappings, 2);
	for (size_t i = 0; i < NR; i++) {
		const struct ddp_pprof_location *l = p->samples[i].locations[0];
		bool named = p->samples[i].values[0] == 1;

		assert_string_equal(frame_name(&p->samples[i], 0),
				    named ? "ddp_build_profile" : "gone.so+0x3123");
		assert_int_equal(l->address, named ? linked_at(ddp_build_profile) : 0x3123);
		assert_int_equal(l->address - l->mapping->start + l->mapping->file_offset,
				 named ? function : 0x3123);
	}
}

/* A call that returns to where another thread is interrupted: two frames, one address */
static void where_it_is_and_how_it_is_looked_up_make_a_frame(void **state)
{
	struct world *w = *state;
	const u64 frame = address_of(w, "ddp_build_profile");
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT };
	const struct ddp_pprof *p;

	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	s.flags = DDPROF_STACK_USER_EXACT;
	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	p = build(w);
	assert_int_equal(p->nr_locations, 2);
	assert_int_equal(p->samples[0].locations[0]->address, p->samples[1].locations[0]->address);
	assert_string_not_equal(frame_name(&p->samples[0], 0), frame_name(&p->samples[1], 0));
}

static const struct ddp_pprof_label *label(const struct ddp_pprof_sample *s, const char *key)
{
	for (size_t i = 0; i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, key))
			return &s->labels[i];
	fail_msg("no label %s", key);
	return NULL;
}

static void frames_without_names_keep_their_places(void **state)
{
	struct world *w = *state;
	u64 frames[] = { 0xffffffff81000000, address_of(w, "ddp_build_profile"),
			 NO_FILE_START + 8, 0x7f0000000000 };
	const uint64_t said[] = { frames[0], linked_at(ddp_build_profile), 8, frames[3] };
	struct ddp_stack s = { .aspace = 1, .nr_kernel = 1, .nr_user = 3, .frames = frames,
			       .user_end = DDPROF_END_TRUNCATED };
	const struct ddp_pprof_sample *sample;

	w->without_names = true;
	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	sample = build(w)->samples;
	assert_int_equal(sample->nr_locations, 5);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sample->locations[i]->address, said[i]);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(sample->locations[i]->nr_lines, 0);
		assert_non_null(sample->locations[i]->mapping);
		assert_false(sample->locations[i]->mapping->has_functions);
	}
	assert_string_not_equal(sample->locations[1]->mapping->build_id, "");
	/* what stands in for frames has nothing but its name */
	assert_string_equal(frame_name(sample, 3), "[unknown mapping]");
	assert_string_equal(frame_name(sample, 4), "[truncated]");
}

static void debug_information_names_sources(void **state)
{
	struct world *w = *state;
	u64 frame = address_of(w, "ddp_build_profile");
	struct ddp_stack s = { .aspace = 1, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT, .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof_location *l;
	const struct ddp_pprof_line *last;

	w->inlined = true;
	hit(w, &s, &(struct ddp_names){ "p", "t" }, 1, NULL);
	l = build(w)->samples[0].locations[0];
	assert_true(l->mapping->has_inline_frames);
	assert_true(l->nr_lines >= 1);
	last = &l->lines[l->nr_lines - 1];
	assert_string_equal(last->function->name, "ddp_build_profile");
	assert_non_null(strstr(last->function->filename, "core/build.c"));
	assert_true(last->line > 0);
}

static void a_process_too_many_has_one_frame(void **state)
{
	struct world *w = *state;
	u64 frames[] = { 0xffffffff81000000, EXE_START, EXE_START + 8 };
	struct ddp_stack s = { .aspace = 2, .nr_kernel = 1, .nr_user = 2, .frames = frames,
			       .user_end = DDPROF_END_ROOT };
	const struct ddp_pprof_sample *sample;

	w->process.max_followed = 1;
	assert_int_equal(ddp_process_aspace(&w->process, &(struct ddp_aspace){ .aspace = 2,
			 .layout = 1, .tgid = 8, .nr_maps = 1 }), 0);
	hit(w, &s, &(struct ddp_names){ "p", "t" }, 3, NULL);
	sample = build(w)->samples;
	assert_int_equal(sample->nr_locations, 2);
	assert_int_equal(sample->locations[0]->address, frames[0]);
	assert_string_equal(frame_name(sample, 1), "[maximum pids]");
	assert_int_equal(sample->values[0], 3);
}

static const char *const state_names[] = {
	"interruptible ", "uninterruptible ", "idle ", "stopped ", "traced ", "parked ", "other ",
};

static void labels_and_values(void **state)
{
	struct world *w = *state;
	const u64 frame = ANON_START;
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT,
			       .flags = DDPROF_STACK_USER_EXACT };
	const struct ddp_pprof *p;
	uint64_t time = 25;

	/* two ids of the same stack are one sample; one with a time stays apart */
	hit(w, &s, &(struct ddp_names){ "server", "worker" }, 3, NULL);
	hit(w, &s, &(struct ddp_names){ "server", "worker" }, 4, NULL);
	hit(w, &s, &(struct ddp_names){ "server", "worker" }, 1, &time);
	p = build(w);
	assert_int_equal(p->nr_samples, 2);
	assert_string_equal(p->sample_types[0].type, "cpu-samples");
	assert_string_equal(p->sample_types[1].unit, "nanoseconds");
	assert_int_equal(p->period, 10);
	for (size_t i = 0; i < 2; i++) {
		const struct ddp_pprof_sample *sample = &p->samples[i];

		assert_int_equal(label(sample, "process_id")->num, 7);
		assert_string_equal(label(sample, "process_name")->str, "server");
		assert_int_equal(label(sample, "thread id")->num, 8);
		assert_string_equal(label(sample, "thread_name")->str, "worker");
		if (sample->nr_labels == 5) {
			assert_int_equal(label(sample, "end_timestamp_ns")->num, 1000025);
			assert_int_equal(sample->values[0], 1);
		} else {
			assert_int_equal(sample->values[0], 7);
			assert_int_equal(sample->values[1], 70);
		}
	}
}

/* One sample of three events each, and which columns they are in */
static void events_have_columns_of_their_own(void **state)
{
	enum { TIMER = DDPROF_SAMPLER_HRTIMER, PERF = DDPROF_SAMPLER_PERF };
	static const struct {
		const char *what, *events;
		/* sampler, period, unit, fallback */
		struct ddp_link_started_event started[3];
		const char *types[7];		/* "type/unit", first to last */
		int64_t values[6];		/* of 2 + 3 + 5 hits of the events, each worth 10 */
		const char *period_type;
		int64_t period;
	} rows[] = {
		{ "three events, the first one last", "sCPU;sPF;sched:sched_switch",
		  { { TIMER, 7, 1, 0 }, { PERF, 1, 2, 0 }, { PERF, 1, 2, 0 } },
		  { "sched.sched_switch-samples/count", "sched.sched_switch/events",
		    "page-faults-samples/count", "page-faults/events", "cpu-samples/count",
		    "cpu-time/nanoseconds" }, { 5, 50, 3, 30, 2, 20 }, "cpu-time", 7 },
		{ "one that is not there has none", "sPF;hCPU;sCS",
		  { { PERF, 4, 2, 0 }, { 0, 0, 2, ENOENT }, { PERF, 1, 2, 0 } },
		  { "context-switches-samples/count", "context-switches/events",
		    "page-faults-samples/count", "page-faults/events" }, { 5, 50, 2, 20 },
		  "page-faults", 4 },
		{ "the first is not there: the second gives the period", "hCPU;sPF;sCS",
		  { { 0, 0, 2, ENOENT }, { PERF, 9, 2, 0 }, { PERF, 1, 2, 0 } },
		  { "context-switches-samples/count", "context-switches/events",
		    "page-faults-samples/count", "page-faults/events" }, { 5, 50, 3, 30 },
		  "page-faults", 9 },
		{ "one that is replaced is CPU time", "hCPU missing=replace;sPF;sCS",
		  { { PERF, 8, 1, ENOENT }, { PERF, 1, 2, 0 }, { PERF, 1, 2, 0 } },
		  { "context-switches-samples/count", "context-switches/events",
		    "page-faults-samples/count", "page-faults/events", "cpu-samples/count",
		    "cpu-time/nanoseconds" }, { 5, 50, 3, 30, 2, 20 }, "cpu-time", 8 },
		{ "values are scaled, samples are not", "sCPU scale=2.26;sPF scale=0.01;sCS",
		  { { TIMER, 7, 1, 0 }, { PERF, 1, 2, 0 }, { PERF, 1, 2, 0 } },
		  { "context-switches-samples/count", "context-switches/events",
		    "page-faults-samples/count", "page-faults/events", "cpu-samples/count",
		    "cpu-time/nanoseconds" }, { 5, 50, 3, 0, 2, 45 }, "cpu-time", 7 },
	};
	struct world *w = *state;
	const u64 frame = ANON_START;
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT };
	static const uint64_t hits[] = { 2, 3, 5 };

	for (s.event = 0; s.event < 3; s.event++)
		hit(w, &s, &(struct ddp_names){ "p", "t" }, hits[s.event], NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_pprof *p;
		struct ddp_error err;
		char type[128];
		size_t n = 0;

		w->events.nr = 0;
		assert_int_equal(ddp_events_parse(rows[i].events, &w->events, &err), 0);
		w->started.nr_events = 3;
		memcpy(w->started.events, rows[i].started, sizeof(rows[i].started));
		p = build(w);
		assert_int_equal(p->nr_samples, 1);
		for (; rows[i].types[n]; n++) {
			assert_true(n < p->nr_sample_types);
			snprintf(type, sizeof(type), "%s/%s", p->sample_types[n].type,
				 p->sample_types[n].unit);
			if (strcmp(type, rows[i].types[n]) ||
			    p->samples[0].values[n] != rows[i].values[n])
				fail_msg("%s: column %zu: %s %" PRId64, rows[i].what, n, type,
					 p->samples[0].values[n]);
		}
		assert_int_equal(p->nr_sample_types, n);
		assert_string_equal(p->period_type.type, rows[i].period_type);
		assert_int_equal(p->period, rows[i].period);
	}
}

/* How a thread was blocked is a label of its samples, and tells them apart */
static void states_are_labels(void **state)
{
	struct world *w = *state;
	const u64 frame = ANON_START;
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .user_end = DDPROF_END_ROOT, .flags = DDPROF_STACK_STATE };
	const struct ddp_pprof *p;
	char said[256] = "";

	for (uint8_t i = 0; i < __DDPROF_STATE_MAX; i++) {
		s.state = i;
		hit(w, &s, &(struct ddp_names){ "server", "worker" }, 1, NULL);
	}
	p = build(w);
	assert_int_equal(p->nr_samples, __DDPROF_STATE_MAX);
	for (size_t i = 0; i < p->nr_samples; i++) {
		const struct ddp_pprof_sample *sample = &p->samples[i];

		if (sample->nr_labels == 4)
			continue; /* it was running */
		strcat(strcat(said, label(sample, "thread_state")->str), " ");
	}
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++)
		if (!strstr(said, state_names[i]))
			fail_msg("no %sin %s", state_names[i], said);
}

static void processes_have_their_name(void **state)
{
	static const struct {
		const char *what;
		uint32_t tid;
		struct ddp_names names;
		const char *told;	/* of the process; NULL: nothing */
		const char *is;
	} rows[] = {
		{ "as the stack says", 8, { "server", "worker" }, "old", "server" },
		{ "it has none", 8, { "", "worker" }, "server", "server" },
		{ "a thread that is ending", 8, { "worker", "worker" }, "server", "server" },
		{ "a thread of the same name", 8, { "server", "server" }, "server", "server" },
		{ "nobody said another", 8, { "worker", "worker" }, NULL, "worker" },
		{ "the first thread", 7, { "server", "server" }, "old", "server" },
		{ "nothing at all", 8, { "", "" }, NULL, "[unknown]" },
	};
	struct world *w = *state;
	const u64 frame = ANON_START;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t tgid = 7 + 100 * (uint32_t)i;
		struct ddp_stack s = { .aspace = 1, .tgid = tgid, .tid = tgid + rows[i].tid - 7,
				       .nr_user = 1, .frames = &frame,
				       .user_end = DDPROF_END_ROOT };
		struct ddp_task task = { .kind = DDPROF_TASK_COMM, .tgid = tgid, .tid = tgid,
					 .comm = rows[i].told };
		const char *name;

		if (rows[i].told)
			assert_int_equal(ddp_process_task(&w->process, &task), 0);
		/* what it says when it is ending does not stay */
		task = (struct ddp_task){ .kind = DDPROF_TASK_SEEN, .tgid = tgid, .tid = tgid + 1,
					  .comm = "worker", .leader_comm = "worker" };
		if (rows[i].told)
			assert_int_equal(ddp_process_task(&w->process, &task), 0);
		hit(w, &s, &rows[i].names, 1, NULL);
		name = label(&build(w)->samples[0], "process_name")->str;
		if (strcmp(name, rows[i].is))
			fail_msg("%s: %s", rows[i].what, name);
		ddp_samples_clear(&w->samples);
	}
}

static void write_text(const char *folder, const char *name, const char *text)
{
	CLEANUP(close_file) FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

/* A blocked thread in a container of a pod */
static void all_labels_at_once(void **state)
{
	static const char container[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const char pod[] = "8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7de";
	const u64 frame = ANON_START;
	struct ddp_stack s = { .aspace = 1, .tgid = 7, .tid = 8, .nr_user = 1, .frames = &frame,
			       .state = 1 };
	struct ddp_services services;
	struct world *w = *state;
	char root[] = "/tmp/test_build.XXXXXX", folder[40], text[256];
	const struct ddp_pprof_sample *sample;

	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof(folder), "%s/7", root);
	assert_int_equal(mkdir(folder, 0755), 0);
	write_text(folder, "stat", "7 (p) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0\n");
	snprintf(text, sizeof(text), "0::/kubepods/pod%s/%s\n", pod, container);
	write_text(folder, "cgroup", text);
	assert_int_equal(ddp_services_init(&services,
					   &(struct ddp_services_config){ .proc = root }, NULL), 0);
	assert_int_equal(ddp_services_started(&services, 0, 0), 0);
	w->services = &services;
	hit(w, &s, &(struct ddp_names){ "server", "worker" }, 1, &(uint64_t){ 25 });
	sample = &build(w)->samples[0];
	assert_int_equal(sample->nr_labels, 8); /* with the time */
	assert_string_equal(label(sample, "container_id")->str, container);
	assert_string_equal(label(sample, "pod_uid")->str, pod);
	assert_non_null(label(sample, "thread_state"));
	ddp_services_free(&services);
	snprintf(text, sizeof(text), "%s/stat", folder);
	unlink(text);
	snprintf(text, sizeof(text), "%s/cgroup", folder);
	unlink(text);
	rmdir(folder);
	rmdir(root);
}

static void nothing_sampled_is_a_profile(void **state)
{
	struct world *w = *state;

	assert_int_equal(build(w)->nr_samples, 0);
	assert_int_equal(w->read->nr_sample_types, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(frames_have_names), TEST(names_are_readable),
		TEST(return_addresses_are_looked_up_before),
		TEST(a_user_frame_is_exact_only_when_said), TEST(kernel_frames_come_first),
		TEST(mappings_are_segments_with_build_ids),
		TEST(a_file_is_the_same_wherever_it_is_mapped),
		TEST(where_it_is_and_how_it_is_looked_up_make_a_frame),
		TEST(frames_without_names_keep_their_places),
		TEST(debug_information_names_sources),
		TEST(a_process_too_many_has_one_frame),
		TEST(labels_and_values), TEST(processes_have_their_name),
		TEST(events_have_columns_of_their_own), TEST(all_labels_at_once),
		TEST(nothing_sampled_is_a_profile), TEST(states_are_labels),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
