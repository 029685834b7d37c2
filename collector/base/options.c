// SPDX-License-Identifier: Apache-2.0
/* See options.h. Parsing by hand: getopt_long() cannot be told what an error should say. */
#include "base/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

enum { HELP_COLUMN = 30 };

/* What is being set, and where it came from, for error texts */
struct setting {
	const struct ddp_option *option;
	const char *from;	/* "--frequency", "-F", "DD_ENV" */
	const char *value;	/* NULL: none */
	void *to;
	struct ddp_error *err;
};

static int refuse(struct ddp_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct ddp_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -EINVAL;
}

static bool parse_number(const char *text, size_t len, uint32_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
		if (n > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)n;
	return len > 0;
}

static int set_number(const struct setting *s)
{
	uint32_t n;

	if (!parse_number(s->value, strlen(s->value), &n) || n < s->option->min ||
	    n > s->option->max)
		return refuse(s->err, "%s %.60s: expected a number from %" PRIu32 " to %" PRIu32,
			      s->from, s->value, s->option->min, s->option->max);
	*(uint32_t *)s->to = n;
	return 0;
}

static int set_choice(const struct setting *s)
{
	char list[128] = "";

	for (uint32_t i = 0; s->option->choices[i]; i++) {
		size_t used = strlen(list);

		if (!strcmp(s->value, s->option->choices[i])) {
			*(uint32_t *)s->to = i;
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			 s->option->choices[i]);
	}
	return refuse(s->err, "%s %.60s: expected one of %s", s->from, s->value, list);
}

static int set_text(const struct setting *s)
{
	if (!s->value[0])
		return refuse(s->err, "%s: expected %s, not nothing", s->from, s->option->argument);
	if (s->option->max && strlen(s->value) > s->option->max)
		return refuse(s->err, "%s %.60s...: expected %" PRIu32 " characters at most",
			      s->from, s->value, s->option->max);
	*(const char **)s->to = s->value;
	return 0;
}

static int set_url(const struct setting *s)
{
	static const char *const schemes[] = { "http://", "https://", "unix:///" };
	/* "localhost:8126" is what is often forgotten to be no URL */
	const char *hint = strstr(s->value, "://") || !strchr(s->value, ':') ? "localhost:8126" :
									       s->value;

	if (!s->value[0])
		return set_text(s);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (!strncmp(s->value, schemes[i], n) && s->value[n])
			return set_text(s);
	}
	return refuse(s->err, "%s %.60s: expected a URL that begins with http://, https:// or "
		      "unix:///, as in http://%.60s", s->from, s->value, hint);
}

static int set_pids(const struct setting *s)
{
	struct ddp_pids *pids = s->to;
	const char *p = s->value;

	for (;;) {
		size_t len = strcspn(p, ",");
		uint32_t pid;

		if (!parse_number(p, len, &pid) || !pid || pid > INT32_MAX)
			return refuse(s->err, "%s %.60s: expected process ids separated by commas",
				      s->from, s->value);
		if (pids->nr == DDP_MAX_PIDS)
			return refuse(s->err, "%s: more than %d processes; -g profiles all of them",
				      s->from, DDP_MAX_PIDS);
		pids->pid[pids->nr++] = pid;
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

static int set_flag(const struct setting *s)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };

	if (!s->value) {
		*(bool *)s->to = !s->option->negate;
		return 0;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(s->value, words[i])) {
			*(bool *)s->to = (i & 1) != s->option->negate;
			return 0;
		}
	}
	return refuse(s->err, "%s %.60s: expected 1 or 0", s->from, s->value);
}

static int set(const struct ddp_option *o, const char *from, const char *value, void *values,
	       struct ddp_error *err)
{
	static int (*const setters[])(const struct setting *) = {
		[DDP_OPTION_FLAG] = set_flag, [DDP_OPTION_NUMBER] = set_number,
		[DDP_OPTION_TEXT] = set_text, [DDP_OPTION_CHOICE] = set_choice,
		[DDP_OPTION_URL] = set_url, [DDP_OPTION_PIDS] = set_pids,
	};
	struct setting s = { o, from, value, (char *)values + o->offset, err };

	return setters[o->kind](&s);
}

/* The environment is often somebody else's, and meant for many programs: no reason to stop */
static void from_environment(const struct ddp_option *options, void *values)
{
	for (const struct ddp_option *o = options; o->name; o++) {
		const char *value = o->env ? getenv(o->env) : NULL;
		struct ddp_error err;

		if (value && value[0] && set(o, o->env, value, values, &err))
			ddp_log_warn("%s; ignoring it", err.text);
	}
}

static bool same_name(const char *name, const char *text, size_t len)
{
	if (!name || strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((name[i] == '-' ? '_' : name[i]) != (text[i] == '-' ? '_' : text[i]))
			return false;
	return true;
}

/* One argument "--name", "--name=value" or "-n", "-nvalue", with the next one where it is needed */
struct argument {
	const struct ddp_option *option;
	char from[64];
	const char *value;	/* NULL: not in the same argument */
};

static int find_long(const struct ddp_option *options, const char *text, struct argument *ret,
		     struct ddp_error *err)
{
	size_t len = strcspn(text + 2, "=");

	for (const struct ddp_option *o = options; o->name; o++) {
		if (!same_name(o->name, text + 2, len) && !same_name(o->alias, text + 2, len))
			continue;
		ret->option = o;
		snprintf(ret->from, sizeof(ret->from), "%.*s", (int)len + 2, text);
		ret->value = text[2 + len] ? text + 2 + len + 1 : NULL;
		return 0;
	}
	return refuse(err, "%.*s: no such option, see --help", (int)(len < 60 ? len : 60) + 2,
		      text);
}

static int find_letter(const struct ddp_option *options, const char *text, struct argument *ret,
		       struct ddp_error *err)
{
	for (const struct ddp_option *o = options; o->name; o++) {
		if (o->letter != text[1])
			continue;
		ret->option = o;
		snprintf(ret->from, sizeof(ret->from), "-%c", o->letter);
		ret->value = text[2] ? text + 2 : NULL;
		return 0;
	}
	return refuse(err, "-%c: no such option, see --help", text[1]);
}

static int set_argument(const struct argument *a, void *values, struct ddp_error *err)
{
	int r = set(a->option, a->from, a->value, values, err);

	if (!r && a->option->given)
		*(bool *)((char *)values + a->option->given) = true;
	return r;
}

static int take_argument(const struct ddp_option *options, int argc, char *const *argv, int *i,
			 void *values, struct ddp_error *err)
{
	struct argument a = { 0 };
	const char *text = argv[*i];
	int r = text[1] == '-' ? find_long(options, text, &a, err) :
				 find_letter(options, text, &a, err);

	if (r)
		return r;
	if (a.option->kind == DDP_OPTION_FLAG) {
		if (a.value)
			return refuse(err, "%s: takes no value, but got %.60s", a.from, a.value);
		return set_argument(&a, values, err);
	}
	if (!a.value) {
		if (*i + 1 >= argc)
			return refuse(err, "%s: expected %s behind it", a.from, a.option->argument);
		a.value = argv[++*i];
	}
	return set_argument(&a, values, err);
}

int ddp_options_parse(const struct ddp_option *options, int argc, char *const *argv, void *values,
		      int *ret_rest, struct ddp_error *err)
{
	int i, r = 0;

	from_environment(options, values);
	for (i = 1; !r && i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			break;
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		r = take_argument(options, argc, argv, &i, values, err);
	}
	if (!r)
		*ret_rest = i;
	return r;
}

static int help_names(const struct ddp_option *o, FILE *to)
{
	int n = o->letter ? fprintf(to, "  -%c, --%s", o->letter, o->name) :
			    fprintf(to, "      --%s", o->name);

	return n + (o->argument ? fprintf(to, " %s", o->argument) : 0);
}

void ddp_options_help(const struct ddp_option *options, FILE *to)
{
	for (const struct ddp_option *o = options; o->name; o++) {
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
			if (!line && o->env)
				fprintf(to, " [%s]", o->env);
			fputc('\n', to);
			column = 0;
		}
	}
}
