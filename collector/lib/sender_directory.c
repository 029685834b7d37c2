// SPDX-License-Identifier: Apache-2.0
/*
 * See sender_directory.h. How much there is is counted, not looked at, for each file: the folder is
 * only read when something has to go, and then somewhat more goes than has to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "ddprof/compress.h"
#include "error.h"
#include "sender_directory.h"

#define NS_PER_S 1000000000LL

enum {
	END_CHARS_MAX = 10,
	YEAR_MAX = 2261,		/* nanoseconds since 1970 end in the next one */
	WORD_CHARS_MAX = 64,		/* of a service or an id, in a name */
	AGE_CHECK_S = 60,
};

struct ddp__directory {
	const struct ddp__system *sys;
	int folder;
	char *path;
	uint64_t max_bytes;
	uint32_t max_age_s;
	struct ddp__directory_counts counts;
	int64_t next_age_check_ns;	/* monotonic */
};

DEFINE_CLEANUP(struct ddp__directory *, ddp__directory_close)

static const char *const ends[] = {
	[DDP_PLAIN] = ".pb", [DDP_GZIP] = ".pprof", [DDP_LZ4] = ".pprof.lz4",
	[DDP_ZSTD] = ".pprof.zst",
};

/* Names */

/* Up to @n bytes of what tells services apart, whatever is in them */
static void put_word(char *ret, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < WORD_CHARS_MAX; i++)
		ret[i] = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			 (s[i] >= '0' && s[i] <= '9') || s[i] == '.' || s[i] == '_' ||
			 s[i] == '-' ? s[i] : '_';
	ret[i] = '\0';
}

static void service_of(const struct ddp_buffer *tags, char ret[WORD_CHARS_MAX + 1])
{
	static const char key[] = "service:";
	size_t n = strlen(key), at = 0, end;

	put_word(ret, "profile", 7);
	for (; tags && at < tags->len; at = end + 1) {
		const char *tag = (const char *)tags->bytes + at;
		const char *comma = memchr(tag, ',', tags->len - at);

		end = comma ? at + (size_t)(comma - tag) : tags->len;
		if (end - at > n && !memcmp(tag, key, n)) {
			put_word(ret, tag + n, end - at - n);
			return;
		}
	}
}

static int name_of(const struct ddp_export_form *f, char ret[FOLDER_NAME_MAX + 1])
{
	char service[WORD_CHARS_MAX + 1], id[WORD_CHARS_MAX + 1], seconds[32];
	time_t s = f->start_unix_ns / NS_PER_S;
	struct tm tm;

	if (f->start_unix_ns < 0 || !gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900)
		return -EINVAL;
	strftime(seconds, sizeof(seconds), "%Y%m%dT%H%M%S", &tm);
	service_of(f->tags, service);
	put_word(id, f->id ? f->id : "", f->id ? strlen(f->id) : 0);
	snprintf(ret, FOLDER_NAME_MAX + 1, "%s.%03dZ-%s-%s%s", seconds,
		 (int)(f->start_unix_ns % NS_PER_S / 1000000), service, id,
		 ends[ddp_compression_detect(f->profile, f->profile_bytes)]);
	return 0;
}

static bool has_our_form(const char *name)
{
	static const char form[] = "00000000T000000.000Z-";
	size_t n = strlen(name), i;

	if (n > FOLDER_NAME_MAX || n < strlen(form) + END_CHARS_MAX)
		return false;
	for (i = 0; form[i]; i++)
		if (form[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
			return false;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(name + n - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

/* Whether a name is one of ours, and the time that it begins with */
static bool parse_name(const char *name, int64_t *ret_unix_ns)
{
	struct tm tm = { 0 };
	int ms;

	if (!has_our_form(name) ||
	    sscanf(name, "%4d%2d%2dT%2d%2d%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) != 7 || tm.tm_year > YEAR_MAX)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*ret_unix_ns = timegm(&tm) * NS_PER_S + ms * 1000000LL;
	return true;
}

/* Keeping below the limits */

struct file {
	char name[FOLDER_NAME_MAX + 1];
	int64_t unix_ns;
	uint64_t bytes;
};

struct listing {
	const struct ddp__directory *d;
	DDP_VEC(struct file) files;
	uint64_t bytes;
};

static int list_file(void *ctx, const char *name)
{
	struct listing *l = ctx;
	struct file *f;
	struct stat st;
	int64_t unix_ns;
	int r;

	if (!parse_name(name, &unix_ns) ||
	    fstatat(l->d->folder, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return 0;
	r = VEC_RESERVE(&(struct ddp__budget){ 0 }, &l->files, 1);
	if (r)
		return r;
	f = &l->files.at[l->files.nr++];
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->unix_ns = unix_ns;
	f->bytes = folder_block_bytes((uint64_t)st.st_size);
	l->bytes += f->bytes;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* Leaves @aim bytes at most, and nothing from before @oldest_unix_ns */
static void remove_oldest(struct ddp__directory *d, const struct listing *l, uint64_t aim,
			  int64_t oldest_unix_ns)
{
	const struct file *f = l->files.at;

	d->counts.bytes = l->bytes;
	d->counts.files = l->files.nr;
	for (; f < l->files.at + l->files.nr; f++) {
		if (d->counts.bytes <= aim && f->unix_ns >= oldest_unix_ns)
			break;
		if (d->sys->remove(d->sys->ctx, d->folder, f->name))
			continue;
		d->counts.bytes -= f->bytes;
		d->counts.files--;
		d->counts.removed++;
	}
}

static int64_t oldest_unix_ns(const struct ddp__directory *d)
{
	if (!d->max_age_s)
		return INT64_MIN;
	return d->sys->unix_ns(d->sys->ctx) - d->max_age_s * NS_PER_S;
}

static int make_room(struct ddp__directory *d, uint64_t aim)
{
	struct listing l = { .d = d };
	int r = ddp__folder_list(d->folder, list_file, &l);

	if (!r && l.files.nr)
		qsort(l.files.at, l.files.nr, sizeof(*l.files.at), by_name);
	if (!r)
		remove_oldest(d, &l, aim, oldest_unix_ns(d));
	VEC_FREE(&l.files);
	return r;
}

/* For @bytes more */
static int keep_limits(struct ddp__directory *d, uint64_t bytes)
{
	int64_t now = d->sys->monotonic_ns(d->sys->ctx);
	uint64_t left = d->max_bytes - bytes;

	if (d->counts.bytes > left) /* some more than has to: the folder is not read each time */
		return make_room(d, left - left / 16);
	if (!d->max_age_s || now < d->next_age_check_ns)
		return 0;
	d->next_age_check_ns = now + AGE_CHECK_S * NS_PER_S;
	return make_room(d, left);
}

/* Writing */

static int refuse(const struct ddp__directory *d, struct ddp_export_result *ret, int outcome,
		  const char *why)
{
	snprintf(ret->message, sizeof(ret->message), "%.200s: %s", d->path, why);
	return outcome;
}

int ddp__directory_put(struct ddp__directory *d, const struct ddp_export_form *form,
		       struct ddp_export_result *ret)
{
	uint64_t bytes = folder_block_bytes(form->profile_bytes);
	char name[FOLDER_NAME_MAX + 1];
	struct stat st;
	bool again;
	int r = name_of(form, name);

	if (r)
		return r;
	if (bytes > d->max_bytes)
		return refuse(d, ret, DDP_EXPORT_REFUSED, "larger than the folder may be");
	r = keep_limits(d, bytes);
	again = !fstatat(d->folder, name, &st, AT_SYMLINK_NOFOLLOW);
	if (!r)
		r = ddp__folder_put(d->sys, d->folder, name, form->profile, form->profile_bytes);
	if (r)
		return refuse(d, ret, DDP_EXPORT_RETRY, strerror(-r));
	if (!again) {
		d->counts.files++;
		d->counts.bytes += bytes;
	}
	return DDP_EXPORT_OK;
}

void ddp__directory_count(const struct ddp__directory *d, struct ddp__directory_counts *ret)
{
	*ret = d->counts;
}

/* Opening */

/* Of ours only: the folder may be used for other things as well */
static int remove_part(void *ctx, const char *name)
{
	struct ddp__directory *d = ctx;
	size_t n = strlen(name), part = strlen(FOLDER_PART);
	char whole[FOLDER_NAME_MAX + 1];
	int64_t unix_ns;

	if (n <= part || n - part > FOLDER_NAME_MAX || strcmp(name + n - part, FOLDER_PART))
		return 0;
	snprintf(whole, sizeof(whole), "%.*s", (int)(n - part), name);
	if (parse_name(whole, &unix_ns))
		d->sys->remove(d->sys->ctx, d->folder, name);
	return 0;
}

static int begin(struct ddp__directory *d)
{
	int r = ddp__folder_list(d->folder, remove_part, d);

	return r ? r : make_room(d, d->max_bytes);
}

int ddp__directory_open(const struct ddp__system *sys, const char *path, uint64_t max_bytes,
			uint32_t max_age_s, struct ddp__directory **ret, struct ddp_error *err)
{
	CLEANUP(ddp__directory_close) struct ddp__directory *d = ddp__alloc(sizeof(*d));
	size_t n = strlen(path) + 1;
	int r;

	if (!d)
		return ddp__fail(err, -ENOMEM, "out of memory");
	*d = (struct ddp__directory){ .sys = sys, .folder = -1, .max_bytes = max_bytes,
				      .max_age_s = max_age_s, .path = ddp__alloc(n) };
	if (!d->path)
		return ddp__fail(err, -ENOMEM, "out of memory");
	memcpy(d->path, path, n);
	r = d->folder = ddp__folder_open(path, err);
	if (r < 0)
		return r;
	r = begin(d);
	if (r)
		return ddp__fail(err, r, "folder %.120s: %s", path, strerror(-r));
	*ret = TAKE(d);
	return 0;
}

void ddp__directory_close(struct ddp__directory *d)
{
	if (!d)
		return;
	close_fd(d->folder);
	ddp__free(d->path);
	ddp__free(d);
}
