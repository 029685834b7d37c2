/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a session leaves out: --exclude_pid, --tid, --process_name, --cgroup and the like as START
 * wants them. Cgroups are directories there, which are open as long as this lives. Used by run.
 */
#ifndef DDPROF_FILTER_H
#define DDPROF_FILTER_H

#include "ddprof/config.h"
#include "lib/cleanup.h"

struct ddprof_filter {
	struct ddp_link_filter link;	/* borrows from the config and from what follows */
	int cgroup_fds[DDP_MAX_TEXTS], exclude_cgroup_fds[DDP_MAX_TEXTS]; /* owned */
};

/**
 * @param ret  stays where it is: ret->link points into it. ddprof_filter_close() it, whatever the
 *	       answer is
 * @return 0; a negative errno, @err names the option and the cgroup
 */
int ddprof_filter_open(const struct ddprof_config *c, struct ddprof_filter *ret,
		       struct ddp_error *err);
void ddprof_filter_close(struct ddprof_filter *f);
DEFINE_CLEANUP_IN_PLACE(struct ddprof_filter, ddprof_filter_close)

/** For the table of options: a pattern that START takes. */
int ddprof_filter_check_name(const char *value, struct ddp_error *err);
/** The same: a cgroup's path. Whether there is one is seen when it is opened. */
int ddprof_filter_check_cgroup(const char *value, struct ddp_error *err);

#endif /* DDPROF_FILTER_H */
