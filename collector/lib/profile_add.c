// SPDX-License-Identifier: Apache-2.0
/*
 * Adding a sample: find its stack, its label set and the sample itself; when all are known add up
 * the values, else check what is new, make room for all that is missing and only then put it in.
 */
#include <string.h>

#include "profile_parts.h"

/* @hash: of its locations, where it has no id */
static int find_stack(const struct ddp_profile *p, const struct ddp_sample *s, uint32_t hash,
		      struct place *ret)
{
	uint32_t index;
	int r;

	if (!s->stack) {
		*ret = ddp__stack_find(p, hash, s->locations, s->nr_locations);
		return 0;
	}
	if (s->nr_locations)
		return -EINVAL;
	r = check_id(p->base[ID_STACK], 0, p->stacks.nr, s->stack, &index);
	if (!r)
		ret->at = index;
	return r;
}

static int find_label_set(struct ddp_profile *p, const struct ddp_sample *s, struct place *ret)
{
	uint32_t index;
	int r;

	if (s->label_set && s->nr_labels)
		return -EINVAL;
	if (s->label_set) {
		r = check_id(p->base[ID_LABEL_SET], 0, p->label_sets.nr, s->label_set, &index);
		if (!r)
			ret->at = index;
		return r;
	}
	r = ddp__labels_read(p, s->labels, s->nr_labels);
	if (!r)
		*ret = ddp__label_set_find(p);
	return r;
}

struct sample_key {
	const struct ddp_profile *p;
	struct sample s;
};

static bool sample_equal(const void *ctx, uint32_t position)
{
	const struct sample_key *k = ctx;

	return !memcmp(&k->p->samples.at[position], &k->s, sizeof(k->s));
}

static uint32_t hash_sample(const struct ddp_profile *p, struct sample s)
{
	return hash_bytes(p, &s, sizeof(s));
}

static uint32_t sample_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_sample(p, p->samples.at[position]);
}

static void add_values(struct ddp_profile *p, uint32_t sample, const int64_t *values)
{
	int64_t *to = p->values.at + (size_t)sample * p->value_types.nr;
	uint32_t i;

	for (i = 0; i < p->value_types.nr; i++)
		to[i] = sum_add(to[i], values[i]);
}

/* Whether the sample was known; its values are added then. */
static bool add_to_known(struct ddp_profile *p, struct sample s, const int64_t *values)
{
	struct sample_key key = { p, s };
	int64_t found = table_find(&p->sample_table, hash_sample(p, s), sample_equal, &key);

	if (found == TABLE_NONE)
		return false;
	add_values(p, found, values);
	return true;
}

static int reserve_sample(struct ddp_profile *p)
{
	int r;

	if (p->samples.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->samples, 1)) ||
	    (r = ddp__table_reserve(&p->sample_table, &p->budget, sample_hash, p)))
		return r;
	return VEC_RESERVE(&p->budget, &p->values, p->value_types.nr);
}

static void put_sample(struct ddp_profile *p, struct sample s, const int64_t *values)
{
	uint32_t nr = p->value_types.nr;

	memcpy(p->values.at + p->values.nr, values, nr * sizeof(*values));
	p->values.nr += nr;
	ddp__table_insert(&p->sample_table, hash_sample(p, s), p->samples.nr);
	p->samples.at[p->samples.nr++] = s;
}

/* The stack, the label set or the sample is new, or has a timestamp. */
static int add_new(struct ddp_profile *p, struct parts *s)
{
	struct sample new;
	int r = 0;

	if (s->stack.at == TABLE_NONE)
		r = ddp__stack_reserve(p, s->locations, s->nr_locations);
	if (!r && s->label_set.at == TABLE_NONE)
		r = ddp__label_set_reserve(p);
	if (!r)
		r = s->timestamp_ns ? ddp__timed_reserve(p) : reserve_sample(p);
	if (r)
		return r;
	if (s->stack.at == TABLE_NONE)
		s->stack.at = ddp__stack_put(p, s->stack.hash, s->locations, s->nr_locations);
	if (s->label_set.at == TABLE_NONE)
		s->label_set.at = ddp__label_set_put(p, s->label_set.hash);
	new = (struct sample){ s->stack.at, s->label_set.at };
	if (s->timestamp_ns)
		ddp__timed_put(p, new, s->timestamp_ns, s->values);
	else
		put_sample(p, new, s->values);
	return 0;
}

int ddp__add_parts(struct ddp_profile *p, struct parts *s)
{
	struct sample known = { s->stack.at, s->label_set.at };

	if (s->stack.at != TABLE_NONE && s->label_set.at != TABLE_NONE && !s->timestamp_ns &&
	    add_to_known(p, known, s->values))
		return 0;
	return add_new(p, s);
}

int ddp_profile_add(struct ddp_profile *p, const struct ddp_sample *s)
{
	struct parts parts = {
		.locations = s->locations, .nr_locations = s->nr_locations,
		.values = s->values, .timestamp_ns = s->timestamp_ns,
	};
	uint32_t hash = 0;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (s->nr_values != p->value_types.nr || s->nr_locations > MAX_LOCATIONS)
		return -EINVAL;
	if (!s->stack)	/* before the labels: its slot is on its way meanwhile */
		hash = ddp__stack_hash(p, s->locations, s->nr_locations);
	if ((r = find_label_set(p, s, &parts.label_set)) ||
	    (r = find_stack(p, s, hash, &parts.stack)))
		return r;
	return ddp__add_parts(p, &parts);
}

int ddp_profile_add_many(struct ddp_profile *p, const struct ddp_sample *samples, size_t nr,
			 size_t *ret_added)
{
	size_t i;
	int r = 0;

	for (i = 0; i < nr; i++) {
		r = ddp_profile_add(p, &samples[i]);
		if (r)
			break;
	}
	*ret_added = i;
	return r;
}
