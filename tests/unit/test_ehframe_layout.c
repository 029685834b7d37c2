// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/ehframe: how entries lie beside each other, code that nobody describes between
 * them, PLTs and the entry, and tables that reach the limits of an image.
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

#include "cfi_bytes.h"
#include "lib/cleanup.h"

/* Entries beside each other. Each piece of code says who it is by its CFA: rsp + 8 * number */

struct piece {
	uint64_t address;
	uint32_t nr;
	int number;	/* 0: nothing is here */
};

enum { MAX_PIECES = 5 };

static void put_pieces(struct bytes *s, const struct piece *pieces, bool is_debug)
{
	size_t cie;

	if (!pieces->number)
		return;
	cie = cie_put(s, is_debug ? &debug_cie : &usual_cie, is_debug, false);
	for (; pieces->number; pieces++) {
		const char bytes[] = { 0x0e, (char)(8 * pieces->number) };
		const struct literal program = { bytes, 2 };

		if (is_debug)
			debug_fde_put(s, cie, pieces->address, pieces->nr, program);
		else
			fde_put(s, cie, pieces->address, pieces->nr, program);
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
	{ ".debug_frame says the same in another order",
	  { { CODE, 16, 1 }, { CODE + 0x40, 16, 2 } }, { { CODE + 0x40, 16, 3 }, { CODE, 16, 4 } },
	  "0 rsp+8, 10 none, 40 rsp+16, 50 none", 0 },
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
		in = cfi_input_of(&eh);
		in.debug_frame = (struct ddp_cfi_section){ .bytes = debug.b, .nr = debug.nr };
		cfi_expect(arrangements[i].what, &in, arrangements[i].table, &n);
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
		{ CODE + 0x1000, 0x20, 2 }, { CODE + 0x2010, 0x20, 3 },
		{ CODE + 0x10f0, 0x80, 4 },	/* the same, not into what follows in the file */
		{ 0 },
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in;

	(void)state;
	put_pieces(&s, pieces, false);
	in = cfi_input_of(&s);
	in.segments = segments;
	in.nr_segments = 3;
	cfi_expect("three segments", &in,
	       "0 rsp+16, 20 none, f0 rsp+32, 100 none, 110 rsp+24, 130 none, "
		   "2f0 rsp+8, 300 none", NULL);
}

/* Address 0 is none, even where there is code; nor is it the field that it counts from */
static void thrown_away_code(void **state)
{
	static const struct ddp_cfi_segment segments[] = {
		{ 0, CODE_OFFSET, 0x100 }, { SECTION, CODE_OFFSET + 0x100, 0x100 },
	};
	static const struct piece pieces[] = { { 0, 0x20, 1 }, { 0 } };
	struct bytes eh = { .nr = 0 }, debug = { .nr = 0 };
	struct ddp_cfi_counts n;
	struct ddp_cfi_input in;

	(void)state;
	put_pieces(&eh, pieces, false);
	put_pieces(&debug, pieces, true);
	in = cfi_input_of(&eh);
	in.debug_frame = (struct ddp_cfi_section){ .bytes = debug.b, .nr = debug.nr };
	in.segments = segments;
	in.nr_segments = 2;
	cfi_expect("address 0", &in, "", &n);
	assert_int_equal(n.by_reason[DDP_CFI_OUTSIDE], 2);
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
		struct ddp_cfi_input in = cfi_input_of(&s);

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
	in = cfi_input_of(&s);
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
	cie = cie_put(&s, &usual_cie, false, true);
	begin = entry_begin(&s, true);
	bytes_number(&s, begin - cie, 4);
	bytes_number(&s, CODE - (SECTION + s.nr), 4);
	bytes_number(&s, FDE_BYTES, 5);
	entry_end(&s, begin, true);
	in = cfi_input_of(&s);
	cfi_expect(".eh_frame, 64 bits", &in, "0 rsp+8" END, NULL);

	s.nr = 0;
	cie_put(&s, &debug_cie, true, true);
	begin = entry_begin(&s, true);
	bytes_number(&s, 0, 8);
	bytes_number(&s, CODE, 8);
	bytes_number(&s, FDE_BYTES, 8);
	entry_end(&s, begin, true);
	in.eh_frame = (struct ddp_cfi_section){ 0 };
	in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
	cfi_expect(".debug_frame, 64 bits", &in, "0 rsp+8" END, NULL);
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
	bytes_number(&s, 0, 4);
	put_pieces(&s, second, false);
	bytes_number(&s, 0, 4);
	in = cfi_input_of(&s);
	cfi_expect("a terminator in the middle", &in, "0 rsp+8, 20 rsp+16" END, NULL);
	in.eh_frame.open_ended = true;
	cfi_expect("a terminator at the end", &in, "0 rsp+8, 20 none", NULL);
}

static void damaged_entries(void **state)
{
	static const struct {
		const char *what;
		struct literal middle;	/* between a good entry and another with its own CIE */
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
		bytes_put(&s, rows[i].middle.bytes, rows[i].middle.nr);
		put_pieces(&s, second, false);
		in = cfi_input_of(&s);
		cfi_expect(rows[i].what, &in, rows[i].table, &n);
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
	cie = cie_put(&s, &usual_cie, false, false);
	begin = entry_begin(&s, false);
	bytes_number(&s, begin - cie, 4);
	bytes_number(&s, CODE - (SECTION + s.nr), 4);
	bytes_number(&s, FDE_BYTES, 4);
	bytes_number(&s, 0x70, 1);
	entry_end(&s, begin, false);
	in = cfi_input_of(&s);
	cfi_expect("data longer than the FDE", &in, "", &n);
	assert_int_equal(n.by_reason[DDP_CFI_ENTRY], 1);
}

/* Code that nobody describes. Between rsp+8 up to 10 and rsp+16 from 100 on */

#define NOP10 "\x66\x2e\x0f\x1f\x84\0\0\0\0\0"
#define SIGRETURN "\x48\xc7\xc0\x0f\0\0\0\x0f\x05"

static const struct {
	const char *what;
	uint32_t at;		/* of these bytes, counted from CODE; others are f4 (hlt) */
	struct literal bytes;
	uint32_t next;		/* where the second function begins */
	const char *table;
} gaps[] = {
	{ "nops of 10 bytes", 0x10, CODE_OF(NOP10 NOP10 NOP10 "\x66\x90"), 0x30,
	  "0 rsp+8, 30 rsp+16, 40 none" },
	{ "int3", 0x10, CODE_OF("\xcc\xcc\xcc\xcc\xcc"), 0x15, "0 rsp+8, 15 rsp+16, 25 none" },
	{ "zeros", 0x10, CODE_OF("\0\0\0\0\0\0\0"), 0x17, "0 rsp+8, 17 rsp+16, 27 none" },
	{ "ud2 and nops of all sizes", 0x10, CODE_OF("\x0f\x0b\x90\x66\x90\x0f\x1f\x00\x0f\x1f\x40"
	  "\x77\x0f\x1f\x44\0\x77\x66\x0f\x1f\x44\0\x77\x0f\x1f\x80\x77\x77\x77\x77"
	  "\x0f\x1f\x84\0\x77\x77\x77\x77"),
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
		struct code_bytes text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		memset(code, 0xf4, sizeof(code));
		memcpy(code + gaps[i].at, gaps[i].bytes.bytes, gaps[i].bytes.nr);
		put_pieces(&s, pieces, false);
		in = cfi_input_of(&s);
		in.read = text_read;
		in.ctx = &text;
		cfi_expect(gaps[i].what, &in, gaps[i].table, NULL);
	}
}

/* Where a function's alignment leaves room for no other; musl's trampoline is without CFI */
static void gaps_without_room_for_a_function(void **state)
{
	static const struct {
		const char *what;
		uint32_t first;		/* bytes of the function before; the next is at 10 */
		struct literal bytes;	/* right behind it */
		const char *table;
	} rows[] = {
		{ "a trampoline", 3, CODE_OF("\x90" SIGRETURN),
		  "0 rsp+8, 3 signal, d none, 10 rsp+16, 20 none" },
		{ "the short one, without a byte to spare", 9, CODE_OF("\xb8\x0f\0\0\0\x0f\x05"),
		  "0 rsp+8, 9 signal, 10 rsp+16, 20 none" },
		{ "another function all the same", 3, CODE_OF("\xc3"),
		  "0 rsp+8, 10 rsp+16, 20 none" },
		{ "another system call", 3, CODE_OF("\xb8\x01\0\0\0\x0f\x05\xc3"),
		  "0 rsp+8, 3 none, 10 rsp+16, 20 none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct piece pieces[] = {
			{ CODE, rows[i].first, 1 }, { CODE + 0x10, 0x10, 2 }, { 0 },
		};
		uint8_t code[CODE_BYTES];
		struct code_bytes text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		memset(code, 0xf4, sizeof(code));
		memcpy(code + rows[i].first, rows[i].bytes.bytes, rows[i].bytes.nr);
		put_pieces(&s, pieces, false);
		in = cfi_input_of(&s);
		in.read = text_read;
		in.ctx = &text;
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
		/* programs leave system calls to their C library: nothing is looked at */
		in.needs_libraries = true;
		cfi_expect(rows[i].what, &in, "0 rsp+8, 10 rsp+16, 20 none", NULL);
	}
}

/* Trampolines are found wherever they lie beside the borders of what is read at a time */
static void a_trampoline_anywhere(void **state)
{
	enum { BYTES = 0x5000, READ = 1 << 14 };
	static uint8_t code[BYTES];
	struct code_bytes text = { code, sizeof(code) };
	const struct ddp_cfi_segment segment = { CODE, CODE_OFFSET, BYTES };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);

	(void)state;
	in.segments = &segment;
	in.code_end = CODE_OFFSET + BYTES;
	in.ctx = &text;
	in.read = text_read;
	for (uint32_t at = READ - 40; at < READ + 20; at++) {
		char table[100];

		memset(code, 0xf4, sizeof(code));
		memcpy(code + at, SIGRETURN, sizeof(SIGRETURN) - 1);
		snprintf(table, sizeof(table), "%x signal, %x none", at - 1, at + 9);
		cfi_expect("a trampoline", &in, table, NULL);
	}
}

/* Go's, which .debug_frame describes as functions like any other */
static void data_is_not_searched(void **state)
{
	uint8_t code[CODE_BYTES];
	struct code_bytes text = { code, sizeof(code) };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);

	(void)state;
	memset(code, 0xf4, sizeof(code));
	for (uint32_t at = 0x100; at < CODE_BYTES; at += 0x100)
		memcpy(code + at, SIGRETURN, sizeof(SIGRETURN) - 1);
	in.read = text_read;
	in.ctx = &text;
	in.code_start = CODE_OFFSET + 0x300;
	in.code_end = CODE_OFFSET + 0x480;
	cfi_expect("code in the middle", &in, "300 signal, 309 none, 3ff signal, 409 none", NULL);
}

static void what_bytes_say_goes_before_debug_frame(void **state)
{
	static const struct piece pieces[] = {
		{ CODE, 0x40, 1 }, { CODE + 0x40, 11, 2 }, { CODE + 0x60, 0x40, 3 },
		{ CODE + 0xa0, 0x40, 4 }, { 0 },
	};
	static uint8_t code[CODE_BYTES];
	struct code_bytes text = { code, sizeof(code) };
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);

	(void)state;
	memset(code, 0xcc, sizeof(code));
	memcpy(code + 0x40, SIGRETURN, sizeof(SIGRETURN) - 1);
	memcpy(code + 0x70, "\x41\xff\xd4\xbf\x6f\0\0\0\xb8\x3c\0\0\0\x0f\x05\xeb\xf2", 17);
	memcpy(code + 0xb0, "\x48\xc7\xc5\0\0\0\0\x50\x4c\x8b\x22\x41\xff\xd4\x90\x58", 16);
	put_pieces(&s, pieces, true);
	in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
	in.read = text_read;
	in.ctx = &text;
	cfi_expect("Go", &in, "0 rsp+8, 3f signal, 60 rsp+24, 70 stop, 7f none, "
		   "a0 rsp+32, bb stop, be none", NULL);
	in.read = NULL;
	cfi_expect("Go, unread", &in,
		   "0 rsp+8, 40 rsp+16, 4b none, 60 rsp+24, a0 rsp+32, e0 none", NULL);
}

/* A call that does not return may be a function's last bytes: they are looked up for its caller */
static void the_byte_before_a_trampoline(void **state)
{
	static const struct {
		const char *what;
		struct literal before;
		const char *table;
	} rows[] = {
		{ "int3", CODE_OF("\xcc"), "0 rsp+8, 3f signal, 49 none" },
		{ "a nop", CODE_OF("\x90"), "0 rsp+8, 3f signal, 49 none" },
		{ "a nop that ends in zeros", CODE_OF(NOP10), "0 rsp+8, 3f signal, 49 none" },
		{ "a call forward", CODE_OF("\xe8\x10\x20\0\0"),
		  "0 rsp+8, 40 signal, 49 none" },
		{ "a call backward", CODE_OF("\xe8\x10\x20\xff\xff"),
		  "0 rsp+8, 40 signal, 49 none" },
		{ "a call by a pointer", CODE_OF("\xff\x15\x10\x20\0\0"),
		  "0 rsp+8, 40 signal, 49 none" },
		{ "a call by a register", CODE_OF("\xff\xd0"), "0 rsp+8, 40 signal, 49 none" },
	};
	static const struct piece pieces[] = { { CODE, 0x40, 1 }, { CODE + 0x40, 9, 2 }, { 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t code[CODE_BYTES];
		struct code_bytes text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in = cfi_input_of(&s);

		memset(code, 0xcc, sizeof(code));
		memcpy(code + 0x40 - rows[i].before.nr, rows[i].before.bytes, rows[i].before.nr);
		memcpy(code + 0x40, SIGRETURN, sizeof(SIGRETURN) - 1);
		put_pieces(&s, pieces, true);
		in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
		in.read = text_read;
		in.ctx = &text;
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
	}
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
	struct literal bytes;
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
	{ "from an aligned entry on", 0x28, CODE_OF(DIRECT LAZY), 0, 0, true,
	  "28 rsp+8, 30 plt rsp+8 11, 40 none" },
	{ "half an entry", 0x20, CODE_OF(LAZY "\xff\x25\0\0\0\0\x68\0"), 0, 0, true,
	  "20 plt rsp+8 11, 30 rsp+8, 38 none" },
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
		const struct ddp_cfi_stub plt = {
			CODE + plts[i].at, plts[i].bytes.nr, DDP_CFI_STUB_PLT,
		};
		uint8_t code[CODE_BYTES];
		struct code_bytes text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in;

		memset(code, 0xf4, sizeof(code));
		memcpy(code + plts[i].at, plts[i].bytes.bytes, plts[i].bytes.nr);
		put_pieces(&s, pieces, false);
		in = cfi_input_of(&s);
		in.stubs = &plt;
		in.nr_stubs = 1;
		in.read = plts[i].readable ? text_read : NULL;
		in.ctx = &text;
		cfi_expect(plts[i].what, &in, plts[i].table, NULL);
	}
}

/* What the linker puts together from pieces of the C library, without CFI */
static void beginning_and_end(void **state)
{
	static const struct {
		const char *what;
		struct literal bytes;
		const char *table;
	} rows[] = {
		{ "as it is", CODE_OF("\x48\x83\xec\x08\xf4\xf4\x48\x83\xc4\x08\xc3"),
		  "20 rsp+8, 24 rsp+16, 2a rsp+8, 2b none" },
		{ "with endbr64",
		  CODE_OF("\xf3\x0f\x1e\xfa\x48\x83\xec\x08\xf4\x48\x83\xc4\x08\xc3"),
		  "20 rsp+8, 28 rsp+16, 2d rsp+8, 2e none" },
		{ "another frame", CODE_OF("\x48\x83\xec\x18\xf4\xf4\x48\x83\xc4\x18\xc3"), "" },
		{ "without an end", CODE_OF("\x48\x83\xec\x08\xf4\xf4\xf4\xf4\xf4\xf4\xf4"), "" },
		{ "hardly a beginning", CODE_OF("\x48\x83\xec\x08\xc3"), "" },
		{ "one byte", CODE_OF("\xc3"), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_cfi_stub stub = {
			CODE + 0x20, rows[i].bytes.nr, DDP_CFI_STUB_INIT,
		};
		uint8_t code[CODE_BYTES];
		struct code_bytes text = { code, sizeof(code) };
		struct bytes s = { .nr = 0 };
		struct ddp_cfi_input in = cfi_input_of(&s);

		memset(code, 0xf4, sizeof(code));
		memcpy(code + 0x20, rows[i].bytes.bytes, rows[i].bytes.nr);
		in.stubs = &stub;
		in.nr_stubs = 1;
		in.read = text_read;
		in.ctx = &text;
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
		in.read = NULL;
		cfi_expect("unread", &in, "", NULL);
	}
}

static void several_linkage_tables(void **state)
{
	const struct ddp_cfi_stub plt[] = {
		{ CODE + 0x80, 0x10, DDP_CFI_STUB_PLT }, { CODE, 0x20, DDP_CFI_STUB_PLT },
		/* a damaged file's: overlaps, in no segment, past the end */
		{ CODE + 0x10, 0x30, DDP_CFI_STUB_PLT }, { CODE - 0x10, 0x10, DDP_CFI_STUB_PLT },
		{ CODE + CODE_BYTES - 0x10, UINT64_MAX, DDP_CFI_STUB_PLT },
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);

	(void)state;
	in.stubs = plt;
	in.nr_stubs = 5;
	cfi_expect("five", &in, "0 rsp+8, 40 none, 80 rsp+8, 90 none, ff0 rsp+8, 1000 none", NULL);
}

static int count_reads(void *ctx, uint64_t offset, void *to, size_t nr)
{
	(void)offset;
	memset(to, 0, nr);
	++*(size_t *)ctx;
	return 0;
}

/* One that is a hole costs its owner nothing, and nobody the time to read it */
static void a_linkage_table_larger_than_any(void **state)
{
	const struct ddp_cfi_segment segment = { CODE, CODE_OFFSET, 64 << 20 };
	const struct ddp_cfi_stub plt[] = {
		{ CODE, (16 << 20) + 1, DDP_CFI_STUB_PLT },
		{ CODE + (32 << 20), UINT64_MAX, DDP_CFI_STUB_PLT },
	};
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);
	size_t reads = 0;

	(void)state;
	in.segments = &segment;
	in.stubs = plt;
	in.nr_stubs = 2;
	in.read = count_reads;
	in.ctx = &reads;
	cfi_expect("two", &in, "", NULL);
	assert_true(reads < 10000);
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
		in = cfi_input_of(&s);
		in.entry = rows[i].entry;
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
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
	struct bytes head = { .nr = 0 };

	cie_put(&head, &debug_cie, true, false);
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
	t = cfi_open(image, nr);
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
	static const unsigned int spreads[] = { 4, 12, 60, 3000, 40000, 70000, 12000000 };

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
		for (uint32_t i = 0; i < FUNCTIONS; i++)
			at[i + 1] = at[i] + 1 + rng() % spreads[k];
		for (uint32_t n = 0; n < FUNCTIONS; n++) {
			uint32_t i = n * 7 % FUNCTIONS;	/* not in order: 7 does not divide 300 */
			uint8_t program[] = { 0x0e, (uint8_t)(i % 100) };

			large_fde(&s, at[i], at[i + 1] - at[i], program, sizeof(program));
		}
		in = large_input(&s, &code);
		assert_int_equal(ddp_cfi_table(&in, &image, &nr, NULL), 0);
		free(s.b);
		t = cfi_open(image, nr);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_beside_each_other),
		cmocka_unit_test(several_segments),
		cmocka_unit_test(thrown_away_code),
		cmocka_unit_test(offsets_that_no_image_has),
		cmocka_unit_test(pages_that_no_image_has),
		cmocka_unit_test(lengths),
		cmocka_unit_test(terminators),
		cmocka_unit_test(damaged_entries),
		cmocka_unit_test(an_fde_whose_augmentation_is_damaged),
		cmocka_unit_test(code_between_functions),
		cmocka_unit_test(gaps_without_room_for_a_function),
		cmocka_unit_test(a_trampoline_anywhere),
		cmocka_unit_test(data_is_not_searched),
		cmocka_unit_test(what_bytes_say_goes_before_debug_frame),
		cmocka_unit_test(the_byte_before_a_trampoline),
		cmocka_unit_test(linkage_tables),
		cmocka_unit_test(beginning_and_end),
		cmocka_unit_test(several_linkage_tables),
		cmocka_unit_test(a_linkage_table_larger_than_any),
		cmocka_unit_test(the_entry_is_a_root),
		cmocka_unit_test(more_rules_than_a_dictionary_holds),
		cmocka_unit_test(every_address_finds_its_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
