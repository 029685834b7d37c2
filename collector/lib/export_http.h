/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One POST over libcurl: a request (export_request.h) to a target, and the beginning of its answer.
 * Knows no format. Redirects are not followed, certificates and names are checked, and no more of
 * an answer is read than EXPORT_ANSWER_BYTES_MAX. Used by exporter.c.
 */
#ifndef DDPROF_LIB_EXPORT_HTTP_H
#define DDPROF_LIB_EXPORT_HTTP_H

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "export_request.h"

enum {
	EXPORT_ANSWER_BYTES = 4096,		/* of the body, kept */
	EXPORT_ANSWER_BYTES_MAX = 1 << 20,	/* of the body, read; then the connection ends */
	EXPORT_RETRY_AFTER_MAX_S = 24 * 3600,	/* a receiver that says more is not believed */
};

/* Where to, and how; strings may be NULL: none. */
struct export_target {
	char *url;		/* http://localhost/... with a socket */
	char *socket_path;	/* NULL: TCP */
	char *ca_file, *client_cert, *client_key;	/* PEM; ca_file NULL: the system's */
	struct curl_slist *headers;
	bool through_proxy;	/* as the environment says */
	uint32_t timeout_ms;
};

struct export_answer {
	CURLcode code;
	char error[CURL_ERROR_SIZE];	/* what curl says of code; "" */
	long status;			/* 0: no answer */
	uint32_t retry_after_ms;	/* 0: not said */
	char body[EXPORT_ANSWER_BYTES];
	size_t kept, seen;		/* bytes */
};

/* 0, whatever comes of it, which is in @ret; -ENOMEM. @cancelled ends it within a second. */
DDP_INTERNAL int ddp__export_post(CURL *curl, const struct export_target *target,
				  const struct export_request *q, const atomic_bool *cancelled,
				  struct export_answer *ret);

#endif /* DDPROF_LIB_EXPORT_HTTP_H */
