// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: reports of hostile profiles. Input: a 't' and collapsed stacks, or another byte and
 * a pprof file. What can be read is written in every form; collapsed stacks come back as they were,
 * and nothing in a page's data could end its element.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/collapsed.h"
#include "report/format.h"
#include "report/functions.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_REPORT_BYTES = 16 << 20 };	/* longer ones are not looked at */

static const struct ddp_value_type count = { "samples", "count" };

static bool write_form(const struct ddp_pprof *p, enum ddp_format format, size_t value,
		       struct ddp_buffer *ret)
{
	const struct ddp_format_options o = {
		.title = "</script>", .value = value, .label = value ? "who" : NULL,
	};
	struct ddp_error err;
	int r = ddp_format_write(p, format, &o, ddp_buffer_write, ret, &err);

	must(!r || r == -EFBIG || (r == -ERANGE && format == DDP_FORMAT_SPEEDSCOPE));
	return !r;
}

static bool same(const struct ddp_buffer *a, const struct ddp_buffer *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->bytes, b->bytes, a->len));
}

/* @text read and written again. @return false: it has stacks deeper than are read */
static bool again(const struct ddp_buffer *text, struct ddp_buffer *ret)
{
	struct ddp_pprof *p;
	int r = ddp_collapsed_read(text->bytes, text->len, &count, &p, NULL);

	must(!r || r == -EFBIG);
	if (r)
		return false;
	must(write_form(p, DDP_FORMAT_COLLAPSED, 0, ret));
	ddp_pprof_destroy(p);
	return true;
}

/* The second and third time are the same; the first can have names that are the same repaired */
static void check_collapsed(const struct ddp_pprof *p, size_t value)
{
	struct ddp_buffer b[3] = { { .max_bytes = MAX_REPORT_BYTES } };

	if (write_form(p, DDP_FORMAT_COLLAPSED, value, &b[0]) && again(&b[0], &b[1])) {
		must(again(&b[1], &b[2]));
		must(same(&b[1], &b[2]));
	}
	for (int i = 0; i < 3; i++)
		ddp_buffer_free(&b[i]);
}

static void check_page(const struct ddp_pprof *p, size_t value)
{
	static const char start[] = "type=\"application/json\">\n", end[] = "</script>\n<script>";
	struct ddp_buffer b = { .max_bytes = MAX_REPORT_BYTES };
	const char *from, *to;

	if (write_form(p, DDP_FORMAT_HTML, value, &b)) {
		from = memmem(b.bytes, b.len, start, sizeof(start) - 1);
		must(from);
		from += sizeof(start) - 1;
		to = memchr(from, '<', b.len - (size_t)(from - (char *)b.bytes));
		must(to && !memcmp(to, end, sizeof(end) - 1));
		must(!memchr(from, '>', (size_t)(to - from)));
	}
	ddp_buffer_free(&b);
}

static void check_functions(const struct ddp_pprof *p, size_t value)
{
	struct ddp_functions f = { 0 };

	must(!ddp_functions_add(&f, p, value, 0));
	ddp_functions_sort(&f, DDP_BY_CUMULATIVE);
	ddp_functions_free(&f);
}

static void check(const struct ddp_pprof *p)
{
	struct ddp_buffer b = { .max_bytes = MAX_REPORT_BYTES };
	size_t value;

	if (ddp_format_find_value(p, NULL, &value, NULL))
		return;
	check_collapsed(p, value);
	check_page(p, value);
	check_functions(p, value);
	write_form(p, DDP_FORMAT_SPEEDSCOPE, value, &b);
	ddp_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ddp_pprof_limits limits = {
		.max_decompressed_bytes = 1 << 20, .max_memory_bytes = 64 << 20,
	};
	struct ddp_pprof *p;
	int r;

	if (!size)
		return 0;
	r = data[0] == 't' ? ddp_collapsed_read(data + 1, size - 1, &count, &p, NULL) :
			     ddp_pprof_load(data + 1, size - 1, &limits, &p, NULL);
	if (r)
		return 0;
	check(p);
	ddp_pprof_destroy(p);
	return 0;
}
