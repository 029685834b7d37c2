// SPDX-License-Identifier: Apache-2.0
/*
 * How complete the stacks of a profile are, counted from outside by what stands in the file itself.
 * usage: coverage [--process NAME] [--list N] FILE. Prints key=value lines: samples; user_samples,
 * those with user frames; user_root, those of them that no pseudo frame marks as cut off; frames
 * and user_frames of a sample, the mean; then, of those cut off, the N (default 10) files and
 * the N places with the most, a place being where the outermost frame that is known lies. Used by
 * the benchmarks of coverage and of the kernel's side.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ddprof/pprof.h>

#include "lib/cleanup.h"

enum { DEFAULT_LIST = 10 };

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)
DEFINE_CLEANUP(FILE *, fclose)

/* Where a walk was cut off: the outermost frame, and how many user frames came before. */
struct place {
	const char *file;
	uint64_t offset;	/* of the frame's address, in the file */
	size_t depth;		/* 1: the interrupted instruction itself */
	int64_t samples;
};

struct totals {
	int64_t samples, user_samples, user_root, frames, user_frames;
	struct place *places;	/* owned; one a sample that is cut off, not merged */
	size_t nr_places;
};

static bool is_pseudo(const struct ddp_pprof_location *l)
{
	return !l->address;
}

/* The lower half is the user's on every 64-bit machine that the module runs on. */
static bool is_user(const struct ddp_pprof_location *l)
{
	return l->address && !(l->address >> 63);
}

static bool of_process(const struct ddp_pprof_sample *s, const char *name)
{
	for (size_t i = 0; name && i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, "process_name"))
			return s->labels[i].str && !strcmp(s->labels[i].str, name);
	return !name;
}

static void add_place(struct totals *t, const struct ddp_pprof_location *l, size_t depth,
		      int64_t samples)
{
	struct place *p = &t->places[t->nr_places++];

	*p = (struct place){ .file = "[unknown mapping]", .offset = l->address, .depth = depth,
			     .samples = samples };
	if (l->mapping && l->mapping->filename[0]) {
		p->file = l->mapping->filename;
		p->offset = l->address - l->mapping->start + l->mapping->file_offset;
	}
}

static void add_sample(struct totals *t, const struct ddp_pprof_sample *s)
{
	const struct ddp_pprof_location *outermost = NULL;
	size_t user = 0, pseudo = 0;
	int64_t n = s->values[0];

	for (size_t i = 0; i < s->nr_locations; i++) {
		pseudo += is_pseudo(s->locations[i]);
		if (!is_user(s->locations[i]))
			continue;
		outermost = s->locations[i];
		user++;
	}
	t->samples += n;
	t->frames += n * (int64_t)(s->nr_locations - pseudo);
	t->user_frames += n * (int64_t)user;
	if (!outermost)
		return;
	t->user_samples += n;
	if (!pseudo)
		t->user_root += n;
	else
		add_place(t, outermost, user, n);
}

static int by_place(const void *a, const void *b)
{
	const struct place *l = a, *r = b;
	int order = strcmp(l->file, r->file);

	if (order)
		return order;
	if (l->offset != r->offset)
		return l->offset < r->offset ? -1 : 1;
	return l->depth < r->depth ? -1 : l->depth > r->depth;
}

static int by_samples(const void *a, const void *b)
{
	const struct place *l = a, *r = b;

	if (l->samples != r->samples)
		return l->samples > r->samples ? -1 : 1;
	return by_place(a, b);
}

/* Sorted places with the same file, and with @exactly the same offset and depth, become one. */
static size_t merge(struct place *p, size_t nr, bool exactly)
{
	size_t kept = 0;

	qsort(p, nr, sizeof(*p), by_place);
	for (size_t i = 0; i < nr; i++) {
		if (kept && !strcmp(p[kept - 1].file, p[i].file) &&
		    (!exactly || !by_place(&p[kept - 1], &p[i])))
			p[kept - 1].samples += p[i].samples;
		else
			p[kept++] = p[i];
	}
	qsort(p, kept, sizeof(*p), by_samples);
	return kept;
}

static void print(struct totals *t, size_t list)
{
	double nr = t->samples ? (double)t->samples : 1;
	size_t n;

	printf("samples=%" PRId64 "\nuser_samples=%" PRId64 "\nuser_root=%" PRId64 "\n",
	       t->samples, t->user_samples, t->user_root);
	printf("frames=%.2f\nuser_frames=%.2f\n", (double)t->frames / nr,
	       (double)t->user_frames / nr);
	n = merge(t->places, t->nr_places, true);
	for (size_t i = 0; i < n && i < list; i++)
		printf("ended_at=%" PRId64 " %s+0x%" PRIx64 " depth %zu\n", t->places[i].samples,
		       t->places[i].file, t->places[i].offset, t->places[i].depth);
	n = merge(t->places, n, false);
	for (size_t i = 0; i < n && i < list; i++)
		printf("ended_in=%" PRId64 " %s\n", t->places[i].samples, t->places[i].file);
}

static int load(const char *path, struct ddp_pprof **ret)
{
	CLEANUP(fclose) FILE *f = fopen(path, "re");
	struct ddp_error err = { .text = "" };
	CLEANUP(free) char *bytes = NULL;
	size_t n;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET)) {
		fprintf(stderr, "coverage: %s: cannot be read\n", path);
		return -1;
	}
	bytes = malloc((size_t)size + 1);
	if (!bytes)
		return -1;
	n = fread(bytes, 1, (size_t)size, f);
	if (ddp_pprof_load(bytes, n, NULL, ret, &err)) {
		fprintf(stderr, "coverage: %s: %s\n", path, err.text);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *profile = NULL;
	CLEANUP(free) struct place *places = NULL;
	const char *process = NULL;
	size_t list = DEFAULT_LIST;
	struct totals t = { 0 };
	int at = 1;

	for (; at + 2 < argc; at += 2) {
		if (!strcmp(argv[at], "--process"))
			process = argv[at + 1];
		else if (!strcmp(argv[at], "--list"))
			list = strtoul(argv[at + 1], NULL, 10);
	}
	if (at + 1 != argc) {
		fprintf(stderr, "usage: coverage [--process NAME] [--list N] FILE\n");
		return 2;
	}
	if (load(argv[at], &profile))
		return 1;
	places = calloc(profile->nr_samples + 1, sizeof(*places));
	if (!places)
		return 1;
	t.places = places;
	for (size_t i = 0; i < profile->nr_samples; i++)
		if (of_process(&profile->samples[i], process))
			add_sample(&t, &profile->samples[i]);
	print(&t, list);
	return 0;
}
