/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile's locations are called: the distinct frames of one or several profiles, and each
 * sample's stack as numbers of them, outermost first, inlined functions in their place. A frame is
 * a function of a file; its lines are kept as a range. Used by calltree and speedscope.
 *
 *	struct ddp_frames f = { .by_name = false };
 *	struct ddp_stacks s = { .frames = &f };
 *
 *	r = ddp_stacks_open(&s, profile);
 *	for (i = 0; !r && i < profile->nr_samples; i++) {
 *		r = ddp_stacks_walk(&s, &profile->samples[i]);
 *		... s.stack[0] .. s.stack[s.nr - 1], indexes into f.frames ...
 *	}
 *	ddp_stacks_close(&s);
 *	ddp_frames_free(&f);
 */
#ifndef DDP_REPORT_FRAMES_H
#define DDP_REPORT_FRAMES_H

#include <ddprof/pprof.h>
#include <stdbool.h>

#include "lib/hash.h"
#include "base/table.h"

/* Deeper than any program goes; a small file could claim millions */
enum { DDP_MAX_STACK = 1 << 20 };

/* Strings are the profile's, which has to live as long, or owned by the ddp_frames */
struct ddp_frame {
	const char *name;	/* never empty */
	const char *file;	/* of the source; "": not known */
	const char *mapping;	/* file name of the mapping; "": none */
	int64_t first_line, last_line;	/* that samples were in, or else where it starts; 0: none */
};

/* All zero but for its settings is an empty table */
struct ddp_frames {
	bool by_name;		/* frames of the same name are one, without file and mapping */
	struct ddp_frame *frames;	/* owned */
	size_t nr, cap;
	struct ddp_table by_content;	/* hash -> index + 1 */
	struct lazy_hash_key hash_key;	/* names come from files */
	char **made;		/* owned; names that no profile has */
	size_t nr_made, made_cap;
};

void ddp_frames_free(struct ddp_frames *f);
DEFINE_CLEANUP_IN_PLACE(struct ddp_frames, ddp_frames_free)

/* One profile's samples as frames */
struct ddp_stacks {
	struct ddp_frames *frames;	/* borrowed */
	const char *label;	/* its value is the outermost frame of each stack; NULL: none */
	uint32_t *stack;	/* owned; what ddp_stacks_walk() found, outermost first */
	size_t nr, cap;
	size_t *first;		/* owned; by location, where its frames begin in ids */
	uint32_t *ids;		/* owned; a location's frames, innermost first */
};

/**
 * Names all locations of @p, which has to live as long as the frames.
 * @return 0; -ENOMEM; -EFBIG: 2^32 frames
 */
int ddp_stacks_open(struct ddp_stacks *s, const struct ddp_pprof *p);

/**
 * A stack without locations is one frame, "[no stack]".
 * @return 0; -ENOMEM; -EFBIG: deeper than DDP_MAX_STACK
 */
int ddp_stacks_walk(struct ddp_stacks *s, const struct ddp_pprof_sample *sample);

void ddp_stacks_close(struct ddp_stacks *s);
DEFINE_CLEANUP_IN_PLACE(struct ddp_stacks, ddp_stacks_close)

/**
 * The name of a location without functions, "/usr/bin/cat+0x2a40": mapping and address.
 * @return 0, *ret to be freed; -ENOMEM
 */
int ddp_location_name(const struct ddp_pprof_location *l, char **ret);

/** The name to show for a line; NULL: it has none. */
const char *ddp_line_name(const struct ddp_pprof_line *line);

#endif /* DDP_REPORT_FRAMES_H */
