/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the other headers of libddprof share: where output goes (a write callback, or a buffer in
 * memory that is one) and how an error is put in words.
 *
 *	struct ddp_buffer out = {0};
 *
 *	r = ddp_pprof_encode(profile, end_unix_ns, ddp_buffer_write, &out);
 *	...
 *	ddp_buffer_free(&out);
 *
 * The whole library: never logs, exits or aborts, keeps no global state and survives a failed
 * allocation. Functions return 0 or a negative errno; out parameters come last and are written only
 * on success. Objects belong to one thread at a time unless their header says more.
 */
#ifndef DDPROF_IO_H
#define DDPROF_IO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Takes @n > 0 bytes; borrowed for the call.
 * @return 0 to go on, or a negative errno, which ends the operation and is handed to its caller
 */
typedef int (*ddp_write_fn)(void *ctx, const void *bytes, size_t n);

/** Growing memory, not malloc()'s. All zero is an empty buffer; free it with ddp_buffer_free(). */
struct ddp_buffer {
	unsigned char *bytes;	/* @len bytes, the buffer's own; NULL when empty */
	size_t len;		/* bytes in use */
	size_t capacity;	/* bytes allocated */
	size_t max_bytes;	/* never hold more; 0: no limit. Set before the first write */
};

/**
 * Appends; a ddp_write_fn with the buffer as ctx.
 * @return 0; -ENOMEM, -EFBIG (max_bytes): the buffer is unchanged
 */
int ddp_buffer_write(void *buffer, const void *bytes, size_t n);

/** Frees the memory and makes the buffer empty again; max_bytes stays. */
void ddp_buffer_free(struct ddp_buffer *buffer);

/** What went wrong, for a person. The caller owns it; functions that take one allow NULL. */
struct ddp_error {
	char text[256];		/* NUL-terminated, one line; "" when nothing was said */
};

/** The library's version, "0.1.0". Static. */
const char *ddp_version(void);

#ifdef __cplusplus
}
#endif

#endif /* DDPROF_IO_H */
