/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to a file descriptor, all of them, however little of it one write() takes. It is a
 * ddp_write_fn, so that encoders can write to files. Called by all that writes files.
 */
#ifndef DDP_BASE_WRITE_FD_H
#define DDP_BASE_WRITE_FD_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/**
 * @param fd  points to the descriptor
 * @return 0, or a negative errno with a part of the bytes written
 */
static inline int write_fd(void *fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t done = write(*(int *)fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

#endif /* DDP_BASE_WRITE_FD_H */
