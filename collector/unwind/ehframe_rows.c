// SPDX-License-Identifier: Apache-2.0
/* See ehframe_rows.h. */
#include "unwind/ehframe_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/array.h"

enum {
	FIRST_SLOTS = 1024,
	/* of a directory with next to no rows: 4 GiB of code, more than any program has */
	MAX_EMPTY_PAGES = 1 << 16,
};

/* Rules */

static size_t slot_of(const struct cfi_rows *t, const struct ddprof_unwind_rule *rule)
{
	uint64_t a;
	uint32_t b;

	_Static_assert(sizeof(*rule) == sizeof(a) + sizeof(b), "every byte counts");
	memcpy(&a, rule, sizeof(a));
	memcpy(&b, (const char *)rule + sizeof(a), sizeof(b));
	a = (a ^ (uint64_t)b << 29) * 0x9e3779b97f4a7c15ULL;	/* 2^64 / golden ratio */
	return (a ^ a >> 32) & (t->nr_slots - 1);
}

static bool same_rule(const struct cfi_rows *t, uint32_t i, const struct ddprof_unwind_rule *rule)
{
	return !memcmp(&t->rules[i], rule, sizeof(*rule));
}

/* The slot that has the rule, or the free one where it belongs */
static uint32_t *find_slot(const struct cfi_rows *t, const struct ddprof_unwind_rule *rule)
{
	size_t i = slot_of(t, rule);

	while (t->slots[i] && !same_rule(t, t->slots[i] - 1, rule))
		i = (i + 1) & (t->nr_slots - 1);
	return &t->slots[i];
}

static int grow_slots(struct cfi_rows *t)
{
	size_t nr = t->nr_slots ? t->nr_slots * 4 : FIRST_SLOTS;
	uint32_t *slots = calloc(nr, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(t->slots);
	t->slots = slots;
	t->nr_slots = nr;
	for (size_t i = 0; i < t->nr_rules; i++)
		*find_slot(t, &t->rules[i]) = (uint32_t)i + 1;
	return 0;
}

static int new_rule(struct cfi_rows *t, const struct ddprof_unwind_rule *rule)
{
	struct ddprof_unwind_rule *more;
	int r = 0;

	if (t->nr_rules == DDPROF_UNWIND_MAX_RULES)
		return -ENOSPC;
	more = array_reserve(t->rules, &t->cap_rules, t->nr_rules + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->rules = more;
	if (2 * (t->nr_rules + 1) >= t->nr_slots)
		r = grow_slots(t);
	if (r)
		return r;
	more[t->nr_rules++] = *rule;
	*find_slot(t, rule) = (uint32_t)t->nr_rules;
	t->newest = (uint32_t)t->nr_rules - 1;
	return 0;
}

int cfi_rows_rule(struct cfi_rows *t, const struct ddprof_unwind_rule *rule, uint32_t *ret)
{
	uint32_t slot;
	int r = 0;

	if (!same_rule(t, t->newest, rule)) {
		slot = *find_slot(t, rule);
		if (slot)
			t->newest = slot - 1;
		else
			r = new_rule(t, rule);
	}
	*ret = t->newest;
	return r;
}

int cfi_rows_init(struct cfi_rows *t)
{
	static const struct ddprof_unwind_rule fixed[CFI_RULES_FIXED] = {
		[CFI_RULE_NONE] = { .kind = DDPROF_UNWIND_NONE },
		[CFI_RULE_UNKNOWN] = { .kind = DDPROF_UNWIND_UNKNOWN },
	};
	int r = 0;

	*t = (struct cfi_rows){ 0 };
	for (size_t i = 0; !r && i < CFI_RULES_FIXED; i++)
		r = new_rule(t, &fixed[i]);
	return r;
}

void cfi_rows_deinit(struct cfi_rows *t)
{
	free(t->rows);
	free(t->rules);
	free(t->slots);
}

/* Rows */

static uint32_t rule_of(uint64_t row)
{
	return row & 0xffff;
}

static uint64_t offset_of(uint64_t row)
{
	return row >> 16;
}

int cfi_rows_add(struct cfi_rows *t, uint64_t offset, uint32_t rule)
{
	uint64_t *more;

	if (t->nr && offset_of(t->rows[t->nr - 1]) == offset)
		t->nr--;
	if (rule == (t->nr ? rule_of(t->rows[t->nr - 1]) : (uint32_t)CFI_RULE_NONE))
		return 0;
	if (t->nr == DDPROF_UNWIND_MAX_ROWS)
		return -EFBIG;
	more = array_reserve(t->rows, &t->cap, t->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->rows = more;
	more[t->nr++] = offset << 16 | rule;
	return 1;
}

/* The image */

static uint64_t pages_at(const struct cfi_rows *t, unsigned int shift)
{
	uint64_t first = offset_of(t->rows[0]) >> shift;

	return (offset_of(t->rows[t->nr - 1]) >> shift) - first + 1;
}

/*
 * The finest directory, for the shortest searches, that leaves the whole at 4.5 bytes a row. Where
 * rules alone take more than that, in small files, an eighth of a byte a row buys a finer one.
 */
static unsigned int choose_shift(const struct cfi_rows *t)
{
	uint64_t budget = t->nr / 2, rules = t->nr_rules * sizeof(*t->rules);
	unsigned int shift = DDPROF_UNWIND_MIN_PAGE_SHIFT;

	budget = budget > rules + t->nr / 8 ? budget - rules : t->nr / 8;
	while (shift < DDPROF_UNWIND_MAX_PAGE_SHIFT &&
	       (pages_at(t, shift) * sizeof(uint32_t) > budget ||
		pages_at(t, shift) > DDPROF_UNWIND_MAX_PAGES ||
		offset_of(t->rows[0]) >> shift > UINT32_MAX))
		shift++;
	return shift;
}

static void write_rows(const struct cfi_rows *t, const struct ddprof_unwind_header *h,
		       uint32_t *pages, uint32_t *rows)
{
	uint32_t page = 0;

	for (uint32_t i = 0; i < h->nr_rows; i++) {
		uint64_t offset = offset_of(t->rows[i]);

		while (h->first_page + (uint64_t)page <= offset >> h->page_shift)
			pages[page++] = i;
		rows[i] = (uint32_t)(offset & 0xffff) << 16 | rule_of(t->rows[i]);
	}
	pages[page] = h->nr_rows;
}

static int describe(const struct cfi_rows *t, struct ddprof_unwind_header *ret)
{
	unsigned int shift;

	*ret = (struct ddprof_unwind_header){
		.magic = DDPROF_UNWIND_MAGIC, .page_shift = DDPROF_UNWIND_MAX_PAGE_SHIFT,
	};
	if (!t->nr)
		return 0;
	shift = choose_shift(t);
	/* a file may be one hole with a few rows at its ends, or at the end of all offsets */
	if (pages_at(t, shift) > MAX_EMPTY_PAGES + 4 * t->nr ||
	    pages_at(t, shift) > DDPROF_UNWIND_MAX_PAGES ||
	    (offset_of(t->rows[0]) >> shift) + pages_at(t, shift) > UINT32_MAX)
		return -EFBIG;
	ret->nr_rules = (uint32_t)t->nr_rules;
	ret->first_page = (uint32_t)(offset_of(t->rows[0]) >> shift);
	ret->nr_pages = (uint32_t)pages_at(t, shift);
	ret->nr_rows = (uint32_t)t->nr;
	ret->page_shift = shift;
	return 0;
}

int cfi_rows_image(const struct cfi_rows *t, void **ret_image, size_t *ret_bytes)
{
	struct ddprof_unwind_header h;
	size_t rules_bytes, bytes;
	char *image;
	int r = describe(t, &h);

	if (r)
		return r;
	rules_bytes = h.nr_rules * sizeof(*t->rules);
	bytes = sizeof(h) + rules_bytes + (h.nr_pages + 1 + (size_t)h.nr_rows) * sizeof(uint32_t);
	image = malloc(bytes);
	if (!image)
		return -ENOMEM;
	memcpy(image, &h, sizeof(h));
	if (rules_bytes)
		memcpy(image + sizeof(h), t->rules, rules_bytes);
	write_rows(t, &h, (uint32_t *)(image + sizeof(h) + rules_bytes),
		   (uint32_t *)(image + sizeof(h) + rules_bytes) + h.nr_pages + 1);
	*ret_image = image;
	*ret_bytes = bytes;
	return 0;
}
