// SPDX-License-Identifier: Apache-2.0
/* See filter.h. */
#include "ddprof/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CGROUPS "/sys/fs/cgroup"

enum { MAX_NAME = 63 };	/* characters of a pattern, START_NAME's */

int ddprof_filter_check_name(const char *value, struct ddp_error *err)
{
	if (strlen(value) <= MAX_NAME)
		return 0;
	snprintf(err->text, sizeof(err->text), "expected a process's name of at most %d "
		 "characters, in which * stands for any", MAX_NAME);
	return -EINVAL;
}

int ddprof_filter_check_cgroup(const char *value, struct ddp_error *err)
{
	if (value[0] == '/' && strlen(value) < PATH_MAX - sizeof(CGROUPS "/unified"))
		return 0;
	snprintf(err->text, sizeof(err->text),
		 "expected a path from / on, as in /proc/PID/cgroup or below " CGROUPS);
	return -EINVAL;
}

static int open_folder(const char *root, const char *path)
{
	char full[PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* With v1 beside it, v2 is mounted one folder further down */
static int open_cgroup(const char *path)
{
	int fd;

	if (!strncmp(path, CGROUPS "/", sizeof(CGROUPS)) || !strcmp(path, CGROUPS))
		return open_folder("", path);
	fd = open_folder(CGROUPS "/unified", path);
	return fd == -ENOENT ? open_folder(CGROUPS, path) : fd;
}

static int open_cgroups(const struct ddp_texts *paths, const char *option, int *fds,
			uint32_t *ret_nr, struct ddp_error *err)
{
	for (uint32_t i = 0; i < paths->nr; i++) {
		int fd = open_cgroup(paths->text[i]);

		if (fd < 0) {
			snprintf(err->text, sizeof(err->text),
				 "--%s %.150s: %s; /proc/PID/cgroup says what a process is in",
				 option, paths->text[i], strerror(-fd));
			return fd;
		}
		fds[(*ret_nr)++] = fd;
	}
	return 0;
}

int ddprof_filter_open(const struct ddprof_config *c, struct ddprof_filter *ret,
		       struct ddp_error *err)
{
	struct ddp_link_filter *l = &ret->link;
	int r;

	*l = (struct ddp_link_filter){
		.exclude_tgids = c->exclude_pids.pid, .nr_exclude_tgids = c->exclude_pids.nr,
		.tids = c->tids.pid, .nr_tids = c->tids.nr,
		.exclude_tids = c->exclude_tids.pid, .nr_exclude_tids = c->exclude_tids.nr,
		.names = c->process_names.text, .nr_names = c->process_names.nr,
		.exclude_names = c->exclude_process_names.text,
		.nr_exclude_names = c->exclude_process_names.nr,
		.cgroup_fds = ret->cgroup_fds, .exclude_cgroup_fds = ret->exclude_cgroup_fds,
	};
	r = open_cgroups(&c->cgroups, "cgroup", ret->cgroup_fds, &l->nr_cgroup_fds, err);
	return r ? r : open_cgroups(&c->exclude_cgroups, "exclude_cgroup",
				    ret->exclude_cgroup_fds, &l->nr_exclude_cgroup_fds, err);
}

void ddprof_filter_close(struct ddprof_filter *f)
{
	while (f->link.nr_cgroup_fds)
		close(f->cgroup_fds[--f->link.nr_cgroup_fds]);
	while (f->link.nr_exclude_cgroup_fds)
		close(f->exclude_cgroup_fds[--f->link.nr_exclude_cgroup_fds]);
}
