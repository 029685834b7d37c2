// SPDX-License-Identifier: Apache-2.0
/*
 * Adding up loaded profiles, and the difference of two: which values they have in common and what
 * becomes of the things that a profile has once. Samples meet in pprof_pool.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pprof_pool.h"

DEFINE_CLEANUP_IN_PLACE(struct pool, ddp__pool_deinit)

/* A merge under way */
struct merge {
	const struct ddp_pprof *const *profiles;
	const char *const *names;	/* NULL: numbered */
	size_t nr;
	size_t nr_whole;	/* of the first ones, time, comments and the like are taken as well */
	bool negate_rest;	/* the others are counted as missing... */
	const char *mark;	/* ... and have this label, which the first ones have not */
	struct ddp_error *err;
	/* for each value that is kept, profile after profile, where it has it */
	size_t *columns;
	size_t nr_values;
};

static int misfit(const struct merge *m, size_t i, const char *what)
{
	if (m->names)
		return ddp__fail(m->err, -EINVAL, "%s %s", m->names[i], what);
	return ddp__fail(m->err, -EINVAL, "profile %zu %s", i + 1, what);
}

/* Values */

static bool same(const char *a, const char *b)
{
	return !strcmp(a ?: "", b ?: "");
}

static bool same_type(const struct ddp_value_type *a, const struct ddp_value_type *b)
{
	return same(a->type, b->type) && same(a->unit, b->unit);
}

/* The column in @p that stands for column @of of the first: the k-th of equal types is the k-th. */
static bool find_column(const struct ddp_pprof *first, size_t of, const struct ddp_pprof *p,
			size_t *ret)
{
	const struct ddp_value_type *type = &first->sample_types[of];
	size_t before = 0, i;

	for (i = 0; i < of; i++)
		before += same_type(type, &first->sample_types[i]);
	for (i = 0; i < p->nr_sample_types; i++) {
		if (same_type(type, &p->sample_types[i]) && !before--) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* Keeps of the first profile's columns those that profile @i has as well. */
static int keep_common(struct merge *m, size_t i)
{
	const struct ddp_pprof *first = m->profiles[0];
	size_t k, column, nr = 0;

	for (k = 0; k < m->nr_values; k++)
		if (find_column(first, m->columns[k], m->profiles[i], &column))
			m->columns[nr++] = m->columns[k];
	m->nr_values = nr;
	return nr ? 0 : misfit(m, i, "has no value type that the others have as well");
}

static int match_values(struct merge *m)
{
	size_t i, k, nr = m->profiles[0]->nr_sample_types;
	int r = 0;

	if (!nr)
		return misfit(m, 0, "has no value types");
	m->columns = nr > SIZE_MAX / sizeof(*m->columns) / m->nr ? NULL :
		     ddp__alloc(m->nr * nr * sizeof(*m->columns));
	if (!m->columns)
		return ddp__fail(m->err, -ENOMEM, "out of memory");
	for (k = 0; k < nr; k++)
		m->columns[k] = k;
	m->nr_values = nr;
	for (i = 1; !r && i < m->nr; i++)
		r = keep_common(m, i);
	for (i = 1; !r && i < m->nr; i++)
		for (k = 0; k < m->nr_values; k++)
			find_column(m->profiles[0], m->columns[k], m->profiles[i],
				    &m->columns[i * m->nr_values + k]);
	return r;
}

static int check_periods(const struct merge *m)
{
	const struct ddp_value_type *known = NULL, *t;
	size_t i;

	for (i = 0; i < m->nr; i++) {
		t = &m->profiles[i]->period_type;
		if (!t->type || !*t->type)
			continue;
		if (known && !same_type(known, t))
			return misfit(m, i, "has another period type than the others");
		known = t;
	}
	return 0;
}

/* What there is once */

static void merge_numbers(const struct merge *m, struct ddp_pprof *v)
{
	const struct ddp_pprof *p;
	size_t i;

	for (i = 0; i < m->nr_whole; i++) {
		p = m->profiles[i];
		if (p->time_unix_ns && (!v->time_unix_ns || p->time_unix_ns < v->time_unix_ns))
			v->time_unix_ns = p->time_unix_ns;
		if (__builtin_add_overflow(v->duration_ns, p->duration_ns, &v->duration_ns))
			v->duration_ns = p->duration_ns < 0 ? INT64_MIN : INT64_MAX;
		if (!i || p->period > v->period)
			v->period = p->period;
	}
}

static bool has_type(const struct ddp_pprof *v, const char *type)
{
	size_t i;

	for (i = 0; i < v->nr_sample_types; i++)
		if (!strcmp(v->sample_types[i].type, type))
			return true;
	return false;
}

/* Texts of the sources, for now; the first that there is */
static void merge_texts(const struct merge *m, struct ddp_pprof *v)
{
	const struct ddp_pprof *p;
	size_t i;

	v->drop_frames = m->profiles[0]->drop_frames;
	v->keep_frames = m->profiles[0]->keep_frames;
	for (i = 0; i < m->nr_whole; i++) {
		p = m->profiles[i];
		if (!*v->default_sample_type && has_type(v, p->default_sample_type))
			v->default_sample_type = p->default_sample_type;
		if (!*v->doc_url)
			v->doc_url = p->doc_url;
		if (!*v->period_type.type)
			v->period_type = p->period_type;
	}
}

/* Where a text is to be copied: all that the view has besides tables */
static int own_texts(struct pprof_memory *memory)
{
	struct ddp_pprof *v = &memory->view;
	const char **texts[] = {
		&v->drop_frames, &v->keep_frames, &v->default_sample_type, &v->doc_url,
		&v->period_type.type, &v->period_type.unit,
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		*texts[i] = ddp__pprof_text(memory, *texts[i]);
		if (!*texts[i])
			return -ENOMEM;
	}
	return 0;
}

static int merge_value_types(const struct merge *m, struct pprof_memory *memory)
{
	const struct ddp_value_type *all = m->profiles[0]->sample_types;
	struct ddp_value_type *types = PPROF_ARRAY(memory, m->nr_values, __typeof__(*types));
	size_t i;

	if (!types)
		return -ENOMEM;
	for (i = 0; i < m->nr_values; i++) {
		types[i].type = ddp__pprof_text(memory, all[m->columns[i]].type);
		types[i].unit = ddp__pprof_text(memory, all[m->columns[i]].unit);
		if (!types[i].type || !types[i].unit)
			return -ENOMEM;
	}
	memory->view.sample_types = types;
	memory->view.nr_sample_types = m->nr_values;
	return 0;
}

static int make_result(const struct merge *m, const struct pool *pool, struct ddp_pprof **ret)
{
	CLEANUP(ddp__pprof_memory_free) struct pprof_memory *memory = NULL;
	int r;

	memory = ddp__pprof_memory_create(0);
	if (!memory)
		return -ENOMEM;
	r = merge_value_types(m, memory);
	if (r)
		return r;
	merge_numbers(m, &memory->view);
	merge_texts(m, &memory->view);
	if ((r = own_texts(memory)) || (r = ddp__pool_view(pool, memory)))
		return r;
	*ret = &TAKE(memory)->view;
	return 0;
}

/* Samples */

static int merge_samples(const struct merge *m, struct pool *pool)
{
	size_t i, k;
	int r = 0;

	for (i = 0; !r && i < m->nr; i++) {
		struct pool_source source = {
			.p = m->profiles[i], .columns = m->columns + i * m->nr_values,
			.negate = m->negate_rest && i >= m->nr_whole,
			.mark = m->mark, .marked = m->mark && i >= m->nr_whole,
		};

		r = ddp__pool_add(pool, &source);
		for (k = 0; !r && i < m->nr_whole && k < source.p->nr_comments; k++)
			r = ddp__pool_comment(pool, source.p->comments[k]);
	}
	return r;
}

static int merge(struct merge *m, struct ddp_pprof **ret);

/* Once more, over the result: what only samples that came to zero refer to is to go as well. */
static int merge_again(const struct merge *m, struct ddp_pprof **ret)
{
	const struct ddp_pprof *first = *ret;
	struct merge again = { .profiles = &first, .nr = 1, .nr_whole = 1, .err = m->err };
	int r = merge(&again, ret);

	ddp_pprof_destroy((struct ddp_pprof *)first);
	return r;
}

static int merge(struct merge *m, struct ddp_pprof **ret)
{
	CLEANUP(ddp__pool_deinit) struct pool pool = { .nr_values = 0 };
	CLEANUP(ddp__free) size_t *columns = NULL;
	struct ddp_pprof *result;
	int r = match_values(m);

	columns = m->columns;
	if (r || (r = check_periods(m)))
		return r;
	if ((r = ddp__pool_init(&pool, m->nr_values)) || (r = merge_samples(m, &pool)) ||
	    (r = make_result(m, &pool, &result)))
		return ddp__fail(m->err, r, r == -ENOMEM ? "out of memory" : "too much to merge");
	if (ddp__pool_has_zeros(&pool)) {
		r = merge_again(m, &result);
		if (r)
			return r;
	}
	*ret = result;
	return 0;
}

int ddp_pprof_merge(const struct ddp_pprof *const *profiles, const char *const *names, size_t n,
		    struct ddp_pprof **ret, struct ddp_error *err)
{
	struct merge m = { .profiles = profiles, .names = names, .nr = n, .nr_whole = n,
			   .err = err };

	return n ? merge(&m, ret) : ddp__fail(err, -EINVAL, "no profiles to merge");
}

int ddp_pprof_diff(const struct ddp_pprof *base, const struct ddp_pprof *other, bool keep_apart,
		   struct ddp_pprof **ret, struct ddp_error *err)
{
	static const char *const names[] = { "the other profile", "the base" };
	const struct ddp_pprof *profiles[] = { other, base };
	struct merge m = { .profiles = profiles, .names = names, .nr = 2, .nr_whole = 1,
			   .negate_rest = true, .mark = keep_apart ? DDP_PPROF_BASE_LABEL : NULL,
			   .err = err };

	return merge(&m, ret);
}
