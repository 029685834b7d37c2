// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The per-CPU ring. It promises the drain thread every committed record once, in the order of the
 * reservations, and the producers that they never wait. Why it holds: docs/concurrency.md.
 */
#include "ring.h"

/*
 * The first 4 bytes of an entry's header; the other 4 stay zero and keep payloads 8-byte aligned.
 * Zero is "reserved, not committed". The length is the payload's as asked for; the entry spans it
 * rounded up.
 */
#define ENTRY_COMMITTED	(1U << 31)
#define ENTRY_SKIP	(1U << 30)	/* a pad or a discarded entry: no record */
#define ENTRY_LEN	(ENTRY_SKIP - 1)

static u32 entry_span(u32 len)
{
	return DDP_RING_HEADER + ((len + 7) & ~7U);
}

static u32 *header_at(struct ddp_ring *r, u64 pos)
{
	return (u32 *)(r->data + (pos & (r->size - 1)));
}

void ddp_ring_init(struct ddp_ring *r, void *data, u32 size)
{
	memset(r, 0, sizeof(*r));
	r->data = data;
	r->size = size;
}

static void note_high(struct ddp_ring *r, u64 held)
{
	u64 high = ddp_load(&r->high);

	while (held > high) {
		u64 seen = ddp_cmpxchg_local(&r->high, high, held);

		if (seen == high)
			return;
		high = seen;
	}
}

int ddp_ring_reserve(struct ddp_ring *r, u32 len, struct ddp_ring_slot *ret)
{
	u64 head, tail, pos, end;
	u32 span, room;

	/* with more, a pad and the record could need more than the whole ring, for ever */
	if (!len || len > r->size / 2 - DDP_RING_HEADER)
		return -ENOSPC;
	span = entry_span(len);

	/* fails only when a nested producer has made a whole reservation meanwhile */
	do {
		head = ddp_load(&r->head);
		/* acquire: what lies before tail was zeroed before we write over it */
		tail = ddp_load_acquire(&r->tail);
		room = r->size - (u32)(head & (r->size - 1));
		pos = span > room ? head + room : head;
		end = pos + span;
		if (end - tail > r->size) {
			/* a nested producer and the consumer may both have passed our stale head */
			if (ddp_load(&r->head) == head)
				return -ENOSPC;
			continue;
		}
	} while (ddp_cmpxchg_local(&r->head, head, end) != head);

	/* the pad was still zero, so the consumer has waited in front of it */
	if (pos != head)
		ddp_store_release(header_at(r, head),
				  ENTRY_COMMITTED | ENTRY_SKIP | (room - DDP_RING_HEADER));
	note_high(r, end - tail);

	ret->header = header_at(r, pos);
	ret->payload = (u8 *)ret->header + DDP_RING_HEADER;
	ret->len = len;
	return 0;
}

void ddp_ring_commit(struct ddp_ring *r, const struct ddp_ring_slot *s)
{
	(void)r;
	ddp_store_release(s->header, ENTRY_COMMITTED | s->len);
}

void ddp_ring_discard(struct ddp_ring *r, const struct ddp_ring_slot *s)
{
	(void)r;
	ddp_store_release(s->header, ENTRY_COMMITTED | ENTRY_SKIP | s->len);
}

int ddp_ring_write(struct ddp_ring *r, const void *payload, u32 len)
{
	struct ddp_ring_slot slot;
	int err = ddp_ring_reserve(r, len, &slot);

	if (err)
		return err;
	memcpy(slot.payload, payload, len);
	ddp_ring_commit(r, &slot);
	return 0;
}

u64 ddp_ring_head(struct ddp_ring *r)
{
	return ddp_load(&r->head);
}

u64 ddp_ring_tail(struct ddp_ring *r)
{
	return ddp_load(&r->tail);
}

/* Zeroed first, because any 8 of these bytes may become the header of a later entry. */
static void give_back(struct ddp_ring *r, u64 tail, u32 header)
{
	u32 span = entry_span(header & ENTRY_LEN);

	memset(header_at(r, tail), 0, span);
	ddp_store_release(&r->tail, tail + span);
}

const u8 *ddp_ring_peek(struct ddp_ring *r, u64 limit, u32 *len)
{
	u64 tail = ddp_load(&r->tail);

	while (tail < limit) {
		u32 *at = header_at(r, tail);
		u32 header = ddp_load_acquire(at);

		if (!(header & ENTRY_COMMITTED))
			return NULL;
		if (!(header & ENTRY_SKIP)) {
			*len = header & ENTRY_LEN;
			return (const u8 *)at + DDP_RING_HEADER;
		}
		give_back(r, tail, header);
		tail = ddp_load(&r->tail);
	}
	return NULL;
}

void ddp_ring_pop(struct ddp_ring *r)
{
	u64 tail = ddp_load(&r->tail);
	u32 header = ddp_load(header_at(r, tail));

	if (header & ENTRY_COMMITTED)
		give_back(r, tail, header);
}
