// SPDX-License-Identifier: Apache-2.0
/*
 * libddprof on the work of lib_work.h; a peer's counterpart has the same commands and keys, and
 * lib.sh runs them in turn. One command is one process, so that its peak memory is its own.
 *
 * usage: lib_bench work WORK				writes the tables for peers
 *	  lib_bench strings OUT [SAMPLES]		adds them by strings, then encodes
 *	  lib_bench timestamps OUT [SAMPLES]		the same with timestamps
 *	  lib_bench ids OUT [SAMPLES]			by 18 location ids and 2 labels of ids
 *	  lib_bench stacks OUT [SAMPLES]		by the ids of the stack and of the label set
 *	  lib_bench intern STRINGS			the lines of a file, twice each
 * SAMPLES is WORK_SAMPLES unless given.
 *
 * Prints, times being CPU time
 *   add_ns	mean time of an add; making what is added is not part of it
 *   encode_ms	encoding and compressing by zstd, level 1, to memory
 *   bytes	of the encoded, compressed profile
 *   rss_mb	peak resident memory of the process, MiB; base_mb: before the profile was made,
 *		with the tables of the work, which are given back before encoding; built_mb: how
 *		much more than that there is when all is added
 *   profile_mb	what ddp_profile_count() says of it
 *   intern_ns	mean time to intern a string, half of them known
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ddprof/pprof.h"
#include "ddprof/profile.h"
#include "lib/cleanup.h"
#include "tests/bench/lib_work.h"

enum {
	BATCH = 64,		/* samples made ahead, so that making them is not timed */
	INTERN_ROUNDS = 200,
	MAX_STRINGS = 100000,
};

#define START_UNIX_NS 1700000000000000000
#define END_UNIX_NS (START_UNIX_NS + 60000000000)

DEFINE_CLEANUP(struct work *, work_destroy)
DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)

/* CPU time of this thread: what else the machine does is not in it */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Nothing here can go on after an error. */
static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "lib_bench: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* A line of /proc/self/status in MiB: "VmRSS:" is the memory now, "VmHWM:" at its peak. */
static double rss_mb(const char *which)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, which, strlen(which)))
			return strtod(line + strlen(which), NULL) / 1024;
	must(-ENOENT, which);
	return 0;
}

static struct ddp_profile *new_profile(void)
{
	static const struct ddp_value_type types[] = {
		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME },
	};
	struct ddp_profile_config config = {
		.value_types = types, .nr_value_types = 2,
		.period_type = { DDP_CPU_TIME }, .period = 10101010,
		.start_unix_ns = START_UNIX_NS,
	};
	struct ddp_profile *p = NULL;

	must(ddp_profile_create(&config, &p), "ddp_profile_create");
	return p;
}

/* By strings */

struct batch {
	struct ddp_text_frame frames[BATCH][WORK_FRAMES];
	struct ddp_text_label labels[BATCH][2];
	struct work_sample drawn[BATCH];
	struct ddp_text_sample samples[BATCH];
};

static struct ddp_text text(const struct work *w, uint32_t string)
{
	return (struct ddp_text){ w->strings[string], w->string_bytes[string] };
}

/* Mappings are described once, as programs that know their mappings do. */
static const struct ddp_text_mapping *text_mappings(const struct work *w)
{
	static struct ddp_text_mapping mappings[WORK_MAPPINGS];
	uint32_t i;

	for (i = 0; i < WORK_MAPPINGS; i++)
		mappings[i] = (struct ddp_text_mapping){
			.start = w->mappings[i].start, .limit = w->mappings[i].limit,
			.filename = text(w, w->mappings[i].filename),
			.build_id = text(w, w->mappings[i].build_id),
		};
	return mappings;
}

static void make_frame(const struct work *w, uint32_t location, struct ddp_text_frame *frame,
		       const struct ddp_text_mapping *mappings)
{
	const struct work_location *l = &w->locations[location];

	*frame = (struct ddp_text_frame){
		.function = text(w, w->functions[l->function].name),
		.file = text(w, w->functions[l->function].filename),
		.line = l->line, .mapping = &mappings[l->mapping], .address = l->address,
	};
}

static void make_sample(const struct work *w, const struct ddp_text_mapping *mappings,
			struct batch *b, uint32_t n, bool timed)
{
	const struct work_sample *d = &b->drawn[n];
	uint32_t i;

	for (i = 0; i < WORK_FRAMES; i++)
		make_frame(w, w->stacks[d->stack][i], &b->frames[n][i], mappings);
	b->labels[n][0] = (struct ddp_text_label){
		.key = DDP_TEXT("thread id"), .num = WORK_FIRST_THREAD_ID + d->thread,
	};
	b->labels[n][1] = (struct ddp_text_label){
		.key = DDP_TEXT("thread name"), .str = text(w, w->thread_names[d->thread]),
	};
	b->samples[n] = (struct ddp_text_sample){
		.frames = b->frames[n], .nr_frames = WORK_FRAMES,
		.values = d->values, .nr_values = 2,
		.labels = b->labels[n], .nr_labels = 2,
		.timestamp_ns = timed ? d->timestamp_ns : 0,
	};
}

static uint64_t add_strings(const struct work *w, struct ddp_profile *p, uint32_t nr,
			    bool timed)
{
	CLEANUP(free) struct batch *b = malloc(sizeof(*b));
	const struct ddp_text_mapping *mappings = text_mappings(w);
	uint64_t random = WORK_SEED, took = 0, start;
	uint32_t first, i;

	must(b ? 0 : -ENOMEM, "batch");
	for (first = 0; first < nr; first += BATCH) {
		for (i = 0; i < BATCH && first + i < nr; i++) {
			work_next(&random, first + i, &b->drawn[i]);
			make_sample(w, mappings, b, i, timed);
		}
		start = now_ns();
		for (i = 0; i < BATCH && first + i < nr; i++)
			must(ddp_profile_add_text(p, &b->samples[i]), "ddp_profile_add_text");
		took += now_ns() - start;
	}
	return took;
}

/* By ids */

struct ids {
	uint32_t locations[WORK_MAX_LOCATIONS];
	uint32_t stacks[WORK_STACKS][WORK_FRAMES];	/* location ids */
	struct ddp_label labels[WORK_THREADS][2];
};

static uint32_t string_id(struct ddp_profile *p, const char *s)
{
	uint32_t id = 0;

	must(ddp_profile_string(p, s, strlen(s), &id), "ddp_profile_string");
	return id;
}

static uint32_t intern_location(const struct work *w, struct ddp_profile *p, uint32_t location)
{
	const struct work_location *l = &w->locations[location];
	const struct work_mapping *m = &w->mappings[l->mapping];
	struct ddp_function f = {
		.name = string_id(p, w->strings[w->functions[l->function].name]),
		.filename = string_id(p, w->strings[w->functions[l->function].filename]),
	};
	struct ddp_mapping in = {
		.start = m->start, .limit = m->limit,
		.filename = string_id(p, w->strings[m->filename]),
		.build_id = string_id(p, w->strings[m->build_id]),
	};
	struct ddp_line line = { .line = l->line };
	struct ddp_location loc = { .address = l->address, .lines = &line, .nr_lines = 1 };
	uint32_t id = 0;

	must(ddp_profile_function(p, &f, &line.function), "ddp_profile_function");
	must(ddp_profile_mapping(p, &in, &loc.mapping), "ddp_profile_mapping");
	must(ddp_profile_location(p, &loc, &id), "ddp_profile_location");
	return id;
}

/* What a caller who interns would remember */
static const struct ids *intern_work(const struct work *w, struct ddp_profile *p)
{
	static struct ids ids;
	uint32_t i, k;

	for (i = 0; i < w->nr_locations; i++)
		ids.locations[i] = intern_location(w, p, i);
	for (i = 0; i < WORK_STACKS; i++)
		for (k = 0; k < WORK_FRAMES; k++)
			ids.stacks[i][k] = ids.locations[w->stacks[i][k]];
	for (i = 0; i < WORK_THREADS; i++) {
		ids.labels[i][0] = (struct ddp_label){
			.key = string_id(p, "thread id"), .num = WORK_FIRST_THREAD_ID + i,
		};
		ids.labels[i][1] = (struct ddp_label){
			.key = string_id(p, "thread name"),
			.str = string_id(p, w->strings[w->thread_names[i]]),
		};
	}
	return &ids;
}

static uint64_t add_ids(const struct work *w, struct ddp_profile *p, uint32_t nr)
{
	const struct ids *ids = intern_work(w, p);
	uint64_t random = WORK_SEED, start = now_ns();
	struct work_sample d;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		work_next(&random, i, &d);
		must(ddp_profile_add(p, &(struct ddp_sample){
			.locations = ids->stacks[d.stack], .nr_locations = WORK_FRAMES,
			.values = d.values, .nr_values = 2,
			.labels = ids->labels[d.thread], .nr_labels = 2 }), "ddp_profile_add");
	}
	return now_ns() - start;
}

static uint64_t add_stacks(const struct work *w, struct ddp_profile *p, uint32_t nr)
{
	static uint32_t stacks[WORK_STACKS], sets[WORK_THREADS];
	const struct ids *ids = intern_work(w, p);
	uint64_t random = WORK_SEED, start;
	struct work_sample d;
	uint32_t i;

	for (i = 0; i < WORK_STACKS; i++)
		must(ddp_profile_stack(p, ids->stacks[i], WORK_FRAMES, &stacks[i]),
		     "ddp_profile_stack");
	for (i = 0; i < WORK_THREADS; i++)
		must(ddp_profile_label_set(p, ids->labels[i], 2, &sets[i]),
		     "ddp_profile_label_set");
	start = now_ns();
	for (i = 0; i < nr; i++) {
		work_next(&random, i, &d);
		must(ddp_profile_add(p, &(struct ddp_sample){
			.stack = stacks[d.stack], .label_set = sets[d.thread],
			.values = d.values, .nr_values = 2 }), "ddp_profile_add");
	}
	return now_ns() - start;
}

/* What is printed */

struct encoding {
	uint64_t start_ns;
	const char *out;
};

static int write_part(void *ctx, const struct ddp_pprof_part *part)
{
	const struct encoding *e = ctx;
	CLEANUP(close_file) FILE *f = NULL;

	printf("encode_ms=%.3f\n", (now_ns() - e->start_ns) / 1e6);
	printf("bytes=%zu\n", part->n);
	f = fopen(e->out, "we");
	return f && fwrite(part->bytes, 1, part->n, f) == part->n ? 0 : -errno;
}

static void encode(const struct ddp_profile *p, const char *out)
{
	struct ddp_pprof_parts how = { .compression = DDP_ZSTD, .level = 1,
				       .max_bytes = 1 << 30 };
	struct encoding e = { now_ns(), out };

	must(ddp_pprof_encode_parts(p, END_UNIX_NS, &how, write_part, &e, NULL), out);
}

static void run_adds(const char *command, const char *out, uint32_t nr)
{
	CLEANUP(work_destroy) struct work *w = work_create();
	CLEANUP(ddp_profile_destroy) struct ddp_profile *p = NULL, *old = NULL;
	struct ddp_profile_counts counts;
	double base_mb;
	uint64_t took;

	must(w ? 0 : -ENOMEM, "work");
	base_mb = rss_mb("VmRSS:");
	p = new_profile();
	if (!strcmp(command, "ids"))
		took = add_ids(w, p, nr);
	else if (!strcmp(command, "stacks"))
		took = add_stacks(w, p, nr);
	else
		took = add_strings(w, p, nr, !strcmp(command, "timestamps"));
	printf("add_ns=%.1f\n", (double)took / nr);
	printf("built_mb=%.2f\n", rss_mb("VmRSS:") - base_mb);
	ddp_profile_count(p, &counts);
	work_destroy(TAKE(w));
	must(ddp_profile_reset(p, END_UNIX_NS, &old), "ddp_profile_reset");
	encode(old, out);
	printf("rss_mb=%.2f\nbase_mb=%.2f\nprofile_mb=%.2f\n", rss_mb("VmHWM:"), base_mb,
	       counts.bytes / 1048576.0);
}

static size_t read_lines(const char *path, char **lines)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	size_t n = 0, capacity;
	ssize_t len;

	if (!f)
		must(-errno, path);
	for (; n < MAX_STRINGS; n++) {
		lines[n] = NULL;
		capacity = 0;
		len = getline(&lines[n], &capacity, f);
		if (len < 0) {
			free(lines[n]);
			break;
		}
		lines[n][strcspn(lines[n], "\n")] = '\0';
	}
	return n;
}

static void run_intern(const char *path)
{
	static char *lines[MAX_STRINGS];
	static size_t bytes[MAX_STRINGS];
	size_t nr = read_lines(path, lines), i, round;
	uint64_t took = 0, start;
	struct ddp_profile *p;
	uint32_t id;

	for (i = 0; i < nr; i++)
		bytes[i] = strlen(lines[i]);
	for (round = 0; round < INTERN_ROUNDS; round++) {
		p = new_profile();
		start = now_ns();
		for (i = 0; i < 2 * nr; i++)
			must(ddp_profile_string(p, lines[i % nr], bytes[i % nr], &id), "string");
		took += now_ns() - start;
		ddp_profile_destroy(p);
	}
	printf("intern_ns=%.1f\nstrings=%zu\n", (double)took / (2 * nr * INTERN_ROUNDS), nr);
	for (i = 0; i < nr; i++)
		free(lines[i]);
}

static void run_work(const char *path)
{
	CLEANUP(work_destroy) struct work *w = work_create();

	must(w ? work_write(w, path) : -ENOMEM, path);
}

int main(int argc, char **argv)
{
	static const char *const adds[] = { "strings", "timestamps", "ids", "stacks" };
	uint32_t nr = argc > 3 ? strtoul(argv[3], NULL, 10) : WORK_SAMPLES;
	size_t i;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: lib_bench COMMAND FILE [SAMPLES]; see its source\n");
		return 2;
	}
	if (!strcmp(argv[1], "work"))
		return run_work(argv[2]), 0;
	if (!strcmp(argv[1], "intern"))
		return run_intern(argv[2]), 0;
	for (i = 0; i < sizeof(adds) / sizeof(*adds); i++)
		if (!strcmp(argv[1], adds[i]))
			return run_adds(argv[1], argv[2], nr), 0;
	fprintf(stderr, "lib_bench: no command '%s'\n", argv[1]);
	return 2;
}
