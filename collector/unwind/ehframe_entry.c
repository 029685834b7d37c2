// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_entry.h. An entry is length, id, body. In .eh_frame the id is 0 for a CIE and else
 * how far back the FDE's CIE lies; in .debug_frame it is all ones for a CIE and else the CIE's
 * position. A section is read twice, CIEs first: an FDE may come before its CIE.
 */
#include "unwind/ehframe_entry.h"

#include "base/array.h"

enum { DIGIT_BITS = 11 };	/* of sorting: 26 bits of a large program are three rounds */

struct entry {
	uint64_t at;		/* position of its length */
	uint64_t cie_at;	/* of an FDE: its CIE's position */
	bool is_cie;
	struct cursor body;	/* behind the id */
};

struct reader {
	struct cfi_entries *e;
	const struct ddp_cfi_section *section;
	bool is_debug;
	const struct ddp_cfi_input *in;
	struct ddp_cfi_counts *counts;
	size_t first_cie;	/* of this section */
	size_t last_cie;	/* that the previous FDE used */
};

/* Entries */

static int read_id(struct entry *e, bool is_debug, bool long_form)
{
	uint64_t field = cursor_at(&e->body), id;
	/* LSB: 4 bytes in .eh_frame whatever the length is written in */
	bool long_id = is_debug && long_form;
	int r = cursor_fixed(&e->body, long_id ? 8 : 4, &id);

	if (r)
		return r;
	e->is_cie = id == (!is_debug ? 0 : long_id ? UINT64_MAX : UINT32_MAX);
	e->cie_at = is_debug ? id : field - id;
	return 0;
}

/**
 * The next entry of a section.
 * @return 0; -ENOENT at the end; -EBADMSG when nothing more can be read; -EAGAIN for one without
 *	content: a terminator in the middle, left by linkers, or one too short for its id
 */
static int next_entry(struct cursor *c, bool is_debug, bool open_ended, struct entry *ret)
{
	uint64_t first, length;
	int r;

	ret->at = cursor_at(c);
	if (!cursor_left(c))
		return -ENOENT;
	r = cursor_fixed(c, 4, &first);
	length = first;
	if (!r && first == UINT32_MAX)
		r = cursor_fixed(c, 8, &length);
	if (!r && !length)
		return open_ended ? -ENOENT : -EAGAIN;
	r = r ?: cursor_slice(c, length, &ret->body);
	if (r)
		return r;
	return read_id(ret, is_debug, first == UINT32_MAX) ? -EAGAIN : 0;
}

/* CIEs */

static int personality(const struct cfi_cie *cie, struct cursor *c)
{
	uint8_t encoding;
	uint64_t ignored;
	int r = cursor_u8(c, &encoding);

	if (r || encoding == CFI_PE_OMIT)
		return r;
	return cfi_pointer(c, encoding, &cie->bases, &ignored);
}

/*
 * What the letters behind 'z' stand for. An unknown one ends what can be known; the length of the
 * data leads past it.
 */
static int augmentation_data(struct cfi_cie *cie, const char *letters, struct cursor *c)
{
	uint8_t ignored;
	int r = 0;

	for (; !r && *letters; letters++) {
		switch (*letters) {
		case 'R':
			r = cursor_u8(c, &cie->encoding);
			break;
		case 'P':
			r = personality(cie, c);
			break;
		case 'L':
			r = cursor_u8(c, &ignored);
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B':
			break;
		default:
			return 0;
		}
	}
	return r;
}

/* A string with its NUL inside the entry */
static int read_string(struct cursor *c, const char **ret)
{
	const uint8_t *nul = memchr(c->pos, 0, cursor_left(c));

	if (!nul)
		return -EBADMSG;
	*ret = (const char *)c->pos;
	c->pos = nul + 1;
	return 0;
}

static int read_header(struct cursor *c, struct cfi_cie *cie, const char **ret_letters)
{
	uint8_t version, address_bytes = 8, selector_bytes = 0;
	uint64_t ra, ignored;
	int r = cursor_u8(c, &version);

	if (r || (version != 1 && version != 3 && version != 4))
		return -EBADMSG;
	r = read_string(c, ret_letters);
	if (!r && !strncmp(*ret_letters, "eh", 2)) {
		r = cursor_fixed(c, 8, &ignored);	/* of GCC 2: a pointer to its own data */
		*ret_letters += 2;
	}
	if (!r && version == 4) {
		r = cursor_u8(c, &address_bytes);
		r = r ?: cursor_u8(c, &selector_bytes);
	}
	if (r || address_bytes != 8 || selector_bytes)
		return -EBADMSG;
	r = cursor_varint(c, &cie->code_align);
	r = r ?: cursor_sleb(c, &cie->data_align);
	r = r ?: version == 1 ? cursor_u8(c, &cie->ra) : cursor_varint(c, &ra);
	if (r || version == 1)
		return r;
	cie->ra = ra < UINT8_MAX ? (uint8_t)ra : UINT8_MAX;	/* no column that anybody has */
	return 0;
}

static int read_augmentation(struct cfi_cie *cie, const char *letters, struct cursor *c)
{
	struct cursor data;
	uint64_t n;
	int r;

	cie->sized = *letters == 'z';
	if (!*letters)
		return 0;
	if (!cie->sized)
		return -EBADMSG;
	r = cursor_varint(c, &n);
	r = r ?: cursor_slice(c, n, &data);
	r = r ?: augmentation_data(cie, letters + 1, &data);
	/* addresses of functions are not behind pointers that only a running program has */
	if (!r && (cie->encoding == CFI_PE_OMIT || cie->encoding & CFI_PE_INDIRECT))
		return -EBADMSG;
	return r;
}

static int read_cie(struct cfi_cie *cie, struct cursor c)
{
	struct cfi_program p;
	const char *letters;
	int r = read_header(&c, cie, &letters);

	r = r ?: read_augmentation(cie, letters, &c);
	if (r)
		return r;
	cfi_program_init(&p, cie, c, 0, 0);
	cfi_program_step(&p);
	if (p.fault >= 0)
		return -EBADMSG;
	cie->initial = p.state;
	return 0;
}

static int add_cie(struct reader *rd, const struct entry *entry)
{
	struct cfi_entries *e = rd->e;
	struct cfi_cie *more, *cie;

	if (e->nr_cies == CFI_MAX_CIES)
		return -EFBIG;
	more = array_reserve(e->cies, &e->cap_cies, e->nr_cies + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->cies = more;
	cie = &more[e->nr_cies++];
	*cie = (struct cfi_cie){
		.section = rd->section, .at = entry->at,
		.bases = { rd->section->address, rd->in->text, rd->in->data, 0 },
	};
	cie->usable = !read_cie(cie, entry->body);
	return 0;
}

/* CIEs of a section are sorted by position; most often it is the one of the FDE before */
static struct cfi_cie *find_cie(struct reader *rd, uint64_t at)
{
	struct cfi_cie *cies = rd->e->cies;
	size_t low = rd->first_cie, high = rd->e->nr_cies;

	if (rd->last_cie < high && cies[rd->last_cie].at == at)
		return &cies[rd->last_cie];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cies[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == rd->e->nr_cies || cies[low].at != at)
		return NULL;
	rd->last_cie = low;
	return &cies[low];
}

/* FDEs */

bool cfi_to_offset(const struct ddp_cfi_input *in, uint64_t address, uint64_t *ret,
		   uint64_t *ret_left)
{
	for (size_t i = 0; i < in->nr_segments; i++) {
		const struct ddp_cfi_segment *s = &in->segments[i];

		if (address - s->address < s->nr) {
			*ret = address - s->address + s->offset;
			*ret_left = s->nr - (address - s->address);
			return true;
		}
	}
	return false;
}

/* Its addresses, and the instructions behind what the augmentation added */
static int read_fde(const struct cfi_cie *cie, struct cursor *c, uint64_t *ret_address,
		    uint64_t *ret_nr)
{
	struct cfi_bases none = { 0 };
	uint64_t n;
	int r = cfi_pointer(c, cie->encoding, &cie->bases, ret_address);

	r = r ?: cfi_pointer(c, cie->encoding & CFI_PE_FORMAT, &none, ret_nr);
	if (r || !cie->sized)
		return r;
	r = cursor_varint(c, &n);
	return r ?: cursor_skip(c, n);
}

int cfi_entries_add_fde(struct cfi_entries *e, const struct cfi_fde *fde)
{
	struct cfi_fde *more;

	if (e->nr_fdes == CFI_MAX_FDES)
		return -EFBIG;
	more = array_reserve(e->fdes, &e->cap_fdes, e->nr_fdes + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->fdes = more;
	more[e->nr_fdes++] = *fde;
	return 0;
}

/* Functions that the linker threw away are left behind at address 0 */
static int add_fde(struct reader *rd, const struct entry *entry)
{
	struct cfi_cie *cie = find_cie(rd, entry->cie_at);
	struct cursor c = entry->body;
	uint64_t address, nr, left;
	struct cfi_fde fde;

	if (!cie || !cie->usable) {
		rd->counts->by_reason[DDP_CFI_CIE]++;
		return 0;
	}
	if (read_fde(cie, &c, &address, &nr)) {
		rd->counts->by_reason[DDP_CFI_ENTRY]++;
		return 0;
	}
	rd->counts->entries++;
	if (!nr)
		return 0;
	if (!address || !cfi_to_offset(rd->in, address, &fde.offset, &left)) {
		rd->counts->by_reason[DDP_CFI_OUTSIDE]++;
		return 0;
	}
	if (nr > left)
		nr = left;
	fde.address = address;
	fde.nr = nr < UINT32_MAX ? (uint32_t)nr : UINT32_MAX;
	fde.cie = (uint32_t)(cie - rd->e->cies);
	fde.program = (uint32_t)cursor_at(&c);
	fde.program_bytes = (uint32_t)cursor_left(&c);
	return cfi_entries_add_fde(rd->e, &fde);
}

static int add_all(struct reader *rd, bool cies)
{
	struct cursor c = cursor_over(rd->section->bytes, rd->section->nr);
	struct entry entry;
	int r;

	for (;;) {
		r = next_entry(&c, rd->is_debug, rd->section->open_ended, &entry);
		if (!r && entry.is_cie == cies)
			r = cies ? add_cie(rd, &entry) : add_fde(rd, &entry);
		if (r == -ENOENT)
			return 0;
		if (r == -EBADMSG) {
			rd->counts->by_reason[DDP_CFI_ENTRY] += !cies;
			return 0;
		}
		if (r && r != -EAGAIN)
			return r;
	}
}

int cfi_entries_add(struct cfi_entries *e, const struct ddp_cfi_section *s, bool is_debug,
		    const struct ddp_cfi_input *in, struct ddp_cfi_counts *counts)
{
	struct reader rd = {
		.e = e, .section = s, .is_debug = is_debug, .in = in, .counts = counts,
		.first_cie = e->nr_cies, .last_cie = e->nr_cies,
	};
	int r;

	if (s->nr > CFI_MAX_SECTION)
		return -EFBIG;
	r = add_all(&rd, true);
	return r ?: add_all(&rd, false);
}

/* Sorting */

/* One digit of the offsets; what has the same stays in its order */
static void sort_by_digit(const struct cfi_fde *from, size_t nr, unsigned int shift,
			  struct cfi_fde *to)
{
	enum { DIGITS = 1 << DIGIT_BITS };
	size_t at[DIGITS] = { 0 }, sum = 0;

	for (size_t i = 0; i < nr; i++)
		at[from[i].offset >> shift & (DIGITS - 1)]++;
	for (size_t i = 0; i < DIGITS; i++) {
		size_t n = at[i];

		at[i] = sum;
		sum += n;
	}
	for (size_t i = 0; i < nr; i++)
		to[at[from[i].offset >> shift & (DIGITS - 1)]++] = from[i];
}

static int sort(struct cfi_fde *fdes, size_t nr, uint64_t max)
{
	CLEANUP(free) struct cfi_fde *other = calloc(nr, sizeof(*other));
	struct cfi_fde *from = fdes, *to = other, *swap;

	if (!other)
		return -ENOMEM;
	for (unsigned int shift = 0; shift < 64 && max >> shift; shift += DIGIT_BITS) {
		sort_by_digit(from, nr, shift, to);
		swap = from;
		from = to;
		to = swap;
	}
	if (from != fdes)
		memcpy(fdes, from, nr * sizeof(*fdes));
	return 0;
}

/* Linkers write them in order but for what they move to sections of its own: cold, startup, hot */
int cfi_entries_sort(struct cfi_entries *e, size_t first)
{
	bool sorted = true;
	uint64_t max = 0;

	for (size_t i = first; i < e->nr_fdes; i++) {
		sorted &= e->fdes[i].offset >= max;
		if (e->fdes[i].offset > max)
			max = e->fdes[i].offset;
	}
	return sorted ? 0 : sort(e->fdes + first, e->nr_fdes - first, max);
}

void cfi_entries_deinit(struct cfi_entries *e)
{
	free(e->cies);
	free(e->fdes);
}
