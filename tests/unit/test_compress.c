// SPDX-License-Identifier: Apache-2.0
/*
 * Every format there and back, at every level's ends, in pieces of any size; and what damaged,
 * cut or malicious input does to the way back: an error, never more than the ceiling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "ddprof/compress.h"

enum { TEXT_BYTES = 300000 };	/* several of the codecs' blocks */

static const enum ddp_compression all[] = { DDP_PLAIN, DDP_GZIP, DDP_LZ4, DDP_ZSTD };
enum { NR_ALL = sizeof(all) / sizeof(*all) };

/* Half compressible, half noise; the same every time. */
static unsigned char *make_text(void)
{
	unsigned char *text = malloc(TEXT_BYTES);
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < TEXT_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = i / 5000 % 2 ? (unsigned char)(x >> 24) :
					  (unsigned char)"stack;frame;main"[i % 16];
	}
	return text;
}

static void compress(enum ddp_compression c, int level, const void *bytes, size_t n, size_t piece,
		     struct ddp_buffer *ret)
{
	struct ddp_compressor *z;
	size_t at, now;

	assert_int_equal(ddp_compressor_create(c, level, ddp_buffer_write, ret, &z), 0);
	for (at = 0; at < n; at += now) {
		now = n - at < piece ? n - at : piece;
		assert_int_equal(ddp_compressor_write(z, (const char *)bytes + at, now), 0);
	}
	assert_int_equal(ddp_compressor_finish(z), 0);
	ddp_compressor_destroy(z);
}

static void check_back(const struct ddp_buffer *packed, const void *bytes, size_t n)
{
	struct ddp_buffer out = { 0 };

	assert_int_equal(ddp_decompress(packed->bytes, packed->len, n, ddp_buffer_write, &out), 0);
	assert_int_equal(out.len, n);
	if (n)
		assert_memory_equal(out.bytes, bytes, n);
	ddp_buffer_free(&out);
}

static void there_and_back(void **state)
{
	static const struct {
		const char *what;
		size_t n, piece;
	} rows[] = {
		{ "nothing", 0, 1 },
		{ "one byte", 1, 1 },
		{ "in odd pieces", TEXT_BYTES, 777 },
		{ "in large pieces", TEXT_BYTES, 65537 },
		{ "at once", TEXT_BYTES, TEXT_BYTES },
	};
	static const int max_level[] = { 1, 9, 12, 19 };
	unsigned char *text = make_text();
	struct ddp_buffer packed = { 0 };
	size_t i, c;
	int level;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (c = 0; c < NR_ALL; c++) {
			for (level = 0; level <= max_level[c]; level += max_level[c]) {
				compress(all[c], level, text, rows[i].n, rows[i].piece, &packed);
				if (packed.len)
					assert_int_equal(ddp_compression_detect(packed.bytes,
							 packed.len), all[c]);
				if (rows[i].n == TEXT_BYTES && c)
					assert_true(packed.len < TEXT_BYTES * 6 / 10);
				check_back(&packed, text, rows[i].n);
				ddp_buffer_free(&packed);
			}
		}
	}
	free(text);
}

static void members_in_a_row_are_one_stream(void **state)
{
	struct ddp_buffer packed = { 0 };
	size_t c;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, "first,", 6, 6, &packed);
		compress(all[c], 0, "second", 6, 6, &packed);
		check_back(&packed, "first,second", 12);
		ddp_buffer_free(&packed);
	}
}

static void the_ceiling_holds(void **state)
{
	const size_t zeros_bytes = 64 << 20;
	unsigned char *zeros = calloc(1, zeros_bytes);
	struct ddp_buffer packed = { 0 }, out = { .max_bytes = 1 << 20 };
	size_t c;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, zeros, zeros_bytes, zeros_bytes, &packed);
		assert_true(packed.len < zeros_bytes / 100);
		assert_int_equal(ddp_decompress(packed.bytes, packed.len, 1 << 20,
						ddp_buffer_write, &out), -EFBIG);
		assert_true(out.len <= 1 << 20);
		out.len = 0;
		/* exactly as much as is in it is allowed; one byte less is not */
		ddp_buffer_free(&packed);
		compress(all[c], 0, "12345", 5, 5, &packed);
		assert_int_equal(ddp_decompress(packed.bytes, packed.len, 5, ddp_buffer_write,
						&out), 0);
		assert_int_equal(ddp_decompress(packed.bytes, packed.len, 4, ddp_buffer_write,
						&out), -EFBIG);
		ddp_buffer_free(&packed);
		out.len = 0;
	}
	assert_int_equal(ddp_decompress("plain", 5, 4, ddp_buffer_write, &out), -EFBIG);
	ddp_buffer_free(&out);
	free(zeros);
}

static void every_cut_is_noticed(void **state)
{
	struct ddp_buffer packed = { 0 }, out = { 0 };
	size_t c, n;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, "some bytes, some bytes", 22, 22, &packed);
		for (n = 4; n < packed.len; n++)
			assert_int_equal(ddp_decompress(packed.bytes, n, 1000, ddp_buffer_write,
							&out), -ENODATA);
		ddp_buffer_write(&packed, "junk of a size", 14);
		assert_int_equal(ddp_decompress(packed.bytes, packed.len, 1000, ddp_buffer_write,
						&out), -EBADMSG);
		ddp_buffer_free(&packed);
	}
	ddp_buffer_free(&out);
}

/* Each bit flipped in turn: an error, or (header bits that nobody checks) the same bytes. */
static void every_flipped_bit_is_survived(void **state)
{
	unsigned char *text = make_text();
	struct ddp_buffer packed = { 0 }, out = { 0 };
	size_t c, bit, caught;
	int r;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, text, 600, 600, &packed);
		for (bit = 32, caught = 0; bit < packed.len * 8; bit++) {
			packed.bytes[bit / 8] ^= 1 << bit % 8;
			r = ddp_decompress(packed.bytes, packed.len, 10000, ddp_buffer_write, &out);
			if (r)
				caught++;
			else
				assert_true(out.len == 600 && !memcmp(out.bytes, text, 600));
			packed.bytes[bit / 8] ^= 1 << bit % 8;
			out.len = 0;
		}
		assert_true(caught > (packed.len - 4) * 8 * 6 / 10);
		ddp_buffer_free(&packed);
	}
	ddp_buffer_free(&out);
	free(text);
}

static int full_disk(void *ctx, const void *bytes, size_t n)
{
	size_t *left = ctx;

	(void)bytes;
	if (n > *left)
		return -ENOSPC;
	*left -= n;
	return 0;
}

static void the_callbacks_error_comes_back(void **state)
{
	unsigned char *text = make_text();
	struct ddp_compressor *z;
	size_t c, room;
	int r;

	(void)state;
	for (c = 0; c < NR_ALL; c++) {
		room = 100;
		assert_int_equal(ddp_compressor_create(all[c], 0, full_disk, &room, &z), 0);
		r = ddp_compressor_write(z, text, TEXT_BYTES);
		if (!r)
			r = ddp_compressor_finish(z);
		assert_int_equal(r, -ENOSPC);
		ddp_compressor_destroy(z);
	}
	room = 3;
	assert_int_equal(ddp_decompress("plain", 5, 10, full_disk, &room), -ENOSPC);
	free(text);
}

static void names_choose_the_format(void **state)
{
	static const struct {
		const char *path;
		int r;
		enum ddp_compression c;
	} rows[] = {
		{ "cpu.pprof", 0, DDP_GZIP },
		{ "cpu.pb.gz", 0, DDP_GZIP },
		{ "cpu.pprof.lz4", 0, DDP_LZ4 },
		{ "dir.pb/cpu.pprof.zst", 0, DDP_ZSTD },
		{ "cpu.pb", 0, DDP_PLAIN },
		{ "cpu.txt", -EINVAL, DDP_PLAIN },
		{ ".pb", -EINVAL, DDP_PLAIN },
		{ "", -EINVAL, DDP_PLAIN },
	};
	enum ddp_compression c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		c = DDP_PLAIN;
		assert_int_equal(ddp_compression_from_path(rows[i].path, &c), rows[i].r);
		assert_int_equal(c, rows[i].c);
	}
	assert_string_equal(ddp_compression_name(DDP_ZSTD), "zstd");
}

static void levels_and_formats_are_checked(void **state)
{
	struct ddp_buffer out = { 0 };
	struct ddp_compressor *z;

	(void)state;
	assert_int_equal(ddp_compressor_create(DDP_GZIP, 10, ddp_buffer_write, &out, &z), -EINVAL);
	assert_int_equal(ddp_compressor_create(DDP_LZ4, 13, ddp_buffer_write, &out, &z), -EINVAL);
	assert_int_equal(ddp_compressor_create(DDP_ZSTD, -1, ddp_buffer_write, &out, &z), -EINVAL);
	assert_int_equal(ddp_compressor_create(99, 0, ddp_buffer_write, &out, &z), -EINVAL);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(members_in_a_row_are_one_stream),
		cmocka_unit_test(the_ceiling_holds),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(every_flipped_bit_is_survived),
		cmocka_unit_test(the_callbacks_error_comes_back),
		cmocka_unit_test(names_choose_the_format),
		cmocka_unit_test(levels_and_formats_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
