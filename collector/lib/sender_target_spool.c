// SPDX-License-Identifier: Apache-2.0
/* See sender_target_internal.h: into the spool, and when it does not take anything. */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "sender_target_internal.h"

enum {
	STORE_AGAIN_MS = 10000,	/* after a disk did not take a batch */
	/* a spool that another one has, who may be at its end, is tried so often ... */
	OPEN_AGAIN_MS = 1000,
	OPEN_QUIETLY_MS = 15000,	/* ... and for so long it is nothing to be told */
};

DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)

static void drop_oldest_stored(struct ddp__target *t)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = NULL;

	(void)ddp__spool_oldest(t->spool, &b, NULL); /* only to tell its id */
	ddp__target_drop(t, IN_SPOOL, b, DDP_SENDER_DROP_SPOOL, NULL);
}

static void set_spool_down(struct ddp__target *t, bool down)
{
	pthread_mutex_lock(&t->lock);
	t->stats.spool_down = down;
	pthread_mutex_unlock(&t->lock);
}

/* Whether SPOOL_DOWN was told and SPOOL_UP was not, since */
static bool told_spool_down(const struct ddp__target *t)
{
	return t->told[DDP_SENDER_SPOOL_DOWN] > t->told[DDP_SENDER_SPOOL_UP];
}

static void spool_failed(struct ddp__target *t, int again_ms, const char *message)
{
	t->store_at_ns = target_now_ns(t) + again_ms * NS_PER_MS;
	set_spool_down(t, true);
	if (message && !told_spool_down(t))
		ddp__target_tell_state(t, DDP_SENDER_SPOOL_DOWN, message);
}

static void spool_works(struct ddp__target *t)
{
	set_spool_down(t, false);
	if (told_spool_down(t))
		ddp__target_tell_state(t, DDP_SENDER_SPOOL_UP, NULL);
}

/* Takes the reference. Whether to go on with the next one */
static bool store(struct ddp__target *t, struct ddp__batch *batch)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = batch;
	struct ddp_sender_event stored = { .kind = DDP_SENDER_STORED };
	int r;

	if (!ddp__spool_could_hold(t->spool, b)) {
		ddp__target_drop(t, IN_QUEUE, b, DDP_SENDER_DROP_SPOOL,
				 "larger than the whole spool");
		return true;
	}
	while (!ddp__spool_has_room(t->spool, b))
		drop_oldest_stored(t);
	r = ddp__spool_put(t->spool, b);
	if (r) {
		ddp__target_put_back(t, TAKE(b));
		spool_failed(t, STORE_AGAIN_MS, strerror(-r));
		return false;
	}
	stored.count = ddp__target_count_stored(t, b->n);
	spool_works(t);
	ddp__target_tell(t, stored, b);
	return true;
}

int ddp__target_open_spool(struct ddp__target *t, struct ddp_error *err)
{
	int r = ddp__spool_open(t->sys, t->spool_path, t->spool_bytes, &t->spool, err);

	if (r)
		return r;
	pthread_mutex_lock(&t->lock);
	t->stats.spooled = ddp__spool_nr(t->spool);
	t->stats.found += t->stats.spooled;
	t->stats.spooled_bytes = ddp__spool_bytes(t->spool);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* Whether there is a spool to store into now */
static bool have_spool(struct ddp__target *t)
{
	struct ddp_error err = { "" };
	bool quietly;
	int r;

	if (!t->spool_path || target_now_ns(t) < t->store_at_ns)
		return false;
	if (t->spool)
		return true;
	r = ddp__target_open_spool(t, &err);
	quietly = r == -EBUSY && target_now_ns(t) - t->created_ns < OPEN_QUIETLY_MS * NS_PER_MS;
	if (r)
		spool_failed(t, OPEN_AGAIN_MS, quietly ? NULL : err.text);
	else
		spool_works(t);
	return !r;
}

void ddp__target_store_news(struct ddp__target *t)
{
	struct ddp__batch *b;

	if (!have_spool(t))
		return;
	while ((b = ddp__target_pop(t)))
		if (!store(t, b))
			return;
}
