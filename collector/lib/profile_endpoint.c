// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints: which one a local root span led to, joined to samples by the encoder, and how often
 * each was called, for the upload.
 */
#include "profile_parts.h"
#include "profile_upscale.h"

struct endpoint_key {
	const struct ddp_profile *p;
	uint64_t local_root_span_id;
};

static bool endpoint_equal(const void *ctx, uint32_t position)
{
	const struct endpoint_key *k = ctx;

	return k->p->endpoints.at[position].local_root_span_id == k->local_root_span_id;
}

static uint32_t hash_span(const struct ddp_profile *p, uint64_t local_root_span_id)
{
	return hash_bytes(p, &local_root_span_id, sizeof(local_root_span_id));
}

static uint32_t endpoint_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_span(p, p->endpoints.at[position].local_root_span_id);
}

static struct place find_endpoint(const struct ddp_profile *p, uint64_t local_root_span_id)
{
	struct endpoint_key key = { p, local_root_span_id };
	struct place at = { .hash = hash_span(p, local_root_span_id) };

	at.at = table_find(&p->endpoint_table, at.hash, endpoint_equal, &key);
	return at;
}

uint32_t ddp__endpoint_of(const struct ddp_profile *p, uint64_t local_root_span_id)
{
	struct place at = find_endpoint(p, local_root_span_id);

	return at.at == TABLE_NONE ? DDP_STRING_EMPTY : p->endpoints.at[at.at].endpoint;
}

int ddp_profile_endpoint(struct ddp_profile *p, uint64_t local_root_span_id, uint32_t endpoint)
{
	struct endpoint new = { .local_root_span_id = local_root_span_id };
	struct place at;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	r = string_index(p, endpoint, &new.endpoint);
	if (r)
		return r;
	if (!local_root_span_id || !new.endpoint)
		return -EINVAL;
	at = find_endpoint(p, local_root_span_id);
	if (at.at != TABLE_NONE) {
		p->endpoints.at[at.at] = new;
		return 0;
	}
	if (p->endpoints.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->endpoints, 1)) ||
	    (r = ddp__table_reserve(&p->endpoint_table, &p->budget, endpoint_hash, p)))
		return r;
	ddp__table_insert(&p->endpoint_table, at.hash, p->endpoints.nr);
	p->endpoints.at[p->endpoints.nr++] = new;
	return 0;
}

/* Counts */

struct count_key {
	const struct ddp_profile *p;
	uint32_t endpoint;
};

static bool count_equal(const void *ctx, uint32_t position)
{
	const struct count_key *k = ctx;

	return k->p->endpoint_counts.at[position].endpoint == k->endpoint;
}

static uint32_t hash_counted(const struct ddp_profile *p, uint32_t endpoint)
{
	return hash_bytes(p, &endpoint, sizeof(endpoint));
}

static uint32_t count_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_counted(p, p->endpoint_counts.at[position].endpoint);
}

int ddp_profile_endpoint_count(struct ddp_profile *p, uint32_t endpoint, int64_t n)
{
	struct endpoint_count new = { .count = n };
	struct count_key key = { .p = p };
	uint32_t hash;
	int64_t found;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	r = string_index(p, endpoint, &new.endpoint);
	if (r)
		return r;
	key.endpoint = new.endpoint;
	hash = hash_counted(p, new.endpoint);
	found = table_find(&p->endpoint_count_table, hash, count_equal, &key);
	if (found != TABLE_NONE) {
		struct endpoint_count *c = &p->endpoint_counts.at[found];

		c->count = sum_add(c->count, n);
		return 0;
	}
	if ((r = VEC_RESERVE(&p->budget, &p->endpoint_counts, 1)) ||
	    (r = ddp__table_reserve(&p->endpoint_count_table, &p->budget, count_hash, p)))
		return r;
	ddp__table_insert(&p->endpoint_count_table, hash, p->endpoint_counts.nr);
	p->endpoint_counts.at[p->endpoint_counts.nr++] = new;
	return 0;
}

int ddp_profile_endpoint_count_at(const struct ddp_profile *p, size_t i,
				  struct ddp_endpoint_count *ret)
{
	const struct endpoint_count *c;
	struct span s;

	if (i >= p->endpoint_counts.nr)
		return -ENOENT;
	c = &p->endpoint_counts.at[i];
	s = p->strings.at[c->endpoint];
	*ret = (struct ddp_endpoint_count){
		.endpoint = p->string_bytes.at + s.first, .len = s.nr, .count = c->count,
	};
	return 0;
}
