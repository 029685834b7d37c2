/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile, or two to compare, as a flame graph in one HTML file that needs no network: search,
 * zoom, values and shares under the pointer, all value types. The page is flamegraph.html, .css and
 * .js of this folder, put into the program at build time; here its data is made. Called by
 * format, and by ddprofctl's diff.
 *
 * The data is JSON in a <script type="application/json">, in which nothing can end the element:
 *
 *	title	string
 *	types	[[type, unit], ...]
 *	value	index of the type to show first
 *	diff	whether there are two profiles
 *	info	lines about the profile, strings
 *	strings	[string, ...]; 0 is ""
 *	frames	[name, file, mapping, first line, last line, ...]: five numbers a frame, the first
 *		three of them strings
 *	frame	the frame of each node, before its children; the first node is the root and has -1
 *	depth	the depth of each node, 0 for the root
 *	self	a list a value type: what was sampled in each node itself; with two profiles a list
 *		a value type for the first, then one a value type for the second
 *
 * Page and data are one version: nothing else reads this.
 */
#ifndef DDP_REPORT_FLAMEGRAPH_H
#define DDP_REPORT_FLAMEGRAPH_H

#include <ddprof/pprof.h>

/**
 * One profile. If it has negative values it is a difference and is shown as one: what is negative
 * as what was there before.
 *
 * @param title  shown on top
 * @param value  index of the value type to show first
 * @param label  its value is the outermost frame; NULL: none
 * @return 0; -ENOMEM; -EFBIG: a limit of calltree.h or out.h; what @write answered
 */
int ddp_flamegraph_write(const struct ddp_pprof *p, const char *title, size_t value,
			 const char *label, ddp_write_fn write, void *ctx);

/**
 * What changed from @base to @other, of all value types that both have.
 *
 * @param value  index of the value type of @other to show first
 * @param err    may be NULL
 * @return as ddp_flamegraph_write(), or -EINVAL: no value type is in both, see @err
 */
int ddp_flamegraph_diff(const struct ddp_pprof *base, const struct ddp_pprof *other,
			const char *title, size_t value, const char *label,
			ddp_write_fn write, void *ctx, struct ddp_error *err);

#endif /* DDP_REPORT_FLAMEGRAPH_H */
