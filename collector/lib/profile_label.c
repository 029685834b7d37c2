// SPDX-License-Identifier: Apache-2.0
/*
 * Label sets. Two sets with the same labels are one, whatever their order: the hash of a set is
 * the sum of its labels' hashes. A set is checked when it is new; one that equals a known set is
 * as good as that.
 */
#include <string.h>

#include "profile_parts.h"

int ddp__labels_read(struct ddp_profile *p, const struct ddp_label *labels, uint32_t nr)
{
	uint32_t i;
	int r;

	if (nr > MAX_LABELS)
		return -EINVAL;
	r = VEC_RESERVE(&p->budget, &p->scratch_labels, nr);
	if (r)
		return r;
	for (i = 0; i < nr; i++)
		p->scratch_labels.at[i] = (struct label){
			.num = labels[i].num, .key = labels[i].key, .str = labels[i].str,
			.num_unit = labels[i].num_unit,
		};
	p->scratch_labels.nr = nr;
	return 0;
}

static uint32_t hash_labels(const struct ddp_profile *p, const struct label *labels, uint32_t nr)
{
	uint64_t sum = nr;
	uint32_t i;

	_Static_assert(sizeof(struct label) == 3 * sizeof(uint64_t), "hashed as three words");
	for (i = 0; i < nr; i++)
		sum += hash_words3(&p->hash_key, &labels[i]);
	return sum ^ sum >> 32;
}

static uint32_t set_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	struct span s = p->label_sets.at[position];

	return hash_labels(p, s.nr ? p->labels.at + s.first : NULL, s.nr);
}

static bool contains(const struct label *labels, uint32_t nr, const struct label *l)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (!memcmp(&labels[i], l, sizeof(*l)))
			return true;
	return false;
}

/* The known set has no label twice: when all of its labels are among as many, these are the same */
static bool set_equal(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	struct span s = p->label_sets.at[position];
	const struct label *known, *new = p->scratch_labels.at;
	uint32_t i;

	if (s.nr != p->scratch_labels.nr || !s.nr)
		return s.nr == p->scratch_labels.nr;
	known = p->labels.at + s.first;
	for (i = 0; i < s.nr && !memcmp(&known[i], &new[i], sizeof(*known)); i++)
		;
	for (; i < s.nr; i++)
		if (!contains(new, s.nr, &known[i]))
			return false;
	return true;
}

struct place ddp__label_set_find(const struct ddp_profile *p)
{
	struct place at = { .hash = hash_labels(p, p->scratch_labels.at, p->scratch_labels.nr) };

	at.at = table_find(&p->label_set_table, at.hash, set_equal, p);
	return at;
}

static int check_label(const struct ddp_profile *p, const struct label *l)
{
	uint32_t index;
	int r;

	if ((r = string_index(p, l->key, &index)) ||
	    (r = string_index(p, l->str, &index)) ||
	    (r = string_index(p, l->num_unit, &index)))
		return r;
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

static int check_labels(const struct ddp_profile *p)
{
	const struct label *l = p->scratch_labels.at;
	uint32_t i, k;
	int r;

	for (i = 0; i < p->scratch_labels.nr; i++) {
		r = check_label(p, &l[i]);
		if (r)
			return r;
		for (k = 0; k < i; k++)
			if (l[k].key == l[i].key)
				return -EEXIST;
	}
	return 0;
}

int ddp__label_set_reserve(struct ddp_profile *p)
{
	int r = check_labels(p);

	if (r)
		return r;
	if (p->label_sets.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->label_sets, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->labels, p->scratch_labels.nr)))
		return r;
	return ddp__table_reserve(&p->label_set_table, &p->budget, set_hash, p);
}

uint32_t ddp__label_set_put(struct ddp_profile *p, uint32_t hash)
{
	uint32_t nr = p->scratch_labels.nr, position = p->label_sets.nr++;

	if (nr)
		memcpy(p->labels.at + p->labels.nr, p->scratch_labels.at,
		       nr * sizeof(struct label));
	p->label_sets.at[position] = (struct span){ p->labels.nr, nr };
	p->labels.nr += nr;
	ddp__table_insert(&p->label_set_table, hash, position);
	return position;
}

int ddp_profile_label_set(struct ddp_profile *p, const struct ddp_label *labels, uint32_t nr,
			  uint32_t *ret_id)
{
	struct place s;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	r = ddp__labels_read(p, labels, nr);
	if (r)
		return r;
	s = ddp__label_set_find(p);
	if (s.at == TABLE_NONE) {
		r = ddp__label_set_reserve(p);
		if (r)
			return r;
		s.at = ddp__label_set_put(p, s.hash);
	}
	*ret_id = id_of(p->base[ID_LABEL_SET], 0, s.at);
	return 0;
}
