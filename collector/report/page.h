/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flame graph's page, which the program carries in itself: everything before and after the
 * place of its data. Made from flamegraph.html, .css and .js by scripts/page at build time.
 */
#ifndef DDP_REPORT_PAGE_H
#define DDP_REPORT_PAGE_H

#include <stddef.h>

/** Bytes that stand before the data and after it. Static, not NUL-terminated. */
const char *ddp_page_head(void);
const char *ddp_page_tail(void);
size_t ddp_page_head_bytes(void);
size_t ddp_page_tail_bytes(void);

#endif /* DDP_REPORT_PAGE_H */
