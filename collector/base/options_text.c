// SPDX-License-Identifier: Apache-2.0
/* See options_text.h: help, sample file and values. The manual page and completions are others'. */
#include "base/options_text.h"

#include <inttypes.h>
#include <string.h>

enum {
	HELP_COLUMN = 30,
	HELP_WIDTH = 90,
	MAX_WORD = 150,		/* in a line of a configuration file; its limit is 197 */
};

static bool is_set(const char *text)
{
	return text && text[0];
}

/* Help */

static int help_names(const struct ddp_option *o, FILE *to)
{
	int n = o->letter ? fprintf(to, "  -%c, --%s", o->letter, o->name) :
			    fprintf(to, "      --%s", o->name);

	return n + (o->argument ? fprintf(to, " %s", o->argument) : 0);
}

/* Default and environment variable; on a line of their own where there is no room */
static void help_end(const struct ddp_option *o, int column, FILE *to)
{
	char text[128] = "";
	int n = 0;

	if (is_set(o->initial))
		n = snprintf(text, sizeof(text), " (default %s)", o->initial);
	if (o->env && n < (int)sizeof(text))
		n += snprintf(text + n, sizeof(text) - (size_t)n, " [%s]", o->env);
	if (column + n > HELP_WIDTH)
		fprintf(to, "\n%*s", HELP_COLUMN - 1, "");
	fputs(text, to);
}

static void help_row(const struct ddp_option *o, FILE *to)
{
	const char *line = o->help;
	int column = help_names(o, to);

	if (column >= HELP_COLUMN) {
		fputc('\n', to);
		column = 0;
	}
	while (line) {
		size_t len = strcspn(line, "\n");

		fprintf(to, "%*s%.*s", HELP_COLUMN - column, "", (int)len, line);
		line = line[len] ? line + len + 1 : NULL;
		if (!line)
			help_end(o, HELP_COLUMN + (int)len, to);
		fputc('\n', to);
		column = 0;
	}
}

void ddp_options_help(const struct ddp_option *table, FILE *to)
{
	const char *group = NULL;

	for (const struct ddp_option *o = table; o->name; o++) {
		if (o->group && (!group || strcmp(group, o->group)))
			fprintf(to, "%s%s:\n", group ? "\n" : "", o->group);
		group = o->group;
		help_row(o, to);
	}
}

void ddp_options_command_help(const char *program, const struct ddp_manual_command *c, FILE *to)
{
	fprintf(to, "%s %s %s\n\n%s\n", program, c->name, c->synopsis, c->text);
	ddp_options_help(c->table, to);
}

/* The sample file */

static void comment(const char *text, FILE *to)
{
	while (text) {
		size_t len = strcspn(text, "\n");

		fprintf(to, "#%s%.*s\n", len ? " " : "", (int)len, text);
		text = text[len] ? text + len + 1 : NULL;
	}
}

static void sample_row(const struct ddp_option *o, FILE *to)
{
	if (o->flags & DDP_OPTION_ONCE)
		return;
	fputc('\n', to);
	comment(o->help, to);
	for (size_t i = 0; o->choices && o->choices[i]; i++)
		fprintf(to, "%s%.*s%s", i ? ", " : "# One of ", (int)strcspn(o->choices[i], "|"),
			o->choices[i], o->choices[i + 1] ? "" : ".\n");
	if (o->kind == DDP_OPTION_PIDS || o->kind == DDP_OPTION_TEXTS)
		fputs("# May be there several times.\n", to);
	if (o->flags & DDP_OPTION_SECRET)
		fputs("# Better as file:PATH, with the value on the first line of PATH.\n", to);
	if (o->env)
		fprintf(to, "# The environment wins: %s\n", o->env);
	fprintf(to, "#%s = %s\n", o->name,
		o->initial ? o->initial : o->kind == DDP_OPTION_FLAG ? "0" : o->argument);
}

static void sample_rows(const struct ddp_option *table, FILE *to)
{
	const char *group = NULL;

	for (const struct ddp_option *o = table; o->name; o++) {
		if (o->group && !(o->flags & DDP_OPTION_ONCE) &&
		    (!group || strcmp(group, o->group))) {
			fprintf(to, "\n## %s\n", o->group);
			group = o->group;
		}
		sample_row(o, to);
	}
}

void ddp_options_sample(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, "# %s: what `%s --config` reads, see %s(8).\n", m->config, m->program,
		m->program);
	fputs("# Comments are lines of their own; a line that begins with a blank continues the "
	      "one before.\n# Every key is shown with its default, or with what it takes.\n", to);
	sample_rows(m->table, to);
	for (const struct ddp_option_section *s = m->sections; s && s->name; s++) {
		fputc('\n', to);
		comment(s->help, to);
		fprintf(to, "#[%s%s%s]\n", s->name, s->argument ? " " : "",
			s->argument ? s->argument : "");
		sample_rows(s->table, to);
	}
}

/* Values in effect */

static const void *value_of(const struct ddp_options *o, const struct ddp_option *row)
{
	return (const char *)o->values + row->offset;
}

static void put_pids(const struct ddp_pids *p, FILE *to)
{
	for (uint32_t i = 0; i < p->nr; i++)
		fprintf(to, "%s%" PRIu32, i ? "," : "", p->pid[i]);
}

/* A URL's user and password are nobody else's affair */
static void put_text(const char *text, FILE *to)
{
	const char *host = strstr(text, "://");
	const char *at = host ? memchr(host + 3, '@', strcspn(host + 3, "/?#")) : NULL;

	if (at)
		fprintf(to, "%.*s***%s", (int)(host + 3 - text), text, at);
	else
		fputs(text, to);
}

static void put_choice(const struct ddp_option *row, uint32_t n, FILE *to)
{
	fprintf(to, "%.*s", (int)strcspn(row->choices[n], "|"), row->choices[n]);
}

/* Of a list, the @n-th. @return whether there is one */
static bool has_value(const struct ddp_options *o, const struct ddp_option *row, uint32_t n)
{
	const void *value = value_of(o, row);

	if (row->kind == DDP_OPTION_TEXTS)
		return n < ((const struct ddp_texts *)value)->nr;
	if (n)
		return false;
	if (row->kind == DDP_OPTION_PIDS)
		return ((const struct ddp_pids *)value)->nr;
	if (row->kind == DDP_OPTION_TEXT || row->kind == DDP_OPTION_URL)
		return *(const char *const *)value;
	return true;
}

static void put_value(const struct ddp_options *o, const struct ddp_option *row, uint32_t n,
		      FILE *to)
{
	const void *value = value_of(o, row);

	if (row->kind == DDP_OPTION_FLAG)
		fputc(*(const bool *)value ? '1' : '0', to);
	else if (row->kind == DDP_OPTION_NUMBER)
		fprintf(to, "%" PRIu32, *(const uint32_t *)value);
	else if (row->kind == DDP_OPTION_SIGNED)
		fprintf(to, "%" PRIi32, *(const int32_t *)value);
	else if (row->kind == DDP_OPTION_CHOICE)
		put_choice(row, *(const uint32_t *)value, to);
	else if (row->kind == DDP_OPTION_PIDS)
		put_pids(value, to);
	else if (row->kind == DDP_OPTION_TEXTS)
		put_text(((const struct ddp_texts *)value)->text[n], to);
	else
		put_text(*(const char *const *)value, to);
}

typedef void (*row_fn)(const struct ddp_options *o, const struct ddp_option *row, uint32_t n,
		       FILE *to);

/* Calls @fn for every value, lists item by item; for what has none, with n = UINT32_MAX */
static void each_value(const struct ddp_options *o, row_fn fn, FILE *to)
{
	for (const struct ddp_option *row = o->table; row->name; row++) {
		if (row->flags & DDP_OPTION_ONCE)
			continue;
		if (!has_value(o, row, 0))
			fn(o, row, UINT32_MAX, to);
		for (uint32_t n = 0; has_value(o, row, n); n++)
			fn(o, row, n, to);
	}
}

static void each_section(const struct ddp_options *o, const struct ddp_option_section *sections,
			 row_fn fn, FILE *to)
{
	for (const struct ddp_option_section *s = sections; s && s->name; s++) {
		const char *title = "";
		void *values;

		for (size_t n = 0; (values = s->at(o->values, n, &title)); n++) {
			struct ddp_options in = { .table = s->table, .values = values };

			fprintf(to, "\n[%s%s%s]\n", s->name, s->argument ? " " : "",
				s->argument ? title : "");
			each_value(&in, fn, to);
		}
	}
}

/* Whether the reader would give @text again: see options_file.h */
static bool can_stand_in_file(const char *text)
{
	size_t len = strlen(text), word = 0;

	for (size_t i = 0; i < len; i++) {
		bool first = !i || text[i - 1] == ' ';

		word = first ? 1 : word + 1;
		if ((unsigned char)text[i] < ' ' || word > MAX_WORD ||
		    (first && (text[i] == '#' || text[i] == ';')))
			return false;
	}
	return len && text[0] != '"' && text[0] != ' ' && text[len - 1] != ' ';
}

/* A line has a limit: a long value goes on in the next */
static void write_text(const char *name, const char *text, FILE *to)
{
	size_t column = strlen(name) + 3;

	if (!can_stand_in_file(text)) {
		fprintf(to, "# left out, as a file cannot say it: %s\n", name);
		return;
	}
	fprintf(to, "%s =", name);
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column + n >= MAX_WORD) {
			fputs("\n\t", to);
			column = 0;
		}
		fprintf(to, "%s%.*s", column ? " " : "", (int)n, text);
		column += n + 1;
		text += n + (text[n] == ' ');
	}
	fputc('\n', to);
}

static void write_row(const struct ddp_options *o, const struct ddp_option *row, uint32_t n,
		      FILE *to)
{
	const void *value = value_of(o, row);

	if (n == UINT32_MAX) {
		fprintf(to, "#%s = %s\n", row->name, row->argument);
	} else if (row->flags & DDP_OPTION_SECRET) {
		fprintf(to, "# left out, as it is secret:\n#%s = file:PATH\n", row->name);
	} else if (row->kind == DDP_OPTION_TEXT || row->kind == DDP_OPTION_URL) {
		write_text(row->name, *(const char *const *)value, to);
	} else if (row->kind == DDP_OPTION_TEXTS) {
		write_text(row->name, ((const struct ddp_texts *)value)->text[n], to);
	} else {
		fprintf(to, "%s = ", row->name);
		put_value(o, row, n, to);
		fputc('\n', to);
	}
}

void ddp_options_write(const struct ddp_options *o, const struct ddp_option_section *sections,
		       FILE *to)
{
	each_value(o, write_row, to);
	each_section(o, sections, write_row, to);
}

static void show_row(const struct ddp_options *o, const struct ddp_option *row, uint32_t n,
		     FILE *to)
{
	static const char *const from[] = {
		[DDP_FROM_DEFAULT] = "", [DDP_FROM_FILE] = "  (file)",
		[DDP_FROM_ENVIRONMENT] = "  (environment)",
		[DDP_FROM_COMMAND_LINE] = "  (command line)",
	};

	if (n == UINT32_MAX)
		return;
	fprintf(to, "%s = ", row->name);
	if (row->flags & DDP_OPTION_SECRET)
		fputs("***", to);
	else
		put_value(o, row, n, to);
	fprintf(to, "%s\n", from[o->from[row - o->table]]);
}

void ddp_options_show(const struct ddp_options *o, const struct ddp_option_section *sections,
		      FILE *to)
{
	each_value(o, show_row, to);
	each_section(o, sections, show_row, to);
}
