// SPDX-License-Identifier: Apache-2.0
/* See sender_target_internal.h: one attempt to send, and what its answer means. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sender_target_internal.h"

enum {
	/* at the end a receiver may fail once, by accident, before it counts as down */
	END_ATTEMPTS = 2,
	END_PAUSE_MS = 250,
};

DEFINE_CLEANUP(struct ddp__batch *, ddp__batch_unref)
DEFINE_CLEANUP_IN_PLACE(struct ddp__batch_form, ddp__batch_form_free)

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
	int64_t until = target_now_ns(t) + NS_PER_MS *
			(t->last_try ? END_PAUSE_MS : pause_ms(t, result->retry_after_ms));
	bool down;

	t->failed++;
	t->gave_up = t->last_try && ++t->failed_at_end == END_ATTEMPTS;
	ddp__target_note_error(t, result->message);
	pthread_mutex_lock(&t->lock);
	t->send_at_ns = until;
	t->stats.retried++;
	down = t->stats.down;
	t->stats.down = true;
	pthread_mutex_unlock(&t->lock);
	if (!down)
		ddp__target_tell_state(t, DDP_SENDER_DOWN, result->message);
}

static void sent(struct ddp__target *t, enum place from, const struct ddp__batch *b,
		 const char *message)
{
	struct ddp_sender_event e = { .kind = DDP_SENDER_SENT, .message = message };
	bool down;

	if (from == IN_SPOOL)
		ddp__spool_remove_oldest(t->spool);
	t->failed = 0;
	e.count = ddp__target_count_out(t, from, b->n, &t->stats.sent);
	pthread_mutex_lock(&t->lock);
	t->stats.sent_bytes += b->n;
	t->stats.last_sent_unix_ns = t->sys->unix_ns(t->sys->ctx);
	down = t->stats.down;
	t->stats.down = false;
	pthread_mutex_unlock(&t->lock);
	if (down)
		ddp__target_tell_state(t, DDP_SENDER_UP, NULL);
	ddp__target_tell(t, e, b);
}

/* What a send came to. Takes the reference */
static void settle(struct ddp__target *t, enum place from, struct ddp__batch *batch, int outcome,
		   const struct ddp_export_result *result)
{
	CLEANUP(ddp__batch_unref) struct ddp__batch *b = batch;
	enum ddp_sender_drop reason;

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
		ddp__target_note_error(t, result->message);
		reason = outcome < 0 ? DDP_SENDER_DROP_UNUSABLE : DDP_SENDER_DROP_REFUSED;
		ddp__target_drop(t, from, b, reason, result->message);
		return;
	}
	if (from == IN_QUEUE)
		ddp__target_put_back(t, TAKE(b));
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
		ddp__target_note_error(t, err.text);
		ddp__target_drop(t, IN_SPOOL, NULL, DDP_SENDER_DROP_DAMAGED, err.text);
	} else if (!b) {
		pause_sending(t, &result);
	} else {
		settle(t, IN_SPOOL, TAKE(b), r, &result);
	}
}

static void send_queued(struct ddp__target *t)
{
	struct ddp_export_result result = { 0 };
	struct ddp__batch *b = ddp__target_pop(t);

	if (b)
		settle(t, IN_QUEUE, b, send_batch(t, b, &result), &result);
}

/* What is in a queue whose spool works has just come, and is stored first */
static bool may_send_queued(struct ddp__target *t)
{
	return (!t->spool_path || t->stats.spool_down) && ddp__target_nr_queued(t);
}

bool ddp__target_has_work(struct ddp__target *t)
{
	return (t->spool && ddp__spool_nr(t->spool)) || may_send_queued(t);
}

void ddp__target_send_oldest(struct ddp__target *t)
{
	if (t->spool && ddp__spool_nr(t->spool))
		send_stored(t);
	else
		send_queued(t);
}
