// SPDX-License-Identifier: Apache-2.0
/* See metrics.h. */
#include "metrics/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "service/proc.h"
#include "unwind/coverage.h"

enum {
	PPM = 1000000,
	OVERDUE_S = 30,		/* making a profile of a large machine takes some seconds */
	QUIET_S = 30,		/* the module sends what it has every five seconds */
};

/* This process */

static uint64_t read_rss_bytes(void)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/statm", "re");
	uint64_t pages;

	if (!f || fscanf(f, "%*u %" SCNu64, &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t nr = 0;

	if (!d)
		return 0;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		nr += e->d_name[0] != '.';
	closedir(d);
	return nr - 1; /* the folder's own */
}

/* 0: not known */
static uint64_t read_age_ns(void)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/stat", "re");
	struct ddp_proc_stat stat;
	struct timespec now;
	char text[4096];
	uint64_t now_ns, start_ns;

	if (!f || ddp_proc_parse_stat(text, fread(text, 1, sizeof(text), f), &stat))
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	start_ns = stat.start_ticks * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
	return now_ns > start_ns ? now_ns - start_ns : 0;
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

void ddp_metrics_own(struct ddp_own_usage *ret)
{
	struct rusage u;

	*ret = (struct ddp_own_usage){ .rss_bytes = read_rss_bytes(),
				       .open_fds = count_open_fds(),
				       .age_ns = read_age_ns() };
	if (!getrusage(RUSAGE_SELF, &u))
		ret->cpu_ns = timeval_ns(&u.ru_utime) + timeval_ns(&u.ru_stime);
}

/* From the others */

static uint64_t to_ppm(uint64_t part, uint64_t of)
{
	return of ? (uint64_t)((double)part / (double)of * PPM) : 0;
}

static uint64_t count_incomplete(const uint64_t ends[__DDPROF_END_MAX])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < __DDPROF_END_MAX; i++)
		if (i != DDPROF_END_NONE && i != DDPROF_END_ROOT)
			sum += ends[i];
	return sum;
}

void ddp_metrics_target(const struct ddp_sender_stats *stats, struct ddp_target_metrics *ret)
{
	snprintf(ret->name, sizeof(ret->name), "%s", stats->target);
	ret->stats = *stats;
	ret->stats.target = NULL;
	ret->up = !stats->down;
	ret->spool_up = !stats->spool_down;
	ret->last_sent_ns = stats->last_sent_unix_ns > 0 ? (uint64_t)stats->last_sent_unix_ns : 0;
}

static void add_target(struct ddp_derived *d, const struct ddp_sender_stats *s)
{
	d->sent += s->sent;
	d->queued += s->queued;
	d->spooled += s->spooled;
	for (size_t i = 0; i < DDP_SENDER_NR_DROPS; i++)
		d->dropped += s->dropped[i];
}

void ddp_metrics_derive(struct ddp_metrics *m)
{
	const struct ddp_pipeline_counts *p = &m->pipeline;
	const struct ddp_decode_counts *d = &p->marks.decode;
	const struct ddp_link_stats *s = &p->marks.stats;

	m->derived = (struct ddp_derived){
		.samples = p->samples + p->samples_dropped + p->services.excluded_samples +
			   p->pending_samples,
		.samples_lost = d->lost_ring + d->lost_nested + d->unknown_samples +
				p->samples_dropped,
		.incomplete_walks = count_incomplete(s->user_end),
		.overhead_ppm = to_ppm(s->handler_ns, s->elapsed_ns),
		.root_ppm = (uint64_t)(ddp_coverage_percent(s->user_end) / 100 * PPM),
		.cpus = s->cpu,
		.running = p->uptime_ns && !p->ended,
	};
	for (size_t i = 0; i < m->nr_services; i++)
		m->derived.services += !m->services[i].excluded;
	for (size_t i = 0; i < m->nr_targets; i++)
		add_target(&m->derived, &m->targets[i].stats);
}

/* Values */

uint64_t ddp_metric_value(const void *of, const struct ddp_metric *row)
{
	uint64_t v;

	memcpy(&v, (const char *)of + row->offset, sizeof(v));
	return v;
}

const char *ddp_metric_format(const void *of, const struct ddp_metric *row,
			      char ret[DDP_METRIC_TEXT])
{
	uint64_t v = ddp_metric_value(of, row);

	if (row->unit == DDP_METRIC_NS)
		snprintf(ret, DDP_METRIC_TEXT, "%" PRIu64 ".%09" PRIu64, v / 1000000000,
			 v % 1000000000);
	else if (row->unit == DDP_METRIC_PPM)
		snprintf(ret, DDP_METRIC_TEXT, "%" PRIu64 ".%06" PRIu64, v / PPM, v % PPM);
	else
		snprintf(ret, DDP_METRIC_TEXT, "%" PRIu64, v);
	return ret;
}

/* Prometheus */

static int write_text(ddp_write_fn write, void *ctx, const char *text)
{
	return write(ctx, text, strlen(text));
}

static int write_head(const struct ddp_metric *row, ddp_write_fn write, void *ctx)
{
	char text[512];

	snprintf(text, sizeof(text), "# HELP %s %s.\n# TYPE %s %s\n", row->name, row->help,
		 row->name, row->type == DDP_METRIC_COUNTER ? "counter" : "gauge");
	return write_text(write, ctx, text);
}

/* @target  NULL: none */
static int write_row(const void *of, const struct ddp_metric *row, const char *target,
		     ddp_write_fn write, void *ctx)
{
	char text[256], value[DDP_METRIC_TEXT];

	ddp_metric_format(of, row, value);
	if (target)
		snprintf(text, sizeof(text), "%s{target=\"%s\"%s%s} %s\n", row->name, target,
			 row->labels ? "," : "", row->labels ?: "", value);
	else if (row->labels)
		snprintf(text, sizeof(text), "%s{%s} %s\n", row->name, row->labels, value);
	else
		snprintf(text, sizeof(text), "%s %s\n", row->name, value);
	return write_text(write, ctx, text);
}

/* As labels have it */
static void escape(const char *name, char ret[128])
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			*ret++ = '\\';
		*ret++ = *name == '\n' ? ' ' : *name;
	}
	*ret = '\0';
}

static int write_targets(const struct ddp_metrics *m, const struct ddp_metric *row,
			 ddp_write_fn write, void *ctx)
{
	char target[2 * sizeof(m->targets[0].name)];
	int r = 0;

	for (size_t i = 0; !r && i < m->nr_targets; i++) {
		escape(m->targets[i].name, target);
		r = write_row(&m->targets[i], row, target, write, ctx);
	}
	return r;
}

static int write_table(const struct ddp_metrics *m, const struct ddp_metric *table, bool of_targets,
		       ddp_write_fn write, void *ctx)
{
	const char *last = "";
	int r = 0;

	for (const struct ddp_metric *row = table; !r && row->name; row++) {
		if (strcmp(last, row->name))
			r = write_head(row, write, ctx);
		last = row->name;
		if (r)
			break;
		r = of_targets ? write_targets(m, row, write, ctx) :
				 write_row(m, row, NULL, write, ctx);
	}
	return r;
}

int ddp_metrics_prometheus(const struct ddp_metrics *m, ddp_write_fn write, void *ctx)
{
	int r = write_table(m, ddp_metrics_table, false, write, ctx);

	if (!r && m->nr_targets)
		r = write_table(m, ddp_target_metrics_table, true, write, ctx);
	return r;
}

/* Health */

static bool is_overdue(const struct ddp_pipeline_counts *p)
{
	return p->period_s &&
	       p->interval_ns > ((uint64_t)p->period_s + OVERDUE_S) * 1000000000;
}

/* A machine where nothing is sampled is quiet, too */
static bool is_deaf(const struct ddp_pipeline_counts *p)
{
	return p->quiet_ns > QUIET_S * 1000000000ULL &&
	       p->marks.stats.messages > p->marks.decode.batches;
}

const char *ddp_metrics_trouble(const struct ddp_metrics *m, char ret[128])
{
	const struct ddp_pipeline_counts *p = &m->pipeline;

	if (!m->derived.running)
		snprintf(ret, 128, "the session has ended");
	else if (is_overdue(p))
		snprintf(ret, 128, "an interval of %" PRIu32 " s has lasted %" PRIu64 " s",
			 p->period_s, p->interval_ns / 1000000000);
	else if (is_deaf(p))
		snprintf(ret, 128, "no records for %" PRIu64 " s, though the module sent some",
			 p->quiet_ns / 1000000000);
	else
		return NULL;
	return ret;
}
