// SPDX-License-Identifier: Apache-2.0
/*
 * See services.h. Numbers of processes are used again, so every number has a list of images, the
 * newest first, told apart by their address spaces, which are not. What /proc says is believed when
 * the process there began before the one that was sampled was seen; times are compared on the
 * session's clock.
 */
#include "service/services.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/log.h"
#include "service/services_internal.h"

enum {
	KTHREADD = 2,		/* the parent of all kernel threads */
	MAX_TRIES = 4,		/* to read an environment that is not there yet */
	FIRST_PAUSE_MS = 10,	/* between tries; doubles */
	MAX_GENERATIONS = 16,	/* up to a parent that is known */
	ENDED = 2,		/* of struct fork */
	MAX_IDLE = 16,		/* intervals without a sample, for those whose EXIT was lost */
	/* starts are told in ticks of 10 ms, and clocks are read one after the other */
	START_SLACK_NS = 20000000,
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t session_ns(const struct ddp_services *s)
{
	return (uint64_t)clock_ns(CLOCK_MONOTONIC) - s->monotonic_ns;
}

static uint64_t key_of(uint32_t tgid)
{
	return (uint64_t)tgid + 1;
}

/* Forks: parent, time in 10 ms, and whether the child ended, in the 64 bits of a table's value */

struct fork {
	uint32_t parent;
	uint32_t time_10ms;	/* since the session's start; 30 bits are four months */
	uint8_t ended;		/* 0, or how many intervals it still outlives + 1 */
};

enum { FORK_TIME_BITS = 30, FORK_TIME_UNIT_NS = 10000000 };

static uint64_t pack_fork(struct fork f)
{
	return (uint64_t)f.ended << 62 | (uint64_t)f.time_10ms << 32 | f.parent;
}

static struct fork unpack_fork(uint64_t v)
{
	return (struct fork){ (uint32_t)v, (uint32_t)(v >> 32) & ((1U << FORK_TIME_BITS) - 1),
			      (uint8_t)(v >> 62) };
}

static bool find_fork(const struct ddp_services *s, uint32_t tgid, struct fork *ret)
{
	const uint64_t *v = ddp_table_find(&s->parents, key_of(tgid));

	if (v)
		*ret = unpack_fork(*v);
	return v;
}

static int forked(struct ddp_services *s, const struct ddp_task *t)
{
	uint64_t time = t->time_ns / FORK_TIME_UNIT_NS;
	struct fork f = { .parent = t->parent };

	if (t->tid != t->tgid || t->parent == t->tgid)
		return 0; /* a thread */
	if (s->parents.nr >= DDP_SERVICES_MAX_PROCESSES &&
	    !ddp_table_find(&s->parents, key_of(t->tgid))) {
		s->counts.refused++;
		return 0;
	}
	f.time_10ms = time >> FORK_TIME_BITS ? (1U << FORK_TIME_BITS) - 1 : (uint32_t)time;
	return ddp_table_set(&s->parents, key_of(t->tgid), pack_fork(f));
}

/* Images */

static struct image *newest(const struct ddp_services *s, uint32_t tgid)
{
	const uint64_t *v = ddp_table_find(&s->by_tgid, key_of(tgid));

	return v ? ddp_table_pointer(*v) : NULL;
}

/* Whether the number was given to another process after @i was seen */
static bool replaced(const struct ddp_services *s, const struct image *i)
{
	struct fork f;

	return find_fork(s, i->tgid, &f) &&
	       (uint64_t)f.time_10ms * FORK_TIME_UNIT_NS > i->seen_ns + START_SLACK_NS;
}

/* Without user memory it is a kernel thread, or has just given its memory up */
static struct image *find(const struct ddp_services *s, uint32_t tgid, uint64_t aspace)
{
	struct image *i = newest(s, tgid);

	if (!aspace)
		return i && !replaced(s, i) ? i : NULL;
	while (i && i->aspace != aspace)
		i = i->older;
	return i;
}

static bool has_room(const struct ddp_services *s, uint32_t tgid)
{
	unsigned int nr = 0;

	for (const struct image *i = newest(s, tgid); i; i = i->older)
		nr++;
	return nr < DDP_SERVICES_MAX_IMAGES && s->nr_images < DDP_SERVICES_MAX_PROCESSES;
}

static uint64_t seen_ns(const struct ddp_services *s, uint32_t tgid)
{
	return s->seen_tgid == tgid ? s->seen_ns : session_ns(s);
}

/* *ret is NULL over the limits */
static int insert(struct ddp_services *s, uint32_t tgid, uint64_t aspace, struct image **ret)
{
	struct image *i;

	*ret = NULL;
	if (!has_room(s, tgid)) {
		s->counts.refused++;
		return 0;
	}
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	i->tgid = tgid;
	i->aspace = aspace;
	i->seen_ns = seen_ns(s, tgid);
	i->older = newest(s, tgid);
	if (ddp_table_set(&s->by_tgid, key_of(tgid), ddp_table_value(i))) {
		free(i);
		return -ENOMEM;
	}
	s->nr_images++;
	*ret = i;
	return 0;
}

static void image_free(struct ddp_services *s, struct image *i)
{
	ddp_identity_put(&s->identities, i->identity);
	s->nr_images--;
	free(i);
}

/* Streams of CPUs overtake each other: only a newer name counts */
static void rename_image(struct image *i, const char *name, uint64_t time_ns)
{
	if (!name[0] || time_ns < i->named_ns)
		return;
	i->named_ns = time_ns;
	if (!strncmp(i->name, name, sizeof(i->name)))
		return;
	snprintf(i->name, sizeof(i->name), "%s", name);
	i->service = NULL;
}

/* Looking up */

/* When the process began, on the session's clock; before it: 0 */
static uint64_t start_ns(const struct ddp_services *s, const struct ddp_proc_stat *stat)
{
	int64_t suspended = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	int64_t start = (int64_t)(stat->start_ticks * tick_ns) - suspended -
			(int64_t)s->monotonic_ns;

	return start > 0 ? (uint64_t)start : 0;
}

static int set_identity(struct ddp_services *s, struct image *i,
			const struct ddp_proc_facts *facts)
{
	struct ddp_identity *identity;
	int r = ddp_identity_get(&s->identities, facts, &identity);

	if (r)
		return r;
	ddp_identity_put(&s->identities, i->identity);
	i->identity = identity;
	i->service = NULL;
	return 0;
}

static void say_denied(struct ddp_services *s, int error)
{
	s->counts.denied++;
	if (s->said_denied)
		return;
	s->said_denied = true;
	ddp_log_warn("the environment of a process cannot be read: %s; without CAP_SYS_PTRACE "
		     "services are told by units, containers and names only", strerror(-error));
}

static int inherit(struct ddp_services *s, struct image *i, unsigned int generation);

/* What was read within exec is half of it: the parent's is better, where it is known */
static int gone(struct ddp_services *s, struct image *i, unsigned int generation)
{
	struct ddp_identity *read = TAKE(i->identity);
	int r;

	s->counts.gone += i->state == IMAGE_NEW;
	i->ended = true;
	i->state = IMAGE_GONE;
	r = inherit(s, i, generation);
	if (i->identity)
		ddp_identity_put(&s->identities, read);
	else
		i->identity = read;
	return r;
}

static int look_up(struct ddp_services *s, struct image *i, unsigned int generation)
{
	struct ddp_proc_facts f;
	int r = s->proc.root_fd < 0 ? -ESRCH :
		ddp_proc_read(&s->proc, i->tgid, s->config.split, &f);

	s->counts.looked_up += !i->tries++;
	if (r || start_ns(s, &f.stat) > i->seen_ns + START_SLACK_NS)
		return gone(s, i, generation);
	if (f.environ_error == -EACCES || f.environ_error == -EPERM)
		say_denied(s, f.environ_error);
	rename_image(i, f.stat.name, session_ns(s));
	i->state = IMAGE_KNOWN;
	if (s->config.split && !f.stat.kernel_thread && !f.environ_error && !f.has_environ &&
	    i->tries < MAX_TRIES) {
		i->state = IMAGE_AGAIN;
		i->next_try_ms = clock_ns(CLOCK_MONOTONIC) / 1000000 +
				 (FIRST_PAUSE_MS << i->tries);
	}
	return set_identity(s, i, &f);
}

static int kernel_thread(struct ddp_services *s, struct image *i)
{
	return set_identity(s, i, &(struct ddp_proc_facts){ .stat.kernel_thread = true });
}

/* The process that forked it: not one that got its number later. NULL: over the limits */
static int find_parent(struct ddp_services *s, const struct fork *f, struct image **ret)
{
	struct fork of_parent;
	int r;

	*ret = NULL;
	if (find_fork(s, f->parent, &of_parent) && of_parent.time_10ms > f->time_10ms)
		return 0;
	*ret = newest(s, f->parent);
	if (*ret)
		return 0;
	r = insert(s, f->parent, 0, ret);
	if (*ret)
		(*ret)->seen_ns = (f->time_10ms + 1ULL) * FORK_TIME_UNIT_NS;
	return r;
}

/* What is known of its parent, which may have to be looked up itself */
static int inherit(struct ddp_services *s, struct image *i, unsigned int generation)
{
	struct image *parent;
	struct fork f;
	int r;

	if (!i->tgid || i->tgid == KTHREADD)
		return kernel_thread(s, i);
	if (!find_fork(s, i->tgid, &f) || generation == MAX_GENERATIONS)
		return 0;
	if (f.parent == KTHREADD)
		return kernel_thread(s, i);
	r = find_parent(s, &f, &parent);
	if (r || !parent)
		return r;
	if (parent->state == IMAGE_NEW)
		r = look_up(s, parent, generation + 1);
	else if (!parent->identity)
		r = inherit(s, parent, generation + 1);
	if (r || !parent->identity)
		return r;
	i->identity = parent->identity;
	i->identity->refs++;
	i->service = NULL;
	s->counts.inherited++;
	return 0;
}

static int ask_later(struct ddp_services *s, struct image *i)
{
	struct image **more = array_reserve(s->pending, &s->cap_pending, s->nr_pending + 1,
					    sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->pending = more;
	s->pending[s->nr_pending++] = i;
	i->queued = true;
	return 0;
}

void ddp_services_work(struct ddp_services *s)
{
	int64_t now = s->nr_pending ? clock_ns(CLOCK_MONOTONIC) / 1000000 : 0;
	size_t kept = 0;

	for (size_t n = 0; n < s->nr_pending; n++) {
		struct image *i = s->pending[n];
		bool wait = i->state == IMAGE_AGAIN && now < i->next_try_ms;

		/* without memory for it, it is asked again when the profile is made */
		if (!wait && (i->state == IMAGE_NEW || i->state == IMAGE_AGAIN))
			(void)look_up(s, i, 0);
		i->queued = i->state == IMAGE_AGAIN;
		if (i->queued)
			s->pending[kept++] = i;
	}
	s->nr_pending = kept;
}

int services_image(struct ddp_services *s, const struct ddp_services_who *who, bool again,
		   struct image **ret)
{
	int r = 0;

	*ret = find(s, who->tgid, who->aspace);
	if (!*ret) {
		r = insert(s, who->tgid, who->aspace, ret);
		if (!r && *ret)
			rename_image(*ret, who->name, 0);
	}
	if (!r && *ret && ((*ret)->state == IMAGE_NEW || (again && (*ret)->state == IMAGE_AGAIN)))
		r = look_up(s, *ret, 0);
	/* its FORK may have come since */
	if (!r && *ret && (*ret)->state == IMAGE_GONE && !(*ret)->identity)
		r = inherit(s, *ret, 0);
	if (*ret)
		(*ret)->idle = 0;
	return r;
}

int ddp_services_identity(struct ddp_services *s, const struct ddp_services_who *who,
			  const struct ddp_identity **ret)
{
	struct image *i;
	/* what is found now would take the place of what a caller was told before */
	int r = services_image(s, who, false, &i);

	*ret = !r && i ? i->identity : NULL;
	return r;
}

/* What decode tells */

/* A thread that is ending has no leader any more, whose name its process has: it says its own */
static bool is_process_name(const struct ddp_stack *stack, const struct ddp_names *names)
{
	return stack->tid == stack->tgid || strcmp(names->process, names->thread);
}

int ddp_services_stack(struct ddp_services *s, const struct ddp_stack *stack,
		       const struct ddp_names *names)
{
	struct image *i = find(s, stack->tgid, stack->aspace);
	int r;

	if (i) {
		if (s->seen_tgid == stack->tgid && is_process_name(stack, names))
			rename_image(i, names->process, s->seen_ns);
		return 0;
	}
	r = insert(s, stack->tgid, stack->aspace, &i);
	if (r || !i)
		return r;
	rename_image(i, names->process, i->seen_ns);
	return ask_later(s, i);
}

static void process_ended(struct ddp_services *s, uint32_t tgid)
{
	uint64_t *v = ddp_table_find(&s->parents, key_of(tgid));

	for (struct image *i = newest(s, tgid); i; i = i->older)
		i->ended = true;
	if (v && !unpack_fork(*v).ended) {
		struct fork f = unpack_fork(*v);

		f.ended = ENDED;
		*v = pack_fork(f);
	}
}

int ddp_services_task(struct ddp_services *s, const struct ddp_task *t)
{
	if (t->kind == DDPROF_TASK_SEEN) {
		s->seen_tgid = t->tgid;
		s->seen_ns = t->time_ns;
	} else if (t->kind == DDPROF_TASK_FORK) {
		return forked(s, t);
	} else if (t->kind == DDPROF_TASK_EXIT && t->tid == t->tgid) {
		process_ended(s, t->tgid);
	}
	return 0;
}

void ddp_services_aspace_gone(struct ddp_services *s, uint32_t tgid, uint64_t aspace)
{
	struct image *i = find(s, tgid, aspace);

	if (i && i->aspace == aspace)
		i->ended = true;
}

/* The end of an interval */

static bool fork_gone(void *ctx, void *value)
{
	(void)ctx;
	return unpack_fork(ddp_table_value(value)).ended == 1;
}

static void trim_forks(struct ddp_services *s)
{
	/* with so many, EXITs were lost */
	if (s->parents.nr >= DDP_SERVICES_MAX_PROCESSES)
		ddp_table_clear(&s->parents);
	ddp_table_prune(&s->parents, fork_gone, NULL);
	ddp_table_for_each(&s->parents, slot) {
		struct fork f = unpack_fork(slot->value);

		f.ended -= f.ended > 0;
		slot->value = pack_fork(f);
	}
}

static bool images_gone(void *ctx, void *value)
{
	(void)ctx;
	return !value;
}

/* Samples may come after a process's end, in another CPU's stream: it outlives one interval */
static bool is_over(struct image *i)
{
	bool idle = i->idle++;

	return !i->queued && ((idle && i->ended) || i->idle > MAX_IDLE);
}

static struct image *trim_images(struct ddp_services *s, struct image *i)
{
	struct image *first = NULL, **last = &first, *older;

	for (; i; i = older) {
		older = i->older;
		i->service = NULL;
		if (is_over(i)) {
			image_free(s, i);
			continue;
		}
		*last = i;
		last = &i->older;
	}
	*last = NULL;
	return first;
}

void ddp_services_trim(struct ddp_services *s)
{
	ddp_services_work(s);
	ddp_table_for_each(&s->by_tgid, slot)
		slot->value = ddp_table_value(trim_images(s, ddp_table_pointer(slot->value)));
	ddp_table_prune(&s->by_tgid, images_gone, NULL);
	trim_forks(s);
	services_trim_names(s);
}

size_t ddp_services_bytes(const struct ddp_services *s)
{
	return s->nr_images * sizeof(struct image) + s->identities.bytes +
	       (s->by_tgid.capacity + s->parents.capacity + s->services.capacity) *
		       sizeof(struct ddp_slot) +
	       s->nr_services * sizeof(struct ddp_service);
}

/* Setting up */

int ddp_services_init(struct ddp_services *s, const struct ddp_services_config *config,
		      struct ddp_error *err)
{
	int r = 0;

	*s = (struct ddp_services){ .config = *config, .proc.root_fd = -1 };
	if (!s->config.max_services)
		s->config.max_services = DDP_SERVICES_MAX;
	for (uint32_t i = 0; !r && i < config->nr_rules; i++)
		r = ddp_service_rules_add(&s->rules, config->rules[i], err);
	s->config.rules = NULL;
	return r;
}

static bool is_machines(const struct ddp_proc *p, uint32_t own_pid)
{
	return !own_pid || ddp_proc_self(p) == own_pid;
}

int ddp_services_started(struct ddp_services *s, uint64_t monotonic_ns, uint32_t own_pid)
{
	const char *const usual[] = { "/proc", "/host/proc" };
	const char *const *roots = s->config.proc ? &s->config.proc : usual;
	size_t nr = s->config.proc ? 1 : sizeof(usual) / sizeof(usual[0]);

	s->monotonic_ns = monotonic_ns;
	for (size_t n = 0; n < nr; n++) {
		int r = ddp_proc_open(roots[n], &s->proc);

		if (r == -ENOMEM)
			return r;
		if (!r && is_machines(&s->proc, own_pid))
			return 0;
		ddp_proc_close(&s->proc);
	}
	/* containers alone are no loss worth a warning each time */
	ddp_log(s->config.split ? DDP_LOG_WARN : DDP_LOG_DEBUG,
		"%s is not the procfs of the whole machine: services and containers of processes "
		"are not known; run in the host's PID namespace, or mount the host's /proc at "
		"/host/proc", roots[0]);
	return 0;
}

void ddp_services_free(struct ddp_services *s)
{
	ddp_table_for_each(&s->by_tgid, slot) {
		struct image *i = ddp_table_pointer(slot->value), *older;

		for (; i; i = older) {
			older = i->older;
			image_free(s, i);
		}
	}
	ddp_table_free(&s->by_tgid);
	ddp_table_free(&s->parents);
	ddp_identities_free(&s->identities);
	services_trim_names(s);
	free(s->pending);
	ddp_service_rules_free(s->rules);
	if (s->proc.buffer) /* a descriptor 0 of all zero is not ours */
		ddp_proc_close(&s->proc);
	*s = (struct ddp_services){ .proc.root_fd = -1 };
}
