// SPDX-License-Identifier: Apache-2.0
/*
 * collector/core/upload against a receiver of our own on the loopback: what arrives, what is tried
 * again, what is given up, and that the end never takes long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "core/upload.h"

/* Answers each connection with the next status; the last one from then on. 0: never answers */
struct receiver {
	int fd;
	char url[64];
	const int *statuses;
	int nr_requests, nr_wait;	/* seen; to be answered before it ends */
	char bodies[8];			/* the one character that each profile consists of */
	pthread_t thread;
};

/* The profile is one letter behind the last part's header */
static char read_request(int fd)
{
	char text[16384];
	size_t n = 0;

	while (n < sizeof(text) - 1) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
		char *last, *end;

		if (got <= 0)
			return '-';
		n += (size_t)got;
		text[n] = '\0';
		last = strstr(text, "filename=\"profile.pprof\"");
		last = last ? strstr(last, "\r\n\r\n") : NULL;
		end = last ? strstr(last + 4, "\r\n--") : NULL;
		if (end && text + n > end + 20)
			return last[4];
	}
	return '-';
}

static void *receive(void *ctx)
{
	struct receiver *r = ctx;

	while (r->nr_requests < r->nr_wait) {
		CLEANUP(close_fd) int fd = accept(r->fd, NULL, NULL);
		char answer[128];
		int status;

		if (fd < 0)
			break;
		r->bodies[r->nr_requests++] = read_request(fd);
		status = *r->statuses;
		r->statuses += r->statuses[1] != -1;
		if (!status) {
			sleep(3);
			continue;
		}
		snprintf(answer, sizeof(answer),
			 "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
		assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
	}
	return NULL;
}

static void listen_on(struct receiver *r, const int *statuses, int nr_wait)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	*r = (struct receiver){ .statuses = statuses, .nr_wait = nr_wait };
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void end_receiver(struct receiver *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close_fd(r->fd);
}

static struct ddp_uploader *create(const char *url)
{
	struct ddp_exporter_config config = { .url = url, .timeout_ms = 10000 };
	struct ddp_uploader *up;
	struct ddp_error err = { "" };

	if (ddp_uploader_create(&config, &up, &err))
		fail_msg("%s", err.text);
	return up;
}

static void add(struct ddp_uploader *up, char letter)
{
	struct ddp_upload u = { .start_unix_ns = 1, .end_unix_ns = 2 };

	assert_int_equal(ddp_buffer_write(&u.profile, &letter, 1), 0);
	assert_int_equal(ddp_tags_add(&u.tags, "service", "test"), 0);
	ddp_uploader_add(up, &u);
	assert_null(u.profile.bytes);
}

static void everything_arrives_in_order(void **state)
{
	static const int statuses[] = { 200, -1 };
	struct ddp_uploader *up;
	struct receiver r;

	(void)state;
	listen_on(&r, statuses, 3);
	up = create(r.url);
	for (char c = 'a'; c <= 'c'; c++)
		add(up, c);
	assert_int_equal(ddp_uploader_finish(up, 10000), 0);
	end_receiver(&r);
	assert_string_equal(r.bodies, "abc");
}

/* Not now, then a refusal, then fine: the first is tried again, the second is not */
static void answers_decide(void **state)
{
	static const int statuses[] = { 500, 403, 200, -1 };
	struct timespec pause = { .tv_nsec = 300000000 };
	struct ddp_uploader *up;
	struct receiver r;

	(void)state;
	listen_on(&r, statuses, 3);
	up = create(r.url);
	add(up, 'a');
	nanosleep(&pause, NULL);
	add(up, 'b');
	assert_int_equal(ddp_uploader_finish(up, 10000), 1);
	end_receiver(&r);
	assert_string_equal(r.bodies, "aab");
}

/* stderr into a file without a name. @return what end_telling() needs */
static int begin_telling(FILE **ret)
{
	int real = dup(STDERR_FILENO);

	*ret = tmpfile();
	assert_non_null(*ret);
	assert_true(dup2(fileno(*ret), STDERR_FILENO) >= 0);
	ddp_log_setup("test_upload", DDP_LOG_NOTICE);
	return real;
}

static void end_telling(int real, FILE *f, char *ret, size_t size)
{
	ddp_log_setup("test_upload", DDP_LOG_ERROR);
	dup2(real, STDERR_FILENO);
	close(real);
	rewind(f);
	ret[fread(ret, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void a_receiver_that_is_down_costs_the_oldest(void **state)
{
	struct timespec pause = { .tv_nsec = 300000000 };
	struct ddp_uploader *up;
	char told[2048];
	int real;
	FILE *f;

	(void)state;
	real = begin_telling(&f);
	up = create("http://127.0.0.1:1");
	add(up, 'a');
	nanosleep(&pause, NULL);
	for (char c = 'b'; c <= 'h'; c++)
		add(up, c);
	end_telling(real, f, told, sizeof(told));
	assert_int_equal(ddp_uploader_finish(up, 10000), 8);
	assert_non_null(strstr(told, " 1 dropped so far"));
	assert_non_null(strstr(told, " 2 dropped so far"));
	assert_null(strstr(told, " 3 dropped so far"));
}

static void the_end_does_not_wait_for_a_receiver(void **state)
{
	static const int statuses[] = { 0, -1 };
	time_t begun = time(NULL);
	struct ddp_uploader *up;
	struct receiver r;

	(void)state;
	listen_on(&r, statuses, 1);
	up = create(r.url);
	add(up, 'a');
	assert_int_equal(ddp_uploader_finish(up, 1000), 1);
	assert_true(time(NULL) - begun <= 4);
	end_receiver(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_arrives_in_order),
		cmocka_unit_test(answers_decide),
		cmocka_unit_test(a_receiver_that_is_down_costs_the_oldest),
		cmocka_unit_test(the_end_does_not_wait_for_a_receiver),
	};

	ddp_log_setup("test_upload", DDP_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
