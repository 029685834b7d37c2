// SPDX-License-Identifier: Apache-2.0
/* collector/base/nearest: what a misspelt word is taken for, and what is too far off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <string.h>

#include "base/nearest.h"

static const char *const names[] = {
	"period", "frequency", "upload_period", "url", "service", "sPF", "sCS", "sPFMAJ", "sPFMIN",
};

static void words(void **state)
{
	static const struct {
		const char *name, *word;
		const char *nearest;
	} rows[] = {
		{ "the same", "period", "period" },
		{ "a letter left out", "perod", "period" },
		{ "a letter too many", "periood", "period" },
		{ "another letter", "pariod", "period" },
		{ "two swapped", "perido", "period" },
		{ "another case", "SPF", "sPF" },
		{ "a dash for a line", "upload-period", "upload_period" },
		{ "the nearest of several", "sPFMAX", "sPFMAJ" },
		{ "the first of equals", "sPX", "sPF" },
		{ "three of nine", "frqncy", "frequency" },
		{ "short words: one letter", "urk", "url" },
		{ "short words: two letters are too many", "uxx", NULL },
		{ "one letter is like nothing", "x", NULL },
		{ "another word", "elephant", NULL },
		{ "nothing", "", NULL },
		{ "longer than can be compared",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_nearest n = { .word = rows[i].word };

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			ddp_nearest_offer(&n, names[k]);
		if (!n.name != !rows[i].nearest || (n.name && strcmp(n.name, rows[i].nearest)))
			fail_msg("%s: %s is taken for %s", rows[i].name, rows[i].word,
				 n.name ? n.name : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words) };

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
