/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs that a reload has put others in the place of. What their receivers do not go on with is
 * tried once more, as at the end, while records are read: each does so in a thread of its own. Used
 * by attached.
 */
#ifndef DDPROF_RETIRED_H
#define DDPROF_RETIRED_H

#include "core/output.h"
#include "lib/cleanup.h"

/* at a time; each is gone after about ten seconds, and is made by a file that was changed */
enum { DDPROF_MAX_RETIRED = 4 };

struct ddprof_retired {		/* all zero: none */
	struct ddprof_retiring *oldest;	/* owned */
	size_t nr;
};

/**
 * Takes @o, which is finished (ddp_output_finish()) while the caller goes on. With as many as there
 * may be the oldest is waited for; where there is no thread for it, @o.
 */
void ddprof_retire(struct ddprof_retired *r, struct ddp_output *o);

/** Waits for all of them. */
void ddprof_retired_wait(struct ddprof_retired *r);
DEFINE_CLEANUP_IN_PLACE(struct ddprof_retired, ddprof_retired_wait)

#endif /* DDPROF_RETIRED_H */
