// SPDX-License-Identifier: Apache-2.0
/*
 * See receiver.h. One connection at a time, one request a connection. Parsing is pure over the
 * whole request in memory; only read_request() and the loop touch the socket.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "receiver.h"

enum { REQUEST_BYTES_MAX = 64 << 20, SILENCE_MS = 5000 };

/* How to answer: a status or 0 for silence, header lines, a body. */
struct told {
	int status;
	char headers[256];
	unsigned char body[512];
	size_t body_n;
};

struct receiver {
	int listener, stop_pipe[2];
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	struct told told;	/* locked */
	receiver_fn fn;		/* locked, as its ctx; NULL: none */
	void *ctx;
	unsigned int count;	/* locked */
	struct received last;	/* locked while a request is taken apart */
	unsigned char *bytes;	/* of the last request */
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(2);
}

/* Taking apart */

struct slice {
	const unsigned char *at;
	size_t n;
};

/* Cuts @s at @mark: the part before is returned in @head, @s continues behind it. */
static bool cut(struct slice *s, const char *mark, size_t mark_n, struct slice *head)
{
	const unsigned char *found = memmem(s->at, s->n, mark, mark_n);

	if (!found)
		return false;
	*head = (struct slice){ s->at, found - s->at };
	s->n -= head->n + mark_n;
	s->at = found + mark_n;
	return true;
}

static bool copy(struct slice s, char *to, size_t size)
{
	if (s.n >= size)
		return false;
	memcpy(to, s.at, s.n);
	to[s.n] = '\0';
	return true;
}

/* Name: value, or Name: and nothing */
static bool parse_header(struct slice line, char *name, char *value, size_t size)
{
	struct slice head;

	if (!cut(&line, ": ", 2, &head) && (!cut(&line, ":", 1, &head) || line.n))
		return false;
	return copy(head, name, size) && copy(line, value, size);
}

static const char *parse_request_line(struct slice line, struct received *u)
{
	struct slice method, path;

	if (!cut(&line, " ", 1, &method) || !cut(&line, " ", 1, &path) ||
	    line.n != 8 || memcmp(line.at, "HTTP/1.1", 8))
		return "bad request line";
	if (!copy(method, u->method, sizeof(u->method)) || !copy(path, u->path, sizeof(u->path)))
		return "request line too long";
	return NULL;
}

static const char *parse_head(struct slice head, struct received *u)
{
	struct slice line;
	const char *error;

	if (!cut(&head, "\r\n", 2, &line))
		return "no request line";
	error = parse_request_line(line, u);
	while (!error && cut(&head, "\r\n", 2, &line)) {
		char (*h)[256] = u->headers[u->nr_headers];

		if (u->nr_headers == RECEIVER_MAX_HEADERS ||
		    !parse_header(line, h[0], h[1], sizeof(h[0])))
			error = "bad header";
		else
			u->nr_headers++;
	}
	return error;
}

/* name="value" in a Content-Disposition */
static bool parameter(const char *header, const char *name, char *to, size_t size)
{
	char key[32];
	const char *at, *end;

	snprintf(key, sizeof(key), "; %s=\"", name);
	at = strstr(header, key);
	end = at ? strchr(at + strlen(key), '"') : NULL;
	if (!end)
		return false;
	at += strlen(key);
	return copy((struct slice){ (const unsigned char *)at, end - at }, to, size);
}

static const char *parse_part(struct slice s, struct received_part *p)
{
	struct slice head, line;
	char name[256], value[256];
	bool named = false;

	if (!cut(&s, "\r\n\r\n", 4, &head))
		return "part without a body";
	head.n += 2;	/* the last line's end is the first half of the mark */
	while (cut(&head, "\r\n", 2, &line)) {
		if (!parse_header(line, name, value, sizeof(name)))
			return "bad part header";
		if (!strcasecmp(name, "Content-Disposition"))
			named = !strncmp(value, "form-data; ", 11) &&
				parameter(value, "name", p->name, sizeof(p->name)) &&
				(!strstr(value, "; filename=") ||
				 parameter(value, "filename", p->file_name, sizeof(p->file_name)));
		else if (!strcasecmp(name, "Content-Type"))
			snprintf(p->content_type, sizeof(p->content_type), "%.60s", value);
	}
	p->bytes = s.at;
	p->n = s.n;
	return named ? NULL : "part without a name";
}

/* --boundary CRLF part CRLF --boundary CRLF part CRLF --boundary-- CRLF */
static const char *parse_multipart(struct slice body, const char *boundary, struct received *u)
{
	char mark[128], first[128];
	size_t n = snprintf(mark, sizeof(mark), "\r\n--%s", boundary);
	struct slice part;
	const char *error = NULL;

	snprintf(first, sizeof(first), "--%s\r\n", boundary);
	if (body.n < n || memcmp(body.at, first, n))
		return "body does not begin with the boundary";
	body.at += n;
	body.n -= n;
	while (!error && cut(&body, mark, n, &part)) {
		if (u->nr_parts == RECEIVER_MAX_PARTS)
			return "too many parts";
		error = parse_part(part, &u->parts[u->nr_parts++]);
		if (body.n == 4 && !memcmp(body.at, "--\r\n", 4))
			return error;
		if (body.n < 2 || memcmp(body.at, "\r\n", 2))
			return "junk after a boundary";
		body.at += 2;
		body.n -= 2;
	}
	return error ? error : "no closing boundary";
}

static const char *parse_request(struct slice head, struct slice body, struct received *u)
{
	static const char multipart[] = "multipart/form-data; boundary=";
	const char *error = parse_head(head, u), *type;

	if (error)
		return error;
	u->body = body.at;
	u->body_n = body.n;
	type = received_header(u, "Content-Type");
	if (type && (!strcmp(type, "application/x-protobuf") ||
		     !strcmp(type, "application/octet-stream")))
		return NULL;
	if (!type || strncmp(type, multipart, strlen(multipart)))
		return "a body of another type";
	return parse_multipart(body, type + strlen(multipart), u);
}

/* The wire */

struct request {
	unsigned char *bytes;
	size_t n, head_n;	/* head_n includes the empty line */
};

static size_t content_length(const struct request *q)
{
	struct received u = { 0 };
	const char *value;

	if (parse_head((struct slice){ q->bytes, q->head_n - 2 }, &u))
		return 0;
	value = received_header(&u, "Content-Length");
	return value ? strtoul(value, NULL, 10) : 0;
}

/* Until the head and Content-Length bytes are there, or the other side closes. */
static bool read_request(int fd, struct request *q)
{
	size_t wanted = SIZE_MAX, capacity = 0;
	const unsigned char *end;
	ssize_t got;

	while (q->n < wanted) {
		if (q->n == capacity) {
			capacity = capacity ? capacity * 2 : 65536;
			need(capacity <= REQUEST_BYTES_MAX, "receiver: request too large");
			q->bytes = realloc(q->bytes, capacity);
			need(q->bytes, "receiver: realloc");
		}
		got = read(fd, q->bytes + q->n, capacity - q->n);
		if (got <= 0)
			return false;
		q->n += got;
		end = q->head_n ? NULL : memmem(q->bytes, q->n, "\r\n\r\n", 4);
		if (end) {
			q->head_n = end - q->bytes + 4;
			wanted = q->head_n + content_length(q);
		}
	}
	return q->n == wanted;
}

static void tell(struct told *t, int status, const char *headers, const void *body, size_t n)
{
	need(n <= sizeof(t->body), "receiver: the body to answer");
	t->status = status;
	snprintf(t->headers, sizeof(t->headers), "%s", headers);
	memcpy(t->body, body, n);
	t->body_n = n;
}

static void answer(int fd, const struct told *t)
{
	char text[512 + sizeof(t->body)];
	int n = snprintf(text, 512, "HTTP/1.1 %d Told So\r\nContent-Length: %zu\r\n%s"
			 "Connection: close\r\n\r\n", t->status, t->body_n, t->headers);

	memcpy(text + n, t->body, t->body_n);
	need(send(fd, text, n + t->body_n, MSG_NOSIGNAL) == (ssize_t)(n + t->body_n),
	     "receiver: answer");
}

/* Says nothing until the other side has had enough or the receiver is stopped. */
static void stay_silent(struct receiver *r, int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = r->stop_pipe[0],
				.events = POLLIN } };

	poll(fds, 2, SILENCE_MS);
}

static void serve(struct receiver *r, int fd)
{
	struct request q = { 0 };
	struct told told;

	if (!read_request(fd, &q)) {
		free(q.bytes);
		return;
	}
	pthread_mutex_lock(&r->lock);
	free(r->bytes);
	r->bytes = q.bytes;
	memset(&r->last, 0, sizeof(r->last));
	r->last.error = parse_request((struct slice){ q.bytes, q.head_n - 2 },
				      (struct slice){ q.bytes + q.head_n, q.n - q.head_n },
				      &r->last);
	r->count++;
	told = r->told;
	if (r->fn)
		r->fn(r->ctx, &r->last);
	if (r->last.error)
		tell(&told, 400, "", r->last.error, strlen(r->last.error));
	pthread_mutex_unlock(&r->lock);
	if (told.status)
		answer(fd, &told);
	else
		stay_silent(r, fd);
}

static void *loop(void *ctx)
{
	struct receiver *r = ctx;
	struct pollfd fds[] = { { .fd = r->listener, .events = POLLIN }, { .fd = r->stop_pipe[0],
				.events = POLLIN } };
	int fd;

	for (;;) {
		need(poll(fds, 2, -1) > 0, "receiver: poll");
		if (fds[1].revents)
			return NULL;
		fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
		need(fd >= 0, "receiver: accept");
		serve(r, fd);
		close(fd);
	}
}

static void listen_tcp(struct receiver *r)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(r->listener >= 0 && !bind(r->listener, (struct sockaddr *)&a, n) &&
	     !getsockname(r->listener, (struct sockaddr *)&a, &n), "receiver: bind");
	r->port = ntohs(a.sin_port);
}

static void listen_unix(struct receiver *r, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(r->listener >= 0 && !bind(r->listener, (struct sockaddr *)&a, sizeof(a)),
	     "receiver: bind");
}

struct receiver *receiver_start(const char *socket_path)
{
	struct receiver *r = calloc(1, sizeof(*r));

	need(r, "receiver");
	if (socket_path)
		listen_unix(r, socket_path);
	else
		listen_tcp(r);
	r->told.status = 200;
	need(!listen(r->listener, 8) && !pipe(r->stop_pipe), "receiver: listen");
	pthread_mutex_init(&r->lock, NULL);
	need(!pthread_create(&r->thread, NULL, loop, r), "receiver: thread");
	return r;
}

void receiver_stop(struct receiver *r)
{
	close(r->stop_pipe[1]);
	pthread_join(r->thread, NULL);
	close(r->stop_pipe[0]);
	close(r->listener);
	pthread_mutex_destroy(&r->lock);
	free(r->bytes);
	free(r);
}

uint16_t receiver_port(const struct receiver *r)
{
	return r->port;
}

void receiver_answer(struct receiver *r, int status, const char *body)
{
	receiver_answer_with(r, status, "", body, strlen(body));
}

void receiver_answer_with(struct receiver *r, int status, const char *headers, const void *body,
			  size_t n)
{
	pthread_mutex_lock(&r->lock);
	tell(&r->told, status, headers, body, n);
	pthread_mutex_unlock(&r->lock);
}

void receiver_each(struct receiver *r, receiver_fn fn, void *ctx)
{
	pthread_mutex_lock(&r->lock);
	r->fn = fn;
	r->ctx = ctx;
	pthread_mutex_unlock(&r->lock);
}

unsigned int receiver_count(struct receiver *r)
{
	unsigned int count;

	pthread_mutex_lock(&r->lock);
	count = r->count;
	pthread_mutex_unlock(&r->lock);
	return count;
}

const struct received *receiver_last(struct receiver *r)
{
	return receiver_count(r) ? &r->last : NULL;
}

const char *received_header(const struct received *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->nr_headers; i++)
		if (!strcasecmp(u->headers[i][0], name))
			return u->headers[i][1];
	return NULL;
}
