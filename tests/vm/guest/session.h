/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session from its START to its last record, on a raw socket, for the guest's test programs: what
 * goes wrong that a case is not about ends the program with a failed case.
 */
#ifndef GUEST_SESSION_H
#define GUEST_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "nl.h"
#include "stream.h"

typedef uint8_t (*session_kind_fn)(void *ctx, const struct stream_stack *stack);

/* Open @nl and begin a session whose records @stream, made anew, reads. @kind_of may be NULL. */
void session_begin(struct nl *nl, struct stream *stream, session_kind_fn kind_of,
		   const struct nl_start *how);
/* Read for so long. */
void session_follow(struct nl *nl, double seconds);
/* Read what is still to come. The session is being ended by somebody. */
void session_read_to_end(struct nl *nl, const struct stream *stream);
/* STOP, and read to the end. The statistics are those after STOP. */
void session_finish(struct nl *nl, const struct stream *stream, struct nl_stats *ret_stats);
/* Close @nl, which ends a session that was not, and free @stream. */
void session_leave(struct nl *nl, struct stream *stream);

/*
 * A case: the stream is whole and as promised, and as many samples as @stats say were taken have
 * arrived. They may be none, or lost ones, only if that is said.
 */
enum { SESSION_MAY_LOSE = 1, SESSION_MAY_BE_EMPTY = 2 };
void session_accounts(const char *name, const struct stream *stream, const struct nl_stats *stats,
		      unsigned int may);

/* Switch a CPU off or on. */
void set_online(int cpu, bool online);

/* Seconds that only go forward. */
double now_s(void);

#endif /* GUEST_SESSION_H */
