// SPDX-License-Identifier: Apache-2.0
/* See live.h. */
#include "metrics/live.h"

DEFINE_CLEANUP(struct ddp_pprof *, ddp_pprof_destroy)

void ddp_live_metrics(struct ddp_pipeline *p, struct ddp_metrics *ret)
{
	struct ddp_sender_stats stats;

	ddp_pipeline_count(p, &ret->pipeline);
	ddp_metrics_own(&ret->own);
	ret->nr_services = ddp_pipeline_services(p, ret->services);
	ret->nr_events = ddp_pipeline_events(p, ret->events);
	ret->nr_targets = 0;
	while (ret->nr_targets < DDP_SENDER_MAX_TARGETS &&
	       !ddp_pipeline_target(p, ret->nr_targets, &stats))
		ddp_metrics_target(&stats, &ret->targets[ret->nr_targets++]);
	ddp_metrics_derive(ret);
}

/* Larger than any interval is allowed to grow */
enum { MAX_LOADED_BYTES = 256 << 20 };

static int load(const struct ddp_profile *p, struct ddp_pprof **ret)
{
	const struct ddp_pprof_limits limits = { .max_memory_bytes = MAX_LOADED_BYTES };
	CLEANUP(ddp_buffer_free) struct ddp_buffer bytes = { 0 };
	int r = ddp_pprof_encode(p, 0, ddp_buffer_write, &bytes);

	return r ? r : ddp_pprof_load(bytes.bytes, bytes.len, &limits, ret, NULL);
}

int ddp_live_top(const struct ddp_profile *profile, const struct ddp_metrics *m,
		 const struct ddp_top_query *query, struct ddp_top *ret)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	int r = load(profile, &p);

	r = r ?: ddp_top_make(p, query, ret);
	if (r)
		return r;
	ret->interval_s = (double)m->pipeline.interval_ns / 1e9;
	ret->samples = m->pipeline.pending_samples;
	ret->lost_samples = m->derived.samples_lost;
	ret->cpus = (uint32_t)m->derived.cpus;
	ret->overhead_ratio = (double)m->derived.overhead_ppm / 1e6;
	return 0;
}
