/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc tells about a process, read at one moment and as of one process: its folder is opened
 * first, and answers nothing any more once that process has ended, whoever gets the number then.
 * Thin: environ and cgroup know what the bytes mean. Used by services and reader.
 *
 * What a process can hold up: the kernel reads stat and cgroup without any lock that is held while
 * a file system is waited for. For environ it takes the lock that exec holds and the process's mmap
 * lock (as for cmdline and maps), which mmap() holds while a file system does not answer: that is a
 * function of its own, which may take any time. Of an environment it reads anonymous memory only,
 * so that none that was mapped from a file system can hold it up.
 *
 * Source: proc_pid_stat(5), proc_pid_environ(5), proc_pid_cgroup(5).
 */
#ifndef DDP_SERVICE_PROC_H
#define DDP_SERVICE_PROC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "service/cgroup.h"
#include "service/environ.h"

enum {
	/* an environment is read so far: four times what most systems allow one string */
	DDP_PROC_MAX_ENVIRON = 512 << 10,
	DDP_PROC_MAX_CGROUP = 64 << 10,
	DDP_PROC_MAX_COMM = 16,		/* TASK_COMM_LEN */
};

/** The fields of /proc/PID/stat that are of use. */
struct ddp_proc_stat {
	char name[DDP_PROC_MAX_COMM];	/* of the first thread, cut */
	bool kernel_thread;
	uint64_t start_ticks;		/* since boot, suspended time included; USER_HZ */
};

enum { DDP_PROC_STAT_OK = 0, DDP_PROC_STAT_MALFORMED = 1 };

int ddp_proc_parse_stat(const char *text, size_t len, struct ddp_proc_stat *ret);

struct ddp_proc_facts {
	struct ddp_proc_stat stat;
	/* 0: none at all, as within exec or of a kernel thread; else as open() and read() answer */
	int environ_error;
	bool has_environ;
	struct ddp_environ environ;	/* these three by ddp_proc_read_environ() */
	struct ddp_cgroup cgroup;
};

struct ddp_proc {		/* root_fd < 0: not open */
	int root_fd;
	char *buffer;		/* owned */
};

/** @param root  where procfs is mounted. @return 0, or as open(); -ENOMEM */
int ddp_proc_open(const char *root, struct ddp_proc *ret);
void ddp_proc_close(struct ddp_proc *p);

/**
 * The caller's own number there, which is the one of the PID namespace that this procfs was mounted
 * in. 0: it is no procfs, or we are not in that namespace.
 */
uint32_t ddp_proc_self(const struct ddp_proc *p);

/**
 * All but the environment, without waiting for the process.
 * @param ret_folder  its folder, the caller's; -1 on an error
 * @return 0; -ESRCH: there is no such process any more
 */
int ddp_proc_read(const struct ddp_proc *p, uint32_t tgid, int *ret_folder,
		  struct ddp_proc_facts *ret);

/**
 * Adds the environment; waits for the process as long as it takes.
 * @param buffer  of DDP_PROC_MAX_ENVIRON bytes
 */
void ddp_proc_read_environ(int folder, char *buffer, struct ddp_proc_facts *ret);

#endif /* DDP_SERVICE_PROC_H */
