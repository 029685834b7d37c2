// SPDX-License-Identifier: Apache-2.0
/* See print.h. */
#include "ddprofctl/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *format_value(int64_t value, const char *unit, char ret[32])
{
	double v = (double)value, size = v < 0 ? -v : v;

	if (strcmp(unit, "nanoseconds"))
		snprintf(ret, 32, "%" PRId64, value);
	else if (size >= 1e9)
		snprintf(ret, 32, "%.2fs", v / 1e9);
	else if (size >= 1e6)
		snprintf(ret, 32, "%.2fms", v / 1e6);
	else
		snprintf(ret, 32, "%.2fus", v / 1e3);
	return ret;
}

double percent_of(int64_t part, int64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

/*
 * @return how many bytes the character at @p takes; 0: it is a control character, of C1 too, or no
 * UTF-8
 */
static size_t printable(const char *p)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	unsigned char first = (unsigned char)*p;
	size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t code = first & (0x7fu >> n);

	if (first < 0x80)
		return first >= ' ' && first != 0x7f;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code >= least[n] ? n : 0;
}

void print_text(const char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (n)
			fwrite(text, 1, n, stdout);
		else
			putchar('?');
		text += n ? n : 1;
	}
	putchar('\n');
}

void make_printable(char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}
