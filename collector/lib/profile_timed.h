/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading timestamped samples back in order, for the encoder. A cursor is a value: a copy of it
 * reads on from the same place.
 */
#ifndef DDPROF_LIB_PROFILE_TIMED_H
#define DDPROF_LIB_PROFILE_TIMED_H

#include "profile_internal.h"

struct timed_cursor {
	const struct timed_block *block;
	uint32_t at;		/* bytes of it that were read */
	uint64_t left;		/* samples */
	int64_t ns;		/* timestamp of the last one */
};

DDP_INTERNAL struct timed_cursor ddp__timed_begin(const struct ddp_profile *p);

/* There is one left. @values has room for one a value type; the timestamp is c->ns. */
DDP_INTERNAL struct sample ddp__timed_next(const struct ddp_profile *p, struct timed_cursor *c,
					   int64_t *values);

#endif /* DDPROF_LIB_PROFILE_TIMED_H */
