// SPDX-License-Identifier: Apache-2.0
/* See inlined_files.h. */
#include "symbols/inlined_files.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static struct ddp_inlined *open_file(struct ddp_inlined_files *f, const struct ddp_objects *objects,
				     const struct ddp_object *o, const char *build_id)
{
	CLEANUP(ddp_inlined_close) struct ddp_inlined *d = NULL;
	CLEANUP(close_fd) int fd = ddp_objects_open(objects, o);
	int r = fd < 0 ? fd : ddp_inlined_open(fd, build_id, &d);

	if (!r && ddp_inlined_bytes(d) > DDP_MAX_ALL_DEBUG_BYTES - f->bytes)
		r = -EFBIG;
	if (r) {
		ddp_log_debug("%s: no inlined functions: %s", o->path,
			      r == -ENOENT ? "no debug information" : strerror(-r));
		return NULL;
	}
	f->bytes += ddp_inlined_bytes(d);
	return TAKE(d);
}

size_t ddp_inlined_files_at(struct ddp_inlined_files *f, const struct ddp_objects *objects,
			    const struct ddp_object *o, const char *build_id, uint64_t file_offset,
			    struct ddp_inlined_function ret[DDP_MAX_INLINED])
{
	const uint64_t *known = ddp_table_find(&f->by_id, o->file_id);
	struct ddp_inlined *d;

	if (known) {
		d = ddp_table_pointer(*known);
	} else {
		d = open_file(f, objects, o, build_id);
		/* NULL stays, too: nobody tries again */
		if (ddp_table_set(&f->by_id, o->file_id, ddp_table_value(d))) {
			ddp_inlined_close(d);
			return 0;
		}
	}
	return d ? ddp_inlined_at(d, file_offset, ret) : 0;
}

void ddp_inlined_files_close(struct ddp_inlined_files *f)
{
	ddp_table_for_each(&f->by_id, slot)
		ddp_inlined_close(ddp_table_pointer(slot->value));
	ddp_table_free(&f->by_id);
	f->bytes = 0;
}
