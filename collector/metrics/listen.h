/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets for control: a unix socket that is its owner's, and a TCP address. */
#ifndef DDP_METRICS_LISTEN_H
#define DDP_METRICS_LISTEN_H

#include <ddprof/io.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/un.h>

#include "lib/cleanup.h"

/** Where we listen, to be taken away again. */
struct ddp_unix_name {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];	/* "": nowhere */
	uint64_t dev, inode;
};

/**
 * The folder that @path lies in is made when it is missing and its parent is there. The socket
 * appears under its name when it listens, with mode 0600.
 * @return 0, *ret_fd is the caller's; -ENAMETOOLONG; -EADDRINUSE: somebody answers there;
 *	-EEXIST: what is there is no socket; another errno of the file; see @err
 */
int ddp_listen_unix(const char *path, struct ddp_unix_name *ret, int *ret_fd,
		    struct ddp_error *err);

/** Takes the name away if it is still the socket that was made. */
void ddp_unlisten_unix(const struct ddp_unix_name *name);

/** A host and port as numbers. */
union ddp_address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/** "PORT", "HOST:PORT", "[V6]:PORT". @return 0; -EINVAL, see @err */
int ddp_address_parse(const char *text, union ddp_address *ret, struct ddp_error *err);

/** 127.0.0.0/8, ::1 and the former written as the latter. */
bool ddp_address_is_loopback(const union ddp_address *a);

/** @return 0, *ret_fd is the caller's; an errno, see @err */
int ddp_listen_tcp(const union ddp_address *a, int *ret_fd, struct ddp_error *err);

#endif /* DDP_METRICS_LISTEN_H */
