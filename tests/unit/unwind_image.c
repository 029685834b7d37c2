// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unwind_image.h"

void *image_make(u32 page_shift, const struct ddprof_unwind_rule *rules, u32 nr_rules,
		 const struct image_row *rows, u32 nr_rows, size_t *bytes)
{
	struct ddprof_unwind_header h = {
		.magic = DDPROF_UNWIND_MAGIC, .nr_rules = nr_rules, .nr_rows = nr_rows,
		.page_shift = page_shift,
	};
	u32 *pages, page, i;
	u8 *image;

	if (nr_rows) {
		h.first_page = rows[0].offset >> page_shift;
		h.nr_pages = (rows[nr_rows - 1].offset >> page_shift) - h.first_page + 1;
	}
	*bytes = sizeof(h) + nr_rules * sizeof(*rules) + (h.nr_pages + 1 + nr_rows) * sizeof(u32);
	image = malloc(*bytes);
	assert_non_null(image);
	memcpy(image, &h, sizeof(h));
	if (nr_rules)
		memcpy(image + sizeof(h), rules, nr_rules * sizeof(*rules));
	pages = (u32 *)(image + sizeof(h) + nr_rules * sizeof(*rules));
	for (page = 0, i = 0; page <= h.nr_pages; page++) {
		while (i < nr_rows && rows[i].offset >> page_shift < h.first_page + page)
			i++;
		pages[page] = i;
	}
	for (i = 0; i < nr_rows; i++)
		pages[h.nr_pages + 1 + i] = (rows[i].offset & 0xffff) << 16 | rows[i].rule;
	return image;
}

struct ddp_rows image_open(u32 page_shift, const struct ddprof_unwind_rule *rules, u32 nr_rules,
			   const struct image_row *rows, u32 nr_rows, void **ret_image)
{
	const char *fault = NULL;
	struct ddp_rows t;
	size_t bytes;

	*ret_image = image_make(page_shift, rules, nr_rules, rows, nr_rows, &bytes);
	if (ddp_rows_open(*ret_image, bytes, &t, &fault) ||
	    ddp_rows_check(&t, 0, t.nr_pages, &fault))
		fail_msg("image refused: %s", fault);
	return t;
}
