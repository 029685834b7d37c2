// SPDX-License-Identifier: Apache-2.0
/* collector/base/notify: what reaches the manager's socket, and which environments name one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/notify.h"

/* A manager that listens at @name. @return its socket */
static int listen_at(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(name);

	assert_true(fd >= 0);
	assert_true(len < sizeof(a.sun_path));
	memcpy(a.sun_path, name, len);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	return fd;
}

static const char *received(int fd)
{
	static char text[1024];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void environment(const char *notify_socket, const char *usec, const char *pid)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
	const char *const values[] = { notify_socket, usec, pid };

	for (size_t i = 0; i < 3; i++) {
		unsetenv(names[i]);
		if (values[i])
			setenv(names[i], values[i], 1);
	}
}

static void what_is_told(void **state)
{
	char path[64], abstract[64];
	const char *const names[] = { path, abstract };

	(void)state;
	snprintf(path, sizeof(path), "/tmp/ddprof-notify-%d", getpid());
	snprintf(abstract, sizeof(abstract), "@ddprof-notify-%d", getpid());
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(ddp_notify_close) struct ddp_notify n;
		CLEANUP(close_fd) int manager = listen_at(names[i]);

		environment(names[i], NULL, NULL);
		assert_int_equal(ddp_notify_open(&n), 0);
		assert_int_equal(ddp_notify_ready(&n, NULL), 0);
		assert_string_equal(received(manager), "READY=1\n");
		ddp_notify_ready(&n, "profiling\nREADY=0");
		assert_string_equal(received(manager), "READY=1\nSTATUS=profiling READY=0");
		ddp_notify_status(&n, "two receivers");
		assert_string_equal(received(manager), "STATUS=two receivers");
		ddp_notify_alive(&n);
		assert_string_equal(received(manager), "WATCHDOG=1");
		ddp_notify_stopping(&n, 0);
		assert_string_equal(received(manager), "STOPPING=1");
		ddp_notify_stopping(&n, 5000000);
		assert_string_equal(received(manager), "STOPPING=1\nEXTEND_TIMEOUT_USEC=5000000");
		if (names[i][0] == '/')
			unlink(names[i]);
	}
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void reloading_has_the_time(void **state)
{
	CLEANUP(ddp_notify_close) struct ddp_notify n;
	CLEANUP(close_fd) int manager = -1;
	uint64_t before = now_us(), said;
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@ddprof-reload-%d", getpid());
	manager = listen_at(name);
	environment(name, NULL, NULL);
	assert_int_equal(ddp_notify_open(&n), 0);
	assert_int_equal(ddp_notify_reloading(&n), 0);
	assert_int_equal(sscanf(received(manager), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &said),
			 1);
	assert_in_range(said, before, now_us());
}

static void a_manager_that_does_not_read(void **state)
{
	CLEANUP(ddp_notify_close) struct ddp_notify n;
	CLEANUP(close_fd) int manager = -1;
	char name[64];
	int r = 0;

	(void)state;
	snprintf(name, sizeof(name), "@ddprof-deaf-%d", getpid());
	manager = listen_at(name);
	environment(name, NULL, NULL);
	assert_int_equal(ddp_notify_open(&n), 0);
	for (int i = 0; i < 100000 && !r; i++)
		r = ddp_notify_alive(&n);
	assert_int_equal(r, -EAGAIN);
	close_fd(TAKE_FD(manager));
	assert_int_equal(ddp_notify_alive(&n), -ECONNREFUSED);
}

static void environments(void **state)
{
	static const struct {
		const char *what, *notify_socket, *usec, *pid;
		int r;
		bool open;
		uint64_t watchdog_us;
	} rows[] = {
		{ "none", NULL, NULL, NULL, 0, false, 0 },
		{ "empty", "", "", NULL, 0, false, 0 },
		{ "a path", "/nowhere/socket", NULL, NULL, 0, true, 0 },
		{ "a relative path", "run/socket", NULL, NULL, -EINVAL, false, 0 },
		{ "no name", "@", NULL, NULL, -EINVAL, false, 0 },
		{ "another family", "vsock:2:1234", NULL, NULL, -EINVAL, false, 0 },
		{ "watchdog", "@x", "30000000", NULL, 0, true, 30000000 },
		{ "watchdog of this process", "@x", "30000000", "me", 0, true, 30000000 },
		{ "watchdog of another process", "@x", "30000000", "1", 0, true, 0 },
		{ "watchdog of nobody", "@x", "30000000", "x", 0, true, 0 },
		{ "no number", "@x", "30s", NULL, 0, true, 0 },
		{ "a negative number", "@x", "-1", NULL, 0, true, 0 },
		{ "too large a number", "@x", "99999999999999999999", NULL, 0, true, 0 },
	};
	char me[16], long_name[200];
	struct ddp_notify n;

	(void)state;
	snprintf(me, sizeof(me), "%d", getpid());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *pid = rows[i].pid && !strcmp(rows[i].pid, "me") ? me : rows[i].pid;

		print_message("%s\n", rows[i].what);
		environment(rows[i].notify_socket, rows[i].usec, pid);
		assert_int_equal(ddp_notify_open(&n), rows[i].r);
		assert_int_equal(n.fd >= 0, rows[i].open);
		assert_int_equal(n.watchdog_us, rows[i].watchdog_us);
		assert_null(getenv("NOTIFY_SOCKET"));
		assert_null(getenv("WATCHDOG_USEC"));
		assert_null(getenv("WATCHDOG_PID"));
		if (!rows[i].open)
			assert_int_equal(ddp_notify_ready(&n, "nobody hears this"), 0);
		ddp_notify_close(&n);
	}
	memset(long_name, '/', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	environment(long_name, NULL, NULL);
	assert_int_equal(ddp_notify_open(&n), -EINVAL);
	ddp_notify_close(&n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(reloading_has_the_time),
		cmocka_unit_test(a_manager_that_does_not_read),
		cmocka_unit_test(environments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
