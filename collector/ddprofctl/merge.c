// SPDX-License-Identifier: Apache-2.0
/* `ddprofctl merge FILE... -o OUT`: several profiles as one. */
#include <ddprof/pprof.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/files.h"

struct options {
	const char *output;
	uint32_t from, to;	/* enum ddp_format */
	bool show_help;
};

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "output", NULL, 'o', DDP_OPTION_TEXT, AT(output), .argument = "OUT",
	  .help = "file to write; '-' is stdout" },
	{ "from", NULL, 'f', DDP_OPTION_CHOICE, AT(from), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what all FILEs are, if their names do not say so" },
	{ "to", NULL, 't', DDP_OPTION_CHOICE, AT(to), .choices = ddp_format_names,
	  .argument = "FORM", .help = "what OUT shall be, if its name does not say so:\n"
				      "see ddprofctl convert --help" },
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

struct inputs {
	struct ddp_pprof **profiles;	/* owned */
	size_t nr;
};

static void inputs_free(struct inputs *in)
{
	for (size_t i = 0; i < in->nr; i++)
		ddp_pprof_destroy(in->profiles[i]);
	free(in->profiles);
}
DEFINE_CLEANUP_IN_PLACE(struct inputs, inputs_free)

static int merge(const char *const *files, size_t nr, const struct options *o,
		 enum ddp_format format)
{
	CLEANUP(inputs_free) struct inputs in = { .profiles = calloc(nr, sizeof(*in.profiles)) };
	CLEANUP(ddp_pprof_destroy) struct ddp_pprof *merged = NULL;
	struct ddp_format_options write = { .title = "merged profiles" };
	struct ddp_error err = { "" };
	int r = in.profiles ? 0 : -ENOMEM;

	for (; !r && in.nr < nr; in.nr++) {
		uint32_t form = o->from;

		if (ctl_load(files[in.nr], &form, NULL, &in.profiles[in.nr]))
			return CTL_FAILED;
	}
	r = r ?: ddp_pprof_merge((const struct ddp_pprof *const *)in.profiles, files, nr, &merged,
				 &err);
	if (r) {
		ctl_say("merge", r, &err);
		if (r == -EINVAL)
			ctl_say_values(files, (const struct ddp_pprof *const *)in.profiles, nr);
		return CTL_FAILED;
	}
	if (format >= DDP_FORMAT_COLLAPSED && ctl_find_value(merged, "merge", NULL, &write.value))
		return CTL_FAILED;
	return ctl_save_profile(o->output, merged, format, &write) ? CTL_FAILED : CTL_OK;
}

const struct ddp_manual_command ctl_merge_manual = {
	.name = "merge",
	.summary = "several profiles added up to one",
	.synopsis = "[options] FILE... -o OUT",
	.text =
		"Adds profiles up: the values that all of them have.\n",
	.table = option_table,
};

int ctl_merge(int argc, char **argv)
{
	CLEANUP(free) const char **files = calloc((size_t)argc, sizeof(*files));
	struct options o = { 0 };
	enum ddp_format to;
	size_t nr;

	if (!files || ctl_arguments(option_table, argc, argv, &o, files, (size_t)argc, &nr))
		return CTL_USAGE;
	if (o.show_help)
		return ctl_help(&ctl_merge_manual);
	if (!nr || !o.output) {
		ddp_log_error("merge: expected files and -o OUT, see --help");
		return CTL_USAGE;
	}
	if (ctl_check_stdin(files, nr) || ctl_output_format(o.output, o.to, &to))
		return CTL_USAGE;
	return merge(files, nr, &o, to);
}
