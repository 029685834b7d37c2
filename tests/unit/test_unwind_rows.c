// SPDX-License-Identifier: Apache-2.0
/*
 * Unwind tables: what the validator refuses, one row a fault; look-ups against a naive reading of
 * random images; and mutated images, which are refused or harmless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unwind_image.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

static u64 rnd;

static u64 random_u64(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd;
}

static const struct ddprof_unwind_rule rules[] = {
	{ .kind = DDPROF_UNWIND_NONE },
	{ .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8 },
	{ .kind = DDPROF_UNWIND_REG, .base = 6, .offset = 16, .bp = DDPROF_UNWIND_BP_CFA,
	  .bp_offset = -16 },
	{ .kind = DDPROF_UNWIND_PLT, .base = 7, .offset = 8, .add = 11 },
};

/* What the table of faults starts from: three pages of 4 KiB, the middle one without rows. */
static const struct image_row rows[] = {
	{ 0x1010, 1 }, { 0x1020, 2 }, { 0x1fff, 3 }, { 0x3000, 1 }, { 0x3800, 0 },
};

/* Where in that image things are, in bytes */
enum {
	H_MAGIC = 0, H_RULES = 4, H_FIRST = 8, H_PAGES = 12, H_ROWS = 16, H_SHIFT = 20,
	RULE = 24,	/* rule i is RULE + 12 * i */
	R_KIND = 0, R_BASE = 1, R_BP = 2, R_BX = 3, R_OFFSET = 4, R_ADD = 8, R_BP_OFFSET = 10,
	PAGES = RULE + 12 * 4,
	ROWS = PAGES + 4 * 4,
	IMAGE_BYTES = ROWS + 4 * 5,
};

struct fault_case {
	const char *name;
	u32 at, bytes;		/* what to overwrite */
	u32 value;
	const char *fault;	/* NULL: this is right, too */
};

static const char not_in_page[] = "a row is not in its page";
static const char bad_rule[] = "a rule is not right";
static const char directory[] = "the directory is not in order";
static const char directory_ends[] = "the directory does not begin or end with the rows";
static const char all_or_none[] = "rows, rules and pages: all or none";
static const char size[] = "size and header disagree";
static const char shift[] = "page_shift is out of range";

static const struct fault_case fault_cases[] = {
	{ "untouched", H_RULES, 4, 4, NULL },
	{ "another magic", H_MAGIC, 4, 0x32555744, "not an unwind table of a known layout" },
	{ "no rules but rows", H_RULES, 4, 0, all_or_none },
	{ "no pages but rows", H_PAGES, 4, 0, all_or_none },
	{ "no rows but rules", H_ROWS, 4, 0, all_or_none },
	{ "a rule too many", H_RULES, 4, 5, size },
	{ "a page too many", H_PAGES, 4, 4, size },
	{ "a row too many", H_ROWS, 4, 6, size },
	{ "a row too few", H_ROWS, 4, 4, size },
	{ "more rules than there may be", H_RULES, 4, 65536, "too many rules" },
	{ "more pages than there may be", H_PAGES, 4, (1 << 22) + 1, "too many pages" },
	{ "more rows than there may be", H_ROWS, 4, (1 << 24) + 1, "too many rows" },
	{ "all ones pages", H_PAGES, 4, 0xffffffff, "too many pages" },
	{ "all ones rows", H_ROWS, 4, 0xffffffff, "too many rows" },
	{ "page shift below", H_SHIFT, 4, 7, shift },
	{ "page shift above", H_SHIFT, 4, 17, shift },
	{ "page shift far above", H_SHIFT, 4, 0x10c, shift },
	{ "page numbers that wrap", H_FIRST, 4, 0xfffffffe, "pages beyond the last page number" },
	{ "another first page", H_FIRST, 4, 2, not_in_page },
	{ "a first page that looks the same in 16 bits", H_FIRST, 4, 0x11, NULL },

	{ "an unknown kind", RULE + R_KIND, 1, 7, bad_rule },
	{ "NONE with a base", RULE + R_BASE, 1, 7, bad_rule },
	{ "NONE with a bp", RULE + R_BP, 1, 1, bad_rule },
	{ "NONE with an offset", RULE + R_OFFSET, 4, 8, bad_rule },
	{ "NONE with an addend", RULE + R_ADD, 2, 8, bad_rule },
	{ "NONE with a bp offset", RULE + R_BP_OFFSET, 2, 8, bad_rule },
	{ "NONE with a bx", RULE + R_BX, 1, 0xff, bad_rule },
	{ "STOP with a bx", RULE, 4, DDPROF_UNWIND_STOP | 0xffU << 24, bad_rule },
	{ "SIGNAL with a bx", RULE, 4, DDPROF_UNWIND_SIGNAL | 0xffU << 24, bad_rule },
	{ "UNKNOWN with a bx", RULE, 4, DDPROF_UNWIND_UNKNOWN | 0xffU << 24, bad_rule },
	{ "STOP with members", RULE + 12 + R_KIND, 1, DDPROF_UNWIND_STOP, bad_rule },
	{ "SIGNAL with members", RULE + 12 + R_KIND, 1, DDPROF_UNWIND_SIGNAL, bad_rule },
	{ "UNKNOWN with members", RULE + 12 + R_KIND, 1, DDPROF_UNWIND_UNKNOWN, bad_rule },
	{ "NONE with members", RULE + 12 + R_KIND, 1, DDPROF_UNWIND_NONE, bad_rule },
	{ "REG of a register that is none", RULE + 12 + R_BASE, 1, 16, bad_rule },
	{ "REG of the last register", RULE + 12 + R_BASE, 1, 15, NULL },
	{ "REG with an addend", RULE + 12 + R_ADD, 2, 1, bad_rule },
	{ "bx at cfa - 8", RULE + 12 + R_BX, 1, 0xff, NULL },
	{ "bx as far away as can be", RULE + 24 + R_BX, 1, 0x81, NULL },
	{ "bx lost", RULE + 12 + R_BX, 1, 0x80, NULL },
	{ "bx above cfa", RULE + 12 + R_BX, 1, 1, bad_rule },
	{ "bx far above cfa", RULE + 12 + R_BX, 1, 0x7f, bad_rule },
	{ "DEREF with a bx", RULE + 24, 4,
	  DDPROF_UNWIND_DEREF | 3 << 8 | DDPROF_UNWIND_BP_CFA << 16 | 0xfeU << 24, NULL },
	{ "DEREF with a bx above cfa", RULE + 24, 4,
	  DDPROF_UNWIND_DEREF | 3 << 8 | DDPROF_UNWIND_BP_CFA << 16 | 2 << 24, bad_rule },
	{ "REG with a bp offset and bp the same", RULE + 12 + R_BP_OFFSET, 2, 8, bad_rule },
	{ "bp at cfa + 0", RULE + 12 + R_BP, 1, DDPROF_UNWIND_BP_CFA, NULL },
	{ "bp lost", RULE + 12 + R_BP, 1, DDPROF_UNWIND_BP_LOST, NULL },
	{ "bp nowhere", RULE + 12 + R_BP, 1, 4, bad_rule },
	{ "bp lost with an offset", RULE + 24 + R_BP, 1, DDPROF_UNWIND_BP_LOST, bad_rule },
	{ "bp from bp", RULE + 24 + R_BP, 1, DDPROF_UNWIND_BP_BP, NULL },
	{ "DEREF", RULE + 24 + R_KIND, 1, DDPROF_UNWIND_DEREF, NULL },
	{ "DEREF with an addend", RULE + 36 + R_KIND, 1, DDPROF_UNWIND_DEREF, NULL },
	{ "DEREF of a register that is none", RULE + 36, 2, DDPROF_UNWIND_DEREF | 16 << 8,
	  bad_rule },
	{ "PLT add 15", RULE + 36 + R_ADD, 2, 15, NULL },
	{ "PLT add 0", RULE + 36 + R_ADD, 2, 0, NULL },
	{ "PLT add 16", RULE + 36 + R_ADD, 2, 16, bad_rule },
	{ "PLT add -1", RULE + 36 + R_ADD, 2, 0xffff, bad_rule },
	{ "PLT with a bx", RULE + 36 + R_BX, 1, 0xf0, NULL },
	{ "PLT with a bx above cfa", RULE + 36 + R_BX, 1, 8, bad_rule },
	{ "PLT of a register that is none", RULE + 36 + R_BASE, 1, 16, bad_rule },
	{ "PLT with a bp that is none", RULE + 36 + R_BP, 1, 255, bad_rule },

	{ "rows before the first page", PAGES, 4, 1, directory_ends },
	{ "rows behind the last page", PAGES + 12, 4, 4, directory_ends },
	{ "an end outside the rows", PAGES + 12, 4, 6, directory_ends },
	{ "a page that begins after its end", PAGES + 8, 4, 2, directory },
	{ "a page that ends outside the rows", PAGES + 8, 4, 6, directory },
	{ "a page that ends far outside", PAGES + 8, 4, 0xffffffff, directory },
	{ "a first page without rows", PAGES + 4, 4, 0, "first_page has no row" },
	{ "a row that belongs to the page before", PAGES + 4, 4, 2, not_in_page },
	{ "a row that belongs to a later page", PAGES + 8, 4, 4, not_in_page },

	{ "a row below its page", ROWS, 4, 0x0fff0001, not_in_page },
	{ "a row above its page", ROWS + 8, 4, 0x20000001, not_in_page },
	{ "rows with the same offset", ROWS + 4, 4, 0x10100002, "rows are not in order" },
	{ "rows the wrong way round", ROWS + 4, 4, 0x10000002, "rows are not in order" },
	{ "a rule that does not exist", ROWS, 4, 0x10100004, "a row's rule does not exist" },
	{ "a last row that goes on", ROWS + 16, 4, 0x38000001,
	  "the last row does not end the table" },
};

static int open_and_check(const void *image, size_t bytes, struct ddp_rows *t, const char **fault)
{
	int r = ddp_rows_open(image, bytes, t, fault);

	return r ? r : ddp_rows_check(t, 0, t->nr_pages, fault);
}

static void faults_are_found(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR(fault_cases); i++) {
		const struct fault_case *c = &fault_cases[i];
		const char *fault = NULL;
		struct ddp_rows t;
		size_t bytes;
		u8 *image = image_make(12, rules, NR(rules), rows, NR(rows), &bytes);
		int r;

		assert_int_equal(bytes, IMAGE_BYTES);
		memcpy(image + c->at, &c->value, c->bytes);
		r = open_and_check(image, bytes, &t, &fault);
		if (r != (c->fault ? -EINVAL : 0) || !fault != !c->fault ||
		    (fault && strcmp(fault, c->fault)))
			fail_msg("%s: %d, %s", c->name, r, fault ? fault : "no fault");
		free(image);
	}
}

static void every_size_but_the_right_one_is_refused(void **state)
{
	const char *fault;
	struct ddp_rows t;
	size_t bytes, n;
	u8 *image = image_make(12, rules, NR(rules), rows, NR(rows), &bytes);

	(void)state;
	for (n = 0; n < bytes; n++) {
		u8 *part = malloc(n + 1);

		memcpy(part, image, n);
		fault = NULL;
		assert_int_equal(ddp_rows_open(part, n, &t, &fault), -EINVAL);
		assert_string_equal(fault, n < RULE ? "shorter than a header" : size);
		free(part);
	}
	image = realloc(image, bytes + 4);
	memset(image + bytes, 0, 4);
	assert_int_equal(ddp_rows_open(image, bytes + 1, &t, &fault), -EINVAL);
	assert_int_equal(ddp_rows_open(image, bytes + 4, &t, &fault), -EINVAL);
	assert_int_equal(ddp_rows_open(image, bytes, &t, &fault), 0);
	free(image);
}

static void an_image_without_rows_covers_nothing(void **state)
{
	void *image;
	struct ddp_rows t = image_open(12, NULL, 0, NULL, 0, &image);
	const char *fault;

	(void)state;
	assert_int_equal(t.nr_rows, 0);
	assert_null(ddp_rows_find(&t, 0));
	assert_null(ddp_rows_find(&t, ~0ULL));
	assert_int_equal(ddp_rows_check(&t, 0, 1, &fault), -EINVAL);
	assert_int_equal(ddp_rows_check(&t, 1, 1, &fault), -EINVAL);
	((u32 *)image)[6] = 1;	/* pages[0] */
	assert_int_equal(ddp_rows_open(image, 28, &t, &fault), -EINVAL);
	assert_string_equal(fault, directory_ends);
	free(image);
}

/* As the look-up is described in the contract, row by row over the whole image. */
static const struct ddprof_unwind_rule *find_naively(const struct image_row *row, u32 nr,
						     u32 page_shift, u64 offset)
{
	const struct ddprof_unwind_rule *found = NULL;

	if (offset >> page_shift > row[nr - 1].offset >> page_shift)
		return NULL;
	for (; nr && row->offset <= offset; row++, nr--)
		found = &rules[row->rule];
	return found;
}

static bool same_rule(const struct ddprof_unwind_rule *a, const struct ddprof_unwind_rule *b)
{
	return !a == !b && (!a || !memcmp(a, b, sizeof(*a)));
}

static void look_ups_agree_at(const struct ddp_rows *t, const struct image_row *row, u32 nr,
			      u64 offset)
{
	const struct ddprof_unwind_rule *wanted = find_naively(row, nr, t->page_shift, offset);

	if (!same_rule(ddp_rows_find(t, offset), wanted))
		fail_msg("shift %u, offset %#llx", t->page_shift, (unsigned long long)offset);
}

enum { MAX_ROWS = 300 };

/* Rows close together, far apart, and across many pages, up to the last page number there is. */
static u32 random_rows(struct image_row *row, u32 max, u32 page_shift, u32 max_gap_bits)
{
	u32 nr = 1 + random_u64() % (random_u64() % 8 ? 20 : max), i;
	u64 span = 1ULL << random_u64() % max_gap_bits, pages = (span * nr >> page_shift) + 2;
	u64 last = (0xffffffffULL - pages) << page_shift;
	u64 offset = random_u64() % 4 ? random_u64() % 0x200000 : last;

	for (i = 0; i < nr; i++) {
		row[i].offset = offset;
		row[i].rule = i == nr - 1 ? 0 : random_u64() % NR(rules);
		offset += 1 + random_u64() % span;
	}
	return nr;
}

static void look_ups_agree_in(u32 page_shift, const struct image_row *row, u32 nr)
{
	u64 first = row[0].offset, last = row[nr - 1].offset;
	u64 end = ((last >> page_shift) + 1) << page_shift;
	void *image;
	struct ddp_rows t = image_open(page_shift, rules, NR(rules), row, nr, &image);
	u32 i;

	for (i = 0; i < nr; i++) {
		look_ups_agree_at(&t, row, nr, row[i].offset - 1);
		look_ups_agree_at(&t, row, nr, row[i].offset);
		look_ups_agree_at(&t, row, nr, row[i].offset + 1);
		look_ups_agree_at(&t, row, nr, first + random_u64() % (last - first + 1));
	}
	look_ups_agree_at(&t, row, nr, 0);
	look_ups_agree_at(&t, row, nr, end - 1);
	look_ups_agree_at(&t, row, nr, end);
	look_ups_agree_at(&t, row, nr, ~0ULL);
	/* page numbers that are the right ones in 32 bits */
	look_ups_agree_at(&t, row, nr, first + (1ULL << (32 + page_shift)));
	look_ups_agree_at(&t, row, nr, first | 1ULL << 63);
	free(image);
}

static void look_ups_agree_with_a_naive_reading(void **state)
{
	struct image_row row[MAX_ROWS];
	u32 round, page_shift, nr;

	(void)state;
	rnd = 2463534242;
	for (round = 0; round < 40; round++) {
		for (page_shift = 8; page_shift <= 16; page_shift++) {
			nr = random_rows(row, MAX_ROWS, page_shift, 21);
			look_ups_agree_in(page_shift, row, nr);
		}
	}
}

/* Every page is looked at by itself, so pieces find what one check of all finds. */
static bool accepted_in_pieces(const struct ddp_rows *t)
{
	const char *fault;
	u32 first = 0, nr;

	for (; first < t->nr_pages; first += nr) {
		nr = 1 + random_u64() % (t->nr_pages - first);
		if (ddp_rows_check(t, first, nr, &fault))
			return false;
	}
	return true;
}

static void look_everywhere(const struct ddp_rows *t)
{
	u64 offset;
	u32 i, k;

	for (i = 0; i < t->nr_pages; i++)
		for (k = 0; k < 8; k++) {
			offset = (u64)(t->first_page + i) << t->page_shift;
			offset += random_u64() & ((1U << t->page_shift) - 1);
			ddp_rows_find(t, offset);
		}
	for (i = 0; i < t->nr_rows; i++) {
		offset = (u64)t->first_page << t->page_shift & ~0xffffULL;
		assert_true(t->rows[i] >> 16 <= 0xffff);
		ddp_rows_find(t, offset + (t->rows[i] >> 16));
		ddp_rows_find(t, offset + (t->rows[i] >> 16) - 1);
	}
	ddp_rows_find(t, 0);
	ddp_rows_find(t, ~0ULL);
}

static void mutate(u8 *image, size_t bytes)
{
	u32 n = 1 + random_u64() % 3;

	while (n--) {
		size_t at = random_u64() % bytes;

		/* the header is small and refuses most; rows are many */
		if (random_u64() % 4 == 0)
			at = random_u64() % (RULE + 12 * NR(rules));
		if (random_u64() % 2)
			image[at] ^= 1 << random_u64() % 8;
		else
			image[at] = random_u64();
	}
}

static void a_mutant_is_refused_or_harmless(void **state)
{
	struct image_row row[20];
	u32 round, accepted = 0, refused = 0;

	(void)state;
	rnd = 362436069;
	for (round = 0; round < 60000; round++) {
		u32 page_shift = 8 + round % 9, nr = random_rows(row, 20, page_shift, 10);
		const char *fault = NULL;
		struct ddp_rows t;
		size_t bytes;
		u8 *image = image_make(page_shift, rules, NR(rules), row, nr, &bytes);

		mutate(image, bytes);
		if (ddp_rows_open(image, bytes, &t, &fault)) {
			assert_non_null(fault);
			refused++;
		} else if (ddp_rows_check(&t, 0, t.nr_pages, &fault)) {
			assert_non_null(fault);
			assert_false(accepted_in_pieces(&t));
			refused++;
		} else {
			assert_null(fault);
			assert_true(accepted_in_pieces(&t));
			look_everywhere(&t);
			accepted++;
		}
		free(image);
	}
	assert_true(accepted > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_found),
		cmocka_unit_test(every_size_but_the_right_one_is_refused),
		cmocka_unit_test(an_image_without_rows_covers_nothing),
		cmocka_unit_test(look_ups_agree_with_a_naive_reading),
		cmocka_unit_test(a_mutant_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
