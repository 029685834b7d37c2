// SPDX-License-Identifier: Apache-2.0
/*
 * What is in the pool of pprof_pool.h as the plain structs of ddprof/pprof.h, in memory of their
 * own. Every step needs the ones before it, for pointers lead from samples to strings.
 */
#include <errno.h>
#include <string.h>

#include "pprof_pool.h"

struct view_maker {
	const struct pool *pool;
	struct pprof_memory *m;
	const char **strings;	/* by number */
};

/* Texts of the sources, copied into one array */
static int make_strings(struct view_maker *v)
{
	const struct pprof_strings *s = &v->pool->strings;
	size_t bytes = 0;
	uint32_t i;
	char *text;

	for (i = 0; i < s->all.nr; i++)
		bytes += s->all.at[i].len + (size_t)1;
	v->strings = PPROF_ARRAY(v->m, s->all.nr, const char *);
	text = PPROF_ARRAY(v->m, bytes, char);
	if (!v->strings || !text)
		return -ENOMEM;
	for (i = 0; i < s->all.nr; i++) {
		v->strings[i] = memcpy(text, s->all.at[i].text, s->all.at[i].len + (size_t)1);
		text += s->all.at[i].len + (size_t)1;
	}
	return 0;
}

static int make_mappings(struct view_maker *v)
{
	struct ddp_pprof_mapping *all;
	uint32_t i, nr = v->pool->mappings.nr;

	all = PPROF_ARRAY(v->m, nr, __typeof__(*all));
	if (!all)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		all[i] = *POOL_AT(&v->pool->mappings, struct pool_mapping, i + 1)->first;
		all[i].id = i + 1;
		all[i].filename = ddp__pprof_text(v->m, all[i].filename);
		all[i].build_id = ddp__pprof_text(v->m, all[i].build_id);
		if (!all[i].filename || !all[i].build_id)
			return -ENOMEM;
	}
	v->m->view.mappings = all;
	v->m->view.nr_mappings = nr;
	return 0;
}

static int make_functions(struct view_maker *v)
{
	struct ddp_pprof_function *all;
	const struct pool_function *f;
	uint32_t i, nr = v->pool->functions.nr;

	all = PPROF_ARRAY(v->m, nr, __typeof__(*all));
	if (!all)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		f = POOL_AT(&v->pool->functions, struct pool_function, i + 1);
		all[i] = (struct ddp_pprof_function){
			.id = i + 1, .name = v->strings[f->name],
			.system_name = v->strings[f->system_name],
			.filename = v->strings[f->filename], .start_line = f->start_line,
		};
	}
	v->m->view.functions = all;
	v->m->view.nr_functions = nr;
	return 0;
}

/* How many numbers a list has, and which */
static uint32_t list(const struct view_maker *v, uint32_t number, const uint32_t **ret)
{
	const struct pool_list *l;

	if (!number)
		return 0;
	l = &v->pool->lists.at[number - 1];
	*ret = v->pool->numbers.at + l->first;
	return l->nr;
}

static int make_lines(struct view_maker *v, uint32_t which, struct ddp_pprof_location *ret)
{
	const struct pool_line *l;
	struct ddp_pprof_line *lines;
	const uint32_t *numbers = NULL;
	uint32_t i, nr = list(v, which, &numbers);

	lines = PPROF_ARRAY(v->m, nr, __typeof__(*lines));
	if (!lines)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		l = POOL_AT(&v->pool->lines, struct pool_line, numbers[i]);
		lines[i] = (struct ddp_pprof_line){
			.function = l->function ? &v->m->view.functions[l->function - 1] : NULL,
			.line = l->line, .column = l->column,
		};
	}
	ret->lines = lines;
	ret->nr_lines = nr;
	return 0;
}

static int make_locations(struct view_maker *v)
{
	struct ddp_pprof_location *all;
	const struct pool_location *l;
	uint32_t i, nr = v->pool->locations.nr;
	int r;

	all = PPROF_ARRAY(v->m, nr, __typeof__(*all));
	if (!all)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		l = POOL_AT(&v->pool->locations, struct pool_location, i + 1);
		all[i] = (struct ddp_pprof_location){
			.id = i + 1, .index = i, .address = l->offset, .is_folded = l->is_folded,
		};
		if (l->mapping) {
			all[i].mapping = &v->m->view.mappings[l->mapping - 1];
			all[i].address += all[i].mapping->start;
		}
		r = make_lines(v, l->lines, &all[i]);
		if (r)
			return r;
	}
	v->m->view.locations = all;
	v->m->view.nr_locations = nr;
	return 0;
}

static int make_stack(struct view_maker *v, uint32_t which, struct ddp_pprof_sample *ret)
{
	const struct ddp_pprof_location **stack;
	const uint32_t *numbers = NULL;
	uint32_t i, nr = list(v, which, &numbers);

	stack = PPROF_ARRAY(v->m, nr, const struct ddp_pprof_location *);
	if (!stack)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		stack[i] = &v->m->view.locations[numbers[i] - 1];
	ret->locations = stack;
	ret->nr_locations = nr;
	return 0;
}

static int make_labels(struct view_maker *v, uint32_t which, struct ddp_pprof_sample *ret)
{
	const struct pool_label *l;
	struct ddp_pprof_label *labels;
	const uint32_t *numbers = NULL;
	uint32_t i, nr = list(v, which, &numbers);

	labels = PPROF_ARRAY(v->m, nr, __typeof__(*labels));
	if (!labels)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		l = POOL_AT(&v->pool->labels, struct pool_label, numbers[i]);
		labels[i] = (struct ddp_pprof_label){
			.key = v->strings[l->key], .str = l->str ? v->strings[l->str] : NULL,
			.num = l->num, .num_unit = v->strings[l->num_unit],
		};
	}
	ret->labels = labels;
	ret->nr_labels = nr;
	return 0;
}

static int make_samples(struct view_maker *v)
{
	size_t nr_values = v->pool->nr_values, nr = v->pool->samples.nr, i;
	struct ddp_pprof_sample *all = PPROF_ARRAY(v->m, nr, __typeof__(*all));
	int64_t *values = PPROF_ARRAY(v->m, nr * nr_values, int64_t);
	const struct pool_sample *s;
	int r;

	if (!all || !values)
		return -ENOMEM;
	if (nr)
		memcpy(values, v->pool->values.at, nr * nr_values * sizeof(*values));
	for (i = 0; i < nr; i++) {
		s = POOL_AT(&v->pool->samples, struct pool_sample, i + 1);
		all[i].values = values + i * nr_values;
		if ((r = make_stack(v, s->stack, &all[i])) ||
		    (r = make_labels(v, s->labels, &all[i])))
			return r;
	}
	v->m->view.samples = all;
	v->m->view.nr_samples = nr;
	return 0;
}

static int make_comments(struct view_maker *v)
{
	uint32_t i, nr = v->pool->comments.nr;
	const char **all = PPROF_ARRAY(v->m, nr, const char *);

	if (!all)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		all[i] = v->strings[*POOL_AT(&v->pool->comments, uint32_t, i + 1)];
	v->m->view.comments = all;
	v->m->view.nr_comments = nr;
	return 0;
}

int ddp__pool_view(const struct pool *pool, struct pprof_memory *m)
{
	struct view_maker v = { pool, m, NULL };
	int r;

	if ((r = make_strings(&v)) || (r = make_mappings(&v)) || (r = make_functions(&v)) ||
	    (r = make_locations(&v)) || (r = make_samples(&v)))
		return r;
	return make_comments(&v);
}
