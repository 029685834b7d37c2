// SPDX-License-Identifier: Apache-2.0
/*
 * collector/unwind/tables and table_queue: who is first, who is refused and when again, what is
 * missing; then the thread with a module that is made up, whose answers and whose clock the test
 * sets. Descriptors are counted: none may be left behind, whenever the thread ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "unwind/tables.h"

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The queue */

static void push(struct ddp_table_queue *q, uint64_t id, uint32_t users)
{
	struct ddp_wanted *w = ddp_table_queue_get(q, id);

	assert_non_null(w);
	assert_int_equal(w->state, DDP_WANTED_IDLE);
	ddp_table_queue_push(q, w, open("/dev/null", O_RDONLY | O_CLOEXEC), strdup("/x"), users);
}

static uint64_t pop(struct ddp_table_queue *q)
{
	struct ddp_wanted *w = ddp_table_queue_pop(q);

	if (!w)
		return 0;
	ddp_table_queue_settle(q, w, 0, 0);
	return w->id;
}

static void most_users_first(void **state)
{
	struct ddp_table_queue q;
	size_t before = open_files();

	(void)state;
	ddp_table_queue_init(&q, DDP_TABLES_MAX_QUEUE);
	push(&q, 1, 1);
	push(&q, 2, 5);
	push(&q, 3, 1);
	push(&q, 4, 5);
	assert_false(ddp_table_queue_met(&q, 3, 9, 0)); /* it gained users while it waits */
	assert_false(ddp_table_queue_met(&q, 4, 2, 0));
	assert_true(ddp_table_queue_met(&q, 5, 1, 0));
	assert_int_equal(pop(&q), 3);
	assert_int_equal(pop(&q), 4); /* as many as 2 has, and newer */
	assert_int_equal(pop(&q), 2);
	assert_int_equal(pop(&q), 1);
	assert_int_equal(pop(&q), 0);
	assert_false(ddp_table_queue_met(&q, 1, 100, 0)); /* done */
	push(&q, 6, 1);
	ddp_table_queue_free(&q);
	assert_int_equal(open_files(), before);
}

static void a_full_queue_drops_the_least_used(void **state)
{
	struct ddp_table_queue q;
	uint64_t id = 1;

	(void)state;
	ddp_table_queue_init(&q, DDP_TABLES_MAX_QUEUE);
	for (; id <= DDP_TABLES_MAX_QUEUE; id++)
		push(&q, id, id % 2 ? 3 : 2);
	push(&q, id, 1); /* finds no place */
	assert_int_equal(ddp_table_queue_find(&q, id)->state, DDP_WANTED_IDLE);
	push(&q, id, 4); /* takes the place of the last one with 2 */
	assert_int_equal(q.dropped, 2);
	assert_int_equal(q.nr, DDP_TABLES_MAX_QUEUE);
	assert_true(ddp_table_queue_met(&q, DDP_TABLES_MAX_QUEUE, 1, 0));
	assert_int_equal(pop(&q), id);
	assert_int_equal(pop(&q), DDP_TABLES_MAX_QUEUE - 1); /* the newest with 3 */
	ddp_table_queue_free(&q);
}

static void few_descriptors_are_a_short_queue(void **state)
{
	struct ddp_table_queue q;

	(void)state;
	ddp_table_queue_init(&q, 2);
	for (uint64_t id = 1; id < 10; id++)
		push(&q, id, (uint32_t)id);
	assert_int_equal(q.nr, 2);
	assert_int_equal(pop(&q), 9);
	assert_int_equal(pop(&q), 8);
	ddp_table_queue_free(&q);
	ddp_table_queue_init(&q, 0);
	push(&q, 1, 1);
	assert_int_equal(pop(&q), 0);
	ddp_table_queue_free(&q);
}

static void refusals_rest_longer_each_time(void **state)
{
	static const int64_t rests[] = { 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000,
					 256000 };
	struct ddp_table_queue q;
	int64_t now = 5;

	(void)state;
	ddp_table_queue_init(&q, DDP_TABLES_MAX_QUEUE);
	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
		push(&q, 1, 1);
		ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), i % 2 ? -ENOSPC : -ENOMEM, now);
		assert_false(ddp_table_queue_met(&q, 1, 1, now + rests[i] - 1));
		now += rests[i];
		assert_true(ddp_table_queue_met(&q, 1, 1, now));
	}
	push(&q, 1, 1);
	ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), 0, now);
	ddp_table_queue_look(&q); /* the module forgot it again: the rests begin anew */
	ddp_table_queue_listed(&q, &(struct ddp_link_table){ .file_id = 1 }, now);
	push(&q, 1, 1);
	ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), -EBUSY, now);
	assert_true(ddp_table_queue_met(&q, 1, 1, now + rests[0]));
	ddp_table_queue_free(&q);
}

static void what_becomes_of_a_file(void **state)
{
	static const struct {
		int r;
		bool again;
	} rows[] = {
		{ 0, false }, { -ENOENT, true }, { -EINVAL, false }, { -EPERM, false },
		{ -EFBIG, false }, { -ENOSPC, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_table_queue q;

		ddp_table_queue_init(&q, 1);
		push(&q, 1, 1);
		ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), rows[i].r, 0);
		if (ddp_table_queue_met(&q, 1, 1, 0) != rows[i].again)
			fail_msg("after %s", strerror(-rows[i].r));
		ddp_table_queue_free(&q);
	}
}

/* One look at a list that has one file */
static size_t look(struct ddp_table_queue *q, uint64_t id, uint32_t bytes, uint64_t ended,
		   int64_t now)
{
	struct ddp_link_table said = { .file_id = id, .bytes = bytes, .ended = ended };
	size_t nr;

	ddp_table_queue_look(q);
	ddp_table_queue_listed(q, &said, now);
	ddp_table_queue_looked(q);
	nr = q->nr_missing;
	q->nr_missing = 0;
	return nr;
}

static void missing_is_what_walks_end_for_lack_of(void **state)
{
	struct ddp_table_queue q;

	(void)state;
	ddp_table_queue_init(&q, DDP_TABLES_MAX_QUEUE);
	/* never asked for, as its MAP was lost: only when walks end in it */
	assert_int_equal(look(&q, 1, 0, 0, 0), 0);
	assert_int_equal(look(&q, 1, 0, 3, 0), 1);
	assert_int_equal(q.missing[0], 1);
	assert_int_equal(look(&q, 1, 0, 3, 0), 0); /* no further ones */
	assert_int_equal(look(&q, 1, 0, 4, 0), 1);
	push(&q, 1, 1);
	assert_int_equal(look(&q, 1, 0, 5, 0), 0); /* it waits already */
	pop(&q);
	assert_int_equal(look(&q, 1, 100, 9, 0), 0); /* it has one: walks end for other reasons */
	assert_false(ddp_table_queue_met(&q, 1, 1, 0));
	assert_int_equal(look(&q, 1, 0, 9, 0), 0); /* evicted, and nobody needs it */
	assert_true(ddp_table_queue_met(&q, 1, 1, 0));
	assert_int_equal(look(&q, 1, 0, 10, 0), 1);
	push(&q, 1, 1);
	ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), -ENOSPC, 0);
	assert_int_equal(look(&q, 1, 0, 11, 1999), 0); /* it rests */
	assert_int_equal(look(&q, 1, 0, 12, 2000), 1);
	push(&q, 1, 1);
	ddp_table_queue_settle(&q, ddp_table_queue_pop(&q), -EINVAL, 0);
	assert_int_equal(look(&q, 1, 0, 13, 99999), 0); /* the module does not take it */
	ddp_table_queue_free(&q);
}

static void files_that_are_gone_are_forgotten(void **state)
{
	struct ddp_table_queue q;

	(void)state;
	ddp_table_queue_init(&q, DDP_TABLES_MAX_QUEUE);
	for (uint64_t id = 1; id <= 1000; id++)
		look(&q, id, 100, 0, 0);
	push(&q, 5000, 1);
	look(&q, 1, 100, 0, 0);
	assert_int_equal(q.files.nr, 2); /* the one in the list, and the one that waits */
	ddp_table_queue_look(&q);
	for (uint64_t id = 1; id <= 2 * DDP_TABLES_MAX_MISSING; id++)
		ddp_table_queue_listed(&q, &(struct ddp_link_table){ .file_id = id, .ended = 1 },
				       0);
	assert_int_equal(q.nr_missing, DDP_TABLES_MAX_MISSING);
	ddp_table_queue_free(&q);
}

/* The thread: a module that is made up */

enum { MAX_TOLD = 8192 };

struct module {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int64_t now;
	bool hold_builds, building, first_is_large;
	int build_answer, upload_answer;
	struct upload {
		uint64_t id;		/* that was asked for; 0: by descriptor */
		uint32_t rows;
	} uploads[MAX_TOLD];
	size_t nr_uploads, nr_builds, nr_lists;
	uint64_t next_id;		/* of files by descriptor */
	struct ddp_link_table listed;	/* file_id 0: none */
	size_t files_before;
	uint64_t max_ahead_bytes;
	struct ddp_tables *tables;
};

static struct module *module;	/* now_ms() and build() get no context */

static int64_t fake_now(void)
{
	int64_t now;

	pthread_mutex_lock(&module->lock);
	now = module->now;
	pthread_mutex_unlock(&module->lock);
	return now;
}

/* A table with as many rows as fit in a page directory's only page */
static int make_large(void **ret_image, size_t *ret_bytes)
{
	enum { ROWS = 1000 };
	struct large {
		struct ddprof_unwind_header h;
		struct ddprof_unwind_rule rules[1];
		uint32_t pages[2], rows[ROWS];
	} *image = calloc(1, sizeof(*image));

	assert_non_null(image);
	image->h = (struct ddprof_unwind_header){ DDPROF_UNWIND_MAGIC, 1, 0, 1, ROWS, 16 };
	image->pages[1] = ROWS;
	for (uint32_t i = 0; i < ROWS; i++)
		image->rows[i] = i << 16;
	*ret_image = image;
	*ret_bytes = sizeof(*image);
	return 0;
}

/* A table with three rows */
static int fake_build(int fd, void **ret_image, size_t *ret_bytes, struct ddp_cfi_counts *counts)
{
	static const struct {
		struct ddprof_unwind_header h;
		struct ddprof_unwind_rule rules[1];
		uint32_t pages[2], rows[3];
	} image = {
		.h = { DDPROF_UNWIND_MAGIC, 1, 0, 1, 3, 16 }, .pages = { 0, 3 },
		.rows = { 0x10000, 0x20000, 0x30000 },
	};
	bool large;
	int r;

	assert_true(fd >= 0);
	counts->rows = 3;
	counts->by_reason[DDP_CFI_RANGE] = 1;
	pthread_mutex_lock(&module->lock);
	module->nr_builds++;
	module->building = true;
	pthread_cond_broadcast(&module->changed);
	while (module->hold_builds)
		pthread_cond_wait(&module->changed, &module->lock);
	r = module->build_answer;
	large = module->first_is_large && module->nr_builds == 1;
	pthread_mutex_unlock(&module->lock);
	if (r)
		return r;
	if (large)
		return make_large(ret_image, ret_bytes);
	*ret_image = malloc(sizeof(image));
	*ret_bytes = sizeof(image);
	memcpy(*ret_image, &image, sizeof(image));
	return 0;
}

static int fake_upload(void *ctx, uint64_t id, int fd, const void *image, size_t bytes,
		       uint64_t *ret_id, struct ddp_error *err)
{
	struct module *m = ctx;
	struct ddp_rows rows;
	const char *fault;
	int r;

	snprintf(err->text, sizeof(err->text), "made up");
	if (ddp_rows_open(image, bytes, &rows, &fault))
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	r = m->upload_answer;
	m->uploads[m->nr_uploads++] = (struct upload){ id, rows.nr_rows };
	if (!id)
		r = r ? r : fcntl(fd, F_GETFD) < 0 ? -EBADF : 0;
	if (ret_id)
		*ret_id = id ? id : m->next_id++;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int fake_list(void *ctx, ddp_link_table_fn fn, void *fn_ctx, struct ddp_error *err)
{
	struct module *m = ctx;
	struct ddp_link_table listed;

	(void)err;
	pthread_mutex_lock(&m->lock);
	listed = m->listed;
	m->nr_lists++;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return listed.file_id ? fn(fn_ctx, &listed) : 0;
}

static const struct ddp_tables_ops fake_ops = {
	.upload = fake_upload, .list = fake_list, .build = fake_build, .now_ms = fake_now,
};

/* Until *@n is at least @want; the thread that does not get there fails the test */
static void wait_for(struct module *m, const size_t *n, size_t want)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	pthread_mutex_lock(&m->lock);
	while (*n < want && !r)
		r = pthread_cond_timedwait(&m->changed, &m->lock, &until);
	pthread_mutex_unlock(&m->lock);
	if (r)
		fail_msg("waited for %zu, there are %zu", want, *n);
}

static void set(struct module *m, void *to, const void *value, size_t n)
{
	pthread_mutex_lock(&m->lock);
	memcpy(to, value, n);
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}
#define SET(m, member, v)						\
	do {								\
		__typeof__((m)->member) v_ = (v);			\
		set((m), &(m)->member, &v_, sizeof(v_));		\
	} while (0)

/* What the thread counts after the module has answered */
#define WAIT_COUNT(m, member, want)					\
	do {								\
		struct ddp_tables_counts n_ = { 0 };			\
		for (int i_ = 0; i_ < 3000 && n_.member < (want); i_++) { \
			ddp_tables_count((m)->tables, &n_);		\
			usleep(i_ ? 10000 : 0);				\
		}							\
		assert_int_equal(n_.member, (want));			\
	} while (0)

/* Time passes, and the thread looks at the clock */
static void pass_ms(struct module *m, int64_t ms)
{
	SET(m, now, m->now + ms);
	ddp_tables_start(m->tables);
}

static int setup(void **state)
{
	struct module *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	m->next_id = 1000;
	m->max_ahead_bytes = 1 << 20;
	m->files_before = open_files();
	module = m;
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct module *m = *state;

	assert_true(ddp_tables_destroy(m->tables));
	assert_int_equal(open_files(), m->files_before);
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
	return 0;
}

static void create(struct module *m, const struct ddp_prebuild_scope *ahead, size_t max_made_bytes)
{
	struct ddp_tables_config config = {
		.ops = &fake_ops, .ctx = m, .ahead = ahead, .max_made_bytes = max_made_bytes,
		.max_ahead_bytes = m->max_ahead_bytes, .max_fds = 500,
	};

	assert_int_equal(ddp_tables_create(&config, &m->tables), 0);
}

static void want(struct module *m, uint64_t id, uint32_t users)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(ddp_tables_met(m->tables, id, users));
	assert_int_equal(ddp_tables_want(m->tables, id, fd, users, "/some/file"), 0);
	close(fd); /* it has its own */
}

static void nothing_is_uploaded_before_start(void **state)
{
	struct module *m = *state;

	create(m, NULL, 0);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	want(m, 1, 1);
	want(m, 2, 9);
	usleep(20000);
	assert_int_equal(m->nr_builds, 0);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, 2);
	assert_int_equal(m->uploads[0].id, 2);
	assert_int_equal(m->uploads[1].id, 1);
}

static void files_are_done_once_in_their_order(void **state)
{
	struct ddp_tables_counts n;
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->hold_builds = true;
	want(m, 1, 1);
	wait_for(m, &m->nr_builds, 1);
	want(m, 2, 1);
	want(m, 3, 4);
	assert_false(ddp_tables_met(m->tables, 2, 8));
	assert_false(ddp_tables_met(m->tables, 1, 8)); /* it is being made */
	SET(m, hold_builds, false);
	wait_for(m, &m->nr_uploads, 3);
	assert_int_equal(m->uploads[1].id, 2);
	assert_int_equal(m->uploads[2].id, 3);
	WAIT_COUNT(m, uploaded, 3);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.built, 3);
	assert_int_equal(n.rows, 9);
	assert_int_equal(n.cfi.rows, 9);
	assert_int_equal(n.cfi.by_reason[DDP_CFI_RANGE], 3);
	assert_true(n.image_bytes > 0 && !n.failed && !n.no_cfi && !n.refused);
}

static void what_has_no_rows_gets_a_table(void **state)
{
	static const struct {
		const char *what;
		int answer;		/* of building */
		uint64_t failed, no_cfi;
	} rows[] = {
		{ "no program", -ENOEXEC, 0, 1 },
		{ "one that is too large", -EFBIG, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct module *m = *state;
		struct ddp_tables_counts n;

		create(m, NULL, 0);
		m->nr_uploads = 0;
		m->build_answer = rows[i].answer;
		ddp_tables_start(m->tables);
		want(m, 7, 1);
		wait_for(m, &m->nr_uploads, 1);
		ddp_tables_count(m->tables, &n);
		if (m->uploads[0].rows || n.failed != rows[i].failed ||
		    n.no_cfi != rows[i].no_cfi)
			fail_msg("%s", rows[i].what);
		assert_true(ddp_tables_destroy(m->tables));
		m->tables = NULL;
	}
}

/* Nothing is told to the module that would stay when the failure has passed */
static void what_may_pass_is_tried_again(void **state)
{
	static const int answers[] = { -EIO, -ESTALE, -EACCES, -ENOMEM, -EBADMSG };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct module *m = *state;

		create(m, NULL, 0);
		m->nr_uploads = 0;
		m->build_answer = answers[i];
		ddp_tables_start(m->tables);
		want(m, 7, 1);
		WAIT_COUNT(m, failed, 1);
		usleep(10000);
		assert_int_equal(m->nr_uploads, 0);
		assert_false(ddp_tables_met(m->tables, 7, 2)); /* it rests */
		SET(m, now, m->now + DDP_TABLES_REFUSED_FIRST_MS);
		SET(m, build_answer, 0);
		want(m, 7, 1);
		wait_for(m, &m->nr_uploads, 1);
		assert_int_equal(m->uploads[0].rows, 3);
		assert_true(ddp_tables_destroy(m->tables));
		m->tables = NULL;
	}
}

static void a_file_that_cannot_be_opened_is_tried_again(void **state)
{
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	assert_int_equal(ddp_tables_want(m->tables, 7, -1, 1, "/gone"), 0);
	WAIT_COUNT(m, failed, 1);
	assert_false(ddp_tables_met(m->tables, 7, 2)); /* it rests */
	usleep(10000);
	assert_int_equal(m->nr_uploads, 0);
	SET(m, now, m->now + DDP_TABLES_REFUSED_FIRST_MS);
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 1);
	assert_int_equal(m->uploads[0].rows, 3);
}

static bool news(struct module *m)
{
	struct pollfd p = { .fd = ddp_tables_fd(m->tables), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void wait_news(struct module *m)
{
	for (int i = 0; i < 3000 && !news(m); i++)
		usleep(10000);
	assert_true(news(m));
}

static size_t nr_lists(struct module *m)
{
	size_t nr;

	pthread_mutex_lock(&m->lock);
	nr = m->nr_lists;
	pthread_mutex_unlock(&m->lock);
	return nr;
}

/* Until the module was asked for its list so many times, and its answer was understood */
static void pass_until(struct module *m, size_t nr)
{
	for (int i = 0; i < 3000 && nr_lists(m) <= nr; i++) {
		pass_ms(m, DDP_TABLES_LIST_MS + 1);
		usleep(10000);
	}
	assert_true(nr_lists(m) > nr);
}

static void no_room_is_tried_again_when_walks_need_it(void **state)
{
	uint64_t missing[DDP_TABLES_MAX_MISSING];
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->upload_answer = -ENOSPC;
	want(m, 7, 1);
	WAIT_COUNT(m, refused, 1);
	assert_false(ddp_tables_met(m->tables, 7, 2)); /* it rests */
	SET(m, listed, ((struct ddp_link_table){ .file_id = 7, .ended = 5 }));
	pass_until(m, 1);
	wait_news(m);
	assert_int_equal(ddp_tables_missing(m->tables, missing), 1);
	assert_int_equal(missing[0], 7);
	assert_false(news(m));
	assert_int_equal(ddp_tables_missing(m->tables, missing), 0);
	pass_until(m, nr_lists(m) + 2); /* nobody asked for it, and no walk ended in it since */
	assert_false(news(m));
	SET(m, listed, ((struct ddp_link_table){ .file_id = 7, .ended = 6 }));
	pass_until(m, nr_lists(m) + 1);
	wait_news(m);
	assert_int_equal(ddp_tables_missing(m->tables, missing), 1);
	SET(m, upload_answer, 0);
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 2);
}

/* What was told and not taken is not forgotten at the next look */
static void missing_stays_until_it_is_taken(void **state)
{
	uint64_t missing[DDP_TABLES_MAX_MISSING];
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	SET(m, listed, ((struct ddp_link_table){ .file_id = 7, .ended = 5 }));
	pass_until(m, 3);
	assert_int_equal(ddp_tables_missing(m->tables, missing), 1);
}

static void no_memory_is_tried_later(void **state)
{
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->build_answer = -ENOMEM;
	want(m, 7, 1);
	WAIT_COUNT(m, failed, 1);
	usleep(10000);
	assert_int_equal(m->nr_uploads, 0);
	assert_false(ddp_tables_met(m->tables, 7, 1));
	SET(m, now, m->now + DDP_TABLES_REFUSED_FIRST_MS);
	SET(m, build_answer, 0);
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 1);
}

/* The session is over, or the file is nobody's any more */
static void a_file_that_the_module_does_not_know(void **state)
{
	struct ddp_tables_counts n;
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->upload_answer = -ENOENT;
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 1);
	for (int i = 0; i < 3000 && !ddp_tables_met(m->tables, 7, 1); i++)
		usleep(10000);
	SET(m, upload_answer, 0);
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 2);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.failed + n.refused, 0);
}

static void the_thread_ends_while_files_wait(void **state)
{
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	for (uint64_t id = 1; id < 200; id++)
		want(m, id, 1);
}

/* Ends when the table that is being made is made, and makes no other one */
static void *let_go(void *ctx)
{
	struct module *m = ctx;

	usleep(50000);
	SET(m, hold_builds, false);
	return NULL;
}

static void the_thread_ends_after_the_one_it_makes(void **state)
{
	struct module *m = *state;
	pthread_t helper;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->hold_builds = true;
	want(m, 1, 1);
	want(m, 2, 1);
	wait_for(m, &m->nr_builds, 1);
	assert_int_equal(pthread_create(&helper, NULL, let_go, m), 0);
	assert_true(ddp_tables_destroy(m->tables));
	m->tables = NULL;
	pthread_join(helper, NULL);
	assert_int_equal(m->nr_builds, 1);
}

/* Ahead: the files of this very process, which maps itself and some libraries */

static void files_of_running_processes_are_made_ahead(void **state)
{
	uint32_t self = (uint32_t)getpid();
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = &self, .nr_pids = 1 };
	struct module *m = *state;
	size_t made;

	create(m, &scope, 1 << 20);
	self = 0; /* it has a copy */
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	made = m->nr_builds;
	assert_true(made > 1);
	assert_int_equal(m->nr_uploads, 0);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, made);
	usleep(20000);
	assert_int_equal(m->nr_uploads, made);
	assert_int_equal(m->nr_builds, made);
	for (size_t i = 0; i < made; i++)
		assert_int_equal(m->uploads[i].id, 0);
	/* when the first mapping comes it is done */
	assert_false(ddp_tables_met(m->tables, 1000, 1));
	assert_false(ddp_tables_met(m->tables, 1000 + made - 1, 1));
	assert_true(ddp_tables_met(m->tables, 1000 + made, 1));
}

/* It is met in a process before it is handed over, and cannot be opened there */
static void a_table_made_ahead_is_not_replaced(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;
	size_t made;

	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	made = m->nr_builds;
	assert_int_equal(ddp_tables_want(m->tables, 1000, -1, 1, "/elsewhere"), 0);
	ddp_tables_start(m->tables);
	want(m, 7, 1); /* done after those */
	wait_for(m, &m->nr_uploads, made + 1);
	WAIT_COUNT(m, uploaded, made + 1);
	for (size_t i = 0; i < made; i++)
		if (m->uploads[i].id == 1000 || !m->uploads[i].rows)
			fail_msg("it was replaced");
	SET(m, now, m->now + DDP_TABLES_REFUSED_FIRST_MS);
	assert_false(ddp_tables_met(m->tables, 1000, 1));
}

/* A file that only this process maps, so that a test may write to it */
struct own_file {
	int fd;
	void *map;
};

static struct own_file map_own_file(void)
{
	char path[] = "/tmp/test_tables.XXXXXX";
	struct own_file f = { .fd = mkstemp(path) };

	assert_true(f.fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(f.fd, 4096), 0);
	f.map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, f.fd, 0);
	assert_true(f.map != MAP_FAILED);
	return f;
}

static void unmap_own_file(struct own_file *f)
{
	munmap(f->map, 4096);
	close(f->fd);
}

/* Half of it may be from before, half from after */
static void a_file_that_changes_is_made_again(void **state)
{
	char path[] = "/tmp/test_tables.XXXXXX";
	int fd = mkstemp(path);
	struct module *m = *state;

	assert_true(fd >= 0);
	unlink(path);
	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->hold_builds = true;
	assert_int_equal(ddp_tables_want(m->tables, 7, fd, 1, "/new"), 0);
	wait_for(m, &m->nr_builds, 1);
	assert_int_equal(write(fd, "more", 4), 4);
	SET(m, hold_builds, false);
	WAIT_COUNT(m, failed, 1);
	usleep(10000);
	assert_int_equal(m->nr_uploads, 0);
	SET(m, now, m->now + DDP_TABLES_REFUSED_FIRST_MS);
	assert_true(ddp_tables_met(m->tables, 7, 1));
	assert_int_equal(ddp_tables_want(m->tables, 7, fd, 1, "/new"), 0);
	wait_for(m, &m->nr_uploads, 1);
	close(fd);
}

/* A file system that does not answer is told of, once, and in numbers */
static void a_file_that_is_never_read(void **state)
{
	struct ddp_tables_counts n;
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->hold_builds = true;
	want(m, 7, 1);
	wait_for(m, &m->nr_builds, 1);
	SET(m, now, m->now + 9999);
	ddp_tables_check(m->tables);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.stuck, 0);
	SET(m, now, m->now + 1);
	ddp_tables_check(m->tables);
	ddp_tables_check(m->tables);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.stuck, 1);
	SET(m, hold_builds, false);
	wait_for(m, &m->nr_uploads, 1); /* it answers after all */
	WAIT_COUNT(m, uploaded, 1);
	SET(m, now, m->now + 100000);
	ddp_tables_check(m->tables);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.stuck, 1);
}

static void a_file_that_changed_is_not_handed_over(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;
	struct own_file f = map_own_file();
	size_t made;

	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	made = m->nr_builds;
	assert_int_equal(write(f.fd, "x", 1), 1);
	assert_int_equal(ftruncate(f.fd, 5000), 0);
	ddp_tables_start(m->tables);
	want(m, 7, 1); /* done after those */
	wait_for(m, &m->nr_uploads, made);
	WAIT_COUNT(m, uploaded, made);
	assert_int_equal(m->uploads[made - 1].id, 7);
	unmap_own_file(&f);
}

static void one_table_over_the_limit_does_not_end_the_others(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;
	size_t made;

	m->first_is_large = true;
	m->max_ahead_bytes = 4000; /* the large one has more */
	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	made = m->nr_builds;
	assert_in_range(made, 3, 60);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, made - 1);
}

/* The module does not take the first; what is wrong with it is not wrong with the next */
static void a_wrong_table_does_not_end_the_others(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;

	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	m->upload_answer = -EINVAL;
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, m->nr_builds);
}

static void little_is_kept_until_start(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;

	create(m, &scope, 1);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	assert_int_equal(m->nr_builds, 1);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, 2); /* the others follow */
}

static void a_file_is_not_made_ahead_and_again(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t all;

	assert_true(fd >= 0);
	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	all = m->nr_builds;
	/* a sample met it before its table was handed over */
	assert_int_equal(ddp_tables_want(m->tables, 5, fd, 1, "/proc/self/exe"), 0);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, all);
	for (int i = 0; i < 3000 && ddp_tables_met(m->tables, 5, 1); i++)
		usleep(10000);
	usleep(20000);
	assert_int_equal(m->nr_builds, all);
	assert_int_equal(m->nr_uploads, all);
	close(fd);
}

static void no_room_ends_what_is_ahead(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;

	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	m->upload_answer = -ENOSPC;
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, 1);
	want(m, 7, 1); /* one that is needed is tried */
	wait_for(m, &m->nr_uploads, 2);
	assert_int_equal(m->uploads[1].id, 7);
}

/* Memory is left for the files that samples will meet */
static void not_all_room_is_for_what_is_ahead(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct ddp_tables_counts n;
	struct module *m = *state;

	m->max_ahead_bytes = 100; /* a made up table has 56 */
	create(m, &scope, 1 << 20);
	assert_true(ddp_tables_wait_ahead(m->tables, 30000));
	assert_true(m->nr_builds > 1);
	ddp_tables_start(m->tables);
	want(m, 7, 1);
	wait_for(m, &m->nr_uploads, 2);
	WAIT_COUNT(m, uploaded, 2);
	assert_int_equal(m->uploads[0].id, 0);
	assert_int_equal(m->uploads[1].id, 7);
	ddp_tables_count(m->tables, &n);
	assert_int_equal(n.refused, 0);
}

/* Tried again soon: room may be there in a moment */
static void a_refusal_is_looked_at_soon(void **state)
{
	struct module *m = *state;

	create(m, NULL, 0);
	ddp_tables_start(m->tables);
	m->upload_answer = -ENOSPC;
	SET(m, listed, ((struct ddp_link_table){ .file_id = 7, .ended = 5 }));
	want(m, 7, 1);
	WAIT_COUNT(m, refused, 1);
	/* it is settled a moment after it is counted; all this is less than DDP_TABLES_LIST_MS */
	for (int i = 0; i < 4 && !news(m); i++) {
		pass_ms(m, DDP_TABLES_REFUSED_FIRST_MS + 1);
		for (int k = 0; k < 100 && !news(m); k++)
			usleep(10000);
	}
	assert_true(news(m));
}

static void waiting_for_what_is_ahead_has_an_end(void **state)
{
	struct ddp_prebuild_scope scope = { .proc = "/proc", .pids = (uint32_t[]){ getpid() },
					    .nr_pids = 1 };
	struct module *m = *state;
	struct timespec t;

	m->hold_builds = true;
	create(m, &scope, 1 << 20);
	wait_for(m, &m->nr_builds, 1);
	clock_gettime(CLOCK_MONOTONIC, &t);
	assert_false(ddp_tables_wait_ahead(m->tables, 0));
	SET(m, hold_builds, false);
}

/* A FIFO to which nobody writes has the mappings of a process that is stuck */
static void a_process_whose_mappings_cannot_be_read_holds_no_other_up(void **state)
{
	char proc[] = "/tmp/test_tables.XXXXXX", process[40], maps[48];
	struct ddp_prebuild_scope scope = { .proc = proc };
	struct module *m = *state;
	int fd;

	assert_non_null(mkdtemp(proc));
	snprintf(process, sizeof(process), "%s/7", proc);
	snprintf(maps, sizeof(maps), "%s/maps", process);
	assert_int_equal(mkdir(process, 0700), 0);
	assert_int_equal(mkfifo(maps, 0600), 0);
	create(m, &scope, 1 << 20);
	fd = open(maps, O_WRONLY | O_CLOEXEC); /* waits for who reads */
	assert_true(fd >= 0);
	assert_false(ddp_tables_wait_ahead(m->tables, 0));
	ddp_tables_start(m->tables);
	want(m, 1, 1);
	wait_for(m, &m->nr_uploads, 1);
	assert_true(ddp_tables_destroy(TAKE(m->tables)));
	/* who reads goes when he can */
	close(fd);
	while (open_files() > m->files_before)
		sched_yield();
	unlink(maps);
	rmdir(process);
	rmdir(proc);
}

static void the_vdso_comes_first_and_again(void **state)
{
	struct module *m = *state;
	struct ddp_tables_config config = {
		.ops = &fake_ops, .ctx = m, .vdso = "no program", .vdso_bytes = 10,
		.max_fds = 2,
	};

	assert_int_equal(ddp_tables_create(&config, &m->tables), 0);
	want(m, 1, 1000);
	ddp_tables_start(m->tables);
	wait_for(m, &m->nr_uploads, 2);
	assert_int_equal(m->uploads[0].id, DDPROF_FILE_VDSO);
	assert_int_equal(m->uploads[0].rows, 0);
	/* evicted, and walks end in it */
	SET(m, listed, ((struct ddp_link_table){ .file_id = DDPROF_FILE_VDSO, .ended = 5 }));
	pass_ms(m, DDP_TABLES_LIST_MS + 1);
	wait_for(m, &m->nr_uploads, 3);
	assert_int_equal(m->uploads[2].id, DDPROF_FILE_VDSO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_users_first),
		cmocka_unit_test(a_full_queue_drops_the_least_used),
		cmocka_unit_test(few_descriptors_are_a_short_queue),
		cmocka_unit_test(refusals_rest_longer_each_time),
		cmocka_unit_test(what_becomes_of_a_file),
		cmocka_unit_test(missing_is_what_walks_end_for_lack_of),
		cmocka_unit_test(files_that_are_gone_are_forgotten),
		TEST(nothing_is_uploaded_before_start),
		TEST(files_are_done_once_in_their_order),
		TEST(what_has_no_rows_gets_a_table),
		TEST(what_may_pass_is_tried_again),
		TEST(a_file_that_cannot_be_opened_is_tried_again),
		TEST(a_table_made_ahead_is_not_replaced),
		TEST(a_file_that_changes_is_made_again),
		TEST(a_file_that_is_never_read),
		TEST(a_file_that_changed_is_not_handed_over),
		TEST(one_table_over_the_limit_does_not_end_the_others),
		TEST(a_wrong_table_does_not_end_the_others),
		TEST(no_room_is_tried_again_when_walks_need_it),
		TEST(missing_stays_until_it_is_taken),
		TEST(no_memory_is_tried_later),
		TEST(a_file_that_the_module_does_not_know),
		TEST(the_thread_ends_while_files_wait),
		TEST(the_thread_ends_after_the_one_it_makes),
		TEST(files_of_running_processes_are_made_ahead),
		TEST(little_is_kept_until_start),
		TEST(a_file_is_not_made_ahead_and_again),
		TEST(no_room_ends_what_is_ahead),
		TEST(not_all_room_is_for_what_is_ahead),
		TEST(a_refusal_is_looked_at_soon),
		TEST(waiting_for_what_is_ahead_has_an_end),
		TEST(a_process_whose_mappings_cannot_be_read_holds_no_other_up),
		TEST(the_vdso_comes_first_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
