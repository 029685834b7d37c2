// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_gaps.h. A row simply holds on through padding: nothing there is run or returned to
 * (the return address behind a call at a function's end is looked up as the byte before it), so
 * that the two rows that a function's end would cost are saved.
 */
#include "unwind/ehframe_gaps.h"

#include <errno.h>
#include <string.h>

#include "unwind/ehframe_entry.h"
#include "unwind/ehframe_known.h"

enum {
	ALIGNMENT = 16,		/* of functions, when nothing else is known */
	MAX_PADDING = 64,	/* the largest alignment that is common, a cache line */
	ENTRY_BYTES = 64,	/* of _start; it is 20 to 46 bytes of assembly */
	PLT_BYTES = 16,		/* of an entry */
	/* of one table, a million functions; a larger one is a hole that takes hours to read */
	MAX_PLT = 16 << 20,
	MIN_KNOWN = 7,		/* bytes of the shortest code that ehframe_known finds */
};

static int add(struct cfi_gaps *g, uint64_t offset, uint32_t rule)
{
	int r = cfi_rows_add(g->rows, offset, rule);

	return r < 0 ? r : 0;
}

static int add_rule(struct cfi_gaps *g, uint64_t offset, const struct ddprof_unwind_rule *rule)
{
	uint32_t i;
	int r = cfi_rows_rule(g->rows, rule, &i);

	if (r == -ENOSPC) {
		i = CFI_RULE_UNKNOWN;
		r = 0;
	}
	return r ?: add(g, offset, i);
}

static bool read_code(const struct ddp_cfi_input *in, uint64_t offset, void *to, size_t nr)
{
	return in->read && !in->read(in->ctx, offset, to, nr);
}

/* Padding */

/* Length of a nop with a memory operand, 0f 1f /0, whose operand byte is at @p; 0: not that */
static size_t nop_operand(const uint8_t *p, size_t nr)
{
	size_t bytes;

	if (!nr || p[0] & 0x38)
		return 0;
	bytes = 1 + ((p[0] & 7) == 4);	/* SIB */
	bytes += p[0] >> 6 == 1 ? 1 : p[0] >> 6 == 2 ? 4 : 0;
	return bytes <= nr ? bytes : 0;
}

/* Length of one filler instruction at @p: nop of any size, int3, ud2, zeros; 0: something else */
static size_t filler(const uint8_t *p, size_t nr)
{
	size_t prefixes = 0, operand;

	while (prefixes < nr && (p[prefixes] == 0x66 || p[prefixes] == 0x2e))
		prefixes++;
	if (prefixes == nr)
		return 0;
	if (p[prefixes] == 0x90)
		return prefixes + 1;
	if (!prefixes && (p[0] == 0xcc || p[0] == 0x00))
		return 1;
	if (nr - prefixes < 2 || p[prefixes] != 0x0f)
		return 0;
	if (p[prefixes + 1] == 0x0b)
		return prefixes + 2;
	if (p[prefixes + 1] != 0x1f)
		return 0;
	operand = nop_operand(p + prefixes + 2, nr - prefixes - 2);
	return operand ? prefixes + 2 + operand : 0;
}

static bool is_filler(const uint8_t *p, size_t nr)
{
	size_t bytes;

	for (; nr; p += bytes, nr -= bytes) {
		bytes = filler(p, nr);
		if (!bytes)
			return false;
	}
	return true;
}

/*
 * Up to the next aligned function there is no room for another, but for one of a system call. More
 * than that is looked at. To look costs a page of the file each time, which nobody else may need.
 */
static bool is_padding(const struct cfi_gaps *g, uint64_t start, uint64_t end)
{
	uint8_t bytes[MAX_PADDING];
	uint64_t nr = end - start;
	bool no_room;

	if (nr > MAX_PADDING || (g->next < g->nr && g->pieces[g->next].offset < end))
		return false;
	no_room = nr < ALIGNMENT && !(end % ALIGNMENT);
	if (no_room && (nr < MIN_KNOWN || g->in->needs_libraries))
		return true;
	if (!read_code(g->in, start, bytes, nr))
		return no_room;
	return is_filler(bytes, nr) || (no_room && !memmem(bytes, nr, "\x0f\x05", 2));
}

/* Code that nobody describes */

static int add_known(void *ctx, const struct cfi_known *known)
{
	struct cfi_gaps *g = ctx;
	int r = add_rule(g, known->offset, &(struct ddprof_unwind_rule){ .kind = known->kind });

	return r ?: add(g, known->offset + known->nr, CFI_RULE_NONE);
}
static int fill_unknown(struct cfi_gaps *g, uint64_t start, uint64_t end)
{
	int r = start < end ? add(g, start, CFI_RULE_NONE) : 0;

	for (size_t i = 0; !r && i < g->in->nr_segments; i++) {
		const struct ddp_cfi_segment *s = &g->in->segments[i];
		uint64_t low = s->offset > start ? s->offset : start;
		uint64_t high = s->offset + s->nr < end ? s->offset + s->nr : end;

		if (low >= high)
			continue;
		r = cfi_known_search(g->in, CFI_KNOWN_C, low, high, &g->searched, add_known, g);
		start = high;	/* segments of a damaged file may overlap */
	}
	return r;
}

/* Procedure linkage tables */

static bool has(const uint8_t *entry, size_t at, const char *bytes, size_t nr)
{
	return !memcmp(entry + at, bytes, nr);
}

/*
 * The rules of an entry are those that GNU ld writes where it does write CFI. A lazy one pushes the
 * number of its function, and jumps to the first entry, which pushes once more: its own two
 * forms are told apart by their first instruction.
 */
static struct ddprof_unwind_rule plt_rule(const uint8_t *entry)
{
	struct ddprof_unwind_rule rule = {
		.kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8,
	};
	bool after_jump, after_endbr;

	if (!entry)
		return rule;
	after_jump = has(entry, 0, "\xff\x25", 2) && entry[6] == 0x68;
	after_endbr = has(entry, 0, "\xf3\x0f\x1e\xfa\x68", 5);
	if (after_jump || after_endbr) {
		rule.kind = DDPROF_UNWIND_PLT;
		rule.add = after_jump ? 11 : 9;
	} else if (has(entry, 0, "\xff\x35", 2)) {
		rule.kind = DDPROF_UNWIND_PLT;
		rule.offset = 16;
		rule.add = 6;
	}
	return rule;
}

static int fill_plt(struct cfi_gaps *g, const struct cfi_piece *piece, uint64_t start, uint64_t end)
{
	uint8_t bytes[PLT_BYTES];
	int r = 0;

	for (uint64_t at = start; !r && at < end; at += PLT_BYTES - at % PLT_BYTES) {
		/* (pc & 15) of a PLT rule is counted in aligned entries */
		uint64_t entry = at - at % PLT_BYTES;
		bool known = entry >= piece->offset &&
			     entry + PLT_BYTES <= piece->offset + piece->nr &&
			     read_code(g->in, entry, bytes, sizeof(bytes));
		struct ddprof_unwind_rule rule = plt_rule(known ? bytes : NULL);

		r = add_rule(g, at, &rule);
	}
	return r;
}

/*
 * .init and .fini, which the linker puts together from pieces of the C library: a frame of 8 bytes
 * around calls, [endbr64;] sub $8, %rsp; ...; add $8, %rsp; ret.
 */

static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
static const uint8_t frame_begin[4] = { 0x48, 0x83, 0xec, 0x08 };
static const uint8_t frame_end[5] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 };

/* Bytes up to the frame; 0: it is something else */
static size_t init_frame(const struct ddp_cfi_input *in, uint64_t offset, uint64_t nr)
{
	uint8_t begin[sizeof(endbr64) + sizeof(frame_begin)], end[sizeof(frame_end)];
	size_t at = 0;

	if (nr < sizeof(begin) + sizeof(end) - sizeof(endbr64) ||
	    !read_code(in, offset, begin, sizeof(begin)) ||
	    !read_code(in, offset + nr - sizeof(end), end, sizeof(end)) ||
	    memcmp(end, frame_end, sizeof(end)))
		return 0;
	if (!memcmp(begin, endbr64, sizeof(endbr64)))
		at = sizeof(endbr64);
	if (memcmp(begin + at, frame_begin, sizeof(frame_begin)))
		return 0;
	return at + sizeof(frame_begin);
}

static int fill_init(struct cfi_gaps *g, uint64_t start, uint64_t end)
{
	struct ddprof_unwind_rule rule = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8 };
	size_t before = init_frame(g->in, start, end - start);
	int r;

	if (!before)
		return fill_unknown(g, start, end);
	r = add_rule(g, start, &rule);
	rule.offset = 16;
	r = r ?: add_rule(g, start + before, &rule);
	rule.offset = 8;
	return r ?: add_rule(g, end - 1, &rule);
}

static int fill_piece(struct cfi_gaps *g, const struct cfi_piece *piece, uint64_t start,
		      uint64_t end)
{
	if (piece->kind == CFI_PIECE_PLT)
		return fill_plt(g, piece, start, end);
	if (piece->kind == CFI_PIECE_INIT)
		return fill_init(g, start, end);
	return add_rule(g, start, &(struct ddprof_unwind_rule){ .kind = DDPROF_UNWIND_STOP });
}

/* All */

int cfi_gaps_fill(struct cfi_gaps *g, uint64_t start, uint64_t end)
{
	int r = 0;

	while (g->next < g->nr && g->pieces[g->next].offset + g->pieces[g->next].nr <= start)
		g->next++;
	if (start >= end || is_padding(g, start, end))
		return 0;
	while (!r && g->next < g->nr && g->pieces[g->next].offset < end) {
		const struct cfi_piece *piece = &g->pieces[g->next];
		uint64_t high = piece->offset + piece->nr;
		uint64_t from = piece->offset > start ? piece->offset : start;
		uint64_t to = high < end ? high : end;

		/* what is left behind an FDE: more PLT, but not more of others that have one */
		if (from < to && (piece->kind == CFI_PIECE_PLT || from == piece->offset)) {
			r = fill_unknown(g, start, from);
			r = r ?: fill_piece(g, piece, from, to);
			start = to;
		}
		if (high > end)
			break;
		g->next++;
	}
	return r ?: fill_unknown(g, start, end);
}

static void add_piece(struct cfi_gaps *g, uint64_t address, uint64_t nr,
		      enum cfi_piece_kind kind)
{
	uint64_t offset, left;

	if (!cfi_to_offset(g->in, address, &offset, &left))
		return;
	if (nr > left)
		nr = left;
	if (kind == CFI_PIECE_PLT && nr > MAX_PLT)
		return;
	g->pieces[g->nr++] = (struct cfi_piece){ offset, nr, (uint8_t)kind };
}

static int by_offset(const void *a, const void *b)
{
	const struct cfi_piece *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int cfi_gaps_init(struct cfi_gaps *g, const struct ddp_cfi_input *in, struct cfi_rows *rows)
{
	*g = (struct cfi_gaps){ .in = in, .rows = rows };
	g->pieces = calloc(in->nr_stubs + 1, sizeof(*g->pieces));
	if (!g->pieces)
		return -ENOMEM;
	for (size_t i = 0; i < in->nr_stubs; i++)
		add_piece(g, in->stubs[i].address, in->stubs[i].nr,
			  in->stubs[i].kind == DDP_CFI_STUB_PLT ? CFI_PIECE_PLT : CFI_PIECE_INIT);
	if (in->entry)
		add_piece(g, in->entry, ENTRY_BYTES, CFI_PIECE_ENTRY);
	qsort(g->pieces, g->nr, sizeof(*g->pieces), by_offset);
	return 0;
}

void cfi_gaps_deinit(struct cfi_gaps *g)
{
	free(g->pieces);
}
