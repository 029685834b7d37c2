/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding some of a profile's samples as a profile of their own, for pprof_parts.c. A share of
 * the samples is a piece of those without timestamps and a piece of those with.
 */
#ifndef DDPROF_LIB_PPROF_ENCODE_H
#define DDPROF_LIB_PPROF_ENCODE_H

#include "ddprof/pprof.h"
#include "profile_timed.h"

/* New numbers by index, from 1 (strings from 0); NOT_NUMBERED for what is left out. */
struct numbering {
	uint32_t *strings, *mappings, *functions, *locations;
};

#define NOT_NUMBERED UINT32_MAX

struct share {
	uint32_t first, nr;		/* of profile.samples */
	struct timed_cursor timed;	/* where the timestamped ones begin ... */
	uint64_t nr_timed;		/* ... and how many there are */
	const struct numbering *numbers; /* NULL: everything there is, by its index */
};

/* All samples */
DDP_INTERNAL struct share ddp__share_of_all(const struct ddp_profile *p);

/* As ddp_pprof_encode() */
DDP_INTERNAL int ddp__encode_share(const struct ddp_profile *p, const struct share *s,
				   int64_t end_unix_ns, ddp_write_fn write, void *ctx);

/* How many bytes that will be: half or twice as many may come out. Never 0 */
DDP_INTERNAL uint64_t ddp__encoded_bytes_about(const struct ddp_profile *p,
					       const struct share *s);

/* What the encoder joins to a sample with these labels (ids): a string index, 0 for nothing */
DDP_INTERNAL uint32_t ddp__joined_endpoint(const struct ddp_profile *p, const struct label *labels,
					   uint32_t nr);

#endif /* DDPROF_LIB_PPROF_ENCODE_H */
