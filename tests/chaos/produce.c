// SPDX-License-Identifier: Apache-2.0
/*
 * Batches for tests/chaos/chaos.py, which kills it: as many as are asked for, one after the other
 * is on disk, through a sender with a spool. What the sender tells goes to stdout, a line each:
 * "ready", "stored ID", "sent ID", "dropped ID REASON", "down TEXT", "spool_down TEXT" and, at the
 * end, "found N", "spooled N" and "dropped_REASON N". A batch's profile is its id over and over.
 *
 *	produce --url URL --spool DIR [--count N] [--endless] [--at-once] [--ca FILE]
 *		[--timeout MS] [--spool-kb N] [--finish MS]
 *
 * --at-once: without waiting for the disk, then until stdin ends.
 */
#include <ddprof/sender.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { MAX_PROFILE_BYTES = 60000, PATIENCE_S = 120 };

struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t settled;	/* batches that are stored, sent or dropped */
};

/* A line at once, so that what was said before a kill was heard */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)n + 1) != n + 1)
		_exit(3);
}

static void on_event(void *ctx, const struct ddp_sender_event *e)
{
	struct told *t = ctx;

	if (e->kind == DDP_SENDER_STORED)
		say("stored %s", e->id);
	else if (e->kind == DDP_SENDER_SENT)
		say("sent %s", e->id);
	else if (e->kind == DDP_SENDER_DROPPED)
		say("dropped %s %s", e->id, ddp_sender_drop_name(e->reason));
	else if (e->kind == DDP_SENDER_DOWN)
		say("down %s", e->message);
	else if (e->kind == DDP_SENDER_SPOOL_DOWN)
		say("spool_down %s", e->message);
	pthread_mutex_lock(&t->lock);
	t->settled++;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

/* Until something happened since there were @before */
static void wait_told(struct told *t, uint64_t before)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&t->lock);
	while (t->settled == before)
		if (pthread_cond_timedwait(&t->changed, &t->lock, &until))
			_exit(4);
	pthread_mutex_unlock(&t->lock);
}

static uint64_t random_number(void)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		_exit(3);
	return v;
}

static void add(struct ddp_sender *s)
{
	static char profile[MAX_PROFILE_BYTES];
	uint64_t a = random_number(), b = random_number();
	size_t n = 1 + random_number() % MAX_PROFILE_BYTES;
	struct ddp_export_form form = {
		.start_unix_ns = 1, .end_unix_ns = 2, .profile = profile, .profile_bytes = n,
	};
	char id[37];

	snprintf(id, sizeof(id), "%08x-%04x-4%03x-8%03x-%012llx", (unsigned int)(a >> 32),
		 (unsigned int)(a >> 16) & 0xffff, (unsigned int)a & 0xfff,
		 (unsigned int)(b >> 48) & 0xfff, (unsigned long long)b & 0xffffffffffff);
	form.id = id;
	for (size_t i = 0; i < n; i++)
		profile[i] = id[i % 36];
	if (ddp_sender_add(s, &form))
		_exit(3);
}

static void tell_counts(struct ddp_sender *s)
{
	struct ddp_sender_stats stats;

	if (ddp_sender_get_stats(s, 0, &stats))
		_exit(3);
	say("found %llu", (unsigned long long)stats.found);
	say("spooled %llu", (unsigned long long)stats.spooled);
	for (int i = 0; i < DDP_SENDER_NR_DROPS; i++)
		say("dropped_%s %llu", ddp_sender_drop_name(i),
		    (unsigned long long)stats.dropped[i]);
}

struct options {
	struct ddp_exporter_config exporter;
	struct ddp_sender_target target;
	unsigned long count, finish_ms;
	int endless, at_once;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "url", required_argument, NULL, 'u' }, { "spool", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' }, { "endless", no_argument, NULL, 'e' },
		{ "ca", required_argument, NULL, 'c' }, { "timeout", required_argument, NULL, 't' },
		{ "at-once", no_argument, NULL, 'a' },
		{ "spool-kb", required_argument, NULL, 'k' },
		{ "finish", required_argument, NULL, 'f' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'u': o->exporter.url = optarg; break;
		case 's': o->target.spool = optarg; break;
		case 'n': o->count = strtoul(optarg, NULL, 10); break;
		case 'e': o->endless = 1; break;
		case 'a': o->at_once = 1; break;
		case 'c': o->exporter.ca_file = optarg; break;
		case 't': o->exporter.timeout_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'k': o->target.spool_bytes = strtoull(optarg, NULL, 10) << 10; break;
		case 'f': o->finish_ms = strtoul(optarg, NULL, 10); break;
		default: return -1;
		}
	}
	return 0;
}

static void add_all(struct ddp_sender *s, const struct options *o, struct told *told)
{
	uint64_t before;

	for (unsigned long i = 0; o->endless || i < o->count; i++) {
		pthread_mutex_lock(&told->lock);
		before = told->settled;
		pthread_mutex_unlock(&told->lock);
		add(s);
		if (!o->at_once)
			wait_told(told, before);
	}
	while (o->at_once && getchar() != EOF)
		;
}

int main(int argc, char **argv)
{
	struct options o = {
		.target = { .name = "chaos", .retry_first_ms = 2, .retry_last_ms = 10 },
		.finish_ms = 60000,
	};
	struct told told = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct ddp_sender_config config = {
		.targets = &o.target, .nr_targets = 1, .on_event = on_event, .ctx = &told,
	};
	struct ddp_error err = { "" };
	struct ddp_sender *s;

	if (parse(argc, argv, &o))
		return 2;
	o.target.exporter = &o.exporter;
	if (ddp_sender_create(&config, &s, &err)) {
		say("error %s", err.text);
		return 1;
	}
	say("ready");
	add_all(s, &o, &told);
	ddp_sender_finish(s, (uint32_t)o.finish_ms);
	tell_counts(s);
	ddp_sender_destroy(s);
	return 0;
}
