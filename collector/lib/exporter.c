// SPDX-License-Identifier: Apache-2.0
/*
 * One POST of a profile over libcurl, and what its answer means. The form's bytes are read
 * through callbacks and never copied; everything about the request that does not change is
 * prepared once at creation. Curl cleans up after itself, no signal is used, and the
 * environment's proxy applies only to uploads that leave for the intake.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "cleanup.h"
#include "ddprof/exporter.h"
#include "error.h"
#include "export_form.h"

#define AGENT_PATH	"/profiling/v1/input"
#define INTAKE_PATH	"/api/v2/profile"

enum {
	ANSWER_BYTES = 200,		/* of the answer's body, for the message */
	URL_BYTES_MAX = 2048,
	HEADER_BYTES_MAX = 4096,
	RETRY_AFTER_MAX_S = 24 * 3600,	/* a receiver that says more is not believed */
};

struct ddp_exporter {
	CURL *curl;
	struct curl_slist *headers;
	char *url;		/* where the request goes; http://localhost/... with a socket */
	char *shown;		/* how messages name it */
	char *socket_path;	/* NULL: TCP */
	bool through_proxy;	/* as the environment says */
	uint32_t timeout_ms;
	atomic_bool cancelled;
};

DEFINE_CLEANUP(struct ddp_exporter *, ddp_exporter_destroy)
DEFINE_CLEANUP_IN_PLACE(struct ddp_buffer, ddp_buffer_free)
DEFINE_CLEANUP(curl_mime *, curl_mime_free)

/* Creating */

static char *format_text(const char *a, const char *b, const char *c)
{
	size_t n = strlen(a) + strlen(b) + strlen(c) + 1;
	char *s = ddp__alloc(n);

	if (s)
		snprintf(s, n, "%s%s%s", a, b, c);
	return s;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static int append_line(struct ddp_exporter *e, const char *line)
{
	struct curl_slist *longer = curl_slist_append(e->headers, line);

	if (!longer)
		return -ENOMEM;
	e->headers = longer;
	return 0;
}

static int add_header(struct ddp_exporter *e, const char *name, const char *value,
		      struct ddp_error *err)
{
	char line[HEADER_BYTES_MAX];
	int n;

	if (!value)
		return 0;
	if (has_control(value))
		return ddp__fail(err, -EINVAL, "header %s has control characters", name);
	/* curl leaves out a header that has nothing after the colon; "Name;" sends it empty */
	n = snprintf(line, sizeof(line), *value ? "%s: %s" : "%s;", name, value);
	if (n < 0 || (size_t)n >= sizeof(line))
		return ddp__fail(err, -EINVAL, "header %s is too long", name);
	return append_line(e, line);
}

static int add_origin(struct ddp_exporter *e, const struct ddp_exporter_config *c,
		      struct ddp_error *err)
{
	const char *origin = c->origin ? c->origin : "ddprof";
	const char *version = c->origin_version ? c->origin_version : ddp_version();
	CLEANUP(ddp__free) char *agent = format_text(origin, "/", version);
	int r;

	if (!agent)
		return -ENOMEM;
	if ((r = add_header(e, "DD-EVP-ORIGIN", origin, err)) ||
	    (r = add_header(e, "DD-EVP-ORIGIN-VERSION", version, err)))
		return r;
	return add_header(e, "User-Agent", agent, err);
}

static int add_headers(struct ddp_exporter *e, const struct ddp_exporter_config *c,
		       struct ddp_error *err)
{
	int r;

	if ((r = add_origin(e, c, err)) ||
	    (r = add_header(e, "Connection", "close", err)) ||
	    (r = add_header(e, "dd-api-key", c->api_key, err)) ||
	    (r = add_header(e, "datadog-container-id", c->container_id, err)) ||
	    (r = add_header(e, "datadog-entity-id", c->entity_id, err)) ||
	    (r = add_header(e, "datadog-external-env", c->external_env, err)))
		return r;
	/* no 100-continue round trip: agents do not answer it, and curl would wait a second */
	return append_line(e, "Expect:");
}

static int set_unix_target(struct ddp_exporter *e, const char *socket_path, const char *path,
			   struct ddp_error *err)
{
	if (socket_path[0] != '/')
		return ddp__fail(err, -EINVAL, "unix:// needs an absolute path: unix:///run/...");
	e->socket_path = format_text(socket_path, "", "");
	e->url = format_text("http://localhost", path, "");
	e->shown = format_text("unix://", socket_path, path);
	return e->socket_path && e->url && e->shown ? 0 : -ENOMEM;
}

static int set_target(struct ddp_exporter *e, const struct ddp_exporter_config *c,
		      struct ddp_error *err)
{
	const char *path = c->api_key ? INTAKE_PATH : AGENT_PATH;
	const char *url = c->url ? c->url : "";
	size_t n = strlen(url);

	if (n > URL_BYTES_MAX || has_control(url) || strchr(url, ' '))
		return ddp__fail(err, -EINVAL, "the URL is too long or has control characters");
	if (!strncmp(url, "unix://", 7))
		return set_unix_target(e, url + 7, path, err);
	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return ddp__fail(err, -EINVAL,
				 "'%s' is not http://host:port, https://... or unix:///path", url);
	if (!url[strcspn(url, ":") + 3] || strpbrk(url, "?#@"))
		return ddp__fail(err, -EINVAL, "'%s' is not the address of an agent", url);
	CLEANUP(ddp__free) char *base = format_text(url, "", "");
	if (!base)
		return -ENOMEM;
	while (n && base[n - 1] == '/')
		base[--n] = '\0';
	e->url = format_text(base, path, "");
	e->shown = format_text(base, path, "");
	e->through_proxy = c->api_key != NULL;
	return e->url && e->shown ? 0 : -ENOMEM;
}

int ddp_exporter_create(const struct ddp_exporter_config *config, struct ddp_exporter **ret,
			struct ddp_error *err)
{
	CLEANUP(ddp_exporter_destroy) struct ddp_exporter *e = ddp__alloc(sizeof(*e));
	int r;

	if (!e)
		return ddp__fail(err, -ENOMEM, "out of memory");
	atomic_init(&e->cancelled, false);
	e->timeout_ms = config->timeout_ms ? config->timeout_ms : DDP_EXPORT_TIMEOUT_MS;
	e->curl = curl_easy_init();
	r = e->curl ? set_target(e, config, err) : -ENOMEM;
	if (!r)
		r = add_headers(e, config, err);
	if (r == -ENOMEM)
		return ddp__fail(err, r, "out of memory");
	if (r)
		return r;
	*ret = TAKE(e);
	return 0;
}

void ddp_exporter_destroy(struct ddp_exporter *e)
{
	if (!e)
		return;
	curl_easy_cleanup(e->curl);
	curl_slist_free_all(e->headers);
	ddp__free(e->url);
	ddp__free(e->shown);
	ddp__free(e->socket_path);
	ddp__free(e);
}

void ddp_exporter_cancel(struct ddp_exporter *e)
{
	atomic_store(&e->cancelled, true);
}

/* The form */

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

static int add_part(curl_mime *mime, const char *name, const char *file, const char *type,
		    struct reader *reader)
{
	curl_mimepart *part = curl_mime_addpart(mime);

	if (!part || curl_mime_name(part, name) || curl_mime_filename(part, file) ||
	    curl_mime_type(part, type) ||
	    curl_mime_data_cb(part, reader->n, read_part, seek_part, NULL, reader))
		return -ENOMEM;
	return 0;
}

static int check_file(const struct ddp_export_file *f)
{
	const char *c;

	if (!f->name || !*f->name || (!f->bytes && f->n) ||
	    !strcmp(f->name, EXPORT_EVENT_PART) || !strcmp(f->name, EXPORT_PROFILE_NAME))
		return -EINVAL;
	for (c = f->name; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
			return -EINVAL;
	return 0;
}

#define BINARY "application/octet-stream"

/* @readers has room for every part: the event, the files, the profile. */
static int add_parts(curl_mime *mime, const struct ddp_export_form *form,
		     const struct ddp_buffer *event, struct reader *readers)
{
	size_t i;
	int r;

	readers[0] = (struct reader){ (const char *)event->bytes, event->len, 0 };
	r = add_part(mime, EXPORT_EVENT_PART, EXPORT_EVENT_FILE, "application/json", readers++);
	for (i = 0; !r && i < form->nr_files; i++, readers++) {
		const struct ddp_export_file *f = &form->files[i];

		*readers = (struct reader){ f->bytes, f->n, 0 };
		r = add_part(mime, f->name, f->name, BINARY, readers);
	}
	if (r)
		return r;
	*readers = (struct reader){ form->profile, form->profile_bytes, 0 };
	return add_part(mime, EXPORT_PROFILE_NAME, EXPORT_PROFILE_NAME, BINARY, readers);
}

static int check_form(const struct ddp_export_form *form)
{
	size_t i;
	int r;

	if (!form->profile || !form->profile_bytes)
		return -EINVAL;
	for (i = 0; i < form->nr_files; i++) {
		r = check_file(&form->files[i]);
		if (r)
			return r;
	}
	return 0;
}

/* Sending */

struct answer {
	char body[ANSWER_BYTES + 1];	/* its beginning, printable */
	size_t n;
};

static size_t take_answer(char *bytes, size_t size, size_t nr, void *ctx)
{
	struct answer *a = ctx;
	size_t i;

	for (i = 0; i < size * nr && a->n < ANSWER_BYTES; i++)
		a->body[a->n++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : ' ';
	return size * nr;
}

static int check_cancelled(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
			   curl_off_t ulnow)
{
	const struct ddp_exporter *e = ctx;

	(void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
	return atomic_load(&e->cancelled);
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

static int set_options(struct ddp_exporter *e, curl_mime *mime, struct answer *answer,
		       char *curl_error)
{
	CURL *c = e->curl;
	CURLcode r = CURLE_OK;

	r |= curl_easy_setopt(c, CURLOPT_URL, e->url);
	r |= only_http(c);
	r |= curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, e->socket_path);
	if (!e->through_proxy)
		r |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	r |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, e->headers);
	r |= curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
	r |= curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	r |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	r |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)e->timeout_ms);
	r |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, curl_error);
	r |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
	r |= curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	r |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	r |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, check_cancelled);
	r |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, e);
	return r == CURLE_OK ? 0 : -ENOMEM;
}

static int class_of_status(long status)
{
	if (status >= 200 && status < 300)
		return DDP_EXPORT_OK;
	if (status >= 500 || status == 408 || status == 429)
		return DDP_EXPORT_RETRY;
	return DDP_EXPORT_REFUSED;
}

/* Seconds, or a date, which curl counts from now; 0 where the answer has none */
static uint32_t retry_after_ms(CURL *curl)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &s) || s <= 0)
		return 0;
	return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

static int judge(const struct ddp_exporter *e, CURLcode code, const char *curl_error,
		 const struct answer *answer, struct ddp_export_result *ret)
{
	int class;

	if (code == CURLE_OUT_OF_MEMORY)
		return -ENOMEM;
	curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &ret->http_status);
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		snprintf(ret->message, sizeof(ret->message), "%s: cancelled", e->shown);
		return DDP_EXPORT_CANCELLED;
	}
	/* an answer counts even when the connection broke behind it */
	if (code != CURLE_OK && ret->http_status < 200) {
		ret->http_status = 0;
		snprintf(ret->message, sizeof(ret->message), "%s: %s", e->shown,
			 *curl_error ? curl_error : curl_easy_strerror(code));
		return DDP_EXPORT_RETRY;
	}
	class = class_of_status(ret->http_status);
	if (class == DDP_EXPORT_RETRY)
		ret->retry_after_ms = retry_after_ms(e->curl);
	if (class != DDP_EXPORT_OK)
		snprintf(ret->message, sizeof(ret->message), "%s answered %ld%s%s", e->shown,
			 ret->http_status, answer->n ? ": " : "", answer->body);
	return class;
}

static int perform(struct ddp_exporter *e, curl_mime *mime, struct ddp_export_result *ret)
{
	char curl_error[CURL_ERROR_SIZE] = "";
	struct answer answer = { .n = 0 };
	CURLcode code;
	int r = set_options(e, mime, &answer, curl_error);

	if (r)
		return r;
	/* curl asks for the first time only after it has connected */
	code = atomic_load(&e->cancelled) ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(e->curl);
	r = judge(e, code, curl_error, &answer, ret);
	curl_easy_reset(e->curl);	/* forget the pointers into this frame */
	return r;
}

int ddp_exporter_send(struct ddp_exporter *e, const struct ddp_export_form *form,
		      struct ddp_export_result *ret)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer event = { 0 };
	CLEANUP(ddp__free) struct reader *readers = NULL;
	CLEANUP(curl_mime_free) curl_mime *mime = NULL;
	struct ddp_export_result result = { 0 };
	int r;

	if ((r = check_form(form)) ||
	    (r = ddp_export_form_event(form, ddp_buffer_write, &event)))
		return r;
	readers = ddp__alloc((form->nr_files + 2) * sizeof(*readers));
	mime = curl_mime_init(e->curl);
	if (!readers || !mime)
		return -ENOMEM;
	r = add_parts(mime, form, &event, readers);
	if (!r)
		r = perform(e, mime, &result);
	if (r >= 0 && ret)
		*ret = result;
	return r;
}
