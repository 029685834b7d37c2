/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and names on a terminal. Names come from files: nothing in them shall steer a terminal.
 * Used by report, diff and files.
 */
#ifndef DDPROFCTL_PRINT_H
#define DDPROFCTL_PRINT_H

#include <ddprof/profile.h>
#include <stdint.h>

/** A line on stdout; '?' for control characters, marks that turn text around, what is no UTF-8. */
void print_text(const char *text);

/** The same, in place. */
void make_printable(char *text);

/** A line on stdout, "type: cpu-time/nanoseconds". */
void print_type(const struct ddp_value_type *type);

/** "1.25ms" for nanoseconds, "1.25MiB" for bytes, else the number. @return @ret */
const char *format_value(int64_t value, const char *unit, char ret[32]);

/** 0 of nothing. */
double percent_of(int64_t part, int64_t of);

#endif /* DDPROFCTL_PRINT_H */
