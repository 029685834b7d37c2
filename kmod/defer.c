// SPDX-License-Identifier: GPL-2.0
/*
 * Deferred samples; see defer.h. The pool's slots are claimed by a bit each; a filled one goes onto
 * a lock-free list, from there onto the drain thread's own, and its bit is cleared when it was
 * written. The walk here is the interrupt's, with a window over the copy.
 */
#include <linux/bitmap.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/ddprof.h>

#include "batch.h"
#include "capture.h"
#include "defer.h"
#include "mmtrack.h"
#include "session.h"
#include "tables.h"

enum {
	DDP_DEFER_TRIES = 4,		/* slots that others were faster to take */
	DDP_DWARF_REGS = 16,
	DDP_DEFER_PAGE = 4096,		/* no page is smaller */
};

struct ddp_deferred {
	u32 index;			/* in the pool */
	struct llist_node queued;
	struct list_head waiting;	/* drain thread: pool->waiting, oldest first */
	struct ddp_cpu *cpu;		/* whose counters it belongs to */
	struct ddp_stack stack;
	struct ddp_names names;
	struct ddp_mm_ref mm;
	struct ddp_user_regs regs;
	u64 reg[DDP_DWARF_REGS];
	u32 weight;
	bool has_value;
	u64 value, now_ns;
	bool tried;			/* drain thread: with what follows */
	u32 tried_news;
	u64 tried_made_ns;
	u64 stack_at;			/* address of user_stack, regs.sp or a page above */
	u32 stack_bytes;
	bool cut;			/* the stack goes on behind the copy */
	u8 user_stack[DDPROF_DEFER_STACK_BYTES] __aligned(8);
	u64 frames[];			/* session depth */
};

struct ddp_defer {
	struct ddp_session *session;
	DECLARE_BITMAP(taken, DDPROF_MAX_DEFERRED);
	struct llist_head queue;
	struct list_head waiting;	/* drain thread */
	u64 last_id;			/* of stacks in the drain thread's stream */
	struct ddp_window window;	/* drain thread */
	struct ddp_memo memo;		/* drain thread */
	u64 bytes;
	struct ddp_deferred *pool[DDPROF_MAX_DEFERRED];
};

struct ddp_defer *ddp_defer_create(struct ddp_session *s)
{
	size_t bytes = sizeof(struct ddp_deferred) + s->config.depth * sizeof(u64);
	struct ddp_defer *d = kzalloc(sizeof(*d), GFP_KERNEL);
	u32 i;

	if (!d)
		return NULL;
	d->session = s;
	init_llist_head(&d->queue);
	INIT_LIST_HEAD(&d->waiting);
	d->bytes = sizeof(*d) + DDPROF_MAX_DEFERRED * bytes;
	for (i = 0; i < DDPROF_MAX_DEFERRED; i++) {
		d->pool[i] = kvmalloc(bytes, GFP_KERNEL);
		if (!d->pool[i]) {
			ddp_defer_destroy(d);
			return NULL;
		}
		d->pool[i]->index = i;
	}
	return d;
}

/* Whatever the stack held is not ours to keep. */
static void ddp_deferred_wipe(struct ddp_deferred *x)
{
	memzero_explicit(x->user_stack, x->stack_bytes);
}

void ddp_defer_destroy(struct ddp_defer *d)
{
	u32 i;

	for (i = 0; i < DDPROF_MAX_DEFERRED; i++) {
		if (test_bit(i, d->taken))
			ddp_deferred_wipe(d->pool[i]);
		kvfree(d->pool[i]);
	}
	kfree(d);
}

u64 ddp_defer_bytes(const struct ddp_defer *d)
{
	return d->bytes;
}

/* -- interrupt -- */

static struct ddp_deferred *ddp_defer_claim(struct ddp_defer *d)
{
	u32 tries, i;

	for (tries = 0; tries < DDP_DEFER_TRIES; tries++) {
		i = find_first_zero_bit(d->taken, DDPROF_MAX_DEFERRED);
		if (i == DDPROF_MAX_DEFERRED)
			return NULL;
		if (!test_and_set_bit(i, d->taken))
			return d->pool[i];
	}
	return NULL;
}

/*
 * The stack from its pointer up, as far as there is room, in whole pages but for the first: windows
 * read to a page's end. The first pages may not be there yet, when the sample is of the very
 * instruction that touches them; behind the first that is there the copy ends at a hole.
 */
static void ddp_defer_copy(struct ddp_deferred *x, const struct ddp_window *w)
{
	u64 at = x->regs.sp & ~7ULL, limit = x->regs.limit;
	u64 end = at + DDPROF_DEFER_STACK_BYTES;
	u32 part;

	x->stack_bytes = 0;
	x->stack_at = at;
	x->cut = false;
	if (at >= limit || limit - at < DDPROF_DEFER_STACK_BYTES)
		return;
	for (end &= ~(DDP_DEFER_PAGE - 1ULL); at < end; at += part) {
		part = DDP_DEFER_PAGE - (u32)(at & (DDP_DEFER_PAGE - 1));
		if (!w->read(w->ctx, x->user_stack + x->stack_bytes, at, part)) {
			x->stack_bytes += part;
			continue;
		}
		if (x->stack_bytes)
			return;
		x->stack_at = at + part;
	}
	x->cut = true;
}

static u64 ddp_deferred_reg(const void *ctx, u32 number)
{
	const struct ddp_deferred *x = ctx;

	return x->reg[number % DDP_DWARF_REGS];
}

bool ddp_defer_put(struct ddp_cpu *c, const struct ddp_defer_sample *s, struct ddp_window *w)
{
	struct ddp_defer *d = c->session->defer;
	struct ddp_deferred *x;
	u32 i;

	if (!ddp_mmtrack_defer(s->mm))
		return false;
	x = ddp_defer_claim(d);
	if (!x) {
		ddp_mmtrack_undefer(s->mm);
		return false;
	}
	x->cpu = c;
	x->stack = *s->stack;
	x->stack.frames = x->frames;
	memcpy(x->frames, s->stack->frames, s->stack->nr_kernel * sizeof(u64));
	x->names = *s->names;
	x->mm = *s->mm;
	x->mm.ranges = NULL; /* good for this interrupt only */
	x->regs = *s->regs;
	for (i = 0; i < DDP_DWARF_REGS; i++)
		x->reg[i] = s->regs->get(s->regs->ctx, i);
	x->regs.get = ddp_deferred_reg;
	x->regs.ctx = x;
	x->weight = s->weight;
	x->has_value = s->has_value;
	x->value = s->value;
	x->now_ns = s->now_ns;
	x->tried = false;
	ddp_defer_copy(x, w);
	llist_add(&x->queued, &d->queue);
	ddp_capture_wake(c);
	return true;
}

/* -- drain thread -- */

static int ddp_deferred_read(void *ctx, void *to, u64 addr, u32 len)
{
	const struct ddp_deferred *x = ctx;
	u64 skip = addr - x->stack_at;

	if (skip > x->stack_bytes || len > x->stack_bytes - skip)
		return -EFAULT;
	memcpy(to, x->user_stack + skip, len);
	return 0;
}

/* Whether anything that the walk uses has changed since it was last tried. */
static bool ddp_deferred_stale(struct ddp_deferred *x, u32 news, u64 made_ns)
{
	if (x->tried && x->tried_news == news && x->tried_made_ns == made_ns)
		return false;
	x->tried = true;
	x->tried_news = news;
	x->tried_made_ns = made_ns;
	return true;
}

static void ddp_deferred_walk(struct ddp_defer *d, struct ddp_deferred *x,
			      const struct ddp_unwind_ranges *ranges, struct ddp_walk *walk)
{
	struct ddp_stack *k = &x->stack;

	ddp_window_reset(&d->window);
	d->window.read = ddp_deferred_read;
	d->window.ctx = x;
	d->window.memo = &d->memo;
	rcu_read_lock(); /* tables may go; ranges and entries only by this thread */
	k->nr_user = ddp_unwind_user(&d->window, &x->regs, ranges, ddp_tables_stamp(),
				     x->frames + k->nr_kernel,
				     d->session->config.depth - k->nr_kernel, walk);
	rcu_read_unlock();
	if (walk->end == DDPROF_END_UNREADABLE && x->cut)
		walk->end = DDPROF_END_TRUNCATED;
	k->user_end = walk->end;
	if (walk->guessed)
		k->flags |= DDPROF_STACK_GUESSED;
	else
		k->flags &= ~DDPROF_STACK_GUESSED;
}

/* Walk it if that is of use; true when the result is to be written. */
static bool ddp_deferred_try(struct ddp_defer *d, struct ddp_deferred *x, u64 now_ns, bool all,
			     struct ddp_walk *walk)
{
	s64 waited_ns = now_ns - x->now_ns;
	bool late = all || waited_ns > (s64)DDPROF_DEFER_MS * NSEC_PER_MSEC ||
		    ddp_mmtrack_is_dead(&x->mm);
	u32 news = ddp_tables_news(d->session->tables);
	const struct ddp_unwind_ranges *ranges;
	u64 made_ns = 0;

	ranges = ddp_mmtrack_ranges(&x->mm, &made_ns);
	if (!ddp_deferred_stale(x, news, made_ns) && !late)
		return false;
	ddp_deferred_walk(d, x, ranges, walk);
	if (!walk->retry || late)
		return true;
	/* with mappings newer than the sample there is nothing to wait for */
	return walk->unmapped && made_ns > x->now_ns;
}

/* SEEN, STACK and HIT in the drain thread's own stream, where it alone gives out ids. */
static void ddp_deferred_write(struct ddp_defer *d, struct ddp_deferred *x, struct ddp_batch *batch)
{
	struct ddp_task seen = {
		.kind = DDPROF_TASK_SEEN,
		.tgid = x->stack.tgid,
		.tid = x->stack.tid,
		.time_ns = x->now_ns,
		.comm = x->names.comm,
		.leader_comm = x->names.leader,
	};
	struct ddp_hit hit = {
		.count = x->weight,
		.value = x->value,
		.has_value = x->has_value,
		.has_time = d->session->config.flags & DDPROF_FLAG_TIMESTAMPS,
		.time_ns = x->now_ns,
	};
	u32 size = DDP_RECORD_STACK_MAX(x->stack.nr_kernel + x->stack.nr_user);

	x->stack.id = ++d->last_id;
	x->stack.replaces = 0;
	x->stack.flags |= DDPROF_STACK_ONCE;
	hit.id = x->stack.id;
	ddp_batch_select(batch, NULL);
	ddp_batch_advance(batch, ddp_record_task(ddp_batch_room(batch, DDP_RECORD_TASK_MAX),
						 DDP_RECORD_TASK_MAX, &seen));
	ddp_batch_advance(batch, ddp_record_stack(ddp_batch_room(batch, size), size, &x->stack));
	ddp_batch_advance(batch, ddp_record_hit(ddp_batch_room(batch, DDP_RECORD_HIT_MAX),
						DDP_RECORD_HIT_MAX, &hit));
}

static void ddp_deferred_count(struct ddp_deferred *x, const struct ddp_walk *walk)
{
	struct ddp_stats *stats = &x->cpu->deferred_stats;

	stats->new_stacks++; /* it was counted as a sample when it was taken */
	stats->kernel_end[x->stack.kernel_end]++;
	ddp_capture_count_walk(stats, walk);
}

static void ddp_defer_release(struct ddp_defer *d, struct ddp_deferred *x)
{
	list_del(&x->waiting);
	ddp_mmtrack_undefer(&x->mm);
	ddp_deferred_wipe(x);
	/* all of it was read before another interrupt may write to it */
	smp_mb__before_atomic();
	clear_bit(x->index, d->taken);
}

void ddp_defer_flush(struct ddp_defer *d, struct ddp_batch *batch, bool all)
{
	struct llist_node *queued = llist_reverse_order(llist_del_all(&d->queue));
	u64 now_ns = ddp_session_time_ns(d->session);
	struct ddp_deferred *x, *next;
	struct ddp_walk walk;

	llist_for_each_entry_safe(x, next, queued, queued)
		list_add_tail(&x->waiting, &d->waiting);
	list_for_each_entry_safe(x, next, &d->waiting, waiting) {
		if (!ddp_deferred_try(d, x, now_ns, all, &walk))
			continue;
		ddp_deferred_count(x, &walk);
		ddp_deferred_write(d, x, batch);
		ddp_defer_release(d, x);
	}
}

bool ddp_defer_waiting(const struct ddp_defer *d)
{
	return !list_empty(&d->waiting) || !llist_empty(&d->queue);
}
