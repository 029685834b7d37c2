// SPDX-License-Identifier: Apache-2.0
/*
 * Adding up loaded profiles, and the difference of two: which values they have in common and what
 * becomes of the things that a profile has once. Samples meet in pprof_pool.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pprof_pool.h"
#include "sums.h"

DEFINE_CLEANUP_IN_PLACE(struct pool, ddp__pool_deinit)

#define NO_COLUMN SIZE_MAX

/* A merge under way */
struct merge {
	const struct ddp_pprof *const *profiles;
	const char *const *names;	/* NULL: numbered */
	size_t nr;
	size_t nr_whole;	/* of the first ones, time, comments and the like are taken as well */
	bool negate_rest;	/* the others are counted as missing... */
	const char *mark;	/* ... and have this label, which the first ones have not */
	struct ddp_error *err;
	/* profile after profile, where it has the values of the first: all, and those that stay */
	size_t *columns, *kept;
	size_t nr_values;	/* that stay */
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

/* What tells a value type apart, for types that may be many and their names long */
static int type_key(struct pool *pool, const struct ddp_value_type *t, uint64_t *ret)
{
	uint32_t type, unit;
	int r = ddp__pprof_string(&pool->strings, t->type ?: "", &type);

	if (!r)
		r = ddp__pprof_string(&pool->strings, t->unit ?: "", &unit);
	if (!r)
		*ret = (uint64_t)type << 32 | unit;
	return r;
}

static int type_keys(struct pool *pool, const struct ddp_pprof *p, uint64_t **ret)
{
	uint64_t *keys = ddp__alloc(p->nr_sample_types * sizeof(*keys));
	size_t i;
	int r = keys ? 0 : -ENOMEM;

	for (i = 0; !r && i < p->nr_sample_types; i++)
		r = type_key(pool, &p->sample_types[i], &keys[i]);
	*ret = keys;
	return r;
}

/*
 * The column among @nr keys that stands for column @of of the first profile: of equal types the
 * k-th is the k-th. NO_COLUMN: there is none.
 */
static size_t find_column(const uint64_t *first, size_t of, const uint64_t *keys, size_t nr)
{
	size_t before = 0, i;

	for (i = 0; i < of; i++)
		before += first[i] == first[of];
	for (i = 0; i < nr; i++)
		if (keys[i] == first[of] && !before--)
			return i;
	return NO_COLUMN;
}

/* Profile @i's row of the columns. What it lacks nobody needs to have. */
static int match_profile(struct merge *m, struct pool *pool, const uint64_t *first, size_t i)
{
	size_t nr = m->profiles[0]->nr_sample_types, k, common = 0;
	CLEANUP(ddp__free) uint64_t *keys = NULL;
	int r = type_keys(pool, m->profiles[i], &keys);

	if (r)
		return ddp__fail(m->err, r, "out of memory");
	for (k = 0; k < nr; k++) {
		if (i && m->columns[(i - 1) * nr + k] == NO_COLUMN)
			m->columns[i * nr + k] = NO_COLUMN;
		else
			m->columns[i * nr + k] = find_column(first, k, keys,
							     m->profiles[i]->nr_sample_types);
		common += m->columns[i * nr + k] != NO_COLUMN;
	}
	return common ? 0 : misfit(m, i, "has no value type that the others have as well");
}

/* Only what the last profile still has stays in the rows. */
static void keep_common(struct merge *m)
{
	size_t nr = m->profiles[0]->nr_sample_types, to = 0, i, k;
	const size_t *last = m->columns + (m->nr - 1) * nr;

	for (k = 0; k < nr; k++)
		m->nr_values += last[k] != NO_COLUMN;
	for (i = 0; i < m->nr; i++)
		for (k = 0; k < nr; k++)
			if (last[k] != NO_COLUMN)
				m->kept[to++] = m->columns[i * nr + k];
}

static int match_values(struct merge *m, struct pool *pool)
{
	size_t i, nr = m->profiles[0]->nr_sample_types;
	CLEANUP(ddp__free) uint64_t *first = NULL;
	int r;

	if (!nr)
		return misfit(m, 0, "has no value types");
	r = type_keys(pool, m->profiles[0], &first);
	if (!r && nr <= SIZE_MAX / sizeof(*m->columns) / m->nr) {
		m->columns = ddp__alloc(m->nr * nr * sizeof(*m->columns));
		m->kept = ddp__alloc(m->nr * nr * sizeof(*m->kept));
	}
	if (!m->columns || !m->kept)
		return ddp__fail(m->err, -ENOMEM, "out of memory");
	for (i = 0; !r && i < m->nr; i++)
		r = match_profile(m, pool, first, i);
	if (!r)
		keep_common(m);
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
		v->duration_ns = sum_add(v->duration_ns, p->duration_ns);
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

/* The first that there is; still the sources' own, until own_texts() */
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
		types[i].type = ddp__pprof_text(memory, all[m->kept[i]].type);
		types[i].unit = ddp__pprof_text(memory, all[m->kept[i]].unit);
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
			.p = m->profiles[i], .columns = m->kept + i * m->nr_values,
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

static int merge_pooled(struct merge *m, struct pool *pool, struct ddp_pprof **ret)
{
	struct ddp_pprof *result;
	int r = match_values(m, pool);

	if (r || (r = check_periods(m)))
		return r;
	pool->nr_values = m->nr_values;
	if ((r = merge_samples(m, pool)) || (r = make_result(m, pool, &result)))
		return ddp__fail(m->err, r, r == -ENOMEM ? "out of memory" : "too much to merge");
	if (ddp__pool_has_zeros(pool)) {
		r = merge_again(m, &result);
		if (r)
			return r;
	}
	*ret = result;
	return 0;
}

static int merge(struct merge *m, struct ddp_pprof **ret)
{
	CLEANUP(ddp__pool_deinit) struct pool pool = { .nr_values = 0 };
	int r = ddp__pool_init(&pool);

	if (r)
		return ddp__fail(m->err, r, "out of memory");
	r = merge_pooled(m, &pool, ret);
	ddp__free(m->columns);
	ddp__free(m->kept);
	return r;
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
