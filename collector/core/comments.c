// SPDX-License-Identifier: Apache-2.0
/* See comments.h. */
#include "core/comments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "unwind/coverage.h"

static int comment(struct ddp_profile *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int comment(struct ddp_profile *p, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return ddp_profile_comment(p, text);
}

static int comment_kernel_ends(struct ddp_profile *p, const uint64_t *ends)
{
	return comment(p, "kernel walks: root=%" PRIu64 " truncated=%" PRIu64 " unreadable=%" PRIu64
		       " bad_frame=%" PRIu64 " none=%" PRIu64, ends[DDPROF_END_ROOT],
		       ends[DDPROF_END_TRUNCATED], ends[DDPROF_END_UNREADABLE],
		       ends[DDPROF_END_BAD_FRAME], ends[DDPROF_END_NONE]);
}

static int comment_user_ends(struct ddp_profile *p, const struct ddp_sample_sums *s)
{
	const uint64_t *ends = s->ends[1];

	return comment(p, "user walks: root=%" PRIu64 " truncated=%" PRIu64 " unreadable=%" PRIu64
		       " bad_frame=%" PRIu64 " no_table=%" PRIu64 " no_rule=%" PRIu64
		       " none=%" PRIu64 " guessed=%" PRIu64 " root_percent=%.2f",
		       ends[DDPROF_END_ROOT], ends[DDPROF_END_TRUNCATED],
		       ends[DDPROF_END_UNREADABLE], ends[DDPROF_END_BAD_FRAME],
		       ends[DDPROF_END_NO_TABLE], ends[DDPROF_END_NO_RULE], ends[DDPROF_END_NONE],
		       s->guessed, ddp_coverage_percent(ends));
}

/* A comment a file, as a path may have anything in it */
static int comment_coverage(struct ddp_profile *p, const struct ddp_comments *c)
{
	struct ddp_coverage found;
	int r = ddp_coverage_find(c->samples, c->part, c->process, &found);

	for (size_t i = 0; !r && i < found.nr; i++)
		r = comment(p, "user walks ended early: %" PRIu64 " in %.400s",
			    found.files[i].count, found.files[i].name);
	return r;
}

static int comment_tables(struct ddp_profile *p, const struct ddp_marks *now)
{
	const struct ddp_tables_counts *t = &now->tables;

	if (!t->uploaded && !now->info.tables)
		return 0; /* no session any more, or without tables */
	return comment(p, "tables: files=%" PRIu64 " bytes=%" PRIu64 " max_bytes=%" PRIu64
		       " evicted=%" PRIu64 " refused=%" PRIu64 " uploaded=%" PRIu64 " rows=%" PRIu64
		       " built=%" PRIu64 " cached=%" PRIu64 " without_rows=%" PRIu64
		       " failed=%" PRIu64 " dropped=%" PRIu64 " stuck=%" PRIu64
		       " code_bytes=%" PRIu64 " unknown_bytes=%" PRIu64 " build_ms=%" PRIu64,
		       now->info.tables,
		       now->info.tables_bytes, now->info.tables_max_bytes,
		       now->info.tables_evicted, now->info.tables_refused, t->uploaded, t->rows,
		       t->built, t->from_cache, t->no_cfi, t->failed, t->dropped, t->stuck,
		       t->cfi.code_bytes, t->cfi.unknown_bytes, t->build_ns / 1000000);
}

static int comment_loss(struct ddp_profile *p, const struct ddp_decode_counts *now,
			const struct ddp_decode_counts *then)
{
	int r = comment(p, "lost: ring=%" PRIu64 " nested=%" PRIu64 " unknown_stack=%" PRIu64
			" messages=%" PRIu64 " task_records=%" PRIu64,
			now->lost_ring - then->lost_ring, now->lost_nested - then->lost_nested,
			now->unknown_samples - then->unknown_samples,
			now->lost_batches - then->lost_batches, now->lost_tasks - then->lost_tasks);

	return r ? r
		 : comment(p,
			   "skipped for the CPU budget: %" PRIu64 " (counts are scaled for them)",
			   now->skipped - then->skipped);
}

/* What was never sampled, and what stays without names */
static int comment_gaps(struct ddp_profile *p, const struct ddp_marks *now,
			const struct ddp_marks *then)
{
	const struct ddp_link_stats *s = &now->stats, *t = &then->stats;
	int r = comment(p, "not understood: messages=%" PRIu64 "; not known: cut_mapping_lists=%"
			PRIu64 " forgotten_mappings=%" PRIu64 " files=%" PRIu64,
			now->decode.malformed - then->decode.malformed,
			now->process.partial_lists - then->process.partial_lists,
			now->process.forgotten_ranges - then->process.forgotten_ranges,
			now->process.refused_files - then->process.refused_files);

	if (r || s->elapsed_ns <= t->elapsed_ns)
		return r; /* the session ended before its figures could be asked for */
	return comment(p, "not sampled: no_registers=%" PRIu64 " missed=%" PRIu64
		       "; without address space: %" PRIu64, s->no_regs - t->no_regs,
		       s->missed - t->missed, s->no_aspace - t->no_aspace);
}

static int comment_overhead(struct ddp_profile *p, const struct ddp_link_stats *now,
			    const struct ddp_link_stats *then)
{
	uint64_t elapsed = now->elapsed_ns - then->elapsed_ns;
	uint64_t handler = now->handler_ns - then->handler_ns;

	if (now->elapsed_ns <= then->elapsed_ns)
		return 0; /* no figures: the session ended before they could be asked for */
	return comment(p, "overhead: %.4f%% of %u CPUs (handler %" PRIu64 " ns, longest %" PRIu64
		       " ns, of %" PRIu64 " ns)", 100.0 * (double)handler / (double)elapsed,
		       now->cpu, handler, now->handler_max_ns, elapsed);
}

static int comment_event(struct ddp_profile *p, const struct ddp_event_spec *s,
			 const struct ddp_link_started_event *e)
{
	char rate[64], missing[128] = "";

	if (s->link.frequency_hz)
		snprintf(rate, sizeof(rate), "frequency_hz=%" PRIu32, s->link.frequency_hz);
	else
		snprintf(rate, sizeof(rate), "period=%" PRIu64, s->link.period);
	if (e->fallback)
		snprintf(missing, sizeof(missing), "; not on this machine (%.60s): %s",
			 strerror((int)e->fallback),
			 e->sampler ? "CPU time instead" : "left out");
	return comment(p, "event %s: %s as %s/%s%s", s->name, rate, s->value_type, s->value_unit,
		       missing);
}

static int comment_events(struct ddp_profile *p, const struct ddp_comments *c)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < c->events->nr && i < c->started->nr_events; i++)
		r = comment_event(p, &c->events->spec[i], &c->started->events[i]);
	return r;
}

static int comment_service(struct ddp_profile *p, const struct ddp_service *s)
{
	if (!s)
		return 0;
	return comment(p, "service: %s%s%s%s%s", s->name, s->environment ? ", env: " : "",
		       s->environment ? s->environment : "", s->version ? ", version: " : "",
		       s->version ? s->version : "");
}

int ddp_comments_add(const struct ddp_comments *c, struct ddp_profile *profile)
{
	const struct ddp_sample_sums *sums = ddp_samples_sums(c->samples, c->part);
	const struct ddp_marks *now = c->now, *then = c->then;
	int r = comment(profile, "ddprof " DDPROF_VERSION ", ddprof_kmod %s, kernel unwinder %s",
			c->module->module_version, c->module->kernel_unwinder);

	r = r ?: comment_service(profile, c->service);
	r = r ?: comment(profile, "samples: %" PRIu64, sums->pending);
	r = r ?: comment_events(profile, c);
	r = r ?: comment_loss(profile, &now->decode, &then->decode);
	r = r ?: comment_gaps(profile, now, then);
	r = r ?: comment_user_ends(profile, sums);
	r = r ?: comment_kernel_ends(profile, sums->ends[0]);
	r = r ?: comment_coverage(profile, c);
	r = r ?: comment_tables(profile, now);
	return r ? r : comment_overhead(profile, &now->stats, &then->stats);
}
