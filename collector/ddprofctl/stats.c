// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl stats`: what the module counted since the session began, a column a CPU and the sum,
 * and what its unwind tables do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "unwind/coverage.h"
#include "link/link.h"
#include "base/log.h"
#include "ddprofctl/commands.h"

struct options {
	uint32_t interval_s;
	bool totals_only, all_files, show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "interval", NULL, 'i', DDP_OPTION_NUMBER, AT(interval_s), .min = 1, .max = 3600,
	  .argument = "SECONDS", .help = "show again and again, until interrupted" },
	{ "totals", NULL, 't', DDP_OPTION_FLAG, AT(totals_only), .help = "leave out the CPUs" },
	{ "files", NULL, 'f', DDP_OPTION_FLAG, AT(all_files),
	  .help = "show every file with or without an unwind table" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

enum { TOP_FILES = 10 };

struct collected {
	struct ddp_link_stats *cpus;	/* owned */
	size_t nr, cap;
	struct ddp_link_stats sum;
	struct ddp_link_info info;
	struct ddp_link_table *files;	/* owned */
	size_t nr_files, cap_files;
};

static void collected_free(struct collected *c)
{
	free(c->cpus);
	free(c->files);
}
DEFINE_CLEANUP_IN_PLACE(struct collected, collected_free)

static int collect_file(void *ctx, const struct ddp_link_table *t)
{
	struct collected *c = ctx;
	struct ddp_link_table *more = array_reserve(c->files, &c->cap_files, c->nr_files + 1,
						    sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->files = more;
	c->files[c->nr_files++] = *t;
	return 0;
}

static int collect(void *ctx, const struct ddp_link_stats *s)
{
	struct collected *c = ctx;
	struct ddp_link_stats *more = array_reserve(c->cpus, &c->cap, c->nr + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->cpus = more;
	c->cpus[c->nr++] = *s;
	ddp_link_stats_add(&c->sum, s);
	return 0;
}

#define ROW(member) { #member, offsetof(struct ddp_link_stats, member) }
static const struct {
	const char *name;
	size_t offset;
} rows[] = {
	ROW(samples), ROW(folded), ROW(new_stacks), ROW(nmi), ROW(idle), ROW(out_of_scope),
	ROW(no_regs), ROW(no_aspace), ROW(missed), ROW(skipped), ROW(lost_ring), ROW(lost_nested),
	ROW(lost_tasks), ROW(handler_ns), ROW(handler_max_ns), ROW(ring_bytes),
	ROW(ring_high_bytes), ROW(messages), ROW(bytes), ROW(deferred), ROW(defer_full),
	ROW(guessed), ROW(blocks), ROW(blocks_short), ROW(blocks_thinned), ROW(blocks_lost),
};
#undef ROW

#define ROW(member) { #member, offsetof(struct ddp_link_info, member) }
static const struct {
	const char *name;
	size_t offset;
} session_rows[] = {
	ROW(tables), ROW(tables_bytes), ROW(tables_max_bytes), ROW(tables_evicted),
	ROW(tables_refused), ROW(cpu_bytes), ROW(defer_bytes),
};
#undef ROW

static const char *const ends[] = {
	[DDPROF_END_NONE] = "none", [DDPROF_END_ROOT] = "root",
	[DDPROF_END_TRUNCATED] = "truncated", [DDPROF_END_UNREADABLE] = "unreadable",
	[DDPROF_END_BAD_FRAME] = "bad_frame", [DDPROF_END_NO_TABLE] = "no_table",
	[DDPROF_END_NO_RULE] = "no_rule",
};
_Static_assert(sizeof(ends) / sizeof(ends[0]) == __DDPROF_END_MAX,
	       "every way a walk ends has a name");

static void print_row(const struct collected *c, const char *name, size_t offset)
{
	printf("%-20s %14" PRIu64, name, *(const uint64_t *)((const char *)&c->sum + offset));
	for (size_t i = 0; i < c->nr; i++)
		printf(" %12" PRIu64, *(const uint64_t *)((const char *)&c->cpus[i] + offset));
	putchar('\n');
}

static void print_overhead(const struct collected *c)
{
	const struct ddp_link_stats *s = &c->sum;

	printf("%-20s %13.4f%%", "overhead", s->elapsed_ns ?
	       100.0 * (double)s->handler_ns / (double)s->elapsed_ns : 0);
	for (size_t i = 0; i < c->nr; i++)
		printf(" %11.4f%%", c->cpus[i].elapsed_ns ?
		       100.0 * (double)c->cpus[i].handler_ns / (double)c->cpus[i].elapsed_ns : 0);
	putchar('\n');
}

static double root_percent(const struct ddp_link_stats *s)
{
	return ddp_coverage_percent(s->user_end);
}

static void print_root(const struct collected *c)
{
	printf("%-20s %13.2f%%", "user_root_percent", root_percent(&c->sum));
	for (size_t i = 0; i < c->nr; i++)
		printf(" %11.2f%%", root_percent(&c->cpus[i]));
	putchar('\n');
}

static void print_ends(const struct collected *c, const char *half, size_t offset)
{
	char name[32];

	for (size_t i = 0; i < __DDPROF_END_MAX; i++) {
		snprintf(name, sizeof(name), "%s_%s", half, ends[i]);
		print_row(c, name, offset + i * sizeof(uint64_t));
	}
}

static void print(const struct collected *c)
{
	printf("%-20s %14s", "", "total");
	for (size_t i = 0; i < c->nr; i++)
		printf(" %8s%-4u", c->cpus[i].online ? "cpu" : "offline", c->cpus[i].cpu);
	printf("\n%-20s %13.1fs\n", "elapsed", c->sum.cpu ?
	       (double)c->sum.elapsed_ns / c->sum.cpu / 1e9 : 0);
	print_overhead(c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_row(c, rows[i].name, rows[i].offset);
	print_root(c);
	print_ends(c, "user", offsetof(struct ddp_link_stats, user_end));
	print_ends(c, "kernel", offsetof(struct ddp_link_stats, kernel_end));
	for (size_t i = 0; i < sizeof(session_rows) / sizeof(session_rows[0]); i++)
		printf("%-20s %14" PRIu64 "\n", session_rows[i].name,
		       *(const uint64_t *)((const char *)&c->info + session_rows[i].offset));
}

/* Files */

static int by_ended(const void *a, const void *b)
{
	const struct ddp_link_table *x = a, *y = b;

	if (x->ended != y->ended)
		return x->ended > y->ended ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Nothing in a name shall steer the terminal */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name >= ' ' && *name <= '~' ? *name : '?');
	putchar('\n');
}

/* The figures first: a file may be called like a counter */
static void print_file(const struct ddp_link_table *t)
{
	if (t->bytes)
		printf("%14" PRIu64 " %10" PRIu32 " %10" PRIu32 " %7" PRIu32 "  ", t->ended,
		       t->rows, t->bytes, t->idle_s);
	else
		printf("%14" PRIu64 " %10s %10s %7s  ", t->ended, "-", "-", "-");
	print_name(t->name);
}

static void print_files(const struct collected *c, const struct options *o)
{
	size_t nr = 0;

	if (c->nr_files)
		qsort(c->files, c->nr_files, sizeof(*c->files), by_ended);
	while (nr < c->nr_files && (o->all_files || (nr < TOP_FILES && c->files[nr].ended)))
		nr++;
	if (!nr)
		return;
	printf("\n%14s %10s %10s %7s  %s\n", "walks_ended_in", "rows", "bytes", "idle_s",
	       "file");
	for (size_t i = 0; i < nr; i++)
		print_file(&c->files[i]);
}

static int ask(struct ddp_link *l, const struct options *o, struct collected *c,
	       struct ddp_error *err)
{
	int r = ddp_link_get_stats(l, collect, c, err);

	r = r ?: ddp_link_get_info(l, &c->info, err);
	if (!r && (o->all_files || !o->totals_only))
		r = ddp_link_table_list(l, collect_file, c, err);
	return r;
}

static int show_once(struct ddp_link *l, const struct options *o)
{
	CLEANUP(collected_free) struct collected c = { 0 };
	struct ddp_error err = { "" };
	int r = ask(l, o, &c, &err);

	if (r) {
		ddp_log_error("%s", err.text[0] ? err.text : strerror(-r));
		return CTL_FAILED;
	}
	if (!c.nr) {
		ddp_log_error("no session is running: `ddprof -g` starts one");
		return CTL_FAILED;
	}
	if (o->totals_only)
		c.nr = 0;
	print(&c);
	print_files(&c, o);
	fflush(stdout);
	return CTL_OK;
}

static int show(const struct options *o)
{
	CLEANUP(ddp_link_close) struct ddp_link *l = NULL;
	struct ddp_error err = { "" };
	int r = ddp_link_open(&l, &err);

	if (r) {
		ddp_log_error("%s", err.text);
		return CTL_FAILED;
	}
	r = show_once(l, o);
	while (r == CTL_OK && o->interval_s) {
		sleep(o->interval_s);
		putchar('\n');
		r = show_once(l, o);
	}
	return r;
}

const struct ddp_manual_command ctl_stats_manual = {
	.name = "stats",
	.summary = "the running session's counters and overhead",
	.synopsis = "[options]",
	.text =
		"The counters of the running session since it began: the sum, then each CPU.\n"
		"What they mean stands in uapi/ddprof.h. Below, without --totals, the files\n"
		"in which most walks of user stacks ended that did not reach their root,\n"
		"with their unwind tables. Exit status 1 without a session.\n",
	.table = option_table,
};

int ctl_stats(int argc, char **argv)
{
	struct options o = { 0 };
	int status;

	if (!ctl_begin(&ctl_stats_manual, argc, argv, &o, &o.show_help, &status))
		return status;
	return show(&o);
}
