// SPDX-License-Identifier: Apache-2.0
/*
 * See tables.h. The lock covers the queue, what is known of each file, the counts and the flags;
 * reading files, making tables and talking to the module happen outside of it. Only the worker
 * forgets files, so that it can hold on to one without the lock.
 */
#include "unwind/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "unwind/cfi_file.h"
#include "base/log.h"
#include "unwind/table_ahead.h"
#include "unwind/table_make.h"
#include "unwind/table_queue.h"

enum {
	/* a file system that does not answer must not keep the program from ending */
	JOIN_TIMEOUT_S = 10,
	/* the largest programs take a second */
	STUCK_MS = 10000,
	/* for the process whose mappings are read, when no others are to be */
	SCAN_END_MS = 1000,
	MAX_SAID_PATH = 200,	/* bytes */
};

struct ddp_tables {
	struct ddp_tables_config config;
	struct ddp_prebuild_scope scope; /* config.ahead's, with proc and pids owned */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	struct ddp_table_queue queue;
	struct ddp_tables_counts counts;
	bool ahead_ready, started, stopping;
	bool scanning;			/* by a thread of its own, which may outlive the worker */
	struct ddp_prebuild scanned;	/* when it does not any more */
	unsigned int users;		/* the owner, and that thread */
	struct {
		const char *path;	/* what is being made, the worker's; NULL: nothing */
		int64_t since_ms;
		bool said;		/* that it takes too long */
	} busy;
	int news;			/* eventfd: the queue knows of missing tables */

	/* the worker's own */
	struct ddp_table_ahead ahead;
	uint64_t ahead_bytes;		/* of it, handed over */
	int64_t next_look_ms;
	bool said;			/* that the module does not take tables */
};

static int64_t now_ms(const struct ddp_tables *t)
{
	return t->config.ops->now_ms();
}

/* One table */

static void log_made(const char *path, const struct ddp_made *m)
{
	if (m->unfit)
		ddp_log_debug("%s: no unwind table: %s", path, strerror(-m->unfit));
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
	if (r || m->unfit) {
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

static void set_busy(struct ddp_tables *t, const char *path)
{
	int64_t now = now_ms(t);

	pthread_mutex_lock(&t->lock);
	t->busy.path = path;
	t->busy.since_ms = now;
	t->busy.said = false;
	pthread_mutex_unlock(&t->lock);
}

/* @fd -1 with DDPROF_FILE_VDSO: our own. -EAGAIN: it may be read later */
static int make(struct ddp_tables *t, uint64_t id, int fd, const char *path, struct ddp_made *ret)
{
	int r;

	set_busy(t, path);
	if (id == DDPROF_FILE_VDSO)
		r = ddp_table_make_memory(t->config.vdso, t->config.vdso_bytes, ret);
	else
		r = ddp_table_make(t->config.ops->build, t->config.cache, fd, ret);
	set_busy(t, NULL);
	count_made(t, r, ret);
	if (!r)
		log_made(path, ret);
	else
		ddp_log_debug("%s: no unwind table yet: %s", path, strerror(-r));
	return r ? -EAGAIN : 0;
}

static void count_uploaded(struct ddp_tables *t, int r, const struct ddp_made *m)
{
	pthread_mutex_lock(&t->lock);
	if (!r) {
		t->counts.uploaded++;
		t->counts.rows += m->rows;
		t->counts.image_bytes += m->bytes;
	} else if (ddp_table_is_refusal(r)) {
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
	ddp_log_debug("%s: its unwind table is not taken: %s", path, err.text);
	/* no room, no session any more, or no such file: that happens. The rest is said once */
	if (!ddp_table_is_refusal(r) && r != -ENOENT && !t->said)
		ddp_log_warn("the module does not take an unwind table: %s", err.text);
	t->said |= !ddp_table_is_refusal(r) && r != -ENOENT;
	return r;
}

/* One that was met in a process */
static void work(struct ddp_tables *t, struct ddp_wanted *w)
{
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	int64_t now;
	int r = 0;

	if (!ddp_table_ahead_is_through(&t->ahead, w->fd)) {
		r = make(t, w->id, w->fd, w->path, &made);
		r = r ?: upload(t, w->id, -1, w->path, &made, NULL);
	}
	if (!r)
		ddp_table_ahead_did(&t->ahead, w->fd);
	now = now_ms(t);
	pthread_mutex_lock(&t->lock);
	ddp_table_queue_settle(&t->queue, w, r, now);
	pthread_mutex_unlock(&t->lock);
	if (ddp_table_is_refusal(r) && t->next_look_ms > now + DDP_TABLES_REFUSED_FIRST_MS)
		t->next_look_ms = now + DDP_TABLES_REFUSED_FIRST_MS;
}

/* Ahead of the session */

static bool enough_found(void *tables)
{
	struct ddp_tables *t = tables;
	bool enough;

	pthread_mutex_lock(&t->lock);
	enough = t->started || t->stopping;
	pthread_mutex_unlock(&t->lock);
	return enough;
}

static void unlock_and_put(struct ddp_tables *t);

/*
 * Beside the worker: the kernel takes a process's mmap lock to read its mappings, which a file
 * system that does not answer to that process can hold for as long
 */
static void *scan(void *tables)
{
	struct ddp_prebuild found = { 0 };
	struct ddp_tables *t = tables;
	int r = ddp_prebuild_scan(&t->scope, &found);

	if (r)
		ddp_log_info("no unwind table is made ahead: %s: %s", t->scope.proc, strerror(-r));
	pthread_mutex_lock(&t->lock);
	t->scanned = found;
	t->scanning = false;
	pthread_cond_broadcast(&t->changed);
	unlock_and_put(t); /* at once: who sees that it is done is the last one */
	return NULL;
}

/* On the clock of @changed */
static struct timespec in_ms(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* What it finds until the session starts: it is in no hurry before, and told to end then */
static void wait_for_scan(struct ddp_tables *t)
{
	struct timespec until;
	bool given_up;

	pthread_mutex_lock(&t->lock);
	while (t->scanning && !t->started && !t->stopping)
		pthread_cond_wait(&t->changed, &t->lock);
	until = in_ms(SCAN_END_MS);
	while (t->scanning && !pthread_cond_timedwait(&t->changed, &t->lock, &until))
		;
	t->ahead.found = t->scanned;
	t->scanned = (struct ddp_prebuild){ 0 };
	given_up = t->scanning && !t->stopping;
	pthread_mutex_unlock(&t->lock);
	if (given_up)
		ddp_log_warn("the mappings of a process cannot be read now: it may wait for a file "
			     "system that does not answer; unwind tables are made when programs "
			     "are sampled, none ahead");
}

static void look_ahead(struct ddp_tables *t)
{
	pthread_t thread;
	int e;

	if (!t->config.ahead)
		return;
	t->scanning = true;
	t->users++;
	e = pthread_create(&thread, NULL, scan, t);
	if (e) {
		t->users--;
		t->scanning = false;
		ddp_log_info("no unwind table is made ahead: %s", strerror(e));
		return;
	}
	pthread_detach(thread);
	wait_for_scan(t);
}

/* Before START. @return whether there was something to do */
static bool make_ahead(struct ddp_tables *t)
{
	struct ddp_made made = { 0 };
	const char *name;
	int fd;

	if (t->ahead.made_bytes >= t->config.max_made_bytes ||
	    t->ahead.nr_made >= t->config.max_fds)
		return false;
	fd = ddp_table_ahead_open(&t->ahead, t->scope.proc, &name);
	if (fd < 0)
		return false;
	if (make(t, 0, fd, name, &made))
		close_fd(fd);
	else
		ddp_table_ahead_keep(&t->ahead, fd, &made);
	return true;
}

/*
 * Its number is the module's answer: a mapping of it that comes finds it done.
 * @return whether it makes sense to go on with others
 */
static bool upload_ahead(struct ddp_tables *t, int fd, const char *name, const struct ddp_made *m)
{
	struct ddp_wanted *w;
	uint64_t id = 0;
	int r;

	/* one that has changed, or takes too much of the room, is left to be met */
	if (ddp_table_ahead_is_through(&t->ahead, fd) || !ddp_made_is_current(m, fd) ||
	    m->bytes > t->config.max_ahead_bytes - t->ahead_bytes)
		return true;
	r = upload(t, 0, fd, name, m, &id);
	if (r)
		return r != -ENOSPC && r != -ENOENT && r != -EPERM && r != -ETIMEDOUT;
	t->ahead_bytes += m->bytes;
	ddp_table_ahead_did(&t->ahead, fd);
	pthread_mutex_lock(&t->lock);
	w = ddp_table_queue_get(&t->queue, id);
	if (w && w->state == DDP_WANTED_IDLE)
		w->state = DDP_WANTED_DONE;
	pthread_mutex_unlock(&t->lock);
	return true;
}

/*
 * After START: hands over a table that was made. When the module has no room for what nobody needed
 * yet, or no session, the rest is not wanted either. @return whether there was something to do
 */
static bool hand_over(struct ddp_tables *t)
{
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	CLEANUP(close_fd) int fd = ddp_table_ahead_take(&t->ahead, &made);

	if (fd < 0)
		return false;
	if (!upload_ahead(t, fd, "a file of a running program", &made))
		ddp_table_ahead_free(&t->ahead);
	return true;
}

/* The same for a file whose table was not made in time */
static bool catch_up(struct ddp_tables *t)
{
	CLEANUP(ddp_made_free) struct ddp_made made = { 0 };
	CLEANUP(close_fd) int fd = -1;
	const char *name;

	if (!t->ahead.found.nr)
		return false;
	fd = ddp_table_ahead_open(&t->ahead, t->scope.proc, &name);
	if (fd < 0 || (!make(t, 0, fd, name, &made) && !upload_ahead(t, fd, name, &made)))
		ddp_table_ahead_free(&t->ahead);
	return true;
}

/* What the module has */

struct listing {
	struct ddp_tables *tables;
	int64_t now_ms;
};

static int on_listed(void *listing, const struct ddp_link_table *said)
{
	struct listing *l = listing;
	struct ddp_tables *t = l->tables;

	pthread_mutex_lock(&t->lock);
	ddp_table_queue_listed(&t->queue, said, l->now_ms);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* The lock is held */
static void queue_vdso(struct ddp_tables *t)
{
	struct ddp_wanted *w = ddp_table_queue_get(&t->queue, DDPROF_FILE_VDSO);
	char *path = w && t->config.vdso ? strdup("[vdso]") : NULL;

	if (path)
		ddp_table_queue_push(&t->queue, w, -1, path, UINT32_MAX);
}

/* The lock is held. The vdso needs nobody to open it, the others the owner of the files */
static void tell_missing(struct ddp_tables *t)
{
	struct ddp_table_queue *q = &t->queue;
	uint64_t one = 1;
	size_t kept = 0;

	for (size_t i = 0; i < q->nr_missing; i++) {
		if (q->missing[i] == DDPROF_FILE_VDSO)
			queue_vdso(t);
		else
			q->missing[kept++] = q->missing[i];
	}
	q->nr_missing = kept;
	if (kept && write(t->news, &one, sizeof(one)) < 0)
		ddp_log_debug("eventfd: %s", strerror(errno));
}

static void look(struct ddp_tables *t)
{
	struct listing listing = { t, now_ms(t) };
	struct ddp_error err = { "" };
	int r;

	pthread_mutex_lock(&t->lock);
	ddp_table_queue_look(&t->queue);
	pthread_mutex_unlock(&t->lock);
	r = t->config.ops->list(t->config.ctx, on_listed, &listing, &err);
	if (r)
		ddp_log_debug("the module's unwind tables: %s", err.text);
	pthread_mutex_lock(&t->lock);
	if (!r)
		ddp_table_queue_looked(&t->queue);
	tell_missing(t);
	pthread_mutex_unlock(&t->lock);
	t->next_look_ms = now_ms(t) + DDP_TABLES_LIST_MS;
}

/* The thread */

/* The lock is held */
static void wait_ms(struct ddp_tables *t, int64_t ms)
{
	const struct timespec until = in_ms(ms);

	pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

static void wait_work(struct ddp_tables *t, int64_t ms)
{
	pthread_mutex_lock(&t->lock);
	if (!t->queue.nr && !t->stopping)
		wait_ms(t, ms);
	pthread_mutex_unlock(&t->lock);
}

static bool before_start(struct ddp_tables *t)
{
	bool busy = make_ahead(t);

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

static struct ddp_wanted *pop(struct ddp_tables *t)
{
	struct ddp_wanted *w;

	pthread_mutex_lock(&t->lock);
	w = ddp_table_queue_pop(&t->queue);
	pthread_mutex_unlock(&t->lock);
	return w;
}

/* What is made already, then files that were met, then those that may be */
static void next_job(struct ddp_tables *t)
{
	int64_t left = t->next_look_ms - now_ms(t);
	struct ddp_wanted *w;

	if (left <= 0) {
		look(t);
		return;
	}
	if (hand_over(t))
		return;
	w = pop(t);
	if (w)
		work(t, w);
	else if (!catch_up(t))
		wait_work(t, left);
}

static bool is_stopping(struct ddp_tables *t)
{
	bool stopping;

	pthread_mutex_lock(&t->lock);
	stopping = t->stopping;
	pthread_mutex_unlock(&t->lock);
	return stopping;
}

static void *run(void *tables)
{
	struct ddp_tables *t = tables;

	look_ahead(t);
	while (before_start(t))
		;
	t->next_look_ms = now_ms(t) + DDP_TABLES_LIST_MS;
	while (!is_stopping(t))
		next_job(t);
	return NULL;
}

/* What the owner calls */

bool ddp_tables_met(struct ddp_tables *t, uint64_t file_id, uint32_t users)
{
	const struct ddp_wanted *w;
	bool wanted;

	pthread_mutex_lock(&t->lock);
	w = ddp_table_queue_find(&t->queue, file_id);
	/* most are done, and nobody asks for the time then */
	wanted = ddp_table_queue_met(&t->queue, file_id, users,
				     w && w->state == DDP_WANTED_IDLE ? now_ms(t) : 0);
	pthread_mutex_unlock(&t->lock);
	return wanted;
}

static int want(struct ddp_tables *t, uint64_t id, int fd, uint32_t users, const char *path,
		int64_t now)
{
	struct ddp_wanted *w = ddp_table_queue_get(&t->queue, id);
	char *name;
	int copy;

	if (!w)
		return -ENOMEM;
	if (w->state != DDP_WANTED_IDLE)
		return 0;
	if (fd < 0) {
		t->counts.failed++;
		ddp_table_queue_settle(&t->queue, w, -EAGAIN, now);
		return 0;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	name = strdup(path);
	if (!name) {
		close_fd(copy);
		return -ENOMEM;
	}
	ddp_table_queue_push(&t->queue, w, copy, name, users);
	pthread_cond_broadcast(&t->changed);
	return 0;
}

int ddp_tables_want(struct ddp_tables *t, uint64_t file_id, int fd, uint32_t users,
		    const char *path)
{
	int64_t now = now_ms(t);
	int r;

	pthread_mutex_lock(&t->lock);
	r = want(t, file_id, fd, users, path, now);
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
	nr = t->queue.nr_missing;
	memcpy(ret, t->queue.missing, nr * sizeof(*ret));
	t->queue.nr_missing = 0;
	(void)!read(t->news, &ignored, sizeof(ignored)); /* not readable until the next ones */
	pthread_mutex_unlock(&t->lock);
	return nr;
}

void ddp_tables_check(struct ddp_tables *t)
{
	char path[MAX_SAID_PATH] = "";
	bool stuck;

	pthread_mutex_lock(&t->lock);
	stuck = t->busy.path && !t->busy.said && now_ms(t) - t->busy.since_ms >= STUCK_MS;
	if (stuck) {
		snprintf(path, sizeof(path), "%s", t->busy.path);
		t->busy.said = true;
		t->counts.stuck++;
	}
	pthread_mutex_unlock(&t->lock);
	if (stuck)
		ddp_log_warn("%s: reading it takes more than %d s: no other unwind table is made "
			     "meanwhile", path, STUCK_MS / 1000);
}

void ddp_tables_count(struct ddp_tables *t, struct ddp_tables_counts *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->counts;
	ret->dropped = t->queue.dropped;
	pthread_mutex_unlock(&t->lock);
}

/* Coming and going */

static void release(struct ddp_tables *t)
{
	ddp_table_ahead_free(&t->ahead);
	ddp_table_queue_free(&t->queue);
	ddp_prebuild_free(&t->scanned);
	free((void *)(uintptr_t)t->scope.proc);
	free((void *)(uintptr_t)t->scope.pids);
	close_fd(t->news);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void unlock_and_put(struct ddp_tables *t)
{
	bool last = !--t->users;

	pthread_mutex_unlock(&t->lock);
	if (last)
		release(t);
}

static int copy_scope(struct ddp_tables *t)
{
	const struct ddp_prebuild_scope *scope = t->config.ahead;
	CLEANUP(free) uint32_t *pids = NULL;
	char *proc;

	if (!scope)
		return 0;
	pids = calloc(scope->nr_pids + 1, sizeof(*pids));
	proc = pids ? strdup(scope->proc) : NULL;
	if (!proc)
		return ENOMEM;
	if (scope->nr_pids)
		memcpy(pids, scope->pids, scope->nr_pids * sizeof(*pids));
	t->scope = *scope;
	t->scope.proc = proc;
	t->scope.pids = TAKE(pids);
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
	t->users = 1;
	ddp_table_queue_init(&t->queue, config->max_fds);
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
		ddp_log_warn("an unwind table is given up: its file takes too long to read");
		return false;
	}
	pthread_mutex_lock(&t->lock);
	unlock_and_put(t);
	return true;
}
