// SPDX-License-Identifier: Apache-2.0
/* See speedscope.h. */
#include "report/speedscope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "report/frames.h"
#include "report/out.h"

struct export {
	const struct ddp_pprof *p;
	struct ddp_stacks stacks;
	const struct ddp_pprof_sample **samples;	/* owned; in the order of writing */
	struct ddp_out text;
};

static void export_free(struct export *x)
{
	ddp_stacks_close(&x->stacks);
	free(x->samples);
}
DEFINE_CLEANUP_IN_PLACE(struct export, export_free)

/* Samples by time, if all of them tell it */

static const int64_t *timestamp(const struct ddp_pprof_sample *s)
{
	for (size_t i = 0; i < s->nr_labels; i++)
		if (!s->labels[i].str && !strcmp(s->labels[i].key, "end_timestamp_ns"))
			return &s->labels[i].num;
	return NULL;
}

/* Equal times: as they stood */
static int by_time(const void *a, const void *b)
{
	const struct ddp_pprof_sample *s = *(const struct ddp_pprof_sample *const *)a;
	const struct ddp_pprof_sample *t = *(const struct ddp_pprof_sample *const *)b;
	int64_t x = *timestamp(s), y = *timestamp(t);

	if (x != y)
		return x < y ? -1 : 1;
	return s < t ? -1 : 1;
}

static int order_samples(struct export *x)
{
	const struct ddp_pprof *p = x->p;
	bool timed = true;

	x->samples = calloc(p->nr_samples + 1, sizeof(*x->samples));
	if (!x->samples)
		return -ENOMEM;
	for (size_t i = 0; i < p->nr_samples; i++) {
		x->samples[i] = &p->samples[i];
		timed = timed && timestamp(&p->samples[i]);
	}
	if (timed && p->nr_samples)
		qsort(x->samples, p->nr_samples, sizeof(*x->samples), by_time);
	return 0;
}

static int check_values(const struct ddp_pprof *p, struct ddp_error *err)
{
	for (size_t i = 0; i < p->nr_samples; i++)
		for (size_t k = 0; k < p->nr_sample_types; k++)
			if (p->samples[i].values[k] < 0)
				return ddp__fail(err, -ERANGE, "sample %zu has a negative value, "
						 "as differences have; speedscope knows none",
						 i + 1);
	return 0;
}

/* Writing */

static const char *unit_name(const char *unit)
{
	static const char *const known[] = {
		"nanoseconds", "microseconds", "milliseconds", "seconds", "bytes",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(unit, known[i]))
			return known[i];
	return "none";
}

static void add_frames(struct ddp_out *t, const struct ddp_frames *frames)
{
	for (size_t i = 0; i < frames->nr; i++) {
		const struct ddp_frame *f = &frames->frames[i];

		ddp_out_add(t, i ? ",\n{\"name\":" : "\n{\"name\":");
		ddp_out_json(t, f->name);
		if (f->file[0]) {
			ddp_out_add(t, ",\"file\":");
			ddp_out_json(t, f->file);
		}
		if (f->first_line) {
			ddp_out_add(t, ",\"line\":");
			ddp_out_number(t, f->first_line);
		}
		ddp_out_add(t, "}");
	}
}

static int add_stacks(struct export *x, size_t value)
{
	struct ddp_out *t = &x->text;
	const char *comma = "\n[";
	int r = 0;

	for (size_t i = 0; !r && i < x->p->nr_samples; i++) {
		if (!x->samples[i]->values[value])
			continue;
		ddp_out_add(t, comma);
		r = ddp_stacks_walk(&x->stacks, x->samples[i]);
		for (size_t k = 0; !r && k < x->stacks.nr; k++) {
			if (k)
				ddp_out_add(t, ",");
			ddp_out_number(t, x->stacks.stack[k]);
		}
		ddp_out_add(t, "]");
		comma = ",\n[";
		r = r ?: t->error;
	}
	return r;
}

static void add_weights(struct export *x, size_t value, int64_t *ret_total)
{
	const char *comma = "";

	for (size_t i = 0; i < x->p->nr_samples; i++) {
		int64_t weight = x->samples[i]->values[value];

		if (!weight)
			continue;
		ddp_out_add(&x->text, comma);
		ddp_out_number(&x->text, weight);
		if (__builtin_add_overflow(*ret_total, weight, ret_total))
			*ret_total = INT64_MAX;
		comma = ",";
	}
}

static int add_profile(struct export *x, size_t value)
{
	const struct ddp_value_type *type = &x->p->sample_types[value];
	struct ddp_out *t = &x->text;
	int64_t total = 0;
	int r;

	ddp_out_add(t, "{\"type\":\"sampled\",\"name\":");
	ddp_out_json(t, type->type);
	ddp_out_add(t, ",\"unit\":");
	ddp_out_json(t, unit_name(type->unit));
	ddp_out_add(t, ",\"startValue\":0,\"samples\":[");
	r = add_stacks(x, value);
	ddp_out_add(t, "],\n\"weights\":[");
	add_weights(x, value, &total);
	ddp_out_add(t, "],\"endValue\":");
	ddp_out_number(t, total);
	ddp_out_add(t, "}");
	return r;
}

/* The frames have to be complete before they are written: a label's are only found on the way */
static int name_all(struct export *x)
{
	int r = ddp_stacks_open(&x->stacks, x->p);

	for (size_t i = 0; !r && i < x->p->nr_samples; i++)
		r = ddp_stacks_walk(&x->stacks, &x->p->samples[i]);
	return r;
}

static int write_file(struct export *x, const char *name, size_t value)
{
	struct ddp_out *t = &x->text;
	int r = 0;

	ddp_out_add(t, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		     "\"exporter\":\"ddprofctl " DDPROF_VERSION "\",\"name\":");
	ddp_out_json(t, name);
	ddp_out_add(t, ",\"activeProfileIndex\":");
	ddp_out_number(t, (int64_t)value);
	ddp_out_add(t, ",\n\"shared\":{\"frames\":[");
	add_frames(t, x->stacks.frames);
	ddp_out_add(t, "]},\n\"profiles\":[");
	for (size_t i = 0; !r && i < x->p->nr_sample_types; i++) {
		ddp_out_add(t, i ? ",\n" : "\n");
		r = add_profile(x, i);
	}
	ddp_out_add(t, "]}\n");
	return r ? r : ddp_out_finish(t);
}

int ddp_speedscope_write(const struct ddp_pprof *p, const char *name, size_t value,
			 const char *label, ddp_write_fn write, void *ctx, struct ddp_error *err)
{
	CLEANUP(ddp_frames_free) struct ddp_frames frames = { 0 };
	CLEANUP(export_free) struct export x = {
		.p = p, .stacks = { .frames = &frames, .label = label },
	};
	int r = check_values(p, err);

	r = r ?: order_samples(&x);
	r = r ?: name_all(&x);
	if (r)
		return r;
	ddp_out_start(&x.text, write, ctx);
	return write_file(&x, name, value);
}
