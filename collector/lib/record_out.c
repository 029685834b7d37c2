// SPDX-License-Identifier: Apache-2.0
/*
 * The slow paths of record_out.h, and the bodies of pprof's messages: which members there are,
 * under which numbers, and which of them are always written.
 *
 * Source: field numbers, pprof's profile.proto.
 */
#include <errno.h>
#include <string.h>

#include "record_out.h"
#include "utf8.h"

/* Hands out bytes of the buffer or of somebody else. */
static void hand_out(struct record_out *o, const void *bytes, size_t n)
{
	if (o->error || !n)
		return;
	o->total += n;
	o->error = o->total > OUT_MAX_BYTES ? -EFBIG : o->write(o->ctx, bytes, n);
}

void ddp__out_flush(struct record_out *o)
{
	hand_out(o, o->buffer, o->n);
	o->n = 0;
}

void ddp__out_bytes(struct record_out *o, const void *bytes, size_t n)
{
	if (!n)
		return;
	if (n > sizeof(o->buffer) - o->n)
		ddp__out_flush(o);
	if (n > sizeof(o->buffer)) {
		hand_out(o, bytes, n);
		return;
	}
	memcpy(o->buffer + o->n, bytes, n);
	o->n += n;
}

int ddp__out_finish(struct record_out *o)
{
	ddp__out_flush(o);
	return o->error;
}

void ddp__out_text(struct record_out *o, const char *s, size_t n)
{
	size_t good;

	while (n) {
		good = ddp__utf8_valid(s, n);
		ddp__out_bytes(o, s, good);
		s += good;
		n -= good;
		if (n) {
			ddp__out_bytes(o, UTF8_REPLACEMENT, UTF8_REPLACEMENT_BYTES);
			good = ddp__utf8_bad(s, n);
			s += good;
			n -= good;
		}
	}
}

void ddp__out_string(struct record_out *o, uint32_t field, const char *s, size_t n)
{
	out_message(o, field, ddp__utf8_repaired_len(s, n));
	ddp__out_text(o, s, n);
}

uint64_t ddp__len_value_type(const struct ddp_record_value_type *t)
{
	return len_number(1, t->type) + len_number(2, t->unit);
}

void ddp__out_value_type(struct record_out *o, const struct ddp_record_value_type *t)
{
	out_number(o, 1, t->type);
	out_number(o, 2, t->unit);
}

uint64_t ddp__len_label(const struct ddp_record_label *l)
{
	return len_number(1, l->key) + len_number(2, l->str) + len_number(3, l->num) +
	       len_number(4, l->num_unit);
}

void ddp__out_label(struct record_out *o, const struct ddp_record_label *l)
{
	out_number(o, 1, l->key);
	out_number(o, 2, l->str);
	out_number(o, 3, l->num);
	out_number(o, 4, l->num_unit);
}

uint64_t ddp__len_line(const struct ddp_record_line *l)
{
	return len_number(1, l->function_id) + len_number(2, l->line) + len_number(3, l->column);
}

void ddp__out_line(struct record_out *o, const struct ddp_record_line *l)
{
	out_number(o, 1, l->function_id);
	out_number(o, 2, l->line);
	out_number(o, 3, l->column);
}

uint64_t ddp__len_location(const struct ddp_record_location *l)
{
	uint64_t n = len_always(1, l->id) + len_number(2, l->mapping_id) +
		     len_number(3, l->address) + len_number(5, l->is_folded);
	size_t i;

	for (i = 0; i < l->nr_lines; i++)
		n += len_message(4, ddp__len_line(&l->lines[i]));
	return n;
}

void ddp__out_location(struct record_out *o, const struct ddp_record_location *l)
{
	size_t i;

	out_always(o, 1, l->id);
	out_number(o, 2, l->mapping_id);
	out_number(o, 3, l->address);
	for (i = 0; i < l->nr_lines; i++) {
		out_message(o, 4, ddp__len_line(&l->lines[i]));
		ddp__out_line(o, &l->lines[i]);
	}
	out_number(o, 5, l->is_folded);
}

uint64_t ddp__len_mapping(const struct ddp_record_mapping *m)
{
	return len_always(1, m->id) + len_number(2, m->memory_start) +
	       len_number(3, m->memory_limit) + len_number(4, m->file_offset) +
	       len_number(5, m->filename) + len_number(6, m->build_id) +
	       len_number(7, m->has_functions) + len_number(8, m->has_filenames) +
	       len_number(9, m->has_line_numbers) + len_number(10, m->has_inline_frames);
}

void ddp__out_mapping(struct record_out *o, const struct ddp_record_mapping *m)
{
	out_always(o, 1, m->id);
	out_number(o, 2, m->memory_start);
	out_number(o, 3, m->memory_limit);
	out_number(o, 4, m->file_offset);
	out_number(o, 5, m->filename);
	out_number(o, 6, m->build_id);
	out_number(o, 7, m->has_functions);
	out_number(o, 8, m->has_filenames);
	out_number(o, 9, m->has_line_numbers);
	out_number(o, 10, m->has_inline_frames);
}

uint64_t ddp__len_function(const struct ddp_record_function *f)
{
	return len_always(1, f->id) + len_number(2, f->name) + len_number(3, f->system_name) +
	       len_number(4, f->filename) + len_number(5, f->start_line);
}

void ddp__out_function(struct record_out *o, const struct ddp_record_function *f)
{
	out_always(o, 1, f->id);
	out_number(o, 2, f->name);
	out_number(o, 3, f->system_name);
	out_number(o, 4, f->filename);
	out_number(o, 5, f->start_line);
}

static uint64_t len_locations(const struct ddp_record_sample *s)
{
	return len_packed(s->location_ids, s->nr_locations);
}

static uint64_t len_values(const struct ddp_record_sample *s)
{
	return len_packed((const uint64_t *)s->values, s->nr_values);
}

uint64_t ddp__len_sample(const struct ddp_record_sample *s)
{
	uint64_t n = len_message(1, len_locations(s)) + len_message(2, len_values(s));
	size_t i;

	for (i = 0; i < s->nr_labels; i++)
		n += len_message(3, ddp__len_label(&s->labels[i]));
	return n;
}

void ddp__out_sample(struct record_out *o, const struct ddp_record_sample *s)
{
	size_t i;

	out_message(o, 1, len_locations(s));
	out_packed(o, s->location_ids, s->nr_locations);
	out_message(o, 2, len_values(s));
	out_packed(o, (const uint64_t *)s->values, s->nr_values);
	for (i = 0; i < s->nr_labels; i++) {
		out_message(o, 3, ddp__len_label(&s->labels[i]));
		ddp__out_label(o, &s->labels[i]);
	}
}
