/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded profiles as text, so that a test's row shows what goes in and what comes out. A line a
 * thing, in this order when printed:
 *
 *	type cpu ns			a value type
 *	time 5				also: duration, period, each with a number
 *	period-type cpu ns
 *	comment words			also: default, doc, drop, keep, each with a text
 *	map bin 1000 2000 0 beef	mapping: file name, start, limit, offset (hexadecimal), build-id
 *	1,-2 leaf:3;main@bin+10 thread=#5ns,host=a
 *
 * The last is a sample: values; frames, leaf first, "-" for none; labels, perhaps none, numbers
 * with # and perhaps a unit. A frame is functions with lines, innermost first, joined by "<", then
 * its place in a mapping: "inlined:1<outer:2@bin+10", or "@10" in none.
 */
#ifndef TESTS_PPROF_TEXT_H
#define TESTS_PPROF_TEXT_H

#include "ddprof/pprof.h"

/* The profile that @text is; fails the test when it is not understood. free_profile() it. */
struct ddp_pprof *profile_from_text(const char *text);
void free_profile(struct ddp_pprof *p);

/* The text of @p; free() it. Ids and what no sample refers to are not in it, but mappings are. */
char *profile_to_text(const struct ddp_pprof *p);

/* Fails the test where profile_difference() sees one. */
void assert_same_profile(const struct ddp_pprof *a, const struct ddp_pprof *b);

#endif /* TESTS_PPROF_TEXT_H */
