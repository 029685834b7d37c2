// SPDX-License-Identifier: Apache-2.0
/*
 * Shared strings in a profile: each handle used in this generation is remembered with the string
 * it became here. The reference kept to it keeps the handle from naming another string meanwhile.
 */
#include "profile_parts.h"
#include "strings_take.h"

struct shared_key {
	const struct ddp_profile *p;
	uint64_t handle;
};

static bool shared_equal(const void *ctx, uint32_t position)
{
	const struct shared_key *k = ctx;

	return k->p->shared_strings.at[position].handle == k->handle;
}

static uint32_t hash_handle(const struct ddp_profile *p, uint64_t handle)
{
	return hash_bytes(p, &handle, sizeof(handle));
}

static uint32_t shared_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_handle(p, p->shared_strings.at[position].handle);
}

/* The string of a handle that is new in this generation. */
static int take(struct ddp_profile *p, uint64_t handle, uint32_t *ret)
{
	const char *bytes;
	size_t len;
	int r;

	if ((r = VEC_RESERVE(&p->budget, &p->shared_strings, 1)) ||
	    (r = ddp__table_reserve(&p->shared_table, &p->budget, shared_hash, p)) ||
	    (r = ddp__strings_take(p->shared, handle, &bytes, &len)))
		return r;
	r = ddp__string_intern(p, bytes, len, ret);
	if (r) {
		ddp_strings_release(p->shared, handle);
		return r;
	}
	ddp__table_insert(&p->shared_table, hash_handle(p, handle), p->shared_strings.nr);
	p->shared_strings.at[p->shared_strings.nr++] =
		(struct shared_string){ .handle = handle, .string = *ret };
	return 0;
}

int ddp_profile_shared_string(struct ddp_profile *p, uint64_t handle, uint32_t *ret_id)
{
	struct shared_key key = { p, handle };
	uint32_t index;
	int64_t found;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (!p->shared)
		return -EINVAL;
	found = table_find(&p->shared_table, hash_handle(p, handle), shared_equal, &key);
	if (found != TABLE_NONE) {
		index = p->shared_strings.at[found].string;
	} else {
		r = take(p, handle, &index);
		if (r)
			return r;
	}
	*ret_id = id_of(p->base[ID_STRING], p->fixed_strings, index);
	return 0;
}

void ddp__shared_release(struct ddp_profile *p)
{
	uint32_t i;

	for (i = 0; i < p->shared_strings.nr; i++)
		ddp_strings_release(p->shared, p->shared_strings.at[i].handle);
	p->shared_strings.nr = 0;
	ddp__table_clear(&p->shared_table);
}
