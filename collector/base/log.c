// SPDX-License-Identifier: Apache-2.0
/*
 * See log.h. A message is put together in memory and written with one call, so that lines of
 * several threads and processes do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.h"
#include "lib/cleanup.h"

static const char *const level_names[DDP_NR_LOG_LEVELS] = {
	[DDP_LOG_ERROR] = "error", [DDP_LOG_WARN] = "warn", [DDP_LOG_NOTICE] = "notice",
	[DDP_LOG_INFO] = "info", [DDP_LOG_DEBUG] = "debug",
};

static const int priorities[DDP_NR_LOG_LEVELS] = {
	[DDP_LOG_ERROR] = LOG_ERR, [DDP_LOG_WARN] = LOG_WARNING, [DDP_LOG_NOTICE] = LOG_NOTICE,
	[DDP_LOG_INFO] = LOG_INFO, [DDP_LOG_DEBUG] = LOG_DEBUG,
};

enum { TO_SYSLOG = -1, TO_NOTHING = -2 };

static struct {
	const char *program;
	enum ddp_log_level most;
	int to;			/* a descriptor or one of TO_ */
	bool to_journal;	/* stderr is the journal */
} settings = { .program = "ddprof", .most = DDP_LOG_NOTICE, .to = STDERR_FILENO };

static struct {
	pthread_mutex_t lock;
	struct ddp_log_limit limit;	/* under lock */
} said = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool shows_progress;	/* the cursor stands behind a line that may go */

const char *ddp_log_level_name(unsigned int level)
{
	return level < DDP_NR_LOG_LEVELS ? level_names[level] : NULL;
}

/* systemd says which stream it reads, as "device:inode"; ours may be another by now */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

void ddp_log_setup(const char *program, enum ddp_log_level most)
{
	settings.program = program;
	settings.most = most;
	settings.to_journal = stderr_is_journal();
}

void ddp_log_set_level(enum ddp_log_level most)
{
	__atomic_store_n(&settings.most, most, __ATOMIC_RELAXED);
}

static int open_mode(const char *mode)
{
	if (!strcmp(mode, "stderr"))
		return STDERR_FILENO;
	if (!strcmp(mode, "stdout"))
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return open(mode, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int ddp_log_open(const char *mode, struct ddp_error *err)
{
	bool to_syslog = !strcmp(mode, "syslog"), nowhere = !strcmp(mode, "disabled");
	int old = settings.to, to = to_syslog ? TO_SYSLOG : nowhere ? TO_NOTHING : open_mode(mode);

	if (to < 0 && !to_syslog && !nowhere) {
		int r = -errno;

		snprintf(err->text, sizeof(err->text), "cannot log to %.150s: %s", mode,
			 strerror(-r));
		return r;
	}
	if (to_syslog)
		openlog(settings.program, LOG_PID, LOG_DAEMON);
	settings.to = to;
	if (old > STDERR_FILENO)
		close_fd(old);
	return 0;
}

int ddp_log_descriptor(void)
{
	if (settings.to == TO_SYSLOG)
		closelog();
	return settings.to >= 0 ? settings.to : -1;
}

static size_t head(char *line, size_t size, enum ddp_log_level level)
{
	int n;

	/* syslog and the journal have fields for the level and the program */
	if (settings.to == TO_SYSLOG)
		n = 0;
	else if (settings.to == STDERR_FILENO && settings.to_journal)
		n = snprintf(line, size, "<%d>", priorities[level]);
	else if (level == DDP_LOG_NOTICE)
		n = snprintf(line, size, "%s: ", settings.program);
	else
		n = snprintf(line, size, "%s: %s: ", settings.program, level_names[level]);
	return n > 0 ? (size_t)n : 0;
}

/* What does not get there has nowhere left to complain */
static void put(const char *line, size_t len)
{
	while (write(settings.to, line, len) < 0 && errno == EINTR)
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

/* @return DDP_LOG_*, with what else the line should say */
static int limit(enum ddp_log_level level, const char *text, char *remark, size_t size)
{
	uint32_t held;
	int r;

	remark[0] = '\0';
	if (level == DDP_LOG_DEBUG)
		return DDP_LOG_SHOW;
	pthread_mutex_lock(&said.lock);
	r = ddp_log_limit(&said.limit, text, now_ms(), &held);
	pthread_mutex_unlock(&said.lock);
	if (r == DDP_LOG_SHOW_LAST)
		snprintf(remark, size, " (more of these are held back for a minute)");
	else if (held)
		snprintf(remark, size, " (%" PRIu32 " messages were held back)", held);
	return r;
}

/* A background job's terminal is somebody else's for the moment */
static bool somebody_looks_on(void)
{
	return settings.to == STDERR_FILENO && isatty(STDERR_FILENO) &&
	       tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static void take_progress_away(void)
{
	static const char clear_line[] = "\r\033[K";

	if (__atomic_exchange_n(&shows_progress, false, __ATOMIC_RELAXED))
		put_without_signal(clear_line, sizeof(clear_line) - 1);
}

static void put_line(const char *line, size_t len)
{
	take_progress_away();
	put_without_signal(line, len);
}

void ddp_log_progress(const char *text)
{
	struct winsize size = { .ws_col = 0 };
	int width = 79;

	if (!somebody_looks_on())
		return;
	take_progress_away();
	if (!text)
		return;
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		width = size.ws_col - 1;
	put_without_signal(text, strnlen(text, (size_t)width));
	__atomic_store_n(&shows_progress, true, __ATOMIC_RELAXED);
}

void ddp_log_text(const char *text)
{
	CLEANUP(free) char *line = NULL;
	int saved = errno, n;

	if (settings.to == TO_SYSLOG)
		syslog(LOG_NOTICE, "%s", text);
	if (settings.to >= 0) {
		char start[64];

		head(start, sizeof(start), DDP_LOG_NOTICE);
		n = asprintf(&line, "%s%s\n", start, text);
		if (n < 0)
			line = NULL;
		else
			put_line(line, (size_t)n);
	}
	errno = saved;
}

void ddp_log(enum ddp_log_level level, const char *format, ...)
{
	int saved = errno;
	char line[1024], remark[64];
	size_t len, room;
	va_list args;
	int n;

	if (level > __atomic_load_n(&settings.most, __ATOMIC_RELAXED) ||
	    settings.to == TO_NOTHING)
		return;
	len = head(line, sizeof(line) / 2, level);
	room = sizeof(line) - len - sizeof(remark);
	va_start(args, format);
	n = vsnprintf(line + len, room, format, args);
	va_end(args);
	if (n >= 0 && limit(level, line + len, remark, sizeof(remark)) != DDP_LOG_HOLD) {
		len += (size_t)n < room ? (size_t)n : room - 1;
		len += (size_t)snprintf(line + len, sizeof(remark), "%s", remark);
		line[len++] = '\n';
		if (settings.to == TO_SYSLOG)
			syslog(priorities[level], "%.*s", (int)len - 1, line);
		else
			put_line(line, len);
	}
	errno = saved;
}
