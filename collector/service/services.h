/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which service each sampled process belongs to. A process is looked up in /proc when its first
 * stack comes, and again when it has a new address space, which is what exec gives it. One that has
 * gone by then is what its parent is, if FORK records tell the parent; docs/service.md has the
 * whole order. Filled by pipeline from decode, asked when profiles are built.
 *
 *	on each STACK:		ddp_services_stack()
 *	on TASK and ASPACE:	ddp_services_task(), ddp_services_aspace_gone()
 *	after each batch:	ddp_services_work()	reads what is to be read
 *	at the interval's end:	ddp_services_of()	for each trace, then ddp_services_trim()
 *
 * Memory is bounded: DDP_SERVICES_MAX_PROCESSES processes and as many FORKs are remembered, those
 * that ended until an interval without samples of them.
 */
#ifndef DDP_SERVICE_SERVICES_H
#define DDP_SERVICE_SERVICES_H

#include "link/decode.h"
#include "service/identity.h"
#include "service/reader.h"
#include "service/rules.h"

enum {
	DDP_SERVICES_MAX_PROCESSES = 1 << 16,
	DDP_SERVICES_MAX_IMAGES = 64,	/* address spaces of one process in one interval */
	DDP_SERVICES_MAX = 64,		/* services of one interval, unless configured */
};

#define DDP_SERVICE_OTHER "other"	/* who is over the limit */

/** One service, good until ddp_services_trim(). */
struct ddp_service {
	char *name;		/* owned, as the next two */
	char *environment, *version;	/* NULL: not known */
	bool excluded;		/* the rules leave it out; name is "" */
	/* since when samples wait that did not get out, ns since 1970; 0: none do. The caller's */
	int64_t start_unix_ns;
	uint64_t samples;	/* of this interval; the caller's */
	uint32_t part;		/* the caller's */
	struct ddp_service *next_merged;	/* the caller's */
	struct ddp_service *next_same;
};

struct ddp_services_config {
	/* where procfs is mounted, borrowed until it has started; NULL: /proc, else /host/proc */
	const char *proc;
	/* whether services are asked for; if not, only containers are looked up */
	bool split;
	uint32_t max_services;		/* 0: DDP_SERVICES_MAX */
	/* texts as ddp_service_rules_add() takes them, in order; borrowed for the call */
	const char *const *rules;
	uint32_t nr_rules;
};

/** Totals. */
struct ddp_services_counts {
	uint64_t looked_up;	/* processes, once an image */
	uint64_t gone;		/* of these: had ended, or were another process already */
	uint64_t inherited;	/* of those that had gone: are what their parent is */
	uint64_t denied;	/* environments that must not be read */
	uint64_t stuck;		/* environments that took longer than DDP_READER_STUCK_MS */
	uint64_t refused;	/* processes and FORKs over the limits */
	/* as ddp_split_make() counts them */
	uint64_t merged_services, merged_samples, excluded_samples;
};

struct ddp_services {
	struct ddp_services_config config;
	struct ddp_service_rules *rules;	/* owned; NULL: none */
	struct ddp_proc proc;
	struct ddp_reader *reader;	/* owned; NULL: environments are not read */
	uint64_t last_request;
	int64_t waited_ms;		/* for the reader, since ddp_services_work() */
	struct ddp_table by_tgid;	/* tgid + 1 -> newest struct image, owned */
	size_t nr_images;
	struct ddp_table parents;	/* tgid + 1 -> struct fork, packed */
	struct ddp_identities identities;
	struct ddp_table services;	/* hash -> list of struct ddp_service, owned */
	size_t nr_services;
	struct image **pending;		/* owned; to be read */
	size_t nr_pending, cap_pending;
	uint32_t seen_tgid;		/* the last SEEN's */
	uint64_t seen_ns;
	uint64_t monotonic_ns;		/* CLOCK_MONOTONIC at the session's start */
	bool said_denied, said_stuck;
	struct ddp_services_counts counts;
};

/** @return 0; as ddp_service_rules_add(): *s is to be freed nevertheless */
int ddp_services_init(struct ddp_services *s, const struct ddp_services_config *config,
		      struct ddp_error *err);
/** What init made, or all zero. */
void ddp_services_free(struct ddp_services *s);

/**
 * The session has started; nothing is looked up before. A procfs that is not the whole machine's is
 * said and not used: then only names tell.
 * @param monotonic_ns  what the times in TASK records count from
 * @param own_pid       our number in the initial PID namespace: a procfs that knows us by another
 *			one is not the machine's; 0: not checked
 * @return 0, -ENOMEM
 */
int ddp_services_started(struct ddp_services *s, uint64_t monotonic_ns, uint32_t own_pid);

/* What decode tells; 0 or -ENOMEM */
int ddp_services_stack(struct ddp_services *s, const struct ddp_stack *stack,
		       const struct ddp_names *names);
int ddp_services_task(struct ddp_services *s, const struct ddp_task *t);
void ddp_services_aspace_gone(struct ddp_services *s, uint32_t tgid, uint64_t aspace);

/**
 * Looks up what is waiting for it, and again what could not be read within an exec. Never waits for
 * another process, as the next does: see reader.h.
 */
void ddp_services_work(struct ddp_services *s);

/** Who was sampled: the fields of a trace. */
struct ddp_services_who {
	uint32_t tgid;
	uint64_t aspace;	/* 0: none */
	const char *name;	/* the process's then; "": not known */
};

/**
 * Waits for an environment that is being read, for half a second after it was asked for and for a
 * second between two ddp_services_work(); then the service is what is known without.
 * @return 0; -ENOMEM
 */
int ddp_services_of(struct ddp_services *s, const struct ddp_services_who *who,
		    struct ddp_service **ret);

/** The service that takes those over the limit. @return 0; -ENOMEM */
int ddp_services_other(struct ddp_services *s, struct ddp_service **ret);

/**
 * What is known of the process, good until the next call of another function; NULL: nothing.
 * @return 0; -ENOMEM
 */
int ddp_services_identity(struct ddp_services *s, const struct ddp_services_who *who,
			  const struct ddp_identity **ret);

/** The profiles are made: forgets what only they could need. */
void ddp_services_trim(struct ddp_services *s);

/** Memory, roughly. */
size_t ddp_services_bytes(const struct ddp_services *s);

#endif /* DDP_SERVICE_SERVICES_H */
