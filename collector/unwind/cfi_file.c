// SPDX-License-Identifier: Apache-2.0
/*
 * See cfi_file.h. Reads headers and sections itself: only one kind of ELF file is wanted, 64 bits
 * and x86-64, and what is read is known to the byte. Sections are found by name; a file whose
 * section headers are gone still tells where .eh_frame begins, through PT_GNU_EH_FRAME. Source of
 * formats: System V gABI, chapters 4 and 5; LSB 5, ".eh_frame_hdr".
 */
#include "unwind/cfi_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "unwind/cfi_unpack.h"
#include "unwind/ehframe_pointer.h"
#include "lib/cleanup.h"

/* Beyond what real programs have; a section can be a hole that costs its owner nothing. */
enum {
	MAX_SEGMENTS = 64,		/* program headers; real programs have a dozen */
	MAX_SECTIONS = SHN_LORESERVE,	/* more are counted elsewhere; no program has them */
	MAX_NAMES = 4 << 20,		/* bytes of section names */
	MAX_STUBS = 6,			/* sections of known form */
	MAX_DYNAMIC = 64 << 10,		/* bytes of the dynamic section; a thousand libraries */
	/* bytes of .eh_frame and .debug_frame, as kept; libLLVM has 18 MB */
	MAX_CFI = 64 << 20,
};

/* Where bytes come from: a file, or memory */
struct source {
	int fd;			/* -1: memory */
	const uint8_t *memory;	/* borrowed */
	uint64_t nr;		/* bytes */
};

struct file {
	struct source source;
	Elf64_Ehdr header;
	Elf64_Phdr *segments;	/* owned */
	Elf64_Shdr *sections;	/* owned; nr_sections 0: NULL */
	size_t nr_sections;
	char *names;		/* owned; NUL-terminated */
	uint64_t names_nr;
	/* what ehframe is given, and the buffers behind it */
	struct ddp_cfi_input in;
	struct ddp_cfi_segment code[MAX_SEGMENTS];
	struct ddp_cfi_stub stubs[MAX_STUBS];
	uint8_t *buffers[3];	/* owned */
	size_t nr_buffers;
	uint64_t cfi_left;	/* bytes of MAX_CFI */
	/* code that was read last */
	uint8_t block[16384];
	uint64_t block_at;	/* file offset */
	size_t block_nr;
};

static void file_deinit(struct file *f)
{
	for (size_t i = 0; i < f->nr_buffers; i++)
		free(f->buffers[i]);
	free(f->segments);
	free(f->sections);
	free(f->names);
}
DEFINE_CLEANUP_IN_PLACE(struct file, file_deinit)

/* Reading */

/* -ENOEXEC: the file is shorter than it says; -ESTALE: it has become so */
static int source_read(const struct source *s, uint64_t offset, void *to, uint64_t nr)
{
	uint8_t *p = to;

	if (offset > s->nr || nr > s->nr - offset)
		return -ENOEXEC;
	if (s->fd < 0) {
		memcpy(to, s->memory + offset, nr);
		return 0;
	}
	while (nr) {
		ssize_t n = pread(s->fd, p, nr, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ESTALE;
		p += n;
		offset += (uint64_t)n;
		nr -= (uint64_t)n;
	}
	return 0;
}

/* The same into memory of its own, with a NUL behind it */
static int source_copy(const struct source *s, uint64_t offset, uint64_t nr, void *ret)
{
	CLEANUP(free) char *to = NULL;
	int r;

	if (offset > s->nr || nr > s->nr - offset)
		return -ENOEXEC;
	to = malloc(nr + 1);
	if (!to)
		return -ENOMEM;
	r = source_read(s, offset, to, nr);
	to[nr] = '\0';
	if (!r)
		*(char **)ret = TAKE(to);
	return r;
}

/* @buffer becomes @f's */
static const uint8_t *keep(struct file *f, uint8_t *buffer)
{
	f->buffers[f->nr_buffers++] = buffer;
	return buffer;
}

/* Between the functions of some programs there is something to look at every 300 bytes */
static int read_code(void *ctx, uint64_t offset, void *to, size_t nr)
{
	struct file *f = ctx;
	uint64_t left = offset < f->source.nr ? f->source.nr - offset : 0;
	int r;

	if (nr > sizeof(f->block) || nr > left)
		return source_read(&f->source, offset, to, nr);
	if (offset < f->block_at || offset + nr > f->block_at + f->block_nr) {
		f->block_at = offset;
		f->block_nr = left < sizeof(f->block) ? left : sizeof(f->block);
		r = source_read(&f->source, offset, f->block, f->block_nr);
		if (r) {
			f->block_nr = 0;
			return r;
		}
	}
	memcpy(to, f->block + (offset - f->block_at), nr);
	return 0;
}

/* Headers */

static int read_header(struct file *f)
{
	const Elf64_Ehdr *h = &f->header;
	int r = source_read(&f->source, 0, &f->header, sizeof(f->header));

	if (r)
		return r;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64 ||
	    (h->e_type != ET_EXEC && h->e_type != ET_DYN) ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum)
		return -ENOEXEC;
	if (h->e_phnum > MAX_SEGMENTS)
		return -ENOEXEC;
	return source_copy(&f->source, h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr), &f->segments);
}

/* Without them, or with damaged ones, there is still PT_GNU_EH_FRAME */
static int read_sections(struct file *f)
{
	const Elf64_Ehdr *h = &f->header;
	const Elf64_Shdr *names;
	int r;

	if (!h->e_shoff || !h->e_shnum || h->e_shentsize != sizeof(Elf64_Shdr) ||
	    h->e_shnum >= MAX_SECTIONS || h->e_shstrndx >= h->e_shnum)
		return 0;
	r = source_copy(&f->source, h->e_shoff, h->e_shnum * sizeof(Elf64_Shdr), &f->sections);
	if (r)
		return r == -ENOEXEC ? 0 : r;
	names = &f->sections[h->e_shstrndx];
	if (names->sh_type != SHT_STRTAB || names->sh_size > MAX_NAMES)
		return 0;
	r = source_copy(&f->source, names->sh_offset, names->sh_size, &f->names);
	if (r)
		return r == -ENOEXEC ? 0 : r;
	f->names_nr = names->sh_size;
	f->nr_sections = h->e_shnum;
	return 0;
}

/* One with content of that name; NULL: none */
static const Elf64_Shdr *find_section(const struct file *f, const char *name)
{
	for (size_t i = 0; i < f->nr_sections; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL && s->sh_size &&
		    s->sh_name < f->names_nr && !strcmp(f->names + s->sh_name, name))
			return s;
	}
	return NULL;
}

/* What the table is made of */

static void add_code(struct file *f, const Elf64_Phdr *ph)
{
	struct ddp_cfi_segment *s = &f->code[f->in.nr_segments];

	if (ph->p_offset >= f->source.nr)
		return;
	*s = (struct ddp_cfi_segment){ .address = ph->p_vaddr, .offset = ph->p_offset };
	s->nr = f->source.nr - ph->p_offset;
	if (ph->p_filesz < s->nr)
		s->nr = ph->p_filesz;
	f->in.nr_segments++;
}

static void find_code(struct file *f)
{
	f->in.segments = f->code;
	for (size_t i = 0; i < f->header.e_phnum; i++)
		if (f->segments[i].p_type == PT_LOAD && f->segments[i].p_flags & PF_X)
			add_code(f, &f->segments[i]);
}

/* A segment may have more than code: one that linkers made for both has headers and constants */
static void find_limits(struct file *f)
{
	f->in.code_start = UINT64_MAX;
	for (size_t i = 0; i < f->nr_sections; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (!(s->sh_flags & SHF_EXECINSTR) || s->sh_type == SHT_NOBITS ||
		    s->sh_offset > f->source.nr || s->sh_size > f->source.nr - s->sh_offset)
			continue;
		if (s->sh_offset < f->in.code_start)
			f->in.code_start = s->sh_offset;
		if (s->sh_offset + s->sh_size > f->in.code_end)
			f->in.code_end = s->sh_offset + s->sh_size;
	}
	if (f->in.code_start < f->in.code_end)
		return;
	f->in.code_start = 0;
	f->in.code_end = f->source.nr;
}

static void find_stubs(struct file *f)
{
	static const struct {
		const char *section;
		int kind;
	} stubs[MAX_STUBS] = {
		{ ".plt", DDP_CFI_STUB_PLT }, { ".plt.sec", DDP_CFI_STUB_PLT },
		{ ".plt.got", DDP_CFI_STUB_PLT }, { ".iplt", DDP_CFI_STUB_PLT },
		{ ".init", DDP_CFI_STUB_INIT }, { ".fini", DDP_CFI_STUB_INIT },
	};

	f->in.stubs = f->stubs;
	for (size_t i = 0; i < MAX_STUBS; i++) {
		const Elf64_Shdr *s = find_section(f, stubs[i].section);

		if (s)
			f->stubs[f->in.nr_stubs++] = (struct ddp_cfi_stub){
				s->sh_addr, s->sh_size, stubs[i].kind,
			};
	}
}

static int read_section(struct file *f, const Elf64_Shdr *s, bool zdebug,
			struct ddp_cfi_section *ret)
{
	uint8_t *bytes;
	size_t nr = s->sh_size;
	int r;

	if (s->sh_size > f->cfi_left)
		return -EFBIG;
	r = source_copy(&f->source, s->sh_offset, s->sh_size, &bytes);
	if (r)
		return r;
	if (zdebug || s->sh_flags & SHF_COMPRESSED)
		r = ddp_cfi_unpack(&bytes, &nr, zdebug, f->cfi_left - nr);
	f->cfi_left -= nr < f->cfi_left ? nr : f->cfi_left;
	*ret = (struct ddp_cfi_section){
		.bytes = keep(f, bytes), .nr = nr, .address = s->sh_addr,
	};
	return r;
}

/* Damage in debug information costs only that; programs need .eh_frame to run */
static int read_debug_frame(struct file *f)
{
	const Elf64_Shdr *s = find_section(f, ".debug_frame");
	bool zdebug = !s;
	int r;

	if (!s)
		s = find_section(f, ".zdebug_frame");
	if (!s)
		return 0;
	r = read_section(f, s, zdebug, &f->in.debug_frame);
	if (!r)
		return 0;
	f->in.debug_frame = (struct ddp_cfi_section){ 0 };
	return r == -ENOEXEC || r == -EBADMSG || r == -EFBIG ? 0 : r;
}

/* PT_GNU_EH_FRAME: version, three encodings, then the address of .eh_frame */
static int eh_frame_address(const struct file *f, const Elf64_Phdr *ph, uint64_t *ret)
{
	struct cfi_bases bases = { .section = ph->p_vaddr, .data = ph->p_vaddr };
	uint8_t bytes[4 + 16];
	uint64_t nr = ph->p_filesz < sizeof(bytes) ? ph->p_filesz : sizeof(bytes);
	struct cursor c = cursor_over(bytes, nr);
	int r = source_read(&f->source, ph->p_offset, bytes, nr);

	if (r)
		return r;
	if (nr < 4 || bytes[0] != 1 || bytes[1] & CFI_PE_INDIRECT)
		return -ENOEXEC;
	c.pos += 4;
	return cfi_pointer(&c, bytes[1], &bases, ret) ? -ENOEXEC : 0;
}

static int read_from(struct file *f, uint64_t address)
{
	struct ddp_cfi_section *s = &f->in.eh_frame;
	uint8_t *bytes;
	int r;

	for (size_t i = 0; i < f->header.e_phnum; i++) {
		const Elf64_Phdr *ph = &f->segments[i];
		uint64_t at = address - ph->p_vaddr;

		if (ph->p_type != PT_LOAD || at >= ph->p_filesz)
			continue;
		*s = (struct ddp_cfi_section){ .nr = ph->p_filesz - at, .address = address,
					       .open_ended = true };
		if (s->nr > f->cfi_left)
			s->nr = f->cfi_left;
		r = source_copy(&f->source, ph->p_offset + at, s->nr, &bytes);
		if (r)
			return r;
		s->bytes = keep(f, bytes);
		return 0;
	}
	return -ENOEXEC;
}

static int read_eh_frame_by_segment(struct file *f)
{
	uint64_t address;
	int r;

	for (size_t i = 0; i < f->header.e_phnum; i++) {
		if (f->segments[i].p_type != PT_GNU_EH_FRAME)
			continue;
		r = eh_frame_address(f, &f->segments[i], &address);
		r = r ?: read_from(f, address);
		if (!r)
			return 0;
		f->in.eh_frame = (struct ddp_cfi_section){ 0 };
		return r == -ENOEXEC ? 0 : r;
	}
	return 0;
}

static int read_eh_frame(struct file *f)
{
	const Elf64_Shdr *s = find_section(f, ".eh_frame");
	int r = s ? read_section(f, s, false, &f->in.eh_frame) : -ENOEXEC;

	if (r != -ENOEXEC && r != -EBADMSG)
		return r;
	f->in.eh_frame = (struct ddp_cfi_section){ 0 };
	return read_eh_frame_by_segment(f);
}

static uint64_t address_of(const struct file *f, const char *name, const char *instead)
{
	const Elf64_Shdr *s = find_section(f, name);

	if (!s)
		s = find_section(f, instead);
	return s ? s->sh_addr : 0;
}

/* Who needs a library needs a C library, in the end */
static int find_needed(struct file *f)
{
	CLEANUP(free) Elf64_Dyn *entries = NULL;
	const Elf64_Phdr *dynamic = NULL;
	int r;

	for (size_t i = 0; i < f->header.e_phnum; i++)
		if (f->segments[i].p_type == PT_DYNAMIC)
			dynamic = &f->segments[i];
	if (!dynamic || dynamic->p_filesz > MAX_DYNAMIC)
		return 0;
	r = source_copy(&f->source, dynamic->p_offset, dynamic->p_filesz, &entries);
	if (r)
		return r == -ENOEXEC ? 0 : r;
	for (size_t i = 0; i < dynamic->p_filesz / sizeof(*entries); i++)
		if (entries[i].d_tag == DT_NEEDED)
			f->in.needs_libraries = true;
	return 0;
}

static int make_table(struct file *f, void **ret_image, size_t *ret_bytes,
		      struct ddp_cfi_counts *ret_counts)
{
	int r = read_header(f);

	f->cfi_left = MAX_CFI;
	r = r ?: read_sections(f);
	r = r ?: read_eh_frame(f);
	r = r ?: read_debug_frame(f);
	r = r ?: find_needed(f);
	if (r)
		return r;
	find_code(f);
	find_limits(f);
	find_stubs(f);
	f->in.read = read_code;
	f->in.ctx = f;
	f->in.entry = f->header.e_entry;
	f->in.text = address_of(f, ".text", ".text");
	f->in.data = address_of(f, ".got.plt", ".got");
	return ddp_cfi_table(&f->in, ret_image, ret_bytes, ret_counts);
}

int ddp_cfi_file_table(int fd, void **ret_image, size_t *ret_bytes,
		       struct ddp_cfi_counts *ret_counts)
{
	CLEANUP(file_deinit) struct file f = { .source.fd = fd };
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	f.source.nr = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	return make_table(&f, ret_image, ret_bytes, ret_counts);
}

int ddp_cfi_memory_table(const void *elf, size_t bytes, void **ret_image, size_t *ret_bytes,
			 struct ddp_cfi_counts *ret_counts)
{
	CLEANUP(file_deinit) struct file f = {
		.source = { .fd = -1, .memory = elf, .nr = bytes },
	};

	return make_table(&f, ret_image, ret_bytes, ret_counts);
}
