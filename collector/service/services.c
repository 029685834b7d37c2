// SPDX-License-Identifier: Apache-2.0
/*
 * See services.h. Numbers of processes are used again, so every number has a list of images, the
 * newest first, told apart by their address spaces, which are not.
 */
#include "service/services.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/services_internal.h"

enum {
	ENDED = 2,		/* of struct fork */
	MAX_IDLE = 16,		/* intervals without a sample, for those whose EXIT was lost */
	FORK_TIME_BITS = 30,
};

static uint64_t key_of(uint32_t tgid)
{
	return (uint64_t)tgid + 1;
}

/* Forks, in the 64 bits of a table's value */

static uint64_t pack_fork(struct fork f)
{
	return (uint64_t)f.ended << 62 | (uint64_t)f.time_10ms << 32 | f.parent;
}

static struct fork unpack_fork(uint64_t v)
{
	return (struct fork){ (uint32_t)v, (uint32_t)(v >> 32) & ((1U << FORK_TIME_BITS) - 1),
			      (uint8_t)(v >> 62) };
}

bool services_find_fork(const struct ddp_services *s, uint32_t tgid, struct fork *ret)
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

struct image *services_newest(const struct ddp_services *s, uint32_t tgid)
{
	const uint64_t *v = ddp_table_find(&s->by_tgid, key_of(tgid));

	return v ? ddp_table_pointer(*v) : NULL;
}

/* Whether the number was given to another process after @i was seen */
static bool replaced(const struct ddp_services *s, const struct image *i)
{
	struct fork f;

	return services_find_fork(s, i->tgid, &f) &&
	       (uint64_t)f.time_10ms * FORK_TIME_UNIT_NS > i->seen_ns + START_SLACK_NS;
}

/* Without user memory it is a kernel thread, or has just given its memory up */
struct image *services_find(const struct ddp_services *s, uint32_t tgid, uint64_t aspace)
{
	struct image *i = services_newest(s, tgid);

	if (!aspace)
		return i && !replaced(s, i) ? i : NULL;
	while (i && i->aspace != aspace)
		i = i->older;
	return i;
}

static bool has_room(const struct ddp_services *s, uint32_t tgid)
{
	unsigned int nr = 0;

	for (const struct image *i = services_newest(s, tgid); i; i = i->older)
		nr++;
	return nr < DDP_SERVICES_MAX_IMAGES && s->nr_images < DDP_SERVICES_MAX_PROCESSES;
}

static uint64_t seen_ns(const struct ddp_services *s, uint32_t tgid)
{
	return s->seen_tgid == tgid ? s->seen_ns : services_session_ns(s);
}

int services_insert(struct ddp_services *s, uint32_t tgid, uint64_t aspace, struct image **ret)
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
	i->older = services_newest(s, tgid);
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
void services_rename(struct image *i, const char *name, uint64_t time_ns)
{
	if (!name[0] || time_ns < i->named_ns)
		return;
	i->named_ns = time_ns;
	if (!strncmp(i->name, name, sizeof(i->name)))
		return;
	snprintf(i->name, sizeof(i->name), "%s", name);
	i->service = NULL;
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
	struct image *i = services_find(s, stack->tgid, stack->aspace);
	int r;

	if (i) {
		if (s->seen_tgid == stack->tgid && is_process_name(stack, names))
			services_rename(i, names->process, s->seen_ns);
		return 0;
	}
	r = services_insert(s, stack->tgid, stack->aspace, &i);
	if (r || !i)
		return r;
	services_rename(i, names->process, i->seen_ns);
	return services_look_up_later(s, i);
}

static void process_ended(struct ddp_services *s, uint32_t tgid)
{
	uint64_t *v = ddp_table_find(&s->parents, key_of(tgid));

	for (struct image *i = services_newest(s, tgid); i; i = i->older)
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
	struct image *i = services_find(s, tgid, aspace);

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
			return s->config.split ? ddp_reader_create(&s->reader) : 0;
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
	ddp_reader_destroy(s->reader);
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
