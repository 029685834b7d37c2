/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a running collector answers HTTP on a unix socket, and its metrics on a TCP
 * address too where that is wanted.
 *
 *	GET /metrics	everything that is counted, in the text form of Prometheus
 *	GET /health	200 "ok" while records come and intervals end; else 503 and why
 *	GET /status	what is done and how well, as JSON; see status.h	(unix socket only)
 *	GET /top	the running interval's functions and processes, as JSON; see report/top.h;
 *			?rows=N, ?value=TYPE, ?sort=cumulative		(unix socket only)
 *
 * Names of functions and processes are for those who may open the socket: its owner, unless the
 * mode says more. A thread of its own serves; answers are the profiler's thread's, see board.h.
 * Used by monitor.
 */
#ifndef DDP_METRICS_CONTROL_H
#define DDP_METRICS_CONTROL_H

#include "metrics/board.h"
#include "metrics/status.h"

enum {
	DDP_CONTROL_MAX_CONNECTIONS = 16,	/* of each socket; further ones are closed */
	DDP_CONTROL_TIMEOUT_S = 5,		/* of a connection on which nothing happens */
	/* for the profiler's thread, which makes a large profile for seconds; /health waits less */
	DDP_CONTROL_ANSWER_MS = 8000,
	DDP_CONTROL_HEALTH_MS = 1000,
	/* without an answer for so long it is not healthy; a large profile takes seconds */
	DDP_CONTROL_STUCK_MS = 30000,
};

struct ddp_control;

/**
 * Nothing is served yet.
 * @param board	     borrowed
 * @param about	     copied
 * @param answer_ms  longest wait for an answer; 0: DDP_CONTROL_ANSWER_MS
 * @return 0, -ENOMEM
 */
int ddp_control_create(struct ddp_board *board, const struct ddp_status_about *about,
		       unsigned int answer_ms, struct ddp_control **ret);

/**
 * Serves on a unix socket that only its owner may open, from a thread in which signals are blocked.
 * What lies at @path stays unless it is a socket that nobody answers on: that of a collector that
 * was killed.
 * @return 0; -EADDRINUSE: somebody answers there; an errno of the file; see @err
 */
int ddp_control_serve_unix(struct ddp_control *c, const char *path, struct ddp_error *err);

/**
 * Serves /metrics and /health on "HOST:PORT", "[V6]:PORT" or "PORT", which is 127.0.0.1's; a host
 * is an address or "localhost".
 * @param remote  whether another host than this one may be reached from is accepted
 * @return 0; -EINVAL: as ddp_control_check_listen(); an errno of the socket; see @err
 */
int ddp_control_serve_tcp(struct ddp_control *c, const char *address, bool remote,
			  struct ddp_error *err);

/** Whether ddp_control_serve_tcp() would take @address. @return 0; -EINVAL, see @err */
int ddp_control_check_listen(const char *address, bool remote, struct ddp_error *err);

/** The port that ddp_control_serve_tcp() got, where 0 was asked for; 0: none. */
uint16_t ddp_control_port(const struct ddp_control *c);

/** Ends the thread, after ddp_board_shut(), and removes the socket. NULL is allowed. */
void ddp_control_destroy(struct ddp_control *c);
DEFINE_CLEANUP(struct ddp_control *, ddp_control_destroy)

#endif /* DDP_METRICS_CONTROL_H */
