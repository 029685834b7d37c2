/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where finished profiles go: to a file, to the library's sender with its targets, or both. A file
 * appears under its name only when it is complete, can be read by its owner only (it holds kernel
 * addresses and names of everybody's processes), and never takes an earlier one's place: the second
 * profile of a run to FILE.pprof is FILE.2.pprof. What targets do is logged. Called by pipeline.
 */
#ifndef DDP_CORE_OUTPUT_H
#define DDP_CORE_OUTPUT_H

#include <ddprof/profile.h>
#include <ddprof/sender.h>
#include <stdbool.h>

struct ddp_output;

/** Borrowed by ddp_output_create() for the call. NULL members: none. */
struct ddp_output_config {
	const char *path;	/* its end gives the compression, see ddprof/compress.h */
	bool numbered;		/* the first file has a number, too */
	const struct ddp_sender_target *targets;
	size_t nr_targets;	/* 0: only the file */
	const char *service, *environment, *version;	/* tags */
	const char *tags;	/* the user's, as ddp_tags_parse() takes them */
	bool include_kernel;
	const char *runtime_id;	/* of service; made up */
	const char *prefix;	/* of the names of files that profiles are written to as well */
	bool show_samples;	/* every profile's in the log, see show.h */
	/*
	 * An output that this one goes on for, as when the configuration was read again: it hands
	 * over what waits, counts and the numbers of files and intervals. Only to be finished when
	 * ddp_output_create() returned 0; on an error it goes on as before. NULL: none
	 */
	struct ddp_output *replaces;
};

/**
 * Whom a profile is of, where one run makes several: the tags that differ. Borrowed for the call.
 * NULL members: the config's, or none.
 */
struct ddp_output_origin {
	const char *service, *environment, *version;
	const char *container_id, *pod_uid;
	const char *tags;	/* besides the config's, as ddp_tags_parse() takes them */
};

/** @return 0; what opening the file's folder answers; as ddp_sender_create(): see @err; -ENOMEM */
int ddp_output_create(const struct ddp_output_config *config, struct ddp_output **ret,
		      struct ddp_error *err);

/**
 * Writes and queues one profile. Profiles with the same end are one interval's: they have the same
 * number in their tag profile_seq, and those of a service the same runtime-id all through. What
 * goes wrong with one way out is logged and does not keep the profile from the other.
 * @param origin  NULL: the config's
 * @return 0 when it got out some way, or there is none; else the first error of a file or of the
 *	memory for an upload: its samples can go into the next one
 */
int ddp_output_profile(struct ddp_output *o, const struct ddp_profile *p,
		       const struct ddp_output_origin *origin, int64_t start_unix_ns,
		       int64_t end_unix_ns);

/** As ddp_sender_get_stats(); of any thread. @return 0; -ENOENT: there is no target number @i */
int ddp_output_stats(struct ddp_output *o, size_t i, struct ddp_sender_stats *ret);

/** The run's end begins: ddp_output_finish() answers for what is lost from now on. */
void ddp_output_ending(struct ddp_output *o);

/**
 * Waits for uploads for about ten seconds at most. NULL is allowed.
 * @return profiles that one of the ways out did not take since ddp_output_ending(), or at all
 *	without that; not those that ddp_output_profile() answered an error for, those that wait in
 *	a spool, and those that a limit of queue or spool dropped to make room for newer ones. What
 *	was lost before, or for such a limit, is in the log
 */
unsigned int ddp_output_finish(struct ddp_output *o);

/**
 * The name of the @nr-th file, from 1, of a run to @path: FILE.pprof, FILE.2.pprof, ... @return 0,
 * -ENAMETOOLONG
 */
int ddp_output_path(const char *path, unsigned int nr, bool numbered, char *ret, size_t size);

#endif /* DDP_CORE_OUTPUT_H */
