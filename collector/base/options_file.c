// SPDX-License-Identifier: Apache-2.0
/*
 * See options_file.h. inih takes the lines apart; because it cuts what is too long for it, and
 * takes a " ;" inside a value for a comment, each line is looked at before it gets there. A value
 * is set when the next key, section or the end of the file says that no line continues it.
 */
#include "base/options_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/nearest.h"
#include "lib/cleanup.h"

enum {
	MAX_NAME = 48,		/* of keys, and of sections with their titles; inih's limit is 49 */
	MAX_VALUE = 8192,	/* with all lines that continue it */
};

struct reader {
	struct ddp_options *o;
	const struct ddp_option_section *sections;
	const char *name;		/* of the file, for errors */
	bool is_public;			/* others may read the file */
	const char *left, *end;		/* of the file's text */
	unsigned int line;		/* that inih got last, from 1 */
	bool indented;			/* it begins with a blank */
	bool fresh;			/* no key stands above it in this section */
	bool new_section;		/* one began that has no key yet */
	char key[MAX_NAME + 2], value[MAX_VALUE];	/* that is being read; key "": none */
	unsigned int key_line;
	char section[MAX_NAME + 2];	/* as in the file */
	unsigned int nr_sections;
	struct ddp_options in_section;
	struct ddp_options *now;	/* o or in_section */
	int result;			/* the first error */
	struct ddp_error *err;
};

static int fail(struct reader *r, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The first error stays */
static int fail(struct reader *r, unsigned int line, const char *format, ...)
{
	va_list args;
	int n;

	if (r->result)
		return r->result;
	n = snprintf(r->err->text, sizeof(r->err->text), "%.100s:%u: ", r->name, line);
	va_start(args, format);
	vsnprintf(r->err->text + n, sizeof(r->err->text) - (size_t)n, format, args);
	va_end(args);
	r->result = -EINVAL;
	return r->result;
}

/* A pair of quotes around a value is not part of it: other programs write them */
static char *unquoted(char *value)
{
	size_t n = strlen(value);

	if (n < 2 || value[0] != '"' || value[n - 1] != '"')
		return value;
	value[n - 1] = '\0';
	return value + 1;
}

static bool may_repeat(const struct ddp_option *row)
{
	return row->kind == DDP_OPTION_PIDS || row->kind == DDP_OPTION_TEXTS;
}

static const struct ddp_option *unknown_key(struct reader *r, size_t len)
{
	char likely[MAX_NAME + 64];

	ddp_option_suggest(r->now->table, r->key, len, "", likely, sizeof(likely));
	fail(r, r->key_line, "%s: no such option%s%s%s%s", r->key, r->now == r->o ? "" : " in [",
	     r->section, r->now == r->o ? "" : "]", likely);
	return NULL;
}

static const struct ddp_option *find_key(struct reader *r)
{
	size_t len = strlen(r->key);
	const struct ddp_option *row = ddp_option_find(r->now->table, r->key, len);

	if (!row)
		return unknown_key(r, len);
	if (row->flags & DDP_OPTION_ONCE) {
		fail(r, r->key_line, "%s: goes on the command line, not into a file", r->key);
		return NULL;
	}
	if (r->now->from[row - r->now->table] == DDP_FROM_FILE && !may_repeat(row)) {
		fail(r, r->key_line, "%s: is there for the second time", r->key);
		return NULL;
	}
	return row;
}

static void warn_public(const struct reader *r, const struct ddp_option *row, const char *value)
{
	if (r->is_public && row->flags & DDP_OPTION_SECRET && strncmp(value, "file:", 5))
		ddp_log_warn("%s:%u: %s: every user of this machine may read this file; chmod it, "
			     "or say file:PATH there", r->name, r->key_line, r->key);
}

/* The key that was being read is complete */
static int set_key(struct reader *r)
{
	struct ddp_error why = { "" };
	char where[MAX_NAME + 128];
	const struct ddp_option *row;
	char *value;
	int result;

	if (!r->key[0] || r->result)
		return r->result;
	row = find_key(r);
	if (!row)
		return r->result;
	value = unquoted(r->value);
	warn_public(r, row, value);
	value = ddp_options_keep(r->o, value, strlen(value));
	explicit_bzero(r->value, sizeof(r->value));
	snprintf(where, sizeof(where), "%.100s:%u: %s", r->name, r->key_line, r->key);
	result = value ? ddp_options_set(r->now, row, DDP_FROM_FILE, where, value, &why) : -ENOMEM;
	r->key[0] = '\0';
	if (r->now != r->o)
		ddp_options_hand_on(r->now, r->o);
	if (result && !r->result) {
		*r->err = why;
		r->result = result;
	}
	return r->result;
}

static const struct ddp_option_section *find_section(struct reader *r, const char *name, size_t len)
{
	char word[MAX_NAME + 2];
	struct ddp_nearest n = { .word = word };

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	for (const struct ddp_option_section *s = r->sections; s && s->name; s++) {
		if (!strcmp(s->name, word))
			return s;
		ddp_nearest_offer(&n, s->name);
	}
	fail(r, r->line, "[%s]: no such section%s%s%s", r->section,
	     n.name ? ", did you mean [" : "", n.name ? n.name : "", n.name ? "]?" : "");
	return NULL;
}

static int open_section(struct reader *r)
{
	size_t len = strcspn(r->section, " \t");
	const char *title = r->section + len + strspn(r->section + len, " \t");
	const struct ddp_option_section *s = find_section(r, r->section, len);
	struct ddp_error why = { "" };
	void *values;

	if (!s)
		return r->result;
	if (!title[0] != !s->argument)
		return fail(r, r->line, "[%s]: expected [%s%s%s]", r->section, s->name,
			    s->argument ? " " : "", s->argument ? s->argument : "");
	if (++r->nr_sections > DDP_MAX_SECTIONS)
		return fail(r, r->line, "more than %d sections", DDP_MAX_SECTIONS);
	title = ddp_options_keep(r->o, title, strlen(title));
	values = title ? s->open(r->o->values, title, &why) : NULL;
	if (!values)
		return fail(r, r->line, "[%s]: %s", r->section,
			    why.text[0] ? why.text : strerror(ENOMEM));
	ddp_options_begin(&r->in_section, s->table, values);
	r->now = &r->in_section;
	return 0;
}

static int keep_value(struct reader *r, bool continues, const char *name, const char *value)
{
	size_t len = continues ? strlen(r->value) : 0;

	if (!continues) {
		strcpy(r->key, name);
		r->key_line = r->line;
	}
	if (len + 1 + strlen(value) >= sizeof(r->value))
		return fail(r, r->key_line, "%s: expected %d characters at most", r->key,
			    MAX_VALUE - 1);
	snprintf(r->value + len, sizeof(r->value) - len, "%s%s", len ? " " : "", value);
	return 0;
}

/* inih's; 1 to go on */
static int on_value(void *ctx, const char *section, const char *name, const char *value)
{
	struct reader *r = ctx;
	bool continues = r->indented && !r->fresh;

	if (!continues && set_key(r))
		return 0;
	r->fresh = false;
	if (r->new_section) {
		r->new_section = false;
		snprintf(r->section, sizeof(r->section), "%s", section);
		if (open_section(r))
			return 0;
	}
	return !r->result && !keep_value(r, continues, name, value);
}

/* What inih would cut or misread. @len without the newline */
static int check_line(struct reader *r, const char *line, size_t len, size_t max)
{
	size_t blank = strspn(line, " \t"), name;

	if (len > max)
		return fail(r, r->line, "longer than %zu characters: a line that begins with a "
			    "blank continues the one before", max);
	if (memchr(line, '\0', len))
		return fail(r, r->line, "there is a zero byte: this is no text file");
	if (line[blank] == '#' || line[blank] == ';')
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((line[i] == ';' || line[i] == '#') && isspace((unsigned char)line[i - 1]))
			return fail(r, r->line, "'%c' behind a blank: comments are lines of "
				    "their own", line[i]);
	if (line[blank] == '[' && !blank && !memchr(line, ']', len))
		return fail(r, r->line, "expected [section]");
	name = line[blank] == '[' ? strcspn(line, "]\n") : strcspn(line, "=:\n");
	if (name >= MAX_NAME && (line[blank] == '[' || !blank))
		return fail(r, r->line, "%.40s...: longer than any name that there is", line);
	return 0;
}

static void note_line(struct reader *r, const char *line)
{
	size_t blank = strspn(line, " \t");

	r->indented = blank > 0;
	if (line[blank] != '[' || (blank && !r->fresh))
		return;
	r->new_section = true;
	r->fresh = true;
}

/* inih's, like fgets() */
static char *next_line(char *to, int size, void *ctx)
{
	struct reader *r = ctx;
	size_t len = strcspn(r->left, "\n"), n = len + (r->left[len] == '\n');
	const char *line = r->left;

	if (!n && r->left == r->end)
		return NULL;
	r->line++;
	/* a zero byte ends the text before its end */
	if (r->left + n != r->end && !n)
		fail(r, r->line, "there is a zero byte: this is no text file");
	if (r->result || check_line(r, line, len, (size_t)size - 3))
		return NULL;
	note_line(r, line);
	memcpy(to, line, n);
	to[n] = '\0';
	r->left += n;
	return to;
}

static int read_lines(struct reader *r)
{
	int line = ini_parse_stream(next_line, r, on_value, r);

	if (!r->result && line > 0)
		return fail(r, (unsigned int)line, "expected key = value, [section] or # comment");
	if (!r->result && line < 0)
		return -ENOMEM;
	if (!r->result && r->new_section)
		return fail(r, r->line, "the last section has no keys");
	return set_key(r);
}

/* @ret: NUL-terminated, the caller's */
static int read_text(const char *path, char **ret, size_t *ret_len, bool *ret_public)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(free) char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	text = malloc(DDP_MAX_CONFIG_BYTES + 2);
	if (!text)
		return -ENOMEM;
	while (len <= DDP_MAX_CONFIG_BYTES &&
	       (n = read(fd, text + len, DDP_MAX_CONFIG_BYTES + 1 - len)) != 0) {
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	if (len > DDP_MAX_CONFIG_BYTES)
		return -EFBIG;
	text[len] = '\0';
	*ret_len = len;
	*ret_public = st.st_mode & S_IROTH;
	*ret = TAKE(text);
	return 0;
}

static int parse(struct ddp_options *o, const char *name, const char *text, size_t len,
		 const struct ddp_option_section *sections, bool is_public, struct ddp_error *err)
{
	CLEANUP(free) struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct reader){
		.o = o, .now = o, .sections = sections, .name = name, .left = text,
		.is_public = is_public, .end = text + len, .fresh = true, .err = err,
	};
	return read_lines(r);
}

int ddp_options_text(struct ddp_options *o, const char *name, const char *text, size_t len,
		     const struct ddp_option_section *sections, struct ddp_error *err)
{
	int r;

	err->text[0] = '\0';
	r = parse(o, name, text, len, sections, false, err);
	if (r && !err->text[0])
		snprintf(err->text, sizeof(err->text), "%.150s: %s", name, strerror(-r));
	return r;
}

int ddp_options_file(struct ddp_options *o, const char *path,
		     const struct ddp_option_section *sections, struct ddp_error *err)
{
	CLEANUP(free) char *text = NULL;
	bool is_public = false;
	size_t len = 0;
	int r = read_text(path, &text, &len, &is_public);

	err->text[0] = '\0';
	if (!r) {
		r = parse(o, path, text, len, sections, is_public, err);
		explicit_bzero(text, len);
	}
	if (r && !err->text[0])
		snprintf(err->text, sizeof(err->text), "cannot read %.150s: %s", path,
			 strerror(-r));
	return r;
}
