// SPDX-License-Identifier: Apache-2.0
/* See unwind_chain.h. Frames of several sizes, with and without saved registers. */
#include <unwind.h>

#include "unwind_chain.h"

enum { NOTE_FRAMES = 2 };	/* chain_note's own and that of the function that works */

struct note {
	struct chain *chain;
	int skip, nr;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *ctx)
{
	struct note *n = ctx;

	if (n->skip) {
		n->skip--;
		return _URC_NO_REASON;
	}
	if (n->nr == CHAIN_MAX)
		return _URC_END_OF_STACK;
	/* above the root comes one without an address */
	if (_Unwind_GetIP(context))
		n->chain->frame[n->nr++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void chain_note(struct chain *chain)
{
	struct note n = { .chain = chain, .skip = NOTE_FRAMES };

	_Unwind_Backtrace(note_frame, &n);
	chain->nr = n.nr;
}

static uint64_t chain_work(struct chain *chain, uint64_t iterations)
{
	uint64_t sum = 1;

	if (chain && !chain->nr)
		chain_note(chain);
	while (iterations--) {
		sum = sum * 6364136223846793005ULL + iterations;
		__asm__ volatile("" : "+r"(sum));
	}
	return sum;
}

static uint64_t chain_large(struct chain *chain, uint64_t iterations)
{
	volatile uint8_t room[3000];

	room[0] = room[2999] = 1;
	return chain_work(chain, iterations) + room[0] + room[2999];
}

/* Six registers that a call must not change, so all of them are saved. */
static uint64_t chain_saved(struct chain *chain, uint64_t iterations)
{
	uint64_t a = iterations, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	a += chain_large(chain, iterations);
	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	return a + b + c + d + e + f;
}

void chain_run(struct chain *chain, uint64_t iterations)
{
	volatile uint64_t sum = chain_saved(chain, iterations);

	(void)sum;
}
