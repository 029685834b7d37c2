// SPDX-License-Identifier: Apache-2.0
/*
 * See log.h. A message is put together in memory and written with one call, so that lines of
 * several threads and processes do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[DDP_NR_LOG_LEVELS] = {
	[DDP_LOG_ERROR] = "error", [DDP_LOG_WARN] = "warn", [DDP_LOG_NOTICE] = "notice",
	[DDP_LOG_INFO] = "info", [DDP_LOG_DEBUG] = "debug",
};

static struct {
	const char *program;
	enum ddp_log_level most;
} settings = { "ddprof", DDP_LOG_NOTICE };

const char *ddp_log_level_name(unsigned int level)
{
	return level < DDP_NR_LOG_LEVELS ? level_names[level] : NULL;
}

void ddp_log_setup(const char *program, enum ddp_log_level most)
{
	settings.program = program;
	settings.most = most;
}

static size_t head(char *line, size_t size, enum ddp_log_level level)
{
	int n;

	if (level == DDP_LOG_NOTICE)
		n = snprintf(line, size, "%s: ", settings.program);
	else
		n = snprintf(line, size, "%s: %s: ", settings.program, level_names[level]);
	return n > 0 ? (size_t)n : 0;
}

/* When stderr does not take it there is nowhere left to complain */
static void put(const char *line, size_t len)
{
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
}

/*
 * A pipe that nobody reads any more must not end the program by SIGPIPE: the signal, which is for
 * this thread, is taken back. Its disposition stays, for the command inherits it.
 */
static void put_without_signal(const char *line, size_t len)
{
	sigset_t pipe, old, pending;
	bool was_pending;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	if (pthread_sigmask(SIG_BLOCK, &pipe, &old)) {
		put(line, len);
		return;
	}
	put(line, len);
	if (!was_pending)
		while (sigtimedwait(&pipe, NULL, &(struct timespec){ 0 }) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void ddp_log(enum ddp_log_level level, const char *format, ...)
{
	int saved = errno;
	char line[1024];
	size_t len;
	va_list args;
	int n;

	if (level > settings.most)
		return;
	len = head(line, sizeof(line) / 2, level);
	va_start(args, format);
	n = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	line[len++] = '\n';
	put_without_signal(line, len);
	errno = saved;
}
