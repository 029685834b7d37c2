// SPDX-License-Identifier: Apache-2.0
/*
 * The sender as programs use it, with its threads, real sockets and real files: several targets
 * beside each other, an end within the given time, and what is left for the next start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <ddprof/sender.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "receiver.h"
#include "sender_world.h"

enum { PATIENCE_S = 60 };	/* for what happens at once unless it never does */

/* What was told, by kind, of all targets */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t nr[DDP_SENDER_DROPPED + 1];
	char id[64];			/* of the last batch */
};

struct fixture {
	struct world *folder;		/* only its folder is used */
	struct receiver *receiver;
	struct ddp_exporter_config exporter;
	char url[64];
	struct told told;
};

static void on_event(void *ctx, const struct ddp_sender_event *e)
{
	struct told *t = ctx;

	pthread_mutex_lock(&t->lock);
	t->nr[e->kind]++;
	if (e->id[0])
		snprintf(t->id, sizeof(t->id), "%s", e->id);
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void wait_for(struct told *t, enum ddp_sender_event_kind kind, uint64_t nr)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&t->lock);
	while (t->nr[kind] < nr && !r)
		r = pthread_cond_timedwait(&t->changed, &t->lock, &until);
	pthread_mutex_unlock(&t->lock);
	if (r)
		fail_msg("event %d did not come %d times", kind, (int)nr);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->folder = world_create();
	f->receiver = receiver_start(NULL);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", receiver_port(f->receiver));
	f->exporter.url = f->url;
	pthread_mutex_init(&f->told.lock, NULL);
	pthread_cond_init(&f->told.changed, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	receiver_stop(f->receiver);
	world_destroy(f->folder);
	pthread_cond_destroy(&f->told.changed);
	pthread_mutex_destroy(&f->told.lock);
	free(f);
	return 0;
}

static struct ddp_sender *create(struct fixture *f, const struct ddp_sender_target *targets,
				 size_t nr)
{
	struct ddp_sender_config config = {
		.targets = targets, .nr_targets = nr, .on_event = on_event, .ctx = &f->told,
	};
	struct ddp_error err = { "" };
	struct ddp_sender *s;

	if (ddp_sender_create(&config, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static void add(struct ddp_sender *s)
{
	assert_int_equal(ddp_sender_add(s, &(struct ddp_export_form){
		.start_unix_ns = 1, .end_unix_ns = 2, .profile = "pprof", .profile_bytes = 5 }),
		0);
}

static struct ddp_sender_stats stats(struct ddp_sender *s, size_t i)
{
	struct ddp_sender_stats ret;

	assert_int_equal(ddp_sender_get_stats(s, i, &ret), 0);
	return ret;
}

static void every_target_gets_everything(void **state)
{
	struct fixture *f = *state;
	char folder[128];
	struct ddp_sender_target targets[] = {
		{ .name = "agent", .exporter = &f->exporter },
		{ .name = "files", .directory = folder },
	};
	struct ddp_sender *s;
	char id[80];

	snprintf(folder, sizeof(folder), "%s", world_path(f->folder, "out"));
	s = create(f, targets, 2);
	for (int i = 0; i < 5; i++)
		add(s);
	wait_for(&f->told, DDP_SENDER_SENT, 10);
	ddp_sender_finish(s, 10000);
	assert_int_equal(receiver_count(f->receiver), 5);
	assert_null(receiver_last(f->receiver)->error);
	snprintf(id, sizeof(id), "\"profile_id\":\"%s\"", f->told.id);
	assert_non_null(memmem(receiver_last(f->receiver)->parts[0].bytes,
			       receiver_last(f->receiver)->parts[0].n, id, strlen(id)));
	assert_string_equal(stats(s, 0).target, "agent");
	assert_int_equal(stats(s, 1).files, 5);
	assert_int_equal(stats(s, 1).sent, 5);
	assert_true(stats(s, 0).last_sent_unix_ns > 0);
	ddp_sender_destroy(s);
}

/* Neither the caller nor the other target waits for one that says nothing */
static void a_silent_receiver_holds_nobody_up(void **state)
{
	struct fixture *f = *state;
	char folder[128];
	struct ddp_sender_target targets[] = {
		{ .name = "agent", .exporter = &f->exporter },
		{ .name = "files", .directory = folder },
	};
	struct ddp_sender *s;

	snprintf(folder, sizeof(folder), "%s", world_path(f->folder, "out"));
	receiver_answer(f->receiver, 0, "");
	f->exporter.timeout_ms = 1000 * PATIENCE_S;
	s = create(f, targets, 2);
	for (int i = 0; i < 20; i++)
		add(s);
	wait_for(&f->told, DDP_SENDER_SENT, 20);
	assert_int_equal(stats(s, 1).sent, 20);
	ddp_sender_finish(s, 50);
	assert_int_equal(stats(s, 0).sent, 0);
	assert_int_equal(stats(s, 0).dropped[DDP_SENDER_DROP_END], 20);
	ddp_sender_destroy(s);
}

static void what_did_not_get_out_waits_for_the_next(void **state)
{
	struct fixture *f = *state;
	char folder[128];
	struct ddp_sender_target target = {
		.name = "agent", .exporter = &f->exporter, .spool = folder,
	};
	struct ddp_sender *s;

	snprintf(folder, sizeof(folder), "%s", world_path(f->folder, "spool"));
	receiver_answer(f->receiver, 503, "later");
	s = create(f, &target, 1);
	for (int i = 0; i < 3; i++)
		add(s);
	wait_for(&f->told, DDP_SENDER_DOWN, 1);
	ddp_sender_finish(s, 10000);
	assert_int_equal(stats(s, 0).spooled, 3);
	assert_non_null(strstr(stats(s, 0).last_error, "503"));
	ddp_sender_destroy(s);
	receiver_answer(f->receiver, 200, "");
	s = create(f, &target, 1);
	wait_for(&f->told, DDP_SENDER_SENT, 3);
	assert_int_equal(stats(s, 0).found, 3);
	ddp_sender_destroy(s);
}

static void it_tries_again_by_itself(void **state)
{
	struct fixture *f = *state;
	struct ddp_sender_target target = {
		.name = "agent", .exporter = &f->exporter, .retry_first_ms = 1, .retry_last_ms = 1,
	};
	struct ddp_sender *s;

	receiver_answer(f->receiver, 500, "");
	s = create(f, &target, 1);
	add(s);
	wait_for(&f->told, DDP_SENDER_DOWN, 1);
	receiver_answer(f->receiver, 200, "");
	wait_for(&f->told, DDP_SENDER_SENT, 1);
	assert_int_equal(f->told.nr[DDP_SENDER_UP], 1);
	ddp_sender_destroy(s);
}

/* Keys are the exporter's: what is on disk does not have them */
static void secrets_stay_out_of_the_spool(void **state)
{
	static char bytes[8192];
	struct fixture *f = *state;
	char folder[128];
	struct ddp_sender_target target = {
		.name = "intake", .exporter = &f->exporter, .spool = folder,
	};
	struct ddp_sender *s;
	size_t n;
	FILE *file;

	snprintf(folder, sizeof(folder), "%s", world_path(f->folder, "spool"));
	f->exporter.api_key = "0123456789abcdef-key";
	receiver_answer(f->receiver, 503, "");
	s = create(f, &target, 1);
	add(s);
	wait_for(&f->told, DDP_SENDER_DOWN, 1);
	ddp_sender_destroy(s);
	file = fopen(world_path(f->folder, "spool/0000000000000000.batch"), "re");
	assert_non_null(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_non_null(memmem(bytes, n, "pprof", 5));
	assert_null(memmem(bytes, n, f->exporter.api_key, strlen(f->exporter.api_key)));
}

/* A configuration that was read again: nothing of what waits is lost, nor counted anew */
static void one_takes_over_from_another(void **state)
{
	static const struct {
		const char *name;
		const char *spools[2];
		uint64_t nr_sent;	/* by the second; one was added to it */
	} rows[] = {
		{ "in memory", { NULL, NULL }, 6 },
		{ "the same spool", { "spool", "spool" }, 6 },
		{ "from memory to a spool", { NULL, "spool" }, 6 },
		{ "another spool: its batches stay there", { "spool", "other" }, 1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_sender_target target = { /* that waits long once it has failed */
			.name = "agent", .exporter = &f->exporter,
			.retry_first_ms = 1U << 30, .retry_last_ms = 1U << 30,
		};
		struct ddp_sender_config config = { .targets = &target, .nr_targets = 1 };
		struct ddp_sender *first, *second;
		struct ddp_error err = { "" };
		uint64_t nr_sent = rows[i].nr_sent;
		char spool[128];

		memset(f->told.nr, 0, sizeof(f->told.nr));
		receiver_answer(f->receiver, 503, "");
		snprintf(spool, sizeof(spool), "%s",
			 rows[i].spools[0] ? world_path(f->folder, rows[i].spools[0]) : "");
		target.spool = rows[i].spools[0] ? spool : NULL;
		first = create(f, &target, 1);
		for (int k = 0; k < 5; k++)
			add(first);
		if (target.spool)
			wait_for(&f->told, DDP_SENDER_STORED, 5);
		wait_for(&f->told, DDP_SENDER_DOWN, 1);
		receiver_answer(f->receiver, 200, "");
		if (rows[i].spools[1])
			snprintf(spool, sizeof(spool), "%s",
				 world_path(f->folder, rows[i].spools[1]));
		target.spool = rows[i].spools[1] ? spool : NULL;
		config.on_event = on_event;
		config.ctx = &f->told;
		config.replaces = first;
		assert_int_equal(ddp_sender_create(&config, &second, &err), 0);
		assert_int_equal(stats(first, 0).queued, 0);
		ddp_sender_finish(first, 10000);
		assert_int_equal(stats(first, 0).dropped[DDP_SENDER_DROP_END], 0);
		ddp_sender_destroy(first);
		add(second);
		wait_for(&f->told, DDP_SENDER_SENT, nr_sent);
		ddp_sender_finish(second, 10000);
		if (stats(second, 0).added != nr_sent || stats(second, 0).sent != nr_sent ||
		    stats(second, 0).found || stats(second, 0).retried != 1)
			fail_msg("%s: added %d", rows[i].name, (int)stats(second, 0).added);
		ddp_sender_destroy(second);
	}
}

static void a_target_that_is_gone_ends_as_ever(void **state)
{
	struct fixture *f = *state;
	struct ddp_sender_target target = { .name = "agent", .exporter = &f->exporter };
	struct ddp_sender_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_sender *first, *second;

	receiver_answer(f->receiver, 503, "");
	first = create(f, &target, 1);
	add(first);
	wait_for(&f->told, DDP_SENDER_DOWN, 1);
	receiver_answer(f->receiver, 200, "");
	target.name = "another";
	config.replaces = first;
	assert_int_equal(ddp_sender_create(&config, &second, &err), 0);
	ddp_sender_finish(first, 10000);
	assert_int_equal(stats(first, 0).sent, 1);
	assert_int_equal(stats(second, 0).added, 0);
	ddp_sender_destroy(first);
	ddp_sender_destroy(second);
}

/* A configuration that cannot be used changes nothing */
static void the_one_before_goes_on_after_an_error(void **state)
{
	struct fixture *f = *state;
	struct ddp_sender_target target = { .name = "agent", .exporter = &f->exporter };
	struct ddp_sender_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_sender *first, *second;

	first = create(f, &target, 1);
	target.directory = "/tmp/both";
	config.replaces = first;
	assert_int_equal(ddp_sender_create(&config, &second, &err), -EINVAL);
	add(first);
	wait_for(&f->told, DDP_SENDER_SENT, 1);
	ddp_sender_destroy(first);
}

static void what_is_refused_at_the_start(void **state)
{
	static struct ddp_sender_target many[DDP_SENDER_MAX_TARGETS + 1];
	struct ddp_sender_config config = { .targets = many };
	struct ddp_error err = { "" };
	struct ddp_sender *s;

	(void)state;
	assert_int_equal(ddp_sender_create(&config, &s, &err), -EINVAL);
	config.nr_targets = DDP_SENDER_MAX_TARGETS + 1;
	assert_int_equal(ddp_sender_create(&config, &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "16"));
	config.nr_targets = 2;
	many[0] = (struct ddp_sender_target){ .name = "good", .directory = "/tmp/test_sender.d" };
	assert_int_equal(ddp_sender_create(&config, &s, NULL), -EINVAL);
	rmdir("/tmp/test_sender.d");
	ddp_sender_destroy(NULL);
}

static void every_reason_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < DDP_SENDER_NR_DROPS; i++)
		for (int k = 0; k <= i; k++)
			assert_int_equal(!strcmp(ddp_sender_drop_name(i), ddp_sender_drop_name(k)),
					 i == k);
	assert_null(ddp_sender_drop_name(DDP_SENDER_NR_DROPS));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_FIXTURE(every_target_gets_everything),
		WITH_FIXTURE(a_silent_receiver_holds_nobody_up),
		WITH_FIXTURE(what_did_not_get_out_waits_for_the_next),
		WITH_FIXTURE(it_tries_again_by_itself),
		WITH_FIXTURE(secrets_stay_out_of_the_spool),
		WITH_FIXTURE(one_takes_over_from_another),
		WITH_FIXTURE(a_target_that_is_gone_ends_as_ever),
		WITH_FIXTURE(the_one_before_goes_on_after_an_error),
		cmocka_unit_test(what_is_refused_at_the_start),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
