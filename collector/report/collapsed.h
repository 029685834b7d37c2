/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed stacks, the text that flame graph scripts read and many profilers write: one stack a
 * line, outermost frame first, frames separated by ';', then a space and a number.
 *
 *	main;parse;read_token 17
 *
 * A name stands there as it is, with one exception, so that any that is not empty survives the
 * way there and back: "\x3b" is a ';', "\x0a" a newline, "\x0d" a carriage return and "\x5c" the
 * backslash of a name that has one of these four sequences in it. Every other backslash is just
 * that. Bytes that are no UTF-8 become U+FFFD. File, line, mapping, address and labels are not in
 * the format and get lost.
 *
 * Called by format. Source of the format: the description in the flamegraph.pl of
 * github.com/brendangregg/FlameGraph.
 */
#ifndef DDP_REPORT_COLLAPSED_H
#define DDP_REPORT_COLLAPSED_H

#include <ddprof/pprof.h>

/* Longer lines are no stacks: deep ones of long C++ names have some 100 KB */
enum { DDP_COLLAPSED_MAX_LINE = 4 << 20 };

/**
 * One line a distinct stack, in the order of the names; stacks whose values add up to 0 are left
 * out. A stack without frames is "[no stack]", a frame without a name its mapping and address.
 *
 * @param value  index of the value type to write; may be negative in it
 * @param label  its value is the outermost frame; NULL: none
 * @return 0; -ENOMEM; -EFBIG: a limit of calltree.h or out.h; what @write answered
 */
int ddp_collapsed_write(const struct ddp_pprof *p, size_t value, const char *label,
			ddp_write_fn write, void *ctx);

/**
 * The text as a profile with one value type. Equal stacks are added up. Empty lines are skipped, a
 * line may end in CR LF, a frame without a name is "[unknown]".
 *
 * @param bytes  text; may be freed afterwards
 * @param type   what the numbers are
 * @param ret    belongs to the caller: ddp_pprof_destroy()
 * @param err    may be NULL; names the line
 * @return 0; -EBADMSG: no such text; -EFBIG: too long a line, too deep a stack, too much memory;
 *	-ENOMEM
 */
int ddp_collapsed_read(const void *bytes, size_t n, const struct ddp_value_type *type,
		       struct ddp_pprof **ret, struct ddp_error *err);

#endif /* DDP_REPORT_COLLAPSED_H */
