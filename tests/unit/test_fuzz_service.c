// SPDX-License-Identifier: Apache-2.0
/* The fuzz target of what processes say about services, over its corpus. */
#include "tests/fuzz/fuzz_service.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "corpus.h"

static void corpus_is_harmless(void **state)
{
	(void)state;
	corpus_replay("service", LLVMFuzzerTestOneInput);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
