// SPDX-License-Identifier: Apache-2.0
/*
 * Three threads that are blocked for known times, as programs are: one sleeps, one waits for a lock
 * that another thread holds, one reads a pipe. Each measures it by its own clock. usage: blocked
 * ROUNDS FILE; FILE gets a line "NAME NANOSECONDS" for each. Profiled by test_offcpu_exact.sh.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { NAP_NS = 12000000, NR_KINDS = 3 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t turn;
static int ends[2], rounds;

static void nap(void)
{
	struct timespec t = { .tv_nsec = NAP_NS };

	nanosleep(&t, NULL);
}

static void block_in_sleep(void)
{
	nap();
}

static void block_on_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

static void block_on_pipe(void)
{
	char byte;

	if (read(ends[0], &byte, 1) != 1)
		abort();
}

static struct kind {
	const char *name;
	void (*block)(void);
	uint64_t blocked_ns;
	pthread_t thread;
} kinds[NR_KINDS] = {
	{ .name = "sleeper", .block = block_in_sleep },
	{ .name = "locker", .block = block_on_lock },
	{ .name = "reader", .block = block_on_pipe },
};

/* Turns begin and end at a barrier, where everybody waits, too: that is not what is measured */
static void turns(struct kind *k)
{
	uint64_t begin;

	for (int i = 0; i < rounds; i++) {
		pthread_barrier_wait(&turn);
		begin = now_ns();
		k->block();
		k->blocked_ns += now_ns() - begin;
		pthread_barrier_wait(&turn);
	}
}

static void *run(void *ctx)
{
	struct kind *k = ctx;

	prctl(PR_SET_NAME, k->name);
	turns(k);
	return NULL;
}

static void release(void)
{
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&lock);
		pthread_barrier_wait(&turn);
		nap();
		nap();
		pthread_mutex_unlock(&lock);
		if (write(ends[1], "x", 1) != 1)
			abort();
		pthread_barrier_wait(&turn);
	}
}

int main(int argc, char **argv)
{
	FILE *f = argc == 3 ? fopen(argv[2], "we") : NULL;

	if (!f || pipe(ends)) {
		fputs("usage: blocked ROUNDS FILE\n", stderr);
		return 2;
	}
	rounds = atoi(argv[1]);
	pthread_barrier_init(&turn, NULL, NR_KINDS + 1);
	for (int i = 0; i < NR_KINDS; i++)
		pthread_create(&kinds[i].thread, NULL, run, &kinds[i]);
	release();
	for (int i = 0; i < NR_KINDS; i++) {
		pthread_join(kinds[i].thread, NULL);
		fprintf(f, "%s %llu\n", kinds[i].name, (unsigned long long)kinds[i].blocked_ns);
	}
	return fclose(f) ? 1 : 0;
}
