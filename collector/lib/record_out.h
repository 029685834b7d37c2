/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's bytes through a small buffer, for everything that writes pprof: record.c, and the
 * encoders of a builder's and of a loaded profile. Each out_ has its len_, so that a nested
 * message's length is known before it is written and nothing is built in memory.
 *
 *	struct record_out o;
 *
 *	out_init(&o, write, ctx);
 *	out_message(&o, 1, len_number(1, type) + len_number(2, unit));
 *	out_number(&o, 1, type);
 *	out_number(&o, 2, unit);
 *	return ddp__out_finish(&o);
 *
 * Errors stick: after the first one nothing more is handed out, and ddp__out_finish() reports it.
 * A long loop looks at o.error now and then.
 *
 * Source: protobuf's encoding guide.
 */
#ifndef DDPROF_LIB_RECORD_OUT_H
#define DDPROF_LIB_RECORD_OUT_H

#include "alloc.h"
#include "ddprof/record.h"
#include "varint.h"

enum {
	OUT_BUFFER_BYTES = 8192,		/* one write callback for a few hundred fields */
	OUT_MAX_BYTES = INT32_MAX,		/* protobuf's own limit */
};

enum wire_type { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

struct record_out {
	ddp_write_fn write;
	void *ctx;
	int error;
	uint64_t total;	/* bytes handed out */
	size_t n;	/* bytes in the buffer */
	unsigned char buffer[OUT_BUFFER_BYTES];
};

static inline void out_init(struct record_out *o, ddp_write_fn write, void *ctx)
{
	o->write = write;
	o->ctx = ctx;
	o->error = 0;
	o->total = 0;
	o->n = 0;
}

DDP_INTERNAL void ddp__out_flush(struct record_out *o);
DDP_INTERNAL void ddp__out_bytes(struct record_out *o, const void *bytes, size_t n);

/* Text, repaired where it is not UTF-8; and a string field of it */
DDP_INTERNAL void ddp__out_text(struct record_out *o, const char *s, size_t n);
DDP_INTERNAL void ddp__out_string(struct record_out *o, uint32_t field, const char *s, size_t n);

/* Hands out the rest. 0, -EFBIG, or what the callback answered. */
DDP_INTERNAL int ddp__out_finish(struct record_out *o);

static inline size_t len_varint(uint64_t v)
{
	return (63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static inline void out_varint(struct record_out *o, uint64_t v)
{
	if (sizeof(o->buffer) - o->n < VARINT_BYTES)
		ddp__out_flush(o);
	o->n = varint_put(o->buffer + o->n, v) - o->buffer;
}

static inline size_t len_tag(uint32_t field)
{
	return len_varint((uint64_t)field << 3);
}

static inline void out_tag(struct record_out *o, uint32_t field, enum wire_type type)
{
	out_varint(o, (uint64_t)field << 3 | type);
}

/* A number that is written even when it is zero */
static inline size_t len_always(uint32_t field, uint64_t v)
{
	return len_tag(field) + len_varint(v);
}

static inline void out_always(struct record_out *o, uint32_t field, uint64_t v)
{
	out_tag(o, field, WIRE_VARINT);
	out_varint(o, v);
}

/* A number that is left out when it is zero */
static inline size_t len_number(uint32_t field, uint64_t v)
{
	return v ? len_always(field, v) : 0;
}

static inline void out_number(struct record_out *o, uint32_t field, uint64_t v)
{
	if (v)
		out_always(o, field, v);
}

/* Whatever has a length, with its @body; out_message() writes what goes before the body. */
static inline uint64_t len_message(uint32_t field, uint64_t body)
{
	return len_tag(field) + len_varint(body) + body;
}

static inline void out_message(struct record_out *o, uint32_t field, uint64_t body)
{
	out_tag(o, field, WIRE_BYTES);
	out_varint(o, body);
}

/* Several numbers without tags: bytes of all, and all. int64_t may be cast. */
static inline uint64_t len_packed(const uint64_t *numbers, size_t nr)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		n += len_varint(numbers[i]);
	return n;
}

static inline void out_packed(struct record_out *o, const uint64_t *numbers, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		out_varint(o, numbers[i]);
}

/* The messages of ddprof/record.h: bytes of the body, and the body. */
DDP_INTERNAL uint64_t ddp__len_value_type(const struct ddp_record_value_type *t);
DDP_INTERNAL void ddp__out_value_type(struct record_out *o, const struct ddp_record_value_type *t);
DDP_INTERNAL uint64_t ddp__len_label(const struct ddp_record_label *l);
DDP_INTERNAL void ddp__out_label(struct record_out *o, const struct ddp_record_label *l);
DDP_INTERNAL uint64_t ddp__len_line(const struct ddp_record_line *l);
DDP_INTERNAL void ddp__out_line(struct record_out *o, const struct ddp_record_line *l);
DDP_INTERNAL uint64_t ddp__len_location(const struct ddp_record_location *l);
DDP_INTERNAL void ddp__out_location(struct record_out *o, const struct ddp_record_location *l);
DDP_INTERNAL uint64_t ddp__len_mapping(const struct ddp_record_mapping *m);
DDP_INTERNAL void ddp__out_mapping(struct record_out *o, const struct ddp_record_mapping *m);
DDP_INTERNAL uint64_t ddp__len_function(const struct ddp_record_function *f);
DDP_INTERNAL void ddp__out_function(struct record_out *o, const struct ddp_record_function *f);
DDP_INTERNAL uint64_t ddp__len_sample(const struct ddp_record_sample *s);
DDP_INTERNAL void ddp__out_sample(struct record_out *o, const struct ddp_record_sample *s);

#endif /* DDPROF_LIB_RECORD_OUT_H */
