// SPDX-License-Identifier: Apache-2.0
/*
 * Filters, each letting in and keeping out, with every sampler: two processes, one of two threads
 * and one in a cgroup, compute and sleep by turns; who has samples is who should. Then names that
 * change while the session runs. usage: filters CASE, the cases are at the end. Run in the guest by
 * test_offcpu.sh, with cgroup v2 at /sys/fs/cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session.h"
#include "tap.h"

#define CGROUP "/sys/fs/cgroup"

enum { K_ALPHA, K_THREAD, K_BETA, NR_KNOWN, K_OTHER = NR_KNOWN };
enum { ALPHA = 1 << K_ALPHA, THREAD = 1 << K_THREAD, BETA = 1 << K_BETA };
enum { ALL = ALPHA | THREAD | BETA };

/* What the children and we tell each other. */
static struct shared {
	volatile uint32_t tid[NR_KNOWN];	/* 0: not there yet */
	volatile uint32_t go;
	char name[2][16];		/* what alpha is to be called, by turns */
	volatile uint32_t named;	/* times that it was renamed */
} *shared;

static struct stream stream;

static void compute_and_sleep(int kind)
{
	static volatile uint64_t work;
	uint32_t named = 0;
	int i;

	shared->tid[kind] = syscall(SYS_gettid);
	for (;;) {
		for (i = 0; i < 300000; i++)
			work += i;
		usleep(500);
		if (kind != K_ALPHA || named == shared->go)
			continue;
		named = shared->go;
		prctl(PR_SET_NAME, shared->name[named % 2]);
		shared->named = named;
	}
}

static void *second_thread(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "alpha-thread");
	compute_and_sleep(K_THREAD);
	return NULL;
}

static pid_t child(const char *name, int kind, bool two)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	if (two)
		pthread_create(&thread, NULL, second_thread, NULL);
	compute_and_sleep(kind);
	_exit(0);
}

static void wait_for(int kind)
{
	while (!shared->tid[kind])
		usleep(1000);
}

/* The debug kernel has none. */
static bool have_cgroups(void)
{
	return !access(CGROUP "/cgroup.procs", F_OK);
}

static void into_cgroup(const char *path, pid_t pid)
{
	char file[128];
	FILE *f;

	if (!have_cgroups())
		return;
	mkdir(CGROUP "/outer", 0755);
	mkdir(CGROUP "/outer/inner", 0755);
	mkdir(CGROUP "/empty", 0755);
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	f = fopen(file, "we");
	if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f))
		tap_bail("%s: %s", file, strerror(errno));
}

/* -- the table -- */

struct term {
	uint16_t attr;		/* 0: the end */
	int who;		/* a kind */
	const char *text;	/* a pattern, or a cgroup's path */
};

#define NOT_PROCESS(k)	{ DDPROF_A_START_EXCLUDE_TGID, (k), NULL }
#define TASK(k)		{ DDPROF_A_START_TID, (k), NULL }
#define NOT_TASK(k)	{ DDPROF_A_START_EXCLUDE_TID, (k), NULL }
#define NAME(text)	{ DDPROF_A_START_NAME, 0, (text) }
#define NOT_NAME(text)	{ DDPROF_A_START_EXCLUDE_NAME, 0, (text) }
#define IN(path)	{ DDPROF_A_START_CGROUP_FD, 0, CGROUP path }
#define NOT_IN(path)	{ DDPROF_A_START_EXCLUDE_CGROUP_FD, 0, CGROUP path }
#define END		{ 0, 0, NULL }

struct row {
	const char *name;
	unsigned int expected;	/* who has samples */
	bool alpha_only;	/* scope: alpha's process */
	struct term terms[4];
};

/* Those of each sort come first: all samplers ask in the same place, so one of them goes on */
enum { NR_FOR_ALL = 9 };

static const struct row rows[] = {
	{ "no filter", ALL, false, { END } },
	{ "one process out", BETA, false, { NOT_PROCESS(K_ALPHA), END } },
	{ "one thread in", THREAD, false, { TASK(K_THREAD), END } },
	{ "one thread out", ALPHA | BETA, false, { NOT_TASK(K_THREAD), END } },
	{ "a name in", ALPHA | THREAD, false, { NAME("alpha"), END } },
	{ "a name out", BETA, false, { NOT_NAME("alpha"), END } },
	{ "a cgroup in", BETA, false, { IN("/outer/inner"), END } },
	{ "a cgroup out", ALPHA | THREAD, false, { NOT_IN("/outer"), END } },
	{ "a scope and a filter", ALPHA, true, { NOT_TASK(K_THREAD), END } },

	{ "the other process out", ALPHA | THREAD, false, { NOT_PROCESS(K_BETA), END } },
	{ "both processes out", 0, false, { NOT_PROCESS(K_BETA), NOT_PROCESS(K_ALPHA), END } },
	{ "a first thread in", ALPHA, false, { TASK(K_ALPHA), END } },
	{ "two threads in", THREAD | BETA, false, { TASK(K_THREAD), TASK(K_BETA), END } },
	{ "a thread in and out", 0, false, { TASK(K_THREAD), NOT_TASK(K_THREAD), END } },
	{ "a pattern in", ALPHA | THREAD, false, { NAME("?lp*"), END } },
	{ "two names in", ALL, false, { NAME("alpha"), NAME("b*"), END } },
	{ "a pattern in, a name out", BETA, false, { NAME("*a"), NOT_NAME("alpha"), END } },
	{ "nobody's name in", 0, false, { NAME("alphabet"), END } },
	{ "a thread's name is not its process's", 0, false, { NAME("alpha-thread"), END } },
	{ "a cgroup above in", BETA, false, { IN("/outer"), END } },
	{ "the root in", ALL, false, { IN(""), END } },
	{ "an empty cgroup in", 0, false, { IN("/empty"), END } },
	{ "a cgroup in, one below out", 0, false, { IN("/outer"), NOT_IN("/outer/inner"), END } },
	{ "two cgroups in", BETA, false, { IN("/empty"), IN("/outer"), END } },
	{ "a scope that the filter leaves nothing of", 0, true, { NAME("beta"), END } },
	{ "name, process and cgroup", BETA, false,
	  { NAME("*"), NOT_PROCESS(K_ALPHA), IN("/outer"), END } },
};

/* Descriptors stay open until the session is made. */
static int cgroup_fds[4], nr_cgroup_fds;

static void put_term(struct nl_message *m, const struct term *t)
{
	int fd;

	switch (t->attr) {
	case DDPROF_A_START_NAME:
	case DDPROF_A_START_EXCLUDE_NAME:
		nl_put(m, t->attr, t->text, strlen(t->text) + 1);
		return;
	case DDPROF_A_START_CGROUP_FD:
	case DDPROF_A_START_EXCLUDE_CGROUP_FD:
		fd = open(t->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			tap_bail("%s: %s", t->text, strerror(errno));
		cgroup_fds[nr_cgroup_fds++] = fd;
		nl_put_u32(m, t->attr, fd);
		return;
	default:
		nl_put_u32(m, t->attr, shared->tid[t->who]);
	}
}

static void put_terms(void *ctx, struct nl_message *m)
{
	const struct term *t;

	for (t = ctx; t->attr; t++)
		put_term(m, t);
}

static uint8_t kind_of(void *ctx, const struct stream_stack *s)
{
	int kind;

	(void)ctx;
	for (kind = 0; kind < NR_KNOWN; kind++)
		if (s->tid == shared->tid[kind])
			return kind;
	return K_OTHER;
}

static void begin(struct nl *nl, uint32_t sampler, const struct term *terms, uint32_t tgid)
{
	const uint64_t min_ns = 0;
	struct nl_start how = {
		.sampler = sampler, .hz = sampler == DDPROF_SAMPLER_OFFCPU ? 10000 : 997,
		.tgid = tgid, .more = put_terms, .ctx = (void *)terms,
		.min_ns = sampler == DDPROF_SAMPLER_OFFCPU ? &min_ns : NULL,
	};

	session_begin(nl, &stream, kind_of, &how);
	while (nr_cgroup_fds)
		close(cgroup_fds[--nr_cgroup_fds]);
}

static uint64_t count_of(int kind)
{
	return stream.kinds[0][kind] + stream.kinds[1][kind];
}

/* Who has at least @samples. */
static unsigned int seen_by(uint64_t samples)
{
	unsigned int seen = 0;
	int kind;

	for (kind = 0; kind <= K_OTHER; kind++)
		seen |= count_of(kind) >= samples ? 1U << kind : 0;
	return seen;
}

/*
 * Read a quarter of a second, and until all of these have so many samples: how soon that is is the
 * host's affair.
 */
static void follow(struct nl *nl, unsigned int wanted, uint64_t samples)
{
	double begin = now_s();

	while (now_s() < begin + 0.25 ||
	       ((seen_by(samples) & wanted) != wanted && now_s() < begin + 30))
		nl_receive(nl, 50);
}

static void finish(struct nl *nl)
{
	struct nl_stats stats;

	session_finish(nl, &stream, &stats);
	nl_close(nl);
	if (!stream.ended || stream.broken[0])
		tap(false, "the stream is as promised", "ended %d; %s", stream.ended, stream.broken);
}

static bool needs_cgroups(const struct row *row)
{
	const struct term *t;

	for (t = row->terms; t->attr; t++)
		if (t->attr == DDPROF_A_START_CGROUP_FD ||
		    t->attr == DDPROF_A_START_EXCLUDE_CGROUP_FD)
			return true;
	return false;
}

static void run_row(const struct row *row, uint32_t sampler, const char *sampler_name)
{
	unsigned int seen;
	char name[128];
	struct nl nl;

	if (needs_cgroups(row) && !have_cgroups()) {
		printf("ok %s: %s # SKIP no cgroup v2 here\n", sampler_name, row->name);
		return;
	}
	begin(&nl, sampler, row->terms, row->alpha_only ? shared->tid[K_ALPHA] : 0);
	follow(&nl, row->expected, 1);
	finish(&nl);
	seen = seen_by(1) & ALL;
	snprintf(name, sizeof(name), "%s: %s", sampler_name, row->name);
	tap(seen == row->expected, name, "alpha %llu, its thread %llu, beta %llu, others %llu",
	    (unsigned long long)count_of(K_ALPHA), (unsigned long long)count_of(K_THREAD),
	    (unsigned long long)count_of(K_BETA), (unsigned long long)count_of(K_OTHER));
	stream_deinit(&stream);
}

static void table(void)
{
	static const struct {
		uint32_t sampler;
		const char *name;
		size_t nr_rows;
	} samplers[] = {
		{ DDPROF_SAMPLER_HRTIMER, "timer", sizeof(rows) / sizeof(rows[0]) },
		{ DDPROF_SAMPLER_PERF, "perf", NR_FOR_ALL },
		{ DDPROF_SAMPLER_OFFCPU, "offcpu", NR_FOR_ALL },
	};
	size_t i, s;

	for (s = 0; s < sizeof(samplers) / sizeof(samplers[0]); s++)
		for (i = 0; i < samplers[s].nr_rows; i++)
			run_row(&rows[i], samplers[s].sampler, samplers[s].name);
}

/* -- names that change -- */

static void rename_alpha(const char *name)
{
	uint32_t next = shared->go + 1;

	snprintf(shared->name[next % 2], sizeof(shared->name[0]), "%s", name);
	shared->go = next;
	while (shared->named != next)
		usleep(1000);
}

static void renamed(void)
{
	static const struct term terms[] = { NAME("delta"), END };
	struct nl_stats stats;
	uint64_t before;
	struct nl nl;

	begin(&nl, DDPROF_SAMPLER_HRTIMER, terms, 0);
	rename_alpha("delta");
	follow(&nl, ALPHA | THREAD, 1);
	finish(&nl);
	tap(count_of(K_ALPHA) && count_of(K_THREAD) && !count_of(K_BETA),
	    "who takes the name is let in", "alpha %llu, its thread %llu, beta %llu",
	    (unsigned long long)count_of(K_ALPHA), (unsigned long long)count_of(K_THREAD),
	    (unsigned long long)count_of(K_BETA));
	stream_deinit(&stream);

	begin(&nl, DDPROF_SAMPLER_HRTIMER, terms, 0);
	rename_alpha("alpha");
	nl_stats(&nl, &stats);
	before = stats.n[DDPROF_A_STATS_SAMPLES];
	follow(&nl, 0, 1);
	nl_stats(&nl, &stats);
	finish(&nl);
	tap(stats.n[DDPROF_A_STATS_SAMPLES] == before, "who gives the name up is left out",
	    "%llu samples, then %llu", (unsigned long long)before,
	    (unsigned long long)stats.n[DDPROF_A_STATS_SAMPLES]);
	stream_deinit(&stream);
}

/* A process that gets its name by exec, and a child of it that gets it by fork. */
static void execed(char *self)
{
	static const struct term terms[] = { NAME("omega"), END };
	struct nl nl;
	pid_t pid;

	unlink("/tmp/omega");
	if (symlink(self, "/tmp/omega"))
		tap_bail("/tmp/omega: %s", strerror(errno));
	kill(shared->tid[K_BETA], SIGKILL);
	kill(shared->tid[K_ALPHA], SIGKILL);
	begin(&nl, DDPROF_SAMPLER_HRTIMER, terms, 0);
	pid = fork();
	if (!pid) {
		execl("/tmp/omega", "/tmp/omega", "child", (char *)NULL);
		_exit(1);
	}
	follow(&nl, 1 << K_OTHER, 20);
	finish(&nl);
	kill(pid, SIGKILL);
	tap(count_of(K_OTHER) >= 20 && stream.execs,
	    "who gets the name by exec is let in", "%llu samples",
	    (unsigned long long)count_of(K_OTHER));
	stream_deinit(&stream);
}

int main(int argc, char **argv)
{
	pid_t beta;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		tap_bail("no memory");
	if (argc == 2 && !strcmp(argv[1], "child"))
		compute_and_sleep(K_BETA);
	child("alpha", K_ALPHA, true);
	beta = child("beta", K_BETA, false);
	into_cgroup(CGROUP "/outer/inner", beta);
	wait_for(K_ALPHA);
	wait_for(K_THREAD);
	wait_for(K_BETA);
	if (argc == 2 && !strcmp(argv[1], "table"))
		table();
	else if (argc == 2 && !strcmp(argv[1], "renamed"))
		renamed();
	else if (argc == 2 && !strcmp(argv[1], "execed"))
		execed("/bin/filters");
	else
		tap_bail("usage: filters table|renamed|execed");
	return tap_failures != 0;
}
