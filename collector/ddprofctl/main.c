// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl`: finds the command and hands over; what is said of all of them. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ddprofctl/commands.h"

static const struct {
	const struct ddp_manual_command *manual;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ &ctl_report_manual, ctl_report },
	{ &ctl_diff_manual, ctl_diff },
	{ &ctl_merge_manual, ctl_merge },
	{ &ctl_convert_manual, ctl_convert },
	{ &ctl_top_manual, ctl_top },
	{ &ctl_status_manual, ctl_status },
	{ &ctl_stats_manual, ctl_stats },
	{ &ctl_doctor_manual, ctl_doctor },
};

enum { NR_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

struct options {
	bool show_help, show_version;
	uint32_t print;		/* enum print */
};

enum print { PRINT_NOTHING, PRINT_MAN, PRINT_BASH, PRINT_ZSH };

static const char *const prints[] = { "nothing", "man", "bash", "zsh", NULL };

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ "version", NULL, 'v', DDP_OPTION_FLAG, AT(show_version), .help = "show the version" },
	{ "print", NULL, 0, DDP_OPTION_CHOICE, AT(print), .choices = prints, .argument = "WHAT",
	  .help = "the manual page, or completions for a shell" },
	{ 0 },
};

static void help(FILE *to)
{
	fputs("Looks at profiles and at the profiler.\n\n", to);
	for (int i = 0; i < NR_COMMANDS; i++)
		fprintf(to, "  ddprofctl %-8s %s\n", commands[i].manual->name,
			commands[i].manual->summary);
	fputs("\n`ddprofctl COMMAND --help` says more; `ddprofctl --version` says which this is.\n\n",
	      to);
	ddp_options_help(option_table, to);
}

static void print(uint32_t what)
{
	static void (*const fns[])(const struct ddp_manual *m, FILE *to) = {
		[PRINT_MAN] = ddp_options_man, [PRINT_BASH] = ddp_options_bash,
		[PRINT_ZSH] = ddp_options_zsh,
	};
	static const struct ddp_manual_part after[] = {
		{ "EXIT STATUS",
		  "0; 1 when it could not be done, or as a command says; 2 for wrong usage.\n" },
		{ "SEE ALSO", "ddprof(8)\n" },
		{ 0 },
	};
	const struct ddp_manual_command *manuals[NR_COMMANDS + 1] = { NULL };
	struct ddp_manual manual = {
		.program = "ddprofctl", .version = DDPROF_VERSION,
		.summary = "looks at profiles and at the profiler ddprof",
		.synopsis = "[options]\n", .commands = manuals, .table = option_table,
		.after = after,
	};

	for (int i = 0; i < NR_COMMANDS; i++)
		manuals[i] = commands[i].manual;
	fns[what](&manual, stdout);
}

static int tell(const struct options *o)
{
	if (o->show_help)
		help(stdout);
	else if (o->show_version)
		puts("ddprofctl " DDPROF_VERSION);
	else
		print(o->print);
	return CTL_OK;
}

static int run(int argc, char **argv)
{
	struct options o = { .print = PRINT_NOTHING };
	struct ddp_error err = { "" };
	int first;

	if (ddp_options_parse(option_table, argc, argv, &o, &first, &err)) {
		ddp_log_error("%s", err.text);
		return CTL_USAGE;
	}
	if (o.show_help || o.show_version || o.print)
		return tell(&o);
	for (int i = 0; first < argc && i < NR_COMMANDS; i++)
		if (!strcmp(argv[first], commands[i].manual->name))
			return commands[i].run(argc - first, argv + first);
	if (first == argc)
		help(stderr);
	else
		ddp_log_error("%s: no such command, see ddprofctl --help", argv[first]);
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
