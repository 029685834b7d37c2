/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounds-checked walk over bytes that nobody has vouched for. Every read checks what is left,
 * answers -EBADMSG instead of reading past the end, and then leaves the cursor at the field that
 * did not fit, so that cursor_at() names the place. Formats: uapi/ddprof.h, "RECORDS"; DWARF 5,
 * section 7. Used by decode and ehframe.
 */
#ifndef DDP_BASE_CURSOR_H
#define DDP_BASE_CURSOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *start;	/* of the whole input; positions count from here */
	const uint8_t *pos;
	const uint8_t *end;
};

static inline struct cursor cursor_over(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	return (struct cursor){ p, p, n ? p + n : p };
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->pos);
}

/** Bytes from the start of the input. */
static inline size_t cursor_at(const struct cursor *c)
{
	return (size_t)(c->pos - c->start);
}

static inline int cursor_u8(struct cursor *c, uint8_t *ret)
{
	if (c->pos == c->end)
		return -EBADMSG;
	*ret = *c->pos++;
	return 0;
}

/** A number of @bytes bytes, 1..8, lowest first. */
static inline int cursor_fixed(struct cursor *c, size_t bytes, uint64_t *ret)
{
	if (cursor_left(c) < bytes)
		return -EBADMSG;
	*ret = 0;
	memcpy(ret, c->pos, bytes);
	c->pos += bytes;
	return 0;
}

/* As cursor_varint(), of any length and at the end of the input. */
static inline __attribute__((__cold__)) int cursor_varint_slow(struct cursor *c, uint64_t *ret)
{
	const uint8_t *p = c->pos;
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		if (p == c->end || (shift == 63 && *p > 1))
			return -EBADMSG;
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p++ & 0x80)) {
			c->pos = p;
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

/**
 * LEB128 of at most ten bytes and 64 bits. Longer spellings of a small number are allowed. Most have
 * up to three bytes: the next one's lowest bit takes the place of the flag that each adds.
 */
static inline int cursor_varint(struct cursor *c, uint64_t *ret)
{
	const uint8_t *p = c->pos;
	uint32_t v, n = 1;

	if (cursor_left(c) < 3)
		return cursor_varint_slow(c, ret);
	v = p[0];
	if (v & 0x80) {
		v += ((uint32_t)p[1] << 7) - 0x80;
		n++;
	}
	if (v & 0x4000) {
		v += ((uint32_t)p[2] << 14) - 0x4000;
		n++;
	}
	if (v & 0x200000)
		return cursor_varint_slow(c, ret);
	c->pos = p + n;
	*ret = v;
	return 0;
}

/** Signed LEB128 as DWARF has it, of at most ten bytes; bits beyond 64 are not looked at. */
static inline int cursor_sleb(struct cursor *c, int64_t *ret)
{
	const uint8_t *p = c->pos;
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		if (p == c->end)
			return -EBADMSG;
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80)) {
			if (*p & 0x40 && shift < 57)
				v |= ~0ULL << (shift + 7);
			c->pos = p + 1;
			*ret = (int64_t)v;
			return 0;
		}
		p++;
	}
	return -EBADMSG;
}

/** A varint that has to fit 32 bits. */
static inline int cursor_varint32(struct cursor *c, uint32_t *ret)
{
	const uint8_t *field = c->pos;
	uint64_t v;
	int r = cursor_varint(c, &v);

	if (r)
		return r;
	if (v > UINT32_MAX) {
		c->pos = field;
		return -EBADMSG;
	}
	*ret = (uint32_t)v;
	return 0;
}

/** A signed difference, as the two's complement bits to add. */
static inline int cursor_zigzag(struct cursor *c, uint64_t *ret)
{
	uint64_t v;
	int r = cursor_varint(c, &v);

	if (r)
		return r;
	*ret = (v >> 1) ^ (0 - (v & 1));
	return 0;
}

/** The next @n bytes as a cursor of their own, with positions of the whole input. */
static inline int cursor_slice(struct cursor *c, uint64_t n, struct cursor *ret)
{
	if (n > cursor_left(c))
		return -EBADMSG;
	*ret = (struct cursor){ c->start, c->pos, c->pos + n };
	c->pos += n;
	return 0;
}

/** Go on @n bytes further. */
static inline int cursor_skip(struct cursor *c, uint64_t n)
{
	if (n > cursor_left(c))
		return -EBADMSG;
	c->pos += n;
	return 0;
}

/** Length and bytes; @ret points into the input and is not terminated. */
static inline int cursor_string(struct cursor *c, size_t max, const char **ret, uint32_t *ret_len)
{
	const uint8_t *field = c->pos;
	uint64_t n;
	int r = cursor_varint(c, &n);

	if (r)
		return r;
	if (n > max || n > cursor_left(c)) {
		c->pos = field;
		return -EBADMSG;
	}
	*ret = (const char *)c->pos;
	*ret_len = (uint32_t)n;
	c->pos += n;
	return 0;
}

#endif /* DDP_BASE_CURSOR_H */
