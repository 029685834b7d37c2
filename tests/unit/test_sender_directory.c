// SPDX-License-Identifier: Apache-2.0
/*
 * A folder as a target: names, modes, what is never seen half written, and which files go when
 * there are too many or they are too old.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/sender_directory.h"
#include "sender_fixture.h"

#define START_NS 1767323045006000007LL	/* 2026-01-02T03:04:05.006000007Z */
#define ID "00000000-1111-4222-8333-444444444444"

static struct ddp__directory *open_directory(uint64_t max_bytes, uint32_t max_age_s)
{
	struct ddp_error err = { "" };
	struct ddp__directory *d;

	if (ddp__directory_open(&w->sys, world_path(w, "out"), max_bytes, max_age_s, &d, &err))
		fail_msg("%s", err.text);
	return d;
}

static int put(struct ddp__directory *d, int64_t start_unix_ns, const char *tags, const char *id,
	       const void *profile, size_t n)
{
	struct ddp_buffer t = { .bytes = (unsigned char *)tags, .len = strlen(tags) };
	struct ddp_export_form form = {
		.id = id, .start_unix_ns = start_unix_ns, .end_unix_ns = start_unix_ns + 1,
		.tags = &t, .profile = profile, .profile_bytes = n,
	};
	struct ddp_export_result result = { 0 };
	int r = ddp__directory_put(d, &form, &result);

	if (r > DDP_EXPORT_OK)
		snprintf(w->said, sizeof(w->said), "%s", result.message);
	return r;
}

/* The names in the folder, sorted, a line each */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static const char *listing(void)
{
	static char text[8192];
	struct dirent **e;
	int nr = scandir(world_path(w, "out"), &e, NULL, by_name);
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < nr; i++) {
		if (e[i]->d_name[0] != '.')
			n += snprintf(text + n, sizeof(text) - n, "%s\n", e[i]->d_name);
		free(e[i]);
	}
	free(e);
	return text;
}

static void names_say_what_it_is(void **state)
{
	static const struct {
		const char *name, *tags, *id, *bytes, *file;
	} rows[] = {
		{ "gzip", "env:e,service:shop,version:1", ID, "\x1f\x8b", "shop-" ID ".pprof" },
		{ "LZ4", "service:shop", ID, "\x04\x22\x4d\x18", "shop-" ID ".pprof.lz4" },
		{ "zstd", "service:shop", ID, "\x28\xb5\x2f\xfd", "shop-" ID ".pprof.zst" },
		{ "plain", "service:shop", ID, "plain", "shop-" ID ".pb" },
		{ "no service", "env:e", ID, "plain", "profile-" ID ".pb" },
		{ "no tags", "", ID, "plain", "profile-" ID ".pb" },
		{ "an empty service", "service:", ID, "plain", "profile-" ID ".pb" },
		{ "a path", "service:../../etc/x", "../y", "plain", ".._.._etc_x-.._y.pb" },
		{ "what no terminal should see", "service:\x1b[2J\xc3\xa4", ID, "plain",
		  "__2J__-" ID ".pb" },
	};
	char want[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp__directory *d = open_directory(1 << 20, 0);

		assert_int_equal(put(d, START_NS, rows[i].tags, rows[i].id, rows[i].bytes,
				     strlen(rows[i].bytes)), DDP_EXPORT_OK);
		snprintf(want, sizeof(want), "20260102T030405.006Z-%s\n", rows[i].file);
		if (strcmp(listing(), want))
			fail_msg("%s: %s", rows[i].name, listing());
		ddp__directory_close(d);
		want[strlen(want) - 1] = '\0';
		assert_int_equal(unlinkat(open(world_path(w, "out"), O_RDONLY), want, 0), 0);
	}
}

static void only_the_owner_reads_it(void **state)
{
	struct ddp__directory *d;
	mode_t old = umask(0);
	struct stat st;
	char path[256];

	(void)state;
	d = open_directory(1 << 20, 0);
	assert_int_equal(put(d, START_NS, "", ID, "bytes", 5), DDP_EXPORT_OK);
	umask(old);
	snprintf(path, sizeof(path), "out/20260102T030405.006Z-profile-%s.pb", ID);
	assert_int_equal(stat(world_path(w, path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 5);
	ddp__directory_close(d);
}

static uint32_t nr_files(void)
{
	uint32_t nr = 0;

	for (const char *s = listing(); *s; s++)
		nr += *s == '\n';
	return nr;
}

static struct ddp__directory_counts count(struct ddp__directory *d)
{
	struct ddp__directory_counts c;

	ddp__directory_count(d, &c);
	assert_int_equal(c.files, nr_files());
	return c;
}

static void the_oldest_goes_first(void **state)
{
	struct ddp__directory *d = open_directory(32 * 4096, 0);

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(put(d, START_NS + i * 1000000000LL, "", ID, "x", 1),
				 DDP_EXPORT_OK);
		assert_true(nr_files() <= 32);
	}
	assert_true(count(d).files >= 28);
	assert_int_equal(count(d).removed, 100 - count(d).files);
	assert_null(strstr(listing(), "T030405")); /* the first */
	assert_non_null(strstr(listing(), "T030544")); /* the last */
	ddp__directory_close(d);
}

static void old_files_go(void **state)
{
	int64_t now = w->sys.unix_ns(w);
	struct ddp__directory *d = open_directory(1 << 20, 3600);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(put(d, now - i * 600 * 1000000000LL, "", ID, "x", 1), 0);
	assert_int_equal(nr_files(), 10);
	w->now_ns += 61 * 1000000000LL;
	assert_int_equal(put(d, now + 61 * 1000000000LL, "", ID, "x", 1), DDP_EXPORT_OK);
	assert_int_equal(count(d).files, 7);
	assert_int_equal(count(d).removed, 4);
	ddp__directory_close(d);
	w->now_ns += 3599 * 1000000000LL;
	d = open_directory(1 << 20, 3600); /* and at the start */
	assert_int_equal(count(d).files, 1);
	ddp__directory_close(d);
}

static void a_second_copy_takes_the_first_ones_place(void **state)
{
	struct ddp__directory *d = open_directory(1 << 20, 0);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(d, START_NS, "", ID, "x", 1), DDP_EXPORT_OK);
	assert_int_equal(count(d).files, 1);
	assert_int_equal(count(d).bytes, 4096);
	ddp__directory_close(d);
}

static void other_files_are_left_alone(void **state)
{
	static const char *const names[] = {
		"out/README", "out/20260102T030405.006Z-x.txt", "out/2026.pb",
		"out/20260102T030405.006-profile.pprof", "out/shop.pprof", "out/x.part",
		"out/ 0260102T030405.006Z-profile-1.pb", "out/99990102T030405.006Z-far-away.pb",
	};
	struct ddp__directory *d = open_directory(4 * 4096, 1);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close_fd(open(world_path(w, names[i]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (i = 0; i < 20; i++)
		assert_int_equal(put(d, START_NS + i * 1000000000LL, "", ID, "x", 1), 0);
	ddp__directory_close(d);
	ddp__directory_close(open_directory(4 * 4096, 1));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(access(world_path(w, names[i]), F_OK), 0);
}

static void what_does_not_work(void **state)
{
	struct ddp__directory *d = open_directory(4 * 4096, 0);
	char large[5 * 4096] = "x";

	(void)state;
	assert_int_equal(put(d, START_NS, "", ID, large, sizeof(large)), DDP_EXPORT_REFUSED);
	assert_non_null(strstr(w->said, "larger than"));
	w->room_bytes = 3;
	assert_int_equal(put(d, START_NS, "", ID, large, 4096), DDP_EXPORT_RETRY);
	assert_non_null(strstr(w->said, "/out: No space left"));
	assert_string_equal(listing(), "");
	w->room_bytes = -1;
	assert_int_equal(put(d, START_NS, "", ID, large, 4096), DDP_EXPORT_OK);
	assert_int_equal(count(d).bytes, 4096);
	ddp__directory_close(d);
}

/* Nothing but whole files, wherever the process was killed, and what it left is gone afterwards */
static void killed_at_any_write(void **state)
{
	(void)state;
	for (int64_t at = 0; at < 30; at++) {
		struct ddp__directory *d = open_directory(1 << 20, 0);
		struct stat st;
		char path[256];
		int r;

		w->changes_left = at;
		r = put(d, START_NS, "", ID, "twenty bytes of this", 20);
		ddp__directory_close(d);
		w->changes_left = -1;
		d = open_directory(1 << 20, 0);
		if (!r)
			assert_int_equal(nr_files(), 1);
		snprintf(path, sizeof(path), "out/20260102T030405.006Z-profile-%s.pb", ID);
		if (nr_files()) {
			assert_int_equal(stat(world_path(w, path), &st), 0);
			assert_int_equal(st.st_size, 20);
			assert_int_equal(unlink(world_path(w, path)), 0);
		}
		assert_string_equal(listing(), "");
		ddp__directory_close(d);
	}
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_A_WORLD(names_say_what_it_is),
		IN_A_WORLD(only_the_owner_reads_it),
		IN_A_WORLD(the_oldest_goes_first),
		IN_A_WORLD(old_files_go),
		IN_A_WORLD(a_second_copy_takes_the_first_ones_place),
		IN_A_WORLD(other_files_are_left_alone),
		IN_A_WORLD(what_does_not_work),
		IN_A_WORLD(killed_at_any_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
