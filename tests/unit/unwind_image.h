/* SPDX-License-Identifier: Apache-2.0 */
/* Unwind tables made by hand, for tests of what checks and walks them. */
#ifndef TESTS_UNWIND_IMAGE_H
#define TESTS_UNWIND_IMAGE_H

#include "kmod/core/unwind_rows.h"

struct image_row {
	u64 offset;	/* in the file */
	u32 rule;	/* index */
};

/*
 * @return an image of exactly *@bytes malloc()ed bytes, so that ASan sees who leaves it. It says
 * what it is given: rows by offset and the last one's rule are the caller's to get right.
 */
void *image_make(u32 page_shift, const struct ddprof_unwind_rule *rules, u32 nr_rules,
		 const struct image_row *rows, u32 nr_rows, size_t *bytes);

/* image_make(), then opened and checked; the test fails when it is refused. free() *ret_image. */
struct ddp_rows image_open(u32 page_shift, const struct ddprof_unwind_rule *rules, u32 nr_rules,
			   const struct image_row *rows, u32 nr_rows, void **ret_image);

#endif /* TESTS_UNWIND_IMAGE_H */
