/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "ddprof" of uapi/ddprof.h: policies, permissions, commands, and the
 * notice that an owner's socket was closed. Called by main.c; batch.c sends on its family.
 */
#ifndef DDP_NETLINK_H
#define DDP_NETLINK_H

#include <net/genetlink.h>

extern struct genl_family ddp_family;

int ddp_netlink_init(void);
void ddp_netlink_exit(void);

/* Unpadded: the contract's u64 attributes are 4-byte aligned. */
static inline int ddp_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put(skb, attr, sizeof(value), &value);
}

#endif /* DDP_NETLINK_H */
