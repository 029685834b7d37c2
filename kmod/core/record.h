/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Writing the records of uapi/ddprof.h, byte for byte, into memory that the caller owns. Pure: no
 * allocation, no context. Each ddp_record_* writes one whole record (type, length, payload) and
 * returns its size in bytes, or 0 when @size is too small (the buffer is then undefined). The
 * DDP_RECORD_*_MAX bounds size a buffer that always suffices. Called by kmod/capture and
 * kmod/task_trace (into scratch memory, then the ring), kmod/mmtrack (into a batch), and by tests
 * that need records to decode.
 */
#ifndef DDP_CORE_RECORD_H
#define DDP_CORE_RECORD_H

#include "port.h"

enum {
	DDP_VARINT_MAX = 10,		/* bytes of a 64-bit LEB128 */
	DDP_COMM_MAX = 16,		/* TASK_COMM_LEN, terminator included */
	DDP_RECORD_HEAD_MAX = 1 + 3,	/* type, length below 2^21 */
	DDP_RECORD_HIT_MAX = DDP_RECORD_HEAD_MAX + 1 + 4 * DDP_VARINT_MAX,
	DDP_RECORD_FOLD_END_MAX = 2,
	DDP_RECORD_TASK_MAX = DDP_RECORD_HEAD_MAX + 1 + 4 * DDP_VARINT_MAX + 2 * (1 + DDP_COMM_MAX),
	DDP_RECORD_ASPACE_MAX = DDP_RECORD_HEAD_MAX + 1 + 4 * DDP_VARINT_MAX,
	DDP_RECORD_STRING_MAX = 3 + 4096,
	DDP_RECORD_MAP_MAX = DDP_RECORD_HEAD_MAX + 5 * DDP_VARINT_MAX + DDP_RECORD_STRING_MAX,
	DDP_RECORD_FILE_MAX = DDP_RECORD_HEAD_MAX + 1 + 6 * DDP_VARINT_MAX + DDP_RECORD_STRING_MAX,
};

#define DDP_RECORD_STACK_MAX(frames) \
	(DDP_RECORD_HEAD_MAX + 4 + 8 * DDP_VARINT_MAX + (frames) * DDP_VARINT_MAX)

struct ddp_stack {
	u64 id;			/* > 0 */
	u64 replaces;		/* an older id, or 0 */
	u64 aspace;		/* address space number, 0: none */
	u32 tgid, tid;
	u32 event;		/* index of START's event */
	u8 flags;		/* enum ddprof_stack_flag */
	u8 kernel_end, user_end; /* enum ddprof_walk_end */
	u8 state;		/* enum ddprof_task_state; written with DDPROF_STACK_STATE */
	u32 nr_kernel, nr_user;	/* frames of each half */
	const u64 *frames;	/* nr_kernel + nr_user addresses, leaf first, borrowed */
};

struct ddp_hit {
	u64 id;
	u64 count;	/* samples; 1 is left out */
	u64 value;	/* in the event's unit; written when has_value */
	u64 time_ns;	/* since the session's start; written when has_time */
	bool has_value, has_time;
};

struct ddp_task {
	u8 kind;	/* enum ddprof_task_kind */
	u32 tgid, tid;
	u32 parent;	/* FORK: the parent's tgid; else 0 */
	u64 time_ns;	/* since the session's start */
	const char *comm;	 /* NUL-terminated or DDP_COMM_MAX bytes; never NULL */
	const char *leader_comm; /* the same; "" unless SEEN */
};

struct ddp_aspace {
	u64 aspace, layout;
	u32 tgid;
	u8 flags;	/* enum ddprof_aspace_flag */
	u32 nr_maps;
};

struct ddp_map {
	u64 aspace, start, length, file_offset;	/* bytes */
	u64 file_id;		/* 0: no file, see name */
	const char *name;	/* borrowed; cut at 4096 bytes */
	u32 name_len;
};

struct ddp_file {
	u64 file_id, inode, size, mtime_ns;
	u32 dev_major, dev_minor;
	u8 flags;		/* enum ddprof_file_flag */
	const char *path;	/* borrowed; cut at 4096 bytes */
	u32 path_len;
};

u32 ddp_record_stack(void *buf, u32 size, const struct ddp_stack *s);
u32 ddp_record_hit(void *buf, u32 size, const struct ddp_hit *h);
u32 ddp_record_fold_end(void *buf, u32 size);
u32 ddp_record_task(void *buf, u32 size, const struct ddp_task *t);
u32 ddp_record_aspace(void *buf, u32 size, const struct ddp_aspace *a);
u32 ddp_record_map(void *buf, u32 size, const struct ddp_map *m);
u32 ddp_record_file(void *buf, u32 size, const struct ddp_file *f);

#endif /* DDP_CORE_RECORD_H */
