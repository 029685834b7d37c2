// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl convert FROM TO`: a profile in another form. */
#include <ddprof/pprof.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
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

/* "cpu-time/nanoseconds"; @text is cut in two */
static struct ddp_value_type value_type(char *text)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	return (struct ddp_value_type){ text, slash ? slash + 1 : "count" };
}

/* What would have no effect, or half of it, is not what somebody wanted */
static int check_value(const char *value, bool from_text, enum ddp_format to)
{
	if (!value)
		return 0;
	if (from_text && !strchr(value, '/')) {
		ddp_log_error("--value %s: expected TYPE/UNIT, as in cpu-time/nanoseconds or "
			      "samples/count", value);
		return -EINVAL;
	}
	if (!from_text && to < DDP_FORMAT_COLLAPSED) {
		ddp_log_error("--value: a pprof file keeps all values and labels");
		return -EINVAL;
	}
	return 0;
}

static int convert(const char *from, const char *to, const struct options *o,
		   enum ddp_format format)
{
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *p = NULL;
	CLEANUP(free) char *text = strdup(o->value ?: "samples");
	struct ddp_format_options write = { .title = ctl_title(from), .label = o->by };
	struct ddp_value_type type;
	uint32_t form = o->from;
	bool from_text;

	if (!text) {
		ctl_say("convert", -ENOMEM, NULL);
		return CTL_FAILED;
	}
	type = value_type(text);
	if (ctl_load(from, &form, &type, &p))
		return CTL_FAILED;
	from_text = form == DDP_FORMAT_COLLAPSED;
	if (check_value(o->value, from_text, format))
		return CTL_USAGE;
	if (format >= DDP_FORMAT_COLLAPSED &&
	    ctl_find_value(p, from, from_text ? NULL : o->value, &write.value))
		return CTL_FAILED;
	if (ctl_check_label(ctl_title(from), (const struct ddp_pprof *const *)&p, 1, o->by))
		return CTL_FAILED;
	return ctl_save_profile(to, p, format, &write) ? CTL_FAILED : CTL_OK;
}

const struct ddp_manual_command ctl_convert_manual = {
	.name = "convert",
	.summary = "a profile as a flame graph, text, or packed otherwise",
	.synopsis = "[options] FROM TO",
	.text =
		"Writes the profile FROM as TO; '-' is stdin or stdout. Forms, by files' names:\n\n"
		"  auto                    as the name says, which is the default; what is read as\n"
		"                          pprof is known by its bytes as well\n"
		"  gzip, lz4, zstd, plain  pprof: .pprof .gz, .lz4, .zst, .pb\n"
		"  collapsed               text, a stack a line: .collapsed .folded .txt\n"
		"  speedscope              JSON for speedscope.app, only to: .json\n"
		"  html                    a flame graph for a browser, only to: .html\n",
	.table = option_table,
};

int ctl_convert(int argc, char **argv)
{
	struct options o = { 0 };
	enum ddp_format to;
	const char *files[2];
	size_t nr;

	if (ctl_arguments(option_table, argc, argv, &o, files, 2, &nr))
		return CTL_USAGE;
	if (o.show_help)
		return ctl_help(&ctl_convert_manual);
	if (nr != 2) {
		ddp_log_error("convert: expected two files, see --help");
		return CTL_USAGE;
	}
	if (ctl_output_format(files[1], o.to, &to))
		return CTL_USAGE;
	if (o.by && to < DDP_FORMAT_COLLAPSED) {
		ddp_log_error("--by: a pprof file keeps all values and labels");
		return CTL_USAGE;
	}
	return convert(files[0], files[1], &o, to);
}
