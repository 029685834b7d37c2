// SPDX-License-Identifier: Apache-2.0
/* See table_queue.h. */
#include "unwind/table_queue.h"

#include <errno.h>
#include <string.h>

void ddp_table_queue_init(struct ddp_table_queue *q, size_t max_fds)
{
	*q = (struct ddp_table_queue){
		.max = max_fds < DDP_TABLES_MAX_QUEUE ? max_fds : DDP_TABLES_MAX_QUEUE
	};
}

struct ddp_wanted *ddp_table_queue_find(const struct ddp_table_queue *q, uint64_t id)
{
	const uint64_t *w = ddp_table_find(&q->files, id);

	return w ? ddp_table_pointer(*w) : NULL;
}

struct ddp_wanted *ddp_table_queue_get(struct ddp_table_queue *q, uint64_t id)
{
	struct ddp_wanted *w = ddp_table_queue_find(q, id);

	if (w || !id)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->id = id;
	w->fd = -1;
	w->look = q->look;
	if (ddp_table_set(&q->files, id, ddp_table_value(w))) {
		free(w);
		return NULL;
	}
	return w;
}

bool ddp_table_queue_met(struct ddp_table_queue *q, uint64_t id, uint32_t users, int64_t now_ms)
{
	struct ddp_wanted *w = ddp_table_queue_find(q, id);

	if (w && w->state == DDP_WANTED_QUEUED && w->users < users)
		w->users = users;
	return !w || (w->state == DDP_WANTED_IDLE && now_ms >= w->not_before_ms);
}

static void leave(struct ddp_wanted *w, int state)
{
	close_fd(TAKE_FD(w->fd));
	free(TAKE(w->path));
	w->state = state;
}

static void remove_at(struct ddp_table_queue *q, size_t i)
{
	q->nr--;
	memmove(q->queue + i, q->queue + i + 1, (q->nr - i) * sizeof(*q->queue));
}

/* Room for one more, by dropping the least used if that is less used than @users */
static bool make_room(struct ddp_table_queue *q, uint32_t users)
{
	size_t least = 0;

	if (q->nr < q->max)
		return true;
	q->dropped++;
	if (!q->nr)
		return false;
	for (size_t i = 1; i < q->nr; i++)
		if (q->queue[i]->users <= q->queue[least]->users)
			least = i;
	if (q->queue[least]->users >= users)
		return false;
	leave(q->queue[least], DDP_WANTED_IDLE);
	remove_at(q, least);
	return true;
}

void ddp_table_queue_push(struct ddp_table_queue *q, struct ddp_wanted *w, int fd, char *path,
			  uint32_t users)
{
	w->fd = fd;
	w->path = path;
	if (!make_room(q, users)) {
		leave(w, DDP_WANTED_IDLE);
		return;
	}
	w->users = users;
	w->state = DDP_WANTED_QUEUED;
	q->queue[q->nr++] = w;
}

struct ddp_wanted *ddp_table_queue_pop(struct ddp_table_queue *q)
{
	struct ddp_wanted *w;
	size_t most = 0;

	if (!q->nr)
		return NULL;
	for (size_t i = 1; i < q->nr; i++)
		if (q->queue[i]->users >= q->queue[most]->users)
			most = i;
	w = q->queue[most];
	remove_at(q, most);
	return w;
}

bool ddp_table_is_refusal(int r)
{
	return r == -ENOSPC || r == -EBUSY || r == -ENOMEM || r == -ETIMEDOUT || r == -EAGAIN;
}

static int64_t rest_ms(uint32_t refusals)
{
	int64_t ms = DDP_TABLES_REFUSED_FIRST_MS;

	while (--refusals && ms < DDP_TABLES_REFUSED_LAST_MS)
		ms *= 2;
	return ms;
}

void ddp_table_queue_settle(struct ddp_table_queue *q, struct ddp_wanted *w, int r, int64_t now_ms)
{
	(void)q;
	if (!r) {
		w->refusals = 0;
		leave(w, DDP_WANTED_DONE);
	} else if (ddp_table_is_refusal(r)) {
		w->refusals++;
		w->not_before_ms = now_ms + rest_ms(w->refusals);
		leave(w, DDP_WANTED_IDLE);
	} else {
		/* a file that the module does not know may be mapped again */
		leave(w, r == -ENOENT ? DDP_WANTED_IDLE : DDP_WANTED_HOPELESS);
	}
}

void ddp_table_queue_look(struct ddp_table_queue *q)
{
	q->look++;
}

void ddp_table_queue_listed(struct ddp_table_queue *q, const struct ddp_link_table *said,
			    int64_t now_ms)
{
	struct ddp_wanted *w = ddp_table_queue_get(q, said->file_id);

	if (!w)
		return;
	w->look = q->look;
	if (said->bytes && w->state == DDP_WANTED_IDLE)
		w->state = DDP_WANTED_DONE;
	if (!said->bytes && w->state == DDP_WANTED_DONE)
		w->state = DDP_WANTED_IDLE; /* the module forgot it */
	if (w->state == DDP_WANTED_IDLE && said->ended > w->ended &&
	    now_ms >= w->not_before_ms && q->nr_missing < DDP_TABLES_MAX_MISSING)
		q->missing[q->nr_missing++] = w->id;
	w->ended = said->ended;
}

static bool is_unlisted(void *queue, void *value)
{
	const struct ddp_table_queue *q = queue;
	struct ddp_wanted *w = value;

	if (w->look == q->look || w->state == DDP_WANTED_QUEUED)
		return false;
	free(w);
	return true;
}

void ddp_table_queue_looked(struct ddp_table_queue *q)
{
	ddp_table_prune(&q->files, is_unlisted, q);
}

void ddp_table_queue_free(struct ddp_table_queue *q)
{
	ddp_table_for_each(&q->files, slot) {
		struct ddp_wanted *w = ddp_table_pointer(slot->value);

		leave(w, DDP_WANTED_IDLE);
		free(w);
	}
	ddp_table_free(&q->files);
	*q = (struct ddp_table_queue){ 0 };
}
