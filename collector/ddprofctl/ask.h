/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a running collector over its control socket (metrics/control.h). Used by top, status
 * and doctor. */
#ifndef DDPROFCTL_ASK_H
#define DDPROFCTL_ASK_H

#include <ddprof/io.h>

#include "base/options.h"
#include "lib/cleanup.h"

/** A row of a command's table of options; the values have a const char *control_socket. */
#define CTL_CONTROL_SOCKET(type)							\
	{ "control_socket", NULL, 0, DDP_OPTION_TEXT,					\
	  .offset = offsetof(type, control_socket), "DD_PROFILING_CONTROL_SOCKET",	\
	  .argument = "PATH", .help = "of the collector; default /run/ddprof/control.sock" }

/**
 * @param socket  NULL: the default
 * @param path	  "/status"
 * @param ret	  appended to, also when the collector refuses
 * @return 0: it answered 200; -ENOENT: there is no collector; -EBADMSG: it answered something else;
 *	-ETIMEDOUT; another errno of the socket; see @err
 */
int ctl_ask(const char *socket, const char *path, struct ddp_buffer *ret, struct ddp_error *err);

#endif /* DDPROFCTL_ASK_H */
