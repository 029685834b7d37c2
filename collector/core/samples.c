// SPDX-License-Identifier: Apache-2.0
/* See samples.h. */
#include "core/samples.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"

static size_t frames_bytes(const struct ddp_trace *t)
{
	return ((size_t)t->nr_kernel + t->nr_user) * sizeof(t->frames[0]);
}

static size_t trace_bytes(const struct ddp_trace *t)
{
	return sizeof(*t) + frames_bytes(t);
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void fill(struct ddp_trace *t, const struct ddp_stack *s, const struct ddp_names *names)
{
	t->aspace = s->aspace;
	t->tgid = s->tgid;
	t->tid = s->tid;
	t->event = s->event;
	t->kernel_end = s->kernel_end;
	t->user_end = s->user_end;
	t->state = s->state;
	t->user_exact = s->flags & DDPROF_STACK_USER_EXACT;
	t->guessed = s->flags & DDPROF_STACK_GUESSED;
	t->nr_kernel = (uint16_t)s->nr_kernel;
	t->nr_user = (uint16_t)s->nr_user;
	t->names = *names;
}

/* Key 0 means free in a table. Programs choose their frames and names: not how they are hashed. */
static uint64_t hash_of(struct ddp_samples *s, const struct ddp_trace *key, const uint64_t *frames)
{
	const struct hash_key *hash_key = hash_key_get(&s->hash_key);
	uint64_t parts[] = {
		hash64(hash_key, key, offsetof(struct ddp_trace, hash)),
		hash64(hash_key, frames, frames_bytes(key)),
	};
	uint64_t h = hash64(hash_key, parts, sizeof(parts));

	return h ? h : 1;
}

static bool same(const struct ddp_trace *t, const struct ddp_trace *key, const uint64_t *frames)
{
	return !memcmp(t, key, offsetof(struct ddp_trace, hash)) &&
	       (!frames_bytes(key) || !memcmp(t->frames, frames, frames_bytes(key)));
}

static struct ddp_trace *find(const struct ddp_samples *s, const struct ddp_trace *key,
			      const uint64_t *frames)
{
	const uint64_t *first = ddp_table_find(&s->by_hash, key->hash);
	struct ddp_trace *t = first ? ddp_table_pointer(*first) : NULL;

	while (t && !same(t, key, frames))
		t = t->next_same;
	return t;
}

static int insert(struct ddp_samples *s, const struct ddp_trace *key, const uint64_t *frames,
		  struct ddp_trace **ret)
{
	const uint64_t *first = ddp_table_find(&s->by_hash, key->hash);
	struct ddp_trace *t = malloc(trace_bytes(key));

	if (!t)
		return -ENOMEM;
	memcpy(t, key, sizeof(*t));
	if (frames_bytes(key))
		memcpy(t->frames, frames, frames_bytes(key));
	t->next_same = first ? ddp_table_pointer(*first) : NULL;
	if (ddp_table_set(&s->by_hash, t->hash, ddp_table_value(t))) {
		free(t);
		return -ENOMEM;
	}
	s->nr_traces++;
	s->bytes += trace_bytes(t);
	*ret = t;
	return 0;
}

int ddp_samples_trace(struct ddp_samples *s, const struct ddp_stack *stack,
		      const struct ddp_names *names, struct ddp_trace **ret)
{
	struct ddp_trace key, *t;
	int r;

	memset(&key, 0, sizeof(key)); /* padding is compared too */
	fill(&key, stack, names);
	key.hash = hash_of(s, &key, stack->frames);
	t = find(s, &key, stack->frames);
	if (!t) {
		r = insert(s, &key, stack->frames, &t);
		if (r)
			return r;
	}
	t->refs++;
	*ret = t;
	return 0;
}

static void unlink_trace(struct ddp_samples *s, struct ddp_trace *t)
{
	uint64_t *first = ddp_table_find(&s->by_hash, t->hash);
	struct ddp_trace *before = ddp_table_pointer(*first);

	if (before != t) {
		while (before->next_same != t)
			before = before->next_same;
		before->next_same = t->next_same;
	} else if (t->next_same) {
		*first = ddp_table_value(t->next_same);
	} else {
		ddp_table_remove(&s->by_hash, t->hash, NULL);
	}
}

static void destroy(struct ddp_samples *s, struct ddp_trace *t)
{
	unlink_trace(s, t);
	s->nr_traces--;
	s->bytes -= trace_bytes(t);
	free(t);
}

void ddp_samples_put(struct ddp_samples *s, struct ddp_trace *t)
{
	/* with timed hits pending, one of them may name it */
	if (!--t->refs && !t->count && !s->nr_timed)
		destroy(s, t);
}

void ddp_sample_sums_add(struct ddp_sample_sums *sums, const struct ddp_trace *t, uint64_t count)
{
	sums->pending = add_saturating(sums->pending, count);
	sums->ends[0][t->kernel_end] += count;
	sums->ends[1][t->user_end] += count;
	sums->guessed += t->guessed ? count : 0;
}

int ddp_samples_hit(struct ddp_samples *s, struct ddp_trace *t, uint64_t count, uint64_t value,
		    const uint64_t *time_ns)
{
	if (time_ns) {
		struct ddp_timed *more = array_reserve(s->timed, &s->cap_timed, s->nr_timed + 1,
						       sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->timed = more;
		s->timed[s->nr_timed++] = (struct ddp_timed){ t, *time_ns, count, value };
		s->bytes += sizeof(*s->timed);
	} else {
		t->count = add_saturating(t->count, count);
		t->value = add_saturating(t->value, value);
	}
	ddp_sample_sums_add(&s->sums, t, count);
	return 0;
}

static int each_of_all(const struct ddp_samples *s, int (*fn)(void *ctx, struct ddp_trace *t),
		       void *ctx)
{
	ddp_table_for_each(&s->by_hash, slot) {
		struct ddp_trace *t = ddp_table_pointer(slot->value);

		for (; t; t = t->next_same) {
			int r = t->count ? fn(ctx, t) : 0;

			if (r)
				return r;
		}
	}
	return 0;
}

int ddp_samples_each(const struct ddp_samples *s, const struct ddp_samples_part *part,
		     int (*fn)(void *ctx, struct ddp_trace *t), void *ctx)
{
	int r = 0;

	if (!part)
		return each_of_all(s, fn, ctx);
	for (size_t i = 0; !r && i < part->nr_traces; i++)
		r = fn(ctx, part->traces[i]);
	return r;
}

int ddp_samples_each_timed(const struct ddp_samples *s, const struct ddp_samples_part *part,
			   int (*fn)(void *ctx, const struct ddp_timed *h), void *ctx)
{
	size_t nr = part ? part->nr_timed : s->nr_timed;
	int r = 0;

	for (size_t i = 0; !r && i < nr; i++)
		r = fn(ctx, &s->timed[part ? part->timed[i] : i]);
	return r;
}

/* Traces of one list without use or hits go, without touching the table they hang in */
static struct ddp_trace *prune(struct ddp_samples *s, struct ddp_trace *t)
{
	struct ddp_trace *kept = NULL, *next;

	for (; t; t = next) {
		next = t->next_same;
		t->service = NULL;
		if (t->refs || t->count) {
			t->next_same = kept;
			kept = t;
			continue;
		}
		s->nr_traces--;
		s->bytes -= trace_bytes(t);
		free(t);
	}
	return kept;
}

/* Empty lists leave the table afterwards: a removal moves slots under a running loop */
static int remove_empty(struct ddp_table *t)
{
	size_t nr_empty = 0;
	uint64_t *empty = calloc(t->nr + 1, sizeof(*empty));

	if (!empty)
		return -ENOMEM;
	ddp_table_for_each(t, slot)
		if (!slot->value)
			empty[nr_empty++] = slot->key;
	while (nr_empty)
		ddp_table_remove(t, empty[--nr_empty], NULL);
	free(empty);
	return 0;
}

static void prune_all(struct ddp_samples *s)
{
	ddp_table_for_each(&s->by_hash, slot)
		slot->value = ddp_table_value(prune(s, ddp_table_pointer(slot->value)));
	/*
	 * a list that is empty and still there finds nothing; without memory it goes the next time
	 */
	(void)remove_empty(&s->by_hash);
}

static void forget_folded(struct ddp_trace *t)
{
	for (; t; t = t->next_same)
		t->count = t->value = 0;
}

void ddp_samples_clear(struct ddp_samples *s)
{
	s->bytes -= s->nr_timed * sizeof(*s->timed);
	s->nr_timed = 0;
	s->sums = (struct ddp_sample_sums){ 0 };
	ddp_table_for_each(&s->by_hash, slot)
		forget_folded(ddp_table_pointer(slot->value));
	prune_all(s);
}

static void subtract(struct ddp_sample_sums *from, const struct ddp_sample_sums *what)
{
	from->pending -= what->pending;
	from->guessed -= what->guessed;
	for (int i = 0; i < __DDPROF_END_MAX; i++) {
		from->ends[0][i] -= what->ends[0][i];
		from->ends[1][i] -= what->ends[1][i];
	}
}

void ddp_samples_drop(struct ddp_samples *s, const struct ddp_samples_part *part)
{
	for (size_t i = 0; i < part->nr_traces; i++)
		part->traces[i]->count = part->traces[i]->value = 0;
	for (size_t i = 0; i < part->nr_timed; i++)
		s->timed[part->timed[i]].trace = NULL;
	subtract(&s->sums, &part->sums);
}

static void forget_service(struct ddp_trace *t)
{
	for (; t; t = t->next_same)
		t->service = NULL;
}

void ddp_samples_tidy(struct ddp_samples *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr_timed; i++)
		if (s->timed[i].trace)
			s->timed[kept++] = s->timed[i];
	s->bytes -= (s->nr_timed - kept) * sizeof(*s->timed);
	s->nr_timed = kept;
	if (!kept) {
		prune_all(s);
		return;
	}
	/* a timed hit may name any of them: they go the next time */
	ddp_table_for_each(&s->by_hash, slot)
		forget_service(ddp_table_pointer(slot->value));
}

void ddp_samples_free(struct ddp_samples *s)
{
	ddp_table_for_each(&s->by_hash, slot) {
		struct ddp_trace *t = ddp_table_pointer(slot->value), *next;

		for (; t; t = next) {
			next = t->next_same;
			free(t);
		}
	}
	ddp_table_free(&s->by_hash);
	free(s->timed);
	*s = (struct ddp_samples){ 0 };
}
