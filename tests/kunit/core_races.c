// SPDX-License-Identifier: GPL-2.0
/*
 * Ring and stack cache with the kernel's own concurrency: this task samples, a timer interrupt
 * samples on top of it or of the drain wherever it happens to be, and a thread drains as kmod/drain.c
 * does. In the end every sample has to be reported once, under its stack, or counted as lost.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "suites.h"
#include "../../kmod/core/ring.h"
#include "../../kmod/core/stack_cache.h"

enum {
	RING_BYTES = 4096,
	SLOTS = 4,
	STACKS = 16,		/* four fight for each slot */
	MAX_IDS = 1 << 23,
	RUN_MS = 1500,
	TIMER_NS = 50 * 1000,	/* or as often as the kernel's clock can */
	TIMER_SAMPLES = 7,	/* of one interrupt: it also evicts and fills up */
};

enum { TASK, IRQ, CONTEXTS };

struct race {
	struct ddp_ring ring;
	struct ddp_stack_cache cache;
	u64 words[SLOTS];
	struct ddp_hash keys[SLOTS];

	/* each written by its context only */
	u64 sampled[CONTEXTS][STACKS], lost[CONTEXTS][STACKS];
	u32 serial[CONTEXTS], interrupts, random[CONTEXTS];
	bool fold;

	/* the drain thread's */
	u64 reported[STACKS];
	u32 read_serial[CONTEXTS], flushes, torn, unknown_ids, gone_ids, out_of_order;
	u8 *stack_of_id;	/* MAX_IDS; 0: unknown, GONE: given up, else stack + 1 */
	u32 retiring[STACKS * 64], nr_retiring;
	u32 taken_id[SLOTS], taken_count[SLOTS], nr_taken;

	struct completion go, done;	/* the task asks for a flush and waits for it */
	struct hrtimer timer;
	u8 *data;
};

enum { GONE = 255 };

struct rec {
	u32 context, serial;
	u32 old_id, old_count;		/* HIT of what was in the slot */
	u32 id, stack, replaces, once;	/* STACK */
	u32 sum;			/* of all the words before */
	u32 more[];			/* raw: words of the serial, a varying number */
};

static u32 rec_sum(const struct rec *r)
{
	const u32 *word = (const u32 *)r;
	u32 sum = 1, i;

	for (i = 0; i < offsetof(struct rec, sum) / sizeof(u32); i++)
		sum = sum * 31 + word[i];
	return sum;
}

static u32 race_random(struct race *race, u32 context)
{
	race->random[context] = race->random[context] * 1664525 + 1013904223;
	return race->random[context] >> 16;
}

static int write_rec(struct race *race, u32 context, struct rec *r, u32 more)
{
	struct ddp_ring_slot slot;
	struct rec *to;
	u32 i;

	if (ddp_ring_reserve(&race->ring, sizeof(*r) + more * sizeof(u32), &slot))
		return -ENOSPC;
	/* after the reservation: what interrupts us from here on comes later in the ring */
	r->context = context;
	r->serial = race->serial[context]++;
	r->sum = rec_sum(r);
	to = (struct rec *)slot.payload;
	memcpy(to, r, sizeof(*r));
	for (i = 0; i < more; i++)
		to->more[i] = r->serial;
	ddp_ring_commit(&race->ring, &slot);
	return 0;
}

static void sample_raw(struct race *race, u32 context)
{
	struct rec r = {};

	race->sampled[context][0]++;
	if (write_rec(race, context, &r, race_random(race, context) % 40))
		race->lost[context][0]++;
}

static void sample_folded(struct race *race, u32 context)
{
	/* most are known, some evict */
	u32 range = race_random(race, context) % 8 ? SLOTS : STACKS;
	u32 stack = race_random(race, context) % range, count = context == IRQ ? 1000 : 1;
	struct ddp_hash key = { stack % SLOTS, stack };
	struct ddp_cache_ref ref;
	enum ddp_cache_result found;
	struct rec r = { .stack = stack };

	race->sampled[context][stack] += count;
	found = ddp_cache_count(&race->cache, &key, count, &ref);
	if (found == DDP_CACHE_HIT)
		return;
	r.id = ddp_cache_new_id(&race->cache);
	if (found == DDP_CACHE_BYPASS) {
		r.once = count;
		if (write_rec(race, context, &r, 0))
			race->lost[context][stack] += count;
		return;
	}
	r.old_id = ref.old_count ? ref.old_id : 0;
	r.old_count = ref.old_count;
	r.replaces = ref.old_id;
	if (write_rec(race, context, &r, 0)) {
		ddp_cache_restore(&race->cache, &ref);
		race->lost[context][stack] += count;
		return;
	}
	ddp_cache_publish(&race->cache, &ref, &key, r.id, count);
}

static void race_sample(struct race *race, u32 context)
{
	if (race->fold)
		sample_folded(race, context);
	else
		sample_raw(race, context);
}

static enum hrtimer_restart race_interrupt(struct hrtimer *timer)
{
	struct race *race = container_of(timer, struct race, timer);
	u32 i;

	race->interrupts++;
	for (i = 0; i < TIMER_SAMPLES; i++)
		race_sample(race, IRQ);
	hrtimer_forward_now(timer, ns_to_ktime(TIMER_NS));
	return HRTIMER_RESTART;
}

static void read_hit(struct race *race, u32 id, u32 count)
{
	u32 stack = id < MAX_IDS ? race->stack_of_id[id] : 0;

	if (!stack)
		race->unknown_ids++;
	else if (stack == GONE)
		race->gone_ids++;
	else
		race->reported[stack - 1] += count;
}

static void read_folded(struct race *race, const struct rec *r)
{
	if (r->old_id)
		read_hit(race, r->old_id, r->old_count);
	if (r->id >= MAX_IDS)
		return;
	if (r->once) {
		race->reported[r->stack] += r->once;
		return;
	}
	race->stack_of_id[r->id] = r->stack + 1;
	if (r->replaces && race->nr_retiring < ARRAY_SIZE(race->retiring))
		race->retiring[race->nr_retiring++] = r->replaces;
}

static void read_rec(struct race *race, const struct rec *r, u32 len)
{
	u32 i, more = (len - sizeof(*r)) / sizeof(u32);

	if (len < sizeof(*r) || r->context >= CONTEXTS || r->sum != rec_sum(r)) {
		race->torn++;
		return;
	}
	for (i = 0; i < more; i++)
		race->torn += r->more[i] != r->serial;
	if (r->serial != race->read_serial[r->context]++)
		race->out_of_order++;
	if (race->fold)
		read_folded(race, r);
	else
		race->reported[0]++;
}

static void race_flush(struct race *race)
{
	u32 slot, i, len;
	u64 target;

	race->nr_taken = 0;
	for (slot = 0; slot < SLOTS; slot++) {
		u32 id, count = ddp_cache_take(&race->cache, slot, &id);

		if (!count)
			continue;
		race->taken_id[race->nr_taken] = id;
		race->taken_count[race->nr_taken++] = count;
	}
	target = ddp_ring_head(&race->ring);
	while (ddp_ring_tail(&race->ring) < target) {
		const u8 *payload = ddp_ring_peek(&race->ring, target, &len);

		if (payload) {
			read_rec(race, (const struct rec *)payload, len);
			ddp_ring_pop(&race->ring);
		} else {
			cond_resched();
		}
	}
	for (i = 0; i < race->nr_taken; i++)
		read_hit(race, race->taken_id[i], race->taken_count[i]);
	for (i = 0; i < race->nr_retiring; i++)
		if (race->retiring[i] < MAX_IDS)
			race->stack_of_id[race->retiring[i]] = GONE;
	race->nr_retiring = 0;
	race->flushes++;
}

static int race_drain(void *data)
{
	struct race *race = data;

	while (!kthread_should_stop()) {
		wait_for_completion(&race->go);
		race_flush(race);
		complete(&race->done);
	}
	return 0;
}

/*
 * The drain thread gets its turn seldom enough that the ring fills up now and then. A kernel without
 * preemption switches only here; the timer interrupts both of them anywhere.
 */
static void race_run(struct race *race)
{
	unsigned long end = jiffies + msecs_to_jiffies(RUN_MS);
	u32 i, n;

	while (time_before(jiffies, end) && race->cache.next_id < MAX_IDS - 1000) {
		n = 1 + race_random(race, TASK) % 400;
		preempt_disable();
		for (i = 0; i < n; i++)
			race_sample(race, TASK);
		preempt_enable();
		complete(&race->go);
		wait_for_completion(&race->done);
	}
}

static void race_check(struct kunit *test, struct race *race)
{
	u64 lost = 0;
	u32 i;

	KUNIT_EXPECT_EQ(test, race->torn, 0U);
	KUNIT_EXPECT_EQ(test, race->out_of_order, 0U);
	KUNIT_EXPECT_EQ(test, race->unknown_ids, 0U);
	KUNIT_EXPECT_EQ(test, race->gone_ids, 0U);
	for (i = 0; i < STACKS; i++) {
		lost += race->lost[TASK][i] + race->lost[IRQ][i];
		KUNIT_EXPECT_EQ(test, race->reported[i] + race->lost[TASK][i] + race->lost[IRQ][i],
				race->sampled[TASK][i] + race->sampled[IRQ][i]);
	}
	for (i = 0; i < CONTEXTS; i++)
		KUNIT_EXPECT_EQ(test, race->read_serial[i], race->serial[i]);
	/* and it was a race: each took part */
	KUNIT_EXPECT_GT(test, race->interrupts, 20U);
	KUNIT_EXPECT_GT(test, race->flushes, 100U);
	KUNIT_EXPECT_GT(test, race->serial[TASK], 1000U);
	KUNIT_EXPECT_GT(test, lost, 0ULL);
	kunit_info(test, "records=%u interrupts=%u flushes=%u lost=%llu", race->serial[TASK],
		   race->interrupts, race->flushes, lost);
}

static void race_all(struct kunit *test, bool fold)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct task_struct *drain;

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->data = kunit_kzalloc(test, RING_BYTES, GFP_KERNEL);
	race->stack_of_id = kvzalloc(MAX_IDS, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->data);
	KUNIT_ASSERT_NOT_NULL(test, race->stack_of_id);
	race->fold = fold;
	ddp_ring_init(&race->ring, race->data, RING_BYTES);
	ddp_cache_init(&race->cache, race->words, race->keys, SLOTS);
	init_completion(&race->go);
	init_completion(&race->done);
	hrtimer_init(&race->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	race->timer.function = race_interrupt;

	/* on this CPU: it runs where the producers are, as on a machine with one */
	drain = kthread_create(race_drain, race, "ddp_race");
	KUNIT_ASSERT_FALSE(test, IS_ERR(drain));
	kthread_bind(drain, raw_smp_processor_id());
	wake_up_process(drain);
	hrtimer_start(&race->timer, ns_to_ktime(TIMER_NS), HRTIMER_MODE_REL_PINNED_HARD);
	race_run(race);
	hrtimer_cancel(&race->timer);
	complete(&race->go);
	kthread_stop(drain);
	race_flush(race);
	race_check(test, race);
	kvfree(race->stack_of_id);
}

static void ring_races(struct kunit *test)
{
	race_all(test, false);
}

static void cache_races(struct kunit *test)
{
	race_all(test, true);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ring_races),
	KUNIT_CASE(cache_races),
	{}
};

struct kunit_suite ddp_races_suite = {
	.name = "ddprof_core_races",
	.test_cases = cases,
};
