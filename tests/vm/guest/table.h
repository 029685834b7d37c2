/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TABLE_* commands over the raw client, and images made by hand, right ones and wrong ones.
 * Calls answer 0 or -errno; nl->text says more.
 */
#ifndef GUEST_TABLE_H
#define GUEST_TABLE_H

#include "nl.h"
#include "uapi/ddprof_unwind.h"

enum { TABLE_CHUNK = 32768 };	/* bytes of an image in one message */

/* BEGIN by number, or by descriptor when @fd >= 0: *ret_id is the answer's. */
int table_begin(struct nl *nl, uint64_t id, int fd, uint32_t bytes, uint64_t *ret_id);
int table_data(struct nl *nl, uint64_t id, uint32_t offset, const void *data, size_t bytes);
int table_commit(struct nl *nl, uint64_t id);
int table_drop(struct nl *nl, uint64_t id);

struct table_image {
	void *bytes;	/* free() */
	size_t nr;
};

/* BEGIN as above and all of the image, which is then to be committed. */
int table_stage(struct nl *nl, uint64_t id, int fd, const struct table_image *image,
		uint64_t *ret_id);
/* The same and COMMIT. @ret_id may be NULL. */
int table_upload(struct nl *nl, uint64_t id, int fd, const struct table_image *image,
		 uint64_t *ret_id);

/* One answer of TABLE_LIST. */
struct table_entry {
	uint64_t id, ended;
	uint32_t bytes, rows, idle_s;
	char name[64];
};

/* Up to @max of them; how many there are, or -errno. */
int table_list(struct nl *nl, struct table_entry *ret, int max);

struct table_info {
	uint64_t tables, bytes, max_bytes, evicted, refused;
};

int table_info(struct nl *nl, struct table_info *ret);

/* The image of a file without call frame information. */
struct table_image table_image_empty(void);
/*
 * Right in form, with @rows rows, 4 bytes apart in the file; @random: a good choice of good and bad
 * rules drawn from it, 0: frames of a return address alone.
 */
struct table_image table_image_synthetic(uint32_t rows, uint32_t random);

#endif /* GUEST_TABLE_H */
