// SPDX-License-Identifier: Apache-2.0
/*
 * The dictionary of an OTLP request, and samples by their positions in it. See export_otlp.h.
 *
 * Names of attributes: OpenTelemetry's semantic conventions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export_otlp.h"

#define TIMESTAMP_LABEL	"end_timestamp_ns"
#define BUILD_ID_NAME	"process.executable.build_id.gnu"

static const char zeros[16];

/* Tags and labels by what they are called there. NULL: neither resource nor sample is told by it */
static const struct {
	const char *ours, *theirs;
} names[] = {
	{ "service", "service.name" },
	{ "env", "deployment.environment.name" },
	{ "version", "service.version" },
	{ "runtime-id", "service.instance.id" },
	{ "host", "host.name" },
	{ "cpu_arch", "host.arch" },
	{ "container_id", "container.id" },
	{ "pod_uid", "k8s.pod.uid" },
	{ "process_id", "process.pid" },
	{ "process_name", "process.executable.name" },
	{ "thread id", "thread.id" },
	{ "thread_name", "thread.name" },
	{ "profile_seq", NULL },	/* would make each upload a resource of its own */
};

const char *ddp__otlp_name(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].ours) == n && !memcmp(names[i].ours, name, n))
			return names[i].theirs;
	return name;
}

/* Memory */

struct otlp_block {
	struct otlp_block *next;
	_Alignas(16) unsigned char bytes[];
};

void *ddp__otlp_array(struct otlp *o, size_t nr, size_t bytes)
{
	struct otlp_block *block = NULL;

	if (nr <= (SIZE_MAX - sizeof(*block)) / bytes)
		block = ddp__alloc(sizeof(*block) + nr * bytes);
	if (!block)
		return NULL;
	block->next = o->blocks;
	o->blocks = block;
	return block->bytes;
}

void *ddp__otlp_messages(struct otlp *o, size_t nr, const ProtobufCMessageDescriptor *type)
{
	unsigned char *all = ddp__otlp_array(o, nr, type->sizeof_message);
	ProtobufCMessage **pointers = ddp__otlp_array(o, nr, sizeof(*pointers));
	size_t i;

	if (!all || !pointers)
		return NULL;
	for (i = 0; i < nr; i++) {
		pointers[i] = (ProtobufCMessage *)(void *)(all + i * type->sizeof_message);
		type->message_init(pointers[i]);
	}
	return pointers;
}

/* Signed there, and below 2^31: what was loaded fits into memory */
void ddp__otlp_list(struct otlp *o, uint32_t list, size_t *nr, int32_t **ret)
{
	struct pool_list l = { 0 };

	if (list)
		l = o->pool.lists.at[list - 1];
	*nr = l.nr;
	*ret = (int32_t *)(o->pool.numbers.at + l.first);
}

/* Attributes */

static const struct pool_label *label_at(const struct otlp *o, uint32_t number)
{
	return POOL_AT(&o->pool.labels, struct pool_label, number);
}

static const char *text_at(const struct otlp *o, uint32_t string)
{
	return o->pool.strings.all.at[string].text;
}

/* The label of the name that it has there; *ret 0: it is not sent */
static int rename_label(struct otlp *o, uint32_t number, uint32_t *ret)
{
	const struct pool_label *l = label_at(o, number);
	const char *key = text_at(o, l->key), *name = ddp__otlp_name(key, strlen(key));
	struct ddp_pprof_label renamed = {
		.key = name, .str = l->str ? text_at(o, l->str) : NULL, .num = l->num,
		.num_unit = text_at(o, l->num_unit),
	};

	*ret = name ? number : 0;
	return !name || name == key ? 0 : ddp__pool_label(&o->pool, &renamed, ret);
}

/* Label @number's position, 0 for one that is not sent */
static int attribute_of_label(struct otlp *o, uint32_t number, uint32_t *ret)
{
	struct pool_label l;
	int r = rename_label(o, number, &number);

	*ret = number ? o->attribute_of[number] : 0;
	if (r || !number || *ret)
		return r;
	r = VEC_RESERVE(&o->pool.budget, &o->attributes, 1);
	if (r)
		return r;
	l = *label_at(o, number);
	o->attributes.at[o->attributes.nr++] = (struct otlp_attribute){
		.key = l.key, .str = l.str, .unit = l.num_unit, .num = l.num };
	*ret = o->attribute_of[number] = o->attributes.nr;
	return 0;
}

/* A key may be there once: pprof's may have a label several times */
static bool has_key(const struct otlp *o, const uint32_t *attributes, uint32_t nr, uint32_t of)
{
	uint32_t key = o->attributes.at[of - 1].key, i;

	for (i = 0; i < nr; i++)
		if (o->attributes.at[attributes[i] - 1].key == key)
			return true;
	return false;
}

static bool is_timestamp(const struct otlp *o, const struct pool_label *l)
{
	return !l->str && l->num > 0 && !strcmp(text_at(o, l->key), TIMESTAMP_LABEL);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* In one order for each set of them. @into has room for all of the list @labels */
static int collect_attributes(struct otlp *o, uint32_t labels, uint32_t *into, uint32_t *nr,
			      uint64_t *timestamp_unix_ns)
{
	uint32_t number, attribute, i;
	int r;

	*nr = 0;
	for (i = 0; labels && i < o->pool.lists.at[labels - 1].nr; i++) {
		number = o->pool.numbers.at[o->pool.lists.at[labels - 1].first + i];
		if (is_timestamp(o, label_at(o, number))) {
			*timestamp_unix_ns = label_at(o, number)->num;
			continue;
		}
		r = attribute_of_label(o, number, &attribute);
		if (r)
			return r;
		if (attribute && !has_key(o, into, *nr, attribute))
			into[(*nr)++] = attribute;
	}
	if (*nr > 1)
		qsort(into, *nr, sizeof(*into), compare_numbers);
	return 0;
}

/* Samples */

static int put_stack(struct otlp *o, uint32_t list, uint32_t *ret)
{
	int r = 0;

	if (list && !o->stack_of[list]) {
		r = VEC_RESERVE(&o->pool.budget, &o->stacks, 1);
		if (r)
			return r;
		o->stacks.at[o->stacks.nr++] = list;
		o->stack_of[list] = o->stacks.nr;
	}
	*ret = o->stack_of[list];
	return r;
}

static int put_sample(struct otlp *o, uint32_t number, uint32_t *scratch)
{
	struct pool_sample from = *POOL_AT(&o->pool.samples, struct pool_sample, number);
	struct otlp_sample *s = &o->samples[number - 1];
	uint32_t nr;
	int r;

	s->number = number;
	if ((r = put_stack(o, from.stack, &s->stack)) ||
	    (r = collect_attributes(o, from.labels, scratch, &nr, &s->timestamp_unix_ns)))
		return r;
	return ddp__pool_list(&o->pool, scratch, nr, &s->attributes);
}

static int compare_samples(const void *a, const void *b)
{
	const struct otlp_sample *x = a, *y = b;

	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	if (x->attributes != y->attributes)
		return x->attributes < y->attributes ? -1 : 1;
	if (x->timestamp_unix_ns != y->timestamp_unix_ns)
		return x->timestamp_unix_ns < y->timestamp_unix_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int put_samples(struct otlp *o)
{
	CLEANUP(ddp__free) uint32_t *scratch = NULL;
	uint32_t i, longest = 1;
	int r = 0;

	for (i = 0; i < o->pool.lists.nr; i++)
		if (o->pool.lists.at[i].nr > longest)
			longest = o->pool.lists.at[i].nr;
	scratch = ddp__alloc(longest * sizeof(*scratch));
	o->samples = ddp__otlp_array(o, o->pool.samples.nr, sizeof(*o->samples));
	o->stack_of = ddp__otlp_array(o, o->pool.lists.nr + 1, sizeof(*o->stack_of));
	/* each may get another name, and a mapping's build-id is one more */
	o->attribute_of = ddp__otlp_array(o, 2 * (size_t)o->pool.labels.nr +
					  o->pool.mappings.nr + 1, sizeof(*o->attribute_of));
	if (!scratch || !o->samples || !o->stack_of || !o->attribute_of)
		return -ENOMEM;
	for (i = 1; !r && i <= o->pool.samples.nr; i++)
		r = put_sample(o, i, scratch);
	if (!r)
		qsort(o->samples, o->pool.samples.nr, sizeof(*o->samples), compare_samples);
	return r;
}

static int put_mapping(struct otlp *o, const struct ddp_pprof_mapping *m, uint32_t i)
{
	const struct ddp_pprof_label build_id = { .key = BUILD_ID_NAME, .str = m->build_id,
						  .num_unit = "" };
	uint32_t label, attribute;
	int r = ddp__pprof_string(&o->pool.strings, m->filename, &o->mapping_names[i]);

	if (r || !*m->build_id)
		return r;
	if ((r = ddp__pool_label(&o->pool, &build_id, &label)) ||
	    (r = attribute_of_label(o, label, &attribute)))
		return r;
	return ddp__pool_list(&o->pool, &attribute, 1, &o->mapping_attributes[i]);
}

static int put_mappings(struct otlp *o)
{
	uint32_t i, nr = o->pool.mappings.nr;
	int r = 0;

	o->mapping_names = ddp__otlp_array(o, nr, sizeof(*o->mapping_names));
	o->mapping_attributes = ddp__otlp_array(o, nr, sizeof(*o->mapping_attributes));
	if (!o->mapping_names || !o->mapping_attributes)
		return -ENOMEM;
	for (i = 0; !r && i < nr; i++)
		r = put_mapping(o, POOL_AT(&o->pool.mappings, struct pool_mapping, i + 1)->first,
				i);
	return r;
}

int ddp__otlp_init(struct otlp *o, const struct ddp_pprof *p)
{
	struct pool_source source = { .p = p };
	size_t *columns, i;
	int r;

	*o = (struct otlp){ .blocks = NULL };
	r = ddp__pool_init(&o->pool);
	columns = ddp__otlp_array(o, p->nr_sample_types, sizeof(*columns));
	if (r || !columns)
		return -ENOMEM;
	for (i = 0; i < p->nr_sample_types; i++)
		columns[i] = i;
	o->pool.nr_values = p->nr_sample_types;
	source.columns = columns;
	if (!(r = ddp__pool_add(&o->pool, &source)) && !(r = put_samples(o)))
		r = put_mappings(o);
	return r == -E2BIG ? -EFBIG : r;
}

void ddp__otlp_deinit(struct otlp *o)
{
	struct otlp_block *block, *next;

	for (block = o->blocks; block; block = next) {
		next = block->next;
		ddp__free(block);
	}
	VEC_FREE(&o->stacks);
	VEC_FREE(&o->attributes);
	ddp__pool_deinit(&o->pool);
}

/* Tables. Each begins with an empty entry. */

static int make_mappings(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i;

	d->n_mapping_table = o->pool.mappings.nr + 1;
	d->mapping_table = ddp__otlp_messages(o, d->n_mapping_table,
					      &ddp__otlp__mapping__descriptor);
	for (i = 1; d->mapping_table && i < d->n_mapping_table; i++) {
		const struct pool_mapping *from = POOL_AT(&o->pool.mappings, struct pool_mapping,
							  i);
		Ddp__Otlp__Mapping *m = d->mapping_table[i];

		m->memory_start = from->first->start;
		m->memory_limit = from->first->limit;
		m->file_offset = from->first->file_offset;
		m->filename_strindex = o->mapping_names[i - 1];
		ddp__otlp_list(o, o->mapping_attributes[i - 1], &m->n_attribute_indices,
			       &m->attribute_indices);
	}
	return d->mapping_table ? 0 : -ENOMEM;
}

static int make_lines(struct otlp *o, uint32_t list, Ddp__Otlp__Location *l)
{
	int32_t *numbers;
	size_t i;

	ddp__otlp_list(o, list, &l->n_lines, &numbers);
	l->lines = ddp__otlp_messages(o, l->n_lines, &ddp__otlp__line__descriptor);
	for (i = 0; l->lines && i < l->n_lines; i++) {
		const struct pool_line *from = POOL_AT(&o->pool.lines, struct pool_line,
						       numbers[i]);

		l->lines[i]->function_index = from->function;
		l->lines[i]->line = from->line;
		l->lines[i]->column = from->column;
	}
	return l->lines ? 0 : -ENOMEM;
}

static int make_locations(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i;
	int r = 0;

	d->n_location_table = o->pool.locations.nr + 1;
	d->location_table = ddp__otlp_messages(o, d->n_location_table,
					       &ddp__otlp__location__descriptor);
	for (i = 1; !r && d->location_table && i < d->n_location_table; i++) {
		const struct pool_location *from = POOL_AT(&o->pool.locations,
							   struct pool_location, i);
		Ddp__Otlp__Location *l = d->location_table[i];

		l->mapping_index = from->mapping;
		l->address = from->offset;
		if (from->mapping)
			l->address += d->mapping_table[from->mapping]->memory_start;
		r = make_lines(o, from->lines, l);
	}
	return d->location_table ? r : -ENOMEM;
}

static int make_functions(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i;

	d->n_function_table = o->pool.functions.nr + 1;
	d->function_table = ddp__otlp_messages(o, d->n_function_table,
					       &ddp__otlp__function__descriptor);
	for (i = 1; d->function_table && i < d->n_function_table; i++) {
		const struct pool_function *from = POOL_AT(&o->pool.functions,
							   struct pool_function, i);

		d->function_table[i]->name_strindex = from->name;
		d->function_table[i]->system_name_strindex = from->system_name;
		d->function_table[i]->filename_strindex = from->filename;
		d->function_table[i]->start_line = from->start_line;
	}
	return d->function_table ? 0 : -ENOMEM;
}

static int make_stacks(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i;

	d->n_stack_table = o->stacks.nr + 1;
	d->stack_table = ddp__otlp_messages(o, d->n_stack_table, &ddp__otlp__stack__descriptor);
	for (i = 1; d->stack_table && i < d->n_stack_table; i++)
		ddp__otlp_list(o, o->stacks.at[i - 1], &d->stack_table[i]->n_location_indices,
			       &d->stack_table[i]->location_indices);
	return d->stack_table ? 0 : -ENOMEM;
}

static int make_attributes(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i, nr = o->attributes.nr + 1;
	Ddp__Otlp__AnyValue **values = ddp__otlp_messages(o, nr,
							  &ddp__otlp__any_value__descriptor);

	d->n_attribute_table = nr;
	d->attribute_table = ddp__otlp_messages(o, nr, &ddp__otlp__key_value_and_unit__descriptor);
	for (i = 1; values && d->attribute_table && i < nr; i++) {
		const struct otlp_attribute *from = &o->attributes.at[i - 1];

		d->attribute_table[i]->key_strindex = from->key;
		d->attribute_table[i]->unit_strindex = from->unit;
		d->attribute_table[i]->value = values[i];
		values[i]->value_case = from->str ? DDP__OTLP__ANY_VALUE__VALUE_STRING_VALUE :
						    DDP__OTLP__ANY_VALUE__VALUE_INT_VALUE;
		if (from->str)
			values[i]->string_value = (char *)text_at(o, from->str);
		else
			values[i]->int_value = from->num;
	}
	return values && d->attribute_table ? 0 : -ENOMEM;
}

/* No link, of the lengths that links have */
static int make_links(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	d->n_link_table = 1;
	d->link_table = ddp__otlp_messages(o, 1, &ddp__otlp__link__descriptor);
	if (!d->link_table)
		return -ENOMEM;
	d->link_table[0]->trace_id = (ProtobufCBinaryData){ 16, (uint8_t *)zeros };
	d->link_table[0]->span_id = (ProtobufCBinaryData){ 8, (uint8_t *)zeros };
	return 0;
}

static int make_strings(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	size_t i;

	d->n_string_table = o->pool.strings.all.nr;
	d->string_table = ddp__otlp_array(o, d->n_string_table, sizeof(*d->string_table));
	for (i = 0; d->string_table && i < d->n_string_table; i++)
		d->string_table[i] = (char *)text_at(o, i);
	return d->string_table ? 0 : -ENOMEM;
}

int ddp__otlp_dictionary(struct otlp *o, Ddp__Otlp__Dictionary *d)
{
	int r;

	if ((r = make_mappings(o, d)) || (r = make_locations(o, d)) ||
	    (r = make_functions(o, d)) || (r = make_stacks(o, d)) ||
	    (r = make_attributes(o, d)) || (r = make_links(o, d)))
		return r;
	return make_strings(o, d);
}
