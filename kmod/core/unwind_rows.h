/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Unwind tables: checking an image (uapi/ddprof_unwind.h) that somebody sent, and finding the rule
 * of an address in one that was checked. Pure. Checked by kmod/tables before an image is published,
 * and by the collector's cache; asked by unwind_user in interrupt and NMI context.
 */
#ifndef DDP_CORE_UNWIND_ROWS_H
#define DDP_CORE_UNWIND_ROWS_H

#include "port.h"
#include "../../uapi/ddprof_unwind.h"

/* An image, opened: points into its bytes, which are the caller's and do not change. */
struct ddp_rows {
	const struct ddprof_unwind_rule *rules;
	const u32 *pages;	/* nr_pages + 1 */
	const u32 *rows;	/* nr_rows */
	u32 first_page, nr_pages, page_shift;
	u32 nr_rows, nr_rules;
	/*
	 * set by whoever publishes the image, never the same for two that one memo (unwind_user.h)
	 * meets; 0, as open leaves it: is not remembered
	 */
	u32 serial;
};

/*
 * Everything about @image but its pages and rows: sizes, header, every rule. @image is aligned to 4
 * bytes. 0, or -EINVAL with *@fault, a sentence that says what is wrong.
 */
int ddp_rows_open(const void *image, size_t bytes, struct ddp_rows *ret, const char **fault);

/*
 * After open: check pages @first up to @first + @nr (at most nr_pages) with their rows; the caller
 * goes through all of them, in pieces as long as it may run at a time. 0 or -EINVAL, as above.
 */
int ddp_rows_check(const struct ddp_rows *t, u32 first, u32 nr, const char **fault);

/* The rule at a file offset; NULL when the image does not cover it. Checked images only. */
const struct ddprof_unwind_rule *ddp_rows_find(const struct ddp_rows *t, u64 offset);

#endif /* DDP_CORE_UNWIND_ROWS_H */
