// SPDX-License-Identifier: Apache-2.0
/*
 * What the core costs a sample, on this machine and in userspace: one key=value line a figure,
 * nanoseconds, the best of several rounds. The kernel's own figures come from the VM benchmark.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmod/core/budget.h"
#include "kmod/core/hash.h"
#include "kmod/core/record.h"
#include "kmod/core/ring.h"
#include "kmod/core/stack_cache.h"
#include "kmod/core/unwind_user.h"
#include "uapi/ddprof.h"

enum { FRAMES = 30, ROUNDS = 7, LOOPS = 200000, RING = 256 * 1024, SLOTS = 4096 };

static u64 frames[FRAMES];
static u64 stack_memory[4096];
static struct ddp_ring ring;
static struct ddp_stack_cache cache;
static struct ddp_hash keys[SLOTS];
static u64 words[SLOTS];
static struct ddp_hash_key key = { { 1, 2, 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f } };
static struct ddp_window window;
static volatile u64 sink;

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void run_hash(void)
{
	struct ddp_hash h;

	ddp_hash_init(&h, &key);
	ddp_hash_words(&h, &key, frames, FRAMES);
	sink = h.a ^ h.b;
}

static void run_ring(void)
{
	static const u8 payload[16];
	u32 len;

	ddp_ring_write(&ring, payload, sizeof(payload));
	sink = (uintptr_t)ddp_ring_peek(&ring, ddp_ring_head(&ring), &len);
	ddp_ring_pop(&ring);
}

static void run_cache_hit(void)
{
	static const struct ddp_hash hash = { 5, 6 };
	struct ddp_cache_ref ref;

	if (ddp_cache_count(&cache, &hash, 1, &ref) == DDP_CACHE_CLAIMED)
		ddp_cache_publish(&cache, &ref, &hash, ddp_cache_new_id(&cache), 1);
	sink = ref.id;
}

static void run_stack_record(void)
{
	u8 buf[DDP_RECORD_STACK_MAX(FRAMES)];
	struct ddp_stack s = {
		.id = sink + 1000, .aspace = 12, .tgid = 4321, .tid = 4325,
		.kernel_end = DDPROF_END_NONE, .user_end = DDPROF_END_ROOT,
		.nr_user = FRAMES, .frames = frames,
	};

	sink = ddp_record_stack(buf, sizeof(buf), &s);
}

static void run_hit_record(void)
{
	u8 buf[DDP_RECORD_HIT_MAX];
	struct ddp_hit h = { .id = 1000, .count = 1, .time_ns = 123456789012, .has_time = true };

	sink = ddp_record_hit(buf, sizeof(buf), &h);
}

static int read_stack(void *ctx, void *to, u64 addr, u32 len)
{
	memcpy(to, (u8 *)ctx + addr - 0x7fff0000, len);
	return 0;
}

static void run_unwind(void)
{
	struct ddp_user_regs regs = { .ip = 0x401000, .sp = 0x7fff0000, .bp = 0x7fff0000,
				      .limit = 0x7ffffffff000 };
	struct ddp_walk walk;
	u64 out[64];

	ddp_window_reset(&window);
	sink = ddp_unwind_user(&window, &regs, NULL, 0, out, 64, &walk);
}

static struct ddp_budget budget;
static u64 budget_now = 1;
static u64 budget_skipped;

static void run_budget(void)
{
	sink = ddp_budget_admit(&budget, &budget_skipped, budget_now += 10000000);
	ddp_budget_pay(&budget, 2000);
}

static void setup(void)
{
	void *data = calloc(1, RING);
	u32 i;

	if (!data)
		abort();
	ddp_ring_init(&ring, data, RING);
	ddp_cache_init(&cache, words, keys, SLOTS);
	ddp_budget_init(&budget, 10);
	window.read = read_stack;
	window.ctx = stack_memory;
	/* return addresses a few hundred KiB apart, frames of 64 bytes */
	for (i = 0; i < FRAMES; i++)
		frames[i] = 0x7f1234500000 + (u64)(i * 2654435761U % 300000);
	for (i = 0; i < FRAMES - 1; i++) {
		stack_memory[8 * i] = i < FRAMES - 2 ? 0x7fff0000 + 64 * (i + 1) : 0;
		stack_memory[8 * i + 1] = frames[i];
	}
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} rows[] = {
		{ "hash_30_words_ns", run_hash },
		{ "ring_write_consume_16_bytes_ns", run_ring },
		{ "cache_hit_ns", run_cache_hit },
		{ "encode_stack_30_frames_ns", run_stack_record },
		{ "encode_hit_ns", run_hit_record },
		{ "unwind_fp_30_frames_ns", run_unwind },
		{ "budget_ns", run_budget },
	};
	size_t i;
	u32 round, loop;

	setup();
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		u64 best = ~0ULL;

		for (round = 0; round < ROUNDS; round++) {
			u64 start = now_ns();

			for (loop = 0; loop < LOOPS; loop++)
				rows[i].run();
			start = now_ns() - start;
			best = start < best ? start : best;
		}
		printf("%s=%.1f\n", rows[i].name, (double)best / LOOPS);
	}
	run_stack_record();
	printf("stack_record_30_frames_bytes=%llu\n", (unsigned long long)sink);
	run_hit_record();
	printf("timed_hit_record_bytes=%llu\n", (unsigned long long)sink);
	return ferror(stdout) || fflush(stdout);
}
