/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "ddprof" of uapi/ddprof.h: policies, permissions, commands, and the
 * notice that an owner's socket was closed. Called by main.c; batch.c sends on its family. The
 * commands about unwind tables are in netlink_table.c.
 */
#ifndef DDP_NETLINK_H
#define DDP_NETLINK_H

#include <net/genetlink.h>
#include <uapi/ddprof.h>

extern struct genl_family ddp_family;

int ddp_netlink_init(void);
void ddp_netlink_exit(void);

/* For commands: whether the sender may use the family at all; -EPERM with a message. */
int ddp_may(struct sk_buff *skb, struct netlink_ext_ack *extack);
/* An answer with its header put, or NULL. */
struct sk_buff *ddp_reply_new(struct genl_info *info, u8 cmd, void **head);

/* netlink_table.c */
extern const struct nla_policy ddp_table_policy[DDPROF_A_TABLE_MAX + 1];
int ddp_table_begin(struct sk_buff *request, struct genl_info *info);
int ddp_table_data(struct sk_buff *request, struct genl_info *info);
int ddp_table_commit(struct sk_buff *request, struct genl_info *info);
int ddp_table_drop(struct sk_buff *request, struct genl_info *info);
int ddp_table_list(struct sk_buff *skb, struct netlink_callback *cb);

/* Unpadded: the contract's u64 attributes are 4-byte aligned. */
static inline int ddp_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put(skb, attr, sizeof(value), &value);
}

#endif /* DDP_NETLINK_H */
