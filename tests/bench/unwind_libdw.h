/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elfutils' unwinder (libdwfl, what eu-stack is made of) behind the same questions as ours: walk a
 * thread that ptrace has stopped, or a snapshot of one. Its frames are given as ddp_unwind_user
 * gives them: below a signal's frame the interrupted instruction's address + 1.
 */
#ifndef BENCH_UNWIND_LIBDW_H
#define BENCH_UNWIND_LIBDW_H

#include <elfutils/libdwfl.h>

#include "tests/bench/unwind_process.h"

struct unwind_libdw {
	Dwfl *dwfl;				/* owned; NULL: closed */
	const struct unwind_snapshot *snapshot;	/* that walks are of; NULL: of live threads */
};

void unwind_libdw_close(struct unwind_libdw *d);
DEFINE_CLEANUP_IN_PLACE(struct unwind_libdw, unwind_libdw_close)

/**
 * Takes in what @pid has mapped now. @ret must stay where it is until it is closed.
 * @param live  walks will be of threads stopped by this process; else of snapshots of @pid, which
 *	need not live any longer: all its files are opened now
 * @return 0; negative errno
 */
int unwind_libdw_open(pid_t pid, bool live, struct unwind_libdw *ret);

/**
 * @param tid        thread, or the one that the snapshot is of
 * @param ret_error  libdwfl's reason to end before the root; NULL: it reached it
 * @return number of frames, at most @max
 */
u32 unwind_libdw_walk(struct unwind_libdw *d, pid_t tid, u64 *frames, u32 max,
		      const char **ret_error);

#endif /* BENCH_UNWIND_LIBDW_H */
