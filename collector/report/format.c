// SPDX-License-Identifier: Apache-2.0
/* See format.h. */
#include "report/format.h"

#include <ddprof/compress.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "report/collapsed.h"
#include "report/flamegraph.h"
#include "report/speedscope.h"

DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

const char *const ddp_format_names[] = {
	[DDP_FORMAT_AUTO] = "auto", [DDP_FORMAT_GZIP] = "gzip", [DDP_FORMAT_LZ4] = "lz4",
	[DDP_FORMAT_ZSTD] = "zstd", [DDP_FORMAT_PLAIN] = "plain",
	[DDP_FORMAT_COLLAPSED] = "collapsed", [DDP_FORMAT_SPEEDSCOPE] = "speedscope",
	[DDP_FORMAT_HTML] = "html", NULL,
};

int ddp_format_from_path(const char *path, enum ddp_format *ret)
{
	static const struct {
		const char *end;
		enum ddp_format format;
	} ends[] = {
		{ ".pprof", DDP_FORMAT_GZIP }, { ".gz", DDP_FORMAT_GZIP },
		{ ".lz4", DDP_FORMAT_LZ4 }, { ".zst", DDP_FORMAT_ZSTD },
		{ ".pb", DDP_FORMAT_PLAIN }, { ".collapsed", DDP_FORMAT_COLLAPSED },
		{ ".folded", DDP_FORMAT_COLLAPSED }, { ".txt", DDP_FORMAT_COLLAPSED },
		{ ".json", DDP_FORMAT_SPEEDSCOPE }, { ".html", DDP_FORMAT_HTML },
		{ ".htm", DDP_FORMAT_HTML },
	};
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i].end);

		if (len >= n && !strcmp(path + len - n, ends[i].end)) {
			*ret = ends[i].format;
			return 0;
		}
	}
	return -EINVAL;
}

int ddp_format_read(const void *bytes, size_t n, enum ddp_format format,
		    const struct ddp_value_type *type, struct ddp_pprof **ret,
		    struct ddp_error *err)
{
	err->text[0] = '\0';
	switch (format) {
	case DDP_FORMAT_COLLAPSED:
		return ddp_collapsed_read(bytes, n, type, ret, err);
	case DDP_FORMAT_SPEEDSCOPE:
	case DDP_FORMAT_HTML:
		return ddp__fail(err, -EOPNOTSUPP, "%s can only be written, not read",
				 ddp_format_names[format]);
	default:
		return ddp_pprof_load(bytes, n, NULL, ret, err);
	}
}

static int write_pprof(const struct ddp_pprof *p, enum ddp_compression c, ddp_write_fn write,
		       void *ctx)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *z = NULL;
	int r = ddp_compressor_create(c, 0, write, ctx, &z);

	r = r ?: ddp_pprof_write(p, ddp_compressor_write, z);
	return r ? r : ddp_compressor_finish(z);
}

int ddp_format_write(const struct ddp_pprof *p, enum ddp_format format,
		     const struct ddp_format_options *o, ddp_write_fn write, void *ctx,
		     struct ddp_error *err)
{
	err->text[0] = '\0';
	switch (format) {
	case DDP_FORMAT_GZIP:
		return write_pprof(p, DDP_GZIP, write, ctx);
	case DDP_FORMAT_LZ4:
		return write_pprof(p, DDP_LZ4, write, ctx);
	case DDP_FORMAT_ZSTD:
		return write_pprof(p, DDP_ZSTD, write, ctx);
	case DDP_FORMAT_PLAIN:
		return write_pprof(p, DDP_PLAIN, write, ctx);
	case DDP_FORMAT_COLLAPSED:
		return ddp_collapsed_write(p, o->value, o->label, write, ctx);
	case DDP_FORMAT_SPEEDSCOPE:
		return ddp_speedscope_write(p, o->title, o->value, o->label, write, ctx, err);
	case DDP_FORMAT_HTML:
		return ddp_flamegraph_write(p, o->title, o->value, o->label, write, ctx);
	case DDP_FORMAT_AUTO:
		break;
	}
	return -EINVAL;
}

/* Value types */

static int no_such_value(const struct ddp_pprof *p, const char *wanted, struct ddp_error *err)
{
	char list[160] = "";

	if (!p->nr_sample_types)
		return ddp__fail(err, -EINVAL, "the profile has no value types");
	for (size_t i = 0; i < p->nr_sample_types; i++) {
		const struct ddp_value_type *t = &p->sample_types[i];
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s/%s", i ? ", " : "", t->type,
			 t->unit);
	}
	return ddp__fail(err, -EINVAL, "no value %.60s, only %s", wanted, list);
}

/* "cpu-time", or "cpu-time/nanoseconds" where several have one name */
static bool is_called(const struct ddp_value_type *t, const char *wanted)
{
	size_t n = strlen(t->type);

	if (strncmp(wanted, t->type, n))
		return false;
	return !wanted[n] || (wanted[n] == '/' && !strcmp(wanted + n + 1, t->unit));
}

static bool find_type(const struct ddp_pprof *p, const char *wanted, size_t *ret)
{
	for (size_t i = 0; i < p->nr_sample_types; i++) {
		if (is_called(&p->sample_types[i], wanted)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int ddp_format_find_value(const struct ddp_pprof *p, const char *wanted, size_t *ret,
			  struct ddp_error *err)
{
	unsigned long n;
	char *end;

	if (!p->nr_sample_types)
		return no_such_value(p, wanted, err);
	if (!wanted && (!p->default_sample_type[0] || !find_type(p, p->default_sample_type, ret)))
		*ret = p->nr_sample_types - 1;
	if (!wanted || find_type(p, wanted, ret))
		return 0;
	n = strtoul(wanted, &end, 10);
	if (*end || wanted[0] < '0' || wanted[0] > '9' || n >= p->nr_sample_types)
		return no_such_value(p, wanted, err);
	*ret = n;
	return 0;
}
