/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a builder's profile holds, as tests look at it: encoded and, where its contents matter,
 * loaded again.
 */
#ifndef TESTS_PROFILE_ENCODED_H
#define TESTS_PROFILE_ENCODED_H

#include "ddprof/pprof.h"

/* Its bytes, of an interval that ends at 2000; ddp_buffer_free() */
struct ddp_buffer encoded(const struct ddp_profile *p);

/* Read again; ddp_pprof_destroy() */
struct ddp_pprof *reloaded(const struct ddp_profile *p);

void assert_same_bytes(const struct ddp_buffer *a, const struct ddp_buffer *b);

/* Its bytes are @before */
void assert_unchanged(const struct ddp_profile *p, const struct ddp_buffer *before);

/* A loaded profile's samples, as lines of pprof_text.h; free() it */
char *samples_text(const struct ddp_pprof *f);

/* Its samples are these lines of pprof_text.h, in any number; "" for none */
void assert_samples(const struct ddp_profile *p, const char *lines);

/* The id of a string */
uint32_t string_id(struct ddp_profile *p, const char *s);

#endif /* TESTS_PROFILE_ENCODED_H */
