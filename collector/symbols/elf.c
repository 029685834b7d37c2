// SPDX-License-Identifier: Apache-2.0
/*
 * See elf.h. Symbols are those of .symtab, or of .dynsym in a stripped file, sorted by address with
 * one name each. Source of formats: System V gABI, chapters 4 and 5.
 */
#include "symbols/elf.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"

/*
 * A file may name any size that its length allows, and that can be a hole that costs its owner
 * nothing; and tables may be named any number of times. So there are limits, beyond what real
 * programs have.
 */
enum {
	MAX_TABLE_BYTES = 256 << 20,	/* of a symbol or string table */
	MAX_NAMES_BYTES = 256 << 20,	/* symbols may share a name, here each has its copy */
	MAX_PROGRAM_HEADERS = 256,
	MAX_NOTE_BYTES = 1 << 16,
};

struct symbol {
	uint64_t address;	/* virtual, as linked */
	uint32_t size;		/* bytes; 0: up to the next symbol */
	uint32_t name;		/* offset in names */
};

struct ddp_elf {
	struct symbol *symbols;		/* owned, sorted by address, no two with the same */
	size_t nr_symbols, cap_symbols;
	char *names;			/* owned, NUL-terminated one after the other */
	size_t names_bytes, names_cap;
	struct ddp_elf_segment *segments;	/* owned */
	size_t nr_segments;
	char build_id[2 * DDP_MAX_BUILD_ID + 1];
};

static void end_elf(Elf *elf)
{
	elf_end(elf);
}
DEFINE_CLEANUP(Elf *, end_elf)

/* Notes */

static void to_hex(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

int ddp_build_id_from_notes(const void *notes, size_t bytes, char ret[2 * DDP_MAX_BUILD_ID + 1])
{
	const uint8_t *p = notes;
	Elf64_Nhdr h;	/* Elf32_Nhdr is the same */

	while (bytes >= sizeof(h)) {
		size_t name, desc;

		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		bytes -= sizeof(h);
		name = ((size_t)h.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)h.n_descsz + 3) & ~(size_t)3;
		if (name > bytes || h.n_descsz > bytes - name)
			return -ENOENT;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(p, "GNU", 4) &&
		    h.n_descsz && h.n_descsz <= DDP_MAX_BUILD_ID) {
			to_hex(p + name, h.n_descsz, ret);
			return 0;
		}
		if (desc > bytes - name)
			return -ENOENT;
		p += name + desc;
		bytes -= name + desc;
	}
	return -ENOENT;
}

static bool inside(uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
	return offset <= file_bytes && bytes <= file_bytes - offset;
}

static void read_note_segment(struct ddp_elf *e, Elf *elf, const GElf_Phdr *ph)
{
	Elf_Data *d;

	if (e->build_id[0] || ph->p_filesz > MAX_NOTE_BYTES)
		return;
	d = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz, ELF_T_BYTE);
	if (d && d->d_buf)
		(void)ddp_build_id_from_notes(d->d_buf, d->d_size, e->build_id);
}

/* Segments */

static int read_segments(struct ddp_elf *e, Elf *elf, uint64_t file_bytes)
{
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(elf, &n) || !n)
		return 0;
	if (n > MAX_PROGRAM_HEADERS)
		return -ENOEXEC;
	e->segments = calloc(n, sizeof(*e->segments));
	if (!e->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) ||
		    !inside(ph.p_offset, ph.p_filesz, file_bytes))
			continue;
		if (ph.p_type == PT_NOTE)
			read_note_segment(e, elf, &ph);
		/* the upper half of addresses is the kernel's */
		if (ph.p_type == PT_LOAD && ph.p_flags & PF_X &&
		    inside(ph.p_vaddr, ph.p_filesz, INT64_MAX))
			e->segments[e->nr_segments++] = (struct ddp_elf_segment){
				ph.p_offset, ph.p_filesz, ph.p_vaddr,
			};
	}
	return 0;
}

const struct ddp_elf_segment *ddp_elf_segment(const struct ddp_elf *e, uint64_t file_offset)
{
	for (size_t i = 0; i < e->nr_segments; i++)
		if (file_offset - e->segments[i].offset < e->segments[i].bytes)
			return &e->segments[i];
	return NULL;
}

static bool executable_address(const struct ddp_elf *e, uint64_t address)
{
	for (size_t i = 0; i < e->nr_segments; i++)
		if (address - e->segments[i].address < e->segments[i].bytes)
			return true;
	return false;
}

/* Symbols */

/* A name of @len bytes, without a NUL */
static int add_symbol(struct ddp_elf *e, const GElf_Sym *s, const char *name, size_t len)
{
	struct symbol *symbols;
	char *names;

	if (e->nr_symbols == DDP_MAX_SYMBOLS || e->names_bytes + len + 1 > MAX_NAMES_BYTES)
		return -EFBIG;
	names = array_reserve(e->names, &e->names_cap, e->names_bytes + len + 1, 1);
	if (!names)
		return -ENOMEM;
	e->names = names;
	symbols = array_reserve(e->symbols, &e->cap_symbols, e->nr_symbols + 1, sizeof(*symbols));
	if (!symbols)
		return -ENOMEM;
	e->symbols = symbols;
	memcpy(names + e->names_bytes, name, len);
	names[e->names_bytes + len] = '\0';
	symbols[e->nr_symbols++] = (struct symbol){
		s->st_value, s->st_size > UINT32_MAX ? UINT32_MAX : (uint32_t)s->st_size,
		(uint32_t)e->names_bytes,
	};
	e->names_bytes += len + 1;
	return 0;
}

/* Functions, and the labels of assembly code that has no types; @name has a byte at least */
static bool wanted(const struct ddp_elf *e, const GElf_Sym *s, const char *name)
{
	int type = GELF_ST_TYPE(s->st_info);

	if (s->st_shndx == SHN_UNDEF || !executable_address(e, s->st_value))
		return false;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	/* $x and the like mark kinds of bytes, .L are the assembler's own */
	return type == STT_NOTYPE && name[0] != '$' && name[0] != '.';
}

/* Its bytes; NULL when it is damaged, of another type, or nothing that a linker makes */
static Elf_Data *section_data(Elf_Scn *scn, GElf_Word type, uint64_t file_bytes)
{
	GElf_Shdr sh;
	Elf_Data *d;

	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type != type || sh.sh_flags & SHF_COMPRESSED ||
	    sh.sh_size > MAX_TABLE_BYTES || !inside(sh.sh_offset, sh.sh_size, file_bytes))
		return NULL;
	d = elf_getdata(scn, NULL);
	return d && d->d_buf ? d : NULL;
}

/* @return its length, 0 when there is none; the table need not end in a NUL */
static size_t name_at(const Elf_Data *strings, size_t offset, const char **ret)
{
	size_t left = offset < strings->d_size ? strings->d_size - offset : 0;

	if (!left)
		return 0;
	*ret = (const char *)strings->d_buf + offset;
	return strnlen(*ret, left < DDP_MAX_SYMBOL_NAME ? left : DDP_MAX_SYMBOL_NAME);
}

static int read_symbols(struct ddp_elf *e, Elf_Data *table, const Elf_Data *strings)
{
	GElf_Sym s;

	for (int i = 0; i < INT32_MAX && gelf_getsym(table, i, &s); i++) {
		const char *name;
		size_t len = name_at(strings, s.st_name, &name);
		int r;

		if (!len || !wanted(e, &s, name))
			continue;
		r = add_symbol(e, &s, name, len);
		if (r)
			return r;
	}
	return 0;
}

/* A file has one table of a type at most: the first one is it */
static int read_table(struct ddp_elf *e, Elf *elf, uint64_t file_bytes, GElf_Word type)
{
	Elf_Data *table, *strings;
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == type)
			break;
	table = section_data(scn, type, file_bytes);
	strings = table ? section_data(elf_getscn(elf, sh.sh_link), SHT_STRTAB, file_bytes) : NULL;
	return strings ? read_symbols(e, table, strings) : 0;
}

static unsigned int underscores(const char *name)
{
	unsigned int n = 0;

	while (n < 8 && name[n] == '_') /* more make no name plainer */
		n++;
	return n;
}

/* By address; of several the one to keep first: with a size, the plainer name, the earlier one */
static int compare(const void *a, const void *b, void *names)
{
	const struct symbol *x = a, *y = b;
	const char *text = names;
	unsigned int xu, yu;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (!x->size != !y->size)
		return x->size ? -1 : 1;
	xu = underscores(text + x->name);
	yu = underscores(text + y->name);
	if (xu != yu)
		return xu < yu ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Sorted, one a place, and no label inside a function that has a size */
static void sort(struct ddp_elf *e)
{
	uint64_t end = 0;
	size_t kept = 0;

	if (!e->nr_symbols)
		return;
	qsort_r(e->symbols, e->nr_symbols, sizeof(*e->symbols), compare, e->names);
	for (size_t i = 0; i < e->nr_symbols; i++) {
		const struct symbol *s = &e->symbols[i];

		if (kept && e->symbols[kept - 1].address == s->address)
			continue;
		if (!s->size && s->address < end)
			continue;
		if (s->size && s->address + s->size > end)
			end = s->address + s->size;
		e->symbols[kept++] = *s;
	}
	e->nr_symbols = kept;
}

static void shrink(struct ddp_elf *e)
{
	struct symbol *s = e->nr_symbols ? reallocarray(e->symbols, e->nr_symbols, sizeof(*s))
					 : NULL;
	char *names = e->names_bytes ? realloc(e->names, e->names_bytes) : NULL;

	if (s)
		e->symbols = s;
	if (names)
		e->names = names;
}

const char *ddp_elf_symbol(const struct ddp_elf *e, uint64_t file_offset)
{
	const struct ddp_elf_segment *segment = ddp_elf_segment(e, file_offset);
	size_t low = 0, high = e->nr_symbols;
	const struct symbol *s;
	uint64_t address;

	if (!segment)
		return NULL;
	address = file_offset - segment->offset + segment->address;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* a function can lie in another's range, which then goes on behind it */
	for (size_t back = 0; low > back && back < 8; back++) {
		s = &e->symbols[low - 1 - back];
		if ((!s->size && !back) || address - s->address < s->size)
			return e->names + s->name;
	}
	return NULL;
}

/* Opening */

static int read_all(struct ddp_elf *e, Elf *elf, uint64_t file_bytes)
{
	GElf_Ehdr h;
	int r;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &h) ||
	    (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -ENOEXEC;
	r = read_segments(e, elf, file_bytes);
	r = r ?: read_table(e, elf, file_bytes, SHT_SYMTAB);
	if (!r && !e->nr_symbols)
		r = read_table(e, elf, file_bytes, SHT_DYNSYM);
	if (r)
		return r;
	sort(e);
	shrink(e);
	return 0;
}

static int load(Elf *elf, uint64_t file_bytes, struct ddp_elf **ret)
{
	CLEANUP(ddp_elf_close) struct ddp_elf *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	r = read_all(e, elf, file_bytes);
	if (r)
		return r;
	*ret = TAKE(e);
	return 0;
}

/*
 * libelf makes room for as many sections as a file says it has, before anybody can look. More than
 * the header can count, which section 0 would then do, no program has.
 */
static bool counts_sections_itself(int fd)
{
	union {
		Elf32_Ehdr h32;
		Elf64_Ehdr h64;
	} h;
	ssize_t n = pread(fd, &h, sizeof(h), 0);

	if (n >= (ssize_t)sizeof(h.h64) && h.h64.e_ident[EI_CLASS] == ELFCLASS64)
		return h.h64.e_shnum || !h.h64.e_shoff;
	return n >= (ssize_t)sizeof(h.h32) && h.h32.e_ident[EI_CLASS] == ELFCLASS32 &&
	       (h.h32.e_shnum || !h.h32.e_shoff);
}

int ddp_elf_open(int fd, struct ddp_elf **ret)
{
	CLEANUP(end_elf) Elf *elf = NULL;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE || !counts_sections_itself(fd))
		return -ENOEXEC;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return -ENOEXEC;
	return load(elf, (uint64_t)st.st_size, ret);
}

int ddp_elf_open_memory(const void *image, size_t bytes, struct ddp_elf **ret)
{
	CLEANUP(end_elf) Elf *elf = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	/* libelf does not write to an image that nobody changes through it */
	elf = elf_memory((char *)(uintptr_t)image, bytes);
	if (!elf)
		return -ENOEXEC;
	return load(elf, bytes, ret);
}

void ddp_elf_close(struct ddp_elf *e)
{
	if (!e)
		return;
	free(e->symbols);
	free(e->names);
	free(e->segments);
	free(e);
}

const char *ddp_elf_build_id(const struct ddp_elf *e)
{
	return e->build_id;
}

size_t ddp_elf_nr_symbols(const struct ddp_elf *e)
{
	return e->nr_symbols;
}

size_t ddp_elf_bytes(const struct ddp_elf *e)
{
	return sizeof(*e) + e->nr_symbols * sizeof(*e->symbols) + e->names_bytes +
	       e->nr_segments * sizeof(*e->segments);
}
