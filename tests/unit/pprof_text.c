// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pprof_compare.h"
#include "pprof_text.h"

/* No row of a test has more of anything */
enum { MAX_THINGS = 32 };

struct text_profile {
	struct ddp_pprof view;	/* first */
	char *text;		/* cut into pieces, to which everything points */
	struct ddp_value_type types[MAX_THINGS];
	struct ddp_pprof_mapping mappings[MAX_THINGS];
	struct ddp_pprof_function functions[MAX_THINGS];
	struct ddp_pprof_location locations[MAX_THINGS];
	struct ddp_pprof_line lines[MAX_THINGS][4];
	char *frames[MAX_THINGS];	/* the locations' texts */
	struct ddp_pprof_sample samples[MAX_THINGS];
	const struct ddp_pprof_location *stacks[MAX_THINGS][MAX_THINGS];
	struct ddp_pprof_label labels[MAX_THINGS][8];
	int64_t values[MAX_THINGS][8];
	const char *comments[MAX_THINGS];
};

/* The next piece before one of @ends, or NULL; *end is what ended it. */
static char *piece(char **at, const char *ends, char *end)
{
	char *start = *at, *stop;

	if (!start)
		return NULL;
	stop = strpbrk(start, ends);
	*end = stop ? *stop : '\0';
	if (stop)
		*stop++ = '\0';
	*at = stop;
	return start;
}

static char *word(char **at)
{
	char end, *w = piece(at, " ", &end);

	return w ? w : (char *)"";
}

static const struct ddp_pprof_function *find_function(struct text_profile *t, const char *name)
{
	struct ddp_pprof *v = &t->view;
	size_t i;

	for (i = 0; i < v->nr_functions; i++)
		if (!strcmp(v->functions[i].name, name))
			return &v->functions[i];
	assert_true(i < MAX_THINGS);
	t->functions[i] = (struct ddp_pprof_function){
		.id = i + 1, .name = name, .system_name = "", .filename = "" };
	v->nr_functions++;
	return &t->functions[i];
}

static void parse_place(struct text_profile *t, char *place, struct ddp_pprof_location *l)
{
	struct ddp_pprof *v = &t->view;
	char *plus = strchr(place, '+');
	size_t i;

	l->address = strtoull(plus ? plus + 1 : place, NULL, 16);
	if (!plus)
		return;
	*plus = '\0';
	for (i = 0; i < v->nr_mappings && strcmp(v->mappings[i].filename, place); i++)
		;
	if (i == v->nr_mappings)
		fail_msg("no mapping %s", place);
	l->mapping = &v->mappings[i];
	l->address += l->mapping->start;
}

static void parse_lines(struct text_profile *t, char *functions, size_t index)
{
	struct ddp_pprof_location *l = &t->locations[index];
	char end, *f, *colon;

	while ((f = piece(&functions, "<", &end)) && *f) {
		struct ddp_pprof_line *line = &t->lines[index][l->nr_lines++];

		assert_true(l->nr_lines <= 4);
		colon = strchr(f, ':');
		if (colon)
			*colon = '\0';
		line->line = colon ? strtoll(colon + 1, NULL, 10) : 0;
		line->function = find_function(t, f);
	}
	l->lines = t->lines[index];
}

static const struct ddp_pprof_location *find_location(struct text_profile *t, char *frame)
{
	struct ddp_pprof *v = &t->view;
	size_t i;
	char *at;

	for (i = 0; i < v->nr_locations; i++)
		if (!strcmp(t->frames[i], frame))
			return &v->locations[i];
	assert_true(i < MAX_THINGS);
	t->frames[i] = strdup(frame);
	t->locations[i] = (struct ddp_pprof_location){ .id = i + 1, .index = i };
	v->nr_locations++;
	at = strchr(frame, '@');
	if (at) {
		*at = '\0';
		parse_place(t, at + 1, &t->locations[i]);
	}
	parse_lines(t, frame, i);
	return &t->locations[i];
}

static void parse_labels(struct text_profile *t, char *rest, size_t index)
{
	struct ddp_pprof_sample *s = &t->samples[index];
	char end, *l, *value;

	while ((l = piece(&rest, ",", &end)) && *l) {
		struct ddp_pprof_label *label = &t->labels[index][s->nr_labels++];

		assert_true(s->nr_labels <= 8);
		value = strchr(l, '=');
		assert_non_null(value);
		*value++ = '\0';
		*label = (struct ddp_pprof_label){ .key = l, .num_unit = "" };
		if (*value == '#')
			label->num = strtoll(value + 1, (char **)&label->num_unit, 10);
		else
			label->str = value;
	}
	s->labels = t->labels[index];
}

static void parse_sample(struct text_profile *t, char *values, char *rest)
{
	size_t index = t->view.nr_samples++, n = 0;
	struct ddp_pprof_sample *s = &t->samples[index];
	char end, *frames = word(&rest), *v;

	assert_true(index < MAX_THINGS);
	while ((v = piece(&values, ",", &end)))
		t->values[index][n++] = strtoll(v, NULL, 10);
	assert_int_equal(n, t->view.nr_sample_types);
	s->values = t->values[index];
	s->locations = t->stacks[index];
	if (!strcmp(frames, "-"))
		frames = NULL;
	while ((v = piece(&frames, ";", &end)))
		t->stacks[index][s->nr_locations++] = find_location(t, v);
	parse_labels(t, rest, index);
}

static void parse_mapping(struct text_profile *t, char *rest)
{
	struct ddp_pprof_mapping *m = &t->mappings[t->view.nr_mappings++];

	m->id = t->view.nr_mappings;
	m->filename = word(&rest);
	m->start = strtoull(word(&rest), NULL, 16);
	m->limit = strtoull(word(&rest), NULL, 16);
	m->file_offset = strtoull(word(&rest), NULL, 16);
	m->build_id = rest ? rest : "";
}

static void parse_line(struct text_profile *t, char *line)
{
	struct ddp_pprof *v = &t->view;
	const struct {
		const char *word;
		const char **text;
		int64_t *number;
	} words[] = {
		{ "time", NULL, &v->time_unix_ns }, { "duration", NULL, &v->duration_ns },
		{ "period", NULL, &v->period }, { "default", &v->default_sample_type, NULL },
		{ "doc", &v->doc_url, NULL }, { "drop", &v->drop_frames, NULL },
		{ "keep", &v->keep_frames, NULL },
	};
	char *first = word(&line);
	size_t i;

	if (!strcmp(first, "type")) {
		t->types[v->nr_sample_types++] = (struct ddp_value_type){ word(&line), line };
		return;
	}
	if (!strcmp(first, "period-type")) {
		v->period_type = (struct ddp_value_type){ word(&line), line };
		return;
	}
	if (!strcmp(first, "comment")) {
		t->comments[v->nr_comments++] = line;
		return;
	}
	if (!strcmp(first, "map")) {
		parse_mapping(t, line);
		return;
	}
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(first, words[i].word))
			continue;
		if (words[i].text)
			*words[i].text = line;
		else
			*words[i].number = strtoll(line, NULL, 10);
		return;
	}
	parse_sample(t, first, line);
}

struct ddp_pprof *profile_from_text(const char *text)
{
	struct text_profile *t = calloc(1, sizeof(*t));
	char end, *rest, *line;

	t->view = (struct ddp_pprof){
		.sample_types = t->types, .samples = t->samples, .mappings = t->mappings,
		.locations = t->locations, .functions = t->functions, .comments = t->comments,
		.period_type = { "", "" }, .default_sample_type = "", .drop_frames = "",
		.keep_frames = "", .doc_url = "",
	};
	rest = t->text = strdup(text);
	while ((line = piece(&rest, "\n", &end)))
		if (*line)
			parse_line(t, line);
	return &t->view;
}

void free_profile(struct ddp_pprof *p)
{
	struct text_profile *t = (struct text_profile *)p;
	size_t i;

	for (i = 0; i < MAX_THINGS; i++)
		free(t->frames[i]);
	free(t->text);
	free(t);
}

/* To text */

static void print_location(FILE *f, const struct ddp_pprof_location *l)
{
	size_t i;

	for (i = 0; i < l->nr_lines; i++) {
		fprintf(f, "%s%s", i ? "<" : "",
			l->lines[i].function ? l->lines[i].function->name : "?");
		if (l->lines[i].line)
			fprintf(f, ":%" PRId64, l->lines[i].line);
	}
	if (l->mapping)
		fprintf(f, "@%s+%" PRIx64, l->mapping->filename, l->address - l->mapping->start);
	else if (l->address)
		fprintf(f, "@%" PRIx64, l->address);
}

static void print_sample(FILE *f, const struct ddp_pprof *p, const struct ddp_pprof_sample *s)
{
	size_t i;

	for (i = 0; i < p->nr_sample_types; i++)
		fprintf(f, "%s%" PRId64, i ? "," : "", s->values[i]);
	fputs(s->nr_locations ? " " : " -", f);
	for (i = 0; i < s->nr_locations; i++) {
		fputs(i ? ";" : "", f);
		print_location(f, s->locations[i]);
	}
	for (i = 0; i < s->nr_labels; i++) {
		fprintf(f, "%s%s=", i ? "," : " ", s->labels[i].key);
		if (s->labels[i].str)
			fputs(s->labels[i].str, f);
		else
			fprintf(f, "#%" PRId64 "%s", s->labels[i].num, s->labels[i].num_unit);
	}
	fputc('\n', f);
}

static void print_text(FILE *f, const char *what, const char *text)
{
	if (*text)
		fprintf(f, "%s %s\n", what, text);
}

static void print_number(FILE *f, const char *what, int64_t n)
{
	if (n)
		fprintf(f, "%s %" PRId64 "\n", what, n);
}

static void print_head(FILE *f, const struct ddp_pprof *p)
{
	size_t i;

	for (i = 0; i < p->nr_sample_types; i++)
		fprintf(f, "type %s %s\n", p->sample_types[i].type, p->sample_types[i].unit);
	print_number(f, "time", p->time_unix_ns);
	print_number(f, "duration", p->duration_ns);
	print_number(f, "period", p->period);
	if (*p->period_type.type)
		fprintf(f, "period-type %s %s\n", p->period_type.type, p->period_type.unit);
	for (i = 0; i < p->nr_comments; i++)
		print_text(f, "comment", p->comments[i]);
	print_text(f, "default", p->default_sample_type);
	print_text(f, "doc", p->doc_url);
	print_text(f, "drop", p->drop_frames);
	print_text(f, "keep", p->keep_frames);
}

char *profile_to_text(const struct ddp_pprof *p)
{
	char *text = NULL;
	size_t n = 0, i;
	FILE *f = open_memstream(&text, &n);

	print_head(f, p);
	for (i = 0; i < p->nr_mappings; i++) {
		const struct ddp_pprof_mapping *m = &p->mappings[i];

		fprintf(f, "map %s %" PRIx64 " %" PRIx64 " %" PRIx64 "%s%s\n", m->filename,
			m->start, m->limit, m->file_offset, *m->build_id ? " " : "", m->build_id);
	}
	for (i = 0; i < p->nr_samples; i++)
		print_sample(f, p, &p->samples[i]);
	fclose(f);
	return text;
}

void assert_same_profile(const struct ddp_pprof *a, const struct ddp_pprof *b)
{
	const char *what = profile_difference(a, b);

	if (what)
		fail_msg("they differ in %s", what);
}
