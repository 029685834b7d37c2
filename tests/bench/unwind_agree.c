// SPDX-License-Identifier: Apache-2.0
/* See unwind_agree.h. */
#include "unwind_agree.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"

enum {
	REG_BX = 3, REG_BP = 6, REG_SP = 7, REG_IP = 16, NR_REGS = 17,
	STACK_MAX = 16,		/* of an expression; ours to choose */
};

/* What one step gives: the caller's registers, as values. */
enum outcome {
	CALLER,		/* pc, sp, bp, bx */
	OUTERMOST,
	NO_ENTRY,	/* nobody describes this address */
	NOT_MODELLED,	/* ours: UNKNOWN; libdw: an operation that run() below does not have */
	FAILED,		/* libdw: an error */
};

struct step {
	enum outcome outcome;
	uint64_t end;		/* libdw: where its next rule begins; 0: not told */
	uint64_t pc, sp, bp, bx;
	bool bp_lost, bx_lost, signal;
	bool bx_silent;		/* theirs: lost, or not mentioned, and so the same by the ABI */
};

struct agree {
	Elf *elf;
	Dwarf_CFI *eh, *debug;
	const struct ddp_rows *rows;
	uint64_t limit;
	struct unwind_agree *ret;
};

DEFINE_CLEANUP(Elf *, elf_end)

static inline void dwarf_cfi_end_cleanup(Dwarf_CFI **cfi)
{
	dwarf_cfi_end(*cfi);
}

static inline void dwarf_end_cleanup(Dwarf **dwarf)
{
	dwarf_end(*dwarf);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9;
	return x ^ x >> 32;
}

static uint64_t memory(uint64_t address)
{
	return mix(address + 0x5851f42d4c957f2d);
}

static void random_registers(uint64_t *regs, uint64_t pc)
{
	for (int i = 0; i < NR_REGS; i++)
		regs[i] = mix(pc * NR_REGS + i);
	regs[REG_IP] = pc;
}

/* ---- ours ---- */

static uint64_t our_cfa(const struct ddprof_unwind_rule *rule, const uint64_t *regs)
{
	uint64_t at = regs[rule->base] + rule->offset;

	if (rule->kind == DDPROF_UNWIND_DEREF)
		return memory(at) + rule->add;
	if (rule->kind == DDPROF_UNWIND_PLT && (regs[REG_IP] & 15) >= (uint64_t)rule->add)
		return at + 8;
	return at;
}

static struct step our_caller(const struct ddprof_unwind_rule *rule, const uint64_t *regs)
{
	uint64_t cfa = our_cfa(rule, regs);
	struct step s = {
		.outcome = CALLER, .pc = memory(cfa - 8), .sp = cfa,
		.bx = rule->bx ? memory(cfa + 8 * (int64_t)rule->bx) : regs[REG_BX],
		.bx_lost = rule->bx == DDPROF_UNWIND_BX_LOST,
	};

	switch (rule->bp) {
	case DDPROF_UNWIND_BP_SAME:
		s.bp = regs[REG_BP];
		break;
	case DDPROF_UNWIND_BP_CFA:
		s.bp = memory(cfa + rule->bp_offset);
		break;
	case DDPROF_UNWIND_BP_BP:
		s.bp = memory(regs[REG_BP] + rule->bp_offset);
		break;
	default:
		s.bp_lost = true;
	}
	return s;
}

static struct step our_step(const struct ddprof_unwind_rule *rule, const uint64_t *regs)
{
	uint64_t sp = regs[REG_SP];

	switch (rule ? rule->kind : DDPROF_UNWIND_NONE) {
	case DDPROF_UNWIND_NONE:
		return (struct step) { .outcome = NO_ENTRY };
	case DDPROF_UNWIND_STOP:
		return (struct step) { .outcome = OUTERMOST };
	case DDPROF_UNWIND_UNKNOWN:
		return (struct step) { .outcome = NOT_MODELLED };
	case DDPROF_UNWIND_SIGNAL:
		return (struct step) {
			.outcome = CALLER, .signal = true,
			.pc = memory(sp + 168), .sp = memory(sp + 160), .bp = memory(sp + 120),
			.bx = memory(sp + 128),
		};
	default:
		return our_caller(rule, regs);
	}
}

/* ---- libdw's ---- */

/* An expression's machine: only what call frame information is seen to use. */
struct machine {
	const uint64_t *regs;
	uint64_t cfa;
	uint64_t stack[STACK_MAX + 1];
	unsigned int depth;
	bool is_value;		/* the top is the value itself, not where it is */
};

static bool push(struct machine *m, uint64_t value)
{
	if (m->depth == STACK_MAX)
		return false;
	m->stack[m->depth++] = value;
	return true;
}

static bool binary(struct machine *m, uint8_t op)
{
	uint64_t *a, b;

	if (m->depth < 2)
		return false;
	b = m->stack[--m->depth];
	a = &m->stack[m->depth - 1];
	switch (op) {
	case DW_OP_plus: *a += b; return true;
	case DW_OP_minus: *a -= b; return true;
	case DW_OP_mul: *a *= b; return true;
	case DW_OP_and: *a &= b; return true;
	case DW_OP_or: *a |= b; return true;
	case DW_OP_shl: *a = b < 64 ? *a << b : 0; return true;
	case DW_OP_shr: *a = b < 64 ? *a >> b : 0; return true;
	case DW_OP_ge: *a = (int64_t)*a >= (int64_t)b; return true;
	case DW_OP_gt: *a = (int64_t)*a > (int64_t)b; return true;
	case DW_OP_le: *a = (int64_t)*a <= (int64_t)b; return true;
	case DW_OP_lt: *a = (int64_t)*a < (int64_t)b; return true;
	case DW_OP_eq: *a = *a == b; return true;
	case DW_OP_ne: *a = *a != b; return true;
	default: return false;
	}
}

static bool unary(struct machine *m, const Dwarf_Op *op)
{
	uint64_t *top = &m->stack[m->depth - 1];

	if (!m->depth)
		return false;
	switch (op->atom) {
	case DW_OP_deref: *top = memory(*top); return true;
	case DW_OP_plus_uconst: *top += op->number; return true;
	case DW_OP_stack_value: m->is_value = true; return true;
	default: return binary(m, op->atom);
	}
}

static bool operation(struct machine *m, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
		return push(m, op->atom - DW_OP_lit0);
	if (op->atom >= DW_OP_breg0 && op->atom < DW_OP_breg0 + NR_REGS)
		return push(m, m->regs[op->atom - DW_OP_breg0] + op->number);
	switch (op->atom) {
	case DW_OP_bregx:
		return op->number < NR_REGS && push(m, m->regs[op->number] + op->number2);
	case DW_OP_call_frame_cfa:
		return push(m, m->cfa);
	case DW_OP_addr: case DW_OP_const1u: case DW_OP_const1s: case DW_OP_const2u:
	case DW_OP_const2s: case DW_OP_const4u: case DW_OP_const4s: case DW_OP_const8u:
	case DW_OP_const8s: case DW_OP_constu: case DW_OP_consts:
		return push(m, op->number);
	case DW_OP_nop:
		return true;
	default:
		return unary(m, op);
	}
}

/* @return whether every operation could be carried out; its result is the top of the stack */
static bool run(struct machine *m, const Dwarf_Op *ops, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (!operation(m, &ops[i]))
			return false;
	}
	return m->depth > 0;
}

enum value { KNOWN, UNDEFINED, STRANGE };

/* A register of the caller. */
static enum value their_register(Dwarf_Frame *frame, int number, const uint64_t *regs,
				 uint64_t cfa, uint64_t *ret)
{
	struct machine m = { .regs = regs, .cfa = cfa };
	Dwarf_Op mem[3], *ops;
	size_t nr;

	if (dwarf_frame_register(frame, number, mem, &ops, &nr))
		return STRANGE;
	if (!nr) {
		*ret = regs[number];
		return ops ? UNDEFINED : KNOWN;
	}
	if (nr == 1 && ops[0].atom == DW_OP_regx && ops[0].number < NR_REGS) {
		*ret = regs[ops[0].number];
		return KNOWN;
	}
	if (!run(&m, ops, nr))
		return STRANGE;
	*ret = m.is_value ? m.stack[m.depth - 1] : memory(m.stack[m.depth - 1]);
	return KNOWN;
}

static struct step their_caller(Dwarf_Frame *frame, const uint64_t *regs)
{
	struct step s = { .outcome = CALLER };
	struct machine m = { .regs = regs };
	enum value bx, bp, pc;
	Dwarf_Op *ops;
	size_t nr;
	int ra = dwarf_frame_info(frame, NULL, NULL, &s.signal);

	/* the outermost frame need not have a CFA that makes sense */
	pc = their_register(frame, ra, regs, 0, &s.pc);
	if (ra == REG_IP && pc == UNDEFINED)
		return (struct step) { .outcome = OUTERMOST };
	if (ra != REG_IP || dwarf_frame_cfa(frame, &ops, &nr) || !run(&m, ops, nr))
		return (struct step) { .outcome = NOT_MODELLED };
	m.cfa = m.stack[m.depth - 1];
	pc = their_register(frame, REG_IP, regs, m.cfa, &s.pc);
	bp = their_register(frame, REG_BP, regs, m.cfa, &s.bp);
	bx = their_register(frame, REG_BX, regs, m.cfa, &s.bx);
	if (pc != KNOWN || bp == STRANGE || bx == STRANGE ||
	    their_register(frame, REG_SP, regs, m.cfa, &s.sp))
		return (struct step) { .outcome = NOT_MODELLED };
	s.bp_lost = bp == UNDEFINED;
	/* libdw knows by itself that callees keep rbp, but not that they keep rbx */
	s.bx_silent = bx == UNDEFINED;
	return s;
}

/* Owned by the caller, free(); NULL: no entry, or *@error */
static Dwarf_Frame *find_frame(const struct agree *a, uint64_t address, const char **error)
{
	static int no_match;
	Dwarf_Frame *frame = NULL;
	int code;

	*error = NULL;
	if (a->eh && !dwarf_cfi_addrframe(a->eh, address, &frame))
		return frame;
	code = a->eh ? dwarf_errno() : no_match;
	if (a->debug && !dwarf_cfi_addrframe(a->debug, address, &frame))
		return frame;
	code = a->debug ? dwarf_errno() : code;
	*error = dwarf_errmsg(code);
	if (!strcmp(*error, "no matching address range"))
		*error = NULL;
	return NULL;
}

static struct step their_step(const struct agree *a, uint64_t address, const uint64_t *regs)
{
	CLEANUP(free) Dwarf_Frame *frame = NULL;
	Dwarf_Addr start;
	const char *error;
	struct step s;
	bool signal;

	frame = find_frame(a, address, &error);
	if (!frame)
		return (struct step) { .outcome = error ? FAILED : NO_ENTRY };
	s = their_caller(frame, regs);
	dwarf_frame_info(frame, &start, &s.end, &signal);
	return s;
}

/* ---- both ---- */

/* @return what differs, in words; NULL: nothing */
static const char *difference(const struct step *ours, const struct step *theirs)
{
	if (theirs->outcome == FAILED)
		return "libdw_error";
	if (theirs->outcome == NOT_MODELLED)
		return "expression";
	if (ours->outcome == NO_ENTRY)
		return "missing";
	if (ours->outcome != theirs->outcome)
		return "outermost";
	if (ours->outcome == OUTERMOST)
		return NULL;
	if (ours->signal != theirs->signal)
		return "signal";
	if (ours->sp != theirs->sp)
		return "cfa";
	if (ours->pc != theirs->pc)
		return "return_address";
	if (ours->bp_lost != theirs->bp_lost)
		return ours->bp_lost ? "rbp_given_up" : "rbp_not_lost";
	if (!ours->bp_lost && ours->bp != theirs->bp)
		return "rbp";
	return ours->bx_lost || ours->bx == theirs->bx ? NULL : "rbx";
}

static const char *register_name(unsigned int number)
{
	static const char *const names[NR_REGS] = {
		"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
		"r12", "r13", "r14", "r15", "rip",
	};

	return number < NR_REGS ? names[number] : "?";
}

static void print_ours(const struct ddprof_unwind_rule *rule)
{
	static const char *const kinds[__DDPROF_UNWIND_KIND_MAX] = {
		"none", "stop", "reg", "deref", "plt", "signal", "unknown",
	};
	static const char *const bps[__DDPROF_UNWIND_BP_MAX] = { "same", "cfa", "bp", "lost" };

	if (rule)
		printf("%s %s%+d add %d rbp %s%+d rbx %d", kinds[rule->kind],
		       register_name(rule->base), rule->offset, rule->add, bps[rule->bp],
		       rule->bp_offset, rule->bx);
	else
		printf("none");
}

static void print_ops(const char *what, const Dwarf_Op *ops, size_t nr)
{
	printf(" %s", what);
	if (!nr)
		printf(ops ? " undefined" : " same");
	for (size_t i = 0; i < nr; i++)
		printf(" %#x(%" PRId64 ",%" PRId64 ")", ops[i].atom, (int64_t)ops[i].number,
		       (int64_t)ops[i].number2);
}

/* Operations by their DW_OP number, with their operands. */
static void print_theirs(const struct agree *a, uint64_t address)
{
	static const struct { const char *name; int number; } columns[] = {
		{ "rbp", REG_BP }, { "rbx", REG_BX }, { "ra", REG_IP }, { "rsp", REG_SP },
	};
	CLEANUP(free) Dwarf_Frame *frame = NULL;
	Dwarf_Op mem[3], *ops;
	const char *error;
	size_t nr;

	frame = find_frame(a, address, &error);
	if (!frame) {
		printf("%s", error ?: "none");
		return;
	}
	if (!dwarf_frame_cfa(frame, &ops, &nr))
		print_ops("cfa", ops, nr);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (!dwarf_frame_register(frame, columns[i].number, mem, &ops, &nr))
			print_ops(columns[i].name, ops, nr);
	}
}

static void report(const struct agree *a, const char *what, const struct ddprof_unwind_rule *rule,
		   uint64_t address)
{
	if (a->ret->compared - a->ret->agreed >= a->limit)
		return;
	printf("disagree what=%s address=%#" PRIx64 " ours=\"", what, address);
	print_ours(rule);
	printf("\" libdw=\"");
	print_theirs(a, address);
	printf("\"\n");
}

/* What differs at an address; NULL: nothing, or libdw has no entry there. */
static const char *compare_at(const struct agree *a, const struct ddprof_unwind_rule *rule,
			      uint64_t address, struct step *ret_theirs)
{
	uint64_t regs[NR_REGS];
	struct step ours;

	random_registers(regs, address);
	ours = our_step(rule, regs);
	*ret_theirs = their_step(a, address, regs);
	a->ret->bx_given_up += ours.bx_lost && ret_theirs->outcome == CALLER &&
			       !ret_theirs->bx_silent;
	return ret_theirs->outcome == NO_ENTRY ? NULL : difference(&ours, ret_theirs);
}

/* A row with a rule: wherever libdw's rules change in it, and at a random place. */
static void compare_row(const struct agree *a, const struct ddprof_unwind_rule *rule,
			uint64_t address, uint64_t nr)
{
	uint64_t at = address + random() % nr, next = address;
	const char *what;
	struct step theirs;
	bool described = false;

	what = compare_at(a, rule, at, &theirs);
	while (!what && next < address + nr) {
		at = next;
		what = compare_at(a, rule, at, &theirs);
		described |= theirs.outcome != NO_ENTRY;
		/* where an expression asks for the pc, every address is another matter */
		next = theirs.end > at && rule->kind != DDPROF_UNWIND_PLT ? theirs.end : at + 1;
	}
	if (what)
		report(a, what, rule, at);
	a->ret->compared += what || described;
	a->ret->agreed += !what && described;
	a->ret->ours_alone += !what && !described;
}

/* Where the table says NONE, libdw must find nothing either. */
static void compare_gap(const struct agree *a, uint64_t address, uint64_t nr)
{
	struct step theirs;

	for (uint64_t i = 0; i < nr; i++) {
		const char *what = compare_at(a, NULL, address + i, &theirs);

		if (!what)
			continue;
		report(a, what, NULL, address + i);
		a->ret->compared++;
		return;
	}
	a->ret->gap_bytes += nr;
}

static void compare_bytes(const struct agree *a, const struct ddprof_unwind_rule *rule,
			  uint64_t address, uint64_t nr)
{
	if (!rule || rule->kind == DDPROF_UNWIND_NONE)
		compare_gap(a, address, nr);
	else if (rule->kind == DDPROF_UNWIND_UNKNOWN)
		a->ret->unmodelled++;
	else
		compare_row(a, rule, address, nr);
}

/* The part of [@from, @to), file offsets, that a segment has. */
static void compare_part(const struct agree *a, const struct ddprof_unwind_rule *rule,
			 const GElf_Phdr *segment, uint64_t from, uint64_t to)
{
	uint64_t end = segment->p_offset + segment->p_filesz;

	if (from < segment->p_offset)
		from = segment->p_offset;
	if (to > end)
		to = end;
	if (from < to)
		compare_bytes(a, rule, segment->p_vaddr + (from - segment->p_offset), to - from);
}

static uint64_t row_offset(const struct ddp_rows *t, u32 page, u32 row)
{
	uint64_t base = (uint64_t)(t->first_page + page) << t->page_shift;

	return (base & ~UINT64_C(0xffff)) | t->rows[row] >> 16;
}

static void compare_segment(const struct agree *a, const GElf_Phdr *segment)
{
	const struct ddp_rows *t = a->rows;
	const struct ddprof_unwind_rule *rule = NULL;
	uint64_t from = 0;

	for (u32 page = 0; page < t->nr_pages; page++) {
		for (u32 row = t->pages[page]; row < t->pages[page + 1]; row++) {
			uint64_t to = row_offset(t, page, row);

			compare_part(a, rule, segment, from, to);
			rule = &t->rules[t->rows[row] & 0xffff];
			from = to;
		}
	}
	compare_part(a, rule, segment, from, UINT64_MAX);
}

static int compare_all(const struct agree *a)
{
	GElf_Phdr segment;
	size_t nr;

	if (elf_getphdrnum(a->elf, &nr))
		return -ENOEXEC;
	for (size_t i = 0; i < nr; i++) {
		if (gelf_getphdr(a->elf, i, &segment) && segment.p_type == PT_LOAD &&
		    segment.p_flags & PF_X)
			compare_segment(a, &segment);
	}
	return 0;
}

int unwind_agree_file(const char *path, const struct ddp_rows *rows, uint64_t limit,
		      struct unwind_agree *ret)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(elf_end) Elf *elf = NULL;
	CLEANUP(dwarf_end) Dwarf *dwarf = NULL;
	CLEANUP(dwarf_cfi_end) Dwarf_CFI *eh = NULL;
	struct agree a = { .rows = rows, .limit = limit, .ret = ret };

	*ret = (struct unwind_agree) { 0 };
	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf)
		return -ENOEXEC;
	eh = dwarf_getcfi_elf(elf);
	dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	a.elf = elf;
	a.eh = eh;
	a.debug = dwarf ? dwarf_getcfi(dwarf) : NULL;
	return a.eh || a.debug ? compare_all(&a) : -ENODATA;
}
