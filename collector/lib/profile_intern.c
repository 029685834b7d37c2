// SPDX-License-Identifier: Apache-2.0
/*
 * Interning: strings, mappings, functions, locations. What is known is found through a hash table;
 * what is new gets all the room it needs before anything is changed, so that a failure leaves the
 * profile as it was. By ids for the public, by indexes for profile_text.c, which can also take
 * back what it interned last.
 */
#include <stddef.h>
#include <string.h>

#include "profile_parts.h"

/* Strings */

struct string_key {
	const struct ddp_profile *p;
	const char *bytes;
	size_t len;
};

static bool string_equal(const void *ctx, uint32_t position)
{
	const struct string_key *k = ctx;
	struct span s = k->p->strings.at[position];

	return s.nr == k->len && !memcmp(k->p->string_bytes.at + s.first, k->bytes, s.nr);
}

static uint32_t string_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;
	struct span s = p->strings.at[position];

	return hash_bytes(p, p->string_bytes.at + s.first, s.nr);
}

static int string_put(struct ddp_profile *p, const struct string_key *k, uint32_t hash,
		      uint32_t *ret)
{
	uint32_t first = p->string_bytes.nr;
	int r;

	if (p->strings.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->strings, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->string_bytes, k->len + 1)) ||
	    (r = ddp__table_reserve(&p->string_table, &p->budget, string_hash, p)))
		return r;
	memcpy(p->string_bytes.at + first, k->bytes, k->len);
	p->string_bytes.at[first + k->len] = '\0';
	p->string_bytes.nr += k->len + 1;
	*ret = p->strings.nr++;
	p->strings.at[*ret] = (struct span){ first, k->len };
	ddp__table_insert(&p->string_table, hash, *ret);
	return 0;
}

int ddp__string_intern(struct ddp_profile *p, const char *bytes, size_t len, uint32_t *ret)
{
	struct string_key key = { p, len ? bytes : "", len };
	uint32_t hash;
	int64_t found;

	if (!len && p->strings.nr) {
		*ret = DDP_STRING_EMPTY;
		return 0;
	}
	if (len > MAX_STRING_BYTES)
		return -E2BIG;
	hash = hash_bytes(p, key.bytes, len);
	found = table_find(&p->string_table, hash, string_equal, &key);
	if (found == TABLE_NONE)
		return string_put(p, &key, hash, ret);
	*ret = found;
	return 0;
}

int ddp_profile_string(struct ddp_profile *p, const char *s, size_t len, uint32_t *ret_id)
{
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	r = ddp__string_intern(p, s, len, &index);
	if (!r)
		*ret_id = id_of(p->base[ID_STRING], p->fixed_strings, index);
	return r;
}

int ddp_profile_comment(struct ddp_profile *p, const char *text)
{
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = VEC_RESERVE(&p->budget, &p->comments, 1)) ||
	    (r = ddp__string_intern(p, text, text ? strlen(text) : 0, &index)))
		return r;
	p->comments.at[p->comments.nr++] = index;
	return 0;
}

/* Mappings */

struct mapping_key {
	const struct ddp_profile *p;
	struct mapping m;
};

static bool mapping_equal(const void *ctx, uint32_t position)
{
	const struct mapping_key *k = ctx;

	return !memcmp(&k->p->mappings.at[position], &k->m, sizeof(k->m));
}

static uint32_t mapping_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_bytes(p, &p->mappings.at[position], sizeof(struct mapping));
}

int ddp__mapping_intern(struct ddp_profile *p, const struct mapping *m, uint32_t *ret)
{
	struct mapping_key key = { p, *m };
	uint32_t hash = hash_bytes(p, m, sizeof(*m));
	int64_t found = table_find(&p->mapping_table, hash, mapping_equal, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (p->mappings.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->mappings, 1)) ||
	    (r = ddp__table_reserve(&p->mapping_table, &p->budget, mapping_hash, p)))
		return r;
	*ret = p->mappings.nr++;
	p->mappings.at[*ret] = *m;
	ddp__table_insert(&p->mapping_table, hash, *ret);
	return 0;
}

uint32_t ddp__mapping_flags(bool functions, bool filenames, bool line_numbers, bool inline_frames)
{
	return (functions ? MAPPING_HAS_FUNCTIONS : 0) | (filenames ? MAPPING_HAS_FILENAMES : 0) |
	       (line_numbers ? MAPPING_HAS_LINE_NUMBERS : 0) |
	       (inline_frames ? MAPPING_HAS_INLINE_FRAMES : 0);
}

int ddp_profile_mapping(struct ddp_profile *p, const struct ddp_mapping *m, uint32_t *ret_id)
{
	struct mapping in = {
		.start = m->start, .limit = m->limit, .file_offset = m->file_offset,
		.flags = ddp__mapping_flags(m->has_functions, m->has_filenames,
					    m->has_line_numbers, m->has_inline_frames),
	};
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = string_index(p, m->filename, &in.filename)) ||
	    (r = string_index(p, m->build_id, &in.build_id)) ||
	    (r = ddp__mapping_intern(p, &in, &index)))
		return r;
	*ret_id = id_of(p->base[ID_MAPPING], 1, index);
	return 0;
}

/* Functions */

struct function_key {
	const struct ddp_profile *p;
	struct function f;
};

static bool function_equal(const void *ctx, uint32_t position)
{
	const struct function_key *k = ctx;

	return !memcmp(&k->p->functions.at[position], &k->f, sizeof(k->f));
}

static uint32_t function_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_bytes(p, &p->functions.at[position], sizeof(struct function));
}

int ddp__function_intern(struct ddp_profile *p, const struct function *f, uint32_t *ret)
{
	struct function_key key = { p, *f };
	uint32_t hash = hash_bytes(p, f, sizeof(*f));
	int64_t found = table_find(&p->function_table, hash, function_equal, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (p->functions.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->functions, 1)) ||
	    (r = ddp__table_reserve(&p->function_table, &p->budget, function_hash, p)))
		return r;
	*ret = p->functions.nr++;
	p->functions.at[*ret] = *f;
	ddp__table_insert(&p->function_table, hash, *ret);
	return 0;
}

int ddp_profile_function(struct ddp_profile *p, const struct ddp_function *f, uint32_t *ret_id)
{
	struct function in = { .start_line = f->start_line };
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = string_index(p, f->name, &in.name)) ||
	    (r = string_index(p, f->system_name, &in.system_name)) ||
	    (r = string_index(p, f->filename, &in.filename)) ||
	    (r = ddp__function_intern(p, &in, &index)))
		return r;
	*ret_id = id_of(p->base[ID_FUNCTION], 1, index);
	return 0;
}

/* Locations: their lines are put behind the others first, and stay there only if they have to */

const struct line *ddp__location_lines(const struct ddp_profile *p, const struct location *l,
				       struct line *one)
{
	if (!l->is_short)
		return l->nr_lines ? p->lines.at + l->at : NULL;
	*one = (struct line){ .function = l->at, .line = l->line };
	return one;
}

/* With nothing in p->lines */
static bool is_whole(const struct location *l)
{
	return l->is_short || !l->nr_lines;
}

struct location_key {
	const struct ddp_profile *p;
	struct location l;
};

static bool location_equal(const void *ctx, uint32_t position)
{
	const struct location_key *k = ctx;
	const struct location *a = &k->p->locations.at[position], *b = &k->l;
	const struct line *lines = k->p->lines.at;

	if (memcmp(a, b, offsetof(struct location, at)))
		return false;
	if (is_whole(a))
		return a->at == b->at && a->line == b->line;
	return !memcmp(lines + a->at, lines + b->at, a->nr_lines * sizeof(*lines));
}

static uint32_t hash_location(const struct ddp_profile *p, struct location l)
{
	if (!is_whole(&l))
		l.at = hash_bytes(p, p->lines.at + l.at, l.nr_lines * sizeof(struct line));
	return hash_bytes(p, &l, sizeof(l));
}

static uint32_t location_hash(const void *ctx, uint32_t position)
{
	const struct ddp_profile *p = ctx;

	return hash_location(p, p->locations.at[position]);
}

/* As it is kept: with its line in it, if it has but one and that has room */
static struct location packed(const struct ddp_profile *p, struct location l)
{
	struct line first = { 0 };

	if (l.nr_lines)
		first = p->lines.at[l.at];
	if (l.nr_lines > 1 || first.line < 0 || first.line > UINT32_MAX)
		return l;
	l.is_short = l.nr_lines;
	l.at = first.function;
	l.line = first.line;
	return l;
}

int ddp__location_intern(struct ddp_profile *p, const struct location *l, uint32_t *ret)
{
	struct location_key key = { p, packed(p, *l) };
	uint32_t hash = hash_location(p, key.l);
	int64_t found = table_find(&p->location_table, hash, location_equal, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (p->locations.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->locations, 1)) ||
	    (r = ddp__table_reserve(&p->location_table, &p->budget, location_hash, p)))
		return r;
	*ret = p->locations.nr++;
	p->locations.at[*ret] = key.l;
	if (!is_whole(&key.l))
		p->lines.nr += l->nr_lines;
	ddp__table_insert(&p->location_table, hash, *ret);
	return 0;
}

int ddp_profile_location(struct ddp_profile *p, const struct ddp_location *l, uint32_t *ret_id)
{
	struct location in = {
		.address = l->address, .nr_lines = l->nr_lines, .is_folded = l->is_folded,
		.at = p->lines.nr,
	};
	uint32_t i, index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (l->nr_lines > MAX_LINES)
		return -EINVAL;
	if ((r = check_id(p->base[ID_MAPPING], 1, p->mappings.nr, l->mapping, &in.mapping)) ||
	    (r = VEC_RESERVE(&p->budget, &p->lines, l->nr_lines)))
		return r;
	for (i = 0; i < l->nr_lines; i++) {
		struct line *line = &p->lines.at[p->lines.nr + i];

		*line = (struct line){ .line = l->lines[i].line };
		r = check_id(p->base[ID_FUNCTION], 1, p->functions.nr, l->lines[i].function,
			     &line->function);
		if (r)
			return r;
	}
	r = ddp__location_intern(p, &in, &index);
	if (!r)
		*ret_id = id_of(p->base[ID_LOCATION], 1, index);
	return r;
}

/* Taking back */

struct mark ddp__mark(const struct ddp_profile *p)
{
	return (struct mark){
		.strings = p->strings.nr, .string_bytes = p->string_bytes.nr,
		.mappings = p->mappings.nr, .functions = p->functions.nr,
		.locations = p->locations.nr, .lines = p->lines.nr,
	};
}

void ddp__rewind(struct ddp_profile *p, struct mark m)
{
	uint32_t i;

	for (i = m.locations; i < p->locations.nr; i++)
		ddp__table_remove(&p->location_table, i, location_hash, p);
	for (i = m.functions; i < p->functions.nr; i++)
		ddp__table_remove(&p->function_table, i, function_hash, p);
	for (i = m.mappings; i < p->mappings.nr; i++)
		ddp__table_remove(&p->mapping_table, i, mapping_hash, p);
	for (i = m.strings; i < p->strings.nr; i++)
		ddp__table_remove(&p->string_table, i, string_hash, p);
	p->strings.nr = m.strings;
	p->string_bytes.nr = m.string_bytes;
	p->mappings.nr = m.mappings;
	p->functions.nr = m.functions;
	p->locations.nr = m.locations;
	p->lines.nr = m.lines;
}
