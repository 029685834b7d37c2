// SPDX-License-Identifier: Apache-2.0
/* See ask.h. */
#include "ddprofctl/ask.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "metrics/monitor.h"

enum {
	TIMEOUT_S = 20,	/* a collector has DDP_CONTROL_ANSWER_MS, and another may be before us */
	MAX_ANSWER_BYTES = 16 << 20,
};

DEFINE_CLEANUP(CURL *, curl_easy_cleanup)

static size_t receive(char *bytes, size_t one, size_t n, void *buffer)
{
	return ddp_buffer_write(buffer, bytes, one * n) ? 0 : n;
}

static void set_up(CURL *curl, const char *socket, const char *url, struct ddp_buffer *ret,
		   char message[CURL_ERROR_SIZE])
{
	ret->max_bytes = MAX_ANSWER_BYTES;
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
}

static int say_connect(const char *socket, int error, struct ddp_error *err)
{
	if (error == ENOENT || error == ECONNREFUSED) {
		snprintf(err->text, sizeof(err->text), "no collector answers on %.100s: `ddprof "
			 "-g` starts one; another's socket: --control_socket", socket);
		return -ENOENT;
	}
	snprintf(err->text, sizeof(err->text), "%.100s: %s%s", socket, strerror(error),
		 error == EACCES ? "; the socket is its owner's: run as root" : "");
	return -error;
}

/* What an answer that is not 200 says, one line of text */
static int say_refusal(const struct ddp_buffer *answer, long status, struct ddp_error *err)
{
	size_t n = 0;

	while (n < answer->len && n < 150 && answer->bytes[n] >= ' ' && answer->bytes[n] < 0x7f)
		n++;
	snprintf(err->text, sizeof(err->text), "the collector answered %ld: %.*s", status, (int)n,
		 answer->len ? (const char *)answer->bytes : "");
	return -EBADMSG;
}

int ctl_ask(const char *socket, const char *path, struct ddp_buffer *ret, struct ddp_error *err)
{
	CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	char url[256], message[CURL_ERROR_SIZE] = "";
	long status = 0, error = 0;
	CURLcode r;

	if (!curl)
		return -ENOMEM;
	socket = socket ?: DDP_CONTROL_SOCKET;
	snprintf(url, sizeof(url), "http://collector%s", path);
	set_up(curl, socket, url, ret, message);
	r = curl_easy_perform(curl);
	if (r == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
		return say_connect(socket, error ? (int)error : ENOENT, err);
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (!r && status == 200)
		return 0;
	if (!r)
		return say_refusal(ret, status, err);
	snprintf(err->text, sizeof(err->text), "%.100s: %.100s", socket,
		 message[0] ? message : curl_easy_strerror(r));
	return r == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EBADMSG;
}
