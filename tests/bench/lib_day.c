// SPDX-License-Identifier: Apache-2.0
/*
 * A day of a profiler: one profile that is reset every minute, its snapshot encoded and freed, with
 * names that come and go. Memory has to stay where it was after the first minutes: resident memory
 * and what the library counts itself.
 *
 * usage: lib_day [RESETS [SAMPLES]]	default 1440, 10000 a reset
 * Prints, after 10, 100 and all resets, resets=N and in KiB: rss (of the process), full (the
 * profile before its reset), empty (after it), strings (shared string storage), encoded; at last
 * ok=1, or what has grown, and exits with 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/compress.h"
#include "ddprof/pprof.h"
#include "ddprof/profile.h"
#include "ddprof/strings.h"
#include "lib/cleanup.h"
#include "tests/bench/lib_work.h"

enum {
	FIRST_LOOK = 10, SECOND_LOOK = 100,
	NEW_NAMES = 300,	/* functions an interval that no other has: generated code */
	SPANS = 50,
	SLACK_PERCENT = 5,	/* names differ in length, allocators round */
	SLACK_KB = 512,
};

#define START_UNIX_NS 1700000000000000000
#define MINUTE_NS 60000000000

struct day {
	struct work *work;
	struct ddp_profile *profile;
	struct ddp_strings *strings;
	uint64_t random;
	uint64_t handles[NEW_NAMES];	/* names of this interval */
	uint32_t minute;
};

struct figures {
	size_t rss_kb, full_kb, empty_kb, strings_kb, encoded_kb;
};

DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)
DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

/* Nothing here can go on after an error. */
static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "lib_day: %s: %s\n", what, strerror(-r));
	exit(1);
}

static size_t rss_kb(void)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmRSS:", 6))
			return strtoul(line + 6, NULL, 10);
	must(-ENOENT, "VmRSS");
	return 0;
}

static size_t profile_kb(const struct ddp_profile *p)
{
	struct ddp_profile_counts counts;

	ddp_profile_count(p, &counts);
	return counts.bytes / 1024;
}

static size_t strings_kb(struct ddp_strings *s)
{
	struct ddp_strings_counts counts;

	ddp_strings_count(s, &counts);
	return counts.bytes / 1024;
}

static void day_begin(struct day *d)
{
	static const struct ddp_value_type types[] = {
		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME },
	};
	struct ddp_profile_config config = {
		.value_types = types, .nr_value_types = 2, .start_unix_ns = START_UNIX_NS,
	};

	d->random = WORK_SEED;
	d->work = work_create();
	must(d->work ? 0 : -ENOMEM, "work");
	must(ddp_strings_create(0, &d->strings), "ddp_strings_create");
	config.strings = d->strings;
	must(ddp_profile_create(&config, &d->profile), "ddp_profile_create");
}

static void day_end(struct day *d)
{
	ddp_profile_destroy(d->profile);
	ddp_strings_unref(d->strings);
	work_destroy(d->work);
}

/* Names that only this interval has, kept by the host, as a runtime does with compiled code. */
static void new_names(struct day *d)
{
	char name[64];
	int i, n;

	for (i = 0; i < NEW_NAMES; i++) {
		n = snprintf(name, sizeof(name), "generated_%u_%d", d->minute, i);
		must(ddp_strings_intern(d->strings, name, n, &d->handles[i]), "intern");
	}
}

static void forget_names(struct day *d)
{
	int i;

	for (i = 0; i < NEW_NAMES; i++)
		must(ddp_strings_release(d->strings, d->handles[i]), "release");
}

static struct ddp_text text(const struct work *w, uint32_t string)
{
	return (struct ddp_text){ w->strings[string], w->string_bytes[string] };
}

static void add_by_text(struct day *d, const struct work_sample *s, int64_t timestamp_ns)
{
	const struct work *w = d->work;
	struct ddp_text_frame frames[WORK_FRAMES] = { 0 };
	struct ddp_text_label label = {
		.key = DDP_TEXT("local root span id"),
		.num = (int64_t)d->minute * SPANS + s->thread % SPANS + 1,
	};
	uint32_t i;

	for (i = 0; i < WORK_FRAMES; i++) {
		const struct work_location *l = &w->locations[w->stacks[s->stack][i]];

		frames[i].function = text(w, w->functions[l->function].name);
		frames[i].file = text(w, w->functions[l->function].filename);
		frames[i].line = l->line;
		frames[i].address = l->address;
	}
	must(ddp_profile_add_text(d->profile, &(struct ddp_text_sample){
		.frames = frames, .nr_frames = WORK_FRAMES, .values = s->values, .nr_values = 2,
		.labels = &label, .nr_labels = 1, .timestamp_ns = timestamp_ns }), "add_text");
}

/* A sample in generated code */
static void add_by_ids(struct day *d, const struct work_sample *s)
{
	struct ddp_function f = { 0 };
	struct ddp_line line = { .line = 1 };
	struct ddp_location l = { .lines = &line, .nr_lines = 1 };
	uint32_t location;

	must(ddp_profile_shared_string(d->profile, d->handles[s->stack % NEW_NAMES], &f.name),
	     "shared_string");
	must(ddp_profile_function(d->profile, &f, &line.function), "function");
	must(ddp_profile_location(d->profile, &l, &location), "location");
	must(ddp_profile_add(d->profile, &(struct ddp_sample){
		.locations = &location, .nr_locations = 1,
		.values = s->values, .nr_values = 2 }), "add");
}

static void add_endpoints(struct day *d)
{
	char name[64];
	uint32_t id;
	int i, n;

	for (i = 0; i < SPANS; i++) {
		n = snprintf(name, sizeof(name), "GET /%u/%d", d->minute, i);
		must(ddp_profile_string(d->profile, name, n, &id), "string");
		must(ddp_profile_endpoint(d->profile, (uint64_t)d->minute * SPANS + i + 1, id),
		     "endpoint");
		must(ddp_profile_endpoint_count(d->profile, id, 1), "endpoint_count");
	}
}

static void add_samples(struct day *d, uint32_t nr)
{
	struct work_sample s;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		work_next(&d->random, i, &s);
		if (i % 4 == 0)
			add_by_ids(d, &s);
		else
			add_by_text(d, &s, i % 4 == 1 ? s.timestamp_ns : 0);
	}
}

static size_t encode(const struct ddp_profile *p, int64_t end_unix_ns)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer out = { 0 };
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *c = NULL;

	must(ddp_compressor_create(DDP_LZ4, 0, ddp_buffer_write, &out, &c), "lz4");
	must(ddp_pprof_encode(p, end_unix_ns, ddp_compressor_write, c), "encode");
	must(ddp_compressor_finish(c), "finish");
	return out.len;
}

static void minute(struct day *d, uint32_t nr_samples, struct figures *ret)
{
	CLEANUP(ddp_profile_destroy) struct ddp_profile *old = NULL;
	int64_t end = START_UNIX_NS + ++d->minute * MINUTE_NS;

	new_names(d);
	add_samples(d, nr_samples);
	add_endpoints(d);
	forget_names(d);
	ret->full_kb = profile_kb(d->profile);
	ret->strings_kb = strings_kb(d->strings);
	must(ddp_profile_reset(d->profile, end, &old), "reset");
	ret->empty_kb = profile_kb(d->profile);
	ret->encoded_kb = encode(old, end) / 1024;
	ret->rss_kb = rss_kb();
}

static void print(uint32_t resets, const struct figures *f)
{
	printf("resets=%u rss=%zu full=%zu empty=%zu strings=%zu encoded=%zu\n", resets, f->rss_kb,
	       f->full_kb, f->empty_kb, f->strings_kb, f->encoded_kb);
	fflush(stdout);
}

static int grown(const char *what, size_t first, size_t last)
{
	if (last <= first + first * SLACK_PERCENT / 100 + SLACK_KB)
		return 0;
	printf("grown: %s from %zu to %zu KiB\n", what, first, last);
	return 1;
}

int main(int argc, char **argv)
{
	uint32_t resets = argc > 1 ? strtoul(argv[1], NULL, 10) : 1440;
	uint32_t samples = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
	struct figures first = { 0 }, last = { 0 };
	struct day d = { 0 };
	int bad;

	if (argc > 3 || resets <= FIRST_LOOK || !samples) {
		fprintf(stderr, "usage: lib_day [RESETS [SAMPLES]], more than %d\n", FIRST_LOOK);
		return 2;
	}
	day_begin(&d);
	while (d.minute < resets) {
		minute(&d, samples, &last);
		if (d.minute == FIRST_LOOK)
			first = last;
		if (d.minute == FIRST_LOOK || d.minute == SECOND_LOOK || d.minute == resets)
			print(d.minute, &last);
	}
	day_end(&d);
	bad = grown("rss", first.rss_kb, last.rss_kb) + grown("full", first.full_kb, last.full_kb) +
	      grown("empty", first.empty_kb, last.empty_kb) +
	      grown("strings", first.strings_kb, last.strings_kb);
	printf("ok=%d\n", !bad);
	return bad ? 1 : 0;
}
