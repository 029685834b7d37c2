// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe.h. All FDEs are gathered and put in the order of their file offsets
 * (ehframe_entry), their instructions run one after the other (ehframe_program), and what each
 * piece of code comes to is appended (ehframe_rows); between them goes what is known without CFI
 * (ehframe_gaps). All of it takes time and memory in proportion to the sections.
 */
#include "unwind/ehframe.h"

#include <errno.h>

#include "unwind/ehframe_entry.h"
#include "unwind/ehframe_gaps.h"
#include "unwind/ehframe_known.h"
#include "unwind/ehframe_rows.h"

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

/* @rule for @nr bytes at file offset @offset; @reason: why it is UNKNOWN, if it is */
static int add_row(struct build *b, uint64_t offset, uint64_t nr, struct ddprof_unwind_rule rule,
		   int reason)
{
	uint32_t i;
	int r = cfi_rows_rule(&b->rows, &rule, &i);

	if (r == -ENOSPC) {
		i = CFI_RULE_UNKNOWN;
		rule = b->rows.rules[i];
		reason = DDP_CFI_RULES;
	} else if (r) {
		return r;
	}
	if (rule.kind == DDPROF_UNWIND_UNKNOWN)
		b->counts->unknown_bytes += nr;
	r = cfi_rows_add(&b->rows, offset, i);
	if (r > 0)
		count_row(b, &rule, reason);
	return r < 0 ? r : 0;
}

static int add_program(struct build *b, const struct cfi_fde *fde, uint64_t nr)
{
	const struct cfi_cie *cie = &b->entries.cies[fde->cie];
	struct cursor code = cursor_over(cie->section->bytes, cie->section->nr);
	struct ddprof_unwind_rule rule;
	struct cfi_program p;
	int r, reason;

	code.pos += fde->program;
	code.end = code.pos + fde->program_bytes;
	cfi_program_init(&p, cie, code, fde->address, nr);
	b->counts->code_bytes += nr;
	do {
		cfi_program_step(&p);
		reason = cfi_program_rule(&p, &rule);
		r = add_row(b, fde->offset + p.from, p.to - p.from, rule, reason);
	} while (!r && p.to < p.nr);
	return r;
}

static int add_fde(struct build *b, const struct cfi_fde *fde, uint64_t nr)
{
	struct ddprof_unwind_rule rule = { .kind = DDPROF_UNWIND_STOP };

	if (fde->cie < CFI_MAX_CIES)
		return add_program(b, fde, nr);
	if (fde->cie == CFI_NO_CIE_SIGNAL)
		rule.kind = DDPROF_UNWIND_SIGNAL;
	return add_row(b, fde->offset, nr, rule, -1);
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
		r = r ?: add_fde(b, &fdes[i], high - fdes[i].offset);
		covered = high;
	}
	r = r ?: cfi_gaps_fill(&b->gaps, covered, end);
	if (r)
		return r;
	r = cfi_rows_add(&b->rows, end, CFI_RULE_NONE);
	return r < 0 ? r : 0;
}

/*
 * Leaves out FDEs from @first on that begin where one of @better describes the code; both in the
 * order of their offsets.
 */
static void drop_covered(struct cfi_entries *e, size_t first, const struct cfi_fde *better,
			 size_t nr_better)
{
	struct cfi_fde *fdes = e->fdes;
	size_t kept = first, i = 0;

	for (size_t j = first; j < e->nr_fdes; j++) {
		while (i < nr_better && better[i].offset <= fdes[j].offset)
			i++;
		if (!i || fdes[j].offset - better[i - 1].offset >= better[i - 1].nr)
			fdes[kept++] = fdes[j];
	}
	e->nr_fdes = kept;
}

struct known {
	struct cfi_entries *found;
	const struct cfi_entries *all;	/* in the order of their offsets */
};

static bool is_described(const struct cfi_entries *e, uint64_t offset)
{
	size_t low = 0, high = e->nr_fdes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->fdes[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low && offset - e->fdes[low - 1].offset < e->fdes[low - 1].nr;
}

/* A function's last byte stays its own: a call may end there whose walk goes on in it */
static int add_known(void *ctx, const struct cfi_known *known)
{
	struct known *k = ctx;
	struct cfi_fde fde = {
		.offset = known->offset, .nr = (uint32_t)known->nr,
		.cie = known->kind == DDPROF_UNWIND_STOP ? CFI_NO_CIE_STOP : CFI_NO_CIE_SIGNAL,
	};

	if (known->borrowed && is_described(k->all, known->offset)) {
		fde.offset++;
		fde.nr--;
	}
	return cfi_entries_add_fde(k->found, &fde);
}

static int search_all(const struct ddp_cfi_input *in, enum cfi_known_what what,
		      struct known *known)
{
	uint64_t searched = 0;
	int r = 0;

	for (size_t i = 0; !r && i < in->nr_segments; i++)
		r = cfi_known_search(in, what, in->segments[i].offset,
				     in->segments[i].offset + in->segments[i].nr, &searched,
				     add_known, known);
	return r;
}

/* What is known by its bytes takes the place of FDEs that begin there, and cuts others short */
static int add_all_known(struct cfi_entries *e, const struct ddp_cfi_input *in)
{
	CLEANUP(cfi_entries_deinit) struct cfi_entries found = { 0 };
	struct known known = { .found = &found, .all = e };
	int r = search_all(in, CFI_KNOWN_C, &known);

	r = r ?: search_all(in, CFI_KNOWN_GO, &known);
	r = r ?: cfi_entries_sort(&found, 0);
	drop_covered(e, 0, found.fdes, found.nr_fdes);
	for (size_t i = 0; !r && i < found.nr_fdes; i++)
		r = cfi_entries_add_fde(e, &found.fdes[i]);
	return r;
}

/* .debug_frame speaks of signals and threads only where people write it, and Go's is a machine's */
static int read_entries(struct build *b)
{
	struct cfi_entries *e = &b->entries;
	size_t nr_eh;
	int r = cfi_entries_add(e, &b->in->eh_frame, false, b->in, b->counts);

	r = r ?: cfi_entries_sort(e, 0);
	nr_eh = e->nr_fdes;
	r = r ?: cfi_entries_add(e, &b->in->debug_frame, true, b->in, b->counts);
	r = r ?: cfi_entries_sort(e, nr_eh);
	if (r)
		return r;
	drop_covered(e, nr_eh, e->fdes, nr_eh);
	if (e->nr_fdes == nr_eh)
		return 0;
	r = cfi_entries_sort(e, 0);
	r = r ?: add_all_known(e, b->in);
	return r ?: cfi_entries_sort(e, 0);
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
	cfi_entries_deinit(&b->entries);	/* before there is the image as well */
	b->entries = (struct cfi_entries){ 0 };
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
