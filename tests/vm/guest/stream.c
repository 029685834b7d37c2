// SPDX-License-Identifier: Apache-2.0
/* See stream.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"
#include "stream.h"

enum { STREAM_TIDS = 65536 };

static void __attribute__((format(printf, 2, 3)))
stream_broken(struct stream *s, const char *what, ...)
{
	va_list args;

	if (s->broken[0])
		return;
	va_start(args, what);
	vsnprintf(s->broken, sizeof(s->broken), what, args);
	va_end(args);
}

static void *stream_alloc(size_t n)
{
	void *p = calloc(n, 1);

	if (!p)
		abort();
	return p;
}

void stream_init(struct stream *s)
{
	int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < STREAM_ALL; i++) {
		s->cpu[i].ids = stream_alloc(STREAM_IDS);
		s->cpu[i].kinds = stream_alloc(STREAM_IDS);
	}
	s->seen = stream_alloc((size_t)STREAM_ALL * STREAM_TIDS);
	s->files = stream_alloc(STREAM_FILES);
}

void stream_deinit(struct stream *s)
{
	int i;

	for (i = 0; i < STREAM_ALL; i++) {
		free(s->cpu[i].ids);
		free(s->cpu[i].kinds);
	}
	free(s->seen);
	free(s->files);
}

/* -- bytes -- */

struct bytes {
	const uint8_t *p, *end;
	bool bad;
};

static uint8_t get_u8(struct bytes *b)
{
	if (b->p == b->end) {
		b->bad = true;
		return 0;
	}
	return *b->p++;
}

static uint64_t get_varint(struct bytes *b)
{
	uint64_t value = 0;
	int shift;
	uint8_t c;

	for (shift = 0; shift < 70; shift += 7) {
		c = get_u8(b);
		value |= shift < 64 ? (uint64_t)(c & 0x7f) << shift : 0;
		if (!(c & 0x80))
			return value;
	}
	b->bad = true;
	return 0;
}

static uint64_t get_string(struct bytes *b)
{
	uint64_t len = get_varint(b);

	if (len > DDPROF_MAX_STRING || len > (uint64_t)(b->end - b->p)) {
		b->bad = true;
		return 0;
	}
	b->p += len;
	return len;
}

static uint64_t get_zigzag(struct bytes *b)
{
	uint64_t n = get_varint(b);

	return n >> 1 ^ -(n & 1);
}

/* -- records -- */

static uint8_t *stream_id(struct stream *s, int cpu, uint64_t id)
{
	static uint8_t past_the_end;

	if (!id || id >= STREAM_IDS) {
		stream_broken(s, "stack id %llu", (unsigned long long)id);
		return &past_the_end;
	}
	return &s->cpu[cpu].ids[id];
}

static void stream_walk_end(struct stream *s, uint8_t end, uint64_t frames, const char *half)
{
	if (end >= __DDPROF_END_MAX)
		stream_broken(s, "%s walk ended by %u", half, end);
	if (end == DDPROF_END_NONE && frames)
		stream_broken(s, "%s frames of a walk that never was", half);
}

static void stream_frames(struct stream *s, struct bytes *b, struct stream_stack *ret)
{
	static uint64_t frames[DDPROF_MAX_DEPTH];
	uint8_t kernel_end = get_u8(b);
	uint64_t i, n;

	ret->user_end = get_u8(b);
	ret->nr_kernel = get_varint(b);
	ret->nr_user = get_varint(b);
	n = ret->nr_kernel + ret->nr_user;
	stream_walk_end(s, kernel_end, ret->nr_kernel, "kernel");
	stream_walk_end(s, ret->user_end, ret->nr_user, "user");
	if (ret->nr_kernel > DDPROF_MAX_DEPTH || n > DDPROF_MAX_DEPTH) {
		stream_broken(s, "%llu frames", (unsigned long long)n);
		b->bad = true;
		return;
	}
	s->kernel_stacks += ret->nr_kernel > 0;
	s->user_stacks += ret->nr_user > 0;
	for (i = 0; i < n && !b->bad; i++)
		frames[i] = i ? frames[i - 1] + get_zigzag(b) : get_varint(b);
	ret->kernel = frames;
	ret->user = frames + ret->nr_kernel;
}

static void stream_stack(struct stream *s, int cpu, struct bytes *b)
{
	uint8_t flags = get_u8(b), *known;
	uint64_t id = get_varint(b), replaces = get_varint(b), tid;
	struct stream_stack stack = { .drain = cpu == STREAM_DRAIN, .flags = flags };

	get_varint(b); /* aspace */
	stack.tgid = get_varint(b);
	stack.tid = tid = get_varint(b);
	stack.event = get_varint(b);
	stream_frames(s, b, &stack);
	if (flags & DDPROF_STACK_STATE)
		stack.state = get_u8(b);
	if (b->bad)
		return;
	if (stack.state >= __DDPROF_STATE_MAX || !stack.state != !(flags & DDPROF_STACK_STATE))
		stream_broken(s, "a STACK of state %u", stack.state);
	if (id < STREAM_IDS && id > s->cpu[cpu].last_id)
		s->cpu[cpu].last_id = id;
	if (s->kind_of && id < STREAM_IDS)
		s->cpu[cpu].kinds[id] = s->kind_of(s->ctx, &stack);
	if (cpu == STREAM_DRAIN && !(flags & DDPROF_STACK_ONCE))
		stream_broken(s, "a STACK in the drain thread's stream that is not for once");
	known = stream_id(s, cpu, id);
	if (*known != ID_UNKNOWN && !(*known & ID_OLD))
		stream_broken(s, "stack id %llu given twice", (unsigned long long)id);
	*known = flags & DDPROF_STACK_ONCE ? ID_ONCE : ID_KNOWN;
	if (replaces) {
		known = stream_id(s, cpu, replaces);
		*known = ID_REPLACED | (*known & ID_OLD);
	}
	if (tid < STREAM_TIDS && !s->seen[cpu * STREAM_TIDS + tid])
		stream_broken(s, "STACK of tid %llu before its SEEN", (unsigned long long)tid);
	s->stacks++;
}

static void stream_hit(struct stream *s, int cpu, struct bytes *b)
{
	uint8_t flags = get_u8(b), *known;
	uint64_t id = get_varint(b), count = flags & DDPROF_HIT_COUNT ? get_varint(b) : 1;
	uint64_t value = flags & DDPROF_HIT_VALUE ? get_varint(b) : 0;
	uint8_t kind = id < STREAM_IDS ? s->cpu[cpu].kinds[id] % STREAM_KINDS : 0;

	s->cpu[cpu].hits += count;
	s->kinds[cpu == STREAM_DRAIN][kind] += count;
	s->values[kind] += value;
	s->records[kind]++;
	if (flags & DDPROF_HIT_TIME)
		get_varint(b);
	known = stream_id(s, cpu, id);
	if (*known == ID_UNKNOWN)
		s->cpu[cpu].unknown++;
	if ((*known & ~ID_OLD) == ID_RETIRED)
		stream_broken(s, "HIT on retired id %llu", (unsigned long long)id);
	if ((*known & ID_OLD) && s->cpu[cpu].resynced)
		stream_broken(s, "HIT on id %llu from before the resync", (unsigned long long)id);
	if (*known == ID_ONCE)
		*known = ID_RETIRED;
}

static void stream_fold_end(struct stream *s, int cpu)
{
	uint8_t *ids = s->cpu[cpu].ids;
	size_t i;

	for (i = 1; i <= s->cpu[cpu].last_id; i++)
		if ((ids[i] & ~ID_OLD) == ID_REPLACED)
			ids[i] += ID_RETIRED - ID_REPLACED;
}

static void stream_task(struct stream *s, int cpu, struct bytes *b)
{
	uint8_t kind = get_u8(b);
	uint64_t tid, comm;

	get_varint(b); /* tgid */
	tid = get_varint(b);
	get_varint(b); /* time */
	get_varint(b); /* parent */
	comm = get_string(b);
	get_string(b);
	if (!comm)
		stream_broken(s, "TASK without a name");
	s->forks += kind == DDPROF_TASK_FORK;
	s->execs += kind == DDPROF_TASK_EXEC;
	s->exits += kind == DDPROF_TASK_EXIT;
	if (kind != DDPROF_TASK_SEEN)
		return;
	s->seen_records++;
	if (tid < STREAM_TIDS)
		s->seen[cpu * STREAM_TIDS + tid] = 1;
}

static void stream_aspace(struct stream *s, struct bytes *b)
{
	uint8_t flags;

	s->expect_aspace = get_varint(b);
	get_varint(b); /* layout */
	get_varint(b); /* tgid */
	flags = get_u8(b);
	s->expect_maps = get_varint(b);
	if ((flags & DDPROF_ASPACE_GONE) && s->expect_maps)
		stream_broken(s, "a gone address space with mappings");
	s->aspaces++;
}

static void stream_map(struct stream *s, struct bytes *b)
{
	uint64_t file;

	if (!s->expect_maps) {
		stream_broken(s, "a MAP that no ASPACE announced");
		return;
	}
	s->expect_maps--;
	if (get_varint(b) != s->expect_aspace)
		stream_broken(s, "a MAP of another address space");
	get_varint(b); /* start */
	if (!get_varint(b))
		stream_broken(s, "an empty MAP");
	get_varint(b); /* offset */
	file = get_varint(b);
	if (!get_string(b) == !file)
		stream_broken(s, "a MAP with neither file nor name, or with both");
	if (file && file < STREAM_FILES && !s->files[file])
		stream_broken(s, "a MAP before its FILE %llu", (unsigned long long)file);
	s->maps++;
}

static void stream_file(struct stream *s, struct bytes *b)
{
	char path[DDPROF_MAX_STRING + 1];
	uint64_t id = get_varint(b), len;
	uint8_t flags;
	int i;

	for (i = 0; i < 5; i++) /* device, inode, size, mtime */
		get_varint(b);
	flags = get_u8(b);
	len = get_string(b);
	if (!len)
		stream_broken(s, "a FILE without a path");
	memcpy(path, b->p - len, len);
	path[len] = 0;
	if (s->file)
		s->file(s->ctx, id, path);
	if (id && id < STREAM_FILES)
		s->files[id] = 1;
	if (flags & DDPROF_FILE_OPENABLE)
		s->last_file = id;
	s->nr_files++;
}

static void stream_cpu_record(struct stream *s, int cpu, uint8_t type, struct bytes *b)
{
	switch (type) {
	case DDPROF_RECORD_STACK:
		stream_stack(s, cpu, b);
		break;
	case DDPROF_RECORD_HIT:
		stream_hit(s, cpu, b);
		break;
	case DDPROF_RECORD_FOLD_END:
		stream_fold_end(s, cpu);
		break;
	case DDPROF_RECORD_TASK:
		stream_task(s, cpu, b);
		break;
	default:
		stream_broken(s, "record %u in the stream of CPU %d", type, cpu);
	}
}

static void stream_drain_record(struct stream *s, uint8_t type, struct bytes *b)
{
	if (type != DDPROF_RECORD_MAP && s->expect_maps)
		stream_broken(s, "%u MAPs are missing", s->expect_maps);
	switch (type) {
	case DDPROF_RECORD_ASPACE:
		stream_aspace(s, b);
		break;
	case DDPROF_RECORD_MAP:
		stream_map(s, b);
		break;
	case DDPROF_RECORD_FILE:
		stream_file(s, b);
		break;
	case DDPROF_RECORD_STACK:
	case DDPROF_RECORD_HIT:
	case DDPROF_RECORD_TASK:
		stream_cpu_record(s, STREAM_DRAIN, type, b); /* deferred samples */
		break;
	default:
		stream_broken(s, "record %u in the drain thread's stream", type);
	}
}

static void stream_data(struct stream *s, int cpu, const uint8_t *data, size_t len)
{
	struct bytes all = { .p = data, .end = data + len }, one;
	uint64_t n;
	uint8_t type;

	while (all.p < all.end) {
		type = get_u8(&all);
		n = get_varint(&all);
		if (all.bad || n > (uint64_t)(all.end - all.p)) {
			stream_broken(s, "a record of type %u runs over its message", type);
			return;
		}
		one = (struct bytes){ .p = all.p, .end = all.p + n };
		all.p += n;
		if (cpu == STREAM_DRAIN)
			stream_drain_record(s, type, &one);
		else
			stream_cpu_record(s, cpu, type, &one);
		if (one.bad || one.p != one.end)
			stream_broken(s, "record type %u: fields and length %llu disagree", type,
				      (unsigned long long)n);
	}
}

/* -- messages -- */

static void stream_counters(struct stream *s, int cpu, const uint8_t *attrs, size_t len)
{
	struct stream_cpu *c = &s->cpu[cpu];

	c->lost_ring = nl_attr_num(attrs, len, DDPROF_A_RECORDS_LOST_RING, UINT64_MAX);
	c->lost_nested = nl_attr_num(attrs, len, DDPROF_A_RECORDS_LOST_NESTED, UINT64_MAX);
	c->lost_tasks = nl_attr_num(attrs, len, DDPROF_A_RECORDS_LOST_TASKS, UINT64_MAX);
	c->skipped = nl_attr_num(attrs, len, DDPROF_A_RECORDS_SKIPPED, UINT64_MAX);
	if (c->lost_ring == UINT64_MAX || c->skipped == UINT64_MAX)
		stream_broken(s, "a message of CPU %d without its counters", cpu);
}

void stream_records(void *ctx, const uint8_t *attrs, size_t len)
{
	struct stream *s = ctx;
	uint64_t cpu = nl_attr_num(attrs, len, DDPROF_A_RECORDS_CPU, STREAM_DRAIN);
	uint64_t seq = nl_attr_num(attrs, len, DDPROF_A_RECORDS_SEQ, UINT64_MAX);
	const uint8_t *data;
	size_t n;

	if (s->ended)
		stream_broken(s, "a message after the end");
	s->gaps += seq != s->next_seq;
	s->next_seq = seq + 1;
	s->messages++;
	s->bytes += len;
	if (cpu == DDPROF_CPU_NONE)
		cpu = STREAM_DRAIN;
	if (cpu > STREAM_DRAIN) {
		stream_broken(s, "CPU %llu", (unsigned long long)cpu);
		return;
	}
	if (cpu != STREAM_DRAIN)
		stream_counters(s, cpu, attrs, len);
	if (nl_attr(attrs, len, DDPROF_A_RECORDS_RESYNC, &n)) {
		s->resync_marks++;
		if (cpu != STREAM_DRAIN)
			s->cpu[cpu].resynced = true;
	}
	data = nl_attr(attrs, len, DDPROF_A_RECORDS_DATA, &n);
	if (data)
		stream_data(s, cpu, data, n);
	if (nl_attr(attrs, len, DDPROF_A_RECORDS_END, &n))
		s->ended = true;
}

void stream_await_resync(struct stream *s)
{
	size_t i, cpu;

	for (cpu = 0; cpu < STREAM_CPUS; cpu++) {
		s->cpu[cpu].resynced = false;
		for (i = 0; i < STREAM_IDS; i++)
			if (s->cpu[cpu].ids[i])
				s->cpu[cpu].ids[i] |= ID_OLD;
	}
}

uint64_t stream_hits(const struct stream *s)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < STREAM_ALL; i++)
		n += s->cpu[i].hits;
	return n;
}

uint64_t stream_unknown(const struct stream *s)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < STREAM_ALL; i++)
		n += s->cpu[i].unknown;
	return n;
}

uint64_t stream_lost(const struct stream *s)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < STREAM_ALL; i++)
		n += s->cpu[i].lost_ring + s->cpu[i].lost_nested;
	return n;
}
