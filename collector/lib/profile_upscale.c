// SPDX-License-Identifier: Apache-2.0
/*
 * Upscaling rules: checked when they come, applied by the encoder to a copy of each sample's
 * values. The rules of one label (or those by value, whose label is empty) are a list in the order
 * they came in; a table leads from a label to the first of its list.
 *
 * Source of the Poisson scale: a sample is taken with probability 1 - exp(-size / distance) when
 * the distance between samples is exponentially distributed.
 */
#include <math.h>
#include <string.h>

#include "profile_parts.h"
#include "profile_upscale.h"

/* Checking */

static bool is_in(const struct offset_set *set, uint32_t offset)
{
	return set->bits[offset / 64] >> offset % 64 & 1;
}

static void put_in(struct offset_set *set, uint32_t offset)
{
	set->bits[offset / 64] |= 1ULL << offset % 64;
}

static bool overlap(const struct offset_set *a, const struct offset_set *b)
{
	size_t i;

	for (i = 0; i < sizeof(a->bits) / sizeof(*a->bits); i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}

static void unite(struct offset_set *set, const struct offset_set *more)
{
	size_t i;

	for (i = 0; i < sizeof(set->bits) / sizeof(*set->bits); i++)
		set->bits[i] |= more->bits[i];
}

static bool kind_is_good(const struct ddp_profile *p, const struct ddp_upscaling_rule *rule)
{
	uint32_t nr = p->value_types.nr;

	switch (rule->kind) {
	case DDP_UPSCALE_POISSON:
		return rule->sum < nr && rule->count_at < nr && rule->distance;
	case DDP_UPSCALE_POISSON_COUNT:
		return rule->sum < nr && rule->count && rule->distance;
	case DDP_UPSCALE_PROPORTIONAL:
		return isfinite(rule->scale) && rule->scale > 0;
	}
	return false;
}

static int read_offsets(const struct ddp_profile *p, const struct ddp_upscaling_rule *rule,
			struct offset_set *ret)
{
	uint32_t i, offset;

	*ret = (struct offset_set){ { 0 } };
	if (rule->nr_offsets < 1 || rule->nr_offsets > p->value_types.nr)
		return -EINVAL;
	for (i = 0; i < rule->nr_offsets; i++) {
		offset = rule->offsets[i];
		if (offset >= p->value_types.nr || is_in(ret, offset))
			return -EINVAL;
		put_in(ret, offset);
	}
	return 0;
}

/* The rules of a label */

struct rule_key {
	const struct ddp_profile *p;
	uint32_t label[2];	/* key, string */
};

static bool rule_equal(const void *ctx, uint32_t position)
{
	const struct rule_key *k = ctx;
	const struct rule *r = &k->p->rules.at[position];

	return r->label_key == k->label[0] && r->label_str == k->label[1];
}

static uint32_t hash_label(const struct ddp_profile *p, uint32_t key, uint32_t str)
{
	const uint32_t label[2] = { key, str };

	return hash_bytes(p, label, sizeof(label));
}

static uint32_t rule_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_label(p, p->rules.at[position].label_key, p->rules.at[position].label_str);
}

static struct place find_rules(const struct ddp_profile *p, uint32_t key, uint32_t str)
{
	struct rule_key k = { p, { key, str } };
	struct place at = { .hash = hash_label(p, key, str) };

	at.at = table_find(&p->rule_table, at.hash, rule_equal, &k);
	return at;
}

/* Whether one of the list from @first on scales one of @offsets */
static bool list_overlaps(const struct ddp_profile *p, int64_t first,
			  const struct offset_set *offsets)
{
	uint32_t next1, i;

	for (next1 = first + 1; next1; next1 = p->rules.at[next1 - 1].next1) {
		const struct rule *r = &p->rules.at[next1 - 1];

		for (i = 0; i < r->nr; i++)
			if (is_in(offsets, p->rule_offsets.at[r->first + i]))
				return true;
	}
	return false;
}

static int reserve_rule(struct ddp_profile *p, uint32_t nr_offsets)
{
	int r;

	if ((r = VEC_RESERVE(&p->budget, &p->rules, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->rule_offsets, nr_offsets)))
		return r;
	return ddp__table_reserve(&p->rule_table, &p->budget, rule_hash, p);
}

/* At the end of its label's list */
static void put_rule(struct ddp_profile *p, struct place at, struct rule new,
		     const uint32_t *offsets)
{
	uint32_t *link, position = p->rules.nr++;

	new.first = p->rule_offsets.nr;
	memcpy(p->rule_offsets.at + new.first, offsets, new.nr * sizeof(*offsets));
	p->rule_offsets.nr += new.nr;
	p->rules.at[position] = new;
	if (at.at == TABLE_NONE) {
		ddp__table_insert(&p->rule_table, at.hash, position);
		return;
	}
	for (link = &p->rules.at[at.at].next1; *link; link = &p->rules.at[*link - 1].next1)
		;
	*link = position + 1;
}

static int read_rule(const struct ddp_profile *p, const struct ddp_upscaling_rule *rule,
		     struct rule *ret)
{
	int r;

	*ret = (struct rule){
		.kind = rule->kind, .nr = rule->nr_offsets, .sum = rule->sum,
		.count_at = rule->count_at, .count = rule->count, .distance = rule->distance,
		.scale = rule->scale,
	};
	if ((r = string_index(p, rule->label_key, &ret->label_key)) ||
	    (r = string_index(p, rule->label_str, &ret->label_str)))
		return r;
	return !ret->label_key == !ret->label_str && kind_is_good(p, rule) ? 0 : -EINVAL;
}

int ddp_profile_upscale(struct ddp_profile *p, const struct ddp_upscaling_rule *rule)
{
	struct offset_set offsets;
	struct place at;
	struct rule new;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = read_rule(p, rule, &new)) || (r = read_offsets(p, rule, &offsets)))
		return r;
	at = find_rules(p, new.label_key, new.label_str);
	if (overlap(&offsets, new.label_key ? &p->scaled_by_value : &p->scaled_by_label) ||
	    list_overlaps(p, at.at, &offsets))
		return -EEXIST;
	r = reserve_rule(p, new.nr);
	if (r)
		return r;
	put_rule(p, at, new, rule->offsets);
	unite(new.label_key ? &p->scaled_by_label : &p->scaled_by_value, &offsets);
	return 0;
}

/* Applying */

static double poisson_scale(double sum, double count, double distance)
{
	return sum == 0 || count == 0 ? 1 : 1 / (1 - exp(-(sum / count) / distance));
}

static double scale_of(const struct rule *r, const int64_t *values)
{
	switch (r->kind) {
	case DDP_UPSCALE_POISSON:
		return poisson_scale(values[r->sum], values[r->count_at], r->distance);
	case DDP_UPSCALE_POISSON_COUNT:
		return poisson_scale(values[r->sum], r->count, r->distance);
	case DDP_UPSCALE_PROPORTIONAL:
		break;
	}
	return r->scale;
}

/* 2^63 is a double; INT64_MAX is none. */
static int64_t scaled(int64_t v, double scale)
{
	double d = round((double)v * scale);

	if (scale == 1)
		return v;
	if (isnan(d))
		return 0;
	if (d >= 0x1p63)
		return INT64_MAX;
	return d < -0x1p63 ? INT64_MIN : (int64_t)d;
}

static void apply_list(const struct ddp_profile *p, int64_t first, int64_t *values)
{
	uint32_t next1, i, offset;
	double scale;

	for (next1 = first + 1; next1; next1 = p->rules.at[next1 - 1].next1) {
		const struct rule *r = &p->rules.at[next1 - 1];

		scale = scale_of(r, values);
		for (i = 0; i < r->nr; i++) {
			offset = p->rule_offsets.at[r->first + i];
			values[offset] = scaled(values[offset], scale);
		}
	}
}

void ddp__upscale_label(const struct ddp_profile *p, uint32_t key, uint32_t str, int64_t *values)
{
	apply_list(p, find_rules(p, key, str).at, values);
}

void ddp__upscale_all(const struct ddp_profile *p, int64_t *values)
{
	apply_list(p, find_rules(p, DDP_STRING_EMPTY, DDP_STRING_EMPTY).at, values);
}
