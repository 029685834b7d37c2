/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a running pipeline is at, as others want it: its metrics at one moment, and the table of its
 * running interval. Used by monitor, control and by who shows a session of its own.
 */
#ifndef DDP_METRICS_LIVE_H
#define DDP_METRICS_LIVE_H

#include "metrics/metrics.h"
#include "report/top.h"

/** All of them, derived ones included. In the pipeline's thread. */
void ddp_live_metrics(struct ddp_pipeline *p, struct ddp_metrics *ret);

/**
 * The table of a profile that ddp_pipeline_peek() gave, with what @m says of the session. In any
 * thread. @return as ddp_top_make(); -EFBIG, -EBADMSG: larger than can be read back
 */
int ddp_live_top(const struct ddp_profile *profile, const struct ddp_metrics *m,
		 const struct ddp_top_query *query, struct ddp_top *ret);

#endif /* DDP_METRICS_LIVE_H */
