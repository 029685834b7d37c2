/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile says about itself in its comments: what was lost, skipped and not understood, how
 * walks ended and where, what sampling cost. One line of key=value each where a program may want to
 * read it. Made by pipeline at the end of each interval.
 */
#ifndef DDP_CORE_COMMENTS_H
#define DDP_CORE_COMMENTS_H

#include <ddprof/profile.h>

#include "link/decode.h"
#include "link/link.h"
#include "core/events.h"
#include "core/process.h"
#include "core/samples.h"
#include "service/services.h"
#include "unwind/tables.h"

/** Totals at one moment. */
struct ddp_marks {
	struct ddp_decode_counts decode;
	struct ddp_link_stats stats;
	struct ddp_process_counts process;
	struct ddp_tables_counts tables;
	struct ddp_link_info info;	/* of the module's tables */
};

struct ddp_comments {
	const struct ddp_link_info *module;	/* as it was at START */
	const struct ddp_samples *samples;
	const struct ddp_samples_part *part;	/* the profile's; NULL: all of them */
	const struct ddp_service *service;	/* NULL: not asked for */
	const struct ddp_process *process;
	const struct ddp_event_specs *events;
	const struct ddp_link_started *started;	/* START's answer to them */
	/* at the interval's beginning and end; figures of a session that is over are 0 */
	const struct ddp_marks *then, *now;
};

/** @return 0, or what ddp_profile_comment() answers */
int ddp_comments_add(const struct ddp_comments *c, struct ddp_profile *profile);

#endif /* DDP_CORE_COMMENTS_H */
