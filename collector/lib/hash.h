/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashing what others choose: names, addresses and labels come from the programs that are profiled,
 * which must not be able to make them collide. XXH3 with a random seed does not promise that: its
 * key is then a public one to which the seed is added everywhere, and texts exist that collide for
 * one seed in 126, whatever the seeds are. With a key that is random in every byte what is known
 * of the differences between its parts is gone, and with it such texts; it costs the same time.
 *
 * Source: how keys and seeds enter, XXH3_initCustomSecret() and XXH3_accumulate_512() of xxhash.h.
 */
#ifndef DDPROF_LIB_HASH_H
#define DDPROF_LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct hash_key {
	unsigned char bytes[XXH3_SECRET_DEFAULT_SIZE];
};

/* A key of its own for each object. Before the system has random numbers, the public one. */
static inline void hash_key_init(struct hash_key *k)
{
	if (getrandom(k->bytes, sizeof(k->bytes), GRND_NONBLOCK) != sizeof(k->bytes))
		XXH3_generateSecret_fromSeed(k->bytes, 0);
}

/* A key that is made when it is first asked for: for structs that begin as all zero. */
struct lazy_hash_key {
	struct hash_key key;
	bool made;
};

static inline const struct hash_key *hash_key_get(struct lazy_hash_key *k)
{
	if (!k->made)
		hash_key_init(&k->key);
	k->made = true;
	return &k->key;
}

static inline uint64_t hash64(const struct hash_key *k, const void *bytes, size_t n)
{
	return XXH3_64bits_withSecret(n ? bytes : "", n, k->bytes, sizeof(k->bytes));
}

/* For XXH3_64bits_update() and _digest(): of pieces what hash64() is of the whole */
static inline void hash64_begin(const struct hash_key *k, XXH3_state_t *state)
{
	XXH3_64bits_reset_withSecret(state, k->bytes, sizeof(k->bytes));
}

/*
 * Three words, in a fraction of hash64()'s time: what a table of small elements of one size needs.
 * Each product's factors are both hidden by the key, as in XXH3_mix16B().
 */
static inline uint64_t hash_words3(const struct hash_key *k, const void *element)
{
	uint64_t words[3], keys[4];

	memcpy(words, element, sizeof(words));
	memcpy(keys, k->bytes, sizeof(keys));
	return XXH3_mul128_fold64(words[0] ^ keys[0], words[1] ^ keys[1]) ^
	       XXH3_mul128_fold64(words[2] ^ keys[2], words[0] + keys[3]);
}

static inline XXH128_hash_t hash128(const struct hash_key *k, const void *bytes, size_t n)
{
	return XXH3_128bits_withSecret(n ? bytes : "", n, k->bytes, sizeof(k->bytes));
}

#endif /* DDPROF_LIB_HASH_H */
