// SPDX-License-Identifier: Apache-2.0
/* See print.h. */
#include "ddprofctl/print.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct step {
	double size;		/* of the smallest value that is shown so; 0: whole numbers */
	const char *name;
};

static const struct {
	const char *unit;
	struct step steps[5];
} units[] = {
	{ "nanoseconds", { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 0, "ns" } } },
	{ "bytes", { { 0x1p40, "TiB" }, { 0x1p30, "GiB" }, { 0x1p20, "MiB" }, { 0x1p10, "KiB" },
		     { 0, "B" } } },
};

static void format_scaled(int64_t value, const struct step *step, char ret[32])
{
	double v = (double)value, size = v < 0 ? -v : v;

	while (size < step->size)
		step++;
	if (step->size)
		snprintf(ret, 32, "%.2f%s", v / step->size, step->name);
	else
		snprintf(ret, 32, "%" PRId64 "%s", value, step->name);
}

const char *format_value(int64_t value, const char *unit, char ret[32])
{
	snprintf(ret, 32, "%" PRId64, value);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].unit))
			format_scaled(value, units[i].steps, ret);
	return ret;
}

double percent_of(int64_t part, int64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

/* Marks that turn text around, by which a name could look like another, and line ends */
static bool misleads(uint32_t code)
{
	return code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/*
 * @return how many bytes the character at @p takes; 0: it is a control character, of C1 too,
 * misleads, or is no UTF-8
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
	return code >= least[n] && !misleads(code) ? n : 0;
}

static void print_part(const char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (n)
			fwrite(text, 1, n, stdout);
		else
			putchar('?');
		text += n ? n : 1;
	}
}

void print_text(const char *text)
{
	print_part(text);
	putchar('\n');
}

void print_type(const struct ddp_value_type *type)
{
	fputs("type: ", stdout);
	print_part(type->type);
	putchar('/');
	print_text(type->unit);
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
