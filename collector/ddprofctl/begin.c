// SPDX-License-Identifier: Apache-2.0
/* How commands that take no files begin, and help of all of them; see commands.h. */
#include <stdio.h>

#include "base/log.h"
#include "ddprofctl/commands.h"

int ctl_help(const struct ddp_manual_command *m)
{
	ddp_options_command_help("ddprofctl", m, stdout);
	return CTL_OK;
}

bool ctl_begin(const struct ddp_manual_command *m, int argc, char **argv, void *values,
	       const bool *show_help, int *ret_status)
{
	struct ddp_error err = { "" };
	int rest;

	*ret_status = CTL_USAGE;
	if (ddp_options_parse(m->table, argc, argv, values, &rest, &err)) {
		ddp_log_error("%s", err.text);
		return false;
	}
	if (*show_help) {
		*ret_status = ctl_help(m);
		return false;
	}
	if (rest == argc)
		return true;
	ddp_log_error("%s: %s: expected options only, see --help", m->name, argv[rest]);
	return false;
}
