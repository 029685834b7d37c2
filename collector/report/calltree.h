/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of one or several profiles as one tree: a node is a frame called by its parent, and
 * has in each column the sum of what was sampled right there. Used by collapsed and flamegraph.
 */
#ifndef DDP_REPORT_CALLTREE_H
#define DDP_REPORT_CALLTREE_H

#include "report/frames.h"

/* What a file of some MB could cost its reader at most: about 1 GiB, and half a minute */
enum { DDP_MAX_CALLS = 1 << 24, DDP_MAX_STEPS = 1 << 29 };

struct ddp_call {
	uint32_t frame;		/* index into frames.frames; of the root: none */
	uint32_t parent;	/* smaller than the node's own index; the root is 0 and its own */
	uint32_t depth;		/* 0: the root */
};

/* All zero but for its settings is an empty tree */
struct ddp_calltree {
	struct ddp_frames frames;	/* frames.by_name is a setting */
	const char *label;	/* setting: its values are the outermost frames; NULL: none */
	size_t nr_columns;	/* setting */
	struct ddp_call *calls;	/* owned */
	size_t nr, cap;
	int64_t *self;		/* owned; calls * nr_columns sums, which stay at INT64's limits */
	size_t self_cap;
	struct ddp_table by_parent;	/* parent and frame -> index */
	uint32_t steps;		/* frames walked so far, of DDP_MAX_STEPS */
};

/* Where one of a profile's values goes */
struct ddp_column {
	size_t value;		/* index of the value type */
	size_t to;		/* column */
	/* column for what is negative, as a positive number; the same as @to: stays as it is */
	size_t negative_to;
};

/**
 * Adds all samples of @p, which has to live as long as the tree.
 * @return 0; -ENOMEM; -EFBIG: larger than the limits above. After an error the tree can only be
 *	freed
 */
int ddp_calltree_add(struct ddp_calltree *t, const struct ddp_pprof *p,
		     const struct ddp_column *columns, size_t nr_columns);

/**
 * The order in which to write nodes: each before its children, siblings by what they and those
 * they call weigh (heaviest first), then by name.
 *
 * @param weigh    a node's own weight, >= 0; NULL: siblings by name only
 * @param ret      tree.nr indexes, the root first; to be freed
 * @return 0; -ENOMEM
 */
int ddp_calltree_order(const struct ddp_calltree *t,
		       double (*weigh)(void *ctx, const int64_t *self), void *ctx,
		       uint32_t **ret);

void ddp_calltree_free(struct ddp_calltree *t);
DEFINE_CLEANUP_IN_PLACE(struct ddp_calltree, ddp_calltree_free)

#endif /* DDP_REPORT_CALLTREE_H */
