/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Patterns of names: an asterisk stands for any characters, a question mark for exactly one. Called
 * by kmod/filter.
 */
#ifndef DDP_CORE_PATTERN_H
#define DDP_CORE_PATTERN_H

#include "port.h"

/* Both terminated. At most strlen(pattern) * strlen(name) steps, no recursion. */
bool ddp_pattern_matches(const char *pattern, const char *name);

#endif /* DDP_CORE_PATTERN_H */
