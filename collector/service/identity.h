/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process is, beside its name: the service it says it belongs to, its unit, container and
 * pod. Equal ones are one object with references, because a container's thousand processes have one
 * identity. Used by services.
 */
#ifndef DDP_SERVICE_IDENTITY_H
#define DDP_SERVICE_IDENTITY_H

#include "base/table.h"
#include "service/proc.h"

/* A fact in one place: what gives a process its service, in order of precedence */
#define DDP_IDENTITY_SOURCES(X)						\
	X(ENVIRONMENT, "environment")	/* DD_SERVICE, OTEL_* */	\
	X(UNIT, "unit")			/* of systemd */		\
	X(CONTAINER, "container")					\
	X(KERNEL, "kernel")		/* a kernel thread */		\
	X(NAME, "name")			/* nothing else is known */

enum ddp_identity_source {
#define DDP_IDENTITY_ENUM(name, text) DDP_IDENTITY_##name,
	DDP_IDENTITY_SOURCES(DDP_IDENTITY_ENUM)
#undef DDP_IDENTITY_ENUM
	DDP_NR_IDENTITY_SOURCES,
};

/** Strings are "" where there is nothing. */
struct ddp_identity {
	enum ddp_identity_source source;
	const char *service;	/* "": the process's name */
	const char *environment, *version;
	const char *unit, *container_id, *pod_uid;
	/* identities' own */
	uint32_t refs;
	uint64_t hash;
	struct ddp_identity *next_same;
	size_t text_bytes;
	char text[];
};

struct ddp_identities {
	struct ddp_table by_hash;	/* hash -> list of struct ddp_identity, owned by refs */
	size_t bytes;
};

/** The identity of these facts, with one reference more. @return 0, -ENOMEM */
int ddp_identity_get(struct ddp_identities *all, const struct ddp_proc_facts *facts,
		     struct ddp_identity **ret);

/** NULL is allowed. */
void ddp_identity_put(struct ddp_identities *all, struct ddp_identity *i);

/** After the last reference. */
void ddp_identities_free(struct ddp_identities *all);

/** "environment", "unit", ...; static. */
const char *ddp_identity_source_name(enum ddp_identity_source source);

#endif /* DDP_SERVICE_IDENTITY_H */
