// SPDX-License-Identifier: Apache-2.0
/* See process.h. */
#include "core/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/array.h"
#include "core/log.h"

static size_t descriptor_share(void)
{
	enum { WANTED = 2 * DDP_MAX_HELD_FDS };
	struct rlimit now, more;

	if (getrlimit(RLIMIT_NOFILE, &now))
		return 0;
	more = now;
	more.rlim_cur = now.rlim_max < WANTED ? now.rlim_max : WANTED;
	if (now.rlim_cur < more.rlim_cur && !setrlimit(RLIMIT_NOFILE, &more))
		now = more;
	return now.rlim_cur < WANTED ? now.rlim_cur / 2 : DDP_MAX_HELD_FDS;
}

void ddp_process_init(struct ddp_process *p,
		      int (*open_file)(void *ctx, uint64_t file_id, int *ret), void *ctx)
{
	*p = (struct ddp_process){ .open_file = open_file, .ctx = ctx,
				   .max_fds = descriptor_share() };
}

/* Files */

static size_t object_bytes(const struct ddp_object *o)
{
	return sizeof(*o) + strlen(o->path) + 1;
}

static void object_close(struct ddp_process *p, struct ddp_object *o)
{
	if (o->fd < 0)
		return;
	close_fd(TAKE_FD(o->fd));
	p->nr_fds--;
}

static void symbols_drop(struct ddp_process *p, struct ddp_object *o)
{
	if (!o->elf)
		return;
	p->symbol_bytes -= ddp_elf_bytes(o->elf);
	ddp_elf_close(TAKE(o->elf));
	o->elf_tried = false; /* read again from its descriptor when it is asked for */
}

static void object_destroy(struct ddp_process *p, struct ddp_object *o)
{
	object_close(p, o);
	symbols_drop(p, o);
	free(o);
}

static struct ddp_object *object_find(const struct ddp_process *p, uint64_t file_id)
{
	const uint64_t *o = ddp_table_find(&p->objects, file_id);

	return o ? ddp_table_pointer(*o) : NULL;
}

/* How much a descriptor would be missed; most where symbols were not read yet */
static int need(const struct ddp_object *o)
{
	if (!o->refs && !o->fresh)
		return 0;
	if (!o->elf_tried)
		return 3;
	return o->flags & DDPROF_FILE_DELETED ? 2 : 1; /* for symbols that the limit drops */
}

static void make_room(struct ddp_process *p)
{
	size_t aim = p->max_fds / 2;

	for (int n = 0; n < 3; n++) {
		ddp_table_for_each(&p->objects, slot) {
			struct ddp_object *o = ddp_table_pointer(slot->value);

			if (p->nr_fds > aim && need(o) <= n)
				object_close(p, o);
		}
	}
	/* a look at every file pays only if many descriptors come of it */
	p->crowded = p->nr_fds > aim + aim / 2;
}

static int fetch(struct ddp_process *p, struct ddp_object *o)
{
	int r = p->open_file(p->ctx, o->file_id, &o->fd);

	if ((r == -EMFILE || r == -ENFILE) && p->nr_fds) {
		p->max_fds = p->nr_fds; /* others need more than their half */
		make_room(p);
		r = p->open_file(p->ctx, o->file_id, &o->fd);
	}
	if (r)
		o->fd = -1;
	return r;
}

/* The module holds the file for a limited time only, so it is fetched at once */
static void hold(struct ddp_process *p, struct ddp_object *o)
{
	int r;

	if (!(o->flags & DDPROF_FILE_OPENABLE) || !p->open_file)
		return;
	if (p->nr_fds >= p->max_fds && !p->crowded)
		make_room(p);
	if (p->nr_fds >= p->max_fds)
		return; /* its path may do */
	r = fetch(p, o);
	if (r)
		ddp_log_debug("%s: the module does not hand it over: %s", o->path, strerror(-r));
	else
		p->nr_fds++;
}

int ddp_process_file(struct ddp_process *p, const struct ddp_file *f)
{
	struct ddp_object *o;
	int r;

	if (object_find(p, f->file_id))
		return 0; /* said again after a resync */
	if (p->objects.nr >= DDP_MAX_OBJECTS) {
		p->counts.refused_files++;
		return 0; /* its mappings stay without a name */
	}
	o = calloc(1, sizeof(*o) + f->path_len + 1);
	if (!o)
		return -ENOMEM;
	o->file_id = f->file_id;
	o->inode = f->inode;
	o->size = f->size;
	o->mtime_ns = f->mtime_ns;
	o->dev_major = f->dev_major;
	o->dev_minor = f->dev_minor;
	o->flags = f->flags;
	o->fd = -1;
	o->fresh = true;
	memcpy(o->path, f->path, f->path_len);
	r = ddp_table_set(&p->objects, o->file_id, ddp_table_value(o));
	if (r) {
		free(o);
		return r;
	}
	p->bytes += object_bytes(o);
	hold(p, o);
	return 0;
}

/* The device number of a subvolume differs from what stat says, so it is not compared */
static bool is_same(const struct ddp_object *o, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_ino == o->inode && (uint64_t)st->st_size == o->size &&
	       (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec ==
		       o->mtime_ns;
}

/*
 * By path, if that is still the same file. Its owner may have put anything there meanwhile, and to
 * open a device or a pipe can do things: first it is looked at without being opened.
 */
static int open_by_path(const struct ddp_object *o)
{
	CLEANUP(close_fd) int place = -1;
	char link[32];
	struct stat st;
	int fd;

	if (o->flags & DDPROF_FILE_DELETED || !(o->flags & DDPROF_FILE_OPENABLE))
		return -ENOENT;
	place = open(o->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0 || fstat(place, &st))
		return -errno;
	if (!is_same(o, &st))
		return -ESTALE;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* The longest unused goes first, and of those that one profile uses the largest */
static bool goes_before(const struct ddp_object *a, const struct ddp_object *b)
{
	if (a->used != b->used)
		return a->used < b->used;
	return ddp_elf_bytes(a->elf) > ddp_elf_bytes(b->elf);
}

/* @keep may be NULL */
static void symbols_trim(struct ddp_process *p, const struct ddp_object *keep, size_t max_bytes)
{
	while (p->symbol_bytes > max_bytes) {
		struct ddp_object *first = NULL;

		ddp_table_for_each(&p->objects, slot) {
			struct ddp_object *o = ddp_table_pointer(slot->value);

			if (o->elf && o != keep && (!first || goes_before(o, first)))
				first = o;
		}
		if (!first)
			return;
		symbols_drop(p, first);
	}
}

static int symbols_read(struct ddp_process *p, struct ddp_object *o, int fd)
{
	int r = ddp_elf_open(fd, &o->elf);

	if (r)
		return r;
	p->symbol_bytes += ddp_elf_bytes(o->elf);
	symbols_trim(p, o, DDP_MAX_SYMBOL_BYTES);
	return 0;
}

struct ddp_elf *ddp_object_elf(struct ddp_process *p, struct ddp_object *o, uint64_t profile_nr)
{
	CLEANUP(close_fd) int by_path = -1;
	int r;

	o->used = profile_nr;
	if (o->elf_tried)
		return o->elf;
	o->elf_tried = true;
	if (o->fd < 0)
		by_path = open_by_path(o);
	if (o->fd < 0 && by_path < 0) {
		ddp_log_debug("%s: no symbols: %s", o->path, strerror(-by_path));
		return NULL;
	}
	r = symbols_read(p, o, o->fd >= 0 ? o->fd : by_path);
	if (r)
		ddp_log_debug("%s: no symbols: %s", o->path, strerror(-r));
	return o->elf;
}

/* Address spaces */

static void ranges_free(struct ddp_range *ranges, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (ranges[i].object)
			ranges[i].object->refs--;
	free(ranges);
}

static void coming_free(struct ddp_aspace_state *a)
{
	ranges_free(TAKE(a->coming), a->nr_coming);
	a->nr_coming = a->cap_coming = 0;
}

static void aspace_destroy(struct ddp_aspace_state *a)
{
	ranges_free(a->ranges, a->nr_ranges);
	coming_free(a);
	ddp_table_free(&a->locations);
	free(a);
}

struct ddp_aspace_state *ddp_process_find(const struct ddp_process *p, uint64_t aspace)
{
	const uint64_t *a = ddp_table_find(&p->aspaces, aspace);

	return a ? ddp_table_pointer(*a) : NULL;
}

static int aspace_get(struct ddp_process *p, const struct ddp_aspace *said,
		      struct ddp_aspace_state **ret)
{
	struct ddp_aspace_state *a = ddp_process_find(p, said->aspace);

	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->id = said->aspace;
		if (ddp_table_set(&p->aspaces, a->id, ddp_table_value(a))) {
			free(a);
			return -ENOMEM;
		}
		p->bytes += sizeof(*a);
	}
	a->tgid = said->tgid;
	*ret = a;
	return 0;
}

/* First range that ends after @address, or nr */
static uint32_t lower_bound(const struct ddp_range *ranges, uint32_t nr, uint64_t address)
{
	uint32_t low = 0;

	while (low < nr) {
		uint32_t middle = low + (nr - low) / 2;

		if (ranges[middle].start + ranges[middle].length <= address)
			low = middle + 1;
		else
			nr = middle;
	}
	return low;
}

static bool covered(const struct ddp_range *ranges, uint32_t nr, const struct ddp_range *by)
{
	uint32_t i = lower_bound(ranges, nr, by->start);

	return i < nr && ranges[i].start < by->start + by->length;
}

static int by_start(const void *a, const void *b)
{
	const struct ddp_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorted and without overlaps; of two that overlap, which a kernel never sends, the first stays */
static uint32_t tidy(struct ddp_range *ranges, uint32_t nr)
{
	uint32_t kept = 0;

	/* the kernel lists them in order */
	for (uint32_t i = 1; i < nr; i++) {
		if (ranges[i].start >= ranges[i - 1].start)
			continue;
		qsort(ranges, nr, sizeof(*ranges), by_start);
		break;
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (!ranges[i].length || (kept && covered(ranges, kept, &ranges[i]))) {
			if (ranges[i].object)
				ranges[i].object->refs--;
			continue;
		}
		ranges[kept++] = ranges[i];
	}
	return kept;
}

/*
 * A program can map and unmap as fast as it likes: over the limit the ranges go that were stale
 * already before this layout.
 */
static bool keep_stale(struct ddp_process *p, const struct ddp_aspace_state *a)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < a->nr_ranges; i++)
		nr += a->ranges[i].stale;
	if (nr <= DDP_MAX_STALE_RANGES)
		return true;
	p->counts.forgotten_ranges += nr;
	return false;
}

/* What comes and what it does not cover of the old, both in order. @return how many */
static uint32_t merge(struct ddp_aspace_state *a, bool stale, struct ddp_range *ret)
{
	uint32_t i = 0, n = 0;

	for (uint32_t k = 0; k < a->nr_ranges; k++) {
		const struct ddp_range *old = &a->ranges[k];

		if ((old->stale && !stale) || covered(a->coming, a->nr_coming, old)) {
			if (old->object)
				old->object->refs--;
			continue;
		}
		while (i < a->nr_coming && a->coming[i].start < old->start)
			ret[n++] = a->coming[i++];
		ret[n] = *old;
		ret[n++].stale = true;
	}
	while (i < a->nr_coming)
		ret[n++] = a->coming[i++];
	return n;
}

/* The list is complete: it becomes the layout, beside what it does not cover of the old one */
static int commit(struct ddp_process *p, struct ddp_aspace_state *a)
{
	struct ddp_range *merged;
	uint32_t nr;

	a->nr_coming = tidy(a->coming, a->nr_coming);
	merged = calloc((size_t)a->nr_coming + a->nr_ranges + 1, sizeof(*merged));
	if (!merged)
		return -ENOMEM;
	nr = merge(a, keep_stale(p, a), merged);
	p->bytes += nr * sizeof(*merged);
	p->bytes -= a->nr_ranges * sizeof(*merged);
	free(a->ranges);
	free(a->coming);
	a->ranges = merged;
	a->nr_ranges = nr;
	a->coming = NULL;
	a->nr_coming = a->cap_coming = 0;
	return 0;
}

int ddp_process_aspace(struct ddp_process *p, const struct ddp_aspace *said)
{
	struct ddp_aspace_state *a;
	int r;

	if (said->flags & DDPROF_ASPACE_GONE) {
		a = ddp_process_find(p, said->aspace);
		if (a)
			a->gone = true;
		return 0;
	}
	r = aspace_get(p, said, &a);
	if (r)
		return r;
	coming_free(a);
	a->layout = said->layout;
	p->counts.partial_lists += !!(said->flags & DDPROF_ASPACE_PARTIAL);
	return said->nr_maps ? 0 : commit(p, a);
}

int ddp_process_map(struct ddp_process *p, const struct ddp_map *m, uint32_t left)
{
	struct ddp_aspace_state *a = ddp_process_find(p, m->aspace);
	struct ddp_range *range, *more;

	if (!a)
		return 0; /* its ASPACE was lost, or it is gone */
	more = array_reserve(a->coming, &a->cap_coming, a->nr_coming + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->coming = more;
	range = &a->coming[a->nr_coming++];
	*range = (struct ddp_range){
		.start = m->start, .length = m->length, .file_offset = m->file_offset,
		.object = m->file_id ? object_find(p, m->file_id) : NULL,
	};
	if (range->object)
		range->object->refs++;
	else
		snprintf(range->name, sizeof(range->name), "%.*s", (int)m->name_len, m->name);
	return left ? 0 : commit(p, a);
}

struct ddp_range *ddp_process_range(const struct ddp_aspace_state *a, uint64_t address)
{
	uint32_t i = lower_bound(a->ranges, a->nr_ranges, address);

	return i < a->nr_ranges && a->ranges[i].start <= address ? &a->ranges[i] : NULL;
}

/* Names */

struct process_name {
	char name[DDP_COMM_MAX];
	bool exited;	/* kept for the profile that may still ask */
};

static struct process_name *name_find(const struct ddp_process *p, uint32_t tgid)
{
	const uint64_t *n = ddp_table_find(&p->names, (uint64_t)tgid + 1);

	return n ? ddp_table_pointer(*n) : NULL;
}

static int set_name(struct ddp_process *p, uint32_t tgid, const char *name)
{
	struct process_name *n = name_find(p, tgid);

	if (!n) {
		if (p->names.nr >= DDP_MAX_PROCESSES)
			return 0; /* their stacks carry names, too */
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		if (ddp_table_set(&p->names, (uint64_t)tgid + 1, ddp_table_value(n))) {
			free(n);
			return -ENOMEM;
		}
		p->bytes += sizeof(*n);
	}
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->exited = false;
	return 0;
}

int ddp_process_task(struct ddp_process *p, const struct ddp_task *t)
{
	struct process_name *n;

	if (t->kind == DDPROF_TASK_SEEN)
		return set_name(p, t->tgid, t->leader_comm);
	if (t->tid != t->tgid)
		return 0;
	if (t->kind != DDPROF_TASK_EXIT)
		return set_name(p, t->tgid, t->comm);
	n = name_find(p, t->tgid);
	if (n)
		n->exited = true;
	return 0;
}

const char *ddp_process_name(const struct ddp_process *p, uint32_t tgid)
{
	const struct process_name *n = name_find(p, tgid);

	return n ? n->name : "";
}

/* Forgetting */

/* Removes from @t what @gone answers true for, which it has then freed */
static void table_prune(struct ddp_process *p, struct ddp_table *t,
			bool (*gone)(struct ddp_process *p, void *value))
{
	size_t nr = 0;
	CLEANUP(free) uint64_t *keys = calloc(t->nr + 1, sizeof(*keys));

	if (!keys)
		return; /* the next time, then */
	ddp_table_for_each(t, slot)
		if (gone(p, ddp_table_pointer(slot->value)))
			keys[nr++] = slot->key;
	while (nr)
		ddp_table_remove(t, keys[--nr], NULL);
}

static bool name_gone(struct ddp_process *p, void *value)
{
	struct process_name *n = value;

	(void)p;
	if (!n->exited)
		return false;
	free(n);
	return true;
}

static bool object_gone(struct ddp_process *p, void *value)
{
	if (need(value))
		return false;
	object_destroy(p, value);
	return true;
}

/*
 * A file is told once a session and may be mapped again, so only its descriptor can go; but that
 * has to, for its file system to be unmounted and for its space to be freed.
 */
static void close_unmapped(struct ddp_process *p)
{
	ddp_table_for_each(&p->objects, slot) {
		struct ddp_object *o = ddp_table_pointer(slot->value);

		if (!need(o))
			object_close(p, o);
		o->fresh = false;
	}
	p->crowded = false;
}

static bool aspace_gone(struct ddp_process *p, void *value)
{
	struct ddp_aspace_state *a = value;
	uint32_t kept = 0;

	(void)p;
	if (a->gone) {
		aspace_destroy(a);
		return true;
	}
	for (uint32_t i = 0; i < a->nr_ranges; i++) {
		if (!a->ranges[i].stale)
			a->ranges[kept++] = a->ranges[i];
		else if (a->ranges[i].object)
			a->ranges[i].object->refs--;
	}
	a->nr_ranges = kept;
	return false;
}

static size_t count_bytes(const struct ddp_process *p)
{
	size_t bytes = p->names.nr * sizeof(struct process_name);

	ddp_table_for_each(&p->aspaces, slot) {
		const struct ddp_aspace_state *a = ddp_table_pointer(slot->value);

		bytes += sizeof(*a) + a->nr_ranges * sizeof(*a->ranges);
	}
	ddp_table_for_each(&p->objects, slot)
		bytes += object_bytes(ddp_table_pointer(slot->value));
	return bytes;
}

bool ddp_process_trim(struct ddp_process *p, size_t max_symbol_bytes)
{
	size_t nr_objects = p->objects.nr;

	table_prune(p, &p->aspaces, aspace_gone);
	table_prune(p, &p->names, name_gone);
	if (nr_objects > DDP_MAX_OBJECTS / 2)
		table_prune(p, &p->objects, object_gone);
	close_unmapped(p);
	symbols_trim(p, NULL, max_symbol_bytes);
	p->bytes = count_bytes(p);
	return p->objects.nr < nr_objects;
}

void ddp_process_free(struct ddp_process *p)
{
	ddp_table_for_each(&p->aspaces, slot)
		aspace_destroy(ddp_table_pointer(slot->value));
	ddp_table_for_each(&p->objects, slot)
		object_destroy(p, ddp_table_pointer(slot->value));
	ddp_table_for_each(&p->names, slot)
		free(ddp_table_pointer(slot->value));
	ddp_table_free(&p->aspaces);
	ddp_table_free(&p->objects);
	ddp_table_free(&p->names);
	*p = (struct ddp_process){ 0 };
}
