// SPDX-License-Identifier: Apache-2.0
/* See nearest.h. The distance is Damerau's in its restricted form, three rows of the matrix. */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { MAX_WORD = 63 };

static int letter(char c)
{
	return c == '-' ? '_' : tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One cell: rows[0] is the one being made, rows[1] and rows[2] are those before */
static size_t cell(size_t *const rows[3], const char *a, const char *b, size_t i, size_t j)
{
	size_t differ = letter(a[i - 1]) != letter(b[j - 1]);
	size_t d = least(rows[1][j - 1] + differ, least(rows[1][j], rows[0][j - 1]) + 1);

	if (i > 1 && j > 1 && letter(a[i - 1]) == letter(b[j - 2]) &&
	    letter(a[i - 2]) == letter(b[j - 1]))
		d = least(d, rows[2][j - 2] + 1);
	return d;
}

static size_t distance(const char *a, size_t len_a, const char *b, size_t len_b)
{
	size_t room[3][MAX_WORD + 1], *rows[3] = { room[0], room[1], room[2] };

	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *oldest = rows[2];

		rows[2] = rows[1];
		rows[1] = rows[0];
		rows[0] = oldest;
		rows[0][0] = i;
		for (size_t j = 1; j <= len_b; j++)
			rows[0][j] = cell(rows, a, b, i, j);
	}
	return rows[0][len_b];
}

void ddp_nearest_offer(struct ddp_nearest *n, const char *name)
{
	size_t len_word = strlen(n->word), len_name = strlen(name), d;
	size_t longer = len_word > len_name ? len_word : len_name;

	if (!len_word || len_word > MAX_WORD || len_name > MAX_WORD)
		return;
	d = distance(n->word, len_word, name, len_name);
	/* a third of the letters wrong is a slip, more is another word */
	if (d > longer / 3 || d >= len_word || (n->name && d >= n->distance))
		return;
	n->name = name;
	n->distance = d;
}
