// SPDX-License-Identifier: Apache-2.0
/* See sender_target_internal.h: the beginning, the end, and one taking over from another. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "sender_target_internal.h"

DEFINE_CLEANUP(struct ddp__target *, ddp__target_destroy)

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
	ddp__target_count_files(t);
	while ((b = ddp__target_pop(old))) {
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
	ddp__target_count_files(t);
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
	r = ddp__target_open_spool(t, err);
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
	t->created_ns = target_now_ns(t);
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
