// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * See pattern.h. When what follows an asterisk does not match, the last asterisk takes one
 * character more; earlier ones never need to.
 */
#include "pattern.h"

bool ddp_pattern_matches(const char *pattern, const char *name)
{
	const char *after_star = NULL, *star_name = NULL;

	while (*name) {
		if (*pattern == '*') {
			after_star = ++pattern;
			star_name = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (after_star) {
			pattern = after_star;
			name = ++star_name;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
