// SPDX-License-Identifier: Apache-2.0
/* What the kernel's filters and the off-CPU sampler stand on: patterns, and the blocked threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kmod/core/blocked.h"
#include "kmod/core/pattern.h"

static const struct {
	const char *name, *pattern, *text;
	bool matches;
} patterns[] = {
	{ "the same", "nginx", "nginx", true },
	{ "another", "nginx", "nginy", false },
	{ "longer than the pattern", "nginx", "nginxx", false },
	{ "shorter than the pattern", "nginx", "ngin", false },
	{ "case matters", "nginx", "Nginx", false },
	{ "a prefix", "ng*", "nginx", true },
	{ "a suffix", "*nx", "nginx", true },
	{ "in the middle", "*gi*", "nginx", true },
	{ "not in the middle", "*ig*", "nginx", false },
	{ "everything", "*", "nginx", true },
	{ "everything, of nothing", "*", "", true },
	{ "asterisks in a row", "**n**x**", "nginx", true },
	{ "an asterisk stands for nothing too", "nginx*", "nginx", true },
	{ "one character", "ngin?", "nginx", true },
	{ "one character is not none", "nginx?", "nginx", false },
	{ "five characters", "?????", "nginx", true },
	{ "at least three", "???*", "ng", false },
	{ "the last of many", "*ab", "aabaab", true },
	{ "an earlier one only", "*aab", "aabab", false },
	{ "two parts in order", "*a*b", "xaxxb", true },
	{ "two parts in the other order", "*b*a", "xaxxb", false },
	{ "nothing matches nothing", "", "", true },
	{ "nothing does not match something", "", "a", false },
	{ "bytes above 127", "\xc3\xa4*", "\xc3\xa4pfel", true },
	{ "brackets are themselves", "[kworker]", "[kworker]", true },
	{ "worst case: many asterisks", "*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaa", false },
};

static void patterns_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (ddp_pattern_matches(patterns[i].pattern, patterns[i].text) !=
		    patterns[i].matches)
			fail_msg("%s: '%s' and '%s'", patterns[i].name, patterns[i].pattern,
				 patterns[i].text);
}

enum { NR_SLOTS = 1024 };

static struct ddp_blocked table(void)
{
	struct ddp_blocked b = { .slots = calloc(NR_SLOTS, sizeof(*b.slots)), .nr = NR_SLOTS };

	assert_non_null(b.slots);
	return b;
}

static void what_is_put_is_taken_once(void **state)
{
	struct ddp_blocked b = table();
	uint64_t since;
	uint32_t how;

	(void)state;
	assert_false(ddp_blocked_take(&b, 7, &how, &since));
	assert_true(ddp_blocked_put(&b, 7, 2, 1000));
	assert_false(ddp_blocked_take(&b, 8, &how, &since));
	assert_true(ddp_blocked_take(&b, 7, &how, &since));
	assert_int_equal(how, 2);
	assert_int_equal(since, 1000);
	assert_false(ddp_blocked_take(&b, 7, &how, &since));
	free(b.slots);
}

/* A thread that ran where nobody watched is put in again: the newest is true, and it is in once */
static void put_twice(void **state)
{
	struct ddp_blocked b = table();
	uint64_t since;
	uint32_t how;

	(void)state;
	assert_true(ddp_blocked_put(&b, 7, 2, 1000));
	assert_true(ddp_blocked_put(&b, 7, 1, 3000));
	assert_true(ddp_blocked_take(&b, 7, &how, &since));
	assert_int_equal(how, 1);
	assert_int_equal(since, 3000);
	assert_false(ddp_blocked_take(&b, 7, &how, &since));
	free(b.slots);
}

/* Half full all are in, and those that are refused when it is full are not in */
static void full(void **state)
{
	struct ddp_blocked b = table();
	bool in[2 * NR_SLOTS + 1] = { false };
	uint32_t how, nr = 0, refused_half = 0;
	uint64_t since;

	(void)state;
	for (uint32_t tid = 1; tid <= 2 * NR_SLOTS; tid++) {
		in[tid] = ddp_blocked_put(&b, tid, 1, tid);
		nr += in[tid];
		refused_half += !in[tid] && tid <= NR_SLOTS / 2;
	}
	assert_int_equal(refused_half, 0);
	assert_true(nr > NR_SLOTS * 9 / 10 && nr <= NR_SLOTS);
	for (uint32_t tid = 2 * NR_SLOTS; tid; tid--) {
		assert_int_equal(ddp_blocked_take(&b, tid, &how, &since), in[tid]);
		assert_true(!in[tid] || since == tid);
	}
	for (uint32_t i = 0; i < NR_SLOTS; i++)
		assert_int_equal(b.slots[i].tid, 0);
	free(b.slots);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(what_is_put_is_taken_once),
		cmocka_unit_test(put_twice),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
