// SPDX-License-Identifier: Apache-2.0
/*
 * Grafana Pyroscope's /ingest: the profile is the body, and the address says of what, when and of
 * which format it is: name=service{label=value,...}. With format=pprof the body is the file itself;
 * a multipart body is for requests that do not say their format. A '-' in the name of a value type
 * is refused there, so these get other names.
 *
 * Which characters a name may have: github.com/grafana/pyroscope, api/model/labelset.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ddprof/compress.h"
#include "ddprof/pprof.h"
#include "export_request.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)
DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

/* Value types by the names that everybody else's have there; others get '_' for '-' */
static const struct {
	const char *ours, *theirs;
} type_names[] = {
	{ "cpu-time", "cpu" },
	{ "cpu-samples", "samples" },
};

/* Tags that are not a label: the name itself, and what would make every upload a series */
static const char *const not_labels[] = { "service", "profile_seq" };

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static int put(struct ddp_buffer *q, const char *text)
{
	return ddp_buffer_write(q, text, strlen(text));
}

/* In an address: what is not a letter, digit or one of "_.-" is %XX. */
static int put_escaped(struct ddp_buffer *q, const char *s, size_t n)
{
	char escaped[4];
	int r = 0;

	for (; !r && n; s++, n--) {
		if (is_word(*s) || *s == '.' || *s == '-') {
			r = ddp_buffer_write(q, s, 1);
		} else {
			snprintf(escaped, sizeof(escaped), "%%%02X", (unsigned char)*s);
			r = ddp_buffer_write(q, escaped, 3);
		}
	}
	return r;
}

/* With '_' for what is neither a word's nor among @also */
static int put_name(struct ddp_buffer *q, const char *s, size_t n, const char *also)
{
	char c;
	int r = 0;

	for (; !r && n; s++, n--) {
		c = is_word(*s) || (*s && strchr(also, *s)) ? *s : '_';
		r = put_escaped(q, &c, 1);
	}
	return r;
}

/* A '}' would end the list. A ',' ends a tag, so there is none. */
static int put_value(struct ddp_buffer *q, const char *s, size_t n)
{
	int r = 0;

	for (; !r && n; s++, n--)
		r = put_escaped(q, *s == '}' ? "_" : s, 1);
	return r;
}

static bool is_label(const struct ddp_buffer *tags, const struct export_tag *t)
{
	size_t i;

	for (i = 0; i < sizeof(not_labels) / sizeof(*not_labels); i++)
		if (export_tag_is(t, not_labels[i]))
			return false;
	return t->value_n && ddp__export_first_of_key(tags, t);
}

static int put_labels(const struct ddp_buffer *tags, struct ddp_buffer *q)
{
	bool any = false;
	struct export_tag t;
	size_t at = 0;
	int r = 0;

	while (!r && ddp__export_next_tag(tags, &at, &t)) {
		if (!is_label(tags, &t))
			continue;
		/* a comma, or the opening brace */
		if ((r = put(q, any ? "%2C" : "%7B")) || (r = put_name(q, t.key, t.key_n, ".")) ||
		    (r = put(q, "%3D")) || (r = put_value(q, t.value, t.value_n)))
			return r;
		any = true;
	}
	return r || !any ? r : put(q, "%7D");	/* } */
}

static int put_query(const struct ddp_export_form *form, struct ddp_buffer *q)
{
	struct export_tag service;
	char times[96];
	int r;

	if (!ddp__export_find_tag(form->tags, "service", &service) || !service.value_n)
		service = (struct export_tag){ .value = "ddprof", .value_n = strlen("ddprof") };
	if ((r = put(q, "?name=")) || (r = put_name(q, service.value, service.value_n, "./-")) ||
	    (r = put_labels(form->tags, q)))
		return r;
	snprintf(times, sizeof(times), "&from=%" PRId64 "&until=%" PRId64,
		 form->start_unix_ns / 1000000000, form->end_unix_ns / 1000000000);
	if ((r = put(q, times)) || (r = put(q, "&spyName=ddprof&format=pprof")))
		return r;
	return ddp_buffer_write(q, "", 1);
}

/* Value types */

/* In memory of the request; NULL: out of memory */
static const char *type_name(struct export_request *q, const char *type)
{
	struct ddp_buffer *b;
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (!strcmp(type, type_names[i].ours))
			return type_names[i].theirs;
	if (!strchr(type, '-'))
		return type;
	b = ddp__export_buffer(q);
	if (!b || ddp_buffer_write(b, type, strlen(type) + 1))
		return NULL;
	for (i = 0; i < b->len; i++)
		if (b->bytes[i] == '-')
			b->bytes[i] = '_';
	return (const char *)b->bytes;
}

/* @p with other names: its own arrays but for the types */
static int rename_types(struct export_request *q, struct ddp_pprof *p)
{
	struct ddp_buffer *types = ddp__export_buffer(q);
	struct ddp_value_type type;
	size_t i;
	int r = types ? 0 : -ENOMEM;

	for (i = 0; !r && i < p->nr_sample_types; i++) {
		type = p->sample_types[i];
		type.type = type_name(q, type.type);
		r = type.type ? ddp_buffer_write(types, &type, sizeof(type)) : -ENOMEM;
	}
	p->period_type.type = type_name(q, p->period_type.type);
	p->default_sample_type = type_name(q, p->default_sample_type);
	if (r || !p->period_type.type || !p->default_sample_type)
		return -ENOMEM;
	p->sample_types = (const struct ddp_value_type *)(const void *)types->bytes;
	return 0;
}

static int put_profile(const struct ddp_export_form *form, struct export_request *q,
		       struct ddp_error *err)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *gzip = NULL;
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	struct ddp_pprof renamed;
	int r = ddp_pprof_load(form->profile, form->profile_bytes, NULL, &p, err);

	if (r)
		return r;
	renamed = *p;
	if ((r = rename_types(q, &renamed)) ||
	    (r = ddp_compressor_create(DDP_GZIP, 0, ddp_buffer_write, &q->body, &gzip)) ||
	    (r = ddp_pprof_write(&renamed, ddp_compressor_write, gzip)))
		return r;
	return ddp_compressor_finish(gzip);
}

int ddp__export_pyroscope(const struct ddp_export_form *form, struct export_request *q,
			  struct ddp_error *err)
{
	int r = ddp__export_one_profile(form, "Pyroscope", err);

	if (r)
		return r;
	if (form->start_unix_ns < 0 || form->end_unix_ns < 0)
		return -EINVAL;
	r = put_query(form, &q->query);
	return r ? r : put_profile(form, q, err);
}
