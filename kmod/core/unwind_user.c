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
	u64 key;	/* range_key(), where there are @rows */
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

/* What a rule asks of a step, as far as plain_steps() does it; 0: it does not. */
enum {
	PLAIN_SP	= 1 << 0,	/* CFA = sp + offset */
	PLAIN_BP	= 1 << 1,	/* CFA = bp + offset */
	PLAIN_BP_BELOW	= 1 << 2,	/* the caller's bp is the word below the return address */
	PLAIN_BX	= 1 << 3,	/* the caller's bx was saved, at CFA + 8 * bx */
	PLAIN_KEPT	= 1 << 4,	/* anything else about registers: note_kept() */
};

static u8 plain_of(const struct ddprof_unwind_rule *rule)
{
	bool bp_below = rule->bp == DDPROF_UNWIND_BP_CFA && rule->bp_offset == -16;
	u8 plain;

	if (rule->kind != DDPROF_UNWIND_REG || (rule->base != REG_SP && rule->base != REG_BP))
		return 0;
	plain = rule->base == REG_SP ? PLAIN_SP : PLAIN_BP;
	if ((rule->bp && !bp_below) || rule->bx == DDPROF_UNWIND_BX_LOST)
		return plain | PLAIN_KEPT;
	return plain | (bp_below ? PLAIN_BP_BELOW : 0) | (rule->bx ? PLAIN_BX : 0);
}

/* What the keys of a table begin with; 0: its rules are not remembered. */
static inline u64 memo_key(const struct ddp_rows *rows)
{
	if (rows->serial >> (64 - DDP_MEMO_OFFSET_BITS))
		return 0;
	return (u64)rows->serial << DDP_MEMO_OFFSET_BITS;
}

/* Where a rule is remembered: the top bits of a product, which all bits of the key decide. */
static inline struct ddp_memo_rule *memo_slot(struct ddp_memo *memo, u64 key)
{
	return &memo->at[key * 0x9e3779b97f4a7c15ULL / (~0ULL / DDP_MEMO_RULES + 1)];
}

/* Search for a rule and remember it; NULL: there is none. */
static ddp_noinline const struct ddp_memo_rule *memo_learn(struct ddp_memo *memo,
							   const struct ddp_rows *rows, u64 key)
{
	u64 offset = key & ((1ULL << DDP_MEMO_OFFSET_BITS) - 1);
	const struct ddprof_unwind_rule *rule = ddp_rows_find(rows, offset);
	struct ddp_memo_rule *m = memo_slot(memo, key);

	if (!rule)
		return NULL;
	m->key = key;
	m->rule = *rule;
	m->plain = plain_of(rule);
	return m;
}

/* Good until the next look-up. */
static inline const struct ddp_memo_rule *memo_find(struct ddp_memo *memo,
						    const struct ddp_rows *rows, u64 key)
{
	const struct ddp_memo_rule *m = memo_slot(memo, key);

	return m->key == key ? m : memo_learn(memo, rows, key);
}

/* The key of the range's first byte; 0: its rules are not remembered. */
static u64 range_key(const struct walk *s)
{
	const struct ddp_unwind_range *range = s->range;
	u64 bytes = range->end - range->start, last = 1ULL << DDP_MEMO_OFFSET_BITS;
	u64 key = s->w->memo ? memo_key(s->rows) : 0;

	if (!key || range->file_offset > last || bytes > last - range->file_offset)
		return 0;
	return key + range->file_offset;
}

static const struct ddprof_unwind_rule *find_rule(const struct walk *s)
{
	u64 inside = s->at - s->range->start;
	const struct ddp_memo_rule *m;

	if (!s->key)
		return ddp_rows_find(s->rows, s->range->file_offset + inside);
	m = memo_find(s->w->memo, s->rows, s->key + inside);
	return m ? &m->rule : NULL;
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
		rule = find_rule(s);
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

/* How plain steps ended: before a step that is not plain, or with a caller outside the range. */
enum plain_end { PLAIN_NO_MORE, PLAIN_LEFT_RANGE };

enum { PLAIN_BYTES = 16 };	/* below a CFA: the return address and what is below it */

/* Offsets in the window where that much lies are below this. */
static inline u64 plain_room(const struct ddp_window *w)
{
	return w->len < PLAIN_BYTES ? 0 : w->len - PLAIN_BYTES + 1;
}

/*
 * Have the window begin below a CFA. The word below the return address is not in this frame when
 * the frame is only that address, and then it is not asked for.
 */
static ddp_noinline bool plain_fill(struct ddp_window *w, u64 limit, u64 sp, u64 cfa)
{
	u64 low = cfa - PLAIN_BYTES;

	if (cfa > limit || cfa - sp < PLAIN_BYTES || (low ^ (cfa - 8)) & ~(u64)(PAGE_BYTES - 1))
		return false;
	return !window_fill(w, low) && w->len >= PLAIN_BYTES;
}

/* What the loop keeps at hand of the walk and its window. */
struct plain {
	struct kept bp;
	u64 room;	/* plain_room() */
};

/* Around what reads by the walk itself. */
static inline void plain_give(struct walk *s, const struct plain *p)
{
	s->bp = p->bp;
}

static inline void plain_take(const struct walk *s, struct plain *p)
{
	p->bp = s->bp;
	p->room = plain_room(s->w);
}

/* Apart, so that the loop has no variable with an address: kernels zero those each time. */
static ddp_noinline void ask_bp(struct walk *s)
{
	u64 value;

	kept_value(s, &s->bp, &value);
}

/* Whether rbp is known here; it is then. */
static inline bool plain_bp(struct walk *s, struct plain *p)
{
	if (p->bp.how != HELD) {
		plain_give(s, p);
		ask_bp(s);
		plain_take(s, p);
	}
	return p->bp.how == HELD;
}

/* Registers that were saved in the frame below @cfa; @below is the window from cfa - 16. */
static inline void plain_registers(struct walk *s, const struct ddp_memo_rule *m, u64 cfa,
				   const u8 *below, struct plain *p)
{
	if (m->plain & PLAIN_BP_BELOW) {
		memcpy(&p->bp.word, below, sizeof(p->bp.word));
		p->bp.how = HELD;
	}
	if (m->plain & PLAIN_BX)
		keep_saved(&s->bx, cfa + 8 * (u64)(s64)m->rule.bx);
	if (m->plain & PLAIN_KEPT) {
		plain_give(s, p);
		note_kept(s, &m->rule, cfa);
		plain_take(s, p);
	}
}

/*
 * Steps by rules that count from sp or bp, as long as they stay in one range: nearly all of a walk,
 * so they have a loop that keeps what they need at hand. It takes the frames that it writes, and
 * leaves any other step to step(), which begins it anew; but a caller outside the range is still to
 * be arrived at.
 *   @key  of the range, not 0
 */
static enum plain_end plain_steps(struct walk *s, u64 key, u64 *frames, u32 *n, u32 max)
{
	u64 limit = s->regs->limit, begin = s->range->start;
	u64 end = s->range->end < limit ? s->range->end : limit - 1;
	u64 bytes = end > begin ? end - begin : 0;
	u64 sp = s->sp, pc = s->pc, at = s->at;
	u64 *to = frames + *n, *full = frames + max;
	enum plain_end ret = PLAIN_NO_MORE;
	struct ddp_window *w = s->w;
	struct plain p;

	plain_take(s, &p);
	key -= begin;
	while (to != full) {
		const struct ddp_memo_rule *m = memo_find(w->memo, s->rows, key + at);
		u64 cfa = sp, skip, caller;

		if (!m || !m->plain)
			break;
		if (m->plain & PLAIN_BP) {
			if (!plain_bp(s, &p))
				break;
			cfa = p.bp.word;
		}
		cfa += (u64)(s64)m->rule.offset;
		if (cfa <= sp || cfa & 7)
			break;
		skip = cfa - PLAIN_BYTES - w->addr;
		if (skip >= p.room) {
			if (!plain_fill(w, limit, sp, cfa))
				break;
			p.room = plain_room(w);
			skip = 0;
		}
		memcpy(&caller, w->bytes + skip + 8, sizeof(caller));
		if (!caller)
			break;
		plain_registers(s, m, cfa, w->bytes + skip, &p);
		sp = cfa;
		pc = caller;
		at = pc - 1;
		if (at - begin >= bytes) {
			ret = PLAIN_LEFT_RANGE;
			break;
		}
		*to++ = pc;
	}
	s->innermost &= sp == s->sp;
	plain_give(s, &p);
	s->sp = sp;
	s->pc = pc;
	s->at = at;
	*n = to - frames;
	return ret;
}

/* To the next frame that is not written yet. GO_ON, or why there is none. */
static u8 advance(struct walk *s, u64 *frames, u32 *n, u32 max)
{
	enum plain_end plain = PLAIN_NO_MORE;
	u8 end = GO_ON;

	s->exact = false;
	s->no_rule = false;
	s->guess -= !!s->guess;
	if (!s->rows) {
		s->rows = find_rows(s);
		s->key = s->rows ? range_key(s) : 0;
	}
	if (s->key && !s->guess)
		plain = plain_steps(s, s->key, frames, n, max);
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
