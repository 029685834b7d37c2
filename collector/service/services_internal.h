/* SPDX-License-Identifier: Apache-2.0 */
/* What services.c (who is sampled) and services_names.c (what they are called) share. */
#ifndef DDP_SERVICE_SERVICES_INTERNAL_H
#define DDP_SERVICE_SERVICES_INTERNAL_H

#include "service/services.h"

enum image_state {
	IMAGE_NEW,	/* not looked up yet */
	IMAGE_AGAIN,	/* looked up within exec: its environment was not there yet */
	IMAGE_KNOWN,
	IMAGE_GONE,	/* had ended before; its identity is the parent's, if that is known */
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
	int64_t next_try_ms;	/* CLOCK_MONOTONIC */
	char name[DDP_COMM_MAX];
	struct ddp_identity *identity;	/* a reference; NULL: none known */
	struct ddp_service *service;	/* NULL: to be found again */
	struct image *older;		/* of the same process */
};

/*
 * The image that @who ran; makes and looks up what is not known. *ret is NULL over the limits.
 * @again: also what is known by half, whose identity another one may replace. 0, -ENOMEM
 */
int services_image(struct ddp_services *s, const struct ddp_services_who *who, bool again,
		   struct image **ret);

/* services_names.c: forgets all services */
void services_trim_names(struct ddp_services *s);

#endif /* DDP_SERVICE_SERVICES_INTERNAL_H */
