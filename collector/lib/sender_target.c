// SPDX-License-Identifier: Apache-2.0
/* See sender_target.h and sender_target_internal.h: what is done when. */
#include <time.h>

#include "sender_target_internal.h"

/* Whether it goes on */
static bool begin_step(struct ddp__target *t)
{
	bool go_on;

	pthread_mutex_lock(&t->lock);
	t->news = false;
	if (t->ending && !t->last_try) {
		t->last_try = true;
		t->send_at_ns = 0;
		t->store_at_ns = 0;
	}
	go_on = !t->handing_over;
	pthread_mutex_unlock(&t->lock);
	return go_on;
}

static int64_t next_step(struct ddp__target *t)
{
	int64_t at = INT64_MAX;

	if (ddp__target_has_work(t))
		at = t->send_at_ns;
	if (t->stats.spool_down && (ddp__target_nr_queued(t) || !t->spool) && t->store_at_ns < at)
		at = t->store_at_ns;
	return at;
}

static void drop_rest(struct ddp__target *t)
{
	struct ddp__batch *b;

	while ((b = ddp__target_pop(t))) {
		ddp__target_drop(t, IN_QUEUE, b, DDP_SENDER_DROP_END, NULL);
		ddp__batch_unref(b);
	}
}

int64_t ddp__target_step(struct ddp__target *t)
{
	if (!begin_step(t))
		return TARGET_ENDED;
	ddp__target_store_news(t);
	if (ddp__target_has_work(t) && target_now_ns(t) >= t->send_at_ns) {
		ddp__target_send_oldest(t);
		ddp__target_count_files(t);
	}
	if (!t->last_try || (ddp__target_has_work(t) && !t->gave_up))
		return next_step(t);
	drop_rest(t);
	return TARGET_ENDED;
}

void ddp__target_wait(struct ddp__target *t, int64_t until_ns)
{
	struct timespec until = { .tv_sec = until_ns / 1000000000,
				  .tv_nsec = until_ns % 1000000000 };

	pthread_mutex_lock(&t->lock);
	while (!t->news && target_now_ns(t) < until_ns) {
		if (until_ns == INT64_MAX)
			pthread_cond_wait(&t->changed, &t->lock);
		else
			pthread_cond_timedwait(&t->changed, &t->lock, &until);
	}
	pthread_mutex_unlock(&t->lock);
}

void ddp__target_end(struct ddp__target *t)
{
	pthread_mutex_lock(&t->lock);
	t->ending = true;
	t->news = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void ddp__target_cancel(struct ddp__target *t)
{
	if (t->transport.cancel)
		t->transport.cancel(t->transport.ctx);
}
