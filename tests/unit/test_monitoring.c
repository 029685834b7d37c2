// SPDX-License-Identifier: Apache-2.0
/* collector/ddprof/monitoring: the line that a terminal shows while profiling goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <string.h>

#include "ddprof/monitoring.h"

static void progress(void **state)
{
	static const struct {
		const char *what;
		struct ddp_pipeline_counts c;
		const char *text;
	} rows[] = {
		{ "the begin", { .period_s = 59 },
		  "0 s: 0 samples, 0 lost, overhead 0.00 %, 0 profiles, the next in 59 s" },
		{ "one profile for all", { .uptime_ns = 7999999999, .pending_samples = 5 },
		  "7 s: 5 samples, 0 lost, overhead 0.00 %, 0 profiles" },
		{ "later",
		  { .period_s = 10, .uptime_ns = 15000000000, .interval_ns = 5000000000,
		    .samples = 1000, .pending_samples = 500, .profiles = 1,
		    .marks.decode.lost_ring = 3,
		    .marks.stats = { .handler_ns = 1, .elapsed_ns = 1000 } },
		  "15 s: 1500 samples, 3 lost, overhead 0.10 %, 1 profile, the next in 5 s" },
		{ "an interval that is overdue",
		  { .period_s = 10, .uptime_ns = 15000000000, .interval_ns = 11000000000 },
		  "15 s: 0 samples, 0 lost, overhead 0.00 %, 0 profiles" },
	};
	char text[DDPROF_PROGRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(ddprof_progress_text(&rows[i].c, text), rows[i].text))
			fail_msg("%s: %s", rows[i].what, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(progress) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
