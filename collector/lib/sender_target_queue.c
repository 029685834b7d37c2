// SPDX-License-Identifier: Apache-2.0
/* See sender_target_internal.h: the queue, and what is counted and told of each batch. */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sender_target_internal.h"

DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)

/* Telling */

void ddp__target_tell(struct ddp__target *t, struct ddp_sender_event e, const struct ddp__batch *b)
{
	if (!t->listener.on_event)
		return;
	e.target = t->name;
	e.id = b ? ddp__batch_id(b) : "";
	e.bytes = b ? b->n : 0;
	e.message = e.message ? e.message : "";
	t->listener.on_event(t->listener.ctx, &e);
}

void ddp__target_tell_state(struct ddp__target *t, enum ddp_sender_event_kind kind,
			    const char *message)
{
	struct ddp_sender_event e = { .kind = kind, .message = message };

	pthread_mutex_lock(&t->lock);
	e.count = ++t->told[kind];
	pthread_mutex_unlock(&t->lock);
	ddp__target_tell(t, e, NULL);
}

static void tell_drop(struct ddp__target *t, const struct ddp__batch *b,
		      enum ddp_sender_drop reason, uint64_t count, const char *message)
{
	struct ddp_sender_event e = {
		.kind = DDP_SENDER_DROPPED, .reason = reason, .count = count, .message = message,
	};

	ddp__target_tell(t, e, b);
}

void ddp__target_note_error(struct ddp__target *t, const char *message)
{
	pthread_mutex_lock(&t->lock);
	snprintf(t->stats.last_error, sizeof(t->stats.last_error), "%s", message);
	t->stats.last_error_unix_ns = t->sys->unix_ns(t->sys->ctx);
	pthread_mutex_unlock(&t->lock);
}

/* Where batches are: every move is one change under the lock, so that the sum is always right */

static void uncount(struct ddp__target *t, enum place from, size_t bytes)
{
	if (from == IN_SPOOL) {
		t->stats.spooled--;
		t->stats.spooled_bytes = ddp__spool_bytes(t->spool);
	} else {
		t->stats.queued--;
		t->stats.queued_bytes -= bytes;
	}
}

/* From @from to a total. What that is now */
uint64_t ddp__target_count_out(struct ddp__target *t, enum place from, size_t bytes,
			       uint64_t *total)
{
	uint64_t now;

	pthread_mutex_lock(&t->lock);
	uncount(t, from, bytes);
	now = ++*total;
	pthread_mutex_unlock(&t->lock);
	return now;
}

uint64_t ddp__target_count_stored(struct ddp__target *t, size_t bytes)
{
	uint64_t now;

	pthread_mutex_lock(&t->lock);
	uncount(t, IN_QUEUE, bytes);
	t->stats.spooled++;
	t->stats.spooled_bytes = ddp__spool_bytes(t->spool);
	now = ++t->stats.stored;
	pthread_mutex_unlock(&t->lock);
	return now;
}

void ddp__target_count_files(struct ddp__target *t)
{
	struct ddp__directory_counts c;

	if (!t->transport.directory)
		return;
	ddp__directory_count(t->transport.directory, &c);
	pthread_mutex_lock(&t->lock);
	t->stats.files = c.files;
	t->stats.file_bytes = c.bytes;
	t->stats.files_removed = c.removed;
	pthread_mutex_unlock(&t->lock);
}

void ddp__target_count(struct ddp__target *t, struct ddp_sender_stats *ret)
{
	int64_t now = target_now_ns(t);

	pthread_mutex_lock(&t->lock);
	*ret = t->stats;
	if (ret->down && t->send_at_ns > now)
		ret->next_attempt_ms = (t->send_at_ns - now) / NS_PER_MS;
	pthread_mutex_unlock(&t->lock);
}

/* The queue */

/* The lock is held */
static struct ddp__batch *pop_locked(struct ddp__target *t)
{
	struct ddp__batch *b = t->queue[0];

	t->nr--;
	t->queue_bytes -= b->n;
	memmove(t->queue, t->queue + 1, t->nr * sizeof(*t->queue));
	return b;
}

/* The oldest, counted as in the queue until it is somewhere else; NULL: there is none */
struct ddp__batch *ddp__target_pop(struct ddp__target *t)
{
	struct ddp__batch *b;

	pthread_mutex_lock(&t->lock);
	b = t->nr ? pop_locked(t) : NULL;
	pthread_mutex_unlock(&t->lock);
	return b;
}

static bool has_room(const struct ddp__target *t, const struct ddp__batch *b)
{
	return t->nr < t->queue_max && b->n <= t->queue_bytes_max &&
	       t->queue_bytes <= t->queue_bytes_max - b->n;
}

/* Back to the front, unless newer ones took its place meanwhile. Takes the reference */
void ddp__target_put_back(struct ddp__target *t, struct ddp__batch *b)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *dropped = NULL;
	uint64_t count = 0;

	pthread_mutex_lock(&t->lock);
	if (has_room(t, b)) {
		memmove(t->queue + 1, t->queue, t->nr * sizeof(*t->queue));
		t->queue[0] = b;
		t->nr++;
		t->queue_bytes += b->n;
	} else {
		dropped = b;
		uncount(t, IN_QUEUE, b->n);
		count = ++t->stats.dropped[DDP_SENDER_DROP_QUEUE];
	}
	pthread_mutex_unlock(&t->lock);
	if (dropped)
		tell_drop(t, dropped, DDP_SENDER_DROP_QUEUE, count, NULL);
}

struct dropped {
	struct ddp__batch *batch;	/* a reference */
	enum ddp_sender_drop reason;
	uint64_t count;
};

/*
 * The lock is held. Adds @b, or makes room for it: true when there is a batch to be told of in
 * @ret, which is @b itself when there will be no room.
 */
static bool push_locked(struct ddp__target *t, struct ddp__batch *b, struct dropped *ret)
{
	bool never = t->ending || b->n > t->queue_bytes_max;

	if (!never && has_room(t, b)) {
		t->queue[t->nr++] = ddp__batch_ref(b);
		t->queue_bytes += b->n;
		t->stats.added++;
		t->stats.queued++;
		t->stats.queued_bytes += b->n;
		t->news = true;
		pthread_cond_signal(&t->changed);
		return false;
	}
	ret->reason = t->ending ? DDP_SENDER_DROP_END : DDP_SENDER_DROP_QUEUE;
	ret->count = ++t->stats.dropped[ret->reason];
	if (never) {
		ret->batch = ddp__batch_ref(b);
		t->stats.added++;
	} else {
		ret->batch = pop_locked(t);
		uncount(t, IN_QUEUE, ret->batch->n);
	}
	return true;
}

void ddp__target_add(struct ddp__target *t, struct ddp__batch *b)
{
	struct dropped d;
	bool again = true;

	while (again) {
		pthread_mutex_lock(&t->lock);
		again = push_locked(t, b, &d);
		pthread_mutex_unlock(&t->lock);
		if (!again)
			return;
		tell_drop(t, d.batch, d.reason, d.count, NULL);
		again = d.batch != b;
		ddp__batch_unref(d.batch);
	}
}

uint32_t ddp__target_nr_queued(struct ddp__target *t)
{
	uint32_t nr;

	pthread_mutex_lock(&t->lock);
	nr = t->nr;
	pthread_mutex_unlock(&t->lock);
	return nr;
}

/* Giving up a batch */

void ddp__target_drop(struct ddp__target *t, enum place from, const struct ddp__batch *b,
		      enum ddp_sender_drop reason, const char *message)
{
	uint64_t count;

	if (from == IN_SPOOL)
		ddp__spool_remove_oldest(t->spool);
	count = ddp__target_count_out(t, from, b ? b->n : 0, &t->stats.dropped[reason]);
	tell_drop(t, b, reason, count, message);
}
