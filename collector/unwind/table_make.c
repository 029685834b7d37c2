// SPDX-License-Identifier: Apache-2.0
/* See table_make.h. */
#include "unwind/table_make.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "unwind/cfi_file.h"
#include "base/clock.h"
#include "base/log.h"

/* What the module is told of a file that nothing is known of */
static int make_empty(struct ddp_made *m)
{
	struct ddp_cfi_input nothing = { 0 };

	return ddp_cfi_table(&nothing, &m->image, &m->bytes, NULL);
}

/* A table of ours that we would not take ourselves is a mistake here, not the file's */
static int count_rows(struct ddp_made *m)
{
	struct ddp_rows rows;
	const char *fault;

	if (ddp_rows_open(m->image, m->bytes, &rows, &fault)) {
		ddp_log_warn("an unwind table was made wrong: %s", fault);
		return -EINVAL;
	}
	m->rows = rows.nr_rows;
	return 0;
}

/* @r: what building answered. What is wrong with reading, not with the file, may pass */
static int finish(struct ddp_made *m, int r)
{
	if (!r)
		r = count_rows(m);
	if (r != -ENOEXEC && r != -EFBIG && r != -EINVAL)
		return r;
	m->unfit = r == -ENOEXEC ? 0 : r; /* no program: nothing wrong with that */
	free(TAKE(m->image));
	return make_empty(m);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool ddp_made_is_current(const struct ddp_made *m, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_size == m->size && same_time(&st.st_mtim, &m->modified) &&
	       same_time(&st.st_ctim, &m->changed);
}

static int take_stamp(struct ddp_made *m, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	m->size = st.st_size;
	m->modified = st.st_mtim;
	m->changed = st.st_ctim;
	return 0;
}

/* A file that is written to meanwhile, as linkers and copies do, is half this and half that */
static int build(ddp_table_build_fn fn, int fd, struct ddp_made *m)
{
	uint64_t start = now_ns();
	int r = fn(fd, &m->image, &m->bytes, &m->cfi);

	m->ns = now_ns() - start;
	if (!ddp_made_is_current(m, fd))
		return r == -ENOMEM ? r : -ESTALE;
	return finish(m, r);
}

int ddp_table_make(ddp_table_build_fn fn, struct ddp_table_cache *cache, int fd,
		   struct ddp_made *ret)
{
	CLEANUP(ddp_made_free) struct ddp_made m = { 0 };
	struct ddp_table_key key;
	int r = take_stamp(&m, fd);
	bool keyed = !r && cache && !ddp_table_cache_key(fd, &key);

	if (r)
		return r;
	r = -ENOENT;
	if (keyed)
		r = ddp_table_cache_get(cache, &key, &m.image, &m.bytes);
	m.cached = !r;
	r = m.cached ? count_rows(&m) : build(fn, fd, &m);
	if (r)
		return r;
	if (keyed && !m.cached && m.rows) {
		int kept = ddp_table_cache_put(cache, &key, m.image, m.bytes);

		if (kept)
			ddp_log_debug("unwind table %s is not kept: %s", key.name, strerror(-kept));
	}
	*ret = m;
	m.image = NULL;
	return 0;
}

int ddp_table_make_memory(const void *elf, size_t bytes, struct ddp_made *ret)
{
	CLEANUP(ddp_made_free) struct ddp_made m = { 0 };
	uint64_t start = now_ns();
	int r = ddp_cfi_memory_table(elf, bytes, &m.image, &m.bytes, &m.cfi);

	m.ns = now_ns() - start;
	r = finish(&m, r);
	if (r)
		return r;
	*ret = m;
	m.image = NULL;
	return 0;
}

void ddp_made_free(struct ddp_made *m)
{
	free(TAKE(m->image));
}
