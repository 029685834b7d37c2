// SPDX-License-Identifier: Apache-2.0
/* See object.h. */
#include "symbols/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"

static size_t descriptor_share(void)
{
	enum { WANTED = 2 * DDP_MAX_HELD_FDS };
	struct rlimit now, more;

	if (getrlimit(RLIMIT_NOFILE, &now))
		return 0;
	more = now;
	more.rlim_cur = now.rlim_max < WANTED ? now.rlim_max : WANTED;
	if (now.rlim_cur < more.rlim_cur && !setrlimit(RLIMIT_NOFILE, &more))
		now = more;
	return now.rlim_cur < WANTED ? now.rlim_cur / 2 : DDP_MAX_HELD_FDS;
}

void ddp_objects_init(struct ddp_objects *f,
		      int (*open_file)(void *ctx, uint64_t file_id, int *ret), void *ctx)
{
	*f = (struct ddp_objects){ .open_file = open_file, .ctx = ctx,
				   .max_fds = descriptor_share() };
}

static size_t object_bytes(const struct ddp_object *o)
{
	return sizeof(*o) + strlen(o->path) + 1;
}

static void object_close(struct ddp_objects *f, struct ddp_object *o)
{
	if (o->fd < 0)
		return;
	close_fd(TAKE_FD(o->fd));
	f->nr_fds--;
}

static void symbols_drop(struct ddp_objects *f, struct ddp_object *o)
{
	if (!o->elf)
		return;
	f->symbol_bytes -= ddp_elf_bytes(o->elf);
	f->dropped++;
	ddp_elf_close(TAKE(o->elf));
	o->elf_tried = false; /* read again from its descriptor when it is asked for */
}

static void object_destroy(struct ddp_objects *f, struct ddp_object *o)
{
	f->bytes -= object_bytes(o);
	object_close(f, o);
	symbols_drop(f, o);
	ddp_table_free(&o->locations);
	free(o);
}

struct ddp_object *ddp_objects_find(const struct ddp_objects *f, uint64_t file_id)
{
	const uint64_t *o = ddp_table_find(&f->by_id, file_id);

	return o ? ddp_table_pointer(*o) : NULL;
}

/* How much a descriptor would be missed; most where symbols were not read yet */
static int need(const struct ddp_object *o)
{
	if (!o->refs && !o->fresh)
		return 0;
	if (!o->elf_tried)
		return 3;
	return o->flags & DDPROF_FILE_DELETED ? 2 : 1; /* for symbols that the limit drops */
}

static void make_room(struct ddp_objects *f)
{
	size_t aim = f->max_fds / 2;

	for (int n = 0; n < 3; n++) {
		ddp_table_for_each(&f->by_id, slot) {
			struct ddp_object *o = ddp_table_pointer(slot->value);

			if (f->nr_fds > aim && need(o) <= n)
				object_close(f, o);
		}
	}
	/* a look at every file pays only if many descriptors come of it */
	f->crowded = f->nr_fds > aim + aim / 2;
}

static int fetch(struct ddp_objects *f, struct ddp_object *o)
{
	int r = f->open_file(f->ctx, o->file_id, &o->fd);

	if ((r == -EMFILE || r == -ENFILE) && f->nr_fds) {
		f->max_fds = f->nr_fds; /* others need more than their half */
		make_room(f);
		r = f->open_file(f->ctx, o->file_id, &o->fd);
	}
	if (r)
		o->fd = -1;
	return r;
}

/* The module holds the file for a limited time only, so it is fetched at once */
static void hold(struct ddp_objects *f, struct ddp_object *o)
{
	int r;

	if (!(o->flags & DDPROF_FILE_OPENABLE) || !f->open_file)
		return;
	if (f->nr_fds >= f->max_fds && !f->crowded)
		make_room(f);
	if (f->nr_fds >= f->max_fds)
		return; /* its path may do */
	r = fetch(f, o);
	if (r)
		ddp_log_debug("%s: the module does not hand it over: %s", o->path, strerror(-r));
	else
		f->nr_fds++;
}

int ddp_objects_add(struct ddp_objects *f, const struct ddp_file *said)
{
	struct ddp_object *o;
	int r;

	if (ddp_objects_find(f, said->file_id))
		return DDP_OBJECTS_ADDED;
	if (f->by_id.nr >= DDP_MAX_OBJECTS)
		return DDP_OBJECTS_FULL;
	o = calloc(1, sizeof(*o) + said->path_len + 1);
	if (!o)
		return -ENOMEM;
	o->file_id = said->file_id;
	o->inode = said->inode;
	o->size = said->size;
	o->mtime_ns = said->mtime_ns;
	o->dev_major = said->dev_major;
	o->dev_minor = said->dev_minor;
	o->flags = said->flags;
	o->fd = -1;
	o->fresh = true;
	memcpy(o->path, said->path, said->path_len);
	r = ddp_table_set(&f->by_id, o->file_id, ddp_table_value(o));
	if (r) {
		free(o);
		return r;
	}
	f->bytes += object_bytes(o);
	hold(f, o);
	return DDP_OBJECTS_ADDED;
}

/* The device number of a subvolume differs from what stat says, so it is not compared */
static bool is_same(const struct ddp_object *o, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_ino == o->inode && (uint64_t)st->st_size == o->size &&
	       (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec ==
		       o->mtime_ns;
}

/*
 * Its owner may have put anything there meanwhile, and to open a device or a pipe can do things:
 * first it is looked at without being opened.
 */
int ddp_object_open(const struct ddp_object *o)
{
	CLEANUP(close_fd) int place = -1;
	char link[32];
	struct stat st;
	int fd;

	if (o->flags & DDPROF_FILE_DELETED || !(o->flags & DDPROF_FILE_OPENABLE))
		return -ENOENT;
	place = open(o->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0 || fstat(place, &st))
		return -errno;
	if (!is_same(o, &st))
		return -ESTALE;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int ddp_objects_open(const struct ddp_objects *f, const struct ddp_object *o)
{
	int fd;

	if (o->flags & DDPROF_FILE_OPENABLE && f->open_file &&
	    !f->open_file(f->ctx, o->file_id, &fd))
		return fd;
	return ddp_object_open(o);
}

/* The longest unused goes first, and of those that one profile uses the largest */
static bool goes_before(const struct ddp_object *a, const struct ddp_object *b)
{
	if (a->used != b->used)
		return a->used < b->used;
	return ddp_elf_bytes(a->elf) > ddp_elf_bytes(b->elf);
}

/* @keep may be NULL */
static void symbols_trim(struct ddp_objects *f, const struct ddp_object *keep, size_t max_bytes)
{
	while (f->symbol_bytes > max_bytes) {
		struct ddp_object *first = NULL;

		ddp_table_for_each(&f->by_id, slot) {
			struct ddp_object *o = ddp_table_pointer(slot->value);

			if (o->elf && o != keep && (!first || goes_before(o, first)))
				first = o;
		}
		if (!first)
			return;
		symbols_drop(f, first);
	}
}

static int symbols_read(struct ddp_objects *f, struct ddp_object *o, int fd)
{
	int r = ddp_elf_open(fd, &o->elf);

	if (r)
		return r;
	f->symbol_bytes += ddp_elf_bytes(o->elf);
	symbols_trim(f, o, DDP_MAX_SYMBOL_BYTES);
	return 0;
}

struct ddp_elf *ddp_object_elf(struct ddp_objects *f, struct ddp_object *o, uint64_t profile_nr)
{
	CLEANUP(close_fd) int by_path = -1;
	int r;

	o->used = profile_nr;
	if (o->elf_tried)
		return o->elf;
	o->elf_tried = true;
	if (o->fd < 0)
		by_path = ddp_object_open(o);
	if (o->fd < 0 && by_path < 0) {
		ddp_log_debug("%s: no symbols: %s", o->path, strerror(-by_path));
		return NULL;
	}
	r = symbols_read(f, o, o->fd >= 0 ? o->fd : by_path);
	if (r)
		ddp_log_debug("%s: no symbols: %s", o->path, strerror(-r));
	return o->elf;
}

static bool object_gone(void *ctx, void *value)
{
	if (need(value))
		return false;
	object_destroy(ctx, value);
	return true;
}

/*
 * A file is told once a session and may be mapped again, so only its descriptor can go; but that
 * has to, for its file system to be unmounted and for its space to be freed.
 */
static void close_unmapped(struct ddp_objects *f)
{
	ddp_table_for_each(&f->by_id, slot) {
		struct ddp_object *o = ddp_table_pointer(slot->value);

		if (!need(o))
			object_close(f, o);
		o->fresh = false;
	}
	f->crowded = false;
}

bool ddp_objects_trim(struct ddp_objects *f, size_t max_symbol_bytes)
{
	size_t before = f->by_id.nr;

	if (before > DDP_MAX_OBJECTS / 2)
		ddp_table_prune(&f->by_id, object_gone, f);
	close_unmapped(f);
	symbols_trim(f, NULL, max_symbol_bytes);
	return f->by_id.nr < before;
}

void ddp_objects_free(struct ddp_objects *f)
{
	ddp_table_for_each(&f->by_id, slot)
		object_destroy(f, ddp_table_pointer(slot->value));
	ddp_table_free(&f->by_id);
	*f = (struct ddp_objects){ 0 };
}
