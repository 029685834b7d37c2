/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service tells its manager: that it is ready, reloads, stops, and is alive. The protocol is
 * systemd's sd_notify(3), datagrams of "NAME=value" lines to the socket named by NOTIFY_SOCKET;
 * other managers speak it, too. Without that variable every call is a success that does nothing.
 * Used by the service mode of `ddprof`.
 */
#ifndef DDP_BASE_NOTIFY_H
#define DDP_BASE_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"

struct ddp_notify {
	int fd;				/* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t watchdog_us;		/* the manager ends us after so long a silence; 0: never */
};

/**
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, which commands that
 * are started later must not inherit. Before threads.
 * @return 0; -EINVAL: NOTIFY_SOCKET is neither an absolute path nor "@name"; or what socket() says.
 *	@n can be used and closed whatever is returned
 */
int ddp_notify_open(struct ddp_notify *n);

/** The service does its work now; @status, one line for people, may be NULL. @return as _send() */
int ddp_notify_ready(const struct ddp_notify *n, const char *status);

/** It reads its configuration again, until the next ddp_notify_ready(). */
int ddp_notify_reloading(const struct ddp_notify *n);

/** It ends; what it still has to do takes up to @extend_us longer than the manager thinks, or 0. */
int ddp_notify_stopping(const struct ddp_notify *n, uint64_t extend_us);

/** One line for people about what it is doing. */
int ddp_notify_status(const struct ddp_notify *n, const char *status);

/** It is alive: to be said at least every half of watchdog_us. */
int ddp_notify_alive(const struct ddp_notify *n);

/** Anything, lines as the protocol has them. @return 0, or what sendto() says */
int ddp_notify_send(const struct ddp_notify *n, const char *lines);

void ddp_notify_close(struct ddp_notify *n);
DEFINE_CLEANUP_IN_PLACE(struct ddp_notify, ddp_notify_close)

#endif /* DDP_BASE_NOTIFY_H */
