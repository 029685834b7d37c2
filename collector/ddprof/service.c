// SPDX-License-Identifier: Apache-2.0
/* See service.h. */
#include "ddprof/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/log.h"

enum {
	/* the manager waits for two that do not come before it acts */
	ALIVE_PER_WATCHDOG = 3,
	DEFAULT_STATUS_S = 30,		/* without a watchdog */
	/* for the last profile and what waits to be sent */
	STOP_US = 25000000,
};

static void said(int r)
{
	if (r)
		ddp_log_debug("the service manager does not take messages: %s", strerror(-r));
}

static int open_timer(uint64_t period_us)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec t = {
		.it_interval = { (time_t)(period_us / 1000000),
				 (long)(period_us % 1000000) * 1000 },
	};

	t.it_value = t.it_interval;
	if (fd >= 0 && timerfd_settime(fd, 0, &t, NULL)) {
		close_fd(fd);
		fd = -1;
	}
	return fd;
}

void ddprof_service_open(struct ddprof_service *s)
{
	int r = ddp_notify_open(&s->notify);
	uint64_t period_us = s->notify.watchdog_us / ALIVE_PER_WATCHDOG;

	s->timer = -1;
	s->watched = NULL;
	if (r)
		ddp_log_warn("NOTIFY_SOCKET: %s; the service manager is told nothing",
			     strerror(-r));
	if (s->notify.fd < 0)
		return;
	s->timer = open_timer(period_us ? period_us : DEFAULT_STATUS_S * 1000000ULL);
	if (s->timer < 0)
		ddp_log_warn("cannot make a timer for the service manager's watchdog: %s",
			     strerror(errno));
}

static void tell(const struct ddprof_service *s, struct ddp_pipeline *p)
{
	struct ddp_pipeline_counts c;
	char status[200];

	ddp_pipeline_count(p, &c);
	if (!c.marks.info.owner_tgid) {
		ddp_log_warn("the module does not answer for the session");
		return;
	}
	said(ddp_notify_alive(&s->notify));
	snprintf(status, sizeof(status), "%" PRIu64 " profiles made, %" PRIu64 " samples waiting "
		 "for the next one, %" PRIu64 " samples lost", c.profiles, c.pending_samples,
		 c.marks.stats.lost_ring + c.marks.stats.lost_nested);
	said(ddp_notify_status(&s->notify, status));
}

static void on_timer(void *ctx, struct ddp_pipeline *p)
{
	const struct ddprof_service *s = ctx;
	uint64_t times;

	if (read(s->timer, &times, sizeof(times)) == sizeof(times))
		tell(s, p);
}

void ddprof_service_ready(struct ddprof_service *s, struct ddp_pipeline *p)
{
	if (s->timer >= 0 && s->watched != p && ddp_pipeline_watch(p, s->timer, on_timer, s))
		ddp_log_warn("no place for the service manager's watchdog");
	s->watched = p;
	said(ddp_notify_ready(&s->notify, "profiling"));
}

void ddprof_service_reloading(const struct ddprof_service *s)
{
	said(ddp_notify_reloading(&s->notify));
}

void ddprof_service_stopping(const struct ddprof_service *s)
{
	said(ddp_notify_stopping(&s->notify, STOP_US));
}

void ddprof_service_close(struct ddprof_service *s)
{
	close_fd(TAKE_FD(s->timer));
	ddp_notify_close(&s->notify);
}
