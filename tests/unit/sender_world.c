// SPDX-License-Identifier: Apache-2.0
/* See sender_world.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sender_world.h"

#define START_UNIX_NS 1767323045000000006LL

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

/* The system */

static int64_t monotonic_ns(void *ctx)
{
	return ((struct world *)ctx)->now_ns;
}

static int64_t unix_ns(void *ctx)
{
	return START_UNIX_NS + ((struct world *)ctx)->now_ns;
}

static uint64_t random_number(void *ctx)
{
	uint64_t v = ((struct world *)ctx)->seed += 0x9e3779b97f4a7c15; /* splitmix64 */

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

/* Whether the world still stands; one change less that it will see */
static bool stands(struct world *w)
{
	if (w->changes_left > 0)
		w->changes_left--;
	else if (!w->changes_left)
		return false;
	return true;
}

static struct world_file *find_file(struct world *w, const char *name)
{
	for (uint32_t i = w->nr_files; i--;)
		if (!strcmp(w->files[i].name, name))
			return &w->files[i];
	return NULL;
}

static void forget_file(struct world *w, struct world_file *f)
{
	if (f)
		*f = w->files[--w->nr_files];
}

static int create_file(void *ctx, int folder, const char *name)
{
	struct world *w = ctx;
	int fd = stands(w) ? ddp__system_real.create(NULL, folder, name) : -EIO;

	if (fd < 0)
		return fd;
	need(w->nr_files < WORLD_MAX_FILES, "another file");
	w->files[w->nr_files] = (struct world_file){ .fd = fd };
	snprintf(w->files[w->nr_files++].name, sizeof(w->files[0].name), "%s", name);
	return fd;
}

/* As much as there is room for, or as is written before the end */
static ssize_t write_file(void *ctx, int fd, const void *bytes, size_t n)
{
	struct world *w = ctx;

	if (w->changes_left >= 0 && (uint64_t)w->changes_left < n)
		n = (size_t)w->changes_left;
	if (!n)
		return -EIO;
	if (w->room_bytes >= 0 && (uint64_t)w->room_bytes < n)
		n = (size_t)w->room_bytes;
	if (!n)
		return -ENOSPC;
	if (w->changes_left > 0)
		w->changes_left -= (int64_t)n;
	if (w->room_bytes > 0)
		w->room_bytes -= (int64_t)n;
	return ddp__system_real.write(NULL, fd, bytes, n);
}

/* A folder's sync makes names safe, a file's what is in it */
static int sync_file(void *ctx, int fd)
{
	struct world *w = ctx;
	struct stat st;

	if (!stands(w))
		return -EIO;
	need(!fstat(fd, &st), "fstat");
	for (uint32_t i = w->nr_files; i--;) {
		struct world_file *f = &w->files[i];

		if (S_ISDIR(st.st_mode))
			f->name_synced = f->renamed;
		else if (f->fd == fd && !f->renamed)
			f->data_synced = true;
		if (f->name_synced && f->data_synced)
			forget_file(w, f);
	}
	return 0;
}

static int rename_file(void *ctx, int folder, const char *from, const char *to)
{
	struct world *w = ctx;
	struct world_file *f = find_file(w, from);
	int r = stands(w) ? ddp__system_real.rename(NULL, folder, from, to) : -EIO;

	if (!r && f) {
		f->renamed = true;
		snprintf(f->name, sizeof(f->name), "%s", to);
	}
	return r;
}

static int remove_file(void *ctx, int folder, const char *name)
{
	struct world *w = ctx;
	int r = stands(w) ? ddp__system_real.remove(NULL, folder, name) : -EIO;

	if (!r)
		forget_file(w, find_file(w, name));
	return r;
}

void world_cut_power(struct world *w, const char *name)
{
	char path[512];

	for (; w->nr_files; w->nr_files--) {
		const struct world_file *f = &w->files[w->nr_files - 1];

		snprintf(path, sizeof(path), "%s/%s/%s", w->folder, name, f->name);
		if (!f->name_synced)
			need(!unlink(path), path);
		else
			need(!truncate(path, 0), path);
	}
}

/* The receiver */

static struct world_batch *find(struct world *w, const char *id)
{
	for (uint32_t i = 0; i < w->nr; i++)
		if (!strcmp(w->batches[i].id, id))
			return &w->batches[i];
	return NULL;
}

static void arrive(struct world *w, const char *id)
{
	struct world_batch *b = find(w, id);

	need(b, "a batch that nobody added");
	if (b->nr_arrived++) {
		w->nr_duplicates++;
		return;
	}
	w->order[w->nr_order++] = (uint32_t)(b - w->batches);
}

static int send_form(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret)
{
	struct world *w = ctx;
	int answer = w->answer;

	w->nr_sends++;
	w->last_send_ns = w->now_ns;
	if (w->now_ns >= w->out_from_ns && w->now_ns < w->out_until_ns)
		answer = DDP_EXPORT_RETRY;
	if (answer == DDP_EXPORT_OK)
		arrive(w, form->id);
	else
		snprintf(ret->message, sizeof(ret->message), "the receiver says %d", answer);
	if (answer == DDP_EXPORT_RETRY)
		ret->retry_after_ms = w->retry_after_ms;
	if (w->during_send)
		world_add(w, w->during_send, 1);
	if (w->dies_when_sent)
		w->changes_left = 0;
	return answer;
}

static void on_event(void *ctx, const struct ddp_sender_event *e)
{
	struct world *w = ctx;
	struct world_batch *b = find(w, e->id);

	w->events[e->kind]++;
	need(e->count, "an event without a count");
	if (e->message[0])
		snprintf(w->said, sizeof(w->said), "%s", e->message);
	if (b && e->kind == DDP_SENDER_STORED)
		b->nr_stored++;
	if (b && e->kind == DDP_SENDER_DROPPED) {
		b->nr_dropped++;
		b->reason = e->reason;
	}
}

/* Running */

int world_try_target(struct world *w, struct ddp_sender_target *config, struct ddp__target **ret,
		     struct ddp_error *err)
{
	struct ddp__listener listener = { on_event, w };

	if (config->name && !config->directory && !config->exporter) {
		config->send = send_form;
		config->ctx = w;
	}
	return ddp__target_create(&w->sys, config, &listener, ret, err);
}

struct ddp__target *world_target(struct world *w, struct ddp_sender_target *config)
{
	struct ddp_error err = { "" };
	struct ddp__target *t;

	if (world_try_target(w, config, &t, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return t;
}

struct ddp__batch *world_batch(struct world *w, size_t bytes)
{
	struct ddp_buffer tags = { 0 };
	struct ddp_export_form form = {
		.start_unix_ns = unix_ns(w), .end_unix_ns = unix_ns(w) + 1, .tags = &tags,
		.profile = calloc(1, bytes), .profile_bytes = bytes,
	};
	struct world_batch *b = &w->batches[w->nr];
	struct ddp__batch *ret;

	need(w->nr < WORLD_MAX_BATCHES && form.profile, "another batch");
	snprintf(b->id, sizeof(b->id), "00000000-0000-4000-8000-%012u", w->nr++);
	need(!ddp_tags_add(&tags, "service", "test") && !ddp__batch_create(&form, b->id, &ret),
	     "another batch");
	free((void *)form.profile);
	ddp_buffer_free(&tags);
	return ret;
}

uint32_t world_add(struct world *w, struct ddp__target *t, size_t bytes)
{
	struct ddp__batch *b = world_batch(w, bytes);

	ddp__target_add(t, b);
	ddp__batch_unref(b);
	return w->nr - 1;
}

int64_t world_settle(struct ddp__target *t, const struct world *w)
{
	int64_t next;

	do
		next = ddp__target_step(t);
	while (next != TARGET_ENDED && next <= w->now_ns);
	return next;
}

void world_run(struct world *w, struct ddp__target *t, uint32_t seconds)
{
	int64_t end = w->now_ns + seconds * 1000000000LL, next;

	while (w->now_ns < end) {
		next = world_settle(t, w);
		if (next == TARGET_ENDED)
			return;
		w->now_ns = next < end ? next : end;
	}
	world_settle(t, w);
}

uint32_t world_count(const struct world *w, enum world_fate fate)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < w->nr; i++) {
		bool arrived = w->batches[i].nr_arrived, dropped = w->batches[i].nr_dropped;

		nr += fate == WORLD_ARRIVED ? arrived :
		      fate == WORLD_DROPPED ? dropped :
		      fate == WORLD_BOTH ? arrived && dropped : !arrived && !dropped;
	}
	return nr;
}

struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof(*w));

	need(w, "world");
	w->sys = (struct ddp__system){
		.monotonic_ns = monotonic_ns, .unix_ns = unix_ns, .random = random_number,
		.create = create_file, .write = write_file, .sync = sync_file,
		.rename = rename_file, .remove = remove_file, .ctx = w,
	};
	w->seed = 1;
	w->now_ns = 1000000000;
	w->changes_left = w->room_bytes = -1;
	snprintf(w->folder, sizeof(w->folder), "/tmp/test_sender.XXXXXX");
	need(mkdtemp(w->folder), w->folder);
	return w;
}

const char *world_path(struct world *w, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	return path;
}

static void remove_all(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	char inner[512];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
		if (unlink(inner))
			remove_all(inner);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

void world_destroy(struct world *w)
{
	remove_all(w->folder);
	free(w);
}
