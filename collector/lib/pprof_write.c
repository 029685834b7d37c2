// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a struct ddp_pprof: every element is turned into the record of ddprof/record.h that it
 * is, one at a time, and its strings get their numbers as they are met; the string table comes
 * when all were. Memory is needed for these numbers and for the largest element.
 */
#include <errno.h>

#include "cleanup.h"
#include "ddprof/pprof.h"
#include "pprof_strings.h"
#include "record_out.h"

struct writer {
	const struct ddp_pprof *p;
	struct ddp__budget budget;
	struct pprof_strings strings;
	/* one element's parts */
	DDP_VEC(uint64_t) numbers;
	DDP_VEC(struct ddp_record_label) labels;
	DDP_VEC(struct ddp_record_line) lines;
	struct record_out out;
};

static void writer_deinit(struct writer *w)
{
	ddp__pprof_strings_free(&w->strings);
	VEC_FREE(&w->numbers);
	VEC_FREE(&w->labels);
	VEC_FREE(&w->lines);
}

DEFINE_CLEANUP_IN_PLACE(struct writer, writer_deinit)

static int number(struct writer *w, const char *text, int64_t *ret)
{
	uint32_t n = 0;
	int r = ddp__pprof_string(&w->strings, text ?: "", &n);

	*ret = n;
	return r;
}

/* Elements as records */

static int record_value_type(struct writer *w, const struct ddp_value_type *t,
			     struct ddp_record_value_type *ret)
{
	int r = number(w, t->type, &ret->type);

	return r ? r : number(w, t->unit, &ret->unit);
}

static int record_label(struct writer *w, const struct ddp_pprof_label *l,
			struct ddp_record_label *ret)
{
	int r;

	*ret = (struct ddp_record_label){ 0 };
	r = number(w, l->key, &ret->key);
	if (r)
		return r;
	if (l->str)
		return number(w, l->str, &ret->str);
	ret->num = l->num;
	return number(w, l->num_unit, &ret->num_unit);
}

static int record_sample(struct writer *w, const struct ddp_pprof_sample *s,
			 struct ddp_record_sample *ret)
{
	size_t i;
	int r;

	if ((r = VEC_RESERVE(&w->budget, &w->numbers, s->nr_locations)) ||
	    (r = VEC_RESERVE(&w->budget, &w->labels, s->nr_labels)))
		return r;
	for (i = 0; i < s->nr_locations; i++)
		w->numbers.at[i] = s->locations[i]->id;
	for (i = 0; i < s->nr_labels; i++) {
		r = record_label(w, &s->labels[i], &w->labels.at[i]);
		if (r)
			return r;
	}
	*ret = (struct ddp_record_sample){
		.location_ids = w->numbers.at, .nr_locations = s->nr_locations,
		.values = s->values, .nr_values = w->p->nr_sample_types,
		.labels = w->labels.at, .nr_labels = s->nr_labels,
	};
	return 0;
}

static int record_mapping(struct writer *w, const struct ddp_pprof_mapping *m,
			  struct ddp_record_mapping *ret)
{
	int r;

	*ret = (struct ddp_record_mapping){
		.id = m->id, .memory_start = m->start, .memory_limit = m->limit,
		.file_offset = m->file_offset,
		.has_functions = m->has_functions, .has_filenames = m->has_filenames,
		.has_line_numbers = m->has_line_numbers,
		.has_inline_frames = m->has_inline_frames,
	};
	r = number(w, m->filename, &ret->filename);
	return r ? r : number(w, m->build_id, &ret->build_id);
}

static int record_location(struct writer *w, const struct ddp_pprof_location *l,
			   struct ddp_record_location *ret)
{
	size_t i;
	int r = VEC_RESERVE(&w->budget, &w->lines, l->nr_lines);

	if (r)
		return r;
	for (i = 0; i < l->nr_lines; i++)
		w->lines.at[i] = (struct ddp_record_line){
			.function_id = l->lines[i].function ? l->lines[i].function->id : 0,
			.line = l->lines[i].line, .column = l->lines[i].column,
		};
	*ret = (struct ddp_record_location){
		.id = l->id, .mapping_id = l->mapping ? l->mapping->id : 0,
		.address = l->address, .lines = w->lines.at, .nr_lines = l->nr_lines,
		.is_folded = l->is_folded,
	};
	return 0;
}

static int record_function(struct writer *w, const struct ddp_pprof_function *f,
			   struct ddp_record_function *ret)
{
	int r;

	*ret = (struct ddp_record_function){ .id = f->id, .start_line = f->start_line };
	if ((r = number(w, f->name, &ret->name)) ||
	    (r = number(w, f->system_name, &ret->system_name)))
		return r;
	return number(w, f->filename, &ret->filename);
}

/* Each kind of element of the profile, in the file's order: to bytes */

static int write_samples(struct writer *w)
{
	struct ddp_record_sample s;
	size_t i;
	int r;

	for (i = 0; i < w->p->nr_samples && !w->out.error; i++) {
		r = record_sample(w, &w->p->samples[i], &s);
		if (r)
			return r;
		out_message(&w->out, DDP_PROFILE_SAMPLE, ddp__len_sample(&s));
		ddp__out_sample(&w->out, &s);
	}
	return 0;
}

static int write_value_type(struct writer *w, uint32_t field, const struct ddp_value_type *t)
{
	struct ddp_record_value_type v;
	int r = record_value_type(w, t, &v);

	if (r)
		return r;
	out_message(&w->out, field, ddp__len_value_type(&v));
	ddp__out_value_type(&w->out, &v);
	return 0;
}

static int write_mappings(struct writer *w)
{
	struct ddp_record_mapping m;
	size_t i;
	int r;

	for (i = 0; i < w->p->nr_mappings; i++) {
		r = record_mapping(w, &w->p->mappings[i], &m);
		if (r)
			return r;
		out_message(&w->out, DDP_PROFILE_MAPPING, ddp__len_mapping(&m));
		ddp__out_mapping(&w->out, &m);
	}
	return 0;
}

static int write_locations(struct writer *w)
{
	struct ddp_record_location l;
	size_t i;
	int r;

	for (i = 0; i < w->p->nr_locations; i++) {
		r = record_location(w, &w->p->locations[i], &l);
		if (r)
			return r;
		out_message(&w->out, DDP_PROFILE_LOCATION, ddp__len_location(&l));
		ddp__out_location(&w->out, &l);
	}
	return 0;
}

static int write_functions(struct writer *w)
{
	struct ddp_record_function f;
	size_t i;
	int r;

	for (i = 0; i < w->p->nr_functions; i++) {
		r = record_function(w, &w->p->functions[i], &f);
		if (r)
			return r;
		out_message(&w->out, DDP_PROFILE_FUNCTION, ddp__len_function(&f));
		ddp__out_function(&w->out, &f);
	}
	return 0;
}

static int write_head(struct writer *w)
{
	size_t i;
	int r = write_samples(w);

	for (i = 0; !r && i < w->p->nr_sample_types; i++)
		r = write_value_type(w, DDP_PROFILE_SAMPLE_TYPE, &w->p->sample_types[i]);
	if (r || (r = write_mappings(w)) || (r = write_locations(w)))
		return r;
	return write_functions(w);
}

/* What comes behind the strings, as numbers */
struct tail {
	struct ddp_record_value_type period_type;
	int64_t drop_frames, keep_frames, default_sample_type, doc_url;
	uint64_t comment_bytes;
};

/* The comments' numbers are left in w->numbers. */
static int number_comments(struct writer *w, struct tail *t)
{
	int64_t n;
	size_t i;
	int r = VEC_RESERVE(&w->budget, &w->numbers, w->p->nr_comments);

	for (i = 0; !r && i < w->p->nr_comments; i++) {
		r = number(w, w->p->comments[i], &n);
		w->numbers.at[i] = n;
	}
	t->comment_bytes = r ? 0 : len_packed(w->numbers.at, w->p->nr_comments);
	return r;
}

static int number_tail(struct writer *w, struct tail *t)
{
	const struct ddp_pprof *p = w->p;
	int r;

	if ((r = number(w, p->drop_frames, &t->drop_frames)) ||
	    (r = number(w, p->keep_frames, &t->keep_frames)) ||
	    (r = record_value_type(w, &p->period_type, &t->period_type)) ||
	    (r = number_comments(w, t)) ||
	    (r = number(w, p->default_sample_type, &t->default_sample_type)))
		return r;
	return number(w, p->doc_url, &t->doc_url);
}

static void write_strings(struct writer *w)
{
	const struct pprof_string *s;
	uint32_t i;

	for (i = 0; i < w->strings.all.nr; i++) {
		s = &w->strings.all.at[i];
		ddp__out_string(&w->out, DDP_PROFILE_STRING_TABLE, s->text, s->len);
	}
}

static void write_tail(struct writer *w, const struct tail *t)
{
	uint64_t period_type = ddp__len_value_type(&t->period_type);
	struct record_out *o = &w->out;

	out_number(o, DDP_PROFILE_DROP_FRAMES, t->drop_frames);
	out_number(o, DDP_PROFILE_KEEP_FRAMES, t->keep_frames);
	out_number(o, DDP_PROFILE_TIME_NANOS, w->p->time_unix_ns);
	out_number(o, DDP_PROFILE_DURATION_NANOS, w->p->duration_ns);
	if (period_type) {
		out_message(o, DDP_PROFILE_PERIOD_TYPE, period_type);
		ddp__out_value_type(o, &t->period_type);
	}
	out_number(o, DDP_PROFILE_PERIOD, w->p->period);
	if (t->comment_bytes)
		out_message(o, DDP_PROFILE_COMMENT, t->comment_bytes);
	out_packed(o, w->numbers.at, w->p->nr_comments);
	out_number(o, DDP_PROFILE_DEFAULT_SAMPLE_TYPE, t->default_sample_type);
	out_number(o, DDP_PROFILE_DOC_URL, t->doc_url);
}

int ddp_pprof_write(const struct ddp_pprof *p, ddp_write_fn write, void *ctx)
{
	CLEANUP(writer_deinit) struct writer w = { .p = p };
	struct tail tail = { .comment_bytes = 0 };
	int r;

	out_init(&w.out, write, ctx);
	if ((r = ddp__pprof_strings_init(&w.strings, &w.budget)) || (r = write_head(&w)) ||
	    (r = number_tail(&w, &tail)))
		return r == -E2BIG ? -EFBIG : r;
	write_strings(&w);
	write_tail(&w, &tail);
	return ddp__out_finish(&w.out);
}
