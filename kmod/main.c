// SPDX-License-Identifier: GPL-2.0
/*
 * ddprof_kmod: loading and unloading, nothing else. A loaded module without a session costs
 * nothing: no timer, no counter, no tracepoint is on.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "netlink.h"
#include "offcpu.h"
#include "session.h"
#include "task_trace.h"

static int __init ddp_init(void)
{
	int ret = ddp_task_trace_init();

	if (ret)
		return ret;
	ddp_offcpu_init();
	ret = ddp_session_init();
	if (ret)
		return ret;
	ret = ddp_netlink_init();
	if (ret)
		ddp_session_exit();
	return ret;
}

static void __exit ddp_exit(void)
{
	ddp_netlink_exit();
	ddp_session_exit();
	rcu_barrier(); /* tables of the last session may still wait to be freed */
}

module_init(ddp_init);
module_exit(ddp_exit);

MODULE_DESCRIPTION("Whole-machine sampling profiler: in-kernel stack walks over generic netlink");
MODULE_AUTHOR("The ddprof_kmod authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(DDP_VERSION);
MODULE_ALIAS_GENL_FAMILY(DDPROF_GENL_NAME);
