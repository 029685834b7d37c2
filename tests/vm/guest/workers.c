// SPDX-License-Identifier: Apache-2.0
/*
 * Eight threads with names of their own, worker-0 to worker-7, and two generations of children,
 * each of which burns the same amount of CPU. usage: workers threads|family MILLISECONDS.
 * Profiled by test_truth.sh.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burn.h"

enum { NR_WORKERS = 8 };

BURNER(worker_burn, 0x66)
BURNER(parent_burn, 0x77)
BURNER(child_burn, 0x88)
BURNER(grandchild_burn, 0x99)

static uint64_t wanted_ns;

static void burn_for(void (*burn)(uint64_t iterations))
{
	while (burn_cpu_ns(CLOCK_THREAD_CPUTIME_ID) < wanted_ns)
		burn(100000);
}

static void *worker(void *number)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(intptr_t)number);
	pthread_setname_np(pthread_self(), name);
	burn_for(worker_burn);
	return NULL;
}

static int run_threads(void)
{
	pthread_t threads[NR_WORKERS];
	intptr_t i;

	for (i = 0; i < NR_WORKERS; i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			return 1;
	for (i = 0; i < NR_WORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void run_child(void)
{
	prctl(PR_SET_NAME, "child");
	if (!fork()) {
		prctl(PR_SET_NAME, "grandchild");
		burn_for(grandchild_burn);
		_exit(0);
	}
	burn_for(child_burn);
	wait(NULL);
	_exit(0);
}

static int run_family(void)
{
	pid_t pid = fork();

	if (!pid)
		run_child();
	burn_for(parent_burn);
	waitpid(pid, NULL, 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	wanted_ns = strtoull(argv[2], NULL, 10) * 1000000;
	return strcmp(argv[1], "threads") ? run_family() : run_threads();
}
