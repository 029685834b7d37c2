// SPDX-License-Identifier: Apache-2.0
/*
 * Reading compressed bytes as they come, whatever format they are in, with a ceiling on what may
 * come out: a few hostile kilobytes can stand for terabytes. A decoder takes one step at a time,
 * some input to some output in a buffer of fixed size, and nothing is handed on that would pass
 * the ceiling.
 */
#include <errno.h>
#include <limits.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "alloc.h"
#include "cleanup.h"
#include "codec_memory.h"
#include "decompress.h"

enum {
	OUT_BYTES = 128 * 1024,		/* one step's output; a block of zstd's */
	MAGIC_BYTES = 4,		/* the longest */
	FIRST_BYTES = 5,		/* of a frame; no header is shorter */
	GZIP_WINDOW = 15 + 16,		/* gzip only, any window size */
	ZSTD_WINDOW_LOG_MAX = 27,	/* 128 MiB, what zstd itself allows unasked */
};

/*
 * One step: what it took, also when it failed, what it made of it, and how much input to give to
 * the next: LZ4 and zstd do not say where in their input an error is, but begin and end with it
 * where they ask to. 0: a member or frame ended there.
 */
struct step {
	size_t taken, made, wanted;
};

struct decoder {
	int (*init)(struct ddp_decompressor *d);
	int (*step)(struct ddp_decompressor *d, const unsigned char *at, size_t n,
		    struct step *ret);
	void (*deinit)(struct ddp_decompressor *d);	/* only after a good init */
};

struct ddp_decompressor {
	const struct decoder *decoder;	/* NULL: plain, or not known yet */
	bool known;
	bool between;			/* nothing begun that has not ended */
	bool ended;			/* finished or failed */
	bool checksum_failed;
	unsigned char magic[MAGIC_BYTES];
	size_t nr_magic;		/* first bytes, until they say what the format is */
	ddp_write_fn write;
	void *ctx;
	size_t left;			/* bytes that may still come out */
	uint64_t position;
	size_t wanted;			/* at most so much to the next step */
	union {
		z_stream gzip;
		LZ4F_dctx *lz4;
		ZSTD_DCtx *zstd;
	};
	unsigned char out[OUT_BYTES];
};

enum ddp_compression ddp_compression_detect(const void *bytes, size_t n)
{
	static const struct {
		unsigned char magic[MAGIC_BYTES];
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

/* gzip */

static int gzip_init(struct ddp_decompressor *d)
{
	d->gzip = (z_stream){ .zalloc = codec_zalloc, .zfree = codec_zfree };
	return inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_step(struct ddp_decompressor *d, const unsigned char *at, size_t n,
		     struct step *ret)
{
	size_t given = n < UINT_MAX ? n : UINT_MAX;
	int z;

	if (d->between)
		inflateReset(&d->gzip);
	d->gzip.next_in = (unsigned char *)at;
	d->gzip.avail_in = given;
	d->gzip.next_out = d->out;
	d->gzip.avail_out = OUT_BYTES;
	z = inflate(&d->gzip, Z_NO_FLUSH);
	*ret = (struct step){ given - d->gzip.avail_in, OUT_BYTES - d->gzip.avail_out,
			      z == Z_STREAM_END ? 0 : SIZE_MAX };
	/* Z_BUF_ERROR: nothing to do without more input */
	if (z == Z_OK || z == Z_STREAM_END || z == Z_BUF_ERROR)
		return 0;
	/* told by its text only */
	d->checksum_failed = d->gzip.msg && !strcmp(d->gzip.msg, "incorrect data check");
	return z == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void gzip_deinit(struct ddp_decompressor *d)
{
	inflateEnd(&d->gzip);
}

/* LZ4 */

static int lz4_init(struct ddp_decompressor *d)
{
	return LZ4F_isError(LZ4F_createDecompressionContext(&d->lz4, LZ4F_VERSION)) ? -ENOMEM : 0;
}

/* Its errors have public names only. */
static int lz4_error(struct ddp_decompressor *d, size_t code)
{
	const char *name = LZ4F_getErrorName(code);

	d->checksum_failed = !strcmp(name, "ERROR_contentChecksum_invalid");
	return strcmp(name, "ERROR_allocation_failed") ? -EBADMSG : -ENOMEM;
}

static int lz4_step(struct ddp_decompressor *d, const unsigned char *at, size_t n,
		    struct step *ret)
{
	size_t made = OUT_BYTES, hint = LZ4F_decompress(d->lz4, d->out, &made, at, &n, NULL);

	if (LZ4F_isError(hint))
		return lz4_error(d, hint);
	*ret = (struct step){ n, made, hint };
	return 0;
}

static void lz4_deinit(struct ddp_decompressor *d)
{
	LZ4F_freeDecompressionContext(d->lz4);
}

/* zstd */

static int zstd_init(struct ddp_decompressor *d)
{
	d->zstd = ZSTD_createDCtx();
	if (!d->zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return 0;
}

static int zstd_error(struct ddp_decompressor *d, size_t code)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_checksum_wrong:
		d->checksum_failed = true;
		return -EBADMSG;
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return -ENOTSUP;
	default:
		return -EBADMSG;
	}
}

static int zstd_step(struct ddp_decompressor *d, const unsigned char *at, size_t n,
		     struct step *ret)
{
	ZSTD_outBuffer out = { d->out, OUT_BYTES, 0 };
	ZSTD_inBuffer in = { at, n, 0 };
	size_t hint = ZSTD_decompressStream(d->zstd, &out, &in);

	if (ZSTD_isError(hint))
		return zstd_error(d, hint);
	*ret = (struct step){ in.pos, out.pos, hint };
	return 0;
}

static void zstd_deinit(struct ddp_decompressor *d)
{
	ZSTD_freeDCtx(d->zstd);
}

static const struct decoder decoders[] = {
	[DDP_GZIP] = { gzip_init, gzip_step, gzip_deinit },
	[DDP_LZ4] = { lz4_init, lz4_step, lz4_deinit },
	[DDP_ZSTD] = { zstd_init, zstd_step, zstd_deinit },
};

/* All of them */

static int put(struct ddp_decompressor *d, const void *bytes, size_t n)
{
	if (n > d->left)
		return -EFBIG;
	d->left -= n;
	return n ? d->write(d->ctx, bytes, n) : 0;
}

static int decode(struct ddp_decompressor *d, const unsigned char *at, size_t n)
{
	struct step s = { 0 };
	int r;

	/* a full buffer: there may be more without any input */
	while (n || s.made == OUT_BYTES) {
		if (!n && d->between)
			break;
		s = (struct step){ 0 };
		r = d->decoder->step(d, at, n < d->wanted ? n : d->wanted, &s);
		d->position += s.taken;
		if (r)
			return r;
		if (n && !s.taken && !s.made)
			return -EBADMSG;
		d->between = !s.wanted;
		d->wanted = s.wanted ? s.wanted : FIRST_BYTES;
		at += s.taken;
		n -= s.taken;
		r = put(d, d->out, s.made);
		if (r)
			return r;
	}
	return 0;
}

static int take(struct ddp_decompressor *d, const unsigned char *bytes, size_t n)
{
	if (d->decoder)
		return decode(d, bytes, n);
	d->position += n;
	return put(d, bytes, n);
}

/* Decides by the first bytes, and takes them. */
static int begin(struct ddp_decompressor *d)
{
	enum ddp_compression c = ddp_compression_detect(d->magic, d->nr_magic);
	int r;

	d->known = true;
	if (c != DDP_PLAIN) {
		r = decoders[c].init(d);
		if (r)
			return r;
		d->decoder = &decoders[c];
		d->between = false;
	}
	return take(d, d->magic, d->nr_magic);
}

int ddp_decompressor_create(size_t max_bytes, ddp_write_fn write, void *ctx,
			    struct ddp_decompressor **ret)
{
	struct ddp_decompressor *d = ddp__alloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->between = true;
	d->left = max_bytes;
	d->wanted = FIRST_BYTES;
	d->write = write;
	d->ctx = ctx;
	*ret = d;
	return 0;
}

/* The first bytes are kept until they say what the format is. */
static int write_bytes(struct ddp_decompressor *d, const void *bytes, size_t n)
{
	size_t first = 0;
	int r;

	if (!d->known && n) {
		first = MAGIC_BYTES - d->nr_magic < n ? MAGIC_BYTES - d->nr_magic : n;
		memcpy(d->magic + d->nr_magic, bytes, first);
		d->nr_magic += first;
		if (d->nr_magic < MAGIC_BYTES)
			return 0;
		r = begin(d);
		if (r)
			return r;
	}
	return n > first ? take(d, (const unsigned char *)bytes + first, n - first) : 0;
}

int ddp_decompressor_write(void *decompressor, const void *bytes, size_t n)
{
	struct ddp_decompressor *d = decompressor;
	int r = d->ended ? -EINVAL : write_bytes(d, bytes, n);

	if (r)
		d->ended = true;
	return r;
}

int ddp_decompressor_finish(struct ddp_decompressor *d)
{
	int r;

	if (d->ended)
		return -EINVAL;
	d->ended = true;
	r = d->known ? 0 : begin(d);
	return r || d->between ? r : -ENODATA;
}

uint64_t ddp_decompressor_position(const struct ddp_decompressor *d)
{
	return d->position;
}

bool ddp__decompressor_checksum_failed(const struct ddp_decompressor *d)
{
	return d->checksum_failed;
}

void ddp_decompressor_destroy(struct ddp_decompressor *d)
{
	if (!d)
		return;
	if (d->decoder)
		d->decoder->deinit(d);
	ddp__free(d);
}

DEFINE_CLEANUP(struct ddp_decompressor *, ddp_decompressor_destroy)

int ddp_decompress(const void *bytes, size_t n, size_t max_bytes, ddp_write_fn write, void *ctx)
{
	CLEANUP(ddp_decompressor_destroy) struct ddp_decompressor *d = NULL;
	int r = ddp_decompressor_create(max_bytes, write, ctx, &d);

	if (!r && n)
		r = ddp_decompressor_write(d, bytes, n);
	return r ? r : ddp_decompressor_finish(d);
}
