// SPDX-License-Identifier: GPL-2.0
/*
 * Building and sending RECORDS messages; see batch.h. Used by drain.c, mmtrack.c and files.c.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "batch.h"
#include "compat.h"
#include "files.h"
#include "mmtrack.h"
#include "netlink.h"
#include "session.h"

enum {
	/* a 16 KiB skb is an order-2 allocation that is nearly always to be had */
	DDP_MESSAGE_BYTES = 16384,
	/* headers, CPU, SEQ, counters and flags beside the data */
	DDP_MESSAGE_OTHER = NLMSG_HDRLEN + GENL_HDRLEN + 5 * 12 + 8 + 3 * 4 + 8 + 64,
	DDP_RETRY_MS = 5,
	DDP_PATIENCE_MS = 500,	/* then new address spaces go without names */
};

int ddp_batch_init(struct ddp_batch *b, struct ddp_session *session)
{
	memset(b, 0, sizeof(*b));
	b->session = session;
	b->size = SKB_WITH_OVERHEAD(DDP_MESSAGE_BYTES) - DDP_MESSAGE_OTHER;
	/* the largest record is a stack with its two hits */
	BUILD_BUG_ON(DDP_RECORD_STACK_MAX(DDPROF_MAX_DEPTH) + 2 * DDP_RECORD_HIT_MAX >
		     SKB_WITH_OVERHEAD(DDP_MESSAGE_BYTES) - DDP_MESSAGE_OTHER);
	b->data = kmalloc(b->size, GFP_KERNEL);
	return b->data ? 0 : -ENOMEM;
}

void ddp_batch_deinit(struct ddp_batch *b)
{
	kfree(b->data);
}

static int ddp_batch_put_lost(struct sk_buff *skb, struct ddp_cpu *c)
{
	struct ddp_stats stats;

	ddp_cpu_stats(c, &stats);
	c->lost_told = ddp_cpu_lost(c, &stats);
	return ddp_put_u64(skb, DDPROF_A_RECORDS_LOST_RING, stats.lost_ring) ||
	       ddp_put_u64(skb, DDPROF_A_RECORDS_LOST_NESTED, stats.lost_nested) ||
	       ddp_put_u64(skb, DDPROF_A_RECORDS_LOST_TASKS, stats.lost_tasks) ||
	       ddp_put_u64(skb, DDPROF_A_RECORDS_SKIPPED, c->budget.skipped_total);
}

static struct sk_buff *ddp_batch_message(const struct ddp_batch *b)
{
	struct sk_buff *skb = genlmsg_new(b->len + DDP_MESSAGE_OTHER, GFP_KERNEL);
	void *head;

	if (!skb)
		return NULL;
	head = genlmsg_put(skb, b->session->owner_port, 0, &ddp_family, 0, DDPROF_CMD_RECORDS);
	if (!head ||
	    nla_put_u32(skb, DDPROF_A_RECORDS_CPU, b->cpu ? b->cpu->cpu : DDPROF_CPU_NONE) ||
	    ddp_put_u64(skb, DDPROF_A_RECORDS_SEQ, b->seq) ||
	    (b->cpu && ddp_batch_put_lost(skb, b->cpu)) ||
	    ((b->cpu ? b->cpu->resync : b->resync) &&
	     nla_put_flag(skb, DDPROF_A_RECORDS_RESYNC)) ||
	    (b->end && nla_put_flag(skb, DDPROF_A_RECORDS_END)) ||
	    nla_put(skb, DDPROF_A_RECORDS_DATA, b->len, b->data)) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, head);
	return skb;
}

/*
 * Unicast finds its receiver by number, and anybody may bind the number of a socket that is being
 * closed. While somebody holds the socket's file, closing cannot begin: the number is the owner's.
 * NULL when it has begun.
 */
static struct file *ddp_owner_file(struct sock *sk)
{
	struct file *file = NULL;

	/* closing clears sk_socket under this lock, and frees socket and file after that */
	read_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_socket)
		file = ddp_get_file(&sk->sk_socket->file);
	read_unlock_bh(&sk->sk_callback_lock);
	return file;
}

/* -EAGAIN: the receive buffer is full, the data is still ours. */
static int ddp_batch_try(struct ddp_batch *b)
{
	struct sk_buff *skb = ddp_batch_message(b);
	struct file *owner;
	u32 bytes;
	int ret;

	if (!skb)
		return -EAGAIN;
	bytes = skb->len;
	owner = ddp_owner_file(b->session->owner_sock);
	if (!owner) {
		nlmsg_free(skb);
		return -ECONNREFUSED;
	}
	ret = genlmsg_unicast(&init_net, skb, b->session->owner_port);
	fput(owner);
	if (ret < 0)
		return ret;
	if (b->cpu) {
		b->cpu->messages++;
		b->cpu->bytes += bytes;
		b->cpu->resync = false;
	} else {
		b->resync = false;
	}
	return 0;
}

/* The owner does not read. What it would be told of is not kept alive for long meanwhile. */
static void ddp_batch_wait(struct ddp_batch *b)
{
	msleep(DDP_RETRY_MS);
	b->waited_ms += DDP_RETRY_MS;
	if (b->waited_ms >= DDP_PATIENCE_MS) {
		ddp_mmtrack_unpin(b->session->mmtrack);
		ddp_files_expire(b->session->files);
	}
}

void ddp_batch_send(struct ddp_batch *b, bool always)
{
	int ret;

	if (!b->len && !always)
		return;
	while (!READ_ONCE(b->dead)) {
		ret = ddp_batch_try(b);
		if (!ret) {
			b->seq++;
			break;
		}
		if (ret != -EAGAIN || kthread_should_stop())
			WRITE_ONCE(b->dead, true);
		else
			ddp_batch_wait(b);
	}
	b->len = 0;
	b->waited_ms = 0;
}

void ddp_batch_select(struct ddp_batch *b, struct ddp_cpu *cpu)
{
	if (b->cpu == cpu)
		return;
	ddp_batch_send(b, false);
	b->cpu = cpu;
}

u8 *ddp_batch_room(struct ddp_batch *b, u32 len)
{
	if (b->len + len > b->size)
		ddp_batch_send(b, false);
	return b->data + b->len;
}

void ddp_batch_advance(struct ddp_batch *b, u32 len)
{
	b->len += len;
}
