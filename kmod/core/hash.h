/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A keyed 128-bit hash of 64-bit words: the identity of a sample in the stack cache. Two samples
 * with the same hash count as the same stack, so it has to be wide, and because programs choose
 * what lies on their stacks it has to be keyed: the key is random and new for each session. Two
 * lanes of folded 64x64->128 multiplications; some 0.6 nanoseconds a word. Used by kmod/capture.
 */
#ifndef DDP_CORE_HASH_H
#define DDP_CORE_HASH_H

#include "port.h"

struct ddp_hash_key {
	u64 k[4];	/* random; all zero is allowed but mixes badly */
};

struct ddp_hash {
	u64 a, b;
};

static inline u64 ddp_hash_mum(u64 x, u64 y)
{
	unsigned __int128 p = (unsigned __int128)x * y;

	return (u64)p ^ (u64)(p >> 64);
}

static inline void ddp_hash_init(struct ddp_hash *h, const struct ddp_hash_key *key)
{
	h->a = key->k[0];
	h->b = key->k[1];
}

/*
 * Two words. A factor is zero, and a lane forgotten, only for who knows the key. Words that can be
 * each other's complement may agree in one lane, once in 2^27 pairs: who hashes such takes both.
 */
static inline void ddp_hash_pair(struct ddp_hash *h, const struct ddp_hash_key *key, u64 x, u64 y)
{
	h->a = ddp_hash_mum(h->a ^ x, key->k[2] ^ y);
	h->b = ddp_hash_mum(h->b ^ y, key->k[3] ^ x);
}

/* An odd last word has a partner of its own, so that a zero after it is another input. */
static inline void ddp_hash_words(struct ddp_hash *h, const struct ddp_hash_key *key,
				  const u64 *words, u32 n)
{
	u32 i;

	for (i = 0; i + 1 < n; i += 2)
		ddp_hash_pair(h, key, words[i], words[i + 1]);
	if (i < n)
		ddp_hash_pair(h, key, words[i], 0x9e3779b97f4a7c15ULL);
}

#endif /* DDP_CORE_HASH_H */
