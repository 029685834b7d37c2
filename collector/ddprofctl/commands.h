/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `ddprofctl`: one file each. They get their own argv and return the exit status.
 */
#ifndef DDPROFCTL_COMMANDS_H
#define DDPROFCTL_COMMANDS_H

#include <stdbool.h>

#include "base/options.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/**
 * How a command begins that takes options only: reads them, and shows @about and the table where
 * --help was among them.
 * @param name	      the command's
 * @param about	      what --help says below "ddprofctl NAME [options]"
 * @param show_help   of @values
 * @param ret_status  what to exit with when it answers false
 * @return whether to go on
 */
bool ctl_begin(const char *name, const struct ddp_option *options, const char *about, int argc,
	       char **argv, void *values, const bool *show_help, int *ret_status);

/** A table of where a profile's time went. */
int ctl_report(int argc, char **argv);

/** What changed between two profiles. */
int ctl_diff(int argc, char **argv);

/** Several profiles as one. */
int ctl_merge(int argc, char **argv);

/** A profile in another form. */
int ctl_convert(int argc, char **argv);

/** The running session's counters. */
int ctl_stats(int argc, char **argv);

/** The functions and processes that take most just now. */
int ctl_top(int argc, char **argv);

/** What the running collector does. */
int ctl_status(int argc, char **argv);

/** What is missing on this machine, and how to get it. */
int ctl_doctor(int argc, char **argv);

#endif /* DDPROFCTL_COMMANDS_H */
