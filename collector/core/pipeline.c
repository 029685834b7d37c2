// SPDX-License-Identifier: Apache-2.0
/*
 * See pipeline.h. One poll() loop over the link, a reason to stop, what unwind tables are missing,
 * and the processes that are watched; the threads behind it are those of tables and uploads.
 */
#include "core/pipeline.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/build.h"
#include "core/comments.h"
#include "core/split.h"
#include "unwind/coverage.h"
#include "base/clock.h"
#include "base/log.h"
#include "unwind/unwinding.h"

enum {
	MAX_SAMPLE_BYTES = 64 << 20,
	MAX_SYMBOL_BYTES = 24 << 20,	/* kept from one profile to the next */
	END_TIMEOUT_MS = 5000,		/* for what was sampled before STOP */
	/* a stream that cannot be understood is not asked again at once */
	RESYNC_PAUSE_MS = 1000,
	/* longest wait for another session's end, see ddp_pipeline_create() */
	BUSY_TIMEOUT_MS = 1000,
	BUSY_PAUSE_MS = 10,
	NR_FDS = 3,	/* records, a reason to stop, tables; then watches, then processes */
};

struct pipeline_watch {
	int fd;		/* borrowed */
	ddp_pipeline_watch_fn fn;
	void *ctx;
};

struct ddp_pipeline {
	struct ddp_link *link;
	struct ddp_decoder *decoder;
	struct ddp_samples samples;
	struct ddp_process process;
	struct ddp_symbols symbols;
	struct ddp_services services;
	struct ddp_unwinding unwinding;
	struct ddp_output *output;
	struct ddp_link_info info;
	struct ddp_event_specs events;
	struct ddp_link_started started;
	uint32_t nr_events;		/* of START, known before it is answered */
	struct ddp_marks marks;
	int64_t interval_start_unix_ns;
	int64_t interval_end_ms, next_resync_ms; /* monotonic; interval_end_ms 0: no end */
	int64_t start_ms, interval_start_ms, records_ms; /* monotonic */
	int64_t turn_ms;		/* monotonic; when what is being handled was noticed */
	uint32_t period_s;
	bool without_names, inlined;
	size_t max_sample_bytes;	/* that an interval may add ... */
	size_t kept_bytes;		/* ... to what is still known from before */
	uint64_t profile_nr;
	struct ddp_pipeline_counts counts;	/* its totals */
	struct ddp_pipeline_service last_services[DDP_PIPELINE_SERVICES];
	size_t nr_last_services;
	struct pipeline_watch watches[DDP_PIPELINE_MAX_WATCHES];
	size_t nr_watches;
	bool want_resync, stopped, ended;
	/* of the time when it was stopped */
	struct ddp_marks last;
	int64_t stop_monotonic_ns, stop_unix_ns;
	int64_t gap_ns;			/* see ddp_pipeline_counts */
};

/* What decode tells */

static int on_stack(void *ctx, const struct ddp_stack *s, const struct ddp_names *names,
		    uint64_t *ret_token)
{
	struct ddp_pipeline *p = ctx;
	struct ddp_trace *t;
	int r = ddp_samples_trace(&p->samples, s, names, &t);

	r = r ?: ddp_services_stack(&p->services, s, names);
	if (!r)
		*ret_token = ddp_table_value(t);
	return r;
}

static void on_stack_end(void *ctx, uint64_t token)
{
	struct ddp_pipeline *p = ctx;

	ddp_samples_put(&p->samples, ddp_table_pointer(token));
}

static int on_hit(void *ctx, uint64_t token, const struct ddp_hit *h)
{
	struct ddp_pipeline *p = ctx;
	struct ddp_trace *t = ddp_table_pointer(token);
	uint64_t value = h->value;

	if (!h->has_value &&
	    __builtin_mul_overflow(h->count, p->started.events[t->event].period, &value))
		value = UINT64_MAX;
	return ddp_samples_hit(&p->samples, t, h->count, value, h->has_time ? &h->time_ns : NULL);
}

static int on_task(void *ctx, const struct ddp_task *t)
{
	struct ddp_pipeline *p = ctx;
	int r = ddp_process_task(&p->process, t);

	return r ? r : ddp_services_task(&p->services, t);
}

static int on_aspace(void *ctx, const struct ddp_aspace *a)
{
	struct ddp_pipeline *p = ctx;

	if (a->flags & DDPROF_ASPACE_GONE)
		ddp_services_aspace_gone(&p->services, a->tgid, a->aspace);
	return ddp_process_aspace(&p->process, a);
}

static int on_map(void *ctx, const struct ddp_map *m, uint32_t left)
{
	struct ddp_pipeline *p = ctx;
	const struct ddp_aspace_state *a = ddp_process_find(&p->process, m->aspace);
	int r = ddp_process_map(&p->process, m, left);

	if (!r && !(a && a->unfollowed))
		ddp_unwinding_map(&p->unwinding, m->file_id);
	return r;
}

static int on_file(void *ctx, const struct ddp_file *f)
{
	return ddp_process_file(&((struct ddp_pipeline *)ctx)->process, f);
}

static const struct ddp_decode_ops decode_ops = {
	.stack = on_stack, .stack_end = on_stack_end, .hit = on_hit, .task = on_task,
	.aspace = on_aspace, .map = on_map, .file = on_file,
};

static int open_file(void *ctx, uint64_t file_id, int *ret)
{
	struct ddp_pipeline *p = ctx;

	return p->link ? ddp_link_file_open(p->link, file_id, ret, NULL) : -ENOENT;
}

static int on_batch(void *ctx, const struct ddp_batch *b)
{
	struct ddp_pipeline *p = ctx;
	struct ddp_error err = { "" };
	int r = ddp_decode(p->decoder, b, &err);

	p->records_ms = p->turn_ms;
	p->ended |= b->end;
	if (r < 0)
		ddp_log_warn("%s; asking for the stacks again",
			     err.text[0] ? err.text : strerror(-r));
	else if (r == DDP_DECODED_GAP)
		ddp_log_warn("messages of the module were lost; asking for the stacks again");
	p->want_resync |= r != DDP_DECODED;
	return 0;
}

static void resync(struct ddp_pipeline *p)
{
	struct ddp_error err = { "" };

	if (!p->want_resync || p->stopped || p->turn_ms < p->next_resync_ms)
		return;
	p->want_resync = false;
	p->next_resync_ms = p->turn_ms + RESYNC_PAUSE_MS;
	p->counts.resyncs++;
	if (ddp_link_resync(p->link, &err))
		ddp_log_warn("%s", err.text);
}

static int add_stats(void *ctx, const struct ddp_link_stats *s)
{
	ddp_link_stats_add(ctx, s);
	return 0;
}

/* Intervals */

static void take_marks(struct ddp_pipeline *p, struct ddp_marks *ret)
{
	struct ddp_error err = { "" };

	ddp_decoder_count(p->decoder, &ret->decode);
	ret->process = p->process.counts;
	ret->stats = (struct ddp_link_stats){ 0 };
	ret->info = (struct ddp_link_info){ 0 };
	ddp_unwinding_count(&p->unwinding, &ret->tables);
	if (ddp_link_get_stats(p->link, add_stats, &ret->stats, &err) ||
	    ddp_link_get_info(p->link, &ret->info, &err))
		ddp_log_warn("%s", err.text);
}

/* @part  NULL: all samples */
static int build(struct ddp_pipeline *p, const struct ddp_samples_part *part,
		 int64_t start_unix_ns, struct ddp_profile **ret)
{
	struct ddp_build in = {
		.samples = &p->samples, .process = &p->process, .symbols = &p->symbols,
		.events = &p->events, .started = &p->started, .start_unix_ns = start_unix_ns,
		.profile_nr = p->profile_nr, .without_names = p->without_names,
		.inlined = p->inlined,
		.part = part, .services = &p->services,
	};

	return ddp_build_profile(&in, ret);
}

static int64_t start_of(const struct ddp_pipeline *p, const struct ddp_part *part)
{
	return ddp_part_start(part, p->interval_start_unix_ns);
}

static int make_profile(struct ddp_pipeline *p, const struct ddp_part *part,
			const struct ddp_marks *now, int64_t end_unix_ns)
{
	CLEANUP(ddp_profile_destroy) struct ddp_profile *profile = NULL;
	const struct ddp_service *service = part->service;
	struct ddp_comments comments = {
		.module = &p->info, .samples = &p->samples, .part = &part->samples,
		.service = service, .process = &p->process, .events = &p->events,
		.started = &p->started, .then = &p->marks, .now = now,
	};
	struct ddp_output_origin origin = {
		.service = service ? service->name : NULL,
		.environment = service ? service->environment : NULL,
		.version = service ? service->version : NULL,
		.container_id = part->container_id, .pod_uid = part->pod_uid,
	};
	int r = build(p, &part->samples, start_of(p, part), &profile);

	r = r ?: ddp_comments_add(&comments, profile);
	if (r) {
		ddp_log_error("cannot build the profile: %s", strerror(-r));
		return r;
	}
	ddp_log_info("profile %" PRIu64 "%s%s: %" PRIu64 " samples, %.2f%% of user stacks whole",
		     p->profile_nr, service ? " of " : "", service ? service->name : "",
		     part->samples.sums.pending,
		     ddp_coverage_percent(part->samples.sums.ends[1]));
	return ddp_output_profile(p->output, profile, &origin, start_of(p, part), end_unix_ns);
}

static size_t bytes(const struct ddp_pipeline *p)
{
	return p->samples.bytes + p->process.bytes + p->process.objects.bytes +
	       ddp_services_bytes(&p->services);
}

static bool over_memory(const struct ddp_pipeline *p)
{
	return bytes(p) > p->kept_bytes + p->max_sample_bytes;
}

static void lose(struct ddp_pipeline *p, uint64_t samples)
{
	ddp_log_error("its %" PRIu64 " samples are lost", samples);
	p->counts.samples_dropped += samples;
}

/* One service's profile. @may_wait: a disk that is full now may have room at the next end */
static int end_part(struct ddp_pipeline *p, const struct ddp_part *part,
		    const struct ddp_marks *now, int64_t end_unix_ns, bool may_wait)
{
	uint64_t samples = part->samples.sums.pending;
	bool excluded = part->service && part->service->excluded;
	int r = excluded ? 0 : make_profile(p, part, now, end_unix_ns);

	p->counts.profiles += !r && !excluded;
	p->counts.profiles_failed += !!r;
	p->counts.samples += r || excluded ? 0 : samples;
	p->services.counts.excluded_samples += excluded ? samples : 0;
	if (r && may_wait) {
		ddp_log_notice("its samples go into the next profile");
		ddp_part_set_start(part, start_of(p, part));
		return r;
	}
	if (r)
		lose(p, samples);
	ddp_part_set_start(part, 0);
	ddp_samples_drop(&p->samples, &part->samples);
	return r;
}

/* What samples that wait may need stays with them */
static void forget_interval(struct ddp_pipeline *p, const struct ddp_marks *now,
			    int64_t end_unix_ns)
{
	p->marks = *now;
	p->interval_start_unix_ns = end_unix_ns;
	if (p->samples.sums.pending)
		return;
	p->want_resync |= ddp_process_trim(&p->process, MAX_SYMBOL_BYTES);
	ddp_services_trim(&p->services);
	p->kept_bytes = bytes(p);
}

static void remember_services(struct ddp_pipeline *p, const struct ddp_split *split)
{
	p->nr_last_services = 0;
	for (size_t i = 0; i < split->nr && p->nr_last_services < DDP_PIPELINE_SERVICES; i++) {
		const struct ddp_part *part = &split->parts[i];
		struct ddp_pipeline_service *s = &p->last_services[p->nr_last_services];

		if (!part->service)
			continue;
		snprintf(s->name, sizeof(s->name), "%s", part->service->name);
		s->samples = part->samples.sums.pending;
		s->excluded = part->service->excluded;
		p->nr_last_services++;
	}
}

static int end_parts(struct ddp_pipeline *p, const struct ddp_marks *now, int64_t end_unix_ns)
{
	CLEANUP(ddp_split_free) struct ddp_split split = { 0 };
	bool may_wait = !p->stopped && !over_memory(p);
	int r = ddp_split_make(&p->samples, &p->services, &split);

	if (r) {
		ddp_log_error("cannot sort samples by service: %s", strerror(-r));
		if (may_wait)
			return r;
		lose(p, p->samples.sums.pending);
		ddp_samples_clear(&p->samples);
	}
	ddp_symbols_refresh(&p->symbols);
	remember_services(p, &split);
	for (size_t i = 0; i < split.nr; i++) {
		int failed = end_part(p, &split.parts[i], now, end_unix_ns, may_wait);

		r = r ? r : failed;
	}
	ddp_samples_tidy(&p->samples);
	/* one profile of all begins where it did when it has to wait */
	if (!r || !may_wait || p->services.config.split)
		forget_interval(p, now, end_unix_ns);
	return r;
}

static int end_interval(struct ddp_pipeline *p, const struct ddp_marks *now)
{
	int64_t end_unix_ns = clock_ns(CLOCK_REALTIME), began = clock_ns(CLOCK_MONOTONIC);
	int r;

	p->profile_nr++;
	r = end_parts(p, now, end_unix_ns);
	p->counts.build_ns += (uint64_t)(clock_ns(CLOCK_MONOTONIC) - began);
	if (p->period_s)
		p->interval_end_ms = now_ms() + (int64_t)p->period_s * 1000;
	p->interval_start_ms = now_ms();
	return r;
}

static bool interval_over(const struct ddp_pipeline *p)
{
	return (p->interval_end_ms && p->turn_ms >= p->interval_end_ms) || over_memory(p);
}

/* Running */

static int poll_timeout_ms(const struct ddp_pipeline *p)
{
	int64_t until = p->interval_end_ms, left;

	if (p->want_resync && (!until || p->next_resync_ms < until))
		until = p->next_resync_ms;
	if (!until)
		return -1;
	left = until - now_ms();
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* Which of the processes have ended: they are not asked about again */
static size_t reap(struct pollfd *fds, size_t nr)
{
	size_t left = 0;

	for (size_t i = 0; i < nr; i++) {
		if (fds[i].revents)
			fds[i].fd = -1;
		left += fds[i].fd >= 0;
	}
	return left;
}

static int receive(struct ddp_pipeline *p)
{
	struct ddp_error err = { "" };
	int r;

	/* once a turn: on some machines to ask for the time is a system call */
	p->turn_ms = now_ms();
	r = ddp_link_receive(p->link, &err);
	if (r == -EBADMSG) {
		ddp_log_warn("%s; asking for the stacks again", err.text);
		p->want_resync = true;
		r = 0;
	}
	if (r)
		ddp_log_error("%s", err.text);
	ddp_services_work(&p->services);
	resync(p);
	return r;
}

static void call_watches(struct ddp_pipeline *p, const struct pollfd *fds)
{
	for (size_t i = 0; i < p->nr_watches; i++)
		if (fds[i].revents)
			p->watches[i].fn(p->watches[i].ctx, p);
}

static int run_loop(struct ddp_pipeline *p, struct pollfd *fds, size_t nr_pids)
{
	struct pollfd *watches = fds + NR_FDS, *pids = watches + p->nr_watches;

	for (;;) {
		int r = poll(fds, NR_FDS + p->nr_watches + nr_pids, poll_timeout_ms(p));

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r < 0)
			continue;
		r = receive(p);
		if (r)
			return r;
		if (fds[2].revents)
			ddp_unwinding_work(&p->unwinding);
		ddp_unwinding_check(&p->unwinding);
		if (interval_over(p)) {
			struct ddp_marks now;

			take_marks(p, &now);
			end_interval(p, &now); /* said already; the next one may get out */
		}
		call_watches(p, watches);
		if (p->ended)
			return DDP_PIPELINE_ENDED;
		if (fds[1].revents)
			return DDP_PIPELINE_STOPPED;
		if (nr_pids && !reap(pids, nr_pids))
			return DDP_PIPELINE_EXITED;
	}
}

int ddp_pipeline_run(struct ddp_pipeline *p, int stop_fd, const int *pidfds, size_t nr_pidfds)
{
	size_t first_pid = NR_FDS + p->nr_watches;
	CLEANUP(free) struct pollfd *fds = calloc(first_pid + nr_pidfds, sizeof(*fds));

	if (!fds)
		return -ENOMEM;
	fds[0] = (struct pollfd){ .fd = ddp_link_fd(p->link), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = ddp_unwinding_fd(&p->unwinding), .events = POLLIN };
	for (size_t i = 0; i < p->nr_watches; i++)
		fds[NR_FDS + i] = (struct pollfd){ .fd = p->watches[i].fd, .events = POLLIN };
	for (size_t i = 0; i < nr_pidfds; i++)
		fds[first_pid + i] = (struct pollfd){ .fd = pidfds[i], .events = POLLIN };
	return run_loop(p, fds, nr_pidfds);
}

static void wait_end(struct ddp_pipeline *p)
{
	struct pollfd fd = { .fd = ddp_link_fd(p->link), .events = POLLIN };
	int64_t until = now_ms() + END_TIMEOUT_MS;

	while (!p->ended && now_ms() < until) {
		if (poll(&fd, 1, 100) < 0 && errno != EINTR)
			return;
		if (receive(p))
			return;
	}
	if (!p->ended)
		ddp_log_warn("the module did not send its last records in time");
}

/* Ends sampling and takes all records that there are; once */
static void stop(struct ddp_pipeline *p)
{
	struct ddp_error err = { "" };
	int r = 0;

	if (p->stopped)
		return;
	take_marks(p, &p->last);
	p->stopped = true;
	p->stop_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	if (!p->ended)
		r = ddp_link_stop(p->link, &err);
	p->stop_unix_ns = clock_ns(CLOCK_REALTIME);
	/* the acknowledgement finds no room in a full receive buffer; the records' end does */
	if (!r || r == -ETIMEDOUT)
		wait_end(p);
	else
		ddp_log_warn("%s", err.text);
	ddp_decoder_count(p->decoder, &p->last.decode);
	p->last.process = p->process.counts;
}

int ddp_pipeline_finish(struct ddp_pipeline *p)
{
	stop(p);
	if (p->counts.samples_dropped)
		ddp_log_notice("%" PRIu64 " samples of this session were lost before its end, their "
			       "profiles could not be made", p->counts.samples_dropped);
	return end_interval(p, &p->last);
}

/* Changing while it runs */

void ddp_pipeline_set_period(struct ddp_pipeline *p, uint32_t period_s)
{
	int64_t begun_ms = p->interval_end_ms ?
			   p->interval_end_ms - (int64_t)p->period_s * 1000 : now_ms();

	p->period_s = period_s;
	p->interval_end_ms = period_s ? begun_ms + (int64_t)period_s * 1000 : 0;
}

void ddp_pipeline_end_interval(struct ddp_pipeline *p)
{
	struct ddp_marks now;

	take_marks(p, &now);
	end_interval(p, &now); /* said already; the next one may get out */
}

void ddp_pipeline_set_output(struct ddp_pipeline *p, struct ddp_output *output)
{
	p->output = output;
}

/* For those who look on */

int ddp_pipeline_watch(struct ddp_pipeline *p, int fd, ddp_pipeline_watch_fn fn, void *ctx)
{
	if (p->nr_watches == DDP_PIPELINE_MAX_WATCHES)
		return -ENOSPC;
	p->watches[p->nr_watches++] = (struct pipeline_watch){ fd, fn, ctx };
	return 0;
}

void ddp_pipeline_unwatch(struct ddp_pipeline *p, int fd)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->nr_watches; i++)
		if (p->watches[i].fd != fd)
			p->watches[kept++] = p->watches[i];
	p->nr_watches = kept;
}

static uint64_t ns_between(int64_t then_ms, int64_t now)
{
	return (uint64_t)(now - then_ms) * 1000000;
}

void ddp_pipeline_count(struct ddp_pipeline *p, struct ddp_pipeline_counts *ret)
{
	int64_t now = now_ms();

	*ret = p->counts;
	take_marks(p, &ret->marks);
	ret->uptime_ns = ns_between(p->start_ms, now);
	ret->interval_ns = ns_between(p->interval_start_ms, now);
	ret->quiet_ns = ns_between(p->records_ms, now);
	ret->services = p->services.counts;
	ret->pending_samples = p->samples.sums.pending;
	ret->traces = p->samples.nr_traces;
	ret->aspaces = p->process.aspaces.nr;
	ret->objects = p->process.objects.by_id.nr;
	ret->held_files = p->process.objects.nr_fds;
	ret->sample_bytes = p->samples.bytes;
	ret->process_bytes = p->process.bytes;
	ret->object_bytes = p->process.objects.bytes;
	ret->symbol_bytes = p->process.objects.symbol_bytes;
	ret->service_bytes = ddp_services_bytes(&p->services);
	ret->service_processes = p->services.nr_images;
	ret->start_unix_ns = (int64_t)p->started.realtime_ns;
	ret->interval_start_unix_ns = p->interval_start_unix_ns;
	ret->period_s = p->period_s;
	ret->gap_ns = p->gap_ns;
	ret->ended = p->ended;
}

size_t ddp_pipeline_services(const struct ddp_pipeline *p,
			     struct ddp_pipeline_service ret[DDP_PIPELINE_SERVICES])
{
	memcpy(ret, p->last_services, p->nr_last_services * sizeof(*ret));
	return p->nr_last_services;
}

size_t ddp_pipeline_events(const struct ddp_pipeline *p,
			   struct ddp_pipeline_event ret[DDPROF_MAX_EVENTS])
{
	for (uint32_t i = 0; i < p->started.nr_events; i++) {
		const struct ddp_link_started_event *e = &p->started.events[i];

		memcpy(ret[i].name, p->events.spec[i].name, sizeof(ret[i].name));
		ret[i].sampled = e->sampler != DDPROF_SAMPLER_NONE;
		ret[i].missing = e->fallback;
	}
	return p->started.nr_events;
}

int ddp_pipeline_target(const struct ddp_pipeline *p, size_t i, struct ddp_sender_stats *ret)
{
	return ddp_output_stats(p->output, i, ret);
}

int ddp_pipeline_peek(struct ddp_pipeline *p, struct ddp_profile **ret)
{
	ddp_symbols_refresh(&p->symbols);
	return build(p, NULL, p->interval_start_unix_ns, ret);
}

/* Setting up */

/* The session of a command that just ended may be on its last records */
static int start_session(struct ddp_pipeline *p, const struct ddp_link_start *start,
			 struct ddp_error *err)
{
	int r = ddp_link_start(p->link, start, &p->started, err);

	for (int waited = 0; r == -EBUSY && waited < BUSY_TIMEOUT_MS; waited += BUSY_PAUSE_MS) {
		usleep(BUSY_PAUSE_MS * 1000);
		r = ddp_link_start(p->link, start, &p->started, err);
	}
	return r;
}

/* Making tables ahead is no use while somebody else has the session: START will say so */
static bool may_start(struct ddp_pipeline *p, struct ddp_error *err)
{
	struct ddp_link_info now = p->info;

	for (int waited = 0; now.owner_tgid && waited < BUSY_TIMEOUT_MS; waited += BUSY_PAUSE_MS) {
		usleep(BUSY_PAUSE_MS * 1000);
		if (ddp_link_get_info(p->link, &now, err))
			return false;
	}
	return !now.owner_tgid;
}

/*
 * The session ends, and its socket with it, which the module waits for before another one may
 * begin. Numbers of files mean others in that: nothing of this one may ask for them any more.
 */
static void make_way(struct ddp_pipeline *p)
{
	struct ddp_tables_counts tables;

	ddp_unwinding_count(&p->unwinding, &tables);
	ddp_unwinding_close(&p->unwinding);
	stop(p);
	p->last.tables = tables;
	ddp_link_close(TAKE(p->link));
}

/* The session before this one ends as late as can be: all that takes time is done */
static int take_over(struct ddp_pipeline *p, const struct ddp_pipeline_config *c,
		     struct ddp_error *err)
{
	int r;

	if (!c->replaces)
		return start_session(p, &c->start, err);
	make_way(c->replaces);
	r = start_session(p, &c->start, err);
	if (!r)
		p->gap_ns = clock_ns(CLOCK_MONOTONIC) - c->replaces->stop_monotonic_ns;
	return r;
}

/* The module knows us by our number in the initial PID namespace */
static int start_services(struct ddp_pipeline *p, struct ddp_error *err)
{
	struct ddp_link_info now = { 0 };
	int r = ddp_link_get_info(p->link, &now, err);

	return r ? r : ddp_services_started(&p->services, p->started.monotonic_ns, now.owner_tgid);
}

static void say_versions(const struct ddp_pipeline *p)
{
	if (strcmp(p->info.module_version, DDPROF_VERSION))
		ddp_log_warn("the module is of version %.63s, this collector of " DDPROF_VERSION
			     ": they belong together, install both of one version",
			     p->info.module_version);
}

static int start(struct ddp_pipeline *p, const struct ddp_pipeline_config *c, struct ddp_error *err)
{
	struct ddp_unwinding_config unwinding = {
		.cache = c->table_cache, .ahead_ms = c->ahead_ms, .start = &c->start,
	};
	int r = ddp_link_open(&p->link, err);

	r = r ?: ddp_link_get_info(p->link, &p->info, err);
	r = r ?: ddp_decoder_create(&decode_ops, p, c->start.nr_events, &p->decoder);
	if (r)
		return r;
	say_versions(p);
	if (!c->replaces && !may_start(p, err))
		unwinding.ahead_ms = 0;
	ddp_unwinding_open(&p->unwinding, &unwinding, &p->process);
	ddp_link_on_batch(p->link, on_batch, p);
	r = take_over(p, c, err);
	r = r ?: start_services(p, err);
	if (!r)
		ddp_unwinding_start(&p->unwinding);
	return r;
}

static void say_missing(const struct ddp_pipeline *p)
{
	for (uint32_t i = 0; i < p->started.nr_events; i++) {
		const struct ddp_link_started_event *e = &p->started.events[i];

		if (e->fallback)
			ddp_log_notice("event %s: this machine does not have it (%s): %s",
				       p->events.spec[i].name, strerror((int)e->fallback),
				       e->sampler == DDPROF_SAMPLER_NONE ?
				       "going on without it" : "sampling CPU time instead");
	}
}

/* Which of @c's events START refused is told by their names: the module knows numbers only */
static void name_events(const struct ddp_event_specs *events, struct ddp_error *err)
{
	size_t n = strlen(err->text);

	for (uint32_t i = 0; i < events->nr && n < sizeof(err->text); i++)
		n += (size_t)snprintf(err->text + n, sizeof(err->text) - n, "%s%s",
				      i ? ", " : " (events: ", events->spec[i].name);
	if (n + 1 < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - n, ")");
}

/* start() with the events of @c->events in START */
static int start_events(struct ddp_pipeline *p, const struct ddp_pipeline_config *c,
			struct ddp_error *err)
{
	struct ddp_pipeline_config with = *c;
	struct ddp_link_event events[DDPROF_MAX_EVENTS];
	int r;

	p->events = *c->events;
	for (uint32_t i = 0; i < p->events.nr; i++)
		events[i] = p->events.spec[i].link;
	with.start.events = events;
	with.start.nr_events = p->events.nr;
	r = start(p, &with, err);
	if (r == -EOPNOTSUPP)
		name_events(&p->events, err);
	return r;
}

int ddp_pipeline_create(const struct ddp_pipeline_config *c, struct ddp_pipeline **ret,
			struct ddp_error *err)
{
	CLEANUP(ddp_pipeline_destroy) struct ddp_pipeline *p = calloc(1, sizeof(*p));
	int r;

	err->text[0] = '\0';
	if (!p)
		return -ENOMEM;
	p->output = c->output;
	p->period_s = c->period_s;
	p->without_names = c->without_names;
	p->inlined = c->inlined;
	p->max_sample_bytes = c->max_sample_bytes ? c->max_sample_bytes : MAX_SAMPLE_BYTES;
	ddp_process_init(&p->process, open_file, p);
	p->process.max_followed = c->max_processes;
	r = ddp_services_init(&p->services, &c->services, err);
	r = r ?: start_events(p, c, err);
	if (r) {
		if (!err->text[0])
			snprintf(err->text, sizeof(err->text), "%s", strerror(-r));
		return r;
	}
	say_missing(p);
	p->interval_start_unix_ns = (int64_t)p->started.realtime_ns;
	p->start_ms = p->interval_start_ms = p->records_ms = now_ms();
	if (p->period_s)
		p->interval_end_ms = p->start_ms + (int64_t)p->period_s * 1000;
	*ret = TAKE(p);
	return 0;
}

void ddp_pipeline_destroy(struct ddp_pipeline *p)
{
	if (!p)
		return;
	ddp_link_close(p->link); /* first of all sampling ends */
	ddp_unwinding_close(&p->unwinding);
	ddp_decoder_destroy(p->decoder);
	ddp_samples_free(&p->samples);
	ddp_process_free(&p->process);
	ddp_symbols_free(&p->symbols);
	ddp_services_free(&p->services);
	free(p);
}
