// SPDX-License-Identifier: Apache-2.0
/*
 * Off-CPU time against clocks: threads that block in known ways measure by themselves how long that
 * took, and the session's samples of each have to say the same, with the right state and the right
 * function at the leaf. usage: offcpu CASE, the cases are at the end. Run in the guest by
 * test_offcpu.sh; what is compared with a clock to a few percent needs a guest whose time is not
 * the host's (--icount).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "session.h"
#include "tap.h"

enum { BLOCKS = 25, BLOCK_NS = 15000000, NR_WAYS = 4, K_OTHER = STREAM_KINDS - 1 };

/* A way to block, and who does it. */
struct way {
	const char *name;
	uint8_t state;
	void (*block)(struct way *w);	/* once; raw system calls, so that it is the leaf itself */
	void (*release)(struct way *w);	/* what ends it, by another thread; NULL: it ends by itself */
	uint32_t tid;
	uint64_t blocked_ns;		/* by its own clock */
	uint32_t futex;			/* times that it was released and not taken yet */
	int pipe[2];
	pthread_t thread;
};

static struct stream stream;
static struct way ways[NR_WAYS];
static volatile int go;

static inline __attribute__((always_inline)) long
raw(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static void block_sleep(struct way *w)
{
	struct timespec t = { .tv_nsec = BLOCK_NS };

	(void)w;
	raw(SYS_nanosleep, (long)&t, 0, 0, 0);
}

static void block_lock(struct way *w)
{
	while (!__atomic_load_n(&w->futex, __ATOMIC_ACQUIRE))
		raw(SYS_futex, (long)&w->futex, FUTEX_WAIT_PRIVATE, 0, 0);
	__atomic_sub_fetch(&w->futex, 1, __ATOMIC_RELEASE);
}

static void release_lock(struct way *w)
{
	__atomic_add_fetch(&w->futex, 1, __ATOMIC_RELEASE);
	raw(SYS_futex, (long)&w->futex, FUTEX_WAKE_PRIVATE, 1, 0);
}

static void block_pipe(struct way *w)
{
	char byte;

	raw(SYS_read, w->pipe[0], (long)&byte, 1, 0);
}

static void release_pipe(struct way *w)
{
	raw(SYS_write, w->pipe[1], (long)"x", 1, 0);
}

/* The parent of a vfork cannot be interrupted until its child is done. */
static void block_vfork(struct way *w)
{
	struct timespec t = { .tv_nsec = BLOCK_NS };

	(void)w;
	if (!vfork()) {
		raw(SYS_nanosleep, (long)&t, 0, 0, 0);
		_exit(0);
	}
}

static const struct way known_ways[NR_WAYS] = {
	{ .name = "sleep", .state = DDPROF_STATE_INTERRUPTIBLE, .block = block_sleep },
	{ .name = "lock", .state = DDPROF_STATE_INTERRUPTIBLE, .block = block_lock,
	  .release = release_lock },
	{ .name = "pipe", .state = DDPROF_STATE_INTERRUPTIBLE, .block = block_pipe,
	  .release = release_pipe },
	{ .name = "vfork", .state = DDPROF_STATE_UNINTERRUPTIBLE, .block = block_vfork },
};

static void *way_thread(void *ctx)
{
	struct way *w = ctx;
	uint64_t begin;
	int i;

	w->tid = syscall(SYS_gettid);
	while (!go)
		raw(SYS_sched_yield, 0, 0, 0, 0);
	for (i = 0; i < BLOCKS; i++) {
		begin = now_ns();
		w->block(w);
		w->blocked_ns += now_ns() - begin;
	}
	return NULL;
}

static void ways_create(void)
{
	int i;

	go = 0;
	for (i = 0; i < NR_WAYS; i++) {
		ways[i] = known_ways[i];
		if (pipe(ways[i].pipe) ||
		    pthread_create(&ways[i].thread, NULL, way_thread, &ways[i]))
			tap_bail("no thread: %s", strerror(errno));
	}
	for (i = 0; i < NR_WAYS; i++)
		while (!*(volatile uint32_t *)&ways[i].tid)
			usleep(1000);
}

/* Everything that has to be released is, a little later each time. */
static void ways_run(void)
{
	struct timespec t = { .tv_nsec = BLOCK_NS };
	int i, n;

	go = 1;
	for (n = 0; n < BLOCKS; n++) {
		nanosleep(&t, NULL);
		for (i = 0; i < NR_WAYS; i++)
			if (ways[i].release)
				ways[i].release(&ways[i]);
	}
	for (i = 0; i < NR_WAYS; i++) {
		pthread_join(ways[i].thread, NULL);
		close(ways[i].pipe[0]);
		close(ways[i].pipe[1]);
	}
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

/* A sample's kind: the way whose thread it is, when everything about it is right. */
static uint8_t way_of(void *ctx, const struct stream_stack *s)
{
	const struct way *w;

	(void)ctx;
	for (w = ways; w < ways + NR_WAYS; w++)
		if (s->tid == w->tid && s->state == w->state && s->nr_kernel > 3)
			return w - ways;
	return K_OTHER;
}

static void begin(struct nl *nl, const struct nl_start *how)
{
	session_begin(nl, &stream, way_of, how);
}

/* Ends the session and closes @nl. */
static void finish(struct nl *nl, struct nl_stats *stats)
{
	session_finish(nl, &stream, stats);
	nl_close(nl);
	if (!stream.ended || stream.broken[0])
		tap(false, "the stream is as promised", "ended %d; %s", stream.ended, stream.broken);
}

static uint64_t count_of(int kind)
{
	return stream.kinds[0][kind] + stream.kinds[1][kind];
}

static bool within(uint64_t a, uint64_t b, double percent)
{
	double d = (double)a - (double)b;

	return (d < 0 ? -d : d) <= (double)b * percent / 100;
}

/* -- cases -- */

static void truth(void)
{
	struct nl_stats stats;
	struct nl nl;
	char name[64];
	int i;

	ways_create();
	begin(&nl, &(struct nl_start){ .sampler = DDPROF_SAMPLER_OFFCPU, .hz = 10000,
				       .tgid = getpid() });
	ways_run();
	finish(&nl, &stats);
	for (i = 0; i < NR_WAYS; i++) {
		snprintf(name, sizeof(name), "blocked time is told: %s", ways[i].name);
		tap(within(stream.values[i], ways[i].blocked_ns, 2) &&
		    within(count_of(i), BLOCKS, 10), name,
		    "%.3f ms in %llu blocks, by the thread's clock %.3f ms in %d",
		    stream.values[i] * 1e-6, (unsigned long long)count_of(i),
		    ways[i].blocked_ns * 1e-6, BLOCKS);
	}
	tap(stats.n[DDPROF_A_STATS_BLOCKS] ==
	    stats.n[DDPROF_A_STATS_BLOCKS_SHORT] + stats.n[DDPROF_A_STATS_BLOCKS_THINNED] +
	    stats.n[DDPROF_A_STATS_BLOCKS_LOST] + stats.n[DDPROF_A_STATS_SAMPLES],
	    "every block is a sample or counted",
	    "%llu blocks, %llu short, %llu thinned, %llu lost, %llu samples",
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS],
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS_SHORT],
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS_THINNED],
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS_LOST],
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES]);
	stream_deinit(&stream);
}

/* Blocks that are shorter than was asked for are counted and not told. */
static void shortest(void)
{
	const uint64_t min_ns = 2 * BLOCK_NS;
	struct nl_stats stats;
	struct nl nl;

	ways_create();
	begin(&nl, &(struct nl_start){ .sampler = DDPROF_SAMPLER_OFFCPU, .hz = 10000,
				       .tgid = getpid(), .min_ns = &min_ns });
	ways_run();
	finish(&nl, &stats);
	tap(!count_of(0) && !count_of(1) && stats.n[DDPROF_A_STATS_BLOCKS_SHORT] > 2 * BLOCKS,
	    "blocks below MIN_NS are counted only", "%llu and %llu told, %llu short",
	    (unsigned long long)count_of(0), (unsigned long long)count_of(1),
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS_SHORT]);
	stream_deinit(&stream);
}

enum { OFTEN = 12000, OFTEN_HZ = 400 };

/* Short blocks and, now and then, one that is 20 times as long: 0 and 1 of ways[]. */
static void *often_thread(void *ctx)
{
	struct way *w = ctx;
	struct timespec t = { .tv_nsec = w == ways ? 200000 : 4000000 };
	int i, n = w == ways ? OFTEN : OFTEN / 20;
	uint64_t begin;

	w->tid = syscall(SYS_gettid);
	while (!go)
		raw(SYS_sched_yield, 0, 0, 0, 0);
	for (i = 0; i < n; i++) {
		begin = now_ns();
		raw(SYS_nanosleep, (long)&t, 0, 0, 0);
		w->blocked_ns += now_ns() - begin;
	}
	return NULL;
}

/*
 * More blocks than are wanted: about as many samples as are, and each kind's time still right. Of
 * the 600 long ones some 480 are taken, of the short ones some 500: 15 % is above four sigma.
 */
static void thinned(void)
{
	uint64_t samples, begin_ns;
	struct nl_stats stats;
	struct nl nl;
	double seconds;
	int i;

	go = 0;
	for (i = 0; i < 2; i++) {
		ways[i] = known_ways[0];
		if (pthread_create(&ways[i].thread, NULL, often_thread, &ways[i]))
			tap_bail("no thread");
		while (!*(volatile uint32_t *)&ways[i].tid)
			usleep(1000);
	}
	begin(&nl, &(struct nl_start){ .sampler = DDPROF_SAMPLER_OFFCPU, .hz = OFTEN_HZ,
				       .tgid = getpid() });
	begin_ns = now_ns();
	go = 1;
	for (i = 0; i < 2; i++)
		pthread_join(ways[i].thread, NULL);
	seconds = (now_ns() - begin_ns) * 1e-9;
	finish(&nl, &stats);
	samples = stream.records[0] + stream.records[1];
	tap(stats.n[DDPROF_A_STATS_BLOCKS_THINNED] > OFTEN / 2 &&
	    samples < (seconds + 4) * OFTEN_HZ * stats.cpus,
	    "no more samples than are wanted", "%llu in %.3f s, %llu thinned out",
	    (unsigned long long)samples, seconds,
	    (unsigned long long)stats.n[DDPROF_A_STATS_BLOCKS_THINNED]);
	for (i = 0; i < 2; i++)
		tap(within(stream.values[i], ways[i].blocked_ns, 15),
		    i ? "long ones keep their time" : "short ones keep their time",
		    "%.3f ms instead of %.3f ms", stream.values[i] * 1e-6,
		    ways[i].blocked_ns * 1e-6);
	stream_deinit(&stream);
}

enum { AGAIN = 8 }; /* the CPU that went at 3 is back at 6 */

/* Threads that block all the time, on both CPUs, waking each other. */
static void *busy_thread(void *ctx)
{
	struct way *w = ctx;
	char byte = 0;

	while (read(w->pipe[0], &byte, 1) == 1 && byte != 'q')
		if (write(ways[(w - ways) ^ 1].pipe[1], &byte, 1) != 1)
			break;
	return NULL;
}

/* HIT records: one a sample, however many blocks it stands for. */
static uint64_t hits(void)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < STREAM_KINDS; i++)
		n += stream.records[i];
	return n;
}

/* Sessions begin and end, by STOP and by closing, and a CPU goes and comes, all under load. */
static void again(void)
{
	uint64_t samples = 0;
	struct nl_stats stats;
	struct nl nl;
	int i;

	for (i = 0; i < NR_WAYS; i++) {
		if (pipe(ways[i].pipe) ||
		    pthread_create(&ways[i].thread, NULL, busy_thread, &ways[i]))
			tap_bail("no thread");
	}
	for (i = 0; i < NR_WAYS; i += 2)
		if (write(ways[i].pipe[1], "x", 1) != 1)
			tap_bail("pipe: %s", strerror(errno));
	for (i = 0; i < AGAIN; i++) {
		begin(&nl, &(struct nl_start){ .sampler = DDPROF_SAMPLER_OFFCPU, .hz = 10000 });
		nl_receive(&nl, 20);
		if (i % 8 == 3)
			set_online(1, false);
		if (i % 8 == 6)
			set_online(1, true);
		if (i % 2) {
			finish(&nl, &stats);
			samples += stats.n[DDPROF_A_STATS_SAMPLES];
			if (hits() != stats.n[DDPROF_A_STATS_SAMPLES])
				tap(false, "what was taken arrives", "%llu of %llu",
				    (unsigned long long)hits(),
				    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES]);
		} else {
			nl_close(&nl);
		}
		stream_deinit(&stream);
	}
	tap(samples > AGAIN, "sessions begin and end under load", "%llu samples",
	    (unsigned long long)samples);
	for (i = 0; i < NR_WAYS; i++)
		(void)!write(ways[i].pipe[1], "q", 1);
	for (i = 0; i < NR_WAYS; i++)
		pthread_join(ways[i].thread, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "truth", truth },
	{ "shortest", shortest },
	{ "thinned", thinned },
	{ "again", again },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[1]))
			continue;
		cases[i].run();
		return tap_failures != 0;
	}
	tap_bail("usage: offcpu CASE");
}
