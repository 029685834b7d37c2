// SPDX-License-Identifier: Apache-2.0
/*
 * See sender_batch.h. Numbers are in the machine's byte order: a spool does not move to another
 * one, and would be found damaged there.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "hash.h"
#include "sender_batch.h"

enum { FORMAT = 1 };	/* raise it with every change of what follows the head */

struct head {
	char magic[8];
	uint32_t format, zero;
	uint64_t bytes;			/* head and all */
	XXH128_canonical_t hash;	/* of what is before and behind it */
};

static const char magic[8] = "ddpspoo\n";

/* Whatever changed: the head goes into the seed */
static void hash_of(const struct ddp__batch *b, XXH128_canonical_t *ret)
{
	uint64_t seed = XXH3_64bits(b->bytes, offsetof(struct head, hash));

	XXH128_canonicalFromHash(ret, XXH3_128bits_withSeed(b->bytes + sizeof(struct head),
							    b->n - sizeof(struct head), seed));
}

struct ddp__batch *ddp__batch_alloc(size_t n)
{
	struct ddp__batch *b = ddp__alloc(sizeof(*b) + n);

	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->n = n;
	return b;
}

struct ddp__batch *ddp__batch_ref(struct ddp__batch *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void ddp__batch_unref(struct ddp__batch *b)
{
	if (b && atomic_fetch_sub(&b->refs, 1) == 1)
		ddp__free(b);
}

/* Writing: twice the same walk, first to count and then to copy */

struct writer {
	unsigned char *to;	/* NULL: only count */
	size_t n;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	if (w->to && n)
		memcpy(w->to + w->n, bytes, n);
	w->n += n;
}

static void put_number(struct writer *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

/* With a NUL behind it, so that it can be used where it is */
static void put_bytes(struct writer *w, const void *bytes, size_t n)
{
	put_number(w, n);
	put(w, bytes, n);
	put(w, "", 1);
}

/* NULL is not "" */
static void put_text(struct writer *w, const char *s)
{
	put_number(w, !!s);
	if (s)
		put_bytes(w, s, strlen(s));
}

static void put_lists(struct writer *w, const struct ddp_export_form *f)
{
	size_t i;

	put_number(w, f->nr_info);
	for (i = 0; i < f->nr_info; i++) {
		put_text(w, f->info[i].key);
		put_text(w, f->info[i].value);
	}
	put_number(w, f->nr_endpoint_counts);
	for (i = 0; i < f->nr_endpoint_counts; i++) {
		put_bytes(w, f->endpoint_counts[i].endpoint, f->endpoint_counts[i].len);
		put_number(w, (uint64_t)f->endpoint_counts[i].count);
	}
	put_number(w, f->nr_files);
	for (i = 0; i < f->nr_files; i++) {
		put_text(w, f->files[i].name);
		put_bytes(w, f->files[i].bytes, f->files[i].n);
	}
}

static void put_form(struct writer *w, const struct ddp_export_form *f, const char *id)
{
	put_text(w, f->id ? f->id : id);
	put_number(w, (uint64_t)f->start_unix_ns);
	put_number(w, (uint64_t)f->end_unix_ns);
	put_bytes(w, f->tags ? f->tags->bytes : NULL, f->tags ? f->tags->len : 0);
	put_text(w, f->process_tags);
	put_lists(w, f);
	put_bytes(w, f->profile, f->profile_bytes);
}

void ddp__batch_seal(struct ddp__batch *b)
{
	struct head h = { .format = FORMAT, .bytes = b->n };

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(b->bytes, &h, sizeof(h));
	hash_of(b, &h.hash);
	memcpy(b->bytes, &h, sizeof(h));
}

int ddp__batch_create(const struct ddp_export_form *form, const char *id, struct ddp__batch **ret)
{
	struct writer w = { .n = sizeof(struct head) };
	struct ddp__batch *b;

	if (!form->profile || !form->profile_bytes || form->start_unix_ns < 0 ||
	    form->end_unix_ns < 0)
		return -EINVAL;
	put_form(&w, form, id);
	if (w.n > BATCH_BYTES_MAX)
		return -EFBIG;
	b = ddp__batch_alloc(w.n);
	if (!b)
		return -ENOMEM;
	w = (struct writer){ .to = b->bytes, .n = sizeof(struct head) };
	put_form(&w, form, id);
	ddp__batch_seal(b);
	*ret = b;
	return 0;
}

/* Reading: sticks to its first error, after which everything is 0 */

struct reader {
	const unsigned char *at;
	size_t left;
	int error;
};

static void fail(struct reader *r, int error)
{
	if (!r->error)
		r->error = error;
	r->left = 0;
}

static const unsigned char *take(struct reader *r, size_t n)
{
	const unsigned char *at = r->at;

	if (n > r->left) {
		fail(r, -EBADMSG);
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return at;
}

static uint64_t take_number(struct reader *r)
{
	const unsigned char *at = take(r, sizeof(uint64_t));
	uint64_t v = 0;

	if (at)
		memcpy(&v, at, sizeof(v));
	return v;
}

static const unsigned char *take_bytes(struct reader *r, size_t *ret_n)
{
	uint64_t n = take_number(r);
	const unsigned char *at;

	*ret_n = 0;
	if (n >= r->left) {	/* there is a NUL, too */
		fail(r, -EBADMSG);
		return NULL;
	}
	at = take(r, n + 1);
	if (at && at[n])
		fail(r, -EBADMSG);
	if (r->error)
		return NULL;
	*ret_n = n;
	return at;
}

static const char *take_text(struct reader *r)
{
	uint64_t is_there = take_number(r);
	const unsigned char *at;
	size_t n;

	if (is_there > 1)
		fail(r, -EBADMSG);
	if (!is_there)
		return NULL;
	at = take_bytes(r, &n);
	if (at && memchr(at, '\0', n)) {
		fail(r, -EBADMSG);
		return NULL;
	}
	return (const char *)at;
}

/* An array for a list whose elements take @least bytes each; NULL: an error, or an empty list */
static void *take_list(struct reader *r, size_t least, size_t elem, size_t *ret_nr)
{
	uint64_t nr = take_number(r);
	void *array;

	*ret_nr = 0;
	if (nr > r->left / least)
		fail(r, -EBADMSG);
	if (r->error || !nr)
		return NULL;
	array = ddp__alloc(nr * elem);
	if (!array)
		fail(r, -ENOMEM);
	else
		*ret_nr = nr;
	return array;
}

static void take_lists(struct reader *r, struct ddp__batch_form *f)
{
	struct ddp_export_form *form = &f->form;
	size_t i;

	form->info = f->info = take_list(r, 16, sizeof(*f->info), &form->nr_info);
	for (i = 0; i < form->nr_info; i++) {
		f->info[i].key = take_text(r);
		f->info[i].value = take_text(r);
		if (!f->info[i].key || !f->info[i].value)
			fail(r, -EBADMSG);
	}
	form->endpoint_counts = f->counts =
		take_list(r, 17, sizeof(*f->counts), &form->nr_endpoint_counts);
	for (i = 0; i < form->nr_endpoint_counts; i++) {
		f->counts[i].endpoint = (const char *)take_bytes(r, &f->counts[i].len);
		f->counts[i].count = (int64_t)take_number(r);
	}
	form->files = f->files = take_list(r, 17, sizeof(*f->files), &form->nr_files);
	for (i = 0; i < form->nr_files; i++) {
		f->files[i].name = take_text(r);
		f->files[i].bytes = take_bytes(r, &f->files[i].n);
	}
}

static void take_form(struct reader *r, struct ddp__batch_form *f)
{
	struct ddp_export_form *form = &f->form;

	form->id = take_text(r);
	form->start_unix_ns = (int64_t)take_number(r);
	form->end_unix_ns = (int64_t)take_number(r);
	f->tags.bytes = (unsigned char *)take_bytes(r, &f->tags.len);
	form->tags = &f->tags;
	form->process_tags = take_text(r);
	take_lists(r, f);
	form->profile = take_bytes(r, &form->profile_bytes);
	if (!form->id || form->start_unix_ns < 0 || form->end_unix_ns < 0 ||
	    !form->profile_bytes || r->left)
		fail(r, -EBADMSG);
}

static bool is_whole(const struct ddp__batch *b)
{
	XXH128_canonical_t hash;
	struct head h;

	if (b->n < sizeof(h))
		return false;
	memcpy(&h, b->bytes, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) || h.format != FORMAT || h.bytes != b->n)
		return false;
	hash_of(b, &hash);
	return !memcmp(&hash, &h.hash, sizeof(hash));
}

int ddp__batch_open(const struct ddp__batch *b, struct ddp__batch_form *ret)
{
	struct reader r = { .at = b->bytes + sizeof(struct head) };

	*ret = (struct ddp__batch_form){ .form = { .id = NULL } };
	if (!is_whole(b))
		return -EBADMSG;
	r.left = b->n - sizeof(struct head);
	take_form(&r, ret);
	return r.error;
}

void ddp__batch_form_free(struct ddp__batch_form *f)
{
	ddp__free(f->info);
	ddp__free(f->counts);
	ddp__free(f->files);
	*f = (struct ddp__batch_form){ .form = { .id = NULL } };
}

const char *ddp__batch_id(const struct ddp__batch *b)
{
	struct reader r = { .at = b->bytes + sizeof(struct head) };
	const char *id;

	if (b->n < sizeof(struct head))
		return "";
	r.left = b->n - sizeof(struct head);
	id = take_text(&r);
	return id && !r.error ? id : "";
}
