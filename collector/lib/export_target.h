/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an exporter's configuration to where its requests go: address, headers, certificates, and
 * what of it must not be shown. Used by exporter.c.
 */
#ifndef DDPROF_LIB_EXPORT_TARGET_H
#define DDPROF_LIB_EXPORT_TARGET_H

#include "export_http.h"

/* What is the same for all requests of a format */
struct export_format {
	const char *name;
	const char *agent_path, *intake_path;	/* with an api_key the latter; NULL: takes none */
	const char *const *headers;		/* "Name: value", NULL-terminated */
	bool id_as_header;			/* the form itself has no place for it */
	bool container_as_header;		/* the tag container_id, too: agents read that */
	int (*make)(const struct ddp_export_form *form, struct export_request *q,
		    struct ddp_error *err);
	bool (*may_retry)(long status);
	int (*read_answer)(const void *bytes, size_t n, char *message, size_t size); /* or NULL */
};

/* All that is in no message */
typedef DDP_VEC(char *) export_secrets;

/*
 * Fills @t; @shown is how messages name the address. 0; -EINVAL: see @err; -ENOMEM. Free all of it
 * also after an error.
 */
DDP_INTERNAL int ddp__export_target_init(struct export_target *t,
					 const struct ddp_exporter_config *config,
					 const struct export_format *format, char **shown,
					 export_secrets *secrets, struct ddp_error *err);
DDP_INTERNAL void ddp__export_target_deinit(struct export_target *t);

DDP_INTERNAL void ddp__export_secrets_free(export_secrets *secrets);

/* Makes one line of printable ASCII of @text, with asterisks in place of every secret. */
DDP_INTERNAL void ddp__export_hide(const export_secrets *secrets, char *text);

#endif /* DDPROF_LIB_EXPORT_TARGET_H */
