// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_program.h. Numbers of instructions: DWARF 5, section 7.24; the GNU ones: LSB 5,
 * "DWARF Extensions", and binutils. Offsets are 64 bits of a file's choice and may wrap around.
 */
#include "unwind/ehframe_program.h"

enum {
	/* the high two bits, with an operand in the others */
	CFA_ADVANCE_LOC = 0x40, CFA_OFFSET = 0x80, CFA_RESTORE = 0xc0,

	CFA_NOP = 0x00, CFA_SET_LOC, CFA_ADVANCE_LOC1, CFA_ADVANCE_LOC2, CFA_ADVANCE_LOC4,
	CFA_OFFSET_EXTENDED, CFA_RESTORE_EXTENDED, CFA_UNDEFINED, CFA_SAME_VALUE, CFA_REGISTER,
	CFA_REMEMBER_STATE, CFA_RESTORE_STATE,
	CFA_DEF_CFA, CFA_DEF_CFA_REGISTER, CFA_DEF_CFA_OFFSET, CFA_DEF_CFA_EXPRESSION,
	CFA_EXPRESSION, CFA_OFFSET_EXTENDED_SF, CFA_DEF_CFA_SF, CFA_DEF_CFA_OFFSET_SF,
	CFA_VAL_OFFSET, CFA_VAL_OFFSET_SF, CFA_VAL_EXPRESSION,
	CFA_MIPS_ADVANCE_LOC8 = 0x1d,
	CFA_GNU_WINDOW_SAVE = 0x2d,	/* on AArch64 negate_ra_state */
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

static const struct cfi_value nothing;

static int64_t factored(const struct cfi_program *p, uint64_t n)
{
	return (int64_t)(n * (uint64_t)p->cie->data_align);
}

static struct cfi_value cfa_plus(int64_t offset)
{
	return (struct cfi_value){ .form = CFI_VALUE_CFA, .offset = offset };
}

static struct cfi_value reg_plus(uint64_t reg, int64_t offset)
{
	if (reg >= CFI_PC_COLUMN)
		return nothing;
	return (struct cfi_value){ .form = CFI_VALUE_REG, .reg = (uint8_t)reg, .offset = offset };
}

/* Which place a column is; CFI_NR_PLACES: none that rules speak of */
static unsigned int place_of(const struct cfi_program *p, uint64_t reg)
{
	if (reg == p->cie->ra)
		return CFI_RA;
	switch (reg) {
	case CFI_REG_BX:
		return CFI_BX;
	case CFI_REG_BP:
		return CFI_BP;
	case CFI_REG_SP:
		return CFI_SP;
	default:
		return CFI_NR_PLACES;
	}
}

static void set_place(struct cfi_program *p, uint64_t reg, enum cfi_how how, struct cfi_value v)
{
	unsigned int i = place_of(p, reg);

	if (i < CFI_NR_PLACES)
		p->state.place[i] = (struct cfi_place){ (uint8_t)how, v };
}

static void restore_place(struct cfi_program *p, uint64_t reg)
{
	unsigned int i = place_of(p, reg);

	if (i < CFI_NR_PLACES)
		p->state.place[i] = p->cie->initial.place[i];
}

/* Instructions; 0, or -EBADMSG for one that is damaged or cut short */

static int advance(struct cfi_program *p, uint64_t n)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n, p->cie->code_align, &bytes) || bytes > p->nr - p->to)
		p->to = p->nr;
	else
		p->to += bytes;
	return 0;
}

static int advance_by_field(struct cfi_program *p, size_t field_bytes)
{
	uint64_t n;
	int r = cursor_fixed(&p->code, field_bytes, &n);

	return r ?: advance(p, n);
}

/* Forward only, as DWARF has it */
static int set_loc(struct cfi_program *p)
{
	struct cfi_bases bases = p->cie->bases;
	uint64_t address;
	int r;

	bases.function = p->address;
	r = cfi_pointer(&p->code, p->cie->encoding, &bases, &address);
	if (r || address < p->address || address - p->address < p->to)
		return -EBADMSG;
	address -= p->address;
	p->to = address < p->nr ? address : p->nr;
	return 0;
}

static int offset_of(struct cfi_program *p, uint64_t reg, enum cfi_how how)
{
	uint64_t n;
	int r = cursor_varint(&p->code, &n);

	if (!r)
		set_place(p, reg, how, cfa_plus(factored(p, n)));
	return r;
}

static int offset_of_signed(struct cfi_program *p, uint64_t reg, enum cfi_how how)
{
	int64_t n;
	int r = cursor_sleb(&p->code, &n);

	if (!r)
		set_place(p, reg, how, cfa_plus(factored(p, (uint64_t)n)));
	return r;
}

static int negative_offset_of(struct cfi_program *p, uint64_t reg)
{
	uint64_t n;
	int r = cursor_varint(&p->code, &n);

	if (!r)
		set_place(p, reg, CFI_AT, cfa_plus(factored(p, 0 - n)));
	return r;
}

static int in_register(struct cfi_program *p, uint64_t reg)
{
	uint64_t other;
	int r = cursor_varint(&p->code, &other);

	if (!r)
		set_place(p, reg, CFI_IS, reg_plus(other, 0));
	return r;
}

static int read_expression(struct cfi_program *p, struct cfi_value first, struct cfi_value *ret)
{
	struct cursor bytes;
	uint64_t n;
	int r = cursor_varint(&p->code, &n);

	r = r ?: cursor_slice(&p->code, n, &bytes);
	if (!r)
		*ret = cfi_expression(bytes, first);
	return r;
}

static int expression_of(struct cfi_program *p, uint64_t reg, enum cfi_how how)
{
	struct cfi_value v;
	int r = read_expression(p, cfa_plus(0), &v);

	if (!r)
		set_place(p, reg, how, v);
	return r;
}

static int def_cfa(struct cfi_program *p, bool is_signed)
{
	uint64_t reg, n = 0;
	int64_t s = 0;
	int r = cursor_varint(&p->code, &reg);

	r = r ?: is_signed ? cursor_sleb(&p->code, &s) : cursor_varint(&p->code, &n);
	if (!r)
		p->state.cfa = reg_plus(reg, is_signed ? factored(p, (uint64_t)s) : (int64_t)n);
	return r;
}

/* The next two have a meaning only where the CFA is register plus offset */

static int def_cfa_register(struct cfi_program *p)
{
	uint64_t reg;
	int r = cursor_varint(&p->code, &reg);

	if (!r)
		p->state.cfa = p->state.cfa.form == CFI_VALUE_REG ?
			       reg_plus(reg, p->state.cfa.offset) : nothing;
	return r;
}

static int def_cfa_offset(struct cfi_program *p, bool is_signed)
{
	uint64_t n = 0;
	int64_t s = 0;
	int r = is_signed ? cursor_sleb(&p->code, &s) : cursor_varint(&p->code, &n);

	if (r)
		return r;
	if (p->state.cfa.form == CFI_VALUE_REG)
		p->state.cfa.offset = is_signed ? factored(p, (uint64_t)s) : (int64_t)n;
	else
		p->state.cfa = nothing;
	return 0;
}

static int remember(struct cfi_program *p)
{
	if (p->depth == CFI_MAX_REMEMBERED) {
		p->fault = DDP_CFI_STATES;
		return -EBADMSG;
	}
	p->remembered[p->depth++] = p->state;
	return 0;
}

static int restore(struct cfi_program *p)
{
	if (!p->depth) {
		p->fault = DDP_CFI_STATES;
		return -EBADMSG;
	}
	p->state = p->remembered[--p->depth];
	return 0;
}

static int skip_number(struct cfi_program *p)
{
	uint64_t n;

	return cursor_varint(&p->code, &n);
}

/* Those whose first operand is a register */
static int about_register(struct cfi_program *p, uint8_t op)
{
	uint64_t reg;
	int r = cursor_varint(&p->code, &reg);

	if (r)
		return r;
	switch (op) {
	case CFA_OFFSET_EXTENDED:
		return offset_of(p, reg, CFI_AT);
	case CFA_OFFSET_EXTENDED_SF:
		return offset_of_signed(p, reg, CFI_AT);
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		return negative_offset_of(p, reg);
	case CFA_VAL_OFFSET:
		return offset_of(p, reg, CFI_IS);
	case CFA_VAL_OFFSET_SF:
		return offset_of_signed(p, reg, CFI_IS);
	case CFA_EXPRESSION:
		return expression_of(p, reg, CFI_AT);
	case CFA_VAL_EXPRESSION:
		return expression_of(p, reg, CFI_IS);
	case CFA_REGISTER:
		return in_register(p, reg);
	case CFA_UNDEFINED:
		set_place(p, reg, CFI_UNDEFINED, nothing);
		return 0;
	case CFA_SAME_VALUE:
		set_place(p, reg, CFI_SAME, nothing);
		return 0;
	case CFA_RESTORE_EXTENDED:
		restore_place(p, reg);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int extended(struct cfi_program *p, uint8_t op)
{
	switch (op) {
	case CFA_NOP:
	case CFA_GNU_WINDOW_SAVE:
		return 0;
	case CFA_SET_LOC:
		return set_loc(p);
	case CFA_ADVANCE_LOC1:
		return advance_by_field(p, 1);
	case CFA_ADVANCE_LOC2:
		return advance_by_field(p, 2);
	case CFA_ADVANCE_LOC4:
		return advance_by_field(p, 4);
	case CFA_MIPS_ADVANCE_LOC8:
		return advance_by_field(p, 8);
	case CFA_REMEMBER_STATE:
		return remember(p);
	case CFA_RESTORE_STATE:
		return restore(p);
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
		return def_cfa(p, op == CFA_DEF_CFA_SF);
	case CFA_DEF_CFA_REGISTER:
		return def_cfa_register(p);
	case CFA_DEF_CFA_OFFSET:
	case CFA_DEF_CFA_OFFSET_SF:
		return def_cfa_offset(p, op == CFA_DEF_CFA_OFFSET_SF);
	case CFA_DEF_CFA_EXPRESSION:
		return read_expression(p, nothing, &p->state.cfa);
	case CFA_GNU_ARGS_SIZE:
		return skip_number(p);
	default:
		return about_register(p, op);
	}
}

static int instruction(struct cfi_program *p)
{
	uint8_t op = *p->code.pos++;

	switch (op & 0xc0) {
	case CFA_ADVANCE_LOC:
		return advance(p, op & 0x3f);
	case CFA_OFFSET:
		return offset_of(p, op & 0x3f, CFI_AT);
	case CFA_RESTORE:
		restore_place(p, op & 0x3f);
		return 0;
	default:
		return extended(p, op);
	}
}

void cfi_program_init(struct cfi_program *p, const struct cfi_cie *cie, struct cursor code,
		      uint64_t address, uint64_t nr)
{
	p->code = code;
	p->cie = cie;
	p->address = address;
	p->nr = nr;
	p->from = p->to = 0;
	p->fault = -1;
	p->state = cie->initial;
	p->depth = 0;
}

void cfi_program_step(struct cfi_program *p)
{
	p->from = p->to;
	while (p->to == p->from) {
		if (!cursor_left(&p->code)) {
			p->to = p->nr;
			return;
		}
		if (instruction(p)) {
			if (p->fault < 0)
				p->fault = DDP_CFI_OPCODE;
			p->code.pos = p->code.end;
		}
	}
}
