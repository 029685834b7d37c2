// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/ehframe on sections put together by hand: every instruction, encoding and
 * augmentation as a row of a table, then how entries lie beside each other, code that nobody
 * describes, and damage of all kinds. Tables are written out as text: "0 rsp+8, 1 rsp+16 bp=cfa-16,
 * 40 none" (offsets in hex, from the code's first byte on).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ehframe.h"
#include "lib/cleanup.h"

enum {
	CODE = 0x401000, CODE_OFFSET = 0x1000, CODE_BYTES = 0x1000,	/* the one segment */
	SECTION = 0x500000,						/* address of .eh_frame */
	FDE_BYTES = 0x40,						/* of code, unless said */
};

/* Bytes in the making */

struct bytes {
	uint8_t b[4096];
	size_t nr;
};

static void put(struct bytes *s, const void *from, size_t nr)
{
	assert_true(nr <= sizeof(s->b) - s->nr);
	memcpy(s->b + s->nr, from, nr);
	s->nr += nr;
}

static void put_number(struct bytes *s, uint64_t v, size_t nr)
{
	put(s, &v, nr);
}

/* An initial length; end_entry() fills it in */
static size_t begin_entry(struct bytes *s, bool long_form)
{
	if (long_form)
		put_number(s, UINT32_MAX, 4);
	put_number(s, 0, long_form ? 8 : 4);
	return s->nr;
}

static void end_entry(struct bytes *s, size_t begin, bool long_form)
{
	uint64_t nr;

	while ((s->nr - begin) % 4)
		put_number(s, 0, 1);	/* DW_CFA_nop */
	nr = s->nr - begin;
	memcpy(s->b + begin - (long_form ? 8 : 4), &nr, long_form ? 8 : 4);
}

/* What a string literal holds, NULs and all */
struct code {
	const char *bytes;
	size_t nr;
};
#define CODE_OF(literal) { literal, sizeof(literal) - 1 }

/* cfa = rsp + 8, return address at cfa - 8 */
#define USUAL "\x0c\x07\x08\x90\x01"

struct cie {
	uint8_t version;
	const char *letters;	/* augmentation */
	struct code data;	/* of the augmentation, with its length */
	struct code initial;
};

static const struct cie usual_cie = { 1, "zR", CODE_OF("\x01\x1b"), CODE_OF(USUAL) };

/* Version 1 has the column of the return address in a byte, which looks like a small LEB128 */
static size_t put_cie(struct bytes *s, const struct cie *cie, bool is_debug, bool long_form)
{
	size_t at = s->nr, begin = begin_entry(s, long_form);

	put_number(s, is_debug ? UINT64_MAX : 0, is_debug && long_form ? 8 : 4);
	put_number(s, cie->version, 1);
	put(s, cie->letters, strlen(cie->letters) + 1);
	if (!strncmp(cie->letters, "eh", 2))
		put_number(s, 0x1234, 8);
	if (cie->version == 4)
		put_number(s, 0x0008, 2);	/* address size, selector size */
	put(s, "\x01\x78\x10", 3);	/* code 1, data -8, return address in column 16 */
	put(s, cie->data.bytes, cie->data.nr);
	put(s, cie->initial.bytes, cie->initial.nr);
	end_entry(s, begin, long_form);
	return at;
}

/* With addresses as usual_cie has them */
static void put_fde(struct bytes *s, size_t cie, uint64_t address, uint32_t nr, struct code program)
{
	size_t begin = begin_entry(s, false);

	put_number(s, begin - cie, 4);
	put_number(s, address ? address - (SECTION + s->nr) : 0, 4);
	put_number(s, nr, 4);
	put_number(s, 0, 1);	/* no augmentation data */
	put(s, program.bytes, program.nr);
	end_entry(s, begin, false);
}

/* .debug_frame: absolute */
static void put_debug_fde(struct bytes *s, size_t cie, uint64_t address, uint64_t nr,
			  struct code program)
{
	size_t begin = begin_entry(s, false);

	put_number(s, cie, 4);
	put_number(s, address, 8);
	put_number(s, nr, 8);
	put(s, program.bytes, program.nr);
	end_entry(s, begin, false);
}

/* Code of the segment, for those who look into gaps */
struct text {
	const uint8_t *bytes;
	size_t nr;
};

static int read_code(void *ctx, uint64_t offset, void *to, size_t nr)
{
	const struct text *t = ctx;

	assert_true(nr <= t->nr && offset >= CODE_OFFSET && offset - CODE_OFFSET <= t->nr - nr);
	memcpy(to, t->bytes + (offset - CODE_OFFSET), nr);
	return 0;
}

static const struct ddp_cfi_segment one_segment = { CODE, CODE_OFFSET, CODE_BYTES };

static struct ddp_cfi_input input_of(const struct bytes *eh_frame)
{
	return (struct ddp_cfi_input){
		.eh_frame = { .bytes = eh_frame->b, .nr = eh_frame->nr, .address = SECTION },
		.segments = &one_segment, .nr_segments = 1,
	};
}

/* A table as text */

static const char *const names[16] = {
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static int print_rule(char *to, size_t size, const struct ddprof_unwind_rule *u)
{
	static const char *const kinds[] = { "none", "stop", "", "", "", "signal", "unknown" };
	static const char *const bps[] = { "", " bp=cfa", " bp=bp", " bp=?" };
	int n;

	switch (u->kind) {
	case DDPROF_UNWIND_REG:
		n = snprintf(to, size, "%s%+d", names[u->base], u->offset);
		break;
	case DDPROF_UNWIND_DEREF:
		n = snprintf(to, size, "[%s%+d]%+d", names[u->base], u->offset, u->add);
		break;
	case DDPROF_UNWIND_PLT:
		n = snprintf(to, size, "plt %s%+d %d", names[u->base], u->offset, u->add);
		break;
	default:
		n = snprintf(to, size, "%s", kinds[u->kind]);
	}
	n += snprintf(to + n, size - (size_t)n, "%s", bps[u->bp]);
	if (u->bp == DDPROF_UNWIND_BP_CFA || u->bp == DDPROF_UNWIND_BP_BP)
		n += snprintf(to + n, size - (size_t)n, "%+d", u->bp_offset);
	return n;
}

static struct ddp_rows open_image(const void *image, size_t nr)
{
	const char *fault = "";
	struct ddp_rows t;

	if (ddp_rows_open(image, nr, &t, &fault) || ddp_rows_check(&t, 0, t.nr_pages, &fault))
		fail_msg("not a valid image: %s", fault);
	return t;
}

static uint64_t row_offset(const struct ddp_rows *t, uint32_t page, uint32_t i)
{
	uint64_t start = ((uint64_t)t->first_page + page) << t->page_shift;

	return (start & ~(uint64_t)0xffff) | t->rows[i] >> 16;
}

static void print_table(const void *image, size_t nr, char *to, size_t size)
{
	struct ddp_rows t = open_image(image, nr);

	*to = '\0';
	for (uint32_t page = 0; page < t.nr_pages; page++) {
		for (uint32_t i = t.pages[page]; i < t.pages[page + 1]; i++) {
			int n = snprintf(to, size, "%s%x ", i ? ", " : "",
					 (unsigned int)(row_offset(&t, page, i) - CODE_OFFSET));

			n += print_rule(to + n, size - (size_t)n, &t.rules[t.rows[i] & 0xffff]);
			to += n;
			size -= (size_t)n;
		}
	}
}

static void expect(const char *what, const struct ddp_cfi_input *in, const char *table,
		   struct ddp_cfi_counts *ret_counts)
{
	CLEANUP(free) void *image = NULL;
	char text[4096];
	size_t nr;

	assert_int_equal(ddp_cfi_table(in, &image, &nr, ret_counts), 0);
	print_table(image, nr, text, sizeof(text));
	if (strcmp(text, table))
		fail_msg("%s:\n is   %s\n not  %s", what, text, table);
}

/* Instructions */

#define PLT "\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"
#define END ", 40 none"

static const struct {
	const char *what;
	struct code program;
	const char *table;
} programs[] = {
	{ "nothing: as the CIE has it", CODE_OF(""), "0 rsp+8" END },
	{ "nops", CODE_OF("\0\0\0"), "0 rsp+8" END },
	{ "push, then pop",
	  CODE_OF("\x41\x0e\x10\x86\x02\x43\x0d\x06\x44\x0c\x07\x08\xc6"),
	  "0 rsp+8, 1 rsp+16 bp=cfa-16, 4 rbp+16 bp=cfa-16, 8 rsp+8" END },
	{ "advance_loc of 0 changes no place", CODE_OF("\x40\x0e\x10\x40"), "0 rsp+16" END },
	{ "advance_loc1", CODE_OF("\x02\x20\x0e\x10"), "0 rsp+8, 20 rsp+16" END },
	{ "advance_loc2", CODE_OF("\x03\x21\x00\x0e\x10"), "0 rsp+8, 21 rsp+16" END },
	{ "advance_loc4", CODE_OF("\x04\x22\0\0\0\x0e\x10"), "0 rsp+8, 22 rsp+16" END },
	{ "MIPS_advance_loc8", CODE_OF("\x1d\x23\0\0\0\0\0\0\0\x0e\x10"),
	  "0 rsp+8, 23 rsp+16" END },
	{ "advance past the end", CODE_OF("\x42\x0e\x10\x02\xff\x0e\x18"),
	  "0 rsp+8, 2 rsp+16" END },
	{ "advance so far that it wraps around",
	  CODE_OF("\x42\x0e\x10\x1d\xff\xff\xff\xff\xff\xff\xff\xff\x0e\x18"),
	  "0 rsp+8, 2 rsp+16" END },
	{ "same rule again costs no row", CODE_OF("\x41\x0e\x08\x41\x0e\x08"), "0 rsp+8" END },
	{ "def_cfa", CODE_OF("\x0c\x06\x20"), "0 rbp+32" END },
	{ "def_cfa of another register", CODE_OF("\x0c\x0a\x00"), "0 r10+0" END },
	{ "def_cfa of a register that is none", CODE_OF("\x0c\x11\x08"), "0 unknown" END },
	{ "def_cfa beyond the number of all registers",
	  CODE_OF("\x0c\x80\x80\x80\x80\x80\x20\x08"), "0 unknown" END },
	{ "def_cfa of a register whose number wraps to rsp", CODE_OF("\x0c\x87\x02\x08"),
	  "0 unknown" END },
	{ "def_cfa_sf is factored", CODE_OF("\x12\x07\x7d"), "0 rsp+24" END },
	{ "def_cfa_register keeps the offset", CODE_OF("\x0e\x10\x0d\x06"), "0 rbp+16" END },
	{ "def_cfa_offset", CODE_OF("\x0e\x80\x01"), "0 rsp+128" END },
	{ "def_cfa_offset_sf is factored", CODE_OF("\x13\x7e"), "0 rsp+16" END },
	{ "an offset that fits", CODE_OF("\x0e\xff\xff\xff\xff\x07"), "0 rsp+2147483647" END },
	{ "an offset that does not", CODE_OF("\x0e\x80\x80\x80\x80\x08"), "0 unknown" END },
	{ "an offset of 64 bits", CODE_OF("\x0e\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	  "0 rsp-1" END },
	{ "def_cfa_register after an expression", CODE_OF("\x0f\x02\x77\x00\x06\x0d\x06"),
	  "0 unknown" END },
	{ "offset of rbp", CODE_OF("\x86\x02"), "0 rsp+8 bp=cfa-16" END },
	{ "offset of others", CODE_OF("\x83\x02\x8c\x03\x8d\x04\x8e\x05\x8f\x06"),
	  "0 rsp+8" END },
	{ "offset of rbp that does not fit", CODE_OF("\x86\x81\x20"), "0 rsp+8 bp=?" END },
	{ "offset of rbp that just fits", CODE_OF("\x86\x80\x20"),
	  "0 rsp+8 bp=cfa-32768" END },
	{ "offset_extended", CODE_OF("\x05\x06\x02"), "0 rsp+8 bp=cfa-16" END },
	{ "offset_extended_sf", CODE_OF("\x11\x06\x02"), "0 rsp+8 bp=cfa-16" END },
	{ "offset_extended_sf upwards", CODE_OF("\x11\x06\x7e"), "0 rsp+8 bp=cfa+16" END },
	{ "GNU_negative_offset_extended", CODE_OF("\x2f\x06\x02"), "0 rsp+8 bp=cfa+16" END },
	{ "restore of rbp", CODE_OF("\x86\x02\x41\xc6"), "0 rsp+8 bp=cfa-16, 1 rsp+8" END },
	{ "restore_extended", CODE_OF("\x86\x02\x41\x06\x06"),
	  "0 rsp+8 bp=cfa-16, 1 rsp+8" END },
	{ "restore of the return address is the CIE's rule", CODE_OF("\x07\x10\x41\xd0"),
	  "0 stop, 1 rsp+8" END },
	{ "same_value of rbp", CODE_OF("\x86\x02\x41\x08\x06"),
	  "0 rsp+8 bp=cfa-16, 1 rsp+8" END },
	{ "undefined rbp", CODE_OF("\x07\x06"), "0 rsp+8 bp=?" END },
	{ "rbp in a register", CODE_OF("\x09\x06\x03"), "0 rsp+8 bp=?" END },
	{ "val_offset of rbp", CODE_OF("\x14\x06\x02"), "0 rsp+8 bp=?" END },
	{ "val_offset_sf of rbp", CODE_OF("\x15\x06\x02"), "0 rsp+8 bp=?" END },
	{ "expression of rbp by rbp", CODE_OF("\x10\x06\x02\x76\x78"),
	  "0 rsp+8 bp=bp-8" END },
	{ "expression of rbp by the CFA", CODE_OF("\x10\x06\x02\x23\x10"),
	  "0 rsp+8 bp=cfa+16" END },
	{ "expression of rbp by rsp", CODE_OF("\x10\x06\x02\x77\x08"), "0 rsp+8 bp=?" END },
	{ "expression of rbp by rbp, too far", CODE_OF("\x10\x06\x04\x76\x80\x80\x02"),
	  "0 rsp+8 bp=?" END },
	{ "expression of rbp with a dereference", CODE_OF("\x10\x06\x03\x76\x78\x06"),
	  "0 rsp+8 bp=?" END },
	{ "val_expression of rbp", CODE_OF("\x16\x06\x02\x76\x78"), "0 rsp+8 bp=?" END },
	{ "expressions of others", CODE_OF("\x10\x03\x02\x76\x78\x16\x0c\x02\x76\x78"),
	  "0 rsp+8" END },
	{ "return address undefined: the root", CODE_OF("\x07\x10"), "0 stop" END },
	{ "the root whatever the CFA is", CODE_OF("\x0f\x01\x96\x07\x10"), "0 stop" END },
	{ "return address elsewhere", CODE_OF("\x90\x02"), "0 unknown" END },
	{ "return address in a register", CODE_OF("\x09\x10\x02"), "0 unknown" END },
	{ "return address said to be the same", CODE_OF("\x08\x10"), "0 unknown" END },
	{ "return address by an expression", CODE_OF("\x10\x10\x02\x77\x00"),
	  "0 unknown" END },
	{ "return address by an expression that says cfa - 8",
	  CODE_OF("\x10\x10\x02\x38\x1c"), "0 rsp+8" END },
	{ "rsp is the CFA, said", CODE_OF("\x14\x07\x00"), "0 rsp+8" END },
	{ "rsp is the CFA, by an expression", CODE_OF("\x16\x07\x01\x96"), "0 rsp+8" END },
	{ "rsp same_value", CODE_OF("\x08\x07"), "0 rsp+8" END },
	{ "rsp undefined", CODE_OF("\x07\x07"), "0 rsp+8" END },
	{ "rsp saved", CODE_OF("\x87\x02"), "0 unknown" END },
	{ "rsp beside the CFA", CODE_OF("\x14\x07\x01"), "0 unknown" END },
	{ "rsp in a register", CODE_OF("\x09\x07\x08"), "0 unknown" END },
	{ "remember and restore",
	  CODE_OF("\x41\x0e\x10\x86\x02\x41\x0a\x0e\x08\xc6\x41\x0b"),
	  "0 rsp+8, 1 rsp+16 bp=cfa-16, 2 rsp+8, 3 rsp+16 bp=cfa-16" END },
	{ "remember twice", CODE_OF("\x0a\x0e\x10\x0a\x0e\x18\x41\x0b\x41\x0b"),
	  "0 rsp+24, 1 rsp+16, 2 rsp+8" END },
	{ "remember 16 times", CODE_OF("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a"
	  "\x0a\x0a\x41\x0e\x10"), "0 rsp+8, 1 rsp+16" END },
	{ "remember 17 times", CODE_OF("\x41\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a"
	  "\x0a\x0a\x0a\x0a\x41\x0e\x10"), "0 rsp+8, 1 unknown" END },
	{ "restore without remember", CODE_OF("\x41\x0b\x41\x0e\x10"),
	  "0 rsp+8, 1 unknown" END },
	{ "GNU_args_size", CODE_OF("\x2e\x80\x01\x0e\x10"), "0 rsp+16" END },
	{ "GNU_window_save", CODE_OF("\x2d\x0e\x10"), "0 rsp+16" END },
	{ "an instruction nobody specified", CODE_OF("\x41\x0e\x10\x42\x3f\x0e\x18"),
	  "0 rsp+8, 1 rsp+16, 3 unknown" END },
	{ "an operand cut short", CODE_OF("\x41\x0e\x10\x42\x00\x0e\x80"),
	  "0 rsp+8, 1 rsp+16, 3 unknown" END },
	{ "advance_loc4 cut short", CODE_OF("\x41\x04\x01"), "0 rsp+8, 1 unknown" END },
	{ "an expression longer than the program", CODE_OF("\x42\x0f\x20\x77\x00"),
	  "0 rsp+8, 2 unknown" END },
	/* set_loc is in the encoding of the FDE's address, pcrel sdata4 here; see encodings */

	/* CFA expressions */
	{ "breg", CODE_OF("\x0f\x02\x77\x10"), "0 rsp+16" END },
	{ "bregx", CODE_OF("\x0f\x03\x92\x07\x10"), "0 rsp+16" END },
	{ "bregx of no register", CODE_OF("\x0f\x04\x92\xff\x01\x10"), "0 unknown" END },
	{ "breg of no register", CODE_OF("\x0f\x02\x81\x10"), "0 unknown" END },
	{ "breg, plus_uconst", CODE_OF("\x0f\x04\x77\x10\x23\x08"), "0 rsp+24" END },
	{ "a realigned frame", CODE_OF("\x0f\x03\x76\x78\x06\x86\x02"),
	  "0 [rbp-8]+0 bp=cfa-16" END },
	{ "a realigned frame with rbp by rbp", CODE_OF("\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00"),
	  "0 [rbp-8]+0 bp=bp+0" END },
	{ "deref, plus_uconst", CODE_OF("\x0f\x06\x77\x98\x01\x06\x23\x08"),
	  "0 [rsp+152]+8" END },
	{ "deref, literal, plus", CODE_OF("\x0f\x05\x77\x00\x06\x38\x22"), "0 [rsp+0]+8" END },
	{ "deref, literal, minus", CODE_OF("\x0f\x05\x77\x00\x06\x38\x1c"),
	  "0 [rsp+0]-8" END },
	{ "literal first", CODE_OF("\x0f\x05\x38\x77\x00\x06\x22"), "0 [rsp+0]+8" END },
	{ "const1u", CODE_OF("\x0f\x06\x77\x00\x06\x08\xff\x22"), "0 [rsp+0]+255" END },
	{ "const1s", CODE_OF("\x0f\x06\x77\x00\x06\x09\xff\x22"), "0 [rsp+0]-1" END },
	{ "const2u", CODE_OF("\x0f\x07\x77\x00\x06\x0a\x00\x01\x22"), "0 [rsp+0]+256" END },
	{ "const2s", CODE_OF("\x0f\x07\x77\x00\x06\x0b\xfe\xff\x22"), "0 [rsp+0]-2" END },
	{ "const4u", CODE_OF("\x0f\x09\x77\x00\x06\x0c\x01\x01\0\0\x22"),
	  "0 [rsp+0]+257" END },
	{ "const4s", CODE_OF("\x0f\x09\x77\x00\x06\x0d\xfd\xff\xff\xff\x22"),
	  "0 [rsp+0]-3" END },
	{ "const8u", CODE_OF("\x0f\x0d\x77\x00\x06\x0e\x02\x01\0\0\0\0\0\0\x22"),
	  "0 [rsp+0]+258" END },
	{ "const8s", CODE_OF("\x0f\x0d\x77\x00\x06\x0f\xfc\xff\xff\xff\xff\xff\xff\xff\x22"),
	  "0 [rsp+0]-4" END },
	{ "constu", CODE_OF("\x0f\x07\x77\x00\x06\x10\x80\x01\x22"), "0 [rsp+0]+128" END },
	{ "consts", CODE_OF("\x0f\x06\x77\x00\x06\x11\x7f\x22"), "0 [rsp+0]-1" END },
	{ "a constant cut short", CODE_OF("\x0f\x05\x77\x00\x06\x0a\x00"), "0 unknown" END },
	{ "add that does not fit", CODE_OF("\x0f\x07\x77\x00\x06\x23\x80\x80\x02"),
	  "0 unknown" END },
	{ "two dereferences", CODE_OF("\x0f\x04\x77\x00\x06\x06"), "0 unknown" END },
	{ "a sum of registers", CODE_OF("\x0f\x05\x77\x00\x73\x00\x22"), "0 unknown" END },
	{ "an indexed frame", CODE_OF("\x0f\x0a\x77\x08\x79\x00\x38\x1e\x22\x06\x23\x08"),
	  "0 unknown" END },
	{ "empty", CODE_OF("\x0f\x00"), "0 unknown" END },
	{ "a number alone", CODE_OF("\x0f\x01\x38"), "0 unknown" END },
	{ "more than the stack holds", CODE_OF("\x0f\x0b\x77\x00\x30\x30\x30\x30\x30\x30\x30\x30"
	  "\x30"), "0 unknown" END },
	{ "plus with one operand", CODE_OF("\x0f\x03\x77\x00\x22"), "0 unknown" END },
	{ "deref of nothing", CODE_OF("\x0f\x01\x06"), "0 unknown" END },
	{ "plus_uconst of nothing", CODE_OF("\x0f\x02\x23\x08"), "0 unknown" END },
	{ "an operation nobody specified", CODE_OF("\x0f\x03\x77\x00\xe0"), "0 unknown" END },
	{ "known again after an unknown one", CODE_OF("\x0f\x00\x41\x0c\x07\x10"),
	  "0 unknown, 1 rsp+16" END },
	{ "a PLT's", CODE_OF("\x0e\x10\x46\x0e\x18\x4a\x0f\x0b" PLT),
	  "0 rsp+16, 6 rsp+24, 10 plt rsp+8 11" END },
	{ "a PLT's with another number", CODE_OF("\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x39\x2a\x33\x24"
	  "\x22"), "0 plt rsp+8 9" END },
	{ "a PLT's, moved on", CODE_OF("\x0f\x0d" PLT "\x23\x08"), "0 plt rsp+16 11" END },
	{ "a PLT's beyond 15", CODE_OF("\x0f\x0c\x77\x08\x80\x00\x3f\x1a\x08\x10\x2a\x33\x24\x22"),
	  "0 unknown" END },
	{ "almost a PLT's: another mask", CODE_OF("\x0f\x0b\x77\x08\x80\x00\x37\x1a\x3b\x2a\x33"
	  "\x24\x22"), "0 unknown" END },
	{ "almost a PLT's: another factor", CODE_OF("\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x34"
	  "\x24\x22"), "0 unknown" END },
	{ "almost a PLT's: beside pc", CODE_OF("\x0f\x0b\x77\x08\x80\x01\x3f\x1a\x3b\x2a\x33\x24"
	  "\x22"), "0 unknown" END },
	{ "half a PLT's", CODE_OF("\x0f\x05\x80\x00\x3f\x1a\x23\x00"), "0 unknown" END },
};

static void instructions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		put_fde(&s, put_cie(&s, &usual_cie, false, false), CODE, FDE_BYTES,
			programs[i].program);
		in = input_of(&s);
		expect(programs[i].what, &in, programs[i].table, NULL);
	}
}

static void reasons(void **state)
{
	static const struct {
		const char *what;
		struct code program;
		enum ddp_cfi_reason reason;
	} rows[] = {
		{ "expression", CODE_OF("\x0f\x00"), DDP_CFI_EXPRESSION },
		{ "CFA in no register", CODE_OF("\x0c\x11\x08"), DDP_CFI_EXPRESSION },
		{ "rsp in a register", CODE_OF("\x09\x07\x08"), DDP_CFI_REGISTER },
		{ "return address in a register", CODE_OF("\x09\x10\x02"), DDP_CFI_REGISTER },
		{ "return address elsewhere", CODE_OF("\x90\x02"), DDP_CFI_RETURN },
		{ "offset too large", CODE_OF("\x0e\x80\x80\x80\x80\x08"), DDP_CFI_RANGE },
		{ "unknown instruction", CODE_OF("\x3f"), DDP_CFI_OPCODE },
		{ "restore without remember", CODE_OF("\x0b"), DDP_CFI_STATES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_counts n;
		struct ddp_cfi_input in;

		put_fde(&s, put_cie(&s, &usual_cie, false, false), CODE, FDE_BYTES,
			rows[i].program);
		in = input_of(&s);
		expect(rows[i].what, &in, "0 unknown" END, &n);
		for (int r = 0; r < DDP_CFI_NR_REASONS; r++)
			if (n.by_reason[r] != (r == (int)rows[i].reason))
				fail_msg("%s: %s %u times", rows[i].what, ddp_cfi_reason_text(r),
					 (unsigned int)n.by_reason[r]);
		assert_int_equal(n.entries, 1);
		assert_int_equal(n.rows, 2);
		assert_int_equal(n.unknown_rows, 1);
		assert_int_equal(n.code_bytes, FDE_BYTES);
		assert_int_equal(n.unknown_bytes, FDE_BYTES);
	}
}

static void lost_frame_pointers_are_counted(void **state)
{
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_counts n;
	struct ddp_cfi_input in;

	(void)state;
	put_fde(&s, put_cie(&s, &usual_cie, false, false), CODE, FDE_BYTES,
		(struct code)CODE_OF("\x07\x06\x42\xc6"));
	in = input_of(&s);
	expect("lost, then found", &in, "0 rsp+8 bp=?, 2 rsp+8" END, &n);
	assert_int_equal(n.bp_lost_rows, 1);
	assert_int_equal(n.unknown_rows, 0);
}

/* CIEs */

#define Z_R "\x01\x1b"
#define SIGNAL_REGS "\x0f\x04\x77\xa0\x01\x06\x10\x06\x03\x77\xf8\x00\x10\x07\x03\x77\xa0\x01" \
	"\x10\x10\x03\x77\xa8\x01"
#define FDE_USUAL "\x0e\x10"

static const struct {
	const char *what;
	struct cie cie;
	const char *table;	/* of an FDE with FDE_USUAL, in sdata4 pcrel, without LSDA */
} cies[] = {
	{ "version 3", { 3, "zR", CODE_OF(Z_R), CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "version 4", { 4, "zR", CODE_OF(Z_R), CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "version 2", { 2, "zR", CODE_OF(Z_R), CODE_OF(USUAL) }, "" },
	{ "version 5", { 5, "zR", CODE_OF(Z_R), CODE_OF(USUAL) }, "" },
	{ "personality and LSDA, as C++ has them",
	  { 1, "zPLR", CODE_OF("\x07\x9b\x01\x02\x03\x04\x1b\x1b"), CODE_OF(USUAL) },
	  "0 rsp+16" END },
	{ "personality, absolute",
	  { 1, "zPR", CODE_OF("\x0a\x00\x01\x02\x03\x04\x05\x06\x07\x08\x1b"), CODE_OF(USUAL) },
	  "0 rsp+16" END },
	{ "personality left out", { 1, "zPR", CODE_OF("\x02\xff\x1b"), CODE_OF(USUAL) },
	  "0 rsp+16" END },
	{ "personality as a LEB128", { 1, "zPR", CODE_OF("\x04\x01\x80\x01\x1b"), CODE_OF(USUAL) },
	  "0 rsp+16" END },
	{ "personality, aligned: the pointer is at the next multiple of 8",
	  { 1, "zPR", CODE_OF("\x10\x50\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x1b"),
	    CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "personality longer than the data",
	  { 1, "zPR", CODE_OF("\x03\x00\x01\x1b"), CODE_OF(USUAL) }, "" },
	{ "letter B", { 1, "zRB", CODE_OF(Z_R), CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "an unknown letter behind R: its data is stepped over",
	  { 1, "zRX", CODE_OF("\x03\x1b\x77\x77"), CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "an unknown letter without z", { 1, "X", CODE_OF(""), CODE_OF(USUAL) }, "" },
	{ "eh, with a pointer that has no place in GCC 3",
	  { 1, "ehzR", CODE_OF(Z_R), CODE_OF(USUAL) }, "0 rsp+16" END },
	{ "R of no pointer", { 1, "zR", CODE_OF("\x01\xff"), CODE_OF(USUAL) }, "" },
	{ "R behind a pointer", { 1, "zR", CODE_OF("\x01\x9b"), CODE_OF(USUAL) }, "" },
	{ "data longer than the entry", { 1, "zR", CODE_OF("\x7f\x1b"), CODE_OF(USUAL) }, "" },
	{ "data length without an end",
	  { 1, "zR", CODE_OF("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), CODE_OF("") }, "" },
	{ "damaged instructions", { 1, "zR", CODE_OF(Z_R), CODE_OF(USUAL "\x3f") }, "" },
	{ "instructions that remember",
	  { 1, "zR", CODE_OF(Z_R), CODE_OF(USUAL "\x0a\x0e\x20\x0b") }, "0 rsp+16" END },
	{ "instructions that go on: a CIE has no addresses",
	  { 1, "zR", CODE_OF(Z_R), CODE_OF(USUAL "\x44") }, "0 rsp+16" END },
	{ "no CFA", { 1, "zR", CODE_OF(Z_R), CODE_OF("\x90\x01") }, "0 unknown" END },
	{ "no return address", { 1, "zR", CODE_OF(Z_R), CODE_OF("\x0c\x07\x08") },
	  "0 unknown" END },
	{ "a signal's frame as glibc has it",
	  { 1, "zRS", CODE_OF(Z_R), CODE_OF(SIGNAL_REGS) }, "0 signal" END },
	{ "the same without letter S", { 1, "zR", CODE_OF(Z_R), CODE_OF(SIGNAL_REGS) },
	  "0 unknown" END },
	{ "letter S, but an ordinary frame", { 1, "zRS", CODE_OF(Z_R), CODE_OF(USUAL) },
	  "0 unknown" END },
};

static void common_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i++) {
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_counts n;
		struct ddp_cfi_input in;

		put_fde(&s, put_cie(&s, &cies[i].cie, false, false), CODE, FDE_BYTES,
			(struct code)CODE_OF(FDE_USUAL));
		in = input_of(&s);
		expect(cies[i].what, &in, cies[i].table, &n);
		assert_int_equal(n.by_reason[DDP_CFI_CIE], !*cies[i].table);
	}
}

/* A return address column that is not rip's, and selectors and sizes that are not x86-64's */
static void strange_version_4(void **state)
{
	static const struct {
		const char *what;
		struct code header;	/* behind the augmentation string */
		const char *table;
	} rows[] = {
		{ "as it should be", CODE_OF("\x08\x00\x01\x78\x10"), "0 rsp+8" END },
		{ "addresses of 4 bytes", CODE_OF("\x04\x00\x01\x78\x10"), "" },
		{ "selectors", CODE_OF("\x08\x02\x01\x78\x10"), "" },
		{ "return address in column 8", CODE_OF("\x08\x00\x01\x78\x08"),
		  "0 unknown" END },
		{ "in one that wraps to 16", CODE_OF("\x08\x00\x01\x78\x90\x02"),
		  "0 unknown" END },
		{ "a column without end", CODE_OF("\x08\x00\x01\x78\xff\xff\xff\xff\xff\xff\xff"
		  "\xff\xff\xff\xff"), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in = input_of(&s);
		size_t begin = begin_entry(&s, false);

		put_number(&s, UINT32_MAX, 4);
		put(&s, "\x04", 2);	/* version, no augmentation */
		put(&s, rows[i].header.bytes, rows[i].header.nr);
		put(&s, USUAL, sizeof(USUAL) - 1);
		end_entry(&s, begin, false);
		put_debug_fde(&s, 0, CODE, FDE_BYTES, (struct code)CODE_OF(""));
		in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
		expect(rows[i].what, &in, rows[i].table, NULL);
	}
}

static void data_alignment_counts(void **state)
{
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = input_of(&s);
	size_t begin = begin_entry(&s, false);

	(void)state;
	put_number(&s, UINT32_MAX, 4);
	put(&s, "\x03\0\x04\x7c\x10\x0c\x07\x08\x90\x02", 10);	/* code 4, data -4, as Go's */
	end_entry(&s, begin, false);
	put_debug_fde(&s, 0, CODE, FDE_BYTES, (struct code)CODE_OF("\x41\x13\x7c\x86\x04"));
	in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
	expect("alignments of 4 and -4", &in, "0 rsp+8, 4 rsp+16 bp=cfa-16" END, NULL);
}

/* Encodings of addresses */

static const struct {
	const char *what;
	uint8_t encoding;
	uint64_t base;	/* what it counts from; 1: the field itself */
	uint8_t bytes;	/* of a fixed size; 0: LEB128 */
} encodings[] = {
	{ "absptr", 0x00, 0, 8 },
	{ "udata4", 0x03, 0, 4 },
	{ "udata8", 0x04, 0, 8 },
	{ "uleb128", 0x01, 0, 0 },
	{ "sleb128", 0x09, 0, 0 },
	{ "signed", 0x08, 0, 8 },
	{ "sdata4", 0x0b, 0, 4 },
	{ "sdata8", 0x0c, 0, 8 },
	{ "pcrel absptr", 0x10, 1, 8 },
	{ "pcrel sdata4", 0x1b, 1, 4 },
	{ "pcrel sdata8", 0x1c, 1, 8 },
	{ "textrel udata2", 0x22, CODE - 0x100, 2 },
	{ "textrel sdata2", 0x2a, CODE + 0x100, 2 },
	{ "textrel uleb128", 0x21, CODE - 0x100, 0 },
	{ "datarel sdata4", 0x3b, CODE + 0x200, 4 },
	{ "datarel udata2", 0x32, CODE - 0x200, 2 },
	{ "aligned", 0x50, 0, 8 },
};

static void put_encoded(struct bytes *s, uint8_t encoding, uint64_t base, uint8_t nr, uint64_t v)
{
	if (encoding == 0x50)
		while ((SECTION + s->nr) % 8)
			put_number(s, 0, 1);
	v -= base == 1 ? SECTION + s->nr : base;
	if (nr) {
		put_number(s, v, nr);
		return;
	}
	for (int i = 0; i < 9; i++, v >>= 7)
		put_number(s, (v & 0x7f) | 0x80, 1);
	put_number(s, v & 1, 1);	/* of an address: the sign is 0 */
}

/* An FDE for CODE, whose second row begins at a set_loc in the same encoding */
static void pointer_encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		uint8_t how = encodings[i].encoding, nr = encodings[i].bytes;
		const char data[] = { 1, (char)how };
		const struct cie cie = { 1, "zR", { data, 2 }, CODE_OF(USUAL) };
		struct bytes s = { .nr = 0 };
		size_t at = put_cie(&s, &cie, false, false), begin = begin_entry(&s, false);
		struct ddp_cfi_input in;

		put_number(&s, begin - at, 4);
		put_encoded(&s, how, encodings[i].base, nr, CODE);
		put_encoded(&s, how & 0x0f, 0, nr, FDE_BYTES);
		put(&s, "\x00\x01", 2);
		put_encoded(&s, how, encodings[i].base, nr, CODE + 0x24);
		put(&s, "\x0e\x10", 2);
		end_entry(&s, begin, false);
		in = input_of(&s);
		in.text = (how & 0x70) == 0x20 ? encodings[i].base : 0;
		in.data = (how & 0x70) == 0x30 ? encodings[i].base : 0;
		expect(encodings[i].what, &in, "0 rsp+8, 24 rsp+16" END, NULL);
	}
}

static void encodings_of_nothing(void **state)
{
	static const uint8_t bad[] = { 0x05, 0x07, 0x0d, 0x0f, 0x60, 0x70, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		const char data[] = { 1, (char)bad[i] };
		const struct cie cie = { 1, "zR", { data, 2 }, CODE_OF(USUAL) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_counts n;
		struct ddp_cfi_input in;

		put_fde(&s, put_cie(&s, &cie, false, false), CODE, FDE_BYTES,
			(struct code)CODE_OF(""));
		in = input_of(&s);
		expect("a bad encoding", &in, "", &n);
		assert_int_equal(n.by_reason[DDP_CFI_CIE] + n.by_reason[DDP_CFI_ENTRY], 1);
	}
}

static void set_loc_goes_forward_only(void **state)
{
	static const struct {
		const char *what;
		uint64_t to;
		const char *table;
	} rows[] = {
		{ "forward", CODE + 0x10, "0 rsp+8, 8 rsp+16, 10 rsp+24" END },
		{ "nowhere", CODE + 0x08, "0 rsp+8, 8 rsp+24" END },
		{ "back", CODE + 0x04, "0 rsp+8, 8 unknown" END },
		{ "before the function", CODE - 1, "0 rsp+8, 8 unknown" END },
		{ "past its end", CODE + 0x1000, "0 rsp+8, 8 rsp+16" END },
		{ "to the end of everything", UINT64_MAX, "0 rsp+8, 8 rsp+16" END },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cie cie = { 3, "", CODE_OF(""), CODE_OF(USUAL) };
		struct bytes s = { .nr = 0 }, program = { .nr = 0 };
		struct ddp_cfi_input in = input_of(&s);

		put(&program, "\x48\x0e\x10\x01", 4);
		put_number(&program, rows[i].to, 8);
		put(&program, "\x0e\x18", 2);
		put_cie(&s, &cie, true, false);
		put_debug_fde(&s, 0, CODE, FDE_BYTES,
			      (struct code){ (const char *)program.b, program.nr });
		in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
		expect(rows[i].what, &in, rows[i].table, NULL);
	}
}

/* Entries beside each other. Each piece of code says who it is by its CFA: rsp + 8 * number */

struct piece {
	uint64_t address;
	uint32_t nr;
	int number;	/* 0: nothing is here */
};

enum { MAX_PIECES = 4 };

static void put_pieces(struct bytes *s, const struct piece *pieces, bool is_debug)
{
	static const struct cie debug_cie = { 3, "", CODE_OF(""), CODE_OF(USUAL) };
	size_t cie;

	if (!pieces->number)
		return;
	cie = put_cie(s, is_debug ? &debug_cie : &usual_cie, is_debug, false);
	for (; pieces->number; pieces++) {
		const char program[] = { 0x0e, (char)(8 * pieces->number) };

		if (is_debug)
			put_debug_fde(s, cie, pieces->address, pieces->nr,
				      (struct code){ program, 2 });
		else
			put_fde(s, cie, pieces->address, pieces->nr, (struct code){ program, 2 });
	}
}

static const struct {
	const char *what;
	struct piece eh[MAX_PIECES], debug[MAX_PIECES];	/* the last has number 0 */
	const char *table;
	unsigned int outside;	/* counted as such */
} arrangements[] = {
	{ "two, far apart", { { CODE, 16, 1 }, { CODE + 0x100, 16, 2 } }, { { 0 } },
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none", 0 },
	{ "two, one after the other", { { CODE, 16, 1 }, { CODE + 16, 16, 2 } }, { { 0 } },
	  "0 rsp+8, 10 rsp+16, 20 none", 0 },
	{ "the same rule goes on", { { CODE, 16, 1 }, { CODE + 16, 16, 1 } }, { { 0 } },
	  "0 rsp+8, 20 none", 0 },
	{ "room for no function between", { { CODE, 1, 1 }, { CODE + 16, 16, 2 } }, { { 0 } },
	  "0 rsp+8, 10 rsp+16, 20 none", 0 },
	{ "room for one, as nothing is aligned", { { CODE, 1, 1 }, { CODE + 15, 16, 2 } },
	  { { 0 } }, "0 rsp+8, 1 none, f rsp+16, 1f none", 0 },
	{ "not in order", { { CODE + 32, 16, 2 }, { CODE, 32, 1 } }, { { 0 } },
	  "0 rsp+8, 20 rsp+16, 30 none", 0 },
	{ "one reaches into the next", { { CODE, 64, 1 }, { CODE + 32, 64, 2 } }, { { 0 } },
	  "0 rsp+8, 20 rsp+16, 60 none", 0 },
	{ "one inside another", { { CODE, 64, 1 }, { CODE + 16, 16, 2 } }, { { 0 } },
	  "0 rsp+8, 10 rsp+16, 20 none", 0 },
	{ "twice the same place: the later one", { { CODE, 64, 1 }, { CODE, 32, 2 } }, { { 0 } },
	  "0 rsp+16, 20 none", 0 },
	{ "no bytes of code", { { CODE, 0, 1 }, { CODE + 16, 16, 2 } }, { { 0 } },
	  "10 rsp+16, 20 none", 0 },
	{ "thrown away by the linker", { { 0, 16, 1 }, { CODE, 16, 2 } }, { { 0 } },
	  "0 rsp+16, 10 none", 1 },
	{ "in no segment", { { CODE - 1, 16, 1 }, { CODE + CODE_BYTES, 16, 2 } }, { { 0 } },
	  "", 2 },
	{ "past the end of the segment", { { CODE + CODE_BYTES - 16, 0xffffffff, 1 } },
	  { { 0 } }, "ff0 rsp+8, 1000 none", 0 },
	{ ".debug_frame alone", { { 0 } }, { { CODE, 16, 1 } }, "0 rsp+8, 10 none", 0 },
	{ ".debug_frame, past the end", { { 0 } }, { { CODE + 16, UINT32_MAX, 1 } },
	  "10 rsp+8, 1000 none", 0 },
	{ ".debug_frame says the same again", { { CODE, 16, 1 } }, { { CODE, 16, 2 } },
	  "0 rsp+8, 10 none", 0 },
	{ ".debug_frame begins inside", { { CODE, 32, 1 } }, { { CODE + 16, 32, 2 } },
	  "0 rsp+8, 20 none", 0 },
	{ ".debug_frame goes on behind", { { CODE, 16, 1 } }, { { CODE + 16, 16, 2 } },
	  "0 rsp+8, 10 rsp+16, 20 none", 0 },
	{ ".debug_frame before, and reaching in", { { CODE + 16, 16, 1 } }, { { CODE, 64, 2 } },
	  "0 rsp+16, 10 rsp+8, 20 none", 0 },
	{ ".debug_frame not in order", { { CODE + 32, 16, 1 } },
	  { { CODE + 48, 16, 2 }, { CODE, 32, 3 } }, "0 rsp+24, 20 rsp+8, 30 rsp+16, 40 none", 0 },
};

static void entries_beside_each_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(arrangements) / sizeof(arrangements[0]); i++) {
		struct bytes eh = { .nr = 0 }, debug = { .nr = 0 };
		struct ddp_cfi_counts n;
		struct ddp_cfi_input in;

		put_pieces(&eh, arrangements[i].eh, false);
		put_pieces(&debug, arrangements[i].debug, true);
		in = input_of(&eh);
		in.debug_frame = (struct ddp_cfi_section){ .bytes = debug.b, .nr = debug.nr };
		expect(arrangements[i].what, &in, arrangements[i].table, &n);
		assert_int_equal(n.by_reason[DDP_CFI_OUTSIDE], arrangements[i].outside);
	}
}

/* Rows are by file offset, whatever the order of addresses */
static void several_segments(void **state)
{
	static const struct ddp_cfi_segment segments[] = {
		{ CODE, CODE_OFFSET + 0x200, 0x100 },
		{ CODE + 0x1000, CODE_OFFSET, 0x100 },
		{ CODE + 0x2000, CODE_OFFSET + 0x100, 0x80 },
	};
	static const struct piece pieces[] = {
		{ CODE + 0xf0, 0x20, 1 },	/* into no segment */
		{ CODE + 0x1000, 0x20, 2 }, { CODE + 0x2000, 0x20, 3 }, { 0 },
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;

	(void)state;
	put_pieces(&s, pieces, false);
	in = input_of(&s);
	in.segments = segments;
	in.nr_segments = 3;
	expect("three segments", &in,
	       "0 rsp+16, 20 none, 100 rsp+24, 120 none, 2f0 rsp+8, 300 none", NULL);
}

static void offsets_that_no_image_has(void **state)
{
	const struct ddp_cfi_segment far[] = {
		{ CODE, 1ULL << 48, 0x100 }, { CODE, 0x1000, 1ULL << 48 },
		{ CODE, UINT64_MAX, UINT64_MAX },
	};
	struct bytes s = { .nr = 0 };
	void *image;
	size_t nr;

	(void)state;
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		struct ddp_cfi_input in = input_of(&s);

		in.segments = &far[i];
		assert_int_equal(ddp_cfi_table(&in, &image, &nr, NULL), -EFBIG);
	}
}

/* Two rows so far apart that no directory spans them */
static void pages_that_no_image_has(void **state)
{
	static const struct ddp_cfi_segment segments[] = {
		{ CODE, 0, 0x1000 }, { CODE + 0x1000, 1ULL << 47, 0x1000 },
	};
	static const struct piece pieces[] = {
		{ CODE, 0x20, 1 }, { CODE + 0x1000, 0x20, 2 }, { 0 },
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;
	void *image;
	size_t nr;

	(void)state;
	put_pieces(&s, pieces, false);
	in = input_of(&s);
	in.segments = segments;
	in.nr_segments = 2;
	assert_int_equal(ddp_cfi_table(&in, &image, &nr, NULL), -EFBIG);
}

static void lengths(void **state)
{
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;
	size_t cie, begin;

	(void)state;
	cie = put_cie(&s, &usual_cie, false, true);
	begin = begin_entry(&s, true);
	put_number(&s, begin - cie, 4);
	put_number(&s, CODE - (SECTION + s.nr), 4);
	put_number(&s, FDE_BYTES, 5);
	end_entry(&s, begin, true);
	in = input_of(&s);
	expect(".eh_frame, 64 bits", &in, "0 rsp+8" END, NULL);

	s.nr = 0;
	put_cie(&s, &(struct cie){ 3, "", CODE_OF(""), CODE_OF(USUAL) }, true, true);
	begin = begin_entry(&s, true);
	put_number(&s, 0, 8);
	put_number(&s, CODE, 8);
	put_number(&s, FDE_BYTES, 8);
	end_entry(&s, begin, true);
	in = (struct ddp_cfi_input){
		.debug_frame = { .bytes = s.b, .nr = s.nr },
		.segments = &one_segment, .nr_segments = 1,
	};
	expect(".debug_frame, 64 bits", &in, "0 rsp+8" END, NULL);
}

/* A terminator is the end only where nothing else says where that is */
static void terminators(void **state)
{
	static const struct piece first[] = { { CODE, 0x20, 1 }, { 0 } };
	static const struct piece second[] = { { CODE + 0x20, 0x20, 2 }, { 0 } };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;

	(void)state;
	put_pieces(&s, first, false);
	put_number(&s, 0, 4);
	put_pieces(&s, second, false);
	put_number(&s, 0, 4);
	in = input_of(&s);
	expect("a terminator in the middle", &in, "0 rsp+8, 20 rsp+16" END, NULL);
	in.eh_frame.open_ended = true;
	expect("a terminator at the end", &in, "0 rsp+8, 20 none", NULL);
}

static void damaged_entries(void **state)
{
	static const struct {
		const char *what;
		struct code middle;	/* between a good entry and another with its own CIE */
		const char *table;
		unsigned int cie, entry;
	} rows[] = {
		{ "nothing", CODE_OF(""), "0 rsp+8, 20 rsp+16" END, 0, 0 },
		{ "too short for an id", CODE_OF("\x02\0\0\0\x01\x02"), "0 rsp+8, 20 rsp+16" END,
		  0, 0 },
		{ "an FDE without an address", CODE_OF("\x04\0\0\0\xff\xff\x00\x00"),
		  "0 rsp+8, 20 rsp+16" END, 1, 0 },
		{ "an FDE of a CIE that is not there", CODE_OF("\x0c\0\0\0\x02\0\0\0"
		  "\x01\x02\x03\x04\x05\x06\x07\x08"), "0 rsp+8, 20 rsp+16" END, 1, 0 },
		{ "a length past the end", CODE_OF("\xff\xff\xff\x7f\0\0\0\0"), "0 rsp+8, 20 none",
		  0, 1 },
		{ "a long length past the end", CODE_OF("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		  "\xff\xff"), "0 rsp+8, 20 none", 0, 1 },
	};
	static const struct piece first[] = { { CODE, 0x20, 1 }, { 0 } };
	static const struct piece second[] = { { CODE + 0x20, 0x20, 2 }, { 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_counts n;
		struct ddp_cfi_input in;

		put_pieces(&s, first, false);
		put(&s, rows[i].middle.bytes, rows[i].middle.nr);
		put_pieces(&s, second, false);
		in = input_of(&s);
		expect(rows[i].what, &in, rows[i].table, &n);
		assert_int_equal(n.by_reason[DDP_CFI_CIE], rows[i].cie);
		assert_int_equal(n.by_reason[DDP_CFI_ENTRY], rows[i].entry);
	}
}

static void an_fde_whose_augmentation_is_damaged(void **state)
{
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_counts n;
	struct ddp_cfi_input in;
	size_t cie, begin;

	(void)state;
	cie = put_cie(&s, &usual_cie, false, false);
	begin = begin_entry(&s, false);
	put_number(&s, begin - cie, 4);
	put_number(&s, CODE - (SECTION + s.nr), 4);
	put_number(&s, FDE_BYTES, 4);
	put_number(&s, 0x70, 1);
	end_entry(&s, begin, false);
	in = input_of(&s);
	expect("data longer than the FDE", &in, "", &n);
	assert_int_equal(n.by_reason[DDP_CFI_ENTRY], 1);
}

/* Code that nobody describes. Between rsp+8 up to 10 and rsp+16 from 100 on */

#define NOP10 "\x66\x2e\x0f\x1f\x84\0\0\0\0\0"
#define SIGRETURN "\x48\xc7\xc0\x0f\0\0\0\x0f\x05"

static const struct {
	const char *what;
	uint32_t at;		/* of these bytes, counted from CODE; others are f4 (hlt) */
	struct code bytes;
	uint32_t next;		/* where the second function begins */
	const char *table;
} gaps[] = {
	{ "nops of 10 bytes", 0x10, CODE_OF(NOP10 NOP10 NOP10 "\x66\x90"), 0x30,
	  "0 rsp+8, 30 rsp+16, 40 none" },
	{ "int3", 0x10, CODE_OF("\xcc\xcc\xcc\xcc\xcc"), 0x15, "0 rsp+8, 15 rsp+16, 25 none" },
	{ "zeros", 0x10, CODE_OF("\0\0\0\0\0\0\0"), 0x17, "0 rsp+8, 17 rsp+16, 27 none" },
	{ "ud2 and nops of all sizes", 0x10, CODE_OF("\x0f\x0b\x90\x66\x90\x0f\x1f\x00\x0f\x1f\x40"
	  "\x00\x0f\x1f\x44\0\0\x66\x0f\x1f\x44\0\0\x0f\x1f\x80\0\0\0\0\x0f\x1f\x84\0\0\0\0\0"),
	  0x36, "0 rsp+8, 36 rsp+16, 46 none" },
	{ "a nop that reaches into the function", 0x10, CODE_OF("\x0f\x1f\x80\0\0"), 0x15,
	  "0 rsp+8, 10 none, 15 rsp+16, 25 none" },
	{ "a nop's prefixes alone", 0x10, CODE_OF("\x66\x66\x66"), 0x13,
	  "0 rsp+8, 10 none, 13 rsp+16, 23 none" },
	{ "a function of one instruction", 0x10, CODE_OF("\xc3" NOP10 "\x90"), 0x1c,
	  "0 rsp+8, 10 none, 1c rsp+16, 2c none" },
	{ "64 bytes of nops", 0x10, CODE_OF(NOP10 NOP10 NOP10 NOP10 NOP10 NOP10
	  "\x90\x90\x90\x90"), 0x50, "0 rsp+8, 50 rsp+16, 60 none" },
	{ "65 bytes of nops", 0x10, CODE_OF(NOP10 NOP10 NOP10 NOP10 NOP10 NOP10
	  "\x90\x90\x90\x90\x90"), 0x51, "0 rsp+8, 10 none, 51 rsp+16, 61 none" },
	{ "a signal's trampoline", 0x40, CODE_OF(SIGRETURN), 0x100,
	  "0 rsp+8, 10 none, 3f signal, 49 none, 100 rsp+16, 110 none" },
	{ "the short form", 0x40, CODE_OF("\xb8\x0f\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 3f signal, 47 none, 100 rsp+16, 110 none" },
	{ "a trampoline right behind a function", 0x10, CODE_OF(SIGRETURN), 0x100,
	  "0 rsp+8, 10 signal, 19 none, 100 rsp+16, 110 none" },
	{ "a trampoline right before one", 0xf7, CODE_OF(SIGRETURN), 0x100,
	  "0 rsp+8, 10 none, f6 signal, 100 rsp+16, 110 none" },
	{ "two trampolines in a row", 0x40, CODE_OF(SIGRETURN SIGRETURN), 0x100,
	  "0 rsp+8, 10 none, 3f signal, 52 none, 100 rsp+16, 110 none" },
	{ "a trampoline behind everything", 0xff0, CODE_OF(SIGRETURN), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none, fef signal, ff9 none" },
	{ "a trampoline at the very end", 0xff7, CODE_OF(SIGRETURN), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none, ff6 signal, 1000 none" },
	{ "another system call", 0x40, CODE_OF("\x48\xc7\xc0\x0e\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none" },
	{ "the number in another register", 0x40, CODE_OF("\x48\xc7\xc1\x0f\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none" },
	{ "half of one", 0x10, CODE_OF("\x0f\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none" },
	{ "a thread's end: call, mov, mov, syscall", 0x40,
	  CODE_OF("\x41\xff\xd4\xbf\x6f\0\0\0\xb8\x3c\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 40 stop, 4f none, 100 rsp+16, 110 none" },
	{ "a thread's end: its function's value", 0x40,
	  CODE_OF("\xff\xd0\x89\xc7\xb8\x3c\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 40 stop, 4b none, 100 rsp+16, 110 none" },
	{ "a thread's end: zero", 0x40,
	  CODE_OF("\xff\xd0\x31\xff\x48\xc7\xc0\x3c\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 40 stop, 4d none, 100 rsp+16, 110 none" },
	{ "a thread's end: whatever is there", 0x40, CODE_OF("\xff\xd0\xb8\x3c\0\0\0\x0f\x05"),
	  0x100, "0 rsp+8, 10 none, 40 stop, 49 none, 100 rsp+16, 110 none" },
	{ "exit without a call", 0x40, CODE_OF("\xbf\x6f\0\0\0\xb8\x3c\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none" },
	{ "exit behind a jump", 0x40, CODE_OF("\xff\xe0\xb8\x3c\0\0\0\x0f\x05"), 0x100,
	  "0 rsp+8, 10 none, 100 rsp+16, 110 none" },
};

static void code_between_functions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		const struct piece pieces[] = {
			{ CODE, 0x10, 1 }, { CODE + gaps[i].next, 0x10, 2 }, { 0 },
		};
		uint8_t code[CODE_BYTES];
		struct text text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		memset(code, 0xf4, sizeof(code));
		memcpy(code + gaps[i].at, gaps[i].bytes.bytes, gaps[i].bytes.nr);
		put_pieces(&s, pieces, false);
		in = input_of(&s);
		in.read = read_code;
		in.ctx = &text;
		expect(gaps[i].what, &in, gaps[i].table, NULL);
	}
}

/* Trampolines are found wherever they lie beside the borders of what is read at a time */
static void a_trampoline_anywhere(void **state)
{
	enum { BYTES = 0x5000, READ = 1 << 14 };
	static uint8_t code[BYTES];
	struct text text = { code, sizeof(code) };
	const struct ddp_cfi_segment segment = { CODE, CODE_OFFSET, BYTES };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = input_of(&s);

	(void)state;
	in.segments = &segment;
	in.ctx = &text;
	in.read = read_code;
	for (uint32_t at = READ - 40; at < READ + 20; at++) {
		char table[100];

		memset(code, 0xf4, sizeof(code));
		memcpy(code + at, SIGRETURN, sizeof(SIGRETURN) - 1);
		snprintf(table, sizeof(table), "%x signal, %x none", at - 1, at + 9);
		expect("a trampoline", &in, table, NULL);
	}
}

/* Go's, which .debug_frame describes as functions like any other */
static void what_bytes_say_goes_before_debug_frame(void **state)
{
	static const struct piece pieces[] = {
		{ CODE, 0x40, 1 }, { CODE + 0x40, 11, 2 }, { CODE + 0x60, 0x40, 3 }, { 0 },
	};
	static uint8_t code[CODE_BYTES];
	struct text text = { code, sizeof(code) };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = input_of(&s);

	(void)state;
	memset(code, 0xcc, sizeof(code));
	memcpy(code + 0x40, SIGRETURN, sizeof(SIGRETURN) - 1);
	memcpy(code + 0x70, "\x41\xff\xd4\xbf\x6f\0\0\0\xb8\x3c\0\0\0\x0f\x05\xeb\xf2", 17);
	put_pieces(&s, pieces, true);
	in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
	in.read = read_code;
	in.ctx = &text;
	expect("Go", &in, "0 rsp+8, 3f signal, 60 rsp+24, 70 stop, 7f none", NULL);
	in.read = NULL;
	expect("Go, unread", &in, "0 rsp+8, 40 rsp+16, 4b none, 60 rsp+24, a0 none", NULL);
}

/* PLTs and the entry */

#define PLT0 "\xff\x35\0\0\0\0\xff\x25\0\0\0\0\x0f\x1f\x40\0"
#define LAZY "\xff\x25\0\0\0\0\x68\0\0\0\0\xe9\0\0\0\0"
#define LAZY_IBT "\xf3\x0f\x1e\xfa\x68\0\0\0\0\xf2\xe9\0\0\0\0\x90"
#define DIRECT "\xff\x25\0\0\0\0\x66\x90"
#define DIRECT_IBT "\xf3\x0f\x1e\xfa\xf2\xff\x25\0\0\0\0\x0f\x1f\x44\0\0"

static const struct {
	const char *what;
	uint32_t at;
	struct code bytes;
	uint32_t fde, fde_nr;	/* one besides, rsp+8, if that has bytes */
	bool readable;
	const char *table;
} plts[] = {
	{ "lazy", 0x20, CODE_OF(PLT0 LAZY LAZY), 0, 0, true,
	  "20 plt rsp+16 6, 30 plt rsp+8 11, 50 none" },
	{ "lazy, with endbr64", 0x20, CODE_OF(PLT0 LAZY_IBT), 0, 0, true,
	  "20 plt rsp+16 6, 30 plt rsp+8 9, 40 none" },
	{ "jumps alone", 0x20, CODE_OF(DIRECT DIRECT DIRECT), 0, 0, true,
	  "20 rsp+8, 38 none" },
	{ "jumps with endbr64", 0x20, CODE_OF(DIRECT_IBT DIRECT_IBT), 0, 0, true,
	  "20 rsp+8, 40 none" },
	{ "unreadable", 0x20, CODE_OF(PLT0 LAZY LAZY), 0, 0, false, "20 rsp+8, 50 none" },
	{ "not aligned", 0x28, CODE_OF(LAZY LAZY), 0, 0, true, "28 rsp+8, 48 none" },
	{ "with CFI of its own", 0x20, CODE_OF(PLT0 LAZY LAZY), 0x20, 0x30, true,
	  "20 rsp+8, 50 none" },
	{ "with CFI of its first half", 0x20, CODE_OF(PLT0 LAZY LAZY), 0x20, 0x20, true,
	  "20 rsp+8, 40 plt rsp+8 11, 50 none" },
	{ "with CFI of its second half", 0x20, CODE_OF(PLT0 LAZY LAZY), 0x30, 0x20, true,
	  "20 plt rsp+16 6, 30 rsp+8, 50 none" },
	{ "right behind a function", 0x20, CODE_OF(LAZY), 0, 0x20, true,
	  "0 rsp+8, 20 plt rsp+8 11, 30 none" },
	{ "in a gap that might be padding", 0x20, CODE_OF(DIRECT), 0x30, 0x10, true,
	  "20 rsp+8, 28 none, 30 rsp+8, 40 none" },
};

static void linkage_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plts) / sizeof(plts[0]); i++) {
		const struct piece pieces[] = { { CODE + plts[i].fde, plts[i].fde_nr, 1 }, { 0 } };
		const struct ddp_cfi_plt plt = { CODE + plts[i].at, plts[i].bytes.nr };
		uint8_t code[CODE_BYTES];
		struct text text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		memset(code, 0xf4, sizeof(code));
		memcpy(code + plts[i].at, plts[i].bytes.bytes, plts[i].bytes.nr);
		put_pieces(&s, pieces, false);
		in = input_of(&s);
		in.plts = &plt;
		in.nr_plts = 1;
		in.read = plts[i].readable ? read_code : NULL;
		in.ctx = &text;
		expect(plts[i].what, &in, plts[i].table, NULL);
	}
}

static void several_linkage_tables(void **state)
{
	const struct ddp_cfi_plt plt[] = {
		{ CODE + 0x80, 0x10 }, { CODE, 0x20 },
		{ CODE + 0x10, 0x30 },				/* a damaged file's: overlaps */
		{ CODE - 0x10, 0x10 },				/* in no segment */
		{ CODE + CODE_BYTES - 0x10, UINT64_MAX },	/* past the end */
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = input_of(&s);

	(void)state;
	in.plts = plt;
	in.nr_plts = 5;
	expect("five", &in, "0 rsp+8, 40 none, 80 rsp+8, 90 none, ff0 rsp+8, 1000 none", NULL);
}

static void the_entry_is_a_root(void **state)
{
	static const struct {
		const char *what;
		uint64_t entry;
		uint32_t fde, fde_nr;
		const char *table;
	} rows[] = {
		{ "without CFI", CODE + 0x100, 0, 0, "100 stop, 140 none" },
		{ "up to the next function", CODE + 0x100, 0x120, 0x10,
		  "100 stop, 120 rsp+8, 130 none" },
		{ "right behind one", CODE + 0x100, 0xf0, 0x10, "f0 rsp+8, 100 stop, 140 none" },
		{ "with CFI", CODE + 0x100, 0x100, 0x10, "100 rsp+8, 110 none" },
		{ "inside a function", CODE + 0x104, 0x100, 0x10, "100 rsp+8, 110 none" },
		{ "at the end of the segment", CODE + CODE_BYTES - 0x10, 0, 0,
		  "ff0 stop, 1000 none" },
		{ "nowhere", CODE - 1, 0, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct piece pieces[] = { { CODE + rows[i].fde, rows[i].fde_nr, 1 }, { 0 } };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		put_pieces(&s, pieces, false);
		in = input_of(&s);
		in.entry = rows[i].entry;
		expect(rows[i].what, &in, rows[i].table, NULL);
	}
}

/* Large tables */

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* A section that bytes[] has no room for: one CIE, then FDEs whose programs the caller appends */
struct large {
	uint8_t *b;	/* owned */
	size_t nr, cap;
};

static void large_put(struct large *s, const void *from, size_t nr)
{
	if (s->cap - s->nr < nr) {
		s->cap = 2 * (s->cap + nr);
		s->b = realloc(s->b, s->cap);
		assert_non_null(s->b);
	}
	memcpy(s->b + s->nr, from, nr);
	s->nr += nr;
}

static void large_begin(struct large *s)
{
	static const struct cie cie = { 3, "", CODE_OF(""), CODE_OF(USUAL) };
	struct bytes head = { .nr = 0 };

	put_cie(&head, &cie, true, false);
	*s = (struct large){ 0 };
	large_put(s, head.b, head.nr);
}

static void large_fde(struct large *s, uint64_t address, uint64_t nr, const void *program,
		      size_t program_nr)
{
	uint32_t header[] = { (uint32_t)(4 + 16 + program_nr), 0 };
	uint64_t range[] = { address, nr };

	large_put(s, header, sizeof(header));
	large_put(s, range, sizeof(range));
	large_put(s, program, program_nr);
}

static struct ddp_cfi_input large_input(const struct large *s, const struct ddp_cfi_segment *code)
{
	return (struct ddp_cfi_input){
		.debug_frame = { .bytes = s->b, .nr = s->nr }, .segments = code, .nr_segments = 1,
	};
}

/* One row more a rule; rules and the image's are 16 bits */
static void more_rules_than_a_dictionary_holds(void **state)
{
	enum { RULES = DDPROF_UNWIND_MAX_RULES + 10 };
	const struct ddp_cfi_segment code = { CODE, CODE_OFFSET, 1 << 20 };
	struct ddp_cfi_counts n;
	CLEANUP(free) void *image = NULL;
	struct ddp_cfi_input in;
	struct ddp_rows t;
	struct large s;
	size_t nr;

	(void)state;
	large_begin(&s);
	for (uint32_t i = 0; i < RULES; i++) {
		uint8_t program[] = { 0x0e, (uint8_t)(i | 0x80), (uint8_t)(i >> 7 | 0x80),
				      (uint8_t)(i >> 14) };

		large_fde(&s, CODE + i, 1, program, sizeof(program));
	}
	in = large_input(&s, &code);
	assert_int_equal(ddp_cfi_table(&in, &image, &nr, &n), 0);
	t = open_image(image, nr);
	free(s.b);
	assert_int_equal(t.nr_rules, DDPROF_UNWIND_MAX_RULES);
	for (uint32_t i = 0; i < RULES; i++) {
		const struct ddprof_unwind_rule *u = ddp_rows_find(&t, CODE_OFFSET + i);

		assert_non_null(u);
		if (u->kind != DDPROF_UNWIND_UNKNOWN)
			assert_int_equal(u->offset, i);
		else	/* NONE and UNKNOWN are two more */
			assert_true(i >= DDPROF_UNWIND_MAX_RULES - 2);
	}
	assert_int_equal(n.unknown_bytes, 12);
	assert_int_equal(n.by_reason[DDP_CFI_RULES], 1);	/* row */
}

/* Rows at random places, a few close to each other and then none for long, found again */
static void every_address_finds_its_rule(void **state)
{
	enum { FUNCTIONS = 300 };
	static const unsigned int spreads[] = { 4, 12, 60, 3000, 70000, 5000000 };

	(void)state;
	for (size_t k = 0; k < sizeof(spreads) / sizeof(spreads[0]); k++) {
		const struct ddp_cfi_segment code = { CODE, CODE_OFFSET, 1ULL << 40 };
		uint64_t at[FUNCTIONS + 1] = { CODE };
		CLEANUP(free) void *image = NULL;
		struct ddp_cfi_input in;
		struct ddp_rows t;
		struct large s;
		size_t nr;

		large_begin(&s);
		for (uint32_t i = 0; i < FUNCTIONS; i++) {
			uint8_t program[] = { 0x0e, (uint8_t)(i % 100) };

			at[i + 1] = at[i] + 1 + rng() % spreads[k];
			large_fde(&s, at[i], at[i + 1] - at[i], program, sizeof(program));
		}
		in = large_input(&s, &code);
		assert_int_equal(ddp_cfi_table(&in, &image, &nr, NULL), 0);
		free(s.b);
		t = open_image(image, nr);
		for (uint32_t i = 0; i < FUNCTIONS; i++) {
			uint64_t first = at[i] - CODE + CODE_OFFSET;
			uint64_t last = at[i + 1] - 1 - CODE + CODE_OFFSET;

			assert_int_equal(ddp_rows_find(&t, first)->offset, i % 100);
			assert_int_equal(ddp_rows_find(&t, last)->offset, i % 100);
		}
		assert_true(!ddp_rows_find(&t, CODE_OFFSET - 1) ||
			    !ddp_rows_find(&t, CODE_OFFSET - 1)->kind);
	}
}

/* Damage. Whatever is done to a section, there is an image, and a valid one. */

static void must_be_valid(const struct ddp_cfi_input *in)
{
	CLEANUP(free) void *image = NULL;
	struct ddp_cfi_counts n;
	size_t nr;
	int r = ddp_cfi_table(in, &image, &nr, &n);

	if (r) {
		assert_int_equal(r, -EFBIG);
		return;
	}
	open_image(image, nr);
	assert_true(n.unknown_bytes <= n.code_bytes);
	assert_true(n.unknown_rows <= n.rows);
}

/* All that the tables above hold, in one section each */
static void put_everything(struct bytes *eh, struct bytes *debug)
{
	uint64_t at = CODE;
	size_t cie = put_cie(eh, &usual_cie, false, false);

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i += 3, at += 0x14)
		put_fde(eh, cie, at, 0x14, programs[i].program);
	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i += 3, at += 0x14)
		put_fde(eh, put_cie(eh, &cies[i].cie, false, i & 1), at, 0x14,
			(struct code)CODE_OF(FDE_USUAL));
	cie = put_cie(debug, &(struct cie){ 4, "", CODE_OF(""), CODE_OF(USUAL) }, true, false);
	for (size_t i = 1; i < sizeof(programs) / sizeof(programs[0]); i += 8, at += 0x14)
		put_debug_fde(debug, cie, at, 0x14, programs[i].program);
}

/* In memory of its exact size, so that ASan sees who leaves it */
static struct ddp_cfi_section exactly(const uint8_t *bytes, size_t nr, uint64_t address)
{
	uint8_t *copy = malloc(nr ? nr : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, nr);
	return (struct ddp_cfi_section){ .bytes = copy, .nr = nr, .address = address };
}

static void every_prefix(void **state)
{
	struct bytes eh = { .nr = 0 }, debug = { .nr = 0 };
	struct ddp_cfi_input in = input_of(&eh);

	(void)state;
	put_everything(&eh, &debug);
	for (size_t nr = 0; nr <= eh.nr || nr <= debug.nr; nr++) {
		in.eh_frame = exactly(eh.b, nr < eh.nr ? nr : eh.nr, SECTION);
		in.debug_frame = exactly(debug.b, nr < debug.nr ? nr : debug.nr, 0);
		must_be_valid(&in);
		free((void *)in.eh_frame.bytes);
		free((void *)in.debug_frame.bytes);
	}
}

static void every_byte_changed(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	struct bytes eh = { .nr = 0 }, debug = { .nr = 0 };
	struct ddp_cfi_input in;

	(void)state;
	put_everything(&eh, &debug);
	in = input_of(&eh);
	in.debug_frame = (struct ddp_cfi_section){ .bytes = debug.b, .nr = debug.nr };
	for (size_t i = 0; i < 3 * (eh.nr + debug.nr); i++) {
		uint8_t *b = i / 3 < eh.nr ? &eh.b[i / 3] : &debug.b[i / 3 - eh.nr];

		*b ^= changes[i % 3];
		must_be_valid(&in);
		*b ^= changes[i % 3];
	}
}

static void nothing_at_all(void **state)
{
	struct ddp_cfi_input in = { .nr_segments = 0 };
	struct ddp_cfi_counts n;
	CLEANUP(free) void *image = NULL;
	size_t nr;

	(void)state;
	assert_int_equal(ddp_cfi_table(&in, &image, &nr, &n), 0);
	assert_int_equal(open_image(image, nr).nr_rows, 0);
	assert_int_equal(n.rows, 0);
}

static void reasons_have_words(void **state)
{
	(void)state;
	for (int i = 0; i <= DDP_CFI_NR_REASONS; i++)
		assert_true(strlen(ddp_cfi_reason_text(i)) > (i == DDP_CFI_NR_REASONS ? 0 : 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions),
		cmocka_unit_test(reasons),
		cmocka_unit_test(lost_frame_pointers_are_counted),
		cmocka_unit_test(common_entries),
		cmocka_unit_test(strange_version_4),
		cmocka_unit_test(data_alignment_counts),
		cmocka_unit_test(pointer_encodings),
		cmocka_unit_test(encodings_of_nothing),
		cmocka_unit_test(set_loc_goes_forward_only),
		cmocka_unit_test(entries_beside_each_other),
		cmocka_unit_test(several_segments),
		cmocka_unit_test(offsets_that_no_image_has),
		cmocka_unit_test(pages_that_no_image_has),
		cmocka_unit_test(lengths),
		cmocka_unit_test(terminators),
		cmocka_unit_test(damaged_entries),
		cmocka_unit_test(an_fde_whose_augmentation_is_damaged),
		cmocka_unit_test(code_between_functions),
		cmocka_unit_test(a_trampoline_anywhere),
		cmocka_unit_test(what_bytes_say_goes_before_debug_frame),
		cmocka_unit_test(linkage_tables),
		cmocka_unit_test(several_linkage_tables),
		cmocka_unit_test(the_entry_is_a_root),
		cmocka_unit_test(more_rules_than_a_dictionary_holds),
		cmocka_unit_test(every_address_finds_its_rule),
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(reasons_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
