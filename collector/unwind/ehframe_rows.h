/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unwind table in the making: rows in the order of their offsets, with a dictionary of rules,
 * and the image of uapi/ddprof_unwind.h at the end. Used by ehframe.
 */
#ifndef DDP_UNWIND_EHFRAME_ROWS_H
#define DDP_UNWIND_EHFRAME_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "uapi/ddprof_unwind.h"

/* rules that every table begins with */
enum { CFI_RULE_NONE, CFI_RULE_UNKNOWN, CFI_RULES_FIXED };

enum { CFI_MAX_OFFSET_BITS = 48 };	/* of file offsets; a row here is offset << 16 | rule */

struct cfi_rows {
	uint64_t *rows;		/* owned */
	size_t nr, cap;
	struct ddprof_unwind_rule *rules;	/* owned */
	size_t nr_rules, cap_rules;
	uint32_t *slots;	/* owned; hash table of rules: index + 1, 0 is free */
	size_t nr_slots;	/* a power of two, more than twice nr_rules */
	uint32_t newest;	/* rule that was asked for last */
};

/** @return 0 or -ENOMEM; deinit in both cases */
int cfi_rows_init(struct cfi_rows *t);
void cfi_rows_deinit(struct cfi_rows *t);
DEFINE_CLEANUP_IN_PLACE(struct cfi_rows, cfi_rows_deinit)

/** The rule's index. 0; -ENOSPC when the dictionary is full; -ENOMEM */
int cfi_rows_rule(struct cfi_rows *t, const struct ddprof_unwind_rule *rule, uint32_t *ret);

/**
 * From @offset on @rule holds. Offsets never go down and are below 1 << CFI_MAX_OFFSET_BITS; at the
 * same offset the newer one holds. A row that changes nothing is not added.
 * @return 1 when it was added, 0 when not; -EFBIG, -ENOMEM
 */
int cfi_rows_add(struct cfi_rows *t, uint64_t offset, uint32_t rule);

/**
 * @param ret_image  the caller's, free()
 * @return 0, -EFBIG, -ENOMEM
 */
int cfi_rows_image(const struct cfi_rows *t, void **ret_image, size_t *ret_bytes);

#endif /* DDP_UNWIND_EHFRAME_ROWS_H */
