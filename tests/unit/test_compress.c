// SPDX-License-Identifier: Apache-2.0
/*
 * Every format there and back, at every level's ends, in pieces of any size; and what damaged,
 * cut or malicious input does to the way back: an error, never more than the ceiling.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>
#include <lz4frame.h>

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

/* @ret gets what comes out of @n bytes that are handed over in pieces; the result of it all. */
static int decompress_in_pieces(const unsigned char *bytes, size_t n, size_t piece,
				struct ddp_buffer *ret, uint64_t *position)
{
	struct ddp_decompressor *d;
	unsigned char *copy;
	size_t at, now;
	int r = 0;

	assert_int_equal(ddp_decompressor_create(TEXT_BYTES, ddp_buffer_write, ret, &d), 0);
	for (at = 0; !r && at < n; at += now) {
		now = n - at < piece ? n - at : piece;
		/* memory of its own, so that nobody comes back to it */
		copy = malloc(now);
		memcpy(copy, bytes + at, now);
		r = ddp_decompressor_write(d, copy, now);
		free(copy);
	}
	if (!r)
		r = ddp_decompressor_finish(d);
	*position = ddp_decompressor_position(d);
	ddp_decompressor_destroy(d);
	return r;
}

static void pieces_make_no_difference(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 4, 5, 1000, 65536 };
	static const size_t sizes[] = { 0, 1, 3, 4, 5, TEXT_BYTES };
	struct ddp_buffer packed = { 0 }, out = { 0 };
	unsigned char *text = make_text();
	uint64_t position;
	size_t c, i, k;

	(void)state;
	for (c = 0; c < NR_ALL; c++) {
		for (k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
			compress(all[c], 0, text, sizes[k], TEXT_BYTES, &packed);
			for (i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
				assert_int_equal(decompress_in_pieces(packed.bytes, packed.len,
						 pieces[i], &out, &position), 0);
				assert_int_equal(position, packed.len);
				assert_int_equal(out.len, sizes[k]);
				if (out.len)
					assert_memory_equal(out.bytes, text, out.len);
				out.len = 0;
			}
			ddp_buffer_free(&packed);
		}
	}
	ddp_buffer_free(&out);
	free(text);
}

/* Few bytes stand for more than the decompressor's own buffer: all must come out, and at once. */
static void much_comes_out_of_little(void **state)
{
	unsigned char *zeros = calloc(1, TEXT_BYTES);
	struct ddp_buffer packed = { 0 }, out = { 0 };
	struct ddp_decompressor *d;
	size_t c;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, zeros, TEXT_BYTES, TEXT_BYTES, &packed);
		assert_true(packed.len < TEXT_BYTES / 50);
		/* all but the checksum at the end */
		assert_int_equal(ddp_decompressor_create(TEXT_BYTES, ddp_buffer_write, &out, &d), 0);
		assert_int_equal(ddp_decompressor_write(d, packed.bytes, packed.len - 4), 0);
		assert_int_equal(out.len, TEXT_BYTES);
		assert_memory_equal(out.bytes, zeros, TEXT_BYTES);
		assert_int_equal(ddp_decompressor_write(d, packed.bytes + packed.len - 4, 4), 0);
		assert_int_equal(ddp_decompressor_finish(d), 0);
		ddp_decompressor_destroy(d);
		ddp_buffer_free(&packed);
		out.len = 0;
	}
	ddp_buffer_free(&out);
	free(zeros);
}

static void errors_have_a_position(void **state)
{
	struct ddp_buffer packed = { 0 }, out = { 0 };
	unsigned char *text = make_text();
	uint64_t position;
	size_t c, piece;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		compress(all[c], 0, text, TEXT_BYTES, TEXT_BYTES, &packed);
		for (piece = 1; piece <= packed.len; piece = piece == 1 ? 997 : packed.len + 1) {
			assert_int_equal(decompress_in_pieces(packed.bytes, packed.len - 3, piece,
							      &out, &position), -ENODATA);
			assert_int_equal(position, packed.len - 3);
			out.len = 0;
		}
		ddp_buffer_free(&packed);
	}
	ddp_buffer_free(&out);
	free(text);
}

/* However much is handed over at once, the position is that of the damage. */
static void damage_has_a_position(void **state)
{
	static const struct {
		const char *what;
		size_t flip;	/* so many bytes before the end; 0: none */
		const char *junk;	/* behind the end */
		size_t before, after;	/* as far as this from the damage */
	} rows[] = {
		{ "the checksum, which comes last", 1, "", 8, 1 },
		{ "the checksum, and junk behind it", 1, "junk of a size", 8, 1 },
		{ "junk behind the end, in place of a header", 0, "junk of a size", 0, 7 },
	};
	static const size_t pieces[] = { 1, 5, 997, TEXT_BYTES };
	struct ddp_buffer packed = { 0 }, out = { 0 };
	unsigned char *text = make_text();
	uint64_t position;
	size_t c, i, k, at;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		for (c = 1; c < NR_ALL; c++) {
			compress(all[c], 0, text, TEXT_BYTES, TEXT_BYTES, &packed);
			at = packed.len - rows[i].flip;
			if (rows[i].flip)	/* gzip has the length behind its checksum */
				packed.bytes[at - (all[c] == DDP_GZIP ? 4 : 0)] ^= 1;
			ddp_buffer_write(&packed, rows[i].junk, strlen(rows[i].junk));
			for (k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
				assert_int_equal(decompress_in_pieces(packed.bytes, packed.len,
						 pieces[k], &out, &position), -EBADMSG);
				assert_in_range(position, at - rows[i].before,
						at + rows[i].after);
				out.len = 0;
			}
			ddp_buffer_free(&packed);
		}
	}
	ddp_buffer_free(&out);
	free(text);
}

static void the_first_bytes_decide(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
		int r;
	} rows[] = {
		{ "one byte of gzip's magic", "\x1f", 1, 0 },
		{ "gzip's magic", "\x1f\x8b", 2, -ENODATA },
		{ "gzip's magic and one byte", "\x1f\x8b\x08", 3, -ENODATA },
		{ "three bytes of LZ4's", "\x04\x22\x4d", 3, 0 },
		{ "LZ4's magic", "\x04\x22\x4d\x18", 4, -ENODATA },
		{ "three bytes of zstd's", "\x28\xb5\x2f", 3, 0 },
		{ "zstd's magic", "\x28\xb5\x2f\xfd", 4, -ENODATA },
		{ "a window of 128 MiB", "\x28\xb5\x2f\xfd\x00\x88", 6, -ENODATA },
		{ "a window of more", "\x28\xb5\x2f\xfd\x00\x89", 6, -ENOTSUP },
		{ "a window of 2 TiB", "\x28\xb5\x2f\xfd\x00\xf8", 6, -ENOTSUP },
		{ "neither", "abcdef", 6, 0 },
	};
	struct ddp_buffer out = { 0 };
	uint64_t position;
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		for (piece = 1; piece <= rows[i].n; piece++) {
			assert_int_equal(decompress_in_pieces((const unsigned char *)rows[i].bytes,
					 rows[i].n, piece, &out, &position), rows[i].r);
			if (!rows[i].r)
				assert_memory_equal(out.bytes, rows[i].bytes, rows[i].n);
			assert_int_equal(out.len, rows[i].r ? 0 : rows[i].n);
			out.len = 0;
		}
	}
	ddp_buffer_free(&out);
}

/* Blocks as large as LZ4 allows: 4 MiB, in a frame made with LZ4's own library */
static void the_largest_blocks_are_read(void **state)
{
	enum { BYTES = 10 << 20 };
	LZ4F_preferences_t prefs = {
		.frameInfo = { .blockSizeID = LZ4F_max4MB, .blockMode = LZ4F_blockLinked },
	};
	size_t room = LZ4F_compressFrameBound(BYTES, &prefs), n, i;
	unsigned char *text = malloc(BYTES), *packed = malloc(room);
	struct ddp_buffer out = { 0 };

	(void)state;
	for (i = 0; i < BYTES; i++)
		text[i] = (unsigned char)(i >> 7) ^ (unsigned char)(i * i >> 11);
	n = LZ4F_compressFrame(packed, room, text, BYTES, &prefs);
	assert_false(LZ4F_isError(n));
	assert_int_equal(ddp_decompress(packed, n, BYTES, ddp_buffer_write, &out), 0);
	assert_int_equal(out.len, BYTES);
	assert_memory_equal(out.bytes, text, BYTES);
	ddp_buffer_free(&out);
	free(packed);
	free(text);
}

/* Names that come again and again, like those of a profile */
static unsigned char *make_names(void)
{
	unsigned char *text = calloc(1, TEXT_BYTES + 32);
	uint32_t x = 1;
	size_t n = 0;

	while (n < TEXT_BYTES) {
		x = x * 1664525 + 1013904223;
		n += (size_t)sprintf((char *)text + n, "name_%u::f%u;", x >> 23, (x >> 17) % 7);
	}
	return text;
}

static void higher_levels_are_smaller(void **state)
{
	static const int levels[][3] = { [1] = { 1, 6, 9 }, [2] = { 1, 3, 12 }, [3] = { 1, 3, 19 } };
	unsigned char *text = make_names();
	struct ddp_buffer packed = { 0 };
	size_t c, i, before;

	(void)state;
	for (c = 1; c < NR_ALL; c++) {
		for (i = 0, before = SIZE_MAX; i < 3; i++) {
			compress(all[c], levels[c][i], text, TEXT_BYTES, TEXT_BYTES, &packed);
			check_back(&packed, text, TEXT_BYTES);
			assert_true(packed.len < before);
			before = packed.len;
			ddp_buffer_free(&packed);
		}
	}
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
	/* LZ4 writes its header at once */
	room = 3;
	assert_int_equal(ddp_compressor_create(DDP_LZ4, 0, full_disk, &room, &z), -ENOSPC);
	assert_int_equal(ddp_decompress("plain", 5, 10, full_disk, &room), -ENOSPC);
	for (c = 1; c < NR_ALL; c++) {
		struct ddp_buffer packed = { 0 };

		compress(all[c], 0, text, 1000, 1000, &packed);
		room = 3;
		assert_int_equal(ddp_decompress(packed.bytes, packed.len, 1000, full_disk, &room),
				 -ENOSPC);
		ddp_buffer_free(&packed);
	}
	free(text);
}

/* Past their end all codecs do the same: refuse, and write nothing that would spoil the stream. */
static void past_the_end_is_refused(void **state)
{
	static const struct {
		const char *what;
		bool failed;	/* by a full disk, or else finished */
		bool finish;	/* asked for then, or else a write */
		size_t n;
	} rows[] = {
		{ "a write after the end", false, false, TEXT_BYTES },
		{ "a write of nothing after the end", false, false, 0 },
		{ "a second end", false, true, 0 },
		{ "a write after an error", true, false, TEXT_BYTES },
		{ "an end after an error", true, true, 0 },
	};
	unsigned char *text = make_text();
	struct ddp_compressor *z;
	size_t c, i, k, room, left;
	int r;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		for (c = 0; c < NR_ALL; c++) {
			room = rows[i].failed ? 20 : SIZE_MAX;
			assert_int_equal(ddp_compressor_create(all[c], 0, full_disk, &room, &z), 0);
			r = ddp_compressor_write(z, text, rows[i].failed ? TEXT_BYTES : 1000);
			assert_int_equal(r, rows[i].failed ? -ENOSPC : 0);
			if (!rows[i].failed)
				assert_int_equal(ddp_compressor_finish(z), 0);
			left = room = SIZE_MAX;
			for (k = 0; k < 2; k++)
				assert_int_equal(rows[i].finish ? ddp_compressor_finish(z) :
						 ddp_compressor_write(z, text, rows[i].n), -EINVAL);
			assert_int_equal(room, left);
			ddp_compressor_destroy(z);
		}
	}
	free(text);
}

static void past_the_end_of_reading_is_refused(void **state)
{
	struct ddp_buffer packed = { 0 }, out = { 0 };
	struct ddp_decompressor *d;
	size_t c, max;
	int r;

	(void)state;
	for (c = 0; c < NR_ALL; c++) {
		compress(all[c], 0, "12345", 5, 5, &packed);
		for (max = 4; max <= 5; max++) {
			r = ddp_decompressor_create(max, ddp_buffer_write, &out, &d);
			assert_int_equal(r, 0);
			assert_int_equal(ddp_decompressor_write(d, packed.bytes, packed.len),
					 max < 5 ? -EFBIG : 0);
			assert_int_equal(ddp_decompressor_finish(d), max < 5 ? -EINVAL : 0);
			out.len = 0;
			assert_int_equal(ddp_decompressor_write(d, packed.bytes, packed.len),
					 -EINVAL);
			assert_int_equal(ddp_decompressor_finish(d), -EINVAL);
			assert_int_equal(out.len, 0);
			ddp_decompressor_destroy(d);
		}
		ddp_buffer_free(&packed);
	}
	ddp_buffer_free(&out);
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
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(much_comes_out_of_little),
		cmocka_unit_test(errors_have_a_position),
		cmocka_unit_test(damage_has_a_position),
		cmocka_unit_test(the_first_bytes_decide),
		cmocka_unit_test(the_largest_blocks_are_read),
		cmocka_unit_test(higher_levels_are_smaller),
		cmocka_unit_test(the_callbacks_error_comes_back),
		cmocka_unit_test(past_the_end_is_refused),
		cmocka_unit_test(past_the_end_of_reading_is_refused),
		cmocka_unit_test(names_choose_the_format),
		cmocka_unit_test(levels_and_formats_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
