// SPDX-License-Identifier: Apache-2.0
/* See link.h: the commands for unwind tables, TABLE_BEGIN, _DATA, _COMMIT, _DROP and _LIST. */
#include <errno.h>
#include <string.h>

#include "link/link_internal.h"

enum {
	DATA_BYTES = 32 * 1024,	/* of a message: the netlink send buffer has room for one */
};

struct begun {
	uint64_t file_id;	/* that was asked for; 0: any */
};

static int read_begun(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_TABLE_MAX + 1];
	struct begun *b = ctx;
	uint64_t id;
	int r = ddp_link_parse(tb, DDPROF_A_TABLE_MAX, attrs, len);

	r = r ?: ddp_link_u64(tb[DDPROF_A_TABLE_FILE_ID], &id);
	if (r)
		return r;
	if (!id || (b->file_id && id != b->file_id))
		return -EBADMSG;
	b->file_id = id;
	return 0;
}

/* @file_id: what to begin, 0 for @fd's; then what was begun */
static int begin(struct ddp_link *l, uint64_t *file_id, int fd, uint32_t bytes,
		 struct ddp_error *err)
{
	struct begun b = { .file_id = *file_id };
	struct ddp_link_exchange x = {
		.what = "TABLE_BEGIN", .on_answer = read_begun, .ctx = &b, .err = err
	};
	struct nl_msg *m = ddp_link_request(l, DDPROF_CMD_TABLE_BEGIN, 0, 0);
	int r = m ? nla_put_u32(m, DDPROF_A_TABLE_BYTES, bytes) : 0;

	if (m && !r && *file_id)
		r = nla_put_u64(m, DDPROF_A_TABLE_FILE_ID, *file_id);
	else if (m && !r)
		r = nla_put_u32(m, DDPROF_A_TABLE_FILE_FD, (uint32_t)fd);
	if (r) {
		nlmsg_free(m);
		m = NULL;
	}
	r = ddp_link_ask(l, l->requests, m, &x);
	if (!r)
		*file_id = b.file_id;
	return r;
}

static int put_data(struct nl_msg *m, uint32_t offset, const void *data, uint32_t n)
{
	int r = nla_put_u32(m, DDPROF_A_TABLE_OFFSET, offset);

	return r ? r : nla_put(m, DDPROF_A_TABLE_DATA, (int)n, data);
}

/* DATA with @n bytes; COMMIT and DROP with none */
static int tell(struct ddp_link *l, uint8_t cmd, const char *what, uint64_t file_id,
		uint32_t offset, const void *data, uint32_t n, struct ddp_error *err)
{
	struct ddp_link_exchange x = { .what = what, .err = err };
	struct nl_msg *m = ddp_link_request(l, cmd, 0, n);

	if (m && (nla_put_u64(m, DDPROF_A_TABLE_FILE_ID, file_id) ||
		  (n && put_data(m, offset, data, n)))) {
		nlmsg_free(m);
		m = NULL;
	}
	return ddp_link_ask(l, l->requests, m, &x);
}

static int fill(struct ddp_link *l, uint64_t file_id, const uint8_t *image, uint32_t bytes,
		struct ddp_error *err)
{
	int r = 0;

	for (uint32_t at = 0; !r && at < bytes;) {
		uint32_t n = bytes - at < DATA_BYTES ? bytes - at : DATA_BYTES;

		r = tell(l, DDPROF_CMD_TABLE_DATA, "TABLE_DATA", file_id, at, image + at, n, err);
		at += n;
	}
	return r;
}

int ddp_link_table_upload(struct ddp_link *l, uint64_t file_id, int fd, const void *image,
			  size_t bytes, uint64_t *ret_id, struct ddp_error *err)
{
	int r;

	if (bytes > UINT32_MAX)
		return ddp_link_failed(err, -EFBIG, "an unwind table of %zu bytes", bytes);
	r = begin(l, &file_id, fd, (uint32_t)bytes, err);
	if (r)
		return r;
	r = fill(l, file_id, image, (uint32_t)bytes, err);
	if (r) {
		tell(l, DDPROF_CMD_TABLE_DROP, "TABLE_DROP", file_id, 0, NULL, 0, NULL);
		return r;
	}
	r = tell(l, DDPROF_CMD_TABLE_COMMIT, "TABLE_COMMIT", file_id, 0, NULL, 0, err);
	if (!r && ret_id)
		*ret_id = file_id;
	return r;
}

struct table_reader {
	ddp_link_table_fn fn;
	void *ctx;
};

static void read_name(struct nlattr *a, char *ret, size_t size)
{
	size_t n = a ? strnlen(nla_data(a), (size_t)nla_len(a)) : 0;

	n = n < size ? n : size - 1;
	if (n)
		memcpy(ret, nla_data(a), n);
	ret[n] = '\0';
}

static int read_table(struct nlattr *attrs, int len, void *ctx)
{
	struct nlattr *tb[DDPROF_A_TABLE_MAX + 1];
	struct table_reader *reader = ctx;
	struct ddp_link_table t = { 0 };
	int r = ddp_link_parse(tb, DDPROF_A_TABLE_MAX, attrs, len);

	r = r ?: ddp_link_u64(tb[DDPROF_A_TABLE_FILE_ID], &t.file_id);
	r = r ?: ddp_link_u32(tb[DDPROF_A_TABLE_BYTES], &t.bytes);
	r = r ?: ddp_link_u64(tb[DDPROF_A_TABLE_ENDED], &t.ended);
	if (!r && tb[DDPROF_A_TABLE_ROWS])
		r = ddp_link_u32(tb[DDPROF_A_TABLE_ROWS], &t.rows);
	if (!r && tb[DDPROF_A_TABLE_IDLE_S])
		r = ddp_link_u32(tb[DDPROF_A_TABLE_IDLE_S], &t.idle_s);
	if (r)
		return r;
	read_name(tb[DDPROF_A_TABLE_NAME], t.name, sizeof(t.name));
	return reader->fn(reader->ctx, &t);
}

int ddp_link_table_list(struct ddp_link *l, ddp_link_table_fn fn, void *ctx, struct ddp_error *err)
{
	struct table_reader reader = { fn, ctx };
	struct ddp_link_exchange x = {
		.what = "TABLE_LIST",
		.dump = true,
		.on_answer = read_table,
		.ctx = &reader,
		.err = err,
	};

	return ddp_link_ask(l, l->requests,
			    ddp_link_request(l, DDPROF_CMD_TABLE_LIST, NLM_F_DUMP, 0), &x);
}
