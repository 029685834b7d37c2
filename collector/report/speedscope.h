/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles as the JSON that https://www.speedscope.app and the tools beside it open: each value
 * type is one "sampled" profile over shared frames. Called by format.
 *
 * Source: https://www.speedscope.app/file-format-schema.json, and its
 * description in github.com/jlfwong/speedscope, src/lib/file-format-spec.ts.
 */
#ifndef DDP_REPORT_SPEEDSCOPE_H
#define DDP_REPORT_SPEEDSCOPE_H

#include <ddprof/pprof.h>

/**
 * The samples stand in the profile's order, or in that of time when all have a timestamp (label
 * "end_timestamp_ns"); those whose value is 0 are left out. Units that speedscope does not know
 * are "none" there. Frames have the first of the lines that samples were in.
 *
 * @param name   shown as the title
 * @param value  index of the value type to show first
 * @param label  its value is the outermost frame; NULL: none
 * @param err    may be NULL; says why when the answer is not what @write answered
 * @return 0; -ENOMEM; -EFBIG: a limit of frames.h or out.h; what @write answered
 *	-ERANGE	 a value is negative (a difference), which the format cannot say
 */
int ddp_speedscope_write(const struct ddp_pprof *p, const char *name, size_t value,
			 const char *label, ddp_write_fn write, void *ctx, struct ddp_error *err);

#endif /* DDP_REPORT_SPEEDSCOPE_H */
