/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader tells of a decompressor's -EBADMSG beyond its position.
 */
#ifndef DDPROF_LIB_DECOMPRESS_H
#define DDPROF_LIB_DECOMPRESS_H

#include <stdbool.h>

#include "alloc.h"
#include "ddprof/compress.h"

/* After -EBADMSG: everything could be unpacked, but it is not what the checksum is of. */
DDP_INTERNAL bool ddp__decompressor_checksum_failed(const struct ddp_decompressor *d);

#endif /* DDPROF_LIB_DECOMPRESS_H */
