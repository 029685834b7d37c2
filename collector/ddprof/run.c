// SPDX-License-Identifier: Apache-2.0
/*
 * See run.h. In front of a command there are three processes for a moment: this one, which becomes
 * the command; a middle one that ends at once, so that the command never sees a child it did not
 * make; and the profiler, which tells through a pipe when the command may begin.
 */
#include "ddprof/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "core/output.h"
#include "core/pipeline.h"
#include "ddprof/filter.h"
#include "ddprof/monitoring.h"
#include "ddprof/self.h"
#include "ddprof/session.h"

enum {
	START_TIMEOUT_MS = 2000,	/* longest a command waits for its profiler */
	MODULE_FLUSH_MS = 5000,		/* where START does not say */
	/* for the unwind tables of what runs already */
	AHEAD_TIMEOUT_MS = 2000,
	EXIT_CANNOT_EXECUTE = 126,	/* as shells have it */
	EXIT_NOT_FOUND = 127,
};

/* A session from a config */

/*
 * What the module counted and has not sent when an interval ends is in the next one's profile: a
 * tenth of an interval at most. @return 0: the module's default
 */
static uint32_t flush_ms(const struct ddprof_config *c)
{
	uint64_t tenth = (uint64_t)c->period_s * 1000 / 10;

	return tenth < MODULE_FLUSH_MS ? (uint32_t)tenth : 0;
}

static void fill_start(const struct ddprof_config *c, const struct ddp_pids *pids, uint32_t scope,
		       struct ddp_link_start *ret)
{
	*ret = (struct ddp_link_start){
		.scope = scope,
		.tgids = pids->pid, .nr_tgids = pids->nr,
		.flags = DDPROF_FLAG_KERNEL | DDPROF_FLAG_USER |
			 (c->timestamps ? DDPROF_FLAG_TIMESTAMPS : 0),
		.depth = c->depth, .budget_permille = c->budget_permille,
		.flush_ms = flush_ms(c),
		.tables_kib = &c->unwind_tables_kib,
	};
}

int ddprof_create_output(const struct ddprof_config *c, struct ddp_output *replaces,
			 struct ddp_output **ret, struct ddp_error *err)
{
	CLEANUP(free) struct ddprof_targets *targets = malloc(sizeof(*targets));
	struct ddp_output_config oc = {
		.path = c->output,
		.numbered = c->numbered,
		.service = c->service,
		.environment = c->environment,
		.version = c->version,
		.tags = c->tags,
		.include_kernel = true,
		.runtime_id = c->runtime_id,
		.prefix = c->debug_pprof_prefix,
		.show_samples = c->show_samples,
		.replaces = replaces,
	};
	int r = targets ? ddprof_targets_make(c, targets, err) : -ENOMEM;

	if (r)
		return r;
	oc.targets = targets->at;
	oc.nr_targets = targets->nr;
	return ddp_output_create(&oc, ret, err);
}

/* One descriptor for each mapped file: as many as we may have */
static void raise_file_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l))
		ddp_log_debug("RLIMIT_NOFILE: %s", strerror(errno));
}

/* What a session needs of the machine: tracepoints and control groups. @ret_filter: as for
 * ddprof_filter_open() */
static int find_what_is_asked_for(const struct ddprof_config *c,
				  struct ddp_event_specs *ret_events,
				  struct ddprof_filter *ret_filter, struct ddp_error *err)
{
	int r = ddprof_config_events(c, ret_events, err);

	r = r ?: ddp_events_resolve(ret_events, err);
	return r ? r : ddprof_filter_open(c, ret_filter, err);
}

int ddprof_check_session(const struct ddprof_config *c, struct ddp_error *err)
{
	CLEANUP(ddprof_filter_close) struct ddprof_filter filter = { .link.nr_tids = 0 };
	struct ddp_event_specs events;

	return find_what_is_asked_for(c, &events, &filter, err);
}

int ddprof_create_pipeline(const struct ddprof_config *c, const struct ddprof_session *s,
			   struct ddp_pipeline **ret, struct ddp_error *err)
{
	struct ddp_pipeline_config pc = {
		.output = s->output, .replaces = s->replaces, .period_s = c->period_s,
		.table_cache = c->unwind_cache,
		/* a command is not running yet, and waits for us */
		.ahead_ms = c->command ? 0 : AHEAD_TIMEOUT_MS,
		.max_processes = c->maximum_pids > 0 ? (uint32_t)c->maximum_pids : 0,
		.without_names = c->disable_symbolization,
		.inlined = c->inlined_functions,
		.services = {
			.split = c->services, .proc = c->host_proc,
			.max_services = c->max_services,
			.rules = c->service_rules.text, .nr_rules = c->service_rules.nr,
		},
	};
	CLEANUP(ddprof_filter_close) struct ddprof_filter filter = { .link.nr_tids = 0 };
	struct ddp_event_specs events;
	int r = find_what_is_asked_for(c, &events, &filter, err);

	if (r)
		return r;
	raise_file_limit();
	fill_start(c, s->pids, s->scope, &pc.start);
	pc.start.filter = filter.link;
	pc.events = &events;
	return ddp_pipeline_create(&pc, ret, err);
}

int ddprof_pidfd_open(uint32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

	return fd < 0 ? -errno : fd;
}

/* Sockets and files whose reader has gone are errors like others. Never before the command's fork:
 * it would inherit that */
void ddprof_ignore_broken_pipes(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static bool is_ignored(int signal)
{
	struct sigaction a;

	return !sigaction(signal, NULL, &a) && a.sa_handler == SIG_IGN;
}

/* SIGQUIT, which ends a profiler at once, is the command's affair when there is one in front */
static void fill_signals(bool have_command, sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	if (!is_ignored(SIGHUP)) /* nohup */
		sigaddset(ret, SIGHUP);
	if (have_command)
		sigaddset(ret, SIGQUIT);
}

/* Signals that end it become readable instead of deadly. On failure all is as before */
int ddprof_open_signals(bool have_command, sigset_t *ret_old)
{
	sigset_t set;
	int fd, r;

	fill_signals(have_command, &set);
	if (sigprocmask(SIG_BLOCK, &set, ret_old))
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd >= 0)
		return fd;
	r = -errno;
	sigprocmask(SIG_SETMASK, ret_old, NULL);
	return r;
}

int ddprof_finish(struct ddp_pipeline *p, struct ddp_output **output)
{
	unsigned int unsent;
	int r;

	ddp_output_ending(*output);
	r = ddp_pipeline_finish(p);
	unsent = ddp_output_finish(TAKE(*output));
	return r || unsent ? DDPROF_EXIT_FAILED : 0;
}

/* In front of a command */

static int execute(const struct ddprof_config *c)
{
	char *const *argv = c->command;
	struct ddp_error err = { "" };

	/* not as somebody else than it should be */
	if (c->switch_user && ddprof_self_become(c->switch_user, &err)) {
		ddp_log_error("cannot run %s: %s", argv[0], err.text);
		return EXIT_CANNOT_EXECUTE;
	}
	execvp(argv[0], argv);
	ddp_log_error("cannot run %s: %s", argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}

int ddprof_run_unprofiled(const struct ddprof_config *c)
{
	return execute(c);
}

/* Until the profiler closes the other end, which is when it samples or never will, but not long.
 * Closes @ready */
static void wait_ready(int ready)
{
	if (!poll(&(struct pollfd){ .fd = ready, .events = POLLIN }, 1, START_TIMEOUT_MS))
		ddp_log_warn("the profiler takes long to start: the command begins before it");
	close_fd(ready);
}

/*
 * Profiles the command with PID @pid until it ends; closes @ready, which lets the command begin,
 * when the session runs, or will not. Closing does it because a command that did not want to wait
 * any longer does not read any more.
 */
static int profile_command(const struct ddprof_config *c, pid_t pid, int ready,
			   int (*run)(struct ddp_pipeline *p, int pidfd, void *ctx), void *ctx)
{
	struct ddp_pids pids = { .pid = { (uint32_t)pid }, .nr = 1 };
	struct ddprof_session session = { .pids = &pids, .scope = DDPROF_SCOPE_TREES };
	CLEANUP(close_fd) int pidfd = ddprof_pidfd_open((uint32_t)pid);
	CLEANUP(ddprof_output_finish) struct ddp_output *output = NULL;
	CLEANUP(ddp_pipeline_destroy) struct ddp_pipeline *p = NULL;
	CLEANUP(ddprof_monitoring_close) struct ddprof_monitoring monitoring = { .timer = -1 };
	struct ddp_error err = { "" };
	int r = pidfd < 0 ? pidfd : ddprof_create_output(c, NULL, &output, &err);

	session.output = output;
	r = r ?: ddprof_create_pipeline(c, &session, &p, &err);
	if (r)
		ddp_log_warn("running without a profile: %s",
			     err.text[0] ? err.text : strerror(-r));
	close_fd(ready);
	if (r)
		return r;
	ddprof_monitoring_open(&monitoring, c); /* the command does not wait for it */
	ddprof_monitoring_attach(&monitoring, p);
	r = run(p, pidfd, ctx);
	ddprof_monitoring_close(&monitoring);
	return ddprof_finish(p, &output) ? -EIO : r < 0 ? r : 0;
}

/* The middle process has ended when somebody else is our parent: then we are not the command's
 * descendant, which would be profiled with it */
static void leave_family(pid_t middle)
{
	while (getppid() == middle)
		usleep(200);
}

/*
 * Locks, pipes and listening sockets that the caller left open are meant for the command: held
 * here, they would seem to be in use after its end
 */
static void close_inherited(int ready)
{
	int log = ddp_log_descriptor();
	unsigned int keep[2] = { (unsigned int)(log < ready ? log : ready),
				 (unsigned int)(log < ready ? ready : log) };
	unsigned int first = STDERR_FILENO + 1;
	long r = 0;

	for (size_t i = 0; i < 2; i++) {
		if ((int)keep[i] < (int)first)
			continue;
		if (keep[i] > first)
			r |= syscall(SYS_close_range, first, keep[i] - 1, 0);
		first = keep[i] + 1;
	}
	if (r | syscall(SYS_close_range, first, ~0U, 0))
		ddp_log_debug("close_range: %s", strerror(errno));
}

static void detach(int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid(); /* the terminal's signals are the command's */
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	close_inherited(ready); /* null as well */
}

static void leave(int fd)
{
	CLEANUP(close_fd) int null = -1;
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0)
		dup3(null, fd, fd > STDERR_FILENO ? O_CLOEXEC : 0);
}

/* Whoever reads the command's output from a pipe or socket waits for all to close it: when the
 * command has ended, what the profiler still has to say is kept from there */
static void leave_output(void)
{
	int log = ddp_log_descriptor();

	leave(STDERR_FILENO);
	if (log != STDERR_FILENO)
		leave(log);
}

static int run_until_exit(struct ddp_pipeline *p, int pidfd, void *ctx)
{
	int r = ddp_pipeline_run(p, *(int *)ctx, &pidfd, 1);

	leave_output();
	return r;
}

static void profiler(const struct ddprof_config *c, pid_t command, pid_t middle, int ready)
{
	CLEANUP(close_fd) int signals = -1;
	sigset_t old;

	leave_family(middle);
	if (getppid() == command)
		ddp_log_warn("the command is %s and becomes the profiler's parent%s: use --wait",
			     command == 1 ? "PID 1" : "a subreaper",
			     command == 1 ? ", whose end loses the last profile" : "");
	detach(ready);
	ddprof_self_settle(c);
	ddprof_ignore_broken_pipes();
	signals = ddprof_open_signals(false, &old);
	profile_command(c, command, ready, run_until_exit, &signals);
}

/* Forks the profiler by way of a middle process, which is gone when this returns */
static int fork_profiler(const struct ddprof_config *c, int ready[2])
{
	pid_t command = getpid(), middle = fork(), profiler_pid;

	if (middle < 0)
		return -errno;
	if (middle) {
		while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
			;
		return 0;
	}
	close_fd(ready[0]);
	middle = getpid();
	profiler_pid = fork();
	if (profiler_pid < 0)
		ddp_log_warn("running without a profile: cannot fork: %s", strerror(errno));
	if (!profiler_pid)
		profiler(c, command, middle, ready[1]);
	_exit(0);
}

int ddprof_run_command(const struct ddprof_config *c)
{
	int ready[2];
	int r = pipe2(ready, O_CLOEXEC) ? -errno : fork_profiler(c, ready);

	if (r) {
		ddp_log_warn("running without a profile: %s", strerror(-r));
		return execute(c);
	}
	close_fd(ready[1]);
	wait_ready(ready[0]);
	return execute(c);
}

/* As the command's parent */

struct waiting {
	pid_t command;
	int signals;
};

/* The terminal, which is the kernel, tells the command as well; what others send came to us alone
 * and is handed on */
static void pass_signals(const struct waiting *w)
{
	struct signalfd_siginfo info;

	while (read(w->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_code != SI_KERNEL)
			kill(w->command, (int)info.ssi_signo);
}

static int run_passing_signals(struct ddp_pipeline *p, int pidfd, void *ctx)
{
	int r;

	while ((r = ddp_pipeline_run(p, ((struct waiting *)ctx)->signals, &pidfd, 1)) ==
	       DDP_PIPELINE_STOPPED)
		pass_signals(ctx);
	return r;
}

static int wait_command(const struct waiting *w)
{
	struct pollfd fds[2] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = ddprof_pidfd_open((uint32_t)w->command), .events = POLLIN },
	};
	int status;

	while (fds[1].fd >= 0 && !fds[1].revents) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		pass_signals(w);
	}
	close_fd(fds[1].fd);
	while (waitpid(w->command, &status, 0) < 0)
		if (errno != EINTR)
			return DDPROF_EXIT_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void be_command(const struct ddprof_config *c, int gate[2], const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	close_fd(gate[1]);
	wait_ready(gate[0]);
	_exit(execute(c));
}

int ddprof_run_wait(const struct ddprof_config *c)
{
	CLEANUP(close_fd) int signals = -1;
	struct waiting w;
	sigset_t old;
	int gate[2];

	signals = ddprof_open_signals(true, &old);
	if (signals < 0) {
		ddp_log_warn("running without a profile: %s", strerror(-signals));
		return execute(c);
	}
	if (pipe2(gate, O_CLOEXEC)) {
		ddp_log_warn("running without a profile: %s", strerror(errno));
		sigprocmask(SIG_SETMASK, &old, NULL);
		return execute(c);
	}
	w = (struct waiting){ .command = fork(), .signals = signals };
	if (w.command < 0) {
		ddp_log_error("cannot fork: %s", strerror(errno));
		return DDPROF_EXIT_FAILED;
	}
	if (!w.command)
		be_command(c, gate, &old);
	close_fd(gate[0]);
	ddprof_self_settle(c);
	ddprof_ignore_broken_pipes();
	profile_command(c, w.command, gate[1], run_passing_signals, &w);
	return wait_command(&w);
}
