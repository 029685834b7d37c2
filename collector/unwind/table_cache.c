// SPDX-License-Identifier: Apache-2.0
/*
 * See table_cache.h. Nothing here waits for the disk: a file that a crash left half written is
 * found out by its checksum.
 */
#include "unwind/table_cache.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/log.h"
#include "base/write_fd.h"
#include "kmod/core/unwind_rows.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	/*
	 * Of these files, and of what tables say. Raise it with every change of what ehframe,
	 * ehframe_*, cfi_file or the rules of uapi/ddprof_unwind.h make of one and the same file:
	 * a table of before would be taken for one of now.
	 */
	FORMAT = 3,
	MAX_NOTE_BYTES = 64 << 10,
	MAX_PROGRAM_HEADERS = 256,
	MAX_IMAGE_BYTES = 256 << 20,
	BLOCK_BYTES = 4096,	/* what the smallest file takes */
};

static const char suffix[] = ".rows", part[] = ".part";

/* In front of the image, in the machine's byte order */
struct head {
	char magic[8];
	uint32_t format, zero;
	char version[16];	/* of the collector: another one may make other tables */
	uint64_t bytes, hash;	/* of the image */
};

static const char magic[8] = "ddpdwu\n";

struct ddp_table_cache {
	int dir;		/* owned */
	uint64_t max_bytes;
	uint64_t bytes;		/* about what is there */
};

static struct head make_head(const void *image, size_t bytes)
{
	struct head h = { .format = FORMAT, .bytes = bytes, .hash = XXH3_64bits(image, bytes) };

	memcpy(h.magic, magic, sizeof(magic));
	strncpy(h.version, DDPROF_VERSION, sizeof(h.version) - 1);
	return h;
}

static uint64_t on_disk(uint64_t bytes)
{
	return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static int read_all(int fd, void *to, size_t n, uint64_t at)
{
	for (char *p = to; n;) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EBADMSG;
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* Keys */

static bool ours_alone(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int note_build_id(int fd, const Elf64_Phdr *ph, char ret[2 * DDP_MAX_BUILD_ID + 1])
{
	CLEANUP(free) void *notes = NULL;

	if (ph->p_type != PT_NOTE || ph->p_filesz > MAX_NOTE_BYTES || ph->p_offset > INT64_MAX)
		return -ENOENT;
	notes = malloc(ph->p_filesz + 1);
	if (!notes || read_all(fd, notes, ph->p_filesz, ph->p_offset))
		return -ENOENT;
	return ddp_build_id_from_notes(notes, ph->p_filesz, ret);
}

static int file_build_id(int fd, char ret[2 * DDP_MAX_BUILD_ID + 1])
{
	Elf64_Ehdr h;
	int r = -ENOENT;

	if (read_all(fd, &h, sizeof(h), 0) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(Elf64_Phdr) ||
	    h.e_phnum > MAX_PROGRAM_HEADERS || h.e_phoff > INT64_MAX / 2)
		return -ENOENT;
	for (uint32_t i = 0; r && i < h.e_phnum; i++) {
		Elf64_Phdr ph;

		if (read_all(fd, &ph, sizeof(ph), h.e_phoff + i * sizeof(ph)))
			return -ENOENT;
		r = note_build_id(fd, &ph, ret);
	}
	return r;
}

/*
 * What a file cannot say of itself: another one with the same build-id and size, in a container of
 * which somebody is root, is another program. On a local file system nobody sets ctime.
 */
static uint64_t identity_of(const struct stat *st)
{
	const uint64_t is[] = {
		st->st_dev, st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
	};

	return XXH3_64bits(is, sizeof(is));
}

int ddp_table_cache_key(int fd, struct ddp_table_key *ret)
{
	char build_id[2 * DDP_MAX_BUILD_ID + 1];
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !ours_alone(&st) ||
	    file_build_id(fd, build_id) || !build_id[0])
		return -ENOENT;
	snprintf(ret->name, sizeof(ret->name), "%s-%016" PRIx64 "%s", build_id, identity_of(&st),
		 suffix);
	return 0;
}

/* Reading */

static int check_image(const void *image, size_t bytes, const char **fault)
{
	struct ddp_rows rows;
	int r = ddp_rows_open(image, bytes, &rows, fault);

	return r ? r : ddp_rows_check(&rows, 0, rows.nr_pages, fault);
}

/* -EBADMSG with *@fault: damaged, or another version's */
static int load(int fd, void **ret_image, size_t *ret_bytes, const char **fault)
{
	CLEANUP(free) void *image = NULL;
	struct head h, want;
	struct stat st;
	int r;

	*fault = "cut short";
	if (fstat(fd, &st))
		return -errno;
	r = read_all(fd, &h, sizeof(h), 0);
	if (r)
		return r;
	*fault = "of another version";
	if (memcmp(h.magic, magic, sizeof(magic)) || h.format != FORMAT)
		return -EBADMSG;
	*fault = "of another size than it says";
	if (h.bytes > MAX_IMAGE_BYTES || (uint64_t)st.st_size != sizeof(h) + h.bytes)
		return -EBADMSG;
	image = malloc(h.bytes + 1);
	if (!image)
		return -ENOMEM;
	r = read_all(fd, image, h.bytes, sizeof(h));
	if (r)
		return r;
	want = make_head(image, h.bytes);
	*fault = "damaged, or of another version";
	if (memcmp(&h, &want, sizeof(h)) || check_image(image, h.bytes, fault))
		return -EBADMSG;
	*ret_bytes = h.bytes;
	*ret_image = TAKE(image);
	return 0;
}

static void forget(struct ddp_table_cache *c, const char *name, uint64_t bytes)
{
	if (unlinkat(c->dir, name, 0))
		return;
	c->bytes -= c->bytes < on_disk(bytes) ? c->bytes : on_disk(bytes);
}

int ddp_table_cache_get(struct ddp_table_cache *c, const struct ddp_table_key *key,
			void **ret_image, size_t *ret_bytes)
{
	CLEANUP(close_fd) int fd = openat(c->dir, key->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
					  O_NONBLOCK | O_NOCTTY);
	const char *fault = "";
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -ENOENT;
	r = load(fd, ret_image, ret_bytes, &fault);
	if (!r) {
		(void)futimens(fd, NULL); /* its time says when it was last used */
		return 0;
	}
	if (r == -ENOMEM)
		return r;
	ddp_log_debug("cached unwind table %s: %s; it is made again", key->name,
		      r == -EBADMSG ? fault : strerror(-r));
	forget(c, key->name, (uint64_t)st.st_size);
	return -ENOENT;
}

/* Keeping below the limit */

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

static int for_each_file(struct ddp_table_cache *c,
			 void (*fn)(void *ctx, const char *name, const struct stat *st), void *ctx)
{
	int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;

	if (!d) {
		close_fd(fd);
		return -errno;
	}
	while ((e = readdir(d)))
		if ((ends_in(e->d_name, suffix) || ends_in(e->d_name, part)) &&
		    !fstatat(c->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			fn(ctx, e->d_name, &st);
	closedir(d);
	return 0;
}

struct cached {
	char *name;		/* owned */
	struct timespec used;
	uint64_t bytes;
};

struct listing {
	struct cached *files;	/* owned */
	size_t nr, cap;
};

static void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->nr; i++)
		free(l->files[i].name);
	free(l->files);
}
DEFINE_CLEANUP_IN_PLACE(struct listing, listing_free)

/* Without memory some are not listed, and stay until the next time */
static void list_file(void *ctx, const char *name, const struct stat *st)
{
	struct listing *l = ctx;
	struct cached *more = array_reserve(l->files, &l->cap, l->nr + 1, sizeof(*more));

	if (!more)
		return;
	l->files = more;
	more[l->nr] = (struct cached){ strdup(name), st->st_mtim, (uint64_t)st->st_size };
	l->nr += more[l->nr].name != NULL;
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct cached *)a)->used;
	const struct timespec *y = &((const struct cached *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Down to @aim, which is well below the limit: the folder is read once for many files that go */
static void make_room(struct ddp_table_cache *c, uint64_t aim)
{
	CLEANUP(listing_free) struct listing l = { 0 };

	if (for_each_file(c, list_file, &l) || !l.nr)
		return;
	qsort(l.files, l.nr, sizeof(*l.files), by_use);
	for (size_t i = 0; i < l.nr && c->bytes > aim; i++)
		forget(c, l.files[i].name, l.files[i].bytes);
}

static void add_up(void *ctx, const char *name, const struct stat *st)
{
	struct ddp_table_cache *c = ctx;

	if (ends_in(name, part))
		unlinkat(c->dir, name, 0); /* somebody died over it */
	else
		c->bytes += on_disk((uint64_t)st->st_size);
}

/* Writing */

static int write_part(int dir, const char *name, const struct head *h, const void *image)
{
	CLEANUP(close_fd) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
					  O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_fd(&fd, h, sizeof(*h));
	r = r ?: write_fd(&fd, image, h->bytes);
	return !r && close(TAKE_FD(fd)) ? -errno : r;
}

int ddp_table_cache_put(struct ddp_table_cache *c, const struct ddp_table_key *key,
			const void *image, size_t bytes)
{
	struct head h = make_head(image, bytes);
	uint64_t more = on_disk(sizeof(h) + bytes);
	char name[sizeof(key->name) + 32];
	int r;

	if (more > c->max_bytes / 4 || bytes > MAX_IMAGE_BYTES)
		return -EFBIG;
	if (c->bytes + more > c->max_bytes)
		make_room(c, c->max_bytes - c->max_bytes / 4 - more);
	snprintf(name, sizeof(name), "%s.%d%s", key->name, getpid(), part);
	r = write_part(c->dir, name, &h, image);
	if (!r && renameat(c->dir, name, c->dir, key->name))
		r = -errno;
	if (r)
		unlinkat(c->dir, name, 0);
	else
		c->bytes += more;
	return r;
}

/* Opening */

static int refuse(struct ddp_error *err, int r, const char *path, const char *why)
{
	snprintf(err->text, sizeof(err->text), "folder for unwind tables %.120s: %s", path, why);
	return r;
}

static int open_folder(const char *path, struct ddp_error *err)
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return refuse(err, -errno, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return refuse(err, -errno, path, strerror(errno));
	if (st.st_uid != geteuid())
		return refuse(err, -EPERM, path, "it belongs to somebody else");
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(err, -EPERM, path, "others can write to it: chmod go-w");
	return TAKE_FD(fd);
}

int ddp_table_cache_open(const char *path, uint64_t max_bytes, struct ddp_table_cache **ret,
			 struct ddp_error *err)
{
	CLEANUP(ddp_table_cache_close) struct ddp_table_cache *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return refuse(err, -ENOMEM, path, strerror(ENOMEM));
	c->max_bytes = max_bytes;
	c->dir = open_folder(path, err); /* closing takes what it answers */
	if (c->dir < 0)
		return c->dir;
	r = for_each_file(c, add_up, c);
	if (r)
		return refuse(err, r, path, strerror(-r));
	*ret = TAKE(c);
	return 0;
}

void ddp_table_cache_close(struct ddp_table_cache *c)
{
	if (!c)
		return;
	close_fd(c->dir);
	free(c);
}
