/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `ddprofctl`: one file each. They get their own argv and return the exit status.
 * What --help, manual page and completions say of one is in its ctl_NAME_manual.
 */
#ifndef DDPROFCTL_COMMANDS_H
#define DDPROFCTL_COMMANDS_H

#include <stdbool.h>

#include "base/options_text.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/**
 * How a command begins that takes options only: reads them, and shows its help where --help was
 * among them.
 * @param show_help   of @values
 * @param ret_status  what to exit with when it answers false
 * @return whether to go on
 */
bool ctl_begin(const struct ddp_manual_command *m, int argc, char **argv, void *values,
	       const bool *show_help, int *ret_status);

/** --help of a command, on stdout. @return CTL_OK */
int ctl_help(const struct ddp_manual_command *m);

/** A table of where a profile's time went. */
int ctl_report(int argc, char **argv);
extern const struct ddp_manual_command ctl_report_manual;

/** What changed between two profiles. */
int ctl_diff(int argc, char **argv);
extern const struct ddp_manual_command ctl_diff_manual;

/** Several profiles as one. */
int ctl_merge(int argc, char **argv);
extern const struct ddp_manual_command ctl_merge_manual;

/** A profile in another form. */
int ctl_convert(int argc, char **argv);
extern const struct ddp_manual_command ctl_convert_manual;

/** The running session's counters. */
int ctl_stats(int argc, char **argv);
extern const struct ddp_manual_command ctl_stats_manual;

/** The functions and processes that take most just now. */
int ctl_top(int argc, char **argv);
extern const struct ddp_manual_command ctl_top_manual;

/** What the running collector does. */
int ctl_status(int argc, char **argv);
extern const struct ddp_manual_command ctl_status_manual;

/** What is missing on this machine, and how to get it. */
int ctl_doctor(int argc, char **argv);
extern const struct ddp_manual_command ctl_doctor_manual;

#endif /* DDPROFCTL_COMMANDS_H */
