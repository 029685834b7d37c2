// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl doctor`: one line for each thing that profiling needs, and below a missing one the way
 * to get it. Looks only; changes nothing.
 */
#include "ddprofctl/doctor.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "ddprofctl/ask.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/print.h"

struct options {
	const char *control_socket, *config;
	bool show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "config", NULL, 0, DDP_OPTION_TEXT, AT(config), .argument = "FILE",
	  .help = "the service's; default /etc/ddprof/ddprof.conf" },
	CTL_CONTROL_SOCKET(struct options),
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

static const struct {
	const char *heading;
	void (*check[8])(struct ctl_doctor *d);
} parts[] = {
	{ "module", { ctl_check_module, ctl_check_family, ctl_check_unwinder, ctl_check_tables } },
	{ "rights", { ctl_check_rights } },
	{ "kernel", { ctl_check_lockdown, ctl_check_kallsyms, ctl_check_events,
		      ctl_check_tracepoints, ctl_check_cgroups, ctl_check_headers } },
	{ "service", { ctl_check_config, ctl_check_collector, ctl_check_targets, ctl_check_folders,
		       ctl_check_unit } },
};

void ctl_found(struct ctl_doctor *d, enum ctl_verdict verdict, const char *remedy,
	       const char *format, ...)
{
	static const char *const words[] = {
		[CTL_FINE] = "ok", [CTL_WORSE] = "note", [CTL_MISSING] = "MISSING",
	};
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%-8s ", words[verdict]);
	print_text(text);
	if (verdict != CTL_FINE) {
		printf("%-8s   -> ", "");
		print_text(remedy);
	}
	d->missing += verdict == CTL_MISSING;
}

static int run_checks(const struct options *o)
{
	struct ctl_doctor d = {
		.config = o->config ?: "/etc/ddprof/ddprof.conf",
		.control_socket = o->control_socket,
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		printf("%s%s:\n", i ? "\n" : "", parts[i].heading);
		for (size_t k = 0; k < 8 && parts[i].check[k]; k++)
			parts[i].check[k](&d);
	}
	if (d.missing)
		printf("\n%d thing%s missing before this machine can be profiled\n", d.missing,
		       d.missing > 1 ? "s are" : " is");
	else
		printf("\nready: ddprof -g profiles this machine\n");
	ddp_buffer_free(&d.settings);
	drop_json(d.status);
	return d.missing ? CTL_FAILED : CTL_OK;
}

const struct ddp_manual_command ctl_doctor_manual = {
	.name = "doctor",
	.summary = "what is missing on this machine to profile, and how to get it",
	.synopsis = "[options]",
	.text =
		"Says for each thing that profiling needs if it is there, or how to get it.\n"
		"Exit status 1 when something is missing without which it does not work.\n",
	.table = option_table,
};

int ctl_doctor(int argc, char **argv)
{
	struct options o = { NULL };
	int status;

	if (!ctl_begin(&ctl_doctor_manual, argc, argv, &o, &o.show_help, &status))
		return status;
	return run_checks(&o);
}
