// SPDX-License-Identifier: Apache-2.0
/* `ddprof`: parse, set up, run. What it does is in run.c, what it accepts in config_table.c. */
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

static int fail(const struct ddp_error *err)
{
	ddp_log_error("%s", err->text);
	return EXIT_USAGE;
}

static int run(const struct ddprof_config *c)
{
	if (!c->enabled) {
		ddp_log_info("not profiling: --no-enable, or DD_PROFILING_ENABLED");
		return c->command ? ddprof_run_unprofiled(c) : 0;
	}
	if (!c->command)
		return ddprof_run_attached(c);
	return c->wait ? ddprof_run_wait(c) : ddprof_run_command(c);
}

int main(int argc, char **argv)
{
	CLEANUP(ddprof_config_free) struct ddprof_config config = { .global = false };
	struct ddp_error err = { "" };

	reserve_stdio();
	if (ddprof_config_read(argc, argv, &config, &err))
		return fail(&err);
	ddp_log_setup("ddprof", config.log_level);
	if (ddprof_config_tell(&config, &err))
		return fail(&err);
	if (ddprof_config_only_tells(&config))
		return 0;
	/* nobody's command stays away because of where messages go */
	if (ddp_log_open(config.log_mode, &err))
		ddp_log_warn("%s", err.text);
	return run(&config);
}
