// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the profile builder. Input: a program of calls, one byte an operation and then what
 * it takes; names, numbers and ids come from small sets, so that things meet again, and ids from
 * before a reset and of other kinds are among them. Whatever is called: only the documented errors,
 * after which nothing has changed; a snapshot is what the profile was; what is encoded, whole or in
 * parts, is read again and has all samples; memory stays below the ceiling.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/pprof.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	NR_IDS = 16,		/* remembered at a time, of all kinds together */
	NR_HANDLES = 4,
	NR_VALUES = 3,		/* value types at most */
	NR_PARTS = 4,		/* frames, labels, lines, samples of a call at most */
	MAX_OPERATIONS = 400,
};

struct run {
	const uint8_t *at, *end;
	struct ddp_profile *p, *snapshot;
	struct ddp_strings *strings;
	uint32_t nr_values;
	uint32_t ids[NR_IDS], next_id;
	uint64_t handles[NR_HANDLES];
	size_t max_bytes;
};

/* The input: zeros when it is used up */

static uint8_t byte(struct run *r)
{
	return r->at < r->end ? *r->at++ : 0;
}

static int64_t number(struct run *r)
{
	static const int64_t edges[] = { 0, 1, -1, 2, 127, 128, INT64_MAX, INT64_MIN, 1LL << 40,
					 10000000, -300, INT64_MAX - 1, 3, 16384, 5, 1LL << 62 };
	uint8_t b = byte(r);

	return b < 128 ? edges[b % 16] : (int64_t)((uint64_t)byte(r) << b % 64);
}

static struct ddp_text text(struct run *r)
{
	static const struct ddp_text all[] = {
		{ NULL, 0 }, DDP_TEXT("a"), DDP_TEXT("main"), DDP_TEXT("local root span id"),
		DDP_TEXT("trace endpoint"), DDP_TEXT("end_timestamp_ns"), DDP_TEXT("GET /"),
		DDP_TEXT("\xff\xc3"), DDP_TEXT("b\0c"), DDP_TEXT("bytes"), DDP_TEXT("\xe2\x82"),
		DDP_TEXT("a name that is a little longer than the others, so that it is moved"),
	};

	return all[byte(r) % (sizeof(all) / sizeof(*all))];
}

/* An id of any kind, perhaps a fixed one, or one that never was */
static uint32_t id(struct run *r)
{
	uint8_t b = byte(r);

	if (b < 200)
		return r->ids[b % NR_IDS];
	return b < 250 ? b % 4 : b * 0x01010101u;
}

static void remember(struct run *r, int error, uint32_t new_id)
{
	if (!error)
		r->ids[r->next_id++ % NR_IDS] = new_id;
}

/* Operations: each gives the call's result */

static int op_string(struct run *r)
{
	struct ddp_text t = text(r);
	uint32_t new_id = 0;
	int e = ddp_profile_string(r->p, t.bytes, t.len, &new_id);

	remember(r, e, new_id);
	return e;
}

static int op_shared_string(struct run *r)
{
	uint64_t *handle = &r->handles[byte(r) % NR_HANDLES];
	struct ddp_text t = text(r);
	uint32_t new_id = 0;
	int e;

	if (byte(r) % 4 == 0 && *handle) {
		must(!ddp_strings_release(r->strings, *handle));
		e = ddp_profile_shared_string(r->p, *handle, &new_id);	/* perhaps not any more */
		*handle = 0;
	} else {
		if (!*handle)
			must(!ddp_strings_intern(r->strings, t.bytes, t.len, handle));
		e = ddp_profile_shared_string(r->p, *handle, &new_id);
	}
	remember(r, e, new_id);
	return e;
}

static int op_mapping(struct run *r)
{
	struct ddp_mapping m = {
		.start = (uint64_t)number(r), .limit = (uint64_t)number(r),
		.file_offset = (uint64_t)number(r), .filename = id(r), .build_id = id(r),
		.has_functions = byte(r) & 1,
	};
	uint32_t new_id = 0;
	int e = ddp_profile_mapping(r->p, &m, &new_id);

	remember(r, e, new_id);
	return e;
}

static int op_function(struct run *r)
{
	struct ddp_function f = { .name = id(r), .system_name = id(r), .filename = id(r),
				  .start_line = number(r) };
	uint32_t new_id = 0;
	int e = ddp_profile_function(r->p, &f, &new_id);

	remember(r, e, new_id);
	return e;
}

static int op_location(struct run *r)
{
	struct ddp_line lines[NR_PARTS];
	struct ddp_location l = { .mapping = id(r), .address = (uint64_t)number(r),
				  .lines = lines, .is_folded = byte(r) & 1 };
	uint32_t new_id = 0, i;
	int e;

	l.nr_lines = byte(r) % (NR_PARTS + 1);
	for (i = 0; i < l.nr_lines; i++)
		lines[i] = (struct ddp_line){ id(r), number(r) };
	e = ddp_profile_location(r->p, &l, &new_id);
	remember(r, e, new_id);
	return e;
}

/* So many ids, as a list */
static uint32_t some_ids(struct run *r, uint32_t *ret)
{
	uint32_t nr = byte(r) % (NR_PARTS + 1), i;

	for (i = 0; i < nr; i++)
		ret[i] = id(r);
	return nr;
}

static uint32_t some_labels(struct run *r, struct ddp_label *ret)
{
	uint32_t nr = byte(r) % (NR_PARTS + 1), i;
	uint8_t kind;

	for (i = 0; i < nr; i++) {
		kind = byte(r);
		ret[i] = (struct ddp_label){ .key = id(r) };
		if (kind & 1)
			ret[i].str = id(r);
		if (kind & 2)
			ret[i].num = number(r);
		if (kind & 4)
			ret[i].num_unit = id(r);
	}
	return nr;
}

static int op_stack(struct run *r)
{
	uint32_t locations[NR_PARTS], new_id = 0, nr = some_ids(r, locations);
	int e = ddp_profile_stack(r->p, locations, nr, &new_id);

	remember(r, e, new_id);
	return e;
}

static int op_label_set(struct run *r)
{
	struct ddp_label labels[NR_PARTS];
	uint32_t new_id = 0, nr = some_labels(r, labels);
	int e = ddp_profile_label_set(r->p, labels, nr, &new_id);

	remember(r, e, new_id);
	return e;
}

/* A sample with memory of its own for what it points to */
struct sample_parts {
	uint32_t locations[NR_PARTS];
	struct ddp_label labels[NR_PARTS];
	int64_t values[NR_VALUES + 1];
};

static struct ddp_sample some_sample(struct run *r, struct sample_parts *parts)
{
	uint8_t how = byte(r);
	struct ddp_sample s = { .locations = parts->locations, .labels = parts->labels,
				.values = parts->values };
	uint32_t i;

	s.nr_values = how & 0x80 && byte(r) & 1 ? byte(r) % (NR_VALUES + 2u) : r->nr_values;
	for (i = 0; i < s.nr_values; i++)
		parts->values[i] = number(r);
	if (how & 1)
		s.stack = id(r);
	if (!(how & 1) || how & 2)
		s.nr_locations = some_ids(r, parts->locations);
	if (how & 4)
		s.label_set = id(r);
	if (!(how & 4) || how & 8)
		s.nr_labels = some_labels(r, parts->labels);
	if (how & 16)
		s.timestamp_ns = number(r);
	return s;
}

static int op_add(struct run *r)
{
	struct sample_parts parts;
	struct ddp_sample s = some_sample(r, &parts);

	return ddp_profile_add(r->p, &s);
}

static size_t nr_samples(const struct ddp_profile *p)
{
	struct ddp_profile_counts c;

	ddp_profile_count(p, &c);
	return c.samples;
}

/* Up to the one that fails they went in, and that is no change that an error must not make. */
static int op_add_many(struct run *r)
{
	struct sample_parts parts[NR_PARTS];
	struct ddp_sample samples[NR_PARTS];
	size_t nr = byte(r) % (NR_PARTS + 1), added = 77, before = nr_samples(r->p), i;
	int e;

	for (i = 0; i < nr; i++)
		samples[i] = some_sample(r, &parts[i]);
	e = ddp_profile_add_many(r->p, samples, nr, &added);
	must(e ? added < nr : added == nr);
	must(nr_samples(r->p) <= before + added);
	return added ? 0 : e;
}

static void some_frames(struct run *r, struct ddp_text_frame *ret, uint32_t nr,
			const struct ddp_text_mapping *mapping)
{
	uint32_t i;
	uint8_t how;

	for (i = 0; i < nr; i++) {
		how = byte(r);
		ret[i] = (struct ddp_text_frame){
			.function = text(r), .line = number(r), .inlined = how & 1 && i + 1 < nr,
			.mapping = how & 2 ? mapping : NULL,
		};
		if (how & 4)
			ret[i].system_name = text(r);
		if (how & 8)
			ret[i].file = text(r);
		if (how & 16)
			ret[i].address = (uint64_t)number(r);
		if (how & 128)
			ret[i].inlined = true;	/* perhaps into nothing */
	}
}

static void some_text_labels(struct run *r, struct ddp_text_label *ret, uint32_t nr)
{
	uint32_t i;
	uint8_t kind;

	for (i = 0; i < nr; i++) {
		kind = byte(r);
		ret[i] = (struct ddp_text_label){ .key = text(r) };
		if (kind & 1)
			ret[i].str = text(r);
		if (kind & 2)
			ret[i].num = number(r);
		if (kind & 4)
			ret[i].num_unit = text(r);
	}
}

static int op_add_text(struct run *r)
{
	struct ddp_text_mapping mapping = { .start = (uint64_t)number(r), .filename = text(r),
					    .build_id = text(r) };
	struct ddp_text_frame frames[NR_PARTS];
	struct ddp_text_label labels[NR_PARTS];
	int64_t values[NR_VALUES];
	struct ddp_text_sample s = { .frames = frames, .values = values, .labels = labels };
	uint32_t i;

	s.nr_frames = byte(r) % (NR_PARTS + 1);
	some_frames(r, frames, s.nr_frames, &mapping);
	s.nr_labels = byte(r) % (NR_PARTS + 1);
	some_text_labels(r, labels, s.nr_labels);
	s.nr_values = r->nr_values;
	for (i = 0; i < s.nr_values; i++)
		values[i] = number(r);
	if (byte(r) & 1)
		s.timestamp_ns = number(r);
	return ddp_profile_add_text(r->p, &s);
}

static int op_comment(struct run *r)
{
	struct ddp_text t = text(r);

	return ddp_profile_comment(r->p, t.bytes ? t.bytes : "");
}

static int op_endpoint(struct run *r)
{
	uint64_t span = (uint64_t)number(r);

	return ddp_profile_endpoint(r->p, span, id(r));
}

static int op_endpoint_count(struct run *r)
{
	uint32_t endpoint = id(r);

	return ddp_profile_endpoint_count(r->p, endpoint, number(r));
}

static int op_upscale(struct run *r)
{
	static const double scales[] = { 1, 2.7, 0, -1, 1e300, 1e-300, 0.5, 1e19 };
	uint32_t offsets[NR_PARTS], i;
	struct ddp_upscaling_rule rule = { .kind = byte(r) % 5, .offsets = offsets };

	rule.nr_offsets = byte(r) % (NR_PARTS + 1);
	for (i = 0; i < rule.nr_offsets; i++)
		offsets[i] = byte(r) % (NR_VALUES + 1);
	if (byte(r) & 1) {
		rule.label_key = id(r);
		rule.label_str = id(r);
	}
	rule.sum = byte(r) % (NR_VALUES + 1);
	rule.count_at = byte(r) % (NR_VALUES + 1);
	rule.count = (uint64_t)number(r);
	rule.distance = (uint64_t)number(r);
	rule.scale = byte(r) == 255 ? __builtin_nan("") : scales[byte(r) % 8];
	return ddp_profile_upscale(r->p, &rule);
}

/* Looking at what there is */

static struct ddp_buffer encode(const struct ddp_profile *p)
{
	struct ddp_buffer b = { 0 };

	must(!ddp_pprof_encode(p, 1000, ddp_buffer_write, &b));
	return b;
}

static void must_have(const void *bytes, size_t n, size_t samples)
{
	struct ddp_error err = { "" };
	struct ddp_pprof *f;

	if (ddp_pprof_load(bytes, n, NULL, &f, &err)) {
		fprintf(stderr, "what was encoded is refused: %s\n", err.text);
		abort();
	}
	must(f->nr_samples == samples);
	ddp_pprof_destroy(f);
}

static void must_be_good(const struct ddp_profile *p)
{
	struct ddp_endpoint_count count;
	struct ddp_profile_counts c;
	struct ddp_buffer b = encode(p);
	size_t i;

	must_have(b.bytes, b.len, nr_samples(p));
	ddp_buffer_free(&b);
	ddp_profile_count(p, &c);
	for (i = 0; i < c.endpoint_counts; i++)
		must(!ddp_profile_endpoint_count_at(p, i, &count) && !count.endpoint[count.len]);
	must(ddp_profile_endpoint_count_at(p, i, &count) == -ENOENT);
}

struct parts_seen {
	size_t parts, samples;
	size_t max_bytes;
};

static int see_part(void *ctx, const struct ddp_pprof_part *part)
{
	struct parts_seen *seen = ctx;

	must(part->number == seen->parts++ && part->number < part->nr);
	must(part->first_sample == seen->samples);
	must(part->n <= seen->max_bytes);
	must_have(part->bytes, part->n, part->nr_samples);
	seen->samples += part->nr_samples;
	return 0;
}

static int op_parts(struct run *r)
{
	static const size_t limits[] = { 100, 300, 1000, 100000 };
	struct ddp_pprof_parts parts = { .compression = byte(r) % 4,
					 .max_bytes = limits[byte(r) % 4] };
	struct parts_seen seen = { .max_bytes = parts.max_bytes };
	struct ddp_error err = { "" };
	int e = ddp_pprof_encode_parts(r->p, 1000, &parts, see_part, &seen, &err);

	if (e)
		must(e == -EFBIG && *err.text && !seen.parts);
	else
		must(seen.parts && seen.samples == nr_samples(r->p));
	return 0;
}

static int op_reset(struct run *r)
{
	struct ddp_buffer before = encode(r->p), after;
	struct ddp_profile *old = NULL;
	uint8_t keep = byte(r);
	int e = ddp_profile_reset(r->p, byte(r), keep & 1 ? &old : NULL);

	if (!e && old) {
		after = encode(old);
		must(before.len == after.len && !memcmp(before.bytes, after.bytes, after.len));
		ddp_buffer_free(&after);
		must(ddp_profile_comment(old, "x") == -EROFS);
		ddp_profile_destroy(r->snapshot);
		r->snapshot = old;
	}
	must(e || !nr_samples(r->p));
	ddp_buffer_free(&before);
	return e;
}

static int op_look(struct run *r)
{
	must_be_good(r->p);
	return 0;
}

static int (*const operations[])(struct run *) = {
	op_string, op_shared_string, op_mapping, op_function, op_location, op_stack, op_label_set,
	op_add, op_add, op_add_many, op_add_text, op_add_text, op_comment, op_endpoint,
	op_endpoint_count, op_upscale, op_parts, op_reset, op_look,
};

static bool is_documented(int e)
{
	static const int errors[] = { 0, -EINVAL, -EEXIST, -EPERM, -ESTALE, -ENOSPC };
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (e == errors[i])
			return true;
	return false;
}

/* All but bytes: room that was made may stay. */
static bool same_counts(const struct ddp_profile_counts *a, const struct ddp_profile_counts *b)
{
	struct ddp_profile_counts x = *a, y = *b;

	x.bytes = y.bytes = 0;
	return !memcmp(&x, &y, sizeof(x));
}

static void step(struct run *r)
{
	uint8_t op = byte(r);
	bool look = op & 0x80;	/* at all that would be encoded as well */
	struct ddp_profile_counts before = { 0 }, after = { 0 };
	struct ddp_buffer was = { 0 }, is = { 0 };
	int e;

	ddp_profile_count(r->p, &before);
	if (look)
		was = encode(r->p);
	e = operations[op % 0x80 % (sizeof(operations) / sizeof(*operations))](r);
	must(is_documented(e));
	ddp_profile_count(r->p, &after);
	must(!r->max_bytes || after.bytes <= r->max_bytes);
	must(r->max_bytes || e != -ENOSPC);
	if (e) {
		must(same_counts(&before, &after));
		if (look) {
			is = encode(r->p);
			must(was.len == is.len && !memcmp(was.bytes, is.bytes, is.len));
		}
	}
	ddp_buffer_free(&was);
	ddp_buffer_free(&is);
}

static int start(struct run *r)
{
	static const struct ddp_value_type types[NR_VALUES] = {
		{ DDP_CPU_SAMPLES }, { DDP_CPU_TIME }, { "a", NULL },
	};
	uint8_t b = byte(r);
	struct ddp_profile_config c = { .value_types = types, .strings = r->strings,
					.omit_local_root_span_id = b & 1 };

	c.nr_value_types = r->nr_values = 1 + b / 2 % NR_VALUES;
	if (b & 16)
		c.period_type = types[1];
	c.max_bytes = r->max_bytes = b & 32 ? 1000u * byte(r) : 0;
	return ddp_profile_create(&c, &r->p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .at = data, .end = data + size };
	int e, i;

	must(!ddp_strings_create(0, &r.strings));
	e = start(&r);
	must(!e || (e == -ENOSPC && r.max_bytes));
	for (i = 0; !e && i < MAX_OPERATIONS && r.at < r.end; i++)
		step(&r);
	if (!e)
		must_be_good(r.p);
	if (r.snapshot)
		must_be_good(r.snapshot);
	if (!e)
		ddp_profile_destroy(r.p);
	ddp_profile_destroy(r.snapshot);
	ddp_strings_unref(r.strings);
	return 0;
}
