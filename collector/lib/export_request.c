// SPDX-License-Identifier: Apache-2.0
/*
 * What the formats of export_request.h share: the request's memory, tags one after the other, and
 * profiles in the compression that everybody takes.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ddprof/compress.h"
#include "export_request.h"

/* Most profiles are a few hundred KB; a form may hold up to 2 GiB, as a profile may */
#define PLAIN_BYTES_MAX ((size_t)2 << 30)

DEFINE_CLEANUP(struct ddp_compressor *, ddp_compressor_destroy)

struct export_block {
	struct export_block *next;
	struct ddp_buffer buffer;
};

struct ddp_buffer *ddp__export_buffer(struct export_request *q)
{
	struct export_block *block = ddp__alloc(sizeof(*block));

	if (!block)
		return NULL;
	block->next = q->owned;
	q->owned = block;
	return &block->buffer;
}

void ddp__export_request_free(struct export_request *q)
{
	struct export_block *block, *next;

	for (block = q->owned; block; block = next) {
		next = block->next;
		ddp_buffer_free(&block->buffer);
		ddp__free(block);
	}
	VEC_FREE(&q->parts);
	ddp_buffer_free(&q->query);
	ddp_buffer_free(&q->body);
}

int ddp__export_part(struct export_request *q, struct export_part part)
{
	struct ddp__budget unlimited = { 0 };
	int r = VEC_RESERVE(&unlimited, &q->parts, 1);

	if (r)
		return -ENOMEM;
	q->parts.at[q->parts.nr++] = part;
	return 0;
}

int ddp__export_field(struct export_request *q, const char *name, const char *text)
{
	return ddp__export_part(q, (struct export_part){
		.name = name, .bytes = text, .n = strlen(text) });
}

bool ddp__export_is_profile(const struct ddp_export_file *f)
{
	static const char end[] = ".pprof";
	size_t n = strlen(f->name);

	return n >= strlen(end) && !strcmp(f->name + n - strlen(end), end);
}

int ddp__export_one_profile(const struct ddp_export_form *form, const char *format,
			    struct ddp_error *err)
{
	size_t i;

	for (i = 0; i < form->nr_files; i++)
		if (ddp__export_is_profile(&form->files[i]))
			return ddp__fail(err, -EINVAL,
					 "%s takes one profile at a time; send %s by itself",
					 format, form->files[i].name);
	return 0;
}

int ddp__export_gzip(const void *bytes, size_t n, struct ddp_buffer *to, struct ddp_error *err)
{
	CLEANUP(ddp_compressor_destroy) struct ddp_compressor *gzip = NULL;
	int r;

	if (ddp_compression_detect(bytes, n) == DDP_GZIP)
		return ddp_buffer_write(to, bytes, n);
	r = ddp_compressor_create(DDP_GZIP, 0, ddp_buffer_write, to, &gzip);
	if (!r)
		r = ddp_decompress(bytes, n, PLAIN_BYTES_MAX, ddp_compressor_write, gzip);
	if (!r)
		r = ddp_compressor_finish(gzip);
	if (r && r != -ENOMEM)
		return ddp__fail(err, r, "the profile cannot be decompressed: %s", strerror(-r));
	return r;
}

/* Tags */

bool ddp__export_next_tag(const struct ddp_buffer *tags, size_t *at, struct export_tag *ret)
{
	const char *tag, *colon, *end;
	size_t left = tags && tags->len > *at ? tags->len - *at : 0;

	if (!left)
		return false;
	tag = (const char *)tags->bytes + *at;
	end = memchr(tag, ',', left) ?: tag + left;
	colon = memchr(tag, ':', end - tag) ?: end;
	*ret = (struct export_tag){
		.key = tag, .key_n = colon - tag,
		.value = colon < end ? colon + 1 : end,
		.value_n = colon < end ? end - colon - 1 : 0,
	};
	*at += end - tag + 1;
	return true;
}

bool ddp__export_find_tag(const struct ddp_buffer *tags, const char *key, struct export_tag *ret)
{
	struct export_tag t;
	size_t at = 0;

	while (ddp__export_next_tag(tags, &at, &t)) {
		if (export_tag_is(&t, key)) {
			*ret = t;
			return true;
		}
	}
	return false;
}

bool ddp__export_first_of_key(const struct ddp_buffer *tags, const struct export_tag *t)
{
	struct export_tag other;
	size_t at = 0;

	while (ddp__export_next_tag(tags, &at, &other) && other.key != t->key)
		if (other.key_n == t->key_n && !memcmp(other.key, t->key, t->key_n))
			return false;
	return true;
}
