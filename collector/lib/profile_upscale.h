/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the encoder asks of endpoints and upscaling rules, for each sample.
 */
#ifndef DDPROF_LIB_PROFILE_UPSCALE_H
#define DDPROF_LIB_PROFILE_UPSCALE_H

#include "profile_internal.h"

/* String index; DDP_STRING_EMPTY: none is known */
DDP_INTERNAL uint32_t ddp__endpoint_of(const struct ddp_profile *p, uint64_t local_root_span_id);

/* Applies the rules for samples with this label (string indexes) to @values; likewise for all. */
DDP_INTERNAL void ddp__upscale_label(const struct ddp_profile *p, uint32_t key, uint32_t str,
				     int64_t *values);
DDP_INTERNAL void ddp__upscale_all(const struct ddp_profile *p, int64_t *values);

#endif /* DDPROF_LIB_PROFILE_UPSCALE_H */
