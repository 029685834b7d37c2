// SPDX-License-Identifier: Apache-2.0
/*
 * Do two pprof files say the same? Samples are compared by what they mean (names, files, lines,
 * addresses, mappings, labels, values), not by ids or order: as the sum of a hash of each. Called
 * by lib.sh on what libddprof and its peer made of the same work.
 *
 * usage: lib_check A.pprof B.pprof
 * Prints samples=N total_0=N total_1=N ... of A, and exits with 0 when B's are the same; else it
 * says what differs and exits with 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/pprof.h"
#include "lib/cleanup.h"

enum { MAX_TYPES = 4 };

struct summary {
	size_t samples;
	uint64_t totals[MAX_TYPES];
	uint64_t hash;		/* of all samples, in any order */
};

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

static uint64_t mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static uint64_t mix_string(uint64_t hash, const char *s)
{
	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3u;
	return mix(hash, 0);
}

static uint64_t location_hash(const struct ddp_pprof_location *l)
{
	uint64_t hash = mix(1, l->address);
	size_t i;

	if (l->mapping) {
		hash = mix(mix(hash, l->mapping->start), l->mapping->limit);
		hash = mix_string(mix_string(hash, l->mapping->filename), l->mapping->build_id);
	}
	for (i = 0; i < l->nr_lines; i++) {
		hash = mix(hash, l->lines[i].line);
		if (!l->lines[i].function)
			continue;
		hash = mix_string(hash, l->lines[i].function->name);
		hash = mix_string(hash, l->lines[i].function->filename);
	}
	return hash;
}

static uint64_t label_hash(const struct ddp_pprof_label *l)
{
	return mix(mix_string(mix_string(2, l->key), l->str ? l->str : ""), l->num);
}

/* @locations: the hash of each location of the profile */
static uint64_t sample_hash(const struct ddp_pprof *f, const struct ddp_pprof_sample *s,
			    const uint64_t *locations)
{
	uint64_t hash = 3, labels = 0;
	size_t i;

	for (i = 0; i < s->nr_locations; i++)
		hash = mix(hash, locations[s->locations[i]->index]);
	for (i = 0; i < f->nr_sample_types; i++)
		hash = mix(hash, s->values[i]);
	for (i = 0; i < s->nr_labels; i++)
		labels += label_hash(&s->labels[i]);
	return mix(hash, labels);
}

static int summarize(const struct ddp_pprof *f, struct summary *ret)
{
	CLEANUP(free) uint64_t *locations = calloc(f->nr_locations + 1, sizeof(*locations));
	size_t i, k;

	if (!locations || f->nr_sample_types > MAX_TYPES)
		return -ENOMEM;
	*ret = (struct summary){ .samples = f->nr_samples };
	for (i = 0; i < f->nr_locations; i++)
		locations[i] = location_hash(&f->locations[i]);
	for (i = 0; i < f->nr_samples; i++) {
		for (k = 0; k < f->nr_sample_types; k++)
			ret->totals[k] += f->samples[i].values[k];
		ret->hash += sample_hash(f, &f->samples[i], locations);
	}
	for (k = 0; k < f->nr_sample_types; k++)
		ret->hash = mix_string(mix_string(ret->hash, f->sample_types[k].type),
				       f->sample_types[k].unit);
	return 0;
}

static int read_file(const char *path, struct ddp_buffer *ret)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	char part[65536];
	size_t n;
	int r = 0;

	if (!f)
		return -errno;
	while (!r && (n = fread(part, 1, sizeof(part), f)) > 0)
		r = ddp_buffer_write(ret, part, n);
	return r ? r : ferror(f) ? -EIO : 0;
}

static int load(const char *path, struct summary *ret)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer bytes = { 0 };
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *f = NULL;
	struct ddp_error err = { "" };
	int r = read_file(path, &bytes);

	r = r ? r : ddp_pprof_load(bytes.bytes, bytes.len, NULL, &f, &err);
	r = r ? r : summarize(f, ret);
	if (r)
		fprintf(stderr, "lib_check: %s: %s\n", path, err.text[0] ? err.text : strerror(-r));
	return r;
}

static void print(const char *what, const struct summary *s)
{
	printf("%ssamples=%zu total_0=%" PRIu64 " total_1=%" PRIu64 "\n", what, s->samples,
	       s->totals[0], s->totals[1]);
}

int main(int argc, char **argv)
{
	struct summary a, b;

	if (argc != 3) {
		fprintf(stderr, "usage: lib_check A.pprof B.pprof\n");
		return 2;
	}
	if (load(argv[1], &a) || load(argv[2], &b))
		return 1;
	print("", &a);
	if (!memcmp(&a, &b, sizeof(a)))
		return 0;
	print("differs: ", &b);
	return 1;
}
