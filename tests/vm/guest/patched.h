/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the kernel's code patched for an event, by a counter of our own that counts nothing, so that
 * sessions that begin and end under load do not patch it again and again: see steady.sh. Included
 * by test programs.
 */
#ifndef GUEST_PATCHED_H
#define GUEST_PATCHED_H

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"

/* A descriptor to close when it may be patched back. */
static inline int keep_patched(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = type, .size = sizeof(attr), .config = config, .disabled = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		tap_bail("perf_event_open: %s", strerror(errno));
	return fd;
}

#endif /* GUEST_PATCHED_H */
