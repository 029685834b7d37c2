/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for what takes profiles: a small HTTP/1.1 server in a thread, on 127.0.0.1 or a unix
 * socket, that keeps what it was sent and takes a multipart upload apart by its boundary. It
 * answers as it was told to.
 *
 *	struct receiver *r = receiver_start(NULL);
 *
 *	receiver_answer(r, 500, "busy");
 *	... POST to http://127.0.0.1:<receiver_port(r)> ...
 *	const struct received *u = receiver_last(r);
 *	assert_string_equal(u->parts[0].name, "event");
 *	receiver_stop(r);
 *
 * It is strict: a request that is not well-formed is answered 400 and has error set. For tests
 * only: it ends the program when it cannot be set up.
 */
#ifndef DDPROF_TESTS_RECEIVER_H
#define DDPROF_TESTS_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECEIVER_MAX_HEADERS = 32, RECEIVER_MAX_PARTS = 32 };

struct received_part {
	char name[64], file_name[64], content_type[64];	/* "" where it has none */
	const unsigned char *bytes;
	size_t n;
};

/* One request; everything lives until receiver_stop() or the next request. */
struct received {
	char method[16], path[1024];
	char headers[RECEIVER_MAX_HEADERS][2][256];	/* name, value, in order */
	size_t nr_headers;
	const unsigned char *body;
	size_t body_n;
	struct received_part parts[RECEIVER_MAX_PARTS];	/* none unless it is multipart/form-data */
	size_t nr_parts;
	const char *error;	/* NULL, or what was wrong with it */
};

struct receiver;

/* @socket_path: listen there; NULL: on a free port of 127.0.0.1 */
struct receiver *receiver_start(const char *socket_path);
void receiver_stop(struct receiver *r);
uint16_t receiver_port(const struct receiver *r);

/* How requests from now on are answered: a status and a body; 0: read it and stay silent. */
void receiver_answer(struct receiver *r, int status, const char *body);
/* With header lines, each ended by CRLF, and a body of any bytes, up to 512. */
void receiver_answer_with(struct receiver *r, int status, const char *headers, const void *body,
			  size_t n);

/* Calls @fn in the receiver's thread for every request, before it is answered. */
typedef void (*receiver_fn)(void *ctx, const struct received *u);
void receiver_each(struct receiver *r, receiver_fn fn, void *ctx);

/* Requests so far. */
unsigned int receiver_count(struct receiver *r);
/* The last one; NULL before the first. */
const struct received *receiver_last(struct receiver *r);
/* A header's value by its name, in any case; NULL when it is not there. */
const char *received_header(const struct received *u, const char *name);

#endif /* DDPROF_TESTS_RECEIVER_H */
