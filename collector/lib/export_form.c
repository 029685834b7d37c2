// SPDX-License-Identifier: Apache-2.0
/*
 * The upload's event.json and its tags: pure text from a form, no network. Whatever bytes come
 * in, what goes out is valid JSON in valid UTF-8.
 *
 * Sources: RFC 8259 (JSON), RFC 3339 (times).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "export_request.h"
#include "utf8.h"

#define NS_PER_S 1000000000LL

/* Text that sticks to its first error. */
struct text {
	ddp_write_fn write;
	void *ctx;
	int error;
};

static void put_n(struct text *t, const char *s, size_t n)
{
	if (!t->error && n)
		t->error = t->write(t->ctx, s, n);
}

static void put(struct text *t, const char *s)
{
	put_n(t, s, strlen(s));
}

/* One character below 0x80. */
static void put_json_char(struct text *t, unsigned char c)
{
	char escaped[8];

	if (c == '"' || c == '\\')
		snprintf(escaped, sizeof(escaped), "\\%c", c);
	else
		snprintf(escaped, sizeof(escaped), "\\u%04x", c);
	put(t, escaped);
}

static size_t plain_run(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '"' || s[i] == '\\')
			break;
	return i;
}

/* @n bytes of valid UTF-8 inside a JSON string. */
static void put_json_chars(struct text *t, const char *s, size_t n)
{
	size_t run;

	while (n) {
		run = plain_run(s, n);
		put_n(t, s, run);
		s += run;
		n -= run;
		if (n) {
			put_json_char(t, *s++);
			n--;
		}
	}
}

static void put_json_string(struct text *t, const char *s, size_t n)
{
	size_t good;

	put(t, "\"");
	for (;;) {
		good = ddp__utf8_valid(s, n);
		put_json_chars(t, s, good);
		s += good;
		n -= good;
		if (!n)
			break;
		put(t, UTF8_REPLACEMENT);
		good = ddp__utf8_bad(s, n);
		s += good;
		n -= good;
	}
	put(t, "\"");
}

static void put_json_cstring(struct text *t, const char *s)
{
	put_json_string(t, s, strlen(s));
}

/* UTC, nanoseconds, Z. */
static void put_time(struct text *t, const char *key, int64_t unix_ns)
{
	time_t s = unix_ns / NS_PER_S;
	char seconds[32], all[64];
	struct tm tm;

	if (unix_ns < 0 || !gmtime_r(&s, &tm)) {
		t->error = -EINVAL;
		return;
	}
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(all, sizeof(all), "\"%s\":\"%s.%09lldZ\",", key, seconds,
		 (long long)(unix_ns % NS_PER_S));
	put(t, all);
}

static void put_attachments(struct text *t, const struct ddp_export_form *form)
{
	size_t i;

	put(t, "\"attachments\":[");
	for (i = 0; i < form->nr_files; i++) {
		put_json_cstring(t, form->files[i].name);
		put(t, ",");
	}
	put(t, "\"" EXPORT_PROFILE_NAME "\"],");
}

static void put_info(struct text *t, const struct ddp_export_form *form)
{
	size_t i;

	put(t, "\"info\":{");
	for (i = 0; i < form->nr_info; i++) {
		if (i)
			put(t, ",");
		put_json_cstring(t, form->info[i].key);
		put(t, ":");
		put_json_cstring(t, form->info[i].value);
	}
	put(t, "}");
}

static void put_endpoint_counts(struct text *t, const struct ddp_export_form *form)
{
	const struct ddp_endpoint_count *c = form->endpoint_counts;
	char number[32];
	size_t i;

	put(t, "\"endpoint_counts\":");
	if (!form->nr_endpoint_counts)
		put(t, "null");
	for (i = 0; i < form->nr_endpoint_counts; i++) {
		put(t, i ? "," : "{");
		put_json_string(t, c[i].endpoint, c[i].len);
		snprintf(number, sizeof(number), ":%" PRId64, c[i].count);
		put(t, number);
	}
	put(t, i ? "}," : ",");
}

static void put_internal(struct text *t, const struct ddp_export_form *form)
{
	put(t, ",\"internal\":{\"libddprof_version\":");
	put_json_cstring(t, ddp_version());
	if (form->id) {
		put(t, ",\"profile_id\":");
		put_json_cstring(t, form->id);
	}
	put(t, "},");
}

int ddp_export_form_event(const struct ddp_export_form *form, ddp_write_fn write, void *ctx)
{
	struct text t = { write, ctx, 0 };

	put(&t, "{");
	put_attachments(&t, form);
	put(&t, "\"tags_profiler\":");
	if (form->tags && form->tags->len)
		put_json_string(&t, (const char *)form->tags->bytes, form->tags->len);
	else
		put(&t, "\"\"");
	put(&t, ",");
	put_time(&t, "start", form->start_unix_ns);
	put_time(&t, "end", form->end_unix_ns);
	put(&t, "\"family\":\"native\",\"version\":\"4\",");
	put_endpoint_counts(&t, form);
	put(&t, "\"process_tags\":");
	if (form->process_tags)
		put_json_cstring(&t, form->process_tags);
	else
		put(&t, "null");
	put_internal(&t, form);
	put_info(&t, form);
	put(&t, "}");
	return t.error;
}

/* Tags */

static bool is_separator(char c)
{
	return c == ',' || isspace((unsigned char)c);
}

static int append_tag(struct ddp_buffer *tags, const char *bytes, size_t n)
{
	int r = tags->len ? ddp_buffer_write(tags, ",", 1) : 0;

	return r ? r : ddp_buffer_write(tags, bytes, n);
}

int ddp_tags_add(struct ddp_buffer *tags, const char *key, const char *value)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer tag = { 0 };
	const char *c;
	size_t i, before = tags->len;
	int r;

	for (c = key; *c; c++)
		if (is_separator(*c) || *c == ':')
			return -EINVAL;
	if (c == key)
		return -EINVAL;
	if (!value || !*value)
		return 0;
	if ((r = ddp_buffer_write(&tag, key, strlen(key))) ||
	    (r = ddp_buffer_write(&tag, ":", 1)) ||
	    (r = ddp_buffer_write(&tag, value, strlen(value))))
		return r;
	for (i = 0; i < tag.len; i++)
		if (is_separator(tag.bytes[i]))
			tag.bytes[i] = '_';
	r = append_tag(tags, (const char *)tag.bytes, tag.len);
	if (r)
		tags->len = before;
	return r;
}

int ddp_tags_parse(struct ddp_buffer *tags, const char *text, struct ddp_error *err)
{
	size_t before = tags->len, n;
	int r = 0;

	for (; !r && text && *text; text += n) {
		for (n = 0; text[n] && !is_separator(text[n]); n++)
			;
		if (!n) {
			n = 1;
			continue;
		}
		if (text[0] == ':' || text[n - 1] == ':')
			r = ddp__fail(err, -EINVAL,
				      "tag '%.*s' begins or ends with a colon; write key:value",
				      n < 100 ? (int)n : 100, text);
		else
			r = append_tag(tags, text, n);
	}
	if (r)
		tags->len = before;
	return r;
}
