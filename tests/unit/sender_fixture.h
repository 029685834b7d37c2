/* SPDX-License-Identifier: Apache-2.0 */
/* A world of its own (sender_world.h) for each test of a program; included by its only file. */
#ifndef UNIT_SENDER_FIXTURE_H
#define UNIT_SENDER_FIXTURE_H

#include "sender_world.h"

static struct world *w;

static int make_world(void **state)
{
	(void)state;
	w = world_create();
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	world_destroy(w);
	return 0;
}

#endif /* UNIT_SENDER_FIXTURE_H */
