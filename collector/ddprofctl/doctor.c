// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl doctor`: one line for each thing that profiling needs, and below a missing one the way
 * to get it. Looks only; changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "symbols/kallsyms.h"
#include "link/link.h"
#include "base/log.h"
#include "ddprofctl/commands.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

enum verdict {
	OK,
	WORSE,		/* works, with less */
	MISSING,	/* does not work */
};

struct finding {
	char text[256];
	char remedy[256];
};

static enum verdict find(struct finding *f, enum verdict v, const char *remedy, const char *format,
			 ...) __attribute__((format(printf, 4, 5)));

static enum verdict find(struct finding *f, enum verdict v, const char *remedy, const char *format,
			 ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
	return v;
}

static const char *kernel_release(void)
{
	static struct utsname u;

	return uname(&u) ? "unknown" : u.release;
}

static enum verdict check_module(struct finding *f)
{
	if (!access("/sys/module/ddprof_kmod", F_OK))
		return find(f, OK, "", "kernel module ddprof_kmod is loaded");
	return find(f, MISSING,
		    "modprobe ddprof_kmod; if there is no such module: make dkms-install",
		    "kernel module ddprof_kmod is not loaded");
}

static enum verdict check_family(struct finding *f)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = NULL;
	struct ddp_link_info info;
	struct ddp_error err = { "" };
	int r = ddp_link_open(&l, &err);

	if (!r)
		r = ddp_link_get_info(l, &info, &err);
	if (r == -ENOENT)
		return find(f, MISSING,
			    "load the module; inside a container or another network "
			    "namespace run ddprof on the host",
			    "netlink family ddprof is not there");
	if (r)
		return find(f, MISSING,
			    r == -EACCES ? "boot without lockdown=confidentiality"
					 : "run as root, or with CAP_PERFMON",
			    "the module does not answer: %s", err.text);
	if (strcmp(info.module_version, DDPROF_VERSION))
		return find(f, WORSE, "install module and collector of the same version",
			    "module version %s, collector version " DDPROF_VERSION,
			    info.module_version);
	if (info.owner_tgid)
		return find(f, OK, "", "module %s answers; process %" PRIu32 " has a session",
			    info.module_version, info.owner_tgid);
	return find(f, OK, "", "module %s answers; no session is running", info.module_version);
}

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

static enum verdict check_perfmon(struct finding *f)
{
	if (have(CAP_PERFMON) || have(CAP_SYS_ADMIN))
		return find(f, OK, "", "CAP_PERFMON or CAP_SYS_ADMIN: may profile");
	return find(f, MISSING,
		    "run as root, or: setcap cap_perfmon,cap_syslog,cap_dac_read_search+ep "
		    "on the programs ddprof and ddprofctl, whose own rights these are",
		    "neither CAP_PERFMON nor CAP_SYS_ADMIN: may not profile");
}

static enum verdict check_syslog(struct finding *f)
{
	if (have(CAP_SYSLOG))
		return find(f, OK, "", "CAP_SYSLOG: may see kernel addresses");
	return find(f, MISSING, "run as root, or setcap as above",
		    "no CAP_SYSLOG: kernel frames are refused");
}

static enum verdict check_files(struct finding *f)
{
	if (have(CAP_DAC_READ_SEARCH))
		return find(f, OK, "",
			    "CAP_DAC_READ_SEARCH: may read the programs that are profiled");
	return find(
		f, WORSE, "run as root, or setcap as above",
		"no CAP_DAC_READ_SEARCH: deleted programs stay without names");
}

/* In the initial user namespace, but that the kernel tells only by trying */
static enum verdict check_ahead(struct finding *f)
{
	if (have(CAP_SYS_PTRACE) && (have(CAP_SYS_ADMIN) || have(CAP_CHECKPOINT_RESTORE)))
		return find(f, OK, "",
			    "CAP_SYS_PTRACE, and CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN: unwind "
			    "tables of running programs are made before the first sample");
	return find(f, WORSE, "run as root, or add cap_checkpoint_restore,cap_sys_ptrace to setcap",
		    "no CAP_SYS_PTRACE, or neither CAP_CHECKPOINT_RESTORE nor CAP_SYS_ADMIN: "
		    "unwind tables are made when a program is first sampled");
}

static enum verdict check_tables(struct finding *f)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = NULL;
	struct ddp_link_info info;
	struct ddp_error err;

	if (ddp_link_open(&l, &err) || ddp_link_get_info(l, &info, &err))
		return find(f, WORSE, "load the module first", "unwind tables: not known");
	if (!info.owner_tgid)
		return find(f, OK, "", "unwind tables: none without a session");
	if (!info.tables_max_bytes)
		return find(f, WORSE, "start it without --unwind_tables 0",
			    "unwind tables: none in this session; code without frame pointers "
			    "shows few frames");
	if (info.tables_refused)
		return find(f, WORSE, "give them more memory: --unwind_tables KIB",
			    "unwind tables: %" PRIu64 " in %" PRIu64 " of %" PRIu64 " KiB; %" PRIu64
			    " times there was no room for one", info.tables,
			    info.tables_bytes >> 10, info.tables_max_bytes >> 10,
			    info.tables_refused);
	return find(f, OK, "", "unwind tables: %" PRIu64 " in %" PRIu64 " of %" PRIu64 " KiB",
		    info.tables, info.tables_bytes >> 10, info.tables_max_bytes >> 10);
}

static enum verdict check_lockdown(struct finding *f)
{
	CLEANUP(close_file) FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char state[128] = "";

	if (!file || !fgets(state, sizeof(state), file))
		return find(f, OK, "", "the kernel is not locked down");
	state[strcspn(state, "\n")] = '\0';
	if (strstr(state, "[confidentiality]"))
		return find(f, MISSING, "boot without lockdown=confidentiality",
			    "the kernel is locked down, which forbids profiling: %s", state);
	if (strstr(state, "[integrity]"))
		return find(f, OK, "",
			    "lockdown is %s: profiling is allowed, the module has to be signed",
			    state);
	return find(f, OK, "", "the kernel is not locked down");
}

static enum verdict check_headers(struct finding *f)
{
	const char *release = kernel_release();
	char path[256], remedy[256];

	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", release);
	if (!access(path, F_OK))
		return find(f, OK, "", "kernel headers of %s are installed", release);
	snprintf(remedy, sizeof(remedy), "Debian, Ubuntu: apt install linux-headers-%s; Fedora: "
		 "dnf install kernel-devel-%s; needed only to build the module", release, release);
	return find(f, WORSE, remedy, "kernel headers of %s are not installed", release);
}

static enum verdict check_unwinder(struct finding *f)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = NULL;
	struct ddp_link_info info;
	struct ddp_error err;

	if (ddp_link_open(&l, &err) || ddp_link_get_info(l, &info, &err))
		return find(f, WORSE, "load the module first", "kernel unwinder: not known");
	if (!strcmp(info.kernel_unwinder, "orc") || !strcmp(info.kernel_unwinder, "frame_pointer"))
		return find(f, OK, "", "kernel unwinder: %s", info.kernel_unwinder);
	return find(f, WORSE, "a kernel with CONFIG_UNWINDER_ORC or CONFIG_UNWINDER_FRAME_POINTER",
		    "kernel unwinder: %s, kernel stacks are not reliable", info.kernel_unwinder);
}

static enum verdict check_kallsyms(struct finding *f)
{
	CLEANUP(close_file) FILE *file = fopen("/proc/kallsyms", "re");
	CLEANUP(ddp_kallsyms_free) struct ddp_kallsyms *k = NULL;

	if (file && !ddp_kallsyms_read(file, &k) && ddp_kallsyms_nr(k))
		return find(f, OK, "", "/proc/kallsyms names %zu kernel functions",
			    ddp_kallsyms_nr(k));
	return find(f, WORSE, "give CAP_SYSLOG; sysctl kernel.kptr_restrict=1 or 0",
		    "/proc/kallsyms shows no addresses: kernel frames stay without names");
}

static enum verdict (*const checks[])(struct finding *) = {
	check_module, check_family, check_perfmon, check_syslog, check_files, check_ahead,
	check_lockdown, check_unwinder, check_tables, check_kallsyms, check_headers,
};

static int run_checks(void)
{
	static const char *const words[] = { [OK] = "ok", [WORSE] = "note", [MISSING] = "MISSING" };
	int missing = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct finding f;
		enum verdict v = checks[i](&f);

		printf("%-8s %s\n", words[v], f.text);
		if (v != OK)
			printf("%-8s   -> %s\n", "", f.remedy);
		missing += v == MISSING;
	}
	if (missing)
		printf("\n%d thing%s missing before this machine can be profiled\n", missing,
		       missing > 1 ? "s are" : " is");
	else
		printf("\nready: ddprof -g profiles this machine\n");
	return missing ? CTL_FAILED : CTL_OK;
}

int ctl_doctor(int argc, char **argv)
{
	if (argc == 1)
		return run_checks();
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		puts("ddprofctl doctor\n\n"
		     "Says for each thing that profiling needs if it is there, or how to get it.\n"
		     "Exit status 1 when something is missing without which it does not work.");
		return CTL_OK;
	}
	ddp_log_error("doctor: %s: takes nothing but --help", argv[1]);
	return CTL_USAGE;
}
