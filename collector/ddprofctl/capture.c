// SPDX-License-Identifier: Apache-2.0
/* See capture.h. */
#include "ddprofctl/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/cleanup.h"

/* A group of its own, so that what it started can be ended with it */
static int start(char *const *argv, int out, pid_t *ret)
{
	char path[4096];
	char *environment[] = { path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int r;

	snprintf(path, sizeof(path), "PATH=%s", getenv("PATH") ?: "/usr/bin:/bin");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	r = posix_spawnp(ret, argv[0], &files, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* Until the other end is closed, or the time is over. What is too much is read and forgotten */
static int read_all(int fd, struct ddp_buffer *ret)
{
	int64_t until = now_ms() + CTL_CAPTURE_MS;
	char bytes[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until - now_ms();
		ssize_t n;

		if (left <= 0 || !poll(&p, 1, (int)left))
			return -ETIMEDOUT;
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		if (n > 0 && ret->len + (size_t)n < CTL_CAPTURE_BYTES &&
		    ddp_buffer_write(ret, bytes, (size_t)n))
			return -ENOMEM;
	}
}

static int wait_for(pid_t child, int r)
{
	int status;

	if (r)
		kill(-child, SIGKILL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r)
		return r;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int ctl_capture(char *const *argv, struct ddp_buffer *ret)
{
	CLEANUP(close_fd) int in = -1;
	CLEANUP(close_fd) int out = -1;
	int fds[2], r;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	in = fds[0];
	out = fds[1];
	r = start(argv, out, &child);
	close_fd(TAKE_FD(out));
	if (r)
		return r;
	r = read_all(in, ret);
	r = wait_for(child, r);
	return ddp_buffer_write(ret, "", 1) ? -ENOMEM : r;
}
