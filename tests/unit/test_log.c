// SPDX-License-Identifier: Apache-2.0
/* collector/base/log: what a line looks like, and that writing it never hurts the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_limit.h"
#include "lib/cleanup.h"

static int real_stderr;

/* stderr becomes a pipe's writing end. @return the other end */
static int redirect(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
	return fds[0];
}

static void restore(void)
{
	dup2(real_stderr, STDERR_FILENO);
}

static void lines(void **state)
{
	static const struct {
		enum ddp_log_level level;
		const char *line;
	} rows[] = {
		{ DDP_LOG_ERROR, "prog: error: text 1\n" },
		{ DDP_LOG_WARN, "prog: warn: text 1\n" },
		{ DDP_LOG_NOTICE, "prog: text 1\n" },
	};

	(void)state;
	ddp_log_setup("prog", DDP_LOG_NOTICE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[64] = "";
		int fd = redirect();

		ddp_log(rows[i].level, "text %d", 1);
		restore();
		assert_true(read(fd, line, sizeof(line) - 1) > 0);
		close(fd);
		assert_string_equal(line, rows[i].line);
	}
}

static void expect(int fd, const char *line)
{
	char text[256] = "";

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, line);
}

static void lines_for_the_journal(void **state)
{
	static const struct {
		enum ddp_log_level level;
		const char *line;
	} rows[] = {
		{ DDP_LOG_ERROR, "<3>journal 1\n" },
		{ DDP_LOG_WARN, "<4>journal 1\n" },
		{ DDP_LOG_NOTICE, "<5>journal 1\n" },
		{ DDP_LOG_INFO, "<6>journal 1\n" },
		{ DDP_LOG_DEBUG, "<7>journal 1\n" },
	};
	CLEANUP(close_fd) int fd = redirect();
	char stream[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ddp_log_setup("prog", DDP_LOG_DEBUG);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ddp_log(rows[i].level, "journal %d", 1);
		expect(fd, rows[i].line);
	}
	setenv("JOURNAL_STREAM", "1:1", 1);
	ddp_log_setup("prog", DDP_LOG_NOTICE);
	ddp_log_warn("not the journal");
	expect(fd, "prog: warn: not the journal\n");
	unsetenv("JOURNAL_STREAM");
	restore();
}

static void the_level_changes(void **state)
{
	CLEANUP(close_fd) int fd = redirect();

	(void)state;
	ddp_log_setup("prog", DDP_LOG_WARN);
	ddp_log_info("not yet");
	ddp_log_set_level(DDP_LOG_INFO);
	ddp_log_info("now");
	expect(fd, "prog: info: now\n");
	restore();
}

static void what_is_said_too_often_is_held_back(void **state)
{
	CLEANUP(close_fd) int fd = redirect();
	char text[2048], *line;
	unsigned int lines = 0;
	ssize_t n;

	(void)state;
	ddp_log_setup("prog", DDP_LOG_DEBUG);
	for (int i = 0; i < 1000; i++)
		ddp_log_warn("receiver %d is away", i);
	ddp_log_warn("another thing");
	n = read(fd, text, sizeof(text) - 1);
	restore();
	assert_true(n > 0);
	text[n] = '\0';
	for (line = strtok(text, "\n"); line && strstr(line, "away"); line = strtok(NULL, "\n"))
		if (++lines == DDP_LOG_BURST)
			assert_string_equal(line, "prog: warn: receiver 9 is away (more of these "
						  "are held back for a minute)");
	assert_int_equal(lines, DDP_LOG_BURST);
	assert_string_equal(line, "prog: warn: another thing");
	assert_null(strtok(NULL, "\n"));
}

static void limits(void **state)
{
	static const struct {
		const char *what;
		const char *text;
		int64_t now_ms;
		int r;
		uint32_t held;
	} rows[] = {
		{ "the ninth of ten", "disk 3 is full", 0, DDP_LOG_SHOW, 0 },
		{ "the tenth", "disk 4 is full", 10, DDP_LOG_SHOW_LAST, 0 },
		{ "one too many", "disk 5 is full", 20, DDP_LOG_HOLD, 0 },
		{ "another kind", "disk 5 is empty", 20, DDP_LOG_SHOW, 0 },
		{ "still in the window", "disk 5 is full", DDP_LOG_WINDOW_MS - 1, DDP_LOG_HOLD, 0 },
		{ "after it", "disk 12345 is full", DDP_LOG_WINDOW_MS, DDP_LOG_SHOW, 2 },
		{ "and on", "disk 5 is full", DDP_LOG_WINDOW_MS + 1, DDP_LOG_SHOW, 0 },
		{ "nothing but digits", "12", 0, DDP_LOG_SHOW, 0 },
	};
	struct ddp_log_limit l = { 0 };
	uint32_t held;

	(void)state;
	for (int i = 0; i < DDP_LOG_BURST - 2; i++)
		assert_int_equal(ddp_log_limit(&l, "disk 1 is full", 0, &held), DDP_LOG_SHOW);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(ddp_log_limit(&l, rows[i].text, rows[i].now_ms, &held), rows[i].r);
		assert_int_equal(held, rows[i].held);
	}
}

/* However many kinds there are: what is held back is counted where its place is taken */
static void none_is_held_back_without_being_counted(void **state)
{
	struct ddp_log_limit l = { 0 };
	uint64_t shown = 0, held = 0, said = 0;
	uint32_t n;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[3] = { (char)('a' + i / 40 % 26), (char)('a' + i / 1040 % 26), '\0' };

		if (ddp_log_limit(&l, text, i, &n) == DDP_LOG_HOLD)
			held++;
		else
			shown++;
		said += n;
	}
	for (int i = 0; i < DDP_LOG_KINDS; i++)
		said += l.slots[i].held;
	assert_true(held > 1000);
	assert_int_equal(shown + held, 20000);
	assert_int_equal(said, held);
}

static void a_reader_that_has_gone_is_no_harm(void **state)
{
	sigset_t mask, pending;

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	close(redirect());
	errno = EXDEV;
	ddp_log_error("nobody hears this");
	assert_int_equal(errno, EXDEV);
	restore();
	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, SIGPIPE));
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_false(sigismember(&mask, SIGPIPE));
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
}

/* What a terminal of a session of our own receives while @say runs in front of it */
static void on_terminal(void (*say)(void), char *ret, size_t size)
{
	size_t have = 0;
	ssize_t n;
	int fd;
	pid_t child = forkpty(&fd, NULL, NULL, &(struct winsize){ .ws_row = 24, .ws_col = 20 });

	assert_true(child >= 0);
	if (!child) {
		say();
		_exit(0);
	}
	while ((n = read(fd, ret + have, size - 1 - have)) > 0)
		have += (size_t)n;
	ret[have] = '\0';
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void say_progress(void)
{
	ddp_log_setup("prog", DDP_LOG_NOTICE);
	ddp_log_progress("one");
	ddp_log_progress("two");
	ddp_log_notice("text");
	ddp_log_notice("more");
	ddp_log_progress("three, which is longer than the line");
	ddp_log_progress(NULL);
	ddp_log_progress(NULL);
}

static void say_progress_elsewhere(void)
{
	struct ddp_error err;

	ddp_log_setup("prog", DDP_LOG_NOTICE);
	ddp_log_open("disabled", &err);
	ddp_log_progress("one");
}

static void progress_gives_way_to_messages(void **state)
{
	char got[512];

	(void)state;
	on_terminal(say_progress, got, sizeof(got));
	assert_string_equal(got, "one\r\033[Ktwo\r\033[Kprog: text\r\nprog: more\r\n"
			    "three, which is lon\r\033[K");
	on_terminal(say_progress_elsewhere, got, sizeof(got));
	assert_string_equal(got, "");
}

static void progress_is_for_terminals(void **state)
{
	char line[64];
	int fd = redirect();

	(void)state;
	ddp_log_setup("prog", DDP_LOG_NOTICE);
	ddp_log_progress("one");
	ddp_log_progress(NULL);
	restore();
	assert_int_equal(read(fd, line, sizeof(line)), 0);
	close(fd);
}

static void to_a_file(void **state)
{
	char path[] = "/tmp/ddprof-test-log-XXXXXX", text[256] = "";
	struct ddp_error err = { "" };
	int fd = mkstemp(path), other;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "was there\n", 10), 10);
	ddp_log_setup("prog", DDP_LOG_NOTICE);
	assert_int_equal(ddp_log_open(path, &err), 0);
	assert_true(ddp_log_descriptor() > STDERR_FILENO);
	ddp_log(DDP_LOG_WARN, "to a file");
	assert_int_equal(ddp_log_open("/nonexistent/log", &err), -ENOENT);
	assert_string_equal(err.text, "cannot log to /nonexistent/log: No such file or directory");
	ddp_log(DDP_LOG_INFO, "not at this level");
	ddp_log_text("whatever the level");
	assert_int_equal(ddp_log_open("disabled", &err), 0);
	assert_int_equal(ddp_log_descriptor(), -1);
	ddp_log(DDP_LOG_ERROR, "nowhere");
	ddp_log_text("nowhere");
	assert_int_equal(ddp_log_open("stderr", &err), 0);
	other = redirect();
	ddp_log(DDP_LOG_ERROR, "to stderr again");
	restore();
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "was there\nprog: warn: to a file\nprog: whatever the level\n");
	memset(text, 0, sizeof(text));
	assert_true(read(other, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "prog: error: to stderr again\n");
	close(other);
	close(fd);
	unlink(path);
}

/* As it was when the log was opened: the profiler gives stdout back to nobody */
static void to_stdout(void **state)
{
	struct ddp_error err = { "" };
	char text[64] = "";
	int fds[2], real = dup(STDOUT_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	assert_int_equal(ddp_log_open("stdout", &err), 0);
	dup2(real, STDOUT_FILENO);
	ddp_log(DDP_LOG_WARN, "out");
	assert_int_equal(ddp_log_open("stderr", &err), 0);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "prog: warn: out\n");
	assert_int_equal(read(fds[0], text, 1), 0);
	close(fds[0]);
	close(real);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_a_file), cmocka_unit_test(to_stdout),
		cmocka_unit_test(lines),
		cmocka_unit_test(lines_for_the_journal),
		cmocka_unit_test(the_level_changes),
		cmocka_unit_test(what_is_said_too_often_is_held_back),
		cmocka_unit_test(limits),
		cmocka_unit_test(none_is_held_back_without_being_counted),
		cmocka_unit_test(a_reader_that_has_gone_is_no_harm),
		cmocka_unit_test(progress_gives_way_to_messages),
		cmocka_unit_test(progress_is_for_terminals),
	};

	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
