// SPDX-License-Identifier: Apache-2.0
/* collector/symbols/kallsyms on text: lines of every shape, lookups between and beyond symbols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbols/kallsyms.h"

static void lines(void **state)
{
	static const struct {
		const char *line;
		int want;
		uint64_t address;
		char type;
		const char *name, *module;
	} rows[] = {
		{ "ffffffff81000000 T _stext\n", 0, 0xffffffff81000000, 'T', "_stext", "" },
		{ "ffffffffc0001000 t probe\t[ddprof_kmod]\n", 0, 0xffffffffc0001000, 't', "probe",
		  "ddprof_kmod" },
		{ "0 A fixed_percpu_data", 0, 0, 'A', "fixed_percpu_data", "" },
		{ "ffffffffc0001000 t bpf_prog_6deef7357e7b4530\t[bpf]\n", 0, 0xffffffffc0001000,
		  't', "bpf_prog_6deef7357e7b4530", "bpf" },
		{ "", -EBADMSG, 0, 0, NULL, NULL },
		{ "\n", -EBADMSG, 0, 0, NULL, NULL },
		{ "ffffffff81000000", -EBADMSG, 0, 0, NULL, NULL },
		{ "ffffffff81000000 T", -EBADMSG, 0, 0, NULL, NULL },
		{ "ffffffff81000000 T ", -EBADMSG, 0, 0, NULL, NULL },
		{ "ffffffff810000000 T too_long\n", -EBADMSG, 0, 0, NULL, NULL },
		{ "zz T name\n", -EBADMSG, 0, 0, NULL, NULL },
		{ "12 T name [module\n", -EBADMSG, 0, 0, NULL, NULL },
		{ "12 T name []\n", -EBADMSG, 0, 0, NULL, NULL },
		{ "12 T name junk\n", -EBADMSG, 0, 0, NULL, NULL },
	};
	struct ddp_kallsyms_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = ddp_kallsyms_parse_line(rows[i].line, &l);

		if (r != rows[i].want)
			fail_msg("'%s': %d", rows[i].line, r);
		if (r)
			continue;
		assert_int_equal(l.address, rows[i].address);
		assert_int_equal(l.type, rows[i].type);
		assert_string_equal(l.name, rows[i].name);
		assert_string_equal(l.module, rows[i].module);
	}
}

static void long_names_are_refused(void **state)
{
	struct ddp_kallsyms_line l;
	char line[1024] = "12 T ";

	(void)state;
	memset(line + 5, 'x', DDP_KALLSYMS_NAME - 1);
	assert_int_equal(ddp_kallsyms_parse_line(line, &l), 0);
	line[5 + DDP_KALLSYMS_NAME - 1] = 'x';
	assert_int_equal(ddp_kallsyms_parse_line(line, &l), -EBADMSG);
}

static struct ddp_kallsyms *read_text(const char *text)
{
	FILE *f = fmemopen((char *)(uintptr_t)text, strlen(text), "r");
	struct ddp_kallsyms *k;

	assert_non_null(f);
	assert_int_equal(ddp_kallsyms_read(f, &k), 0);
	fclose(f);
	return k;
}

static void lookups(void **state)
{
	static const char text[] =
		"0000000000000000 A fixed_percpu_data\n"
		"ffffffff81000000 T _stext\n"
		"ffffffff81000000 T first_alias\n"
		"ffffffff81000100 t second\n"
		"ffffffff81000180 d not_code\n"
		"junk\n"
		"ffffffffc0002000 t later\t[two]\n"
		"ffffffffc0001000 t probe\t[one]\n"
		"ffffffff81000200 W weak\n";
	static const struct {
		uint64_t address;
		const char *name, *module;
	} rows[] = {
		{ 0, NULL, NULL },
		{ 0xffffffff80ffffff, NULL, NULL },
		{ 0xffffffff81000000, "_stext", "" },
		{ 0xffffffff810000ff, "_stext", "" },
		{ 0xffffffff81000190, "second", "" },
		{ 0xffffffff81000200, "weak", "" },
		{ 0xffffffff81000200 + DDP_KALLSYMS_REACH, NULL, NULL },
		{ 0xffffffff81000200 + DDP_KALLSYMS_REACH - 1, "weak", "" },
		{ 0xffffffffc0001000, "probe", "one" },
		{ 0xffffffffc0001fff, "probe", "one" },
		{ 0xffffffffc0002001, "later", "two" },
		{ UINT64_MAX, NULL, NULL },
	};
	struct ddp_kallsyms *k = read_text(text);

	(void)state;
	assert_int_equal(ddp_kallsyms_nr(k), 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_kallsyms_module *m = NULL;
		const char *name = ddp_kallsyms_symbol(k, rows[i].address, &m);

		if (!rows[i].name) {
			assert_null(name);
			continue;
		}
		assert_non_null(name);
		assert_string_equal(name, rows[i].name);
		assert_string_equal(m->name, rows[i].module);
		/* a pprof mapping: what has a name in it lies inside, and nobody else's does */
		assert_true(rows[i].address >= m->start && rows[i].address < m->limit);
		assert_true(strcmp(m->name, "one") || m->limit == 0xffffffffc0002000);
	}
	ddp_kallsyms_free(k);
}

static void hidden_addresses_give_no_names(void **state)
{
	struct ddp_kallsyms *k = read_text(
		"0000000000000000 T _stext\n0000000000000000 t x\t[m]\n");

	(void)state;
	assert_int_equal(ddp_kallsyms_nr(k), 0);
	assert_null(ddp_kallsyms_symbol(k, 0, NULL));
	ddp_kallsyms_free(k);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(long_names_are_refused),
		cmocka_unit_test(lookups), cmocka_unit_test(hidden_addresses_give_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
