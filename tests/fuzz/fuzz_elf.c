// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: ELF files, as symbols and as call frame information are read from them. Input: the
 * file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/cfi_file.h"
#include "symbols/elf.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_symbols(const void *file, size_t size)
{
	struct ddp_elf *e = NULL;
	const char *name;

	if (ddp_elf_open_memory(file, size, &e))
		return;
	must(strlen(ddp_elf_build_id(e)) <= 2 * DDP_MAX_BUILD_ID);
	for (uint64_t offset = 0; offset < 2 * size; offset += 5) {
		const struct ddp_elf_segment *s = ddp_elf_segment(e, offset);

		must(!s || (offset - s->offset < s->bytes && s->bytes <= INT64_MAX - s->address));
		name = ddp_elf_symbol(e, offset);
		must(!name || (*name && strlen(name) <= DDP_MAX_SYMBOL_NAME));
	}
	ddp_elf_close(e);
}

static void read_cfi(const void *file, size_t size)
{
	struct ddp_cfi_counts n;
	const char *fault = "";
	void *image = NULL;
	struct ddp_rows t;
	size_t bytes;
	int r = ddp_cfi_memory_table(file, size, &image, &bytes, &n);

	must(!r || r == -ENOEXEC || r == -EFBIG);
	if (r)
		return;
	must(!ddp_rows_open(image, bytes, &t, &fault));
	must(!ddp_rows_check(&t, 0, t.nr_pages, &fault));
	free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size ? size : 1);	/* aligned, and ends where the file ends */

	must(file);
	memcpy(file, data, size);
	read_symbols(file, size);
	read_cfi(file, size);
	free(file);
	return 0;
}
