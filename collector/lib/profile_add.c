// SPDX-License-Identifier: Apache-2.0
/*
 * Adding a sample: check it and turn its ids into indexes (in the profile's scratch arrays), look
 * up its stack, its label set and the sample itself; when all are known add up the values, else
 * make room for all that is missing and only then put it in.
 */
#include <errno.h>
#include <string.h>

#include "profile_hash.h"
#include "profile_internal.h"

enum { MAX_LABELS = 1024 };	/* of one sample; they are sorted by insertion */

/* Checking */

static int check_label(const struct label *l)
{
	if (l->key == DDP_STRING_EMPTY)
		return -EINVAL;
	if (l->str && (l->num || l->num_unit))
		return -EINVAL;
	if (l->key == DDP_STRING_END_TIMESTAMP_NS)
		return -EPERM;
	if (l->key == DDP_STRING_LOCAL_ROOT_SPAN_ID && (l->str || !l->num))
		return -EINVAL;
	return 0;
}

static int read_label(const struct ddp_profile *p, const struct ddp_label *in, struct label *ret)
{
	int r;

	*ret = (struct label){ .num = in->num };
	if ((r = ddp__string_index(p, in->key, &ret->key)) ||
	    (r = ddp__string_index(p, in->str, &ret->str)) ||
	    (r = ddp__string_index(p, in->num_unit, &ret->num_unit)))
		return r;
	return check_label(ret);
}

/* Puts @l among the @n labels that are sorted by key; -EEXIST when its key is there. */
static int sort_in(struct label *labels, uint32_t n, struct label l)
{
	while (n && labels[n - 1].key > l.key) {
		labels[n] = labels[n - 1];
		n--;
	}
	if (n && labels[n - 1].key == l.key)
		return -EEXIST;
	labels[n] = l;
	return 0;
}

static int read_labels(struct ddp_profile *p, const struct ddp_sample *s)
{
	struct label l;
	uint32_t i;
	int r;

	p->scratch_labels.nr = 0;
	if (s->nr_labels > MAX_LABELS)
		return -EINVAL;
	r = VEC_RESERVE(&p->budget, &p->scratch_labels, s->nr_labels);
	if (r)
		return r;
	for (i = 0; i < s->nr_labels; i++) {
		if ((r = read_label(p, &s->labels[i], &l)) ||
		    (r = sort_in(p->scratch_labels.at, i, l)))
			return r;
	}
	p->scratch_labels.nr = s->nr_labels;
	return 0;
}

static int read_stack(struct ddp_profile *p, const struct ddp_sample *s)
{
	uint32_t i;
	int r;

	p->scratch_stack.nr = 0;
	r = VEC_RESERVE(&p->budget, &p->scratch_stack, s->nr_locations);
	if (r)
		return r;
	for (i = 0; i < s->nr_locations; i++) {
		r = ddp__location_index(p, s->locations[i], &p->scratch_stack.at[i]);
		if (r)
			return r;
	}
	p->scratch_stack.nr = s->nr_locations;
	return 0;
}

/* Looking up */

static bool stack_equal(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	struct span s = p->stacks.at[position];

	return s.nr == p->scratch_stack.nr &&
	       (!s.nr || !memcmp(p->stack_locations.at + s.first, p->scratch_stack.at,
				 s.nr * sizeof(uint32_t)));
}

static bool label_set_equal(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	struct span s = p->label_sets.at[position];

	return s.nr == p->scratch_labels.nr &&
	       (!s.nr || !memcmp(p->labels.at + s.first, p->scratch_labels.at,
				 s.nr * sizeof(struct label)));
}

struct sample_key {
	const struct ddp_profile *p;
	struct sample s;
};

static bool sample_equal(const void *ctx, uint32_t position)
{
	const struct sample_key *k = ctx;
	struct sample s = k->p->samples.at[position];

	return s.stack == k->s.stack && s.label_set == k->s.label_set;
}

/* Where the parts of the sample in the scratch arrays are; TABLE_NONE: new. */
struct place {
	uint32_t stack_hash, label_set_hash;
	int64_t stack, label_set, sample;
};

static uint32_t sample_hash(const struct ddp_profile *p, struct sample s)
{
	return hash_bytes(p, &s, sizeof(s));
}

static struct place find_place(const struct ddp_profile *p, bool timed)
{
	struct place at = {
		.stack_hash = hash_bytes(p, p->scratch_stack.at,
					 p->scratch_stack.nr * sizeof(uint32_t)),
		.label_set_hash = hash_bytes(p, p->scratch_labels.at,
					     p->scratch_labels.nr * sizeof(struct label)),
		.sample = TABLE_NONE,
	};

	at.stack = table_find(&p->stack_table, at.stack_hash, stack_equal, p);
	at.label_set = table_find(&p->label_set_table, at.label_set_hash, label_set_equal, p);
	if (at.stack != TABLE_NONE && at.label_set != TABLE_NONE && !timed) {
		struct sample_key key = { p, { at.stack, at.label_set } };

		at.sample = table_find(&p->sample_table, sample_hash(p, key.s), sample_equal,
				       &key);
	}
	return at;
}

/* Putting in */

static int reserve_parts(struct ddp_profile *p, const struct place *at)
{
	int r;

	if (at->stack == TABLE_NONE &&
	    ((r = VEC_RESERVE(&p->budget, &p->stacks, 1)) ||
	     (r = VEC_RESERVE(&p->budget, &p->stack_locations, p->scratch_stack.nr)) ||
	     (r = ddp__table_reserve(&p->stack_table, &p->budget))))
		return r;
	if (at->label_set == TABLE_NONE &&
	    ((r = VEC_RESERVE(&p->budget, &p->label_sets, 1)) ||
	     (r = VEC_RESERVE(&p->budget, &p->labels, p->scratch_labels.nr)) ||
	     (r = ddp__table_reserve(&p->label_set_table, &p->budget))))
		return r;
	return 0;
}

static int reserve_sample(struct ddp_profile *p, bool timed)
{
	uint32_t nr_values = p->value_types.nr;
	int r;

	if (timed) {
		if ((r = VEC_RESERVE(&p->budget, &p->timed_samples, 1)) ||
		    (r = VEC_RESERVE(&p->budget, &p->timestamps_ns, 1)))
			return r;
		return VEC_RESERVE(&p->budget, &p->timed_values, nr_values);
	}
	if ((r = VEC_RESERVE(&p->budget, &p->samples, 1)) ||
	    (r = ddp__table_reserve(&p->sample_table, &p->budget)))
		return r;
	return VEC_RESERVE(&p->budget, &p->values, nr_values);
}

static uint32_t put_stack(struct ddp_profile *p, const struct place *at)
{
	uint32_t nr = p->scratch_stack.nr, position = p->stacks.nr;

	if (at->stack != TABLE_NONE)
		return at->stack;
	if (nr)
		memcpy(p->stack_locations.at + p->stack_locations.nr, p->scratch_stack.at,
		       nr * sizeof(uint32_t));
	p->stacks.at[p->stacks.nr++] = (struct span){ p->stack_locations.nr, nr };
	p->stack_locations.nr += nr;
	ddp__table_insert(&p->stack_table, at->stack_hash, position);
	return position;
}

static uint32_t put_label_set(struct ddp_profile *p, const struct place *at)
{
	uint32_t nr = p->scratch_labels.nr, position = p->label_sets.nr;

	if (at->label_set != TABLE_NONE)
		return at->label_set;
	if (nr)
		memcpy(p->labels.at + p->labels.nr, p->scratch_labels.at,
		       nr * sizeof(struct label));
	p->label_sets.at[p->label_sets.nr++] = (struct span){ p->labels.nr, nr };
	p->labels.nr += nr;
	ddp__table_insert(&p->label_set_table, at->label_set_hash, position);
	return position;
}

static void put_sample(struct ddp_profile *p, struct sample s, const struct ddp_sample *in)
{
	uint32_t nr = p->value_types.nr;

	if (in->timestamp_ns) {
		memcpy(p->timed_values.at + p->timed_values.nr, in->values, nr * sizeof(int64_t));
		p->timed_values.nr += nr;
		p->timestamps_ns.at[p->timestamps_ns.nr++] = in->timestamp_ns;
		p->timed_samples.at[p->timed_samples.nr++] = s;
		return;
	}
	memcpy(p->values.at + p->values.nr, in->values, nr * sizeof(int64_t));
	p->values.nr += nr;
	ddp__table_insert(&p->sample_table, sample_hash(p, s), p->samples.nr);
	p->samples.at[p->samples.nr++] = s;
}

static int64_t add_saturating(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static void add_values(struct ddp_profile *p, uint32_t sample, const int64_t *values)
{
	int64_t *to = p->values.at + (size_t)sample * p->value_types.nr;
	uint32_t i;

	for (i = 0; i < p->value_types.nr; i++)
		to[i] = add_saturating(to[i], values[i]);
}

int ddp_profile_add(struct ddp_profile *p, const struct ddp_sample *s)
{
	bool timed = s->timestamp_ns != 0;
	struct place at;
	struct sample new;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (s->nr_values != p->value_types.nr)
		return -EINVAL;
	if ((r = read_labels(p, s)) || (r = read_stack(p, s)))
		return r;
	at = find_place(p, timed);
	if (at.sample != TABLE_NONE) {
		add_values(p, at.sample, s->values);
		return 0;
	}
	if ((r = reserve_parts(p, &at)) || (r = reserve_sample(p, timed)))
		return r;
	new = (struct sample){ put_stack(p, &at), put_label_set(p, &at) };
	put_sample(p, new, s);
	return 0;
}
