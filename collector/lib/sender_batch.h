/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One batch as one block of bytes: what the targets' queues share and what a spool's file holds. A
 * copy of a form with its id, times, tags and profiles, in front of which a head says how long it
 * is and what its checksum is. Bytes from a disk are believed only when the checksum is right, and
 * even then never read past their end. Used by sender and spool.
 */
#ifndef DDPROF_LIB_SENDER_BATCH_H
#define DDPROF_LIB_SENDER_BATCH_H

#include <stdatomic.h>

#include "alloc.h"
#include "ddprof/exporter.h"

enum {
	BATCH_BYTES_MAX = 256 << 20,
	BATCH_ID_BYTES = 37,	/* a UUID and its NUL */
};

struct ddp__batch {
	atomic_uint refs;
	size_t n;
	unsigned char bytes[];	/* @n of them */
};

/*
 * Copies @form, under @id where it has none, into a batch with one reference. 0, -EINVAL, -EFBIG,
 * -ENOMEM
 */
DDP_INTERNAL int ddp__batch_create(const struct ddp_export_form *form, const char *id,
				   struct ddp__batch **ret);
/* Writes the head, over bytes that are complete. */
DDP_INTERNAL void ddp__batch_seal(struct ddp__batch *b);
/* Room for a file's @n bytes, to be filled in by the caller and then checked. NULL: no memory */
DDP_INTERNAL struct ddp__batch *ddp__batch_alloc(size_t n);
DDP_INTERNAL struct ddp__batch *ddp__batch_ref(struct ddp__batch *b);
DDP_INTERNAL void ddp__batch_unref(struct ddp__batch *b);

/* A form whose texts and bytes are a batch's; the arrays are its own. All zero: empty. */
struct ddp__batch_form {
	struct ddp_export_form form;
	struct ddp_buffer tags;
	struct ddp_export_pair *info;
	struct ddp_endpoint_count *counts;
	struct ddp_export_file *files;
};

/*
 * 0; -EBADMSG: not what ddp__batch_create() made; -ENOMEM. @ret is to be freed in any case, and
 * before the batch.
 */
DDP_INTERNAL int ddp__batch_open(const struct ddp__batch *b, struct ddp__batch_form *ret);
DDP_INTERNAL void ddp__batch_form_free(struct ddp__batch_form *f);

/* The batch's id; "" when it has none that can be read. @b's. */
DDP_INTERNAL const char *ddp__batch_id(const struct ddp__batch *b);

#endif /* DDPROF_LIB_SENDER_BATCH_H */
