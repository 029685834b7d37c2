// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/events: what each event text means, down to START's numbers and the profile's
 * value types; what is refused, where, and what the error says; presets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <string.h>

#include "core/events.h"

/* rows leave zero what they do not need */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define TIMER	DDPROF_SAMPLER_HRTIMER
#define PERF	DDPROF_SAMPLER_PERF
#define OFFCPU	DDPROF_SAMPLER_OFFCPU
#define SKIP	DDPROF_MISSING_SKIP
#define HW	PERF_TYPE_HARDWARE
#define SW	PERF_TYPE_SOFTWARE
#define TP	PERF_TYPE_TRACEPOINT

/* An event text and what becomes of it */
static const struct {
	const char *name, *text;
	struct ddp_link_event link;	/* sampler, type, config, hz, period, on_missing */
	const char *is, *count_type, *value_type, *unit;
} meant[] = {
	{ "CPU time", "sCPU", { TIMER, SW, 0, 99, 0, 0 }, "sCPU", "cpu-samples",
	  "cpu-time", "nanoseconds" },
	{ "CPU time by frequency", "sCPU freq=500", { TIMER, SW, 0, 500, 0, 0 }, "sCPU",
	  "cpu-samples", "cpu-time", "nanoseconds" },
	{ "a small period of it is a frequency", "sCPU p=50", { TIMER, SW, 0, 50, 0, 0 },
	  "sCPU", "cpu-samples", "cpu-time", "nanoseconds" },
	{ "with a comma", "sCPU,period=1000", { TIMER, SW, 0, 1000, 0, 0 }, "sCPU",
	  "cpu-samples", "cpu-time", "nanoseconds" },
	{ "a large one nanoseconds", "sCPU period=10000000",
	  { PERF, SW, 0, 0, 10000000, SKIP }, "sCPU", "cpu-samples", "cpu-time",
	  "nanoseconds" },
	{ "blocked threads", "offcpu", { OFFCPU, 0, 0, 200, 0, SKIP }, "offcpu",
	  "off-cpu-samples", "off-cpu-time", "nanoseconds" },
	{ "blocked for long", "offcpu freq=50 min=2ms",
	  { OFFCPU, 0, 0, 50, 0, SKIP, 2000000 }, "offcpu", "off-cpu-samples",
	  "off-cpu-time", "nanoseconds" },
	{ "blocked at all", "offcpu min=0us", { OFFCPU, 0, 0, 200, 0, SKIP, 1 }, "offcpu",
	  "off-cpu-samples", "off-cpu-time", "nanoseconds" },
	{ "blocked for a minute", "offcpu min=60s",
	  { OFFCPU, 0, 0, 200, 0, SKIP, 60000000000 }, "offcpu", "off-cpu-samples",
	  "off-cpu-time", "nanoseconds" },
	{ "cycles", "hCPU", { PERF, HW, 0, 99, 0, SKIP }, "hCPU", "cpu-cycles-samples",
	  "cpu-cycles", "events" },
	{ "cycles as they were always asked for", "event=hCPU period=555",
	  { PERF, HW, 0, 555, 0, SKIP }, "hCPU", "cpu-cycles-samples", "cpu-cycles",
	  "events" },
	{ "every millionth", "hCPU period=1000000", { PERF, HW, 0, 0, 1000000, SKIP },
	  "hCPU", "cpu-cycles-samples", "cpu-cycles", "events" },
	{ "reference cycles", "hREF", { PERF, HW, 9, 1000, 0, SKIP }, "hREF",
	  "ref-cycles-samples", "ref-cycles", "events" },
	{ "instructions", "hINST", { PERF, HW, 1, 1000, 0, SKIP }, "hINST",
	  "instructions-samples", "instructions", "events" },
	{ "bus cycles", "hBUS", { PERF, HW, 6, 1000, 0, SKIP }, "hBUS",
	  "bus-cycles-samples", "bus-cycles", "events" },
	{ "front end", "hBSTF", { PERF, HW, 7, 1000, 0, SKIP }, "hBSTF",
	  "stalled-cycles-frontend-samples", "stalled-cycles-frontend", "events" },
	{ "back end", "hBSTB", { PERF, HW, 8, 1000, 0, SKIP }, "hBSTB",
	  "stalled-cycles-backend-samples", "stalled-cycles-backend", "events" },
	{ "cache references", "hCREF", { PERF, HW, 2, 0, 999, SKIP }, "hCREF",
	  "cache-references-samples", "cache-references", "events" },
	{ "cache misses", "hCMISS", { PERF, HW, 3, 0, 999, SKIP }, "hCMISS",
	  "cache-misses-samples", "cache-misses", "events" },
	{ "branches", "hBRANCH", { PERF, HW, 4, 0, 999, SKIP }, "hBRANCH",
	  "branch-instructions-samples", "branch-instructions", "events" },
	{ "branch misses, a period that stays one", "hBMISS p=100",
	  { PERF, HW, 5, 0, 100, SKIP }, "hBMISS", "branch-misses-samples",
	  "branch-misses", "events" },
	{ "page faults", "sPF", { PERF, SW, 2, 0, 1, SKIP }, "sPF", "page-faults-samples",
	  "page-faults", "events" },
	{ "major ones", "sPFMAJ", { PERF, SW, 6, 0, 99, SKIP }, "sPFMAJ",
	  "major-faults-samples", "major-faults", "events" },
	{ "minor ones", "sPFMIN", { PERF, SW, 5, 0, 99, SKIP }, "sPFMIN",
	  "minor-faults-samples", "minor-faults", "events" },
	{ "context switches", "sCS", { PERF, SW, 3, 0, 1, SKIP }, "sCS",
	  "context-switches-samples", "context-switches", "events" },
	{ "migrations", "sMig", { PERF, SW, 4, 99, 0, SKIP }, "sMig",
	  "cpu-migrations-samples", "cpu-migrations", "events" },
	{ "each migration", "sMig p=1", { PERF, SW, 4, 0, 1, SKIP }, "sMig",
	  "cpu-migrations-samples", "cpu-migrations", "events" },
	{ "alignment faults", "sALGN", { PERF, SW, 7, 99, 0, SKIP }, "sALGN",
	  "alignment-faults-samples", "alignment-faults", "events" },
	{ "emulation faults", "sEMU", { PERF, SW, 8, 99, 0, SKIP }, "sEMU",
	  "emulation-faults-samples", "emulation-faults", "events" },
	{ "a raw event", "hRAW config=0x1c2 p=100", { PERF, PERF_TYPE_RAW, 0x1c2, 0, 100,
	  SKIP }, "hRAW", "raw-samples", "raw", "events" },
	{ "a cache event under a name", "hCACHE config=65538,label=l1d-misses",
	  { PERF, PERF_TYPE_HW_CACHE, 65538, 0, 999, SKIP }, "hCACHE",
	  "l1d-misses-samples", "l1d-misses", "events" },
	{ "a tracepoint", "event=sched:sched_switch", { PERF, TP, 0, 0, 1, SKIP },
	  "sched:sched_switch", "sched.sched_switch-samples", "sched.sched_switch",
	  "events" },
	{ "as perf has it", "sched:sched_switch", { PERF, TP, 0, 0, 1, SKIP },
	  "sched:sched_switch", "sched.sched_switch-samples", "sched.sched_switch",
	  "events" },
	{ "in two words", "e=sched_switch g=sched f=10", { PERF, TP, 0, 10, 0, SKIP },
	  "sched:sched_switch", "sched.sched_switch-samples", "sched.sched_switch",
	  "events" },
	{ "with T before", "T event=sched_switch,group=sched", { PERF, TP, 0, 0, 1, SKIP },
	  "sched:sched_switch", "sched.sched_switch-samples", "sched.sched_switch",
	  "events" },
	{ "with T behind", "group=sched event=sched_switch T", { PERF, TP, 0, 0, 1, SKIP },
	  "sched:sched_switch", "sched.sched_switch-samples", "sched.sched_switch",
	  "events" },
	{ "by number", "T id=316", { PERF, TP, 316, 0, 1, SKIP }, "tracepoint-316",
	  "tracepoint-316-samples", "tracepoint-316", "events" },
	{ "that must be there", "sPF missing=fail",
	  { PERF, SW, 2, 0, 1, DDPROF_MISSING_FAIL }, "sPF", "page-faults-samples",
	  "page-faults", "events" },
	{ "that may be replaced", "hCPU missing=replace",
	  { PERF, HW, 0, 99, 0, DDPROF_MISSING_REPLACE }, "hCPU", "cpu-cycles-samples",
	  "cpu-cycles", "events" },
	{ "the sum", "sPF mode=s", { PERF, SW, 2, 0, 1, SKIP }, "sPF",
	  "page-faults-samples", "page-faults", "events" },
	{ "a stack size that nobody needs", "sPF stack_sample_size=8192",
	  { PERF, SW, 2, 0, 1, SKIP }, "sPF", "page-faults-samples", "page-faults",
	  "events" },
	{ "blanks everywhere", "  ;; sPF  , period=7 ,  ; ", { PERF, SW, 2, 0, 7, SKIP },
	  "sPF", "page-faults-samples", "page-faults", "events" },
};

static void meanings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
		struct ddp_event_specs specs = { .nr = 0 };
		struct ddp_error err = { "" };
		const struct ddp_event_spec *s = &specs.spec[0];

		if (ddp_events_parse(meant[i].text, &specs, &err))
			fail_msg("%s: %s", meant[i].name, err.text);
		if (specs.nr != 1 || s->link.sampler != meant[i].link.sampler ||
		    s->link.type != meant[i].link.type || s->link.config != meant[i].link.config ||
		    s->link.frequency_hz != meant[i].link.frequency_hz ||
		    s->link.period != meant[i].link.period ||
		    s->link.on_missing != meant[i].link.on_missing ||
		    s->link.min_ns != meant[i].link.min_ns)
			fail_msg("%s: %u events, the first %u/%u/%" PRIx64 " %u Hz, every %" PRIu64
				 ", missing %u", meant[i].name, specs.nr, s->link.sampler,
				 s->link.type, s->link.config, s->link.frequency_hz,
				 s->link.period, s->link.on_missing);
		if (strcmp(s->name, meant[i].is) || strcmp(s->count_type, meant[i].count_type) ||
		    strcmp(s->value_type, meant[i].value_type) ||
		    strcmp(s->value_unit, meant[i].unit))
			fail_msg("%s: %s %s %s/%s", meant[i].name, s->name, s->count_type,
				 s->value_type, s->value_unit);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *name, *text;
		const char *error;	/* part of it */
	} rows[] = {
		{ "nothing", "", "there is no event in it" },
		{ "nothing but separators", " ;; ", "there is no event in it" },
		{ "a misspelt event", "sPFF", "at character 1: sPFF: no such event, do you mean "
		  "sPF" },
		{ "another case", "scpu", "do you mean sCPU" },
		{ "not like any", "elephant", "elephant: no such event; -e help lists them" },
		{ "the second one, with its position", "sCPU;sXX", "at character 6: sXX" },
		{ "a misspelt key", "sPF perod=3", "at character 5: perod: no such key, do you "
		  "mean period; expected frequency, period" },
		{ "a key without a value", "sPF period=", "period=: expected a value" },
		{ "a period that is none", "sPF period=x",
		  "period=x: expected a number from 1 to" },
		{ "a period of 0", "sPF p=0", "period=0: expected a number" },
		{ "a negative period", "sPF p=-5", "period=-5: expected a number" },
		{ "a period with a point", "sPF p=1.5", "period=1.5: expected a number" },
		{ "a period too large", "sPF p=99999999999999999999", "expected a number" },
		{ "a frequency of 0", "hCPU f=0",
		  "frequency=0: expected a number from 1 to 10000" },
		{ "a frequency too high", "hCPU f=10001", "from 1 to 10000" },
		{ "both", "hCPU f=99 p=100000", "frequency and period exclude each other" },
		{ "a period of blocks", "offcpu period=100", "offcpu has no period; frequency" },
		{ "a shortest block of CPU time", "sCPU min=1ms", "min goes with offcpu only" },
		{ "a shortest block without a unit", "offcpu min=1000", "with its unit" },
		{ "a shortest block of another unit", "offcpu min=1m", "expected a time up to 60s" },
		{ "a shortest block that is too long", "offcpu min=61s", "min=61s: expected" },
		{ "a shortest block below zero", "offcpu min=-1s", "min=-1s: expected" },
		{ "a shortest block past 64 bits", "offcpu min=99999999999999999999s", "expected" },
		{ "blocks twice", "offcpu;offcpu min=1s", "offcpu is there already" },
		{ "neither frequency nor nanoseconds", "sCPU p=50000",
		  "it is a frequency up to 10000, or nanoseconds from 100000 on" },
		{ "no name", "period=100", "an event needs a name" },
		{ "a label is no name", "l=mine", "an event needs a name" },
		{ "two names", "sPF sCS", "at character 5: sCS: a second name; events are "
		  "separated by \";\"" },
		{ "twice the same", "sPF;sCS;sPF p=3", "at character 9: sPF is there already" },
		{ "allocations", "sALLOC", "sALLOC cannot be profiled here: allocations happen "
		  "inside of programs" },
		{ "dummies", "sDUM", "sDUM cannot be profiled here" },
		{ "T alone", "T", "a tracepoint needs group and event" },
		{ "a group alone", "g=sched", "a tracepoint needs group and event" },
		{ "a tracepoint with a path in it", "event=../../etc:passwd",
		  "expected the name of an event" },
		{ "three parts", "a:b:c", "expected the name of an event" },
		{ "nothing behind the colon", "sched:", "expected the name of an event" },
		{ "a label that begins with a digit", "sPF l=14b31", "a word that begins with a "
		  "letter" },
		{ "a label with a colon", "sPF l=a:b", "a word that begins with a letter" },
		{ "a scale of 0", "sPF s=0", "scale=0: expected a number above 0" },
		{ "a scale that is none", "sPF s=nan", "scale=nan: expected a number" },
		{ "a hexadecimal scale", "sPF s=0x0f", "scale=0x0f: expected a number" },
		{ "another word for missing", "sPF missing=ignore", "expected skip, replace or "
		  "fail" },
		{ "live heap", "sPF mode=sl", "mode=sl: expected s, the sum" },
		{ "a register's value", "sPF register=1", "values come from the event alone" },
		{ "a raw value", "sched:sched_switch o=8", "values come from the event alone" },
		{ "a raw event without its number", "hRAW", "expected config=NUMBER" },
		{ "config of another event", "sPF config=1", "config goes with hRAW and hCACHE" },
		{ "another character", "sPF!p=1", "at character 4: \"!\": expected a blank" },
		{ "another character in front", "%sPF", "\"%\": expected an event's name" },
		{ "bytes that are no text", "\xff\xfe", "\"?\": expected an event's name" },
		{ "a very long word",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "a word of more than 63 characters" },
		{ "nine events", "sPF;sCS;sMig;sPFMAJ;sPFMIN;sALGN;sEMU;hCPU;hREF",
		  "hREF: more than 8 events" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_event_specs specs = { .nr = 0 }, before;
		struct ddp_error err = { "" };

		before = specs;
		if (ddp_events_parse(rows[i].text, &specs, &err) != -EINVAL ||
		    !strstr(err.text, rows[i].error))
			fail_msg("%s: \"%s\"", rows[i].name, err.text);
		if (memcmp(&specs, &before, sizeof(specs)))
			fail_msg("%s: it is not as before", rows[i].name);
	}
}

static void several(void **state)
{
	struct ddp_event_specs specs = { .nr = 0 };
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_events_parse("sCPU freq=50;sPF scale=2.5", &specs, &err), 0);
	assert_int_equal(ddp_events_parse("sCS", &specs, &err), 0);
	assert_int_equal(specs.nr, 3);
	assert_true(specs.spec[0].rate_given && specs.spec[0].scale == 1);
	assert_true(!specs.spec[1].rate_given && specs.spec[1].scale == 2.5);
	assert_string_equal(specs.spec[2].name, "sCS");
	assert_int_equal(ddp_events_parse("sPF", &specs, &err), -EINVAL);
	assert_int_equal(specs.nr, 3);
	/* under a name of its own it may be there twice */
	assert_int_equal(ddp_events_parse("sPF label=rare,period=1000", &specs, &err), 0);
	assert_true(ddp_event_is_cpu_time(&specs.spec[0]));
	assert_false(ddp_event_is_cpu_time(&specs.spec[1]));
}

static void presets(void **state)
{
	static const struct {
		const char *name, *preset;
		const char *error;	/* NULL: CPU time */
	} rows[] = {
		{ "the default", "default", NULL },
		{ "CPU only", "cpu_only", NULL },
		{ "allocations", "alloc_only", "allocations cannot be profiled here" },
		{ "live heap", "alloc_live_heap", "live heap and allocations cannot" },
		{ "CPU and live heap", "cpu_live_heap", "cpu_only is the rest of it" },
		{ "misspelt", "cpu_onyl", "there is none of that name, do you mean cpu_only" },
		{ "another", "everything", "expected default or cpu_only" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_event_specs specs = { .nr = 0 };
		struct ddp_error err = { "" };
		int r = ddp_events_preset(rows[i].preset, &specs, &err);

		if (rows[i].error ? r != -EINVAL || !strstr(err.text, rows[i].error) || specs.nr :
				    r || specs.nr != 1 || strcmp(specs.spec[0].name, "sCPU"))
			fail_msg("%s: %d, %u events, \"%s\"", rows[i].name, r, specs.nr, err.text);
	}
}

/* What is there stays, with the rate that was asked for */
static void preset_beside_events(void **state)
{
	struct ddp_event_specs specs = { .nr = 0 };
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_events_parse("sCPU freq=50;sPF", &specs, &err), 0);
	assert_int_equal(ddp_events_preset("default", &specs, &err), 0);
	assert_int_equal(specs.nr, 2);
	assert_int_equal(specs.spec[0].link.frequency_hz, 50);
	specs.nr = 0;
	assert_int_equal(ddp_events_parse("sPF", &specs, &err), 0);
	assert_int_equal(ddp_events_preset("default", &specs, &err), 0);
	assert_int_equal(specs.nr, 2);
	specs.nr = 0;
	assert_int_equal(ddp_events_parse("sPF;sCS;sMig;sPFMAJ;sPFMIN;sALGN;sEMU;hCPU", &specs,
					  &err), 0);
	assert_int_equal(ddp_events_preset("default", &specs, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 8 events"));
	assert_int_equal(specs.nr, 8);
}

static void tracepoints_that_are_not_there(void **state)
{
	struct ddp_event_specs specs = { .nr = 0 };
	struct ddp_error err = { "" };

	(void)state;
	assert_int_equal(ddp_events_parse("no_such:event;T id=5;sPF", &specs, &err), 0);
	assert_int_equal(ddp_events_resolve(&specs, &err), 0);
	assert_int_equal(specs.spec[0].link.config, 0);
	assert_int_equal(specs.spec[1].link.config, 5);
	specs.nr = 0;
	assert_int_equal(ddp_events_parse("no_such:event missing=fail", &specs, &err), 0);
	assert_int_equal(ddp_events_resolve(&specs, &err), -EINVAL);
	assert_non_null(strstr(err.text, "event no_such:event: there is no"));
}

/* Each event that -e help lists is one that can be asked for */
static void help_names_events(void **state)
{
	char text[8192] = "", line[256];
	FILE *f = fmemopen(text, sizeof(text), "w");
	int nr = 0;

	(void)state;
	assert_non_null(f);
	ddp_events_help(f);
	fclose(f);
	f = fmemopen(text, strlen(text), "r");
	while (fgets(line, sizeof(line), f) && strncmp(line, "Keys", 4)) {
		struct ddp_event_specs specs = { .nr = 0 };
		struct ddp_error err = { "" };
		char name[32], event[64];

		if (sscanf(line, "  %31s", name) != 1 || line[0] != ' ')
			continue;
		snprintf(event, sizeof(event), "%s%s", name, !strcmp(name, "T") ? " id=1" :
			 !strcmp(name, "hRAW") || !strcmp(name, "hCACHE") ? " config=1" : "");
		if (ddp_events_parse(event, &specs, &err))
			fail_msg("%s: %s", event, err.text);
		nr++;
	}
	fclose(f);
	assert_true(nr >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meanings),
		cmocka_unit_test(refused),
		cmocka_unit_test(several),
		cmocka_unit_test(presets),
		cmocka_unit_test(preset_beside_events),
		cmocka_unit_test(tracepoints_that_are_not_there),
		cmocka_unit_test(help_names_events),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
