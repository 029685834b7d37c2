// SPDX-License-Identifier: Apache-2.0
/*
 * See export_target.h. Whatever a configuration brings is checked here, once: a value with a line
 * break in it would be a header of its own.
 *
 * Sources: RFC 7617 (basic authentication), RFC 9110 (field names), RFC 4648 (base64).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "export_target.h"

enum {
	URL_BYTES_MAX = 2048,
	HEADER_BYTES_MAX = 4096,
	CREDENTIAL_BYTES_MAX = 1024,
	SECRET_BYTES_MIN = 4,	/* hiding less than this would hide half of a message */
};

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

/* Secrets */

static int keep_secret(export_secrets *secrets, const char *secret)
{
	struct ddp__budget unlimited = { 0 };
	char *copy;

	if (strlen(secret) < SECRET_BYTES_MIN)
		return 0;
	copy = format_text(secret, "", "");
	if (!copy || VEC_RESERVE(&unlimited, secrets, 1)) {
		ddp__free(copy);
		return -ENOMEM;
	}
	secrets->at[secrets->nr++] = copy;
	return 0;
}

void ddp__export_secrets_free(export_secrets *secrets)
{
	uint32_t i;

	for (i = 0; i < secrets->nr; i++) {
		explicit_bzero(secrets->at[i], strlen(secrets->at[i]));
		ddp__free(secrets->at[i]);
	}
	VEC_FREE(secrets);
}

/* The text was cut, perhaps within the secret: what is left of that at its end */
static void hide_beginning(const char *secret, char *text)
{
	size_t have = strlen(text), n = strlen(secret);

	for (n = n < have ? n : have; n >= SECRET_BYTES_MIN; n--) {
		char *at = text + have - n;

		if (!memcmp(at, secret, n)) {
			memset(at, '*', n);
			return;
		}
	}
}

void ddp__export_hide(const export_secrets *secrets, char *text)
{
	uint32_t i;
	char *at;

	for (i = 0; i < secrets->nr; i++) {
		for (at = text; (at = strstr(at, secrets->at[i]));)
			memset(at, '*', strlen(secrets->at[i]));
		hide_beginning(secrets->at[i], text);
	}
	for (at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
			*at = ' ';
}

/* Headers */

static int append_line(struct export_target *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);

	if (!longer)
		return -ENOMEM;
	t->headers = longer;
	return 0;
}

static int add_header(struct export_target *t, const char *name, const char *value,
		      struct ddp_error *err)
{
	char line[HEADER_BYTES_MAX];
	int n, r;

	if (!value)
		return 0;
	if (has_control(value))
		return ddp__fail(err, -EINVAL, "header %s has control characters", name);
	/* curl leaves out a header that has nothing after the colon; "Name;" sends it empty */
	n = snprintf(line, sizeof(line), *value ? "%s: %s" : "%s;", name, value);
	if (n < 0 || (size_t)n >= sizeof(line))
		return ddp__fail(err, -EINVAL, "header %s is too long", name);
	r = append_line(t, line);
	explicit_bzero(line, sizeof(line));
	return r;
}

static int add_secret_header(struct export_target *t, const char *name, const char *value,
			     export_secrets *secrets, struct ddp_error *err)
{
	int r = value ? keep_secret(secrets, value) : 0;

	return r ? r : add_header(t, name, value, err);
}

static int add_origin(struct export_target *t, const struct ddp_exporter_config *c,
		      struct ddp_error *err)
{
	const char *origin = c->origin ? c->origin : "ddprof";
	const char *version = c->origin_version ? c->origin_version : ddp_version();
	CLEANUP(ddp__free) char *agent = format_text(origin, "/", version);
	int r;

	if (!agent)
		return -ENOMEM;
	if ((r = add_header(t, "DD-EVP-ORIGIN", origin, err)) ||
	    (r = add_header(t, "DD-EVP-ORIGIN-VERSION", version, err)))
		return r;
	return add_header(t, "User-Agent", agent, err);
}

/* @to has room for 4 / 3 of @n bytes, and 5 more */
static void encode_base64(const char *from, size_t n, char *to)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t v = (unsigned char)from[i] << 16;

		v |= i + 1 < n ? (unsigned char)from[i + 1] << 8 : 0;
		v |= i + 2 < n ? (unsigned char)from[i + 2] : 0;
		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*to = '\0';
}

static int add_basic(struct export_target *t, const char *user, const char *password,
		     export_secrets *secrets, struct ddp_error *err)
{
	char base64[CREDENTIAL_BYTES_MAX * 4 / 3 + 8];
	CLEANUP(ddp__free) char *pair = format_text(user, ":", password);
	CLEANUP(ddp__free) char *value = NULL;
	int r;

	if (!pair)
		return -ENOMEM;
	if (strchr(user, ':') || has_control(pair) || strlen(pair) > CREDENTIAL_BYTES_MAX)
		return ddp__fail(err, -EINVAL,
				 "user and password have at most %d characters, none of them a "
				 "control character, and the user no colon", CREDENTIAL_BYTES_MAX);
	encode_base64(pair, strlen(pair), base64);
	value = format_text("Basic ", base64, "");
	if (!value)
		return -ENOMEM;
	if ((r = keep_secret(secrets, password)) || (r = keep_secret(secrets, base64)))
		return r;
	return add_header(t, "Authorization", value, err);
}

static int add_authorization(struct export_target *t, const struct ddp_exporter_config *c,
			     export_secrets *secrets, struct ddp_error *err)
{
	CLEANUP(ddp__free) char *value = NULL;
	int r;

	if (c->user && c->bearer_token)
		return ddp__fail(err, -EINVAL,
				 "either user and password or a bearer token, not both");
	if (!c->user != !c->password)
		return ddp__fail(err, -EINVAL, "user and password are given together");
	if (c->user)
		return add_basic(t, c->user, c->password, secrets, err);
	if (!c->bearer_token)
		return 0;
	value = format_text("Bearer ", c->bearer_token, "");
	if (!value)
		return -ENOMEM;
	r = keep_secret(secrets, c->bearer_token);
	return r ? r : add_header(t, "Authorization", value, err);
}

/* Those that say where a request ends, or that are ours */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {
		"Host", "Content-Length", "Content-Type", "Content-Encoding", "Connection",
		"Transfer-Encoding", "Expect", "Authorization",
	};
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
		if (!strcasecmp(name, reserved[i]))
			return true;
	return false;
}

/* Users' own: some receivers want keys in them, so their values are secrets */
static int add_more(struct export_target *t, const struct ddp_exporter_config *c,
		    export_secrets *secrets, struct ddp_error *err)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t i;
	int r = 0;

	for (i = 0; !r && i < c->nr_headers; i++) {
		const char *name = c->headers[i].key;

		if (!*name || name[strspn(name, token)])
			return ddp__fail(err, -EINVAL, "'%.60s' is not a header's name", name);
		if (is_reserved(name))
			return ddp__fail(err, -EINVAL, "header %s cannot be given", name);
		r = add_secret_header(t, name, c->headers[i].value, secrets, err);
	}
	return r;
}

static int add_headers(struct export_target *t, const struct ddp_exporter_config *c,
		       const struct export_format *format, export_secrets *secrets,
		       struct ddp_error *err)
{
	const char *const *line;
	int r;

	if ((r = add_origin(t, c, err)) ||
	    (r = add_header(t, "Connection", "close", err)) ||
	    (r = add_secret_header(t, "dd-api-key", c->api_key, secrets, err)) ||
	    (r = add_header(t, "datadog-container-id", c->container_id, err)) ||
	    (r = add_header(t, "datadog-entity-id", c->entity_id, err)) ||
	    (r = add_header(t, "datadog-external-env", c->external_env, err)) ||
	    (r = add_header(t, "X-Scope-OrgID", c->tenant, err)) ||
	    (r = add_authorization(t, c, secrets, err)) ||
	    (r = add_more(t, c, secrets, err)))
		return r;
	for (line = format->headers; !r && *line; line++)
		r = append_line(t, *line);
	/* no 100-continue round trip: agents do not answer it, and curl would wait a second */
	return r ? r : append_line(t, "Expect:");
}

/* Address */

static int set_socket(struct export_target *t, const char *socket_path, const char *path,
		      char **shown, struct ddp_error *err)
{
	if (socket_path[0] != '/')
		return ddp__fail(err, -EINVAL, "unix:// needs an absolute path: unix:///run/...");
	t->socket_path = format_text(socket_path, "", "");
	t->url = format_text("http://localhost", path, "");
	*shown = format_text("unix://", socket_path, path);
	return t->socket_path && t->url && *shown ? 0 : -ENOMEM;
}

static int set_http(struct export_target *t, const char *url, const char *path, char **shown,
		    struct ddp_error *err)
{
	size_t n = strlen(url);

	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return ddp__fail(err, -EINVAL,
				 "'%s' is not http://host:port, https://... or unix:///path", url);
	if (!url[strcspn(url, ":") + 3] || strpbrk(url, "?#"))
		return ddp__fail(err, -EINVAL, "'%s' is not the address of a receiver", url);
	CLEANUP(ddp__free) char *base = format_text(url, "", "");
	if (!base)
		return -ENOMEM;
	while (n && base[n - 1] == '/')
		base[--n] = '\0';
	t->url = format_text(base, path, "");
	*shown = format_text(base, path, "");
	return t->url && *shown ? 0 : -ENOMEM;
}

static int set_address(struct export_target *t, const struct ddp_exporter_config *c,
		       const struct export_format *format, char **shown, struct ddp_error *err)
{
	const char *path = c->api_key ? format->intake_path : format->agent_path;
	const char *url = c->url ? c->url : "";

	if (!path)
		return ddp__fail(err, -EINVAL,
				 "an API key is Datadog's; format %s takes user and password, a "
				 "bearer token, a tenant or headers", format->name);
	/* not shown: what is before the @ may be a password */
	if (strchr(url, '@'))
		return ddp__fail(err, -EINVAL,
				 "no user name or password in the URL, messages show it; give user "
				 "and password by themselves");
	if (strlen(url) > URL_BYTES_MAX || has_control(url) || strchr(url, ' '))
		return ddp__fail(err, -EINVAL, "the URL is too long or has control characters");
	if (!strncmp(url, "unix://", 7))
		return set_socket(t, url + 7, path, shown, err);
	/* an agent is near; what is behind a proxy is the intake, or somebody else's receiver */
	t->through_proxy = c->api_key || !format->intake_path;
	return set_http(t, url, path, shown, err);
}

/* Certificates */

static int set_file(const char *what, const char *path, char **ret, struct ddp_error *err)
{
	CLEANUP(close_fd) int fd = -1;

	if (!path)
		return 0;
	/* access() does not count capabilities, by which a service may read what is root's */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return ddp__fail(err, -EINVAL, "the %s %s cannot be read: %s", what, path,
				 strerror(errno));
	*ret = format_text(path, "", "");
	return *ret ? 0 : -ENOMEM;
}

static int set_certificates(struct export_target *t, const struct ddp_exporter_config *c,
			    struct ddp_error *err)
{
	int r;

	if (!c->client_cert && c->client_key)
		return ddp__fail(err, -EINVAL, "a client's key needs its certificate as well");
	if ((r = set_file("CA file", c->ca_file, &t->ca_file, err)) ||
	    (r = set_file("client certificate", c->client_cert, &t->client_cert, err)))
		return r;
	return set_file("client key", c->client_key, &t->client_key, err);
}

int ddp__export_target_init(struct export_target *t, const struct ddp_exporter_config *config,
			    const struct export_format *format, char **shown,
			    export_secrets *secrets, struct ddp_error *err)
{
	int r;

	t->timeout_ms = config->timeout_ms ? config->timeout_ms : DDP_EXPORT_TIMEOUT_MS;
	if ((r = set_address(t, config, format, shown, err)) ||
	    (r = set_certificates(t, config, err)))
		return r;
	return add_headers(t, config, format, secrets, err);
}

void ddp__export_target_deinit(struct export_target *t)
{
	struct curl_slist *line;

	for (line = t->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(t->headers);
	ddp__free(t->url);
	ddp__free(t->socket_path);
	ddp__free(t->ca_file);
	ddp__free(t->client_cert);
	ddp__free(t->client_key);
}
