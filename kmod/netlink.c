// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of the family "ddprof"; see netlink.h for what and uapi/ddprof.h for the contract.
 * Policies are declarative and strict; what a policy cannot say is checked here, each fault with
 * its own message.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "defer.h"
#include "drain.h"
#include "files.h"
#include "mmtrack.h"
#include "netlink.h"
#include "session.h"
#include "tables.h"
#include "unwind_kernel.h"

enum {
	DDP_DEFAULT_DEPTH = 256,
	DDP_DEFAULT_BUDGET_PERMILLE = 10,
	DDP_DEFAULT_RING_KIB = 256,
	DDP_DEFAULT_CACHE_STACKS = 4096,
	DDP_DEFAULT_FLUSH_MS = 5000,
	DDP_DEFAULT_TABLES_KIB = 65536,
	DDP_DEFAULT_MIN_NS = 10000,	/* of a block */
	DDP_CPU_CLOCK_PERIOD_MIN_NS = 100000, /* the same rate as FREQUENCY_HZ allows */
};

/* not const: policies of older kernels point to them as variable */
static struct netlink_range_validation ddp_range_period = { 1, 1ULL << 62 };
static struct netlink_range_validation ddp_range_kib = { 64, 65536 };
static struct netlink_range_validation ddp_range_flush = { 10, 60000 };
static struct netlink_range_validation ddp_range_tables = { 0, 1 << 20 };
static struct netlink_range_validation ddp_range_pid = { 1, PID_MAX_LIMIT };
static struct netlink_range_validation ddp_range_min_ns = { 0, 60 * NSEC_PER_SEC };

static const struct nla_policy ddp_event_policy[DDPROF_A_EVENT_MAX + 1] = {
	[DDPROF_A_EVENT_SAMPLER] = NLA_POLICY_RANGE(NLA_U32, DDPROF_SAMPLER_HRTIMER,
						    DDPROF_SAMPLER_OFFCPU),
	[DDPROF_A_EVENT_TYPE] = { .type = NLA_U32 },
	[DDPROF_A_EVENT_CONFIG] = { .type = NLA_U64 },
	[DDPROF_A_EVENT_FREQUENCY_HZ] = NLA_POLICY_RANGE(NLA_U32, 1, 10000),
	[DDPROF_A_EVENT_PERIOD] = NLA_POLICY_FULL_RANGE(NLA_U64, &ddp_range_period),
	[DDPROF_A_EVENT_ON_MISSING] = NLA_POLICY_RANGE(NLA_U32, DDPROF_MISSING_FAIL,
						       DDPROF_MISSING_SKIP),
	[DDPROF_A_EVENT_MIN_NS] = NLA_POLICY_FULL_RANGE(NLA_U64, &ddp_range_min_ns),
};

static const struct nla_policy ddp_start_policy[DDPROF_A_START_MAX + 1] = {
	[DDPROF_A_START_EVENT] = NLA_POLICY_NESTED(ddp_event_policy),
	[DDPROF_A_START_SCOPE] = NLA_POLICY_RANGE(NLA_U32, DDPROF_SCOPE_MACHINE,
						  DDPROF_SCOPE_TREES),
	[DDPROF_A_START_TGID] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_pid),
	[DDPROF_A_START_FLAGS] = NLA_POLICY_MASK(NLA_U32, DDPROF_FLAG_ALL),
	[DDPROF_A_START_DEPTH] = NLA_POLICY_RANGE(NLA_U32, 1, DDPROF_MAX_DEPTH),
	[DDPROF_A_START_BUDGET_PERMILLE] = NLA_POLICY_RANGE(NLA_U32, 1, 1000),
	[DDPROF_A_START_RING_KIB] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_kib),
	[DDPROF_A_START_CACHE_STACKS] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_kib),
	[DDPROF_A_START_FLUSH_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_flush),
	[DDPROF_A_START_TABLES_KIB] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_tables),
	[DDPROF_A_START_EXCLUDE_TGID] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_pid),
	[DDPROF_A_START_TID] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_pid),
	[DDPROF_A_START_EXCLUDE_TID] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_pid),
	[DDPROF_A_START_NAME] = { .type = NLA_NUL_STRING, .len = DDP_PATTERN_MAX - 1 },
	[DDPROF_A_START_EXCLUDE_NAME] = { .type = NLA_NUL_STRING, .len = DDP_PATTERN_MAX - 1 },
	[DDPROF_A_START_CGROUP_FD] = { .type = NLA_U32 },
	[DDPROF_A_START_EXCLUDE_CGROUP_FD] = { .type = NLA_U32 },
};

static const struct nla_policy ddp_file_policy[DDPROF_A_FILE_MAX + 1] = {
	[DDPROF_A_FILE_ID] = { .type = NLA_U64 },
};

/*
 * Commands without attributes: anything given is refused. maxattr 0 would mean the family's, and
 * attributes of a family without any are not looked at.
 */
enum { DDP_NO_ATTR_MAX = 1 };
static const struct nla_policy ddp_no_policy[DDP_NO_ATTR_MAX + 1] = {};

/* -- permissions -- */

int ddp_may(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (netlink_capable(skb, CAP_PERFMON) || netlink_capable(skb, CAP_SYS_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack, "this needs CAP_PERFMON or CAP_SYS_ADMIN");
	return -EPERM;
}

static int ddp_may_start(struct sk_buff *skb, u32 flags, struct netlink_ext_ack *extack)
{
	if (security_locked_down(LOCKDOWN_PERF)) {
		NL_SET_ERR_MSG(extack, "the kernel is locked down: perf sampling is not allowed");
		return -EACCES;
	}
	if ((flags & DDPROF_FLAG_KERNEL) && !netlink_capable(skb, CAP_SYSLOG)) {
		NL_SET_ERR_MSG(extack, "kernel stacks need CAP_SYSLOG, or leave FLAG_KERNEL out");
		return -EPERM;
	}
	return 0;
}

/* Lock held: the sender's own session. */
static int ddp_my_session(struct sk_buff *request, const struct genl_info *info,
			  struct ddp_session **ret)
{
	struct ddp_session *s = ddp_session_current();

	if (!s || s->state != DDP_RUNNING) {
		GENL_SET_ERR_MSG(info, "no session is running");
		return -ENOENT;
	}
	if (s->owner_sock != NETLINK_CB(request).sk) {
		GENL_SET_ERR_MSG(info, "the session belongs to another socket");
		return -EPERM;
	}
	*ret = s;
	return 0;
}

/* -- replies -- */

struct sk_buff *ddp_reply_new(struct genl_info *info, u8 cmd, void **head)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put_reply(skb, info, &ddp_family, 0, cmd);
	if (*head)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

/* -- GET_INFO -- */

static int ddp_put_memory(struct sk_buff *skb, struct ddp_session *s)
{
	struct ddp_tables_info t = {};

	if (s->tables)
		ddp_tables_info(s->tables, &t);
	return ddp_put_u64(skb, DDPROF_A_INFO_TABLES, t.tables) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_TABLES_BYTES, t.bytes) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_TABLES_MAX_BYTES, t.max_bytes) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_TABLES_EVICTED, t.evicted) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_TABLES_REFUSED, t.refused) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_CPU_BYTES, ddp_cpu_bytes(s)) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_DEFER_BYTES,
			   s->defer ? ddp_defer_bytes(s->defer) : 0) ||
	       ddp_put_u64(skb, DDPROF_A_INFO_RANGES_BYTES,
			   ddp_mmtrack_ranges_bytes(s->mmtrack));
}

static int ddp_put_session(struct sk_buff *skb)
{
	struct ddp_session *s;
	int ret = 0;

	mutex_lock(&ddp_session_lock);
	s = ddp_session_current();
	if (s)
		ret = nla_put_u32(skb, DDPROF_A_INFO_OWNER, s->owner_port) ||
		      nla_put_u32(skb, DDPROF_A_INFO_OWNER_TGID, pid_nr(s->owner)) ||
		      ddp_put_memory(skb, s);
	mutex_unlock(&ddp_session_lock);
	return ret;
}

static int ddp_get_info(struct sk_buff *request, struct genl_info *info)
{
	struct sk_buff *skb;
	void *head;
	int ret = ddp_may(request, info->extack);

	if (ret)
		return ret;
	skb = ddp_reply_new(info, DDPROF_CMD_GET_INFO, &head);
	if (!skb)
		return -ENOMEM;
	if (nla_put_string(skb, DDPROF_A_INFO_MODULE_VERSION, DDP_VERSION) ||
	    nla_put_u32(skb, DDPROF_A_INFO_MAX_EVENTS, DDPROF_MAX_EVENTS) ||
	    nla_put_u32(skb, DDPROF_A_INFO_MAX_DEPTH, DDPROF_MAX_DEPTH) ||
	    nla_put_string(skb, DDPROF_A_INFO_KERNEL_UNWINDER, ddp_unwind_kernel_name()) ||
	    ddp_put_session(skb)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

/* -- START -- */

static int ddp_fault(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
		     const char *msg)
{
	if (extack) {
		extack->_msg = msg;
		extack->bad_attr = attr;
	}
	return err;
}

static int ddp_check_offcpu(const struct ddp_config *config, struct nlattr **tb,
			    const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	u32 i;

	if (tb[DDPROF_A_EVENT_TYPE] || tb[DDPROF_A_EVENT_CONFIG] || tb[DDPROF_A_EVENT_PERIOD])
		return ddp_fault(extack, attr, -EINVAL,
				 "the OFFCPU sampler takes FREQUENCY_HZ and MIN_NS only");
	for (i = 0; i + 1 < config->nr_events; i++)
		if (config->events[i].sampler == DDPROF_SAMPLER_OFFCPU)
			return ddp_fault(extack, attr, -EINVAL,
					 "a session has one EVENT of the OFFCPU sampler");
	return 0;
}

static int ddp_check_event(const struct ddp_event *event, struct nlattr **tb,
			   const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	bool clock = event->type == PERF_TYPE_SOFTWARE &&
		     (event->config == PERF_COUNT_SW_CPU_CLOCK ||
		      event->config == PERF_COUNT_SW_TASK_CLOCK);

	if (!tb[DDPROF_A_EVENT_SAMPLER])
		return ddp_fault(extack, attr, -EINVAL, "an EVENT needs a SAMPLER");
	if (!tb[DDPROF_A_EVENT_FREQUENCY_HZ] == !tb[DDPROF_A_EVENT_PERIOD])
		return ddp_fault(extack, attr, -EINVAL,
				 "an EVENT needs either FREQUENCY_HZ or PERIOD");
	if (event->sampler == DDPROF_SAMPLER_HRTIMER &&
	    (tb[DDPROF_A_EVENT_TYPE] || tb[DDPROF_A_EVENT_CONFIG] || tb[DDPROF_A_EVENT_PERIOD] ||
	     tb[DDPROF_A_EVENT_ON_MISSING]))
		return ddp_fault(extack, attr, -EINVAL,
				 "the hrtimer sampler takes FREQUENCY_HZ only");
	if (event->sampler != DDPROF_SAMPLER_OFFCPU && tb[DDPROF_A_EVENT_MIN_NS])
		return ddp_fault(extack, tb[DDPROF_A_EVENT_MIN_NS], -EINVAL,
				 "MIN_NS is for the OFFCPU sampler");
	if (clock && event->period && event->period < DDP_CPU_CLOCK_PERIOD_MIN_NS)
		return ddp_fault(extack, tb[DDPROF_A_EVENT_PERIOD], -ERANGE,
				 "a cpu clock PERIOD is at least 100000 ns");
	return 0;
}

static u32 ddp_u32_or(const struct nlattr *attr, u32 value)
{
	return attr ? nla_get_u32(attr) : value;
}

static int ddp_parse_event(const struct nlattr *attr, struct ddp_config *config,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *tb[DDPROF_A_EVENT_MAX + 1];
	struct ddp_event *event;
	int ret;

	if (config->nr_events == DDPROF_MAX_EVENTS)
		return ddp_fault(extack, attr, -E2BIG, "more EVENTs than DDPROF_MAX_EVENTS");
	ret = nla_parse_nested(tb, DDPROF_A_EVENT_MAX, attr, ddp_event_policy, extack);
	if (ret)
		return ret;
	event = &config->events[config->nr_events++];
	event->type = PERF_TYPE_SOFTWARE;
	event->config = PERF_COUNT_SW_CPU_CLOCK;
	if (tb[DDPROF_A_EVENT_SAMPLER])
		event->sampler = nla_get_u32(tb[DDPROF_A_EVENT_SAMPLER]);
	if (tb[DDPROF_A_EVENT_TYPE])
		event->type = nla_get_u32(tb[DDPROF_A_EVENT_TYPE]);
	if (tb[DDPROF_A_EVENT_CONFIG])
		event->config = nla_get_u64(tb[DDPROF_A_EVENT_CONFIG]);
	if (tb[DDPROF_A_EVENT_FREQUENCY_HZ])
		event->frequency_hz = nla_get_u32(tb[DDPROF_A_EVENT_FREQUENCY_HZ]);
	if (tb[DDPROF_A_EVENT_PERIOD])
		event->period = nla_get_u64(tb[DDPROF_A_EVENT_PERIOD]);
	event->on_missing = ddp_u32_or(tb[DDPROF_A_EVENT_ON_MISSING], DDPROF_MISSING_FAIL);
	event->min_ns = DDP_DEFAULT_MIN_NS;
	if (tb[DDPROF_A_EVENT_MIN_NS])
		event->min_ns = nla_get_u64(tb[DDPROF_A_EVENT_MIN_NS]);
	ret = ddp_check_event(event, tb, attr, extack);
	if (!ret && event->sampler == DDPROF_SAMPLER_OFFCPU)
		ret = ddp_check_offcpu(config, tb, attr, extack);
	return ret;
}

static int ddp_parse_tgid(const struct nlattr *attr, struct ddp_config *config,
			  struct netlink_ext_ack *extack)
{
	struct pid *pid;

	if (config->nr_tgids == DDPROF_MAX_TGIDS)
		return ddp_fault(extack, attr, -E2BIG, "more TGIDs than DDPROF_MAX_TGIDS");
	pid = find_get_pid(nla_get_u32(attr)); /* in the sender's PID namespace */
	if (!pid)
		return ddp_fault(extack, attr, -ESRCH, "there is no process with this TGID");
	config->tgids[config->nr_tgids++] = pid;
	return 0;
}

static int ddp_filter_fault(const struct nlattr *attr, int err, struct netlink_ext_ack *extack)
{
	switch (err) {
	case -E2BIG:
		return ddp_fault(extack, attr, err,
				 "more filters of a kind than DDPROF_MAX_FILTERS");
	case -ESRCH:
		return ddp_fault(extack, attr, err,
				 "there is no process or thread with this number");
	case -EBADF:
		return ddp_fault(extack, attr, err, "this is no open directory of a cgroup v2");
	}
	return err;
}

static int ddp_add_pattern(struct ddp_filter_names *names, const struct nlattr *attr,
			   struct netlink_ext_ack *extack)
{
	const char *pattern = nla_data(attr);

	if (!pattern[0])
		return ddp_fault(extack, attr, -EINVAL, "an empty NAME matches nothing");
	return ddp_filter_add_name(names, pattern);
}

static int ddp_add_filter(struct ddp_filter *f, const struct nlattr *attr,
			  struct netlink_ext_ack *extack)
{
	switch (nla_type(attr)) {
	case DDPROF_A_START_EXCLUDE_TGID:
		return ddp_filter_add_pid(&f->not_tgids, nla_get_u32(attr));
	case DDPROF_A_START_TID:
		return ddp_filter_add_pid(&f->tids[DDP_FILTER_IN], nla_get_u32(attr));
	case DDPROF_A_START_EXCLUDE_TID:
		return ddp_filter_add_pid(&f->tids[DDP_FILTER_OUT], nla_get_u32(attr));
	case DDPROF_A_START_NAME:
		return ddp_add_pattern(&f->names[DDP_FILTER_IN], attr, extack);
	case DDPROF_A_START_EXCLUDE_NAME:
		return ddp_add_pattern(&f->names[DDP_FILTER_OUT], attr, extack);
	case DDPROF_A_START_CGROUP_FD:
		return ddp_filter_add_cgroup(&f->cgroups[DDP_FILTER_IN], nla_get_u32(attr));
	default:
		return ddp_filter_add_cgroup(&f->cgroups[DDP_FILTER_OUT], nla_get_u32(attr));
	}
}

static int ddp_parse_filter(const struct nlattr *attr, struct ddp_config *config,
			    struct netlink_ext_ack *extack)
{
	if (!config->filter)
		config->filter = ddp_filter_create();
	if (!config->filter)
		return -ENOMEM;
	return ddp_filter_fault(attr, ddp_add_filter(config->filter, attr, extack), extack);
}

static void ddp_parse_numbers(struct nlattr **tb, struct ddp_config *config)
{
	config->scope = ddp_u32_or(tb[DDPROF_A_START_SCOPE], DDPROF_SCOPE_MACHINE);
	config->flags = ddp_u32_or(tb[DDPROF_A_START_FLAGS],
				   DDPROF_FLAG_KERNEL | DDPROF_FLAG_USER);
	config->depth = ddp_u32_or(tb[DDPROF_A_START_DEPTH], DDP_DEFAULT_DEPTH);
	config->budget_permille = ddp_u32_or(tb[DDPROF_A_START_BUDGET_PERMILLE],
					     DDP_DEFAULT_BUDGET_PERMILLE);
	config->ring_bytes = 1024 * roundup_pow_of_two(ddp_u32_or(tb[DDPROF_A_START_RING_KIB],
								  DDP_DEFAULT_RING_KIB));
	config->cache_stacks = roundup_pow_of_two(ddp_u32_or(tb[DDPROF_A_START_CACHE_STACKS],
							     DDP_DEFAULT_CACHE_STACKS));
	config->flush_ms = ddp_u32_or(tb[DDPROF_A_START_FLUSH_MS], DDP_DEFAULT_FLUSH_MS);
	config->tables_bytes = 1024ULL * ddp_u32_or(tb[DDPROF_A_START_TABLES_KIB],
						    DDP_DEFAULT_TABLES_KIB);
}

/*
 * The attributes that may repeat; info->attrs has only the last of each. Pids and filter are
 * the caller's.
 */
static int ddp_parse_start(struct genl_info *info, struct ddp_config *config)
{
	const struct nlattr *attr;
	int rem, ret = 0;

	ddp_parse_numbers(info->attrs, config);
	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem) {
		if (nla_type(attr) == DDPROF_A_START_EVENT)
			ret = ddp_parse_event(attr, config, info->extack);
		else if (nla_type(attr) == DDPROF_A_START_TGID)
			ret = ddp_parse_tgid(attr, config, info->extack);
		else if (nla_type(attr) >= DDPROF_A_START_EXCLUDE_TGID)
			ret = ddp_parse_filter(attr, config, info->extack);
		if (ret)
			return ret;
	}
	if (!config->nr_events)
		return ddp_fault(info->extack, NULL, -EINVAL, "START needs an EVENT");
	if (config->scope == DDPROF_SCOPE_MACHINE && config->nr_tgids)
		return ddp_fault(info->extack, info->attrs[DDPROF_A_START_TGID], -EINVAL,
				 "a TGID needs SCOPE TGIDS or TREES");
	if (config->scope != DDPROF_SCOPE_MACHINE && !config->nr_tgids)
		return ddp_fault(info->extack, info->attrs[DDPROF_A_START_SCOPE], -EINVAL,
				 "this SCOPE needs a TGID");
	return 0;
}

static int ddp_put_started_event(struct sk_buff *skb, const struct ddp_event *event)
{
	struct nlattr *nest = nla_nest_start(skb, DDPROF_A_STARTED_EVENT);

	if (!nest || nla_put_u32(skb, DDPROF_A_STARTED_EVENT_SAMPLER, event->sampler) ||
	    ddp_put_u64(skb, DDPROF_A_STARTED_EVENT_PERIOD, event->period) ||
	    nla_put_u32(skb, DDPROF_A_STARTED_EVENT_UNIT, event->unit) ||
	    (event->fallback &&
	     nla_put_u32(skb, DDPROF_A_STARTED_EVENT_FALLBACK, event->fallback)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int ddp_reply_started(struct genl_info *info, const struct ddp_session *s)
{
	void *head;
	struct sk_buff *skb = ddp_reply_new(info, DDPROF_CMD_START, &head);
	u32 i;

	if (!skb)
		return -ENOMEM;
	if (ddp_put_u64(skb, DDPROF_A_STARTED_MONOTONIC_NS, s->start_ns) ||
	    ddp_put_u64(skb, DDPROF_A_STARTED_REALTIME_NS, s->start_realtime_ns))
		goto full;
	for (i = 0; i < s->config.nr_events; i++)
		if (ddp_put_started_event(skb, &s->config.events[i]))
			goto full;
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
full:
	nlmsg_free(skb);
	return -EMSGSIZE;
}

static int ddp_check_free(const struct sock *sk, const struct genl_info *info)
{
	struct ddp_session *s = ddp_session_current();

	if (s && s->state == DDP_STOPPED && s->owner_sock == sk) {
		ddp_session_end(s); /* its owner is done with it */
		return 0;
	}
	if (!s)
		return 0;
	if (s->owner_sock == sk) {
		GENL_SET_ERR_MSG(info, "this socket has a session already");
		return -EALREADY;
	}
	GENL_SET_ERR_MSG(info, "another collector has a session; see GET_INFO for its process");
	return -EBUSY;
}

static int ddp_start_locked(struct sock *sk, struct genl_info *info, struct ddp_config *config)
{
	struct ddp_session *s;
	int ret = ddp_check_free(sk, info);

	if (ret)
		return ret;
	ret = ddp_session_start(config, sk, info->snd_portid, info->extack, &s);
	if (ret)
		return ret;
	/* the answer first, so that no record can overtake it */
	ret = ddp_reply_started(info, s);
	if (!ret)
		ret = ddp_session_deliver(s);
	if (ret)
		ddp_session_end(s);
	return ret;
}

static int ddp_start(struct sk_buff *request, struct genl_info *info)
{
	struct ddp_config *config;
	int ret = ddp_may(request, info->extack);

	if (ret)
		return ret;
	config = kzalloc(sizeof(*config), GFP_KERNEL);
	if (!config)
		return -ENOMEM;
	ret = ddp_parse_start(info, config);
	if (!ret)
		ret = ddp_may_start(request, config->flags, info->extack);
	if (!ret) {
		mutex_lock(&ddp_session_lock);
		ret = ddp_start_locked(NETLINK_CB(request).sk, info, config);
		mutex_unlock(&ddp_session_lock);
	}
	while (config->nr_tgids)
		put_pid(config->tgids[--config->nr_tgids]);
	ddp_filter_destroy(config->filter);
	kfree(config);
	return ret;
}

/* -- STOP, RESYNC -- */

/* A command without attributes that only the owner may give. */
static int ddp_by_owner(struct sk_buff *request, struct genl_info *info,
			void (*act)(struct ddp_session *s))
{
	struct ddp_session *s;
	int ret = ddp_may(request, info->extack);

	if (ret)
		return ret;
	mutex_lock(&ddp_session_lock);
	ret = ddp_my_session(request, info, &s);
	if (!ret)
		act(s);
	mutex_unlock(&ddp_session_lock);
	return ret;
}

static int ddp_stop(struct sk_buff *request, struct genl_info *info)
{
	return ddp_by_owner(request, info, ddp_session_stop);
}

static void ddp_session_resync(struct ddp_session *s)
{
	ddp_drain_resync(s->drain);
}

static int ddp_resync(struct sk_buff *request, struct genl_info *info)
{
	return ddp_by_owner(request, info, ddp_session_resync);
}

/* -- FILE_OPEN -- */

static int ddp_held_path(struct genl_info *info, u64 id, struct path *path)
{
	struct ddp_session *s;
	int ret = -ENOENT;

	mutex_lock(&ddp_session_lock);
	s = ddp_session_current();
	if (s && s->owner != task_tgid(current)) {
		GENL_SET_ERR_MSG(info, "the session belongs to another process");
		ret = -EPERM;
	} else {
		if (s)
			ret = ddp_files_path(s->files, id, path);
		if (ret)
			GENL_SET_ERR_MSG(info, "no file of that id is held (any more)");
	}
	mutex_unlock(&ddp_session_lock);
	return ret;
}

static int ddp_reply_file(struct genl_info *info, u64 id, int fd)
{
	void *head;
	struct sk_buff *skb = ddp_reply_new(info, DDPROF_CMD_FILE_OPEN, &head);

	if (!skb)
		return -ENOMEM;
	if (ddp_put_u64(skb, DDPROF_A_FILE_ID, id) || nla_put_u32(skb, DDPROF_A_FILE_FD, fd)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

/* The descriptor is installed when the answer is surely on its way: no failure leaves one open. */
static int ddp_install_file(struct genl_info *info, u64 id, const struct path *path)
{
	struct file *file;
	int fd, ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = dentry_open(path, O_RDONLY | O_LARGEFILE, current_cred());
	if (IS_ERR(file)) {
		GENL_SET_ERR_MSG(info, "the file cannot be opened");
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	ret = ddp_reply_file(info, id, fd);
	if (ret) {
		put_unused_fd(fd);
		fput(file);
		return ret;
	}
	fd_install(fd, file);
	return 0;
}

static int ddp_file_open(struct sk_buff *request, struct genl_info *info)
{
	struct path path;
	u64 id;
	int ret = ddp_may(request, info->extack);

	if (ret)
		return ret;
	if (!netlink_capable(request, CAP_DAC_READ_SEARCH)) {
		GENL_SET_ERR_MSG(info, "opening any mapped file needs CAP_DAC_READ_SEARCH");
		return -EPERM;
	}
	if (!info->attrs[DDPROF_A_FILE_ID])
		return ddp_fault(info->extack, NULL, -EINVAL, "FILE_OPEN needs a FILE_ID");
	id = nla_get_u64(info->attrs[DDPROF_A_FILE_ID]);
	ret = ddp_held_path(info, id, &path);
	if (ret)
		return ret;
	ret = ddp_install_file(info, id, &path);
	path_put(&path);
	return ret;
}

/* -- GET_STATS -- */

static int ddp_put_ends(struct sk_buff *skb, int attr, const u64 *ends)
{
	return nla_put(skb, attr, __DDPROF_END_MAX * sizeof(*ends), ends);
}

static int ddp_put_numbers(struct sk_buff *skb, const struct ddp_cpu *c, const struct ddp_stats *t)
{
	const struct { int attr; u64 value; } numbers[] = {
		{ DDPROF_A_STATS_ELAPSED_NS, ddp_session_time_ns(c->session) },
		{ DDPROF_A_STATS_SAMPLES, t->samples },
		{ DDPROF_A_STATS_FOLDED, t->folded },
		{ DDPROF_A_STATS_NEW_STACKS, t->new_stacks },
		{ DDPROF_A_STATS_IDLE, t->idle },
		{ DDPROF_A_STATS_OUT_OF_SCOPE, t->out_of_scope },
		{ DDPROF_A_STATS_NO_REGS, t->no_regs },
		{ DDPROF_A_STATS_SKIPPED, c->budget.skipped_total },
		{ DDPROF_A_STATS_LOST_RING, t->lost_ring },
		{ DDPROF_A_STATS_LOST_NESTED, t->lost_nested },
		{ DDPROF_A_STATS_LOST_TASKS, t->lost_tasks },
		{ DDPROF_A_STATS_NO_ASPACE, t->no_aspace },
		{ DDPROF_A_STATS_MISSED, ddp_cpu_missed(c) },
		{ DDPROF_A_STATS_NMI, c->level[DDP_LEVEL_NMI].stats.samples },
		{ DDPROF_A_STATS_HANDLER_NS, t->handler_ns },
		{ DDPROF_A_STATS_HANDLER_MAX_NS, t->handler_max_ns },
		{ DDPROF_A_STATS_RING_BYTES, c->ring.size },
		{ DDPROF_A_STATS_RING_HIGH_BYTES, c->ring.high },
		{ DDPROF_A_STATS_MESSAGES, c->messages },
		{ DDPROF_A_STATS_BYTES, c->bytes },
		{ DDPROF_A_STATS_DEFERRED, t->deferred },
		{ DDPROF_A_STATS_DEFER_FULL, t->defer_full },
		{ DDPROF_A_STATS_GUESSED, t->guessed },
		{ DDPROF_A_STATS_BLOCKS, t->blocks },
		{ DDPROF_A_STATS_BLOCKS_SHORT, t->blocks_short },
		{ DDPROF_A_STATS_BLOCKS_THINNED, t->blocks_thinned },
		{ DDPROF_A_STATS_BLOCKS_LOST, t->blocks_lost },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (ddp_put_u64(skb, numbers[i].attr, numbers[i].value))
			return -EMSGSIZE;
	return 0;
}

static int ddp_put_stats(struct sk_buff *skb, const struct ddp_cpu *c)
{
	struct ddp_stats t;

	ddp_cpu_stats(c, &t);
	return nla_put_u32(skb, DDPROF_A_STATS_CPU, c->cpu) ||
	       nla_put_u32(skb, DDPROF_A_STATS_ONLINE, READ_ONCE(c->online)) ||
	       ddp_put_numbers(skb, c, &t) ||
	       ddp_put_ends(skb, DDPROF_A_STATS_KERNEL_END, t.kernel_end) ||
	       ddp_put_ends(skb, DDPROF_A_STATS_USER_END, t.user_end) ? -EMSGSIZE : 0;
}

static int ddp_dump_cpu(struct sk_buff *skb, struct netlink_callback *cb, const struct ddp_cpu *c)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &ddp_family,
				 NLM_F_MULTI, DDPROF_CMD_GET_STATS);

	if (!head)
		return -EMSGSIZE;
	if (ddp_put_stats(skb, c)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* The permission is asked here, not in .start: only here is there an extack to say why not. */
static int ddp_stats_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ddp_session *s;
	int ret = ddp_may(cb->skb, cb->extack);

	if (ret)
		return ret;
	mutex_lock(&ddp_session_lock);
	s = ddp_session_current();
	for (; s && cb->args[0] < nr_cpu_ids; cb->args[0]++)
		if (s->cpus[cb->args[0]] && ddp_dump_cpu(skb, cb, s->cpus[cb->args[0]]))
			break;
	mutex_unlock(&ddp_session_lock);
	return skb->len;
}

/* -- the family -- */

static const struct genl_ops ddp_ops[] = {
	{
		.cmd = DDPROF_CMD_GET_INFO,
		.doit = ddp_get_info,
		.policy = ddp_no_policy,
		.maxattr = DDP_NO_ATTR_MAX,
	}, {
		.cmd = DDPROF_CMD_START,
		.doit = ddp_start,
		.policy = ddp_start_policy,
		.maxattr = DDPROF_A_START_MAX,
	}, {
		.cmd = DDPROF_CMD_STOP,
		.doit = ddp_stop,
		.policy = ddp_no_policy,
		.maxattr = DDP_NO_ATTR_MAX,
	}, {
		.cmd = DDPROF_CMD_GET_STATS,
		.dumpit = ddp_stats_dump,
		.policy = ddp_no_policy,
		.maxattr = DDP_NO_ATTR_MAX,
	}, {
		.cmd = DDPROF_CMD_FILE_OPEN,
		.doit = ddp_file_open,
		.policy = ddp_file_policy,
		.maxattr = DDPROF_A_FILE_MAX,
	}, {
		.cmd = DDPROF_CMD_RESYNC,
		.doit = ddp_resync,
		.policy = ddp_no_policy,
		.maxattr = DDP_NO_ATTR_MAX,
	}, {
		.cmd = DDPROF_CMD_TABLE_BEGIN,
		.doit = ddp_table_begin,
		.policy = ddp_table_policy,
		.maxattr = DDPROF_A_TABLE_MAX,
	}, {
		.cmd = DDPROF_CMD_TABLE_DATA,
		.doit = ddp_table_data,
		.policy = ddp_table_policy,
		.maxattr = DDPROF_A_TABLE_MAX,
	}, {
		.cmd = DDPROF_CMD_TABLE_COMMIT,
		.doit = ddp_table_commit,
		.policy = ddp_table_policy,
		.maxattr = DDPROF_A_TABLE_MAX,
	}, {
		.cmd = DDPROF_CMD_TABLE_DROP,
		.doit = ddp_table_drop,
		.policy = ddp_table_policy,
		.maxattr = DDPROF_A_TABLE_MAX,
	}, {
		.cmd = DDPROF_CMD_TABLE_LIST,
		.dumpit = ddp_table_list,
		.policy = ddp_no_policy,
		.maxattr = DDP_NO_ATTR_MAX,
	},
};

struct genl_family ddp_family __ro_after_init = {
	.name = DDPROF_GENL_NAME,
	.version = DDPROF_GENL_VERSION,
	.module = THIS_MODULE,
	.ops = ddp_ops,
	.n_ops = ARRAY_SIZE(ddp_ops),
	.netnsok = false,
	.parallel_ops = true,
#ifdef HAVE_GENL_RESV_START_OP
	.resv_start_op = DDPROF_CMD_GET_INFO, /* strict from the first command on */
#endif
};

/* A socket was closed: if it owned the session, that ends now. Process context. */
static int ddp_socket_closed(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netlink_notify *notify = data;
	struct ddp_session *s;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC ||
	    notify->net != &init_net || !ddp_session_may_own(notify->portid))
		return NOTIFY_DONE;
	mutex_lock(&ddp_session_lock);
	s = ddp_session_current();
	if (s && s->owner_port == notify->portid)
		ddp_session_end(s);
	mutex_unlock(&ddp_session_lock);
	return NOTIFY_DONE;
}

static struct notifier_block ddp_socket_notifier = {
	.notifier_call = ddp_socket_closed,
};

int ddp_netlink_init(void)
{
	int ret = netlink_register_notifier(&ddp_socket_notifier);

	if (ret)
		return ret;
	ret = genl_register_family(&ddp_family);
	if (ret)
		netlink_unregister_notifier(&ddp_socket_notifier);
	return ret;
}

void ddp_netlink_exit(void)
{
	genl_unregister_family(&ddp_family);
	netlink_unregister_notifier(&ddp_socket_notifier);
}
