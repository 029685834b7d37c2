// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl`: finds the command and hands over. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ddprofctl/commands.h"

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "report", "a table of where a profile's time went", ctl_report },
	{ "diff", "what changed from one profile to another: table or flame graph", ctl_diff },
	{ "merge", "several profiles added up to one", ctl_merge },
	{ "convert", "a profile as a flame graph, text, or packed otherwise", ctl_convert },
	{ "top", "the functions and processes that take most, live", ctl_top },
	{ "status", "what the running collector does, and how well", ctl_status },
	{ "stats", "the running session's counters and overhead", ctl_stats },
	{ "doctor", "what is missing on this machine to profile, and how to get it", ctl_doctor },
};

enum { NR_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *to)
{
	fputs("Looks at profiles and at the profiler.\n\n", to);
	for (int i = 0; i < NR_COMMANDS; i++)
		fprintf(to, "  ddprofctl %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n`ddprofctl COMMAND --help` says more; `ddprofctl --version` says which this is.\n",
	      to);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return CTL_USAGE;
	}
	for (int i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return CTL_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-v")) {
		puts("ddprofctl " DDPROF_VERSION);
		return CTL_OK;
	}
	ddp_log_error("%s: no such command, see ddprofctl --help", argv[1]);
	return CTL_USAGE;
}

/* A report that did not get through is none */
static int check_stdout(int status)
{
	errno = EIO;	/* where an earlier write has failed */
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	ddp_log_error("stdout: %s", strerror(errno));
	return status ? status : CTL_FAILED;
}

int main(int argc, char **argv)
{
	ddp_log_setup("ddprofctl", DDP_LOG_NOTICE);
	return check_stdout(run(argc, argv));
}
