// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* See blocked.h. */
#include "blocked.h"

enum {
	LINE_SLOTS = 4,		/* of a cache line */
	NEAR_SLOTS = 8,		/* where a thread may be: its line and the next */
};

static u32 first_slot(const struct ddp_blocked *b, u32 tid)
{
	/* by the golden ratio: neighbours in number, the threads of one pool, spread evenly */
	u32 lines = b->nr / LINE_SLOTS;

	return (u32)((u64)(tid * 0x9e3779b1U) * lines >> 32) * LINE_SLOTS;
}

static struct ddp_blocked_slot *slot_at(struct ddp_blocked *b, u32 first, u32 i)
{
	return &b->slots[(first + i) & (b->nr - 1)];
}

static struct ddp_blocked_slot *find(struct ddp_blocked *b, u32 tid)
{
	u32 first = first_slot(b, tid), i;
	struct ddp_blocked_slot *slot;

	for (i = 0; i < NEAR_SLOTS; i++) {
		slot = slot_at(b, first, i);
		if (ddp_load(&slot->tid) == tid)
			return slot;
	}
	return NULL;
}

static struct ddp_blocked_slot *claim(struct ddp_blocked *b, u32 tid)
{
	u32 first = first_slot(b, tid), i;
	struct ddp_blocked_slot *slot;

	for (i = 0; i < NEAR_SLOTS; i++) {
		slot = slot_at(b, first, i);
		if (!ddp_load(&slot->tid) && !ddp_cmpxchg(&slot->tid, 0, tid))
			return slot;
	}
	return NULL;
}

bool ddp_blocked_put(struct ddp_blocked *b, u32 tid, u32 state, u64 now_ns)
{
	/* not in already, if all who run are taken out; else its slot tells of this time */
	struct ddp_blocked_slot *slot = find(b, tid) ?: claim(b, tid);

	if (!slot)
		return false;
	ddp_store(&slot->state, state);
	ddp_store(&slot->since_ns, now_ns);
	return true;
}

bool ddp_blocked_take(struct ddp_blocked *b, u32 tid, u32 *ret_state, u64 *ret_since_ns)
{
	struct ddp_blocked_slot *slot = find(b, tid);

	if (!slot)
		return false;
	*ret_state = ddp_load(&slot->state);
	*ret_since_ns = ddp_load(&slot->since_ns);
	ddp_store_release(&slot->tid, 0);
	return true;
}
