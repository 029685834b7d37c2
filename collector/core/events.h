/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sampled: events by the names that users know, their rates, and how each is called in a
 * profile. One table of names (events.c) makes the parser, -e help and the value types. Called by
 * the commands for -e and --preset, by pipeline for START, by build for a profile's value types.
 *
 *	struct ddp_event_specs events = { .nr = 0 };
 *	r = ddp_events_parse("sCPU;sPF period=100;event=sched:sched_switch", &events, &err);
 *	r = r ?: ddp_events_resolve(&events, &err);
 *
 * An event text is `NAME key=value,key=value;NAME ...`: events separated by ';', what belongs to
 * one by ',' or spaces. NAME is in the table, or group:event of a tracepoint. The keys, each with
 * the short forms that ddprof has always had:
 *
 *	event	   the same as NAME; with T as NAME, or group, a tracepoint's
 *	group, id  a tracepoint's group, or its number
 *	frequency  samples a second and CPU, 1 .. 10000; the period is adapted to it
 *	period	   events between samples, of sCPU nanoseconds; of sCPU up to 10000 it is a
 *		   frequency, as it was always taken for
 *	config	   perf's config of hRAW and hCACHE
 *	min	   of offcpu: shorter blocks are not told; a number with ns, us, ms or s
 *	missing	   what is done where the machine does not have it: skip (default), replace, fail
 *	scale	   what values are multiplied by in the profile, above 0
 *	label	   its name in the profile
 *	mode	   s, the sum, is all there is
 *	stack_sample_size	taken and not used: stacks are walked, not copied
 */
#ifndef DDP_CORE_EVENTS_H
#define DDP_CORE_EVENTS_H

#include <stdbool.h>
#include <stdio.h>

#include <ddprof/profile.h>

#include "link/link.h"

enum { DDP_EVENT_NAME = 128 };

/** One event as it was asked for. No pointers: may be copied. */
struct ddp_event_spec {
	char name[DDP_EVENT_NAME];	/* for people: "sPF", "sched:sched_switch" */
	/* a tracepoint's number is 0 in it until ddp_events_resolve() */
	struct ddp_link_event link;
	/* in the profile: types and units of samples counted and of what they stand for */
	char count_type[DDP_EVENT_NAME + 8], value_type[DDP_EVENT_NAME];
	char value_unit[16];
	double scale;			/* of values; 1: as they are */
	bool rate_given;		/* by the user; else it is the event's own */
	char group[64], event[64];	/* of a tracepoint known by name; else "" */
};

struct ddp_event_specs {
	struct ddp_event_spec spec[DDPROF_MAX_EVENTS];
	uint32_t nr;
};

/**
 * Adds the events of @text to @specs.
 * @return 0; -EINVAL with @specs unchanged: @err names the position, the word and what is accepted
 */
int ddp_events_parse(const char *text, struct ddp_event_specs *specs, struct ddp_error *err);

/**
 * Adds the events of a preset (default, cpu_only) that @specs does not have yet.
 * @return 0; -EINVAL with @specs unchanged: there is no such preset, or, said in @err, it cannot be
 *	done here
 */
int ddp_events_preset(const char *name, struct ddp_event_specs *specs, struct ddp_error *err);

/**
 * Looks tracepoints' numbers up in tracefs. One that is not there stays without a number, which
 * START answers like any other event that the machine does not have.
 * @return 0; -EINVAL: one that must not be missing is; @err says where it was looked for
 */
int ddp_events_resolve(struct ddp_event_specs *specs, struct ddp_error *err);

/** Whether it is CPU time that it samples: the values are nanoseconds of it. */
bool ddp_event_is_cpu_time(const struct ddp_event_spec *spec);

enum { DDP_EVENT_NO_COLUMN = UINT32_MAX };

/** The columns of a profile: two an event that is sampled, its samples and what they stand for. */
struct ddp_event_columns {
	/* texts borrowed from the specs; the first event's come last, where tools look first */
	struct ddp_value_type types[2 * DDPROF_MAX_EVENTS];
	uint32_t nr;
	/* by event: the first of its two, or DDP_EVENT_NO_COLUMN when it is left out */
	uint32_t at[DDPROF_MAX_EVENTS];
	/* of the first event that is sampled; 0: it varies */
	struct ddp_value_type period_type;
	uint64_t period;
};

/** @started is START's answer for @specs. An event that the CPU clock replaced is CPU time. */
void ddp_event_columns(const struct ddp_event_specs *specs, const struct ddp_link_started *started,
		       struct ddp_event_columns *ret);

/** The table as text: for `-e help`. */
void ddp_events_help(FILE *to);

#endif /* DDP_CORE_EVENTS_H */
