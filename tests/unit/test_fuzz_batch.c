// SPDX-License-Identifier: Apache-2.0
/* The fuzz target of the reader of spooled batches, over its corpus. */
#include "tests/fuzz/fuzz_batch.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "corpus.h"

static void corpus_is_harmless(void **state)
{
	(void)state;
	corpus_replay("batch", LLVMFuzzerTestOneInput);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
