// SPDX-License-Identifier: Apache-2.0
/*
 * Batches as bytes and as files: what goes in comes out, and nothing else ever does, whatever byte
 * is changed, wherever a file is cut, and at whatever change of the disk the process is killed.
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
#include "lib/spool.h"
#include "sender_world.h"

DEFINE_CLEANUP_IN_PLACE(struct ddp__batch_form, ddp__batch_form_free)

#define LARGE (1ULL << 40)

/* Batches */

static const struct ddp_export_pair info[] = { { "kernel", "6.1" }, { "empty", "" } };
static const struct ddp_endpoint_count counts[] = { { "GET /", 5, 7 }, { "", 0, -1 } };
static const struct ddp_export_file files[] = { { "metrics.json", "[]", 2 }, { "none", "", 0 } };

static struct ddp__batch *full_batch(void)
{
	struct ddp_buffer tags = { 0 };
	struct ddp_export_form form = {
		.id = "11111111-2222-4333-8444-555555555555", .start_unix_ns = 5,
		.end_unix_ns = INT64_MAX, .tags = &tags, .process_tags = "a:b", .info = info,
		.nr_info = 2, .endpoint_counts = counts, .nr_endpoint_counts = 2, .files = files,
		.nr_files = 2, .profile = "\0pprof\0", .profile_bytes = 7,
	};
	struct ddp__batch *b;

	assert_int_equal(ddp_tags_add(&tags, "service", "shop"), 0);
	assert_int_equal(ddp__batch_create(&form, "not this one", &b), 0);
	ddp_buffer_free(&tags);
	return b;
}

static void a_form_comes_back(void **state)
{
	CLEANUP(ddp__batch_form_free) struct ddp__batch_form f = { .form = { .id = NULL } };
	struct ddp__batch *b = full_batch();

	(void)state;
	assert_int_equal(ddp__batch_open(b, &f), 0);
	assert_string_equal(f.form.id, "11111111-2222-4333-8444-555555555555");
	assert_string_equal(ddp__batch_id(b), f.form.id);
	assert_int_equal(f.form.start_unix_ns, 5);
	assert_true(f.form.end_unix_ns == INT64_MAX);
	assert_int_equal(f.form.tags->len, 12);
	assert_memory_equal(f.form.tags->bytes, "service:shop", 12);
	assert_string_equal(f.form.process_tags, "a:b");
	assert_int_equal(f.form.nr_info, 2);
	assert_string_equal(f.form.info[0].key, "kernel");
	assert_string_equal(f.form.info[1].value, "");
	assert_int_equal(f.form.nr_endpoint_counts, 2);
	assert_string_equal(f.form.endpoint_counts[0].endpoint, "GET /");
	assert_int_equal(f.form.endpoint_counts[1].count, -1);
	assert_int_equal(f.form.nr_files, 2);
	assert_string_equal(f.form.files[0].name, "metrics.json");
	assert_memory_equal(f.form.files[0].bytes, "[]", 2);
	assert_int_equal(f.form.files[1].n, 0);
	assert_int_equal(f.form.profile_bytes, 7);
	assert_memory_equal(f.form.profile, "\0pprof\0", 7);
	ddp__batch_unref(b);
}

static void what_a_batch_must_have(void **state)
{
	static const struct {
		const char *name;
		struct ddp_export_form form;
		int r;
	} rows[] = {
		{ "the least", { .profile = "p", .profile_bytes = 1 }, 0 },
		{ "no profile", { .profile_bytes = 1 }, -EINVAL },
		{ "an empty profile", { .profile = "p" }, -EINVAL },
		{ "a start before 1970", { .profile = "p", .profile_bytes = 1,
					   .start_unix_ns = -1 }, -EINVAL },
		{ "an end before 1970", { .profile = "p", .profile_bytes = 1,
					  .end_unix_ns = -1 }, -EINVAL },
		{ "too large", { .profile = "p", .profile_bytes = BATCH_BYTES_MAX }, -EFBIG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp__batch *b = NULL;
		int r = ddp__batch_create(&rows[i].form, "id", &b);

		if (r != rows[i].r)
			fail_msg("%s: %d", rows[i].name, r);
		if (!r)
			assert_string_equal(ddp__batch_id(b), "id");
		ddp__batch_unref(b);
	}
}

static void assert_damaged(const struct ddp__batch *b, const char *what, size_t at)
{
	struct ddp__batch_form f;
	int r = ddp__batch_open(b, &f);

	(void)ddp__batch_id(b); /* stays within its bytes */
	if (r != -EBADMSG)
		fail_msg("%s %zu: %d", what, at, r);
	ddp__batch_form_free(&f);
}

static void no_changed_byte_is_believed(void **state)
{
	struct ddp__batch *b = full_batch();

	(void)state;
	for (size_t i = 0; i < b->n; i++)
		for (unsigned int bit = 1; bit < 256; bit <<= 1) {
			b->bytes[i] ^= bit;
			assert_damaged(b, "changed byte", i);
			b->bytes[i] ^= bit;
		}
	ddp__batch_unref(b);
}

static void no_cut_batch_is_believed(void **state)
{
	struct ddp__batch *b = full_batch();

	(void)state;
	for (size_t n = 0; n < b->n; n++) {
		struct ddp__batch *cut = ddp__batch_alloc(n);

		memcpy(cut->bytes, b->bytes, n);
		assert_damaged(cut, "cut at", n);
		ddp__batch_unref(cut);
	}
	ddp__batch_unref(b);
}

/* A right checksum over anything: lengths beyond the end, lists longer than the file */
static void a_right_checksum_is_not_enough(void **state)
{
	static const unsigned char words[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
	struct ddp__batch *b = full_batch();
	struct ddp__batch_form f;
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t at;
		int r;

		x = x * 1664525 + 1013904223;
		at = 40 + (x >> 8) % (b->n - 40);
		b->bytes[at] = words[(x >> 4) % sizeof(words)];
		ddp__batch_seal(b);
		r = ddp__batch_open(b, &f);
		assert_true(!r || r == -EBADMSG);
		ddp__batch_form_free(&f);
		if (i % 20 == 19) {
			ddp__batch_unref(b);
			b = full_batch();
		}
	}
	ddp__batch_unref(b);
}

/* Files */

static int make_world(void **state)
{
	*state = world_create();
	return 0;
}

static int end_world(void **state)
{
	world_destroy(*state);
	return 0;
}

static struct ddp__spool *open_spool(struct world *w, uint64_t max_bytes)
{
	struct ddp_error err = { "" };
	struct ddp__spool *s;

	if (ddp__spool_open(&w->sys, world_path(w, "spool"), max_bytes, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static int put(struct world *w, struct ddp__spool *s, size_t bytes)
{
	struct ddp__batch *b = world_batch(w, bytes);
	int r = ddp__spool_put(s, b);

	ddp__batch_unref(b);
	return r;
}

/* The oldest is number @number, and whole */
static void assert_oldest(struct world *w, struct ddp__spool *s, uint32_t number)
{
	CLEANUP(ddp__batch_form_free) struct ddp__batch_form f = { .form = { .id = NULL } };
	struct ddp_error err = { "" };
	struct ddp__batch *b;

	if (ddp__spool_oldest(s, &b, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ddp__batch_open(b, &f), 0);
	assert_string_equal(f.form.id, w->batches[number].id);
	ddp__batch_unref(b);
}

static uint32_t nr_files(struct world *w, const char *end)
{
	DIR *d = opendir(world_path(w, "spool"));
	const struct dirent *e;
	uint32_t nr = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);

		nr += n > strlen(end) && !strcmp(e->d_name + n - strlen(end), end);
	}
	closedir(d);
	return nr;
}

static void batches_come_back_in_order(void **state)
{
	struct world *w = *state;
	struct ddp__spool *s = open_spool(w, LARGE);

	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(put(w, s, i + 1), 0);
	for (uint32_t i = 0; i < 5; i++)
		ddp__spool_remove_oldest(s);
	ddp__spool_close(s);
	s = open_spool(w, LARGE);
	assert_int_equal(ddp__spool_nr(s), 15);
	assert_int_equal(ddp__spool_bytes(s), 15 * 4096);
	assert_int_equal(put(w, s, 1), 0);
	for (uint32_t i = 5; i <= 20; i++) {
		assert_oldest(w, s, i);
		ddp__spool_remove_oldest(s);
	}
	assert_int_equal(ddp__spool_nr(s), 0);
	assert_int_equal(ddp__spool_bytes(s), 0);
	assert_int_equal(nr_files(w, ".batch"), 0);
	ddp__spool_close(s);
}

static void only_its_owner_reads_it(void **state)
{
	struct world *w = *state;
	mode_t old = umask(0);
	struct ddp__spool *s = open_spool(w, LARGE);
	struct stat st;

	assert_int_equal(put(w, s, 1), 0);
	umask(old);
	assert_int_equal(stat(world_path(w, "spool"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(world_path(w, "spool/0000000000000000.batch"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	ddp__spool_close(s);
}

/* flock() does not let this process in either, by another descriptor: it is as another process */
static void two_do_not_share_it(void **state)
{
	struct world *w = *state;
	struct ddp__spool *first = open_spool(w, LARGE), *second = NULL;
	struct ddp_error err = { "" };

	assert_int_equal(ddp__spool_open(&w->sys, world_path(w, "spool"), LARGE, &second, &err),
			 -EBUSY);
	assert_non_null(strstr(err.text, "spool: another process uses it"));
	ddp__spool_close(first);
	second = open_spool(w, LARGE);
	ddp__spool_close(second);
}

static void folders_that_are_refused(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;		/* 0: it is no folder */
		const char *path;
		int r;
		const char *says;
	} rows[] = {
		{ "others may write", 0777, "a", -EPERM, "chmod go-w" },
		{ "the group may write", 0770, "b", -EPERM, "chmod go-w" },
		{ "a file", 0, "c", -ENOTDIR, "Not a directory" },
		{ "no parent", 0, "no/where", -ENOENT, "No such file" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = world_path(w, rows[i].path);
		struct ddp_error err = { "" };
		struct ddp__spool *s;
		int r;

		if (rows[i].mode) {
			assert_int_equal(mkdir(path, 0700), 0);
			assert_int_equal(chmod(path, rows[i].mode), 0);
		} else {
			close_fd(open(path, O_CREAT | O_WRONLY, 0600));
		}
		r = ddp__spool_open(&w->sys, path, LARGE, &s, &err);
		if (r != rows[i].r || !strstr(err.text, rows[i].says) || !strstr(err.text, path))
			fail_msg("%s: %d, %s", rows[i].name, r, err.text);
	}
}

static void room_is_counted_in_blocks(void **state)
{
	struct world *w = *state;
	struct ddp__spool *s = open_spool(w, 3 * 4096);
	struct ddp__batch *small = world_batch(w, 1), *large = world_batch(w, 3 * 4096);

	assert_true(ddp__spool_has_room(s, small));
	assert_false(ddp__spool_has_room(s, large));
	assert_false(ddp__spool_could_hold(s, large));
	assert_int_equal(put(w, s, 5000), 0);
	assert_true(ddp__spool_has_room(s, small));
	assert_int_equal(put(w, s, 1), 0);
	assert_false(ddp__spool_has_room(s, small));
	ddp__spool_remove_oldest(s);
	assert_true(ddp__spool_has_room(s, small));
	ddp__batch_unref(small);
	ddp__batch_unref(large);
	ddp__spool_close(s);
}

/* As many changes as one more batch takes when nothing goes wrong */
static int64_t changes_of_a_put(struct world *w)
{
	struct ddp__spool *s = open_spool(w, LARGE);

	w->changes_left = 1 << 20;
	assert_int_equal(put(w, s, 100), 0);
	ddp__spool_close(s);
	w->changes_left = (1 << 20) - w->changes_left;
	return w->changes_left;
}

/*
 * Killed after each change in turn, each byte of a write being one: what was there stays, and the
 * new batch is there as a whole or not at all; if it was said to be there, it is.
 */
static void killed_at_any_write(void **state)
{
	int64_t changes = changes_of_a_put(*state);
	uint32_t nr_whole = 0;

	assert_true(changes > 100 + 4);
	for (int64_t at = 0; at <= changes; at++) {
		struct world *w = world_create();
		struct ddp__spool *s = open_spool(w, LARGE);
		int r;

		assert_int_equal(put(w, s, 50), 0);
		w->changes_left = at;
		r = put(w, s, 100);
		ddp__spool_close(s);
		w->changes_left = -1;
		s = open_spool(w, LARGE);
		assert_int_equal(nr_files(w, ".part"), 0);
		assert_in_range(ddp__spool_nr(s), r ? 1 : 2, 2);
		assert_oldest(w, s, 0);
		ddp__spool_remove_oldest(s);
		nr_whole += ddp__spool_nr(s);
		if (ddp__spool_nr(s))
			assert_oldest(w, s, 1);
		ddp__spool_close(s);
		world_destroy(w);
	}
	/* killed between the name and the folder's sync, and not at all */
	assert_int_equal(nr_whole, 2);
	print_message("  killed at %d places\n", (int)changes);
}

/* The same with a disk that forgets what was not synced, and a name whose folder was not */
static void the_power_is_cut_at_any_write(void **state)
{
	int64_t changes = changes_of_a_put(*state);

	for (int64_t at = 0; at <= changes; at++) {
		struct world *w = world_create();
		struct ddp__spool *s = open_spool(w, LARGE);
		int r;

		assert_int_equal(put(w, s, 50), 0);
		w->changes_left = at;
		r = put(w, s, 100);
		ddp__spool_close(s);
		world_cut_power(w, "spool");
		w->changes_left = -1;
		s = open_spool(w, LARGE);
		assert_int_equal(ddp__spool_nr(s), r ? 1 : 2);
		assert_oldest(w, s, 0);
		ddp__spool_remove_oldest(s);
		if (!r)
			assert_oldest(w, s, 1);
		ddp__spool_close(s);
		world_destroy(w);
	}
}

static void a_full_disk_leaves_all_as_it_was(void **state)
{
	struct world *w = *state;
	struct ddp__spool *s = open_spool(w, LARGE);

	assert_int_equal(put(w, s, 50), 0);
	for (int64_t room = 0; room < 200; room += 7) {
		w->room_bytes = room;
		assert_int_equal(put(w, s, 100), -ENOSPC);
		assert_int_equal(nr_files(w, ".batch"), 1);
		assert_int_equal(nr_files(w, ".part"), 0);
	}
	w->room_bytes = -1;
	assert_int_equal(put(w, s, 100), 0);
	assert_int_equal(ddp__spool_nr(s), 2);
	ddp__spool_close(s);
}

/* Whatever somebody left there, or an earlier version: nothing of it is taken for a batch */
static void other_files_are_left_alone(void **state)
{
	static const char *const names[] = {
		"spool/README", "spool/0.batch", "spool/000000000000000g.batch",
		"spool/0000000000000000.batch~", "spool/00000000000000000.batch",
		"spool/000000000000000A.batch",
	};
	struct world *w = *state;
	struct ddp__spool *s = open_spool(w, LARGE);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close_fd(open(world_path(w, names[i]), O_CREAT | O_WRONLY, 0600));
	ddp__spool_close(s);
	s = open_spool(w, LARGE);
	assert_int_equal(ddp__spool_nr(s), 0);
	ddp__spool_close(s);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(access(world_path(w, names[i]), F_OK), 0);
}

static void what_cannot_be_read_is_said(void **state)
{
	struct world *w = *state;
	struct ddp__spool *s = open_spool(w, LARGE);
	const char *path = world_path(w, "spool/0000000000000000.batch");
	struct ddp_error err = { "" };
	struct ddp__batch *b;

	assert_int_equal(put(w, s, 50), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ddp__spool_oldest(s, &b, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(ddp__spool_oldest(s, &b, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "no batch"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(ddp__spool_oldest(s, &b, &err), -EBADMSG);
	ddp__spool_remove_oldest(s);
	assert_int_equal(ddp__spool_nr(s), 0);
	ddp__spool_close(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_form_comes_back),
		cmocka_unit_test(what_a_batch_must_have),
		cmocka_unit_test(no_changed_byte_is_believed),
		cmocka_unit_test(no_cut_batch_is_believed),
		cmocka_unit_test(a_right_checksum_is_not_enough),
		cmocka_unit_test_setup_teardown(batches_come_back_in_order, make_world, end_world),
		cmocka_unit_test_setup_teardown(only_its_owner_reads_it, make_world, end_world),
		cmocka_unit_test_setup_teardown(two_do_not_share_it, make_world, end_world),
		cmocka_unit_test_setup_teardown(folders_that_are_refused, make_world, end_world),
		cmocka_unit_test_setup_teardown(room_is_counted_in_blocks, make_world, end_world),
		cmocka_unit_test_setup_teardown(killed_at_any_write, make_world, end_world),
		cmocka_unit_test_setup_teardown(the_power_is_cut_at_any_write, make_world,
						end_world),
		cmocka_unit_test_setup_teardown(a_full_disk_leaves_all_as_it_was, make_world,
						end_world),
		cmocka_unit_test_setup_teardown(other_files_are_left_alone, make_world, end_world),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_said, make_world, end_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
