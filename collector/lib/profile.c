// SPDX-License-Identifier: Apache-2.0
/*
 * The profile builder: a profile's life, and interning. What is known is found through a hash
 * table; what is new gets all the room it needs before anything is changed, so that a failure
 * leaves the profile as it was. Samples are in profile_add.c, encoding in pprof_encode.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "profile_hash.h"
#include "profile_internal.h"

enum {
	MAX_VALUE_TYPES = 1024,		/* far above any runtime's */
	MAX_LINES = 1024,		/* functions inlined into one address */
	MAX_ELEMENTS = INT32_MAX,	/* of a kind; 2^31 ids until one is reused */
	MAX_STRING_BYTES = INT32_MAX,	/* of one string: pprof's fields end at 2 GiB */
};

static const char *const fixed_strings[] = {
	[DDP_STRING_EMPTY]		= "",
	[DDP_STRING_LOCAL_ROOT_SPAN_ID]	= "local root span id",
	[DDP_STRING_TRACE_ENDPOINT]	= "trace endpoint",
	[DDP_STRING_END_TIMESTAMP_NS]	= "end_timestamp_ns",
};

/*
 * Ids. An index below @fixed is its own id; above, ids count on from generation to generation, so
 * that an old one points in front of the present range. After 2^31 ids they start over.
 */
static uint32_t id_of(uint32_t base, uint32_t fixed, uint32_t index)
{
	return index < fixed ? index : base + index;
}

static int index_of(uint32_t base, uint32_t fixed, uint32_t nr, uint32_t id, uint32_t *ret)
{
	uint32_t index = id < fixed ? id : id - base;

	if (id >= fixed && (index < fixed || index >= nr))
		return -ESTALE;
	*ret = index;
	return 0;
}

static uint32_t next_base(uint32_t base, uint32_t fixed, uint32_t nr)
{
	uint32_t next = base + (nr - fixed);

	return next > INT32_MAX ? 0 : next;
}

int ddp__string_index(const struct ddp_profile *p, uint32_t id, uint32_t *ret)
{
	return index_of(p->string_base, p->fixed_strings, p->strings.nr, id, ret);
}

int ddp__location_index(const struct ddp_profile *p, uint32_t id, uint32_t *ret)
{
	if (!id)
		return -ESTALE;
	return index_of(p->location_base, 1, p->locations.nr, id, ret);
}

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

static int string_intern(struct ddp_profile *p, const char *bytes, size_t len, uint32_t *ret)
{
	struct string_key key = { p, len ? bytes : "", len };
	uint32_t hash = hash_bytes(p, key.bytes, len);
	int64_t found = table_find(&p->string_table, hash, string_equal, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (len > MAX_STRING_BYTES || p->strings.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->strings, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->string_bytes, len + 1)) ||
	    (r = ddp__table_reserve(&p->string_table, &p->budget)))
		return r;

	memcpy(p->string_bytes.at + p->string_bytes.nr, key.bytes, len);
	p->string_bytes.at[p->string_bytes.nr + len] = '\0';
	*ret = p->strings.nr++;
	p->strings.at[*ret] = (struct span){ p->string_bytes.nr, len };
	p->string_bytes.nr += len + 1;
	ddp__table_insert(&p->string_table, hash, *ret);
	return 0;
}

static int cstring_intern(struct ddp_profile *p, const char *s, uint32_t *ret)
{
	return string_intern(p, s, s ? strlen(s) : 0, ret);
}

int ddp_profile_string(struct ddp_profile *p, const char *s, size_t len, uint32_t *ret_id)
{
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	r = string_intern(p, s, len, &index);
	if (!r)
		*ret_id = id_of(p->string_base, p->fixed_strings, index);
	return r;
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

static int mapping_intern(struct ddp_profile *p, const struct mapping *m, uint32_t *ret)
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
	    (r = ddp__table_reserve(&p->mapping_table, &p->budget)))
		return r;
	*ret = p->mappings.nr++;
	p->mappings.at[*ret] = *m;
	ddp__table_insert(&p->mapping_table, hash, *ret);
	return 0;
}

int ddp_profile_mapping(struct ddp_profile *p, const struct ddp_mapping *m, uint32_t *ret_id)
{
	struct mapping in = {
		.start = m->start, .limit = m->limit, .file_offset = m->file_offset,
		.flags = (m->has_functions ? MAPPING_HAS_FUNCTIONS : 0) |
			 (m->has_filenames ? MAPPING_HAS_FILENAMES : 0) |
			 (m->has_line_numbers ? MAPPING_HAS_LINE_NUMBERS : 0) |
			 (m->has_inline_frames ? MAPPING_HAS_INLINE_FRAMES : 0),
	};
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = ddp__string_index(p, m->filename, &in.filename)) ||
	    (r = ddp__string_index(p, m->build_id, &in.build_id)) ||
	    (r = mapping_intern(p, &in, &index)))
		return r;
	*ret_id = id_of(p->mapping_base, 1, index);
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

static int function_intern(struct ddp_profile *p, const struct function *f, uint32_t *ret)
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
	    (r = ddp__table_reserve(&p->function_table, &p->budget)))
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
	if ((r = ddp__string_index(p, f->name, &in.name)) ||
	    (r = ddp__string_index(p, f->system_name, &in.system_name)) ||
	    (r = ddp__string_index(p, f->filename, &in.filename)) ||
	    (r = function_intern(p, &in, &index)))
		return r;
	*ret_id = id_of(p->function_base, 1, index);
	return 0;
}

/* Locations: their lines are put behind the others first, and stay there if the location is new */

struct location_key {
	const struct ddp_profile *p;
	struct location l;
};

static bool location_equal(const void *ctx, uint32_t position)
{
	const struct location_key *k = ctx;
	const struct location *a = &k->p->locations.at[position], *b = &k->l;
	const struct line *lines = k->p->lines.at;

	return a->address == b->address && a->mapping == b->mapping &&
	       a->nr_lines == b->nr_lines && a->is_folded == b->is_folded &&
	       (!a->nr_lines || !memcmp(lines + a->first_line, lines + b->first_line,
					a->nr_lines * sizeof(*lines)));
}

static uint32_t location_hash(const struct ddp_profile *p, struct location l)
{
	uint32_t lines_hash = hash_bytes(p, l.nr_lines ? p->lines.at + l.first_line : NULL,
					 l.nr_lines * sizeof(struct line));

	l.first_line = lines_hash;
	return hash_bytes(p, &l, sizeof(l));
}

static int location_intern(struct ddp_profile *p, const struct location *l, uint32_t *ret)
{
	struct location_key key = { p, *l };
	uint32_t hash = location_hash(p, *l);
	int64_t found = table_find(&p->location_table, hash, location_equal, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (p->locations.nr >= MAX_ELEMENTS)
		return -E2BIG;
	if ((r = VEC_RESERVE(&p->budget, &p->locations, 1)) ||
	    (r = ddp__table_reserve(&p->location_table, &p->budget)))
		return r;
	*ret = p->locations.nr++;
	p->locations.at[*ret] = *l;
	p->lines.nr += l->nr_lines;
	ddp__table_insert(&p->location_table, hash, *ret);
	return 0;
}

int ddp_profile_location(struct ddp_profile *p, const struct ddp_location *l, uint32_t *ret_id)
{
	struct location in = {
		.address = l->address, .nr_lines = l->nr_lines, .is_folded = l->is_folded,
		.first_line = p->lines.nr,
	};
	uint32_t i, index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (l->nr_lines > MAX_LINES)
		return -EINVAL;
	if ((r = index_of(p->mapping_base, 1, p->mappings.nr, l->mapping, &in.mapping)) ||
	    (r = VEC_RESERVE(&p->budget, &p->lines, l->nr_lines)))
		return r;
	for (i = 0; i < l->nr_lines; i++) {
		struct line *line = &p->lines.at[p->lines.nr + i];

		*line = (struct line){ .line = l->lines[i].line };
		r = index_of(p->function_base, 1, p->functions.nr, l->lines[i].function,
			     &line->function);
		if (r)
			return r;
	}
	r = location_intern(p, &in, &index);
	if (!r)
		*ret_id = id_of(p->location_base, 1, index);
	return r;
}

int ddp_profile_comment(struct ddp_profile *p, const char *text)
{
	uint32_t index;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if ((r = VEC_RESERVE(&p->budget, &p->comments, 1)) ||
	    (r = cstring_intern(p, text, &index)))
		return r;
	p->comments.at[p->comments.nr++] = index;
	return 0;
}

/* Life */

static int intern_value_type(struct ddp_profile *p, const struct ddp_value_type *t,
			     struct value_type *ret)
{
	int r = cstring_intern(p, t->type, &ret->type);

	return r ? r : cstring_intern(p, t->unit, &ret->unit);
}

/* The element 0 of mappings, functions and locations: none. Only a mapping is ever found by it. */
static int intern_nothing(struct ddp_profile *p)
{
	uint32_t index;
	int r;

	if ((r = mapping_intern(p, &(struct mapping){ 0 }, &index)) ||
	    (r = VEC_RESERVE(&p->budget, &p->functions, 1)) ||
	    (r = VEC_RESERVE(&p->budget, &p->locations, 1)))
		return r;
	p->functions.at[p->functions.nr++] = (struct function){ 0 };
	p->locations.at[p->locations.nr++] = (struct location){ 0 };
	return 0;
}

static int intern_fixed(struct ddp_profile *p, const struct ddp_profile_config *c)
{
	uint32_t index;
	size_t i;
	int r;

	for (i = 0; i < sizeof(fixed_strings) / sizeof(*fixed_strings); i++) {
		r = cstring_intern(p, fixed_strings[i], &index);
		if (r)
			return r;
	}
	r = VEC_RESERVE(&p->budget, &p->value_types, c->nr_value_types);
	if (r)
		return r;
	for (i = 0; i < c->nr_value_types; i++) {
		r = intern_value_type(p, &c->value_types[i], &p->value_types.at[i]);
		if (r)
			return r;
	}
	p->value_types.nr = c->nr_value_types;
	if (c->period_type.type) {
		p->has_period_type = true;
		r = intern_value_type(p, &c->period_type, &p->period_type);
		if (r)
			return r;
	}
	p->fixed_strings = p->strings.nr;
	return intern_nothing(p);
}

static struct ddp_profile *profile_alloc(void)
{
	struct ddp_profile *p = ddp__alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->budget.bytes = sizeof(*p);
	/* a seed of 0 when there is no randomness yet: hashing still works */
	if (getrandom(&p->hash_seed, sizeof(p->hash_seed), GRND_NONBLOCK) < 0)
		p->hash_seed = 0;
	return p;
}

int ddp_profile_create(const struct ddp_profile_config *config, struct ddp_profile **ret)
{
	struct ddp_profile *p;
	int r;

	if (config->nr_value_types < 1 || config->nr_value_types > MAX_VALUE_TYPES)
		return -EINVAL;
	p = profile_alloc();
	if (!p)
		return -ENOMEM;
	p->budget.max_bytes = config->max_bytes;
	p->period = config->period;
	p->start_unix_ns = config->start_unix_ns;
	r = intern_fixed(p, config);
	if (r) {
		ddp_profile_destroy(p);
		return r;
	}
	*ret = p;
	return 0;
}

static void free_tables(struct ddp_profile *p)
{
	ddp__free(p->string_table.slots);
	ddp__free(p->mapping_table.slots);
	ddp__free(p->function_table.slots);
	ddp__free(p->location_table.slots);
	ddp__free(p->stack_table.slots);
	ddp__free(p->label_set_table.slots);
	ddp__free(p->sample_table.slots);
}

void ddp_profile_destroy(struct ddp_profile *p)
{
	if (!p)
		return;
	free_tables(p);
	VEC_FREE(&p->value_types);
	VEC_FREE(&p->strings);
	VEC_FREE(&p->string_bytes);
	VEC_FREE(&p->mappings);
	VEC_FREE(&p->functions);
	VEC_FREE(&p->locations);
	VEC_FREE(&p->lines);
	VEC_FREE(&p->stacks);
	VEC_FREE(&p->stack_locations);
	VEC_FREE(&p->label_sets);
	VEC_FREE(&p->labels);
	VEC_FREE(&p->comments);
	VEC_FREE(&p->samples);
	VEC_FREE(&p->values);
	VEC_FREE(&p->timed_samples);
	VEC_FREE(&p->timestamps_ns);
	VEC_FREE(&p->timed_values);
	VEC_FREE(&p->scratch_stack);
	VEC_FREE(&p->scratch_labels);
	ddp__free(p);
}

/* An empty profile with the value types and period of @old. */
static int create_like(const struct ddp_profile *old, struct ddp_profile **ret)
{
	struct ddp_value_type types[MAX_VALUE_TYPES];
	const char *bytes = old->string_bytes.at;
	const struct span *s = old->strings.at;
	struct ddp_profile_config c = {
		.value_types = types, .nr_value_types = old->value_types.nr,
		.period = old->period, .max_bytes = old->budget.max_bytes,
	};
	uint32_t i;

	for (i = 0; i < old->value_types.nr; i++) {
		types[i].type = bytes + s[old->value_types.at[i].type].first;
		types[i].unit = bytes + s[old->value_types.at[i].unit].first;
	}
	if (old->has_period_type) {
		c.period_type.type = bytes + s[old->period_type.type].first;
		c.period_type.unit = bytes + s[old->period_type.unit].first;
	}
	return ddp_profile_create(&c, ret);
}

static void advance_ids(struct ddp_profile *p, const struct ddp_profile *old)
{
	p->string_base = next_base(old->string_base, old->fixed_strings, old->strings.nr);
	p->mapping_base = next_base(old->mapping_base, 1, old->mappings.nr);
	p->function_base = next_base(old->function_base, 1, old->functions.nr);
	p->location_base = next_base(old->location_base, 1, old->locations.nr);
}

static void clear_tables(struct ddp_profile *p)
{
	ddp__table_clear(&p->string_table);
	ddp__table_clear(&p->mapping_table);
	ddp__table_clear(&p->function_table);
	ddp__table_clear(&p->location_table);
	ddp__table_clear(&p->stack_table);
	ddp__table_clear(&p->label_set_table);
	ddp__table_clear(&p->sample_table);
}

/* Back to what intern_fixed() left, in the memory there is. */
static void clear(struct ddp_profile *p)
{
	struct span *s = p->strings.at, last = s[p->fixed_strings - 1];
	struct mapping none = { 0 };
	uint32_t i;

	clear_tables(p);
	p->strings.nr = p->fixed_strings;
	p->string_bytes.nr = last.first + last.nr + 1;
	for (i = 0; i < p->strings.nr; i++)
		ddp__table_insert(&p->string_table,
				  hash_bytes(p, p->string_bytes.at + s[i].first, s[i].nr), i);
	ddp__table_insert(&p->mapping_table, hash_bytes(p, &none, sizeof(none)), 0);
	p->mappings.nr = p->functions.nr = p->locations.nr = 1;
	p->lines.nr = 0;
	p->stacks.nr = p->stack_locations.nr = 0;
	p->label_sets.nr = p->labels.nr = 0;
	p->comments.nr = 0;
	p->samples.nr = p->values.nr = 0;
	p->timed_samples.nr = p->timestamps_ns.nr = p->timed_values.nr = 0;
}

int ddp_profile_reset(struct ddp_profile *p, int64_t start_unix_ns, struct ddp_profile **ret_old)
{
	struct ddp_profile *fresh, swap;
	int r;

	if (p->is_snapshot)
		return -EROFS;
	if (ret_old) {
		r = create_like(p, &fresh);
		if (r)
			return r;
		advance_ids(fresh, p);
		swap = *p;
		*p = *fresh;
		*fresh = swap;
		fresh->is_snapshot = true;
		*ret_old = fresh;
	} else {
		advance_ids(p, p);
		clear(p);
	}
	p->start_unix_ns = start_unix_ns;
	return 0;
}

void ddp_profile_count(const struct ddp_profile *p, struct ddp_profile_counts *ret)
{
	*ret = (struct ddp_profile_counts){
		.samples = p->samples.nr + (size_t)p->timed_samples.nr,
		.timestamped = p->timed_samples.nr,
		.strings = p->strings.nr,
		.mappings = p->mappings.nr - 1,
		.functions = p->functions.nr - 1,
		.locations = p->locations.nr - 1,
		.bytes = p->budget.bytes,
	};
}
