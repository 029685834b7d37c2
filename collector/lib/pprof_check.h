/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a pprof file before anything is made of them: do they form a message, field by
 * field and all the way down, and where is the first that does not? What passes is understood by
 * protobuf-c, which has no positions to tell. Also finds elements again, for later errors.
 */
#ifndef DDPROF_LIB_PPROF_CHECK_H
#define DDPROF_LIB_PPROF_CHECK_H

#include <stdbool.h>

#include "error.h"

struct pprof_bytes {
	const unsigned char *at;
	size_t n;
	bool unpacked;	/* positions are not those of the file, which was compressed */
};

/* What stands behind a position in an error */
static inline const char *pprof_position_kind(const struct pprof_bytes *b)
{
	return b->unpacked ? " of the unpacked data" : "";
}

/* 0, or -EBADMSG and says where. */
DDP_INTERNAL int ddp__pprof_check(const struct pprof_bytes *b, struct ddp_error *err);

/* Where element @index of the repeated @field of the profile begins; the bytes were checked. */
DDP_INTERNAL size_t ddp__pprof_position(const struct pprof_bytes *b, uint32_t field, size_t index);

/* One string of the string table. */
struct pprof_text {
	const char *at;
	size_t n;
};

/*
 * The next string at or behind *position (0 at first), which moves on; false when there is none.
 * The bytes were checked.
 */
DDP_INTERNAL bool ddp__pprof_next_text(const struct pprof_bytes *b, size_t *position,
				       struct pprof_text *ret);

#endif /* DDPROF_LIB_PPROF_CHECK_H */
