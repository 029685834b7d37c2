/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upload of finished profiles: to a Datadog agent or directly to the intake, to Grafana Pyroscope,
 * or to whatever takes OpenTelemetry's profiles.
 *
 *	struct ddp_exporter_config config = {
 *		.url = "http://localhost:8126", .origin = "ddprof", .origin_version = "0.1.0",
 *	};
 *	struct ddp_exporter *e;
 *	struct ddp_buffer tags = {0};
 *	struct ddp_error err;
 *
 *	r = ddp_exporter_create(&config, &e, &err);
 *	r = ddp_tags_add(&tags, "service", "shop");
 *	r = ddp_tags_parse(&tags, getenv("DD_TAGS"), &err);
 *	struct ddp_export_form form = {
 *		.start_unix_ns = start, .end_unix_ns = end, .tags = &tags,
 *		.profile = lz4.bytes, .profile_bytes = lz4.len,
 *	};
 *	struct ddp_export_result result;
 *
 *	r = ddp_exporter_send(e, &form, &result);
 *	if (r != DDP_EXPORT_OK)
 *		... result.message: "http://localhost:8126/profiling/v1/input answered 500" ...
 *
 * One send is one POST. The caller's bytes are only read, so that a send that failed can be
 * repeated with the same form. Redirects are not followed: a receiver that has moved is named in
 * the configuration. Certificates are checked. Of an answer at most 1 MiB is read.
 *
 * Threads: one exporter is one thread's; ddp_exporter_cancel() may be called by any thread and
 * from a signal handler while the exporter exists.
 */
#ifndef DDPROF_EXPORTER_H
#define DDPROF_EXPORTER_H

#include "io.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DDP_EXPORT_TIMEOUT_MS = 10000 };	/* a whole send, unless configured */

/** What the receiver takes, and where; a path of the URL comes before the one given here. */
enum ddp_export_format {
	/*
	 * Datadog's current form, multipart/form-data: event.json, the files, profile.pprof.
	 * /profiling/v1/input of an agent; with an API key /api/v2/profile of the intake
	 */
	DDP_EXPORT_DATADOG,
	/*
	 * The one before, as Go's profiler used it: fields, and gzip profiles as data[0] and on;
	 * files named *.pprof are further ones. The same path; with an API key /v1/input
	 */
	DDP_EXPORT_DATADOG_LEGACY,
	/*
	 * Grafana Pyroscope: /ingest?name=service{tag=value,...}&format=pprof, the body a gzip
	 * profile, whose value types have other names: "cpu-time" is "cpu", "cpu-samples" is
	 * "samples", others have '_' for '-'. Not as labels: profile_seq, which would make each
	 * upload a series
	 */
	DDP_EXPORT_PYROSCOPE,
	/*
	 * OpenTelemetry's profiles over OTLP/HTTP, as of opentelemetry-proto 1.10:
	 * /v1development/profiles, gzip protobuf, made of the profile while it is sent, which takes
	 * about 1.5 KB of memory a sample
	 */
	DDP_EXPORT_OTLP,
};

/** "datadog", "datadog-legacy", "pyroscope", "otlp". Static. */
const char *ddp_export_format_name(enum ddp_export_format format);

/** @return 0; -EINVAL: none of these */
int ddp_export_format_from_name(const char *name, enum ddp_export_format *ret);

/** A name with a text. */
struct ddp_export_pair {
	const char *key, *value;
};

/**
 * Copied by ddp_exporter_create(). NULL: not sent, unless a default is named. Keys, passwords,
 * tokens and the values of headers are in no message, even when the receiver repeats them
 * (of four characters and more).
 */
struct ddp_exporter_config {
	enum ddp_export_format format;
	/*
	 * http://host[:port], https://..., or unix:///path/of/socket. A path is put before the
	 * format's. No user name, query or fragment.
	 */
	const char *url;
	const char *api_key;		/* header dd-api-key; Datadog's, goes to the intake */
	const char *origin;		/* header DD-EVP-ORIGIN; default "ddprof" */
	const char *origin_version;	/* header DD-EVP-ORIGIN-VERSION; default ddp_version() */
	/*
	 * Headers datadog-container-id and -entity-id. Without container_id a form's tag of this
	 * name makes them, in Datadog's formats: an agent finds further tags by it
	 */
	const char *container_id, *entity_id;
	const char *external_env;	/* header datadog-external-env */
	const char *tenant;		/* header X-Scope-OrgID: whose data it is, for Pyroscope */
	const char *user, *password;	/* both: basic authentication */
	const char *bearer_token;	/* header Authorization: Bearer; not with user */
	const struct ddp_export_pair *headers;	/* further ones */
	size_t nr_headers;
	const char *ca_file;		/* PEM; trusted in place of the system's roots */
	const char *client_cert, *client_key;	/* PEM; the key may be in the certificate's file */
	uint32_t timeout_ms;		/* of a whole send; 0: DDP_EXPORT_TIMEOUT_MS */
};

struct ddp_exporter;

/**
 * The environment's proxy (https_proxy, no_proxy and so on, as libcurl reads them) is used by all
 * but those who send to a Datadog agent. Files of certificates are read at each send.
 * @return 0; -EINVAL: what of the configuration cannot be used, see @err; -ENOMEM
 */
int ddp_exporter_create(const struct ddp_exporter_config *config, struct ddp_exporter **ret,
			struct ddp_error *err);

/** NULL is allowed. */
void ddp_exporter_destroy(struct ddp_exporter *e);

/**
 * A further file of the upload; its part is named like it. Not "event" or "profile.pprof". Formats
 * that have no place for it leave it out, unless it is a further profile, named *.pprof: then they
 * refuse the form.
 */
struct ddp_export_file {
	const char *name;	/* of printable ASCII without quotes and backslashes */
	const void *bytes;
	size_t n;
};

/**
 * One upload. Everything is borrowed for the call. process_tags, info and endpoint_counts are of
 * the form DDP_EXPORT_DATADOG and left out by others.
 */
struct ddp_export_form {
	int64_t start_unix_ns, end_unix_ns;	/* the interval, ns since 1970 UTC, >= 0 */
	/*
	 * A UUID of this upload, the same each time it is tried: by it a receiver drops what
	 * reached it before and was only not answered. "profile_id" of event.json's "internal";
	 * of OTLP's profiles, where the last two bytes count the value types; header X-Request-Id
	 * of the other formats. NULL: none
	 */
	const char *id;
	const struct ddp_buffer *tags;		/* made by ddp_tags_*; NULL: none */
	const char *process_tags;		/* "k:v,k:v" or NULL */
	const struct ddp_export_pair *info;	/* the object "info": one string a pair */
	size_t nr_info;
	/* the object "endpoint_counts", as of ddp_profile_endpoint_count_at(); none: null */
	const struct ddp_endpoint_count *endpoint_counts;
	size_t nr_endpoint_counts;
	const struct ddp_export_file *files;	/* between event.json and the profile */
	size_t nr_files;
	const void *profile;			/* encoded, usually LZ4-compressed */
	size_t profile_bytes;
};

enum {
	DDP_EXPORT_OK = 0,	/* answered 2xx */
	/* no connection, timeout, 408, 429, 5xx, of OTLP only 429, 502 to 504: later it may work */
	DDP_EXPORT_RETRY = 1,
	/*
	 * any other answer, or the profile cannot be turned into the format, or OTLP's receiver
	 * rejected some of it: the same form will not succeed
	 */
	DDP_EXPORT_REFUSED = 2,
	DDP_EXPORT_CANCELLED = 3,
};

struct ddp_export_result {
	long http_status;	/* 0: there was no answer */
	/* the receiver asked to be left alone for so long (Retry-After, up to a day); 0: no */
	uint32_t retry_after_ms;
	/* one line: the address and what came of it; when OK "", or what the receiver warns of */
	char message[512];
};

/**
 * Sends and waits for the answer.
 * @param ret  may be NULL; written whenever the return value is not negative
 * @return DDP_EXPORT_*; -EINVAL: a form as described above, that the format takes, was not given;
 * -ENOMEM
 */
int ddp_exporter_send(struct ddp_exporter *e, const struct ddp_export_form *form,
		      struct ddp_export_result *ret);

/** The running send, and all later ones, return DDP_EXPORT_CANCELLED, within about a second. */
void ddp_exporter_cancel(struct ddp_exporter *e);

/**
 * Appends "key:value" to a tag list, with a comma before it when there are tags already. Commas
 * and white space in the value become '_'. An empty or NULL value adds nothing.
 * @return 0; -EINVAL: an empty key, or a key with a comma, a colon or white space; -ENOMEM
 */
int ddp_tags_add(struct ddp_buffer *tags, const char *key, const char *value);

/**
 * Appends tags as users write them: separated by commas or spaces.
 * @param text  NULL adds nothing
 * @return 0; -EINVAL: a tag begins or ends with a colon, see @err (may be NULL), nothing was
 * added; -ENOMEM
 */
int ddp_tags_parse(struct ddp_buffer *tags, const char *text, struct ddp_error *err);

/** Writes event.json of @form; pure. 0; -EINVAL: a time before 1970; what @write answered */
int ddp_export_form_event(const struct ddp_export_form *form, ddp_write_fn write, void *ctx);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_EXPORTER_H */
