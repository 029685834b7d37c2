// SPDX-License-Identifier: Apache-2.0
/*
 * collector/service, the pure part: what an environment, a control group and a /proc/PID/stat say,
 * and the rules for services. Tables of texts, as the kernel and the runtimes write them and as
 * somebody who wants to do harm would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/cgroup.h"
#include "service/environ.h"
#include "service/proc.h"
#include "service/rules.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER64 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define HEX32 "0123456789abcdef0123456789abcdef"
#define UUID "8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7de"
#define UUID_ "8ef80ba9_4a5f_4c34_9a5e_6b8f1ad3c7de"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50

/* As heap memory of exactly that size, so that a byte too far is seen */
static char *exactly(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void environments(void **state)
{
#define BLOCK(text) text, sizeof(text)	/* with the last NUL */
#define CUT(text) text, sizeof(text) - 1
	static const struct {
		const char *what, *block;
		size_t len;
		const char *service, *environment, *version;
	} rows[] = {
		{ "nothing", "", 0, "", "", "" },
		{ "one NUL", BLOCK(""), "", "", "" },
		{ "all of Datadog's", BLOCK("A=b\0DD_SERVICE=shop\0DD_ENV=prod\0DD_VERSION=1.2"),
		  "shop", "prod", "1.2" },
		{ "Datadog's before OpenTelemetry's",
		  BLOCK("OTEL_SERVICE_NAME=o\0OTEL_RESOURCE_ATTRIBUTES=service.version=9\0"
			"DD_SERVICE=shop\0DD_VERSION=1"), "shop", "", "1" },
		{ "OTEL_SERVICE_NAME before service.name",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=b"), "b", "",
		  "" },
		{ "resource attributes",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=cart,service.version=2,"
			"deployment.environment=test"), "cart", "test", "2" },
		{ "the newer name of the environment wins",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=deployment.environment=old,"
			"deployment.environment.name=new"), "", "new", "" },
		{ "spaces around keys and values",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES= service.name = cart , service.version = 2 "),
		  "cart", "", "2" },
		{ "percent-encoded",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=a%2Cb%3Dc%25,"
			"service.version=%C3%A4"),
		  "a,b=c%", "", "\xc3\xa4" },
		{ "percent without digits",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=100%,service.version=%4,"
			"deployment.environment=%zz%"), "100%", "%zz%", "%4" },
		{ "a NUL that was percent-encoded",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=a%00b"), "a_b", "", "" },
		{ "attributes that are none",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=,,=,service.name,service.version="), "", "",
		  "" },
		{ "an attribute's value with '='",
		  BLOCK("OTEL_RESOURCE_ATTRIBUTES=service.name=a=b"), "a=b", "", "" },
		{ "empty counts as not there", BLOCK("DD_SERVICE=\0OTEL_SERVICE_NAME=o"), "o", "",
		  "" },
		{ "only spaces count as not there", BLOCK("DD_SERVICE= \t\0OTEL_SERVICE_NAME=o"),
		  "o", "", "" },
		{ "of two the first", BLOCK("DD_SERVICE=a\0DD_SERVICE=b"), "a", "", "" },
		{ "a longer name is another", BLOCK("DD_SERVICES=a\0XDD_SERVICE=b\0DD_SERVIC=c"),
		  "", "", "" },
		{ "no equals sign", BLOCK("DD_SERVICE\0DD_ENV=e"), "", "e", "" },
		{ "the last one is cut off", CUT("DD_ENV=e\0DD_SERVICE=sho"), "", "e", "" },
		{ "NULs in front", BLOCK("\0\0\0DD_SERVICE=a"), "a", "", "" },
		{ "control characters", BLOCK("DD_SERVICE=a\x1b[31m\nb\x7f"), "a_[31m_b_", "", "" },
		{ "spaces around it", BLOCK("DD_SERVICE= \n my shop \t"), "my shop", "", "" },
		{ "no UTF-8", BLOCK("DD_SERVICE=a\xff\xc3(\xe2\x82"), "a__(__", "", "" },
		{ "the longest", BLOCK("DD_SERVICE=" X200), X200, "", "" },
		{ "too long", BLOCK("DD_SERVICE=" X200 "y"), X200, "", "" },
		{ "cut between characters", BLOCK("DD_SERVICE=" X50 X50 X50
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4"),
		  X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *block = exactly(rows[i].block, rows[i].len);
		struct ddp_environ e;

		ddp_environ_parse(block, rows[i].len, &e);
		if (strcmp(e.service, rows[i].service) ||
		    strcmp(e.environment, rows[i].environment) ||
		    strcmp(e.version, rows[i].version))
			fail_msg("%s: service \"%s\", env \"%s\", version \"%s\"", rows[i].what,
				 e.service, e.environment, e.version);
		free(block);
	}
#undef BLOCK
#undef CUT
}

static void control_groups(void **state)
{
	static const struct {
		const char *what, *text, *unit, *container, *pod;
	} rows[] = {
		{ "nothing", "", "", "", "" },
		{ "the root", "0::/\n", "", "", "" },
		{ "a unit, v2", "0::/system.slice/nginx.service\n", "nginx.service", "", "" },
		{ "a unit, v1",
		  "4:memory:/system.slice\n1:name=systemd:/system.slice/nginx.service\n",
		  "nginx.service", "", "" },
		{ "a unit's own groups", "0::/system.slice/nginx.service/workers/3\n",
		  "nginx.service", "", "" },
		{ "a unit of an instance",
		  "0::/system.slice/system-getty.slice/getty@tty1.service\n",
		  "getty@tty1.service", "", "" },
		{ "other controllers' groups are not units", "4:memory:/a.service\n0::/\n", "", "",
		  "" },
		{ "another named hierarchy",
		  "1:name=systemdx:/a.service\n1:name=x:/b.service\n", "",
		  "", "" },
		{ "a login", "0::/user.slice/user-1000.slice/session-3.scope\n", "", "", "" },
		{ "the manager of a login",
		  "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "", "", "" },
		{ "a user's unit",
		  "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n",
		  "shop.service", "", "" },
		{ "a name that cgroups have themselves", "0::/system.slice/_cpu.service\n",
		  "cpu.service", "", "" },
		{ "nothing but .service", "0::/system.slice/.service\n", "", "", "" },
		{ "Docker, cgroupfs, v1",
		  "11:memory:/docker/" HEX64 "\n1:name=systemd:/docker/" HEX64
		  "\n", "", HEX64, "" },
		{ "Docker, systemd, v2",
		  "0::/system.slice/docker-" HEX64 ".scope\n", "", HEX64, "" },
		{ "Docker, v1 with an empty v2 of its daemon",
		  "0::/system.slice/containerd.service\n11:memory:/docker/" HEX64 "\n", "", HEX64,
		  "" },
		{ "the same in the other order",
		  "11:memory:/docker/" HEX64 "\n0::/system.slice/containerd.service\n", "", HEX64,
		  "" },
		{ "below its daemon's unit",
		  "0::/system.slice/docker.service/docker/" HEX64 "\n", "",
		  HEX64, "" },
		{ "a unit inside of a container",
		  "0::/docker/" HEX64 "/system.slice/nginx.service\n", "nginx.service", HEX64, "" },
		{ "a container in a container", "0::/docker/" HEX64 "/docker/" OTHER64 "\n", "",
		  OTHER64, "" },
		{ "containerd, systemd",
		  "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UUID_
		  ".slice/cri-containerd-" HEX64 ".scope\n", "", HEX64, UUID },
		{ "containerd, guaranteed",
		  "0::/kubepods.slice/kubepods-pod" UUID_ ".slice/cri-containerd-" HEX64 ".scope\n",
		  "", HEX64, UUID },
		{ "containerd, cgroupfs", "1:name=systemd:/kubepods/besteffort/pod" UUID "/" HEX64
		  "\n", "", HEX64, UUID },
		{ "containerd, names of systemd's without systemd",
		  "0::/system.slice/containerd.service/kubepods-burstable-pod" UUID_
		  ".slice:cri-containerd:" HEX64 "\n", "", HEX64, UUID },
		{ "kubelet in a group of its own",
		  "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UUID_
		  ".slice/cri-containerd-" HEX64 ".scope\n", "", HEX64, UUID },
		{ "a static pod", "0::/kubepods/burstable/pod" HEX32 "/" HEX64 "\n", "", HEX64,
		  HEX32 },
		{ "CRI-O", "0::/kubepods.slice/kubepods-pod" UUID_ ".slice/crio-" HEX64 ".scope\n",
		  "", HEX64, UUID },
		{ "CRI-O, a group below", "0::/kubepods.slice/kubepods-pod" UUID_ ".slice/crio-"
		  HEX64 ".scope/container\n", "", HEX64, UUID },
		{ "CRI-O's monitor", "0::/kubepods.slice/kubepods-pod" UUID_
		  ".slice/crio-conmon-" HEX64 ".scope\n", "", "", UUID },
		{ "Podman", "0::/machine.slice/libpod-" HEX64 ".scope/container\n", "", HEX64, "" },
		{ "Podman's monitor", "0::/machine.slice/libpod-conmon-" HEX64 ".scope\n", "", "",
		  "" },
		{ "Podman of a user", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/"
		  "libpod-" HEX64 ".scope\n", "", HEX64, "" },
		{ "ECS on Fargate", "9:perf_event:/ecs/" HEX32 "/" HEX32 "-1234567890\n", "",
		  HEX32 "-1234567890", "" },
		{ "ECS, the number too long", "0::/ecs/" HEX32
		  "-12345678901234567890123456789012345\n", "", "", "" },
		{ "from within another namespace", "0::/../../kubepods/pod" UUID "/" HEX64 "\n", "",
		  HEX64, UUID },
		{ "removed already",
		  "0::/system.slice/docker-" HEX64 ".scope (deleted)\n", "", HEX64,
		  "" },
		{ "63 digits",
		  "0::/docker/123456789abcdef0123456789abcdef0123456789abcdef0123456789"
		  "abcdef\n", "", "", "" },
		{ "65 digits", "0::/docker/0" HEX64 "\n", "", "", "" },
		{ "no hex digits",
		  "0::/docker/g123456789abcdef0123456789abcdef0123456789abcdef012345"
		  "6789abcdef\n", "", "", "" },
		{ "a pod without Kubernetes", "0::/pod" UUID "\n", "", "", "" },
		{ "a pod's UUID with a digit too few",
		  "0::/kubepods/pod8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7d\n", "", "", "" },
		{ "no newline", "0::/system.slice/nginx.service", "nginx.service", "", "" },
		{ "one colon", "0:/system.slice/nginx.service\n", "", "", "" },
		{ "no colon", "nginx.service\n", "", "", "" },
		{ "nothing but colons", ":::\n::\n:\n", "", "", "" },
		{ "slashes and colons in the path", "0::////a::b:://x.service\n", "x.service", "",
		  "" },
		{ "a name longer than names are", "0::/" X200 X200 ".service\n", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = exactly(rows[i].text, strlen(rows[i].text));
		struct ddp_cgroup c;

		ddp_cgroup_parse(text, strlen(rows[i].text), &c);
		if (strcmp(c.unit, rows[i].unit) || strcmp(c.container_id, rows[i].container) ||
		    strcmp(c.pod_uid, rows[i].pod))
			fail_msg("%s: unit \"%s\", container \"%s\", pod \"%s\"", rows[i].what,
				 c.unit, c.container_id, c.pod_uid);
		free(text);
	}
}

static void unit_names(void **state)
{
	static const struct {
		const char *unit, *name;
	} rows[] = {
		{ "nginx.service", "nginx" },
		{ "postgresql@15-main.service", "postgresql@15-main" },
		{ "my\\x2dshop.service", "my-shop" },
		{ "a\\x2.service", "a\\x2" },
		{ "a\\xzz.service", "a\\xzz" },
		{ "a\\x2d", "a-" },
		{ "plain", "plain" },
	};
	char name[DDP_MAX_UNIT + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ddp_unit_name(rows[i].unit, name);
		assert_string_equal(name, rows[i].name);
	}
}

#define FIELDS(flags, start) " S 1 2 3 4 -1 " flags " 1 2 3 4 5 6 7 8 20 0 1 0 " start " 99 9\n"

static void stats(void **state)
{
	static const struct {
		const char *what, *text;
		int r;
		const char *name;
		bool kernel_thread;
		uint64_t start;
	} rows[] = {
		{ "a program", "12 (nginx)" FIELDS("4194304", "2357995"), 0, "nginx", false,
		  2357995 },
		{ "a kernel thread", "15 (kworker/0:1H)" FIELDS("69238880", "5"), 0,
		  "kworker/0:1H", true, 5 },
		{ "a name with parentheses", "12 (a) S (b) c)" FIELDS("0", "7"), 0, "a) S (b) c",
		  false, 7 },
		{ "no name", "12 ()" FIELDS("0", "7"), 0, "", false, 7 },
		{ "a kernel thread's longer name", "15 (kworker/u8:3-events_unbound)"
		  FIELDS("69238880", "5"), 0, "kworker/u8:3-ev", true, 5 },
		{ "cut off", "12 (nginx) S 1 2 3", 1, NULL, false, 0 },
		{ "no parentheses", "12 nginx S 1 2 3", 1, NULL, false, 0 },
		{ "parentheses the wrong way round", "12 )nginx(" FIELDS("0", "7"), 1, NULL, false,
		  0 },
		{ "nothing", "", 1, NULL, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = exactly(rows[i].text, strlen(rows[i].text));
		struct ddp_proc_stat s;
		int r = ddp_proc_parse_stat(text, strlen(rows[i].text), &s);

		if (r != rows[i].r ||
		    (!r && (strcmp(s.name, rows[i].name) || s.start_ticks != rows[i].start ||
			    s.kernel_thread != rows[i].kernel_thread)))
			fail_msg("%s: %d \"%s\" %d", rows[i].what, r, s.name, s.kernel_thread);
		free(text);
	}
}

/* Rules */

static void rules_in_order(void **state)
{
	static const struct {
		const char *what, *rules;
		struct ddp_service_subject subject;
		int action;
		const char *name;
	} rows[] = {
		{ "none", "", { "shop", "java", "", "", "" }, DDP_RULE_NONE, NULL },
		{ "none fits", "exclude service:cart", { "shop", "java", "", "", "" },
		  DDP_RULE_NONE, NULL },
		{ "by service", "exclude service:shop", { "shop", "java", "", "", "" },
		  DDP_RULE_EXCLUDE, NULL },
		{ "by process, with a glob", "exclude process:jav?", { "shop", "java", "", "", "" },
		  DDP_RULE_EXCLUDE, NULL },
		{ "by unit", "rename unit:nginx*.service = web",
		  { "nginx-1", "nginx", "nginx-1.service", "", "" }, DDP_RULE_RENAME, "web" },
		{ "by container", "rename container:0123* = c", { "x", "y", "", HEX64, "" },
		  DDP_RULE_RENAME, "c" },
		{ "by pod", "include pod:8ef80ba9-*", { "x", "y", "", HEX64, UUID },
		  DDP_RULE_INCLUDE, NULL },
		{ "all selectors have to fit", "exclude service:shop process:perl",
		  { "shop", "java", "", "", "" }, DDP_RULE_NONE, NULL },
		{ "both fit", "exclude service:shop process:java", { "shop", "java", "", "", "" },
		  DDP_RULE_EXCLUDE, NULL },
		{ "the first one decides", "include service:shop; exclude service:*",
		  { "shop", "java", "", "", "" }, DDP_RULE_INCLUDE, NULL },
		{ "the rest go", "include service:shop; exclude service:*",
		  { "cart", "java", "", "", "" }, DDP_RULE_EXCLUDE, NULL },
		{ "lines and empty ones", "\n ;;include service:a\n\n exclude process:java ;\n",
		  { "shop", "java", "", "", "" }, DDP_RULE_EXCLUDE, NULL },
		{ "a name with spaces", "rename service:shop =  the  shop ",
		  { "shop", "java", "", "", "" }, DDP_RULE_RENAME, "the  shop" },
		{ "a pattern that nothing has", "exclude unit:?*", { "shop", "java", "", "", "" },
		  DDP_RULE_NONE, NULL },
		{ "a bracket", "exclude service:[a-s]hop", { "shop", "java", "", "", "" },
		  DDP_RULE_EXCLUDE, NULL },
		{ "a colon in the pattern", "exclude process:kworker/0:1", { "k", "kworker/0:1", "",
		  "", "" }, DDP_RULE_EXCLUDE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(ddp_service_rules_free) struct ddp_service_rules *rules = NULL;
		struct ddp_error err = { "" };
		const char *name = NULL;

		if (ddp_service_rules_add(&rules, rows[i].rules, &err))
			fail_msg("%s: %s", rows[i].what, err.text);
		if (ddp_service_rules_apply(rules, &rows[i].subject, &name) != rows[i].action)
			fail_msg("%s", rows[i].what);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
	}
}

static void rules_that_are_none(void **state)
{
	static const struct {
		const char *rules, *said;
	} rows[] = {
		{ "drop service:a",
		  "service rule 1, at \"drop\": expected include, exclude or rename" },
		{ "exclude", "service rule 1, at its end: expected a selector" },
		{ "exclude service", "at \"service\": expected service:" },
		{ "exclude service:", "at \"service:\": a pattern is missing" },
		{ "exclude host:a", "at \"host:a\": expected service:" },
		{ "exclude service:a service:b", "at \"service:b\": a second selector" },
		{ "exclude service:a = b", "at \"=\": only rename has a name" },
		{ "rename service:a", "at its end: expected = and a name" },
		{ "rename service:a =", "at its end: a name is missing" },
		{ "rename service:a = \t", "at its end: a name is missing" },
		{ "rename = b", "at \"=\": expected a selector" },
		{ "include service:a\nexclude service:b; nonsense",
		  "service rule 3, at \"nonsense\"" },
		{ "exclude service:" X200 X200, "longer than 256" },
		{ "rename service:a = " X200 X200, "longer than 200" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ddp_service_rules *rules = NULL;
		struct ddp_error err = { "" };

		assert_int_equal(ddp_service_rules_add(&rules, rows[i].rules, &err), -EINVAL);
		if (!strstr(err.text, rows[i].said))
			fail_msg("%s: %s", rows[i].rules, err.text);
		assert_null(rules);
	}
}

/* What was there before a wrong one stays as it was */
static void a_wrong_rule_changes_nothing(void **state)
{
	CLEANUP(ddp_service_rules_free) struct ddp_service_rules *rules = NULL;
	const struct ddp_service_subject a = { "a", "", "", "", "" }, b = { "b", "", "", "", "" };
	char many[DDP_MAX_SERVICE_RULES * 20 + 1] = "";
	struct ddp_error err = { "" };
	const char *name;

	(void)state;
	assert_int_equal(ddp_service_rules_add(&rules, "exclude service:a", &err), 0);
	assert_int_equal(ddp_service_rules_add(&rules, "exclude service:b; wrong", &err), -EINVAL);
	assert_int_equal(ddp_service_rules_apply(rules, &a, &name), DDP_RULE_EXCLUDE);
	assert_int_equal(ddp_service_rules_apply(rules, &b, &name), DDP_RULE_NONE);
	for (int i = 0; i < DDP_MAX_SERVICE_RULES; i++)
		strcat(many, "exclude service:c\n");
	assert_int_equal(ddp_service_rules_add(&rules, many, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 256"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(environments),
		cmocka_unit_test(control_groups),
		cmocka_unit_test(unit_names),
		cmocka_unit_test(stats),
		cmocka_unit_test(rules_in_order),
		cmocka_unit_test(rules_that_are_none),
		cmocka_unit_test(a_wrong_rule_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
