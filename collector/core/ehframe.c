// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe.h. All FDEs are gathered and put in the order of their file offsets
 * (ehframe_entry), their instructions run one after the other (ehframe_program), and what each
 * piece of code comes to is appended (ehframe_rows); between them goes what is known without CFI
 * (ehframe_gaps). All of it takes time and memory in proportion to the sections.
 */
#include "core/ehframe.h"

#include <errno.h>

#include "core/ehframe_entry.h"
#include "core/ehframe_gaps.h"
#include "core/ehframe_rows.h"

struct build {
	const struct ddp_cfi_input *in;
	struct ddp_cfi_counts *counts;
	struct cfi_entries entries;
	struct cfi_rows rows;
	struct cfi_gaps gaps;
};

const char *ddp_cfi_reason_text(enum ddp_cfi_reason reason)
{
	static const char *const text[DDP_CFI_NR_REASONS] = {
		[DDP_CFI_EXPRESSION] = "CFA expression of no known form",
		[DDP_CFI_REGISTER] = "return address or stack pointer in another register",
		[DDP_CFI_RETURN] = "return address in an unusual place",
		[DDP_CFI_RANGE] = "number too large for a rule",
		[DDP_CFI_OPCODE] = "unknown or damaged instruction",
		[DDP_CFI_RULES] = "too many different rules",
		[DDP_CFI_STATES] = "unbalanced or too many remembered states",
		[DDP_CFI_CIE] = "CIE missing or damaged",
		[DDP_CFI_ENTRY] = "entry damaged",
		[DDP_CFI_OUTSIDE] = "function not in the file",
	};

	return reason < DDP_CFI_NR_REASONS ? text[reason] : "?";
}

static void count_row(struct build *b, const struct ddprof_unwind_rule *rule, int reason)
{
	if (rule->kind == DDPROF_UNWIND_UNKNOWN)
		b->counts->by_reason[reason]++;
	b->counts->bp_lost_rows += rule->bp == DDPROF_UNWIND_BP_LOST;
}

/* The program's newest piece as a row, at file offset @base + from */
static int add_row(struct build *b, const struct cfi_program *p, uint64_t base)
{
	struct ddprof_unwind_rule rule;
	int reason = cfi_program_rule(p, &rule), r;
	uint32_t i;

	r = cfi_rows_rule(&b->rows, &rule, &i);
	if (r == -ENOSPC) {
		rule = b->rows.rules[i = CFI_RULE_UNKNOWN];
		reason = DDP_CFI_RULES;
	} else if (r) {
		return r;
	}
	if (rule.kind == DDPROF_UNWIND_UNKNOWN)
		b->counts->unknown_bytes += p->to - p->from;
	r = cfi_rows_add(&b->rows, base + p->from, i);
	if (r > 0)
		count_row(b, &rule, reason);
	return r < 0 ? r : 0;
}

/* @end: where the next FDE begins, at most */
static int add_fde(struct build *b, const struct cfi_fde *fde, uint64_t end)
{
	const struct cfi_cie *cie = &b->entries.cies[fde->cie];
	struct cursor code = cursor_over(cie->section->bytes, cie->section->nr);
	struct cfi_program p;
	int r;

	code.pos += fde->program;
	code.end = code.pos + fde->program_bytes;
	cfi_program_init(&p, cie, code, fde->address, end - fde->offset);
	b->counts->code_bytes += p.nr;
	do {
		cfi_program_step(&p);
		r = add_row(b, &p, fde->offset);
	} while (!r && p.to < p.nr);
	return r;
}

static bool too_far(const struct ddp_cfi_input *in)
{
	const uint64_t limit = 1ULL << CFI_MAX_OFFSET_BITS;

	for (size_t i = 0; i < in->nr_segments; i++)
		if (in->segments[i].offset >= limit ||
		    in->segments[i].nr >= limit - in->segments[i].offset)
			return true;
	return false;
}

static uint64_t end_of_code(const struct ddp_cfi_input *in)
{
	uint64_t end = 0;

	for (size_t i = 0; i < in->nr_segments; i++)
		if (in->segments[i].offset + in->segments[i].nr > end)
			end = in->segments[i].offset + in->segments[i].nr;
	return end;
}

static int add_rows(struct build *b)
{
	const struct cfi_fde *fdes = b->entries.fdes;
	uint64_t covered = 0, end = end_of_code(b->in);
	size_t nr = b->entries.nr_fdes;
	int r = 0;

	for (size_t i = 0; !r && i < nr; i++) {
		uint64_t high = fdes[i].offset + fdes[i].nr;

		if (i + 1 < nr && fdes[i + 1].offset < high)
			high = fdes[i + 1].offset;
		if (high == fdes[i].offset)
			continue;
		r = cfi_gaps_fill(&b->gaps, covered, fdes[i].offset);
		r = r ?: add_fde(b, &fdes[i], high);
		covered = high;
	}
	r = r ?: cfi_gaps_fill(&b->gaps, covered, end);
	if (r)
		return r;
	r = cfi_rows_add(&b->rows, end, CFI_RULE_NONE);
	return r < 0 ? r : 0;
}

/* Leaves out FDEs from @first on that begin where one before @first describes the code */
static void drop_covered(struct cfi_entries *e, size_t first)
{
	struct cfi_fde *fdes = e->fdes;
	size_t kept = first, i = 0;

	for (size_t j = first; j < e->nr_fdes; j++) {
		while (i < first && fdes[i].offset <= fdes[j].offset)
			i++;
		if (!i || fdes[j].offset - fdes[i - 1].offset >= fdes[i - 1].nr)
			fdes[kept++] = fdes[j];
	}
	e->nr_fdes = kept;
}

static int read_entries(struct build *b)
{
	struct cfi_entries *e = &b->entries;
	size_t first;
	int r = cfi_entries_add(e, &b->in->eh_frame, false, b->in, b->counts);

	if (r)
		return r;
	cfi_entries_sort(e, 0);
	first = e->nr_fdes;
	r = cfi_entries_add(e, &b->in->debug_frame, true, b->in, b->counts);
	if (r)
		return r;
	cfi_entries_sort(e, first);
	drop_covered(e, first);
	cfi_entries_sort(e, 0);
	return 0;
}

static void count_rows(struct build *b)
{
	b->counts->rows = b->rows.nr;
	for (size_t i = 0; i < b->rows.nr; i++)
		b->counts->unknown_rows += (b->rows.rows[i] & 0xffff) == CFI_RULE_UNKNOWN;
}

static int make(struct build *b, void **ret_image, size_t *ret_bytes)
{
	int r = cfi_rows_init(&b->rows);

	r = r ?: cfi_gaps_init(&b->gaps, b->in, &b->rows);
	r = r ?: read_entries(b);
	r = r ?: add_rows(b);
	count_rows(b);
	return r ?: cfi_rows_image(&b->rows, ret_image, ret_bytes);
}

int ddp_cfi_table(const struct ddp_cfi_input *in, void **ret_image, size_t *ret_bytes,
		  struct ddp_cfi_counts *ret_counts)
{
	struct ddp_cfi_counts ignored;
	struct build b = { .in = in, .counts = ret_counts ? ret_counts : &ignored };
	int r;

	*b.counts = (struct ddp_cfi_counts){ 0 };
	if (too_far(in))
		return -EFBIG;
	r = make(&b, ret_image, ret_bytes);
	cfi_gaps_deinit(&b.gaps);
	cfi_rows_deinit(&b.rows);
	cfi_entries_deinit(&b.entries);
	return r;
}
