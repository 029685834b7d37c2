// SPDX-License-Identifier: GPL-2.0
/*
 * The drain thread; see drain.h and, for why each step comes where it does, docs/concurrency.md.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "batch.h"
#include "defer.h"
#include "drain.h"
#include "files.h"
#include "mmtrack.h"
#include "session.h"

enum {
	DDP_RETRY_WALK_MS = 1,
	DDP_RETRY_DEFER_MS = 100,	/* to notice that a deferred sample's time is up */
	DDP_BURY_FLUSHES = 8,
	DDP_FINISH_WALKS = 100,	/* of DDP_RETRY_WALK_MS, for locks that are taken at the end */
};

/* A folded count on its way from the cache to the stream. */
struct ddp_taken {
	u32 id, count;
};

struct ddp_drain {
	struct ddp_session *session;
	struct task_struct *thread;
	struct ddp_batch batch;
	struct ddp_taken *taken;	/* config.cache_stacks */
	u32 flushes;
	bool wake;			/* something cannot wait for the next flush */
	bool resync;
	bool finish;
};

struct ddp_drain *ddp_drain_create(struct ddp_session *session)
{
	struct ddp_drain *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	d->session = session;
	d->taken = kvcalloc(session->config.cache_stacks, sizeof(*d->taken), GFP_KERNEL);
	if (!d->taken || ddp_batch_init(&d->batch, session)) {
		ddp_drain_destroy(d);
		return NULL;
	}
	return d;
}

void ddp_drain_destroy(struct ddp_drain *d)
{
	if (d->thread)
		kthread_stop(d->thread);
	ddp_batch_deinit(&d->batch);
	kvfree(d->taken);
	kfree(d);
}

void ddp_drain_wake(struct ddp_drain *d)
{
	struct task_struct *thread = READ_ONCE(d->thread);

	WRITE_ONCE(d->wake, true);
	if (thread)
		wake_up_process(thread);
}

void ddp_drain_irq_work(struct irq_work *work)
{
	struct ddp_cpu *c = container_of(work, struct ddp_cpu, wake);

	ddp_drain_wake(c->session->drain);
}

void ddp_drain_resync(struct ddp_drain *d)
{
	WRITE_ONCE(d->resync, true);
	ddp_drain_wake(d);
}

void ddp_drain_finish(struct ddp_drain *d)
{
	WRITE_ONCE(d->finish, true);
	ddp_drain_wake(d);
}

void ddp_drain_mute(struct ddp_drain *d)
{
	WRITE_ONCE(d->batch.dead, true);
}

/* Everything that was reserved in the CPU's ring before @target, into the batch. */
static void ddp_drain_ring(struct ddp_drain *d, struct ddp_cpu *c, u64 target)
{
	const u8 *payload;
	u32 len;

	while (ddp_ring_tail(&c->ring) < target && !d->batch.dead) {
		payload = ddp_ring_peek(&c->ring, target, &len);
		if (!payload) {
			/*
			 * its producer is in an interrupt right now, or peek gave the last pad back
			 */
			cpu_relax();
			cond_resched();
			continue;
		}
		memcpy(ddp_batch_room(&d->batch, len), payload, len);
		ddp_batch_advance(&d->batch, len);
		ddp_ring_pop(&c->ring);
	}
}

static u32 ddp_drain_take(struct ddp_drain *d, struct ddp_cpu *c)
{
	u32 slot, count, id, n = 0;

	for (slot = 0; slot < c->cache.nr_slots; slot++) {
		if (!ddp_cache_pending(&c->cache, slot))
			continue;
		count = ddp_cache_take(&c->cache, slot, &id);
		if (count)
			d->taken[n++] = (struct ddp_taken){ id, count };
	}
	return n;
}

static void ddp_drain_hits(struct ddp_drain *d, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct ddp_hit hit = { .id = d->taken[i].id, .count = d->taken[i].count };

		ddp_batch_advance(&d->batch,
				  ddp_record_hit(ddp_batch_room(&d->batch, DDP_RECORD_HIT_MAX),
						 DDP_RECORD_HIT_MAX, &hit));
	}
}

/*
 * Bytes in the CPU's ring, which tells us anew when there are many. First the flag, then the look:
 * who still found it set has written what this look sees, give or take a record.
 */
static u64 ddp_drain_fill(struct ddp_cpu *c)
{
	WRITE_ONCE(c->woken, false);
	/* the flag before the look; pairs with the order of head and flag in the producer */
	smp_mb();
	return ddp_ring_head(&c->ring) - ddp_ring_tail(&c->ring);
}

/*
 * The stream's records up to now, then @n taken counts. Their stacks are among the records, or
 * before.
 */
static void ddp_drain_cpu(struct ddp_drain *d, struct ddp_cpu *c, u32 n)
{
	u64 target = ddp_ring_head(&c->ring);

	/* an address space is queued before its first STACK is written: list it first */
	ddp_mmtrack_walk(d->session->mmtrack, &d->batch);
	ddp_batch_select(&d->batch, c);
	ddp_drain_ring(d, c, target);
	ddp_drain_hits(d, n);
}

static void ddp_drain_flush_cpu(struct ddp_drain *d, struct ddp_cpu *c)
{
	u32 n = ddp_drain_take(d, c);
	u64 fill = ddp_drain_fill(c);
	u8 *end;

	if (!n && !fill && !ddp_cpu_lost_more(c))
		return; /* an idle CPU costs no message */
	ddp_drain_cpu(d, c, n);
	end = ddp_batch_room(&d->batch, DDP_RECORD_FOLD_END_MAX);
	ddp_batch_advance(&d->batch, ddp_record_fold_end(end, DDP_RECORD_FOLD_END_MAX));
}

/*
 * Start the stream over: every STACK and SEEN that a later HIT relies on is written anew. Names
 * first: after the grace period no sample is under way that still counted on them, and whatever
 * those published is forgotten with the rest.
 */
static void ddp_drain_resync_cpu(struct ddp_drain *d, struct ddp_cpu *c)
{
	u32 slot, count, id, n = 0;

	for (slot = 0; slot < c->cache.nr_slots; slot++) {
		while (!ddp_cache_forget(&c->cache, slot, &id, &count))
			cond_resched();
		if (count)
			d->taken[n++] = (struct ddp_taken){ id, count };
	}
	ddp_drain_cpu(d, c, n);
	ddp_batch_send(&d->batch, false);
	ddp_cache_reset_ids(&c->cache);
	c->resync = true;
}

static struct ddp_cpu *ddp_drain_next_cpu(struct ddp_drain *d, u32 *cpu)
{
	struct ddp_cpu *c;

	for (; *cpu < nr_cpu_ids; (*cpu)++) {
		/* pairs with ddp_session_cpu_up(): a CPU that is seen is whole */
		c = smp_load_acquire(&d->session->cpus[*cpu]);
		if (c)
			return c;
	}
	return NULL;
}

#define for_each_ddp_cpu(d, cpu, c) \
	for ((cpu) = 0; ((c) = ddp_drain_next_cpu((d), &(cpu))); (cpu)++)

static void ddp_drain_resync_all(struct ddp_drain *d)
{
	struct ddp_cpu *c;
	u32 cpu, i;

	WRITE_ONCE(d->resync, false);
	ddp_mmtrack_forget(d->session->mmtrack);
	ddp_files_forget(d->session->files);
	for_each_ddp_cpu(d, cpu, c)
		for (i = 0; i < DDP_THREADS_SEEN; i++)
			WRITE_ONCE(c->threads_seen[i], 0);
	synchronize_rcu();
	for_each_ddp_cpu(d, cpu, c)
		ddp_drain_resync_cpu(d, c);
	d->batch.resync = true; /* its own stream has no ids to forget */
}

/*
 * Whether a CPU has used its stack ids up; then all start over. Two milliards of new stacks:
 * months.
 */
static bool ddp_drain_ids_used_up(struct ddp_drain *d)
{
	struct ddp_cpu *c;
	u32 cpu;

	for_each_ddp_cpu(d, cpu, c)
		if (READ_ONCE(c->cache.next_id) > DDP_CACHE_ID_MAX)
			return true;
	return false;
}

/*
 * What else interrupts queued: address spaces to list, then samples that waited for that. True when
 * some address spaces could not be had yet.
 */
static bool ddp_drain_queued(struct ddp_drain *d, bool all)
{
	bool again = ddp_mmtrack_walk(d->session->mmtrack, &d->batch);

	if (d->session->defer)
		ddp_defer_flush(d->session->defer, &d->batch, all);
	return again;
}

static void ddp_drain_flush(struct ddp_drain *d)
{
	struct ddp_session *s = d->session;
	struct ddp_cpu *c;
	u32 cpu;

	/* looking at each address space is most of an idle machine's flush: do it now and then */
	if (d->flushes++ % DDP_BURY_FLUSHES == 0)
		ddp_mmtrack_mark_dead(s->mmtrack);
	for_each_ddp_cpu(d, cpu, c)
		ddp_drain_flush_cpu(d, c);
	/* what was marked dead is buried with all its samples told */
	if (s->defer)
		ddp_defer_flush(s->defer, &d->batch, false);
	ddp_mmtrack_bury(s->mmtrack, &d->batch);
	ddp_files_expire(s->files);
	ddp_batch_send(&d->batch, false);
}

/* Between two flushes: only what is in the rings, and new address spaces. */
static void ddp_drain_rings(struct ddp_drain *d)
{
	struct ddp_cpu *c;
	u32 cpu;

	for_each_ddp_cpu(d, cpu, c)
		if (ddp_drain_fill(c) > c->ring.size / 4)
			ddp_drain_cpu(d, c, 0);
	ddp_drain_queued(d, false);
	ddp_batch_send(&d->batch, false);
}

static void ddp_drain_end(struct ddp_drain *d)
{
	int i;

	for (i = 0; i < DDP_FINISH_WALKS; i++) {
		if (!ddp_mmtrack_walk(d->session->mmtrack, &d->batch))
			break;
		msleep(DDP_RETRY_WALK_MS);
	}
	ddp_drain_queued(d, true);
	ddp_drain_flush(d);
	ddp_batch_select(&d->batch, NULL);
	d->batch.end = true;
	ddp_batch_send(&d->batch, true);
}

/* Sleep until the next flush is due or somebody calls; true when it is due. */
static bool ddp_drain_wait(struct ddp_drain *d, unsigned long due, bool again)
{
	long left = due - jiffies;

	if (again)
		left = min_t(long, left, msecs_to_jiffies(DDP_RETRY_WALK_MS));
	if (d->session->defer && ddp_defer_waiting(d->session->defer))
		left = min_t(long, left, msecs_to_jiffies(DDP_RETRY_DEFER_MS));
	set_current_state(TASK_IDLE);
	if (left > 0 && !READ_ONCE(d->wake) && !kthread_should_stop())
		schedule_timeout(left);
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(d->wake, false);
	return time_after_eq(jiffies, due);
}

static int ddp_drain_thread(void *data)
{
	struct ddp_drain *d = data;
	unsigned long period = msecs_to_jiffies(d->session->config.flush_ms);
	unsigned long due = jiffies + period;
	bool again = false;

	while (!kthread_should_stop() && !READ_ONCE(d->finish)) {
		if (ddp_drain_wait(d, due, again)) {
			ddp_drain_flush(d);
			due = jiffies + period;
		} else {
			ddp_drain_rings(d);
		}
		if (READ_ONCE(d->resync) || ddp_drain_ids_used_up(d))
			ddp_drain_resync_all(d);
		again = ddp_drain_queued(d, false);
	}
	if (READ_ONCE(d->finish))
		ddp_drain_end(d);
	for (;;) { /* the owner of the session stops and frees us */
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

int ddp_drain_run(struct ddp_drain *d)
{
	struct task_struct *thread = kthread_create(ddp_drain_thread, d, "ddprof_drain");

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	WRITE_ONCE(d->thread, thread);
	wake_up_process(thread);
	return 0;
}
