/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the builder's files share besides the layout: hashing with the profile's own key, ids and
 * indexes, and each part's find, reserve and put: whoever adds finds what is known, then makes
 * room for all that is new (the only step that fails), then puts it in.
 */
#ifndef DDPROF_LIB_PROFILE_PARTS_H
#define DDPROF_LIB_PROFILE_PARTS_H

#include <errno.h>

#include "profile_internal.h"
#include "sums.h"

static inline uint32_t hash_bytes(const struct ddp_profile *p, const void *bytes, size_t n)
{
	return hash64(&p->hash_key, bytes, n);
}

/*
 * Ids. An index below @fixed (strings that every profile has, and "none") is its own id; above,
 * ids count on from generation to generation, so that an old one points in front of the present
 * range. After MAX_ELEMENTS ids of a kind they start over.
 */
static inline uint32_t id_of(uint32_t base, uint32_t fixed, uint32_t index)
{
	return index < fixed ? index : base + index;
}

static inline uint32_t index_of(uint32_t base, uint32_t fixed, uint32_t id)
{
	return id < fixed ? id : id - base;
}

/* 0 or -ESTALE */
static inline int check_id(uint32_t base, uint32_t fixed, uint32_t nr, uint32_t id, uint32_t *ret)
{
	uint32_t index = id - base;

	if (id < fixed)
		index = id;
	else if (index < fixed || index >= nr)
		return -ESTALE;
	*ret = index;
	return 0;
}

static inline int string_index(const struct ddp_profile *p, uint32_t id, uint32_t *ret)
{
	return check_id(p->base[ID_STRING], p->fixed_strings, p->strings.nr, id, ret);
}

/* Of an id that is known to be good */
static inline uint32_t good_string(const struct ddp_profile *p, uint32_t id)
{
	return index_of(p->base[ID_STRING], p->fixed_strings, id);
}

/* Where something is, if it is; and its hash, to put it in if it is not. */
struct place {
	int64_t at;	/* TABLE_NONE: new */
	uint32_t hash;
};

/* profile_intern.c, by indexes. Room is made and then it is put in: 0 or an error. */
DDP_INTERNAL int ddp__string_intern(struct ddp_profile *p, const char *bytes, size_t len,
				    uint32_t *ret);
DDP_INTERNAL int ddp__mapping_intern(struct ddp_profile *p, const struct mapping *m,
				     uint32_t *ret);
DDP_INTERNAL int ddp__function_intern(struct ddp_profile *p, const struct function *f,
				      uint32_t *ret);
/*
 * A new location's lines are put at the end of p->lines, not counted yet, which l->at and nr_lines
 * say. Of one that is known: its lines, where @one is room for one that is in the location.
 */
DDP_INTERNAL int ddp__location_intern(struct ddp_profile *p, const struct location *l,
				      uint32_t *ret);
DDP_INTERNAL const struct line *ddp__location_lines(const struct ddp_profile *p,
						    const struct location *l, struct line *one);
DDP_INTERNAL uint32_t ddp__mapping_flags(bool functions, bool filenames, bool line_numbers,
					 bool inline_frames);

/* How much was interned, and going back there: the newest go, with their table entries. */
struct mark {
	uint32_t strings, string_bytes, mappings, functions, locations, lines;
};

DDP_INTERNAL struct mark ddp__mark(const struct ddp_profile *p);
DDP_INTERNAL void ddp__rewind(struct ddp_profile *p, struct mark m);

/* profile_stack.c. Reserving checks the ids, too. */
DDP_INTERNAL uint32_t ddp__stack_hash(const struct ddp_profile *p, const uint32_t *ids,
				      uint32_t nr);
DDP_INTERNAL struct place ddp__stack_find(const struct ddp_profile *p, uint32_t hash,
					  const uint32_t *ids, uint32_t nr);
DDP_INTERNAL int ddp__stack_reserve(struct ddp_profile *p, const uint32_t *ids, uint32_t nr);
DDP_INTERNAL uint32_t ddp__stack_put(struct ddp_profile *p, uint32_t hash, const uint32_t *ids,
				     uint32_t nr);

/* profile_label.c, on p->scratch_labels. Reserving checks the labels, too. */
DDP_INTERNAL int ddp__labels_read(struct ddp_profile *p, const struct ddp_label *labels,
				  uint32_t nr);
DDP_INTERNAL struct place ddp__label_set_find(const struct ddp_profile *p);
DDP_INTERNAL int ddp__label_set_reserve(struct ddp_profile *p);
DDP_INTERNAL uint32_t ddp__label_set_put(struct ddp_profile *p, uint32_t hash);

/* profile_add.c: a sample whose stack and label set were looked for. */
struct parts {
	const uint32_t *locations;	/* ids; used when the stack is new */
	uint32_t nr_locations;
	struct place stack, label_set;	/* a new label set is in p->scratch_labels */
	const int64_t *values;
	int64_t timestamp_ns;
};

/* On success @s->stack.at is where the stack is. */
DDP_INTERNAL int ddp__add_parts(struct ddp_profile *p, struct parts *s);

/* profile_timed.c */
DDP_INTERNAL int ddp__timed_reserve(struct ddp_profile *p);
DDP_INTERNAL void ddp__timed_put(struct ddp_profile *p, struct sample s, int64_t timestamp_ns,
				 const int64_t *values);
DDP_INTERNAL void ddp__timed_clear(struct ddp_profile *p);
DDP_INTERNAL void ddp__timed_free(struct ddp_profile *p);

/* profile_shared.c: gives all references of this generation back */
DDP_INTERNAL void ddp__shared_release(struct ddp_profile *p);

#endif /* DDPROF_LIB_PROFILE_PARTS_H */
