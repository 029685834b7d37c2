// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/table_cache: what goes in comes out, what is damaged does not, the folder stays
 * below its size, and neither a folder nor a program that others could have written to is trusted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cfi_bytes.h"
#include "unwind/table_cache.h"
#include "uapi/ddprof_unwind.h"

enum { MAX_BYTES = 1 << 20 };

struct world {
	char folder[64];
	struct ddp_table_cache *cache;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct ddp_error err;

	assert_non_null(w);
	strcpy(w->folder, "/tmp/test_table_cache.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	assert_int_equal(ddp_table_cache_open(w->folder, MAX_BYTES, &w->cache, &err), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[96];

	ddp_table_cache_close(w->cache);
	snprintf(command, sizeof(command), "rm -rf %s", w->folder);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static struct ddp_table_key key_named(const char *name)
{
	struct ddp_table_key key;

	snprintf(key.name, sizeof(key.name), "%s.rows", name);
	return key;
}

/* An image that says of @nr pieces of a file, 16 bytes each, that they are known; the caller's */
static void *make_image(uint32_t nr, size_t *ret_bytes)
{
	struct ddprof_unwind_header h = {
		.magic = DDPROF_UNWIND_MAGIC, .nr_rules = 2, .nr_pages = nr / 4096 + 1,
		.nr_rows = nr, .page_shift = DDPROF_UNWIND_MAX_PAGE_SHIFT,
	};
	struct ddprof_unwind_rule rules[2] = { { .kind = DDPROF_UNWIND_STOP },
					       { .kind = DDPROF_UNWIND_NONE } };
	size_t bytes = sizeof(h) + sizeof(rules) + (h.nr_pages + 1 + nr) * sizeof(uint32_t);
	uint8_t *image = calloc(1, bytes);
	uint32_t *pages = (uint32_t *)(image + sizeof(h) + sizeof(rules));
	uint32_t *rows = pages + h.nr_pages + 1;

	assert_non_null(image);
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), rules, sizeof(rules));
	for (uint32_t i = 0; i <= h.nr_pages; i++)
		pages[i] = i * 4096 < nr ? i * 4096 : nr;
	for (uint32_t i = 0; i < nr; i++)
		rows[i] = (i % 4096 * 16) << 16 | (i + 1 == nr);
	*ret_bytes = bytes;
	return image;
}

static void put(struct world *w, const char *name, uint32_t nr_rows)
{
	struct ddp_table_key key = key_named(name);
	size_t bytes;
	void *image = make_image(nr_rows, &bytes);

	assert_int_equal(ddp_table_cache_put(w->cache, &key, image, bytes), 0);
	free(image);
}

static int get(struct world *w, const char *name)
{
	struct ddp_table_key key = key_named(name);
	void *image = NULL;
	size_t bytes;
	int r = ddp_table_cache_get(w->cache, &key, &image, &bytes);

	free(image);
	return r;
}

static void what_goes_in_comes_out(void **state)
{
	struct world *w = *state;
	struct ddp_table_key key = key_named("a");
	struct ddp_error err;
	size_t bytes, got_bytes;
	void *image = make_image(10000, &bytes), *got;
	struct stat st;
	char path[160];

	assert_int_equal(get(w, "a"), -ENOENT);
	assert_int_equal(ddp_table_cache_put(w->cache, &key, image, bytes), 0);
	/* a later collector has it, too */
	ddp_table_cache_close(w->cache);
	assert_int_equal(ddp_table_cache_open(w->folder, MAX_BYTES, &w->cache, &err), 0);
	assert_int_equal(ddp_table_cache_get(w->cache, &key, &got, &got_bytes), 0);
	assert_int_equal(got_bytes, bytes);
	assert_memory_equal(got, image, bytes);
	free(got);
	free(image);
	snprintf(path, sizeof(path), "%s/a.rows", w->folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* the newest counts */
	put(w, "a", 5);
	assert_int_equal(ddp_table_cache_get(w->cache, &key, &got, &got_bytes), 0);
	assert_true(got_bytes < bytes);
	free(got);
}

static void damage_is_found_and_removed(void **state)
{
	struct world *w = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/a.rows", w->folder);
	for (off_t at = 0;; at++) {
		int fd;
		char byte;

		put(w, "a", 3);
		fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		if (pread(fd, &byte, 1, at) < 1) {
			close(fd);
			break;
		}
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		if (get(w, "a") != -ENOENT || !access(path, F_OK))
			fail_msg("a changed byte %d was taken", (int)at);
	}
	assert_int_equal(get(w, "a"), 0);
}

static void a_file_cut_or_grown_is_removed(void **state)
{
	struct world *w = *state;
	struct stat st;
	char path[160];

	snprintf(path, sizeof(path), "%s/a.rows", w->folder);
	put(w, "a", 3);
	assert_int_equal(stat(path, &st), 0);
	for (off_t n = 0; n < st.st_size + 8; n++) {
		put(w, "a", 3);
		assert_int_equal(truncate(path, n), 0);
		assert_int_equal(get(w, "a"), n == st.st_size ? 0 : -ENOENT);
	}
}

/* Its checksum is right, its rows are not: it was written by something that is not this program */
static void a_wrong_image_is_not_taken(void **state)
{
	struct world *w = *state;
	struct ddp_table_key key = key_named("a");
	size_t bytes;
	uint8_t *image = make_image(3, &bytes);

	image[bytes - 1] = image[bytes - 2] = 0; /* the last row before the others */
	assert_int_equal(ddp_table_cache_put(w->cache, &key, image, bytes), 0);
	assert_int_equal(get(w, "a"), -ENOENT);
	free(image);
}

static void only_regular_files_are_read(void **state)
{
	struct world *w = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/a.rows", w->folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(get(w, "a"), -ENOENT);
	unlink(path);
	put(w, "b", 3);
	assert_int_equal(symlink("b.rows", path), 0);
	assert_int_equal(get(w, "a"), -ENOENT);
	assert_int_equal(get(w, "b"), 0);
}

static uint64_t folder_bytes(const struct world *w, size_t *ret_files)
{
	DIR *d = opendir(w->folder);
	const struct dirent *e;
	uint64_t bytes = 0;
	struct stat st;

	*ret_files = 0;
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, 0) || !S_ISREG(st.st_mode))
			continue;
		bytes += (uint64_t)st.st_size;
		++*ret_files;
	}
	closedir(d);
	return bytes;
}

static void use_at(const struct world *w, const char *name, time_t when)
{
	struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
	char path[160];

	snprintf(path, sizeof(path), "%s/%s.rows", w->folder, name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_longest_unused_go(void **state)
{
	enum { ROWS = 25000 }; /* some 100 KB, of 1 MiB */
	struct world *w = *state;
	char name[16];
	size_t nr;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		put(w, name, ROWS);
		use_at(w, name, 1000 + i);
	}
	assert_int_equal(get(w, "old0"), 0); /* used now, so old1 is the oldest */
	put(w, "new", ROWS);
	assert_true(folder_bytes(w, &nr) <= MAX_BYTES);
	assert_int_equal(get(w, "old0"), 0);
	assert_int_equal(get(w, "new"), 0);
	assert_int_equal(get(w, "old1"), -ENOENT);
	assert_int_equal(get(w, "old9"), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "more%d", i);
		put(w, name, ROWS);
		assert_true(folder_bytes(w, &nr) <= MAX_BYTES);
	}
	assert_true(nr >= 5);
}

static void small_files_count_as_blocks(void **state)
{
	struct world *w = *state;
	char name[16];
	size_t nr;

	for (int i = 0; i < 2 * MAX_BYTES / 4096; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		put(w, name, 1);
	}
	folder_bytes(w, &nr);
	assert_true(nr <= MAX_BYTES / 4096);
}

static void what_is_too_large_stays_out(void **state)
{
	struct world *w = *state;
	struct ddp_table_key key = key_named("a");
	size_t bytes;
	void *image = make_image(MAX_BYTES / 8, &bytes);

	put(w, "b", 3);
	assert_int_equal(ddp_table_cache_put(w->cache, &key, image, bytes), -EFBIG);
	assert_int_equal(get(w, "b"), 0);
	free(image);
}

static void what_somebody_died_over_is_removed(void **state)
{
	struct world *w = *state;
	struct ddp_error err;
	char path[160];
	size_t nr;

	snprintf(path, sizeof(path), "%s/a.rows.77.part", w->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "%s/somebody's", w->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ddp_table_cache_close(w->cache);
	assert_int_equal(ddp_table_cache_open(w->folder, MAX_BYTES, &w->cache, &err), 0);
	folder_bytes(w, &nr);
	assert_int_equal(nr, 1); /* what is not ours stays */
}

/* Folders */

static int open_at(const char *path, struct ddp_error *err)
{
	struct ddp_table_cache *c = NULL;
	int r = ddp_table_cache_open(path, MAX_BYTES, &c, err);

	ddp_table_cache_close(c);
	return r;
}

static void folders(void **state)
{
	struct world *w = *state;
	struct ddp_error err;
	struct stat st;
	char path[160], link[160];

	snprintf(path, sizeof(path), "%s/new", w->folder);
	assert_int_equal(open_at(path, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(open_at(path, &err), -EPERM);
	assert_non_null(strstr(err.text, "chmod"));
	assert_int_equal(chmod(path, 0702), 0);
	assert_int_equal(open_at(path, &err), -EPERM);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(open_at(path, &err), 0);
	snprintf(link, sizeof(link), "%s/link", w->folder);
	assert_int_equal(symlink(path, link), 0);
	assert_true(open_at(link, &err) < 0);
	snprintf(path, sizeof(path), "%s/no/such", w->folder);
	assert_int_equal(open_at(path, &err), -ENOENT);
	if (!geteuid()) {
		snprintf(path, sizeof(path), "%s/new", w->folder);
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(open_at(path, &err), -EPERM);
		assert_non_null(strstr(err.text, "somebody else"));
	}
}

/* Keys */

struct program {
	Elf64_Ehdr h;
	Elf64_Phdr ph;
	Elf64_Nhdr note;
	char name[4];
	uint8_t build_id[8];
};

static struct program a_program(void)
{
	struct program p = {
		.h = { .e_phoff = offsetof(struct program, ph), .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 1 },
		.ph = { .p_type = PT_NOTE, .p_offset = offsetof(struct program, note),
			.p_filesz = sizeof(Elf64_Nhdr) + 12 },
		.note = { .n_namesz = 4, .n_descsz = 8, .n_type = NT_GNU_BUILD_ID },
		.name = "GNU", .build_id = { 0xab, 1, 2, 3, 4, 5, 6, 7 },
	};

	memcpy(p.h.e_ident, ELFMAG, SELFMAG);
	p.h.e_ident[EI_CLASS] = ELFCLASS64;
	return p;
}

static int key_of(const struct program *p, mode_t mode, struct ddp_table_key *ret)
{
	char path[] = "/tmp/test_table_cache_program.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, p, sizeof(*p)), sizeof(*p));
	assert_int_equal(fchmod(fd, mode), 0);
	r = ddp_table_cache_key(fd, ret);
	close(fd);
	return r;
}

static void keys(void **state)
{
	struct program good = a_program(), p;
	struct ddp_table_key key;

	(void)state;
	assert_int_equal(key_of(&good, 0755, &key), 0);
	assert_memory_equal(key.name, "ab01020304050607-", 17);
	assert_int_equal(strlen(key.name), 17 + 16 + strlen(".rows"));
	assert_string_equal(key.name + 17 + 16, ".rows");
	assert_int_equal(key_of(&good, 0775, &key), -ENOENT);
	assert_int_equal(key_of(&good, 0757, &key), -ENOENT);
	p = good;
	p.h.e_ident[0] = 0;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.h.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.h.e_phnum = 0xffff;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.h.e_phoff = UINT64_MAX - 8;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.ph.p_filesz = UINT64_MAX;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.ph.p_offset = UINT64_MAX - 1;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.ph.p_offset += 4096;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.note.n_descsz = 0;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
	p = good;
	p.note.n_type = NT_VERSION;
	assert_int_equal(key_of(&p, 0755, &key), -ENOENT);
}

static struct ddp_table_key key_at(int fd)
{
	struct ddp_table_key key;

	assert_int_equal(ddp_table_cache_key(fd, &key), 0);
	return key;
}

/* A file that only claims to be another, and one that changes: root of a container can do both */
static void a_key_is_one_file_s(void **state)
{
	struct program p = a_program();
	const struct timespec same[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct ddp_table_key first;
	int fd[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		char path[] = "/tmp/test_table_cache_program.XXXXXX";

		fd[i] = mkstemp(path);
		assert_true(fd[i] >= 0);
		unlink(path);
		assert_int_equal(write(fd[i], &p, sizeof(p)), sizeof(p));
		assert_int_equal(futimens(fd[i], same), 0);
	}
	first = key_at(fd[0]);
	assert_string_equal(first.name, key_at(fd[0]).name);
	assert_string_not_equal(first.name, key_at(fd[1]).name);
	usleep(20000); /* the kernel's clock for files ticks every few milliseconds */
	p.build_id[7] ^= 0xff;
	assert_int_equal(pwrite(fd[0], &p, sizeof(p), 0), sizeof(p));
	p.build_id[7] ^= 0xff;
	assert_int_equal(pwrite(fd[0], &p, sizeof(p), 0), sizeof(p));
	assert_int_equal(futimens(fd[0], same), 0);
	assert_string_not_equal(first.name, key_at(fd[0]).name);
	close(fd[0]);
	close(fd[1]);
}

/*
 * What is kept must be what would be made now. When this fails as tables of one and the same file
 * have become others, raise FORMAT in table_cache.c, and then write down both here.
 */
static void tables_of_a_format_are_the_same(void **state)
{
	static const char program[] = "\x41\x0e\x10\x86\x02\x43\x0d\x06\x50\x83\x03\x60\x0c\x07"
				      "\x08\x41\x0b";
	enum { GOLDEN_FORMAT = 3 };
	static const char golden[] =
		"0 rsp+8, 1 rsp+16 bp=cfa-16, 4 rbp+16 bp=cfa-16, 14 rbp+16 bp=cfa-16 bx=cfa-24, "
		"34 rsp+8 bp=cfa-16 bx=cfa-24, 35 unknown, 80 none, 100 rsp+8, 110 plt rsp+8 11, "
		"120 rsp+8, 130 none, 140 rsp+8, 144 rsp+16, 14a rsp+8, 14b none, 23f signal, "
		"249 none, 400 stop, 440 none";
	const struct ddp_cfi_stub stubs[] = {
		{ CODE + 0x100, 0x30, DDP_CFI_STUB_PLT }, { CODE + 0x140, 11, DDP_CFI_STUB_INIT },
	};
	struct world *w = *state;
	struct ddp_table_key key = key_named("a");
	uint8_t code[CODE_BYTES];
	struct code_bytes text = { code, sizeof(code) };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;
	size_t cie, bytes;
	char path[160], table[1000];
	uint32_t head[3];
	void *image;
	int fd;

	memset(code, 0xf4, sizeof(code));
	memcpy(code + 0x110, "\xff\x25\0\0\0\0\x68\0\0\0\0\xe9\0\0\0\0", 16);
	memcpy(code + 0x140, "\x48\x83\xec\x08\xf4\xf4\x48\x83\xc4\x08\xc3", 11);
	memcpy(code + 0x240, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9);
	cie = cie_put(&s, &usual_cie, false, false);
	fde_put(&s, cie, CODE, 0x80, (struct literal)CODE_OF(program));
	in = cfi_input_of(&s);
	in.stubs = stubs;
	in.nr_stubs = 2;
	in.entry = CODE + 0x400;
	in.read = text_read;
	in.ctx = &text;
	assert_int_equal(ddp_cfi_table(&in, &image, &bytes, NULL), 0);
	assert_int_equal(ddp_table_cache_put(w->cache, &key, image, bytes), 0);
	snprintf(path, sizeof(path), "%s/a.rows", w->folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
	close(fd);
	assert_int_equal(head[2], GOLDEN_FORMAT);
	cfi_print(image, bytes, table, sizeof(table));
	assert_string_equal(table, golden);
	free(image);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_goes_in_comes_out),
		TEST(damage_is_found_and_removed),
		TEST(a_file_cut_or_grown_is_removed),
		TEST(a_wrong_image_is_not_taken),
		TEST(only_regular_files_are_read),
		TEST(the_longest_unused_go),
		TEST(small_files_count_as_blocks),
		TEST(what_is_too_large_stays_out),
		TEST(what_somebody_died_over_is_removed),
		TEST(folders),
		cmocka_unit_test(keys),
		cmocka_unit_test(a_key_is_one_file_s),
		TEST(tables_of_a_format_are_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
