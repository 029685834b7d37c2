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
		{ ".collapsed", DDP_FORMAT_COLLAPSED }, { ".folded", DDP_FORMAT_COLLAPSED },
		{ ".txt", DDP_FORMAT_COLLAPSED }, { ".json", DDP_FORMAT_SPEEDSCOPE },
		{ ".html", DDP_FORMAT_HTML }, { ".htm", DDP_FORMAT_HTML },
	};
	static const enum ddp_format pprof[] = {
		[DDP_GZIP] = DDP_FORMAT_GZIP, [DDP_LZ4] = DDP_FORMAT_LZ4,
		[DDP_ZSTD] = DDP_FORMAT_ZSTD, [DDP_PLAIN] = DDP_FORMAT_PLAIN,
	};
	enum ddp_compression compression;
	size_t len = strlen(path);

	if (!ddp_compression_from_path(path, &compression)) {
		*ret = pprof[compression];
		return 0;
	}

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i].end);

		if (len >= n && !strcmp(path + len - n, ends[i].end)) {
			*ret = ends[i].format;
			return 0;
		}
	}
	return -EINVAL;
}

bool ddp_format_is_pprof(const void *bytes, size_t n)
{
	return n && (ddp_compression_detect(bytes, n) != DDP_PLAIN || memchr(bytes, '\0', n));
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

/* Behind what is there already */
static void add_to_list(char *list, size_t size, const char *a, const char *slash, const char *b)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s%s%s", used ? ", " : "", a, slash, b);
}

void ddp_format_list_values(const struct ddp_pprof *p, char *ret, size_t size)
{
	ret[0] = '\0';
	for (size_t i = 0; i < p->nr_sample_types; i++)
		add_to_list(ret, size, p->sample_types[i].type, "/", p->sample_types[i].unit);
}

static int no_such_value(const struct ddp_pprof *p, const char *wanted, struct ddp_error *err)
{
	char list[160] = "";

	if (!p->nr_sample_types)
		return ddp__fail(err, -EINVAL, "the profile has no value types");
	ddp_format_list_values(p, list, sizeof(list));
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

/* Labels */

/* Distinct keys, as many as an error has room for */
struct keys {
	const char *list[12];
	size_t nr;
};

static void add_key(struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->nr; i++)
		if (!strcmp(keys->list[i], key))
			return;
	if (keys->nr < sizeof(keys->list) / sizeof(keys->list[0]))
		keys->list[keys->nr++] = key;
}

/* @return whether @label is among them */
static bool gather_keys(const struct ddp_pprof *p, const char *label, struct keys *keys)
{
	for (size_t i = 0; i < p->nr_samples; i++) {
		const struct ddp_pprof_sample *s = &p->samples[i];

		for (size_t k = 0; k < s->nr_labels; k++) {
			if (!strcmp(s->labels[k].key, label))
				return true;
			add_key(keys, s->labels[k].key);
		}
	}
	return false;
}

int ddp_format_find_label(const struct ddp_pprof *const *profiles, size_t nr, const char *label,
			  struct ddp_error *err)
{
	struct keys keys = { .nr = 0 };
	char list[160] = "";
	size_t samples = 0;

	for (size_t i = 0; i < nr; i++) {
		if (gather_keys(profiles[i], label, &keys))
			return 0;
		samples += profiles[i]->nr_samples;
	}
	if (!samples)
		return 0;
	for (size_t i = 0; i < keys.nr; i++)
		add_to_list(list, sizeof(list), keys.list[i], "", "");
	return ddp__fail(err, -EINVAL, "no sample has a label %.60s, %s%s", label,
			 keys.nr ? "only " : "nor any other", list);
}
