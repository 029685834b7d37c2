// SPDX-License-Identifier: Apache-2.0
/*
 * `ddprofctl top` and `status`: what a table looks like on terminals of several sizes, and the
 * commands before a collector that is none: a server whose answers are made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ddprofctl/ask.h"
#include "ddprofctl/commands.h"
#include "ddprofctl/top_screen.h"
#include "metrics/listen.h"

/* Tables */

static struct ddp_top_function functions[] = {
	{ "work", 3000000000, 3000000000 }, { "m\303\244in", 1000000000, 4000000000 },
	{ "esc\033[31mape\n", 0, 1 },
};

static struct ddp_top_process processes[] = {
	{ "shell", 12, 3000000000 }, { "", 4194304, 1000000000 },
};

static const struct ddp_top table = {
	.type = "cpu-time", .unit = "nanoseconds", .total = 4000000000, .functions = functions,
	.nr_functions = 3, .processes = processes, .nr_processes = 2, .interval_s = 10,
	.samples = 400, .lost_samples = 1, .cpus = 4, .overhead_ratio = 0.00025,
};

#define HEAD "cpu-time of 10.0 s: 4.00s (10.0 % of 4 CPUs); 400 samples, 1 lost, overhead 0.025 %\n"
#define COLUMNS "      flat   flat%        cum    cum%  function\n"

static const struct {
	const char *what;
	struct ctl_top_view view;
	const char *text;
} screens[] = {
	{ "everything", { .columns = 0 }, HEAD COLUMNS
	  "     3.00s  75.00%      3.00s  75.00%  work\n"
	  "     1.00s  25.00%      4.00s 100.00%  m\303\244in\n"
	  "       0ns   0.00%        1ns   0.00%  esc?[31mape?\n" },
	{ "as many lines as there is room for", { .lines = 3 }, HEAD COLUMNS
	  "     3.00s  75.00%      3.00s  75.00%  work\n" },
	{ "no room for rows", { .lines = 1 }, HEAD COLUMNS },
	{ "keys take a line", { .lines = 4, .keys = true }, HEAD COLUMNS
	  "     3.00s  75.00%      3.00s  75.00%  work\n"
	  "f functions  p processes  c by cum  s by flat  + - seconds  q quit\n" },
	{ "a narrow terminal cuts, no character in half", { .columns = 42 },
	  "cpu-time of 10.0 s: 4.00s (10.0 % of 4 CPU\n"
	  "      flat   flat%        cum    cum%  fun\n"
	  "     3.00s  75.00%      3.00s  75.00%  wor\n"
	  "     1.00s  25.00%      4.00s 100.00%  m\303\244i\n"
	  "       0ns   0.00%        1ns   0.00%  esc\n" },
	{ "processes", { .by_process = true }, HEAD
	  "     value   share     CPU    process  name\n"
	  "     3.00s  75.00%   30.0%         12  shell\n"
	  "     1.00s  25.00%   10.0%    4194304  [unknown]\n" },
};

static void draw(const char *what, const struct ddp_top *top, const struct ctl_top_view *view,
		 const char *text)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer got = { 0 };

	assert_int_equal(ctl_top_draw(top, view, ddp_buffer_write, &got), 0);
	assert_int_equal(ddp_buffer_write(&got, "", 1), 0);
	if (strcmp((char *)got.bytes, text))
		fail_msg("%s: got\n%sexpected\n%s", what, got.bytes, text);
}

static void tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++)
		draw(screens[i].what, &table, &screens[i].view, screens[i].text);
}

static void other_units(void **state)
{
	struct ddp_top top = table;

	(void)state;
	snprintf(top.type, sizeof(top.type), "cpu-samples");
	snprintf(top.unit, sizeof(top.unit), "count");
	top.nr_processes = 1;
	draw("counts have no share of a CPU", &top, &(struct ctl_top_view){ .by_process = true },
	     "cpu-samples of 10.0 s: 4000000000; 400 samples, 1 lost, overhead 0.025 %\n"
	     "     value   share     CPU    process  name\n"
	     "3000000000  75.00%                 12  shell\n");
	top = (struct ddp_top){ .type = "cpu-time", .unit = "nanoseconds" };
	draw("nothing yet", &top, &(struct ctl_top_view){ .by_process = false },
	     "cpu-time of 0.0 s: 0ns; 0 samples, 0 lost, overhead 0.000 %\n" COLUMNS);
}

/*
 * A collector whose answers are made up: a process of its own, as the tests fork, which does not go
 * well with threads. This is shared with it
 */
struct collector {
	char folder[32];
	struct ddp_unix_name name;
	pid_t process;
	char answer[4096];
	unsigned int status;
};

static enum MHD_Result answer(void *collector, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *body,
			      size_t *body_bytes, void **state)
{
	const struct collector *c = collector;
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(c->answer), (char *)c->answer, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_queue_response(connection, c->status, r);

	(void)path;
	(void)method;
	(void)version;
	(void)body;
	(void)body_bytes;
	(void)state;
	MHD_destroy_response(r);
	return result;
}

static void be_collector(struct collector *c, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, c,
			     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_END))
		for (;;)
			pause();
	_exit(1);
}

static int start(void **state)
{
	struct collector *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[64];
	pid_t process;
	int fd;

	assert_true(c != MAP_FAILED);
	*state = c;
	snprintf(c->folder, sizeof(c->folder), "/tmp/test_ctl_top.XXXXXX");
	assert_non_null(mkdtemp(c->folder));
	snprintf(path, sizeof(path), "%s/c.sock", c->folder);
	assert_int_equal(ddp_listen_unix(path, &c->name, &fd, NULL), 0);
	c->status = 200;
	process = fork();
	if (!process)
		be_collector(c, fd);
	c->process = process; /* not by the child, which shares it */
	close(fd);
	return process < 0;
}

static int stop(void **state)
{
	struct collector *c = *state;

	kill(c->process, SIGKILL);
	waitpid(c->process, NULL, 0);
	ddp_unlisten_unix(&c->name);
	rmdir(c->folder);
	return munmap(c, sizeof(*c));
}

static void set_answer(struct collector *c, const char *text)
{
	assert_true(strlen(text) < sizeof(c->answer));
	strcpy(c->answer, text);
}

/* What a command says on stdout and stderr, and its exit status */
struct said {
	char text[16384];
	int status;
};

static void run_child(int (*command)(int, char **), int argc, char **argv)
{
	int status;

	ddp_log_setup("ddprofctl", DDP_LOG_NOTICE);
	status = command(argc, argv);
	fflush(stdout);
	_exit(status);
}

static void read_all(int fd, pid_t child, struct said *ret)
{
	size_t have = strlen(ret->text);
	ssize_t n;

	while ((n = read(fd, ret->text + have, sizeof(ret->text) - 1 - have)) > 0)
		have += (size_t)n;
	ret->text[have] = '\0';
	close(fd);
	assert_int_equal(waitpid(child, &ret->status, 0), child);
	ret->status = WIFEXITED(ret->status) ? WEXITSTATUS(ret->status) : -1;
}

/* Into a pipe */
static void run(int (*command)(int, char **), char **argv, struct said *ret)
{
	int fds[2], argc = 0;
	pid_t child;

	while (argv[argc])
		argc++;
	ret->text[0] = '\0';
	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[1]);
		run_child(command, argc, argv);
	}
	close(fds[1]);
	read_all(fds[0], child, ret);
}

#define TOP_HEAD "{\"type\":\"cpu-time\",\"unit\":\"nanoseconds\",\"total\":5000000,"	\
	"\"interval_s\":2.5,\"samples\":5,\"lost_samples\":0,\"cpus\":2,"		\
	"\"overhead_ratio\":0.0001,\"all_functions\":1,\"all_processes\":1,"
#define TOP_JSON TOP_HEAD "\"functions\":[{\"name\":\"spin\",\"flat\":5000000,"		\
	"\"cumulative\":5000000}],\"processes\":[{\"name\":\"busy\",\"pid\":77,\"value\":5000000}]}"
#define STATUS_JSON(trouble) "{\"version\":\"9.8.7\",\"pid\":77,"			\
	"\"profiles\":\"the whole machine\","						\
	"\"service\":\"shop\",\"trouble\":" trouble ",\"start_unix_s\":1,\"period_s\":59,"	\
	"\"metrics\":{\"ddprof_uptime_seconds\":3725.5,\"ddprof_cpus\":4,"		\
	"\"ddprof_process_uptime_seconds\":100000,\"ddprof_cpu_seconds_total\":2500,"	\
	"\"ddprof_samples_total\":4711,\"ddprof_overhead_ratio\":0.0005},"		\
	"\"events\":[{\"name\":\"sCPU\",\"sampled\":true,\"missing\":null},"		\
	"{\"name\":\"hINST\",\"sampled\":true,\"missing\":\"none\"},"				\
	"{\"name\":\"hBUS\",\"sampled\":false,\"missing\":\"none\"}],"			\
	"\"services\":[{\"name\":\"shop\",\"samples\":7},{\"name\":\"a\\u001bb\",\"samples\":1}]," \
	"\"targets\":[{\"name\":\"agent\",\"last_error\":\"it answered 500\","		\
	"\"last_error_unix_s\":4102444800,\"next_attempt_s\":1.5,\"metrics\":{"		\
	"\"ddprof_target_up\":0,\"ddprof_target_sent_total\":12,"			\
	"\"ddprof_target_dropped_total{reason=\\\"queue\\\"}\":2,"				\
	"\"ddprof_target_dropped_total{reason=\\\"end\\\"}\":1,"				\
	"\"ddprof_target_queued\":4,\"ddprof_target_queued_bytes\":2048,"		\
	"\"ddprof_target_spooled\":5}},{\"name\":\"other\",\"metrics\":{"			\
	"\"ddprof_target_up\":1,\"ddprof_target_last_sent_seconds\":4102444800}}]}"

static const struct {
	const char *what;
	int (*command)(int, char **);
	const char *options[3];
	unsigned int http_status;
	const char *answer;
	int status;
	const char *text;
} commands[] = {
	{ "a table", ctl_top, { "--once" }, 200, TOP_JSON, 0, "5.00ms 100.00%  spin\n" },
	{ "no terminal is once", ctl_top, { NULL }, 200, TOP_JSON, 0, "  spin\n" },
	{ "by process", ctl_top, { "-p" }, 200, TOP_JSON, 0, "        77  busy\n" },
	{ "another value", ctl_top, { "--value", "wall-time" }, 400, "value: no such\n", 1,
	  "the collector answered 400: value: no such\n" },
	{ "a value that is none", ctl_top, { "--value", "a b" }, 200, TOP_JSON, 2,
	  "expected a value type" },
	{ "no table", ctl_top, { NULL }, 200, "{}", 1, "not a table of a collector" },
	{ "a busy collector", ctl_top, { NULL }, 503, "the profiler is busy, try again\n", 1,
	  "answered 503: the profiler is busy, try again\n" },
	{ "an answer that would steer the terminal", ctl_top, { NULL }, 500, "a\033[31m", 1,
	  "answered 500: a\n" },
	{ "top takes no file", ctl_top, { "file" }, 200, TOP_JSON, 2,
	  "top: file: expected options" },
	{ "top's options", ctl_top, { "--intervall" }, 200, TOP_JSON, 2, "--intervall" },
	{ "a healthy collector", ctl_status, { NULL }, 200, STATUS_JSON("null"), 0,
	  "ddprof 9.8.7, process 77: the whole machine; service shop\nhealth     ok\n"
	  "session    for 1 h 2 min on 4 CPUs; 0 s into an interval of 59 s\n"
	  "events     sCPU, hINST (the CPU clock instead: none), hBUS (left out: none)\n"
	  "samples    4711, 0 lost" },
	{ "CPU time of a process that is older than its session", ctl_status, { NULL }, 200,
	  STATUS_JSON("null"), 0, "; the collector 2.50 % of one CPU, " },
	{ "services", ctl_status, { NULL }, 200, STATUS_JSON("null"), 0,
	  "services   2: shop, a?b\n" },
	{ "targets", ctl_status, { NULL }, 200, STATUS_JSON("null"), 0,
	  "target     agent: DOWN; 12 sent, the last never; 3 dropped; 4 waiting (2.00KiB), "
	  "5 on disk\n           last error, 0 s ago: it answered 500\n"
	  "target     other: takes profiles; 0 sent, the last 0 s ago; 0 dropped" },
	{ "one that is not", ctl_status, { NULL }, 200, STATUS_JSON("\"an interval of 59 s\""), 1,
	  "health     an interval of 59 s\n" },
	{ "trouble that would steer the terminal", ctl_status, { NULL }, 200,
	  STATUS_JSON("\"a\\u001b[31m\""), 1, "health     a?[31m\n" },
	{ "as JSON", ctl_status, { "--json" }, 200, STATUS_JSON("null"), 0,
	  "    \"ddprof_samples_total\": 4711" },
	{ "no status", ctl_status, { NULL }, 200, "[1", 1, "the collector's answer is no status" },
	{ "of another kind", ctl_status, { NULL }, 200, "[1]", 1, "no status" },
	{ "nothing but trouble", ctl_status, { NULL }, 200, "{}", 0, "health     ok\n" },
	{ "status takes no file", ctl_status, { "file" }, 200, "{}", 2,
	  "status: file: expected options" },
};

static void commands_and_answers(void **state)
{
	struct collector *c = *state;
	static struct said said;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *argv[8] = { "command", "--control_socket", c->name.path };

		for (size_t k = 0; k < 3; k++)
			argv[3 + k] = (char *)commands[i].options[k];
		set_answer(c, commands[i].answer);
		c->status = commands[i].http_status;
		run(commands[i].command, argv, &said);
		if (said.status != commands[i].status || !strstr(said.text, commands[i].text))
			fail_msg("%s: exit status %d, said\n%s", commands[i].what, said.status,
				 said.text);
	}
}

/* Reads until @text has come, from the place where the last call found its own */
static void expect(int fd, struct said *said, size_t *seen, const char *text)
{
	char *found;

	while (!(found = strstr(said->text + *seen, text))) {
		size_t have = strlen(said->text);
		ssize_t n = read(fd, said->text + have, sizeof(said->text) - 1 - have);

		if (n <= 0)
			fail_msg("expected '%s' in '%s'", text, said->text + *seen);
		said->text[have + (size_t)n] = '\0';
	}
	*seen = (size_t)(found - said->text) + strlen(text);
}

static void press(int fd, char key)
{
	assert_int_equal(write(fd, &key, 1), 1);
}

static void on_a_terminal(void **state)
{
	struct collector *c = *state;
	char *argv[] = { "top", "--control_socket", c->name.path, "-i", "3600", NULL };
	static struct said said;
	size_t seen = 0;
	pid_t child;
	int fd;

	set_answer(c, TOP_JSON);
	child = forkpty(&fd, NULL, NULL, &(struct winsize){ .ws_row = 10, .ws_col = 70 });
	if (!child)
		run_child(ctl_top, 5, argv);
	expect(fd, &said, &seen, "\033[?1049h");
	expect(fd, &said, &seen, "cpu-time of 2.5 s");
	expect(fd, &said, &seen, "  spin\033[K\r\n");
	expect(fd, &said, &seen, "q quit\033[K\r\n\033[J");
	press(fd, 'p');
	expect(fd, &said, &seen, "77  busy\033[K\r\n");
	press(fd, 'f');
	expect(fd, &said, &seen, "  spin\033[K\r\n");
	c->status = 500;
	press(fd, '+');
	expect(fd, &said, &seen, "answered 500");
	expect(fd, &said, &seen, "  spin\033[K\r\n"); /* the last table stays */
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &(struct winsize){ .ws_row = 10, .ws_col = 10 }),
			 0);
	expect(fd, &said, &seen, "\033[Hthe colle\033[K\r\n");
	press(fd, 'q');
	expect(fd, &said, &seen, "\033[?25h\033[?1049l");
	read_all(fd, child, &said);
	assert_int_equal(said.status, 0);
}

static void ended_by_a_signal(void **state)
{
	struct collector *c = *state;
	char *argv[] = { "top", "--control_socket", c->name.path, NULL };
	static struct said said;
	size_t seen = 0;
	pid_t child;
	int fd;

	set_answer(c, TOP_JSON);
	child = forkpty(&fd, NULL, NULL, &(struct winsize){ .ws_row = 10, .ws_col = 70 });
	if (!child)
		run_child(ctl_top, 3, argv);
	expect(fd, &said, &seen, "spin");
	press(fd, 3); /* Ctrl-C, by the terminal */
	expect(fd, &said, &seen, "\033[?1049l");
	read_all(fd, child, &said);
	assert_int_equal(said.status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(other_units),
		cmocka_unit_test_setup_teardown(commands_and_answers, start, stop),
		cmocka_unit_test_setup_teardown(on_a_terminal, start, stop),
		cmocka_unit_test_setup_teardown(ended_by_a_signal, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
