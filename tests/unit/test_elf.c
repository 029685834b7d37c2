// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/elf on this program itself, whose functions are known, on its library and the
 * vdso, and on copies that were cut and damaged in many ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/elf.h"
#include "core/symbols.h"

static int find_segment(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uint64_t *where = ctx; /* [0] address in, [1] offset out */

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && where[0] >= start && where[0] < start + ph->p_memsz) {
			where[1] = where[0] - start + ph->p_offset;
			return 1;
		}
	}
	return 0;
}

static uint64_t offset_of(const void *address)
{
	uint64_t where[2] = { (uint64_t)(uintptr_t)address, 0 };

	assert_int_equal(dl_iterate_phdr(find_segment, where), 1);
	return where[1];
}

__attribute__((noinline, used)) static int a_local_function(int x)
{
	return x * 3 + 1;
}

static struct ddp_elf *open_path(const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ddp_elf *e = NULL;

	assert_true(fd >= 0);
	assert_int_equal(ddp_elf_open(fd, &e), 0);
	return e;
}

static void own_functions(void **state)
{
	struct ddp_elf *e = open_path("/proc/self/exe");
	uint64_t at = offset_of((void *)a_local_function);

	(void)state;
	assert_string_equal(ddp_elf_symbol(e, at), "a_local_function");
	assert_string_equal(ddp_elf_symbol(e, at + 1), "a_local_function");
	assert_string_equal(ddp_elf_symbol(e, offset_of((void *)ddp_elf_symbol)), "ddp_elf_symbol");
	assert_null(ddp_elf_symbol(e, UINT64_MAX));
	assert_null(ddp_elf_symbol(e, 0));
	assert_int_equal(strlen(ddp_elf_build_id(e)), 40);
	assert_true(ddp_elf_bytes(e) > ddp_elf_nr_symbols(e) * 16);
	ddp_elf_close(e);
}

/* A stripped library: names from .dynsym */
static void library_functions(void **state)
{
	struct ddp_elf *e;
	Dl_info info;

	(void)state;
	assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "qsort_r"), &info), 0);
	e = open_path(info.dli_fname);
	assert_non_null(ddp_elf_symbol(e, offset_of(info.dli_saddr)));
	assert_string_equal(ddp_elf_symbol(e, offset_of(info.dli_saddr)), "qsort_r");
	ddp_elf_close(e);
}

static void vdso_functions(void **state)
{
	const ElfW(Ehdr) *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct ddp_elf *e;

	(void)state;
	if (!image)
		skip();
	assert_int_equal(ddp_elf_open_memory(image, 4096, &e), 0);
	assert_true(ddp_elf_nr_symbols(e) > 0 || ddp_elf_build_id(e)[0]);
	ddp_elf_close(e);
}

static void files_that_are_not_elf(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t n;
	} rows[] = {
		{ "empty", "", 0 },
		{ "text", "#!/bin/sh\n", 10 },
		{ "only the magic", "\177ELF", 4 },
		{ "an archive", "!<arch>\n", 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(close_fd) int fd = memfd_create("test", MFD_CLOEXEC);
		struct ddp_elf *e = NULL;

		assert_int_equal(write(fd, rows[i].bytes, rows[i].n), rows[i].n);
		if (ddp_elf_open(fd, &e) != -ENOEXEC)
			fail_msg("%s was taken for an ELF file", rows[i].what);
	}
}

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* The file's tables are damaged far more often than its code, which nobody reads */
static size_t interesting_place(const unsigned char *bytes, size_t n)
{
	const ElfW(Ehdr) *h = (const void *)bytes;

	switch (rng() % 4) {
	case 0:
		return rng() % sizeof(*h);
	case 1:
		return (h->e_phoff + rng() % (sizeof(ElfW(Phdr)) * (h->e_phnum + 1u))) % n;
	case 2:
		return (h->e_shoff + rng() % (sizeof(ElfW(Shdr)) * (h->e_shnum + 1u))) % n;
	default:
		return rng() % n;
	}
}

static unsigned char *read_library(size_t *ret_n)
{
	struct stat st;
	unsigned char *bytes;
	Dl_info info;
	int fd;

	assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests"), &info), 0);
	fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && !fstat(fd, &st));
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close_fd(fd);
	*ret_n = (size_t)st.st_size;
	return bytes;
}

static void open_copy(const unsigned char *bytes, size_t n, uint64_t *opened)
{
	CLEANUP(close_fd) int fd = memfd_create("test", MFD_CLOEXEC);
	struct ddp_elf *e = NULL;

	assert_int_equal(write(fd, bytes, n), n);
	if (ddp_elf_open(fd, &e))
		return;
	++*opened;
	for (int i = 0; i < 32; i++)
		ddp_elf_symbol(e, rng() % (n * 2));
	assert_true(strlen(ddp_elf_build_id(e)) <= 2 * DDP_MAX_BUILD_ID);
	ddp_elf_close(e);
}

static void damaged_files(void **state)
{
	size_t n;
	unsigned char *good = read_library(&n), *bad = malloc(n);
	uint64_t opened = 0;

	(void)state;
	assert_non_null(bad);
	for (int i = 0; i < 1500; i++) {
		size_t cut = i % 5 ? n : rng() % n;

		memcpy(bad, good, n);
		for (uint64_t k = rng() % 8; k; k--)
			bad[interesting_place(good, n)] = (unsigned char)(rng() % 3 ? rng() : 0xff);
		open_copy(bad, cut, &opened);
	}
	/* most damage does not make it another kind of file */
	assert_true(opened > 300);
	free(good);
	free(bad);
}

static void build_ids(void **state)
{
	static const struct {
		const char *what;
		unsigned char notes[32];
		size_t n;
		const char *id;	/* NULL: none */
	} rows[] = {
		{ "none", { 0 }, 0, NULL },
		{ "one",
		  { 4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xab, 0x01 },
		  18,
		  "ab01" },
		{ "behind another",
		  { 4,	 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'G', 'N',
		    'U', 0, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0,   0 },
		  28,
		  NULL },
		{ "of somebody else",
		  { 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 'X', 'N', 'U', 0, 9 },
		  17,
		  NULL },
		{ "cut short",
		  { 4, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 9 },
		  17,
		  NULL },
		{ "a name that wraps",
		  { 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 3, 0, 0, 0, 'G' },
		  13,
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char id[2 * DDP_MAX_BUILD_ID + 1] = "";
		int r = ddp_build_id_from_notes(rows[i].notes, rows[i].n, id);

		if (rows[i].id ? r || strcmp(id, rows[i].id) : !r)
			fail_msg("%s: %d '%s'", rows[i].what, r, id);
	}
}

static void symbols_of_kernel_and_vdso(void **state)
{
	struct ddp_symbols s = { 0 };
	struct ddp_kernel_frame f;

	(void)state;
	/* nothing is read yet: no name, and no crash */
	ddp_symbols_kernel(&s, 0xffffffff81000000, &f);
	assert_null(f.function);
	assert_string_equal(f.mapping, DDP_KERNEL_MAPPING);
	assert_null(ddp_symbols_vdso(&s, 1));
	if (s.vdso)
		assert_ptr_equal(ddp_symbols_vdso(&s, s.vdso_bytes), s.vdso);
	ddp_symbols_free(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions), cmocka_unit_test(library_functions),
		cmocka_unit_test(vdso_functions), cmocka_unit_test(files_that_are_not_elf),
		cmocka_unit_test(damaged_files), cmocka_unit_test(build_ids),
		cmocka_unit_test(symbols_of_kernel_and_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
