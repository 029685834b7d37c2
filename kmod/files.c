// SPDX-License-Identifier: GPL-2.0
/*
 * The mapped files of a session; see files.h. A hash of small entries that live as long as the
 * session, of which the newest are held by path.
 *
 * Locks: files->lock guards the hash, the holds and their order. It nests inside an mmap lock
 * (ddp_files_id), so nothing under it may touch user memory or put a path; those go to the
 * `dropped` list.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/kdev_t.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/slab.h>
#include <uapi/ddprof.h>

#include "batch.h"
#include "compat.h"
#include "core/record.h"
#include "files.h"

enum {
	DDP_FILES_BITS = 10,
	DDP_FILES_MAX = 16384,	/* entries at once, about 2 MiB; then the oldest unheld one goes */
};

/* What makes a file the same file: an inode number alone is reused. */
struct ddp_file_key {
	u64 inode, size, mtime_ns;
	u32 dev, generation;
};

struct ddp_file_entry {
	struct hlist_node node;		/* files->table */
	struct list_head hold;		/* files->held or files->idle, oldest first */
	bool held;			/* path is referenced */
	struct list_head announce;	/* files->fresh; empty: the collector knows it */
	struct ddp_file_key key;
	struct path path;
	unsigned long held_since;	/* jiffies */
	u64 id;
	bool openable;			/* a regular file */
	bool told;			/* the collector knows it */
};

struct ddp_files {
	struct mutex lock;		/* the table, the holds and their order */
	DECLARE_HASHTABLE(table, DDP_FILES_BITS);
	struct list_head held, idle, fresh;
	struct path *dropped;		/* DDPROF_MAX_FILES_HELD, to be put without locks */
	u32 nr_entries, nr_held, nr_dropped;
	u64 last_id;
	char *path_buf;			/* PATH_MAX, drain thread */
};

struct ddp_files *ddp_files_create(void)
{
	struct ddp_files *files = kzalloc(sizeof(*files), GFP_KERNEL);

	if (!files)
		return NULL;
	mutex_init(&files->lock);
	hash_init(files->table);
	INIT_LIST_HEAD(&files->held);
	INIT_LIST_HEAD(&files->idle);
	INIT_LIST_HEAD(&files->fresh);
	files->path_buf = kmalloc(PATH_MAX, GFP_KERNEL);
	files->dropped = kvcalloc(DDPROF_MAX_FILES_HELD, sizeof(*files->dropped), GFP_KERNEL);
	if (!files->path_buf || !files->dropped) {
		kvfree(files->dropped);
		kfree(files->path_buf);
		kfree(files);
		return NULL;
	}
	return files;
}

void ddp_files_destroy(struct ddp_files *files)
{
	struct ddp_file_entry *e;
	struct hlist_node *tmp;
	u32 bucket;

	while (files->nr_dropped)
		path_put(&files->dropped[--files->nr_dropped]);
	hash_for_each_safe(files->table, bucket, tmp, e, node) {
		if (e->held)
			path_put(&e->path);
		kfree(e);
	}
	kvfree(files->dropped);
	kfree(files->path_buf);
	kfree(files);
}

static void ddp_file_key(struct inode *inode, struct ddp_file_key *key)
{
	memset(key, 0, sizeof(*key));
	key->inode = inode->i_ino;
	key->size = i_size_read(inode);
	key->mtime_ns = ddp_inode_mtime_ns(inode);
	key->dev = inode->i_sb->s_dev;
	key->generation = inode->i_generation;
}

static struct ddp_file_entry *ddp_file_find(struct ddp_files *files, const struct ddp_file_key *key)
{
	struct ddp_file_entry *e;

	hash_for_each_possible(files->table, e, node, key->inode)
		if (!memcmp(&e->key, key, sizeof(*key)))
			return e;
	return NULL;
}

/* Lock held. A file that is seen again after this gets a new number and a new FILE record. */
static bool ddp_file_evict(struct ddp_files *files)
{
	struct ddp_file_entry *e;

	list_for_each_entry(e, &files->idle, hold) {
		if (!list_empty(&e->announce))
			continue;
		hash_del(&e->node);
		list_del(&e->hold);
		kfree(e);
		files->nr_entries--;
		return true;
	}
	return false;
}

static struct ddp_file_entry *ddp_file_add(struct ddp_files *files, const struct ddp_file_key *key)
{
	struct ddp_file_entry *e;

	if (files->nr_entries == DDP_FILES_MAX && !ddp_file_evict(files))
		return NULL;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return NULL;
	files->nr_entries++;
	e->key = *key;
	e->id = ++files->last_id;
	list_add_tail(&e->hold, &files->idle);
	INIT_LIST_HEAD(&e->announce);
	hash_add(files->table, &e->node, key->inode);
	return e;
}

/* Lock held. Whoever empties `dropped` (expire) runs between any two walks, so there is room. */
static void ddp_file_drop(struct ddp_files *files, struct ddp_file_entry *e)
{
	list_move_tail(&e->hold, &files->idle);
	e->held = false;
	files->nr_held--;
	files->dropped[files->nr_dropped++] = e->path;
	memset(&e->path, 0, sizeof(e->path));
}

static void ddp_file_hold(struct ddp_files *files, struct ddp_file_entry *e, struct file *file)
{
	struct ddp_file_entry *oldest;

	e->held_since = jiffies;
	if (e->held) {
		list_move_tail(&e->hold, &files->held);
		return;
	}
	if (files->nr_held == DDPROF_MAX_FILES_HELD) {
		oldest = list_first_entry(&files->held, struct ddp_file_entry, hold);
		/* this one walk maps more than we hold: the rest goes without */
		if (!list_empty(&oldest->announce) || files->nr_dropped == DDPROF_MAX_FILES_HELD)
			return;
		ddp_file_drop(files, oldest);
	}
	e->path = *ddp_file_path(file);
	path_get(&e->path);
	e->held = true;
	list_move_tail(&e->hold, &files->held);
	files->nr_held++;
}

u64 ddp_files_id(struct ddp_files *files, struct file *file)
{
	struct ddp_file_entry *e;
	struct ddp_file_key key;
	u64 id = 0;

	ddp_file_key(file_inode(file), &key);
	mutex_lock(&files->lock);
	e = ddp_file_find(files, &key);
	if (!e)
		e = ddp_file_add(files, &key);
	if (e) {
		id = e->id;
		e->openable = S_ISREG(file_inode(file)->i_mode);
		ddp_file_hold(files, e, file);
		if (!e->told && list_empty(&e->announce) && e->held)
			list_add_tail(&e->announce, &files->fresh);
		if (!e->told && list_empty(&e->announce))
			id = 0; /* nothing to announce it with */
	}
	mutex_unlock(&files->lock);
	return id;
}

u64 ddp_files_id_ahead(struct ddp_files *files, struct file *file)
{
	struct ddp_file_entry *e;
	struct ddp_file_key key;
	u64 id;

	/* an overlay filesystem shows one inode and maps another */
	ddp_file_key(d_real_inode(file->f_path.dentry), &key);
	mutex_lock(&files->lock);
	e = ddp_file_find(files, &key);
	if (!e)
		e = ddp_file_add(files, &key);
	id = e ? e->id : 0;
	mutex_unlock(&files->lock);
	return id;
}

static void ddp_file_emit(struct ddp_files *files, const struct ddp_file_entry *e,
			  const struct path *path, struct ddp_batch *batch)
{
	char *name = d_path(path, files->path_buf, PATH_MAX);
	struct ddp_file record = {
		.file_id = e->id,
		.inode = e->key.inode,
		.size = e->key.size,
		.mtime_ns = e->key.mtime_ns,
		.dev_major = MAJOR(e->key.dev),
		.dev_minor = MINOR(e->key.dev),
		.path = IS_ERR(name) ? "[path too long]" : name,
	};

	record.path_len = strlen(record.path);
	if (d_unlinked(path->dentry))
		record.flags |= DDPROF_FILE_DELETED;
	if (e->openable)
		record.flags |= DDPROF_FILE_OPENABLE;
	ddp_batch_advance(batch, ddp_record_file(ddp_batch_room(batch, DDP_RECORD_FILE_MAX),
						 DDP_RECORD_FILE_MAX, &record));
}

void ddp_files_announce(struct ddp_files *files, struct ddp_batch *batch)
{
	struct ddp_file_entry *e;
	struct path path;

	for (;;) {
		mutex_lock(&files->lock);
		e = list_first_entry_or_null(&files->fresh, struct ddp_file_entry, announce);
		if (e) {
			list_del_init(&e->announce);
			e->told = true;
			path = e->path;
			path_get(&path);
		}
		mutex_unlock(&files->lock);
		if (!e)
			return;
		/*
		 * it is held, so it is not evicted, and only this thread changes what is read here
		 */
		ddp_file_emit(files, e, &path, batch);
		path_put(&path);
	}
}

void ddp_files_expire(struct ddp_files *files)
{
	struct ddp_file_entry *e;
	u32 i, n;

	mutex_lock(&files->lock);
	while (files->nr_dropped < DDPROF_MAX_FILES_HELD) {
		e = list_first_entry_or_null(&files->held, struct ddp_file_entry, hold);
		if (!e || time_before(jiffies, e->held_since + DDPROF_FILE_HOLD_S * HZ))
			break;
		ddp_file_drop(files, e);
	}
	n = files->nr_dropped;
	files->nr_dropped = 0;
	mutex_unlock(&files->lock);
	/* only the drain thread writes here, and it is us */
	for (i = 0; i < n; i++)
		path_put(&files->dropped[i]);
}

void ddp_files_forget(struct ddp_files *files)
{
	struct ddp_file_entry *e;
	u32 bucket;

	mutex_lock(&files->lock);
	hash_for_each(files->table, bucket, e, node)
		e->told = false;
	mutex_unlock(&files->lock);
}

int ddp_files_path(struct ddp_files *files, u64 id, struct path *ret)
{
	struct ddp_file_entry *e;
	int err = -ENOENT;

	mutex_lock(&files->lock);
	list_for_each_entry(e, &files->held, hold) {
		if (e->id != id)
			continue;
		if (e->openable) {
			*ret = e->path;
			path_get(ret);
			err = 0;
		}
		break;
	}
	mutex_unlock(&files->lock);
	return err;
}
