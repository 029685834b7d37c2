/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug information of the mapped files that one profile asks for: opened when first asked, all
 * closed after it, as it takes much more memory than anything else. Used by build.
 */
#ifndef DDP_SYMBOLS_INLINED_FILES_H
#define DDP_SYMBOLS_INLINED_FILES_H

#include "symbols/inlined.h"
#include "symbols/object.h"

/* What files that were asked for first leave to others */
enum { DDP_MAX_ALL_DEBUG_BYTES = 512 << 20 };

struct ddp_inlined_files {		/* all zero: empty */
	struct ddp_table by_id;		/* file id -> struct ddp_inlined *, owned */
	uint64_t bytes;
};

/** As ddp_inlined_at(); 0 as well for a file without debug information. */
size_t ddp_inlined_files_at(struct ddp_inlined_files *f, const struct ddp_objects *objects,
			    const struct ddp_object *o, const char *build_id, uint64_t file_offset,
			    struct ddp_inlined_function ret[DDP_MAX_INLINED]);

void ddp_inlined_files_close(struct ddp_inlined_files *f);

#endif /* DDP_SYMBOLS_INLINED_FILES_H */
