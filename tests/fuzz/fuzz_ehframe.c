// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: call frame information to an unwind table. Whatever the sections hold, there is a
 * table that the validator accepts, or a refusal with one of the errors that are promised. Input:
 *
 *   mode:u8       READABLE, OPEN_ENDED, ...
 *   eh_frame:u16 debug_frame:u16  bytes of each section
 *   their bytes, then the code's
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/ehframe.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READABLE = 1, OPEN_ENDED = 2, SCATTERED = 4, STUBS = 8, ENTRY = 16 };

enum {
	SECTION = 0x500000,		/* address of .eh_frame */
	CODE = 0x401000, CODE_OFFSET = 0x1000, CODE_BYTES = 0x100000,
};

struct code {
	const uint8_t *bytes;
	size_t nr;
};

/* Overlapping, out of order, and one in the far corner of what offsets may be */
static const struct ddp_cfi_segment scattered[] = {
	{ CODE, CODE_OFFSET + 0x800, 0x1000 },
	{ CODE + 0x800, CODE_OFFSET, 0x1000 },
	{ CODE + 0x10000, CODE_OFFSET + 0x10000, 0x40000 },
	{ 0xffffffffff600000, (1ULL << 48) - 0x1000, 0xfff },
};
static const struct ddp_cfi_segment whole = { CODE, CODE_OFFSET, CODE_BYTES };

static const struct ddp_cfi_stub stubs[] = {
	{ CODE + 0x20, 0x60, DDP_CFI_STUB_PLT }, { CODE + 0x48, 0x28, DDP_CFI_STUB_PLT },
	{ CODE + 0x180, 0x1b, DDP_CFI_STUB_INIT },
	{ CODE + CODE_BYTES - 8, 0x100, DDP_CFI_STUB_INIT },
};

static int read_code(void *ctx, uint64_t offset, void *to, size_t nr)
{
	const struct code *code = ctx;

	if (offset < CODE_OFFSET || offset - CODE_OFFSET > code->nr ||
	    nr > code->nr - (offset - CODE_OFFSET))
		return -EFAULT;
	memcpy(to, code->bytes + (offset - CODE_OFFSET), nr);
	return 0;
}

/* The next bytes, in memory of their own so that ASan sees who leaves them */
static uint8_t *take(const uint8_t **data, size_t *size, size_t nr, size_t *ret_nr)
{
	uint8_t *copy;

	*ret_nr = nr < *size ? nr : *size;
	copy = malloc(*ret_nr ? *ret_nr : 1);
	must(copy);
	memcpy(copy, *data, *ret_nr);
	*data += *ret_nr;
	*size -= *ret_nr;
	return copy;
}

static void check_image(const void *image, size_t nr, const struct ddp_cfi_counts *n)
{
	const char *fault = "";
	struct ddp_rows t;

	must(!ddp_rows_open(image, nr, &t, &fault));
	must(!ddp_rows_check(&t, 0, t.nr_pages, &fault));
	must(t.nr_rows == n->rows);
	must(n->unknown_rows <= n->rows);
	must(n->unknown_bytes <= n->code_bytes);
	for (uint64_t offset = 0; offset < CODE_OFFSET + 0x1000; offset += 97)
		(void)ddp_rows_find(&t, offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ddp_cfi_input in = { .text = CODE, .data = SECTION };
	uint8_t *eh_frame, *debug_frame;
	struct ddp_cfi_counts n;
	void *image = NULL;
	struct code code;
	uint16_t nr[2];
	uint8_t mode;
	size_t bytes;
	int r;

	if (size < 5)
		return 0;
	mode = data[0];
	memcpy(nr, data + 1, sizeof(nr));
	data += 5;
	size -= 5;
	eh_frame = take(&data, &size, nr[0], &in.eh_frame.nr);
	debug_frame = take(&data, &size, nr[1], &in.debug_frame.nr);
	code = (struct code){ data, size };
	in.eh_frame.bytes = eh_frame;
	in.eh_frame.address = SECTION;
	in.eh_frame.open_ended = mode & OPEN_ENDED;
	in.debug_frame.bytes = debug_frame;
	in.segments = mode & SCATTERED ? scattered : &whole;
	in.nr_segments = mode & SCATTERED ? sizeof(scattered) / sizeof(scattered[0]) : 1;
	in.stubs = stubs;
	in.nr_stubs = mode & STUBS ? sizeof(stubs) / sizeof(stubs[0]) : 0;
	in.code_end = CODE_OFFSET + CODE_BYTES;
	in.entry = mode & ENTRY ? CODE + 0x90 : 0;
	in.read = mode & READABLE ? read_code : NULL;
	in.ctx = &code;
	r = ddp_cfi_table(&in, &image, &bytes, &n);
	must(!r || r == -EFBIG);
	if (!r)
		check_image(image, bytes, &n);
	free(image);
	free(eh_frame);
	free(debug_frame);
	return 0;
}
