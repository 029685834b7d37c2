// SPDX-License-Identifier: Apache-2.0
/*
 * Walking protobuf's bytes along a table of pprof's messages. Fields that the table does not have
 * are skipped, as newer writers may have them; the deprecated groups are refused.
 *
 * Source: protobuf's encoding guide; field numbers and types, pprof's profile.proto.
 */
#include <errno.h>

#include "pprof_check.h"
#include "record_out.h"

enum {
	SHORT_VARINT_BYTES = 5,	/* of tags and lengths, which have 32 bits */
	WIRE_TYPE_BITS = 3,
};

/* What a field's value is */
enum kind {
	UNKNOWN,
	NUMBER,
	NUMBERS,	/* packed or not */
	TEXT,
	MESSAGE,
};

enum { NR_FIELDS = 16 };	/* none of pprof's has a higher number */

struct message {
	const char *name;
	struct {
		enum kind kind;
		const struct message *message;
	} fields[NR_FIELDS];	/* by number */
};

static const struct message value_type = {
	"a value type", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL } },
};

static const struct message label = {
	"a label", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL }, [3] = { NUMBER, NULL },
		     [4] = { NUMBER, NULL } },
};

static const struct message sample = {
	"a sample", { [1] = { NUMBERS, NULL }, [2] = { NUMBERS, NULL }, [3] = { MESSAGE, &label } },
};

static const struct message mapping = {
	"a mapping", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL }, [3] = { NUMBER, NULL },
		       [4] = { NUMBER, NULL }, [5] = { NUMBER, NULL }, [6] = { NUMBER, NULL },
		       [7] = { NUMBER, NULL }, [8] = { NUMBER, NULL }, [9] = { NUMBER, NULL },
		       [10] = { NUMBER, NULL } },
};

static const struct message line = {
	"a line", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL }, [3] = { NUMBER, NULL } },
};

static const struct message location = {
	"a location", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL }, [3] = { NUMBER, NULL },
			[4] = { MESSAGE, &line }, [5] = { NUMBER, NULL } },
};

static const struct message function = {
	"a function", { [1] = { NUMBER, NULL }, [2] = { NUMBER, NULL }, [3] = { NUMBER, NULL },
			[4] = { NUMBER, NULL }, [5] = { NUMBER, NULL } },
};

static const struct message profile = {
	"the profile", {
		[DDP_PROFILE_SAMPLE_TYPE] = { MESSAGE, &value_type },
		[DDP_PROFILE_SAMPLE] = { MESSAGE, &sample },
		[DDP_PROFILE_MAPPING] = { MESSAGE, &mapping },
		[DDP_PROFILE_LOCATION] = { MESSAGE, &location },
		[DDP_PROFILE_FUNCTION] = { MESSAGE, &function },
		[DDP_PROFILE_STRING_TABLE] = { TEXT, NULL },
		[DDP_PROFILE_DROP_FRAMES] = { NUMBER, NULL },
		[DDP_PROFILE_KEEP_FRAMES] = { NUMBER, NULL },
		[DDP_PROFILE_TIME_NANOS] = { NUMBER, NULL },
		[DDP_PROFILE_DURATION_NANOS] = { NUMBER, NULL },
		[DDP_PROFILE_PERIOD_TYPE] = { MESSAGE, &value_type },
		[DDP_PROFILE_PERIOD] = { NUMBER, NULL },
		[DDP_PROFILE_COMMENT] = { NUMBERS, NULL },
		[DDP_PROFILE_DEFAULT_SAMPLE_TYPE] = { NUMBER, NULL },
		[DDP_PROFILE_DOC_URL] = { NUMBER, NULL },
	},
};

/* The cursor: from @at up to @end, both positions in the file. */
struct cursor {
	const unsigned char *bytes;
	size_t at, end;
};

struct field {
	size_t start;		/* where its tag is */
	uint32_t number;	/* 0: not even that could be read */
	enum wire_type type;
	uint64_t value;		/* of a varint */
	size_t body, body_end;	/* of what has a length */
};

/* What is wrong with a field; NULL: nothing */
typedef const char *fault;

static const char cut_short[] = "is cut short";

static bool take_varint(struct cursor *c, size_t max_bytes, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < max_bytes && c->at < c->end; i++) {
		unsigned char b = c->bytes[c->at++];

		v |= (uint64_t)(b & 0x7f) << 7 * i;
		if (!(b & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static fault take_bytes(struct cursor *c, uint64_t n)
{
	if (n > c->end - c->at)
		return cut_short;
	c->at += n;
	return NULL;
}

static fault take_body(struct cursor *c, struct field *ret)
{
	uint64_t n;
	fault f;

	if (!take_varint(c, SHORT_VARINT_BYTES, &n))
		return "has no length";
	ret->body = c->at;
	f = take_bytes(c, n);
	ret->body_end = c->at;
	return f;
}

static fault take_field(struct cursor *c, struct field *ret)
{
	uint64_t tag;

	*ret = (struct field){ .start = c->at };
	if (!take_varint(c, SHORT_VARINT_BYTES, &tag) || tag > UINT32_MAX)
		return "has no tag";
	ret->number = tag >> WIRE_TYPE_BITS;
	ret->type = tag & ((1 << WIRE_TYPE_BITS) - 1);
	if (!ret->number)
		return "has no number";
	switch (ret->type) {
	case WIRE_VARINT:
		return take_varint(c, VARINT_BYTES, &ret->value) ? NULL :
		       "is a number without an end";
	case WIRE_64BIT:
		return take_bytes(c, 8);
	case WIRE_BYTES:
		return take_body(c, ret);
	case WIRE_32BIT:
		return take_bytes(c, 4);
	}
	return "is of a type that pprof does not have";
}

static fault check_packed(const struct cursor *c, const struct field *f)
{
	struct cursor body = { c->bytes, f->body, f->body_end };
	uint64_t v;

	while (body.at < body.end)
		if (!take_varint(&body, VARINT_BYTES, &v))
			return "ends within a number";
	return NULL;
}

/* Does the value fit the table? */
static fault check_value(const struct cursor *c, const struct field *f, enum kind kind)
{
	static const char not_number[] = "is not a number", not_bytes[] = "is a number";

	switch (kind) {
	case UNKNOWN:
		return NULL;
	case NUMBER:
		return f->type == WIRE_VARINT ? NULL : not_number;
	case NUMBERS:
		if (f->type == WIRE_BYTES)
			return check_packed(c, f);
		return f->type == WIRE_VARINT ? NULL : not_number;
	case TEXT:
	case MESSAGE:
		return f->type == WIRE_BYTES ? NULL : not_bytes;
	}
	return NULL;
}

static int fail(const struct pprof_bytes *b, const struct message *m, const struct field *f,
		fault what, struct ddp_error *err)
{
	/* of a text or a program no field was right */
	if (!f->start && what != cut_short)
		return ddp__fail(err, -EBADMSG, "not a pprof file");
	if (!f->number)
		return ddp__fail(err, -EBADMSG, "not a pprof file, or damaged: what %s should have "
				 "at byte %zu%s %s", m->name, f->start, pprof_position_kind(b), what);
	return ddp__fail(err, -EBADMSG, "not a pprof file, or damaged: field %u of %s, at byte "
			 "%zu%s, %s", f->number, m->name, f->start, pprof_position_kind(b), what);
}

/* Goes as deep as the tables do: three levels. */
static int check_message(const struct pprof_bytes *b, struct cursor c, const struct message *m,
			 struct ddp_error *err)
{
	struct field f;
	enum kind kind;
	fault what;
	int r;

	while (c.at < c.end) {
		what = take_field(&c, &f);
		kind = f.number < NR_FIELDS ? m->fields[f.number].kind : UNKNOWN;
		if (!what)
			what = check_value(&c, &f, kind);
		if (what)
			return fail(b, m, &f, what, err);
		if (kind != MESSAGE)
			continue;
		r = check_message(b, (struct cursor){ c.bytes, f.body, f.body_end },
				  m->fields[f.number].message, err);
		if (r)
			return r;
	}
	return 0;
}

/* The next @number of the profile, if there is one; the bytes were checked. */
static bool next_field(struct cursor *c, uint32_t number, struct field *ret)
{
	while (c->at < c->end && !take_field(c, ret))
		if (ret->number == number)
			return true;
	return false;
}

/* Two profiles in a row look like one that has everything twice. */
static int check_once(const struct pprof_bytes *b, struct ddp_error *err)
{
	struct cursor c = { b->at, 0, b->n };
	struct field f;
	bool seen = false;

	while (next_field(&c, DDP_PROFILE_TIME_NANOS, &f)) {
		if (seen)
			return ddp__fail(err, -EBADMSG, "two profiles in a row: a second time at "
					 "byte %zu%s", f.start, pprof_position_kind(b));
		seen = f.value != 0;
	}
	return 0;
}

static int check_strings(const struct pprof_bytes *b, struct ddp_error *err)
{
	struct cursor c = { b->at, 0, b->n };
	struct field f;

	if (!next_field(&c, DDP_PROFILE_STRING_TABLE, &f))
		return ddp__fail(err, -EBADMSG, "not a pprof file: there are no strings in its "
				 "%zu bytes", b->n);
	if (f.body != f.body_end)
		return ddp__fail(err, -EBADMSG, "the first string, at byte %zu%s, is not empty",
				 f.start, pprof_position_kind(b));
	return 0;
}

int ddp__pprof_check(const struct pprof_bytes *b, struct ddp_error *err)
{
	int r;

	if (!b->n)
		return ddp__fail(err, -EBADMSG, "the file is empty: 0 bytes");
	r = check_message(b, (struct cursor){ b->at, 0, b->n }, &profile, err);
	if (r || (r = check_strings(b, err)))
		return r;
	return check_once(b, err);
}

size_t ddp__pprof_position(const struct pprof_bytes *b, uint32_t field, size_t index)
{
	struct cursor c = { b->at, 0, b->n };
	struct field f = { .start = 0 };

	do {
		if (!next_field(&c, field, &f))
			return b->n;
	} while (index--);
	return f.start;
}

bool ddp__pprof_next_text(const struct pprof_bytes *b, size_t *position, struct pprof_text *ret)
{
	struct cursor c = { b->at, *position, b->n };
	struct field f;

	if (!next_field(&c, DDP_PROFILE_STRING_TABLE, &f))
		return false;
	*position = c.at;
	*ret = (struct pprof_text){ (const char *)b->at + f.body, f.body_end - f.body };
	return true;
}
