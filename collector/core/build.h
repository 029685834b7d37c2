/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was sampled to a profile with names: every distinct frame is looked up once, every
 * trace becomes a sample with its labels. No frame is dropped: what has no name is shown by its
 * file and offset, what has no file as "[unknown mapping]", and a walk that did not reach its root
 * ends in a frame that says so. Called by pipeline at the end of each interval.
 */
#ifndef DDP_CORE_BUILD_H
#define DDP_CORE_BUILD_H

#include <ddprof/profile.h>

#include "link/link.h"
#include "core/events.h"
#include "core/process.h"
#include "core/samples.h"
#include "service/services.h"
#include "symbols/symbols.h"

DEFINE_CLEANUP(struct ddp_profile *, ddp_profile_destroy)

struct ddp_build {
	const struct ddp_samples *samples;
	struct ddp_process *process;
	struct ddp_symbols *symbols;
	const struct ddp_event_specs *events;
	const struct ddp_link_started *started;	/* START's answer to them */
	int64_t start_unix_ns;
	uint64_t profile_nr;			/* counts up from 1 */
	/* frames keep address, mapping and build-id only, for who finds names elsewhere */
	bool without_names;
	bool inlined;	/* functions that were put into others, where there is debug information */
	const struct ddp_samples_part *part;	/* NULL: all samples */
	struct ddp_services *services;		/* for the containers' labels; NULL: none */
};

/** @return 0, or what the profile builder answers (profile.h) */
int ddp_build_profile(const struct ddp_build *b, struct ddp_profile **ret);

#endif /* DDP_CORE_BUILD_H */
