// SPDX-License-Identifier: Apache-2.0
/*
 * Stacks, as struct stack describes them. A known stack is found by one hash over the ids as they
 * were handed in, and compared piece by piece; being equal to ids that were checked, they need no
 * check of their own. Only a new one has its ids checked and its chunks looked up, root first.
 */
#include <string.h>

#include "profile_parts.h"

struct stack_key {
	const struct ddp_profile *p;
	const uint32_t *ids;
	uint32_t nr;
};

/* Of the few at a leaf: cheaper than a call */
static bool same_ids(const uint32_t *a, const uint32_t *b, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static bool stack_equal(const void *ctx, uint32_t position)
{
	const struct stack_key *k = ctx;
	const struct stack *s = &k->p->stacks.at[position];
	uint32_t n = s->nr % CHUNK_IDS, chunk1;
	const struct chunk *c;

	if (s->nr != k->nr || !same_ids(s->leaf, k->ids, n))
		return false;
	for (chunk1 = s->chunk1; chunk1; chunk1 = c->parent1, n += CHUNK_IDS) {
		c = &k->p->chunks.at[chunk1 - 1];
		if (memcmp(c->ids, k->ids + n, sizeof(c->ids)))
			return false;
	}
	return true;
}

uint32_t ddp__stack_hash(const struct ddp_profile *p, const uint32_t *ids, uint32_t nr)
{
	uint32_t hash = hash_bytes(p, ids, nr * sizeof(*ids));

	table_prefetch(&p->stack_table, hash);
	return hash;
}

struct place ddp__stack_find(const struct ddp_profile *p, uint32_t hash, const uint32_t *ids,
			     uint32_t nr)
{
	struct stack_key key = { p, ids, nr };

	return (struct place){ table_find(&p->stack_table, hash, stack_equal, &key), hash };
}

/* As of the ids in one array */
static uint32_t stack_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	const struct stack *s = &p->stacks.at[position];
	const struct chunk *c;
	XXH3_state_t hash;
	uint32_t chunk1;

	hash64_begin(&p->hash_key, &hash);
	XXH3_64bits_update(&hash, s->leaf, s->nr % CHUNK_IDS * sizeof(*s->leaf));
	for (chunk1 = s->chunk1; chunk1; chunk1 = c->parent1) {
		c = &p->chunks.at[chunk1 - 1];
		XXH3_64bits_update(&hash, c->ids, sizeof(c->ids));
	}
	return XXH3_64bits_digest(&hash);
}

static uint32_t chunk_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_bytes(p, &p->chunks.at[position], sizeof(struct chunk));
}

static int check_locations(const struct ddp_profile *p, const uint32_t *ids, uint32_t nr)
{
	uint32_t base = p->base[ID_LOCATION], i;

	for (i = 0; i < nr; i++)
		if (ids[i] - base - 1 >= p->locations.nr - 1)
			return -ESTALE;
	return 0;
}

int ddp__stack_reserve(struct ddp_profile *p, const uint32_t *ids, uint32_t nr)
{
	int r = check_locations(p, ids, nr);

	if (r)
		return r;
	if (p->stacks.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->stacks, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->chunks, nr / CHUNK_IDS)) ||
	    (r = ddp__table_reserve_many(&p->chunk_table, &p->budget, nr / CHUNK_IDS, chunk_hash,
					 p)))
		return r;
	return ddp__table_reserve(&p->stack_table, &p->budget, stack_hash, p);
}

struct chunk_key {
	const struct ddp_profile *p;
	const struct chunk *c;
};

static bool chunk_equal(const void *ctx, uint32_t position)
{
	const struct chunk_key *k = ctx;

	return !memcmp(&k->p->chunks.at[position], k->c, sizeof(*k->c));
}

/* There is room. @return its position + 1 */
static uint32_t put_chunk(struct ddp_profile *p, uint32_t parent1, const uint32_t *ids)
{
	struct chunk c = { .parent1 = parent1 };
	struct chunk_key key = { p, &c };
	uint32_t hash;
	int64_t found;

	memcpy(c.ids, ids, sizeof(c.ids));
	hash = hash_bytes(p, &c, sizeof(c));
	found = table_find(&p->chunk_table, hash, chunk_equal, &key);
	if (found != TABLE_NONE)
		return found + 1;
	ddp__table_insert(&p->chunk_table, hash, p->chunks.nr);
	p->chunks.at[p->chunks.nr] = c;
	return ++p->chunks.nr;
}

uint32_t ddp__stack_put(struct ddp_profile *p, uint32_t hash, const uint32_t *ids, uint32_t nr)
{
	struct stack s = { .nr = nr };
	uint32_t left, position = p->stacks.nr++;

	for (left = nr; left >= CHUNK_IDS; left -= CHUNK_IDS)
		s.chunk1 = put_chunk(p, s.chunk1, ids + left - CHUNK_IDS);
	if (left)
		memcpy(s.leaf, ids, left * sizeof(*ids));
	p->stacks.at[position] = s;
	ddp__table_insert(&p->stack_table, hash, position);
	return position;
}

int ddp_profile_stack(struct ddp_profile *p, const uint32_t *locations, uint32_t nr,
		      uint32_t *ret_id)
{
	struct place s;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (nr > MAX_LOCATIONS)
		return -EINVAL;
	s = ddp__stack_find(p, ddp__stack_hash(p, locations, nr), locations, nr);
	if (s.at == TABLE_NONE) {
		r = ddp__stack_reserve(p, locations, nr);
		if (r)
			return r;
		s.at = ddp__stack_put(p, s.hash, locations, nr);
	}
	*ret_id = id_of(p->base[ID_STACK], 0, s.at);
	return 0;
}
