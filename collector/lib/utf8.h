/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling UTF-8 from bytes that are not, so that what leaves the library is always valid: each
 * longest piece of an ill-formed sequence becomes one U+FFFD. Used for pprof's strings and
 * event.json.
 *
 * Source: the Unicode Standard 15, table 3-7 and "U+FFFD Substitution of Maximal Subparts" in 3.9.
 */
#ifndef DDPROF_LIB_UTF8_H
#define DDPROF_LIB_UTF8_H

#include "alloc.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD */
enum { UTF8_REPLACEMENT_BYTES = 3 };

/* How many of the @n bytes, from the first on, are well-formed. */
DDP_INTERNAL size_t ddp__utf8_valid(const char *s, size_t n);

/* How many bytes one U+FFFD stands for; @n > 0 bytes that do not begin well-formed. At least 1. */
DDP_INTERNAL size_t ddp__utf8_bad(const char *s, size_t n);

/* Bytes of the repaired string. */
DDP_INTERNAL size_t ddp__utf8_repaired_len(const char *s, size_t n);

#endif /* DDPROF_LIB_UTF8_H */
