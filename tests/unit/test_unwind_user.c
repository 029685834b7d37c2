// SPDX-License-Identifier: Apache-2.0
/*
 * The user walk over hand-made stacks, one row a case, by frame pointers and by unwind rows; and
 * over random memory, registers and tables: whatever lies there, it ends, reads only what it may
 * and writes no more than it was asked.
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
#include "unwind_image.h"

#define NR(array) (sizeof(array) / sizeof(*(array)))

enum {
	BASE = 0x10000,		/* the stack memory's first address */
	BYTES = 4 * 4096,
	LIMIT = 0x7ffff000,
	MAX = 8,
};

static u8 memory[BYTES];
static u32 reads;
static u64 user_limit;
static void (*before_read)(void);	/* NULL: nothing happens */

static int read_memory(void *ctx, void *to, u64 addr, u32 len)
{
	u64 *present_end = ctx;

	reads++;
	if (before_read)
		before_read();
	assert_true(addr < user_limit && len <= user_limit - addr);
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
	user_limit = LIMIT;
	before_read = NULL;
	ddp_window_reset(&window);
	reads = 0;
	return 0;
}

/* Frame pointers only: no mappings are known. */
struct frame_at {
	u64 at, fp, ret;
};

struct chain_case {
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

static const struct chain_case chain_cases[] = {
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

static void chains_end_where_they_should(void **state)
{
	size_t i, k;

	for (i = 0; i < NR(chain_cases); i++) {
		const struct chain_case *c = &chain_cases[i];
		u64 frames[MAX];
		struct ddp_walk walk;
		u32 n;

		setup(state);
		for (k = 0; k < 4; k++)
			put_frame(&c->stack[k], c->regs.compat);
		n = ddp_unwind_user(&window, &c->regs, NULL, 0, frames, c->max, &walk);
		if (n != c->n || walk.end != c->end ||
		    memcmp(frames, c->frames, n * sizeof(*frames)))
			fail_msg("%s: %u frames, end %u", c->name, n, walk.end);
		/* a list of mappings might help, if it helps 32-bit tasks */
		if (walk.guessed || walk.ended_in || walk.unmapped != (c->max && !c->regs.compat) ||
		    walk.retry != walk.unmapped)
			fail_msg("%s: flags", c->name);
	}
}

/*
 * The world of the walks by rows. A file with a table: function k, 256 bytes of code, has rule k. A
 * file whose table has not come, one without unwind information, and memory without a file.
 */
enum {
	F_NONE, F_STOP, F_UNKNOWN, F_SIGNAL,
	F_SP8,		/* nothing on the stack but the return address */
	F_PUSHED,	/* cfa = sp + 24, bp at cfa - 16 */
	F_FRAME,	/* cfa = bp + 16, bp at cfa - 16 */
	F_FRAME_BP,	/* the same, bp found from bp */
	F_LOST,		/* cfa = sp + 8, bp lost */
	F_FAR_BP,	/* cfa = sp + 8, bp at cfa + 32752 */
	F_R10,		/* cfa = r10 + 8 */
	F_R12,		/* cfa = r12 + 8 */
	F_BX,		/* cfa = bx + 16 */
	F_PUSHED_BX,	/* cfa = sp + 24, bx at cfa - 16 */
	F_LOST_BX,	/* cfa = sp + 8, bx lost */
	F_FAR_BX,	/* cfa = sp + 8, bx at cfa - 1016 */
	F_ALIGNED,	/* cfa = [bp - 8], bp at [bp] */
	F_ALIGNED_R10,	/* cfa = [r10 + 16] + 8 */
	F_PLT,		/* cfa = sp + 8, + 8 from the 11th byte of each entry */
	F_STAYS,	/* cfa = sp */
	F_DOWN,		/* cfa = sp - 8 */
	F_CROOKED,	/* cfa = sp + 12 */
	F_FAR,		/* cfa = sp + 2^31 - 8 */
	F_NR,
};

static const struct ddprof_unwind_rule rules[F_NR] = {
	[F_NONE] = { .kind = DDPROF_UNWIND_NONE },
	[F_STOP] = { .kind = DDPROF_UNWIND_STOP },
	[F_UNKNOWN] = { .kind = DDPROF_UNWIND_UNKNOWN },
	[F_SIGNAL] = { .kind = DDPROF_UNWIND_SIGNAL },
	[F_SP8] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8 },
	[F_PUSHED] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 24,
		       .bp = DDPROF_UNWIND_BP_CFA, .bp_offset = -16 },
	[F_FRAME] = { .kind = DDPROF_UNWIND_REG, .base = 6, .offset = 16,
		      .bp = DDPROF_UNWIND_BP_CFA, .bp_offset = -16 },
	[F_FRAME_BP] = { .kind = DDPROF_UNWIND_REG, .base = 6, .offset = 16,
			 .bp = DDPROF_UNWIND_BP_BP },
	[F_LOST] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8,
		     .bp = DDPROF_UNWIND_BP_LOST },
	[F_FAR_BP] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8,
		       .bp = DDPROF_UNWIND_BP_CFA, .bp_offset = 32752 },
	[F_R10] = { .kind = DDPROF_UNWIND_REG, .base = 10, .offset = 8 },
	[F_R12] = { .kind = DDPROF_UNWIND_REG, .base = 12, .offset = 8 },
	[F_BX] = { .kind = DDPROF_UNWIND_REG, .base = 3, .offset = 16 },
	[F_PUSHED_BX] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 24, .bx = -2 },
	[F_LOST_BX] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8,
			.bx = DDPROF_UNWIND_BX_LOST },
	[F_FAR_BX] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 8, .bx = -127 },
	[F_ALIGNED] = { .kind = DDPROF_UNWIND_DEREF, .base = 6, .offset = -8,
			.bp = DDPROF_UNWIND_BP_BP },
	[F_ALIGNED_R10] = { .kind = DDPROF_UNWIND_DEREF, .base = 10, .offset = 16, .add = 8 },
	[F_PLT] = { .kind = DDPROF_UNWIND_PLT, .base = 7, .offset = 8, .add = 11 },
	[F_STAYS] = { .kind = DDPROF_UNWIND_REG, .base = 7 },
	[F_DOWN] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = -8 },
	[F_CROOKED] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 12 },
	[F_FAR] = { .kind = DDPROF_UNWIND_REG, .base = 7, .offset = 0x7ffffff8 },
};

enum {
	CODE = 0x400000, CODE_OFFSET = 0x1000, CODE_END = CODE + 256 * F_NR,
	/* 0x8000 bytes each */
	LATE = 0x500000, BARE = 0x510000, ANON = 0x520000, BEYOND = 0x530000,
	/* the same functions in memory that can be read, as other code cannot */
	COPY = BASE + 0x3000, COPY_END = BASE + BYTES,
};

#define FN(k) (CODE + 256 * (k))	/* its first instruction, and where the one before ends */
#define IN(k) (FN(k) + 32)
#define COPY_IN(k) (COPY + 256 * (k) + 32)

static struct ddp_unwind_file with_rows, late, bare;
static struct {
	struct ddp_unwind_ranges head;
	struct ddp_unwind_range range[6];
} world = {
	{ .nr = 6 }, {
		{ COPY, COPY_END, CODE_OFFSET, &with_rows },
		{ CODE, CODE_END, CODE_OFFSET, &with_rows },
		{ LATE, LATE + 0x8000, 0, &late },
		{ BARE, BARE + 0x8000, 0, &bare },
		{ ANON, ANON + 0x8000, 0, NULL },
		{ BEYOND, BEYOND + 0x8000, 0x100000, &with_rows },	/* not in its table */
	},
};

static struct ddp_rows code_rows, no_rows;
static void *code_image, *no_image;

static int make_world(void **state)
{
	struct image_row row[F_NR + 1];
	u32 i;

	(void)state;
	for (i = 0; i <= F_NR; i++)
		row[i] = (struct image_row){ CODE_OFFSET + 256 * i, i < F_NR ? i : 0 };
	code_rows = image_open(9, rules, F_NR, row, F_NR + 1, &code_image);
	no_rows = image_open(8, NULL, 0, NULL, 0, &no_image);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	free(code_image);
	free(no_image);
	return 0;
}

enum { AWAITED_UNTIL = 7 };	/* a stamp */

static void reset_world(void)
{
	with_rows = (struct ddp_unwind_file){ .rows = &code_rows };
	late = (struct ddp_unwind_file){ .rows = NULL, .awaited_until = AWAITED_UNTIL };
	bare = (struct ddp_unwind_file){ .rows = &no_rows };
}

enum { R10 = BASE + 0x80, R12 = BASE + 0xa0, BX = BASE + 0xc0 };

static u64 get_register(const void *ctx, u32 number)
{
	assert_null(ctx);
	assert_true(number < 16);
	switch (number) {
	case 3:
		return BX;
	case 10:
		return R10;
	case 12:
		return R12;
	default:
		return 0;
	}
}

enum { GUESSED = 1, RETRY = 2, UNMAPPED = 4 };

struct row_case {
	const char *name;
	struct ddp_user_regs regs;
	u64 stack[10][2];	/* address, word; the rest is 0 */
	u64 frames[6];		/* after the first, which is regs.ip; 0 ends them */
	u8 end;
	u8 flags;
	const struct ddp_unwind_file *ended_in;
};

/* stack offsets */
#define S(offset) (BASE + (offset))
#define AT(ip_, bp_) { .ip = (ip_), .sp = BASE, .bp = (bp_), .limit = LIMIT, .exact = true, \
		       .get = get_register }
#define NO_BP(ip_, sp_) { .ip = (ip_), .sp = (sp_), .limit = LIMIT, .exact = true }
#define AFTER_CALL(ip_, bp_) { .ip = (ip_), .sp = BASE, .bp = (bp_), .limit = LIMIT }
#define BP 0x1234567	/* nothing that can be followed */
#define CALL (0xe8ULL << 24)	/* a word that ends with a call */

static const struct row_case row_cases[] = {
	{ "the outermost frame", AT(IN(F_STOP), BP), { { 0 } }, { 0 }, DDPROF_END_ROOT, 0, NULL },
	{ "return address 0 by a rule", AT(IN(F_SP8), BP), { { 0 } }, { 0 },
	  DDPROF_END_ROOT, 0, NULL },
	{ "by sp", AT(IN(F_SP8), BP), { { S(0), IN(F_STOP) } }, { IN(F_STOP) },
	  DDPROF_END_ROOT, 0, NULL },
	{ "at the first instruction", AT(FN(F_SP8), BP), { { S(0), IN(F_STOP) } }, { IN(F_STOP) },
	  DDPROF_END_ROOT, 0, NULL },
	{ "after a system call that does not return", AFTER_CALL(FN(F_SP8 + 1), BP),
	  { { S(0), IN(F_STOP) } }, { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "return addresses behind functions", AT(IN(F_SP8), BP),
	  { { S(0), FN(F_SP8 + 1) }, { S(8), FN(F_STOP + 1) } },
	  { FN(F_SP8 + 1), FN(F_STOP + 1) }, DDPROF_END_ROOT, 0, NULL },
	{ "a return address at the end of the code is the last function's", AT(IN(F_SP8), BP),
	  { { S(0), CODE_END } }, { CODE_END }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "bp saved by a callee and used by its caller", AT(IN(F_PUSHED), BP),
	  { { S(8), S(0x40) }, { S(16), IN(F_FRAME) }, { S(0x48), IN(F_STOP) } },
	  { IN(F_FRAME), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bp kept by two and used by the third", AT(IN(F_SP8), S(0x40)),
	  { { S(0), IN(F_SP8) }, { S(8), IN(F_FRAME) }, { S(0x40), S(0x80) },
	    { S(0x48), IN(F_FRAME_BP) }, { S(0x88), IN(F_STOP) } },
	  { IN(F_SP8), IN(F_FRAME), IN(F_FRAME_BP), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bp from bp", AT(IN(F_FRAME_BP), S(0x10)),
	  { { S(0x10), S(0x40) }, { S(0x18), IN(F_FRAME) }, { S(0x48), IN(F_STOP) } },
	  { IN(F_FRAME), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bp lost and not needed", AT(IN(F_LOST), BP),
	  { { S(0), IN(F_SP8) }, { S(8), IN(F_STOP) } },
	  { IN(F_SP8), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bp lost and found", AT(IN(F_LOST), BP),
	  { { S(0), IN(F_PUSHED) }, { S(16), S(0x40) }, { S(24), IN(F_FRAME) },
	    { S(0x48), IN(F_STOP) } },
	  { IN(F_PUSHED), IN(F_FRAME), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bp lost and needed", AT(IN(F_LOST), S(0x40)),
	  { { S(0), IN(F_FRAME) }, { S(0x48), IN(F_STOP) } }, { IN(F_FRAME) },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "bp lost, found from itself and needed", AT(IN(F_LOST), S(0x40)),
	  { { S(0), IN(F_ALIGNED) } }, { IN(F_ALIGNED) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "bp lost before code that keeps it", AT(IN(F_LOST), S(0x40)),
	  { { S(0), IN(F_SP8) }, { S(8), IN(F_FRAME) } }, { IN(F_SP8), IN(F_FRAME) },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "bp where nothing can be read", AT(IN(F_FAR_BP), S(0x40)),
	  { { S(0), IN(F_SP8) }, { S(8), IN(F_FRAME) } }, { IN(F_SP8), IN(F_FRAME) },
	  DDPROF_END_UNREADABLE, 0, &with_rows },
	{ "bp where nothing can be read, and found from itself", AT(IN(F_FAR_BP), S(0x40)),
	  { { S(0), IN(F_ALIGNED) } }, { IN(F_ALIGNED) }, DDPROF_END_UNREADABLE, 0, &with_rows },
	{ "bp where nothing can be read, not needed", AT(IN(F_FAR_BP), S(0x40)),
	  { { S(0), IN(F_SP8) }, { S(8), IN(F_STOP) } }, { IN(F_SP8), IN(F_STOP) },
	  DDPROF_END_ROOT, 0, NULL },
	{ "bp where nothing can be read, needed by frame pointers", AT(IN(F_FAR_BP), S(0x40)),
	  { { S(0), ANON + 16 } }, { ANON + 16 }, DDPROF_END_UNREADABLE, 0, NULL },
	{ "bp lost, needed by frame pointers", AT(IN(F_LOST), S(0x40)),
	  { { S(0), ANON + 16 } }, { ANON + 16 }, DDPROF_END_BAD_FRAME, 0, NULL },
	{ "any register of the innermost frame", AT(IN(F_R10), BP), { { R10, IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "any register after a call", AFTER_CALL(IN(F_R10), BP), { { R10, IN(F_STOP) } },
	  { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "a register that a callee left alone", AT(IN(F_SP8), BP),
	  { { S(0), IN(F_R10) }, { R10, IN(F_STOP) } },
	  { IN(F_R10), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a register that a callee left alone, not known", NO_BP(IN(F_SP8), S(0)),
	  { { S(0), IN(F_R10) }, { R10, IN(F_STOP) } },
	  { IN(F_R10) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "a register of the innermost frame that callees keep", AT(IN(F_R12), BP),
	  { { R12, IN(F_STOP) } }, { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a register that a callee may have saved", AT(IN(F_SP8), S(0x40)),
	  { { S(0), IN(F_R12) }, { R12, IN(F_STOP) }, { S(0x48), IN(F_STOP) } },
	  { IN(F_R12) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "a register before a signal", AT(IN(F_SIGNAL), BP),
	  { { S(160), S(0x100) }, { S(168), FN(F_R10) }, { R10, IN(F_STOP) } },
	  { FN(F_R10) + 1 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "a frame that lies above the one whose register it has", AT(IN(F_SP8), BP),
	  { { S(0), IN(F_PUSHED) }, { S(24), IN(F_R10) }, { R10, IN(F_R10) } },
	  { IN(F_PUSHED), IN(F_R10), IN(F_R10) }, DDPROF_END_BAD_FRAME, 0, &with_rows },

	{ "bx of the innermost frame", AT(IN(F_BX), BP), { { BX + 8, IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bx that is not known", NO_BP(IN(F_BX), S(0)), { { BX + 8, IN(F_STOP) } },
	  { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "bx kept by a callee", AT(IN(F_SP8), BP),
	  { { S(0), IN(F_BX) }, { BX + 8, IN(F_STOP) } },
	  { IN(F_BX), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bx saved by a callee", AT(IN(F_PUSHED_BX), BP),
	  { { S(8), S(0x60) }, { S(16), IN(F_BX) }, { S(0x68), IN(F_STOP) } },
	  { IN(F_BX), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bx saved by one and kept by another callee", AT(IN(F_PUSHED_BX), BP),
	  { { S(8), S(0x60) }, { S(16), IN(F_SP8) }, { S(24), IN(F_BX) },
	    { S(0x68), IN(F_BX) }, { S(0x70), IN(F_STOP) } },
	  { IN(F_SP8), IN(F_BX), IN(F_BX) }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "bx lost and needed", AT(IN(F_LOST_BX), S(0x40)),
	  { { S(0), IN(F_BX) }, { BX + 8, IN(F_STOP) } },
	  { IN(F_BX) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "bx lost and found", AT(IN(F_LOST_BX), BP),
	  { { S(0), IN(F_PUSHED_BX) }, { S(16), S(0x60) }, { S(24), IN(F_BX) },
	    { S(0x68), IN(F_STOP) } },
	  { IN(F_PUSHED_BX), IN(F_BX), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bx where nothing can be read", AT(IN(F_FAR_BX), BP), { { S(0), IN(F_BX) } },
	  { IN(F_BX) }, DDPROF_END_UNREADABLE, 0, &with_rows },
	{ "bx where nothing can be read, not needed", AT(IN(F_FAR_BX), BP),
	  { { S(0), IN(F_STOP) } }, { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "bx of what a signal interrupted", AT(IN(F_SIGNAL), BP),
	  { { S(128), S(0x140) }, { S(160), S(0x100) }, { S(168), FN(F_BX) },
	    { S(0x148), IN(F_STOP) } },
	  { FN(F_BX) + 1, IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a realigned stack", AT(IN(F_ALIGNED), S(0x40)),
	  { { S(0x38), S(0x80) }, { S(0x40), S(0xc0) }, { S(0x78), IN(F_FRAME) },
	    { S(0xc8), IN(F_STOP) } },
	  { IN(F_FRAME), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a realigned stack by another register", AT(IN(F_ALIGNED_R10), BP),
	  { { R10 + 16, S(0x38) }, { S(0x38), IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a realigned stack that leads down", AT(IN(F_ALIGNED), S(0x40)), { { S(0x38), S(0) } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a realigned stack that is not there", AT(IN(F_ALIGNED), S(0x8000)), { { 0 } },
	  { 0 }, DDPROF_END_UNREADABLE, 0, &with_rows },
	{ "a realigned stack in the kernel", AT(IN(F_ALIGNED), 0xffffffff80000000), { { 0 } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a PLT entry before its push", AT(FN(F_PLT) + 0x1a, BP),
	  { { S(0), IN(F_STOP) }, { S(8), IN(F_UNKNOWN) } }, { IN(F_STOP) },
	  DDPROF_END_ROOT, 0, NULL },
	{ "a PLT entry after its push", AT(FN(F_PLT) + 0x1b, BP),
	  { { S(0), IN(F_UNKNOWN) }, { S(8), IN(F_STOP) } }, { IN(F_STOP) },
	  DDPROF_END_ROOT, 0, NULL },

	{ "a signal", AT(IN(F_SIGNAL), BP),
	  { { S(120), S(0x140) }, { S(160), S(0x100) }, { S(168), FN(F_SP8) },
	    { S(0x100), IN(F_FRAME) }, { S(0x148), IN(F_STOP) } },
	  { FN(F_SP8) + 1, IN(F_FRAME), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a handler on a stack above", AT(IN(F_SP8), BP),
	  { { S(0), FN(F_SIGNAL) + 1 }, { S(8 + 160), S(-0x800 + 0x1000) },
	    { S(8 + 168), FN(F_SP8) }, { S(0x800), IN(F_STOP) } },
	  { FN(F_SIGNAL) + 1, FN(F_SP8) + 1, IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a signal to a stack below", AT(IN(F_SIGNAL), BP),
	  { { S(160), S(8) }, { S(168), FN(F_SP8) }, { S(8), IN(F_STOP) } },
	  { FN(F_SP8) + 1, IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a signal finds a lost bp", AT(IN(F_LOST), BP),
	  { { S(0), IN(F_SIGNAL) }, { S(8 + 120), S(0x180) }, { S(8 + 160), S(0x100) },
	    { S(8 + 168), FN(F_FRAME) }, { S(0x188), IN(F_STOP) } },
	  { IN(F_SIGNAL), FN(F_FRAME) + 1, IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "a signal to itself", AT(IN(F_SIGNAL), BP),
	  { { S(160), S(0) }, { S(168), IN(F_SIGNAL) } },
	  { IN(F_SIGNAL) + 1, IN(F_SIGNAL) + 1, IN(F_SIGNAL) + 1, IN(F_SIGNAL) + 1,
	    IN(F_SIGNAL) + 1 }, DDPROF_END_TRUNCATED, 0, NULL },
	{ "a signal with a crooked stack", AT(IN(F_SIGNAL), BP),
	  { { S(160), S(4) }, { S(168), FN(F_SP8) } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a signal with a stack in the kernel", AT(IN(F_SIGNAL), BP),
	  { { S(160), 0xffff888000000000 }, { S(168), FN(F_SP8) } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a signal from the kernel", AT(IN(F_SIGNAL), BP),
	  { { S(160), S(0) }, { S(168), ~0ULL } }, { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a signal at a null function", AT(IN(F_SIGNAL), BP), { { S(160), S(0) } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, &with_rows },

	{ "cfa at sp", AT(IN(F_STAYS), BP), { { S(0), IN(F_STOP) } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "cfa below sp", AT(IN(F_DOWN), BP), { { S(0), IN(F_STOP) } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "cfa below address 0", NO_BP(IN(F_DOWN), 0), { { 0 } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "cfa misaligned", AT(IN(F_CROOKED), BP), { { 0 } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "cfa outside user space", AT(IN(F_FAR), BP), { { 0 } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "cfa at the end of user space", NO_BP(IN(F_SP8), LIMIT - 8), { { 0 } },
	  { 0 }, DDPROF_END_UNREADABLE, 0, &with_rows },
	{ "cfa behind the end of user space", NO_BP(IN(F_SP8), LIMIT), { { 0 } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "sp at the end of everything", NO_BP(IN(F_SP8), -8), { { 0 } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a frame pointer below sp", AT(IN(F_FRAME), S(-16)), { { S(0), IN(F_STOP) } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "returning to the kernel", AT(IN(F_SP8), BP), { { S(0), 0xffffffff81000000 } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, &with_rows },
	{ "a stack that is not there", NO_BP(IN(F_SP8), 0x30000), { { 0 } },
	  { 0 }, DDPROF_END_UNREADABLE, 0, &with_rows },

	{ "no rule, frame pointers help", AT(IN(F_NONE), S(0x10)),
	  { { S(0x10), S(0x40) }, { S(0x18), IN(F_NONE) }, { S(0x40), 0 },
	    { S(0x48), IN(F_SP8) }, { S(0x50), IN(F_STOP) } },
	  { IN(F_NONE), IN(F_SP8), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "no rule, no frame pointer", AT(IN(F_NONE), BP), { { 0 } }, { 0 },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "outside the table, frame pointers help", AT(BEYOND + 16, S(0x10)),
	  { { S(0x18), BEYOND + 32 }, { S(0x20), 0 } }, { BEYOND + 32 }, DDPROF_END_ROOT, 0, NULL },
	{ "outside the table, no frame pointer", AT(BEYOND + 16, BP), { { 0 } }, { 0 },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "unknown, whatever the frame pointer", AT(IN(F_UNKNOWN), S(0x10)),
	  { { S(0x18), IN(F_STOP) } }, { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "unknown in a caller with frame pointer 0", AT(IN(F_SP8), 0),
	  { { S(0), IN(F_UNKNOWN) } }, { IN(F_UNKNOWN) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule, frame pointers lead to data", AT(IN(F_NONE), S(0x10)),
	  { { S(0x18), S(0x40) } }, { 0 }, DDPROF_END_NO_RULE, RETRY | UNMAPPED, &with_rows },
	{ "no rule in a caller with frame pointer 0", AT(IN(F_SP8), 0), { { S(0), IN(F_NONE) } },
	  { IN(F_NONE) }, DDPROF_END_ROOT, 0, NULL },
	{ "no rule, a frame pointer to nowhere", AT(IN(F_NONE), S(0x8000)), { { 0 } }, { 0 },
	  DDPROF_END_UNREADABLE, 0, &with_rows },

	{ "no rule in a leaf", AT(IN(F_NONE), BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { COPY_IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "outside the table in a leaf", AT(BEYOND + 16, BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { COPY_IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "no rule in a leaf, which keeps registers", AT(IN(F_NONE), S(0x40)),
	  { { S(0), COPY_IN(F_FRAME) }, { COPY_IN(F_FRAME) - 8, CALL }, { S(0x40), BP },
	    { S(0x48), IN(F_BX) }, { BX + 8, IN(F_STOP) } },
	  { COPY_IN(F_FRAME), IN(F_BX), IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "no rule, a word that no call left", AT(IN(F_NONE), BP),
	  { { S(0), COPY_IN(F_STOP) } }, { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule, a word that no call left, frame pointers help", AT(IN(F_NONE), S(0x10)),
	  { { S(0), COPY_IN(F_UNKNOWN) }, { S(0x18), IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "no rule, code that cannot be read", AT(IN(F_NONE), BP),
	  { { S(0), IN(F_STOP) } }, { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule, a call that is data", AT(IN(F_NONE), BP),
	  { { S(0), S(0x100) }, { S(0x100) - 8, CALL } }, { 0 },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule, a crooked stack", { .ip = IN(F_NONE), .sp = S(4), .limit = LIMIT,
					.exact = true },
	  { { S(4), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } }, { 0 },
	  DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule in a caller is no leaf", AT(IN(F_SP8), BP),
	  { { S(0), IN(F_NONE) }, { S(8), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { IN(F_NONE) }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "no rule after a system call is no leaf", AFTER_CALL(IN(F_NONE), BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "unknown is no leaf", AT(IN(F_UNKNOWN), BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { 0 }, DDPROF_END_NO_RULE, 0, &with_rows },
	{ "compiled at run time is no leaf", AT(ANON + 16, BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { 0 }, DDPROF_END_BAD_FRAME, 0, NULL },
	{ "no unwind information is no leaf", AT(BARE + 16, BP),
	  { { S(0), COPY_IN(F_STOP) }, { COPY_IN(F_STOP) - 8, CALL } },
	  { 0 }, DDPROF_END_NO_TABLE, GUESSED, &bare },

	{ "no table yet", AT(LATE + 16, S(0x10)),
	  { { S(0x10), BP }, { S(0x18), IN(F_SP8) }, { S(0x20), IN(F_STOP) } },
	  { IN(F_SP8), IN(F_STOP) }, DDPROF_END_ROOT, GUESSED | RETRY, NULL },
	{ "no table yet, no frame pointer", AT(LATE + 16, BP), { { 0 } }, { 0 },
	  DDPROF_END_NO_TABLE, GUESSED | RETRY, &late },
	{ "no table yet, frame pointer 0", AT(LATE + 16, 0), { { 0 } }, { 0 },
	  DDPROF_END_NO_TABLE, GUESSED | RETRY, &late },
	{ "no table yet, bp lost", AT(IN(F_LOST), S(0x10)),
	  { { S(0), LATE + 16 }, { S(0x18), IN(F_STOP) } }, { LATE + 16 },
	  DDPROF_END_NO_TABLE, GUESSED | RETRY, &late },
	{ "no table yet, astray four frames on", AT(LATE + 16, S(0x10)),
	  { { S(0x18), IN(F_SP8) }, { S(0x20), IN(F_SP8) }, { S(0x28), IN(F_SP8) },
	    { S(0x30), IN(F_STAYS) } },
	  { IN(F_SP8), IN(F_SP8), IN(F_SP8), IN(F_STAYS) },
	  DDPROF_END_NO_TABLE, GUESSED | RETRY, &with_rows },
	{ "no table yet, astray five frames on", AT(LATE + 16, S(0x10)),
	  { { S(0x18), IN(F_SP8) }, { S(0x20), IN(F_SP8) }, { S(0x28), IN(F_SP8) },
	    { S(0x30), IN(F_SP8) }, { S(0x38), IN(F_STAYS) } },
	  { IN(F_SP8), IN(F_SP8), IN(F_SP8), IN(F_SP8), IN(F_STAYS) },
	  DDPROF_END_BAD_FRAME, GUESSED | RETRY, &with_rows },
	{ "no table yet, frame pointers lead to data", AT(LATE + 16, S(0x10)),
	  { { S(0x18), 0x700000 } }, { 0 }, DDPROF_END_NO_TABLE, GUESSED | RETRY, &late },
	{ "no unwind information, frame pointers lead to data", AT(BARE + 16, S(0x10)),
	  { { S(0x18), IN(F_SP8) }, { S(0x20), 0x700000 } },
	  { IN(F_SP8) }, DDPROF_END_NO_TABLE, GUESSED, &with_rows },
	{ "no unwind information", AT(BARE + 16, S(0x10)), { { S(0x18), IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, GUESSED, NULL },
	{ "no unwind information, no frame pointer", AT(BARE + 16, BP), { { 0 } }, { 0 },
	  DDPROF_END_NO_TABLE, GUESSED, &bare },
	{ "compiled at run time", AT(ANON + 16, S(0x10)), { { S(0x18), IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, 0, NULL },
	{ "compiled at run time, no frame pointer", AT(ANON + 16, BP), { { 0 } }, { 0 },
	  DDPROF_END_BAD_FRAME, 0, NULL },
	{ "called at run time with frame pointer 0", AT(IN(F_SP8), 0), { { S(0), ANON + 16 } },
	  { ANON + 16 }, DDPROF_END_ROOT, 0, NULL },

	{ "32 bits: neither mappings nor tables",
	  { .ip = IN(F_SP8), .sp = S(0), .bp = S(8), .limit = LIMIT, .compat = true },
	  { { S(0), IN(F_STOP) }, { S(8), 0x8049000ULL << 32 } }, { 0x8049000 },
	  DDPROF_END_ROOT, 0, NULL },
	{ "code that was just mapped", AT(0x700000, S(0x10)), { { S(0x18), IN(F_STOP) } },
	  { IN(F_STOP) }, DDPROF_END_ROOT, RETRY | UNMAPPED, NULL },
	{ "code that was just mapped, no frame pointer", AT(0x700000, BP), { { 0 } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, NULL },
	{ "a caller that is no code", AT(IN(F_SP8), BP), { { S(0), 0x700000 } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, &with_rows },
	{ "a caller just before code", AT(IN(F_SP8), BP), { { S(0), CODE } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, &with_rows },
	{ "a caller just behind code", AT(IN(F_SP8), BP), { { S(0), CODE_END + 1 } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, &with_rows },
	{ "no instruction pointer", AFTER_CALL(0, BP), { { 0 } }, { 0 },
	  DDPROF_END_BAD_FRAME, RETRY | UNMAPPED, NULL },
};

enum { ROW_CASE_MAX = 6 };	/* frames, at most */

static u8 walk_flags(const struct ddp_walk *walk)
{
	return (walk->guessed ? GUESSED : 0) | (walk->retry ? RETRY : 0) |
	       (walk->unmapped ? UNMAPPED : 0);
}

static void check_row_cases(void **state)
{
	struct ddp_memo *memo = window.memo;
	size_t i;
	u32 n, k;

	for (i = 0; i < NR(row_cases); i++) {
		const struct row_case *c = &row_cases[i];
		u64 frames[ROW_CASE_MAX];
		struct ddp_walk walk;

		setup(state);
		reset_world();
		window.memo = memo;
		for (k = 0; k < NR(c->stack); k++)
			if (c->stack[k][0])
				memcpy(memory + c->stack[k][0] - BASE, &c->stack[k][1], 8);
		n = ddp_unwind_user(&window, &c->regs, &world.head, 7, frames, ROW_CASE_MAX, &walk);
		for (k = 0; k < n && frames[k] == (k ? c->frames[k - 1] : c->regs.ip); k++)
			;
		if (!n || k < n || (n < ROW_CASE_MAX && c->frames[n - 1]))
			fail_msg("%s: %u frames, %u right, end %u", c->name, n, k, walk.end);
		if (walk.end != c->end || walk_flags(&walk) != c->flags)
			fail_msg("%s: end %u, flags %u", c->name, walk.end, walk_flags(&walk));
		if (walk.ended_in != c->ended_in)
			fail_msg("%s: ended in another file", c->name);
	}
}

static void rows_lead_where_they_should(void **state)
{
	check_row_cases(state);
}

/* The same rows a second time come from the memo, and lead nowhere else. */
static void what_is_remembered_is_the_same(void **state)
{
	static struct ddp_memo memo;
	size_t i, nr = 0;

	memset(&memo, 0, sizeof(memo));
	code_rows.serial = 1;
	window.memo = &memo;
	check_row_cases(state);
	for (i = 0; i < DDP_MEMO_RULES; i++)
		nr += memo.at[i].key >> DDP_MEMO_OFFSET_BITS == 1;
	assert_in_range(nr, 5, DDP_MEMO_RULES);
	check_row_cases(state);
	code_rows.serial = 0;
	window.memo = NULL;
}

/* The file with rows begins so much later in itself. */
static void move_offsets(u64 bytes)
{
	u32 i;

	assert_int_equal(bytes % 0x10000, 0);	/* rows have the lower half of an offset */
	code_rows.first_page += (u32)(bytes >> code_rows.page_shift);
	for (i = 0; i < world.head.nr; i++)
		if (world.range[i].file == &with_rows)
			world.range[i].file_offset += bytes;
}

/* Serials and offsets too large for a key: such rules are searched for each time. */
static void what_has_no_key_is_not_remembered(void **state)
{
	const u64 end = 1ULL << DDP_MEMO_OFFSET_BITS;
	static const struct ddp_user_regs regs = AT(IN(F_SP8), S(0x10));
	static struct ddp_memo memo, empty;
	const struct {
		const char *name;
		u32 serial;
		u64 moved, range_bytes;
		bool remembered;
	} rows[] = {
		{ "a serial without room", (1U << (64 - DDP_MEMO_OFFSET_BITS)) + 1, 0, 0xf000, false },
		{ "no serial", 0, 0, 0xf000, false },
		{ "behind the last offset", 1, end, 0xf000, false },
		{ "the last offset in the middle", 1, end - 0x10000, 0xf001, false },
		{ "up to the last offset", 1, end - 0x10000, 0xf000, true },
	};
	struct ddp_walk walk;
	u64 frames[4];
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		reset_world();
		setup(state);
		memcpy(memory, &(u64){ IN(F_STOP) }, 8);
		window.memo = &memo;
		code_rows.serial = rows[i].serial;
		world.range[1].end = CODE + rows[i].range_bytes;
		move_offsets(rows[i].moved);
		assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 1, frames, 4, &walk),
				 2);
		assert_int_equal(walk.end, DDPROF_END_ROOT);
		move_offsets(0 - rows[i].moved);
		world.range[1].end = CODE_END;
		code_rows.serial = 0;
		window.memo = NULL;
		if (!memcmp(&memo, &empty, sizeof(memo)) == rows[i].remembered)
			fail_msg("%s", rows[i].name);
	}
}

/* Another table of the same file has another number, and nothing of the old one is believed. */
static void another_table_is_not_remembered(void **state)
{
	static const struct ddp_user_regs regs = AT(IN(F_SP8), S(0x10));
	static struct ddp_memo memo;
	struct ddp_walk walk;
	u64 frames[4];
	size_t i;

	(void)state;
	reset_world();
	memset(&memo, 0, sizeof(memo));
	window.memo = &memo;
	code_rows.serial = 1;
	memcpy(memory, &(u64){ IN(F_STOP) }, 8);
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 1, frames, 4, &walk), 2);
	/* what is remembered of table 1 becomes wrong: every rule the root's */
	for (i = 0; i < DDP_MEMO_RULES; i++) {
		memo.at[i].rule = (struct ddprof_unwind_rule){ .kind = DDPROF_UNWIND_STOP };
		memo.at[i].plain = 0;
	}
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 1, frames, 4, &walk), 1);
	code_rows.serial = 2;
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 1, frames, 4, &walk), 2);
	code_rows.serial = 0;
	window.memo = NULL;
}

/* Whoever's rows were used is known by its stamp, and nobody else. */
static void files_are_stamped(void **state)
{
	static const struct ddp_user_regs regs = AT(LATE + 16, S(0x10));
	struct ddp_walk walk;
	u64 frames[4];

	(void)state;
	reset_world();
	memcpy(memory + 0x18, &(u64){ IN(F_SP8) }, 8);
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 7, frames, 4, &walk), 2);
	assert_int_equal(with_rows.used, 7);
	assert_int_equal(late.used, 0);
	assert_int_equal(bare.used, 0);
}

static void use_late_rows(void)
{
	late.rows = &code_rows;
}

/* A table that comes in the middle of a walk serves what is left of it. */
static void rows_may_come_at_any_time(void **state)
{
	static const struct ddp_user_regs regs = AT(LATE + 16, S(0x10));
	struct ddp_walk walk;
	u64 frames[4];

	(void)state;
	reset_world();
	before_read = use_late_rows;
	/* the same code as the other file's, so function k's rows are there */
	memcpy(memory + 0x18, &(u64){ LATE + CODE_OFFSET + 256 * F_STOP + 32 }, 8);
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 1, frames, 4, &walk), 2);
	assert_int_equal(walk.end, DDPROF_END_ROOT);
	assert_true(walk.guessed && walk.retry);
	assert_int_equal(late.used, 1);
}

/* Up to that stamp, which may wrap. */
static void what_does_not_come_is_not_waited_for(void **state)
{
	static const struct ddp_user_regs regs = AT(LATE + 16, S(0x10));
	static const struct {
		u32 until, stamp;
		bool waits;
	} cases[] = {
		{ 7, 6, true }, { 7, 7, true }, { 7, 8, false }, { 7, 1000, false },
		{ 2, -3, true }, { -3, 2, false }, { -3, -3, true },
	};
	struct ddp_walk walk;
	u64 frames[4];
	size_t i;

	(void)state;
	reset_world();
	for (i = 0; i < NR(cases); i++) {
		late.awaited_until = cases[i].until;
		ddp_unwind_user(&window, &regs, &world.head, cases[i].stamp, frames, 4, &walk);
		assert_true(walk.guessed);
		assert_int_equal(walk.retry, cases[i].waits);
	}
}

/* What is needed is read, and nothing else: where bp and bx were saved nothing is there. */
static void registers_are_read_when_needed(void **state)
{
	static const struct ddp_user_regs regs = AT(IN(F_FAR_BX), BP);
	struct ddp_walk walk;
	u64 frames[4];

	(void)state;
	reset_world();
	memcpy(memory, (u64[]){ IN(F_FAR_BP), IN(F_STOP) }, 16);
	assert_int_equal(ddp_unwind_user(&window, &regs, &world.head, 7, frames, 4, &walk), 3);
	assert_int_equal(walk.end, DDPROF_END_ROOT);
	assert_int_equal(reads, 1);
}

struct call_case {
	const char *name;
	u8 code[8];	/* up to the return address */
	bool call;
};

static const struct call_case call_cases[] = {
	{ "nothing", { 0 }, false },
	{ "call rel32", { 0, 0, 0, 0xe8, 1, 2, 3, 4 }, true },
	{ "jmp rel32", { 0, 0, 0, 0xe9, 1, 2, 3, 4 }, false },
	{ "call rel32, a byte off", { 0, 0, 0xe8, 1, 2, 3, 4, 0x90 }, false },
	{ "call *%rax", { 0, 0, 0, 0, 0, 0, 0xff, 0xd0 }, true },
	{ "call *%rsp", { 0, 0, 0, 0, 0, 0, 0xff, 0xd4 }, true },
	{ "call *%r15", { 0, 0, 0, 0, 0, 0x41, 0xff, 0xd7 }, true },
	{ "jmp *%rax", { 0, 0, 0, 0, 0, 0, 0xff, 0xe0 }, false },
	{ "push %rax", { 0, 0, 0, 0, 0, 0, 0xff, 0xf0 }, false },
	{ "lcall *(%rax)", { 0, 0, 0, 0, 0, 0, 0xff, 0x18 }, false },
	{ "call *(%rax)", { 0, 0, 0, 0, 0, 0, 0xff, 0x10 }, true },
	{ "call *(%rdi)", { 0, 0, 0, 0, 0, 0, 0xff, 0x17 }, true },
	{ "call *disp32(%rip), its end not there", { 0, 0, 0, 0, 0, 0, 0xff, 0x15 }, false },
	{ "call *(%rsp), its end not there", { 0, 0, 0, 0, 0, 0, 0xff, 0x14 }, false },
	{ "call *(%rsp)", { 0, 0, 0, 0, 0, 0xff, 0x14, 0x24 }, true },
	{ "call *(%rax,%rbx,8)", { 0, 0, 0, 0, 0, 0xff, 0x14, 0xd8 }, true },
	{ "call *8(%rax)", { 0, 0, 0, 0, 0, 0xff, 0x50, 8 }, true },
	{ "call *8(%rbp)", { 0, 0, 0, 0, 0, 0xff, 0x55, 8 }, true },
	{ "call *8(%rsp)", { 0, 0, 0, 0, 0xff, 0x54, 0x24, 8 }, true },
	{ "call *8(%rsp), its end not there", { 0, 0, 0, 0, 0, 0xff, 0x54, 0x24 }, false },
	{ "call *disp32(%rip)", { 0, 0, 0xff, 0x15, 1, 2, 3, 4 }, true },
	{ "call *disp32(%rax)", { 0, 0, 0xff, 0x90, 1, 2, 3, 4 }, true },
	{ "call *disp32(%rsp)", { 0, 0xff, 0x94, 0x24, 1, 2, 3, 4 }, true },
	{ "call *disp32", { 0, 0xff, 0x14, 0x25, 1, 2, 3, 4 }, true },
	{ "call *disp32(,%rax,8)", { 0, 0xff, 0x14, 0xc5, 1, 2, 3, 4 }, true },
	{ "call *disp32(%rax), a byte off", { 0, 0xff, 0x90, 1, 2, 3, 4, 0x90 }, false },
};

static void calls_are_known(void **state)
{
	static const struct ddp_user_regs regs = AT(IN(F_NONE), BP);
	struct ddp_walk walk;
	u64 frames[4];
	size_t i;
	u32 n;

	for (i = 0; i < NR(call_cases); i++) {
		const struct call_case *c = &call_cases[i];

		setup(state);
		reset_world();
		memcpy(memory, &(u64){ COPY_IN(F_STOP) }, 8);
		memcpy(memory + COPY_IN(F_STOP) - 8 - BASE, c->code, 8);
		n = ddp_unwind_user(&window, &regs, &world.head, 7, frames, 4, &walk);
		if (n != 1U + c->call || (c->call && frames[1] != COPY_IN(F_STOP)))
			fail_msg("%s: %u frames, end %u", c->name, n, walk.end);
	}
}

static u64 word_at(u32 i)
{
	return i < 999 ? IN(F_SP8) + i % 16 : IN(F_STOP);
}

/* A stack of any depth, and cut off at any: the frames are the same. */
static void depth_only_cuts_off(void **state)
{
	static const struct ddp_user_regs regs = AT(IN(F_SP8), BP);
	struct ddp_walk walk;
	u64 frames[1024], word;
	u32 max, n, i;

	(void)state;
	reset_world();
	for (i = 0; i < 1000; i++) {
		word = word_at(i);
		memcpy(memory + 8 * i, &word, 8);
	}
	for (max = 0; max <= 1024; max++) {
		n = ddp_unwind_user(&window, &regs, &world.head, 1, frames, max, &walk);
		assert_int_equal(n, max < 1001 ? max : 1001);
		assert_int_equal(walk.end, max < 1001 ? DDPROF_END_TRUNCATED : DDPROF_END_ROOT);
		for (i = 1; i < n; i++)
			assert_int_equal(frames[i], word_at(i - 1));
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
	assert_int_equal(ddp_window_word(&window, BASE, &word), 0);
	assert_int_equal(word, 5);
	assert_true(ddp_window_word(&window, BASE - 16, &word) < 0);
	memory[0] = 6;
	assert_int_equal(ddp_window_word(&window, BASE, &word), 0);
	assert_int_equal(word, 6);
	assert_true(ddp_window_word(&window, ~0ULL - 3, &word) < 0);
	assert_true(ddp_window_word(&window, ~0ULL - 7, &word) < 0);
}

/* At every distance from a page's end; a word is there when both its pages are. */
static void words_across_pages(void **state)
{
	u64 word = 0, offset;

	(void)state;
	for (offset = 4096 - 8; offset <= 4096; offset++) {
		const u64 wanted = 0x0102030405060708 * (offset & 15);

		memcpy(memory + offset, &wanted, 8);
		present_end = BASE + 8192;
		ddp_window_reset(&window);
		assert_int_equal(ddp_window_word(&window, BASE + offset, &word), 0);
		assert_int_equal(word, wanted);
		/* the same with the beginning in the window */
		ddp_window_reset(&window);
		assert_int_equal(ddp_window_word(&window, BASE + 4000, &word), 0);
		assert_int_equal(ddp_window_word(&window, BASE + offset, &word), 0);
		assert_int_equal(word, wanted);

		present_end = BASE + 4096;
		ddp_window_reset(&window);
		assert_int_equal(ddp_window_word(&window, BASE + offset, &word),
				 offset == 4096 - 8 ? 0 : -EFAULT);
	}
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

static u64 random_limit(void)
{
	return random_u64() % 4 ? LIMIT : random_u64() % ((BASE + BYTES) / 4096) * 4096;
}

static void random_memory_is_harmless(void **state)
{
	u32 round, i, deep = 0;

	(void)state;
	rnd = 88172645463325252ULL;
	for (round = 0; round < 20000; round++) {
		struct ddp_user_regs regs = {
			.ip = random_u64(), .sp = BASE + random_u64() % 64, .bp = random_word(),
			.limit = random_limit(),
			.compat = round / 100 % 2,
		};
		u32 max = random_u64() % 40, n;
		u64 *frames = malloc(max * sizeof(u64) + 1);
		struct ddp_walk walk;

		present_end = BASE + random_u64() % (BYTES + 1) / 4096 * 4096;
		user_limit = regs.limit;
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

enum { RANDOM_ROWS = 40, RANDOM_FILES = 4 };

/* One of so many things is arbitrary, the others lead somewhere. */
static u32 sanity;

/* As compilers have them: most of a real walk. Now and then something about it is not so. */
static struct ddprof_unwind_rule plain_rule(void)
{
	struct ddprof_unwind_rule r = { .kind = DDPROF_UNWIND_REG, .base = 7,
					.offset = 16 + random_u64() % 6 * 16 };

	if (random_u64() % 3 == 0) {
		r.base = 6;
		r.offset = 16;
	}
	if (random_u64() % 2) {
		r.bp = DDPROF_UNWIND_BP_CFA;
		r.bp_offset = -16 * (random_u64() % 4 ? 1 : 2 + (int)(random_u64() % 60));
	}
	if (random_u64() % 4 == 0)
		r.bx = random_u64() % 4 ? -(int)(random_u64() % 8) : DDPROF_UNWIND_BX_LOST;
	switch (random_u64() % (4 * sanity)) {
	case 0:
		r.offset += 1 + random_u64() % 7;
		break;
	case 1:
		r.offset -= 40;
		break;
	case 2:
		r.bp = DDPROF_UNWIND_BP_BP;
		r.bp_offset = 8;
		break;
	case 3:
		r.base = random_u64() % 2 ? 12 : 3;
		break;
	}
	return r;
}

/* Any rule that the validator lets through. */
static struct ddprof_unwind_rule random_rule(void)
{
	static const u8 bases[] = { 7, 7, 7, 6, 6, 3, 10, 0 };
	struct ddprof_unwind_rule r = { .kind = random_u64() % __DDPROF_UNWIND_KIND_MAX };

	if (random_u64() % sanity)
		return plain_rule();
	if (r.kind != DDPROF_UNWIND_REG && r.kind != DDPROF_UNWIND_DEREF &&
	    r.kind != DDPROF_UNWIND_PLT)
		return r;
	r.base = bases[random_u64() % NR(bases)];
	r.offset = random_u64() % 8 ? random_u64() % 32 * 8 : random_u64();
	if (r.kind == DDPROF_UNWIND_DEREF)
		r.add = random_u64() % 2 ? 0 : random_u64();
	else if (r.kind == DDPROF_UNWIND_PLT)
		r.add = random_u64() % 16;
	r.bp = random_u64() % __DDPROF_UNWIND_BP_MAX;
	r.bx = random_u64() % 4 ? 0 : -(random_u64() % 129);
	if (r.bp == DDPROF_UNWIND_BP_CFA || r.bp == DDPROF_UNWIND_BP_BP)
		r.bp_offset = random_u64() % 4 ? -(random_u64() % 8 * 8) : random_u64();
	return r;
}

/* 0 is NONE */
static u32 random_row_rule(void)
{
	return random_u64() % (2 * sanity) ? 1 + random_u64() % 9 : 0;
}

static struct ddp_rows random_rows(void **image)
{
	struct ddprof_unwind_rule rule[10] = { { .kind = DDPROF_UNWIND_NONE } };
	struct image_row row[RANDOM_ROWS];
	u64 offset = random_u64() % 64;
	u32 i;

	for (i = 1; i < NR(rule); i++)
		rule[i] = random_rule();
	for (i = 0; i < RANDOM_ROWS; i++, offset += 1 + random_u64() % 200)
		row[i] = (struct image_row){ offset, i < RANDOM_ROWS - 1 ? random_row_rule() : 0 };
	return image_open(8 + random_u64() % 9, rule, NR(rule), row, RANDOM_ROWS, image);
}

static u64 random_code(void)
{
	u32 file = random_u64() % (random_u64() % sanity ? RANDOM_FILES : RANDOM_FILES + 1);

	return CODE + file * 0x10000 + random_u64() % 4096;
}

static void random_stack(void)
{
	u32 i;

	/* a saved frame pointer below each return address */
	for (i = 0; i < BYTES / 8; i++) {
		u64 word = i % 2 ? random_code() : BASE + 16 * (i / 2 + random_u64() % 20);

		if (random_u64() % (2 * sanity) == 0)
			word = random_word();
		if (random_u64() % (8 * sanity) == 0)
			word = random_u64() % 2 ? 0 : LIMIT - random_u64() % 3;
		memcpy(memory + 8 * i, &word, 8);
	}
}

static bool in_code(const struct ddp_unwind_ranges *ranges, u64 addr)
{
	u32 i;

	for (i = 0; i < ranges->nr; i++)
		if (addr >= ranges->range[i].start && addr < ranges->range[i].end)
			return true;
	return false;
}

static void check_walk(const struct ddp_user_regs *regs, const struct ddp_unwind_ranges *ranges,
		       const u64 *frames, u32 n, u32 max, const struct ddp_walk *walk)
{
	u32 i;

	assert_true(n <= max);
	/* four words a step, each in at most two fills */
	assert_true(reads <= 8 * max);
	assert_in_range(walk->end, DDPROF_END_ROOT, DDPROF_END_NO_RULE);
	assert_true(walk->retry || !walk->unmapped);
	if (walk->end == DDPROF_END_TRUNCATED)
		assert_int_equal(n, max);
	if (walk->end == DDPROF_END_ROOT || walk->end == DDPROF_END_TRUNCATED)
		assert_null(walk->ended_in);
	if (walk->end == DDPROF_END_NO_TABLE)
		assert_true(walk->guessed);
	if (n)
		assert_int_equal(frames[0], regs->ip);
	for (i = 1; i < n; i++)
		assert_true(frames[i] && frames[i] <= regs->limit &&
			    in_code(ranges, frames[i] - 1));
}

struct random_world {
	struct ddp_unwind_ranges head;
	struct ddp_unwind_range range[RANDOM_FILES];
	struct ddp_unwind_file file[RANDOM_FILES];
	struct ddp_rows rows[RANDOM_FILES];
	void *image[RANDOM_FILES];
};

static void make_random_world(struct random_world *w, u32 *serial)
{
	u32 i;

	w->head.nr = RANDOM_FILES;
	for (i = 0; i < RANDOM_FILES; i++) {
		u64 at = CODE + i * 0x10000;

		w->rows[i] = random_rows(&w->image[i]);
		w->rows[i].serial = ++*serial;
		w->file[i].rows = random_u64() % sanity ? &w->rows[i] : NULL;
		w->range[i] = (struct ddp_unwind_range){
			at, at + 4096, 0, random_u64() % sanity ? &w->file[i] : NULL };
	}
	random_stack();
}

static struct ddp_user_regs random_regs(void)
{
	struct ddp_user_regs regs = {
		.ip = random_code(),
		.sp = BASE + random_u64() % (random_u64() % 2 ? 32 : BYTES / 16) * 16,
		.bp = random_word(), .exact = random_u64() % 2, .limit = random_limit(),
		.get = random_u64() % 4 ? get_register : NULL,
	};

	if (random_u64() % 8 == 0)
		regs.limit = CODE + random_u64() % (RANDOM_FILES * 16) * 4096;
	if (random_u64() % 16 == 0)
		regs.sp += 1 + random_u64() % 8;
	return regs;
}

enum { MAX_WALK = 64 };

struct seen {
	struct ddp_walk walk;
	u32 n, used[RANDOM_FILES];
	u64 *frames;	/* owned; as many as were asked for and not one more */
};

static void see(struct random_world *w, const struct ddp_user_regs *regs, u32 max,
		struct ddp_memo *memo, struct seen *ret)
{
	u32 i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < RANDOM_FILES; i++)
		w->file[i].used = 0;
	user_limit = regs->limit;
	ddp_window_reset(&window);
	memset(window.bytes, 0xa5, sizeof(window.bytes));
	window.memo = memo;
	reads = 0;
	ret->frames = malloc(max * sizeof(u64) + 1);
	ret->n = ddp_unwind_user(&window, regs, &w->head, 1, ret->frames, max, &ret->walk);
	window.memo = NULL;
	for (i = 0; i < RANDOM_FILES; i++)
		ret->used[i] = w->file[i].used;
	check_walk(regs, &w->head, ret->frames, ret->n, max, &ret->walk);
}

static void check_same(const struct seen *x, const struct seen *y)
{
	assert_int_equal(x->n, y->n);
	assert_memory_equal(x->frames, y->frames, x->n * sizeof(u64) + !x->n);
	assert_int_equal(x->walk.end, y->walk.end);
	assert_int_equal(walk_flags(&x->walk), walk_flags(&y->walk));
	assert_ptr_equal(x->walk.ended_in, y->walk.ended_in);
	assert_memory_equal(x->used, y->used, sizeof(x->used));
}

/*
 * Whatever the tables are and wherever the stack leads. A walk that remembers rules goes another
 * way through the code than one that does not, and sees the same; the memo is that of all walks
 * before, by other tables too.
 */
static void random_tables_are_harmless(void **state)
{
	static struct ddp_memo memo;
	u32 round, i, k, deep = 0, serial = 0, ends[__DDPROF_END_MAX] = { 0 };
	struct random_world w = { .head.nr = 0 };

	(void)state;
	rnd = 521288629;
	memset(&memo, 0, sizeof(memo));
	for (round = 0; round < 900; round++) {
		sanity = 1 << round % 9;
		make_random_world(&w, &serial);
		for (k = 0; k < 40; k++) {
			struct ddp_user_regs regs = random_regs();
			u32 max = random_u64() % MAX_WALK;
			struct seen plain, first, again;

			present_end = BASE + BYTES - random_u64() % 2 * 4096;
			see(&w, &regs, max, NULL, &plain);
			see(&w, &regs, max, &memo, &first);
			see(&w, &regs, max, &memo, &again);
			check_same(&plain, &first);
			check_same(&plain, &again);
			ends[plain.walk.end]++;
			deep += plain.n > 8;
			free(plain.frames);
			free(first.frames);
			free(again.frames);
		}
		for (i = 0; i < RANDOM_FILES; i++)
			free(w.image[i]);
	}
	assert_true(deep > 1000);
	for (i = DDPROF_END_ROOT; i < __DDPROF_END_MAX; i++)
		assert_true(ends[i] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_end_where_they_should),
		cmocka_unit_test(rows_lead_where_they_should),
		cmocka_unit_test(what_is_remembered_is_the_same),
		cmocka_unit_test(what_has_no_key_is_not_remembered),
		cmocka_unit_test(another_table_is_not_remembered),
		cmocka_unit_test_setup(files_are_stamped, setup),
		cmocka_unit_test_setup(rows_may_come_at_any_time, setup),
		cmocka_unit_test_setup(what_does_not_come_is_not_waited_for, setup),
		cmocka_unit_test_setup(registers_are_read_when_needed, setup),
		cmocka_unit_test(calls_are_known),
		cmocka_unit_test_setup(depth_only_cuts_off, setup),
		cmocka_unit_test_setup(window_saves_reads, setup),
		cmocka_unit_test_setup(a_failed_fill_leaves_the_window_empty, setup),
		cmocka_unit_test_setup(words_across_pages, setup),
		cmocka_unit_test_setup(random_memory_is_harmless, setup),
		cmocka_unit_test_setup(random_tables_are_harmless, setup),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
