// SPDX-License-Identifier: Apache-2.0
/*
 * The frame-pointer walk over hand-made stacks, one row a case, and over random memory: whatever
 * lies there, it ends, goes up, reads only what it may and writes no more than it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmod/core/unwind_user.h"
#include "uapi/ddprof.h"

enum {
	BASE = 0x10000,		/* the stack memory's first address */
	BYTES = 4 * 4096,
	LIMIT = 0x7ffff000,
	MAX = 8,
};

static u8 memory[BYTES];
static u32 reads;

static int read_memory(void *ctx, void *to, u64 addr, u32 len)
{
	u64 *present_end = ctx;

	reads++;
	assert_in_range(len, 1, DDP_WINDOW_BYTES);
	assert_int_equal(addr / 4096, (addr + len - 1) / 4096);
	if (addr < BASE || addr + len > *present_end)
		return -1;
	memcpy(to, memory + addr - BASE, len);
	return 0;
}

static u64 present_end;
static struct ddp_window window = { .read = read_memory, .ctx = &present_end };

static int setup(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	present_end = BASE + BYTES;
	ddp_window_reset(&window);
	reads = 0;
	return 0;
}

struct frame_at {
	u64 at, fp, ret;
};

struct walk_case {
	const char *name;
	struct ddp_user_regs regs;
	struct frame_at stack[4];
	u32 max, n;
	u64 frames[4];
	u8 end;
};

#define REGS(sp_, bp_) { .ip = 0x401000, .sp = (sp_), .bp = (bp_), .limit = LIMIT }
#define COMPAT(sp_, bp_) \
	{ .ip = 0x401000, .sp = (sp_), .bp = (bp_), .limit = LIMIT, .compat = true }

static const struct walk_case cases[] = {
	{ "to a zero frame pointer", REGS(0x10000, 0x10010),
	  { { 0x10010, 0x10040, 0x402000 }, { 0x10040, 0, 0x403000 } },
	  MAX, 3, { 0x401000, 0x402000, 0x403000 }, DDPROF_END_ROOT },
	{ "to a zero return address", REGS(0x10000, 0x10010),
	  { { 0x10010, 0x10040, 0x402000 }, { 0x10040, 0x10080, 0 } },
	  MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_ROOT },
	{ "frame pointer at the stack pointer", REGS(0x10010, 0x10010),
	  { { 0x10010, 0, 0x402000 } }, MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_ROOT },
	{ "no frame pointer to begin with", REGS(0x10000, 0), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "register used for something else", REGS(0x10000, 42), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "start-up code without frame pointers", REGS(0x10000, 0x10010),
	  { { 0x10010, 1, 0x402000 } }, MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_BAD_FRAME },
	{ "below the stack pointer", REGS(0x10020, 0x10010), { { 0x10010, 0, 0x402000 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "pointing to itself", REGS(0x10000, 0x10010), { { 0x10010, 0x10010, 0x402000 } },
	  MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_BAD_FRAME },
	{ "pointing down", REGS(0x10000, 0x10040), { { 0x10040, 0x10010, 0x402000 } },
	  MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_BAD_FRAME },
	{ "overlapping its predecessor", REGS(0x10000, 0x10010), { { 0x10010, 0x10018, 0x402000 } },
	  MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_BAD_FRAME },
	{ "misaligned", REGS(0x10000, 0x10014), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "outside user space", REGS(0x10000, 0xffffffffffff0000), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "half outside user space", REGS(0x10000, LIMIT - 8), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "the last frame of user space", REGS(0x10000, LIMIT - 16), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_UNREADABLE },
	{ "returning to the kernel", REGS(0x10000, 0x10010),
	  { { 0x10010, 0x10040, 0xffffffff81000000 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "returning to the limit", REGS(0x10000, 0x10010), { { 0x10010, 0x10040, LIMIT } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "memory that is not there", REGS(0x10000, 0x10010),
	  { { 0x10010, 0x20000, 0x402000 } },
	  MAX, 2, { 0x401000, 0x402000 }, DDPROF_END_UNREADABLE },
	{ "across a page", REGS(0x10000, 0x10ff8),
	  { { 0x10ff8, 0x11ff8, 0x402000 }, { 0x11ff8, 0, 0x403000 } },
	  MAX, 3, { 0x401000, 0x402000, 0x403000 }, DDPROF_END_ROOT },
	{ "half in a page that is not there", REGS(0x10000, 0x13ff8), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_UNREADABLE },
	{ "as deep as asked", REGS(0x10000, 0x10010),
	  { { 0x10010, 0x10040, 0x402000 }, { 0x10040, 0x10080, 0x403000 } },
	  2, 2, { 0x401000, 0x402000 }, DDPROF_END_TRUNCATED },
	{ "root at the depth limit", REGS(0x10000, 0x10010), { { 0x10010, 0, 0x402000 } },
	  2, 2, { 0x401000, 0x402000 }, DDPROF_END_ROOT },
	{ "nothing asked", REGS(0x10000, 0x10010), { { 0x10010, 0, 0x402000 } },
	  0, 0, { 0 }, DDPROF_END_TRUNCATED },
	{ "32 bits", COMPAT(0x10000, 0x10004),
	  { { 0x10004, 0x1000c, 0x8048000 }, { 0x1000c, 0, 0x8049000 } },
	  MAX, 3, { 0x401000, 0x8048000, 0x8049000 }, DDPROF_END_ROOT },
	{ "32 bits, misaligned", COMPAT(0x10000, 0x10006), { { 0 } },
	  MAX, 1, { 0x401000 }, DDPROF_END_BAD_FRAME },
	{ "32 bits, across a page", COMPAT(0x10000, 0x10ffc), { { 0x10ffc, 0, 0x8048000 } },
	  MAX, 2, { 0x401000, 0x8048000 }, DDPROF_END_ROOT },
};

static void put_frame(const struct frame_at *f, bool compat)
{
	u32 half[2] = { f->fp, f->ret };
	u64 full[2] = { f->fp, f->ret };

	if (!f->at)
		return;
	memcpy(memory + f->at - BASE, compat ? (void *)half : (void *)full, compat ? 8 : 16);
}

static void walks_end_where_they_should(void **state)
{
	size_t i, k;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct walk_case *c = &cases[i];
		u64 frames[MAX];
		struct ddp_walk walk;
		u32 n;

		setup(state);
		for (k = 0; k < 4; k++)
			put_frame(&c->stack[k], c->regs.compat);
		n = ddp_unwind_user(&window, &c->regs, NULL, 0, frames, c->max, &walk);
		if (n != c->n || walk.end != c->end || memcmp(frames, c->frames, n * sizeof(*frames)))
			fail_msg("%s: %u frames, end %u", c->name, n, walk.end);
	}
}

/* 28 frames of 64 bytes each: one fill a window, not one a frame. */
static void window_saves_reads(void **state)
{
	struct ddp_user_regs regs = REGS(BASE, BASE);
	u64 frames[64];
	struct ddp_walk walk;
	u32 i;

	(void)state;
	for (i = 0; i < 28; i++)
		put_frame(&(struct frame_at){ BASE + 64 * i, i < 27 ? BASE + 64 * (i + 1) : 0,
					      0x400000 + i }, false);
	assert_int_equal(ddp_unwind_user(&window, &regs, NULL, 0, frames, 64, &walk), 29);
	assert_int_equal(walk.end, DDPROF_END_ROOT);
	assert_int_equal(reads, 28 * 64 / DDP_WINDOW_BYTES);
}

static void a_failed_fill_leaves_the_window_empty(void **state)
{
	u64 word = 0;

	(void)state;
	memory[0] = 5;
	assert_int_equal(ddp_window_get(&window, BASE, &word, 8), 0);
	assert_int_equal(word, 5);
	assert_true(ddp_window_get(&window, BASE - 16, &word, 8) < 0);
	memory[0] = 6;
	assert_int_equal(ddp_window_get(&window, BASE, &word, 8), 0);
	assert_int_equal(word, 6);
	assert_true(ddp_window_get(&window, ~0ULL - 3, &word, 8) < 0);
	assert_true(ddp_window_get(&window, ~0ULL - 7, &word, 8) < 0);
}

static u64 rnd;

static u64 random_u64(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd;
}

/* Mostly plausible pointers, so that walks get somewhere, and much else. */
static u64 random_word(void)
{
	switch (random_u64() % 8) {
	case 0:
		return random_u64();
	case 1:
		return random_u64() % 5000;
	default:
		return BASE + random_u64() % (random_u64() % 2 ? BYTES + 64 : 2048) / 8 * 8;
	}
}

static void random_memory_is_harmless(void **state)
{
	u32 round, i, deep = 0;

	(void)state;
	rnd = 88172645463325252ULL;
	for (round = 0; round < 20000; round++) {
		struct ddp_user_regs regs = {
			.ip = random_u64(), .sp = BASE + random_u64() % 64, .bp = random_word(),
			.limit = random_u64() % 4 ? LIMIT : random_u64() % (BASE + BYTES),
			.compat = round / 100 % 2,
		};
		u32 max = random_u64() % 40, n;
		u64 *frames = malloc(max * sizeof(u64) + 1);
		struct ddp_walk walk;

		present_end = BASE + random_u64() % (BYTES + 1) / 4096 * 4096;
		ddp_window_reset(&window);
		reads = 0;
		if (round % 100 == 0) {
			u32 word_bytes = regs.compat ? 4 : 8;

			for (i = 0; i < BYTES / word_bytes; i++) {
				u64 word = random_word();

				memcpy(memory + word_bytes * i, &word, word_bytes);
			}
		}
		n = ddp_unwind_user(&window, &regs, NULL, 0, frames, max, &walk);
		assert_true(n <= max && reads <= 2 * max);
		assert_in_range(walk.end, DDPROF_END_ROOT, DDPROF_END_BAD_FRAME);
		for (i = 1; i < n; i++)
			assert_true(frames[i] && frames[i] < regs.limit);
		if (n)
			assert_int_equal(frames[0], regs.ip);
		deep += n > 3;
		free(frames);
	}
	assert_true(deep > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(walks_end_where_they_should, setup),
		cmocka_unit_test_setup(window_saves_reads, setup),
		cmocka_unit_test_setup(a_failed_fill_leaves_the_window_empty, setup),
		cmocka_unit_test_setup(random_memory_is_harmless, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
