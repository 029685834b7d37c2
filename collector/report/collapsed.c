// SPDX-License-Identifier: Apache-2.0
/* See collapsed.h. */
#include "report/collapsed.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "lib/error.h"
#include "report/calltree.h"
#include "report/out.h"

/* What stands in a name as something else. The backslash only where it would be misread. */
static const struct {
	char c, code[5];
} escapes[] = {
	{ ';', "\\x3b" }, { '\n', "\\x0a" }, { '\r', "\\x0d" }, { '\\', "\\x5c" },
};

enum { NR_ESCAPES = sizeof(escapes) / sizeof(escapes[0]), ESCAPE_BYTES = 4 };

/* The sequence at @s of @n bytes: its index, or -1 */
static int escape_at(const char *s, size_t n)
{
	for (int i = 0; n >= ESCAPE_BYTES && i < NR_ESCAPES; i++)
		if (!memcmp(s, escapes[i].code, ESCAPE_BYTES))
			return i;
	return -1;
}

/* Writing */

/* What is written for @s[0]: its escape sequence, or itself */
static void add_special(struct ddp_out *t, const char *s)
{
	bool misread = escape_at(s, strnlen(s, ESCAPE_BYTES)) >= 0;

	for (int i = 0; i < NR_ESCAPES; i++)
		if (s[0] == escapes[i].c && (s[0] != '\\' || misread))
			return ddp_out_add(t, escapes[i].code);
	ddp_out_bytes(t, s, 1);
}

static void add_name(struct ddp_out *t, const char *s)
{
	size_t n;

	for (; s[n = strcspn(s, ";\n\r\\")]; s += n + 1) {
		ddp_out_text(t, s, n);
		add_special(t, s + n);
	}
	ddp_out_text(t, s, n);
}

static void add_line(struct ddp_out *t, const struct ddp_calltree *tree, const uint32_t *path,
		     uint32_t depth, int64_t value)
{
	for (uint32_t i = 1; !t->error && i <= depth; i++) {
		if (i > 1)
			ddp_out_add(t, ";");
		add_name(t, tree->frames.frames[tree->calls[path[i]].frame].name);
	}
	ddp_out_add(t, " ");
	ddp_out_number(t, value);
	ddp_out_add(t, "\n");
}

static int write_tree(const struct ddp_calltree *tree, const uint32_t *order, ddp_write_fn write,
		      void *ctx)
{
	CLEANUP(free) uint32_t *path = NULL;	/* nodes from the root on, by depth */
	struct ddp_out t;
	size_t cap = 0;

	ddp_out_start(&t, write, ctx);
	for (size_t i = 0; !t.error && i < tree->nr; i++) {
		uint32_t depth = tree->calls[order[i]].depth, *more;

		more = array_reserve(path, &cap, depth + 1, sizeof(*path));
		if (!more)
			return -ENOMEM;
		path = more;
		path[depth] = order[i];
		if (tree->self[order[i]])
			add_line(&t, tree, path, depth, tree->self[order[i]]);
	}
	return ddp_out_finish(&t);
}

int ddp_collapsed_write(const struct ddp_pprof *p, size_t value, const char *label,
			ddp_write_fn write, void *ctx)
{
	CLEANUP(ddp_calltree_free) struct ddp_calltree tree = {
		.frames.by_name = true, .label = label, .nr_columns = 1,
	};
	CLEANUP(free) uint32_t *order = NULL;
	int r = ddp_calltree_add(&tree, p, &(struct ddp_column){ .value = value }, 1);

	r = r ?: ddp_calltree_order(&tree, NULL, NULL, &order);
	return r ? r : write_tree(&tree, order, write, ctx);
}

/* Reading */

DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)

#define MAX_MEMORY_BYTES ((size_t)2 << 30)

struct reader {
	struct ddp_profile *profile;
	uint32_t *stack;	/* owned; location ids, leaf last */
	size_t nr, cap;
	char *name;		/* owned; as long as a line that it is a part of */
	size_t name_cap;
	size_t line;		/* number, from 1 */
	struct ddp_error *err;
};

static void reader_free(struct reader *r)
{
	free(r->stack);
	free(r->name);
	ddp_profile_destroy(r->profile);
}
DEFINE_CLEANUP_IN_PLACE(struct reader, reader_free)

/* A frame's text to r->name. @return its length */
static size_t decode_name(struct reader *r, const char *s, size_t n)
{
	size_t len = 0, i = 0;

	while (i < n) {
		int escape = s[i] == '\\' ? escape_at(s + i, n - i) : -1;

		r->name[len++] = escape < 0 ? s[i] : escapes[escape].c;
		i += escape < 0 ? 1 : ESCAPE_BYTES;
	}
	return len;
}

static int read_frame(struct reader *r, const char *s, size_t n)
{
	struct ddp_line line = { 0 };
	uint32_t name, *more;
	int e;

	if (!n) {
		s = "[unknown]";
		n = strlen(s);
	}
	if (r->nr == DDP_PPROF_MAX_FRAMES)
		return ddp__fail(r->err, -EFBIG, "line %zu: more than %d frames", r->line,
				 DDP_PPROF_MAX_FRAMES);
	more = array_reserve(r->stack, &r->cap, r->nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->stack = more;
	e = ddp_profile_string(r->profile, r->name, decode_name(r, s, n), &name);
	e = e ?: ddp_profile_function(r->profile, &(struct ddp_function){ .name = name },
				      &line.function);
	e = e ?: ddp_profile_location(r->profile, &(struct ddp_location){
				      .lines = &line, .nr_lines = 1 }, &r->stack[r->nr]);
	r->nr += !e;
	return e;
}

static int read_stack(struct reader *r, const char *s, size_t n)
{
	const char *end;
	int e = 0;

	for (r->nr = 0; !e; s = end + 1) {
		end = memchr(s, ';', n);
		if (!end)
			return read_frame(r, s, n);
		e = read_frame(r, s, (size_t)(end - s));
		n -= (size_t)(end + 1 - s);
	}
	return e;
}

/* "-17", all of it, within the limits of int64_t */
static int parse_number(const char *s, size_t n, int64_t *ret)
{
	bool negative = n && s[0] == '-';
	size_t i = negative;

	*ret = 0;
	for (; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EBADMSG;
		if (__builtin_mul_overflow(*ret, 10, ret) ||
		    __builtin_sub_overflow(*ret, s[i] - '0', ret))
			return -EBADMSG;
	}
	/* gathered as a negative number: there is one more of them */
	if (i == negative || (!negative && *ret == INT64_MIN))
		return -EBADMSG;
	*ret = negative ? *ret : -*ret;
	return 0;
}

static void leaf_first(struct reader *r)
{
	for (size_t i = 0; i < r->nr / 2; i++) {
		uint32_t id = r->stack[i];

		r->stack[i] = r->stack[r->nr - 1 - i];
		r->stack[r->nr - 1 - i] = id;
	}
}

static int read_line(struct reader *r, const char *s, size_t n)
{
	const char *space = memrchr(s, ' ', n);
	int64_t value;
	char *name;
	int e;

	if (n > DDP_COLLAPSED_MAX_LINE)
		return ddp__fail(r->err, -EFBIG, "line %zu: longer than %d bytes", r->line,
				 DDP_COLLAPSED_MAX_LINE);
	if (memchr(s, '\0', n))
		return ddp__fail(r->err, -EBADMSG, "line %zu: has a NUL byte, is no text", r->line);
	if (!space || parse_number(space + 1, (size_t)(s + n - space - 1), &value))
		return ddp__fail(r->err, -EBADMSG, "line %zu: does not end in a space and a whole "
				 "number, as in \"main;read 17\"", r->line);
	name = array_reserve(r->name, &r->name_cap, n, 1);
	if (!name)
		return -ENOMEM;
	r->name = name;
	e = read_stack(r, s, (size_t)(space - s));
	if (e)
		return e;
	leaf_first(r);
	return ddp_profile_add(r->profile, &(struct ddp_sample){
			       .locations = r->stack, .nr_locations = (uint32_t)r->nr,
			       .values = &value, .nr_values = 1 });
}

static int read_lines(struct reader *r, const char *s, size_t n)
{
	int e = 0;

	while (n && !e) {
		const char *newline = memchr(s, '\n', n);
		size_t len = newline ? (size_t)(newline - s) : n, text = len;

		r->line++;
		if (text && s[text - 1] == '\r')
			text--;
		if (text)
			e = read_line(r, s, text);
		s += len + !!newline;
		n -= len + !!newline;
	}
	return e;
}

static int to_pprof(const struct ddp_profile *profile, struct ddp_pprof **ret,
		    struct ddp_error *err)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer b = { 0 };
	const struct ddp_pprof_limits limits = { .max_decompressed_bytes = MAX_MEMORY_BYTES };
	int e = ddp_pprof_encode(profile, 0, ddp_buffer_write, &b);

	return e ? e : ddp_pprof_load(b.bytes, b.len, &limits, ret, err);
}

int ddp_collapsed_read(const void *bytes, size_t n, const struct ddp_value_type *type,
		       struct ddp_pprof **ret, struct ddp_error *err)
{
	const struct ddp_profile_config config = {
		.value_types = type, .nr_value_types = 1, .max_bytes = MAX_MEMORY_BYTES,
	};
	CLEANUP(reader_free) struct reader r = { .err = err };
	int e = ddp_profile_create(&config, &r.profile);

	e = e ?: read_lines(&r, bytes, n);
	if (e == -ENOSPC || e == -E2BIG)
		e = ddp__fail(err, -EFBIG, "line %zu: too many different stacks", r.line);
	return e ? e : to_pprof(r.profile, ret, err);
}
