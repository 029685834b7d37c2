// SPDX-License-Identifier: Apache-2.0
/* See table_ahead.h. */
#include "unwind/table_ahead.h"

#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/log.h"

static const char *name_of(const struct ddp_prebuild_file *f)
{
	return f->path ? f->path : "a file without a path";
}

int ddp_table_ahead_open(struct ddp_table_ahead *a, const char *proc, const char **ret_name)
{
	while (a->next_found < a->found.nr) {
		const struct ddp_prebuild_file *f = &a->found.files[a->next_found++];
		int fd = ddp_prebuild_open(proc, f);

		*ret_name = name_of(f);
		if (fd >= 0 && !ddp_table_ahead_is_through(a, fd))
			return fd;
		if (fd < 0)
			ddp_log_debug("%s: not made ahead: %s", *ret_name, strerror(-fd));
		close_fd(fd);
	}
	return -1;
}

void ddp_table_ahead_keep(struct ddp_table_ahead *a, int fd, struct ddp_made *made)
{
	struct ddp_ahead_made *more = array_reserve(a->made, &a->cap_made, a->nr_made + 1,
						    sizeof(*more));

	if (!more) {
		close_fd(fd);
		ddp_made_free(made);
		return;
	}
	a->made = more;
	a->made_bytes += made->bytes;
	a->made[a->nr_made++] = (struct ddp_ahead_made){ fd, *made };
	*made = (struct ddp_made){ 0 };
}

int ddp_table_ahead_take(struct ddp_table_ahead *a, struct ddp_made *ret)
{
	struct ddp_ahead_made *next;

	if (a->next_made >= a->nr_made)
		return -1;
	next = &a->made[a->next_made++];
	a->made_bytes -= next->made.bytes;
	*ret = next->made;
	next->made.image = NULL;
	return TAKE_FD(next->fd);
}

/* Key 0 means free in a table. Of two files with one key the second counts as through: it is met */
static uint64_t key_of(int fd)
{
	struct stat st;
	uint64_t h;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	h = (st.st_ino ^ st.st_dev * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
	return h ? h : 1;
}

void ddp_table_ahead_did(struct ddp_table_ahead *a, int fd)
{
	uint64_t key = a->found.nr ? key_of(fd) : 0; /* with nothing to compare it with */

	if (key)
		(void)ddp_table_set(&a->through, key, 0); /* without memory it is done twice */
}

bool ddp_table_ahead_is_through(const struct ddp_table_ahead *a, int fd)
{
	return a->through.nr && ddp_table_find(&a->through, key_of(fd));
}

void ddp_table_ahead_free(struct ddp_table_ahead *a)
{
	struct ddp_made made;
	int fd;

	while ((fd = ddp_table_ahead_take(a, &made)) >= 0) {
		close_fd(fd);
		ddp_made_free(&made);
	}
	free(a->made);
	ddp_prebuild_free(&a->found);
	ddp_table_free(&a->through);
	*a = (struct ddp_table_ahead){ 0 };
}
