/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the profiler's thread from others, and its answers. What is sampled belongs to one
 * thread; who serves requests puts a question on the board and waits a moment, and that thread,
 * when it comes by, answers with copies. Nobody asks: it costs nothing. Used by control and
 * monitor.
 *
 *	askers, any thread:		the profiler's thread:
 *	ddp_board_ask(b, ...)		poll(ddp_board_fd(b))
 *					while (ddp_board_next(b, &profile))
 *						ddp_board_answer(b, &answer);
 */
#ifndef DDP_METRICS_BOARD_H
#define DDP_METRICS_BOARD_H

#include <ddprof/profile.h>

#include "metrics/metrics.h"

struct ddp_answer {
	struct ddp_metrics metrics;	/* derived ones included */
	struct ddp_profile *profile;	/* owned; of the running interval; NULL: not asked */
	int error;			/* why there is no profile: a negative errno */
};

struct ddp_board;

/** @return 0, -ENOMEM, an errno of the descriptor */
int ddp_board_create(struct ddp_board **ret);

/** When nobody asks any more. NULL is allowed. */
void ddp_board_destroy(struct ddp_board *b);
DEFINE_CLEANUP(struct ddp_board *, ddp_board_destroy)

/**
 * @param profile  whether the answer should have one
 * @return 0, *ret->profile is the caller's; -ETIMEDOUT; -ESHUTDOWN: nobody will answer
 */
int ddp_board_ask(struct ddp_board *b, bool profile, unsigned int timeout_ms,
		  struct ddp_answer *ret);

/** How long questions have been without any answer, milliseconds; 0: the last one had its. */
uint64_t ddp_board_waiting_ms(struct ddp_board *b);

/** For poll(): readable when there is a question. */
int ddp_board_fd(const struct ddp_board *b);

/** @return whether somebody waits; *ret_profile: for a profile, too */
bool ddp_board_next(struct ddp_board *b, bool *ret_profile);

/** To the question that ddp_board_next() told; takes a->profile in any case. */
void ddp_board_answer(struct ddp_board *b, struct ddp_answer *a);

/** From now on every question is answered -ESHUTDOWN at once. */
void ddp_board_shut(struct ddp_board *b);

#endif /* DDP_METRICS_BOARD_H */
