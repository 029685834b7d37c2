// SPDX-License-Identifier: Apache-2.0
/* See options_changes.h. */
#include "base/options_changes.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_texts(const struct ddp_texts *a, const struct ddp_texts *b)
{
	bool same = a->nr == b->nr;

	for (uint32_t i = 0; same && i < a->nr; i++)
		same = same_text(a->text[i], b->text[i]);
	return same;
}

static bool same_pids(const struct ddp_pids *a, const struct ddp_pids *b)
{
	return a->nr == b->nr && !memcmp(a->pid, b->pid, a->nr * sizeof(a->pid[0]));
}

static bool same_value(const struct ddp_option *row, const void *values_a, const void *values_b)
{
	const void *a = (const char *)values_a + row->offset;
	const void *b = (const char *)values_b + row->offset;

	switch (row->kind) {
	case DDP_OPTION_FLAG:
		return *(const bool *)a == *(const bool *)b;
	case DDP_OPTION_NUMBER:
	case DDP_OPTION_SIGNED:
	case DDP_OPTION_CHOICE:
		return *(const uint32_t *)a == *(const uint32_t *)b;
	case DDP_OPTION_TEXT:
	case DDP_OPTION_URL:
		return same_text(*(const char *const *)a, *(const char *const *)b);
	case DDP_OPTION_PIDS:
		return same_pids(a, b);
	case DDP_OPTION_TEXTS:
		return same_texts(a, b);
	}
	return false;
}

static bool same_section(const struct ddp_option_section *s, void *values_a, void *values_b)
{
	for (size_t n = 0;; n++) {
		const char *title_a = NULL, *title_b = NULL;
		void *a = s->at(values_a, n, &title_a), *b = s->at(values_b, n, &title_b);

		if (!a || !b)
			return !a && !b;
		if (!same_text(title_a, title_b))
			return false;
		for (const struct ddp_option *row = s->table; row->name; row++)
			if (!same_value(row, a, b))
				return false;
	}
}

unsigned int ddp_options_changes(const struct ddp_options *a, const struct ddp_options *b,
				 const struct ddp_option_section *sections, ddp_option_change_fn fn,
				 void *ctx)
{
	unsigned int all = 0;

	for (const struct ddp_option *row = a->table; row->name; row++) {
		if ((row->flags & DDP_OPTION_ONCE) || same_value(row, a->values, b->values))
			continue;
		all |= row->apply;
		if (fn)
			fn(ctx, row->name, row->apply);
	}
	for (const struct ddp_option_section *s = sections; s && s->name; s++) {
		if (same_section(s, a->values, b->values))
			continue;
		all |= s->apply;
		if (fn)
			fn(ctx, s->name, s->apply);
	}
	return all;
}
