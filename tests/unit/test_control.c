// SPDX-License-Identifier: Apache-2.0
/*
 * collector/metrics/board and control: questions and answers between threads, and HTTP on a unix
 * socket and on loopback, asked well and badly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <arpa/inet.h>
#include <ddprof/profile.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "metrics/control.h"
#include "metrics/listen.h"
#include "report/top.h"

/* A profiler: a thread that answers as long as it is told to */
struct profiler {
	struct ddp_board *board;
	pthread_t thread;
	int stop;		/* eventfd */
	bool ended;		/* what it says of its session */
	int error;		/* instead of a profile */
};

static struct ddp_profile *make_profile(void)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	const struct ddp_profile_config config = { .value_types = types, .nr_value_types = 2 };
	struct ddp_text_frame frames[] = {
		{ .function = { "leaf", 4 } }, { .function = { "main", 4 } },
	};
	struct ddp_text_label labels[] = {
		{ .key = { "process_id", 10 }, .num = 7 },
		{ .key = { "process_name", 12 }, .str = { "sh", 2 } },
	};
	struct ddp_profile *p;

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	assert_int_equal(ddp_profile_add_text(p, &(struct ddp_text_sample){
			 .frames = frames, .nr_frames = 2, .labels = labels, .nr_labels = 2,
			 .values = (int64_t[]){ 3, 30 }, .nr_values = 2 }), 0);
	return p;
}

static void answer_all(const struct profiler *p)
{
	bool profile;

	while (ddp_board_next(p->board, &profile)) {
		struct ddp_answer a = { .metrics.pipeline = {
			.uptime_ns = 5000000000, .interval_ns = 1500000000, .period_s = 59,
			.pending_samples = 3, .ended = p->ended,
			.marks.stats = { .cpu = 2 }, .marks.decode = { .records = 4711 },
		} };

		ddp_metrics_derive(&a.metrics);
		a.error = profile ? p->error : 0;
		if (profile && !p->error)
			a.profile = make_profile();
		ddp_board_answer(p->board, &a);
	}
}

static void *profile(void *profiler)
{
	struct profiler *p = profiler;
	struct pollfd fds[2] = {
		{ .fd = ddp_board_fd(p->board), .events = POLLIN },
		{ .fd = p->stop, .events = POLLIN },
	};

	while (!fds[1].revents) {
		assert_true(poll(fds, 2, -1) > 0);
		answer_all(p);
	}
	return NULL;
}

struct fixture {
	char folder[32], path[64];
	struct profiler profiler;
	struct ddp_control *control;
};

static int open_folder(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->folder, sizeof(f->folder), "/tmp/test_control.XXXXXX");
	*state = f;
	if (!mkdtemp(f->folder))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->folder);
	return ddp_board_create(&f->profiler.board);
}

static int close_folder(void **state)
{
	struct fixture *f = *state;
	int r;

	ddp_board_destroy(f->profiler.board);
	r = rmdir(f->folder); /* nothing is left behind */
	free(f);
	return r;
}

static int serve_with(void **state, unsigned int answer_ms)
{
	static const struct ddp_status_about about = { "the whole machine", "shop" };
	int r = open_folder(state);
	struct fixture *f = *state;
	struct ddp_error err = { "" };

	f->profiler.stop = eventfd(0, EFD_CLOEXEC);
	r = r ?: ddp_control_create(f->profiler.board, &about, answer_ms, &f->control);
	r = r ?: ddp_control_serve_unix(f->control, f->path, &err);
	r = r ?: ddp_control_serve_tcp(f->control, "0", false, &err);
	return r ?: pthread_create(&f->profiler.thread, NULL, profile, &f->profiler);
}

static int serve(void **state)
{
	return serve_with(state, 0);
}

static int serve_impatiently(void **state)
{
	return serve_with(state, 10);
}

static void stop_profiler(struct fixture *f)
{
	eventfd_write(f->profiler.stop, 1);
	pthread_join(f->profiler.thread, NULL);
	close(TAKE_FD(f->profiler.stop));
}

static int stop_serving(void **state)
{
	struct fixture *f = *state;

	if (f->profiler.stop >= 0)
		stop_profiler(f);
	ddp_board_shut(f->profiler.board);
	ddp_control_destroy(f->control);
	return close_folder(state);
}

/* HTTP */

static int connect_unix(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&name, sizeof(name)))
		return fd;
	close(fd);
	return -errno;
}

static int connect_tcp(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Everything that comes until the other end closes; a reset ends it, too */
static void converse(int fd, const char *request, size_t n, char ret[65536])
{
	size_t have = 0;
	ssize_t got;

	assert_true(fd >= 0);
	while (n) {
		got = send(fd, request, n, MSG_NOSIGNAL);
		if (got < 0)
			break;
		request += got;
		n -= (size_t)got;
	}
	while ((got = recv(fd, ret + have, 65535 - have, 0)) > 0)
		have += (size_t)got;
	ret[have] = '\0';
	close(fd);
}

/* @return the status; *ret_body leads into @page */
static int get(int fd, const char *method, const char *path, char page[65536],
	       const char **ret_body)
{
	char request[512];
	int n = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\n"
			 "Connection: close\r\n\r\n", method, path), status = 0;

	converse(fd, request, (size_t)n, page);
	*ret_body = strstr(page, "\r\n\r\n");
	if (sscanf(page, "HTTP/1.%*d %d", &status) != 1 || !*ret_body)
		fail_msg("%s %s: %s", method, path, page);
	*ret_body += 4;
	return status;
}

static void pages(void **state)
{
	static const struct {
		const char *method, *path;
		int on_unix, on_tcp;	/* status */
		const char *text;	/* in what the unix socket answers */
	} rows[] = {
		{ "GET", "/metrics", 200, 200, "\nddprof_records_total 4711\n" },
		{ "HEAD", "/metrics", 200, 200, "" },
		{ "GET", "/health", 200, 200, "ok\n" },
		{ "GET", "/status", 200, 404, "\"service\":\"shop\"" },
		{ "GET", "/top", 200, 404, "\"name\":\"leaf\",\"flat\":30,\"cumulative\":30" },
		{ "GET", "/top?value=cpu-samples", 200, 404, "\"flat\":3,\"cumulative\":3" },
		{ "GET", "/top?rows=1", 200, 404, "\"all_functions\":2" },
		{ "GET", "/top?sort=cumulative&rows=9", 200, 404, "\"flat\":30" },
		{ "GET", "/top?sort=up", 400, 404, "sort" },
		{ "GET", "/top?rows=x", 400, 404, "rows" },
		{ "GET", "/top?rows=10001", 400, 404, "rows" },
		{ "GET", "/top?rows=-1", 400, 404, "rows" },
		{ "GET", "/top?rows=", 400, 404, "rows" },
		{ "GET", "/top?value=nothing", 400, 404, "value" },
		{ "GET", "/", 404, 404, "/metrics" },
		{ "GET", "/metrics/", 404, 404, "/metrics" },
		{ "GET", "/../../etc/passwd", 404, 404, "/metrics" },
		{ "POST", "/metrics", 405, 405, "GET" },
		{ "DELETE", "/status", 405, 404, "GET" },
	};
	struct fixture *f = *state;
	char page[65536];
	const char *body;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = get(connect_tcp(ddp_control_port(f->control)), rows[i].method,
				 rows[i].path, page, &body);

		if (status != rows[i].on_tcp)
			fail_msg("%s %s by TCP: %s", rows[i].method, rows[i].path, page);
		status = get(connect_unix(f->path), rows[i].method, rows[i].path, page, &body);
		if (status != rows[i].on_unix || !strstr(body, rows[i].text))
			fail_msg("%s %s: %s", rows[i].method, rows[i].path, page);
	}
}

/* What is no request, or only the begin of one, gets no answer or an error; the next is served */
static void no_requests(void **state)
{
	static char long_line[40000], many_headers[40000];
	struct fixture *f = *state;
	const struct {
		const char *text;
		bool hang_up;	/* and do not wait for an answer */
	} rows[] = {
		{ "", true }, { "\r\n\r\n", true }, { "\x16\x03\x01\x02", true },
		{ "GET /met", true }, { "GET /metrics HTTP/1.1\r\nHost: x\r\n", true },
		{ "GET /top HTTP/1.1\r\nHost: x\r\n\r\n", true },
		{ "GET\r\n\r\n", false }, { "GET /metrics\r\n\r\n", false },
		{ "GET /metrics HTTP/9.9\r\n\r\n", false },
		{ "POST /metrics HTTP/1.1\r\nHost: x\r\n"
		  "Content-Length: 99999999999999999999\r\n\r\n", false },
		{ "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		  "Content-Length: 5\r\n\r\nhello", false },
		{ long_line, false }, { many_headers, false },
	};
	char page[65536];
	const char *body;

	snprintf(long_line, sizeof(long_line), "GET /%035000d HTTP/1.1\r\nHost: x\r\n\r\n", 1);
	snprintf(many_headers, sizeof(many_headers), "GET / HTTP/1.1\r\nHost: x\r\nX: %030000d\r\n"
		 "\r\n", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = connect_unix(f->path);

		page[0] = '\0';
		if (rows[i].hang_up && send(fd, rows[i].text, strlen(rows[i].text), 0) >= 0)
			close(fd);
		else
			converse(fd, rows[i].text, strlen(rows[i].text), page);
		if (page[0] && strncmp(page, "HTTP/1.1 4", 10) && strncmp(page, "HTTP/1.0 4", 10) &&
		    strncmp(page, "HTTP/1.1 505", 12))
			fail_msg("row %zu: %s", i, page);
		assert_int_equal(get(connect_unix(f->path), "GET", "/health", page, &body), 200);
	}
}

/* Whoever connects and says nothing does not keep others from being served */
static void idle_connections(void **state)
{
	int idle[DDP_CONTROL_MAX_CONNECTIONS - 1];
	struct fixture *f = *state;
	char page[65536];
	const char *body;

	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		idle[i] = connect_unix(f->path);
	assert_int_equal(get(connect_unix(f->path), "GET", "/health", page, &body), 200);
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		close(idle[i]);
}

static void status_is_json(void **state)
{
	struct fixture *f = *state;
	char page[65536];
	const char *body, *profiles, *trouble;
	int running, pid;
	json_int_t records;
	double uptime_s;
	json_t *j;

	f->profiler.ended = true;
	assert_int_equal(get(connect_unix(f->path), "GET", "/status", page, &body), 200);
	j = json_loads(body, 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_unpack(j, "{s:s, s:s, s:i, s:{s:i, s:I, s:F}}", "profiles",
				     &profiles, "trouble", &trouble, "pid", &pid, "metrics",
				     "ddprof_up", &running, "ddprof_records_total", &records,
				     "ddprof_uptime_seconds", &uptime_s), 0);
	assert_string_equal(profiles, "the whole machine");
	assert_string_equal(trouble, "the session has ended");
	assert_int_equal(pid, getpid());
	assert_int_equal(running, 0);
	assert_int_equal(records, 4711);
	assert_true(uptime_s > 4.9 && uptime_s < 5.1);
	json_decref(j);
}

static void unhealthy(void **state)
{
	struct fixture *f = *state;
	char page[65536];
	const char *body;

	f->profiler.ended = true;
	assert_int_equal(get(connect_unix(f->path), "GET", "/health", page, &body), 503);
	assert_string_equal(body, "the session has ended\n");
}

static void no_profile(void **state)
{
	struct fixture *f = *state;
	char page[65536];
	const char *body;

	f->profiler.error = -ENOMEM;
	assert_int_equal(get(connect_unix(f->path), "GET", "/top", page, &body), 500);
	assert_int_equal(get(connect_unix(f->path), "GET", "/metrics", page, &body), 200);
}

/* A profiler that makes a large profile is healthy, though it answers nobody for a moment */
static void nobody_answers(void **state)
{
	struct fixture *f = *state;
	char page[65536];
	const char *body;

	stop_profiler(f);
	assert_int_equal(get(connect_unix(f->path), "GET", "/metrics", page, &body), 503);
	assert_int_equal(get(connect_unix(f->path), "GET", "/health", page, &body), 200);
	ddp_board_shut(f->profiler.board);
	assert_int_equal(get(connect_unix(f->path), "GET", "/health", page, &body), 503);
	assert_int_equal(get(connect_unix(f->path), "GET", "/status", page, &body), 503);
}

/* The board */

static void a_question_that_was_given_up(void **state)
{
	struct fixture *f = *state;
	struct ddp_board *b = f->profiler.board;
	struct ddp_answer a = { .profile = NULL };
	bool profile_wanted;

	assert_int_equal(ddp_board_ask(b, true, 1, &a), -ETIMEDOUT);
	assert_false(ddp_board_next(b, &profile_wanted));
	a.profile = make_profile();
	ddp_board_answer(b, &a); /* freed, as nobody wants it */
	assert_null(a.profile);
	ddp_board_shut(b);
	assert_int_equal(ddp_board_ask(b, true, 1000000, &a), -ESHUTDOWN);
}

struct asker {
	struct ddp_board *board;
	pthread_t thread;
	unsigned int wrong;
};

static void *ask_often(void *asker)
{
	struct asker *a = asker;

	for (int i = 0; i < 200; i++) {
		struct ddp_answer got = { .profile = NULL };
		bool want = i % 3 == 0;

		if (ddp_board_ask(a->board, want, 60000, &got) ||
		    got.metrics.pipeline.marks.decode.records != 4711 || want != !!got.profile)
			a->wrong++;
		ddp_profile_destroy(got.profile);
	}
	return NULL;
}

static void many_ask(void **state)
{
	struct fixture *f = *state;
	struct asker askers[4];

	for (size_t i = 0; i < 4; i++) {
		askers[i] = (struct asker){ .board = f->profiler.board };
		pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].wrong, 0);
	}
	assert_int_equal(ddp_board_waiting_ms(f->profiler.board), 0);
}

/* The socket's file */

static int create(const struct fixture *f, const char *path, struct ddp_control **ret,
		  struct ddp_error *err)
{
	static const struct ddp_status_about about = { NULL, NULL };
	int r;

	assert_int_equal(ddp_control_create(f->profiler.board, &about, 0, ret), 0);
	r = ddp_control_serve_unix(*ret, path, err);
	if (r)
		ddp_control_destroy(*ret);
	return r;
}

static void the_socket_is_its_owners(void **state)
{
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	char below[96];
	struct ddp_control *c;
	struct stat st;

	snprintf(below, sizeof(below), "%s/made/control.sock", f->folder);
	assert_int_equal(create(f, below, &c, &err), 0);
	assert_int_equal(stat(below, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	ddp_control_destroy(c);
	assert_int_equal(stat(below, &st), -1);
	*strrchr(below, '/') = '\0';
	assert_int_equal(rmdir(below), 0);
}

static void a_socket_that_is_in_use_stays(void **state)
{
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	struct ddp_control *first, *second;

	assert_int_equal(create(f, f->path, &first, &err), 0);
	assert_int_equal(create(f, f->path, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another collector"));
	close(connect_unix(f->path));
	ddp_control_destroy(first);
}

static void a_socket_that_was_left_is_replaced(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	struct ddp_control *c;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(name.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
	assert_int_equal(create(f, f->path, &c, &err), 0);
	close(connect_unix(f->path));
	ddp_control_destroy(c);
}

/* A later collector's, which took the name: the earlier one leaves it where it is */
static void a_socket_of_somebody_else_stays(void **state)
{
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	struct ddp_control *first, *second;

	assert_int_equal(create(f, f->path, &first, &err), 0);
	unlink(f->path);
	assert_int_equal(create(f, f->path, &second, &err), 0);
	ddp_control_destroy(first);
	close(connect_unix(f->path));
	ddp_control_destroy(second);
}

static void what_is_no_socket_stays(void **state)
{
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	struct ddp_control *c;

	close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(create(f, f->path, &c, &err), -EEXIST);
	assert_non_null(strstr(err.text, f->path));
	assert_int_equal(unlink(f->path), 0);
}

static void paths_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct ddp_error err = { "" };
	char long_path[200], deep[96];
	struct ddp_control *c;

	memset(long_path, 'x', sizeof(long_path));
	memcpy(long_path, "/tmp/", 5);
	long_path[sizeof(long_path) - 1] = '\0';
	snprintf(deep, sizeof(deep), "%s/no/such/control.sock", f->folder);
	assert_int_equal(create(f, long_path, &c, &err), -ENAMETOOLONG);
	assert_int_equal(create(f, "", &c, &err), -ENAMETOOLONG);
	assert_int_equal(create(f, deep, &c, &err), -ENOENT);
}

/* TCP addresses */

static void addresses(void **state)
{
	static const struct {
		const char *address;
		bool remote;
		const char *error;	/* NULL: accepted */
	} rows[] = {
		{ "9197", false, NULL },
		{ "127.0.0.1:9197", false, NULL },
		{ "127.8.9.1:9197", false, NULL },
		{ "localhost:9197", false, NULL },
		{ "[::1]:9197", false, NULL },
		{ "[::ffff:127.0.0.1]:9197", false, NULL },
		{ "0.0.0.0:9197", true, NULL },
		{ "[::]:9197", true, NULL },
		{ "0.0.0.0:9197", false, "--metrics_remote" },
		{ "[::]:9197", false, "--metrics_remote" },
		{ "10.0.0.1:9197", false, "--metrics_remote" },
		{ "[::ffff:10.0.0.1]:9197", false, "--metrics_remote" },
		{ "", true, "expected PORT" },
		{ ":9197", true, "expected PORT" },
		{ "127.0.0.1:", true, "expected PORT" },
		{ "127.0.0.1:65536", true, "expected PORT" },
		{ "127.0.0.1:99999999999", true, "expected PORT" },
		{ "127.0.0.1:x", true, "expected PORT" },
		{ "::1:9197", true, "expected PORT" },
		{ "[::1]", true, "expected PORT" },
		{ "[::1:9197", true, "expected PORT" },
		{ "example.org:9197", true, "address or localhost" },
		{ "[127.0.0.1.5]:9197", true, "address or localhost" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_error err = { "" };
		int r = ddp_control_check_listen(rows[i].address, rows[i].remote, &err);

		if (r != (rows[i].error ? -EINVAL : 0) ||
		    (rows[i].error && !strstr(err.text, rows[i].error)))
			fail_msg("\"%s\": %d %s", rows[i].address, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages, serve, stop_serving),
		cmocka_unit_test_setup_teardown(no_requests, serve, stop_serving),
		cmocka_unit_test_setup_teardown(idle_connections, serve, stop_serving),
		cmocka_unit_test_setup_teardown(status_is_json, serve, stop_serving),
		cmocka_unit_test_setup_teardown(unhealthy, serve, stop_serving),
		cmocka_unit_test_setup_teardown(no_profile, serve, stop_serving),
		cmocka_unit_test_setup_teardown(nobody_answers, serve_impatiently,
						stop_serving),
		cmocka_unit_test_setup_teardown(many_ask, serve, stop_serving),
		cmocka_unit_test_setup_teardown(a_question_that_was_given_up, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(the_socket_is_its_owners, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(a_socket_that_is_in_use_stays, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(a_socket_that_was_left_is_replaced, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(a_socket_of_somebody_else_stays, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(what_is_no_socket_stays, open_folder,
						close_folder),
		cmocka_unit_test_setup_teardown(paths_that_cannot_be, open_folder, close_folder),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
