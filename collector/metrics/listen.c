// SPDX-License-Identifier: Apache-2.0
/* See listen.h. */
#include "metrics/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { BACKLOG = 16 };

static int refuse(struct ddp_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct ddp_error *err, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (err)
		vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return r;
}

/* Unix sockets */

static int fill_name(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!path[0] || strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

/* @return 0: nobody answers at this name, or there is nothing; -EADDRINUSE; -EEXIST: no socket */
static int check_free(const struct sockaddr_un *name)
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;

	if (lstat(name->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)name, sizeof(*name)))
		return -EADDRINUSE;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -EADDRINUSE;
}

static void make_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free) char *folder = slash ? strndup(path, (size_t)(slash - path)) : NULL;

	if (folder && folder[0])
		mkdir(folder, 0755); /* what is wrong with it bind() tells */
}

/* Nobody can connect before listen(), so the mode is right from the first connection on */
static int listen_as(int fd, const struct sockaddr_un *name)
{
	unlink(name->sun_path);
	if (bind(fd, (const struct sockaddr *)name, sizeof(*name)))
		return -errno;
	if (chmod(name->sun_path, 0600) || listen(fd, BACKLOG)) {
		int r = -errno;

		unlink(name->sun_path);
		return r;
	}
	return 0;
}

/* Under another name first: it takes the place of what a killed collector left in one step */
static int listen_and_rename(int fd, const char *path)
{
	struct sockaddr_un name;
	char other[sizeof(name.sun_path) + 16];
	int r;

	snprintf(other, sizeof(other), "%s.%d", path, (int)getpid());
	r = fill_name(other, &name);
	r = r ?: listen_as(fd, &name);
	if (r || !rename(other, path))
		return r;
	r = -errno;
	unlink(other);
	return r;
}

static int say_unix(struct ddp_error *err, const char *path, int r)
{
	if (r == -EADDRINUSE)
		return refuse(err, r, "control socket %.100s: another collector answers there",
			      path);
	if (r == -EEXIST)
		return refuse(err, r, "control socket %.100s: there is a file that is no socket",
			      path);
	if (r == -ENAMETOOLONG)
		return refuse(err, r, "control socket %.100s: the path has to have 1 to 95 "
			      "characters", path);
	return refuse(err, r, "control socket %.100s: %s", path, strerror(-r));
}

int ddp_listen_unix(const char *path, struct ddp_unix_name *ret, int *ret_fd, struct ddp_error *err)
{
	CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	struct stat st;
	int r = fd < 0 ? -errno : fill_name(path, &name);

	if (!r) {
		make_folder(path);
		r = check_free(&name);
	}
	r = r ?: listen_and_rename(fd, path);
	if (!r && stat(path, &st))
		r = -errno;
	if (r)
		return say_unix(err, path, r);
	*ret = (struct ddp_unix_name){ .dev = st.st_dev, .inode = st.st_ino };
	memcpy(ret->path, name.sun_path, sizeof(ret->path));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void ddp_unlisten_unix(const struct ddp_unix_name *name)
{
	struct stat st;

	if (name->path[0] && !lstat(name->path, &st) && st.st_dev == name->dev &&
	    st.st_ino == name->inode)
		unlink(name->path);
}

/* TCP */

/* The host's part, without brackets, and where the port begins; NULL: neither form */
static const char *split(const char *text, char host[64])
{
	const char *colon = strrchr(text, ':'), *end = colon;
	size_t n;

	snprintf(host, 64, "127.0.0.1");
	if (!colon)
		return text;
	if (text[0] == '[') {
		text++;
		if (colon[-1] != ']')
			return NULL;
		end--;
	}
	n = (size_t)(end - text);
	if (!n || n >= 64 || (end == colon && memchr(text, ':', n)))
		return NULL;
	memcpy(host, text, n);
	host[n] = '\0';
	return colon + 1;
}

static int parse_port(const char *text, uint16_t *ret)
{
	unsigned int v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && v <= UINT16_MAX; p++)
		v = v * 10 + (unsigned int)(*p - '0');
	if (p == text || *p || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

int ddp_address_parse(const char *text, union ddp_address *ret, struct ddp_error *err)
{
	char host[64];
	const char *port_text = split(text, host);
	uint16_t port;

	memset(ret, 0, sizeof(*ret));
	if (!port_text || parse_port(port_text, &port))
		return refuse(err, -EINVAL, "expected PORT, HOST:PORT or [V6]:PORT");
	if (!strcmp(host, "localhost"))
		snprintf(host, sizeof(host), "127.0.0.1");
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return 0;
	}
	return refuse(err, -EINVAL, "expected an address or localhost as host");
}

bool ddp_address_is_loopback(const union ddp_address *a)
{
	const uint8_t *mapped = a->v6.sin6_addr.s6_addr;

	if (a->sa.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) && mapped[12] == 127);
}

int ddp_listen_tcp(const union ddp_address *a, int *ret_fd, struct ddp_error *err)
{
	CLEANUP(close_fd) int fd = socket(a->sa.sa_family,
					  SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, &a->sa, n) || listen(fd, BACKLOG))
		return refuse(err, -errno, "cannot listen: %s", strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}
