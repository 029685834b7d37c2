/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of RECORDS messages to typed records: a pure function over bytes and what the
 * streams said before, with no socket in it. It knows the rules of uapi/ddprof.h that span records:
 * stack ids and when they end, the names of threads, address space lists in one piece, gaps and
 * resyncs.
 *
 *	ddp_decoder_create(&ops, ctx, nr_events, &d);
 *	r = ddp_decode(d, &batch, &err);
 *	if (r != DDP_DECODED)
 *		... ask the kernel for a RESYNC ...
 *
 * Input is not trusted: whatever the bytes are, memory stays bounded, nothing outside of them is
 * read, and an error says at which byte. Typed records are those of kmod/core/record.h, read
 * instead of written. Called by pipeline and by tests.
 */
#ifndef DDP_LINK_DECODE_H
#define DDP_LINK_DECODE_H

#include <ddprof/io.h>

#include "kmod/core/record.h"
#include "lib/cleanup.h"
#include "uapi/ddprof.h"

enum {
	/* CPUs of the largest kernel configuration, the drain thread */
	DDP_MAX_STREAMS = 8192 + 1,
	DDP_MAX_STREAM_IDS = 1 << 18,	/* live stack ids: four times the module's largest cache */
	/* of one address space; the kernel's default limit is 65530 */
	DDP_MAX_MAPS = 1 << 17,
};

/** One RECORDS message. Counters are totals of its CPU since START. */
struct ddp_batch {
	uint32_t cpu;		/* or DDPROF_CPU_NONE */
	uint64_t seq;
	uint64_t lost_ring, lost_nested, lost_tasks, skipped;
	bool resync, end;
	const void *data;	/* borrowed; may be NULL when data_bytes is 0 */
	size_t data_bytes;
};

/** Names at the time a stack was sampled; "" where the stream has not told them. */
struct ddp_names {
	char process[DDP_COMM_MAX];	/* of the process's first thread */
	char thread[DDP_COMM_MAX];
};

/**
 * Whom to tell. Everything pointed to is borrowed for the call; record strings (name, path) are not
 * terminated. A negative answer ends ddp_decode() and is what it returns.
 */
struct ddp_decode_ops {
	/** A stack that hits will refer to; they get *ret_token. */
	int (*stack)(void *ctx, const struct ddp_stack *s, const struct ddp_names *names,
		     uint64_t *ret_token);
	/** No hit will name this token again. Once for each stack. */
	void (*stack_end)(void *ctx, uint64_t token);
	int (*hit)(void *ctx, uint64_t token, const struct ddp_hit *h);
	int (*task)(void *ctx, const struct ddp_task *t);
	/** A new list begins; a->nr_maps calls of map follow unless messages are lost meanwhile. */
	int (*aspace)(void *ctx, const struct ddp_aspace *a);
	int (*map)(void *ctx, const struct ddp_map *m, uint32_t left);
	int (*file)(void *ctx, const struct ddp_file *f);
};

struct ddp_decode_counts {
	uint64_t batches, bytes, records;
	uint64_t gaps;			/* in the sequence of messages */
	uint64_t lost_batches;		/* messages missing in these gaps */
	uint64_t unknown_samples;	/* hits on ids that were forgotten, by count */
	uint64_t malformed;		/* messages that were not understood to their end */
	/* the newest totals of the streams, added up */
	uint64_t lost_ring, lost_nested, lost_tasks, skipped;
};

struct ddp_decoder;

/** @param ops, ctx  kept. @return 0, -ENOMEM */
int ddp_decoder_create(const struct ddp_decode_ops *ops, void *ctx, uint32_t nr_events,
		       struct ddp_decoder **ret);

/** Calls stack_end for every stack. NULL is allowed. */
void ddp_decoder_destroy(struct ddp_decoder *d);
DEFINE_CLEANUP(struct ddp_decoder *, ddp_decoder_destroy)

enum {
	DDP_DECODED = 0,
	DDP_DECODED_GAP = 1,	/* decoded, but messages before it are missing: send RESYNC */
};

/**
 * @return DDP_DECODED*, or
 *	-EBADMSG  not understood from some byte on, see @err; what came before was told, the
 *		  rest is dropped and the stream's stack ids are forgotten: send RESYNC
 *	-ENOMEM, or what an op answered; the rest of the batch is dropped likewise
 */
int ddp_decode(struct ddp_decoder *d, const struct ddp_batch *b, struct ddp_error *err);

void ddp_decoder_count(const struct ddp_decoder *d, struct ddp_decode_counts *ret);

#endif /* DDP_LINK_DECODE_H */
