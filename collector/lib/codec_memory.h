/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zlib's memory comes from where all of the library's does. LZ4 and zstd have no public way to
 * be told.
 */
#ifndef DDPROF_LIB_CODEC_MEMORY_H
#define DDPROF_LIB_CODEC_MEMORY_H

#include <zlib.h>

#include "alloc.h"

static inline void *codec_zalloc(void *opaque, unsigned int nr, unsigned int bytes)
{
	(void)opaque;
	return ddp__alloc((size_t)nr * bytes);
}

static inline void codec_zfree(void *opaque, void *p)
{
	(void)opaque;
	ddp__free(p);
}

#endif /* DDPROF_LIB_CODEC_MEMORY_H */
