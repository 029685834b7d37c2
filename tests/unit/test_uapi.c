// SPDX-License-Identifier: Apache-2.0
/*
 * uapi/ddprof.h and uapi/ddprof.yaml say the same. Both files are read as text and become lists of
 * facts: constants and enum members with their numbers, attributes with number, type and range,
 * commands. Each list has to be in the other, and the header's numbers have to be the compiler's.
 * Runs in the checkout's root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uapi/ddprof.h"

enum { MAX_FACTS = 512 };

struct fact {
	char name[64];		/* as in C */
	char type[128];		/* of an attribute: "u32", "nest started-event"; else "" */
	int64_t value, min, max; /* max 0: no range given */
};

struct facts {
	struct fact of[MAX_FACTS];
	size_t nr;
};

static struct facts header, spec;

static const struct fact *find(const struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->nr; i++)
		if (!strcmp(f->of[i].name, name))
			return &f->of[i];
	return NULL;
}

static struct fact *add(struct facts *f, const char *name, int64_t value)
{
	struct fact *new = &f->of[f->nr++];

	assert_true(f->nr <= MAX_FACTS);
	*new = (struct fact){ .value = value };
	snprintf(new->name, sizeof(new->name), "%s", name);
	return new;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 18);

	if (!f)
		fail_msg("%s: run this in the checkout's root", path);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The header */

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && !strcmp(s + strlen(s) - strlen(end), end);
}

/* "8", "1 << 2", "0xffffffffU" */
static int64_t parse_value(const char *s)
{
	char *end;
	int64_t v = strtoll(s, &end, 0);

	if (!strncmp(end, " << ", 4))
		v <<= strtol(end + 4, NULL, 0);
	return v;
}

/* "u32, frames, 1..DDPROF_MAX_DEPTH, default 256" or "nest of EVENT_*, repeated" */
static void parse_comment(const char *comment, struct fact *f)
{
	size_t len = strcspn(comment, ",;: ");
	const char *range = strstr(comment, "..");
	const char *number = range;

	if (!strncmp(comment, "nest of ", 8)) {
		char *set = f->type + snprintf(f->type, sizeof(f->type), "nest ");

		for (comment += 8; *comment && strncmp(comment, "_*", 2); comment++)
			*set++ = *comment == '_' ? '-' : (char)tolower((unsigned char)*comment);
		return;
	}
	snprintf(f->type, sizeof(f->type), "%.*s", (int)len, comment);
	if (!range || !isdigit((unsigned char)range[-1]))
		return;
	while (number > comment && isdigit((unsigned char)number[-1]))
		number--;
	f->min = strtoll(number, NULL, 10);
	if (!strncmp(range + 2, "2^", 2))
		f->max = (int64_t)1 << strtol(range + 4, NULL, 10);
	else if (!strncmp(range + 2, "DDPROF_MAX_DEPTH", 16))
		f->max = DDPROF_MAX_DEPTH;
	else
		f->max = strtoll(range + 2, NULL, 10);
}

/* Bounds and the like, which a spec does not have */
static bool is_fence(const char *name)
{
	return !strncmp(name, "__", 2) || ends_with(name, "_UNSPEC") || ends_with(name, "_ALL") ||
	       (ends_with(name, "_MAX") && strncmp(name, "DDPROF_MAX_", 11));
}

/*
 * One member line of an enum: its fact, and the comment behind it or, kept from the line before,
 * above it
 */
static void read_member(const char *line, const char *above, int64_t *next)
{
	const char *comment = strstr(line, "/*"), *equals = strchr(line, '=');
	char name[64], text[256] = "";
	struct fact *f;

	if (sscanf(line, " %63[A-Za-z0-9_]", name) != 1)
		return;
	if (equals && (!comment || equals < comment))
		*next = parse_value(equals + 2);
	snprintf(text, sizeof(text), "%s", comment ? comment + 3 : above);
	if (!is_fence(name)) {
		f = add(&header, name, *next);
		if (!strncmp(name, "DDPROF_A_", 9))
			parse_comment(text, f);
	}
	++*next;
}

static void read_header(void)
{
	char *text = read_file("uapi/ddprof.h"), *save, above[256] = "", name[64];
	bool in_enum = false;
	int64_t next = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int at = 0;

		if (!strncmp(line, "enum", 4) && strchr(line, '{')) {
			in_enum = true;
			next = 0;
		} else if (line[0] == '}') {
			in_enum = false;
		} else if (sscanf(line, "#define %63[A-Z_] 0x%n", name, &at) == 1 && at) {
			add(&header, name, parse_value(line + at - 2));
		} else if (in_enum && line[0] == '\t' && line[1] == '/') {
			snprintf(above, sizeof(above), "%s", line + 4);
			continue;
		} else if (in_enum) {
			read_member(line, above, &next);
		}
		above[0] = '\0';
	}
	free(text);
}

/* The spec: the subset of YAML that it is written in */

struct reader {
	char section[64];	/* "definitions" */
	char prefix[64], kind[16]; /* of the definition, set or list that we are in */
	char set[64];
	int64_t next;
	struct fact *fact;	/* what attributes of a line belong to */
};

static void c_name(const char *prefix, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s", prefix, name);
	for (; *ret; ret++)
		*ret = *ret == '-' ? '_' : (char)toupper((unsigned char)*ret);
}

static int64_t spec_number(const char *text)
{
	char name[64];

	if (isdigit((unsigned char)text[0]))
		return strtoll(text, NULL, 0);
	c_name("ddprof-", text, name, sizeof(name));
	assert_non_null(find(&spec, name));
	return find(&spec, name)->value;
}

static void begin_entry(struct reader *r, const char *name)
{
	char full[64];
	int64_t value = r->next++;

	c_name(r->prefix, name, full, sizeof(full));
	r->fact = add(&spec, full, !strcmp(r->kind, "flags") ? (int64_t)1 << value : value);
}

/* A definition, an attribute set or the list of operations begins: what its entries are called */
static void begin_group(struct reader *r, const char *name)
{
	snprintf(r->set, sizeof(r->set), "%s", name);
	snprintf(r->prefix, sizeof(r->prefix), "ddprof-");
	r->kind[0] = '\0';
	r->fact = NULL;
	r->next = !strcmp(r->section, "definitions") ? 0 : 1;
}

static void read_group_key(struct reader *r, const char *key, const char *value)
{
	char name[64];

	if (!strcmp(key, "name-prefix"))
		snprintf(r->prefix, sizeof(r->prefix), "%s", value);
	if (!strcmp(key, "type"))
		snprintf(r->kind, sizeof(r->kind), "%s", value);
	if (!strcmp(key, "value") && !strcmp(r->kind, "const")) {
		c_name(r->prefix, r->set, name, sizeof(name));
		add(&spec, name, spec_number(value));
	}
}

static void read_entry_key(struct reader *r, const char *key, const char *value)
{
	if (!strcmp(key, "value")) {
		r->fact->value = spec_number(value);
		r->next = r->fact->value + 1;
	}
	if (!strcmp(key, "type"))
		snprintf(r->fact->type, sizeof(r->fact->type), "%s", value);
	if (!strcmp(key, "nested-attributes"))
		snprintf(r->fact->type, sizeof(r->fact->type), "nest %s", value);
	if (!strcmp(key, "min"))
		r->fact->min = spec_number(value);
	if (!strcmp(key, "max"))
		r->fact->max = spec_number(value);
}

/*
 * Depths: groups at 4, their entries at 8, an entry's checks at 10; operations' list is a group of
 * its own
 */
static void read_spec_line(struct reader *r, const char *line)
{
	size_t depth = strspn(line, " ");
	bool operations = !strcmp(r->section, "operations");
	char key[64] = "", value[48] = "";

	if (sscanf(line, " %63[a-z-]: %47[^\n]", key, value) < 1)
		return;
	if (!depth) {
		snprintf(r->section, sizeof(r->section), "%s", key);
		begin_group(r, key);
	} else if (operations && depth == 2) {
		read_group_key(r, key, value);
	} else if (operations && depth == 6 && !strcmp(key, "name")) {
		begin_entry(r, value);
	} else if (!operations && depth == 4 && !strcmp(key, "name")) {
		begin_group(r, value);
	} else if (!operations && depth == 4) {
		read_group_key(r, key, value);
	} else if (!operations && depth == 8 && !strcmp(key, "name")) {
		begin_entry(r, value);
	} else if (!operations && depth >= 8 && r->fact) {
		read_entry_key(r, key, value);
	}
}

static void read_spec(void)
{
	char *text = read_file("uapi/ddprof.yaml"), *save;
	struct reader r = { .section = "" };

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (line[strspn(line, " ")] != '#')
			read_spec_line(&r, line);
	free(text);
}

/* The comparison */

static int compare(const struct facts *these, const struct facts *those, const char *where)
{
	int wrong = 0;

	for (size_t i = 0; i < these->nr; i++) {
		const struct fact *a = &these->of[i], *b = find(those, a->name);

		if (b && a->value == b->value && a->min == b->min && a->max == b->max &&
		    !strcmp(a->type, b->type))
			continue;
		wrong++;
		if (!b)
			print_error("%s is not in %s\n", a->name, where);
		else
			print_error("%s: %s says %" PRId64 " '%s' %" PRId64 "..%" PRId64
				    ", not %" PRId64 " '%s' %" PRId64 "..%" PRId64 "\n",
				    a->name, where, b->value, b->type, b->min, b->max, a->value,
				    a->type, a->min, a->max);
	}
	return wrong;
}

static void header_is_in_spec(void **state)
{
	(void)state;
	assert_int_equal(compare(&header, &spec, "uapi/ddprof.yaml"), 0);
}

static void spec_is_in_header(void **state)
{
	(void)state;
	assert_int_equal(compare(&spec, &header, "uapi/ddprof.h"), 0);
}

static void readers_see_what_there_is(void **state)
{
	(void)state;
	assert_int_equal(header.nr, spec.nr);
	/* the last of each kind of thing: nobody stopped early */
	assert_non_null(find(&header, "DDPROF_A_STATS_GUESSED"));
	assert_non_null(find(&spec, "DDPROF_CMD_RECORDS"));
	assert_non_null(find(&spec, "DDPROF_END_NO_TABLE"));
	assert_string_equal(find(&spec, "DDPROF_A_START_EVENT")->type, "nest event");
	assert_int_equal(find(&header, "DDPROF_A_EVENT_FREQUENCY_HZ")->max, 10000);
}

/* What the reader makes of the header is what the compiler does */
static void header_is_read_right(void **state)
{
#define VALUE(name) { #name, name }
	static const struct {
		const char *name;
		int64_t value;
	} known[] = {
		VALUE(DDPROF_MAX_DEPTH),       VALUE(DDPROF_CPU_NONE),
		VALUE(DDPROF_CMD_RECORDS),     VALUE(DDPROF_A_INFO_OWNER_TGID),
		VALUE(DDPROF_A_EVENT_PERIOD),  VALUE(DDPROF_A_START_FLUSH_MS),
		VALUE(DDPROF_A_STARTED_EVENT), VALUE(DDPROF_A_STARTED_EVENT_FALLBACK),
		VALUE(DDPROF_A_FILE_FD),       VALUE(DDPROF_A_RECORDS_DATA),
		VALUE(DDPROF_A_STATS_BYTES),   VALUE(DDPROF_SCOPE_TREES),
		VALUE(DDPROF_FLAG_TIMESTAMPS), VALUE(DDPROF_RECORD_FILE),
		VALUE(DDPROF_HIT_TIME),	       VALUE(DDPROF_TASK_COMM),
		VALUE(DDPROF_ASPACE_PARTIAL),  VALUE(DDPROF_FILE_OPENABLE),
		VALUE(DDPROF_END_NO_TABLE),
	};
#undef VALUE

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_non_null(find(&header, known[i].name));
		assert_int_equal(find(&header, known[i].name)->value, known[i].value);
	}
}

/* A spec that differs is noticed: a number, a type, a range, a missing entry */
static void differences_are_seen(void **state)
{
	static struct facts changed;

	(void)state;
	for (int what = 0; what < 4; what++) {
		struct fact *f;

		changed = spec;
		f = (struct fact *)find(&changed, "DDPROF_A_START_DEPTH");
		f->value += what == 0;
		f->max += what == 1;
		f->type[0] = what == 2 ? 'x' : f->type[0];
		f->name[0] = what == 3 ? 'x' : f->name[0];
		assert_int_equal(compare(&header, &changed, "a changed spec, as it should"), 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_what_there_is),
		cmocka_unit_test(header_is_read_right),
		cmocka_unit_test(header_is_in_spec),
		cmocka_unit_test(spec_is_in_header),
		cmocka_unit_test(differences_are_seen),
	};

	read_header();
	read_spec();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
