// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl report FILE`: a profile as a flat and cumulative table by function. */
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
#include "report/functions.h"

struct options {
	uint32_t from;	/* enum ddp_format */
	uint32_t top;
	bool by_cumulative, show_help;
	const char *value;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "from", NULL, 'f', DDP_OPTION_CHOICE, AT(from), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what FILE is, if its name does not say so:\n"
				      "see ddprofctl convert --help" },
	{ "top", NULL, 'n', DDP_OPTION_NUMBER, AT(top), .min = 1, .max = 1000000, .argument = "N",
	  .help = "functions to show, default 20" },
	{ "cum", NULL, 'c', DDP_OPTION_FLAG, AT(by_cumulative),
	  .help = "sort by cumulative value instead of flat" },
	{ "value", "sample_index", 'i', DDP_OPTION_TEXT, AT(value), .argument = "TYPE",
	  .help = "value to show, by name (cpu-samples) or position\nfrom 0; default the last" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

static void print_head(const struct ddp_pprof *p, const struct ddp_functions *f, size_t value,
		       const char *path)
{
	const struct ddp_value_type *type = &p->sample_types[value];
	char total[32];

	printf("file: ");
	print_text(path);
	print_type(type);
	if (p->duration_ns)
		printf("duration: %.2fs, ", (double)p->duration_ns / 1e9);
	printf("distinct samples: %zu, total: %s\n", p->nr_samples,
	       format_value(f->sum[0], type->unit, total));
}

static void print_table(const struct ddp_functions *f, const char *unit, uint32_t top)
{
	char flat[32], cumulative[32];
	int64_t sum = 0;

	printf("%12s %7s %7s %12s %7s  %s\n", "flat", "flat%", "sum%", "cum", "cum%", "function");
	for (size_t i = 0; i < f->nr && i < top; i++) {
		const struct ddp_function_sums *e = &f->entries[i];

		sum = sum_add(sum, e->flat[0]);
		printf("%12s %6.2f%% %6.2f%% %12s %6.2f%%  ", format_value(e->flat[0], unit, flat),
		       percent_of(e->flat[0], f->total[0]), percent_of(sum, f->total[0]),
		       format_value(e->cumulative[0], unit, cumulative),
		       percent_of(e->cumulative[0], f->total[0]));
		print_text(e->name);
	}
	if (f->nr > top)
		printf("... and %zu more functions (-n)\n", f->nr - top);
}

/* Two comments "samples: N" are two profiles': a collector writes each of its lines once */
static bool are_of_several(const struct ddp_pprof *p)
{
	for (size_t i = 1; i < p->nr_comments; i++) {
		const char *text = p->comments[i];
		size_t n = strcspn(text, ":");

		for (size_t k = 0; text[n] && k < i; k++)
			if (!strncmp(p->comments[k], text, n + 1))
				return true;
	}
	return false;
}

static void print_comments(const struct ddp_pprof *p)
{
	if (!p->nr_comments)
		return;
	printf("comments%s:\n", are_of_several(p) ? " (of the profiles that were merged)" : "");
	for (size_t i = 0; i < p->nr_comments; i++) {
		printf("  ");
		print_text(p->comments[i]);
	}
}

static int show(const struct ddp_pprof *p, const struct options *o, const char *path)
{
	CLEANUP(ddp_functions_free) struct ddp_functions f = { 0 };
	size_t value;
	int r = ctl_find_value(p, path, o->value, &value);

	if (r)
		return CTL_FAILED;
	r = ddp_functions_add(&f, p, value, 0);
	if (r) {
		ctl_say(path, r, NULL);
		return CTL_FAILED;
	}
	ddp_functions_sort(&f, o->by_cumulative ? DDP_BY_CUMULATIVE : DDP_BY_FLAT);
	print_head(p, &f, value, path);
	print_table(&f, p->sample_types[value].unit, o->top);
	print_comments(p);
	return CTL_OK;
}

const struct ddp_manual_command ctl_report_manual = {
	.name = "report",
	.summary = "a table of where a profile's time went",
	.synopsis = "[options] FILE",
	.text =
		"Shows where the time of a profile (pprof, packed or not; collapsed stacks) went.\n",
	.table = option_table,
};

int ctl_report(int argc, char **argv)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	struct options o = { .top = 20 };
	const char *path;
	size_t nr;

	if (ctl_arguments(option_table, argc, argv, &o, &path, 1, &nr))
		return CTL_USAGE;
	if (o.show_help)
		return ctl_help(&ctl_report_manual);
	if (!nr) {
		ddp_log_error("report: expected one file, see --help");
		return CTL_USAGE;
	}
	return ctl_load(path, &o.from, NULL, &p) ? CTL_FAILED : show(p, &o, path);
}
