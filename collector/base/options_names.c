// SPDX-License-Identifier: Apache-2.0
/* See options.h: rows by what somebody calls them, and what he may have meant. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/options.h"

enum { MAX_NAME = 64 };		/* of what is compared when looking for a likely name */

static bool same_name(const char *name, size_t n, const char *text, size_t len)
{
	if (n != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((name[i] == '-' ? '_' : name[i]) != (text[i] == '-' ? '_' : text[i]))
			return false;
	return true;
}

/* The next of the names in @names, or NULL; behind it, at + *ret_len, are those that follow */
static const char *next_name(const char *names, size_t *ret_len)
{
	if (!names)
		return NULL;
	names += strspn(names, " ");
	*ret_len = strcspn(names, " ");
	return *ret_len ? names : NULL;
}

const struct ddp_option *ddp_option_find(const struct ddp_option *table, const char *text,
					 size_t len)
{
	for (const struct ddp_option *o = table; o->name; o++) {
		size_t n;

		if (same_name(o->name, strlen(o->name), text, len))
			return o;
		for (const char *a = o->alias; (a = next_name(a, &n)); a += n)
			if (same_name(a, n, text, len))
				return o;
	}
	return NULL;
}

void ddp_option_suggest(const struct ddp_option *table, const char *text, size_t len,
			const char *before, char *ret, size_t size)
{
	char word[MAX_NAME], alias[MAX_NAME], nearest[MAX_NAME];
	struct ddp_nearest n = { .word = word };

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	for (const struct ddp_option *o = table; o->name; o++) {
		size_t end;

		ddp_nearest_offer(&n, o->name);
		for (const char *a = o->alias; (a = next_name(a, &end)); a += end) {
			snprintf(alias, sizeof(alias), "%.*s", (int)end, a);
			ddp_nearest_offer(&n, alias);
			if (n.name != alias)
				continue;
			strcpy(nearest, alias);
			n.name = nearest;
		}
	}
	ret[0] = '\0';
	if (n.name)
		snprintf(ret, size, ", did you mean %s%s?", before, n.name);
}
