// SPDX-License-Identifier: Apache-2.0
/* See options_text.h: the manual page. Source of the macros: man(7). */
#include "base/options_text.h"

#include <string.h>

/* A '.' or "'" that begins a line would be a macro, '-' alone a hyphen */
static void put_line(const char *line, size_t len, FILE *to)
{
	if (len && (line[0] == '.' || line[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\\')
			fputs("\\e", to);
		else if (line[i] == '-')
			fputs("\\-", to);
		else
			fputc(line[i], to);
	}
	fputc('\n', to);
}

static void put(const char *text, FILE *to)
{
	put_line(text, strlen(text), to);
}

/* Paragraphs; lines that begin with blanks stay as they are */
static void put_text(const char *text, FILE *to)
{
	bool example = false;

	while (text && *text) {
		size_t len = strcspn(text, "\n");
		bool next = len && text[0] == ' ';

		if (next != example)
			fputs(next ? ".PP\n.nf\n.RS\n" : ".RE\n.fi\n", to);
		example = next;
		if (len)
			put_line(text + (next ? 2 : 0), len - (next ? 2 : 0), to);
		else
			fputs(".PP\n", to);
		text += len + (text[len] == '\n');
	}
	if (example)
		fputs(".RE\n.fi\n", to);
}

static void put_parts(const struct ddp_manual_part *parts, FILE *to)
{
	for (const struct ddp_manual_part *p = parts; p && p->heading; p++) {
		fprintf(to, ".SH %s\n", p->heading);
		put_text(p->text, to);
	}
}

static void put_synopsis(const struct ddp_manual *m, FILE *to)
{
	const char *line = m->synopsis;

	fputs(".SH SYNOPSIS\n.nf\n", to);
	while (*line) {
		size_t len = strcspn(line, "\n");

		fprintf(to, "\\fB%s\\fR ", m->program);
		put_line(line, len, to);
		line += len + (line[len] == '\n');
	}
	for (size_t i = 0; m->commands && m->commands[i]; i++) {
		fprintf(to, "\\fB%s %s\\fR ", m->program, m->commands[i]->name);
		put(m->commands[i]->synopsis, to);
	}
	fputs(".fi\n", to);
}

static void put_names(const struct ddp_option *o, FILE *to)
{
	const char *alias = o->alias;

	fputs(".TP\n", to);
	if (o->letter)
		fprintf(to, "\\fB\\-%c\\fR, ", o->letter);
	fprintf(to, "\\fB\\-\\-%s\\fR", o->name);
	while (alias && *alias) {
		size_t len = strcspn(alias, " ");

		fprintf(to, ", \\fB\\-\\-%.*s\\fR", (int)len, alias);
		alias += len + strspn(alias + len, " ");
	}
	if (o->argument)
		fprintf(to, " \\fI%s\\fR", o->argument);
	fputc('\n', to);
}

static void put_what(const struct ddp_option *o, FILE *to)
{
	put_text(o->help, to);
	for (size_t i = 0; o->choices && o->choices[i]; i++)
		fprintf(to, "%s%.*s%s", i ? ", " : ".br\nOne of ",
			(int)strcspn(o->choices[i], "|"), o->choices[i],
			o->choices[i + 1] ? "" : ".\n");
	if (o->initial && o->initial[0])
		fprintf(to, ".br\nDefault: %s.\n", o->initial);
}

static void put_row(const struct ddp_option *o, FILE *to)
{
	put_names(o, to);
	put_what(o, to);
	if (o->env)
		fprintf(to, ".br\nEnvironment: \\fB%s\\fR.\n", o->env);
}

static void put_options(const struct ddp_option *table, FILE *to)
{
	const char *group = NULL;

	for (const struct ddp_option *o = table; o->name; o++) {
		if (o->group && (!group || strcmp(group, o->group)))
			fprintf(to, ".SS %s\n", o->group);
		group = o->group;
		put_row(o, to);
	}
}

static void put_commands(const struct ddp_manual *m, FILE *to)
{
	fputs(".SH COMMANDS\n", to);
	for (size_t i = 0; m->commands[i]; i++) {
		const struct ddp_manual_command *c = m->commands[i];

		fprintf(to, ".SS %s\n", c->name);
		put_text(c->text, to);
		put_options(c->table, to);
	}
}

static void put_key(const struct ddp_option *o, FILE *to)
{
	fprintf(to, ".TP\n\\fB%s\\fR = \\fI%s\\fR\n", o->name, o->argument ? o->argument : "0|1");
	put_what(o, to);
}

static void put_sections(const struct ddp_manual *m, FILE *to)
{
	for (const struct ddp_option_section *s = m->sections; s && s->name; s++) {
		fprintf(to, ".SS [%s%s%s]\n", s->name, s->argument ? " " : "",
			s->argument ? s->argument : "");
		put_text(s->help, to);
		for (const struct ddp_option *o = s->table; o->name; o++)
			put_key(o, to);
	}
}

static void put_config(const struct ddp_manual *m, FILE *to)
{
	fputs(".SH CONFIGURATION FILE\n", to);
	put_text("Lines key = value; the keys are the options' long names. Comments are lines of "
		 "their own that begin with # or ;. A line that begins with a blank continues the "
		 "value before it. Unknown keys and values that are not accepted are errors.\n",
		 to);
	put_text("A sample with every key is in\n", to);
	fputs(".B ", to);
	put(m->config, to);
	put_sections(m, to);
}

void ddp_options_man(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, ".TH %s 8 \"\" \"%s %s\"\n.SH NAME\n%s \\- %s\n", m->program, m->program,
		m->version, m->program, m->summary);
	put_synopsis(m, to);
	put_parts(m->before, to);
	fputs(".SH OPTIONS\n", to);
	put_text("In long names - and _ are the same. --no-NAME switches a flag off, as does "
		 "--NAME=0.\n", to);
	put_options(m->table, to);
	if (m->commands)
		put_commands(m, to);
	if (m->config)
		put_config(m, to);
	put_parts(m->after, to);
}
