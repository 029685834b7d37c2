/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a file's unwind table says what elfutils' libdw reads from the same file. Both sides'
 * rules are carried out, not compared as text: on registers and memory of random content (memory is
 * a hash of its address, so that equal values mean equal places), which makes a DWARF expression
 * and a rule of ours that mean the same also give the same CFA, return address, rbp and, unless
 * ours says that it is lost, rbx. Asked wherever the rule of either side changes, so that nothing
 * between is left to chance, and at a random address in each row besides.
 */
#ifndef BENCH_UNWIND_AGREE_H
#define BENCH_UNWIND_AGREE_H

#include <stdbool.h>
#include <stdint.h>

#include "kmod/core/unwind_rows.h"

struct unwind_agree {
	uint64_t compared;	/* rows, all but UNKNOWN ones, that both describe */
	uint64_t agreed;	/* of these */
	uint64_t ours_alone;	/* rows, for code that libdw finds no entry for */
	uint64_t unmodelled;	/* rows of kind UNKNOWN */
	uint64_t bx_given_up;	/* places: libdw knows the caller's rbx, our rule says lost */
	uint64_t gap_bytes;	/* that neither describes, each asked for; a gap that libdw has an
				 * entry in is a row compared and not agreed */
};

/**
 * Prints a line for each row that disagrees, at most @limit of them.
 * @return 0; negative errno when libdw cannot read the file
 */
int unwind_agree_file(const char *path, const struct ddp_rows *rows, uint64_t limit,
		      struct unwind_agree *ret);

#endif /* BENCH_UNWIND_AGREE_H */
