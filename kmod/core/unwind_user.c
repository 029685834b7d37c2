// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The frame-pointer walk and its window. It promises to end: each frame lies strictly above the one
 * before and at most @max are written, whatever the target's memory says. A walk that ends early
 * says so.
 */
#include "unwind_user.h"
#include "../../uapi/ddprof.h"

enum { PAGE_BYTES = 4096 };	/* the smallest page: not crossing these crosses none */

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

/* As @to may straddle two pages, it can take two fills. */
static int window_get_slow(struct ddp_window *w, u64 addr, u8 *to, u32 len)
{
	while (len) {
		u64 skip = addr - w->addr;
		u32 part;

		if (skip >= w->len) {
			if (window_fill(w, addr))
				return -EFAULT;
			skip = 0;
		}
		part = w->len - (u32)skip;
		if (part > len)
			part = len;
		memcpy(to, w->bytes + skip, part);
		to += part;
		addr += part;
		len -= part;
	}
	return 0;
}

int ddp_window_get(struct ddp_window *w, u64 addr, void *to, u32 len)
{
	u64 skip = addr - w->addr;	/* huge when addr is below the window */

	if (len <= w->len && skip <= w->len - len) {
		memcpy(to, w->bytes + skip, len);
		return 0;
	}
	if (addr + len < addr)
		return -EFAULT;
	return window_get_slow(w, addr, to, len);
}

/* What a frame pointer points to: the caller's frame pointer, and the address to return to. */
struct frame {
	u64 fp, ret;
};

static int read_frame(struct ddp_window *w, u64 fp, bool compat, struct frame *ret)
{
	u32 words[2];

	if (!compat)
		return ddp_window_get(w, fp, ret, sizeof(*ret));
	if (ddp_window_get(w, fp, words, sizeof(words)))
		return -EFAULT;
	ret->fp = words[0];
	ret->ret = words[1];
	return 0;
}

static bool frame_fits(u64 fp, u64 floor, u64 limit, u32 word_bytes)
{
	return fp >= floor && !(fp & (word_bytes - 1)) &&
	       fp < limit && limit - fp >= 2 * word_bytes;
}

u32 ddp_unwind_user_fp(struct ddp_window *w, const struct ddp_user_regs *regs,
		       u64 *frames, u32 max, u8 *end)
{
	u32 word_bytes = regs->compat ? 4 : 8, n = 0;
	u64 fp = regs->bp, floor = regs->sp;
	struct frame frame;

	*end = DDPROF_END_TRUNCATED;
	if (max)
		frames[n++] = regs->ip;

	while (n < max) {
		/*
		 * A small saved frame pointer is no chain's end but a caller that uses the
		 * register otherwise, like the C library's start-up code. So is a zero that is
		 * still in the register.
		 */
		if (!frame_fits(fp, floor, regs->limit, word_bytes)) {
			*end = DDPROF_END_BAD_FRAME;
			break;
		}
		if (read_frame(w, fp, regs->compat, &frame)) {
			*end = DDPROF_END_UNREADABLE;
			break;
		}
		if (!frame.ret) {
			*end = DDPROF_END_ROOT;
			break;
		}
		if (frame.ret >= regs->limit) {
			*end = DDPROF_END_BAD_FRAME;
			break;
		}
		frames[n++] = frame.ret;
		if (!frame.fp) {
			*end = DDPROF_END_ROOT;
			break;
		}
		floor = fp + 2 * word_bytes;
		fp = frame.fp;
	}
	return n;
}
