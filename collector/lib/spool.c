// SPDX-License-Identifier: Apache-2.0
/*
 * See spool.h. The index is a list of numbers and sizes in memory; the folder is read once.
 * Removing is not synced: a file that a power cut brings back is sent again, under the same id.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "error.h"
#include "spool.h"

#define LOCK_NAME	"lock"
#define SUFFIX		".batch"

enum { NUMBER_DIGITS = 16, NAME_BYTES = NUMBER_DIGITS + sizeof(SUFFIX) };

struct entry {
	uint64_t number, bytes;	/* bytes: of the file */
};

struct ddp__spool {
	const struct ddp__system *sys;
	int folder, lock;
	uint64_t max_bytes, bytes;	/* in blocks */
	uint64_t next;			/* number */
	DDP_VEC(struct entry) entries;	/* by number; those before first are gone */
	uint32_t first;
};

DEFINE_CLEANUP(struct ddp__spool *, ddp__spool_close)
DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)

static void name_of(uint64_t number, char ret[NAME_BYTES])
{
	snprintf(ret, NAME_BYTES, "%016" PRIx64 SUFFIX, number);
}

static bool number_of(const char *name, uint64_t *ret)
{
	char again[NAME_BYTES];

	if (strlen(name) != NAME_BYTES - 1 ||
	    strspn(name, "0123456789abcdef") != NUMBER_DIGITS)
		return false;
	*ret = strtoull(name, NULL, 16);
	name_of(*ret, again);
	return !strcmp(name, again) && *ret < UINT64_MAX;
}

/* Opening */

static int find(void *ctx, const char *name)
{
	struct ddp__spool *s = ctx;
	size_t n = strlen(name), part = strlen(FOLDER_PART);
	struct entry e;
	struct stat st;
	int r;

	if (n > part && !strcmp(name + n - part, FOLDER_PART)) {
		s->sys->remove(s->sys->ctx, s->folder, name); /* somebody was killed over it */
		return 0;
	}
	if (!number_of(name, &e.number) || fstatat(s->folder, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	r = VEC_RESERVE(&(struct ddp__budget){ 0 }, &s->entries, 1);
	if (r)
		return r;
	e.bytes = (uint64_t)st.st_size;
	s->bytes += folder_block_bytes(e.bytes);
	s->entries.at[s->entries.nr++] = e;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->number, y = ((const struct entry *)b)->number;

	return x < y ? -1 : x > y;
}

static int take_lock(struct ddp__spool *s, const char *path, struct ddp_error *err)
{
	s->lock = openat(s->folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock >= 0 && !flock(s->lock, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return ddp__fail(err, -EBUSY, "spool %.120s: another process uses it; give each a "
				 "folder of its own", path);
	return ddp__fail(err, -errno, "spool %.120s: cannot lock it: %s", path, strerror(errno));
}

int ddp__spool_open(const struct ddp__system *sys, const char *path, uint64_t max_bytes,
		    struct ddp__spool **ret, struct ddp_error *err)
{
	CLEANUP(ddp__spool_close) struct ddp__spool *s = ddp__alloc(sizeof(*s));
	int r;

	if (!s)
		return ddp__fail(err, -ENOMEM, "out of memory");
	*s = (struct ddp__spool){ .sys = sys, .folder = -1, .lock = -1, .max_bytes = max_bytes };
	s->folder = r = ddp__folder_open(path, err);
	if (r >= 0)
		r = take_lock(s, path, err);
	if (r)
		return r;
	r = ddp__folder_list(s->folder, find, s);
	if (r)
		return ddp__fail(err, r, "spool %.120s: %s", path, strerror(-r));
	if (s->entries.nr) {
		qsort(s->entries.at, s->entries.nr, sizeof(*s->entries.at), by_number);
		s->next = s->entries.at[s->entries.nr - 1].number + 1;
	}
	*ret = TAKE(s);
	return 0;
}

void ddp__spool_close(struct ddp__spool *s)
{
	if (!s)
		return;
	close_fd(s->lock);
	close_fd(s->folder);
	VEC_FREE(&s->entries);
	ddp__free(s);
}

uint64_t ddp__spool_nr(const struct ddp__spool *s)
{
	return s->entries.nr - s->first;
}

uint64_t ddp__spool_bytes(const struct ddp__spool *s)
{
	return s->bytes;
}

void ddp__spool_set_limit(struct ddp__spool *s, uint64_t max_bytes)
{
	s->max_bytes = max_bytes;
}

bool ddp__spool_could_hold(const struct ddp__spool *s, const struct ddp__batch *b)
{
	return folder_block_bytes(b->n) <= s->max_bytes;
}

bool ddp__spool_has_room(const struct ddp__spool *s, const struct ddp__batch *b)
{
	return ddp__spool_could_hold(s, b) && s->bytes <= s->max_bytes - folder_block_bytes(b->n);
}

/* Writing */

/* The list begins at its beginning again when half of it is gone */
static void compact(struct ddp__spool *s)
{
	if (!s->first || s->first < s->entries.nr / 2)
		return;
	s->entries.nr -= s->first;
	memmove(s->entries.at, s->entries.at + s->first, s->entries.nr * sizeof(*s->entries.at));
	s->first = 0;
}

int ddp__spool_put(struct ddp__spool *s, const struct ddp__batch *b)
{
	char name[NAME_BYTES];
	int r;

	compact(s);
	r = VEC_RESERVE(&(struct ddp__budget){ 0 }, &s->entries, 1);
	if (r)
		return r;
	name_of(s->next, name);
	r = ddp__folder_put(s->sys, s->folder, name, b->bytes, b->n);
	if (r)
		return r;
	s->entries.at[s->entries.nr++] = (struct entry){ s->next++, b->n };
	s->bytes += folder_block_bytes(b->n);
	return 0;
}

/* Reading */

static int read_all(int fd, unsigned char *to, size_t n)
{
	while (n) {
		ssize_t got = read(fd, to, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EBADMSG;
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

static int read_file(int folder, const char *name, struct ddp__batch **ret)
{
	CLEANUP(close_fd) int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
					  O_NOCTTY | O_CLOEXEC);
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > BATCH_BYTES_MAX)
		return -EBADMSG;
	b = ddp__batch_alloc((size_t)st.st_size);
	if (!b)
		return -ENOMEM;
	r = read_all(fd, b->bytes, b->n);
	if (!r)
		*ret = TAKE(b);
	return r;
}

int ddp__spool_oldest(struct ddp__spool *s, struct ddp__batch **ret, struct ddp_error *err)
{
	char name[NAME_BYTES];
	int r;

	name_of(s->entries.at[s->first].number, name);
	r = read_file(s->folder, name, ret);
	if (!r || r == -ENOMEM || r == -EMFILE || r == -ENFILE)
		return r;
	return ddp__fail(err, -EBADMSG, "%s in the spool cannot be read: %s", name,
			 r == -EBADMSG ? "it is no batch" : strerror(-r));
}

void ddp__spool_remove_oldest(struct ddp__spool *s)
{
	const struct entry *e = &s->entries.at[s->first++];
	char name[NAME_BYTES];

	s->bytes -= folder_block_bytes(e->bytes);
	name_of(e->number, name);
	s->sys->remove(s->sys->ctx, s->folder, name);
}
