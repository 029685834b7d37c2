// SPDX-License-Identifier: Apache-2.0
/*
 * A target and what may happen to it, on a clock of its own: receivers that are down for half an
 * hour, disks that are full or gone, processes killed anywhere. After each of it the books are
 * looked at: a batch has arrived or was dropped and told, never neither, never both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sender_fixture.h"

#define MIB (1ULL << 20)

static struct ddp_sender_stats stats_of(struct ddp__target *t)
{
	struct ddp_sender_stats s;
	uint64_t out;

	ddp__target_count(t, &s);
	out = s.sent + s.queued + s.spooled;
	for (int i = 0; i < DDP_SENDER_NR_DROPS; i++)
		out += s.dropped[i];
	assert_int_equal(s.added + s.found, out);
	return s;
}

static uint64_t dropped(struct ddp__target *t, enum ddp_sender_drop reason)
{
	return stats_of(t).dropped[reason];
}

static struct ddp__target *memory_target(void)
{
	return world_target(w, &(struct ddp_sender_target){ .name = "t" });
}

static struct ddp__target *spool_target(uint64_t spool_bytes)
{
	return world_target(w, &(struct ddp_sender_target){
		.name = "t", .spool = world_path(w, "spool"), .spool_bytes = spool_bytes });
}

/* The process is gone, with what it had in memory */
static void kill_target(struct ddp__target *t)
{
	ddp__target_destroy(t);
	w->changes_left = -1;
}

/* Until it says that it has ended */
static void end_target(struct ddp__target *t)
{
	int64_t next, begun = w->now_ns;

	ddp__target_end(t);
	while ((next = ddp__target_step(t)) != TARGET_ENDED)
		w->now_ns = next > w->now_ns ? next : w->now_ns;
	assert_true(w->now_ns - begun <= 1000000000);
}

/* Receivers */

static void everything_arrives_in_order(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	for (int i = 0; i < 100; i++)
		world_add(w, t, 100);
	assert_true(world_settle(t, w) == INT64_MAX);
	assert_int_equal(w->nr_order, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(w->order[i], i);
	assert_int_equal(stats_of(t).sent, 100);
	assert_int_equal(stats_of(t).queued_bytes, 0);
	assert_int_equal(w->events[DDP_SENDER_SENT], 100);
	ddp__target_destroy(t);
}

/* A profile a minute through half an hour in which nobody answers */
static void outage(struct ddp__target *t)
{
	w->out_from_ns = w->now_ns + 300 * 1000000000LL;
	w->out_until_ns = w->out_from_ns + 1800 * 1000000000LL;
	for (int minute = 0; minute < 60; minute++) {
		world_add(w, t, 100000);
		world_run(w, t, 60);
	}
	print_message("  outage_s=1800 added=%u arrived=%u dropped=%u second_copies=%" PRIu64
		      " attempts=%" PRIu64 "\n", w->nr, world_count(w, WORLD_ARRIVED),
		      world_count(w, WORLD_DROPPED), w->nr_duplicates, w->nr_sends);
}

static void half_an_hour_of_outage(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	outage(t);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 60);
	assert_int_equal(w->nr_duplicates, 0);
	assert_int_equal(w->events[DDP_SENDER_DOWN], 1);
	assert_int_equal(w->events[DDP_SENDER_UP], 1);
	assert_int_equal(stats_of(t).down, 0);
	/* a minute between two attempts at last, on average; some more while it was young */
	assert_in_range(stats_of(t).retried, 15, 60);
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(w->order[i], i);
	ddp__target_destroy(t);
}

static void half_an_hour_of_outage_with_a_spool(void **state)
{
	struct ddp__target *t = spool_target(0);

	(void)state;
	outage(t);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 60);
	assert_int_equal(w->nr_duplicates, 0);
	assert_int_equal(stats_of(t).stored, 60);
	assert_int_equal(stats_of(t).spooled_bytes, 0);
	ddp__target_destroy(t);
}

static void answers_decide(void **state)
{
	static const struct {
		const char *name;
		int answer;
		bool again;
		enum ddp_sender_drop reason;
	} rows[] = {
		{ "not now", DDP_EXPORT_RETRY, true, 0 },
		{ "refused", DDP_EXPORT_REFUSED, false, DDP_SENDER_DROP_REFUSED },
		{ "no memory to send it", -ENOMEM, true, 0 },
		{ "not in the target's format", -EINVAL, false, DDP_SENDER_DROP_UNUSABLE },
		{ "a profile that cannot be read", -EBADMSG, false, DDP_SENDER_DROP_UNUSABLE },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp__target *t = i % 2 ? memory_target() : spool_target(0);
		uint32_t nr = world_add(w, t, 100);

		w->answer = rows[i / 2].answer;
		world_settle(t, w);
		if (stats_of(t).retried != rows[i / 2].again ||
		    w->batches[nr].nr_dropped == rows[i / 2].again)
			fail_msg("%s", rows[i / 2].name);
		if (!rows[i / 2].again && (w->batches[nr].reason != rows[i / 2].reason ||
					   dropped(t, rows[i / 2].reason) != 1 ||
					   !stats_of(t).last_error[0] || !w->said[0]))
			fail_msg("%s: another reason", rows[i / 2].name);
		w->answer = DDP_EXPORT_OK;
		world_run(w, t, 300);
		if (w->batches[nr].nr_arrived != rows[i / 2].again)
			fail_msg("%s: what came of it", rows[i / 2].name);
		ddp__target_destroy(t);
	}
}

/* What is refused holds nobody up */
static void the_next_one_is_sent_at_once(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	w->answer = DDP_EXPORT_REFUSED;
	for (int i = 0; i < 10; i++)
		world_add(w, t, 100);
	world_settle(t, w);
	assert_int_equal(w->nr_sends, 10);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_REFUSED), 10);
	ddp__target_destroy(t);
}

/* The pause before attempt @i + 2: when all of it is waited, that is its limit */
static int64_t longest_pause_ms(uint32_t i, uint64_t seeds)
{
	int64_t longest = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct ddp__target *t = memory_target();
		int64_t next = 0;

		w->seed = seed * 7919;
		world_add(w, t, 1);
		for (uint32_t k = 0; k <= i; k++) {
			next = world_settle(t, w);
			assert_true(next >= w->now_ns);
			if (k < i)
				w->now_ns = next;
		}
		if (next - w->now_ns > longest)
			longest = next - w->now_ns;
		ddp__target_destroy(t);
	}
	return longest / 1000000;
}

static void pauses_double_up_to_a_limit(void **state)
{
	static const int64_t limits_ms[] = { 5000, 10000, 20000, 40000, 80000, 120000, 120000 };

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (uint32_t i = 0; i < sizeof(limits_ms) / sizeof(limits_ms[0]); i++) {
		int64_t longest = longest_pause_ms(i, 100);

		w->nr = 0;
		if (longest > limits_ms[i] || longest < limits_ms[i] * 9 / 10)
			fail_msg("attempt %u: up to %" PRId64 " ms", i + 2, longest);
	}
}

static void a_receiver_says_when_to_come_back(void **state)
{
	static const struct {
		const char *name;
		uint32_t retry_after_ms;
		int64_t least_ms, most_ms;
	} rows[] = {
		{ "nothing", 0, 0, 5000 },
		{ "in a minute", 60000, 60000, 65000 },
		{ "tomorrow: in a quarter of an hour", 86400000, 900000, 905000 },
	};

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp__target *t = memory_target();
		int64_t ms;

		w->retry_after_ms = rows[i].retry_after_ms;
		world_add(w, t, 1);
		ms = (world_settle(t, w) - w->now_ns) / 1000000;
		if (ms < rows[i].least_ms || ms > rows[i].most_ms)
			fail_msg("%s: %" PRId64 " ms", rows[i].name, ms);
		assert_in_range(stats_of(t).next_attempt_ms, ms - 1, ms);
		ddp__target_destroy(t);
	}
}

static void a_batch_that_comes_does_not_shorten_a_pause(void **state)
{
	struct ddp__target *t = memory_target();
	int64_t next;

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	w->retry_after_ms = 60000;
	world_add(w, t, 1);
	next = world_settle(t, w);
	w->now_ns += 1000000000;
	world_add(w, t, 1);
	assert_true(world_settle(t, w) == next);
	assert_int_equal(w->nr_sends, 1);
	ddp__target_destroy(t);
}

/* Memory */

static void the_oldest_goes_first(void **state)
{
	struct ddp__target *t = world_target(w, &(struct ddp_sender_target){
		.name = "t", .queue_bytes = 10 * MIB });

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (int i = 0; i < 25; i++) {
		world_add(w, t, MIB - 300);
		world_run(w, t, 60);
		assert_true(stats_of(t).queued_bytes <= 11 * MIB);
	}
	for (uint32_t i = 0; i < 25; i++)
		assert_int_equal(w->batches[i].nr_dropped, i < 15);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_QUEUE), 15);
	w->answer = DDP_EXPORT_OK;
	world_run(w, t, 300);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 10);
	assert_int_equal(world_count(w, WORLD_BOTH), 0);
	ddp__target_destroy(t);
}

static void a_profile_in_parts_stays_together(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (int i = 0; i < 12; i++) /* more parts than a queue of five would keep */
		world_add(w, t, 2 * MIB);
	world_settle(t, w);
	assert_int_equal(world_count(w, WORLD_DROPPED), 0);
	ddp__target_destroy(t);
}

static void queues_are_bounded_in_batches_as_well(void **state)
{
	struct ddp__target *t = world_target(w, &(struct ddp_sender_target){
		.name = "t", .queue_batches = 3 });

	(void)state;
	for (int i = 0; i < 5; i++)
		world_add(w, t, 1);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_QUEUE), 2);
	world_settle(t, w);
	assert_int_equal(w->order[0], 2);
	ddp__target_destroy(t);
}

static void what_never_fits_is_dropped_alone(void **state)
{
	struct ddp__target *t = world_target(w, &(struct ddp_sender_target){
		.name = "t", .queue_bytes = MIB });
	uint32_t small = world_add(w, t, 1), large = world_add(w, t, MIB);

	(void)state;
	assert_int_equal(w->batches[large].nr_dropped, 1);
	world_settle(t, w);
	assert_int_equal(w->batches[small].nr_arrived, 1);
	ddp__target_destroy(t);
}

/* Its place was taken while it was away */
static void a_batch_that_comes_back_may_find_no_room(void **state)
{
	struct ddp__target *t = world_target(w, &(struct ddp_sender_target){
		.name = "t", .queue_batches = 1 });

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	world_add(w, t, 1);
	w->during_send = t;	/* one more is added meanwhile */
	ddp__target_step(t);
	w->during_send = NULL;
	assert_int_equal(w->batches[0].nr_dropped, 1);
	assert_int_equal(stats_of(t).queued, 1);
	w->answer = DDP_EXPORT_OK;
	world_run(w, t, 10);
	assert_int_equal(w->batches[1].nr_arrived, 1);
	ddp__target_destroy(t);
}

/* Spools */

static void what_was_stored_is_sent_by_the_next(void **state)
{
	struct ddp__target *t = spool_target(0);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (int i = 0; i < 10; i++)
		world_add(w, t, 1000);
	world_settle(t, w);
	assert_int_equal(w->events[DDP_SENDER_STORED], 10);
	assert_int_equal(stats_of(t).queued, 0);
	kill_target(t);
	w->answer = DDP_EXPORT_OK;
	t = spool_target(0);
	assert_int_equal(stats_of(t).found, 10);
	world_add(w, t, 1000);
	world_settle(t, w);
	for (uint32_t i = 0; i < 11; i++)
		assert_int_equal(w->order[i], i);
	assert_int_equal(w->nr_duplicates, 0);
	ddp__target_destroy(t);
}

static void killed_between_answer_and_removal(void **state)
{
	struct ddp__target *t = spool_target(0);

	(void)state;
	world_add(w, t, 1000);
	w->dies_when_sent = true;
	ddp__target_step(t);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 1);
	kill_target(t);
	w->dies_when_sent = false;
	t = spool_target(0);
	world_settle(t, w);
	assert_int_equal(w->nr_duplicates, 1);
	assert_int_equal(stats_of(t).spooled, 0);
	ddp__target_destroy(t);
}

static void a_full_spool_drops_its_oldest(void **state)
{
	struct ddp__target *t = spool_target(10 * 4096);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	for (int i = 0; i < 25; i++) {
		world_add(w, t, 3000);
		world_settle(t, w);
		assert_true(stats_of(t).spooled_bytes <= 10 * 4096);
	}
	assert_int_equal(dropped(t, DDP_SENDER_DROP_SPOOL), 15);
	for (uint32_t i = 0; i < 25; i++)
		assert_int_equal(w->batches[i].nr_dropped, i < 15);
	world_add(w, t, 11 * 4096); /* not even into an empty one; the others stay */
	world_settle(t, w);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_SPOOL), 16);
	w->answer = DDP_EXPORT_OK;
	world_run(w, t, 300);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 10);
	assert_int_equal(world_count(w, WORLD_BOTH), 0);
	ddp__target_destroy(t);
}

static void a_full_disk_is_told_and_costs_nothing(void **state)
{
	struct ddp__target *t = spool_target(0);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	world_add(w, t, 1000);
	world_settle(t, w);
	w->room_bytes = 500;
	for (int i = 0; i < 5; i++) {
		world_add(w, t, 1000);
		world_run(w, t, 60);
	}
	assert_int_equal(w->events[DDP_SENDER_SPOOL_DOWN], 1);
	assert_int_equal(stats_of(t).spool_down, 1);
	assert_int_equal(stats_of(t).spooled, 1);
	assert_int_equal(stats_of(t).queued, 5);
	w->answer = DDP_EXPORT_OK; /* sent from memory while the disk is still full */
	world_run(w, t, 300);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(w->order[i], i);
	w->room_bytes = -1;
	world_add(w, t, 1000);
	world_run(w, t, 60);
	assert_int_equal(w->events[DDP_SENDER_SPOOL_UP], 1);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 7);
	assert_int_equal(w->nr_duplicates, 0);
	ddp__target_destroy(t);
}

static void a_full_disk_has_room_again(void **state)
{
	struct ddp__target *t = spool_target(0);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	w->room_bytes = 0;
	for (int i = 0; i < 3; i++)
		world_add(w, t, 1000);
	world_settle(t, w);
	assert_int_equal(stats_of(t).queued, 3);
	w->room_bytes = -1;
	world_run(w, t, 60); /* nobody adds anything: it looks by itself */
	assert_int_equal(stats_of(t).spooled, 3);
	kill_target(t);
	w->answer = DDP_EXPORT_OK;
	t = spool_target(0);
	world_settle(t, w);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 3);
	ddp__target_destroy(t);
}

/* The one before this one may still be at its end, or another process does not know of us */
static void a_spool_in_use_is_waited_for(void **state)
{
	struct ddp__target *first = spool_target(0), *t = spool_target(0);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	world_add(w, first, 1);
	world_settle(first, w);
	world_add(w, t, 1);
	world_run(w, t, 14);
	assert_int_equal(w->events[DDP_SENDER_SPOOL_DOWN], 0); /* it may be at its end */
	assert_int_equal(stats_of(t).spool_down, 1);
	world_run(w, t, 14);
	assert_int_equal(w->events[DDP_SENDER_SPOOL_DOWN], 1);
	assert_int_equal(stats_of(t).queued, 1);
	ddp__target_destroy(first);
	world_run(w, t, 1);
	assert_int_equal(w->events[DDP_SENDER_SPOOL_UP], 1);
	assert_int_equal(stats_of(t).found, 1);
	assert_int_equal(stats_of(t).spooled, 2);
	w->answer = DDP_EXPORT_OK;
	world_run(w, t, 600);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 2);
	ddp__target_destroy(t);
}

static void the_end_waits_for_no_spool(void **state)
{
	struct ddp__target *first = spool_target(0), *t = spool_target(0);

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	world_add(w, t, 1);
	end_target(t);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_END), 1);
	ddp__target_destroy(t);
	ddp__target_destroy(first);
}

static void flip_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 0x40;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* Three batches, of which the second one's file is made something else by each row */
static void a_damaged_entry_is_told_and_passed_over(void **state)
{
	static const char name[] = "spool/0000000000000001.batch";
	struct ddp_sender_stats s;
	struct ddp__target *t;
	struct stat st;

	(void)state;
	for (off_t at = 0, n = 1; at < n; at++) {
		w->nr = 0;
		memset(w->batches, 0, sizeof(w->batches));
		w->answer = DDP_EXPORT_RETRY;
		t = spool_target(0);
		for (int i = 0; i < 3; i++)
			world_add(w, t, 20);
		world_settle(t, w);
		ddp__target_destroy(t);
		assert_int_equal(stat(world_path(w, name), &st), 0);
		n = st.st_size;
		flip_byte(world_path(w, name), at);
		w->answer = DDP_EXPORT_OK;
		t = spool_target(0);
		world_settle(t, w);
		s = stats_of(t);
		if (s.sent != 2 || s.dropped[DDP_SENDER_DROP_DAMAGED] != 1 || s.spooled ||
		    w->batches[1].nr_arrived || !strstr(s.last_error, "damaged"))
			fail_msg("byte %d", (int)at);
		assert_int_not_equal(access(world_path(w, name), F_OK), 0);
		ddp__target_destroy(t);
	}
}

/* The end */

static void the_end_tries_once_more(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	w->answer = DDP_EXPORT_RETRY;
	w->retry_after_ms = 600000;
	world_add(w, t, 1);
	world_settle(t, w);
	world_add(w, t, 1);
	w->answer = DDP_EXPORT_OK;
	end_target(t);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 2);
	world_add(w, t, 1);
	assert_int_equal(dropped(t, DDP_SENDER_DROP_END), 1);
	ddp__target_destroy(t);
}

/* An accident at the end costs nothing */
static void the_end_bears_one_failure(void **state)
{
	struct ddp__target *t = memory_target();

	(void)state;
	for (int i = 0; i < 5; i++)
		world_add(w, t, 1);
	w->out_from_ns = w->now_ns;
	w->out_until_ns = w->now_ns + 100000000;
	end_target(t);
	assert_int_equal(world_count(w, WORLD_ARRIVED), 5);
	assert_int_equal(stats_of(t).retried, 1);
	ddp__target_destroy(t);
}

static void the_end_gives_up_when_nobody_is_there(void **state)
{
	static const struct {
		const char *name;
		int answer;
		bool spool;
		uint32_t nr_kept, nr_sends;
	} rows[] = {
		{ "down", DDP_EXPORT_RETRY, false, 0, 2 },
		{ "down, with a spool", DDP_EXPORT_RETRY, true, 3, 2 },
		{ "cancelled", DDP_EXPORT_CANCELLED, false, 0, 1 },
		{ "cancelled, with a spool", DDP_EXPORT_CANCELLED, true, 3, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp__target *t = rows[i].spool ? spool_target(0) : memory_target();

		w->answer = rows[i].answer;
		w->nr_sends = 0;
		for (int k = 0; k < 3; k++)
			world_add(w, t, 1);
		end_target(t);
		if (w->nr_sends != rows[i].nr_sends || stats_of(t).spooled != rows[i].nr_kept ||
		    dropped(t, DDP_SENDER_DROP_END) != 3 - rows[i].nr_kept)
			fail_msg("%s", rows[i].name);
		ddp__target_destroy(t);
		w->answer = DDP_EXPORT_OK;
		t = spool_target(0);
		world_settle(t, w);
		assert_int_equal(stats_of(t).sent, rows[i].nr_kept);
		ddp__target_destroy(t);
	}
}

static const struct ddp_exporter_config good_url = { .url = "http://a" };
static const struct ddp_exporter_config bad_url = { .url = "ftp://a" };

static void bad_targets(void **state)
{
	static const struct {
		const char *name;
		struct ddp_sender_target config;
		const char *says;
	} rows[] = {
		{ "no name", { .directory = "/tmp" }, "name" },
		{ "an empty name", { .name = "", .directory = "/tmp" }, "name" },
		{ "two ways", { .name = "x", .directory = "/tmp", .exporter = &good_url },
		  "target x: give one" },
		{ "a bad URL", { .name = "x", .exporter = &bad_url }, "ftp://a" },
		{ "a folder in a folder that is not there", { .name = "x",
			.directory = "/tmp/no/such" }, "/tmp/no/such: No such" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_sender_target config = rows[i].config;
		struct ddp_error err = { "" };
		struct ddp__target *t;
		int r = world_try_target(w, &config, &t, &err);

		if (!r || !strstr(err.text, rows[i].says))
			fail_msg("%s: %d, %s", rows[i].name, r, err.text);
	}
}

/* Everything at once */

/* One thing that happens, to a target that may be another one afterwards */
static struct ddp__target *happen(struct ddp__target *t, uint32_t what)
{
	switch (what % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		world_add(w, t, 100 + what % 3000);
		break;
	case 6:
		w->answer = what & 64 ? DDP_EXPORT_RETRY : DDP_EXPORT_OK;
		break;
	case 7:
		w->room_bytes = what & 64 ? -1 : (int64_t)(what % 5000);
		break;
	case 8:	/* killed somewhere in what it does next */
		w->changes_left = what % 4000;
		world_run(w, t, 5);
		kill_target(t);
		return spool_target(64 * 4096);
	case 9: /* stopped, and started again */
		end_target(t);
		ddp__target_destroy(t);
		return spool_target(64 * 4096);
	case 10:
		world_run(w, t, what % 200);
		break;
	default:
		world_settle(t, w);
	}
	return t;
}

/* Of those that nothing can lose any more */
static void assert_books(uint64_t seed)
{
	for (uint32_t i = 0; i < w->nr; i++) {
		const struct world_batch *b = &w->batches[i];

		if (b->nr_stored && !b->nr_arrived && !b->nr_dropped)
			fail_msg("seed %" PRIu64 ": batch %u was stored and is nowhere", seed, i);
	}
}

static void nothing_that_was_stored_is_lost(void **state)
{
	const char *many = getenv("CHAOS_SEEDS"); /* `make chaos` wants more */
	uint64_t nr_stored = 0, nr_arrived = 0, nr_seeds = many ? strtoull(many, NULL, 10) : 40;

	for (uint64_t seed = 1; seed <= nr_seeds; seed++) {
		struct ddp__target *t;
		uint32_t x = (uint32_t)seed;

		make_world(state);
		t = spool_target(64 * 4096);
		for (int i = 0; i < 300; i++) {
			x = x * 1664525 + 1013904223;
			t = happen(t, x >> 8);
			stats_of(t);
		}
		w->answer = DDP_EXPORT_OK;
		w->room_bytes = -1;
		world_run(w, t, 600);
		assert_books(seed);
		assert_int_equal(stats_of(t).spooled + stats_of(t).queued, 0);
		ddp__target_destroy(t);
		nr_stored += w->events[DDP_SENDER_STORED];
		nr_arrived += world_count(w, WORLD_ARRIVED);
		end_world(state);
	}
	assert_true(nr_stored > 1000 && nr_arrived > 1000);
	print_message("  stored=%" PRIu64 " arrived=%" PRIu64 "\n", nr_stored, nr_arrived);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_A_WORLD(everything_arrives_in_order),
		IN_A_WORLD(half_an_hour_of_outage),
		IN_A_WORLD(half_an_hour_of_outage_with_a_spool),
		IN_A_WORLD(answers_decide),
		IN_A_WORLD(the_next_one_is_sent_at_once),
		IN_A_WORLD(pauses_double_up_to_a_limit),
		IN_A_WORLD(a_receiver_says_when_to_come_back),
		IN_A_WORLD(a_batch_that_comes_does_not_shorten_a_pause),
		IN_A_WORLD(the_oldest_goes_first),
		IN_A_WORLD(a_profile_in_parts_stays_together),
		IN_A_WORLD(queues_are_bounded_in_batches_as_well),
		IN_A_WORLD(what_never_fits_is_dropped_alone),
		IN_A_WORLD(a_batch_that_comes_back_may_find_no_room),
		IN_A_WORLD(what_was_stored_is_sent_by_the_next),
		IN_A_WORLD(killed_between_answer_and_removal),
		IN_A_WORLD(a_full_spool_drops_its_oldest),
		IN_A_WORLD(a_full_disk_is_told_and_costs_nothing),
		IN_A_WORLD(a_full_disk_has_room_again),
		IN_A_WORLD(a_spool_in_use_is_waited_for),
		IN_A_WORLD(the_end_waits_for_no_spool),
		IN_A_WORLD(a_damaged_entry_is_told_and_passed_over),
		IN_A_WORLD(the_end_tries_once_more),
		IN_A_WORLD(the_end_bears_one_failure),
		IN_A_WORLD(the_end_gives_up_when_nobody_is_there),
		IN_A_WORLD(bad_targets),
		cmocka_unit_test(nothing_that_was_stored_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
