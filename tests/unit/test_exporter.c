// SPDX-License-Identifier: Apache-2.0
/*
 * The upload, checked byte by byte where it arrives: method, path, headers, parts, event.json,
 * and a profile that can be read again; and every way in which it can fail to arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "ddprof/compress.h"
#include "ddprof/exporter.h"
#include "ddprof/pprof.h"
#include "receiver.h"

#define START_NS 1767323045000000006LL	/* 2026-01-02T03:04:05.000000006Z */
#define END_NS   1767323104999999999LL	/* 2026-01-02T03:05:04.999999999Z */

/* An LZ4-framed profile of one sample. */
static void make_profile(struct ddp_buffer *ret)
{
	static const struct ddp_value_type types[] = { { DDP_CPU_SAMPLES }, { DDP_CPU_TIME } };
	struct ddp_profile_config config = { .value_types = types, .nr_value_types = 2,
					     .start_unix_ns = START_NS };
	struct ddp_compressor *c;
	struct ddp_profile *p;
	uint32_t name, fn, loc;

	assert_int_equal(ddp_profile_create(&config, &p), 0);
	assert_int_equal(ddp_profile_string(p, "burn", 4, &name), 0);
	assert_int_equal(ddp_profile_function(p, &(struct ddp_function){ .name = name }, &fn), 0);
	assert_int_equal(ddp_profile_location(p, &(struct ddp_location){ .address = 0x1000,
			 .lines = &(struct ddp_line){ .function = fn }, .nr_lines = 1 }, &loc), 0);
	assert_int_equal(ddp_profile_add(p, &(struct ddp_sample){ .locations = &loc,
			 .nr_locations = 1, .values = (int64_t[]){ 7, 70000000 },
			 .nr_values = 2 }), 0);
	assert_int_equal(ddp_compressor_create(DDP_LZ4, 0, ddp_buffer_write, ret, &c), 0);
	assert_int_equal(ddp_pprof_encode(p, END_NS, ddp_compressor_write, c), 0);
	assert_int_equal(ddp_compressor_finish(c), 0);
	ddp_compressor_destroy(c);
	ddp_profile_destroy(p);
}

struct fixture {
	struct receiver *receiver;
	struct ddp_buffer profile, profile_before, tags;
	char url[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->receiver = receiver_start(NULL);
	make_profile(&f->profile);
	ddp_buffer_write(&f->profile_before, f->profile.bytes, f->profile.len);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", receiver_port(f->receiver));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	/* whatever happened: the caller's bytes are as they were */
	assert_int_equal(f->profile.len, f->profile_before.len);
	assert_memory_equal(f->profile.bytes, f->profile_before.bytes, f->profile.len);
	receiver_stop(f->receiver);
	ddp_buffer_free(&f->profile);
	ddp_buffer_free(&f->profile_before);
	ddp_buffer_free(&f->tags);
	free(f);
	return 0;
}

static struct ddp_export_form form_of(struct fixture *f)
{
	return (struct ddp_export_form){
		.start_unix_ns = START_NS, .end_unix_ns = END_NS, .tags = &f->tags,
		.profile = f->profile.bytes, .profile_bytes = f->profile.len,
	};
}

/* What a request may take on a busy host under valgrind, where no row says how long */
enum { PATIENCE_MS = 120000 };

static struct ddp_exporter *exporter(struct ddp_exporter_config config)
{
	struct ddp_exporter *e;

	config.timeout_ms = config.timeout_ms ?: PATIENCE_MS;
	assert_int_equal(ddp_exporter_create(&config, &e, NULL), 0);
	return e;
}

static int send_to(struct fixture *f, const char *url, struct ddp_export_result *result)
{
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){ .url = url });
	struct ddp_export_form form = form_of(f);
	int r = ddp_exporter_send(e, &form, result);

	ddp_exporter_destroy(e);
	return r;
}

static void check_header(const struct received *u, const char *name, const char *value)
{
	const char *got = received_header(u, name);

	if (!value) {
		assert_null(got);
		return;
	}
	if (!got)
		fail_msg("no header %s", name);
	assert_string_equal(got, value);
}

static void check_part(const struct received_part *p, const char *name, const char *file,
		       const char *type)
{
	assert_string_equal(p->name, name);
	assert_string_equal(p->file_name, file);
	assert_string_equal(p->content_type, type);
}

static void check_profile(const struct received_part *p)
{
	struct ddp_pprof *f;

	assert_int_equal(ddp_compression_detect(p->bytes, p->n), DDP_LZ4);
	assert_int_equal(ddp_pprof_load(p->bytes, p->n, NULL, &f, NULL), 0);
	assert_int_equal(f->nr_samples, 1);
	assert_int_equal(f->samples[0].values[0], 7);
	assert_int_equal(f->samples[0].values[1], 70000000);
	assert_string_equal(f->samples[0].locations[0]->lines[0].function->name, "burn");
	assert_int_equal(f->time_unix_ns, START_NS);
	assert_int_equal(f->duration_ns, END_NS - START_NS);
	ddp_pprof_destroy(f);
}

/* Each upload may be of another container than the one before */
static void containers_are_told_by_tags(void **state)
{
	static const struct {
		const char *what, *tags, *container;
	} rows[] = {
		{ "no tags", NULL, NULL },
		{ "none of them", "service:a,env:b", NULL },
		{ "the first", "container_id:cafe,service:a", "cafe" },
		{ "the last", "service:a,container_id:0123-4_Z", "0123-4_Z" },
		{ "a tag that ends like it", "my_container_id:cafe", NULL },
		{ "nothing in it", "service:a,container_id:", NULL },
		{ "nothing in it, not the last", "container_id:,service:a", NULL },
		{ "what no header can have", "container_id:a\rx:y", NULL },
		{ "a colon", "container_id:a:b", NULL },
	};
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){ .url = f->url });

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_export_form form = form_of(f);
		struct ddp_buffer tags = { 0 };
		char entity[32];

		if (rows[i].tags)
			assert_int_equal(ddp_buffer_write(&tags, rows[i].tags,
							  strlen(rows[i].tags)), 0);
		form.tags = &tags;
		assert_int_equal(ddp_exporter_send(e, &form, NULL), DDP_EXPORT_OK);
		snprintf(entity, sizeof(entity), "ci-%s", rows[i].container ?: "");
		check_header(receiver_last(f->receiver), "datadog-container-id", rows[i].container);
		check_header(receiver_last(f->receiver), "datadog-entity-id",
			     rows[i].container ? entity : NULL);
		ddp_buffer_free(&tags);
	}
	ddp_exporter_destroy(e);
}

static void every_field_arrives(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){
		.url = f->url, .origin = "ddprof", .origin_version = "9.8.7",
		.container_id = "cafe", .entity_id = "ci-cafe", .external_env = "it-false",
	});
	struct ddp_export_file extra = { "metrics.json", "[]", 2 };
	struct ddp_export_pair info = { "kernel", "6.1 \"x\"\n" };
	struct ddp_export_form form;
	struct ddp_export_result result;
	const struct received *u;

	assert_int_equal(ddp_tags_add(&f->tags, "service", "shop front,end"), 0);
	assert_int_equal(ddp_tags_parse(&f->tags, "team:a, zone:b", NULL), 0);
	form = form_of(f);
	form.files = &extra;
	form.nr_files = 1;
	form.info = &info;
	form.nr_info = 1;
	form.process_tags = "entrypoint:x";
	form.id = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_OK);
	assert_int_equal(result.http_status, 200);
	assert_string_equal(result.message, "");

	u = receiver_last(f->receiver);
	assert_non_null(u);
	assert_null(u->error);
	assert_string_equal(u->method, "POST");
	assert_string_equal(u->path, "/profiling/v1/input");
	check_header(u, "DD-EVP-ORIGIN", "ddprof");
	check_header(u, "DD-EVP-ORIGIN-VERSION", "9.8.7");
	check_header(u, "User-Agent", "ddprof/9.8.7");
	check_header(u, "Connection", "close");
	check_header(u, "datadog-container-id", "cafe");
	check_header(u, "datadog-entity-id", "ci-cafe");
	check_header(u, "datadog-external-env", "it-false");
	check_header(u, "dd-api-key", NULL);
	check_header(u, "Expect", NULL);

	assert_int_equal(u->nr_parts, 3);
	check_part(&u->parts[0], "event", "event.json", "application/json");
	check_part(&u->parts[1], "metrics.json", "metrics.json", "application/octet-stream");
	check_part(&u->parts[2], "profile.pprof", "profile.pprof", "application/octet-stream");
	static const char event[] =
		"{\"attachments\":[\"metrics.json\",\"profile.pprof\"],"
		"\"tags_profiler\":\"service:shop_front_end,team:a,zone:b\","
		"\"start\":\"2026-01-02T03:04:05.000000006Z\","
		"\"end\":\"2026-01-02T03:05:04.999999999Z\","
		"\"family\":\"native\",\"version\":\"4\",\"endpoint_counts\":null,"
		"\"process_tags\":\"entrypoint:x\","
		"\"internal\":{\"libddprof_version\":\"" DDPROF_VERSION "\","
		"\"profile_id\":\"7d444840-9dc0-11d1-b245-5ffdce74fad2\"},"
		"\"info\":{\"kernel\":\"6.1 \\\"x\\\"\\u000a\"}}";
	assert_int_equal(u->parts[0].n, strlen(event));
	assert_memory_equal(u->parts[0].bytes, event, strlen(event));
	assert_memory_equal(u->parts[1].bytes, "[]", 2);
	check_profile(&u->parts[2]);
	ddp_exporter_destroy(e);
}

static void agentless_goes_to_the_intake_with_its_key(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){
		.url = f->url, .api_key = "0123456789abcdef" });
	struct ddp_export_form form = form_of(f);
	const struct received *u;

	assert_int_equal(ddp_exporter_send(e, &form, NULL), DDP_EXPORT_OK);
	u = receiver_last(f->receiver);
	assert_string_equal(u->path, "/api/v2/profile");
	check_header(u, "dd-api-key", "0123456789abcdef");
	check_header(u, "DD-EVP-ORIGIN-VERSION", DDPROF_VERSION);
	ddp_exporter_destroy(e);
}

static void a_unix_socket_is_a_target(void **state)
{
	struct fixture *f = *state;
	char path[64], url[80];
	struct receiver *r;

	snprintf(path, sizeof(path), "/tmp/ddprof-test-%d.sock", getpid());
	snprintf(url, sizeof(url), "unix://%s", path);
	r = receiver_start(path);
	assert_int_equal(send_to(f, url, NULL), DDP_EXPORT_OK);
	assert_int_equal(receiver_count(r), 1);
	assert_string_equal(receiver_last(r)->path, "/profiling/v1/input");
	check_profile(&receiver_last(r)->parts[1]);
	receiver_stop(r);
	unlink(path);
}

static void one_exporter_sends_many(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){ .url = f->url });
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;

	receiver_answer(f->receiver, 503, "");
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_RETRY);
	receiver_answer(f->receiver, 202, "");
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_OK);
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_OK);
	assert_int_equal(receiver_count(f->receiver), 3);
	check_profile(&receiver_last(f->receiver)->parts[1]);
	ddp_exporter_destroy(e);
}

static void answers_have_a_class(void **state)
{
	static const struct {
		const char *what;
		int status, class;
	} rows[] = {
		{ "ok", 200, DDP_EXPORT_OK },
		{ "accepted", 202, DDP_EXPORT_OK },
		{ "redirect is not followed", 302, DDP_EXPORT_REFUSED },
		{ "bad request", 400, DDP_EXPORT_REFUSED },
		{ "forbidden", 403, DDP_EXPORT_REFUSED },
		{ "request timeout", 408, DDP_EXPORT_RETRY },
		{ "too large", 413, DDP_EXPORT_REFUSED },
		{ "too many", 429, DDP_EXPORT_RETRY },
		{ "server error", 500, DDP_EXPORT_RETRY },
		{ "bad gateway", 502, DDP_EXPORT_RETRY },
	};
	struct fixture *f = *state;
	struct ddp_export_result result;
	char expected[160];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		receiver_answer(f->receiver, rows[i].status, "be\x1b[31m gone\n");
		assert_int_equal(send_to(f, f->url, &result), rows[i].class);
		assert_int_equal(result.http_status, rows[i].status);
		snprintf(expected, sizeof(expected), "%s/profiling/v1/input answered %d: "
			 "be [31m gone ", f->url, rows[i].status);
		assert_string_equal(result.message, rows[i].class ? expected : "");
	}
}

static void a_receiver_says_when_to_come_back(void **state)
{
	static const struct {
		const char *what;
		int status;
		const char *headers;
		uint32_t least_ms, most_ms;
	} rows[] = {
		{ "seconds", 429, "Retry-After: 17\r\n", 17000, 17000 },
		{ "none", 503, "", 0, 0 },
		{ "a date that is over", 503, "Retry-After: Fri, 02 Jan 2026 03:04:05 GMT\r\n",
		  0, 0 },
		{ "a date far away: a day", 503, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
		  86400000, 86400000 },
		{ "more seconds than there are", 429, "Retry-After: 99999999999999999999\r\n",
		  0, 86400000 },
		{ "negative", 429, "Retry-After: -5\r\n", 0, 0 },
		{ "nonsense", 429, "Retry-After: soon\r\n", 0, 0 },
		{ "of what is not to be tried again", 400, "Retry-After: 17\r\n", 0, 0 },
		{ "of what was taken", 200, "Retry-After: 17\r\n", 0, 0 },
	};
	struct fixture *f = *state;
	struct ddp_export_result result;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		receiver_answer_with(f->receiver, rows[i].status, rows[i].headers, "", 0);
		assert_true(send_to(f, f->url, &result) >= 0);
		assert_in_range(result.retry_after_ms, rows[i].least_ms, rows[i].most_ms);
	}
}

static void a_receiver_that_is_down_is_named(void **state)
{
	struct fixture *f = *state;
	struct ddp_export_result result;
	struct receiver *gone = receiver_start(NULL);
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", receiver_port(gone));
	receiver_stop(gone);
	assert_int_equal(send_to(f, url, &result), DDP_EXPORT_RETRY);
	assert_int_equal(result.http_status, 0);
	assert_non_null(strstr(result.message, url));
	assert_non_null(strstr(result.message, "onnect"));
	/* nothing was lost: the same bytes go to one that is up */
	assert_int_equal(send_to(f, f->url, &result), DDP_EXPORT_OK);
	check_profile(&receiver_last(f->receiver)->parts[1]);
}

static void silence_ends_with_the_timeout(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){
		.url = f->url, .timeout_ms = 200 });
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;

	receiver_answer(f->receiver, 0, "");
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_RETRY);
	assert_int_equal(result.http_status, 0);
	/* curl has another word for it where it did not even get a connection in that time */
	assert_true(strstr(result.message, "timed out") || strstr(result.message, "timeout"));
	ddp_exporter_destroy(e);
}

/* Reads a request on @fd, to the end of its last part, and takes it; false: there was none */
static bool take_one(int fd)
{
	char text[65536];
	ssize_t got;
	size_t n = 0;

	do {
		got = read(fd, text + n, sizeof(text) - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && (n < 4 || memcmp(text + n - 4, "--\r\n", 4)));
	return got > 0 && send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38,
			       MSG_NOSIGNAL) == 38;
}

/* Takes two, and leaves it open whether it closes connections; @ctx: the listener. How many came */
static void *keep_open(void *ctx)
{
	int first = accept(*(int *)ctx, NULL, NULL), second;
	struct pollfd fds[] = { { .fd = *(int *)ctx, .events = POLLIN },
				{ .fd = first, .events = POLLIN } };
	size_t nr = 1;

	take_one(first);
	while (!(fds[0].revents & POLLIN) && poll(fds, 2, -1) >= 0)
		if (fds[1].revents && !take_one(first))
			fds[1].fd = -1; /* closed, as it should be */
	second = accept(*(int *)ctx, NULL, NULL);
	nr += take_one(second);
	close(second);
	close(first);
	return (void *)nr;
}

/* It may be closed at any moment, and a send into that would fail */
static void no_connection_is_used_twice(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ddp_export_form form = form_of(f);
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other;
	struct ddp_exporter *e;
	pthread_t thread;
	void *nr;
	char url[64];

	assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&thread, NULL, keep_open, &listener), 0);
	e = exporter((struct ddp_exporter_config){ .url = url });
	assert_int_equal(ddp_exporter_send(e, &form, NULL), DDP_EXPORT_OK);
	assert_int_equal(ddp_exporter_send(e, &form, NULL), DDP_EXPORT_OK);
	other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* were there no second one */
	assert_int_equal(connect(other, (struct sockaddr *)&a, len), 0);
	shutdown(other, SHUT_RDWR);
	pthread_join(thread, &nr);
	assert_int_equal((size_t)nr, 2);
	close(other);
	close(listener);
	ddp_exporter_destroy(e);
}

/* Answers 200 and goes on for as long as somebody reads; @ctx: the listener. How much was taken */
static void *answer_without_end(void *ctx)
{
	static char piece[65536] = "HTTP/1.1 200 OK\r\n\r\n";
	int fd = accept(*(int *)ctx, NULL, NULL);
	size_t n = 0;
	ssize_t sent;

	while ((sent = send(fd, piece, sizeof(piece), MSG_NOSIGNAL)) > 0)
		n += sent;
	close(fd);
	return (void *)n;
}

static void an_answer_without_end_is_not_read(void **state)
{
	enum { MUCH = 64 << 20 };	/* what is read and sockets' buffers are less */
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);
	pthread_t thread;
	char url[64];
	void *taken;

	assert_int_equal(bind(listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, answer_without_end, &listener), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(send_to(*state, url, NULL), DDP_EXPORT_OK);
	pthread_join(thread, &taken);
	close(listener);
	assert_in_range((size_t)taken, 1 << 20, MUCH);
}

struct cancel {
	struct ddp_exporter *exporter;
	struct receiver *receiver;
};

/* When the request is there, which nobody will answer */
static void *cancel_it(void *ctx)
{
	struct cancel *c = ctx;

	while (!receiver_count(c->receiver))
		usleep(1000);
	ddp_exporter_cancel(c->exporter);
	return NULL;
}

static void a_send_can_be_cancelled(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){ .url = f->url });
	struct cancel cancel = { e, f->receiver };
	struct ddp_export_form form = form_of(f);
	struct ddp_export_result result;
	pthread_t thread;

	receiver_answer(f->receiver, 0, "");
	pthread_create(&thread, NULL, cancel_it, &cancel);
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_CANCELLED);
	pthread_join(thread, NULL);
	assert_int_equal(ddp_exporter_send(e, &form, &result), DDP_EXPORT_CANCELLED);
	assert_int_equal(receiver_count(f->receiver), 1);
	ddp_exporter_destroy(e);
}

static void bad_configurations_are_refused(void **state)
{
	static const struct {
		const char *what, *url, *key, *says;
	} rows[] = {
		{ "no URL", NULL, NULL, "unix:///path" },
		{ "another scheme", "ftp://x", NULL, "ftp://x" },
		{ "no scheme", "localhost:8126", NULL, "localhost:8126" },
		{ "no host", "http://", NULL, "http://" },
		{ "a query", "http://x/?a", NULL, "http://x/?a" },
		{ "a password", "http://u:p@x", NULL, "give user and password by themselves" },
		{ "a relative socket", "unix://run/x", NULL, "absolute" },
		{ "a line break in the URL", "http://x/\r\ny", NULL, "control" },
		{ "a line break in a header", "http://x", "k\r\nHost: y", "dd-api-key" },
	};
	struct ddp_exporter *e = NULL;
	struct ddp_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_exporter_config c = { .url = rows[i].url, .api_key = rows[i].key };

		print_message("  %s\n", rows[i].what);
		assert_int_equal(ddp_exporter_create(&c, &e, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].says));
	}
}

static void bad_forms_are_refused(void **state)
{
	struct fixture *f = *state;
	struct ddp_exporter *e = exporter((struct ddp_exporter_config){ .url = f->url });
	struct ddp_export_form form = form_of(f);
	struct ddp_export_file file = { "event", "", 0 };

	form.profile = NULL;
	assert_int_equal(ddp_exporter_send(e, &form, NULL), -EINVAL);
	form = form_of(f);
	form.start_unix_ns = -1;
	assert_int_equal(ddp_exporter_send(e, &form, NULL), -EINVAL);
	form = form_of(f);
	form.files = &file;
	form.nr_files = 1;
	assert_int_equal(ddp_exporter_send(e, &form, NULL), -EINVAL);
	file.name = "a\"; name=\"b";
	assert_int_equal(ddp_exporter_send(e, &form, NULL), -EINVAL);
	assert_int_equal(receiver_count(f->receiver), 0);
	ddp_exporter_destroy(e);
}

static void endpoint_counts_are_an_object_or_null(void **state)
{
	static const struct ddp_endpoint_count counts[] = {
		{ "a", 1, 2 }, { "\"/\xff", 3, -1 }, { "c", 1, INT64_MAX },
	};
	static const struct {
		const char *what;
		size_t nr;
		const char *json;
	} rows[] = {
		{ "none", 0, "\"endpoint_counts\":null," },
		{ "one", 1, "\"endpoint_counts\":{\"a\":2}," },
		{ "several, to be escaped and repaired", 3, "\"endpoint_counts\":{\"a\":2,"
		  "\"\\\"/\xef\xbf\xbd\":-1,\"c\":9223372036854775807}," },
	};
	struct ddp_buffer out = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_export_form form = { .endpoint_counts = counts,
						.nr_endpoint_counts = rows[i].nr };

		print_message("  %s\n", rows[i].what);
		assert_int_equal(ddp_export_form_event(&form, ddp_buffer_write, &out), 0);
		assert_non_null(memmem(out.bytes, out.len, rows[i].json, strlen(rows[i].json)));
		ddp_buffer_free(&out);
	}
}

static void event_json_is_always_valid(void **state)
{
	static const struct {
		const char *what, *value, *json;
	} rows[] = {
		{ "plain", "abc", "\"abc\"" },
		{ "quote and backslash", "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "control characters", "\x01\t\x7f", "\"\\u0001\\u0009\\u007f\"" },
		{ "UTF-8 stays", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
		{ "broken UTF-8", "a\xff" "b\xe2\x82", "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"" },
	};
	struct ddp_buffer out = { 0 };
	char expected[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ddp_export_form form = { .process_tags = rows[i].value };

		print_message("  %s\n", rows[i].what);
		assert_int_equal(ddp_export_form_event(&form, ddp_buffer_write, &out), 0);
		snprintf(expected, sizeof(expected), "\"process_tags\":%s,", rows[i].json);
		assert_non_null(memmem(out.bytes, out.len, expected, strlen(expected)));
		assert_non_null(memmem(out.bytes, out.len, "\"tags_profiler\":\"\",", 19));
		assert_non_null(memmem(out.bytes, out.len,
				       "\"start\":\"1970-01-01T00:00:00.000000000Z\"", 40));
		ddp_buffer_free(&out);
	}
}

static void tags_are_joined_and_checked(void **state)
{
	static const struct {
		const char *what, *text, *joined;
		int r;
	} rows[] = {
		{ "nothing", NULL, "env:x", 0 },
		{ "empty", "", "env:x", 0 },
		{ "one", "a:b", "env:x,a:b", 0 },
		{ "commas and spaces", " a:b,, c:d e ", "env:x,a:b,c:d,e", 0 },
		{ "colons inside", "url:http://x", "env:x,url:http://x", 0 },
		{ "a leading colon", "ok:1 :b", "env:x", -EINVAL },
		{ "a trailing colon", "a:", "env:x", -EINVAL },
	};
	struct ddp_buffer tags = { 0 };
	struct ddp_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("  %s\n", rows[i].what);
		assert_int_equal(ddp_tags_add(&tags, "env", "x"), 0);
		assert_int_equal(ddp_tags_parse(&tags, rows[i].text, &err), rows[i].r);
		assert_int_equal(tags.len, strlen(rows[i].joined));
		assert_memory_equal(tags.bytes, rows[i].joined, tags.len);
		ddp_buffer_free(&tags);
	}
	assert_int_equal(ddp_tags_add(&tags, "a:b", "x"), -EINVAL);
	assert_int_equal(ddp_tags_add(&tags, "", "x"), -EINVAL);
	assert_int_equal(ddp_tags_add(&tags, "a", NULL), 0);
	assert_int_equal(tags.len, 0);
}

#define WITH_RECEIVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RECEIVER(every_field_arrives),
		WITH_RECEIVER(containers_are_told_by_tags),
		WITH_RECEIVER(agentless_goes_to_the_intake_with_its_key),
		WITH_RECEIVER(a_unix_socket_is_a_target),
		WITH_RECEIVER(one_exporter_sends_many),
		WITH_RECEIVER(answers_have_a_class),
		WITH_RECEIVER(a_receiver_says_when_to_come_back),
		WITH_RECEIVER(a_receiver_that_is_down_is_named),
		WITH_RECEIVER(silence_ends_with_the_timeout),
		WITH_RECEIVER(no_connection_is_used_twice),
		WITH_RECEIVER(an_answer_without_end_is_not_read),
		WITH_RECEIVER(a_send_can_be_cancelled),
		WITH_RECEIVER(bad_forms_are_refused),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(endpoint_counts_are_an_object_or_null),
		cmocka_unit_test(event_json_is_always_valid),
		cmocka_unit_test(tags_are_joined_and_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
