/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads beside the sampling: a thread sends finished profiles one after the other, so that a slow
 * receiver never holds up records. A receiver that is down costs nothing but the oldest of more
 * than DDP_UPLOAD_QUEUE profiles: the others stay in memory and are tried again. Says so once when
 * it begins and once when it is over, and how many were dropped whenever their number has doubled.
 * Used by output.
 */
#ifndef DDP_CORE_UPLOAD_H
#define DDP_CORE_UPLOAD_H

#include <ddprof/exporter.h>

#include "lib/cleanup.h"

enum {
	DDP_UPLOAD_QUEUE = 5,		/* profiles kept for a receiver that is down */
	DDP_UPLOAD_RETRY_FIRST_S = 5,	/* until the next attempt; doubles ... */
	DDP_UPLOAD_RETRY_LAST_S = 60,	/* ... up to this */
};

/** A profile ready to be sent; the buffers are owned. */
struct ddp_upload {
	struct ddp_buffer profile;	/* encoded and compressed */
	struct ddp_buffer tags;
	int64_t start_unix_ns, end_unix_ns;
};

struct ddp_uploader;

/**
 * Starts the thread. Signals are blocked there as in the caller. @return 0, or as
 * ddp_exporter_create()
 */
int ddp_uploader_create(const struct ddp_exporter_config *config, struct ddp_uploader **ret,
			struct ddp_error *err);

/** Takes the contents of @u, which is empty afterwards. */
void ddp_uploader_add(struct ddp_uploader *up, struct ddp_upload *u);

/**
 * Tries everything that waits once more, then ends the thread. Takes @timeout_ms at most, and about
 * a second. NULL is allowed.
 * @return how many profiles did not arrive
 */
unsigned int ddp_uploader_finish(struct ddp_uploader *up, unsigned int timeout_ms);

#endif /* DDP_CORE_UPLOAD_H */
