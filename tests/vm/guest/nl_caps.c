// SPDX-License-Identifier: Apache-2.0
/*
 * Who may do what: each case runs in a child that keeps only the named capabilities. With the
 * argument "lockdown" instead: what START answers at each level of kernel lockdown; that is for
 * good, so it comes last. Run in the guest by test_netlink.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table.h"
#include "tap.h"

#define BIT(n) (1ULL << (n))
#define PERFMON BIT(CAP_PERFMON)
#define ALL (~0ULL)
#define KERNEL_AND_USER (DDPROF_FLAG_KERNEL | DDPROF_FLAG_USER)

struct may {
	const char *name;
	uint64_t caps;
	uint8_t cmd;
	uint32_t flags;	/* of START */
	int error;
};

static const struct may mays[] = {
	{ "no capability: GET_INFO", 0, DDPROF_CMD_GET_INFO, 0, EPERM },
	{ "no capability: GET_STATS", 0, DDPROF_CMD_GET_STATS, 0, EPERM },
	{ "no capability: START", 0, DDPROF_CMD_START, DDPROF_FLAG_USER, EPERM },
	{ "no capability: STOP", 0, DDPROF_CMD_STOP, 0, EPERM },
	{ "no capability: RESYNC", 0, DDPROF_CMD_RESYNC, 0, EPERM },
	{ "no capability: FILE_OPEN", 0, DDPROF_CMD_FILE_OPEN, 0, EPERM },
	{ "no capability: TABLE_BEGIN", 0, DDPROF_CMD_TABLE_BEGIN, 0, EPERM },
	{ "no capability: TABLE_DATA", 0, DDPROF_CMD_TABLE_DATA, 0, EPERM },
	{ "no capability: TABLE_COMMIT", 0, DDPROF_CMD_TABLE_COMMIT, 0, EPERM },
	{ "no capability: TABLE_DROP", 0, DDPROF_CMD_TABLE_DROP, 0, EPERM },
	{ "no capability: TABLE_LIST", 0, DDPROF_CMD_TABLE_LIST, 0, EPERM },
	{ "all but PERFMON and SYS_ADMIN: START", ALL & ~PERFMON & ~BIT(CAP_SYS_ADMIN),
	  DDPROF_CMD_START, DDPROF_FLAG_USER, EPERM },
	{ "PERFMON: GET_INFO", PERFMON, DDPROF_CMD_GET_INFO, 0, 0 },
	{ "PERFMON: user stacks", PERFMON, DDPROF_CMD_START, DDPROF_FLAG_USER, 0 },
	{ "SYS_ADMIN: user stacks", BIT(CAP_SYS_ADMIN), DDPROF_CMD_START, DDPROF_FLAG_USER, 0 },
	{ "PERFMON without SYSLOG: kernel stacks", PERFMON, DDPROF_CMD_START, KERNEL_AND_USER,
	  EPERM },
	{ "PERFMON without SYSLOG: default flags", PERFMON, DDPROF_CMD_START, 0, EPERM },
	{ "PERFMON and SYSLOG: kernel stacks", PERFMON | BIT(CAP_SYSLOG), DDPROF_CMD_START,
	  KERNEL_AND_USER, 0 },
	{ "PERFMON: TABLE_BEGIN goes on to the session", PERFMON, DDPROF_CMD_TABLE_BEGIN, 0,
	  ENOENT },
	{ "PERFMON: TABLE_DATA goes on to the session", PERFMON, DDPROF_CMD_TABLE_DATA, 0, ENOENT },
	{ "SYS_ADMIN: TABLE_COMMIT goes on to the session", BIT(CAP_SYS_ADMIN),
	  DDPROF_CMD_TABLE_COMMIT, 0, ENOENT },
	{ "PERFMON: TABLE_LIST", PERFMON, DDPROF_CMD_TABLE_LIST, 0, 0 },
	{ "PERFMON without DAC_READ_SEARCH: FILE_OPEN", PERFMON, DDPROF_CMD_FILE_OPEN, 0, EPERM },
	{ "PERFMON and DAC_READ_SEARCH: FILE_OPEN goes on to the id",
	  PERFMON | BIT(CAP_DAC_READ_SEARCH), DDPROF_CMD_FILE_OPEN, 0, ENOENT },
};

/* Effective capabilities; @keep: the permitted ones stay, to raise them again. */
static void set_caps(uint64_t caps, bool keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int i;

	if (syscall(SYS_capget, &head, data))
		tap_bail("capget: %s", strerror(errno));
	for (i = 0; i < 2; i++) {
		data[i].effective = data[i].permitted & (uint32_t)(caps >> 32 * i);
		if (!keep)
			data[i].permitted = data[i].effective;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data))
		tap_bail("capset: %s", strerror(errno));
}

static int ask(struct nl *nl, uint8_t cmd, uint32_t flags)
{
	static struct nl_message m;
	struct nl_stats stats;

	if (cmd == DDPROF_CMD_GET_STATS)
		return nl_stats(nl, &stats);
	if (cmd == DDPROF_CMD_START)
		return nl_start(nl, &(struct nl_start){ .flags = flags }, NULL);
	if (cmd == DDPROF_CMD_TABLE_LIST)
		return table_list(nl, NULL, 0);
	nl_begin(nl, &m, cmd, 0);
	if (cmd == DDPROF_CMD_FILE_OPEN)
		nl_put_u64(&m, DDPROF_A_FILE_ID, 1);
	if (cmd >= DDPROF_CMD_TABLE_BEGIN && cmd <= DDPROF_CMD_TABLE_DROP)
		nl_put_u64(&m, DDPROF_A_TABLE_FILE_ID, 1);
	if (cmd == DDPROF_CMD_TABLE_BEGIN)
		nl_put_u32(&m, DDPROF_A_TABLE_BYTES, 100);
	if (cmd == DDPROF_CMD_TABLE_DATA) {
		nl_put_u32(&m, DDPROF_A_TABLE_OFFSET, 0);
		nl_put(&m, DDPROF_A_TABLE_DATA, "", 1);
	}
	return nl_call(nl, &m, NULL);
}

static void expect(const char *name, int ret, int error, const struct nl *nl)
{
	tap(ret == -error && (!error || nl->text[0]), name, "%s instead of %s (\"%s\")",
	    strerror(-ret), strerror(error), nl->text);
}

/*
 * Open with these, ask with those. Who opened a socket counts where the message is sent by plain
 * write(), as a privileged program would that was given a stranger's socket as its output; the
 * kernel makes that distinction.
 */
static void ask_as(const char *name, uint64_t open_caps, uint64_t ask_caps, uint8_t cmd,
		   uint32_t flags, int error)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid) {
		struct nl nl = {};

		set_caps(open_caps, true);
		if (nl_open(&nl) || !nl.family)
			tap_bail("no family");
		nl.by_write = open_caps != ask_caps;
		set_caps(ask_caps, false);
		expect(name, ask(&nl, cmd, flags), error, &nl);
		_exit(tap_failures);
	}
	waitpid(pid, &status, 0);
	tap_failures += status != 0;
}

static void other_network_namespace(void)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid) {
		struct nl nl = {};
		int ret;

		if (unshare(CLONE_NEWNET))
			tap_bail("unshare: %s", strerror(errno));
		ret = nl_open(&nl);
		tap(!ret && !nl.family, "another network namespace has no such family", "%s, id %u",
		    strerror(-ret), nl.family);
		_exit(tap_failures);
	}
	waitpid(pid, &status, 0);
	tap_failures += status != 0;
}

static void capabilities(void)
{
	size_t i;

	for (i = 0; i < sizeof(mays) / sizeof(mays[0]); i++)
		ask_as(mays[i].name, mays[i].caps, mays[i].caps, mays[i].cmd, mays[i].flags,
		       mays[i].error);
	ask_as("capability dropped after the socket was opened", ALL, 0, DDPROF_CMD_START,
	       DDPROF_FLAG_USER, EPERM);
	ask_as("socket opened without the capability, used with it", 0, ALL, DDPROF_CMD_START,
	       DDPROF_FLAG_USER, EPERM);
	other_network_namespace();
}

static void lock_down(const char *level)
{
	int fd = open("/sys/kernel/security/lockdown", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, level, strlen(level)) < 0)
		tap_bail("lockdown %s: %s", level, strerror(errno));
	close(fd);
}

static void lockdown(void)
{
	mount("none", "/sys/kernel/security", "securityfs", 0, NULL);
	lock_down("integrity");
	ask_as("lockdown integrity: START is allowed", ALL, ALL, DDPROF_CMD_START, 0, 0);
	lock_down("confidentiality");
	ask_as("lockdown confidentiality: START is refused", ALL, ALL, DDPROF_CMD_START, 0, EACCES);
	ask_as("lockdown confidentiality: GET_INFO still answers", ALL, ALL, DDPROF_CMD_GET_INFO, 0,
	       0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "lockdown"))
		lockdown();
	else
		capabilities();
	return tap_failures != 0;
}
