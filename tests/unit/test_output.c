// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/output and its files: who may read them, that nothing unfinished stays behind, and
 * that what somebody else left in the folder does not keep a profile from getting out; and that
 * what is too large for an upload goes up in parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <ddprof/profile.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/output.h"
#include "lib/cleanup.h"
#include "receiver.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test_output.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static unsigned int empty_folder(void)
{
	DIR *d = opendir(folder);
	unsigned int nr = 0;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
		nr++;
	}
	closedir(d);
	return nr;
}

static int remove_folder(void **state)
{
	(void)state;
	empty_folder();
	return rmdir(folder);
}

static void path_in(const char *name, char ret[128])
{
	snprintf(ret, 128, "%s/%s", folder, name);
}

static struct ddp_output *create(const char *path)
{
	struct ddp_output_config config = { .path = path };
	struct ddp_error err = { "" };
	struct ddp_output *o;

	if (ddp_output_create(&config, &o, &err))
		fail_msg("%s", err.text);
	return o;
}

static int write_profile(struct ddp_output *o)
{
	static const struct ddp_value_type types[] = { { "samples", "count" } };
	struct ddp_profile_config config = { .value_types = types, .nr_value_types = 1 };
	struct ddp_profile *p;
	int r;

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	r = ddp_output_profile(o, p, NULL, 1, 2);
	ddp_profile_destroy(p);
	return r;
}

static void only_the_owner_reads_it(void **state)
{
	struct ddp_output *o;
	struct stat st;
	char path[128];
	mode_t old = umask(0);

	(void)state;
	path_in("a.pprof", path);
	o = create(path);
	assert_int_equal(write_profile(o), 0);
	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size > 0);
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(empty_folder(), 1);
}

/* What a killed collector with our number left, or somebody put there on purpose */
static void foreign_files_are_no_obstacle(void **state)
{
	struct ddp_output *o;
	struct stat st;
	char path[128], left[160];

	(void)state;
	path_in("b.pprof", path);
	snprintf(left, sizeof(left), "%s.%d.part", path, (int)getpid());
	assert_int_equal(symlink("/dev/full", left), 0);
	assert_int_equal(symlink("/dev/full", path), 0);
	o = create(path);
	assert_int_equal(write_profile(o), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(empty_folder(), 2);
}

static void failures_leave_nothing(void **state)
{
	struct ddp_output *o;
	char path[128];

	(void)state;
	path_in("c.pprof", path);
	o = create(path);
	assert_int_equal(mkdir(path, 0700), 0); /* nothing can be renamed onto a folder */
	assert_int_equal(write_profile(o), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(empty_folder(), 0);
	assert_int_equal(write_profile(o), 0); /* the next one gets out, under its name */
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(empty_folder(), 1);
}

/* @mib samples, each with a name of 1 MiB that does not compress */
static struct ddp_profile *large_profile(unsigned int mib)
{
	static const struct ddp_value_type types[] = { { "samples", "count" } };
	struct ddp_profile_config config = { .value_types = types, .nr_value_types = 1 };
	CLEANUP(free) char *name = malloc(1 << 20);
	struct ddp_text_frame frame = { .function = { name, 1 << 20 } };
	struct ddp_profile *p;
	uint32_t x = 1;

	assert_non_null(name);
	assert_int_equal(ddp_profile_create(&config, &p), 0);
	for (; mib; mib--) {
		for (size_t i = 0; i < 1 << 20; i++) {
			x = x * 1664525 + 1013904223;
			name[i] = (char)(' ' + x / 65536 % 95);
		}
		assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
			.frames = &frame, .nr_frames = 1, .values = (int64_t[]){ 1 },
			.nr_values = 1 }), 0);
	}
	return p;
}

static void large_profiles_go_up_in_parts(void **state)
{
	struct receiver *r = receiver_start(NULL);
	struct ddp_exporter_config agent = { .url = NULL };
	struct ddp_sender_target target = { .name = "agent", .exporter = &agent };
	struct ddp_output_config config = {
		.service = "s", .targets = &target, .nr_targets = 1,
	};
	struct ddp_error err = { "" };
	struct ddp_profile *p = large_profile(13);
	struct ddp_output *o;
	char url[64];

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", receiver_port(r));
	agent.url = url;
	if (ddp_output_create(&config, &o, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ddp_output_profile(o, p, NULL, 1, 2), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(receiver_count(r), 2);
	assert_null(receiver_last(r)->error);
	assert_string_equal(receiver_last(r)->parts[1].name, "profile.pprof");
	assert_in_range(receiver_last(r)->parts[1].n, 3 << 20, 10 << 20);
	ddp_profile_destroy(p);
	receiver_stop(r);
}

/* What the last request's event.json says */
static void last_event(struct receiver *r, char *ret, size_t size)
{
	const struct received *u = receiver_last(r);

	assert_non_null(u);
	assert_string_equal(u->parts[0].file_name, "event.json");
	snprintf(ret, size, "%.*s", (int)u->parts[0].n, (const char *)u->parts[0].bytes);
}

/* One profile of @origin in a run of its own; its event.json */
static void upload_of(const struct ddp_output_origin *origin, char *ret, size_t size)
{
	struct receiver *r = receiver_start(NULL);
	struct ddp_exporter_config agent = { .url = NULL };
	struct ddp_sender_target target = { .name = "agent", .exporter = &agent };
	struct ddp_output_config config = {
		.service = "run", .environment = "e", .tags = "a:b",
		.targets = &target, .nr_targets = 1,
	};
	struct ddp_profile *p = large_profile(0);
	struct ddp_error err = { "" };
	struct ddp_output *o;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", receiver_port(r));
	agent.url = url;
	if (ddp_output_create(&config, &o, &err))
		fail_msg("%s", err.text);
	assert_int_equal(ddp_output_profile(o, p, origin, 1, 2), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	last_event(r, ret, size);
	ddp_profile_destroy(p);
	receiver_stop(r);
}

static void an_origin_replaces_what_it_says(void **state)
{
	static const struct ddp_output_origin shop = {
		.service = "shop", .version = "3", .container_id = "c0ffee", .tags = "c:d",
	};
	static const struct {
		const char *name;
		const struct ddp_output_origin *origin;
		const char *has[8], *lacks;
	} rows[] = {
		{ "none: all is the config's", NULL,
		  { "service:run,", "env:e,", "profile_seq:0", ",a:b\"" }, "container_id" },
		{ "one that says some of it", &shop,
		  { "service:shop,", "env:e,", "version:3,", "container_id:c0ffee", ",c:d,a:b\"" },
		  "service:run" },
	};
	char event[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		upload_of(rows[i].origin, event, sizeof(event));
		for (size_t k = 0; rows[i].has[k]; k++)
			if (!strstr(event, rows[i].has[k]))
				fail_msg("%s: no %s in %s", rows[i].name, rows[i].has[k], event);
		if (strstr(event, rows[i].lacks))
			fail_msg("%s: %s in %s", rows[i].name, rows[i].lacks, event);
	}
}

static void the_run_s_id_may_be_given(void **state)
{
	static const char id[] = "01234567-89ab-4cde-8f01-23456789abcd";
	struct receiver *r = receiver_start(NULL);
	struct ddp_exporter_config intake = { .api_key = "k" };
	struct ddp_sender_target target = { .name = "intake", .exporter = &intake };
	struct ddp_output_config config = {
		.service = "run", .runtime_id = id, .targets = &target, .nr_targets = 1,
	};
	struct ddp_profile *p = large_profile(0);
	struct ddp_error err = { "" };
	char event[2048], url[64];
	struct ddp_output *o;

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", receiver_port(r));
	intake.url = url;
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	assert_int_equal(ddp_output_profile(o, p, NULL, 1, 2), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	last_event(r, event, sizeof(event));
	assert_non_null(strstr(event, "runtime-id:01234567-89ab-4cde-8f01-23456789abcd,"));
	assert_string_equal(receiver_last(r)->path, "/api/v2/profile");
	ddp_profile_destroy(p);
	receiver_stop(r);
}

/* Beside no other way out; two of one second have two names, and a failure is nobody's */
static void copies_have_a_prefix(void **state)
{
	struct ddp_output_config config = { .show_samples = false };
	struct ddp_error err = { "" };
	struct ddp_output *o;
	char path[160], copy[192];

	(void)state;
	path_in("p_", path);
	config.prefix = path;
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	assert_int_equal(write_profile(o), 0);
	assert_int_equal(write_profile(o), 0);
	snprintf(copy, sizeof(copy), "%s19700101T000000Z.pprof.zst", path);
	assert_int_equal(access(copy, F_OK), 0);
	snprintf(copy, sizeof(copy), "%s19700101T000000Z.2.pprof.zst", path);
	assert_int_equal(access(copy, F_OK), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(empty_folder(), 2);
	config.prefix = "/nonexistent/p_";
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	assert_int_equal(write_profile(o), 0);
	assert_int_equal(ddp_output_finish(o), 0);
}

/* stderr into a file without a name. @return what end_telling() needs */
static int begin_telling(FILE **ret)
{
	int real = dup(STDERR_FILENO);

	*ret = tmpfile();
	assert_non_null(*ret);
	assert_true(dup2(fileno(*ret), STDERR_FILENO) >= 0);
	ddp_log_setup("test_output", DDP_LOG_NOTICE);
	return real;
}

static void end_telling(int real, FILE *f, char *ret, size_t size)
{
	dup2(real, STDERR_FILENO);
	close(real);
	rewind(f);
	ret[fread(ret, 1, size - 1, f)] = '\0';
	fclose(f);
}

static int refuse_all(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret)
{
	(void)ctx, (void)form;
	snprintf(ret->message, sizeof(ret->message), "nowhere answered 403");
	return DDP_EXPORT_REFUSED;
}

/* Said the first time, and when there are twice as many */
static void what_does_not_arrive_is_said_now_and_then(void **state)
{
	struct ddp_sender_target target = { .name = "nowhere", .send = refuse_all };
	struct ddp_output_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_output *o;
	char told[4096];
	FILE *f;
	int real = begin_telling(&f);

	(void)state;
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(write_profile(o), 0);
	assert_int_equal(ddp_output_finish(o), 5);
	end_telling(real, f, told, sizeof(told));
	assert_non_null(strstr(told, "nowhere: a profile was refused: nowhere answered 403, 1 so"));
	assert_non_null(strstr(told, " 2 so far"));
	assert_null(strstr(told, " 3 so far"));
	assert_non_null(strstr(told, " 4 so far"));
	assert_non_null(strstr(told, "5 profiles could not be uploaded, at last: nowhere answ"));
}

/* The first so many of a run are refused, or wait; what is said at its end, and answered */
static int refuse_some(void *ctx, const struct ddp_export_form *form,
		       struct ddp_export_result *ret)
{
	int *left = ctx;

	if ((*left)-- > 0)
		return refuse_all(NULL, form, ret);
	return DDP_EXPORT_OK;
}

static void wait_until_dropped(struct ddp_output *o, enum ddp_sender_drop reason, uint64_t nr)
{
	struct ddp_sender_stats stats;

	do {
		assert_int_equal(ddp_output_stats(o, 0, &stats), 0);
		sched_yield();
	} while (stats.dropped[reason] < nr);
}

static void what_was_lost_before_the_end_is_no_failure_of_it(void **state)
{
	static const struct {
		const char *what;
		int refused;		/* so many of all */
		uint64_t before;	/* so many are made before the end, and refused */
		unsigned int failed;
		const char *told;
	} rows[] = {
		{ "nothing is lost", 0, 0, 0, "" },
		{ "what was lost before", 3, 3, 0, "nowhere: 3 profiles were dropped in this" },
		{ "the last one, too", 4, 3, 1, "nowhere: 1 profile could not be uploaded" },
		{ "the last one", 1, 0, 1, "nowhere: 1 profile could not be uploaded" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int left = rows[i].refused;
		struct ddp_sender_target target = { .name = "nowhere", .send = refuse_some,
						    .ctx = &left };
		struct ddp_output_config config = { .targets = &target, .nr_targets = 1 };
		struct ddp_error err = { "" };
		struct ddp_output *o;
		char told[4096];
		FILE *f;
		int real = begin_telling(&f);
		unsigned int failed;

		assert_int_equal(ddp_output_create(&config, &o, &err), 0);
		for (uint64_t k = 0; k < rows[i].before; k++)
			assert_int_equal(write_profile(o), 0);
		wait_until_dropped(o, DDP_SENDER_DROP_REFUSED, rows[i].before);
		ddp_output_ending(o);
		assert_int_equal(write_profile(o), 0);
		failed = ddp_output_finish(o);
		end_telling(real, f, told, sizeof(told));
		if (failed != rows[i].failed || !strstr(told, rows[i].told) ||
		    (!rows[i].told[0] && told[0]))
			fail_msg("%s: %u failed, %s", rows[i].what, failed, told);
	}
}

/* Its limits made room in the spool, weeks ago and for the last one */
static void limits_fail_no_end(void **state)
{
	struct ddp_exporter_config agent = { .url = "http://127.0.0.1:1" };
	char spool[128];
	struct ddp_sender_target target = { .name = "a", .exporter = &agent, .spool = spool,
					    .spool_bytes = 4096 };
	struct ddp_output_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_output *o;

	(void)state;
	path_in("", spool);
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(write_profile(o), 0);
	wait_until_dropped(o, DDP_SENDER_DROP_SPOOL, 1);
	ddp_output_ending(o);
	assert_int_equal(write_profile(o), 0);
	assert_int_equal(ddp_output_finish(o), 0);
	assert_int_equal(empty_folder(), 2);
}

static void what_waits_in_a_spool_is_not_lost(void **state)
{
	struct ddp_exporter_config agent = { .url = "http://127.0.0.1:1" };
	char spool[128];
	struct ddp_sender_target target = { .name = "a", .exporter = &agent, .spool = spool };
	struct ddp_output_config config = { .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_sender_stats stats;
	struct ddp_output *o;
	char told[4096];
	FILE *f;
	int real = begin_telling(&f);

	(void)state;
	path_in("", spool);
	assert_int_equal(ddp_output_create(&config, &o, &err), 0);
	assert_int_equal(write_profile(o), 0);
	assert_int_equal(ddp_output_stats(o, 0, &stats), 0);
	assert_int_equal(stats.added, 1);
	assert_int_equal(ddp_output_stats(o, 1, &stats), -ENOENT);
	assert_int_equal(ddp_output_finish(o), 0);
	end_telling(real, f, told, sizeof(told));
	assert_non_null(strstr(told, "1 profile in the spool waits for the next start"));
	assert_int_equal(empty_folder(), 2); /* it and the lock */
}

/* A configuration was read again: files and intervals go on, and so does who it is */
static void one_goes_on_for_another(void **state)
{
	struct ddp_sender_target target = { .name = "nowhere", .send = refuse_all };
	struct ddp_output_config config = { .numbered = true, .targets = &target, .nr_targets = 1 };
	struct ddp_error err = { "" };
	struct ddp_output *first, *second;
	struct ddp_sender_stats stats;
	char path[128], file[160];

	(void)state;
	path_in("d.pprof", path);
	config.path = path;
	ddp_log_setup("test_output", DDP_LOG_ERROR);
	assert_int_equal(ddp_output_create(&config, &first, &err), 0);
	assert_int_equal(write_profile(first), 0);
	config.replaces = first;
	config.service = "renamed";
	assert_int_equal(ddp_output_create(&config, &second, &err), 0);
	assert_int_equal(ddp_output_finish(first), 0);
	assert_int_equal(write_profile(second), 0);
	assert_int_equal(ddp_output_stats(second, 0, &stats), 0);
	assert_int_equal(stats.added, 2);
	assert_int_equal(ddp_output_finish(second), 2);
	for (int i = 1; i <= 2; i++) {
		snprintf(file, sizeof(file), "%s/d.%d.pprof", folder, i);
		assert_int_equal(access(file, F_OK), 0);
	}
	assert_int_equal(empty_folder(), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_owner_reads_it),
		cmocka_unit_test(foreign_files_are_no_obstacle),
		cmocka_unit_test(failures_leave_nothing),
		cmocka_unit_test(large_profiles_go_up_in_parts),
		cmocka_unit_test(an_origin_replaces_what_it_says),
		cmocka_unit_test(the_run_s_id_may_be_given),
		cmocka_unit_test(copies_have_a_prefix),
		cmocka_unit_test(what_does_not_arrive_is_said_now_and_then),
		cmocka_unit_test(what_was_lost_before_the_end_is_no_failure_of_it),
		cmocka_unit_test(limits_fail_no_end),
		cmocka_unit_test(what_waits_in_a_spool_is_not_lost),
		cmocka_unit_test(one_goes_on_for_another),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
