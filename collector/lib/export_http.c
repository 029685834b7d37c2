// SPDX-License-Identifier: Apache-2.0
/*
 * See export_http.h. The request's bytes are read through callbacks or in place and never copied.
 * Curl cleans up after itself and uses no signal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "export_http.h"

DEFINE_CLEANUP(curl_mime *, curl_mime_free)

/* A part's bytes as curl reads them. */
struct reader {
	const char *bytes;
	size_t n, at;
};

static size_t read_part(char *to, size_t size, size_t nr, void *ctx)
{
	struct reader *r = ctx;
	size_t n = size * nr < r->n - r->at ? size * nr : r->n - r->at;

	if (n)
		memcpy(to, r->bytes + r->at, n);
	r->at += n;
	return n;
}

static int seek_part(void *ctx, curl_off_t offset, int origin)
{
	struct reader *r = ctx;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->n)
		return CURL_SEEKFUNC_CANTSEEK;
	r->at = offset;
	return CURL_SEEKFUNC_OK;
}

static int add_part(curl_mime *mime, const struct export_part *part, struct reader *reader)
{
	curl_mimepart *p = curl_mime_addpart(mime);

	*reader = (struct reader){ part->bytes, part->n, 0 };
	if (!p || curl_mime_name(p, part->name) ||
	    (part->file && curl_mime_filename(p, part->file)) ||
	    (part->type && curl_mime_type(p, part->type)) ||
	    curl_mime_data_cb(p, part->n, read_part, seek_part, NULL, reader))
		return -ENOMEM;
	return 0;
}

/* @readers has room for every part. NULL: out of memory */
static curl_mime *make_mime(CURL *curl, const struct export_request *q, struct reader *readers)
{
	CLEANUP(curl_mime_free) curl_mime *mime = curl_mime_init(curl);
	uint32_t i;
	int r = mime ? 0 : -ENOMEM;

	for (i = 0; !r && i < q->parts.nr; i++)
		r = add_part(mime, &q->parts.at[i], &readers[i]);
	return r ? NULL : TAKE(mime);
}

static size_t take_answer(char *bytes, size_t size, size_t nr, void *ctx)
{
	struct export_answer *a = ctx;
	size_t n = size * nr, room = sizeof(a->body) - a->kept;
	size_t keep = n < room ? n : room;

	memcpy(a->body + a->kept, bytes, keep);
	a->kept += keep;
	a->seen += n;
	return a->seen <= EXPORT_ANSWER_BYTES_MAX ? n : 0;
}

static int check_cancelled(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
			   curl_off_t ulnow)
{
	const atomic_bool *cancelled = ctx;

	(void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
	return atomic_load(cancelled);
}

/* The same option, as a text only since 7.85 and deprecated as bits since then */
static CURLcode only_http(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURLcode set_target(CURL *c, const struct export_target *t)
{
	CURLcode r = curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, t->socket_path);

	r |= only_http(c);
	if (!t->through_proxy)
		r |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	if (t->ca_file) {	/* and no other */
		r |= curl_easy_setopt(c, CURLOPT_CAINFO, t->ca_file);
		r |= curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	r |= curl_easy_setopt(c, CURLOPT_SSLCERT, t->client_cert);
	r |= curl_easy_setopt(c, CURLOPT_SSLKEY, t->client_key);
	r |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	r |= curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	r |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* we ask for an end behind each answer; receivers close it, not all of them say so */
	r |= curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	r |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
	return r;
}

static CURLcode set_body(CURL *c, const struct export_request *q, curl_mime *mime)
{
	CURLcode r;

	if (q->parts.nr)
		return curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
	r = curl_easy_setopt(c, CURLOPT_POST, 1L);
	r |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
	r |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body.bytes ?: (unsigned char *)"");
	return r;
}

static CURLcode set_callbacks(CURL *c, struct export_answer *answer, const atomic_bool *cancelled)
{
	CURLcode r = curl_easy_setopt(c, CURLOPT_ERRORBUFFER, answer->error);

	r |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
	r |= curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	r |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	r |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, check_cancelled);
	r |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, (void *)cancelled);
	return r;
}

/* Seconds, or a date, which curl counts from now; 0 where the answer has none */
static uint32_t retry_after_ms(CURL *curl)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &s) || s <= 0)
		return 0;
	return (s < EXPORT_RETRY_AFTER_MAX_S ? s : EXPORT_RETRY_AFTER_MAX_S) * 1000;
}

static void perform(CURL *c, const atomic_bool *cancelled, struct export_answer *ret)
{
	/* curl asks for the first time only after it has connected */
	if (atomic_load(cancelled)) {
		ret->code = CURLE_ABORTED_BY_CALLBACK;
		return;
	}
	ret->code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->status);
	ret->retry_after_ms = retry_after_ms(c);
}

static char *full_url(const struct export_target *t, const struct export_request *q)
{
	const char *query = q->query.len ? (const char *)q->query.bytes : "";
	size_t n = strlen(t->url) + strlen(query) + 1;
	char *url = ddp__alloc(n);

	if (url)
		snprintf(url, n, "%s%s", t->url, query);
	return url;
}

int ddp__export_post(CURL *curl, const struct export_target *target,
		     const struct export_request *q, const atomic_bool *cancelled,
		     struct export_answer *ret)
{
	CLEANUP(ddp__free) struct reader *readers = ddp__alloc((q->parts.nr + 1) *
							       sizeof(*readers));
	CLEANUP(ddp__free) char *url = full_url(target, q);
	CLEANUP(curl_mime_free) curl_mime *mime = NULL;
	CURLcode r = CURLE_OK;

	memset(ret, 0, sizeof(*ret));
	if (readers && q->parts.nr)
		mime = make_mime(curl, q, readers);
	if (!readers || !url || (q->parts.nr && !mime))
		return -ENOMEM;
	r |= curl_easy_setopt(curl, CURLOPT_URL, url);
	r |= set_target(curl, target);
	r |= set_body(curl, q, mime);
	r |= set_callbacks(curl, ret, cancelled);
	if (r == CURLE_OK)
		perform(curl, cancelled, ret);
	curl_easy_reset(curl);	/* forget the pointers into this frame */
	return r || ret->code == CURLE_OUT_OF_MEMORY ? -ENOMEM : 0;
}
