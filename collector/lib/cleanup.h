/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that free themselves when their variable goes out of scope, for all userspace code:
 *
 *	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
 *	...
 *	return TAKE_PTR(buffer);	the caller owns it from here on
 *
 * DEFINE_CLEANUP makes the function for a pointer type from the one that frees it.
 */
#ifndef DDPROF_CLEANUP_H
#define DDPROF_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define DEFINE_CLEANUP(type, free_fn)					\
	static inline void free_fn##_cleanup(type *p)			\
	{								\
		if (*p)							\
			free_fn(*p);					\
	}								\
	struct free_fn##_needs_semicolon

/* Gives the pointer away: its variable becomes NULL and nothing is freed here. */
#define TAKE_PTR(p)							\
	({								\
		__typeof__(p) taken_ = (p);				\
		(p) = NULL;						\
		taken_;							\
	})

/* Gives the descriptor away. */
#define TAKE_FD(fd)							\
	({								\
		int taken_ = (fd);					\
		(fd) = -1;						\
		taken_;							\
	})

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#endif /* DDPROF_CLEANUP_H */
