// SPDX-License-Identifier: Apache-2.0
/* See top_screen.h. */
#include "ddprofctl/top_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ddprofctl/print.h"

enum {
	HEAD_LINES = 2,		/* what it is, and the columns' names */
	LINE_BYTES = DDP_TOP_MAX_NAME + 256,
};

/* Where lines go, and how long they may be */
struct screen {
	ddp_write_fn write;
	void *ctx;
	uint32_t columns;
	int r;		/* of the first write that failed */
};

/* The bytes of at most @columns characters; what is printable is one column each, most often */
static size_t cut(const char *text, uint32_t columns)
{
	size_t n = 0;

	for (uint32_t seen = 0; text[n]; n++) {
		bool begins = ((unsigned char)text[n] & 0xc0) != 0x80;

		if (columns && begins && seen++ == columns)
			break;
	}
	return n;
}

static void put_line(struct screen *s, char *line)
{
	size_t n;

	make_printable(line);
	n = cut(line, s->columns);
	line[n] = '\n';
	if (!s->r)
		s->r = s->write(s->ctx, line, n + 1);
}

static bool is_time(const struct ddp_top *t)
{
	return !strcmp(t->unit, "nanoseconds");
}

/* Percent of one CPU; 0 when it is not known */
static double cpu_percent(const struct ddp_top *t, int64_t value)
{
	return is_time(t) && t->interval_s > 0 ? (double)value / t->interval_s / 1e7 : 0;
}

static void put_head(struct screen *s, const struct ddp_top *t)
{
	char line[LINE_BYTES], total[32], share[48] = "";

	if (is_time(t) && t->cpus)
		snprintf(share, sizeof(share), " (%.1f %% of %" PRIu32 " CPUs)",
			 cpu_percent(t, t->total) / t->cpus, t->cpus);
	snprintf(line, sizeof(line), "%s of %.1f s: %s%s; %" PRIu64 " samples, %" PRIu64 " lost, "
		 "overhead %.3f %%", t->type, t->interval_s,
		 format_value(t->total, t->unit, total), share, t->samples, t->lost_samples,
		 100 * t->overhead_ratio);
	put_line(s, line);
}

static void put_functions(struct screen *s, const struct ddp_top *t, size_t rows)
{
	char line[LINE_BYTES] = "", flat[32], cumulative[32];

	snprintf(line, sizeof(line), "%10s %7s %10s %7s  %s", "flat", "flat%", "cum", "cum%",
		 "function");
	put_line(s, line);
	for (size_t i = 0; i < t->nr_functions && i < rows; i++) {
		const struct ddp_top_function *f = &t->functions[i];

		snprintf(line, sizeof(line), "%10s %6.2f%% %10s %6.2f%%  %s",
			 format_value(f->flat, t->unit, flat), percent_of(f->flat, t->total),
			 format_value(f->cumulative, t->unit, cumulative),
			 percent_of(f->cumulative, t->total), f->name);
		put_line(s, line);
	}
}

static void put_processes(struct screen *s, const struct ddp_top *t, size_t rows)
{
	char line[LINE_BYTES], value[32], cpu[32];

	snprintf(line, sizeof(line), "%10s %7s %7s %10s  %s", "value", "share", "CPU", "process",
		 "name");
	put_line(s, line);
	for (size_t i = 0; i < t->nr_processes && i < rows; i++) {
		const struct ddp_top_process *p = &t->processes[i];

		snprintf(cpu, sizeof(cpu), is_time(t) ? "%.1f%%" : "", cpu_percent(t, p->value));
		snprintf(line, sizeof(line), "%10s %6.2f%% %7s %10" PRId64 "  %s",
			 format_value(p->value, t->unit, value), percent_of(p->value, t->total),
			 cpu, p->pid, p->name[0] ? p->name : "[unknown]");
		put_line(s, line);
	}
}

static void put_keys(struct screen *s)
{
	char line[LINE_BYTES] =
		"f functions  p processes  c by cum  s by flat  + - seconds  q quit";

	put_line(s, line);
}

int ctl_top_draw(const struct ddp_top *top, const struct ctl_top_view *view, ddp_write_fn write,
		 void *ctx)
{
	struct screen s = { .write = write, .ctx = ctx, .columns = view->columns };
	size_t fixed = HEAD_LINES + view->keys;
	size_t rows = !view->lines ? SIZE_MAX : view->lines > fixed ? view->lines - fixed : 0;

	put_head(&s, top);
	if (view->by_process)
		put_processes(&s, top, rows);
	else
		put_functions(&s, top, rows);
	if (view->keys)
		put_keys(&s);
	return s.r;
}
