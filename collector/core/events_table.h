/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of events by name, for events.c, which finds and lists them, and events_parse.c, which
 * makes specs of them. No other file needs it.
 */
#ifndef DDP_CORE_EVENTS_TABLE_H
#define DDP_CORE_EVENTS_TABLE_H

#include <stddef.h>

#include "core/events.h"

/** One event that has a name of its own. */
struct ddp_event_row {
	const char *name, *help;
	/* why it cannot be done here; NULL: it can, and all below is filled in */
	const char *refused;
	struct ddp_link_event link;
	/* sampled by time: what users call a small period of it was always a frequency */
	bool by_time;
	bool takes_config;		/* perf's config is the user's to say */
	const char *count_type, *value_type, *value_unit;
};

/** Ends with a row without a name. */
extern const struct ddp_event_row ddp_event_rows[];

/** NULL: there is none of that name. */
const struct ddp_event_row *ddp_event_row(const char *name);

/** Whether both would be the same columns of a profile. */
bool ddp_event_same(const struct ddp_event_spec *a, const struct ddp_event_spec *b);

#endif /* DDP_CORE_EVENTS_TABLE_H */
