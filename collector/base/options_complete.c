// SPDX-License-Identifier: Apache-2.0
/* See options_text.h: completion for shells. An argument's name tells what it is completed with. */
#include "base/options_text.h"

#include <string.h>

/* What the words of an option's argument are, for each shell; "" and NULL: nothing is known */
static const struct {
	const char *argument, *bash, *zsh;
} arguments[] = {
	{ "FILE", "-f", "_files" },
	{ "DIR", "-d", "_files -/" },
	{ "USER", "-u", "_users" },
	{ "PID", "-W \"$(cd /proc && echo [0-9]*)\"", "_pids" },
};

static const char *known(const struct ddp_option *o, bool zsh)
{
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		if (o->argument && !strcmp(o->argument, arguments[i].argument))
			return zsh ? arguments[i].zsh : arguments[i].bash;
	return NULL;
}

/* "a|b" stands for two words; the first is enough */
static void put_choices(const struct ddp_option *o, FILE *to)
{
	for (size_t i = 0; o->choices[i]; i++)
		fprintf(to, "%s%.*s", i ? " " : "", (int)strcspn(o->choices[i], "|"),
			o->choices[i]);
}

static void bash_pattern(const struct ddp_option *o, FILE *to)
{
	fprintf(to, "\t--%s", o->name);
	if (o->letter)
		fprintf(to, " | -%c", o->letter);
	fputc(')', to);
}

static void bash_argument(const struct ddp_option *o, FILE *to)
{
	const char *how = known(o, false);

	if (!o->argument)
		return;
	bash_pattern(o, to);
	if (o->choices) {
		fputs(" mapfile -t COMPREPLY < <(compgen -W '", to);
		put_choices(o, to);
		fputs("' -- \"$cur\") ;;\n", to);
	} else if (how) {
		fprintf(to, " mapfile -t COMPREPLY < <(compgen %s -- \"$cur\") ;;\n", how);
	} else {
		fputs(" ;;\n", to);
	}
}

/* Options that take the word behind them */
static void bash_takes_word(const struct ddp_option *table, FILE *to)
{
	fputs("\t\tcase ${COMP_WORDS[i]} in\n\t\t", to);
	for (const struct ddp_option *o = table; o->name; o++) {
		if (!o->argument)
			continue;
		fprintf(to, "--%s | ", o->name);
		if (o->letter)
			fprintf(to, "-%c | ", o->letter);
	}
	fputs("'=') ((++i)) ;;\n\t\t-*) ;;\n"
	      "\t\t*) declare -F _command_offset >/dev/null && _command_offset \"$i\"; return ;;\n"
	      "\t\tesac\n", to);
}

void ddp_options_bash(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, "# bash completion for %s, made by `%s --print bash`\n_%s()\n{\n", m->program,
		m->program, m->program);
	fputs("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n", to);
	bash_takes_word(m->table, to);
	fputs("\tdone\n\tcase $prev in\n", to);
	for (const struct ddp_option *o = m->table; o->name; o++)
		bash_argument(o, to);
	fputs("\t*) mapfile -t COMPREPLY < <(\n\t\tif [[ $cur == -* ]]; then compgen -W '", to);
	for (const struct ddp_option *o = m->table; o->name; o++)
		fprintf(to, "--%s ", o->name);
	fprintf(to, "' -- \"$cur\"; else compgen -c -- \"$cur\"; fi) ;;\n"
		"\tesac\n}\ncomplete -o filenames -F _%s %s\n", m->program, m->program);
}

/* In single quotes, and in brackets or between colons */
static void zsh_text(const char *text, FILE *to)
{
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '\'')
			fputs("'\\''", to);
		else if (strchr("[]:\\", text[i]))
			fprintf(to, "\\%c", text[i]);
		else
			fputc(text[i] == '\n' ? ' ' : text[i], to);
	}
}

static bool repeats(const struct ddp_option *o)
{
	return o->kind == DDP_OPTION_PIDS || o->kind == DDP_OPTION_TEXTS;
}

static void zsh_action(const struct ddp_option *o, FILE *to)
{
	const char *how = known(o, true);

	if (!o->argument)
		return;
	fputc(':', to);
	zsh_text(o->argument, to);
	fputc(':', to);
	if (o->choices) {
		fputc('(', to);
		put_choices(o, to);
		fputc(')', to);
	} else if (how) {
		fputs(how, to);
	}
}

static void zsh_name(const struct ddp_option *o, bool letter, FILE *to)
{
	fputs("\t'", to);
	if (repeats(o))
		fputc('*', to);
	else if (o->letter)
		fprintf(to, "(-%c --%s)", o->letter, o->name);
	if (letter)
		fprintf(to, "-%c", o->letter);
	else
		fprintf(to, "--%s", o->name);
	fputs(!o->argument ? "[" : letter ? "+[" : "=[", to);
	zsh_text(o->help, to);
	fputc(']', to);
	zsh_action(o, to);
	fputs("' \\\n", to);
}

void ddp_options_zsh(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, "#compdef %s\n# zsh completion, made by `%s --print zsh`\n"
		"_arguments -s -S \\\n", m->program, m->program);
	for (const struct ddp_option *o = m->table; o->name; o++) {
		if (o->letter)
			zsh_name(o, true, to);
		zsh_name(o, false, to);
	}
	fputs("\t'*::command:_normal'\n", to);
}
