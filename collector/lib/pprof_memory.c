// SPDX-License-Identifier: Apache-2.0
/*
 * Allocation for pprof_memory.h. Each block has its size in front of it, so that freeing it gives
 * the right amount back to the budget.
 */
#include <errno.h>
#include <string.h>

#include "pprof_memory.h"

enum { BLOCK_HEADER_BYTES = 16 };	/* as malloc aligns */

static void *budget_alloc(void *data, size_t n)
{
	struct pprof_memory *m = data;
	size_t *block;
	int r;

	r = n > SIZE_MAX - BLOCK_HEADER_BYTES ?
		-ENOSPC : ddp__budget_take(&m->budget, n + BLOCK_HEADER_BYTES);
	if (r) {
		m->error = r;
		return NULL;
	}
	block = ddp__alloc(n + BLOCK_HEADER_BYTES);
	if (!block) {
		ddp__budget_give(&m->budget, n + BLOCK_HEADER_BYTES);
		m->error = -ENOMEM;
		return NULL;
	}
	*block = n;
	return (char *)block + BLOCK_HEADER_BYTES;
}

static void budget_free(void *data, void *p)
{
	struct pprof_memory *m = data;
	size_t *block;

	if (!p)
		return;
	block = (size_t *)((char *)p - BLOCK_HEADER_BYTES);
	ddp__budget_give(&m->budget, *block + BLOCK_HEADER_BYTES);
	ddp__free(block);
}

void *ddp__pprof_array(struct pprof_memory *m, size_t nr, size_t elem)
{
	void **link;

	if (nr > (SIZE_MAX - 2 * BLOCK_HEADER_BYTES) / elem) {
		m->error = -ENOSPC;
		return NULL;
	}
	link = budget_alloc(m, nr * elem + BLOCK_HEADER_BYTES);
	if (!link)
		return NULL;
	*link = m->blocks;
	m->blocks = link;
	return (char *)link + BLOCK_HEADER_BYTES;
}

const char *ddp__pprof_text(struct pprof_memory *m, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	char *copy = PPROF_ARRAY(m, n + 1, char);

	return copy && n ? memcpy(copy, text, n) : copy;
}

int ddp__pprof_memory_error(const struct pprof_memory *m, struct ddp_error *err)
{
	if (m->error == -ENOMEM)
		return ddp__fail(err, -ENOMEM, "out of memory");
	return ddp__fail(err, -EFBIG, "needs more than the allowed %zu MiB of memory",
			 m->budget.max_bytes >> 20);
}

struct pprof_memory *ddp__pprof_memory_create(size_t max_bytes)
{
	struct pprof_memory *m = ddp__alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->budget.max_bytes = max_bytes;
	m->allocator = (ProtobufCAllocator){ budget_alloc, budget_free, m };
	m->view.period_type = (struct ddp_value_type){ "", "" };
	m->view.default_sample_type = m->view.drop_frames = m->view.keep_frames = "";
	m->view.doc_url = "";
	return m;
}

void ddp__pprof_memory_free(struct pprof_memory *m)
{
	void *block, *next;

	if (!m)
		return;
	for (block = m->blocks; block; block = next) {
		next = *(void **)block;
		budget_free(m, block);
	}
	if (m->message)
		protobuf_c_message_free_unpacked(m->message, &m->allocator);
	ddp__free(m);
}

void ddp_pprof_destroy(struct ddp_pprof *pprof)
{
	ddp__pprof_memory_free((struct pprof_memory *)pprof);
}
