// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The user walk and its window. It promises to end: every step writes one frame or is the last, and
 * all but a signal's go up the stack, whatever the target's memory, its tables and its registers
 * say. A walk that ends early says why.
 */
#include "unwind_user.h"
#include "../../uapi/ddprof.h"

enum {
	PAGE_BYTES = 4096,	/* the smallest page: not crossing these crosses none */
	/* a frame in a file without rows and four after it: going astray there is put down to it */
	GUESS_REACH = 5,
	/* DWARF's numbers */
	REG_BP = 6,
	REG_SP = 7,
	/* the interrupted registers' places, from the sp of a signal's frame */
	SIGNAL_BP = 120,
	SIGNAL_SP = 160,
	SIGNAL_PC = 168,
};

static int window_fill(struct ddp_window *w, u64 addr)
{
	u32 len = PAGE_BYTES - (u32)(addr & (PAGE_BYTES - 1));

	if (len > DDP_WINDOW_BYTES)
		len = DDP_WINDOW_BYTES;
	w->len = 0;
	if (w->read(w->ctx, w->bytes, addr, len))
		return -EFAULT;
	w->addr = addr;
	w->len = len;
	return 0;
}

/* A word that the window does not have. One across two pages takes two fills. */
static int window_word_slow(struct ddp_window *w, u64 addr, u64 *ret)
{
	u32 part;

	if (addr + sizeof(*ret) < addr || window_fill(w, addr))
		return -EFAULT;
	if (w->len >= sizeof(*ret)) {
		memcpy(ret, w->bytes, sizeof(*ret));
		return 0;
	}
	part = w->len;
	memcpy(ret, w->bytes, part);
	if (window_fill(w, addr + part))
		return -EFAULT;
	memcpy((u8 *)ret + part, w->bytes, sizeof(*ret) - part);
	return 0;
}

static inline int window_word(struct ddp_window *w, u64 addr, u64 *ret)
{
	u64 skip = addr - w->addr;	/* huge when addr is below the window */

	if (w->len < sizeof(*ret) || skip > w->len - sizeof(*ret))
		return window_word_slow(w, addr, ret);
	memcpy(ret, w->bytes + skip, sizeof(*ret));
	return 0;
}

int ddp_window_word(struct ddp_window *w, u64 addr, u64 *ret)
{
	return window_word(w, addr, ret);
}

/* Where a walk is: a frame, of which the caller is looked for. */
struct walk {
	struct ddp_window *w;
	const struct ddp_user_regs *regs;
	const struct ddp_unwind_ranges *ranges;
	struct ddp_walk *ret;
	u64 pc, sp, bp;
	u64 at;		/* the address to look up, pc or pc - 1 */
	const struct ddp_unwind_range *range;	/* that has @at; NULL: none */
	bool innermost;
	bool exact;	/* pc is an interrupted instruction */
	bool bp_lost;
	bool no_rule;	/* the file's rows do not help in this frame */
	u32 guess;	/* of GUESS_REACH, the frames left */
	u32 stamp;
};

/* Steps return the walk's end; DDPROF_END_NONE: it goes on, with the caller's pc, sp and bp. */
enum { GO_ON = DDPROF_END_NONE };

static bool in_range(const struct ddp_unwind_range *r, u64 addr)
{
	return addr >= r->start && addr < r->end;
}

/* The range that has @addr; @last, where the frame before was, is the likely one. */
static const struct ddp_unwind_range *find_range(const struct ddp_unwind_ranges *ranges,
						 const struct ddp_unwind_range *last, u64 addr)
{
	u32 low = 0, high = ranges->nr;

	if (last && in_range(last, addr))
		return last;
	while (low < high) {
		u32 middle = (low + high) / 2;

		if (addr < ranges->range[middle].start)
			high = middle;
		else if (addr >= ranges->range[middle].end)
			low = middle + 1;
		else
			return &ranges->range[middle];
	}
	return NULL;
}

static inline bool is_user(u64 limit, u64 addr, u32 len)
{
	return addr < limit && limit - addr >= len;
}

/* One word of memory below @limit. GO_ON, or why not. */
static inline u8 read_word(struct ddp_window *w, u64 limit, u64 addr, u64 *ret)
{
	if (!is_user(limit, addr, sizeof(*ret)))
		return DDPROF_END_BAD_FRAME;
	return window_word(w, addr, ret) ? DDPROF_END_UNREADABLE : GO_ON;
}

/* What a frame pointer points to: the caller's frame pointer, and the address to return to. */
struct frame {
	u64 bp, pc;
};

static int read_frame(struct ddp_window *w, u64 bp, bool compat, struct frame *ret)
{
	u32 words[2];
	u64 both;

	if (!compat)
		return window_word(w, bp, &ret->bp) ? -EFAULT : window_word(w, bp + 8, &ret->pc);
	if (window_word(w, bp, &both))
		return -EFAULT;
	memcpy(words, &both, sizeof(words));
	ret->bp = words[0];
	ret->pc = words[1];
	return 0;
}

/*
 * Only a zero that was saved, or kept by code with a table, ends a chain. A zero in the innermost
 * frame may be anything, and so may a small number in a caller: it uses the register otherwise, as
 * the C library's start-up code does.
 */
static u8 step_by_frame_pointer(struct walk *s)
{
	u32 word_bytes = s->regs->compat ? 4 : 8;
	struct frame frame;

	if (s->bp_lost)
		return DDPROF_END_BAD_FRAME;
	if (!s->bp && !s->innermost)
		return DDPROF_END_ROOT;
	if (s->bp < s->sp || s->bp & (word_bytes - 1) ||
	    !is_user(s->regs->limit, s->bp, 2 * word_bytes))
		return DDPROF_END_BAD_FRAME;
	if (read_frame(s->w, s->bp, s->regs->compat, &frame))
		return DDPROF_END_UNREADABLE;
	if (!frame.pc)
		return DDPROF_END_ROOT;
	s->sp = s->bp + 2 * word_bytes;
	s->bp = frame.bp;
	s->pc = frame.pc;
	return GO_ON;
}

static u8 step_by_signal(struct walk *s)
{
	u64 limit = s->regs->limit, bp, sp, pc;
	u8 end;

	end = read_word(s->w, limit, s->sp + SIGNAL_BP, &bp);
	if (!end)
		end = read_word(s->w, limit, s->sp + SIGNAL_SP, &sp);
	if (!end)
		end = read_word(s->w, limit, s->sp + SIGNAL_PC, &pc);
	if (end)
		return end;
	if (sp & 7 || !is_user(limit, sp, 8))
		return DDPROF_END_BAD_FRAME;
	s->sp = sp;
	s->bp = bp;
	s->pc = pc;
	s->bp_lost = false;
	s->exact = true;
	return GO_ON;
}

/* The value of the register that a rule builds on; false when it is not known in this frame. */
static bool base_value(const struct walk *s, u32 number, u64 *ret)
{
	if (number == REG_SP) {
		*ret = s->sp;
		return true;
	}
	if (number == REG_BP) {
		*ret = s->bp;
		return !s->bp_lost;
	}
	if (!s->innermost || !s->regs->get)
		return false;
	*ret = s->regs->get(s->regs->ctx, number);
	return true;
}

/* A bp that cannot be read is lost, which need not matter to anybody. */
static void restore_bp(struct walk *s, const struct ddprof_unwind_rule *rule, u64 cfa)
{
	u64 from = cfa, bp = 0;

	if (rule->bp == DDPROF_UNWIND_BP_SAME)
		return;
	if (rule->bp == DDPROF_UNWIND_BP_BP) {
		if (s->bp_lost)
			return;
		from = s->bp;
	}
	from += (u64)(s64)rule->bp_offset;
	s->bp_lost = rule->bp == DDPROF_UNWIND_BP_LOST ||
		     read_word(s->w, s->regs->limit, from, &bp) != GO_ON;
	s->bp = bp;
}

static u8 step_by_rule(struct walk *s, const struct ddprof_unwind_rule *rule, u64 base)
{
	u64 limit = s->regs->limit, cfa = base + (u64)(s64)rule->offset, pc;
	u8 end;

	if (rule->kind == DDPROF_UNWIND_DEREF) {
		end = read_word(s->w, limit, cfa, &cfa);
		if (end)
			return end;
		cfa += (u64)(s64)rule->add;
	} else if (rule->kind == DDPROF_UNWIND_PLT) {
		cfa += (s->pc & 15) >= (u64)rule->add ? 8 : 0;
	}
	if (cfa <= s->sp || cfa & 7 || cfa > limit)
		return DDPROF_END_BAD_FRAME;

	/* bp first: it is below the return address, and one fill brings both */
	restore_bp(s, rule, cfa);
	if (window_word(s->w, cfa - 8, &pc))
		return DDPROF_END_UNREADABLE;
	s->sp = cfa;
	s->pc = pc;
	return pc ? GO_ON : DDPROF_END_ROOT;
}

/* The rule for @s->at; NULL: go by frame pointers. */
static const struct ddprof_unwind_rule *find_rule(struct walk *s)
{
	struct ddp_unwind_file *file = s->range ? s->range->file : NULL;
	const struct ddprof_unwind_rule *rule;
	const struct ddp_rows *rows;

	if (!file)
		return NULL;
	rows = ddp_load_acquire(&file->rows);
	if (!rows || !rows->nr_rows) {
		s->guess = GUESS_REACH;
		s->ret->guessed = true;
		s->ret->retry |= !rows;
		return NULL;
	}
	if (ddp_load(&file->used) != s->stamp)
		ddp_store(&file->used, s->stamp);
	rule = ddp_rows_find(rows, s->at - s->range->start + s->range->file_offset);
	s->no_rule = !rule;
	return rule;
}

static u8 step(struct walk *s)
{
	const struct ddprof_unwind_rule *rule;
	u64 base;

	s->exact = false;
	s->no_rule = false;
	s->guess -= !!s->guess;
	rule = find_rule(s);
	if (rule) {
		if (rule->kind >= DDPROF_UNWIND_REG && rule->kind <= DDPROF_UNWIND_PLT &&
		    base_value(s, rule->base, &base))
			return step_by_rule(s, rule, base);
		if (rule->kind == DDPROF_UNWIND_STOP)
			return DDPROF_END_ROOT;
		if (rule->kind == DDPROF_UNWIND_SIGNAL)
			return step_by_signal(s);
		s->no_rule = true;
	}
	return step_by_frame_pointer(s);
}

/* An address that no range has: the list of mappings may be older than it. */
static void mark_unmapped(struct ddp_walk *ret)
{
	ret->retry = true;
	ret->unmapped = true;
}

/* Is the step's pc one? Then the walk is at that frame. */
static u8 arrive(struct walk *s)
{
	const struct ddp_unwind_range *range;

	if (s->pc >= s->regs->limit)
		return DDPROF_END_BAD_FRAME;
	s->innermost = false;
	s->at = s->pc - !s->exact;
	if (!s->ranges)
		return GO_ON;
	range = find_range(s->ranges, s->range, s->at);
	if (!range) {
		mark_unmapped(s->ret);
		return DDPROF_END_BAD_FRAME;
	}
	s->range = range;
	return GO_ON;
}

/* Going astray says more when it is known why. */
static u8 explain(const struct walk *s, u8 end)
{
	if (end != DDPROF_END_BAD_FRAME)
		return end;
	if (s->guess)
		return DDPROF_END_NO_TABLE;
	return s->no_rule ? DDPROF_END_NO_RULE : DDPROF_END_BAD_FRAME;
}

static void start(struct walk *s)
{
	if (s->regs->compat)
		return;
	if (s->ranges)
		s->range = find_range(s->ranges, NULL, s->at);
	if (!s->range)
		mark_unmapped(s->ret);
}

u32 ddp_unwind_user(struct ddp_window *w, const struct ddp_user_regs *regs,
		    const struct ddp_unwind_ranges *ranges, u32 stamp,
		    u64 *frames, u32 max, struct ddp_walk *ret)
{
	struct walk s = {
		.w = w, .regs = regs, .ranges = regs->compat ? NULL : ranges, .ret = ret,
		.pc = regs->ip, .sp = regs->sp, .bp = regs->bp,
		.at = regs->ip - !regs->exact, .innermost = true, .stamp = stamp,
	};
	u32 n = 0;
	u8 end;

	memset(ret, 0, sizeof(*ret));
	ret->end = DDPROF_END_TRUNCATED;
	if (!max)
		return 0;
	start(&s);
	frames[n++] = regs->ip;

	/* one step more than there is room for, to tell a root from a stack that is cut off */
	for (;;) {
		end = step(&s);
		if (!end)
			end = arrive(&s);
		if (end || n == max)
			break;
		frames[n++] = s.pc + s.exact;
	}
	if (end)
		ret->end = explain(&s, end);
	if (end && end != DDPROF_END_ROOT && s.range)
		ret->ended_in = s.range->file;
	return n;
}
