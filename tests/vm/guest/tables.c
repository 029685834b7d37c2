// SPDX-License-Identifier: Apache-2.0
/*
 * Unwind tables in the kernel, from a raw socket: what walks say before and after one came, samples
 * that wait for one, tables that are replaced and dropped under walkers, hostile ones, memory
 * limits, and files by other names. usage: tables CASE, the cases are at the end; `tables live MS`
 * is what the cases run. Run in the guest by test_tables.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unwind/cfi_file.h"
#include "burn.h"
#include "unwind_chain.h"
#include "session.h"
#include "table.h"
#include "tap.h"

enum {
	ROUND = 100000,		/* iterations of the work between two looks at the clock */
	MAX_FILES = 32,
	HOSTILE_ROWS = 40000,	/* 4 bytes apart: all code of this program */
};

/* What is told apart of the samples of the processes that a case runs. */
enum kind {
	K_OTHER,	/* not one of them, or without a user half */
	K_EXACT,	/* to the root, as the other unwinder has it */
	K_ROOT,		/* to the root, from elsewhere */
	K_WRONG,	/* to a root that is not where the program began */
	K_GUESSED,
	K_NO_RULE,	/* in code that its file does not describe: a few functions at start-up */
	K_SHORT,	/* no guess, no root */
	K_VDSO,		/* as K_ROOT, through the vdso */
	K_VDSO_GUESSED,
};

static struct stream stream;
static struct chain *chain;	/* of the forked child, shared with it */
static uint64_t vdso, vdso_bytes;
static int shorts_to_show;	/* lines that show_short() may still print */

/* -- samples -- */

/* The last frames: main's caller up to the program's entry. */
static bool same_root(const struct stream_stack *s)
{
	enum { OUTER = 3 };

	return chain->nr < OUTER || (s->nr_user >= OUTER &&
	       !memcmp(s->user + s->nr_user - OUTER, chain->frame + chain->nr - OUTER,
		       OUTER * sizeof(s->user[0])));
}

static bool through_vdso(const struct stream_stack *s)
{
	uint64_t i;

	for (i = 0; i < s->nr_user; i++)
		if (s->user[i] - vdso < vdso_bytes)
			return true;
	return false;
}

/* So that a case that allows none says which samples made it fail. */
static void show_short(const struct stream_stack *s)
{
	enum { FRAMES = 6 };
	uint64_t i;

	if (!shorts_to_show)
		return;
	shorts_to_show--;
	printf("# short: end %u, flags %#x, pid %u, %s, %llu kernel frames, %llu user frames:",
	       s->user_end, s->flags, s->tgid, s->drain ? "deferred" : "direct",
	       (unsigned long long)s->nr_kernel, (unsigned long long)s->nr_user);
	for (i = 0; i < s->nr_user && i < FRAMES; i++)
		printf(" %#llx", (unsigned long long)s->user[i]);
	putchar('\n');
}

static uint8_t kind_of(void *ctx, const struct stream_stack *s)
{
	(void)ctx;
	if (s->tgid == (uint32_t)getpid() || s->user_end == DDPROF_END_NONE)
		return K_OTHER;
	if (s->flags & DDPROF_STACK_GUESSED)
		return through_vdso(s) ? K_VDSO_GUESSED : K_GUESSED;
	if (s->user_end == DDPROF_END_NO_RULE)
		return K_NO_RULE;
	if (s->user_end != DDPROF_END_ROOT) {
		show_short(s);
		return K_SHORT;
	}
	if (!same_root(s))
		return K_WRONG;
	if (through_vdso(s))
		return K_VDSO;
	/* who comes from where the work is called must have all of the chain */
	if (!chain->nr || s->nr_user < 2 || s->user[1] != chain->frame[0])
		return K_ROOT;
	return s->nr_user == 1 + (uint64_t)chain->nr &&
	       !memcmp(s->user + 1, chain->frame, chain->nr * sizeof(s->user[0])) ? K_EXACT :
										    K_WRONG;
}

static unsigned long long of_kind(enum kind kind)
{
	return stream.kinds[0][kind] + stream.kinds[1][kind];
}

static void forget_kinds(void)
{
	memset(stream.kinds, 0, sizeof(stream.kinds));
}

static void show_kinds(const char *when)
{
	printf("# %s: exact %llu, root %llu, wrong %llu, guessed %llu, no rule %llu, short %llu,"
	       " vdso %llu, guessed %llu; deferred: exact %llu, root %llu, guessed %llu,"
	       " short %llu\n", when, of_kind(K_EXACT), of_kind(K_ROOT), of_kind(K_WRONG),
	       of_kind(K_GUESSED), of_kind(K_NO_RULE), of_kind(K_SHORT), of_kind(K_VDSO),
	       of_kind(K_VDSO_GUESSED),
	       (unsigned long long)stream.kinds[1][K_EXACT],
	       (unsigned long long)stream.kinds[1][K_ROOT],
	       (unsigned long long)stream.kinds[1][K_GUESSED],
	       (unsigned long long)stream.kinds[1][K_SHORT]);
}

/* -- sessions -- */

/* One of this process and its descendants. */
static void begin(struct nl *nl, uint32_t hz, uint32_t tables_kib)
{
	session_begin(nl, &stream, kind_of, &(struct nl_start){ .hz = hz, .flush_ms = 100,
		      .tgid = getpid(), .trees = true, .tables_kib = tables_kib });
}

/* All that was sampled has arrived, deferred or not. */
static void finish(struct nl *nl, const char *name)
{
	struct nl_stats stats;

	session_finish(nl, &stream, &stats);
	session_accounts(name, &stream, &stats, SESSION_MAY_LOSE | SESSION_MAY_BE_EMPTY);
	session_leave(nl, &stream);
}

/* -- what is sampled -- */

static void live_ms(uint64_t ms)
{
	while (burn_cpu_ns(CLOCK_PROCESS_CPUTIME_ID) < ms * 1000000)
		chain_run(NULL, ROUND);
}

/* A child that works in the chain until it is ended; its chain is known on return. */
static pid_t chain_child(void (*first)(void))
{
	pid_t pid;

	chain->nr = 0;
	pid = fork();
	if (!pid) {
		if (first)
			first();
		for (;;)
			chain_run(chain, ROUND);
	}
	while (!chain->nr)
		usleep(1000);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* -- tables of all files that this program maps -- */

struct own_file {
	char path[256];		/* "": the vdso */
	struct table_image image;
	uint64_t id;
};

static struct own_file own[MAX_FILES];
static int nr_own;

static void own_add(const char *path)
{
	struct own_file *f = &own[nr_own];
	int i, ret, fd = open(path, O_RDONLY | O_CLOEXEC);

	for (i = 0; i < nr_own; i++)
		if (!strcmp(own[i].path, path))
			break;
	if (i == nr_own && nr_own < MAX_FILES) {
		ret = ddp_cfi_file_table(fd, &f->image.bytes, &f->image.nr, NULL);
		if (ret)
			tap_bail("no table of %s: %s", path, strerror(-ret));
		snprintf(f->path, sizeof(f->path), "%s", path);
		nr_own++;
	}
	close(fd);
}

static void own_find(void)
{
	struct own_file *f = &own[nr_own++];
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], path[256];

	while (maps && fgets(line, sizeof(line), maps)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && start == vdso)
			vdso_bytes = end - start;
		if (sscanf(line, "%*s %*1s%*1s%*[x]%*s %*s %*s %*s %255s", path) == 1 &&
		    path[0] == '/')
			own_add(path);
	}
	f->id = DDPROF_FILE_VDSO;
	if (!vdso_bytes || ddp_cfi_memory_table((const void *)vdso, vdso_bytes, &f->image.bytes,
						&f->image.nr, NULL))
		tap_bail("no table of the vdso");
	if (!maps || nr_own < 3)
		tap_bail("own mappings: %d files", nr_own);
	fclose(maps);
}

static struct own_file *own_file(const char *part)
{
	int i;

	for (i = 0; i < nr_own; i++)
		if (strstr(own[i].path, part))
			return &own[i];
	tap_bail("%s is not mapped", part);
}

static void own_upload(struct nl *nl, struct own_file *f)
{
	int ret, fd = -1;

	if (f->path[0])
		fd = open(f->path, O_RDONLY | O_CLOEXEC);
	ret = table_upload(nl, f->id, fd, &f->image, &f->id);
	if (ret)
		tap_bail("table of %s: %s (%s)", f->path, strerror(-ret), nl->text);
	if (fd >= 0)
		close(fd);
}

/* All but the vdso's, unless it is wanted. */
static void own_upload_all(struct nl *nl, bool vdso_too)
{
	int i;

	for (i = !vdso_too; i < nr_own; i++)
		own_upload(nl, &own[i]);
}

/* -- cases -- */

/* Nearly all samples are from the work, all reach the root, and none by another way. */
static void expect_exact(const char *name)
{
	unsigned long long all = of_kind(K_EXACT) + of_kind(K_ROOT) + of_kind(K_VDSO);

	tap(of_kind(K_EXACT) > 100 && of_kind(K_EXACT) * 10 > all * 9 && !of_kind(K_WRONG) &&
	    !of_kind(K_GUESSED) && !of_kind(K_VDSO_GUESSED) && !of_kind(K_SHORT) &&
	    !of_kind(K_NO_RULE), name,
	    "exact %llu, root %llu, wrong %llu, guessed %llu, short %llu", of_kind(K_EXACT),
	    of_kind(K_ROOT), of_kind(K_WRONG), of_kind(K_GUESSED), of_kind(K_SHORT));
}

static void before_and_after(void)
{
	struct nl nl;
	pid_t pid;

	begin(&nl, 997, 0);
	pid = chain_child(NULL);
	session_follow(&nl, 3); /* the first ones wait for tables in vain */
	show_kinds("without tables");
	tap(of_kind(K_GUESSED) > 100 && !of_kind(K_EXACT) && stream.kinds[1][K_GUESSED],
	    "without tables: walks are guesses, deferred ones too",
	    "guessed %llu, exact %llu, deferred and guessed %llu", of_kind(K_GUESSED),
	    of_kind(K_EXACT), (unsigned long long)stream.kinds[1][K_GUESSED]);
	own_upload_all(&nl, true);
	session_follow(&nl, 0.5);
	forget_kinds();
	session_follow(&nl, 1.5);
	show_kinds("with tables");
	expect_exact("with tables: every frame as the compiler's own unwinder has it");
	end_child(pid);
	finish(&nl, "tables that come late: nothing is lost");
}

static void live(struct nl *nl, int processes)
{
	enum { AT_ONCE = 2 };
	int running = 0, status;

	while (processes || running) {
		if (processes && running < AT_ONCE) {
			processes--;
			running++;
			if (!fork()) {
				execl("/proc/self/exe", "tables", "live", "20", (char *)NULL);
				_exit(127);
			}
		}
		nl_receive(nl, 2);
		if (waitpid(-1, &status, WNOHANG) > 0)
			running--;
	}
}

/* Every table is there before the first sample: what waits for its mappings then has all. */
static void short_lives(void)
{
	unsigned long long rooted, all, deferred;
	struct nl_stats stats;
	struct nl nl;

	shorts_to_show = 20;
	begin(&nl, 997, 0);
	own_upload_all(&nl, true);
	live(&nl, 30);
	session_follow(&nl, 0.3);
	show_kinds("short lives");
	nl_stats(&nl, &stats);
	rooted = of_kind(K_ROOT) + of_kind(K_EXACT) + of_kind(K_VDSO);
	all = rooted + of_kind(K_GUESSED) + of_kind(K_SHORT) + of_kind(K_NO_RULE) +
	      of_kind(K_VDSO_GUESSED);
	deferred = stream.kinds[1][K_ROOT];
	tap(deferred >= 30 && rooted > 300, "short lives: the first samples are deferred",
	    "%llu of %llu", deferred, all);
	tap(!of_kind(K_SHORT) && rooted * 100 >= all * 97,
	    "short lives: samples reach the root but in code that nobody describes",
	    "%llu of %llu, %llu short; %llu found no room to wait", rooted, all, of_kind(K_SHORT),
	    (unsigned long long)stats.n[DDPROF_A_STATS_DEFER_FULL]);
	tap(!of_kind(K_GUESSED) && !of_kind(K_VDSO_GUESSED), "short lives: nothing is a guess",
	    "%llu are", of_kind(K_GUESSED) + of_kind(K_VDSO_GUESSED));
	finish(&nl, "short lives: nothing is lost");
}

/* -- under walkers -- */

struct replacer {
	pthread_t thread;
	struct own_file *file;
	int times, least;	/* uploads; slow machines may do the least of them */
	bool drop;		/* the table first, each time */
	uint32_t random;	/* images drawn from that seed; 0: the true one */
	int failed, rounds;
	volatile bool done;
	char text[288];
};

/* Kernels that check themselves take minutes for all uploads at these rates. */
enum { REPLACE_S = 30 };

static void *replace(void *ctx)
{
	struct replacer *r = ctx;
	struct table_image image = r->file->image;
	double until = now_s() + REPLACE_S;
	struct nl nl = {};
	int i, ret = nl_open(&nl);

	for (i = 0; !ret && i < r->times && (i < r->least || now_s() < until); i++) {
		if (r->drop)
			ret = table_drop(&nl, r->file->id);
		if (r->random)
			image = table_image_synthetic(HOSTILE_ROWS + i, r->random + i);
		ret = ret ? ret : table_upload(&nl, r->file->id, -1, &image, NULL);
		if (r->random)
			free(image.bytes);
	}
	r->failed = ret;
	r->rounds = i;
	snprintf(r->text, sizeof(r->text), "round %d: %s", i, nl.text);
	nl_close(&nl);
	r->done = true;
	return NULL;
}

static int replace_all(struct nl *nl, struct replacer *r, int n)
{
	bool online = true;
	int i, ret = 0;

	for (i = 0; i < n; i++)
		if (pthread_create(&r[i].thread, NULL, replace, &r[i]))
			tap_bail("no thread");
	for (i = 0; i < n;) {
		session_follow(nl, 0.5);
		set_online(1, online = !online);
		i += r[i].done;
	}
	set_online(1, true);
	for (i = 0; i < n; i++) {
		pthread_join(r[i].thread, NULL);
		ret = ret ? ret : r[i].failed;
		printf("# replacer %d: %d of %d rounds\n", i, r[i].rounds, r[i].times);
		if (r[i].failed)
			printf("# replacer %d, %s\n", i, r[i].text);
	}
	return ret;
}

/*
 * Tables change and go while walks of two processes use them on two CPUs, one of which comes and
 * goes. One file's rules are random.
 */
static void under_walkers(void)
{
	struct replacer r[] = {
		{ .file = own_file("/tables"), .times = 200, .least = 5, .random = 1 },
		{ .file = own_file("libc.so"), .times = 500, .least = 10 },
		{ .file = own_file("ld-linux"), .times = 1500, .least = 30, .drop = true },
		{ .file = &own[0], .times = 7800, .least = 100 },
	};
	struct table_info info;
	struct nl nl;
	pid_t pid, other;
	int ret;

	begin(&nl, 3999, 0);
	other = fork();
	if (!other)
		live_ms(UINT32_MAX); /* its chain is not the one that is noted */
	pid = chain_child(NULL);
	own_upload_all(&nl, true);
	ret = replace_all(&nl, r, sizeof(r) / sizeof(r[0]));
	show_kinds("under walkers");
	tap(!ret, "tables are replaced and dropped under walkers", "%s", strerror(-ret));
	own_upload_all(&nl, true);
	ret = table_info(&nl, &info);
	tap(!ret && info.tables == (uint64_t)nr_own && !info.evicted && !info.refused &&
	    info.bytes && info.bytes < info.max_bytes, "afterwards the counters are right",
	    "%llu tables, %llu bytes, %llu evicted, %llu refused", (unsigned long long)info.tables,
	    (unsigned long long)info.bytes, (unsigned long long)info.evicted,
	    (unsigned long long)info.refused);
	end_child(other);
	session_follow(&nl, 0.5);
	forget_kinds();
	session_follow(&nl, 1);
	show_kinds("afterwards");
	expect_exact("afterwards walks are right");
	end_child(pid);
	finish(&nl, "tables that change: nothing is lost");
}

/* -- memory -- */

enum { NR_LIMIT = 6, LIMIT_KIB = 4096, LIMIT_ROWS = 240000, FIT = 4 };

static uint64_t limit_id[NR_LIMIT];

static void limit_path(char path[32], int i)
{
	snprintf(path, 32, "/tmp/limit%d", i);
}

static void map_limit_files(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < NR_LIMIT; i++) {
		limit_path(path, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
			_exit(1);
	}
}

static void note_limit_file(void *ctx, uint64_t id, const char *path)
{
	char mine[32];
	int i;

	(void)ctx;
	for (i = 0; i < NR_LIMIT; i++) {
		limit_path(mine, i);
		if (!strcmp(mine, path))
			limit_id[i] = id;
	}
}

static bool has_table(struct nl *nl, uint64_t id)
{
	static struct table_entry list[256];
	int i, n = table_list(nl, list, 256);

	for (i = 0; i < n; i++)
		if (list[i].id == id)
			return list[i].bytes && list[i].bytes != UINT32_MAX;
	return false;
}

/* An upload, and whether memory stays within the limit at every step. */
static int limit_upload(struct nl *nl, int i, bool *within)
{
	struct table_image image = table_image_synthetic(LIMIT_ROWS, 0);
	struct table_info info;
	int ret = table_upload(nl, limit_id[i], -1, &image, NULL);

	if (table_info(nl, &info) || info.bytes > info.max_bytes ||
	    info.max_bytes != LIMIT_KIB * 1024ULL)
		*within = false;
	free(image.bytes);
	return ret;
}

static int by_descriptor(struct nl *nl, uint32_t bytes)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC), ret;
	uint64_t id;

	if (fd < 0)
		fd = open("/init", O_RDONLY | O_CLOEXEC);
	ret = table_begin(nl, 0, fd, bytes, &id);
	close(fd);
	return ret;
}

static void make_limit_files(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < NR_LIMIT; i++) {
		limit_path(path, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
		if (fd < 0 || ftruncate(fd, 4096) || close(fd))
			tap_bail("%s: %s", path, strerror(errno));
	}
}

/* File 0 is the longest unused: the others are dropped and come again. */
static void fill_to_limit(struct nl *nl, bool *within)
{
	struct table_image image = table_image_synthetic(LIMIT_ROWS, 0);
	int i, ret = 0;

	for (i = 0; i < FIT; i++)
		ret = ret ? ret : table_stage(nl, limit_id[i], -1, &image, &limit_id[i]);
	/* together: on a slow machine the first would not be new any more when the last comes */
	for (i = 0; i < FIT; i++)
		ret = ret ? ret : table_commit(nl, limit_id[i]);
	tap(!ret, "limit: four large tables fit", "%s (%s)", strerror(-ret), nl->text);
	ret = table_begin(nl, limit_id[FIT], -1, image.nr, &limit_id[FIT]);
	tap(ret == -ENOSPC, "limit: new tables are not evicted", "%s",
	    strerror(-ret));
	free(image.bytes);
	for (i = 1; i < FIT; i++)
		table_drop(nl, limit_id[i]);
	session_follow(nl, 1.2);
	for (i = 1, ret = 0; i < FIT; i++)
		ret = ret ? ret : limit_upload(nl, i, within);
	tap(!ret, "limit: what is dropped makes room", "%s (%s)", strerror(-ret), nl->text);
	session_follow(nl, 1.1);
}

static void evict(struct nl *nl, const struct own_file *used, bool *within)
{
	struct table_info info;
	int ret = limit_upload(nl, FIT, within);

	tap(!ret && !has_table(nl, limit_id[0]) && has_table(nl, limit_id[1]) &&
	    has_table(nl, limit_id[2]) && has_table(nl, limit_id[3]) && has_table(nl, limit_id[4]),
	    "limit: the longest unused goes", "%s (%s), tables: %d %d %d %d %d", strerror(-ret),
	    nl->text, has_table(nl, limit_id[0]), has_table(nl, limit_id[1]),
	    has_table(nl, limit_id[2]), has_table(nl, limit_id[3]), has_table(nl, limit_id[4]));
	session_follow(nl, 2.2); /* any may go now, but what walks use */
	ret = by_descriptor(nl, 1 << 20);
	tap(ret == -ENOSPC, "limit: what is made ahead evicts nothing", "%s", strerror(-ret));
	ret = limit_upload(nl, 0, within);
	ret = ret ? ret : limit_upload(nl, 5, within);
	tap(!ret && has_table(nl, used->id), "limit: a table in use stays", "%s (%s)",
	    strerror(-ret), nl->text);
	ret = table_info(nl, &info);
	tap(!ret && info.evicted == 3 && info.refused == 2 && info.tables == FIT + 1,
	    "limit: evictions and refusals are counted", "%llu evicted, %llu refused, %llu tables",
	    (unsigned long long)info.evicted, (unsigned long long)info.refused,
	    (unsigned long long)info.tables);
}

static void limit(void)
{
	struct own_file *used = own_file("/tables");
	bool within = true;
	struct nl nl;
	pid_t pid;
	int i;

	make_limit_files();
	begin(&nl, 499, LIMIT_KIB);
	stream.file = note_limit_file;
	pid = chain_child(map_limit_files);
	for (i = 0; i < 100 && !limit_id[NR_LIMIT - 1]; i++)
		session_follow(&nl, 0.05);
	for (i = 0; i < NR_LIMIT; i++)
		if (!limit_id[i])
			tap_bail("file %d was not announced", i);
	own_upload(&nl, used);
	fill_to_limit(&nl, &within);
	evict(&nl, used, &within);
	tap(within, "limit: never above it", "-");
	end_child(pid);
	finish(&nl, "limit: nothing is lost");
}

/*
 * What the module has of vmalloc's memory, where every table is. MemAvailable would be the whole
 * machine's and moves by megabytes on its own.
 */
static long vmalloc_kib(void)
{
	FILE *f = fopen("/proc/vmallocinfo", "re");
	char line[512];
	long bytes = 0, one;

	if (!f)
		tap_bail("/proc/vmallocinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[ddprof_kmod]") && sscanf(line, "%*s %ld", &one) == 1)
			bytes += one;
	fclose(f);
	return bytes >> 10;
}

/* The owner dies with 48 MiB of tables, half of them not committed. */
static void killed(void)
{
	struct table_image image = table_image_synthetic(6 << 20, 0);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), tell[2], i;
	long before, during, after;
	struct nl nl = {};
	char byte = 0;
	pid_t pid;

	if (pipe(tell))
		tap_bail("no pipe");
	begin(&nl, 997, 0);
	finish(&nl, "killed in an upload: a session before");
	before = vmalloc_kib();
	pid = fork();
	if (!pid) {
		begin(&nl, 997, 0);
		if (table_upload(&nl, 0, fd, &image, NULL) ||
		    table_begin(&nl, 0, fd, image.nr, &(uint64_t){ 0 }) ||
		    write(tell[1], &byte, 1) < 0)
			_exit(1);
		for (;;)
			chain_run(NULL, ROUND);
	}
	close(tell[1]);
	if (read(tell[0], &byte, 1) != 1)
		tap_bail("the owner has no tables");
	during = vmalloc_kib();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	begin(&nl, 997, 0);
	session_follow(&nl, 0.5);
	finish(&nl, "killed in an upload: the next session works");
	for (i = 0; i < 50 && (after = vmalloc_kib()) != before; i++)
		usleep(50000);
	tap(during - before > 40 << 10 && after == before,
	    "killed in an upload: all memory is given back", "%ld KiB, %ld, %ld", before, during,
	    after);
	free(image.bytes);
	close(fd);
}

/* -- files -- */

static const char *const names[] = { "/tmp/name_first", "/tmp/name_link", "/tmp/name_renamed" };
static uint64_t met_id;

static void note_name(void *ctx, uint64_t id, const char *path)
{
	(void)ctx;
	if (!strncmp(path, "/tmp/name_", 10))
		met_id = met_id ? UINT64_MAX : id;
}

static void copy_self(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) ||
	    sendfile(to, from, NULL, st.st_size) != st.st_size)
		tap_bail("no copy at %s", path);
	close(from);
	close(to);
}

static uint64_t id_of(struct nl *nl, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t id = 0;

	if (table_upload(nl, 0, fd, &own_file("/tables")->image, &id))
		tap_bail("table of %s: %s", path, nl->text);
	close(fd);
	return id;
}

/* A file is the same by whatever name, and its record comes when it is first met. */
static void other_names(void)
{
	uint64_t first, link_id, renamed, copy;
	struct nl nl;
	pid_t pid;

	begin(&nl, 997, 0);
	stream.file = note_name;
	copy_self(names[0]);
	first = id_of(&nl, names[0]);
	if (link(names[0], names[1]))
		tap_bail("link: %s", strerror(errno));
	link_id = id_of(&nl, names[1]);
	pid = fork();
	if (!pid) {
		execl(names[1], "tables", "live", "100", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	session_follow(&nl, 0.3);
	if (rename(names[0], names[2]))
		tap_bail("rename: %s", strerror(errno));
	renamed = id_of(&nl, names[2]);
	copy_self(names[0]);
	copy = id_of(&nl, names[0]);
	tap(first && met_id == first, "a number given ahead is the FILE record's",
	    "%llu, then %llu", (unsigned long long)first, (unsigned long long)met_id);
	tap(first == link_id && first == renamed && first != copy,
	    "a file has one number by all its names, a copy has another",
	    "%llu, %llu, %llu; %llu", (unsigned long long)first, (unsigned long long)link_id,
	    (unsigned long long)renamed, (unsigned long long)copy);
	finish(&nl, "other names: nothing is lost");
}

static void read_clock(void)
{
	for (;;)
		now_s();
}

static void clock_child(void)
{
	chain_run(chain, 1);
	read_clock();
}

static void through_the_vdso(void)
{
	struct nl nl;
	pid_t pid;

	begin(&nl, 997, 0);
	own_upload_all(&nl, false);
	pid = chain_child(clock_child);
	session_follow(&nl, 2.5); /* that nobody waits for it any more */
	forget_kinds();
	session_follow(&nl, 0.7);
	show_kinds("without the vdso's table");
	tap(of_kind(K_VDSO_GUESSED) > 50 && !of_kind(K_VDSO), "the vdso without a table: guesses",
	    "%llu guessed, %llu not", of_kind(K_VDSO_GUESSED), of_kind(K_VDSO));
	own_upload(&nl, &own[0]);
	session_follow(&nl, 0.3);
	forget_kinds();
	session_follow(&nl, 0.7);
	show_kinds("with the vdso's table");
	tap(of_kind(K_VDSO) > 50 && !of_kind(K_VDSO_GUESSED) && !of_kind(K_GUESSED) &&
	    !of_kind(K_SHORT) && !of_kind(K_WRONG), "the vdso with a table: the root",
	    "%llu rooted, %llu guessed, %llu short, %llu wrong", of_kind(K_VDSO),
	    of_kind(K_VDSO_GUESSED), of_kind(K_SHORT), of_kind(K_WRONG));
	end_child(pid);
	finish(&nl, "the vdso: nothing is lost");
}

/* More than one message, or one answer of many, holds. */
static void many_files(void)
{
	enum { FILES = 400 };
	static struct table_entry list[FILES + 64];
	static bool seen[FILES];
	struct table_image image = table_image_synthetic(10, 0);
	int i, n, fd, number, missing = 0, wrong = 0;
	char path[64];
	struct nl nl;

	begin(&nl, 99, 0);
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/many%04d-with-a-name-longer-than-is-kept", i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (table_upload(&nl, 0, fd, &image, NULL))
			tap_bail("file %d: %s", i, nl.text);
		close(fd);
		unlink(path);
	}
	n = table_list(&nl, list, FILES + 64);
	for (i = 0; i < n && n <= FILES + 64; i++) {
		if (sscanf(list[i].name, "many%d", &number) != 1)
			continue;
		wrong += seen[number] || list[i].rows != 10 || list[i].bytes < image.nr ||
			 list[i].ended || !list[i].id;
		seen[number] = true;
	}
	for (i = 0; i < FILES; i++)
		missing += !seen[i];
	tap(n >= FILES && !missing && !wrong, "TABLE_LIST: hundreds of files, each once",
	    "%d listed, %d missing, %d wrong", n, missing, wrong);
	finish(&nl, "many files: nothing is lost");
	free(image.bytes);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "before_and_after", before_and_after },
	{ "short_lives", short_lives },
	{ "under_walkers", under_walkers },
	{ "limit", limit },
	{ "killed", killed },
	{ "other_names", other_names },
	{ "vdso", through_the_vdso },
	{ "many_files", many_files },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 3 && !strcmp(argv[1], "live")) {
		live_ms(strtoull(argv[2], NULL, 10));
		return 0;
	}
	vdso = getauxval(AT_SYSINFO_EHDR);
	chain = mmap(NULL, sizeof(*chain), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (chain == MAP_FAILED)
		tap_bail("no shared memory");
	own_find();
	for (i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		cases[i].run();
		return tap_failures != 0;
	}
	tap_bail("usage: tables CASE");
}
