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

/* What @prev asks for; else the options' names, or words as compgen makes them with @other */
static void bash_words(const struct ddp_option *table, const char *other, FILE *to)
{
	fputs("\tcase $prev in\n", to);
	for (const struct ddp_option *o = table; o->name; o++)
		bash_argument(o, to);
	fputs("\t*) mapfile -t COMPREPLY < <(\n\t\tif [[ $cur == -* ]]; then compgen -W '", to);
	for (const struct ddp_option *o = table; o->name; o++)
		fprintf(to, "--%s ", o->name);
	fprintf(to, "' -- \"$cur\"; else compgen %s -- \"$cur\"; fi) ;;\n\tesac\n", other);
}

/* Those of the command that is there; before it the program's own and the commands */
static void bash_commands(const struct ddp_manual *m, FILE *to)
{
	fputs("\tcase ${COMP_WORDS[1]} in\n", to);
	for (size_t i = 0; m->commands[i]; i++) {
		fprintf(to, "\t%s) if ((COMP_CWORD > 1)); then\n", m->commands[i]->name);
		bash_words(m->commands[i]->table, "-f", to);
		fputs("\treturn; fi ;;\n", to);
	}
	fputs("\tesac\n\tlocal commands='", to);
	for (size_t i = 0; m->commands[i]; i++)
		fprintf(to, "%s%s", i ? " " : "", m->commands[i]->name);
	fputs("'\n", to);
	bash_words(m->table, "-W \"$commands\"", to);
}

/* Behind the options is a command with words of its own, which its own completion knows */
static void bash_command_in_front(const struct ddp_manual *m, FILE *to)
{
	fputs("\tlocal i\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n", to);
	bash_takes_word(m->table, to);
	fputs("\tdone\n", to);
	bash_words(m->table, "-c", to);
}

void ddp_options_bash(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, "# bash completion for %s, made by `%s --print bash`\n_%s()\n{\n", m->program,
		m->program, m->program);
	fputs("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n", to);
	if (m->commands)
		bash_commands(m, to);
	else
		bash_command_in_front(m, to);
	fprintf(to, "}\ncomplete -o filenames -F _%s %s\n", m->program, m->program);
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

/* @rest: what stands behind the options, as _arguments has it */
static void zsh_arguments(const struct ddp_option *table, const char *rest, FILE *to)
{
	fputs("_arguments -s -S \\\n", to);
	for (const struct ddp_option *o = table; o->name; o++) {
		if (o->letter)
			zsh_name(o, true, to);
		zsh_name(o, false, to);
	}
	fprintf(to, "\t%s\n", rest);
}

static void zsh_commands(const struct ddp_manual *m, FILE *to)
{
	fputs("local -a commands=(\n", to);
	for (size_t i = 0; m->commands[i]; i++) {
		fprintf(to, "\t'%s:", m->commands[i]->name);
		zsh_text(m->commands[i]->summary, to);
		fputs("'\n", to);
	}
	fputs(")\nif ((CURRENT > 2)); then\nlocal command=$words[2]\n"
	      "shift words\n((CURRENT--))\ncase $command in\n", to);
	for (size_t i = 0; m->commands[i]; i++) {
		fprintf(to, "%s)\n", m->commands[i]->name);
		zsh_arguments(m->commands[i]->table, "'*:file:_files' ;;", to);
	}
	fputs("esac\nelse\n", to);
	zsh_arguments(m->table, "'1:command:{_describe command commands}'", to);
	fputs("fi\n", to);
}

void ddp_options_zsh(const struct ddp_manual *m, FILE *to)
{
	fprintf(to, "#compdef %s\n# zsh completion, made by `%s --print zsh`\n", m->program,
		m->program);
	if (m->commands)
		zsh_commands(m, to);
	else
		zsh_arguments(m->table, "'*::command:_normal'", to);
}
