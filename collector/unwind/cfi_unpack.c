// SPDX-License-Identifier: Apache-2.0
/*
 * See cfi_unpack.h. Room is made for the size that the section states, once that is known to be
 * possible, and nothing unpacks to more than that. Source of formats: System V gABI, "Section
 * Compression"; the .zdebug form as binutils has it.
 */
#include "unwind/cfi_unpack.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/cleanup.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2	/* elf.h has it since glibc 2.37 */
#endif

/* Real sections reach 3 to 6; bytes that are all the same 1032 with zlib, and more with zstd */
enum { MAX_RATIO = 64 };

struct packed {
	const uint8_t *data;
	size_t nr;
	uint64_t unpacked;	/* bytes, as stated */
	uint32_t type;		/* ELFCOMPRESS_* */
};

static int parse_zdebug(const uint8_t *bytes, size_t nr, struct packed *ret)
{
	uint64_t size;

	if (nr < 12 || memcmp(bytes, "ZLIB", 4))
		return -EBADMSG;
	memcpy(&size, bytes + 4, sizeof(size));
	*ret = (struct packed){ bytes + 12, nr - 12, be64toh(size), ELFCOMPRESS_ZLIB };
	return 0;
}

static int parse_header(const uint8_t *bytes, size_t nr, struct packed *ret)
{
	Elf64_Chdr h;

	if (nr < sizeof(h))
		return -EBADMSG;
	memcpy(&h, bytes, sizeof(h));
	*ret = (struct packed){ bytes + sizeof(h), nr - sizeof(h), h.ch_size, h.ch_type };
	return 0;
}

static int unpack_zlib(const struct packed *p, uint8_t *to)
{
	uLongf n = (uLongf)p->unpacked;
	int r = uncompress(to, &n, p->data, (uLong)p->nr);

	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_OK && n == p->unpacked ? 0 : -EBADMSG;
}

static int unpack_zstd(const struct packed *p, uint8_t *to)
{
	size_t n = ZSTD_decompress(to, p->unpacked, p->data, p->nr);

	return ZSTD_isError(n) || n != p->unpacked ? -EBADMSG : 0;
}

int ddp_cfi_unpack(uint8_t **bytes, size_t *nr, bool zdebug, size_t max)
{
	CLEANUP(free) uint8_t *to = NULL;
	struct packed p;
	int r = zdebug ? parse_zdebug(*bytes, *nr, &p) : parse_header(*bytes, *nr, &p);

	if (r)
		return r;
	if (p.unpacked > max)
		return -EFBIG;
	if (p.unpacked / MAX_RATIO > p.nr)
		return -EBADMSG;
	to = malloc(p.unpacked + 1);
	if (!to)
		return -ENOMEM;
	if (p.type == ELFCOMPRESS_ZLIB)
		r = unpack_zlib(&p, to);
	else
		r = p.type == ELFCOMPRESS_ZSTD ? unpack_zstd(&p, to) : -EBADMSG;
	if (r)
		return r;
	*nr = p.unpacked;
	free(*bytes);
	*bytes = TAKE(to);
	return 0;
}
