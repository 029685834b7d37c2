// SPDX-License-Identifier: Apache-2.0
/*
 * collector/base/options_file: what a configuration file gives, what it is told when it is wrong,
 * who wins over it, and that what is written of values gives them again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options_text.h"

struct room {
	const char *title, *color;
	uint32_t beds;
};

enum { MAX_ROOMS = 2 };

struct values {
	bool lit;
	uint32_t beds, color;
	int32_t floor;
	const char *name, *key, *note;
	struct ddp_texts guests;
	struct ddp_pids pids;
	struct room rooms[MAX_ROOMS];
	size_t nr_rooms;
};

#define AT(member) .offset = offsetof(struct values, member)
#define IN_ROOM(member) .offset = offsetof(struct room, member)

static const char *const colors[] = { "red", "green|vert", NULL };

static const struct ddp_option table[] = {
	{ "lit", NULL, 0, DDP_OPTION_FLAG, AT(lit), .help = "h" },
	{ "beds", "bed_count couches", 0, DDP_OPTION_NUMBER, AT(beds), "TEST_BEDS", .min = 1,
	  .max = 9, .argument = "N", .initial = "2", .help = "h" },
	{ "floor", NULL, 0, DDP_OPTION_SIGNED, AT(floor), .min = -3, .max = 3, .argument = "N",
	  .help = "h" },
	{ "color", NULL, 0, DDP_OPTION_CHOICE, AT(color), .choices = colors, .argument = "NAME",
	  .help = "h" },
	{ "name", NULL, 0, DDP_OPTION_TEXT, AT(name), .argument = "NAME", .help = "h" },
	{ "note", NULL, 0, DDP_OPTION_TEXT, AT(note), .argument = "TEXT", .help = "h" },
	{ "key", NULL, 0, DDP_OPTION_TEXT, AT(key), .argument = "KEY", .help = "h",
	  .flags = DDP_OPTION_SECRET },
	{ "guest", NULL, 0, DDP_OPTION_TEXTS, AT(guests), .argument = "NAME", .help = "h" },
	{ "pid", NULL, 0, DDP_OPTION_PIDS, AT(pids), .argument = "PID", .help = "h" },
	{ "help", NULL, 0, DDP_OPTION_FLAG, AT(lit), .help = "h", .flags = DDP_OPTION_ONCE },
	{ 0 },
};

static const struct ddp_option room_table[] = {
	{ "color", NULL, 0, DDP_OPTION_TEXT, IN_ROOM(color), .argument = "NAME", .help = "h" },
	{ "beds", NULL, 0, DDP_OPTION_NUMBER, IN_ROOM(beds), .min = 0, .max = 9, .argument = "N",
	  .initial = "1", .help = "h" },
	{ 0 },
};

static void *open_room(void *values, const char *title, struct ddp_error *err)
{
	struct values *v = values;

	if (v->nr_rooms == MAX_ROOMS) {
		snprintf(err->text, sizeof(err->text), "the house is full");
		return NULL;
	}
	v->rooms[v->nr_rooms].title = title;
	return &v->rooms[v->nr_rooms++];
}

static void *room_at(void *values, size_t n, const char **ret_title)
{
	struct values *v = values;

	if (n >= v->nr_rooms)
		return NULL;
	*ret_title = v->rooms[n].title;
	return &v->rooms[n];
}

static const struct ddp_option_section sections[] = {
	{ "room", "NAME", .help = "h", .table = room_table, .open = open_room, .at = room_at },
	{ 0 },
};

static char path[] = "/tmp/ddprof-test-options-XXXXXX";

static void write_file(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static int read_file(struct ddp_options *o, struct values *v, const char *text,
		     struct ddp_error *err)
{
	write_file(text, strlen(text));
	memset(v, 0, sizeof(*v));
	ddp_options_begin(o, table, v);
	return ddp_options_file(o, path, sections, err);
}

static void good(struct ddp_options *o, struct values *v, const char *text)
{
	struct ddp_error err = { "" };

	if (read_file(o, v, text, &err))
		fail_msg("%s", err.text);
}

static void every_kind(void **state)
{
	struct ddp_options o;
	struct values v;

	(void)state;
	good(&o, &v, "\xef\xbb\xbf# comment\n; another\n\nlit = yes\r\nbeds=7\nfloor: -2\n"
		     "color = vert\nname = a = b; c\nnote = \"quoted#not\"\nkey=k\n"
		     "guest = one\nguest = two\npid = 1,2\npid=3");
	assert_true(v.lit);
	assert_int_equal(v.beds, 7);
	assert_int_equal(v.floor, -2);
	assert_int_equal(v.color, 1);
	assert_string_equal(v.name, "a = b; c");
	assert_string_equal(v.note, "quoted#not");
	assert_int_equal(v.guests.nr, 2);
	assert_string_equal(v.guests.text[1], "two");
	assert_int_equal(v.pids.nr, 3);
	ddp_options_free(&o);
}

static void lines_continue(void **state)
{
	struct ddp_options o;
	struct values v;

	(void)state;
	good(&o, &v, "  name = a:b,\n\tc:d\n # no part of it\n  e:f\nbeds = 3\n");
	assert_string_equal(v.name, "a:b, c:d e:f");
	assert_int_equal(v.beds, 3);
	ddp_options_free(&o);
}

static void sections_have_values_of_their_own(void **state)
{
	struct ddp_options o;
	struct values v;

	(void)state;
	good(&o, &v, "beds = 3\n[room blue one]\ncolor = blue\n[room  b]\nbeds = 5\n");
	assert_int_equal(v.beds, 3);
	assert_int_equal(v.nr_rooms, 2);
	assert_string_equal(v.rooms[0].title, "blue one");
	assert_string_equal(v.rooms[0].color, "blue");
	assert_int_equal(v.rooms[0].beds, 1);
	assert_string_equal(v.rooms[1].title, "b");
	assert_int_equal(v.rooms[1].beds, 5);
	ddp_options_free(&o);
}

static void refused(void **state)
{
	static char long_line[220], long_value[9000], long_key[80];
	const struct {
		const char *text, *error;	/* behind the file's name */
	} rows[] = {
		{ "beds 3\n", ":1: expected key = value, [section] or # comment" },
		{ "\n\nbeds = 0\n", ":3: beds 0: expected a number from 1 to 9" },
		{ "bedz = 3\n", ":1: bedz: no such option, did you mean beds?" },
		{ "qqqqqq = 3\n", ":1: qqqqqq: no such option" },
		{ "beds = 3\nbeds = 4\n", ":2: beds: is there for the second time" },
		{ "beds = 3\ncouches = 4\n", ":2: couches: is there for the second time" },
		{ "help = 1\n", ":1: help: goes on the command line, not into a file" },
		{ "lit = maybe\n", ":1: lit maybe: expected 1 or 0" },
		{ "color = blue\n", ":1: color blue: expected one of red, green" },
		{ "name =\n", ":1: name: expected NAME, not nothing" },
		{ "name = a ; b\n", ":1: ';' behind a blank: comments are lines of their own" },
		{ "name = a # b\n", ":1: '#' behind a blank" },
		{ "pid = 1,\n", ":1: pid 1,: expected process ids" },
		{ "[cellar]\nbeds = 1\n", ":2: [cellar]: no such section" },
		{ "[rom a]\nbeds = 1\n", ":2: [rom a]: no such section, did you mean [room]?" },
		{ "[room]\nbeds = 1\n", ":2: [room]: expected [room NAME]" },
		{ "[room a]\nbed = 1\n",
		  ":2: bed: no such option in [room a], did you mean beds?" },
		{ "[room a]\nname = 1\n", ":2: name: no such option in [room a]" },
		{ "[room a]\nbeds = 11\n", ":2: beds 11: expected a number from 0 to 9" },
		{ "[room a]\nbeds = 1\nbeds = 2\n", ":3: beds: is there for the second time" },
		{ "[room a]\nbeds=1\n[room b]\nbeds=1\n[room c]\nbeds=1\n",
		  ":6: [room c]: the house is full" },
		{ "lit = 1\n[room a]\n", ":2: the last section has no keys" },
		{ "[room a\nbeds = 1\n", ":1: expected [section]" },
		{ long_line, ":1: longer than 197 characters" },
		{ long_value, ":1: name: expected 8191 characters at most" },
		{ long_key, ": longer than any name that there is" },
	};

	(void)state;
	memset(long_line, 'x', sizeof(long_line) - 1);
	memcpy(long_line, "name = ", 7);
	memset(long_key, 'k', sizeof(long_key) - 1);
	strcpy(long_key + 70, "=1");
	strcpy(long_value, "name = a\n");
	while (strlen(long_value) < 8400)
		strcat(long_value, " 0123456789012345678901234567890123456789\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		struct ddp_options o;
		struct values v;

		if (read_file(&o, &v, rows[i].text, &err) != -EINVAL ||
		    strncmp(err.text, path, strlen(path)) || !strstr(err.text, rows[i].error))
			fail_msg("'%.40s': '%s' instead of '%s'", rows[i].text, err.text,
				 rows[i].error);
		ddp_options_free(&o);
	}
}

static void what_is_no_text(void **state)
{
	static char big[DDP_MAX_CONFIG_BYTES + 1];
	struct ddp_error err = { "" };
	struct ddp_options o;
	struct values v;

	(void)state;
	write_file("lit = 1\n\0beds = 3\n", 18);
	ddp_options_begin(&o, table, &v);
	assert_int_equal(ddp_options_file(&o, path, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: there is a zero byte"));
	memset(big, '\n', sizeof(big));
	write_file(big, sizeof(big));
	assert_int_equal(ddp_options_file(&o, path, NULL, &err), -EFBIG);
	assert_int_equal(ddp_options_file(&o, "/", NULL, &err), -EISDIR);
	assert_string_equal(err.text, "cannot read /: Is a directory");
	ddp_options_free(&o);
}

/* In whatever order they are read */
static void who_wins(void **state)
{
	static const struct {
		const char *what, *argument, *environment, *file;
		uint32_t beds;
		enum ddp_option_from from;
	} rows[] = {
		{ "nothing: the default", NULL, "", "", 2, DDP_FROM_DEFAULT },
		{ "file over default", NULL, "", "beds=3\n", 3, DDP_FROM_FILE },
		{ "environment over file", NULL, "4", "beds=3\n", 4, DDP_FROM_ENVIRONMENT },
		{ "command line over both", "--beds=5", "4", "beds=3\n", 5, DDP_FROM_COMMAND_LINE },
		{ "a wrong variable is ignored", NULL, "x", "beds=3\n", 3, DDP_FROM_FILE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[] = { path, (char *)(uintptr_t)rows[i].argument };
		struct ddp_error err = { "" };
		struct ddp_options o;
		struct values v = { .lit = false };
		int rest;

		write_file(rows[i].file, strlen(rows[i].file));
		setenv("TEST_BEDS", rows[i].environment, 1);
		ddp_options_begin(&o, table, &v);
		assert_int_equal(ddp_options_arguments(&o, 1 + !!argv[1], argv, &rest, &err), 0);
		ddp_options_environment(&o);
		assert_int_equal(ddp_options_file(&o, path, NULL, &err), 0);
		if (v.beds != rows[i].beds ||
		    ddp_options_from(&o, offsetof(struct values, beds)) != rows[i].from)
			fail_msg("%s: %u", rows[i].what, v.beds);
		ddp_options_free(&o);
	}
	unsetenv("TEST_BEDS");
}

static void lists_are_one_source_s(void **state)
{
	char guest[] = "--guest=three", pid[] = "--pid=7", *argv[] = { path, guest, pid };
	struct ddp_error err = { "" };
	struct ddp_options o;
	struct values v;
	int rest;

	(void)state;
	good(&o, &v, "guest = one\nguest = two\npid = 1,2\n");
	assert_int_equal(ddp_options_arguments(&o, 3, argv, &rest, &err), 0);
	assert_int_equal(v.guests.nr, 1);
	assert_string_equal(v.guests.text[0], "three");
	assert_int_equal(v.pids.nr, 1);
	ddp_options_free(&o);
}

static void secrets(void **state)
{
	static const char key[] = "0123456789";
	char line[64], shown[4096] = "", written[4096] = "", *argv[] = { path, line };
	struct ddp_error err = { "" };
	struct ddp_options o;
	struct values v;
	FILE *f;
	int rest;

	(void)state;
	good(&o, &v, "beds = 3\n");
	write_file("0123456789\nrest\n", 16);
	snprintf(line, sizeof(line), "--key=file:%s", path);
	assert_int_equal(ddp_options_arguments(&o, 2, argv, &rest, &err), 0);
	assert_string_equal(v.key, key);
	f = fmemopen(shown, sizeof(shown) - 1, "w");
	ddp_options_show(&o, sections, f);
	fclose(f);
	f = fmemopen(written, sizeof(written) - 1, "w");
	ddp_options_write(&o, sections, f);
	fclose(f);
	assert_non_null(strstr(shown, "key = ***  (command line)\n"));
	assert_null(strstr(shown, key));
	assert_null(strstr(written, key));
	write_file("\n", 1);
	assert_int_equal(ddp_options_arguments(&o, 2, argv, &rest, &err), -EINVAL);
	assert_non_null(strstr(err.text, "its first line is empty"));
	ddp_options_free(&o);
}

static void a_url_s_password_is_not_shown(void **state)
{
	struct ddp_options o;
	char text[1024] = "";
	struct values v;
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	good(&o, &v, "name = http://me:secret@host/@\n");
	ddp_options_show(&o, sections, f);
	fclose(f);
	assert_non_null(strstr(text, "name = http://***@host/@  (file)\n"));
	ddp_options_free(&o);
}

static void what_is_written_gives_it_again(void **state)
{
	static char list[2000];
	char text[8192] = "";
	struct ddp_options o, again;
	struct values v, w;
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	good(&o, &v, "lit = 1\nbeds = 4\nfloor = -1\ncolor = green\nname = x\nguest = a b\n"
		     "guest = c\npid = 4,5\n[room one]\ncolor = c\nbeds = 0\n"
		     "[room two]\nbeds = 9\n");
	while (strlen(list) < sizeof(list) - 20)
		strcat(list, "some:thing, ");
	list[strlen(list) - 1] = '\0';
	v.note = list;
	ddp_options_write(&o, sections, f);
	fclose(f);
	good(&again, &w, text);
	assert_true(w.lit);
	assert_int_equal(w.beds, 4);
	assert_int_equal(w.floor, -1);
	assert_int_equal(w.color, 1);
	assert_string_equal(w.name, "x");
	assert_string_equal(w.note, list);
	assert_int_equal(w.guests.nr, 2);
	assert_string_equal(w.guests.text[0], "a b");
	assert_int_equal(w.pids.nr, 2);
	assert_int_equal(w.nr_rooms, 2);
	assert_string_equal(w.rooms[0].color, "c");
	assert_int_equal(w.rooms[1].beds, 9);
	ddp_options_free(&o);
	ddp_options_free(&again);
}

static void what_no_file_can_say_is_left_out(void **state)
{
	static const char *const texts[] = { "#a", "a ;b", "a\nb", " a", "\"a\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct values v = { .beds = 1, .name = texts[i] }, w;
		struct ddp_options o = { .table = table, .values = &v }, again;
		char text[4096] = "";
		FILE *f = fmemopen(text, sizeof(text) - 1, "w");

		ddp_options_write(&o, sections, f);
		fclose(f);
		assert_non_null(strstr(text, "cannot say it: name\n"));
		good(&again, &w, text);
		assert_null(w.name);
		ddp_options_free(&again);
	}
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind), cmocka_unit_test(lines_continue),
		cmocka_unit_test(sections_have_values_of_their_own), cmocka_unit_test(refused),
		cmocka_unit_test(what_is_no_text), cmocka_unit_test(who_wins),
		cmocka_unit_test(lists_are_one_source_s), cmocka_unit_test(secrets),
		cmocka_unit_test(a_url_s_password_is_not_shown),
		cmocka_unit_test(what_is_written_gives_it_again),
		cmocka_unit_test(what_no_file_can_say_is_left_out),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
