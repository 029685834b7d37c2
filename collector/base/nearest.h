/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may have meant by a word that is not known: of all that is offered the one with the
 * fewest letters to change, if they are few. For error texts of options, events and the like.
 *
 *	struct ddp_nearest n = { .word = "perod" };
 *	for each name
 *		ddp_nearest_offer(&n, name);
 *	if (n.name)
 *		"did you mean %s?"
 */
#ifndef DDP_BASE_NEAREST_H
#define DDP_BASE_NEAREST_H

#include <stddef.h>

struct ddp_nearest {
	const char *word;	/* what was written; longer than 63 characters: nothing is like it */
	const char *name;	/* the nearest of what was offered, borrowed; NULL: none is near */
	size_t distance;	/* of name: letters to change, add, leave out or swap */
};

/** Upper and lower case are the same in it, and so are '-' and '_'. The first of equals stays. */
void ddp_nearest_offer(struct ddp_nearest *n, const char *name);

#endif /* DDP_BASE_NEAREST_H */
