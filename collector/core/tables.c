// SPDX-License-Identifier: Apache-2.0
/*
 * See tables.h. The lock covers the queue, what is known of each file, the counts and the flags;
 * reading files, making tables and talking to the module happen outside of it. Only the worker
 * forgets files, so that it can hold on to one without the lock.
 */
#include "core/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "core/array.h"
#include "core/cfi_file.h"
#include "core/log.h"
#include "core/table.h"
#include "core/table_make.h"

enum {
	/* a file system that does not answer must not keep the program from ending */
	JOIN_TIMEOUT_S = 10,
};

/* One file that the module knows by number */
struct wanted {
	uint64_t id;
	enum {
		IDLE,		/* no table */
		QUEUED,		/* or being made */
		DONE,		/* the module has its table, or had at the last look */
		HOPELESS,	/* the module does not take it */
	} state;
	int fd;			/* owned while QUEUED; -1: none */
	char *path;		/* owned while QUEUED */
	uint32_t users, refusals;
	int64_t not_before_ms;	/* after a refusal */
	uint64_t ended;		/* as the module last said */
	uint64_t look;		/* the last one that found it in the module's list */
};

/* Made before START, when the module takes none */
struct ahead {
	int fd;
	struct ddp_made made;
};

struct ddp_tables {
	struct ddp_tables_config config;
	struct ddp_prebuild_scope scope; /* config.ahead's, with pids owned */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	struct ddp_table files;		/* id -> struct wanted *, owned */
	struct wanted *queue[DDP_TABLES_MAX_QUEUE];
	size_t nr_queue;
	uint64_t missing[DDP_TABLES_MAX_MISSING];
	size_t nr_missing;
	struct ddp_tables_counts counts;
	bool ahead_ready, started, stopping;
	int news;			/* eventfd: missing is not empty */

	/* the worker's own */
	struct ddp_prebuild found;	/* whose tables are made ahead */
	size_t next_found;
	struct ahead *ahead;		/* owned, in order */
	size_t nr_ahead, cap_ahead, next_ahead;
	size_t ahead_bytes;
	struct ddp_table inodes;	/* hash of device and inode of what was uploaded */
	int64_t next_look_ms;
	uint64_t look;
	bool said;			/* that the module does not take tables */
};

const struct ddp_tables_ops ddp_tables_link_ops;

static int64_t now_ms(const struct ddp_tables *t)
{
	return t->config.ops->now_ms();
}

/* The queue; the lock is held */

static struct wanted *find(const struct ddp_tables *t, uint64_t id)
{
	const uint64_t *w = ddp_table_find(&t->files, id);

	return w ? ddp_table_pointer(*w) : NULL;
}

static struct wanted *get(struct ddp_tables *t, uint64_t id)
{
	struct wanted *w = id ? find(t, id) : NULL;

	if (w || !id)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->id = id;
	w->fd = -1;
	if (ddp_table_set(&t->files, id, ddp_table_value(w))) {
		free(w);
		return NULL;
	}
	return w;
}

/* Back from the queue, or never in it */
static void leave(struct wanted *w, int state)
{
	close_fd(TAKE_FD(w->fd));
	free(TAKE(w->path));
	w->state = state;
}

static void remove_at(struct ddp_tables *t, size_t i)
{
	t->nr_queue--;
	memmove(t->queue + i, t->queue + i + 1, (t->nr_queue - i) * sizeof(*t->queue));
}

/* Room for one more, by dropping the least used if that is less used than @users */
static bool make_room(struct ddp_tables *t, uint32_t users)
{
	size_t least = 0;

	if (t->nr_queue < DDP_TABLES_MAX_QUEUE)
		return true;
	t->counts.dropped++;
	for (size_t i = 1; i < t->nr_queue; i++)
		if (t->queue[i]->users <= t->queue[least]->users)
			least = i;
	if (t->queue[least]->users >= users)
		return false;
	leave(t->queue[least], IDLE);
	remove_at(t, least);
	return true;
}

static struct wanted *pop(struct ddp_tables *t)
{
	struct wanted *w;
	size_t most = 0;

	if (!t->nr_queue)
		return NULL;
	for (size_t i = 1; i < t->nr_queue; i++)
		if (t->queue[i]->users > t->queue[most]->users)
			most = i;
	w = t->queue[most];
	remove_at(t, most);
	return w;
}

/* Takes @fd and @path, in any case */
static void push(struct ddp_tables *t, struct wanted *w, int fd, char *path, uint32_t users)
{
	w->fd = fd;
	w->path = path;
	if (!make_room(t, users)) {
		leave(w, IDLE);
		return;
	}
	w->users = users;
	w->state = QUEUED;
	t->queue[t->nr_queue++] = w;
	pthread_cond_broadcast(&t->changed);
}

/* One table */

static void log_made(const char *path, const struct ddp_made *m)
{
	if (m->unreadable)
		ddp_log_debug("%s: no unwind table: %s", path, strerror(-m->unreadable));
	else
		ddp_log_debug("%s: unwind table of %zu bytes, %" PRIu32 " rows%s", path, m->bytes,
			      m->rows, m->cached ? ", from the cache" : "");
}

static void add_cfi(struct ddp_cfi_counts *sum, const struct ddp_cfi_counts *one)
{
	sum->entries += one->entries;
	sum->rows += one->rows;
	sum->unknown_rows += one->unknown_rows;
	sum->code_bytes += one->code_bytes;
	sum->unknown_bytes += one->unknown_bytes;
	sum->bp_lost_rows += one->bp_lost_rows;
	for (int i = 0; i < DDP_CFI_NR_REASONS; i++)
		sum->by_reason[i] += one->by_reason[i];
}

static void count_made(struct ddp_tables *t, int r, const struct ddp_made *m)
{
	pthread_mutex_lock(&t->lock);
	if (r || m->unreadable) {
		t->counts.failed++;
	} else {
		t->counts.built += !m->cached;
		t->counts.from_cache += m->cached;
		t->counts.no_cfi += !m->rows;
		t->counts.build_ns += m->ns;
		add_cfi(&t->counts.cfi, &m->cfi);
	}
	pthread_mutex_unlock(&t->lock);
}

/* @fd -1 with DDPROF_FILE_VDSO: our own */
static int make(struct ddp_tables *t, uint64_t id, int fd, const char *path, struct ddp_made *ret)
{
	int r;

	if (id == DDPROF_FILE_VDSO)
		r = ddp_table_make_memory(t->config.vdso, t->config.vdso_bytes, ret);
	else
		r = ddp_table_make(t->config.ops->build, t->config.cache, fd, ret);
	count_made(t, r, ret);
	if (!r)
		log_made(path, ret);
	return r;
}

static bool is_refusal(int r)
{
	return r == -ENOSPC || r == -EBUSY || r == -ENOMEM || r == -ETIMEDOUT;
}

static void count_uploaded(struct ddp_tables *t, int r, const struct ddp_made *m)
{
	pthread_mutex_lock(&t->lock);
	if (!r) {
		t->counts.uploaded++;
		t->counts.rows += m->rows;
		t->counts.image_bytes += m->bytes;
	} else if (is_refusal(r)) {
		t->counts.refused++;
	} else if (r != -ENOENT) {
		t->counts.failed++;
	}
	pthread_mutex_unlock(&t->lock);
}

static int upload(struct ddp_tables *t, uint64_t id, int fd, const char *path,
		  const struct ddp_made *m, uint64_t *ret_id)
{
	struct ddp_error err = { "" };
	int r = t->config.ops->upload(t->config.ctx, id, fd, m->image, m->bytes, ret_id, &err);

	count_uploaded(t, r, m);
	if (!r)
		return 0;
	/* no session any more, or no such file, is nothing to talk about; the rest is once */
	if (is_refusal(r) || r == -ENOENT || t->said)
		ddp_log_debug("%s: its unwind table is not taken: %s", path, err.text);
	else
		ddp_log_warn("%s: its unwind table is not taken: %s", path, err.text);
	t->said |= !is_refusal(r) && r != -ENOENT;
	return r;
}

static int64_t pause_ms(uint32_t refusals)
{
	int64_t ms = DDP_TABLES_REFUSED_FIRST_MS;

	while (--refusals && ms < DDP_TABLES_REFUSED_LAST_MS)
		ms *= 2;
	return ms;
}

/* What became of a file from the queue */
static void settle(struct ddp_tables *t, struct wanted *w, int r)
{
	int64_t now = now_ms(t);

	pthread_mutex_lock(&t->lock);
	if (!r)
		w->refusals = 0;
	if (is_refusal(r)) {
		w->refusals++;
		w->not_before_ms = now + pause_ms(w->refusals);
	}
	leave(w, !r ? DONE : is_refusal(r) || r == -ENOENT ? IDLE : HOPELESS);
	pthread_mutex_unlock(&t->lock);
}

/* Key 0 means free in a table; two files with one key: one of them is not made ahead */
static uint64_t inode_key(int fd)
{
	struct stat st;
	uint64_t h;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	h = (st.st_ino ^ st.st_dev * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
	return h ? h : 1;
}

/* As long as something of what was found ahead is left, which may be the same file */
static void remember_inode(struct ddp_tables *t, int fd)
{
	uint64_t key = t->found.nr ? inode_key(fd) : 0;

	if (key)
		(void)ddp_table_set(&t->inodes, key, 0); /* without memory it is made twice */
}

static void work(struct ddp_tables *t, struct wanted *w)
{
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	int r = make(t, w->id, w->fd, w->path, &made);

	r = r ?: upload(t, w->id, -1, w->path, &made, NULL);
	if (!r)
		remember_inode(t, w->fd);
	settle(t, w, r);
}

/* Ahead of the session's files */

static void forget_ahead(struct ddp_tables *t)
{
	while (t->next_ahead < t->nr_ahead) {
		struct ahead *a = &t->ahead[t->next_ahead++];

		close_fd(a->fd);
		ddp_made_free(&a->made);
	}
	free(TAKE(t->ahead));
	t->nr_ahead = t->cap_ahead = t->next_ahead = 0;
	t->ahead_bytes = 0;
	ddp_prebuild_free(&t->found);
	t->next_found = 0;
	ddp_table_free(&t->inodes);
}

static const char *found_name(const struct ddp_prebuild_file *f)
{
	return f->path ? f->path : "a file without a path";
}

/* The next file found, opened. -1: not to be had, or done already */
static int open_found(struct ddp_tables *t, const struct ddp_prebuild_file *f)
{
	int fd = ddp_prebuild_open(t->scope.proc, f);

	if (fd < 0)
		ddp_log_debug("%s: not made ahead: %s", found_name(f), strerror(-fd));
	if (fd < 0 || !ddp_table_find(&t->inodes, inode_key(fd)))
		return fd < 0 ? -1 : fd;
	close(fd);
	return -1;
}

static int keep_ahead(struct ddp_tables *t, const struct ddp_prebuild_file *f)
{
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	CLEANUP(close_fd) int fd = open_found(t, f);
	struct ahead *more;

	if (fd < 0 || make(t, 0, fd, found_name(f), &made))
		return 0;
	more = array_reserve(t->ahead, &t->cap_ahead, t->nr_ahead + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->ahead = more;
	t->ahead_bytes += made.bytes;
	t->ahead[t->nr_ahead++] = (struct ahead){ TAKE_FD(fd), made };
	made.image = NULL;
	return 0;
}

/* Before START. @return whether there was something to do */
static bool build_ahead(struct ddp_tables *t)
{
	if (t->next_found >= t->found.nr || t->ahead_bytes >= t->config.max_ahead_bytes)
		return false;
	return !keep_ahead(t, &t->found.files[t->next_found++]);
}

/* Its number is the module's answer: a mapping of it that comes finds it done */
static int upload_found(struct ddp_tables *t, int fd, const char *path, const struct ddp_made *m)
{
	struct wanted *w;
	uint64_t id = 0;
	int r;

	if (ddp_table_find(&t->inodes, inode_key(fd)))
		return 0;
	r = upload(t, 0, fd, path, m, &id);
	if (r)
		return r;
	remember_inode(t, fd);
	pthread_mutex_lock(&t->lock);
	w = get(t, id);
	if (w && w->state == IDLE)
		w->state = DONE;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static int upload_made(struct ddp_tables *t)
{
	struct ahead *a = &t->ahead[t->next_ahead++];
	int r = upload_found(t, a->fd, "a file made ahead", &a->made);

	close_fd(a->fd);
	ddp_made_free(&a->made);
	return r;
}

static int make_found(struct ddp_tables *t)
{
	const struct ddp_prebuild_file *f = &t->found.files[t->next_found++];
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	CLEANUP(close_fd) int fd = open_found(t, f);

	if (fd < 0 || make(t, 0, fd, found_name(f), &made))
		return 0;
	return upload_found(t, fd, found_name(f), &made);
}

/*
 * After START. When the module has no room left for what nobody needed yet, or no session, the rest
 * is not wanted. @return whether there was something to do
 */
static bool work_ahead(struct ddp_tables *t)
{
	int r;

	if (t->next_ahead < t->nr_ahead) {
		r = upload_made(t);
	} else if (t->next_found < t->found.nr) {
		r = make_found(t);
	} else {
		forget_ahead(t);
		return false;
	}
	if (r)
		forget_ahead(t);
	return true;
}

static bool enough_found(void *tables)
{
	struct ddp_tables *t = tables;
	bool enough;

	pthread_mutex_lock(&t->lock);
	enough = t->started || t->stopping;
	pthread_mutex_unlock(&t->lock);
	return enough;
}

static void look_ahead(struct ddp_tables *t)
{
	int r = t->config.ahead ? ddp_prebuild_scan(&t->scope, &t->found) : 0;

	if (r)
		ddp_log_info("no unwind table is made ahead: %s: %s", t->scope.proc, strerror(-r));
}

/* What the module has */

/* The lock is held. The vdso needs nobody to open it */
static void miss(struct ddp_tables *t, struct wanted *w)
{
	if (w->id == DDPROF_FILE_VDSO) {
		char *path = t->config.vdso ? strdup("[vdso]") : NULL;

		if (path)
			push(t, w, -1, path, UINT32_MAX);
	} else if (t->nr_missing < DDP_TABLES_MAX_MISSING) {
		t->missing[t->nr_missing++] = w->id;
	}
}

static int on_listed(void *tables, const struct ddp_link_table *said)
{
	struct ddp_tables *t = tables;
	int64_t now = now_ms(t);
	struct wanted *w;

	pthread_mutex_lock(&t->lock);
	w = get(t, said->file_id);
	if (w) {
		w->look = t->look;
		if (said->bytes && w->state == IDLE)
			w->state = DONE;
		if (!said->bytes && w->state == DONE)
			w->state = IDLE; /* the module forgot it */
		if (w->state == IDLE && said->ended > w->ended && now >= w->not_before_ms)
			miss(t, w);
		w->ended = said->ended;
	}
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static bool is_unlisted(void *tables, void *value)
{
	const struct ddp_tables *t = tables;
	struct wanted *w = value;

	if (w->look == t->look || w->state == QUEUED)
		return false;
	free(w);
	return true;
}

static void look(struct ddp_tables *t)
{
	struct ddp_error err = { "" };
	uint64_t one = 1;
	int r;

	t->look++;
	pthread_mutex_lock(&t->lock);
	t->nr_missing = 0; /* what nobody took is missing still, or not any more */
	pthread_mutex_unlock(&t->lock);
	r = t->config.ops->list(t->config.ctx, on_listed, t, &err);
	if (r)
		ddp_log_debug("the module's unwind tables: %s", err.text);
	pthread_mutex_lock(&t->lock);
	if (!r)
		ddp_table_prune(&t->files, is_unlisted, t);
	if (t->nr_missing && write(t->news, &one, sizeof(one)) < 0)
		ddp_log_debug("eventfd: %s", strerror(errno));
	pthread_mutex_unlock(&t->lock);
	t->next_look_ms = now_ms(t) + DDP_TABLES_LIST_MS;
}

/* The thread */

/* The lock is held */
static void wait_ms(struct ddp_tables *t, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

static bool before_start(struct ddp_tables *t)
{
	bool busy = build_ahead(t);

	pthread_mutex_lock(&t->lock);
	if (!busy && !t->ahead_ready) {
		t->ahead_ready = true;
		pthread_cond_broadcast(&t->changed);
	}
	while (!busy && !t->started && !t->stopping)
		pthread_cond_wait(&t->changed, &t->lock);
	busy = !t->started && !t->stopping;
	pthread_mutex_unlock(&t->lock);
	return busy;
}

/* Sampled files first, then those that may be. @return false: to stop */
static bool next_job(struct ddp_tables *t)
{
	struct wanted *w = NULL;
	int64_t left = t->next_look_ms - now_ms(t);
	bool stopping;

	if (left <= 0) {
		look(t);
		return true;
	}
	pthread_mutex_lock(&t->lock);
	stopping = t->stopping;
	if (!stopping)
		w = pop(t);
	pthread_mutex_unlock(&t->lock);
	if (stopping)
		return false;
	if (w) {
		work(t, w);
		return true;
	}
	if (work_ahead(t))
		return true;
	pthread_mutex_lock(&t->lock);
	if (!t->nr_queue && !t->stopping)
		wait_ms(t, left);
	pthread_mutex_unlock(&t->lock);
	return true;
}

static void *run(void *tables)
{
	struct ddp_tables *t = tables;

	look_ahead(t);
	while (before_start(t))
		;
	t->next_look_ms = now_ms(t) + DDP_TABLES_LIST_MS;
	while (next_job(t))
		;
	return NULL;
}

/* What the owner calls */

bool ddp_tables_met(struct ddp_tables *t, uint64_t file_id, uint32_t users)
{
	bool wanted = true;
	struct wanted *w;

	pthread_mutex_lock(&t->lock);
	w = find(t, file_id);
	if (w && w->state == QUEUED && w->users < users)
		w->users = users;
	if (w)
		wanted = w->state == IDLE && now_ms(t) >= w->not_before_ms;
	pthread_mutex_unlock(&t->lock);
	return wanted;
}

static int want(struct ddp_tables *t, uint64_t id, int fd, uint32_t users, const char *path)
{
	struct wanted *w = get(t, id);
	int copy = -1;
	char *name;

	if (!w)
		return -ENOMEM;
	if (w->state != IDLE)
		return 0;
	if (fd >= 0)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && copy < 0)
		return -errno;
	name = strdup(path);
	if (!name) {
		close_fd(copy);
		return -ENOMEM;
	}
	push(t, w, copy, name, users);
	return 0;
}

int ddp_tables_want(struct ddp_tables *t, uint64_t file_id, int fd, uint32_t users,
		    const char *path)
{
	int r;

	pthread_mutex_lock(&t->lock);
	r = want(t, file_id, fd, users, path);
	pthread_mutex_unlock(&t->lock);
	return r;
}

bool ddp_tables_wait_ahead(struct ddp_tables *t, uint32_t timeout_ms)
{
	int64_t until = now_ms(t) + timeout_ms, left;
	bool ready;

	pthread_mutex_lock(&t->lock);
	while (!t->ahead_ready && (left = until - now_ms(t)) > 0)
		wait_ms(t, left);
	ready = t->ahead_ready;
	pthread_mutex_unlock(&t->lock);
	return ready;
}

void ddp_tables_start(struct ddp_tables *t)
{
	pthread_mutex_lock(&t->lock);
	t->started = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

int ddp_tables_fd(const struct ddp_tables *t)
{
	return t->news;
}

size_t ddp_tables_missing(struct ddp_tables *t, uint64_t ret[DDP_TABLES_MAX_MISSING])
{
	uint64_t ignored;
	size_t nr;

	pthread_mutex_lock(&t->lock);
	nr = t->nr_missing;
	memcpy(ret, t->missing, nr * sizeof(*ret));
	t->nr_missing = 0;
	(void)!read(t->news, &ignored, sizeof(ignored)); /* not readable until the next ones */
	pthread_mutex_unlock(&t->lock);
	return nr;
}

void ddp_tables_count(struct ddp_tables *t, struct ddp_tables_counts *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->counts;
	pthread_mutex_unlock(&t->lock);
}

/* Coming and going */

static void release(struct ddp_tables *t)
{
	forget_ahead(t);
	ddp_table_for_each(&t->files, slot) {
		struct wanted *w = ddp_table_pointer(slot->value);

		leave(w, IDLE);
		free(w);
	}
	ddp_table_free(&t->files);
	free((void *)(uintptr_t)t->scope.pids);
	close_fd(t->news);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void queue_vdso(struct ddp_tables *t)
{
	struct wanted *w = t->config.vdso ? get(t, DDPROF_FILE_VDSO) : NULL;

	if (w)
		miss(t, w);
}

static int copy_scope(struct ddp_tables *t)
{
	const struct ddp_prebuild_scope *scope = t->config.ahead;
	uint32_t *pids;

	if (!scope)
		return 0;
	pids = calloc(scope->nr_pids + 1, sizeof(*pids));
	if (!pids)
		return ENOMEM;
	if (scope->nr_pids)
		memcpy(pids, scope->pids, scope->nr_pids * sizeof(*pids));
	t->scope = *scope;
	t->scope.pids = pids;
	t->scope.enough = enough_found;
	t->scope.ctx = t;
	return 0;
}

int ddp_tables_create(const struct ddp_tables_config *config, struct ddp_tables **ret)
{
	struct ddp_tables *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	int r;

	if (!t)
		return -ENOMEM;
	t->config = *config;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	t->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = t->news < 0 ? errno : copy_scope(t);
	queue_vdso(t);
	r = r ?: pthread_create(&t->thread, NULL, run, t);
	if (r) {
		release(t);
		return -r;
	}
	*ret = t;
	return 0;
}

bool ddp_tables_destroy(struct ddp_tables *t)
{
	struct timespec until;

	if (!t)
		return true;
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += JOIN_TIMEOUT_S;
	if (pthread_clockjoin_np(t->thread, NULL, CLOCK_MONOTONIC, &until)) {
		ddp_log_warn("a file does not let itself be read: its unwind table is given up");
		return false;
	}
	release(t);
	return true;
}

/* The real operations */

static int link_upload(void *ctx, uint64_t file_id, int fd, const void *image, size_t bytes,
		       uint64_t *ret_id, struct ddp_error *err)
{
	return ddp_link_table_upload(ctx, file_id, fd, image, bytes, ret_id, err);
}

static int link_list(void *ctx, ddp_link_table_fn fn, void *fn_ctx, struct ddp_error *err)
{
	return ddp_link_table_list(ctx, fn, fn_ctx, err);
}

static int64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const struct ddp_tables_ops ddp_tables_link_ops = {
	.upload = link_upload, .list = link_list, .build = ddp_cfi_file_table,
	.now_ms = monotonic_ms,
};
