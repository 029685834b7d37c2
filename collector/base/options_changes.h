/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is different between two readings of one option table, as a service's that reads its
 * configuration again: each row and each kind of section says in its member apply, bits of the
 * caller's, what a change of it asks for. Used by `ddprof`.
 */
#ifndef DDP_BASE_OPTIONS_CHANGES_H
#define DDP_BASE_OPTIONS_CHANGES_H

#include "base/options_file.h"

/** @param name  "frequency", "target" */
typedef void (*ddp_option_change_fn)(void *ctx, const char *name, unsigned int apply);

/**
 * Rows that are of one run (DDP_OPTION_ONCE) are not looked at: they cannot change.
 * @param sections  of both; NULL: none
 * @param fn        called for each row and kind of section that is different; NULL: nobody asks
 * @return what they ask for, together
 */
unsigned int ddp_options_changes(const struct ddp_options *a, const struct ddp_options *b,
				 const struct ddp_option_section *sections, ddp_option_change_fn fn,
				 void *ctx);

#endif /* DDP_BASE_OPTIONS_CHANGES_H */
