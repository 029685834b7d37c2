// SPDX-License-Identifier: Apache-2.0
/* See process.h. */
#include "core/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"

void ddp_process_init(struct ddp_process *p,
		      int (*open_file)(void *ctx, uint64_t file_id, int *ret), void *ctx)
{
	*p = (struct ddp_process){ 0 };
	ddp_objects_init(&p->objects, open_file, ctx);
}

int ddp_process_file(struct ddp_process *p, const struct ddp_file *f)
{
	int r = ddp_objects_add(&p->objects, f);

	p->counts.refused_files += r == DDP_OBJECTS_FULL;
	return r < 0 ? r : 0;
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

static bool follows_process(const struct ddp_process *p, uint32_t tgid)
{
	ddp_table_for_each(&p->aspaces, slot) {
		const struct ddp_aspace_state *a = ddp_table_pointer(slot->value);

		if (a->tgid == tgid && !a->unfollowed && !a->gone)
			return true;
	}
	return false;
}

/* A process that executes another program has two address spaces for a moment */
static bool is_too_many(const struct ddp_process *p, uint32_t tgid)
{
	return p->max_followed && p->followed >= p->max_followed && !follows_process(p, tgid);
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
		a->unfollowed = is_too_many(p, said->tgid);
		if (ddp_table_set(&p->aspaces, a->id, ddp_table_value(a))) {
			free(a);
			return -ENOMEM;
		}
		p->followed += !a->unfollowed;
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
		if (a && !a->gone) {
			p->followed -= !a->unfollowed;
			a->gone = true;
		}
		return 0;
	}
	r = aspace_get(p, said, &a);
	if (r)
		return r;
	coming_free(a);
	a->layout = said->layout;
	p->counts.partial_lists += !!(said->flags & DDPROF_ASPACE_PARTIAL);
	return said->nr_maps || a->unfollowed ? 0 : commit(p, a);
}

int ddp_process_map(struct ddp_process *p, const struct ddp_map *m, uint32_t left)
{
	struct ddp_aspace_state *a = ddp_process_find(p, m->aspace);
	struct ddp_range *range, *more;

	if (!a || a->unfollowed)
		return 0; /* its ASPACE was lost, or it is gone, or one too many */
	more = array_reserve(a->coming, &a->cap_coming, a->nr_coming + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->coming = more;
	range = &a->coming[a->nr_coming++];
	*range = (struct ddp_range){
		.start = m->start, .length = m->length, .file_offset = m->file_offset,
		.object = m->file_id ? ddp_objects_find(&p->objects, m->file_id) : NULL,
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

	/* a thread that is ending has no leader any more: it says its own name for the process's */
	if (t->kind == DDPROF_TASK_SEEN && t->tid != t->tgid && name_find(p, t->tgid) &&
	    !strncmp(t->comm, t->leader_comm, DDP_COMM_MAX))
		return 0;
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

static bool name_gone(void *ctx, void *value)
{
	struct process_name *n = value;

	(void)ctx;
	if (!n->exited)
		return false;
	free(n);
	return true;
}

static bool aspace_gone(void *ctx, void *value)
{
	struct ddp_aspace_state *a = value;
	uint32_t kept = 0;

	(void)ctx;
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
	return bytes;
}

bool ddp_process_trim(struct ddp_process *p, size_t max_symbol_bytes)
{
	ddp_table_prune(&p->aspaces, aspace_gone, NULL);
	ddp_table_prune(&p->names, name_gone, NULL);
	p->bytes = count_bytes(p);
	return ddp_objects_trim(&p->objects, max_symbol_bytes);
}

void ddp_process_free(struct ddp_process *p)
{
	ddp_table_for_each(&p->aspaces, slot)
		aspace_destroy(ddp_table_pointer(slot->value));
	ddp_table_for_each(&p->names, slot)
		free(ddp_table_pointer(slot->value));
	ddp_objects_free(&p->objects);
	ddp_table_free(&p->aspaces);
	ddp_table_free(&p->names);
	*p = (struct ddp_process){ 0 };
}
