// SPDX-License-Identifier: Apache-2.0
/* See output.h. */
#include "core/output.h"

#include <ddprof/compress.h>
#include <ddprof/pprof.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/log.h"
#include "core/show.h"
#include "base/whole_file.h"
#include "base/write_fd.h"
#include "lib/cleanup.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { FINISH_TIMEOUT_MS = DDP_EXPORT_TIMEOUT_MS };

DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

struct ddp_output {
	char *path;			/* owned; NULL: no file */
	bool numbered;
	enum ddp_compression compression;
	unsigned int nr_profiles, nr_failed;
	/* of what ddp_output_finish() answers for: so much was lost before the end */
	uint64_t lost_before[DDP_SENDER_MAX_TARGETS];
	unsigned int failed_before;
	unsigned int seq;		/* the interval's number, from 0 */
	int64_t interval_end_unix_ns;	/* which tells one from the next; 0: none yet */
	struct ddp_sender *sender;	/* NULL: no targets */
	/* owned copies of what the config says; NULL: nothing */
	char *service, *environment, *version, *tags;
	char *runtime_id, *prefix;
	bool include_kernel, show_samples;
	unsigned char run_id[16];	/* random; runtime ids are made of it */
};

static int encode(const struct ddp_profile *p, int64_t end_unix_ns, enum ddp_compression c,
		  ddp_write_fn write, void *ctx)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *z = NULL;
	int r = ddp_compressor_create(c, 0, write, ctx, &z);

	r = r ?: ddp_pprof_encode(p, end_unix_ns, ddp_compressor_write, z);
	return r ? r : ddp_compressor_finish(z);
}

/* Files */

int ddp_output_path(const char *path, unsigned int nr, bool numbered, char *ret, size_t size)
{
	static const char *const ends[] = { ".pprof.lz4", ".pprof.zst", ".pprof.gz", ".pb.gz",
					    ".pprof", ".pb", ".gz", ".lz4", ".zst" };
	size_t len = strlen(path), stem = len;
	int n;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && !strcmp(path + len - end, ends[i]) && stem == len)
			stem = len - end;
	}
	if (nr == 1 && !numbered)
		n = snprintf(ret, size, "%s", path);
	else
		n = snprintf(ret, size, "%.*s.%u%s", (int)stem, path, nr, path + stem);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

struct filling {
	const struct ddp_profile *profile;
	int64_t end_unix_ns;
	enum ddp_compression compression;
};

static int fill(void *filling, int fd)
{
	const struct filling *f = filling;

	return encode(f->profile, f->end_unix_ns, f->compression, write_fd, &fd);
}

/* For its owner only: it tells where the kernel lies and what everybody runs */
static int write_file(const char *path, const struct ddp_profile *p, int64_t end_unix_ns,
		      enum ddp_compression compression)
{
	struct filling f = { p, end_unix_ns, compression };

	return ddp_whole_file(path, fill, &f);
}

static int to_file(struct ddp_output *o, const struct ddp_profile *p, int64_t end_unix_ns)
{
	char path[4096];
	int r = ddp_output_path(o->path, o->nr_profiles, o->numbered, path, sizeof(path));

	if (r) {
		ddp_log_error("cannot write profile %u of %s: %s", o->nr_profiles, o->path,
			      strerror(-r));
		return r;
	}
	r = write_file(path, p, end_unix_ns, o->compression);
	if (r)
		ddp_log_error("cannot write %s: %s", path, strerror(-r));
	else
		ddp_log_info("wrote %s", path);
	return r;
}

/* Tags */

/* What a profile says it is from: the origin's word, else the config's */
static struct ddp_output_origin complete(const struct ddp_output *o,
					 const struct ddp_output_origin *origin)
{
	struct ddp_output_origin all = origin ? *origin : (struct ddp_output_origin){ NULL };

	all.service = all.service ? all.service : o->service;
	all.environment = all.environment ? all.environment : o->environment;
	all.version = all.version ? all.version : o->version;
	return all;
}

static uint64_t hash_text(const char *text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text ? text : "", text ? strlen(text) : 0, seed);
}

/* One for each service, env and version of a run, the same all through it. RFC 4122, version 4 */
static void runtime_id(const struct ddp_output *o, const struct ddp_output_origin *all,
		       char ret[37])
{
	const char *service = all->service ? all->service : "";
	uint64_t seed = hash_text(all->version, hash_text(all->environment, 0));
	XXH128_hash_t hash = XXH3_128bits_withSeed(service, strlen(service), seed);
	XXH128_canonical_t bytes;
	uint8_t b[16];

	XXH128_canonicalFromHash(&bytes, hash);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = o->run_id[i] ^ bytes.digest[i];
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

static int add_machine(const struct ddp_output *o, struct ddp_buffer *tags)
{
	struct utsname machine;
	char cores[16];
	int r;

	if (uname(&machine))
		return -errno;
	snprintf(cores, sizeof(cores), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	r = ddp_tags_add(tags, "language", "native");
	r = r ?: ddp_tags_add(tags, "host", machine.nodename);
	r = r ?: ddp_tags_add(tags, "profiler_version", DDPROF_VERSION);
	r = r ?: ddp_tags_add(tags, "include_kernel", o->include_kernel ? "yes" : "no");
	r = r ?: ddp_tags_add(tags, "cpu_arch", machine.machine);
	r = r ?: ddp_tags_add(tags, "number_of_cpu_cores", cores);
	return r ? r : ddp_tags_add(tags, "runtime_platform", "linux");
}

static int make_tags(const struct ddp_output *o, const struct ddp_output_origin *origin,
		     struct ddp_buffer *ret, struct ddp_error *err)
{
	struct ddp_output_origin all = complete(o, origin);
	char id[37], seq[16];
	int r = add_machine(o, ret);

	if (o->runtime_id && all.service == o->service)
		snprintf(id, sizeof(id), "%s", o->runtime_id);
	else
		runtime_id(o, &all, id);
	snprintf(seq, sizeof(seq), "%u", o->seq);
	r = r ?: ddp_tags_add(ret, "service", all.service);
	r = r ?: ddp_tags_add(ret, "env", all.environment);
	r = r ?: ddp_tags_add(ret, "version", all.version);
	r = r ?: ddp_tags_add(ret, "runtime-id", id);
	r = r ?: ddp_tags_add(ret, "profile_seq", seq);
	r = r ?: ddp_tags_add(ret, "container_id", all.container_id);
	r = r ?: ddp_tags_add(ret, "pod_uid", all.pod_uid);
	r = r ?: ddp_tags_parse(ret, all.tags, err);
	return r ? r : ddp_tags_parse(ret, o->tags, err);
}

/*
 * A copy for who looks into things: its name has the time at which it began, with a number where
 * several began then. No way out that could fail
 */
static void to_prefix(const struct ddp_output *o, const struct ddp_profile *p,
		      int64_t start_unix_ns, int64_t end_unix_ns)
{
	time_t start = (time_t)(start_unix_ns / 1000000000);
	char name[PATH_MAX], path[PATH_MAX], when[32];
	struct tm t;
	int r;

	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&start, &t));
	r = snprintf(name, sizeof(name), "%s%s.pprof.zst", o->prefix, when);
	r = r < 0 || (size_t)r >= sizeof(name) ? -ENAMETOOLONG : 0;
	for (unsigned int nr = 1; !r; nr++) {
		r = ddp_output_path(name, nr, false, path, sizeof(path));
		if (!r && access(path, F_OK))
			break;
	}
	r = r ?: write_file(path, p, end_unix_ns, DDP_ZSTD);
	if (r)
		ddp_log_warn("cannot write %s...: %s", o->prefix, strerror(-r));
}

/* Targets */

/* Whether it is time to say the @count-th of its kind: a receiver may be down for weeks */
static bool worth_saying(uint64_t count)
{
	return !(count & (count - 1));
}

static void say_drop(const struct ddp_sender_event *e)
{
	static const char *const what[DDP_SENDER_NR_DROPS] = {
		[DDP_SENDER_DROP_QUEUE] = "too many profiles wait: the oldest is dropped",
		[DDP_SENDER_DROP_SPOOL] = "the spool is full: the oldest profile is dropped",
		[DDP_SENDER_DROP_REFUSED] = "a profile was refused",
		[DDP_SENDER_DROP_UNUSABLE] = "a profile cannot be sent",
		[DDP_SENDER_DROP_DAMAGED] = "a profile is dropped",
		[DDP_SENDER_DROP_END] = "a profile was not sent in time",
	};

	if (worth_saying(e->count))
		ddp_log_warn("%s: %s%s%s, %" PRIu64 " so far", e->target, what[e->reason],
			     e->message[0] ? ": " : "", e->message, e->count);
}

static void on_event(void *ctx, const struct ddp_sender_event *e)
{
	(void)ctx;
	switch (e->kind) {
	case DDP_SENDER_STORED:
		ddp_log_debug("%s: %s is in the spool", e->target, e->id);
		break;
	case DDP_SENDER_SENT:
		ddp_log_info("%s: sent %zu bytes%s%s", e->target, e->bytes,
			     e->message[0] ? ": " : "", e->message);
		break;
	case DDP_SENDER_DOWN:
		ddp_log_warn("%s: %s; profiling goes on, profiles are kept and tried again",
			     e->target, e->message);
		break;
	case DDP_SENDER_UP:
		ddp_log_notice("%s: profiles are taken again", e->target);
		break;
	case DDP_SENDER_SPOOL_DOWN:
		ddp_log_warn("%s: cannot write to the spool: %s; profiles are kept in memory",
			     e->target, e->message);
		break;
	case DDP_SENDER_SPOOL_UP:
		ddp_log_notice("%s: the spool works again", e->target);
		break;
	case DDP_SENDER_DROPPED:
		say_drop(e);
		break;
	}
}

/* A profile's parts, until all of them are made: half of it must not get out */
struct parts {
	struct ddp_buffer *profiles;	/* @nr of them */
	size_t nr;
};

static int keep_part(void *ctx, const struct ddp_pprof_part *part)
{
	struct parts *parts = ctx;

	if (!parts->profiles)
		parts->profiles = calloc(part->nr, sizeof(*parts->profiles));
	if (!parts->profiles)
		return -ENOMEM;
	return ddp_buffer_write(&parts->profiles[parts->nr++], part->bytes, part->n);
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->nr; i++)
		ddp_buffer_free(&parts->profiles[i]);
	free(parts->profiles);
}
DEFINE_CLEANUP_IN_PLACE(struct parts, free_parts)

static int send_parts(struct ddp_output *o, const struct parts *parts,
		      struct ddp_export_form *form)
{
	int r = 0;

	for (size_t i = 0; !r && i < parts->nr; i++) {
		form->profile = parts->profiles[i].bytes;
		form->profile_bytes = parts->profiles[i].len;
		r = ddp_sender_add(o->sender, form);
	}
	return r;
}

/* In parts where receivers would not take it whole; they have the same times and number */
static int to_targets(struct ddp_output *o, const struct ddp_profile *p,
		      const struct ddp_output_origin *origin, int64_t start_unix_ns,
		      int64_t end_unix_ns)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer tags = { 0 };
	CLEANUP(free_parts) struct parts parts = { .nr = 0 };
	struct ddp_pprof_parts how = { .compression = DDP_LZ4 };
	struct ddp_export_form form = {
		.start_unix_ns = start_unix_ns, .end_unix_ns = end_unix_ns, .tags = &tags,
	};
	struct ddp_error err = { "" };
	int r = make_tags(o, origin, &tags, &err);

	r = r ?: ddp_pprof_encode_parts(p, end_unix_ns, &how, keep_part, &parts, &err);
	r = r ?: send_parts(o, &parts, &form);
	if (r)
		ddp_log_error("cannot encode a profile for upload: %s",
			      err.text[0] ? err.text : strerror(-r));
	return r;
}

/* Profiles of one interval, one a service, have the same number */
static void count_interval(struct ddp_output *o, int64_t end_unix_ns)
{
	if (o->interval_end_unix_ns && o->interval_end_unix_ns != end_unix_ns)
		o->seq++;
	o->interval_end_unix_ns = end_unix_ns;
}

/* What was asked for besides, whose failure is no profile's */
static void look_on(const struct ddp_output *o, const struct ddp_profile *p, int64_t start_unix_ns,
		    int64_t end_unix_ns)
{
	int r = o->show_samples ? ddp_show_samples(p, end_unix_ns) : 0;

	if (r)
		ddp_log_warn("cannot show samples: %s", strerror(-r));
	if (o->prefix)
		to_prefix(o, p, start_unix_ns, end_unix_ns);
}

int ddp_output_profile(struct ddp_output *o, const struct ddp_profile *p,
		       const struct ddp_output_origin *origin, int64_t start_unix_ns,
		       int64_t end_unix_ns)
{
	int file = 0, upload = 0;

	count_interval(o, end_unix_ns);
	look_on(o, p, start_unix_ns, end_unix_ns);
	o->nr_profiles++;
	if (o->path)
		file = to_file(o, p, end_unix_ns);
	if (o->sender)
		upload = to_targets(o, p, origin, start_unix_ns, end_unix_ns);
	if ((o->path && !file) || (o->sender && !upload)) {
		o->nr_failed += file || upload;
		return 0;
	}
	o->nr_profiles -= file || upload; /* the next one takes its place */
	return file ? file : upload;
}

int ddp_output_stats(struct ddp_output *o, size_t i, struct ddp_sender_stats *ret)
{
	return o->sender ? ddp_sender_get_stats(o->sender, i, ret) : -ENOENT;
}

/* How many profiles a target did not take, and never will, but for what made room for others */
static uint64_t count_lost(const struct ddp_sender_stats *s)
{
	uint64_t lost = 0;

	for (int i = 0; i < DDP_SENDER_NR_DROPS; i++)
		if (i != DDP_SENDER_DROP_QUEUE && i != DDP_SENDER_DROP_SPOOL)
			lost += s->dropped[i];
	return lost;
}

void ddp_output_ending(struct ddp_output *o)
{
	struct ddp_sender_stats stats;

	o->failed_before = o->nr_failed;
	for (size_t i = 0; !ddp_output_stats(o, i, &stats); i++)
		o->lost_before[i] = count_lost(&stats);
}

/* @lost: at the end */
static void say_lost(const struct ddp_sender_stats *s, uint64_t lost)
{
	uint64_t all = count_lost(s) + s->dropped[DDP_SENDER_DROP_QUEUE] +
		       s->dropped[DDP_SENDER_DROP_SPOOL];

	if (lost)
		ddp_log_error("%s: %" PRIu64 " profile%s could not be uploaded%s%s", s->target,
			      lost, lost > 1 ? "s" : "", s->last_error[0] ? ", at last: " : "",
			      s->last_error);
	if (all > lost)
		ddp_log_notice("%s: %" PRIu64 " profile%s dropped in this run before its end, or "
			       "to make room for newer ones", s->target, all - lost,
			       all - lost > 1 ? "s were" : " was");
	if (s->spooled)
		ddp_log_notice("%s: %" PRIu64 " profile%s in the spool wait%s for the next start",
			       s->target, s->spooled, s->spooled > 1 ? "s" : "",
			       s->spooled > 1 ? "" : "s");
}

static unsigned int finish_sender(struct ddp_output *o)
{
	struct ddp_sender_stats stats;
	unsigned int lost = 0;

	if (!o->sender)
		return 0;
	ddp_sender_finish(o->sender, FINISH_TIMEOUT_MS);
	for (size_t i = 0; !ddp_sender_get_stats(o->sender, i, &stats); i++) {
		uint64_t at_end = count_lost(&stats) - o->lost_before[i];

		say_lost(&stats, at_end);
		lost += (unsigned int)at_end;
	}
	ddp_sender_destroy(o->sender);
	return lost;
}

unsigned int ddp_output_finish(struct ddp_output *o)
{
	unsigned int failed;

	if (!o)
		return 0;
	failed = finish_sender(o) + o->nr_failed - o->failed_before;
	free(o->service);
	free(o->environment);
	free(o->version);
	free(o->tags);
	free(o->runtime_id);
	free(o->prefix);
	free(o->path);
	free(o);
	return failed;
}

/* Setting up */

/* Better now than when there is a profile to lose */
static int check_folder(const char *path, struct ddp_error *err)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free) char *folder = !slash ? strdup(".") : slash == path ? strdup("/") :
				     strndup(path, (size_t)(slash - path));
	int r;

	if (!folder)
		return -ENOMEM;
	if (!access(folder, W_OK | X_OK))
		return 0;
	r = -errno;
	snprintf(err->text, sizeof(err->text), "--output %.150s: cannot write into the folder: %s",
		 path, strerror(-r));
	return r;
}

static int setup_file(struct ddp_output *o, const char *path, struct ddp_error *err)
{
	if (ddp_compression_from_path(path, &o->compression)) {
		snprintf(err->text, sizeof(err->text), "--output %.150s: the name has to end in "
			 ".pprof, .gz, .lz4, .zst or .pb", path);
		return -EINVAL;
	}
	o->path = strdup(path);
	if (!o->path)
		return -ENOMEM;
	return check_folder(path, err);
}

static int copy_text(char **to, const char *from)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

/* Made once now, so that tags that cannot be used are said before there is a profile */
static int setup_tags(struct ddp_output *o, const struct ddp_output_config *c,
		      struct ddp_error *err)
{
	CLEANUP(ddp_buffer_free) struct ddp_buffer tags = { 0 };
	int r = copy_text(&o->service, c->service);

	r = r ?: copy_text(&o->environment, c->environment);
	r = r ?: copy_text(&o->version, c->version);
	r = r ?: copy_text(&o->tags, c->tags);
	r = r ?: copy_text(&o->runtime_id, c->runtime_id);
	if (r)
		return r;
	o->include_kernel = c->include_kernel;
	if (getrandom(o->run_id, sizeof(o->run_id), 0) != sizeof(o->run_id))
		return -errno;
	return make_tags(o, NULL, &tags, err);
}

static int setup_sender(struct ddp_output *o, const struct ddp_output_config *c,
			struct ddp_error *err)
{
	struct ddp_sender_config sender = {
		.targets = c->targets, .nr_targets = c->nr_targets, .on_event = on_event,
		.replaces = c->replaces ? c->replaces->sender : NULL,
	};
	int r = setup_tags(o, c, err);

	return r ? r : ddp_sender_create(&sender, &o->sender, err);
}

/* Files and intervals are counted on, and a service stays who it is */
static void go_on(struct ddp_output *o, const struct ddp_output *old)
{
	o->seq = old->seq;
	o->interval_end_unix_ns = old->interval_end_unix_ns;
	memcpy(o->run_id, old->run_id, sizeof(o->run_id));
	if (o->path && old->path && !strcmp(o->path, old->path))
		o->nr_profiles = old->nr_profiles;
}

int ddp_output_create(const struct ddp_output_config *c, struct ddp_output **ret,
		      struct ddp_error *err)
{
	struct ddp_output *o = calloc(1, sizeof(*o));
	int r = 0;

	err->text[0] = '\0';
	if (!o)
		return -ENOMEM;
	o->numbered = c->numbered;
	o->show_samples = c->show_samples;
	r = copy_text(&o->prefix, c->prefix);
	if (!r && c->path)
		r = setup_file(o, c->path, err);
	if (!r && c->nr_targets)
		r = setup_sender(o, c, err);
	if (r) {
		if (!err->text[0])
			snprintf(err->text, sizeof(err->text), "cannot set up output: %s",
				 strerror(-r));
		ddp_output_finish(o);
		return r;
	}
	if (c->replaces)
		go_on(o, c->replaces);
	*ret = o;
	return 0;
}
