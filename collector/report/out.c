// SPDX-License-Identifier: Apache-2.0
/* See out.h. Source of the JSON: RFC 8259, section 7. */
#include "report/out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

void ddp_out_start(struct ddp_out *t, ddp_write_fn write, void *ctx)
{
	t->write = write;
	t->ctx = ctx;
	t->error = 0;
	t->total = 0;
	t->used = 0;
}

static void flush(struct ddp_out *t)
{
	if (!t->error && t->used)
		t->error = t->write(t->ctx, t->bytes, t->used);
	t->used = 0;
}

void ddp_out_bytes(struct ddp_out *t, const void *bytes, size_t n)
{
	const char *p = bytes;

	if (!t->error && n > DDP_OUT_MAX_BYTES - t->total)
		t->error = -EFBIG;
	if (t->error)
		return;
	t->total += n;
	while (n) {
		size_t room = sizeof(t->bytes) - t->used, part = n < room ? n : room;

		memcpy(t->bytes + t->used, p, part);
		t->used += part;
		p += part;
		n -= part;
		if (t->used == sizeof(t->bytes))
			flush(t);
	}
}

void ddp_out_add(struct ddp_out *t, const char *s)
{
	ddp_out_bytes(t, s, strlen(s));
}

void ddp_out_number(struct ddp_out *t, int64_t n)
{
	char digits[24];

	ddp_out_bytes(t, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n));
}

static void add_escaped(struct ddp_out *t, unsigned char c)
{
	char code[8];

	ddp_out_bytes(t, code, (size_t)snprintf(code, sizeof(code), "\\u%04x", c));
}

static void add_json_part(struct ddp_out *t, const char *s, size_t n)
{
	size_t start = 0, i;

	for (i = 0; i < n; i++) {
		if ((unsigned char)s[i] >= ' ' && !strchr("\"\\<>&\x7f", s[i]))
			continue;
		ddp_out_bytes(t, s + start, i - start);
		add_escaped(t, (unsigned char)s[i]);
		start = i + 1;
	}
	ddp_out_bytes(t, s + start, i - start);
}

/* Valid parts by way of @add, the others as U+FFFD */
static void add_repaired(struct ddp_out *t, const char *s, size_t left,
			 void (*add)(struct ddp_out *t, const char *s, size_t n))
{
	while (left && !t->error) {
		size_t n = ddp__utf8_valid(s, left);

		add(t, s, n);
		if (n < left) {
			ddp_out_add(t, UTF8_REPLACEMENT);
			n += ddp__utf8_bad(s + n, left - n);
		}
		s += n;
		left -= n;
	}
}

static void add_part(struct ddp_out *t, const char *s, size_t n)
{
	ddp_out_bytes(t, s, n);
}

void ddp_out_text(struct ddp_out *t, const char *s, size_t n)
{
	add_repaired(t, s, n, add_part);
}

void ddp_out_json(struct ddp_out *t, const char *s)
{
	ddp_out_add(t, "\"");
	add_repaired(t, s, strlen(s), add_json_part);
	ddp_out_add(t, "\"");
}

int ddp_out_finish(struct ddp_out *t)
{
	flush(t);
	return t->error;
}
