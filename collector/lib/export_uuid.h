/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UUID's text as bytes, for uploads' ids.
 * Source: RFC 9562, section 4.
 */
#ifndef DDPROF_LIB_EXPORT_UUID_H
#define DDPROF_LIB_EXPORT_UUID_H

#include <stdbool.h>
#include <string.h>

enum { UUID_BYTES = 16, UUID_CHARS = 36 };

static inline int uuid_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (at - digits) % 16 : -1;
}

/* "7d444840-9dc0-11d1-b245-5ffdce74fad2"; false: it is not like that. */
static inline bool ddp__uuid_parse(const char *text, unsigned char *ret)
{
	unsigned int i, n = 0;

	if (strlen(text) != UUID_CHARS)
		return false;
	for (i = 0; i < UUID_CHARS; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (text[i] == '-') || (!dash && uuid_digit(text[i]) < 0))
			return false;
		if (dash)
			continue;
		ret[n / 2] = ret[n / 2] << 4 | uuid_digit(text[i]);
		n++;
	}
	return true;
}

#endif /* DDPROF_LIB_EXPORT_UUID_H */
