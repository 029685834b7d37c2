/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of profiles and the way back: bytes in, bytes out through a write callback, in memory
 * that does not depend on how many there are.
 *
 *	struct ddp_compressor *c = NULL;
 *
 *	r = ddp_compressor_create(DDP_LZ4, 0, ddp_buffer_write, &out, &c);
 *	if (!r)
 *		r = ddp_pprof_encode(profile, end, ddp_compressor_write, c);
 *	if (!r)
 *		r = ddp_compressor_finish(c);
 *	ddp_compressor_destroy(c);
 *
 *	struct ddp_decompressor *d = NULL;
 *
 *	r = ddp_decompressor_create(64 << 20, ddp_buffer_write, &plain, &d);
 *	while (!r && (n = read(fd, piece, sizeof(piece))) > 0)
 *		r = ddp_decompressor_write(d, piece, n);
 *	if (!r)
 *		r = ddp_decompressor_finish(d);
 *	ddp_decompressor_destroy(d);
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
 * @param level  higher is slower and smaller: gzip 1..9, LZ4 1..12 (from 3 on much slower), zstd
 *		 1..19. 0: the format's default, 6, 1 and 3. Not used by DDP_PLAIN
 * @return 0; -EINVAL: no such format or level; -ENOMEM
 */
int ddp_compressor_create(enum ddp_compression c, int level, ddp_write_fn write, void *ctx,
			  struct ddp_compressor **ret);

/**
 * A ddp_write_fn with the compressor as ctx.
 * @return 0; what the callback answered; -EIO: the codec failed; -EINVAL: after an error or after
 * ddp_compressor_finish(), with nothing written. After an error the output is not usable and only
 * ddp_compressor_destroy() is left.
 */
int ddp_compressor_write(void *compressor, const void *bytes, size_t n);

/**
 * Writes what is still held and the end of the stream, once; errors as write. What comes next is
 * ddp_compressor_destroy(): another stream needs another compressor.
 */
int ddp_compressor_finish(struct ddp_compressor *c);

/** NULL is allowed. Does not finish. */
void ddp_compressor_destroy(struct ddp_compressor *c);

struct ddp_decompressor;

/**
 * For bytes of any of the formats (see ddp_compression_detect()); several gzip members, LZ4 or zstd
 * frames in a row are one stream. Takes about 200 KiB, and for what the stream asks: LZ4 with
 * blocks of 4 MiB, 8 MiB more; zstd up to 128 MiB for its window, of which only as much is touched
 * as comes out.
 *
 * @param max_bytes  nothing past it is ever produced
 */
int ddp_decompressor_create(size_t max_bytes, ddp_write_fn write, void *ctx,
			    struct ddp_decompressor **ret);

/**
 * A ddp_write_fn with the decompressor as ctx.
 * @return 0
 *	-EBADMSG  damaged, or more after its end
 *	-EFBIG	  more than max_bytes would come out; what is damaged there as well may be called
 *		  either
 *	-ENOTSUP  zstd with a window above 128 MiB
 *	-EINVAL	  after an error or after ddp_decompressor_finish()
 *	-ENOMEM, or what @write answered
 * After an error only ddp_decompressor_position() and ddp_decompressor_destroy() are left.
 */
int ddp_decompressor_write(void *decompressor, const void *bytes, size_t n);

/** The end of the input. Errors as write, and -ENODATA: cut short. */
int ddp_decompressor_finish(struct ddp_decompressor *d);

/**
 * How many bytes of the input were understood; after an error, where about it is: behind what gzip
 * took, at the start of the block or checksum that LZ4 or zstd refused or in it.
 */
uint64_t ddp_decompressor_position(const struct ddp_decompressor *d);

/** NULL is allowed. Does not finish. */
void ddp_decompressor_destroy(struct ddp_decompressor *d);

/** Decompresses @n bytes in memory at once. Errors as write and finish above. */
int ddp_decompress(const void *bytes, size_t n, size_t max_bytes, ddp_write_fn write, void *ctx);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_COMPRESS_H */
