/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources that clean themselves up when their variable goes out of scope, and handing them on:
 *
 *	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
 *	if (fd < 0)
 *		return -errno;
 *	...
 *	*ret = TAKE_FD(fd);
 *
 * A resource joins with one line beside its destructor: DEFINE_CLEANUP(struct thing *,
 * thing_destroy). For all userspace code, library, core and commands; never installed.
 */
#ifndef DDPROF_CLEANUP_H
#define DDPROF_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ddprof/io.h"

#define CLEANUP(fn) __attribute__((cleanup(fn##_cleanup)))

/* @fn is called with the variable's value; it must accept NULL */
#define DEFINE_CLEANUP(type, fn)					\
	static inline void fn##_cleanup(type *p)			\
	{								\
		fn(*p);							\
	}

/* For destructors of objects that live in the variable itself */
#define DEFINE_CLEANUP_IN_PLACE(type, fn)				\
	static inline void fn##_cleanup(type *p)			\
	{								\
		fn(p);							\
	}

/* Gives the pointer away: its variable becomes NULL and nothing is freed here. */
#define TAKE(p)								\
	({								\
		__typeof__(p) take_ = (p);				\
		(p) = NULL;						\
		take_;							\
	})

/* Gives the descriptor away. */
#define TAKE_FD(fd)							\
	({								\
		int take_ = (fd);					\
		(fd) = -1;						\
		take_;							\
	})

static inline void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static inline void close_file(FILE *f)
{
	if (f)
		fclose(f);
}

DEFINE_CLEANUP(int, close_fd)
DEFINE_CLEANUP(FILE *, close_file)
DEFINE_CLEANUP_IN_PLACE(struct ddp_buffer, ddp_buffer_free)

static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}

#endif /* DDPROF_CLEANUP_H */
