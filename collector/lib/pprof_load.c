// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a pprof file: decompress under a ceiling, check the outer structure with positions, let
 * protobuf-c take the message apart with memory from a budget, then resolve every id and index
 * into the plain structs of pprof.h. After that a reader of the result can follow any pointer.
 * The file is hostile: nothing in it is trusted before it is checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/compress.h"
#include "pprof_memory.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile pb_profile;
typedef Perftools__Profiles__ValueType pb_value_type;
typedef Perftools__Profiles__Sample pb_sample;
typedef Perftools__Profiles__Label pb_label;
typedef Perftools__Profiles__Mapping pb_mapping;
typedef Perftools__Profiles__Location pb_location;
typedef Perftools__Profiles__Function pb_function;

#define DEFAULT_DECOMPRESSED_BYTES ((size_t)256 << 20)
#define DEFAULT_MEMORY_BYTES ((size_t)2 << 30)

/* Ids of one table, sorted, so that references are found by bisection. */
struct id_entry {
	uint64_t id;
	size_t index;
};

struct id_map {
	struct id_entry *entries;
	size_t nr;
};

struct loader {
	struct pprof_memory *l;
	const pb_profile *pb;
	struct ddp_error *err;
	struct id_map mapping_ids, function_ids, location_ids;
};

DEFINE_CLEANUP_IN_PLACE(struct ddp_buffer, ddp_buffer_free)

/* The outer structure: are the fields of the message whole, and where is the first that is not */

struct cursor {
	const unsigned char *bytes;
	size_t at, n;
};

static int cursor_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned int shift;

	for (shift = 0; shift < 64 && c->at < c->n; shift += 7) {
		unsigned char b = c->bytes[c->at++];

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static int cursor_skip(struct cursor *c, uint64_t n)
{
	if (n > c->n - c->at)
		return -EBADMSG;
	c->at += n;
	return 0;
}

static int cursor_field(struct cursor *c, uint64_t *tag)
{
	uint64_t v;
	int r = cursor_varint(c, tag);

	if (r || !(*tag >> 3))
		return -EBADMSG;
	switch (*tag & 7) {
	case 0:
		return cursor_varint(c, &v);
	case 1:
		return cursor_skip(c, 8);
	case 2:
		r = cursor_varint(c, &v);
		return r ? r : cursor_skip(c, v);
	case 5:
		return cursor_skip(c, 4);
	}
	return -EBADMSG;
}

static int check_outer(const struct ddp_buffer *b, struct ddp_error *err)
{
	struct cursor c = { b->bytes, 0, b->len };
	uint64_t tag = 0;
	size_t start;

	if (!b->len)
		return ddp__fail(err, -EBADMSG, "the file is empty");
	while (c.at < c.n) {
		start = c.at;
		if (cursor_field(&c, &tag))
			return ddp__fail(err, -EBADMSG,
					 "not a pprof file, or cut short: bad field at byte %zu",
					 start);
	}
	return 0;
}

/* Ids */

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct id_entry *)a)->id, y = ((const struct id_entry *)b)->id;

	return x < y ? -1 : x > y;
}

static int id_map_sort(struct id_map *m, const char *what, struct ddp_error *err)
{
	size_t i;

	for (i = 0; i + 1 < m->nr; i++)
		if (m->entries[i].id >= m->entries[i + 1].id)
			break;
	if (i + 1 < m->nr)
		qsort(m->entries, m->nr, sizeof(*m->entries), compare_ids);
	for (i = 0; i < m->nr; i++) {
		if (!m->entries[i].id)
			return ddp__fail(err, -EBADMSG, "a %s has id 0", what);
		if (i && m->entries[i].id == m->entries[i - 1].id)
			return ddp__fail(err, -EBADMSG, "two %ss have id %llu", what,
					 (unsigned long long)m->entries[i].id);
	}
	return 0;
}

static const struct id_entry *id_map_find(const struct id_map *m, uint64_t id)
{
	struct id_entry key = { .id = id };

	if (id && id <= m->nr && m->entries[id - 1].id == id)
		return &m->entries[id - 1];
	return m->nr ? bsearch(&key, m->entries, m->nr, sizeof(key), compare_ids) : NULL;
}

/* The index of every id, for a table of messages that have an id */
#define ID_MAP_FILL(ld, map, nr_pb, pb_array, what)					\
	({										\
		size_t i_;								\
		(map)->nr = (nr_pb);							\
		(map)->entries = PPROF_ARRAY((ld)->l, (nr_pb), struct id_entry);		\
		for (i_ = 0; (map)->entries && i_ < (nr_pb); i_++)			\
			(map)->entries[i_] = (struct id_entry){ (pb_array)[i_]->id, i_ }; \
		(map)->entries ? id_map_sort((map), (what), (ld)->err) : -ENOMEM;	\
	})

static int get_string(const struct loader *ld, int64_t index, const char *what, const char **ret)
{
	*ret = "";
	if (!index)
		return 0;
	if (index < 0 || (uint64_t)index >= ld->pb->n_string_table)
		return ddp__fail(ld->err, -EBADMSG, "%s is string %lld of %zu", what,
				 (long long)index, ld->pb->n_string_table);
	*ret = ld->pb->string_table[index];
	return 0;
}

/* Tables. A NULL from ddp__pprof_array() travels up as -ENOMEM; ddp_pprof_load() knows why. */

static int load_value_type(const struct loader *ld, const pb_value_type *in,
			   struct ddp_value_type *ret)
{
	int r = get_string(ld, in->type, "a value type's name", &ret->type);

	return r ? r : get_string(ld, in->unit, "a value type's unit", &ret->unit);
}

static int load_value_types(struct loader *ld)
{
	struct ddp_pprof *v = &ld->l->view;
	struct ddp_value_type *types = PPROF_ARRAY(ld->l, ld->pb->n_sample_type, __typeof__(*types));
	size_t i;
	int r;

	if (!types)
		return -ENOMEM;
	for (i = 0; i < ld->pb->n_sample_type; i++) {
		r = load_value_type(ld, ld->pb->sample_type[i], &types[i]);
		if (r)
			return r;
	}
	v->sample_types = types;
	v->nr_sample_types = ld->pb->n_sample_type;
	return ld->pb->period_type ?
		load_value_type(ld, ld->pb->period_type, &v->period_type) : 0;
}

static int load_mapping(const struct loader *ld, const pb_mapping *in,
			struct ddp_pprof_mapping *ret)
{
	int r;

	*ret = (struct ddp_pprof_mapping){
		.id = in->id, .start = in->memory_start, .limit = in->memory_limit,
		.file_offset = in->file_offset,
		.has_functions = in->has_functions, .has_filenames = in->has_filenames,
		.has_line_numbers = in->has_line_numbers,
		.has_inline_frames = in->has_inline_frames,
	};
	r = get_string(ld, in->filename, "a mapping's file name", &ret->filename);
	return r ? r : get_string(ld, in->build_id, "a mapping's build-id", &ret->build_id);
}

static int load_mappings(struct loader *ld)
{
	size_t i, nr = ld->pb->n_mapping;
	struct ddp_pprof_mapping *m = PPROF_ARRAY(ld->l, nr, __typeof__(*m));
	int r;

	if (!m)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_mapping(ld, ld->pb->mapping[i], &m[i]);
		if (r)
			return r;
	}
	ld->l->view.mappings = m;
	ld->l->view.nr_mappings = nr;
	return ID_MAP_FILL(ld, &ld->mapping_ids, nr, ld->pb->mapping, "mapping");
}

static int load_function(const struct loader *ld, const pb_function *in,
			 struct ddp_pprof_function *ret)
{
	int r;

	*ret = (struct ddp_pprof_function){ .id = in->id, .start_line = in->start_line };
	if ((r = get_string(ld, in->name, "a function's name", &ret->name)) ||
	    (r = get_string(ld, in->system_name, "a function's system name", &ret->system_name)))
		return r;
	return get_string(ld, in->filename, "a function's file name", &ret->filename);
}

static int load_functions(struct loader *ld)
{
	size_t i, nr = ld->pb->n_function;
	struct ddp_pprof_function *f = PPROF_ARRAY(ld->l, nr, __typeof__(*f));
	int r;

	if (!f)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_function(ld, ld->pb->function[i], &f[i]);
		if (r)
			return r;
	}
	ld->l->view.functions = f;
	ld->l->view.nr_functions = nr;
	return ID_MAP_FILL(ld, &ld->function_ids, nr, ld->pb->function, "function");
}

static int load_lines(const struct loader *ld, const pb_location *in,
		      struct ddp_pprof_location *ret)
{
	struct ddp_pprof_line *lines;
	const struct id_entry *e;
	size_t i;

	if (in->n_line > DDP_PPROF_MAX_LINES)
		return ddp__fail(ld->err, -EFBIG, "location %llu has %zu lines, allowed are %d",
				 (unsigned long long)in->id, in->n_line, DDP_PPROF_MAX_LINES);
	lines = PPROF_ARRAY(ld->l, in->n_line, __typeof__(*lines));
	if (!lines)
		return -ENOMEM;
	for (i = 0; i < in->n_line; i++) {
		lines[i].line = in->line[i]->line;
		lines[i].column = in->line[i]->column;
		if (!in->line[i]->function_id)
			continue;
		e = id_map_find(&ld->function_ids, in->line[i]->function_id);
		if (!e)
			return ddp__fail(ld->err, -EBADMSG, "location %llu names function %llu, "
					 "which is not there", (unsigned long long)in->id,
					 (unsigned long long)in->line[i]->function_id);
		lines[i].function = &ld->l->view.functions[e->index];
	}
	ret->lines = lines;
	ret->nr_lines = in->n_line;
	return 0;
}

static int load_location(const struct loader *ld, const pb_location *in,
			 struct ddp_pprof_location *ret)
{
	const struct id_entry *e;

	ret->id = in->id;
	ret->address = in->address;
	ret->is_folded = in->is_folded;
	if (in->mapping_id) {
		e = id_map_find(&ld->mapping_ids, in->mapping_id);
		if (!e)
			return ddp__fail(ld->err, -EBADMSG, "location %llu names mapping %llu, "
					 "which is not there", (unsigned long long)in->id,
					 (unsigned long long)in->mapping_id);
		ret->mapping = &ld->l->view.mappings[e->index];
	}
	return load_lines(ld, in, ret);
}

static int load_locations(struct loader *ld)
{
	size_t i, nr = ld->pb->n_location;
	struct ddp_pprof_location *loc = PPROF_ARRAY(ld->l, nr, __typeof__(*loc));
	int r;

	if (!loc)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		loc[i].index = i;
		r = load_location(ld, ld->pb->location[i], &loc[i]);
		if (r)
			return r;
	}
	ld->l->view.locations = loc;
	ld->l->view.nr_locations = nr;
	return ID_MAP_FILL(ld, &ld->location_ids, nr, ld->pb->location, "location");
}

/* Samples */

/* What has both is a string, as pprof's own tool takes it; an empty string is none. */
static int load_label(const struct loader *ld, const pb_label *in, struct ddp_pprof_label *ret)
{
	int r;

	if ((r = get_string(ld, in->key, "a label's key", &ret->key)) ||
	    (r = get_string(ld, in->str, "a label's value", &ret->str)) ||
	    (r = get_string(ld, in->num_unit, "a label's unit", &ret->num_unit)))
		return r;
	ret->num = in->num;
	if (!*ret->str) {
		ret->str = NULL;
	} else {
		ret->num = 0;
		ret->num_unit = "";
	}
	return 0;
}

static int load_labels(const struct loader *ld, const pb_sample *in, struct ddp_pprof_sample *ret)
{
	struct ddp_pprof_label *labels = PPROF_ARRAY(ld->l, in->n_label, __typeof__(*labels));
	size_t i;
	int r;

	if (!labels)
		return -ENOMEM;
	for (i = 0; i < in->n_label; i++) {
		r = load_label(ld, in->label[i], &labels[i]);
		if (r)
			return r;
	}
	ret->labels = labels;
	ret->nr_labels = in->n_label;
	return 0;
}

static int load_stack(const struct loader *ld, const pb_sample *in, struct ddp_pprof_sample *ret)
{
	const struct ddp_pprof_location **stack;
	const struct id_entry *e;
	size_t i;

	if (in->n_location_id > DDP_PPROF_MAX_FRAMES)
		return ddp__fail(ld->err, -EFBIG, "a sample has %zu frames, allowed are %d",
				 in->n_location_id, DDP_PPROF_MAX_FRAMES);
	stack = PPROF_ARRAY(ld->l, in->n_location_id, const struct ddp_pprof_location *);
	if (!stack)
		return -ENOMEM;
	for (i = 0; i < in->n_location_id; i++) {
		e = id_map_find(&ld->location_ids, in->location_id[i]);
		if (!e)
			return ddp__fail(ld->err, -EBADMSG, "a sample names location %llu, "
					 "which is not there",
					 (unsigned long long)in->location_id[i]);
		stack[i] = &ld->l->view.locations[e->index];
	}
	ret->locations = stack;
	ret->nr_locations = in->n_location_id;
	return 0;
}

static int load_sample(const struct loader *ld, const pb_sample *in, struct ddp_pprof_sample *ret)
{
	int r;

	if (!ld->pb->n_sample_type || in->n_value != ld->pb->n_sample_type)
		return ddp__fail(ld->err, -EBADMSG, "a sample has %zu values, the profile %zu "
				 "value types", in->n_value, ld->pb->n_sample_type);
	ret->values = in->value;
	r = load_stack(ld, in, ret);
	return r ? r : load_labels(ld, in, ret);
}

static int load_samples(struct loader *ld)
{
	size_t i, nr = ld->pb->n_sample;
	struct ddp_pprof_sample *s = PPROF_ARRAY(ld->l, nr, __typeof__(*s));
	int r;

	if (!s)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_sample(ld, ld->pb->sample[i], &s[i]);
		if (r)
			return r;
	}
	ld->l->view.samples = s;
	ld->l->view.nr_samples = nr;
	return 0;
}

static int load_comments(struct loader *ld)
{
	size_t i, nr = ld->pb->n_comment;
	const char **comments = PPROF_ARRAY(ld->l, nr, const char *);
	int r;

	if (!comments)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = get_string(ld, ld->pb->comment[i], "a comment", &comments[i]);
		if (r)
			return r;
	}
	ld->l->view.comments = comments;
	ld->l->view.nr_comments = nr;
	return 0;
}

static int load_scalars(struct loader *ld)
{
	const pb_profile *pb = ld->pb;
	struct ddp_pprof *v = &ld->l->view;
	int r;

	v->period = pb->period;
	v->time_unix_ns = pb->time_nanos;
	v->duration_ns = pb->duration_nanos;
	if ((r = get_string(ld, pb->default_sample_type, "the default sample type",
			    &v->default_sample_type)) ||
	    (r = get_string(ld, pb->drop_frames, "drop_frames", &v->drop_frames)) ||
	    (r = get_string(ld, pb->keep_frames, "keep_frames", &v->keep_frames)))
		return r;
	return get_string(ld, pb->doc_url, "the document's URL", &v->doc_url);
}

static int load_view(struct loader *ld)
{
	int r;

	if (ld->pb->n_string_table && *ld->pb->string_table[0])
		return ddp__fail(ld->err, -EBADMSG, "the first string is not empty");
	if ((r = load_value_types(ld)) || (r = load_mappings(ld)) || (r = load_functions(ld)) ||
	    (r = load_locations(ld)) || (r = load_samples(ld)) || (r = load_comments(ld)))
		return r;
	return load_scalars(ld);
}

static int unpack(struct pprof_memory *l, const struct ddp_buffer *b, struct ddp_error *err)
{
	l->message = protobuf_c_message_unpack(&perftools__profiles__profile__descriptor,
					       &l->allocator, b->len, b->bytes);
	if (l->message)
		return 0;
	if (l->error)
		return -ENOMEM;
	return ddp__fail(err, -EBADMSG, "not a pprof file, or damaged inside a field");
}

static int inflate_file(const void *bytes, size_t n, size_t max, struct ddp_buffer *ret,
			struct ddp_error *err)
{
	const char *format = ddp_compression_name(ddp_compression_detect(bytes, n));
	int r = ddp_decompress(bytes, n, max, ddp_buffer_write, ret);

	switch (r) {
	case -EFBIG:
		return ddp__fail(err, r, "holds more than the allowed %zu MiB", max >> 20);
	case -ENODATA:
		return ddp__fail(err, -EBADMSG, "the %s data is cut short", format);
	case -EBADMSG:
		return ddp__fail(err, r, "the %s data is damaged", format);
	case -ENOMEM:
		return ddp__fail(err, r, "out of memory");
	}
	return r;
}

int ddp_pprof_load(const void *bytes, size_t n, const struct ddp_pprof_limits *limits,
		   struct ddp_pprof **ret, struct ddp_error *err)
{
	static const struct ddp_pprof_limits no_limits;
	const struct ddp_pprof_limits *lim = limits ? limits : &no_limits;
	size_t max = lim->max_decompressed_bytes ?: DEFAULT_DECOMPRESSED_BYTES;
	CLEANUP(ddp_buffer_free) struct ddp_buffer plain = { 0 };
	CLEANUP(ddp__pprof_memory_free) struct pprof_memory *l = NULL;
	struct loader ld = { .err = err };
	int r;

	if ((r = inflate_file(bytes, n, max, &plain, err)) || (r = check_outer(&plain, err)))
		return r;
	l = ddp__pprof_memory_create(lim->max_memory_bytes ?: DEFAULT_MEMORY_BYTES);
	if (!l)
		return ddp__fail(err, -ENOMEM, "out of memory");
	r = unpack(l, &plain, err);
	if (!r) {
		ld.l = l;
		ld.pb = (const pb_profile *)l->message;
		r = load_view(&ld);
	}
	if (r)
		return l->error ? ddp__pprof_memory_error(l, err) : r;
	*ret = &TAKE(l)->view;
	return 0;
}
