// SPDX-License-Identifier: Apache-2.0
/* See calltree.h. */
#include "report/calltree.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "lib/sums.h"

/* Nodes */

static int append(struct ddp_calltree *t, uint32_t frame, uint32_t parent, uint32_t depth)
{
	struct ddp_call *calls = array_reserve(t->calls, &t->cap, t->nr + 1, sizeof(*calls));
	int64_t *self;

	if (!calls)
		return -ENOMEM;
	t->calls = calls;
	if (t->nr >= DDP_MAX_CALLS)
		return -EFBIG;
	self = array_reserve(t->self, &t->self_cap, (t->nr + 1) * t->nr_columns, sizeof(*self));
	if (!self)
		return -ENOMEM;
	t->self = self;
	memset(self + t->nr * t->nr_columns, 0, t->nr_columns * sizeof(*self));
	calls[t->nr++] = (struct ddp_call){ frame, parent, depth };
	return 0;
}

static int call_of(struct ddp_calltree *t, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	uint64_t key = (uint64_t)(parent + 1) << 32 | frame;
	const uint64_t *found = ddp_table_find(&t->by_parent, key);
	int r;

	if (found) {
		*ret = (uint32_t)*found;
		return 0;
	}
	r = append(t, frame, parent, t->calls[parent].depth + 1);
	if (r)
		return r;
	*ret = (uint32_t)(t->nr - 1);
	return ddp_table_set(&t->by_parent, key, *ret);
}

/* Samples */

static int find_leaf(struct ddp_calltree *t, const struct ddp_stacks *s, uint32_t *ret)
{
	uint32_t at = 0;
	int r = 0;

	if (s->nr > DDP_MAX_STEPS - t->steps)
		return -EFBIG;
	t->steps += (uint32_t)s->nr;
	for (size_t i = 0; !r && i < s->nr; i++)
		r = call_of(t, at, s->stack[i], &at);
	*ret = at;
	return r;
}

static void add_value(int64_t *self, const struct ddp_column *c, int64_t value)
{
	if (value >= 0 || c->negative_to == c->to)
		self[c->to] = sum_add(self[c->to], value);
	else
		self[c->negative_to] = sum_add(self[c->negative_to], sum_size(value));
}

int ddp_calltree_add(struct ddp_calltree *t, const struct ddp_pprof *p,
		     const struct ddp_column *columns, size_t nr_columns)
{
	CLEANUP(ddp_stacks_close) struct ddp_stacks s = {
		.frames = &t->frames, .label = t->label,
	};
	int r = ddp_stacks_open(&s, p);

	if (!r && !t->nr)
		r = append(t, 0, 0, 0);
	for (size_t i = 0; !r && i < p->nr_samples; i++) {
		uint32_t leaf = 0;

		r = ddp_stacks_walk(&s, &p->samples[i]);
		r = r ?: find_leaf(t, &s, &leaf);
		for (size_t k = 0; !r && k < nr_columns; k++)
			add_value(&t->self[leaf * t->nr_columns], &columns[k],
				  p->samples[i].values[columns[k].value]);
	}
	return r;
}

void ddp_calltree_free(struct ddp_calltree *t)
{
	ddp_frames_free(&t->frames);
	free(t->calls);
	free(t->self);
	ddp_table_free(&t->by_parent);
}

/* Order */

struct ordering {
	const struct ddp_calltree *tree;
	const double *weights;	/* by node, with its children's; NULL: by name only */
};

/* Children of one parent stand together */
static int compare(const void *a, const void *b, void *ctx)
{
	const struct ordering *o = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	const struct ddp_call *p = &o->tree->calls[x], *q = &o->tree->calls[y];
	const struct ddp_frame *f = &o->tree->frames.frames[p->frame];
	const struct ddp_frame *g = &o->tree->frames.frames[q->frame];
	int by_name;

	if (p->parent != q->parent)
		return p->parent < q->parent ? -1 : 1;
	if (o->weights && o->weights[x] != o->weights[y])
		return o->weights[x] > o->weights[y] ? -1 : 1;
	by_name = strcmp(f->name, g->name);
	by_name = by_name ? by_name : strcmp(f->mapping, g->mapping);
	return by_name ? by_name : strcmp(f->file, g->file);
}

static double *sum_weights(const struct ddp_calltree *t,
			   double (*weigh)(void *ctx, const int64_t *self), void *ctx)
{
	double *weights = calloc(t->nr, sizeof(*weights));

	for (size_t i = t->nr; weights && i-- > 0;) {
		weights[i] += weigh(ctx, &t->self[i * t->nr_columns]);
		if (i)
			weights[t->calls[i].parent] += weights[i];
	}
	return weights;
}

/*
 * @sorted has each parent's children together; @next and @end (by node) bound them. Walks down from
 * the root, and back up by the parents.
 */
static void preorder(const struct ddp_calltree *t, const uint32_t *sorted, uint32_t *next,
		     uint32_t *end, uint32_t *ret)
{
	uint32_t at = 0, nr = 0;

	for (uint32_t i = 0; i + 1 < t->nr; i++) {
		uint32_t parent = t->calls[sorted[i]].parent;

		if (!end[parent])
			next[parent] = i;
		end[parent] = i + 1;
	}
	ret[nr++] = 0;
	while (nr < t->nr) {
		while (next[at] == end[at])
			at = t->calls[at].parent;
		at = sorted[next[at]++];
		ret[nr++] = at;
	}
}

int ddp_calltree_order(const struct ddp_calltree *t,
		       double (*weigh)(void *ctx, const int64_t *self), void *ctx,
		       uint32_t **ret)
{
	CLEANUP(free) uint32_t *sorted = calloc(t->nr, sizeof(*sorted));
	CLEANUP(free) uint32_t *bounds = calloc(t->nr, 2 * sizeof(*bounds));
	CLEANUP(free) double *weights = weigh ? sum_weights(t, weigh, ctx) : NULL;
	CLEANUP(free) uint32_t *order = calloc(t->nr, sizeof(*order));

	if (!sorted || !bounds || !order || (weigh && !weights))
		return -ENOMEM;
	for (uint32_t i = 0; i + 1 < t->nr; i++)
		sorted[i] = i + 1;
	if (t->nr > 1)
		qsort_r(sorted, t->nr - 1, sizeof(*sorted), compare,
			&(struct ordering){ t, weights });
	preorder(t, sorted, bounds, bounds + t->nr, order);
	*ret = TAKE(order);
	return 0;
}
