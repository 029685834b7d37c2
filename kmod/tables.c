// SPDX-License-Identifier: GPL-2.0
/*
 * Unwind tables; see tables.h. Memory is counted from TABLE_BEGIN until a table is unpublished:
 * what waits for its grace period is over the limit for that long.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <uapi/ddprof.h>

#include "drain.h"
#include "session.h"
#include "tables.h"

enum {
	DDP_ENTRIES_MAX = 16384,	/* as many as files.c knows; about 3 MiB */
	DDP_CHECK_ROWS = 1 << 18,	/* checked at a time, a few milliseconds */
	/* stamps that a file's table is waited for: DDPROF_DEFER_MS in seconds, rounded up */
	DDP_AWAITED_S = DDPROF_DEFER_MS / 1000 + 1,
};

struct ddp_table {
	struct ddp_rows rows;	/* points into image */
	struct rcu_head rcu;
	u32 bytes;		/* of all this */
	u32 image_bytes;
	u32 filled;		/* bytes that came; all of them may have come twice */
	u8 image[] __aligned(8);
};

struct ddp_tables {
	struct ddp_session *session;
	struct mutex lock;	/* everything here but what walks read; see tables.h */
	struct xarray files;	/* struct ddp_table_file by id: in the order they were met */
	u64 nr_tables, bytes, max_bytes, evicted, refused;
	u32 entries, uploads;
	u32 news;		/* tables published, also the last one's serial */
};

struct ddp_tables *ddp_tables_create(struct ddp_session *s, u64 max_bytes)
{
	struct ddp_tables *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->session = s;
	t->max_bytes = max_bytes;
	mutex_init(&t->lock);
	xa_init(&t->files);
	return t;
}

void ddp_tables_destroy(struct ddp_tables *t)
{
	struct ddp_table_file *f;
	unsigned long id;

	xa_for_each(&t->files, id, f) {
		kvfree(f->upload);
		kvfree(f->table);
		kfree(f);
	}
	xa_destroy(&t->files);
	kfree(t);
}

u32 ddp_tables_stamp(void)
{
	return jiffies / HZ;
}

u32 ddp_tables_news(const struct ddp_tables *t)
{
	return smp_load_acquire(&t->news); /* the rows that are the news are there */
}

/* -- entries -- */

/* Lock held. */
static struct ddp_table_file *ddp_tables_find(struct ddp_tables *t, u64 id)
{
	return xa_load(&t->files, id);
}

static void ddp_table_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct ddp_table, rcu));
}

/* Lock held: walks that began before may still use it. */
static void ddp_table_retire(struct ddp_tables *t, struct ddp_table *table)
{
	t->bytes -= table->bytes;
	call_rcu(&table->rcu, ddp_table_free_rcu);
}

/* Lock held. */
static void ddp_table_unpublish(struct ddp_tables *t, struct ddp_table_file *f)
{
	if (!f->table)
		return;
	WRITE_ONCE(f->unwind.rows, NULL);
	ddp_table_retire(t, f->table);
	f->table = NULL;
	t->nr_tables--;
}

/* Lock held. */
static void ddp_upload_cancel(struct ddp_tables *t, struct ddp_table_file *f)
{
	if (!f->upload)
		return;
	t->bytes -= f->upload->bytes;
	kvfree(f->upload);
	f->upload = NULL;
	t->uploads--;
}

/* Lock held. No walk can see it: it would be through a range, and each of those is a reference. */
static void ddp_table_file_reap(struct ddp_tables *t, struct ddp_table_file *f)
{
	if (f->refs || f->table || f->upload)
		return;
	t->entries--;
	xa_erase(&t->files, f->id);
	kfree(f);
}

/*
 * Lock held: the oldest entry of a file that nobody maps goes, table and all. False: there is none.
 */
static bool ddp_tables_forget_one(struct ddp_tables *t)
{
	struct ddp_table_file *f;
	unsigned long id;

	xa_for_each(&t->files, id, f) {
		if (f->refs || f->upload)
			continue;
		ddp_table_unpublish(t, f);
		ddp_table_file_reap(t, f);
		return true;
	}
	return false;
}

/* Lock held. Its table may be on its way from now on. */
static void ddp_table_file_await(struct ddp_table_file *f)
{
	WRITE_ONCE(f->unwind.awaited_until, ddp_tables_stamp() + DDP_AWAITED_S);
}

static struct ddp_table_file *ddp_tables_add(struct ddp_tables *t, u64 id, const struct file *file)
{
	struct ddp_table_file *f;

	if (t->entries == DDP_ENTRIES_MAX && !ddp_tables_forget_one(t))
		return NULL;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return NULL;
	f->id = id;
	f->unwind.used = ddp_tables_stamp() - DDPROF_TABLE_KEEP_S - 1;
	ddp_table_file_await(f);
	if (file)
		snprintf(f->name, sizeof(f->name), "%pD", file);
	else
		strscpy(f->name, "[vdso]", sizeof(f->name));
	if (xa_err(xa_store(&t->files, id, f, GFP_KERNEL))) {
		kfree(f);
		return NULL;
	}
	t->entries++;
	return f;
}

struct ddp_table_file *ddp_tables_get(struct ddp_tables *t, u64 id, const struct file *file)
{
	struct ddp_table_file *f;

	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id);
	if (!f)
		f = ddp_tables_add(t, id, file);
	if (f)
		f->refs++;
	mutex_unlock(&t->lock);
	return f;
}

void ddp_tables_put(struct ddp_tables *t, struct ddp_table_file *f)
{
	mutex_lock(&t->lock);
	f->refs--;
	ddp_table_file_reap(t, f);
	mutex_unlock(&t->lock);
}

/* -- tables -- */

/* Seconds since a walk used it; one may have done so after @now was read. */
static s32 ddp_table_idle(const struct ddp_table_file *f, u32 now)
{
	return max_t(s32, now - READ_ONCE(f->unwind.used), 0);
}

/* Lock held: of the tables that no walk used lately the longest unused, or NULL. */
static struct ddp_table_file *ddp_tables_oldest(struct ddp_tables *t)
{
	s32 idle, most = DDPROF_TABLE_KEEP_S;
	struct ddp_table_file *f, *oldest = NULL;
	u32 now = ddp_tables_stamp();
	unsigned long id;

	xa_for_each(&t->files, id, f) {
		/* one without rows is small, and says that there is nothing to wait for */
		if (!f->table || (!f->table->rows.nr_rows && f->refs))
			continue;
		idle = ddp_table_idle(f, now);
		if (idle > most) {
			most = idle;
			oldest = f;
		}
	}
	return oldest;
}

/* Lock held. */
static int ddp_tables_make_room(struct ddp_tables *t, u32 bytes, bool evict)
{
	struct ddp_table_file *f;

	while (t->bytes + bytes > t->max_bytes) {
		f = evict && bytes <= t->max_bytes ? ddp_tables_oldest(t) : NULL;
		if (!f) {
			t->refused++;
			return -ENOSPC;
		}
		ddp_table_unpublish(t, f);
		t->evicted++;
		ddp_table_file_reap(t, f);
	}
	return 0;
}

/* Lock held: count the memory of an upload, for which there is room then. */
static int ddp_upload_reserve(struct ddp_tables *t, struct ddp_table_file *f, u32 bytes, bool evict)
{
	int ret;

	ddp_upload_cancel(t, f);
	if (t->uploads == DDPROF_MAX_UPLOADS)
		return -EBUSY;
	ret = ddp_tables_make_room(t, bytes, evict);
	if (ret)
		return ret;
	t->bytes += bytes;
	t->uploads++;
	ddp_table_file_await(f);
	return 0;
}

/* Lock held: the upload has its memory, or not. */
static int ddp_upload_install(struct ddp_tables *t, struct ddp_table_file *f,
			      struct ddp_table *table, u32 bytes)
{
	f->upload = table;
	if (table)
		return 0;
	t->bytes -= bytes;
	t->uploads--;
	return -ENOMEM;
}

static struct ddp_table *ddp_table_alloc(u32 image_bytes)
{
	struct ddp_table *table = kvzalloc(sizeof(*table) + image_bytes,
					   GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (!table)
		return NULL;
	table->bytes = sizeof(*table) + image_bytes;
	table->image_bytes = image_bytes;
	return table;
}

/* A file that may get an upload, referenced; NULL: not known, *ret says why it was not made. */
static struct ddp_table_file *ddp_tables_target(struct ddp_tables *t, u64 id,
						const struct file *file, int *ret)
{
	struct ddp_table_file *f = ddp_tables_find(t, id);

	*ret = -ENOENT;
	if (!f && (file || id == DDPROF_FILE_VDSO)) {
		f = ddp_tables_add(t, id, file);
		*ret = -ENOMEM;
	}
	if (f)
		f->refs++;
	return f;
}

int ddp_tables_begin(struct ddp_tables *t, u64 id, const struct file *file, u32 image_bytes)
{
	u32 bytes = sizeof(struct ddp_table) + image_bytes;
	struct ddp_table_file *f;
	struct ddp_table *table;
	int ret;

	mutex_lock(&t->lock);
	f = ddp_tables_target(t, id, file, &ret);
	if (!f)
		goto unlock;
	ret = ddp_upload_reserve(t, f, bytes, !file);
	if (!ret) {
		/* getting that much can take long, and the drain thread has somebody's mmap lock */
		mutex_unlock(&t->lock);
		table = ddp_table_alloc(image_bytes);
		mutex_lock(&t->lock);
		ret = ddp_upload_install(t, f, table, bytes);
	}
	f->refs--;
	ddp_table_file_reap(t, f);
unlock:
	mutex_unlock(&t->lock);
	return ret;
}

void ddp_tables_cancel(struct ddp_tables *t, u64 id)
{
	struct ddp_table_file *f;

	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id);
	if (f) {
		ddp_upload_cancel(t, f);
		ddp_table_file_reap(t, f);
	}
	mutex_unlock(&t->lock);
}

/* Only commands touch an upload, and they come one at a time. */
static struct ddp_table *ddp_tables_upload(struct ddp_tables *t, u64 id)
{
	struct ddp_table_file *f;
	struct ddp_table *table;

	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id);
	table = f ? f->upload : NULL;
	mutex_unlock(&t->lock);
	return table;
}

int ddp_tables_fill(struct ddp_tables *t, u64 id, u32 offset, const void *data, u32 bytes)
{
	struct ddp_table *table = ddp_tables_upload(t, id);

	if (!table)
		return -ENOENT;
	if (offset > table->image_bytes || bytes > table->image_bytes - offset)
		return -ERANGE;
	memcpy(table->image + offset, data, bytes);
	table->filled = min_t(u64, (u64)table->filled + bytes, U32_MAX);
	return 0;
}

static int ddp_table_check(struct ddp_table *table, const char **fault)
{
	u32 page, nr;
	int ret;

	if (table->filled < table->image_bytes) {
		*fault = "the image is not complete";
		return -EINVAL;
	}
	ret = ddp_rows_open(table->image, table->image_bytes, &table->rows, fault);
	for (page = 0; !ret && page < table->rows.nr_pages; page += nr) {
		/* a page has no more rows than bytes */
		nr = min_t(u32, table->rows.nr_pages - page,
			   DDP_CHECK_ROWS >> table->rows.page_shift);
		ret = ddp_rows_check(&table->rows, page, nr, fault);
		cond_resched();
	}
	return ret;
}

/* Lock held: @f's upload takes its table's place. */
static void ddp_table_publish(struct ddp_tables *t, struct ddp_table_file *f)
{
	struct ddp_table *table = f->upload, *old = f->table;

	f->table = table;
	f->upload = NULL;
	t->uploads--;
	/* a second, for those who wait for it, before the next upload may evict it */
	WRITE_ONCE(f->unwind.used, ddp_tables_stamp() - DDPROF_TABLE_KEEP_S + 1);
	/*
	 * none comes up twice before four milliard uploads; those that a memo's key has no room
	 * for, and 0, are only not remembered
	 */
	table->rows.serial = t->news + 1;
	/* pairs with the walker's acquire: whoever sees the rows sees them whole */
	smp_store_release(&f->unwind.rows, &table->rows);
	/* pairs with ddp_tables_news() */
	smp_store_release(&t->news, t->news + 1);
	if (old)
		ddp_table_retire(t, old);
	else
		t->nr_tables++;
}

int ddp_tables_commit(struct ddp_tables *t, u64 id, const char **fault)
{
	struct ddp_table *table = ddp_tables_upload(t, id);
	struct ddp_table_file *f;
	int ret;

	if (!table)
		return -ENOENT;
	ret = ddp_table_check(table, fault);
	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id); /* an upload keeps its entry */
	if (ret) {
		ddp_upload_cancel(t, f);
		ddp_table_file_reap(t, f);
	} else {
		ddp_table_publish(t, f);
	}
	mutex_unlock(&t->lock);
	if (!ret)
		ddp_drain_wake(t->session->drain);
	return ret;
}

int ddp_tables_drop(struct ddp_tables *t, u64 id)
{
	struct ddp_table_file *f;
	int ret = -ENOENT;

	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id);
	if (f && (f->table || f->upload)) {
		ddp_upload_cancel(t, f);
		ddp_table_unpublish(t, f);
		ddp_table_file_reap(t, f);
		ret = 0;
	}
	mutex_unlock(&t->lock);
	return ret;
}

/* -- what there is -- */

bool ddp_tables_next(struct ddp_tables *t, u64 *id, struct ddp_table_info *ret)
{
	unsigned long at = *id;
	struct ddp_table_file *f;

	mutex_lock(&t->lock);
	f = xa_find(&t->files, &at, ULONG_MAX, XA_PRESENT);
	if (f) {
		*id = f->id;
		*ret = (struct ddp_table_info){
			.file_id = f->id,
			.ended = atomic64_read(&f->ended),
			.bytes = f->table ? f->table->bytes : 0,
			.rows = f->table ? f->table->rows.nr_rows : 0,
			.idle_s = ddp_table_idle(f, ddp_tables_stamp()),
		};
		strscpy(ret->name, f->name, sizeof(ret->name));
	}
	mutex_unlock(&t->lock);
	return f;
}

void ddp_tables_info(struct ddp_tables *t, struct ddp_tables_info *ret)
{
	mutex_lock(&t->lock);
	*ret = (struct ddp_tables_info){
		.tables = t->nr_tables,
		.bytes = t->bytes,
		.max_bytes = t->max_bytes,
		.evicted = t->evicted,
		.refused = t->refused,
	};
	mutex_unlock(&t->lock);
}
