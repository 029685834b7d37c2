/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the builder's files share besides the layout: hashing with the profile's own seed, and ids
 * back into indexes.
 */
#ifndef DDPROF_LIB_PROFILE_HASH_H
#define DDPROF_LIB_PROFILE_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "profile_internal.h"

static inline uint32_t hash_bytes(const struct ddp_profile *p, const void *bytes, size_t n)
{
	return XXH3_64bits_withSeed(n ? bytes : "", n, p->hash_seed);
}

/* 0 or -ESTALE. A location must not be none. */
DDP_INTERNAL int ddp__string_index(const struct ddp_profile *p, uint32_t id, uint32_t *ret);
DDP_INTERNAL int ddp__location_index(const struct ddp_profile *p, uint32_t id, uint32_t *ret);

#endif /* DDPROF_LIB_PROFILE_HASH_H */
