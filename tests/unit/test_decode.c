// SPDX-License-Identifier: Apache-2.0
/*
 * collector/link/decode: conversations of records written by kmod/core/record.c, what spans them,
 * and bytes that nobody would write. Every stack the decoder tells about has to end exactly once,
 * whatever happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/decode.h"

enum { MAX_TOLD = 1 << 16, BATCH_BYTES = 16384 };

/* What the decoder told, as text of one conversation and as stacks by token */
struct listener {
	char said[4096];
	size_t len;
	uint64_t live, nr_tokens;
	uint8_t ended[MAX_TOLD];
	uint64_t ids[MAX_TOLD], first_frame[MAX_TOLD];
	uint64_t hits, samples;
	bool quiet;
	int answer;	/* of stack(), to play being out of memory */
};

static void say(struct listener *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct listener *l, const char *format, ...)
{
	va_list args;

	if (l->quiet)
		return;
	va_start(args, format);
	l->len += (size_t)vsnprintf(l->said + l->len, sizeof(l->said) - l->len, format, args);
	va_end(args);
	assert_true(l->len < sizeof(l->said));
}

static int on_stack(void *ctx, const struct ddp_stack *s, const struct ddp_names *n, uint64_t *ret)
{
	struct listener *l = ctx;

	if (l->answer)
		return l->answer;
	assert_true(l->nr_tokens < MAX_TOLD);
	*ret = l->nr_tokens++;
	l->ids[*ret] = s->id;
	l->first_frame[*ret] = s->nr_kernel + s->nr_user ? s->frames[0] : 0;
	l->live++;
	say(l, "stack%llu(%s/%s %u+%u", (unsigned long long)*ret, n->process, n->thread,
	    s->nr_kernel, s->nr_user);
	for (uint32_t i = 0; i < s->nr_kernel + s->nr_user; i++)
		say(l, " %llx", (unsigned long long)s->frames[i]);
	say(l, ") ");
	return 0;
}

static void on_stack_end(void *ctx, uint64_t token)
{
	struct listener *l = ctx;

	assert_true(token < l->nr_tokens);
	assert_false(l->ended[token]);
	l->ended[token] = 1;
	l->live--;
	say(l, "end%llu ", (unsigned long long)token);
}

static int on_hit(void *ctx, uint64_t token, const struct ddp_hit *h)
{
	struct listener *l = ctx;

	assert_true(token < l->nr_tokens);
	assert_false(l->ended[token]);
	assert_int_equal(l->ids[token], h->id);
	l->hits++;
	l->samples += h->count;
	say(l, "hit%llux%llu ", (unsigned long long)token, (unsigned long long)h->count);
	if (h->has_value)
		say(l, "=%llu ", (unsigned long long)h->value);
	if (h->has_time)
		say(l, "@%llu ", (unsigned long long)h->time_ns);
	return 0;
}

static int on_task(void *ctx, const struct ddp_task *t)
{
	say(ctx, "task%u(%u %u %s) ", t->kind, t->tgid, t->tid, t->comm);
	return 0;
}

static int on_aspace(void *ctx, const struct ddp_aspace *a)
{
	say(ctx, "aspace%llu:%u ", (unsigned long long)a->aspace, a->nr_maps);
	return 0;
}

static int on_map(void *ctx, const struct ddp_map *m, uint32_t left)
{
	say(ctx, "map(%llx+%llx f%llu '%.*s' %u) ", (unsigned long long)m->start,
	    (unsigned long long)m->length, (unsigned long long)m->file_id, (int)m->name_len,
	    m->name, left);
	return 0;
}

static int on_file(void *ctx, const struct ddp_file *f)
{
	say(ctx, "file%llu(%.*s) ", (unsigned long long)f->file_id, (int)f->path_len, f->path);
	return 0;
}

static const struct ddp_decode_ops ops = {
	.stack = on_stack, .stack_end = on_stack_end, .hit = on_hit, .task = on_task,
	.aspace = on_aspace, .map = on_map, .file = on_file,
};

struct conversation {
	struct ddp_decoder *d;
	struct listener l;
	uint8_t bytes[BATCH_BYTES];
	uint32_t len;
	uint64_t seq;
	struct ddp_error err;
};

static int setup(void **state)
{
	struct conversation *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_int_equal(ddp_decoder_create(&ops, &c->l, 1, &c->d), 0);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct conversation *c = *state;

	ddp_decoder_destroy(c->d);
	assert_int_equal(c->l.live, 0);
	free(c);
	return 0;
}

/* Writing */

static void *room(struct conversation *c)
{
	return c->bytes + c->len;
}

static uint32_t left(const struct conversation *c)
{
	return sizeof(c->bytes) - c->len;
}

static void put_stack(struct conversation *c, uint64_t id, uint64_t replaces, uint8_t flags,
		      uint32_t tid, const uint64_t *frames, uint32_t nr_kernel, uint32_t nr_user)
{
	struct ddp_stack s = {
		.id = id, .replaces = replaces, .aspace = 1, .tgid = 10, .tid = tid, .flags = flags,
		.kernel_end = DDPROF_END_ROOT, .user_end = DDPROF_END_ROOT,
		.nr_kernel = nr_kernel, .nr_user = nr_user, .frames = (const u64 *)frames,
	};
	uint32_t n = ddp_record_stack(room(c), left(c), &s);

	assert_true(n);
	c->len += n;
}

static void put_simple(struct conversation *c, uint64_t id, uint64_t replaces, uint8_t flags)
{
	put_stack(c, id, replaces, flags, 11, &id, 0, 1);
}

static void put_hit(struct conversation *c, uint64_t id, uint64_t count)
{
	uint32_t n = ddp_record_hit(room(c), left(c),
				    &(struct ddp_hit){ .id = id, .count = count });

	assert_true(n);
	c->len += n;
}

static void put_fold_end(struct conversation *c)
{
	c->len += ddp_record_fold_end(room(c), left(c));
}

static void put_task(struct conversation *c, uint8_t kind, uint32_t tid, const char *comm,
		     const char *leader)
{
	struct ddp_task t = {
		.kind = kind, .tgid = 10, .tid = tid, .comm = comm, .leader_comm = leader
	};

	c->len += ddp_record_task(room(c), left(c), &t);
}

static void put_aspace(struct conversation *c, uint64_t aspace, uint32_t nr_maps)
{
	struct ddp_aspace a = { .aspace = aspace, .layout = 1, .tgid = 10, .nr_maps = nr_maps };

	c->len += ddp_record_aspace(room(c), left(c), &a);
}

static void put_map(struct conversation *c, uint64_t aspace, uint64_t start, uint64_t file,
		    const char *name)
{
	struct ddp_map m = { .aspace = aspace, .start = start, .length = 0x1000, .file_id = file,
			     .name = name, .name_len = (u32)strlen(name) };

	c->len += ddp_record_map(room(c), left(c), &m);
}

static int send(struct conversation *c, uint32_t cpu, bool resync)
{
	struct ddp_batch b = {
		.cpu = cpu,
		.seq = c->seq++,
		.resync = resync,
		.data = c->bytes,
		.data_bytes = c->len,
	};

	c->len = 0;
	return ddp_decode(c->d, &b, &c->err);
}

/* Conversations */

static void a_stack_and_its_hits(void **state)
{
	const uint64_t frames[] = { 0xffffffff81000010, 0xffffffff81000000, 0x401000,
				    0x7fff00000000 };
	struct conversation *c = *state;

	put_task(c, DDPROF_TASK_SEEN, 11, "worker", "server");
	put_stack(c, 1, 0, 0, 11, frames, 2, 2);
	put_hit(c, 1, 1);
	put_hit(c, 1, 7);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(
		c->l.said, "task1(10 11 worker) stack0(server/worker 2+2 "
			   "ffffffff81000010 ffffffff81000000 401000 7fff00000000) hit0x1 hit0x7 ");
}

static void hits_carry_what_was_asked_for(void **state)
{
	struct ddp_hit h = { .id = 1, .count = 3, .value = 99, .time_ns = UINT64_MAX,
			     .has_value = true, .has_time = true };
	struct conversation *c = *state;

	put_simple(c, 1, 0, 0);
	c->len += ddp_record_hit(room(c), left(c), &h);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_non_null(strstr(c->l.said, "hit0x3 =99 @18446744073709551615 "));
}

static void names_are_the_streams_own(void **state)
{
	struct conversation *c = *state;

	put_task(c, DDPROF_TASK_SEEN, 11, "one", "p");
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	put_simple(c, 1, 0, 0);
	assert_int_equal(send(c, 1, false), DDP_DECODED);
	put_simple(c, 1, 0, 0);
	put_task(c, DDPROF_TASK_SEEN, 11, "two", "p");
	put_simple(c, 2, 0, 0);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(c->l.said, "task1(10 11 one) stack0(/ 0+1 1) stack1(p/one 0+1 1) "
			    "task1(10 11 two) stack2(p/two 0+1 2) ");
}

static void replaced_ids_live_until_the_fold_ends(void **state)
{
	struct conversation *c = *state;

	put_simple(c, 1, 0, 0);
	put_simple(c, 2, 1, 0);
	put_hit(c, 1, 5);
	put_fold_end(c);
	put_hit(c, 2, 1);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(c->l.said, "stack0(/ 0+1 1) stack1(/ 0+1 2) hit0x5 end0 hit1x1 ");
	put_hit(c, 1, 1);
	assert_int_equal(send(c, 0, false), -EBADMSG);
}

static void an_id_given_again_means_the_new_stack(void **state)
{
	struct conversation *c = *state;

	put_simple(c, 1, 0, 0);
	put_simple(c, 2, 1, 0);
	put_simple(c, 1, 0, 0);
	put_fold_end(c);
	put_hit(c, 1, 1);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(c->l.said,
			    "stack0(/ 0+1 1) stack1(/ 0+1 2) stack2(/ 0+1 1) end0 hit2x1 ");
}

static void a_stack_once_ends_with_its_hit(void **state)
{
	struct conversation *c = *state;

	put_simple(c, 1, 0, DDPROF_STACK_ONCE);
	put_hit(c, 1, 1);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(c->l.said, "stack0(/ 0+1 1) hit0x1 end0 ");
}

/* Deferred samples: no cache, so each has its own stack, with its names in the same stream */
static void the_drain_threads_stream_has_samples_too(void **state)
{
	struct conversation *c = *state;

	put_task(c, DDPROF_TASK_SEEN, 11, "cpu's", "p");
	put_simple(c, 1, 0, 0);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	put_task(c, DDPROF_TASK_SEEN, 11, "drain's", "p");
	put_simple(c, 1, 0, DDPROF_STACK_ONCE | DDPROF_STACK_GUESSED);
	put_hit(c, 1, 2);
	put_simple(c, 1, 0, DDPROF_STACK_ONCE);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	put_hit(c, 1, 1);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	put_hit(c, 1, 3);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	assert_string_equal(c->l.said, "task1(10 11 cpu's) stack0(p/cpu's 0+1 1) "
			    "task1(10 11 drain's) stack1(p/drain's 0+1 1) hit1x2 end1 "
			    "stack2(p/drain's 0+1 1) hit2x1 end2 hit0x3 ");
	put_hit(c, 1, 1);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), -EBADMSG);
}

/* A message between a deferred stack and its hit is lost: the hit is counted, nothing else goes */
static void a_gap_in_the_drain_threads_stream(void **state)
{
	struct ddp_decode_counts counts;
	struct conversation *c = *state;

	put_simple(c, 1, 0, DDPROF_STACK_ONCE);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	c->seq++;
	put_hit(c, 1, 1);
	put_simple(c, 2, 0, DDPROF_STACK_ONCE);
	put_hit(c, 2, 1);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED_GAP);
	assert_string_equal(c->l.said, "stack0(/ 0+1 1) end0 stack1(/ 0+1 2) hit1x1 end1 ");
	ddp_decoder_count(c->d, &counts);
	assert_int_equal(counts.unknown_samples, 1);
}

static void a_gap_forgets_until_the_resync(void **state)
{
	struct ddp_decode_counts counts;
	struct conversation *c = *state;

	put_simple(c, 1, 0, 0);
	assert_int_equal(send(c, 0, false), DDP_DECODED);
	c->seq += 2;
	put_hit(c, 1, 4);
	put_simple(c, 5, 0, 0);
	put_hit(c, 5, 1);
	assert_int_equal(send(c, 0, false), DDP_DECODED_GAP);
	assert_string_equal(c->l.said, "stack0(/ 0+1 1) end0 stack1(/ 0+1 5) hit1x1 ");
	ddp_decoder_count(c->d, &counts);
	assert_int_equal(counts.gaps, 1);
	assert_int_equal(counts.lost_batches, 2);
	assert_int_equal(counts.unknown_samples, 4);
	/* the flag forgets nothing, and from it on unknown ids are wrong */
	put_hit(c, 5, 1);
	assert_int_equal(send(c, 0, true), DDP_DECODED);
	put_hit(c, 1, 1);
	assert_int_equal(send(c, 0, false), -EBADMSG);
}

static void a_list_of_mappings_is_whole(void **state)
{
	struct conversation *c = *state;

	put_aspace(c, 3, 2);
	put_map(c, 3, 0x1000, 7, "");
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	put_map(c, 3, 0x5000, 0, "[vdso]");
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	assert_string_equal(c->l.said,
			    "aspace3:2 map(1000+1000 f7 '' 1) map(5000+1000 f0 '[vdso]' 0) ");
	put_map(c, 3, 0x9000, 0, "");
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), -EBADMSG);
	assert_non_null(strstr(c->err.text, "drain thread, byte"));
}

static void a_list_cut_by_a_gap_is_no_error(void **state)
{
	struct conversation *c = *state;

	put_aspace(c, 3, 2);
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED);
	c->seq++;
	put_map(c, 3, 0x5000, 0, "");
	put_aspace(c, 4, 1);
	put_map(c, 4, 0x6000, 0, "");
	assert_int_equal(send(c, DDPROF_CPU_NONE, false), DDP_DECODED_GAP);
	assert_string_equal(c->l.said, "aspace3:2 aspace4:1 map(6000+1000 f0 '' 0) ");
}

static void an_error_of_the_listener_is_handed_on(void **state)
{
	struct conversation *c = *state;

	c->l.answer = -ENOMEM;
	put_simple(c, 1, 0, 0);
	assert_int_equal(send(c, 0, false), -ENOMEM);
}

/* Bytes */

#define BYTES(...) .bytes = { __VA_ARGS__ }, .n = sizeof((uint8_t[]){ __VA_ARGS__ })
static const struct {
	const char *what;
	uint8_t bytes[40];
	size_t n;
	int want;
	const char *error;
} rows[] = {
	{ "nothing", .n = 0 },
	{ "an unknown type is skipped", BYTES(0x7f, 2, 9, 9) },
	{ "bytes after known fields are skipped", BYTES(3, 2, 9, 9) },
	{ "a type without a length", BYTES(3), .want = -EBADMSG, "byte 1: a field runs over" },
	{ "a length past the end", BYTES(3, 4, 0), .want = -EBADMSG, "byte 2: a field" },
	{ "a length of eleven bytes",
	  BYTES(3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0), .want = -EBADMSG,
	  "byte 1: a field" },
	{ "a length past 64 bits",
	  BYTES(3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), .want = -EBADMSG,
	  "byte 1: a field" },
	{ "a varint over its record", BYTES(2, 2, 0, 0x80, 1), .want = -EBADMSG,
	  "byte 3: a field" },
	{ "a hit on an id never sent", BYTES(2, 2, 0, 1), .want = -EBADMSG, "never sent" },
	{ "a stack with id 0", BYTES(1, 11, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0), .want = -EBADMSG,
	  "id 0" },
	{ "a stack without frames", BYTES(1, 11, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0) },
	{ "a stack of another event", BYTES(1, 11, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0),
	  .want = -EBADMSG, "event" },
	{ "a stack that ended otherwise", BYTES(1, 11, 0, 1, 0, 0, 0, 0, 0, 7, 1, 0, 0),
	  .want = -EBADMSG, "unknown way" },
	{ "a stack that ended for lack of a rule", BYTES(1, 11, 4, 1, 0, 0, 0, 0, 0, 1, 6, 0, 0) },
	{ "a blocked thread's stack", BYTES(1, 12, 8, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 2) },
	{ "a blocked thread's stack without its state", BYTES(1, 11, 8, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0),
	  .want = -EBADMSG, "byte 13: a field" },
	{ "a state that is not known", BYTES(1, 12, 8, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 8),
	  .want = -EBADMSG, "unknown state" },
	{ "more frames than bytes", BYTES(1, 12, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 2, 9),
	  .want = -EBADMSG, "byte 14: a field" },
	{ "more frames than allowed", BYTES(1, 12, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0x81, 8),
	  .want = -EBADMSG, "more frames" },
	{ "frame counts that wrap",
	  BYTES(1, 20, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xf, 0x81, 0x80, 0x80,
		0x80, 0, 0),
	  .want = -EBADMSG, "more frames" },
	{ "a tid past 32 bits",
	  BYTES(1, 15, 0, 1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 1, 1, 0, 0),
	  .want = -EBADMSG, "byte 7: a field" },
	{ "a string past its record", BYTES(7, 9, 1, 0, 0, 0, 0, 0, 0, 5, 'a'), .want = -EBADMSG,
	  "byte 9: a field" },
	{ "a string past the limit", BYTES(7, 10, 1, 0, 0, 0, 0, 0, 0, 0x81, 0x20, 'a'),
	  .want = -EBADMSG, "byte 9: a field" },
	{ "a file with id 0", BYTES(7, 8, 0, 0, 0, 0, 0, 0, 0, 0), .want = -EBADMSG, "id 0" },
	{ "address space 0", BYTES(5, 5, 0, 1, 1, 0, 1), .want = -EBADMSG, "space 0" },
	{ "a list inside a list", BYTES(5, 5, 1, 1, 1, 0, 1, 5, 5, 2, 1, 1, 0, 1), .want = -EBADMSG,
	  "inside another" },
	{ "a mapping of another list", BYTES(5, 5, 1, 1, 1, 0, 1, 6, 6, 2, 1, 1, 1, 1, 0),
	  .want = -EBADMSG, "another address space" },
	{ "a mapping without a list", BYTES(6, 6, 2, 1, 1, 1, 1, 0), .want = -EBADMSG,
	  "outside of a list" },
	{ "a mapping past the end",
	  BYTES(5, 5, 1, 1, 1, 0, 1, 6, 15, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		1, 2, 0, 0, 0),
	  .want = -EBADMSG, "past the end" },
	{ "a list too long to be one", BYTES(5, 8, 1, 1, 1, 0, 0x81, 0x80, 0x80, 1),
	  .want = -EBADMSG, "more mappings" },
};

static void hostile_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct listener *l = calloc(1, sizeof(*l));
		/* exactly as long as they are, for the sanitizer */
		uint8_t *exact = malloc(rows[i].n ? rows[i].n : 1);
		struct ddp_batch b = { .data = exact, .data_bytes = rows[i].n };
		struct ddp_error err = { "" };
		struct ddp_decoder *d;
		int r;

		assert_true(l && exact);
		memcpy(exact, rows[i].bytes, rows[i].n);
		assert_int_equal(ddp_decoder_create(&ops, l, 1, &d), 0);
		r = ddp_decode(d, &b, &err);
		if (r != rows[i].want || (rows[i].error && !strstr(err.text, rows[i].error)))
			fail_msg("%s: %d '%s'", rows[i].what, r, err.text);
		ddp_decoder_destroy(d);
		assert_int_equal(l->live, 0);
		free(exact);
		free(l);
	}
}

static uint64_t rng_state;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* A good batch of every kind of record, then cut and damaged everywhere */
static void damaged_bytes(void **state)
{
	struct conversation *c = *state;
	uint8_t good[BATCH_BYTES];
	uint32_t len;

	put_task(c, DDPROF_TASK_SEEN, 11, "worker", "server");
	put_simple(c, 1, 0, 0);
	put_hit(c, 1, 300);
	put_aspace(c, 3, 1);
	put_map(c, 3, 0x1000, 7, "[vdso]");
	put_simple(c, 2, 1, DDPROF_STACK_ONCE);
	put_fold_end(c);
	memcpy(good, c->bytes, c->len);
	len = c->len;
	c->l.quiet = true;
	rng_state = 88172645463325252ULL;
	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t *exact;

		c->len = i < len ? i : len;
		exact = malloc(c->len + 1);
		assert_non_null(exact);
		memcpy(exact, good, c->len);
		for (uint64_t n = i < len ? 0 : rng() % 4 + 1; n; n--)
			exact[rng() % len] = (uint8_t)rng();
		ddp_decode(c->d, &(struct ddp_batch){ .cpu = i % 3, .seq = c->seq++, .data = exact,
			   .data_bytes = c->len }, &c->err);
		free(exact);
		if (c->l.nr_tokens > MAX_TOLD - 64)
			break;
	}
}

/* The property: hits of random sessions arrive at the stack that the writer meant */

enum { STREAMS = 3, IDS = 40 };

struct model {
	uint64_t next_id[STREAMS];
	uint64_t id[STREAMS][IDS];	/* live ids of each stream; 0: free */
	uint64_t samples;
};

static void random_record(struct conversation *c, struct model *m, uint32_t s)
{
	uint32_t k = (uint32_t)(rng() % IDS);
	uint64_t frames[8], id = m->id[s][k], count = rng() % 1000 + 1;

	if (id && rng() % 3) {
		put_hit(c, id, count);
		m->samples += count;
		return;
	}
	for (size_t i = 0; i < 8; i++)
		frames[i] = rng() >> rng() % 64;
	m->next_id[s]++;
	put_stack(c, m->next_id[s], id, 0, (uint32_t)(rng() % 5), frames, (uint32_t)(rng() % 4),
		  (uint32_t)(rng() % 5));
	if (id && rng() % 2) {
		/* the count it had when it was replaced */
		put_hit(c, id, count);
		m->samples += count;
	}
	m->id[s][k] = m->next_id[s];
}

static void random_sessions(void **state)
{
	struct conversation *c = *state;
	struct model m = { .samples = 0 };

	rng_state = 2463534242ULL;
	c->l.quiet = true;
	for (int batch = 0; batch < 400; batch++) {
		uint32_t s = (uint32_t)(rng() % STREAMS);

		for (uint64_t n = rng() % 60; n; n--)
			random_record(c, &m, s);
		if (rng() % 2)
			put_fold_end(c);
		assert_int_equal(send(c, s, false), DDP_DECODED);
		assert_int_equal(c->l.samples, m.samples);
	}
	/* after a fold each stream has only the ids in use */
	for (uint32_t s = 0; s < STREAMS; s++) {
		put_fold_end(c);
		assert_int_equal(send(c, s, false), DDP_DECODED);
	}
	assert_true(c->l.live <= STREAMS * IDS);
	assert_true(c->l.hits > 4000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(a_stack_and_its_hits),
		TEST(hits_carry_what_was_asked_for),
		TEST(names_are_the_streams_own),
		TEST(replaced_ids_live_until_the_fold_ends),
		TEST(an_id_given_again_means_the_new_stack),
		TEST(a_stack_once_ends_with_its_hit),
		TEST(the_drain_threads_stream_has_samples_too),
		TEST(a_gap_in_the_drain_threads_stream),
		TEST(a_gap_forgets_until_the_resync),
		TEST(a_list_of_mappings_is_whole),
		TEST(a_list_cut_by_a_gap_is_no_error),
		TEST(an_error_of_the_listener_is_handed_on),
		cmocka_unit_test(hostile_bytes),
		TEST(damaged_bytes),
		TEST(random_sessions),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
