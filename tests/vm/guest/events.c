// SPDX-License-Identifier: Apache-2.0
/*
 * Software events and tracepoints, counted: a program that touches so many pages, sleeps so many
 * times and sends so many signals, seen from a raw socket with the CPU's timer beside them;
 * the stacks they come with; CPUs that go and come under them; what START makes of events that
 * this machine does not have. usage: events CASE [ARG...], the cases are at the end. Run in the
 * guest by test_events.sh, which has mounted tracefs.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "load.h"
#include "patched.h"
#include "session.h"
#include "tap.h"

enum { NR_THREADS = 3 };	/* on two CPUs: neither is ever idle */

/* Their places in START; the first is the timer. */
enum { TIMER, FAULTS, SWITCHES, SENT, NR_EVENTS };

/* What kind_of makes of a stack: its event, and whether it is one that we know the frames of. */
enum { RIGHT = 8 };

static struct stream stream;
static struct nl_event events[NR_EVENTS - 1] = {
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, .period = 1 },
	{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, .period = 1 },
	{ PERF_TYPE_TRACEPOINT, 0, .period = 1 },	/* signal_generate */
};

/* -- what is counted -- */

enum { PAGES = 3000, SLEEPS = 400, SIGNALS = 5000 };

static void touch_pages(char *p)
{
	volatile char *page = p;
	int i;

	for (i = 0; i < PAGES; i++)
		page[i * 4096] = 1;
}
static void touch_pages_end(void) {}

/* Without libc in between: no unwind tables are uploaded, and libc has no frame pointers. */
static inline long __attribute__((always_inline))
bare_syscall(long number, long first, long second)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(first), "S"(second)
			 : "rcx", "r11", "memory");
	return ret;
}

static void sleep_often(void)
{
	struct timespec t = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < SLEEPS; i++)
		bare_syscall(SYS_nanosleep, (long)&t, 0);
}
static void sleep_often_end(void) {}

/* A signal that is ignored, to itself: nothing but the tracepoint comes of it. */
static void signal_often(void)
{
	long self = bare_syscall(SYS_getpid, 0, 0);
	int i;

	for (i = 0; i < SIGNALS; i++)
		bare_syscall(SYS_kill, self, SIGURG);
}
static void signal_often_end(void) {}

#define INSIDE(function, address) \
	((address) >= (uintptr_t)(function) && (address) < (uintptr_t)(function##_end))

static bool right_caller(const struct stream_stack *stack)
{
	uint64_t i;

	for (i = 0; i < stack->nr_user; i++) {
		if (stack->event == FAULTS && i == 0 && INSIDE(touch_pages, stack->user[i]))
			return true;
		if (stack->event == SWITCHES && INSIDE(sleep_often, stack->user[i]))
			return true;
		if (stack->event == SENT && INSIDE(signal_often, stack->user[i]))
			return true;
	}
	return false;
}

static uint8_t kind_of(void *ctx, const struct stream_stack *stack)
{
	(void)ctx;
	return stack->event % RIGHT + (right_caller(stack) ? RIGHT : 0);
}

static uint64_t counted(uint32_t event)
{
	return stream.kinds[0][event] + stream.kinds[1][event] +
	       stream.kinds[0][event + RIGHT] + stream.kinds[1][event + RIGHT];
}

static uint64_t right(uint32_t event)
{
	return stream.kinds[0][event + RIGHT] + stream.kinds[1][event + RIGHT];
}

/* -- sessions -- */

/* 0, which none has: this kernel does not have it. */
static uint64_t tracepoint_id(const char *name)
{
	unsigned long long id = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &id) != 1)
		tap_bail("%s has no number", path);
	fclose(f);
	return id;
}

static void begin(struct nl *nl, const struct nl_start *how)
{
	session_begin(nl, &stream, kind_of, how);
}

/* -- cases -- */

/* On a loaded host a sleep may be over before it began: the kernel's own count is the truth. */
static uint64_t switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* Small ones, whatever the machine would rather give; one without huge pages refuses to say so. */
static char *untouched_pages(void)
{
	char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		tap_bail("no memory");
	madvise(p, PAGES * 4096, MADV_NOHUGEPAGE);
	return p;
}

/*
 * A child that waits for a byte, works, and ends: *ret_go is where the byte goes, *ret_switches
 * how often it was switched away from while it slept.
 */
static pid_t worker(int *ret_go, uint64_t **ret_switches)
{
	char *p = untouched_pages();
	uint64_t *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			      0), before;
	int go[2];
	pid_t pid;
	char c;

	if (told == MAP_FAILED || pipe(go))
		tap_bail("no memory or pipe");
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		touch_pages(p);
		before = switches();
		sleep_often();
		*told = switches() - before;
		signal_often();
		_exit(0);
	}
	close(go[0]);
	*ret_go = go[1];
	*ret_switches = told;
	return pid;
}

static void between(uint32_t event, uint64_t least, uint64_t most, const char *name)
{
	tap(counted(event) >= least && counted(event) <= most, name,
	    "%llu instead of %llu to %llu", (unsigned long long)counted(event),
	    (unsigned long long)least, (unsigned long long)most);
}

static void exact(char **args)
{
	struct nl_stats stats;
	struct nl nl;
	uint64_t *slept;
	int go, status;
	pid_t pid = worker(&go, &slept);

	(void)args;
	begin(&nl, &(struct nl_start){ .hz = 997, .tgid = pid, .events = events,
	      .nr_events = NR_EVENTS - 1, .ring_kib = 4096 });
	if (write(go, "", 1) != 1)
		tap_bail("the worker does not listen");
	while (waitpid(pid, &status, WNOHANG) == 0)
		nl_receive(&nl, 50);
	session_finish(&nl, &stream, &stats);
	/* what libc and the kernel add: pages copied at the start, the scheduler's switches */
	between(FAULTS, PAGES, PAGES + 100, "page faults: one for each page that is touched");
	tap(right(FAULTS) == PAGES, "page faults: in the function that touches them, exactly",
	    "%llu of %d", (unsigned long long)right(FAULTS), PAGES);
	tap(right(SWITCHES) == *slept && *slept >= SLEEPS / 2,
	    "context switches: as many as the kernel counts, below the function that sleeps",
	    "%llu there of %llu", (unsigned long long)right(SWITCHES), (unsigned long long)*slept);
	tap(right(SENT) == SIGNALS,
	    "a tracepoint: one for each signal, below the function that sends them",
	    "%llu, %llu there", (unsigned long long)counted(SENT),
	    (unsigned long long)right(SENT));
	tap(counted(TIMER) > 0, "the CPU's timer goes on beside them", "no sample of it");
	session_accounts("four events at once lose nothing", &stream, &stats, 0);
	session_leave(&nl, &stream);
	close(go);
}

/* The same, under a profiler that somebody else has started: see test_events.sh. */
static void work(char **args)
{
	(void)args;
	touch_pages(untouched_pages());
	sleep_often();
	signal_often();
}

/* A period of ten is a tenth of the samples. */
static void tenth(char **args)
{
	struct nl_event tenths[] = {
		{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, .period = 10 },
		{ PERF_TYPE_TRACEPOINT, events[SENT - 1].config, .period = 100 },
	};
	struct nl_stats stats;
	struct nl nl;
	uint64_t *slept;
	int go, status;
	pid_t pid = worker(&go, &slept);

	(void)args;
	begin(&nl, &(struct nl_start){ .tgid = pid, .events = tenths, .nr_events = 2 });
	if (write(go, "", 1) != 1)
		tap_bail("the worker does not listen");
	while (waitpid(pid, &status, WNOHANG) == 0)
		nl_receive(&nl, 50);
	session_finish(&nl, &stream, &stats);
	/* the counters are the CPUs': what others do there moves the phase */
	between(1, PAGES / 10 * 8 / 10, PAGES / 10 * 12 / 10, "every tenth page fault is a sample");
	between(2, SIGNALS / 100 * 8 / 10, SIGNALS / 100 * 12 / 10,
		"every hundredth signal is a sample");
	session_accounts("events by period lose nothing", &stream, &stats, 0);
	session_leave(&nl, &stream);
	close(go);
}

/* Faults and signals on every CPU, all the time. */
static void *busy_thread(void *unused)
{
	(void)unused;
	while (!load_end) {
		char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int i;

		for (i = 0; p != MAP_FAILED && i < 64; i++) {
			((volatile char *)p)[i * 4096] = 1;
			syscall(SYS_kill, getpid(), SIGURG);
		}
		munmap(p, 64 * 4096);
	}
	return NULL;
}

static void busy_begin(pthread_t *threads)
{
	int i;

	load_end = false;
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, busy_thread, NULL))
			tap_bail("no thread");
}

/*
 * Far more events than the budget of 1 % pays for: those that are taken stand for the rest, and the
 * timer beside them is not starved.
 */
static void flood(char **args)
{
	enum { FLOOD = 60 };	/* times SIGNALS */
	struct nl_stats stats;
	uint64_t seen;
	struct nl nl;
	pid_t pid;
	int go[2], i;
	char c;

	(void)args;
	if (pipe(go))
		tap_bail("no pipe");
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		for (i = 0; i < FLOOD; i++)
			signal_often();
		_exit(0);
	}
	begin(&nl, &(struct nl_start){ .hz = 97, .tgid = pid, .budget = 10,
	      .events = &events[SENT - 1], .nr_events = 1 });
	if (write(go[1], "", 1) != 1)
		tap_bail("the worker does not listen");
	while (waitpid(pid, NULL, WNOHANG) == 0)
		nl_receive(&nl, 50);
	session_finish(&nl, &stream, &stats);
	seen = stats.n[DDPROF_A_STATS_SAMPLES] + stats.n[DDPROF_A_STATS_SKIPPED];
	/* the timer's are among them, some hundreds of both CPUs */
	tap(seen >= FLOOD * SIGNALS && seen < FLOOD * SIGNALS * 11ULL / 10,
	    "a flood of events: each is a sample or skipped", "%llu", (unsigned long long)seen);
	tap(stats.n[DDPROF_A_STATS_SKIPPED] > FLOOD * SIGNALS / 2,
	    "a flood of events: most of them are skipped", "%llu skipped",
	    (unsigned long long)stats.n[DDPROF_A_STATS_SKIPPED]);
	/* what was skipped after the last one that was taken, half a second at most, is in none */
	between(1, FLOOD * SIGNALS / 3, FLOOD * SIGNALS,
		"a flood of events: those that are taken stand for those before them");
	tap(counted(TIMER) > 0, "a flood of events: the timer is not starved", "no sample of it");
	session_leave(&nl, &stream);
	close(go[0]);
	close(go[1]);
}

/* A tracepoint that counts nanoseconds: one sample each time, whose count is all of them. */
static void weight(char **args)
{
	struct nl_event runtime = {
		PERF_TYPE_TRACEPOINT, tracepoint_id("sched/sched_stat_runtime"), .period = 1,
	};
	struct rusage usage;
	struct nl_stats stats;
	uint64_t *slept, cpu_ns;
	struct nl nl;
	int go;
	pid_t pid = worker(&go, &slept);

	(void)args;
	begin(&nl, &(struct nl_start){ .hz = 1, .tgid = pid, .events = &runtime, .nr_events = 1 });
	if (write(go, "", 1) != 1)
		tap_bail("the worker does not listen");
	while (wait4(pid, NULL, WNOHANG, &usage) == 0)
		nl_receive(&nl, 50);
	session_finish(&nl, &stream, &stats);
	cpu_ns = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ULL +
		 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ULL;
	/* the fork was before the session, the end of its exit is after its last address space */
	between(1, cpu_ns * 7 / 10, cpu_ns * 11 / 10, "events that count many at once do so");
	tap(stats.n[DDPROF_A_STATS_SAMPLES] < 100000, "with one sample each", "%llu samples",
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES]);
	session_leave(&nl, &stream);
	close(go);
}

/*
 * Events that sampling itself causes (the interrupt that wakes the drain thread, its waking, faults
 * of our own walk) beside those of the machine, with no limit but the rings: nobody hangs.
 */
static void storm(char **args)
{
	static const char *const names[] = {
		"irq_vectors/irq_work_entry", "exceptions/page_fault_kernel",
		"exceptions/page_fault_user", "sched/sched_wakeup", "sched/sched_switch",
		"kmem/kmem_cache_alloc", "timer/hrtimer_start",
	};
	enum { NR = sizeof(names) / sizeof(names[0]) };
	struct nl_event all[NR];
	pthread_t threads[NR_THREADS];
	struct nl_stats stats;
	struct nl nl;
	int i;

	(void)args;
	for (i = 0; i < NR; i++)
		all[i] = (struct nl_event){ PERF_TYPE_TRACEPOINT, tracepoint_id(names[i]),
			.period = 1, .missing = DDPROF_MISSING_SKIP };
	for (i = 0; i < NR; i++)
		if (all[i].config)
			keep_patched(PERF_TYPE_TRACEPOINT, all[i].config);
	busy_begin(threads);
	begin(&nl, &(struct nl_start){ .hz = 997, .events = all, .nr_events = NR, .ring_kib = 64 });
	session_follow(&nl, 2);
	session_finish(&nl, &stream, &stats);
	load_finish(threads, NR_THREADS);
	tap(stream.ended && !stream.broken[0] && !stream_unknown(&stream) &&
	    stream_hits(&stream) == stats.n[DDPROF_A_STATS_SAMPLES],
	    "events that sampling causes are sampled, or counted, and it ends",
	    "ended %d, %llu taken, %llu arrived; %s", stream.ended,
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES],
	    (unsigned long long)stream_hits(&stream), stream.broken);
	for (i = 0; i < NR; i++)
		printf("# %s: %llu\n", names[i], (unsigned long long)counted(i + 1));
	printf("# %llu inside of samples, %llu found no room\n",
	       (unsigned long long)stats.n[DDPROF_A_STATS_LOST_NESTED],
	       (unsigned long long)stats.n[DDPROF_A_STATS_LOST_RING]);
	session_leave(&nl, &stream);
}

/* Waits until CPU 1 has been sampled some more, which is when its counters are there again. */
static bool sampled_again(struct nl *nl, uint64_t more)
{
	struct nl_stats first, now;
	double until = now_s() + 20;

	nl_stats(nl, &first);
	do {
		session_follow(nl, 0.05);
		nl_stats(nl, &now);
	} while (now.cpu_samples[1] < first.cpu_samples[1] + more && now_s() < until);
	return now.cpu_samples[1] >= first.cpu_samples[1] + more;
}

/* ARG: how often CPU 1 goes and comes. By the slow timer alone nobody would see so many samples. */
static void hotplug(char **args)
{
	enum { MANY = 300 };
	int times = atoi(args[0]), i, again = 0, quiet = 0;
	struct nl_stats gone, still_gone, stats;
	pthread_t threads[NR_THREADS];
	struct nl nl;

	busy_begin(threads);
	begin(&nl, &(struct nl_start){ .hz = 1, .events = events, .nr_events = NR_EVENTS - 1,
	      .ring_kib = 16384 });
	again += sampled_again(&nl, MANY);
	for (i = 0; i < times; i++) {
		set_online(1, false);
		nl_stats(&nl, &gone);
		session_follow(&nl, 0.05);
		nl_stats(&nl, &still_gone);
		quiet += gone.cpu_samples[1] == still_gone.cpu_samples[1];
		set_online(1, true);
		again += sampled_again(&nl, MANY);
	}
	load_finish(threads, NR_THREADS);
	session_finish(&nl, &stream, &stats);
	tap(quiet == times, "CPU 1 offline: no event of it is sampled", "%d times of %d", quiet,
	    times);
	tap(again == times + 1, "CPU 1 back online: its events are sampled again",
	    "%d times of %d", again, times + 1);
	session_accounts("events of a CPU that goes and comes lose no sample", &stream, &stats, 0);
	session_leave(&nl, &stream);
}

/*
 * Sessions with counters on both CPUs, begun and ended at the worst moments: while CPU 1 goes and
 * comes. ARG: how many.
 */
static void churn(char **args)
{
	int n = atoi(args[0]), i, status;
	pthread_t threads[NR_THREADS];
	uint64_t samples = 0;
	struct nl_stats stats;
	struct nl nl;
	pid_t pid = fork();

	if (!pid) {
		for (;;) {
			set_online(1, false);
			set_online(1, true);
		}
	}
	busy_begin(threads);
	for (i = 0; i < n; i++) {
		begin(&nl, &(struct nl_start){ .hz = 997, .events = events,
		      .nr_events = NR_EVENTS - 1, .flush_ms = 10 });
		session_follow(&nl, 0.02);
		if (i % 2) {
			session_finish(&nl, &stream, &stats);
			samples += stream_hits(&stream);
		}
		if (stream.broken[0])
			tap_bail("session %d: %s", i, stream.broken);
		session_leave(&nl, &stream);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	set_online(1, true);
	load_finish(threads, NR_THREADS);
	tap(samples > 0, "sessions begin and end while a CPU goes and comes", "no samples");
}

/* -- what is not there -- */

static int64_t answer_of(const uint8_t *event, size_t len)
{
	return nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_SAMPLER, 99) << 16 |
	       nl_attr_num(event, len, DDPROF_A_STARTED_EVENT_FALLBACK, 0);
}

/* What START answers about one event: sampler << 16 | errno; -1: nothing. */
static int64_t answered(const struct nl_answer *a, int index)
{
	const uint8_t *p = a->attrs, *end = a->attrs + a->len;

	while (p + sizeof(struct nlattr) <= end) {
		const struct nlattr *attr = (const struct nlattr *)p;
		size_t len = attr->nla_len - sizeof(*attr);

		if ((attr->nla_type & NLA_TYPE_MASK) == DDPROF_A_STARTED_EVENT && !index--)
			return answer_of(p + sizeof(*attr), len);
		p += NLA_ALIGN(attr->nla_len);
	}
	return -1;
}

/* Events that need a PMU, of which a machine under test has none; and what START says to each. */
static void missing(char **args)
{
	enum { NONE = DDPROF_SAMPLER_NONE, PERF = DDPROF_SAMPLER_PERF };
	enum { SKIP = DDPROF_MISSING_SKIP, FAIL = DDPROF_MISSING_FAIL };
	static const struct {
		const char *name;
		struct nl_event event[2];
		int nr;
		int error;
		const char *text;
		int64_t answer[2];
	} rows[] = {
		{ "a hardware event that must be there", { { PERF_TYPE_HARDWARE, 0, .hz = 99 } }, 1,
		  EOPNOTSUPP, "hardware event", {} },
		{ "said in so many words",
		  { { PERF_TYPE_HARDWARE, 0, .hz = 99, .missing = FAIL } }, 1,
		  EOPNOTSUPP, "hardware event", {} },
		{ "a cache event that may be left out",
		  { { PERF_TYPE_HW_CACHE, 0x10002, .period = 999, .missing = SKIP } }, 1,
		  0, "", { NONE << 16 | ENOENT } },
		{ "a raw event that may be left out",
		  { { PERF_TYPE_RAW, 0x1c2, .period = 999, .missing = SKIP } }, 1,
		  0, "", { NONE << 16 | ENOENT } },
		{ "beside the timer nothing is replaced by the CPU clock",
		  { { PERF_TYPE_HARDWARE, 0, .hz = 99, .missing = DDPROF_MISSING_REPLACE } }, 1,
		  0, "", { NONE << 16 | ENOENT } },
		{ "a tracepoint that may be left out",
		  { { PERF_TYPE_TRACEPOINT, 65000, .period = 1, .missing = SKIP } }, 1,
		  0, "", { NONE << 16 | EINVAL } },
		{ "a tracepoint that must be there",
		  { { PERF_TYPE_TRACEPOINT, 65000, .period = 1 } }, 1, EOPNOTSUPP, "tracepoint",
		  {} },
		{ "a software event of a later kernel",
		  { { PERF_TYPE_SOFTWARE, 999, .period = 1 } }, 1, EOPNOTSUPP, "software event",
		  {} },
		{ "the one is left out, the other sampled",
		  { { PERF_TYPE_HARDWARE, 1, .hz = 99, .missing = SKIP },
		    { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, .hz = 99 } }, 2,
		  0, "", { NONE << 16 | ENOENT, PERF << 16 } },
	};
	static struct nl_answer a;
	struct nl nl = {};
	size_t i;
	int k, ret;
	bool good;

	(void)args;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (nl_open(&nl))
			tap_bail("no socket");
		ret = nl_start(&nl, &(struct nl_start){ .events = rows[i].event,
			       .nr_events = rows[i].nr }, &a);
		good = ret == -rows[i].error && (!ret || strstr(nl.text, rows[i].text));
		for (k = 0; !ret && k < rows[i].nr; k++)
			good &= answered(&a, k + 1) == rows[i].answer[k];
		tap(good, rows[i].name, "%s (%s), %llx", strerror(-ret), nl.text,
		    ret ? 0ULL : (unsigned long long)answered(&a, 1));
		nl_close(&nl);
	}
}

static const struct {
	const char *name;
	int nr_args;
	void (*run)(char **args);
} cases[] = {
	{ "exact", 0, exact },
	{ "tenth", 0, tenth },
	{ "hotplug", 1, hotplug },
	{ "churn", 1, churn },
	{ "missing", 0, missing },
	{ "flood", 0, flood },
	{ "weight", 0, weight },
	{ "storm", 0, storm },
	{ "work", 0, work },
};

int main(int argc, char **argv)
{
	size_t i;

	events[SENT - 1].config = tracepoint_id("signal/signal_generate");
	if (!events[SENT - 1].config)
		tap_bail("no tracepoint in /sys/kernel/tracing: is tracefs mounted?");
	for (i = 0; i < NR_EVENTS - 1; i++)
		keep_patched(events[i].type, events[i].config); /* until we exit */
	for (i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) || argc != 2 + cases[i].nr_args)
			continue;
		cases[i].run(argv + 2);
		return tap_failures != 0;
	}
	tap_bail("usage: events CASE [ARG...]");
}
