// SPDX-License-Identifier: Apache-2.0
/* See names.h. */
#include "core/names.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"

static void set_free(struct ddp_names_set *s)
{
	free(s->names);
	ddp_table_free(&s->by_tid);
	*s = (struct ddp_names_set){ 0 };
}

static struct ddp_names *set_find(const struct ddp_names_set *s, uint32_t tid)
{
	const uint64_t *i = ddp_table_find(&s->by_tid, (uint64_t)tid + 1);

	return i ? &s->names[*i] : NULL;
}

int ddp_names_set(struct ddp_names_cache *c, uint32_t tid, const struct ddp_names *names)
{
	struct ddp_names *known = set_find(&c->young, tid);
	struct ddp_names *more;

	if (known) {
		*known = *names;
		return 0;
	}
	if (c->young.nr == DDP_NAMES_MAX) {
		set_free(&c->old);
		c->old = c->young;
		c->young = (struct ddp_names_set){ 0 };
	}
	more = array_reserve(c->young.names, &c->young.capacity, c->young.nr + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->young.names = more;
	if (ddp_table_set(&c->young.by_tid, (uint64_t)tid + 1, c->young.nr))
		return -ENOMEM;
	c->young.names[c->young.nr++] = *names;
	return 0;
}

void ddp_names_get(struct ddp_names_cache *c, uint32_t tid, struct ddp_names *ret)
{
	struct ddp_names *known = set_find(&c->young, tid);

	*ret = (struct ddp_names){ 0 };
	if (known) {
		*ret = *known;
		return;
	}
	known = set_find(&c->old, tid);
	if (!known)
		return;
	*ret = *known;
	/* without memory it stays among the old for now */
	(void)ddp_names_set(c, tid, ret);
}

void ddp_names_free(struct ddp_names_cache *c)
{
	set_free(&c->young);
	set_free(&c->old);
}
