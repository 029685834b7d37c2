/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each function of one profile, or of two to compare, took: itself, and with all it called. A
 * function counts once for a sample's cumulative value however often it is on the stack. Called by
 * ddprofctl's report and diff.
 */
#ifndef DDP_REPORT_FUNCTIONS_H
#define DDP_REPORT_FUNCTIONS_H

#include <ddprof/pprof.h>

#include "lib/hash.h"
#include "base/table.h"

enum { DDP_SIDES = 2 };

struct ddp_function_sums {
	const char *name;	/* the profile's, or made's */
	char *made;		/* owned; NULL: not made */
	/* by side; they stay at INT64's limits */
	int64_t flat[DDP_SIDES], cumulative[DDP_SIDES];
	size_t seen_in;		/* the last sample that had it */
};

/* All zero is empty */
struct ddp_functions {
	struct ddp_function_sums *entries;	/* owned */
	size_t nr, cap;
	struct ddp_table by_name;	/* hash of the name -> index + 1 */
	struct lazy_hash_key hash_key;	/* names come from files */
	size_t samples;		/* added so far */
	int64_t sum[DDP_SIDES];	/* of all samples */
	/*
	 * What 100 percent is: the sum without signs, or that of the base where the profile is a
	 * difference and says so (DDP_PPROF_BASE_LABEL), as pprof's tools have it
	 */
	int64_t total[DDP_SIDES];
};

/**
 * Adds all samples' value @value to side @side; functions of samples with the value 0 only are
 * left out. @p has to live as long as @f.
 * @return 0; -ENOMEM
 */
int ddp_functions_add(struct ddp_functions *f, const struct ddp_pprof *p, size_t value,
		      unsigned int side);

enum ddp_functions_order {
	DDP_BY_FLAT,		/* of the first side, without signs; the largest first */
	DDP_BY_CUMULATIVE,
	DDP_BY_FLAT_CHANGE,	/* from the first side to the second, without signs */
	DDP_BY_CUMULATIVE_CHANGE,
};

/** The last call before reading entries: nothing can be added after it. */
void ddp_functions_sort(struct ddp_functions *f, enum ddp_functions_order order);

void ddp_functions_free(struct ddp_functions *f);
DEFINE_CLEANUP_IN_PLACE(struct ddp_functions, ddp_functions_free)

#endif /* DDP_REPORT_FUNCTIONS_H */
