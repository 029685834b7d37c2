// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl top`: the functions or processes that take most just now. The tables are a running
 * collector's, asked over its control socket; where none runs, those of a session of our own, whose
 * loop then calls the same functions that otherwise poll() calls here.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "base/log.h"
#include "ddprofctl/ask.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/top_screen.h"
#include "metrics/live.h"

enum {
	DEFAULT_INTERVAL_S = 2,
	MAX_INTERVAL_S = 3600,
	DEFAULT_ROWS = 20,	/* where there is no terminal to fill */
	OWN_FLUSH_MS = 500,	/* a table should not be older than what is looked at */
	OWN_PERIOD_S = 60,	/* what happened before is out of the table then */
};

struct options {
	const char *control_socket, *value;
	uint32_t interval_s, rows;
	bool by_process, by_cumulative, once, show_help;
};

/* It becomes part of an address, and no value type has other characters */
static int check_value(const char *value, struct ddp_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	if (strspn(value, allowed) == strlen(value))
		return 0;
	snprintf(err->text, sizeof(err->text), "expected a value type, as cpu-time");
	return -EINVAL;
}

#define AT(member) .offset = offsetof(struct options, member)

static const struct ddp_option option_table[] = {
	{ "interval", NULL, 'i', DDP_OPTION_NUMBER, AT(interval_s), .min = 1, .max = MAX_INTERVAL_S,
	  .argument = "SECONDS", .help = "look again after so long, default 2" },
	{ "processes", NULL, 'p', DDP_OPTION_FLAG, AT(by_process),
	  .help = "begin with processes instead of functions" },
	{ "cum", NULL, 'c', DDP_OPTION_FLAG, AT(by_cumulative),
	  .help = "sort functions with all they called" },
	{ "value", "sample_index", 'v', DDP_OPTION_TEXT, AT(value), .argument = "TYPE",
	  .check = check_value, .help = "value to show, by name; default cpu-time" },
	{ "once", NULL, '1', DDP_OPTION_FLAG, AT(once),
	  .help = "show one table and end, as where stdout is no terminal" },
	{ "rows", NULL, 'n', DDP_OPTION_NUMBER, AT(rows), .min = 1, .max = DDP_TOP_MAX_ROWS,
	  .argument = "N", .help = "rows of that one table, default 20" },
	CTL_CONTROL_SOCKET(struct options),
	{ "help", NULL, 'h', DDP_OPTION_FLAG, AT(show_help), .help = "show this" },
	{ 0 },
};

struct ui {
	struct options o;		/* as the keys have changed it */
	struct ddp_pipeline *own;	/* borrowed; NULL: a collector is asked */
	bool terminal;			/* keys, and a screen that is drawn anew */
	struct termios old;		/* as it was; with terminal */
	int tick, signals, done;	/* timerfd, signalfd, eventfd */
	struct ddp_top top;		/* the newest one */
	struct ddp_error err;		/* why it is not newer; "" when it is */
	bool ended;
};

/* Tables */

static size_t rows_wanted(const struct ui *ui)
{
	return ui->terminal ? DDP_TOP_ROWS : ui->o.rows;
}

static int ask_collector(struct ui *ui, struct ddp_top *ret)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer answer = { 0 };
	char path[256];
	int r;

	snprintf(path, sizeof(path), "/top?rows=%zu&sort=%s%s%.150s", rows_wanted(ui),
		 ui->o.by_cumulative ? "cumulative" : "flat", ui->o.value ? "&value=" : "",
		 ui->o.value ?: "");
	r = ctl_ask(ui->o.control_socket, path, &answer, &ui->err);
	return r ? r : ddp_top_read(answer.bytes, answer.len, ret, &ui->err);
}

static int ask_own(struct ui *ui, struct ddp_top *ret)
{
	const struct ddp_top_query query = {
		.value = ui->o.value, .by_cumulative = ui->o.by_cumulative, .rows = rows_wanted(ui),
	};
	struct ddp_profile *profile;
	struct ddp_metrics m;
	int r = ddp_pipeline_peek(ui->own, &profile);

	if (r)
		return r;
	ddp_live_metrics(ui->own, &m);
	r = ddp_live_top(profile, &m, &query, ret);
	ddp_profile_destroy(profile);
	if (r == -ENOENT)
		snprintf(ui->err.text, sizeof(ui->err.text), "--value %.100s: the profile has no "
			 "such value type", ui->o.value ?: "");
	return r;
}

static int fetch(struct ui *ui)
{
	struct ddp_top top = { .nr_functions = 0 };
	int r;

	ui->err.text[0] = '\0';
	r = ui->own ? ask_own(ui, &top) : ask_collector(ui, &top);
	if (r) {
		if (!ui->err.text[0])
			snprintf(ui->err.text, sizeof(ui->err.text), "%s", strerror(-r));
		return r;
	}
	ddp_top_free(&ui->top);
	ui->top = top;
	return 0;
}

/* The screen */

/* Ends each line's old rest */
static int put_screen(void *ctx, const void *bytes, size_t n)
{
	(void)ctx;
	fwrite(bytes, 1, n - 1, stdout);
	fputs("\033[K\n", stdout);
	return 0;
}

static int put_plain(void *ctx, const void *bytes, size_t n)
{
	(void)ctx;
	fwrite(bytes, 1, n, stdout);
	return 0;
}

static void draw_screen(const struct ui *ui)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct ctl_top_view view = { .by_process = ui->o.by_process, .keys = true };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	view.columns = size.ws_col ? size.ws_col - 1u : 79;
	view.lines = size.ws_row > 4 ? size.ws_row - 1u : 4;	/* the last one stays empty */
	fputs("\033[H", stdout);
	if (ui->err.text[0]) {
		view.lines--;
		printf("%.*s\033[K\n", (int)view.columns, ui->err.text);
	}
	ctl_top_draw(&ui->top, &view, put_screen, NULL);
	fputs("\033[J", stdout);
	fflush(stdout);
}

static void enter_screen(struct ui *ui)
{
	struct termios raw;

	ui->terminal = !ui->o.once && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
		       !tcgetattr(STDIN_FILENO, &ui->old);
	if (!ui->terminal)
		return;
	raw = ui->old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	ddp_log_set_level(DDP_LOG_ERROR); /* nothing else on the screen */
	fputs("\033[?1049h\033[?25l", stdout);
}

static void leave_screen(const struct ui *ui)
{
	if (!ui->terminal)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &ui->old);
	ddp_log_set_level(DDP_LOG_NOTICE);
}

/* What happens */

static void end(struct ui *ui)
{
	ui->ended = true;
	eventfd_write(ui->done, 1);
}

static void set_timer(const struct ui *ui)
{
	const struct timespec interval = { .tv_sec = ui->o.interval_s };
	const struct itimerspec t = { interval, interval };

	timerfd_settime(ui->tick, 0, &t, NULL);
}

static void look_again(struct ui *ui)
{
	fetch(ui);
	draw_screen(ui);
}

static void on_tick(void *ctx, struct ddp_pipeline *p)
{
	struct ui *ui = ctx;
	uint64_t times;

	(void)p;
	if (read(ui->tick, &times, sizeof(times)) != sizeof(times))
		return;
	if (ui->terminal) {
		look_again(ui);
		return;
	}
	fetch(ui); /* shown by run_own() */
	end(ui);
}

static void change_interval(struct ui *ui, bool longer)
{
	uint32_t *s = &ui->o.interval_s;

	*s = longer ? *s + (*s < MAX_INTERVAL_S) : *s - (*s > 1);
	set_timer(ui);
}

static void press(struct ui *ui, char key)
{
	if (key == 'q' || key == 'Q')
		end(ui);
	else if (key == 'f' || key == 'p')
		ui->o.by_process = key == 'p';
	else if (key == 'c' || key == 's')
		ui->o.by_cumulative = key == 'c';
	else if (key == '+' || key == '-')
		change_interval(ui, key == '+');
}

static void on_key(void *ctx, struct ddp_pipeline *p)
{
	struct ui *ui = ctx;
	char keys[32];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	(void)p;
	if (n <= 0) {
		end(ui); /* the terminal has gone */
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		press(ui, keys[i]);
	look_again(ui);
}

static void on_signal(void *ctx, struct ddp_pipeline *p)
{
	struct signalfd_siginfo info;
	struct ui *ui = ctx;

	(void)p;
	while (read(ui->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			end(ui);
		else if (ui->terminal)
			draw_screen(ui);
	}
}

/* Setting up */

static int open_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_ui(struct ui *ui)
{
	ui->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ui->signals = open_signals();
	ui->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ui->tick < 0 || ui->signals < 0 || ui->done < 0)
		return -errno;
	set_timer(ui);
	return 0;
}

static void close_ui(struct ui *ui)
{
	close_fd(ui->tick);
	close_fd(ui->signals);
	close_fd(ui->done);
	ddp_top_free(&ui->top);
}
DEFINE_CLEANUP_IN_PLACE(struct ui, close_ui)

static int show_once(const struct ui *ui)
{
	const struct ctl_top_view view = { .by_process = ui->o.by_process,
					   .lines = (size_t)ui->o.rows + 2 };

	if (ui->err.text[0]) {
		ddp_log_error("%s", ui->err.text);
		return CTL_FAILED;
	}
	ctl_top_draw(&ui->top, &view, put_plain, NULL);
	return CTL_OK;
}

/* A collector's tables */

static int run_asking(struct ui *ui)
{
	struct pollfd fds[3] = {
		{ .fd = ui->tick, .events = POLLIN }, { .fd = ui->signals, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	enter_screen(ui);
	if (!ui->terminal)
		return show_once(ui);
	draw_screen(ui);
	while (!ui->ended && (poll(fds, 3, -1) >= 0 || errno == EINTR)) {
		if (fds[0].revents)
			on_tick(ui, NULL);
		if (fds[1].revents)
			on_signal(ui, NULL);
		if (fds[2].revents)
			on_key(ui, NULL);
	}
	leave_screen(ui);
	return CTL_OK;
}

/* Those of a session of our own */

static int start_own(struct ddp_pipeline **ret, struct ddp_output *output, struct ddp_error *err)
{
	struct ddp_event_specs events = { .nr = 0 };
	const struct ddp_pipeline_config config = {
		.output = output, .period_s = OWN_PERIOD_S, .events = &events,
		.start = {
			.scope = DDPROF_SCOPE_MACHINE,
			.flags = DDPROF_FLAG_KERNEL | DDPROF_FLAG_USER, .flush_ms = OWN_FLUSH_MS,
		},
	};
	int r = ddp_events_parse("sCPU", &events, err);

	return r ? r : ddp_pipeline_create(&config, ret, err);
}

static int watch_all(struct ui *ui, struct ddp_pipeline *p)
{
	int r = ddp_pipeline_watch(p, ui->tick, on_tick, ui);

	r = r ?: ddp_pipeline_watch(p, ui->signals, on_signal, ui);
	if (!r && ui->terminal)
		r = ddp_pipeline_watch(p, STDIN_FILENO, on_key, ui);
	return r;
}

static int run_session(struct ui *ui)
{
	int r;

	enter_screen(ui);
	if (ui->terminal)
		draw_screen(ui);
	r = watch_all(ui, ui->own);
	r = r ?: ddp_pipeline_run(ui->own, ui->done, NULL, 0);
	leave_screen(ui);
	if (r == DDP_PIPELINE_ENDED)
		ddp_log_error("the module ended the session");
	if (r)
		return CTL_FAILED;
	return ui->terminal ? CTL_OK : show_once(ui);
}

static void finish_output(struct ddp_output *o)
{
	ddp_output_finish(o);
}
DEFINE_CLEANUP(struct ddp_output *, finish_output)

static int run_own(struct ui *ui)
{
	CLEANUP(finish_output) struct ddp_output *output = NULL;
	CLEANUP(ddp_pipeline_destroy) struct ddp_pipeline *p = NULL;
	struct ddp_error err = { "" };
	int r = ddp_output_create(&(struct ddp_output_config){ .path = NULL }, &output, &err);

	r = r ?: start_own(&p, output, &err);
	if (r) {
		ddp_log_error("%s", ui->err.text);
		ddp_log_error("nor can a session be started: %s",
			      err.text[0] ? err.text : strerror(-r));
		return CTL_FAILED;
	}
	ui->err.text[0] = '\0';
	ui->own = p;
	return run_session(ui);
}

static int show(const struct options *o)
{
	CLEANUP(close_ui) struct ui ui = { .o = *o, .tick = -1, .signals = -1, .done = -1 };
	int r = open_ui(&ui);

	if (r) {
		ddp_log_error("%s", strerror(-r));
		return CTL_FAILED;
	}
	r = fetch(&ui);
	/* where a socket is named it is that collector that is meant */
	if (r == -ENOENT && !o->control_socket)
		return run_own(&ui);
	if (r) {
		ddp_log_error("%s", ui.err.text);
		return CTL_FAILED;
	}
	return run_asking(&ui);
}

const struct ddp_manual_command ctl_top_manual = {
	.name = "top",
	.summary = "the functions and processes that take most, live",
	.synopsis = "[options]",
	.text =
		"The functions or processes that take most: of the interval that the running\n"
		"collector is in; without a collector, of a session of its own. On a\n"
		"terminal again and again; the last line says what the keys do.\n",
	.table = option_table,
};

int ctl_top(int argc, char **argv)
{
	struct options o = { .interval_s = DEFAULT_INTERVAL_S, .rows = DEFAULT_ROWS };
	int status;

	if (!ctl_begin(&ctl_top_manual, argc, argv, &o, &o.show_help, &status))
		return status;
	return show(&o);
}
