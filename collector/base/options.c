// SPDX-License-Identifier: Apache-2.0
/* See options.h. Parsing by hand: getopt_long() cannot be told what an error should say. */
#include "base/options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "lib/cleanup.h"

enum { MAX_NAME = 64 };		/* of an option, as it is shown in errors */

static const char *const flag_words[] = { "0", "1", "false", "true", "no", "yes", "off", "on",
					  NULL };

struct ddp_option_memory {
	struct ddp_option_memory *next;
	char text[];
};

/* What is being set, and where it came from, for error texts */
struct setting {
	struct ddp_options *o;
	const struct ddp_option *option;
	enum ddp_option_from level;
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

char *ddp_options_keep(struct ddp_options *o, const char *text, size_t n)
{
	struct ddp_option_memory *m = malloc(sizeof(*m) + n + 1);

	if (!m)
		return NULL;
	memcpy(m->text, text, n);
	m->text[n] = '\0';
	m->next = o->memory;
	o->memory = m;
	return m->text;
}

void ddp_options_hand_on(struct ddp_options *from, struct ddp_options *to)
{
	while (from->memory) {
		struct ddp_option_memory *m = from->memory;

		from->memory = m->next;
		m->next = to->memory;
		to->memory = m;
	}
}

/* Values of each kind */

static bool parse_number(const char *text, size_t len, int64_t *ret)
{
	bool negative = len > 1 && text[0] == '-';
	int64_t n = 0;

	for (size_t i = negative; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (text[i] - '0');
		if (n > UINT32_MAX)
			return false;
	}
	*ret = negative ? -n : n;
	return len > 0;
}

static int set_number(const struct setting *s)
{
	struct ddp_error why = { "" };
	int64_t n;

	if (!parse_number(s->value, strlen(s->value), &n) || n < s->option->min ||
	    n > s->option->max)
		return refuse(s->err, "%s %.60s: expected a number from %" PRIi64 " to %" PRIi64,
			      s->from, s->value, s->option->min, s->option->max);
	if (s->option->check && s->option->check(s->value, &why))
		return refuse(s->err, "%.100s %.60s: %.90s", s->from, s->value, why.text);
	if (s->option->kind == DDP_OPTION_SIGNED)
		*(int32_t *)s->to = (int32_t)n;
	else
		*(uint32_t *)s->to = (uint32_t)n;
	return 0;
}

/* Whether @value is one of the words of @choice */
static bool is_choice(const char *choice, const char *value)
{
	size_t len = strlen(value);

	for (;;) {
		size_t word = strcspn(choice, "|");

		if (word == len && !strncmp(choice, value, len))
			return true;
		if (!choice[word])
			return false;
		choice += word + 1;
	}
}

static int set_choice(const struct setting *s)
{
	char list[128] = "";

	for (uint32_t i = 0; s->option->choices[i]; i++) {
		size_t used = strlen(list);

		if (is_choice(s->option->choices[i], s->value)) {
			*(uint32_t *)s->to = i;
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s%.*s", i ? ", " : "",
			 (int)strcspn(s->option->choices[i], "|"), s->option->choices[i]);
	}
	return refuse(s->err, "%s %.60s: expected one of %s", s->from, s->value, list);
}

static int check_text(const struct setting *s)
{
	struct ddp_error why = { "" };

	if (!s->value[0])
		return refuse(s->err, "%s: expected %s, not nothing", s->from, s->option->argument);
	if (s->option->max && strlen(s->value) > (size_t)s->option->max)
		return refuse(s->err, "%s %.60s...: expected %" PRIi64 " characters at most",
			      s->from, s->value, s->option->max);
	if (s->option->check && s->option->check(s->value, &why))
		return refuse(s->err, "%.40s %.60s: %.150s", s->from, s->value, why.text);
	return 0;
}

static int set_text(const struct setting *s)
{
	int r = check_text(s);

	if (!r)
		*(const char **)s->to = s->value;
	return r;
}

static int read_line(const char *path, char *ret, size_t size)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (n = read(fd, ret + len, size - 1 - len)) != 0) {
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	ret[len] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret[0] ? 0 : -ENODATA;
}

/* Nothing of the value itself is in an error's text */
static int set_secret(const struct setting *s)
{
	static const char file[] = "file:";
	char line[DDP_MAX_SECRET];
	const char *path = s->value + sizeof(file) - 1;
	int r;

	if (strncmp(s->value, file, sizeof(file) - 1)) {
		if (s->level == DDP_FROM_COMMAND_LINE)
			ddp_log_warn("%s: every user of this machine can see it in ps; use the "
				     "environment, or %s file:PATH", s->from, s->from);
		if (!s->value[0])
			return set_text(s);
		*(const char **)s->to = s->value;
		return 0;
	}
	r = read_line(path, line, sizeof(line));
	if (r)
		return refuse(s->err, "%s file:%.120s: %s", s->from, path,
			      r == -ENODATA ? "its first line is empty" : strerror(-r));
	*(char **)s->to = ddp_options_keep(s->o, line, strlen(line));
	explicit_bzero(line, sizeof(line));
	return *(char **)s->to ? 0 : -ENOMEM;
}

/*
 * User and password, which an error's text must not say: also without a scheme, and with what a
 * password should not have in a URL, as a '/'. Only a path may have an '@'
 */
static bool has_user(const char *url)
{
	return strchr(url, '@') && url[0] != '/' && strncmp(url, "unix:///", 8) &&
	       strncmp(url, "file:///", 8);
}

/* HOST:PORT, the host a name, an IPv4 or, in brackets, an IPv6 address */
static bool is_address(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	bool v6 = text[0] == '[';
	size_t host = v6 ? strcspn(text, "]") + 1 : strspn(text, letters);
	int64_t port;

	if (v6 && strspn(text + 1, "0123456789abcdefABCDEF:.") != host - 2)
		return false;
	return host > 0 && text[host] == ':' &&
	       parse_number(text + host + 1, strlen(text + host + 1), &port) && port > 0 &&
	       port <= UINT16_MAX;
}

/* What ddprof's users write without one gets a scheme */
static int set_without_scheme(const struct setting *s, const char *scheme)
{
	CLEANUP(free) char *url = NULL;
	struct setting whole = *s;

	if (asprintf(&url, "%s%s", scheme, s->value) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	whole.value = ddp_options_keep(s->o, url, strlen(url));
	return whole.value ? set_text(&whole) : -ENOMEM;
}

static int set_url(const struct setting *s)
{
	static const char *const schemes[] = { "http://", "https://", "unix:///", "file:///" };
	if (!s->value[0])
		return set_text(s);
	if (has_user(s->value))
		return refuse(s->err, "%s: no user name or password in the URL, which messages "
			      "show", s->from);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (!strncmp(s->value, schemes[i], n) && s->value[n])
			return set_text(s);
	}
	if (is_address(s->value))
		return set_without_scheme(s, "http://");
	if (s->value[0] == '/' && s->value[1])
		return set_without_scheme(s, "unix://");
	return refuse(s->err, "%s %.60s: expected a URL that begins with http://, https://, "
		      "unix:/// or file:///, as in http://localhost:8126, or HOST:PORT",
		      s->from, s->value);
}

static int set_pids(const struct setting *s)
{
	struct ddp_pids *pids = s->to;
	const char *p = s->value;

	for (;;) {
		size_t len = strcspn(p, ",");
		int64_t pid;

		if (!parse_number(p, len, &pid) || pid <= 0 || pid > INT32_MAX)
			return refuse(s->err, "%s %.60s: expected process ids separated by commas",
				      s->from, s->value);
		if (pids->nr == DDP_MAX_PIDS)
			return refuse(s->err, "%s: more than %d processes; -g profiles all of them",
				      s->from, DDP_MAX_PIDS);
		pids->pid[pids->nr++] = (uint32_t)pid;
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

static int set_texts(const struct setting *s)
{
	struct ddp_texts *texts = s->to;
	int r = check_text(s);

	if (r)
		return r;
	if (texts->nr == DDP_MAX_TEXTS)
		return refuse(s->err, "%s: given more than %d times", s->from, DDP_MAX_TEXTS);
	texts->text[texts->nr++] = s->value;
	return 0;
}

static bool parse_flag(const char *word, bool *ret)
{
	for (size_t i = 0; flag_words[i]; i++) {
		if (!strcasecmp(word, flag_words[i])) {
			*ret = i & 1;
			return true;
		}
	}
	return false;
}

static int set_flag(const struct setting *s)
{
	if (!s->value) {
		*(bool *)s->to = true;
		return 0;
	}
	if (parse_flag(s->value, s->to))
		return 0;
	return refuse(s->err, "%s %.60s: expected 1 or 0", s->from, s->value);
}

static int (*const setters[])(const struct setting *) = {
	[DDP_OPTION_FLAG] = set_flag, [DDP_OPTION_NUMBER] = set_number,
	[DDP_OPTION_SIGNED] = set_number, [DDP_OPTION_TEXT] = set_text,
	[DDP_OPTION_CHOICE] = set_choice, [DDP_OPTION_URL] = set_url,
	[DDP_OPTION_PIDS] = set_pids, [DDP_OPTION_TEXTS] = set_texts,
};

/* A list is the strongest source's alone */
static void empty_list(const struct ddp_option *row, void *to)
{
	if (row->kind == DDP_OPTION_PIDS)
		((struct ddp_pids *)to)->nr = 0;
	if (row->kind == DDP_OPTION_TEXTS)
		((struct ddp_texts *)to)->nr = 0;
}

int ddp_options_set(struct ddp_options *o, const struct ddp_option *row, enum ddp_option_from level,
		    const char *where, const char *value, struct ddp_error *err)
{
	union {
		bool flag;
		uint32_t number;
		const char *text;
		struct ddp_pids pids;
		struct ddp_texts texts;
	} unused = { .pids.nr = 0 };
	uint8_t *from = &o->from[row - o->table];
	struct setting s = { o, row, level, where, value, (char *)o->values + row->offset, err };
	int r;

	if (level < *from)
		s.to = &unused;
	if (s.to == &unused || level > *from)
		empty_list(row, s.to);
	r = row->flags & DDP_OPTION_SECRET ? set_secret(&s) : setters[row->kind](&s);
	if (!r && level > *from)
		*from = (uint8_t)level;
	return r;
}

/* Command lines */

/* One argument "--name", "--name=value" or "-n", "-nvalue", with the next one where it is needed */
struct argument {
	const struct ddp_option *option;
	char from[MAX_NAME];
	const char *value;	/* NULL: not in the same argument */
};

static int unknown_long(const struct ddp_option *table, const char *text, size_t len,
			struct ddp_error *err)
{
	char likely[MAX_NAME + 32];

	ddp_option_suggest(table, text + 2, len, "--", likely, sizeof(likely));
	return refuse(err, "%.*s: no such option%s", (int)(len < 60 ? len : 60) + 2, text,
		      likely[0] ? likely : ", see --help");
}

static int find_long(const struct ddp_option *table, const char *text, struct argument *ret,
		     struct ddp_error *err)
{
	size_t len = strcspn(text + 2, "=");
	bool no = len > 3 && !strncmp(text + 2, "no", 2) && (text[4] == '-' || text[4] == '_');

	ret->option = ddp_option_find(table, text + 2, len);
	ret->value = text[2 + len] ? text + 2 + len + 1 : NULL;
	if (!ret->option && no) {
		ret->option = ddp_option_find(table, text + 5, len - 3);
		if (ret->option && ret->option->kind != DDP_OPTION_FLAG)
			ret->option = NULL;
		if (ret->option && ret->value)
			return refuse(err, "%.*s: takes no value, but got %.60s", (int)len + 2,
				      text, ret->value);
		ret->value = "0";
	}
	snprintf(ret->from, sizeof(ret->from), "%.*s", (int)len + 2, text);
	return ret->option ? 0 : unknown_long(table, text, len, err);
}

static int find_letter(const struct ddp_option *table, const char *text, struct argument *ret,
		       struct ddp_error *err)
{
	for (const struct ddp_option *o = table; o->name; o++) {
		if (o->letter != text[1])
			continue;
		ret->option = o;
		snprintf(ret->from, sizeof(ret->from), "-%c", o->letter);
		ret->value = text[2] ? text + 2 : NULL;
		if (o->kind == DDP_OPTION_FLAG && ret->value && !(o->flags & DDP_OPTION_WORD))
			return refuse(err, "%s: takes no value, but got %.60s", ret->from,
				      ret->value);
		return 0;
	}
	return refuse(err, "-%c: no such option, see --help", text[1]);
}

static int take_argument(struct ddp_options *o, int argc, char *const *argv, int *i,
			 struct ddp_error *err)
{
	struct argument a = { 0 };
	const char *text = argv[*i], *next = *i + 1 < argc ? argv[*i + 1] : NULL;
	int r = text[1] == '-' ? find_long(o->table, text, &a, err) :
				 find_letter(o->table, text, &a, err);
	bool word;

	if (r)
		return r;
	if (!a.value && a.option->kind != DDP_OPTION_FLAG) {
		if (!next)
			return refuse(err, "%s: expected %s behind it", a.from, a.option->argument);
		a.value = next;
		++*i;
	} else if (!a.value && a.option->flags & DDP_OPTION_WORD && next &&
		   parse_flag(next, &word)) {
		a.value = next;
		++*i;
	}
	return ddp_options_set(o, a.option, DDP_FROM_COMMAND_LINE, a.from, a.value, err);
}

int ddp_options_arguments(struct ddp_options *o, int argc, char *const *argv, int *ret_rest,
			  struct ddp_error *err)
{
	int i, r = 0;

	for (i = 1; !r && i < argc; i++) {
		if (argv[i][0] != '-' || !argv[i][1])
			break;
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		r = take_argument(o, argc, argv, &i, err);
	}
	if (!r)
		*ret_rest = i;
	return r;
}

/* The rest */

void ddp_options_environment(struct ddp_options *o)
{
	for (const struct ddp_option *row = o->table; row->name; row++) {
		const char *value = row->env ? getenv(row->env) : NULL;
		struct ddp_error err = { "" };

		if (value && value[0] &&
		    ddp_options_set(o, row, DDP_FROM_ENVIRONMENT, row->env, value, &err))
			ddp_log_warn("%s; ignoring it", err.text);
	}
}

void ddp_options_begin(struct ddp_options *o, const struct ddp_option *table, void *values)
{
	struct ddp_error err = { "" };

	*o = (struct ddp_options){ .table = table, .values = values };
	for (const struct ddp_option *row = table; row->name; row++)
		if (row->initial &&
		    ddp_options_set(o, row, DDP_FROM_DEFAULT, row->name, row->initial, &err))
			ddp_log_error("%s", err.text);
}

void ddp_options_free(struct ddp_options *o)
{
	while (o->memory) {
		struct ddp_option_memory *next = o->memory->next;

		free(o->memory);
		o->memory = next;
	}
}

enum ddp_option_from ddp_options_from(const struct ddp_options *o, size_t offset)
{
	for (const struct ddp_option *row = o->table; row->name; row++)
		if (row->offset == offset)
			return (enum ddp_option_from)o->from[row - o->table];
	return DDP_FROM_DEFAULT;
}

int ddp_options_parse(const struct ddp_option *table, int argc, char *const *argv, void *values,
		      int *ret_rest, struct ddp_error *err)
{
	struct ddp_options o = { .table = table, .values = values };

	ddp_options_environment(&o);
	return ddp_options_arguments(&o, argc, argv, ret_rest, err);
}
