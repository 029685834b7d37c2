// SPDX-License-Identifier: Apache-2.0
/* See board.h. A question lies on its asker's stack, in a list, until it is answered. */
#include "metrics/board.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"

struct question {
	struct question *next;
	struct ddp_answer *ret;
	bool profile, answered;
};

struct ddp_board {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct question *first;		/* of the list, oldest first; on its asker's stack */
	const struct question *taken;	/* what ddp_board_next() told; NULL: nothing, or gone */
	int64_t waiting_since_ms;	/* monotonic; 0: nobody has waited in vain */
	int fd;
	bool shut;
};

/* The lock is held */
static void append(struct ddp_board *b, struct question *q)
{
	struct question **at = &b->first;

	while (*at)
		at = &(*at)->next;
	*at = q;
	if (!b->waiting_since_ms)
		b->waiting_since_ms = now_ms();
}

/* The lock is held */
static void take_out(struct ddp_board *b, const struct question *q)
{
	struct question **at = &b->first;

	while (*at && *at != q)
		at = &(*at)->next;
	if (*at)
		*at = q->next;
	if (b->taken == q)
		b->taken = NULL;
}

/* The lock is held. Until @q is answered, or nobody will */
static void wait_answer(struct ddp_board *b, const struct question *q, unsigned int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms;
	struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

	while (!q->answered && !b->shut &&
	       pthread_cond_timedwait(&b->changed, &b->lock, &t) != ETIMEDOUT)
		;
}

int ddp_board_ask(struct ddp_board *b, bool profile, unsigned int timeout_ms,
		  struct ddp_answer *ret)
{
	struct question q = { .ret = ret, .profile = profile };
	int r = 0;

	pthread_mutex_lock(&b->lock);
	append(b, &q);
	eventfd_write(b->fd, 1);
	wait_answer(b, &q, timeout_ms);
	if (!q.answered) {
		r = b->shut ? -ESHUTDOWN : -ETIMEDOUT;
		take_out(b, &q);
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

uint64_t ddp_board_waiting_ms(struct ddp_board *b)
{
	int64_t since;

	pthread_mutex_lock(&b->lock);
	since = b->waiting_since_ms;
	pthread_mutex_unlock(&b->lock);
	return since ? (uint64_t)(now_ms() - since) : 0;
}

int ddp_board_fd(const struct ddp_board *b)
{
	return b->fd;
}

bool ddp_board_next(struct ddp_board *b, bool *ret_profile)
{
	eventfd_t ignored;
	bool there;

	pthread_mutex_lock(&b->lock);
	eventfd_read(b->fd, &ignored);
	b->waiting_since_ms = 0; /* somebody came by */
	b->taken = b->first;
	there = b->first;
	if (there)
		*ret_profile = b->first->profile;
	pthread_mutex_unlock(&b->lock);
	return there;
}

void ddp_board_answer(struct ddp_board *b, struct ddp_answer *a)
{
	struct question *q;

	pthread_mutex_lock(&b->lock);
	q = b->first;
	if (q && q == b->taken) {
		*q->ret = *a;
		a->profile = NULL;
		q->answered = true;
		take_out(b, q);
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
	ddp_profile_destroy(TAKE(a->profile)); /* the asker has gone */
}

void ddp_board_shut(struct ddp_board *b)
{
	pthread_mutex_lock(&b->lock);
	b->shut = true;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

int ddp_board_create(struct ddp_board **ret)
{
	CLEANUP(free) struct ddp_board *b = calloc(1, sizeof(*b));
	pthread_condattr_t attr;

	if (!b)
		return -ENOMEM;
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd < 0)
		return -errno;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = TAKE(b);
	return 0;
}

void ddp_board_destroy(struct ddp_board *b)
{
	if (!b)
		return;
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	close_fd(b->fd);
	free(b);
}
