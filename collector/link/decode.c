// SPDX-License-Identifier: Apache-2.0
/*
 * See decode.h. One function a record type; what spans records lives in struct stream. A field that
 * does not fit leaves the cursor where it is, and ddp_decode() makes the error text from that place
 * and the reason a function left in the decoder.
 */
#include "link/decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cursor.h"
#include "core/names.h"
#include "base/table.h"

struct stream {
	struct ddp_table ids;		/* stack id -> token */
	/* ids of STACKs with DDPROF_STACK_ONCE; the value is not used */
	struct ddp_table once;
	/* ids that a STACK replaced: they end with the next FOLD_END */
	uint64_t *retired;
	size_t nr_retired, cap_retired;
	struct ddp_names_cache names;
	uint64_t list_aspace;		/* whose MAPs are awaited */
	uint32_t maps_left;		/* 0: none */
	/* a gap may have cut a list: MAPs without one are no error */
	bool maps_lost;
	bool resyncing;			/* between a gap and RECORDS_RESYNC */
	uint64_t lost_ring, lost_nested, lost_tasks, skipped;
};

struct ddp_decoder {
	const struct ddp_decode_ops *ops;
	void *ctx;
	uint32_t nr_events;
	struct ddp_table streams;	/* cpu + 1 -> struct stream *, owned */
	uint64_t next_seq;
	struct ddp_decode_counts counts;
	/* the current batch's first error; NULL: a field that does not fit */
	const char *why;
	uint64_t frames[DDPROF_MAX_DEPTH];
};

static int malformed(struct ddp_decoder *d, const char *why)
{
	d->why = why;
	return -EBADMSG;
}

/* Stack ids */

static void forget_ids(struct ddp_decoder *d, struct stream *s)
{
	ddp_table_for_each(&s->ids, slot)
		d->ops->stack_end(d->ctx, slot->value);
	ddp_table_clear(&s->ids);
	ddp_table_clear(&s->once);
	s->nr_retired = 0;
}

static void end_id(struct ddp_decoder *d, struct stream *s, uint64_t id)
{
	uint64_t token;

	ddp_table_remove(&s->once, id, NULL);
	if (ddp_table_remove(&s->ids, id, &token))
		d->ops->stack_end(d->ctx, token);
}

static int retire(struct ddp_decoder *d, struct stream *s, uint64_t id)
{
	uint64_t *more;

	if (!ddp_table_find(&s->ids, id))
		return 0; /* unknown since a gap */
	if (s->nr_retired >= DDP_MAX_STREAM_IDS)
		return malformed(d, "more replaced stacks between two folds than a cache can have");
	more = array_reserve(s->retired, &s->cap_retired, s->nr_retired + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->retired = more;
	s->retired[s->nr_retired++] = id;
	return 0;
}

/* An id means a newer stack now: what was replaced is over already */
static void unretire(struct stream *s, uint64_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr_retired; i++)
		if (s->retired[i] != id)
			s->retired[kept++] = s->retired[i];
	s->nr_retired = kept;
}

static void fold_end(struct ddp_decoder *d, struct stream *s)
{
	for (size_t i = 0; i < s->nr_retired; i++)
		end_id(d, s, s->retired[i]);
	s->nr_retired = 0;
}

static void stream_destroy(struct ddp_decoder *d, struct stream *s)
{
	forget_ids(d, s);
	ddp_table_free(&s->ids);
	ddp_table_free(&s->once);
	free(s->retired);
	ddp_names_free(&s->names);
	free(s);
}

static int stream_of(struct ddp_decoder *d, uint32_t cpu, struct stream **ret)
{
	uint64_t key = (uint64_t)cpu + 1;
	uint64_t *known = ddp_table_find(&d->streams, key);
	CLEANUP(free) struct stream *s = NULL;
	int r;

	if (known) {
		*ret = ddp_table_pointer(*known);
		return 0;
	}
	if (d->streams.nr >= DDP_MAX_STREAMS)
		return malformed(d, "more CPUs than a kernel has");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = ddp_table_set(&d->streams, key, ddp_table_value(s));
	if (r)
		return r;
	/* a stream that first speaks after a gap has lost its beginning like the others */
	s->resyncing = s->maps_lost = d->counts.gaps > 0;
	*ret = TAKE(s);
	return 0;
}

/* Records */

static int read_frames(struct ddp_decoder *d, struct cursor *c, uint32_t n)
{
	uint64_t delta;
	int r;

	if (!n)
		return 0;
	r = cursor_varint(c, &d->frames[0]);
	for (uint32_t i = 1; !r && i < n; i++) {
		r = cursor_zigzag(c, &delta);
		if (!r)
			d->frames[i] = d->frames[i - 1] + delta;
	}
	return r;
}

static int read_state(struct ddp_decoder *d, struct cursor *c, struct ddp_stack *s)
{
	int r;

	s->state = DDPROF_STATE_NONE;
	if (!(s->flags & DDPROF_STACK_STATE))
		return 0;
	r = cursor_u8(c, &s->state);
	if (!r && s->state >= __DDPROF_STATE_MAX)
		return malformed(d, "a stack of a thread in an unknown state");
	return r;
}

static int read_stack(struct ddp_decoder *d, struct cursor *c, struct ddp_stack *s)
{
	int r = cursor_u8(c, &s->flags);

	r = r ?: cursor_varint(c, &s->id);
	r = r ?: cursor_varint(c, &s->replaces);
	r = r ?: cursor_varint(c, &s->aspace);
	r = r ?: cursor_varint32(c, &s->tgid);
	r = r ?: cursor_varint32(c, &s->tid);
	r = r ?: cursor_varint32(c, &s->event);
	r = r ?: cursor_u8(c, &s->kernel_end);
	r = r ?: cursor_u8(c, &s->user_end);
	r = r ?: cursor_varint32(c, &s->nr_kernel);
	r = r ?: cursor_varint32(c, &s->nr_user);
	if (r)
		return r;
	if (!s->id)
		return malformed(d, "a stack with id 0");
	if (s->event >= d->nr_events)
		return malformed(d, "a stack of an event that was not asked for");
	if (s->kernel_end >= __DDPROF_END_MAX || s->user_end >= __DDPROF_END_MAX)
		return malformed(d, "a stack that ended in an unknown way");
	if ((uint64_t)s->nr_kernel + s->nr_user > DDPROF_MAX_DEPTH)
		return malformed(d, "more frames than a stack can have");
	s->frames = d->frames;
	r = read_frames(d, c, s->nr_kernel + s->nr_user);
	return r ? r : read_state(d, c, s);
}

static int remember_stack(struct ddp_decoder *d, struct stream *s, const struct ddp_stack *stack,
			  uint64_t token)
{
	int r;

	if (ddp_table_find(&s->ids, stack->id)) {
		end_id(d, s, stack->id);
		unretire(s, stack->id);
	}
	r = ddp_table_set(&s->ids, stack->id, token);
	if (r) {
		d->ops->stack_end(d->ctx, token);
		return r;
	}
	if (stack->flags & DDPROF_STACK_ONCE)
		return ddp_table_set(&s->once, stack->id, 0);
	return 0;
}

static int on_stack(struct ddp_decoder *d, struct stream *s, struct cursor *c)
{
	struct ddp_stack stack;
	struct ddp_names names;
	uint64_t token;
	int r = read_stack(d, c, &stack);

	if (r)
		return r;
	if (s->ids.nr >= DDP_MAX_STREAM_IDS)
		return malformed(d, "more stack ids than the module's cache can have");
	if (stack.replaces) {
		r = retire(d, s, stack.replaces);
		if (r)
			return r;
	}
	ddp_names_get(&s->names, stack.tid, &names);
	r = d->ops->stack(d->ctx, &stack, &names, &token);
	return r ? r : remember_stack(d, s, &stack, token);
}

static int on_hit(struct ddp_decoder *d, struct stream *s, struct cursor *c)
{
	struct ddp_hit h = { .count = 1 };
	const uint64_t *token;
	uint8_t flags;
	int r = cursor_u8(c, &flags);

	r = r ?: cursor_varint(c, &h.id);
	if (!r && flags & DDPROF_HIT_COUNT)
		r = cursor_varint(c, &h.count);
	if (!r && flags & DDPROF_HIT_VALUE)
		r = cursor_varint(c, &h.value);
	if (!r && flags & DDPROF_HIT_TIME)
		r = cursor_varint(c, &h.time_ns);
	if (r)
		return r;
	h.has_value = flags & DDPROF_HIT_VALUE;
	h.has_time = flags & DDPROF_HIT_TIME;
	token = ddp_table_find(&s->ids, h.id);
	if (!token) {
		d->counts.unknown_samples += h.count;
		return s->resyncing ? 0 : malformed(d, "a hit on a stack that was never sent");
	}
	r = d->ops->hit(d->ctx, *token, &h);
	if (ddp_table_find(&s->once, h.id))
		end_id(d, s, h.id);
	return r;
}

static void copy_name(char to[DDP_COMM_MAX], const char *from, uint32_t len)
{
	len = len < DDP_COMM_MAX ? len : DDP_COMM_MAX - 1;
	memset(to, 0, DDP_COMM_MAX);
	if (len)
		memcpy(to, from, len);
}

static int on_task(struct ddp_decoder *d, struct stream *s, struct cursor *c)
{
	const char *comm, *leader;
	uint32_t comm_len, leader_len;
	struct ddp_names names;
	struct ddp_task t;
	int r = cursor_u8(c, &t.kind);

	r = r ?: cursor_varint32(c, &t.tgid);
	r = r ?: cursor_varint32(c, &t.tid);
	r = r ?: cursor_varint(c, &t.time_ns);
	r = r ?: cursor_varint32(c, &t.parent);
	r = r ?: cursor_string(c, DDPROF_MAX_STRING, &comm, &comm_len);
	r = r ?: cursor_string(c, DDPROF_MAX_STRING, &leader, &leader_len);
	if (r)
		return r;
	copy_name(names.thread, comm, comm_len);
	copy_name(names.process, leader, leader_len);
	t.comm = names.thread;
	t.leader_comm = names.process;
	if (t.kind == DDPROF_TASK_SEEN)
		r = ddp_names_set(&s->names, t.tid, &names);
	return r ? r : d->ops->task(d->ctx, &t);
}

static int on_aspace(struct ddp_decoder *d, struct stream *s, struct cursor *c)
{
	struct ddp_aspace a;
	int r = cursor_varint(c, &a.aspace);

	r = r ?: cursor_varint(c, &a.layout);
	r = r ?: cursor_varint32(c, &a.tgid);
	r = r ?: cursor_u8(c, &a.flags);
	r = r ?: cursor_varint32(c, &a.nr_maps);
	if (r)
		return r;
	if (!a.aspace)
		return malformed(d, "address space 0 has no mappings to list");
	if (s->maps_left)
		return malformed(d, "an address space begins inside another's list");
	if (a.nr_maps > DDP_MAX_MAPS)
		return malformed(d, "more mappings than an address space can have");
	s->list_aspace = a.aspace;
	s->maps_left = a.nr_maps;
	s->maps_lost = false;
	return d->ops->aspace(d->ctx, &a);
}

static int on_map(struct ddp_decoder *d, struct stream *s, struct cursor *c)
{
	struct ddp_map m;
	int r = cursor_varint(c, &m.aspace);

	r = r ?: cursor_varint(c, &m.start);
	r = r ?: cursor_varint(c, &m.length);
	r = r ?: cursor_varint(c, &m.file_offset);
	r = r ?: cursor_varint(c, &m.file_id);
	r = r ?: cursor_string(c, DDPROF_MAX_STRING, &m.name, &m.name_len);
	if (r)
		return r;
	if (!s->maps_left)
		return s->maps_lost ? 0 : malformed(d, "a mapping outside of a list");
	if (m.aspace != s->list_aspace)
		return malformed(d, "a mapping in another address space's list");
	if (m.start + m.length < m.start || m.file_offset + m.length < m.file_offset)
		return malformed(d, "a mapping past the end of addresses");
	return d->ops->map(d->ctx, &m, --s->maps_left);
}

static int on_file(struct ddp_decoder *d, struct cursor *c)
{
	struct ddp_file f;
	int r = cursor_varint(c, &f.file_id);

	r = r ?: cursor_varint32(c, &f.dev_major);
	r = r ?: cursor_varint32(c, &f.dev_minor);
	r = r ?: cursor_varint(c, &f.inode);
	r = r ?: cursor_varint(c, &f.size);
	r = r ?: cursor_varint(c, &f.mtime_ns);
	r = r ?: cursor_u8(c, &f.flags);
	r = r ?: cursor_string(c, DDPROF_MAX_STRING, &f.path, &f.path_len);
	if (r)
		return r;
	if (!f.file_id)
		return malformed(d, "a file with id 0");
	return d->ops->file(d->ctx, &f);
}

static int on_record(struct ddp_decoder *d, struct stream *s, uint8_t type, struct cursor *payload)
{
	switch (type) {
	case DDPROF_RECORD_STACK:
		return on_stack(d, s, payload);
	case DDPROF_RECORD_HIT:
		return on_hit(d, s, payload);
	case DDPROF_RECORD_FOLD_END:
		fold_end(d, s);
		return 0;
	case DDPROF_RECORD_TASK:
		return on_task(d, s, payload);
	case DDPROF_RECORD_ASPACE:
		return on_aspace(d, s, payload);
	case DDPROF_RECORD_MAP:
		return on_map(d, s, payload);
	case DDPROF_RECORD_FILE:
		return on_file(d, payload);
	default:
		return 0; /* from a newer module */
	}
}

/* Batches */

static void stream_lost(struct ddp_decoder *d, struct stream *s)
{
	forget_ids(d, s);
	s->resyncing = s->maps_lost = true;
	s->maps_left = 0;
}

static bool check_sequence(struct ddp_decoder *d, const struct ddp_batch *b)
{
	bool gap = b->seq != d->next_seq;

	if (gap) {
		d->counts.gaps++;
		/*
		 * a sequence that runs backwards is another session's; how much is missing is not
		 * known
		 */
		d->counts.lost_batches += b->seq > d->next_seq ? b->seq - d->next_seq : 0;
		ddp_table_for_each(&d->streams, slot)
			stream_lost(d, ddp_table_pointer(slot->value));
	}
	d->next_seq = b->seq + 1;
	return gap;
}

static void take_totals(struct stream *s, const struct ddp_batch *b)
{
	s->lost_ring = b->lost_ring;
	s->lost_nested = b->lost_nested;
	s->lost_tasks = b->lost_tasks;
	s->skipped = b->skipped;
}

static int decode_records(struct ddp_decoder *d, struct stream *s, struct cursor *c,
			  struct cursor *payload)
{
	while (cursor_left(c)) {
		uint64_t length;
		uint8_t type;
		int r;

		r = cursor_u8(c, &type);
		r = r ?: cursor_varint(c, &length);
		r = r ?: cursor_slice(c, length, payload);
		if (r) {
			*payload = *c; /* where the error is */
			return r;
		}
		r = on_record(d, s, type, payload);
		if (r)
			return r;
		d->counts.records++;
	}
	return 0;
}

static void say_where(const struct ddp_decoder *d, const struct ddp_batch *b,
		      const struct cursor *c, struct ddp_error *err)
{
	if (!err)
		return;
	if (b->cpu == DDPROF_CPU_NONE)
		snprintf(err->text, sizeof(err->text), "records of the drain thread, byte %zu: %s",
			 cursor_at(c), d->why ? d->why : "a field runs over its record");
	else
		snprintf(err->text, sizeof(err->text), "records of CPU %" PRIu32 ", byte %zu: %s",
			 b->cpu, cursor_at(c), d->why ? d->why : "a field runs over its record");
}

int ddp_decode(struct ddp_decoder *d, const struct ddp_batch *b, struct ddp_error *err)
{
	struct cursor c = cursor_over(b->data, b->data_bytes), payload = c;
	bool gap = check_sequence(d, b);
	struct stream *s;
	int r;

	d->why = NULL;
	d->counts.batches++;
	d->counts.bytes += b->data_bytes;
	r = stream_of(d, b->cpu, &s);
	if (!r) {
		take_totals(s, b);
		if (b->resync)
			s->resyncing = false;
		r = decode_records(d, s, &c, &payload);
		if (r)
			stream_lost(d, s);
	}
	if (r == -EBADMSG) {
		d->counts.malformed++;
		say_where(d, b, &payload, err);
	}
	if (r)
		return r;
	return gap ? DDP_DECODED_GAP : DDP_DECODED;
}

void ddp_decoder_count(const struct ddp_decoder *d, struct ddp_decode_counts *ret)
{
	*ret = d->counts;
	ddp_table_for_each(&d->streams, slot) {
		const struct stream *s = ddp_table_pointer(slot->value);

		ret->lost_ring += s->lost_ring;
		ret->lost_nested += s->lost_nested;
		ret->lost_tasks += s->lost_tasks;
		ret->skipped += s->skipped;
	}
}

int ddp_decoder_create(const struct ddp_decode_ops *ops, void *ctx, uint32_t nr_events,
		       struct ddp_decoder **ret)
{
	struct ddp_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->ops = ops;
	d->ctx = ctx;
	d->nr_events = nr_events;
	*ret = d;
	return 0;
}

void ddp_decoder_destroy(struct ddp_decoder *d)
{
	if (!d)
		return;
	ddp_table_for_each(&d->streams, slot)
		stream_destroy(d, ddp_table_pointer(slot->value));
	ddp_table_free(&d->streams);
	free(d);
}
