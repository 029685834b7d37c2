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
	REG_BX = 3,
	REG_BP = 6,
	REG_SP = 7,
	/* those that a callee need not keep: rax rdx rcx rsi rdi r8..r11 */
	CALLER_SAVED = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 0xf << 8,
	/* the interrupted registers' places, from the sp of a signal's frame */
	SIGNAL_BP = 120,
	SIGNAL_BX = 128,
	SIGNAL_SP = 160,
	SIGNAL_PC = 168,
	CALL_BYTES = 8,	/* looked at before a return address; the longest call has 7 */
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

/*
 * A word that the window does not have, with what lies from @low up to it, if that is the same
 * page: one fill brings both. One across two pages takes two fills.
 */
static ddp_noinline int window_word_slow(struct ddp_window *w, u64 low, u64 addr, u64 *ret)
{
	u32 skip, part;

	if (addr + sizeof(*ret) < addr)
		return -EFAULT;
	if (low > addr || low < (addr & ~(u64)(PAGE_BYTES - 1)))
		low = addr;
	if (window_fill(w, low))
		return -EFAULT;
	skip = (u32)(addr - low);
	part = w->len - skip;
	if (part >= sizeof(*ret)) {
		memcpy(ret, w->bytes + skip, sizeof(*ret));
		return 0;
	}
	memcpy(ret, w->bytes + skip, part);
	if (window_fill(w, addr + part))
		return -EFAULT;
	memcpy((u8 *)ret + part, w->bytes, sizeof(*ret) - part);
	return 0;
}

/* @low is @addr or the word below it. */
static inline int window_word(struct ddp_window *w, u64 low, u64 addr, u64 *ret)
{
	u64 skip = addr - w->addr;	/* huge when addr is below the window */

	if (w->len < sizeof(*ret) || skip > w->len - sizeof(*ret))
		return window_word_slow(w, low, addr, ret);
	memcpy(ret, w->bytes + skip, sizeof(*ret));
	return 0;
}

int ddp_window_word(struct ddp_window *w, u64 addr, u64 *ret)
{
	return window_word(w, addr, addr, ret);
}

/*
 * A register that functions keep for their callers. A step only notes where it was saved; that word
 * is read when a frame needs it, and most never do.
 */
struct kept {
	u64 word;	/* its value; SAVED: the address of it */
	u32 how;	/* HELD, ..., LOST + what a walk that needs it ends with */
};

enum { HELD, SAVED, INTERRUPTED /* as it was there, to be asked for */, LOST };

/* Where a walk is: a frame, of which the caller is looked for. */
struct walk {
	struct ddp_window *w;
	const struct ddp_user_regs *regs;
	const struct ddp_unwind_ranges *ranges;
	struct ddp_walk *ret;
	u64 pc, sp;
	struct kept bp, bx;
	u64 at;		/* the address to look up, pc or pc - 1 */
	const struct ddp_unwind_range *range;	/* that has @at; NULL: none */
	const struct ddp_rows *rows;		/* of its file; NULL: none, or not looked for yet */
	bool innermost;
	bool exact;	/* pc is an interrupted instruction */
	bool signal;	/* passed one's frame: other registers are not those interrupted */
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

/* The range that has @addr. */
static const struct ddp_unwind_range *find_range(const struct ddp_unwind_ranges *ranges, u64 addr)
{
	u32 low = 0, high = ranges->nr;

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
	return window_word(w, addr, addr, ret) ? DDPROF_END_UNREADABLE : GO_ON;
}

static inline void keep_saved(struct kept *r, u64 addr)
{
	r->word = addr;
	r->how = SAVED;
}

/* The value of a register. GO_ON, or why it is not known; that is found out once. */
static u8 kept_value(struct walk *s, struct kept *r, u64 *ret)
{
	if (r->how == SAVED) {
		u8 end = read_word(s->w, s->regs->limit, r->word, &r->word);

		r->how = end ? LOST + end : HELD;
	}
	*ret = r->word;
	return r->how == HELD ? GO_ON : r->how - LOST;
}

/* A frame of two 4-byte words, which are one word here. */
static u8 step_compat(struct walk *s, u64 bp)
{
	u32 words[2];
	u64 both;

	if (window_word(s->w, bp, bp, &both))
		return DDPROF_END_UNREADABLE;
	memcpy(words, &both, sizeof(words));
	s->bp.word = words[0];
	s->pc = words[1];
	return GO_ON;
}

/*
 * Only a zero that was saved, or kept by code with a table, ends a chain. A zero in the innermost
 * frame may be anything, and so may a small number in a caller: it uses the register otherwise, as
 * the C library's start-up code does.
 */
static u8 step_by_frame_pointer(struct walk *s)
{
	u32 word_bytes = s->regs->compat ? 4 : 8;
	u64 bp;
	u8 end = kept_value(s, &s->bp, &bp);

	if (end)
		return end == DDPROF_END_UNREADABLE ? end : DDPROF_END_BAD_FRAME;
	if (!bp && !s->innermost)
		return DDPROF_END_ROOT;
	if (bp < s->sp || bp & (word_bytes - 1) || !is_user(s->regs->limit, bp, 2 * word_bytes))
		return DDPROF_END_BAD_FRAME;
	if (s->regs->compat) {
		end = step_compat(s, bp);
		if (end)
			return end;
	} else {
		if (window_word(s->w, bp, bp + 8, &s->pc))
			return DDPROF_END_UNREADABLE;
		keep_saved(&s->bp, bp);
	}
	s->sp = bp + 2 * word_bytes;
	return s->pc ? GO_ON : DDPROF_END_ROOT;
}

static u8 step_by_signal(struct walk *s)
{
	u64 limit = s->regs->limit, frame = s->sp, sp, pc;
	u8 end;

	end = read_word(s->w, limit, frame + SIGNAL_SP, &sp);
	if (!end)
		end = read_word(s->w, limit, frame + SIGNAL_PC, &pc);
	if (end)
		return end;
	if (sp & 7 || !is_user(limit, sp, 8))
		return DDPROF_END_BAD_FRAME;
	s->sp = sp;
	s->pc = pc;
	keep_saved(&s->bp, frame + SIGNAL_BP);
	keep_saved(&s->bx, frame + SIGNAL_BX);
	s->exact = true;
	s->signal = true;
	return GO_ON;
}

/*
 * The value of a register in the interrupted frame that is still the same here. CFI that counts
 * from a register that a callee need not keep says that this one left it alone.
 */
static u8 interrupted_value(const struct walk *s, u32 number, u64 *ret)
{
	if (!s->regs->get || s->signal)
		return DDPROF_END_NO_RULE;
	if (!s->innermost && number != REG_BX && !(CALLER_SAVED >> number & 1))
		return DDPROF_END_NO_RULE;
	*ret = s->regs->get(s->regs->ctx, number);
	return GO_ON;
}

/* The value of the register that a rule builds on. GO_ON, or why it is not known in this frame. */
static u8 base_value(struct walk *s, u32 number, u64 *ret)
{
	if (number == REG_SP) {
		*ret = s->sp;
		return GO_ON;
	}
	if (number == REG_BP)
		return kept_value(s, &s->bp, ret);
	if (number == REG_BX && s->bx.how != INTERRUPTED)
		return kept_value(s, &s->bx, ret);
	return interrupted_value(s, number, ret);
}

/* Note where the caller's registers are. */
static void note_kept(struct walk *s, const struct ddprof_unwind_rule *rule, u64 cfa)
{
	u64 bp;

	if (rule->bp == DDPROF_UNWIND_BP_CFA)
		keep_saved(&s->bp, cfa + (u64)(s64)rule->bp_offset);
	else if (rule->bp == DDPROF_UNWIND_BP_LOST)
		s->bp.how = LOST + DDPROF_END_NO_RULE;
	else if (rule->bp == DDPROF_UNWIND_BP_BP && !kept_value(s, &s->bp, &bp))
		keep_saved(&s->bp, bp + (u64)(s64)rule->bp_offset);
	if (rule->bx == DDPROF_UNWIND_BX_LOST)
		s->bx.how = LOST + DDPROF_END_NO_RULE;
	else if (rule->bx)
		keep_saved(&s->bx, cfa + 8 * (u64)(s64)rule->bx);
}

static inline bool cfa_is_right(u64 cfa, u64 sp, u64 limit)
{
	return cfa > sp && !(cfa & 7) && cfa <= limit;
}

/* The word below may be the saved frame pointer, when it is in this frame. */
static inline int read_return_address(struct ddp_window *w, u64 sp, u64 cfa, u64 *ret)
{
	return window_word(w, cfa - sp >= 16 ? cfa - 16 : cfa - 8, cfa - 8, ret);
}

static u8 step_by_rule(struct walk *s, const struct ddprof_unwind_rule *rule)
{
	u64 limit = s->regs->limit, cfa;
	u8 end = base_value(s, rule->base, &cfa);

	if (end)
		return end;
	cfa += (u64)(s64)rule->offset;
	if (rule->kind == DDPROF_UNWIND_DEREF) {
		end = read_word(s->w, limit, cfa, &cfa);
		if (end)
			return end;
		cfa += (u64)(s64)rule->add;
	} else if (rule->kind == DDPROF_UNWIND_PLT) {
		cfa += (s->pc & 15) >= (u64)rule->add ? 8 : 0;
	}
	if (!cfa_is_right(cfa, s->sp, limit))
		return DDPROF_END_BAD_FRAME;
	if (read_return_address(s->w, s->sp, cfa, &s->pc))
		return DDPROF_END_UNREADABLE;
	if (rule->bp | rule->bx)
		note_kept(s, rule, cfa);
	s->sp = cfa;
	return s->pc ? GO_ON : DDPROF_END_ROOT;
}

/* How long the call at @code would be whose operand is no constant; 0: it is none. */
static u32 indirect_call_bytes(const u8 *code)
{
	u32 mod = code[1] >> 6, rm = code[1] & 7, sib = rm == 4, bytes = 2 + sib;

	if (code[0] != 0xff || (code[1] >> 3 & 7) != 2)
		return 0;
	switch (mod) {
	case 0:
		return rm == 5 || (sib && (code[2] & 7) == 5) ? bytes + 4 : bytes;
	case 1:
		return bytes + 1;
	case 2:
		return bytes + 4;
	default:
		return 2;
	}
}

/* Whether a call ends with this word. Source: Intel's manual, volume 2, CALL and ModR/M. */
static bool ends_in_call(u64 word)
{
	u8 code[CALL_BYTES + 1] = { 0 };	/* the shortest call has no third byte to look at */
	u32 n;

	memcpy(code, &word, CALL_BYTES);
	if (code[CALL_BYTES - 5] == 0xe8)
		return true;
	for (n = 2; n < CALL_BYTES; n++)
		if (indirect_call_bytes(code + CALL_BYTES - n) == n)
			return true;
	return false;
}

/*
 * Functions without any description are mostly small ones in assembly that use no stack: then the
 * word at sp is where a call returns to. Believed when it is.
 */
static bool step_out_of_leaf(struct walk *s)
{
	u64 pc, code;

	if (s->sp & 7 || read_word(s->w, s->regs->limit, s->sp, &pc))
		return false;
	if (pc < CALL_BYTES || !find_range(s->ranges, pc - 1) ||
	    read_word(s->w, s->regs->limit, pc - CALL_BYTES, &code) ||
	    !ends_in_call(code))
		return false;
	s->pc = pc;
	s->sp += 8;
	return true;
}

/* The rows of the file that @s->at is in; they may have come a moment ago. */
static const struct ddp_rows *find_rows(struct walk *s)
{
	struct ddp_unwind_file *file = s->range ? s->range->file : NULL;
	const struct ddp_rows *rows;

	if (!file)
		return NULL;
	rows = ddp_load_acquire(&file->rows);
	if (rows && rows->nr_rows) {
		if (ddp_load(&file->used) != s->stamp)
			ddp_store(&file->used, s->stamp);
		return rows;
	}
	s->guess = GUESS_REACH;
	s->ret->guessed = true;
	/* a table that is not coming any more is not waited for */
	if (!rows && (int)(ddp_load(&file->awaited_until) - s->stamp) >= 0)
		s->ret->retry = true;
	return NULL;
}

/* Where a rule is remembered: the top bits of a product, which all bits of the offset decide. */
static inline u32 memo_slot(u32 serial, u64 offset)
{
	return ((u32)offset + serial) * 0x9e3779b1u / (0xffffffffu / DDP_MEMO_RULES + 1);
}

/* The rule at a file offset; the memo's copy is good until the next look-up. @memo may be NULL. */
static inline const struct ddprof_unwind_rule *find_rule(struct ddp_memo *memo,
							 const struct ddp_rows *rows, u64 offset)
{
	const struct ddprof_unwind_rule *rule;
	u32 i = memo_slot(rows->serial, offset);

	if (!memo)
		return ddp_rows_find(rows, offset);
	if (memo->at[i].offset == offset && memo->at[i].serial == rows->serial)
		return &memo->at[i].rule;
	rule = ddp_rows_find(rows, offset);
	if (!rule)
		return NULL;
	memo->at[i].offset = offset;
	memo->at[i].serial = rows->serial;
	memo->at[i].rule = *rule;
	return rule;
}

static inline struct ddp_memo *memo_for(const struct walk *s)
{
	return s->rows->serial ? s->w->memo : NULL;
}

static u8 step_without_rule(struct walk *s)
{
	s->no_rule = s->rows;
	if (s->rows && s->innermost && s->regs->exact && step_out_of_leaf(s))
		return GO_ON;
	return step_by_frame_pointer(s);
}

static u8 step(struct walk *s)
{
	const struct ddprof_unwind_rule *rule = NULL;

	if (s->rows)
		rule = find_rule(memo_for(s), s->rows,
				 s->at - s->range->start + s->range->file_offset);
	if (!rule)
		return step_without_rule(s);
	switch (rule->kind) {
	case DDPROF_UNWIND_REG:
	case DDPROF_UNWIND_DEREF:
	case DDPROF_UNWIND_PLT:
		return step_by_rule(s, rule);
	case DDPROF_UNWIND_STOP:
		return DDPROF_END_ROOT;
	case DDPROF_UNWIND_SIGNAL:
		return step_by_signal(s);
	case DDPROF_UNWIND_UNKNOWN:
		return DDPROF_END_NO_RULE;
	default:
		return step_without_rule(s);
	}
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
	if (s->range && in_range(s->range, s->at))
		return GO_ON;
	range = find_range(s->ranges, s->at);
	if (!range) {
		/* a guess that goes astray is no missing mapping */
		if (!s->guess)
			mark_unmapped(s->ret);
		return DDPROF_END_BAD_FRAME;
	}
	s->range = range;
	s->rows = NULL;
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
		s->range = find_range(s->ranges, s->at);
	if (!s->range)
		mark_unmapped(s->ret);
}

/* How plain steps ended: with a step that is not plain, or in the middle of one. */
enum plain_end { PLAIN_NO_MORE, PLAIN_LEFT_RANGE, PLAIN_UNREADABLE };

/* A word that the window has. */
static inline bool window_has(const struct ddp_window *w, u64 addr, u64 *ret)
{
	u64 skip = addr - w->addr;

	if (w->len < sizeof(*ret) || skip > w->len - sizeof(*ret))
		return false;
	memcpy(ret, w->bytes + skip, sizeof(*ret));
	return true;
}

/* Whether rbp is known; its value is s->bp.word then. */
static inline bool plain_bp(struct walk *s)
{
	u64 value;

	if (s->bp.how == SAVED && window_has(s->w, s->bp.word, &s->bp.word))
		s->bp.how = HELD;
	return s->bp.how == HELD || kept_value(s, &s->bp, &value) == GO_ON;
}

/* As note_kept(), of which most rules need only this. */
static inline void plain_kept(struct walk *s, const struct ddprof_unwind_rule *rule, u64 cfa)
{
	if (rule->bp == DDPROF_UNWIND_BP_CFA && !rule->bx)
		keep_saved(&s->bp, cfa + (u64)(s64)rule->bp_offset);
	else if (rule->bp | rule->bx)
		note_kept(s, rule, cfa);
}

/*
 * Steps by rules that count from sp or bp, as long as they stay in one range: nearly all of a walk,
 * so they have a loop that keeps what they need at hand. It takes the frames that it writes, and
 * leaves any other step to step(), which begins it anew; but a caller outside the range is still to
 * be arrived at.
 */
static enum plain_end plain_steps(struct walk *s, u64 *frames, u32 *n, u32 max)
{
	const struct ddp_unwind_range *range = s->range;
	u64 limit = s->regs->limit, bytes = range->end - range->start;
	u64 to_offset = range->file_offset - range->start;
	u64 sp = s->sp, at = s->at, pc = s->pc;
	const struct ddp_rows *rows = s->rows;
	struct ddp_memo *memo = memo_for(s);
	enum plain_end end = PLAIN_NO_MORE;
	u32 i = *n;

	while (i < max) {
		const struct ddprof_unwind_rule *rule = find_rule(memo, rows, at + to_offset);
		u64 cfa = sp, caller;

		if (!rule || rule->kind != DDPROF_UNWIND_REG)
			break;
		if (rule->base != REG_SP) {
			if (rule->base != REG_BP || !plain_bp(s))
				break;
			cfa = s->bp.word;
		}
		cfa += (u64)(s64)rule->offset;
		if (!cfa_is_right(cfa, sp, limit))
			break;
		if (!window_has(s->w, cfa - 8, &caller) &&
		    read_return_address(s->w, sp, cfa, &caller)) {
			end = PLAIN_UNREADABLE;
			break;
		}
		if (!caller)
			break;
		plain_kept(s, rule, cfa);
		sp = cfa;
		pc = caller;
		at = pc - 1;
		if (at - range->start >= bytes || pc >= limit) {
			end = PLAIN_LEFT_RANGE;
			break;
		}
		frames[i++] = pc;
	}
	s->innermost &= sp == s->sp;
	s->sp = sp;
	s->pc = pc;
	s->at = at;
	*n = i;
	return end;
}

/* To the next frame that is not written yet. GO_ON, or why there is none. */
static u8 advance(struct walk *s, u64 *frames, u32 *n, u32 max)
{
	enum plain_end plain = PLAIN_NO_MORE;
	u8 end = GO_ON;

	s->exact = false;
	s->no_rule = false;
	s->guess -= !!s->guess;
	if (!s->rows)
		s->rows = find_rows(s);
	if (s->rows && !s->guess)
		plain = plain_steps(s, frames, n, max);
	if (plain == PLAIN_UNREADABLE)
		return DDPROF_END_UNREADABLE;
	if (plain == PLAIN_NO_MORE)
		end = step(s);
	return end ? end : arrive(s);
}

u32 ddp_unwind_user(struct ddp_window *w, const struct ddp_user_regs *regs,
		    const struct ddp_unwind_ranges *ranges, u32 stamp,
		    u64 *frames, u32 max, struct ddp_walk *ret)
{
	struct walk s = {
		.w = w, .regs = regs, .ranges = regs->compat ? NULL : ranges, .ret = ret,
		.pc = regs->ip, .sp = regs->sp, .bp.word = regs->bp, .bx.how = INTERRUPTED,
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
		end = advance(&s, frames, &n, max);
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
