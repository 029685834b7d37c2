// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cfi_bytes.h"
#include "lib/cleanup.h"

void bytes_put(struct bytes *s, const void *from, size_t nr)
{
	assert_true(nr <= sizeof(s->b) - s->nr);
	memcpy(s->b + s->nr, from, nr);
	s->nr += nr;
}

void bytes_number(struct bytes *s, uint64_t v, size_t nr)
{
	bytes_put(s, &v, nr);
}

size_t entry_begin(struct bytes *s, bool long_form)
{
	if (long_form)
		bytes_number(s, UINT32_MAX, 4);
	bytes_number(s, 0, long_form ? 8 : 4);
	return s->nr;
}

void entry_end(struct bytes *s, size_t begin, bool long_form)
{
	uint64_t nr;

	while ((s->nr - begin) % 4)
		bytes_number(s, 0, 1);	/* DW_CFA_nop */
	nr = s->nr - begin;
	memcpy(s->b + begin - (long_form ? 8 : 4), &nr, long_form ? 8 : 4);
}

const struct cie usual_cie = { 1, "zR", CODE_OF("\x01\x1b"), CODE_OF(USUAL) };
const struct cie debug_cie = { 3, "", CODE_OF(""), CODE_OF(USUAL) };

/* Version 1 has the column of the return address in a byte, which looks like a small LEB128 */
size_t cie_put(struct bytes *s, const struct cie *cie, bool is_debug, bool long_form)
{
	size_t at = s->nr, begin = entry_begin(s, long_form);

	bytes_number(s, is_debug ? UINT64_MAX : 0, is_debug && long_form ? 8 : 4);
	bytes_number(s, cie->version, 1);
	bytes_put(s, cie->letters, strlen(cie->letters) + 1);
	if (!strncmp(cie->letters, "eh", 2))
		bytes_number(s, 0x1234, 8);
	if (cie->version == 4)
		bytes_number(s, 0x0008, 2);	/* address size, selector size */
	bytes_put(s, "\x01\x78\x10", 3);	/* code 1, data -8, return address in column 16 */
	bytes_put(s, cie->data.bytes, cie->data.nr);
	bytes_put(s, cie->initial.bytes, cie->initial.nr);
	entry_end(s, begin, long_form);
	return at;
}

void fde_put(struct bytes *s, size_t cie, uint64_t address, uint32_t nr, struct literal program)
{
	size_t begin = entry_begin(s, false);

	bytes_number(s, begin - cie, 4);
	bytes_number(s, address ? address - (SECTION + s->nr) : 0, 4);
	bytes_number(s, nr, 4);
	bytes_number(s, 0, 1);	/* no augmentation data */
	bytes_put(s, program.bytes, program.nr);
	entry_end(s, begin, false);
}

void debug_fde_put(struct bytes *s, size_t cie, uint64_t address, uint64_t nr,
		   struct literal program)
{
	size_t begin = entry_begin(s, false);

	bytes_number(s, cie, 4);
	bytes_number(s, address, 8);
	bytes_number(s, nr, 8);
	bytes_put(s, program.bytes, program.nr);
	entry_end(s, begin, false);
}

int text_read(void *ctx, uint64_t offset, void *to, size_t nr)
{
	const struct code_bytes *t = ctx;

	assert_true(nr <= t->nr && offset >= CODE_OFFSET && offset - CODE_OFFSET <= t->nr - nr);
	memcpy(to, t->bytes + (offset - CODE_OFFSET), nr);
	return 0;
}

static const struct ddp_cfi_segment one_segment = { CODE, CODE_OFFSET, CODE_BYTES };

struct ddp_cfi_input cfi_input_of(const struct bytes *eh_frame)
{
	return (struct ddp_cfi_input){
		.eh_frame = { .bytes = eh_frame->b, .nr = eh_frame->nr, .address = SECTION },
		.segments = &one_segment, .nr_segments = 1,
		.code_end = CODE_OFFSET + CODE_BYTES,
	};
}

static const char *const names[16] = {
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static int print_rule(char *to, size_t size, const struct ddprof_unwind_rule *u)
{
	static const char *const kinds[] = { "none", "stop", "", "", "", "signal", "unknown" };
	static const char *const bps[] = { "", " bp=cfa", " bp=bp", " bp=?" };
	int n;

	switch (u->kind) {
	case DDPROF_UNWIND_REG:
		n = snprintf(to, size, "%s%+d", names[u->base], u->offset);
		break;
	case DDPROF_UNWIND_DEREF:
		n = snprintf(to, size, "[%s%+d]%+d", names[u->base], u->offset, u->add);
		break;
	case DDPROF_UNWIND_PLT:
		n = snprintf(to, size, "plt %s%+d %d", names[u->base], u->offset, u->add);
		break;
	default:
		n = snprintf(to, size, "%s", kinds[u->kind]);
	}
	n += snprintf(to + n, size - (size_t)n, "%s", bps[u->bp]);
	if (u->bp == DDPROF_UNWIND_BP_CFA || u->bp == DDPROF_UNWIND_BP_BP)
		n += snprintf(to + n, size - (size_t)n, "%+d", u->bp_offset);
	if (u->bx == DDPROF_UNWIND_BX_LOST)
		n += snprintf(to + n, size - (size_t)n, " bx=?");
	else if (u->bx)
		n += snprintf(to + n, size - (size_t)n, " bx=cfa%+d", 8 * u->bx);
	return n;
}

struct ddp_rows cfi_open(const void *image, size_t nr)
{
	const char *fault = "";
	struct ddp_rows t;

	if (ddp_rows_open(image, nr, &t, &fault) || ddp_rows_check(&t, 0, t.nr_pages, &fault))
		fail_msg("not a valid image: %s", fault);
	return t;
}

static uint64_t row_offset(const struct ddp_rows *t, uint32_t page, uint32_t i)
{
	uint64_t start = ((uint64_t)t->first_page + page) << t->page_shift;

	return (start & ~(uint64_t)0xffff) | t->rows[i] >> 16;
}

void cfi_print(const void *image, size_t nr, char *to, size_t size)
{
	struct ddp_rows t = cfi_open(image, nr);

	*to = '\0';
	for (uint32_t page = 0; page < t.nr_pages; page++) {
		for (uint32_t i = t.pages[page]; i < t.pages[page + 1]; i++) {
			int n = snprintf(to, size, "%s%x ", i ? ", " : "",
					 (unsigned int)(row_offset(&t, page, i) - CODE_OFFSET));

			n += print_rule(to + n, size - (size_t)n, &t.rules[t.rows[i] & 0xffff]);
			to += n;
			size -= (size_t)n;
		}
	}
}

void cfi_expect(const char *what, const struct ddp_cfi_input *in, const char *table,
		struct ddp_cfi_counts *ret_counts)
{
	CLEANUP(free) void *image = NULL;
	char text[4096];
	size_t nr;

	assert_int_equal(ddp_cfi_table(in, &image, &nr, ret_counts), 0);
	cfi_print(image, nr, text, sizeof(text));
	if (strcmp(text, table))
		fail_msg("%s:\n is   %s\n not  %s", what, text, table);
}
