// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprof` beside what it profiles: running processes or the whole machine. With a configuration
 * file SIGHUP reads that again. What has changed changes in place where it can; what needs a new
 * session gets one that takes over from the old one. A configuration that cannot be used is an
 * error in the log, and all goes on as before.
 */
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "ddprof/monitoring.h"
#include "ddprof/retired.h"
#include "ddprof/run.h"
#include "ddprof/self.h"
#include "ddprof/service.h"
#include "ddprof/session.h"

struct watched {
	int fds[DDP_MAX_PIDS];
	size_t nr;
};

struct attached {
	const struct ddprof_config *config;	/* in effect */
	struct ddprof_config *read_again;	/* owned; the same, or NULL: it is the caller's */
	int signals;
	struct watched watched;
	struct ddp_output *output;		/* owned */
	struct ddprof_retired retired;
	struct ddp_pipeline *pipeline;		/* owned */
	struct ddprof_monitoring monitoring;
	struct ddprof_service service;
};

static void free_config(struct ddprof_config *c)
{
	if (c)
		ddprof_config_free(c);
	free(c);
}
DEFINE_CLEANUP(struct ddprof_config *, free_config)

static void close_attached(struct attached *a)
{
	ddprof_monitoring_close(&a->monitoring);
	ddp_pipeline_destroy(a->pipeline);
	ddprof_output_finish(a->output);
	ddprof_retired_wait(&a->retired);
	ddprof_service_close(&a->service);
	while (a->watched.nr)
		close_fd(a->watched.fds[--a->watched.nr]);
	close_fd(a->signals);
	free_config(a->read_again);
}
DEFINE_CLEANUP_IN_PLACE(struct attached, close_attached)

static int watch(const struct ddp_pids *pids, struct watched *w)
{
	for (uint32_t i = 0; i < pids->nr; i++) {
		int fd = ddprof_pidfd_open(pids->pid[i]);

		if (fd < 0) {
			ddp_log_error("-p %u: %s", pids->pid[i],
				      fd == -ESRCH ? "there is no such process" : strerror(-fd));
			return fd;
		}
		w->fds[w->nr++] = fd;
	}
	return 0;
}

/* In place of the session that there is, if there is one, whose last profile goes out */
static int begin_session(struct attached *a, const struct ddprof_config *c, struct ddp_error *err)
{
	struct ddprof_session session = {
		.pids = &c->pids, .output = a->output, .replaces = a->pipeline,
		.scope = c->global ? DDPROF_SCOPE_MACHINE :
			 c->descendants ? DDPROF_SCOPE_TREES : DDPROF_SCOPE_TGIDS,
	};
	struct ddp_pipeline *old = a->pipeline;
	int r = ddprof_create_pipeline(c, &session, &a->pipeline, err);

	a->service.watched = NULL;
	if (r)
		a->pipeline = NULL;
	if (old) {
		ddp_pipeline_finish(old); /* what goes wrong is logged */
		ddp_pipeline_destroy(old);
	}
	return r;
}

static void say_gap(struct attached *a)
{
	struct ddp_pipeline_counts counts;

	ddp_pipeline_count(a->pipeline, &counts);
	ddp_log_notice("a new session: nothing was sampled for %.1f ms",
		       (double)counts.gap_ns / 1e6);
}

/* @return 0; an error when there is no session any more */
static int renew_session(struct attached *a, const struct ddprof_config *next, bool *ret_refused)
{
	struct ddp_error err = { "" };
	int r;

	ddprof_monitoring_close(&a->monitoring);
	r = begin_session(a, next, &err);
	*ret_refused = r;
	if (r) {
		ddp_log_error("%s; going on as before", err.text);
		next = a->config;
		r = begin_session(a, next, &err);
	} else {
		say_gap(a);
	}
	if (r) {
		ddp_log_error("%s", err.text);
		return r;
	}
	ddprof_monitoring_open(&a->monitoring, next);
	ddprof_monitoring_attach(&a->monitoring, a->pipeline);
	return 0;
}

/* What waits in the old one goes over to the new one. @return whether there is a new one */
static bool renew_output(struct attached *a, const struct ddprof_config *next)
{
	struct ddp_output *output = NULL;
	struct ddp_error err = { "" };

	ddp_pipeline_end_interval(a->pipeline);
	if (ddprof_create_output(next, a->output, &output, &err)) {
		ddp_log_error("%s; going on as before", err.text);
		return false;
	}
	ddprof_retire(&a->retired, TAKE(a->output));
	a->output = output;
	ddp_pipeline_set_output(a->pipeline, output);
	return true;
}

/* @return 0, also when @next is refused; an error when it cannot go on */
static int apply(struct attached *a, const struct ddprof_config *next, unsigned int what,
		 bool *ret_refused)
{
	struct ddp_error err = { "" };
	int r = 0;

	/* before anything is touched: going back is a session less, and a profile cut short */
	if (what & DDPROF_APPLY_SESSION && ddprof_check_session(next, &err)) {
		ddp_log_error("%s; going on as before", err.text);
		*ret_refused = true;
		return 0;
	}
	*ret_refused = what & DDPROF_APPLY_OUTPUT && !renew_output(a, next);
	if (*ret_refused)
		return 0;
	if (what & DDPROF_APPLY_SESSION)
		r = renew_session(a, next, ret_refused);
	if (!r && *ret_refused && what & DDPROF_APPLY_OUTPUT)
		renew_output(a, a->config); /* half of @next would be neither's */
	if (r || *ret_refused)
		return r;
	ddp_log_set_level(next->log_level);
	ddp_pipeline_set_period(a->pipeline, next->period_s);
	if (what && !(what & DDPROF_APPLY_SESSION)) /* which has done it */
		ddprof_monitoring_renew(&a->monitoring, next, a->pipeline);
	return 0;
}

static int reload(struct attached *a)
{
	CLEANUP(free_config) struct ddprof_config *next = calloc(1, sizeof(*next));
	struct ddp_error err = { "" };
	unsigned int what = 0;
	bool refused = true;
	int r = next ? ddprof_config_read_again(a->config, next, &what, &err) : -ENOMEM;

	if (r) {
		ddp_log_error("%s; going on as before", err.text[0] ? err.text : strerror(-r));
		free(TAKE(next)); /* a config that was not read has nothing to be freed */
		return 0;
	}
	r = apply(a, next, what, &refused);
	if (refused)
		return r;
	free_config(a->read_again);
	a->read_again = TAKE(next);
	a->config = a->read_again;
	if (!r)
		ddp_log_notice("the configuration was read again");
	return r;
}

/* What is waiting is read, so that it does not stop the next run */
static bool asked_to_reload(const struct attached *a)
{
	struct signalfd_siginfo info;
	bool hangup = false, end = false;

	while (read(a->signals, &info, sizeof(info)) == sizeof(info)) {
		hangup |= info.ssi_signo == SIGHUP;
		end |= info.ssi_signo != SIGHUP;
	}
	return hangup && !end && a->config->config;
}

static int run(struct attached *a)
{
	int r;

	for (;;) {
		ddprof_service_ready(&a->service, a->pipeline);
		r = ddp_pipeline_run(a->pipeline, a->signals, a->watched.fds, a->watched.nr);
		if (r != DDP_PIPELINE_STOPPED || !asked_to_reload(a))
			return r;
		ddprof_service_reloading(&a->service);
		r = reload(a);
		if (r)
			return r;
	}
}

static int attach(struct attached *a)
{
	struct ddp_error err = { "" };
	int r;

	ddprof_monitoring_open(&a->monitoring, a->config);
	r = begin_session(a, a->config, &err);
	if (r) {
		ddp_log_error("%s", err.text);
		ddp_log_error("`ddprofctl doctor` says what is missing");
		return DDPROF_EXIT_FAILED;
	}
	ddprof_monitoring_attach(&a->monitoring, a->pipeline);
	r = run(a);
	ddprof_monitoring_close(&a->monitoring);
	ddprof_service_stopping(&a->service);
	if (r == DDP_PIPELINE_ENDED)
		ddp_log_warn("the module ended the session");
	if (!a->pipeline)
		return DDPROF_EXIT_FAILED;
	return ddprof_finish(a->pipeline, &a->output) || r < 0 ? DDPROF_EXIT_FAILED : 0;
}

int ddprof_run_attached(const struct ddprof_config *c)
{
	CLEANUP(close_attached) struct attached a = {
		.config = c, .signals = -1, .monitoring = { .timer = -1 },
		.service = { .notify = { .fd = -1 }, .timer = -1 },
	};
	struct ddp_error err = { "" };
	sigset_t old;

	ddprof_service_open(&a.service); /* it takes variables away: there are no threads yet */
	ddprof_self_settle(c);
	ddprof_ignore_broken_pipes();
	a.signals = ddprof_open_signals(false, &old);
	if (a.signals < 0) {
		ddp_log_error("signals: %s", strerror(-a.signals));
		return DDPROF_EXIT_FAILED;
	}
	if (watch(&c->pids, &a.watched))
		return DDPROF_EXIT_FAILED;
	if (ddprof_create_output(c, NULL, &a.output, &err)) {
		ddp_log_error("%s", err.text);
		return DDPROF_EXIT_FAILED;
	}
	return attach(&a);
}
