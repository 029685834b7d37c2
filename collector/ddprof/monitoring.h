/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who looks on while `ddprof` profiles: metrics and the control socket as the options have it
 * (metrics/monitor.h), and a line on the terminal that says how far it is. Used by run.
 */
#ifndef DDPROF_MONITORING_H
#define DDPROF_MONITORING_H

#include "ddprof/config.h"
#include "metrics/monitor.h"

struct ddprof_monitoring {
	struct ddp_monitor *monitor;	/* owned; NULL: it could not be made, which is logged */
	int timer;			/* of the line on the terminal; -1: none */
};

/** Before the session, as looking up a name can take a while. What cannot be had is logged. */
void ddprof_monitoring_open(struct ddprof_monitoring *m, const struct ddprof_config *c);

/** From the next ddp_pipeline_run() on. */
void ddprof_monitoring_attach(struct ddprof_monitoring *m, struct ddp_pipeline *p);

/** What was attached to @p is so anew, as another configuration has it. */
void ddprof_monitoring_renew(struct ddprof_monitoring *m, const struct ddprof_config *c,
			     struct ddp_pipeline *p);

/** Before the pipeline's end, from when on nobody is answered any more; twice is once. */
void ddprof_monitoring_close(struct ddprof_monitoring *m);
DEFINE_CLEANUP_IN_PLACE(struct ddprof_monitoring, ddprof_monitoring_close)

enum { DDPROF_PROGRESS_TEXT = 160 };

/** "12 s: 4711 samples, 0 lost, ...". @return @ret */
const char *ddprof_progress_text(const struct ddp_pipeline_counts *c,
				 char ret[DDPROF_PROGRESS_TEXT]);

#endif /* DDPROF_MONITORING_H */
