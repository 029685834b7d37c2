// SPDX-License-Identifier: Apache-2.0
/*
 * Makes profiles as the collector does of samples in a program, with the names it finds or without
 * any: pprof.sh asks go tool pprof to find them itself. usage: located named|unnamed PROFILE
 * PROGRAM. Every function of PROGRAM, mapped where a loader could have put it, is sampled once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ddprof/pprof.h>

#include "core/build.h"

enum { ASPACE = 1, FILE_ID = 1 };

static const uint64_t mapped_at = 0x7f1234560000;
static const char *program;

static void check(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "%s: %s: %s\n", program, what, strerror(-r));
	exit(1);
}

static int open_program(void *ctx, uint64_t file_id, int *ret)
{
	(void)ctx;
	(void)file_id;
	*ret = open(program, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

static uint64_t map_program(struct ddp_process *p)
{
	struct ddp_aspace aspace = { .aspace = ASPACE, .layout = 1, .tgid = 1, .nr_maps = 1 };
	struct ddp_file file = { .file_id = FILE_ID, .flags = DDPROF_FILE_OPENABLE,
				 .path = program, .path_len = (uint32_t)strlen(program) };
	struct ddp_map map = { .aspace = ASPACE, .start = mapped_at, .file_id = FILE_ID,
			       .name = "" };
	struct stat st;

	check(stat(program, &st) ? -errno : 0, "stat");
	file.size = map.length = (uint64_t)st.st_size;
	check(ddp_process_file(p, &file), "file");
	check(ddp_process_aspace(p, &aspace), "address space");
	check(ddp_process_map(p, &map, 0), "mapping");
	return map.length;
}

static void sample(struct ddp_samples *s, uint64_t address)
{
	struct ddp_stack stack = { .aspace = ASPACE, .tgid = 1, .tid = 1, .nr_user = 1,
				   .frames = &address, .user_end = DDPROF_END_ROOT,
				   .flags = DDPROF_STACK_USER_EXACT };
	struct ddp_trace *t;

	check(ddp_samples_trace(s, &stack, &(struct ddp_names){ "program", "program" }, &t),
	      "trace");
	check(ddp_samples_hit(s, t, 1, 1, NULL), "hit");
}

static void sample_functions(struct ddp_samples *s, struct ddp_process *p, uint64_t bytes)
{
	struct ddp_object *o = ddp_objects_find(&p->objects, FILE_ID);
	const struct ddp_elf *elf = ddp_object_elf(&p->objects, o, 1);
	const char *last = NULL;

	check(elf ? 0 : -ENOEXEC, "symbols");
	for (uint64_t offset = 0; offset < bytes; offset++) {
		const char *name = ddp_elf_symbol(elf, offset);

		if (name && name != last)
			sample(s, mapped_at + offset);
		last = name;
	}
}

static void write_profile(const struct ddp_build *b, const char *path)
{
	CLEANUP(ddp_profile_destroy) struct ddp_profile *profile = NULL;
	CLEANUP(ddp_buffer_free) struct ddp_buffer bytes = { .len = 0 };
	CLEANUP(close_file) FILE *f = fopen(path, "we");

	check(ddp_build_profile(b, &profile), "profile");
	check(ddp_pprof_encode(profile, 1, ddp_buffer_write, &bytes), "encoding");
	check(f && fwrite(bytes.bytes, 1, bytes.len, f) == bytes.len ? 0 : -EIO, path);
}

int main(int argc, char **argv)
{
	struct ddp_samples samples = { .nr_traces = 0 };
	struct ddp_process process;
	struct ddp_symbols symbols = { .kernel = NULL };
	struct ddp_event_specs events = { .nr = 0 };
	struct ddp_link_started started = {
		.nr_events = 1,
		.events = { { .sampler = DDPROF_SAMPLER_HRTIMER, .period = 1,
			      .unit = DDPROF_UNIT_NANOSECONDS } },
	};
	struct ddp_build b = {
		.samples = &samples, .process = &process, .symbols = &symbols, .events = &events,
		.started = &started, .profile_nr = 1,
	};
	struct ddp_error err;

	if (argc != 4) {
		fprintf(stderr, "usage: located named|unnamed PROFILE PROGRAM\n");
		return 2;
	}
	b.without_names = !strcmp(argv[1], "unnamed");
	program = argv[3];
	ddp_process_init(&process, open_program, NULL);
	check(ddp_events_parse("sCPU", &events, &err), "events");
	sample_functions(&samples, &process, map_program(&process));
	write_profile(&b, argv[2]);
	ddp_samples_free(&samples);
	ddp_process_free(&process);
	return 0;
}
