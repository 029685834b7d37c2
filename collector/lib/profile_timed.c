// SPDX-License-Identifier: Apache-2.0
/*
 * Samples with timestamps, one behind the other in blocks of bytes that never move. A sample is a
 * few varints: how much later it is than the one before (zigzag, it may be earlier), positions of
 * its stack and label set, and its values (zigzag): about a dozen bytes, where an entry of fixed
 * size with one value would take 24. None lies across two blocks. The first block comes with the
 * first sample; a reset keeps the blocks to fill them again.
 */
#include <string.h>

#include "profile_parts.h"
#include "profile_timed.h"
#include "varint.h"

enum {
	FIRST_BLOCK_BYTES = 4096,
	MAX_BLOCK_BYTES = 128 * 1024,	/* blocks double up to here ... */
	MIN_BLOCK_BYTES = 512,		/* ... and take half of what a ceiling leaves, from here */
};

static uint32_t most_bytes(const struct ddp_profile *p)
{
	return (3 + p->value_types.nr) * VARINT_BYTES;
}

static uint32_t next_size(const struct ddp_profile *p)
{
	uint32_t size = p->timed.last ? p->timed.last->size * 2 : FIRST_BLOCK_BYTES;
	size_t half = ddp__budget_room(&p->budget) / 2;

	if (size > MAX_BLOCK_BYTES)
		size = MAX_BLOCK_BYTES;
	if (size > half)
		size = half > MIN_BLOCK_BYTES ? half : MIN_BLOCK_BYTES;
	return size < most_bytes(p) ? most_bytes(p) : size;
}

static int add_block(struct ddp_profile *p)
{
	uint32_t size = next_size(p);
	struct timed_block *b;
	int r = ddp__budget_take(&p->budget, sizeof(*b) + size);

	if (r)
		return r;
	b = ddp__block_alloc(sizeof(*b) + size);
	if (!b) {
		ddp__budget_give(&p->budget, sizeof(*b) + size);
		return -ENOMEM;
	}
	b->size = size;
	if (p->timed.last)
		p->timed.last->next = b;
	else
		p->timed.first = b;
	p->timed.last = b;
	return 0;
}

int ddp__timed_reserve(struct ddp_profile *p)
{
	struct timed_block *b = p->timed.last;

	if (b && b->size - b->used >= most_bytes(p))
		return 0;
	if (!b || !b->next)
		return add_block(p);
	p->timed.last = b->next;
	return 0;
}

void ddp__timed_put(struct ddp_profile *p, struct sample s, int64_t timestamp_ns,
		    const int64_t *values)
{
	struct timed_block *b = p->timed.last;
	unsigned char *to = b->bytes + b->used;
	uint32_t i;

	to = varint_put(to, zigzag((int64_t)((uint64_t)timestamp_ns - (uint64_t)p->timed.last_ns)));
	to = varint_put(to, s.stack);
	to = varint_put(to, s.label_set);
	for (i = 0; i < p->value_types.nr; i++)
		to = varint_put(to, zigzag(values[i]));
	b->used = to - b->bytes;
	p->timed.last_ns = timestamp_ns;
	p->timed.nr++;
}

void ddp__timed_clear(struct ddp_profile *p)
{
	struct timed_block *b;

	for (b = p->timed.first; b; b = b->next)
		b->used = 0;
	p->timed.last = p->timed.first;
	p->timed.nr = 0;
	p->timed.last_ns = 0;
}

void ddp__timed_free(struct ddp_profile *p)
{
	struct timed_block *b, *next;

	for (b = p->timed.first; b; b = next) {
		next = b->next;
		ddp__block_free(b, sizeof(*b) + b->size);
	}
}

struct timed_cursor ddp__timed_begin(const struct ddp_profile *p)
{
	return (struct timed_cursor){ .block = p->timed.first, .left = p->timed.nr };
}

struct sample ddp__timed_next(const struct ddp_profile *p, struct timed_cursor *c, int64_t *values)
{
	const unsigned char *from;
	uint64_t v, stack, label_set;
	uint32_t i;

	if (c->at == c->block->used) {
		c->block = c->block->next;
		c->at = 0;
	}
	from = varint_get(c->block->bytes + c->at, &v);
	c->ns = (int64_t)((uint64_t)c->ns + (uint64_t)unzigzag(v));
	from = varint_get(from, &stack);
	from = varint_get(from, &label_set);
	for (i = 0; i < p->value_types.nr; i++) {
		from = varint_get(from, &v);
		values[i] = unzigzag(v);
	}
	c->at = from - c->block->bytes;
	c->left--;
	return (struct sample){ stack, label_set };
}
