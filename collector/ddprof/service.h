/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ddprof` is to a service manager: it says when it profiles, what it is doing, that it is
 * alive, and when it ends. Alive means that the thread that takes records goes round and that the
 * module still has its session; a collector that hangs is ended and started again by the manager.
 * Without a manager all of this does nothing. Used by run.
 */
#ifndef DDPROF_SERVICE_H
#define DDPROF_SERVICE_H

#include "base/notify.h"
#include "core/pipeline.h"

struct ddprof_service {
	struct ddp_notify notify;
	int timer;		/* readable when the manager should hear from us; -1: never */
	const struct ddp_pipeline *watched;	/* the one that calls back; never looked into */
};

/** Takes the manager's variables out of the environment. What goes wrong is logged. */
void ddprof_service_open(struct ddprof_service *s);

/** @p samples, or still does. From now on, while it runs, the manager hears of it. */
void ddprof_service_ready(struct ddprof_service *s, struct ddp_pipeline *p);

/** The configuration is read again, until ddprof_service_ready(). */
void ddprof_service_reloading(const struct ddprof_service *s);

/** The last profile is still to be made. */
void ddprof_service_stopping(const struct ddprof_service *s);

void ddprof_service_close(struct ddprof_service *s);
DEFINE_CLEANUP_IN_PLACE(struct ddprof_service, ddprof_service_close)

#endif /* DDPROF_SERVICE_H */
