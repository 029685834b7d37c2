/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small loaded profiles out of tables, for the tests of collector/report.
 */
#ifndef TESTS_REPORT_PROFILE_H
#define TESTS_REPORT_PROFILE_H

#include <ddprof/pprof.h>

enum { REPORT_MAX_FRAMES = 6, REPORT_MAX_VALUES = 2 };

struct report_frame {
	const char *function, *file;	/* NULL: none */
	int64_t line;
	const char *mapping;	/* NULL: none */
	uint64_t address;
	bool inlined;		/* into the one before it, its caller */
};

/* A frame by its function and what follows in the struct; a stack, outermost first */
#define FN(...) { .function = __VA_ARGS__ }
#define STACK(...) .stack = { __VA_ARGS__ }

struct report_sample {
	/* outermost first; all zero: the end */
	struct report_frame stack[REPORT_MAX_FRAMES];
	int64_t values[REPORT_MAX_VALUES];
	const char *key, *str;	/* a label; key NULL: none, str NULL: the number */
	int64_t num;
	int64_t timestamp_ns;	/* 0: none */
};

/* The samples up to the first without any value. To be destroyed. */
struct ddp_pprof *report_profile(const struct ddp_value_type *types, size_t nr_types,
				 const struct report_sample *samples, size_t nr);

/* One value type, samples/count, from collapsed stacks */
struct ddp_pprof *report_collapsed(const char *text);

/* A ddp_write_fn that takes *@left pieces, an int, and then answers -ENOSPC */
int report_refuse(void *left, const void *bytes, size_t n);

#endif /* TESTS_REPORT_PROFILE_H */
