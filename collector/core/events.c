// SPDX-License-Identifier: Apache-2.0
/* See events.h: the table of names, presets, and tracepoints' numbers. */
#include "core/events.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "core/events_table.h"

#define PERF_EVENT(perf_type, perf_config, ...)					\
	.link = { .sampler = DDPROF_SAMPLER_PERF, .type = PERF_TYPE_##perf_type,	\
		  .config = (perf_config), __VA_ARGS__ }
#define COUNTS(stem) .count_type = stem "-samples", .value_type = stem, .value_unit = "events"
#define BY_TIME	.by_time = true
#define HZ(n)	.frequency_hz = (n)
#define EVERY(n) .period = (n)

const struct ddp_event_row ddp_event_rows[] = {
	{ "sCPU", "CPU time",
	  .link = { .sampler = DDPROF_SAMPLER_HRTIMER, .type = PERF_TYPE_SOFTWARE,
		    .config = PERF_COUNT_SW_CPU_CLOCK, HZ(99) }, BY_TIME,
	  .count_type = "cpu-samples", .value_type = "cpu-time", .value_unit = "nanoseconds" },
	{ "offcpu", "time that threads are blocked",
	  .link = { .sampler = DDPROF_SAMPLER_OFFCPU, HZ(200) },
	  .count_type = "off-cpu-samples", .value_type = "off-cpu-time",
	  .value_unit = "nanoseconds" },
	{ "hCPU", "CPU cycles", BY_TIME, COUNTS("cpu-cycles"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_CPU_CYCLES, HZ(99)) },
	{ "hREF", "CPU cycles of constant rate", BY_TIME, COUNTS("ref-cycles"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES, HZ(1000)) },
	{ "hINST", "instructions", BY_TIME, COUNTS("instructions"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, HZ(1000)) },
	{ "hBUS", "bus cycles", BY_TIME, COUNTS("bus-cycles"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_BUS_CYCLES, HZ(1000)) },
	{ "hBSTF", "stalls of the front end", BY_TIME, COUNTS("stalled-cycles-frontend"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND, HZ(1000)) },
	{ "hBSTB", "stalls of the back end", BY_TIME, COUNTS("stalled-cycles-backend"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND, HZ(1000)) },
	{ "hCREF", "cache references", COUNTS("cache-references"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES, EVERY(999)) },
	{ "hCMISS", "cache misses", COUNTS("cache-misses"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_CACHE_MISSES, EVERY(999)) },
	{ "hBRANCH", "branches", COUNTS("branch-instructions"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, EVERY(999)) },
	{ "hBMISS", "branches predicted wrong", COUNTS("branch-misses"),
	  PERF_EVENT(HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, EVERY(999)) },
	{ "hCACHE", "a cache's events, config=ID|OP<<8|RESULT<<16", .takes_config = true,
	  COUNTS("hw-cache"), PERF_EVENT(HW_CACHE, 0, EVERY(999)) },
	{ "hRAW", "the CPU's own event, config=NUMBER", .takes_config = true,
	  COUNTS("raw"), PERF_EVENT(RAW, 0, EVERY(9999)) },
	{ "sPF", "page faults", COUNTS("page-faults"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, EVERY(1)) },
	{ "sPFMAJ", "page faults that wait for a disk", COUNTS("major-faults"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ, EVERY(99)) },
	{ "sPFMIN", "page faults that do not", COUNTS("minor-faults"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN, EVERY(99)) },
	{ "sCS", "context switches", COUNTS("context-switches"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, EVERY(1)) },
	{ "sMig", "threads that change CPUs", COUNTS("cpu-migrations"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, HZ(99)) },
	{ "sALGN", "alignment faults", COUNTS("alignment-faults"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS, HZ(99)) },
	{ "sEMU", "emulated instructions", COUNTS("emulation-faults"),
	  PERF_EVENT(SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS, HZ(99)) },
	/* the name of a tracepoint by number, and of what group and event say */
	{ "T", "a tracepoint: T group=sched,event=sched_switch, or sched:sched_switch",
	  COUNTS("tracepoint"), PERF_EVENT(TRACEPOINT, 0, EVERY(1)) },
	{ "sALLOC", NULL, .refused = "allocations happen inside of programs, where the kernel does "
	  "not see them" },
	{ "sDUM", NULL, .refused = "it never happens" },
	{ NULL },
};

static const struct preset {
	const char *name, *events;
	const char *refused;
} presets[] = {
	{ "default", "sCPU", NULL },
	{ "cpu_only", "sCPU", NULL },
	{ "alloc_only", NULL, "allocations cannot be profiled here: the kernel does not see them" },
	{ "alloc_live_heap", NULL, "live heap and allocations cannot be profiled here" },
	{ "cpu_live_heap", NULL, "live heap cannot be profiled here; cpu_only is the rest of it" },
};

const struct ddp_event_row *ddp_event_row(const char *name)
{
	for (const struct ddp_event_row *row = ddp_event_rows; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

bool ddp_event_same(const struct ddp_event_spec *a, const struct ddp_event_spec *b)
{
	return !strcmp(a->count_type, b->count_type) || !strcmp(a->value_type, b->value_type);
}

bool ddp_event_is_cpu_time(const struct ddp_event_spec *spec)
{
	const struct ddp_link_event *e = &spec->link;

	return e->sampler == DDPROF_SAMPLER_HRTIMER ||
	       (e->sampler == DDPROF_SAMPLER_PERF && e->type == PERF_TYPE_SOFTWARE &&
		(e->config == PERF_COUNT_SW_CPU_CLOCK || e->config == PERF_COUNT_SW_TASK_CLOCK));
}

/* What the module samples for this event: CPU time where that took its place */
static void put_types(const struct ddp_event_spec *s, const struct ddp_link_started_event *e,
		      struct ddp_value_type ret[2])
{
	static const struct ddp_value_type cpu[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	bool replaced = e->fallback && e->sampler != DDPROF_SAMPLER_NONE;

	ret[0] = replaced ? cpu[0] : (struct ddp_value_type){ s->count_type, "count" };
	ret[1] = replaced ? cpu[1] : (struct ddp_value_type){ s->value_type, s->value_unit };
}

void ddp_event_columns(const struct ddp_event_specs *specs, const struct ddp_link_started *started,
		       struct ddp_event_columns *ret)
{
	*ret = (struct ddp_event_columns){ .nr = 0 };
	for (uint32_t i = specs->nr; i--;) {
		const struct ddp_link_started_event *e = &started->events[i];

		ret->at[i] = DDP_EVENT_NO_COLUMN;
		if (i >= started->nr_events || e->sampler == DDPROF_SAMPLER_NONE)
			continue;
		put_types(&specs->spec[i], e, &ret->types[ret->nr]);
		ret->at[i] = ret->nr;
		ret->period_type = ret->types[ret->nr + 1];
		ret->period = e->period;
		ret->nr += 2;
	}
}

void ddp_events_help(FILE *to)
{
	fputs("Events, as in -e 'sCPU;sPF period=100;sched:sched_switch':\n", to);
	for (const struct ddp_event_row *row = ddp_event_rows; row->name; row++) {
		if (row->refused)
			continue;
		fprintf(to, "  %-8s %s, ", row->name, row->help);
		if (row->link.frequency_hz)
			fprintf(to, "%" PRIu32 " Hz\n", row->link.frequency_hz);
		else if (row->link.period == 1)
			fputs("each\n", to);
		else
			fprintf(to, "every %" PRIu64 "th\n", row->link.period);
	}
	fputs("Keys, with commas or blanks between:\n"
	      "  frequency=HZ   samples a second and CPU, 1 to 10000\n"
	      "  period=N       every Nth; of sCPU nanoseconds. Up to 10000 of what is sampled by\n"
	      "                 time, sCPU and hCPU to hBSTB, it is a frequency\n"
	      "  min=TIME       of offcpu: the shortest block that is told, as in 10us (default), 1ms\n"
	      "  missing=WHAT   where the machine does not have it: skip (default), replace (by\n"
	      "                 CPU time), fail\n"
	      "  scale=FACTOR   what its values are multiplied by\n"
	      "  label=NAME     its name in the profile\n"
	      "  event, group, id, config   of tracepoints, hRAW and hCACHE\n",
	      to);
}

static int no_preset(const char *name, struct ddp_error *err)
{
	struct ddp_nearest n = { .word = name };

	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		ddp_nearest_offer(&n, presets[i].name);
	snprintf(err->text, sizeof(err->text),
		 "preset %.60s: there is none of that name%s%s; expected default or cpu_only", name,
		 n.name ? ", do you mean " : "", n.name ? n.name : "");
	return -EINVAL;
}

/* Those of @more that @specs does not have; @specs has room for them or stays as it is */
static int add_missing(struct ddp_event_specs *specs, const struct ddp_event_specs *more,
		       struct ddp_error *err)
{
	struct ddp_event_specs all = *specs;

	for (uint32_t i = 0; i < more->nr; i++) {
		bool known = false;

		for (uint32_t k = 0; k < specs->nr; k++)
			known |= ddp_event_same(&specs->spec[k], &more->spec[i]);
		if (known)
			continue;
		if (all.nr == DDPROF_MAX_EVENTS) {
			snprintf(err->text, sizeof(err->text),
				 "more than %d events with those of the preset",
				 DDPROF_MAX_EVENTS);
			return -EINVAL;
		}
		all.spec[all.nr++] = more->spec[i];
	}
	*specs = all;
	return 0;
}

int ddp_events_preset(const char *name, struct ddp_event_specs *specs, struct ddp_error *err)
{
	struct ddp_event_specs more = { .nr = 0 };
	const struct preset *p = NULL;
	int r;

	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (!strcmp(presets[i].name, name))
			p = &presets[i];
	if (!p)
		return no_preset(name, err);
	if (p->refused) {
		snprintf(err->text, sizeof(err->text), "preset %s: %s", name, p->refused);
		return -EINVAL;
	}
	r = ddp_events_parse(p->events, &more, err);
	return r ? r : add_missing(specs, &more, err);
}

/* A tracepoint's number, or 0 */
static uint64_t tracepoint_id(const struct ddp_event_spec *s)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		CLEANUP(close_file) FILE *f = NULL;
		char path[256];
		uint64_t id;

		snprintf(path, sizeof(path), "%s/events/%s/%s/id", roots[i], s->group, s->event);
		f = fopen(path, "re");
		if (f && fscanf(f, "%" SCNu64, &id) == 1)
			return id;
	}
	return 0;
}

int ddp_events_resolve(struct ddp_event_specs *specs, struct ddp_error *err)
{
	for (uint32_t i = 0; i < specs->nr; i++) {
		struct ddp_event_spec *s = &specs->spec[i];

		if (!s->event[0] || s->link.config)
			continue;
		s->link.config = tracepoint_id(s);
		if (s->link.config || s->link.on_missing != DDPROF_MISSING_FAIL)
			continue;
		snprintf(err->text, sizeof(err->text), "event %.100s: there is no /sys/kernel/"
			 "tracing/events/%s/%s, or tracefs is not mounted", s->name, s->group,
			 s->event);
		return -EINVAL;
	}
	return 0;
}
