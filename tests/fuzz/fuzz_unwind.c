// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the table validator and the walker. Input: an image, as it is or put right so that
 * the walk gets deep, then registers, mappings and a stack. What may come of it is asserted here: a
 * refused image, or a walk that keeps to its limits.
 *
 *   mode:u8                 RAW_IMAGE, DAMAGED, COMPAT, ...
 *   image                   raw: size:u16 bytes[size]; else as make_image() reads it
 *   nr:u8 (at:u16 byte)...  with DAMAGED: bytes of it to overwrite
 *   max:u8
 *   nr_ranges:u8 how:u8...  but with NO_RANGES
 *   ip sp bp words...       as word() reads them, to the end
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmod/core/unwind_user.h"
#include "uapi/ddprof.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RAW_IMAGE = 1, COMPAT = 2, EXACT = 4, REGISTERS = 8, NO_RANGES = 16, NO_ROWS = 32,
	DAMAGED = 64, AWAITED = 128,
};

enum {
	PAGE = 4096,
	CODE = 0x10000, CODE_STEP = 0x20000,	/* of one range to the next; half of it is mapped */
	STACK = 0x100000, STACK_BYTES = 4 * PAGE,
	LIMIT = STACK + 8 * PAGE,
	MAX_RULES = 16, MAX_ROWS = 255, MAX_RANGES = 5, MAX_FRAMES = 256,
};

/* Input, 0 when there is no more of it. */
struct input {
	const uint8_t *at, *end;
};

static u32 byte(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static u32 two_bytes(struct input *in)
{
	u32 low = byte(in);

	return low | byte(in) << 8;
}

/* Where code, where stack, or anything: what a walk may meet. */
static u64 word(struct input *in)
{
	u32 kind = byte(in), i;
	u64 value;

	switch (kind % 4) {
	case 0:
		return CODE + kind / 4 % (MAX_RANGES + 1) * (u64)CODE_STEP + two_bytes(in);
	case 1:
		return STACK + kind / 4 * 256 + byte(in) * 8;
	case 2:
		return STACK + two_bytes(in);
	default:
		for (value = 0, i = 0; i < 8; i++)
			value = value << 8 | byte(in);
		return value;
	}
}

/* One of a rule's short members; small and aligned unless it is @wild. */
static s64 member(struct input *in, bool wild)
{
	return wild ? (int16_t)two_bytes(in) : (int8_t)byte(in) * 8;
}

static struct ddprof_unwind_rule make_rule(struct input *in)
{
	u32 kind = byte(in), how = byte(in);
	struct ddprof_unwind_rule r = { .kind = kind % __DDPROF_UNWIND_KIND_MAX };

	if (r.kind != DDPROF_UNWIND_REG && r.kind != DDPROF_UNWIND_DEREF &&
	    r.kind != DDPROF_UNWIND_PLT)
		return r;
	r.base = how & 64 ? 7 : how & 15;
	r.bp = how >> 4 & 3;
	kind /= __DDPROF_UNWIND_KIND_MAX;	/* its rest says where bx is, mostly nowhere */
	r.bx = kind > 34 ? DDPROF_UNWIND_BX_LOST : kind > 17 ? 17 - (int)kind : 0;
	r.offset = how & 128 ? (s64)word(in) : member(in, false);
	if (r.kind == DDPROF_UNWIND_DEREF)
		r.add = member(in, how & 128);
	else if (r.kind == DDPROF_UNWIND_PLT)
		r.add = byte(in) & 15;
	if (r.bp == DDPROF_UNWIND_BP_CFA || r.bp == DDPROF_UNWIND_BP_BP)
		r.bp_offset = member(in, how & 128);
	return r;
}

/* The image of @offset[0..@nr), ascending, with @rule[] and the last one's rule NONE. */
static void *put_image(u32 shift, const struct ddprof_unwind_rule *rules, u32 nr_rules,
		       const u32 *offset, const u8 *rule, u32 nr, size_t *bytes)
{
	struct ddprof_unwind_header h = {
		.magic = DDPROF_UNWIND_MAGIC, .page_shift = shift, .nr_rules = nr_rules,
		.nr_rows = nr, .first_page = offset[0] >> shift,
	};
	u32 page, i = 0, *pages;
	u8 *image;

	h.nr_pages = (offset[nr - 1] >> shift) - h.first_page + 1;
	*bytes = sizeof(h) + nr_rules * sizeof(*rules) + (h.nr_pages + 1 + nr) * sizeof(u32);
	image = malloc(*bytes);
	must(image);
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), rules, nr_rules * sizeof(*rules));
	pages = (u32 *)(image + sizeof(h) + nr_rules * sizeof(*rules));
	for (page = 0; page <= h.nr_pages; page++) {
		while (i < nr && offset[i] >> shift < h.first_page + page)
			i++;
		pages[page] = i;
	}
	for (i = 0; i < nr; i++)
		pages[h.nr_pages + 1 + i] = offset[i] << 16 | rule[i];
	return image;
}

/* shift:u8 nr_rules:u8 rules nr_rows:u8 first:u16 (rule:u8 gap:u8)... A right image, always. */
static void *make_image(struct input *in, size_t *bytes)
{
	u32 shift = DDPROF_UNWIND_MIN_PAGE_SHIFT + byte(in) % 9;
	u32 nr_rules = 1 + byte(in) % MAX_RULES, nr, i;
	struct ddprof_unwind_rule rules[MAX_RULES] = { { .kind = DDPROF_UNWIND_NONE } };
	u32 offset[MAX_ROWS + 1];
	u8 rule[MAX_ROWS + 1];

	for (i = 1; i < nr_rules; i++)
		rules[i] = make_rule(in);
	nr = byte(in);
	offset[0] = two_bytes(in);
	for (i = 0; i < nr; i++) {
		rule[i] = byte(in) % nr_rules;
		offset[i + 1] = offset[i] + 1 + byte(in) * (nr & 1 ? 1 : 16);
	}
	rule[nr] = 0;
	return put_image(shift, rules, nr_rules, offset, rule, nr + 1, bytes);
}

/* In memory of its own, so that ASan sees who leaves it. */
static void *raw_image(struct input *in, size_t *bytes)
{
	size_t left;
	void *image;

	*bytes = two_bytes(in);
	left = in->end - in->at;
	if (*bytes > left)
		*bytes = left;
	image = malloc(*bytes + 1);
	must(image);
	if (*bytes)
		memcpy(image, in->at, *bytes);
	in->at += *bytes;
	return image;
}

static void damage(struct input *in, u8 *image, size_t bytes)
{
	u32 nr = byte(in);

	while (nr-- && in->at < in->end) {
		u32 at = two_bytes(in) % bytes;

		image[at] = byte(in);
	}
}

/* Every row's rule is found where the row says, and pages one by one say what all at once say. */
static void check_look_ups(const struct ddp_rows *t)
{
	const char *fault = NULL;
	u32 page, row;

	for (page = 0; page < t->nr_pages; page++) {
		u64 start = (u64)(t->first_page + page) << t->page_shift;

		must(!ddp_rows_check(t, page, 1, &fault));
		for (row = t->pages[page]; row < t->pages[page + 1]; row++) {
			u64 at = (start & ~0xffffULL) + (t->rows[row] >> 16);

			must(at >= start && at < start + (1ULL << t->page_shift));
			must(ddp_rows_find(t, at) == &t->rules[t->rows[row] & 0xffff]);
		}
		ddp_rows_find(t, start - 1);
		ddp_rows_find(t, start + (1ULL << t->page_shift) - 1);
	}
	must(!ddp_rows_find(t, ~0ULL));
}

struct stack {
	u8 bytes[STACK_BYTES];
	u32 reads;
};

static int read_stack(void *ctx, void *to, u64 addr, u32 len)
{
	struct stack *s = ctx;

	s->reads++;
	must(len && len <= DDP_WINDOW_BYTES);
	must(addr < LIMIT && LIMIT - addr >= len);
	must(addr / PAGE == (addr + len - 1) / PAGE);
	if (addr >= CODE && addr < STACK) {	/* code: many calls */
		for (; len; len--, addr++)
			*(u8 *)to++ = addr % 8 ? 0x90 : 0xe8;
		return 0;
	}
	if (addr < STACK || addr + len > STACK + STACK_BYTES)
		return -EFAULT;
	memcpy(to, s->bytes + (addr - STACK), len);
	return 0;
}

static u64 get_register(const void *ctx, u32 number)
{
	must(!ctx && number < 16);
	return STACK + number * 0x108;
}

struct world {
	struct ddp_unwind_file files[2];	/* with rows, without */
	struct ddp_unwind_ranges *ranges;	/* NULL: not known */
	struct stack stack;
};

/* @w is empty, but for its files; free() its ranges. */
static void make_ranges(struct world *w, struct input *in)
{
	u32 nr = byte(in) % (MAX_RANGES + 1), i;

	w->ranges = malloc(sizeof(*w->ranges) + nr * sizeof(w->ranges->range[0]));
	must(w->ranges);
	w->ranges->nr = nr;
	for (i = 0; i < nr; i++) {
		u32 how = byte(in);
		u64 start = CODE + i * CODE_STEP;

		w->ranges->range[i] = (struct ddp_unwind_range){
			.start = start, .end = start + CODE_STEP / 2,
			.file_offset = how & 64 ? word(in) : 0,
			.file = how % 8 == 7 ? NULL : &w->files[how % 8 == 6],
		};
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

/* What is remembered of earlier walks changes nothing, whether it is new or was used before. */
static void walk_again(struct world *w, const struct ddp_user_regs *regs, u32 max,
		       const u64 *frames, u32 n, const struct ddp_walk *end)
{
	const u32 used[2] = { w->files[0].used, w->files[1].used };
	struct ddp_memo *memo = calloc(1, sizeof(*memo));
	u64 *others = malloc(max * sizeof(*others) + 1);
	struct ddp_walk other;
	int i;

	must(memo && others);
	for (i = 0; i < 2; i++) {
		struct ddp_window window = { .read = read_stack, .ctx = &w->stack, .memo = memo };

		w->files[0].used = w->files[1].used = 0;
		w->stack.reads = 0;
		must(ddp_unwind_user(&window, regs, w->ranges, 1, others, max, &other) == n);
		must(w->stack.reads <= 8 * max);
		must(w->files[0].used == used[0] && w->files[1].used == used[1]);
		must(other.end == end->end && other.ended_in == end->ended_in);
		must(other.guessed == end->guessed && other.retry == end->retry &&
		     other.unmapped == end->unmapped);
		must(!memcmp(others, frames, n * sizeof(*others)));
	}
	free(others);
	free(memo);
}

static void walk(struct world *w, const struct ddp_user_regs *regs, u32 max)
{
	struct ddp_window window = { .read = read_stack, .ctx = &w->stack };
	u64 *frames = malloc(max * sizeof(*frames) + 1);
	struct ddp_walk end;
	u32 n, i;

	must(frames);
	n = ddp_unwind_user(&window, regs, w->ranges, 1, frames, max, &end);
	must(n <= max);
	must(w->stack.reads <= 8 * max);	/* four words a step, two fills each at most */
	must(end.end >= DDPROF_END_ROOT && end.end < __DDPROF_END_MAX);
	must(end.end != DDPROF_END_TRUNCATED || n == max);
	must(end.retry || !end.unmapped);
	must(!end.ended_in || (end.end != DDPROF_END_ROOT && end.end != DDPROF_END_TRUNCATED));
	must(!n || frames[0] == regs->ip);
	for (i = 1; i < n; i++) {
		must(frames[i] && frames[i] <= LIMIT);
		must(!w->ranges || regs->compat || in_code(w->ranges, frames[i] - 1));
	}
	walk_again(w, regs, max, frames, n, &end);
	free(frames);
}

static void walk_all(struct input *in, u32 mode, const struct ddp_rows *t)
{
	u32 max = byte(in) % (MAX_FRAMES + 1), i;
	struct ddp_user_regs regs = {
		.limit = LIMIT, .compat = mode & COMPAT, .exact = mode & EXACT,
		.get = mode & REGISTERS ? get_register : NULL,
	};
	struct world w = { .files[0].rows = mode & NO_ROWS ? NULL : t };

	w.files[0].awaited_until = w.files[1].awaited_until = !!(mode & AWAITED);
	if (!(mode & NO_RANGES))
		make_ranges(&w, in);
	regs.ip = word(in);
	regs.sp = word(in);
	regs.bp = word(in);
	for (i = 0; i < STACK_BYTES / 8 && in->at < in->end; i++) {
		u64 value = word(in);

		memcpy(w.stack.bytes + 8 * i, &value, sizeof(value));
	}
	walk(&w, &regs, max);
	free(w.ranges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	u32 mode = byte(&in);
	const char *fault = NULL;
	struct ddp_rows t;
	size_t bytes;
	void *image = mode & RAW_IMAGE ? raw_image(&in, &bytes) : make_image(&in, &bytes);

	if (mode & DAMAGED && bytes)
		damage(&in, image, bytes);
	if (ddp_rows_open(image, bytes, &t, &fault) ||
	    ddp_rows_check(&t, 0, t.nr_pages, &fault)) {
		must(fault && mode & (RAW_IMAGE | DAMAGED));
	} else {
		must(!fault);
		check_look_ups(&t);
		t.serial = 1;
		walk_all(&in, mode, &t);
	}
	free(image);
	return 0;
}
