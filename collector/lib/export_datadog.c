// SPDX-License-Identifier: Apache-2.0
/*
 * Datadog's two forms, as multipart/form-data: the current one, event.json and then the files;
 * and the older one that Go's profiler used, a field for each thing, "types[i]" and "data[i]" for
 * each profile. Both go to an agent, or to the intake with a key.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ddprof/pprof.h"
#include "export_request.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

/* The current form */

static int add_file(struct export_request *q, const char *name, const void *bytes, size_t n)
{
	return ddp__export_part(q, (struct export_part){
		.name = name, .file = name, .type = EXPORT_BINARY, .bytes = bytes, .n = n });
}

static int add_event(const struct ddp_export_form *form, struct export_request *q)
{
	struct ddp_buffer *event = ddp__export_buffer(q);
	int r = event ? ddp_export_form_event(form, ddp_buffer_write, event) : -ENOMEM;

	return r ? r : ddp__export_part(q, (struct export_part){
		.name = EXPORT_EVENT_PART, .file = EXPORT_EVENT_FILE, .type = "application/json",
		.bytes = event->bytes, .n = event->len });
}

int ddp__export_datadog(const struct ddp_export_form *form, struct export_request *q,
			struct ddp_error *err)
{
	size_t i;
	int r = add_event(form, q);

	(void)err;
	for (i = 0; !r && i < form->nr_files; i++)
		r = add_file(q, form->files[i].name, form->files[i].bytes, form->files[i].n);
	return r ? r : add_file(q, EXPORT_PROFILE_NAME, form->profile, form->profile_bytes);
}

/* The older form */

/* Text that the request owns: a format of one string */
static const char *keep(struct export_request *q, const char *format, const char *text)
{
	struct ddp_buffer *b = ddp__export_buffer(q);
	char line[256];
	int n = snprintf(line, sizeof(line), format, text);

	if (!b || ddp_buffer_write(b, line, n + 1))
		return NULL;
	return (const char *)b->bytes;
}

static int add_time(struct export_request *q, const char *name, int64_t unix_ns)
{
	time_t s = unix_ns / 1000000000;
	const char *kept;
	char text[32];
	struct tm tm;

	if (unix_ns < 0 || !gmtime_r(&s, &tm))
		return -EINVAL;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	kept = keep(q, "%s", text);
	return kept ? ddp__export_field(q, name, kept) : -ENOMEM;
}

static int add_tag(struct export_request *q, const char *tag, size_t n)
{
	return ddp__export_part(q, (struct export_part){ .name = "tags[]", .bytes = tag, .n = n });
}

/* What this form wants to be there and the list may not have */
static int add_missing_tags(const struct ddp_export_form *form, struct export_request *q)
{
	const char *tag = "runtime:native";
	char host[128] = "";
	struct export_tag found;
	int r = 0;

	if (!ddp__export_find_tag(form->tags, "runtime", &found))
		r = add_tag(q, tag, strlen(tag));
	if (r || ddp__export_find_tag(form->tags, "host", &found))
		return r;
	if (gethostname(host, sizeof(host) - 1) || !*host)
		return 0;
	tag = keep(q, "host:%s", host);
	return tag ? add_tag(q, tag, strlen(tag)) : -ENOMEM;
}

static int add_tags(const struct ddp_export_form *form, struct export_request *q)
{
	struct export_tag t;
	size_t at = 0;
	int r = 0;

	while (!r && ddp__export_next_tag(form->tags, &at, &t))
		r = add_tag(q, t.key, t.value + t.value_n - t.key);
	return r ? r : add_missing_tags(form, q);
}

/* "cpu-samples,cpu-time" */
static int add_types(const struct ddp_pprof *p, struct export_request *q, const char *name)
{
	struct ddp_buffer *types = ddp__export_buffer(q);
	int r = types ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; !r && i < p->nr_sample_types; i++) {
		r = i ? ddp_buffer_write(types, ",", 1) : 0;
		if (!r && *p->sample_types[i].type)
			r = ddp_buffer_write(types, p->sample_types[i].type,
					     strlen(p->sample_types[i].type));
	}
	return r ? r : ddp__export_part(q, (struct export_part){
		.name = name, .bytes = types->bytes ?: (unsigned char *)"", .n = types->len });
}

static int add_profile(struct export_request *q, size_t i, const void *bytes, size_t n,
		       struct ddp_error *err)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	const char *types, *data;
	struct ddp_buffer *gzip;
	char number[24];
	int r = ddp_pprof_load(bytes, n, NULL, &p, err);

	if (r)
		return r;
	snprintf(number, sizeof(number), "%zu", i);
	types = keep(q, "types[%s]", number);
	data = keep(q, "data[%s]", number);
	gzip = ddp__export_buffer(q);
	if (!types || !data || !gzip)
		return -ENOMEM;
	if ((r = ddp__export_gzip(bytes, n, gzip, err)) || (r = add_types(p, q, types)))
		return r;
	return ddp__export_part(q, (struct export_part){
		.name = data, .file = "pprof-data", .type = EXPORT_BINARY, .bytes = gzip->bytes,
		.n = gzip->len });
}

int ddp__export_legacy(const struct ddp_export_form *form, struct export_request *q,
		       struct ddp_error *err)
{
	size_t i, nr = 0;
	int r;

	if ((r = ddp__export_field(q, "format", "pprof")) ||
	    (r = ddp__export_field(q, "runtime", "native")) ||
	    (r = add_time(q, "recording-start", form->start_unix_ns)) ||
	    (r = add_time(q, "recording-end", form->end_unix_ns)) ||
	    (r = add_tags(form, q)) ||
	    (r = add_profile(q, nr++, form->profile, form->profile_bytes, err)))
		return r;
	for (i = 0; !r && i < form->nr_files; i++)
		if (ddp__export_is_profile(&form->files[i]))
			r = add_profile(q, nr++, form->files[i].bytes, form->files[i].n, err);
	return r;
}
