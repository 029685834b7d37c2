// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/cfi_file on a small ELF file put together here, whole, compressed, without section
 * headers, cut and damaged; and on what this program is made of itself, where a frame's rule is
 * held against what the compiler says of the same frame.
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
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "cfi_bytes.h"
#include "unwind/cfi_file.h"
#include "unwind/cfi_unpack.h"
#include "lib/cleanup.h"

/*
 * A file in the making: header, program headers, then pieces wherever they come to lie, section
 * headers last. One segment at CODE_OFFSET and CODE holds code and, when asked for, .eh_frame.
 */
enum { HDR_AT = 0x1800, EH_FRAME_AT = 0x1840, DEBUG_AT = 0x2000, NAMES_AT = 0x3800,
       SECTIONS_AT = 0x3c00, FILE_BYTES = 0x4000 };

struct elf {
	union {
		uint8_t bytes[FILE_BYTES];
		Elf64_Ehdr header;
	};
};

enum { NO_NAME, EH_FRAME, DEBUG_FRAME, ZDEBUG_FRAME, PLT, NAMES, NR_NAMES };
static const char name_table[] = "\0.eh_frame\0.debug_frame\0.zdebug_frame\0.plt\0.shstrtab";
static const uint8_t name_at[NR_NAMES] = { 0, 1, 11, 24, 38, 43 };

static Elf64_Phdr *segment(struct elf *e, uint32_t i)
{
	return (Elf64_Phdr *)(e->bytes + sizeof(Elf64_Ehdr)) + i;
}

static Elf64_Shdr *section(struct elf *e, uint32_t i)
{
	return (Elf64_Shdr *)(e->bytes + SECTIONS_AT) + i;
}

static void elf_begin(struct elf *e)
{
	memset(e, 0, sizeof(*e));
	e->header = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr), .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 1,
		.e_phentsize = sizeof(Elf64_Phdr), .e_shentsize = sizeof(Elf64_Shdr),
		.e_shoff = SECTIONS_AT, .e_shnum = 2, .e_shstrndx = 1,
	};
	*segment(e, 0) = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = CODE_OFFSET,
		.p_vaddr = CODE, .p_filesz = CODE_BYTES, .p_memsz = CODE_BYTES,
	};
	memset(e->bytes + CODE_OFFSET, 0xf4, HDR_AT - CODE_OFFSET);	/* hlt: not padding */
	memcpy(e->bytes + NAMES_AT, name_table, sizeof(name_table));
	*section(e, 1) = (Elf64_Shdr){
		.sh_name = name_at[NAMES], .sh_type = SHT_STRTAB, .sh_offset = NAMES_AT,
		.sh_size = sizeof(name_table),
	};
}

static Elf64_Shdr *add_section(struct elf *e, uint32_t name, uint64_t at, const void *bytes,
			       size_t nr)
{
	Elf64_Shdr *s = section(e, e->header.e_shnum++);

	assert_true(at + nr <= NAMES_AT);
	memcpy(e->bytes + at, bytes, nr);
	*s = (Elf64_Shdr){
		.sh_name = name_at[name], .sh_type = SHT_PROGBITS, .sh_offset = at, .sh_size = nr,
		.sh_addr = at < CODE_OFFSET + CODE_BYTES ? at - CODE_OFFSET + CODE : 0,
	};
	return s;
}

/* Two functions: 0 up to 10, and 20 up to 30, with addresses that count from where they lie */
static struct bytes eh_frame_bytes(void)
{
	struct bytes s = { .nr = 0 };
	size_t cie = cie_put(&s, &usual_cie, false, false);
	uint64_t moved = CODE + EH_FRAME_AT - CODE_OFFSET - SECTION;

	fde_put(&s, cie, CODE - moved, 0x10, (struct literal)CODE_OF("\x0e\x10"));
	fde_put(&s, cie, CODE + 0x20 - moved, 0x10, (struct literal)CODE_OF("\x0e\x20"));
	return s;
}

static const char eh_frame_table[] = "0 rsp+16, 10 none, 20 rsp+32, 30 none";

/* One function, and enough others to be worth compressing: 40 up to 240 */
static struct bytes debug_frame_bytes(void)
{
	struct bytes s = { .nr = 0 };

	cie_put(&s, &debug_cie, true, false);
	for (unsigned int i = 0; i < 0x20; i++)
		debug_fde_put(&s, 0, CODE + 0x40 + 0x10 * i, 0x10,
			      (struct literal)CODE_OF("\x0e\x30"));
	return s;
}

static const char both_table[] = "0 rsp+16, 10 none, 20 rsp+32, 30 none, 40 rsp+48, 240 none";
static const char debug_frame_table[] = "40 rsp+48, 240 none";

static void add_eh_frame(struct elf *e)
{
	struct bytes s = eh_frame_bytes();

	add_section(e, EH_FRAME, EH_FRAME_AT, s.b, s.nr);
}

/* A file descriptor, as the collector has it */
static int file_of(const void *bytes, size_t nr)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, nr), nr);
	return fd;
}

static void check_image(const char *what, int r, void *image, size_t nr, const char *table)
{
	char text[1000];

	if (r)
		fail_msg("%s: %s", what, strerror(-r));
	cfi_print(image, nr, text, sizeof(text));
	if (strcmp(text, table))
		fail_msg("%s:\n is   %s\n not  %s", what, text, table);
	free(image);
}

/* From a descriptor and from memory, the same */
static void expect_table(const char *what, const struct elf *e, const char *table)
{
	CLEANUP(close_fd) int fd = file_of(e, sizeof(*e));
	void *image = NULL;
	size_t nr = 0;
	int r = ddp_cfi_file_table(fd, &image, &nr, NULL);

	check_image(what, r, image, nr, table);
	r = ddp_cfi_memory_table(e, sizeof(*e), &image, &nr, NULL);
	check_image(what, r, image, nr, table);
}

static void sections(void **state)
{
	struct bytes debug = debug_frame_bytes();
	struct elf e;

	(void)state;
	elf_begin(&e);
	expect_table("none", &e, "");
	add_eh_frame(&e);
	expect_table(".eh_frame", &e, eh_frame_table);
	add_section(&e, DEBUG_FRAME, DEBUG_AT, debug.b, debug.nr);
	expect_table("both", &e, both_table);
	section(&e, 2)->sh_type = SHT_NOBITS;
	expect_table(".debug_frame", &e, debug_frame_table);
	section(&e, 3)->sh_size = FILE_BYTES;
	expect_table("a .debug_frame that ends outside", &e, "");
	section(&e, 3)->sh_size = 1ULL << 40;
	expect_table("a .debug_frame that is too large", &e, "");
}

static void the_file_s_plt_and_entry(void **state)
{
	static const char plt[] = "\xff\x25\0\0\0\0\x68\0\0\0\0\xe9\0\0\0";
	struct elf e;

	(void)state;
	elf_begin(&e);
	add_section(&e, PLT, CODE_OFFSET + 0x40, plt, 16);
	e.header.e_entry = CODE + 0x80;
	expect_table("PLT and entry", &e, "40 plt rsp+8 11, 50 none, 80 stop, c0 none");
}

static void add_dynamic(struct elf *e, uint64_t at, const Elf64_Dyn *entries, size_t nr)
{
	*segment(e, e->header.e_phnum++) = (Elf64_Phdr){
		.p_type = PT_DYNAMIC, .p_offset = at, .p_filesz = nr * sizeof(*entries),
	};
	if (at < NAMES_AT)
		memcpy(e->bytes + at, entries, nr * sizeof(*entries));
}

/* Where a trampoline of 9 bytes fits between two functions: 7 up to 10 */
static void who_makes_system_calls(void **state)
{
	static const Elf64_Dyn needs[] = { { .d_tag = DT_SONAME }, { .d_tag = DT_NEEDED },
					   { .d_tag = DT_NULL } };
	static const struct {
		const char *what;
		uint64_t at;		/* of the dynamic section; 0: none */
		size_t nr;		/* entries of needs in it */
		const char *table;
	} rows[] = {
		{ "no dynamic section", 0, 0, "0 rsp+8, 7 signal, 10 rsp+8, 20 none" },
		{ "a C library", DEBUG_AT, 1, "0 rsp+8, 7 signal, 10 rsp+8, 20 none" },
		{ "a program with one", DEBUG_AT, 3, "0 rsp+8, 20 none" },
		{ "a dynamic section behind the end", FILE_BYTES - 8, 3,
		  "0 rsp+8, 7 signal, 10 rsp+8, 20 none" },
		{ "one without end", DEBUG_AT, 1 << 20, "0 rsp+8, 7 signal, 10 rsp+8, 20 none" },
	};
	uint64_t moved = CODE + EH_FRAME_AT - CODE_OFFSET - SECTION;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t nr = rows[i].nr < 3 ? rows[i].nr : 3;
		struct bytes s = { .nr = 0 };
		struct elf e;
		size_t cie;

		elf_begin(&e);
		cie = cie_put(&s, &usual_cie, false, false);
		fde_put(&s, cie, CODE - moved, 7, (struct literal)CODE_OF(""));
		fde_put(&s, cie, CODE + 0x10 - moved, 0x10, (struct literal)CODE_OF(""));
		add_section(&e, EH_FRAME, EH_FRAME_AT, s.b, s.nr);
		memcpy(e.bytes + CODE_OFFSET + 7, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9);
		if (rows[i].at) {
			add_dynamic(&e, rows[i].at, needs, nr);
			segment(&e, 1)->p_filesz = rows[i].nr * sizeof(*needs);
		}
		expect_table(rows[i].what, &e, rows[i].table);
	}
}

/* Compressed sections */

static size_t with_header(uint32_t type, uint64_t size, uint8_t *to)
{
	Elf64_Chdr h = { .ch_type = type, .ch_size = size, .ch_addralign = 8 };

	memcpy(to, &h, sizeof(h));
	return sizeof(h);
}

static size_t with_zdebug(uint64_t size, uint8_t *to)
{
	memcpy(to, "ZLIB\0\0\0\0\0\0", 10);
	to[10] = (uint8_t)(size >> 8);
	to[11] = (uint8_t)size;
	return 12;
}

static size_t zlib(const struct bytes *s, uint8_t *to)
{
	uLongf n = compressBound(s->nr);

	assert_int_equal(compress(to, &n, s->b, s->nr), Z_OK);
	return n;
}

static size_t zstd(const struct bytes *s, uint8_t *to)
{
	size_t n = ZSTD_compress(to, ZSTD_compressBound(s->nr), s->b, s->nr, 3);

	assert_false(ZSTD_isError(n));
	return n;
}

enum { ZSTD_TYPE = 2 };	/* ELFCOMPRESS_ZSTD */

/* type 0: the .zdebug form. wrong is added to the size that is stated, cut taken from the data */
static const struct {
	const char *what;
	uint32_t type;
	int64_t wrong;
	size_t cut;
	bool good;
} packings[] = {
	{ "zlib", ELFCOMPRESS_ZLIB, 0, 0, true },
	{ "zstd", ZSTD_TYPE, 0, 0, true },
	{ ".zdebug_frame", 0, 0, 0, true },
	{ "another method", 3, 0, 0, false },
	{ "zlib, cut", ELFCOMPRESS_ZLIB, 0, 5, false },
	{ "zstd, cut", ZSTD_TYPE, 0, 5, false },
	{ ".zdebug_frame, cut", 0, 0, 5, false },
	{ "zlib, more than it says", ELFCOMPRESS_ZLIB, -1, 0, false },
	{ "zstd, more than it says", ZSTD_TYPE, -1, 0, false },
	{ "zlib, less than it says", ELFCOMPRESS_ZLIB, 1, 0, false },
	{ "zstd, less than it says", ZSTD_TYPE, 1, 0, false },
	{ "zlib, said to be impossibly large", ELFCOMPRESS_ZLIB, 200 << 20, 0, false },
	{ "zlib, said to be larger than any", ELFCOMPRESS_ZLIB, 1LL << 40, 0, false },
	{ "zstd, said to be larger than any", ZSTD_TYPE, 1LL << 40, 0, false },
	{ "zlib, nothing but a header", ELFCOMPRESS_ZLIB, 0, 10000, false },
	{ ".zdebug_frame, nothing but a name", 0, 0, 10000, false },
};

static void compressed_sections(void **state)
{
	struct bytes debug = debug_frame_bytes();

	(void)state;
	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		uint32_t type = packings[i].type;
		uint64_t size = debug.nr + (uint64_t)packings[i].wrong;
		uint8_t packed[4096];
		Elf64_Shdr *s;
		struct elf e;
		size_t nr = type ? with_header(type, size, packed) : with_zdebug(size, packed);

		nr += type == ZSTD_TYPE ? zstd(&debug, packed + nr) : zlib(&debug, packed + nr);
		nr -= packings[i].cut < nr ? packings[i].cut : nr - 4;
		elf_begin(&e);
		add_eh_frame(&e);
		s = add_section(&e, type ? DEBUG_FRAME : ZDEBUG_FRAME, DEBUG_AT, packed, nr);
		s->sh_flags = type ? SHF_COMPRESSED : 0;
		expect_table(packings[i].what, &e, packings[i].good ? both_table : eh_frame_table);
	}
}

/* A file of a few kilobytes is not worth megabytes */
static void a_section_that_is_all_the_same(void **state)
{
	enum { BYTES = 1 << 20 };
	CLEANUP(free) uint8_t *zeros = calloc(1, BYTES), *packed = malloc(BYTES);
	Elf64_Chdr h = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = BYTES };
	uLongf nr = BYTES - sizeof(h);
	size_t bytes;

	(void)state;
	assert_true(zeros && packed);
	memcpy(packed, &h, sizeof(h));
	assert_int_equal(compress(packed + sizeof(h), &nr, zeros, BYTES), Z_OK);
	bytes = sizeof(h) + nr;
	assert_int_equal(ddp_cfi_unpack(&packed, &bytes, false, BYTES), -EBADMSG);
}

/* Without section headers */

static void add_eh_frame_hdr(struct elf *e, const void *hdr, size_t nr)
{
	memcpy(e->bytes + HDR_AT, hdr, nr);
	*segment(e, e->header.e_phnum++) = (Elf64_Phdr){
		.p_type = PT_GNU_EH_FRAME, .p_flags = PF_R, .p_offset = HDR_AT,
		.p_vaddr = CODE + HDR_AT - CODE_OFFSET, .p_filesz = nr, .p_memsz = nr,
	};
}

static void no_section_headers(void **state)
{
	static const struct {
		const char *what;
		struct literal hdr;
		bool good;
	} rows[] = {
		{ "as linkers write it", CODE_OF("\x01\x1b\x03\x3b\x3c\0\0\0\0\0\0\0"), true },
		{ "from the header's start", CODE_OF("\x01\x3b\xff\xff\x40\0\0\0"), true },
		{ "absolute", CODE_OF("\x01\x00\xff\xff\x40\x18\x40\0\0\0\0\0"), true },
		{ "another version", CODE_OF("\x02\x1b\x03\x3b\x3c\0\0\0"), false },
		{ "behind a pointer", CODE_OF("\x01\x9b\x03\x3b\x3c\0\0\0"), false },
		{ "no pointer", CODE_OF("\x01\xff\x03\x3b\x3c\0\0\0"), false },
		{ "outside", CODE_OF("\x01\x1b\x03\x3b\x3c\0\0\x10"), false },
		{ "cut", CODE_OF("\x01\x1b\x03\x3b\x3c"), false },
		{ "empty", CODE_OF(""), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct elf e;

		elf_begin(&e);
		add_eh_frame(&e);
		memset(e.bytes + EH_FRAME_AT + 0x100, 0x77, 0x200);	/* behind the terminator */
		add_eh_frame_hdr(&e, rows[i].hdr.bytes, rows[i].hdr.nr);
		expect_table("with them the header plays no part", &e, eh_frame_table);
		e.header.e_shnum = 0;
		expect_table(rows[i].what, &e, rows[i].good ? eh_frame_table : "");
		e.header.e_shnum = 3;
		e.header.e_shstrndx = 7;
		expect_table("damaged section headers", &e, rows[i].good ? eh_frame_table : "");
		e.header.e_shoff = FILE_BYTES - 1;
		expect_table("section headers outside", &e, rows[i].good ? eh_frame_table : "");
	}
}

/* Files that are not such a file, by one change each */
static void other_files(void **state)
{
	static const struct {
		const char *what;
		size_t at, nr;
		uint64_t value;
	} rows[] = {
		{ "not ELF", 0, 1, 'X' },
		{ "32 bits", EI_CLASS, 1, ELFCLASS32 },
		{ "the other byte order", EI_DATA, 1, ELFDATA2MSB },
		{ "another machine", offsetof(Elf64_Ehdr, e_machine), 2, EM_AARCH64 },
		{ "an object file", offsetof(Elf64_Ehdr, e_type), 2, ET_REL },
		{ "a core file", offsetof(Elf64_Ehdr, e_type), 2, ET_CORE },
		{ "no program headers", offsetof(Elf64_Ehdr, e_phnum), 2, 0 },
		{ "program headers of another size", offsetof(Elf64_Ehdr, e_phentsize), 2, 32 },
		{ "program headers outside", offsetof(Elf64_Ehdr, e_phoff), 8, FILE_BYTES - 8 },
		{ "program headers far outside", offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX - 8 },
		{ "more program headers than any", offsetof(Elf64_Ehdr, e_phnum), 2, 0xffff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(close_fd) int fd = -1;
		void *image = NULL;
		struct elf e;
		size_t nr;

		elf_begin(&e);
		add_eh_frame(&e);
		memcpy(e.bytes + rows[i].at, &rows[i].value, rows[i].nr);
		fd = file_of(&e, sizeof(e));
		if (ddp_cfi_file_table(fd, &image, &nr, NULL) != -ENOEXEC)
			fail_msg("%s was taken for a program", rows[i].what);
	}
}

static void a_section_larger_than_any(void **state)
{
	CLEANUP(close_fd) int fd = -1;
	void *image = NULL;
	struct elf e;
	size_t nr;

	(void)state;
	elf_begin(&e);
	add_eh_frame(&e);
	section(&e, 2)->sh_size = (64 << 20) + 1;
	fd = file_of(&e, sizeof(e));
	assert_int_equal(ftruncate(fd, 300 << 20), 0);	/* a hole costs its owner nothing */
	assert_int_equal(ddp_cfi_file_table(fd, &image, &nr, NULL), -EFBIG);
}

/* Damage */

static void must_be_harmless(const uint8_t *bytes, size_t nr)
{
	CLEANUP(free) uint8_t *copy = malloc(nr ? nr : 1);
	CLEANUP(free) void *image = NULL;
	size_t image_nr;
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, nr);
	r = ddp_cfi_memory_table(copy, nr, &image, &image_nr, NULL);
	if (!r)
		cfi_open(image, image_nr);
	else
		assert_true(r == -ENOEXEC || r == -EFBIG);
}

static void make_everything(struct elf *e)
{
	static const Elf64_Dyn needs = { .d_tag = DT_NEEDED };
	struct bytes debug = debug_frame_bytes();
	uint8_t packed[4096];
	size_t nr = with_header(ELFCOMPRESS_ZLIB, debug.nr, packed);

	elf_begin(e);
	add_eh_frame(e);
	add_eh_frame_hdr(e, "\x01\x1b\x03\x3b\x3c\0\0\0\0\0\0", 12);
	nr += zlib(&debug, packed + nr);
	add_section(e, DEBUG_FRAME, DEBUG_AT, packed, nr)->sh_flags = SHF_COMPRESSED;
	add_dynamic(e, NAMES_AT - sizeof(needs), &needs, 1);
}

static void every_length(void **state)
{
	struct elf e;

	(void)state;
	make_everything(&e);
	for (size_t nr = 0; nr < sizeof(e); nr += nr % 0x400 < 0x100 ? 1 : 13)
		must_be_harmless(e.bytes, nr);
}

static void every_byte_of_headers(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x40, 0x80, 0xff };
	static const struct {
		uint32_t at, nr;
	} places[] = {
		{ 0, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) },
		{ HDR_AT, 0x200 }, { DEBUG_AT, 0x100 },
		{ NAMES_AT, sizeof(name_table) }, { SECTIONS_AT, 4 * sizeof(Elf64_Shdr) },
	};
	struct elf e;

	(void)state;
	make_everything(&e);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (uint32_t k = 0; k < places[i].nr * sizeof(changes); k++) {
			uint8_t *b = &e.bytes[places[i].at + k / sizeof(changes)];

			*b ^= changes[k % sizeof(changes)];
			must_be_harmless(e.bytes, sizeof(e));
			*b ^= changes[k % sizeof(changes)];
		}
	}
}

/* What this program is made of */

static void *table_of(const char *path, size_t *ret_nr, struct ddp_cfi_counts *ret_counts)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *image = NULL;

	assert_true(fd >= 0);
	assert_int_equal(ddp_cfi_file_table(fd, &image, ret_nr, ret_counts), 0);
	return image;
}

static const char *libc_path(void)
{
	Dl_info info;

	assert_int_not_equal(dladdr(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &info), 0);
	return info.dli_fname;
}

static int find_offset(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uint64_t *where = ctx; /* [0] address in, [1] offset out */

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && where[0] - start < ph->p_memsz) {
			where[1] = where[0] - start + ph->p_offset;
			return 1;
		}
	}
	return 0;
}

/* The compiler's own word for this frame, and the table's for an instruction in its middle */
static void own_frame(void **state)
{
	size_t nr;
	CLEANUP(free) void *image = table_of("/proc/self/exe", &nr, NULL);
	struct ddp_rows t = cfi_open(image, nr);
	const struct ddprof_unwind_rule *rule;
	uint64_t where[2], sp, bp;

	(void)state;
	__asm__ volatile("lea 0(%%rip), %0; mov %%rsp, %1; mov %%rbp, %2"
			 : "=r"(where[0]), "=r"(sp), "=r"(bp));
	assert_int_equal(dl_iterate_phdr(find_offset, where), 1);
	rule = ddp_rows_find(&t, where[1]);
	assert_non_null(rule);
	assert_int_equal(rule->kind, DDPROF_UNWIND_REG);
	assert_true(rule->base == 6 || rule->base == 7);
	assert_int_equal((rule->base == 6 ? bp : sp) + (uint64_t)rule->offset,
			 (uint64_t)(uintptr_t)__builtin_dwarf_cfa());
}

static void the_c_library(void **state)
{
	struct ddp_cfi_counts n;
	size_t nr;
	CLEANUP(free) void *image = table_of(libc_path(), &nr, &n);

	(void)state;
	cfi_open(image, nr);
	assert_true(n.rows > 10000);
	assert_true(nr * 2 <= n.rows * 9);			/* 4.5 bytes a row */
	assert_true(n.unknown_bytes * 1000 <= n.code_bytes);
	assert_true(n.code_bytes > 1 << 20);
}

/* In files that linkers made, .eh_frame is all that section headers are needed for */
static void the_c_library_without_section_headers(void **state)
{
	CLEANUP(close_fd) int fd = open(libc_path(), O_RDONLY | O_CLOEXEC);
	CLEANUP(close_fd) int copy = -1;
	CLEANUP(free) uint8_t *bytes = NULL;
	CLEANUP(free) void *whole = NULL, *stripped = NULL;
	size_t whole_nr, stripped_nr;
	struct stat st;

	(void)state;
	assert_false(fstat(fd, &st));
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	((Elf64_Ehdr *)bytes)->e_shoff = 0;
	((Elf64_Ehdr *)bytes)->e_shnum = 0;
	copy = file_of(bytes, (size_t)st.st_size);
	assert_int_equal(ddp_cfi_file_table(fd, &whole, &whole_nr, NULL), 0);
	assert_int_equal(ddp_cfi_file_table(copy, &stripped, &stripped_nr, NULL), 0);
	assert_int_equal(whole_nr, stripped_nr);
	assert_memory_equal(whole, stripped, whole_nr);
}

static void the_vdso(void **state)
{
	const Elf64_Ehdr *h = (const void *)getauxval(AT_SYSINFO_EHDR);
	CLEANUP(free) void *image = NULL;
	struct ddp_cfi_counts n;
	size_t nr;

	(void)state;
	if (!h)
		skip();
	assert_int_equal(ddp_cfi_memory_table(h, h->e_shoff + h->e_shnum * sizeof(Elf64_Shdr),
					      &image, &nr, &n), 0);
	cfi_open(image, nr);
	assert_true(n.rows > 4);
	assert_int_equal(n.unknown_rows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(the_file_s_plt_and_entry),
		cmocka_unit_test(who_makes_system_calls),
		cmocka_unit_test(compressed_sections),
		cmocka_unit_test(a_section_that_is_all_the_same),
		cmocka_unit_test(no_section_headers),
		cmocka_unit_test(other_files),
		cmocka_unit_test(a_section_larger_than_any),
		cmocka_unit_test(every_length),
		cmocka_unit_test(every_byte_of_headers),
		cmocka_unit_test(own_frame),
		cmocka_unit_test(the_c_library),
		cmocka_unit_test(the_c_library_without_section_headers),
		cmocka_unit_test(the_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
