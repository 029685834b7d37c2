/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own function names, and its modules', from text in the form of /proc/kallsyms. Lines
 * that are not understood are skipped; a kernel that hides its addresses (all zero) gives no names.
 * Used by symbols.
 */
#ifndef DDP_SYMBOLS_KALLSYMS_H
#define DDP_SYMBOLS_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cleanup.h"

enum {
	DDP_KALLSYMS_MAX = 1 << 22,		/* symbols */
	DDP_KALLSYMS_MAX_MODULES = 1 << 16,
	DDP_KALLSYMS_NAME = 512,		/* KSYM_NAME_LEN, terminator included */
	DDP_KALLSYMS_MODULE = 64,		/* MODULE_NAME_LEN */
	/* bytes a function can be long: the text has no sizes */
	DDP_KALLSYMS_REACH = 64 << 10,
};

struct ddp_kallsyms_line {
	uint64_t address;
	char type;				/* as nm(1) shows it */
	char name[DDP_KALLSYMS_NAME];
	char module[DDP_KALLSYMS_MODULE];	/* "" for the kernel itself */
};

/** @return 0; -EBADMSG: not a line of that form */
int ddp_kallsyms_parse_line(const char *line, struct ddp_kallsyms_line *ret);

/** The kernel itself (number 0) or a module: where its functions lie. */
struct ddp_kallsyms_module {
	char name[DDP_KALLSYMS_MODULE];
	uint64_t start, limit;		/* first function, past the last one's end */
};

struct ddp_kallsyms;

/** Reads @text to its end. @return 0, -ENOMEM, -EFBIG */
int ddp_kallsyms_read(FILE *text, struct ddp_kallsyms **ret);

/** NULL is allowed. */
void ddp_kallsyms_free(struct ddp_kallsyms *k);
DEFINE_CLEANUP(struct ddp_kallsyms *, ddp_kallsyms_free)

/**
 * @param ret_module  may be NULL; whose function it is
 * @return the name, or NULL. Both live as long as @k
 */
const char *ddp_kallsyms_symbol(const struct ddp_kallsyms *k, uint64_t address,
				const struct ddp_kallsyms_module **ret_module);

size_t ddp_kallsyms_nr(const struct ddp_kallsyms *k);

#endif /* DDP_SYMBOLS_KALLSYMS_H */
