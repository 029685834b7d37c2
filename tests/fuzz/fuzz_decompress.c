// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: compressed bytes, at once and in pieces, which must come out the same; and any bytes
 * compressed, which must come back. Input: a byte for the size of the pieces, a byte for format and
 * level, then the bytes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/compress.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 20 };

static int decompress_in_pieces(const uint8_t *bytes, size_t n, size_t piece,
				struct ddp_buffer *ret)
{
	struct ddp_decompressor *d;
	size_t at, now;
	int r = 0;

	must(!ddp_decompressor_create(MAX_BYTES, ddp_buffer_write, ret, &d));
	for (at = 0; !r && at < n; at += now) {
		now = n - at < piece ? n - at : piece;
		r = ddp_decompressor_write(d, bytes + at, now);
	}
	if (!r)
		r = ddp_decompressor_finish(d);
	must(ddp_decompressor_position(d) <= n);
	must(r || ddp_decompressor_position(d) == n);
	ddp_decompressor_destroy(d);
	return r;
}

/* What is too large and damaged behind it may be called either: a decoder looks ahead. */
static bool same_error(int x, int y)
{
	return x == y || (x == -EFBIG && y == -EBADMSG) || (x == -EBADMSG && y == -EFBIG);
}

static void decompress(const uint8_t *bytes, size_t n, size_t piece)
{
	struct ddp_buffer once = { .max_bytes = MAX_BYTES }, pieces = { .max_bytes = MAX_BYTES };
	int r = ddp_decompress(bytes, n, MAX_BYTES, ddp_buffer_write, &once);

	must(!r || r == -EBADMSG || r == -ENODATA || r == -EFBIG || r == -ENOTSUP);
	must(same_error(decompress_in_pieces(bytes, n, piece, &pieces), r));
	if (!r) {
		must(once.len == pieces.len);
		must(!once.len || !memcmp(once.bytes, pieces.bytes, once.len));
	}
	ddp_buffer_free(&once);
	ddp_buffer_free(&pieces);
}

static void there_and_back(const uint8_t *bytes, size_t n, size_t piece, unsigned int choice)
{
	/* the slow levels are left to the unit test */
	static const int max_level[] = { 1, 6, 5, 5 };
	enum ddp_compression c = choice % 4;
	int level = choice / 4 % (max_level[c] + 1);
	struct ddp_buffer packed = { 0 }, out = { 0 };
	struct ddp_compressor *z;
	size_t at, now;

	must(!ddp_compressor_create(c, level, ddp_buffer_write, &packed, &z));
	for (at = 0; at < n; at += now) {
		now = n - at < piece ? n - at : piece;
		must(!ddp_compressor_write(z, bytes + at, now));
	}
	must(!ddp_compressor_finish(z));
	ddp_compressor_destroy(z);
	/* plain bytes may look like compressed ones */
	if (c != DDP_PLAIN) {
		must(!ddp_decompress(packed.bytes, packed.len, n, ddp_buffer_write, &out));
		must(out.len == n && (!n || !memcmp(out.bytes, bytes, n)));
	}
	ddp_buffer_free(&packed);
	ddp_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;
	uint8_t *bytes;

	if (size < 2)
		return 0;
	piece = data[0] < 128 ? data[0] + 1u : data[0] * 100u;
	bytes = malloc(size - 2 ? size - 2 : 1);	/* ends where they end */
	must(bytes);
	memcpy(bytes, data + 2, size - 2);
	decompress(bytes, size - 2, piece);
	there_and_back(bytes, size - 2, piece, data[1]);
	free(bytes);
	return 0;
}
