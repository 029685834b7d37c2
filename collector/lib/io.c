// SPDX-License-Identifier: Apache-2.0
/*
 * Buffers, error texts, budgets and growing arrays: what the rest of the library keeps bytes in.
 * No policy here but how much to grow at once.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "ddprof/io.h"
#include "error.h"

enum {
	FIRST_CAPACITY = 16,	/* elements of an array that gets its first one */
	MANY = 4096,		/* from here on, arrays grow by a quarter instead of a half */
};

const char *ddp_version(void)
{
	return DDPROF_VERSION;
}

int ddp__fail(struct ddp_error *err, int r, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof(err->text), format, args);
		va_end(args);
	}
	return r;
}

int ddp_buffer_write(void *buffer, const void *bytes, size_t n)
{
	struct ddp_buffer *b = buffer;
	size_t capacity = b->capacity;
	unsigned char *grown;

	if (n > SIZE_MAX / 2 - b->len || (b->max_bytes && n > b->max_bytes - b->len))
		return -EFBIG;
	if (b->len + n > capacity) {
		capacity = capacity < 256 ? 256 : capacity * 2;
		if (capacity < b->len + n)
			capacity = b->len + n;
		grown = ddp__array_grow(b->bytes, b->capacity, capacity);
		if (!grown)
			return -ENOMEM;
		b->bytes = grown;
		b->capacity = capacity;
	}
	if (n)
		memcpy(b->bytes + b->len, bytes, n);
	b->len += n;
	return 0;
}

void ddp_buffer_free(struct ddp_buffer *buffer)
{
	ddp__array_free(buffer->bytes, buffer->capacity);
	*buffer = (struct ddp_buffer){ .max_bytes = buffer->max_bytes };
}

size_t ddp__budget_room(const struct ddp__budget *b)
{
	if (!b->max_bytes)
		return SIZE_MAX;
	return b->bytes < b->max_bytes ? b->max_bytes - b->bytes : 0;
}

int ddp__budget_take(struct ddp__budget *b, size_t n)
{
	if (n > ddp__budget_room(b))
		return -ENOSPC;
	b->bytes += n;
	return 0;
}

void ddp__budget_give(struct ddp__budget *b, size_t n)
{
	b->bytes -= n;
}

/* What an array of *capacity elements grows to, for @need of them */
static uint64_t grown_capacity(const struct ddp__budget *b, size_t elem, uint32_t capacity,
			       uint64_t need)
{
	uint64_t wanted = (uint64_t)capacity + capacity / (capacity < MANY ? 2 : 4);
	uint64_t most = capacity + ddp__budget_room(b) / 2 / elem;

	if (wanted < FIRST_CAPACITY)
		wanted = FIRST_CAPACITY;
	if (wanted > most)
		wanted = most;
	if (wanted < need)
		wanted = need;
	return wanted < UINT32_MAX ? wanted : UINT32_MAX;
}

int ddp__grow(struct ddp__budget *b, void **array, size_t elem, uint32_t *capacity, uint64_t need)
{
	uint64_t wanted;
	size_t more;
	void *grown;
	int r;

	if (need <= *capacity)
		return 0;
	if (need > UINT32_MAX)
		return -E2BIG;
	wanted = grown_capacity(b, elem, *capacity, need);
	if (wanted > SIZE_MAX / elem)
		return -ENOMEM;
	more = (wanted - *capacity) * elem;
	r = ddp__budget_take(b, more);
	if (r)
		return r;
	grown = ddp__array_grow(*array, *capacity * elem, wanted * elem);
	if (!grown) {
		ddp__budget_give(b, more);
		return -ENOMEM;
	}
	*array = grown;
	*capacity = wanted;
	return 0;
}
