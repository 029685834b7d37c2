/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a form becomes in one of the formats: the end of the address, and either the parts of a
 * multipart body or one body. Made by the format's function (export_datadog.c, ..._pyroscope.c,
 * ..._otlp.c), which is pure; sent by export_http.c, which knows no format. exporter.c has the
 * table of formats.
 */
#ifndef DDPROF_LIB_EXPORT_REQUEST_H
#define DDPROF_LIB_EXPORT_REQUEST_H

#include <stdbool.h>
#include <string.h>

#include "alloc.h"
#include "cleanup.h"
#include "ddprof/exporter.h"
#include "error.h"

#define EXPORT_EVENT_PART	"event"
#define EXPORT_EVENT_FILE	"event.json"
#define EXPORT_PROFILE_NAME	"profile.pprof"
#define EXPORT_BINARY		"application/octet-stream"

/* A part of a multipart body; all is borrowed from the form or owned by the request. */
struct export_part {
	const char *name;
	const char *file;	/* NULL: a field, not a file */
	const char *type;	/* NULL: not said */
	const void *bytes;
	size_t n;
};

struct export_block;

/* All zero is an empty one. */
struct export_request {
	struct ddp_buffer query;	/* "?a=b", NUL-terminated, or empty */
	DDP_VEC(struct export_part) parts;
	struct ddp_buffer body;		/* where there are no parts */
	struct export_block *owned;	/* what parts borrow */
};

DDP_INTERNAL void ddp__export_request_free(struct export_request *q);

DEFINE_CLEANUP_IN_PLACE(struct export_request, ddp__export_request_free)

/* A buffer that lives as long as the request; NULL: out of memory. */
DDP_INTERNAL struct ddp_buffer *ddp__export_buffer(struct export_request *q);

/* Adds a part: 0 or -ENOMEM. */
DDP_INTERNAL int ddp__export_part(struct export_request *q, struct export_part part);

/* Fields without a file, of text: 0 or -ENOMEM. @text is borrowed. */
DDP_INTERNAL int ddp__export_field(struct export_request *q, const char *name, const char *text);

/*
 * Of each format: @form as a request. 0, or -EINVAL, -ENOMEM; -EBADMSG, -EFBIG: the profile can't
 * be read, see @err.
 */
DDP_INTERNAL int ddp__export_datadog(const struct ddp_export_form *form, struct export_request *q,
				     struct ddp_error *err);
DDP_INTERNAL int ddp__export_legacy(const struct ddp_export_form *form, struct export_request *q,
				    struct ddp_error *err);
DDP_INTERNAL int ddp__export_pyroscope(const struct ddp_export_form *form,
				       struct export_request *q, struct ddp_error *err);
DDP_INTERNAL int ddp__export_otlp(const struct ddp_export_form *form, struct export_request *q,
				  struct ddp_error *err);

/*
 * The answer to an OTLP request that was taken: DDP_EXPORT_OK, with what the receiver warns of, or
 * DDP_EXPORT_REFUSED, with what it rejected. What is no such answer is OK.
 */
DDP_INTERNAL int ddp__export_otlp_answer(const void *bytes, size_t n, char *message, size_t size);

/* Is @f a further profile, and not some other file? Its name ends with ".pprof". */
DDP_INTERNAL bool ddp__export_is_profile(const struct ddp_export_file *f);

/* -EINVAL when there is a further profile, for formats that take one a request. */
DDP_INTERNAL int ddp__export_one_profile(const struct ddp_export_form *form, const char *format,
					 struct ddp_error *err);

/* Appends @bytes, a profile in any compression, as gzip: what most receivers take. */
DDP_INTERNAL int ddp__export_gzip(const void *bytes, size_t n, struct ddp_buffer *to,
				  struct ddp_error *err);

/* A tag of a list; a tag without a colon has an empty value. */
struct export_tag {
	const char *key, *value;	/* not NUL-terminated */
	size_t key_n, value_n;
};

/* The tags of a list one after the other; *at starts at 0. False: no more. */
DDP_INTERNAL bool ddp__export_next_tag(const struct ddp_buffer *tags, size_t *at,
				       struct export_tag *ret);

/* The first tag of that key; false: there is none. */
DDP_INTERNAL bool ddp__export_find_tag(const struct ddp_buffer *tags, const char *key,
				       struct export_tag *ret);

/* Is @t the first tag of its key? A later one is somebody's who did not know of the first. */
DDP_INTERNAL bool ddp__export_first_of_key(const struct ddp_buffer *tags,
					   const struct export_tag *t);

static inline bool export_tag_is(const struct export_tag *t, const char *key)
{
	return strlen(key) == t->key_n && !memcmp(key, t->key, t->key_n);
}

#endif /* DDPROF_LIB_EXPORT_REQUEST_H */
