// SPDX-License-Identifier: Apache-2.0
/*
 * Reading compressed bytes from memory, whatever format they are in, with a ceiling on what may
 * come out: a few hostile kilobytes can stand for terabytes. Each decoder hands its output to the
 * sink piece by piece, and the sink refuses before the ceiling is passed.
 */
#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "alloc.h"
#include "cleanup.h"
#include "ddprof/compress.h"

enum {
	OUT_BYTES = 128 * 1024,
	GZIP_WINDOW = 15 + 16,		/* gzip only, any window size */
	ZSTD_WINDOW_LOG_MAX = 27,	/* 128 MiB, what zstd itself allows unasked */
};

struct sink {
	ddp_write_fn write;
	void *ctx;
	size_t left;		/* bytes that may still come out */
	unsigned char *out;	/* OUT_BYTES for the decoder */
};

struct source {
	const unsigned char *at;
	size_t left;
};

static int sink_put(struct sink *s, const void *bytes, size_t n)
{
	if (n > s->left)
		return -EFBIG;
	s->left -= n;
	return n ? s->write(s->ctx, bytes, n) : 0;
}

enum ddp_compression ddp_compression_detect(const void *bytes, size_t n)
{
	static const struct {
		unsigned char magic[4];
		size_t n;
		enum ddp_compression c;
	} magics[] = {
		{ { 0x1f, 0x8b }, 2, DDP_GZIP },
		{ { 0x04, 0x22, 0x4d, 0x18 }, 4, DDP_LZ4 },
		{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, DDP_ZSTD },
	};
	size_t i;

	for (i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if (n >= magics[i].n && !memcmp(bytes, magics[i].magic, magics[i].n))
			return magics[i].c;
	return DDP_PLAIN;
}

static int gzip_error(int z)
{
	return z == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

/* One gzip member, from its header to its checksum. */
static int gunzip_member(z_stream *z, struct source *src, struct sink *sink)
{
	size_t given;
	int ret, r;

	do {
		given = src->left < UINT_MAX ? src->left : UINT_MAX;
		z->next_in = (unsigned char *)src->at;
		z->avail_in = given;
		z->next_out = sink->out;
		z->avail_out = OUT_BYTES;
		ret = inflate(z, Z_NO_FLUSH);
		src->at += given - z->avail_in;
		src->left -= given - z->avail_in;
		if (ret == Z_BUF_ERROR)
			return -ENODATA;
		if (ret != Z_OK && ret != Z_STREAM_END)
			return gzip_error(ret);
		r = sink_put(sink, sink->out, OUT_BYTES - z->avail_out);
		if (r)
			return r;
	} while (ret != Z_STREAM_END);
	return 0;
}

static int gunzip(struct source *src, struct sink *sink)
{
	z_stream z = { 0 };
	int r = inflateInit2(&z, GZIP_WINDOW);

	if (r != Z_OK)
		return -ENOMEM;
	do {
		inflateReset(&z);
		r = gunzip_member(&z, src, sink);
	} while (!r && src->left);
	inflateEnd(&z);
	return r;
}

static int unlz4(struct source *src, struct sink *sink)
{
	LZ4F_dctx *ctx;
	size_t hint = 1, in, out;
	int r = 0;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
		return -ENOMEM;
	/* hint is 0 exactly at the end of a frame; the next call then begins another */
	do {
		in = src->left;
		out = OUT_BYTES;
		hint = LZ4F_decompress(ctx, sink->out, &out, src->at, &in, NULL);
		if (LZ4F_isError(hint))
			r = -EBADMSG;
		else
			r = sink_put(sink, sink->out, out);
		src->at += in;
		src->left -= in;
		if (!r && hint && !in && !out)
			r = -ENODATA;
	} while (!r && (src->left || hint));
	LZ4F_freeDecompressionContext(ctx);
	return r;
}

static int unzstd(struct source *src, struct sink *sink)
{
	ZSTD_inBuffer in = { src->at, src->left, 0 };
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	size_t hint;
	int r = 0;

	if (!ctx)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	do {
		ZSTD_outBuffer out = { sink->out, OUT_BYTES, 0 };
		size_t before = in.pos;

		hint = ZSTD_decompressStream(ctx, &out, &in);
		if (ZSTD_isError(hint))
			r = -EBADMSG;
		else
			r = sink_put(sink, sink->out, out.pos);
		if (!r && hint && in.pos == before && !out.pos)
			r = -ENODATA;
	} while (!r && (in.pos < in.size || hint));
	ZSTD_freeDCtx(ctx);
	return r;
}

int ddp_decompress(const void *bytes, size_t n, size_t max_bytes, ddp_write_fn write, void *ctx)
{
	enum ddp_compression c = ddp_compression_detect(bytes, n);
	struct sink sink = { .write = write, .ctx = ctx, .left = max_bytes };
	struct source src = { bytes, n };
	CLEANUP(ddp__free) unsigned char *out = NULL;

	if (c == DDP_PLAIN)
		return sink_put(&sink, bytes, n);
	out = ddp__alloc(OUT_BYTES);
	if (!out)
		return -ENOMEM;
	sink.out = out;
	if (c == DDP_GZIP)
		return gunzip(&src, &sink);
	return c == DDP_LZ4 ? unlz4(&src, &sink) : unzstd(&src, &sink);
}
