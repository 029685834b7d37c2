/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One profiling session from START to the last profile: records come in through link and decode,
 * are kept by samples and process, and every interval becomes a profile that goes to an output. The
 * commands create it, run it until something ends, and finish it.
 */
#ifndef DDP_CORE_PIPELINE_H
#define DDP_CORE_PIPELINE_H

#include "link/link.h"
#include "core/comments.h"
#include "core/output.h"
#include "service/services.h"

struct ddp_pipeline_config {
	struct ddp_link_start start;	/* borrowed while ddp_pipeline_create() runs; no events */
	const struct ddp_event_specs *events;	/* the same; resolved, see events.h */
	struct ddp_output *output;	/* borrowed for the pipeline's life */
	/* length of an interval; 0: one profile over the whole session */
	uint32_t period_s;
	size_t max_sample_bytes;	/* ends an interval early; 0: 64 MiB */
	const char *table_cache;	/* folder for unwind tables, borrowed; NULL: none */
	/* longest wait for the tables of running programs before START; 0: none are made before */
	uint32_t ahead_ms;
	uint32_t max_processes;	/* followed at a time, see process.h; 0: any number */
	bool without_names, inlined;	/* see build.h */
	struct ddp_services_config services;	/* borrowed while ddp_pipeline_create() runs */
	/*
	 * A session of this process that goes on until the new one's START, when it is stopped: the
	 * caller finishes it afterwards, also on errors. NULL: none
	 */
	struct ddp_pipeline *replaces;
};

struct ddp_pipeline;

/**
 * Opens the link, makes unwind tables and starts the session; waits a second for the end of another
 * session. @return 0, or as ddp_link_open(), ddp_link_start()
 */
int ddp_pipeline_create(const struct ddp_pipeline_config *config, struct ddp_pipeline **ret,
			struct ddp_error *err);

enum { DDP_PIPELINE_MAX_WATCHES = 8 };

/** Called in the thread of ddp_pipeline_run(). */
typedef void (*ddp_pipeline_watch_fn)(void *ctx, struct ddp_pipeline *p);

/**
 * ddp_pipeline_run() calls @fn whenever @fd, borrowed, is readable; @fn has to read it empty and
 * not to wait for anything, as no records are taken meanwhile. Not while it runs.
 * @return 0; -ENOSPC: there are DDP_PIPELINE_MAX_WATCHES
 */
int ddp_pipeline_watch(struct ddp_pipeline *p, int fd, ddp_pipeline_watch_fn fn, void *ctx);

/** @fd is not looked at any more. Not while it runs. */
void ddp_pipeline_unwatch(struct ddp_pipeline *p, int fd);

/** What a pipeline has done and holds, for metrics. */
struct ddp_pipeline_counts {
	/* totals of the session; stats and info are 0 when the module could not be asked */
	struct ddp_marks marks;
	uint64_t profiles;		/* total: that got out, one an interval and service */
	uint64_t profiles_failed;	/* total: those that did not, at the first attempt */
	uint64_t samples;		/* total: samples in the profiles that got out */
	uint64_t samples_dropped;	/* total: samples whose profile could not be made */
	struct ddp_services_counts services;	/* totals */
	uint64_t build_ns;		/* total: time spent making profiles and handing them on */
	uint64_t resyncs;		/* total: times the module was asked for its stacks again */
	/* as it is now */
	uint64_t pending_samples;	/* of the running interval */
	uint64_t traces;		/* distinct stacks that are known */
	uint64_t aspaces, objects;	/* address spaces and mapped files that are known */
	uint64_t held_files;		/* of objects: kept open */
	uint64_t sample_bytes, process_bytes, object_bytes, symbol_bytes, service_bytes;
	uint64_t service_processes;	/* processes whose service or container is remembered */
	uint64_t uptime_ns;		/* since START */
	uint64_t interval_ns;		/* since the running interval began */
	uint64_t quiet_ns;		/* since records last came */
	int64_t start_unix_ns, interval_start_unix_ns;
	uint32_t period_s;		/* of an interval; 0: no end */
	/* at most so long nothing was sampled between the session it replaced and it; 0: none */
	int64_t gap_ns;
	bool ended;			/* the module ended the session */
};

enum { DDP_PIPELINE_SERVICES = 64, DDP_PIPELINE_SERVICE_NAME = 100 };

/** A service of the last interval. */
struct ddp_pipeline_service {
	char name[DDP_PIPELINE_SERVICE_NAME];	/* cut */
	uint64_t samples;
	bool excluded;		/* by rules: of all that they leave out, without a name */
};

/**
 * The services of the last interval, as many as fit; none where services are not asked for. As
 * ddp_pipeline_count(). @return how many
 */
size_t ddp_pipeline_services(const struct ddp_pipeline *p,
			     struct ddp_pipeline_service ret[DDP_PIPELINE_SERVICES]);

/** An event as the module has it. */
struct ddp_pipeline_event {
	char name[DDP_EVENT_NAME];	/* as it was asked for */
	bool sampled;			/* false: it is left out */
	/* errno why it is left out, or why the CPU clock is sampled instead; 0: it is itself */
	uint32_t missing;
};

/** As ddp_pipeline_count(). @return how many there are in @ret */
size_t ddp_pipeline_events(const struct ddp_pipeline *p,
			   struct ddp_pipeline_event ret[DDPROF_MAX_EVENTS]);

/** What its output's targets did: as ddp_output_stats(). As ddp_pipeline_count(). */
int ddp_pipeline_target(const struct ddp_pipeline *p, size_t i, struct ddp_sender_stats *ret);

/** Asks the module, too. Anywhere ddp_pipeline_run() may be called, and by watches. */
void ddp_pipeline_count(struct ddp_pipeline *p, struct ddp_pipeline_counts *ret);

/**
 * A profile of the running interval as far as it is, which goes on. As ddp_pipeline_count().
 * @return 0, *ret is the caller's; or as ddp_build_profile()
 */
int ddp_pipeline_peek(struct ddp_pipeline *p, struct ddp_profile **ret);

enum {
	DDP_PIPELINE_STOPPED = 0,	/* stop_fd became readable */
	DDP_PIPELINE_EXITED = 1,	/* every watched process has ended */
	DDP_PIPELINE_ENDED = 2,		/* the module ended the session */
};

/**
 * Profiles until there is a reason to stop.
 * @param stop_fd  a signalfd, say; -1: none
 * @param pidfds   processes whose end, of all of them, ends it; borrowed
 * @return DDP_PIPELINE_*, or a negative errno of the link, logged
 */
int ddp_pipeline_run(struct ddp_pipeline *p, int stop_fd, const int *pidfds, size_t nr_pidfds);

/* Not while ddp_pipeline_run() runs; watches may */

/** The running interval ends @period_s after its begin; 0: with the session. */
void ddp_pipeline_set_period(struct ddp_pipeline *p, uint32_t period_s);

/** Now, as when its time is up: what was sampled so far becomes a profile. */
void ddp_pipeline_end_interval(struct ddp_pipeline *p);

/** Where profiles go from the next one on; borrowed. */
void ddp_pipeline_set_output(struct ddp_pipeline *p, struct ddp_output *output);

/**
 * Stops sampling, takes what is still on its way and makes the last profile. @return 0, or why that
 * did not get out; what was lost before is in the log
 */
int ddp_pipeline_finish(struct ddp_pipeline *p);

/** NULL is allowed. */
void ddp_pipeline_destroy(struct ddp_pipeline *p);
DEFINE_CLEANUP(struct ddp_pipeline *, ddp_pipeline_destroy)

#endif /* DDP_CORE_PIPELINE_H */
