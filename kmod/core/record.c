// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The encoder of uapi/ddprof.h's records. It promises minimal varints, and never to write past the
 * caller's buffer: a field that does not fit marks the writer full, and the record's size is 0.
 */
#include "record.h"
#include "../../uapi/ddprof.h"

enum { LENGTH_LIMIT = 1 << 21 };	/* payloads stay below: three bytes of length */

struct writer {
	u8 *start;	/* of the record */
	u8 *at;
	u8 *end;
	bool full;
};

static void writer_fail(struct writer *w)
{
	w->full = true;
	w->end = w->at;
}

static u32 varint_bytes(u64 v)
{
	u32 n = 1;

	while (v >>= 7)
		n++;
	return n;
}

static void put_u8(struct writer *w, u8 v)
{
	if (w->at == w->end)
		writer_fail(w);
	else
		*w->at++ = v;
}

static u8 *varint_write(u8 *at, u64 v)
{
	while (v >= 0x80) {
		*at++ = (u8)v | 0x80;
		v >>= 7;
	}
	*at++ = (u8)v;
	return at;
}

static void put_varint(struct writer *w, u64 v)
{
	size_t room = w->end - w->at;

	if (room < DDP_VARINT_MAX && room < varint_bytes(v))
		writer_fail(w);
	else
		w->at = varint_write(w->at, v);
}

static void put_zigzag(struct writer *w, u64 difference)
{
	put_varint(w, difference << 1 ^ (0 - (difference >> 63)));
}

static void put_string(struct writer *w, const char *s, u32 len)
{
	if (len > DDPROF_MAX_STRING)
		len = DDPROF_MAX_STRING;
	put_varint(w, len);
	if ((size_t)(w->end - w->at) < len) {
		writer_fail(w);
		return;
	}
	memcpy(w->at, s, len);
	w->at += len;
}

static void put_comm(struct writer *w, const char *comm)
{
	put_string(w, comm, strnlen(comm, DDP_COMM_MAX));
}

/* Leaves one byte for the length, which is enough for most records. */
static void record_begin(struct writer *w, void *buf, u32 size, u8 type)
{
	w->start = buf;
	w->at = buf;
	w->end = w->start + size;
	w->full = false;
	put_u8(w, type);
	put_u8(w, 0);
}

/* Write the length, moving the payload up when that takes more than the one byte. */
static u32 record_end(struct writer *w)
{
	u8 *payload = w->start + 2;
	u32 len, more;

	if (w->full)
		return 0;
	len = w->at - payload;
	more = varint_bytes(len) - 1;
	if (len >= LENGTH_LIMIT || (size_t)(w->end - w->at) < more)
		return 0;
	if (more)
		memmove(payload + more, payload, len);
	varint_write(w->start + 1, len);
	return 2 + more + len;
}

/*
 * Most of a record, and of the time it takes: with room for the longest there is nothing to check.
 */
static void put_frames(struct writer *w, const u64 *frames, u32 n)
{
	u64 last = 0, difference;
	u8 *at = w->at;
	u32 i;

	if ((size_t)(w->end - w->at) / DDP_VARINT_MAX < n) {
		for (i = 0; i < n; i++)
			if (i)
				put_zigzag(w, frames[i] - frames[i - 1]);
			else
				put_varint(w, frames[i]);
		return;
	}
	for (i = 0; i < n; i++) {
		difference = frames[i] - last;
		last = frames[i];
		at = varint_write(at, i ? difference << 1 ^ (0 - (difference >> 63)) : last);
	}
	w->at = at;
}

u32 ddp_record_stack(void *buf, u32 size, const struct ddp_stack *s)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_STACK);
	put_u8(&w, s->flags);
	put_varint(&w, s->id);
	put_varint(&w, s->replaces);
	put_varint(&w, s->aspace);
	put_varint(&w, s->tgid);
	put_varint(&w, s->tid);
	put_varint(&w, s->event);
	put_u8(&w, s->kernel_end);
	put_u8(&w, s->user_end);
	put_varint(&w, s->nr_kernel);
	put_varint(&w, s->nr_user);
	put_frames(&w, s->frames, s->nr_kernel + s->nr_user);
	if (s->flags & DDPROF_STACK_STATE)
		put_u8(&w, s->state);
	return record_end(&w);
}

u32 ddp_record_hit(void *buf, u32 size, const struct ddp_hit *h)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_HIT);
	put_u8(&w, (h->count != 1 ? DDPROF_HIT_COUNT : 0) |
		   (h->has_value ? DDPROF_HIT_VALUE : 0) | (h->has_time ? DDPROF_HIT_TIME : 0));
	put_varint(&w, h->id);
	if (h->count != 1)
		put_varint(&w, h->count);
	if (h->has_value)
		put_varint(&w, h->value);
	if (h->has_time)
		put_varint(&w, h->time_ns);
	return record_end(&w);
}

u32 ddp_record_fold_end(void *buf, u32 size)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_FOLD_END);
	return record_end(&w);
}

u32 ddp_record_task(void *buf, u32 size, const struct ddp_task *t)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_TASK);
	put_u8(&w, t->kind);
	put_varint(&w, t->tgid);
	put_varint(&w, t->tid);
	put_varint(&w, t->time_ns);
	put_varint(&w, t->parent);
	put_comm(&w, t->comm);
	put_comm(&w, t->leader_comm);
	return record_end(&w);
}

u32 ddp_record_aspace(void *buf, u32 size, const struct ddp_aspace *a)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_ASPACE);
	put_varint(&w, a->aspace);
	put_varint(&w, a->layout);
	put_varint(&w, a->tgid);
	put_u8(&w, a->flags);
	put_varint(&w, a->nr_maps);
	return record_end(&w);
}

u32 ddp_record_map(void *buf, u32 size, const struct ddp_map *m)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_MAP);
	put_varint(&w, m->aspace);
	put_varint(&w, m->start);
	put_varint(&w, m->length);
	put_varint(&w, m->file_offset);
	put_varint(&w, m->file_id);
	put_string(&w, m->name, m->name_len);
	return record_end(&w);
}

u32 ddp_record_file(void *buf, u32 size, const struct ddp_file *f)
{
	struct writer w;

	record_begin(&w, buf, size, DDPROF_RECORD_FILE);
	put_varint(&w, f->file_id);
	put_varint(&w, f->dev_major);
	put_varint(&w, f->dev_minor);
	put_varint(&w, f->inode);
	put_varint(&w, f->size);
	put_varint(&w, f->mtime_ns);
	put_u8(&w, f->flags);
	put_string(&w, f->path, f->path_len);
	return record_end(&w);
}
