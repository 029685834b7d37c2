// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a pprof file: decompress under a ceiling, check the outer structure with positions, let
 * protobuf-c take the message apart with memory from a budget, then resolve every id and index
 * into the plain structs of pprof.h. After that a reader of the result can follow any pointer.
 * The file is hostile: nothing in it is trusted before it is checked.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddprof/compress.h"
#include "ddprof/record.h"
#include "decompress.h"
#include "pprof_check.h"
#include "pprof_memory.h"
#include "profile.pb-c.h"
#include "utf8.h"

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
	const struct pprof_bytes *bytes;
	struct ddp_error *err;
	struct id_map mapping_ids, function_ids, location_ids;
};

DEFINE_CLEANUP(struct ddp_decompressor *, ddp_decompressor_destroy)

/* Errors about an element of a table say where it is. */

/* An element of the profile: @index-th of @field */
struct place {
	enum ddp_profile_field field;
	size_t index;
};

static __attribute__((format(printf, 4, 5)))
int bad(const struct loader *ld, int r, struct place at, const char *format, ...)
{
	static const char *const names[] = {
		[DDP_PROFILE_SAMPLE_TYPE] = "value type", [DDP_PROFILE_SAMPLE] = "sample",
		[DDP_PROFILE_MAPPING] = "mapping", [DDP_PROFILE_LOCATION] = "location",
		[DDP_PROFILE_FUNCTION] = "function", [DDP_PROFILE_DROP_FRAMES] = "drop_frames",
		[DDP_PROFILE_KEEP_FRAMES] = "keep_frames",
		[DDP_PROFILE_PERIOD_TYPE] = "period type", [DDP_PROFILE_COMMENT] = "comment",
		[DDP_PROFILE_DEFAULT_SAMPLE_TYPE] = "default sample type",
		[DDP_PROFILE_DOC_URL] = "document URL",
	};
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return ddp__fail(ld->err, r, "the %s at byte %zu%s %s", names[at.field],
			 ddp__pprof_position(ld->bytes, at.field, at.index),
			 pprof_position_kind(ld->bytes), text);
}

/* Ids */

static int compare_ids(const void *a, const void *b)
{
	const struct id_entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* By bisection only the id counts. */
static int compare_key(const void *key, const void *entry)
{
	uint64_t id = *(const uint64_t *)key, other = ((const struct id_entry *)entry)->id;

	return id < other ? -1 : id > other;
}

static int id_map_sort(const struct loader *ld, struct id_map *m, enum ddp_profile_field field)
{
	size_t i;

	for (i = 0; i + 1 < m->nr; i++)
		if (m->entries[i].id >= m->entries[i + 1].id)
			break;
	if (i + 1 < m->nr)
		qsort(m->entries, m->nr, sizeof(*m->entries), compare_ids);
	for (i = 0; i < m->nr; i++) {
		struct place at = { field, m->entries[i].index };

		if (!m->entries[i].id)
			return bad(ld, -EBADMSG, at, "has id 0");
		if (i && m->entries[i].id == m->entries[i - 1].id)
			return bad(ld, -EBADMSG, at, "has id %llu, as another one has",
				   (unsigned long long)m->entries[i].id);
	}
	return 0;
}

static const struct id_entry *id_map_find(const struct id_map *m, uint64_t id)
{
	if (id && id <= m->nr && m->entries[id - 1].id == id)
		return &m->entries[id - 1];
	return m->nr ? bsearch(&id, m->entries, m->nr, sizeof(*m->entries), compare_key) : NULL;
}

/* The index of every id, for a table of messages that have an id */
#define ID_MAP_FILL(ld, map, nr_pb, pb_array, field)					\
	({										\
		size_t i_;								\
		(map)->nr = (nr_pb);							\
		(map)->entries = PPROF_ARRAY((ld)->l, (nr_pb), struct id_entry);	\
		for (i_ = 0; (map)->entries && i_ < (nr_pb); i_++)			\
			(map)->entries[i_] = (struct id_entry){ (pb_array)[i_]->id, i_ }; \
		(map)->entries ? id_map_sort((ld), (map), (field)) : -ENOMEM;		\
	})

static int get_string(const struct loader *ld, struct place at, int64_t index, const char **ret)
{
	if (index < 0 || (uint64_t)index >= ld->pb->n_string_table)
		return bad(ld, -EBADMSG, at, "refers to string %lld of %zu", (long long)index,
			   ld->pb->n_string_table);
	*ret = ld->pb->string_table[index];
	return 0;
}

/* Tables. A NULL from ddp__pprof_array() travels up as -ENOMEM; ddp_pprof_load() knows why. */

static int load_value_type(const struct loader *ld, struct place at, const pb_value_type *in,
			   struct ddp_value_type *ret)
{
	int r = get_string(ld, at, in->type, &ret->type);

	return r ? r : get_string(ld, at, in->unit, &ret->unit);
}

static int load_value_types(struct loader *ld)
{
	struct ddp_pprof *v = &ld->l->view;
	struct ddp_value_type *types;
	struct place at = { DDP_PROFILE_SAMPLE_TYPE, DDP_PPROF_MAX_VALUE_TYPES };
	size_t i, nr = ld->pb->n_sample_type;
	int r;

	if (nr > DDP_PPROF_MAX_VALUE_TYPES)
		return bad(ld, -EFBIG, at, "is one of %zu, allowed are %d", nr,
			   DDP_PPROF_MAX_VALUE_TYPES);
	types = PPROF_ARRAY(ld->l, nr, __typeof__(*types));
	if (!types)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		at.index = i;
		r = load_value_type(ld, at, ld->pb->sample_type[i], &types[i]);
		if (r)
			return r;
	}
	v->sample_types = types;
	v->nr_sample_types = nr;
	at = (struct place){ DDP_PROFILE_PERIOD_TYPE, 0 };
	return ld->pb->period_type ?
		load_value_type(ld, at, ld->pb->period_type, &v->period_type) : 0;
}

static int load_mapping(const struct loader *ld, size_t index, const pb_mapping *in,
			struct ddp_pprof_mapping *ret)
{
	struct place at = { DDP_PROFILE_MAPPING, index };
	int r;

	*ret = (struct ddp_pprof_mapping){
		.id = in->id, .start = in->memory_start, .limit = in->memory_limit,
		.file_offset = in->file_offset,
		.has_functions = in->has_functions, .has_filenames = in->has_filenames,
		.has_line_numbers = in->has_line_numbers,
		.has_inline_frames = in->has_inline_frames,
	};
	r = get_string(ld, at, in->filename, &ret->filename);
	return r ? r : get_string(ld, at, in->build_id, &ret->build_id);
}

static int load_mappings(struct loader *ld)
{
	size_t i, nr = ld->pb->n_mapping;
	struct ddp_pprof_mapping *m = PPROF_ARRAY(ld->l, nr, __typeof__(*m));
	int r;

	if (!m)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_mapping(ld, i, ld->pb->mapping[i], &m[i]);
		if (r)
			return r;
	}
	ld->l->view.mappings = m;
	ld->l->view.nr_mappings = nr;
	return ID_MAP_FILL(ld, &ld->mapping_ids, nr, ld->pb->mapping,
			   DDP_PROFILE_MAPPING);
}

static int load_function(const struct loader *ld, size_t index, const pb_function *in,
			 struct ddp_pprof_function *ret)
{
	struct place at = { DDP_PROFILE_FUNCTION, index };
	int r;

	*ret = (struct ddp_pprof_function){ .id = in->id, .start_line = in->start_line };
	if ((r = get_string(ld, at, in->name, &ret->name)) ||
	    (r = get_string(ld, at, in->system_name, &ret->system_name)))
		return r;
	return get_string(ld, at, in->filename, &ret->filename);
}

static int load_functions(struct loader *ld)
{
	size_t i, nr = ld->pb->n_function;
	struct ddp_pprof_function *f = PPROF_ARRAY(ld->l, nr, __typeof__(*f));
	int r;

	if (!f)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_function(ld, i, ld->pb->function[i], &f[i]);
		if (r)
			return r;
	}
	ld->l->view.functions = f;
	ld->l->view.nr_functions = nr;
	return ID_MAP_FILL(ld, &ld->function_ids, nr, ld->pb->function,
			   DDP_PROFILE_FUNCTION);
}

static int load_lines(const struct loader *ld, const pb_location *in,
		      struct ddp_pprof_location *ret)
{
	struct place at = { DDP_PROFILE_LOCATION, ret->index };
	struct ddp_pprof_line *lines;
	const struct id_entry *e;
	size_t i;

	if (in->n_line > DDP_PPROF_MAX_LINES)
		return bad(ld, -EFBIG, at, "has %zu lines, allowed are %d", in->n_line,
			   DDP_PPROF_MAX_LINES);
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
			return bad(ld, -EBADMSG, at, "names function %llu, which is not there",
				   (unsigned long long)in->line[i]->function_id);
		lines[i].function = &ld->l->view.functions[e->index];
	}
	ret->lines = lines;
	ret->nr_lines = in->n_line;
	return 0;
}

static int load_location(const struct loader *ld, size_t index, const pb_location *in,
			 struct ddp_pprof_location *ret)
{
	struct place at = { DDP_PROFILE_LOCATION, index };
	const struct id_entry *e;

	ret->id = in->id;
	ret->index = index;
	ret->address = in->address;
	ret->is_folded = in->is_folded;
	if (in->mapping_id) {
		e = id_map_find(&ld->mapping_ids, in->mapping_id);
		if (!e)
			return bad(ld, -EBADMSG, at, "names mapping %llu, which is not there",
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
		r = load_location(ld, i, ld->pb->location[i], &loc[i]);
		if (r)
			return r;
	}
	ld->l->view.locations = loc;
	ld->l->view.nr_locations = nr;
	return ID_MAP_FILL(ld, &ld->location_ids, nr, ld->pb->location,
			   DDP_PROFILE_LOCATION);
}

/* Samples */

/*
 * What has both is a string, as pprof's own tool takes it. An empty string is none: it could not be
 * told from a number again once it is written.
 */
static int load_label(const struct loader *ld, struct place at, const pb_label *in,
		      struct ddp_pprof_label *ret)
{
	const char *str = "";
	int r;

	*ret = (struct ddp_pprof_label){ .num_unit = "" };
	if ((r = get_string(ld, at, in->key, &ret->key)) ||
	    (r = get_string(ld, at, in->str, &str)))
		return r;
	if (*str) {
		ret->str = str;
		return 0;
	}
	ret->num = in->num;
	return get_string(ld, at, in->num_unit, &ret->num_unit);
}

static int load_labels(const struct loader *ld, struct place at, const pb_sample *in,
		      struct ddp_pprof_sample *ret)
{
	struct ddp_pprof_label *labels = PPROF_ARRAY(ld->l, in->n_label, __typeof__(*labels));
	size_t i;
	int r;

	if (!labels)
		return -ENOMEM;
	for (i = 0; i < in->n_label; i++) {
		r = load_label(ld, at, in->label[i], &labels[i]);
		if (r)
			return r;
	}
	ret->labels = labels;
	ret->nr_labels = in->n_label;
	return 0;
}

static int load_stack(const struct loader *ld, struct place at, const pb_sample *in,
		      struct ddp_pprof_sample *ret)
{
	const struct ddp_pprof_location **stack;
	const struct id_entry *e;
	size_t i;

	if (in->n_location_id > DDP_PPROF_MAX_FRAMES)
		return bad(ld, -EFBIG, at, "has %zu frames, allowed are %d", in->n_location_id,
			   DDP_PPROF_MAX_FRAMES);
	stack = PPROF_ARRAY(ld->l, in->n_location_id, const struct ddp_pprof_location *);
	if (!stack)
		return -ENOMEM;
	for (i = 0; i < in->n_location_id; i++) {
		e = id_map_find(&ld->location_ids, in->location_id[i]);
		if (!e)
			return bad(ld, -EBADMSG, at, "names location %llu, which is not there",
				   (unsigned long long)in->location_id[i]);
		stack[i] = &ld->l->view.locations[e->index];
	}
	ret->locations = stack;
	ret->nr_locations = in->n_location_id;
	return 0;
}

static int load_sample(const struct loader *ld, size_t index, const pb_sample *in,
		       struct ddp_pprof_sample *ret)
{
	struct place at = { DDP_PROFILE_SAMPLE, index };
	int r;

	if (!ld->pb->n_sample_type || in->n_value != ld->pb->n_sample_type)
		return bad(ld, -EBADMSG, at, "has %zu values, the profile %zu value types",
			   in->n_value, ld->pb->n_sample_type);
	ret->values = in->value;
	r = load_stack(ld, at, in, ret);
	return r ? r : load_labels(ld, at, in, ret);
}

static int load_samples(struct loader *ld)
{
	size_t i, nr = ld->pb->n_sample;
	struct ddp_pprof_sample *s = PPROF_ARRAY(ld->l, nr, __typeof__(*s));
	int r;

	if (!s)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = load_sample(ld, i, ld->pb->sample[i], &s[i]);
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
	struct place at = { DDP_PROFILE_COMMENT, 0 };
	int r;

	if (!comments)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		r = get_string(ld, at, ld->pb->comment[i], &comments[i]);
		if (r)
			return r;
	}
	ld->l->view.comments = comments;
	ld->l->view.nr_comments = nr;
	return 0;
}

static int load_texts(struct loader *ld)
{
	struct ddp_pprof *v = &ld->l->view;
	const struct {
		enum ddp_profile_field field;
		int64_t index;
		const char **ret;
	} texts[] = {
		{ DDP_PROFILE_DROP_FRAMES, ld->pb->drop_frames, &v->drop_frames },
		{ DDP_PROFILE_KEEP_FRAMES, ld->pb->keep_frames, &v->keep_frames },
		{ DDP_PROFILE_DEFAULT_SAMPLE_TYPE, ld->pb->default_sample_type,
		  &v->default_sample_type },
		{ DDP_PROFILE_DOC_URL, ld->pb->doc_url, &v->doc_url },
	};
	size_t i;
	int r = 0;

	for (i = 0; !r && i < sizeof(texts) / sizeof(*texts); i++)
		r = get_string(ld, (struct place){ texts[i].field, 0 }, texts[i].index,
			       texts[i].ret);
	return r;
}

static int load_view(struct loader *ld)
{
	struct ddp_pprof *v = &ld->l->view;
	int r;

	v->period = ld->pb->period;
	v->time_unix_ns = ld->pb->time_nanos;
	v->duration_ns = ld->pb->duration_nanos;
	if ((r = load_value_types(ld)) || (r = load_mappings(ld)) || (r = load_functions(ld)) ||
	    (r = load_locations(ld)) || (r = load_samples(ld)) || (r = load_comments(ld)))
		return r;
	return load_texts(ld);
}

/* Strings */

static bool is_good(const struct pprof_text *t)
{
	return ddp__utf8_valid(t->at, t->n) == t->n && !memchr(t->at, '\0', t->n);
}

/* What is not UTF-8, and NUL, which would end the string for its readers, become U+FFFD. */
static char *repair(struct pprof_memory *l, const struct pprof_text *t)
{
	size_t i = 0, good;
	char *repaired, *to;

	/* nothing becomes more than three times as long */
	repaired = l->allocator.alloc(l, t->n * UTF8_REPLACEMENT_BYTES + 1);
	for (to = repaired; to && i < t->n; ) {
		good = ddp__utf8_valid(t->at + i, t->n - i);
		good = strnlen(t->at + i, good);
		memcpy(to, t->at + i, good);
		to += good;
		i += good;
		if (i == t->n)
			break;
		memcpy(to, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
		to += UTF8_REPLACEMENT_BYTES;
		i += t->at[i] ? ddp__utf8_bad(t->at + i, t->n - i) : 1;
	}
	if (to)
		*to = '\0';
	return repaired;
}

static int repair_strings(struct pprof_memory *l, const struct pprof_bytes *b)
{
	pb_profile *pb = (pb_profile *)l->message;
	struct pprof_text text;
	size_t position = 0, i;
	char *repaired;

	for (i = 0; i < pb->n_string_table && ddp__pprof_next_text(b, &position, &text); i++) {
		if (is_good(&text))
			continue;
		repaired = repair(l, &text);
		if (!repaired)
			return -ENOMEM;
		l->allocator.free(l, pb->string_table[i]);
		pb->string_table[i] = repaired;
	}
	return 0;
}

static int unpack(struct pprof_memory *l, const struct pprof_bytes *b, struct ddp_error *err)
{
	l->message = protobuf_c_message_unpack(&ddp__pb__profile__descriptor,
					       &l->allocator, b->n, b->at);
	if (l->message)
		return repair_strings(l, b);
	if (l->error)
		return -ENOMEM;
	return ddp__fail(err, -EBADMSG, "not a pprof file, or damaged inside a field");
}

static int inflate_error(const struct ddp_decompressor *d, int r, const char *format, size_t max,
			 struct ddp_error *err)
{
	unsigned long long at = d ? ddp_decompressor_position(d) : 0;

	switch (r) {
	case -EFBIG:
		return ddp__fail(err, r, "holds more than the allowed %zu MiB", max >> 20);
	case -ENOTSUP:
		return ddp__fail(err, -EFBIG, "the %s data needs a window above 128 MiB", format);
	case -ENODATA:
		return ddp__fail(err, -EBADMSG, "the %s data is cut short after byte %llu", format,
				 at);
	case -EBADMSG:
		return ddp__fail(err, r, "the %s data is damaged at about byte %llu%s", format, at,
				 ddp__decompressor_checksum_failed(d) ?
				 ": it does not match its checksum" : "");
	case -ENOMEM:
		return ddp__fail(err, r, "out of memory");
	}
	return r;
}

static int inflate_file(const void *bytes, size_t n, size_t max, struct ddp_buffer *ret,
			struct ddp_error *err)
{
	const char *format = ddp_compression_name(ddp_compression_detect(bytes, n));
	CLEANUP(ddp_decompressor_destroy) struct ddp_decompressor *d = NULL;
	int r = ddp_decompressor_create(max, ddp_buffer_write, ret, &d);

	if (!r && n)
		r = ddp_decompressor_write(d, bytes, n);
	if (!r)
		r = ddp_decompressor_finish(d);
	return r ? inflate_error(d, r, format, max, err) : 0;
}

static int load(const struct pprof_bytes *b, size_t max_memory_bytes, struct ddp_pprof **ret,
		struct ddp_error *err)
{
	CLEANUP(ddp__pprof_memory_free) struct pprof_memory *l = NULL;
	struct loader ld = { .bytes = b, .err = err };
	int r = ddp__pprof_check(b, err);

	if (r)
		return r;
	ld.l = l = ddp__pprof_memory_create(max_memory_bytes);
	if (!l)
		return ddp__fail(err, -ENOMEM, "out of memory");
	r = unpack(l, b, err);
	if (!r) {
		ld.pb = (const pb_profile *)l->message;
		r = load_view(&ld);
	}
	if (r)
		return l->error ? ddp__pprof_memory_error(l, err) : r;
	*ret = &TAKE(l)->view;
	return 0;
}

int ddp_pprof_load(const void *bytes, size_t n, const struct ddp_pprof_limits *limits,
		   struct ddp_pprof **ret, struct ddp_error *err)
{
	static const struct ddp_pprof_limits no_limits;
	const struct ddp_pprof_limits *lim = limits ? limits : &no_limits;
	size_t max = lim->max_decompressed_bytes ?: DEFAULT_DECOMPRESSED_BYTES;
	CLEANUP(ddp_buffer_free) struct ddp_buffer plain = { 0 };
	struct pprof_bytes b;
	int r = inflate_file(bytes, n, max, &plain, err);

	if (r)
		return r;
	b = (struct pprof_bytes){ plain.bytes, plain.len,
				  ddp_compression_detect(bytes, n) != DDP_PLAIN };
	return load(&b, lim->max_memory_bytes ?: DEFAULT_MEMORY_BYTES, ret, err);
}
