// SPDX-License-Identifier: Apache-2.0
/*
 * Adding samples by strings. A table leads from the hash of all that is said of a frame straight
 * to its location, so that a known frame costs one lookup and a comparison with what is stored,
 * not one for each string, function and location. Text at the same place within one call is the
 * same text: a mapping or file that several frames point to is looked at once.
 */
#include <string.h>

#include "profile_parts.h"

enum { NR_MEMO = 8 };	/* mappings that a call remembers by their pointers */

struct reader {
	struct ddp_profile *p;
	struct {
		const struct ddp_text_mapping *mapping;
		uint32_t index;
	} memo[NR_MEMO];
	struct ddp_text file;	/* the last one */
	uint64_t file_hash;
};

/* A location to be: frames that were inlined into each other, and where the last of them is. */
struct run {
	const struct reader *r;
	const struct ddp_text_frame *frames;
	uint32_t nr, nr_lines;
	uint32_t mapping;	/* index */
	uint32_t hash;
};

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

static int find_mapping(struct reader *r, const struct ddp_text_mapping *m, uint32_t *ret)
{
	size_t slot = (uintptr_t)m / sizeof(*m) % NR_MEMO;
	int error;

	*ret = 0;
	if (!m)
		return 0;
	if (r->memo[slot].mapping != m) {
		error = intern_mapping(r->p, m, &r->memo[slot].index);
		if (error)
			return error;
		r->memo[slot].mapping = m;
	}
	*ret = r->memo[slot].index;
	return 0;
}

/* Hashes: of frames as they come, and of the location that they became */

struct line_key {
	uint64_t function, system_name, file;	/* hashes; of no text: 0 */
	int64_t line, start_line;
	uint64_t address, mapping;
	uint64_t before;	/* the hash of the lines that were inlined into this one */
};

static uint64_t hash_text(const struct ddp_profile *p, const char *bytes, size_t len)
{
	return len ? XXH3_64bits_withSeed(bytes, len, p->hash_seed) : 0;
}

static uint64_t hash_string(const struct ddp_profile *p, uint32_t index)
{
	struct span s = p->strings.at[index];

	return hash_text(p, p->string_bytes.at + s.first, s.nr);
}

static uint64_t hash_key(const struct ddp_profile *p, const struct line_key *k)
{
	return XXH3_64bits_withSeed(k, sizeof(*k), p->hash_seed);
}

static uint64_t hash_file(struct reader *r, const struct ddp_text *file)
{
	if (!same_place(file, &r->file)) {
		r->file = *file;
		r->file_hash = hash_text(r->p, file->bytes, file->len);
	}
	return r->file_hash;
}

static uint32_t hash_run(struct reader *r, const struct run *run)
{
	struct line_key k = {
		.address = run->frames[run->nr - 1].address, .mapping = run->mapping,
	};
	uint32_t i;

	for (i = 0; i < run->nr; i++) {
		const struct ddp_text_frame *f = &run->frames[i];

		k.function = hash_text(r->p, f->function.bytes, f->function.len);
		k.system_name = same_place(&f->system_name, &f->function) ? k.function :
				hash_text(r->p, f->system_name.bytes, f->system_name.len);
		k.file = hash_file(r, &f->file);
		k.line = f->line;
		k.start_line = f->start_line;
		k.before = hash_key(r->p, &k);
	}
	return k.before;
}

static uint32_t hash_location(const struct ddp_profile *p, const struct location *l)
{
	struct line_key k = { .address = l->address, .mapping = l->mapping };
	uint32_t i;

	if (!l->nr_lines)
		return hash_key(p, &k);
	for (i = 0; i < l->nr_lines; i++) {
		const struct line *line = &p->lines.at[l->first_line + i];
		const struct function *f = &p->functions.at[line->function];

		k.function = hash_string(p, f->name);
		k.system_name = hash_string(p, f->system_name);
		k.file = hash_string(p, f->filename);
		k.line = line->line;
		k.start_line = f->start_line;
		k.before = hash_key(p, &k);
	}
	return k.before;
}

/* Comparing */

static bool text_equal(const struct ddp_profile *p, uint32_t index, const struct ddp_text *t)
{
	struct span s = p->strings.at[index];

	return s.nr == t->len && (!s.nr || !memcmp(p->string_bytes.at + s.first, t->bytes, s.nr));
}

static bool line_equal(const struct ddp_profile *p, const struct line *line,
		       const struct ddp_text_frame *frame)
{
	const struct function *f = &p->functions.at[line->function];

	return line->line == frame->line && f->start_line == frame->start_line &&
	       text_equal(p, f->name, &frame->function) &&
	       text_equal(p, f->system_name, &frame->system_name) &&
	       text_equal(p, f->filename, &frame->file);
}

static bool run_equal(const void *ctx, uint32_t position)
{
	const struct run *run = ctx;
	const struct ddp_profile *p = run->r->p;
	const struct location *l = &p->locations.at[position];
	uint32_t i;

	if (l->address != run->frames[run->nr - 1].address || l->mapping != run->mapping ||
	    l->nr_lines != run->nr_lines || l->is_folded)
		return false;
	for (i = 0; i < l->nr_lines; i++)
		if (!line_equal(p, &p->lines.at[l->first_line + i], &run->frames[i]))
			return false;
	return true;
}

/* What is new */

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

static int intern_run(struct ddp_profile *p, const struct run *run, uint32_t *ret)
{
	struct location l = {
		.address = run->frames[run->nr - 1].address, .mapping = run->mapping,
		.first_line = p->lines.nr, .nr_lines = run->nr_lines,
	};
	uint32_t i;
	int r;

	if ((r = ddp__table_reserve(&p->text_table, &p->budget)) ||
	    (r = VEC_RESERVE(&p->budget, &p->lines, run->nr_lines)))
		return r;
	for (i = 0; i < run->nr_lines; i++) {
		r = intern_line(p, &run->frames[i], &p->lines.at[p->lines.nr + i]);
		if (r)
			return r;
	}
	r = ddp__location_intern(p, &l, ret);
	if (!r)
		ddp__table_insert(&p->text_table, run->hash, *ret);
	return r;
}

/* Reading a sample */

static bool is_bare(const struct ddp_text_frame *f)
{
	return !f->function.len && !f->system_name.len && !f->file.len && !f->line &&
	       !f->start_line;
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

static int read_run(struct reader *r, struct run *run, uint32_t *ret)
{
	int error = find_mapping(r, run->frames[run->nr - 1].mapping, &run->mapping);
	int64_t found;

	if (error)
		return error;
	run->nr_lines = run->nr == 1 && is_bare(run->frames) ? 0 : run->nr;
	run->hash = hash_run(r, run);
	found = table_find(&r->p->text_table, run->hash, run_equal, run);
	if (found == TABLE_NONE)
		return intern_run(r->p, run, ret);
	*ret = found;
	return 0;
}

/* The frames' location ids, to p->scratch_ids */
static int read_frames(struct reader *r, const struct ddp_text_sample *s)
{
	struct ddp_profile *p = r->p;
	struct run run = { .r = r };
	uint32_t i, index;
	int error = VEC_RESERVE(&p->budget, &p->scratch_ids, s->nr_frames);

	p->scratch_ids.nr = 0;
	for (i = 0; !error && i < s->nr_frames; i += run.nr) {
		run.frames = s->frames + i;
		run.nr = run_length(run.frames, s->nr_frames - i);
		if (!run.nr)
			return -EINVAL;
		error = read_run(r, &run, &index);
		if (!error)
			p->scratch_ids.at[p->scratch_ids.nr++] =
				id_of(p->base[ID_LOCATION], 1, index);
	}
	return error;
}

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
	struct ddp_profile *p = r->p;
	struct parts parts = { .values = s->values, .timestamp_ns = s->timestamp_ns };
	int error;

	if ((error = read_frames(r, s)) || (error = read_labels(p, s)))
		return error;
	parts.locations = p->scratch_ids.at;
	parts.nr_locations = p->scratch_ids.nr;
	parts.stack = ddp__stack_find(p, parts.locations, parts.nr_locations);
	parts.label_set = ddp__label_set_find(p);
	return ddp__add_parts(p, &parts);
}

/* Every location that is newer than @m was made here, and is in the table. */
static void take_back(struct ddp_profile *p, struct mark m)
{
	uint32_t i;

	for (i = m.locations; i < p->locations.nr; i++)
		ddp__table_remove(&p->text_table, hash_location(p, &p->locations.at[i]), i);
	ddp__rewind(p, m);
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
	if (error)
		take_back(r->p, m);
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
