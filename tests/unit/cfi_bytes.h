/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information put together by hand, and unwind tables written out as text, for tests of
 * what makes the one from the other: "0 rsp+8, 1 rsp+16 bp=cfa-16, 40 none", offsets in hex, from
 * the code's first byte on.
 */
#ifndef TESTS_CFI_BYTES_H
#define TESTS_CFI_BYTES_H

#include <stdbool.h>

#include "unwind/ehframe.h"

enum {
	CODE = 0x401000, CODE_OFFSET = 0x1000, CODE_BYTES = 0x1000,	/* the one segment */
	SECTION = 0x500000,						/* address of .eh_frame */
	FDE_BYTES = 0x40,						/* of code, unless said */
};
#define END ", 40 none"	/* of a table of one FDE */

/* Bytes in the making; the test fails when there are too many */
struct bytes {
	uint8_t b[4096];
	size_t nr;
};

void bytes_put(struct bytes *s, const void *from, size_t nr);

/* The lowest @nr bytes of @v, at most 8 */
void bytes_number(struct bytes *s, uint64_t v, size_t nr);

/*
 * An entry with an initial length of 4 or, long, 12 bytes. begin returns where it begins behind
 * that; end fills it up with nops to a multiple of 4 bytes and writes its length.
 */
size_t entry_begin(struct bytes *s, bool long_form);
void entry_end(struct bytes *s, size_t begin, bool long_form);

/* What a string literal holds, NULs and all */
struct literal {
	const char *bytes;
	size_t nr;
};
#define CODE_OF(literal) { literal, sizeof(literal) - 1 }

/* cfa = rsp + 8, return address at cfa - 8 */
#define USUAL "\x0c\x07\x08\x90\x01"

struct cie {
	uint8_t version;
	const char *letters;	/* augmentation */
	struct literal data;	/* of the augmentation, with its length */
	struct literal initial;
};

extern const struct cie usual_cie;	/* zR, pcrel sdata4, USUAL */
extern const struct cie debug_cie;	/* version 3, no augmentation, USUAL */

/* Code alignment 1, data alignment -8, return address in column 16. Returns its position. */
size_t cie_put(struct bytes *s, const struct cie *cie, bool is_debug, bool long_form);

/* With addresses as usual_cie has them */
void fde_put(struct bytes *s, size_t cie, uint64_t address, uint32_t nr, struct literal program);

/* .debug_frame: absolute addresses */
void debug_fde_put(struct bytes *s, size_t cie, uint64_t address, uint64_t nr,
		   struct literal program);

/* Code of the segment, and ddp_cfi_input.read for it: the test fails when others are read */
struct code_bytes {
	const uint8_t *bytes;
	size_t nr;
};
int text_read(void *ctx, uint64_t offset, void *to, size_t nr);

/* @eh_frame at SECTION, CODE_BYTES of code at CODE and CODE_OFFSET, and nothing else */
struct ddp_cfi_input cfi_input_of(const struct bytes *eh_frame);

/* An image that must be valid, opened */
struct ddp_rows cfi_open(const void *image, size_t nr);

/* The table as text */
void cfi_print(const void *image, size_t nr, char *to, size_t size);

/* The test fails when @in does not give @table; @what is said then */
void cfi_expect(const char *what, const struct ddp_cfi_input *in, const char *table,
		struct ddp_cfi_counts *ret_counts);

#endif /* TESTS_CFI_BYTES_H */
