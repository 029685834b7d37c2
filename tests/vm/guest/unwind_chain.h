/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work at the end of a chain of calls without frame pointers (as all unwind_*.c it is built without
 * them), and what an unwinder that is not ours says about it: the compiler's run-time library.
 */
#ifndef GUEST_UNWIND_CHAIN_H
#define GUEST_UNWIND_CHAIN_H

#include <stdint.h>

enum { CHAIN_MAX = 32 };

/* The return addresses above the function that works, up to the root's. */
struct chain {
	volatile int nr;	/* 0: not noted yet */
	uint64_t frame[CHAIN_MAX];
};

/* Go down the chain and work there; note it in @chain, unless it is noted or NULL. */
void chain_run(struct chain *chain, uint64_t iterations);

#endif /* GUEST_UNWIND_CHAIN_H */
