// SPDX-License-Identifier: Apache-2.0
/*
 * collector/symbols/inlined: what this program's own debug information says of places in it that we
 * know, and that damaged debug information hurts nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/inlined.h"

static uintptr_t called_from;
static uint32_t call_lines[3];	/* of here(), inner() and middle() */

static __attribute__((noinline)) void here(void)
{
	called_from = (uintptr_t)__builtin_return_address(0) - 1;
}

static inline __attribute__((always_inline)) void inner(volatile int *n)
{
	call_lines[0] = __LINE__ + 1;
	here();
	++*n;
}

static inline __attribute__((always_inline)) void middle(volatile int *n)
{
	for (volatile int i = 0; i < 1; i++) {
		volatile int in_a_block = i;

		call_lines[1] = __LINE__ + 1;
		inner(n);
		*n += in_a_block;
	}
}

static __attribute__((noinline)) int outer(void)
{
	volatile int n = 0;

	call_lines[2] = __LINE__ + 1;
	middle(&n);
	return n;
}

/* Where the code at @address of this process lies in its file */
static uint64_t file_offset(uintptr_t address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, offset;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3 ||
		    address - start >= end - start)
			continue;
		fclose(maps);
		return address - start + offset;
	}
	fail_msg("not mapped");
	return 0;
}

static struct ddp_inlined *open_self(void)
{
	CLEANUP(close_fd) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct ddp_inlined *d = NULL;

	assert_int_equal(ddp_inlined_open(fd, "", &d), 0);
	return d;
}

static void functions_stand_in_their_order(void **state)
{
	static const char *const names[] = { "inner", "middle", "outer" };
	struct ddp_inlined_function f[DDP_MAX_INLINED];
	struct ddp_inlined *d = open_self();
	size_t nr;

	(void)state;
	assert_int_equal(outer(), 1);
	nr = ddp_inlined_at(d, file_offset(called_from), f);
	assert_int_equal(nr, 3);
	for (size_t i = 0; i < nr; i++) {
		assert_string_equal(f[i].name, names[i]);
		assert_non_null(strstr(f[i].file, "test_inlined.c"));
		assert_int_equal(f[i].line, call_lines[i]);
		assert_in_range(f[i].start_line, 1, call_lines[i] - 1);
	}
	assert_true(ddp_inlined_bytes(d) > 1000);
	ddp_inlined_close(d);
}

static void what_is_not_known(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset;
	} rows[] = {
		{ "the ELF header, which is no code", 0 },
		{ "behind the file", UINT64_MAX },
	};
	struct ddp_inlined_function f[DDP_MAX_INLINED];
	struct ddp_inlined *d = open_self();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ddp_inlined_at(d, rows[i].offset, f))
			fail_msg("%s", rows[i].what);
	ddp_inlined_close(d);
}

static void files_without(void **state)
{
	static const struct {
		const char *path;
		int result;
	} rows[] = {
		{ "/proc/self/maps", -ENOEXEC },
		{ "/bin/cat", -ENOENT },	/* stripped */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(close_fd) int fd = open(rows[i].path, O_RDONLY | O_CLOEXEC);
		struct ddp_inlined *d = NULL;
		int r = ddp_inlined_open(fd, "../../../../etc", &d);

		if (r != rows[i].result)
			fail_msg("%s: %d", rows[i].path, r);
	}
}

/* This program, in memory */
struct image {
	uint8_t *bytes;
	size_t nr;
	uint64_t start, end;	/* from its first debug section to its last */
	uint64_t lines, line_bytes;	/* .debug_line */
};

static void read_image(struct image *ret)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	Elf_Scn *s = NULL;
	size_t names;
	Elf *elf;

	assert_int_equal(fstat(fd, &st), 0);
	*ret = (struct image){ .bytes = malloc((size_t)st.st_size), .nr = (size_t)st.st_size,
			       .start = UINT64_MAX };
	assert_int_equal(read(fd, ret->bytes, ret->nr), ret->nr);
	close(fd);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)ret->bytes, ret->nr);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((s = elf_nextscn(elf, s))) {
		const char *name;
		GElf_Shdr h;

		name = gelf_getshdr(s, &h) ? elf_strptr(elf, names, h.sh_name) : "";
		if (strncmp(name, ".debug_", 7))
			continue;
		if (!strcmp(name, ".debug_line")) {
			ret->lines = h.sh_offset;
			ret->line_bytes = h.sh_size;
		}
		ret->start = h.sh_offset < ret->start ? h.sh_offset : ret->start;
		ret->end = h.sh_offset + h.sh_size > ret->end ? h.sh_offset + h.sh_size : ret->end;
	}
	elf_end(elf);
	assert_true(ret->start < ret->end);
}

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* One file with some bytes of its debug information changed */
static void ask_damaged(const struct image *image, size_t changes)
{
	CLEANUP(close_fd) int fd = memfd_create("damaged", MFD_CLOEXEC);
	struct ddp_inlined_function f[DDP_MAX_INLINED];
	struct ddp_inlined *d = NULL;

	assert_int_equal(write(fd, image->bytes, image->nr), image->nr);
	for (size_t i = 0; i < changes; i++) {
		uint64_t at = image->start + rng() % (image->end - image->start);
		uint8_t byte = rng() & 1 ? (uint8_t)rng() : (uint8_t)(rng() % 8);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	if (ddp_inlined_open(fd, "", &d))
		return;
	for (int i = 0; i < 200; i++) {
		uint64_t at = i ? file_offset(called_from) + rng() % 0x10000 - 0x8000 :
				  file_offset(called_from);
		size_t nr = ddp_inlined_at(d, at, f);

		assert_true(nr <= DDP_MAX_INLINED);
		for (size_t n = 0; n < nr; n++)
			assert_true(strlen(f[n].name) > 0);
	}
	ddp_inlined_close(d);
}

static void damage_hurts_nobody(void **state)
{
	struct image image;

	(void)state;
	outer();
	read_image(&image);
	for (size_t i = 0; i < 40; i++)
		ask_damaged(&image, (size_t)1 << i % 16);
	free(image.bytes);
}

/* Each unit's says that it is as long as 2 GiB */
static void long_line_programs_are_not_run(void **state)
{
	static const char *const names[] = { "inner", "middle", "outer" };
	CLEANUP(close_fd) int fd = memfd_create("long", MFD_CLOEXEC);
	struct ddp_inlined_function f[DDP_MAX_INLINED];
	const uint32_t too_long = 0x7fffffff;
	struct ddp_inlined *d = NULL;
	struct image image;
	uint32_t n;

	(void)state;
	outer();
	read_image(&image);
	for (uint64_t at = 0; at + sizeof(n) < image.line_bytes; at += sizeof(n) + n) {
		memcpy(&n, image.bytes + image.lines + at, sizeof(n));
		memcpy(image.bytes + image.lines + at, &too_long, sizeof(too_long));
	}
	assert_int_equal(write(fd, image.bytes, image.nr), image.nr);
	assert_int_equal(ddp_inlined_open(fd, "", &d), 0);
	assert_int_equal(ddp_inlined_at(d, file_offset(called_from), f), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(f[i].name, names[i]);
		assert_null(f[i].file);
		assert_int_equal(f[i].line, i ? call_lines[i] : 0);
	}
	ddp_inlined_close(d);
	free(image.bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_stand_in_their_order),
		cmocka_unit_test(what_is_not_known), cmocka_unit_test(files_without),
		cmocka_unit_test(damage_hurts_nobody),
		cmocka_unit_test(long_line_programs_are_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
