// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking address spaces; the why is in mmtrack.h. A table of slots, found by hashing the mm's
 * address, claimed lock-free in interrupts, freed by the drain thread only.
 *
 * References: a slot in use holds mm_count (dropped in bury and destroy); a queued slot also holds
 * mm_users (dropped after its walk, when nobody reads, or in destroy). Raising mm_users in an
 * interrupt is safe because current->mm is not NULL only while the interrupted task holds one
 * itself. Ranges hold their files' table entries; they retire through a grace period onto a list
 * that the drain thread empties.
 */
#include <linux/hash.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <uapi/ddprof.h>

#include "batch.h"
#include "capture.h"
#include "compat.h"
#include "files.h"
#include "mmtrack.h"
#include "session.h"
#include "tables.h"

enum {
	DDP_MM_BITS = 12,
	DDP_MM_SLOTS = 1 << DDP_MM_BITS,	/* address spaces known at once */
	DDP_MM_PROBES = 16,
	DDP_MAPS_MAX = 4096,			/* executable mappings of one address space */
	/* about a second of somebody else holding the lock */
	DDP_WALK_TRIES = 1000,
	/* before a miss may ask for a list again: when the last one was new, when it was not */
	DDP_MISS_MS = 100,
	DDP_MISS_FUTILE_MS = 10000,
	DDP_LISTS_A_SECOND = 10,		/* of one address space, whatever it does */
	DDP_RANGES_MAX_BYTES = 32 << 20,	/* of all lists; then new ones are not kept */
	DDP_DEFER_SHARE = DDPROF_MAX_DEFERRED / 2, /* of one address space */
};

/* An address space's executable mappings, for walks. */
struct ddp_mm_ranges {
	struct rcu_head rcu;
	struct llist_node node;		/* mmtrack->retired */
	struct ddp_mmtrack *track;
	u64 made_ns;			/* when the mappings were read, session time */
	struct ddp_unwind_ranges list;
};

/* A freed slot: look-ups go on past it, a claim may take it. Never a valid address. */
#define DDP_MM_FREED ((struct mm_struct *)1)

struct ddp_mm_slot {
	struct mm_struct *mm;	/* NULL, DDP_MM_FREED, or held by mm_count */
	u64 aspace;		/* its number; an empty slot has its next one already */
	unsigned long exec_vm;	/* mm->exec_vm when it was last queued, pages */
	u32 tgid;		/* who was seen in it when it was last queued */
	u32 layout;		/* lists sent; drain thread */
	int queued;		/* 1: on the queue and mm_users held */
	u32 tries;		/* walks that found the lock taken; drain thread */
	bool dead;		/* to be buried; drain thread */
	bool partial;		/* has more mappings than are listed: misses mean nothing */
	unsigned long next_miss; /* jiffies: until then misses ask for nothing */
	unsigned long second;	/* jiffies: when the second began of which lists is the count */
	u32 lists;
	atomic_t deferred;	/* samples of it that are put aside */
	struct ddp_mm_ranges __rcu *ranges; /* published by the drain thread */
	struct llist_node node;
};

struct ddp_mm_map {
	u64 start, length, file_offset, file_id;
	struct ddp_table_file *table; /* referenced, or NULL */
	char name[32];		/* "" with a file */
};

struct ddp_mmtrack {
	struct ddp_session *session;
	struct llist_head queue;
	struct llist_head retired;	/* struct ddp_mm_ranges that no walk uses any more */
	struct llist_head orphans;	/* struct ddp_mm_orphan */
	struct work_struct reap;
	bool any_dead;		/* a slot is to be buried; drain thread */
	u64 next_aspace;	/* drain thread */
	u64 ranges_bytes;	/* of all lists, retired ones too; drain thread */
	struct ddp_mm_map *maps; /* DDP_MAPS_MAX, for the list being made */
	struct ddp_mm_slot slots[DDP_MM_SLOTS];
};

/* An address space whose last user we are: taking it down can take long, so a worker does it. */
struct ddp_mm_orphan {
	struct llist_node node;
	struct mm_struct *mm;
};

static void ddp_mm_reap(struct work_struct *work)
{
	struct ddp_mmtrack *t = container_of(work, struct ddp_mmtrack, reap);
	struct ddp_mm_orphan *orphan, *next;

	llist_for_each_entry_safe(orphan, next, llist_del_all(&t->orphans), node) {
		mmput(orphan->mm);
		kfree(orphan);
	}
}

/* Drop a pin (mm_users). */
static void ddp_mm_unpin(struct ddp_mmtrack *t, struct mm_struct *mm)
{
	struct ddp_mm_orphan *orphan;

	if (atomic_add_unless(&mm->mm_users, -1, 1))
		return;
	orphan = kmalloc(sizeof(*orphan), GFP_KERNEL);
	if (!orphan) {
		mmput(mm);
		return;
	}
	orphan->mm = mm;
	llist_add(&orphan->node, &t->orphans);
	queue_work(ddp_unbound_wq, &t->reap);
}

struct ddp_mmtrack *ddp_mmtrack_create(struct ddp_session *s)
{
	struct ddp_mmtrack *t = kvzalloc(sizeof(*t), GFP_KERNEL);
	u32 i;

	if (!t)
		return NULL;
	t->maps = kvcalloc(DDP_MAPS_MAX, sizeof(*t->maps), GFP_KERNEL);
	if (!t->maps) {
		kvfree(t);
		return NULL;
	}
	t->session = s;
	init_llist_head(&t->queue);
	init_llist_head(&t->retired);
	init_llist_head(&t->orphans);
	INIT_WORK(&t->reap, ddp_mm_reap);
	for (i = 0; i < DDP_MM_SLOTS; i++)
		t->slots[i].aspace = i + 1;
	t->next_aspace = DDP_MM_SLOTS + 1;
	return t;
}

static bool ddp_mm_in_use(const struct mm_struct *mm)
{
	return mm && mm != DDP_MM_FREED;
}

static size_t ddp_mm_ranges_bytes(u32 nr)
{
	return struct_size((struct ddp_mm_ranges *)NULL, list.range, nr);
}

static void ddp_mm_ranges_free(struct ddp_mm_ranges *r)
{
	struct ddp_tables *tables = r->track->session->tables;
	u32 i;

	r->track->ranges_bytes -= ddp_mm_ranges_bytes(r->list.nr);

	for (i = 0; i < r->list.nr; i++)
		if (r->list.range[i].file)
			ddp_tables_put(tables, container_of(r->list.range[i].file,
							    struct ddp_table_file, unwind));
	kvfree(r);
}

/* A grace period later, in a softirq: entries are put where one may sleep. */
static void ddp_mm_ranges_retired(struct rcu_head *rcu)
{
	struct ddp_mm_ranges *r = container_of(rcu, struct ddp_mm_ranges, rcu);

	llist_add(&r->node, &r->track->retired);
}

static void ddp_mm_reclaim(struct ddp_mmtrack *t)
{
	struct ddp_mm_ranges *r, *next;

	llist_for_each_entry_safe(r, next, llist_del_all(&t->retired), node)
		ddp_mm_ranges_free(r);
}

/* Drain thread, or nobody else any more. @new may be NULL. */
static void ddp_mm_publish(struct ddp_mm_slot *slot, struct ddp_mm_ranges *new)
{
	struct ddp_mm_ranges *old = rcu_dereference_protected(slot->ranges, true);

	rcu_assign_pointer(slot->ranges, new);
	if (old)
		call_rcu(&old->rcu, ddp_mm_ranges_retired);
}

void ddp_mmtrack_destroy(struct ddp_mmtrack *t)
{
	struct ddp_mm_slot *slot;
	u32 i;

	llist_for_each_entry(slot, llist_del_all(&t->queue), node)
		ddp_mm_unpin(t, slot->mm);
	flush_work(&t->reap);
	for (i = 0; i < DDP_MM_SLOTS; i++) {
		ddp_mm_publish(&t->slots[i], NULL);
		if (ddp_mm_in_use(t->slots[i].mm))
			mmdrop(t->slots[i].mm);
	}
	rcu_barrier();
	ddp_mm_reclaim(t);
	kvfree(t->maps);
	kvfree(t);
}

/* Interrupt context: the slot of @mm (current->mm), claimed if there is none. */
static struct ddp_mm_slot *ddp_mm_slot(struct ddp_mmtrack *t, struct mm_struct *mm)
{
	u32 first = hash_ptr(mm, DDP_MM_BITS), i;
	struct ddp_mm_slot *slot, *room = NULL;
	struct mm_struct *was = NULL, *seen;

	for (i = 0; i < DDP_MM_PROBES; i++) {
		slot = &t->slots[(first + i) % DDP_MM_SLOTS];
		/* pairs with bury's release and the claim: the rest of the slot is its own */
		seen = smp_load_acquire(&slot->mm);
		if (seen == mm)
			return slot;
		if (!room && !ddp_mm_in_use(seen)) {
			room = slot;
			was = seen;
		}
		if (!seen)
			break;
	}
	/* Two CPUs may claim two slots for one mm: it has two numbers then, both good. */
	if (!room || cmpxchg(&room->mm, was, mm) != was)
		return NULL;
	mmgrab(mm);
	return room;
}

/* A process may change its mappings as fast as it likes; that is its own affair. */
static bool ddp_mm_may_list(struct ddp_mm_slot *slot)
{
	if (time_after(jiffies, slot->second + HZ)) {
		slot->second = jiffies;
		slot->lists = 0;
	}
	return slot->lists++ < DDP_LISTS_A_SECOND;
}

/*
 * Interrupt context of a task of the slot's mm: have the drain thread list its mappings. Whether
 * it will.
 */
static bool ddp_mm_queue(struct ddp_cpu *c, struct ddp_mm_slot *slot, unsigned long exec_vm)
{
	if (cmpxchg(&slot->queued, 0, 1))
		return true;
	if (!ddp_mm_may_list(slot)) {
		/* whoever sees it free sees the count */
		smp_store_release(&slot->queued, 0);
		return false;
	}
	WRITE_ONCE(slot->exec_vm, exec_vm);
	slot->tgid = current->tgid;
	mmget(slot->mm);
	llist_add(&slot->node, &c->session->mmtrack->queue);
	ddp_capture_wake(c);
	return true;
}

void ddp_mmtrack_current(struct ddp_cpu *c, struct ddp_mm_ref *ret)
{
	struct mm_struct *mm = current->mm;
	struct ddp_mmtrack *t = c->session->mmtrack;
	struct ddp_mm_slot *slot = ddp_mm_slot(t, mm);
	struct ddp_mm_ranges *ranges;

	if (!slot) /* another CPU took the slot this moment, or the table is full */
		slot = ddp_mm_slot(t, mm);
	*ret = (struct ddp_mm_ref){ .slot = slot };
	if (!slot)
		return;
	ret->aspace = slot->aspace;
	ret->layout = READ_ONCE(mm->exec_vm);
	/* 0: in the middle of exec, nothing is mapped yet; a later sample sees it change */
	if (ret->layout && ret->layout != READ_ONCE(slot->exec_vm))
		ddp_mm_queue(c, slot, ret->layout);
	ranges = rcu_dereference(slot->ranges);
	if (ranges)
		ret->ranges = &ranges->list;
}

bool ddp_mmtrack_miss(struct ddp_cpu *c, const struct ddp_mm_ref *ref)
{
	struct ddp_mm_slot *slot = ref->slot;

	if (!slot || READ_ONCE(slot->partial) || !ref->layout)
		return false;
	if (READ_ONCE(slot->queued))
		return true;
	if (ref->ranges && time_before(jiffies, READ_ONCE(slot->next_miss)))
		return false;
	return ddp_mm_queue(c, slot, ref->layout);
}

bool ddp_mmtrack_defer(const struct ddp_mm_ref *ref)
{
	if (!ref->slot)
		return false;
	if (atomic_inc_return(&ref->slot->deferred) <= DDP_DEFER_SHARE)
		return true;
	atomic_dec(&ref->slot->deferred);
	return false;
}

void ddp_mmtrack_undefer(const struct ddp_mm_ref *ref)
{
	atomic_dec(&ref->slot->deferred);
}

bool ddp_mmtrack_is_dead(const struct ddp_mm_ref *ref)
{
	return ref->slot->dead;
}

const struct ddp_unwind_ranges *ddp_mmtrack_ranges(const struct ddp_mm_ref *ref, u64 *made_ns)
{
	struct ddp_mm_ranges *ranges;

	if (!ref->slot || ref->slot->aspace != ref->aspace)
		return NULL;
	ranges = rcu_dereference_protected(ref->slot->ranges, true);
	if (!ranges)
		return NULL;
	*made_ns = ranges->made_ns;
	return &ranges->list;
}

/* "[vdso]" and its like say their names themselves; the rest without a file is generated code. */
static const char *ddp_vma_name(struct vm_area_struct *vma)
{
	const char *name = NULL;

	if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	if (!name)
		name = vma->vm_file ? "//file" : "//anon";
	return name;
}

/* mmap lock held */
static void ddp_mm_note(struct ddp_mmtrack *t, struct vm_area_struct *vma, struct ddp_mm_map *map)
{
	struct file *file = vma->vm_file;
	bool vdso;

	map->start = vma->vm_start;
	map->length = vma->vm_end - vma->vm_start;
	map->file_offset = file ? (u64)vma->vm_pgoff << PAGE_SHIFT : 0;
	map->file_id = file ? ddp_files_id(t->session->files, file) : 0;
	strscpy(map->name, map->file_id ? "" : ddp_vma_name(vma), sizeof(map->name));
	map->table = NULL;
	vdso = !strcmp(map->name, "[vdso]");
	if (t->session->tables && (map->file_id || vdso))
		map->table = ddp_tables_get(t->session->tables,
					    vdso ? DDPROF_FILE_VDSO : map->file_id, file);
}

/*
 * mmap lock held: how many executable mappings were noted in t->maps; *partial when there are more.
 */
static u32 ddp_mm_collect(struct ddp_mmtrack *t, struct mm_struct *mm, bool *partial)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;
	u32 n = 0, seen = 0;

	/*
	 * find_vma rather than an iterator: the same call on every kernel, and this runs once a
	 * layout
	 */
	for (; (vma = find_vma(mm, addr)); addr = vma->vm_end) {
		if (++seen % 256 == 0)
			cond_resched();
		if (!(vma->vm_flags & VM_EXEC))
			continue;
		if (n == DDP_MAPS_MAX) {
			*partial = true;
			break;
		}
		ddp_mm_note(t, vma, &t->maps[n++]);
	}
	return n;
}

/* The list for walks, from t->maps, whose references to table entries it takes; NULL: no room */
static struct ddp_mm_ranges *ddp_mm_ranges_make(struct ddp_mmtrack *t, u32 nr, u64 made_ns)
{
	size_t bytes = ddp_mm_ranges_bytes(nr);
	struct ddp_mm_ranges *r;
	u32 i;

	if (t->ranges_bytes + bytes > DDP_RANGES_MAX_BYTES)
		return NULL;
	r = kvmalloc(bytes, GFP_KERNEL);
	if (!r)
		return NULL;
	WRITE_ONCE(t->ranges_bytes, t->ranges_bytes + bytes);
	r->track = t;
	r->made_ns = made_ns;
	r->list.nr = nr;
	for (i = 0; i < nr; i++)
		r->list.range[i] = (struct ddp_unwind_range){
			.start = t->maps[i].start,
			.end = t->maps[i].start + t->maps[i].length,
			.file_offset = t->maps[i].file_offset,
			.file = t->maps[i].table ? &t->maps[i].table->unwind : NULL,
		};
	return r;
}

static bool ddp_mm_ranges_same(const struct ddp_mm_ranges *a, const struct ddp_mm_ranges *b)
{
	return a && b && a->list.nr == b->list.nr &&
	       !memcmp(a->list.range, b->list.range, a->list.nr * sizeof(a->list.range[0]));
}

static void ddp_mm_list(struct ddp_mmtrack *t, struct ddp_mm_slot *slot, u32 nr, u64 made_ns)
{
	struct ddp_mm_ranges *ranges, *old = rcu_dereference_protected(slot->ranges, true);
	u32 pause_ms, i;

	if (!t->session->tables)
		return;
	ranges = ddp_mm_ranges_make(t, nr, made_ns);
	for (i = 0; !ranges && i < nr; i++)
		if (t->maps[i].table)
			ddp_tables_put(t->session->tables, t->maps[i].table);
	/* a stack that leads out of all code does so again */
	pause_ms = ddp_mm_ranges_same(old, ranges) ? DDP_MISS_FUTILE_MS : DDP_MISS_MS;
	WRITE_ONCE(slot->next_miss, jiffies + msecs_to_jiffies(pause_ms));
	ddp_mm_publish(slot, ranges);
}

static void ddp_mm_emit(struct ddp_batch *batch, const struct ddp_aspace *aspace,
			const struct ddp_mm_map *maps)
{
	u32 i;

	ddp_batch_advance(batch, ddp_record_aspace(ddp_batch_room(batch, DDP_RECORD_ASPACE_MAX),
						   DDP_RECORD_ASPACE_MAX, aspace));
	for (i = 0; i < aspace->nr_maps; i++) {
		struct ddp_map map = {
			.aspace = aspace->aspace,
			.start = maps[i].start,
			.length = maps[i].length,
			.file_offset = maps[i].file_offset,
			.file_id = maps[i].file_id,
			.name = maps[i].name,
			.name_len = strlen(maps[i].name),
		};

		ddp_batch_advance(batch, ddp_record_map(ddp_batch_room(batch, DDP_RECORD_MAP_MAX),
							DDP_RECORD_MAP_MAX, &map));
	}
}

/* False: the lock is taken, try again later. The pin is dropped otherwise. */
static bool ddp_mm_walk(struct ddp_mmtrack *t, struct ddp_mm_slot *slot, struct ddp_batch *batch)
{
	struct mm_struct *mm = slot->mm;
	struct ddp_aspace aspace = { .aspace = slot->aspace, .tgid = slot->tgid };
	u64 now_ns = ddp_session_time_ns(t->session);
	bool partial = false;

	if (!mmap_read_trylock(mm)) {
		if (++slot->tries < DDP_WALK_TRIES)
			return false;
		/* whoever holds it for a second may keep it; the next sample asks anew */
		WRITE_ONCE(slot->exec_vm, 0);
	} else {
		aspace.nr_maps = ddp_mm_collect(t, mm, &partial);
		mmap_read_unlock(mm);
		ddp_mm_list(t, slot, aspace.nr_maps, now_ns);
		WRITE_ONCE(slot->partial, partial);
		aspace.layout = ++slot->layout;
		aspace.flags = partial ? DDPROF_ASPACE_PARTIAL : 0;
	}
	slot->tries = 0;
	/* from here an interrupt may queue it, and pin it, once more */
	smp_store_release(&slot->queued, 0);
	ddp_mm_unpin(t, mm);
	if (aspace.layout) {
		ddp_batch_select(batch, NULL);
		ddp_files_announce(t->session->files, batch);
		ddp_mm_emit(batch, &aspace, t->maps);
	}
	return true;
}

bool ddp_mmtrack_walk(struct ddp_mmtrack *t, struct ddp_batch *batch)
{
	struct llist_node *node, *retry = NULL;
	bool again;

	ddp_mm_reclaim(t);
	/* one at a time: sending may wait, and what is still queued then can be let go of */
	while ((node = llist_del_first(&t->queue))) {
		if (ddp_mm_walk(t, llist_entry(node, struct ddp_mm_slot, node), batch))
			continue;
		node->next = retry;
		retry = node;
	}
	again = retry;
	while (retry) {
		node = retry;
		retry = node->next;
		llist_add(node, &t->queue);
	}
	return again;
}

void ddp_mmtrack_unpin(struct ddp_mmtrack *t)
{
	struct ddp_mm_slot *slot, *next;
	struct mm_struct *mm;

	llist_for_each_entry_safe(slot, next, llist_del_all(&t->queue), node) {
		mm = slot->mm;
		WRITE_ONCE(slot->exec_vm, 0);
		/* from here an interrupt may queue it, and pin it, once more */
		smp_store_release(&slot->queued, 0);
		ddp_mm_unpin(t, mm);
	}
}

void ddp_mmtrack_mark_dead(struct ddp_mmtrack *t)
{
	struct mm_struct *mm;
	u32 i;

	for (i = 0; i < DDP_MM_SLOTS; i++) {
		mm = READ_ONCE(t->slots[i].mm);
		/* without users nobody runs in it, so no interrupt can touch the slot any more */
		if (ddp_mm_in_use(mm) && !atomic_read(&mm->mm_users)) {
			t->slots[i].dead = true;
			t->any_dead = true;
		}
	}
}

u64 ddp_mmtrack_ranges_bytes(const struct ddp_mmtrack *t)
{
	return READ_ONCE(t->ranges_bytes);
}

void ddp_mmtrack_bury(struct ddp_mmtrack *t, struct ddp_batch *batch)
{
	struct ddp_aspace gone = { .flags = DDPROF_ASPACE_GONE };
	struct ddp_mm_slot *slot;
	struct mm_struct *mm;
	u32 i;

	if (!t->any_dead)
		return;
	t->any_dead = false;
	ddp_batch_select(batch, NULL);
	for (i = 0; i < DDP_MM_SLOTS; i++) {
		slot = &t->slots[i];
		if (!slot->dead)
			continue;
		gone.aspace = slot->aspace;
		gone.tgid = slot->tgid;
		ddp_mm_emit(batch, &gone, NULL);
		mm = slot->mm;
		ddp_mm_publish(slot, NULL);
		slot->dead = false;
		slot->exec_vm = 0;
		slot->layout = 0;
		slot->partial = false;
		slot->tries = 0;
		slot->lists = 0;
		slot->next_miss = jiffies;
		slot->aspace = t->next_aspace++;
		/* all of the slot is new before an interrupt may claim it */
		smp_store_release(&slot->mm, DDP_MM_FREED);
		mmdrop(mm);
	}
}

void ddp_mmtrack_forget(struct ddp_mmtrack *t)
{
	u32 i;

	for (i = 0; i < DDP_MM_SLOTS; i++)
		WRITE_ONCE(t->slots[i].exec_vm, 0);
}
