/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What services.c (who is sampled), services_lookup.c (what /proc says of them) and
 * services_names.c (what they are called) share.
 */
#ifndef DDP_SERVICE_SERVICES_INTERNAL_H
#define DDP_SERVICE_SERVICES_INTERNAL_H

#include "service/services.h"

enum image_state {
	IMAGE_NEW,	/* not looked up yet */
	/* all but its environment is known, which the reader is at */
	IMAGE_READING,
	IMAGE_UNREAD,	/* the same, but all that read are stuck: asked again for a profile */
	IMAGE_AGAIN,	/* looked up within exec: its environment was not there yet */
	IMAGE_KNOWN,
	IMAGE_GONE,	/* had ended before; its identity is the parent's, if that is known */
	IMAGE_ORPHAN,	/* the same, but its parent's environment is being read */
};

/* One program that a process runs or ran: between two execs */
struct image {
	uint64_t aspace;	/* 0: looked up as somebody's parent, or without user memory */
	uint32_t tgid;
	uint8_t state;
	uint8_t tries;
	uint8_t idle;		/* intervals since its last sample; 0: there is one in this */
	bool ended;
	bool queued;		/* pending points to it */
	uint64_t seen_ns;	/* it ran then, or before; since the session's start */
	uint64_t named_ns;	/* the name is of then; on the same clock */
	uint64_t request;	/* the newest one's id; 0: never asked */
	int64_t asked_ms;	/* that was then; CLOCK_MONOTONIC, as the next */
	int64_t next_try_ms;
	char name[DDP_COMM_MAX];
	struct ddp_identity *identity;	/* a reference; NULL: none known */
	struct ddp_service *service;	/* NULL: to be found again */
	struct image *older;		/* of the same process */
};

struct fork {
	uint32_t parent;
	uint32_t time_10ms;	/* since the session's start; 30 bits are four months */
	uint8_t ended;		/* 0, or how many intervals it still outlives + 1 */
};

enum {
	FORK_TIME_UNIT_NS = 10000000,
	/* starts are told in ticks of 10 ms, and clocks are read one after the other */
	START_SLACK_NS = 20000000,
};

/* services.c */

bool services_find_fork(const struct ddp_services *s, uint32_t tgid, struct fork *ret);
/* NULL: none */
struct image *services_newest(const struct ddp_services *s, uint32_t tgid);
struct image *services_find(const struct ddp_services *s, uint32_t tgid, uint64_t aspace);
/* *ret is NULL over the limits. 0, -ENOMEM */
int services_insert(struct ddp_services *s, uint32_t tgid, uint64_t aspace, struct image **ret);
void services_rename(struct image *i, const char *name, uint64_t time_ns);

/* services_lookup.c */

/* Now, on the session's clock */
uint64_t services_session_ns(const struct ddp_services *s);
/* In ddp_services_work(). 0, -ENOMEM */
int services_look_up_later(struct ddp_services *s, struct image *i);
/*
 * The image that @who ran; makes and looks up what is not known. *ret is NULL over the limits.
 * @again: also what is known by half, whose identity another one may replace; waits a moment for
 * its environment. 0, -ENOMEM
 */
int services_image(struct ddp_services *s, const struct ddp_services_who *who, bool again,
		   struct image **ret);

/* services_names.c: forgets all services */
void services_trim_names(struct ddp_services *s);

#endif /* DDP_SERVICE_SERVICES_INTERNAL_H */
