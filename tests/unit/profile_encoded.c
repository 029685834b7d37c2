// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pprof_text.h"
#include "profile_encoded.h"

struct ddp_buffer encoded(const struct ddp_profile *p)
{
	struct ddp_buffer b = { 0 };

	assert_int_equal(ddp_pprof_encode(p, 2000, ddp_buffer_write, &b), 0);
	return b;
}

struct ddp_pprof *reloaded(const struct ddp_profile *p)
{
	struct ddp_buffer b = encoded(p);
	struct ddp_error err = { "" };
	struct ddp_pprof *f;

	if (ddp_pprof_load(b.bytes, b.len, NULL, &f, &err))
		fail_msg("%s", err.text);
	ddp_buffer_free(&b);
	return f;
}

void assert_same_bytes(const struct ddp_buffer *a, const struct ddp_buffer *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->bytes, b->bytes, a->len);
}

void assert_unchanged(const struct ddp_profile *p, const struct ddp_buffer *before)
{
	struct ddp_buffer now = encoded(p);

	assert_same_bytes(before, &now);
	ddp_buffer_free(&now);
}

/* A sample's line begins with a value, other lines with a word */
static void keep_samples(char *text)
{
	char *line, *next, *to = text;
	size_t n;

	for (line = text; *line; line = next) {
		n = strcspn(line, "\n");
		next = line + n + (line[n] == '\n');
		if (*line != '-' && (*line < '0' || *line > '9'))
			continue;
		memmove(to, line, next - line);
		to += next - line;
	}
	*to = '\0';
}

char *samples_text(const struct ddp_pprof *f)
{
	char *text = profile_to_text(f);

	keep_samples(text);
	return text;
}

void assert_samples(const struct ddp_profile *p, const char *lines)
{
	struct ddp_pprof *f = reloaded(p);
	char *text = samples_text(f);

	assert_string_equal(text, lines);
	free(text);
	ddp_pprof_destroy(f);
}

uint32_t string_id(struct ddp_profile *p, const char *s)
{
	uint32_t id;

	assert_int_equal(ddp_profile_string(p, s, strlen(s), &id), 0);
	return id;
}
