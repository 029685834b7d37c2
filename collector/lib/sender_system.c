// SPDX-License-Identifier: Apache-2.0
/* See sender_system.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "sender_system.h"

/* The real ones */

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t monotonic_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t unix_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

/* Before the system has random numbers, the time: ids then differ, and pauses do */
static uint64_t random_number(void *ctx)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) == sizeof(v))
		return v;
	return (uint64_t)monotonic_ns(ctx) * 0x9e3779b97f4a7c15 ^ (uint64_t)unix_ns(ctx);
}

static int create_file(void *ctx, int folder, const char *name)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	(void)ctx;
	return fd < 0 ? -errno : fd;
}

static ssize_t write_file(void *ctx, int fd, const void *bytes, size_t n)
{
	ssize_t done = write(fd, bytes, n);

	(void)ctx;
	return done < 0 ? -errno : done;
}

static int sync_file(void *ctx, int fd)
{
	(void)ctx;
	return fsync(fd) ? -errno : 0;
}

static int rename_file(void *ctx, int folder, const char *from, const char *to)
{
	(void)ctx;
	return renameat(folder, from, folder, to) ? -errno : 0;
}

static int remove_file(void *ctx, int folder, const char *name)
{
	(void)ctx;
	return unlinkat(folder, name, 0) ? -errno : 0;
}

const struct ddp__system ddp__system_real = {
	.monotonic_ns = monotonic_ns, .unix_ns = unix_ns, .random = random_number,
	.create = create_file, .write = write_file, .sync = sync_file, .rename = rename_file,
	.remove = remove_file,
};

/* Folders */

int ddp__folder_open(const char *path, struct ddp_error *err)
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;
	int r;

	if (mkdir(path, 0700) && errno != EEXIST) {
		r = -errno;
		return ddp__fail(err, r, "folder %.120s: %s", path, strerror(-r));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		r = -errno;
		return ddp__fail(err, r, "folder %.120s: %s", path, strerror(-r));
	}
	if (st.st_uid != geteuid())
		return ddp__fail(err, -EPERM, "folder %.120s belongs to somebody else", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return ddp__fail(err, -EPERM, "others can write to folder %.120s: chmod go-w",
				 path);
	return TAKE_FD(fd);
}

static int write_all(const struct ddp__system *sys, int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = sys->write(sys->ctx, fd, bytes, n);

		if (done == -EINTR)
			continue;
		if (done <= 0)
			return done ? (int)done : -EIO;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

/* What a process left that was killed over it is in the way, once */
static int create_part(const struct ddp__system *sys, int folder, const char *part)
{
	int fd = sys->create(sys->ctx, folder, part);

	if (fd != -EEXIST)
		return fd;
	sys->remove(sys->ctx, folder, part);
	return sys->create(sys->ctx, folder, part);
}

static int write_part(const struct ddp__system *sys, int folder, const char *part,
		      const void *bytes, size_t n)
{
	CLEANUP(close_fd) int fd = create_part(sys, folder, part);
	int r;

	if (fd < 0)
		return TAKE_FD(fd);
	r = write_all(sys, fd, bytes, n);
	if (!r)
		r = sys->sync(sys->ctx, fd);
	if (close(TAKE_FD(fd)) && !r)
		r = -errno;
	return r;
}

int ddp__folder_put(const struct ddp__system *sys, int folder, const char *name, const void *bytes,
		    size_t n)
{
	char part[FOLDER_NAME_MAX + sizeof(FOLDER_PART)];
	int r;

	if (strlen(name) > FOLDER_NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(part, sizeof(part), "%s" FOLDER_PART, name);
	r = write_part(sys, folder, part, bytes, n);
	if (!r)
		r = sys->rename(sys->ctx, folder, part, name);
	if (r) {
		sys->remove(sys->ctx, folder, part);
		return r;
	}
	r = sys->sync(sys->ctx, folder);
	if (r)
		sys->remove(sys->ctx, folder, name);
	return r;
}

int ddp__folder_list(int folder, int (*fn)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int r = 0;

	if (!d) {
		r = -errno;
		close_fd(fd);
		return r;
	}
	while (!r && (e = readdir(d)))
		r = fn(ctx, e->d_name);
	closedir(d);
	return r;
}
