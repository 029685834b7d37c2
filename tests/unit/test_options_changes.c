// SPDX-License-Identifier: Apache-2.0
/* collector/base/options_changes: what two readings of a table have different, of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options_changes.h"
#include "lib/cleanup.h"

enum { A = 1, B = 2, C = 4, SECTION = 8, MAX_TARGETS = 4 };

struct target {
	char title[16];
	uint32_t port;
};

struct values {
	bool flag;
	uint32_t number, choice, once;
	int32_t level;
	const char *text;
	struct ddp_texts texts;
	struct ddp_pids pids;
	struct target targets[MAX_TARGETS];
	size_t nr_targets;
};

static const char *const colors[] = { "red", "green", NULL };

#define AT(member) .offset = offsetof(struct values, member)

static const struct ddp_option table[] = {
	{ "flag", NULL, 0, DDP_OPTION_FLAG, AT(flag), .apply = A },
	{ "number", NULL, 0, DDP_OPTION_NUMBER, AT(number), .max = 100, .argument = "N",
	  .initial = "1", .apply = B },
	{ "choice", NULL, 0, DDP_OPTION_CHOICE, AT(choice), .choices = colors, .argument = "COLOR",
	  .initial = "red", .apply = B },
	{ "level", NULL, 0, DDP_OPTION_SIGNED, AT(level), .min = -5, .max = 5, .argument = "N",
	  .apply = A },
	{ "text", NULL, 0, DDP_OPTION_TEXT, AT(text), .argument = "TEXT", .apply = C },
	{ "texts", NULL, 0, DDP_OPTION_TEXTS, AT(texts), .argument = "TEXT", .apply = C },
	{ "pids", NULL, 0, DDP_OPTION_PIDS, AT(pids), .argument = "PID", .apply = A },
	{ "once", NULL, 0, DDP_OPTION_NUMBER, AT(once), .max = 9, .argument = "N",
	  .flags = DDP_OPTION_ONCE, .apply = A },
	{ 0 },
};

static const struct ddp_option target_table[] = {
	{ "port", NULL, 0, DDP_OPTION_NUMBER, .offset = offsetof(struct target, port), .max = 99,
	  .argument = "PORT" },
	{ 0 },
};

static void *open_target(void *values, const char *title, struct ddp_error *err)
{
	struct values *v = values;
	struct target *t = &v->targets[v->nr_targets];

	(void)err;
	if (v->nr_targets == MAX_TARGETS)
		return NULL;
	v->nr_targets++;
	snprintf(t->title, sizeof(t->title), "%s", title);
	return t;
}

static void *target_at(void *values, size_t n, const char **ret_title)
{
	struct values *v = values;

	if (n >= v->nr_targets)
		return NULL;
	*ret_title = v->targets[n].title;
	return &v->targets[n];
}

static const struct ddp_option_section sections[] = {
	{ "target", "NAME", "", target_table, open_target, target_at, SECTION },
	{ 0 },
};

static void read_text(const char *text, struct values *v, struct ddp_options *o)
{
	char path[] = "/tmp/ddprof-changes-XXXXXX";
	CLEANUP(close_fd) int fd = mkstemp(path);
	struct ddp_error err = { "" };
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	*v = (struct values){ .flag = false };
	ddp_options_begin(o, table, v);
	r = ddp_options_file(o, path, sections, &err);
	unlink(path);
	if (r)
		fail_msg("%s: %s", text, err.text);
}

static void add_name(void *ctx, const char *name, unsigned int apply)
{
	char *names = ctx;

	(void)apply;
	strcat(strcat(names, name), " ");
}

#define ONE "[target a]\nport = 1\n"

static void changes(void **state)
{
	static const struct {
		const char *what, *a, *b;
		unsigned int apply;
		const char *names;
	} rows[] = {
		{ "nothing", "", "", 0, "" },
		{ "the same", "number = 3\ntext = x\n", "text = x\nnumber = 3\n", 0, "" },
		{ "the default said", "", "number = 1\nchoice = red\n", 0, "" },
		{ "a flag", "", "flag = 1\n", A, "flag " },
		{ "a number", "number = 3\n", "number = 4\n", B, "number " },
		{ "a choice", "", "choice = green\n", B, "choice " },
		{ "a negative number", "level = 2\n", "level = -2\n", A, "level " },
		{ "a text", "text = x\n", "text = y\n", C, "text " },
		{ "a text that came", "", "text = y\n", C, "text " },
		{ "a text that went", "text = y\n", "", C, "text " },
		{ "texts", "texts = a\ntexts = b\n", "texts = a\ntexts = c\n", C, "texts " },
		{ "one more text", "texts = a\n", "texts = a\ntexts = c\n", C, "texts " },
		{ "processes", "pids = 1,2\n", "pids = 1,3\n", A, "pids " },
		{ "several", "", "flag = 1\nnumber = 9\n", A | B, "flag number " },
		{ "the same section", ONE, ONE, 0, "" },
		{ "a section's value", ONE, "[target a]\nport = 2\n", SECTION, "target " },
		{ "a section's title", ONE, "[target b]\nport = 1\n", SECTION, "target " },
		{ "one more section", ONE, ONE "[target b]\nport = 1\n", SECTION, "target " },
		{ "one section less", ONE "[target b]\nport = 1\n", ONE, SECTION, "target " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_options a, b;
		struct values va, vb;
		char names[128] = "";

		print_message("%s\n", rows[i].what);
		read_text(rows[i].a, &va, &a);
		read_text(rows[i].b, &vb, &b);
		assert_int_equal(ddp_options_changes(&a, &b, sections, add_name, names),
				 rows[i].apply);
		assert_string_equal(names, rows[i].names);
		assert_int_equal(ddp_options_changes(&a, &b, sections, NULL, NULL), rows[i].apply);
		ddp_options_free(&a);
		ddp_options_free(&b);
	}
}

static void what_is_of_one_run_cannot_change(void **state)
{
	struct values va = { .once = 1 }, vb = { .once = 2 };
	struct ddp_options a, b;

	(void)state;
	ddp_options_begin(&a, table, &va);
	ddp_options_begin(&b, table, &vb);
	va.once = 1;
	vb.once = 2;
	assert_int_equal(ddp_options_changes(&a, &b, NULL, NULL, NULL), 0);
	ddp_options_free(&a);
	ddp_options_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(what_is_of_one_run_cannot_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
