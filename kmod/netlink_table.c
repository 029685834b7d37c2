// SPDX-License-Identifier: GPL-2.0
/*
 * The commands that bring unwind tables, TABLE_* of uapi/ddprof.h, and TABLE_LIST. Each holds
 * ddp_session_lock while it works, so they come one at a time and the session stays. The longest of
 * them, a commit, takes a few nanoseconds a row and lets others run in between.
 */
#include <linux/file.h>
#include <linux/fs.h>

#include "files.h"
#include "netlink.h"
#include "session.h"
#include "tables.h"

enum { DDP_TABLE_BYTES_MAX = 1 << 28 };

static struct netlink_range_validation ddp_range_bytes = {
	sizeof(struct ddprof_unwind_header), DDP_TABLE_BYTES_MAX,
};

const struct nla_policy ddp_table_policy[DDPROF_A_TABLE_MAX + 1] = {
	[DDPROF_A_TABLE_FILE_ID] = { .type = NLA_U64 },
	[DDPROF_A_TABLE_FILE_FD] = { .type = NLA_U32 },
	[DDPROF_A_TABLE_BYTES] = NLA_POLICY_FULL_RANGE(NLA_U32, &ddp_range_bytes),
	[DDPROF_A_TABLE_OFFSET] = { .type = NLA_U32 },
	[DDPROF_A_TABLE_DATA] = { .type = NLA_BINARY },
};

/* Lock held: the tables of the sender's session, which may be another thread's of its process. */
static int ddp_table_session(struct genl_info *info, struct ddp_session **ret)
{
	struct ddp_session *s = ddp_session_current();

	if (!s || s->state != DDP_RUNNING) {
		GENL_SET_ERR_MSG(info, "no session is running");
		return -ENOENT;
	}
	if (s->owner != task_tgid(current)) {
		GENL_SET_ERR_MSG(info, "the session belongs to another process");
		return -EPERM;
	}
	if (!s->tables) {
		GENL_SET_ERR_MSG(info, "the session was started without unwind tables");
		return -ENOSPC;
	}
	*ret = s;
	return 0;
}

static int ddp_table_need(struct genl_info *info, int attr, const char *msg)
{
	if (info->attrs[attr])
		return 0;
	if (info->extack)
		info->extack->_msg = msg;
	return -EINVAL;
}

/* -- TABLE_BEGIN -- */

static int ddp_reply_begun(struct genl_info *info, u64 id)
{
	void *head;
	struct sk_buff *skb = ddp_reply_new(info, DDPROF_CMD_TABLE_BEGIN, &head);

	if (!skb)
		return -ENOMEM;
	if (ddp_put_u64(skb, DDPROF_A_TABLE_FILE_ID, id)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

static int ddp_table_begin_locked(struct genl_info *info, struct file *file)
{
	u32 bytes = nla_get_u32(info->attrs[DDPROF_A_TABLE_BYTES]);
	struct ddp_session *s;
	u64 id;
	int ret = ddp_table_session(info, &s);

	if (ret)
		return ret;
	id = file ? ddp_files_id_ahead(s->files, file) :
		    nla_get_u64(info->attrs[DDPROF_A_TABLE_FILE_ID]);
	ret = id || !file ? ddp_tables_begin(s->tables, id, file, bytes) : -ENOSPC;
	if (ret == -ENOENT)
		GENL_SET_ERR_MSG(info, "no file of that id is mapped (any more)");
	else if (ret == -ENOSPC)
		GENL_SET_ERR_MSG(info, "no room beside tables in use; see START_TABLES_KIB");
	else if (ret == -EBUSY)
		GENL_SET_ERR_MSG(info, "DDPROF_MAX_UPLOADS tables are being uploaded");
	if (ret)
		return ret;
	ret = ddp_reply_begun(info, id);
	if (ret)
		ddp_tables_cancel(s->tables, id);
	return ret;
}

int ddp_table_begin(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *fd = info->attrs[DDPROF_A_TABLE_FILE_FD];
	struct file *file = NULL;
	int ret = ddp_may(request, info->extack);

	ret = ret ?: ddp_table_need(info, DDPROF_A_TABLE_BYTES, "TABLE_BEGIN needs TABLE_BYTES");
	if (ret)
		return ret;
	if (!fd == !info->attrs[DDPROF_A_TABLE_FILE_ID]) {
		GENL_SET_ERR_MSG(info, "TABLE_BEGIN needs either TABLE_FILE_ID or TABLE_FILE_FD");
		return -EINVAL;
	}
	if (fd) {
		file = fget(nla_get_u32(fd));
		if (!file || !S_ISREG(file_inode(file)->i_mode)) {
			if (file)
				fput(file);
			GENL_SET_ERR_MSG(info, "TABLE_FILE_FD is not an open regular file");
			return -EBADF;
		}
	}
	mutex_lock(&ddp_session_lock);
	ret = ddp_table_begin_locked(info, file);
	mutex_unlock(&ddp_session_lock);
	if (file)
		fput(file);
	return ret;
}

/* -- TABLE_DATA, TABLE_COMMIT, TABLE_DROP -- */

/* A command about a table that there is. */
static int ddp_table_act(struct sk_buff *request, struct genl_info *info,
			 int (*act)(struct ddp_tables *t, u64 id, struct genl_info *info))
{
	struct ddp_session *s;
	int ret = ddp_may(request, info->extack);

	ret = ret ?: ddp_table_need(info, DDPROF_A_TABLE_FILE_ID,
				    "this command needs a TABLE_FILE_ID");
	if (ret)
		return ret;
	mutex_lock(&ddp_session_lock);
	ret = ddp_table_session(info, &s);
	if (!ret)
		ret = act(s->tables, nla_get_u64(info->attrs[DDPROF_A_TABLE_FILE_ID]), info);
	mutex_unlock(&ddp_session_lock);
	return ret;
}

static int ddp_table_fill(struct ddp_tables *t, u64 id, struct genl_info *info)
{
	const struct nlattr *data = info->attrs[DDPROF_A_TABLE_DATA];
	int ret = ddp_tables_fill(t, id, nla_get_u32(info->attrs[DDPROF_A_TABLE_OFFSET]),
				  nla_data(data), nla_len(data));

	if (ret == -ENOENT)
		GENL_SET_ERR_MSG(info, "no table was begun for that id");
	else if (ret == -ERANGE)
		GENL_SET_ERR_MSG(info, "TABLE_DATA reaches over TABLE_BYTES");
	return ret;
}

int ddp_table_data(struct sk_buff *request, struct genl_info *info)
{
	int ret = ddp_table_need(info, DDPROF_A_TABLE_OFFSET, "TABLE_DATA needs a TABLE_OFFSET");

	ret = ret ?: ddp_table_need(info, DDPROF_A_TABLE_DATA, "TABLE_DATA needs TABLE_DATA");
	return ret ?: ddp_table_act(request, info, ddp_table_fill);
}

static int ddp_table_publish(struct ddp_tables *t, u64 id, struct genl_info *info)
{
	const char *fault = "no table was begun for that id";
	int ret = ddp_tables_commit(t, id, &fault);

	if (ret && info->extack)
		info->extack->_msg = fault;
	return ret;
}

int ddp_table_commit(struct sk_buff *request, struct genl_info *info)
{
	return ddp_table_act(request, info, ddp_table_publish);
}

static int ddp_table_forget(struct ddp_tables *t, u64 id, struct genl_info *info)
{
	int ret = ddp_tables_drop(t, id);

	if (ret)
		GENL_SET_ERR_MSG(info, "there is no table of that id");
	return ret;
}

int ddp_table_drop(struct sk_buff *request, struct genl_info *info)
{
	return ddp_table_act(request, info, ddp_table_forget);
}

/* -- TABLE_LIST -- */

static int ddp_put_table(struct sk_buff *skb, const struct ddp_table_info *f)
{
	return ddp_put_u64(skb, DDPROF_A_TABLE_FILE_ID, f->file_id) ||
	       nla_put_u32(skb, DDPROF_A_TABLE_BYTES, f->bytes) ||
	       nla_put_string(skb, DDPROF_A_TABLE_NAME, f->name) ||
	       (f->bytes && nla_put_u32(skb, DDPROF_A_TABLE_ROWS, f->rows)) ||
	       nla_put_u32(skb, DDPROF_A_TABLE_IDLE_S, f->idle_s) ||
	       ddp_put_u64(skb, DDPROF_A_TABLE_ENDED, f->ended) ? -EMSGSIZE : 0;
}

static int ddp_dump_table(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct ddp_table_info *f)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &ddp_family,
				 NLM_F_MULTI, DDPROF_CMD_TABLE_LIST);

	if (!head)
		return -EMSGSIZE;
	if (ddp_put_table(skb, f)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

int ddp_table_list(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ddp_table_info f;
	struct ddp_session *s;
	u64 next = cb->args[0];
	int ret = ddp_may(cb->skb, cb->extack);

	if (ret)
		return ret;
	mutex_lock(&ddp_session_lock);
	s = ddp_session_current();
	while (s && s->tables && ddp_tables_next(s->tables, &next, &f)) {
		if (ddp_dump_table(skb, cb, &f))
			break;
		cb->args[0] = ++next;
	}
	mutex_unlock(&ddp_session_lock);
	return skb->len;
}
