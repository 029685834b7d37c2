/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings that several profiles share and that live longer than one interval: a runtime interns a
 * method's name once, keeps the handle beside the method, and names it by the handle in each
 * profile it appears in.
 *
 *	struct ddp_strings *strings;
 *	uint64_t handle;
 *
 *	r = ddp_strings_create(0, &strings);
 *	r = ddp_strings_intern(strings, "Shop.checkout", 13, &handle);
 *	...
 *	config.strings = strings;
 *	r = ddp_profile_create(&config, &p);
 *	r = ddp_profile_shared_string(p, handle, &id);	// see profile.h
 *	...
 *	ddp_strings_release(strings, handle);		// the method is gone
 *	ddp_strings_unref(strings);
 *
 * Both the storage and each string in it are reference-counted. A handle is good until it was
 * released as often as it was interned; after that it is refused, also when its place was taken by
 * another string.
 *
 * Threads: every function may be called by any thread at any time, but not by a signal handler: it
 * could have interrupted a thread that holds the lock.
 */
#ifndef DDPROF_STRINGS_H
#define DDPROF_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ddp_strings;

/**
 * @param max_bytes  memory it may use; 0: no limit
 * @return 0, -ENOMEM; *ret is a reference of the caller's: ddp_strings_unref()
 */
int ddp_strings_create(size_t max_bytes, struct ddp_strings **ret);

/** One more reference. @return @s */
struct ddp_strings *ddp_strings_ref(struct ddp_strings *s);

/** Gives a reference back; with the last one everything is freed. NULL is allowed. */
void ddp_strings_unref(struct ddp_strings *s);

/**
 * Interns any bytes, which are copied; the same ones twice have the same handle, and one reference
 * more.
 *
 * @param ret_handle  never 0; to be released with ddp_strings_release()
 * @return 0; -ENOMEM; -ENOSPC: max_bytes would be exceeded; -E2BIG: too long, or too many
 */
int ddp_strings_intern(struct ddp_strings *s, const char *bytes, size_t len,
		       uint64_t *ret_handle);

/** @return 0; -ESTALE: not a handle, or released already */
int ddp_strings_release(struct ddp_strings *s, uint64_t handle);

/**
 * The bytes behind a handle, for as long as the caller has a reference to the string.
 *
 * @param ret_bytes  @ret_len bytes and a NUL; the storage's
 * @return 0; -ESTALE: not a handle, or released already
 */
int ddp_strings_get(struct ddp_strings *s, uint64_t handle, const char **ret_bytes,
		    size_t *ret_len);

struct ddp_strings_counts {
	size_t strings;		/* different ones */
	size_t bytes;		/* memory in use for all of it */
};

void ddp_strings_count(struct ddp_strings *s, struct ddp_strings_counts *ret);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_STRINGS_H */
