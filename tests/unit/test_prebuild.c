// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/prebuild: lines of /proc as the kernel writes them and as nobody should, and scans
 * of a made-up /proc whose processes and files are known.
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
#include <sys/sysmacros.h>
#include <unistd.h>

#include "unwind/prebuild.h"

/* Lines */

static const struct {
	const char *what, *line;
	int want;
	struct ddp_maps_line is;	/* without path_len */
} lines[] = {
	{ "a library", "7f0000001000-7f0000002000 r-xp 00001000 fd:01 1234    /lib/libc.so.6",
	  DDP_MAPS_OK, { 0x7f0000001000, 0x7f0000002000, 0x1000, 1234, 0xfd, 1, true,
			 "/lib/libc.so.6", 0 } },
	{ "no execution", "1000-2000 rw-p 00000000 00:00 0 ", DDP_MAPS_OK,
	  { 0x1000, 0x2000, 0, 0, 0, 0, false, "", 0 } },
	{ "no path", "1000-2000 --xp 00000000 00:00 0", DDP_MAPS_OK,
	  { 0x1000, 0x2000, 0, 0, 0, 0, true, "", 0 } },
	{ "the vdso", "7ffd1000-7ffd3000 r-xp 00000000 00:00 0          [vdso]", DDP_MAPS_OK,
	  { 0x7ffd1000, 0x7ffd3000, 0, 0, 0, 0, true, "[vdso]", 0 } },
	{ "spaces in a name", "1000-2000 r-xs 0 0:0 5 /a b (deleted)", DDP_MAPS_OK,
	  { 0x1000, 0x2000, 0, 5, 0, 0, true, "/a b (deleted)", 0 } },
	{ "the highest page", "ffffffffff600000-ffffffffffffffff --xp ffffffffffffffff "
	  "ffffffff:ffffffff 18446744073709551615", DDP_MAPS_OK,
	  { 0xffffffffff600000, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, true,
	    "", 0 } },
	{ "nothing", "", DDP_MAPS_MALFORMED, { 0 } },
	{ "a start only", "1000", DDP_MAPS_MALFORMED, { 0 } },
	{ "an empty mapping", "1000-1000 r-xp 0 0:0 0", DDP_MAPS_MALFORMED, { 0 } },
	{ "an end before its start", "2000-1000 r-xp 0 0:0 0", DDP_MAPS_MALFORMED, { 0 } },
	{ "an address past 64 bits", "1000-10000000000000000 r-xp 0 0:0 0", DDP_MAPS_MALFORMED,
	  { 0 } },
	{ "an inode past 64 bits", "1000-2000 r-xp 0 0:0 18446744073709551616", DDP_MAPS_MALFORMED,
	  { 0 } },
	{ "a device past 32 bits", "1000-2000 r-xp 0 100000000:0 0", DDP_MAPS_MALFORMED, { 0 } },
	{ "no permissions", "1000-2000 r-", DDP_MAPS_MALFORMED, { 0 } },
	{ "an inode with letters", "1000-2000 r-xp 0 0:0 12a /x", DDP_MAPS_MALFORMED, { 0 } },
	{ "a sign", "-1000-2000 r-xp 0 0:0 0", DDP_MAPS_MALFORMED, { 0 } },
	{ "capital letters", "ABC0-BBC0 r-xp 0 0:0 0", DDP_MAPS_MALFORMED, { 0 } },
};

static bool same_line(const struct ddp_maps_line *a, const struct ddp_maps_line *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && a->executable == b->executable &&
	       a->path_len == strlen(b->path) && !memcmp(a->path, b->path, a->path_len);
}

static void lines_of_maps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t n = strlen(lines[i].line);
		char *exact = malloc(n + 1); /* one byte further is not the line's */
		struct ddp_maps_line got;

		assert_non_null(exact);
		memcpy(exact, lines[i].line, n);
		exact = realloc(exact, n ? n : 1);
		if (ddp_maps_parse_line(exact, n, &got) != lines[i].want ||
		    (lines[i].want == DDP_MAPS_OK && !same_line(&got, &lines[i].is)))
			fail_msg("%s", lines[i].what);
		free(exact);
	}
}

/* Every line cut anywhere, and with any byte in place of another, is an answer and no accident */
static void damaged_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t n = 0; n < strlen(lines[i].line); n++) {
			char *line = malloc(n + 1);
			struct ddp_maps_line got;

			assert_non_null(line);
			memcpy(line, lines[i].line, n + 1);
			for (int b = 0; b < 256; b++) {
				line[n] = (char)b;
				if (ddp_maps_parse_line(line, n + 1, &got) == DDP_MAPS_OK)
					assert_in_range(got.path - line + got.path_len, n + 1,
							n + 1);
			}
			free(line);
		}
	}
}

static void parents(void **state)
{
	static const struct {
		const char *text;
		uint32_t parent;
	} rows[] = {
		{ "12 (sh) S 7 12 12 0", 7 },
		{ "12 (a) S 99 (b) c) R 8 1 1", 8 },
		{ "12 (sh) S 7", 7 },
		{ "12 (sh) S ", 0 },
		{ "12 (sh)", 0 },
		{ "12 (sh", 0 },
		{ "", 0 },
		{ "12 (sh) S -7 1", 0 },
		{ "12 (sh) S 99999999999 1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ddp_stat_parse_parent(rows[i].text, strlen(rows[i].text)) != rows[i].parent)
			fail_msg("%s", rows[i].text);
}

/* A made-up /proc: process 10 has child 11 and grandchild 12; 20 is somebody else */

struct world {
	char proc[64];
	struct stat common, rare;	/* two files that processes map */
};

static void make_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void make_folder(const char *format, ...)
{
	char path[256];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_process(struct world *w, int pid, int parent, const char *maps)
{
	char path[256], text[64];

	make_folder("%s/%d", w->proc, pid);
	make_folder("%s/%d/map_files", w->proc, pid);
	snprintf(path, sizeof(path), "%s/%d/maps", w->proc, pid);
	write_file(path, maps);
	snprintf(path, sizeof(path), "%s/%d/stat", w->proc, pid);
	snprintf(text, sizeof(text), "%d (some) name) S %d 1 1", pid, parent);
	write_file(path, text);
	snprintf(path, sizeof(path), "%s/%d/root", w->proc, pid);
	assert_int_equal(symlink(w->proc, path), 0);
}

static void map_line(char *to, size_t size, uint64_t start, const struct stat *st, const char *name)
{
	size_t used = strlen(to);

	snprintf(to + used, size - used, "%" PRIx64 "-%" PRIx64 " r-xp 0 %x:%x %lu   %s\n", start,
		 start + 0x1000, major(st->st_dev), minor(st->st_dev), (unsigned long)st->st_ino,
		 name);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char path[128], maps[512] = "";

	assert_non_null(w);
	strcpy(w->proc, "/tmp/test_prebuild.XXXXXX");
	assert_non_null(mkdtemp(w->proc));
	snprintf(path, sizeof(path), "%s/common", w->proc);
	write_file(path, "common");
	assert_int_equal(stat(path, &w->common), 0);
	snprintf(path, sizeof(path), "%s/rare", w->proc);
	write_file(path, "rare");
	assert_int_equal(stat(path, &w->rare), 0);
	map_line(maps, sizeof(maps), 0x1000, &w->rare, "/rare");
	map_line(maps, sizeof(maps), 0x5000, &w->common, "/common");
	strcat(maps, "9000-a000 rw-p 0 0:1 77 /data\nnonsense\nb000-c000 r-xp 0 0:0 0 [vdso]\n");
	make_process(w, 10, 1, maps);
	maps[0] = '\0';
	map_line(maps, sizeof(maps), 0x5000, &w->common, "/common");
	make_process(w, 11, 10, maps);
	make_process(w, 12, 11, maps);
	make_process(w, 20, 1, maps);
	make_folder("%s/self", w->proc);
	make_folder("%s/12x", w->proc);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", w->proc);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static bool never(void *ctx)
{
	return *(bool *)ctx;
}

static void files_of_most_processes_first(void **state)
{
	static const uint32_t ten[] = { 10 }, none[] = { 99 };
	static const struct {
		const char *what;
		const uint32_t *pids;
		size_t nr_pids;
		bool descendants;
		size_t nr;
		uint32_t users;		/* of the first file */
	} rows[] = {
		{ "all processes", NULL, 0, false, 2, 4 },
		{ "one", ten, 1, false, 2, 1 },
		{ "one and its children", ten, 1, true, 2, 3 },
		{ "one that is not there", none, 1, true, 0, 0 },
	};
	struct world *w = *state;
	bool enough = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_prebuild_scope scope = {
			.proc = w->proc, .pids = rows[i].pids, .nr_pids = rows[i].nr_pids,
			.descendants = rows[i].descendants, .enough = never, .ctx = &enough,
		};
		struct ddp_prebuild found = { 0 };

		assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
		if (found.nr != rows[i].nr || (found.nr && found.files[0].users != rows[i].users))
			fail_msg("%s: %zu files", rows[i].what, found.nr);
		if (found.nr && rows[i].users > 1)
			assert_int_equal(found.files[0].inode, w->common.st_ino);
		ddp_prebuild_free(&found);
	}
}

static void a_scan_can_be_ended(void **state)
{
	struct world *w = *state;
	bool enough = true;
	struct ddp_prebuild_scope scope = { .proc = w->proc, .enough = never, .ctx = &enough };
	struct ddp_prebuild found = { 0 };

	assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
	assert_int_equal(found.nr, 0);
	ddp_prebuild_free(&found);
	scope.proc = "/no/such/folder";
	assert_int_equal(ddp_prebuild_scan(&scope, &found), -ENOENT);
}

/* A loop of parents, which reading one after the other can show, ends */
static void parents_in_a_circle(void **state)
{
	static const uint32_t pids[] = { 99 };
	struct world *w = *state;
	struct ddp_prebuild_scope scope = {
		.proc = w->proc, .pids = pids, .nr_pids = 1, .descendants = true,
	};
	struct ddp_prebuild found = { 0 };

	make_process(w, 30, 31, "");
	make_process(w, 31, 30, "");
	assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
	assert_int_equal(found.nr, 0);
}

static void the_very_file_is_opened(void **state)
{
	struct world *w = *state;
	struct ddp_prebuild_file f = {
		.inode = w->rare.st_ino, .dev_major = major(w->rare.st_dev),
		.dev_minor = minor(w->rare.st_dev), .start = 0x1000, .end = 0x2000, .pid = 10,
		.path = (char[]){ "/rare" },
	};
	char path[160], target[96];
	int fd = ddp_prebuild_open(w->proc, &f);

	assert_true(fd >= 0); /* by its path in the process's root */
	close(fd);
	f.path = NULL;
	assert_int_equal(ddp_prebuild_open(w->proc, &f), -ENOENT);
	/* by the mapping, as the kernel has it there */
	snprintf(path, sizeof(path), "%s/10/map_files/1000-2000", w->proc);
	snprintf(target, sizeof(target), "%s/rare", w->proc);
	assert_int_equal(symlink(target, path), 0);
	fd = ddp_prebuild_open(w->proc, &f);
	assert_true(fd >= 0);
	close(fd);
	/* something else is there by now */
	f.inode++;
	assert_int_equal(ddp_prebuild_open(w->proc, &f), -ESTALE);
	f.path = (char[]){ "/common" };
	assert_int_equal(ddp_prebuild_open(w->proc, &f), -ESTALE);
}

static void only_regular_files_are_opened(void **state)
{
	struct world *w = *state;
	char path[128];
	struct stat st;
	struct ddp_prebuild_file f = { .pid = 10, .path = (char[]){ "/pipe" } };

	snprintf(path, sizeof(path), "%s/pipe", w->proc);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(stat(path, &st), 0);
	f.inode = st.st_ino;
	f.dev_major = major(st.st_dev);
	f.dev_minor = minor(st.st_dev);
	assert_int_equal(ddp_prebuild_open(w->proc, &f), -ESTALE);
}

static void processes_with_very_many_files(void **state)
{
	struct world *w = *state;
	struct ddp_prebuild_scope scope = { .proc = w->proc };
	struct ddp_prebuild found = { 0 };
	char path[128];
	FILE *f;

	for (unsigned int pid = 40; pid < 80; pid++) {
		make_process(w, pid, 1, "");
		snprintf(path, sizeof(path), "%s/%u/maps", w->proc, pid);
		f = fopen(path, "w");
		assert_non_null(f);
		for (unsigned int i = 0; i < 300; i++)
			fprintf(f, "%x000-%x000 r-xp 0 %x:7 %u /%0*u\n", i + 1, i + 2, pid, i + 1,
				i % 2 ? 10 : DDP_PREBUILD_MAX_PATH, i);
		fclose(f);
	}
	assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
	assert_int_equal(found.nr, DDP_PREBUILD_MAX_FILES);
	for (size_t i = 0; i < found.nr; i++)
		assert_true(!found.files[i].path ||
			    strlen(found.files[i].path) <= DDP_PREBUILD_MAX_PATH);
	ddp_prebuild_free(&found);
}

/* It cannot keep others' files from the list, nor get one of its own to the front */
static void one_process_with_many_mappings(void **state)
{
	static const uint32_t pids[] = { 40 };
	struct world *w = *state;
	struct ddp_prebuild_scope scope = { .proc = w->proc, .pids = pids, .nr_pids = 1 };
	struct ddp_prebuild found = { 0 };
	char path[128];
	FILE *f;

	make_process(w, 40, 1, "");
	snprintf(path, sizeof(path), "%s/40/maps", w->proc);
	f = fopen(path, "w");
	assert_non_null(f);
	for (unsigned int i = 0; i < 2 * DDP_PREBUILD_MAX_FILES; i++)
		fprintf(f, "%x000-%x000 r-xp 0 7:7 %u /x\n", i + 1, i + 2, i % 1000 + 1);
	fclose(f);
	assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
	assert_int_equal(found.nr, 256);
	for (size_t i = 0; i < found.nr; i++)
		assert_int_equal(found.files[i].users, 1);
	ddp_prebuild_free(&found);
}

/* What this machine shows: this program and its libraries are among it */
static void this_machine(void **state)
{
	uint32_t self = (uint32_t)getpid();
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = &self, .nr_pids = 1 };
	struct ddp_prebuild found = { 0 };
	struct stat exe;
	bool seen = false;

	(void)state;
	assert_int_equal(stat("/proc/self/exe", &exe), 0);
	assert_int_equal(ddp_prebuild_scan(&scope, &found), 0);
	for (size_t i = 0; i < found.nr; i++)
		seen |= found.files[i].inode == exe.st_ino;
	assert_true(seen && found.nr > 1);
	ddp_prebuild_free(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_maps),
		cmocka_unit_test(damaged_lines),
		cmocka_unit_test(parents),
		cmocka_unit_test_setup_teardown(files_of_most_processes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_scan_can_be_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(parents_in_a_circle, setup, teardown),
		cmocka_unit_test_setup_teardown(the_very_file_is_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(only_regular_files_are_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(processes_with_very_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(one_process_with_many_mappings, setup, teardown),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
