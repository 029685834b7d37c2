// SPDX-License-Identifier: GPL-2.0
/*
 * The core as the kernel compiles it: each part once, with the kernel's atomics and types. The host
 * tests go deeper; what can only break here is the port.
 */
#include "suites.h"
#include "../../kmod/core/budget.h"
#include "../../kmod/core/record.h"
#include "../../kmod/core/ring.h"
#include "../../kmod/core/stack_cache.h"
#include "../../kmod/core/unwind_user.h"
#include "../../uapi/ddprof.h"

static void record_bytes(struct kunit *test)
{
	static const u8 wanted[] = { 1, 17, 0, 1, 0, 3, 0xac, 2, 0xad, 2, 0, 1, 1, 1, 2,
				     0x80, 0x20, 0x20, 0x2f };
	static const u64 frames[] = { 0x1000, 0x1010, 0x0ff8 };
	struct ddp_stack s = {
		.id = 1, .aspace = 3, .tgid = 300, .tid = 301,
		.kernel_end = DDPROF_END_ROOT, .user_end = DDPROF_END_ROOT,
		.nr_kernel = 1, .nr_user = 2, .frames = frames,
	};
	u8 buf[sizeof(wanted)];

	KUNIT_ASSERT_EQ(test, ddp_record_stack(buf, sizeof(buf), &s), (u32)sizeof(wanted));
	KUNIT_EXPECT_EQ(test, memcmp(buf, wanted, sizeof(wanted)), 0);
	KUNIT_EXPECT_EQ(test, ddp_record_stack(buf, sizeof(buf) - 1, &s), 0U);
}

static void ring_wraps_around(struct kunit *test)
{
	u8 *data = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct ddp_ring r;
	u32 i, k, len;

	KUNIT_ASSERT_NOT_NULL(test, data);
	ddp_ring_init(&r, data, 4096);
	for (i = 0; i < 10000; i++) {
		u32 words[25];
		const u8 *got;

		for (k = 0; k < 25; k++)
			words[k] = i;
		len = 4 + i % 25 * 4;
		KUNIT_ASSERT_EQ(test, ddp_ring_write(&r, words, len > 100 ? 100 : len), 0);
		if (i % 3)
			KUNIT_ASSERT_EQ(test, ddp_ring_write(&r, words, 100), 0);
		for (k = 0; k < 1 + !!(i % 3); k++) {
			got = ddp_ring_peek(&r, ddp_ring_head(&r), &len);
			KUNIT_ASSERT_NOT_NULL(test, got);
			KUNIT_EXPECT_EQ(test, memcmp(got, words, len), 0);
			ddp_ring_pop(&r);
		}
	}
	KUNIT_EXPECT_EQ(test, ddp_ring_tail(&r), ddp_ring_head(&r));
	KUNIT_EXPECT_GT(test, ddp_ring_tail(&r), (u64)50 * 4096);
}

static void ring_holds_what_is_uncommitted(struct kunit *test)
{
	u8 *data = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct ddp_ring_slot outer, nested;
	struct ddp_ring r;
	u32 len;

	KUNIT_ASSERT_NOT_NULL(test, data);
	ddp_ring_init(&r, data, 4096);
	KUNIT_ASSERT_EQ(test, ddp_ring_reserve(&r, 3, &outer), 0);
	KUNIT_ASSERT_EQ(test, ddp_ring_reserve(&r, 9, &nested), 0);
	ddp_ring_commit(&r, &nested);
	KUNIT_EXPECT_NULL(test, ddp_ring_peek(&r, ddp_ring_head(&r), &len));
	ddp_ring_discard(&r, &outer);
	KUNIT_EXPECT_NOT_NULL(test, ddp_ring_peek(&r, ddp_ring_head(&r), &len));
	KUNIT_EXPECT_EQ(test, len, 9U);
}

static void cache_claims_and_counts(struct kunit *test)
{
	static const struct ddp_hash a = { 1, 7 }, b = { 1, 8 };
	struct ddp_hash keys[2] = {};
	struct ddp_stack_cache cache;
	struct ddp_cache_ref ref;
	u64 words[2] = {};
	u32 id;

	ddp_cache_init(&cache, words, keys, 2);
	KUNIT_ASSERT_EQ(test, (int)ddp_cache_count(&cache, &a, 2, &ref), (int)DDP_CACHE_CLAIMED);
	ddp_cache_publish(&cache, &ref, &a, ddp_cache_new_id(&cache), 2);
	KUNIT_EXPECT_EQ(test, (int)ddp_cache_count(&cache, &a, 3, &ref), (int)DDP_CACHE_HIT);
	KUNIT_ASSERT_EQ(test, (int)ddp_cache_count(&cache, &b, 1, &ref), (int)DDP_CACHE_CLAIMED);
	KUNIT_EXPECT_EQ(test, ref.old_id, 1U);
	KUNIT_EXPECT_EQ(test, ref.old_count, 5U);
	KUNIT_EXPECT_EQ(test, ddp_cache_take(&cache, 1, &id), 0U);
	ddp_cache_restore(&cache, &ref);
	KUNIT_EXPECT_EQ(test, ddp_cache_take(&cache, 1, &id), 5U);
	KUNIT_EXPECT_EQ(test, id, 1U);
}

static void budget_skips_and_weighs(struct kunit *test)
{
	struct ddp_budget b;
	u64 skipped = 0;

	ddp_budget_init(&b, 10);
	KUNIT_EXPECT_EQ(test, ddp_budget_admit(&b, &skipped, 1000), 1U);
	ddp_budget_pay(&b, DDP_BUDGET_BURST_NS);
	KUNIT_EXPECT_EQ(test, ddp_budget_admit(&b, &skipped, 1001), 0U);
	KUNIT_EXPECT_EQ(test, ddp_budget_admit(&b, &skipped, 1000000000), 2U);
}

static int read_memory(void *ctx, void *to, u64 addr, u32 len)
{
	if (addr < 0x1000 || addr + len > 0x2000)
		return -EFAULT;
	memcpy(to, (u8 *)ctx + addr - 0x1000, len);
	return 0;
}

static void walk_reaches_the_root(struct kunit *test)
{
	u64 *stack = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct ddp_window *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct ddp_user_regs regs = { .ip = 1, .sp = 0x1000, .bp = 0x1010, .limit = 0x7ffff000 };
	struct ddp_walk walk;
	u64 frames[4];

	KUNIT_ASSERT_NOT_NULL(test, stack);
	KUNIT_ASSERT_NOT_NULL(test, w);
	w->read = read_memory;
	w->ctx = stack;
	stack[2] = 0x1040;
	stack[3] = 0x401000;
	stack[9] = 0x402000;
	KUNIT_EXPECT_EQ(test, ddp_unwind_user(w, &regs, NULL, 0, frames, 4, &walk), 3U);
	KUNIT_EXPECT_EQ(test, walk.end, (u8)DDPROF_END_ROOT);
	KUNIT_EXPECT_EQ(test, frames[2], 0x402000ULL);
}

/* Two functions of 256 bytes from file offset 0: cfa = sp + 16 with bp saved, and the outermost. */
static const struct {
	struct ddprof_unwind_header header;
	struct ddprof_unwind_rule rules[3];
	u32 pages[4], rows[3];
} two_functions = {
	{ .magic = DDPROF_UNWIND_MAGIC, .nr_rules = 3, .nr_pages = 3, .nr_rows = 3,
	  .page_shift = 8 },
	{
		{ .kind = DDPROF_UNWIND_NONE },
		{ .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 16, .bp = DDPROF_UNWIND_BP_CFA,
		  .bp_offset = -16 },
		{ .kind = DDPROF_UNWIND_STOP },
	},
	{ 0, 1, 2, 3 },
	{ 1, 256U << 16 | 2, 512U << 16 },
};

static void rows_are_checked_and_found(struct kunit *test)
{
	const char *fault = NULL;
	struct ddp_rows t;

	KUNIT_ASSERT_EQ(test, ddp_rows_open(&two_functions, sizeof(two_functions), &t, &fault), 0);
	KUNIT_ASSERT_EQ(test, ddp_rows_check(&t, 0, t.nr_pages, &fault), 0);
	KUNIT_EXPECT_PTR_EQ(test, ddp_rows_find(&t, 255), &t.rules[1]);
	KUNIT_EXPECT_PTR_EQ(test, ddp_rows_find(&t, 256), &t.rules[2]);
	KUNIT_EXPECT_PTR_EQ(test, ddp_rows_find(&t, 767), &t.rules[0]);
	KUNIT_EXPECT_NULL(test, ddp_rows_find(&t, 768));
	KUNIT_EXPECT_EQ(test, ddp_rows_open(&two_functions, sizeof(two_functions) - 4, &t, &fault),
			-EINVAL);
}

static void walk_goes_by_rows(struct kunit *test)
{
	u64 *stack = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct ddp_window *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct ddp_unwind_ranges *ranges =
		kunit_kzalloc(test, sizeof(*ranges) + sizeof(ranges->range[0]), GFP_KERNEL);
	struct ddp_user_regs regs = { .ip = 0x400010, .sp = 0x1000, .limit = 0x7ffff000,
				      .exact = true };
	struct ddp_unwind_file file = {};
	const char *fault = NULL;
	struct ddp_walk walk;
	struct ddp_rows t;
	u64 frames[4];

	KUNIT_ASSERT_NOT_NULL(test, stack);
	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	KUNIT_ASSERT_EQ(test, ddp_rows_open(&two_functions, sizeof(two_functions), &t, &fault), 0);
	ddp_store_release(&file.rows, &t);
	ranges->nr = 1;
	ranges->range[0] = (struct ddp_unwind_range){ 0x400000, 0x401000, 0, &file };
	w->read = read_memory;
	w->ctx = stack;
	stack[1] = 0x400100;	/* behind the first function's last call */
	stack[3] = 0x400180;
	KUNIT_EXPECT_EQ(test, ddp_unwind_user(w, &regs, ranges, 5, frames, 4, &walk), 3U);
	KUNIT_EXPECT_EQ(test, walk.end, (u8)DDPROF_END_ROOT);
	KUNIT_EXPECT_EQ(test, frames[2], 0x400180ULL);
	KUNIT_EXPECT_EQ(test, file.used, 5U);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(record_bytes),
	KUNIT_CASE(ring_wraps_around),
	KUNIT_CASE(ring_holds_what_is_uncommitted),
	KUNIT_CASE(cache_claims_and_counts),
	KUNIT_CASE(budget_skips_and_weighs),
	KUNIT_CASE(walk_reaches_the_root),
	KUNIT_CASE(rows_are_checked_and_found),
	KUNIT_CASE(walk_goes_by_rows),
	{}
};

struct kunit_suite ddp_basics_suite = {
	.name = "ddprof_core_basics",
	.test_cases = cases,
};
