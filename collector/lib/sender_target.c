// SPDX-License-Identifier: Apache-2.0
/*
 * See sender_target.h. The lock covers the queue and the counters and is never held over a send, a
 * disk or the listener; everything else is the target's thread's. A batch is in one of three
 * places: the queue, this thread's hands, or the spool; with a spool that works the queue is only
 * the way there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "sender_directory.h"
#include "sender_target.h"
#include "spool.h"

#define NS_PER_MS 1000000LL

enum {
	STORE_AGAIN_MS = 10000,	/* after a disk did not take a batch */
	/* a spool that another one has, who may be at its end, is tried so often ... */
	OPEN_AGAIN_MS = 1000,
	OPEN_QUIETLY_MS = 15000,	/* ... and for so long it is nothing to be told */
};

/* How bytes get out: one of the three kinds of target */
struct transport {
	int (*send)(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret);
	void (*cancel)(void *ctx);	/* NULL: it never takes long */
	void *ctx;
	struct ddp_exporter *exporter;	/* owned; NULL: another kind */
	struct ddp__directory *directory;	/* owned; NULL: another kind */
};

struct ddp__target {
	const struct ddp__system *sys;
	struct ddp__listener listener;
	char *name;
	uint64_t queue_bytes_max, retry_first_ms, retry_last_ms;
	uint32_t queue_max;
	struct transport transport;
	char *spool_path;		/* NULL: none */
	uint64_t spool_bytes;
	struct ddp__spool *spool;	/* NULL: none, or somebody else has it; the thread's */

	pthread_mutex_t lock;
	pthread_cond_t changed;		/* on CLOCK_MONOTONIC */
	struct ddp__batch **queue;	/* owned; oldest first; room for one more than queue_max */
	uint32_t nr;
	uint64_t queue_bytes;		/* of those in the queue */
	bool news, ending, handing_over;
	struct ddp_sender_stats stats;
	uint64_t told[DDP_SENDER_DROPPED];	/* events of each kind that stats do not count */
	int64_t send_at_ns;		/* written by the thread */

	/* the thread's own */
	int64_t store_at_ns;
	int64_t created_ns;
	uint32_t failed;		/* attempts in a row */
	bool last_try, gave_up;
};

DEFINE_CLEANUP(struct ddp__target *, ddp__target_destroy)
DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)
DEFINE_CLEANUP_IN_PLACE(struct ddp__batch_form, ddp__batch_form_free)

static int64_t now_ns(const struct ddp__target *t)
{
	return t->sys->monotonic_ns(t->sys->ctx);
}

/* Telling */

static void tell(struct ddp__target *t, struct ddp_sender_event e, const struct ddp__batch *b)
{
	if (!t->listener.on_event)
		return;
	e.target = t->name;
	e.id = b ? ddp__batch_id(b) : "";
	e.bytes = b ? b->n : 0;
	e.message = e.message ? e.message : "";
	t->listener.on_event(t->listener.ctx, &e);
}

static void tell_state(struct ddp__target *t, enum ddp_sender_event_kind kind, const char *message)
{
	struct ddp_sender_event e = { .kind = kind, .message = message };

	pthread_mutex_lock(&t->lock);
	e.count = ++t->told[kind];
	pthread_mutex_unlock(&t->lock);
	tell(t, e, NULL);
}

static void tell_drop(struct ddp__target *t, const struct ddp__batch *b,
		      enum ddp_sender_drop reason, uint64_t count, const char *message)
{
	tell(t, (struct ddp_sender_event){ .kind = DDP_SENDER_DROPPED, .reason = reason,
					   .count = count, .message = message }, b);
}

static void note_error(struct ddp__target *t, const char *message)
{
	pthread_mutex_lock(&t->lock);
	snprintf(t->stats.last_error, sizeof(t->stats.last_error), "%s", message);
	t->stats.last_error_unix_ns = t->sys->unix_ns(t->sys->ctx);
	pthread_mutex_unlock(&t->lock);
}

/* Where batches are: every move is one change under the lock, so that the sum is always right */

enum place { IN_QUEUE, IN_SPOOL };	/* in this thread's hands counts as in the queue */

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
static uint64_t count_out(struct ddp__target *t, enum place from, size_t bytes, uint64_t *total)
{
	uint64_t now;

	pthread_mutex_lock(&t->lock);
	uncount(t, from, bytes);
	now = ++*total;
	pthread_mutex_unlock(&t->lock);
	return now;
}

static uint64_t count_stored(struct ddp__target *t, size_t bytes)
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
static struct ddp__batch *pop(struct ddp__target *t)
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
static void put_back(struct ddp__target *t, struct ddp__batch *b)
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

/* Giving up a batch */

static void drop(struct ddp__target *t, enum place from, const struct ddp__batch *b,
		 enum ddp_sender_drop reason, const char *message)
{
	uint64_t count;

	if (from == IN_SPOOL)
		ddp__spool_remove_oldest(t->spool);
	count = count_out(t, from, b ? b->n : 0, &t->stats.dropped[reason]);
	tell_drop(t, b, reason, count, message);
}

/* The spool */

static void drop_oldest_stored(struct ddp__target *t)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = NULL;

	(void)ddp__spool_oldest(t->spool, &b, NULL); /* only to tell its id */
	drop(t, IN_SPOOL, b, DDP_SENDER_DROP_SPOOL, NULL);
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
	t->store_at_ns = now_ns(t) + again_ms * NS_PER_MS;
	set_spool_down(t, true);
	if (message && !told_spool_down(t))
		tell_state(t, DDP_SENDER_SPOOL_DOWN, message);
}

static void spool_works(struct ddp__target *t)
{
	set_spool_down(t, false);
	if (told_spool_down(t))
		tell_state(t, DDP_SENDER_SPOOL_UP, NULL);
}

/* Takes the reference. Whether to go on with the next one */
static bool store(struct ddp__target *t, struct ddp__batch *batch)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = batch;
	struct ddp_sender_event stored = { .kind = DDP_SENDER_STORED };
	int r;

	if (!ddp__spool_could_hold(t->spool, b)) {
		drop(t, IN_QUEUE, b, DDP_SENDER_DROP_SPOOL, "larger than the whole spool");
		return true;
	}
	while (!ddp__spool_has_room(t->spool, b))
		drop_oldest_stored(t);
	r = ddp__spool_put(t->spool, b);
	if (r) {
		put_back(t, TAKE(b));
		spool_failed(t, STORE_AGAIN_MS, strerror(-r));
		return false;
	}
	stored.count = count_stored(t, b->n);
	spool_works(t);
	tell(t, stored, b);
	return true;
}

static int open_spool(struct ddp__target *t, struct ddp_error *err)
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

	if (!t->spool_path || now_ns(t) < t->store_at_ns)
		return false;
	if (t->spool)
		return true;
	r = open_spool(t, &err);
	quietly = r == -EBUSY && now_ns(t) - t->created_ns < OPEN_QUIETLY_MS * NS_PER_MS;
	if (r)
		spool_failed(t, OPEN_AGAIN_MS, quietly ? NULL : err.text);
	else
		spool_works(t);
	return !r;
}

static void store_news(struct ddp__target *t)
{
	struct ddp__batch *b;

	if (!have_spool(t))
		return;
	while ((b = pop(t)))
		if (!store(t, b))
			return;
}

/* Sending */

/* Of a pause that doubles with each failure, a random part: from nothing to all of it */
static int64_t pause_ms(struct ddp__target *t, uint32_t retry_after_ms)
{
	uint32_t doubled = t->failed < 20 ? t->failed : 20;
	uint64_t longest = t->retry_first_ms << doubled;

	if (retry_after_ms > DDP_SENDER_RETRY_AFTER_MAX_MS)
		retry_after_ms = DDP_SENDER_RETRY_AFTER_MAX_MS;
	if (retry_after_ms || longest < t->retry_first_ms)
		longest = t->retry_first_ms;
	if (longest > t->retry_last_ms)
		longest = t->retry_last_ms;
	return (int64_t)(retry_after_ms + t->sys->random(t->sys->ctx) % (longest + 1));
}

static void pause_sending(struct ddp__target *t, const struct ddp_export_result *result)
{
	int64_t until = now_ns(t) + pause_ms(t, result->retry_after_ms) * NS_PER_MS;
	bool down;

	t->failed++;
	t->gave_up = t->last_try;
	note_error(t, result->message);
	pthread_mutex_lock(&t->lock);
	t->send_at_ns = until;
	t->stats.retried++;
	down = t->stats.down;
	t->stats.down = true;
	pthread_mutex_unlock(&t->lock);
	if (!down)
		tell_state(t, DDP_SENDER_DOWN, result->message);
}

static void sent(struct ddp__target *t, enum place from, const struct ddp__batch *b,
		 const char *message)
{
	struct ddp_sender_event e = { .kind = DDP_SENDER_SENT, .message = message };
	bool down;

	if (from == IN_SPOOL)
		ddp__spool_remove_oldest(t->spool);
	t->failed = 0;
	e.count = count_out(t, from, b->n, &t->stats.sent);
	pthread_mutex_lock(&t->lock);
	t->stats.sent_bytes += b->n;
	t->stats.last_sent_unix_ns = t->sys->unix_ns(t->sys->ctx);
	down = t->stats.down;
	t->stats.down = false;
	pthread_mutex_unlock(&t->lock);
	if (down)
		tell_state(t, DDP_SENDER_UP, NULL);
	tell(t, e, b);
}

/* What a send came to. Takes the reference */
static void settle(struct ddp__target *t, enum place from, struct ddp__batch *batch, int outcome,
		   const struct ddp_export_result *result)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = batch;

	switch (outcome) {
	case DDP_EXPORT_OK:
		sent(t, from, b, result->message);
		return;
	case DDP_EXPORT_RETRY:
		pause_sending(t, result);
		break;
	case DDP_EXPORT_CANCELLED:
		t->gave_up = t->last_try;
		break;
	default:
		t->failed = 0;
		note_error(t, result->message);
		drop(t, from, b, outcome < 0 ? DDP_SENDER_DROP_UNUSABLE : DDP_SENDER_DROP_REFUSED,
		     result->message);
		return;
	}
	if (from == IN_QUEUE)
		put_back(t, TAKE(b));
}

/* As ddp_exporter_send(), but that a lack of memory is a reason to try again */
static int send_batch(struct ddp__target *t, const struct ddp__batch *b,
		      struct ddp_export_result *ret)
{
	CLEANUP(ddp__batch_form_free) struct ddp__batch_form f = { .form = { .id = NULL } };
	int r = ddp__batch_open(b, &f);

	if (r == -EBADMSG)
		return r;
	if (!r) {
		pthread_mutex_lock(&t->lock);
		t->stats.attempts++;
		pthread_mutex_unlock(&t->lock);
		r = t->transport.send(t->transport.ctx, &f.form, ret);
	}
	if (r < 0)
		snprintf(ret->message, sizeof(ret->message), "%s", strerror(-r));
	return r == -ENOMEM ? DDP_EXPORT_RETRY : r == -EBADMSG ? -EINVAL : r;
}

static void send_stored(struct ddp__target *t)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = NULL;
	struct ddp_export_result result = { 0 };
	struct ddp_error err = { "a batch in the spool is damaged" };
	int r = ddp__spool_oldest(t->spool, &b, &err);

	if (!r)
		r = send_batch(t, b, &result);
	else if (r != -EBADMSG)
		snprintf(result.message, sizeof(result.message), "%s", strerror(-r));
	if (r == -EBADMSG) {
		note_error(t, err.text);
		drop(t, IN_SPOOL, NULL, DDP_SENDER_DROP_DAMAGED, err.text);
	} else if (!b) {
		pause_sending(t, &result);
	} else {
		settle(t, IN_SPOOL, TAKE(b), r, &result);
	}
}

static void send_queued(struct ddp__target *t)
{
	struct ddp_export_result result = { 0 };
	struct ddp__batch *b = pop(t);

	if (b)
		settle(t, IN_QUEUE, b, send_batch(t, b, &result), &result);
}

static uint32_t nr_queued(struct ddp__target *t)
{
	uint32_t nr;

	pthread_mutex_lock(&t->lock);
	nr = t->nr;
	pthread_mutex_unlock(&t->lock);
	return nr;
}

/* What is in a queue whose spool works has just come, and is stored first */
static bool may_send_queued(struct ddp__target *t)
{
	return (!t->spool_path || t->stats.spool_down) && nr_queued(t);
}

static bool has_work(struct ddp__target *t)
{
	return (t->spool && ddp__spool_nr(t->spool)) || may_send_queued(t);
}

static void send_oldest(struct ddp__target *t)
{
	if (t->spool && ddp__spool_nr(t->spool))
		send_stored(t);
	else
		send_queued(t);
}

/* Steps */

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

	if (has_work(t))
		at = t->send_at_ns;
	if (t->stats.spool_down && (nr_queued(t) || !t->spool) && t->store_at_ns < at)
		at = t->store_at_ns;
	return at;
}

static void drop_rest(struct ddp__target *t)
{
	struct ddp__batch *b;

	while ((b = pop(t))) {
		drop(t, IN_QUEUE, b, DDP_SENDER_DROP_END, NULL);
		ddp__batch_unref(b);
	}
}

static void count_files(struct ddp__target *t)
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

int64_t ddp__target_step(struct ddp__target *t)
{
	if (!begin_step(t))
		return TARGET_ENDED;
	store_news(t);
	if (has_work(t) && now_ns(t) >= t->send_at_ns) {
		send_oldest(t);
		count_files(t);
	}
	if (!t->last_try || (has_work(t) && !t->gave_up))
		return next_step(t);
	drop_rest(t);
	return TARGET_ENDED;
}

void ddp__target_wait(struct ddp__target *t, int64_t until_ns)
{
	struct timespec until = { .tv_sec = until_ns / 1000000000,
				  .tv_nsec = until_ns % 1000000000 };

	pthread_mutex_lock(&t->lock);
	while (!t->news && now_ns(t) < until_ns) {
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

void ddp__target_count(struct ddp__target *t, struct ddp_sender_stats *ret)
{
	int64_t now = now_ns(t);

	pthread_mutex_lock(&t->lock);
	*ret = t->stats;
	if (ret->down && t->send_at_ns > now)
		ret->next_attempt_ms = (t->send_at_ns - now) / NS_PER_MS;
	pthread_mutex_unlock(&t->lock);
}

/* Taking over */

void ddp__target_hand_over(struct ddp__target *t)
{
	pthread_mutex_lock(&t->lock);
	t->handing_over = true;
	pthread_mutex_unlock(&t->lock);
	ddp__target_end(t);
}

const char *ddp__target_name(const struct ddp__target *t)
{
	return t->name;
}

static void take_spool(struct ddp__target *t, struct ddp__target *old)
{
	if (t->spool || !t->spool_path || !old->spool || strcmp(t->spool_path, old->spool_path))
		return;
	t->spool = TAKE(old->spool);
	ddp__spool_set_limit(t->spool, t->spool_bytes);
}

/* What a spool keeps that does not come along stays @old's: it is neither found nor added here */
static void leave_spooled(struct ddp_sender_stats *s, struct ddp_sender_stats *old)
{
	uint64_t of_found = s->found < s->spooled ? s->found : s->spooled;

	s->found -= of_found;
	s->added -= s->spooled - of_found;
	old->found = old->spooled = s->spooled;
	old->spooled_bytes = s->spooled_bytes;
	s->spooled = s->spooled_bytes = 0;
}

/* All but what waits in memory, which is added again batch by batch */
static void take_counts(struct ddp__target *t, struct ddp__target *old)
{
	struct ddp_sender_stats s;

	pthread_mutex_lock(&old->lock);
	s = old->stats;
	old->stats = (struct ddp_sender_stats){ .target = old->name };
	if (old->spool)
		leave_spooled(&s, &old->stats);
	pthread_mutex_unlock(&old->lock);
	s.target = t->name;
	s.added -= s.queued;
	s.queued = s.queued_bytes = 0;
	s.down = s.spool_down = 0;
	s.found += t->stats.found;	/* in a spool that is not the same */
	s.spooled += t->stats.spooled;
	s.spooled_bytes += t->stats.spooled_bytes;
	pthread_mutex_lock(&t->lock);
	t->stats = s;
	pthread_mutex_unlock(&t->lock);
}

void ddp__target_take_over(struct ddp__target *t, struct ddp__target *old)
{
	struct ddp__batch *b;

	take_spool(t, old);
	take_counts(t, old);
	count_files(t);
	while ((b = pop(old))) {
		ddp__target_add(t, b);
		ddp__batch_unref(b);
	}
}

/* Creating */

static char *copy(const char *s)
{
	size_t n = strlen(s) + 1;
	char *c = ddp__alloc(n);

	if (c)
		memcpy(c, s, n);
	return c;
}

static int send_by_exporter(void *ctx, const struct ddp_export_form *form,
			    struct ddp_export_result *ret)
{
	return ddp_exporter_send(ctx, form, ret);
}

static void cancel_exporter(void *ctx)
{
	ddp_exporter_cancel(ctx);
}

static int send_to_directory(void *ctx, const struct ddp_export_form *form,
			     struct ddp_export_result *ret)
{
	return ddp__directory_put(ctx, form, ret);
}

static int open_exporter(struct transport *t, const struct ddp_exporter_config *c,
			 struct ddp_error *err)
{
	int r = ddp_exporter_create(c, &t->exporter, err);

	if (r)
		return r;
	t->send = send_by_exporter;
	t->cancel = cancel_exporter;
	t->ctx = t->exporter;
	return 0;
}

static int open_directory(struct ddp__target *t, const struct ddp_sender_target *c,
			  struct ddp_error *err)
{
	uint64_t bytes = c->directory_bytes ? c->directory_bytes : DDP_SENDER_DIRECTORY_BYTES;
	int r = ddp__directory_open(t->sys, c->directory, bytes, c->directory_age_s,
				    &t->transport.directory, err);

	if (r)
		return r;
	t->transport.send = send_to_directory;
	t->transport.ctx = t->transport.directory;
	count_files(t);
	return 0;
}

static int open_transport(struct ddp__target *t, const struct ddp_sender_target *c,
			  struct ddp_error *err)
{
	if (!!c->exporter + !!c->directory + !!c->send != 1)
		return ddp__fail(err, -EINVAL, "target %.60s: give one of a receiver and a folder",
				 t->name);
	if (c->exporter)
		return open_exporter(&t->transport, c->exporter, err);
	if (c->directory)
		return open_directory(t, c, err);
	t->transport.send = c->send;
	t->transport.cancel = c->cancel;
	t->transport.ctx = c->ctx;
	return 0;
}

/* One that somebody else has is waited for */
static int begin_spool(struct ddp__target *t, const struct ddp_sender_target *c,
		       struct ddp_error *err)
{
	int r;

	if (!c->spool)
		return 0;
	t->spool_bytes = c->spool_bytes ? c->spool_bytes : DDP_SENDER_SPOOL_BYTES;
	t->spool_path = copy(c->spool);
	if (!t->spool_path)
		return -ENOMEM;
	r = open_spool(t, err);
	return r == -EBUSY ? 0 : r;
}

static void set_limits(struct ddp__target *t, const struct ddp_sender_target *c)
{
	t->queue_bytes_max = c->queue_bytes ? c->queue_bytes : DDP_SENDER_QUEUE_BYTES;
	t->queue_max = c->queue_batches ? c->queue_batches : DDP_SENDER_QUEUE_BATCHES;
	t->retry_first_ms = c->retry_first_ms ? c->retry_first_ms : DDP_SENDER_RETRY_FIRST_MS;
	t->retry_last_ms = c->retry_last_ms ? c->retry_last_ms : DDP_SENDER_RETRY_LAST_MS;
}

static void init_sync(struct ddp__target *t)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&t->lock, NULL);
}

int ddp__target_create(const struct ddp__system *sys, const struct ddp_sender_target *config,
		       const struct ddp__listener *listener, struct ddp__target **ret,
		       struct ddp_error *err)
{
	CLEANUP(ddp__target_destroy) struct ddp__target *t = NULL;
	int r;

	if (!config->name || !*config->name)
		return ddp__fail(err, -EINVAL, "a target needs a name");
	t = ddp__alloc(sizeof(*t));
	if (!t)
		return ddp__fail(err, -ENOMEM, "out of memory");
	t->sys = sys;
	t->listener = *listener;
	t->created_ns = now_ns(t);
	init_sync(t);
	set_limits(t, config);
	t->queue = ddp__alloc(((size_t)t->queue_max + 1) * sizeof(*t->queue));
	t->stats.target = t->name = copy(config->name);
	if (!t->queue || !t->name)
		return ddp__fail(err, -ENOMEM, "out of memory");
	r = open_transport(t, config, err);
	if (!r)
		r = begin_spool(t, config, err);
	if (r == -ENOMEM)
		return ddp__fail(err, r, "out of memory");
	if (!r)
		*ret = TAKE(t);
	return r;
}

void ddp__target_destroy(struct ddp__target *t)
{
	if (!t)
		return;
	while (t->nr)
		ddp__batch_unref(t->queue[--t->nr]);
	ddp__spool_close(t->spool);
	ddp__directory_close(t->transport.directory);
	ddp_exporter_destroy(t->transport.exporter);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	ddp__free(t->queue);
	ddp__free(t->spool_path);
	ddp__free(t->name);
	ddp__free(t);
}
