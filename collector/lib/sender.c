// SPDX-License-Identifier: Apache-2.0
/*
 * See ddprof/sender.h. The threads, one a target, and the end of all of them within a given time;
 * what a target does is sender_target.c's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "ddprof/sender.h"
#include "sender_target.h"

struct runner {
	struct ddp_sender *sender;
	struct ddp__target *target;	/* owned */
	pthread_t thread;
	bool running;			/* to be joined */
};

struct ddp_sender {
	const struct ddp__system *sys;
	struct runner runners[DDP_SENDER_MAX_TARGETS];
	size_t nr;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	size_t nr_running;		/* under the lock */
	bool go;			/* under the lock: threads may begin */
};

DEFINE_CLEANUP(struct ddp_sender *, ddp_sender_destroy)
DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)

const char *ddp_sender_drop_name(enum ddp_sender_drop reason)
{
	static const char *const names[DDP_SENDER_NR_DROPS] = {
		[DDP_SENDER_DROP_QUEUE] = "queue",
		[DDP_SENDER_DROP_SPOOL] = "spool",
		[DDP_SENDER_DROP_REFUSED] = "refused",
		[DDP_SENDER_DROP_UNUSABLE] = "unusable",
		[DDP_SENDER_DROP_DAMAGED] = "damaged",
		[DDP_SENDER_DROP_END] = "end",
	};

	return (unsigned int)reason < DDP_SENDER_NR_DROPS ? names[reason] : NULL;
}

/* Running */

static void wait_to_go(struct ddp_sender *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->go)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void *run(void *runner)
{
	struct runner *r = runner;
	int64_t next;

	wait_to_go(r->sender);
	while ((next = ddp__target_step(r->target)) != TARGET_ENDED)
		ddp__target_wait(r->target, next);
	pthread_mutex_lock(&r->sender->lock);
	r->sender->nr_running--;
	pthread_cond_broadcast(&r->sender->changed);
	pthread_mutex_unlock(&r->sender->lock);
	return NULL;
}

static void go(struct ddp_sender *s)
{
	pthread_mutex_lock(&s->lock);
	s->go = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Threads that wait until they may go: nothing can fail any more */
static int start(struct ddp_sender *s, struct ddp_error *err)
{
	size_t i;
	int r;

	for (i = 0; i < s->nr; i++) {
		s->runners[i].sender = s;
		pthread_mutex_lock(&s->lock);
		s->nr_running++;
		pthread_mutex_unlock(&s->lock);
		r = pthread_create(&s->runners[i].thread, NULL, run, &s->runners[i]);
		if (r) {
			pthread_mutex_lock(&s->lock);
			s->nr_running--;
			pthread_mutex_unlock(&s->lock);
			return ddp__fail(err, -r, "cannot start a thread for sending");
		}
		s->runners[i].running = true;
	}
	return 0;
}

/* RFC 4122, version 4 */
static void make_id(const struct ddp__system *sys, char ret[BATCH_ID_BYTES])
{
	uint64_t a = sys->random(sys->ctx), b = sys->random(sys->ctx);

	snprintf(ret, BATCH_ID_BYTES, "%08x-%04x-4%03x-%04x-%012llx", (unsigned int)(a >> 32),
		 (unsigned int)(a >> 16) & 0xffff, (unsigned int)a & 0xfff,
		 ((unsigned int)(b >> 48) & 0x3fff) | 0x8000,
		 (unsigned long long)b & 0xffffffffffff);
}

int ddp_sender_add(struct ddp_sender *s, const struct ddp_export_form *form)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = NULL;
	char id[BATCH_ID_BYTES];
	size_t i;
	int r;

	make_id(s->sys, id);
	r = ddp__batch_create(form, id, &b);
	for (i = 0; !r && i < s->nr; i++)
		ddp__target_add(s->runners[i].target, b);
	return r;
}

int ddp_sender_get_stats(struct ddp_sender *s, size_t i, struct ddp_sender_stats *ret)
{
	if (i >= s->nr)
		return -ENOENT;
	ddp__target_count(s->runners[i].target, ret);
	return 0;
}

/* Ending */

static void wait_ended(struct ddp_sender *s, uint32_t timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (s->nr_running && !pthread_cond_timedwait(&s->changed, &s->lock, &until))
		;
	pthread_mutex_unlock(&s->lock);
}

static void end_thread(struct runner *r)
{
	if (!r->running)
		return;
	ddp__target_cancel(r->target);
	pthread_join(r->thread, NULL);
	r->running = false;
}

void ddp_sender_finish(struct ddp_sender *s, uint32_t timeout_ms)
{
	size_t i;

	for (i = 0; i < s->nr; i++)
		ddp__target_end(s->runners[i].target);
	go(s);
	if (timeout_ms)
		wait_ended(s, timeout_ms);
	for (i = 0; i < s->nr; i++)
		end_thread(&s->runners[i]);
}

void ddp_sender_destroy(struct ddp_sender *s)
{
	if (!s)
		return;
	ddp_sender_finish(s, 0);
	while (s->nr)
		ddp__target_destroy(s->runners[--s->nr].target);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	ddp__free(s);
}

/* Taking over */

static void take_over_target(struct runner *r, struct ddp_sender *old)
{
	size_t i;

	for (i = 0; i < old->nr; i++) {
		struct ddp__target *t = old->runners[i].target;

		if (strcmp(ddp__target_name(t), ddp__target_name(r->target)))
			continue;
		ddp__target_hand_over(t);
		end_thread(&old->runners[i]);
		ddp__target_take_over(r->target, t);
		return;
	}
}

static void take_over(struct ddp_sender *s, struct ddp_sender *old)
{
	size_t i;

	for (i = 0; old && i < s->nr; i++)
		take_over_target(&s->runners[i], old);
}

/* Creating */

static void init_sync(struct ddp_sender *s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
}

int ddp_sender_create(const struct ddp_sender_config *config, struct ddp_sender **ret,
		      struct ddp_error *err)
{
	struct ddp__listener listener = { config->on_event, config->ctx };
	CLEANUP(ddp_sender_destroy) struct ddp_sender *s = NULL;
	int r = 0;

	if (!config->nr_targets || config->nr_targets > DDP_SENDER_MAX_TARGETS)
		return ddp__fail(err, -EINVAL, "a sender has 1 to %d targets, not %zu",
				 DDP_SENDER_MAX_TARGETS, config->nr_targets);
	s = ddp__alloc(sizeof(*s));
	if (!s)
		return ddp__fail(err, -ENOMEM, "out of memory");
	s->sys = &ddp__system_real;
	init_sync(s);
	for (; !r && s->nr < config->nr_targets; s->nr += !r)
		r = ddp__target_create(s->sys, &config->targets[s->nr], &listener,
				       &s->runners[s->nr].target, err);
	if (!r)
		r = start(s, err);
	if (r)
		return r;
	take_over(s, config->replaces);
	go(s);
	*ret = TAKE(s);
	return 0;
}
