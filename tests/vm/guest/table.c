// SPDX-License-Identifier: Apache-2.0
/* See table.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

enum { PAGE_ROWS = 65536 / 4, REG_SP = 7, NR_RANDOM_RULES = 60 };

/* -- commands -- */

int table_begin(struct nl *nl, uint64_t id, int fd, uint32_t bytes, uint64_t *ret_id)
{
	static _Thread_local struct nl_message m;
	static _Thread_local struct nl_answer a;
	int ret;

	nl_begin(nl, &m, DDPROF_CMD_TABLE_BEGIN, 0);
	if (fd >= 0)
		nl_put_u32(&m, DDPROF_A_TABLE_FILE_FD, fd);
	else
		nl_put_u64(&m, DDPROF_A_TABLE_FILE_ID, id);
	nl_put_u32(&m, DDPROF_A_TABLE_BYTES, bytes);
	ret = nl_call(nl, &m, &a);
	if (!ret)
		*ret_id = nl_attr_num(a.attrs, a.len, DDPROF_A_TABLE_FILE_ID, 0);
	return ret;
}

int table_data(struct nl *nl, uint64_t id, uint32_t offset, const void *data, size_t bytes)
{
	static _Thread_local struct nl_message m;

	nl_begin(nl, &m, DDPROF_CMD_TABLE_DATA, 0);
	nl_put_u64(&m, DDPROF_A_TABLE_FILE_ID, id);
	nl_put_u32(&m, DDPROF_A_TABLE_OFFSET, offset);
	nl_put(&m, DDPROF_A_TABLE_DATA, data, bytes);
	return nl_call(nl, &m, NULL);
}

static int table_by_id(struct nl *nl, uint8_t cmd, uint64_t id)
{
	static _Thread_local struct nl_message m;

	nl_begin(nl, &m, cmd, 0);
	nl_put_u64(&m, DDPROF_A_TABLE_FILE_ID, id);
	return nl_call(nl, &m, NULL);
}

int table_commit(struct nl *nl, uint64_t id)
{
	return table_by_id(nl, DDPROF_CMD_TABLE_COMMIT, id);
}

int table_drop(struct nl *nl, uint64_t id)
{
	return table_by_id(nl, DDPROF_CMD_TABLE_DROP, id);
}

int table_stage(struct nl *nl, uint64_t id, int fd, const struct table_image *image,
		uint64_t *ret_id)
{
	const uint8_t *bytes = image->bytes;
	size_t at, n;
	int ret = table_begin(nl, id, fd, image->nr, &id);

	for (at = 0; !ret && at < image->nr; at += n) {
		n = image->nr - at < TABLE_CHUNK ? image->nr - at : TABLE_CHUNK;
		ret = table_data(nl, id, at, bytes + at, n);
	}
	*ret_id = id;
	return ret;
}

int table_upload(struct nl *nl, uint64_t id, int fd, const struct table_image *image,
		 uint64_t *ret_id)
{
	int ret = table_stage(nl, id, fd, image, &id);

	if (ret_id)
		*ret_id = id;
	return ret ? ret : table_commit(nl, id);
}

/* -- what there is -- */

struct table_list {
	struct table_entry *entries;
	int nr, max;
};

static void table_list_add(void *ctx, const struct nl_answer *a)
{
	struct table_list *list = ctx;
	struct table_entry *e;
	const char *name;
	size_t len = 0;

	if (list->nr++ >= list->max)
		return;
	e = &list->entries[list->nr - 1];
	e->id = nl_attr_num(a->attrs, a->len, DDPROF_A_TABLE_FILE_ID, 0);
	e->bytes = nl_attr_num(a->attrs, a->len, DDPROF_A_TABLE_BYTES, UINT32_MAX);
	e->rows = nl_attr_num(a->attrs, a->len, DDPROF_A_TABLE_ROWS, UINT32_MAX);
	e->idle_s = nl_attr_num(a->attrs, a->len, DDPROF_A_TABLE_IDLE_S, UINT32_MAX);
	e->ended = nl_attr_num(a->attrs, a->len, DDPROF_A_TABLE_ENDED, UINT64_MAX);
	name = nl_attr(a->attrs, a->len, DDPROF_A_TABLE_NAME, &len);
	snprintf(e->name, sizeof(e->name), "%.*s", (int)len, name ? name : "");
}

int table_list(struct nl *nl, struct table_entry *ret, int max)
{
	static _Thread_local struct nl_message m;
	struct table_list list = { .entries = ret, .max = max };
	int err;

	nl_begin(nl, &m, DDPROF_CMD_TABLE_LIST, NLM_F_DUMP);
	err = nl_dump(nl, &m, table_list_add, &list);
	return err ? err : list.nr;
}

int table_info(struct nl *nl, struct table_info *ret)
{
	static _Thread_local struct nl_answer a;
	int err = nl_simple(nl, DDPROF_CMD_GET_INFO, &a);

	ret->tables = nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_TABLES, UINT64_MAX);
	ret->bytes = nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_TABLES_BYTES, UINT64_MAX);
	ret->max_bytes = nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_TABLES_MAX_BYTES, UINT64_MAX);
	ret->evicted = nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_TABLES_EVICTED, UINT64_MAX);
	ret->refused = nl_attr_num(a.attrs, a.len, DDPROF_A_INFO_TABLES_REFUSED, UINT64_MAX);
	return err;
}

/* -- images -- */

static struct table_image image_alloc(const struct ddprof_unwind_header *h)
{
	struct table_image image = {
		.nr = sizeof(*h) + h->nr_rules * sizeof(struct ddprof_unwind_rule) +
		      (h->nr_pages + 1 + h->nr_rows) * sizeof(uint32_t),
	};

	image.bytes = calloc(image.nr, 1);
	if (!image.bytes)
		abort();
	memcpy(image.bytes, h, sizeof(*h));
	return image;
}

struct table_image table_image_empty(void)
{
	return image_alloc(&(struct ddprof_unwind_header){
		.magic = DDPROF_UNWIND_MAGIC, .page_shift = 16,
	});
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct ddprof_unwind_rule random_rule(uint32_t *state)
{
	struct ddprof_unwind_rule r = { .kind = next_random(state) % __DDPROF_UNWIND_KIND_MAX };

	if (r.kind < DDPROF_UNWIND_REG || r.kind > DDPROF_UNWIND_PLT)
		return r;
	r.base = next_random(state) % 2 ? REG_SP : next_random(state) % 16;
	r.offset = next_random(state) % 4 ? (int32_t)(next_random(state) % 64) * 8 :
					    (int32_t)(next_random(state) << 12);
	r.add = r.kind == DDPROF_UNWIND_REG ? 0 : (int16_t)(next_random(state) % 16);
	r.bp = next_random(state) % __DDPROF_UNWIND_BP_MAX;
	if (r.bp == DDPROF_UNWIND_BP_CFA || r.bp == DDPROF_UNWIND_BP_BP)
		r.bp_offset = (int16_t)next_random(state);
	r.bx = -(int8_t)(next_random(state) % 128);
	return r;
}

/* Rule 0 is NONE, for the end. */
static void fill_rules(struct ddprof_unwind_rule *rules, uint32_t n, uint32_t random)
{
	uint32_t i;

	for (i = 1; i < n; i++)
		rules[i] = random ? random_rule(&random) : (struct ddprof_unwind_rule){
			.kind = DDPROF_UNWIND_REG, .base = REG_SP, .offset = 8,
		};
}

struct table_image table_image_synthetic(uint32_t rows, uint32_t random)
{
	struct ddprof_unwind_header h = {
		.magic = DDPROF_UNWIND_MAGIC, .nr_rules = random ? NR_RANDOM_RULES : 2,
		.nr_pages = (rows + PAGE_ROWS - 1) / PAGE_ROWS, .nr_rows = rows, .page_shift = 16,
	};
	struct table_image image = image_alloc(&h);
	struct ddprof_unwind_rule *rules = (void *)((uint8_t *)image.bytes + sizeof(h));
	uint32_t *pages = (uint32_t *)(rules + h.nr_rules), *row = pages + h.nr_pages + 1, i;

	fill_rules(rules, h.nr_rules, random);
	for (i = 0; i <= h.nr_pages; i++)
		pages[i] = i * PAGE_ROWS < rows ? i * PAGE_ROWS : rows;
	for (i = 0; i + 1 < rows; i++)
		row[i] = i * 4 << 16 |
			 (random ? 1 + next_random(&random) % (NR_RANDOM_RULES - 1) : 1);
	row[i] = i * 4 << 16;
	return image;
}
