// SPDX-License-Identifier: Apache-2.0
/* Numbers of variable length: every length, at the end of the input and before it, and what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/base/cursor.h"

enum { LONGEST = 10 };

static size_t put_varint(uint8_t *to, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = (uint8_t)v | 0x80;
	to[n++] = (uint8_t)v;
	return n;
}

/* In memory of its own size, so that ASan sees a read past the end. */
static int read_varint(const uint8_t *bytes, size_t n, uint64_t *ret, size_t *ret_at)
{
	uint8_t *copy = malloc(n + !n);
	struct cursor c = cursor_over(copy, n);
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	r = cursor_varint(&c, ret);
	*ret_at = cursor_at(&c);
	free(copy);
	return r;
}

static void check(uint64_t v)
{
	uint8_t bytes[LONGEST + 4];
	size_t n = put_varint(bytes, v), after, at;
	uint64_t got;

	memset(bytes + n, 0xff, sizeof(bytes) - n);
	for (after = 0; after <= 4; after++) {
		assert_int_equal(read_varint(bytes, n + after, &got, &at), 0);
		assert_int_equal(got, v);
		assert_int_equal(at, n);
	}
	for (after = 1; after <= n; after++) {
		assert_int_equal(read_varint(bytes, n - after, &got, &at), -EBADMSG);
		assert_int_equal(at, 0);
	}
}

static void every_length(void **state)
{
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		check(1ULL << bit);
		check((1ULL << bit) - 1);
		check((1ULL << bit) + 1);
		check(0x5555555555555555 >> bit);
	}
	check(0);
	check(UINT64_MAX);
}

static void spellings(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[12];
		size_t n;
		int r;
		uint64_t v;
		size_t at;
	} rows[] = {
		{ "a long zero", { 0x80, 0x00 }, 2, 0, 0, 2 },
		{ "a longer zero", { 0x80, 0x80, 0x80, 0x00 }, 4, 0, 0, 4 },
		{ "a long 1 with more behind", { 0x81, 0x80, 0x00, 0xff }, 4, 0, 1, 3 },
		{ "the 65th bit", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 }, 10,
		  -EBADMSG, 0, 0 },
		{ "eleven bytes", { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0 }, 11,
		  -EBADMSG, 0, 0 },
		{ "nothing", { 0 }, 0, -EBADMSG, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t got = 0;
		size_t at;

		if (read_varint(rows[i].bytes, rows[i].n, &got, &at) != rows[i].r)
			fail_msg("%s", rows[i].name);
		if (at != rows[i].at || got != rows[i].v)
			fail_msg("%s: %llu, then at %zu", rows[i].name, (unsigned long long)got, at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
