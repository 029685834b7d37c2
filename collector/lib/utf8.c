// SPDX-License-Identifier: Apache-2.0
/*
 * The one decoder step behind utf8.h: bytes of the sequence at the front, and whether it is a
 * whole one.
 */
#include <stdbool.h>
#include <string.h>

#include "utf8.h"

struct step {
	size_t bytes;	/* >= 1; of a broken sequence: its longest prefix of a good one */
	bool valid;
};

/* A lead byte's sequence: its length, and the range of the second byte; later ones are 80..bf. */
static size_t lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

static struct step step(const unsigned char *s, size_t n)
{
	unsigned char low, high;
	size_t len = lead(s[0], &low, &high), i;

	if (!len)
		return (struct step){ 1, false };
	for (i = 1; i < len; i++) {
		if (i == n || s[i] < low || s[i] > high)
			return (struct step){ i, false };
		low = 0x80;
		high = 0xbf;
	}
	return (struct step){ len, true };
}

static size_t ascii_prefix(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t word;

	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		if (word & 0x8080808080808080ULL)
			break;
	}
	return i;
}

size_t ddp__utf8_valid(const char *s, size_t n)
{
	size_t i = ascii_prefix(s, n);

	while (i < n) {
		struct step st = step((const unsigned char *)s + i, n - i);

		if (!st.valid)
			break;
		i += st.bytes;
	}
	return i;
}

size_t ddp__utf8_bad(const char *s, size_t n)
{
	return step((const unsigned char *)s, n).bytes;
}

size_t ddp__utf8_repaired_len(const char *s, size_t n)
{
	size_t i = 0, len = 0, good;

	for (;;) {
		good = ddp__utf8_valid(s + i, n - i);
		i += good;
		len += good;
		if (i == n)
			return len;
		i += ddp__utf8_bad(s + i, n - i);
		len += UTF8_REPLACEMENT_BYTES;
	}
}
