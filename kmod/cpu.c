// SPDX-License-Identifier: GPL-2.0
/*
 * One CPU's memory of a session: allocation, its exact reverse, and adding up its counters. Called
 * by session.c (CPU hotplug, teardown) and netlink.c (statistics).
 */
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/topology.h>

#include "cpu.h"
#include "session.h"
#include "drain.h"

static u32 ddp_records_size(u32 depth)
{
	/* old HIT, STACK, new HIT: the most that one sample writes */
	return DDP_RECORD_STACK_MAX(depth) + 2 * DDP_RECORD_HIT_MAX;
}

u64 ddp_cpu_bytes(const struct ddp_session *s)
{
	const struct ddp_config *config = &s->config;
	u64 scratch = config->depth * sizeof(u64) + ddp_records_size(config->depth);

	return sizeof(struct ddp_cpu) + config->ring_bytes + DDP_NR_LEVELS * scratch +
	       config->cache_stacks * (sizeof(u64) + sizeof(struct ddp_hash));
}

static int ddp_scratch_init(struct ddp_scratch *x, u32 depth, int node)
{
	x->records_size = ddp_records_size(depth);
	x->frames = kmalloc_node(array_size(depth, sizeof(*x->frames)), GFP_KERNEL, node);
	x->records = kmalloc_node(x->records_size, GFP_KERNEL, node);
	return x->frames && x->records ? 0 : -ENOMEM;
}

static int ddp_cpu_init(struct ddp_cpu *c, struct ddp_session *s, u32 cpu)
{
	int node = cpu_to_node(cpu), i;
	void *ring, *words, *keys;

	/*
	 * kvmalloc maps large sizes; vmalloc space is always mapped in every task since 5.9 on
	 * x86-64
	 */
	ring = kvzalloc_node(s->config.ring_bytes, GFP_KERNEL, node);
	c->ring.data = ring;
	words = kvcalloc(s->config.cache_stacks, sizeof(*c->cache.words), GFP_KERNEL);
	c->cache.words = words;
	keys = kvcalloc(s->config.cache_stacks, sizeof(*c->cache.keys), GFP_KERNEL);
	c->cache.keys = keys;
	if (!ring || !words || !keys)
		return -ENOMEM;
	ddp_ring_init(&c->ring, ring, s->config.ring_bytes);
	ddp_cache_init(&c->cache, words, keys, s->config.cache_stacks);
	ddp_budget_init(&c->budget, s->config.budget_permille);
	for (i = 0; i < DDP_NR_LEVELS; i++)
		if (ddp_scratch_init(&c->level[i], s->config.depth, node))
			return -ENOMEM;
	for (i = 0; i < DDPROF_MAX_EVENTS; i++) {
		c->events[i].cpu = c;
		c->events[i].index = i;
	}
	return 0;
}

struct ddp_cpu *ddp_cpu_create(struct ddp_session *session, u32 cpu)
{
	struct ddp_cpu *c = kzalloc_node(sizeof(*c), GFP_KERNEL, cpu_to_node(cpu));

	if (!c)
		return NULL;
	c->session = session;
	c->cpu = cpu;
	init_irq_work(&c->wake, ddp_drain_irq_work);
	if (ddp_cpu_init(c, session, cpu)) {
		ddp_cpu_destroy(c);
		return NULL;
	}
	return c;
}

void ddp_cpu_destroy(struct ddp_cpu *c)
{
	int i;

	irq_work_sync(&c->wake);
	for (i = 0; i < DDP_NR_LEVELS; i++) {
		kfree(c->level[i].records);
		kfree(c->level[i].frames);
	}
	kvfree(c->cache.keys);
	kvfree(c->cache.words);
	kvfree(c->ring.data);
	kfree(c);
}

static void ddp_stats_add(struct ddp_stats *to, const struct ddp_stats *from)
{
	u64 max = max(to->handler_max_ns, from->handler_max_ns);
	const u64 *f = (const u64 *)from;
	u64 *t = (u64 *)to;
	size_t i;

	BUILD_BUG_ON(sizeof(*to) % sizeof(u64));
	for (i = 0; i < sizeof(*to) / sizeof(u64); i++)
		t[i] += READ_ONCE(f[i]);
	to->handler_max_ns = max;
}

void ddp_cpu_stats(const struct ddp_cpu *c, struct ddp_stats *ret)
{
	int i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < DDP_NR_LEVELS; i++)
		ddp_stats_add(ret, &c->level[i].stats);
	ddp_stats_add(ret, &c->deferred_stats);
}

u64 ddp_cpu_missed(const struct ddp_cpu *c)
{
	u64 missed = 0;
	u32 i;

	for (i = 0; i < c->session->config.nr_events; i++)
		missed += READ_ONCE(c->events[i].missed);
	return missed;
}

u64 ddp_cpu_lost(const struct ddp_cpu *c, const struct ddp_stats *stats)
{
	return stats->lost_ring + stats->lost_nested + stats->lost_tasks +
	       READ_ONCE(c->budget.skipped_total);
}

bool ddp_cpu_lost_more(const struct ddp_cpu *c)
{
	struct ddp_stats stats;

	ddp_cpu_stats(c, &stats);
	return ddp_cpu_lost(c, &stats) != c->lost_told;
}
