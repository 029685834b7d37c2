/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text on its way to a write callback, in pieces of some KiB: plain, or as JSON. The first error
 * stays and ends the output, so that writers need to look only once, at the end. Used by all that
 * collector/report writes.
 *
 *	struct ddp_out t;
 *
 *	ddp_out_start(&t, write, ctx);
 *	ddp_out_add(&t, "{\"name\":");
 *	ddp_out_json(&t, name);
 *	...
 *	return ddp_out_finish(&t);
 */
#ifndef DDP_REPORT_OUT_H
#define DDP_REPORT_OUT_H

#include <ddprof/io.h>

/* No report is longer; a small file of hostile stacks could fill a disk */
#define DDP_OUT_MAX_BYTES ((uint64_t)2 << 30)

struct ddp_out {
	ddp_write_fn write;
	void *ctx;
	int error;		/* 0, or the negative errno that ended the output */
	uint64_t total;		/* bytes so far */
	size_t used;
	char bytes[16384];	/* @used of them wait to be written */
};

void ddp_out_start(struct ddp_out *t, ddp_write_fn write, void *ctx);

void ddp_out_bytes(struct ddp_out *t, const void *bytes, size_t n);
void ddp_out_add(struct ddp_out *t, const char *s);
/** Text; bytes that are no UTF-8 become U+FFFD. */
void ddp_out_text(struct ddp_out *t, const char *s, size_t n);
void ddp_out_number(struct ddp_out *t, int64_t n);

/**
 * Text as a JSON string with its quotes; '<', '>' and '&' are written as \u00xx, so that it can
 * stand in an HTML page and end nothing there.
 */
void ddp_out_json(struct ddp_out *t, const char *s);

/** Writes what waits. @return 0; -EFBIG: more than DDP_OUT_MAX_BYTES; what @write answered */
int ddp_out_finish(struct ddp_out *t);

#endif /* DDP_REPORT_OUT_H */
