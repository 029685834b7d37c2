// SPDX-License-Identifier: Apache-2.0
/*
 * Adding samples by strings. All that is said of a frame is put into a key, with hashes for the
 * texts. A table leads from the hash of all keys to the stack, so that a known stack costs one
 * lookup; strings, functions and locations are looked up only where the stack is new. Doing so for
 * each frame of a known stack took more than twice the time; a table from the keys of single
 * frames to their locations would take a tenth of a profile's memory for what only new stacks gain.
 *
 * Stacks are held to be known when 96 bits of their hash are: with the profile's secret key and a
 * million of them, the odds of one mistake are about 1 in 10^17. See hash.h for those who try.
 *
 * Text at the same place within one call is the same text: a mapping or file that several frames
 * point to is looked at once.
 */
#include <string.h>

#include "profile_parts.h"

struct reader {
	struct ddp_profile *p;
	struct mapping_memo memo[NR_MEMO];	/* of this call: need not be compared */
	struct ddp_text file;	/* the last one */
	struct text_hash file_hash;
};

struct ddp_text ddp_text_from(const char *s)
{
	return (struct ddp_text){ s, s ? strlen(s) : 0 };
}

static bool same_place(const struct ddp_text *a, const struct ddp_text *b)
{
	return a->bytes == b->bytes && a->len == b->len;
}

/* Mappings */

static int intern_mapping(struct ddp_profile *p, const struct ddp_text_mapping *m, uint32_t *ret)
{
	struct mapping in = {
		.start = m->start, .limit = m->limit, .file_offset = m->file_offset,
		.flags = ddp__mapping_flags(m->has_functions, m->has_filenames,
					    m->has_line_numbers, m->has_inline_frames),
	};
	int r;

	if ((r = ddp__string_intern(p, m->filename.bytes, m->filename.len, &in.filename)) ||
	    (r = ddp__string_intern(p, m->build_id.bytes, m->build_id.len, &in.build_id)))
		return r;
	return ddp__mapping_intern(p, &in, ret);
}

static bool text_equal(const struct ddp_profile *p, uint32_t index, const struct ddp_text *t)
{
	struct span s = p->strings.at[index];

	return s.nr == t->len && (!s.nr || !memcmp(p->string_bytes.at + s.first, t->bytes, s.nr));
}

static bool mapping_equal(const struct ddp_profile *p, uint32_t index,
			  const struct ddp_text_mapping *m)
{
	const struct mapping *k = &p->mappings.at[index];

	return k->start == m->start && k->limit == m->limit && k->file_offset == m->file_offset &&
	       k->flags == ddp__mapping_flags(m->has_functions, m->has_filenames,
					      m->has_line_numbers, m->has_inline_frames) &&
	       text_equal(p, k->filename, &m->filename) && text_equal(p, k->build_id, &m->build_id);
}

static int find_mapping(struct reader *r, const struct ddp_text_mapping *m, uint32_t *ret)
{
	size_t slot = (uintptr_t)m / sizeof(*m) % NR_MEMO;
	struct mapping_memo *now = &r->memo[slot], *before = &r->p->mapping_memo[slot];
	int error;

	*ret = 0;
	if (!m)
		return 0;
	if (now->mapping != m) {
		if (before->mapping != m || !mapping_equal(r->p, before->index, m)) {
			error = intern_mapping(r->p, m, &before->index);
			if (error)
				return error;
			before->mapping = m;
		}
		*now = *before;
	}
	*ret = now->index;
	return 0;
}

/* Keys */

static struct text_hash hash_text(const struct ddp_profile *p, const char *bytes, size_t len)
{
	XXH128_hash_t h = { 0 };

	if (len)
		h = hash128(&p->hash_key, bytes, len);
	return (struct text_hash){ h.low64, h.high64 };
}

static struct text_check check_keys(const struct ddp_profile *p, const struct frame_key *k,
				    uint32_t nr)
{
	struct text_hash h = hash_text(p, (const char *)k, nr * sizeof(*k));

	return (struct text_check){ h.low, { h.high, h.high >> 32 } };
}

static struct text_hash hash_file(struct reader *r, const struct ddp_text *file)
{
	if (!same_place(file, &r->file)) {
		r->file = *file;
		r->file_hash = hash_text(r->p, file->bytes, file->len);
	}
	return r->file_hash;
}

static int read_key(struct reader *r, const struct ddp_text_frame *f, struct frame_key *ret)
{
	if ((f->function.len | f->system_name.len | f->file.len) > MAX_STRING_BYTES)
		return -E2BIG;
	ret->function = hash_text(r->p, f->function.bytes, f->function.len);
	ret->system_name = same_place(&f->system_name, &f->function) ? ret->function :
			   hash_text(r->p, f->system_name.bytes, f->system_name.len);
	ret->file = hash_file(r, &f->file);
	ret->line = f->line;
	ret->start_line = f->start_line;
	ret->address = f->inlined ? 0 : f->address;
	ret->mapping = 0;
	ret->inlined = f->inlined;
	return f->inlined ? 0 : find_mapping(r, f->mapping, &ret->mapping);
}

/* A key for each frame, to p->scratch_keys */
static int read_keys(struct reader *r, const struct ddp_text_sample *s)
{
	struct ddp_profile *p = r->p;
	uint32_t i;
	int error;

	if (s->nr_frames > (uint32_t)MAX_LOCATIONS * MAX_LINES)
		return -EINVAL;
	error = VEC_RESERVE(&p->budget, &p->scratch_keys, s->nr_frames);
	for (i = 0; !error && i < s->nr_frames; i++)
		error = read_key(r, &s->frames[i], &p->scratch_keys.at[i]);
	return error;
}

/* Frames */

/* A location to be: frames that were inlined into each other, and where the last of them is. */
struct run {
	const struct ddp_text_frame *frames;
	const struct frame_key *keys;
	uint32_t nr;
};

static int intern_line(struct ddp_profile *p, const struct ddp_text_frame *frame,
		       struct line *ret)
{
	struct function f = { .start_line = frame->start_line }, none = { 0 };
	int r;

	*ret = (struct line){ .line = frame->line };
	if ((r = ddp__string_intern(p, frame->function.bytes, frame->function.len, &f.name)) ||
	    (r = ddp__string_intern(p, frame->system_name.bytes, frame->system_name.len,
				    &f.system_name)) ||
	    (r = ddp__string_intern(p, frame->file.bytes, frame->file.len, &f.filename)))
		return r;
	return memcmp(&f, &none, sizeof(f)) ? ddp__function_intern(p, &f, &ret->function) : 0;
}

static bool is_bare(const struct ddp_text_frame *f)
{
	return !f->function.len && !f->system_name.len && !f->file.len && !f->line &&
	       !f->start_line;
}

static int intern_run(struct ddp_profile *p, const struct run *run, uint32_t *ret)
{
	const struct frame_key *last = &run->keys[run->nr - 1];
	struct location l = {
		.address = last->address, .mapping = last->mapping,
		.at = p->lines.nr,
		.nr_lines = run->nr == 1 && is_bare(run->frames) ? 0 : run->nr,
	};
	uint32_t i;
	int r = VEC_RESERVE(&p->budget, &p->lines, l.nr_lines);

	for (i = 0; !r && i < l.nr_lines; i++)
		r = intern_line(p, &run->frames[i], &p->lines.at[p->lines.nr + i]);
	return r ? r : ddp__location_intern(p, &l, ret);
}

/* How many frames, from the first on, are one location; 0: too many, or the last is inlined */
static uint32_t run_length(const struct ddp_text_frame *frames, uint32_t nr)
{
	uint32_t n;

	for (n = 1; frames[n - 1].inlined; n++)
		if (n == nr || n == MAX_LINES)
			return 0;
	return n;
}

/* The frames' location ids, to p->scratch_ids */
static int read_frames(struct ddp_profile *p, const struct ddp_text_sample *s)
{
	struct run run;
	uint32_t i, index;
	int r = VEC_RESERVE(&p->budget, &p->scratch_ids, s->nr_frames);

	p->scratch_ids.nr = 0;
	for (i = 0; !r && i < s->nr_frames; i += run.nr) {
		run.frames = s->frames + i;
		run.keys = p->scratch_keys.at + i;
		run.nr = run_length(run.frames, s->nr_frames - i);
		if (!run.nr)
			return -EINVAL;
		r = intern_run(p, &run, &index);
		if (!r)
			p->scratch_ids.at[p->scratch_ids.nr++] =
				id_of(p->base[ID_LOCATION], 1, index);
	}
	return r;
}

/* Stacks */

struct text_stack_key {
	const struct ddp_profile *p;
	struct text_check check;
};

static bool text_stack_equal(const void *ctx, uint32_t position)
{
	const struct text_stack_key *k = ctx;

	return !memcmp(&k->p->text_checks.at[position], &k->check, sizeof(k->check));
}

static uint32_t text_stack_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return p->text_checks.at[position].hash;
}

static int64_t find_text_stack(const struct ddp_profile *p, struct text_check check)
{
	struct text_stack_key key = { p, check };

	return table_find(&p->text_table, check.hash, text_stack_equal, &key);
}

/*
 * A stack that is not known by its text, but may be known by its locations. Checks have room for
 * every stack and the next one; how many are in use is not counted.
 */
static int add_new_text(struct ddp_profile *p, const struct ddp_text_sample *s,
			struct text_check check, struct parts *parts)
{
	int r;

	if ((r = ddp__table_reserve(&p->text_table, &p->budget, text_stack_hash, p)) ||
	    (r = VEC_RESERVE(&p->budget, &p->text_checks, p->stacks.nr + 1)) ||
	    (r = read_frames(p, s)))
		return r;
	parts->locations = p->scratch_ids.at;
	parts->nr_locations = p->scratch_ids.nr;
	if (parts->nr_locations > MAX_LOCATIONS)
		return -EINVAL;
	parts->stack = ddp__stack_find(p,
				       ddp__stack_hash(p, parts->locations, parts->nr_locations),
				       parts->locations, parts->nr_locations);
	r = ddp__add_parts(p, parts);
	if (r)
		return r;
	p->text_checks.at[parts->stack.at] = check;
	ddp__table_insert(&p->text_table, check.hash, parts->stack.at);
	return 0;
}

/* Samples */

static int intern_text(struct ddp_profile *p, const struct ddp_text *t, uint32_t *ret)
{
	int r = ddp__string_intern(p, t->bytes, t->len, ret);

	if (!r)
		*ret = id_of(p->base[ID_STRING], p->fixed_strings, *ret);
	return r;
}

/* To p->scratch_labels */
static int read_labels(struct ddp_profile *p, const struct ddp_text_sample *s)
{
	struct label *l;
	uint32_t i;
	int r;

	if (s->nr_labels > MAX_LABELS)
		return -EINVAL;
	r = VEC_RESERVE(&p->budget, &p->scratch_labels, s->nr_labels);
	for (i = 0; !r && i < s->nr_labels; i++) {
		l = &p->scratch_labels.at[i];
		*l = (struct label){ .num = s->labels[i].num };
		if ((r = intern_text(p, &s->labels[i].key, &l->key)) ||
		    (r = intern_text(p, &s->labels[i].str, &l->str)))
			return r;
		r = intern_text(p, &s->labels[i].num_unit, &l->num_unit);
	}
	p->scratch_labels.nr = s->nr_labels;
	return r;
}

static int add(struct reader *r, const struct ddp_text_sample *s)
{
	struct parts parts = { .values = s->values, .timestamp_ns = s->timestamp_ns };
	struct ddp_profile *p = r->p;
	struct text_check check;
	int error;

	if ((error = read_keys(r, s)) || (error = read_labels(p, s)))
		return error;
	check = check_keys(p, p->scratch_keys.at, s->nr_frames);
	parts.label_set = ddp__label_set_find(p);
	parts.stack.at = find_text_stack(p, check);
	if (parts.stack.at == TABLE_NONE)
		return add_new_text(p, s, check, &parts);
	return ddp__add_parts(p, &parts);
}

static int add_or_take_back(struct reader *r, const struct ddp_text_sample *s)
{
	struct mark m = ddp__mark(r->p);
	int error;

	if (r->p->is_snapshot)
		return -EROFS;
	if (s->nr_values != r->p->value_types.nr)
		return -EINVAL;
	error = add(r, s);
	if (error) {
		ddp__rewind(r->p, m);
		memset(r->p->mapping_memo, 0, sizeof(r->p->mapping_memo));
	}
	return error;
}

int ddp_profile_add_text(struct ddp_profile *p, const struct ddp_text_sample *s)
{
	struct reader r = { .p = p };

	return add_or_take_back(&r, s);
}

int ddp_profile_add_text_many(struct ddp_profile *p, const struct ddp_text_sample *samples,
			      size_t nr, size_t *ret_added)
{
	struct reader r = { .p = p };
	size_t i;
	int error = 0;

	for (i = 0; i < nr; i++) {
		error = add_or_take_back(&r, &samples[i]);
		if (error)
			break;
	}
	*ret_added = i;
	return error;
}
