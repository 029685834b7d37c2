/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a log may say the same: DDP_LOG_BURST messages of a kind in DDP_LOG_WINDOW_MS, so that
 * something that goes wrong all the time fills no disk. Messages are of a kind when they differ in
 * digits only. Pure: the time is the caller's. Used by log.
 */
#ifndef DDP_BASE_LOG_LIMIT_H
#define DDP_BASE_LOG_LIMIT_H

#include <stdint.h>

enum {
	DDP_LOG_BURST = 10,
	DDP_LOG_WINDOW_MS = 60000,
	DDP_LOG_KINDS = 128,	/* kinds that are told apart; a new one may take another's place */
};

struct ddp_log_limit {		/* all zero: nothing was said yet */
	struct {
		uint64_t kind;	/* hash of the text without its digits; 0: free */
		int64_t since_ms;
		uint32_t shown, held;	/* since then */
	} slots[DDP_LOG_KINDS];
};

enum {
	DDP_LOG_SHOW,
	DDP_LOG_SHOW_LAST,	/* the last of its kind in this window */
	DDP_LOG_HOLD,
};

/**
 * @param now_ms    monotonic
 * @param ret_held  with SHOW: messages that were held back in this place since one was shown
 * @return DDP_LOG_*
 */
int ddp_log_limit(struct ddp_log_limit *l, const char *text, int64_t now_ms, uint32_t *ret_held);

#endif /* DDP_BASE_LOG_LIMIT_H */
