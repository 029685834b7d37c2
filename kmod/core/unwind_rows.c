// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Unwind tables: an image is believed only after every rule, page and row of it was looked at; then
 * a look-up needs no check but whether the offset lies in the directory.
 */
#include "unwind_rows.h"

enum { SCANNED_ROWS = 40 };	/* measured by tests/bench */

static int wrong(const char **fault, const char *what)
{
	*fault = what;
	return -EINVAL;
}

static int check_header(const struct ddprof_unwind_header *h, const char **fault)
{
	if (h->magic != DDPROF_UNWIND_MAGIC)
		return wrong(fault, "not an unwind table of a known layout");
	if (h->page_shift < DDPROF_UNWIND_MIN_PAGE_SHIFT ||
	    h->page_shift > DDPROF_UNWIND_MAX_PAGE_SHIFT)
		return wrong(fault, "page_shift is out of range");
	if (h->nr_rules > DDPROF_UNWIND_MAX_RULES)
		return wrong(fault, "too many rules");
	if (h->nr_pages > DDPROF_UNWIND_MAX_PAGES)
		return wrong(fault, "too many pages");
	if (h->nr_rows > DDPROF_UNWIND_MAX_ROWS)
		return wrong(fault, "too many rows");
	if (!h->nr_rows != !h->nr_rules || !h->nr_rows != !h->nr_pages)
		return wrong(fault, "rows, rules and pages: all or none");
	if (h->first_page + h->nr_pages < h->first_page)
		return wrong(fault, "pages beyond the last page number");
	return 0;
}

/* The limits that were just checked keep this far below 2^32. */
static size_t image_bytes(const struct ddprof_unwind_header *h)
{
	return sizeof(*h) + h->nr_rules * sizeof(struct ddprof_unwind_rule) +
	       (h->nr_pages + 1 + h->nr_rows) * sizeof(u32);
}

static bool kept_is_right(const struct ddprof_unwind_rule *r)
{
	if (r->bx > 0)
		return false;
	switch (r->bp) {
	case DDPROF_UNWIND_BP_CFA:
	case DDPROF_UNWIND_BP_BP:
		return true;
	case DDPROF_UNWIND_BP_SAME:
	case DDPROF_UNWIND_BP_LOST:
		return !r->bp_offset;
	default:
		return false;
	}
}

static bool rule_is_right(const struct ddprof_unwind_rule *r)
{
	switch (r->kind) {
	case DDPROF_UNWIND_NONE:
	case DDPROF_UNWIND_STOP:
	case DDPROF_UNWIND_SIGNAL:
	case DDPROF_UNWIND_UNKNOWN:
		return !r->base && !r->bp && !r->bx && !r->offset && !r->add && !r->bp_offset;
	case DDPROF_UNWIND_REG:
		return r->base <= 15 && !r->add && kept_is_right(r);
	case DDPROF_UNWIND_DEREF:
		return r->base <= 15 && kept_is_right(r);
	case DDPROF_UNWIND_PLT:
		return r->base <= 15 && r->add >= 0 && r->add <= 15 && kept_is_right(r);
	default:
		return false;
	}
}

int ddp_rows_open(const void *image, size_t bytes, struct ddp_rows *ret, const char **fault)
{
	const struct ddprof_unwind_header *h = image;
	u32 i;

	if (bytes < sizeof(*h))
		return wrong(fault, "shorter than a header");
	if (check_header(h, fault))
		return -EINVAL;
	if (bytes != image_bytes(h))
		return wrong(fault, "size and header disagree");

	ret->rules = (const void *)(h + 1);
	ret->pages = (const void *)(ret->rules + h->nr_rules);
	ret->rows = ret->pages + h->nr_pages + 1;
	ret->first_page = h->first_page;
	ret->nr_pages = h->nr_pages;
	ret->page_shift = h->page_shift;
	ret->nr_rows = h->nr_rows;
	ret->nr_rules = h->nr_rules;
	ret->serial = 0;

	for (i = 0; i < ret->nr_rules; i++)
		if (!rule_is_right(&ret->rules[i]))
			return wrong(fault, "a rule is not right");
	if (ret->pages[0] != 0 || ret->pages[ret->nr_pages] != ret->nr_rows)
		return wrong(fault, "the directory does not begin or end with the rows");
	return 0;
}

/* Rows @row up to @end of @page: its own offsets, ascending, with rules that exist. */
static int check_page(const struct ddp_rows *t, u32 page, u32 row, u32 end, const char **fault)
{
	u32 inside = (1U << t->page_shift) - 1;
	u32 begin = (page << t->page_shift) & 0xffff;
	u32 next = 0;	/* the lowest offset in the page that may come */

	for (; row < end; row++) {
		u32 offset = (t->rows[row] >> 16) - begin;

		if (offset > inside)
			return wrong(fault, "a row is not in its page");
		if (offset < next)
			return wrong(fault, "rows are not in order");
		if ((t->rows[row] & 0xffff) >= t->nr_rules)
			return wrong(fault, "a row's rule does not exist");
		next = offset + 1;
	}
	return 0;
}

int ddp_rows_check(const struct ddp_rows *t, u32 first, u32 nr, const char **fault)
{
	u32 i;

	if (first > t->nr_pages || nr > t->nr_pages - first)
		return wrong(fault, "no such pages");
	for (i = first; i < first + nr; i++) {
		u32 row = t->pages[i], end = t->pages[i + 1];

		if (row > end || end > t->nr_rows)
			return wrong(fault, "the directory is not in order");
		if (i == 0 && !end)
			return wrong(fault, "first_page has no row");
		if (check_page(t, t->first_page + i, row, end, fault))
			return -EINVAL;
		if (i + 1 == t->nr_pages &&
		    t->rules[t->rows[t->nr_rows - 1] & 0xffff].kind != DDPROF_UNWIND_NONE)
			return wrong(fault, "the last row does not end the table");
	}
	return 0;
}

/*
 * The end of those of @row..@end that are not above @key. Few rows are gone through one by one: the
 * CPU guesses wrong at most once where that stops, and not at all when it meets the code again. By
 * fours, so that what is loaded next does not wait for a count that goes up one by one.
 */
static u32 rows_upto(const u32 *rows, u32 row, u32 end, u32 key)
{
	while (end - row > SCANNED_ROWS) {
		u32 middle = row + (end - row) / 2;

		if (rows[middle] <= key)
			row = middle;
		else
			end = middle;
	}
	for (; end - row >= 4; row += 4) {
		if (rows[row] > key)
			return row;
		if (rows[row + 1] > key)
			return row + 1;
		if (rows[row + 2] > key)
			return row + 2;
		if (rows[row + 3] > key)
			return row + 3;
	}
	while (row < end && rows[row] <= key)
		row++;
	return row;
}

const struct ddprof_unwind_rule *ddp_rows_find(const struct ddp_rows *t, u64 offset)
{
	u64 page = (offset >> t->page_shift) - t->first_page;	/* huge when below */
	u32 row;

	if (page >= t->nr_pages)
		return NULL;
	row = rows_upto(t->rows, t->pages[page], t->pages[page + 1], (u32)offset << 16 | 0xffff);
	return row ? &t->rules[t->rows[row - 1] & 0xffff] : NULL;
}
