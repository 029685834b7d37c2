/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something to sample: threads that keep CPUs busy, partly in the kernel. Included by test
 * programs.
 */
#ifndef GUEST_LOAD_H
#define GUEST_LOAD_H

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "tap.h"

static volatile bool load_end;

static inline void *load_thread(void *unused)
{
	static volatile uint64_t work;
	char bytes[4096];
	int i, zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)unused;
	while (!load_end) {
		for (i = 0; i < 20000; i++)
			work += i;
		if (read(zero, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
			break;
	}
	close(zero);
	(void)work;
	return NULL;
}

static inline void load_begin(pthread_t *threads, int n)
{
	load_end = false;
	while (n--)
		if (pthread_create(&threads[n], NULL, load_thread, NULL))
			tap_bail("no thread");
}

static inline void load_finish(pthread_t *threads, int n)
{
	load_end = true;
	while (n--)
		pthread_join(threads[n], NULL);
}

#endif /* GUEST_LOAD_H */
