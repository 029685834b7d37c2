// SPDX-License-Identifier: Apache-2.0
/* See monitor.h. The functions that a pipeline calls run in its thread; control has its own. */
#include "metrics/monitor.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "metrics/control.h"
#include "metrics/live.h"
#include "metrics/statsd.h"

enum { STATSD_PERIOD_S = 60 };

struct ddp_monitor {
	struct ddp_board *board;
	struct ddp_control *control;	/* NULL: nothing is served */
	struct ddp_statsd *statsd;	/* NULL: none */
	int statsd_timer;		/* -1: none */
	bool statsd_failing;		/* and it has been said */
};

/* In the pipeline's thread */

static void answer(void *ctx, struct ddp_pipeline *p)
{
	struct ddp_monitor *m = ctx;
	bool profile;

	while (ddp_board_next(m->board, &profile)) {
		struct ddp_answer a = { .profile = NULL };

		ddp_live_metrics(p, &a.metrics);
		if (profile)
			a.error = ddp_pipeline_peek(p, &a.profile);
		ddp_board_answer(m->board, &a);
	}
}

static void send_statsd(struct ddp_monitor *m, struct ddp_pipeline *p)
{
	struct ddp_metrics now;
	int r;

	ddp_live_metrics(p, &now);
	r = ddp_statsd_send(m->statsd, &now);
	if (r && !m->statsd_failing)
		ddp_log_notice("statsd: %s; metrics are not sent until that is over", strerror(-r));
	m->statsd_failing = r;
}

static void on_statsd_timer(void *ctx, struct ddp_pipeline *p)
{
	struct ddp_monitor *m = ctx;
	uint64_t times;

	if (read(m->statsd_timer, &times, sizeof(times)) == sizeof(times))
		send_statsd(m, p);
}

/* Receivers' totals and our CPU time are older than the session, all of them than a renewal */
static void begin_statsd(struct ddp_monitor *m, struct ddp_pipeline *p)
{
	struct ddp_metrics now;

	ddp_live_metrics(p, &now);
	ddp_statsd_begin(m->statsd, &now);
}

/* Setting up */

static void serve_control(struct ddp_monitor *m, const struct ddp_monitor_config *c)
{
	struct ddp_error err = { "" };

	if (c->no_control_socket)
		return;
	if (!ddp_control_serve_unix(m->control, c->control_socket ?: DDP_CONTROL_SOCKET, &err))
		return;
	if (c->control_socket)
		ddp_log_warn("%s", err.text);
	else
		ddp_log_info("%s", err.text); /* nobody asked for it */
}

static void serve_metrics(struct ddp_monitor *m, const struct ddp_monitor_config *c)
{
	struct ddp_error err = { "" };

	if (c->metrics_listen && ddp_control_serve_tcp(m->control, c->metrics_listen,
						       c->metrics_remote, &err))
		ddp_log_warn("metrics on %s: %s", c->metrics_listen, err.text);
}

static int start_timer(uint32_t period_s)
{
	struct itimerspec t = { .it_value = { .tv_sec = period_s },
				.it_interval = { .tv_sec = period_s } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0)
		timerfd_settime(fd, 0, &t, NULL);
	return fd < 0 ? -errno : fd;
}

static void open_statsd(struct ddp_monitor *m, const struct ddp_monitor_config *c)
{
	struct ddp_error err = { "" };
	int r;

	if (!c->statsd)
		return;
	r = ddp_statsd_create(c->statsd, c->statsd_tags, &m->statsd, &err);
	if (r) {
		ddp_log_warn("statsd %s: %s", c->statsd, err.text[0] ? err.text : strerror(-r));
		return;
	}
	m->statsd_timer = start_timer(c->statsd_period_s ? c->statsd_period_s : STATSD_PERIOD_S);
	if (m->statsd_timer < 0)
		ddp_log_warn("statsd: %s", strerror(-m->statsd_timer));
}

int ddp_monitor_create(const struct ddp_monitor_config *c, struct ddp_monitor **ret)
{
	CLEANUP(ddp_monitor_destroy) struct ddp_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->statsd_timer = -1;
	r = ddp_board_create(&m->board);
	r = r ?: ddp_control_create(m->board, &c->about, 0, &m->control);
	if (r)
		return r;
	serve_control(m, c);
	serve_metrics(m, c);
	open_statsd(m, c);
	*ret = TAKE(m);
	return 0;
}

int ddp_monitor_attach(struct ddp_monitor *m, struct ddp_pipeline *p)
{
	int r = ddp_pipeline_watch(p, ddp_board_fd(m->board), answer, m);

	if (r || m->statsd_timer < 0)
		return r;
	begin_statsd(m, p);
	return ddp_pipeline_watch(p, m->statsd_timer, on_statsd_timer, m);
}

void ddp_monitor_detach(struct ddp_monitor *m, struct ddp_pipeline *p)
{
	ddp_pipeline_unwatch(p, ddp_board_fd(m->board));
	if (m->statsd_timer < 0)
		return;
	ddp_pipeline_unwatch(p, m->statsd_timer);
	send_statsd(m, p); /* what grew until now */
}

void ddp_monitor_destroy(struct ddp_monitor *m)
{
	if (!m)
		return;
	if (m->board)
		ddp_board_shut(m->board);
	ddp_control_destroy(m->control);
	ddp_board_destroy(m->board);
	ddp_statsd_destroy(m->statsd);
	close_fd(m->statsd_timer);
	free(m);
}
