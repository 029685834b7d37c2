// SPDX-License-Identifier: Apache-2.0
/* See whole_file.h. */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"

int ddp_whole_file(const char *path, ddp_fill_fn fill, void *ctx)
{
	static const char end[] = ".part";
	CLEANUP(free) char *part = NULL;
	CLEANUP(close_fd) int fd = -1;
	int r;

	if (asprintf(&part, "%s.XXXXXX%s", path, end) < 0) {
		part = NULL;
		return -ENOMEM;
	}
	fd = mkostemps(part, sizeof(end) - 1, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	r = fill(ctx, fd);
	if (!r && close(TAKE_FD(fd)))
		r = -errno;
	if (!r && rename(part, path))
		r = -errno;
	if (r)
		unlink(part);
	return r;
}
