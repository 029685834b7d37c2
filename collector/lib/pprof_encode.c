// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a builder's profile as pprof's profile.proto, one field after the other: endpoints are
 * joined and rules applied on the way out, and nothing is built in memory but one sample's values.
 *
 * Source: field numbers, pprof's profile.proto; how fields are written, record_out.h.
 */
#include <string.h>

#include "pprof_encode.h"
#include "profile_parts.h"
#include "profile_upscale.h"
#include "record_out.h"

struct encoder {
	const struct ddp_profile *p;
	const struct numbering *numbers;
	int64_t values[MAX_VALUE_TYPES];	/* of a sample that has them in another form */
	struct record_out out;
};

static uint32_t string_number(const struct encoder *e, uint32_t index)
{
	return e->numbers ? e->numbers->strings[index] : index;
}

static uint32_t string_id_number(const struct encoder *e, uint32_t id)
{
	return string_number(e, good_string(e->p, id));
}

/* Samples */

/* A sample with everything it needs, wherever it lies. */
struct full_sample {
	const struct stack *stack;
	const struct label *labels;
	uint32_t nr_labels;
	uint32_t endpoint;	/* string index; 0: none */
	int64_t timestamp_ns;	/* 0: none */
	const int64_t *values;
};

/* A stack's ids, leaf first, are some at its leaf and then its chunks. */
struct piece {
	const uint32_t *ids;
	uint32_t nr, chunk1;
};

static struct piece first_piece(const struct stack *s)
{
	return (struct piece){ s->leaf, s->nr % CHUNK_IDS, s->chunk1 };
}

static bool next_piece(const struct ddp_profile *p, struct piece *piece)
{
	const struct chunk *c;

	if (!piece->chunk1)
		return false;
	c = &p->chunks.at[piece->chunk1 - 1];
	*piece = (struct piece){ c->ids, CHUNK_IDS, c->parent1 };
	return true;
}

static uint32_t location_number(const struct encoder *e, uint32_t id)
{
	uint32_t index = id - e->p->base[ID_LOCATION];

	return e->numbers ? e->numbers->locations[index] : index;
}

static uint64_t len_stack(const struct encoder *e, const struct stack *s)
{
	struct piece piece = first_piece(s);
	uint64_t n = 0;
	uint32_t i;

	do {
		for (i = 0; i < piece.nr; i++)
			n += len_varint(location_number(e, piece.ids[i]));
	} while (next_piece(e->p, &piece));
	return n;
}

static void out_stack(struct encoder *e, const struct stack *s)
{
	struct piece piece = first_piece(s);
	uint32_t i;

	do {
		for (i = 0; i < piece.nr; i++)
			out_varint(&e->out, location_number(e, piece.ids[i]));
	} while (next_piece(e->p, &piece));
}

static bool is_left_out(const struct encoder *e, const struct label *l)
{
	return l->key == DDP_STRING_LOCAL_ROOT_SPAN_ID && e->p->omit_local_root_span_id;
}

static struct ddp_record_label record_label(const struct encoder *e, const struct label *l)
{
	return (struct ddp_record_label){
		.key = string_id_number(e, l->key), .str = string_id_number(e, l->str),
		.num = l->num, .num_unit = string_id_number(e, l->num_unit),
	};
}

static struct ddp_record_label endpoint_label(const struct encoder *e, const struct full_sample *s)
{
	return (struct ddp_record_label){
		.key = string_number(e, DDP_STRING_TRACE_ENDPOINT),
		.str = string_number(e, s->endpoint),
	};
}

static struct ddp_record_label timestamp_label(const struct encoder *e,
					       const struct full_sample *s)
{
	return (struct ddp_record_label){
		.key = string_number(e, DDP_STRING_END_TIMESTAMP_NS), .num = s->timestamp_ns,
	};
}

static uint64_t len_label(struct ddp_record_label l)
{
	return len_message(3, ddp__len_label(&l));
}

static void out_label(struct encoder *e, struct ddp_record_label l)
{
	out_message(&e->out, 3, ddp__len_label(&l));
	ddp__out_label(&e->out, &l);
}

static uint64_t len_labels(const struct encoder *e, const struct full_sample *s)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < s->nr_labels; i++)
		if (!is_left_out(e, &s->labels[i]))
			n += len_label(record_label(e, &s->labels[i]));
	if (s->endpoint)
		n += len_label(endpoint_label(e, s));
	if (s->timestamp_ns)
		n += len_label(timestamp_label(e, s));
	return n;
}

static void out_labels(struct encoder *e, const struct full_sample *s)
{
	uint32_t i;

	for (i = 0; i < s->nr_labels; i++)
		if (!is_left_out(e, &s->labels[i]))
			out_label(e, record_label(e, &s->labels[i]));
	if (s->endpoint)
		out_label(e, endpoint_label(e, s));
	if (s->timestamp_ns)
		out_label(e, timestamp_label(e, s));
}

static void out_sample(struct encoder *e, const struct full_sample *s)
{
	const uint64_t *numbers = (const uint64_t *)s->values;
	uint32_t nr_values = e->p->value_types.nr;
	uint64_t locations = len_stack(e, s->stack), values = len_packed(numbers, nr_values);

	out_message(&e->out, DDP_PROFILE_SAMPLE,
		    len_message(1, locations) + len_message(2, values) + len_labels(e, s));
	out_message(&e->out, 1, locations);
	out_stack(e, s->stack);
	out_message(&e->out, 2, values);
	out_packed(&e->out, numbers, nr_values);
	out_labels(e, s);
}

uint32_t ddp__joined_endpoint(const struct ddp_profile *p, const struct label *labels, uint32_t nr)
{
	uint32_t endpoint = DDP_STRING_EMPTY, i;

	if (!p->endpoints.nr)
		return DDP_STRING_EMPTY;
	for (i = 0; i < nr; i++) {
		if (labels[i].key == DDP_STRING_TRACE_ENDPOINT)
			return DDP_STRING_EMPTY;
		if (labels[i].key == DDP_STRING_LOCAL_ROOT_SPAN_ID)
			endpoint = ddp__endpoint_of(p, labels[i].num);
	}
	return endpoint;
}

/* To e->values, which may be what s->values points to already */
static void upscale(struct encoder *e, struct full_sample *s)
{
	const struct ddp_profile *p = e->p;
	uint32_t i;

	if (!p->rules.nr)
		return;
	memmove(e->values, s->values, p->value_types.nr * sizeof(*e->values));
	s->values = e->values;
	for (i = 0; i < s->nr_labels; i++)
		if (s->labels[i].str)
			ddp__upscale_label(p, good_string(p, s->labels[i].key),
					   good_string(p, s->labels[i].str), e->values);
	if (s->endpoint)
		ddp__upscale_label(p, DDP_STRING_TRACE_ENDPOINT, s->endpoint, e->values);
	ddp__upscale_all(p, e->values);
}

static void put_sample(struct encoder *e, struct sample at, const int64_t *values,
		       int64_t timestamp_ns)
{
	const struct ddp_profile *p = e->p;
	struct span set = p->label_sets.at[at.label_set];
	struct full_sample s = {
		.stack = &p->stacks.at[at.stack],
		.labels = set.nr ? p->labels.at + set.first : NULL, .nr_labels = set.nr,
		.values = values, .timestamp_ns = timestamp_ns,
	};

	s.endpoint = ddp__joined_endpoint(p, s.labels, s.nr_labels);
	upscale(e, &s);
	out_sample(e, &s);
}

static void put_samples(struct encoder *e, const struct share *s)
{
	const struct ddp_profile *p = e->p;
	struct timed_cursor timed = s->timed;
	struct sample at;
	uint64_t k;
	uint32_t i;

	for (i = s->first; i < s->first + s->nr && !e->out.error; i++)
		put_sample(e, p->samples.at[i], p->values.at + (size_t)i * p->value_types.nr, 0);
	for (k = 0; k < s->nr_timed && !e->out.error; k++) {
		at = ddp__timed_next(p, &timed, e->values);
		put_sample(e, at, e->values, timed.ns);
	}
}

/* What samples refer to */

static bool is_kept(const uint32_t *numbers, uint32_t index)
{
	return numbers[index] != NOT_NUMBERED;
}

static void put_value_type(struct encoder *e, uint32_t field, struct value_type t)
{
	struct ddp_record_value_type r = { string_number(e, t.type), string_number(e, t.unit) };

	out_message(&e->out, field, ddp__len_value_type(&r));
	ddp__out_value_type(&e->out, &r);
}

static void put_mapping(struct encoder *e, uint32_t index)
{
	const struct mapping *m = &e->p->mappings.at[index];
	struct ddp_record_mapping r = {
		.id = e->numbers ? e->numbers->mappings[index] : index,
		.memory_start = m->start, .memory_limit = m->limit, .file_offset = m->file_offset,
		.filename = string_number(e, m->filename),
		.build_id = string_number(e, m->build_id),
		.has_functions = m->flags & MAPPING_HAS_FUNCTIONS,
		.has_filenames = m->flags & MAPPING_HAS_FILENAMES,
		.has_line_numbers = m->flags & MAPPING_HAS_LINE_NUMBERS,
		.has_inline_frames = m->flags & MAPPING_HAS_INLINE_FRAMES,
	};

	out_message(&e->out, DDP_PROFILE_MAPPING, ddp__len_mapping(&r));
	ddp__out_mapping(&e->out, &r);
}

static struct ddp_record_line record_line(const struct encoder *e, const struct line *l)
{
	return (struct ddp_record_line){
		.function_id = e->numbers && l->function ? e->numbers->functions[l->function] :
			       l->function,
		.line = l->line,
	};
}

/* Its lines are put one by one: as an array there could be as many as 1024 */
static void put_location(struct encoder *e, uint32_t index)
{
	const struct location *l = &e->p->locations.at[index];
	struct ddp_record_location r = {
		.id = location_number(e, e->p->base[ID_LOCATION] + index),
		.mapping_id = e->numbers && l->mapping ? e->numbers->mappings[l->mapping] :
			      l->mapping,
		.address = l->address, .is_folded = l->is_folded,
	};
	uint64_t n = ddp__len_location(&r);
	struct ddp_record_line line;
	struct line one;
	const struct line *lines = ddp__location_lines(e->p, l, &one);
	uint32_t i;

	for (i = 0; i < l->nr_lines; i++) {
		line = record_line(e, &lines[i]);
		n += len_message(4, ddp__len_line(&line));
	}
	out_message(&e->out, DDP_PROFILE_LOCATION, n);
	out_always(&e->out, 1, r.id);
	out_number(&e->out, 2, r.mapping_id);
	out_number(&e->out, 3, r.address);
	for (i = 0; i < l->nr_lines; i++) {
		line = record_line(e, &lines[i]);
		out_message(&e->out, 4, ddp__len_line(&line));
		ddp__out_line(&e->out, &line);
	}
	out_number(&e->out, 5, r.is_folded);
}

static void put_function(struct encoder *e, uint32_t index)
{
	const struct function *f = &e->p->functions.at[index];
	struct ddp_record_function r = {
		.id = e->numbers ? e->numbers->functions[index] : index,
		.name = string_number(e, f->name), .system_name = string_number(e, f->system_name),
		.filename = string_number(e, f->filename), .start_line = f->start_line,
	};

	out_message(&e->out, DDP_PROFILE_FUNCTION, ddp__len_function(&r));
	ddp__out_function(&e->out, &r);
}

static void put_tables(struct encoder *e)
{
	const struct ddp_profile *p = e->p;
	const struct numbering *n = e->numbers;
	uint32_t i;

	for (i = 0; i < p->value_types.nr; i++)
		put_value_type(e, DDP_PROFILE_SAMPLE_TYPE, p->value_types.at[i]);
	for (i = 1; i < p->mappings.nr; i++)
		if (!n || is_kept(n->mappings, i))
			put_mapping(e, i);
	for (i = 1; i < p->locations.nr; i++)
		if (!n || is_kept(n->locations, i))
			put_location(e, i);
	for (i = 1; i < p->functions.nr; i++)
		if (!n || is_kept(n->functions, i))
			put_function(e, i);
	for (i = 0; i < p->strings.nr; i++)
		if (!n || is_kept(n->strings, i))
			ddp__out_string(&e->out, DDP_PROFILE_STRING_TABLE,
					p->string_bytes.at + p->strings.at[i].first,
					p->strings.at[i].nr);
}

static void put_comments(struct encoder *e)
{
	const struct ddp_profile *p = e->p;
	uint64_t n = 0;
	uint32_t i;

	if (!p->comments.nr)
		return;
	for (i = 0; i < p->comments.nr; i++)
		n += len_varint(string_number(e, p->comments.at[i]));
	out_message(&e->out, DDP_PROFILE_COMMENT, n);
	for (i = 0; i < p->comments.nr; i++)
		out_varint(&e->out, string_number(e, p->comments.at[i]));
}

/* A clock that went backwards, or a span of more than 292 years, is no duration. */
static int64_t duration_ns(int64_t start, int64_t end)
{
	int64_t d;

	return end < start || __builtin_sub_overflow(end, start, &d) ? 0 : d;
}

struct share ddp__share_of_all(const struct ddp_profile *p)
{
	return (struct share){
		.nr = p->samples.nr, .timed = ddp__timed_begin(p), .nr_timed = p->timed.nr,
	};
}

/* Bytes of one sample's locations, on average */
static uint64_t stack_bytes_about(const struct ddp_profile *p)
{
	uint64_t nr = 0;
	uint32_t i;

	for (i = 0; i < p->stacks.nr; i++)
		nr += p->stacks.at[i].nr;
	return p->stacks.nr ? nr * 7 / 4 / p->stacks.nr : 0;
}

/* What a field takes was counted in profiles of a few thousand of each kind. */
uint64_t ddp__encoded_bytes_about(const struct ddp_profile *p, const struct share *s)
{
	enum { SAMPLE = 6, VALUE = 3, LABEL = 7, TIMESTAMP = 14 };
	enum { LOCATION = 22, FUNCTION = 12, MAPPING = 32, STRING = 2, REST = 64 };
	uint64_t labels = p->label_sets.nr ? p->labels.nr / p->label_sets.nr : 0;
	uint64_t sample = SAMPLE + stack_bytes_about(p) + VALUE * p->value_types.nr +
			  LABEL * labels;

	return s->nr * sample + s->nr_timed * (sample + TIMESTAMP) + REST +
	       MAPPING * p->mappings.nr + LOCATION * p->locations.nr +
	       FUNCTION * p->functions.nr + STRING * p->strings.nr + p->string_bytes.nr;
}

int ddp__encode_share(const struct ddp_profile *p, const struct share *s, int64_t end_unix_ns,
		      ddp_write_fn write, void *ctx)
{
	struct encoder e;

	e.p = p;
	e.numbers = s->numbers;
	out_init(&e.out, write, ctx);
	put_samples(&e, s);
	put_tables(&e);
	out_number(&e.out, DDP_PROFILE_TIME_NANOS, p->start_unix_ns);
	out_number(&e.out, DDP_PROFILE_DURATION_NANOS, duration_ns(p->start_unix_ns, end_unix_ns));
	if (p->has_period_type)
		put_value_type(&e, DDP_PROFILE_PERIOD_TYPE, p->period_type);
	out_number(&e.out, DDP_PROFILE_PERIOD, p->period);
	put_comments(&e);
	return ddp__out_finish(&e.out);
}

int ddp_pprof_encode(const struct ddp_profile *p, int64_t end_unix_ns, ddp_write_fn write,
		     void *ctx)
{
	struct share all = ddp__share_of_all(p);

	return ddp__encode_share(p, &all, end_unix_ns, write, ctx);
}
