// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a profile as pprof's profile.proto, one field after the other through a small buffer. A
 * nested message's length is computed before it is written, so nothing is built in memory. Errors
 * stick: after the first one nothing more is written, and the end of ddp_pprof_encode() reports it.
 *
 * Source: protobuf's encoding guide (varints, tags, packed fields); field numbers, pprof's
 * profile.proto.
 */
#include <errno.h>
#include <string.h>

#include "ddprof/pprof.h"
#include "profile_internal.h"
#include "utf8.h"

enum {
	BUFFER_BYTES = 8192,		/* one write callback for a few hundred fields */
	MAX_MESSAGE_BYTES = INT32_MAX,	/* protobuf's own limit */
	VARINT_BYTES = 10,
};

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

enum profile_field {
	PROFILE_SAMPLE_TYPE	= 1,
	PROFILE_SAMPLE		= 2,
	PROFILE_MAPPING		= 3,
	PROFILE_LOCATION	= 4,
	PROFILE_FUNCTION	= 5,
	PROFILE_STRING_TABLE	= 6,
	PROFILE_TIME_NANOS	= 9,
	PROFILE_DURATION_NANOS	= 10,
	PROFILE_PERIOD_TYPE	= 11,
	PROFILE_PERIOD		= 12,
	PROFILE_COMMENT		= 13,
};

struct out {
	ddp_write_fn write;
	void *ctx;
	int error;
	uint64_t total;	/* bytes so far, buffered ones included */
	size_t n;
	unsigned char buffer[BUFFER_BYTES];
};

static void flush(struct out *o)
{
	if (!o->error && o->n)
		o->error = o->write(o->ctx, o->buffer, o->n);
	o->n = 0;
}

static void put_bytes(struct out *o, const void *bytes, size_t n)
{
	if (o->error || !n)
		return;
	o->total += n;
	if (o->total > MAX_MESSAGE_BYTES) {
		o->error = -EFBIG;
		return;
	}
	if (n > sizeof(o->buffer) - o->n)
		flush(o);
	if (n > sizeof(o->buffer)) {
		if (!o->error)
			o->error = o->write(o->ctx, bytes, n);
		return;
	}
	memcpy(o->buffer + o->n, bytes, n);
	o->n += n;
}

/* Varints and fields: each put_ has its len_ */

static size_t len_varint(uint64_t v)
{
	return (63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static void put_varint(struct out *o, uint64_t v)
{
	unsigned char bytes[VARINT_BYTES];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = v | 0x80;
	bytes[n++] = v;
	put_bytes(o, bytes, n);
}

static void put_tag(struct out *o, uint32_t field, enum wire_type type)
{
	put_varint(o, field << 3 | type);
}

/* All fields here are below 16: a tag is one byte. A number that is zero is left out. */
static size_t len_number(uint64_t v)
{
	return v ? 1 + len_varint(v) : 0;
}

static void put_number(struct out *o, uint32_t field, uint64_t v)
{
	if (!v)
		return;
	put_tag(o, field, WIRE_VARINT);
	put_varint(o, v);
}

static size_t len_always(uint64_t v)
{
	return 1 + len_varint(v);
}

static void put_always(struct out *o, uint32_t field, uint64_t v)
{
	put_tag(o, field, WIRE_VARINT);
	put_varint(o, v);
}

static size_t len_message(uint64_t body)
{
	return 1 + len_varint(body) + body;
}

static void put_message(struct out *o, uint32_t field, uint64_t body)
{
	put_tag(o, field, WIRE_BYTES);
	put_varint(o, body);
}

/* Samples */

/* A sample with everything it needs, wherever it lies. */
struct full_sample {
	const uint32_t *locations;
	uint32_t nr_locations;
	const int64_t *values;
	uint32_t nr_values;
	const struct label *labels;
	uint32_t nr_labels;
	struct label timestamp;	/* key 0: none */
};

static size_t len_label(const struct label *l)
{
	return len_number(l->key) + len_number(l->str) + len_number(l->num) +
	       len_number(l->num_unit);
}

static void put_label(struct out *o, const struct label *l)
{
	put_message(o, 3, len_label(l));
	put_number(o, 1, l->key);
	put_number(o, 2, l->str);
	put_number(o, 3, l->num);
	put_number(o, 4, l->num_unit);
}

static void put_sample(struct out *o, const struct full_sample *s)
{
	uint64_t locations = 0, values = 0, labels = 0;
	uint32_t i;

	for (i = 0; i < s->nr_locations; i++)
		locations += len_varint(s->locations[i]);
	for (i = 0; i < s->nr_values; i++)
		values += len_varint(s->values[i]);
	for (i = 0; i < s->nr_labels; i++)
		labels += len_message(len_label(&s->labels[i]));
	if (s->timestamp.key)
		labels += len_message(len_label(&s->timestamp));

	put_message(o, PROFILE_SAMPLE, len_message(locations) + len_message(values) + labels);
	put_message(o, 1, locations);
	for (i = 0; i < s->nr_locations; i++)
		put_varint(o, s->locations[i]);
	put_message(o, 2, values);
	for (i = 0; i < s->nr_values; i++)
		put_varint(o, s->values[i]);
	for (i = 0; i < s->nr_labels; i++)
		put_label(o, &s->labels[i]);
	if (s->timestamp.key)
		put_label(o, &s->timestamp);
}

static struct full_sample full_sample(const struct ddp_profile *p, struct sample s,
				      const int64_t *values)
{
	struct span stack = p->stacks.at[s.stack], set = p->label_sets.at[s.label_set];

	return (struct full_sample){
		.locations = stack.nr ? p->stack_locations.at + stack.first : NULL,
		.nr_locations = stack.nr,
		.values = values,
		.nr_values = p->value_types.nr,
		.labels = set.nr ? p->labels.at + set.first : NULL,
		.nr_labels = set.nr,
	};
}

static void put_samples(struct out *o, const struct ddp_profile *p)
{
	size_t nr_values = p->value_types.nr;
	struct full_sample s;
	uint32_t i;

	for (i = 0; i < p->samples.nr && !o->error; i++) {
		s = full_sample(p, p->samples.at[i], p->values.at + i * nr_values);
		put_sample(o, &s);
	}
	for (i = 0; i < p->timed_samples.nr && !o->error; i++) {
		s = full_sample(p, p->timed_samples.at[i], p->timed_values.at + i * nr_values);
		s.timestamp.key = DDP_STRING_END_TIMESTAMP_NS;
		s.timestamp.num = p->timestamps_ns.at[i];
		put_sample(o, &s);
	}
}

/* What samples refer to */

static void put_value_type(struct out *o, uint32_t field, struct value_type t)
{
	put_message(o, field, len_number(t.type) + len_number(t.unit));
	put_number(o, 1, t.type);
	put_number(o, 2, t.unit);
}

static void put_mapping(struct out *o, uint32_t id, const struct mapping *m)
{
	uint32_t flag;

	put_message(o, PROFILE_MAPPING,
		    len_always(id) + len_number(m->start) + len_number(m->limit) +
		    len_number(m->file_offset) + len_number(m->filename) +
		    len_number(m->build_id) + 2 * __builtin_popcount(m->flags));
	put_always(o, 1, id);
	put_number(o, 2, m->start);
	put_number(o, 3, m->limit);
	put_number(o, 4, m->file_offset);
	put_number(o, 5, m->filename);
	put_number(o, 6, m->build_id);
	for (flag = 0; flag < 4; flag++)
		put_number(o, 7 + flag, m->flags >> flag & 1);
}

static size_t len_line(const struct line *l)
{
	return len_number(l->function) + len_number(l->line);
}

static void put_location(struct out *o, uint32_t id, const struct location *l,
			 const struct line *lines)
{
	uint64_t body = len_always(id) + len_number(l->mapping) + len_number(l->address) +
			len_number(l->is_folded);
	uint32_t i;

	for (i = 0; i < l->nr_lines; i++)
		body += len_message(len_line(&lines[i]));
	put_message(o, PROFILE_LOCATION, body);
	put_always(o, 1, id);
	put_number(o, 2, l->mapping);
	put_number(o, 3, l->address);
	for (i = 0; i < l->nr_lines; i++) {
		put_message(o, 4, len_line(&lines[i]));
		put_number(o, 1, lines[i].function);
		put_number(o, 2, lines[i].line);
	}
	put_number(o, 5, l->is_folded);
}

static void put_function(struct out *o, uint32_t id, const struct function *f)
{
	put_message(o, PROFILE_FUNCTION,
		    len_always(id) + len_number(f->name) + len_number(f->system_name) +
		    len_number(f->filename) + len_number(f->start_line));
	put_always(o, 1, id);
	put_number(o, 2, f->name);
	put_number(o, 3, f->system_name);
	put_number(o, 4, f->filename);
	put_number(o, 5, f->start_line);
}

static void put_string(struct out *o, const char *s, size_t n)
{
	size_t good;

	put_message(o, PROFILE_STRING_TABLE, ddp__utf8_repaired_len(s, n));
	while (n) {
		good = ddp__utf8_valid(s, n);
		put_bytes(o, s, good);
		s += good;
		n -= good;
		if (n) {
			put_bytes(o, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
			good = ddp__utf8_bad(s, n);
			s += good;
			n -= good;
		}
	}
}

static void put_tables(struct out *o, const struct ddp_profile *p)
{
	uint32_t i;

	for (i = 0; i < p->value_types.nr; i++)
		put_value_type(o, PROFILE_SAMPLE_TYPE, p->value_types.at[i]);
	for (i = 1; i < p->mappings.nr; i++)
		put_mapping(o, i, &p->mappings.at[i]);
	for (i = 1; i < p->locations.nr; i++)
		put_location(o, i, &p->locations.at[i],
			     p->lines.at ? p->lines.at + p->locations.at[i].first_line : NULL);
	for (i = 1; i < p->functions.nr; i++)
		put_function(o, i, &p->functions.at[i]);
	for (i = 0; i < p->strings.nr; i++)
		put_string(o, p->string_bytes.at + p->strings.at[i].first, p->strings.at[i].nr);
}

static void put_comments(struct out *o, const struct ddp_profile *p)
{
	uint64_t body = 0;
	uint32_t i;

	if (!p->comments.nr)
		return;
	for (i = 0; i < p->comments.nr; i++)
		body += len_varint(p->comments.at[i]);
	put_message(o, PROFILE_COMMENT, body);
	for (i = 0; i < p->comments.nr; i++)
		put_varint(o, p->comments.at[i]);
}

/* A clock that went backwards, or a span of more than 292 years, is no duration. */
static int64_t duration_ns(int64_t start, int64_t end)
{
	int64_t d;

	return end < start || __builtin_sub_overflow(end, start, &d) ? 0 : d;
}

int ddp_pprof_encode(const struct ddp_profile *p, int64_t end_unix_ns,
		     ddp_write_fn write, void *ctx)
{
	struct out o;

	o.write = write;
	o.ctx = ctx;
	o.error = 0;
	o.total = 0;
	o.n = 0;
	put_samples(&o, p);
	put_tables(&o, p);
	put_number(&o, PROFILE_TIME_NANOS, p->start_unix_ns);
	put_number(&o, PROFILE_DURATION_NANOS, duration_ns(p->start_unix_ns, end_unix_ns));
	if (p->has_period_type)
		put_value_type(&o, PROFILE_PERIOD_TYPE, p->period_type);
	put_number(&o, PROFILE_PERIOD, p->period);
	put_comments(&o, p);
	flush(&o);
	return o.error;
}
