// SPDX-License-Identifier: Apache-2.0
/* See doctor.h. */
#include "ddprofctl/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "link/link.h"
#include "symbols/kallsyms.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

/* The module */

void ctl_check_module(struct ctl_doctor *d)
{
	if (!access("/sys/module/ddprof_kmod", F_OK))
		ctl_found(d, CTL_FINE, "", "kernel module ddprof_kmod is loaded");
	else
		ctl_found(d, CTL_MISSING,
			  "modprobe ddprof_kmod; if there is no such module: make dkms-install",
			  "kernel module ddprof_kmod is not loaded");
}

static int ask_module(struct ddp_link_info *ret, struct ddp_error *err)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = NULL;
	int r = ddp_link_open(&l, err);

	return r ? r : ddp_link_get_info(l, ret, err);
}

void ctl_check_family(struct ctl_doctor *d)
{
	struct ddp_link_info info;
	struct ddp_error err = { "" };
	int r = ask_module(&info, &err);

	if (r == -ENOENT)
		ctl_found(d, CTL_MISSING, "load the module; inside a container or another network "
			  "namespace run ddprof on the host", "netlink family ddprof is not there");
	else if (r)
		ctl_found(d, CTL_MISSING, r == -EACCES ? "boot without lockdown=confidentiality" :
							 "run as root, or with CAP_PERFMON",
			  "the module does not answer: %s", err.text);
	else if (strcmp(info.module_version, DDPROF_VERSION))
		ctl_found(d, CTL_WORSE, "install module and collector of the same version",
			  "module version %s, collector version " DDPROF_VERSION,
			  info.module_version);
	else if (info.owner_tgid)
		ctl_found(d, CTL_FINE, "", "module %s answers; process %" PRIu32 " has a session",
			  info.module_version, info.owner_tgid);
	else
		ctl_found(d, CTL_FINE, "", "module %s answers; no session is running",
			  info.module_version);
}

void ctl_check_unwinder(struct ctl_doctor *d)
{
	struct ddp_link_info info;
	struct ddp_error err;

	if (ask_module(&info, &err))
		ctl_found(d, CTL_WORSE, "load the module first", "kernel unwinder: not known");
	else if (!strcmp(info.kernel_unwinder, "orc") ||
		 !strcmp(info.kernel_unwinder, "frame_pointer"))
		ctl_found(d, CTL_FINE, "", "kernel unwinder: %s", info.kernel_unwinder);
	else
		ctl_found(d, CTL_WORSE,
			  "a kernel with CONFIG_UNWINDER_ORC or CONFIG_UNWINDER_FRAME_POINTER",
			  "kernel unwinder: %s, kernel stacks are not reliable",
			  info.kernel_unwinder);
}

static void judge_tables(struct ctl_doctor *d, const struct ddp_link_info *info)
{
	uint64_t kib = info->tables_bytes >> 10, max_kib = info->tables_max_bytes >> 10;

	if (!info->owner_tgid)
		ctl_found(d, CTL_FINE, "", "unwind tables: none without a session");
	else if (!max_kib)
		ctl_found(d, CTL_WORSE, "start it without --unwind_tables 0",
			  "unwind tables: none in this session; code without frame pointers shows "
			  "few frames");
	else if (info->tables_refused)
		ctl_found(d, CTL_WORSE, "give them more memory: --unwind_tables KIB",
			  "unwind tables: %" PRIu64 " in %" PRIu64 " of %" PRIu64 " KiB; %" PRIu64
			  " times there was no room for one", info->tables, kib, max_kib,
			  info->tables_refused);
	else
		ctl_found(d, CTL_FINE, "", "unwind tables: %" PRIu64 " in %" PRIu64 " of %" PRIu64
			  " KiB", info->tables, kib, max_kib);
}

void ctl_check_tables(struct ctl_doctor *d)
{
	struct ddp_link_info info;
	struct ddp_error err;

	if (ask_module(&info, &err))
		ctl_found(d, CTL_WORSE, "load the module first", "unwind tables: not known");
	else
		judge_tables(d, &info);
}

/* Rights */

static uint64_t effective_capabilities(void)
{
	CLEANUP(close_file) FILE *f = fopen("/proc/self/status", "re");
	CLEANUP(free) char *line = NULL;
	uint64_t caps = 0;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) >= 0)
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	return caps;
}

static bool have(unsigned int capability)
{
	return effective_capabilities() >> capability & 1;
}

static void check_perfmon(struct ctl_doctor *d)
{
	if (have(CAP_PERFMON) || have(CAP_SYS_ADMIN))
		ctl_found(d, CTL_FINE, "", "CAP_PERFMON or CAP_SYS_ADMIN: may profile");
	else
		ctl_found(d, CTL_MISSING,
			  "run as root, or: setcap cap_perfmon,cap_syslog,cap_dac_read_search+ep "
			  "on the programs ddprof and ddprofctl, whose own rights these are",
			  "neither CAP_PERFMON nor CAP_SYS_ADMIN: may not profile");
}

static void check_syslog(struct ctl_doctor *d)
{
	if (have(CAP_SYSLOG))
		ctl_found(d, CTL_FINE, "", "CAP_SYSLOG: may see kernel addresses");
	else
		ctl_found(d, CTL_MISSING, "run as root, or setcap as above",
			  "no CAP_SYSLOG: kernel frames are refused");
}

static void check_files(struct ctl_doctor *d)
{
	if (have(CAP_DAC_READ_SEARCH))
		ctl_found(d, CTL_FINE, "",
			  "CAP_DAC_READ_SEARCH: may read the programs that are profiled");
	else
		ctl_found(d, CTL_WORSE, "run as root, or setcap as above",
			  "no CAP_DAC_READ_SEARCH: deleted programs stay without names");
}

/* In the initial user namespace, but that the kernel tells only by trying */
static void check_ahead(struct ctl_doctor *d)
{
	if (have(CAP_SYS_PTRACE) && (have(CAP_SYS_ADMIN) || have(CAP_CHECKPOINT_RESTORE)))
		ctl_found(d, CTL_FINE, "",
			  "CAP_SYS_PTRACE, and CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN: unwind "
			  "tables of running programs are made before the first sample");
	else
		ctl_found(d, CTL_WORSE,
			  "run as root, or add cap_checkpoint_restore,cap_sys_ptrace to setcap",
			  "no CAP_SYS_PTRACE, or neither CAP_CHECKPOINT_RESTORE nor CAP_SYS_ADMIN: "
			  "unwind tables are made when a program is first sampled");
}

void ctl_check_rights(struct ctl_doctor *d)
{
	check_perfmon(d);
	check_syslog(d);
	check_files(d);
	check_ahead(d);
}

/* The kernel */

void ctl_check_lockdown(struct ctl_doctor *d)
{
	CLEANUP(close_file) FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char state[128] = "";

	if (file && fgets(state, sizeof(state), file))
		state[strcspn(state, "\n")] = '\0';
	if (strstr(state, "[confidentiality]"))
		ctl_found(d, CTL_MISSING, "boot without lockdown=confidentiality",
			  "the kernel is locked down, which forbids profiling: %s", state);
	else if (strstr(state, "[integrity]"))
		ctl_found(d, CTL_FINE, "",
			  "lockdown is %s: profiling is allowed, the module has to be signed",
			  state);
	else
		ctl_found(d, CTL_FINE, "", "the kernel is not locked down");
}

void ctl_check_headers(struct ctl_doctor *d)
{
	char path[256], remedy[256];
	struct utsname u;

	if (uname(&u))
		return;
	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", u.release);
	if (!access(path, F_OK)) {
		ctl_found(d, CTL_FINE, "", "kernel headers of %s are installed", u.release);
		return;
	}
	snprintf(remedy, sizeof(remedy), "Debian, Ubuntu: apt install linux-headers-%s; Fedora: "
		 "dnf install kernel-devel-%s; needed only to build the module", u.release,
		 u.release);
	ctl_found(d, CTL_WORSE, remedy, "kernel headers of %s are not installed", u.release);
}

void ctl_check_kallsyms(struct ctl_doctor *d)
{
	CLEANUP(close_file) FILE *file = fopen("/proc/kallsyms", "re");
	CLEANUP(ddp_kallsyms_free) struct ddp_kallsyms *k = NULL;

	if (file && !ddp_kallsyms_read(file, &k) && ddp_kallsyms_nr(k))
		ctl_found(d, CTL_FINE, "", "/proc/kallsyms names %zu kernel functions",
			  ddp_kallsyms_nr(k));
	else
		ctl_found(d, CTL_WORSE, "give CAP_SYSLOG; sysctl kernel.kptr_restrict=1 or 0",
			  "/proc/kallsyms shows no addresses: kernel frames stay without names");
}

/* Of the whole first CPU, as the module does it, without counting anything */
static int open_cycles(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(attr), .disabled = 1,
		.config = PERF_COUNT_HW_CPU_CYCLES,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void ctl_check_events(struct ctl_doctor *d)
{
	CLEANUP(close_fd) int fd = open_cycles();

	if (fd >= 0)
		ctl_found(d, CTL_FINE, "", "hardware events can be counted: -e hCPU and the like");
	else if (fd == -EACCES || fd == -EPERM)
		ctl_found(d, CTL_WORSE, "run as root, which tells",
			  "hardware events: not known without rights");
	else
		ctl_found(d, CTL_WORSE, "nothing is needed for -e sCPU and offcpu; a virtual "
			  "machine may be given a PMU",
			  "no hardware events (-e hCPU and the like): %s", strerror(-fd));
}

void ctl_check_tracepoints(struct ctl_doctor *d)
{
	if (!access("/sys/kernel/tracing/events", R_OK) ||
	    !access("/sys/kernel/debug/tracing/events", R_OK))
		ctl_found(d, CTL_FINE, "", "tracefs names tracepoints: -e GROUP:EVENT");
	else
		ctl_found(d, CTL_WORSE, "mount -t tracefs nodev /sys/kernel/tracing; only root may "
			  "look there", "tracefs cannot be read: -e GROUP:EVENT has no numbers");
}

void ctl_check_cgroups(struct ctl_doctor *d)
{
	if (!access("/sys/fs/cgroup/cgroup.controllers", F_OK))
		ctl_found(d, CTL_FINE, "", "control groups: version 2");
	else if (!access("/proc/self/cgroup", R_OK))
		ctl_found(d, CTL_FINE, "", "control groups: version 1, or both");
	else
		ctl_found(d, CTL_WORSE, "a kernel with CONFIG_CGROUPS",
			  "no control groups: containers cannot be told apart");
}
