// SPDX-License-Identifier: Apache-2.0
/*
 * Cutting a profile that compresses to more than a receiver takes. First the whole is tried; then
 * shares of its samples, in order, each made as large as fits: a share that was too large is
 * halved, and what fitted tells how many samples to try next. What a share refers to is marked and
 * numbered anew, in the order it has in the whole.
 */
#include <string.h>

#include "cleanup.h"
#include "compressor.h"
#include "error.h"
#include "pprof_encode.h"
#include "profile_parts.h"

DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

struct finished {
	struct ddp_buffer bytes;
	uint64_t first_sample, nr_samples;
};

struct cutter {
	const struct ddp_profile *p;
	int64_t end_unix_ns;
	struct ddp_pprof_parts how;
	struct numbering numbers;
	struct ddp__budget budget;	/* no limit: parts are the caller's wish */
	DDP_VEC(struct finished) parts;
};

/* What a share refers to: marked with 0, then numbered */

enum { MARKED = 0 };

static void forget(uint32_t *numbers, uint32_t nr)
{
	memset(numbers, 0xff, nr * sizeof(*numbers));
}

static void mark_label_set(struct cutter *c, uint32_t position)
{
	const struct ddp_profile *p = c->p;
	struct span set = p->label_sets.at[position];
	uint32_t i;

	for (i = set.first; i < set.first + set.nr; i++) {
		c->numbers.strings[good_string(p, p->labels.at[i].key)] = MARKED;
		c->numbers.strings[good_string(p, p->labels.at[i].str)] = MARKED;
		c->numbers.strings[good_string(p, p->labels.at[i].num_unit)] = MARKED;
	}
	if (set.nr)
		c->numbers.strings[ddp__joined_endpoint(p, p->labels.at + set.first, set.nr)] =
			MARKED;
}

static void mark_locations(struct cutter *c, const uint32_t *ids, uint32_t nr)
{
	uint32_t base = c->p->base[ID_LOCATION], i;

	for (i = 0; i < nr; i++)
		c->numbers.locations[ids[i] - base] = MARKED;
}

static void mark_sample(struct cutter *c, struct sample at)
{
	const struct ddp_profile *p = c->p;
	const struct stack *s = &p->stacks.at[at.stack];
	uint32_t chunk1;

	mark_locations(c, s->leaf, s->nr % CHUNK_IDS);
	for (chunk1 = s->chunk1; chunk1; chunk1 = p->chunks.at[chunk1 - 1].parent1)
		mark_locations(c, p->chunks.at[chunk1 - 1].ids, CHUNK_IDS);
	mark_label_set(c, at.label_set);
}

static void mark_samples(struct cutter *c, const struct share *s)
{
	int64_t values[MAX_VALUE_TYPES];
	struct timed_cursor timed = s->timed;
	uint64_t k;
	uint32_t i;

	for (i = s->first; i < s->first + s->nr; i++)
		mark_sample(c, c->p->samples.at[i]);
	for (k = 0; k < s->nr_timed; k++)
		mark_sample(c, ddp__timed_next(c->p, &timed, values));
}

static void mark_locations_parts(struct cutter *c)
{
	const struct ddp_profile *p = c->p;
	const struct line *lines;
	struct line one;
	uint32_t i, k;

	for (i = 1; i < p->locations.nr; i++) {
		const struct location *l = &p->locations.at[i];

		if (c->numbers.locations[i] != MARKED)
			continue;
		c->numbers.mappings[l->mapping] = MARKED;
		lines = ddp__location_lines(p, l, &one);
		for (k = 0; k < l->nr_lines; k++)
			c->numbers.functions[lines[k].function] = MARKED;
	}
}

static void mark_strings(struct cutter *c)
{
	const struct ddp_profile *p = c->p;
	uint32_t *strings = c->numbers.strings, i;

	for (i = 0; i < p->fixed_strings; i++)
		strings[i] = MARKED;
	for (i = 0; i < p->comments.nr; i++)
		strings[p->comments.at[i]] = MARKED;
	for (i = 1; i < p->mappings.nr; i++)
		if (c->numbers.mappings[i] == MARKED)
			strings[p->mappings.at[i].filename] =
				strings[p->mappings.at[i].build_id] = MARKED;
	for (i = 1; i < p->functions.nr; i++)
		if (c->numbers.functions[i] == MARKED)
			strings[p->functions.at[i].name] =
				strings[p->functions.at[i].system_name] =
					strings[p->functions.at[i].filename] = MARKED;
}

/* From @first on; what comes before has its number */
static void number(uint32_t *numbers, uint32_t first, uint32_t nr)
{
	uint32_t next = first, i;

	for (i = first; i < nr; i++)
		if (numbers[i] == MARKED)
			numbers[i] = next++;
}

static void number_share(struct cutter *c, const struct share *s)
{
	const struct ddp_profile *p = c->p;
	struct numbering *n = &c->numbers;

	forget(n->strings, p->strings.nr);
	forget(n->mappings, p->mappings.nr);
	forget(n->functions, p->functions.nr);
	forget(n->locations, p->locations.nr);
	mark_samples(c, s);
	mark_locations_parts(c);
	mark_strings(c);
	number(n->strings, 0, p->strings.nr);
	number(n->mappings, 1, p->mappings.nr);
	number(n->functions, 1, p->functions.nr);
	number(n->locations, 1, p->locations.nr);
}

static int alloc_numbers(struct cutter *c)
{
	const struct ddp_profile *p = c->p;
	struct numbering *n = &c->numbers;

	if (n->strings)
		return 0;
	n->strings = ddp__alloc(p->strings.nr * sizeof(uint32_t));
	n->mappings = ddp__alloc(p->mappings.nr * sizeof(uint32_t));
	n->functions = ddp__alloc(p->functions.nr * sizeof(uint32_t));
	n->locations = ddp__alloc(p->locations.nr * sizeof(uint32_t));
	return n->strings && n->mappings && n->functions && n->locations ? 0 : -ENOMEM;
}

/* Shares */

static uint64_t samples_of(const struct share *s)
{
	return s->nr + s->nr_timed;
}

/* The first @n samples of @all, which has more */
static struct share front(const struct share *all, uint64_t n)
{
	struct share s = *all;

	s.nr = n < all->nr ? n : all->nr;
	s.nr_timed = n - s.nr;
	return s;
}

/* What is behind the front of @n samples */
static struct share behind(const struct ddp_profile *p, const struct share *all, uint64_t n)
{
	int64_t values[MAX_VALUE_TYPES];
	struct share s = front(all, n), rest = *all;
	uint64_t k;

	for (k = 0; k < s.nr_timed; k++)
		ddp__timed_next(p, &rest.timed, values);
	rest.first += s.nr;
	rest.nr -= s.nr;
	rest.nr_timed -= s.nr_timed;
	return rest;
}

/* 0, or -EFBIG when it is larger than a part may be */
static int encode_share(struct cutter *c, const struct share *s, struct ddp_buffer *ret)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *z = NULL;
	int r;

	*ret = (struct ddp_buffer){ .max_bytes = c->how.max_bytes };
	r = ddp__compressor_create_for(ddp__encoded_bytes_about(c->p, s), c->how.compression,
				       c->how.level, ddp_buffer_write, ret, &z);
	if (!r)
		r = ddp__encode_share(c->p, s, c->end_unix_ns, ddp_compressor_write, z);
	if (!r)
		r = ddp_compressor_finish(z);
	if (r)
		ddp_buffer_free(ret);
	return r;
}

/* There is room. */
static void keep(struct cutter *c, const struct ddp_buffer *bytes, uint64_t first, uint64_t n)
{
	c->parts.at[c->parts.nr++] = (struct finished){ *bytes, first, n };
}

/* The largest share, from the front on, that was found to fit, of @n samples or fewer */
static int fit(struct cutter *c, const struct share *all, uint64_t n, struct ddp_buffer *ret,
	       uint64_t *ret_n)
{
	struct share s;
	int r;

	for (;; n = (n + 1) / 2) {
		s = front(all, n);
		s.numbers = &c->numbers;
		number_share(c, &s);
		r = encode_share(c, &s, ret);
		if (r != -EFBIG || n == 1)
			break;
	}
	*ret_n = n;
	return r;
}

/* How many samples to try when @n took @bytes: a little less than would fill the part */
static uint64_t guess(const struct cutter *c, uint64_t n, size_t bytes, uint64_t left)
{
	double more = (double)n * c->how.max_bytes / (bytes ? bytes : 1) * 0.95;

	if (more < 1)
		return 1;
	return more < left ? (uint64_t)more : left;
}

static int too_large(const struct cutter *c, uint64_t sample, uint64_t total, struct ddp_error *err)
{
	return ddp__fail(err, -EFBIG, "sample %llu of %llu takes more than %zu bytes even alone",
			 (unsigned long long)sample + 1, (unsigned long long)total,
			 c->how.max_bytes);
}

static int cut(struct cutter *c, struct share left, struct ddp_error *err)
{
	uint64_t total = samples_of(&left), n = (total + 1) / 2, done = 0;
	struct ddp_buffer bytes;
	int r = alloc_numbers(c);

	while (!r && done < total) {
		if ((r = VEC_RESERVE(&c->budget, &c->parts, 1)) ||
		    (r = fit(c, &left, n, &bytes, &n)))
			break;
		keep(c, &bytes, done, n);
		left = behind(c->p, &left, n);
		done += n;
		n = guess(c, n, bytes.len, total - done);
	}
	return r == -EFBIG ? too_large(c, done, total, err) : r;
}

static int make_parts(struct cutter *c, struct ddp_error *err)
{
	struct share all = ddp__share_of_all(c->p);
	struct ddp_buffer bytes;
	int r = VEC_RESERVE(&c->budget, &c->parts, 1);

	if (!r)
		r = encode_share(c, &all, &bytes);
	if (!r)
		keep(c, &bytes, 0, samples_of(&all));
	if (r != -EFBIG)
		return r;
	if (!samples_of(&all))
		return ddp__fail(err, r, "the profile takes more than %zu bytes without samples",
				 c->how.max_bytes);
	return cut(c, all, err);
}

static int hand_out(const struct cutter *c, ddp_pprof_part_fn part, void *ctx)
{
	uint32_t i;
	int r = 0;

	for (i = 0; !r && i < c->parts.nr; i++) {
		const struct finished *f = &c->parts.at[i];

		r = part(ctx, &(struct ddp_pprof_part){
			.number = i, .nr = c->parts.nr, .bytes = f->bytes.bytes, .n = f->bytes.len,
			.first_sample = f->first_sample, .nr_samples = f->nr_samples });
	}
	return r;
}

static void free_cutter(struct cutter *c)
{
	uint32_t i;

	for (i = 0; i < c->parts.nr; i++)
		ddp_buffer_free(&c->parts.at[i].bytes);
	VEC_FREE(&c->parts);
	ddp__free(c->numbers.strings);
	ddp__free(c->numbers.mappings);
	ddp__free(c->numbers.functions);
	ddp__free(c->numbers.locations);
}

int ddp_pprof_encode_parts(const struct ddp_profile *p, int64_t end_unix_ns,
			   const struct ddp_pprof_parts *parts, ddp_pprof_part_fn part, void *ctx,
			   struct ddp_error *err)
{
	struct cutter c = { .p = p, .end_unix_ns = end_unix_ns, .how = *parts };
	int r;

	if (err)
		err->text[0] = '\0';
	if (!c.how.max_bytes)
		c.how.max_bytes = DDP_PPROF_PART_BYTES;
	r = make_parts(&c, err);
	if (!r)
		r = hand_out(&c, part, ctx);
	free_cutter(&c);
	return r;
}
