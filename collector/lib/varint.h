/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LEB128 varints, for the builder's own memory and for what record_out.h hands out, and the zigzag
 * form of signed numbers: whoever puts has seen to the room, and whoever gets trusts what was put.
 *
 * Source: protobuf's encoding guide.
 */
#ifndef DDPROF_LIB_VARINT_H
#define DDPROF_LIB_VARINT_H

#include <stdint.h>

enum { VARINT_BYTES = 10 };	/* the longest one */

/* @return behind it */
static inline unsigned char *varint_put(unsigned char *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*to++ = v | 0x80;
	*to++ = v;
	return to;
}

/* Reads what varint_put() wrote. @return behind it */
static inline const unsigned char *varint_get(const unsigned char *from, uint64_t *ret)
{
	unsigned int shift = 0;
	uint64_t v = 0;

	for (; *from & 0x80; shift += 7)
		v |= (uint64_t)(*from++ & 0x7f) << shift;
	*ret = v | (uint64_t)*from++ << shift;
	return from;
}

/* Small numbers of either sign become small numbers: 0, -1, 1, -2 are 0, 1, 2, 3 */
static inline uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ -(v & 1));
}

#endif /* DDPROF_LIB_VARINT_H */
