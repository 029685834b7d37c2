// SPDX-License-Identifier: Apache-2.0
/*
 * One file's unwind table: its size, what making it costs, whether it says what elfutils' libdw
 * reads in the same file, and what a walk by it costs beside libdw's of the same stacks. Prints a
 * line of key=value pairs, which tests/bench/unwind.sh collects for a set of files;
 * docs/unwinding.md says what was measured so.
 *
 *   rows                 in the image
 *   bytes_per_row        of the whole image
 *   build_ns_per_row     reading the file (cached) and making the image, best of many
 *   rows_agree_pct       of the rows that both describe
 *   unknown_pct          of the bytes that FDEs describe, those in rows of kind UNKNOWN
 *   ns_per_frame_hot     ours, walking a snapshot again and again, best of ROUNDS
 *   libdw_ns_per_frame   libdwfl's, likewise, same snapshots
 *   speedup              the latter by the former
 *   ns_per_frame_cold    ours, first walk after all of the cache has been overwritten: median
 *   libdw_ns_per_frame_first  libdwfl's, first walk of each snapshot: reads entries it has not seen
 *   walks_same_pct       of the snapshots, those in which both give the same addresses
 *
 * Snapshots are taken of a program at random moments: all registers, and the stack from the stack
 * pointer up. Neither side pays for reading another process's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/unwind_agree.h"
#include "tests/bench/unwind_libdw.h"
#include "tests/bench/unwind_process.h"
#include "uapi/ddprof.h"

enum {
	BUILDS = 1000,			/* at most */
	BUILD_MS = 300,			/* builds go on at least so long, */
	MIN_BUILDS = 7,			/* and are at least so many */
	SHOWN = 20,			/* disagreements, without --all */
	SNAPSHOTS = 200,
	TRIES = 10,			/* stops a snapshot at most: threads end, mappings change */
	OTHER_LAYOUTS = 20,		/* stops in a row with other mappings: these stay */
	WARM_UP_MS = 300,
	ROUNDS = 5,
	LOOPS = 50,			/* walks of one snapshot in a row, a round */
	COLD = 50,			/* snapshots walked cold */
	CACHE_BYTES = 64 * 1024 * 1024,	/* more than the caches hold */
};

struct capture {
	struct unwind_tables *tables;
	struct unwind_process process;
	struct unwind_libdw libdw;
	struct unwind_snapshot *snapshots;
	u32 nr, wanted;
};

struct cost {
	uint64_t ns, frames;
};

struct costs {
	struct cost hot, libdw, libdw_first;
	uint64_t cold_ps;		/* a frame, picoseconds: median of the walks */
	u32 walks, roots, libdw_roots, same;
};

static u64 frames[UNWIND_MAX_FRAMES], libdw_frames[UNWIND_MAX_FRAMES];

static void sleep_us(long us)
{
	nanosleep(&(struct timespec) { us / 1000000, us % 1000000 * 1000 }, NULL);
}

static double per(uint64_t total, uint64_t nr)
{
	return nr ? (double)total / nr : NAN;
}

/* ---- the table ---- */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct table {
	void *image;		/* owned */
	size_t bytes;
	struct ddp_rows rows;
	struct ddp_cfi_counts counts;
	struct unwind_agree agree;
	uint64_t best_ns, median_ns; /* of making it */
};

static void table_free(struct table *t)
{
	free(t->image);
}
DEFINE_CLEANUP_IN_PLACE(struct table, table_free)

static int build(const char *path, struct table *t)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t ns[BUILDS], total = 0;
	u32 nr = 0;
	const char *fault;

	if (fd < 0)
		return -errno;
	while (nr < BUILDS && (nr < MIN_BUILDS || total < BUILD_MS * 1000000)) {
		uint64_t start = unwind_now_ns();
		int r;

		free(TAKE(t->image));
		r = ddp_cfi_file_table(fd, &t->image, &t->bytes, &t->counts);
		if (r)
			return r;
		ns[nr] = unwind_now_ns() - start;
		total += ns[nr++];
	}
	qsort(ns, nr, sizeof(ns[0]), compare_u64);
	t->best_ns = ns[0];
	t->median_ns = ns[nr / 2];
	if (!ddp_rows_open(t->image, t->bytes, &t->rows, &fault) &&
	    !ddp_rows_check(&t->rows, 0, t->rows.nr_pages, &fault))
		return 0;
	fprintf(stderr, "%s: bad image: %s\n", path, fault);
	return -EINVAL;
}

static void print_table(const char *path, const struct table *t)
{
	printf("file=%s rows=%u bytes_per_row=%.2f build_ns_per_row=%.1f", path, t->rows.nr_rows,
	       per(t->bytes, t->rows.nr_rows), per(t->best_ns, t->rows.nr_rows));
	printf(" rows_agree_pct=%.4f unknown_pct=%.4f",
	       100 * per(t->agree.agreed, t->agree.compared),
	       100 * per(t->counts.unknown_bytes, t->counts.code_bytes));
}

static void print_table_details(const struct table *t)
{
	const struct unwind_agree *a = &t->agree;
	const struct ddp_cfi_counts *c = &t->counts;

	printf(" build_median_ns_per_row=%.1f build_ns=%" PRIu64 " table_bytes=%zu",
	       per(t->median_ns, t->rows.nr_rows), t->best_ns, t->bytes);
	printf(" unknown_rows_pct=%.4f fdes=%" PRIu64 " code_bytes=%" PRIu64 " unknown_bytes=%"
	       PRIu64, 100 * per(c->unknown_rows, c->rows), c->entries, c->code_bytes,
	       c->unknown_bytes);
	printf(" rows_compared=%" PRIu64 " rows_disagree=%" PRIu64 " rows_unknown=%" PRIu64
	       " rows_ours_alone=%" PRIu64 " rbx_given_up=%" PRIu64 " gap_bytes=%" PRIu64,
	       a->compared, a->compared - a->agreed, a->unmodelled, a->ours_alone, a->bx_given_up,
	       a->gap_bytes);
}

static void print_reasons(const char *path, const struct ddp_cfi_counts *c)
{
	for (int i = 0; i < DDP_CFI_NR_REASONS; i++) {
		if (c->by_reason[i])
			printf("unknown file=%s count=%" PRIu64 " reason=\"%s\"\n", path,
			       c->by_reason[i], ddp_cfi_reason_text(i));
	}
}

/* ---- walks ---- */

static void drop_snapshots(struct capture *c)
{
	while (c->nr)
		free(c->snapshots[--c->nr].bytes);
}

static void capture_free(struct capture *c)
{
	if (c->process.pid > 0)
		unwind_kill(c->process.pid);
	drop_snapshots(c);
	free(c->snapshots);
	unwind_process_free(&c->process);
	unwind_libdw_close(&c->libdw);
}
DEFINE_CLEANUP_IN_PLACE(struct capture, capture_free)

/* What is mapped is what walks will go by, ours and libdw's. */
static int take_layout(struct capture *c)
{
	int r = unwind_process_refresh(&c->process);

	drop_snapshots(c);
	unwind_libdw_close(&c->libdw);
	return r < 0 ? r : unwind_libdw_open(c->process.pid, false, &c->libdw);
}

/* One stop. @others counts those in a row whose mappings are not the ones we have. */
static int take_snapshot(struct capture *c, u32 *others)
{
	struct unwind_stop stop;
	int r = unwind_stop_random(c->process.pid, &stop);

	if (r)
		return r;
	if (!unwind_process_changed(&c->process)) {
		r = unwind_snapshot_take(&stop, &c->snapshots[c->nr]);
		c->nr += !r;
		*others = 0;
	} else if (++*others > OTHER_LAYOUTS) {
		r = take_layout(c);
	}
	unwind_stop_end(&stop);
	return r;
}

static int capture(struct capture *c, char **argv)
{
	u32 others = OTHER_LAYOUTS; /* there is none yet: take the first */

	c->snapshots = calloc(c->wanted, sizeof(c->snapshots[0]));
	if (!c->snapshots)
		return -ENOMEM;
	c->process = (struct unwind_process) { .pid = unwind_spawn(argv), .tables = c->tables };
	if (c->process.pid < 0)
		return c->process.pid;
	sleep_us(WARM_UP_MS * 1000);
	for (u32 i = 0; i < c->wanted * TRIES && c->nr < c->wanted; i++) {
		take_snapshot(c, &others);
		sleep_us(200 + random() % 2000);
	}
	/* it must not compete with what is measured next */
	unwind_kill(c->process.pid);
	c->process.pid = 0;
	return c->nr ? 0 : -ESRCH;
}

static u32 walk(const struct capture *c, const struct unwind_snapshot *s, struct ddp_walk *ret)
{
	static struct ddp_memo memo;	/* as one CPU has it */
	static struct ddp_window window = { .read = unwind_snapshot_read, .memo = &memo };
	struct ddp_user_regs regs = unwind_regs(&s->stop);

	window.ctx = (void *)s;
	ddp_window_reset(&window);
	return ddp_unwind_user(&window, &regs, c->process.ranges, 1, frames, UNWIND_MAX_FRAMES,
			       ret);
}

/* @return how many frames, in frames[] */
static u32 measure_hot(const struct capture *c, const struct unwind_snapshot *s,
		       struct costs *costs)
{
	uint64_t best = UINT64_MAX, nr = 0;
	struct ddp_walk how;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ns = unwind_now_ns();

		for (int i = 0; i < LOOPS; i++)
			nr = walk(c, s, &how);
		ns = unwind_now_ns() - ns;
		best = ns < best ? ns : best;
	}
	costs->hot.ns += best;
	costs->hot.frames += nr * LOOPS;
	costs->roots += how.end == DDPROF_END_ROOT;
	return nr;
}

/* @return how many frames, in libdw_frames[] */
static u32 measure_libdw(struct capture *c, const struct unwind_snapshot *s, struct costs *costs)
{
	uint64_t best = UINT64_MAX, nr = 0;
	const char *error = NULL;

	c->libdw.snapshot = s;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ns = unwind_now_ns();

		nr = unwind_libdw_walk(&c->libdw, s->stop.tid, libdw_frames, UNWIND_MAX_FRAMES,
				       &error);
		ns = unwind_now_ns() - ns;
		best = ns < best ? ns : best;
		if (!round) {
			costs->libdw_first.ns += ns;
			costs->libdw_first.frames += nr;
		}
	}
	costs->libdw.ns += best;
	costs->libdw.frames += nr;
	costs->libdw_roots += !error;
	return nr;
}

static int measure_cold(const struct capture *c, struct costs *costs)
{
	CLEANUP(free) uint8_t *cache = malloc(CACHE_BYTES);
	u32 nr = c->nr < COLD ? c->nr : COLD;
	uint64_t ps[COLD];
	struct ddp_walk how;

	if (!cache)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		uint64_t ns;
		u32 frames_nr;

		memset(cache, i, CACHE_BYTES);
		__asm__ volatile("" : : "r"(cache) : "memory");
		ns = unwind_now_ns();
		frames_nr = walk(c, &c->snapshots[i], &how);
		ps[i] = (unwind_now_ns() - ns) * 1000 / frames_nr;
	}
	qsort(ps, nr, sizeof(ps[0]), compare_u64);
	costs->cold_ps = ps[nr / 2];
	return 0;
}

static void print_costs(const struct costs *c)
{
	double hot = per(c->hot.ns, c->hot.frames), libdw = per(c->libdw.ns, c->libdw.frames);

	printf(" ns_per_frame_hot=%.1f libdw_ns_per_frame=%.0f speedup=%.0f", hot, libdw,
	       libdw / hot);
}

static void print_costs_details(const struct costs *c)
{
	printf(" ns_per_frame_cold=%.0f libdw_ns_per_frame_first=%.0f",
	       per(c->cold_ps, 1000), per(c->libdw_first.ns, c->libdw_first.frames));
	printf(" walks=%u frames_per_walk=%.1f libdw_frames_per_walk=%.1f", c->walks,
	       per(c->hot.frames, LOOPS * (uint64_t)c->walks), per(c->libdw.frames, c->walks));
	printf(" walks_same_pct=%.1f root_pct=%.1f libdw_root_pct=%.1f",
	       100 * per(c->same, c->walks), 100 * per(c->roots, c->walks),
	       100 * per(c->libdw_roots, c->walks));
}

static int measure_walks(char **argv, u32 wanted, struct costs *costs)
{
	CLEANUP(unwind_tables_free) struct unwind_tables tables = { 0 };
	CLEANUP(capture_free) struct capture c = { .tables = &tables, .wanted = wanted };
	int r = capture(&c, argv);

	if (r)
		return r;
	costs->walks = c.nr;
	for (u32 i = 0; i < c.nr; i++) {
		u32 libdw_nr = measure_libdw(&c, &c.snapshots[i], costs);
		u32 nr = measure_hot(&c, &c.snapshots[i], costs);

		if (nr == libdw_nr && !memcmp(frames, libdw_frames, nr * sizeof(frames[0])))
			costs->same++;
	}
	return measure_cold(&c, costs);
}

static int run(const char *path, char **argv, uint64_t shown, u32 wanted)
{
	CLEANUP(table_free) struct table table = { 0 };
	struct costs costs = { 0 };
	int r = build(path, &table);

	if (!r)
		r = unwind_agree_file(path, &table.rows, shown, &table.agree);
	if (!r && argv[0])
		r = measure_walks(argv, wanted, &costs);
	if (r)
		return r;
	print_reasons(path, &table.counts);
	print_table(path, &table);
	if (argv[0])
		print_costs(&costs);
	print_table_details(&table);
	if (argv[0])
		print_costs_details(&costs);
	printf("\n");
	return 0;
}

static int usage(FILE *out)
{
	fprintf(out, "usage: unwind [--all] [--snapshots N] FILE [-- COMMAND ARG...]\n"
		"  FILE             ELF file whose table is measured\n"
		"  COMMAND          program whose stacks are walked; should work in FILE\n"
		"  --all            list every row that disagrees with libdw, not the first %d\n"
		"  --snapshots N    stacks walked (default: %d)\n", SHOWN, SNAPSHOTS);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "snapshots", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t shown = SHOWN;
	u32 wanted = SNAPSHOTS;
	const char *path;
	int option, r;

	while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (option == 'a')
			shown = UINT64_MAX;
		else if (option == 'n')
			wanted = atoi(optarg);
		else
			return usage(option == 'h' ? stdout : stderr);
	}
	if (optind == argc || !wanted)
		return usage(stderr);
	path = argv[optind++];
	if (argv[optind] && !strcmp(argv[optind], "--"))
		optind++;
	r = run(path, argv + optind, shown, wanted);
	if (r)
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
	return r ? 1 : 0;
}
