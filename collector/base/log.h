/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands say, on stderr unless they are told another place: one line a message,
 * "ddprof: warn: text", or "<4>text" where stderr is systemd's journal, which files it by level.
 * What is said again and again is held back, see log_limit.h, but for DEBUG. Only the collector and
 * the commands log; libddprof returns errors instead.
 */
#ifndef DDP_BASE_LOG_H
#define DDP_BASE_LOG_H

#include <ddprof/io.h>

enum ddp_log_level {
	DDP_LOG_ERROR,		/* what was asked for cannot be done */
	DDP_LOG_WARN,		/* it can, with less than was asked for */
	DDP_LOG_NOTICE,		/* shown unless switched off: what was done */
	DDP_LOG_INFO,
	DDP_LOG_DEBUG,
	DDP_NR_LOG_LEVELS,
};

/** "error", "warn", "notice", "info", "debug". NULL past the last. Static. */
const char *ddp_log_level_name(unsigned int level);

/** Before the first message and before threads. @program is kept, not copied. */
void ddp_log_setup(const char *program, enum ddp_log_level most);

/** At any time, in any thread. */
void ddp_log_set_level(enum ddp_log_level most);

/**
 * Where messages go from now on; before threads.
 * @param mode  "stderr", "stdout" (what is stdout now, even if it is closed or replaced later),
 *		"syslog" (facility daemon), "disabled", or the path of a file, which is appended to
 * @return 0; what opening the file answers: see @err, messages go where they went before
 */
int ddp_log_open(const char *mode, struct ddp_error *err);

/**
 * The descriptor that messages go to, for who closes all others; -1: none has to stay. What
 * syslog has open is closed; the next message opens it again.
 */
int ddp_log_descriptor(void);

/**
 * Shows @text, without a newline, where a person looks on: on a stderr that is our terminal's and
 * that messages go to; elsewhere nothing. It stays the last line until the next text, which takes
 * its place; NULL takes it away. For one thread.
 */
void ddp_log_progress(const char *text);

/**
 * One line, without a newline of its own. errno stays as it was, and a pipe that nobody reads any
 * more is no harm.
 */
void ddp_log(enum ddp_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** A line of any length that somebody asked for: whatever the level, and never held back. */
void ddp_log_text(const char *text);

#define ddp_log_error(...)	ddp_log(DDP_LOG_ERROR, __VA_ARGS__)
#define ddp_log_warn(...)	ddp_log(DDP_LOG_WARN, __VA_ARGS__)
#define ddp_log_notice(...)	ddp_log(DDP_LOG_NOTICE, __VA_ARGS__)
#define ddp_log_info(...)	ddp_log(DDP_LOG_INFO, __VA_ARGS__)
#define ddp_log_debug(...)	ddp_log(DDP_LOG_DEBUG, __VA_ARGS__)

#endif /* DDP_BASE_LOG_H */
