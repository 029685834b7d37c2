// SPDX-License-Identifier: Apache-2.0
/* How commands that take no files begin; see commands.h. */
#include <stdio.h>

#include "base/log.h"
#include "base/options_text.h"
#include "ddprofctl/commands.h"

bool ctl_begin(const char *name, const struct ddp_option *options, const char *about, int argc,
	       char **argv, void *values, const bool *show_help, int *ret_status)
{
	struct ddp_error err = { "" };
	int rest;

	*ret_status = CTL_USAGE;
	if (ddp_options_parse(options, argc, argv, values, &rest, &err)) {
		ddp_log_error("%s", err.text);
		return false;
	}
	if (*show_help) {
		printf("ddprofctl %s [options]\n\n%s\n", name, about);
		ddp_options_help(options, stdout);
		*ret_status = CTL_OK;
		return false;
	}
	if (rest == argc)
		return true;
	ddp_log_error("%s: %s: expected options only, see --help", name, argv[rest]);
	return false;
}
