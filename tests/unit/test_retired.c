// SPDX-License-Identifier: Apache-2.0
/*
 * collector/ddprof/retired: an output that was replaced is finished while its caller goes on, and
 * there are never many of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <ddprof/profile.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/log.h"
#include "ddprof/retired.h"

struct slow {
	sem_t go;		/* until then it does not answer */
	atomic_uint sent;
};

static int answer_late(void *ctx, const struct ddp_export_form *form,
		       struct ddp_export_result *ret)
{
	struct slow *slow = ctx;

	(void)form, (void)ret;
	sem_wait(&slow->go);
	slow->sent++;
	return DDP_EXPORT_OK;
}

/* One with a profile that waits to be sent */
static struct ddp_output *make_output(struct slow *slow)
{
	static const struct ddp_value_type types[] = { { "samples", "count" } };
	struct ddp_sender_target target = { .name = "slow", .send = answer_late, .ctx = slow };
	struct ddp_output_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_profile_config of = { .value_types = types, .nr_value_types = 1 };
	struct ddp_error err = { "" };
	struct ddp_profile *p;
	struct ddp_output *o;

	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	assert_int_equal(ddp_profile_create(&of, &p), 0);
	assert_int_equal(ddp_output_profile(o, p, NULL, 1, 2), 0);
	ddp_profile_destroy(p);
	return o;
}

static void nobody_waits_for_what_was_replaced(void **state)
{
	struct ddprof_retired r = { .nr = 0 };
	struct slow slow = { .sent = 0 };

	(void)state;
	sem_init(&slow.go, 0, 0);
	ddprof_retire(&r, make_output(&slow));
	/* only now it answers */
	sem_post(&slow.go);
	ddprof_retired_wait(&r);
	assert_int_equal(slow.sent, 1);
	assert_int_equal(r.nr, 0);
	sem_destroy(&slow.go);
}

static void they_are_few_at_a_time(void **state)
{
	enum { NR = DDPROF_MAX_RETIRED + 3 };
	struct ddprof_retired r = { .nr = 0 };
	struct slow slow[NR] = { { .sent = 0 } };

	(void)state;
	for (int i = 0; i < NR; i++) {
		sem_init(&slow[i].go, 0, 0);
		if (i >= DDPROF_MAX_RETIRED)
			sem_post(&slow[i - DDPROF_MAX_RETIRED].go);
		ddprof_retire(&r, make_output(&slow[i]));
		assert_true(r.nr <= DDPROF_MAX_RETIRED);
	}
	for (int i = NR - DDPROF_MAX_RETIRED; i < NR; i++)
		sem_post(&slow[i].go);
	ddprof_retired_wait(&r);
	for (int i = 0; i < NR; i++) {
		assert_int_equal(slow[i].sent, 1);
		sem_destroy(&slow[i].go);
	}
	ddprof_retired_wait(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_for_what_was_replaced),
		cmocka_unit_test(they_are_few_at_a_time),
	};

	ddp_log_setup("test_retired", DDP_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
