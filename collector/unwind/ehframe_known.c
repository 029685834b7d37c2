// SPDX-License-Identifier: Apache-2.0
/*
 * See ehframe_known.h. C's pieces end in a system call whose number is moved to the register right
 * before it:
 *
 *	mov $15, %eax or %rax; syscall				rt_sigreturn
 *	call *%reg; ...; mov $60, %eax or %rax; syscall		exit of a thread
 *
 * Source of the numbers: arch/x86/entry/syscalls/syscall_64.tbl. Of runtime.mcall: what Go makes of
 * src/runtime/asm_amd64.s.
 */
#include "unwind/ehframe_known.h"

#include <string.h>

enum {
	RT_SIGRETURN = 15, EXIT = 60,
	MAX_PIECE = 18,		/* bytes, with the one before a signal's */
};

/* the upper bytes of the number, then syscall */
static const uint8_t tail[] = { 0, 0, 0, 0x0f, 0x05 };

/* Bytes of the mov in front of its number, which is at @at; 0: there is none */
static size_t mov_before(const uint8_t *bytes, size_t at)
{
	if (at >= 3 && !memcmp(bytes + at - 3, "\x48\xc7\xc0", 3))
		return 3;
	return at >= 1 && bytes[at - 1] == 0xb8 ? 1 : 0;
}

/* Bytes of a call through a register that ends at @end; 0: there is none */
static size_t call_before(const uint8_t *bytes, size_t end)
{
	if (end < 2 || bytes[end - 2] != 0xff || bytes[end - 1] >> 3 != 0xd0 >> 3)
		return 0;
	return end >= 3 && bytes[end - 3] == 0x41 ? 3 : 2;
}

/* The same with what sets the exit status in between: nothing, a move or a number */
static size_t call_and_status_before(const uint8_t *bytes, size_t end)
{
	size_t call = call_before(bytes, end);

	if (call)
		return call;
	if (end >= 2 && (!memcmp(bytes + end - 2, "\x89\xc7", 2) ||
			 !memcmp(bytes + end - 2, "\x31\xff", 2))) {
		call = call_before(bytes, end - 2);
		return call ? call + 2 : 0;
	}
	if (end < 5 || bytes[end - 5] != 0xbf)
		return 0;
	call = call_before(bytes, end - 5);
	return call ? call + 5 : 0;
}

/* Bytes in front of the mov at @mov that belong to it, by the system call's number; -1: none do */
static int before_mov(const uint8_t *bytes, size_t mov, uint8_t number, uint8_t *ret_kind)
{
	size_t call;

	if (number == RT_SIGRETURN) {
		*ret_kind = DDPROF_UNWIND_SIGNAL;
		return mov ? 1 : 0;
	}
	call = number == EXIT ? call_and_status_before(bytes, mov) : 0;
	*ret_kind = DDPROF_UNWIND_STOP;
	return call ? (int)call : -1;
}

/*
 * Whether the byte before @end is one that compilers fill up with. A call forward ends in zeros as
 * well: e8 or ff /2 and four bytes.
 */
static bool is_padding(const uint8_t *bytes, size_t end)
{
	uint8_t last = bytes[end - 1];

	if (end >= 5 && bytes[end - 5] == 0xe8)
		return false;
	if (end >= 6 && bytes[end - 6] == 0xff && (bytes[end - 5] & 0x38) == 0x10)
		return false;
	return last == 0x90 || last == 0xcc || !last;
}

/* What ends in the tail at @at, counted from bytes[0] */
static bool by_system_call(const uint8_t *bytes, size_t at, struct cfi_known *ret)
{
	size_t mov = at ? mov_before(bytes, at - 1) : 0;
	int before;

	if (!mov)
		return false;
	mov = at - 1 - mov;
	before = before_mov(bytes, mov, bytes[at - 1], &ret->kind);
	if (before < 0)
		return false;
	ret->offset = mov - (size_t)before;
	ret->nr = at + sizeof(tail) - ret->offset;
	ret->borrowed = ret->kind == DDPROF_UNWIND_SIGNAL && before && !is_padding(bytes, mov);
	return true;
}

/* mov $0, %rbp; push %rax; mov (%rdx), %r12; call *%r12 */
static const uint8_t mcall[] = {
	0x48, 0xc7, 0xc5, 0, 0, 0, 0, 0x50, 0x4c, 0x8b, 0x22, 0x41, 0xff, 0xd4,
};

static bool by_mcall(const uint8_t *bytes, size_t at, struct cfi_known *ret)
{
	(void)bytes;
	*ret = (struct cfi_known){ at + sizeof(mcall) - 3, 3, DDPROF_UNWIND_STOP, false };
	return true;
}

/* What is searched for, and what makes sure that it is that, from where it was found */
static const struct {
	const uint8_t *bytes;
	size_t nr;
	bool (*recognise)(const uint8_t *bytes, size_t at, struct cfi_known *ret);
} needles[] = {
	[CFI_KNOWN_C] = { tail, sizeof(tail), by_system_call },
	[CFI_KNOWN_GO] = { mcall, sizeof(mcall), by_mcall },
};

struct search {
	enum cfi_known_what what;
	uint64_t low;	/* file offset up to which everything was told */
	int (*found)(void *ctx, const struct cfi_known *known);
	void *ctx;
};

static int search_piece(struct search *s, const uint8_t *bytes, size_t nr, uint64_t offset)
{
	const uint8_t *p = bytes, *limit = bytes + nr;
	struct cfi_known known;
	int r = 0;

	while (!r && (p = memmem(p, (size_t)(limit - p), needles[s->what].bytes,
				 needles[s->what].nr))) {
		bool is_known = needles[s->what].recognise(bytes, (size_t)(p - bytes), &known);

		p += needles[s->what].nr;
		if (!is_known || offset + known.offset + known.nr <= s->low)
			continue;
		known.offset += offset;
		if (known.offset < s->low) {
			known.nr -= s->low - known.offset;
			known.offset = s->low;
			known.borrowed = false;
		}
		r = s->found(s->ctx, &known);
		s->low = known.offset + known.nr;
	}
	return r;
}

/* Reads overlap, so that a piece that one cuts in two is whole in the next */
int cfi_known_search(const struct ddp_cfi_input *in, enum cfi_known_what what, uint64_t start,
		     uint64_t end, uint64_t *searched,
		     int (*found)(void *ctx, const struct cfi_known *known), void *ctx)
{
	struct search s = { .what = what, .found = found, .ctx = ctx };
	uint8_t bytes[1 << 14];
	int r = 0;

	if (start < in->code_start)
		start = in->code_start;
	if (end > in->code_end)
		end = in->code_end;
	s.low = start;
	while (!r && in->read && start + sizeof(tail) < end && *searched < CFI_MAX_SEARCHED) {
		size_t nr = end - start < sizeof(bytes) ? end - start : sizeof(bytes);

		if (in->read(in->ctx, start, bytes, nr))
			return 0;
		*searched += nr;
		r = search_piece(&s, bytes, nr, start);
		start += nr == sizeof(bytes) ? nr - (MAX_PIECE - 1) : nr;
	}
	return r;
}
