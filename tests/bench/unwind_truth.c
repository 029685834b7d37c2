// SPDX-License-Identifier: Apache-2.0
/*
 * Our walks against other people's: stops random threads of a running program at random moments and
 * walks each stop twice, with kmod/core and the collector's tables, and with elfutils' libdwfl,
 * which is what eu-stack is made of. Says how many gave identical lists of addresses, and sorts the
 * others into classes; gdb is asked about the first stops of each class. At some stops the real
 * eu-stack is run too, to see that libdwfl is used rightly here. Behind `make check-unwind`.
 *
 * Prints key=value lines: one a class, then one for the workload, where identical_code_pct counts
 * the stops of kind beyond as well. A class is
 *   kind      longer: libdwfl's list is the beginning of ours
 *             shorter: ours is the beginning of libdwfl's
 *             beyond: libdwfl's is ours and then an address that is no code, which is no frame
 *             caller: ours has one frame more, the innermost function's caller; libdwfl went by
 *             frame pointers there, before the function has made its frame
 *             differ: after the last frame that both have, both go on
 *             same: identical, but only one of the two says that it reached the root
 *   at        what has the code of the last frame that both have
 *   end       how our walk ended, as enum ddprof_walk_end names it
 *   libdw     libdwfl's error, or "root"
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/bench/unwind_libdw.h"
#include "tests/bench/unwind_process.h"
#include "uapi/ddprof.h"

enum {
	STOPS = 250,
	EU_STACK_EVERY = 25,	/* stops */
	JUDGED = 3,		/* stops of a class shown to gdb */
	CLASSES = 64,
	CLASS_TEXT = 200,
	RESTARTS = 100,		/* of a program that ends by itself */
	WARM_UP_MS = 300,
	STOPPED_MS = 2000,	/* to wait for a thread to be seen stopped */
};

struct list {
	u64 frame[UNWIND_MAX_FRAMES];
	u32 nr;
};

struct class {
	char text[CLASS_TEXT];
	char example[CLASS_TEXT];
	uint64_t stops;
	u32 judged, gdb_ours, gdb_libdw, gdb_neither;
};

struct truth {
	const char *name;
	char **argv;
	struct unwind_tables tables;
	struct unwind_process process;	/* pid 0: not running */
	struct unwind_libdw libdw;
	struct class classes[CLASSES];
	u32 nr_classes;
	uint64_t stops, identical, beyond, frames, roots, libdw_roots, in_syscall;
	uint64_t eu_stack, eu_stack_same;
	u32 restarts;
};

/* One stop, both ways. */
struct pair {
	struct list ours, theirs;
	struct ddp_walk how;
	const char *error;	/* libdwfl's; NULL: it reached the root */
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec) { ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static const char *end_name(unsigned int end)
{
	static const char *const names[__DDPROF_END_MAX] = {
		"none", "root", "truncated", "unreadable", "bad_frame", "no_table", "no_rule",
	};

	return end < __DDPROF_END_MAX ? names[end] : "?";
}

static u32 common(const struct list *a, const struct list *b)
{
	u32 n = 0;

	while (n < a->nr && n < b->nr && a->frame[n] == b->frame[n])
		n++;
	return n;
}

static bool same(const struct list *a, const struct list *b)
{
	return a->nr == b->nr && common(a, b) == a->nr;
}

/* Whether theirs is ours and then goes on with something that is no code, so no frame. */
static bool beyond(const struct truth *t, const struct pair *p)
{
	u32 n = p->ours.nr;

	return n < p->theirs.nr && common(&p->ours, &p->theirs) == n &&
	       !unwind_process_is_code(&t->process, p->theirs.frame[n] - 1);
}

/* Whether ours is theirs and one frame more, the innermost function's caller. */
static bool has_caller(const struct pair *p)
{
	u32 n = p->theirs.nr;

	return n && p->ours.nr == n + 1 && p->ours.frame[0] == p->theirs.frame[0] &&
	       !memcmp(p->ours.frame + 2, p->theirs.frame + 1, (n - 1) * sizeof(u64));
}

/* ---- the program ---- */

static void stop_program(struct truth *t)
{
	unwind_libdw_close(&t->libdw);
	unwind_process_free(&t->process);
	if (t->process.pid > 0)
		unwind_kill(t->process.pid);
	t->process.pid = 0;
}

static int start_program(struct truth *t)
{
	pid_t pid = unwind_spawn(t->argv);

	if (pid < 0)
		return pid;
	if (t->restarts++ == RESTARTS)
		return -ELOOP;
	t->process = (struct unwind_process) { .pid = pid, .tables = &t->tables };
	sleep_ms(random() % WARM_UP_MS);
	return 0;
}

/* What is mapped at this stop, for both. */
static int take_layout(struct truth *t)
{
	int r = unwind_process_refresh(&t->process);

	if (r < 0 || (!r && t->libdw.dwfl))
		return r;
	unwind_libdw_close(&t->libdw);
	return unwind_libdw_open(t->process.pid, true, &t->libdw);
}

/* ---- other programs' opinions ---- */

static bool wait_stopped(const struct unwind_stop *stop)
{
	for (int ms = 0; ms < STOPPED_MS; ms += 10) {
		if (unwind_thread_state(stop->pid, stop->tid) == 'T')
			return true;
		sleep_ms(10);
	}
	return false;
}

/* Lines of the form "#N 0xADDRESS..." */
static bool read_frames(const char *command, struct list *ret)
{
	CLEANUP(free) char *line = NULL;
	FILE *out = popen(command, "re");
	size_t cap = 0;

	ret->nr = 0;
	if (!out)
		return false;
	while (getline(&line, &cap, out) > 0 && ret->nr < UNWIND_MAX_FRAMES) {
		if (sscanf(line, "#%*u 0x%" SCNx64, &ret->frame[ret->nr]) == 1)
			ret->nr++;
	}
	pclose(out);
	return ret->nr > 0;
}

/*
 * Both give the address of an interrupted instruction below a signal's frame as it is; @like has
 * such addresses + 1.
 */
static void adopt_interrupted(struct list *l, const struct list *like)
{
	for (u32 i = 1; i < l->nr && i < like->nr; i++)
		l->frame[i] += l->frame[i] + 1 == like->frame[i];
}

static void eu_stack_command(const struct unwind_stop *stop, char *ret, size_t nr)
{
	snprintf(ret, nr, "eu-stack -n 0 -1 -p %d 2>/dev/null", stop->tid);
}

static void gdb_command(const struct unwind_stop *stop, char *ret, size_t nr)
{
	snprintf(ret, nr,
		 "timeout 60 gdb -nx -q -batch -iex 'set debuginfod enabled off' -p %d"
		 " -ex 'set backtrace past-main on' -ex 'set backtrace past-entry on' -ex 'python"
		 " exec(\"[t for t in gdb.selected_inferior().threads()"
		 " if t.ptid[1] == %d][0].switch()\\nf = gdb.newest_frame()\\n"
		 "while f is not None:\\n"
		 " if f.type() != gdb.INLINE_FRAME: print(chr(35) + \\\"0 0x%%x\\\" %% f.pc())\\n"
		 " f = f.older()\")' 2>/dev/null", stop->pid, stop->tid);
}

/*
 * Another program can only look at the stop when we let go of it: a SIGSTOP sent beforehand keeps
 * the thread from running its next instruction. @stop is over afterwards.
 */
static bool ask(struct unwind_stop *stop, const struct list *ours,
		void (*make_command)(const struct unwind_stop *stop, char *ret, size_t nr),
		struct list *ret)
{
	char command[1024];
	bool ok;

	syscall(SYS_tgkill, stop->pid, stop->tid, SIGSTOP);
	unwind_stop_end(stop);
	make_command(stop, command, sizeof(command));
	ok = wait_stopped(stop) && read_frames(command, ret) && ret->frame[0] == ours->frame[0];
	kill(stop->pid, SIGCONT);
	if (ok)
		adopt_interrupted(ret, ours);
	return ok;
}

static void check_eu_stack(struct truth *t, struct unwind_stop *stop, const struct pair *p)
{
	static struct list list;

	if (!ask(stop, &p->theirs, eu_stack_command, &list))
		return;
	t->eu_stack++;
	t->eu_stack_same += same(&list, &p->theirs);
}

static void judge(struct class *c, struct unwind_stop *stop, const struct pair *p)
{
	static struct list list;

	c->judged++;
	if (!ask(stop, &p->ours, gdb_command, &list))
		return;
	if (same(&list, &p->ours))
		c->gdb_ours++;
	else if (same(&list, &p->theirs))
		c->gdb_libdw++;
	else
		c->gdb_neither++;
	if (c->judged == 1) {
		size_t used = strlen(c->example);

		snprintf(c->example + used, sizeof(c->example) - used,
			 " gdb_frames=%u gdb_common_with_ours=%u gdb_common_with_libdw=%u", list.nr,
			 common(&list, &p->ours), common(&list, &p->theirs));
	}
}

/* ---- classes ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct class *find_class(struct truth *t, const char *text)
{
	for (u32 i = 0; i < t->nr_classes; i++) {
		if (!strcmp(t->classes[i].text, text))
			return &t->classes[i];
	}
	/* the last one takes what there is no room for */
	if (t->nr_classes == CLASSES)
		return &t->classes[CLASSES - 1];
	snprintf(t->classes[t->nr_classes].text, CLASS_TEXT, "%s", text);
	return &t->classes[t->nr_classes++];
}

static struct class *classify(struct truth *t, const struct pair *p)
{
	u32 n = common(&p->ours, &p->theirs);
	const char *kind = "differ";
	u64 last = p->ours.frame[n ? n - 1 : 0];
	char text[CLASS_TEXT];
	struct class *c;

	if (beyond(t, p))
		kind = "beyond";
	else if (has_caller(p))
		kind = "caller";
	else if (n == p->ours.nr)
		kind = n == p->theirs.nr ? "same" : "shorter";
	else if (n == p->theirs.nr)
		kind = "longer";
	snprintf(text, sizeof(text), "kind=%s at=%s%s end=%s libdw=\"%s\"", kind,
		 base_name(unwind_process_where(&t->process, last - (n > 1))),
		 n <= 1 ? " leaf" : "", end_name(p->how.end), p->error ?: "root");
	c = find_class(t, text);
	if (!c->stops++)
		snprintf(c->example, sizeof(c->example),
			 "common_frames=%u ours_frames=%u libdw_frames=%u last_common=%#" PRIx64
			 " ours_next=%#" PRIx64 " libdw_next=%#" PRIx64, n, p->ours.nr,
			 p->theirs.nr, last, n < p->ours.nr ? p->ours.frame[n] : 0,
			 n < p->theirs.nr ? p->theirs.frame[n] : 0);
	return c;
}

/* ---- stops ---- */

static void walk(struct truth *t, const struct unwind_stop *stop, struct pair *p)
{
	struct ddp_user_regs regs = unwind_regs(stop);
	static struct ddp_memo memo;	/* as one CPU has it */
	struct ddp_window window;

	unwind_window_live(&window, &t->process.pid);
	window.memo = &memo;
	p->ours.nr = ddp_unwind_user(&window, &regs, t->process.ranges, 1, p->ours.frame,
				     UNWIND_MAX_FRAMES, &p->how);
	p->theirs.nr = unwind_libdw_walk(&t->libdw, stop->tid, p->theirs.frame, UNWIND_MAX_FRAMES,
					 &p->error);
}

static void count(struct truth *t, const struct unwind_stop *stop, const struct pair *p)
{
	t->stops++;
	t->frames += p->ours.nr;
	t->roots += p->how.end == DDPROF_END_ROOT;
	t->libdw_roots += !p->error;
	t->in_syscall += !stop->exact;
}

/* One stop of a running program; negative: it is gone. */
static int compare_stop(struct truth *t)
{
	static struct pair p;
	struct unwind_stop stop;
	struct class *c = NULL;
	int r = unwind_stop_random(t->process.pid, &stop);

	if (r)
		return r;
	r = take_layout(t);
	if (r < 0) {
		unwind_stop_end(&stop);
		return r;
	}
	walk(t, &stop, &p);
	count(t, &stop, &p);
	t->identical += same(&p.ours, &p.theirs);
	t->beyond += beyond(t, &p);
	if (!same(&p.ours, &p.theirs) || !p.error != (p.how.end == DDPROF_END_ROOT))
		c = classify(t, &p);
	if (c && c->judged < JUDGED && !stop.signal)
		judge(c, &stop, &p);
	else if (t->stops % EU_STACK_EVERY == 0 && !stop.signal)
		check_eu_stack(t, &stop, &p);
	else
		unwind_stop_end(&stop);
	return 0;
}

static int run(struct truth *t, uint64_t stops)
{
	int r = 0;

	while (t->stops < stops && !r) {
		if (!t->process.pid)
			r = start_program(t);
		else if (compare_stop(t))
			stop_program(t);
		sleep_ms(1 + random() % 8);
	}
	stop_program(t);
	return r;
}

static void print(const struct truth *t)
{
	double stops = t->stops;

	for (u32 i = 0; i < t->nr_classes; i++) {
		const struct class *c = &t->classes[i];

		printf("class workload=%s stops=%" PRIu64 " %s judged=%u gdb_like_ours=%u"
		       " gdb_like_libdw=%u gdb_neither=%u example: %s\n", t->name, c->stops,
		       c->text, c->judged, c->gdb_ours, c->gdb_libdw, c->gdb_neither, c->example);
	}
	printf("workload=%s stops=%" PRIu64 " identical=%" PRIu64 " identical_pct=%.2f"
	       " beyond=%" PRIu64 " identical_code_pct=%.2f mean_frames=%.1f root_pct=%.2f"
	       " libdw_root_pct=%.2f in_syscall_pct=%.1f",
	       t->name, t->stops, t->identical, 100 * t->identical / stops, t->beyond,
	       100 * (t->identical + t->beyond) / stops, t->frames / stops,
	       100 * t->roots / stops, 100 * t->libdw_roots / stops, 100 * t->in_syscall / stops);
	printf(" eu_stack_stops=%" PRIu64 " eu_stack_like_libdw=%" PRIu64 " runs=%u\n",
	       t->eu_stack, t->eu_stack_same, t->restarts);
}

static int usage(FILE *out)
{
	fprintf(out, "usage: unwind_truth [--stops N] NAME COMMAND ARG...\n"
		"  NAME       of the workload, for the output\n"
		"  COMMAND    what runs it; started again when it ends\n"
		"  --stops N  how often a thread is stopped (default: %d)\n", STOPS);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stops", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct truth truth;
	uint64_t stops = STOPS;
	int option, r;

	while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (option != 's')
			return usage(option == 'h' ? stdout : stderr);
		stops = strtoull(optarg, NULL, 10);
	}
	if (argc - optind < 2 || !stops)
		return usage(stderr);
	srandom(unwind_now_ns());
	truth.name = argv[optind];
	truth.argv = argv + optind + 1;
	r = run(&truth, stops);
	print(&truth);
	unwind_tables_free(&truth.tables);
	if (r)
		fprintf(stderr, "%s: %s\n", truth.name, strerror(-r));
	return r ? 1 : 0;
}
