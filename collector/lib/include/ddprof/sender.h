/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles to several receivers at once, without waiting for any of them and without losing one
 * because a receiver is down.
 *
 *	static void on_event(void *ctx, const struct ddp_sender_event *e);
 *
 *	struct ddp_exporter_config agent = { .url = "http://localhost:8126" };
 *	struct ddp_sender_target targets[] = {
 *		{ .name = "agent", .exporter = &agent, .spool = "/var/lib/shop/spool" },
 *		{ .name = "files", .directory = "/var/log/shop/profiles" },
 *	};
 *	struct ddp_sender_config config = {
 *		.targets = targets, .nr_targets = 2, .on_event = on_event,
 *	};
 *	struct ddp_sender *s;
 *
 *	r = ddp_sender_create(&config, &s, &err);
 *	...
 *	r = ddp_sender_add(s, &form);		once an interval; copies, never waits
 *	...
 *	ddp_sender_finish(s, 10000);		tries what waits once more
 *	ddp_sender_destroy(s);
 *
 * Each target has a queue and a thread of its own. A batch is sent until the receiver takes it
 * (2xx) or refuses it for good (4xx other than 408 and 429); what a receiver may take later is
 * tried again after a pause that doubles up to a limit, of which a random part is waited (all
 * clients of a receiver would come back at the same moment otherwise), or as long as Retry-After
 * says. Queues are bounded in bytes; what is too much goes oldest first, and is counted and told.
 * Targets share the bytes.
 *
 * With a spool, a folder, a batch is on disk before it is sent for the first time, and leaves it
 * after it was taken or refused: neither kill -9 nor a power cut after DDP_SENDER_STORED loses it,
 * and the next sender on the folder sends it, oldest first. If the disk cannot take it, it stays in
 * the queue and is sent from there, as it is while another process has the folder: the lock that
 * keeps two from sharing it is tried again until it is free. A batch whose answer got lost is sent
 * a second time, with the same id, by which the receiver can drop it. Neither keys nor passwords
 * are in the folder.
 *
 * Threads: ddp_sender_add() and ddp_sender_get_stats() may be called by any thread; the others by
 * one at a time. Signals are blocked in the sender's threads as they were in the thread that called
 * ddp_sender_create(). A process that forks must not use the sender in the child.
 */
#ifndef DDPROF_SENDER_H
#define DDPROF_SENDER_H

#include "exporter.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	DDP_SENDER_MAX_TARGETS = 16,
	DDP_SENDER_QUEUE_BYTES = 32 << 20,	/* defaults */
	DDP_SENDER_QUEUE_BATCHES = 4096,
	DDP_SENDER_SPOOL_BYTES = 256 << 20,
	DDP_SENDER_DIRECTORY_BYTES = 1 << 30,
	DDP_SENDER_RETRY_FIRST_MS = 5000,
	DDP_SENDER_RETRY_LAST_MS = 120000,
	DDP_SENDER_RETRY_AFTER_MAX_MS = 900000,	/* of what a receiver asks for, this much */
};

/**
 * Where batches go: exactly one of exporter, directory and send. Copied by ddp_sender_create(). 0
 * in a number: the default above.
 */
struct ddp_sender_target {
	const char *name;	/* in events and statistics; of one line, not empty */
	const struct ddp_exporter_config *exporter;
	/*
	 * A folder, made if its parent is there. Each batch becomes a file of mode 0600, complete
	 * from the moment it has its name, START-SERVICE-ID.pprof, with .lz4 or .zst behind it as
	 * it is compressed (.pb: not at all), START in UTC. Only files of such names count for its
	 * limits, and are removed.
	 */
	const char *directory;
	uint64_t directory_bytes;	/* oldest files go before it holds more */
	uint32_t directory_age_s;	/* files older than this go; 0: no limit */
	/*
	 * A way of the caller's own, called by the target's thread: as ddp_exporter_send(), with a
	 * zeroed @ret. It must end within about a second of @cancel, which any thread may call
	 * (NULL: nothing can be done). Not called any more when ddp_sender_finish() has returned.
	 */
	int (*send)(void *ctx, const struct ddp_export_form *form, struct ddp_export_result *ret);
	void (*cancel)(void *ctx);
	void *ctx;

	uint64_t queue_bytes;		/* in memory, besides the batch that is being sent */
	uint32_t queue_batches;
	const char *spool;		/* a folder of its own, made likewise; NULL: none */
	uint64_t spool_bytes;		/* on disk; oldest batches go before it holds more */
	/* the longest pause after a first failure; it doubles with each one up to the last */
	uint32_t retry_first_ms, retry_last_ms;
};

enum ddp_sender_event_kind {
	DDP_SENDER_STORED,	/* on disk: from now on nothing loses it */
	DDP_SENDER_SENT,	/* taken by the receiver; the message is what it warns of */
	DDP_SENDER_DOWN,	/* the receiver does not take anything now; told once ... */
	DDP_SENDER_UP,		/* ... until this */
	/* the disk does not take anything now, or another process has the folder; told once ... */
	DDP_SENDER_SPOOL_DOWN,
	DDP_SENDER_SPOOL_UP,	/* ... until this */
	DDP_SENDER_DROPPED,	/* a batch is given up, for the reason that is told */
};

/** Why a batch is given up. */
enum ddp_sender_drop {
	DDP_SENDER_DROP_QUEUE,		/* newer ones needed its place in memory */
	DDP_SENDER_DROP_SPOOL,		/* newer ones needed its place on disk */
	DDP_SENDER_DROP_REFUSED,	/* the receiver will never take it */
	DDP_SENDER_DROP_UNUSABLE,	/* it cannot be brought into the target's format */
	DDP_SENDER_DROP_DAMAGED,	/* its file in the spool is not what was written */
	DDP_SENDER_DROP_END,		/* in memory when ddp_sender_finish() had no more time */
	DDP_SENDER_NR_DROPS,
};

/** "queue", "spool", "refused", ... for metrics. Static; NULL: no such reason. */
const char *ddp_sender_drop_name(enum ddp_sender_drop reason);

/** Borrowed for the call. */
struct ddp_sender_event {
	enum ddp_sender_event_kind kind;
	enum ddp_sender_drop reason;	/* of DROPPED */
	const char *target;		/* its name */
	const char *id;			/* of the batch; "": not known, or none */
	size_t bytes;			/* of the batch; 0: not known, or none */
	/* how often this was told of the target, for this reason: say it when it doubles */
	uint64_t count;
	const char *message;		/* one line for a person; "": there is nothing to add */
};

/** Called by the target's thread and by ddp_sender_add() in its caller's; calls nothing of here. */
typedef void (*ddp_sender_event_fn)(void *ctx, const struct ddp_sender_event *e);

struct ddp_sender;

struct ddp_sender_config {
	const struct ddp_sender_target *targets;
	size_t nr_targets;		/* 1 to DDP_SENDER_MAX_TARGETS */
	ddp_sender_event_fn on_event;	/* NULL: nobody wants to know */
	void *ctx;
	/*
	 * A sender that this one takes over from, as when a configuration was read again: targets
	 * of the same name hand over what waits, the spool if it is the same folder, and their
	 * counts. It is not to be used any more when ddp_sender_create() returned 0, only to be
	 * finished and destroyed; on an error it goes on as before. NULL: none
	 */
	struct ddp_sender *replaces;
};

/**
 * Opens the targets' folders and starts their threads, which begin with what spools still hold.
 * @return 0; -EINVAL: a target that cannot be used; -EPERM: a folder of somebody else's, or others
 *	can write to it; another error of a folder or of ddp_exporter_create(); in each case see
 *	@err; -ENOMEM
 */
int ddp_sender_create(const struct ddp_sender_config *config, struct ddp_sender **ret,
		      struct ddp_error *err);

/**
 * One batch for all targets. Copies it, and gives it an id when it has none. Never waits for a disk
 * or a receiver.
 * @return 0; -EINVAL: no profile, or a time before 1970; -EFBIG: more than 256 MiB; -ENOMEM
 */
int ddp_sender_add(struct ddp_sender *s, const struct ddp_export_form *form);

/**
 * Tries what waits once more, for @timeout_ms at most and about a second, until a receiver failed
 * for the second time, puts into spools what is left, and ends the threads. What is in memory then
 * is dropped (DDP_SENDER_DROP_END). Nothing can be added any more: it is dropped at once. A folder
 * that does not answer can make it take longer.
 */
void ddp_sender_finish(struct ddp_sender *s, uint32_t timeout_ms);

/** What happened to a target's batches: added + found is all that follows, and is always so. */
struct ddp_sender_stats {
	const char *target;		/* the sender's */
	uint64_t added;			/* by ddp_sender_add() */
	uint64_t found;			/* in the spool, at the start */
	uint64_t sent, sent_bytes;	/* taken by the receiver */
	uint64_t dropped[DDP_SENDER_NR_DROPS];
	uint64_t queued, queued_bytes;	/* in memory now, with the one that is being sent */
	uint64_t spooled, spooled_bytes;	/* on disk now; bytes as blocks of 4 KiB */
	/* and besides */
	uint64_t stored;		/* written to the spool */
	uint64_t attempts;		/* sends, of which */
	uint64_t retried;		/* so many are to be repeated */
	uint64_t files, file_bytes;	/* in the directory now */
	uint64_t files_removed;		/* from the directory, for its limits */
	int64_t last_sent_unix_ns;	/* 0: never */
	int64_t last_error_unix_ns;	/* 0: never */
	int64_t next_attempt_ms;	/* until the next attempt; 0: there is no pause */
	uint8_t down, spool_down;	/* as DDP_SENDER_DOWN and _SPOOL_DOWN say */
	char last_error[512];		/* "": none yet */
};

/** @return 0; -ENOENT: there is no target number @i, from 0 */
int ddp_sender_get_stats(struct ddp_sender *s, size_t i, struct ddp_sender_stats *ret);

/** With ddp_sender_finish(s, 0) before, if it was not called. NULL is allowed. */
void ddp_sender_destroy(struct ddp_sender *s);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_SENDER_H */
