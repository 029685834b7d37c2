// SPDX-License-Identifier: Apache-2.0
/*
 * See reader.h. All threads take from one queue. Only reading is done without the lock; who has got
 * stuck in it when the reader ends is left to itself: whoever goes last takes the memory along.
 */
#include "service/reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"

struct reader_thread {
	struct ddp_reader *reader;
	pthread_t thread;
	char *buffer;				/* owned */
	struct ddp_reader_request *reading;	/* NULL: nothing */
	int64_t since_ms;
	bool said;				/* that it is stuck */
	bool left_alone;			/* nobody joins it */
};

struct queue {
	struct ddp_reader_request *first, **end;
	size_t nr;
};

struct ddp_reader {
	pthread_mutex_t lock;
	pthread_cond_t asked, answered;		/* on CLOCK_MONOTONIC */
	struct reader_thread threads[DDP_READER_MAX_THREADS];
	size_t nr;
	size_t idle;				/* threads that wait for questions */
	size_t users;				/* threads, and who made it */
	struct queue questions, answers;
	bool ending;
};

/* Threads of readers that are no more: they count, or each reload could add some */
static atomic_size_t nr_left_alone;

void ddp_reader_request_free(struct ddp_reader_request *q)
{
	if (!q)
		return;
	close_fd(q->folder);
	free(q);
}

static void push(struct queue *to, struct ddp_reader_request *q)
{
	q->next = NULL;
	*to->end = q;
	to->end = &q->next;
	to->nr++;
}

static struct ddp_reader_request *pop(struct queue *from)
{
	struct ddp_reader_request *q = from->first;

	if (!q)
		return NULL;
	from->first = q->next;
	from->end = q->next ? from->end : &from->first;
	from->nr--;
	return q;
}

static void release(struct ddp_reader *r)
{
	struct ddp_reader_request *q;

	while ((q = pop(&r->questions)) || (q = pop(&r->answers)))
		ddp_reader_request_free(q);
	for (size_t i = 0; i < r->nr; i++)
		free(r->threads[i].buffer);
	pthread_cond_destroy(&r->asked);
	pthread_cond_destroy(&r->answered);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Threads; all of this with the lock held */

static bool is_stuck(const struct reader_thread *t)
{
	return t->reading && now_ms() - t->since_ms >= DDP_READER_STUCK_MS;
}

static bool may_start(const struct ddp_reader *r)
{
	return r->nr + atomic_load(&nr_left_alone) < DDP_READER_MAX_THREADS;
}

static bool all_are_stuck(const struct ddp_reader *r)
{
	for (size_t i = 0; i < r->nr; i++)
		if (!is_stuck(&r->threads[i]))
			return false;
	return !may_start(r);
}

static void read_on(struct reader_thread *t)
{
	struct ddp_reader *r = t->reader;

	while (!r->ending) {
		struct ddp_reader_request *q = pop(&r->questions);

		if (!q) {
			r->idle++;
			pthread_cond_wait(&r->asked, &r->lock);
			r->idle--;
			continue;
		}
		t->since_ms = now_ms();
		t->reading = q;
		t->said = false;
		pthread_mutex_unlock(&r->lock);
		ddp_proc_read_environ(q->folder, t->buffer, &q->facts);
		pthread_mutex_lock(&r->lock);
		t->reading = NULL;
		push(&r->answers, q);
		pthread_cond_signal(&r->answered);
	}
}

static void *run(void *thread)
{
	struct reader_thread *t = thread;
	struct ddp_reader *r = t->reader;
	bool last;

	pthread_mutex_lock(&r->lock);
	read_on(t);
	if (t->left_alone)
		atomic_fetch_sub(&nr_left_alone, 1);
	last = !--r->users;
	pthread_mutex_unlock(&r->lock);
	if (last)
		release(r);
	return NULL;
}

static int start_thread(struct ddp_reader *r)
{
	struct reader_thread *t = &r->threads[r->nr];
	int e;

	t->reader = r;
	t->buffer = malloc(DDP_PROC_MAX_ENVIRON);
	if (!t->buffer)
		return -ENOMEM;
	e = pthread_create(&t->thread, NULL, run, t);
	if (e) {
		free(TAKE(t->buffer));
		return -e;
	}
	r->nr++;
	r->users++;
	return 0;
}

/* Asking */

static int ask(struct ddp_reader *r, struct ddp_reader_request *q)
{
	int e = 0;

	if (r->questions.nr == DDP_READER_MAX_QUEUED || all_are_stuck(r))
		return -EBUSY;
	if (r->questions.nr >= r->idle && may_start(r))
		e = start_thread(r);
	if (e && !r->nr)
		return e;
	push(&r->questions, q);
	pthread_cond_signal(&r->asked);
	return 0;
}

int ddp_reader_ask(struct ddp_reader *r, struct ddp_reader_request *q)
{
	int e;

	pthread_mutex_lock(&r->lock);
	e = ask(r, q);
	pthread_mutex_unlock(&r->lock);
	return e;
}

int ddp_reader_state(struct ddp_reader *r)
{
	int state;

	pthread_mutex_lock(&r->lock);
	state = all_are_stuck(r) ? DDP_READER_STUCK :
		r->questions.nr == DDP_READER_MAX_QUEUED ? DDP_READER_FULL : DDP_READER_READY;
	pthread_mutex_unlock(&r->lock);
	return state;
}

struct ddp_reader_request *ddp_reader_answer(struct ddp_reader *r, int64_t until_ms)
{
	const struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };
	struct ddp_reader_request *q;
	bool wait = until_ms;

	pthread_mutex_lock(&r->lock);
	while (!(q = pop(&r->answers)) && wait)
		wait = !pthread_cond_timedwait(&r->answered, &r->lock, &until);
	pthread_mutex_unlock(&r->lock);
	return q;
}

uint32_t ddp_reader_next_stuck(struct ddp_reader *r)
{
	uint32_t tgid = 0;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; !tgid && i < r->nr; i++) {
		struct reader_thread *t = &r->threads[i];

		if (t->said || !is_stuck(t))
			continue;
		t->said = true;
		tgid = t->reading->tgid;
	}
	pthread_mutex_unlock(&r->lock);
	return tgid;
}

/* Coming and going */

int ddp_reader_create(struct ddp_reader **ret)
{
	struct ddp_reader *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	if (!r)
		return -ENOMEM;
	r->users = 1;
	r->questions.end = &r->questions.first;
	r->answers.end = &r->answers.first;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->asked, &attr);
	pthread_cond_init(&r->answered, &attr);
	pthread_condattr_destroy(&attr);
	*ret = r;
	return 0;
}

/* Who reads now may be stuck in a moment: he is not waited for either */
static size_t leave_alone(struct ddp_reader *r, pthread_t idle[DDP_READER_MAX_THREADS])
{
	size_t nr = 0;

	for (size_t i = 0; i < r->nr; i++) {
		struct reader_thread *t = &r->threads[i];

		if (!t->reading) {
			idle[nr++] = t->thread;
			continue;
		}
		t->left_alone = true;
		atomic_fetch_add(&nr_left_alone, 1);
		pthread_detach(t->thread);
	}
	return nr;
}

void ddp_reader_destroy(struct ddp_reader *r)
{
	pthread_t idle[DDP_READER_MAX_THREADS];
	size_t nr;
	bool last;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->ending = true;
	pthread_cond_broadcast(&r->asked);
	nr = leave_alone(r, idle);
	pthread_mutex_unlock(&r->lock);
	while (nr)
		pthread_join(idle[--nr], NULL);
	pthread_mutex_lock(&r->lock);
	last = !--r->users;
	pthread_mutex_unlock(&r->lock);
	if (last)
		release(r);
}
