/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saying what went wrong: `return ddp__fail(err, -EBADMSG, "sample %zu has ...", i);`
 */
#ifndef DDPROF_LIB_ERROR_H
#define DDPROF_LIB_ERROR_H

#include "alloc.h"
#include "ddprof/io.h"

/* Fills in @err, which may be NULL, and returns @r. */
DDP_INTERNAL int ddp__fail(struct ddp_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* DDPROF_LIB_ERROR_H */
