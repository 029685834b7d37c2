// SPDX-License-Identifier: Apache-2.0
/*
 * The four ways out behind one table of operations: each codec takes bytes, and hands what it has
 * ready to the compressor's callback through one output buffer. Reading is decompress.c.
 */
#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "alloc.h"
#include "codec_memory.h"
#include "compressor.h"

enum {
	CHUNK_BYTES = 64 * 1024,	/* input handed to a codec at once */
	GZIP_WINDOW = 15 + 16,		/* 32 KiB window; + 16: gzip's header and trailer */
	GZIP_MEMORY = 8,
};

struct codec;

struct ddp_compressor {
	const struct codec *codec;
	int level;
	uint64_t expected;		/* bytes to come, about; 0: not known */
	ddp_write_fn write;
	void *ctx;
	union {
		z_stream gzip;
		LZ4F_cctx *lz4;
		ZSTD_CCtx *zstd;
	};
	unsigned char *out;
	size_t out_bytes;
	bool ended;			/* finished or failed: codecs answer differently then */
};

struct codec {
	const char *name;
	int default_level, max_level;
	int (*init)(struct ddp_compressor *c);
	int (*write)(struct ddp_compressor *c, const unsigned char *bytes, size_t n);
	int (*finish)(struct ddp_compressor *c);
	void (*deinit)(struct ddp_compressor *c);	/* only after a good init */
};

static int out_alloc(struct ddp_compressor *c, size_t n)
{
	c->out = ddp__block_alloc(n);
	c->out_bytes = n;
	return c->out ? 0 : -ENOMEM;
}

static int out_write(struct ddp_compressor *c, size_t n)
{
	return n ? c->write(c->ctx, c->out, n) : 0;
}

/* Plain */

static int plain_init(struct ddp_compressor *c)
{
	(void)c;
	return 0;
}

static int plain_write(struct ddp_compressor *c, const unsigned char *bytes, size_t n)
{
	return c->write(c->ctx, bytes, n);
}

static void plain_deinit(struct ddp_compressor *c)
{
	(void)c;
}

/* gzip */

static int gzip_init(struct ddp_compressor *c)
{
	int r = out_alloc(c, CHUNK_BYTES);

	if (r)
		return r;
	c->gzip = (z_stream){ .zalloc = codec_zalloc, .zfree = codec_zfree };
	r = deflateInit2(&c->gzip, c->level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY);
	return r == Z_OK ? 0 : -ENOMEM;
}

static int gzip_run(struct ddp_compressor *c, int flush)
{
	int z, r;

	do {
		c->gzip.next_out = c->out;
		c->gzip.avail_out = c->out_bytes;
		z = deflate(&c->gzip, flush);
		if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
			return -EIO;
		r = out_write(c, c->out_bytes - c->gzip.avail_out);
		if (r)
			return r;
	} while (flush == Z_FINISH ? z != Z_STREAM_END : !c->gzip.avail_out);
	return 0;
}

static int gzip_write(struct ddp_compressor *c, const unsigned char *bytes, size_t n)
{
	c->gzip.next_in = (unsigned char *)bytes;
	c->gzip.avail_in = n;
	return gzip_run(c, Z_NO_FLUSH);
}

static int gzip_finish(struct ddp_compressor *c)
{
	return gzip_run(c, Z_FINISH);
}

static void gzip_deinit(struct ddp_compressor *c)
{
	deflateEnd(&c->gzip);
}

/* LZ4: independent of the content's length, with a checksum at the end of the frame */

static LZ4F_preferences_t lz4_preferences(int level)
{
	return (LZ4F_preferences_t){
		.frameInfo = {
			.blockSizeID = LZ4F_max64KB,
			.contentChecksumFlag = LZ4F_contentChecksumEnabled,
		},
		.compressionLevel = level,
	};
}

static int lz4_init(struct ddp_compressor *c)
{
	LZ4F_preferences_t prefs = lz4_preferences(c->level);
	size_t n;
	int r = out_alloc(c, LZ4F_compressBound(CHUNK_BYTES, &prefs) + LZ4F_HEADER_SIZE_MAX);

	if (r)
		return r;
	if (LZ4F_isError(LZ4F_createCompressionContext(&c->lz4, LZ4F_VERSION)))
		return -ENOMEM;
	n = LZ4F_compressBegin(c->lz4, c->out, c->out_bytes, &prefs);
	r = LZ4F_isError(n) ? -ENOMEM : out_write(c, n);
	if (r)
		LZ4F_freeCompressionContext(c->lz4);
	return r;
}

static int lz4_write(struct ddp_compressor *c, const unsigned char *bytes, size_t n)
{
	size_t made = LZ4F_compressUpdate(c->lz4, c->out, c->out_bytes, bytes, n, NULL);

	return LZ4F_isError(made) ? -EIO : out_write(c, made);
}

static int lz4_finish(struct ddp_compressor *c)
{
	size_t made = LZ4F_compressEnd(c->lz4, c->out, c->out_bytes, NULL);

	return LZ4F_isError(made) ? -EIO : out_write(c, made);
}

static void lz4_deinit(struct ddp_compressor *c)
{
	LZ4F_freeCompressionContext(c->lz4);
}

/* zstd */

/*
 * Level 1 has a window of 512 KiB and looks for long repetitions only. A profile of a few hundred
 * KiB would be kept whole in it. Looking for shorter ones as well, in two tables, finds as much in
 * a quarter of it: for less than half of the memory, and a quarter more time.
 */
static void zstd_fit(struct ddp_compressor *c)
{
	static const struct {
		ZSTD_cParameter name;
		int value;
	} fitting[] = {
		{ ZSTD_c_strategy, ZSTD_dfast }, { ZSTD_c_minMatch, 5 },
		{ ZSTD_c_hashLog, 14 }, { ZSTD_c_chainLog, 13 },
	};
	enum { SMALL = 1 << 20, NOT_LARGE = 4 << 20 };
	size_t i;

	if (c->level != 1 || !c->expected || c->expected > NOT_LARGE)
		return;
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog, c->expected > SMALL ? 18 : 17);
	for (i = 0; i < sizeof(fitting) / sizeof(*fitting); i++)
		ZSTD_CCtx_setParameter(c->zstd, fitting[i].name, fitting[i].value);
}

static int zstd_init(struct ddp_compressor *c)
{
	int r = out_alloc(c, ZSTD_CStreamOutSize());

	if (r)
		return r;
	c->zstd = ZSTD_createCCtx();
	if (!c->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, c->level);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	zstd_fit(c);
	return 0;
}

static int zstd_run(struct ddp_compressor *c, ZSTD_inBuffer *in, ZSTD_EndDirective end)
{
	size_t left;
	int r;

	do {
		ZSTD_outBuffer out = { c->out, c->out_bytes, 0 };

		left = ZSTD_compressStream2(c->zstd, &out, in, end);
		if (ZSTD_isError(left))
			return -EIO;
		r = out_write(c, out.pos);
		if (r)
			return r;
	} while (end == ZSTD_e_end ? left : in->pos < in->size);
	return 0;
}

static int zstd_write(struct ddp_compressor *c, const unsigned char *bytes, size_t n)
{
	return zstd_run(c, &(ZSTD_inBuffer){ bytes, n, 0 }, ZSTD_e_continue);
}

static int zstd_finish(struct ddp_compressor *c)
{
	return zstd_run(c, &(ZSTD_inBuffer){ NULL, 0, 0 }, ZSTD_e_end);
}

static void zstd_deinit(struct ddp_compressor *c)
{
	ZSTD_freeCCtx(c->zstd);
}

static const struct codec codecs[] = {
	[DDP_PLAIN] = { "none", 0, INT_MAX, plain_init, plain_write, plain_init, plain_deinit },
	[DDP_GZIP] = { "gzip", 6, 9, gzip_init, gzip_write, gzip_finish, gzip_deinit },
	[DDP_LZ4] = { "lz4", 1, 12, lz4_init, lz4_write, lz4_finish, lz4_deinit },
	[DDP_ZSTD] = { "zstd", 3, 19, zstd_init, zstd_write, zstd_finish, zstd_deinit },
};

static const struct codec *find_codec(enum ddp_compression c)
{
	return (unsigned int)c < sizeof(codecs) / sizeof(*codecs) ? &codecs[c] : NULL;
}

const char *ddp_compression_name(enum ddp_compression c)
{
	const struct codec *codec = find_codec(c);

	return codec ? codec->name : "unknown";
}

int ddp_compression_from_path(const char *path, enum ddp_compression *ret)
{
	static const struct {
		const char *end;
		enum ddp_compression c;
	} ends[] = {
		{ ".pprof", DDP_GZIP },
		{ ".gz", DDP_GZIP },
		{ ".lz4", DDP_LZ4 },
		{ ".zst", DDP_ZSTD },
		{ ".pb", DDP_PLAIN },
	};
	size_t len = strlen(path), n, i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		n = strlen(ends[i].end);
		if (len > n && !strcmp(path + len - n, ends[i].end)) {
			*ret = ends[i].c;
			return 0;
		}
	}
	return -EINVAL;
}

int ddp__compressor_create_for(uint64_t expected, enum ddp_compression compression, int level,
			       ddp_write_fn write, void *ctx, struct ddp_compressor **ret)
{
	const struct codec *codec = find_codec(compression);
	struct ddp_compressor *c;
	int r;

	if (!codec || level < 0 || level > codec->max_level)
		return -EINVAL;
	c = ddp__alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->codec = codec;
	c->level = level ? level : codec->default_level;
	c->expected = expected;
	c->write = write;
	c->ctx = ctx;
	r = codec->init(c);
	if (r) {
		ddp__block_free(c->out, c->out_bytes);
		ddp__free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int ddp_compressor_create(enum ddp_compression compression, int level, ddp_write_fn write,
			  void *ctx, struct ddp_compressor **ret)
{
	return ddp__compressor_create_for(0, compression, level, write, ctx, ret);
}

int ddp_compressor_write(void *compressor, const void *bytes, size_t n)
{
	struct ddp_compressor *c = compressor;
	const unsigned char *at = bytes;
	size_t chunk;
	int r = c->ended ? -EINVAL : 0;

	for (; !r && n; at += chunk, n -= chunk) {
		chunk = n < CHUNK_BYTES ? n : CHUNK_BYTES;
		r = c->codec->write(c, at, chunk);
	}
	if (r)
		c->ended = true;
	return r;
}

int ddp_compressor_finish(struct ddp_compressor *c)
{
	if (c->ended)
		return -EINVAL;
	c->ended = true;
	return c->codec->finish(c);
}

void ddp_compressor_destroy(struct ddp_compressor *c)
{
	if (!c)
		return;
	c->codec->deinit(c);
	ddp__block_free(c->out, c->out_bytes);
	ddp__free(c);
}
