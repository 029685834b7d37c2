/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The per-CPU ring between the contexts that sample and the drain thread: many producers nested on
 * one CPU (task with interrupts off, interrupt, NMI; each may interrupt the ones before it), one
 * consumer on any CPU. Producers never wait: what does not fit is refused. The order of records is
 * the order of reservations.
 *
 * Layout: each entry is an 8-byte header and its payload, 8-byte aligned. `head` and `tail` are
 * byte positions that only grow; head is written by producers (local cmpxchg), tail by the
 * consumer. A header of 0 means reserved but not committed, so the consumer zeroes what it gives
 * back before it releases tail. Payloads never wrap: a reservation that would cross the end is
 * preceded by a pad entry. The protocol, with the proof obligations, is docs/concurrency.md; a host
 * test interleaves it step by step.
 */
#ifndef DDP_CORE_RING_H
#define DDP_CORE_RING_H

#include "port.h"

enum { DDP_RING_HEADER = 8 };

struct ddp_ring {
	u8 *data;	/* size bytes, 8-byte aligned, zero at the start; the caller's */
	u32 size;	/* power of two, >= 4096 */
	u64 head;	/* bytes ever reserved */
	u64 high;	/* the most bytes ever held at once; producers */

	/* the consumer's, on a cache line of its own */
	u64 tail __aligned(64);	/* bytes ever given back */
};

/* What a reservation hands out; payload is valid until commit or discard. */
struct ddp_ring_slot {
	u8 *payload;
	u32 *header;
	u32 len;	/* payload bytes as reserved */
};

void ddp_ring_init(struct ddp_ring *r, void *data, u32 size);

/*
 * Producers, on the ring's CPU, not migrating. Reserve @len payload bytes: 0 or -ENOSPC. Lengths
 * outside 1 .. size/2 - DDP_RING_HEADER are always refused: behind a pad they might never fit.
 */
int ddp_ring_reserve(struct ddp_ring *r, u32 len, struct ddp_ring_slot *ret);
void ddp_ring_commit(struct ddp_ring *r, const struct ddp_ring_slot *s);
/* Give the room back unread: the consumer steps over it. */
void ddp_ring_discard(struct ddp_ring *r, const struct ddp_ring_slot *s);
/* reserve, copy, commit. */
int ddp_ring_write(struct ddp_ring *r, const void *payload, u32 len);

/* Consumer. The position up to which all is reserved now; compare with ddp_ring_tail(). */
u64 ddp_ring_head(struct ddp_ring *r);
u64 ddp_ring_tail(struct ddp_ring *r);
/*
 * The next committed payload before position @limit, without giving it back; NULL when there is
 * none yet. Steps over (and gives back) pads and discarded entries. The payload stays valid until
 * ddp_ring_pop.
 */
const u8 *ddp_ring_peek(struct ddp_ring *r, u64 limit, u32 *len);
/* Give back what the last peek returned. */
void ddp_ring_pop(struct ddp_ring *r);

#endif /* DDP_CORE_RING_H */
