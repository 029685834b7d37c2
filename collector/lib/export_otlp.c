// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP/HTTP profiles, v1development: a pprof file becomes one request, with a profile for each of
 * its value types, the tags as attributes of the resource and the labels as attributes of samples.
 * The body is gzip. What OTLP has no place for stays behind: comments, drop_frames and keep_frames,
 * which functions a mapping is said to have.
 *
 * Source: opentelemetry-proto 1.10, profiles/v1development; otlp.proto has the field numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ddprof/compress.h"
#include "export_otlp.h"
#include "export_request.h"
#include "export_uuid.h"
#include "sums.h"

#define SCOPE_NAME "libddprof"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)
DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

/* The resource */

static char *keep_text(struct otlp *o, const char *text, size_t n)
{
	char *kept = ddp__otlp_array(o, n + 1, 1);

	if (kept)
		memcpy(kept, text, n);
	return kept;
}

/* With the name that it has there: strlen() of one of ours, the key's own length else */
static char *attribute_name(struct otlp *o, const struct export_tag *t, const char *name)
{
	return keep_text(o, name, name == t->key ? t->key_n : strlen(name));
}

static int add_attribute(struct otlp *o, const struct ddp_buffer *tags, const struct export_tag *t,
			 Ddp__Otlp__Resource *resource)
{
	const char *name = ddp__otlp_name(t->key, t->key_n);
	Ddp__Otlp__KeyValue *pair = resource->attributes[resource->n_attributes];
	Ddp__Otlp__AnyValue **value;

	if (!name || !ddp__export_first_of_key(tags, t))
		return 0;
	value = ddp__otlp_messages(o, 1, &ddp__otlp__any_value__descriptor);
	pair->key = attribute_name(o, t, name);
	if (!value || !pair->key)
		return -ENOMEM;
	pair->value = *value;
	pair->value->value_case = DDP__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	pair->value->string_value = keep_text(o, t->value, t->value_n);
	resource->n_attributes++;
	return pair->value->string_value ? 0 : -ENOMEM;
}

static int make_resource(struct otlp *o, const struct ddp_buffer *tags,
			 Ddp__Otlp__Resource *resource)
{
	struct export_tag t;
	size_t at = 0, nr = 0;
	int r = 0;

	while (ddp__export_next_tag(tags, &at, &t))
		nr++;
	resource->attributes = ddp__otlp_messages(o, nr, &ddp__otlp__key_value__descriptor);
	if (!resource->attributes)
		return -ENOMEM;
	for (at = 0; !r && ddp__export_next_tag(tags, &at, &t);)
		r = add_attribute(o, tags, &t, resource);
	return r;
}

/* Profiles: one a value type */

static int64_t value_of(const struct otlp *o, const struct otlp_sample *s, size_t column)
{
	return o->pool.values.at[(s->number - 1) * o->pool.nr_values + column];
}

/* Is @b a further observation of @a? Those with a time and those without are kept apart */
static bool same_sample(const struct otlp_sample *a, const struct otlp_sample *b)
{
	return a->stack == b->stack && a->attributes == b->attributes &&
	       !a->timestamp_unix_ns == !b->timestamp_unix_ns;
}

static const struct otlp_sample *end_of_sample(const struct otlp *o, const struct otlp_sample *s)
{
	const struct otlp_sample *end = s + 1;

	while (end < o->samples + o->pool.samples.nr && same_sample(s, end))
		end++;
	return end;
}

/* Where the next observations of a profile go */
struct observations {
	int64_t *values;
	uint64_t *timestamps_unix_ns;
};

/* Without times there is one value: of what only differed by a label that is not sent, the sum */
static void observe(struct otlp *o, size_t column, const struct otlp_sample *s,
		    Ddp__Otlp__Sample *ret)
{
	int64_t value = value_of(o, s, column);

	if (!s->timestamp_unix_ns && ret->n_values) {
		ret->values[0] = sum_add(ret->values[0], value);
		return;
	}
	if (!value)
		return;
	ret->timestamps_unix_nano[ret->n_values] = s->timestamp_unix_ns;
	ret->values[ret->n_values++] = value;
}

/* Observations [first, end) as one sample, without those that are 0 */
static void make_sample(struct otlp *o, size_t column, const struct otlp_sample *first,
			const struct otlp_sample *end, struct observations *room,
			Ddp__Otlp__Sample *ret)
{
	const struct otlp_sample *s;

	ret->values = room->values;
	ret->timestamps_unix_nano = room->timestamps_unix_ns;
	for (s = first; s < end; s++)
		observe(o, column, s, ret);
	room->values += ret->n_values;
	room->timestamps_unix_ns += ret->n_values;
	ret->n_timestamps_unix_nano = first->timestamp_unix_ns ? ret->n_values : 0;
	ret->stack_index = first->stack;
	ddp__otlp_list(o, first->attributes, &ret->n_attribute_indices, &ret->attribute_indices);
}

static size_t count_samples(const struct otlp *o)
{
	const struct otlp_sample *s, *end = o->samples + o->pool.samples.nr;
	size_t nr = 0;

	for (s = o->samples; s < end; s = end_of_sample(o, s))
		nr++;
	return nr;
}

static int make_samples(struct otlp *o, size_t column, Ddp__Otlp__Profile *p)
{
	const struct otlp_sample *s, *next, *end = o->samples + o->pool.samples.nr;
	struct observations room = {
		.values = ddp__otlp_array(o, o->pool.samples.nr, sizeof(int64_t)),
		.timestamps_unix_ns = ddp__otlp_array(o, o->pool.samples.nr, sizeof(uint64_t)),
	};

	p->samples = ddp__otlp_messages(o, count_samples(o), &ddp__otlp__sample__descriptor);
	if (!p->samples || !room.values || !room.timestamps_unix_ns)
		return -ENOMEM;
	for (s = o->samples; s < end; s = next) {
		next = end_of_sample(o, s);
		make_sample(o, column, s, next, &room, p->samples[p->n_samples]);
		p->n_samples += p->samples[p->n_samples]->n_values > 0;
	}
	return 0;
}

static int make_type(struct otlp *o, const struct ddp_value_type *from, Ddp__Otlp__ValueType **ret)
{
	Ddp__Otlp__ValueType **type = ddp__otlp_messages(o, 1, &ddp__otlp__value_type__descriptor);
	uint32_t name, unit;
	int r;

	if (!type)
		return -ENOMEM;
	if ((r = ddp__pprof_string(&o->pool.strings, from->type, &name)) ||
	    (r = ddp__pprof_string(&o->pool.strings, from->unit, &unit)))
		return r;
	(*type)->type_strindex = name;
	(*type)->unit_strindex = unit;
	*ret = *type;
	return 0;
}

/* The upload's id with the column in it: each profile has an id of its own, always the same */
static int make_id(struct otlp *o, const char *id, size_t column, ProtobufCBinaryData *ret)
{
	if (!id)
		return 0;
	ret->data = ddp__otlp_array(o, UUID_BYTES, 1);
	if (!ret->data)
		return -ENOMEM;
	ret->len = UUID_BYTES;
	if (!ddp__uuid_parse(id, ret->data))
		return -EINVAL;
	ret->data[UUID_BYTES - 1] ^= column;
	ret->data[UUID_BYTES - 2] ^= column >> 8;
	return 0;
}

static int make_profile(struct otlp *o, const struct ddp_export_form *form,
			const struct ddp_pprof *from, size_t column, Ddp__Otlp__Profile *p)
{
	int64_t duration_ns = form->end_unix_ns - form->start_unix_ns;
	int r;

	p->time_unix_nano = form->start_unix_ns;
	p->duration_nano = duration_ns > 0 ? duration_ns : 0;
	p->period = from->period;
	if ((r = make_type(o, &from->sample_types[column], &p->sample_type)) ||
	    (*from->period_type.type &&
	     (r = make_type(o, &from->period_type, &p->period_type))) ||
	    (r = make_id(o, form->id, column, &p->profile_id)))
		return r;
	return make_samples(o, column, p);
}

static int make_scope(struct otlp *o, const struct ddp_export_form *form,
		      const struct ddp_pprof *from, Ddp__Otlp__ScopeProfiles *ret)
{
	Ddp__Otlp__Scope **scope = ddp__otlp_messages(o, 1, &ddp__otlp__scope__descriptor);
	size_t i;
	int r = 0;

	ret->n_profiles = from->nr_sample_types;
	ret->profiles = ddp__otlp_messages(o, ret->n_profiles, &ddp__otlp__profile__descriptor);
	if (!scope || !ret->profiles)
		return -ENOMEM;
	ret->scope = *scope;
	ret->scope->name = SCOPE_NAME;
	ret->scope->version = (char *)ddp_version();
	for (i = 0; !r && i < ret->n_profiles; i++)
		r = make_profile(o, form, from, i, ret->profiles[i]);
	return r;
}

/* The request */

/* protobuf-c's way out ends in a write callback, whose first error counts */
struct sink {
	ProtobufCBuffer base;
	void *compressor;
	int error;
};

static void append(ProtobufCBuffer *base, size_t n, const uint8_t *bytes)
{
	struct sink *s = (struct sink *)base;

	if (!s->error && n)
		s->error = ddp_compressor_write(s->compressor, bytes, n);
}

static int pack(const ProtobufCMessage *message, struct ddp_buffer *to)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *gzip = NULL;
	struct sink sink = { .base.append = append };
	int r = ddp_compressor_create(DDP_GZIP, 0, ddp_buffer_write, to, &gzip);

	if (r)
		return r;
	sink.compressor = gzip;
	protobuf_c_message_pack_to_buffer(message, &sink.base);
	return sink.error ? sink.error : ddp_compressor_finish(gzip);
}

static int convert(const struct ddp_export_form *form, const struct ddp_pprof *from,
		   struct ddp_buffer *to)
{
	Ddp__Otlp__ExportRequest request = DDP__OTLP__EXPORT_REQUEST__INIT;
	Ddp__Otlp__ResourceProfiles by_resource = DDP__OTLP__RESOURCE_PROFILES__INIT;
	Ddp__Otlp__ScopeProfiles by_scope = DDP__OTLP__SCOPE_PROFILES__INIT;
	Ddp__Otlp__Resource resource = DDP__OTLP__RESOURCE__INIT;
	Ddp__Otlp__Dictionary dictionary = DDP__OTLP__DICTIONARY__INIT;
	CLEANUP(ddp__otlp_deinit) struct otlp o;
	int r = ddp__otlp_init(&o, from);

	if (r || (r = make_resource(&o, form->tags, &resource)) ||
	    (r = make_scope(&o, form, from, &by_scope)) ||
	    (r = ddp__otlp_dictionary(&o, &dictionary)))
		return r;
	by_resource.resource = &resource;
	by_resource.n_scope_profiles = 1;
	by_resource.scope_profiles = (Ddp__Otlp__ScopeProfiles *[]){ &by_scope };
	request.n_resource_profiles = 1;
	request.resource_profiles = (Ddp__Otlp__ResourceProfiles *[]){ &by_resource };
	request.dictionary = &dictionary;
	return pack(&request.base, to);
}

int ddp__export_otlp(const struct ddp_export_form *form, struct export_request *q,
		     struct ddp_error *err)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	int r = ddp__export_one_profile(form, "OTLP", err);

	if (r)
		return r;
	if (form->start_unix_ns < 0 || form->end_unix_ns < 0)
		return -EINVAL;
	r = ddp_pprof_load(form->profile, form->profile_bytes, NULL, &p, err);
	return r ? r : convert(form, p, &q->body);
}

/* The answer */

static void *allocate(void *data, size_t n)
{
	(void)data;
	return ddp__alloc(n);
}

static void release(void *data, void *p)
{
	(void)data;
	ddp__free(p);
}

int ddp__export_otlp_answer(const void *bytes, size_t n, char *message, size_t size)
{
	ProtobufCAllocator memory = { allocate, release, NULL };
	Ddp__Otlp__ExportResponse *answer = ddp__otlp__export_response__unpack(&memory, n, bytes);
	const Ddp__Otlp__PartialSuccess *part = answer ? answer->partial_success : NULL;
	int class = DDP_EXPORT_OK;

	if (part && part->rejected_profiles > 0) {
		snprintf(message, size, "%lld profiles rejected: %s",
			 (long long)part->rejected_profiles, part->error_message);
		class = DDP_EXPORT_REFUSED;
	} else if (part && *part->error_message) {
		snprintf(message, size, "taken, with a warning: %s", part->error_message);
	}
	if (answer)
		ddp__otlp__export_response__free_unpacked(answer, &memory);
	return class;
}
