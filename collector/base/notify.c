// SPDX-License-Identifier: Apache-2.0
/* See notify.h. */
#include "base/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { MAX_STATUS = 256 };

/* "/run/x" or "@name", which is the abstract "\0name" */
static int set_address(struct ddp_notify *n, const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
		return -EINVAL;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, path, len);
	if (path[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
				(path[0] == '/'));
	return 0;
}

static bool parse(const char *text, uint64_t *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && !*end;
}

/* A manager that starts us by way of another program means that one: WATCHDOG_PID tells */
static uint64_t watchdog_us(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	uint64_t us, pid;

	if (whose && (!parse(whose, &pid) || pid != (uint64_t)getpid()))
		return 0;
	return text && parse(text, &us) ? us : 0;
}

int ddp_notify_open(struct ddp_notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int r;

	*n = (struct ddp_notify){ .fd = -1, .watchdog_us = watchdog_us() };
	r = path && path[0] ? set_address(n, path) : 0;
	if (!r && n->to_len) {
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		r = n->fd < 0 ? -errno : 0;
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return r;
}

int ddp_notify_send(const struct ddp_notify *n, const char *lines)
{
	if (n->fd < 0)
		return 0;
	/* a manager that does not read must not stop us */
	if (sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&n->to, n->to_len) < 0)
		return -errno;
	return 0;
}

/* A line break would begin another assignment */
static void add_status(char *to, size_t size, const char *status)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "STATUS=%.*s", MAX_STATUS, status);
	for (char *p = to + len; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

int ddp_notify_ready(const struct ddp_notify *n, const char *status)
{
	char lines[MAX_STATUS + 32] = "READY=1\n";

	if (status)
		add_status(lines, sizeof(lines), status);
	return ddp_notify_send(n, lines);
}

int ddp_notify_reloading(const struct ddp_notify *n)
{
	char lines[96];

	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, now_ns() / 1000);
	return ddp_notify_send(n, lines);
}

int ddp_notify_stopping(const struct ddp_notify *n, uint64_t extend_us)
{
	char lines[96];

	if (!extend_us)
		return ddp_notify_send(n, "STOPPING=1");
	snprintf(lines, sizeof(lines), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, extend_us);
	return ddp_notify_send(n, lines);
}

int ddp_notify_status(const struct ddp_notify *n, const char *status)
{
	char lines[MAX_STATUS + 16] = "";

	add_status(lines, sizeof(lines), status);
	return ddp_notify_send(n, lines);
}

int ddp_notify_alive(const struct ddp_notify *n)
{
	return ddp_notify_send(n, "WATCHDOG=1");
}

void ddp_notify_close(struct ddp_notify *n)
{
	close_fd(TAKE_FD(n->fd));
}
