// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what processes and configuration say about services. Input: the bytes of an
 * environment, of /proc/PID/cgroup and stat, and of rules, each read as all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cgroup.h"
#include "service/environ.h"
#include "service/proc.h"
#include "service/rules.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_is_clean(const char *name)
{
	size_t n = strlen(name);

	must(n <= DDP_MAX_NAME);
	for (size_t i = 0; i < n; i++)
		must((unsigned char)name[i] >= 0x20 && name[i] != 0x7f);
}

static void read_environ(const char *text, size_t size)
{
	struct ddp_environ e;

	ddp_environ_parse(text, size, &e);
	name_is_clean(e.service);
	name_is_clean(e.environment);
	name_is_clean(e.version);
}

static void read_cgroup(const char *text, size_t size)
{
	char name[DDP_MAX_UNIT + 1];
	struct ddp_cgroup c;
	size_t n;

	ddp_cgroup_parse(text, size, &c);
	n = strlen(c.container_id);
	must(!n || n == 64 || (n >= 34 && c.container_id[32] == '-'));
	must(strspn(c.container_id, "0123456789abcdef-") == n);
	n = strlen(c.pod_uid);
	must(!n || n == 32 || n == 36);
	must(strspn(c.pod_uid, "0123456789abcdef-") == n);
	ddp_unit_name(c.unit, name);
	must(strlen(name) <= strlen(c.unit));
}

static void read_stat(const char *text, size_t size)
{
	struct ddp_proc_stat s;

	if (ddp_proc_parse_stat(text, size, &s) == DDP_PROC_STAT_OK)
		must(strlen(s.name) < sizeof(s.name));
}

static void read_rules(const char *text)
{
	const struct ddp_service_subject subject = { "shop", "java", "tomcat.service", "0123", "" };
	CLEANUP(ddp_service_rules_free) struct ddp_service_rules *rules = NULL;
	struct ddp_error err = { "" };
	const char *name = NULL;
	int action;

	if (ddp_service_rules_add(&rules, text, &err)) {
		must(err.text[0] && !rules);
		return;
	}
	action = ddp_service_rules_apply(rules, &subject, &name);
	must((action == DDP_RULE_RENAME) == (name != NULL));
	if (name)
		name_is_clean(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1), *line = strndup((const char *)data, size);

	must(text && line);
	memcpy(text, data, size);
	read_environ(text, size);
	read_cgroup(text, size);
	read_stat(text, size);
	read_rules(line);
	free(text);
	free(line);
	return 0;
}
