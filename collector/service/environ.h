/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program's environment says about whom it belongs to: the variables of Datadog's unified
 * service tagging and those of OpenTelemetry. Pure: proc reads the bytes. They are whatever the
 * program made of them.
 *
 * Sources: proc_pid_environ(5); OpenTelemetry specification, "Environment Variable Specification"
 * and "Resource SDK" (OTEL_RESOURCE_ATTRIBUTES: key=value pairs separated by commas,
 * percent-encoded).
 */
#ifndef DDP_SERVICE_ENVIRON_H
#define DDP_SERVICE_ENVIRON_H

#include <stdbool.h>
#include <stddef.h>

/* bytes of a service, env or version, as Datadog's tags have them */
enum { DDP_MAX_NAME = 200 };

/** "" where nothing is said. */
struct ddp_environ {
	char service[DDP_MAX_NAME + 1];
	char environment[DDP_MAX_NAME + 1];
	char version[DDP_MAX_NAME + 1];
};

/**
 * Each of the three from the first of: DD_SERVICE, OTEL_SERVICE_NAME, service.name; DD_ENV,
 * deployment.environment.name, deployment.environment; DD_VERSION, service.version (names with a
 * dot are those of OTEL_RESOURCE_ATTRIBUTES). Of a variable that is there twice the first counts,
 * as for getenv(); one that is empty counts as not there.
 *
 * @param block  NAME=value, each with a NUL behind it; a last one without may be cut off and is
 *		 left out
 */
void ddp_environ_parse(const char *block, size_t len, struct ddp_environ *ret);

/**
 * Text of somebody else's as a name: cut to DDP_MAX_NAME bytes, without white space around it;
 * control characters, and bytes that are no UTF-8, become '_'.
 */
void ddp_name_clean(const char *text, size_t len, char ret[DDP_MAX_NAME + 1]);

#endif /* DDP_SERVICE_ENVIRON_H */
