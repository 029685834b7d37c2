// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: pprof files, as they are read, written, added up and taken from each other. Input:
 * two bytes, little endian: how many of the following are one file, the rest is another. What is
 * read can be written and read again as the same; a profile less itself is nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/pprof.h"
#include "tests/unit/pprof_compare.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL when it is refused, as it must be with words. */
static struct ddp_pprof *load(const uint8_t *data, size_t size)
{
	struct ddp_pprof_limits limits = { .max_decompressed_bytes = 1 << 20,
					   .max_memory_bytes = 64 << 20 };
	uint8_t *file = malloc(size ? size : 1);	/* ends where the file ends */
	struct ddp_error err = { "" };
	struct ddp_pprof *p = NULL;
	int r;

	must(file);
	memcpy(file, data, size);
	r = ddp_pprof_load(file, size, &limits, &p, &err);
	free(file);
	must(!r || ((r == -EBADMSG || r == -EFBIG) && *err.text));
	return p;
}

/* The same after being written; what @p came from need not be there any more. */
static void must_survive_writing(const struct ddp_pprof *p)
{
	struct ddp_buffer b = { 0 };
	struct ddp_error err = { "" };
	struct ddp_pprof *again;

	must(!ddp_pprof_write(p, ddp_buffer_write, &b));
	if (ddp_pprof_load(b.bytes, b.len, NULL, &again, &err)) {
		fprintf(stderr, "what was written is refused: %s\n", err.text);
		abort();
	}
	must(!profile_difference(p, again));
	ddp_pprof_destroy(again);
	ddp_buffer_free(&b);
}

/* Merging what is merged already changes nothing. */
static void must_be_merged(const struct ddp_pprof *p)
{
	struct ddp_pprof *again;

	must_survive_writing(p);
	must(!ddp_pprof_merge(&p, NULL, 1, &again, NULL));
	must(!profile_difference(p, again));
	ddp_pprof_destroy(again);
}

static void try_one(const struct ddp_pprof *p)
{
	struct ddp_pprof *q;

	must_survive_writing(p);
	if (!p->nr_sample_types)
		return;
	must(!ddp_pprof_merge(&p, NULL, 1, &q, NULL));
	must_be_merged(q);
	ddp_pprof_destroy(q);
}

/* Has it a value whose opposite there is not? */
static bool has_smallest(const struct ddp_pprof *p)
{
	size_t i, k;

	for (i = 0; i < p->nr_samples; i++)
		for (k = 0; k < p->nr_sample_types; k++)
			if (p->samples[i].values[k] == INT64_MIN)
				return true;
	return false;
}

static void try_two(const struct ddp_pprof *p, const struct ddp_pprof *q)
{
	const struct ddp_pprof *const both[] = { p, q };
	struct ddp_error err = { "" };
	struct ddp_pprof *sum, *difference;
	int r = ddp_pprof_merge(both, NULL, 2, &sum, &err);

	must(!r || (r == -EINVAL && *err.text));
	if (r)
		return;
	must_be_merged(sum);
	must(!ddp_pprof_diff(p, q, true, &difference, NULL));
	must_survive_writing(difference);
	ddp_pprof_destroy(difference);
	must(!ddp_pprof_diff(sum, sum, false, &difference, NULL));
	must(!difference->nr_samples || has_smallest(sum));
	ddp_pprof_destroy(difference);
	ddp_pprof_destroy(sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t first = size < 2 ? 0 : data[0] | data[1] << 8;
	struct ddp_pprof *p, *q;

	if (size < 2)
		return 0;
	first = first < size - 2 ? first : size - 2;
	p = load(data + 2, first);
	q = load(data + 2 + first, size - 2 - first);
	if (p)
		try_one(p);
	if (q)
		try_one(q);
	if (p && q)
		try_two(p, q);
	ddp_pprof_destroy(p);
	ddp_pprof_destroy(q);
	return 0;
}
