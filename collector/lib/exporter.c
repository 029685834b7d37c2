// SPDX-License-Identifier: Apache-2.0
/*
 * An exporter: one target in one format. A send makes the form a request of the format, which is
 * pure, posts it (export_http.c), and says what the answer means. The table of formats is here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "export_target.h"
#include "export_uuid.h"

enum {
	ANSWER_SHOWN_BYTES = 200,	/* of the answer's body, in a message */
	CONTAINER_CHARS = 128,		/* longest id that becomes a header */
};

struct ddp_exporter {
	CURL *curl;
	const struct export_format *format;
	struct export_target target;
	char *shown;		/* how messages name the target */
	export_secrets secrets;
	bool has_container;	/* the target's headers say so */
	atomic_bool cancelled;
};

DEFINE_CLEANUP(struct ddp_exporter *, ddp_exporter_destroy)

/* Formats */

static bool is_busy(long status)
{
	return status >= 500 || status == 408 || status == 429;
}

/* OTLP: these and no others */
static bool is_busy_otlp(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static const char *const no_headers[] = { NULL };
static const char *const pyroscope_headers[] = { "Content-Type: " EXPORT_BINARY, NULL };
static const char *const otlp_headers[] = {
	"Content-Type: application/x-protobuf", "Content-Encoding: gzip", NULL,
};

static const struct export_format formats[] = {
	[DDP_EXPORT_DATADOG] = {
		.name = "datadog",
		.agent_path = "/profiling/v1/input", .intake_path = "/api/v2/profile",
		.headers = no_headers, .container_as_header = true,
		.make = ddp__export_datadog, .may_retry = is_busy,
	},
	[DDP_EXPORT_DATADOG_LEGACY] = {
		.name = "datadog-legacy",
		.agent_path = "/profiling/v1/input", .intake_path = "/v1/input",
		.headers = no_headers, .id_as_header = true, .container_as_header = true,
		.make = ddp__export_legacy, .may_retry = is_busy,
	},
	[DDP_EXPORT_PYROSCOPE] = {
		.name = "pyroscope",
		.agent_path = "/ingest",
		.headers = pyroscope_headers, .id_as_header = true,
		.make = ddp__export_pyroscope, .may_retry = is_busy,
	},
	[DDP_EXPORT_OTLP] = {
		.name = "otlp",
		.agent_path = "/v1development/profiles",
		.headers = otlp_headers,
		.make = ddp__export_otlp, .may_retry = is_busy_otlp,
		.read_answer = ddp__export_otlp_answer,
	},
};

enum { NR_FORMATS = sizeof(formats) / sizeof(*formats) };

const char *ddp_export_format_name(enum ddp_export_format format)
{
	return formats[format].name;
}

int ddp_export_format_from_name(const char *name, enum ddp_export_format *ret)
{
	unsigned int i;

	for (i = 0; i < NR_FORMATS; i++) {
		if (!strcmp(name, formats[i].name)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Life */

static int init(struct ddp_exporter *e, const struct ddp_exporter_config *config,
		struct ddp_error *err)
{
	if ((unsigned int)config->format >= NR_FORMATS)
		return ddp__fail(err, -EINVAL, "there is no format %u", config->format);
	e->format = &formats[config->format];
	e->has_container = config->container_id || config->entity_id;
	atomic_init(&e->cancelled, false);
	e->curl = curl_easy_init();
	if (!e->curl)
		return -ENOMEM;
	return ddp__export_target_init(&e->target, config, e->format, &e->shown, &e->secrets,
				       err);
}

int ddp_exporter_create(const struct ddp_exporter_config *config, struct ddp_exporter **ret,
			struct ddp_error *err)
{
	CLEANUP(ddp_exporter_destroy) struct ddp_exporter *e = ddp__alloc(sizeof(*e));
	int r = e ? init(e, config, err) : -ENOMEM;

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
	ddp__export_target_deinit(&e->target);
	ddp__export_secrets_free(&e->secrets);
	ddp__free(e->shown);
	ddp__free(e);
}

void ddp_exporter_cancel(struct ddp_exporter *e)
{
	atomic_store(&e->cancelled, true);
}

/* The form */

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

static int check_form(const struct ddp_export_form *form)
{
	unsigned char id[UUID_BYTES];
	size_t i;
	int r;

	if (!form->profile || !form->profile_bytes ||
	    (form->id && !ddp__uuid_parse(form->id, id)))
		return -EINVAL;
	for (i = 0; i < form->nr_files; i++) {
		r = check_file(&form->files[i]);
		if (r)
			return r;
	}
	return 0;
}

/* Sending */

/* One line: the address, what came of it, and what the receiver said */
static void say(const struct ddp_exporter *e, struct ddp_export_result *ret, const char *what,
		const char *body, size_t n)
{
	if (n > ANSWER_SHOWN_BYTES)
		n = ANSWER_SHOWN_BYTES;
	snprintf(ret->message, sizeof(ret->message), "%s%s%s%.*s", e->shown, what,
		 n ? ": " : "", (int)n, body ?: "");
	ddp__export_hide(&e->secrets, ret->message);
}

static int judge_taken(const struct ddp_exporter *e, const struct export_answer *a,
		       struct ddp_export_result *ret)
{
	char said[ANSWER_SHOWN_BYTES + 1] = "";
	int class = DDP_EXPORT_OK;

	if (e->format->read_answer)
		class = e->format->read_answer(a->body, a->kept, said, sizeof(said));
	if (*said)
		say(e, ret, "", said, strlen(said));
	return class;
}

static int judge(const struct ddp_exporter *e, const struct export_answer *a,
		 struct ddp_export_result *ret)
{
	char status[32];

	ret->http_status = a->status;
	if (a->code == CURLE_ABORTED_BY_CALLBACK) {
		say(e, ret, ": cancelled", NULL, 0);
		return DDP_EXPORT_CANCELLED;
	}
	/* an answer counts even when the connection broke behind it */
	if (a->code != CURLE_OK && a->status < 200) {
		const char *why = *a->error ? a->error : curl_easy_strerror(a->code);

		ret->http_status = 0;
		say(e, ret, "", why, strlen(why));
		return DDP_EXPORT_RETRY;
	}
	if (a->status >= 200 && a->status < 300)
		return judge_taken(e, a, ret);
	snprintf(status, sizeof(status), " answered %ld", a->status);
	say(e, ret, status, a->body, a->kept);
	if (!e->format->may_retry(a->status))
		return DDP_EXPORT_REFUSED;
	ret->retry_after_ms = a->retry_after_ms;
	return DDP_EXPORT_RETRY;
}

static bool is_id_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '_';
}

/* Bytes of @text, up to a comma, when it is an id that a header can have; else 0 */
static size_t id_bytes(const char *text, const char *end)
{
	const char *at = text;

	while (at < end && is_id_char(*at))
		at++;
	if ((at < end && *at != ',') || at - text > CONTAINER_CHARS)
		return 0;
	return at - text;
}

/* The value of the tag container_id. @return its bytes; 0: there is none */
static size_t container_of(const struct ddp_buffer *tags, const char **ret)
{
	static const char key[] = "container_id:";
	const size_t key_bytes = sizeof(key) - 1;
	const char *at = tags ? (const char *)tags->bytes : NULL, *end = at ? at + tags->len : at;

	while (at && (size_t)(end - at) > key_bytes) {
		if (!memcmp(at, key, key_bytes)) {
			*ret = at + key_bytes;
			return id_bytes(*ret, end);
		}
		at = memchr(at, ',', end - at);
		at = at ? at + 1 : NULL;
	}
	return 0;
}

/* Lines of one request in front of those of all */
struct own_headers {
	char id[sizeof("X-Request-Id: ") + UUID_CHARS];
	char container[sizeof("datadog-container-id: ") + CONTAINER_CHARS];
	char entity[sizeof("datadog-entity-id: ci-") + CONTAINER_CHARS];
	struct curl_slist items[3];
	unsigned int nr;
};

static void put_in_front(struct own_headers *h, char *line, struct export_target *t)
{
	h->items[h->nr] = (struct curl_slist){ line, t->headers };
	t->headers = &h->items[h->nr++];
}

static void add_own_headers(const struct ddp_exporter *e, const struct ddp_export_form *form,
			    struct own_headers *h, struct export_target *t)
{
	const char *container;
	int n = e->format->container_as_header && !e->has_container ?
		(int)container_of(form->tags, &container) : 0;

	if (form->id && e->format->id_as_header) {
		snprintf(h->id, sizeof(h->id), "X-Request-Id: %s", form->id);
		put_in_front(h, h->id, t);
	}
	if (!n)
		return;
	snprintf(h->container, sizeof(h->container), "datadog-container-id: %.*s", n, container);
	put_in_front(h, h->container, t);
	snprintf(h->entity, sizeof(h->entity), "datadog-entity-id: ci-%.*s", n, container);
	put_in_front(h, h->entity, t);
}

static int post(struct ddp_exporter *e, const struct ddp_export_form *form,
		const struct export_request *q, struct ddp_export_result *ret)
{
	CLEANUP(ddp__free) struct export_answer *answer = ddp__alloc(sizeof(*answer));
	struct export_target target = e->target;
	struct own_headers own = { .nr = 0 };
	int r;

	if (!answer)
		return -ENOMEM;
	add_own_headers(e, form, &own, &target);
	r = ddp__export_post(e->curl, &target, q, &e->cancelled, answer);
	return r ? r : judge(e, answer, ret);
}

/* What cannot be made a request will not be one next time either */
static int refuse(const struct ddp_exporter *e, int r, const struct ddp_error *err,
		  struct ddp_export_result *ret)
{
	if (r != -EBADMSG && r != -EFBIG && r != -ENODATA && r != -ENOTSUP)
		return r;
	say(e, ret, "", err->text, strlen(err->text));
	return DDP_EXPORT_REFUSED;
}

int ddp_exporter_send(struct ddp_exporter *e, const struct ddp_export_form *form,
		      struct ddp_export_result *ret)
{
	CLEANUP(ddp__export_request_free) struct export_request q = { .owned = NULL };
	struct ddp_export_result result = { 0 };
	struct ddp_error err = { "" };
	int r = check_form(form);

	if (r)
		return r;
	r = e->format->make(form, &q, &err);
	r = r ? refuse(e, r, &err, &result) : post(e, form, &q, &result);
	if (r >= 0 && ret)
		*ret = result;
	return r;
}
