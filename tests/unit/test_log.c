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
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(a_reader_that_has_gone_is_no_harm),
	};

	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
