// SPDX-License-Identifier: Apache-2.0
/*
 * A profile's life: made, reset, counted, freed. What goes in is in profile_*.c, encoding in
 * pprof_encode.c.
 */
#include <string.h>

#include "profile_parts.h"

static const char *const fixed_strings[] = {
	[DDP_STRING_EMPTY]		= "",
	[DDP_STRING_LOCAL_ROOT_SPAN_ID]	= "local root span id",
	[DDP_STRING_TRACE_ENDPOINT]	= "trace endpoint",
	[DDP_STRING_END_TIMESTAMP_NS]	= "end_timestamp_ns",
};

static int intern_cstring(struct ddp_profile *p, const char *s, uint32_t *ret)
{
	return ddp__string_intern(p, s, s ? strlen(s) : 0, ret);
}

static int intern_value_type(struct ddp_profile *p, const struct ddp_value_type *t,
			     struct value_type *ret)
{
	int r = intern_cstring(p, t->type, &ret->type);

	return r ? r : intern_cstring(p, t->unit, &ret->unit);
}

static int intern_value_types(struct ddp_profile *p, const struct ddp_profile_config *c)
{
	size_t i;
	int r = VEC_RESERVE(&p->budget, &p->value_types, c->nr_value_types);

	for (i = 0; !r && i < c->nr_value_types; i++)
		r = intern_value_type(p, &c->value_types[i], &p->value_types.at[i]);
	if (r)
		return r;
	p->value_types.nr = c->nr_value_types;
	if (!c->period_type.type)
		return 0;
	p->has_period_type = true;
	return intern_value_type(p, &c->period_type, &p->period_type);
}

/* The element 0 of mappings, functions and locations: none. Only a mapping is ever found by it. */
static int intern_nothing(struct ddp_profile *p)
{
	uint32_t index;
	int r;

	if ((r = ddp__mapping_intern(p, &(struct mapping){ 0 }, &index)) ||
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
	int r = 0;

	for (i = 0; !r && i < sizeof(fixed_strings) / sizeof(*fixed_strings); i++)
		r = intern_cstring(p, fixed_strings[i], &index);
	if (!r)
		r = intern_value_types(p, c);
	if (r)
		return r;
	p->fixed_strings = p->strings.nr;
	return intern_nothing(p);
}

static struct ddp_profile *profile_alloc(void)
{
	struct ddp_profile *p = ddp__alloc(sizeof(*p));
	uint32_t kind;

	if (!p)
		return NULL;
	p->budget.bytes = sizeof(*p);
	for (kind = 0; kind < NR_ID_KINDS; kind++)
		p->base[kind] = kind << ID_KIND_SHIFT;
	hash_key_init(&p->hash_key);
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
	p->omit_local_root_span_id = config->omit_local_root_span_id;
	p->shared = config->strings ? ddp_strings_ref(config->strings) : NULL;
	r = intern_fixed(p, config);
	if (r) {
		ddp_profile_destroy(p);
		return r;
	}
	*ret = p;
	return 0;
}

enum { NR_TABLES = 13 };

static void all_tables(struct ddp_profile *p, struct table *ret[NR_TABLES])
{
	struct table *all[NR_TABLES] = {
		&p->string_table, &p->mapping_table, &p->function_table, &p->location_table,
		&p->stack_table, &p->chunk_table, &p->label_set_table, &p->sample_table,
		&p->text_table, &p->shared_table, &p->endpoint_table, &p->endpoint_count_table,
		&p->rule_table,
	};

	memcpy(ret, all, sizeof(all));
}

static void free_parts(struct ddp_profile *p)
{
	VEC_FREE(&p->value_types);
	VEC_FREE(&p->strings);
	VEC_FREE(&p->string_bytes);
	VEC_FREE(&p->mappings);
	VEC_FREE(&p->functions);
	VEC_FREE(&p->locations);
	VEC_FREE(&p->lines);
	VEC_FREE(&p->stacks);
	VEC_FREE(&p->chunks);
	VEC_FREE(&p->text_checks);
	VEC_FREE(&p->scratch_keys);
	VEC_FREE(&p->label_sets);
	VEC_FREE(&p->labels);
	VEC_FREE(&p->comments);
	VEC_FREE(&p->shared_strings);
	VEC_FREE(&p->endpoints);
	VEC_FREE(&p->endpoint_counts);
	VEC_FREE(&p->rules);
	VEC_FREE(&p->rule_offsets);
	VEC_FREE(&p->samples);
	VEC_FREE(&p->values);
	VEC_FREE(&p->scratch_labels);
	VEC_FREE(&p->scratch_ids);
}

void ddp_profile_destroy(struct ddp_profile *p)
{
	struct table *tables[NR_TABLES];
	uint32_t i;

	if (!p)
		return;
	ddp__shared_release(p);
	ddp_strings_unref(p->shared);
	all_tables(p, tables);
	for (i = 0; i < NR_TABLES; i++)
		ddp__table_free(tables[i]);
	ddp__timed_free(p);
	free_parts(p);
	ddp__free(p);
}

/* The end of an interval */

/* An empty profile configured like @old. */
static int create_like(const struct ddp_profile *old, struct ddp_profile **ret)
{
	struct ddp_value_type types[MAX_VALUE_TYPES];
	const char *bytes = old->string_bytes.at;
	const struct span *s = old->strings.at;
	struct ddp_profile_config c = {
		.value_types = types, .nr_value_types = old->value_types.nr,
		.period = old->period, .max_bytes = old->budget.max_bytes,
		.strings = old->shared, .omit_local_root_span_id = old->omit_local_root_span_id,
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

/* Behind the ids that were given out; from the start when half of the kind's range is used up */
static uint32_t next_base(enum id_kind kind, uint32_t base, uint32_t fixed, uint32_t nr)
{
	uint32_t start = (uint32_t)kind << ID_KIND_SHIFT, next = base + (nr - fixed);

	return next - start > MAX_ELEMENTS ? start : next;
}

static void advance_ids(struct ddp_profile *p, const struct ddp_profile *old)
{
	const uint32_t used[NR_ID_KINDS][2] = {
		[ID_STRING] = { old->fixed_strings, old->strings.nr },
		[ID_MAPPING] = { 1, old->mappings.nr },
		[ID_FUNCTION] = { 1, old->functions.nr },
		[ID_LOCATION] = { 1, old->locations.nr },
		[ID_STACK] = { 0, old->stacks.nr },
		[ID_LABEL_SET] = { 0, old->label_sets.nr },
	};
	uint32_t kind;

	for (kind = 0; kind < NR_ID_KINDS; kind++)
		p->base[kind] = next_base(kind, old->base[kind], used[kind][0], used[kind][1]);
}

/* Back to what intern_fixed() left, in the memory there is. */
static void clear_parts(struct ddp_profile *p)
{
	struct span last = p->strings.at[p->fixed_strings - 1];

	p->strings.nr = p->fixed_strings;
	p->string_bytes.nr = last.first + last.nr + 1;
	p->mappings.nr = p->functions.nr = p->locations.nr = 1;
	p->lines.nr = 0;
	p->stacks.nr = p->chunks.nr = 0;
	p->label_sets.nr = p->labels.nr = 0;
	p->comments.nr = 0;
	p->endpoints.nr = p->endpoint_counts.nr = 0;
	p->rules.nr = p->rule_offsets.nr = 0;
	p->scaled_by_value = p->scaled_by_label = (struct offset_set){ { 0 } };
	p->samples.nr = p->values.nr = 0;
	memset(p->mapping_memo, 0, sizeof(p->mapping_memo));
	ddp__timed_clear(p);
}

static void clear(struct ddp_profile *p)
{
	struct table *tables[NR_TABLES];
	struct mapping none = { 0 };
	uint32_t i;

	ddp__shared_release(p);
	clear_parts(p);
	all_tables(p, tables);
	for (i = 0; i < NR_TABLES; i++)
		ddp__table_clear(tables[i]);
	for (i = 0; i < p->strings.nr; i++) {
		struct span s = p->strings.at[i];

		ddp__table_insert(&p->string_table,
				  hash_bytes(p, p->string_bytes.at + s.first, s.nr), i);
	}
	ddp__table_insert(&p->mapping_table, hash_bytes(p, &none, sizeof(none)), 0);
}

/* What only adding needs. Encoding asks for endpoints and rules. */
static void drop_indexes(struct ddp_profile *p)
{
	struct table *tables[NR_TABLES];
	uint32_t i;

	all_tables(p, tables);
	for (i = 0; i < NR_TABLES; i++)
		if (tables[i] != &p->endpoint_table && tables[i] != &p->rule_table)
			ddp__table_drop(tables[i], &p->budget);
	VEC_DROP(&p->budget, &p->text_checks);
	VEC_DROP(&p->budget, &p->shared_strings);
	VEC_DROP(&p->budget, &p->scratch_keys);
	VEC_DROP(&p->budget, &p->scratch_labels);
	VEC_DROP(&p->budget, &p->scratch_ids);
}

static int reset_to_snapshot(struct ddp_profile *p, struct ddp_profile **ret_old)
{
	struct ddp_profile *fresh, swap;
	int r = create_like(p, &fresh);

	if (r)
		return r;
	advance_ids(fresh, p);
	ddp__shared_release(p);
	swap = *p;
	*p = *fresh;
	*fresh = swap;
	fresh->is_snapshot = true;
	drop_indexes(fresh);
	*ret_old = fresh;
	return 0;
}

/* Memory that is kept is where it was needed last: under a ceiling it would be missed elsewhere. */
static bool is_worth_keeping(const struct ddp_profile *p)
{
	return !p->budget.max_bytes || p->budget.bytes <= p->budget.max_bytes / 4;
}

static void drop(struct ddp_profile *p)
{
	struct ddp_profile *old;

	if (!is_worth_keeping(p) && !reset_to_snapshot(p, &old)) {
		ddp_profile_destroy(old);
		return;
	}
	advance_ids(p, p);
	clear(p);
}

int ddp_profile_reset(struct ddp_profile *p, int64_t start_unix_ns, struct ddp_profile **ret_old)
{
	int r = 0;

	if (p->is_snapshot)
		return -EROFS;
	if (ret_old)
		r = reset_to_snapshot(p, ret_old);
	else
		drop(p);
	if (!r)
		p->start_unix_ns = start_unix_ns;
	return r;
}

void ddp_profile_count(const struct ddp_profile *p, struct ddp_profile_counts *ret)
{
	*ret = (struct ddp_profile_counts){
		.samples = p->samples.nr + p->timed.nr,
		.timestamped = p->timed.nr,
		.strings = p->strings.nr,
		.mappings = p->mappings.nr - 1,
		.functions = p->functions.nr - 1,
		.locations = p->locations.nr - 1,
		.stacks = p->stacks.nr,
		.label_sets = p->label_sets.nr,
		.endpoints = p->endpoints.nr,
		.endpoint_counts = p->endpoint_counts.nr,
		.upscaling_rules = p->rules.nr,
		.bytes = p->budget.bytes,
	};
}
