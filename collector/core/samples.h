/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was sampled and is not in a profile yet. A "trace" is a stack with everything that
 * identifies it (address space, thread, names, event); equal traces of all CPUs are one, with a
 * pending count and value. A hit costs two additions, or 24 bytes when it carries its time. Frames
 * have no names here: those are found when the profile is built. Filled by pipeline from decode,
 * emptied by the profile at each period.
 */
#ifndef DDP_CORE_SAMPLES_H
#define DDP_CORE_SAMPLES_H

#include <stdbool.h>

#include "link/decode.h"
#include "base/table.h"
#include "lib/cleanup.h"
#include "lib/hash.h"

struct ddp_trace {
	uint64_t aspace;		/* 0: none */
	uint32_t tgid, tid, event;
	uint8_t kernel_end, user_end;	/* enum ddprof_walk_end */
	uint8_t state;			/* enum ddprof_task_state; NONE: it was running */
	bool user_exact;		/* the first user frame is no return address */
	bool guessed;			/* frame pointers where a table was missing */
	uint16_t nr_kernel, nr_user;
	struct ddp_names names;
	uint64_t hash;
	uint32_t refs;			/* stack ids that mean it */
	uint64_t count, value;		/* pending; without the timed ones */
	struct ddp_service *service;	/* split's, until the samples are cleared; else NULL */
	struct ddp_trace *next_same;	/* with the same hash */
	uint64_t frames[];		/* leaf first, kernel frames before user frames */
};

/** One hit that is kept apart. */
struct ddp_timed {
	struct ddp_trace *trace;
	uint64_t time_ns;		/* since the session's start */
	uint64_t count, value;
};

struct ddp_sample_sums {
	uint64_t pending;		/* samples by count, timed ones included */
	/* of these: [0] kernel, [1] user halves by how their walk ended */
	uint64_t ends[2][__DDPROF_END_MAX];
	uint64_t guessed;		/* of these: user halves that may be wrong */
};

/** Some of what is pending, for one profile; good until more is added. */
struct ddp_samples_part {
	struct ddp_trace **traces;	/* borrowed; those with folded hits */
	size_t nr_traces;
	uint32_t *timed;		/* borrowed; positions of timed hits */
	size_t nr_timed;
	struct ddp_sample_sums sums;
};

struct ddp_samples {			/* all zero: empty */
	struct ddp_table by_hash;	/* hash -> struct ddp_trace *, owned, a list */
	struct ddp_timed *timed;	/* owned */
	size_t nr_timed, cap_timed;
	struct lazy_hash_key hash_key;
	size_t nr_traces;
	size_t bytes;			/* of traces and timed hits */
	struct ddp_sample_sums sums;
};

/** The trace of a new stack, with one reference more. @return 0, -ENOMEM */
int ddp_samples_trace(struct ddp_samples *s, const struct ddp_stack *stack,
		      const struct ddp_names *names, struct ddp_trace **ret);

/** Drops a reference; the trace stays while it has pending hits. */
void ddp_samples_put(struct ddp_samples *s, struct ddp_trace *t);

/**
 * Adds a hit to a trace that somebody holds a reference to. Counts stay at UINT64_MAX rather than
 * wrap.
 * @param value  in the event's unit
 * @return 0, -ENOMEM (only with a time)
 */
int ddp_samples_hit(struct ddp_samples *s, struct ddp_trace *t, uint64_t count, uint64_t value,
		    const uint64_t *time_ns);

/* Parts: NULL is all that is pending */

static inline const struct ddp_sample_sums *ddp_samples_sums(const struct ddp_samples *s,
							     const struct ddp_samples_part *part)
{
	return part ? &part->sums : &s->sums;
}

/** Adds what @count samples of @t are; counts as ddp_samples_hit() does. */
void ddp_sample_sums_add(struct ddp_sample_sums *sums, const struct ddp_trace *t, uint64_t count);

/** Calls @fn for every trace with folded hits. @return 0 or the first answer that is not */
int ddp_samples_each(const struct ddp_samples *s, const struct ddp_samples_part *part,
		     int (*fn)(void *ctx, struct ddp_trace *t), void *ctx);

/** Calls @fn for every timed hit. @return 0 or the first answer that is not */
int ddp_samples_each_timed(const struct ddp_samples *s, const struct ddp_samples_part *part,
			   int (*fn)(void *ctx, const struct ddp_timed *h), void *ctx);

/** They are in a profile now: no hit is pending, traces that no stack id means are freed. */
void ddp_samples_clear(struct ddp_samples *s);

/** The same for a part, which is not looked at again; ddp_samples_tidy() has to follow. */
void ddp_samples_drop(struct ddp_samples *s, const struct ddp_samples_part *part);
void ddp_samples_tidy(struct ddp_samples *s);

void ddp_samples_free(struct ddp_samples *s);

#endif /* DDP_CORE_SAMPLES_H */
