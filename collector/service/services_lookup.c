// SPDX-License-Identifier: Apache-2.0
/*
 * See services.h: looking processes up. What /proc says is believed when the process there began
 * before the one that was sampled was seen; times are compared on the session's clock. Environments
 * come from reader, later: until then a process is what it is without. Only ddp_services_of() waits
 * for one, within limits.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/services_internal.h"

enum {
	KTHREADD = 2,		/* the parent of all kernel threads */
	MAX_TRIES = 4,		/* to read an environment that is not there yet */
	FIRST_PAUSE_MS = 10,	/* between tries; doubles */
	MAX_GENERATIONS = 16,	/* up to a parent that is known */
	MAX_WAIT_MS = 1000,	/* for environments, for one interval's profiles */
};

uint64_t services_session_ns(const struct ddp_services *s)
{
	return (uint64_t)clock_ns(CLOCK_MONOTONIC) - s->monotonic_ns;
}

int services_look_up_later(struct ddp_services *s, struct image *i)
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

static int kernel_thread(struct ddp_services *s, struct image *i)
{
	return set_identity(s, i, &(struct ddp_proc_facts){ .stat.kernel_thread = true });
}

/* What its parent is */

static int look_up(struct ddp_services *s, struct image *i, unsigned int generation);

/* The process that forked it: not one that got its number later. NULL: over the limits */
static int find_parent(struct ddp_services *s, const struct fork *f, struct image **ret)
{
	struct fork of_parent;
	int r;

	*ret = NULL;
	if (services_find_fork(s, f->parent, &of_parent) && of_parent.time_10ms > f->time_10ms)
		return 0;
	*ret = services_newest(s, f->parent);
	if (*ret)
		return 0;
	r = services_insert(s, f->parent, 0, ret);
	if (*ret)
		(*ret)->seen_ns = (f->time_10ms + 1ULL) * FORK_TIME_UNIT_NS;
	return r;
}

/* @was_orphan: it is not the first time */
static void take_after(struct ddp_services *s, struct image *i, const struct image *parent,
		       bool was_orphan)
{
	if (parent->state == IMAGE_READING || parent->state == IMAGE_ORPHAN)
		i->state = IMAGE_ORPHAN;
	if (!parent->identity)
		return;
	s->counts.inherited += !was_orphan;
	parent->identity->refs++;
	ddp_identity_put(&s->identities, i->identity);
	i->identity = parent->identity;
	i->service = NULL;
}

/* What is known of its parent, which may have to be looked up itself */
static int inherit(struct ddp_services *s, struct image *i, unsigned int generation)
{
	bool was_orphan = i->state == IMAGE_ORPHAN;
	struct image *parent;
	struct fork f;
	int r;

	i->state = IMAGE_GONE;
	if (!i->tgid || i->tgid == KTHREADD)
		return kernel_thread(s, i);
	if (!services_find_fork(s, i->tgid, &f) || generation == MAX_GENERATIONS)
		return 0;
	if (f.parent == KTHREADD)
		return kernel_thread(s, i);
	r = find_parent(s, &f, &parent);
	if (r || !parent)
		return r;
	if (parent->state == IMAGE_NEW)
		r = look_up(s, parent, generation + 1);
	else if (!parent->identity || parent->state == IMAGE_ORPHAN)
		r = inherit(s, parent, generation + 1);
	if (!r)
		take_after(s, i, parent, was_orphan);
	return r;
}

/* What was read within exec is half of it: the parent's is better, where it is known */
static int gone(struct ddp_services *s, struct image *i, unsigned int generation)
{
	struct ddp_identity *read = TAKE(i->identity);
	int r;

	s->counts.gone += i->state == IMAGE_NEW;
	i->ended = true;
	r = inherit(s, i, generation);
	if (i->identity)
		ddp_identity_put(&s->identities, read);
	else
		i->identity = read;
	return r;
}

/* Its environment */

static void say_denied(struct ddp_services *s, int error)
{
	s->counts.denied++;
	if (s->said_denied)
		return;
	s->said_denied = true;
	ddp_log_warn("the environment of a process cannot be read: %s; without CAP_SYS_PTRACE "
		     "services are told by units, containers and names only", strerror(-error));
}

static void say_stuck(struct ddp_services *s)
{
	uint32_t tgid;

	while ((tgid = ddp_reader_next_stuck(s->reader))) {
		s->counts.stuck++;
		if (s->said_stuck)
			continue;
		s->said_stuck = true;
		ddp_log_warn("the environment of process %" PRIu32 " cannot be read now: it may "
			     "wait for a file system that does not answer; until it can be read "
			     "the service is told by unit, container and name", tgid);
	}
}

static void ask_environ(struct ddp_services *s, struct image *i, int folder,
			const struct ddp_proc_facts *facts, int64_t now_ns)
{
	CLEANUP(ddp_reader_request_free) struct ddp_reader_request *q = calloc(1, sizeof(*q));

	i->state = IMAGE_UNREAD;
	if (!q) {
		close_fd(folder);
		return;
	}
	q->folder = folder;
	q->id = ++s->last_request;
	q->tgid = i->tgid;
	q->facts = *facts;
	if (ddp_reader_ask(s->reader, q))
		return;
	i->state = IMAGE_READING;
	i->request = q->id;
	i->asked_ms = now_ns / 1000000;
	(void)TAKE(q); /* the reader's */
}

/* NULL: it was forgotten */
static struct image *find_asked(const struct ddp_services *s, const struct ddp_reader_request *q)
{
	struct image *i = services_newest(s, q->tgid);

	while (i && (i->request != q->id || i->state != IMAGE_READING))
		i = i->older;
	return i;
}

/* Without memory it stays what it is without */
static void take_answer(struct ddp_services *s, struct ddp_reader_request *answer)
{
	CLEANUP(ddp_reader_request_free) struct ddp_reader_request *q = answer;
	const struct ddp_proc_facts *f = &q->facts;
	struct image *i = find_asked(s, q);

	if (!i)
		return;
	if (f->environ_error == -ENOENT || f->environ_error == -ESRCH) {
		(void)gone(s, i, 0);
		return;
	}
	if (f->environ_error == -EACCES || f->environ_error == -EPERM)
		say_denied(s, f->environ_error);
	i->state = IMAGE_KNOWN;
	(void)set_identity(s, i, f);
	if (f->environ_error || f->has_environ || i->tries >= MAX_TRIES)
		return;
	i->state = IMAGE_AGAIN;
	i->next_try_ms = i->asked_ms + (FIRST_PAUSE_MS << i->tries);
	if (!i->queued)
		(void)services_look_up_later(s, i);
}

/* For @i's environment; NULL: for room to ask for another */
static void wait_for(struct ddp_services *s, const struct image *i)
{
	int64_t began = now_ms(), until = (i ? i->asked_ms : began) + DDP_READER_STUCK_MS;
	struct ddp_reader_request *q;

	if (until > began + MAX_WAIT_MS - s->waited_ms)
		until = began + MAX_WAIT_MS - s->waited_ms;
	while ((i ? i->state == IMAGE_READING :
		    ddp_reader_state(s->reader) == DDP_READER_FULL) &&
	       (q = ddp_reader_answer(s->reader, until)))
		take_answer(s, q);
	s->waited_ms += now_ms() - began;
}

/* Who has to be waited for: itself, or the parent that it takes after. NULL: nobody */
static const struct image *find_awaited(const struct ddp_services *s, const struct image *i)
{
	struct fork f;

	for (int n = 0; i && i->state == IMAGE_ORPHAN && n < MAX_GENERATIONS; n++)
		i = services_find_fork(s, i->tgid, &f) ? services_newest(s, f.parent) : NULL;
	return i && i->state == IMAGE_READING ? i : NULL;
}

/* All of it */

/* When the process began, on the session's clock; before it: 0 */
static uint64_t start_ns(const struct ddp_services *s, const struct ddp_proc_stat *stat,
			 int64_t now_ns)
{
	int64_t suspended = clock_ns(CLOCK_BOOTTIME) - now_ns;
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	int64_t start = (int64_t)(stat->start_ticks * tick_ns) - suspended -
			(int64_t)s->monotonic_ns;

	return start > 0 ? (uint64_t)start : 0;
}

static int look_up(struct ddp_services *s, struct image *i, unsigned int generation)
{
	CLEANUP(close_fd) int folder = -1;
	struct ddp_proc_facts f;
	int r = s->proc.root_fd < 0 ? -ESRCH : ddp_proc_read(&s->proc, i->tgid, &folder, &f);
	int64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	s->counts.looked_up += !i->tries++;
	if (r || start_ns(s, &f.stat, now_ns) > i->seen_ns + START_SLACK_NS)
		return gone(s, i, generation);
	services_rename(i, f.stat.name, (uint64_t)now_ns - s->monotonic_ns);
	i->state = IMAGE_KNOWN;
	r = set_identity(s, i, &f);
	if (!r && s->reader && !f.stat.kernel_thread)
		ask_environ(s, i, TAKE_FD(folder), &f, now_ns);
	return r;
}

static void take_answers(struct ddp_services *s)
{
	struct ddp_reader_request *q;

	while ((q = ddp_reader_answer(s->reader, 0)))
		take_answer(s, q);
	say_stuck(s);
}

static bool has_to_wait(const struct ddp_services *s, const struct image *i, int64_t now)
{
	return (i->state == IMAGE_AGAIN && now < i->next_try_ms) ||
	       (s->reader && ddp_reader_state(s->reader) == DDP_READER_FULL);
}

void ddp_services_work(struct ddp_services *s)
{
	int64_t now;
	size_t kept = 0;

	s->waited_ms = 0;
	if (s->reader)
		take_answers(s);
	now = s->nr_pending ? now_ms() : 0;
	for (size_t n = 0; n < s->nr_pending; n++) {
		struct image *i = s->pending[n];
		bool wanted = i->state == IMAGE_NEW || i->state == IMAGE_AGAIN;

		/* without memory for it, it is asked again when the profile is made */
		if (wanted && !has_to_wait(s, i, now))
			(void)look_up(s, i, 0);
		i->queued = i->state == IMAGE_NEW || i->state == IMAGE_AGAIN;
		if (i->queued)
			s->pending[kept++] = i;
	}
	s->nr_pending = kept;
}

/* Looks it up if that is of use: for the first time, or, @again, once more */
static int look_up_if_wanted(struct ddp_services *s, struct image *i, bool again)
{
	bool wanted = i->state == IMAGE_NEW || (again && i->state == IMAGE_AGAIN);

	if (again && i->state == IMAGE_UNREAD)
		wanted = ddp_reader_state(s->reader) != DDP_READER_STUCK;
	if (wanted && again && s->reader)
		wait_for(s, NULL);
	return wanted ? look_up(s, i, 0) : 0;
}

static int settle(struct ddp_services *s, struct image *i, bool again)
{
	int r = look_up_if_wanted(s, i, again);
	const struct image *awaited;

	/* its FORK may have come since */
	if (!r && i->state == IMAGE_GONE && !i->identity)
		r = inherit(s, i, 0);
	awaited = again ? find_awaited(s, i) : NULL;
	if (awaited)
		wait_for(s, awaited);
	if (!r && again && i->state == IMAGE_ORPHAN)
		r = inherit(s, i, 0);
	i->idle = 0;
	return r;
}

int services_image(struct ddp_services *s, const struct ddp_services_who *who, bool again,
		   struct image **ret)
{
	int r = 0;

	*ret = services_find(s, who->tgid, who->aspace);
	if (!*ret) {
		r = services_insert(s, who->tgid, who->aspace, ret);
		if (!r && *ret)
			services_rename(*ret, who->name, 0);
	}
	return !r && *ret ? settle(s, *ret, again) : r;
}
