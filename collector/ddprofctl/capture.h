/* SPDX-License-Identifier: Apache-2.0 */
/* What another program says. Used by doctor. */
#ifndef DDPROFCTL_CAPTURE_H
#define DDPROFCTL_CAPTURE_H

#include <ddprof/io.h>

enum { CTL_CAPTURE_BYTES = 65536, CTL_CAPTURE_MS = 5000 };

/**
 * Runs a program, without our environment but for PATH and without input, for CTL_CAPTURE_MS at
 * most.
 * @param argv  argv[0] is looked up in PATH when it has no slash
 * @param ret   receives stdout and stderr, CTL_CAPTURE_BYTES at most, and is NUL-terminated
 * @return the exit status; 128 + signal; -ENOENT: there is no such program; -ETIMEDOUT, it was
 *	killed; another errno
 */
int ctl_capture(char *const *argv, struct ddp_buffer *ret);

#endif /* DDPROFCTL_CAPTURE_H */
