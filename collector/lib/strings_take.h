/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What profiles ask of shared strings beyond strings.h.
 */
#ifndef DDPROF_LIB_STRINGS_TAKE_H
#define DDPROF_LIB_STRINGS_TAKE_H

#include "alloc.h"
#include "ddprof/strings.h"

/* ddp_strings_get() with one more reference to the string, to be released: 0, -ESTALE, -E2BIG */
DDP_INTERNAL int ddp__strings_take(struct ddp_strings *s, uint64_t handle, const char **ret_bytes,
				   size_t *ret_len);

#endif /* DDPROF_LIB_STRINGS_TAKE_H */
