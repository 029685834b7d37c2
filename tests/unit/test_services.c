// SPDX-License-Identifier: Apache-2.0
/*
 * collector/service/services and core/split: processes of a made-up /proc get their services, and
 * an interval's samples are sorted by them, none lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those it needs */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "core/split.h"
#include "service/services_internal.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER64 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UUID "8ef80ba9-4a5f-4c34-9a5e-6b8f1ad3c7de"

#define MS 1000000ULL
enum { SESSION_MS = 10000 };	/* so long ago the session began */

struct world {
	char root[64];
	struct ddp_services services;
	struct ddp_samples samples;
	uint64_t monotonic_ns;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void write_file(const char *folder, const char *name, const char *text, size_t n)
{
	char path[128];
	CLEANUP(close_fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
}

/* A process as /proc shows it. @start_ms: after the session's start; before it when negative */
struct process {
	uint32_t pid;
	const char *name, *environment;	/* of environment '|' stands for NUL; NULL: no file */
	const char *cgroup;
	bool kernel;
	int start_ms;
};

static void add_process(struct world *w, const struct process *p)
{
	uint64_t boot_ns = w->monotonic_ns + now_ns(CLOCK_BOOTTIME) - now_ns(CLOCK_MONOTONIC);
	int64_t start_ns = (int64_t)boot_ns + p->start_ms * (int64_t)MS;
	char folder[96], text[512];
	int n;

	snprintf(folder, sizeof(folder), "%s/%u", w->root, p->pid);
	mkdir(folder, 0755);
	n = snprintf(text, sizeof(text),
		     "%u (%s) S 1 1 1 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0\n", p->pid, p->name,
		     p->kernel ? 0x200000U : 0,
		     (unsigned long long)start_ns / (1000000000U / sysconf(_SC_CLK_TCK)));
	write_file(folder, "stat", text, (size_t)n);
	if (p->environment) {
		n = snprintf(text, sizeof(text), "%s%s", p->environment,
			     p->environment[0] ? "|" : "");
		for (char *c = text; *c; c++)
			*c = *c == '|' ? '\0' : *c;
		write_file(folder, "environ", text, (size_t)n);
	}
	n = snprintf(text, sizeof(text), "%s\n", p->cgroup ? p->cgroup : "0::/");
	write_file(folder, "cgroup", text, (size_t)n);
}

static void remove_process(struct world *w, uint32_t pid)
{
	static const char *const names[] = { "stat", "environ", "cgroup", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", w->root, pid, names[i]);
		remove(path);
	}
}

static void begin(struct world *w, const struct ddp_services_config *config)
{
	struct ddp_services_config c = *config;

	c.proc = w->root;
	assert_int_equal(ddp_services_init(&w->services, &c, NULL), 0);
	assert_int_equal(ddp_services_started(&w->services, w->monotonic_ns, 0), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	ddp_log_setup("test", DDP_LOG_ERROR);
	snprintf(w->root, sizeof(w->root), "/tmp/test_services.XXXXXX");
	assert_non_null(mkdtemp(w->root));
	w->monotonic_ns = now_ns(CLOCK_MONOTONIC) - SESSION_MS * MS;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (uint32_t pid = 0; pid < 300; pid++)
		remove_process(w, pid);
	rmdir(w->root);
	ddp_services_free(&w->services);
	ddp_samples_free(&w->samples);
	free(w);
	return 0;
}

static void task(struct world *w, uint8_t kind, uint32_t pid, uint32_t parent, uint64_t ms)
{
	struct ddp_task t = { .kind = kind, .tgid = pid, .tid = pid, .parent = parent,
			      .time_ns = ms * MS, .comm = "", .leader_comm = "" };

	assert_int_equal(ddp_services_task(&w->services, &t), 0);
}

/* One more sample of a thread, as the module tells it; its name is the process's */
static void sample_thread(struct world *w, uint32_t pid, uint32_t tid, uint64_t aspace,
			  const char *name, uint64_t count, const uint64_t *time_ns)
{
	const u64 frame = 0x1000 + count;
	struct ddp_stack stack = { .aspace = aspace, .tgid = pid, .tid = tid, .nr_user = 1,
				   .frames = &frame, .user_end = DDPROF_END_ROOT };
	struct ddp_names names = { "", "" };
	struct ddp_trace *t;

	snprintf(names.process, sizeof(names.process), "%s", name);
	snprintf(names.thread, sizeof(names.thread), "%s", name);
	assert_int_equal(ddp_samples_trace(&w->samples, &stack, &names, &t), 0);
	assert_int_equal(ddp_services_stack(&w->services, &stack, &names), 0);
	assert_int_equal(ddp_samples_hit(&w->samples, t, count, count * 10, time_ns), 0);
	ddp_samples_put(&w->samples, t);
}

static void sample(struct world *w, uint32_t pid, uint64_t aspace, const char *name,
		   uint64_t count, const uint64_t *time_ns)
{
	sample_thread(w, pid, pid, aspace, name, count, time_ns);
}

static struct ddp_service *service_of(struct world *w, uint32_t pid, uint64_t aspace,
				      const char *name)
{
	struct ddp_service *v;

	assert_int_equal(ddp_services_of(&w->services,
					 &(struct ddp_services_who){ pid, aspace, name }, &v), 0);
	return v;
}

static const char *container_of(struct world *w, uint32_t pid, uint64_t aspace)
{
	const struct ddp_services_who who = { pid, aspace, "" };
	const struct ddp_identity *i;

	assert_int_equal(ddp_services_identity(&w->services, &who, &i), 0);
	return i ? i->container_id : "";
}

/* ddp_services_work(), and the environments that it asked for are read */
static void work(struct world *w)
{
	ddp_services_work(&w->services);
	ddp_table_for_each(&w->services.by_tgid, slot)
		for (struct image *i = ddp_table_pointer(slot->value); i; i = i->older)
			if (i->state == IMAGE_READING)
				service_of(w, i->tgid, i->aspace, "");
}

/* Identity */

static void processes_have_services(void **state)
{
	static const struct {
		const char *what;
		struct process p;
		const char *service, *environment, *version, *container;
	} rows[] = {
		{ "its environment", { 10, "java", "A=b|DD_SERVICE=shop|DD_ENV=prod|DD_VERSION=2",
		  "0::/system.slice/tomcat.service", false, -50 }, "shop", "prod", "2", "" },
		{ "OpenTelemetry's", { 11, "node", "OTEL_SERVICE_NAME=cart", NULL, false, -50 },
		  "cart", NULL, NULL, "" },
		{ "its unit", { 12, "nginx", "LANG=C", "0::/system.slice/nginx.service", false,
		  -50 }, "nginx", NULL, NULL, "" },
		{ "its unit, env by its environment", { 13, "nginx", "DD_ENV=prod",
		  "0::/system.slice/nginx.service", false, -50 }, "nginx", "prod", NULL, "" },
		{ "its container", { 14, "redis", "PATH=/", "0::/system.slice/docker-" HEX64
		  ".scope", false, -50 }, "container-0123456789ab", NULL, NULL, HEX64 },
		{ "its environment, in a container", { 15, "redis", "DD_SERVICE=cache",
		  "0::/docker/" HEX64, false, -50 }, "cache", NULL, NULL, HEX64 },
		{ "its name", { 16, "make", "PATH=/", "0::/user.slice/session-3.scope", false,
		  -50 }, "make", NULL, NULL, "" },
		{ "a kernel thread", { 17, "kworker/0:1", "", "0::/", true, -50 }, "kernel", NULL,
		  NULL, "" },
		{ "an environment that must not be read", { 18, "sshd", NULL,
		  "0::/system.slice/ssh.service", false, -50 }, "ssh", NULL, NULL, "" },
		{ "one that is empty", { 19, "init", "", NULL, false, -50 }, "init", NULL, NULL,
		  "" },
	};
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct process *p = &rows[i].p;
		uint64_t aspace = p->kernel ? 0 : p->pid;
		const struct ddp_service *v;

		add_process(w, p);
		sample(w, p->pid, aspace, "before", 1, NULL);
		work(w);
		v = service_of(w, p->pid, aspace, "before");
		if (strcmp(v->name, rows[i].service) ||
		    strcmp(v->environment ? v->environment : "",
			   rows[i].environment ? rows[i].environment : "") ||
		    strcmp(v->version ? v->version : "", rows[i].version ? rows[i].version : "") ||
		    strcmp(container_of(w, p->pid, aspace), rows[i].container))
			fail_msg("%s: service %s", rows[i].what, v->name);
	}
}

/* Each is made of the same number 20, seen at 1000 ms */
static void who_has_gone_is_what_its_parent_is(void **state)
{
	static const struct {
		const char *what;
		int start_ms;		/* of who has the number now; 0: nobody */
		uint32_t parent;	/* FORK; 0: lost */
		bool late;		/* FORK comes after its samples */
		const char *service;
	} rows[] = {
		{ "it is still there", 500, 0, false, "own" },
		{ "it began in the tick in which it was seen", 1000, 0, false, "own" },
		{ "it is gone, its parent is not", 0, 30, false, "shop" },
		{ "the same, the FORK comes later", 0, 30, true, "shop" },
		{ "another process has its number", 3000, 30, false, "shop" },
		{ "its grandparent is known", 0, 31, false, "shop" },
		{ "its parent has only a name", 0, 32, false, "short" },
		{ "its parent is gone, too", 0, 33, false, "short" },
		{ "no FORK", 0, 0, false, "short" },
		{ "a FORK of itself", 0, 20, false, "short" },
		{ "FORKs in a circle", 0, 34, false, "short" },
		{ "its parent's number is another's by now", 0, 36, false, "short" },
		{ "its parent's number was another's before", 0, 37, false, "short" },
		{ "a kernel thread", 0, 2, false, "kernel" },
	};
	struct world *w = *state;

	add_process(w, &(struct process){ 30, "sh", "DD_SERVICE=shop", NULL, false, -50 });
	add_process(w, &(struct process){ 32, "bash", "A=b", NULL, false, -50 });
	add_process(w, &(struct process){ 36, "new", "DD_SERVICE=new", NULL, false, 1500 });
	add_process(w, &(struct process){ 37, "new", "DD_SERVICE=new", NULL, false, 1500 });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ddp_service *v;

		begin(w, &(struct ddp_services_config){ .split = true });
		w->services.monotonic_ns = w->monotonic_ns;
		if (rows[i].start_ms)
			add_process(w, &(struct process){ 20, "own", "A=b", NULL, false,
				    rows[i].start_ms });
		task(w, DDPROF_TASK_FORK, 31, 30, 900);
		task(w, DDPROF_TASK_FORK, 34, 35, 900);
		task(w, DDPROF_TASK_FORK, 35, 34, 900);
		task(w, DDPROF_TASK_FORK, 36, 1, 1500);
		if (rows[i].parent && !rows[i].late)
			task(w, DDPROF_TASK_FORK, 20, rows[i].parent, 990);
		task(w, DDPROF_TASK_SEEN, 20, 0, 1000);
		sample(w, 20, rows[i].parent == 2 ? 0 : 7, "short", 1, NULL);
		work(w);
		if (rows[i].late)
			task(w, DDPROF_TASK_FORK, 20, rows[i].parent, 990);
		v = service_of(w, 20, rows[i].parent == 2 ? 0 : 7, "short");
		if (strcmp(v->name, rows[i].service))
			fail_msg("%s: %s", rows[i].what, v->name);
		remove_process(w, 20);
		ddp_services_free(&w->services);
	}
	begin(w, &(struct ddp_services_config){ .split = true });
}

/* Between its folder, which is looked into at once, and its environment */
static void what_ends_while_it_is_read_is_what_its_parent_is(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 30, "sh", "DD_SERVICE=shop", NULL, false, -50 });
	add_process(w, &(struct process){ 20, "own", NULL, "0::/system.slice/web.service", false,
		    -50 });
	add_process(w, &(struct process){ 21, "own", NULL, "0::/system.slice/web.service", false,
		    -50 });
	task(w, DDPROF_TASK_FORK, 20, 30, 10);
	sample(w, 20, 20, "own", 1, NULL);
	sample(w, 21, 21, "own", 1, NULL);
	work(w);
	assert_string_equal(service_of(w, 20, 20, "own")->name, "shop");
	assert_string_equal(service_of(w, 21, 21, "own")->name, "web");
}

static void exec_is_another_program(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "sh", "DD_SERVICE=before", NULL, false, -50 });
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	add_process(w, &(struct process){ 20, "java", "DD_SERVICE=after", NULL, false, -50 });
	sample(w, 20, 2, "java", 1, NULL);
	work(w);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "before");
	assert_string_equal(service_of(w, 20, 2, "java")->name, "after");
	/* in the kernel, when its memory is gone already */
	assert_string_equal(service_of(w, 20, 0, "java")->name, "after");
}

/* Within exec there is no environment for a moment */
static void an_environment_that_comes_later(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "sh", "", NULL, false, -50 });
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "sh");
	assert_int_equal(w->services.nr_pending, 1);
	add_process(w, &(struct process){ 20, "java", "DD_SERVICE=shop", NULL, false, -50 });
	work(w);
	assert_int_equal(w->services.nr_pending, 1); /* it was just asked */
	w->services.pending[0]->next_try_ms = 0;
	work(w);
	assert_int_equal(w->services.nr_pending, 0);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "shop");
	assert_int_equal(w->services.counts.looked_up, 1);
}

/* It was sampled within exec, and had ended before its environment was there */
static void half_of_an_identity_is_not_enough(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 30, "sh", "DD_SERVICE=shop", NULL, false, -50 });
	task(w, DDPROF_TASK_FORK, 20, 30, 10);
	add_process(w, &(struct process){ 20, "sh", "", NULL, false, 10 });
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	assert_int_equal(w->services.nr_pending, 1);
	remove_process(w, 20);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "shop");
	work(w);
	assert_int_equal(w->services.nr_pending, 0);
	/* without a parent half of it is better than nothing */
	add_process(w, &(struct process){ 21, "sh", "", "0::/system.slice/cron.service", false,
		    0 });
	sample(w, 21, 2, "sh", 1, NULL);
	work(w);
	remove_process(w, 21);
	assert_string_equal(service_of(w, 21, 2, "sh")->name, "cron");
}

/* A profile's tags and labels hold it while it is made */
static void an_identity_stays_while_it_is_asked_for(void **state)
{
	const struct ddp_services_who who = { 20, 1, "sh" };
	const struct ddp_identity *first, *second;
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "sh", "", "0::/docker/" HEX64, false, -50 });
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	assert_int_equal(w->services.nr_pending, 1);
	assert_int_equal(ddp_services_identity(&w->services, &who, &first), 0);
	add_process(w, &(struct process){ 20, "sh", "DD_SERVICE=shop", "0::/docker/" OTHER64,
		    false, -50 });
	assert_int_equal(ddp_services_identity(&w->services, &who, &second), 0);
	assert_string_equal(first->container_id, HEX64);
	assert_ptr_equal(first, second);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "shop");
}

/* Environments that nobody answers for: the fake's is a FIFO, which is opened when both ends are */

static void add_stuck(struct world *w, uint32_t pid, const char *cgroup)
{
	char path[128];

	add_process(w, &(struct process){ pid, "stuck", NULL, cgroup, false, -50 });
	snprintf(path, sizeof(path), "%s/%u/environ", w->root, pid);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void answer_stuck(struct world *w, uint32_t pid, const char *variable)
{
	char path[128];
	CLEANUP(close_fd) int fd = -1;

	snprintf(path, sizeof(path), "%s/%u/environ", w->root, pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, variable, strlen(variable) + 1), strlen(variable) + 1);
}

static const char *state_name(struct world *w, uint32_t pid)
{
	static const char *const names[] = { "new", "reading", "unread", "again", "known", "gone",
					     "orphan" };

	return names[services_newest(&w->services, pid)->state];
}

static void wait_until_stuck(struct world *w, uint64_t nr)
{
	while (w->services.counts.stuck < nr)
		ddp_services_work(&w->services);
}

/*
 * Environments that cannot be read hold nobody up: their processes go by what else is known until
 * they can be, all others by their environment; when all threads are stuck, these too, until one is
 * free. Who has gone takes after its parent when that one's can be read.
 */
static void a_process_that_is_stuck_holds_nobody_up(void **state)
{
	struct world *w = *state;
	uint64_t began;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_stuck(w, 20, "0::/system.slice/tomcat.service");
	task(w, DDPROF_TASK_FORK, 30, 20, 10);
	add_process(w, &(struct process){ 40, "quick", "DD_SERVICE=shop", NULL, false, -50 });
	sample(w, 20, 20, "stuck", 1, NULL);
	sample(w, 30, 30, "child", 1, NULL);
	add_stuck(w, 50, "0::/system.slice/web.service");
	sample(w, 40, 40, "quick", 1, NULL);
	sample(w, 50, 50, "slow", 1, NULL);
	ddp_services_work(&w->services);
	/* waits for its reader, who does not wait for anything more that is done here */
	answer_stuck(w, 50, "DD_SERVICE=slow");
	assert_string_equal(service_of(w, 50, 50, "slow")->name, "slow");
	assert_string_equal(state_name(w, 20), "reading");
	assert_string_equal(state_name(w, 30), "orphan");
	assert_string_equal(service_of(w, 40, 40, "quick")->name, "shop");
	/* the first waits a moment for it, the second knows better */
	assert_string_equal(service_of(w, 20, 20, "stuck")->name, "tomcat");
	began = now_ns(CLOCK_MONOTONIC);
	assert_string_equal(service_of(w, 30, 30, "child")->name, "tomcat");
	assert_true(now_ns(CLOCK_MONOTONIC) - began < DDP_READER_STUCK_MS * MS);
	wait_until_stuck(w, 1);
	ddp_services_work(&w->services);
	assert_int_equal(w->services.counts.stuck, 1);
	answer_stuck(w, 20, "DD_SERVICE=java");
	while (!strcmp(state_name(w, 20), "reading"))
		ddp_services_work(&w->services);
	assert_string_equal(service_of(w, 20, 20, "stuck")->name, "java");
	assert_string_equal(service_of(w, 30, 30, "child")->name, "java");
	assert_int_equal(w->services.counts.inherited, 1);
}

static void all_readers_may_be_stuck(void **state)
{
	struct world *w = *state;
	uint32_t pid;

	begin(w, &(struct ddp_services_config){ .split = true });
	for (pid = 20; pid < 20 + DDP_READER_MAX_THREADS; pid++) {
		add_stuck(w, pid, "0::/system.slice/tomcat.service");
		sample(w, pid, pid, "stuck", 1, NULL);
	}
	wait_until_stuck(w, DDP_READER_MAX_THREADS);
	add_process(w, &(struct process){ 40, "quick", "DD_SERVICE=shop",
		    "0::/system.slice/web.service", false, -50 });
	sample(w, 40, 40, "quick", 1, NULL);
	ddp_services_work(&w->services);
	assert_string_equal(state_name(w, 40), "unread");
	assert_string_equal(service_of(w, 40, 40, "quick")->name, "web");
	/* what is left to themselves at the end counts on */
	ddp_services_free(&w->services);
	begin(w, &(struct ddp_services_config){ .split = true });
	sample(w, 40, 40, "quick", 1, NULL);
	ddp_services_work(&w->services);
	assert_string_equal(state_name(w, 40), "unread");
	/* as soon as one of them is free it is read, in the next interval */
	answer_stuck(w, 20, "");
	ddp_services_trim(&w->services);
	while (strcmp(service_of(w, 40, 40, "quick")->name, "shop"))
		ddp_services_trim(&w->services);
	for (pid = 21; pid < 20 + DDP_READER_MAX_THREADS; pid++)
		answer_stuck(w, pid, "");
}

static void names_follow_their_process(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "java", "A=b", NULL, false, -50 });
	task(w, DDPROF_TASK_SEEN, 20, 0, 1);
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "java");
	/* of before its exec, from another CPU */
	task(w, DDPROF_TASK_SEEN, 20, 0, 2);
	sample(w, 20, 1, "sh", 1, NULL);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "java");
	task(w, DDPROF_TASK_SEEN, 20, 0, 1000000);
	sample(w, 20, 1, "renamed", 1, NULL);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "renamed");
	/* a thread that is ending */
	sample_thread(w, 20, 21, 1, "worker", 1, NULL);
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "renamed");
}

static void a_number_is_used_again(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "sh", "DD_SERVICE=old", NULL, false, -50 });
	task(w, DDPROF_TASK_SEEN, 20, 0, 100);
	sample(w, 20, 1, "sh", 1, NULL);
	work(w);
	task(w, DDPROF_TASK_EXIT, 20, 0, 200);
	remove_process(w, 20);
	add_process(w, &(struct process){ 20, "kworker/1", "", NULL, true, 300 });
	task(w, DDPROF_TASK_FORK, 20, 2, 300);
	task(w, DDPROF_TASK_SEEN, 20, 0, 400);
	sample(w, 20, 0, "kworker/1", 1, NULL);
	work(w);
	assert_string_equal(service_of(w, 20, 0, "kworker/1")->name, "kernel");
	assert_string_equal(service_of(w, 20, 1, "sh")->name, "old");
}

static void what_ended_is_forgotten(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	for (uint32_t pid = 100; pid < 200; pid++) {
		add_process(w, &(struct process){ pid, "p", "DD_SERVICE=s", NULL, false, -50 });
		task(w, DDPROF_TASK_FORK, pid, 1, 10);
		sample(w, pid, pid, "p", 1, NULL);
	}
	work(w);
	assert_int_equal(w->services.nr_images, 100);
	assert_int_equal(w->services.identities.by_hash.nr, 1);
	for (uint32_t pid = 100; pid < 150; pid++) {
		task(w, DDPROF_TASK_EXIT, pid, 0, 20);
		remove_process(w, pid);
	}
	ddp_services_aspace_gone(&w->services, 150, 150);
	ddp_services_aspace_gone(&w->services, 151, 7);	/* not its */
	/* what comes late of them still finds its service */
	ddp_services_trim(&w->services);
	assert_int_equal(w->services.nr_images, 100);
	assert_string_equal(service_of(w, 100, 100, "p")->name, "s");
	assert_int_equal(w->services.nr_services, 1);
	ddp_services_trim(&w->services);
	assert_int_equal(w->services.nr_images, 50);
	assert_int_equal(w->services.parents.nr, 50);
	assert_int_equal(w->services.nr_services, 0);
	ddp_services_trim(&w->services);
	assert_int_equal(w->services.nr_images, 49);
	/* those whose EXIT was lost */
	for (int i = 0; i < 20; i++)
		ddp_services_trim(&w->services);
	assert_int_equal(w->services.nr_images, 0);
	assert_int_equal(w->services.identities.by_hash.nr, 0);
	assert_int_equal(w->services.identities.bytes, 0);
	assert_string_equal(service_of(w, 160, 160, "p")->name, "s");
}

static void memory_is_bounded(void **state)
{
	struct world *w = *state;

	begin(w, &(struct ddp_services_config){ .split = true });
	for (uint64_t aspace = 1; aspace < 1000; aspace++)
		sample(w, 20, aspace, "loop", 1, NULL);
	assert_int_equal(w->services.nr_images, DDP_SERVICES_MAX_IMAGES);
	for (uint32_t i = 0; i < DDP_SERVICES_MAX_PROCESSES + 10; i++)
		task(w, DDPROF_TASK_FORK, 1000 + i, 1, 10);
	assert_int_equal(w->services.parents.nr, DDP_SERVICES_MAX_PROCESSES);
	assert_int_equal(w->services.counts.refused, 999 - DDP_SERVICES_MAX_IMAGES + 10);
	assert_string_equal(service_of(w, 20, 999, "loop")->name, "loop");
	ddp_services_trim(&w->services);
	task(w, DDPROF_TASK_FORK, 999, 1, 10);
	assert_true(w->services.parents.nr < DDP_SERVICES_MAX_PROCESSES);
}

static void a_procfs_of_others_is_not_used(void **state)
{
	struct ddp_services_config config = { .proc = "/proc", .split = true };
	struct world *w = *state;

	assert_int_equal(ddp_services_init(&w->services, &config, NULL), 0);
	assert_int_equal(ddp_services_started(&w->services, w->monotonic_ns,
					      (uint32_t)getpid() + 1), 0);
	assert_true(w->services.proc.root_fd < 0);
	assert_string_equal(service_of(w, (uint32_t)getpid(), 1, "me")->name, "me");
	ddp_services_free(&w->services);
	/* our own, and what it says of us */
	assert_int_equal(ddp_services_init(&w->services, &config, NULL), 0);
	assert_int_equal(ddp_services_started(&w->services, w->monotonic_ns, (uint32_t)getpid()),
			 0);
	assert_true(w->services.proc.root_fd >= 0);
	service_of(w, (uint32_t)getpid(), 1, "me");
	assert_int_equal(w->services.counts.gone, 0);
	assert_int_equal(w->services.counts.looked_up, 1);
}

/* Splitting */

static uint64_t rng_state = 88172645463325252ULL;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static const struct ddp_part *part_named(const struct ddp_split *s, const char *name)
{
	for (size_t i = 0; i < s->nr; i++)
		if (!strcmp(s->parts[i].service->name, name))
			return &s->parts[i];
	fail_msg("no part %s", name);
	return NULL;
}

static void parts_have_their_container(void **state)
{
	struct world *w = *state;
	struct ddp_split split;

	begin(w, &(struct ddp_services_config){ .split = true });
	add_process(w, &(struct process){ 20, "a", "DD_SERVICE=one", "0::/kubepods/pod" UUID "/"
		    HEX64, false, -50 });
	add_process(w, &(struct process){ 21, "b", "DD_SERVICE=two", "0::/docker/" HEX64, false,
		    -50 });
	add_process(w, &(struct process){ 22, "b", "DD_SERVICE=two", "0::/docker/" OTHER64, false,
		    -50 });
	for (uint32_t pid = 20; pid < 23; pid++)
		sample(w, pid, pid, "x", pid, NULL);
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(split.nr, 2);
	assert_string_equal(part_named(&split, "one")->container_id, HEX64);
	assert_string_equal(part_named(&split, "one")->pod_uid, UUID);
	assert_null(part_named(&split, "two")->container_id);
	assert_int_equal(part_named(&split, "two")->samples.sums.pending, 43);
	ddp_split_free(&split);
	/* the whole, when nobody asks for services */
	ddp_samples_tidy(&w->samples);
	ddp_services_free(&w->services);
	begin(w, &(struct ddp_services_config){ .split = false });
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(split.nr, 1);
	assert_null(split.parts[0].service);
	assert_null(split.parts[0].container_id);
	assert_int_equal(split.parts[0].samples.sums.pending, 63);
	ddp_split_free(&split);
}

static void rules_apply(void **state)
{
	const char *const rules[] = { "rename process:worker* = workers",
				      "exclude service:secret" };
	struct world *w = *state;
	struct ddp_split split;

	begin(w, &(struct ddp_services_config){ .split = true, .rules = rules, .nr_rules = 2 });
	add_process(w, &(struct process){ 20, "a", "DD_SERVICE=secret", NULL, false, -50 });
	add_process(w, &(struct process){ 21, "worker-1", "DD_ENV=e", NULL, false, -50 });
	add_process(w, &(struct process){ 22, "worker-2", "DD_ENV=e", NULL, false, -50 });
	for (uint32_t pid = 20; pid < 23; pid++)
		sample(w, pid, pid, "x", pid, NULL);
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(split.nr, 2);
	assert_true(part_named(&split, "")->service->excluded);
	assert_int_equal(part_named(&split, "")->samples.sums.pending, 20);
	assert_int_equal(part_named(&split, "workers")->samples.sums.pending, 43);
	assert_string_equal(part_named(&split, "workers")->service->environment, "e");
	ddp_split_free(&split);
}

static void add_sums(struct ddp_sample_sums *to, const struct ddp_sample_sums *what)
{
	to->pending += what->pending;
	to->guessed += what->guessed;
	to->ends[1][DDPROF_END_ROOT] += what->ends[1][DDPROF_END_ROOT];
}

/* What the parts' samples are, by asking each of them */
static uint64_t values_of(const struct world *w, const struct ddp_samples_part *p)
{
	uint64_t value = 0;

	for (size_t i = 0; i < p->nr_traces; i++)
		value += p->traces[i]->value;
	for (size_t i = 0; i < p->nr_timed; i++)
		value += w->samples.timed[p->timed[i]].value;
	return value;
}

/*
 * Whatever the services and the limit: the parts are all samples, each once; and when some parts
 * get out and others have to wait, the next split has exactly what waited.
 */
static void nothing_is_lost(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < 200; round++) {
		uint32_t max = 1 + (uint32_t)(rng() % 8);
		struct ddp_sample_sums sums = { 0 };
		uint64_t value = 0, all = 0, waits = 0;
		struct ddp_split split;
		bool excluded = false;

		begin(w, &(struct ddp_services_config){ .split = true, .max_services = max });
		for (int i = 0; i < 100; i++) {
			uint64_t count = 1 + rng() % 50, time = i;
			char name[16];

			snprintf(name, sizeof(name), "p%u", (unsigned int)(rng() % 12));
			sample(w, 100 + rng() % 30, 1 + rng() % 40, rng() % 20 ? name : "other",
			       count, rng() % 3 ? NULL : &time);
			all += count;
		}
		assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
		assert_true(split.nr <= max + 1);
		for (size_t i = 0; i < split.nr; i++) {
			excluded |= split.parts[i].service->excluded;
			add_sums(&sums, &split.parts[i].samples.sums);
			value += values_of(w, &split.parts[i].samples);
		}
		assert_false(excluded);
		assert_int_equal(sums.pending, all);
		assert_int_equal(sums.ends[1][DDPROF_END_ROOT], all);
		assert_int_equal(value, all * 10);
		for (size_t i = 0; i < split.nr; i++) {
			if (rng() % 2)
				waits += split.parts[i].samples.sums.pending;
			else
				ddp_samples_drop(&w->samples, &split.parts[i].samples);
		}
		ddp_split_free(&split);
		ddp_samples_tidy(&w->samples);
		assert_int_equal(w->samples.sums.pending, waits);
		assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
		for (size_t i = 0, left = waits; i <= split.nr; i++) {
			if (i == split.nr)
				assert_int_equal(left, 0);
			else
				left -= values_of(w, &split.parts[i].samples) / 10;
		}
		ddp_split_free(&split);
		ddp_samples_clear(&w->samples);
		assert_int_equal(w->samples.nr_traces, 0);
		assert_int_equal(w->samples.bytes, 0);
		ddp_services_free(&w->services);
	}
	begin(w, &(struct ddp_services_config){ .split = true });
}

static void the_smallest_are_one(void **state)
{
	struct world *w = *state;
	struct ddp_split split;

	begin(w, &(struct ddp_services_config){ .split = true, .max_services = 2 });
	for (uint32_t pid = 100; pid < 110; pid++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", pid);
		sample(w, pid, pid, name, pid, NULL);
	}
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(split.nr, 3);
	assert_int_equal(part_named(&split, "p109")->samples.sums.pending, 109);
	assert_int_equal(part_named(&split, "p108")->samples.sums.pending, 108);
	assert_int_equal(part_named(&split, "other")->samples.sums.pending, 1045 - 109 - 108);
	assert_int_equal(w->services.counts.merged_services, 8);
	assert_int_equal(w->services.counts.merged_samples, 1045 - 109 - 108);
	ddp_split_free(&split);
}

/* Samples of 100 and 101 wait since 5 and 7, the interval began at 50 */
static void other_begins_with_the_first_of_its_parts(void **state)
{
	static const struct {
		const char *what;
		const char *part;
		int64_t start;
	} first[] = {
		{ "merged, the earliest of two", "other", 5 },
		{ "not merged", "p103", 50 },
	};
	struct world *w = *state;
	struct ddp_split split;

	begin(w, &(struct ddp_services_config){ .split = true, .max_services = 1 });
	for (uint32_t pid = 100; pid < 104; pid++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", pid);
		sample(w, pid, pid, name, pid, NULL);
	}
	service_of(w, 100, 100, "p100")->start_unix_ns = 5;
	service_of(w, 101, 101, "p101")->start_unix_ns = 7;
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (ddp_part_start(part_named(&split, first[i].part), 50) != first[i].start)
			fail_msg("%s", first[i].what);
	/* it does not get out; then p101 and p102 have parts of their own */
	ddp_part_set_start(part_named(&split, "other"), 5);
	ddp_part_set_start(part_named(&split, "p103"), 0);
	ddp_split_free(&split);
	w->services.config.max_services = 3;
	sample(w, 102, 102, "p102", 1000, NULL);
	sample(w, 104, 104, "p104", 1, NULL);
	service_of(w, 100, 100, "p100")->start_unix_ns = 0;
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(ddp_part_start(part_named(&split, "p102"), 60), 5);
	assert_int_equal(ddp_part_start(part_named(&split, "p103"), 60), 60);
	assert_int_equal(ddp_part_start(part_named(&split, "p101"), 60), 5);
	/* p100 and p104: what waited with it before is not its any more */
	assert_int_equal(ddp_part_start(part_named(&split, "other"), 60), 60);
	ddp_split_free(&split);
}

static void nobody_sampled_is_no_part(void **state)
{
	struct world *w = *state;
	struct ddp_split split;

	begin(w, &(struct ddp_services_config){ .split = true });
	assert_int_equal(ddp_split_make(&w->samples, &w->services, &split), 0);
	assert_int_equal(split.nr, 0);
	ddp_split_free(&split);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(processes_have_services), TEST(who_has_gone_is_what_its_parent_is),
		TEST(what_ends_while_it_is_read_is_what_its_parent_is),
		TEST(exec_is_another_program), TEST(an_environment_that_comes_later),
		TEST(half_of_an_identity_is_not_enough),
		TEST(an_identity_stays_while_it_is_asked_for),
		TEST(a_process_that_is_stuck_holds_nobody_up), TEST(all_readers_may_be_stuck),
		TEST(names_follow_their_process),
		TEST(a_number_is_used_again),
		TEST(what_ended_is_forgotten), TEST(memory_is_bounded),
		TEST(a_procfs_of_others_is_not_used), TEST(parts_have_their_container),
		TEST(rules_apply), TEST(nothing_is_lost), TEST(the_smallest_are_one),
		TEST(other_begins_with_the_first_of_its_parts), TEST(nobody_sampled_is_no_part),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
