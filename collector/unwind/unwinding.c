// SPDX-License-Identifier: Apache-2.0
/* See unwinding.h. */
#include "unwind/unwinding.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "unwind/cfi_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "symbols/symbols.h"

enum {
	CACHE_BYTES = 256 << 20,	/* tables of thousands of programs */
	/* of tables that wait for START; the files of most processes are among them */
	MAX_MADE_BYTES = 16 << 20,
};

/* The worker's operations; ctx is its own link */

static int upload(void *ctx, uint64_t file_id, int fd, const void *image, size_t bytes,
		  uint64_t *ret_id, struct ddp_error *err)
{
	return ddp_link_table_upload(ctx, file_id, fd, image, bytes, ret_id, err);
}

static int list(void *ctx, ddp_link_table_fn fn, void *fn_ctx, struct ddp_error *err)
{
	return ddp_link_table_list(ctx, fn, fn_ctx, err);
}

static const struct ddp_tables_ops ops = {
	.upload = upload, .list = list, .build = ddp_cfi_file_table, .now_ms = now_ms,
};

/* Setting up */

/* Of a process's descriptors half are for the files that symbols come from */
static size_t max_fds(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) ? 64 : l.rlim_cur / 8;
}

static void open_cache(struct ddp_unwinding *u, const char *path)
{
	struct ddp_error err = { "" };

	if (path && ddp_table_cache_open(path, CACHE_BYTES, &u->cache, &err))
		ddp_log_warn("%s: unwind tables are not kept", err.text);
}

/* A quarter is left to files that samples meet */
static uint64_t ahead_bytes(const struct ddp_link_start *start)
{
	uint64_t limit = start->tables_kib ? (uint64_t)*start->tables_kib << 10 : MAX_MADE_BYTES;

	return limit - limit / 4;
}

static int open_tables(struct ddp_unwinding *u, const struct ddp_unwinding_config *c)
{
	struct ddp_prebuild_scope scope = {
		.proc = "/proc", .pids = c->start->tgids, .nr_pids = c->start->nr_tgids,
		.descendants = c->start->scope == DDPROF_SCOPE_TREES,
	};
	struct ddp_tables_config config = {
		.ops = &ops, .ctx = u->link, .cache = u->cache, .max_fds = max_fds(),
		.ahead = c->ahead_ms ? &scope : NULL, .max_ahead_bytes = ahead_bytes(c->start),
	};

	config.max_made_bytes = config.max_ahead_bytes < MAX_MADE_BYTES ? config.max_ahead_bytes :
									 MAX_MADE_BYTES;
	config.vdso_bytes = ddp_own_vdso(&config.vdso);
	if (!config.vdso_bytes)
		config.vdso = NULL;
	return ddp_tables_create(&config, &u->tables);
}

void ddp_unwinding_open(struct ddp_unwinding *u, const struct ddp_unwinding_config *c,
			const struct ddp_process *process)
{
	struct ddp_error err = { "" };
	int r;

	u->process = process;
	if (c->start->tables_kib && !*c->start->tables_kib)
		return;
	open_cache(u, c->cache);
	r = ddp_link_open(&u->link, &err);
	r = r ?: open_tables(u, c);
	if (r) {
		ddp_log_warn("no unwind tables: %s", err.text[0] ? err.text : strerror(-r));
		return;
	}
	if (c->ahead_ms && !ddp_tables_wait_ahead(u->tables, c->ahead_ms))
		ddp_log_info("not all unwind tables are made yet: starting without");
}

void ddp_unwinding_start(struct ddp_unwinding *u)
{
	if (u->tables)
		ddp_tables_start(u->tables);
}

static void want(struct ddp_unwinding *u, struct ddp_object *o)
{
	CLEANUP(close_fd) int opened = -1;
	int r;

	if (o->fd < 0)
		opened = ddp_objects_open(&u->process->objects, o);
	if (o->fd < 0 && opened < 0)
		ddp_log_debug("%s: no unwind table: %s", o->path, strerror(-opened));
	r = ddp_tables_want(u->tables, o->file_id, o->fd >= 0 ? o->fd : opened, o->refs, o->path);
	if (r)
		ddp_log_debug("%s: no unwind table: %s", o->path, strerror(-r));
}

/* Asked when a file is mapped the first time, and again each time its mappings have doubled */
void ddp_unwinding_map(struct ddp_unwinding *u, uint64_t file_id)
{
	struct ddp_object *o;

	if (!u->tables || !file_id)
		return;
	o = ddp_objects_find(&u->process->objects, file_id);
	if (!o || o->refs & (o->refs - 1) || !ddp_tables_met(u->tables, file_id, o->refs))
		return;
	want(u, o);
}

int ddp_unwinding_fd(const struct ddp_unwinding *u)
{
	return u->tables ? ddp_tables_fd(u->tables) : -1;
}

void ddp_unwinding_work(struct ddp_unwinding *u)
{
	uint64_t missing[DDP_TABLES_MAX_MISSING];
	size_t nr = u->tables ? ddp_tables_missing(u->tables, missing) : 0;

	for (size_t i = 0; i < nr; i++) {
		struct ddp_object *o = ddp_objects_find(&u->process->objects, missing[i]);

		if (o && o->refs && ddp_tables_met(u->tables, o->file_id, o->refs))
			want(u, o);
	}
}

void ddp_unwinding_check(struct ddp_unwinding *u)
{
	if (u->tables)
		ddp_tables_check(u->tables);
}

void ddp_unwinding_count(struct ddp_unwinding *u, struct ddp_tables_counts *ret)
{
	*ret = (struct ddp_tables_counts){ 0 };
	if (u->tables)
		ddp_tables_count(u->tables, ret);
}

static void say_work(struct ddp_unwinding *u)
{
	struct ddp_tables_counts n;

	ddp_unwinding_count(u, &n);
	ddp_log_info("unwind tables: built=%" PRIu64 " cached=%" PRIu64 " without_rows=%" PRIu64
		     " failed=%" PRIu64 " uploaded=%" PRIu64 " refused=%" PRIu64 " dropped=%" PRIu64
		     " stuck=%" PRIu64 " rows=%" PRIu64 " bytes=%" PRIu64 " build_ms=%" PRIu64,
		     n.built, n.from_cache, n.no_cfi, n.failed, n.uploaded, n.refused, n.dropped,
		     n.stuck, n.rows, n.image_bytes, n.build_ns / 1000000);
	ddp_log_info("unwind tables built: functions=%" PRIu64 " rows=%" PRIu64
		     " unknown_rows=%" PRIu64 " code_bytes=%" PRIu64
		     " unknown_bytes=%" PRIu64 " rbp_lost_rows=%" PRIu64,
		     n.cfi.entries, n.cfi.rows, n.cfi.unknown_rows, n.cfi.code_bytes,
		     n.cfi.unknown_bytes, n.cfi.bp_lost_rows);
	for (int i = 0; i < DDP_CFI_NR_REASONS; i++)
		if (n.cfi.by_reason[i])
			ddp_log_info("unwind tables, not described: %s: %" PRIu64,
				     ddp_cfi_reason_text(i), n.cfi.by_reason[i]);
}

void ddp_unwinding_close(struct ddp_unwinding *u)
{
	if (u->tables)
		say_work(u);
	if (ddp_tables_destroy(u->tables)) {
		ddp_link_close(u->link);
		ddp_table_cache_close(u->cache);
	}
	*u = (struct ddp_unwinding){ 0 };
}
