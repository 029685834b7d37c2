// SPDX-License-Identifier: GPL-2.0
/*
 * Unwind tables; see tables.h. Memory is counted from TABLE_BEGIN until a table is unpublished:
 * what waits for its grace period is over the limit for that long.
 */
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/ddprof.h>

#include "drain.h"
#include "session.h"
#include "tables.h"

enum {
	DDP_TABLES_BITS = 9,
	DDP_CHECK_PAGES = 4096,	/* pages of a directory checked at a time */
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
	DECLARE_HASHTABLE(by_id, DDP_TABLES_BITS);
	struct list_head files;
	u64 last_nr;
	u64 nr_tables, bytes, max_bytes, evicted, refused;
	u32 uploads;
	unsigned long last_new;	/* jiffies: when an unknown file was met last */
	u32 news;		/* grows with each table that is published */
};

struct ddp_tables *ddp_tables_create(struct ddp_session *s, u64 max_bytes)
{
	struct ddp_tables *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->session = s;
	t->max_bytes = max_bytes;
	t->last_new = jiffies;
	mutex_init(&t->lock);
	hash_init(t->by_id);
	INIT_LIST_HEAD(&t->files);
	return t;
}

void ddp_tables_destroy(struct ddp_tables *t)
{
	struct ddp_table_file *f, *next;

	list_for_each_entry_safe(f, next, &t->files, link) {
		kvfree(f->upload);
		kvfree(f->table);
		kfree(f);
	}
	kfree(t);
}

u32 ddp_tables_stamp(void)
{
	return jiffies / HZ;
}

bool ddp_tables_awaited(const struct ddp_tables *t)
{
	return READ_ONCE(t->uploads) ||
	       time_before(jiffies, READ_ONCE(t->last_new) + msecs_to_jiffies(DDPROF_DEFER_MS));
}

u32 ddp_tables_news(const struct ddp_tables *t)
{
	return READ_ONCE(t->news);
}

/* -- entries -- */

static struct ddp_table_file *ddp_tables_find(struct ddp_tables *t, u64 id)
{
	struct ddp_table_file *f;

	hash_for_each_possible(t->by_id, f, node, id)
		if (f->id == id)
			return f;
	return NULL;
}

static struct ddp_table_file *ddp_tables_add(struct ddp_tables *t, u64 id, const struct file *file)
{
	struct ddp_table_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return NULL;
	f->id = id;
	f->nr = ++t->last_nr;
	f->unwind.used = ddp_tables_stamp() - DDPROF_TABLE_KEEP_S - 1;
	if (file)
		snprintf(f->name, sizeof(f->name), "%pD", file);
	else
		strscpy(f->name, "[vdso]", sizeof(f->name));
	hash_add(t->by_id, &f->node, id);
	list_add_tail(&f->link, &t->files);
	WRITE_ONCE(t->last_new, jiffies);
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

/* Lock held. No walk can see it: it would be through a range, and each of those is a reference. */
static void ddp_table_file_reap(struct ddp_table_file *f)
{
	if (f->refs || f->table || f->upload)
		return;
	hash_del(&f->node);
	list_del(&f->link);
	kfree(f);
}

void ddp_tables_put(struct ddp_tables *t, struct ddp_table_file *f)
{
	mutex_lock(&t->lock);
	f->refs--;
	ddp_table_file_reap(f);
	mutex_unlock(&t->lock);
}

/* -- tables -- */

static void ddp_table_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct ddp_table, rcu));
}

/* Lock held. */
static void ddp_table_unpublish(struct ddp_tables *t, struct ddp_table_file *f)
{
	struct ddp_table *table = f->table;

	if (!table)
		return;
	f->table = NULL;
	WRITE_ONCE(f->unwind.rows, NULL);
	t->nr_tables--;
	t->bytes -= table->bytes;
	call_rcu(&table->rcu, ddp_table_free_rcu);
}

/* Lock held. */
static void ddp_upload_cancel(struct ddp_tables *t, struct ddp_table_file *f)
{
	if (!f->upload)
		return;
	t->bytes -= f->upload->bytes;
	kvfree(f->upload);
	f->upload = NULL;
	WRITE_ONCE(t->uploads, t->uploads - 1);
}

/* Lock held: of the tables that no walk used lately the longest unused, or NULL. */
static struct ddp_table_file *ddp_tables_oldest(struct ddp_tables *t)
{
	u32 now = ddp_tables_stamp(), idle, most = DDPROF_TABLE_KEEP_S;
	struct ddp_table_file *f, *oldest = NULL;

	list_for_each_entry(f, &t->files, link) {
		/* one without rows says that there is nothing to wait for, and costs nothing */
		if (!f->table || !f->table->rows.nr_rows)
			continue;
		idle = now - READ_ONCE(f->unwind.used);
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
		ddp_table_file_reap(f);
	}
	return 0;
}

/* Lock held, with a reference to @f. */
static int ddp_upload_begin(struct ddp_tables *t, struct ddp_table_file *f, u32 image_bytes,
			    bool evict)
{
	u32 bytes = sizeof(struct ddp_table) + image_bytes;
	struct ddp_table *table;
	int ret;

	ddp_upload_cancel(t, f);
	if (t->uploads == DDPROF_MAX_UPLOADS)
		return -EBUSY;
	ret = ddp_tables_make_room(t, bytes, evict);
	if (ret)
		return ret;
	table = kvzalloc(bytes, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!table)
		return -ENOMEM;
	table->bytes = bytes;
	table->image_bytes = image_bytes;
	f->upload = table;
	t->bytes += bytes;
	WRITE_ONCE(t->uploads, t->uploads + 1);
	return 0;
}

int ddp_tables_begin(struct ddp_tables *t, u64 id, const struct file *file, u32 bytes)
{
	struct ddp_table_file *f;
	int ret = -ENOENT;

	mutex_lock(&t->lock);
	f = ddp_tables_find(t, id);
	if (!f && (file || id == DDPROF_FILE_VDSO)) {
		f = ddp_tables_add(t, id, file);
		ret = -ENOMEM;
	}
	if (f) {
		f->refs++;
		ret = ddp_upload_begin(t, f, bytes, !file);
		f->refs--;
		ddp_table_file_reap(f);
	}
	mutex_unlock(&t->lock);
	return ret;
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
		nr = min_t(u32, table->rows.nr_pages - page, DDP_CHECK_PAGES);
		ret = ddp_rows_check(&table->rows, page, nr, fault);
		cond_resched();
	}
	return ret;
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
		ddp_table_file_reap(f);
	} else {
		ddp_table_unpublish(t, f);
		f->table = table;
		f->upload = NULL;
		WRITE_ONCE(t->uploads, t->uploads - 1);
		t->nr_tables++;
		/* a second, for those who wait for it, before the next upload may evict it */
		WRITE_ONCE(f->unwind.used, ddp_tables_stamp() - DDPROF_TABLE_KEEP_S + 1);
		/* pairs with the walker's acquire: whoever sees the rows sees them whole */
		smp_store_release(&f->unwind.rows, &table->rows);
		WRITE_ONCE(t->news, t->news + 1);
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
		ddp_table_file_reap(f);
		ret = 0;
	}
	mutex_unlock(&t->lock);
	return ret;
}

/* -- what there is -- */

bool ddp_tables_next(struct ddp_tables *t, u64 *nr, struct ddp_table_info *ret)
{
	u32 now = ddp_tables_stamp();
	struct ddp_table_file *f;
	bool found = false;

	mutex_lock(&t->lock);
	list_for_each_entry(f, &t->files, link) {
		if (f->nr <= *nr)
			continue;
		*nr = f->nr;
		*ret = (struct ddp_table_info){
			.file_id = f->id,
			.ended = atomic64_read(&f->ended),
			.bytes = f->table ? f->table->bytes : 0,
			.rows = f->table ? f->table->rows.nr_rows : 0,
			.idle_s = now - READ_ONCE(f->unwind.used),
		};
		strscpy(ret->name, f->name, sizeof(ret->name));
		found = true;
		break;
	}
	mutex_unlock(&t->lock);
	return found;
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
