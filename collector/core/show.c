// SPDX-License-Identifier: Apache-2.0
/* See show.h. What is shown is what a reader of the profile gets: it is encoded and loaded. */
#include "core/show.h"

#include <ddprof/pprof.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lib/cleanup.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

static int64_t label(const struct ddp_pprof_sample *s, const char *key)
{
	for (size_t i = 0; i < s->nr_labels; i++)
		if (!strcmp(s->labels[i].key, key))
			return s->labels[i].num;
	return 0;
}

static void put_location(const struct ddp_pprof_location *l, FILE *to)
{
	for (size_t i = l->nr_lines; i-- > 0;) {
		const struct ddp_pprof_function *f = l->lines[i].function;

		fprintf(to, "%s%s", f && f->name[0] ? f->name : "?", i ? ";" : "");
	}
	if (!l->nr_lines)
		fprintf(to, "0x%" PRIx64, l->address);
}

static void put_sample(const struct ddp_pprof *p, const struct ddp_pprof_sample *s, size_t value,
		       FILE *to)
{
	fprintf(to, "sample[type=%s;pid=%" PRIi64 ";tid=%" PRIi64 "] ",
		p->sample_types[value].type, label(s, "process_id"), label(s, "thread id"));
	for (size_t i = s->nr_locations; i-- > 0;) {
		put_location(s->locations[i], to);
		if (i)
			fputc(';', to);
	}
	fprintf(to, " %" PRIi64, s->values[value]);
}

static int show(const struct ddp_pprof *p, const struct ddp_pprof_sample *s, size_t value)
{
	CLEANUP(free) char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return -ENOMEM;
	put_sample(p, s, value, to);
	if (fclose(to))
		return -ENOMEM;
	ddp_log_text(text);
	return 0;
}

int ddp_show_samples(const struct ddp_profile *p, int64_t end_unix_ns)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer encoded = { .len = 0 };
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *loaded = NULL;
	struct ddp_error err;
	int r = ddp_pprof_encode(p, end_unix_ns, ddp_buffer_write, &encoded);

	r = r ?: ddp_pprof_load(encoded.bytes, encoded.len, NULL, &loaded, &err);
	for (size_t i = 0; !r && i < loaded->nr_samples; i++)
		for (size_t v = 0; !r && v < loaded->nr_sample_types; v++)
			if (loaded->samples[i].values[v])
				r = show(loaded, &loaded->samples[i], v);
	return r;
}
