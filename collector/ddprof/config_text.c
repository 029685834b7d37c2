// SPDX-License-Identifier: Apache-2.0
/* See config.h: what is said of the options, and of the values in effect. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/whole_file.h"
#include "ddprof/config.h"

static const char modes[] =
	"The command keeps this process's PID, terminal and exit status and never waits for\n"
	"the profiler: profiling ends with the command, and the last profile is written\n"
	"and uploaded just after it. --output appears under its name when it is complete;\n"
	"--wait waits for it. A profiler that cannot start is one warning, and the command\n"
	"runs without. Where stderr is a pipe, the profiler is silent after the command's\n"
	"end, so that nobody waits for it. As PID 1 of a container, whose end is the end of\n"
	"all, --wait is needed: without it the last profile is lost.\n"
	"SIGINT, SIGTERM and SIGHUP end -p and -g; what was sampled until then goes out.\n"
	"With --config SIGHUP reads the file again instead: what has changed changes, without\n"
	"losing a sample. A file that cannot be used is an error in the log and changes nothing.\n";

static const char sources[] =
	"Options win over environment variables, these over --config's file, and that over\n"
	"defaults. What is wrong in a variable is a warning, elsewhere an error.\n";

static const char statuses[] =
	"The command's; without one 0, or 1 when profiling failed or what there was at its end\n"
	"did not get out: the last profile, and what still waited to be sent. What is in a spool\n"
	"then is not lost. What was lost before the end, or dropped for a limit of queue or spool,\n"
	"is no failure of the end; the last messages say how much it was. 2 for wrong usage.\n";

static const struct ddp_manual_part before[] = {
	{ "DESCRIPTION", modes },
	{ 0 },
};

static const struct ddp_manual_part after[] = {
	{ "PRECEDENCE", sources },
	{ "EXIT STATUS", statuses },
	{ "EXAMPLES",
	  "  ddprof -S my-service ./server --port 80\n"
	  "  ddprof --output profile.pprof -p 1234\n"
	  "  ddprof -e 'sCPU;sPF period=10' ./server\n"
	  "  ddprof -g -u 60 -U http://agent:8126\n" },
	{ "SEE ALSO", "`ddprofctl doctor` says what profiling needs and is not there.\n" },
	{ 0 },
};

static const struct ddp_manual manual = {
	.program = "ddprof",
	.version = DDPROF_VERSION,
	.summary = "profiles programs through the kernel module ddprof_kmod",
	.synopsis = "[options] command [args]\n[options] -p PID\n[options] -g\n",
	.config = "/etc/ddprof/ddprof.conf",
	.table = ddprof_options,
	.sections = ddprof_sections,
	.before = before,
	.after = after,
};

static void help(FILE *to)
{
	fprintf(to, "Profiles programs through the kernel module ddprof_kmod.\n"
		"\n"
		"  ddprof [options] command [args]   profile a command and its children\n"
		"  ddprof [options] -p PID           profile running processes\n"
		"  ddprof [options] -g               profile the whole machine\n"
		"\n%s\n", modes);
	ddp_options_help(ddprof_options, to);
	fprintf(to, "\nIn long names - and _ are the same; --no-NAME switches a flag off. In\n"
		"front of a command called true or false write --.\n%s"
		"Exit status: %s", sources, statuses);
}

static int fill_config(void *config, int fd)
{
	const struct ddprof_config *c = config;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	CLEANUP(close_file) FILE *f = own < 0 ? NULL : fdopen(own, "w");

	if (!f)
		return -errno;
	fprintf(f, "# what was in effect: ddprof --config reads it\n");
	ddp_options_write(&c->options, ddprof_sections, f);
	errno = EIO;	/* where an earlier write has failed */
	/* a machine that stops now must not have half of it in the old one's place */
	return fflush(f) || ferror(f) || fsync(own) ? -errno : 0;
}

/* Only a file of the caller's is touched. @return NULL: it may be replaced, or is new */
static const char *find_obstacle(const char *path)
{
	struct stat st;

	if (lstat(path, &st)) /* writing says what else it is */
		return NULL;
	if (S_ISLNK(st.st_mode))
		return "it is a symbolic link: name the file that it leads to";
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (st.st_uid != geteuid())
		return "it belongs to somebody else: remove it first, or name another one";
	return NULL;
}

static int write_config(const struct ddprof_config *c, struct ddp_error *err)
{
	const char *obstacle = find_obstacle(c->write_config);
	int r = obstacle ? -EEXIST :
		/* it may say where things are, and who: mode 0600 */
		ddp_whole_file(c->write_config, fill_config, (void *)(uintptr_t)c);

	if (r)
		snprintf(err->text, sizeof(err->text), "--write_config %.150s: %s",
			 c->write_config, obstacle ? obstacle : strerror(-r));
	return r;
}

static bool wants_events(const struct ddprof_config *c)
{
	/* in the environment it is a mistake, and no reason not to run a command */
	if (ddp_options_from(&c->options, offsetof(struct ddprof_config, events)) !=
	    DDP_FROM_COMMAND_LINE)
		return false;
	for (uint32_t i = 0; i < c->events.nr; i++)
		if (!strcmp(c->events.text[i], "help"))
			return true;
	return false;
}

static bool shows(const struct ddprof_config *c)
{
	return c->show_help || wants_events(c) || c->show_version ||
	       c->print != DDPROF_PRINT_NOTHING;
}

bool ddprof_config_only_tells(const struct ddprof_config *c)
{
	bool nothing = !c->command && !c->global && !c->pids.nr;

	return shows(c) || (nothing && (c->show_config || c->write_config));
}

static void show(const struct ddprof_config *c, FILE *to)
{
	static void (*const prints[])(const struct ddp_manual *m, FILE *to) = {
		[DDPROF_PRINT_MAN] = ddp_options_man, [DDPROF_PRINT_BASH] = ddp_options_bash,
		[DDPROF_PRINT_ZSH] = ddp_options_zsh, [DDPROF_PRINT_CONFIG] = ddp_options_sample,
	};

	if (c->show_help)
		help(to);
	else if (wants_events(c))
		ddp_events_help(to);
	else if (c->show_version)
		fputs("ddprof " DDPROF_VERSION "\n", to);
	else
		prints[c->print](&manual, to);
}

int ddprof_config_tell(const struct ddprof_config *c, struct ddp_error *err)
{
	if (shows(c)) {
		show(c, stdout);
		return 0;
	}
	if (c->show_config)
		ddp_options_show(&c->options, ddprof_sections, stderr);
	return c->write_config ? write_config(c, err) : 0;
}
