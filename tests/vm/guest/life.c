// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a session, seen from a raw socket: CPUs that go and come back, readers that are
 * slow, killed or out of step, and the module itself loaded and unloaded. usage: life CASE
 * [ARG...], the cases are at the end. Run in the guest by test_life.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "load.h"
#include "patched.h"
#include "session.h"
#include "tap.h"

enum { NR_THREADS = 3 }; /* on two CPUs: neither is ever idle */

static struct stream stream;
static pthread_t threads[NR_THREADS];

static void begin(struct nl *nl, const struct nl_start *how)
{
	session_begin(nl, &stream, NULL, how);
}

/* -- cases -- */

static void hotplug(char **args)
{
	struct nl_stats both, gone, still_gone, back, end;
	struct nl nl;

	(void)args;
	load_begin(threads, NR_THREADS);
	begin(&nl, &(struct nl_start){ .hz = 997 });
	session_follow(&nl, 1);
	nl_stats(&nl, &both);
	set_online(1, false);
	nl_stats(&nl, &gone);
	session_follow(&nl, 0.5);
	nl_stats(&nl, &still_gone);
	set_online(1, true);
	session_follow(&nl, 1);
	nl_stats(&nl, &back);
	session_finish(&nl, &stream, &end);
	load_finish(threads, NR_THREADS);
	tap(both.cpu_online[1] && both.cpu_samples[1] > 200, "CPU 1 is sampled",
	    "online %u, %llu samples", both.cpu_online[1], (unsigned long long)both.cpu_samples[1]);
	tap(!gone.cpu_online[1] && gone.cpu_samples[1] == still_gone.cpu_samples[1],
	    "CPU 1 offline: not sampled", "online %u, %llu samples, then %llu", gone.cpu_online[1],
	    (unsigned long long)gone.cpu_samples[1], (unsigned long long)still_gone.cpu_samples[1]);
	tap(still_gone.cpu_samples[0] > gone.cpu_samples[0] + 200, "CPU 1 offline: CPU 0 goes on",
	    "%llu samples, then %llu", (unsigned long long)gone.cpu_samples[0],
	    (unsigned long long)still_gone.cpu_samples[0]);
	tap(back.cpu_online[1] && back.cpu_samples[1] > still_gone.cpu_samples[1] + 200,
	    "CPU 1 back online: sampled again", "online %u, %llu samples, then %llu",
	    back.cpu_online[1], (unsigned long long)still_gone.cpu_samples[1],
	    (unsigned long long)back.cpu_samples[1]);
	session_accounts("CPU 1 going and coming loses no sample", &stream, &end, SESSION_MAY_LOSE);
	session_leave(&nl, &stream);
}

/* Whether /proc/timer_list names that function: an armed timer. */
static bool timer_armed(const char *function)
{
	FILE *f = fopen("/proc/timer_list", "re");
	char line[256];
	bool found = false;

	if (!f)
		tap_bail("/proc/timer_list: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, function) != NULL;
	fclose(f);
	return found;
}

static bool has_owner(struct nl *nl)
{
	static struct nl_answer a;
	int ret = nl_simple(nl, DDPROF_CMD_GET_INFO, &a);

	if (ret)
		tap_bail("GET_INFO: %s (%s)", strerror(-ret), nl->text);
	return nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_OWNER, 0) != 0;
}

/* A child that owns a session and reads it. */
static pid_t collector(uint32_t sampler)
{
	struct nl nl;
	pid_t pid = fork();

	if (pid)
		return pid;
	begin(&nl, &(struct nl_start){ .hz = 997, .sampler = sampler });
	for (;;)
		nl_receive(&nl, 1000);
}

static void kill_one(struct nl *nl, uint32_t sampler, const char *timer, const char *name)
{
	double begin_s, took_s;
	bool was_armed;
	int i;
	pid_t pid = collector(sampler);

	for (i = 0; i < 500 && !has_owner(nl); i++)
		usleep(10000);
	if (i == 500)
		tap_bail("no session came");
	was_armed = timer_armed(timer);
	begin_s = now_s();
	kill(pid, SIGKILL);
	while (has_owner(nl) && now_s() < begin_s + 5)
		usleep(5000);
	took_s = now_s() - begin_s;
	waitpid(pid, NULL, 0);
	tap(took_s < 1 && was_armed && !timer_armed(timer), name,
	    "gone after %.2f s; timer armed before: %d, after: %d", took_s, was_armed,
	    timer_armed(timer));
}

static void killed(char **args)
{
	struct nl nl = {};
	struct nl_stats stats;

	(void)args;
	load_begin(threads, NR_THREADS);
	if (nl_open(&nl))
		tap_bail("no socket");
	kill_one(&nl, DDPROF_SAMPLER_HRTIMER, "ddp_timer_fire",
		 "collector killed: hrtimer session gone within a second, nothing armed");
	kill_one(&nl, DDPROF_SAMPLER_PERF, "perf_swevent_hrtimer",
		 "collector killed: perf session gone within a second, nothing armed");
	nl_stats(&nl, &stats);
	tap(!stats.cpus, "collector killed: no CPU has statistics any more", "%u have", stats.cpus);
	load_finish(threads, NR_THREADS);
	nl_close(&nl);
}

/*
 * As finish(), but the receive buffer may be so full that the acknowledgement finds no room:
 * nobody waits for it.
 */
static void finish_slowly(struct nl *nl, struct nl *other, struct nl_stats *stats)
{
	static struct nl_message m;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int pauses;

	nl_begin(nl, &m, DDPROF_CMD_STOP, 0);
	if (sendto(nl->fd, m.bytes, m.len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		tap_bail("STOP: %s", strerror(errno));
	nl_stats(other, stats);
	for (pauses = 0; !stream.ended && pauses < 1000; pauses++) {
		usleep(10000);
		nl_receive(nl, 2000);
	}
}

/*
 * A reader with room for one message that dawdles: the kernel waits for it, during the session
 * and after STOP.
 */
static void slow(char **args)
{
	struct nl_stats stats;
	struct nl nl, other = {};
	int bytes = 4096;

	(void)args;
	load_begin(threads, NR_THREADS);
	begin(&nl, &(struct nl_start){ .hz = 10000, .ring_kib = 4096,
	      .flags = DDPROF_FLAG_KERNEL | DDPROF_FLAG_USER | DDPROF_FLAG_TIMESTAMPS });
	setsockopt(nl.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (nl_open(&other))
		tap_bail("no second socket");
	sleep(2); /* nobody reads */
	finish_slowly(&nl, &other, &stats);
	load_finish(threads, NR_THREADS);
	tap(stream.messages > 4, "slow reader: there was more than fits", "%llu messages",
	    (unsigned long long)stream.messages);
	session_accounts("slow reader: nothing is lost and the end arrives", &stream, &stats,
			 SESSION_MAY_LOSE);
	tap(!stream_lost(&stream), "slow reader: the rings had room", "%llu lost",
	    (unsigned long long)stream_lost(&stream));
	nl_close(&other);
	session_leave(&nl, &stream);
}

/* Nobody reads until the smallest ring is full: loss, and all of it counted. */
static void overflow(char **args)
{
	struct nl_stats stats;
	struct nl nl, other = {};
	uint64_t lost;
	int bytes = 4096;

	(void)args;
	load_begin(threads, NR_THREADS);
	begin(&nl, &(struct nl_start){ .hz = 10000, .ring_kib = 64,
	      .flags = DDPROF_FLAG_USER | DDPROF_FLAG_KERNEL | DDPROF_FLAG_TIMESTAMPS });
	setsockopt(nl.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (nl_open(&other))
		tap_bail("no second socket");
	sleep(3);
	nl_stats(&other, &stats);
	lost = stats.n[DDPROF_A_STATS_LOST_RING];
	tap(lost > 100, "nobody reads: full rings lose samples, counted", "%llu lost",
	    (unsigned long long)lost);
	session_follow(&nl, 0.5);
	finish_slowly(&nl, &other, &stats);
	load_finish(threads, NR_THREADS);
	session_accounts("nobody reads: arrived and lost add up to what was taken", &stream, &stats,
			 SESSION_MAY_LOSE);
	nl_close(&other);
	session_leave(&nl, &stream);
}

static void resync(char **args)
{
	struct nl_stats stats;
	uint64_t stacks, seen, files;
	struct nl nl;
	int ret;

	(void)args;
	load_begin(threads, NR_THREADS);
	begin(&nl, &(struct nl_start){ .hz = 997 });
	session_follow(&nl, 1);
	stacks = stream.stacks;
	seen = stream.seen_records;
	files = stream.nr_files;
	stream_await_resync(&stream);
	ret = nl_simple(&nl, DDPROF_CMD_RESYNC, NULL);
	session_follow(&nl, 1);
	session_finish(&nl, &stream, &stats);
	load_finish(threads, NR_THREADS);
	tap(!ret && stream.cpu[0].resynced && stream.cpu[1].resynced,
	    "RESYNC: every stream says when it is done", "%s, %u marks", strerror(-ret),
	    stream.resync_marks);
	tap(stream.stacks > stacks && stream.seen_records > seen && stream.nr_files > files,
	    "RESYNC: stacks, names and files are told anew", "stacks %llu, then %llu more",
	    (unsigned long long)stacks, (unsigned long long)(stream.stacks - stacks));
	session_accounts("RESYNC: no count is lost or doubled", &stream, &stats, SESSION_MAY_LOSE);
	session_leave(&nl, &stream);
}

/*
 * An event that this machine does not have and that may be replaced: the CPU clock takes its
 * place, and the answer says why.
 */
static void fallback(char **args)
{
	static struct nl_message m;
	static struct nl_answer a;
	struct nl nl = {};
	const uint8_t *event;
	size_t nest, len = 0;
	int ret;

	(void)args;
	if (nl_open(&nl))
		tap_bail("no socket");
	nl_begin(&nl, &m, DDPROF_CMD_START, 0);
	nest = nl_nest(&m, DDPROF_A_START_EVENT | NLA_F_NESTED);
	nl_put_u32(&m, DDPROF_A_EVENT_SAMPLER, DDPROF_SAMPLER_PERF);
	nl_put_u32(&m, DDPROF_A_EVENT_TYPE, PERF_TYPE_HARDWARE);
	nl_put_u64(&m, DDPROF_A_EVENT_CONFIG, PERF_COUNT_HW_CPU_CYCLES);
	nl_put_u64(&m, DDPROF_A_EVENT_PERIOD, 1000000);
	nl_put_u32(&m, DDPROF_A_EVENT_ON_MISSING, DDPROF_MISSING_REPLACE);
	nl_nest_end(&m, nest);
	ret = nl_call(&nl, &m, &a);
	event = nl_attr(a.attrs, a.len, DDPROF_A_STARTED_EVENT, &len);
	tap(!ret && event &&
	    nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_FALLBACK, 0) == ENOENT &&
	    nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_UNIT, 0) == DDPROF_UNIT_NANOSECONDS &&
	    nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_PERIOD, 0) >= 100000,
	    "a hardware event without a PMU falls back to the CPU clock and says so",
	    "%s (%s), fallback %llu", strerror(-ret), nl.text, !event ? 0ULL : (unsigned long long)
	    nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_FALLBACK, 0));
	nl_close(&nl);
}

/* -- hostile circumstances -- */

static long mem_available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* A process with memory of its own that is surely sampled, gone when this returns. */
static void short_and_fat(void)
{
	enum { BYTES = 4 << 20, WORK = 3000000 };
	volatile uint64_t work = 0;
	pid_t pid = fork();
	char *p;
	int i;

	if (!pid) {
		p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		for (i = 0; i < WORK; i++)
			work += i;
		(void)work;
		_exit(p == MAP_FAILED);
	}
	waitpid(pid, NULL, 0);
}

/*
 * A collector that has stopped reading must not keep dead processes' memory: 150 of them would be
 * 600 MiB.
 */
static void stuck(char **args)
{
	enum { PROCESSES = 150, MOST_KIB = 100 << 10 };
	struct nl nl;
	int bytes = 4096, i;
	long before;

	(void)args;
	begin(&nl, &(struct nl_start){ .hz = 997 });
	setsockopt(nl.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	for (i = 0; i < 20; i++) /* until the buffer is full */
		short_and_fat();
	before = mem_available_kib();
	for (i = 0; i < PROCESSES; i++)
		short_and_fat();
	tap(before > 0 && before - mem_available_kib() < MOST_KIB,
	    "a collector that does not read keeps no dead process's memory", "%ld MiB are gone",
	    (before - mem_available_kib()) >> 10);
	session_leave(&nl, &stream);
}

/* A child that owns a session tells its port and waits to be killed. */
static pid_t owner_of_port(uint32_t *port)
{
	int tell[2];
	struct nl nl;
	pid_t pid;

	if (pipe(tell))
		tap_bail("no pipe");
	pid = fork();
	if (!pid) {
		begin(&nl, &(struct nl_start){ .hz = 4999, .flush_ms = 10 });
		if (write(tell[1], &nl.port, sizeof(nl.port)) < 0)
			_exit(1);
		session_follow(&nl, 60);
		_exit(0);
	}
	if (read(tell[0], port, sizeof(*port)) != sizeof(*port))
		tap_bail("the owner has no session");
	close(tell[0]);
	close(tell[1]);
	return pid;
}

/* Binds to @port as soon as its owner lets go of it, and counts what arrives there. */
static int listen_in(uint32_t port, double seconds)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_pid = port };
	double until = now_s() + seconds;
	struct nl nl = {
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC),
	};
	static char bytes[65536];
	int n = 0;

	while (bind(nl.fd, (struct sockaddr *)&addr, sizeof(addr)))
		if (now_s() > until)
			tap_bail("the port stays taken");
	while (now_s() < until)
		n += recv(nl.fd, bytes, sizeof(bytes), 0) > 0;
	close(nl.fd);
	return n;
}

/* Samples are for the socket that asked, not for whoever gets its number next. */
static void port_reuse(char **args)
{
	enum { TIMES = 10 };
	int i, heard = 0;
	uint32_t port;
	pid_t pid;

	(void)args;
	load_begin(threads, NR_THREADS);
	for (i = 0; i < TIMES; i++) {
		pid = owner_of_port(&port);
		usleep(100000);
		kill(pid, SIGKILL);
		heard += listen_in(port, 0.5);
		waitpid(pid, NULL, 0);
	}
	load_finish(threads, NR_THREADS);
	tap(!heard, "a killed collector's port number gives nobody its samples",
	    "%d messages were heard", heard);
}

/* -- the module itself -- */

static int load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		ret = -errno;
	close(fd);
	return ret;
}

/* The nth allocation of this task from now on fails; 0: none. @fd: /proc/self/fail-nth, opened before. */
static void fail_nth(int fd, int n)
{
	char text[12];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fd, text, len, 0) != len)
		tap_bail("/proc/self/fail-nth cannot be written");
}

/* Whether the allocation that fail_nth() chose was reached. */
static bool nth_failed(int fd)
{
	char text[12] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		tap_bail("/proc/self/fail-nth cannot be read");
	return !atoi(text);
}

/*
 * Each allocation of START fails in turn: a clean ENOMEM and no session, or a session all the same. Only a
 * kernel with fault injection can do it: make check-debug.
 */
static void no_memory(char **args)
{
	int fd = open("/proc/self/fail-nth", O_RDWR), n, refused = 0, ret = 0;
	struct nl nl = {};
	bool reached;

	(void)args;
	if (fd < 0 || nl_open(&nl))
		tap_bail("no family, or no fault injection");
	for (n = 1; n < 1000; n++) {
		fail_nth(fd, n);
		ret = nl_start(&nl, &(struct nl_start){ .tgid = getpid() }, NULL);
		reached = nth_failed(fd);
		fail_nth(fd, 0);
		if (!reached)
			break;
		if (ret && ret != -ENOMEM && ret != -ENOBUFS)
			break;
		refused += !!ret;
		nl_close(&nl);
		if (nl_open(&nl))
			tap_bail("no family after failure %d", n);
	}
	tap(!ret && n > 10 && n < 1000 && refused > 5, "each allocation of START fails once",
	    "%d were reached, %d refused, the last answer %s", n - 1, refused, strerror(-ret));
	printf("# %d allocations, %d of them are needed\n", n - 1, refused);
	nl_close(&nl);
	close(fd);
}

static int unload_module(void)
{
	return syscall(SYS_delete_module, "ddprof_kmod", O_NONBLOCK) ? -errno : 0;
}

/* A session ends within a second of its socket's close. */
static int unload_after_session(void)
{
	int ret, tries;

	for (tries = 0; tries < 100; tries++) {
		ret = unload_module();
		if (ret != -EAGAIN)
			break;
		usleep(10000);
	}
	return ret;
}

static void refused_unload(void)
{
	struct nl nl;
	int running, after;

	begin(&nl, &(struct nl_start){});
	running = unload_module();
	session_leave(&nl, &stream);
	after = unload_after_session();
	tap(running == -EAGAIN && !after,
	    "unloading while a session runs is refused, afterwards not",
	    "%s, then %s", strerror(-running), strerror(-after));
}

/* ARG: path of the module, times. The module is not loaded before and after. */
static void reload(char **args)
{
	static const struct nl_event faults = {
		PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, .period = 1,
	};
	int n = atoi(args[1]), i, ret, key = keep_patched(faults.type, faults.config);
	uint64_t samples = 0;
	struct nl_stats stats;
	struct nl nl;

	load_begin(threads, NR_THREADS);
	for (i = 0; i < n; i++) {
		ret = load_module(args[0]);
		if (ret)
			tap_bail("load %d: %s", i, strerror(-ret));
		begin(&nl, &(struct nl_start){ .hz = 4999, .sampler = 1 + i % 2, .flush_ms = 10,
		      .events = &faults, .nr_events = 1 });
		session_follow(&nl, 0.02);
		if (i % 2) {
			session_finish(&nl, &stream, &stats);
			samples += stream_hits(&stream);
		}
		if (stream.broken[0])
			tap_bail("session %d: %s", i, stream.broken);
		session_leave(&nl, &stream);
		if (i + 1 < n && (ret = unload_after_session()))
			tap_bail("unload %d: %s", i, strerror(-ret));
	}
	refused_unload();
	load_finish(threads, NR_THREADS);
	close(key);
	tap(i == n && samples, "the module is loaded and unloaded again and again under load",
	    "%llu samples", (unsigned long long)samples);
}

static const struct {
	const char *name;
	int nr_args;
	void (*run)(char **args);
} cases[] = {
	{ "hotplug", 0, hotplug },
	{ "killed", 0, killed },
	{ "slow", 0, slow },
	{ "overflow", 0, overflow },
	{ "resync", 0, resync },
	{ "fallback", 0, fallback },
	{ "no_memory", 0, no_memory },
	{ "stuck", 0, stuck },
	{ "port_reuse", 0, port_reuse },
	{ "reload", 2, reload },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) || argc != 2 + cases[i].nr_args)
			continue;
		cases[i].run(argv + 2);
		return tap_failures != 0;
	}
	tap_bail("usage: life CASE [ARG...]");
}
