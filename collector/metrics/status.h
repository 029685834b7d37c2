/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ddprofctl status` asks for: a collector's state as JSON. Used by control.
 *
 *	{ "version": "0.1.0", "pid": 7, "profiles": "the whole machine", "service": "myservice",
 *	  "trouble": null, "start_unix_s": 1, "period_s": 59,
 *	  "metrics": { "ddprof_up": 1, "ddprof_walks_total{half=\"user\",end=\"root\"}": 5, ... },
 *	  "targets": [ { "name": "agent", "last_error": "...", "last_error_unix_s": 0,
 *			 "next_attempt_s": 0.5, "metrics": { "ddprof_target_up": 1, ... } } ],
 *	  "services": [ { "name": "shop", "samples": 12 } ],
 *	  "events": [ { "name": "sCPU", "sampled": true, "missing": null } ] }
 *
 * "trouble" is null, or what /health says; "metrics" have every row of their table; "services" are
 * those of the last interval. An event with a reason in "missing" is left out or, where it says
 * "sampled", replaced by the CPU clock.
 */
#ifndef DDP_METRICS_STATUS_H
#define DDP_METRICS_STATUS_H

#include "metrics/metrics.h"

/** What a collector is, as long as it runs. NULL members: "". */
struct ddp_status_about {
	const char *profiles;	/* what: "the whole machine" */
	const char *service;	/* the default one */
};

/** @param trouble  NULL: none. @return 0, -ENOMEM, what @write answered */
int ddp_status_write(const struct ddp_metrics *m, const struct ddp_status_about *about,
		     const char *trouble, ddp_write_fn write, void *ctx);

#endif /* DDP_METRICS_STATUS_H */
