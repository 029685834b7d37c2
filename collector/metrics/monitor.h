/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that looks on while a pipeline runs: the control socket, the metrics' TCP address, statsd.
 * None of it keeps profiling from going on: what cannot be set up is a warning. Used by the command
 * that runs the pipeline.
 */
#ifndef DDP_METRICS_MONITOR_H
#define DDP_METRICS_MONITOR_H

#include "core/pipeline.h"
#include "metrics/status.h"

/** Where a collector of the whole machine serves; as `ddprofctl` knows it. */
#define DDP_CONTROL_SOCKET "/run/ddprof/control.sock"

/** NULL members: not wanted. Borrowed for the call. */
struct ddp_monitor_config {
	/* path; not said: DDP_CONTROL_SOCKET, and silently nothing where that cannot be */
	const char *control_socket;
	bool no_control_socket;
	const char *metrics_listen;	/* as ddp_control_serve_tcp() */
	bool metrics_remote;
	const char *statsd;		/* as ddp_statsd_create() */
	const char *statsd_tags;
	uint32_t statsd_period_s;	/* 0: a minute */
	struct ddp_status_about about;
};

struct ddp_monitor;

/** @return 0, -ENOMEM, an errno of a descriptor; what cannot be served is logged */
int ddp_monitor_create(const struct ddp_monitor_config *config, struct ddp_monitor **ret);

/** From the next ddp_pipeline_run() of @p on it is asked. @return 0, as ddp_pipeline_watch() */
int ddp_monitor_attach(struct ddp_monitor *m, struct ddp_pipeline *p);

/** @p, which it was attached to, is not asked any more; then another may be. */
void ddp_monitor_detach(struct ddp_monitor *m, struct ddp_pipeline *p);

/** Before the pipelines that it is attached to. NULL is allowed. */
void ddp_monitor_destroy(struct ddp_monitor *m);
DEFINE_CLEANUP(struct ddp_monitor *, ddp_monitor_destroy)

#endif /* DDP_METRICS_MONITOR_H */
