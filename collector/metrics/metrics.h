/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the collector tells about itself: one table lists every metric, with its name for Prometheus
 * and for statsd, type, unit, meaning and where its number is read from. A metric is a member of
 * struct ddp_metrics, which is the plain counters of the parts that count, taken at one moment; the
 * text forms and docs/metrics.md follow from the table. Pure but for ddp_metrics_own(). Used by
 * live, control, statsd and status.
 */
#ifndef DDP_METRICS_METRICS_H
#define DDP_METRICS_METRICS_H

#include <ddprof/io.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/pipeline.h"

/** Of this process. */
struct ddp_own_usage {
	uint64_t rss_bytes, cpu_ns, open_fds;
	uint64_t age_ns;	/* since it began, which sessions do not change */
};

/** Sums and quotients of the others, by ddp_metrics_derive(). */
struct ddp_derived {
	uint64_t samples;		/* received: in profiles, pending, left out or dropped */
	uint64_t samples_lost;		/* taken, but they never arrived */
	uint64_t services;		/* of the last interval, without those left out by rules */
	/* of all targets: taken by receivers, given up for any reason, in memory, on disk */
	uint64_t sent, dropped, queued, spooled;
	uint64_t incomplete_walks;	/* user stacks that did not reach their root */
	uint64_t overhead_ppm;		/* of the CPUs' time, in the sampling interrupt */
	uint64_t root_ppm;		/* of the user stacks that were walked: whole */
	uint64_t cpus;
	uint64_t running;		/* 1: there is a session */
};

/** A way out of profiles. */
struct ddp_target_metrics {
	char name[64];
	struct ddp_sender_stats stats;	/* its target is not used: the sender may have gone */
	uint64_t up, spool_up;		/* 1: receiver, disk take something, as far as is known */
	uint64_t last_sent_ns;		/* since 1970; 0: never */
};

struct ddp_metrics {
	struct ddp_pipeline_counts pipeline;
	struct ddp_own_usage own;
	struct ddp_target_metrics targets[DDP_SENDER_MAX_TARGETS];
	size_t nr_targets;
	struct ddp_pipeline_service services[DDP_PIPELINE_SERVICES];
	size_t nr_services;
	struct ddp_pipeline_event events[DDPROF_MAX_EVENTS];
	size_t nr_events;
	struct ddp_derived derived;
};

enum ddp_metric_type {
	DDP_METRIC_COUNTER,	/* a total, of the session or of the process: only grows */
	DDP_METRIC_GAUGE,	/* as it is now */
};

enum ddp_metric_unit {
	DDP_METRIC_COUNT,
	DDP_METRIC_BYTES,
	DDP_METRIC_NS,		/* shown in seconds */
	DDP_METRIC_PPM,		/* shown as a ratio, 0 to 1 */
};

/** How a metric is sent by statsd, where it has a name there. */
enum ddp_statsd_type {
	DDP_STATSD_NONE,
	DDP_STATSD_GAUGE,	/* the value */
	DDP_STATSD_COUNT,	/* how much it grew since it was last sent */
	DDP_STATSD_GROWTH,	/* the same as a gauge, which is what ddprof's users know */
	DDP_STATSD_MILLI,	/* growth of a time over time passed, in thousandths, as a gauge */
};

struct ddp_metric {
	const char *name;	/* for Prometheus; rows of one name follow each other */
	const char *labels;	/* end="root"; NULL: none */
	enum ddp_metric_type type;
	enum ddp_metric_unit unit;
	/* of a uint64_t in struct ddp_metrics; in struct ddp_target_metrics */
	size_t offset;
	enum ddp_statsd_type statsd_type;
	const char *statsd;	/* below DDP_STATSD_PREFIX; NULL: not sent */
	const char *help;	/* one sentence, without a full stop */
};

#define DDP_STATSD_PREFIX "datadog.profiling.native."

/** The table; a row without a name ends it. */
extern const struct ddp_metric ddp_metrics_table[];

/** What each target has, with a label target="NAME" in front of the row's own. The same. */
extern const struct ddp_metric ddp_target_metrics_table[];

/** Reads what this process uses; what cannot be read is 0. */
void ddp_metrics_own(struct ddp_own_usage *ret);

/** What a sender says of a target. */
void ddp_metrics_target(const struct ddp_sender_stats *stats, struct ddp_target_metrics *ret);

/** Fills m->derived from the rest. */
void ddp_metrics_derive(struct ddp_metrics *m);

/** The number of a row. @param of  a struct ddp_metrics or ddp_target_metrics, as the table says */
uint64_t ddp_metric_value(const void *of, const struct ddp_metric *row);

enum { DDP_METRIC_TEXT = 32 };

/** The same as text in the unit that is shown: "12", "0.25". @return @ret */
const char *ddp_metric_format(const void *of, const struct ddp_metric *row,
			      char ret[DDP_METRIC_TEXT]);

/**
 * Everything in the text form of Prometheus, version 0.0.4. @return 0, or what @write answered.
 * Source: prometheus.io/docs/instrumenting/exposition_formats
 */
int ddp_metrics_prometheus(const struct ddp_metrics *m, ddp_write_fn write, void *ctx);

/** Whether records come and intervals end as they should. @return NULL: yes; else @ret, why not */
const char *ddp_metrics_trouble(const struct ddp_metrics *m, char ret[128]);

#endif /* DDP_METRICS_METRICS_H */
