// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/ehframe on sections put together by hand: every instruction, encoding and
 * augmentation as a row of a table, and damage to all of them. How entries lie beside each other:
 * test_ehframe_layout.c.
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

/* Instructions */

#define PLT "\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"

static const struct {
	const char *what;
	struct literal program;
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
	{ "advance past the end in two steps", CODE_OF("\x70\x0e\x10\x70\x0e\x18"),
	  "0 rsp+8, 30 rsp+16" END },
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
	{ "offset of others", CODE_OF("\x80\x02\x8c\x03\x8d\x04\x8e\x05\x8f\x06"),
	  "0 rsp+8" END },
	{ "offset of rbx", CODE_OF("\x83\x02\x41\xc3"), "0 rsp+8 bx=cfa-16, 1 rsp+8" END },
	{ "offset of rbx that just fits", CODE_OF("\x83\x7f"), "0 rsp+8 bx=cfa-1016" END },
	{ "offset of rbx that does not", CODE_OF("\x83\x80\x01"), "0 rsp+8 bx=?" END },
	{ "offset of rbx upwards", CODE_OF("\x11\x03\x7e"), "0 rsp+8 bx=?" END },
	{ "offset of rbx at the CFA", CODE_OF("\x83\x00"), "0 rsp+8 bx=?" END },
	{ "offset of rbx between words", CODE_OF("\x10\x03\x02\x3a\x1c"), "0 rsp+8 bx=?" END },
	{ "rbx by the CFA", CODE_OF("\x10\x03\x03\x08\x10\x1c"), "0 rsp+8 bx=cfa-16" END },
	{ "rbx by rbp", CODE_OF("\x10\x03\x02\x76\x78"), "0 rsp+8 bx=?" END },
	{ "rbx undefined, then the same", CODE_OF("\x07\x03\x41\x08\x03"),
	  "0 rsp+8 bx=?, 1 rsp+8" END },
	{ "rbx in a register", CODE_OF("\x09\x03\x0c"), "0 rsp+8 bx=?" END },
	{ "rbx and rbp", CODE_OF("\x83\x03\x86\x02"), "0 rsp+8 bp=cfa-16 bx=cfa-24" END },
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
	{ "expressions of others", CODE_OF("\x10\x0d\x02\x76\x78\x16\x0c\x02\x76\x78"),
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

		fde_put(&s, cie_put(&s, &usual_cie, false, false), CODE, FDE_BYTES,
			programs[i].program);
		in = cfi_input_of(&s);
		cfi_expect(programs[i].what, &in, programs[i].table, NULL);
	}
}

static void reasons(void **state)
{
	static const struct {
		const char *what;
		struct literal program;
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

		fde_put(&s, cie_put(&s, &usual_cie, false, false), CODE, FDE_BYTES,
			rows[i].program);
		in = cfi_input_of(&s);
		cfi_expect(rows[i].what, &in, "0 unknown" END, &n);
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
	fde_put(&s, cie_put(&s, &usual_cie, false, false), CODE, FDE_BYTES,
		(struct literal)CODE_OF("\x07\x06\x42\xc6"));
	in = cfi_input_of(&s);
	cfi_expect("lost, then found", &in, "0 rsp+8 bp=?, 2 rsp+8" END, &n);
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

		fde_put(&s, cie_put(&s, &cies[i].cie, false, false), CODE, FDE_BYTES,
			(struct literal)CODE_OF(FDE_USUAL));
		in = cfi_input_of(&s);
		cfi_expect(cies[i].what, &in, cies[i].table, &n);
		assert_int_equal(n.by_reason[DDP_CFI_CIE], !*cies[i].table);
	}
}

/* A return address column that is not rip's, and selectors and sizes that are not x86-64's */
static void strange_version_4(void **state)
{
	static const struct {
		const char *what;
		struct literal header;	/* behind the augmentation string */
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
		struct ddp_cfi_input in = cfi_input_of(&s);
		size_t begin = entry_begin(&s, false);

		bytes_number(&s, UINT32_MAX, 4);
		bytes_put(&s, "\x04", 2);	/* version, no augmentation */
		bytes_put(&s, rows[i].header.bytes, rows[i].header.nr);
		bytes_put(&s, USUAL, sizeof(USUAL) - 1);
		entry_end(&s, begin, false);
		debug_fde_put(&s, 0, CODE, FDE_BYTES, (struct literal)CODE_OF(""));
		in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
	}
}

static void data_alignment_counts(void **state)
{
	struct bytes s = { .nr = 0 };
	struct ddp_cfi_input in = cfi_input_of(&s);
	size_t begin = entry_begin(&s, false);

	(void)state;
	bytes_number(&s, UINT32_MAX, 4);
	/* code 4, data -4 */
	bytes_put(&s, "\x03\0\x04\x7c\x10\x0c\x07\x08\x90\x02", 10);
	entry_end(&s, begin, false);
	debug_fde_put(&s, 0, CODE, FDE_BYTES, (struct literal)CODE_OF("\x41\x13\x7c\x86\x04"));
	in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
	cfi_expect("alignments of 4 and -4", &in, "0 rsp+8, 4 rsp+16 bp=cfa-16" END, NULL);
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
			bytes_number(s, 0, 1);
	v -= base == 1 ? SECTION + s->nr : base;
	if (nr) {
		bytes_number(s, v, nr);
		return;
	}
	for (int i = 0; i < 9; i++, v >>= 7)
		bytes_number(s, (v & 0x7f) | 0x80, 1);
	bytes_number(s, v & 1, 1);	/* of an address: the sign is 0 */
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
		size_t at = cie_put(&s, &cie, false, false), begin = entry_begin(&s, false);
		struct ddp_cfi_input in;

		bytes_number(&s, begin - at, 4);
		put_encoded(&s, how, encodings[i].base, nr, CODE);
		put_encoded(&s, how & 0x0f, 0, nr, FDE_BYTES);
		bytes_put(&s, "\x00\x01", 2);
		put_encoded(&s, how, encodings[i].base, nr, CODE + 0x24);
		bytes_put(&s, "\x0e\x10", 2);
		entry_end(&s, begin, false);
		in = cfi_input_of(&s);
		in.text = (how & 0x70) == 0x20 ? encodings[i].base : 0;
		in.data = (how & 0x70) == 0x30 ? encodings[i].base : 0;
		cfi_expect(encodings[i].what, &in, "0 rsp+8, 24 rsp+16" END, NULL);
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

		fde_put(&s, cie_put(&s, &cie, false, false), CODE, FDE_BYTES,
			(struct literal)CODE_OF(""));
		in = cfi_input_of(&s);
		cfi_expect("a bad encoding", &in, "", &n);
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
				struct bytes s = { .nr = 0 }, program = { .nr = 0 };
		struct ddp_cfi_input in = cfi_input_of(&s);

		bytes_put(&program, "\x48\x0e\x10\x01", 4);
		bytes_number(&program, rows[i].to, 8);
		bytes_put(&program, "\x0e\x18", 2);
		cie_put(&s, &debug_cie, true, false);
		debug_fde_put(&s, 0, CODE, FDE_BYTES,
			      (struct literal){ (const char *)program.b, program.nr });
		in.debug_frame = (struct ddp_cfi_section){ .bytes = s.b, .nr = s.nr };
		cfi_expect(rows[i].what, &in, rows[i].table, NULL);
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
	cfi_open(image, nr);
	assert_true(n.unknown_bytes <= n.code_bytes);
	assert_true(n.unknown_rows <= n.rows);
}

/* All that the tables above hold, in one section each */
static void put_everything(struct bytes *eh, struct bytes *debug)
{
	uint64_t at = CODE;
	size_t cie = cie_put(eh, &usual_cie, false, false);

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i += 3, at += 0x14)
		fde_put(eh, cie, at, 0x14, programs[i].program);
	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i += 3, at += 0x14)
		fde_put(eh, cie_put(eh, &cies[i].cie, false, i & 1), at, 0x14,
			(struct literal)CODE_OF(FDE_USUAL));
	cie = cie_put(debug, &(struct cie){ 4, "", CODE_OF(""), CODE_OF(USUAL) }, true, false);
	for (size_t i = 1; i < sizeof(programs) / sizeof(programs[0]); i += 8, at += 0x14)
		debug_fde_put(debug, cie, at, 0x14, programs[i].program);
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
	struct ddp_cfi_input in = cfi_input_of(&eh);

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
	in = cfi_input_of(&eh);
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
	assert_int_equal(cfi_open(image, nr).nr_rows, 0);
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
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(reasons_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
