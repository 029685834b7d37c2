// SPDX-License-Identifier: Apache-2.0
/* See link.h: the commands that rule a session, START, STOP and RESYNC. */
#include <errno.h>
#include <inttypes.h>
#include <netlink/errno.h>

#include "link/link_internal.h"

enum { NAME_BYTES = 64 }; /* of a pattern, terminator included, that the module takes */

static int read_started_event(struct nlattr *a, struct ddp_link_started_event *e)
{
	struct nlattr *tb[DDPROF_A_STARTED_EVENT_MAX + 1];
	int r = ddp_link_parse(tb, DDPROF_A_STARTED_EVENT_MAX, nla_data(a), nla_len(a));

	r = r ?: ddp_link_u32(tb[DDPROF_A_STARTED_EVENT_SAMPLER], &e->sampler);
	r = r ?: ddp_link_u64(tb[DDPROF_A_STARTED_EVENT_PERIOD], &e->period);
	r = r ?: ddp_link_u32(tb[DDPROF_A_STARTED_EVENT_UNIT], &e->unit);
	if (!r && tb[DDPROF_A_STARTED_EVENT_FALLBACK])
		r = ddp_link_u32(tb[DDPROF_A_STARTED_EVENT_FALLBACK], &e->fallback);
	if (!r && e->unit != DDPROF_UNIT_NANOSECONDS && e->unit != DDPROF_UNIT_EVENTS)
		return -EBADMSG;
	return r;
}

static int read_started(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_STARTED_MAX + 1], *a;
	struct ddp_link_started *s = ctx;
	int left, r = ddp_link_parse(tb, DDPROF_A_STARTED_MAX, attrs, len);

	r = r ?: ddp_link_u64(tb[DDPROF_A_STARTED_MONOTONIC_NS], &s->monotonic_ns);
	r = r ?: ddp_link_u64(tb[DDPROF_A_STARTED_REALTIME_NS], &s->realtime_ns);
	s->nr_events = 0;
	nla_for_each_attr(a, attrs, len, left) {
		if (r || nla_type(a) != DDPROF_A_STARTED_EVENT)
			continue;
		if (s->nr_events == DDPROF_MAX_EVENTS)
			return -EBADMSG;
		r = read_started_event(a, &s->events[s->nr_events++]);
	}
	return r;
}

static int put_optional(struct nl_msg *m, int attr, uint32_t value)
{
	return value ? nla_put_u32(m, attr, value) : 0;
}

static int put_event(struct nl_msg *m, const struct ddp_link_event *e)
{
	struct nlattr *nest = nla_nest_start(m, DDPROF_A_START_EVENT);
	int r = nest ? nla_put_u32(m, DDPROF_A_EVENT_SAMPLER, e->sampler) : -NLE_NOMEM;

	if (!r && e->sampler == DDPROF_SAMPLER_PERF) {
		r = nla_put_u32(m, DDPROF_A_EVENT_TYPE, e->type);
		r = r ?: nla_put_u64(m, DDPROF_A_EVENT_CONFIG, e->config);
	}
	if (!r && e->sampler != DDPROF_SAMPLER_HRTIMER)
		r = put_optional(m, DDPROF_A_EVENT_ON_MISSING, e->on_missing);
	if (!r && e->frequency_hz)
		r = nla_put_u32(m, DDPROF_A_EVENT_FREQUENCY_HZ, e->frequency_hz);
	if (!r && e->period)
		r = nla_put_u64(m, DDPROF_A_EVENT_PERIOD, e->period);
	if (!r && e->min_ns)
		r = nla_put_u64(m, DDPROF_A_EVENT_MIN_NS, e->min_ns);
	return r ? r : nla_nest_end(m, nest);
}

static int put_numbers(struct nl_msg *m, int attr, const uint32_t *numbers, uint32_t nr)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < nr; i++)
		r = nla_put_u32(m, attr, numbers[i]);
	return r;
}

static int put_names(struct nl_msg *m, int attr, const char *const *names, uint32_t nr)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < nr; i++)
		r = nla_put_string(m, attr, names[i]);
	return r;
}

static int put_fds(struct nl_msg *m, int attr, const int *fds, uint32_t nr)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < nr; i++)
		r = nla_put_u32(m, attr, (uint32_t)fds[i]);
	return r;
}

static int put_filter(struct nl_msg *m, const struct ddp_link_filter *f)
{
	int r = put_numbers(m, DDPROF_A_START_EXCLUDE_TGID, f->exclude_tgids, f->nr_exclude_tgids);

	r = r ?: put_numbers(m, DDPROF_A_START_TID, f->tids, f->nr_tids);
	r = r ?: put_numbers(m, DDPROF_A_START_EXCLUDE_TID, f->exclude_tids, f->nr_exclude_tids);
	r = r ?: put_names(m, DDPROF_A_START_NAME, f->names, f->nr_names);
	r = r ?: put_names(m, DDPROF_A_START_EXCLUDE_NAME, f->exclude_names, f->nr_exclude_names);
	r = r ?: put_fds(m, DDPROF_A_START_CGROUP_FD, f->cgroup_fds, f->nr_cgroup_fds);
	return r ? r : put_fds(m, DDPROF_A_START_EXCLUDE_CGROUP_FD, f->exclude_cgroup_fds,
			       f->nr_exclude_cgroup_fds);
}

/* Of the filter in a message */
static size_t filter_bytes(const struct ddp_link_filter *f)
{
	size_t numbers = (size_t)f->nr_exclude_tgids + f->nr_tids + f->nr_exclude_tids +
			 f->nr_cgroup_fds + f->nr_exclude_cgroup_fds;
	size_t names = (size_t)f->nr_names + f->nr_exclude_names;

	return numbers * (size_t)nla_total_size(sizeof(uint32_t)) +
	       names * (size_t)nla_total_size(NAME_BYTES);
}

static int put_start(struct nl_msg *m, const struct ddp_link_start *s)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < s->nr_events; i++)
		r = put_event(m, &s->events[i]);
	r = r ?: put_numbers(m, DDPROF_A_START_TGID, s->tgids, s->nr_tgids);
	r = r ?: put_filter(m, &s->filter);
	r = r ?: put_optional(m, DDPROF_A_START_SCOPE, s->scope);
	r = r ?: put_optional(m, DDPROF_A_START_FLAGS, s->flags);
	r = r ?: put_optional(m, DDPROF_A_START_DEPTH, s->depth);
	r = r ?: put_optional(m, DDPROF_A_START_BUDGET_PERMILLE, s->budget_permille);
	r = r ?: put_optional(m, DDPROF_A_START_RING_KIB, s->ring_kib);
	r = r ?: put_optional(m, DDPROF_A_START_CACHE_STACKS, s->cache_stacks);
	r = r ?: put_optional(m, DDPROF_A_START_FLUSH_MS, s->flush_ms);
	if (!r && s->tables_kib)
		r = nla_put_u32(m, DDPROF_A_START_TABLES_KIB, *s->tables_kib);
	return r;
}

int ddp_link_start(struct ddp_link *l, const struct ddp_link_start *s,
		   struct ddp_link_started *ret, struct ddp_error *err)
{
	struct ddp_link_started started = { 0 };
	struct ddp_link_exchange x = {
		.what = "START", .on_answer = read_started, .ctx = &started, .err = err
	};
	int r = ddp_link_open_records(l, err);
	struct nl_msg *m;

	if (r)
		return r;
	m = ddp_link_request(l, DDPROF_CMD_START, 0, filter_bytes(&s->filter));
	if (m && put_start(m, s)) {
		nlmsg_free(m);
		return ddp_link_failed(err, -E2BIG, "START: more than fits into a message");
	}
	l->holding = true;
	r = ddp_link_ask(l, l->records, m, &x);
	if (!r && started.nr_events != s->nr_events)
		r = ddp_link_failed(err, -EBADMSG,
				    "START: the module answered for %" PRIu32 " events of %" PRIu32,
				    started.nr_events, s->nr_events);
	if (!r)
		*ret = started;
	return ddp_link_release(l, !r) ?: r;
}

int ddp_link_stop(struct ddp_link *l, struct ddp_error *err)
{
	struct ddp_link_exchange x = { .what = "STOP", .err = err };

	return ddp_link_ask(l, l->records, ddp_link_request(l, DDPROF_CMD_STOP, 0, 0), &x);
}

int ddp_link_resync(struct ddp_link *l, struct ddp_error *err)
{
	struct ddp_link_exchange x = { .what = "RESYNC", .err = err };

	return ddp_link_ask(l, l->records, ddp_link_request(l, DDPROF_CMD_RESYNC, 0, 0), &x);
}
