// SPDX-License-Identifier: Apache-2.0
/*
 * One record of ddprof/record.h: is it left out, how long is it, and its bytes, to a callback or
 * into memory. The messages' bodies are in record_out.c.
 */
#include <errno.h>
#include <string.h>

#include "record_out.h"
#include "utf8.h"

enum { MAX_FIELD = (1 << 29) - 1 };	/* protobuf's: what a tag of 32 bits has room for */

static uint64_t len_value(const struct ddp_record *r)
{
	switch (r->kind) {
	case DDP_RECORD_NUMBER:
		return len_varint(r->number);
	case DDP_RECORD_STRING:
		return r->string.n ? ddp__utf8_repaired_len(r->string.bytes, r->string.n) : 0;
	case DDP_RECORD_PACKED:
		return len_packed(r->packed.numbers, r->packed.nr);
	case DDP_RECORD_VALUE_TYPE:
		return ddp__len_value_type(r->value_type);
	case DDP_RECORD_LABEL:
		return ddp__len_label(r->label);
	case DDP_RECORD_LINE:
		return ddp__len_line(r->line);
	case DDP_RECORD_LOCATION:
		return ddp__len_location(r->location);
	case DDP_RECORD_MAPPING:
		return ddp__len_mapping(r->mapping);
	case DDP_RECORD_FUNCTION:
		return ddp__len_function(r->function);
	case DDP_RECORD_SAMPLE:
		return ddp__len_sample(r->sample);
	}
	return 0;
}

/* Are all members zero? @len is the value's; ids and a sample's arrays are written even then. */
static bool is_zero(const struct ddp_record *r, uint64_t len)
{
	switch (r->kind) {
	case DDP_RECORD_NUMBER:
		return !r->number;
	case DDP_RECORD_LOCATION:
		return !r->location->id && len == len_always(1, 0);
	case DDP_RECORD_MAPPING:
		return !r->mapping->id && len == len_always(1, 0);
	case DDP_RECORD_FUNCTION:
		return !r->function->id && len == len_always(1, 0);
	case DDP_RECORD_SAMPLE:
		return len == len_message(1, 0) + len_message(2, 0);
	default:
		return !len;
	}
}

static void out_value(struct record_out *o, const struct ddp_record *r)
{
	switch (r->kind) {
	case DDP_RECORD_NUMBER:
		out_varint(o, r->number);
		break;
	case DDP_RECORD_STRING:
		ddp__out_text(o, r->string.bytes, r->string.n);
		break;
	case DDP_RECORD_PACKED:
		out_packed(o, r->packed.numbers, r->packed.nr);
		break;
	case DDP_RECORD_VALUE_TYPE:
		ddp__out_value_type(o, r->value_type);
		break;
	case DDP_RECORD_LABEL:
		ddp__out_label(o, r->label);
		break;
	case DDP_RECORD_LINE:
		ddp__out_line(o, r->line);
		break;
	case DDP_RECORD_LOCATION:
		ddp__out_location(o, r->location);
		break;
	case DDP_RECORD_MAPPING:
		ddp__out_mapping(o, r->mapping);
		break;
	case DDP_RECORD_FUNCTION:
		ddp__out_function(o, r->function);
		break;
	case DDP_RECORD_SAMPLE:
		ddp__out_sample(o, r->sample);
		break;
	}
}

/* A record with its lengths */
struct measured {
	uint64_t value;	/* bytes of the value */
	uint64_t all;	/* with tag and length; 0: left out */
};

static int measure(const struct ddp_record *r, struct measured *ret)
{
	uint64_t len;

	if ((unsigned int)r->kind > DDP_RECORD_SAMPLE || r->field > MAX_FIELD)
		return -EINVAL;
	len = len_value(r);
	*ret = (struct measured){ .value = len, .all = len };
	if (r->leave_out_zero && is_zero(r, len))
		ret->all = 0;
	else if (r->field && r->kind == DDP_RECORD_NUMBER)
		ret->all = len_tag(r->field) + len;
	else if (r->field)
		ret->all = len_message(r->field, len);
	return ret->all > OUT_MAX_BYTES ? -EFBIG : 0;
}

static int write_measured(const struct ddp_record *r, const struct measured *m, ddp_write_fn write,
			  void *ctx)
{
	struct record_out o;

	if (!m->all)
		return 0;
	out_init(&o, write, ctx);
	if (r->field && r->kind == DDP_RECORD_NUMBER)
		out_tag(&o, r->field, WIRE_VARINT);
	else if (r->field)
		out_message(&o, r->field, m->value);
	out_value(&o, r);
	return ddp__out_finish(&o);
}

int ddp_record_size(const struct ddp_record *r, size_t *ret)
{
	struct measured m;
	int err = measure(r, &m);

	if (!err)
		*ret = m.all;
	return err;
}

int ddp_record_write(const struct ddp_record *r, ddp_write_fn write, void *ctx)
{
	struct measured m;
	int err = measure(r, &m);

	return err ? err : write_measured(r, &m, write, ctx);
}

static int append(void *ctx, const void *bytes, size_t n)
{
	unsigned char **at = ctx;

	memcpy(*at, bytes, n);
	*at += n;
	return 0;
}

int ddp_record_put(const struct ddp_record *r, void *to, size_t capacity, size_t *ret_n)
{
	unsigned char *at = to;
	struct measured m;
	int err = measure(r, &m);

	if (err)
		return err;
	if (m.all > capacity)
		return -ENOBUFS;
	err = write_measured(r, &m, append, &at);
	if (!err)
		*ret_n = m.all;
	return err;
}
