/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where user walks ended that did not reach their root: in which files, by samples. Asked when a
 * profile is built; pure but for what process remembers.
 */
#ifndef DDP_UNWIND_COVERAGE_H
#define DDP_UNWIND_COVERAGE_H

#include "core/process.h"
#include "core/samples.h"

enum { DDP_COVERAGE_FILES = 5 };

struct ddp_coverage {
	struct ddp_coverage_file {
		const char *name;	/* a path or "[vdso]", "//anon"; lives as long as process */
		uint64_t count;		/* samples */
	} files[DDP_COVERAGE_FILES];	/* most samples first */
	size_t nr;
};

/** @param part  NULL: all samples. @return 0, -ENOMEM */
int ddp_coverage_find(const struct ddp_samples *s, const struct ddp_samples_part *part,
		      const struct ddp_process *p, struct ddp_coverage *ret);

/** Percent of the walks with an end that reached the root; 0 without any. */
double ddp_coverage_percent(const uint64_t ends[__DDPROF_END_MAX]);

#endif /* DDP_UNWIND_COVERAGE_H */
