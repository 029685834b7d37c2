/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of profiles: bytes in, compressed bytes out through a write callback, in constant
 * memory.
 *
 *	struct ddp_compressor *c;
 *
 *	r = ddp_compressor_create(DDP_LZ4, 0, ddp_buffer_write, &out, &c);
 *	r = ddp_pprof_encode(profile, end, ddp_compressor_write, c);
 *	if (!r)
 *		r = ddp_compressor_finish(c);
 *	ddp_compressor_destroy(c);
 *
 * LZ4 is the frame format that the upload takes; gzip is what every pprof tool reads from a file.
 * Sources: RFC 1952 (gzip), RFC 8878 (zstd), the LZ4 frame format description 1.6.
 */
#ifndef DDPROF_COMPRESS_H
#define DDPROF_COMPRESS_H

#include "io.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ddp_compression {
	DDP_PLAIN,	/* bytes as they are */
	DDP_GZIP,
	DDP_LZ4,
	DDP_ZSTD,
};

/** "none", "gzip", "lz4", "zstd". Static. */
const char *ddp_compression_name(enum ddp_compression c);

/**
 * By the end of a file's name: .pprof, .gz gzip; .lz4 LZ4; .zst zstd; .pb none.
 * @return 0; -EINVAL: none of these
 */
int ddp_compression_from_path(const char *path, enum ddp_compression *ret);

/** By the first bytes; DDP_PLAIN when they are none of the others'. */
enum ddp_compression ddp_compression_detect(const void *bytes, size_t n);

struct ddp_compressor;

/**
 * @param level  0: the format's default; gzip 1..9, LZ4 1..12, zstd 1..19; not used by DDP_PLAIN
 * @return 0; -EINVAL: no such format or level; -ENOMEM
 */
int ddp_compressor_create(enum ddp_compression c, int level, ddp_write_fn write, void *ctx,
			  struct ddp_compressor **ret);

/**
 * A ddp_write_fn with the compressor as ctx.
 * @return 0, what the callback answered, or -EIO when the codec fails. After an
 *  error the output is not usable and only ddp_compressor_destroy() is left. */
int ddp_compressor_write(void *compressor, const void *bytes, size_t n);

/** Writes what is still held and the end of the stream; the last write. Errors as write. */
int ddp_compressor_finish(struct ddp_compressor *c);

/** NULL is allowed. Does not finish. */
void ddp_compressor_destroy(struct ddp_compressor *c);

/**
 * Decompresses @n bytes of any of the formats (see ddp_compression_detect()); several gzip
 * members, LZ4 or zstd frames in a row are one stream. Nothing past @max_bytes is ever produced.
 *
 * @return 0
 *	-EBADMSG  damaged, or more after its end
 *	-ENODATA  cut short
 *	-EFBIG	  more than max_bytes would come out
 *	-ENOMEM, or what @write answered
 */
int ddp_decompress(const void *bytes, size_t n, size_t max_bytes, ddp_write_fn write, void *ctx);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_COMPRESS_H */
