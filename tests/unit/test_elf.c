// SPDX-License-Identifier: Apache-2.0
/*
 * collector/symbols/elf on this program itself, whose functions are known, on its library and the
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

#include "symbols/elf.h"
#include "symbols/symbols.h"

static uint64_t rng_state = 88172645463325252ULL;

static int find_segment(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uint64_t *where = ctx; /* [0] address in, [1] offset out, [2] address as linked out */

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && where[0] >= start && where[0] < start + ph->p_memsz) {
			where[1] = where[0] - start + ph->p_offset;
			where[2] = where[0] - info->dlpi_addr;
			return 1;
		}
	}
	return 0;
}

static uint64_t offset_of(const void *address)
{
	uint64_t where[3] = { (uint64_t)(uintptr_t)address };

	assert_int_equal(dl_iterate_phdr(find_segment, where), 1);
	return where[1];
}

static uint64_t linked_at(const void *address)
{
	uint64_t where[3] = { (uint64_t)(uintptr_t)address };

	assert_int_equal(dl_iterate_phdr(find_segment, where), 1);
	return where[2];
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

static void segments_have_addresses(void **state)
{
	const void *const places[] = { (void *)a_local_function, (void *)ddp_elf_symbol };
	struct ddp_elf *e = open_path("/proc/self/exe");

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t at = offset_of(places[i]);
		const struct ddp_elf_segment *s = ddp_elf_segment(e, at);

		assert_non_null(s);
		assert_true(at >= s->offset && at - s->offset < s->bytes);
		assert_int_equal(at - s->offset + s->address, linked_at(places[i]));
		assert_null(ddp_elf_segment(e, s->offset + s->bytes));
	}
	assert_null(ddp_elf_segment(e, offset_of(&rng_state)));
	assert_null(ddp_elf_segment(e, UINT64_MAX));
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

/* What a file may say to make its reader take memory, and what becomes of it */
struct claim {
	const char *what;
	size_t nr_symbols, name_bytes;	/* all symbols share one name */
	uint64_t symtab_bytes, strtab_bytes; /* as the section headers have it; 0: the truth */
	uint16_t nr_tables;		/* section headers over one table */
	uint16_t shnum;			/* 0: the truth; NO_COUNT: section 0 has it */
	uint16_t phnum;			/* 0: the truth */
	uint64_t file_bytes;		/* with a hole at its end; 0: without */
	int result;
	size_t want_symbols;
	uint64_t address;		/* of its segment; 0: a usual one */
};

#define NO_COUNT 0xffff

static void put(int fd, const void *bytes, size_t n, uint64_t at)
{
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
}

static void write_symbols(int fd, size_t nr, uint64_t at)
{
	ElfW(Sym) *symbols = calloc(nr, sizeof(*symbols));

	assert_non_null(symbols);
	for (size_t i = 0; i < nr; i++)
		symbols[i] = (ElfW(Sym)){ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					  .st_shndx = 1, .st_value = 0x1000 + i, .st_size = 1 };
	put(fd, symbols, nr * sizeof(*symbols), at);
	free(symbols);
}

static int write_claim(const struct claim *c)
{
	enum { PH = sizeof(ElfW(Ehdr)), SH = PH + sizeof(ElfW(Phdr)) };
	uint64_t names = SH + sizeof(ElfW(Shdr)) * (c->nr_tables + 2u),
		 symbols = (names + c->name_bytes + 1 + 7) & ~7ull,
		 bytes = c->nr_symbols * sizeof(ElfW(Sym));
	ElfW(Ehdr) h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(h), .e_phoff = PH, .e_phentsize = sizeof(ElfW(Phdr)),
		.e_phnum = c->phnum ? c->phnum : 1, .e_shoff = SH,
		.e_shentsize = sizeof(ElfW(Shdr)),
		.e_shnum = c->shnum == NO_COUNT ? 0 : c->shnum ? c->shnum :
			   (uint16_t)(c->nr_tables + 2u),
	};
	ElfW(Phdr) load = { .p_type = PT_LOAD, .p_flags = PF_X,
			    .p_vaddr = c->address ? c->address : 0x1000,
			    .p_filesz = symbols + bytes, .p_memsz = symbols + bytes };
	ElfW(Shdr) none = { .sh_size = c->shnum == NO_COUNT ? c->file_bytes / 128 : 0,
			    .sh_info = c->phnum == PN_XNUM ? (uint32_t)(c->file_bytes / 128) : 0 };
	ElfW(Shdr) strtab = { .sh_type = SHT_STRTAB, .sh_offset = names, .sh_addralign = 1,
			      .sh_size = c->strtab_bytes ? c->strtab_bytes : c->name_bytes + 1 };
	ElfW(Shdr) symtab = { .sh_type = SHT_SYMTAB, .sh_offset = symbols, .sh_addralign = 8,
			      .sh_size = c->symtab_bytes ? c->symtab_bytes : bytes,
			      .sh_entsize = sizeof(ElfW(Sym)), .sh_link = 1 };
	char *name = malloc(c->name_bytes + 1);
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0 && name);
	memset(name, '_', c->name_bytes);
	name[c->name_bytes] = '\0';
	put(fd, &h, sizeof(h), 0);
	put(fd, &load, sizeof(load), PH);
	put(fd, &none, sizeof(none), SH);
	put(fd, &strtab, sizeof(strtab), SH + sizeof(none));
	for (unsigned int i = 0; i < c->nr_tables; i++)
		put(fd, &symtab, sizeof(symtab), SH + sizeof(none) * (2 + i));
	put(fd, name, c->name_bytes + 1, names);
	write_symbols(fd, c->nr_symbols, symbols);
	if (c->file_bytes)
		assert_int_equal(ftruncate(fd, (off_t)c->file_bytes), 0);
	free(name);
	return fd;
}

static void files_that_claim_much(void **state)
{
	static const struct claim rows[] = {
		{ "a good one", 100, 20, 0, 0, 1, 0, 0, 0, 0, 100, 0 },
		{ "the longest name", 2, DDP_MAX_SYMBOL_NAME + 50, 0, 0, 1, 0, 0, 0, 0, 2, 0 },
		{ "a table named often", 1000, 20, 0, 0, 60000, 0, 0, 0, 0, 1000, 0 },
		{ "a long name for all", 80000, 4095, 0, 0, 1, 0, 0, 0, -EFBIG, 0, 0 },
		{ "symbols in a hole", 100, 20, 1ull << 38, 0, 1, 0, 0, 1ull << 40, 0, 0, 0 },
		{ "names in a hole", 100, 20, 0, 1ull << 38, 1, 0, 0, 1ull << 40, 0, 0, 0 },
		{ "a symbol table behind the end", 100, 20, 1 << 20, 0, 1, 0, 0, 0, 0, 0, 0 },
		{ "names behind the end", 100, 20, 0, 1 << 20, 1, 0, 0, 0, 0, 0, 0 },
		{ "sections without number", 100, 20, 0, 0, 1, NO_COUNT, 0, 1ull << 40, -ENOEXEC,
		  0, 0 },
		{ "segments without number", 100, 20, 0, 0, 1, 0, PN_XNUM, 1ull << 36, -ENOEXEC,
		  0, 0 },
		{ "many segments", 100, 20, 0, 0, 1, 0, 60000, 1ull << 40, -ENOEXEC, 0, 0 },
		{ "a segment that reaches into the kernel's half", 100, 20, 0, 0, 1, 0, 0, 0, 0, 0,
		  INT64_MAX - 100 },
		{ "a segment that goes around", 100, 20, 0, 0, 1, 0, 0, 0, 0, 0,
		  UINT64_MAX - 100 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(close_fd) int fd = write_claim(&rows[i]);
		struct ddp_elf *e = NULL;
		int r = ddp_elf_open(fd, &e);

		if (r != rows[i].result || (e && ddp_elf_nr_symbols(e) != rows[i].want_symbols))
			fail_msg("%s: %d, %zu symbols", rows[i].what, r,
				 e ? ddp_elf_nr_symbols(e) : 0);
		if (e && !ddp_elf_segment(e, 0) != !!rows[i].address)
			fail_msg("%s: its segment", rows[i].what);
		ddp_elf_close(e);
	}
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
		cmocka_unit_test(segments_have_addresses),
		cmocka_unit_test(vdso_functions), cmocka_unit_test(files_that_are_not_elf),
		cmocka_unit_test(damaged_files), cmocka_unit_test(files_that_claim_much),
		cmocka_unit_test(build_ids),
		cmocka_unit_test(symbols_of_kernel_and_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
