/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another process as the unwinder sees it: its executable memory with the tables of the files
 * behind it, one of its threads stopped, and that stop kept as registers and stack bytes. Shared by
 * the unwinding benchmark and the check against other unwinders, so that both walk with kmod/core's
 * own code and with tables that the collector's own code made. Needs the right to ptrace.
 */
#ifndef BENCH_UNWIND_PROCESS_H
#define BENCH_UNWIND_PROCESS_H

#include <sys/types.h>

#include "unwind/cfi_file.h"
#include "kmod/core/unwind_user.h"
#include "lib/cleanup.h"

enum {
	UNWIND_REGS = 17,		/* DWARF 0..15 as in uapi/ddprof_unwind.h, then rip */
	UNWIND_BP = 6,
	UNWIND_SP = 7,
	UNWIND_IP = 16,
	UNWIND_MAX_FRAMES = 1024,
	UNWIND_STACK_BYTES = 256 * 1024, /* of a snapshot, from the stack pointer up */
};

/* One file's table. */
struct unwind_table {
	struct unwind_table *next;
	char *path;			/* as /proc/PID/maps has it */
	uint64_t dev, inode;		/* 0 and 0: the vdso */
	int result;			/* of building and checking: 0 or negative errno */
	void *image;			/* owned */
	size_t bytes;
	struct ddp_rows rows;
	struct ddp_cfi_counts counts;
	struct ddp_unwind_file file;	/* what ranges point to */
};

/* Tables of every file seen so far: files outlive processes. All zero is empty. */
struct unwind_tables {
	struct unwind_table *first;
};

void unwind_tables_free(struct unwind_tables *t);
DEFINE_CLEANUP_IN_PLACE(struct unwind_tables, unwind_tables_free)

/* All zero but pid and tables: nothing read yet. */
struct unwind_process {
	pid_t pid;
	struct unwind_tables *tables;		/* borrowed */
	char *layout;				/* executable lines of its maps, owned */
	struct ddp_unwind_ranges *ranges;	/* of layout, owned */
};

void unwind_process_free(struct unwind_process *p);
DEFINE_CLEANUP_IN_PLACE(struct unwind_process, unwind_process_free)

/**
 * Reads the mappings of the process, and makes tables of files that have none yet.
 * @return 1: ranges are new; 0: as they were; negative errno
 */
int unwind_process_refresh(struct unwind_process *p);

/** Whether its executable mappings are no longer what ranges say; also when it is gone. */
bool unwind_process_changed(const struct unwind_process *p);

/** Whether @address lies in executable memory. */
bool unwind_process_is_code(const struct unwind_process *p, uint64_t address);

/** What @address lies in: a path, "[vdso]", "[anonymous]" or, not being code, "[data]". */
const char *unwind_process_where(const struct unwind_process *p, uint64_t address);

/* A thread, stopped by ptrace. */
struct unwind_stop {
	pid_t pid, tid;
	int signal;			/* that it stopped with and must still get; 0: none */
	uint64_t regs[UNWIND_REGS];
	bool exact;			/* regs are those of an interrupted instruction */
};

/** As /proc/PID/stat has it: 'R' runs, 'S' sleeps, 'T' is stopped by a signal; 0: gone */
char unwind_thread_state(pid_t pid, pid_t tid);

/**
 * Stops one of the threads of @pid, chosen at random, rather one that runs.
 * @return 0; negative errno
 */
int unwind_stop_random(pid_t pid, struct unwind_stop *ret);

/** Lets it go on. */
void unwind_stop_end(const struct unwind_stop *stop);

/** A window that reads the memory of @pid, which must stay where it is. */
void unwind_window_live(struct ddp_window *w, const pid_t *pid);

/* A stop that no longer needs its process. */
struct unwind_snapshot {
	struct unwind_stop stop;
	uint64_t base;			/* address of bytes[0] */
	size_t nr;
	uint8_t *bytes;			/* owned */
};

/** Copies the stack of a stopped thread, from its stack pointer up. @return 0; negative errno */
int unwind_snapshot_take(const struct unwind_stop *stop, struct unwind_snapshot *ret);

/** @return 0; -EFAULT: not in the snapshot. To be read() of a window, @ctx the snapshot. */
int unwind_snapshot_read(void *ctx, void *to, u64 addr, u32 len);

/** The registers that a walk starts from; they refer to @stop. */
struct ddp_user_regs unwind_regs(const struct unwind_stop *stop);

/**
 * Starts a program with its output thrown away.
 * @param argv  ends with NULL
 * @return its process id; negative errno
 */
pid_t unwind_spawn(char **argv);

/** Kills it and waits for it. */
void unwind_kill(pid_t pid);

uint64_t unwind_now_ns(void);

#endif /* BENCH_UNWIND_PROCESS_H */
