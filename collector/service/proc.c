// SPDX-License-Identifier: Apache-2.0
/* See proc.h. */
#include "service/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_STAT = 4096,
	PF_KTHREAD = 0x00200000,	/* include/linux/sched.h; the same since 2.6 */
};

/* Fields 4 to 22, of which flags (9) and starttime (22) are kept */
static int parse_fields(const char *text, struct ddp_proc_stat *ret)
{
	unsigned int flags;

	if (sscanf(text,
		   " %*c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64, &flags, &ret->start_ticks) != 2)
		return DDP_PROC_STAT_MALFORMED;
	ret->kernel_thread = flags & PF_KTHREAD;
	return DDP_PROC_STAT_OK;
}

/* The name may have parentheses, spaces and newlines of its own: the last ')' ends it */
int ddp_proc_parse_stat(const char *text, size_t len, struct ddp_proc_stat *ret)
{
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	char fields[MAX_STAT];
	size_t name, rest;

	*ret = (struct ddp_proc_stat){ .name = "" };
	if (!open || !close || close < open)
		return DDP_PROC_STAT_MALFORMED;
	name = (size_t)(close - open - 1);
	memcpy(ret->name, open + 1, name < sizeof(ret->name) ? name : sizeof(ret->name) - 1);
	rest = (size_t)(text + len - close - 1);
	if (rest >= sizeof(fields))
		return DDP_PROC_STAT_MALFORMED;
	memcpy(fields, close + 1, rest);
	fields[rest] = '\0';
	return parse_fields(fields, ret);
}

/*
 * @return bytes read, at most @size, or a negative errno. procfs gives all that there is and that
 * there is room for at once: less is the end
 */
static ssize_t read_file(int folder, const char *name, char *buffer, size_t size)
{
	CLEANUP(close_fd) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int ddp_proc_open(const char *root, struct ddp_proc *ret)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *buffer;

	ret->root_fd = -1;
	ret->buffer = NULL;
	if (fd < 0)
		return -errno;
	buffer = malloc(DDP_PROC_MAX_CGROUP);
	if (!buffer) {
		close_fd(fd);
		return -ENOMEM;
	}
	*ret = (struct ddp_proc){ fd, buffer };
	return 0;
}

void ddp_proc_close(struct ddp_proc *p)
{
	close_fd(TAKE_FD(p->root_fd));
	free(TAKE(p->buffer));
}

uint32_t ddp_proc_self(const struct ddp_proc *p)
{
	char text[16];
	ssize_t n = readlinkat(p->root_fd, "self", text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (uint32_t)strtoul(text, NULL, 10);
}

void ddp_proc_read_environ(int folder, char *buffer, struct ddp_proc_facts *ret)
{
	ssize_t n = read_file(folder, "environ", buffer, DDP_PROC_MAX_ENVIRON);

	ret->environ_error = n < 0 ? (int)n : 0;
	ret->has_environ = n > 0;
	if (n > 0)
		ddp_environ_parse(buffer, (size_t)n, &ret->environ);
}

int ddp_proc_read(const struct ddp_proc *p, uint32_t tgid, int *ret_folder,
		  struct ddp_proc_facts *ret)
{
	CLEANUP(close_fd) int folder = -1;
	char name[16];
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	*ret_folder = -1;
	snprintf(name, sizeof(name), "%" PRIu32, tgid);
	folder = openat(p->root_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -ESRCH;
	n = read_file(folder, "stat", p->buffer, MAX_STAT);
	if (n <= 0 || ddp_proc_parse_stat(p->buffer, (size_t)n, &ret->stat))
		return -ESRCH;
	n = read_file(folder, "cgroup", p->buffer, DDP_PROC_MAX_CGROUP);
	if (n > 0)
		ddp_cgroup_parse(p->buffer, (size_t)n, &ret->cgroup);
	*ret_folder = TAKE_FD(folder);
	return 0;
}
