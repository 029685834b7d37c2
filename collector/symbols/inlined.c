// SPDX-License-Identifier: Apache-2.0
/*
 * See inlined.h. A unit's functions are listed when an address in it is first asked for, by a walk
 * through the entries that may hold functions (namespaces, types), with a stack of its own; inside
 * a function one descends to the entry that has the address.
 */
#include "symbols/inlined.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/array.h"

enum {
	MAX_DEPTH = 64,		/* of namespaces, types and blocks in each other */
	MAX_ENTRIES = 8000000,	/* and ranges of these, looked at in a file */
	MAX_WORK_MS = 10000,	/* in a file; more is work that somebody made up */
	MAX_PROGRAM_HEADERS = 256,
	/* of line programs, each byte of which can become a hundred of memory */
	MAX_LINE_BYTES = 8 << 20,
};

/* Addresses [start, end) of the entry at an offset in .debug_info */
struct range {
	uint64_t start, end;
	Dwarf_Off die;
};

struct ranges {
	struct range *at;	/* owned, sorted by start */
	size_t nr, cap;
};

struct unit {
	Dwarf_Off die;
	bool listed;
	bool counted, without_lines;	/* its line program; whether it is too much */
	struct ranges functions;
};

struct segment {
	uint64_t offset, bytes, address;
};

struct ddp_inlined {
	int fd;				/* owned; read from on the way */
	Elf *elf;			/* owned */
	Dwarf *dwarf;			/* owned */
	struct segment *segments;	/* owned; of the mapped file */
	size_t nr_segments;
	struct ranges units;		/* die: index of units */
	struct unit *unit;		/* owned */
	size_t nr_units, cap_units;
	size_t entries;			/* looked at so far */
	uint64_t bytes;			/* of debug sections */
	uint64_t line_bytes;		/* of line programs so far */
	bool trusted;			/* the debug information, see open_debug() */
	int64_t worked_ms, since_ms;	/* of calls that ended; of this one, monotonic */
};

/* One more step of a walk */
static bool is_too_much(struct ddp_inlined *d)
{
	return d->entries++ >= MAX_ENTRIES || d->worked_ms + now_ms() - d->since_ms > MAX_WORK_MS;
}

/* Ranges */

static int add_range(struct ranges *r, uint64_t start, uint64_t end, Dwarf_Off die)
{
	struct range *more;

	if (start >= end)
		return 0;
	more = array_reserve(r->at, &r->cap, r->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->at = more;
	r->at[r->nr++] = (struct range){ start, end, die };
	return 0;
}

/* All of an entry's */
static int add_ranges(struct ddp_inlined *d, struct ranges *r, Dwarf_Die *die, Dwarf_Off as)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	int result = 0;

	while (!result && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		result = is_too_much(d) ? -EFBIG : add_range(r, start, end, as);
	return result;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(struct ranges *r)
{
	if (r->nr)
		qsort(r->at, r->nr, sizeof(*r->at), by_start);
}

static const struct range *find(const struct ranges *r, uint64_t address)
{
	size_t low = 0, high = r->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < r->at[low - 1].end ? &r->at[low - 1] : NULL;
}

/* Entries */

/* The first child or the next sibling. @return whether there is one, within the file's limits */
static bool step(struct ddp_inlined *d, int (*go)(Dwarf_Die *from, Dwarf_Die *to), Dwarf_Die *die)
{
	Dwarf_Die next;

	if (is_too_much(d) || go(die, &next))
		return false;
	*die = next;
	return true;
}

static bool may_hold_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_class_type || tag == DW_TAG_union_type ||
	       tag == DW_TAG_enumeration_type;
}

/* Depth first: path[depth] is the entry at hand, the others are those around it */
static int list_functions(struct ddp_inlined *d, struct unit *u)
{
	Dwarf_Die path[MAX_DEPTH];
	int depth = 0, r = 0;
	bool have;

	u->listed = true;
	if (!dwarf_offdie(d->dwarf, u->die, &path[0]) || !step(d, dwarf_child, &path[0]))
		return 0;
	for (;;) {
		int tag = dwarf_tag(&path[depth]);

		if (tag == DW_TAG_subprogram)
			r = add_ranges(d, &u->functions, &path[depth],
				       dwarf_dieoffset(&path[depth]));
		if (r)
			return r;
		if (may_hold_functions(tag) && depth + 1 < MAX_DEPTH) {
			path[depth + 1] = path[depth];
			if (step(d, dwarf_child, &path[depth + 1])) {
				depth++;
				continue;
			}
		}
		while (!(have = step(d, dwarf_siblingof, &path[depth])) && depth)
			depth--;
		if (!have)
			break;
	}
	sort(&u->functions);
	return 0;
}

static int list_units(struct ddp_inlined *d)
{
	Dwarf_Off at = 0, next;
	size_t header;
	Dwarf_Die die;
	int r = 0;

	for (; !r && !dwarf_nextcu(d->dwarf, at, &next, &header, NULL, NULL, NULL); at = next) {
		struct unit *more;

		if (!dwarf_offdie(d->dwarf, at + header, &die) ||
		    dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		more = array_reserve(d->unit, &d->cap_units, d->nr_units + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		d->unit = more;
		d->unit[d->nr_units] = (struct unit){ .die = at + header };
		r = add_ranges(d, &d->units, &die, d->nr_units++);
	}
	sort(&d->units);
	return r;
}

/* Sections */

static const char *name_of_section(Elf *elf, size_t names, Elf_Scn *s, GElf_Shdr *ret)
{
	return gelf_getshdr(s, ret) ? elf_strptr(elf, names, ret->sh_name) : NULL;
}

/* Lines */

/* libelf's; what is compressed libdw has decompressed */
static const Elf_Data *line_section(const struct ddp_inlined *d)
{
	Elf_Scn *s = NULL;
	size_t names;

	if (elf_getshdrstrndx(d->elf, &names))
		return NULL;
	while ((s = elf_nextscn(d->elf, s))) {
		GElf_Shdr h;
		const char *name = name_of_section(d->elf, names, s, &h);

		if (name && !strcmp(name, ".debug_line"))
			return elf_getdata(s, NULL);
	}
	return NULL;
}

/* Of the unit's line program, as its head says; UINT64_MAX: not known */
static uint64_t line_program_bytes(const struct ddp_inlined *d, Dwarf_Die *unit)
{
	const Elf_Data *lines = line_section(d);
	Dwarf_Attribute attribute;
	Dwarf_Word at;
	uint32_t n;
	uint64_t n64;

	if (!lines || dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attribute), &at) ||
	    lines->d_size < sizeof(n) || at > lines->d_size - sizeof(n))
		return UINT64_MAX;
	memcpy(&n, (const char *)lines->d_buf + at, sizeof(n));
	if (n != UINT32_MAX)
		return n;
	at += sizeof(n);
	if (lines->d_size < sizeof(n64) || at > lines->d_size - sizeof(n64))
		return UINT64_MAX;
	memcpy(&n64, (const char *)lines->d_buf + at, sizeof(n64));
	return n64;
}

/* Whether libdw may be asked for what is in the unit's line program: lines and names of files */
static bool has_lines(struct ddp_inlined *d, struct unit *u)
{
	uint64_t bytes;
	Dwarf_Die die;

	if (u->counted || d->trusted)
		return !u->without_lines;
	u->counted = true;
	bytes = dwarf_offdie(d->dwarf, u->die, &die) ? line_program_bytes(d, &die) : UINT64_MAX;
	u->without_lines = bytes > MAX_LINE_BYTES - d->line_bytes;
	d->line_bytes += u->without_lines ? 0 : bytes;
	return !u->without_lines;
}

/* One address */

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name,
					      DW_AT_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = dwarf_formstring(
			dwarf_attr_integrate(die, names[i], &attribute));

		if (name && name[0])
			return name;
	}
	return NULL;
}

static uint32_t number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &attribute), &value) ? 0 : (uint32_t)value;
}

/* The child, of those that can have inlined functions in them, that has @address */
static bool descend(struct ddp_inlined *d, Dwarf_Die *die, uint64_t address)
{
	Dwarf_Die child = *die;

	for (bool have = step(d, dwarf_child, &child); have;
	     have = step(d, dwarf_siblingof, &child)) {
		int tag = dwarf_tag(&child);

		if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) &&
		    dwarf_haspc(&child, address) > 0) {
			*die = child;
			return true;
		}
	}
	return false;
}

/* Outermost first, with the line of the call in the one before it. @return how many */
static size_t functions_at(struct ddp_inlined *d, struct unit *u, Dwarf_Die *die,
			   uint64_t address, struct ddp_inlined_function *ret)
{
	bool lines = has_lines(d, u);
	size_t nr = 0;

	for (int depth = 0; depth < MAX_DEPTH && nr < DDP_MAX_INLINED; depth++) {
		if (dwarf_tag(die) != DW_TAG_lexical_block) {
			struct ddp_inlined_function f = { .name = name_of(die) };
			int line;

			f.file = lines ? dwarf_decl_file(die) : NULL;
			f.start_line = dwarf_decl_line(die, &line) || line < 0 ? 0 : (uint32_t)line;
			if (nr)
				ret[nr - 1].line = number(die, DW_AT_call_line);
			/* the frame is there, whatever it is called */
			f.name = f.name ? f.name : "[inlined]";
			ret[nr++] = f;
		}
		if (!descend(d, die, address))
			break;
	}
	return nr;
}

static void reverse(struct ddp_inlined_function *f, size_t nr)
{
	for (size_t i = 0; i < nr / 2; i++) {
		struct ddp_inlined_function other = f[i];

		f[i] = f[nr - 1 - i];
		f[nr - 1 - i] = other;
	}
}

static uint32_t line_at(struct ddp_inlined *d, struct unit *u, uint64_t address)
{
	Dwarf_Line *found;
	Dwarf_Die die;
	int line;

	if (!has_lines(d, u) || !dwarf_offdie(d->dwarf, u->die, &die))
		return 0;
	found = dwarf_getsrc_die(&die, address);
	return found && !dwarf_lineno(found, &line) && line > 0 ? (uint32_t)line : 0;
}

static bool to_address(const struct ddp_inlined *d, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < d->nr_segments; i++) {
		const struct segment *s = &d->segments[i];

		if (offset - s->offset < s->bytes) {
			*ret = offset - s->offset + s->address;
			return true;
		}
	}
	return false;
}

static size_t look_up(struct ddp_inlined *d, uint64_t address, struct ddp_inlined_function *ret)
{
	const struct range *in_unit, *in_function;
	struct unit *u;
	Dwarf_Die die;
	size_t nr;

	in_unit = find(&d->units, address);
	if (!in_unit)
		return 0;
	u = &d->unit[in_unit->die];
	if (!u->listed && list_functions(d, u))
		return 0;
	in_function = find(&u->functions, address);
	if (!in_function || !dwarf_offdie(d->dwarf, in_function->die, &die) || !name_of(&die))
		return 0;
	nr = functions_at(d, u, &die, address, ret);
	if (nr)
		ret[nr - 1].line = line_at(d, u, address);
	reverse(ret, nr);
	return nr;
}

size_t ddp_inlined_at(struct ddp_inlined *d, uint64_t file_offset,
		      struct ddp_inlined_function ret[DDP_MAX_INLINED])
{
	uint64_t address;
	size_t nr;

	if (d->worked_ms > MAX_WORK_MS || !to_address(d, file_offset, &address))
		return 0;
	d->since_ms = now_ms();
	nr = look_up(d, address, ret);
	d->worked_ms += now_ms() - d->since_ms;
	return nr;
}

uint64_t ddp_inlined_bytes(const struct ddp_inlined *d)
{
	return d->bytes;
}

/* Files */

static int read_segments(struct ddp_inlined *d, int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	GElf_Phdr ph;
	size_t n = 0;

	if (elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &n))
		n = 0;
	if (n && n <= MAX_PROGRAM_HEADERS)
		d->segments = calloc(n, sizeof(*d->segments));
	for (size_t i = 0; d->segments && i < n; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && ph.p_flags & PF_X)
			d->segments[d->nr_segments++] =
				(struct segment){ ph.p_offset, ph.p_filesz, ph.p_vaddr };
	elf_end(elf);
	return d->nr_segments ? 0 : -ENOEXEC;
}

/* Of all debug sections, uncompressed. @return 0; -ENOENT, -EFBIG */
static int check_sections(Elf *elf, bool trusted, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	bool found = false, lines = false, unusable = false;
	Elf_Scn *s = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return -ENOEXEC;
	while ((s = elf_nextscn(elf, s))) {
		GElf_Shdr h;
		GElf_Chdr c;
		const char *name = name_of_section(elf, names, s, &h);

		/* a reference to another file, and a form of compression that tells no size; the
		 * distribution's own refer to what is installed with them */
		unusable |= name && !trusted && (!strcmp(name, ".gnu_debugaltlink") ||
				     !strncmp(name, ".zdebug_", 8) ||
				     !strncmp(name, ".gnu.debuglto_", 14));
		/* which of two libdw takes is its affair: the one that is measured has to be it */
		unusable |= name && !strcmp(name, ".debug_line") && lines;
		lines |= name && !strcmp(name, ".debug_line");
		if (!name || strncmp(name, ".debug_", 7) || h.sh_type == SHT_NOBITS)
			continue;
		found |= !strcmp(name, ".debug_info");
		if (h.sh_flags & SHF_COMPRESSED && gelf_getchdr(s, &c))
			h.sh_size = c.ch_size;
		if (h.sh_size > DDP_MAX_DEBUG_BYTES - bytes)
			return -EFBIG;
		bytes += h.sh_size;
	}
	*ret_bytes = bytes;
	return !found ? -ENOENT : unusable ? -ENOEXEC : 0;
}

/* Of this machine's byte order, in which lengths are read here */
static bool is_native(Elf *elf)
{
	const int native = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	const char *ident = elf_getident(elf, NULL);

	return ident && ident[EI_DATA] == native;
}

/* Takes @fd. @param trusted  of the distribution, and not of whoever made a program */
static int open_debug(struct ddp_inlined *d, int fd, bool trusted)
{
	int r;

	if (fd < 0)
		return -errno;
	d->fd = fd;
	d->trusted = trusted;
	/* read and not mapped: who can write the file could cut it short */
	d->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf_kind(d->elf) != ELF_K_ELF || !is_native(d->elf))
		return -ENOEXEC;
	r = check_sections(d->elf, trusted, &d->bytes);
	if (r)
		return r;
	d->dwarf = dwarf_begin_elf(d->elf, DWARF_C_READ, NULL);
	return d->dwarf ? 0 : -ENOEXEC;
}

static void close_debug(struct ddp_inlined *d)
{
	dwarf_end(d->dwarf);
	elf_end(d->elf);
	close_fd(d->fd);
	d->dwarf = NULL;
	d->elf = NULL;
	d->fd = -1;
}

/* Where distributions put what was stripped from programs */
static int open_installed(struct ddp_inlined *d, const char *build_id)
{
	char path[256];
	size_t len = build_id ? strlen(build_id) : 0;

	if (len < 4 || len > 128 || strspn(build_id, "0123456789abcdef") != len)
		return -ENOENT;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", build_id,
		 build_id + 2);
	return open_debug(d, open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), true);
}

int ddp_inlined_open(int fd, const char *build_id, struct ddp_inlined **ret)
{
	CLEANUP(ddp_inlined_close) struct ddp_inlined *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->fd = -1;
	d->since_ms = now_ms();
	elf_version(EV_CURRENT);
	r = read_segments(d, fd);
	if (r)
		return r;
	r = open_debug(d, fcntl(fd, F_DUPFD_CLOEXEC, 3), false);
	if (r == -ENOENT) {
		close_debug(d);
		r = open_installed(d, build_id);
	}
	r = r ?: list_units(d);
	if (r)
		return r;
	*ret = TAKE(d);
	return 0;
}

void ddp_inlined_close(struct ddp_inlined *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nr_units; i++)
		free(d->unit[i].functions.at);
	free(d->unit);
	free(d->units.at);
	free(d->segments);
	close_debug(d);
	free(d);
}
