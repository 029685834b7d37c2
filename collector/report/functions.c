// SPDX-License-Identifier: Apache-2.0
/* See functions.h. */
#include "report/functions.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "lib/sums.h"
#include "report/frames.h"

/* One profile on its way in */
struct counting {
	struct ddp_functions *f;
	size_t *seen_in;	/* owned; by location, the last sample that had it */
	size_t value;
	unsigned int side;
};

/* Names that differ but have the same 64-bit hash take the next key */
static int entry_of(struct ddp_functions *f, const char *name, struct ddp_function_sums **ret)
{
	uint64_t key = hash64(hash_key_get(&f->hash_key), name, strlen(name));
	struct ddp_function_sums *more;
	const uint64_t *found;

	for (;; key++) {
		key += !key;
		found = ddp_table_find(&f->by_name, key);
		if (!found)
			break;
		*ret = &f->entries[*found - 1];
		if (!strcmp((*ret)->name, name))
			return 0;
	}
	more = array_reserve(f->entries, &f->cap, f->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->entries = more;
	if (ddp_table_set(&f->by_name, key, f->nr + 1))
		return -ENOMEM;
	*ret = &f->entries[f->nr++];
	**ret = (struct ddp_function_sums){ .name = name };
	return 0;
}

static int count_name(const struct counting *c, const char *name, int64_t value, bool leaf)
{
	struct ddp_function_sums *e;
	int r = entry_of(c->f, name, &e);

	if (r)
		return r;
	if (e->seen_in != c->f->samples)
		e->cumulative[c->side] = sum_add(e->cumulative[c->side], value);
	e->seen_in = c->f->samples;
	if (leaf)
		e->flat[c->side] = sum_add(e->flat[c->side], value);
	return 0;
}

/* A location without functions counts under its address */
static int count_unnamed(const struct counting *c, const struct ddp_pprof_location *l,
			 int64_t value, bool leaf)
{
	size_t before = c->f->nr;
	char *name;
	int r = ddp_location_name(l, &name);

	if (r)
		return r;
	r = count_name(c, name, value, leaf);
	if (c->f->nr > before)
		c->f->entries[before].made = name;
	else
		free(name);
	return r;
}

static int count_location(const struct counting *c, const struct ddp_pprof_location *l,
			  int64_t value, bool leaf)
{
	int r = 0;

	if (!l->nr_lines)
		return count_unnamed(c, l, value, leaf);
	for (size_t k = 0; !r && k < l->nr_lines; k++)
		r = count_name(c, ddp_line_name(&l->lines[k]) ?: "[unknown]", value,
			       leaf && k == 0);
	return r;
}

/*
 * Recursion changes nothing, so each location is looked at once. Nothing is no reason to list a
 * function: a profile of memory has samples that are all free by now.
 */
static int count_sample(const struct counting *c, const struct ddp_pprof_sample *s)
{
	int64_t value = s->values[c->value];
	int r = 0;

	c->f->samples++;
	c->f->sum[c->side] = sum_add(c->f->sum[c->side], value);
	for (size_t i = 0; value && !r && i < s->nr_locations; i++) {
		const struct ddp_pprof_location *l = s->locations[i];

		if (c->seen_in[l->index] == c->f->samples)
			continue;
		c->seen_in[l->index] = c->f->samples;
		r = count_location(c, l, value, i == 0);
	}
	return r;
}

static bool is_base(const struct ddp_pprof_sample *s)
{
	for (size_t i = 0; i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, DDP_PPROF_BASE_LABEL) && s->labels[i].str &&
		    !strcmp(s->labels[i].str, "true"))
			return true;
	return false;
}

static int64_t total_of(const struct ddp_pprof *p, size_t value)
{
	int64_t all = 0, base = 0;

	for (size_t i = 0; i < p->nr_samples; i++) {
		int64_t size = sum_size(p->samples[i].values[value]);

		all = sum_add(all, size);
		if (is_base(&p->samples[i]))
			base = sum_add(base, size);
	}
	return base ? base : all;
}

int ddp_functions_add(struct ddp_functions *f, const struct ddp_pprof *p, size_t value,
		      unsigned int side)
{
	CLEANUP(free) size_t *seen_in = calloc(p->nr_locations + 1, sizeof(*seen_in));
	const struct counting c = { f, seen_in, value, side };
	int r = 0;

	if (!seen_in)
		return -ENOMEM;
	for (size_t i = 0; !r && i < p->nr_samples; i++)
		r = count_sample(&c, &p->samples[i]);
	f->total[side] = sum_add(f->total[side], total_of(p, value));
	return r;
}

/* Order */

static int compare_sizes(int64_t a, int64_t b)
{
	int64_t x = sum_size(a), y = sum_size(b);

	return x == y ? 0 : x > y ? -1 : 1;
}

static int by_flat(const void *a, const void *b)
{
	const struct ddp_function_sums *x = a, *y = b;
	int c = compare_sizes(x->flat[0], y->flat[0]);

	c = c ?: compare_sizes(x->cumulative[0], y->cumulative[0]);
	return c ?: strcmp(x->name, y->name);
}

static int by_cumulative(const void *a, const void *b)
{
	const struct ddp_function_sums *x = a, *y = b;

	return compare_sizes(x->cumulative[0], y->cumulative[0]) ?: by_flat(a, b);
}

static int compare_cumulative_changes(const struct ddp_function_sums *x,
				      const struct ddp_function_sums *y)
{
	return compare_sizes(sum_subtract(x->cumulative[1], x->cumulative[0]),
			     sum_subtract(y->cumulative[1], y->cumulative[0]));
}

static int by_flat_change(const void *a, const void *b)
{
	const struct ddp_function_sums *x = a, *y = b;
	int c = compare_sizes(sum_subtract(x->flat[1], x->flat[0]),
			      sum_subtract(y->flat[1], y->flat[0]));

	c = c ?: compare_cumulative_changes(x, y);
	return c ?: strcmp(x->name, y->name);
}

static int by_cumulative_change(const void *a, const void *b)
{
	return compare_cumulative_changes(a, b) ?: by_flat_change(a, b);
}

void ddp_functions_sort(struct ddp_functions *f, enum ddp_functions_order order)
{
	static int (*const by[])(const void *, const void *) = {
		[DDP_BY_FLAT] = by_flat, [DDP_BY_CUMULATIVE] = by_cumulative,
		[DDP_BY_FLAT_CHANGE] = by_flat_change,
		[DDP_BY_CUMULATIVE_CHANGE] = by_cumulative_change,
	};

	if (f->nr)
		qsort(f->entries, f->nr, sizeof(*f->entries), by[order]);
	/* positions have changed: nothing can be added any more */
	ddp_table_free(&f->by_name);
}

void ddp_functions_free(struct ddp_functions *f)
{
	for (size_t i = 0; i < f->nr; i++)
		free(f->entries[i].made);
	free(f->entries);
	ddp_table_free(&f->by_name);
}
