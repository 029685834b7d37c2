// SPDX-License-Identifier: Apache-2.0
/* See retired.h. */
#include "ddprof/retired.h"

#include <pthread.h>

struct ddprof_retiring {
	pthread_t thread;
	struct ddp_output *output;	/* the thread's */
	struct ddprof_retiring *next;	/* retired later */
};

static void *finish(void *retiring)
{
	struct ddprof_retiring *g = retiring;

	ddp_output_finish(TAKE(g->output)); /* what is lost is logged */
	return NULL;
}

/* @return whether it has ended, in which case it is gone */
static bool remove_oldest(struct ddprof_retired *r, bool wait)
{
	struct ddprof_retiring *g = r->oldest;

	if (wait ? pthread_join(g->thread, NULL) : pthread_tryjoin_np(g->thread, NULL))
		return false;
	r->oldest = g->next;
	r->nr--;
	free(g);
	return true;
}

void ddprof_retire(struct ddprof_retired *r, struct ddp_output *o)
{
	struct ddprof_retiring *g = calloc(1, sizeof(*g)), **last = &r->oldest;

	while (r->oldest && remove_oldest(r, r->nr == DDPROF_MAX_RETIRED))
		;
	if (g)
		g->output = o;
	if (!g || pthread_create(&g->thread, NULL, finish, g)) {
		free(g);
		ddp_output_finish(o);
		return;
	}
	while (*last)
		last = &(*last)->next;
	*last = g;
	r->nr++;
}

void ddprof_retired_wait(struct ddprof_retired *r)
{
	while (r->oldest && remove_oldest(r, true))
		;
}
