// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl diff BASE OTHER`: what changed, as a table, a flame graph or a profile. */
#include <ddprof/pprof.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/files.h"
#include "ddprofctl/print.h"
#include "lib/sums.h"
#include "report/flamegraph.h"
#include "report/functions.h"

struct options {
	const char *output, *value, *by;
	uint32_t from, to;	/* enum ddp_format */
	uint32_t top;
	bool by_cumulative, show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "output", NULL, 'o', DDP_OPTION_TEXT, AT(output), .argument = "OUT",
	  .help = "write a file instead of the table; '-' is stdout" },
	{ "from", NULL, 'f', DDP_OPTION_CHOICE, AT(from), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what BASE and OTHER are, if their names do not say so" },
	{ "to", NULL, 't', DDP_OPTION_CHOICE, AT(to), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what OUT shall be, if its name does not say so:\n"
				      "see ddprofctl convert --help" },
	{ "value", NULL, 'i', DDP_OPTION_TEXT, AT(value), .argument = "TYPE",
	  .help = "value to show, by name (cpu-samples) or position in\nOTHER from 0; default the "
		  "last" },
	{ "by", NULL, 0, DDP_OPTION_TEXT, AT(by), .argument = "LABEL",
	  .help = "put this label's value (process_name) in front of\neach stack; only in a "
		  "flame graph and collapsed stacks" },
	{ "top", NULL, 'n', DDP_OPTION_NUMBER, AT(top), .min = 1, .max = 1000000, .argument = "N",
	  .help = "functions in the table, default 20" },
	{ "cum", NULL, 'c', DDP_OPTION_FLAG, AT(by_cumulative),
	  .help = "sort by the change of cumulative values, not flat" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

struct sides {
	struct ddp_pprof *base, *other;	/* owned */
	const char *const *files;
	size_t base_value, other_value;	/* of the same type */
	const struct options *o;
};

static void sides_free(struct sides *s)
{
	ddp_pprof_destroy(s->base);
	ddp_pprof_destroy(s->other);
}
DEFINE_CLEANUP_IN_PLACE(struct sides, sides_free)

/* The table */

static const char *format_change(int64_t change, const char *unit, char ret[32])
{
	char value[32];

	snprintf(ret, 32, "%s%.30s", change > 0 ? "+" : "", format_value(change, unit, value));
	return ret;
}

/* Of nothing there are no percents */
static const char *format_growth(int64_t change, int64_t of, char ret[32])
{
	if (of)
		snprintf(ret, 32, "%+.2f%%", percent_of(change, of));
	else
		snprintf(ret, 32, "-");
	return ret;
}

static void print_head(const struct sides *s, const struct ddp_functions *f, const char *unit)
{
	int64_t change = sum_subtract(f->sum[1], f->sum[0]);
	char before[32], after[32], text[32], growth[32];

	printf("base: ");
	print_text(s->files[0]);
	printf("other: ");
	print_text(s->files[1]);
	print_type(&s->other->sample_types[s->other_value]);
	printf("total: %s before, %s after, %s (%s)\n", format_value(f->sum[0], unit, before),
	       format_value(f->sum[1], unit, after), format_change(change, unit, text),
	       format_growth(change, f->total[0], growth));
}

static void print_function(const struct ddp_functions *f, const struct ddp_function_sums *e,
			   const char *unit)
{
	int64_t flat = sum_subtract(e->flat[1], e->flat[0]);
	int64_t cumulative = sum_subtract(e->cumulative[1], e->cumulative[0]);
	char text[6][32];

	printf("%12s %12s %12s %8s %12s %8s  ", format_value(e->flat[0], unit, text[0]),
	       format_value(e->flat[1], unit, text[1]), format_change(flat, unit, text[2]),
	       format_growth(flat, f->total[0], text[3]), format_change(cumulative, unit, text[4]),
	       format_growth(cumulative, f->total[0], text[5]));
	print_text(e->name);
}

static bool changed(const struct ddp_function_sums *e)
{
	return e->flat[0] != e->flat[1] || e->cumulative[0] != e->cumulative[1];
}

static void print_table(const struct ddp_functions *f, const char *unit, uint32_t top)
{
	size_t nr = 0;

	for (size_t i = 0; i < f->nr; i++) {
		if (!changed(&f->entries[i]))
			continue;
		if (!nr)
			printf("%12s %12s %12s %8s %12s %8s  %s\n", "flat before", "flat after",
			       "change", "of base", "cum change", "of base", "function");
		if (nr++ < top)
			print_function(f, &f->entries[i], unit);
	}
	if (!nr)
		puts("no differences");
	if (nr > top)
		printf("... and %zu more functions (-n)\n", nr - top);
}

static int show_table(const struct sides *s)
{
	CLEANUP(ddp_functions_free) struct ddp_functions f = { 0 };
	const char *unit = s->other->sample_types[s->other_value].unit;
	int r = ddp_functions_add(&f, s->base, s->base_value, 0);

	r = r ?: ddp_functions_add(&f, s->other, s->other_value, 1);
	if (r)
		return ctl_say("diff", r, NULL);
	ddp_functions_sort(&f, s->o->by_cumulative ? DDP_BY_CUMULATIVE_CHANGE : DDP_BY_FLAT_CHANGE);
	print_head(s, &f, unit);
	print_table(&f, unit, s->o->top);
	return 0;
}

/* Which values */

/* The same by name and unit: milliseconds are no nanoseconds */
static int find_same(const struct ddp_pprof *p, const char *path, const struct ddp_value_type *type,
		     size_t *ret)
{
	CLEANUP(free) char *name = NULL;

	if (asprintf(&name, "%s/%s", type->type, type->unit) < 0) {
		name = NULL;
		return ctl_say(path, -ENOMEM, NULL);
	}
	return ctl_find_value(p, path, name, ret);
}

/* The type as OTHER has it, and where it stands in BASE */
static int find_values(struct sides *s)
{
	const struct ddp_pprof *const both[] = { s->base, s->other };
	int r = ctl_find_value(s->other, s->files[1], s->o->value, &s->other_value);

	if (r)
		return r;
	r = find_same(s->base, s->files[0], &s->other->sample_types[s->other_value],
		      &s->base_value);
	if (r == -EINVAL)
		ctl_say_values(s->files, both, 2);
	return r ? r : ctl_check_label("diff", both, 2, s->o->by);
}

/* Files */

static int produce_html(void *ctx, ddp_write_fn write, void *write_ctx, struct ddp_error *err)
{
	const struct sides *s = ctx;
	CLEANUP(free) char *title = NULL;

	if (asprintf(&title, "%s \u2192 %s", ctl_title(s->files[0]), ctl_title(s->files[1])) < 0) {
		title = NULL;
		return -ENOMEM;
	}
	return ddp_flamegraph_diff(s->base, s->other, title, s->other_value, s->o->by, write,
				   write_ctx, err);
}

/* In a pprof both sides stay apart, so that whoever reads it can still say how much each had */
static int save(struct sides *s, enum ddp_format format)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *difference = NULL;
	struct ddp_format_options write = { .title = ctl_title(s->o->output), .label = s->o->by };
	struct ddp_error err = { "" };
	int r;

	if (format == DDP_FORMAT_HTML)
		return ctl_save(s->o->output, produce_html, s);
	r = ddp_pprof_diff(s->base, s->other, format < DDP_FORMAT_COLLAPSED, &difference, &err);
	if (r)
		return ctl_say("diff", r, &err);
	r = find_same(difference, "diff", &s->other->sample_types[s->other_value], &write.value);
	return r ? r : ctl_save_profile(s->o->output, difference, format, &write);
}

static int diff(const char *const *files, const struct options *o, enum ddp_format format)
{
	CLEANUP(sides_free) struct sides s = { .files = files, .o = o };
	uint32_t forms[] = { o->from, o->from };

	if (ctl_load(files[0], &forms[0], NULL, &s.base) ||
	    ctl_load(files[1], &forms[1], NULL, &s.other) || find_values(&s))
		return CTL_FAILED;
	return (o->output ? save(&s, format) : show_table(&s)) ? CTL_FAILED : CTL_OK;
}

const struct ddp_manual_command ctl_diff_manual = {
	.name = "diff",
	.summary = "what changed from one profile to another: table or flame graph",
	.synopsis = "[options] BASE OTHER",
	.text =
		"Shows what changed from BASE to OTHER: a table of functions, or with -o a\n"
		"flame graph (.html) or a profile of the difference (.pprof, .collapsed).\n",
	.table = option_table,
};

int ctl_diff(int argc, char **argv)
{
	enum ddp_format to = DDP_FORMAT_AUTO;
	struct options o = { .top = 20 };
	const char *files[2];
	size_t nr;

	if (ctl_arguments(option_table, argc, argv, &o, files, 2, &nr))
		return CTL_USAGE;
	if (o.show_help)
		return ctl_help(&ctl_diff_manual);
	if (nr != 2) {
		ddp_log_error("diff: expected two files, see --help");
		return CTL_USAGE;
	}
	if (ctl_check_stdin(files, nr) || (o.output && ctl_output_format(o.output, o.to, &to)))
		return CTL_USAGE;
	if (o.by && to < DDP_FORMAT_COLLAPSED) {
		ddp_log_error("--by: only a flame graph or collapsed stacks have a place for it");
		return CTL_USAGE;
	}
	return diff(files, &o, to);
}
