// SPDX-License-Identifier: Apache-2.0
/* See upload.h. The lock covers the queue and the flags; sending happens outside of it. */
#include "core/upload.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

struct ddp_uploader {
	struct ddp_exporter *exporter;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	struct ddp_upload queue[DDP_UPLOAD_QUEUE]; /* oldest first */
	unsigned int nr, unsent, dropped, said_dropped;
	bool sending, finishing, ended;
	bool down;			/* said already; the thread's own */
};

static void upload_free(struct ddp_upload *u)
{
	ddp_buffer_free(&u->profile);
	ddp_buffer_free(&u->tags);
	*u = (struct ddp_upload){ 0 };
}

static void pop(struct ddp_uploader *up, struct ddp_upload *ret)
{
	*ret = up->queue[0];
	up->nr--;
	memmove(up->queue, up->queue + 1, up->nr * sizeof(*up->queue));
}

static int send_one(struct ddp_uploader *up, const struct ddp_upload *u)
{
	struct ddp_export_result result = { 0 };
	struct ddp_export_form form = {
		.start_unix_ns = u->start_unix_ns, .end_unix_ns = u->end_unix_ns, .tags = &u->tags,
		.profile = u->profile.bytes, .profile_bytes = u->profile.len,
	};
	int r = ddp_exporter_send(up->exporter, &form, &result);

	if (r < 0) {
		ddp_log_warn("cannot upload a profile: %s", strerror(-r));
	} else if (r == DDP_EXPORT_REFUSED) {
		ddp_log_warn("a profile was refused: %s", result.message);
	} else if (r == DDP_EXPORT_RETRY && !up->down) {
		ddp_log_warn(
			"cannot upload: %s; profiling goes on, the newest %d profiles are kept "
			"and tried again",
			result.message, DDP_UPLOAD_QUEUE);
		up->down = true;
	} else if (r == DDP_EXPORT_OK) {
		if (up->down)
			ddp_log_notice("uploads work again");
		else
			ddp_log_info("uploaded %zu bytes", u->profile.len);
		up->down = false;
	}
	return r;
}

static struct timespec after_s(unsigned int s)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += s;
	return t;
}

/* The lock is held. Newer ones took its place. Says so whenever the number has doubled: a receiver
 * may be down for weeks */
static void drop(struct ddp_uploader *up, struct ddp_upload *u)
{
	upload_free(u);
	up->unsent++;
	up->dropped++;
	if (up->dropped < 2 * up->said_dropped)
		return;
	up->said_dropped = up->dropped;
	ddp_log_warn("too many profiles wait for their upload: %u dropped so far", up->dropped);
}

/* The lock is held. Puts back what may arrive later, unless newer ones took its place */
static void settle(struct ddp_uploader *up, struct ddp_upload *u, int outcome)
{
	if (outcome == DDP_EXPORT_RETRY && up->nr < DDP_UPLOAD_QUEUE) {
		memmove(up->queue + 1, up->queue, up->nr * sizeof(*up->queue));
		up->queue[0] = *u;
		up->nr++;
		return;
	}
	if (outcome == DDP_EXPORT_RETRY) {
		drop(up, u);
		return;
	}
	up->unsent += outcome != DDP_EXPORT_OK; /* said by send_one() */
	upload_free(u);
}

/* The lock is held, and given up while sending */
static int send_oldest(struct ddp_uploader *up)
{
	struct ddp_upload u;
	int outcome;

	pop(up, &u);
	up->sending = true;
	pthread_mutex_unlock(&up->lock);
	outcome = send_one(up, &u);
	pthread_mutex_lock(&up->lock);
	up->sending = false;
	settle(up, &u, outcome);
	return outcome;
}

/* The lock is held. Until the time for the next attempt, or the last one */
static void wait_retry(struct ddp_uploader *up, unsigned int *retry_s)
{
	struct timespec until = after_s(*retry_s);

	while (!up->finishing &&
	       pthread_cond_timedwait(&up->changed, &up->lock, &until) != ETIMEDOUT)
		;
	*retry_s = *retry_s * 2 < DDP_UPLOAD_RETRY_LAST_S ? *retry_s * 2 : DDP_UPLOAD_RETRY_LAST_S;
}

static void *run(void *uploader)
{
	unsigned int retry_s = DDP_UPLOAD_RETRY_FIRST_S;
	struct ddp_uploader *up = uploader;
	bool last;

	pthread_mutex_lock(&up->lock);
	for (;;) {
		while (!up->nr && !up->finishing)
			pthread_cond_wait(&up->changed, &up->lock);
		last = up->finishing;
		if (!up->nr)
			break;
		if (send_oldest(up) != DDP_EXPORT_RETRY)
			retry_s = DDP_UPLOAD_RETRY_FIRST_S;
		else if (last)
			break;
		else
			wait_retry(up, &retry_s);
	}
	up->ended = true;
	pthread_cond_broadcast(&up->changed);
	pthread_mutex_unlock(&up->lock);
	return NULL;
}

void ddp_uploader_add(struct ddp_uploader *up, struct ddp_upload *u)
{
	struct ddp_upload oldest;

	pthread_mutex_lock(&up->lock);
	if (up->nr == DDP_UPLOAD_QUEUE) {
		pop(up, &oldest);
		drop(up, &oldest);
	}
	up->queue[up->nr++] = *u;
	*u = (struct ddp_upload){ 0 };
	pthread_cond_broadcast(&up->changed);
	pthread_mutex_unlock(&up->lock);
}

static void wait_ended(struct ddp_uploader *up, unsigned int timeout_ms)
{
	struct timespec until = after_s((timeout_ms + 999) / 1000);

	while (!up->ended &&
	       pthread_cond_timedwait(&up->changed, &up->lock, &until) != ETIMEDOUT)
		;
}

unsigned int ddp_uploader_finish(struct ddp_uploader *up, unsigned int timeout_ms)
{
	unsigned int unsent;

	if (!up)
		return 0;
	pthread_mutex_lock(&up->lock);
	up->finishing = true;
	pthread_cond_broadcast(&up->changed);
	wait_ended(up, timeout_ms);
	if (!up->ended)
		ddp_exporter_cancel(up->exporter);
	pthread_mutex_unlock(&up->lock);
	pthread_join(up->thread, NULL);
	unsent = up->unsent + up->nr;
	while (up->nr)
		upload_free(&up->queue[--up->nr]);
	pthread_cond_destroy(&up->changed);
	pthread_mutex_destroy(&up->lock);
	ddp_exporter_destroy(up->exporter);
	free(up);
	return unsent;
}

static void init_sync(struct ddp_uploader *up)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&up->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&up->lock, NULL);
}

int ddp_uploader_create(const struct ddp_exporter_config *config, struct ddp_uploader **ret,
			struct ddp_error *err)
{
	CLEANUP(free) struct ddp_uploader *up = calloc(1, sizeof(*up));
	int r;

	if (!up)
		return -ENOMEM;
	r = ddp_exporter_create(config, &up->exporter, err);
	if (r)
		return r;
	init_sync(up);
	r = pthread_create(&up->thread, NULL, run, up);
	if (r) {
		ddp_exporter_destroy(up->exporter);
		return -r;
	}
	*ret = TAKE(up);
	return 0;
}
