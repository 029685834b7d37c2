// SPDX-License-Identifier: GPL-2.0
/*
 * The sampling path: ddp_capture() and what it needs. All of it runs in interrupt or NMI context on
 * memory that was allocated before, is bounded by the session's depth, and takes no lock. What it
 * cannot do it counts.
 */
#include <linux/hardirq.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "capture.h"
#include "defer.h"
#include "mmtrack.h"
#include "session.h"
#include "tables.h"
#include "unwind_kernel.h"

/* A sample on its way from the registers to a record. */
struct ddp_sample {
	struct ddp_stack stack;	/* frames are the scratch's */
	u64 names;		/* digest of tid, thread name and process name */
	u64 layout;		/* sign of the address space's mappings */
	u32 weight;		/* samples this one stands for */
	u64 value;		/* in the event's unit, when has_value */
	const struct ddp_block *block;	/* NULL: it was running, not blocked */
	/* of weight and value, what it took over from samples that were skipped */
	u32 owed;
	u64 owed_value;
	bool has_value;
	u64 now_ns;
	struct ddp_walk walk;	/* of the user half; ended_in is good inside the RCU section */
	bool deferred;		/* put aside: the drain thread goes on with it */
};

void ddp_capture_wake(struct ddp_cpu *c)
{
	irq_work_queue(&c->wake);
}

void ddp_capture_filled(struct ddp_cpu *c)
{
	if (c->ring.head - READ_ONCE(c->ring.tail) <= c->ring.size / 4 || READ_ONCE(c->woken))
		return;
	WRITE_ONCE(c->woken, true);
	ddp_capture_wake(c);
}

static void ddp_names_get(struct ddp_names *names)
{
	memcpy(names->comm, current->comm, DDP_COMM_MAX);
	/*
	 * A thread that is hashed still has its leader; one that its parent reaped a moment ago
	 * might not. The leader's memory lives for a grace period after that, which cannot end
	 * while we hold up this CPU.
	 */
	if (pid_alive(current))
		memcpy(names->leader, READ_ONCE(current->group_leader)->comm, DDP_COMM_MAX);
	else
		memcpy(names->leader, names->comm, DDP_COMM_MAX);
}

static u64 ddp_names_digest(const struct ddp_hash_key *key, const struct ddp_names *names)
{
	u64 words[1 + 2 * DDP_COMM_MAX / sizeof(u64)];
	struct ddp_hash h;

	BUILD_BUG_ON(sizeof(*names) != sizeof(words) - sizeof(words[0]));
	words[0] = current->pid;
	memcpy(words + 1, names, sizeof(*names));
	ddp_hash_init(&h, key);
	ddp_hash_words(&h, key, words, ARRAY_SIZE(words));
	/* both lanes: names are any bytes that a thread likes; never 0, the empty slot */
	return (h.a ^ h.b) | 1;
}

static void ddp_sample_hash(const struct ddp_hash_key *key, const struct ddp_sample *s,
			    struct ddp_hash *h)
{
	const struct ddp_stack *k = &s->stack;

	ddp_hash_init(h, key);
	ddp_hash_pair(h, key, (u64)k->tgid << 32 | k->tid, s->names);
	ddp_hash_pair(h, key, k->aspace, s->layout);
	ddp_hash_pair(h, key, (u64)k->nr_kernel << 32 | k->nr_user,
		      (u64)k->state << 32 | (u32)k->flags << 24 | k->event << 16 |
			      k->kernel_end << 8 | k->user_end);
	ddp_hash_words(h, key, k->frames, k->nr_kernel + k->nr_user);
}

/*
 * Whether current's memory can be read at all right now is found out by one word, a sample; in an
 * interrupt that does not change before its end.
 */
static bool ddp_user_loaded(struct ddp_scratch *x, u64 addr)
{
	u64 word;

	if (!x->user_loaded)
		x->user_loaded = !ddp_copy_from_user_nofault(&word, addr, sizeof(word));
	return x->user_loaded;
}

static int ddp_window_read_user(void *ctx, void *to, u64 addr, u32 len)
{
	if (!in_nmi() && !(len % sizeof(u64)))
		return ddp_user_loaded(ctx, addr) ? ddp_read_user_words(to, addr, len) : -EFAULT;
	return ddp_copy_from_user_nofault(to, addr, len);
}

void ddp_capture_count_walk(struct ddp_stats *stats, const struct ddp_walk *walk)
{
	stats->user_end[walk->end]++;
	if (walk->guessed)
		stats->guessed++;
	if (walk->ended_in)
		atomic64_inc(&container_of(walk->ended_in, struct ddp_table_file, unwind)->ended);
}

/* Whether the same walk, done by the drain thread a little later, may say more. */
static bool ddp_walk_can_wait(struct ddp_cpu *c, const struct ddp_user_regs *uregs,
			      const struct ddp_mm_ref *mm, const struct ddp_walk *walk)
{
	if (!c->session->defer || !walk->retry || uregs->compat || !mm->slot)
		return false;
	return !walk->unmapped || ddp_mmtrack_miss(c, mm);
}

static bool ddp_sample_defer(struct ddp_cpu *c, struct ddp_scratch *x, const struct ddp_sample *s,
			     const struct ddp_user_regs *uregs, const struct ddp_mm_ref *mm,
			     const struct ddp_names *names)
{
	struct ddp_defer_sample sample = {
		.stack = &s->stack,
		.names = names,
		.regs = uregs,
		.mm = mm,
		.weight = s->weight,
		.value = s->value,
		.has_value = s->has_value,
		.now_ns = s->now_ns,
	};

	if (ddp_defer_put(c, &sample, &x->window)) {
		x->stats.deferred++;
		return true;
	}
	x->stats.defer_full++;
	return false;
}

/* The user half: walked here, or put aside for the drain thread to walk. */
static void ddp_sample_user(struct ddp_cpu *c, struct ddp_scratch *x, struct ddp_sample *s,
			    const struct ddp_user_regs *uregs, const struct ddp_names *names)
{
	u32 depth = c->session->config.depth;
	struct ddp_stack *k = &s->stack;
	struct ddp_mm_ref mm;

	ddp_mmtrack_current(c, &mm);
	k->aspace = mm.aspace;
	s->layout = mm.layout;
	ddp_window_reset(&x->window);
	x->window.read = ddp_window_read_user;
	x->window.ctx = x;
	x->window.memo = &x->memo;
	x->user_loaded = false;
	k->nr_user = ddp_unwind_user(&x->window, uregs, mm.ranges, ddp_tables_stamp(),
				     x->frames + k->nr_kernel, depth - k->nr_kernel, &s->walk);
	s->deferred = ddp_walk_can_wait(c, uregs, &mm, &s->walk) &&
		      ddp_sample_defer(c, x, s, uregs, &mm, names);
	if (s->walk.guessed)
		k->flags |= DDPROF_STACK_GUESSED;
	if (!k->aspace)
		x->stats.no_aspace++;
}

static void ddp_sample_walk(struct ddp_cpu *c, struct ddp_scratch *x, struct pt_regs *regs,
			    struct ddp_sample *s, const struct ddp_names *names)
{
	const struct ddp_config *config = &c->session->config;
	struct ddp_user_regs uregs;
	struct ddp_stack *k = &s->stack;

	if ((config->flags & DDPROF_FLAG_KERNEL) && !user_mode(regs))
		k->nr_kernel = ddp_unwind_kernel(regs, x->frames, config->depth, &k->kernel_end);
	if (!(config->flags & DDPROF_FLAG_USER) || !ddp_user_regs(regs, &uregs))
		return;
	if (uregs.exact)
		k->flags |= DDPROF_STACK_USER_EXACT;
	if (k->nr_kernel < config->depth)
		ddp_sample_user(c, x, s, &uregs, names);
	else
		s->walk.end = DDPROF_END_TRUNCATED;
	k->user_end = s->walk.end;
}

static void ddp_sample_as_hit(const struct ddp_cpu *c, const struct ddp_sample *s, u64 id,
			      struct ddp_hit *hit)
{
	*hit = (struct ddp_hit){
		.id = id,
		.count = s->weight,
		.value = s->value,
		.has_value = s->has_value,
		.has_time = c->session->config.flags & DDPROF_FLAG_TIMESTAMPS,
		.time_ns = s->now_ns,
	};
}

/*
 * The collector must know a thread's names before its first stack in this CPU's stream. Between the
 * look and the store an NMI may do the same for the same thread: twice the same record, no harm.
 */
static bool ddp_names_tell(struct ddp_cpu *c, struct ddp_sample *s, const struct ddp_names *names)
{
	u64 *seen = &c->threads_seen[s->stack.tid % DDP_THREADS_SEEN];
	struct ddp_task task = {
		.kind = DDPROF_TASK_SEEN,
		.tgid = s->stack.tgid,
		.tid = s->stack.tid,
		.time_ns = s->now_ns,
		.comm = names->comm,
		.leader_comm = names->leader,
	};
	u8 record[DDP_RECORD_TASK_MAX];
	u32 len;

	if (READ_ONCE(*seen) == s->names)
		return true;
	len = ddp_record_task(record, sizeof(record), &task);
	if (ddp_ring_write(&c->ring, record, len))
		return false;
	WRITE_ONCE(*seen, s->names);
	return true;
}

/*
 * Write an unknown stack: [HIT of the slot's former stack] STACK [HIT of this sample]. As one ring
 * entry, so that all of it is there or none. A folded sample in a claimed slot needs no HIT: the
 * slot counts it.
 */
static bool ddp_write_stack(struct ddp_cpu *c, struct ddp_scratch *x, struct ddp_sample *s,
			    const struct ddp_cache_ref *ref, bool hit_too)
{
	u8 *p = x->records;
	u32 n = 0;

	if (ref->old_count) {
		struct ddp_hit old = { .id = ref->old_id, .count = ref->old_count };

		n += ddp_record_hit(p, x->records_size, &old);
	}
	n += ddp_record_stack(p + n, x->records_size - n, &s->stack);
	if (hit_too) {
		struct ddp_hit hit;

		ddp_sample_as_hit(c, s, s->stack.id, &hit);
		n += ddp_record_hit(p + n, x->records_size - n, &hit);
	}
	if (ddp_ring_write(&c->ring, p, n))
		return false;
	x->stats.new_stacks++;
	return true;
}

/* A stack that the cache does not hold: claimed slot or, when that is busy, past the cache. */
static bool ddp_sample_new(struct ddp_cpu *c, struct ddp_scratch *x, struct ddp_sample *s,
			   const struct ddp_hash *key, struct ddp_cache_ref *ref, bool claimed,
			   bool fold)
{
	s->stack.id = ddp_cache_new_id(&c->cache);
	s->stack.replaces = claimed ? ref->old_id : 0;
	if (!claimed)
		s->stack.flags |= DDPROF_STACK_ONCE;
	if (s->stack.id && ddp_write_stack(c, x, s, ref, !(claimed && fold))) {
		if (claimed)
			ddp_cache_publish(&c->cache, ref, key, s->stack.id, fold ? s->weight : 0);
		return true;
	}
	if (claimed)
		ddp_cache_restore(&c->cache, ref);
	return false;
}

/*
 * A known stack, written as a record of its own. False: no room, or the slot changed hands
 * (*retry).
 */
static bool ddp_sample_hit(struct ddp_cpu *c, struct ddp_sample *s, const struct ddp_cache_ref *ref,
			   bool *retry)
{
	u8 record[DDP_RECORD_HIT_MAX];
	struct ddp_ring_slot slot;
	struct ddp_hit hit;
	u32 len;

	ddp_sample_as_hit(c, s, ref->id, &hit);
	len = ddp_record_hit(record, sizeof(record), &hit);
	if (ddp_ring_reserve(&c->ring, len, &slot))
		return false;
	memcpy(slot.payload, record, len);
	if (!ddp_cache_still(&c->cache, ref)) {
		ddp_ring_discard(&c->ring, &slot);
		*retry = true;
		return false;
	}
	ddp_ring_commit(&c->ring, &slot);
	return true;
}

static bool ddp_sample_store(struct ddp_cpu *c, struct ddp_scratch *x, struct ddp_sample *s)
{
	bool fold = !(c->session->config.flags & DDPROF_FLAG_TIMESTAMPS) && !s->has_value;
	enum ddp_cache_result found;
	struct ddp_cache_ref ref = {};
	struct ddp_hash key;
	bool retry = false;

	ddp_sample_hash(&c->session->hash_key, s, &key);
	found = fold ? ddp_cache_count(&c->cache, &key, s->weight, &ref) :
		       ddp_cache_find(&c->cache, &key, &ref);
	if (found == DDP_CACHE_HIT) {
		if (fold || ddp_sample_hit(c, s, &ref, &retry)) {
			x->stats.folded++;
			return true;
		}
		if (!retry)
			return false;
		memset(&ref, 0, sizeof(ref));
		found = DDP_CACHE_BYPASS; /* an NMI took the slot this moment */
	}
	return ddp_sample_new(c, x, s, &key, &ref, found == DDP_CACHE_CLAIMED, fold);
}

static void ddp_sample_take(struct ddp_cpu *c, struct ddp_scratch *x, struct pt_regs *regs,
			    struct ddp_sample *s)
{
	struct ddp_stack *k = &s->stack;
	struct ddp_names names;

	k->tgid = current->tgid;
	k->tid = current->pid;
	k->frames = x->frames;
	ddp_names_get(&names);
	ddp_sample_walk(c, x, regs, s, &names);
	if (s->deferred) {
		x->stats.samples++;
		return;
	}
	s->names = ddp_names_digest(&c->session->hash_key, &names);
	if (!ddp_names_tell(c, s, &names) || !ddp_sample_store(c, x, s)) {
		x->stats.lost_ring++;
		ddp_budget_give_back(&c->events[k->event].skipped, s->owed + 1);
		ddp_budget_owe(&c->events[k->event].owed, s->owed_value);
		return;
	}
	x->stats.samples++;
	x->stats.kernel_end[k->kernel_end]++;
	ddp_capture_count_walk(&x->stats, &s->walk);
}

/* How many events it is: those of period 1 may come several at once. */
static u32 ddp_sample_events(const struct ddp_event *ev, const struct ddp_sample *s)
{
	return ev->period == 1 ? clamp_t(u64, s->value, 1, S32_MAX) : 1;
}

/* Skipped for the budget: @n events more than it has counted, and their value. */
static void ddp_sample_skip(struct ddp_cpu *c, const struct ddp_sample *s, u32 n)
{
	struct ddp_cpu_event *ce = &c->events[s->stack.event];

	ddp_budget_skip(&c->budget, &ce->skipped, n);
	if (s->has_value)
		ddp_budget_owe(&ce->owed, s->value);
}

/* What was skipped before it and differs in value. */
static void ddp_sample_take_owed(struct ddp_cpu *c, struct ddp_sample *s)
{
	s->owed_value = ddp_budget_take_owed(&c->events[s->stack.event].owed);
	s->value += s->owed_value;
}

/* Whether to skip it without a look at the clock. */
static bool ddp_pass(struct ddp_cpu *c, const struct ddp_sample *s)
{
	const struct ddp_event *ev = &c->session->config.events[s->stack.event];
	struct ddp_cpu_event *ce = &c->events[s->stack.event];

	/* what goes by time never comes too often */
	if (ev->unit != DDPROF_UNIT_EVENTS || !ddp_pass_take(&ce->pass, (u32)jiffies))
		return false;
	ddp_sample_skip(c, s, ddp_sample_events(ev, s));
	return true;
}

static bool ddp_admit_running(struct ddp_cpu *c, struct ddp_sample *s, u64 now_ns)
{
	const struct ddp_event *ev = &c->session->config.events[s->stack.event];
	struct ddp_cpu_event *ce = &c->events[s->stack.event];
	u32 weight = ddp_budget_admit(&c->budget, &ce->skipped, now_ns);
	u32 more = ddp_sample_events(ev, s) - 1;

	ddp_pass_learn(&ce->pass, weight, (u32)jiffies);
	if (!weight) {
		ddp_sample_skip(c, s, more);
		return false;
	}
	s->weight = min_t(u64, (u64)weight + more, S32_MAX);
	s->owed = s->weight - 1;
	if (s->has_value)
		ddp_sample_take_owed(c, s);
	return true;
}

/* Blocks differ in length: what is skipped is owed in count and in time. */
static bool ddp_admit_block(struct ddp_cpu *c, struct ddp_sample *s, u64 now_ns)
{
	struct ddp_cpu_event *ce = &c->events[s->stack.event];
	u32 weight = ddp_budget_admit(&c->budget, &ce->skipped, now_ns);

	if (!weight) {
		ce->skipped += s->block->count - 1; /* one is in it already */
		ddp_budget_owe(&ce->owed, s->value);
		return false;
	}
	s->owed = weight - 1;
	ddp_sample_take_owed(c, s);
	s->weight = min_t(u64, (u64)s->owed + s->block->count, S32_MAX);
	return true;
}

/*
 * Whether nothing runs here. Interrupts on an idle CPU are something, softirqs too; but of timers
 * and counters only those that came in a softirq say so, as they are in an interrupt themselves.
 */
static bool ddp_is_idle(const struct ddp_event *ev)
{
	if (!is_idle_task(current) || in_serving_softirq())
		return false;
	return ev->unit != DDPROF_UNIT_EVENTS || !hardirq_count() ||
	       (ev->type != PERF_TYPE_SOFTWARE && ev->type != PERF_TYPE_TRACEPOINT);
}

/* Whether there is something to sample; counted when not. */
static bool ddp_wanted(struct ddp_cpu *c, const struct ddp_sample *s, struct ddp_stats *stats,
		       struct pt_regs *regs)
{
	if (!regs)
		stats->no_regs++;
	else if (s->block)
		return true; /* the rest was asked when it began */
	else if (ddp_is_idle(&c->session->config.events[s->stack.event]))
		stats->idle++;
	else if (!ddp_session_watches(c->session, current))
		stats->out_of_scope++;
	else
		return true;
	return false;
}

/* What is paid for by the budget. */
static void ddp_capture_timed(struct ddp_cpu *c, struct ddp_scratch *x, struct pt_regs *regs,
			      struct ddp_sample *s)
{
	u64 begin_ns = ktime_get_mono_fast_ns(), end_ns, spent_ns;

	s->now_ns = begin_ns - c->session->start_ns;
	if (s->block ? ddp_admit_block(c, s, begin_ns) : ddp_admit_running(c, s, begin_ns)) {
		rcu_read_lock(); /* ranges and tables that the walk sees stay */
		ddp_sample_take(c, x, regs, s);
		rcu_read_unlock();
		ddp_capture_filled(c);
	}
	end_ns = ktime_get_mono_fast_ns();
	/* that clock may step back a little when it is read inside its own update */
	spent_ns = end_ns > begin_ns ? end_ns - begin_ns : 0;
	ddp_budget_pay(&c->budget, spent_ns);
	x->stats.handler_ns += spent_ns;
	x->stats.handler_max_ns = max(x->stats.handler_max_ns, spent_ns);
}

/* @s knows its event, its value and, if it has one, its block. */
static void ddp_capture_sample(struct ddp_cpu *c, struct pt_regs *regs, struct ddp_sample *s)
{
	struct ddp_scratch *x = &c->level[in_nmi() ? DDP_LEVEL_NMI : DDP_LEVEL_IRQ];

	if (x->busy) {
		x->stats.lost_nested++;
		return;
	}
	x->busy = true;
	barrier(); /* only an interrupt of the same level, on this CPU, can look */
	if (ddp_wanted(c, s, &x->stats, regs) && !ddp_pass(c, s))
		ddp_capture_timed(c, x, regs, s);
	barrier();
	x->busy = false;
}

void ddp_capture(struct ddp_cpu *c, struct pt_regs *regs, u32 event, u64 value)
{
	struct ddp_sample s = {
		.stack.event = event,
		.value = value,
		.has_value = !c->session->config.events[event].period,
	};

	ddp_capture_sample(c, regs, &s);
}

void ddp_capture_block(struct ddp_cpu *c, struct pt_regs *regs, u32 event,
		       const struct ddp_block *block)
{
	struct ddp_sample s = {
		.stack.event = event,
		.stack.flags = DDPROF_STACK_STATE,
		.stack.state = block->state,
		.value = block->value_ns,
		.has_value = true,
		.block = block,
	};

	ddp_capture_sample(c, regs, &s);
}
