// SPDX-License-Identifier: Apache-2.0
/* `ddprof`: parse, set up, run. What it does is in run.c, what it accepts in config.c. */
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "ddprof/config.h"
#include "ddprof/run.h"

enum { EXIT_USAGE = 2 };

/* A caller may have closed some of these, and no pipe or socket of ours may take their place. The
 * command finds them closed as before */
static void reserve_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close_fd(fd);
}

int main(int argc, char **argv)
{
	struct ddprof_config config;
	struct ddp_error err = { "" };

	reserve_stdio();
	if (ddprof_config_read(argc, argv, &config, &err)) {
		ddp_log_error("%s", err.text);
		return EXIT_USAGE;
	}
	ddp_log_setup("ddprof", config.log_level);
	if (config.show_help) {
		ddprof_config_help(stdout);
		return 0;
	}
	if (config.show_version) {
		puts("ddprof " DDPROF_VERSION);
		return 0;
	}
	if (!config.enabled) {
		ddp_log_info("DD_PROFILING_ENABLED: not profiling");
		return config.command ? ddprof_run_unprofiled(&config) : 0;
	}
	if (!config.command)
		return ddprof_run_attached(&config);
	return config.wait ? ddprof_run_wait(&config) : ddprof_run_command(&config);
}
