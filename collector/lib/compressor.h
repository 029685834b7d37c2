/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressing what the library itself makes, and knows the size of beforehand. See compress.c.
 */
#ifndef DDPROF_LIB_COMPRESSOR_H
#define DDPROF_LIB_COMPRESSOR_H

#include "alloc.h"
#include "ddprof/compress.h"

/* As ddp_compressor_create(); about @expected bytes will come, 0: not known. */
DDP_INTERNAL int ddp__compressor_create_for(uint64_t expected, enum ddp_compression compression,
					    int level, ddp_write_fn write, void *ctx,
					    struct ddp_compressor **ret);

#endif /* DDPROF_LIB_COMPRESSOR_H */
