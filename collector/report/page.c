// SPDX-License-Identifier: Apache-2.0
/* See page.h. The assembler puts the files in, as they are. */
#include "report/page.h"

__asm__(".pushsection .rodata\n"
	"ddp_page_head_begin:\n"
	".incbin \"flamegraph.head\"\n"
	"ddp_page_head_end:\n"
	"ddp_page_tail_begin:\n"
	".incbin \"flamegraph.tail\"\n"
	"ddp_page_tail_end:\n"
	".popsection\n");

#define HIDDEN __attribute__((visibility("hidden")))

extern const char ddp_page_head_begin[] HIDDEN, ddp_page_head_end[] HIDDEN;
extern const char ddp_page_tail_begin[] HIDDEN, ddp_page_tail_end[] HIDDEN;

const char *ddp_page_head(void)
{
	return ddp_page_head_begin;
}

const char *ddp_page_tail(void)
{
	return ddp_page_tail_begin;
}

size_t ddp_page_head_bytes(void)
{
	return (size_t)(ddp_page_head_end - ddp_page_head_begin);
}

size_t ddp_page_tail_bytes(void)
{
	return (size_t)(ddp_page_tail_end - ddp_page_tail_begin);
}
