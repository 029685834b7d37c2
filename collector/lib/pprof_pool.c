// SPDX-License-Identifier: Apache-2.0
/*
 * Putting profiles into the pool of pprof_pool.h. What counts as the same follows `go tool pprof`,
 * so that merging with either gives the same profile.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pprof_pool.h"
#include "sums.h"

/* Sets */

struct set_key {
	const struct hash_key *hash_key;
	const struct pool_set *set;
	const void *bytes;
};

static bool is_thing(const void *ctx, uint32_t position)
{
	const struct set_key *k = ctx;

	return !memcmp(k->set->all.at + (size_t)position * k->set->bytes, k->bytes,
		       k->set->key_bytes);
}

static uint32_t thing_hash(const struct set_key *k, const void *thing)
{
	return hash64(k->hash_key, thing, k->set->key_bytes);
}

static uint32_t hash_of_thing(const void *ctx, uint32_t position)
{
	const struct set_key *k = ctx;

	return thing_hash(k, k->set->all.at + (size_t)position * k->set->bytes);
}

/* The number of @thing, which is put in when it is new. */
static int set_put(struct pool *pool, struct pool_set *set, const void *thing, uint32_t *ret)
{
	struct set_key key = { &pool->strings.hash_key, set, thing };
	uint32_t hash = thing_hash(&key, thing);
	int64_t found = table_find(&set->table, hash, is_thing, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found + 1;
		return 0;
	}
	if ((r = VEC_RESERVE(&pool->budget, &set->all, set->bytes)) ||
	    (r = ddp__table_reserve(&set->table, &pool->budget, hash_of_thing, &key)))
		return r;
	memcpy(set->all.at + set->all.nr, thing, set->bytes);
	set->all.nr += set->bytes;
	ddp__table_insert(&set->table, hash, set->nr);
	*ret = ++set->nr;
	return 0;
}

/* Lists, of what is in the scratch */

static bool is_scratch(const void *ctx, uint32_t position)
{
	const struct pool *pool = ctx;
	struct pool_list l = pool->lists.at[position];

	return l.nr == pool->scratch.nr &&
	       !memcmp(pool->numbers.at + l.first, pool->scratch.at, l.nr * sizeof(uint32_t));
}

static uint32_t numbers_hash(const struct pool *pool, const uint32_t *numbers, uint32_t nr)
{
	return hash64(&pool->strings.hash_key, numbers, nr * sizeof(*numbers));
}

static uint32_t list_hash(const void *ctx, uint32_t position)
{
	const struct pool *pool = ctx;
	struct pool_list l = pool->lists.at[position];

	return numbers_hash(pool, pool->numbers.at + l.first, l.nr);
}

/* Adds a number to the scratch. */
static int note(struct pool *pool, uint32_t number)
{
	int r = VEC_RESERVE(&pool->budget, &pool->scratch, 1);

	if (!r)
		pool->scratch.at[pool->scratch.nr++] = number;
	return r;
}

/* The number of the list that the scratch is, which is put in when it is new. */
static int put_noted(struct pool *pool, uint32_t *ret)
{
	uint32_t nr = pool->scratch.nr, hash;
	int64_t found;
	int r;

	*ret = 0;
	if (!nr)
		return 0;
	hash = numbers_hash(pool, pool->scratch.at, nr);
	found = table_find(&pool->list_table, hash, is_scratch, pool);
	if (found != TABLE_NONE) {
		*ret = found + 1;
		return 0;
	}
	if ((r = VEC_RESERVE(&pool->budget, &pool->lists, 1)) ||
	    (r = VEC_RESERVE(&pool->budget, &pool->numbers, nr)) ||
	    (r = ddp__table_reserve(&pool->list_table, &pool->budget, list_hash, pool)))
		return r;
	memcpy(pool->numbers.at + pool->numbers.nr, pool->scratch.at, nr * sizeof(uint32_t));
	pool->lists.at[pool->lists.nr] = (struct pool_list){ pool->numbers.nr, nr };
	pool->numbers.nr += nr;
	ddp__table_insert(&pool->list_table, hash, pool->lists.nr);
	*ret = ++pool->lists.nr;
	return 0;
}

int ddp__pool_list(struct pool *pool, const uint32_t *numbers, uint32_t nr, uint32_t *ret)
{
	int r = 0;
	uint32_t i;

	pool->scratch.nr = 0;
	for (i = 0; !r && i < nr; i++)
		r = note(pool, numbers[i]);
	return r ? r : put_noted(pool, ret);
}

/* What samples refer to */

static int put_mapping(struct pool *pool, const struct ddp_pprof_mapping *m, uint32_t *ret)
{
	enum { PAGE = 4096 };
	struct pool_mapping thing = {
		.size = (m->limit - m->start + PAGE - 1) / PAGE * PAGE,
		.file_offset = m->file_offset,
		.first = m,
	};
	int r = ddp__pprof_string(&pool->strings, *m->build_id ? m->build_id : m->filename,
				  &thing.name);

	return r ? r : set_put(pool, &pool->mappings, &thing, ret);
}

static int put_function(struct pool *pool, const struct ddp_pprof_function *f, uint32_t *ret)
{
	struct pool_function thing = { .start_line = f->start_line };
	int r;

	if ((r = ddp__pprof_string(&pool->strings, f->name, &thing.name)) ||
	    (r = ddp__pprof_string(&pool->strings, f->system_name, &thing.system_name)) ||
	    (r = ddp__pprof_string(&pool->strings, f->filename, &thing.filename)))
		return r;
	return set_put(pool, &pool->functions, &thing, ret);
}

static int put_lines(struct pool *pool, const struct ddp_pprof_location *l, uint32_t *ret)
{
	uint32_t line;
	size_t i;
	int r;

	pool->scratch.nr = 0;
	for (i = 0; i < l->nr_lines; i++) {
		const struct ddp_pprof_line *in = &l->lines[i];
		struct pool_line thing = { .line = in->line, .column = in->column };

		r = in->function ? put_function(pool, in->function, &thing.function) : 0;
		if (r || (r = set_put(pool, &pool->lines, &thing, &line)) ||
		    (r = note(pool, line)))
			return r;
	}
	return put_noted(pool, ret);
}

static int put_location(struct pool *pool, const struct ddp_pprof_location *l, uint32_t *ret)
{
	struct pool_location thing = { .offset = l->address, .is_folded = l->is_folded };
	int r;

	if (l->mapping) {
		thing.offset -= l->mapping->start;
		r = put_mapping(pool, l->mapping, &thing.mapping);
		if (r)
			return r;
	}
	r = put_lines(pool, l, &thing.lines);
	return r ? r : set_put(pool, &pool->locations, &thing, ret);
}

/* Labels, sorted, so that their order in the file makes no difference */

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int ddp__pool_label(struct pool *pool, const struct ddp_pprof_label *l, uint32_t *ret)
{
	struct pool_label thing = { .num = l->num };
	int r;

	if ((r = ddp__pprof_string(&pool->strings, l->key, &thing.key)) ||
	    (r = ddp__pprof_string(&pool->strings, l->str ?: "", &thing.str)) ||
	    (r = ddp__pprof_string(&pool->strings, l->num_unit, &thing.num_unit)))
		return r;
	return set_put(pool, &pool->labels, &thing, ret);
}

static int put_label(struct pool *pool, const struct ddp_pprof_label *l)
{
	uint32_t number;
	int r = ddp__pool_label(pool, l, &number);

	return r ? r : note(pool, number);
}

static int put_labels(struct pool *pool, const struct pool_source *source,
		      const struct ddp_pprof_sample *s, uint32_t *ret)
{
	const struct ddp_pprof_label mark = { .key = source->mark, .str = "true", .num_unit = "" };
	size_t i;
	int r;

	pool->scratch.nr = 0;
	for (i = 0; i < s->nr_labels; i++) {
		if (mark.key && !strcmp(s->labels[i].key, mark.key))
			continue;
		r = put_label(pool, &s->labels[i]);
		if (r)
			return r;
	}
	r = source->marked ? put_label(pool, &mark) : 0;
	if (pool->scratch.nr > 1)
		qsort(pool->scratch.at, pool->scratch.nr, sizeof(uint32_t), compare_numbers);
	return r ? r : put_noted(pool, ret);
}

/* Samples */

/* @known: by a location's position in its profile, its number in the pool or 0 */
static int put_stack(struct pool *pool, const struct ddp_pprof_sample *s, uint32_t *known,
		     uint32_t *ret)
{
	size_t i;
	int r = 0;

	/* first, for it has lists of its own to make */
	for (i = 0; !r && i < s->nr_locations; i++)
		if (!known[s->locations[i]->index])
			r = put_location(pool, s->locations[i], &known[s->locations[i]->index]);
	pool->scratch.nr = 0;
	for (i = 0; !r && i < s->nr_locations; i++)
		r = note(pool, known[s->locations[i]->index]);
	return r ? r : put_noted(pool, ret);
}

static int64_t value_of(const struct pool_source *source, const struct ddp_pprof_sample *s,
			size_t i)
{
	int64_t v = s->values[source->columns[i]];

	return source->negate ? sum_subtract(0, v) : v;
}

static bool has_value(const struct pool *pool, const struct pool_source *source,
		      const struct ddp_pprof_sample *s)
{
	size_t i;

	for (i = 0; i < pool->nr_values; i++)
		if (s->values[source->columns[i]])
			return true;
	return false;
}

static int put_sample(struct pool *pool, const struct pool_source *source,
		      const struct ddp_pprof_sample *s, uint32_t *known)
{
	struct pool_sample thing;
	int64_t *values;
	uint32_t number;
	size_t i;
	int r;

	if ((r = put_stack(pool, s, known, &thing.stack)) ||
	    (r = put_labels(pool, source, s, &thing.labels)) ||
	    (r = VEC_RESERVE(&pool->budget, &pool->values, pool->nr_values)) ||
	    (r = set_put(pool, &pool->samples, &thing, &number)))
		return r;
	values = pool->values.at + (number - 1) * pool->nr_values;
	if (number * pool->nr_values > pool->values.nr) {
		memset(values, 0, pool->nr_values * sizeof(*values));
		pool->values.nr += pool->nr_values;
	}
	for (i = 0; i < pool->nr_values; i++)
		values[i] = sum_add(values[i], value_of(source, s, i));
	return 0;
}

static int put_samples(struct pool *pool, const struct pool_source *source, uint32_t *known)
{
	const struct ddp_pprof *p = source->p;
	uint32_t main_program;
	size_t i;
	int r = 0;

	/* the first mapping has a meaning, whether or not samples name it */
	if (!pool->mappings.nr && p->nr_mappings)
		r = put_mapping(pool, &p->mappings[0], &main_program);
	for (i = 0; !r && i < p->nr_samples; i++)
		if (has_value(pool, source, &p->samples[i]))
			r = put_sample(pool, source, &p->samples[i], known);
	return r == -E2BIG ? -EFBIG : r;
}

int ddp__pool_add(struct pool *pool, const struct pool_source *source)
{
	CLEANUP(ddp__free) uint32_t *known = NULL;

	known = ddp__alloc(source->p->nr_locations * sizeof(*known));
	return known ? put_samples(pool, source, known) : -ENOMEM;
}

int ddp__pool_comment(struct pool *pool, const char *text)
{
	uint32_t string, number;
	int r = ddp__pprof_string(&pool->strings, text, &string);

	if (!r)
		r = set_put(pool, &pool->comments, &string, &number);
	return r == -E2BIG ? -EFBIG : r;
}

bool ddp__pool_has_zeros(const struct pool *pool)
{
	const int64_t *values = pool->values.at;
	size_t i, k;

	for (i = 0; i < pool->samples.nr; i++, values += pool->nr_values) {
		for (k = 0; k < pool->nr_values && !values[k]; k++)
			;
		if (k == pool->nr_values)
			return true;
	}
	return false;
}

/* Life */

#define POOL_SET(type, last_key) { \
	.bytes = sizeof(type), \
	.key_bytes = offsetof(type, last_key) + sizeof(((type *)0)->last_key) }

int ddp__pool_init(struct pool *pool)
{
	*pool = (struct pool){
		.mappings = POOL_SET(struct pool_mapping, zero),
		.functions = POOL_SET(struct pool_function, zero),
		.lines = POOL_SET(struct pool_line, zero),
		.locations = POOL_SET(struct pool_location, is_folded),
		.labels = POOL_SET(struct pool_label, zero),
		.samples = POOL_SET(struct pool_sample, labels),
		.comments = { sizeof(uint32_t), sizeof(uint32_t) },
	};
	return ddp__pprof_strings_init(&pool->strings, &pool->budget);
}

static void set_free(struct pool_set *set)
{
	VEC_FREE(&set->all);
	ddp__table_free(&set->table);
}

void ddp__pool_deinit(struct pool *pool)
{
	ddp__pprof_strings_free(&pool->strings);
	set_free(&pool->mappings);
	set_free(&pool->functions);
	set_free(&pool->lines);
	set_free(&pool->locations);
	set_free(&pool->labels);
	set_free(&pool->samples);
	set_free(&pool->comments);
	VEC_FREE(&pool->lists);
	VEC_FREE(&pool->numbers);
	ddp__table_free(&pool->list_table);
	VEC_FREE(&pool->values);
	VEC_FREE(&pool->scratch);
}
