// SPDX-License-Identifier: Apache-2.0
/* See link.h: the commands that only ask, GET_INFO, GET_STATS and FILE_OPEN. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "link/link_internal.h"

/* A session that ends meanwhile may leave some out */
static int read_session(struct nlattr **tb, struct ddp_link_info *i)
{
	const struct {
		int attr;
		uint64_t *to;
	} members[] = {
		{ DDPROF_A_INFO_TABLES, &i->tables },
		{ DDPROF_A_INFO_TABLES_BYTES, &i->tables_bytes },
		{ DDPROF_A_INFO_TABLES_MAX_BYTES, &i->tables_max_bytes },
		{ DDPROF_A_INFO_TABLES_EVICTED, &i->tables_evicted },
		{ DDPROF_A_INFO_TABLES_REFUSED, &i->tables_refused },
		{ DDPROF_A_INFO_CPU_BYTES, &i->cpu_bytes },
		{ DDPROF_A_INFO_DEFER_BYTES, &i->defer_bytes },
	};
	int r = 0;

	for (size_t n = 0; !r && n < sizeof(members) / sizeof(members[0]); n++)
		if (tb[members[n].attr])
			r = ddp_link_u64(tb[members[n].attr], members[n].to);
	return r;
}

static int read_info(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_INFO_MAX + 1];
	struct ddp_link_info *i = ctx;
	int r = ddp_link_parse(tb, DDPROF_A_INFO_MAX, attrs, len);

	r = r ?: ddp_link_text(tb[DDPROF_A_INFO_MODULE_VERSION], i->module_version,
			   sizeof(i->module_version));
	r = r ?: ddp_link_text(tb[DDPROF_A_INFO_KERNEL_UNWINDER], i->kernel_unwinder,
			   sizeof(i->kernel_unwinder));
	r = r ?: ddp_link_u32(tb[DDPROF_A_INFO_MAX_EVENTS], &i->max_events);
	r = r ?: ddp_link_u32(tb[DDPROF_A_INFO_MAX_DEPTH], &i->max_depth);
	if (!r && tb[DDPROF_A_INFO_OWNER_TGID])
		r = ddp_link_u32(tb[DDPROF_A_INFO_OWNER_TGID], &i->owner_tgid);
	return r ? r : read_session(tb, i);
}

int ddp_link_get_info(struct ddp_link *l, struct ddp_link_info *ret, struct ddp_error *err)
{
	struct ddp_link_info info = { 0 };
	struct ddp_link_exchange x = {
		.what = "GET_INFO", .on_answer = read_info, .ctx = &info, .err = err
	};
	int r = ddp_link_ask(l, l->requests, ddp_link_request(l, DDPROF_CMD_GET_INFO, 0, 0), &x);

	if (!r)
		*ret = info;
	return r;
}

struct opened {
	uint64_t file_id;	/* that was asked for */
	int fd;			/* -1: none yet */
};

static int read_opened(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_FILE_MAX + 1];
	struct opened *o = ctx;
	uint64_t id;
	uint32_t fd;
	int r = ddp_link_parse(tb, DDPROF_A_FILE_MAX, attrs, len);

	r = r ?: ddp_link_u64(tb[DDPROF_A_FILE_ID], &id);
	r = r ?: ddp_link_u32(tb[DDPROF_A_FILE_FD], &fd);
	if (r)
		return r;
	if (id != o->file_id || fd > INT32_MAX || o->fd >= 0)
		return -EBADMSG;
	o->fd = (int)fd;
	return 0;
}

int ddp_link_file_open(struct ddp_link *l, uint64_t file_id, int *ret, struct ddp_error *err)
{
	struct opened o = { .file_id = file_id, .fd = -1 };
	struct ddp_link_exchange x = {
		.what = "FILE_OPEN", .on_answer = read_opened, .ctx = &o, .err = err
	};
	struct nl_msg *m = ddp_link_request(l, DDPROF_CMD_FILE_OPEN, 0, 0);
	int r;

	if (m && nla_put_u64(m, DDPROF_A_FILE_ID, file_id)) {
		nlmsg_free(m);
		m = NULL;
	}
	r = ddp_link_ask(l, l->requests, m, &x);
	if (r) {
		close_fd(o.fd);
		return r;
	}
	*ret = o.fd;
	return 0;
}

/* Which attribute fills which member of struct ddp_link_stats */
#define U64(attr, member) { DDPROF_A_STATS_##attr, offsetof(struct ddp_link_stats, member) }
static const struct {
	int attr;
	size_t offset;
} stats_members[] = {
	U64(ELAPSED_NS, elapsed_ns), U64(SAMPLES, samples), U64(FOLDED, folded),
	U64(NEW_STACKS, new_stacks), U64(IDLE, idle), U64(OUT_OF_SCOPE, out_of_scope),
	U64(NO_REGS, no_regs), U64(SKIPPED, skipped), U64(LOST_RING, lost_ring),
	U64(LOST_NESTED, lost_nested), U64(LOST_TASKS, lost_tasks), U64(NO_ASPACE, no_aspace),
	U64(MISSED, missed), U64(NMI, nmi), U64(HANDLER_NS, handler_ns),
	U64(HANDLER_MAX_NS, handler_max_ns),
	U64(RING_BYTES, ring_bytes), U64(RING_HIGH_BYTES, ring_high_bytes), U64(MESSAGES, messages),
	U64(BYTES, bytes), U64(DEFERRED, deferred), U64(DEFER_FULL, defer_full),
	U64(GUESSED, guessed), U64(BLOCKS, blocks), U64(BLOCKS_SHORT, blocks_short),
	U64(BLOCKS_THINNED, blocks_thinned), U64(BLOCKS_LOST, blocks_lost),
};
#undef U64
enum { NR_STATS_MEMBERS = sizeof(stats_members) / sizeof(stats_members[0]) };

static uint64_t *stats_member(struct ddp_link_stats *s, size_t i)
{
	return (uint64_t *)((char *)s + stats_members[i].offset);
}

/* A newer module may count more ways for a walk to end; those are past what we can name */
static int read_ends(struct nlattr *a, uint64_t ends[__DDPROF_END_MAX])
{
	size_t bytes = sizeof(uint64_t) * __DDPROF_END_MAX;

	if (!a || (size_t)nla_len(a) < bytes)
		return -EBADMSG;
	memcpy(ends, nla_data(a), bytes);
	return 0;
}

struct stats_reader {
	ddp_link_stats_fn fn;
	void *ctx;
};

static int read_stats(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_STATS_MAX + 1];
	struct stats_reader *reader = ctx;
	struct ddp_link_stats s = { 0 };
	int r = ddp_link_parse(tb, DDPROF_A_STATS_MAX, attrs, len);

	r = r ?: ddp_link_u32(tb[DDPROF_A_STATS_CPU], &s.cpu);
	r = r ?: ddp_link_u32(tb[DDPROF_A_STATS_ONLINE], &s.online);
	for (size_t i = 0; !r && i < NR_STATS_MEMBERS; i++)
		r = ddp_link_u64(tb[stats_members[i].attr], stats_member(&s, i));
	r = r ?: read_ends(tb[DDPROF_A_STATS_KERNEL_END], s.kernel_end);
	r = r ?: read_ends(tb[DDPROF_A_STATS_USER_END], s.user_end);
	return r ? r : reader->fn(reader->ctx, &s);
}

int ddp_link_get_stats(struct ddp_link *l, ddp_link_stats_fn fn, void *ctx, struct ddp_error *err)
{
	struct stats_reader reader = { fn, ctx };
	struct ddp_link_exchange x = {
		.what = "GET_STATS",
		.dump = true,
		.on_answer = read_stats,
		.ctx = &reader,
		.err = err,
	};

	return ddp_link_ask(l, l->requests,
			    ddp_link_request(l, DDPROF_CMD_GET_STATS, NLM_F_DUMP, 0), &x);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void ddp_link_stats_add(struct ddp_link_stats *sum, const struct ddp_link_stats *s)
{
	struct ddp_link_stats one = *s, before = *sum;

	sum->cpu++;
	sum->online += s->online;
	for (size_t i = 0; i < NR_STATS_MEMBERS; i++)
		*stats_member(sum, i) += *stats_member(&one, i);
	for (size_t i = 0; i < __DDPROF_END_MAX; i++) {
		sum->kernel_end[i] += s->kernel_end[i];
		sum->user_end[i] += s->user_end[i];
	}
	sum->handler_max_ns = larger(before.handler_max_ns, s->handler_max_ns);
	sum->ring_high_bytes = larger(before.ring_high_bytes, s->ring_high_bytes);
}
