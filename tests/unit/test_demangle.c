// SPDX-License-Identifier: Apache-2.0
/* collector/symbols/demangle: names of compilers, names of nobody, and names that never end. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/demangle.h"

static const struct {
	const char *what, *name, *readable;	/* NULL: none */
} rows[] = {
	{ "C", "main", NULL },
	{ "nothing", "", NULL },
	{ "an underscore", "_", NULL },
	{ "a prefix alone", "_Z", NULL },
	{ "a function of C++", "_Z3addii", "add(int, int)" },
	{ "a template", "_ZNSt6vectorIiSaIiEE9push_backERKi",
	  "std::vector<int, std::allocator<int> >::push_back(int const&)" },
	{ "no name", "_ZN12_GLOBAL__N_11fEv", "(anonymous namespace)::f()" },
	{ "a compiler's copy", "_Z3addii.constprop.0", "add(int, int) [clone .constprop.0]" },
	{ "Rust, before 2021", "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
	  "core::fmt::Write::write_fmt" },
	{ "Rust", "_RNvC6_123foo3bar", "123foo::bar" },
	{ "Rust, not ASCII", "_RNqC8identityu8gdel_5qa", "identity::g\u00f6del" },
	{ "Rust that is wrong near its end", "_RNqC8identityu7gdel_5qa", NULL },
	{ "it begins like one", "_Zebra", NULL },
	{ "a name that ends too early", "_ZNSt6vectorIiSaIiEE9push_ba", NULL },
	{ "a length without end", "_Z99999999999999999999f", NULL },
};

static void names(void **state)
{
	char got[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is = ddp_demangle(rows[i].name, got, sizeof(got));

		if (is != !!rows[i].readable || (is && strcmp(got, rows[i].readable)))
			fail_msg("%s: \"%s\"", rows[i].what, is ? got : "(none)");
	}
}

/* Each argument is the pair of the one before with itself */
static void doubling(void **state)
{
	char name[DDP_MAX_MANGLED + 64] = "_Z1fSt4pairIiiE", got[4096] = "as it was";
	size_t n = strlen(name);

	(void)state;
	for (int i = 0; n < DDP_MAX_MANGLED - 32; i++) {
		static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		char last[4] = { 0 };

		/* S0_ is the first pair */
		if (i < 36)
			snprintf(last, sizeof(last), "%c", digits[i]);
		else
			snprintf(last, sizeof(last), "%c%c", digits[i / 36], digits[i % 36]);
		n += (size_t)sprintf(name + n, "St4pairIS%s_S%s_E", last, last);
	}
	assert_false(ddp_demangle(name, got, sizeof(got)));
	assert_string_equal(got, "as it was");
}

static void long_names(void **state)
{
	char *name = malloc(1 << 20), got[64];

	(void)state;
	memset(name, 'a', 1 << 20);
	memcpy(name, "_Z1000000", 9);
	name[(1 << 20) - 1] = '\0';
	assert_false(ddp_demangle(name, got, sizeof(got)));
	free(name);
}

/* Any room: as much as fits with its end, or nothing */
static void room(void **state)
{
	static const char full[] = "add(int, int)";

	(void)state;
	for (size_t size = 0; size < 32; size++) {
		char *got = malloc(size + 1);	/* the sanitizer sees what lies behind */

		got[size] = '~';
		assert_int_equal(ddp_demangle("_Z3addii", got, size), size >= sizeof(full));
		if (size >= sizeof(full))
			assert_string_equal(got, full);
		assert_int_equal(got[size], '~');
		free(got);
	}
}

/* Names of this kind, with bytes exchanged, cut and repeated: they end, in the room there is */
static void wrong_names(void **state)
{
	char name[512], got[512];

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		const char *from = rows[(size_t)rand() % (sizeof(rows) / sizeof(rows[0]))].name;
		size_t n = strlen(from);

		memcpy(name, from, n + 1);
		for (int k = rand() % 4; k && n > 2; k--) {
			size_t at = 2 + (size_t)rand() % (n - 2), len = (size_t)rand() % 8;

			if (len > n - at || n + len >= sizeof(name))
				continue;
			if (rand() & 1)
				name[at] = (char)(' ' + rand() % 95);
			memmove(name + at + len, name + at, n - at + 1);
			n += len;
		}
		if (ddp_demangle(name, got, sizeof(got)))
			assert_true(strlen(got) < sizeof(got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(doubling), cmocka_unit_test(long_names),
		cmocka_unit_test(room), cmocka_unit_test(wrong_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
