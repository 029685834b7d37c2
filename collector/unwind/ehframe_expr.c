// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_expr.h. Numbers of operations: DWARF 5, section 7.7.1. The formula of a procedure
 * linkage table is the one that GNU ld writes for .plt.
 */
#include "unwind/ehframe_expr.h"

#include <stdbool.h>

enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08, OP_CONST1S, OP_CONST2U, OP_CONST2S,
	OP_CONST4U, OP_CONST4S, OP_CONST8U, OP_CONST8S,
	OP_CONSTU, OP_CONSTS,
	OP_AND = 0x1a, OP_MINUS = 0x1c, OP_PLUS = 0x22, OP_PLUS_UCONST = 0x23, OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30, OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70, OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
	OP_NOP = 0x96,
};

enum { MAX_STACK = 8 };	/* the formula of a PLT needs 3 */

struct machine {
	struct cursor code;
	struct cfi_value stack[MAX_STACK];
	unsigned int nr;
};

static const struct cfi_value other;

/* Numbers in files are 64 bits and may wrap around */
static int64_t sum(int64_t a, uint64_t b)
{
	return (int64_t)((uint64_t)a + b);
}

static bool is_const(const struct cfi_value *v, int64_t n)
{
	return v->form == CFI_VALUE_CONST && v->offset == n;
}

static int push(struct machine *m, struct cfi_value v)
{
	if (m->nr == MAX_STACK)
		return -EBADMSG;
	m->stack[m->nr++] = v;
	return 0;
}

static int push_const(struct machine *m, int64_t n)
{
	return push(m, (struct cfi_value){ .form = CFI_VALUE_CONST, .offset = n });
}

static struct cfi_value plus_number(struct cfi_value v, uint64_t n)
{
	switch (v.form) {
	case CFI_VALUE_CONST:
	case CFI_VALUE_CFA:
	case CFI_VALUE_REG:
	case CFI_VALUE_PLT:
		v.offset = sum(v.offset, n);
		return v;
	case CFI_VALUE_DEREF:
		v.add = sum(v.add, n);
		return v;
	default:
		return n ? other : v;
	}
}

static struct cfi_value plus(struct cfi_value a, struct cfi_value b)
{
	struct cfi_value sum_of_both = a;

	if (b.form == CFI_VALUE_CONST)
		return plus_number(a, (uint64_t)b.offset);
	if (a.form == CFI_VALUE_CONST)
		return plus_number(b, (uint64_t)a.offset);
	if (a.form != CFI_VALUE_REG || b.form != CFI_VALUE_PC15_GE_8)
		return other;
	sum_of_both.form = CFI_VALUE_PLT;
	sum_of_both.add = b.add;
	return sum_of_both;
}

static struct cfi_value binary(uint8_t op, struct cfi_value a, struct cfi_value b)
{
	if (op == OP_PLUS)
		return plus(a, b);
	if (op == OP_MINUS && b.form == CFI_VALUE_CONST)
		return plus_number(a, 0 - (uint64_t)b.offset);
	if (op == OP_AND && a.form == CFI_VALUE_PC && is_const(&b, 15))
		return (struct cfi_value){ .form = CFI_VALUE_PC15 };
	if (op == OP_GE && a.form == CFI_VALUE_PC15 && b.form == CFI_VALUE_CONST)
		return (struct cfi_value){ .form = CFI_VALUE_PC15_GE, .add = b.offset };
	if (op == OP_SHL && a.form == CFI_VALUE_PC15_GE && is_const(&b, 3))
		return (struct cfi_value){ .form = CFI_VALUE_PC15_GE_8, .add = a.add };
	return other;
}

static struct cfi_value deref(struct cfi_value v)
{
	if (v.form != CFI_VALUE_REG)
		return other;
	v.form = CFI_VALUE_DEREF;
	return v;
}

static struct cfi_value based(uint64_t reg, int64_t offset)
{
	if (reg == CFI_PC_COLUMN && !offset)
		return (struct cfi_value){ .form = CFI_VALUE_PC };
	if (reg >= CFI_PC_COLUMN)
		return other;
	return (struct cfi_value){ .form = CFI_VALUE_REG, .reg = (uint8_t)reg, .offset = offset };
}

static int push_based(struct machine *m, uint64_t reg)
{
	int64_t offset;
	int r = cursor_sleb(&m->code, &offset);

	return r ?: push(m, based(reg, offset));
}

/* A number of 1 << @log bytes */
static int push_fixed(struct machine *m, unsigned int log, bool is_signed)
{
	unsigned int spare = 64 - (8U << log);
	uint64_t v;
	int r = cursor_fixed(&m->code, 1U << log, &v);

	if (r)
		return r;
	return push_const(m, is_signed ? (int64_t)(v << spare) >> spare : (int64_t)v);
}

static int push_leb(struct machine *m, bool is_signed)
{
	uint64_t v;
	int64_t s;
	int r = is_signed ? cursor_sleb(&m->code, &s) : cursor_varint(&m->code, &v);

	return r ?: push_const(m, is_signed ? s : (int64_t)v);
}

static int do_bregx(struct machine *m)
{
	uint64_t reg;
	int r = cursor_varint(&m->code, &reg);

	return r ?: push_based(m, reg);
}

static int do_plus_uconst(struct machine *m)
{
	uint64_t n;
	int r = cursor_varint(&m->code, &n);

	if (r || !m->nr)
		return -EBADMSG;
	m->stack[m->nr - 1] = plus_number(m->stack[m->nr - 1], n);
	return 0;
}

static int do_deref(struct machine *m)
{
	if (!m->nr)
		return -EBADMSG;
	m->stack[m->nr - 1] = deref(m->stack[m->nr - 1]);
	return 0;
}

static int do_binary(struct machine *m, uint8_t op)
{
	if (m->nr < 2)
		return -EBADMSG;
	m->nr--;
	m->stack[m->nr - 1] = binary(op, m->stack[m->nr - 1], m->stack[m->nr]);
	return 0;
}

static int operation(struct machine *m, uint8_t op)
{
	if (op >= OP_LIT0 && op <= OP_LIT31)
		return push_const(m, op - OP_LIT0);
	if (op >= OP_BREG0 && op <= OP_BREG31)
		return push_based(m, op - OP_BREG0);
	if (op >= OP_CONST1U && op <= OP_CONST8S)
		return push_fixed(m, (op - OP_CONST1U) / 2, (op - OP_CONST1U) & 1);
	switch (op) {
	case OP_CONSTU:
	case OP_CONSTS:
		return push_leb(m, op == OP_CONSTS);
	case OP_BREGX:
		return do_bregx(m);
	case OP_DEREF:
		return do_deref(m);
	case OP_PLUS_UCONST:
		return do_plus_uconst(m);
	case OP_AND:
	case OP_MINUS:
	case OP_PLUS:
	case OP_SHL:
	case OP_GE:
		return do_binary(m, op);
	case OP_NOP:
		return 0;
	default:
		return -EBADMSG;
	}
}

struct cfi_value cfi_expression(struct cursor expression, struct cfi_value first)
{
	struct machine m = { .code = expression };
	uint8_t op;

	if (first.form != CFI_VALUE_OTHER)
		m.stack[m.nr++] = first;
	while (!cursor_u8(&m.code, &op))
		if (operation(&m, op))
			return other;
	return m.nr ? m.stack[m.nr - 1] : other;
}
