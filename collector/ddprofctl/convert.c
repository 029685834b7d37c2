// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl convert FROM TO`: a profile in another form. */
#include <ddprof/pprof.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/options.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/files.h"

struct options {
	uint32_t from, to;	/* enum ddp_format */
	const char *value, *by;
	bool show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "from", NULL, 'f', DDP_OPTION_CHOICE, AT(from), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what FROM is, if its name does not say so" },
	{ "to", NULL, 't', DDP_OPTION_CHOICE, AT(to), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what TO shall be, if its name does not say so" },
	{ "value", NULL, 'i', DDP_OPTION_TEXT, AT(value), .argument = "TYPE",
	  .help = "value to collapse, or to show first, by name\n"
		  "(cpu-samples) or position from 0; default the last.\n"
		  "From collapsed stacks: what their numbers are, as\n"
		  "TYPE/UNIT; default samples/count" },
	{ "by", NULL, 0, DDP_OPTION_TEXT, AT(by), .argument = "LABEL",
	  .help = "put this label's value (process_name) in front of\n"
		  "each stack; not in pprof, which has labels" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

static void help(void)
{
	puts("ddprofctl convert [options] FROM TO\n\n"
	     "Writes the profile FROM as TO; '-' is stdin or stdout. Forms, by files' names:\n\n"
	     "  gzip, lz4, zstd, plain  pprof: .pprof .gz, .lz4, .zst, .pb\n"
	     "  collapsed               text, a stack a line: .collapsed .folded .txt\n"
	     "  speedscope              JSON for speedscope.app, only to: .json\n"
	     "  html                    a flame graph for a browser, only to: .html\n");
	ddp_options_help(option_table, stdout);
}

/* "cpu-time/nanoseconds"; @text is cut in two */
static struct ddp_value_type value_type(char *text)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	return (struct ddp_value_type){ text, slash ? slash + 1 : "count" };
}

static int convert(const char *from, const char *to, const struct options *o,
		   enum ddp_format format)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	CLEANUP(free) char *text = strdup(o->value ?: "samples");
	struct ddp_format_options write = { .title = ctl_title(from), .label = o->by };
	struct ddp_value_type type;

	if (!text) {
		ctl_say("convert", -ENOMEM, NULL);
		return CTL_FAILED;
	}
	type = value_type(text);
	if (ctl_load(from, o->from, &type, &p))
		return CTL_FAILED;
	if (format >= DDP_FORMAT_COLLAPSED &&
	    ctl_find_value(p, from, ctl_is_text(from, o->from) ? NULL : o->value, &write.value))
		return CTL_FAILED;
	return ctl_save_profile(to, p, format, &write) ? CTL_FAILED : CTL_OK;
}

/* What would have no effect is not what somebody wanted */
static int check(const struct options *o, const char *from, enum ddp_format to)
{
	const char *useless = o->by ? "--by" : NULL;

	if (to >= DDP_FORMAT_COLLAPSED)
		return 0;
	if (o->value && !ctl_is_text(from, o->from))
		useless = "--value";
	if (useless)
		ddp_log_error("%s: a pprof file keeps all values and labels", useless);
	return useless ? -EINVAL : 0;
}

int ctl_convert(int argc, char **argv)
{
	struct options o = { 0 };
	enum ddp_format to;
	const char *files[2];
	size_t nr;

	if (ctl_arguments(option_table, argc, argv, &o, files, 2, &nr))
		return CTL_USAGE;
	if (o.show_help) {
		help();
		return CTL_OK;
	}
	if (nr != 2) {
		ddp_log_error("convert: expected two files, see --help");
		return CTL_USAGE;
	}
	if (ctl_output_format(files[1], o.to, &to) || check(&o, files[0], to))
		return CTL_USAGE;
	return convert(files[0], files[1], &o, to);
}
