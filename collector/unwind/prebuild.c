// SPDX-License-Identifier: Apache-2.0
/* See prebuild.h. */
#include "unwind/prebuild.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/table.h"

enum {
	MAX_PROCESSES = 1 << 17,
	MAX_LINES = 1 << 17,	/* of one process; the kernel's default limit is 65530 */
	MAX_STAT_BYTES = 1024,
	MAX_ADDED = 256,	/* files that one process may put on the list: room for others */
};

/* Parsing: what is left of a line */
struct rest {
	const char *at, *end;
};

static bool take(struct rest *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_number(struct rest *s, unsigned int base, uint64_t max, uint64_t *ret)
{
	const char *from = s->at;
	uint64_t n = 0;

	for (; s->at < s->end; s->at++) {
		int d = digit(*s->at);

		if (d < 0 || (unsigned int)d >= base)
			break;
		if (n > (max - (unsigned int)d) / base)
			return false;
		n = n * base + (unsigned int)d;
	}
	*ret = n;
	return s->at > from;
}

static bool take_permissions(struct rest *s, bool *ret_executable)
{
	if (s->end - s->at < 4)
		return false;
	*ret_executable = s->at[2] == 'x';
	s->at += 4;
	return true;
}

int ddp_maps_parse_line(const char *line, size_t len, struct ddp_maps_line *ret)
{
	struct rest s = { line, line + len };
	uint64_t major, minor;

	if (!take_number(&s, 16, UINT64_MAX, &ret->start) || !take(&s, '-') ||
	    !take_number(&s, 16, UINT64_MAX, &ret->end) || !take(&s, ' ') ||
	    !take_permissions(&s, &ret->executable) || !take(&s, ' ') ||
	    !take_number(&s, 16, UINT64_MAX, &ret->offset) || !take(&s, ' ') ||
	    !take_number(&s, 16, UINT32_MAX, &major) || !take(&s, ':') ||
	    !take_number(&s, 16, UINT32_MAX, &minor) || !take(&s, ' ') ||
	    !take_number(&s, 10, UINT64_MAX, &ret->inode) || ret->end <= ret->start)
		return DDP_MAPS_MALFORMED;
	ret->dev_major = (uint32_t)major;
	ret->dev_minor = (uint32_t)minor;
	if (s.at < s.end && *s.at != ' ')
		return DDP_MAPS_MALFORMED;
	while (take(&s, ' '))
		;
	ret->path = s.at;
	ret->path_len = (size_t)(s.end - s.at);
	return DDP_MAPS_OK;
}

/* "PID (name) STATE PARENT ...": a name may have anything in it, but what follows has no ')' */
uint32_t ddp_stat_parse_parent(const char *text, size_t len)
{
	const char *name_end = memrchr(text, ')', len);
	struct rest s = { name_end ? name_end + 1 : text, text + len };
	uint64_t parent;

	if (!name_end || !take(&s, ' ') || s.at == s.end)
		return 0;
	s.at++;
	return take(&s, ' ') && take_number(&s, 10, INT32_MAX, &parent) ? (uint32_t)parent : 0;
}

/* Which processes */

struct pids {
	struct ddp_table parent;	/* pid -> its parent's */
	struct ddp_table wanted;	/* pid -> nothing */
};

static void pids_free(struct pids *p)
{
	ddp_table_free(&p->parent);
	ddp_table_free(&p->wanted);
}
DEFINE_CLEANUP_IN_PLACE(struct pids, pids_free)

static uint32_t read_parent(const struct ddp_prebuild_scope *scope, uint32_t pid)
{
	CLEANUP(close_file) FILE *f = NULL;
	char path[256], text[MAX_STAT_BYTES];

	snprintf(path, sizeof(path), "%.200s/%" PRIu32 "/stat", scope->proc, pid);
	f = fopen(path, "re");
	return f ? ddp_stat_parse_parent(text, fread(text, 1, sizeof(text), f)) : 0;
}

static void close_dir(DIR *d)
{
	if (d)
		closedir(d);
}
DEFINE_CLEANUP(DIR *, close_dir)

static int list_processes(const struct ddp_prebuild_scope *scope, struct pids *p)
{
	CLEANUP(close_dir) DIR *d = opendir(scope->proc);
	const struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (!r && (e = readdir(d)) && p->parent.nr < MAX_PROCESSES) {
		struct rest s = { e->d_name, e->d_name + strlen(e->d_name) };
		uint64_t pid;

		if (!take_number(&s, 10, INT32_MAX, &pid) || s.at != s.end || !pid)
			continue;
		r = ddp_table_set(&p->parent, pid,
				  scope->descendants ? read_parent(scope, (uint32_t)pid) : 0);
	}
	return r;
}

/* Whether @pid, or one that it descends from, is in the scope; parents may change meanwhile */
static bool in_scope(const struct pids *p, uint64_t pid)
{
	for (size_t steps = 0; pid && steps <= p->parent.nr; steps++) {
		const uint64_t *parent = ddp_table_find(&p->parent, pid);

		if (ddp_table_find(&p->wanted, pid))
			return true;
		pid = parent ? *parent : 0;
	}
	return false;
}

/* Which files */

struct scan {
	const struct ddp_prebuild_scope *scope;
	struct ddp_prebuild *found;
	size_t added;			/* files, by the process that is read */
	struct ddp_table by_inode;	/* hash of device and inode -> place in files, + 1 */
};

static uint64_t identity(const struct ddp_maps_line *m)
{
	uint64_t dev = (uint64_t)m->dev_major << 32 | m->dev_minor;
	uint64_t h = (m->inode ^ dev * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;

	return h ? h : 1;
}

static bool same_file(const struct ddp_prebuild_file *f, const struct ddp_maps_line *m)
{
	return f->inode == m->inode && f->dev_major == m->dev_major && f->dev_minor == m->dev_minor;
}

static int add_file(struct scan *s, uint32_t pid, const struct ddp_maps_line *m)
{
	struct ddp_prebuild *p = s->found;
	struct ddp_prebuild_file *more = array_reserve(p->files, &p->cap, p->nr + 1, sizeof(*more));
	char *path = NULL;

	if (!more)
		return -ENOMEM;
	p->files = more;
	if (m->path_len && m->path[0] == '/' && m->path_len <= DDP_PREBUILD_MAX_PATH) {
		path = strndup(m->path, m->path_len);
		if (!path)
			return -ENOMEM;
	}
	p->files[p->nr++] = (struct ddp_prebuild_file){
		.inode = m->inode, .start = m->start, .end = m->end, .dev_major = m->dev_major,
		.dev_minor = m->dev_minor, .pid = pid, .last_pid = pid, .users = 1, .path = path,
	};
	return ddp_table_set(&s->by_inode, identity(m), p->nr);
}

/* A process counts once, however often it maps the file; processes come one after the other */
static void add_user(struct ddp_prebuild_file *f, uint32_t pid)
{
	f->users += f->last_pid != pid;
	f->last_pid = pid;
}

static int on_mapping(struct scan *s, uint32_t pid, const struct ddp_maps_line *m)
{
	const uint64_t *place;

	if (!m->executable || !m->inode)
		return 0;
	place = ddp_table_find(&s->by_inode, identity(m));
	if (place && same_file(&s->found->files[*place - 1], m)) {
		add_user(&s->found->files[*place - 1], pid);
		return 0;
	}
	/* one whose hash another has is left out as well: it is met by a sample */
	if (place || s->found->nr >= DDP_PREBUILD_MAX_FILES || s->added >= MAX_ADDED)
		return 0;
	s->added++;
	return add_file(s, pid, m);
}

static int scan_process(struct scan *s, uint32_t pid)
{
	CLEANUP(close_file) FILE *f = NULL;
	CLEANUP(free) char *line = NULL;
	struct ddp_maps_line m;
	char path[256];
	size_t cap = 0;
	int r = 0;

	snprintf(path, sizeof(path), "%.200s/%" PRIu32 "/maps", s->scope->proc, pid);
	f = fopen(path, "re");
	s->added = 0;
	for (int i = 0; f && !r && i < MAX_LINES; i++) {
		ssize_t n = getline(&line, &cap, f);

		if (n <= 0)
			break;
		n -= line[n - 1] == '\n';
		if (ddp_maps_parse_line(line, (size_t)n, &m) == DDP_MAPS_OK)
			r = on_mapping(s, pid, &m);
	}
	return r;
}

static int by_users(const void *a, const void *b)
{
	const struct ddp_prebuild_file *x = a, *y = b;

	return x->users > y->users ? -1 : x->users < y->users;
}

static int scan_processes(struct scan *s, const struct pids *p)
{
	const struct ddp_prebuild_scope *scope = s->scope;
	int r = 0;

	ddp_table_for_each(&p->parent, slot) {
		if (r || (scope->enough && scope->enough(scope->ctx)))
			break;
		if (!scope->nr_pids || in_scope(p, slot->key))
			r = scan_process(s, (uint32_t)slot->key);
	}
	return r;
}

int ddp_prebuild_scan(const struct ddp_prebuild_scope *scope, struct ddp_prebuild *ret)
{
	CLEANUP(ddp_prebuild_free) struct ddp_prebuild found = { 0 };
	CLEANUP(pids_free) struct pids pids = { 0 };
	struct scan s = { .scope = scope, .found = &found };
	int r = list_processes(scope, &pids);

	for (size_t i = 0; !r && i < scope->nr_pids; i++)
		r = scope->pids[i] ? ddp_table_set(&pids.wanted, scope->pids[i], 0) : 0;
	r = r ?: scan_processes(&s, &pids);
	ddp_table_free(&s.by_inode);
	if (r)
		return r;
	if (found.nr)
		qsort(found.files, found.nr, sizeof(*found.files), by_users);
	*ret = found;
	found = (struct ddp_prebuild){ 0 };
	return 0;
}

void ddp_prebuild_free(struct ddp_prebuild *p)
{
	for (size_t i = 0; i < p->nr; i++)
		free(p->files[i].path);
	free(p->files);
	*p = (struct ddp_prebuild){ 0 };
}

/* Opening */

/*
 * First looked at without being opened: to open a device or a pipe can do things. A subvolume's
 * device number differs from what stat says, so that is compared only where a path could lead to
 * another file.
 */
static int open_checked(const char *path, const struct ddp_prebuild_file *f, bool compare_device)
{
	CLEANUP(close_fd) int place = open(path, O_PATH | O_CLOEXEC);
	char link[32];
	struct stat st;
	int fd;

	if (place < 0 || fstat(place, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_ino != f->inode ||
	    (compare_device && (major(st.st_dev) != f->dev_major ||
				minor(st.st_dev) != f->dev_minor)))
		return -ESTALE;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int ddp_prebuild_open(const char *proc, const struct ddp_prebuild_file *f)
{
	char path[256 + DDP_PREBUILD_MAX_PATH];
	int fd;

	snprintf(path, sizeof(path), "%.200s/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, proc,
		 f->pid, f->start, f->end);
	fd = open_checked(path, f, false);
	if (fd >= 0 || !f->path)
		return fd;
	snprintf(path, sizeof(path), "%.200s/%" PRIu32 "/root%s", proc, f->pid, f->path);
	return open_checked(path, f, true);
}
