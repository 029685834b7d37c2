/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One interval's samples by service: every trace is asked once whose it is, then all are sorted
 * into parts, a profile each. Over the limit of services those with the fewest samples are one
 * part, "other". Nothing is lost: the parts' sums are those of all samples. Used by pipeline.
 */
#ifndef DDP_CORE_SPLIT_H
#define DDP_CORE_SPLIT_H

#include "core/samples.h"
#include "service/services.h"

struct ddp_part {
	struct ddp_samples_part samples;
	struct ddp_service *service;	/* borrowed; NULL: all, services are not asked for */
	/* where all of its samples were taken: strings of services; NULL: none, or several */
	const char *container_id, *pod_uid;
};

struct ddp_split {			/* all zero: empty */
	struct ddp_part *parts;		/* owned; those left out by rules are a part, too */
	size_t nr;
	struct ddp_trace **traces;	/* owned */
	uint32_t *timed;		/* owned */
};

/**
 * Samples and services stay as they are until ddp_split_free(), but for what is dropped of samples.
 * @param services  as its config has it: one part of all samples, or one a service (none without
 *		    samples)
 * @return 0; -ENOMEM
 */
int ddp_split_make(const struct ddp_samples *samples, struct ddp_services *services,
		   struct ddp_split *ret);

/**
 * When the first of its samples may be from: where some waited for this profile, of whichever of
 * the services that are merged in it, before @interval_start_unix_ns.
 */
int64_t ddp_part_start(const struct ddp_part *part, int64_t interval_start_unix_ns);

/** Its samples wait, since then, for the next profile; 0: they do not. For each of its services. */
void ddp_part_set_start(const struct ddp_part *part, int64_t start_unix_ns);

void ddp_split_free(struct ddp_split *s);
DEFINE_CLEANUP_IN_PLACE(struct ddp_split, ddp_split_free)

#endif /* DDP_CORE_SPLIT_H */
