// SPDX-License-Identifier: Apache-2.0
/* See monitoring.h. */
#include "ddprof/monitoring.h"

#include <ddprof/exporter.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/log.h"

enum { PROGRESS_S = 1 };

/* The line on the terminal */

const char *ddprof_progress_text(const struct ddp_pipeline_counts *c,
				 char ret[DDPROF_PROGRESS_TEXT])
{
	struct ddp_metrics m = { .pipeline = *c };
	uint64_t seconds = c->uptime_ns / 1000000000, into = c->interval_ns / 1000000000;
	size_t n;

	ddp_metrics_derive(&m);
	n = (size_t)snprintf(ret, DDPROF_PROGRESS_TEXT, "%" PRIu64 " s: %" PRIu64 " samples, %"
			     PRIu64 " lost, overhead %.2f %%, %" PRIu64 " profile%s", seconds,
			     m.derived.samples, m.derived.samples_lost,
			     (double)m.derived.overhead_ppm / 1e4, c->profiles,
			     c->profiles == 1 ? "" : "s");
	if (c->period_s > into)
		snprintf(ret + n, DDPROF_PROGRESS_TEXT - n, ", the next in %" PRIu64 " s",
			 c->period_s - into);
	return ret;
}

static void show_progress(void *ctx, struct ddp_pipeline *p)
{
	struct ddprof_monitoring *m = ctx;
	char text[DDPROF_PROGRESS_TEXT];
	struct ddp_pipeline_counts c;
	uint64_t times;

	if (read(m->timer, &times, sizeof(times)) != sizeof(times))
		return;
	ddp_pipeline_count(p, &c);
	ddp_log_progress(ddprof_progress_text(&c, text));
}

/* A command's terminal is the command's */
static int open_progress(const struct ddprof_config *c)
{
	struct itimerspec t = { { .tv_sec = PROGRESS_S }, { .tv_sec = PROGRESS_S } };
	int fd;

	if (c->command || !isatty(STDERR_FILENO))
		return -1;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd >= 0)
		timerfd_settime(fd, 0, &t, NULL);
	return fd;
}

/* Metrics and the control socket */

static const char *what_is_profiled(const struct ddprof_config *c, char ret[512])
{
	size_t n = 0;

	if (c->global)
		return "the whole machine";
	if (c->command)
		snprintf(ret, 512, "%s", c->command[0]);
	for (uint32_t i = 0; i < c->pids.nr && n < 480; i++)
		n += (size_t)snprintf(ret + n, 512 - n, "%s%" PRIu32, i ? ", " : "process ",
				      c->pids.pid[i]);
	return ret;
}

/* Those that ddprof's metrics have, too */
static int make_tags(const struct ddprof_config *c, struct ddp_buffer *ret)
{
	int r = ddp_tags_add(ret, "service", c->service);

	r = r ?: ddp_tags_add(ret, "env", c->environment);
	r = r ?: ddp_tags_add(ret, "version", c->version);
	return r ? r : ddp_buffer_write(ret, "", 1);
}

static int create(const struct ddprof_config *c, struct ddp_monitor **ret)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer tags = { 0 };
	char profiles[512] = "";
	bool none = c->control_socket && !strcmp(c->control_socket, DDPROF_NO_SOCKET);
	int r = make_tags(c, &tags);
	const struct ddp_monitor_config config = {
		.control_socket = c->control_socket, .no_control_socket = none,
		.metrics_listen = c->metrics_listen, .metrics_remote = c->metrics_remote,
		.statsd = c->internal_stats, .statsd_tags = (const char *)tags.bytes,
		.statsd_period_s = c->period_s,
		.about = { .profiles = what_is_profiled(c, profiles), .service = c->service },
	};

	return r ? r : ddp_monitor_create(&config, ret);
}

void ddprof_monitoring_open(struct ddprof_monitoring *m, const struct ddprof_config *c)
{
	int r;

	*m = (struct ddprof_monitoring){ .timer = open_progress(c) };
	r = create(c, &m->monitor);
	if (r)
		ddp_log_warn("no metrics and no control socket: %s", strerror(-r));
}

void ddprof_monitoring_attach(struct ddprof_monitoring *m, struct ddp_pipeline *p)
{
	int r = m->monitor ? ddp_monitor_attach(m->monitor, p) : 0;

	if (!r && m->timer >= 0)
		r = ddp_pipeline_watch(p, m->timer, show_progress, m);
	if (r)
		ddp_log_warn("no metrics: %s", strerror(-r));
}

void ddprof_monitoring_renew(struct ddprof_monitoring *m, const struct ddprof_config *c,
			     struct ddp_pipeline *p)
{
	if (m->monitor)
		ddp_monitor_detach(m->monitor, p);
	if (m->timer >= 0)
		ddp_pipeline_unwatch(p, m->timer);
	ddprof_monitoring_close(m);
	ddprof_monitoring_open(m, c);
	ddprof_monitoring_attach(m, p);
}

void ddprof_monitoring_close(struct ddprof_monitoring *m)
{
	if (m->timer >= 0)
		ddp_log_progress(NULL);
	close_fd(TAKE_FD(m->timer));
	ddp_monitor_destroy(TAKE(m->monitor));
}
