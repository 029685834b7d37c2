// SPDX-License-Identifier: Apache-2.0
/*
 * Interning behind pprof_strings.h.
 */
#include <errno.h>
#include <string.h>

#include "pprof_strings.h"

struct key {
	const struct pprof_strings *s;
	const char *text;
	size_t len;
};

static bool is_string(const void *ctx, uint32_t position)
{
	const struct key *k = ctx;
	const struct pprof_string *s = &k->s->all.at[position];

	return s->len == k->len && !memcmp(s->text, k->text, k->len);
}

static uint32_t string_hash(const void *ctx, uint32_t position)
{
	const struct pprof_strings *s = ctx;

	return hash64(&s->hash_key, s->all.at[position].text, s->all.at[position].len);
}

/* By content */
static int put_text(struct pprof_strings *s, const char *text, uint32_t *ret)
{
	struct key key = { s, text, strlen(text) };
	uint32_t hash = hash64(&s->hash_key, text, key.len);
	int64_t found = table_find(&s->table, hash, is_string, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = found;
		return 0;
	}
	if (key.len > INT32_MAX)
		return -EFBIG;
	if ((r = VEC_RESERVE(s->budget, &s->all, 1)) ||
	    (r = ddp__table_reserve(&s->table, s->budget, string_hash, s)))
		return r;
	*ret = s->all.nr++;
	s->all.at[*ret] = (struct pprof_string){ text, key.len };
	ddp__table_insert(&s->table, hash, *ret);
	return 0;
}

static bool is_seen(const void *ctx, uint32_t position)
{
	const struct key *k = ctx;

	return k->s->seen.at[position].text == k->text;
}

static uint32_t pointer_hash(const struct pprof_strings *s, const char *text)
{
	return hash64(&s->hash_key, &text, sizeof(text));
}

static uint32_t seen_hash(const void *ctx, uint32_t position)
{
	const struct pprof_strings *s = ctx;

	return pointer_hash(s, s->seen.at[position].text);
}

int ddp__pprof_string(struct pprof_strings *s, const char *text, uint32_t *ret)
{
	struct key key = { .s = s, .text = text };
	uint32_t hash = pointer_hash(s, text);
	int64_t found = table_find(&s->seen_table, hash, is_seen, &key);
	int r;

	if (found != TABLE_NONE) {
		*ret = s->seen.at[found].number;
		return 0;
	}
	if ((r = VEC_RESERVE(s->budget, &s->seen, 1)) ||
	    (r = ddp__table_reserve(&s->seen_table, s->budget, seen_hash, s)) ||
	    (r = put_text(s, text, ret)))
		return r == -E2BIG ? -EFBIG : r;
	s->seen.at[s->seen.nr] = (struct pprof_seen){ text, *ret };
	ddp__table_insert(&s->seen_table, hash, s->seen.nr++);
	return 0;
}

int ddp__pprof_strings_init(struct pprof_strings *s, struct ddp__budget *budget)
{
	uint32_t empty;

	*s = (struct pprof_strings){ .budget = budget };
	hash_key_init(&s->hash_key);
	return ddp__pprof_string(s, "", &empty);
}

void ddp__pprof_strings_free(struct pprof_strings *s)
{
	VEC_FREE(&s->all);
	VEC_FREE(&s->seen);
	ddp__table_free(&s->table);
	ddp__table_free(&s->seen_table);
}
